"""The card file on disk: locked while open, replaced as a whole, synced before an answer leaves (ARCHITECTURE §8).

A new version is written beside the file, synced, and renamed over it; the folder is synced too. So the file is always
one whole version, wherever the process is killed. The lock (``flock``) is on the file itself: the new version is locked
*before* it takes the name, so that the name never stands for an unlocked file while the card is open. Whoever waits
gets the lock of the version that he had opened, sees that the name stands for another, and opens again.

A spent try comes back when an older version is left under another name. So a file of several names (hard links) is not
opened, and nothing is written, nor a counter told, unless the one name still stands for the locked file: whoever
renames it, links it or puts another in its place has taken the card away. A copy made while it was closed is another
card.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kojin_card.errors import CardFileBusy, CardRemoved, InputError
from kojin_card.simulator import cardformat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kojin_card.simulator.state import CardState
    from kojin_card.spec.model import CardSpec

_MODE = 0o600
_POLL_SECONDS = 0.02
_SILENT_SECONDS = 0.5  # assumption: what a person waits without wondering
_PARTIAL = ".partial"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_OPEN = "open card file"
_CREATE = "create card file"


class CardFile:
    """A card file that is open, as the card's :class:`~.memory.Memory`.

    Raises:
        InputError: no such file, not a card file, damaged.
        CardFileBusy: another process held it for all of ``wait_seconds``; ``waiting`` is called once should that not be
            over in a moment.
    """

    def __init__(
        self, path: Path, spec: CardSpec, *, wait_seconds: float, waiting: Callable[[], None] | None = None
    ) -> None:
        # The file itself, should the name be a symbolic link: renaming over the link would leave its target behind.
        self._path = _real(path)
        self._name = path.name
        self._owner = os.getpid()
        self._fd: int | None = self._lock(wait_seconds, waiting)
        try:
            self._sweep()
            if os.fstat(self._fd).st_nlink != 1:
                words = "the file has several names (hard links): a card has one; copy it, and delete the others"
                raise InputError(words, operation=_OPEN, file=self._name)
            self._state = cardformat.load(_read(self._fd, self._name), spec, self._name)
        except BaseException:
            self.close()
            raise

    @property
    def state(self) -> CardState:
        return self._state

    def require_present(self) -> None:
        """Refuse when the card is no longer here.

        Raises:
            CardRemoved: this is a forked process: the card stays with the one that opened it.
            OSError: it was closed, or its name no longer stands for the locked file, or it has got another name.
        """
        if os.getpid() != self._owner:
            raise CardRemoved("the software card belongs to the process that opened it", operation="transmit")
        if self._fd is None:
            raise OSError("the card file is closed")
        if not _same(self._fd, self._path) or os.fstat(self._fd).st_nlink != 1:
            raise OSError("the card file was taken away: renamed, linked, removed or replaced")

    def commit(self, state: CardState) -> None:
        """Write ``state`` and return when it is on the disk.

        Raises:
            OSError: it could not be written, and the file is what it was before; or it was, but the folder could not be
                synced, so that nobody knows which version a power cut would leave; or the card is closed, or its file
                was taken away.
            CardRemoved: this is a forked process.
        """
        self.require_present()
        if self._fd is None:
            raise OSError("the card file is closed")
        new, partial = _write_partial(self._path, cardformat.dump(state))
        try:
            self.require_present()  # again, as late as can be: what took the card's place is not overwritten
            partial.rename(self._path)
        finally:
            if renamed := _same(new, self._path):
                # The name stands for the new version, which is locked: the old one may go. This is asked of the disk
                # because a signal can end the line above just after it has done its work.
                old, self._fd, self._state = self._fd, new, state
                os.close(old)
            else:
                partial.unlink(missing_ok=True)
                os.close(new)
        if not renamed:
            raise OSError("somebody else put another file in the card's place")
        _sync_folder(self._path.parent)

    def close(self) -> None:
        """Unlock. Everything was written long ago. (A forked process lets go of nothing but its own handle.)"""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _lock(self, wait_seconds: float, waiting: Callable[[], None] | None) -> int:
        began = time.monotonic()
        while True:
            fd = _open(self._path, self._name)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same(fd, self._path):
                    return fd
                os.close(fd)  # replaced while we looked: try the new version
                continue
            except BlockingIOError:
                os.close(fd)
            except BaseException:
                os.close(fd)
                raise
            waited = time.monotonic() - began
            if waited >= wait_seconds:
                raise CardFileBusy("another process has this card open", operation=_OPEN, file=self._name)
            if waiting is not None and waited >= _SILENT_SECONDS:
                waiting()
                waiting = None
            time.sleep(_POLL_SECONDS)

    def _sweep(self) -> None:
        """Remove what a killed process left half written. What somebody is writing right now is locked, and stays.

        Killed while it made the card, it left the card itself under a second name: that one goes too.
        """
        prefix = f".{self._path.name}."
        with contextlib.suppress(OSError):
            for item in self._path.parent.iterdir():
                if item.name.startswith(prefix) and item.name.endswith(_PARTIAL):
                    if self._fd is not None and _same(self._fd, item):
                        item.unlink()
                    else:
                        _remove_unlocked(item)


def look_at_card_file(path: Path, spec: CardSpec) -> CardState:
    """What a card is now, also while somebody has it open: a look, with no lock and for no use of the card.

    The name always stands for one whole version, written before the answer that it is about left.

    Raises:
        InputError: no such file, not a card file, damaged.
    """
    fd = _open(path, path.name)
    try:
        return cardformat.load(_read(fd, path.name), spec, path.name)
    finally:
        os.close(fd)


def create_card_file(path: Path, state: CardState, spec: CardSpec, *, replace: bool = False) -> None:
    """Write a new card file of mode 0600; there is never a half-written one under that name.

    Args:
        replace: take the place of a regular file (or of a link to one) of that name, at once or not at all.

    Raises:
        InputError: there is already something of that name, or it cannot be written there.
        CardFileBusy: what is to be replaced is a card that somebody has open.
    """
    cardformat.load(cardformat.dump(state), spec, path.name)  # never write what could not be opened again
    try:
        path = path.parent.resolve(strict=True) / path.name
        taken = path.is_symlink() or path.exists()
        if taken and not replace:
            raise FileExistsError
        with _held(path) if taken else contextlib.nullcontext():
            fd, partial = _write_partial(path, cardformat.dump(state))
            try:
                if taken:
                    partial.rename(path)
                else:
                    os.link(partial, path, follow_symlinks=False)
            finally:
                partial.unlink(missing_ok=True)
                os.close(fd)
        _sync_folder(path.parent)
    except FileExistsError:
        raise InputError("a file of that name exists already", operation=_CREATE, file=path.name) from None
    except (OSError, ValueError) as bad:
        reason = bad.strerror if isinstance(bad, OSError) else None
        raise InputError(reason or "not a usable name", operation=_CREATE, file=path.name) from None


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Lock what stands under that name, so that no card that is in use is replaced.

    Raises:
        InputError: it cannot be opened, or is no regular file. CardFileBusy: somebody has it open.
    """
    fd = _open(path, path.name)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise CardFileBusy("another process has this card open", operation=_CREATE, file=path.name) from None
    finally:
        os.close(fd)


