"""What people at a counter get wrong, and whether the answer says what is to be done about that, not about a file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from cli.commandline import Cli, Run
from cli.counter import BASIS, CITY, KEYS, LIBRARY, PASSPHRASE, WITH_PIN, Counter, toml
from kojin_card import messages
from kojin_card.secret import Secret
from kojin_card.slots import OwnerKeys, OwnerStore

ISSUE = ("slot", "issue", "facility", "--keys", "city.keys", "--legal-basis", BASIS)
CERTIFY = ("slot-issuer", "certify-terminal", "gate-public.pem", "--keys", "city.keys", "--service", "facility")
DAMAGED = {"ja": "壊れているおそれ", "en": "may be damaged"}


def ran(cli: Cli, card: str, lang: str, *words: str, secrets: Any = KEYS) -> Run:
    return cli("--simulator", f"{card}.json", "--lang", lang, *words, secrets=secrets)


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize(
    ("secret", "tries", "exit_code"), [("0000", 3, 4), ("0000", 2, 4), ("0000", 1, 6), ("2580", 0, 5), ("25a0", 3, 2)]
)
def test_the_slot_pin_is_the_services_and_not_the_municipal_counters(
    cli: Cli, counter: Counter, secret: str, tries: int, exit_code: int, lang: str
) -> None:
    for _ in range(3 - tries):
        ran(cli, "seal", lang, "slot", "show", "--last-try", secrets={"slot-pin": "0000"})
    run = ran(cli, "seal", lang, "slot", "show", secrets={"slot-pin": secret})
    assert run.exit == exit_code
    for wrong in ("住民票のある", "市区町村の窓口での初期化", "municipality", "署名用", "signature"):
        assert wrong not in run.err
    form = {"ja": "半角数字4桁", "en": "4 half-width digits"}[lang]
    assert (form if exit_code == 2 else "slot unblock") in run.err.replace("（\n", "（").replace("\n", " ")


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_a_slot_without_pin_says_so(cli: Cli, counter: Counter, lang: str) -> None:
    shown = ran(cli, "card", lang, "slot", "show", secrets=WITH_PIN)
    assert (shown.exit, "--terminal" in shown.err, "info" in shown.err) == (8, True, False)
    line = ("slot", "unblock", "--keys", "city.keys", "--yes")
    unblocked = ran(cli, "card", lang, *line, secrets={**KEYS, "new-slot-pin": "1111"})
    assert unblocked.exit == 8
    assert {"ja": "このスロットに暗証番号はありません", "en": "the slot has no PIN"}[lang] in unblocked.err
    assert "info" not in unblocked.err


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_every_missing_value_is_named_at_once(cli: Cli, counter: Counter, lang: str) -> None:
    run = ran(cli, "room", lang, *ISSUE, "--yes", "--field", "category=general")
    assert run.exit == 10
    for word in ("user_number", "facility_group", "valid_until", "--fields"):
        assert word in run.err
    assert DAMAGED[lang] not in run.err


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_the_codes_of_a_field_are_named(cli: Cli, counter: Counter, lang: str) -> None:
    (counter.folder / "odd.toml").write_text(toml({**LIBRARY, "facility_group": "garden"}), "utf-8")
    run = ran(cli, "room", lang, *ISSUE, "--yes", "--fields", "odd.toml")
    assert (run.exit, "library, sports" in run.err, "garden" in run.err) == (10, True, False)


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize(
    "line",
    [
        (*ISSUE, "--yes", "--fields", "library.toml", "--field", "colour=blue"),
        ("slot-issuer", "init", "new.keys", "--owner", "municipality:132217"),
        ("slot-issuer", "init", "new.keys", "--owner", "架空市"),
        (*CERTIFY, "--terminal-name", "GATE", "--group", "library", "-o", "x", "--read", "colour"),
        (*CERTIFY, "--terminal-name", "GATE", "--group", "library", "-o", "x", "--until", "2046-12-31"),
        (*CERTIFY, "--terminal-name", "図書館ゲート", "--group", "library", "-o", "x"),
        ("slot", "show", "--terminal", "gate.cert", "--terminal-key", "kiosk.pem"),
        ("slot", "show", "--terminal", "gate.pem", "--terminal-key", "gate.pem"),
        (
            "slot-issuer",
            "join",
            "--keys",
            "city.keys",
            "--partner",
            "prefecture:13",
            "--owners",
            "owners.toml",
            "--yes",
        ),
    ],
)
def test_what_is_no_damaged_file_is_not_called_one(
    cli: Cli, counter: Counter, line: tuple[str, ...], lang: str
) -> None:
    run = ran(cli, "card", lang, *line)
    assert run.exit == 10
    assert DAMAGED[lang] not in run.err
    if lang == "ja":
        assert "not a terminal certificate" not in run.err


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_a_certificate_that_would_have_run_out_is_told_so(cli: Cli, counter: Counter, lang: str) -> None:
    more = ("--terminal-name", "GATE", "--group", "library", "-o", "x", "--until", "2026-01-01")
    run = ran(cli, "card", lang, *CERTIFY, *more)
    assert run.exit == 2
    assert {"ja": "過ぎています", "en": "is over"}[lang] in run.err
    assert not (counter.folder / "x").exists()


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize("room", ["100", "100000"])
def test_an_issuer_is_not_sent_to_the_issuer_for_room(cli: Cli, counter: Counter, room: str, lang: str) -> None:
    line = ("slot-owner", "quota", "--trial-keys", "--owner", CITY, "--quota", room, "--yes")
    run = ran(cli, "card", lang, *line, secrets=None)
    assert run.exit == 13
    assert "slot list --trial-keys" in run.err
    assert {"ja": "発行者に割当てを増やして", "en": "ask the card's issuer"}[lang] not in run.err


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_a_domain_that_is_there_is_not_said_to_be_made(cli: Cli, counter: Counter, lang: str) -> None:
    line = ("slot-owner", "create", "--keys", "city.keys", "--trial-keys", "--yes")
    first, again = ran(cli, "bare", lang, *line), ran(cli, "bare", lang, *line)
    assert messages.text("slots.already", lang) not in first.out
    assert messages.text("slots.already", lang) in again.out
    assert ran(cli, "bare", lang, *line, "--json").json("slot-owner")["written"] is False
    more = ran(cli, "bare", lang, *line, "--quota", "4096", "--json").json("slot-owner")
    assert (more["written"], more["domain"]["quota"]) == (True, 4096)


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_deleting_what_is_gone_names_no_service(cli: Cli, counter: Counter, lang: str) -> None:
    line = ("slot", "delete", "--keys", "city.keys", "--yes", "--aid", "F04B4F4A494E0011223344556677")
    run = ran(cli, "card", lang, *line)
    assert (run.exit, "( 0)" in run.out) == (0, False)


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_an_aid_that_is_no_slots(cli: Cli, counter: Counter, lang: str) -> None:
    domain = ran(cli, "card", lang, "slot", "list", "--trial-keys", "--json", secrets=None).json("slots")["domains"][0]
    run = ran(cli, "card", lang, "slot", "suspend", "--keys", "city.keys", "--yes", "--aid", domain["aid"])
    assert (run.exit, "slot list" in run.err) == (8, True)


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_the_slots_that_could_be_meant_are_named(cli: Cli, counter: Counter, lang: str) -> None:
    run = ran(cli, "both", lang, "slot", "suspend", "--keys", "city.keys", "--yes")
    assert (run.exit, run.err.count("F04B4F4A494E")) == (2, 2)


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_a_batch_says_why_a_card_failed(cli: Cli, counter: Counter, tmp_path: Path, lang: str) -> None:
    shutil.copy("card.json", "one.json")
    rows = "card,user_number,facility_group,category,valid_until\none.json,L1,library,general,2099-03-31\n"
    Path("members.csv").write_text(rows, "utf-8")
    run = cli("--lang", lang, *ISSUE, "--batch", "members.csv", "--yes", secrets=KEYS)
    assert run.exit == 2
    assert "--another" in run.out
    assert "--another" in run.err
    assert "F04B4F4A494E" in run.out


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_states_are_called_the_same_everywhere(cli: Cli, counter: Counter, lang: str) -> None:
    run = ran(cli, "moved", lang, "slot", "resume", "--keys", "city.keys", "--yes")
    assert run.exit == 9
    if lang == "ja":
        assert "terminated" not in run.err
        assert "廃止" not in run.err
        assert "終了" in run.err


def test_one_word_for_the_hand_over() -> None:
    for catalogue in messages.CATALOGUES:
        for name, entry in messages.load(catalogue).items():
            assert "引渡" not in str(entry), f"{catalogue}.{name}"


def test_after_a_rotation_the_cards_slots_know_the_new_keys(cli: Cli, counter: Counter) -> None:
    public = OwnerKeys.load(Path("next.keys"), Secret(PASSPHRASE)).public("架空市", "City")
    Path("next.toml").write_text(OwnerStore((public,)).toml(), "utf-8")
    certify = ("slot-issuer", "certify-terminal", "gate-public.pem", "--keys", "next.keys", "--service", "facility")
    more = ("--terminal-name", "GATE-2", "--group", "library", "-o", "new.cert")
    assert cli(*certify, *more, secrets=KEYS).exit == 0
    show = (
        "slot",
        "show",
        "--terminal-key",
        "gate.pem",
        "--owners",
        "next.toml",
        "--status",
        "cards.toml",
        "--terminal",
    )
    assert ran(cli, "card", "en", *show, "new.cert", secrets=None).exit == 8  # no slot lists its CA
    rotate = ("slot-issuer", "rotate", "--keys", "next.keys", "--yes", "--json")
    first = ran(cli, "card", "en", *rotate).json("slot-rotated")
    assert (first["written"], len(first["renewed"])) == (True, 1)
    assert ran(cli, "card", "en", *show, "new.cert", secrets=None).exit == 0
    assert ran(cli, "card", "en", *show, "gate.cert", secrets=None).exit == 0  # the one before it may still run
    again = ran(cli, "card", "en", *rotate).json("slot-rotated")
    assert (again["written"], again["renewed"]) == (False, [])


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize("more", [("--legal-basis", "条" * 200), ("--legal-basis", BASIS, "--name", "a\x1b[31m")])
@pytest.mark.parametrize("way", [("--dry-run",), ("--yes",), ("--yes", "--batch", "members.csv")])
def test_texts_that_no_slot_takes_are_refused_before_anything(
    cli: Cli, counter: Counter, more: tuple[str, ...], way: tuple[str, ...], lang: str
) -> None:
    Path("members.csv").write_text("card\nroom.json\n", "utf-8")
    line = ("slot", "issue", "facility", "--keys", "city.keys", "--fields", "library.toml")
    card = () if "--batch" in way else ("--simulator", "room.json")
    run = cli(*card, "--lang", lang, *line, *more, *way, secrets=KEYS)
    assert (run.exit, "--legal-basis" in run.err, "docs/reference" in run.err, run.out) == (10, True, False, "")
    assert {"ja": "次のことを行います", "en": "About to write"}[lang] not in run.err
    assert "too long together" not in run.err or lang == "en"
