"""Every class and instruction there is, in every application: an answer of the facts, and no PIN try for nothing.

A table (tests/tables.py) of applications x classes; each row sends all 256 instructions in four forms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tables import table

if TYPE_CHECKING:
    from collections.abc import Callable

# card.md §1; none: the state after power-on
AIDS = {
    "none": "",
    "card_manager": "A0000001510000",
    "common": "D3921000310001010100",
    "juki": "D3921000310001010401",
    "card_face": "D3921000310001010402",
    "input_support": "D3921000310001010408",
    "jpki": "D392F000260100000001",
}
#: card.md §4.9, as far as these forms can provoke them; 6F00 would be a fault of the card itself
_WORDS = "9000 66F1 6700 6881 6882 6981 6982 6985 6986 6987 69FC 6A80 6A81 6A82 6A83 6A86 6A88 6B00 6D00 6E00"
ALLOWED = {int(word, 16) for word in _WORDS.split()}
#: card.md §4: what a terminal can have answered at all in clear with P1 P2 0000 or FFFF; everything else is refused.
#: GET DATA and INTERNAL AUTHENTICATE are not among them: 0000 and FFFF name no object and no key (§2.5, §4.5).
ANSWERED = {(0x00, ins) for ins in (0xA4, 0xB0, 0xB2, 0x20, 0x24, 0x84)} | {(0x80, 0x2A), (0x80, 0x32)}
MALFORMED = "FFFF 05 01"
# case 1, case 2, case 3 with a byte that is no PIN and no file, and lengths that do not add up
FORMS = ("0000", "0000 00", "0000 01 7F", MALFORMED)


class Row(NamedTuple):
    """All instructions of one class with one application selected."""

    application: str
    cla: int

    def __str__(self) -> str:
        return f"{self.application}, class {self.cla:02X}"


ROWS = [Row(application, cla) for application in AIDS for cla in range(256)]


@pytest.mark.parametrize(
    "row", table("headers", ROWS, size=7 * 256, sample=96, always=lambda row: row.cla in (0, 0x80))
)
def test_every_instruction_gets_an_answer_of_the_facts(soft_card: Callable[..., Any], row: Row) -> None:
    card = soft_card()
    before = card.state
    for ins in range(256):
        if row.application != "none":
            aid = bytes.fromhex(AIDS[row.application])
            assert card.transmit(bytes((0x00, 0xA4, 0x04, 0x0C, len(aid))) + aid) == b"\x90\x00"
        for form in FORMS:
            answer = card.transmit(bytes((row.cla, ins)) + bytes.fromhex(form))
            word = int.from_bytes(answer[-2:], "big")
            where = f"{row}, {ins:02X} {form}: {word:04X}"
            assert word in ALLOWED, where
            assert word == 0x9000 or len(answer) == 2, f"{where}: data beside a refusal"
            if (row.cla, ins) not in ANSWERED:
                assert word != 0x9000, where
            if row.cla & 0x03 and not row.cla & 0x70 and form != MALFORMED:
                assert word == 0x6881, f"{where}: there is one channel"
    # P2 = 00 and FF name no key, so nothing above may have cost a try or changed a byte.
    assert card.state == before
