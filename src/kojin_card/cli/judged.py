"""Answering with verdicts: one or several, errors among them, one exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kojin_card.cli.exits import Exit, exit_of, exit_of_indication, worst
from kojin_card.cli.streams import give_up_stdout
from kojin_card.cli.verdicts import verdict_blocks, verdict_json
from kojin_card.errors import KojinError
from kojin_card.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kojin_card.cli.render import Block
    from kojin_card.cli.session import Session


def answer_verdicts(session: Session, results: Sequence[tuple[str, Verdict | KojinError]]) -> Exit:
    """Show every result; the worst one decides. Nothing judged is not success.

    Args:
        results: what was judged (a file's name, a role) and the verdict, or why there is none.
    """
    codes = [
        exit_of_indication(result.indication) if isinstance(result, Verdict) else exit_of(result)
        for _, result in results
    ]
    overall = worst(codes) if codes else Exit.INDETERMINATE
    try:
        _show(session, results, overall)
    except BrokenPipeError:  # whoever read has gone; the exit code still says what was judged, but nobody saw a success
        give_up_stdout()
        return overall or Exit.UNEXPECTED
    return overall


def _show(session: Session, results: Sequence[tuple[str, Verdict | KojinError]], overall: Exit) -> None:
    from kojin_card.cli.telling import problem, report

    if session.settings.json:
        rows: list[dict[str, Any]] = []
        for name, result in results:
            if isinstance(result, Verdict):
                rows.append({"name": name, **verdict_json(result, session.lang)})
            else:
                rows.append({"name": name, "error": problem(result, session.settings).as_json()})
        session.console.json("verdicts", {"results": rows, "exit": int(overall)})
        return
    for name, result in results:
        if isinstance(result, Verdict):
            blocks: list[Block] = verdict_blocks(result, session.console, name)
            session.console.show(blocks)
        else:
            session.console.say(f"{name}:")
            report(result, session.settings)
