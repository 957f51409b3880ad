"""Whatever can go wrong between a program and a card, at whichever command: a layer for connections.

``FaultyConnection(card, at=2, fault="removed")`` behaves like ``card`` until its third command. Every fault of
:func:`every_fault` is one that readers, cards and other programs cause; what the card did before it stays done.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from kojin_card.errors import CardRemoved, CardReset, UsageError
from kojin_card.transport.base import Closable, Described, HasAtr, Resettable, Transactional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from kojin_card.transport.base import Connection

#: more than any answer can have
_FAR_TOO_MUCH = 70_000
_SLOW_SECONDS = 5.0

#: card.md §4.9, and words that no list has
_STATUS_WORDS = """
    6200 6281 6282 6283 6300 6381 63C0 63C1 63C2 63C5 63CF 6400 6581 66F1 6700 6881 6882 6900 6981 6982 6983 6984 6985
    6986 6987 6988 69FC 6A80 6A81 6A82 6A83 6A84 6A86 6A88 6B00 6C00 6C10 6D00 6E00 6F00 6FFF 6100 6110 9001 0000 FFFF
"""


class FaultKind(StrEnum):
    """What kind of thing goes wrong."""

    REMOVAL = "removal"
    FAILURE = "failure"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    OVERSIZED = "oversized"
    STATUS = "status"
    DATA = "data"
    FLIP = "flip"
    DELAY = "delay"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong at a command.

    Attributes:
        name: what :func:`every_fault` calls it.
        breaks: no answer comes, or what comes is none: a session on this connection is over.
        happen: gives the answer to a command, or raises; it lets the card have it with ``connection.deliver``.
    """

    name: str
    kind: FaultKind
    happen: Callable[[FaultyConnection, bytes], bytes] = field(repr=False)
    breaks: bool = False

    @classmethod
    def answering(cls, name: str, kind: FaultKind, change: Callable[[bytes], bytes], *, breaks: bool = False) -> Self:
        """The card has the command and does it; ``change`` makes another answer of its answer."""
        return cls(name, kind, lambda card, command: change(card.deliver(command)), breaks=breaks)


class FaultyConnection:
    """A connection at which something goes wrong, once or several times.

    Args:
        connection: the card, a :class:`~kojin_card.simulator.SoftCard` for example.
        at: number of the command at which it happens, counted from 0; several for several.
        fault: a :class:`Fault`, or the name of one of :func:`every_fault`.
        sleep: how a delay passes.

    Attributes:
        sent: how many commands came.
        delivered: how many of them reached the card.
        gone: the card was removed; every command, and a reset, is refused from then on.

    Raises:
        UsageError: no fault of that name.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        at: int | Iterable[int],
        fault: Fault | str,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if isinstance(fault, str):
            if fault not in every_fault():
                raise UsageError("no such fault: see kojin_card.testing.every_fault()")
            fault = every_fault()[fault]
        self.fault = fault
        self.sleep = sleep
        self.sent = 0
        self.delivered = 0
        self.gone = False
        self._connection = connection
        self._at = frozenset((at,) if isinstance(at, int) else at)

    def transmit(self, command: bytes) -> bytes:
        """As the card, or what the fault makes of it."""
        number, self.sent = self.sent, self.sent + 1
        self._require_present()
        return self.fault.happen(self, command) if number in self._at else self.deliver(command)

    def deliver(self, command: bytes) -> bytes:
        """Let the card have the command; its answer."""
        self.delivered += 1
        return self._connection.transmit(command)

    def remove(self) -> None:
        """Take the card away: it loses its power, and nothing reaches it any more."""
        self.interfere()
        self.gone = True

    def interfere(self) -> None:
        """Another program resets the card: what was selected and verified is forgotten."""
        if isinstance(self._connection, Resettable):
            self._connection.reset()

    def reset(self) -> None:
        """Reset the card.

        Raises:
            CardRemoved: it is gone.
        """
        self._require_present()
        self.interfere()

    def transaction(self) -> AbstractContextManager[object]:
        """The card's own, if it has any."""
        inner = self._connection
        return inner.transaction() if isinstance(inner, Transactional) else contextlib.nullcontext()

    def close(self) -> None:
        """Give the card back."""
        if isinstance(self._connection, Closable):
            self._connection.close()

    @property
    def extended(self) -> bool | None:
        """What the card's connection says."""
        said: bool | None = getattr(self._connection, "extended", None)
        return said

    @property
    def atr(self) -> bytes:
        """The card's, or none."""
        return self._connection.atr if isinstance(self._connection, HasAtr) else b""

    @property
    def description(self) -> str:
        """The card's."""
        inner = self._connection
        return inner.description if isinstance(inner, Described) else type(inner).__name__

    def _require_present(self) -> None:
        if self.gone:
            raise CardRemoved("the card was removed", operation="transmit")


@cache
def every_fault() -> Mapping[str, Fault]:
    """All faults by name."""
    return MappingProxyType({fault.name: fault for fault in (*_broken(), *_wrong(), *_flips(), *_status(), *_timing())})


