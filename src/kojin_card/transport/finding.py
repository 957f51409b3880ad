"""Which card is meant: found by what it answers, never by its ATR (card.md §5); waiting for one; watching readers."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kojin_card.errors import (
    AmbiguousCard,
    CardBusy,
    NoCard,
    NoReader,
    TransportError,
    WrongCard,
)
from kojin_card.iso7816.apdu import CommandApdu
from kojin_card.iso7816.status import SW
from kojin_card.spec import load_card_spec
from kojin_card.transport.pcsc import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kojin_card.errors import KojinError
    from kojin_card.spec import CardSpec
    from kojin_card.transport.base import CancelFlag
    from kojin_card.transport.pcsc import PcscConnection
    from kojin_card.transport.winscard import ReaderState

_OPERATION = "find a card"
#: an Individual Number Card answers to one of these; a smartphone to the first only (card.md §8)
_APPLICATIONS = ("jpki", "common")
#: the longest that is waited before the readers are listed anew, in seconds: some systems do not tell of new ones
_LOOK_EVERY = 2.0


def open_card(
    reader: str | None = None,
    *,
    spec: CardSpec | None = None,
    wait: float = 0.0,
    cancel: CancelFlag | None = None,
    waiting: Callable[[], None] | None = None,
) -> PcscConnection:
    """The one card that answers.

    Args:
        reader: its reader's name, or a part of it that no other reader's name has (or none with a card).
        wait: seconds to wait for a reader and a card, when there is none that can be spoken with.
        cancel: ends the waiting.
        waiting: called once, when there is nothing yet.

    Raises:
        NoReader, NoCard, WrongCard: there is none. AmbiguousCard: several answer. CardBusy: another program has it.
        Cancelled: ``cancel`` was set. MissingExtra, NoService, ServiceRefused, TransportError: as PC/SC says.
    """
    known = load_card_spec() if spec is None else spec
    deadline = time.monotonic() + wait
    service = Service()
    try:
        while True:
            seen = service.readers()
            try:
                return _the_one(service, _named(seen, reader), reader, known)
            except (NoReader, NoCard, TransportError) as bad:  # a card that is being laid on comes and goes
                left = deadline - time.monotonic()
                if left <= 0 or isinstance(bad, CardBusy):
                    raise
            if waiting is not None:
                waiting()
                waiting = None
            service.wait(seen, seconds=min(left, _LOOK_EVERY), cancel=cancel)
    except BaseException:
        service.close()
        raise


def _named(seen: Sequence[ReaderState], name: str | None) -> Sequence[ReaderState]:
    """Those that a name means: the one of that very name, else those whose names have it in them.

    Raises:
        NoReader: none.
    """
    if name is None:
        found = list(seen)
    else:
        found = [one for one in seen if one.name == name]
        found = found or [one for one in seen if name and name.casefold() in one.name.casefold()]
    if not found:
        there = {"present": ", ".join(one.name for one in seen)} if seen else {}
        raise NoReader(operation=_OPERATION, **({} if name is None else {"reader": name, **there}))
    return found


def _the_one(service: Service, seen: Sequence[ReaderState], name: str | None, spec: CardSpec) -> PcscConnection:
    """The one card that answers; the others are left as they are.

    Raises:
        AmbiguousCard: several answer. CardBusy, WrongCard, NoCard, TransportError: none does.
    """
    found: list[PcscConnection] = []
    problems: list[KojinError] = []
    for state in seen:
        if not state.present:
            continue
        try:
            found.append(_answering(service, state.name, spec))
        except (NoCard, NoReader, TransportError) as bad:
            problems.append(bad)
    if len(found) == 1:
        return found[0]
    for one in found:
        with contextlib.suppress(TransportError):
            one.part()
    if found:
        raise AmbiguousCard(operation=_OPERATION, readers=", ".join(one.description for one in found))
    if problems:
        raise min(problems, key=_telling)
    raise NoCard(operation=_OPERATION, **({} if name is None else {"reader": name}))


def _telling(problem: KojinError) -> int:
    """Which of several problems people should hear of: a card that is busy may be the one."""
    kinds = (CardBusy, TransportError, WrongCard)
    return next((rank for rank, kind in enumerate(kinds) if isinstance(problem, kind)), len(kinds))


def _answering(service: Service, reader: str, spec: CardSpec) -> PcscConnection:
    """The card in a reader, when it answers as one.

    Raises:
        WrongCard: it does not. NoCard, NoReader, TransportError: it cannot be spoken with.
    """
    connection = service.connect(reader)
    try:
        with connection.transaction():
            for application in _APPLICATIONS:
                command = CommandApdu(0x00, 0xA4, 0x04, 0x0C, spec[application].aid)
                answer = connection.transmit(command.encode())
                if int.from_bytes(answer[-2:], "big") in (SW.OK, SW.DF_LOCKED):
                    return connection
        raise WrongCard(operation=_OPERATION, reader=reader)
    except BaseException:
        with contextlib.suppress(TransportError):
            connection.part()
        raise


# --- watching ---------------------------------------------------------------------------------------------------------


class Change(StrEnum):
    """What can happen at the readers."""

    READER_ADDED = "reader_added"
    READER_REMOVED = "reader_removed"
    CARD_INSERTED = "card_inserted"
    CARD_REMOVED = "card_removed"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        atr: of the card that came; no card is told by it.
    """

    change: Change
    reader: str
    atr: bytes = b""


def watch(*, seconds: float | None = None, cancel: CancelFlag | None = None) -> Iterator[Event]:
    """What is there now, as if it had just come, and then every change until the time is over. Nothing is sent to a
    card, and nothing is asked while nothing happens.

    Raises:
        MissingExtra, NoService, ServiceRefused, TransportError: as PC/SC says. Cancelled: ``cancel`` was set.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    known: tuple[ReaderState, ...] = ()
    with Service() as service:
        while True:
            seen = service.readers()
            yield from changes(known, seen)
            known = seen
            left = _LOOK_EVERY if deadline is None else min(_LOOK_EVERY, deadline - time.monotonic())
            if left <= 0:
                return
            service.wait(seen, seconds=left, cancel=cancel)


def changes(before: Sequence[ReaderState], after: Sequence[ReaderState]) -> Iterator[Event]:
    """What happened between two looks. A card that was changed for another between them went, and came."""
    old, new = ({one.name: one for one in states} for states in (before, after))
    for name, one in old.items():
        if one.present and name not in new:
            yield Event(Change.CARD_REMOVED, name)
        if name not in new:
            yield Event(Change.READER_REMOVED, name)
    for name, one in new.items():
        was = old.get(name)
        if was is None:
            yield Event(Change.READER_ADDED, name)
        had = was is not None and was.present
        other = was is not None and had and one.present and (one.changes - was.changes >= 2 or one.atr != was.atr)
        if had and (other or not one.present):
            yield Event(Change.CARD_REMOVED, name)
        if one.present and (other or not had):
            yield Event(Change.CARD_INSERTED, name, one.atr)
