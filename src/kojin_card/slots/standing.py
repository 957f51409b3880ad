"""Whether a card is in force, as a terminal can know it: a chip has no clock and no network (free-area.md).

Expiry, loss and emigration are judged at the terminal by a :class:`CardStatusSource`; ``unknown`` never passes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn, Protocol

from kojin_card.errors import SpecError
from kojin_card.pki.files import read_bounded
from kojin_card.spec.strict import parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kojin_card.spec.strict import Table

MAX_FILE_BYTES = 64 * 1024 * 1024
_SCHEMA = 1


class Standing(StrEnum):
    """What a source knows of a card. No truth value: compare it."""

    IN_FORCE = "in_force"
    STOPPED = "stopped"
    UNKNOWN = "unknown"

    def __bool__(self) -> NoReturn:
        raise TypeError("a standing has no truth value: compare it with Standing.IN_FORCE")


@dataclass(frozen=True, slots=True)
class CardStanding:
    """An answer of a source.

    Attributes:
        why: ``lost``, ``expired``, ``emigrated``... as the source calls it; ``stale``, ``silent`` or
            ``unreachable`` when unknown.
        as_of: of what time the knowledge is.
    """

    standing: Standing
    why: str = ""
    as_of: datetime | None = None


class CardStatusSource(Protocol):
    """Where a terminal asks whether a card is in force."""

    def status(self, card_identification: str, at: datetime) -> CardStanding:
        """The standing of the card with that number (カード識別番号) at that time.

        It answers ``unknown`` rather than raise when it cannot say; one that raises is taken to have said so.
        """
        ...


@dataclass(frozen=True, slots=True)
class StaticStatus:
    """A list in a file: what it names is as it says, everything else as ``others`` says, while the list is fresh.

    A file that stops cards and says ``others = "in_force"`` is a stop list; after ``next_update`` (or before ``as_of``)
    everything that it does not stop is unknown. Card numbers never show in ``repr``. Large and small letters are one,
    and padding at the end is none: a stopped card must not go through because a list writes its number otherwise.

    ::

        schema = 1
        as_of = 2026-11-27T00:00:00+09:00
        next_update = 2026-12-04T00:00:00+09:00
        others = "in_force"          # or "unknown"
        [[card]]
        number = "0123456789ABCDEF"
        standing = "stopped"
        why = "lost"
    """

    as_of: datetime
    next_update: datetime
    others: Standing
    cards: Mapping[str, tuple[Standing, str]] = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> StaticStatus:
        """Read a file.

        Raises:
            InputError: it cannot be read or is too large. SpecError: malformed.
        """
        try:
            return cls.parse(read_bounded(path, MAX_FILE_BYTES).decode("utf-8"), path.name)
        except UnicodeDecodeError as bad:
            raise SpecError("not UTF-8", file=path.name, table="") from bad

    @classmethod
    def parse(cls, text: str, file: str = "status") -> StaticStatus:
        """Read its text.

        Raises:
            SpecError: malformed, a card twice, times without a zone or out of order.
        """
        top = parse_toml(text, file)
        if top.take("schema", int) != _SCHEMA:
            raise top.error(f"schema must be {_SCHEMA}")
        begin, end = top.take("as_of", datetime), top.take("next_update", datetime)
        if begin.utcoffset() is None or end.utcoffset() is None or begin >= end:
            raise top.error("as_of and next_update are times with a zone, in this order")
        others = top.choice("others", Standing)
        if others is Standing.STOPPED:
            raise top.error("others is in_force or unknown")
        cards: dict[str, tuple[Standing, str]] = {}
        for row in top.tables("card"):
            number, found = _card(row)
            if (number := _normal(number)) in cards:
                raise top.error("a card stands twice")
            cards[number] = found
        top.done()
        return cls(begin.astimezone(UTC), end.astimezone(UTC), others, cards)

    def status(self, card_identification: str, at: datetime) -> CardStanding:
        """As :class:`CardStatusSource`. A card that was stopped stays so, however old the list is."""
        standing, why = self.cards.get(_normal(card_identification), (self.others, ""))
        if standing is Standing.STOPPED:
            return CardStanding(standing, why, self.as_of)
        if not self.as_of <= at < self.next_update:
            return CardStanding(Standing.UNKNOWN, "stale", self.as_of)
        return CardStanding(standing, why or ("silent" if standing is Standing.UNKNOWN else ""), self.as_of)


def _card(row: Table) -> tuple[str, tuple[Standing, str]]:
    number, standing, why = row.take("number", str), row.choice("standing", Standing), row.take("why", str, "")
    row.done()
    spaced = " " in number or not number.isprintable()  # it would be no card's number, and so stop none
    if not number or spaced or not number.isascii() or not why.isascii() or len(why) > 32:
        raise SpecError("number is the card identification number, why a short ASCII word", file=row.file, table="card")
    return number, (standing, why)


def _normal(number: str) -> str:
    """A card identification number as it is compared; how long one is, and whether a card pads it, is not public."""
    return number.rstrip(" \0").upper()
