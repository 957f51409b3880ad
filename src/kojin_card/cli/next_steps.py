"""``pin status`` and ``doctor``: what happens next with a secret, in words that an operator can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card import messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kojin_card.channel import PinStatus
    from kojin_card.cli.console import Console
    from kojin_card.spec import ApplicationSpec


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


def name_of(named: PinStatus | ApplicationSpec, lang: str) -> str:
    """What it is called."""
    return named.name_ja if lang == "ja" else named.name_en


def labels_of(found: Sequence[PinStatus], console: Console) -> list[str]:
    """Names, with the application where two secrets have the same."""
    from kojin_card.spec import load_card_spec

    applications = load_card_spec().applications
    names = [name_of(one, console.lang) for one in found]
    return [
        console.text("say.tries.of", name=name, application=name_of(applications[one.application], console.lang))
        if names.count(name) > 1
        else name
        for one, name in zip(found, names, strict=True)
    ]
