"""``--report FILE.html``: verdicts as one page for a case file, to be read, printed and kept.

Every word that says what became of something is ours; what was found in files and certificates is escaped, and stands
in a box of its own, so that nothing in it can be taken for a verdict.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kojin_card import messages
from kojin_card.cli.console import SYMBOLS
from kojin_card.cli.html import page
from kojin_card.cli.render import Role, html_text
from kojin_card.cli.verdicts import answer_words, circumstances, evidence_words, overall, reason_text, rests_on, state
from kojin_card.cli.wording import moment, person_rows
from kojin_card.verdict import Indication, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from kojin_card.cli.console import Console
    from kojin_card.cli.telling import Problem
    from kojin_card.verdict import Check

#: foreground colours on white, each with a contrast of 7:1 at least (WCAG AA wants 4.5:1)
COLOURS: Mapping[Role, str] = {Role.GOOD: "#0b5d1e", Role.BAD: "#a4001d", Role.UNSURE: "#6b4e00"}
TEXT, BACKGROUND, BOX, FAINT = "#1a1a1a", "#ffffff", "#f4f4f4", "#4a4a4a"

_STYLE = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ margin: 1.5rem auto; max-width: 60rem; padding: 0 1rem; font: 1rem/1.6 sans-serif; }}
body {{ color: {TEXT}; background: {BACKGROUND}; }}
h1 {{ font-size: 1.5rem; margin: 0; }}
h2 {{ font-size: 1.25rem; margin: 2rem 0 .5rem; border-bottom: 2px solid {TEXT}; overflow-wrap: anywhere; }}
h3, h4, h5, h6 {{ font-size: 1.05rem; margin: 1.2rem 0 .3rem; }}
table {{ border-collapse: collapse; width: 100%; margin: .3rem 0 1rem; }}
caption {{ text-align: left; color: {FAINT}; padding: .2rem 0; }}
th, td {{ border: 1px solid #767676; padding: .3rem .5rem; text-align: left; vertical-align: top; }}
td, th {{ overflow-wrap: anywhere; }}
th {{ word-break: keep-all; overflow-wrap: break-word; }} /* or Japanese labels are squeezed to two characters a line */
thead th {{ background: {BOX}; }}
.state {{ white-space: nowrap; font-weight: bold; }}
.answer {{ font-size: 1.15rem; font-weight: bold; margin: .5rem 0; padding: .3rem .8rem; border: 2px solid; }}
.note {{ margin: .6rem 0; padding: .2rem .8rem; border: 2px solid {TEXT}; }}
.good {{ color: {COLOURS[Role.GOOD]}; }}
.bad {{ color: {COLOURS[Role.BAD]}; }}
.unsure {{ color: {COLOURS[Role.UNSURE]}; }}
.given {{ font-family: monospace; font-size: .9rem; font-weight: normal; color: {TEXT}; background: {BOX}; }}
.given {{ border: 1px solid #767676; padding: 0 .3em; white-space: pre-wrap; overflow-wrap: anywhere; }}
.part {{ margin-left: 1rem; }}
ul {{ margin: 0; padding-left: 1.1rem; }}
a {{ color: {TEXT}; }}
@page {{ size: A4; margin: 16mm; }}
@media print {{
  body {{ margin: 0; padding: 0; max-width: none; font-size: 9.5pt; }}
  thead {{ display: table-header-group; }}
  tr, .answer, .note {{ break-inside: avoid; }}
  h2, h3, h4, h5, h6, caption {{ break-after: avoid; }}
}}
"""


@dataclass(frozen=True, slots=True)
class _Row:
    """One result as the summary has it."""

    name: str
    symbol: str
    role: Role
    answer: str
    words: str


def report_page(results: Sequence[tuple[str, Verdict | Problem]], console: Console, made: datetime) -> bytes:
    """The report, UTF-8.

    Args:
        results: what was judged (a file's name, a role) and the verdict, or why there is none. A verdict's holder is
            shown when it has one (``--disclose``).
    """
    return page(console.lang, console.text("say.report.title"), _STYLE, _Report(console).body(results, made))


