"""Which commands of content management a security domain and a slot answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.simulator import select

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator.context import Answer, Context, Received

    Handlers = dict[tuple[int, int], Callable[[Context, Received], Answer]]

_INTERINDUSTRY = 0x00
_SELECT = 0xA4


def issuers_commands() -> Handlers:
    """What the issuer's domain answers besides what the card manager always did."""
    return {}


def domains_commands() -> Handlers:
    """What an owner's domain answers."""
    return {(_INTERINDUSTRY, _SELECT): select.select}


def session_commands() -> Handlers:
    """What a slot answers besides the commands of its applet: SELECT, and what opens a session of its owner."""
    return {(_INTERINDUSTRY, _SELECT): select.select}
