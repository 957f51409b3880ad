"""個人番号: check digit, masking, the stated duty, and that nothing derived from it is ever seen."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from client.scripted import SELECT_TEXT, Scripted
from kojin_card.applications import InputSupport, MyNumber
from kojin_card.channel import CardChannel
from kojin_card.errors import DecodeError, PinRejected, PinReserve, SecretFormatError, UnexpectedAnswer, UsageError

if TYPE_CHECKING:
    from kojin_card.transport.link import Exchange

DUTY = "源泉徴収票の作成"
# card.md §2.1, §7: the fictitious holder of the J-LIS test card
DIGITS = "537686677188"
EF_0001 = "FF100C 353337363836363737313838 FFFF"


def driver(*steps: tuple[str, str]) -> tuple[Scripted, InputSupport, list[Exchange]]:
    seen: list[Exchange] = []
    card = Scripted((SELECT_TEXT, "9000"), *steps)
    return card, InputSupport(CardChannel(card, observer=seen.append)), seen


@pytest.mark.parametrize("digits", [DIGITS, "983205673214", "123456789018"])
def test_the_valid_samples(digits: str) -> None:
    """card.md §7."""
    assert MyNumber(digits, duty=DUTY).reveal() == digits


@pytest.mark.parametrize("digits", [DIGITS, "983205673214", "123456789018"])
def test_every_other_check_digit_is_wrong(digits: str) -> None:
    for last in set("0123456789") - {digits[-1]}:
        with pytest.raises(DecodeError) as caught:
            MyNumber(digits[:-1] + last, duty=DUTY)
        assert digits[:4] not in str(caught.value)


@pytest.mark.parametrize(
    ("digits", "right"),
    [
        ("000000000000", True),  # remainder 0
        ("000000000400", True),  # 4 x 3 = 12, remainder 1
        ("000000020001", True),  # 2 x 5 = 10, 11 - 10
        ("000000000027", True),  # 2 x 2 = 4, 11 - 4
        ("000000000020", False),
        ("000000000401", False),
    ],
)
def test_by_hand(digits: str, right: bool) -> None:
    """Weights 6 5 4 3 2 7 6 5 4 3 2: remainder 0 or 1 gives 0, else 11 less the remainder."""
    if right:
        assert MyNumber(digits, duty=DUTY).reveal() == digits
        return
    with pytest.raises(DecodeError):
        MyNumber(digits, duty=DUTY)


@pytest.mark.parametrize(
    "digits", ["", "53768667718", "5376866771880", "53768667718X", "５３７６８６６７７１８８", "²" * 12]
)
def test_what_are_not_twelve_digits(digits: str) -> None:
    with pytest.raises(DecodeError):
        MyNumber(digits, duty=DUTY)


def test_it_shows_nothing_and_cannot_be_taken_away() -> None:
    number: Any = MyNumber(DIGITS, duty=DUTY)
    for text in (repr(number), str(number), f"{number}", f"{number:>20}", f"{number!s}", repr([number])):
        assert not any(DIGITS[at : at + 4] in text for at in range(9))
    assert number.masked() == "********7188"
    assert number.duty == DUTY
    for take in (hash, pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as caught:
            take(number)
        assert DIGITS not in str(caught.value)
    with pytest.raises(AttributeError):
        number._digits = "123456789018"
    with pytest.raises(AttributeError):
        del number._digits
    assert not hasattr(number, "__dict__")
    assert number == MyNumber(DIGITS, duty="別の事務")
    assert number != MyNumber("123456789018", duty=DUTY)
    assert number != DIGITS


@pytest.mark.parametrize("duty", ["", "  ", "二\n行", "x" * 201, "\x00", None, 5])
def test_without_a_duty_nothing_is_read(duty: Any) -> None:
    card = Scripted()
    with pytest.raises(UsageError, match="番号法"):
        InputSupport(CardChannel(card)).read_my_number("5678", duty=duty)
    assert card.sent == []
    with pytest.raises(UsageError):
        MyNumber(DIGITS, duty=duty)


def test_by_the_pin() -> None:
    """card.md §2.1: EF 0001 is 17 bytes, two of them filler."""
    card, driving, seen = driver(
        ("00200091", "63C3"), ("0020009104 35363738", "9000"), ("00B0810011", f"{EF_0001} 9000")
    )
    number = driving.read_my_number("5678", duty=f"  {DUTY} ")
    card.done()
    assert (number.reveal(), number.duty) == (DIGITS, DUTY)
    text = " ".join(map(str, seen)) + repr(seen)
    assert DIGITS not in text
    assert DIGITS.encode().hex() not in text.lower()


def test_by_code_a() -> None:
    card, driving, seen = driver(
        ("00200094", "63CA"), ("002000940C 353337363836363737313838", "9000"), ("00B0810011", f"{EF_0001} 9000")
    )
    assert driving.read_my_number(code_a=DIGITS, duty=DUTY).masked() == "********7188"
    card.done()
    assert DIGITS.encode().hex() not in repr(seen).lower()


def test_one_secret_and_only_one() -> None:
    card = Scripted()
    driving = InputSupport(CardChannel(card))
    with pytest.raises(UsageError):
        driving.read_my_number(duty=DUTY)
    with pytest.raises(UsageError):
        driving.read_my_number("5678", code_a=DIGITS, duty=DUTY)
    with pytest.raises(SecretFormatError):
        driving.read_my_number(code_a=DIGITS[:-1], duty=DUTY)
    assert card.sent == []


@pytest.mark.parametrize(
    "content",
    [
        EF_0001.replace("38 FFFF", "39 FFFF"),  # check digit
        EF_0001.replace("353337", "353341"),
        EF_0001.replace("FF100C", "FF110C"),
        "FF" * 17,
    ],
)
def test_what_is_no_number_on_the_card(content: str) -> None:
    card, driving, _ = driver(("0020009104 35363738", "9000"), ("00B0810011", f"{content} 9000"))
    with pytest.raises(UnexpectedAnswer) as caught:
        driving.read_my_number("5678", duty=DUTY, look=False)
    card.done()
    assert DIGITS[:6] not in str(caught.value)
    assert caught.value.__context__ is None


def test_the_reserve_holds() -> None:
    card, driving, _ = driver(("00200091", "63C1"))
    with pytest.raises(PinReserve):
        driving.read_my_number("5678", duty=DUTY)
    card.done()
    card, driving, _ = driver(("00200091", "63C3"), ("0020009104 35363738", "63C2"))
    with pytest.raises(PinRejected):
        driving.read_my_number("5678", duty=DUTY)
    card.done()


def test_its_digest_leaves_no_trace_either() -> None:
    """card.md §2.1: DF31 of EF 0003 is a SHA-256 of twelve digits, which is as good as the digits."""
    digest = "6D5A4C1EF9AB15BF506862D7E66B9C0F179CA065BC936C8E634E9E57449CA9CD"
    content = f"FF3082014B DF3120{digest} DF3220{'A1' * 32} DF33820100{'5C' * 256}".replace(" ", "")
    seen: list[Exchange] = []
    card = Scripted(
        (SELECT_TEXT, "9000"),
        ("0020009104 35363738", "9000"),
        ("00B0830000", content[:512] + "9000"),
        ("00B0010050", content[512:] + "9000"),
    )
    channel = CardChannel(card, observer=seen.append)
    channel.verify("input_support", "pin", "5678", look=False)
    record = channel.record("input_support", "record_signature")
    card.done()
    assert record.octets("my_number_digest").hex().upper() == digest
    assert digest[:16] not in (repr(record) + repr(seen) + "".join(map(str, seen))).upper()
    assert [one.data for one in seen[2:]] == [None, None]
