"""The chip beyond the literal tables: it answers whatever comes, and a fault of its own ends in a status word."""

from __future__ import annotations

import dataclasses
import random
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kojin_card.errors import CardRemoved
from kojin_card.simulator import CardState, Knobs, SoftCard, make_card
from kojin_card.simulator.memory import VolatileMemory
from kojin_card.simulator.rsa_engine import RsaEngine
from kojin_card.simulator.security import has_form
from kojin_card.simulator.state import KeyState
from kojin_card.spec import load_card_spec

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SPEC = load_card_spec()
JPKI = "00A4040C0AD392F000260100000001"
TEXT = "00A4040C0AD3921000310001010408"
AUTH = "002000980431323334"
PIN = "002000910435363738"


@cache
def adult() -> CardState:
    return make_card("adult", now=NOW)


def card(**knobs: object) -> SoftCard:
    state = dataclasses.replace(adult(), knobs=Knobs(**knobs))  # type: ignore[arg-type]
    return SoftCard.in_memory(state, spec=SPEC)


def send(target: SoftCard, command: str) -> str:
    return target.transmit(bytes.fromhex(command)).hex().upper()


class BrokenMemory(VolatileMemory):
    """Memory that stops writing after so many writes."""

    def __init__(self, state: CardState, writes: int) -> None:
        super().__init__(state)
        self.writes = writes
        self.seen: list[CardState] = []

    def commit(self, state: CardState) -> None:
        if not self.writes:
            raise OSError("no space left: PIN 1234")
        self.writes -= 1
        self.seen.append(state)
        super().commit(state)


# --- whatever comes in -----------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_get_an_answer(commands: list[bytes]) -> None:
    target = card()
    for command in commands:
        assert 2 <= len(target.transmit(command)) <= 65538


def test_any_header_in_any_application_gets_an_answer_and_opens_nothing() -> None:
    """Random commands of known shape, no VERIFY: at the end everything closed is still closed, no try is gone."""
    generator = random.Random(20261124)  # noqa: S311  # the same bytes every run
    target = card()
    for select in ("", TEXT, JPKI):
        if select:
            assert send(target, select) == "9000"
        for _ in range(3000):
            cla = generator.choice((0x00, 0x80, generator.randrange(256)))
            ins = generator.choice((0xA4, 0xB0, 0xB2, 0x24, 0x84, 0x2A, 0x32, generator.randrange(256)))
            if ins == 0x20:
                continue
            data = generator.randbytes(generator.choice((0, 1, 2, 2, 32)))
            body = bytes((len(data),)) + data if data else b""
            head = bytes((cla, ins, generator.randrange(256), generator.randrange(256)))
            assert len(target.transmit(head + body + generator.choice((b"", b"\x00")))) >= 2
    assert send(target, JPKI) == "9000"
    assert send(target, "00B0810004") == "6982"
    assert send(target, "00200098") == "63C3"
    assert target.state == adult()


@pytest.mark.parametrize("command", ["", "00", "00A404", "00A4040CFF", "00" * 70000])
def test_malformed_is_6700(command: str) -> None:
    assert send(card(), command) == "6700"


def test_a_fault_of_the_card_is_6f00_and_tells_nothing() -> None:
    def broken(_: int) -> bytes:
        raise RuntimeError("secret 1234")

    target = SoftCard.in_memory(adult(), spec=SPEC, random=broken)
    assert send(target, "0084000008") == "6F00"
    assert send(target, JPKI) == "9000"


def test_numbers_that_are_no_primes_give_6f00_not_a_wrong_signature() -> None:
    old = adult().key("jpki", "auth_key").private
    assert old is not None
    wrong = dataclasses.replace(old, p=old.p + 2 * 65537)
    state = adult().with_key("jpki", "auth_key", KeyState(private=wrong))
    target = SoftCard.in_memory(state, spec=SPEC)
    assert send(target, JPKI) == send(target, AUTH) == "9000"
    for command in ("802A009701AA00", "802A049720" + "AA" * 32 + "00"):
        assert send(target, command) == "6F00"


