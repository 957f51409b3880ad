"""The link over hand-made connections: 61xx, 6Cxx, extended APDUs, failures, and what observers may see."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kojin_card.errors import (
    AccessDenied,
    Cancelled,
    CardError,
    CardRemoved,
    DecodeError,
    KojinError,
    NotOnCard,
    PinBlocked,
    PinRejected,
    TransportError,
    UnexpectedAnswer,
    UsageError,
)
from kojin_card.iso7816.apdu import CommandApdu
from kojin_card.transport.answers import raise_for_sw
from kojin_card.transport.link import MAX_PIECES, Exchange, Link, declares_extended

READ = CommandApdu(0x00, 0xB0, 0x81, 0x00, le=256)
PIN = CommandApdu(0x00, 0x20, 0x00, 0x98, b"7531", sensitive=True)


class Answers:
    """Plays answers in hex; the last one for ever."""

    def __init__(self, *answers: str, **more: Any) -> None:
        self.answers = list(answers)
        self.sent: list[str] = []
        self.__dict__.update(more)

    def transmit(self, command: bytes) -> bytes:
        self.sent.append(command.hex().upper())
        return bytes.fromhex(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


class Raises:
    """Fails; its words and its frame hold the command."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def transmit(self, command: bytes) -> bytes:
        raise self.error(f"could not send {command.hex()} {command!r}")


def test_the_answer_is_fetched_in_pieces() -> None:
    card = Answers("6102", "AABB6101", "CC9000")
    answer = Link(card).send(READ)
    assert (answer.data.hex(), answer.sw) == ("aabbcc", 0x9000)
    assert card.sent == ["00B0810000", "00C0000002", "00C0000001"]


def test_the_first_piece_may_come_with_the_announcement() -> None:
    card = Answers("AA6100", "BB9000")
    assert Link(card).send(READ).data.hex() == "aabb"
    assert card.sent[1] == "00C0000000"


def test_a_get_response_may_be_corrected_once() -> None:
    card = Answers("6110", "6C02", "AABB9000")
    assert Link(card).send(READ).data.hex() == "aabb"
    assert card.sent[1:] == ["00C0000010", "00C0000002"]


def test_the_right_le_is_taken_from_6cxx_once() -> None:
    card = Answers("6C02", "AABB9000")
    assert Link(card).send(READ).data.hex() == "aabb"
    assert card.sent == ["00B0810000", "00B0810002"]
    stubborn = Answers("6C02")
    assert Link(stubborn).send(READ).sw == 0x6C02
    assert len(stubborn.sent) == 2


@pytest.mark.parametrize("sw", ["6C04", "6C00", "6700", "6A86", "6F00", "63C2", "6982"])
def test_a_secret_is_sent_once_whatever_comes(sw: str) -> None:
    card = Answers(sw, extended=True)
    assert Link(card).send(PIN).sw == int(sw, 16)
    assert card.sent == ["0020009804" + "37353331"]


def test_an_answer_that_never_ends_is_a_failure() -> None:
    card = Answers("6101", "AA6101")
    link = Link(card)
    with pytest.raises(TransportError, match="does not end"):
        link.send(READ)
    assert len(card.sent) <= MAX_PIECES + 1
    empty = Answers("6100")
    with pytest.raises(TransportError, match="does not end"):
        Link(empty).send(READ)
    large = Answers("6100", "00" * 256 + "6100")
    with pytest.raises(TransportError, match="does not end"):
        Link(large).send(READ)
    assert len(large.sent) < 300


def test_a_piece_without_anything_in_it_ends_the_answer() -> None:
    """Else a card that gives one byte for 512 GET RESPONSEs keeps a terminal busy for hours with one file."""
    card = Answers("6101", "6101")
    with pytest.raises(TransportError, match="does not end"):
        Link(card).send(READ)
    assert len(card.sent) == 2
    card = Answers("AA6101", "6C01", "6101")
    with pytest.raises(TransportError, match="does not end"):
        Link(card).send(READ)
    assert len(card.sent) == 3


@pytest.mark.parametrize("raw", ["", "90", "00" * 65539])
def test_what_is_no_answer_is_a_failure(raw: str) -> None:
    with pytest.raises(TransportError):
        Link(Answers(raw)).send(READ)


def test_more_than_was_asked_for_is_a_failure() -> None:
    with pytest.raises(TransportError, match="longer"):
        Link(Answers("AABBCC9000")).send(CommandApdu(0x00, 0x84, 0x00, 0x00, le=2))


@pytest.mark.parametrize("answer", [None, "9000", 0x9000, [0x90, 0x00]])
def test_what_is_not_even_bytes_is_a_failure(answer: object) -> None:
    class Odd:
        def transmit(self, _: bytes) -> Any:
            return answer

    with pytest.raises(TransportError):
        Link(Odd()).send(READ)


