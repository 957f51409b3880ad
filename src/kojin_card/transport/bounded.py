"""Calls that may hang, made on a thread of their own and waited for with a limit.

A call to PC/SC does not return while another program holds the card, or while a card says nothing (pcsc.md P9), and
nothing interrupts it there. Here the caller waits instead, and a signal or a flag ends the waiting.
"""

from __future__ import annotations

import sys
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.transport.base import CancelFlag

_LOOK_EVERY = 0.1
_Job = tuple["Callable[..., Any]", tuple[Any, ...], "SimpleQueue[tuple[bool, Any]]"]


class CallTimedOut(Exception):
    """The call did not come back in time; it may still be running."""


class CallCancelled(Exception):
    """The flag was set; the call may still be running."""


class CallFailed(Exception):
    """The call raised something. Only its kind is kept: its words and its frames may hold a command."""


class BoundedCalls:
    """One call at a time, in order."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def call(
        self, function: Callable[..., Any], *arguments: Any, seconds: float, cancel: CancelFlag | None = None
    ) -> Any:
        """What ``function(*arguments)`` returns.

        Raises:
            CallTimedOut: not within ``seconds``. CallCancelled: ``cancel`` was set. CallFailed: it raised.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._jobs,), name="kojin-card pcsc", daemon=True)
            self._thread.start()
        box: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
        self._jobs.put((function, arguments, box))
        deadline = time.monotonic() + seconds
        whole = cancel is None and sys.platform != "win32"  # there Ctrl-C does not end a wait for a lock
        while True:
            left = max(0.0, deadline - time.monotonic())
            try:
                went_well, outcome = box.get(timeout=left if whole else min(left, _LOOK_EVERY))
            except Empty:
                if cancel is not None and cancel.is_set():
                    raise CallCancelled from None
                if left == 0:
                    raise CallTimedOut from None
                continue
            if not went_well:
                raise CallFailed(outcome)
            return outcome

    def afterwards(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Make this call when those before have come back; nobody waits for it, and nobody hears how it went."""
        self._jobs.put((function, arguments, SimpleQueue()))

    def close(self) -> None:
        """Let the thread end when its last call comes back."""
        self._jobs.put(None)
        self._thread = None


def _work(jobs: SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        function, arguments, box = job
        try:
            box.put((True, function(*arguments)))
        except BaseException as bad:  # told to the caller, who is in another thread
            box.put((False, type(bad).__name__))
        del job, function, arguments, box  # they may hold a secret, and the next job may be long in coming
