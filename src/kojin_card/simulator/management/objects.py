"""GET DATA at a security domain: what GlobalPlatform has every domain tell, and what the card always told."""

from __future__ import annotations

from dataclasses import replace

from kojin_card.iso7816 import tlv
from kojin_card.iso7816.apdu import SHORT_LE_MAX
from kojin_card.iso7816.status import SW
from kojin_card.simulator import data
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.management import keys, room
from kojin_card.simulator.security import Refused
from kojin_card.spec.free_area import globalplatform_spec

_KEY_INFORMATION, _DIVERSIFICATION, _SEQUENCE = b"\xe0", b"\xcf", b"\xc1"
_APPLICATIONS, _FREE, _FREE_VOLATILE = b"\x81", b"\x82", b"\x83"
_VOLATILE = 2048  # assumption: bytes of working memory that are always free


def get_data(card: Context, command: Received) -> Answer:
    """``00 CA`` gives the value alone, as this card always did; ``80 CA`` the whole object, as GlobalPlatform does.

    Both take the same tags. A command without Le in a session asks for everything (some clients write none).

    Raises:
        Refused: 6700; 6A88, no such object here; 6982, the card's resources without a session: how much of the free
            area is taken tells how large the records are, and so of what services.
    """
    apdu = command.apdu
    if card.security.level and apdu.le is None:
        apdu = replace(apdu, le=SHORT_LE_MAX)
    if apdu.data or apdu.le is None:
        raise Refused(SW.WRONG_LENGTH)
    tag = bytes((apdu.p1, apdu.p2)).lstrip(b"\x00")
    value = _value(card, tag)
    if value is None:
        if card.security.application is None:
            raise Refused(SW.REFERENCE_NOT_FOUND)
        whole = replace(apdu, le=65536) if apdu.cla else apdu
        answer = data.get_data(card, replace(command, apdu=whole))
        if not apdu.cla:
            return answer
        value = answer.data
    found = tlv.encode(tag, value) if apdu.cla else value
    return Answer(SW.OK, found[: apdu.le])


def _value(card: Context, tag: bytes) -> bytes | None:
    """The value of one of a domain's own objects, or None.

    Raises:
        Refused: 6A88, it has none; 6982, for a session only.
    """
    domain, content = card.domain, card.content_state
    if tag == _KEY_INFORMATION:
        return tlv.read_one(keys.information(domain)).value
    if tag == _DIVERSIFICATION:
        return keys.diversification_data(card)
    if tag == _SEQUENCE:
        return domain.sequence.to_bytes(3, "big")
    if tag == globalplatform_spec().tag("extended_resources") and domain.aid == content.issuer.aid:
        if not card.security.level:
            raise Refused(SW.SECURITY_NOT_SATISFIED)
        applications = (len(content.domains) + len(content.slots)) & 0xFF
        return (
            tlv.encode(_APPLICATIONS, bytes((applications,)))
            + tlv.encode(_FREE, room.free(content).to_bytes(4, "big"))
            + tlv.encode(_FREE_VOLATILE, _VOLATILE.to_bytes(4, "big"))
        )
    return None
