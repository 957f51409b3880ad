"""Fixtures that several rooms of the tests share."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from kojin_card.simulator import CardState, SoftCard

# How long an example takes says something about the machine, and nothing about the code: no test is timed.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

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


@pytest.fixture
def made_card() -> Callable[..., SoftCard]:
    """A factory of cards that are made with other settings: ``made_card("adult", sex_3=True)``."""
    from kojin_card.simulator import Knobs, SoftCard, make_card

    return lambda persona, **knobs: SoftCard.in_memory(make_card(persona, now=CARD_NOW, knobs=Knobs(**knobs)))
