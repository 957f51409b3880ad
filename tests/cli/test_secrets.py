"""Where secrets come from, and that they go nowhere else."""

from __future__ import annotations

import getpass
import logging
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.commandline import PINS, PLANTED, Cli
from kojin_card.cli.console import Console
from kojin_card.cli.secret_sources import SECRET_NAMES, GivenSecrets, PromptedSecrets, parse_secrets
from kojin_card.errors import Cancelled, InputError, KojinError, SecretFormatError, SecretUnavailable
from kojin_card.testing.documents import blank_pdf

Card = Callable[..., Path]


# --- files ------------------------------------------------------------------------------------------------------------


def test_lines_are_name_and_value() -> None:
    found = parse_secrets("\ufeff# mine\r\n\r\npin = 1234 \r\nsign-password=A=B\n".encode())
    assert {name: value.reveal() for name, value in found.items()} == {"pin": b"1234", "sign-password": b"A=B"}


@pytest.mark.parametrize(
    "raw",
    [b"1234", b"=1234", b"PIN=1234", b"my-number=1234", b"pin=1234\npin=1234", b"\xff=1234", b"pin=1234\n" * 9000],
)
def test_anything_else_is_refused_without_repeating_it(raw: bytes) -> None:
    with pytest.raises(InputError) as refused:
        parse_secrets(raw)
    assert "1234" not in str(refused.value)


def test_a_secret_is_ascii() -> None:
    with pytest.raises(SecretFormatError):
        parse_secrets("pin=１２３４".encode())


@given(st.binary(max_size=200))
def test_hostile_bytes_give_typed_errors(raw: bytes) -> None:
    try:
        found = parse_secrets(raw)
    except KojinError:
        return
    assert found.keys() <= set(SECRET_NAMES)


def test_a_secret_that_was_not_given_is_named(cli: Cli, card: Card) -> None:
    run = cli("--simulator", card(), "read", "basic-four", "--json", secrets={"sign-password": "ABC123"})
    assert run.exit == 2
    assert run.error()["code"] == "secret_unavailable"
    assert "“pin”" in run.error()["message"]


def test_without_terminal_and_secrets_nothing_is_asked(cli: Cli, card: Card) -> None:
    path = card()
    before = path.read_bytes()
    run = cli("--simulator", path, "read", "basic-four", "--json", stdin=b"5678\n")
    assert (run.exit, run.error()["code"]) == (2, "secret_unavailable")
    assert "--secrets" in run.error()["remedy"]
    assert path.read_bytes() == before


def test_secrets_through_standard_input(cli: Cli, card: Card) -> None:
    assert cli("--simulator", card(), "read", "basic-four", "--secrets", "-", stdin=b"pin=5678\n").exit == 0
    assert cli("--simulator", card(), "read", "basic-four", "--secrets", "missing").exit == 10


def test_a_file_that_others_can_read_is_warned_of(cli: Cli, card: Card, tmp_path: Path) -> None:
    path = tmp_path / "open.secrets"
    path.write_text("pin=5678\n", "utf-8")
    for mode, warned in ((0o644, True), (0o600, False)):
        path.chmod(mode)
        run = cli("--simulator", card(), "read", "basic-four", "--secrets", path)
        assert (run.exit, "chmod 600" in run.err) == (0, warned)


# --- prompts ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], list[str]]:
    """Somebody at a terminal who answers every prompt with the given text, or with the given exception."""
    prompts: list[str] = []

    def sit(answer: object) -> list[str]:
        def ask(prompt: str) -> str:
            prompts.append(prompt)
            if isinstance(answer, BaseException):
                raise answer
            return str(answer)

        monkeypatch.setattr(PromptedSecrets, "possible", staticmethod(lambda: True))
        monkeypatch.setattr(getpass, "getpass", ask)
        return prompts

    return sit


def test_a_prompt_names_card_secret_and_tries(cli: Cli, card: Card, terminal: Callable[[object], list[str]]) -> None:
    prompts = terminal(PINS["basic"])
    run = cli("--simulator", card(), "read", "basic-four", "--lang", "ja")
    assert run.exit == 0
    assert prompts == ["券面事項入力補助用暗証番号（あと3回）: "]
    assert "カード: adult.json" in run.err


def test_a_hostile_file_name_cannot_write_to_the_terminal(
    cli: Cli, card: Card, tmp_path: Path, terminal: Callable[[object], list[str]]
) -> None:
    terminal(PINS["basic"])
    hostile = card().rename(tmp_path / "a\x1b[2J\u202eb.json")
    run = cli("--simulator", hostile, "read", "basic-four")
    assert run.exit == 0
    assert "\x1b" not in run.all
    assert "\u202e" not in run.all


