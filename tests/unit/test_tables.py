"""The helper for generated tables: what a sample is, what all is, and that a missing row is noticed."""

from __future__ import annotations

import itertools

import pytest

from tables import EVERY_ROW, SEED, table

ROWS = list(itertools.product("abcde", range(10)))


def ident(row: tuple[str, int]) -> str:
    return f"{row[0]}{row[1]}"


def picked(**changes: object) -> list[str]:
    arguments: dict[str, object] = {"size": 50, "sample": 7, "ident": ident, **changes}
    return [str(parameters.id) for parameters in table("letters", ROWS, **arguments)]  # type: ignore[arg-type]  # a dict


def test_a_sample_is_the_same_every_time_and_changes_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(EVERY_ROW, raising=False)
    monkeypatch.delenv(SEED, raising=False)
    first = picked()
    assert len(first) == 7
    assert picked() == first
    monkeypatch.setenv(SEED, "1")
    assert picked() != first


def test_every_row_runs_when_all_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EVERY_ROW, "all")
    assert picked() == [ident(row) for row in ROWS]


def test_rows_that_no_sample_may_leave_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(EVERY_ROW, raising=False)
    chosen = picked(always=lambda row: row[0] == "c")
    assert {f"c{number}" for number in range(10)} <= set(chosen)
    assert len(chosen) == 17


@pytest.mark.parametrize("wrong", [{"size": 49}, {"ident": lambda row: row[0]}], ids=["size", "names"])
def test_a_table_that_is_not_what_it_declares_fails(wrong: dict[str, object]) -> None:
    with pytest.raises(AssertionError, match="letters"):
        picked(**wrong)
