"""What README and the guides tell people to type, typed: in order, in an empty folder, with the exit codes stated."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "README.ja.md",
    "docs/authentication.md",
    "docs/bank.md",
    "docs/card-in-an-hour.md",
    "docs/free-area.md",
    "docs/testing.md",
    "docs/verifying.md",
)
STATED = re.compile(r"#\s*exit code (\d+)")
PERSONA_SECRETS = {
    "docs/authentication.md": "auth-pin=1234\n",
    "docs/free-area.md": "owner-passphrase=an invented phrase\nslot-pin=2468\n",
    "docs/testing.md": "pin=5678\n",
}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)


def commands(page: str) -> list[tuple[str, int]]:
    """Each line with ``kojin-card`` in it, and the exit code that its comment states (0 when it states none)."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines() if "kojin-card" in line]
    return [(line, int(stated[1]) if (stated := STATED.search(line)) else 0) for line in lines]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home of its own; the commands are those of the environment that runs the tests."""
    programs = Path(sys.executable).parent
    home = tmp_path / "home"
    home.mkdir()
    return {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "LANG": "C.UTF-8"}


def write_down(page: str, folder: Path) -> None:
    """The service and the list of cards that a guide has its reader write; the list does not grow old here."""
    service, cards = blocks(page, "toml")
    (folder / "services").mkdir()
    (folder / "services" / "library_plus.toml").write_text(service, "utf-8")
    (folder / "cards.toml").write_text(re.sub(r"(?<=next_update = )\d{4}", "2099", cards), "utf-8")


def type_in(line: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one line as a shell would, with nobody at the keyboard; a pipe's exit code is its last command's."""
    command = ["bash", "-c", line]
    return subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def demonstrated(page: str, folder: Path, environment: dict[str, str]) -> None:
    """README begins with ``make demo``: what that leaves is what its lines work on, and nothing else."""
    if page in PAGES[:2]:
        made = type_in("kojin-card demo", folder, environment)
        assert made.returncode == 0, made.stderr


def the_gate_reads(page: str, folder: Path, environment: dict[str, str]) -> None:
    """The gate's program of the guide, on what the guide's commands left, prints what its comment says."""
    program = blocks(page, "python")[1]
    (folder / "gate.py").write_text(program, "utf-8")
    done = type_in("python gate.py", folder, environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == re.findall(r"print\(.*\)  # (.*)$", program, re.MULTILINE)


@pytest.mark.packaging
@pytest.mark.parametrize("page", PAGES)
def test_every_command_works_as_written(page: str, tmp_path: Path, environment: dict[str, str]) -> None:
    steps = commands(page)
    assert steps, "the page shows no command"
    demonstrated(page, tmp_path, environment)
    if not any("simulator new" in line for line, _ in steps):
        type_in("kojin-card simulator new hanako.json --persona adult", tmp_path, environment)
    (tmp_path / "secrets.txt").write_text(PERSONA_SECRETS.get(page, ""))
    if page == "docs/free-area.md":
        write_down(page, tmp_path)
    for line, code in steps:
        done = type_in(line, tmp_path, environment)
        assert done.returncode == code, f"{line}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    if page == "docs/free-area.md":
        the_gate_reads(page, tmp_path, environment)


@pytest.mark.packaging
@pytest.mark.parametrize("page", PAGES[:2])
def test_the_library_example_works_as_written(page: str, tmp_path: Path, environment: dict[str, str]) -> None:
    example = next(iter(blocks(page, "python")))
    assert example.rstrip().splitlines()[-1].startswith("verdict.require()")
    demonstrated(page, tmp_path, environment)
    made = type_in("kojin-card simulator new hanako.json --persona adult", tmp_path, environment)
    assert made.returncode == 0, made.stderr
    (tmp_path / "example.py").write_text(example, "utf-8")
    done = type_in("python example.py", tmp_path, environment)
    assert done.stdout.strip() == "INDETERMINATE TRY_LATER", done.stderr
    assert done.returncode == 1
    assert "VerdictError" in done.stderr.splitlines()[-1]


@pytest.mark.packaging
@pytest.mark.parametrize(
    ("page", "folder", "least"),
    [
        ("docs/bank.md", "demo-output", 4),
        ("docs/verifying.md", "demo-output", 4),
        ("docs/card-in-an-hour.md", ".", 25),
    ],
)
def test_the_examples_of_a_guide_work_as_written(
    page: str, folder: str, least: int, tmp_path: Path, environment: dict[str, str]
) -> None:
    """All blocks in order, as one program, in the folder that the page says; it prints what the comments say."""
    for line, _ in commands(page):
        made = type_in(line, tmp_path, environment)
        assert made.returncode == 0, made.stderr
    program = "".join(blocks(page, "python"))
    (tmp_path / folder / "example.py").write_text(program, "utf-8")
    done = type_in("python -W error example.py", tmp_path / folder, environment)
    assert done.returncode == 0, done.stderr
    printed = re.findall(r"^print\(.*\)  # (.*)$", program, re.MULTILINE)
    assert len(printed) >= least
    assert done.stdout.splitlines() == printed


def test_every_guide_is_linked_from_the_start_page_and_the_readme() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        for start, link in (
            ("docs/index.md", page.name),
            ("README.md", f"docs/{page.name}"),
            ("README.ja.md", f"docs/{page.name}"),
        ):
            assert page.name == "index.md" or f"]({link})" in (ROOT / start).read_text("utf-8"), (start, link)
