"""A terminal (a library's gate, a certificate dispenser): reads what its certificate, the slot and the holder allow."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_bytes
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, NoSlot, NotOnCard, TerminalExpired, TerminalRefused, UnexpectedAnswer
from kojin_card.globalplatform import check_gate
from kojin_card.iso7816.status import SW
from kojin_card.slots.applet import SlotApplet, select
from kojin_card.slots.days import day_of, moment_of
from kojin_card.slots.directory import only_one, walk
from kojin_card.slots.judge import SlotJudge
from kojin_card.slots.reading import ABSENT, SlotEvidence, card_identification, gather_fields, gather_record
from kojin_card.spec import descriptor as descriptors
from kojin_card.spec.free_area import slot_applet_spec
from kojin_card.spec.terminal_certificate import encode_authentication, proof_message

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
        owners: whose records are believed: those only whose slots this terminal is for, since every one of them may
            put its own slots, of every service of its kind, before the terminal.
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
        self._channel = channel
        self._key = key
        self._services = services
        self._judge = SlotJudge(owners, services, status)
        self._clock = clock
        self._random = random

    def find(self, service: str | None = None) -> tuple[bytes, ...]:
        """AIDs of the slots that let this terminal in (and are of that service).

        Slots that refuse it, and those that are terminated or have no record yet, are passed over.

        Raises:
            UnprovenRefused: this is a real card.
            TerminalExpired: the certificate has run out, by the clock or by what every slot has seen of the calendar.
        """
        operation = "find a slot"
        self._admitted(operation)
        found: list[bytes] = []
        expired: TerminalExpired | None = None
        with self._channel.transaction():
            for aid in walk(self._channel, "slot_prefix", operation):
                try:
                    if select(self._channel, aid, operation) or not self._authenticate(aid, operation):
                        continue
                except TerminalExpired as bad:
                    expired = bad
                    continue
                except TerminalRefused:
                    continue
                if service is None or self._service_of(aid, operation) == service:
                    found.append(aid)
        if not found and expired is not None:
            raise expired
        return tuple(found)

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
            service: id. A slot that turns out to be of another one is refused, also one that was named.
            pin: the slot PIN, for fields that want the holder; a source is asked for ``slot-pin``. It is asked for and
                shown when record, owner and chip were found genuine, and to no other card: one that was laid on in
                place of the holder's would keep it. It goes nowhere when the slot says that it has none; of a service
                that has one the reading has failed then. That the card took it is the card's word: it is proved by the
                fields that opened.
            fields: ids of the fields to be read; None: all that are open. One that is not open stands in ``closed``.
            newest_counter: the highest counter that the caller has ever seen of this slot.

        Raises:
            NoSlot: none lets this terminal in, or it is of another service. AmbiguousSlot: several do.
            TerminalExpired, TerminalRefused: the slot that was named refuses it.
            SecretFormatError, PinRejected, PinBlocked, PinReserve, UnprovenRefused: as :meth:`CardChannel.verify`.
        """
        operation = "read a slot"
        self._admitted(operation)
        at = moment_of(self._clock)
        with self._channel.transaction():
            slot = only_one(self.find(service), operation) if aid is None else aid
            evidence = self._visit(slot, operation, pin, service, fields, reserve, at)
            self._channel.forget()
        reading = self._judge.judge(evidence, at, newest_counter)
        if service is not None and reading.service not in (None, service):
            raise NoSlot(
                "the slot is of another service", operation=operation, sw=SW.FILE_NOT_FOUND, slot=slot.hex().upper()
            )
        return reading

    def _visit(
        self,
        aid: bytes,
        operation: str,
        pin: PinArgument | None,
        service: str | None,
        fields: Collection[str] | None,
        reserve: int,
        at: datetime,
    ) -> SlotEvidence:
        card = card_identification(self._channel)
        if select(self._channel, aid, operation):
            return SlotEvidence(aid, card, terminated=True)
        if not self._authenticate(aid, operation):
            return SlotEvidence(aid, card, problem=ABSENT)
        applet = SlotApplet(self._channel.link, aid)
        record = gather_record(applet, card, operation, random=self._random)
        no_pin = False
        if service is not None and record.descriptor is not None and record.descriptor.service != service:
            return record  # the holder's PIN is for that service's slot
        if pin is not None and self._judge.is_genuine(record, at):
            try:
                applet.verify(pin, operation, reserve=reserve, lang=self._channel.lang)
            except NotOnCard:  # no PIN here: nothing was sent but the question for its tries
                no_pin = True
        found = gather_fields(applet, record, self._services, operation, fields=fields)
        return replace(found, no_pin=no_pin)

    def _admitted(self, operation: str) -> None:
        """Whether anything may be tried at all, before anything is sent."""
        check_gate(self._channel, operation)
        today, body = day_of(self._clock), self._key.certificate.body
        if not body.issued <= today <= body.expiry:
            words = "the terminal's certificate is not of today, by its own clock; nothing was sent"
            raise TerminalExpired(words, operation=operation, sw=SW.REFERENCE_DATA_BLOCKED)

    def _authenticate(self, aid: bytes, operation: str) -> bool:
        """Prove to the current slot who this terminal is; False: the slot has no record yet.

        Raises:
            TerminalExpired, TerminalRefused: it is not let in.
        """
        applet = SlotApplet(self._channel.link, aid)
        try:
            challenge = applet.challenge(operation)
        except UnexpectedAnswer as bad:
            if bad.sw == SW.CONDITIONS_NOT_SATISFIED:
                return False
            raise
        proof = self._key.signer.sign(proof_message(challenge, aid))
        applet.authenticate_terminal(encode_authentication(self._key.octets, proof), operation)
        return True

    def _service_of(self, aid: bytes, operation: str) -> str | None:
        """The service that the current slot says it is of; unjudged."""
        found = SlotApplet(self._channel.link, aid).read(slot_applet_spec().number("descriptor_file"), operation)
        try:
            return None if isinstance(found, int) else descriptors.decode(found).service
        except DecodeError:
            return None
