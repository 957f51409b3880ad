"""Traces: what is written, what is read, and a replay that accepts nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kojin_card import Card
from kojin_card.errors import (
    Cancelled,
    CardRemoved,
    InputError,
    KojinError,
    NoCard,
    PinRejected,
    ReplayMismatch,
    TransportError,
)
from kojin_card.iso7816.apdu import CommandApdu
from kojin_card.simulator import SoftCard
from kojin_card.testing import new_card
from kojin_card.transport.link import Exchange, Link
from kojin_card.transport.replay import Replay, Synthetic
from kojin_card.transport.trace import MAX_TRACE_BYTES, MAX_TURNS, Trace, TraceLog, declared_lines, read_trace

HEAD = "# kojin-card trace 1.0\n# card: software\n# extended: unknown\n# apdus: {}\n\n"
SELECT = "> 00 A4 04 0C D392F000260100000001  # select jpki\n< 9000\n"
VERIFY = "> 00 20 00 98 [secret]  # verify jpki/auth_pin\n< 63C2\n"
READ = "> 00 B0 82 00 Le=256  # read input_support/basic_four\n< [5 bytes] 9000\n"
SIGN = "> 80 2A 00 80 [3 bytes] Le=256  # sign jpki/auth_key\n< [4 bytes] 9000\n"


def trace(*body: str) -> Trace:
    text = "".join(body)
    return read_trace((HEAD.format(text.count("\n> ") + text.startswith("> ")) + text).encode())


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


# --- reading ----------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read() -> None:
    log = TraceLog()
    link = Link(Scripted("9000", "63C2", "AABB9000", "0102036282"), observer=log)
    link.send(CommandApdu(0x00, 0xA4, 0x04, 0x0C, hexed("D392F000260100000001")), operation="select jpki")
    link.send(CommandApdu(0x00, 0x20, 0x00, 0x98, b"7531", sensitive=True), operation="verify jpki/auth_pin")
    link.send(CommandApdu(0x00, 0xB0, 0x86, 0x00, le=256), operation="read jpki/token_information", private=False)
    link.send(CommandApdu(0x80, 0x2A, 0x00, 0x80, b"abc", 256), operation="sign jpki/auth_key", private_data=True)
    text = log.text(extended=True, card="reader", kojin_card="1")
    assert text.splitlines() == [
        "# kojin-card trace 1.0",
        "# card: reader",
        "# kojin_card: 1",
        "# extended: yes",
        "# apdus: 4",
        "",
        "> 00 A4 04 0C D392F000260100000001  # select jpki",
        "< 9000",
        "> 00 20 00 98 [secret]  # verify jpki/auth_pin",
        "< 63C2",
        "> 00 B0 86 00 Le=256  # read jpki/token_information",
        "< AABB 9000",
        "> 80 2A 00 80 [3 bytes] Le=256  # sign jpki/auth_key",
        "< [3 bytes] 6282",
    ]
    found = read_trace(text.encode())
    assert found.extended is True
    assert [(turn.sw, turn.length, turn.answer, turn.secret) for turn in found.turns] == [
        (0x9000, 0, b"", False),
        (0x63C2, 0, b"", True),
        (0x9000, 2, b"\xaa\xbb", False),
        (0x6282, 3, None, False),
    ]
    assert [turn.line for turn in found.turns] == [7, 9, 11, 13]
    assert read_trace(text.replace("\n", "\r\n").encode()) == found  # as mail programs leave it


class Scripted:
    """Plays answers in hex."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def transmit(self, _: bytes) -> bytes:
        return hexed(self.answers.pop(0))


@pytest.mark.parametrize("length", [4, 6, 16, 200])
def test_of_a_secret_not_even_the_length_is_told(length: int) -> None:
    log = TraceLog()
    secret = CommandApdu(0x00, 0x20, 0x00, 0x98, b"7" * length, sensitive=True)
    Link(Scripted("9000"), observer=log).send(secret, operation="verify x/y")
    assert log.text().endswith("> 00 20 00 98 [secret]  # verify x/y\n< 9000\n")


