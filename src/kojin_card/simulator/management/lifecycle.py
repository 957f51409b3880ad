"""SET STATUS and DELETE (GlobalPlatform 2.3.1 §11.10, §11.2): what is locked, and what goes."""

from __future__ import annotations

from dataclasses import replace

from kojin_card.errors import DecodeError
from kojin_card.iso7816 import tlv
from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.management import registry
from kojin_card.simulator.management.install import CONFIRMED
from kojin_card.simulator.security import Refused
from kojin_card.spec.free_area import globalplatform_spec

_CARD, _APPLICATION = 0x80, 0x40
_ONE, _RELATED = 0x00, 0x80
_AID = b"\x4f"


def set_status(card: Context, command: Received) -> Answer:
    """``80 F0``: P1 80 locks or unlocks the card (the issuer only), 40 a domain or slot: P2 with bit 80, or without.

    An owner locks its slots, not its domain, which it could not open again. It also unlocks them, whoever locked them;
    what the issuer locks to last is the domain too.

    Raises:
        Refused: 6A86 P1; 6985 no such transition; 6A80 malformed; 6A88 nothing of that AID for this session.
    """
    apdu = command.apdu
    content = card.content_state
    issuers = card.domain.aid == content.issuer.aid
    if apdu.p1 == _CARD:
        if not issuers or apdu.p2 not in (registry.SECURED, registry.CARD_LOCKED):
            raise Refused(SW.CONDITIONS_NOT_SATISFIED)
        if apdu.data not in (b"", content.issuer.aid):
            raise Refused(SW.WRONG_DATA)
        card.commit_content(content.with_domain(content.issuer.aid, lambda one: replace(one, life_cycle=apdu.p2)))
        return Answer(SW.OK)
    if apdu.p1 != _APPLICATION:
        raise Refused(SW.INCORRECT_P1P2)
    if registry.is_card_locked(content):
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)

    def changed(life_cycle: int) -> int:
        return life_cycle & ~registry.LOCKED | apdu.p2 & registry.LOCKED

    aid = apdu.data
    slot = content.slot(aid)
    if slot is not None and (issuers or slot.domain == card.domain.aid):
        card.commit_content(content.with_slot(aid, lambda one: replace(one, life_cycle=changed(one.life_cycle))))
    elif issuers and any(one.aid == aid for one in content.domains):
        card.commit_content(content.with_domain(aid, lambda one: replace(one, life_cycle=changed(one.life_cycle))))
    else:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED if aid == card.domain.aid else SW.REFERENCE_NOT_FOUND)
    return Answer(SW.OK)


def delete(card: Context, command: Received) -> Answer:
    """``80 E4 00``: a slot or a domain; with P2 80 a domain together with its slots. All of it in one write.

    Raises:
        Refused: 6A86 P1 or P2; 6A80 malformed (keys are not deleted one by one); 6A88 nothing of that AID for this
            session; 6985 a domain with slots, the domain of the session, or what is in the card's ROM.
    """
    apdu = command.apdu
    if apdu.p1 or apdu.p2 not in (_ONE, _RELATED):
        raise Refused(SW.INCORRECT_P1P2)
    try:
        (name,) = tlv.read_all(apdu.data)
    except (DecodeError, ValueError):
        raise Refused(SW.WRONG_DATA) from None
    if name.tag != _AID:
        raise Refused(SW.WRONG_DATA)
    aid, content, own = name.value, card.content_state, card.domain.aid
    issuers = own == content.issuer.aid
    slot = content.slot(aid)
    if slot is not None and (issuers or slot.domain == own):
        card.commit_content(replace(content, slots=tuple(one for one in content.slots if one.aid != aid)))
        return Answer(SW.OK, CONFIRMED)
    spec = globalplatform_spec()
    if aid == own or (issuers and aid in (spec.aid("ssd_package"), spec.aid("slot_package"))):
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    gone = content.domain(aid)
    if not issuers or gone is None:
        raise Refused(SW.REFERENCE_NOT_FOUND)
    slots = tuple(one for one in content.slots if one.domain != aid)
    if len(slots) != len(content.slots) and apdu.p2 != _RELATED:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    sequence = max(content.issuer.sequence, gone.sequence)  # a domain of that AID to come counts on from here
    domains = tuple(one for one in content.domains if one.aid != aid)
    issuer = replace(content.issuer, sequence=sequence)
    card.commit_content(replace(content, issuer=issuer, domains=domains, slots=slots))
    return Answer(SW.OK, CONFIRMED)
