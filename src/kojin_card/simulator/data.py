"""GET DATA (card.md §2.5): the card manager's objects, while the card manager is current."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.security import Refused

if TYPE_CHECKING:
    from kojin_card.spec.model import ObjectSpec


def get_data(card: Context, command: Received) -> Answer:
    """The value of the object whose tag P1 and P2 are, without tag and length.

    Refusals, in this order: 6700 without Le or with data, 6A88 for what does not answer here or is not on this card,
    6982, 6700 for a short Le where the object needs an extended one. A short Le otherwise gives the start (assumption).
    """
    apdu = command.apdu
    if apdu.data or apdu.le is None:
        raise Refused(SW.WRONG_LENGTH)
    owner, spec = _find(card, bytes((apdu.p1, apdu.p2)))
    card.security.require(spec.read)
    if spec.long and not command.extended:
        raise Refused(SW.WRONG_LENGTH)
    return Answer(SW.OK, card.memory.state.applications[owner].objects[spec.id][: apdu.le])


def _find(card: Context, tag: bytes) -> tuple[str, ObjectSpec]:
    """The object that answers to ``tag`` in the present state, and the application that it belongs to.

    Raises:
        Refused: 6A88.
    """
    for name, content in card.memory.state.applications.items():
        spec = card.spec[name].by_tag(tag)
        if spec is None or spec.id not in content.objects:
            continue
        at_home = name == card.security.application
        if at_home and spec.everywhere and not card.memory.state.knobs.contact_atr_at_power_on:
            continue
        if at_home or spec.everywhere:
            return name, spec
    raise Refused(SW.REFERENCE_NOT_FOUND)
