"""The commands of the slot applet, by class and instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.simulator.slot import pin, reading, storing, terminal
from kojin_card.spec.free_area import slot_applet_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator.context import Answer, Context, Received


def commands() -> dict[tuple[int, int], Callable[[Context, Received], Answer]]:
    """Handlers while a slot is current. SELECT and what opens a session of SCP03 are the chip's."""
    handlers = {
        "get_data": reading.get_data,
        "read_binary": reading.read_binary,
        "internal_authenticate": reading.internal_authenticate,
        "get_challenge": terminal.get_challenge,
        "external_authenticate": terminal.external_authenticate,
        "verify": pin.verify,
        "change_reference_data": pin.change_reference_data,
        "reset_retry_counter": pin.reset_retry_counter,
        "store_data": storing.store_data,
    }
    spec = slot_applet_spec().commands
    return {(spec[name].cla, spec[name].ins): handler for name, handler in handlers.items()}
