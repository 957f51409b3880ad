"""What the slot applet keeps between two commands; it dies with SELECT and with the power."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kojin_card.simulator.management.scp03 import SecureChannel


@dataclass(slots=True)
class Incoming:
    """A series of STORE DATA that is coming in: it belongs to one slot and to one session of its owner.

    Attributes:
        slot: AID of the slot.
        channel: the session that began it.
        blocks: how many came.
        data: what they held.
    """

    slot: bytes
    channel: SecureChannel | None
    blocks: int = 0
    data: bytearray = field(default_factory=bytearray, repr=False)


@dataclass(slots=True)
class Visit:
    """One stay at a slot.

    Attributes:
        challenge: what GET CHALLENGE gave and EXTERNAL AUTHENTICATE has not used up.
        terminal: short identifiers of the fields that the terminal which is here may read.
        file: short identifier of the file read last.
        incoming: blocks of STORE DATA that wait for their last one.
    """

    challenge: bytes | None = field(default=None, repr=False)
    terminal: frozenset[int] = frozenset()
    file: int | None = None
    incoming: Incoming | None = None
