"""What anybody with a reader sees of the slots of a card, and what its holder sees with the slot PIN."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_bytes
from typing import TYPE_CHECKING

from kojin_card.errors import AmbiguousSlot, NoSlot, UnexpectedAnswer
from kojin_card.globalplatform import check_gate
from kojin_card.iso7816.apdu import SHORT_LE_MAX, CommandApdu
from kojin_card.iso7816.status import SW
from kojin_card.slots.applet import SlotApplet, name_in, select
from kojin_card.slots.days import moment_of
from kojin_card.slots.judge import SlotJudge
from kojin_card.slots.owners import OwnerStore
from kojin_card.slots.reading import SlotEvidence, card_identification, gather
from kojin_card.spec.free_area import globalplatform_spec, slot_applet_spec
from kojin_card.transport.answers import raise_for_sw

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kojin_card.channel import CardChannel, PinArgument
    from kojin_card.slots.reading import SlotReading
    from kojin_card.slots.standing import CardStatusSource
    from kojin_card.spec.service import Service

#: more than any card has room for
MAX_OCCURRENCES = 256
_NEXT = 0x02


@dataclass(frozen=True, slots=True)
class SlotSeen:
    """What a slot tells anybody: no service, no owner.

    Attributes:
        aid: its name. definition: version of the applet's definition. terminated: SELECT said so (6285).
    """

    aid: bytes
    definition: int
    terminated: bool


def walk(channel: CardChannel, prefix: str, operation: str) -> tuple[bytes, ...]:
    """AIDs of everything whose name begins with that prefix of the spec, in the card's order.

    Raises:
        UnexpectedAnswer: the card does not stop, gives one twice or one of another kind, or another word.
    """
    spec, how = globalplatform_spec().aids[prefix], slot_applet_spec().commands["select"]
    found: list[bytes] = []
    channel.forget()
    while len(found) <= MAX_OCCURRENCES:
        p2 = _NEXT if found else 0x00
        sent = CommandApdu(how.cla, how.ins, how.p1 or 0, p2, spec.aid, SHORT_LE_MAX)
        answer = channel.link.send(sent, operation=operation)
        if answer.sw == SW.FILE_NOT_FOUND:
            return tuple(found)
        if answer.sw != SW.DF_TERMINATED:
            raise_for_sw(operation, answer.sw)
        aid = name_in(answer.data)
        if aid is None or aid in found or not aid.startswith(spec.aid) or len(aid) != len(spec.aid) + spec.random:
            raise UnexpectedAnswer("not a name that is due here", operation=operation, sw=answer.sw)
        found.append(aid)
    raise UnexpectedAnswer("the card does not stop", operation=operation, sw=SW.OK)


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
        self._channel = channel
        self._services = services or {}
        self._judge = SlotJudge(owners or OwnerStore(), self._services, status)
        self._clock = clock
        self._random = random

    def walk(self) -> tuple[bytes, ...]:
        """AIDs of all slots that can be selected, in the card's order: SELECT by prefix, then the next ones.

        Raises:
            UnexpectedAnswer: the card does not stop, or gives the same one twice.
        """
        with self._channel.transaction():
            return walk(self._channel, "slot_prefix", "list the slots")

    def describe(self, aid: bytes) -> SlotSeen:
        """The free part of a slot's descriptor.

        Raises:
            NoSlot: no such slot, or it is locked. UnexpectedAnswer: malformed.
        """
        operation = "describe a slot"
        with self._channel.transaction():
            terminated = select(self._channel, aid, operation)
            return SlotSeen(aid, SlotApplet(self._channel.link, aid).definition(operation), terminated)

    def tries_left(self, aid: bytes) -> int | None:
        """Tries of the slot PIN; costs none. None: the slot has no PIN.

        Raises:
            NoSlot: no such slot. UnexpectedAnswer: the slot is terminated or not personalized, or another word.
        """
        operation = "tries of the slot PIN"
        with self._channel.transaction():
            select(self._channel, aid, operation)
            return SlotApplet(self._channel.link, aid).tries(operation)

    def change_pin(self, aid: bytes, old: PinArgument, new: PinArgument, *, reserve: int = 1) -> None:
        """Replace the slot PIN, by its holder.

        Raises:
            NoSlot: no such slot. NotOnCard: it has no PIN.
            SecretFormatError, PinRejected, PinBlocked, PinReserve, UnprovenRefused: as :meth:`CardChannel.change`.
        """
        operation = "change the slot PIN"
        check_gate(self._channel, operation)
        with self._channel.transaction():
            select(self._channel, aid, operation)
            SlotApplet(self._channel.link, aid).change(old, new, operation, reserve=reserve, lang=self._channel.lang)
            self._channel.forget()

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
            NoSlot: no such slot. NotOnCard: it has no PIN.
            SecretFormatError, PinRejected, PinBlocked, PinReserve, UnprovenRefused: as :meth:`CardChannel.verify`.
        """
        operation = "show a slot"
        check_gate(self._channel, operation)
        at = moment_of(self._clock)
        with self._channel.transaction():
            card = card_identification(self._channel)
            if select(self._channel, aid, operation):
                return self._judge.judge(SlotEvidence(aid, card, terminated=True), at)
            applet = SlotApplet(self._channel.link, aid)
            applet.verify(pin, operation, reserve=reserve, lang=self._channel.lang)
            evidence = gather(applet, card, self._services, operation, random=self._random)
            self._channel.forget()
        return self._judge.judge(evidence, at, newest_counter)


def only_one(found: tuple[bytes, ...], operation: str) -> bytes:
    """The one slot that can be meant.

    Raises:
        NoSlot: none. AmbiguousSlot: several.
    """
    if not found:
        raise NoSlot("", operation=operation, sw=SW.FILE_NOT_FOUND)
    if len(found) > 1:
        raise AmbiguousSlot("", operation=operation, slots=", ".join(one.hex().upper() for one in found))
    return found[0]
