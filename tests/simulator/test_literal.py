"""The software card against the table of literal APDUs: every command and status word that a terminal can provoke.

The bytes are typed from the facts; neither the specs nor the client take part. The completeness tests below say which
commands, status words and key references the table must cover, so that a row cannot quietly go missing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from simulator import rows_chip, rows_files, rows_keys, rows_licence, rows_protocol, rows_secure
from simulator.atrs import PUBLISHED_ATRS
from support import Row, talk

ROWS: tuple[Row, ...] = (
    *(rows_files.ROWS + rows_keys.ROWS + rows_protocol.ROWS + rows_chip.ROWS + rows_licence.ROWS),
    *rows_secure.ROWS,
)

#: What the facts let a terminal provoke: instruction (class 80 told apart) -> status words that some row must pin down.
MUST_COVER = {
    "00A4": {"9000", "6283", "6A82", "6A86", "6700", "6881"},  # §2.5: the card manager is current where no other is
    "00B0": {"9000", "6B00", "6982", "6981", "6986", "6A82", "6881"},
    "00B2": {"9000", "6A83", "6981", "6986", "6A82"},
    "0020": {"9000", "63C0", "63C1", "63C2", "63C3", "63C5", "63CA", "6984", "6983", "6986", "6A86", "6700", "6881"},
    "0024": {"9000", "6982", "6986"},
    "8032": {"9000", "6982"},
    "802A": {"9000", "6982", "6986", "6A86", "6881"},
    "0084": {"9000", "6985", "6A86"},
    "0088": {"9000", "6982", "6985"},
    "00CA": {"9000", "6700"},
    "80A2": {"6700", "6A86"},
    "80AE": {"9000", "6982", "6A80", "6F00", "66F1"},
}
#: Words that belong to no one command (card.md §4.7, §4.9).
MUST_COVER_ANYWHERE = {"6D00", "6E00", "6881", "6882", "6987", "6988", "69FC", "6700"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row: Row, soft_card: Callable[..., Any]) -> None:
    talk(soft_card(row.persona, **dict(row.knobs)), *row.talk)


def test_the_names_of_the_rows_are_unique() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


def test_every_row_cites_a_fact_or_says_that_there_is_none() -> None:
    for row in ROWS:
        assert any(word in row.fact for word in ("card.md §", "pcsc.md", "silent", "brief", "no source", "no fact")), (
            row
        )


def test_the_table_covers_every_command_and_status_word() -> None:
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for row in ROWS:
        for step in row.steps():
            if step.kind != "send":
                continue
            command = step.command
            # The logical channel is no part of the instruction's name.
            cla = "80" if command.startswith("8") else "00"
            if len(step.answers) == 1 and "?" not in step.answers[0][-4:]:
                seen[cla + command[2:4]].add(step.answers[0][-4:])
    missing = {ins: sorted(words - seen[ins]) for ins, words in MUST_COVER.items() if words - seen[ins]}
    assert not missing
    assert set().union(*seen.values()) >= MUST_COVER_ANYWHERE


def test_the_table_covers_every_scheme_of_the_signature_command_with_every_form_of_p2() -> None:
    seen = {
        (step.command[4:6], step.command[6:8])
        for row in ROWS
        for step in row.steps()
        if step.command.startswith("802A") and step.answers[0].endswith("9000")
    }
    schemes = {p1 for p1, _ in seen}
    assert schemes == {"00", "01", "02", "03", "04", "05"}
    for key in ("97", "9A"):
        assert {p1 for p1, p2 in seen if p2 == key} == schemes
    assert {p2 for _, p2 in seen} == {"80", "97", "9A", "00"}


#: card.md §1: names, by the AID's last bytes.
NAMES = {
    "D3921000310001010100": "共通",
    "D3921000310001010408": "入力補助",
    "D3921000310001010402": "確認",
    "D3921000310001010401": "住基",
    "D392F000260100000001": "JPKI",
    "A0000001510000": "card manager",
    "": "card manager",
    "A0000002310600000000000000000000": "免許",
}


def said() -> set[tuple[str, str, str]]:
    """Every command of the table: the application current, the command, its answer's word ("": several are typed)."""
    found: set[tuple[str, str, str]] = set()
    for row in ROWS:
        current = "card manager"
        for step in row.steps():
            if step.kind != "send":
                current = "card manager"
                continue
            word = step.answers[0][-4:] if len(step.answers) == 1 else ""
            if step.command.startswith("00A404") and word == "9000":
                current = NAMES.get(step.command[10 : 10 + 2 * int(step.command[8:10], 16)], "?")
            found.add((current, step.command, word))
    return found


#: References that have a secret (card.md §2.1, §2.2, §2.4, §2.6).
SECRETS = {
    *(("JPKI", p2) for p2 in ("98", "9B")),
    *(("入力補助", p2) for p2 in ("91", "94", "95")),
    *(("確認", p2) for p2 in ("91", "92", "93")),
    ("共通", "9C"),
    ("住基", "9C"),
    ("免許", "86"),
}


def test_the_table_covers_every_secret() -> None:
    verified = {(name, command[6:8], word) for name, command, word in said() if command.startswith("0020")}
    assert {(name, p2) for name, p2, word in verified if word == "9000"} >= SECRETS
    # §4.3: by the current EF too; §2.1: 0012 of 入力補助 is blocked as issued
    assert verified >= {("JPKI", "80", "9000"), ("入力補助", "92", "6984")}


def test_the_table_covers_every_object_of_the_card_manager_and_every_application_without_them() -> None:
    asked = {(name, command[4:8]) for name, command, _ in said() if command.startswith("00CA")}
    wanted = {"0042", "0045", "0066", "00F0", "00F2", "00F7", "00F8", "7F21", "5F51"}  # card.md §2.5
    assert {tag for name, tag in asked if name == "card manager"} >= wanted
    assert {name for name, _ in asked} == set(NAMES.values())


def test_the_table_covers_internal_authenticate_on_every_private_key() -> None:
    asked = {(name, command[6:8]) for name, command, _ in said() if command.startswith("0088")}
    assert asked >= {("共通", "99"), ("JPKI", "97"), ("JPKI", "9A"), ("入力補助", "93"), ("確認", "9A")}  # card.md §4.5


def test_the_table_covers_the_default_key_of_every_application() -> None:
    asked = {name for name, command, _ in said() if command.startswith("802A0000")}
    assert asked == set(NAMES.values())  # card.md §4.4: only the two surface applications have one


def test_the_table_covers_key_delivery_in_every_application_of_the_facts() -> None:
    asked = {name for name, command, _ in said() if command.startswith("80AE")}
    assert asked == {"入力補助", "確認", "共通", "住基", "JPKI"}  # card.md §4.7


def test_an_answer_always_has_a_status_word(soft_card: Callable[..., Any]) -> None:
    # pcsc.md P9, P10: the reader's driver takes an empty answer for card removal, and hangs without one.
    card = soft_card()
    for command in (b"", b"\x00", b"\xff" * 4, b"\x00" * 5, b"\x00\xa4\x04\x0c" + b"\xff" * 300, bytes(70000)):
        assert 2 <= len(card.transmit(command)) <= 65538


def test_a_card_says_which_atr_it_has(soft_card: Callable[..., Any]) -> None:
    assert soft_card().atr.hex().upper() in PUBLISHED_ATRS
