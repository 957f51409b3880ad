"""Power lost at each write of each STORE DATA: the old record or the new one, whole, readable and repeatable."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import pytest

from simulator.slot_world import (
    ACTIVE,
    DESCRIPTOR,
    FIELDS,
    INSTALLED,
    PERSONALIZED,
    PIN,
    RECORD_KEY,
    SUSPENDED,
    TERMINATED,
    PowerCut,
    World,
    authorities,
    authority,
    blocks,
    compressed,
    content,
    groups,
    issued_state,
    objects,
    tlv,
    verify,
)

if TYPE_CHECKING:
    from kojin_card.simulator import CardState
    from kojin_card.simulator.content import SlotState


class Operation(NamedTuple):
    """One series.

    Attributes:
        start: state of the slot before. to: after.
        make: the series.
        version: of the record after it; 0: none.
    """

    name: str
    start: int
    to: int
    make: Callable[[World], bytes]
    version: int
    writes: int = 2


SETTINGS = authorities(authority()) + groups("library")
OPERATIONS = [
    Operation(
        "the first record",
        INSTALLED,
        PERSONALIZED,
        lambda world: world.record(PERSONALIZED, extra=SETTINGS + tlv("C7", PIN)),
        1,
    ),
    Operation("the first record, nothing else", INSTALLED, PERSONALIZED, lambda world: world.record(PERSONALIZED), 1),
    Operation("activation", PERSONALIZED, ACTIVE, lambda world: world.change(ACTIVE), 1),
    Operation("an update", ACTIVE, ACTIVE, lambda world: world.record(ACTIVE, version=2), 2),
    Operation(
        "an update with settings and PIN",
        ACTIVE,
        ACTIVE,
        lambda world: world.record(ACTIVE, version=2, extra=SETTINGS + tlv("C7", b"8642")),
        2,
    ),
    Operation("an update that suspends", ACTIVE, SUSPENDED, lambda world: world.record(SUSPENDED, version=2), 2),
    Operation("a suspension", ACTIVE, SUSPENDED, lambda world: world.change(SUSPENDED, date="20261225"), 1),
    Operation("a resumption", SUSPENDED, ACTIVE, lambda world: world.change(ACTIVE), 1),
    Operation("a termination", SUSPENDED, TERMINATED, lambda world: world.change(TERMINATED), 1),
    Operation("settings", ACTIVE, ACTIVE, lambda _world: SETTINGS, 1, 1),
    Operation("settings of an empty slot", INSTALLED, INSTALLED, lambda _world: SETTINGS, 0, 1),
]
CUTS = [
    pytest.param(one, number, done, id=f"{one.name}, write {number + 1}, {'done' if done else 'lost'}")
    for one in OPERATIONS
    for number in range(one.writes)
    for done in (False, True)
]


def told(world: World) -> tuple[object, ...]:
    """Everything that the owner can read, whole and consistent, its signature verified."""
    status = dict(objects(world.owner("00CADF6200")[0]))
    settings = world.owner("00CADF6400")[0]
    if status["83"] == b"\x00":
        assert world.owner("00B09E0000")[1] == 0x6A82
        return status, settings, world.slot.pin
    file = world.as_owner(30)
    signature, body = file[-64:], file[:-66]
    verify(compressed(RECORD_KEY), signature, b"kojin-slot-record-v1\x00" + body)
    parts = objects(objects(body)[0][1])
    named = dict(parts)
    assert (named["82"], named["83"]) == (status["82"], status["83"]), (
        "the card's counter and state are the signed ones"
    )
    assert named["88"] == hashlib.sha256(b"\x1d" + world.as_owner(29)).digest()
    fields = {}
    for _, entry in objects(named["A7"]):
        octets = world.as_owner(entry[0])
        assert hashlib.sha256(entry[:1] + octets).digest() == entry[1:]
        fields[entry[0]] = octets
    return status, settings, world.slot.pin, file, fields


def without_inactive_bank(slot: SlotState) -> object:
    return slot.bank, slot.counter, slot.newest, slot.pin, slot.tries_left, slot.authorities, slot.groups


@pytest.mark.parametrize(("operation", "number", "done"), CUTS)
def test_the_old_record_or_the_new_one(
    card_state: Callable[[str], CardState], operation: Operation, number: int, *, done: bool
) -> None:
    world = World(issued_state(card_state))
    world.bring_to(operation.start)
    before, behind = told(world), without_inactive_bank(world.slot)
    series = operation.make(world)
    world.open()
    world.memory.commits, world.memory.cut = 0, (number, done)
    with pytest.raises(PowerCut):
        world.store(series)
    world.power_off()
    new = done and number == operation.writes - 1
    if not new:
        assert told(world) == before
        assert without_inactive_bank(world.slot) == behind
    assert world.say("00B0850000")[1] != 0x6F00
    # and again: a series that was done is a replay, one that was not is done now
    again = world.store(series)
    assert again == (0x6985 if new and operation.writes == 2 else 0x9000)
    after = told(world)
    status = after[0]
    assert isinstance(status, dict)
    assert status["83"] == bytes((operation.to,))
    if operation.version:
        assert world.as_owner(29) == DESCRIPTOR
        assert {sfi: world.as_owner(sfi) for sfi in FIELDS} == {sfi: content(sfi, operation.version) for sfi in FIELDS}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_each_series_has_as_many_writes_as_the_table_cuts(
    card_state: Callable[[str], CardState], operation: Operation
) -> None:
    world = World(issued_state(card_state))
    world.bring_to(operation.start)
    series = operation.make(world)
    world.open()
    world.memory.commits = 0
    assert world.store(series) == 0x9000
    assert world.memory.commits == operation.writes


def test_power_lost_between_any_two_blocks_writes_nothing(card_state: Callable[[str], CardState]) -> None:
    world = World(issued_state(card_state))
    world.bring_to(ACTIVE)
    series = blocks(world.record(ACTIVE, version=2), 64)
    for number in range(len(series)):
        world.open()
        before = world.memory.state.content
        for block in series[:number]:
            assert world.owner(block)[1] == 0x9000
        world.power_off()
        assert world.memory.state.content == before
        assert number == 0 or world.owner(series[number])[1] == 0x6A86
    assert [world.owner(block)[1] for block in series] == [0x9000] * len(series)


@pytest.mark.parametrize("number", [0, 1])
def test_a_memory_that_fails_is_told_and_leaves_the_old_record(
    card_state: Callable[[str], CardState], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    world = World(issued_state(card_state))
    world.bring_to(ACTIVE)
    before = told(world)
    commit, begun = world.memory.commit, []

    def failing(state: CardState) -> None:
        begun.append(state)
        if len(begun) == number + 1:
            raise OSError("full")
        commit(state)

    series = world.record(ACTIVE, version=2)
    monkeypatch.setattr(world.memory, "commit", failing)
    assert world.store(series) == 0x6581
    assert told(world) == before
    assert world.store(series) == 0x9000


def test_many_updates_alternate_between_two_banks(card_state: Callable[[str], CardState]) -> None:
    world = World(issued_state(card_state))
    world.bring_to(ACTIVE)
    seen = []
    for version in range(2, 12):
        world.update(version)
        seen.append(world.slot.active)
        assert world.slot.counter == world.counter
        told(world)
    assert seen == [0, 1] * 5 or seen == [1, 0] * 5
