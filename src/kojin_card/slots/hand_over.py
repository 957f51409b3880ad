"""引越継続: what the old owner signs for the new one, bound to card, slot and recipient; and who remembers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from kojin_card.spec.owner import Owner


@dataclass(frozen=True, slots=True)
class HandOver:
    """A hand-over as its file says it; nothing of it is proved by being read.

    Attributes:
        id: 16 bytes, the same however often it is made of one termination for one recipient.
        old, new: owners. card: card identification number. aid: of the old slot.
        counter: of the old slot after its termination. date: when. last_day: until when it may be taken over.
        service: id.
        signature: r and s by the old owner's record key.
    """

    id: bytes
    old: Owner
    new: Owner
    card: str
    aid: bytes
    counter: int
    date: date
    last_day: date
    service: str
    signature: bytes

    def encode(self) -> bytes:
        """The file: one JSON object, UTF-8."""
        raise NotImplementedError

    @classmethod
    def decode(cls, data: bytes) -> HandOver:
        """Read a file.

        Raises:
            HandOverRefused: malformed.
        """
        raise NotImplementedError


class HandOverLedger(Protocol):
    """Remembers which hand-overs were taken over, and by which slot."""

    def taken_by(self, id: bytes) -> bytes | None:
        """AID of the slot that took it over; None: nobody yet."""
        ...

    def take(self, id: bytes, aid: bytes) -> None:
        """Remember; must be on disk when it returns.

        Raises:
            HandOverRefused: taken by another slot.
        """
        ...


class FileLedger:
    """A ledger in one file, a line each; several processes may use it."""

    def __init__(self, path: Path) -> None:
        raise NotImplementedError

    def taken_by(self, id: bytes) -> bytes | None:
        """As :class:`HandOverLedger`."""
        raise NotImplementedError

    def take(self, id: bytes, aid: bytes) -> None:
        """As :class:`HandOverLedger`."""
        raise NotImplementedError
