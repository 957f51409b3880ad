"""住民基本台帳用暗証番号: two references (card.md §2.4), both changed, a half change noticed and finished."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from client.scripted import SELECT_COMMON, Scripted
from kojin_card import Card
from kojin_card.errors import (
    CardRemoved,
    HalfChanged,
    HalfChangedUnseen,
    NotOnCard,
    PinBlocked,
    PinRejected,
    PinReserve,
    SecretFormatError,
    TransportError,
    UnexpectedAnswer,
    UnprovenRefused,
    UsageError,
)
from kojin_card.secret import CallablePinSource, Secret
from kojin_card.simulator import CardState, SoftCard, make_card
from kojin_card.spec import CardSpec, EvidenceLevel, load_card_spec

if TYPE_CHECKING:
    from collections.abc import Callable

# card.md §1
SELECT_JUKI = "00A4040C0AD3921000310001010401"
OLD, NEW = "9012", "1111"  # the adult persona's, and another
VERIFY_OLD, VERIFY_NEW = "0020009C04 39303132", "0020009C04 31313131"
LOOK = [(SELECT_COMMON, "9000"), ("0020009C", "63C3"), (SELECT_JUKI, "9000"), ("0020009C", "63C3")]
CHANGE = [("00A4020C02001C", "9000"), ("8032008004 31313131", "9000")]
SECOND = [(SELECT_JUKI, "9000"), (VERIFY_OLD, "9000"), *CHANGE]


def change(*steps: tuple[str, str], **options: Any) -> Scripted:
    card = Scripted(*steps)
    Card(card).change_pin("registry", OLD, NEW, **options)
    card.done()
    return card


def test_both_are_changed() -> None:
    """card.md §4.3: 80 32 00 80. The counters of both come first; nothing is spent before."""
    card = change(*LOOK, (VERIFY_OLD, "9000"), (SELECT_COMMON, "9000"), (VERIFY_OLD, "9000"), *CHANGE, *SECOND)
    assert len(card.sent) == 13


def test_a_half_change_is_finished() -> None:
    """The second has the old value and the first has not: the new one is shown to it, which proves the half change."""
    change(*LOOK, (VERIFY_OLD, "9000"), (SELECT_COMMON, "9000"), (VERIFY_OLD, "63C2"), (VERIFY_NEW, "9000"), *SECOND)


def refused(kind: type[Exception], *steps: tuple[str, str], **options: Any) -> Any:
    card = Scripted(*steps)
    with pytest.raises(kind) as caught:
        Card(card).change_registry_pin(OLD, NEW, **options)
    card.done()
    return caught.value


def test_a_wrong_old_value_costs_one_try() -> None:
    error = refused(PinRejected, *LOOK, (VERIFY_OLD, "63C2"))
    assert error.tries_left == 2


@pytest.mark.parametrize(("left", "kind"), [("63C0", PinBlocked), ("6984", PinBlocked), ("63C1", PinReserve)])
def test_nothing_is_tried_when_either_counter_is_too_low(left: str, kind: type[Exception]) -> None:
    refused(kind, LOOK[0], ("0020009C", left))
    refused(kind, *LOOK[:3], ("0020009C", left))


def test_a_reserve_of_two() -> None:
    refused(PinReserve, *LOOK[:3], ("0020009C", "63C2"), reserve=2)
    refused(UsageError, reserve=-1)


def test_the_new_value_is_not_tried_below_the_reserve() -> None:
    steps = [*LOOK, (VERIFY_OLD, "9000"), (SELECT_COMMON, "9000")]
    error = refused(HalfChanged, *steps, (VERIFY_OLD, "63C1"))
    assert error.states == {"common": "unknown", "juki": "old"}
    refused(HalfChanged, *steps, (VERIFY_OLD, "63C2"), reserve=2)


def test_a_first_reference_with_a_third_value() -> None:
    error = refused(
        HalfChanged, *LOOK, (VERIFY_OLD, "9000"), (SELECT_COMMON, "9000"), (VERIFY_OLD, "63C2"), (VERIFY_NEW, "63C1")
    )
    assert error.states == {"common": "unknown", "juki": "old"}
    assert error.details["tries_left"] == 1
    assert error.__context__ is None


@pytest.mark.parametrize(
    ("word", "state"), [("6A80", "old"), ("6982", "old"), ("6581", "unknown"), ("6300", "unknown")]
)
def test_the_second_does_not_take_it(word: str, state: str) -> None:
    first = [(VERIFY_OLD, "9000"), (SELECT_COMMON, "9000"), (VERIFY_OLD, "9000"), *CHANGE]
    error = refused(HalfChanged, *LOOK, *first, *SECOND[:3], (SECOND[3][0], word))
    assert error.states == {"common": "new", "juki": state}
    assert OLD not in str(error)
    assert NEW not in str(error)
    for lang in ("ja", "en"):
        assert state in error.words(lang)
        assert error.remedy(lang)


def test_the_first_does_not_take_it() -> None:
    steps = [*LOOK, (VERIFY_OLD, "9000"), (SELECT_COMMON, "9000"), (VERIFY_OLD, "9000"), CHANGE[0]]
    refused(UnexpectedAnswer, *steps, (CHANGE[1][0], "6A80"))
    error = refused(HalfChanged, *steps, (CHANGE[1][0], "6581"))
    assert error.states == {"common": "unknown", "juki": "old"}


def test_a_card_without_one_of_the_applications() -> None:
    refused(NotOnCard, (SELECT_COMMON, "6A82"))
    refused(NotOnCard, *LOOK[:2], (SELECT_JUKI, "6A82"))


@pytest.mark.parametrize(("old", "new"), [("901", NEW), (OLD, "11111"), ("９０１２", NEW), (OLD, "")])
def test_forms_come_first(old: str, new: str) -> None:
    card = Scripted()
    with pytest.raises(SecretFormatError):
        Card(card).change_registry_pin(old, new)
    assert card.sent == []


def test_an_assumption_is_not_written_on() -> None:
    real = load_card_spec()
    key = real["juki"].keys["resident_registry_pin"]
    doubtful = replace(key, evidence=replace(key.evidence, level=EvidenceLevel.ASSUMPTION))
    juki = replace(real["juki"], keys={"resident_registry_pin": doubtful})
    card = Scripted()
    with pytest.raises(UnprovenRefused):
        Card(card, spec=CardSpec({**real.applications, "juki": juki})).change_registry_pin(OLD, NEW)
    assert card.sent == []


def test_a_source_is_asked_once_for_each_and_after_the_counters() -> None:
    asked: list[tuple[str, str, int | None]] = []

    def ask(name: str, label: str, left: int | None) -> Secret:
        asked.append((name, label, left))
        return Secret(NEW if name.startswith("new-") else OLD)

    source = CallablePinSource(ask)
    script = [*LOOK[:3], ("0020009C", "63C2"), (VERIFY_OLD, "9000"), (SELECT_COMMON, "9000"), (VERIFY_OLD, "9000")]
    card = Scripted(*script, *CHANGE, *SECOND)
    Card(card).change_registry_pin(source, source)
    card.done()
    assert [(name, left) for name, _, left in asked] == [("registry-pin", 2), ("new-registry-pin", None)]
    assert all("住民基本台帳" in label for _, label, _ in asked)


# --- on the software card -------------------------------------------------------------------------------------------


@cache
def state() -> CardState:
    return make_card("adult", now=datetime(2026, 11, 24, tzinfo=UTC))


def tries(soft: SoftCard) -> list[int | None]:
    card = Card(soft, ours=True)
    return [card.channel.tries_left(app, "resident_registry_pin") for app in ("common", "juki")]


def has(soft: SoftCard, common: str, juki: str) -> None:
    """Both references, with their values shown to the card."""
    card = Card(soft, ours=True)
    card.channel.verify("common", "resident_registry_pin", common)
    card.channel.verify("juki", "resident_registry_pin", juki)


def test_on_the_software_card() -> None:
    soft = SoftCard.in_memory(state())
    Card(soft, ours=True).change_pin("registry", OLD, NEW)
    has(soft, NEW, NEW)
    assert tries(soft) == [3, 3]


def test_a_half_change_on_the_software_card() -> None:
    soft = SoftCard.in_memory(state())
    card = Card(soft, ours=True)
    card.channel.change("common", "resident_registry_pin", OLD, NEW)
    has(soft, NEW, OLD)
    card.change_registry_pin(OLD, NEW)
    has(soft, NEW, NEW)
    assert tries(soft) == [3, 3]


def test_one_that_another_program_left_the_other_way_round() -> None:
    """Both ways end in one value: that of the first becomes the new one."""
    soft = SoftCard.in_memory(state())
    card = Card(soft, ours=True)
    card.channel.change("juki", "resident_registry_pin", OLD, NEW)
    with pytest.raises(PinRejected):
        card.change_registry_pin(OLD, NEW)
    card.change_registry_pin(NEW, OLD)
    has(soft, OLD, OLD)
    assert tries(soft) == [3, 3]


def test_a_wrong_old_value_on_the_software_card() -> None:
    soft = SoftCard.in_memory(state())
    card = Card(soft, ours=True)
    with pytest.raises(PinRejected):
        card.change_registry_pin("0000", NEW)
    assert tries(soft) == [3, 2]
    with pytest.raises(PinRejected):
        card.change_registry_pin("0000", NEW)
    with pytest.raises(PinReserve):
        card.change_registry_pin("0000", NEW)
    assert tries(soft) == [3, 1]
    card.change_registry_pin(OLD, NEW, reserve=0)
    has(soft, NEW, NEW)


class Torn:
    """A connection that breaks at one command: before the card has it, or before its answer is back."""

    def __init__(self, soft: SoftCard, at: int, *, executed: bool) -> None:
        self.soft, self.at, self.executed, self.sent = soft, at, executed, 0

    def transmit(self, command: bytes) -> bytes:
        self.sent += 1
        if self.sent - 1 != self.at:
            return self.soft.transmit(command)
        if self.executed:
            self.soft.transmit(command)
        raise CardRemoved("gone", operation="transmit")


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("at", range(13))
def test_torn_at_every_command_and_done_again(at: int, executed: bool) -> None:
    """Wherever the card is taken away: the error says what is known, the same call again ends with one value."""
    soft = SoftCard.in_memory(state())
    with pytest.raises(TransportError) as caught:
        Card(Torn(soft, at, executed=executed)).change_registry_pin(OLD, NEW)
    error = caught.value
    assert isinstance(error, HalfChangedUnseen) is (at >= 7)
    if isinstance(error, HalfChangedUnseen):
        # commands 7 and 8 select and change the first, 9 to 12 the second
        assert error.states["common"] == ("unknown" if at <= 8 else "new")
        assert error.states["juki"] == ("unknown" if at >= 11 else "old")
    soft.reset()
    if at == 12 and executed:  # nothing is left to do: the old value is refused, at the price of one try
        with pytest.raises(PinRejected):
            Card(soft, ours=True).change_registry_pin(OLD, NEW)
    else:
        Card(soft, ours=True).change_registry_pin(OLD, NEW)
    has(soft, NEW, NEW)
    assert tries(soft) == [3, 3]


# --- the other three --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "old", "new", "use"),
    [
        ("sign", "ABC123", "XYZ789", lambda card: card.jpki.signer("xyz789")),
        ("auth", "1234", "4321", lambda card: card.jpki.auth_signer("4321")),
        ("input-support", "5678", "8765", lambda card: card.input_support.read_basic_four("8765")),
    ],
)
def test_the_other_secrets(which: Any, old: str, new: str, use: Callable[[Card], object]) -> None:
    card = Card(SoftCard.in_memory(state()), ours=True)
    card.change_pin(which, old, new)
    use(card)
    with pytest.raises(PinRejected):
        card.change_pin(which, old, new)


def test_no_other_secret_can_be_changed() -> None:
    card = Card(Scripted())
    with pytest.raises(UsageError):
        card.change_pin("code-b", OLD, NEW)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        card.channel.change("card_face", "birth_code", "020803", "020804")