@pytest.mark.parametrize("error", [OSError, ValueError, KeyError, RuntimeError, TimeoutError, AssertionError])
def test_whatever_the_connection_raises_is_a_transport_error_without_its_words(error: type[Exception]) -> None:
    link = Link(Raises(error))
    with pytest.raises(TransportError) as caught:
        link.send(PIN, operation="verify jpki/auth_pin")
    bad: BaseException = caught.value
    assert bad.__cause__ is None
    assert bad.__context__ is None
    text = "".join(traceback.format_exception(bad)) + repr(bad) + str(vars(bad))
    assert "7531" not in text
    assert "37353331" not in text
    assert "verify jpki/auth_pin" in str(bad)
    assert error.__name__ in str(bad)


@pytest.mark.parametrize("error", [OSError, CardRemoved, KeyboardInterrupt, MemoryError])
def test_a_session_that_failed_is_over(error: type[BaseException]) -> None:
    """Also after Ctrl-C in the middle of a command: nothing is known about the card any more."""
    connection = Raises(error)
    link = Link(connection)
    with pytest.raises(BaseException):  # noqa: B017  # KeyboardInterrupt is meant too
        link.send(READ)
    assert link.is_over
    sent = link.sent
    with pytest.raises(TransportError, match="over"):
        link.send(READ)
    assert link.sent == sent


def test_our_own_errors_pass_as_they_are() -> None:
    with pytest.raises(CardRemoved):
        Link(Raises(CardRemoved)).send(READ)


def test_an_ended_link_sends_nothing() -> None:
    card = Answers("9000")
    link = Link(card)
    link.end()
    with pytest.raises(TransportError, match="closed"):
        link.send(READ)
    assert card.sent == []


# --- extended APDUs ---------------------------------------------------------------------------------------------------

LONG_READ = CommandApdu(0x00, 0xB0, 0x81, 0x00, le=65536)


def test_extended_where_the_connection_says_so() -> None:
    card = Answers("AA" * 300 + "9000", extended=True)
    assert len(Link(card).send(LONG_READ).data) == 300
    assert card.sent == ["00B08100000000"]


def test_a_6700_means_short_from_then_on() -> None:
    card = Answers("6700", "AA9000", "BB9000", extended=True)
    link = Link(card)
    assert link.send(LONG_READ).data == b"\xaa"
    assert not link.extended
    assert link.send(LONG_READ).data == b"\xbb"
    assert card.sent == ["00B08100000000", "00B0810000", "00B0810000"]


def test_short_where_nobody_says_anything() -> None:
    card = Answers("AA9000")
    assert Link(card).send(LONG_READ).data == b"\xaa"
    assert card.sent == ["00B0810000"]


def test_long_data_is_tried_unless_the_connection_denies_it() -> None:
    command = CommandApdu(0x80, 0x2A, 0x03, 0x97, bytes(300), 256)
    card = Answers("AA9000")
    assert Link(card).send(command).data == b"\xaa"
    assert card.sent[0].startswith("802A039700012C")
    denied = Answers("AA9000", extended=False)
    with pytest.raises(UsageError):
        Link(denied).send(command)
    assert denied.sent == []


@pytest.mark.parametrize(
    ("atr", "extended"),
    [
        # card.md §5, with its decoding
        ("3BDA13FF8131FB468012392F31C173C601C03B", True),
        ("3BC5FF8131FB458073C6010000", False),
        ("3BE000FF8131FE4514", False),
        ("3BF59100FF918171FE400042000100D1D6", False),
        ("3B88800100000 5E0B381A1007F".replace(" ", ""), False),
        ("", False),
        ("3B", False),
        ("3BFF", False),
        ("3BDA13FF8131FB46801239", False),
    ],
)
def test_what_the_atr_declares(atr: str, extended: bool) -> None:
    assert declares_extended(bytes.fromhex(atr)) is extended
    assert Link(Answers("9000", atr=bytes.fromhex(atr))).extended is extended
    assert Link(Answers("9000", atr=bytes.fromhex(atr), extended=not extended)).extended is not extended


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_hostile_atrs(atr: bytes) -> None:
    assert declares_extended(atr) in (True, False)


# --- observers --------------------------------------------------------------------------------------------------------


def test_observers_see_what_is_public_only() -> None:
    seen: list[Exchange] = []
    card = Answers("9000", "63C2", "AABB9000", "AABB9000", "CC" * 4 + "9000", "6982")
    link = Link(card, observer=seen.append)
    link.send(CommandApdu(0x00, 0xA4, 0x02, 0x0C, b"\x00\x18"), operation="select", private=False)
    link.send(PIN)
    link.send(READ, private=False)
    link.send(READ)
    link.send(CommandApdu(0x80, 0x2A, 0x00, 0x97, bytes(51), 256), private_data=True)
    link.send(CommandApdu(0x80, 0x2A, 0x00, 0x97, b"7531", 256, sensitive=True), private=False)
    assert [str(one) for one in seen] == [
        "00 A4 02 0C 0018 -> 9000",
        "00 20 00 98 [secret] -> 63C2",
        "00 B0 81 00 Le=256 -> 9000 AABB",
        "00 B0 81 00 Le=256 -> 9000 [2 bytes]",
        "80 2A 00 97 [51 bytes] Le=256 -> 9000 [4 bytes]",
        "80 2A 00 97 [secret] -> 6982",
    ]


