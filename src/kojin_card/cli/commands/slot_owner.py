"""``slot-owner create|delete|quota``: the card's issuer gives owners room on a card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.counter.confirming import check_confirmable, confirm, writing_options
from kojin_card.cli.counter.desk import answer_planned, card_number
from kojin_card.cli.counter.keys import (
    check_issuer_keys,
    issuer_key_options,
    load_owners,
    open_issuer_keys,
    open_owner_keys,
    owner_key_option,
    owners_option,
)
from kojin_card.cli.counter.plans import of_issuer
from kojin_card.cli.counter.receipt import masked_card
from kojin_card.cli.counter.view import domain_blocks, domain_json, owner_words, shown_aid
from kojin_card.cli.framework import KojinGroup, command, option, secret_options
from kojin_card.cli.render import Block, Heading, Line, Role
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kojin_card.cli.session import Session
    from kojin_card.slots import CardIssuer, DomainView
    from kojin_card.spec.owner import Owner

slot_owner = KojinGroup(
    "slot-owner",
    {
        "create": "commands.slot_owner:create",
        "delete": "commands.slot_owner:delete",
        "quota": "commands.slot_owner:quota",
    },
)
#: more than any card has
_QUOTA = click.IntRange(1, 1_048_576)


def _options() -> tuple[click.Parameter, ...]:
    return (*issuer_key_options(), owners_option(), *writing_options(), *secret_options(last_try=False))


def _owner_option() -> click.Parameter:
    return option("--owner", metavar="OWNER", required=True, help="slot_owner")


@dataclass(frozen=True, slots=True)
class _Options:
    """The values of :func:`_options`."""

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


class _Office:
    """The card issuer's office at one card."""

    def __init__(self, session: Session, options: _Options) -> None:
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

    def rows(self, owner: Owner, *more: tuple[str, str]) -> list[tuple[str, str]]:
        """What is said before."""
        text, session = self.session.console.text, self.session
        where = "file" if session.settings.simulator is not None else "reader"
        keys = "slots.what.trial" if self.options.trial_keys else "slots.what.issuer"
        return [
            (text("slots.what.owner"), owner_words(owner, self.owners, session.lang)),
            *more,
            (text("slots.what.keys"), text(keys)),
            (text("slots.what.card_number"), masked_card(card_number(session.card()))),
            (text(f"slots.what.{where}"), session.card().description),
        ]

    def agreed(self, done: str, owner: Owner, rows: Sequence[tuple[str, str]], **value: Any) -> bool:
        """Whether it is to be done: not in a dry run, which is answered here."""
        if self.options.dry_run:
            answer_planned(self.session, done, rows, {"owner": str(owner), **value})
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


def _bytes(session: Session, quota: int | None) -> list[tuple[str, str]]:
    if quota is None:
        return []
    return [(session.console.text("slots.what.quota"), session.console.text("slots.what.bytes", count=quota))]


@command(
    "slot-owner.create",
    owner_key_option(help="slot_keys_create"),
    option("--quota", metavar="BYTES", type=_QUOTA, help="slot_quota_default"),
    *_options(),
    plan=lambda given: of_issuer(given, "create"),
)
def create(session: Session, keys: str, quota: int | None, **given: Any) -> None:
    """A domain with the owner's keys in it."""
    options = _Options(**given)
    options.check()
    office = _Office(session, options)
    owner_keys = open_owner_keys(session, keys, options.secrets)
    owner = owner_keys.owner
    rows = office.rows(owner, *_bytes(session, quota))
    if office.agreed("owner_create", owner, rows, quota=quota):
        before = office.issuer.area().domain_of(owner)
        made = office.issuer.create_owner(owner_keys, quota)
        office.answer("owner_create", owner, made, written=made != before)


@command("slot-owner.delete", _owner_option(), *_options(), plan=lambda given: of_issuer(given, "delete"))
def delete(session: Session, owner: str, **given: Any) -> None:
    """A domain and every slot under it."""
    from kojin_card.spec.owner import Owner

    options = _Options(**given)
    options.check()
    whose = Owner.parse(owner)
    office = _Office(session, options)
    if options.dry_run:
        office.agreed("owner_delete", whose, office.rows(whose))
        return
    domain = office.issuer.area().domain_of(whose)
    slots = () if domain is None else domain.slots
    listed = ", ".join(shown_aid(one.aid) for one in slots)
    more = [(session.console.text("slots.what.slots"), listed)] if listed else []
    if domain is None:
        raise UsageError("the card has no domain of that owner", operation="slot-owner delete")
    if office.agreed("owner_delete", whose, office.rows(whose, *more)):
        gone = office.issuer.delete_owner(whose, slots=True)
        office.answer("owner_delete", whose, None, written=gone)


@command(
    "slot-owner.quota",
    _owner_option(),
    option("--quota", metavar="BYTES", type=_QUOTA, required=True, help="slot_quota"),
    *_options(),
    plan=lambda given: of_issuer(given, "quota"),
)
def quota(session: Session, owner: str, quota: int, **given: Any) -> None:
    """How much room an owner has."""
    from kojin_card.spec.owner import Owner

    options = _Options(**given)
    options.check()
    whose = Owner.parse(owner)
    office = _Office(session, options)
    rows = office.rows(whose, *_bytes(session, quota))
    if office.agreed("owner_quota", whose, rows, quota=quota):
        office.answer("owner_quota", whose, office.issuer.set_quota(whose, quota))
