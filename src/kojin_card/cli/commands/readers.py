"""``readers``: which there are. ``watch``: what comes and goes. Neither sends anything to a card."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from kojin_card.cli.framework import command, option
from kojin_card.cli.render import Heading, Line, Role, Table
from kojin_card.cli.wording import moment, utc
from kojin_card.errors import NoReader

if TYPE_CHECKING:
    from kojin_card.cli.session import Session
    from kojin_card.transport.winscard import ReaderState


def state_of(reader: ReaderState) -> str:
    """``empty``, ``mute`` or ``card``."""
    if not reader.present:
        return "empty"
    return "mute" if reader.mute else "card"


def used_by_others(reader: ReaderState) -> str:
    """``no``, ``shared`` or ``exclusive``."""
    if reader.exclusive:
        return "exclusive"
    return "shared" if reader.in_use else "no"


@command("readers")
def readers(session: Session) -> None:
    """Names, cards, and who is connected."""
    from kojin_card.transport.pcsc import Service

    with Service() as service:
        found = service.readers()
    if not found:
        raise NoReader(operation="list the readers")
    text = session.console.text
    value = {
        "readers": [
            {
                "name": one.name,
                "state": state_of(one),
                "used": used_by_others(one),
                "atr": one.atr.hex().upper() or None,
            }
            for one in found
        ]
    }
    header = [text(f"say.readers.{name}") for name in ("reader", "card", "shared")]
    rows = [
        (one.name, text(f"say.readers.state_{state_of(one)}"), text(f"say.readers.used_{used_by_others(one)}"))
        for one in found
    ]
    roles = [Role.BAD if state_of(one) == "mute" else Role.PLAIN for one in found]
    session.answer("readers", value, [Heading(text("say.readers.title")), Table(header, rows, roles)])


@command(
    "watch",
    option("--seconds", metavar="N", type=click.IntRange(0, 86_400), help="watch_seconds"),
    option("--count", metavar="N", type=click.IntRange(1, 10_000), help="watch_count"),
)
def watch(session: Session, seconds: int | None, count: int | None) -> None:
    """Events until the time is over, the count reached, or a signal comes."""
    from kojin_card.transport.finding import watch as events

    session.settings.series = True
    wanted = (session.settings.reader or "").casefold()  # one that is not there now may be plugged in later
    for event in islice((one for one in events(seconds=seconds) if wanted in one.reader.casefold()), count):
        now = session.now()
        if session.settings.json:
            value = {
                "event": str(event.change),
                "reader": event.reader,
                "atr": event.atr.hex().upper() or None,
                "at": utc(now),
            }
            session.console.event("watch", value)
        else:
            words = session.console.text(f"say.watch.{event.change}", reader=event.reader)
            session.console.show([Line(f"{moment(now, session.lang)} {words}")])
