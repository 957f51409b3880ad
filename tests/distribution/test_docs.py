"""The guides build without the network and make a reader's browser talk to nobody else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tools.check_site import foreign_loads
from tools.make_reference import pages, stale

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.packaging
def test_the_guides_build_strictly_and_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    guides = {page.relative_to(ROOT / "docs").with_suffix(".html") for page in (ROOT / "docs").rglob("*.md")}
    assert guides <= {page.relative_to(site) for page in site.rglob("*.html")}
    assert not list(foreign_loads(site))
    assert not dangling(site)
    words = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    assert {"en", "ja"} <= set(words["config"]["lang"])  # without ja the Japanese words would be thrown away
    assert (site / "search" / "lunr.ja.js").is_file()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script async src="https://elsewhere.invalid/x.js">'),
        ("a.html", '<link rel="stylesheet"\n href=//elsewhere.invalid/x.css>'),
        ("a.css", "@font-face { src: url( 'https://elsewhere.invalid/f.woff') }"),
        ("a.css", '@import "//elsewhere.invalid/x.css";'),
    ],
)
def test_a_planted_foreign_load_is_found(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert len(list(foreign_loads(tmp_path))) == 1


def test_a_link_that_a_reader_may_follow_is_no_load(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="https://elsewhere.invalid/">there</a><img src="img/own.png">')
    assert not list(foreign_loads(tmp_path))


def test_every_test_that_a_guide_names_is_there() -> None:
    """Where a guide rests a claim on a test: ``test_x.py::test_y`` of tests/interop."""
    named = {
        found
        for page in (ROOT / "docs").glob("*.md")
        for found in re.findall(r"`(test_\w+\.py)::(test_\w+)`", page.read_text("utf-8"))
    }
    assert len(named) > 20
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / "interop" / file).read_text("utf-8"), f"{file}::{test}"


def test_the_reference_says_what_the_specs_say() -> None:
    assert not stale(), "run make reference"


def test_every_file_and_key_of_the_card_is_in_the_reference_with_its_evidence() -> None:
    for path in (ROOT / "applets_spec").glob("*.toml"):
        spec = tomllib.loads(path.read_text("utf-8"))
        lines = pages()[f"{spec['application']['id']}.md"].splitlines()
        for table in [*spec.get("file", []), *spec.get("key", [])]:
            rows = [line for line in lines if line.startswith(f"| {table['file_id']} | `{table['id']}` ")]
            assert len(rows) == 1, table["id"]
            assert f"| {table['evidence']} |" in rows[0]


def test_every_part_of_the_free_area_is_in_the_reference_with_its_evidence() -> None:
    made = pages()
    for path in (ROOT / "applets_spec" / "free_area").glob("*.toml"):
        spec = tomllib.loads(path.read_text("utf-8"))
        page = made["free-area.md" if path.stem == "slot_applet" else f"{path.stem}.md"]
        for kind in ("aid", "tag", "number", "context", "state"):
            for table in spec.get(kind, []):
                rows = [line for line in page.splitlines() if f"| `{table['id']}` {table['name_en']} " in line]
                assert len(rows) == 1, table["id"]
                assert f"| {table['evidence']} |" in rows[0]
        for table in spec.get("command", []):
            section = page.split(f"### Command `{table['id']}`\n")[1].split("\n#")[0]
            assert section.count("\n| `") == len(table["words"])
            assert all(f"| `{one['sw']}` | " in section for one in table["words"])
    page = made["services.md"]
    for path in (ROOT / "applets_spec" / "slots").glob("*.toml"):
        spec = tomllib.loads(path.read_text("utf-8"))
        for table in spec["field"]:
            start = (
                f"| {table['sfi']} | `{spec['service']['id']}.{table['id']}` {table['label_en']} {table['label_ja']} |"
            )
            rows = [line for line in page.splitlines() if line.startswith(start)]
            assert len(rows) == 1, table["id"]
            assert f"| {table['evidence']} |" in rows[0]


# --- the pages and their links ----------------------------------------------------------------------------------------


def test_the_navigation_names_every_page_once() -> None:
    pages_here = sorted(page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md"))
    named = re.findall(r"^ +- [^:]+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == pages_here


class Addresses(HTMLParser):
    """The ids of a page, and where it points."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  # HTMLParser's
        """Collect."""
        said = dict(attrs)
        self.ids |= {said.get("id") or ""} - {""}
        self.targets += [said.get(name) or "" for name in ("href", "src") if name in said]


def dangling(site: Path) -> list[tuple[str, str]]:
    """File and target of every link inside ``site`` that leads nowhere, to a missing place of a page too."""
    found = {page: Addresses(page.read_text("utf-8")) for page in site.rglob("*.html")}
    lost = []
    for page, said in found.items():
        for target in said.targets:
            path, _, place = target.partition("#")
            if ":" in path or target in ("", "#") or page.name == "404.html":
                continue
            there = (page.parent / path).resolve() if path else page
            ids = found[there].ids if there in found else set()
            if not there.exists() or (place and there in found and place not in ids):
                lost.append((page.relative_to(site).as_posix(), target))
    return lost


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<h1 id="x"></h1><a href="#x"></a><a href="#y"></a><a href="b.html"></a>')
    assert dangling(tmp_path) == [("a.html", "#y"), ("a.html", "b.html")]
