"""Several results at once: all of them are written, or none."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from kojin_card.cli.files import give_name, refuse_existing, why
from kojin_card.cli.problems import OutputExists, OutputFailed
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

_OPERATION = "write several files"


class FileSet:
    """Files of mode 0600 that belong together, some of them in one folder.

    Args:
        folder: made with mode 0700 when it is not there; one that is there keeps its mode.
        names: every name in ``folder`` that belongs to the set, whether it is written this time or not: with ``force``
            those that are not written are removed, so that no set is mixed with an older one.
        others: files elsewhere.
        force: replace what is there.
    """

    def __init__(self, folder: Path | None, names: Iterable[str], others: Iterable[Path], *, force: bool) -> None:
        self._folder = folder
        self._own = tuple(folder / name for name in names) if folder is not None else ()
        self._others = tuple(others)
        self._force = force

    def check(self) -> None:
        """Refuse early what :meth:`write` would refuse late.

        Raises:
            UsageError: two results have one name. OutputExists, OutputFailed: as :func:`~.files.refuse_existing`.
        """
        everything = [path.absolute() for path in (*self._own, *self._others)]
        if len(set(everything)) != len(everything):
            raise UsageError("two results have the same name", operation=_OPERATION)
        folder = self._folder
        if folder is not None and not folder.is_dir():
            refuse_existing(folder, force=False)  # nothing may be there, and its parent must
        elsewhere = self._others if folder is None or folder.is_dir() else self._outside(folder)
        for path in (*(self._own if folder is not None and folder.is_dir() else ()), *elsewhere):
            refuse_existing(path, force=self._force)

    def _outside(self, folder: Path) -> tuple[Path, ...]:
        return tuple(path for path in self._others if path.absolute().parent != folder.absolute())

    def write(self, contents: Mapping[Path, bytes]) -> None:
        """Write all; when one fails, everything is as it was.

        Raises:
            OutputExists, OutputFailed: and nothing was written.
        """
        self.check()
        with contextlib.ExitStack() as undo:
            staged: dict[Path, Path] = {}
            kept: list[Path] = []
            path = next(iter(contents), self._folder)
            try:
                if self._folder is not None and not self._folder.is_dir():
                    self._folder.mkdir(mode=0o700)
                    undo.callback(_quietly, self._folder.rmdir)
                    self._folder.chmod(0o700)  # whatever the umask says
                for path, data in contents.items():
                    staged[path] = _stage(path, data, undo)
                for path in dict.fromkeys((*self._own, *contents)):
                    if self._force and os.path.lexists(path):
                        kept.append(_set_aside(path, undo))
                    if path in staged:
                        give_name(staged[path], path)
                        undo.callback(_quietly, path.unlink)
            except FileExistsError:
                raise OutputExists(operation=_OPERATION, file=path.name if path else "") from None
            except OSError as bad:
                raise OutputFailed(why(bad), operation=_OPERATION, file=path.name if path else "") from bad
            undo.pop_all()
        for leftover in (*staged.values(), *kept):
            _quietly(leftover.unlink)


def _stage(path: Path, data: bytes, undo: contextlib.ExitStack) -> Path:
    """The content under another name in the same folder."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(temporary, flags, 0o600), "wb") as stream:
        undo.callback(_quietly, temporary.unlink)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    return temporary


def _set_aside(path: Path, undo: contextlib.ExitStack) -> Path:
    old = path.with_name(f".{path.name}.{secrets.token_hex(6)}.old")
    path.rename(old)
    undo.callback(_quietly, lambda: old.rename(path))
    return old


def _quietly(action: Callable[[], object]) -> None:
    with contextlib.suppress(OSError):
        action()
