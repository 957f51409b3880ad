"""``slot issue --batch``: all rows are checked, somebody agrees, then one card after the other; resumable.

A card is named by the file of a software card, or (with ``--reader``) by its card identification number: then cards are
laid on in any order. The AID of a slot is in the journal before its card hears of it, so a run that was cut off repeats
the same issuance, which writes nothing twice.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kojin_card import messages
from kojin_card.cli.counter.confirming import check_confirmable, confirm
from kojin_card.cli.counter.desk import Desk, DeskOptions, card_number, issuer_of
from kojin_card.cli.counter.journal import Journal, journal_of
from kojin_card.cli.counter.keys import service_called
from kojin_card.cli.counter.pins import slot_pin_problem
from kojin_card.cli.counter.receipt import receipt_json, receipt_page
from kojin_card.cli.counter.table import CardTable, Checked, Row
from kojin_card.cli.counter.values import check_values, given_values
from kojin_card.cli.counter.view import owner_words, shown_aid
from kojin_card.cli.exits import Exit, exit_of, worst
from kojin_card.cli.files import why, write_output
from kojin_card.cli.problems import OutputFailed
from kojin_card.cli.render import Block, Fields, Heading, Line, Role, Table
from kojin_card.errors import Cancelled, KojinError, NoCard, UnprovenRefused, UsageError

if TYPE_CHECKING:
    from kojin_card.card import Card
    from kojin_card.cli.session import Session
    from kojin_card.secret import Secret
    from kojin_card.slots import Issued
    from kojin_card.spec.service import Service

_OPERATION = "slot issue --batch"
#: how many failures are listed at the end; the journal has all
_MAX_LISTED = 1000
#: how long the next card is waited for, in seconds, unless --wait-for-card says it
_WAIT = 300
_LOOK_EVERY = 0.3


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What a batch is besides the desk's options."""

    table: Path
    encoding: str
    service: str
    field: tuple[str, ...] = field(repr=False)
    fields: str | None
    legal_basis: str
    name: str | None
    another: bool


@dataclass(slots=True)
class _Run:
    """What became of the rows so far."""

    issued: int = 0
    already: int = 0
    failed: list[tuple[int, KojinError]] = field(default_factory=list)
    failures: int = 0
    codes: set[Exit] = field(default_factory=set)

    def fail(self, row: int, error: KojinError) -> None:
        self.failures += 1
        self.codes.add(exit_of(error))
        if len(self.failed) < _MAX_LISTED:
            self.failed.append((row, error))


def issue_batch(session: Session, options: DeskOptions, batch: BatchOptions) -> int:
    """Issue to every card of the table.

    Raises:
        UsageError: options that exclude each other, nobody to agree. InputError: the table cannot be read.
        OutputFailed: the journal or a receipt cannot be written; nothing was sent to the card that was next.
    """
    if session.settings.simulator is not None:
        raise UsageError("the table names the cards: leave out --simulator", operation=_OPERATION)
    if session.settings.trace is not None:
        raise UsageError("a batch keeps no trace of its cards", operation=_OPERATION)
    folder = None if options.receipt is None else Path(options.receipt)
    _check_folder(folder)
    session.one_stdin(options.secrets, batch.fields)
    check_confirmable(yes=options.yes, dry_run=options.dry_run)
    desk = Desk(session, options)
    service = service_called(desk.services, batch.service)
    from kojin_card.cli.commands.slot_issue import check_kind, check_texts

    check_kind(service, desk)
    check_texts(service, desk, batch.legal_basis, batch.name)
    common = given_values(service, batch.field, batch.fields)
    check_values(service, common)
    table = CardTable(
        batch.table,
        batch.encoding,
        service,
        supplied=frozenset({*common, service.issued.id}),
        pin_problem=slot_pin_problem,
        card_problem=(lambda _: "") if session.settings.reader is not None else _file_problem(batch.table),
    )
    checked = table.check()
    if checked.bad:
        return _bad(session, batch.table, checked)
    rows = _rows(session, desk, service, batch, checked)
    if options.dry_run:
        desk.planned("issue", rows, {"service": service.id, "legal_basis": batch.legal_basis, "rows": checked.rows})
        return Exit.OK
    text = session.console.text
    confirm(session, text("slots.confirm.title", done=text("slots.done.issue")), rows, yes=options.yes)
    with Journal(journal_of(batch.table), {"service": service.id, "owner": str(desk.owner)}) as journal:
        if journal.done:
            session.say("slots.batch.resumed", done=journal.done, file=journal.path.name)
        work = _Work(desk, service, batch, table, common, journal, folder, checked.rows)
        stopped = work.go()
    return _summary(session, batch.table, work.run, checked.rows, stopped)


