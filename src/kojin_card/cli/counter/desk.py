"""An owner's desk at one card: its keys, the slot that is meant, what is said before and after it is written to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.counter.confirming import check_confirmable, confirm, dry_run, writing_options
from kojin_card.cli.counter.keys import (
    load_all_services,
    load_owners,
    open_owner_keys,
    owner_key_option,
    owners_option,
    service_called,
    services_option,
)
from kojin_card.cli.counter.receipt import Receipt, Written, check_form, masked, masked_card, receipt_bytes
from kojin_card.cli.counter.view import owner_name, owner_words, shown_aid
from kojin_card.cli.framework import option, secret_options
from kojin_card.cli.render import Fields, Heading, Line, Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kojin_card.card import Card
    from kojin_card.cli.render import Block
    from kojin_card.cli.session import Session
    from kojin_card.slots import OwnerKeys, OwnerStore, SlotIssuer, SlotReading
    from kojin_card.spec.owner import Owner
    from kojin_card.spec.service import Service

_OPERATION = "find the slot"
#: states of a slot that something is in and that has not ended
LIVING = frozenset({"personalized", "active", "suspended"})


def desk_options(*, aid: bool = True, receipt: bool = True, batch: bool = False) -> tuple[click.Parameter, ...]:
    """What every command of an owner's desk takes."""
    return (
        owner_key_option(),
        *((aid_option(), option("--service", metavar="ID", help="slot_service_own")) if aid else ()),
        services_option(),
        owners_option(),
        *writing_options(),
        *(receipt_options(batch=batch) if receipt else ()),
        *secret_options(last_try=False),
    )


def aid_option() -> click.Parameter:
    """``--aid``."""
    return option("--aid", metavar="HEX", callback=_aid, help="slot_aid")


def receipt_options(*, batch: bool = False) -> tuple[click.Parameter, ...]:
    """``--receipt``, ``--reveal`` and ``--force``."""
    return (
        option("--receipt", metavar="FILE", help="slot_receipt_batch" if batch else "slot_receipt"),
        option("--reveal", is_flag=True, help="slot_reveal"),
        option("--force", is_flag=True, help="force"),
    )


def _aid(ctx: click.Context, param: click.Parameter, value: str | None) -> bytes | None:
    if value is None or ctx.resilient_parsing:
        return None
    try:
        found = bytes.fromhex(value)
    except ValueError:
        found = b""
    if not 5 <= len(found) <= 16:
        raise click.BadParameter("", ctx, param)
    return found


@dataclass(frozen=True, slots=True)
class DeskOptions:
    """The values of :func:`desk_options`."""

    keys: str
    services: Path | None
    owners: str | None
    dry_run: bool
    yes: bool
    secrets: str | None
    aid: bytes | None = None
    service: str | None = None
    ledger: Path | None = None
    receipt: str | None = None
    reveal: bool = False
    force: bool = False

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> DeskOptions:
        """Take them out of a command's options."""
        return cls(**{name: given.pop(name) for name in cls.__dataclass_fields__ if name in given})

    def check(self, session: Session, *others: str | None) -> None:
        """Refuse, before a key file is opened, what would be refused later.

        Args:
            others: further names that may be ``-``.

        Raises:
            UsageError: nobody to agree, two things from standard input, a receipt of another form.
            OutputExists, OutputFailed: the receipt cannot be written.
        """
        session.one_stdin(self.secrets, *others)
        check_confirmable(yes=self.yes, dry_run=self.dry_run)
        if self.receipt is not None:
            check_form(self.receipt)
            session.check_output(self.receipt, force=self.force)


