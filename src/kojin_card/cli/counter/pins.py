"""A slot PIN that is about to be set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.cli.counter.keys import new_passphrase
from kojin_card.errors import SecretFormatError

if TYPE_CHECKING:
    from kojin_card.cli.session import Session
    from kojin_card.secret import Secret


def new_slot_pin(session: Session, secrets: str | None, name: str) -> Secret:
    """A slot PIN that is about to be set: given, or typed twice; four digits.

    Raises:
        SecretFormatError: another form. SecretUnavailable, Cancelled: there is none.
    """
    pin = new_passphrase(session, secrets, name)
    problem = slot_pin_problem(pin.reveal().decode("ascii", "replace"))
    if problem:
        raise SecretFormatError(problem, operation="set a slot PIN", secret=name)
    return pin


def slot_pin_problem(text: str) -> str:
    """What is wrong with a slot PIN; empty when nothing is."""
    from kojin_card.spec.free_area import slot_applet_spec

    length = slot_applet_spec().number("pin_length")
    right = len(text) == length and text.isascii() and text.isdigit()
    return "" if right else f"must have {length} digits"
