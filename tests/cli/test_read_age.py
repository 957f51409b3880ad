"""``read age``: yes or no, and the birth date nowhere; outcome x exit code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.commandline import Cli
from kojin_card.cli.session import Session

Card = Callable[..., Path]
#: the adult persona's birth date, in every form in which it could leak
BIRTH = ("19900803", "1990-08-03", "1990", "020803", "平成2年", "8月3日")
CODE = {"birth-code": "020803"}


def line(path: Path, *more: str) -> tuple[object, ...]:
    return ("--simulator", path, "read", "age", *more)


@pytest.mark.parametrize("given", [CODE, {"birth-date": "19900803"}, {"birth-date": "1990-08-03"}])
@pytest.mark.parametrize(
    ("years", "on", "answer"),
    [
        ("20", "2010-08-03", True),
        ("20", "2010-08-02", False),
        ("0", "1990-08-03", True),
        ("0", "1990-08-02", False),
        ("150", "2139-01-01", False),
    ],
)
def test_both_answers_are_answers(
    cli: Cli, card: Card, given: dict[str, str], years: str, on: str, answer: bool
) -> None:
    path = card()
    run = cli(*line(path, "--fast", "--at-least", years, "--on", on, "--json"), secrets=given)
    assert run.exit == 0
    assert run.json("age") == {
        "schema": "kojin-card/age/1.0",
        "at_least": int(years),
        "on": on,
        "answer": answer,
        "authentic": "unchecked",
    }
    for lang, words in (("ja", ("いいえ", "はい")), ("en", ("no", "yes"))):
        run = cli(*line(path, "--at-least", years, "--on", on, "--lang", lang), secrets=given)
        assert (run.exit, run.out) == (0, f"{words[answer]}\n")


@pytest.mark.parametrize("how", [(), ("--json",), ("-v",), ("-v", "--json", "--lang", "ja"), ("--plain",)])
@pytest.mark.parametrize("given", [CODE, {"birth-code": "020804"}, {"birth-code": "02080"}])
def test_no_birth_date_anywhere(cli: Cli, card: Card, how: tuple[str, ...], given: dict[str, str]) -> None:
    run = cli(*line(card(), "--at-least", "20", "--on", "2026-04-01", *how), secrets=given)
    assert not [form for form in (*BIRTH, *given.values()) if form in run.all]
    assert BIRTH[0].encode().hex() not in run.all.lower().replace(" ", "")


def test_today_is_japans(cli: Cli, card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    """Midnight in Japan is 15:00 of the day before in UTC."""
    for hour, answer in ((14, False), (15, True)):
        monkeypatch.setattr(Session, "now", staticmethod(lambda hour=hour: datetime(2027, 8, 2, hour, 59, tzinfo=UTC)))
        value = cli(*line(card(), "--at-least", "37", "--json"), secrets=CODE).json("age")
        assert (value["on"], value["answer"]) == (f"2027-08-0{3 if answer else 2}", answer)


@pytest.mark.parametrize(
    ("more", "given", "left", "exit_code"),
    [
        (("--at-least", "20"), {"birth-code": "020804"}, None, 4),
        (("--at-least", "20"), CODE, 0, 5),
        (("--at-least", "20"), CODE, 1, 6),
        (("--at-least", "20", "--last-try"), CODE, 1, 0),
        (("--at-least", "20"), {"birth-code": "19900803"}, None, 2),
        (("--at-least", "20"), {"birth-date": "19900231"}, None, 2),
        (("--at-least", "20"), {"birth-date": "1990-0803x"}, None, 2),
        (("--at-least", "20"), {"pin": "5678"}, None, 2),
        ((), CODE, None, 2),
        (("--at-least", "151"), CODE, None, 2),
        (("--at-least", "-1"), CODE, None, 2),
        (("--at-least", "x"), CODE, None, 2),
        (("--at-least", "20", "--on", "2026-02-30"), CODE, None, 2),
        (("--at-least", "20", "--on", "today"), CODE, None, 2),
    ],
)
def test_outcomes(
    cli: Cli, card: Card, more: tuple[str, ...], given: dict[str, str], left: int | None, exit_code: int
) -> None:
    path = card(tries=None if left is None else {"card_face/birth_code": left})
    before = path.read_bytes()
    run = cli(*line(path, *more, "--json"), secrets=given)
    assert run.exit == exit_code
    if exit_code:
        assert run.error()["remedy"]
        assert exit_code == 4 or path.read_bytes() == before
    assert not [value for value in given.values() if len(value) > 5 and value in run.all]


def test_without_anybody_to_ask_it_names_what_it_needs(cli: Cli, card: Card) -> None:
    run = cli(*line(card(), "--at-least", "20", "--json"))
    assert (run.exit, run.error()["code"]) == (2, "secret_unavailable")
    assert "birth-code" in run.error()["message"]


@pytest.mark.parametrize("left", [10, 2])
def test_a_wrong_code_is_told_the_form_that_it_has(cli: Cli, card: Card, left: int) -> None:
    """The year of expiry and the security code are no part of it."""
    path = card(tries={"card_face/birth_code": left})
    run = cli(*line(path, "--at-least", "20", "--json", "--lang", "ja"), secrets={"birth-code": "020804"})
    assert "和暦の6桁" in run.error()["remedy"]
    assert "セキュリティコード" not in run.error()["remedy"]
