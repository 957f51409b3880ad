"""How much a document may cost."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

#: seconds of this process's own work, whatever else the machine does
SECONDS = 10.0
#: growth of the largest memory that the process ever had
MIB = 1024 * 1024
GROWTH = 400 * MIB


class TooMuch(AssertionError):
    """A document cost more time or memory than it may."""


def peak() -> int:
    """The most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def bounded(run: Callable[[bytes], str], data: bytes) -> str:
    """What ``run`` says of ``data``.

    Raises:
        TooMuch: it took too long or too much.
    """
    began, before = time.process_time(), peak()
    said = run(data)
    took, grew = time.process_time() - began, peak() - before
    if took > SECONDS or grew > GROWTH:
        raise TooMuch(f"{len(data)} bytes took {took:.1f} s and {grew // MIB} MiB")
    return said
