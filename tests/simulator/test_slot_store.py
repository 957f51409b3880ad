"""STORE DATA: what a series may say, and that anything else writes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from simulator.slot_world import (
    ACTIVE,
    CA,
    DESCRIPTOR,
    DOMAIN,
    FIELDS,
    INSTALLED,
    PARTNER_CA,
    PERSONALIZED,
    PIN,
    SELECT_OTHER,
    SUSPENDED,
    TERMINATED,
    World,
    authorities,
    authority,
    blocks,
    content,
    field_object,
    groups,
    issued_state,
    joined,
    key,
    objects,
    permuted,
    salted,
    signed,
    tlv,
)

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

ALLOWED = {
    (INSTALLED, PERSONALIZED),
    (PERSONALIZED, ACTIVE),
    (PERSONALIZED, TERMINATED),
    (ACTIVE, SUSPENDED),
    (ACTIVE, TERMINATED),
    (SUSPENDED, ACTIVE),
    (SUSPENDED, TERMINATED),
}
FOUR = signed(1, PERSONALIZED, "20261101", bytes(64))
FIELD = field_object(1, "01", salted(1, b"value"))


@pytest.fixture
def fresh(card_state: Callable[[str], CardState]) -> World:
    """A slot that is installed, and nothing else."""
    return World(issued_state(card_state))


@pytest.fixture
def world(fresh: World) -> World:
    fresh.bring_to(ACTIVE)
    return fresh


def refuses(world: World, series: bytes, word: int) -> None:
    """It is refused, and nothing was written: not even the bank that is not valid."""
    world.open()
    before = world.memory.state.content
    assert f"{world.store(series):04X}" == f"{word:04X}"
    assert world.memory.state.content == before


# --- states and counters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("start", "to"), list(itertools.product(range(5), range(7))))
def test_every_transition(fresh: World, start: int, to: int, *, full: bool) -> None:
    """A full update also keeps the state; nothing leaves the end, and a change of state alone begins nothing."""
    fresh.bring_to(start)
    series = (
        joined((tlv("C1", DESCRIPTOR), FIELD, signed(fresh.counter + 1, to, "20261101", bytes(64))))
        if full
        else signed(fresh.counter + 1, to, "20261101", bytes(64))
    )
    if start == TERMINATED:
        refuses(fresh, series, 0x6985)
    elif to > TERMINATED:
        refuses(fresh, series, 0x6A80)
    elif (full and start == to != INSTALLED) or ((start, to) in ALLOWED and (full or start != INSTALLED)):
        assert fresh.store(series) == 0x9000
        status, _ = fresh.owner("00CADF6200")
        assert objects(status)[:2] == [("82", (fresh.counter + 1).to_bytes(4, "big")), ("83", bytes((to,)))]
    else:
        refuses(fresh, series, 0x6985)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("step", [-2, -1, 0, 2, 3, 0x7FFFFFFF])
def test_a_counter_that_is_not_one_more(world: World, step: int, *, full: bool) -> None:
    number = world.counter + step
    series = world.record(ACTIVE, counter=number) if full else world.change(SUSPENDED, counter=number)
    refuses(world, series, 0x6985)


def test_the_last_counter_is_the_last(world: World) -> None:
    content = world.memory.state.content
    assert content is not None
    last = content.with_slot(world.slot.aid, lambda one: replace(one, counter=0xFFFFFFFF))
    world.memory.commit(replace(world.memory.state, content=last))
    refuses(world, world.change(SUSPENDED, counter=0), 0x6985)
    refuses(world, world.change(SUSPENDED, counter=0xFFFFFFFF), 0x6985)


def test_a_replayed_series_is_refused(world: World) -> None:
    series = world.record(ACTIVE, version=2)
    assert world.store(series) == 0x9000
    refuses(world, series, 0x6985)
    back = world.change(SUSPENDED)
    refuses(world, back, 0x6985)


def test_a_series_of_another_slot_gives_a_manifest_that_nobody_signed(world: World) -> None:
    """The card takes it from its owner, who is there; whoever verifies sees it: the manifest is this slot's."""
    assert world.say(SELECT_OTHER)[1] == 0x9000
    own_manifest = world.manifest(1, PERSONALIZED, {1: salted(1, b"value")})
    assert world.store(joined((tlv("C1", DESCRIPTOR), FIELD, FOUR))) == 0x9000
    assert world.as_owner(30)[:-66] != own_manifest