def test_observers_hear_of_failures_too() -> None:
    seen: list[Exchange] = []
    with pytest.raises(TransportError):
        Link(Raises(OSError), observer=seen.append).send(PIN)
    with pytest.raises(CardRemoved):
        Link(Raises(CardRemoved), observer=seen.append).send(PIN)
    assert [str(one) for one in seen] == ["00 20 00 98 [secret] -> no answer"] * 2


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=30), min_size=1, max_size=8), st.sampled_from([READ, LONG_READ, PIN]))
def test_hostile_answers_end_in_an_answer_or_a_typed_error(answers: list[bytes], command: CommandApdu) -> None:
    card = Answers(*(raw.hex() for raw in answers))
    try:
        answer = Link(card).send(command)
    except KojinError:
        return
    assert 0 <= answer.sw <= 0xFFFF
    assert len(answer.data) <= 65536


# --- status words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sw", "kind"),
    [
        (0x6982, AccessDenied),
        (0x6983, PinBlocked),
        (0x6984, PinBlocked),
        (0x63C0, PinBlocked),
        (0x63C2, PinRejected),
        (0x63CF, PinRejected),
        (0x6A82, NotOnCard),
        (0x6A83, NotOnCard),
        (0x6A88, NotOnCard),
        (0x6300, UnexpectedAnswer),
        (0x6700, UnexpectedAnswer),
        (0x6985, UnexpectedAnswer),
        (0x6F00, UnexpectedAnswer),
        (0x0000, UnexpectedAnswer),
        (0x9001, UnexpectedAnswer),
    ],
)
def test_one_place_turns_status_words_into_errors(sw: int, kind: type[CardError]) -> None:
    with pytest.raises(CardError) as caught:
        raise_for_sw("do a thing", sw, key="jpki/auth_pin")
    assert type(caught.value) is kind
    assert caught.value.sw == sw
    assert caught.value.operation == "do a thing"
    assert caught.value.details["key"] == "jpki/auth_pin"
    left = getattr(caught.value, "tries_left", None)
    assert left == {PinRejected: sw & 0x0F, PinBlocked: 0}.get(kind)


@pytest.mark.parametrize("sw", [0x63C0, 0x63C2, 0x63CF])
def test_a_counter_where_no_secret_was_sent_tells_of_no_wrong_pin(sw: int) -> None:
    """Else a card (or a flipped bit) that answers so to a READ makes people type, or give up, a PIN that was right."""
    with pytest.raises(CardError) as caught:
        raise_for_sw("read jpki/token_information", sw)
    assert type(caught.value) is UnexpectedAnswer


def test_9000_is_no_error() -> None:
    raise_for_sw("do a thing", 0x9000)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 0xFFFF))
def test_every_other_word_is_an_error(sw: int) -> None:
    if sw != 0x9000:
        with pytest.raises(CardError):
            raise_for_sw("do a thing", sw)


# --- somebody else's errors -------------------------------------------------------------------------------------------


class Tells:
    """Fails with an error of ours that holds the command in every way there is."""

    def __init__(self, kind: type[KojinError]) -> None:
        self.kind = kind

    def transmit(self, command: bytes) -> bytes:
        text = f"{command.hex()} {command!r}"
        more: dict[str, Any] = {"sw": 0x6F00, "tries_left": 1} if self.kind is PinRejected else {"sw": 1}
        more = more if issubclass(self.kind, CardError) else {}
        words = () if self.kind is PinRejected else (text,)
        try:
            raise OSError(text)
        except OSError as bad:
            raise self.kind(*words, operation=text, sent=text, **more) from bad


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (TransportError, TransportError),
        (CardRemoved, CardRemoved),
        (type("Ours", (CardRemoved,), {}), CardRemoved),
        (DecodeError, TransportError),
        (UsageError, TransportError),
        (NotOnCard, TransportError),
        (PinRejected, TransportError),
        (Cancelled, Cancelled),
        (KojinError, TransportError),
    ],
)
def test_an_error_of_a_connection_never_carries_a_secret(kind: type[KojinError], wanted: type[KojinError]) -> None:
    seen: list[Exchange] = []
    link = Link(Tells(kind), observer=seen.append)
    with pytest.raises(KojinError) as caught:
        link.send(PIN, operation="verify jpki/auth_pin")
    bad = caught.value
    assert type(bad) is wanted
    assert bad.__cause__ is None
    assert bad.__context__ is None
    assert bad.operation == "verify jpki/auth_pin"
    text = "".join(traceback.format_exception(bad)) + repr(bad) + str(vars(bad))
    assert "7531" not in text
    assert "37353331" not in text
    assert link.is_over
    assert [str(one) for one in seen] == ["00 20 00 98 [secret] -> no answer"]


def test_what_has_no_secret_keeps_its_words() -> None:
    with pytest.raises(NotOnCard, match="00b081"):
        Link(Tells(NotOnCard)).send(READ)
