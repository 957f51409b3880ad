"""Terminals: what lets one in, in which order the card looks, and how a stolen one ages out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from kojin_card.simulator.slot import terminal
from kojin_card.simulator.slot.card_key import verifies
from simulator.slot_world import (
    ACTIVE,
    CA,
    GROUP,
    OTHER_SLOT,
    PARTNER_CA,
    SLOT,
    STRANGER,
    SUSPENDED,
    TERMINAL_KEY,
    PowerCut,
    World,
    authorities,
    authority,
    certificate,
    external,
    groups,
    issued_state,
    sign,
    tlv,
)

if TYPE_CHECKING:
    from kojin_card.simulator import CardState


@pytest.fixture
def world(card_state: Callable[[str], CardState]) -> World:
    made = World(issued_state(card_state))
    made.bring_to(ACTIVE)
    return made


def newest(world: World) -> str:
    """The date in the status, as the owner reads it."""
    status, word = world.owner("00CADF6200")
    assert word == 0x9000
    assert status[9:11] == b"\x87\x04"
    return status[11:].hex()


def test_a_terminal_reads_what_is_certified_and_listed_and_for_terminals(world: World) -> None:
    """Certified: 1, 3, 4, 10. Listed of its CA: 1, 3, 4, 9. 3 needs the holder too."""
    assert world.terminal() == 0x9000
    words = {sfi: world.read(sfi)[1] for sfi in range(1, 11)}
    opened = {sfi for sfi, word in words.items() if word == 0x9000}
    assert opened == {1, 4, 5}
    assert world.holder() == 0x9000
    assert {sfi for sfi in range(1, 11) if world.read(sfi)[1] == 0x9000} == {1, 2, 3, 4, 5}


def test_a_challenge_is_used_up_whatever_comes_of_it(world: World) -> None:
    challenge = world.challenge()
    good = world.authenticate(certificate(), challenge)
    assert world.say(good)[1] == 0x9000
    assert world.say(good)[1] == 0x6985
    challenge = world.challenge()
    good = world.authenticate(certificate(), challenge)
    assert world.say(external(b"\x30\x00"))[1] == 0x6A80
    assert world.say(good)[1] == 0x6985


def test_a_second_challenge_replaces_the_first(world: World) -> None:
    first, second = world.challenge(), world.challenge()
    assert first != second
    assert world.say(world.authenticate(certificate(), first))[1] == 0x6982
    third = world.challenge()
    assert world.say(world.authenticate(certificate(), third))[1] == 0x9000


def test_a_challenge_dies_with_select_and_power(world: World) -> None:
    for end in (world.select, world.power_off, world.reset):
        good = world.authenticate(certificate(), world.challenge())
        end()
        world.select()
        assert world.say(good)[1] == 0x6985


def test_forms_of_get_challenge(world: World) -> None:
    words = {one: world.say(one)[1] for one in ("00840000", "0084000008", "0084000011", "0084000000", "0084010010")}
    assert list(words.values()) == [0x6700, 0x6700, 0x6700, 0x6700, 0x6A86]


@pytest.mark.parametrize(
    ("what", "failure"),
    [
        ("a failed proof", 0x6982),
        ("a foreign CA", 0x6982),
        ("garbage", 0x6A80),
        ("no challenge", 0x6985),
        ("expired", 0x6984),
    ],
)
def test_a_failed_attempt_puts_an_earlier_terminal_out(world: World, what: str, failure: int) -> None:
    assert world.terminal() == 0x9000
    assert world.read(1)[1] == 0x9000
    challenge = bytes(16) if what == "no challenge" else world.challenge()
    attempt = {
        "a failed proof": world.authenticate(certificate(), bytes(16)),
        "a foreign CA": world.authenticate(certificate(STRANGER), challenge),
        "garbage": external(b"\x7f\x21\x00"),
        "no challenge": world.authenticate(certificate(), challenge),
        "expired": world.authenticate(certificate(issued="20260101", expiry="20260102"), challenge),
    }[what]
    assert world.say(attempt)[1] == failure
    assert world.read(1)[1] == 0x6982


@pytest.mark.parametrize(
    ("proved", "why"),
    [
        (lambda c: sign(STRANGER, b"kojin-slot-terminal-v1\x00" + c + SLOT), "by another key"),
        (lambda c: sign(TERMINAL_KEY, c + SLOT), "without its context"),
        (lambda c: sign(TERMINAL_KEY, b"kojin-slot-card-v1\x00" + c + SLOT), "in another context"),
        (lambda c: sign(TERMINAL_KEY, b"kojin-slot-terminal-v1\x00" + c + OTHER_SLOT), "for another slot"),
        (lambda c: sign(TERMINAL_KEY, b"kojin-slot-terminal-v1\x00" + c), "for no slot"),
        (lambda _c: bytes(64), "of zeros"),
        (lambda _c: b"\xff" * 64, "of numbers too large"),
    ],
)
def test_proofs_that_are_none(world: World, proved: Callable[[bytes], bytes], why: str) -> None:
    challenge = world.challenge()
    assert world.say(external(certificate() + tlv("9E", proved(challenge))))[1] == 0x6982, why
    assert world.read(1)[1] == 0x6982


def test_a_forged_certificate(world: World) -> None:
    assert world.terminal(certificate(CA, signer=STRANGER)) == 0x6982
    real = certificate()
    widened = real.replace(tlv("DF66", bytes.fromhex("0103040A")), tlv("DF66", bytes.fromhex("01030409")))
    assert widened != real
    assert world.terminal(widened) == 0x6982
    assert world.read(1)[1] == 0x6982


def test_every_certificate_that_is_cut_or_has_a_byte_too_many(world: World) -> None:
    whole = certificate() + tlv("9E", bytes(64))
    for size in range(1, len(whole)):
        world.challenge()
        assert world.say(external(whole[:size]))[1] == 0x6A80, size
    world.challenge()
    assert world.say(external(whole + b"\x00"))[1] == 0x6A80
    world.challenge()
    assert world.say("00820000")[1] == 0x6A80


@pytest.mark.parametrize(
    "wrong",
    [
        {"group": ""},
        {"group": "Kiosk"},
        {"group": "kiosk-too-long"},
        {"name": "gate"},
        {"name": ""},
        {"fields": "0301"},
        {"fields": "0101"},
        {"fields": "00"},
        {"fields": "19"},
        {"fields": "0102030405060708090A0B0C0D"},
        {"issued": "20261332"},
        {"expiry": "20270229"},
        {"expiry": "2027012A"},
        {"expiry": "202701"},
    ],
)
def test_certificates_of_another_form(world: World, wrong: dict[str, str]) -> None:
    challenge = world.challenge()
    attempt = external(certificate(**wrong)[:180] + tlv("9E", bytes(64)))  # type: ignore[arg-type]
    assert world.say(attempt)[1] == 0x6A80
    assert world.say(world.authenticate(certificate(), challenge))[1] == 0x6985


def test_a_terminal_key_that_is_no_point(world: World) -> None:
    real = certificate()
    at = real.index(b"\x86\x21") + 2
    challenge = world.challenge()
    broken = real[:at] + b"\x02" + b"\xff" * 32 + real[at + 33 :]
    assert world.say(world.authenticate(broken, challenge))[1] == 0x6A80


def test_what_the_card_looks_at_first(world: World) -> None:
    """Each certificate has faults that stand behind the one that is told: expiry comes last, for who proved the key."""
    expired: dict[str, Any] = {"issued": "20250101", "expiry": "20250102"}
    foreign: dict[str, Any] = {"group": "nobody"}
    cases: list[tuple[bytes, int]] = [
        (certificate(STRANGER, **expired, **foreign), 0x6982),
        (certificate(CA, signer=STRANGER, **expired, **foreign), 0x6982),
        (certificate(**expired, **foreign), 0x6982),
        (certificate(**expired), 0x6984),
        (certificate(**foreign), 0x6982),
    ]
    for presented, word in cases:
        world.challenge()
        assert world.say(external(presented + tlv("9E", bytes(64))))[1] == 0x6982
        assert world.terminal(presented) == word
    assert newest(world) == "20261120", "the last one was signed by a listed CA, so its date counts"


def test_a_certificate_expires_by_the_newest_date_that_the_card_has_seen(world: World) -> None:
    old = certificate(issued="20261001", expiry="20261101")
    assert world.terminal(old) == 0x9000, "its last day is the day of the record"
    assert newest(world) == "20261101"
    assert world.terminal(certificate(issued="20261102", expiry="20261230")) == 0x9000
    assert newest(world) == "20261102"
    world.power_off()
    assert world.terminal(old) == 0x6984
    assert world.terminal(certificate(issued="20261001", expiry="20261102")) == 0x9000
    assert newest(world) == "20261102", "it never falls"
    assert world.terminal(certificate(issued="20270202", expiry="20270201")) == 0x6984
    assert newest(world) == "20261102"


def test_a_stolen_terminal_ages_out_with_the_next_honest_one(world: World) -> None:
    """Also when that one is of a foreign group: its certificate is signed all the same."""
    stolen = certificate(issued="20261001", expiry="20261115")
    assert world.terminal(stolen) == 0x9000
    assert world.terminal(certificate(issued="20261116", expiry="20261130", group="library")) == 0x6982
    assert world.terminal(stolen) == 0x6984


def test_the_owners_store_data_tells_the_day_too(world: World) -> None:
    stolen = certificate(issued="20261001", expiry="20261115")
    assert world.store(world.change(SUSPENDED, date="20261116")) == 0x9000
    assert world.terminal(stolen) == 0x6984
    world.counter += 1
    assert world.store(world.change(ACTIVE, date="20260101")) == 0x9000, "an older date is taken"
    assert newest(world) == "20261116"


@pytest.mark.parametrize("done", [False, True])
def test_power_lost_while_the_day_is_written(world: World, *, done: bool) -> None:
    presented = certificate(issued="20261120")
    challenge = world.challenge()
    world.memory.commits, world.memory.cut = 0, (0, done)
    with pytest.raises(PowerCut):
        world.say(world.authenticate(presented, challenge))
    world.power_off()
    assert newest(world) == ("20261120" if done else "20261101")
    assert world.read(1)[1] == 0x6982
    assert world.terminal(presented) == 0x9000


def test_groups(world: World) -> None:
    assert world.terminal(certificate(group="library")) == 0x6982
    assert world.store(groups("library", GROUP)) == 0x9000
    assert world.terminal(certificate(group="library")) == 0x9000
    assert world.store(groups()) == 0x9000
    assert world.terminal(certificate(group="anybody")) == 0x9000, "no group listed is every group"


def test_joint_use_and_its_ceiling(world: World) -> None:
    """A partner's terminal reads at most what was listed of its CA."""
    partner = certificate(PARTNER_CA, fields="0103040A")
    assert world.terminal(partner) == 0x6982
    assert world.store(authorities(authority(), authority(PARTNER_CA, "040A"))) == 0x9000
    assert world.terminal(partner) == 0x9000
    assert {sfi for sfi in range(1, 11) if world.read(sfi)[1] == 0x9000} == {4, 5, 10}
    assert world.store(authorities(authority())) == 0x9000
    assert world.read(4)[1] == 0x6982, "who was let in by other settings is out"
    assert world.terminal(partner) == 0x6982
    assert world.terminal() == 0x9000