def _real(path: Path) -> Path:
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):
        raise InputError("not a usable name", operation=_OPEN, file=path.name) from None


def _open(path: Path, name: str) -> int:
    """Open the file; a device, a pipe or a folder is no card.

    Raises:
        InputError: as it says.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as bad:
        reason = bad.strerror if isinstance(bad, OSError) else None
        raise InputError(reason or "not a usable name", operation=_OPEN, file=name) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise InputError("not a regular file", operation=_OPEN, file=name)
    return fd


def _same(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except OSError:
        return False


def _read(fd: int, name: str) -> bytes:
    """All of the file, at most one byte more than a card file may have."""
    parts: list[bytes] = []
    left = cardformat.MAX_SIZE + 1
    try:
        while left > 0 and (part := os.read(fd, min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
    except OSError as bad:
        raise InputError(bad.strerror or "unreadable", operation=_OPEN, file=name) from None
    return b"".join(parts)


def _write_partial(path: Path, text: bytes) -> tuple[int, Path]:
    """A new file beside ``path`` with ``text`` in it: locked, synced, still open."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}{_PARTIAL}")
    fd = os.open(partial, _NEW, _MODE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        rest = memoryview(text)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fsync(fd)
    except BaseException:
        partial.unlink(missing_ok=True)
        os.close(fd)
        raise
    return fd, partial


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _remove_unlocked(item: Path) -> None:
    """Remove a leftover unless its writer is alive.

    Who is creating a card and has not come to the lock yet loses the file to us and fails, as he would have anyway: the
    name is taken.
    """
    fd = os.open(item, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            item.unlink(missing_ok=True)
    finally:
        os.close(fd)
