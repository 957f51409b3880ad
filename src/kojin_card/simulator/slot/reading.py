"""Reading a slot: GET DATA, READ BINARY, and INTERNAL AUTHENTICATE, which binds what was read to this card."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from kojin_card.iso7816 import tlv
from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.security import Refused
from kojin_card.simulator.slot import card_key, rules
from kojin_card.simulator.slot.series import settings_octets
from kojin_card.spec import bcd, manifest
from kojin_card.spec.free_area import slot_applet_spec

if TYPE_CHECKING:
    from kojin_card.simulator.content import Bank, SlotState

_AID, _VERSION, _COUNTER, _STATE, _NEWEST, _SIGNATURE = (
    bytes((octet,)) for octet in (0x84, 0x80, 0x82, 0x83, 0x87, 0x9E)
)
_WITH_SFI, _SFI = 0x80, 0x1F
_IDENTIFICATION = "card_identification"


def get_data(card: Context, command: Received) -> Answer:
    """The value of the object whose tag P1 and P2 are; a short Le gives the start, as everywhere on this card.

    Raises:
        Refused: in this order: 6700, 6A88, 6982.
    """
    apdu = command.apdu
    slot = rules.admit(card, "get_data", apdu)
    if apdu.data or apdu.le is None:
        raise Refused(SW.WRONG_LENGTH)
    wanted = bytes((apdu.p1, apdu.p2))
    tag = next((one for one in slot_applet_spec().tags.values() if one.inside == "slot" and one.tag == wanted), None)
    if tag is None:
        raise Refused(SW.REFERENCE_NOT_FOUND)
    card.security.require(tag.access)
    return Answer(SW.OK, _object(slot, tag.id)[: apdu.le])


def _object(slot: SlotState, name: str) -> bytes:
    match name:
        case "descriptor":
            version = bytes((slot_applet_spec().number("definition"),))
            return tlv.encode(_AID, slot.aid) + tlv.encode(_VERSION, version)
        case "status":
            return (
                tlv.encode(_COUNTER, _counter(slot))
                + tlv.encode(_STATE, bytes((rules.state(slot).value,)))
                + tlv.encode(_NEWEST, slot.newest)
            )
        case "card_key":
            return card_key.public_point(slot.card_key)
        case "authorities":
            return settings_octets(slot.authorities, slot.groups)
        case _:
            raise Refused(SW.REFERENCE_NOT_FOUND)


def read_binary(card: Context, command: Received) -> Answer:
    """A field, the hidden descriptor or the manifest, by short identifier or from the file read last.

    Raises:
        Refused: in this order: 6700, 6A86 or 6986, 6982, 6A82, 6985, 6B00. A field that is not there is 6982 to whoever
            may not read the manifest: which fields there are already says of what kind a service is.
    """
    apdu, visit = command.apdu, rules.visit(card)
    if apdu.data or apdu.le is None:
        raise Refused(SW.WRONG_LENGTH)
    if apdu.p1 & _WITH_SFI:
        if apdu.p1 & ~(_WITH_SFI | _SFI) or apdu.p1 & _SFI in (0, _SFI):
            raise Refused(SW.INCORRECT_P1P2)
        sfi, offset = apdu.p1 & _SFI, apdu.p2
    elif visit.file is None:
        raise Refused(SW.NO_CURRENT_EF)
    else:
        sfi, offset = visit.file, apdu.p1 << 8 | apdu.p2
    octets = _file(card, sfi)
    visit.file = sfi
    if offset >= len(octets):
        raise Refused(SW.OFFSET_PAST_END)
    return Answer(SW.OK, octets[offset : offset + apdu.le])


def _file(card: Context, sfi: int) -> bytes:
    """The content of a file that may be read now.

    Raises:
        Refused: 6982, 6A82, 6985.
    """
    spec, slot = slot_applet_spec(), card.slot
    bank = slot.bank
    descriptor, signed = spec.numbers["descriptor_file"], spec.numbers["manifest_file"]
    if sfi in (descriptor.value, signed.value):
        card.security.require((descriptor if sfi == descriptor.value else signed).access)
        if bank is None:
            raise Refused(SW.FILE_NOT_FOUND)
        if sfi == descriptor.value:
            return bank.descriptor
        return manifest.encode_file(manifest_object(card, slot, bank), bank.signature)
    field = next((one for one in bank.fields if one.sfi == sfi), None) if bank is not None else None
    if field is None:
        card.security.require(signed.access)
        raise Refused(SW.FILE_NOT_FOUND)
    card.security.require(rules.field_access(field.rule, sfi, rules.visit(card).terminal))
    if not card.security.owner_here:
        rules.require_state(spec.commands["read_binary"], slot)
    return field.content


def internal_authenticate(card: Context, command: Received) -> Answer:
    """The card key signs a challenge with AID, the card's own counter and the manifest.

    Raises:
        Refused: 6A86, 6982, 6985, 6700.
    """
    apdu, spec = command.apdu, slot_applet_spec()
    slot = rules.admit(card, "internal_authenticate", apdu)
    bank = slot.bank
    if bank is None:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    if not spec.number("card_challenge_least") <= len(apdu.data) <= spec.number("card_challenge_most"):
        raise Refused(SW.WRONG_LENGTH)
    digest = hashlib.sha256(manifest_object(card, slot, bank)).digest()
    message = spec.context("card") + apdu.data + slot.aid + _counter(slot) + digest
    signature = card_key.sign(slot.card_key, message)
    answer = tlv.encode(_COUNTER, _counter(slot)) + tlv.encode(_SIGNATURE, signature)
    if apdu.le is None or apdu.le < len(answer):
        raise Refused(SW.WRONG_LENGTH)
    return Answer(SW.OK, answer)


def manifest_object(card: Context, slot: SlotState, bank: Bank) -> bytes:
    """What the owner signed, made anew of what the card holds: other bytes on another card, so that a copy shows."""
    return manifest.encode(
        manifest.Manifest(
            aid=slot.aid,
            card_identification=card_identification(card),
            counter=bank.counter,
            state=bank.state,
            day=bcd.decode_date(bank.date),
            descriptor=manifest.descriptor_digest(bank.descriptor),
            card_key=card_key.public_point(slot.card_key),
            fields=tuple(manifest.FieldDigest.of(one.sfi, one.content) for one in bank.fields),
        )
    )


def card_identification(card: Context) -> bytes:
    """The card identification number, as GET DATA gives it.

    Raises:
        Refused: 6A88, this card has none.
    """
    manager = card.spec.power_on
    content = card.memory.state.applications.get(manager.id) if manager is not None else None
    if content is None or _IDENTIFICATION not in content.objects:
        raise Refused(SW.REFERENCE_NOT_FOUND)
    return content.objects[_IDENTIFICATION]


def _counter(slot: SlotState) -> bytes:
    return slot.counter.to_bytes(manifest.COUNTER_BYTES, "big")
