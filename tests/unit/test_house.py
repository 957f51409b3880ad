"""Rules of the house that a machine can check: no oversized file, no assert, honest constraints."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "kojin_card"
MAX_LINES = 500


@cache
def sources() -> dict[str, str]:
    """The text of every module of the package, by its path in it."""
    return {path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


# --- files -----------------------------------------------------------------------------------------------------------


def test_no_file_has_grown_into_two() -> None:
    lengths = {name: len(text.splitlines()) for name, text in sources().items()}
    assert not {name: count for name, count in lengths.items() if count > MAX_LINES}


def test_every_module_says_what_it_is() -> None:
    assert not [name for name, text in sources().items() if not ast.get_docstring(ast.parse(text))]


def test_nothing_is_validated_by_assert_and_no_global_is_rebound() -> None:
    """``python -O`` removes an assert; a rebound global is state shared by all threads."""
    found = [
        f"{name}:{node.lineno}"
        for name, text in sources().items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assert | ast.Global)
    ]
    assert not found


def test_a_type_checker_sees_the_names_of_a_lazy_module_and_nothing_else() -> None:
    """Where it sees a module's ``__getattr__`` it takes every misspelt import for ``Any``, also with --strict."""
    seen = [
        name
        for name, text in sources().items()
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name == "__getattr__"
    ]
    assert not seen


# --- what is installed -----------------------------------------------------------------------------------------------


def pinned() -> dict[str, str]:
    """The constraints as normalised name and version."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}


def test_constraints_are_names_and_exact_versions_only() -> None:
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        assert line.startswith("# ") or re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.+!]*", line), line
        assert not re.search(r"://|@|--|\\", line), line


def test_constraints_pin_every_declared_dependency() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    declared = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["dev"],
    ]
    names = {re.split(r"[<>=!~;\[ ]", text, maxsplit=1)[0].lower() for text in declared}
    assert names <= pinned().keys()
