"""``pin status``: what happens next with a secret, in words that an operator can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card import messages

if TYPE_CHECKING:
    from kojin_card.channel import PinStatus
    from kojin_card.cli.console import Console


def what_next(found: PinStatus, state: str, console: Console) -> str:
    """What to do about a secret in this state.

    The words are those of the very secret (``say.next.<state>.<application>.<key>``), of all secrets of its name in
    ``--secrets`` (``say.next.<state>.<secret>``), or of any other: nobody is sent to a counter that cannot help.
    """
    if state == "ready" and found.tries is None:
        state = "ready_unknown"
    names = (f"{state}.{found.application}.{found.key}", f"{state}.{found.secret}", f"{state}.other")
    key = next(f"say.next.{name}" for name in names if messages.has(f"say.next.{name}"))
    return console.text(key, tries_left=found.tries_left, tries=found.tries)
