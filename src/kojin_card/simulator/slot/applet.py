"""The commands of the slot applet, by class and instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator.context import Answer, Context, Received


def commands() -> dict[tuple[int, int], Callable[[Context, Received], Answer]]:
    """Handlers while a slot is current. SELECT and what opens a session of SCP03 are the chip's."""
    return {}
