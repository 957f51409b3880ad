"""A slot as it was read, and what is to be thought of it: gathering without judging."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, UnexpectedAnswer
from kojin_card.iso7816.status import SW
from kojin_card.spec import descriptor as descriptors
from kojin_card.spec.free_area import slot_applet_spec

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Collection, Mapping

    from kojin_card.channel import CardChannel
    from kojin_card.slots.applet import SlotApplet, SlotStatus
    from kojin_card.spec.descriptor import Descriptor
    from kojin_card.spec.manifest import SignedManifest
    from kojin_card.spec.owner import Owner
    from kojin_card.spec.service import Service
    from kojin_card.verdict import Verdict

MANAGER, IDENTIFICATION = "card_manager", "card_identification"
ABSENT, MALFORMED = "absent", "malformed"


@dataclass(frozen=True, slots=True)
class SlotReading:
    """What was read of a slot. Nothing of it may be relied on before ``verdict.require()``.

    What is said of the record is None (or empty) where it was not read; so are all values of a record that is
    forged, of another card or slot, old, or a copy.

    Attributes:
        aid: the slot.
        verdict: of this reading (:mod:`.judge`); its subject is ``slot``.
        service, service_version: id and version that the hidden descriptor names.
        owner, legal_basis, name: as the hidden descriptor says. owner_name_ja: as ``owners.toml`` has it, or empty.
        state: by id; as the signed record says. counter, date: of the signed record.
        values: id of the field -> its text, of the fields that were read and fit their digests.
        closed: ids of the fields that are on the card and were not opened to this reader.
        last_day: the slot's own last day, where a field that expires was read.
        hand_over: id (16 bytes) of the hand-over that it came from.
    """

    aid: bytes
    verdict: Verdict
    service: str | None = None
    service_version: int | None = None
    owner: Owner | None = None
    owner_name_ja: str = ""
    legal_basis: str | None = None
    name: str | None = None
    state: str | None = None
    counter: int | None = None
    date: datetime.date | None = None
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    closed: tuple[str, ...] = ()
    last_day: datetime.date | None = field(default=None, repr=False)
    hand_over: bytes | None = None


@dataclass(frozen=True, slots=True)
class SlotEvidence:
    """Everything that one visit brought, unjudged.

    Attributes:
        card_identification: octets, as the card manager gives them.
        terminated: SELECT said so.
        status: what the card says, unsigned.
        signed: the manifest; ``problem`` says why there is none (``absent``, ``malformed``).
        descriptor_content: as read. descriptor: decoded, when it can be.
        contents: short identifier -> salt and value. closed, missing: short identifiers that were asked for in vain.
        challenge: ours. answer: the card's counter and its signature.
        no_pin: a slot PIN was to be shown, and the card said that this slot has none.
    """

    aid: bytes
    card_identification: bytes = field(repr=False)
    terminated: bool = False
    status: SlotStatus | None = None
    signed: SignedManifest | None = None
    problem: str | None = None
    descriptor_content: bytes | None = field(default=None, repr=False)
    descriptor: Descriptor | None = field(default=None, repr=False)
    contents: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    closed: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    challenge: bytes = b""
    answer: tuple[int, bytes] | None = None
    no_pin: bool = False


def card_identification(channel: CardChannel) -> bytes:
    """Octets of the card identification number (カード識別番号), which every record is bound to.

    It comes in clear: whoever acts on it alone asks again in a session (:meth:`.own_domain.Opener.confirm`).

    Raises:
        NotOnCard: a card without one (a smartphone). UnexpectedAnswer: not printable.
    """
    octets = channel.get_data(MANAGER, IDENTIFICATION)
    if not octets.isascii() or not octets.decode("ascii").isprintable():
        raise UnexpectedAnswer("malformed content: card identification", operation="look at the card", sw=SW.OK)
    return octets


def gather(
    applet: SlotApplet,
    card: bytes,
    services: Mapping[str, Service],
    operation: str,
    *,
    random: Callable[[int], bytes],
    fields: Collection[str] | None = None,
) -> SlotEvidence:
    """Read what is open at the current slot: status, manifest, descriptor, the card key's answer, fields.

    Args:
        card: its identification number, octets.
        fields: ids of the fields to be read; None: all. The last day of a service that has one is always read.
    """
    record = gather_record(applet, card, operation, random=random)
    return gather_fields(applet, record, services, operation, fields=fields)


def gather_record(applet: SlotApplet, card: bytes, operation: str, *, random: Callable[[int], bytes]) -> SlotEvidence:
    """The part of it that tells whose record of which card it is, and that the chip is here: all but the fields."""
    status = applet.status(operation)
    empty = SlotEvidence(applet.aid, card, status=status)
    try:
        signed = applet.manifest(operation)
    except DecodeError:
        return replace(empty, problem=MALFORMED)
    if isinstance(signed, int):
        return replace(empty, problem=ABSENT)
    content = applet.read(slot_applet_spec().number("descriptor_file"), operation)
    descriptor = _descriptor(content)
    challenge = random(slot_applet_spec().number("card_challenge_most"))
    answer = applet.answer_of_card(challenge, operation)
    return replace(
        empty,
        signed=signed,
        problem=None if descriptor is not None else (ABSENT if isinstance(content, int) else MALFORMED),
        descriptor_content=content if isinstance(content, bytes) else None,
        descriptor=descriptor,
        challenge=challenge,
        answer=None if isinstance(answer, int) else answer,
    )


def gather_fields(
    applet: SlotApplet,
    record: SlotEvidence,
    services: Mapping[str, Service],
    operation: str,
    *,
    fields: Collection[str] | None = None,
) -> SlotEvidence:
    """The same with the fields that its manifest lists. Args: as of :func:`gather`."""
    if record.signed is None:
        return record
    service = None if record.descriptor is None else services.get(record.descriptor.service)
    contents: dict[int, bytes] = {}
    closed: list[int] = []
    missing: list[int] = []
    for sfi in (one.sfi for one in record.signed.manifest.fields):
        if not _wanted(service, sfi, fields):
            continue
        found = applet.read(sfi, operation)
        if isinstance(found, bytes):
            contents[sfi] = found
        else:
            (missing if found == SW.FILE_NOT_FOUND else closed).append(sfi)
    return replace(record, contents=contents, closed=tuple(closed), missing=tuple(missing))


def _descriptor(content: bytes | int) -> Descriptor | None:
    if isinstance(content, int):
        return None
    try:
        return descriptors.decode(content)
    except DecodeError:
        return None


def _wanted(service: Service | None, sfi: int, fields: Collection[str] | None) -> bool:
    """Whether a field is to be read; of a service that nobody knows, only when all are."""
    one = None if service is None else service.by_sfi(sfi)
    if fields is None:
        return True
    return one is not None and (one.id in fields or one.expires)
