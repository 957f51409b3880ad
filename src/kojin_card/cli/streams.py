"""The process's standard streams when they are closed, full, or nobody reads them."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys


class _Closed(io.RawIOBase):
    """A stream that is not there: whatever is written fails (or, for talk, is dropped)."""

    def __init__(self, *, drop: bool) -> None:
        super().__init__()
        self._drop = drop

    def writable(self) -> bool:
        """So that a text stream can be put around it."""
        return True

    def write(self, data: object, /) -> int:
        """Fail as a closed descriptor does."""
        if self._drop:
            return memoryview(data).nbytes  # type: ignore[arg-type]  # a text stream writes buffers only
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def prepare() -> None:
    """Put something in the place of streams that were closed before the program began (``>&-``): an answer that
    nobody can receive is an error, talk that nobody hears is not. And let no library speak on stderr: what its log
    says may quote a document."""
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(_Closed(drop=False), "utf-8", write_through=True)
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(_Closed(drop=True), "utf-8", write_through=True)
    root = logging.getLogger()
    if not root.handlers:  # with none at all Python writes warnings to stderr by itself
        root.addHandler(logging.NullHandler())


def give_up_stdout() -> None:
    """Nothing more can be said there: no complaint from the interpreter at exit, when it empties its buffers."""
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, sys.stdout.fileno())
        os.close(quiet)
    except (OSError, ValueError):
        pass
