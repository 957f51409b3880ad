"""Slots that are rightly signed, of known owners, and mean something else than who acts on them takes them for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from client.slots_world import (
    BASIS,
    FACILITY,
    FACILITY_AID,
    NEXT_TOWN,
    NOW,
    PIN,
    SEAL_AID,
    TOWN,
    World,
    clock,
    keys,
    store,
    terminal_key,
    used,
    with_domains,
)
from kojin_card.errors import HandOverRefused, NoSlot, SlotConflict
from kojin_card.secret import Secret
from kojin_card.simulator import SoftCard
from kojin_card.slots import FileLedger, HandOver, SlotIssuer
from kojin_card.slots.hand_over import require_good
from kojin_card.spec.owner import Owner
from kojin_card.spec.service import FieldError, load_services
from kojin_card.verdict import CheckId, CheckState, Indication

if TYPE_CHECKING:
    from pathlib import Path

    from kojin_card.slots import CardStanding, SlotReading
    from kojin_card.spec.service import Service

FIRM = Owner.parse("private:7000012050002")


def facility(**changes: object) -> Service:
    return replace(load_services()["facility"], **changes)  # type: ignore[arg-type]


def desk_with(world: World, service: Service, owner: Owner = TOWN) -> SlotIssuer:
    """A town's desk that means something of its own by a service's id."""
    return SlotIssuer(world.channel, keys(owner), {service.id: service}, owners=store(), clock=clock)


def slots(card: SoftCard) -> object:
    assert card.state.content is not None
    return card.state.content.slots


@pytest.mark.attack("slots", "a library card where a kiosk asked for a seal registration", "NoSlot, no PIN shown")
def test_a_slot_that_is_named_is_of_the_service_that_is_asked_for() -> None:
    _, world = used()
    with pytest.raises(NoSlot):
        world.terminal().read(FACILITY_AID, service="seal_registration")
    with pytest.raises(NoSlot):
        world.terminal(terminal_key("kiosk")).read(SEAL_AID, service="facility", pin=Secret("0000"))
    assert world.directory().tries_left(SEAL_AID) == 3
    assert world.terminal(terminal_key("kiosk")).read(SEAL_AID, service="seal_registration", pin=Secret(PIN)).values


def endless() -> SlotReading:
    """A town whose own definition, of the same id and version, wants no last day."""
    world = World.at(SoftCard.in_memory(with_domains()))
    fields = facility().fields
    loose = facility(fields={**fields, "valid_until": replace(fields["valid_until"], optional=True)})
    values = {name: text for name, text in FACILITY.items() if name != "valid_until"}
    desk_with(world, loose).issue("facility", values, legal_basis=BASIS, instance=FACILITY_AID)
    return world.terminal().read(FACILITY_AID)


@pytest.mark.attack("slots", "a record without the last day that its service always has", "INDETERMINATE")
def test_a_record_without_a_field_that_must_be_there_does_not_pass() -> None:
    verdict = endless().verdict
    assert verdict.indication is Indication.INDETERMINATE
    assert set(verdict.reasons) == {"slot_content.undefined", "slot_validity.unread"}


@pytest.mark.attack("slots", "a record whose day of issue is to come", "slot_validity.not_yet")
def test_what_is_issued_for_a_day_to_come_is_not_valid_yet() -> None:
    _, world = used()
    world.desk().update(FACILITY_AID, {"issued": "2027-04-01"})
    reading = world.terminal().read(FACILITY_AID)
    assert reading.verdict.reasons == ("slot_validity.not_yet",)


class Broken:
    """A source of standings whose network is down."""

    def status(self, card_identification: str, at: datetime) -> CardStanding:
        raise OSError(f"no route for {card_identification} at {at}")


def test_a_source_that_raises_has_not_vouched_for_the_card() -> None:
    _, world = used()
    verdict = world.terminal(status=Broken()).read(FACILITY_AID).verdict
    (check,) = (one for one in verdict.checks if one.id is CheckId.CARD_STANDING)
    assert (check.state, check.reason) == (CheckState.UNKNOWN, "card_standing.unknown")
    assert check.evidence == {"why": "unreachable"}
    assert verdict.indication is Indication.INDETERMINATE


@pytest.mark.attack("slots", "a hand-over signed by an owner who may not have the service", "HandOverRefused")
def test_a_company_hands_no_library_card_over() -> None:
    _, world = used()
    files: list[bytes] = []
    world.desk().hand_over(FACILITY_AID, NEXT_TOWN, files.append)
    forged = replace(HandOver.decode(files[0]), old=FIRM).signed(keys(FIRM).record)
    with pytest.raises(HandOverRefused, match="of a kind"):
        require_good(forged, NEXT_TOWN, keys(FIRM).public("", ""), load_services(), NOW.date())


@pytest.mark.attack("slots", "an ended slot handed over again, to another owner", "HandOverRefused at the old desk")
def test_a_desk_with_a_ledger_hands_a_slot_over_to_one_owner_only(tmp_path: Path) -> None:
    card, world = used()
    ledger, files = FileLedger(tmp_path / "ledger"), list[bytes]()

    def desk() -> SlotIssuer:
        return SlotIssuer(world.channel, keys(TOWN), load_services(), owners=store(), clock=clock, ledger=ledger)

    made = desk().hand_over(FACILITY_AID, NEXT_TOWN, files.append)
    assert desk().hand_over(FACILITY_AID, NEXT_TOWN, files.append).id == made.id  # the lost file, once more
    before = slots(card)
    with pytest.raises(HandOverRefused, match="another owner before"):
        desk().hand_over(FACILITY_AID, Owner.parse("municipality:13104"), files.append)
    assert (len(files), slots(card)) == (2, before)


@pytest.mark.attack("slots", "a suspended slot made active by moving", "SlotConflict")
def test_a_suspended_slot_does_not_become_active_by_a_move() -> None:
    _, world = used()
    world.desk().suspend(FACILITY_AID)
    kept: list[bytes] = []
    with pytest.raises(SlotConflict):
        world.desk().hand_over(FACILITY_AID, NEXT_TOWN, kept.append)
    assert not kept
    assert world.desk().show(FACILITY_AID).state == "suspended"


def test_a_desk_that_is_behind_takes_nothing_out_of_a_newer_record() -> None:
    card, world = used()
    newer = facility(version=2)
    desk_with(world, newer).update(FACILITY_AID, FACILITY)
    before = slots(card)
    for change in (lambda: world.desk().update(FACILITY_AID, {}), lambda: world.desk().renew(FACILITY_AID)):
        with pytest.raises(SlotConflict):
            change()
    assert slots(card) == before


def test_no_value_of_one_version_is_carried_into_another() -> None:
    """What a field means changes with the version: what stands there is not signed anew as something else."""
    _, world = used()
    fields = facility().fields
    swapped = {
        **fields,
        "category": replace(fields["category"], sfi=2),
        "facility_group": replace(fields["facility_group"], sfi=3),
    }
    desk = desk_with(world, facility(version=2, fields=swapped))
    with pytest.raises(FieldError):
        desk.update(FACILITY_AID, {"category": "student"})
    assert desk.update(FACILITY_AID, FACILITY).written
    assert desk.show(FACILITY_AID).values == {**FACILITY, "issued": "2026-11-27"}


@pytest.mark.attack("slots", "fields under a descriptor that nobody signed", "slot_content.mismatch, no value")
def test_a_descriptor_that_nobody_signed_gives_no_field_a_meaning() -> None:
    from attacks.test_slots import evidence, judged
    from kojin_card.spec import descriptor as descriptors

    one = evidence()
    assert one.descriptor is not None
    other = descriptors.encode(replace(one.descriptor, name="別の名前"), bytes(16))
    reading = judged(replace(one, descriptor_content=other, descriptor=descriptors.decode(other)))
    assert "slot_content.mismatch" in reading.verdict.reasons
    assert not reading.values
