"""The plugin against runs that look green: each thing that it refuses, seen in a real pytest run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = '[tool.pytest.ini_options]\nmarkers = ["vectors: x", "foreign(program): x"]\naddopts = ["--strict-markers"]\n'
MARKED = "import pytest\n\n@pytest.mark.vectors\ndef test_it():\n    {}\n\ndef test_other():\n    pass\n"


def pytest_run(
    folder: Path, text: str, *arguments: str, vectors: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run pytest with the guard on one test file in a project of its own, in ``folder/main``."""
    project = folder / "main"
    project.mkdir()
    (project / "pyproject.toml").write_text(CONFIG)
    (project / "test_it.py").write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("KOJIN_", "PYTEST_"))}
    environment["PYTHONPATH"] = str(ROOT / "tests" / "plugins")
    if vectors is not None:
        environment["KOJIN_VECTORS"] = vectors
    command = [sys.executable, "-m", "pytest", "-p", "honest_run", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_skipped_vector_test_fails_where_the_variable_is_set(tmp_path: Path, workers: tuple[str, ...]) -> None:
    done = pytest_run(tmp_path, MARKED.format('pytest.skip("no file")'), *workers, vectors="/nowhere")
    assert done.returncode == 1, done.stdout
    assert "1 vector test(s) were skipped although the vectors are here" in done.stdout
    assert "test_it.py::test_it (no file)" in done.stdout


def test_a_skipped_vector_test_fails_where_the_folder_is_beside_the_checkout(tmp_path: Path) -> None:
    (tmp_path / "shared" / "vectors").mkdir(parents=True)
    done = pytest_run(tmp_path, MARKED.format('pytest.skip("no file")'))
    assert done.returncode == 1, done.stdout


def test_a_skipped_module_of_vector_tests_fails_too(tmp_path: Path) -> None:
    text = 'import pytest\npytest.skip("the vectors are missing", allow_module_level=True)\n'
    (tmp_path / "shared" / "vectors").mkdir(parents=True)
    done = pytest_run(tmp_path, text)
    assert done.returncode != 0, done.stdout


def test_elsewhere_what_was_skipped_is_told_and_the_run_passes(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, MARKED.format('pytest.skip("no vectors on this machine")'))
    assert done.returncode == 0, done.stdout
    assert "1 test(s): no vectors on this machine" in done.stdout
    assert "what they prove was not shown" in done.stdout


def test_a_vector_test_that_ran_passes_and_one_that_failed_fails(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, MARKED.format("pass"), vectors="/somewhere")
    assert done.returncode == 0, done.stdout
    (tmp_path / "again").mkdir()
    done = pytest_run(tmp_path / "again", MARKED.format("assert False"), vectors="/somewhere")
    assert done.returncode == 1, done.stdout


def test_a_run_in_which_nothing_passed_is_not_green(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, 'import pytest\n\ndef test_it():\n    pytest.skip("no program")\n')
    assert done.returncode == 5, done.stdout
    assert "no test passed" in done.stdout


def test_a_foreign_test_without_its_program_is_skipped_and_told(tmp_path: Path) -> None:
    text = MARKED.replace("vectors", 'foreign("no-such-program")').format("assert False")
    done = pytest_run(tmp_path, text)
    assert done.returncode == 0, done.stdout
    assert "1 test(s): not installed: no-such-program" in done.stdout


def test_this_project_loads_the_plugin_for_every_run() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/unit/test_house.py", "--trace-config"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "plugins.honest_run" in done.stdout + done.stderr