def test_a_terminal_for_no_field_sees_that_the_record_is_there(world: World) -> None:
    assert world.terminal(certificate(fields="")) == 0x9000
    assert [world.read(sfi)[1] for sfi in (1, 4, 29, 30)] == [0x6982, 0x6982, 0x9000, 0x9000]


def test_the_partner_of_one_slot_is_a_stranger_at_another(world: World) -> None:
    proofs = itertools.product((certificate(), certificate(PARTNER_CA)), (OTHER_SLOT,))
    for presented, aid in proofs:
        assert world.say(world.authenticate(presented, world.challenge(), aid))[1] == 0x6982


def test_a_passer_by_does_not_learn_whose_slot_it_is(world: World) -> None:
    """The keys of terminal CAs are public, and certificates pass in clear: a forged or captured one of a CA that is
    listed is refused as that of any other."""
    context = b"kojin-slot-terminal-v1\x00"
    assert world.terminal(certificate(CA, signer=STRANGER)) == world.terminal(certificate(PARTNER_CA, signer=STRANGER))
    assert world.terminal(certificate(CA, signer=STRANGER)) == world.terminal(certificate(PARTNER_CA)) == 0x6982
    captured = (certificate(), certificate(issued="20260101", expiry="20260102"), certificate(STRANGER))
    for real in captured:
        challenge = world.challenge()
        assert world.say(external(real + tlv("9E", sign(STRANGER, context + challenge + SLOT))))[1] == 0x6982


def test_a_passer_by_costs_as_much_at_any_slot(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is refused with 6982 made the card verify two signatures, whatever was wrong."""
    verified: list[bool] = []

    def counted(*given: Any) -> bool:
        verified.append(verifies(*given))
        return verified[-1]

    monkeypatch.setattr(terminal, "verifies", counted)
    old: dict[str, Any] = {"issued": "20260101", "expiry": "20260102"}
    for presented in (
        certificate(),
        certificate(**old),
        certificate(CA, signer=STRANGER),
        certificate(STRANGER, **old),
    ):
        world.challenge()
        verified.clear()
        assert world.say(external(presented + tlv("9E", bytes(63) + b"\x01")))[1] == 0x6982
        assert len(verified) == 2
