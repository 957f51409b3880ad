"""Documents that cost more than they are worth: refused by name, in little time and memory, in a process under limits.

The limits are those of :mod:`attacks.bombs`: a bomb that breaks them has no answer, and its test fails. PDFs that
promise more than they hold are in ``test_pdf_bounds.py``, pictures in ``tests/cli/test_photo_bombs.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from attacks.bombs import BOMBS, Bomb, say

TESTS = Path(__file__).resolve().parents[1]

#: seconds of a processor, and MiB beyond four times the document
SECONDS, ROOM = 5.0, 100


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, Any]]:
    """What became of each bomb, by its name."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-m", "attacks.bombs"], cwd=TESTS, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {answer["what"]: answer for answer in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("bomb", BOMBS, ids=str)
def test_a_bomb_is_refused_and_costs_little(bomb: Bomb, measured: dict[str, dict[str, Any]]) -> None:
    answer = measured.get(bomb.what)
    assert answer is not None, "no answer: an error without a type, or the limits of its process were broken"
    assert answer["said"] == bomb.said
    assert answer["seconds"] < SECONDS
    assert answer["mib"] < ROOM + 4 * answer["size"] // 2**20


def test_each_bomb_has_a_name_of_its_own() -> None:
    assert len({bomb.what for bomb in BOMBS}) == len(BOMBS) == 43


def test_what_breaks_the_limits_is_told(tmp_path: Path) -> None:
    """A reader that wants a gigabyte, one that never ends and one that fails without a type give no answer."""
    program = (
        "import attacks.bombs as bombs\n"
        "bombs.KILLED_AFTER = 1\n"
        "def never_ends(data):\n    while True: pass\n"
        "bombs.BOMBS = tuple(bombs.Bomb(f'{n}', lambda: b'', read, '') for n, read in enumerate(("
        "lambda data: bytearray(2**30), never_ends, lambda data: [][1], lambda data: bombs.as_cms(b''))))\n"
        "bombs.main([])\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=TESTS, env=environment, capture_output=True, text=True, check=False
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["what"], one["said"]) for one in answers] == [("3", "TOTAL_FAILED format.malformed")]


def test_an_untyped_error_is_no_refusal() -> None:
    def fails(_: bytes) -> object:
        raise ValueError("untyped")

    with pytest.raises(ValueError, match="untyped"):
        say(Bomb("", bytes, fails, ""), b"")
