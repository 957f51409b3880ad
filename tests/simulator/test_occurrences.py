"""SELECT by a prefix that several applications share: first and next occurrence (card.md §1, §4.1), in hex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support import talk

#: What tells the applications apart without a key (card.md §2.1, §2.2, §2.4, §2.6): a read, and how its answer begins.
#: 住基 has only the key reference, which 共通 has too, so that it is the one that has nothing else.
MARKS = {
    "共通": ("00B2010C00", "011C"),
    "入力補助": ("00B0850005", "FF4082009F"),
    "確認": ("00B0830005", "FF3082013B"),
    "JPKI": ("00B0880003", "8F8F00"),
}
KEY_REFERENCE = "00B2011400"


def current_application(card: Any) -> set[str]:
    found = {
        name for name, (ask, mark) in MARKS.items() if card.transmit(bytes.fromhex(ask)).hex().upper().startswith(mark)
    }
    if not found and card.transmit(bytes.fromhex(KEY_REFERENCE)).endswith(b"\x90\x00"):
        return {"住基"}
    return found


@pytest.mark.parametrize("quiet", [True, False])
@pytest.mark.parametrize(
    ("prefix", "at_least"),
    [
        ("D392", {"共通", "入力補助", "確認", "住基", "JPKI"}),
        ("D3921000", {"共通", "入力補助", "確認", "住基"}),
        ("D392100031000101", {"共通", "入力補助", "確認", "住基"}),
        ("D39210003100010104", {"入力補助", "確認", "住基"}),
        ("D392F0", {"JPKI"}),
    ],
)
def test_next_occurrence_visits_every_match_once(
    soft_card: Callable[..., Any], prefix: str, at_least: set[str], quiet: bool
) -> None:
    card = soft_card()
    first, following = ("0C", "0E") if quiet else ("00", "02")
    body = f"{len(prefix) // 2:02X}{prefix}"
    found: list[str] = []
    talk(card, f"00A404{first}{body} -> .. 9000")
    for _ in range(20):
        found += sorted(current_application(card))
        answer = card.transmit(bytes.fromhex(f"00A404{following}{body}"))
        if answer[-2:] != b"\x90\x00":
            break
    assert answer == b"\x6a\x82"
    assert sorted(found) == sorted(at_least)


def test_first_occurrence_starts_over(soft_card: Callable[..., Any]) -> None:
    card = soft_card()
    talk(card, "00A4040C04 D3921000 -> 9000")
    first = current_application(card)
    talk(card, "00A4040E04 D3921000 -> 9000")
    assert current_application(card) != first
    talk(card, "00A4040C04 D3921000 -> 9000")
    assert current_application(card) == first


def test_next_occurrence_clears_the_security_status(soft_card: Callable[..., Any]) -> None:
    card = soft_card()
    talk(card, "00A4040C0A D392F000260100000001 -> 9000", "0020009804 31323334 -> 9000")
    card.transmit(bytes.fromhex("00A4040E02D392"))
    talk(card, "00A4040C0A D392F000260100000001 -> 9000", "802A009701 AA 00 -> 6982")
