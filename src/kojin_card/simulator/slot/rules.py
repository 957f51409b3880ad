"""Who may do what at a slot, and in which state: the rules of the spec, brought to the one access decision.

The decision itself is :meth:`kojin_card.simulator.security.Security.require`. A rule comes before the state, so that a
passer-by learns from a closed command nothing about the state of a service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.iso7816.status import SW
from kojin_card.simulator.security import Refused
from kojin_card.simulator.slot.visit import Visit
from kojin_card.spec.access import Access
from kojin_card.spec.free_area import slot_applet_spec

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from kojin_card.iso7816.apdu import CommandApdu
    from kojin_card.simulator.content import SlotState
    from kojin_card.simulator.context import Context
    from kojin_card.spec.free_area import CommandSpec, StateSpec

TERMINAL, HOLDER, OWNER = "role:terminal", "key:slot_pin", "role:owner"
_INSTALLED = "installed"


def admit(card: Context, command: str, apdu: CommandApdu) -> SlotState:
    """The slot that a command is for, when its parameters, its rule and the state let it work.

    Args:
        command: id of the command in the spec.

    Raises:
        Refused: in this order: 6985 (no slot is current), 6A86, 6982, 6985.
    """
    spec, slot = slot_applet_spec().commands[command], card.slot
    for wanted, given in ((spec.p1, apdu.p1), (spec.p2, apdu.p2)):
        if wanted is not None and wanted != given:
            raise Refused(SW.INCORRECT_P1P2)
    if spec.access is not None:
        card.security.require(spec.access)
    require_state(spec, slot)
    return slot


def require_state(spec: CommandSpec, slot: SlotState) -> None:
    """The command works in the state that the slot is in.

    Raises:
        Refused: 6985.
    """
    if state(slot).id not in spec.states:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)


def require_enciphered(card: Context) -> None:
    """What the owner writes does not pass the reader in clear (``owner_level`` of the spec).

    Raises:
        Refused: 6982.
    """
    least = slot_applet_spec().number("owner_level")
    if card.security.level & least != least:
        raise Refused(SW.SECURITY_NOT_SATISFIED)


def state(slot: SlotState) -> StateSpec:
    """The state of a slot: that of its valid bank, and "installed" before there is one.

    Raises:
        Refused: 6581, a byte that is no state: memory that nobody of us wrote.
    """
    spec = slot_applet_spec()
    if slot.bank is None:
        return spec.states[_INSTALLED]
    found = spec.state(slot.bank.state)
    if found is None or found.id == _INSTALLED:
        raise Refused(SW.MEMORY_FAILURE)
    return found


def field_access(rule: bytes, sfi: int, terminal: AbstractSet[int]) -> Access:
    """The rule of one field as an access rule; the owner may always read.

    Args:
        rule: alternatives, a byte each (:class:`kojin_card.simulator.content.FieldState`).
        sfi: short identifier of the field.
        terminal: short identifiers that the terminal here may read: for every other field it is no terminal.
    """
    spec = slot_applet_spec()
    by_terminal, by_holder = spec.number("rule_terminal"), spec.number("rule_holder")
    alternatives = [frozenset({OWNER})]
    for alternative in rule:
        if alternative & ~(by_terminal | by_holder):
            continue  # a bit that means nothing opens nothing
        if not alternative:
            return Access(always=True)
        if alternative & by_terminal and sfi not in terminal:
            continue
        terms = {TERMINAL} if alternative & by_terminal else set()
        alternatives.append(frozenset(terms | ({HOLDER} if alternative & by_holder else set())))
    return Access(tuple(alternatives))


def visit(card: Context) -> Visit:
    """What is kept of this stay: at the slot, or at its domain while that personalizes it."""
    if card.security.visit is None:
        card.security.visit = Visit()
    return card.security.visit


def end_terminal(card: Context) -> None:
    """No terminal is here any more."""
    card.security.shown.discard(TERMINAL)
    visit(card).terminal = frozenset()


def end_holder(card: Context) -> None:
    """The slot PIN counts as not verified."""
    card.security.shown.discard(HOLDER)
