"""``cert status`` of stored serials and ``--ocsp``, at the command line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from cli.commandline import Cli
from kojin_card import messages
from kojin_card.pki.profile import Purpose
from kojin_card.testing import OcspResponder
from kojin_card.testing.cards import test_pki

Card = Callable[..., Path]
TRUST = ("--trust", "simulator")
POINT = (
    "CN=Kiyose-shi CRLDP,OU=Tokyo-to,OU=CRL Distribution Points,"
    "OU=JPKI-SIMULATOR for digital signature,O=JPKI-SIMULATOR,C=JP"
)


@pytest.fixture
def responder(tmp_path: Path) -> Iterator[OcspResponder]:
    """A responder, and ``ocsp.toml`` that names it."""
    with OcspResponder(lambda: datetime.now(UTC)) as running:
        (tmp_path / "ocsp.toml").write_text(running.settings_file(), "utf-8")
        yield running


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- one --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_one_serial_by_its_list(cli: Cli, crls: Path, lang: str) -> None:
    line = ("cert", "status", "--serial", "1500001", "--issuer", "sim-signca02", "--distribution-point", POINT, *TRUST)
    run = cli(*line, "--revocation", crls, "--lang", lang)
    assert run.exit == 0
    assert {"ja": "失効していません", "en": "Not revoked."}[lang] in run.out
    assert {"ja": "期限が保管されていません", "en": "its end was not kept"}[lang] in run.out
    assert {"ja": "署名が有効かどうかは別に", "en": "whether a signature is valid must be judged"}[lang] in run.out
    (value,) = cli(*line, "--revocation", crls, "--json").json("verdicts")["results"]
    assert (value["subject"], value["indication"]) == ("serial", "TOTAL_PASSED")
    assert cli(*line).exit == 21  # nobody was asked


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_one_revoked_serial_by_a_responder(cli: Cli, responder: OcspResponder, lang: str) -> None:
    responder.revoke_serial("sim-signca02", 0x1500001, at=datetime.now(UTC) - timedelta(hours=1))
    run = cli(
        "cert",
        "status",
        "--serial",
        "1500001",
        "--issuer",
        "sim-signca02",
        "--ocsp",
        "ocsp.toml",
        *TRUST,
        "--lang",
        lang,
    )
    assert run.exit == 21
    assert {"ja": "この電子証明書は失効しています。", "en": "This certificate is revoked."}[lang] in run.out
    assert responder.requests == 1


@pytest.mark.parametrize(
    "line",
    [
        "",
        "auth --serial 1 --issuer sim-signca02",
        "auth --serials a.csv -o r.csv",
        "auth --issuer sim-signca02",
        "auth -o r.csv",
        "--serial 1",
        "--serial 1 --issuer sim-signca02 --disclose",
        "--serial 1 --issuer sim-signca02 -o r.csv",
        "--serials a.csv",
        "--serials a.csv -o r.csv --not-after 2030-01-01T00:00:00Z",
    ],
)
def test_what_does_not_go_together(cli: Cli, line: str) -> None:
    run = cli("cert", "status", *line.split(), *TRUST, "--lang", "ja")
    assert run.exit == 2
    assert "--" in run.err


# --- many -------------------------------------------------------------------------------------------------------------

FILE = (
    "id,issuer,serial\n"
    "c1,sim-signca02,1500001\n"
    '"=HYPERLINK(""http://x.invalid"")",sim-signca02,1500002\n'
    "+c3,sim-authca02,1500002\n"
    "\x1b[32mTOTAL_PASSED,sim-signca02,1500003\n"
    "＝1+1,sim-signca02,1500004\n"
    "\u202eDESSAP_LATOT,sim-signca02,1500005\n"
)


def test_a_file_of_serials_by_a_responder(cli: Cli, responder: OcspResponder, tmp_path: Path) -> None:
    responder.revoke_serial("sim-signca02", 0x1500002, at=datetime.now(UTC) - timedelta(hours=1), reason="superseded")
    (tmp_path / "kept.csv").write_text(FILE, "utf-8")
    line = ("cert", "status", "--serials", "kept.csv", "-o", "results.csv", "--ocsp", "ocsp.toml", *TRUST)
    run = cli(*line, "--lang", "en")
    assert run.exit == 21
    assert "Not revoked" in run.out
    assert "TOTAL_PASSED" not in run.out
    path = tmp_path / "results.csv"
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text("utf-8")
    assert "\x1b" not in text
    found = rows(text)
    assert [row["status"] for row in found] == ["good", "revoked", "good", "good", "good", "good"]
    assert [row["id"] for row in found] == [
        "c1", '\'=HYPERLINK("http://x.invalid")', "'+c3", r"\x1b[32mTOTAL_PASSED", "'＝1+1", r"\u202eDESSAP_LATOT",
    ]  # fmt: skip
    assert (found[1]["revocation_reason"], found[1]["indication"]) == ("superseded", "INDETERMINATE")
    assert all(row["method"] == "ocsp" and len(row["source"]) == 64 for row in found)
    assert cli(*line).exit == 2  # it is there already
    again = cli(*line, "--force", "--json").json("serial-statuses")
    assert (again["rows"], again["good"], again["revoked"], again["exit"]) == (6, 5, 1, 21)
    cli(*line[:4], "-o", "r.jsonl", *line[6:])
    lines = (tmp_path / "r.jsonl").read_text("utf-8")
    assert "\u202e" not in lines
    assert "\x1b" not in lines
    assert json.loads(lines.splitlines()[5])["id"] == "\u202eDESSAP_LATOT"  # as it was, for programs


def test_lines_of_json_and_bad_lines(cli: Cli, crls: Path, tmp_path: Path) -> None:
    text = f'issuer,serial,distribution_point\nsim-signca02,1500001,"{POINT}"\nnobody,1,\nsim-signca02,x,\n'
    (tmp_path / "kept.csv").write_text(text, "utf-8")
    run = cli("cert", "status", "--serials", "kept.csv", "-o", "r.jsonl", "--revocation", crls, *TRUST, "--lang", "ja")
    assert run.exit == 10
    assert "3 行目: その鍵識別子または名前の認証局は" in run.out
    schema = json.loads(files("kojin_card.cli").joinpath("schemas", "serial-status.json").read_text("utf-8"))
    found = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text("utf-8").splitlines()]
    for value in found:
        jsonschema.Draft202012Validator(schema).validate(value)
    assert [value["status"] for value in found] == ["good", "bad", "bad"]


def test_results_on_standard_output(cli: Cli, crls: Path) -> None:
    given = f'issuer,serial,distribution_point\nsim-signca02,1500001,"{POINT}"\n'.encode()
    run = cli("cert", "status", "--serials", "-", "-o", "-", "--revocation", crls, *TRUST, stdin=given)
    assert run.exit == 0
    assert [row["status"] for row in rows(run.out)] == ["good"]


def test_a_device_is_no_file(cli: Cli) -> None:
    assert cli("cert", "status", "--serials", "/dev/zero", "-o", "r.csv", *TRUST).exit == 10


@pytest.mark.parametrize("text", ["", "serial\n1\n", "issuer,serial,pin\n"])
def test_a_file_that_is_none_leaves_nothing(cli: Cli, tmp_path: Path, text: str) -> None:
    (tmp_path / "kept.csv").write_text(text, "utf-8")
    run = cli("cert", "status", "--serials", "kept.csv", "-o", "r.csv", *TRUST, "--lang", "ja")
    assert run.exit == 10
    assert "列" in run.err
    assert not (tmp_path / "r.csv").exists()


def test_no_line_at_all_is_not_success(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "kept.csv").write_text("issuer,serial\n", "utf-8")
    assert cli("cert", "status", "--serials", "kept.csv", "-o", "r.csv", *TRUST).exit == 21


def test_explained_without_a_card(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "kept.csv").write_text("issuer,serial\n", "utf-8")
    told = cli("cert", "status", "--serials", "kept.csv", "-o", "r.csv", "--explain", "--json").json("explained")
    assert (told["steps"], told["may_spend_tries"]) == ([], False)
    assert told["files"] == [{"file": "r.csv", "private": True}]
    assert cli("cert", "status", "--serials", "none.csv", "-o", "r.csv", "--explain").exit == 10


# --- --ocsp on the commands that judge --------------------------------------------------------------------------------


def test_a_card_is_judged_by_a_responder(cli: Cli, card: Card, responder: OcspResponder) -> None:
    path = card()
    line = ("--simulator", path, "cert", "status", "auth", "--ocsp", "ocsp.toml", *TRUST)
    assert cli(*line).exit == 0
    assert responder.requests == 1
    responder.fault = "other_nonce"
    run = cli(*line, "--lang", "ja")
    assert run.exit == 21
    assert "失効の問い合わせへの答えを信用できません" in run.out


def test_lists_and_responders_together(cli: Cli, card: Card, crls: Path, responder: OcspResponder) -> None:
    path = card()
    line = ("--simulator", path, "cert", "status", "auth", "--ocsp", "ocsp.toml", "--revocation", crls, *TRUST)
    assert cli(*line).exit == 0
    responder.fault = "hang_up"
    assert cli(*line).exit == 0  # the list still answers
    responder.fault = None
    made = cli("--simulator", path, "cert", "export", "auth", "--der", "-o", "a.der")
    assert made.exit == 0
    responder.revoke((path.parent / "a.der").read_bytes())
    assert cli(*line).exit == 21  # any revocation counts


def test_a_file_of_responders_that_is_wrong(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = ("cert", "status", "--serial", "1", "--issuer", "sim-signca02", *TRUST)
    assert cli(*line, "--ocsp", "none.toml").exit == 10
    (tmp_path / "bad.toml").write_text("schema = 1\n", "utf-8")
    assert cli(*line, "--ocsp", "bad.toml").exit == 10
    text = 'schema = 1\n[[responder]]\nissuer = "sim-signca02"\nurl = "http://ocsp.invalid/"\n'
    (tmp_path / "good.toml").write_text(text, "utf-8")
    monkeypatch.setitem(__import__("sys").modules, "httpx", None)
    run = cli(*line, "--ocsp", "good.toml", "--lang", "ja")
    assert run.exit == 11
    assert "kojin-card[ocsp]" in run.err


def test_the_name_of_the_list_is_that_of_the_certificates() -> None:
    from kojin_card.pki.reference import read_scope

    assert read_scope(POINT) == test_pki().partition(Purpose.SIGNATURE, "13221").public_bytes()
