"""A terminal (a library's gate, a certificate dispenser): reads what its certificate, the slot and the holder allow."""

from __future__ import annotations

from datetime import UTC, datetime
from secrets import token_bytes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from kojin_card.channel import CardChannel, PinArgument
    from kojin_card.slots.owners import OwnerStore
    from kojin_card.slots.reading import SlotReading
    from kojin_card.slots.standing import CardStatusSource
    from kojin_card.slots.terminals import TerminalKey
    from kojin_card.spec.service import Service


class SlotTerminal:
    """Reads slots with a terminal's key. It cannot be given an owner's keys, and cannot write.

    Args:
        channel: of the card.
        key: the terminal's certificate and key.
        owners: whose records are believed.
        services: by id, what the fields mean.
        status: says whether the card is in force; None leaves ``card_standing`` unchecked, which is INDETERMINATE.
        clock: the time it is, with a zone. random: gives that many unpredictable bytes, for challenges.
    """

    def __init__(
        self,
        channel: CardChannel,
        key: TerminalKey,
        owners: OwnerStore,
        services: Mapping[str, Service],
        *,
        status: CardStatusSource | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[int], bytes] = token_bytes,
    ) -> None:
        raise NotImplementedError

    def find(self, service: str | None = None) -> tuple[bytes, ...]:
        """AIDs of the slots that let this terminal in (and are of that service).

        Slots that refuse it are passed over; a terminal whose certificate has expired is told so.

        Raises:
            UnprovenRefused: this is a real card. TerminalExpired: the certificate has run out.
        """
        raise NotImplementedError

    def read(
        self,
        aid: bytes | None = None,
        *,
        service: str | None = None,
        pin: PinArgument | None = None,
        fields: Collection[str] | None = None,
        newest_counter: int | None = None,
        reserve: int = 1,
    ) -> SlotReading:
        """Authenticate, show the PIN when there is one, read and judge.

        Args:
            aid: the slot; None: the only one that lets this terminal in (and is of ``service``).
            pin: the slot PIN, for fields that want the holder; a source is asked for ``slot-pin``.
            fields: ids of the fields to be read; None: all that are open. One that is not open stands in ``closed``.
            newest_counter: the highest counter that the caller has ever seen of this slot.

        Raises:
            NoSlot: none lets this terminal in. AmbiguousSlot: several do.
            TerminalExpired, TerminalUnknown, TerminalRefused: the slot that was named refuses it.
            SecretFormatError, PinRejected, PinBlocked, PinReserve, UnprovenRefused: as :meth:`CardChannel.verify`.
        """
        raise NotImplementedError
