"""``read basic-four``: the four items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.explain import Plan, keys_of, plan, secure, verify
from kojin_card.cli.explain import read as read_steps
from kojin_card.cli.framework import KojinGroup, command, option, secret_options
from kojin_card.cli.printed import code_b, gives_code_b
from kojin_card.cli.proving import authentic, authentic_lines, prover, proving_options, proving_steps
from kojin_card.cli.render import Fields, Heading
from kojin_card.cli.wording import day, sex
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    option("--secure-messaging", is_flag=True, help="secure_messaging"),
    *proving_options(),
    *secret_options(),
    plan=lambda given: of_input_support(given, "code-b", "basic_four"),
)
def basic_four(
    session: Session,
    by: str | None,
    secure_messaging: bool,
    trust: str | None,
    fast: bool,
    secrets: str | None,
    last_try: bool,
) -> None:
    """Name, address, date of birth, sex: after the PIN, or after the verification number B."""
    source = session.secrets(secrets)
    by = by or ("code-b" if _only_code_b(source) else "pin")
    if secure_messaging:
        begins_with_pin(by)
    reserve = 0 if last_try else 1
    given: Any = {"pin": source.at_hand("pin")} if by == "pin" else {"code_b": code_b(session, source)}
    prove = prover(session, trust, fast=fast)
    four = session.card().input_support.read_basic_four(
        **given, reserve=reserve, secure_messaging=secure_messaging, prove=prove
    )
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
        "authentic": authentic(prove),
    }
    rows = [
        (text("say.four.name"), four.name),
        (text("say.four.address"), four.address),
        (text("say.four.birth_date"), day(four.birth_date, lang, four.birth_date_text)),
        (text("say.four.sex"), sex(four.sex, lang)),
    ]
    title = Heading(text("say.four.title"))
    session.answer("basic-four", value, [title, Fields(rows), *authentic_lines(session, prove)])


def of_input_support(given: Mapping[str, Any], other: str, file: str) -> Plan:
    """The plan of reading a file of 券面事項入力補助AP, after its PIN or the ``other`` way.

    Raises:
        UsageError: as :func:`begins_with_pin`.
    """
    by = given["by"]
    if given["secure_messaging"]:
        by = by or "pin"
        begins_with_pin(by)
    return plan(
        verify(*(f"input_support/{key}" for key in keys_of(by, "pin", other))),
        secure(given["secure_messaging"], "input_support/session_public_key"),
        read_steps(f"input_support/{file}"),
        proving_steps(given, f"input_support/{file}"),
    )


def begins_with_pin(by: str) -> None:
    """What ``--secure-messaging`` goes with, before anybody is asked for anything.

    Raises:
        UsageError: a verification number.
    """
    if by != "pin":
        words = "secure messaging begins with the PIN, not with a verification number"
        raise UsageError(words, operation="secure messaging with input_support")


def _only_code_b(source: Secrets) -> bool:
    """Whether the secrets that were given say by themselves which way is meant."""
    from kojin_card.cli.secret_sources import GivenSecrets

    return isinstance(source, GivenSecrets) and not source.has("pin") and gives_code_b(source)
