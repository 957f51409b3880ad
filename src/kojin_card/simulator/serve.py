"""Software cards in the slots of a virtual reader, until somebody says that it is enough: the loop, and what it obeys.

One thread does everything in turn: a message of a reader, a request at the control socket. So what a request changes
changes between two commands of the card, in the memory that the running chip has open (its file stays locked).
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kojin_card.errors import CardRemoved, UsageError, VpcdUnreachable
from kojin_card.simulator.control import MOST_NUMBERS, ControlSocket, Request
from kojin_card.simulator.settings import changed, knob_values
from kojin_card.simulator.softcard import SoftCard
from kojin_card.simulator.vpcd import DEFAULT_PORT, Slot, Where
from kojin_card.spec.load import load_card_spec
from kojin_card.spec.model import KeyKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from kojin_card.simulator.state import CardState

_OPERATION = "serve software cards"
_INSERT_SECONDS = 0.2  # a card file that is in use: all cards wait as long
_LAST_PORT = 0xFFFF


@dataclass(slots=True)
class Place:
    """A place for a card: a slot of the reader, and the file of the card that is or was last in it.

    Attributes:
        atr: what the reader shows of it instead of the card's own; None for that.
    """

    number: int
    slot: Slot
    file: Path
    card: SoftCard | None = None
    atr: bytes | None = None

    def told(self) -> dict[str, Any]:
        """What there is to know of it, without anything secret."""
        card = self.card
        return {
            "number": self.number,
            "port": self.slot.port,
            "file": str(self.file),
            "state": str(self.slot.where),
            "atr": None if card is None else (self.atr or card.atr).hex().upper(),
            "tries": {} if card is None else _tries(card.state),
            "knobs": {} if card is None else knob_values(card.state.knobs, load_card_spec()),
        }


class _OtherAtr:
    """A card on another interface: a contactless reader makes the ATR itself (card.md §5)."""

    def __init__(self, card: SoftCard, atr: bytes) -> None:
        self._card = card
        self.atr = atr
        self.transmit = card.transmit
        self.reset = card.reset


def _tries(state: CardState) -> dict[str, int]:
    return {
        f"{application.id}/{key.id}": state.key(application.id, key.id).tries_left
        for application in load_card_spec().applications.values()
        for key in application.keys.values()
        if application.id in state.applications
        and key.id in state.applications[application.id].keys
        and key.kind is KeyKind.PIN
    }


class Server:
    """Cards from files, the first in the slot on ``port``, each further one on the next. Close it at the end.

    Args:
        control: the name of the control socket; None for none.
        atr: what the reader shows of the cards instead of their own.
        said: is told of every card that comes into the reader or leaves it.

    Raises:
        InputError, CardFileBusy: a file that is no card, or in use; the control socket.
        UsageError: the same card twice, or no port left.
    """

    def __init__(
        self,
        files: Sequence[str | os.PathLike[str]],
        *,
        port: int = DEFAULT_PORT,
        control: Path | None = None,
        atr: bytes | None = None,
        said: Callable[[Place], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._said = said
        self._clock = clock
        self._port = port
        self._stopped = False
        self.places: list[Place] = []
        self._control: ControlSocket | None = None
        self._wake, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            for file in files:
                self._insert(self._new_place(), Path(os.path.realpath(file)), atr)
            if control is not None:
                self._control = ControlSocket(control, self.obey, clock=clock)
        except BaseException:
            self.close()
            raise

    # --- the loop

    def run(self) -> None:
        """Serve until :meth:`stop`."""
        while not self._stopped:
            self._turn(None)

    def connect(self, *, patience: float) -> None:
        """Serve until every card is connected with its slot.

        Raises:
            VpcdUnreachable: after ``patience`` seconds nobody listened on the port of one.
        """
        deadline = self._clock() + patience
        while not self._stopped:
            missing = [place for place in self.places if place.slot.where is Where.CALLING]
            if not missing:
                return
            if self._clock() >= deadline:
                raise VpcdUnreachable(
                    "no virtual reader listens on this port", operation=_OPERATION, port=missing[0].slot.port
                )
            self._turn(deadline)

    def stop(self) -> None:
        """End :meth:`run`; from a signal handler or another thread, too."""
        self._stopped = True
        with contextlib.suppress(OSError):
            os.write(self._waker, b"\0")

    def close(self) -> None:
        """Take every card out and let go of its file. Closing twice does no harm."""
        if self._control is not None:
            self._control.close()
            self._control = None
        for place in self.places:
            _take_out(place)
        for end in (self._wake, self._waker):
            with contextlib.suppress(OSError):
                os.close(end)
        self._wake = self._waker = -1

    def _turn(self, deadline: float | None) -> None:
        """Wait for something to happen, and deal with it: of each reader one message."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        slots = [(place, place.slot.fileno()) for place in self.places]
        for place, number in slots:
            if number is not None:
                poll.register(number, place.slot.events)
        for number, events in self._control.polled() if self._control else ():
            poll.register(number, events)
        happened = dict(poll.poll(self._milliseconds(deadline)))
        for place, number in slots:
            place.slot.work(0 if number is None else happened.get(number, 0))
            if place.card is not None and place.slot.where is Where.OUT:  # its file was closed under it
                _take_out(place)
        if self._control is not None:
            self._control.work(happened)

    def _milliseconds(self, deadline: float | None) -> float | None:
        waits = [place.slot.seconds_left() for place in self.places]
        waits.append(self._control.seconds_left() if self._control else None)
        waits.append(None if deadline is None else max(0.0, deadline - self._clock()))
        known = [one for one in waits if one is not None]
        return 1000 * min(known) + (1 if min(known) else 0) if known else None

    # --- what it obeys

    def obey(self, request: Request) -> Mapping[str, Any]:
        """Do what was asked at the control socket.

        Raises:
            KojinError: it cannot be done, and nothing was.
        """
        match request.command:
            case "insert":
                self._insert_asked(request)
            case "remove":
                place = self._numbered(request.number)
                if place.card is None:
                    raise UsageError("there is no card in that place", operation=_OPERATION, number=place.number)
                _take_out(place)
            case "set":
                self._set(request)
            case "stop":
                self.stop()
        return self.told()

    def told(self) -> dict[str, Any]:
        """What there is to know of the running cards."""
        return {"pid": os.getpid(), "cards": [place.told() for place in self.places]}

    def _insert_asked(self, request: Request) -> None:
        if request.file is None:
            place = self._numbered(request.number)
            if place.card is not None:
                raise UsageError("there is a card in that place", operation=_OPERATION, number=place.number)
            self._insert(place, place.file, request.atr)
            return
        empty = [one for one in self.places if one.card is None]
        place = empty[0] if empty else self._new_place()
        try:
            self._insert(place, Path(os.path.realpath(request.file)), request.atr)
        except Exception:
            if not empty:
                self.places.remove(place)
            raise

    def _insert(self, place: Place, file: Path, atr: bytes | None) -> None:
        if any(one.card is not None and one.file == file for one in self.places):
            raise UsageError("the same card twice", operation=_OPERATION, file=file.name)
        card = SoftCard.open(file, wait_seconds=_INSERT_SECONDS)
        place.card, place.file, place.atr = card, file, atr
        place.slot.insert(card if atr is None else _OtherAtr(card, atr))

    def _new_place(self) -> Place:
        number, port = len(self.places) + 1, self._port + len(self.places)
        if port > _LAST_PORT or number > MOST_NUMBERS:
            raise UsageError("there is no port left for another card", operation=_OPERATION)
        place = Place(number, Slot(port, clock=self._clock, moved=lambda _: self._said(place)), Path())
        self.places.append(place)
        return place

    def _numbered(self, number: int | None) -> Place:
        if number is None or not 1 <= number <= len(self.places):
            raise UsageError("no place of that number", operation=_OPERATION)
        return self.places[number - 1]

    def _set(self, request: Request) -> None:
        cards = [one.card for one in self.places if one.card is not None and str(one.file) == request.file]
        if not cards:
            raise CardRemoved("that card is not in the reader", operation=_OPERATION)
        reset = {name: None if value is None else value.encode() for name, value in request.reset.items()}
        spec = load_card_spec()
        cards[0].alter(lambda state: changed(state, spec, reset=reset, tries=request.tries, knobs=request.knobs))

    # --- as a context manager

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _take_out(place: Place) -> None:
    card, place.card = place.card, None
    place.slot.remove()
    if card is not None:
        card.close()
