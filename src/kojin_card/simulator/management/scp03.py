"""SCP03 (GlobalPlatform Amendment D 1.2), the card's side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kojin_card.iso7816.status import SW
from kojin_card.simulator.security import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator.context import Answer, Context, Received

SECURE = 0x04  # bit of the class: secure messaging as GlobalPlatform has it


@dataclass(slots=True)
class SecureChannel:
    """A session."""

    level: int = 0


def unwrap(card: Context, command: Received, process: Callable[[Received], Answer]) -> Answer:
    """A command of class 04 or 84: checked, taken out of its protection, done by ``process``, its answer protected."""
    raise Refused(SW.CONDITIONS_NOT_SATISFIED)
