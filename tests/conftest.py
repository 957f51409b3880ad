"""What the tests set of the fixtures of ``kojin_card.testing.plugin``, which the installed package brings."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

# How long an example takes says something about the machine, and nothing about the code: no test is timed.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

#: When every software card of the tests was issued: within the validity of the test PKI's CAs.
CARD_NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_real_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test in this process ever speaks with a reader of the machine that it runs on: pyscard is not there. Those
    that need one bring their own, or start a process with a pcscd of ours (tests/interop)."""
    monkeypatch.setitem(sys.modules, "smartcard", None)


@pytest.fixture(scope="session")
def card_clock() -> Callable[[], datetime]:
    """The clock stands still, a day after the cards were issued."""
    return lambda: CARD_NOW + timedelta(days=1)


@pytest.fixture(scope="session")
def card_state() -> Callable[[str], CardState]:
    """A persona's card as delivered, made once."""
    from kojin_card.testing.cards import card_state

    return lambda persona: card_state(persona, CARD_NOW)
