"""The table of ``slot issue --batch``: CSV, one card a row, read twice: first all of it is checked, then it is done.

Nothing of it is held: a thousand rows and a million cost the same memory, but for the names of the cards, each of which
may stand once.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kojin_card.cli.files import check_input, why
from kojin_card.errors import InputError, KojinError
from kojin_card.secret import Secret

if TYPE_CHECKING:
    from kojin_card.spec.service import Service

ENCODINGS = ("utf-8", "cp932")
CARD, PIN = "card", "slot-pin"
MAX_ROWS = 1_000_000
#: how many bad rows are kept to be named; all of them are counted
MAX_NAMED = 1000
_MAX_LINE = 65_536
_OPERATION = "read the table"


@dataclass(frozen=True, slots=True)
class Row:
    """One card and what it gets.

    Attributes:
        number: as a spreadsheet counts, the line of names being 1.
        card: a software card's file, or a card identification number.
        values: field -> text, those that are not empty.
        pin: the slot PIN, where the service has one.
    """

    number: int
    card: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    pin: Secret | None = None


@dataclass(frozen=True, slots=True)
class BadCell:
    """What is wrong where; never what stands there.

    Attributes:
        column: its name; empty when it is the row as a whole.
    """

    row: int
    column: str
    problem: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a table is: its rows, and what is wrong in it (the first :data:`MAX_NAMED`)."""

    rows: int
    bad: tuple[BadCell, ...]
    more: int


class CardTable:
    """A table for one service.

    Args:
        supplied: fields that need no column, because all rows get the same.
        pin_problem: what is wrong with a slot PIN; empty when nothing is.
        card_problem: what is wrong with the name of a card.
    """

    def __init__(
        self,
        path: Path,
        encoding: str,
        service: Service,
        *,
        supplied: frozenset[str] = frozenset(),
        pin_problem: Callable[[str], str] = lambda _: "",
        card_problem: Callable[[str], str] = lambda _: "",
    ) -> None:
        self.path = path
        self._encoding = {"utf-8": "utf-8-sig"}.get(encoding, encoding)
        self._service = service
        self._supplied = supplied
        self._pin_problem = pin_problem
        self._card_problem = card_problem

    def check(self) -> Checked:
        """Look at all of it.

        Raises:
            InputError: it cannot be read at all: no file, another encoding, no line of names.
        """
        bad: list[BadCell] = []
        seen: set[str] = set()
        rows = more = 0
        for number, cells in self._records():
            rows += 1
            for found in self._problems(number, cells, seen):
                if len(bad) < MAX_NAMED:
                    bad.append(found)
                else:
                    more += 1
        if not rows:
            raise self._error("no row of a card under the line of names")
        return Checked(rows, tuple(bad), more)

    def rows(self) -> Iterator[Row]:
        """The rows, one after the other, of a table that was checked.

        Raises:
            InputError: it is not the table any more that it was.
        """
        seen: set[str] = set()
        for number, cells in self._records():
            if cells is None or next(self._problems(number, cells, seen), None) is not None:
                raise self._error("the table was changed after it was checked")
            pin = cells.pop(PIN, "")
            card = cells.pop(CARD)
            yield Row(number, card, {name: text for name, text in cells.items() if text}, Secret(pin) if pin else None)

    # --- inside

    def _problems(self, number: int, cells: dict[str, str] | None, seen: set[str]) -> Iterator[BadCell]:
        if cells is None:
            yield BadCell(number, "", "not as many cells as there are names in the first line")
            return
        card = cells[CARD]
        if not card:
            yield BadCell(number, CARD, "nothing stands there")
        elif card in seen:
            yield BadCell(number, CARD, "the same card stands in a row above")
        elif problem := self._card_problem(card):
            yield BadCell(number, CARD, problem)
        seen.add(card)
        for name, one in self._service.fields.items():
            text = cells.get(name, "")
            if not text:
                if not one.optional and name not in self._supplied:
                    yield BadCell(number, name, "nothing stands there")
                continue
            try:
                one.encode(text)
            except KojinError as refused:
                yield BadCell(number, name, refused.message)
        if self._service.pin:
            pin = cells.get(PIN, "")
            if not pin:
                yield BadCell(number, PIN, "nothing stands there")
            elif problem := self._pin_problem(pin):
                yield BadCell(number, PIN, problem)

    def _records(self) -> Iterator[tuple[int, dict[str, str] | None]]:
        """Row number and its cells by the names of their columns; None for a row of another length. Empty rows are
        passed over."""
        check_input(str(self.path))
        try:
            with self.path.open("rb") as raw, io.TextIOWrapper(raw, self._encoding, newline="") as text:
                reader = csv.reader(self._lines(text), strict=True)
                names = self._names(next(reader, []))
                for number, cells in enumerate(reader, 2):
                    if number > MAX_ROWS:
                        raise self._error("too many rows")
                    if any(cell.strip() for cell in cells):
                        same = len(cells) == len(names)
                        yield number, dict(zip(names, map(str.strip, cells), strict=True)) if same else None
        except UnicodeError:
            raise self._error("not in that encoding: name it with --encoding (utf-8 or cp932)") from None
        except csv.Error:
            raise self._error("the table is no CSV: a quotation mark, or a cell without end") from None
        except OSError as bad:
            raise InputError(why(bad), operation=_OPERATION, file=self.path.name) from bad

    def _lines(self, text: io.TextIOWrapper) -> Iterator[str]:
        while line := text.readline(_MAX_LINE + 1):
            if len(line) > _MAX_LINE or "\0" in line:
                raise self._error("a line is too long, or the file is no text")
            yield line

    def _names(self, cells: Sequence[str]) -> list[str]:
        """The columns, by what ``--field`` calls them or by what people call them.

        Raises:
            InputError: one that the service does not have, one twice, or one that must be there missing.
        """
        known = {CARD: CARD, "カード": CARD}
        if self._service.pin:
            known |= {PIN: PIN, "スロット暗証番号": PIN}
        for name, one in self._service.fields.items():
            known |= {name: name, one.label_ja: name, one.label_en: name}
        names = [known.get(cell.strip().strip("\ufeff"), "") for cell in cells]
        wanted = [CARD, *([PIN] if self._service.pin else [])]
        wanted += [
            name for name, one in self._service.fields.items() if not one.optional and name not in self._supplied
        ]
        missing = [name for name in wanted if name not in names]
        if missing:
            listed = ", ".join(missing)
            raise self._error(f"the first line names the columns, and has none for: {listed}")
        strange = [str(at) for at, name in enumerate(names, 1) if not name or names.count(name) > 1]
        if strange:
            listed = ", ".join(strange)
            raise self._error(f"the first line has names that the service does not have, or one twice: column {listed}")
        return names

    def _error(self, words: str) -> InputError:
        return InputError(words, operation=_OPERATION, file=self.path.name)
