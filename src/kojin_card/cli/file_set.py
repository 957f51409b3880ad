"""Several results at once: all of them are written, or none."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from kojin_card.cli.files import give_name, refuse_existing, why
from kojin_card.cli.problems import OutputExists, OutputFailed
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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
        everything = [_place(path) for path in (*self._own, *self._others)]
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
        """Write all; when one fails, everything is as it was. A name that stands for a file never stands for none.

        A process that is killed may leave some names with the new content and some with the old, and leftovers beside
        them, which the next writing removes.

        Raises:
            OutputExists, OutputFailed: and nothing was written.
        """
        self.check()
        everything = tuple(dict.fromkeys((*self._own, *contents)))
        path = next(iter(contents), self._folder)
        try:
            with contextlib.ExitStack() as undo:
                try:
                    if self._folder is not None and not self._folder.is_dir():
                        undo.callback(_quietly, self._folder.rmdir)
                        self._folder.mkdir(mode=0o700)
                        self._folder.chmod(0o700)  # whatever the umask says
                    undo.callback(_sweep, everything)  # after what is registered below, before the folder goes
                    staged = {}
                    for path, data in contents.items():
                        staged[path] = _stage(path, data)
                    for path in everything:
                        if self._force and os.path.lexists(path):
                            _replace(path, staged.get(path), undo)
                        elif path in staged:
                            undo.callback(_take_back, path, staged[path])
                            give_name(staged[path], path)
                except FileExistsError:
                    raise OutputExists(operation=_OPERATION, file=path.name if path else "") from None
                except OSError as bad:
                    raise OutputFailed(why(bad), operation=_OPERATION, file=path.name if path else "") from bad
                undo.pop_all()
        finally:
            try:
                _sweep(everything)
            except BaseException:  # a Ctrl-C in the middle of cleaning up: personal data would stay behind
                _sweep(everything)
                raise


def _place(path: Path) -> str:
    """The same text for every way to write the same name; the last part may be a link, and stays one."""
    return os.path.normcase(Path(os.path.realpath(path.parent)) / path.name)


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}.{kind}")


def _stage(path: Path, data: bytes) -> Path:
    """The content under another name in the same folder."""
    temporary = _beside(path, "part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(temporary, flags, 0o600), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    return temporary


def _replace(path: Path, new: Path | None, undo: contextlib.ExitStack) -> None:
    """Put ``new`` in the place of what is there (None: nothing); the old content comes back when it is undone."""
    old = _beside(path, "old")
    undo.callback(_quietly, lambda: old.replace(path))
    try:
        os.link(path, old, follow_symlinks=False)
    except OSError:  # a file system without hard links
        path.rename(old)
    if new is not None:
        new.replace(path)
    else:
        path.unlink(missing_ok=True)


def _take_back(path: Path, staged: Path) -> None:
    """Remove ``path`` when it is what we gave that name, and not what somebody else put there."""
    with contextlib.suppress(OSError):
        if not os.path.lexists(staged) or path.samefile(staged):
            path.unlink()


def _sweep(paths: Iterable[Path]) -> None:
    """Remove what a writing left beside these names, this one or one that was killed."""
    for path in paths:
        leftover = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{12}}\.(part|old)")
        with contextlib.suppress(OSError):
            for item in path.parent.iterdir():
                if leftover.fullmatch(item.name):
                    _quietly(item.unlink)


def _quietly(action: Callable[[], object]) -> None:
    with contextlib.suppress(OSError):
        action()