# --- blocks -----------------------------------------------------------------------------------------------------------


def test_a_block_out_of_order_ends_the_series(world: World) -> None:
    series = blocks(world.record(ACTIVE), 60)
    assert len(series) > 4
    for order in ([1], [0, 2], [0, 1, 1], [0, 0, 2], [0, 1, 3]):
        words = [world.owner(series[number])[1] for number in order]
        assert words[-1] == 0x6A86
        assert set(words[:-1]) <= {0x9000}
        rest = [world.owner(one)[1] for one in series[order[-1] + 1 :]]
        assert set(rest) == {0x6A86}, "nothing goes on from there"
    assert [world.owner(one)[1] for one in series] == [0x9000] * len(series)


def test_a_first_block_begins_anew(world: World) -> None:
    series = blocks(world.record(ACTIVE), 60)
    assert [world.owner(one)[1] for one in (*series[:3], *series)] == [0x9000] * (3 + len(series))


@pytest.mark.parametrize("p1", sorted(set(range(256)) - {0x10, 0x90}))
def test_other_p1(world: World, p1: int) -> None:
    first, *rest = blocks(world.record(ACTIVE), 200)
    assert world.owner(first)[1] == 0x9000
    assert world.owner(rest[0][:2] + bytes((p1,)) + rest[0][3:])[1] == 0x6A86
    assert world.owner(rest[0])[1] == 0x6A86


def test_a_block_without_data(world: World) -> None:
    assert world.owner("80E29000")[1] == 0x6700
    first, second, *_ = blocks(world.record(ACTIVE), 100)
    assert world.owner(first)[1] == 0x9000
    assert world.owner("80E21001")[1] == 0x6700
    assert world.owner(second)[1] == 0x6A86


@pytest.mark.parametrize("who", ["passer-by", "holder", "terminal", "owner in clear", "level 01", "level 11"])
def test_nobody_else_writes_or_goes_on(world: World, who: str) -> None:
    """Also not in the middle of the owner's series, which that ends."""
    series = blocks(world.record(ACTIVE), 200)
    if who == "holder":
        assert world.holder() == 0x9000
    if who == "terminal":
        assert world.terminal() == 0x9000
    assert world.owner(series[0])[1] == 0x9000
    level = {"level 01": 0x01, "level 11": 0x11}.get(who)
    word = (world.say(series[1]) if level is None else world.owner(series[1], level))[1]
    assert word == 0x6982
    assert world.owner(series[1])[1] == 0x6A86


def test_a_series_dies_with_select_reset_and_its_session(world: World) -> None:
    series = blocks(world.record(ACTIVE), 200)

    for end in (world.select, world.power_off, world.close):
        assert world.owner(series[0])[1] == 0x9000
        end()
        assert world.owner(series[1])[1] == 0x6A86


def test_too_long_a_series(world: World) -> None:
    """4096 bytes at most: beyond that the memory for it is full, whatever it says."""
    world.open()
    before = world.memory.state.content
    for number in range(32):
        assert world.owner(bytes((0x80, 0xE2, 0x10, number, 128)) + bytes(128))[1] == 0x9000
    assert world.owner(bytes((0x80, 0xE2, 0x10, 32, 1)) + bytes(1))[1] == 0x6A84
    assert world.owner(bytes((0x80, 0xE2, 0x10, 33, 1)) + bytes(1))[1] == 0x6A86
    assert world.memory.state.content == before


def test_other_commands_between_blocks_do_no_harm(world: World) -> None:
    series = blocks(world.record(ACTIVE, version=2), 200)
    for one in series:
        assert world.owner("00CADF6200")[1] == 0x9000
        assert world.read(5)[0] == content(5)
        assert world.owner(one)[1] == 0x9000
    assert world.read(5)[0] == content(5, 2)


# --- objects ----------------------------------------------------------------------------------------------------------

DESC = tlv("C1", DESCRIPTOR)
SETTINGS = authorities(authority())
GOOD = joined((DESC, FIELD, FOUR))

