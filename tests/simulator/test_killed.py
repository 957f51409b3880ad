"""A process killed (SIGKILL) while it holds a card file: a spent try stays spent, a change stays (ARCHITECTURE §8)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kojin_card.simulator import SoftCard
from support import ROOT, talk

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

JPKI = "00A4040C0A D392F000260100000001 -> 9000"

#: Says every APDU to the card, then dies without a chance to tidy up.
VICTIM = """
import os, signal, sys
from kojin_card.simulator import SoftCard
card = SoftCard.open(sys.argv[1])
for command in sys.argv[2:]:
    answer = card.transmit(bytes.fromhex(command))
    sys.stdout.write(answer[-2:].hex() + "\\n")
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_after(path: Path, *commands: str) -> list[str]:
    """Status words that a process got before it was killed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, str(path), *commands],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.split()


@pytest.fixture
def card_file(tmp_path: Path, card_state: Callable[[str], CardState]) -> Path:
    path = tmp_path / "card.json"
    SoftCard.create(path, card_state("adult")).close()
    return path


def test_a_spent_try_stays_spent(card_file: Path) -> None:
    wrong = "00200098" + "0430303030"
    assert killed_after(card_file, "00A4040C0AD392F000260100000001", wrong, wrong) == ["9000", "63c2", "63c1"]
    with SoftCard.open(card_file) as card:
        talk(card, JPKI, "00200098 -> 63C1", "0020009804 30303030 -> 63C0", "0020009804 31323334 -> 6984")
    with SoftCard.open(card_file) as card:
        talk(card, JPKI, "0020009804 31323334 -> 6984", "00200098 -> 63C0", "0020009B -> 63C5")


def test_a_change_stays_and_the_security_status_does_not(card_file: Path) -> None:
    said = killed_after(
        card_file,
        "00A4040C0AD392F000260100000001",
        "00A4020C020018",
        "002000800431323334",
        "002401800438383838",
    )
    assert said == ["9000"] * 4
    with SoftCard.open(card_file) as card:
        talk(card, JPKI, "802A009701 AA 00 -> 6982", "0020009804 31323334 -> 63C2", "0020009804 38383838 -> 9000")


def test_what_was_not_said_did_not_happen(card_file: Path) -> None:
    before = card_file.read_bytes()
    assert killed_after(card_file, "00A4040C0AD392F000260100000001", "00200098") == ["9000", "63c3"]
    assert card_file.read_bytes() == before
