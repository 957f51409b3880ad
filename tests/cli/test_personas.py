"""Every persona with every command that opens a card: the exit code that a person or a script gets.

Typed from what each persona is for (docs/personas.md) and from the exit codes of ARCHITECTURE §7: 5 a blocked secret, 8
what this card has not got, 21 what nobody can judge as valid. What is not named here works: 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.commandline import Cli
from kojin_card.simulator import SoftCard, persona_names
from kojin_card.spec import load_card_spec
from kojin_card.testing.documents import blank_pdf
from tables import table

JUDGED = "--trust simulator --revocation lists"
COMMANDS: Mapping[str, str] = {
    "info": "info",
    "pin status": "pin status",
    "four, PIN": "read basic-four --by pin",
    "four, secure messaging": "read basic-four --by pin --secure-messaging",
    "four, B": "read basic-four --by code-b",
    "number, PIN": "read my-number --duty tax --by pin",
    "number, A": "read my-number --duty tax --by code-a",
    "face, B": "read face --by code-b",
    "face, A": "read face --by code-a",
    "age": "read age --at-least 18",
    "licence": "read licence",
    "show auth": "cert show auth",
    "show sign": "cert show sign",
    "show auth-ca": "cert show auth-ca",
    "show sign-ca": "cert show sign-ca",
    "status auth": f"cert status auth {JUDGED}",
    "status sign": f"cert status sign {JUDGED}",
    "raw auth": "sign raw in.pdf -o out --key auth",
    "raw sign": "sign raw in.pdf -o out",
    "cms": "sign cms in.pdf -o out",
    "pdf": "sign pdf in.pdf -o out",
    "respond": "auth respond challenge.json -o out",
    "change auth": "pin change auth",
    "change sign": "pin change sign",
    "change text": "pin change text",
    "change registry": "pin change registry",
}
BY_TEXT_PIN = ("four, PIN", "four, secure messaging", "number, PIN", "change text")
OF_SURFACE = (*BY_TEXT_PIN, "four, B", "number, A", "face, B", "face, A", "age", "change registry")
WITH_AUTH = ("raw auth", "respond", "change auth")
WITH_SIGN = ("show sign", "status sign", "raw sign", "cms", "pdf", "change sign")
OF_JPKI = (*WITH_AUTH, *WITH_SIGN, "show auth", "show auth-ca", "show sign-ca", "status auth")


def each(commands: tuple[str, ...], code: int) -> dict[str, int]:
    return dict.fromkeys(commands, code)


NO_LICENCE = {"licence": 8}
UNDER_15 = each(WITH_SIGN, 8)
PHONE = each(OF_SURFACE, 8)
#: persona -> command -> exit code, where it is not 0
EXPECTED: Mapping[str, Mapping[str, int]] = {
    "android": PHONE,
    "blocked_auth": each(WITH_AUTH, 5),
    "blocked_input_support": each(BY_TEXT_PIN, 5),
    "blocked_resident_registry": {"change registry": 5},
    "blocked_sign": each(WITH_SIGN, 5),
    "born_heisei_last": UNDER_15,
    "born_reiwa_first": UNDER_15,
    "child": UNDER_15,
    "emigrated": {"status auth": 21, "status sign": 21},
    "emigrated_continued": {"status sign": 21},
    "expired": {"status auth": 21, "status sign": 21},
    "face_authentication": {**each((*BY_TEXT_PIN, *WITH_AUTH, *WITH_SIGN), 5), "change registry": 5},
    "infant": UNDER_15,
    "iphone": PHONE,
    # of that card a few files and PINs were published, and no key
    "jlis_test_card": {
        **each((*OF_JPKI, "face, B", "face, A", "age", "four, secure messaging"), 8),
        # nor a signed record: what is read cannot be proved, and is not shown without --fast
        **each(("four, PIN", "four, B", "number, PIN", "number, A"), 21),
        "change auth": 0,
        "change sign": 0,
    },
    "licence_holder": {"licence": 21},  # no issuer's key is public
    "licence_without_pin": {"licence": 21},
    "resident_registry_card": each((*OF_JPKI, *OF_SURFACE), 8),
}
FORMS = {"pin": "5678", "auth-pin": "1234", "sign-password": "ABC123", "registry-pin": "9012", "licence-pin": "2468"}
FORMS |= {"code-a": "123456789018", "code-b": "02080320354271", "birth-code": "020803"}
NEW = {"new-pin": "4826", "new-auth-pin": "4826", "new-sign-password": "XYZ789", "new-registry-pin": "4826"}


class Row(NamedTuple):
    """One command on one persona's card."""

    persona: str
    command: str

    def __str__(self) -> str:
        return f"{self.persona}, {self.command}"


ROWS = [Row(persona, command) for persona in persona_names() for command in COMMANDS]


def secrets_of(path: Path) -> dict[str, str]:
    """What opens this card, as its holder knows it; where a secret has no value, one of its form."""
    spec, known = load_card_spec(), {}
    with SoftCard.open(path) as card:
        for name, application in card.state.applications.items():
            for key, content in application.keys.items():
                if content.secret is not None and content.secret != b"****":
                    known[spec[name].keys[key].secret] = content.secret.decode("ascii")
    return {**FORMS, **NEW, **known}


@pytest.mark.parametrize("row", table("personas", ROWS, size=31 * 26, sample=90))
def test_every_command_on_every_personas_card(cli: Cli, card: Callable[..., Path], row: Row) -> None:
    path = card(row.persona)
    Path("in.pdf").write_bytes(blank_pdf(["x"]))
    cli("auth", "challenge", "--audience", "a", "--purpose", "p", "-o", "challenge.json")
    if "lists" in COMMANDS[row.command]:
        assert cli("simulator", "set", path, "--lists", "lists").exit == 0
    asks = row.command not in ("info", "pin status")
    run = cli("--simulator", path, *COMMANDS[row.command].split(), "--json", secrets=secrets_of(path) if asks else None)
    wanted = {**NO_LICENCE, **EXPECTED.get(row.persona, {})}.get(row.command, 0)
    assert run.exit == wanted, run.all
    if wanted not in (0, 21):
        assert run.error()["remedy"]


def test_the_table_names_personas_and_commands_that_there_are() -> None:
    assert set(EXPECTED) <= set(persona_names())
    assert {command for row in EXPECTED.values() for command in row} <= set(COMMANDS)
