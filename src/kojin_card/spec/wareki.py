"""The Japanese calendar (和暦) as far as the card uses it: six digits YYMMDD in 照合番号B and the birth-date key.

A day belongs to the era that began on it or before; the first year of an era is 1 (元年). First days: card.md §6, which
names only the year for 明治; its day is that of the proclamation, 1868-10-23. Card and client both use this codec.
"""

from __future__ import annotations

from datetime import date

from kojin_card.errors import UsageError

_ERAS = (
    (date(2019, 5, 1), "R"),  # 令和
    (date(1989, 1, 8), "H"),  # 平成
    (date(1926, 12, 25), "S"),  # 昭和
    (date(1912, 7, 30), "T"),  # 大正
    (date(1868, 10, 23), "M"),  # 明治
)


def to_wareki(day: date) -> tuple[str, int]:
    """Era (``M``, ``T``, ``S``, ``H``, ``R``) and year of the era, from 1.

    Raises:
        UsageError: a day before 明治, which no holder of a card was born on.
    """
    for first, letter in _ERAS:
        if day >= first:
            return letter, day.year - first.year + 1
    raise UsageError("a day before the Meiji era")


def yymmdd(day: date) -> str:
    """Year of the era, month and day, two digits each; the era itself is not written (card.md §2.3).

    Raises:
        UsageError: a day before 明治.
    """
    _, year = to_wareki(day)
    return f"{year:02}{day.month:02}{day.day:02}"
