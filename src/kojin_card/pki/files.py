"""Reading and writing of small PKI files: bounded reads, private atomic writes, DER out of PEM."""

from __future__ import annotations

import base64
import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kojin_card.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLANKS = b" \t\r\n\x0b\x0c"
#: the most that a PEM block may hold, unless the caller says less
MAX_PEM_BYTES = 128 * 1024 * 1024


def read_bounded(path: Path, limit: int) -> bytes:
    """The whole file. A pipe or a device is no file: opening one must not wait for whoever holds its other end.

    Raises:
        InputError: it cannot be read, is no regular file, or is larger than ``limit`` bytes.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(handle, "rb") as stream:
            regular = stat.S_ISREG(os.fstat(handle).st_mode)
            data = stream.read(limit + 1) if regular else b""
    except (OSError, ValueError) as bad:
        raise InputError("the file cannot be read", file=path.name) from bad
    if not regular:
        raise InputError("not a regular file", file=path.name)
    if len(data) > limit:
        raise InputError(f"the file is larger than {limit} bytes", file=path.name)
    return data


def write_private(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` with mode 0600, at once or not at all (synced, then renamed).

    Raises:
        InputError: the folder cannot be written.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")  # mkstemp makes it 0600
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except OSError as bad:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise InputError("the file cannot be written", file=path.name) from bad


def to_der(data: bytes, label: str, *, limit: int = MAX_PEM_BYTES) -> bytes:
    """``data`` itself, or what its one PEM block called ``label`` holds. Takes time in proportion to the size.

    Args:
        limit: how many bytes the block may hold.

    Raises:
        InputError: it begins like PEM and is not exactly one block of that kind, or holds more than ``limit`` bytes.
    """
    text = data.strip()
    if not text.startswith(b"-----BEGIN "):
        return data
    if len(text) > 2 * limit + 1024:
        raise InputError("a PEM block that is too large")
    begin, end = f"-----BEGIN {label}-----".encode("ascii"), f"-----END {label}-----".encode("ascii")
    inside = text[len(begin) : -len(end)]
    if not (text.startswith(begin) and text.endswith(end)) or not inside[:1].isspace() or inside.isspace():
        raise InputError(f"not one PEM block of kind {label}")
    decoded: bytes | None = None
    with contextlib.suppress(ValueError):  # raised outside of its handling, so that no chain holds what was read
        decoded = base64.b64decode(inside.translate(None, _BLANKS), validate=True)
    if decoded is None:
        raise InputError("a PEM block that is not base64")
    if len(decoded) > limit:
        raise InputError("a PEM block that is too large")
    return decoded


@contextlib.contextmanager
def exclusively(path: Path) -> Iterator[None]:
    """Hold the lock file at ``path`` (made when it is not there), waiting for whoever holds it.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as bad:
        raise InputError("the file cannot be written", file=path.name) from bad
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
