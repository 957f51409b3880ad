"""What carries the applications: what to do about a refusal on a smartphone is not what one does about a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.errors import KojinError, NotOnCard, PinBlocked, PinRejected, PinReserve

if TYPE_CHECKING:
    from kojin_card.card import Card

#: kind of token (card.md §2.6) -> the word for it in the catalogues; cards of today need none
CARRIERS = {"android": "phone", "iphone": "phone", "resident_registry_card": "registry_card"}


def carrier_of(card: Card) -> str:
    """``phone``, ``registry_card``, or nothing: an Individual Number Card, or one that does not say."""
    try:
        return CARRIERS.get(str(card.jpki.token().kind), "")
    except KojinError:
        return ""


def tell_carrier(error: BaseException | None, card: Card) -> None:
    """Add the carrier to the details of an error whose remedy depends on it; the card is asked, without a secret."""
    match error:
        case PinRejected() | PinBlocked() | PinReserve():
            depends = str(error.details.get("key", "")).startswith("jpki/")  # a smartphone has no other secret
        case NotOnCard():
            action, _, application = (error.operation or "").partition(" ")
            depends = action == "select" and application != "jpki"  # which would have to say it
        case _:
            return
    carrier = carrier_of(card) if depends else ""
    if carrier:
        error.details["carrier"] = carrier