# --- a try is spent before it is compared ----------------------------------------------------------------------------


def memory_card(writes: int) -> tuple[SoftCard, BrokenMemory]:
    memory = BrokenMemory(adult(), writes)
    return SoftCard(memory, "broken", spec=SPEC), memory


def left(state: CardState) -> int:
    return state.key("jpki", "auth_pin").tries_left


def test_the_try_is_in_memory_before_the_comparison() -> None:
    target, memory = memory_card(9)
    assert [send(target, line) for line in (JPKI, AUTH)] == ["9000", "9000"]
    assert [left(state) for state in memory.seen] == [2, 3]


@pytest.mark.parametrize("pin", ["31323334", "30303030"])
def test_a_try_that_cannot_be_recorded_is_not_compared(pin: str) -> None:
    target, memory = memory_card(0)
    assert send(target, JPKI) == "9000"
    assert send(target, "0020009804" + pin) == "6581"
    assert left(memory.state) == 3
    assert send(target, "802A009701AA00") == "6982"


def test_a_right_value_whose_success_cannot_be_recorded_opens_nothing() -> None:
    target, memory = memory_card(1)
    assert [send(target, line) for line in (JPKI, AUTH)] == ["9000", "6581"]
    assert left(memory.state) == 2
    assert send(target, "802A009701AA00") == "6982"


def test_a_change_that_cannot_be_recorded_leaves_the_old_value() -> None:
    target, memory = memory_card(2)
    assert [send(target, line) for line in (JPKI, AUTH, "00240198" + "0438383838")] == ["9000", "9000", "6581"]
    assert memory.state.key("jpki", "auth_pin").secret == b"1234"


def test_a_wrong_value_ends_what_a_right_one_had_opened() -> None:
    target = card()
    assert [send(target, line) for line in (JPKI, AUTH)] == ["9000", "9000"]
    assert send(target, "002000980430303030") == "63C2"
    assert send(target, "802A009701AA00") == "6982"
    assert send(target, AUTH) == "9000"
    assert send(target, "802A009701AA00").endswith("9000")


# --- decisions where the facts are silent ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("talk", "answer"),
    [
        ((JPKI, "0020009803313233"), "63C2"),  # an impossible length is a wrong value
        ((JPKI, "0020009800"), "6700"),
        ((JPKI, "00200098043132333400"), "6700"),
        ((JPKI, AUTH, "0024019803313233"), "6A80"),
        ((JPKI, AUTH, "00240198046162 6364"), "6A80"),
        ((JPKI, "0020009B06414243313233", "0024019B06414243444546"), "6A80"),
        ((JPKI, "0020009B06414243313233", "0024019B06616263313233"), "6A80"),
        ((JPKI, AUTH, "8032009804" + "38383838"), "6982"),
        ((JPKI, AUTH, "0024009804" + "38383838"), "6A86"),
        ((JPKI, "802A000001AA00"), "6A88"),
        ((JPKI, AUTH, "802A009701AA"), "6700"),
        ((JPKI, AUTH, "802A009701AA80"), "6700"),
        ((JPKI, AUTH, "802A009700"), "6700"),
        ((JPKI, AUTH, "802A0297" + "21" + "AA" * 33 + "00"), "6985"),
        ((JPKI, "00A4000C023F00"), "6A82"),
        ((JPKI, "00A400000100"), "6700"),
        ((JPKI, "00B08A00"), "6700"),
        ((JPKI, "00B0800000"), "6A86"),
        ((JPKI, "00B0EA0000"), "6A86"),
        ((JPKI, "802400980431323334"), "6D00"),
        ((JPKI, "805400980431323334"), "6982"),
        ((JPKI, "808A220000"), "6982"),
        ((JPKI, "808A000000"), "6A86"),
        ((JPKI, "80FC0000"), "6700"),
        ((JPKI, "00CA004200"), "6A88"),
        ((JPKI, "80AE000001AA00"), "6982"),
        ((JPKI, "10B08A0004"), "6E00"),
        ((JPKI, "40B08A0004"), "6E00"),
        ((JPKI, "84B08A0004"), "6882"),
        ((TEXT, "08B0820000"), "69FC"),
        ((TEXT, "0CB0820000"), "6987"),
        (("80AE000001AA00",), "6D00"),
        ((TEXT, PIN, "80AE000101AA00"), "6A86"),
        ((TEXT, "80AE000001AA00"), "6982"),
        ((TEXT, PIN, "80AE0000000100" + "00" * 256 + "0000"), "6700"),
        ((TEXT, PIN, "80AE0000"), "6700"),
        ((TEXT, PIN, "80AE0000000100" + "00" * 255 + "01"), "6A80"),
        ((TEXT, "0DB0820000"), "6881"),
        (("00A4040400",), "6A86"),
        (("00A4040CFF" + "00" * 255,), "6700"),
        (("00A4040C",), "6700"),
    ],
)
def test_decisions(talk: tuple[str, ...], answer: str) -> None:
    target = card()
    *before, last = talk
    assert all(send(target, line).endswith("9000") for line in before)
    assert send(target, last) == answer


