"""Memory of the free area: what domains and slots take, by the charges of the spec, and when there is no room.

A chip writes an update beside what it replaces, so a slot pays twice for the larger of its two banks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.iso7816.status import SW
from kojin_card.simulator.security import Refused
from kojin_card.spec.free_area import globalplatform_spec

if TYPE_CHECKING:
    from kojin_card.simulator.content import Bank, ContentState, SlotState

_SIGNATURE, _BANK_HEAD, _FIELD_HEAD = 64, 16, 2


def bank_size(bank: Bank) -> int:
    """Bytes of one bank."""
    fields = sum(len(one.content) + len(one.rule) + _FIELD_HEAD for one in bank.fields)
    return _SIGNATURE + _BANK_HEAD + len(bank.descriptor) + fields


def slot_size(slot: SlotState) -> int:
    """Bytes that a slot takes."""
    banks = [bank_size(bank) for bank in slot.banks if bank is not None]
    return globalplatform_spec().number("slot_cost") + 2 * max(banks, default=0)


def used(content: ContentState, domain: bytes) -> int:
    """Bytes that a domain and its slots take of its quota; the issuer's has none and takes nothing."""
    own = sum(globalplatform_spec().number("domain_cost") for one in content.domains if one.aid == domain)
    return own + sum(slot_size(one) for one in content.slots if one.domain == domain)


def free(content: ContentState) -> int:
    """Bytes that the whole card has left."""
    taken = sum(used(content, one.aid) for one in content.domains)
    return max(globalplatform_spec().number("quota_total") - taken, 0)


def require_room(content: ContentState, domain: bytes) -> None:
    """Refuse a free area that is to be, where a domain has more in it than it may, or the card more than it can hold.

    Args:
        content: as it is going to be, with a new bank in its place already.
        domain: whose quota is asked first.

    Raises:
        Refused: 6A84.
    """
    owner = content.domain(domain)
    if owner is None or used(content, domain) > owner.quota:
        raise Refused(SW.NO_ROOM)
    taken = sum(used(content, one.aid) for one in content.domains)
    if taken > globalplatform_spec().number("quota_total"):
        raise Refused(SW.NO_ROOM)
