"""``cert status`` of stored serials: one on the line, or a file of them, line by line, into a file of results."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from kojin_card import messages
from kojin_card.cli.console import JSON_SCHEMAS, json_safe
from kojin_card.cli.exits import Exit, exit_of_indication, worst
from kojin_card.cli.files import check_input, output_stream, refuse_same, standard_input, why
from kojin_card.cli.framework import option
from kojin_card.cli.judging import Judging, Moment
from kojin_card.cli.render import Block, Fields, Heading, Line, spreadsheet_cell
from kojin_card.errors import InputError, UsageError

if TYPE_CHECKING:
    from kojin_card.cli.session import Session
    from kojin_card.verification.serials import SerialResult

_OPERATION = "cert status"
#: how many bad lines are named on the screen and in the summary; all of them are in the results
MAX_NAMED = 50
_STATES = ("good", "revoked", "expired", "unknown", "bad")
_FIELDS = (
    "row", "id", "issuer_key_id", "serial", "status", "revoked_at", "revocation_reason", "indication", "sub_indication",
    "reasons", "method", "source", "asserted_by", "this_update", "next_update", "end", "judged_at", "problem",
)  # fmt: skip


def serial_options() -> tuple[click.Parameter, ...]:
    """The options of ``cert status`` for stored serials."""
    return (
        option("--serials", metavar="FILE.csv", type=click.Path(path_type=Path, allow_dash=True), help="serials"),
        option("--serial", metavar="HEX", help="serial"),
        option("--issuer", metavar="KEYID", help="serial_issuer"),
        option("--distribution-point", metavar="NAME", help="distribution_point"),
        option("--not-after", metavar="TIME", type=Moment(), help="not_after"),
        option("-o", "--output", metavar="RESULTS", help="serial_results"),
    )


@dataclass(frozen=True, slots=True)
class AskedSerials:
    """The values of :func:`serial_options`."""

    serials: Path | None
    serial: str | None
    issuer: str | None
    distribution_point: str | None
    not_after: datetime | None
    output: str | None

    @classmethod
    def taken_from(cls, options: dict[str, Any], *, role: str | None, disclose: bool) -> AskedSerials:
        """Take them out of a command's options.

        Raises:
            UsageError: not exactly one of a role, a file and a serial, or options that belong to another of them.
        """
        asked = cls(**{name: options.pop(name) for name in cls.__dataclass_fields__})
        ways = (role is not None, asked.serials is not None, asked.serial is not None)
        if sum(ways) != 1:
            raise UsageError("name one: a certificate of the card, --serials or --serial", operation=_OPERATION)
        about = (asked.issuer, asked.distribution_point, asked.not_after)
        if asked.serial is None and any(value is not None for value in about):
            raise UsageError("--issuer, --distribution-point and --not-after go with --serial", operation=_OPERATION)
        if asked.serial is not None and asked.issuer is None:
            raise UsageError("--serial needs --issuer: serials of different CA keys may be equal", operation=_OPERATION)
        if (asked.serials is None) != (asked.output is None):
            raise UsageError("--serials and -o RESULTS go together", operation=_OPERATION)
        if role is None and disclose:
            raise UsageError("a serial number discloses nothing: leave out --disclose", operation=_OPERATION)
        return asked

    def answer(self, session: Session, judging: Judging) -> int:
        """Judge what was asked."""
        if self.serials is not None and self.output is not None:
            if judging.report is not None:
                raise UsageError(
                    "--report is of single verdicts: with --serials the results say it", operation=_OPERATION
                )
            return _many(session, judging, self.serials, self.output, force=judging.force)
        from kojin_card.cli.judged import answer_verdicts

        verdict = judging.verifier(session).serial_status(
            self.serial or "",
            self.issuer or "",
            scope=self.distribution_point,
            not_after=self.not_after,
            at=judging.at,
            received_at=judging.received_at,
        )
        name = session.console.text("say.serials.one", serial=verdict.evidence["certificate_serial"])
        return answer_verdicts(session, judging, [(name, verdict)])


def _many(session: Session, judging: Judging, file: Path, output: str, *, force: bool) -> int:
    from kojin_card.verification.serials import judge_rows, read_rows

    refuse_same(output, file, judging.ocsp, operation=_OPERATION)
    session.check_output(output, force=force)
    verifier = judging.verifier(session)
    counts: Counter[str] = Counter()
    exits: set[Exit] = set()
    named: list[tuple[int, str]] = []
    with ExitStack() as opened:
        rows = read_rows(_open(file, opened), verifier.trust)
        first = next(rows, None)  # a header that is wrong is told before anything is written
        write = _writer(session, output, opened, force=force)
        following = (row for part in ((first,) if first is not None else (), rows) for row in part)
        for result in judge_rows(verifier, following, at=judging.at, received_at=judging.received_at):
            counts[result.status] += 1
            verdict, problem = result.verdict, result.row.problem
            exits.add(Exit.BAD_INPUT if verdict is None else exit_of_indication(verdict.indication))
            if problem is not None and len(named) < MAX_NAMED:
                named.append((result.row.number, problem))
            write(_values(result))
    overall = worst(exits) if exits else Exit.INDETERMINATE
    if output != "-":
        _summary(session, output, counts, named, overall)
    return overall


def _open(file: Path, opened: ExitStack) -> BinaryIO:
    if str(file) == "-":
        return standard_input()
    check_input(str(file))  # a device never ends
    try:
        return opened.enter_context(file.open("rb"))
    except OSError as bad:
        raise InputError(why(bad), operation="read a file", file=file.name) from bad


def _writer(
    session: Session, output: str, opened: ExitStack, *, force: bool
) -> Callable[[dict[str, str | int | None]], None]:
    """Writes one result: a line of CSV, or of JSON where the file is called ``.jsonl``."""
    stream = None if output == "-" else opened.enter_context(output_stream(Path(output), force=force, private=True))

    def put(text: str) -> None:
        data = text.encode("utf-8")
        if stream is None:
            session.console.raw(data)
        else:
            stream.write(data)

    if output.endswith(".jsonl"):
        schema = JSON_SCHEMAS["serial-status"]
        return lambda value: put(json_safe(json.dumps({"schema": schema, **value}, ensure_ascii=False), "utf-8") + "\n")
    put(_csv(_FIELDS))
    return lambda value: put(_csv([_cell(value[name]) for name in _FIELDS]))


def _values(result: SerialResult) -> dict[str, str | int | None]:
    row, verdict = result.row, result.verdict
    value: dict[str, str | int | None] = dict.fromkeys(_FIELDS)
    value.update(row=row.number, id=row.id or None, status=result.status, problem=row.problem)
    if verdict is None:
        return value
    from kojin_card.cli.wording import utc
    from kojin_card.verdict import CheckId

    about = verdict.check(CheckId.REVOCATION).evidence
    value.update(
        issuer_key_id=verdict.evidence["issuer_key_id"],
        serial=verdict.evidence["certificate_serial"],
        indication=str(verdict.indication),
        sub_indication=None if verdict.sub_indication is None else str(verdict.sub_indication),
        reasons=" ".join(verdict.reasons) or None,
        end=verdict.evidence.get("end"),
        judged_at=utc(verdict.time),
        problem=about.get("detail"),
    )
    kept = ("revoked_at", "revocation_reason", "method", "source", "asserted_by", "this_update", "next_update")
    value.update({name: about.get(name) for name in kept})
    return value


def _csv(cells: tuple[str, ...] | list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()


def _cell(value: str | int | None) -> str:
    return "" if value is None else spreadsheet_cell(str(value))


def _summary(session: Session, output: str, counts: Counter[str], named: list[tuple[int, str]], overall: Exit) -> None:
    text, lang = session.console.text, session.lang
    value = {
        "file": output,
        "rows": counts.total(),
        **{state: counts[state] for state in _STATES},
        "bad_rows": [{"row": row, "problem": messages.detail(words, lang).words or words} for row, words in named],
        "exit": int(overall),
    }
    blocks: list[Block] = [
        Heading(text("say.serials.title", file=output)),
        Fields([(text(f"say.serials.{state}"), str(counts[state])) for state in _STATES]),
        Line(text("say.serials.meaning")),
    ]
    blocks += [
        Line(text("say.serials.bad_row", row=row, problem=messages.detail(words, lang).words or words))
        for row, words in named
    ]
    if counts["bad"] > len(named):
        blocks.append(Line(text("say.serials.more", count=counts["bad"] - len(named))))
    session.answer("serial-statuses", value, blocks)
