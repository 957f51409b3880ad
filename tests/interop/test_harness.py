"""The tests' own pcscd: beside another one, with and without namespaces, and gone when it is over."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interop import pcscd
from interop.pcscd import NEEDED, CannotStart, Desk, served
from kojin_card.simulator import SoftCard

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

pytestmark = pytest.mark.foreign(*NEEDED)


def test_two_run_at_once_and_the_second_leaves_nothing(
    desk: Desk, desk_cards: tuple[CardState, ...], tmp_path: Path
) -> None:
    """The second without namespaces (where a system has none), so on locked ports; each has its own cards."""
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path, state in zip(paths, reversed(desk_cards), strict=True):
        SoftCard.create(path, state).close()
    try:
        with served(*paths, namespace=False) as second:
            assert not second.isolated
            assert second.port != desk.port
            for one in (desk, second):
                assert one.run("opensc-tool", "--reader", "0", "--name").stdout == "jpki\n"
            second.set(1, tries={"auth-pin": 1})
            assert (second.tries()["jpki/auth_pin"], desk.tries()["jpki/auth_pin"]) == (1, 3)
            children = [second.pcscd.pid, second.server.pid]
    except CannotStart as why:
        pytest.skip(f"FOREIGN CLIENTS ABSENT: without namespaces no second pcscd ({why})")
    assert not second.folder.exists()
    assert not [pid for pid in children if _lives(pid)]
    for path in paths:
        SoftCard.open(path, wait_seconds=0).close()
    assert desk.run("opensc-tool", "--reader", "0", "--name").stdout == "jpki\n"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_start_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def mkdtemp(**how: str) -> str:
        made.append(Path(tempfile.mkdtemp(prefix=how["prefix"])))
        return str(made[-1])

    monkeypatch.setattr(pcscd, "mkdtemp", mkdtemp)
    with pytest.raises(AssertionError, match="cannot be used"):
        Desk([tmp_path / "nothing.json"], patience=1.5)
    assert made
    assert not made[0].exists()