class _Report:
    """Makes the parts of the page, in one language."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.lang = console.lang

    def text(self, key: str, **values: object) -> str:
        """A text of ours for the page."""
        return html_text(self.console.text(f"say.report.{key}", **values))

    def body(self, results: Sequence[tuple[str, Verdict | Problem]], made: datetime) -> Iterator[str]:
        """Everything between ``<body>`` and its end."""
        yield "<header>"
        yield f"<h1>{self.text('title')}</h1>"
        yield f"<p>{self.text('made', time=moment(made, self.lang))}</p>"
        if any(isinstance(one, Verdict) and _of_tests(one) for _, one in results):
            yield f'<p class="note">{self.text("test_store")}</p>'
        yield "</header>"
        yield "<main>"
        yield from self.summary(results)
        for number, (name, result) in enumerate(results, 1):
            yield f'<section aria-labelledby="result-{number}">'
            yield f'<h2 id="result-{number}">{number}. {given(name)}</h2>'
            if isinstance(result, Verdict):
                yield from self.verdict(result, 3)
            else:
                yield self.answer(self.row(name, result))
                detail = f" {given(result.detail)}" if result.detail else ""
                yield f"<p>{html_text(result.words)}{detail}</p>"
                yield f"<p>{html_text(result.remedy)}</p>"
            yield "</section>"
        yield "</main>"
        yield "<footer>"
        yield from (f"<p>{self.text(key)}</p>" for key in ("states", "boxed", "legal"))
        yield "</footer>"

    # --- all results ------------------------------------------------------------------------------------------------

    def row(self, name: str, result: Verdict | Problem) -> _Row:
        """The answer to one result."""
        if isinstance(result, Verdict):
            symbol, role = overall(result)
            return _Row(name, symbol, role, _answer(result), answer_words(result, self.lang))
        return _Row(name, "none", Role.UNSURE, self.console.text("say.report.none"), result.words)

    def summary(self, results: Sequence[tuple[str, Verdict | Problem]]) -> Iterator[str]:
        """One line a result."""
        count = Counter(str(one.indication) if isinstance(one, Verdict) else "error" for _, one in results)
        caption = self.text(
            "summary_caption",
            count=len(results),
            passed=count[Indication.TOTAL_PASSED],
            failed=count[Indication.TOTAL_FAILED],
            undecided=count[Indication.INDETERMINATE],
            errors=count["error"],
        )
        yield f'<section aria-labelledby="summary"><h2 id="summary">{self.text("summary")}</h2>'
        rows = []
        for number, (name, result) in enumerate(results, 1):
            row = self.row(name, result)
            link = f'<a href="#result-{number}">{number}. {given(name)}</a>'
            rows.append((link, self.sign(row.symbol, row.role, row.answer), html_text(row.words)))
        yield from table(caption, [self.text(key) for key in ("judged", "answer", "meaning")], rows)
        yield "</section>"

    def sign(self, symbol: str, role: Role, words: str) -> str:
        """A state: by its sign and in words, whatever its colour."""
        return f'<span class="state {role.value}">{_sign(symbol)} {html_text(words)}</span>'

    def answer(self, row: _Row) -> str:
        """The answer to one result."""
        return f'<p class="answer {row.role.value}">{_sign(row.symbol)} {html_text(row.answer)}</p>'

    # --- one verdict ------------------------------------------------------------------------------------------------

    def verdict(self, verdict: Verdict, level: int) -> Iterator[str]:
        """A verdict under headings of that level."""
        heading = f"h{min(level, 6)}"
        row = self.row("", verdict)
        if verdict.subject == "timestamp":  # a good one beside a bad signature must not look like a good signature
            yield f"<p>{_sign(row.symbol)} {html_text(row.words)}</p>"
        else:
            yield self.answer(row)
            yield f"<p>{html_text(row.words)}</p>"
        if verdict.sub_indication is not None:
            sub = str(verdict.sub_indication)
            words = messages.sub_indication_words(sub, self.lang, verdict.subject)
            yield f"<p>{html_text(sub)}: {html_text(words)}</p>"
        yield f"<{heading}>{self.text('checks')}</{heading}>"
        header = [self.text(key) for key in ("check", "state", "words", "evidence")]
        rows = [self.check(check, verdict.subject) for check in verdict.checks]
        yield from table(self.text("checks_caption"), header, rows)
        yield f"<{heading}>{self.text('basis')}</{heading}>"
        basis = [(html_text(label), html_text(value)) for label, value in rests_on(verdict, self.console)]
        basis += [(self.label(name), self.value(name, value)) for name, value in verdict.evidence.items()]
        yield from table(self.text("basis_caption"), [self.text("what"), self.text("value")], basis)
        if verdict.holder is not None:
            yield f"<{heading}>{html_text(self.console.text('say.verdict.holder'))}</{heading}>"
            person = [(html_text(label), given(value)) for label, value in person_rows(verdict.holder, self.console)]
            yield from table(self.text("holder_caption"), [self.text("what"), self.text("value")], person)
        for kind, inner in (("part", verdict.parts), ("timestamp", verdict.timestamps)):
            for number, part in enumerate(inner, 1):
                title = html_text(self.console.text(f"say.verdict.{kind}", number=number))
                yield f'<div class="part"><{heading}>{title}</{heading}>'
                yield from self.verdict(part, level + 1)
                yield "</div>"

    def check(self, check: Check, subject: str) -> tuple[str, ...]:
        """One check: its name, what became of it, what that means, and why."""
        symbol, role = state(check)
        items = [f"<li>{self.label(name)}: {self.value(name, value)}</li>" for name, value in check.evidence.items()]
        return (
            html_text(messages.check_label(str(check.id), self.lang)),
            self.sign(symbol, role, messages.state_words(str(check.state), self.lang)),
            html_text(reason_text(check, self.lang, subject) + circumstances(check, self.console)),
            f"<ul>{''.join(items)}</ul>" if items else "",
        )

    def value(self, name: str, value: str) -> str:
        """An evidence: in words of ours where there are some, else as it was found."""
        words = evidence_words(name, value, self.console)
        return html_text(words) if words else given(value)

    def label(self, name: str) -> str:
        """What an evidence is called; its id where there are no words."""
        return html_text(messages.evidence_label(name, self.lang))


def given(text: str) -> str:
    """Text that was found somewhere: in a box, and its direction its own affair."""
    return f'<bdi class="given">{html_text(text)}</bdi>'


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table of cells that are markup already; the first cell of a row names it."""
    yield f"<table><caption>{caption}</caption>"
    names = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    yield f"<thead><tr>{names}</tr></thead><tbody>"
    for first, *more in rows:
        cells = "".join(f"<td>{cell}</td>" for cell in more)
        yield f'<tr><th scope="row">{first}</th>{cells}</tr>'
    yield "</tbody></table>"


def _sign(symbol: str) -> str:
    """The sign that stands before the words which say the same: nobody has to hear it read."""
    return f'<span aria-hidden="true">{SYMBOLS[symbol][0]}</span>'


def _answer(verdict: Verdict) -> str:
    sub = verdict.sub_indication
    return str(verdict.indication) + (f" / {sub}" if sub else "")


def _of_tests(verdict: Verdict) -> bool:
    return verdict.store in ("simulator", "jlis-test") or any(_of_tests(part) for part in verdict.parts)
