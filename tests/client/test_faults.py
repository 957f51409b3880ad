"""Whatever fails at whichever APDU: a typed error, a session that is over, and no PIN in anything that can be seen.

A table (tests/tables.py): every operation, every APDU of it, every fault and every failing status word.
"""

from __future__ import annotations

import io
import logging
import traceback
from typing import TYPE_CHECKING, NamedTuple

import pytest

from client.operations import OPERATIONS, Faulty, conversation, planted, play
from kojin_card import Card
from kojin_card.errors import CardRemoved, KojinError, TransportError
from tables import table

if TYPE_CHECKING:
    from collections.abc import Callable

    Fault = Callable[[bytes, bytes], bytes]


def raising(error: type[BaseException]) -> Fault:
    def fault(command: bytes, answer: bytes) -> bytes:
        raise error(f"{command!r} {command.hex()} {answer.hex()}")

    return fault


def removed(command: bytes, answer: bytes) -> bytes:
    raise CardRemoved("the card is gone", operation=f"transmit {len(command) + len(answer)}")


#: the connection fails, or what comes back is no answer
BROKEN: dict[str, Fault] = {
    "OSError": raising(OSError),
    "ValueError": raising(ValueError),
    "removed": removed,
    "nothing": lambda _, __: b"",
    "one byte": lambda _, __: b"\x90",
    "far too much": lambda _, __: bytes(70_000),
}
#: an answer, but a wrong one
WRONG: dict[str, Fault] = {
    "no data": lambda _, answer: answer[-2:],
    "half the data": lambda _, answer: answer[: (len(answer) - 2) // 2] + answer[-2:],
    "more data": lambda _, answer: answer[:-2] + b"\xaa" + answer[-2:],
    "other data": lambda _, answer: bytes(byte ^ 0x55 for byte in answer[:-2]) + answer[-2:],
    "zeros": lambda _, answer: bytes(len(answer) - 2) + answer[-2:],
    "filler": lambda _, answer: b"\xff" * (len(answer) - 2) + answer[-2:],
    "256 bytes": lambda _, __: b"\x30\x82\xff\xff".ljust(256, b"\xa5") + b"\x90\x00",
    "more to come": lambda _, answer: answer[:-2] + b"\x61\x10",
    "another Le": lambda _, __: b"\x6c\x07",
}
#: card.md §4.9, and words that no list has
_STATUS = """
    6200 6281 6282 6283 6300 6381 63C0 63C1 63C2 63C5 63CF 6400 6581 66F1 6700 6881 6882 6900 6981 6982 6983 6984 6985
    6986 6987 6988 69FC 6A80 6A81 6A82 6A83 6A84 6A86 6A88 6B00 6C00 6C10 6D00 6E00 6F00 6FFF 6100 6110 9001 0000 FFFF
"""


def status(word: str) -> Fault:
    return lambda _, __: bytes.fromhex(word)


EVERY: dict[str, Fault] = {**BROKEN, **WRONG, **{f"SW {word}": status(word) for word in _STATUS.split()}}


def shown(error: BaseException) -> str:
    """Everything that an error could tell: message, repr, attributes, words, the whole chain and its traceback."""
    parts = ["".join(traceback.format_exception(error))]
    queue: list[BaseException | None] = [error]
    while queue:
        one = queue.pop()
        if one is None:
            continue
        parts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        if isinstance(one, KojinError):
            parts += [one.words(lang) + one.remedy(lang) for lang in ("ja", "en")]
        queue += [one.__cause__, one.__context__]
    return "\n".join(parts).lower()


def assert_clean(text: str, where: str) -> None:
    found = [number for number, value in enumerate(planted()) if value.lower() in text]
    assert not found, f"{where}: planted values {found} are visible"


def outcome(faulty: Faulty, log: io.StringIO) -> object:
    """What the operation gives, or the typed error that it raises; anything else goes through and fails the test."""
    try:
        return play(faulty, lambda exchange: print(exchange, repr(exchange), file=log))
    except KojinError as error:
        return error


class Row(NamedTuple):
    """One fault at one APDU of one operation."""

    operation: str
    at: int
    kind: str

    def __str__(self) -> str:
        return f"{self.operation}, APDU {self.at}, {self.kind}"


#: 197 APDUs in 25 operations, each with 61 faults: typed, so that no operation, APDU or fault goes missing unseen
SIZE = 197 * 61

ROWS = [Row(name, at, kind) for name in sorted(OPERATIONS) for at in range(len(conversation(name))) for kind in EVERY]


@pytest.mark.parametrize("row", table("faults", ROWS, size=SIZE, sample=600))
def test_every_fault_at_every_apdu(
    row: Row, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    good, where = conversation(row.operation), str(row)
    caplog.set_level(logging.DEBUG)
    faulty, log = Faulty(good, row.at, EVERY[row.kind]), io.StringIO()
    result = outcome(faulty, log)
    if isinstance(result, KojinError):
        assert_clean(shown(result), where)
        assert result.operation, where
    elif not isinstance(result, bytes):  # a certificate that was asked for holds the holder's name
        assert_clean(repr(result).lower(), where)
    if row.kind in BROKEN:
        assert isinstance(result, TransportError), where
        assert faulty.sent == row.at + 1, f"{where}: something was sent after the failure"
    assert faulty.sent <= len(good) + 8, f"{where}: {faulty.sent} commands"
    assert_clean(log.getvalue().lower() + "".join(capsys.readouterr()).lower() + caplog.text.lower(), where)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_no_fault_makes_a_secret_go_out_twice(name: str) -> None:
    good = conversation(name)
    normal = Faulty(good, -1, BROKEN["nothing"])
    play(normal)
    for at in range(len(good)):
        for fault in EVERY.values():
            faulty = Faulty(good, at, fault)
            outcome(faulty, io.StringIO())
            assert faulty.secrets <= normal.secrets


def test_a_broken_session_stays_broken() -> None:
    good = conversation("four by PIN")
    for kind, fault in BROKEN.items():
        faulty = Faulty(good, 1, fault)
        card = Card(faulty)
        with pytest.raises(TransportError):
            OPERATIONS["four by PIN"](card)
        for operate in OPERATIONS.values():
            with pytest.raises(TransportError, match="over"):
                operate(card)
        assert faulty.sent == 2, kind


def test_the_conversations_are_real() -> None:
    """Nothing above would mean anything if the recorded operations were empty or failed."""
    lengths = {name: len(conversation(name)) for name in OPERATIONS}
    assert lengths["four by PIN"] == 4
    assert lengths["status"] == 16
    assert lengths["change registry PIN"] == 13
    assert lengths["four, proved"] == 13
    assert lengths["face"] > 10
    # select, counter, PIN, two READs of EF 0006, key delivery, SELECT and READ (or counter and VERIFY) in the session
    assert [lengths[name] for name in lengths if name.startswith("secure")] == [8, 8, 8]
    assert min(lengths.values()) >= 2
    for name in OPERATIONS:
        play(Faulty(conversation(name), -1, BROKEN["nothing"]))
