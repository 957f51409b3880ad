"""Fixtures that several rooms of the tests share."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kojin_card.simulator import CardState, SoftCard

#: The clock of every software card in the tests: within the validity of the personas' certificates.
CARD_NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def card_state() -> Callable[[str], CardState]:
    """A persona's card as delivered, made once (a state is frozen; issuing its certificates is what takes time)."""
    from kojin_card.simulator import make_card

    return functools.cache(lambda persona: make_card(persona, now=CARD_NOW))


@pytest.fixture
def soft_card(card_state: Callable[[str], CardState]) -> Callable[..., SoftCard]:
    """A factory of software cards in memory: ``soft_card("adult", reselect_keeps_state=True)``.

    Every call gives a new card, as delivered: full counters, nothing selected, nothing verified.
    """
    from kojin_card.simulator import Knobs, SoftCard

    def make(persona: str = "adult", **knobs: Any) -> SoftCard:
        return SoftCard.in_memory(dataclasses.replace(card_state(persona), knobs=Knobs(**knobs)))

    return make
