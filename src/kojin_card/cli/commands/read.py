"""``read basic-four``: the four items."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.framework import KojinGroup, command, option, secret_options
from kojin_card.cli.render import Fields, Heading, Line, Role
from kojin_card.cli.wording import day, sex
from kojin_card.errors import SecretFormatError

if TYPE_CHECKING:
    from kojin_card.cli.secret_sources import PromptedSecrets, Secrets
    from kojin_card.cli.session import Session
    from kojin_card.secret import PinSource, Secret

_PIECES = ("birth-date", "expiry-year", "security-code")

read = KojinGroup(
    "read",
    {
        "basic-four": "commands.read:basic_four",
        "my-number": "commands.read_number:my_number",
        "licence": "commands.read_licence:licence",
    },
)


@command(
    "read.basic-four",
    option("--by", type=click.Choice(["pin", "code-b"]), help="opened_by"),
    *secret_options(),
)
def basic_four(session: Session, by: str | None, secrets: str | None, last_try: bool) -> None:
    """Name, address, date of birth, sex: after the PIN, or after the verification number B."""
    source = session.secrets(secrets)
    by = by or ("code-b" if _only_code_b(source) else "pin")
    reserve = 0 if last_try else 1
    given: Any = {"pin": source.at_hand("pin")} if by == "pin" else {"code_b": _code_b(session, source)}
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


def _code_b(session: Session, source: Secrets) -> Secret | PinSource:
    """照合番号B as it was given, or made from what is printed on the card's face: at hand, or asked for later."""
    from kojin_card.cli.secret_sources import PromptedSecrets

    if isinstance(source, PromptedSecrets):
        return _AskedCodeB(session, source.at_hand("birth-date"))
    if not source.has("birth-date"):
        return source.at_hand("code-b")
    return _made_of(*(source.at_hand(name).reveal().decode("ascii") for name in _PIECES))


class _AskedCodeB:
    """照合番号B, asked for piece by piece when the card has said how many tries are left; a
    :class:`~kojin_card.secret.PinSource`."""

    def __init__(self, session: Session, prompts: PromptedSecrets) -> None:
        self._console = session.console
        self._prompts = prompts

    def secret(self, name: str, *, label: str, tries_left: int | None) -> Secret:
        """See :class:`~kojin_card.secret.PinSource`."""
        del name
        text = self._console.text
        self._prompts.name_card()
        left = "?" if tries_left is None else tries_left
        self._console.say(text("say.prompt.made_of", label=label, tries_left=left))
        pieces = []
        for piece in _PIECES:
            with self._prompts.secret(piece, label=text(f"say.secret.{piece}"), tries_left=None) as typed:
                pieces.append(typed.reveal().decode("ascii"))
        return _made_of(*pieces)


def _made_of(birth_date: str, expiry_year: str, security_code: str) -> Secret:
    from kojin_card.applications import verification_code_b

    digits = birth_date.replace("-", "")
    try:
        birth = date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if _are_digits(digits, 8) else None
    except ValueError:
        birth = None
    if birth is None:
        words = "the date of birth is a day of the calendar, 8 digits (YYYYMMDD)"
        raise SecretFormatError(words, operation="read a date", secret="birth-date")
    if not _are_digits(expiry_year, 4):
        words = "the year of the card's expiry has 4 digits (YYYY)"
        raise SecretFormatError(words, operation="read a year", secret="expiry-year")
    return verification_code_b(birth, int(expiry_year), security_code)


def _are_digits(value: str, count: int) -> bool:
    return len(value) == count and value.isascii() and value.isdigit()
