"""The two streams: data on stdout, talk on stderr; JSON; consoles that cannot show a character."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any, TextIO

from kojin_card import messages
from kojin_card.cli.problems import OutputFailed
from kojin_card.cli.render import Block, Line, Role, Style, escape, render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: what stands for a character that the console cannot show (and "?" where not even that can be shown)
GETA = "〓"

#: what stands for a state: as a sign, and in ASCII
SYMBOLS: Mapping[str, tuple[str, str]] = {
    "pass": ("✓", "OK"),
    "fail": ("✗", "NG"),
    "unknown": ("?", "(?)"),
    "none": ("-", "--"),
}

_VERSIONS = {
    "authenticity": "1.1",
    "card-file": "2.0",
    "card-file-made": "1.1",
    "explained": "1.1",
    "face": "1.1",
    "info": "1.1",
    "licence": "1.2",
    "pin-status": "1.2",
    "revocation": "1.1",
    "revocation-added": "1.1",
    "verdicts": "1.1",
}
#: the versions of what ``--json`` prints; a field added: minor, a field removed or changed: major
JSON_SCHEMAS: Mapping[str, str] = {
    name: f"kojin-card/{name}/{_VERSIONS.get(name, '1.0')}"
    for name in (
        "error",
        "readers",
        "doctor",
        "watch",
        "info",
        "basic-four",
        "my-number",
        "licence",
        "face",
        "age",
        "explained",
        "pin-changed",
        "pin-status",
        "certificate",
        "certificate-export",
        "signed",
        "challenge",
        "proof",
        "verdicts",
        "serial-status",
        "serial-statuses",
        "authenticity",
        "trust",
        "trust-added",
        "revocation",
        "revocation-added",
        "revocation-pruned",
        "card-file",
        "card-file-made",
        "card-file-set",
        "personas",
        "served",
        "slots",
        "slot",
        "slot-planned",
        "slot-done",
        "slot-receipt",
        "slot-batch",
        "slot-keys",
        "slot-rotated",
        "slot-terminal",
        "slot-joined",
        "slot-owner",
        "demo",
        "written",
    )
}


class Console:
    """Writes to the process's streams, whatever they can carry.

    Attributes:
        lang: ``ja`` or ``en``.
        plain: one ``label: value`` per line, no colour.
        as_json: data as JSON.

    Args:
        series: what is written is one of a series of JSON documents, of which each is one line.
    """

    def __init__(self, *, lang: str = "en", plain: bool = False, as_json: bool = False, series: bool = False) -> None:
        self.lang = lang
        self.plain = plain
        self.as_json = as_json
        self._warned = False
        self._series = series
        self._started: set[str] = set()

    # --- data

    def show(self, blocks: Sequence[Block]) -> None:
        """Blocks for people, on stdout."""
        self._write(sys.stdout, render(blocks, self._style(sys.stdout)))

    def json(self, kind: str, value: Mapping[str, Any]) -> None:
        """One JSON document of the given kind, on stdout."""
        self._write_json({"schema": JSON_SCHEMAS[kind], **value})

    def event(self, kind: str, value: Mapping[str, Any]) -> None:
        """One of a series of JSON documents of the given kind, on stdout, one line."""
        self.json_line(json.dumps({"schema": JSON_SCHEMAS[kind], **value}, ensure_ascii=False))

    def json_line(self, text: str) -> None:
        """A JSON text of another format than ours (a challenge), on stdout, one line."""
        _put(sys.stdout, json_safe(text, sys.stdout.encoding or "utf-8") + "\n")

    def raw(self, data: bytes) -> None:
        """Bytes as they are, on stdout.

        Raises:
            OutputFailed: stdout is closed or full.
        """
        with _failing():
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()

    def page(self, text: str, *, talk: bool = False) -> None:
        """A text of our own that is laid out already (help), on stdout or, as talk, on stderr."""
        self._write(sys.stderr if talk else sys.stdout, f"{text}\n")

    # --- talk

    def say(self, text: str, role: Role = Role.PLAIN) -> None:
        """A sentence on stderr."""
        self.talk([Line(text, role)])

    def talk(self, blocks: Sequence[Block]) -> None:
        """Blocks on stderr."""
        self._write(sys.stderr, render(blocks, self._style(sys.stderr)))

    def symbol(self, name: str) -> str:
        """``✓``, ``✗``, ``?`` and ``-``, or words in ASCII where a console cannot show all of them."""
        fancy, ascii_only = SYMBOLS[name]
        return fancy if all(can_show("✓✗", stream) for stream in (sys.stdout, sys.stderr)) else ascii_only

    def text(self, key: str, **values: object) -> str:
        """A text of the catalogues in this console's language."""
        return messages.text(key, self.lang, **values)

    # --- inside

    def _style(self, stream: TextIO) -> Style:
        on_terminal = stream.isatty()
        colour = on_terminal and not self.plain and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        columns = min(100, shutil.get_terminal_size((100, 24)).columns) if on_terminal else 100
        rule = "─" if can_show("─", stream) else "-"
        return Style(self.plain, colour, max(40, columns), rule, _name(stream) not in self._started)

    def _write(self, stream: TextIO, text: str) -> None:
        encoding = stream.encoding or "utf-8"
        self._started.add(_name(stream))
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            text = _replaced(text, encoding)
            self._warn_once()
        _put(stream, text)

    def _write_json(self, value: Mapping[str, Any]) -> None:
        text = json.dumps(value, ensure_ascii=False, indent=None if self._series else 2)
        _put(sys.stdout, json_safe(text, sys.stdout.encoding or "utf-8") + "\n")

    def _warn_once(self) -> None:
        if self._warned:
            return
        self._warned = True
        geta = GETA if can_show(GETA, sys.stderr) else "?"
        self._write(sys.stderr, messages.text("say.geta", self.lang, geta=geta) + "\n")


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """A stdout that is full or closed is an output that failed; one that nobody reads any more is not our error."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as bad:
        words = os.strerror(bad.errno) if bad.errno else "it cannot be written"
        raise OutputFailed(words, operation="write the answer", file="<stdout>") from bad


def flush() -> None:
    """Empty stdout's buffer.

    Raises:
        OutputFailed: it is closed or full.
    """
    with _failing():
        sys.stdout.flush()


def _put(stream: TextIO, text: str) -> None:
    """Write at once: an answer that cannot be written is an error, talk that nobody can hear is dropped.

    Raises:
        OutputFailed: stdout is closed or full.
    """
    if stream is sys.stdout:
        with _failing():
            stream.write(text)
            stream.flush()
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError:
        return


def _name(stream: TextIO) -> str:
    return "stdout" if stream is sys.stdout else "stderr"


def can_show(text: str, stream: TextIO) -> bool:
    """Whether the stream's encoding has all the characters."""
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def json_safe(text: str, encoding: str) -> str:
    """A JSON text in which nothing can command a terminal and nothing is lost: what is dangerous or not in the
    encoding stands as ``\\uXXXX``, which is the same JSON."""
    out = []
    for char in text:
        if char == "\n" or (escape(char) == char and _encodes(char, encoding)):
            out.append(char)
        else:
            units = char.encode("utf-16-be", "surrogatepass")
            out.extend(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    return "".join(out)


def _encodes(char: str, encoding: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _replaced(text: str, encoding: str) -> str:
    substitute = GETA if _encodes(GETA, encoding) else "?"
    return "".join(char if _encodes(char, encoding) else substitute for char in text)
