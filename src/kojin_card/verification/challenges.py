"""Challenges that a verifier gave out: each is taken back once, before anything else about its proof is looked at.

What this refuses is *replay*: a proof that was used, or that answers no challenge of ours. *Relay*, a person in the
middle who passes our challenge to somebody else's card in time, is only narrowed, by audience, purpose and a short
life. And the serial number of the certificate in a proof is evidence of what was judged, not an id of a user: it
changes with every renewal (jpki.md §3, §4).
"""

from __future__ import annotations

import contextlib
import heapq
import os
import sqlite3
import threading
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kojin_card.authn import MAX_LIFETIME, Challenge
from kojin_card.errors import DecodeError, InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PENDING = 100_000
_BUSY_SECONDS = 10.0
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS challenge (nonce BLOB PRIMARY KEY, body TEXT, expires INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS challenge_expires ON challenge (expires)",
    "CREATE TABLE IF NOT EXISTS tally (pending INTEGER NOT NULL)",
    "CREATE TRIGGER IF NOT EXISTS given AFTER INSERT ON challenge WHEN NEW.body IS NOT NULL"
    " BEGIN UPDATE tally SET pending = pending + 1; END",
    "CREATE TRIGGER IF NOT EXISTS taken AFTER UPDATE OF body ON challenge"
    " WHEN OLD.body IS NOT NULL AND NEW.body IS NULL BEGIN UPDATE tally SET pending = pending - 1; END",
    "CREATE TRIGGER IF NOT EXISTS forgotten AFTER DELETE ON challenge WHEN OLD.body IS NOT NULL"
    " BEGIN UPDATE tally SET pending = pending - 1; END",
)


class ChallengeStore(Protocol):
    """Where challenges wait for their proofs. Implementations must be atomic across all threads and processes."""

    def add(self, challenge: Challenge) -> None:
        """Keep a challenge that was given out.

        Raises:
            UsageError: its nonce was given out before.
        """
        ...

    def consume(self, nonce: bytes, now: datetime) -> Challenge | None:
        """Take a challenge back: it is returned to exactly one caller, ever (even when it has expired by now).

        None when no such challenge was given out, or somebody was faster.
        """
        ...

    def was_used(self, nonce: bytes) -> bool:
        """Whether that challenge was taken back before; only to tell a replay from an invention in words."""
        ...


class MemoryChallengeStore:
    """A :class:`ChallengeStore` of one process. What has expired an hour ago is forgotten when something is added.

    Adding costs the logarithm of what is kept. Of used nonces at most ``max_pending`` are remembered, the latest.
    """

    def __init__(self, *, max_pending: int = MAX_PENDING) -> None:
        self._max_pending = max_pending
        self._pending: dict[bytes, Challenge] = {}
        self._used: OrderedDict[bytes, None] = OrderedDict()
        self._by_expiry: list[tuple[datetime, bytes]] = []  # a heap of both
        self._lock = threading.Lock()

    def add(self, challenge: Challenge) -> None:
        """See :meth:`ChallengeStore.add`.

        Raises:
            UsageError: the nonce was given out before, or too many challenges wait.
        """
        with self._lock:
            limit = _forgotten_before(challenge.issued_at)
            while self._by_expiry and self._by_expiry[0][0] < limit:
                _, nonce = heapq.heappop(self._by_expiry)
                self._pending.pop(nonce, None)
                self._used.pop(nonce, None)
            if challenge.nonce in self._pending or challenge.nonce in self._used:
                raise UsageError("a nonce is given out once", operation="keep a challenge")
            if len(self._pending) >= self._max_pending:
                raise UsageError("too many challenges wait for their proofs", operation="keep a challenge")
            self._pending[challenge.nonce] = challenge
            heapq.heappush(self._by_expiry, (challenge.expires_at, challenge.nonce))

    def consume(self, nonce: bytes, now: datetime) -> Challenge | None:
        """See :meth:`ChallengeStore.consume`."""
        del now  # an expired challenge is returned too: it is for the verdict to say so
        with self._lock:
            challenge = self._pending.pop(nonce, None)
            if challenge is not None:
                self._used[nonce] = None
                if len(self._used) > self._max_pending:
                    self._used.popitem(last=False)
            return challenge

    def was_used(self, nonce: bytes) -> bool:
        """See :meth:`ChallengeStore.was_used`."""
        with self._lock:
            return nonce in self._used


