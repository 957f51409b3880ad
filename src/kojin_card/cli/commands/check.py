"""``check``: is this card genuine?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.commands.read import _code_b as code_b
from kojin_card.cli.exits import Exit, exit_of_indication
from kojin_card.cli.framework import command, option, secret_options
from kojin_card.cli.genuine import authenticity_blocks, authenticity_json, card_store, card_store_option
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from kojin_card.cli.secret_sources import Secrets
    from kojin_card.cli.session import Session

_WAYS = ("pin", "code-b", "code-a")


@command(
    "check",
    card_store_option(),
    option("--by", type=click.Choice(_WAYS), multiple=True, help="by_check"),
    *secret_options(),
)
def check(session: Session, trust: str | None, by: tuple[str, ...], secrets: str | None, last_try: bool) -> Exit:
    """Certificates without any secret; with one, a record, the card's own key, and an answer that no copy can give."""
    ways = dict.fromkeys(by)
    if {"code-a", "code-b"} <= ways.keys():
        raise UsageError("the verification number A or B, one of them", operation="check the card")
    if secrets is not None and not ways:
        ways = dict.fromkeys(_given(session.secrets(secrets)))
    given: dict[str, Any] = {}
    for way in ways:
        source = session.secrets(secrets)
        given[way.replace("-", "_")] = code_b(session, source) if way == "code-b" else source.at_hand(way)
    card = session.card()
    verdict = card.check_authenticity(card_store(session, trust), **given, reserve=0 if last_try else 1)
    blocks = authenticity_blocks(verdict, session.console, card.channel.spec)
    session.answer("authenticity", authenticity_json(verdict, session.lang), blocks)
    return exit_of_indication(verdict.indication)


def _given(source: Secrets) -> list[str]:
    """What the secrets that were given can open. Of the two numbers B: A is 個人番号, which this has no need of."""
    from kojin_card.cli.secret_sources import GivenSecrets

    if not isinstance(source, GivenSecrets):
        return []
    ways = ["pin"] if source.has("pin") else []
    if source.has("code-b") or source.has("birth-date"):
        return [*ways, "code-b"]
    return [*ways, "code-a"] if source.has("code-a") else ways
