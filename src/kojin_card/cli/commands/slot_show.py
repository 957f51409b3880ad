"""``slot show``: a slot read by its holder or by a terminal, and judged offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.counter.desk import aid_option, only_one
from kojin_card.cli.counter.keys import (
    FILE,
    load_all_services,
    load_owners,
    open_terminal_key,
    owners_option,
    services_option,
)
from kojin_card.cli.counter.plans import of_show
from kojin_card.cli.counter.view import owner_words, shown_aid
from kojin_card.cli.exits import exit_of_indication
from kojin_card.cli.framework import command, option, secret_options
from kojin_card.cli.render import Block, Fields, Heading, Line, Role
from kojin_card.cli.verdicts import verdict_blocks, verdict_json
from kojin_card.cli.wording import day
from kojin_card.errors import UsageError
from kojin_card.verdict import Indication

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.cli.session import Session
    from kojin_card.slots import CardStatusSource, OwnerStore, SlotReading
    from kojin_card.spec.service import Service

_OPERATION = "slot show"


@command(
    "slot.show",
    aid_option(),
    option("--service", metavar="ID", help="slot_service"),
    owners_option(),
    services_option(),
    option("--status", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="slot_status"),
    option("--terminal", metavar="CERT", type=FILE, help="slot_terminal"),
    option("--terminal-key", metavar="PEM", type=FILE, help="slot_terminal_key"),
    *secret_options(),
    plan=lambda given: of_show(given),
)
def show(
    session: Session,
    aid: bytes | None,
    service: str | None,
    owners: str | None,
    services: Path | None,
    status: Path | None,
    terminal: str | None,
    terminal_key: str | None,
    secrets: str | None,
    last_try: bool,
) -> int:
    """As the holder with the slot PIN, or as a terminal with its key (and the PIN, where a field wants both)."""
    if (terminal is None) != (terminal_key is None):
        raise UsageError("--terminal and --terminal-key go together", operation=_OPERATION)
    if terminal is None and service is not None:
        raise UsageError("--service finds a slot for a terminal: the holder names it with --aid", operation=_OPERATION)
    known, store, source = load_all_services(services), load_owners(owners), _source(status)
    reserve = 0 if last_try else 1
    reading: SlotReading
    if terminal is None or terminal_key is None:
        reading = _as_holder(session, aid, known, store, source, secrets, reserve)
    else:
        reading = _as_terminal(session, aid, service, (terminal, terminal_key), known, store, source, secrets, reserve)
    return _answer(session, reading, known, store, "holder" if terminal is None else "terminal")


def _source(status: Path | None) -> CardStatusSource | None:
    from kojin_card.slots import StaticStatus

    return None if status is None else StaticStatus.load(status)


def _as_holder(
    session: Session,
    aid: bytes | None,
    known: Mapping[str, Service],
    store: OwnerStore,
    source: CardStatusSource | None,
    secrets: str | None,
    reserve: int,
) -> SlotReading:
    from kojin_card.slots import SlotDirectory

    pin = session.secret(secrets, "slot-pin")
    directory = SlotDirectory(session.card().channel, owners=store, services=known, status=source, clock=session.now)
    found = only_one(directory.walk()) if aid is None else aid
    return directory.show(found, pin, reserve=reserve)


def _as_terminal(
    session: Session,
    aid: bytes | None,
    service: str | None,
    files: tuple[str, str],
    known: Mapping[str, Service],
    store: OwnerStore,
    source: CardStatusSource | None,
    secrets: str | None,
    reserve: int,
) -> SlotReading:
    from kojin_card.cli.secret_sources import GivenSecrets
    from kojin_card.slots import SlotTerminal

    key = open_terminal_key(session, *files, secrets)
    given = session.secrets(secrets, of_card=False) if secrets is not None else None
    pin = given.at_hand("slot-pin") if isinstance(given, GivenSecrets) and given.has("slot-pin") else None
    terminal = SlotTerminal(session.card().channel, key, store, known, status=source, clock=session.now)
    return terminal.read(aid, service=service, pin=pin, reserve=reserve)


def _answer(
    session: Session, reading: SlotReading, known: Mapping[str, Service], store: OwnerStore, read_as: str
) -> int:
    """What was read, after what is to be thought of it."""
    value: dict[str, Any] = {
        "read_as": read_as,
        "aid": shown_aid(reading.aid),
        "service": reading.service,
        "service_version": reading.service_version,
        "owner": None if reading.owner is None else str(reading.owner),
        "legal_basis": reading.legal_basis,
        "name": reading.name,
        "state": reading.state,
        "counter": reading.counter,
        "date": None if reading.date is None else reading.date.isoformat(),
        "last_day": None if reading.last_day is None else reading.last_day.isoformat(),
        "values": dict(reading.values),
        "closed": list(reading.closed),
        "verdict": verdict_json(reading.verdict, session.lang),
    }
    session.answer("slot", value, _blocks(session, reading, known.get(reading.service or ""), store, read_as))
    return exit_of_indication(reading.verdict.indication)


def _blocks(
    session: Session, reading: SlotReading, service: Service | None, store: OwnerStore, read_as: str
) -> list[Block]:
    text, lang = session.console.text, session.lang
    passed = reading.verdict.indication is Indication.TOTAL_PASSED
    named = service.name(lang) if service is not None else reading.service or text("slots.what.unknown")
    rows = [
        (text("slots.show.read_as"), text(f"slots.show.as_{read_as}")),
        (text("slots.what.aid"), shown_aid(reading.aid)),
        (text("slots.what.owner"), "" if reading.owner is None else owner_words(reading.owner, store, lang)),
        (text("slots.what.name"), reading.name or ""),
        (text("slots.what.legal_basis"), reading.legal_basis or ""),
        (text("slots.what.state"), "" if reading.state is None else text(f"slots.state.{reading.state}")),
        (text("slots.what.counter"), "" if reading.counter is None else str(reading.counter)),
        (text("slots.what.date"), day(reading.date, lang)),
        (text("slots.what.until"), day(reading.last_day, lang)),
    ]
    blocks: list[Block] = [Heading(named), Fields([row for row in rows if row[1]])]
    if service is not None and service.not_ja:
        blocks.append(Line(service.not_ja if lang == "ja" else service.not_en))
    values = _values(session, reading, service)
    if values:
        blocks += [Heading(text("slots.what.fields")), Fields(values)]
        if not passed:
            blocks.append(Line(text("slots.show.unused"), Role.BAD))
    return blocks + verdict_blocks(reading.verdict, session.console, text("slots.show.verdict"))


def _values(session: Session, reading: SlotReading, service: Service | None) -> list[tuple[str, str]]:
    text, lang = session.console.text, session.lang
    fields = {} if service is None else service.fields
    rows = [
        (fields[name].label(lang), fields[name].words(value, lang)) if name in fields else (name, value)
        for name, value in reading.values.items()
    ]
    rows += [
        (fields[name].label(lang) if name in fields else name, text("slots.show.not_readable"))
        for name in reading.closed
    ]
    return rows
