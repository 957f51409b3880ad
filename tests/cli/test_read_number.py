"""``read my-number``: never without a duty, masked unless asked, in no trace; outcome x exit code."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.commandline import PINS, Cli
from kojin_card import messages

Card = Callable[..., Path]
NUMBER = "123456789018"
LINE = ("read", "my-number", "--duty", "withholding")


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize("given", [{"pin": PINS["basic"]}, {"code-a": NUMBER}], ids=["pin", "code-a"])
def test_it_is_masked_and_in_no_trace(cli: Cli, card: Card, given: dict[str, str], lang: str) -> None:
    path = card()
    run = cli("--simulator", path, *LINE, "-v", "--lang", lang, secrets=given)
    assert run.exit == 0
    assert "********9018" in run.out
    assert messages.text("say.number.title", lang) in run.out
    assert "withholding" in run.out
    assert NUMBER not in run.all
    assert NUMBER.encode().hex() not in run.all.lower().replace(" ", "")
    value = cli("--simulator", path, *LINE, "--json", secrets=given).json("my-number")
    assert (value["my_number"], value["masked"], value["authentic"]) == ("********9018", True, "true")
    value = cli("--simulator", path, *LINE, "--fast", "--json", secrets=given).json("my-number")
    assert (value["my_number"], value["masked"], value["authentic"]) == ("********9018", True, "unchecked")
    assert value["opened_with"] == next(iter(given))


def test_all_digits_only_where_they_were_asked_for(cli: Cli, card: Card, tmp_path: Path) -> None:
    path, given = card(), {"pin": PINS["basic"]}
    run = cli("--simulator", path, *LINE, "--reveal", "-v", "--json", secrets=given)
    assert run.json("my-number")["my_number"] == NUMBER
    assert NUMBER not in run.err
    run = cli("--simulator", path, *LINE, "-o", "n.txt", "--json", secrets=given)
    assert (run.json("my-number")["file"], run.exit) == ("n.txt", 0)
    assert NUMBER not in run.all
    assert (tmp_path / "n.txt").read_text("ascii") == f"{NUMBER}\n"
    assert stat.S_IMODE((tmp_path / "n.txt").stat().st_mode) == 0o600
    assert cli("--simulator", path, *LINE, "-o", "n.txt", secrets=given).exit == 2
    assert cli("--simulator", path, *LINE, "-o", "n.txt", "--force", secrets=given).exit == 0


@pytest.mark.parametrize(
    ("words", "given", "left", "exit_code"),
    [
        (LINE, {"pin": "0000"}, None, 4),
        (LINE, {"code-a": "123456789026"}, None, 4),
        (LINE, {"pin": PINS["basic"]}, 0, 5),
        (LINE, {"pin": PINS["basic"]}, 1, 6),
        (LINE, {"pin": "12"}, None, 2),
        (LINE, {"sign-password": PINS["sign"]}, None, 2),
        (("read", "my-number"), {"pin": PINS["basic"]}, None, 2),
        (("read", "my-number", "--duty", " "), {"pin": PINS["basic"]}, None, 2),
        ((*LINE, "-o", "-"), {"pin": PINS["basic"]}, None, 2),
        ((*LINE, "-o", "no/folder"), {"pin": PINS["basic"]}, None, 10),
    ],
)
def test_outcomes(
    cli: Cli, card: Card, words: tuple[str, ...], given: dict[str, str], left: int | None, exit_code: int
) -> None:
    path = card(tries=None if left is None else {"input_support/pin": left})
    before = path.read_bytes()
    run = cli("--simulator", path, *words, "--json", secrets=given)
    assert run.exit == exit_code
    assert run.error()["remedy"]
    assert NUMBER not in run.all
    assert not any(value in run.all for value in given.values() if len(value) > 2)
    assert exit_code == 4 or path.read_bytes() == before  # only a wrong secret spends a try
