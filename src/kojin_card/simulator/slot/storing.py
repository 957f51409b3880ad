"""STORE DATA: the owner writes a record, a state, settings.

Everything is checked before anything is written. A new version goes into the bank that is not valid (one write), and
then counter, newest date, settings, PIN and the choice of the bank change together (another write): whenever the power
goes, the slot holds the old version or the new one, and the same series can be sent again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kojin_card.iso7816.status import SW
from kojin_card.simulator.content import Bank
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.management.room import require_room
from kojin_card.simulator.security import Refused
from kojin_card.simulator.slot import rules
from kojin_card.simulator.slot.pin import with_pin
from kojin_card.simulator.slot.series import Series, read_series
from kojin_card.simulator.slot.visit import Incoming
from kojin_card.spec.free_area import slot_applet_spec

if TYPE_CHECKING:
    from kojin_card.simulator.content import SlotState

_MORE, _LAST = 0x10, 0x90  # P1: BER-TLV in it; more blocks follow, or none


def store_data(card: Context, command: Received) -> Answer:
    """One block. The last one does the work; any refusal, also of a block before, ends the series.

    Raises:
        Refused: in this order: 6A86 (P1), 6982, 6985 (state), 6A86 (number of the block), 6700 (no data), 6A84 (more
            than a series holds), and what :func:`read_series` and :func:`apply` refuse.
    """
    visit = rules.visit(card)
    incoming, visit.incoming = visit.incoming, None
    apdu = command.apdu
    if apdu.p1 not in (_MORE, _LAST):
        raise Refused(SW.INCORRECT_P1P2)
    slot = rules.admit(card, "store_data", apdu)
    rules.require_enciphered(card)
    channel = card.security.channel
    if apdu.p2 == 0:
        incoming = Incoming(slot.aid, channel)
    if incoming is None or incoming.slot != slot.aid or incoming.channel is not channel or incoming.blocks != apdu.p2:
        raise Refused(SW.INCORRECT_P1P2)
    if not apdu.data:
        raise Refused(SW.WRONG_LENGTH)
    incoming.blocks += 1
    incoming.data += apdu.data
    if len(incoming.data) > slot_applet_spec().number("store_most"):
        raise Refused(SW.NO_ROOM)
    if apdu.p1 == _MORE:
        visit.incoming = incoming
        return Answer(SW.OK)
    apply(card, slot, read_series(bytes(incoming.data)))
    return Answer(SW.OK)


def apply(card: Context, slot: SlotState, series: Series) -> None:
    """Do what a series says, all or nothing.

    Raises:
        Refused: 6985 (counter, transition), 6A84; 6581, it could not be kept.
    """
    bank = new_bank(slot, series)
    if bank is not None:
        inactive = 0 if slot.active is None else 1 - slot.active
        beside = card.content_state.with_slot(slot.aid, lambda one: _with_bank(one, inactive, bank))
        require_room(beside, slot.domain)
        card.commit_content(beside)
    else:
        inactive = None
    card.commit_content(card.content_state.with_slot(slot.aid, lambda one: _flipped(one, series, bank, inactive)))
    if series.authorities is not None or series.groups is not None:
        rules.end_terminal(card)  # who was let in by other settings is not let in by these
    if series.pin is not None:
        rules.end_holder(card)


def new_bank(slot: SlotState, series: Series) -> Bank | None:
    """The version that a series makes; None when it has settings alone.

    Raises:
        Refused: 6985, the counter is not one more, or the state may not follow.
    """
    signed = series.signed
    if signed is None:
        return None
    if signed.counter != slot.counter + 1 or not _may_follow(slot, series):
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    record = series.record or slot.bank
    if record is None:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    return Bank(signed.state, signed.counter, signed.date, record.descriptor, record.fields, signed.signature)


def _may_follow(slot: SlotState, series: Series) -> bool:
    """Whether the state of a series may follow that of the slot: by the spec, or the same one with a new record."""
    current = rules.state(slot)
    wanted = slot_applet_spec().state(series.signed.state) if series.signed is not None else None
    if wanted is None:
        return False
    return wanted.id in current.to or (series.record is not None and slot.bank is not None and wanted == current)


def _with_bank(slot: SlotState, place: int, bank: Bank) -> SlotState:
    first, second = slot.banks
    return replace(slot, banks=(bank, second) if place == 0 else (first, bank))


def _flipped(slot: SlotState, series: Series, bank: Bank | None, place: int | None) -> SlotState:
    if bank is not None:
        slot = replace(slot, active=place, counter=bank.counter, newest=max(slot.newest, bank.date))
    if series.authorities is not None:
        slot = replace(slot, authorities=series.authorities)
    if series.groups is not None:
        slot = replace(slot, groups=series.groups)
    return with_pin(slot, series.pin) if series.pin is not None else slot
