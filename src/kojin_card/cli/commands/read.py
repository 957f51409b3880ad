"""``read basic-four``: the four items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.explain import keys_of, plan, verify
from kojin_card.cli.explain import read as read_steps
from kojin_card.cli.framework import KojinGroup, command, option, secret_options
from kojin_card.cli.printed import code_b
from kojin_card.cli.render import Fields, Heading, Line, Role
from kojin_card.cli.wording import day, sex

if TYPE_CHECKING:
    from kojin_card.cli.secret_sources import Secrets
    from kojin_card.cli.session import Session

read = KojinGroup(
    "read",
    {
        "basic-four": "commands.read:basic_four",
        "my-number": "commands.read_number:my_number",
        "face": "commands.read_face:face",
        "age": "commands.read_age:age",
        "licence": "commands.read_licence:licence",
    },
)


@command(
    "read.basic-four",
    option("--by", type=click.Choice(["pin", "code-b"]), help="opened_by"),
    *secret_options(),
    plan=lambda given: plan(
        verify(*(f"input_support/{key}" for key in keys_of(given["by"], "pin", "code-b"))),
        read_steps("input_support/basic_four"),
    ),
)
def basic_four(session: Session, by: str | None, secrets: str | None, last_try: bool) -> None:
    """Name, address, date of birth, sex: after the PIN, or after the verification number B."""
    source = session.secrets(secrets)
    by = by or ("code-b" if _only_code_b(source) else "pin")
    reserve = 0 if last_try else 1
    given: Any = {"pin": source.at_hand("pin")} if by == "pin" else {"code_b": code_b(session, source)}
    four = session.card().input_support.read_basic_four(**given, reserve=reserve)
    text, lang = session.console.text, session.lang
    value = {
        "name": four.name,
        "address": four.address,
        "birth_date": None if four.birth_date is None else four.birth_date.isoformat(),
        "birth_date_text": four.birth_date_text,
        "sex": str(four.sex),
        "name_kana": four.name_kana,
        "former_name": four.former_name,
        "opened_with": by,
        "authentic": "unchecked",
    }
    rows = [
        (text("say.four.name"), four.name),
        (text("say.four.address"), four.address),
        (text("say.four.birth_date"), day(four.birth_date, lang, four.birth_date_text)),
        (text("say.four.sex"), sex(four.sex, lang)),
    ]
    title = Heading(text("say.four.title"))
    session.answer("basic-four", value, [title, Fields(rows), Line(text("say.four.unchecked"), Role.UNSURE)])


def _only_code_b(source: Secrets) -> bool:
    """Whether the secrets that were given say by themselves which way is meant."""
    from kojin_card.cli.secret_sources import GivenSecrets

    if not isinstance(source, GivenSecrets) or source.has("pin"):
        return False
    return source.has("code-b") or source.has("birth-date")