def _broken() -> tuple[Fault, ...]:
    """No answer comes, or what comes is none."""
    return (
        _raising("OSError", FaultKind.FAILURE, OSError),
        _raising("ValueError", FaultKind.FAILURE, ValueError),
        _raising("timeout", FaultKind.TIMEOUT, TimeoutError),
        _raising("timeout before", FaultKind.TIMEOUT, TimeoutError, before=True),
        Fault("removed", FaultKind.REMOVAL, lambda card, command: _removed(card, command, before=False), breaks=True),
        Fault(
            "removed before", FaultKind.REMOVAL, lambda card, command: _removed(card, command, before=True), breaks=True
        ),
        Fault("reset noticed", FaultKind.RESET, _reset_noticed, breaks=True),
        Fault.answering("nothing", FaultKind.TRUNCATED, lambda _: b"", breaks=True),
        Fault.answering("one byte", FaultKind.TRUNCATED, lambda answer: answer[:1], breaks=True),
        Fault.answering("far too much", FaultKind.OVERSIZED, lambda _: bytes(_FAR_TOO_MUCH), breaks=True),
    )


def _wrong() -> tuple[Fault, ...]:
    """An answer, but a wrong one."""
    data, truncated = FaultKind.DATA, FaultKind.TRUNCATED
    return (
        Fault.answering("no data", truncated, lambda answer: answer[-2:]),
        Fault.answering("half the data", truncated, lambda answer: answer[: len(answer) // 2 - 1] + answer[-2:]),
        Fault.answering("more data", FaultKind.OVERSIZED, lambda answer: answer[:-2] + b"\xaa" + answer[-2:]),
        Fault.answering("other data", data, lambda answer: bytes(byte ^ 0x55 for byte in answer[:-2]) + answer[-2:]),
        Fault.answering("zeros", data, lambda answer: bytes(len(answer) - 2) + answer[-2:]),
        Fault.answering("filler", data, lambda answer: b"\xff" * (len(answer) - 2) + answer[-2:]),
        Fault.answering("256 bytes", data, lambda _: b"\x30\x82\xff\xff".ljust(256, b"\xa5") + b"\x90\x00"),
        Fault.answering("more to come", FaultKind.STATUS, lambda answer: answer[:-2] + b"\x61\x10"),
        Fault.answering("another Le", FaultKind.STATUS, lambda _: b"\x6c\x07"),
    )


def _flips() -> tuple[Fault, ...]:
    """One bit of the answer is another: of its first, middle or last byte, or of SW1."""
    places: Mapping[str, Callable[[bytes], int]] = {
        "first": lambda _: 0,
        "middle": lambda answer: len(answer) // 2,
        "last": lambda answer: len(answer) - 1,
        "status": lambda answer: len(answer) - 2,
    }
    return tuple(
        Fault.answering(f"bit {bit} of the {name} byte", FaultKind.FLIP, partial(_flip, place=place, bit=bit))
        for name, place in places.items()
        for bit in range(0, 8, 7)  # the lowest and the highest
    )


def _status() -> tuple[Fault, ...]:
    """A status word in place of the answer; the card did what it was told."""
    return tuple(
        Fault.answering(f"SW {word}", FaultKind.STATUS, partial(_other_word, word=bytes.fromhex(word)))
        for word in _STATUS_WORDS.split()
    )


def _timing() -> tuple[Fault, ...]:
    """The answer is right, and late; or another program was at the card, which nobody says."""
    return (
        Fault("slow", FaultKind.DELAY, _slow),
        Fault("reset by others", FaultKind.RESET, _reset_before),
        Fault("reset by others after", FaultKind.RESET, _reset_after),
    )


def _raising(name: str, kind: FaultKind, error: type[Exception], *, before: bool = False) -> Fault:
    """Libraries put what they were given into their exceptions, so this does."""

    def happen(card: FaultyConnection, command: bytes) -> bytes:
        answer = b"" if before else card.deliver(command)
        raise error(f"{command!r} {command.hex()} {answer.hex()}")

    return Fault(name, kind, happen, breaks=True)


def _removed(card: FaultyConnection, command: bytes, *, before: bool) -> bytes:
    if not before:
        card.deliver(command)
    card.remove()
    raise CardRemoved("the card was removed", operation="transmit")


def _reset_noticed(card: FaultyConnection, command: bytes) -> bytes:
    """As PC/SC tells it (SCARD_W_RESET_CARD): the command is not sent."""
    del command
    card.interfere()
    raise CardReset("the card was reset by another program", operation="transmit")


def _reset_before(card: FaultyConnection, command: bytes) -> bytes:
    card.interfere()
    return card.deliver(command)


def _reset_after(card: FaultyConnection, command: bytes) -> bytes:
    answer = card.deliver(command)
    card.interfere()
    return answer


def _slow(card: FaultyConnection, command: bytes) -> bytes:
    card.sleep(_SLOW_SECONDS)
    return card.deliver(command)


def _flip(answer: bytes, *, place: Callable[[bytes], int], bit: int) -> bytes:
    at = place(answer)
    return answer[:at] + bytes((answer[at] ^ 1 << bit,)) + answer[at + 1 :]


def _other_word(answer: bytes, *, word: bytes) -> bytes:
    del answer
    return word
