"""Challenge stores: one challenge, one proof, whoever asks and however many ask at once."""

from __future__ import annotations

import dataclasses
import multiprocessing
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kojin_card.authn import Challenge
from kojin_card.errors import InputError, UsageError
from kojin_card.verification import ChallengeStore, MemoryChallengeStore, SqliteChallengeStore

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
Maker = Callable[[Path], ChallengeStore]


def challenge(seed: int = 1, now: datetime = NOW) -> Challenge:
    return Challenge.new("https://bank.example", "ログイン", now=now, random=lambda n: bytes([seed]) * n)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ChallengeStore:
    return MemoryChallengeStore() if request.param == "memory" else SqliteChallengeStore(tmp_path / "store.db")


def test_taken_back_once(store: ChallengeStore) -> None:
    given = challenge()
    store.add(given)
    assert not store.was_used(given.nonce)
    assert store.consume(given.nonce, NOW) == given
    assert store.consume(given.nonce, NOW) is None
    assert store.was_used(given.nonce)


def test_what_was_not_given_out(store: ChallengeStore) -> None:
    assert store.consume(b"x" * 32, NOW) is None
    assert not store.was_used(b"x" * 32)


def test_a_nonce_is_given_out_once_even_after_it_was_used(store: ChallengeStore) -> None:
    store.add(challenge())
    with pytest.raises(UsageError):
        store.add(challenge())
    store.consume(challenge().nonce, NOW)
    with pytest.raises(UsageError):
        store.add(challenge())


def test_an_expired_one_is_still_returned_once_for_the_verdict_to_say(store: ChallengeStore) -> None:
    store.add(challenge())
    late = NOW + timedelta(minutes=30)
    assert store.consume(challenge().nonce, late) == challenge()
    assert store.consume(challenge().nonce, late) is None


def test_what_expired_long_ago_is_forgotten(store: ChallengeStore) -> None:
    store.add(challenge())
    store.add(challenge(2, NOW + timedelta(hours=3)))
    assert store.consume(challenge().nonce, NOW) is None
    assert store.consume(challenge(2).nonce, NOW) is not None


def test_many_threads_one_winner(store: ChallengeStore) -> None:
    store.add(challenge())
    with ThreadPoolExecutor(8) as pool:
        won = [got for got in pool.map(lambda _: store.consume(challenge().nonce, NOW), range(40)) if got]
    assert len(won) == 1


def _take(path: str, barrier: object) -> bool:
    barrier.wait()  # type: ignore[attr-defined]
    return SqliteChallengeStore(path).consume(challenge().nonce, NOW) is not None


def _worker(path: str, barrier: object, results: object) -> None:
    results.put(_take(path, barrier))  # type: ignore[attr-defined]


