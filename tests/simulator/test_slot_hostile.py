"""Whatever comes in, a slot answers with a word of its own, keeps what it holds, and is the same read from a file."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from kojin_card.simulator import cardformat
from kojin_card.spec.load import load_card_spec
from simulator.slot_world import (
    ACTIVE,
    DOMAIN,
    PERSONALIZED,
    PIN,
    SLOT,
    SUSPENDED,
    PowerCut,
    World,
    authorities,
    authority,
    blocks,
    certificate,
    external,
    groups,
    issued_state,
    tlv,
)

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

SELECT_DOMAIN = b"\x00\xa4\x04\x0c\x0e" + DOMAIN
FOR_PERSONALIZATION = b"\x80\xe6\x20\x00\x14" + b"\x00\x00\x0e" + SLOT + b"\x00\x00\x00"


def mutated(chance: random.Random, command: bytes) -> bytes:
    """A command with a few bytes changed, taken out or put in."""
    octets = bytearray(command)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(octets) + 1)
        match chance.randrange(4):
            case 0 if at < len(octets):
                octets[at] = chance.randrange(256)
            case 1 if at < len(octets) and len(octets) > 5:
                del octets[at]
            case 2:
                octets.insert(at, chance.choice((0x00, 0x80, 0x82, 0xFF, chance.randrange(256))))
            case _ if at < len(octets):
                octets[at] ^= 1 << chance.randrange(8)
    return bytes(octets)


def usual(world: World) -> list[bytes]:
    """What everybody says to a slot."""
    return [
        *(bytes((0x00, 0xB0, 0x80 | sfi, 0x00, 0x00)) for sfi in (1, 5, 29, 30)),
        *(bytes.fromhex(f"00CADF6{n}00") for n in range(1, 5)),
        bytes.fromhex("0084000010"),
        bytes.fromhex("0088000008 0102030405060708 00"),
        bytes.fromhex("0020008104") + PIN,
        bytes.fromhex("0024008108") + PIN + PIN,
        bytes.fromhex("002C028104") + PIN,
        world.authenticate(certificate(), bytes(16)),
        external(certificate()),
        *blocks(world.record(ACTIVE)),
        *blocks(world.change(SUSPENDED)),
        *blocks(authorities(authority()) + groups("a")),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_mutated_commands_in_clear_change_tries_and_dates_at_most(
    card_state: Callable[[str], CardState], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a choice of tests, not of keys
    world = World(issued_state(card_state))
    world.bring_to(ACTIVE)
    known = usual(world)
    before = world.slot
    for _ in range(600):
        command = mutated(chance, chance.choice(known))
        if command[1:2] in (b"\xa4", b"\x50"):
            continue
        octets, word = world.say(command)
        assert word != 0x6F00, command.hex()
        assert not octets or word == 0x9000, command.hex()
        if chance.random() < 0.1:
            world.select()
    after = world.slot
    assert (after.banks, after.active, after.counter, after.authorities) == (
        before.banks,
        before.active,
        before.counter,
        before.authorities,
    )
    assert after.card_key == before.card_key


@pytest.mark.parametrize("seed", range(4))
def test_mutated_series_of_the_owner_are_taken_whole_or_not_at_all(
    card_state: Callable[[str], CardState], seed: int
) -> None:
    chance = random.Random(100 + seed)  # noqa: S311 - a choice of tests, not of keys
    world = World(issued_state(card_state))
    world.bring_to(ACTIVE)
    refused = 0
    for _ in range(120):
        world.open()
        world.counter = world.slot.counter
        state = world.slot.bank.state if world.slot.bank else PERSONALIZED
        series = mutated(chance, world.record(state, extra=authorities(authority()) + groups("a") + tlv("C7", PIN)))
        before = world.slot
        word = world.store(series)
        assert word in (0x9000, 0x6A80, 0x6A84, 0x6A88, 0x6985), series.hex()
        refused += word != 0x9000
        if word != 0x9000:
            assert world.slot == before
        else:
            assert world.slot.counter == before.counter + (world.slot.active != before.active)
        assert world.owner("00CADF6200")[1] == 0x9000
    assert refused > 60


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("start", ["installed", "active"])
def test_every_state_between_two_writes_is_read_back_from_a_card_file(
    card_state: Callable[[str], CardState], start: str, number: int, *, done: bool
) -> None:
    world = World(issued_state(card_state))
    extra = authorities(authority()) + groups("kiosk") + tlv("C7", PIN)
    series = world.record(PERSONALIZED, extra=extra)
    if start == "active":
        world.bring_to(ACTIVE)
        series = world.record(ACTIVE, version=2, extra=extra)
    world.open()
    world.memory.commits, world.memory.cut = 0, (number, done)
    with pytest.raises(PowerCut):
        world.store(series)
    state = world.memory.state
    assert cardformat.load(cardformat.dump(state), load_card_spec(), "a card") == state


def test_a_domain_gives_store_data_on_to_its_slot(card_state: Callable[[str], CardState]) -> None:
    """INSTALL [for personalization]: the same series, block for block, at the domain of the slot."""
    world = World(issued_state(card_state))
    series = blocks(world.record(PERSONALIZED, extra=tlv("C7", PIN)), 200)
    assert world.say(SELECT_DOMAIN)[1] == 0x9000
    assert world.owner(series[0])[1] == 0x6985, "for no slot"
    assert world.owner(FOR_PERSONALIZATION) == (b"\x00", 0x9000)
    assert world.say(series[0])[1] == 0x6982, "in clear"
    assert world.owner(FOR_PERSONALIZATION) == (b"\x00", 0x9000)
    assert [world.owner(block)[1] for block in series] == [0x9000] * len(series)
    assert world.slot.counter == 1
    assert world.owner(series[0])[1] == 0x6985, "that was all"
    assert world.select() == 0x9000
    assert world.holder() == 0x9000


def test_blocks_of_two_slots_do_not_join(card_state: Callable[[str], CardState]) -> None:
    world = World(issued_state(card_state))
    series = blocks(world.record(PERSONALIZED), 200)
    other = FOR_PERSONALIZATION.replace(SLOT, bytes.fromhex("F04B4F4A494E1112131415161718"))
    assert world.say(SELECT_DOMAIN)[1] == 0x9000
    assert world.owner(FOR_PERSONALIZATION) == (b"\x00", 0x9000)
    assert world.owner(series[0])[1] == 0x9000
    assert world.owner(other) == (b"\x00", 0x9000)
    assert world.owner(series[1])[1] == 0x6A86
    assert world.slot.counter == 0


@pytest.mark.parametrize("level", [0x01, 0x11])
def test_a_domain_does_not_give_on_what_came_in_clear(card_state: Callable[[str], CardState], level: int) -> None:
    world = World(issued_state(card_state))
    series = blocks(world.record(PERSONALIZED), 200)
    assert world.say(SELECT_DOMAIN)[1] == 0x9000
    assert world.owner(FOR_PERSONALIZATION, level) == (b"\x00", 0x9000)
    assert world.owner(series[0], level)[1] == 0x6982
