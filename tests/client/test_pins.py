"""No try is ever spent by accident: format, counter, reserve, evidence, sources; conversations typed in hex."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from client.scripted import SELECT_COMMON, SELECT_JPKI, SELECT_TEXT, Scripted
from kojin_card.channel import CardChannel
from kojin_card.errors import (
    AccessDenied,
    Cancelled,
    NotOnCard,
    PinBlocked,
    PinRejected,
    PinReserve,
    SecretFormatError,
    UnexpectedAnswer,
    UnprovenRefused,
    UsageError,
)
from kojin_card.secret import Secret
from kojin_card.spec import CardSpec, EvidenceLevel, load_card_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.spec import Evidence

ASK, RIGHT = ("00200098", "63C3"), ("0020009804 31323334", "9000")


class Source:
    """A PIN source that keeps what it was asked and what it gave."""

    def __init__(self, *answers: str, then: Any = None) -> None:
        self.answers = [Secret(one) for one in answers]
        self.given: list[Secret] = []
        self.asked: list[tuple[str, str, int | None]] = []
        self.then = then

    def secret(self, name: str, *, label: str, tries_left: int | None) -> Secret:
        self.asked.append((name, label, tries_left))
        if self.then is not None:
            self.then()
        self.given.append(self.answers.pop(0))
        return self.given[-1]


def jpki(*steps: tuple[str, str], **options: Any) -> tuple[Scripted, CardChannel]:
    card = Scripted((SELECT_JPKI, "9000"), *steps)
    return card, CardChannel(card, **options)


# --- format -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("app", "key", "wrong"),
    [
        *(
            ("jpki", "auth_pin", wrong)
            for wrong in ["", "123", "12345", "12a4", "12 4", "１２３４", "+123", "\x001234"]
        ),
        *(
            ("jpki", "sign_password", wrong)
            for wrong in [
                "",
                "AB123",
                "A" * 8 + "1" * 9,
                "ABCDEF",
                "123456",
                "ABC12!",
                "ABC 123",
                "ＡＢＣ１２３",
                "abc12é",
            ]
        ),
        *(("input_support", "code_a", wrong) for wrong in ["53768667718", "5376866771880", "53768667718X"]),
        *(("input_support", "code_b", wrong) for wrong in ["5502172035228", "550217203522855", "S5021720352285"]),
    ],
)
def test_what_the_card_could_never_accept_is_not_sent(app: str, key: str, wrong: str) -> None:
    card = Scripted()
    channel = CardChannel(card, ours=True)
    pins: list[Any] = [wrong] + ([Secret(wrong)] if wrong.isascii() else [])
    for pin in pins:
        with pytest.raises(SecretFormatError) as caught:
            channel.verify(app, key, pin)
        assert not wrong or wrong not in str(caught.value) + repr(caught.value.details)
    assert card.sent == []


@pytest.mark.parametrize(
    ("typed", "wire"),
    [
        ("abc123", "06 414243313233"),
        ("ABC123", "06 414243313233"),
        ("a1b2c3d4e5f6g7h8", "10 41314232433344344535463647374838"),
    ],
)
def test_the_signature_password_is_folded_to_upper_case(typed: str, wire: str) -> None:
    card, channel = jpki(("0020009B", "63C5"), (f"0020009B{wire}", "9000"))
    channel.verify("jpki", "sign_password", typed)
    card.done()


@pytest.mark.parametrize("pin", [1234, None, b"1234", object()])
def test_what_is_neither_secret_nor_source(pin: Any) -> None:
    card = Scripted()
    with pytest.raises(UsageError):
        CardChannel(card).verify("jpki", "auth_pin", pin)
    assert card.sent == []


# --- the counter --------------------------------------------------------------------------------------------------


def test_counter_first_then_the_pin() -> None:
    card, channel = jpki(ASK, RIGHT)
    channel.verify("jpki", "auth_pin", "1234")
    assert channel.is_verified("jpki", "auth_pin")
    card.done()


@pytest.mark.parametrize("answer", ["63C0", "6983", "6984"])
def test_a_blocked_pin_is_seen_before_anything_is_asked_or_sent(answer: str) -> None:
    source = Source("1234")
    card, channel = jpki(("00200098", answer))
    with pytest.raises(PinBlocked) as caught:
        channel.verify("jpki", "auth_pin", source)
    assert source.asked == []
    assert caught.value.details["key"] == "jpki/auth_pin"
    assert caught.value.tries_left == 0
    card.done()


@pytest.mark.parametrize(
    ("left", "reserve", "sent"), [(1, 1, False), (2, 2, False), (2, 3, False), (2, 1, True), (1, 0, True)]
)
def test_the_reserve_is_kept(left: int, reserve: int, sent: bool) -> None:
    steps = [("00200098", f"63C{left}")] + ([RIGHT] if sent else [])
    card, channel = jpki(*steps)
    if sent:
        channel.verify("jpki", "auth_pin", "1234", reserve=reserve)
    else:
        with pytest.raises(PinReserve) as caught:
            channel.verify("jpki", "auth_pin", "1234", reserve=reserve)
        assert caught.value.tries_left == left
        assert caught.value.details["reserve"] == reserve
    card.done()


def test_a_negative_reserve_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        CardChannel(Scripted()).verify("jpki", "auth_pin", "1234", reserve=-1)


def test_unlimited_tries_are_no_counter() -> None:
    card, channel = jpki(("00200098", "6300"), RIGHT)
    channel.verify("jpki", "auth_pin", "1234")
    card.done()
    card, channel = jpki(("00200098", "6300"))
    assert channel.tries_left("jpki", "auth_pin") is None


def test_a_card_that_says_it_is_verified_is_believed() -> None:
    source = Source("1234")
    card, channel = jpki(("00200098", "9000"))
    channel.verify("jpki", "auth_pin", source)
    assert source.asked == []
    assert channel.is_verified("jpki", "auth_pin")
    card.done()


@pytest.mark.parametrize(("answer", "left"), [("63C2", 2), ("63C1", 1), ("63CF", 15)])
def test_a_wrong_pin_tells_what_is_left_and_ends_there(answer: str, left: int) -> None:
    card, channel = jpki(ASK, ("0020009804 31323334", answer))
    with pytest.raises(PinRejected) as caught:
        channel.verify("jpki", "auth_pin", "1234")
    assert caught.value.tries_left == left
    assert caught.value.details["secret"] == "auth-pin"
    assert not channel.is_verified("jpki", "auth_pin")
    card.done()


@pytest.mark.parametrize("answer", ["63C0", "6983", "6984"])
def test_the_try_that_blocks(answer: str) -> None:
    card, channel = jpki(("00200098", "63C1"), ("0020009804 31323334", answer))
    with pytest.raises(PinBlocked):
        channel.verify("jpki", "auth_pin", "1234", reserve=0)
    card.done()


@pytest.mark.parametrize("answer", ["6700", "6D00", "6E00", "6F00", "6985", "6300"])
def test_any_other_answer_is_unexpected_and_not_followed(answer: str) -> None:
    card, channel = jpki(ASK, ("0020009804 31323334", answer))
    with pytest.raises(UnexpectedAnswer):
        channel.verify("jpki", "auth_pin", "1234")
    card.done()


def test_a_question_that_the_card_does_not_understand_spends_nothing() -> None:
    card, channel = jpki(("00200098", "6700"))
    with pytest.raises(UnexpectedAnswer):
        channel.verify("jpki", "auth_pin", "1234")
    card.done()


def test_told_not_to_look() -> None:
    source = Source("1234")
    card, channel = jpki(RIGHT)
    channel.verify("jpki", "auth_pin", source, look=False)
    assert source.asked[0][2] is None
    card.done()


# --- sources ------------------------------------------------------------------------------------------------------


def test_a_source_is_asked_after_the_counter_and_wiped() -> None:
    source = Source("1234")
    card, channel = jpki(ASK, RIGHT)
    channel.verify("jpki", "auth_pin", source)
    assert source.asked == [("auth-pin", "利用者証明用暗証番号", 3)]
    assert not source.given[0]
    card.done()


def test_labels() -> None:
    for options, label, expected in (
        ({"lang": "en"}, None, "User authentication PIN"),
        ({}, "机の上のカード", "机の上のカード"),
    ):
        source = Source("1234")
        card, channel = jpki(ASK, RIGHT, **options)
        channel.verify("jpki", "auth_pin", source, label=label)
        assert source.asked[0][1] == expected
        card.done()


def test_the_callers_own_secret_is_left_to_the_caller() -> None:
    secret = Secret("1234")
    _, channel = jpki(ASK, RIGHT)
    channel.verify("jpki", "auth_pin", secret)
    assert secret.reveal() == b"1234"


@pytest.mark.parametrize("answer", ["", "12", "abcd"])
def test_a_source_that_gives_nonsense(answer: str) -> None:
    source = Source(answer)
    card, channel = jpki(ASK)
    with pytest.raises(SecretFormatError):
        channel.verify("jpki", "auth_pin", source)
    assert not source.given[0]
    card.done()


def test_a_source_that_gives_no_secret() -> None:
    class Plain:
        def secret(self, name: str, *, label: str, tries_left: int | None) -> Any:
            return "1234" if name and label and tries_left else None

    card, channel = jpki(ASK)
    with pytest.raises(UsageError) as caught:
        channel.verify("jpki", "auth_pin", Plain())
    assert "1234" not in str(caught.value)
    card.done()


def test_the_person_gives_up() -> None:
    def stop() -> None:
        raise Cancelled("no")

    card, channel = jpki(ASK)
    with pytest.raises(Cancelled):
        channel.verify("jpki", "auth_pin", Source("1234", then=stop))
    assert not channel.is_verified("jpki", "auth_pin")
    card.done()


def test_a_prompt_that_looks_at_the_card_meanwhile() -> None:
    """It may read the serial of another application; the PIN must still go to the right one."""
    card, channel = jpki(ASK, (SELECT_COMMON, "9000"), ("00B2010C00", "AA9000"), (SELECT_JPKI, "9000"), RIGHT)
    source = Source("1234", then=lambda: channel.read_record("common", "card_information", 1))
    channel.verify("jpki", "auth_pin", source)
    card.done()


def test_a_prompt_that_looks_at_a_card_without_short_identifiers() -> None:
    card, channel = jpki(
        ("00A4020C020018", "9000"),
        ("00200080", "63C3"),
        ("00A4020C020006", "9000"),
        ("00B00000A0", "AA9000"),
        ("00B000019F", "9000"),
        ("00A4020C020018", "9000"),
        ("0020008004 31323334", "9000"),
        plain_select=True,
    )
    source = Source("1234", then=lambda: channel.read("jpki", "token_information"))
    channel.verify("jpki", "auth_pin", source)
    card.done()


# --- evidence -----------------------------------------------------------------------------------------------------


def doubtful(app: str, key: str, *, what: str) -> CardSpec:
    """The specs with one fact turned into an assumption."""
    spec = load_card_spec()
    application = spec[app]

    def doubt(evidence: Evidence) -> Evidence:
        return replace(evidence, level=EvidenceLevel.ASSUMPTION)

    one = application.keys[key]
    keys, schemes = dict(application.keys), dict(application.schemes)
    if what == "key":
        keys[key] = replace(one, evidence=doubt(one.evidence))
    elif what == "tries" and one.tries is not None:
        keys[key] = replace(one, tries=replace(one.tries, evidence=doubt(one.tries.evidence)))
    elif what == "change" and one.change is not None:
        keys[key] = replace(one, change=replace(one.change, evidence=doubt(one.change.evidence)))
    elif what == "scheme":
        schemes["verbatim"] = replace(schemes["verbatim"], evidence=doubt(schemes["verbatim"].evidence))
    return CardSpec({**spec.applications, app: replace(application, keys=keys, schemes=schemes)})


@pytest.mark.parametrize(
    ("what", "key"), [("key", "auth_pin"), ("change", "auth_pin"), ("key", "auth_key"), ("scheme", "auth_key")]
)
def test_nothing_is_done_on_an_assumption_with_a_real_card(what: str, key: str) -> None:
    card = Scripted()
    channel = CardChannel(card, spec=doubtful("jpki", key, what=what))
    attempts: dict[tuple[str, str], Callable[[], object]] = {
        ("key", "auth_pin"): lambda: channel.verify("jpki", key, "1234"),
        ("change", "auth_pin"): lambda: channel.change("jpki", key, "1234", "4321"),
        ("key", "auth_key"): lambda: channel.sign("jpki", key, b"x"),
        ("scheme", "auth_key"): lambda: channel.sign("jpki", key, b"x"),
    }
    with pytest.raises(UnprovenRefused):
        attempts[what, key]()
    assert card.sent == []


@pytest.mark.parametrize("options", [{"ours": True}, {"allow_unproven": True}])
def test_unless_the_card_is_ours_or_the_caller_says_so(options: dict[str, bool]) -> None:
    card, channel = jpki(ASK, RIGHT, spec=doubtful("jpki", "auth_pin", what="key"), **options)
    channel.verify("jpki", "auth_pin", "1234")
    card.done()


def test_looking_is_free_and_a_number_of_tries_is_not_a_reference() -> None:
    card, channel = jpki(ASK, spec=doubtful("jpki", "auth_pin", what="key"))
    assert channel.tries_left("jpki", "auth_pin") == 3
    card, channel = jpki(ASK, RIGHT, spec=doubtful("jpki", "auth_pin", what="tries"))
    channel.verify("jpki", "auth_pin", "1234")
    card.done()


# --- changing -----------------------------------------------------------------------------------------------------

CHANGE = (("00A4020C020018", "9000"), ("00200080", "63C3"), ("0020008004 31323334", "9000"))


def test_change_by_sources() -> None:
    old, new = Source("1234"), Source("4321")
    card, channel = jpki(*CHANGE, ("0024018004 34333231", "9000"))
    channel.change("jpki", "auth_pin", old, new)
    assert old.asked == [("auth-pin", "利用者証明用暗証番号", 3)]
    assert new.asked == [("new-auth-pin", "利用者証明用暗証番号", None)]
    assert not old.given[0]
    assert not new.given[0]
    card.done()


def test_the_resident_registry_pin_has_its_own_command() -> None:
    card = Scripted(
        (SELECT_COMMON, "9000"),
        ("00A4020C02001C", "9000"),
        ("00200080", "63C3"),
        ("0020008004 39303132", "9000"),
        ("8032008004 31323334", "9000"),
    )
    CardChannel(card).change("common", "resident_registry_pin", "9012", "1234")
    card.done()


@pytest.mark.parametrize(("old", "new"), [("123", "4321"), ("1234", "abcd"), ("1234", "43210"), ("1234", "")])
def test_a_change_with_a_bad_form_sends_nothing(old: str, new: str) -> None:
    card = Scripted()
    with pytest.raises(SecretFormatError):
        CardChannel(card).change("jpki", "auth_pin", old, new)
    assert card.sent == []


def test_a_new_secret_of_a_bad_form_from_a_source_leaves_the_old_one_untried() -> None:
    old = Source("1234")
    card, channel = jpki(*CHANGE[:2])
    with pytest.raises(SecretFormatError):
        channel.change("jpki", "auth_pin", old, Source("12"))
    assert not old.given[0]
    card.done()


def test_a_wrong_old_secret_ends_the_change() -> None:
    card, channel = jpki(*CHANGE[:2], ("0020008004 31323334", "63C2"))
    with pytest.raises(PinRejected):
        channel.change("jpki", "auth_pin", "1234", "4321")
    card.done()


@pytest.mark.parametrize(("answer", "error"), [("63C1", PinReserve), ("63C0", PinBlocked), ("6984", PinBlocked)])
def test_a_change_keeps_the_reserve(answer: str, error: type[Exception]) -> None:
    card, channel = jpki(CHANGE[0], ("00200080", answer))
    with pytest.raises(error):
        channel.change("jpki", "auth_pin", "1234", "4321")
    card.done()


def test_a_change_compares_the_old_secret_even_when_the_card_says_that_it_is_verified() -> None:
    card, channel = jpki(CHANGE[0], ("00200080", "9000"), CHANGE[2], ("0024018004 34333231", "9000"))
    channel.change("jpki", "auth_pin", "1234", "4321")
    card.done()


@pytest.mark.parametrize(
    ("answer", "error"), [("6982", AccessDenied), ("6A80", UnexpectedAnswer), ("6700", UnexpectedAnswer)]
)
def test_a_card_that_does_not_take_the_new_secret(answer: str, error: type[Exception]) -> None:
    card, channel = jpki(*CHANGE, ("0024018004 34333231", answer))
    with pytest.raises(error):
        channel.change("jpki", "auth_pin", "1234", "4321")
    card.done()


def test_secrets_that_the_holder_cannot_change() -> None:
    card = Scripted()
    for key in ("code_a", "code_b"):
        with pytest.raises(UsageError):
            CardChannel(card).change("input_support", key, "1" * 14, "2" * 14)
    assert card.sent == []


# --- status -------------------------------------------------------------------------------------------------------


def test_status_of_what_is_there_and_what_is_not() -> None:
    card = Scripted(
        (SELECT_TEXT, "9000"),
        ("00200091", "63C0"),
        ("00200094", "6A88"),
        ("00A4020C020014", "6A82"),
        ("00200095", "63CA"),
    )
    channel = CardChannel(card)
    pin, code_a, code_b = (channel.pin_status("input_support", key) for key in ("pin", "code_a", "code_b"))
    assert (pin.tries_left, pin.tries, pin.present, pin.blocked) == (0, 3, True, True)
    assert (code_a.tries_left, code_a.present, code_a.blocked) == (None, False, False)
    assert (code_b.tries_left, code_b.tries, code_b.name_en[:21]) == (10, 10, "Verification number B")
    card.done()


def test_a_key_that_is_not_on_the_card() -> None:
    card, channel = jpki(("0020009B", "6A88"), ("00A4020C02001B", "6A82"))
    with pytest.raises(NotOnCard):
        channel.verify("jpki", "sign_password", "ABC123")
    card.done()
