"""``pin status``: tries left of every secret; costs none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.cli.framework import KojinGroup, command
from kojin_card.cli.render import Block, Heading, Line, Role, Table
from kojin_card.errors import NotOnCard

if TYPE_CHECKING:
    from kojin_card.card import Card
    from kojin_card.channel import PinStatus
    from kojin_card.cli.session import Session

pin = KojinGroup("pin", {"status": "commands.pin:status"})


def _state(found: PinStatus, *, signs: bool) -> str:
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


_ROLES = {"blocked": Role.BAD, "one_left": Role.BAD, "used": Role.UNSURE, "absent": Role.FAINT}
_SYMBOLS = {"blocked": "fail", "one_left": "unknown", "used": "unknown", "absent": "none", "not_counted": "unknown"}


@command("pin.status")
def status(session: Session) -> None:
    """Each secret with its tries left and what that means."""
    card = session.card()
    found = card.pin_status()
    signs = _signs(card) if any(one.blocked for one in found) else True
    text, console = session.console.text, session.console
    states = [_state(one, signs=signs) for one in found]
    value = {
        "card": card.description,
        "secrets": [
            {
                "application": one.application,
                "key": one.key,
                "secret": one.secret,
                "name": one.name_ja if session.lang == "ja" else one.name_en,
                "state": state,
                "tries_left": one.tries_left,
                "tries": one.tries,
            }
            for one, state in zip(found, states, strict=True)
        ],
    }
    rows = [
        (
            one.name_ja if session.lang == "ja" else one.name_en,
            "-" if one.tries_left is None else f"{one.tries_left} / {'?' if one.tries is None else one.tries}",
            f"{console.symbol(_SYMBOLS.get(state, 'pass'))} {text(f'say.tries.{state}')}",
        )
        for one, state in zip(found, states, strict=True)
    ]
    header = [text("say.tries.secret"), text("say.tries.left"), text("say.tries.meaning")]
    blocks: list[Block] = [
        Heading(text("say.tries.title")),
        Table(header, rows, [_ROLES.get(state, Role.PLAIN) for state in states]),
    ]
    advice = [state for state in ("blocked", "one_left", "used") if state in states]
    blocks += [Line(text(f"say.tries.advice_{state}")) for state in advice]
    session.answer("pin-status", value, blocks)


def _signs(card: Card) -> bool:
    try:
        return card.jpki.availability().sign
    except NotOnCard:
        return True
