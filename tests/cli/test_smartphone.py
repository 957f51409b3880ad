"""Tokens that have 公的個人認証AP only (card.md §8): words and exit 8, and a PIN before the authentication certificate.

The state is an adult's card without its other applications; that the certificate wants its PIN is put in front of it.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cli.commandline import Cli
from kojin_card.card import Card as OpenedCard
from kojin_card.cli.secret_sources import PromptedSecrets
from kojin_card.simulator import CardState, SoftCard

#: READ BINARY of EF 000A by its short identifier, and VERIFY of 0018 with four digits (card.md §4.2, §4.3)
READ_CERTIFICATE, VERIFY_PIN = bytes.fromhex("00B08A"), bytes.fromhex("0020009804")


class Phone:
    """A connection whose EF 000A answers 6982 until 0018 is verified."""

    def __init__(self, card: SoftCard) -> None:
        self._card = card
        self._open = False
        self.description = "phone.json"

    def transmit(self, command: bytes, /) -> bytes:
        if command.startswith(READ_CERTIFICATE) and not self._open:
            return bytes.fromhex("6982")
        answer = self._card.transmit(command)
        if command.startswith(VERIFY_PIN):
            self._open = answer.endswith(b"\x90\x00")
        elif command.startswith(bytes.fromhex("00A404")):
            self._open = False
        return answer

    def close(self) -> None:
        self._card.close()


@pytest.fixture
def phone(tmp_path: Path, states: Callable[[str], CardState], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a token; every command opens it as a phone."""
    state = states("adult")
    path = tmp_path / "phone.json"
    only = replace(state, applications={"jpki": state.applications["jpki"]}, content=None)
    SoftCard.create(path, only).close()

    def connect(reader: str | None = None, *, simulator: str, **how: object) -> OpenedCard:
        del reader, how["wait"], how["waiting"]
        return OpenedCard(Phone(SoftCard.open(simulator)), ours=True, **how)  # type: ignore[arg-type]

    monkeypatch.setattr("kojin_card.card.connect", connect)
    return path


@pytest.mark.parametrize(
    ("words", "secrets"),
    [
        ("read basic-four", {"pin": "5678"}),
        ("read my-number --duty tax", {"pin": "5678"}),
        ("read face", {"code-b": "02080320364271"}),
        ("read age --at-least 20", {"birth-code": "020803"}),
        ("pin change text", {"pin": "5678", "new-pin": "4826"}),
        ("pin change registry", {"registry-pin": "9012", "new-registry-pin": "4826"}),
    ],
)
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_what_is_not_there_is_said_and_ends_with_8(
    cli: Cli, phone: Path, words: str, secrets: dict[str, str], lang: str
) -> None:
    run = cli("--simulator", phone, *words.split(), "--json", "--lang", lang, secrets=secrets)
    assert (run.exit, run.error()["code"]) == (8, "not_on_card")
    assert {"ja": "公的個人認証だけ", "en": "JPKI application only"}[lang] in run.error()["remedy"]


def test_info_and_pin_status_tell_what_there_is(cli: Cli, phone: Path) -> None:
    value = cli("--simulator", phone, "info", "--json").json("info")
    assert (value["serial"], value["municipality"], value["expiry"]) == (None, None, None)
    assert value["certificates"] == {"sign": True, "auth": True}
    assert "このカードにはありません" in cli("--simulator", phone, "info", "--lang", "ja").out
    found = cli("--simulator", phone, "pin", "status", "--json").json("pin-status")["secrets"]
    assert {one["application"] for one in found if one["state"] == "ready"} == {"jpki"}
    assert {one["state"] for one in found if one["application"] != "jpki"} == {"absent"}
    assert cli("--simulator", phone, "pin", "status").exit == 0


@pytest.mark.parametrize("command", ["show", "export", "status"])
def test_the_certificate_after_its_pin(cli: Cli, phone: Path, command: str) -> None:
    line = ("--simulator", phone, "cert", command, "auth", *(["--trust", "simulator"] if command == "status" else []))
    run = cli(*line, "--lang", "ja", "-v", secrets={"auth-pin": "1234"})
    assert run.exit == (21 if command == "status" else 0)
    assert "".join(run.err.split()).count("利用者証明用暗証番号を求めます") == 1
    assert run.err.count("] verify jpki/auth_pin") == 1
    assert "1234" not in run.err


@pytest.mark.parametrize(
    ("secrets", "exit_code", "code"),
    [
        ({"auth-pin": "4321"}, 4, "pin_rejected"),
        ({"auth-pin": "12"}, 2, "secret_format"),
        ({"pin": "1234"}, 2, "secret_unavailable"),  # another PIN is never tried in its place
        (None, 2, "secret_unavailable"),
    ],
)
def test_outcomes(cli: Cli, phone: Path, secrets: dict[str, str] | None, exit_code: int, code: str) -> None:
    before = phone.read_bytes()
    run = cli("--simulator", phone, "cert", "show", "auth", "--json", secrets=secrets)
    assert (run.exit, run.error()["code"]) == (exit_code, code)
    assert exit_code == 4 or phone.read_bytes() == before


def test_a_prompt_asks_once(cli: Cli, phone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "1234"

    monkeypatch.setattr(PromptedSecrets, "possible", staticmethod(lambda: True))
    monkeypatch.setattr(getpass, "getpass", answer)
    assert cli("--simulator", phone, "cert", "show", "auth", "--lang", "ja").exit == 0
    assert asked == ["利用者証明用暗証番号（あと3回）: "]


@pytest.mark.parametrize("persona", ["android", "iphone"])
def test_the_personas_of_phones(cli: Cli, card: Callable[..., Path], persona: str) -> None:
    """Software cards that behave so by themselves: Android wants the PIN, an iPhone shows the certificate."""
    path = card(persona)
    value = cli("--simulator", path, "info", "--json").json("info")
    assert (value["kind"], value["serial"]) == (persona, None)
    assert cli("--simulator", path, "pin", "status").exit == 0
    assert cli("--simulator", path, "read", "face", secrets={"code-b": "02080320364271"}).exit == 8
    run = cli("--simulator", path, "cert", "show", "auth", "-v", secrets={"auth-pin": "1234"})
    assert run.exit == 0
    assert ("verify jpki/auth_pin" in run.err) == (persona == "android")


def test_a_card_that_shows_it_freely_is_not_asked(cli: Cli, card: Callable[..., Path]) -> None:
    run = cli("--simulator", card(), "cert", "show", "auth", "-v", secrets={"auth-pin": "1234"})
    assert run.exit == 0
    assert "auth_pin" not in run.err
