"""What is on the card, and in which state of its life: the registry that GET STATUS tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kojin_card.simulator.content import ContentState, DomainState, SlotState

LOCKED = 0x80
SELECTABLE, PERSONALIZED = 0x07, 0x0F
SECURED, CARD_LOCKED = 0x0F, 0x7F
#: security domain, card lock, content management without a token, deleting and locking of everything
ISSUERS_PRIVILEGES = b"\x90\x5c\x00"
#: security domain, content management without a token under itself
OWNERS_PRIVILEGES = b"\x80\x40\x00"
NO_PRIVILEGES = bytes(3)


def is_locked(one: DomainState | SlotState) -> bool:
    """Whether a domain or slot is locked."""
    return bool(one.life_cycle & LOCKED)


def is_card_locked(content: ContentState) -> bool:
    """Whether the card is locked: nothing of the free area but the issuer's domain can be selected."""
    return content.issuer.life_cycle == CARD_LOCKED
