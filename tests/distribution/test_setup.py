"""``make`` on a bare machine: what is missing is named in one sentence, and nothing is done twice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout without a virtual environment, and a ``bin`` with nothing but what every system has."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "setup.sh", tmp_path / "tools")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("make", "sh", "id", "touch", "tail", "date", "awk"):
        origin = shutil.which(name)
        assert origin is not None
        (programs / name).symlink_to(origin)
    return tmp_path


def program(bare: Path, name: str, script: str) -> None:
    path = bare / "bin" / name
    path.unlink(missing_ok=True)  # a link to the machine's own program would be followed, and that overwritten
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def make(bare: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(bare / "bin"), "HOME": str(bare)}
    command = [str(bare / "bin" / "make"), *arguments]
    return subprocess.run(command, cwd=bare, env=environment, capture_output=True, text=True, check=False, timeout=60)


def sentences(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What was said, less make's own line about the rule that failed."""
    return [line for line in (done.stdout + done.stderr).splitlines() if line and not line.startswith("make:")]


def test_no_python_at_all(bare: Path) -> None:
    done = make(bare, "demo")
    assert done.returncode != 0
    assert len(sentences(done)) == 1
    assert "Python 3.11 or newer is needed and this machine has no python3" in done.stderr
    assert "install python3" in done.stderr


def test_a_python_that_is_too_old_is_named_with_its_version(bare: Path) -> None:
    program(bare, "python3", 'if [ "$1" = --version ]; then echo "Python 3.9.2"; else exit 1; fi')
    done = make(bare, "demo")
    assert done.returncode != 0
    assert len(sentences(done)) == 1
    assert "this machine has Python 3.9.2" in done.stderr


def test_a_python_without_venv_names_the_package(bare: Path) -> None:
    program(bare, "python3", 'case "$2" in *ensurepip*) exit 1 ;; *) exit 0 ;; esac')
    done = make(bare, "demo")
    assert done.returncode != 0
    assert len(sentences(done)) == 1
    assert "apt-get install python3-venv" in done.stderr


def test_a_newer_python_beside_an_old_one_is_found(bare: Path) -> None:
    program(bare, "python3", "exit 1")
    program(bare, "python3.12", 'case "$2" in *ensurepip*) exit 1 ;; *) exit 0 ;; esac')
    done = make(bare, "demo")
    assert "apt-get install python3.12-venv" in done.stderr


def test_foreign_programs_that_cannot_be_installed_are_named_loudly_and_do_not_stop(bare: Path) -> None:
    program(bare, "id", "echo 1000")
    command = [str(bare / "bin" / "sh"), "tools/setup.sh", "foreign"]
    environment = {"PATH": str(bare / "bin")}
    done = subprocess.run(command, cwd=bare, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr.startswith("NOT RUN: ")
    assert "openssl poppler-utils" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def checkout_with_clients(bare: Path) -> list[str]:
    """A set-up checkout that wants two clients, and whose pip installs nothing. The names of the clients."""
    for name in ("cmp", "cp", "rm", "grep", "mkdir", "ls"):
        origin = shutil.which(name)
        assert origin is not None
        (bare / "bin" / name).symlink_to(origin)
    shutil.copytree(ROOT / "tools" / "foreign", bare / "tools" / "foreign")
    (bare / ".venv" / "bin").mkdir(parents=True)
    python = bare / ".venv" / "bin" / "python"
    # as a command: -c (are the bindings there?), -m venv --clear FOLDER, -m pip install
    python.write_text(
        '#!/bin/sh\ncase "$*" in\n'
        '*"-m venv"*) for last; do :; done; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;\n'
        '*"-m pip"*) echo "$*" >>pip.log; [ ! -e no-index ] ;;\nesac\n'
    )
    python.chmod(0o755)
    return sorted(path.stem for path in (bare / "tools" / "foreign").glob("*.txt"))


def clients(bare: Path, *, builds: bool = True) -> subprocess.CompletedProcess[str]:
    """``clients`` of setup.sh alone, on a machine that can build the binding to PC/SC, or cannot."""
    text = (bare / "tools" / "setup.sh").read_text("utf-8").partition("case ${1:-} in\n    runtime)")[0]
    (bare / "tools" / "clients.sh").write_text(f"{text}\nis_there() {{ {'true' if builds else 'false'}; }}\nclients\n")
    command = [str(bare / "bin" / "sh"), "tools/clients.sh"]
    environment = {"PATH": str(bare / "bin")}
    return subprocess.run(command, cwd=bare, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_each_foreign_client_gets_an_environment_of_its_own_once(bare: Path) -> None:
    names = checkout_with_clients(bare)
    assert names == ["pygp", "ykman"]
    done = clients(bare)
    assert (done.returncode, done.stderr) == (0, "")
    assert sentences(done) == [f"Setting up .venv/foreign/{name} ... done." for name in names]
    asked = (bare / "pip.log").read_text("utf-8").splitlines()
    assert [line.split()[-3:] for line in asked] == [
        ["--no-deps", "--requirement", f"tools/foreign/{name}.txt"] for name in names
    ]
    assert sentences(clients(bare)) == [], "nothing is done twice"
    with (bare / "tools" / "foreign" / "ykman.txt").open("a") as file:
        file.write("other==1.0\n")
    assert sentences(clients(bare)) == ["Setting up .venv/foreign/ykman ... done."]


@pytest.mark.parametrize("builds", [True, False])
def test_a_client_that_cannot_be_installed_is_named_loudly(bare: Path, *, builds: bool) -> None:
    names = checkout_with_clients(bare)
    (bare / "no-index").touch()
    done = clients(bare, builds=builds)
    assert done.returncode == 0
    assert done.stderr.startswith(f"NOT RUN: the tests with these clients of GlobalPlatform: {' '.join(names)} (")
    assert len(done.stderr.splitlines()) == 1
    assert not any((bare / ".venv" / "foreign" / name).exists() for name in names)
    # what tells a test that it was tried (tests/interop/clients.py)
    assert all((bare / ".venv" / "foreign" / f"{name}.failed").exists() is builds for name in names)
    (bare / "no-index").unlink()
    assert clients(bare).stderr == ""
    assert not list((bare / ".venv" / "foreign").glob("*.failed"))


def test_the_lists_of_the_clients_are_names_and_exact_versions_only() -> None:
    for path in (ROOT / "tools" / "foreign").glob("*.txt"):
        for line in path.read_text("utf-8").splitlines():
            assert line.startswith("# ") or re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9.]*", line), line


def test_help_is_what_make_says_first_and_it_lists_every_target(bare: Path) -> None:
    done = make(bare)
    assert done.returncode == 0, done.stderr
    for target in ("demo", "test", "tables", "lint", "docs", "clean", "help"):
        assert f"make {target} " in done.stdout


def test_a_set_up_checkout_is_not_set_up_again(bare: Path) -> None:
    (bare / ".venv").mkdir()
    for name in ("pyproject.toml", "constraints.txt", "tools/setup.sh"):
        os.utime(bare / name, (1_000_000_000, 1_000_000_000))
    (bare / ".venv" / ".dev").touch()
    done = make(bare, "--silent", "setup")
    assert (done.returncode, sentences(done)) == (0, [])
    (bare / "constraints.txt").touch()
    os.utime(bare / ".venv" / ".dev", (1_000_000_001, 1_000_000_001))
    assert make(bare, "setup").returncode != 0, "a changed constraint sets up again (and fails here, without a python)"
