"""The slot PIN: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER.

A try is spent in memory before the comparison, as everywhere on this card (:mod:`kojin_card.simulator.security`).
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import TYPE_CHECKING

from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.security import Refused
from kojin_card.simulator.slot import rules
from kojin_card.spec.free_area import slot_applet_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator.content import SlotState

_TRIES_LEFT = 0x63C0


def verify(card: Context, command: Received) -> Answer:
    """VERIFY, and without data the question how many tries are left, which costs none.

    A value of four bytes that are no digits is a wrong value; one of another length is 6700 and no try.
    """
    apdu = command.apdu
    slot = _with_pin(card, rules.admit(card, "verify", apdu))
    if apdu.le is not None:
        raise Refused(SW.WRONG_LENGTH)
    if not apdu.data:
        return Answer(_TRIES_LEFT | slot.tries_left)
    if len(apdu.data) != _length():
        raise Refused(SW.WRONG_LENGTH)
    return Answer(_compare(card, slot, apdu.data, _restored))


def change_reference_data(card: Context, command: Received) -> Answer:
    """Old PIN, new PIN. The new one is looked at first: what it lacks costs no try. The right old one is a VERIFY."""
    apdu = command.apdu
    slot = _with_pin(card, rules.admit(card, "change_reference_data", apdu))
    if len(apdu.data) != 2 * _length():
        raise Refused(SW.WRONG_LENGTH)
    old, new = apdu.data[: _length()], apdu.data[_length() :]
    if not slot.tries_left:
        raise Refused(SW.AUTH_METHOD_BLOCKED)
    require_form(new)
    return Answer(_compare(card, slot, old, lambda one: with_pin(one, new)))


def reset_retry_counter(card: Context, command: Received) -> Answer:
    """A new PIN and all tries, by the owner; who had verified the old one has to begin again."""
    apdu = command.apdu
    rules.admit(card, "reset_retry_counter", apdu)
    rules.require_enciphered(card)
    slot = _with_pin(card, card.slot)
    if len(apdu.data) != _length():
        raise Refused(SW.WRONG_LENGTH)
    require_form(apdu.data)
    _commit(card, slot, lambda one: with_pin(one, apdu.data))
    rules.end_holder(card)
    return Answer(SW.OK)


def require_form(value: bytes) -> None:
    """A new PIN has the digits that the spec asks for.

    Raises:
        Refused: 6A80.
    """
    if len(value) != _length() or set(value) - set(b"0123456789"):
        raise Refused(SW.WRONG_DATA)


def with_pin(slot: SlotState, value: bytes) -> SlotState:
    """The slot with another PIN and all its tries."""
    tries = slot_applet_spec().number("pin_tries")
    return replace(slot, pin=value, tries_left=tries, tries_full=tries)


def _restored(slot: SlotState) -> SlotState:
    return replace(slot, tries_left=slot.tries_full)


def _compare(card: Context, slot: SlotState, value: bytes, right: Callable[[SlotState], SlotState]) -> int:
    """Status word of a comparison; a right value commits what ``right`` makes of the slot, a wrong one ends an earlier
    right one.

    Raises:
        Refused: 6983; 6581, the try could not be recorded.
    """
    rules.end_holder(card)
    if slot.tries_left <= 0:
        raise Refused(SW.AUTH_METHOD_BLOCKED)
    left = slot.tries_left - 1
    _commit(card, slot, lambda one: replace(one, tries_left=left))
    if slot.pin is None or not hmac.compare_digest(slot.pin, value):
        return _TRIES_LEFT | left
    _commit(card, slot, right)
    card.security.shown.add(rules.HOLDER)
    return SW.OK


def _with_pin(card: Context, slot: SlotState) -> SlotState:
    """The slot, when it has a PIN and its counter may be told.

    Raises:
        Refused: 6A88; 6581, the card file was taken away: a counter that may stand otherwise elsewhere is not told.
    """
    if slot.pin is None:
        raise Refused(SW.REFERENCE_NOT_FOUND)
    try:
        card.memory.require_present()
    except OSError:
        raise Refused(SW.MEMORY_FAILURE) from None
    return slot


def _commit(card: Context, slot: SlotState, change: Callable[[SlotState], SlotState]) -> None:
    card.commit_content(card.content_state.with_slot(slot.aid, change))


def _length() -> int:
    return slot_applet_spec().number("pin_length")
