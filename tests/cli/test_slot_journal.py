"""The journal of a batch: on the disk before the card, whole after any cut, of one table and one process."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kojin_card.cli.counter.journal import SCHEMA, Journal, journal_of
from kojin_card.errors import InputError, UsageError

ABOUT = {"service": "facility", "owner": "municipality:13101"}
AID = bytes(range(14))


def test_it_carries_on_where_it_stopped(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "members.csv")
    assert path.name == "members.csv.journal"
    with Journal(path, ABOUT) as journal:
        journal.choose("a.json", AID)
        journal.choose("b.json", AID[::-1])
        journal.finish("a.json")
        journal.fail("b.json", "no_room")
        assert journal.done == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with Journal(path, ABOUT) as again:
        assert (again.done, again.is_done("a.json"), again.is_done("b.json")) == (1, True, False)
        assert again.chosen("b.json") == AID[::-1]
        assert again.chosen("c.json") is None
    lines = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert lines[0] == {"schema": SCHEMA, **ABOUT}
    assert [line["state"] for line in lines[1:]] == ["chosen", "chosen", "done", "failed"]


def test_the_choice_is_on_the_disk_before_the_card_hears_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    path = tmp_path / "x.journal"
    fsync = os.fsync

    def noted(file: int) -> None:
        fsync(file)
        synced.append(path.read_bytes())

    monkeypatch.setattr(os, "fsync", noted)
    with Journal(path, ABOUT) as journal:
        journal.choose("a.json", AID)
        assert AID.hex().upper().encode() in synced[-1]


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_a_line_that_was_cut_off_goes(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.journal"
    with Journal(path, ABOUT) as journal:
        journal.choose("a.json", AID)
        journal.finish("a.json")
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path, ABOUT) as again:
        assert not again.is_done("a.json")
        assert again.chosen("a.json") == (AID if cut <= len('{"card": "a.json", "state": "done"}\n') else None)
        again.finish("a.json")
    with Journal(path, ABOUT) as whole:
        assert whole.is_done("a.json")


def test_a_journal_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    Journal(path, ABOUT).close()
    before = path.read_bytes()
    for other in ({**ABOUT, "service": "staff_id"}, {**ABOUT, "owner": "prefecture:13"}):
        with pytest.raises(UsageError):
            Journal(path, other)
    assert path.read_bytes() == before


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    with Journal(path, ABOUT), pytest.raises(UsageError):
        Journal(path, ABOUT)
    Journal(path, ABOUT).close()


@pytest.mark.parametrize(
    "content",
    [
        b"hello\n",
        b"hello",
        b"[]\n",
        b"{}\n",
        b'{"schema": "x"}\n',
        b"x" * 5000,
        b"\xff\n",
        json.dumps({"schema": SCHEMA, **ABOUT}).encode() + b'\n{"card": 1, "state": "done"}\n',
        json.dumps({"schema": SCHEMA, **ABOUT}).encode() + b'\n{"card": "a", "state": "chosen", "aid": "zz"}\n',
        json.dumps({"schema": SCHEMA, **ABOUT}).encode() + b'\n{"card": "a", "state": "stolen"}\n',
    ],
)
def test_another_file_is_no_journal_and_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.journal"
    path.write_bytes(content)
    with pytest.raises(InputError):
        Journal(path, ABOUT)
    assert path.read_bytes() == content


@given(st.binary(max_size=300))
def test_hostile_bytes_give_typed_errors(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("j") / "x.journal"
    path.write_bytes(content)
    with contextlib.suppress(InputError, UsageError):
        Journal(path, ABOUT).close()