@pytest.mark.parametrize(
    ("answer", "exit_code"),
    [("", 130), (EOFError(), 130), (KeyboardInterrupt(), 130), ("１２３４", 2), ("12", 2), ("0000", 4)],
)
def test_answers_at_a_prompt(
    cli: Cli, card: Card, terminal: Callable[[object], list[str]], answer: object, exit_code: int
) -> None:
    terminal(answer)
    assert cli("--simulator", card(), "read", "basic-four").exit == exit_code


def test_input_that_cannot_be_hidden_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def visible(_: str) -> str:
        import warnings

        warnings.warn("shown", getpass.GetPassWarning, stacklevel=1)
        return "1234"

    monkeypatch.setattr(PromptedSecrets, "possible", staticmethod(lambda: True))
    monkeypatch.setattr(getpass, "getpass", visible)
    with pytest.raises(SecretUnavailable):
        PromptedSecrets(Console()).secret("pin", label="x", tries_left=None)
    monkeypatch.setattr(getpass, "getpass", lambda _: "")
    with pytest.raises(Cancelled):
        PromptedSecrets(Console()).secret("pin", label="x", tries_left=None)


def test_code_b_is_asked_for_piece_by_piece(
    cli: Cli, card: Card, monkeypatch: pytest.MonkeyPatch, terminal: Callable[[object], list[str]]
) -> None:
    prompts = terminal("")
    answers = iter(["19800217", "2035", "2285"])

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return next(answers)

    monkeypatch.setattr(getpass, "getpass", ask)
    run = cli("--simulator", card("jlis_test_card"), "read", "basic-four", "--fast", "--by", "code-b", "--lang", "en")
    assert run.exit == 0
    assert len(prompts) == 3
    assert run.err.count("Card: ") == 1
    assert "tries left: 10" in run.err


@pytest.mark.parametrize("command", ["read basic-four --by code-b", "read face"])
def test_code_b_can_be_typed_whole(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, terminal: Callable[[object], list[str]], command: str
) -> None:
    """Sources disagree on how it is made (card.md §12): what is known as a number goes through as one."""
    cli("simulator", "new", "other.json", "--knob", "gregorian_code_b=on")
    shown = cli("simulator", "show", "other.json", "--reveal", "--json").json("card-file")["secrets"]
    (number,) = {one["value"] for one in shown if one["secret"] == "code-b"}
    prompts = terminal("")
    for answers, exit_code in (([number], 0), (["19900803", "2036", "4271"], 4)):
        waiting = iter(answers)

        def ask(prompt: str, waiting: Iterator[str] = waiting) -> str:
            prompts.append(prompt)
            return next(waiting)

        monkeypatch.setattr(getpass, "getpass", ask)
        run = cli("--simulator", "other.json", *command.split(), "--lang", "ja")
        assert run.exit == exit_code
        assert number not in run.all
        assert "14桁" in "".join(run.err.split())
    assert len(prompts) == 4


def test_a_real_terminal_shows_nothing_of_what_is_typed(card: Card, tmp_path: Path) -> None:
    """A pseudo-terminal: the prompt appears, the PIN does not, the answer does."""
    controller, terminal = pty.openpty()
    source = Path(__file__).parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": str(source), "KOJIN_CARD_CONFIG": str(tmp_path), "NO_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "kojin_card.cli.main", "--simulator", str(card()), "--lang", "en", "read", "basic-four"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment,
        start_new_session=True,
    )
    os.close(terminal)
    shown, typed, deadline = b"", False, time.monotonic() + 30
    try:
        while time.monotonic() < deadline:
            if not select.select([controller], [], [], 0.2)[0]:
                if process.poll() is not None:
                    break
                continue
            try:
                piece = os.read(controller, 4096)
            except OSError:  # the other end is closed
                break
            shown += piece
            if not typed and b"tries left: 3" in shown:
                typed = True
                time.sleep(0.2)
                os.write(controller, b"5678\n")
    finally:
        process.wait(timeout=30)
        os.close(controller)
    assert process.returncode == 0
    assert b"5678" not in shown
    assert "見本　花子".encode() in shown


#: of what was planted, that which may stand nowhere at all
SECRETS = ("1234", "5678", "ABC123", "9012", "123456789018")


# --- planted secrets --------------------------------------------------------------------------------------------------


