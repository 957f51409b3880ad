"""The guides build without the network and make a reader's browser talk to nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
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


def test_the_reference_says_what_the_specs_say() -> None:
    assert not stale(), "run make reference"


def test_every_file_and_key_of_the_card_is_in_the_reference_with_its_evidence() -> None:
    for path in (ROOT / "applets_spec").rglob("*.toml"):
        spec = tomllib.loads(path.read_text("utf-8"))
        lines = pages()[f"{spec['application']['id']}.md"].splitlines()
        for table in [*spec.get("file", []), *spec.get("key", [])]:
            rows = [line for line in lines if line.startswith(f"| {table['file_id']} | `{table['id']}` ")]
            assert len(rows) == 1, table["id"]
            assert f"| {table['evidence']} |" in rows[0]
