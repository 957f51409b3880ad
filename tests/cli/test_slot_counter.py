"""Receipts, values, agreement and drawings of the counter, each by itself."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kojin_card import messages
from kojin_card.cli.console import Console
from kojin_card.cli.counter import values
from kojin_card.cli.counter.confirming import check_confirmable, confirm
from kojin_card.cli.counter.receipt import (
    Receipt,
    Written,
    check_form,
    masked,
    masked_card,
    receipt_bytes,
    receipt_json,
    receipt_page,
)
from kojin_card.cli.counter.view import bar
from kojin_card.cli.framework import Settings
from kojin_card.cli.session import Session
from kojin_card.errors import Cancelled, InputError, UsageError
from kojin_card.spec.service import FieldError, load_services

MADE = datetime(2026, 11, 27, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def session() -> Session:
    return Session(Settings(lang="en"))


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


def receipt(**other: Any) -> Receipt:
    given: dict[str, Any] = {
        "done": "issue",
        "service": "facility",
        "version": 1,
        "name_ja": "施設利用",
        "name_en": "Use of facilities",
        "owner": "municipality:13101",
        "owner_name": "架空区<b>",
        "aid": "F0" * 14,
        "card": masked_card("0123456789"),
        "counter": 1,
        "state": "active",
        "legal_basis": "図書館条例第5条",
        "made": MADE,
        "fields": [Written("user_number", "利用者番号", "User number", masked("L00482913"), masked=True)],
    }
    return Receipt(**{**given, **other})


# --- receipts ---------------------------------------------------------------------------------------------------------


def test_a_receipt_as_json_has_its_schema() -> None:
    value = json.loads(receipt_json(receipt(notes={"former_owner": "municipality:13102"})))
    schema = json.loads(files("kojin_card.cli").joinpath("schemas", "slot-receipt.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(value)
    assert value["card"] == "…6789"
    assert value["fields"][0]["value"] == "*******13"
    assert "L0048" not in json.dumps(value)


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_a_receipt_to_print_stands_alone_and_is_escaped(lang: str) -> None:
    page = receipt_page(receipt(), Console(lang=lang)).decode("utf-8")
    assert "<b>" not in page
    assert "架空区&lt;b&gt;" in page
    assert "default-src 'none'" in page
    assert messages.text("slots.receipt.keep", lang) in page
    assert messages.text("slots.receipt.masked", lang) in page
    assert ("利用者番号" in page) == (lang == "ja")
    assert "L0048" not in page
    assert "個人番号" in page  # that it is not there


@pytest.mark.parametrize(
    ("text", "shown"),
    [("123456", "****56"), ("12345", "***"), ("見本　花子", "***"), ("", "***"), ("AB-123456", "***")],
)
def test_a_masked_value(text: str, shown: str) -> None:
    assert masked(text) == shown


@given(st.text(max_size=40))
def test_a_masked_value_tells_two_characters_at_most(text: str) -> None:
    shown = masked(text)
    assert len(shown.strip("*")) <= 2
    assert shown.strip("*") == "" or text.endswith(shown.strip("*"))


def test_a_receipt_is_json_or_html() -> None:
    check_form("a.json")
    check_form("a.HTML")
    for name in ("a.pdf", "a", "-"):
        with pytest.raises(UsageError):
            check_form(name)
    assert receipt_bytes(receipt(), "x.html", Console()).startswith(b"<!DOCTYPE")
    assert receipt_bytes(receipt(), "x.json", Console()).startswith(b"{")


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def facility() -> Any:
    return load_services()["facility"]


def test_values_of_the_line_and_of_a_file(facility: Any, tmp_path: Path) -> None:
    path = tmp_path / "v.toml"
    path.write_text('\ufeffuser_number = "L1"\nvalid_until = 2029-03-31\n', "utf-8")
    found = values.given_values(facility, ["category=general", "facility_group="], str(path))
    assert found == {"user_number": "L1", "valid_until": "2029-03-31", "category": "general"}
    values.check_values(facility, found)
    wanted = values.missing(facility, found, supplied=[facility.issued.id])
    assert [one.id for one in wanted] == ["facility_group"]


@pytest.mark.parametrize(
    "text", ["x", "a = [1]", "a = 1.5", "a = true", "[a]\nb = 1", "a = 'x'\na = 'y'", "\x00", "a" * 10]
)
def test_a_file_of_anything_else_is_refused_without_repeating_it(facility: Any, tmp_path: Path, text: str) -> None:
    path = tmp_path / "v.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError) as refused:
        values.given_values(facility, [], str(path))
    assert "aaaa" not in str(refused.value)


def test_lines_that_are_no_values(facility: Any) -> None:
    for field in (["user_number"], ["user_number=1", "user_number=2"]):
        with pytest.raises(UsageError):
            values.given_values(facility, field, None)
    with pytest.raises(InputError, match="user_number"):
        values.given_values(facility, ["phone=0312345678"], None)
    with pytest.raises(FieldError) as refused:
        values.check_values(facility, {"user_number": "見本花子"})
    assert "見本" not in str(refused.value)
    assert values.personal_on_the_line(facility, ["user_number=1"])
    assert not values.personal_on_the_line(facility, ["phone=1"])


def test_what_is_missing_is_asked_for_again_until_it_fits(
    session: Session, facility: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = [facility.fields["user_number"], facility.fields["valid_until"]]
    monkeypatch.setattr(sys, "stdin", Terminal("見本\nL00482913\n2029-03-31\n"))
    assert values.ask_for(session, facility, wanted) == {"user_number": "L00482913", "valid_until": "2029-03-31"}
    shown = capsys.readouterr().err
    assert "User number (such as L00482913):" in shown
    assert "見本" not in shown
    monkeypatch.setattr(sys, "stdin", Terminal("\n"))
    with pytest.raises(Cancelled):
        values.ask_for(session, facility, wanted)
    monkeypatch.setattr(sys, "stdin", Terminal("見本\n見本\n見本\n"))
    with pytest.raises(FieldError):
        values.ask_for(session, facility, wanted)


def test_nobody_is_asked_where_nobody_is(session: Session, facility: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("L1\n"))
    with pytest.raises(InputError, match="user_number"):
        values.ask_for(session, facility, [facility.fields["user_number"]])


# --- agreement --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "agreed"), [("yes\n", True), ("y\n", True), ("はい\n", True), ("Y \n", True)])
@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_agreement_in_words(monkeypatch: pytest.MonkeyPatch, typed: str, agreed: bool, lang: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    confirm(Session(Settings(lang=lang)), "title", [("Card", "…6789")], yes=False)
    assert agreed


@pytest.mark.parametrize("typed", ["no\n", "\n", "", "yes please\n", "いいえ\n"])
def test_anything_else_is_none(session: Session, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    with pytest.raises(Cancelled):
        confirm(session, "title", [("Card", "x")], yes=False)


def test_without_anybody_only_yes_will_do(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    with pytest.raises(UsageError, match="--yes"):
        check_confirmable(yes=False)
    check_confirmable(yes=True)
    check_confirmable(yes=False, dry_run=True)
    confirm(session, "About to", [("Card", "\x1b[31m…6789")], yes=True)
    shown = capsys.readouterr().err
    assert "About to" in shown
    assert "\x1b[31m" not in shown


# --- drawings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("used", "total", "drawn"),
    [(0, 10, "...."), (10, 10, "####"), (1, 1000, "#..."), (999, 1000, "###."), (20, 10, "####"), (0, 0, "")],
)
def test_room_as_a_bar(used: int, total: int, drawn: str) -> None:
    assert bar(used, total, fancy=False, width=4) == drawn
    assert len(bar(used, total, fancy=True, width=4)) == len(drawn)
