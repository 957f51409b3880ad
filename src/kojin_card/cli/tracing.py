"""``--trace FILE``: the conversation with the card, masked, in a file of its own (docs/traces.md)."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kojin_card import __version__
from kojin_card.cli.files import refuse_existing, write_output
from kojin_card.cli.problems import OutputExists, OutputFailed
from kojin_card.cli.render import Role
from kojin_card.errors import UsageError
from kojin_card.transport.trace import TraceLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kojin_card.cli.console import Console
    from kojin_card.cli.framework import Settings


class Tracer:
    """Keeps the conversation of one command and writes it when the command has ended, however it ended.

    Args:
        command: as in ``help.command.<...>``; what was given to it stays out of the trace.
        given: its options: ``force``, and the names of files that the trace must not be.

    Attributes:
        log: to be told of each exchange.

    Raises:
        UsageError: no file, or one that the command uses. OutputExists, OutputFailed: it could not be written.
    """

    def __init__(self, settings: Settings, command: str, given: Mapping[str, Any]) -> None:
        self.log = TraceLog()
        self._path = Path(settings.trace or "-")
        self._force = bool(given.get("force"))
        self._about = {
            "kojin_card": __version__,
            "python": platform.python_version(),
            "system": platform.system() or "unknown",
            "command": command.replace(".", " "),
            "card": "reader" if settings.simulator is None else "software",
        }
        if settings.trace == "-":
            raise UsageError("a trace goes into a file, never to standard output", operation="write a trace")
        used = [settings.simulator, *given.values()]
        if any(_same(self._path, name) for name in _names(used)):
            raise UsageError("--trace names a file that the command uses for something else", operation="write a trace")
        try:
            refuse_existing(self._path, force=self._force)
        except OutputExists:  # its own remedy would name -o
            words = "an earlier trace, or another file, has that name"
            raise OutputExists(words, operation="write a trace", file=self._path.name) from None

    def write(self, console: Console, extended: bool | None) -> None:
        """Write the trace, unless nothing was sent. What goes wrong here is said, and changes no exit code."""
        if not len(self.log):
            return
        text = self.log.text(extended=extended, **self._about)
        try:
            write_output(self._path, text.encode("ascii"), force=self._force, private=True)
        except (OutputExists, OutputFailed):
            console.say(console.text("say.trace_failed", file=self._path), Role.BAD)
        else:
            console.say(console.text("say.traced", file=self._path, apdus=len(self.log)))


def _names(values: Any) -> Iterator[str]:
    """Everything in the options that may be the name of a file."""
    for value in values:
        if isinstance(value, str | Path):
            yield str(value)
        elif isinstance(value, tuple | list):
            yield from _names(value)


def _same(path: Path, name: str) -> bool:
    try:
        other = Path(name)
        return path.absolute() == other.absolute() or (path.exists() and other.exists() and path.samefile(other))
    except (OSError, ValueError):  # no name of a file, or one that cannot be looked at: the command will say so
        return False
