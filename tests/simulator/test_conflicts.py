"""card.md §12, point by point: what the card does as decided, and what it does when the other source is right.

In hex and with no driver, as everything in this folder; the literal rows with the default are in ``rows_*.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support import talk

if TYPE_CHECKING:
    from collections.abc import Callable

COMMON = "00A4040C0A D3921000310001010100 -> 9000"
JUKI = "00A4040C0A D3921000310001010401 -> 9000"
TEXT = "00A4040C0A D3921000310001010408 -> 9000"
JPKI = "00A4040C0A D392F000260100000001 -> 9000"
AUTH = "0020009804 31323334 -> 9000"
# persona adult: 個人番号 123456789018, born 1990-08-03 (平成2), card until 2035, security code 4271
CODE_A = "3132333435363738 39303138"
CODE_B = "303230383033 32303335 34323731"
CODE_B_GREGORIAN = "3139393030383033 3335 34323731"


def variant(name: str) -> dict[str, Any]:
    return {"variants": frozenset({name})}


#: point -> settings of the other reading, conversation as decided, conversation under the other reading
CONFLICTS: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "blocked PIN": (
        {"blocked_sw": 0x6983},
        (JPKI, *["0020009804 30303030 -> 63C?"] * 3, "0020009804 31323334 -> 6984"),
        (JPKI, *["0020009804 30303030 -> 63C?"] * 3, "0020009804 31323334 -> 6983"),
    ),
    "JPKI EF 0001": (
        variant("sign_certificate_free"),
        (JPKI, "00B0810004 -> 6982"),
        (JPKI, "00B0810004 -> 3082???? 9000"),
    ),
    "re-SELECT": (
        {"reselect_keeps_state": True},
        (JPKI, AUTH, JPKI, "802A009701 AA 00 -> 6982"),
        (JPKI, AUTH, JPKI, "802A009701 AA 00 -> ..{256} 9000"),
    ),
    "text 0014 and 0015": (
        variant("codes_swapped"),
        (TEXT, f"002000940C {CODE_A} -> 9000", f"002000950E {CODE_B} -> 9000"),
        (TEXT, f"002000950C {CODE_A} -> 9000", f"002000940E {CODE_B} -> 9000", f"002000940C {CODE_A} -> 63C9"),
    ),
    "the AID that ends in 0100": (
        variant("registry_at_common_aid"),
        (COMMON, "00B2010C00 -> 011C ..{28} 9000", JUKI, "00B2010C00 -> 6A82"),
        (COMMON, "00B2010C00 -> 6A82", JUKI, "00B2010C00 -> 011C ..{28} 9000"),
    ),
    "JPKI 0009": (
        variant("unknown_0009_readable"),
        (JPKI, "00B0890000 -> 6982"),
        (JPKI, "00B0890000 -> FF*16 9000"),
    ),
    "text 0003": (
        variant("record_signature_not_b"),
        (TEXT, f"002000950E {CODE_B} -> 9000", "00B0830005 -> FF3082014B 9000"),
        (
            TEXT,
            f"002000950E {CODE_B} -> 9000",
            "00B0830005 -> 6982",
            f"002000940C {CODE_A} -> 9000",
            "00B0830005 -> FF3082014B 9000",
        ),
    ),
}


@pytest.mark.parametrize("point", CONFLICTS)
def test_the_card_follows_the_decision_and_can_follow_the_other_source(
    soft_card: Callable[..., Any], point: str
) -> None:
    settings, decided, other = CONFLICTS[point]
    talk(soft_card("adult"), *decided)
    talk(soft_card("adult", **settings), *other)


def test_the_face_may_be_a_matter_of_code_b_alone(soft_card: Callable[..., Any]) -> None:
    """card.md §2.3: P8N has B, the majority A or B; no row of §12."""
    face = "00A4040C0A D3921000310001010402 -> 9000"
    by_a = (face, f"002000930C {CODE_A} -> 9000")
    talk(soft_card("adult"), *by_a, "00B0820002 -> FF20 9000")
    narrow = soft_card("adult", **variant("face_by_code_b_only"))
    talk(narrow, *by_a, "00B0820002 -> 6982", f"002000920E {CODE_B} -> 9000", "00B0820002 -> FF20 9000")


#: the points that decide what stands on the card: the same, for a card that is made so
MADE: dict[str, tuple[str, dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "date in B": (
        "adult",
        {"gregorian_code_b": True},
        (TEXT, f"002000950E {CODE_B} -> 9000"),
        (TEXT, f"002000950E {CODE_B_GREGORIAN} -> 9000"),
    ),
    "sex 3": (
        "sex_unstated",
        {"sex_3": True},
        (TEXT, "0020009104 35363738 -> 9000", "00B0820000 -> .. DF2501 39 9000"),
        (TEXT, "0020009104 35363738 -> 9000", "00B0820000 -> .. DF2501 33 9000"),
    ),
    "header of the four items": (
        "foreign_mononym",
        {"long_head": True},
        (TEXT, "0020009104 35363738 -> 9000", "00B0820006 -> FF20 6C DF2108 9000"),
        (TEXT, "0020009104 35363738 -> 9000", "00B0820008 -> FF20 82006C DF2108 9000"),
    ),
}


@pytest.mark.parametrize("point", MADE)
def test_a_card_can_be_made_as_the_other_source_has_it(soft_card: Callable[..., Any], point: str) -> None:
    persona, settings, decided, other = MADE[point]
    talk(soft_card(persona), *decided)
    talk(soft_card(persona, **settings), *other)


def test_every_point_of_the_list_is_here_or_in_the_licences_rows() -> None:
    """Eleven rows of card.md §12; the licence's PIN reference is in the rows of the licence."""
    assert len(CONFLICTS) + len(MADE) + 1 == 11
