"""``slot issue``: a service on one card; with ``--batch`` on many (:mod:`~kojin_card.cli.counter.batch`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card import messages
from kojin_card.cli.counter.desk import LIVING, Desk, DeskOptions, desk_options
from kojin_card.cli.counter.from_card import values_from_card
from kojin_card.cli.counter.keys import load_all_services, service_called
from kojin_card.cli.counter.pins import new_slot_pin
from kojin_card.cli.counter.plans import of_issue
from kojin_card.cli.counter.table import ENCODINGS
from kojin_card.cli.counter.values import (
    ask_for,
    check_values,
    given_values,
    missing,
    personal_on_the_line,
    value_options,
)
from kojin_card.cli.counter.view import shown_aid
from kojin_card.cli.framework import KojinCommand, argument, command, option, settings_of
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from kojin_card.cli.session import Session
    from kojin_card.slots import Issued
    from kojin_card.spec.service import Service

_OPERATION = "slot issue"


class Issue(KojinCommand):
    """Its help lists the services with what each is, and what it is not."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        lang = settings_of(ctx).lang
        rows = []
        for one in load_all_services(None).values():
            about = one.summary_ja if lang == "ja" else one.summary_en
            warning = one.not_ja if lang == "ja" else one.not_en
            fields = ", ".join(one.fields)
            rows.append((one.id, f"{one.name(lang)}: {about} {warning} [{fields}]".replace("  ", " ")))
        with formatter.section(messages.text("help.title.services", lang)):
            formatter.write_dl(rows)


def issue_options() -> tuple[click.Parameter, ...]:
    """What an issuance needs beside the desk's options."""
    return (
        *value_options(),
        option("--legal-basis", metavar="TEXT", help="slot_legal_basis"),
        option("--name", metavar="TEXT", help="slot_name"),
    )


@command(
    "slot.issue",
    argument("service", metavar="SERVICE"),
    *issue_options(),
    option("--another", is_flag=True, help="slot_another"),
    option("--batch", metavar="FILE.csv", type=click.Path(path_type=Path, dir_okay=False), help="slot_batch"),
    option("--encoding", type=click.Choice(ENCODINGS), default="utf-8", help="slot_encoding", show_default=True),
    *desk_options(aid=False, batch=True),
    plan=lambda given: of_issue(given),
    kind=Issue,
)
def issue(
    session: Session,
    service: str,
    field: tuple[str, ...],
    fields: str | None,
    from_card: bool,
    legal_basis: str | None,
    name: str | None,
    another: bool,
    batch: Path | None,
    encoding: str,
    **given: Any,
) -> int | None:
    """Values, agreement, then the slot; nothing is sent to the card before the values are right."""
    options = DeskOptions.taken_from(given)
    if legal_basis is None or not legal_basis.strip():
        raise UsageError("name the ordinance or law, and its article: --legal-basis", operation=_OPERATION)
    if batch is not None:
        from kojin_card.cli.counter.batch import BatchOptions, issue_batch

        if from_card:
            raise UsageError("--from-card asks each holder: not with --batch", operation=_OPERATION)
        wanted = BatchOptions(batch, encoding, service, field, fields, legal_basis, name, another)
        return issue_batch(session, options, wanted)
    options.check(session, fields)
    desk = Desk(session, options)
    known = service_called(desk.services, service)
    check_kind(known, desk)
    check_texts(known, desk, legal_basis, name)
    values = all_values(session, desk, known, field, fields, from_card=from_card)
    pin = None if not known.pin or options.dry_run else new_slot_pin(session, options.secrets, "slot-pin")
    rows = desk.rows(*issue_rows(desk, known, values, legal_basis, name))
    if options.dry_run:
        shown = {one.name: one.text for one in desk.written(known, values)}
        desk.planned("issue", rows, {"service": known.id, "legal_basis": legal_basis, "values": shown})
        return None
    _refuse_second(desk, known, another=another)
    desk.agree("issue", rows)
    done = desk.issuer.issue(known.id, values, legal_basis=legal_basis, name=name, pin=pin)
    answer_issued(desk, "issue", known, done, values)
    return None


