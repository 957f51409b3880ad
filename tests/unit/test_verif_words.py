"""docs/verdicts.md and messages/verdicts.toml say exactly what kojin_card.verdict has: no reason more, none fewer."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from kojin_card.pki.revocation import REASON_NAMES
from kojin_card.verdict import NOTES, REASONS, CheckId, CheckState, Indication, SubIndication, TimeBasis
from support import ROOT

EXIT = {Indication.TOTAL_PASSED: 0, Indication.TOTAL_FAILED: 20, Indication.INDETERMINATE: 21}
PAGE = ROOT / "docs" / "verdicts.md"


def words() -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads((ROOT / "src/kojin_card/messages/verdicts.toml").read_text("utf-8"))


def expected_rows() -> list[str]:
    """The table of docs/verdicts.md, one line a reason, in the order of the code."""
    said = words()["reason"]
    return [
        f"| `{reason.split('.')[0]}` | `{reason}` | {effect.indication} | {effect.sub_indication} "
        f"| {EXIT[effect.indication]} | {said[reason]['ja']} | {said[reason]['en']} |"
        for reason, effect in REASONS.items()
    ]


def test_the_page_shows_the_table_of_the_code() -> None:
    shown = [
        line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `") and "." in line.split("|")[2]
    ]
    assert shown == expected_rows()


def test_the_page_lists_the_checks_in_their_order() -> None:
    names = words()["check"]
    lines = [
        f"{number}. `{check}` {names[check]['ja']} / {names[check]['en']}" for number, check in enumerate(CheckId, 1)
    ]
    assert "\n".join(lines) in PAGE.read_text("utf-8")


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("reason", set(REASONS)),
        ("check", set(CheckId)),
        ("state", set(CheckState)),
        ("indication", set(Indication)),
        ("sub_indication", set(SubIndication)),
        ("time_basis", set(TimeBasis)),
        ("note", set(NOTES)),
        ("card_indication", set(Indication)),
        ("slot_indication", set(Indication)),
        ("revocation_reason", set(REASON_NAMES.values())),
    ],
)
def test_there_are_words_for_everything_in_both_languages(kind: str, wanted: set[Any]) -> None:
    table = words()[kind]
    assert set(table) == {str(key) for key in wanted}
    for entry in table.values():
        assert set(entry) == {"ja", "en"}
        assert all(text.strip() == text != "" for text in entry.values())


def test_reasons_read_like_advice() -> None:
    for entry in words()["reason"].values():
        assert entry["ja"].endswith("。")
        assert entry["en"].endswith(".")
        assert len(entry["en"]) <= 140, entry["en"]


def test_every_reason_belongs_to_a_check() -> None:
    assert {reason.split(".")[0] for reason in REASONS} == set(CheckId)


def test_the_messages_room_finds_the_words() -> None:
    from kojin_card import messages

    assert messages.reason_words("chain.no_issuer", "ja") == words()["reason"]["chain.no_issuer"]["ja"]
    assert messages.check_label("chain", "en") == "Issuer"