class SqliteChallengeStore:
    """A :class:`ChallengeStore` in one file (mode 0600), for several processes and threads of one machine.

    The file must be on a local disk: network file systems do not keep SQLite's locks. What has expired an hour ago is
    forgotten when something is added, by an index; how many wait is counted by triggers, so that no call looks at all.
    """

    def __init__(self, path: Path | str, *, max_pending: int = MAX_PENDING) -> None:
        """Open the file, or make it.

        Args:
            max_pending: how many challenges may wait for their proofs.

        Raises:
            InputError: it cannot be opened, or is something else.
        """
        self.path = Path(path)
        self._max_pending = max_pending
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as bad:
            raise InputError("the challenge store cannot be opened", file=self.path.name) from bad
        with self._transaction() as database:
            for statement in _SCHEMA:
                database.execute(statement)
            if database.execute("SELECT 1 FROM tally").fetchone() is None:  # new, or of the time before there was one
                database.execute("INSERT INTO tally SELECT COUNT(*) FROM challenge WHERE body IS NOT NULL")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One write transaction on a connection of its own, so that threads and forked processes share nothing."""
        try:
            database = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
            try:
                database.execute("PRAGMA synchronous = FULL")
                database.execute("BEGIN IMMEDIATE")
                try:
                    yield database
                except BaseException:
                    database.execute("ROLLBACK")
                    raise
                database.execute("COMMIT")
            finally:
                database.close()
        except sqlite3.Error as bad:
            raise InputError("the challenge store cannot be used", file=self.path.name) from bad

    def add(self, challenge: Challenge) -> None:
        """See :meth:`ChallengeStore.add`.

        Raises:
            UsageError: the nonce was given out before, or too many challenges wait.
            InputError: the file cannot be used.
        """
        expires = int(challenge.expires_at.timestamp())
        with self._transaction() as database:
            _purge(database, challenge.issued_at)
            waiting = database.execute("SELECT pending FROM tally").fetchone()
            full = waiting is None or waiting[0] >= self._max_pending
            row = (challenge.nonce, challenge.to_json(), expires)
            insert = "INSERT OR IGNORE INTO challenge VALUES (?, ?, ?)"
            done = 0 if full else database.execute(insert, row).rowcount
        if full:
            raise UsageError("too many challenges wait for their proofs", operation="keep a challenge")
        if done != 1:
            raise UsageError("a nonce is given out once", operation="keep a challenge")

    def consume(self, nonce: bytes, now: datetime) -> Challenge | None:
        """See :meth:`ChallengeStore.consume`.

        Raises:
            InputError: the file cannot be used, or somebody wrote something else into it.
        """
        del now
        with self._transaction() as database:
            row = database.execute(
                "SELECT body FROM challenge WHERE nonce = ? AND body IS NOT NULL", (nonce,)
            ).fetchone()
            if row is None:
                return None
            database.execute("UPDATE challenge SET body = NULL WHERE nonce = ?", (nonce,))
        with contextlib.suppress(DecodeError, TypeError):  # TypeError: somebody stored a number
            return Challenge.from_json(row[0])
        raise InputError("the challenge store is damaged", file=self.path.name)

    def was_used(self, nonce: bytes) -> bool:
        """See :meth:`ChallengeStore.was_used`.

        Raises:
            InputError: the file cannot be used.
        """
        with self._transaction() as database:
            query = "SELECT 1 FROM challenge WHERE nonce = ? AND body IS NULL"
            return database.execute(query, (nonce,)).fetchone() is not None

    def purge(self, now: datetime) -> int:
        """Forget what expired more than an hour before ``now``; how many were forgotten. :meth:`add` does it too.

        Raises:
            InputError: the file cannot be used.
        """
        with self._transaction() as database:
            return _purge(database, now)


def _forgotten_before(now: datetime) -> datetime:
    """What expired before that is forgotten at ``now``.

    Raises:
        UsageError: no zone, or out of range.
    """
    moment: datetime | None = None
    if now.utcoffset() is not None:
        with contextlib.suppress(OverflowError):
            moment = now.astimezone(UTC) - MAX_LIFETIME
    if moment is None:
        raise UsageError("a time needs its zone and a possible year", operation="keep a challenge")
    return moment


def _purge(database: sqlite3.Connection, now: datetime) -> int:
    limit = int(_forgotten_before(now).timestamp())
    return database.execute("DELETE FROM challenge WHERE expires < ?", (limit,)).rowcount