def check_kind(service: Service, desk: Desk) -> None:
    """Refuse a service that this kind of owner must not have, before anything is asked for.

    Raises:
        UsageError: it must not.
    """
    if desk.owner.kind not in service.owners:
        words = f"the service {service.id} is not for this kind of owner"
        raise UsageError(words, operation=_OPERATION)


def check_texts(service: Service, desk: Desk, legal_basis: str, name: str | None) -> None:
    """Refuse a legal basis or a name that no slot takes, before anything is asked for.

    Raises:
        FieldError: one cannot be used, or both are too long together.
    """
    from kojin_card.slots.desk import check_description

    check_description(service, desk.owner, legal_basis, name)


def all_values(
    session: Session, desk: Desk, service: Service, field: tuple[str, ...], fields: str | None, *, from_card: bool
) -> dict[str, str]:
    """The values of a new slot, every one of them checked: given, of the card, asked for.

    Raises:
        FieldError, InputError, UsageError, Cancelled: see :mod:`~kojin_card.cli.counter.values`.
    """
    values = given_values(service, field, fields)
    if personal_on_the_line(service, field):
        session.say("slots.personal_on_line")
    check_values(service, values)
    if from_card:
        values = {**values_from_card(session, desk, service, values), **values}
    values |= ask_for(session, service, missing(service, values, supplied=[service.issued.id]))
    check_values(service, values)
    return values


def issue_rows(
    desk: Desk, service: Service, values: dict[str, str], legal_basis: str, name: str | None
) -> list[tuple[str, str]]:
    """What is about to be issued, for people."""
    text, lang = desk.session.console.text, desk.session.lang
    warning = service.not_ja if lang == "ja" else service.not_en
    return [
        (text("slots.what.service"), f"{service.name(lang)} ({service.id} {service.version})"),
        (text("slots.what.not"), warning),
        (text("slots.what.legal_basis"), legal_basis),
        (text("slots.what.name"), name or ""),
        *((one.label_ja if lang == "ja" else one.label_en, one.text) for one in desk.written(service, values)),
    ]


def _refuse_second(desk: Desk, service: Service, *, another: bool) -> None:
    """A card that has the service already gets it twice only when that is said.

    Raises:
        UsageError: it has it, and it was not said.
    """
    if not another and (there := second_of(desk.issuer, service)) is not None:
        words = f"the card has a slot of this service already: {shown_aid(there)} (one more: --another)"
        raise UsageError(words, operation=_OPERATION)


def second_of(issuer: Any, service: Service) -> bytes | None:
    """The AID of a slot of that service that the owner has on the card already and that has not ended.

    Raises:
        UsageError: a slot is locked, and nobody can look whether it is the one: a new one would undo the lock.
    """
    for one in issuer.slots():
        if one.state not in LIVING:
            continue
        if one.locked:
            words = f"a slot of this owner is locked, and may be of this service: {shown_aid(one.aid)}"
            raise UsageError(f"{words} (one more: --another)", operation=_OPERATION)
        if issuer.show(one.aid).service == service.id:
            aid: bytes = one.aid
            return aid
    return None


def answer_issued(desk: Desk, done: str, service: Service, issued: Issued, values: dict[str, str]) -> None:
    """The receipt of an issuance, as a file and as the answer."""
    shown = {service.issued.id: issued.date.isoformat(), **issued.values, **values}
    notes = {} if issued.former_owner is None else {"former_owner": str(issued.former_owner)}
    receipt = desk.receipt(
        done,
        service,
        aid=issued.aid,
        counter=issued.counter,
        state="active",
        legal_basis=issued.legal_basis,
        values=shown,
        notes=notes,
    )
    desk.answer(receipt, written=issued.written)
