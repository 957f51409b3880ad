"""What the records of two applications say of their holder in the same way: sex and birth date (card.md §6)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from kojin_card.errors import UnexpectedAnswer

if TYPE_CHECKING:
    from kojin_card.spec import LayoutSpec, Record


class Sex(StrEnum):
    """性別 (JIS X 0303: 1, 2, 9, 0)."""

    MALE = "male"
    FEMALE = "female"
    NOT_APPLICABLE = "not_applicable"
    UNKNOWN = "unknown"


def sex_of(record: Record, layout: LayoutSpec, operation: str) -> Sex:
    """The field ``sex`` of a record, by the meanings in its layout.

    Raises:
        UnexpectedAnswer: a value that means none of the four.
    """
    meanings = next(spec.values for spec in layout.walk() if spec.name == "sex")
    try:
        return Sex(meanings[record.text("sex")])
    except (KeyError, ValueError):
        pass
    raise UnexpectedAnswer("an unknown sex", operation=operation, sw=0x9000)


def whole_date(text: str) -> date | None:
    """The day of YYYYMMDD, or None when a part is unknown. The codec has checked that it is one or the other."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
