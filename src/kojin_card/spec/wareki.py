"""The Japanese calendar (和暦) as far as the card uses it: six digits YYMMDD in 照合番号B and the birth-date key, and
seven, with a digit for the era before them, in the driving licence (card.md §2.9).

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


_NO_DAY = "000000"


def era_date(text: str) -> date | None:
    """The day of seven digits: era (1 明治 to 5 令和), year of the era, month, day; None when they name none.

    A year after an era's end counts on (平成33年 is 2021), as papers issued before it have it.
    """
    if len(text) != 7 or not (text.isascii() and text.isdigit()) or not 1 <= int(text[0]) <= len(_ERAS):
        return None
    first, _ = _ERAS[-int(text[0])]
    year = int(text[1:3])
    try:
        return date(first.year + year - 1, int(text[3:5]), int(text[5:])) if year else None
    except ValueError:
        return None


def is_era_date(text: str) -> bool:
    """Whether ``text`` is a day of :func:`era_date`, or an era digit and zeros: no day (our reading of that)."""
    blank = len(text) == 7 and text.isascii() and text.isdigit() and text[1:] == _NO_DAY
    return blank or era_date(text) is not None


def to_era_date(day: date) -> str:
    """The seven digits of a day.

    Raises:
        UsageError: a day before 明治.
    """
    letter, _ = to_wareki(day)
    era = len(_ERAS) - next(place for place, (_, name) in enumerate(_ERAS) if name == letter)
    return f"{era}{yymmdd(day)}"
