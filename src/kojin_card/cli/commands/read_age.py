"""``read age``: has the holder reached an age? Yes or no; the birth date is not told."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from kojin_card.cli.explain import plan, read, verify
from kojin_card.cli.framework import Day, command, option, secret_options
from kojin_card.cli.printed import birth_code
from kojin_card.cli.proving import authentic, authentic_lines, prover, proving_options, proving_steps
from kojin_card.cli.render import Line
from kojin_card.cli.wording import JST

if TYPE_CHECKING:
    from kojin_card.cli.session import Session

_OLDEST = 150  # what kojin_card.applications.Age takes


@command(
    "read.age",
    option("--at-least", metavar="YEARS", type=click.IntRange(0, _OLDEST), required=True, help="at_least"),
    option("--on", metavar="DATE", type=Day(), help="on"),
    *proving_options(),
    *secret_options(),
    plan=lambda given: plan(
        verify("card_face/birth_code"), read("card_face/age"), proving_steps(given, "card_face/age")
    ),
)
def age(
    session: Session,
    at_least: int,
    on: date | None,
    trust: str | None,
    fast: bool,
    secrets: str | None,
    last_try: bool,
) -> None:
    """Yes or no. Both are answers, so both end with exit code 0."""
    source = birth_code(session.secrets(secrets))
    on = on or session.now().astimezone(JST).date()
    prove = prover(session, trust, fast=fast)
    found = session.card().card_face.read_age(source, reserve=0 if last_try else 1, prove=prove)
    answer = found.is_at_least(at_least, on)
    value = {"at_least": at_least, "on": on.isoformat(), "answer": answer, "authentic": authentic(prove)}
    session.answer("age", value, [Line(session.console.text(f"say.age.{'yes' if answer else 'no'}"))])
    if not session.settings.json:
        session.console.talk(authentic_lines(session, prove))
