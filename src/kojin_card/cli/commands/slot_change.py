"""``slot update|suspend|resume|delete|unblock``: what an owner does to a slot that is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kojin_card.cli.counter.desk import Desk, DeskOptions, desk_options
from kojin_card.cli.counter.keys import service_called
from kojin_card.cli.counter.pins import new_slot_pin
from kojin_card.cli.counter.plans import of_desk
from kojin_card.cli.counter.values import check_values, given_values, personal_on_the_line, value_options
from kojin_card.cli.counter.view import shown_aid
from kojin_card.cli.framework import command
from kojin_card.errors import InputError, UsageError

if TYPE_CHECKING:
    from kojin_card.cli.session import Session
    from kojin_card.slots import Changed, SlotIssuer, SlotReading
    from kojin_card.spec.service import Service


@command(
    "slot.update",
    *value_options(from_card=False),
    *desk_options(),
    plan=lambda given: of_desk(given, "update"),
)
def update(session: Session, field: tuple[str, ...], fields: str | None, **given: Any) -> None:
    """New values for the fields that are named, none (``NAME=``) to take an optional one out; the others stay."""
    options = DeskOptions.taken_from(given)
    options.check(session, fields)
    if not field and fields is None:
        raise UsageError("name the new values: --field NAME=VALUE or --fields FILE", operation="slot update")
    desk = Desk(session, options)
    values: dict[str, str] | None = None
    if options.service is not None:  # what is wrong with the values is told before the card is asked for anything
        values = _checked(service_called(desk.services, options.service), field, fields)
    if options.dry_run:
        _dry(desk, "update")
        return
    aid = desk.own_slot()
    before = desk.issuer.show(aid)
    known = _known(desk, before, options.service)
    if values is None:
        values = _checked(known, field, fields)
    if personal_on_the_line(known, field):
        session.say("slots.personal_on_line")
    text, lang = session.console.text, session.lang
    named = text("explain.comma").join(known.fields[name].label(lang) for name in values)
    desk.agree("update", desk.rows(*desk.slot_rows(before), (text("slots.what.fields"), named)))
    _answer(
        desk, "update", before, desk.issuer.update(aid, values), {name: text for name, text in values.items() if text}
    )


def _checked(service: Service, field: tuple[str, ...], fields: str | None) -> dict[str, str]:
    values = given_values(service, field, fields, empty=True)
    check_values(service, values)
    return values


def _known(desk: Desk, reading: SlotReading, wanted: str | None) -> Service:
    """The service of the slot, which must be known to write values into it.

    Raises:
        InputError: it is not. UsageError: it is another than was named.
    """
    known = desk.service_of(reading)
    if known is None:
        raise InputError(
            "the slot's service is not known here: name its folder with --services", operation="slot update"
        )
    if wanted is not None and wanted != known.id:
        raise UsageError("the slot is of another service than --service says", operation="slot update")
    return known


def _dry(desk: Desk, done: str) -> None:
    """Say what would be done to the slot that is meant; no secure channel is opened for it."""
    rows, about = desk.seen_slot()
    desk.planned(done, desk.rows(*rows), about)


def _begun(session: Session, done: str, given: dict[str, Any]) -> Desk | None:
    """The desk of a command that takes nothing but the desk's options; None: a dry run, which was answered here."""
    options = DeskOptions.taken_from(given)
    options.check(session)
    desk = Desk(session, options)
    if options.dry_run:
        _dry(desk, done)
        return None
    return desk


def _answer(desk: Desk, done: str, before: SlotReading, changed: Changed, values: dict[str, str] | None = None) -> None:
    receipt = desk.receipt(
        done,
        desk.service_of(before),
        aid=changed.aid,
        counter=changed.counter,
        state=changed.state,
        legal_basis=before.legal_basis or "",
        values=values,
    )
    desk.answer(receipt, written=changed.written)


def _change(session: Session, done: str, act: Callable[[SlotIssuer, bytes], Changed], given: dict[str, Any]) -> None:
    """Suspend or resume."""
    desk = _begun(session, done, given)
    if desk is None:
        return
    aid = desk.own_slot()
    before = desk.issuer.show(aid)
    desk.agree(done, desk.rows(*desk.slot_rows(before)))
    _answer(desk, done, before, act(desk.issuer, aid))


@command("slot.suspend", *desk_options(), plan=lambda given: of_desk(given, "suspend"))
def suspend(session: Session, **given: Any) -> None:
    """For a lost card or unpaid fees; the slot can be resumed."""
    _change(session, "suspend", lambda issuer, aid: issuer.suspend(aid), given)


@command("slot.resume", *desk_options(), plan=lambda given: of_desk(given, "resume"))
def resume(session: Session, **given: Any) -> None:
    """The opposite of ``slot suspend``."""
    _change(session, "resume", lambda issuer, aid: issuer.resume(aid), given)


@command("slot.delete", *desk_options(), plan=lambda given: of_desk(given, "delete"))
def delete(session: Session, **given: Any) -> None:
    """Remove a slot; what was in it is gone."""
    desk = _begun(session, "delete", given)
    if desk is None:
        return
    aid = desk.own_slot()
    state = next((one.state for one in desk.issuer.slots() if one.aid == aid), None)
    before = None if state in (None, "installed") else desk.issuer.show(aid)
    about = [(session.console.text("slots.what.aid"), shown_aid(aid))] if before is None else desk.slot_rows(before)
    desk.agree("delete", desk.rows(*about))
    gone = desk.issuer.delete(aid)
    receipt = desk.receipt(
        "delete",
        None if before is None else desk.service_of(before),
        aid=aid,
        counter=0 if before is None else before.counter or 0,
        state="deleted",
        legal_basis="" if before is None else before.legal_basis or "",
    )
    desk.answer(receipt, written=gone)


@command("slot.unblock", *desk_options(), plan=lambda given: of_desk(given, "unblock"))
def unblock(session: Session, **given: Any) -> None:
    """A new slot PIN with all its tries."""
    desk = _begun(session, "unblock", given)
    if desk is None:
        return
    aid = desk.own_slot()
    before = desk.issuer.show(aid)
    pin = new_slot_pin(session, desk.options.secrets, "new-slot-pin")
    desk.agree("unblock", desk.rows(*desk.slot_rows(before)))
    desk.issuer.unblock(aid, pin)
    receipt = desk.receipt(
        "unblock",
        desk.service_of(before),
        aid=aid,
        counter=before.counter or 0,
        state=before.state or "unknown",
        legal_basis=before.legal_basis or "",
    )
    desk.answer(receipt, written=True)
