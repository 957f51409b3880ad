"""照合番号B and the birth-date key, given as they are or made from what is printed on the card's face."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from kojin_card.errors import SecretFormatError
from kojin_card.secret import Secret

if TYPE_CHECKING:
    from kojin_card.cli.secret_sources import GivenSecrets, PromptedSecrets, Secrets
    from kojin_card.cli.session import Session
    from kojin_card.secret import PinSource

_PIECES = ("birth-date", "expiry-year", "security-code")
_ONLY_FOR_B = _PIECES[1:]  # a birth date may be there for ``read age``
_WHOLE = 14  # digits of 照合番号B itself, which some cards make in another way


def code_b(session: Session, source: Secrets) -> Secret | PinSource:
    """照合番号B as it was given, or made from the three pieces: at hand, or asked for later."""
    from kojin_card.cli.secret_sources import PromptedSecrets

    if isinstance(source, PromptedSecrets):
        return _AskedCodeB(session, source.at_hand("birth-date"))
    if source.has("code-b") or not any(source.has(piece) for piece in _ONLY_FOR_B):
        return source.at_hand("code-b")
    return _code_b_of(*(source.at_hand(name).reveal().decode("ascii") for name in _PIECES))


def gives_code_b(source: GivenSecrets) -> bool:
    """Whether 照合番号B was given, as it is or in all its pieces."""
    return source.has("code-b") or all(source.has(piece) for piece in _PIECES)


def birth_code(source: Secrets) -> Secret | PinSource:
    """The six digits that open the age record: as they were given, made from the birth date, or asked for later."""
    from kojin_card.cli.secret_sources import GivenSecrets

    if not isinstance(source, GivenSecrets) or source.has("birth-code") or not source.has("birth-date"):
        return source.at_hand("birth-code")
    from kojin_card.applications import birth_code as made_of

    return made_of(_day(source.at_hand("birth-date").reveal().decode("ascii")))


class _AskedCodeB:
    """照合番号B, asked for piece by piece, or typed whole at the first question, when the card has said how many tries
    are left; a :class:`~kojin_card.secret.PinSource`."""

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
        pieces: list[str] = []
        for piece in _PIECES:
            with self._prompts.secret(piece, label=text(f"say.secret.{piece}"), tries_left=None) as typed:
                pieces.append(typed.reveal().decode("ascii"))
            if len(pieces) == 1 and _are_digits(pieces[0], _WHOLE):
                return Secret(pieces[0])
        return _code_b_of(*pieces)


def _code_b_of(birth_date: str, expiry_year: str, security_code: str) -> Secret:
    from kojin_card.applications import verification_code_b

    birth = _day(birth_date)
    if not _are_digits(expiry_year, 4):
        words = "the year of the card's expiry has 4 digits (YYYY)"
        raise SecretFormatError(words, operation="read a year", secret="expiry-year")
    return verification_code_b(birth, int(expiry_year), security_code)


def _day(text: str) -> date:
    digits = text.replace("-", "")
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if _are_digits(digits, 8) else None
    except ValueError:
        day = None
    if day is None:
        words = "the date of birth is a day of the calendar, 8 digits (YYYYMMDD)"
        raise SecretFormatError(words, operation="read a date", secret="birth-date")
    return day


def _are_digits(value: str, count: int) -> bool:
    return len(value) == count and value.isascii() and value.isdigit()