def test_select_with_le_gives_the_name_alone() -> None:
    """FCI bytes are unknown (card.md §13): ours hold the DF name, an assumption."""
    target = card()
    assert send(target, "00A404000AD392F00026010000000100") == "6F0C840AD392F0002601000000019000"
    assert send(target, "00A4040002D39200") == "6F0C840AD39210003100010101009000"
    assert send(target, "00A404000AD392F00026010000000104") == "6F0C840A9000"
    assert send(target, "00A404000AD392F000260100000001") == "9000"


def test_a_blocked_reference_without_a_value() -> None:
    target = SoftCard.in_memory(make_card("child", now=NOW), spec=SPEC)
    assert send(target, JPKI) == "9000"
    assert send(target, "0020009B") == "63C0"
    assert send(target, "0020009B06414243313233") == "6984"
    assert send(target, "0024019B06414243313233") == "6982"
    assert send(target, "00B0810004") == "6A82"
    assert send(target, "802A009A01AA00") == "6A82"


def test_internal_keys_that_no_command_uses_yet() -> None:
    target = card()
    assert send(target, "00A4040C0AD3921000310001010100") == "9000"
    assert send(target, "802A009901AA00") == "6A86"


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (b"ABC123", True),
        (b"A1" * 8, True),
        (b"ABCDEF", False),
        (b"123456", False),
        (b"AB123", False),
        (b"A1" * 8 + b"A", False),
        (b"abc123", False),
        (b"ABC 123", False),
        (b"ABC\xff123", False),
    ],
)
def test_the_form_of_a_signature_password(value: bytes, good: bool) -> None:
    form = SPEC["jpki"].keys["sign_password"].format
    assert form is not None
    assert has_form(value, form) is good


# --- the object ------------------------------------------------------------------------------------------------------


def test_a_closed_card_is_gone() -> None:
    with card() as target:
        assert send(target, JPKI) == "9000"
    target.close()
    with pytest.raises(CardRemoved):
        target.transmit(bytes.fromhex(JPKI))


def test_what_a_prompt_shows() -> None:
    assert card().description == "software card (adult)"
    assert "1234" not in repr(card())


def test_randomness_is_passed_in() -> None:
    numbers: Callable[[int], bytes] = lambda count: b"\x5a" * count  # noqa: E731
    assert send(SoftCard.in_memory(adult(), spec=SPEC, random=numbers), "0084000003") == "5A5A5A9000"


def test_the_engine_refuses_what_does_not_fit() -> None:
    private = adult().key("jpki", "auth_key").private
    assert private is not None
    engine = RsaEngine(private.p, private.q)
    assert len(engine.sign_verbatim(b"\xaa" * 245)) == 256
    with pytest.raises(ValueError, match="too long"):
        engine.sign_verbatim(b"\xaa" * 246)
    with pytest.raises(ValueError, match="pow"):
        RsaEngine(1, private.q)
