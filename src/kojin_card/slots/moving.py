"""引越継続 at the new owner's desk: what a hand-over says, held against the card that lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.errors import NoSlot
from kojin_card.slots.applet import SlotApplet, select
from kojin_card.slots.desk import INSTALLED
from kojin_card.slots.hand_over import hand_over_in, refused
from kojin_card.spec.free_area import slot_applet_spec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kojin_card.slots.hand_over import HandOver
    from kojin_card.slots.own_domain import Opener, OwnSlot


def require_old_slot(opener: Opener, given: HandOver, operation: str) -> None:
    """The hand-over is for this card, and the slot that it hands over is on it and terminated.

    Raises:
        HandOverRefused: so it is not.
    """
    if given.card.encode("latin-1", "replace") != opener.card:
        raise refused("it is for another card")
    terminated = False
    try:
        terminated = select(opener.channel, given.aid, operation)
    except NoSlot:
        raise refused("the old slot is not on this card") from None
    finally:
        opener.channel.forget()
    if not terminated:
        raise refused("the old slot is not terminated")


def taken_on_card(opener: Opener, slots: Iterable[OwnSlot], given: bytes, operation: str) -> bytes | None:
    """AID of the slot of this owner that an earlier try made from the hand-over of that id; None: there is none.

    Raises:
        HandOverRefused: one of the owner's slots cannot be looked at, and may be it.
    """
    found: bytes | None = None
    for one in slots:
        if one.state == INSTALLED:
            continue
        if one.locked:  # it may be the one that took it over, and nobody can look
            raise refused("a slot of this owner is locked on this card: unlock it first")
        with opener.slot(one.aid, operation) as manager:
            content = SlotApplet(manager.session, one.aid).read(slot_applet_spec().number("descriptor_file"), operation)
        if isinstance(content, int):  # a refusal has no MAC: somebody in between may have said it
            raise refused("a slot of this owner does not say what it came from")
        if hand_over_in(content) == given:
            found = one.aid
    return found
