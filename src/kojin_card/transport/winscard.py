"""What PC/SC says: states of readers, and return codes as typed errors. Nothing here speaks with a reader.

The numbers are those of PC/SC (winscard.h; the same with pcsc-lite, on Windows and on macOS).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from kojin_card.errors import (
    Cancelled,
    CardBusy,
    CardRemoved,
    CardReset,
    NoCard,
    NoReader,
    NoService,
    ServiceRefused,
    TransportError,
    WrongCard,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.errors import KojinError


class Code(IntEnum):
    """Return codes that mean something of their own here; any other is a :class:`TransportError` with its number."""

    OK = 0
    CANCELLED = 0x80100002
    INVALID_PARAMETER = 0x80100004
    INSUFFICIENT_BUFFER = 0x80100008
    UNKNOWN_READER = 0x80100009
    TIMEOUT = 0x8010000A
    SHARING_VIOLATION = 0x8010000B
    NO_CARD = 0x8010000C
    UNKNOWN_CARD = 0x8010000D
    PROTOCOL_MISMATCH = 0x8010000F
    INVALID_VALUE = 0x80100011
    COMMUNICATION = 0x80100013
    NOT_TRANSACTED = 0x80100016
    READER_UNAVAILABLE = 0x80100017
    NO_SERVICE = 0x8010001D
    SERVICE_STOPPED = 0x8010001E
    NO_ACCESS = 0x80100027
    NO_READERS = 0x8010002E
    UNSUPPORTED_CARD = 0x80100065
    UNRESPONSIVE_CARD = 0x80100066
    UNPOWERED_CARD = 0x80100067
    RESET_CARD = 0x80100068
    REMOVED_CARD = 0x80100069
    SECURITY_VIOLATION = 0x8010006A
    CANCELLED_BY_USER = 0x8010006E


#: the card is away, or the reader with it: nothing that was verified is open any more
GONE = frozenset({Code.REMOVED_CARD, Code.NO_CARD, Code.READER_UNAVAILABLE, Code.UNKNOWN_READER})
#: the service is away
SERVICE_GONE = frozenset({Code.NO_SERVICE, Code.SERVICE_STOPPED, Code.COMMUNICATION})
#: the driver took offence at the command itself, before (or instead of) carrying it
NOT_CARRIED = frozenset({Code.INSUFFICIENT_BUFFER, Code.INVALID_PARAMETER, Code.INVALID_VALUE})
#: a card that moved away is first noticed as one of these
MAYBE_GONE = frozenset({Code.NOT_TRANSACTED, Code.COMMUNICATION, Code.UNRESPONSIVE_CARD, Code.UNPOWERED_CARD})

_MUTE = "the card in the reader does not answer"
_ODD = "the reader cannot speak with this card"
_STOPPED = "the smart-card service stopped"
_UNPLUGGED = "the reader was unplugged"
_ANYWHERE: Mapping[int, tuple[type[KojinError], str]] = {
    Code.CANCELLED: (Cancelled, ""),
    Code.CANCELLED_BY_USER: (Cancelled, ""),
    Code.UNKNOWN_READER: (NoReader, ""),
    Code.READER_UNAVAILABLE: (NoReader, ""),
    Code.NO_READERS: (NoReader, ""),
    Code.SHARING_VIOLATION: (CardBusy, ""),
    Code.NO_CARD: (NoCard, ""),
    Code.UNKNOWN_CARD: (WrongCard, _ODD),
    Code.UNSUPPORTED_CARD: (WrongCard, _ODD),
    Code.PROTOCOL_MISMATCH: (WrongCard, _ODD),
    Code.UNRESPONSIVE_CARD: (NoCard, _MUTE),
    Code.UNPOWERED_CARD: (NoCard, _MUTE),
    Code.NO_SERVICE: (NoService, ""),
    Code.SERVICE_STOPPED: (NoService, ""),
    Code.COMMUNICATION: (NoService, ""),
    Code.NO_ACCESS: (ServiceRefused, ""),
    Code.SECURITY_VIOLATION: (ServiceRefused, ""),
    Code.RESET_CARD: (CardReset, ""),
    Code.REMOVED_CARD: (CardRemoved, ""),
}
#: the same while a card is being spoken with: the session is over
_SPEAKING: Mapping[int, tuple[type[KojinError], str]] = {
    **_ANYWHERE,
    **dict.fromkeys(GONE, (CardRemoved, "")),
    Code.READER_UNAVAILABLE: (CardRemoved, _UNPLUGGED),
    Code.UNKNOWN_READER: (CardRemoved, _UNPLUGGED),
    Code.NO_READERS: (CardRemoved, _UNPLUGGED),
    **dict.fromkeys(SERVICE_GONE, (TransportError, _STOPPED)),
    Code.UNRESPONSIVE_CARD: (TransportError, _MUTE),
    Code.UNPOWERED_CARD: (TransportError, _MUTE),
    Code.NOT_TRANSACTED: (TransportError, "the reader lost the card for a moment"),
}


def code_of(raw: object) -> int:
    """A return code of the binding (signed on some systems) as PC/SC writes it; 0x80100001 for what is none."""
    return raw & 0xFFFFFFFF if isinstance(raw, int) else 0x80100001


def failure(code: int, operation: str, *, reader: str = "", speaking: bool = False) -> KojinError:
    """The error that a return code means.

    Args:
        reader: which reader, for the words.
        speaking: a card was being spoken with.
    """
    kind, words = (_SPEAKING if speaking else _ANYWHERE).get(code, (TransportError, ""))
    if kind is TransportError and not words:
        words = f"PC/SC error {code:08X}"
    return kind(words, operation=operation, **({"reader": reader} if reader else {}))


# --- readers ----------------------------------------------------------------------------------------------------------


class Flag(IntEnum):
    """Bits of a reader's state."""

    CHANGED = 0x2
    UNKNOWN = 0x4
    UNAVAILABLE = 0x8
    EMPTY = 0x10
    PRESENT = 0x20
    EXCLUSIVE = 0x80
    IN_USE = 256
    MUTE = 512


@dataclass(frozen=True, slots=True)
class ReaderState:
    """A reader, as PC/SC tells of it without anything being sent to a card.

    Attributes:
        name: what ``--reader`` takes.
        present: a card is in it (or on it).
        mute: that card does not answer.
        in_use, exclusive: other programs are connected to it; one of them lets nobody in.
        atr: the card's answer to reset; empty without a card. Nobody tells a card by it (card.md §5).
        raw: PC/SC's number: the bits, and in the upper half how many cards came and went.
    """

    name: str
    present: bool
    mute: bool
    in_use: bool
    exclusive: bool
    atr: bytes
    raw: int

    @classmethod
    def of(cls, name: str, raw: int, atr: bytes) -> ReaderState:
        """From PC/SC's number."""
        raw &= ~int(Flag.CHANGED)
        present = bool(raw & Flag.PRESENT)
        return cls(
            name,
            present,
            bool(raw & Flag.MUTE),
            bool(raw & Flag.IN_USE),
            bool(raw & Flag.EXCLUSIVE),
            atr if present else b"",
            raw,
        )

    @property
    def changes(self) -> int:
        """How many cards came and went, where the system counts."""
        return self.raw >> 16 & 0xFFFF
