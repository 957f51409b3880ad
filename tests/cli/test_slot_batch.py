"""``slot issue --batch``: a table is whole or nothing is done; a run that was cut off carries on; no card twice."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import kojin_card.card
from cli.commandline import Cli, Run
from cli.counter import BASIS, KEYS, PASSPHRASE, Counter
from kojin_card import connect, messages
from kojin_card.card import Card
from kojin_card.cli.counter import batch as batching
from kojin_card.errors import NoCard, TransportError
from kojin_card.simulator import SoftCard
from kojin_card.slots import SlotDirectory, SlotIssuer

COMMON = ("--field", "facility_group=library", "--field", "category=general", "--field", "valid_until=2099-03-31")
LINE = ("slot", "issue", "facility", "--keys", "city.keys", "--legal-basis", BASIS, *COMMON, "--batch", "members.csv")


@pytest.fixture
def batch(cli: Cli, counter: Counter) -> Callable[..., Run]:
    """The line, agreed to."""

    def call(*more: str, line: tuple[str, ...] = LINE, **other: Any) -> Run:
        return cli("--lang", "en", *line, "--yes", *more, secrets=KEYS, **other)

    return call


def cards(counter: Counter, count: int, *, encoding: str = "utf-8", head: str = "card,user_number") -> Path:
    """A table and its cards."""
    rows = [head]
    for number in range(count):
        shutil.copy(counter.folder / "room.json", counter.folder / f"c{number}.json")
        rows.append(f"c{number}.json,L9000{number}")
    table = counter.folder / "members.csv"
    table.write_bytes(("\r\n".join(rows) + "\r\n").encode(encoding))
    return table


def slots(counter: Counter, count: int) -> list[int]:
    """How many slots each card has."""
    found = []
    for number in range(count):
        with connect(simulator=counter.folder / f"c{number}.json") as card:
            found.append(len(SlotDirectory(card.channel).walk()))
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_one_card_after_the_other(batch: Callable[..., Run], counter: Counter, encoding: str) -> None:
    table = cards(counter, 3, encoding=encoding, head="カード,利用者番号")
    run = batch("--json", "--encoding", "cp932" if encoding == "cp932" else "utf-8")
    value = run.json("slot-batch")
    assert (run.exit, value["rows"], value["issued"], value["complete"]) == (0, 3, 3, True)
    assert slots(counter, 3) == [1, 1, 1]
    for row in range(2, 5):
        assert f"row {row}: issued" in run.err
    journal = table.with_name("members.csv.journal")
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    assert "L9000" not in journal.read_text() + run.all
    again = (
        batch("--json").json("slot-batch")
        if encoding != "cp932"
        else batch("--json", "--encoding", "cp932").json("slot-batch")
    )
    assert (again["issued"], again["already"], again["complete"]) == (0, 3, True)
    assert slots(counter, 3) == [1, 1, 1]


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_all_bad_rows_before_anything(cli: Cli, counter: Counter, lang: str) -> None:
    table = cards(counter, 2)
    table.write_text(table.read_text("utf-8") + "c9.json,L1\nc0.json,L2\nc1.json,見本\n", "utf-8")
    before = {one: one.read_bytes() for one in counter.folder.glob("*.json")}
    run = cli(*LINE, "--yes", "--lang", lang, secrets=KEYS)
    assert run.exit == 10
    for row in (4, 5, 6):
        assert f"\n  {row} " in run.out
    assert "user_number" in run.out
    assert "見本" not in run.all
    assert {one: one.read_bytes() for one in counter.folder.glob("*.json")} == before
    assert not (counter.folder / "members.csv.journal").exists()
    value = cli(*LINE, "--yes", "--json", "--lang", lang, secrets=KEYS).json("slot-batch")
    assert [one["row"] for one in value["bad"]] == [4, 5, 6, 6]
    assert all((lang == "ja") == any("ぁ" <= c <= "ヶ" for c in one["problem"]) for one in value["bad"])


def test_it_carries_on_after_a_cut(
    batch: Callable[..., Run], counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of the second card is lost: its slot is there, nobody knows, and it is not issued twice."""
    cards(counter, 4)
    issue, calls = SlotIssuer.issue, iter(range(100))

    def lost(self: SlotIssuer, *args: Any, **more: Any) -> Any:
        done = issue(self, *args, **more)
        if next(calls) == 1:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(SlotIssuer, "issue", lost)
    run = batch("--json")
    assert run.exit == 130
    assert run.json("slot-batch")["complete"] is False
    assert slots(counter, 4) == [1, 1, 0, 0]
    monkeypatch.undo()
    monkeypatch.chdir(counter.folder)
    assert batch("--json").json("slot-batch")["already"] == 1
    assert slots(counter, 4) == [1, 1, 1, 1]


