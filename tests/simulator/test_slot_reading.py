"""What a slot tells: descriptor, status, files by offset, the manifest by hand, and the answers of the card key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from kojin_card.simulator.slot.card_key import new_card_key, public_point
from simulator.slot_world import (
    ACTIVE,
    DESCRIPTOR,
    FIELDS,
    PERSONALIZED,
    RECORD_KEY,
    SELECT_OTHER,
    SLOT,
    SUSPENDED,
    TERMINATED,
    World,
    compressed,
    content,
    issued_state,
    objects,
    verify,
)

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture
def world(card_state: Callable[[str], CardState]) -> World:
    made = World(issued_state(card_state))
    made.bring_to(ACTIVE)
    return made


def test_the_free_descriptor_says_aid_and_version_and_nothing_else(world: World) -> None:
    assert world.say("00CADF6100") == (bytes.fromhex("840E F04B4F4A494E0102030405060708 800101"), 0x9000)
    assert world.say("00CADF6104") == (bytes.fromhex("840EF04B"), 0x9000)


@pytest.mark.parametrize("state", range(5))
def test_it_says_the_same_in_every_state(card_state: Callable[[str], CardState], state: int) -> None:
    world = World(issued_state(card_state))
    world.bring_to(state)
    assert world.select() == (0x6285 if state == TERMINATED else 0x9000)
    assert world.say("00CADF6100")[0].hex().upper() == "840EF04B4F4A494E0102030405060708800101"


def test_the_answer_of_select_is_the_name(world: World) -> None:
    assert world.say("00A404000E F04B4F4A494E0102030405060708 00") == (b"\x6f\x10\x84\x0e" + SLOT, 0x9000)


def test_a_terminal_walks_by_prefix_and_next_occurrence(world: World) -> None:
    assert world.say("00A4040006 F04B4F4A494E 00") == (b"\x6f\x10\x84\x0e" + SLOT, 0x9000)
    second, word = world.say("00A4040206 F04B4F4A494E 00")
    assert (second[-8:].hex(), word) == ("1112131415161718", 0x9000)
    assert world.say("00A4040206 F04B4F4A494E 00") == (b"", 0x6A82)


def test_the_status_as_bytes(world: World) -> None:
    assert world.owner("00CADF6200") == (bytes.fromhex("8204 00000002 8301 02 8704 20261101"), 0x9000)
    world.go(SUSPENDED)
    assert world.owner("00CADF6200") == (bytes.fromhex("8204 00000003 8301 03 8704 20261101"), 0x9000)


def test_the_status_of_an_empty_slot(card_state: Callable[[str], CardState]) -> None:
    world = World(issued_state(card_state))
    assert world.owner("00CADF6200") == (bytes.fromhex("8204 00000000 8301 00 8704 00000000"), 0x9000)
    assert world.owner("00CADF6400") == (bytes.fromhex("A500 A600"), 0x9000)


def test_get_data_forms(world: World) -> None:
    assert world.say("00CADF61")[1] == 0x6700
    assert world.say("00CADF61010000")[1] == 0x6700


def test_the_card_key_is_the_point_of_its_scalar(world: World) -> None:
    numbers = ec.derive_private_key(world.slot.card_key, ec.SECP256R1()).public_key().public_numbers()
    point = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    assert world.owner("00CADF6300") == (point, 0x9000)


def test_the_manifest_as_a_verifier_reads_it(world: World) -> None:
    assert world.terminal() == 0x9000
    file = world.read_all(30)
    body, signature = file[:-66], file[-64:]
    assert file[-66:-64] == b"\x9e\x40"
    verify(compressed(RECORD_KEY), signature, b"kojin-slot-record-v1\x00" + body)
    tags = ["80", "4F", "81", "82", "83", "87", "88", "86", "A7"]
    parts = objects(objects(body)[0][1])
    assert [tag for tag, _ in parts] == tags
    card, word = World(world.memory.state).say("00A4040C07A0000001510000")
    assert (card, word) == (b"", 0x9000)
    named = dict(parts)
    assert named["4F"] == SLOT
    assert named["82"] == bytes.fromhex("00000002")
    assert named["88"] == hashlib.sha256(b"\x1d" + DESCRIPTOR).digest()
    assert [(tag, entry[0], entry[1:]) for tag, entry in objects(named["A7"])] == [
        ("90", sfi, hashlib.sha256(bytes((sfi,)) + content(sfi)).digest()) for sfi in sorted(FIELDS)
    ]
    assert world.say("00A4040C07 A0000001510000")[1] == 0x9000
    assert world.say("00CA004500")[0] == named["81"], "what the card manager gives anybody"


def test_a_copy_on_another_card_shows_another_manifest(world: World, card_state: Callable[[str], CardState]) -> None:
    other = card_state("child")
    copied = World(replace(other, content=world.memory.state.content))
    own, foreign = world.as_owner(30), copied.as_owner(30)
    assert own[-64:] == foreign[-64:]
    with pytest.raises(InvalidSignature):
        verify(compressed(RECORD_KEY), foreign[-64:], b"kojin-slot-record-v1\x00" + foreign[:-66])


def test_read_binary_by_offset_and_from_the_file_read_last(world: World) -> None:
    whole = content(5)
    assert world.say("00B0850000") == (whole, 0x9000)
    assert world.say("00B0850404") == (whole[4:8], 0x9000)
    assert world.say("00B0000804") == (whole[8:12], 0x9000)
    assert world.say(bytes((0x00, 0xB0, 0x00, len(whole) - 1, 0x00))) == (whole[-1:], 0x9000)
    assert world.say(bytes((0x00, 0xB0, 0x00, len(whole), 0x00))) == (b"", 0x6B00)
    assert world.say("00B085FF00") == (b"", 0x6B00)
    assert world.say("00B07FFF00") == (b"", 0x6B00)
    assert world.say("00B08500") == (b"", 0x6700)
    assert world.say("00B0850001FF00") == (b"", 0x6700)


def test_read_binary_names_a_short_identifier(world: World) -> None:
    assert {world.say(bytes((0x00, 0xB0, p1, 0, 0)))[1] for p1 in (0x80, 0x9F, 0xA1, 0xC1, 0xE1, 0xFF)} == {0x6A86}


def test_no_file_was_read_before(world: World) -> None:
    assert world.say("00B0000000")[1] == 0x6986
    assert world.say("00B0810000")[1] == 0x6982
    assert world.say("00B0000000")[1] == 0x6986, "a refused read is none"
    assert world.say("00B0850000")[1] == 0x9000
    world.select()
    assert world.say("00B0000000")[1] == 0x6986


def test_the_file_read_last_is_asked_for_its_rule_again(world: World) -> None:
    assert world.holder() == 0x9000
    assert world.say("00B0820000")[1] == 0x9000
    assert world.holder(b"0000") == 0x63C2
    assert world.say("00B0000000")[1] == 0x6982
    assert world.holder() == 0x9000
    assert world.say("00B0000000")[1] == 0x9000
    assert world.store(world.change(SUSPENDED)) == 0x9000
    assert world.say("00B0000000")[1] == 0x6985


def test_which_fields_there_are_is_not_told_to_a_passer_by(world: World) -> None:
    """Every short identifier answers alike, but the one that is free to read."""
    words = {sfi: world.read(sfi)[1] for sfi in range(1, 31)}
    assert {sfi for sfi, word in words.items() if word != 0x6982} == {5}
    assert world.terminal() == 0x9000
    assert {sfi for sfi in range(1, 31) if world.read(sfi)[1] == 0x6A82} == set(range(1, 29)) - set(FIELDS)


@pytest.mark.parametrize("state", [PERSONALIZED, SUSPENDED])
def test_fields_of_a_slot_that_is_not_active_are_the_owners(card_state: Callable[[str], CardState], state: int) -> None:
    world = World(issued_state(card_state))
    world.bring_to(state)
    assert (world.terminal(), world.holder()) == (0x9000, 0x9000)
    assert [world.read(sfi)[1] for sfi in (1, 2, 3, 4, 5, 6)] == [0x6985] * 5 + [0x6982]
    assert (world.read(29)[0], world.read(30)[1]) == (DESCRIPTOR, 0x9000)
    assert [world.as_owner(sfi) for sfi in FIELDS] == [content(sfi) for sfi in FIELDS]


def test_a_command_in_clear_is_not_the_owners_while_his_session_is_open(world: World) -> None:
    assert world.owner("00B0860000")[1] == 0x9000
    assert world.say("00B0860000")[1] == 0x6982
    assert world.say("00CADF6200")[1] == 0x6982


@pytest.mark.parametrize("size", [8, 9, 16, 32])
def test_the_answer_of_the_card_key(world: World, size: int) -> None:
    assert world.terminal() == 0x9000
    challenge = bytes(range(size))
    answer, word = world.say(b"\x00\x88\x00\x00" + bytes((size,)) + challenge + b"\x00")
    assert word == 0x9000
    assert answer[:8] == bytes.fromhex("8204 00000002 9E40")
    body = world.read_all(30)[:-66]
    point, _ = world.say("00CADF6300")
    message = b"kojin-slot-card-v1\x00" + challenge + SLOT + bytes.fromhex("00000002") + hashlib.sha256(body).digest()
    verify(point, answer[8:], message)
    with pytest.raises(InvalidSignature):
        verify(point, answer[8:], message[:-1] + bytes((message[-1] ^ 1,)))


def test_the_card_key_answers_with_the_cards_own_counter(world: World) -> None:
    """An old record restored into the memory of a card: its own counter, which nobody turned back, says so."""
    free_area = world.memory.state.content
    assert free_area is not None
    newer = free_area.with_slot(SLOT, lambda one: replace(one, counter=9))
    world.memory.commit(replace(world.memory.state, content=newer))
    assert world.holder() == 0x9000
    answer, word = world.say("0088000008 0102030405060708 00")
    assert (answer[:6].hex(), word) == ("820400000009", 0x9000)
    assert dict(objects(objects(world.read_all(30)[:-66])[0][1]))["82"] == bytes.fromhex("00000002")


def test_forms_of_internal_authenticate(world: World) -> None:
    assert world.holder() == 0x9000
    assert world.say("0088000007 01020304050607 00")[1] == 0x6700
    assert world.say(bytes.fromhex("0088000021") + bytes(33) + b"\x00")[1] == 0x6700
    assert world.say("0088000008 0102030405060708")[1] == 0x6700
    assert world.say("0088000008 0102030405060708 47")[1] == 0x6700
    assert world.say("0088000008 0102030405060708 48")[1] == 0x9000
    assert world.say("0088010008 0102030405060708 00")[1] == 0x6A86


def test_slots_know_nothing_of_each_other(world: World) -> None:
    assert (world.terminal(), world.holder()) == (0x9000, 0x9000)
    assert world.say(SELECT_OTHER)[1] == 0x9000
    assert world.say("00CADF6200")[1] == 0x6982
    assert world.owner("00CADF6200") == (bytes.fromhex("8204 00000000 8301 00 8704 00000000"), 0x9000)


@pytest.mark.parametrize("skipped", [0, N, N + 1, 2**256 - 1])
def test_a_card_key_is_drawn_again_when_it_is_out_of_range(skipped: int) -> None:
    drawn = iter((skipped.to_bytes(32, "big"), (N - 1).to_bytes(32, "big")))
    assert new_card_key(lambda size: next(drawn)[:size]) == N - 1
    assert len(public_point(N - 1)) == 65