def runs(card: Card) -> list[tuple[tuple[object, ...], dict[str, str] | None]]:
    """Commands that meet secrets and personal data without being asked to show any."""
    sign, auth, basic = {"sign-password": PINS["sign"]}, {"auth-pin": PINS["auth"]}, {"pin": PINS["basic"]}
    path = card()
    return [
        (("info",), None),
        (("pin", "status"), None),
        (("cert", "show", "auth"), None),
        (("cert", "show", "sign"), sign),
        (("cert", "show", "sign"), {"sign-password": "WRONG9"}),
        (("cert", "status", "sign", "--trust", "simulator"), sign),
        (("sign", "pdf", "contract.pdf", "-o", "s.pdf", "--force"), sign),
        (("sign", "cms", "contract.pdf", "-o", "s.p7s", "--force"), sign),
        (("sign", "raw", "contract.pdf", "-o", "s.sig", "--force"), sign),
        (("sign", "raw", "contract.pdf", "-o", "s.sig", "--key", "auth", "--force"), auth),
        (("auth", "respond", "challenge.json", "-o", "p.jws", "--force"), auth),
        (("auth", "respond", "challenge.json", "-o", "p.jws", "--force"), basic),
        (("verify", "pdf", "s.pdf", "--trust", "simulator"), None),
        (("verify", "cms", "s.p7s", "--trust", "simulator"), None),
        (("simulator", "show", path), None),
        (("read", "basic-four", "--by", "code-b"), {"code-b": "02080320369999"}),
        (("read", "age", "--at-least", "20"), {"birth-code": "020803"}),
        (("read", "age", "--at-least", "20"), {"birth-date": "19900803"}),
    ]


@pytest.mark.parametrize(
    "how", [(), ("--json",), ("-v",), ("--plain", "--lang", "ja"), ("-v", "--json", "--lang", "ja")]
)
def test_planted_secrets_are_never_seen(
    cli: Cli, card: Card, tmp_path: Path, caplog: pytest.LogCaptureFixture, how: tuple[str, ...]
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "contract.pdf").write_bytes(blank_pdf(["x"]))
    cli("auth", "challenge", "--audience", "a", "--purpose", "p", "-o", "challenge.json")
    path = tmp_path / "adult.json"
    exits = []
    for words, secrets in runs(card):
        run = cli("--simulator", path, *words, *how, secrets=secrets)
        exits.append(run.exit)
        seen = run.all + caplog.text
        assert not leaked(seen, (*PLANTED, *(secrets or {}).values())), words
    assert exits[4] == exits[11] == exits[15] == 4
    assert set(exits) <= {0, 4, 21}


def leaked(seen: str, planted: Iterable[str]) -> list[str]:
    """What of ``planted`` can be seen; digits inside longer numbers (dates, digests, serials) are no PIN."""
    return [
        secret
        for secret in planted
        if (re.search(rf"(?<![0-9A-Fa-f]){secret}(?![0-9A-Fa-f])", seen) if secret.isdigit() else secret in seen)
    ]


def test_planted_secrets_are_in_no_file_that_was_not_asked_for(
    cli: Cli, card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the commands leave behind: stores, lists, temporary files. A signature's certificate names its holder,
    so signatures are searched for secrets only; the card file and the files of secrets are what they are."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    (tmp_path / "contract.pdf").write_bytes(blank_pdf(["x"]))
    cli("auth", "challenge", "--audience", "a", "--purpose", "p", "-o", "challenge.json")
    for words, secrets in runs(card):
        cli("--simulator", tmp_path / "adult.json", *words, "-v", secrets=secrets)
    left = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    assert {"challenge.json", "s.pdf", "s.p7s", "s.sig", "p.jws"} <= left.keys()
    asked_for = {"s.pdf", "s.p7s"}
    for name in left.keys() - {"adult.json", "given.secrets", "contract.pdf"}:
        raw = left[name].read_bytes()
        planted = SECRETS if name in asked_for else PLANTED
        for seen in (raw.decode("latin-1"), raw.decode("utf-8", "ignore"), raw.decode("utf-16-be", "ignore")):
            assert not leaked(seen, planted), name


def test_the_four_items_are_on_stdout_and_nowhere_else(cli: Cli, card: Card) -> None:
    run = cli("--simulator", card(), "read", "basic-four", "-v", secrets={"pin": PINS["basic"]})
    assert "見本　花子" in run.out
    assert not any(secret in run.err for secret in ("見本", "架空町", "1990", "5678"))
    assert "5678" not in run.out


def test_secrets_are_wiped_when_the_command_ends() -> None:
    given_secrets = GivenSecrets(parse_secrets(b"pin=1234"))
    kept = given_secrets._values["pin"]
    given_secrets.wipe()
    assert kept.reveal() == b""
