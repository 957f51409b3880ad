"""``read my-number``: 個人番号, only for a stated duty, masked unless it is asked for in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.commands.read import begins_with_pin, of_input_support
from kojin_card.cli.framework import command, option, secret_options
from kojin_card.cli.proving import authentic, authentic_lines, prover, proving_options
from kojin_card.cli.render import Fields, Heading
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from kojin_card.cli.secret_sources import Secrets
    from kojin_card.cli.session import Session


@command(
    "read.my-number",
    option("--duty", metavar="TEXT", required=True, help="duty"),
    option("--by", type=click.Choice(["pin", "code-a"]), help="opened_by_a"),
    option("--secure-messaging", is_flag=True, help="secure_messaging"),
    option("--reveal", is_flag=True, help="reveal_number"),
    option("-o", "--output", metavar="FILE", help="output_number"),
    option("--force", is_flag=True, help="force"),
    *proving_options(),
    *secret_options(),
    plan=lambda given: of_input_support(given, "code-a", "my_number").writing(given["output"], private=True),
)
def my_number(
    session: Session,
    duty: str,
    by: str | None,
    secure_messaging: bool,
    reveal: bool,
    output: str | None,
    force: bool,
    trust: str | None,
    fast: bool,
    secrets: str | None,
    last_try: bool,
) -> None:
    """個人番号 after the PIN or after 照合番号A; with ``-o`` the twelve digits go into a file of mode 0600."""
    from kojin_card.applications.my_number import stated_duty

    stated = stated_duty(duty, "read input_support/my_number")
    if output == "-":
        raise UsageError("-o takes a file here; --reveal shows all digits", operation="read input_support/my_number")
    if output is not None:
        session.check_output(output, force=force)
    source = session.secrets(secrets)
    by = by or ("code-a" if _only_code_a(source) else "pin")
    if secure_messaging:
        begins_with_pin(by)
    given: Any = {by.replace("-", "_"): source.at_hand(by)}
    reserve = 0 if last_try else 1
    prove = prover(session, trust, fast=fast)
    number = session.card().input_support.read_my_number(
        **given, duty=stated, reserve=reserve, secure_messaging=secure_messaging, prove=prove
    )
    shown = number.reveal() if reveal else number.masked()
    if output is not None:
        session.write(output, f"{number.reveal()}\n".encode("ascii"), force=force, private=True)
    text = session.console.text
    value = {
        "my_number": shown,
        "masked": not reveal,
        "duty": number.duty,
        "opened_with": by,
        "file": output,
        "authentic": authentic(prove),
    }
    rows = [(text("say.number.number"), shown), (text("say.number.duty"), number.duty)]
    if output is not None:
        rows.append((text("say.number.file"), output))
    title = Heading(text("say.number.title"))
    session.answer("my-number", value, [title, Fields(rows), *authentic_lines(session, prove)])


def _only_code_a(source: Secrets) -> bool:
    """Whether the secrets that were given say by themselves which way is meant."""
    from kojin_card.cli.secret_sources import GivenSecrets

    return isinstance(source, GivenSecrets) and source.has("code-a") and not source.has("pin")
