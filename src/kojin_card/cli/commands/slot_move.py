"""``slot move`` (引越継続): the old owner hands over, the new one takes over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.commands.slot_issue import (
    all_values,
    answer_issued,
    check_kind,
    check_texts,
    issue_options,
    issue_rows,
)
from kojin_card.cli.counter.desk import Desk, DeskOptions, desk_options
from kojin_card.cli.counter.keys import FILE, service_called
from kojin_card.cli.counter.pins import new_slot_pin
from kojin_card.cli.counter.plans import of_move
from kojin_card.cli.counter.view import owner_words
from kojin_card.cli.files import MAX_SMALL_BYTES, read_input, refuse_same
from kojin_card.cli.framework import command, option
from kojin_card.cli.wording import day
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from kojin_card.cli.session import Session

_OPERATION = "slot move"


@command(
    "slot.move",
    option("--to", metavar="OWNER", help="slot_to"),
    option("-o", "--output", metavar="FILE", type=FILE, help="slot_hand_over"),
    option("--days", type=click.IntRange(1, 90), default=14, help="slot_hand_over_days", show_default=True),
    option("--take-over", metavar="FILE", type=FILE, help="slot_take_over"),
    option("--ledger", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="slot_ledger"),
    *issue_options(),
    *desk_options(),
    plan=lambda given: of_move(given),
)
def move(
    session: Session,
    to: str | None,
    output: str | None,
    days: int,
    take_over: str | None,
    **given: Any,
) -> None:
    """One half of a move: ``--to`` and ``-o`` at the old owner's desk, ``--take-over`` at the new one's."""
    if (to is None) == (take_over is None):
        raise UsageError("name one: --to OWNER (the old owner) or --take-over FILE (the new one)", operation=_OPERATION)
    if take_over is None:
        if to is None or output is None:
            raise UsageError("--to goes with -o FILE, the hand-over file", operation=_OPERATION)
        if given["field"] or given["fields"] or given["from_card"]:
            raise UsageError("values belong to --take-over", operation=_OPERATION)
        _hand_over(session, to, output, days, given)
    else:
        if output is not None:
            raise UsageError("-o belongs to --to", operation=_OPERATION)
        _take_over(session, take_over, given)


def _hand_over(session: Session, to: str, output: str, days: int, given: dict[str, Any]) -> None:
    from kojin_card.spec.owner import Owner

    options = DeskOptions.taken_from(given)
    options.check(session)
    new = Owner.parse(to)
    session.check_output(output, force=options.force)
    refuse_same(output, options.keys, options.owners, options.secrets, operation=_OPERATION)
    desk = Desk(session, options)
    text, lang = session.console.text, session.lang
    target = (text("slots.what.to"), owner_words(new, desk.owners, lang))
    if options.dry_run:
        rows, about = desk.seen_slot()
        desk.planned("move", desk.rows(*rows, target), {**about, "to": str(new)})
        return
    aid = desk.own_slot()
    before = desk.issuer.show(aid)
    desk.agree("move", desk.rows(*desk.slot_rows(before), target))

    def keep(data: bytes) -> None:
        session.write(output, data, force=options.force, private=True)

    made = desk.issuer.hand_over(aid, new, keep, days=days)
    notes = {"hand_over": output, "last_day": day(made.last_day, lang), "to": str(made.new)}
    receipt = desk.receipt(
        "move",
        desk.service_of(before),
        aid=made.aid,
        counter=made.counter,
        state="terminated",
        legal_basis=before.legal_basis or "",
        notes=notes,
    )
    desk.answer(receipt, written=True)


def _take_over(session: Session, take_over: str, given: dict[str, Any]) -> None:
    from kojin_card.slots import HandOver

    field, fields, from_card = given.pop("field"), given.pop("fields"), given.pop("from_card")
    legal_basis, name = given.pop("legal_basis"), given.pop("name")
    options = DeskOptions.taken_from(given)
    if legal_basis is None or not legal_basis.strip():
        raise UsageError("name the ordinance or law, and its article: --legal-basis", operation=_OPERATION)
    options.check(session, fields, take_over)
    data = read_input(take_over, MAX_SMALL_BYTES)
    hand_over = HandOver.decode(data)
    desk = Desk(session, options)
    service = service_called(desk.services, hand_over.service)
    check_kind(service, desk)
    check_texts(service, desk, legal_basis, name)
    values = all_values(session, desk, service, field, fields, from_card=from_card)
    pin = None if not service.pin or options.dry_run else new_slot_pin(session, options.secrets, "slot-pin")
    text = session.console.text
    source = (text("slots.what.from"), owner_words(hand_over.old, desk.owners, session.lang))
    rows = desk.rows(source, *issue_rows(desk, service, values, legal_basis, name))
    if options.dry_run:
        shown = {one.name: one.text for one in desk.written(service, values)}
        desk.planned("take_over", rows, {"service": service.id, "from": str(hand_over.old), "values": shown})
        return
    desk.agree("take_over", rows)
    done = desk.issuer.take_over(data, values, legal_basis=legal_basis, name=name, pin=pin)
    answer_issued(desk, "take_over", service, done, values)