def _file_problem(table: Path) -> Any:
    def problem(name: str) -> str:
        return "" if "\0" not in name and (table.parent / name).is_file() else "no such file"

    return problem


def _check_folder(folder: Path | None) -> None:
    if folder is None:
        return
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except (OSError, ValueError) as bad:
        raise OutputFailed(why(bad), operation="write receipts", file=folder.name) from bad


def _rows(
    session: Session, desk: Desk, service: Service, batch: BatchOptions, checked: Checked
) -> list[tuple[str, str]]:
    text, lang = session.console.text, session.lang
    rows = [
        (text("slots.what.owner"), owner_words(desk.owner, desk.owners, lang)),
        (text("slots.what.service"), f"{service.name(lang)} ({service.id} {service.version})"),
        (text("slots.what.not"), service.not_ja if lang == "ja" else service.not_en),
        (text("slots.what.legal_basis"), batch.legal_basis),
        (text("slots.what.rows"), f"{checked.rows} ({batch.table.name})"),
        (text("slots.what.reader"), session.settings.reader or ""),
    ]
    return [row for row in rows if row[1]]


class _Work:
    """One run through the table."""

    def __init__(
        self,
        desk: Desk,
        service: Service,
        batch: BatchOptions,
        table: CardTable,
        common: dict[str, str],
        journal: Journal,
        folder: Path | None,
        total: int,
    ) -> None:
        self.desk, self.service, self.batch, self.table = desk, service, batch, table
        self.common, self.journal, self.folder, self.total = common, journal, folder, total
        self.session = desk.session
        self.run = _Run()

    def go(self) -> bool:
        """All rows; whether it was stopped before the last."""
        try:
            if self.session.settings.reader is None:
                self._files()
            else:
                self._laid_on()
        except (KeyboardInterrupt, Cancelled):
            return True
        return False

    def _say(self, at: int, row: Row, what: str) -> None:
        self.session.say(
            "slots.batch.progress",
            at=at,
            total=self.total,
            row=row.number,
            what=self.session.console.text(f"slots.batch.{what}"),
        )

    # --- software cards

    def _files(self) -> None:
        from kojin_card.card import connect

        for at, row in enumerate(self.table.rows(), 1):
            if self.journal.is_done(row.card):
                self.run.already += 1
                continue
            try:
                with connect(
                    simulator=self.batch.table.parent / row.card,
                    allow_unproven=self.session.settings.unproven,
                    lang=self.session.lang,
                ) as card:
                    self._one(at, row, card)
            except KojinError as error:
                self._failed(at, row, error)

    # --- cards that are laid on

    def _laid_on(self) -> None:
        from kojin_card.card import connect

        settings = self.session.settings
        left = sum(1 for row in self.table.rows() if not self.journal.is_done(row.card))
        self.run.already = self.total - left
        at = 0
        while left > 0:
            self.session.say("slots.batch.next_card", left=left)
            try:
                card = connect(
                    settings.reader,
                    wait=settings.wait or _WAIT,
                    allow_unproven=settings.unproven,
                    lang=self.session.lang,
                )
            except NoCard:
                return
            with card:
                number = card_number(card)
                row = next((one for one in self.table.rows() if one.card == number), None)
                if row is None:
                    self.session.say("slots.batch.not_in_table")
                elif self.journal.is_done(number):
                    self._say(at, row, "already")
                else:
                    at += 1
                    try:
                        self._one(at, row, card)
                        left -= 1
                    except KojinError as error:
                        self._failed(at, row, error)
            self.session.say("slots.batch.take_card")
            _wait_for_removal(settings.reader or "")

    # --- one card

    def _one(self, at: int, row: Row, card: Card) -> None:
        """Issue to a card: the AID is kept before anything is sent that changes it."""
        from kojin_card.cli.commands.slot_issue import second_of

        desk = self.desk
        issuer = issuer_of(self.session, card, desk.keys, desk.services, desk.owners)
        aid = self.journal.chosen(row.card)
        # also when one was chosen before: another desk may have issued since
        if not self.batch.another and (there := second_of(issuer, self.service)) not in (None, aid):
            words = f"the card has a slot of this service already: {shown_aid(there)} (one more: --another)"
            raise UsageError(words, operation=_OPERATION)
        if aid is None:
            aid = issuer.new_instance()
            self.journal.choose(row.card, aid)
        values = {**self.common, **row.values}
        issued = issuer.issue(
            self.service.id,
            values,
            legal_basis=self.batch.legal_basis,
            name=self.batch.name,
            pin=row.pin,
            instance=aid,
        )
        self._receipt(row, issued, values, card)
        self.journal.finish(row.card)
        self.run.issued += 1
        _forget(row.pin)
        self._say(at, row, "done")

    def _receipt(self, row: Row, issued: Issued, values: dict[str, str], card: Card) -> None:
        if self.folder is None:
            return
        receipt = self.desk.receipt(
            "issue",
            self.service,
            aid=issued.aid,
            counter=issued.counter,
            state="active",
            legal_basis=issued.legal_basis,
            values={self.service.issued.id: issued.date.isoformat(), **issued.values, **values},
            card=card_number(card),
        )
        name = f"{row.number:06d}-{shown_aid(issued.aid)}"
        for suffix, data in ((".json", receipt_json(receipt)), (".html", receipt_page(receipt, self.session.console))):
            write_output(self.folder / f"{name}{suffix}", data, force=True, private=True)

    def _failed(self, at: int, row: Row, error: KojinError) -> None:
        """Write it down and go on; what would fail at every card ends it."""
        if isinstance(error, UnprovenRefused | OutputFailed | Cancelled):
            raise error
        self.journal.fail(row.card, error.code)
        self.run.fail(row.number, error)
        _forget(row.pin)
        self._say(at, row, "failed")
        self.session.console.say(f"    {_why(error, self.session)}", Role.BAD)


