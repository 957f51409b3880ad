"""What is on the card, and in which state of its life: the registry that GET STATUS tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kojin_card.simulator.content import ContentState, DomainState, SlotState

LOCKED = 0x80
OP_READY, INITIALIZED, SECURED, CARD_LOCKED, TERMINATED = 0x01, 0x07, 0x0F, 0x7F, 0xFF


def is_locked(one: DomainState | SlotState) -> bool:
    """Whether a domain or slot is locked."""
    return bool(one.life_cycle & LOCKED)


def is_card_locked(content: ContentState) -> bool:
    """Whether the card is locked: nothing of the free area but the issuer's domain can be selected."""
    return content.issuer.life_cycle in (CARD_LOCKED, TERMINATED)
