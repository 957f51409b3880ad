"""``read licence``: proved, not proved, forged; with and without a PIN; nothing is shown of a forged one."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.commandline import PINS, Cli
from kojin_card import messages
from support import ROOT

Card = Callable[..., Path]
KEY = ROOT / "fixtures" / "pki" / "simulator-licence-issuer.pem"
LINE = ("read", "licence")
PIN = {"licence-pin": "2468"}
#: what the record of the persona says, and what must not be seen of one that is forged
RECORD = ("990912345670", "眼鏡等", "優良")


def forged(path: Path) -> Path:
    """The card file with another licence number in the record."""
    card = json.loads(path.read_text("utf-8"))
    file = card["applications"]["licence"]["files"]["licence_information"]
    old = b"990912345670".hex()
    assert old in file["octets"]
    file["octets"] = file["octets"].replace(old, b"990912345671".hex())
    path.write_text(json.dumps(card), "utf-8")
    return path


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_proved_with_the_issuers_key(cli: Cli, card: Card, lang: str, tmp_path: Path) -> None:
    path = card("licence_holder")
    line = ("--simulator", path, *LINE, "--issuer-key", KEY, "--lang", lang)
    run = cli(*line, "-o", "photo.jp2", "-v", secrets=PIN)
    assert run.exit == 0
    assert messages.text("say.licence.test_key", lang) in run.out  # anybody can sign with the software card's key
    assert messages.text("say.licence.proved", lang) not in run.out
    for shown in RECORD:
        assert shown in run.out
        assert shown not in run.err
    assert PIN["licence-pin"] not in run.all
    photo = tmp_path / "photo.jp2"
    assert photo.read_bytes().startswith(b"\x00\x00\x00\x0cjP  ")
    assert stat.S_IMODE(photo.stat().st_mode) == 0o600
    value = cli(*line, "--json", secrets=PIN).json("licence")
    assert (value["genuine"], value["photo_file"], value["test_key"]) == ("proved", None, True)
    assert value["verdict"]["evidence"]["issuer_key"] == "published test key"
    labels = {name: messages.evidence_label(name, lang) for name in value["verdict"]["evidence"]}
    assert not [name for name, label in labels.items() if label == name or label not in run.out]
    assert value["licence"]["number"] == "990912345670"
    assert value["licence"]["categories"] == ["ordinary", "ordinary_motorcycle", "moped", "semi_medium"]
    assert value["verdict"]["indication"] == "TOTAL_PASSED"


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_without_a_key_it_is_shown_and_labelled(cli: Cli, card: Card, lang: str) -> None:
    line = ("--simulator", card("licence_holder"), *LINE, "--lang", lang)
    run = cli(*line, secrets=PIN)
    assert run.exit == 21
    assert messages.text("say.licence.unproved", lang) in run.out
    assert all(shown in run.out for shown in RECORD)
    value = cli(*line, "--json", secrets=PIN).json("licence")
    assert (value["genuine"], value["verdict"]["sub_indication"]) == ("unproved", "NO_SIGNING_CERTIFICATE_FOUND")
    assert (value["verdict"]["store"], value["test_key"]) == ("given-key", False)
    assert "issuer_key" not in value["verdict"]["evidence"]
    assert [check["state"] for check in value["verdict"]["checks"] if check["id"] == "certificate"] == ["unknown"]
    assert f"{messages.text('say.verdict.key', lang)}" in run.out
    assert messages.text("say.store.no-key", lang) in run.out
    assert not any(words in run.out for words in ("given-key", "✗", messages.state_words("failed", lang) + ":"))


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_nothing_of_a_forged_record_is_shown(cli: Cli, card: Card, lang: str, tmp_path: Path) -> None:
    path = forged(card("licence_holder"))
    line = ("--simulator", path, *LINE, "--issuer-key", KEY, "--lang", lang, "-o", "photo.jp2")
    for extra in ((), ("--json",), ("-v",), ("--plain",)):
        run = cli(*line, *extra, secrets=PIN)
        assert run.exit == 20
        assert not any(shown in run.all for shown in (*RECORD, "990912345671", "普通", "Ordinary", "ordinary"))
    assert not (tmp_path / "photo.jp2").exists()
    value = cli(*line, "--json", secrets=PIN).json("licence")
    assert (value["licence"], value["genuine"], value["photo_file"]) == (None, "forged", None)
    assert messages.text("say.licence.forged", lang) in cli(*line, secrets=PIN).out


@pytest.mark.parametrize("given", [None, {"pin": "5678"}, {"licence-pin": "1111"}])
def test_a_licence_without_a_pin_needs_none(cli: Cli, card: Card, given: dict[str, str] | None) -> None:
    path = card("licence_without_pin")
    run = cli("--simulator", path, *LINE, "--issuer-key", KEY, "--lang", "ja", secrets=given)
    assert run.exit == 0
    assert "架空橋〓〓間に限る" in run.out
    assert messages.text("say.licence.drawn", "ja") in run.out


@pytest.mark.parametrize(
    ("words", "given", "left", "exit_code"),
    [
        (LINE, {"licence-pin": "0000"}, None, 4),
        (LINE, PIN, 0, 5),
        (LINE, PIN, 1, 6),
        (LINE, {"licence-pin": "12"}, None, 2),
        (LINE, {"licence-pin": "****"}, None, 2),
        (LINE, {"pin": PINS["basic"]}, None, 2),  # no other PIN stands in for it
        (LINE, None, None, 2),
        ((*LINE, "-o", "-"), PIN, None, 2),
        ((*LINE, "-o", "no/folder"), PIN, None, 10),
        ((*LINE, "--issuer-key", "missing"), PIN, None, 10),
        ((*LINE, "--issuer-key", "wrong.pem"), PIN, None, 10),
    ],
)
def test_outcomes(
    cli: Cli,
    card: Card,
    tmp_path: Path,
    words: tuple[str, ...],
    given: dict[str, str] | None,
    left: int | None,
    exit_code: int,
) -> None:
    (tmp_path / "wrong.pem").write_text("no key", "utf-8")
    path = card("licence_holder", tries=None if left is None else {"licence/pin": left})
    before = path.read_bytes()
    for lang in messages.LANGUAGES:
        run = cli("--simulator", path, *words, "--json", "--lang", lang, secrets=given)
        assert run.exit == exit_code
        assert run.error()["remedy"]
        assert not any(shown in run.all for shown in RECORD)
        assert not any(value in run.all for value in (given or {}).values() if len(value) > 2)
    assert exit_code == 4 or path.read_bytes() == before


def test_one_standard_input(cli: Cli, card: Card) -> None:
    path = card("licence_holder")
    run = cli("--simulator", path, *LINE, "--issuer-key", "-", "--secrets", "-", "--json")
    assert (run.exit, run.error()["code"]) == (2, "usage")
    assert cli("--simulator", path, *LINE, "--issuer-key", "-", secrets=PIN, stdin=KEY.read_bytes()).exit == 0


def test_a_photo_is_not_put_over_a_file(cli: Cli, card: Card, tmp_path: Path) -> None:
    (tmp_path / "photo.jp2").write_bytes(b"mine")
    line = ("--simulator", card("licence_holder"), *LINE, "-o", "photo.jp2")
    assert cli(*line, secrets=PIN).exit == 2
    assert (tmp_path / "photo.jp2").read_bytes() == b"mine"
    assert cli(*line, "--force", secrets=PIN).exit == 21
    assert (tmp_path / "photo.jp2").read_bytes() != b"mine"


def test_a_card_without_a_licence_says_so(cli: Cli, card: Card) -> None:
    run = cli("--simulator", card(), *LINE, "--json", "--lang", "en", secrets=PIN)
    assert (run.exit, run.error()["code"]) == (8, "not_on_card")
    assert "no driving licence on this card" in run.error()["remedy"]
    assert "記録されていません" in cli("--simulator", card(), *LINE, "--lang", "ja", secrets=PIN).err


@pytest.mark.parametrize(
    ("lang", "words"), [("ja", "参照番号では見つかりませんでした"), ("en", "was not found at the reference")]
)
def test_a_licence_pin_that_is_elsewhere_is_said_to_be_not_found(cli: Cli, lang: str, words: str) -> None:
    made = ("--persona", "licence_holder", "--knob", "licence_pin_reference_82=on")
    assert cli("simulator", "new", "other.json", *made).exit == 0
    run = cli("--simulator", "other.json", *LINE, "--json", "--lang", lang, secrets=PIN)
    assert (run.exit, run.error()["code"]) == (8, "not_on_card")
    assert words in run.error()["remedy"]
    rows = cli("--simulator", "other.json", "pin", "status", "--json", "--lang", lang).json("pin-status")["secrets"]
    assert [(row["state"], words in row["next"]) for row in rows if row["application"] == "licence"] == [
        ("absent", True)
    ]
    shown = cli("--simulator", "other.json", "pin", "status", "--lang", lang).out
    assert "".join(words.split()) in "".join(shown.split())


def test_a_blocked_licence_pin_sends_people_to_the_police(cli: Cli, card: Card) -> None:
    path = card("licence_holder", tries={"licence/pin": 0})
    assert "police" in cli("--simulator", path, *LINE, "--json", "--lang", "en", secrets=PIN).error()["remedy"]
    run = cli("--simulator", path, "pin", "status", "--lang", "en")
    assert "police" in run.out
    assert "municipality" not in run.out
    rows = cli("--simulator", path, "pin", "status", "--json").json("pin-status")["secrets"]
    assert [row["state"] for row in rows if row["application"] == "licence"] == ["blocked"]
