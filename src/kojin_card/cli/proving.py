"""Reads prove first: what is not proved genuine is not shown. One place for every read that can be proved.

A read takes :func:`proving_options`, plans :func:`proving_steps`, hands :func:`prover` to its driver as ``prove``, and
says :func:`authentic` and :func:`authentic_lines` of what it shows. A read that is refused ends with 20 or 21, and
nothing of it is printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card import messages
from kojin_card.cli.framework import option
from kojin_card.cli.genuine import AUTHENTIC, card_store, card_store_option, proof_steps
from kojin_card.cli.render import Line, Role
from kojin_card.errors import UsageError
from kojin_card.verdict import Indication

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import click

    from kojin_card.cli.explain import Step
    from kojin_card.cli.session import Session
    from kojin_card.verification.authenticity import RecordProver


def proving_options() -> tuple[click.Parameter, ...]:
    """``--trust`` and ``--fast``."""
    return (card_store_option(), option("--fast", is_flag=True, help="fast"))


def proving_steps(given: Mapping[str, Any], place: str) -> tuple[Step, ...]:
    """What the proof of ``application/file`` adds to the plan of a read."""
    return () if given["fast"] else proof_steps(place)


def prover(session: Session, trust: str | None, *, fast: bool) -> RecordProver | None:
    """Who judges the read; None: nobody, as ``--fast`` wants it.

    Raises:
        UsageError: a store, and nothing that is judged by it.
        TrustError, SpecError: the store cannot be used.
    """
    if fast and trust is not None:
        raise UsageError("--trust judges, and --fast leaves the judging out", operation="read")
    return None if fast else session.card().prover(card_store(session, trust))


def authentic(prove: RecordProver | None) -> str:
    """What JSON says under ``authentic`` of what is shown: ``true``, or ``unchecked``. What is not is not shown."""
    return AUTHENTIC[Indication.INDETERMINATE if prove is None else Indication.TOTAL_PASSED]


def authentic_words(session: Session, prove: RecordProver | None) -> list[str]:
    """The same for people; and where nothing binds the record to the card, what they must compare themselves."""
    text = session.console.text
    if prove is None:
        return [text("say.four.unchecked")]
    words = [text("say.four.proved", store=text(f"say.store.{prove.judge.store.store}"))]
    if prove.verdict is not None and "not_bound" in prove.verdict.notes:
        words.append(messages.note_words("not_bound", session.lang))
    return words


def authentic_lines(session: Session, prove: RecordProver | None) -> list[Line]:
    """:func:`authentic_words` as blocks."""
    first, *rest = authentic_words(session, prove)
    return [Line(first, Role.UNSURE if prove is None else Role.GOOD), *map(Line, rest)]