def test_an_observer_is_told_what_came_instead_of_an_answer() -> None:
    for error, code in (
        (CardRemoved("x"), "card_removed"),
        (NoCard("x"), "no_card"),
        (Cancelled("x"), "cancelled"),
        (OSError("x"), "transport"),
        (KeyboardInterrupt(), "cancelled"),
    ):
        for sensitive in (False, True):
            seen: list[Exchange] = []
            with pytest.raises(BaseException):  # noqa: B017  # KeyboardInterrupt is meant too
                Link(Failing(error), observer=seen.append).send(
                    CommandApdu(0, 0x20, 0, 0x98, b"1", sensitive=sensitive)
                )
            assert [(one.sw, one.failure) for one in seen] == [(None, code)]
            assert "no answer" in str(seen[0])


class Failing:
    """Fails."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def transmit(self, _: bytes) -> bytes:
        raise self.error


def test_nothing_that_an_error_calls_itself_gets_into_a_trace() -> None:
    class Odd(KojinError):
        code = "7531\n< 9000"

    class Odder(CardRemoved):
        code = "7531\n< 9000"

    log = TraceLog()
    with pytest.raises(Odder):
        Link(Failing(Odder()), observer=log).send(CommandApdu(0, 0xA4, 0, 0))
    assert log.text().endswith("> 00 A4 00 00  # command\n! card_removed\n")
    with pytest.raises(Odd):
        Link(Failing(Odd()), observer=log).send(CommandApdu(0, 0xA4, 0, 0), operation="a\nb\x1b 個")
    assert log.text().endswith("> 00 A4 00 00  # a?b? ?\n! transport\n")


@pytest.mark.parametrize(
    "body",
    [
        "> 00 A4 04 0C  # select jpki\n",  # no answer
        "< 9000\n",
        "> 00 A4 04 0C\n< 9000\n",  # for what?
        "> 00 A4 04  # x\n< 9000\n",
        "> 00 a4 04 0c  # x\n< 9000\n",
        "> 00A4040C  # x\n< 9000\n",
        "> 00 A4 04 0C ABC  # x\n< 9000\n",
        "> 00 A4 04 0C [0 bytes]  # x\n< 9000\n",
        "> 00 A4 04 0C [65536 bytes]  # x\n< 9000\n",
        "> 00 A4 04 0C [secret] Le=5  # x\n< 9000\n",
        "> 00 A4 04 0C Le=0  # x\n< 9000\n",
        "> 00 A4 04 0C Le=65537  # x\n< 9000\n",
        "> 00 A4 04 0C  # x\n< 90\n",
        "> 00 A4 04 0C  # x\n< [0 bytes] 9000\n",
        "> 00 A4 04 0C  # x\n< [65537 bytes] 9000\n",
        "> 00 A4 04 0C  # x\n< AA [1 bytes] 9000\n",
        "> 00 A4 04 0C  # x\n! Oh no\n",
        "> 00 A4 04 0C  # x\n= x: AA\n",
        "= x AA\n",
        "= x: A\n",
        "hello\n",
        " > 00 A4 04 0C  # x\n< 9000\n",
        "> 00 A4 04 0C  # \u500b\n< 9000\n",
    ],
)
def test_anything_else_is_refused_with_its_line(body: str) -> None:
    with pytest.raises(InputError, match=r"\(line [0-9]+\)"):
        trace(SELECT, body)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "# kojin-card trace 2.0\n# extended: no\n# apdus: 0\n",
        "# kojin-card trace 1.0\n# apdus: 0\n",
        "# kojin-card trace 1.0\n# extended: maybe\n# apdus: 0\n",
        "# kojin-card trace 1.0\n# extended: no\n",
        "# kojin-card trace 1.0\n# extended: no\n# apdus: 1\n",
        "# kojin-card trace 1.0\n# extended: no\n# extended: no\n# apdus: 0\n",
        "# kojin-card trace 1.0\n#extended: no\n# apdus: 0\n",
    ],
)
def test_a_header_says_what_it_must(head: str) -> None:
    with pytest.raises(InputError):
        read_trace(head.encode())
    assert read_trace(b"# kojin-card trace 1.7\n# new: x\n# extended: no\n# apdus: 0\n").extended is False


def test_a_trace_that_was_cut_off_is_noticed() -> None:
    whole = (HEAD.format(3) + SELECT + VERIFY + READ).encode()
    assert len(read_trace(whole).turns) == 3
    for end in range(len(whole) - 2):
        with pytest.raises(InputError):
            read_trace(whole[:end])


def test_it_is_bounded() -> None:
    with pytest.raises(InputError, match="larger"):
        read_trace(b"#" * (MAX_TRACE_BYTES + 1))
    with pytest.raises(InputError, match="more commands"):
        trace("> 00 A4 04 0C  # x\n< 9000\n" * (MAX_TURNS + 1))


_PIECES = st.sampled_from(
    [
        SELECT,
        VERIFY,
        READ,
        SIGN,
        "\n",
        "# x\n",
        "= read input_support/basic_four: 0102030405\n",
        "< 9000\n",
        "! transport\n",
    ]
)


@given(st.one_of(st.binary(max_size=300), st.lists(_PIECES, max_size=8).map(lambda found: "".join(found).encode())))
@example(b"\xff")
def test_hostile_bytes_give_typed_errors(raw: bytes) -> None:
    lines: list[str] = []
    for given_bytes in (raw, HEAD.format(raw.count(b"> ")).encode() + raw):
        try:
            found = read_trace(given_bytes)
        except InputError as refused:
            lines.append(refused.message)
            continue
        assert found.header["apdus"] == str(len(found.turns))
        try:
            replay = Replay(found)
        except InputError:
            continue
        for turn in found.turns:
            try:
                replay.transmit(turn.header)
            except TransportError:
                pass
            except Cancelled:
                pass
    assert all(re.search(r"\(line [0-9]+\)$", line) for line in lines)


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 0xFFFF), st.booleans(), st.booleans()
        ),
        max_size=5,
    )
)
def test_whatever_was_said_can_be_played_back(conversation: list[tuple[bytes, bytes, int, bool, bool]]) -> None:
    """Two links, one on the card and one on its trace, see the same."""

    def talk(link: Link) -> list[Any]:
        heard: list[Any] = []
        for data, _, _, private, secret in conversation:
            command = CommandApdu(0x80, 0x2A, 0, 0, data, None if secret else 65536, sensitive=secret)
            try:
                heard.append(
                    link.send(command, operation="sign x/y", private=private, private_data=private, insist=True)
                )
            except TransportError as failed:
                heard.append(type(failed))
        return heard

    class Recording:
        def __init__(self) -> None:
            self.answers: list[bytes] = []
            self.queue = [answer + sw.to_bytes(2, "big") for _, answer, sw, _, _ in conversation]

        def transmit(self, _: bytes) -> bytes:
            self.answers.append(self.queue.pop(0) if self.queue else b"\x6f\x00")
            return self.answers[-1]

    card, log = Recording(), TraceLog()
    heard = talk(Link(card, observer=log))
    found = read_trace(log.text().encode())
    synthetic = {
        run.operation: tuple(
            b"".join(card.answers[place][:-2] for place in one.turns)
            for one in found.runs()
            if one.operation == run.operation
        )
        for run in found.runs()
    }
    # a secret without data is none: such a command cannot be told from another, and is refused
    if any(secret and not data for data, _, _, _, secret in conversation):
        return
    assert talk(Link(Replay(found, synthetic))) == heard


# --- playing back -----------------------------------------------------------------------------------------------------


def test_secrets_and_lengths_are_matched_by_what_is_visible() -> None:
    for pin in (b"1234", b"999999"):
        replay = Replay(trace(VERIFY))
        assert replay.transmit(hexed("00200098") + bytes((len(pin),)) + pin) == b"\x63\xc2"
        replay.finish()
    replay = Replay(trace(SIGN), {"sign jpki/auth_key": b"abcd"})
    assert replay.transmit(hexed("802A008003") + b"xyz" + b"\x00") == b"abcd\x90\x00"


@pytest.mark.parametrize(
    ("recorded", "command", "what"),
    [
        (SELECT, "00A4040C0AD3921000310001010408", "the data"),
        (SELECT, "00A404000AD392F000260100000001", "CLA INS P1 P2"),
        (SELECT, "00A4040C", "the data"),
        (SELECT, "00A4040C0AD392F00026010000000100", "Le"),
        (VERIFY, "00200098", "no data"),
        (VERIFY, "00200098041234", "the form"),
        (VERIFY, "002000970431323334", "CLA INS P1 P2"),
        (READ, "00B0820010", "Le"),
        (READ, "00B0820000 ", "no data is declared"),
        (SIGN, "802A00800441424344 00", "the length of the data"),
    ],
)
def test_another_command_is_an_error_with_its_line(recorded: str, command: str, what: str) -> None:
    replay = Replay(trace("\n", recorded))
    with pytest.raises(ReplayMismatch, match=what) as caught:
        replay.transmit(hexed(command))
    assert caught.value.line == 7
    assert "7" in caught.value.words("ja")
    assert "7" in caught.value.words("en")
    assert caught.value.remedy("ja")
    with pytest.raises(ReplayMismatch):
        replay.finish()


def test_nothing_is_answered_after_the_end() -> None:
    replay = Replay(trace(SELECT))
    replay.transmit(hexed("00A4040C0AD392F000260100000001"))
    replay.finish()
    with pytest.raises(ReplayMismatch, match="ended"):
        replay.transmit(hexed("00A4040C0AD392F000260100000001"))
    with pytest.raises(ReplayMismatch):
        Replay(trace()).transmit(b"\x00\xa4\x00\x00")


def test_the_line_gets_through_the_link_also_for_a_secret_and_the_secret_does_not() -> None:
    link = Link(Replay(trace(SELECT)))
    with pytest.raises(ReplayMismatch) as caught:
        link.send(CommandApdu(0, 0x20, 0, 0x98, b"7531", sensitive=True), operation="verify jpki/auth_pin")
    assert caught.value.line == 6
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert link.is_over


def test_a_failure_is_played_as_it_was() -> None:
    for code, kind in (("card_removed", CardRemoved), ("cancelled", Cancelled), ("unheard_of", TransportError)):
        replay = Replay(trace("> 00 A4 04 0C  # x\n", f"! {code}\n"))
        with pytest.raises(kind):
            replay.transmit(hexed("00A4040C"))
        replay.finish()


TWICE = READ + READ.replace("[5 bytes] 9000", "[3 bytes] 6282")


@pytest.mark.parametrize(
    "synthetic",
    [
        {"read input_support/basic_four": b"12345678"},
        {"read input_support/basic_four": (b"12345678",)},
        lambda operation, length: b"12345678" if operation.startswith("read ") and length == 8 else None,
    ],
)
def test_declared_data_is_cut_as_the_answers_were(synthetic: Synthetic) -> None:
    for replay in (
        Replay(trace(TWICE), synthetic),
        Replay(trace(TWICE, declared_lines([("read input_support/basic_four", b"12345678")]))),
    ):
        assert replay.transmit(hexed("00B0820000")) == b"12345\x90\x00"
        assert replay.transmit(hexed("00B0820000")) == b"678\x62\x82"


def test_what_is_read_again_later_is_a_run_of_its_own() -> None:
    """Also when nothing that was masked came between: whoever declares a file once means each time it was read."""
    again = READ + "> 00 A4 04 0C D392F000260100000001  # select jpki\n< 9000\n" + READ
    found = trace(again)
    assert [(run.turns, run.length) for run in found.runs()] == [((0,), 5), ((2,), 5)]
    assert dict(Replay(found, {"read input_support/basic_four": b"12345"})._filled) == {0: b"12345", 2: b"12345"}


def test_each_run_may_have_its_own() -> None:
    body = READ + SIGN + READ
    found = trace(body, declared_lines([("read input_support/basic_four", b"12345"), ("sign jpki/auth_key", b"abcd")]))
    assert [(run.operation, run.length) for run in found.runs()] == [
        ("read input_support/basic_four", 5),
        ("sign jpki/auth_key", 4),
        ("read input_support/basic_four", 5),
    ]
    assert dict(Replay(found)._filled) == {0: b"12345", 1: b"abcd", 2: b"12345"}
    two = Replay(found, {"read input_support/basic_four": (b"12345", b"67890")})
    assert two._filled[2] == b"67890"


@pytest.mark.parametrize("data", [b"", b"1234", b"123456"])
def test_data_of_another_length_is_refused_with_the_line(data: bytes) -> None:
    with pytest.raises(InputError, match=r"\(line 8\)"):
        Replay(trace(SELECT, READ), {"read input_support/basic_four": data})


def test_a_wrong_pin_of_a_trace_is_a_wrong_pin(card_clock: Any) -> None:
    from kojin_card.testing.cards import issued_before

    log = TraceLog()
    soft = SoftCard.in_memory(new_card("adult", issued_at=issued_before(card_clock())))
    with pytest.raises(PinRejected), Card(soft, ours=True, observer=log) as card:
        card.input_support.read_basic_four("0000")
    replay = Replay(read_trace(log.text().encode()))
    with pytest.raises(PinRejected) as caught, Card(replay, ours=True) as card:
        card.input_support.read_basic_four("9999")
    assert caught.value.tries_left == 2
    replay.finish()