def _why(error: KojinError, session: Session) -> str:
    """What happened at a card, on one line."""
    from kojin_card.cli.telling import problem

    told = problem(error, session.settings)
    return f"{told.words} {told.detail}".rstrip()


def _forget(pin: Secret | None) -> None:
    if pin is not None:
        pin.wipe()


def _wait_for_removal(reader: str) -> None:
    """Until no card is in any reader of that name."""
    from kojin_card.transport.pcsc import Service

    with Service() as service, suppress(KeyError):
        while any(one.present for one in service.readers() if reader.casefold() in one.name.casefold()):
            time.sleep(_LOOK_EVERY)


# --- saying it --------------------------------------------------------------------------------------------------------


def _bad(session: Session, table: Path, checked: Checked) -> int:
    """Every mistake of the table, before anything was written."""
    text, lang = session.console.text, session.lang

    def words(problem: str) -> str:
        return messages.detail(problem, lang).words or problem

    rows = [[str(one.row), one.column or "-", words(one.problem)] for one in checked.bad]
    header = [text("slots.batch.row"), text("slots.batch.column"), text("slots.batch.problem")]
    blocks: list[Block] = [Heading(text("slots.batch.title", file=table.name), wrap=True), Table(header, rows)]
    if checked.more:
        blocks.append(Line(text("slots.batch.more", count=checked.more)))
    blocks.append(Line(text("slots.batch.bad"), Role.BAD))
    value = {
        "table": table.name,
        "rows": checked.rows,
        "issued": 0,
        "already": 0,
        "failed": [],
        "bad": [{"row": one.row, "column": one.column or None, "problem": words(one.problem)} for one in checked.bad],
        "more_bad": checked.more,
        "complete": False,
    }
    session.answer("slot-batch", value, blocks)
    return Exit.BAD_INPUT


def _summary(session: Session, table: Path, run: _Run, total: int, stopped: bool) -> int:
    from kojin_card.cli.telling import problem

    text = session.console.text
    complete = run.issued + run.already == total
    told = [(row, problem(error, session.settings)) for row, error in run.failed]
    words = text("slots.batch.summary", issued=run.issued, already=run.already, failed=run.failures)
    blocks: list[Block] = [Heading(text("slots.batch.title", file=table.name), wrap=True)]
    if told:
        blocks.append(
            Fields([(text("slots.batch.bad_row", row=row), f"{one.words} {one.detail}".rstrip()) for row, one in told])
        )
    blocks.append(Line(words, Role.GOOD if complete else Role.BAD))
    if not complete:
        blocks.append(Line(text("slots.batch.again")))
    value = {
        "table": table.name,
        "rows": total,
        "issued": run.issued,
        "already": run.already,
        "failed": [{"row": row, "error": one.as_json()} for row, one in told],
        "bad": [],
        "more_bad": 0,
        "complete": complete,
    }
    session.answer("slot-batch", value, blocks)
    if stopped:
        return Exit.CANCELLED
    return worst(run.codes) if run.codes else (Exit.OK if complete else Exit.NO_CARD)