def test_a_card_that_fails_does_not_stop_the_others(batch: Callable[..., Run], counter: Counter) -> None:
    cards(counter, 3)
    shutil.copy(counter.folder / "bare.json", counter.folder / "c1.json")
    run = batch("--json")
    value = run.json("slot-batch")
    assert (run.exit, value["issued"], value["complete"]) == (8, 2, False)
    assert [(one["row"], one["error"]["code"]) for one in value["failed"]] == [(3, "no_domain")]
    shutil.copy(counter.folder / "room.json", counter.folder / "c1.json")
    assert batch("--json").json("slot-batch")["complete"] is True
    assert slots(counter, 3) == [1, 1, 1]


def test_a_connection_that_fails_repeats_the_same_slot(
    batch: Callable[..., Run], counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards(counter, 2)
    transmit, left = SoftCard.transmit, [30]

    def failing(self: SoftCard, command: bytes) -> bytes:
        left[0] -= 1
        if left[0] == 0:
            raise TransportError(operation="x")
        return transmit(self, command)

    monkeypatch.setattr(SoftCard, "transmit", failing)
    run = batch()
    assert run.exit == 9
    assert batch().exit == 0
    assert slots(counter, 2) == [1, 1]


def test_a_card_that_has_the_service_already(batch: Callable[..., Run], counter: Counter) -> None:
    cards(counter, 1)
    shutil.copy(counter.folder / "card.json", counter.folder / "c0.json")
    assert batch().exit == 2
    assert slots(counter, 1) == [1]
    assert batch("--another").exit == 0
    assert slots(counter, 1) == [2]


def test_a_card_that_got_the_service_elsewhere_since(
    batch: Callable[..., Run], counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its slot was chosen and never made; then another desk issued: a batch that carries on makes no second."""
    cards(counter, 1)

    def fails(self: SlotIssuer, *args: Any, **more: Any) -> Any:
        raise TransportError("", operation="issue a slot")

    monkeypatch.setattr(SlotIssuer, "issue", fails)
    assert batch().exit != 0
    monkeypatch.undo()
    monkeypatch.chdir(counter.folder)
    elsewhere = counter.folder / "elsewhere.csv"
    elsewhere.write_bytes((counter.folder / "members.csv").read_bytes())
    line = tuple("elsewhere.csv" if one == "members.csv" else one for one in LINE)
    assert batch(line=line).exit == 0
    assert slots(counter, 1) == [1]
    assert batch().exit == 2
    assert slots(counter, 1) == [1]


def test_receipts_of_a_batch(batch: Callable[..., Run], counter: Counter) -> None:
    cards(counter, 2)
    assert batch("--receipt", "receipts").exit == 0
    found = sorted(one.name for one in (counter.folder / "receipts").iterdir())
    assert [name.rpartition(".")[2] for name in found] == ["html", "json"] * 2
    assert [name[:6] for name in found] == ["000002", "000002", "000003", "000003"]
    for one in (counter.folder / "receipts").iterdir():
        assert stat.S_IMODE(one.stat().st_mode) == 0o600
        assert "L9000" not in one.read_text("utf-8")


def test_pins_come_with_the_table_and_stay_there(batch: Callable[..., Run], counter: Counter) -> None:
    cards(counter, 1)
    head = "card,registration_number,registered_on,municipality_code,slot-pin"
    line = (
        "slot",
        "issue",
        "seal_registration",
        "--keys",
        "city.keys",
        "--legal-basis",
        BASIS,
        "--batch",
        "members.csv",
    )
    (counter.folder / "members.csv").write_text(f"{head}\nc0.json,0098765,2026-11-02,13221,97x1\n", "utf-8")
    bad = batch(line=line)
    assert (bad.exit, "97x1" in bad.all) == (10, False)
    (counter.folder / "members.csv").write_text(f"{head}\nc0.json,0098765,2026-11-02,13221,9731\n", "utf-8")
    run = batch("-v", "--receipt", "receipts", line=line)
    assert run.exit == 0
    kept = "".join(one.read_text("utf-8") for one in (counter.folder / "receipts").iterdir())
    kept += (counter.folder / "members.csv.journal").read_text("utf-8")
    assert "9731" not in run.all + kept
    assert PASSPHRASE not in run.all + kept


def test_a_dry_run_of_a_table(cli: Cli, counter: Counter) -> None:
    cards(counter, 2)
    run = cli(*LINE, "--dry-run", "--json", secrets=KEYS)
    assert (run.exit, run.json("slot-planned")["rows"]) == (0, 2)
    assert slots(counter, 2) == [0, 0]
    assert not (counter.folder / "members.csv.journal").exists()


@pytest.mark.parametrize(
    ("more", "exit_code"),
    [
        (("--simulator", "card.json"), 2),
        (("--trace", "t.txt"), 2),
        (("--from-card",), 2),
        (("--batch", "none.csv"), 10),
        (("--batch", "city.keys"), 10),
        (("--receipt", "members.csv"), 10),
    ],
)
def test_what_a_batch_does_not_take(
    batch: Callable[..., Run], counter: Counter, more: tuple[str, ...], exit_code: int
) -> None:
    cards(counter, 1)
    assert batch(*more).exit == exit_code
    assert slots(counter, 1) == [0]


def test_nobody_to_agree(cli: Cli, counter: Counter) -> None:
    cards(counter, 1)
    assert cli(*LINE, secrets=KEYS).exit == 2
    assert slots(counter, 1) == [0]


def test_a_journal_of_another_service(batch: Callable[..., Run], counter: Counter) -> None:
    cards(counter, 1)
    assert batch().exit == 0
    journal = counter.folder / "members.csv.journal"
    journal.write_text(journal.read_text().replace("facility", "staff_id"))
    assert batch().exit == 2


def test_cards_are_laid_on_in_any_order(
    batch: Callable[..., Run], counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a reader the table names cards by their identification numbers."""
    from kojin_card.cli.counter.desk import card_number

    with connect(simulator=counter.folder / "room.json") as card:
        number = card_number(card)
    (counter.folder / "members.csv").write_text(f"card,user_number\nNOT-LAID-ON,L1\n{number},L2\n", "utf-8")
    laid: Iterator[str] = iter(["room.json", "room.json"])

    def connecting(reader: Any = None, *, allow_unproven: bool, lang: str, **_: Any) -> Card:
        name = next(laid, None)
        if name is None:
            raise NoCard(operation="find a card")
        return Card(SoftCard.open(counter.folder / name), ours=False, allow_unproven=allow_unproven, lang=lang)

    monkeypatch.setattr(kojin_card.card, "connect", connecting)
    monkeypatch.setattr(batching, "_wait_for_removal", lambda _: None)
    run = batch("--reader", "x", "--unproven", "--json")
    value = run.json("slot-batch")
    assert (run.exit, value["issued"], value["complete"]) == (3, 1, False)
    assert "Lay on the next card (2 left)" in run.err
    assert "done before" in run.err  # the second time
    laid = iter(["card.json"])
    (counter.folder / "members.csv").write_text("card,user_number\nNOT-LAID-ON,L1\n", "utf-8")
    (counter.folder / "members.csv.journal").unlink()
    assert "not in the table" in batch("--reader", "x", "--unproven").err
    laid = iter(["room.json"])
    (counter.folder / "members.csv").write_text(f"card,user_number\n{number},L2\n", "utf-8")
    real = batch("--reader", "x", "--json")
    assert (real.exit, real.error()["code"]) == (14, "unproven")


def test_the_journal_has_no_value(batch: Callable[..., Run], counter: Counter) -> None:
    table = cards(counter, 1)
    assert batch().exit == 0
    lines = [json.loads(line) for line in table.with_name("members.csv.journal").read_text().splitlines()]
    assert [set(line) for line in lines] == [
        {"schema", "service", "owner"},
        {"card", "state", "aid"},
        {"card", "state"},
    ]
