"""What a connection to a card is: one mandatory method, and protocols that a connection may follow besides.

They are structural: a connection need not import this module. The software card follows most of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


@runtime_checkable
class Connection(Protocol):
    """A card that can be spoken to.

    A connection may also have an attribute ``extended: bool | None``: whether card and reader together carry extended
    APDUs; None, or no such attribute, means that nobody said so and the ATR decides (card.md §5).
    """

    def transmit(self, command: bytes, /) -> bytes:
        """Send one command APDU and give the answer: data, then the two bytes of the status word.

        Raises:
            TransportError: the connection failed; nothing is known about what the card did.
        """
        ...


@runtime_checkable
class Transactional(Protocol):
    """A connection that can keep other programs off the card for a while."""

    def transaction(self) -> AbstractContextManager[object]:
        """Exclusive use of the card inside the block.

        It gives True when exclusive use began only now: others may have had the card before, so nothing that was
        selected is believed any more.
        """
        ...


@runtime_checkable
class Resettable(Protocol):
    """A connection that can make the card forget what was verified."""

    def reset(self) -> object:
        """Reset the card: application, file and security state are gone."""
        ...


@runtime_checkable
class HasAtr(Protocol):
    """A connection that knows the card's answer to reset."""

    @property
    def atr(self) -> bytes:
        """The ATR (ISO/IEC 7816-3 §8)."""
        ...


@runtime_checkable
class Described(Protocol):
    """A connection that can say in a few words which card this is."""

    @property
    def description(self) -> str:
        """What a PIN prompt shows: reader and card, or the software card's file."""
        ...


@runtime_checkable
class Closable(Protocol):
    """A connection that must be given back."""

    def close(self) -> None:
        """Give the card back; afterwards nothing can be sent."""
        ...


class CancelFlag(Protocol):
    """What a waiting program looks at; a :class:`threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether to stop waiting."""
        ...


@runtime_checkable
class PinPad(Protocol):
    """A reader with keys of its own: the PIN never reaches the computer."""

    def verify_on_pad(self, header: bytes, *, minimum: int, maximum: int) -> bytes:
        """Let the holder type; the reader sends VERIFY with ``header`` (CLA INS P1 P2) and gives the card's answer.

        Args:
            minimum, maximum: length of the secret in characters.

        Raises:
            Cancelled: the holder pressed the cancel key or waited too long.
            TransportError: the connection failed.
        """
        ...
