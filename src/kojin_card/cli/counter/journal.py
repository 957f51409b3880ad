"""The journal beside a table of ``slot issue --batch``: what was begun and what is done, on the disk before the card
hears of it, so that the same line carries on where it stopped and no card gets the same slot twice.

One JSON document a line, mode 0600. The first says what the journal is of; then ``chosen`` (the AID of the slot that a
card is about to get), ``done`` or ``failed``. No value of the table stands in it but what names the card.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kojin_card.cli.files import why
from kojin_card.cli.problems import OutputFailed
from kojin_card.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

SCHEMA = "kojin-card/slot-journal/1.0"
_OPERATION = "keep the journal of a batch"
_MAX_LINE, _MAX_LINES = 4096, 1_000_000
_STATES = frozenset({"chosen", "done", "failed"})


class Journal(AbstractContextManager["Journal"]):
    """The journal of one table, one service and one owner; held by one process at a time.

    Args:
        path: made when it is not there; otherwise carried on with.
        about: what it is of (``service``, ``owner``); a journal of anything else is refused.

    Raises:
        UsageError: the journal is of something else, or another process has it.
        InputError: the file is no journal. OutputFailed: it cannot be written.
    """

    def __init__(self, path: Path, about: Mapping[str, str]) -> None:
        self.path = path
        self._chosen: dict[str, bytes] = {}
        self._done: set[str] = set()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            self._file = os.open(path, flags, 0o600)
        except OSError as bad:
            raise OutputFailed(why(bad), operation=_OPERATION, file=path.name) from bad
        try:
            self._lock()
            self._carry_on({"schema": SCHEMA, **about})
        except BaseException:
            os.close(self._file)
            raise

    @property
    def done(self) -> int:
        """How many cards have theirs."""
        return len(self._done)

    def is_done(self, card: str) -> bool:
        """Whether that card has its slot."""
        return card in self._done

    def chosen(self, card: str) -> bytes | None:
        """The AID that was chosen for that card before, whatever became of it."""
        return self._chosen.get(card)

    def choose(self, card: str, aid: bytes) -> None:
        """Keep the AID that the card is about to get: on the disk when this returns.

        Raises:
            OutputFailed: it is not, and the card must not be touched.
        """
        self._chosen[card] = aid
        self._add({"card": card, "state": "chosen", "aid": aid.hex().upper()})

    def finish(self, card: str) -> None:
        """The card has its slot.

        Raises:
            OutputFailed: it cannot be written down; the same slot is issued again by the next run, which changes
                nothing on the card.
        """
        self._add({"card": card, "state": "done"})
        self._done.add(card)

    def fail(self, card: str, code: str) -> None:
        """The card has not got it (``code`` of the error); the next run tries again with the same AID.

        Raises:
            OutputFailed: it cannot be written down.
        """
        self._add({"card": card, "state": "failed", "code": code})

    # --- inside

    def _lock(self) -> None:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(self._file, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as bad:
            words = "another process is working with this journal"
            raise UsageError(words, operation=_OPERATION, file=self.path.name) from bad

    def _carry_on(self, head: Mapping[str, str]) -> None:
        """Read what there is. A last line without its end was cut off before anything was sent: it goes."""
        with suppress(OSError, NotImplementedError, AttributeError):
            os.fchmod(self._file, 0o600)
        entries, whole = self._entries()
        first = next(entries, None)
        if first is None:
            begun = os.pread(self._file, _MAX_LINE, 0) if hasattr(os, "pread") else b""
            if not _line(head).startswith(begun):  # not our own first line, cut off
                raise self._bad()
            os.ftruncate(self._file, 0)
            self._add(head)
            return
        if first.get("schema") != SCHEMA:
            raise self._bad()
        if first != head:
            words = "the journal is of another service, or of another owner"
            raise UsageError(words, operation=_OPERATION, file=self.path.name)
        for entry in entries:
            card, state, aid = entry.get("card"), entry.get("state"), entry.get("aid")
            if not isinstance(card, str) or state not in _STATES:
                raise self._bad()
            if state == "chosen":
                self._chosen[card] = self._aid(aid)
            elif state == "done":
                self._done.add(card)
        os.ftruncate(self._file, whole[0])

    def _aid(self, text: Any) -> bytes:
        try:
            return bytes.fromhex(text)
        except (TypeError, ValueError):
            raise self._bad() from None

    def _entries(self) -> tuple[Iterator[dict[str, Any]], list[int]]:
        """The whole lines, and how many bytes they are (complete when the last one was taken)."""
        whole = [0]

        def read() -> Iterator[dict[str, Any]]:
            with os.fdopen(os.dup(self._file), "rb") as stream:
                stream.seek(0)
                for number, line in enumerate(iter(lambda: stream.readline(_MAX_LINE + 1), b"")):
                    if not line.endswith(b"\n"):
                        if len(line) > _MAX_LINE:
                            raise self._bad()
                        return
                    if number >= _MAX_LINES:
                        raise self._bad()
                    try:
                        entry = json.loads(line)
                    except (ValueError, RecursionError):
                        raise self._bad() from None
                    if not isinstance(entry, dict):
                        raise self._bad()
                    whole[0] += len(line)
                    yield entry

        return read(), whole

    def _bad(self) -> InputError:
        return InputError("not a journal of a batch", operation=_OPERATION, file=self.path.name)

    def _add(self, entry: Mapping[str, str]) -> None:
        line = _line(entry)
        try:
            while line:
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)
        except OSError as bad:
            raise OutputFailed(why(bad), operation=_OPERATION, file=self.path.name) from bad

    def close(self) -> None:
        """Let it go."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self


def _line(entry: Mapping[str, str]) -> bytes:
    return json.dumps(entry, ensure_ascii=True).encode("ascii") + b"\n"


def journal_of(table: Path) -> Path:
    """Where the journal of a table stands: beside it."""
    return table.with_name(f"{table.name}.journal")