class Desk:
    """The desk of an owner. The card is opened when it is first needed.

    Args:
        options: of the command; key file, services and owners are opened at once.
    """

    def __init__(self, session: Session, options: DeskOptions) -> None:
        self.session = session
        self.options = options
        self.services = load_all_services(options.services)
        self.owners = load_owners(options.owners)
        self.keys = open_owner_keys(session, options.keys, options.secrets)
        self._number: str | None = None
        self._issuer: SlotIssuer | None = None

    @property
    def owner(self) -> Owner:
        """Whose desk it is."""
        return self.keys.owner

    @property
    def issuer(self) -> SlotIssuer:
        """The desk's program, at the card of this run."""
        if self._issuer is None:
            self._issuer = issuer_of(
                self.session, self.session.card(), self.keys, self.services, self.owners, self.options.ledger
            )
        return self._issuer

    @property
    def card_number(self) -> str:
        """The card identification number of the card of this run."""
        if self._number is None:
            self._number = card_number(self.session.card())
        return self._number

    # --- which slot

    def own_slot(self) -> bytes:
        """The slot that is meant: named, or the owner's only one (of ``--service``, one that has not ended).

        Raises:
            NoSlot, AmbiguousSlot: none is named and there is not exactly one.
        """
        if self.options.aid is not None:
            return _of_slot(self.options.aid)
        slots = self.issuer.slots()
        if self.options.service is not None:
            living = (one.aid for one in slots if one.state in LIVING and not one.locked)
            return only_one([aid for aid in living if self.issuer.show(aid).service == self.options.service])
        return only_one([one.aid for one in slots])

    def seen_slot(self) -> tuple[list[tuple[str, str]], dict[str, Any]]:
        """The same for a dry run, which opens no secure channel and so is told no service: what to say of the slot.

        Raises:
            NoSlot, AmbiguousSlot: none is named, no service either, and there is not exactly one on the card.
        """
        from kojin_card.slots import SlotDirectory

        text, service, aid = self.session.console.text, self.options.service, self.options.aid
        if aid is None and service is None:
            aid = only_one(SlotDirectory(self.session.card().channel).walk())
        if aid is not None:
            return [(text("slots.what.aid"), shown_aid(_of_slot(aid)))], {"aid": shown_aid(aid)}
        named = service_called(self.services, service or "")
        return [(text("slots.what.service"), named.name(self.session.lang))], {"service": named.id}

    def service_of(self, reading: SlotReading) -> Service | None:
        """The service of a slot, where this program knows it."""
        return None if reading.service is None else self.services.get(reading.service)

    # --- saying it

    def rows(self, *more: tuple[str, str]) -> list[tuple[str, str]]:
        """Who does it to which card: what is said before anything is written."""
        text, session = self.session.console.text, self.session
        where = "file" if session.settings.simulator is not None else "reader"
        rows = [
            (text("slots.what.owner"), owner_words(self.owner, self.owners, session.lang)),
            *more,
            (text("slots.what.card_number"), masked_card(self.card_number)),
            (text(f"slots.what.{where}"), session.card().description),
        ]
        return [row for row in rows if row[1]]

    def slot_rows(self, reading: SlotReading) -> list[tuple[str, str]]:
        """What a slot is, as far as its owner was told."""
        text, lang = self.session.console.text, self.session.lang
        service = self.service_of(reading)
        name = (service.name(lang) if service is not None else "") or reading.service or text("slots.what.unknown")
        return [
            (text("slots.what.service"), name),
            (text("slots.what.name"), reading.name or ""),
            (text("slots.what.aid"), shown_aid(reading.aid)),
            (text("slots.what.state"), text(f"slots.state.{reading.state or 'unknown'}")),
        ]

    def agree(self, done: str, rows: Sequence[tuple[str, str]]) -> None:
        """Ask for agreement; see :func:`~kojin_card.cli.counter.confirming.confirm`."""
        text = self.session.console.text
        confirm(self.session, text("slots.confirm.title", done=text(f"slots.done.{done}")), rows, yes=self.options.yes)

    def planned(self, done: str, rows: Sequence[tuple[str, str]], value: Mapping[str, Any]) -> None:
        """The answer of a dry run."""
        answer_planned(self.session, done, rows, {"owner": str(self.owner), **value})

    # --- afterwards

    def answer(self, receipt: Receipt, *, written: bool, kind: str = "slot-done") -> None:
        """Write the receipt where one is wanted, and say what was done."""
        console, options = self.session.console, self.options
        if options.receipt is not None:
            data = receipt_bytes(receipt, options.receipt, console)
            self.session.write(options.receipt, data, force=options.force, private=True)
        text = console.text
        blocks: list[Block] = [
            Heading(text(f"slots.done.{receipt.done}")),
            Fields(receipt.rows(console)),
        ]
        if receipt.fields:
            blocks += [Heading(text("slots.receipt.fields")), Fields(receipt.field_rows(console))]
        if not written:
            blocks.append(Line(text("slots.already"), Role.UNSURE))
        if options.receipt is not None:
            blocks.append(Line(text("slots.receipt.written", file=options.receipt), Role.GOOD))
        value = {"receipt": receipt.as_json(), "written": written, "file": options.receipt}
        self.session.answer(kind, value, blocks)

    def written(self, service: Service | None, values: Mapping[str, str]) -> list[Written]:
        """Values as they may be shown: personal ones masked unless they are wanted."""
        reveal, out = self.options.reveal, []
        for name, one in service.fields.items() if service is not None else ():
            if name in values:
                hidden = one.privacy != "public" and not reveal
                shown = (
                    masked(values[name], whole=bool(one.values))
                    if hidden
                    else one.words(values[name], self.session.lang)
                )
                out.append(Written(name, one.label_ja, one.label_en, shown, hidden))
        return out

    def receipt(
        self,
        done: str,
        service: Service | None,
        *,
        aid: bytes,
        counter: int,
        state: str,
        legal_basis: str = "",
        values: Mapping[str, str] | None = None,
        notes: Mapping[str, str] | None = None,
        card: str | None = None,
    ) -> Receipt:
        """The receipt of what was done at this desk."""
        return Receipt(
            done=done,
            service="" if service is None else service.id,
            version=0 if service is None else service.version,
            name_ja="" if service is None else service.name_ja,
            name_en="" if service is None else service.name_en,
            owner=str(self.owner),
            owner_name=owner_name(self.owner, self.owners, self.session.lang),
            aid=shown_aid(aid),
            card=masked_card(self.card_number if card is None else card),
            counter=counter,
            state=state,
            legal_basis=legal_basis,
            made=self.session.now(),
            fields=self.written(service, values or {}),
            notes=notes or {},
        )


