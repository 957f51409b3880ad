"""What anybody with a reader sees of the slots of a card, and what its holder sees with the slot PIN."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_bytes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kojin_card.channel import CardChannel, PinArgument
    from kojin_card.slots.owners import OwnerStore
    from kojin_card.slots.reading import SlotReading
    from kojin_card.slots.standing import CardStatusSource
    from kojin_card.spec.service import Service


@dataclass(frozen=True, slots=True)
class SlotSeen:
    """What a slot tells anybody: no service, no owner.

    Attributes:
        aid: its name. definition: version of the applet's definition. terminated: SELECT said so (6285).
    """

    aid: bytes
    definition: int
    terminated: bool


class SlotDirectory:
    """The slots of a card without a key.

    Args:
        channel: of the card; :attr:`kojin_card.Card.channel`.
        owners, services, status, clock, random: as of :class:`~kojin_card.slots.SlotTerminal`, for :meth:`show`.
    """

    def __init__(
        self,
        channel: CardChannel,
        *,
        owners: OwnerStore | None = None,
        services: Mapping[str, Service] | None = None,
        status: CardStatusSource | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[int], bytes] = token_bytes,
    ) -> None:
        raise NotImplementedError

    def walk(self) -> tuple[bytes, ...]:
        """AIDs of all slots that can be selected, in the card's order: SELECT by prefix, then the next ones.

        Raises:
            UnexpectedAnswer: the card does not stop, or gives the same one twice.
        """
        raise NotImplementedError

    def describe(self, aid: bytes) -> SlotSeen:
        """The free part of a slot's descriptor.

        Raises:
            NotOnCard: no such slot, or it is locked. UnexpectedAnswer: malformed.
        """
        raise NotImplementedError

    def tries_left(self, aid: bytes) -> int | None:
        """Tries of the slot PIN; costs none. None: the slot has no PIN.

        Raises:
            NotOnCard: no such slot. UnexpectedAnswer: the slot is terminated or not personalized, or another word.
        """
        raise NotImplementedError

    def change_pin(self, aid: bytes, old: PinArgument, new: PinArgument, *, reserve: int = 1) -> None:
        """Replace the slot PIN, by its holder.

        Raises:
            SecretFormatError, PinRejected, PinBlocked, PinReserve, UnprovenRefused: as :meth:`CardChannel.change`.
        """
        raise NotImplementedError

    def show(
        self,
        aid: bytes,
        pin: PinArgument,
        *,
        newest_counter: int | None = None,
        reserve: int = 1,
    ) -> SlotReading:
        """What the holder may see of his own slot, judged as a terminal judges it.

        Args:
            pin: the slot PIN (4 digits); a source is asked for ``slot-pin``.
            newest_counter: the highest counter that the caller has ever seen of this slot.

        Raises:
            NotOnCard: no such slot, or one without a PIN.
            SecretFormatError, PinRejected, PinBlocked, PinReserve, UnprovenRefused: as :meth:`CardChannel.verify`.
        """
        raise NotImplementedError
