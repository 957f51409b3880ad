"""Every job of the command line on a card file and on the same card behind pcscd: the same is sent and received."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench import jobs
from cli.test_explain import CASES, Case, path_of
from interop.pcscd import NEEDED, PATIENCE
from interop.test_bindings import NOT_BUILT
from kojin_card.simulator import make_card

if TYPE_CHECKING:
    from kojin_card.simulator import CardState


@pytest.mark.foreign(*NEEDED)
@pytest.mark.skipif(find_spec("smartcard") is None, reason=NOT_BUILT.format("pyscard"))
def test_every_job_costs_the_same_both_ways() -> None:
    """A process of its own, for in this one there is no pyscard (conftest.py)."""
    command = [sys.executable, jobs.__file__, "--times", "0"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
    if "Not measured" in said.stdout:
        pytest.skip(f"FOREIGN CLIENTS ABSENT: {said.stdout.splitlines()[-1]}")
    assert said.returncode == 0, said.stderr
    *rows, last = said.stdout.splitlines()[2:]
    assert len(rows) == len(jobs.JOBS)
    assert last.startswith(f"{len(rows)} jobs: APDUs, bytes and exit codes are the same both ways; 1 APDU more")


def test_no_command_that_opens_a_card_is_left_out() -> None:
    assert {path_of(case.line) for case in CASES if not case.area} - {path_of(case.line) for case in jobs.JOBS} == {
        "doctor"
    }


@pytest.mark.parametrize(("other", "code"), [("adult", 0), ("sapporo", 1)])
def test_a_difference_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, other: str, code: int
) -> None:
    issued = datetime.now(UTC) - timedelta(hours=1)

    def cards(*personas: str) -> Sequence[CardState]:
        return [make_card(persona, now=issued) for persona in personas]

    @contextlib.contextmanager
    def two() -> Iterator[tuple[jobs.Cards, jobs.Cards, str]]:
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
        one = jobs.InProcess(tmp_path / "one", cards("adult", "licence_holder"))
        yield one, jobs.InProcess(tmp_path / "other", cards(other, "licence_holder")), ""

    monkeypatch.setattr(jobs, "both_ways", two)
    monkeypatch.setattr(jobs, "JOBS", [Case("cert show auth")])
    assert jobs.main(["--times", "0"]) == code
    assert capsys.readouterr().err.startswith("cert show auth: in process Cost(" if code else "")
