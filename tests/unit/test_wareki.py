"""Era arithmetic of 照合番号B, on the days where eras meet; every expected value is typed by hand."""

from __future__ import annotations

from datetime import date

import pytest

from kojin_card.errors import UsageError
from kojin_card.spec.wareki import to_wareki, yymmdd


@pytest.mark.parametrize(
    ("day", "era", "year", "digits"),
    [
        (date(1868, 10, 23), "M", 1, "011023"),
        (date(1912, 7, 29), "M", 45, "450729"),
        (date(1912, 7, 30), "T", 1, "010730"),
        (date(1926, 12, 24), "T", 15, "151224"),
        (date(1926, 12, 25), "S", 1, "011225"),
        (date(1980, 2, 17), "S", 55, "550217"),  # card.md §2.1: the test card's 55021720352285
        (date(1989, 1, 7), "S", 64, "640107"),
        (date(1989, 1, 8), "H", 1, "010108"),
        (date(2000, 2, 29), "H", 12, "120229"),
        (date(2019, 4, 30), "H", 31, "310430"),
        (date(2019, 5, 1), "R", 1, "010501"),
        (date(2020, 2, 24), "R", 2, "020224"),  # card.md §2.3
    ],
)
def test_the_days_where_eras_meet(day: date, era: str, year: int, digits: str) -> None:
    assert to_wareki(day) == (era, year)
    assert yymmdd(day) == digits


def test_nobody_was_born_before_meiji() -> None:
    with pytest.raises(UsageError):
        yymmdd(date(1868, 10, 22))
