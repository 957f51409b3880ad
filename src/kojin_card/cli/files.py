"""Reading what people name and writing what they asked for: bounded, atomic, nothing overwritten by accident."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from kojin_card.cli.problems import OutputExists, OutputFailed
from kojin_card.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

if TYPE_CHECKING:
    from collections.abc import Iterator

#: what a document may have at most; signing and verification have limits of their own
MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
MAX_SMALL_BYTES = 1024 * 1024


def read_input(name: str, limit: int = MAX_DOCUMENT_BYTES) -> bytes:
    """The bytes of a file, or of standard input for ``-``.

    Raises:
        InputError: it cannot be read, or has more than ``limit`` bytes.
    """
    try:
        if name == "-":
            data = standard_input().read(limit + 1)
        else:
            with Path(name).open("rb") as stream:
                if not _is_file_or_pipe(os.fstat(stream.fileno()).st_mode):
                    raise InputError("neither a regular file nor a pipe", operation="read a file", file=Path(name).name)
                data = stream.read(limit + 1)
    except (OSError, ValueError) as bad:
        raise InputError(why(bad), operation="read a file", file=Path(name).name) from bad
    if len(data) > limit:
        raise InputError(f"larger than {limit} bytes", operation="read a file", file=Path(name).name)
    return data


def attached(texts: Iterable[str]) -> dict[str, str]:
    """``NAME=FILE`` of options: what a file is called where it is referred to -> where it is.

    Raises:
        UsageError: one without a name or a file, or a name that is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not equals or not name or not file:
            raise UsageError("an attachment is given as NAME=FILE", operation="--attach")
        if name in found:
            raise UsageError("an attachment is given twice", operation="--attach")
        found[name] = file
    return found


def check_input(name: str) -> None:
    """Without opening it: what :func:`read_input` would refuse by its name alone.

    Raises:
        InputError: it is not there, or neither a regular file nor a pipe.
    """
    try:
        mode = Path(name).stat().st_mode
    except (OSError, ValueError) as bad:
        raise InputError(why(bad), operation="read a file", file=Path(name).name) from bad
    if not _is_file_or_pipe(mode):
        raise InputError("neither a regular file nor a pipe", operation="read a file", file=Path(name).name)


def standard_input() -> BinaryIO:
    """Standard input as bytes.

    Raises:
        InputError: it is closed.
    """
    if sys.stdin is None:
        raise InputError("standard input is closed", operation="read standard input")
    return sys.stdin.buffer


def _is_file_or_pipe(mode: int) -> bool:
    """Devices never end; a pipe is what ``<(command)`` of a shell gives, and is read up to the limit like a file."""
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode)


def refuse_existing(path: Path, *, force: bool) -> None:
    """Before any work is done (and any PIN try is spent): the output must not be there, and its folder must.

    Raises:
        OutputExists: it is there and ``force`` was not given.
        OutputFailed: there is no such folder, a folder has that name, the folder is protected, or what is there is no
            file (a device, a pipe, a socket, a link to one of them or to nothing): those are never replaced.
    """
    operation = "write a file"
    if "\0" in str(path):
        raise OutputFailed("it cannot be used", operation=operation, file=path.name)
    try:
        if path.is_dir() or not path.parent.is_dir():
            raise OutputFailed("no such folder, or the name of one", operation=operation, file=path.name)
        if os.path.lexists(path):
            if not path.is_file():
                raise OutputFailed(
                    "what is not an ordinary file is never replaced", operation=operation, file=path.name
                )
            if not force:
                raise OutputExists(operation=operation, file=path.name)
        if not os.access(path.parent, os.W_OK):
            raise OutputFailed("the folder cannot be written", operation=operation, file=path.name)
    except (OSError, ValueError) as bad:
        raise OutputFailed(why(bad), operation=operation, file=path.name) from bad


def refuse_same(output: str | None, *inputs: str | Path | None, operation: str) -> None:
    """Refuse to write the result over what it is made of, whatever ``--force`` says; ``-`` and None are no files.

    Raises:
        UsageError: ``output`` is one of the ``inputs``, by whatever name.
    """
    for name in inputs:
        if output in (None, "-") or name is None or str(name) == "-":
            continue
        with contextlib.suppress(OSError, ValueError):  # one that is not there is not the other
            if Path(name).samefile(output):
                raise UsageError("IN and OUT are the same file", operation=operation)


def write_output(path: Path, data: bytes, *, force: bool, private: bool = False) -> None:
    """Write ``data`` at once or not at all.

    Args:
        force: replace a file that is there (of a link to a file the link, not what it points at).
        private: mode 0600, whatever the umask says.

    Raises:
        OutputExists: it is there (also when it appeared meanwhile) and ``force`` was not given.
        OutputFailed: it cannot be written.
    """
    with output_stream(path, force=force, private=private) as stream:
        stream.write(data)


@contextlib.contextmanager
def output_stream(path: Path, *, force: bool, private: bool = False) -> Iterator[BinaryIO]:
    """A file that is written piece by piece and gets its name when the block ends well; else nothing is left of it.

    Arguments and errors as :func:`write_output`.
    """
    refuse_existing(path, force=force)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(temporary, flags, 0o600 if private else 0o666), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if force:
            temporary.replace(path)
        else:
            give_name(temporary, path)
    except FileExistsError:
        raise OutputExists(operation="write a file", file=path.name) from None
    except OSError as bad:
        raise OutputFailed(why(bad), operation="write a file", file=path.name) from bad
    finally:
        temporary.unlink(missing_ok=True)


def give_name(temporary: Path, path: Path) -> None:
    """Give the finished file its name unless the name is taken (a rename would replace it)."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(path.name) from None
        temporary.replace(path)


def why(bad: Exception) -> str:
    """What the system says of a file that failed."""
    if isinstance(bad, FileNotFoundError):
        return "no such file"
    return os.strerror(bad.errno) if isinstance(bad, OSError) and bad.errno else "it cannot be used"
