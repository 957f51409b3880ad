"""Strict reading of TOML: an unknown key, a missing key or a wrong type is an error that names file and table."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

from kojin_card.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import StrEnum

T = TypeVar("T")
E = TypeVar("E", bound="StrEnum")
_MISSING: Any = object()

#: a dotted name of more parts than any table has: tomllib takes the square of their number in time
_DEEP_NAME = re.compile(r"""(?<![\w"'-])(?:["'\w-]++[ \t]*+\.[ \t]*+){64}""")


def parse_toml(text: str, file: str) -> Table:
    """The top table of a TOML document.

    Raises:
        SpecError: it is not TOML, or nested too deeply.
    """
    try:
        if _DEEP_NAME.search(text):
            raise RecursionError
        return Table(tomllib.loads(text), file, "")
    except ValueError as bad:  # also that of a number with more digits than Python converts
        raise SpecError(f"{file}: not TOML: {bad}", file=file, table="") from bad
    except RecursionError as bad:
        raise SpecError(f"{file}: nested too deeply", file=file, table="") from bad


class Table:
    """One table being read: every key must be taken, and :meth:`done` refuses what is left."""

    def __init__(self, raw: dict[str, Any], file: str, name: str) -> None:
        self._raw = dict(raw)
        self.file = file
        self.name = name

    def error(self, problem: str) -> SpecError:
        """A :class:`SpecError` that names this file and table."""
        return SpecError(f"{self.file} [{self.name}]: {problem}", file=self.file, table=self.name)

    def take(self, key: str, kind: type[T], default: T = _MISSING) -> T:
        """The value of ``key``; its type must be exactly ``kind`` (a bool is no int).

        Raises:
            SpecError: missing without a default, or of another type.
        """
        if key not in self._raw:
            if default is _MISSING:
                raise self.error(f"{key} is missing")
            return default
        value = self._raw.pop(key)
        if type(value) is not kind:
            raise self.error(f"{key} must be {kind.__name__}, not {type(value).__name__}")
        return value

    def has(self, key: str) -> bool:
        """Whether ``key`` is there and not taken yet."""
        return key in self._raw

    def left(self) -> tuple[str, ...]:
        """The keys that nobody took yet, sorted."""
        return tuple(sorted(self._raw))

    def hex(self, key: str, *, size: tuple[int, int], default: bytes = _MISSING) -> bytes:
        """Bytes written as quoted hex, ``size`` = least and most bytes.

        Raises:
            SpecError: not hex, or of another length.
        """
        if key not in self._raw and default is not _MISSING:
            return default
        text = self.take(key, str)
        try:
            value = bytes.fromhex(text)
        except ValueError as bad:
            raise self.error(f"{key} must be quoted hex") from bad
        if not size[0] <= len(value) <= size[1]:
            raise self.error(f"{key} must have {size[0]} to {size[1]} bytes")
        return value

    def choice(self, key: str, kind: type[E], default: E = _MISSING) -> E:
        """A member of an enumeration, written as its value.

        Raises:
            SpecError: not one of them.
        """
        if key not in self._raw and default is not _MISSING:
            return default
        text = self.take(key, str)
        try:
            return kind(text)
        except ValueError as bad:
            allowed = ", ".join(kind)
            raise self.error(f"{key} must be one of {allowed}") from bad

    def texts(self, key: str, default: tuple[str, ...] = _MISSING) -> tuple[str, ...]:
        """An array of strings."""
        if key not in self._raw and default is not _MISSING:
            return default
        values = self.take(key, list)
        if not all(type(value) is str for value in values):
            raise self.error(f"{key} must be an array of strings")
        return tuple(values)

    def integers(self, key: str, count: int) -> tuple[int, ...]:
        """An array of ``count`` integers."""
        values = self.take(key, list)
        if len(values) != count or not all(type(value) is int for value in values):
            raise self.error(f"{key} must be an array of {count} integers")
        return tuple(values)

    def table(self, key: str) -> Table:
        """The sub-table ``key``."""
        return Table(self.take(key, dict), self.file, f"{self.name}.{key}".lstrip("."))

    def tables(self, key: str, *, required: bool = False) -> Iterator[Table]:
        """The array of tables ``key`` (empty when absent, unless ``required``).

        Raises:
            SpecError: it is something else.
        """
        rows = self.take(key, list) if required else self.take(key, list, [])
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise self.error(f"{key} must be an array of tables")
            label = row.get("id") or row.get("name") or number
            yield Table(row, self.file, f"{self.name}.{key}[{label}]".lstrip("."))

    def text_map(self, key: str) -> dict[str, str]:
        """A sub-table of strings."""
        raw = self.take(key, dict)
        if not all(type(value) is str for value in raw.values()):
            raise self.error(f"{key} must hold strings only")
        return raw

    def done(self) -> None:
        """Refuse keys that nobody took.

        Raises:
            SpecError: there are some.
        """
        if self._raw:
            raise self.error("unknown: " + ", ".join(sorted(self._raw)))


def unique(table: Table, items: dict[str, T], key: str, item: T) -> None:
    """Add ``item`` under ``key``.

    Raises:
        SpecError: the id is taken.
    """
    if key in items:
        raise table.error(f"the id {key!r} stands twice")
    items[key] = item
