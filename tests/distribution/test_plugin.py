"""The pytest plugin in a stranger's project: found by its entry point, cheap, harmless, and as docs/testing.md says."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from kojin_card.testing import FaultKind, every_fault, plugin

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "testing.md"
#: all that pytest loads of the package in a run that uses none of it
LIGHT = {
    "kojin_card",
    "kojin_card.testing",
    "kojin_card.testing.plugin",
    "kojin_card.testing.verdict_table",
    "kojin_card.verdict",
}


def examples() -> list[str]:
    """The blocks of the page that are Python, word for word."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python in a stranger's folder: no variable of this run, no file of this checkout but the installed package."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
    command = [sys.executable, *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240
    )


def run_pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "-m", "pytest", "-p", "no:cacheprovider", "-q", *words)


# --- cheap ------------------------------------------------------------------------------------------------------------


def test_importing_the_package_for_tests_loads_the_standard_library_only(tmp_path: Path) -> None:
    done = run(
        tmp_path, "-c", "import sys; old = {*sys.modules}; import kojin_card.testing; print(*{*sys.modules} - old)"
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith("kojin_card")} == {"kojin_card", "kojin_card.testing"}
    assert {name.split(".")[0] for name in loaded} <= {"kojin_card", *sys.stdlib_module_names}


def test_a_run_that_does_not_use_it_is_the_same_but_for_a_few_light_modules(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import pathlib, sys\n\ndef test_it():\n    pathlib.Path('loaded').write_text(' '.join(sys.modules))\n"
    )
    loaded = []
    for words in ((), ("-p", "no:kojin_card")):
        done = run_pytest(tmp_path, "-W", "error", "--strict-markers", "--strict-config", *words)
        assert done.returncode == 0, done.stdout
        assert re.sub(r"in [\d.]+s", "", done.stdout).split("\n")[-2] == "1 passed "
        loaded.append(set((tmp_path / "loaded").read_text().split()))
    more = loaded[0] - loaded[1]
    assert {name for name in more if name.startswith("kojin_card")} == LIGHT
    assert {name.split(".")[0] for name in more} <= {"kojin_card", *sys.stdlib_module_names}


def test_it_is_found_by_its_entry_point_and_can_be_left_out(tmp_path: Path) -> None:
    points = metadata.distribution("kojin-card").entry_points.select(group="pytest11")
    assert [(point.name, point.value) for point in points] == [("kojin_card", "kojin_card.testing.plugin")]
    (tmp_path / "test_other.py").write_text("def test_it(soft_card):\n    soft_card()\n")
    assert run_pytest(tmp_path).returncode == 0
    done = run_pytest(tmp_path, "-p", "no:kojin_card")
    assert done.returncode == 1
    assert "fixture 'soft_card' not found" in done.stdout


def test_it_has_no_hook(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.pluginmanager.has_plugin("kojin_card")
    assert not [name for name in vars(plugin) if name.startswith("pytest_")]


def test_a_strangers_fixtures_of_the_same_name_win(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import pytest\n\n@pytest.fixture\ndef verifier():\n    return 'mine'\n")
    (tmp_path / "test_other.py").write_text("def test_it(verifier):\n    assert verifier == 'mine'\n")
    assert run_pytest(tmp_path).returncode == 0


# --- as the page says -------------------------------------------------------------------------------------------------


def test_the_example_is_five_lines_and_works_as_pasted(tmp_path: Path) -> None:
    example = examples()[0]
    assert len([line for line in example.splitlines() if line.strip()]) == 5
    (tmp_path / "test_contract.py").write_text(example, "utf-8")
    done = run_pytest(tmp_path, "-W", "error")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_the_other_examples_work_as_pasted_with_the_clock_stopped(tmp_path: Path) -> None:
    _, blocked, responder, faults, clock, table = examples()
    (tmp_path / "conftest.py").write_text(clock, "utf-8")
    (tmp_path / "test_blocked.py").write_text(blocked, "utf-8")
    (tmp_path / "test_responder.py").write_text(responder, "utf-8")
    (tmp_path / "test_faults.py").write_text(faults, "utf-8")
    (tmp_path / "test_table.py").write_text(table, "utf-8")
    done = run_pytest(tmp_path, "-W", "error", "-k", "not test_my_program or passed or revo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"(\d+) passed", done.stdout)[1] == "32"  # type: ignore[index]


def test_the_page_has_a_row_for_each_kind_of_fault() -> None:
    page = PAGE.read_text("utf-8").split("### When something goes wrong")[1].split("### ")[0]
    rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", page, re.MULTILINE))
    assert rows.pop("kind") == "faults"
    assert rows.keys() == set(FaultKind)
    for fault in every_fault().values():
        shown = re.sub(
            r"^SW ....$", "SW 6200", re.sub(r"^bit . of the \w+ byte$", "bit 0 of the first byte", fault.name)
        )
        assert f"`{shown}`" in rows[fault.kind], fault.name
    assert f"and {sum(name.startswith('SW ') for name in every_fault()) - 1} others" in rows["status"]


def test_the_page_of_traces_works_as_pasted(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "traces.md").read_text("utf-8")
    (text,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "trace.txt").write_text(text, "ascii")
    (tmp_path / "test_reported.py").write_text(example, "utf-8")
    done = run_pytest(tmp_path, "-W", "error")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_the_page_has_a_row_for_each_fixture_and_says_what_must_not_be_done() -> None:
    page = PAGE.read_text("utf-8")
    fixtures = [
        name for name, value in inspect.getmembers(plugin) if type(value).__name__ == "FixtureFunctionDefinition"
    ]
    assert len(fixtures) >= 10
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \|$", page, re.MULTILINE)
    assert sorted(rows) == sorted(fixtures)
    assert "Never trust the store `simulator` in production" in page
