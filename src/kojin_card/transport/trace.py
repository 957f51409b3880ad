"""Traces: a conversation as a text that people can read, send and edit, and its strict reader (docs/traces.md).

A trace holds what the link tells its observers and nothing else: secrets not even by their length, personal data by its
length, public data in hex. What it holds was masked before it came here, so nothing here can show more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from kojin_card.errors import InputError
from kojin_card.iso7816.apdu import EXTENDED_LC_MAX, EXTENDED_LE_MAX, CommandApdu

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kojin_card.transport.link import Exchange

VERSION = "1.0"
MAX_TRACE_BYTES = 4 * 1024 * 1024
MAX_TURNS = 20_000

_FIRST_LINE = re.compile(r"# kojin-card trace ([0-9]{1,4})\.([0-9]{1,4})")
_HEADER = re.compile(r"# ([a-z][a-z_]{0,31}): ([!-~](?:[ -~]{0,198}[!-~])?)")
_COMMAND = re.compile(
    r"> ([0-9A-F]{2}(?: [0-9A-F]{2}){3})"
    r"(?: (?:(?P<secret>\[secret\])|\[(?P<masked>[1-9][0-9]{0,4}) bytes\]|(?P<data>(?:[0-9A-F]{2}){1,65535})))?"
    r"(?: Le=(?P<le>[1-9][0-9]{0,4}))?"
    r"  # (?P<operation>[!-~](?:[ -~]{0,198}[!-~])?)"
)
_ANSWER = re.compile(
    r"< (?:(?:\[(?P<masked>[1-9][0-9]{0,4}) bytes\]|(?P<data>(?:[0-9A-F]{2}){1,65536})) )?(?P<sw>[0-9A-F]{4})"
)
_FAILURE = re.compile(r"! ([a-z][a-z_]{0,31})")
_DECLARED = re.compile(r"= ([!-~](?:[ -~]{0,198}[!-~])?): ((?:[0-9A-F]{2}){1,65536})")
_EXTENDED: Mapping[str, bool | None] = {"yes": True, "no": False, "unknown": None}
_WORDS = {True: "yes", False: "no", None: "unknown"}
_NOT_PLAIN = re.compile(r"[^ -~]")


@dataclass(frozen=True, slots=True)
class Turn:
    """One command and what came back, as far as a trace tells.

    Attributes:
        line: of the command, counted from 1.
        operation: what it was for, in the words of the specs.
        header: CLA INS P1 P2.
        data: of the command, where it is public or where there is none; None where it is masked.
        masked: how long the command's masked data is; None for a secret, and where nothing is masked.
        le: see :class:`~kojin_card.iso7816.apdu.CommandApdu`; a secret's command does not tell it.
        answer: data of the answer, where it is public or where there is none; None where it is masked.
        length: of the answer's data, masked or not.
        sw: the status word; None where no answer came.
        failure: the code of the error that came instead of an answer.
    """

    line: int
    operation: str
    header: bytes
    data: bytes | None
    masked: int | None
    le: int | None
    answer: bytes | None = b""
    length: int = 0
    sw: int | None = None
    failure: str = ""

    @property
    def secret(self) -> bool:
        """Whether the command held a secret, of which not even the length is told."""
        return self.data is None and self.masked is None

    def difference(self, command: CommandApdu) -> str:
        """What of a command is not as it was recorded; empty when all that is visible is the same."""
        if command.header != self.header:
            return "CLA INS P1 P2"
        if self.secret:
            return "" if command.data else "no data"
        if self.data is None and len(command.data) != self.masked:
            return "the length of the data"
        if self.data is not None and command.data != self.data:
            return "the data"
        return "" if command.le == self.le else "Le"


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring turns of one operation whose answers are masked: what one declaration of invented data fills.

    Attributes:
        operation: of all of them.
        turns: their places in the trace, counted from 0.
        length: of their data together.
    """

    operation: str
    turns: tuple[int, ...]
    length: int


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace that was read.

    Attributes:
        header: the lines at its beginning, ``card`` and ``extended`` among them.
        declared: invented data, by operation, in the order in which it was declared.
    """

    header: Mapping[str, str]
    turns: tuple[Turn, ...] = field(repr=False)
    declared: Mapping[str, tuple[bytes, ...]] = field(repr=False)

    @property
    def extended(self) -> bool | None:
        """Whether card and reader together carry extended APDUs; None: nobody said so."""
        return _EXTENDED[self.header["extended"]]

    def runs(self) -> tuple[Run, ...]:
        """Where data is masked, in order."""
        found = []
        for operation, group in groupby(enumerate(self.turns), lambda one: one[1].operation):
            places = [(number, turn) for number, turn in group if turn.answer is None]
            if not places:
                continue
            found.append(Run(operation, tuple(number for number, _ in places), sum(turn.length for _, turn in places)))
        return tuple(found)


class TraceLog:
    """An observer that keeps a conversation: ``connect(observer=log)``, then :meth:`text`."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._turns = 0

    def __call__(self, exchange: Exchange) -> None:
        """Keep one exchange."""
        self._turns += 1
        operation = _NOT_PLAIN.sub("?", exchange.operation).strip()[:200].strip() or "command"
        self._lines += [f"> {exchange.command}  # {operation}", _answer(exchange)]

    def __len__(self) -> int:
        return self._turns

    def text(self, *, extended: bool | None = None, **about: str) -> str:
        """The trace.

        Args:
            extended: as :attr:`~kojin_card.transport.link.Link.said_extended`.
            about: more header lines; nothing that tells one card from another belongs into them.
        """
        header = {**about, "extended": _WORDS[extended], "apdus": str(self._turns)}
        head = [f"# kojin-card trace {VERSION}", *(f"# {key}: {_NOT_PLAIN.sub('?', header[key])}" for key in header)]
        return "\n".join([*head, "", *self._lines, ""])


