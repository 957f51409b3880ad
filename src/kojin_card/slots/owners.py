"""``owners.toml``: the owners whose records a verifier believes, with their public keys and from when to when.

Nothing is believed of an owner that is not in it, which is an answer of its own and no failure. The package brings no
list: no owner's key is public (free-area.md), so a verifier brings its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from kojin_card.errors import InputError, SpecError
from kojin_card.pki.files import read_bounded
from kojin_card.slots.ec import COMPRESSED_BYTES, is_point
from kojin_card.spec.owner import Owner
from kojin_card.spec.strict import parse_toml

if TYPE_CHECKING:
    from pathlib import Path

    from kojin_card.spec.strict import Table

MAX_FILE_BYTES = 4 * 1024 * 1024
_SCHEMA = 1
_KEY_SIZE = (COMPRESSED_BYTES, COMPRESSED_BYTES)


@dataclass(frozen=True, slots=True)
class OwnerKeyPeriod:
    """Keys of an owner and when records may be dated under them.

    Attributes:
        record_key, terminal_ca: P-256 points, compressed (33 bytes).
        begin: first day. end: last day; None while nobody has named one.
    """

    record_key: bytes
    terminal_ca: bytes
    begin: date
    end: date | None = None

    def covers(self, day: date) -> bool:
        """Whether that day is within."""
        return self.begin <= day and (self.end is None or day <= self.end)


@dataclass(frozen=True, slots=True)
class OwnerEntry:
    """An owner as a verifier knows it; of a rotation both periods stand in it."""

    owner: Owner
    name_ja: str
    name_en: str
    keys: tuple[OwnerKeyPeriod, ...]

    def toml(self) -> str:
        """The entry as ``owners.toml`` has it, without the schema line."""
        lines = [
            "[[owner]]",
            f"kind = {_quoted(self.owner.kind.word)}",
            f"code = {_quoted(self.owner.code)}",
            f"name_ja = {_quoted(self.name_ja)}",
            f"name_en = {_quoted(self.name_en)}",
        ]
        for one in self.keys:
            lines += [
                "",
                "[[owner.key]]",
                f'record_key = "{one.record_key.hex().upper()}"',
                f'terminal_ca = "{one.terminal_ca.hex().upper()}"',
                f"from = {one.begin.isoformat()}",
            ]
            if one.end is not None:
                lines.append(f"until = {one.end.isoformat()}")
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class OwnerStore:
    """The owners that a verifier knows.

    Raises:
        InputError: an owner twice, or a key under two owners.
    """

    entries: tuple[OwnerEntry, ...] = ()

    def __post_init__(self) -> None:
        if len({entry.owner for entry in self.entries}) != len(self.entries):
            raise InputError("an owner stands twice", operation="read owners")
        seen: dict[bytes, Owner] = {}
        for entry in self.entries:
            for key in (point for period in entry.keys for point in (period.record_key, period.terminal_ca)):
                if seen.setdefault(key, entry.owner) != entry.owner:
                    raise InputError("a key stands under two owners", operation="read owners")

    @classmethod
    def load(cls, *paths: Path) -> OwnerStore:
        """The owners of one file or more.

        Raises:
            InputError: a file cannot be read, is too large, or an owner stands in two. SpecError: malformed.
        """
        entries: list[OwnerEntry] = []
        for path in paths:
            try:
                text = read_bounded(path, MAX_FILE_BYTES).decode("utf-8")
            except UnicodeDecodeError as bad:
                raise SpecError("not UTF-8", file=path.name, table="") from bad
            entries += cls.parse(text, path.name).entries
        return cls(tuple(entries))

    @classmethod
    def parse(cls, text: str, file: str = "owners.toml") -> OwnerStore:
        """The owners of a file's text.

        Raises:
            SpecError: malformed. InputError: an owner or a key twice.
        """
        top = parse_toml(text, file)
        if top.take("schema", int) != _SCHEMA:
            raise top.error(f"schema must be {_SCHEMA}")
        entries = tuple(_entry(row) for row in top.tables("owner"))
        top.done()
        return cls(entries)

    def toml(self) -> str:
        """The file."""
        return "\n".join([f"schema = {_SCHEMA}\n", *(entry.toml() for entry in self.entries)])

    def find(self, owner: Owner) -> OwnerEntry | None:
        """The entry of that owner; None: unknown, which is no statement about it."""
        return next((entry for entry in self.entries if entry.owner == owner), None)

    def with_entry(self, entry: OwnerEntry) -> OwnerStore:
        """The same with an entry added, or put in the place of that owner's."""
        others = tuple(one for one in self.entries if one.owner != entry.owner)
        return OwnerStore((*others, entry))


def _entry(row: Table) -> OwnerEntry:
    text = f"{row.take('kind', str)}:{row.take('code', str)}"
    name_ja, name_en = row.take("name_ja", str), row.take("name_en", str)
    keys = tuple(_period(one) for one in row.tables("key", required=True))
    row.done()
    if not keys:
        raise row.error("an owner has a key at least")
    try:
        return OwnerEntry(Owner.parse(text), name_ja, name_en, keys)
    except InputError as bad:
        raise row.error(bad.message) from bad


def _period(row: Table) -> OwnerKeyPeriod:
    record, authority = row.hex("record_key", size=_KEY_SIZE), row.hex("terminal_ca", size=_KEY_SIZE)
    begin = row.take("from", date)
    end = row.take("until", date) if row.has("until") else None
    row.done()
    if not (is_point(record) and is_point(authority)) or record == authority:
        raise row.error("record_key and terminal_ca are two points of P-256, compressed")
    if end is not None and end < begin:
        raise row.error("from and until are days in this order")
    return OwnerKeyPeriod(record, authority, begin, end)


def _quoted(text: str) -> str:
    """A basic string of TOML: what JSON calls a string is one, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
