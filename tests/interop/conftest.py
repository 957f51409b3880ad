"""One pcscd with two software cards for all tests of this folder that a process runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from interop.pcscd import CannotStart, Desk, served

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

#: whose cards are in the two slots
PERSONAS = ("adult", "sapporo")
_DEFAULTS = ("blocked_sw=6984", "empty_verify_when_verified=counter", "reselect_keeps_state=off")


@pytest.fixture(scope="session")
def desk_cards() -> tuple[CardState, ...]:
    """What the two cards are when nobody has used them; issued just now, for foreign programs go by the real time."""
    from kojin_card.simulator import make_card

    issued = datetime.now(UTC) - timedelta(hours=1)
    return tuple(make_card(persona, now=issued) for persona in PERSONAS)


@pytest.fixture(scope="session")
def shared_desk(desk_cards: tuple[CardState, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Started once a process; tests take ``desk``."""
    from kojin_card.simulator import SoftCard

    folder = tmp_path_factory.mktemp("cards")
    paths = [folder / f"{state.persona}.json" for state in desk_cards]
    for path, state in zip(paths, desk_cards, strict=True):
        SoftCard.create(path, state).close()
    try:
        with served(*paths) as desk:
            yield desk
    except CannotStart as why:
        pytest.skip(f"FOREIGN CLIENTS ABSENT: no pcscd of our own ({why}), no foreign program used the software card")


def _own(card: Mapping[str, Any], state: CardState) -> bool:
    return bool(card["atr"] == state.atr.hex().upper())


@pytest.fixture
def desk(shared_desk: Desk, desk_cards: tuple[CardState, ...]) -> Desk:
    """Both cards with all tries, the default settings and their own ATRs."""
    other = [card for card, state in zip(shared_desk.ask("status"), desk_cards, strict=True) if not _own(card, state)]
    for card in other:
        if card["state"] != "out":
            shared_desk.ask("remove", number=card["number"])
    for card in other:
        shared_desk.ask("insert", number=card["number"])
    if other:
        shared_desk.wait_for_cards()
    for place in (1, 2):
        shared_desk.set(place, reset={"auth-pin": None, "sign-password": None}, knobs=_DEFAULTS)
    return shared_desk