def _answer(exchange: Exchange) -> str:
    if exchange.sw is None:
        told = f"! {exchange.failure}"
        return told if _FAILURE.fullmatch(told) else "! transport"
    if not exchange.length:
        return f"< {exchange.sw:04X}"
    shown = f"[{exchange.length} bytes]" if exchange.data is None else exchange.data
    return f"< {shown} {exchange.sw:04X}"


# --- reading ----------------------------------------------------------------------------------------------------------


def read_trace(raw: bytes) -> Trace:
    """Read a trace: its lines in order, nothing left out, nothing more.

    Raises:
        InputError: it is none, of a version that is not known, larger than any trace, or cut off; says the line.
    """
    if len(raw) > MAX_TRACE_BYTES:
        raise _refused("larger than a trace can be", 1)
    try:
        lines = raw.decode("ascii").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise _refused("a trace is ASCII", 1) from None
    first = _FIRST_LINE.fullmatch(lines[0])
    if first is None or int(first[1]) != 1:
        raise _refused("not a trace of version 1", 1)
    at, header = _read_header(lines)
    turns, declared = _read_body(lines, at)
    if header["apdus"] != str(len(turns)):
        raise _refused("not as many commands as the header says", at)
    return Trace(header, tuple(turns), declared)


def _read_header(lines: list[str]) -> tuple[int, dict[str, str]]:
    """The header, and the place of the line after it."""
    header: dict[str, str] = {}
    at = 1
    while at < len(lines) and lines[at]:
        found = _HEADER.fullmatch(lines[at])
        if found is None or found[1] in header:
            raise _refused("not a line of the header", at + 1)
        header[found[1]] = found[2]
        at += 1
    if header.get("extended") not in _EXTENDED or "apdus" not in header:
        raise _refused("the header says neither yes, no nor unknown to extended, or no number of apdus", at)
    return at, header


def _read_body(lines: list[str], at: int) -> tuple[list[Turn], dict[str, tuple[bytes, ...]]]:
    turns: list[Turn] = []
    declared: dict[str, tuple[bytes, ...]] = {}
    waiting: Turn | None = None
    for number, line in enumerate(lines[at:], at + 1):
        if not line or line.startswith("#"):
            continue
        if waiting is not None:
            turns.append(_answered(waiting, line, number))
            waiting = None
        elif line.startswith("> "):
            if len(turns) >= MAX_TURNS:
                raise _refused("more commands than a trace can have", number)
            waiting = _command(line, number)
        elif (found := _DECLARED.fullmatch(line)) is not None:
            declared[found[1]] = (*declared.get(found[1], ()), bytes.fromhex(found[2]))
        else:
            raise _refused("neither a command nor declared data", number)
    if waiting is not None:
        raise _refused("a command without an answer", waiting.line)
    return turns, declared


def _command(line: str, number: int) -> Turn:
    found = _COMMAND.fullmatch(line)
    if found is None:
        raise _refused("not a command", number)
    masked = None if found["masked"] is None else int(found["masked"])
    le = None if found["le"] is None else int(found["le"])
    if (masked or 0) > EXTENDED_LC_MAX or (le or 0) > EXTENDED_LE_MAX or (found["secret"] and le is not None):
        raise _refused("not a command", number)
    data = None if masked is not None or found["secret"] else bytes.fromhex(found["data"] or "")
    return Turn(number, found["operation"], bytes.fromhex(found[1]), data, masked, le)


def _answered(turn: Turn, line: str, number: int) -> Turn:
    failure = _FAILURE.fullmatch(line)
    if failure is not None:
        return _with(turn, failure=failure[1])
    found = _ANSWER.fullmatch(line)
    if found is None:
        raise _refused("not an answer", number)
    sw = int(found["sw"], 16)
    if found["masked"] is not None:
        if int(found["masked"]) > EXTENDED_LE_MAX:
            raise _refused("not an answer", number)
        return _with(turn, sw=sw, length=int(found["masked"]))
    answer = bytes.fromhex(found["data"] or "")
    return _with(turn, sw=sw, answer=answer, length=len(answer))


def _with(
    turn: Turn, *, sw: int | None = None, answer: bytes | None = None, length: int = 0, failure: str = ""
) -> Turn:
    told = b"" if failure else answer
    return Turn(turn.line, turn.operation, turn.header, turn.data, turn.masked, turn.le, told, length, sw, failure)


def _refused(why: str, line: int) -> InputError:
    return InputError(f"{why} (line {line})", operation="read a trace", line=line)


def declared_lines(data: Iterable[tuple[str, bytes]]) -> str:
    """Invented data as the lines of a trace that declare it."""
    return "".join(f"= {operation}: {value.hex().upper()}\n" for operation, value in data)
