"""``check``: is this card genuine?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.exits import Exit, exit_of_indication
from kojin_card.cli.explain import Plan, keys_of, only, plan, read, verify
from kojin_card.cli.framework import command, option, secret_options
from kojin_card.cli.genuine import authenticity_blocks, authenticity_json, card_store, card_store_option, proof_steps
from kojin_card.cli.printed import code_b, gives_code_b
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.cli.secret_sources import Secrets
    from kojin_card.cli.session import Session

_WAYS = ("pin", "code-b", "code-a")


def _ways(by: tuple[str, ...]) -> tuple[str, ...]:
    """What was named, once each.

    Raises:
        UsageError: both verification numbers.
    """
    if {"code-a", "code-b"} <= set(by):
        raise UsageError("the verification number A or B, one of them", operation="check the card")
    return tuple(dict.fromkeys(by))


def _plan(given: Mapping[str, Any]) -> Plan:
    from kojin_card.applications.proof import FREE

    ways = _ways(given["by"])
    text = (verify("input_support/pin"), *read("input_support/basic_four"), *proof_steps("input_support/basic_four"))
    numbers = keys_of(next((way for way in ways if way != "pin"), None), "code-b", "code-a")
    keys = tuple(f"card_face/{key}" for key in numbers)
    face = (verify(*keys), *read("card_face/face"), *proof_steps("card_face/face"))
    free = [f"{app}/{name}" for app, names in FREE.items() for name in names]
    if not ways:
        return plan(only("given", text, face), read(*free))
    return plan(text if "pin" in ways else (), face if set(ways) - {"pin"} else (), read(*free))


@command(
    "check",
    card_store_option(),
    option("--by", type=click.Choice(_WAYS), multiple=True, help="by_check"),
    *secret_options(),
    plan=_plan,
)
def check(session: Session, trust: str | None, by: tuple[str, ...], secrets: str | None, last_try: bool) -> Exit:
    """Certificates without any secret; with one, a record, the card's own key, and an answer that no copy can give."""
    ways = _ways(by)
    if secrets is not None and not ways:
        ways = _given(session.secrets(secrets))
    given: dict[str, Any] = {}
    for way in ways:
        source = session.secrets(secrets)
        given[way.replace("-", "_")] = code_b(session, source) if way == "code-b" else source.at_hand(way)
    card = session.card()
    verdict = card.check_authenticity(card_store(session, trust), **given, reserve=0 if last_try else 1)
    blocks = authenticity_blocks(verdict, session.console, card.channel.spec)
    session.answer("authenticity", authenticity_json(verdict, session.lang), blocks)
    return exit_of_indication(verdict.indication)


def _given(source: Secrets) -> tuple[str, ...]:
    """What the secrets that were given can open. Of the two numbers B: A is 個人番号, which this has no need of."""
    from kojin_card.cli.secret_sources import GivenSecrets

    if not isinstance(source, GivenSecrets):
        return ()
    ways = ("pin",) if source.has("pin") else ()
    if gives_code_b(source):
        return (*ways, "code-b")
    return (*ways, "code-a") if source.has("code-a") else ways
