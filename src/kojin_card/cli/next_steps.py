"""``pin status`` and ``doctor``: what happens next with a secret, in words that an operator can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card import messages

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from kojin_card.channel import PinStatus
    from kojin_card.cli.console import Console


def state_of(found: PinStatus, *, signs: bool) -> str:
    """What a counter means. A card without a signature certificate (under 15) has its password blocked from the start:
    nothing there is to be reset."""
    if not found.present or (found.secret == "sign-password" and found.blocked and not signs):
        return "absent"
    if found.tries_left is None:
        return "not_counted"
    if found.tries_left == 0:
        return "blocked"
    if found.tries_left == 1:
        return "one_left"
    return "ready" if found.tries is None or found.tries_left >= found.tries else "used"


#: the secrets that open the same, or with which the kiosk resets the other, in the order of their mention
_INSTEAD = {
    "jpki/auth_pin": ("sign_password",),
    "jpki/sign_password": ("auth_pin",),
    "input_support/pin": ("code_b", "code_a"),
    "input_support/code_a": ("pin",),
    "input_support/code_b": ("pin",),
    "card_face/code_a": ("code_b",),
    "card_face/code_b": ("code_a",),
    "card_face/birth_code": ("code_b",),
}


def steps_of(found: Sequence[PinStatus], states: Sequence[str], console: Console, *, carrier: str = "") -> list[str]:
    """What to do about each of a card's secrets."""
    closed = {f"{one.application}/{one.key}" for one in found if one.blocked or not one.present}
    return [
        what_next(one, state, console, carrier=carrier, closed=closed) for one, state in zip(found, states, strict=True)
    ]


def what_next(
    found: PinStatus, state: str, console: Console, *, carrier: str = "", closed: Collection[str] = ()
) -> str:
    """What to do about a secret in this state.

    The words are those for what carries it (``say.next.<state>.phone``), of all secrets of its name in ``--secrets``
    (``say.next.<state>.<secret>``), or of any other: nobody is sent to a counter that cannot help. What another secret
    helps (``say.instead``) is said while that one is not ``closed``.

    Args:
        carrier: as :func:`kojin_card.cli.carriers.carrier_of` says.
        closed: the secrets that are blocked or not there, as ``application/key``.
    """
    if state == "ready" and found.tries is None:
        state = "ready_unknown"
    elif state == "absent" and found.present and found.secret == "sign-password":
        state = "unused"
    names = (f"{state}.{carrier}", f"{state}.{found.secret}", f"{state}.other")
    key = next(f"say.next.{name}" for name in names if messages.has(f"say.next.{name}"))
    words = [console.text(key, tries_left=found.tries_left, tries=found.tries)]
    if state == "blocked" and not carrier:
        open_ones = (
            other
            for other in _INSTEAD.get(f"{found.application}/{found.key}", ())
            if f"{found.application}/{other}" not in closed
        )
        words += [console.text(f"say.instead.{found.application}.{found.key}.{other}") for other in open_ones]
    return ("" if console.lang == "ja" else " ").join(words)
