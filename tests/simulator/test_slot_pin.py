"""The slot PIN: tries, what costs one, what none, and power that goes just then."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from simulator.slot_world import (
    ACTIVE,
    PERSONALIZED,
    PIN,
    SUSPENDED,
    PowerCut,
    World,
    authorities,
    authority,
    issued_state,
    tlv,
)
from support import talk

if TYPE_CHECKING:
    from kojin_card.simulator import CardState


@pytest.fixture
def world(card_state: Callable[[str], CardState]) -> World:
    made = World(issued_state(card_state))
    made.bring_to(ACTIVE)
    return made


def test_tries_are_counted_down_and_restored(world: World) -> None:
    talk(
        world,
        "00200081 -> 63C3",
        "0020008104 30303030 -> 63C2",
        "00200081 -> 63C2",
        "0020008104 31333537 -> 9000",
        "00200081 -> 63C3",
        "0020008104 30303030 -> 63C2",
        "0020008104 30303030 -> 63C1",
        "power_off",
        "00200081 -> 63C1",
        "0020008104 30303030 -> 63C0",
        "0020008104 31333537 -> 6983",
        "0024008108 31333537 39393939 -> 6983",
        "00200081 -> 63C0",
    )
    assert world.owner("002C028104 39393939") == (b"", 0x9000)
    talk(world, "00200081 -> 63C3", "0020008104 31333537 -> 63C2", "0020008104 39393939 -> 9000")


def test_what_costs_no_try(world: World) -> None:
    talk(
        world,
        "0020008103 313335 -> 6700",
        "0020008105 3133353730 -> 6700",
        "0020008100 -> 6700",
        "0020008104 31333537 00 -> 6700",
        "0020018104 30303030 -> 6A86",
        "0020008004 30303030 -> 6A86",
        "0020008204 30303030 -> 6A86",
        "0024008104 31333537 -> 6700",
        "0024008108 30303030 3133353A -> 6A80",
        "0024018108 30303030 31333537 -> 6A86",
        "00200081 -> 63C3",
    )


def test_bytes_that_are_no_digits_are_a_wrong_value(world: World) -> None:
    talk(world, "0020008104 00000000 -> 63C2", "0020008104 31333537 -> 9000")


def test_a_wrong_value_ends_what_an_earlier_right_one_opened(world: World) -> None:
    assert world.holder() == 0x9000
    assert world.read(2)[1] == 0x9000
    assert world.holder(b"0000") == 0x63C2
    assert world.read(2)[1] == 0x6982
    assert world.holder() == 0x9000
    assert world.say("0024008108 30303030 39393939")[1] == 0x63C2
    assert world.read(2)[1] == 0x6982


def test_change_takes_the_old_value_and_counts_as_its_verification(world: World) -> None:
    assert world.say("0024008108 31333537 39383736") == (b"", 0x9000)
    assert world.read(2)[1] == 0x9000
    world.power_off()
    assert world.read(2)[1] == 0x6982
    assert world.holder() == 0x63C2
    assert world.holder(b"9876") == 0x9000


@pytest.mark.parametrize("level", [0x01, 0x11])
def test_the_owner_gives_a_new_pin_enciphered_only(world: World, level: int) -> None:
    assert world.owner("002C028104 39393939", level) == (b"", 0x6982)
    assert world.say("002C028104 39393939") == (b"", 0x6982)
    assert world.owner("002C028104 39393939", 0x03) == (b"", 0x9000)


def test_a_new_pin_of_the_owner_ends_the_holders_stay(world: World) -> None:
    assert world.holder() == 0x9000
    for wrong, word in (
        ("002C028103 393939", 0x6700),
        ("002C028104 3939393A", 0x6A80),
        ("002C008104 39393939", 0x6A86),
    ):
        assert world.owner(wrong) == (b"", word)
    assert world.read(2)[1] == 0x9000
    assert world.owner("002C028104 39393939") == (b"", 0x9000)
    assert world.read(2)[1] == 0x6982
    assert world.holder() == 0x63C2


def test_a_slot_without_a_pin(card_state: Callable[[str], CardState]) -> None:
    world = World(issued_state(card_state))
    world.personalize(authorities(authority()))
    for state in (PERSONALIZED, ACTIVE, SUSPENDED):
        if state != PERSONALIZED:
            world.go(state)
        assert world.say("00200081")[1] == 0x6A88
        assert world.say("0020008104 31333537")[1] == 0x6A88
        assert world.say("0024008108 31333537 39393939")[1] == 0x6A88
        assert world.owner("002C028104 39393939")[1] == 0x6A88
    assert world.store(world.record(SUSPENDED, extra=tlv("C7", b"4321"))) == 0x9000
    assert world.holder(b"4321") == 0x9000


def test_a_full_update_with_a_pin_restores_the_tries(world: World) -> None:
    for left in (2, 1, 0):
        assert world.holder(b"0000") == 0x63C0 | left
    assert world.store(world.record(ACTIVE)) == 0x9000
    world.counter += 1
    assert world.holder() == 0x6983
    assert world.store(world.record(ACTIVE, extra=tlv("C7", b"4321"))) == 0x9000
    assert world.holder(b"4321") == 0x9000


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("command", ["0020008104", "0024008108"])
def test_no_cut_of_the_power_wins_a_try(world: World, command: str, number: int, *, done: bool) -> None:
    """A wrong value has one write, a right one two; what was spent before the cut stays spent."""
    new = b"9999" if command.startswith("0024") else b""
    for value in (b"0000", PIN):
        if value != PIN and number:
            continue
        world.power_off()
        world.owner(b"\x00\x2c\x02\x81\x04" + PIN)
        world.memory.commits, world.memory.cut = 0, (number, done)
        with pytest.raises(PowerCut):
            world.say(bytes.fromhex(command) + value + new)
        world.power_off()
        spent = (number, done) in ((0, True), (1, False))
        assert world.say("00200081")[1] == (0x63C2 if spent else 0x63C3)
        changed = bool(new) and value == PIN and (number, done) == (1, True)
        assert world.holder(new if changed else PIN) == 0x9000


def test_endless_cuts_open_nothing(world: World) -> None:
    for left in (2, 1, 0):
        world.memory.commits, world.memory.cut = 0, (0, True)
        with pytest.raises(PowerCut):
            world.holder()
        world.power_off()
        assert world.say("00200081")[1] == 0x63C0 | left
    assert world.holder() == 0x6983


def test_a_memory_that_fails_gives_no_answer_to_guess_from(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_state: object) -> None:
        raise OSError("no")

    world.open()
    monkeypatch.setattr(world.memory, "commit", full)
    assert {world.holder(), world.holder(b"0000")} == {0x6581}
    assert world.say("0024008108 31333537 39393939")[1] == 0x6581
    assert world.owner("002C028104 39393939")[1] == 0x6581
