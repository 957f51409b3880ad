"""Answering with verdicts: one or several, errors among them, one exit code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kojin_card.cli.exits import Exit, exit_of, exit_of_indication, worst
from kojin_card.cli.streams import give_up_stdout
from kojin_card.cli.verdicts import verdict_blocks, verdict_json
from kojin_card.errors import KojinError
from kojin_card.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kojin_card.cli.judging import Judging
    from kojin_card.cli.render import Block
    from kojin_card.cli.session import Session


def answer_verdicts(session: Session, judging: Judging, results: Sequence[tuple[str, Verdict | KojinError]]) -> Exit:
    """Show every result, after the report was written where one is wanted; the worst one decides. Nothing judged is
    not success.

    Args:
        results: what was judged (a file's name, a role) and the verdict, or why there is none.

    Raises:
        OutputExists, OutputFailed: the report cannot be written.
    """
    if judging.report is not None:
        _report(session, judging, judging.report, results)
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


def _report(session: Session, judging: Judging, file: str, results: Sequence[tuple[str, Verdict | KojinError]]) -> None:
    from kojin_card.cli.files import write_output
    from kojin_card.cli.report import report_page
    from kojin_card.cli.telling import problem

    told = [(name, one if isinstance(one, Verdict) else problem(one, session.settings)) for name, one in results]
    data = report_page(told, session.console, session.now())
    write_output(Path(file), data, force=judging.force, private=True)
    session.say("say.report.written", file=file)


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
            title = session.console.text("say.verdict.of", name=name)
            blocks: list[Block] = verdict_blocks(result, session.console, title)
            session.console.show(blocks)
        else:
            session.say("say.verdict.of", name=name)
            report(result, session.settings)