def test_several_processes_one_winner(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    SqliteChallengeStore(path).add(challenge())
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(4), context.Queue()
    workers = [context.Process(target=_worker, args=(str(path), barrier, results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    outcome = [results.get(timeout=30) for _ in workers]
    for worker in workers:
        worker.join()
    assert sum(outcome) == 1


def test_the_file_is_private_and_survives(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    SqliteChallengeStore(path).add(challenge())
    assert path.stat().st_mode & 0o777 == 0o600
    again = SqliteChallengeStore(path)
    assert again.purge(NOW) == 0
    assert again.consume(challenge().nonce, NOW) == challenge()
    assert again.purge(NOW + timedelta(hours=2)) == 1


def test_a_file_that_is_something_else(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(InputError):
        SqliteChallengeStore(path)
    with pytest.raises(InputError):
        SqliteChallengeStore(tmp_path / "no" / "folder.db")


def test_a_damaged_row_is_an_error_and_the_challenge_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteChallengeStore(path)
    store.add(challenge())
    database = sqlite3.connect(path)
    with database:
        database.execute("UPDATE challenge SET body = '{}'")
    database.close()
    with pytest.raises(InputError):
        store.consume(challenge().nonce, NOW)
    assert store.consume(challenge().nonce, NOW) is None


def test_memory_is_bounded() -> None:
    store = MemoryChallengeStore(max_pending=2)
    store.add(challenge(1))
    store.add(challenge(2))
    with pytest.raises(UsageError, match="too many"):
        store.add(challenge(3))
    store.consume(challenge(1).nonce, NOW)
    store.add(challenge(3))
    assert dataclasses.replace(challenge(3)) == challenge(3)


# --- many -------------------------------------------------------------------------------------------------------------


def numbered(number: int, now: datetime = NOW) -> Challenge:
    return Challenge.new("https://bank.example", "x", now=now, random=lambda n: number.to_bytes(n, "big"))


@pytest.mark.timeout(60)
def test_adding_does_not_look_at_everything() -> None:
    """It did: a hundred thousand adds took minutes."""
    store = MemoryChallengeStore(max_pending=30_000)
    for number in range(30_000):
        store.add(numbered(number, NOW + timedelta(seconds=number // 30)))
    with pytest.raises(UsageError, match="too many"):
        store.add(numbered(30_000))
    store.add(numbered(30_001, NOW + timedelta(hours=5)))  # all others are forgotten by then
    assert store.consume(numbered(0).nonce, NOW) is None


def test_used_nonces_are_bounded_too() -> None:
    store = MemoryChallengeStore(max_pending=2)
    for number in range(5):
        store.add(numbered(number))
        assert store.consume(numbered(number).nonce, NOW) is not None
    assert [store.was_used(numbered(number).nonce) for number in range(5)] == [False] * 3 + [True] * 2
    assert all(store.consume(numbered(number).nonce, NOW) is None for number in range(5))


def test_a_file_is_bounded_too(tmp_path: Path) -> None:
    store = SqliteChallengeStore(tmp_path / "store.db", max_pending=2)
    store.add(numbered(1))
    store.add(numbered(2))
    with pytest.raises(UsageError, match="too many"):
        SqliteChallengeStore(store.path, max_pending=2).add(numbered(3))
    with pytest.raises(UsageError):
        store.add(numbered(2))
    assert store.consume(numbered(1).nonce, NOW) is not None
    assert store.consume(numbered(1).nonce, NOW) is None
    store.add(numbered(3))
    with pytest.raises(UsageError, match="too many"):
        store.add(numbered(4))
    store.add(numbered(5, NOW + timedelta(hours=5)))
    store.add(numbered(6, NOW + timedelta(hours=5)))
    with pytest.raises(UsageError, match="too many"):
        store.add(numbered(7, NOW + timedelta(hours=5)))


def test_no_statement_looks_at_the_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteChallengeStore(tmp_path / "store.db")
    store.add(numbered(1))
    said: list[str] = []
    connect = sqlite3.connect

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database: sqlite3.Connection = connect(*arguments, **options)
        database.set_trace_callback(said.append)
        return database

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", traced)
        SqliteChallengeStore(store.path)
        store.add(numbered(2))
        store.consume(numbered(2).nonce, NOW)
        store.was_used(numbered(2).nonce)
        store.purge(NOW)
    looked = [one for one in said if one.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")]
    assert len(looked) >= 8
    database = connect(store.path)
    for statement in looked:
        for step in database.execute(f"EXPLAIN QUERY PLAN {statement}"):
            assert not step[3].startswith("SCAN") or step[3] == "SCAN tally", (statement, step[3])
    database.close()


def test_a_file_from_before_there_was_a_count(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    database = sqlite3.connect(path)
    with database:
        database.execute(
            "CREATE TABLE challenge (nonce BLOB PRIMARY KEY, body TEXT, expires INTEGER NOT NULL) WITHOUT ROWID"
        )
        for number in (1, 2):
            given = numbered(number)
            row = (given.nonce, given.to_json(), int(given.expires_at.timestamp()))
            database.execute("INSERT INTO challenge VALUES (?, ?, ?)", row)
    database.close()
    store = SqliteChallengeStore(path, max_pending=3)
    store.add(numbered(3))
    with pytest.raises(UsageError, match="too many"):
        store.add(numbered(4))
    assert store.consume(numbered(1).nonce, NOW) == numbered(1)