def answer_planned(session: Session, done: str, rows: Sequence[tuple[str, str]], value: Mapping[str, Any]) -> None:
    """The answer of a dry run."""
    text = session.console.text
    blocks = dry_run(session, text("slots.dry_run.title", done=text(f"slots.done.{done}")), rows)
    told = {"done": done, **value, "about": [{"label": label, "text": words} for label, words in rows]}
    session.answer("slot-planned", told, blocks)


def _of_slot(aid: bytes) -> bytes:
    """An AID that a slot can have.

    Raises:
        NoSlot: it is a domain's, or an application's.
    """
    from kojin_card.errors import NoSlot
    from kojin_card.iso7816.status import SW
    from kojin_card.spec.free_area import globalplatform_spec

    if not aid.startswith(globalplatform_spec().aids["slot_prefix"].aid):
        raise NoSlot("not the AID of a slot", operation=_OPERATION, sw=SW.FILE_NOT_FOUND)
    return aid


def only_one(aids: Sequence[bytes]) -> bytes:
    """The only slot.

    Raises:
        NoSlot: there is none. AmbiguousSlot: there are several; they are named.
    """
    from kojin_card.slots import directory

    return directory.only_one(tuple(aids), _OPERATION)


def issuer_of(
    session: Session,
    card: Card,
    keys: OwnerKeys,
    services: Mapping[str, Service],
    owners: OwnerStore,
    ledger: Path | None = None,
) -> SlotIssuer:
    """The program of an owner's desk at a card."""
    from kojin_card.cli import places
    from kojin_card.slots import FileLedger, SlotIssuer

    kept = FileLedger(places.hand_over_ledger() if ledger is None else ledger)
    return SlotIssuer(card.channel, keys, services, owners=owners, clock=session.now, ledger=kept)


def card_number(card: Card) -> str:
    """The card identification number, which anybody may read.

    Raises:
        NotOnCard: a card without one (a smartphone).
    """
    channel = card.channel
    with channel.transaction():
        channel.select("card_manager")
        return channel.get_data("card_manager", "card_identification").decode("ascii", "replace")
