"""``--secure-messaging`` of the reading commands: outcome x exit code, what it goes with, and what nobody may see."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.commandline import PINS, PLANTED, Cli
from kojin_card import messages

Card = Callable[..., Path]
FOUR = ("read", "basic-four", "--secure-messaging")
NUMBER = ("read", "my-number", "--duty", "withholding", "--secure-messaging")
CODE_A = "123456789018"


@pytest.mark.parametrize("line", [FOUR, NUMBER], ids=["four", "number"])
def test_it_gives_what_is_given_in_clear(cli: Cli, card: Card, line: tuple[str, ...]) -> None:
    path, kind = card(), line[1]
    secure = cli("--simulator", path, *line, "--json", secrets={"pin": PINS["basic"]})
    clear = cli("--simulator", path, *line[:-1], "--json", secrets={"pin": PINS["basic"]})
    assert (secure.exit, secure.json(kind)) == (0, clear.json(kind))


@pytest.mark.parametrize("line", [FOUR, NUMBER], ids=["four", "number"])
@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_nobody_sees_anything_in_the_conversation(cli: Cli, card: Card, line: tuple[str, ...], lang: str) -> None:
    run = cli("--simulator", card(), *line, "-v", "--lang", lang, secrets={"pin": PINS["basic"]})
    assert run.exit == 0
    assert "80 AE 00 00 [secret] -> 9000" in run.err
    assert "08 B0 00 00 [secret] -> 9000" in run.err
    seen = run.err.replace(" ", "").lower()
    assert not any(value in run.err or value.encode().hex() in seen for value in PLANTED if len(value) > 2)


def _without_key(path: Path) -> None:
    """As a card file of an earlier version."""
    value = json.loads(path.read_text("utf-8"))
    del value["applications"]["input_support"]["session_key"]
    path.write_text(json.dumps(value), "utf-8")


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize("line", [FOUR, NUMBER], ids=["four", "number"])
def test_a_card_that_cannot_is_not_read_in_clear(cli: Cli, card: Card, line: tuple[str, ...], lang: str) -> None:
    path = card()
    _without_key(path)
    run = cli("--simulator", path, *line, "--lang", lang, "-v", secrets={"pin": PINS["basic"]})
    assert run.exit == 12
    assert "66F1" in run.err
    assert "--secure-messaging" in run.err  # what to do instead, and that it is for the person to say so
    assert not run.out
    assert not any(value in run.all for value in PLANTED)
    failed = cli("--simulator", path, *line, "--lang", lang, "--json", secrets={"pin": PINS["basic"]}).error()
    assert failed["code"] == "secure_messaging"
    # without it the card is as good as before
    assert cli("--simulator", path, *line[:-1], secrets={"pin": PINS["basic"]}).exit == 0


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize(
    ("words", "given"),
    [
        ((*FOUR, "--by", "code-b"), {"code-b": "02080320354271"}),
        (FOUR, {"code-b": "02080320354271"}),
        (FOUR, {"birth-date": "19900803", "expiry-year": "2035", "security-code": "4271"}),
        ((*NUMBER, "--by", "code-a"), {"code-a": CODE_A}),
        (NUMBER, {"code-a": CODE_A}),
    ],
)
def test_a_verification_number_is_a_usage_error_that_says_why(
    cli: Cli, card: Card, words: tuple[str, ...], given: dict[str, str], lang: str
) -> None:
    path = card()
    before = path.read_bytes()
    run = cli("--simulator", path, *words, "--lang", lang, "-v", secrets=given)
    assert run.exit == 2
    assert "--by pin" in run.err
    assert "->" not in run.err  # nothing was sent
    assert path.read_bytes() == before
    assert not any(value in run.all for value in given.values())


@pytest.mark.parametrize(
    ("words", "pin", "left", "exit_code"),
    [
        (FOUR, "0000", None, 4),
        (NUMBER, "0000", None, 4),
        (FOUR, PINS["basic"], 0, 5),
        (FOUR, PINS["basic"], 1, 6),
        (NUMBER, PINS["basic"], 1, 6),
        ((*NUMBER, "--last-try"), PINS["basic"], 1, 0),
        (FOUR, "12", None, 2),
    ],
)
def test_outcomes(cli: Cli, card: Card, words: tuple[str, ...], pin: str, left: int | None, exit_code: int) -> None:
    path = card(tries=None if left is None else {"input_support/pin": left})
    run = cli("--simulator", path, *words, "--json", secrets={"pin": pin})
    assert run.exit == exit_code
    assert not exit_code or run.error()["remedy"]
    assert not any(value in run.all for value in PLANTED)


def test_the_published_test_card_has_no_key(cli: Cli, card: Card) -> None:
    run = cli("--simulator", card("jlis_test_card"), *FOUR, "--json", "--lang", "ja", secrets={"pin": PINS["basic"]})
    assert run.exit == 8
    assert "対応していません" in run.error()["remedy"]
    assert "--secure-messaging を外せば" in run.error()["remedy"]


def test_help_says_what_it_does_not_protect(cli: Cli) -> None:
    for command in ("basic-four", "my-number"):
        assert "neither the PIN" in " ".join(cli("read", command, "--help", "--lang", "en").out.split())
        assert "暗証番号そのものと改ざんは守りません" in "".join(
            cli("read", command, "--help", "--lang", "ja").out.split()
        )
