"""The card issuer's office at the counter: its keys, and what every command of it says before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kojin_card.cli.counter.confirming import check_confirmable, confirm, writing_options
from kojin_card.cli.counter.desk import answer_planned, card_number
from kojin_card.cli.counter.keys import (
    check_issuer_keys,
    issuer_key_options,
    load_owners,
    open_issuer_keys,
    owners_option,
)
from kojin_card.cli.counter.receipt import masked_card
from kojin_card.cli.counter.view import domain_blocks, domain_json, owner_words
from kojin_card.cli.framework import secret_options
from kojin_card.cli.render import Block, Heading, Line, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from kojin_card.cli.session import Session
    from kojin_card.slots import CardIssuer, DomainView
    from kojin_card.spec.owner import Owner


def office_options() -> tuple[click.Parameter, ...]:
    """What every command of the office takes."""
    return (*issuer_key_options(), owners_option(), *writing_options(), *secret_options(last_try=False))


@dataclass(frozen=True, slots=True)
class OfficeOptions:
    """The values of :func:`office_options`."""

    issuer_keys: str | None
    trial_keys: bool
    owners: str | None
    dry_run: bool
    yes: bool
    secrets: str | None

    def check(self) -> None:
        """Refuse at once what would be refused later."""
        check_issuer_keys(self.issuer_keys, self.trial_keys)
        check_confirmable(yes=self.yes, dry_run=self.dry_run)


class Office:
    """The card issuer's office at one card."""

    def __init__(self, session: Session, options: OfficeOptions) -> None:
        self.session, self.options = session, options
        self.owners = load_owners(options.owners)
        self._issuer: CardIssuer | None = None
        self._keys = open_issuer_keys(session, options.issuer_keys, options.trial_keys, options.secrets)

    @property
    def issuer(self) -> CardIssuer:
        """The issuer's program; it opens the card."""
        from kojin_card.slots import CardIssuer

        if self._issuer is None:
            self._issuer = CardIssuer(self.session.card().channel, self._keys)
        return self._issuer

    def rows(self, owner: Owner | None, *more: tuple[str, str]) -> list[tuple[str, str]]:
        """What is said before; without an owner it is about the card issuer's own domain."""
        text, session = self.session.console.text, self.session
        where = "file" if session.settings.simulator is not None else "reader"
        keys = "slots.what.trial" if self.options.trial_keys else "slots.what.issuer"
        whose = text("slots.what.issuer_domain") if owner is None else owner_words(owner, self.owners, session.lang)
        return [
            (text("slots.what.owner"), whose),
            *more,
            (text("slots.what.keys"), text(keys)),
            (text("slots.what.card_number"), masked_card(card_number(session.card()))),
            (text(f"slots.what.{where}"), session.card().description),
        ]

    def agreed(self, done: str, owner: Owner | None, rows: Sequence[tuple[str, str]], **value: Any) -> bool:
        """Whether it is to be done: not in a dry run, which is answered here."""
        if self.options.dry_run:
            answer_planned(self.session, done, rows, {"owner": None if owner is None else str(owner), **value})
            return False
        text = self.session.console.text
        title = text("slots.confirm.title", done=text(f"slots.done.{done}"))
        confirm(self.session, title, rows, yes=self.options.yes)
        return True

    def answer(self, done: str, owner: Owner, domain: DomainView | None, *, written: bool = True) -> None:
        """Say what was done."""
        console = self.session.console
        blocks: list[Block] = [Heading(console.text(f"slots.done.{done}"))]
        if domain is not None:
            blocks += domain_blocks(domain, self.owners, console)
        else:
            blocks.append(Line(owner_words(owner, self.owners, console.lang)))
        if not written:
            blocks.append(Line(console.text("slots.already"), Role.UNSURE))
        value = {
            "done": done,
            "owner": str(owner),
            "written": written,
            "domain": None if domain is None else domain_json(domain),
        }
        self.session.answer("slot-owner", value, blocks)