MALFORMED: dict[str, bytes] = {
    "nothing signed": joined((DESC, FIELD)),
    "no descriptor": joined((FIELD, FOUR)),
    "no counter": joined((DESC, FIELD, FOUR[6:])),
    "no state": joined((DESC, FIELD, FOUR[:6], FOUR[9:])),
    "no date": joined((DESC, FIELD, FOUR[:9], FOUR[15:])),
    "no signature": joined((DESC, FIELD, FOUR[:15])),
    "a counter of three bytes": joined((DESC, FIELD, tlv("82", b"\0\0\1"), FOUR[6:])),
    "a counter of five bytes": joined((DESC, FIELD, tlv("82", b"\0\0\0\0\1"), FOUR[6:])),
    "two bytes of state": joined((DESC, FIELD, FOUR[:6], tlv("83", b"\0\1"), FOUR[9:])),
    "a signature of 63 bytes": joined((DESC, FIELD, FOUR[:15], tlv("9E", bytes(63)))),
    "no day": joined((DESC, FIELD, FOUR[:9], tlv("87", bytes.fromhex("20260230")), FOUR[15:])),
    "a date of letters": joined((DESC, FIELD, FOUR[:9], tlv("87", bytes.fromhex("2026110A")), FOUR[15:])),
    "a date of zeros": joined((DESC, FIELD, FOUR[:9], tlv("87", bytes(4)), FOUR[15:])),
    "the counter twice": joined((DESC, FIELD, FOUR[:6], FOUR)),
    "the descriptor twice": joined((DESC, DESC, FIELD, FOUR)),
    "fields before the descriptor": joined((FIELD, DESC, FOUR)),
    "a field after the counter": joined((DESC, FOUR[:6], FIELD, FOUR[6:])),
    "settings first": joined((SETTINGS, DESC, FIELD, FOUR)),
    "groups before authorities": joined((GOOD, groups("a"), SETTINGS)),
    "a PIN before settings": joined((GOOD, tlv("C7", PIN), SETTINGS)),
    "a PIN alone": tlv("C7", PIN),
    "a PIN with settings": joined((SETTINGS, tlv("C7", PIN))),
    "a PIN of three": joined((GOOD, tlv("C7", b"135"))),
    "a PIN of five": joined((GOOD, tlv("C7", b"13579"))),
    "a PIN of letters": joined((GOOD, tlv("C7", b"135a"))),
    "settings with a change of state": joined((FOUR, SETTINGS)),
    "a descriptor without salt": joined((tlv("C1", b""), FIELD, FOUR)),
    "a descriptor of salt alone": joined((tlv("C1", bytes(16)), FIELD, FOUR)),
    "a descriptor of 241 bytes": joined((tlv("C1", bytes(16) + tlv("80", b"a" * 221)), FIELD, FOUR)),
    "a descriptor that is no objects": joined((tlv("C1", bytes(16) + b"\x80\x05ab"), FIELD, FOUR)),
    "the same field twice": joined((DESC, FIELD, FIELD, FOUR)),
    "fields that fall": joined((DESC, field_object(2, "", salted(2, b"")), FIELD, FOUR)),
    "field 0": joined((DESC, field_object(0, "01", salted(1, b"v")), FOUR)),
    "field 25": joined((DESC, field_object(25, "01", salted(1, b"v")), FOUR)),
    "the descriptor's own number": joined((DESC, field_object(29, "01", salted(1, b"v")), FOUR)),
    "a rule of four": joined((DESC, field_object(1, "01020300", salted(1, b"v")), FOUR)),
    "a rule with another bit": joined((DESC, field_object(1, "04", salted(1, b"v")), FOUR)),
    "a rule with the highest bit": joined((DESC, field_object(1, "0181", salted(1, b"v")), FOUR)),
    "a field without salt": joined((DESC, field_object(1, "01", b"v"), FOUR)),
    "a value of 201 bytes": joined((DESC, field_object(1, "01", salted(1, bytes(201))), FOUR)),
    "a field without rule": joined((DESC, tlv("A2", tlv("80", b"\1") + tlv("82", salted(1, b"v"))), FOUR)),
    "a field with a foreign object": joined((DESC, tlv("A2", FIELD[2:] + tlv("83", b"")), FOUR)),
    "a field that ends early": joined((DESC, tlv("A2", FIELD[2:-1]), FOUR)),
    "empty": b"\x82",
    "a length form of DER": joined((b"\xc1\x81", bytes((len(DESCRIPTOR),)), DESCRIPTOR, FIELD, FOUR)),
    "a longer form of a length": joined((DESC, FIELD, b"\x82\x82\x00\x04\0\0\0\1", FOUR[6:])),
    "a longer form inside a field": joined((DESC, tlv("A2", b"\x80\x82\x00\x01\1" + FIELD[5:]), FOUR)),
    "a longer form in the descriptor": joined((tlv("C1", bytes(16) + b"\x80\x82\x00\x01a"), FIELD, FOUR)),
    "an authority of another kind": authorities(authority(kind=5)),
    "an authority of kind 0": authorities(authority(kind=0)),
    "a municipality of four digits": authorities(authority(code=b"1310")),
    "a company with a wrong check digit": authorities(authority(kind=4, code=b"1000012050002")),
    "an authority with falling fields": authorities(authority(fields="0301")),
    "an authority with field 25": authorities(authority(fields="19")),
    "an authority's key off the curve": authorities(
        tlv("B0", tlv("86", b"\x02" + b"\xff" * 32) + tlv("82", b"\1") + tlv("83", b"13101") + tlv("DF66", b"\1"))
    ),
    "an authority's key uncompressed": authorities(
        tlv("B0", tlv("86", b"\x04" + bytes(32)) + tlv("82", b"\1") + tlv("83", b"13101") + tlv("DF66", b"\1"))
    ),
    "an authority twice": authorities(authority(), authority(fields="01")),
    "nine authorities": authorities(*(authority(key(100 + number)) for number in range(9))),
    "authorities that are groups": tlv("A5", tlv("85", b"kiosk")),
    "a group twice": groups("a", "a"),
    "nine groups": groups(*"abcdefghi"),
    "a group without name": groups(""),
    "a group of capitals": groups("KIOSK"),
    "a group too long": groups("a23456789"),
}
UNKNOWN: dict[str, bytes] = {
    "an unknown object alone": tlv("C9", b""),
    "an unknown object last": joined((GOOD, tlv("A8", b""))),
    "two bytes of tag": joined((GOOD, tlv("DF61", b""))),
    "a manifest": joined((DESC, FIELD, tlv("E1", b""), FOUR)),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_series(fresh: World, what: str) -> None:
    refuses(fresh, MALFORMED[what], 0x6A80)


@pytest.mark.parametrize("what", UNKNOWN)
def test_unknown_objects(fresh: World, what: str) -> None:
    refuses(fresh, UNKNOWN[what], 0x6A88)


def test_as_many_authorities_and_groups_as_there_may_be(world: World) -> None:
    entries = [authority(key(100 + number)) for number in range(8)]
    assert world.store(authorities(*entries) + groups(*"abcdefgh")) == 0x9000


def test_the_series_that_the_malformed_ones_were_made_from_is_right(fresh: World) -> None:
    assert fresh.store(joined((GOOD, SETTINGS, groups("kiosk"), tlv("C7", PIN)))) == 0x9000


def test_every_pair_of_objects_exchanged(fresh: World) -> None:
    parts = [DESC, FIELD, FOUR[:6], FOUR[6:9], FOUR[9:15], FOUR[15:], SETTINGS, groups("kiosk"), tlv("C7", PIN)]
    for first, second in itertools.combinations(range(len(parts)), 2):
        refuses(fresh, permuted(parts, first, second), 0x6A80)


def test_every_series_that_ends_early(fresh: World) -> None:
    """Never anything on the card: the objects that are whole by then are not enough."""
    whole = joined((GOOD, tlv("C7", PIN)))
    fresh.open()
    before = fresh.memory.state.content
    for size in range(1, len(whole)):
        if whole[:size] == GOOD:
            continue  # a PIN is not required
        assert fresh.store(whole[:size]) in (0x6A80, 0x6A88), size
        assert fresh.memory.state.content == before


def test_values_at_their_bounds(fresh: World) -> None:
    rules = {sfi: ("010203", "", "00")[sfi % 3] for sfi in range(1, 13)}
    fields = [field_object(sfi, rule, salted(sfi, bytes(200 if sfi < 9 else 0))) for sfi, rule in rules.items()]
    descriptor = tlv("C1", bytes(16) + tlv("80", b"a" * 220))
    assert fresh.store(joined((descriptor, *fields, FOUR))) == 0x9000
    assert len(fresh.as_owner(29)) == 240
    assert len(fresh.as_owner(8)) == 216
    assert len(fresh.as_owner(9)) == 16


def test_settings_alone_leave_counter_record_and_pin(world: World) -> None:
    before, record = world.slot, world.as_owner(30)
    assert world.store(authorities(authority(), authority(PARTNER_CA)) + groups("library")) == 0x9000
    settings, word = world.owner("00CADF6400")
    assert word == 0x9000
    assert settings == authorities(authority(), authority(PARTNER_CA)) + groups("library")
    assert world.store(groups("a", "b")) == 0x9000
    assert world.owner("00CADF6400")[0] == authorities(authority(), authority(PARTNER_CA)) + groups("a", "b")
    assert world.store(authorities()) == 0x9000
    assert world.owner("00CADF6400")[0] == authorities() + groups("a", "b")
    assert world.as_owner(30) == record
    after = replace(world.slot, authorities=before.authorities, groups=before.groups)
    assert after == before


@pytest.mark.parametrize("state", [INSTALLED, PERSONALIZED, ACTIVE, SUSPENDED, TERMINATED])
def test_settings_in_every_state(fresh: World, state: int) -> None:
    fresh.bring_to(state)
    if state == TERMINATED:
        refuses(fresh, authorities(authority(CA)), 0x6985)
    else:
        assert fresh.store(authorities(authority(CA))) == 0x9000


# --- room -------------------------------------------------------------------------------------------------------------


def with_quota(world: World, quota: int) -> None:
    free_area = world.memory.state.content
    assert free_area is not None
    changed = free_area.with_domain(DOMAIN, lambda one: replace(one, quota=quota))
    world.memory.commit(replace(world.memory.state, content=changed))


def test_the_quota_counts_every_byte(fresh: World) -> None:
    """256 a domain, 192 a slot (two here), twice 64 + 16 + descriptor + (content, rule and two bytes) of each field."""
    series = joined((DESC, FIELD, field_object(2, "0102", salted(2, b"ab")), FOUR))
    bank = 64 + 16 + len(DESCRIPTOR) + (16 + 5 + 1 + 2) + (16 + 2 + 2 + 2)
    needed = 256 + 2 * 192 + 2 * bank
    with_quota(fresh, needed - 1)
    refuses(fresh, series, 0x6A84)
    with_quota(fresh, needed)
    assert fresh.store(series) == 0x9000


def test_a_smaller_record_pays_for_the_larger_one_beside_it(world: World) -> None:
    bank = 64 + 16 + len(DESCRIPTOR) + sum(len(content(sfi)) + len(rule) // 2 + 2 for sfi, rule in FIELDS.items())
    with_quota(world, 256 + 2 * 192 + 2 * bank)
    small: dict[str, Any] = {"rules": {1: "01"}}
    assert world.store(world.record(ACTIVE, **small)) == 0x9000
    world.counter, world.fields = world.counter + 1, {1: content(1)}
    refuses(world, world.record(ACTIVE, rules={**FIELDS, 11: "01"}), 0x6A84)
    assert world.store(world.record(ACTIVE)) == 0x9000


def test_the_whole_card_has_its_bound_too(fresh: World) -> None:
    """32 768 bytes: other owners' domains fill them up to what this record would need."""
    free_area = fresh.memory.state.content
    assert free_area is not None
    others = tuple(replace(free_area.domains[0], aid=DOMAIN[:-1] + bytes((n,))) for n in range(125))
    crowded = replace(free_area, domains=(*free_area.domains, *others))
    fresh.memory.commit(replace(fresh.memory.state, content=crowded))
    assert 126 * 256 + 2 * 192 + 2 * (64 + 16 + len(DESCRIPTOR) + 24) > 32768 > 126 * 256 + 2 * 192
    refuses(fresh, GOOD, 0x6A84)
