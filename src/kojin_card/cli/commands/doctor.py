"""``doctor``: whether reader and card can be used, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.cli.checkup import Checkup, State
from kojin_card.cli.exits import Exit, worst
from kojin_card.cli.explain import Plan, look_at_all, plan, read
from kojin_card.cli.framework import command
from kojin_card.cli.render import Block, Heading, Line, Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from kojin_card.cli.checkup import Finding
    from kojin_card.cli.console import Console
    from kojin_card.cli.session import Session

_SYMBOLS = {State.OK: "pass", State.NOTE: "none", State.WARNING: "unknown", State.PROBLEM: "fail"}
_ROLES = {State.OK: Role.PLAIN, State.NOTE: Role.FAINT, State.WARNING: Role.UNSURE, State.PROBLEM: Role.BAD}


def _plan(given: Mapping[str, Any]) -> Plan:
    del given
    return plan(
        read("jpki/token_information"),
        look_at_all(),
        read("jpki/certificate_availability", "jpki/auth_certificate", "common/card_information"),
    )


@command("doctor", plan=_plan)
def doctor(session: Session) -> Exit:
    """Every finding with its next step; the exit code of the worst."""
    found = list(Checkup(session).run())
    code = worst(one.exit for one in found)
    console = session.console
    value = {
        "findings": [
            {
                "id": one.id,
                "label": console.text(f"doctor.label.{one.id}"),
                "subject": one.subject or None,
                "state": str(one.state),
                "message": one.words,
                "next": one.next or None,
                "exit": int(one.exit),
            }
            for one in found
        ],
        "exit": int(code),
    }
    session.answer("doctor", value, _blocks(found, console))
    return code


def _blocks(found: list[Finding], console: Console) -> list[Block]:
    text = console.text
    blocks: list[Block] = [Heading(text("doctor.title"))]
    for one in found:
        label = text(f"doctor.label.{one.id}") + (f" {one.subject}" if one.subject else "")
        blocks.append(Line(f"{console.symbol(_SYMBOLS[one.state])} {label}: {one.words}", _ROLES[one.state]))
        if one.next:
            blocks.append(Line(f"    {text('doctor.next_step', next=one.next)}"))
    counts = {state: sum(one.state is state for one in found) for state in State}
    wrong = {"problems": counts[State.PROBLEM], "warnings": counts[State.WARNING]}
    words = text("doctor.some_wrong", **wrong) if any(wrong.values()) else text("doctor.all_well")
    blocks += [Line(""), Line(words, Role.STRONG)]
    return blocks
