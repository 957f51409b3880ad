"""docs/attacks.md: every entry of the catalogue has a test, every test with an entry a line, every line a test."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tools.make_attacks import ENTRIES, PAGE, PLACES, Row, page, row, rows, verdict_words

from kojin_card.verdict import Indication

ROOT = Path(__file__).resolve().parents[2]

#: jpki.md §6, typed from it; A-28 (time stamps) is missing there and the issue adds it
_TYPED = """
    A-01 A-02 A-03 A-04 A-05 A-06 A-07 A-08 A-09 A-10 A-11 A-12 A-13 A-14 A-15 A-16 A-20 A-21 A-22 A-23 A-24 A-25 A-26
    A-27 A-28 A-30 A-31 A-32 A-33 A-35 A-40
"""
CATALOGUE = _TYPED.split()

#: one line of the page
LINE = re.compile(r"^\| (?P<what>.+) \| `(?P<file>[\w/]+\.py)::(?P<test>\w+)` \| (?P<verdict>.+) \|$", re.M)


def lines() -> dict[str, list[re.Match[str]]]:
    """Entry -> its lines on the page."""
    sections = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.M)[1:]
    titles = {f"{entry}: {title}" if entry.startswith("A-") else title: entry for entry, title in ENTRIES.items()}
    return {titles[section.splitlines()[0]]: list(LINE.finditer(section)) for section in sections}


def test_the_page_says_what_the_tests_say() -> None:
    """In a process of its own: it collects the tests."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.make_attacks", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_catalogue_is_whole() -> None:
    assert [entry for entry in ENTRIES if entry.startswith("A-")] == CATALOGUE


def test_every_entry_has_a_test() -> None:
    shown = lines()
    assert not {entry for entry in CATALOGUE if not shown.get(entry)}
    assert sum(len(found) for found in shown.values()) > 600


def test_every_test_that_is_named_is_there() -> None:
    sources: dict[str, str] = {}
    for found in (line for group in lines().values() for line in group):
        file = found["file"]
        sources.setdefault(file, (ROOT / "tests" / file).read_text("utf-8"))
        assert f"def {found['test']}(" in sources[file], f"{file}::{found['test']}"


def test_no_attack_is_accepted() -> None:
    """A line that says TOTAL_PASSED says more, but for cards of which nobody published more (card.md §2.5)."""
    for entry, group in lines().items():
        for line in group:
            assert "TOTAL_PASSED" not in line["verdict"] or "," in line["verdict"] or entry == "card", line[0]


def test_every_test_with_an_entry_stands_where_it_is_collected() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__) and re.search(r'mark\.attack\(|^ *\w+\("A-\d\d"', path.read_text("utf-8"), re.M):
            name = path.relative_to(ROOT).as_posix()
            assert name.startswith(PLACES), f"{name}: tools/make_attacks.py does not look there"


# --- the maker --------------------------------------------------------------------------------------------------------


@dataclass
class Given:
    """A row of a table of attacks, with whatever it has."""

    what: str = "something"


def item(*mark: Any, given: Any = None, name: str = "test_a_thing[x-y]") -> Any:
    """A collected test."""
    return SimpleNamespace(
        get_closest_marker=lambda _: SimpleNamespace(args=mark) if mark else None,
        callspec=SimpleNamespace(params={} if given is None else {"attack": given}),
        path=ROOT / "tests" / "attacks" / "test_x.py",
        name=name,
        originalname="test_a_thing",
    )


def made(**fields: Any) -> Any:
    return SimpleNamespace(**fields)


@pytest.mark.parametrize(
    ("collected", "expected"),
    [
        (item(), None),
        (item(given=Given()), None),
        (item("A-20"), ("A-20", "x-y", "as the test says")),
        (item("A-20", name="test_a_thing"), ("A-20", "a thing", "as the test says")),
        (item("A-20", "text", "words"), ("A-20", "text", "words")),
        (item("A-20", "OCSP: {}", "words"), ("A-20", "OCSP: x-y", "words")),
        (item("A-20", None, "time.asserted"), ("A-20", "x-y", "INDETERMINATE NO_POE (`time.asserted`)")),
        (item("A-20", given=made(what="w", reason="time.asserted")),
            ("A-20", "w", "INDETERMINATE NO_POE (`time.asserted`)")),
        (item("A-20", given=made(entry="A-21", what="w", reason="time.asserted")),
            ("A-21", "w", "INDETERMINATE NO_POE (`time.asserted`)")),
        (item("card", given=made(name="n", reasons=(), indication=Indication.TOTAL_PASSED)),
            ("card", "n", "TOTAL_PASSED")),
        (item("card", given=made(name="n", reasons=("a", "a", "b"))), ("card", "n", "a; b")),
    ],
)  # fmt: skip
def test_a_test_makes_its_line(collected: Any, expected: tuple[str, str, str] | None) -> None:
    found = row(collected)
    if expected is None:
        assert found is None
        return
    assert found == Row(expected[0], expected[1], "attacks/test_x.py::test_a_thing", expected[2])


def test_an_entry_that_nobody_described_is_refused() -> None:
    with pytest.raises(ValueError, match="A-99"):
        rows([item("A-99")])


def test_the_page_is_a_table_whatever_the_words_are() -> None:
    text = page([Row("A-40", "a|b <script>\nc", "x.py::test_y", "v")])
    assert "| a\\|b &lt;script> c | `x.py::test_y` | v |" in text.splitlines()
    assert verdict_words("in words") == "in words"
    assert verdict_words("time.asserted|x") == "INDETERMINATE NO_POE (`time.asserted`) or x"
