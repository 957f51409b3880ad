"""The free area (空き領域) as its specs say it: AIDs, tags, numbers, states and commands of ``applets_spec/free_area``.

Two files: what GlobalPlatform's content management is on this card, and the slot applet, byte for byte. The card side
and the client side read both; the services that fill slots stand in :mod:`.service`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from kojin_card.resources import data_root
from kojin_card.spec.access import Access
from kojin_card.spec.load import SCHEMA, evidence, identifier
from kojin_card.spec.strict import Table, parse_toml, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kojin_card.spec.model import Evidence

GLOBALPLATFORM, SLOT_APPLET = "globalplatform", "slot_applet"
_PLACE = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Named:
    """What every table of these specs has: an id, two names, and how well it is known."""

    id: str
    name_en: str
    name_ja: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class AidSpec(Named):
    """An AID, or the beginning of AIDs that ``random`` bytes complete."""

    aid: bytes
    random: int = 0


@dataclass(frozen=True, slots=True)
class TagSpec(Named):
    """A tag of two bytes: what it stands in, and who may read it with GET DATA (never: nobody)."""

    tag: bytes
    inside: str
    access: Access


@dataclass(frozen=True, slots=True)
class NumberSpec(Named):
    """A number that both sides must agree on; ``access``: who may read the file whose short identifier it is."""

    value: int
    access: Access | None = None


@dataclass(frozen=True, slots=True)
class ContextSpec(Named):
    """Octets that stand before a message that is signed: ASCII text and a zero byte."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class StateSpec(Named):
    """A state, its byte, and the ids of the states that may follow."""

    value: int
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WordSpec:
    """A status word of a command and what it says."""

    sw: int
    en: str
    ja: str


@dataclass(frozen=True, slots=True)
class CommandSpec(Named):
    """A command.

    Attributes:
        p1, p2: None where the byte is a parameter.
        access: None where each object or file has a rule of its own.
        states: ids of the states in which it does its work (fields of READ BINARY have rules of their own).
        words: every status word it gives, besides 6700, 6881, 6D00 and 6E00 that any command may give.
    """

    cla: int
    ins: int
    p1: int | None
    p2: int | None
    access: Access | None
    states: tuple[str, ...]
    words: tuple[WordSpec, ...]


@dataclass(frozen=True, slots=True)
class PlatformSpec(Named):
    """One file of ``applets_spec/free_area``; everything by its id."""

    aids: Mapping[str, AidSpec] = field(default_factory=dict)
    tags: Mapping[str, TagSpec] = field(default_factory=dict)
    numbers: Mapping[str, NumberSpec] = field(default_factory=dict)
    contexts: Mapping[str, ContextSpec] = field(default_factory=dict)
    states: Mapping[str, StateSpec] = field(default_factory=dict)
    commands: Mapping[str, CommandSpec] = field(default_factory=dict)

    def aid(self, name: str) -> bytes:
        """An AID, or the beginning of AIDs."""
        return self.aids[name].aid

    def tag(self, name: str) -> bytes:
        """A tag, two bytes."""
        return self.tags[name].tag

    def number(self, name: str) -> int:
        """A number."""
        return self.numbers[name].value

    def context(self, name: str) -> bytes:
        """What stands before a message that is signed, zero byte included."""
        return self.contexts[name].octets

    def state(self, value: int) -> StateSpec | None:
        """The state of that byte, or None."""
        return next((one for one in self.states.values() if one.value == value), None)


@cache
def globalplatform_spec() -> PlatformSpec:
    """GlobalPlatform's content management, read once in a process."""
    return _packaged(GLOBALPLATFORM)


@cache
def slot_applet_spec() -> PlatformSpec:
    """The slot applet, read once in a process."""
    return _packaged(SLOT_APPLET)


def _packaged(name: str) -> PlatformSpec:
    file = data_root("applets_spec").joinpath("free_area", f"{name}.toml")
    return load_platform(file.read_text("utf-8"), file.name)


def load_platform(text: str, file: str) -> PlatformSpec:
    """One file of the language.

    Raises:
        SpecError: with file and table, for anything the language does not allow.
    """
    top = parse_toml(text, file)
    if top.take("schema", int) != SCHEMA:
        raise top.error(f"schema must be {SCHEMA}")
    head = top.table("platform")
    named = _named(head)
    head.done()
    aids = _all(top, "aid", _aid)
    tags = _all(top, "tag", _tag)
    numbers = _all(top, "number", _number)
    contexts = _all(top, "context", _context)
    states = _all(top, "state", _state)
    commands = _all(top, "command", _command)
    top.done()
    for state in states.values():
        if set(state.to) - states.keys():
            raise top.error(f"state {state.id}: to names no state")
    for command in commands.values():
        if set(command.states) - states.keys():
            raise top.error(f"command {command.id}: states names no state")
    return PlatformSpec(*named, aids, tags, numbers, contexts, states, commands)


_T = TypeVar("_T", bound=Named)


def _all(top: Table, kind: str, read: Callable[[Table], _T]) -> dict[str, _T]:
    found: dict[str, _T] = {}
    for row in top.tables(kind):
        one = read(row)
        row.done()
        unique(row, found, one.id, one)
    return found


def _named(row: Table) -> tuple[str, str, str, Evidence]:
    return identifier(row), row.take("name_en", str), row.take("name_ja", str), evidence(row)


def _aid(row: Table) -> AidSpec:
    return AidSpec(*_named(row), aid=row.hex("aid", size=(5, 16)), random=row.take("random", int, 0))


def _tag(row: Table) -> TagSpec:
    place = row.take("inside", str)
    if not _PLACE.fullmatch(place):
        raise row.error("inside must be an id")
    return TagSpec(*_named(row), row.hex("tag", size=(2, 2)), place, Access.parse(row.take("access", str, "never")))


def _number(row: Table) -> NumberSpec:
    access = Access.parse(row.take("access", str)) if row.has("access") else None
    return NumberSpec(*_named(row), value=row.take("value", int), access=access)


def _context(row: Table) -> ContextSpec:
    text = row.take("text", str)
    if not text or not text.isascii() or not text.isprintable():
        raise row.error("text must be ASCII")
    return ContextSpec(*_named(row), text.encode("ascii") + b"\x00")


def _state(row: Table) -> StateSpec:
    return StateSpec(*_named(row), value=row.take("value", int), to=row.texts("to"))


def _command(row: Table) -> CommandSpec:
    def byte(key: str) -> int | None:
        return row.hex(key, size=(1, 1))[0] if row.has(key) else None

    return CommandSpec(
        *_named(row),
        cla=row.hex("cla", size=(1, 1))[0],
        ins=row.hex("ins", size=(1, 1))[0],
        p1=byte("p1"),
        p2=byte("p2"),
        access=Access.parse(row.take("access", str)) if row.has("access") else None,
        states=row.texts("states", ()),
        words=tuple(_word(one) for one in row.tables("words", required=True)),
    )


def _word(row: Table) -> WordSpec:
    sw = WordSpec(int.from_bytes(row.hex("sw", size=(2, 2)), "big"), row.take("en", str), row.take("ja", str))
    row.done()
    return sw
