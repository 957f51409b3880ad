"""Nothing is written to a card before somebody agreed to it in words, or a script said ``--yes``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kojin_card.cli.framework import option
from kojin_card.cli.render import Fields, Heading, Line, Role
from kojin_card.errors import Cancelled, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from kojin_card.cli.render import Block
    from kojin_card.cli.session import Session

_OPERATION = "ask before writing"
#: what counts as agreement, in either language, whatever language is shown
_AGREED = frozenset({"y", "yes", "はい"})


def writing_options() -> tuple[click.Parameter, ...]:
    """``--dry-run`` and ``--yes``."""
    return (
        option("--dry-run", is_flag=True, help="slot_dry_run"),
        option("--yes", is_flag=True, help="slot_yes"),
    )


def can_ask() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def check_confirmable(*, yes: bool, dry_run: bool = False) -> None:
    """Refuse, before a key is opened or a card is touched, what nobody could agree to later.

    Raises:
        UsageError: no ``--yes``, and nobody to ask.
    """
    if not (yes or dry_run or can_ask()):
        raise UsageError("nobody is there to agree: give --yes", operation=_OPERATION)


def confirm(session: Session, title: str, rows: Sequence[tuple[str, str]], *, yes: bool) -> None:
    """Say what is about to be done, to what, and wait for agreement.

    Args:
        title: one sentence.
        rows: service, owner, card, reader.

    Raises:
        Cancelled: they did not agree. UsageError: nobody is there.
    """
    check_confirmable(yes=yes)
    blocks: list[Block] = [Heading(title), Fields(rows)]
    if yes:
        if not session.settings.json:
            session.console.talk(blocks)
        return
    session.console.talk(blocks)
    if not _agrees(session, "slots.confirm.question"):
        raise Cancelled(operation=_OPERATION)


def holder_agrees(session: Session, rows: Sequence[tuple[str, str]], *, yes: bool) -> None:
    """Ask the holder before anything of them is read from the card.

    Raises:
        Cancelled: they did not agree. UsageError: nobody is there.
    """
    check_confirmable(yes=yes)
    session.console.talk([Line(session.console.text("slots.confirm.from_card")), Fields(rows)])
    if not yes and not _agrees(session, "slots.confirm.holder"):
        raise Cancelled(operation=_OPERATION)


def dry_run(session: Session, title: str, rows: Sequence[tuple[str, str]]) -> list[Block]:
    """What a dry run answers for people."""
    text = session.console.text
    return [Heading(title), Fields(rows), Line(text("slots.dry_run.nothing"), Role.STRONG)]


def _agrees(session: Session, question: str) -> bool:
    session.say(question)
    try:
        answer = input()
    except (EOFError, KeyboardInterrupt, UnicodeDecodeError):
        return False
    return answer.strip().casefold() in _AGREED
