"""The command line on the next card (次期個人番号カード): the same words, another kind of key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.commandline import Cli
from kojin_card.pki.crl_store import add_crl
from kojin_card.pki.profile import Purpose
from kojin_card.pki.trust import TrustStore
from kojin_card.simulator.testpki import TestPki
from kojin_card.testing.documents import blank_pdf

Card = Callable[..., Path]
SECRETS = {"sign-password": "NEXT2028", "auth-pin": "2468"}
PROFILES = {Purpose.SIGNATURE: "signature_next", Purpose.AUTHENTICATION: "authentication_next"}


@pytest.fixture(scope="session")
def next_crls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of fresh lists of the CAs on P-384 for the persona's municipality."""
    folder = tmp_path_factory.mktemp("next-crl")
    now = datetime.now(UTC)
    for purpose, profile in PROFILES.items():
        crl = TestPki.load().crl(purpose, "13113", this_update=now - timedelta(minutes=5), profile=profile)
        add_crl(folder, crl, TrustStore.load("simulator"), now=now)
    return folder


@pytest.fixture
def judged(next_crls: Path) -> tuple[str, ...]:
    return ("--trust", "simulator", "--revocation", str(next_crls), "--json")


def test_sign_and_verify_raw(cli: Cli, card: Card, tmp_path: Path, judged: tuple[str, ...]) -> None:
    path = card("next_card")
    (tmp_path / "doc").write_bytes(b"a contract\n")
    secrets = {"sign-password": SECRETS["sign-password"]}
    assert cli("--simulator", path, "sign", "raw", "doc", "-o", "doc.sig", secrets=secrets).exit == 0
    assert cli("--simulator", path, "cert", "export", "sign", "-o", "cert.pem", secrets=secrets).exit == 0
    verify = ("verify", "raw", "doc.sig", "--content", "doc", "--certificate", "cert.pem", *judged)
    run = cli(*verify)
    assert run.exit == 0, run.all
    assert run.json("verdicts")["results"][0]["evidence"]["certificate_profile"] == "signature_next"
    (tmp_path / "doc").write_bytes(b"a Contract\n")
    assert cli(*verify).exit == 20


def test_sign_and_verify_cms(cli: Cli, card: Card, tmp_path: Path, judged: tuple[str, ...]) -> None:
    (tmp_path / "doc").write_bytes(b"a contract\n")
    secrets = {"sign-password": SECRETS["sign-password"]}
    assert cli("--simulator", card("next_card"), "sign", "cms", "doc", "-o", "doc.p7m", secrets=secrets).exit == 0
    assert cli("verify", "cms", "doc.p7m", *judged).exit == 0
    run = cli("verify", "cms", "doc.p7m", "--json")  # production, the default
    assert run.exit in (20, 21)
    assert "algorithms.unknown" in run.json("verdicts")["results"][0]["reasons"]


def test_sign_and_verify_pdf(cli: Cli, card: Card, tmp_path: Path, judged: tuple[str, ...]) -> None:
    (tmp_path / "doc.pdf").write_bytes(blank_pdf(["one page"]))
    secrets = {"sign-password": SECRETS["sign-password"]}
    assert cli("--simulator", card("next_card"), "sign", "pdf", "doc.pdf", "-o", "out.pdf", secrets=secrets).exit == 0
    assert cli("verify", "pdf", "out.pdf", *judged).exit == 0


def test_respond_and_verify(cli: Cli, card: Card, judged: tuple[str, ...]) -> None:
    assert cli("auth", "challenge", "--audience", "shop.example", "--purpose", "log in", "-o", "c.json").exit == 0
    line = ("--simulator", card("next_card"), "auth", "respond", "c.json", "-o", "p.jws")
    assert cli(*line, secrets={"auth-pin": SECRETS["auth-pin"]}).exit == 0
    run = cli("auth", "verify", "p.jws", "--audience", "shop.example", *judged)
    assert run.exit == 0, run.all


def test_the_certificate_is_shown_with_its_kind_of_key(cli: Cli, card: Card) -> None:
    run = cli("--simulator", card("next_card"), "cert", "show", "auth", "--json")
    assert run.exit == 0
    shown = run.json("certificate")
    assert shown["key"] == "EC-384"
    assert cli("--simulator", card("next_card"), "cert", "show", "auth").exit == 0


@pytest.mark.parametrize("which", ["sign", "auth"])
def test_the_certificate_is_judged(cli: Cli, card: Card, next_crls: Path, which: str) -> None:
    secrets = {"sign-password": SECRETS["sign-password"]} if which == "sign" else None
    line = ("--simulator", card("next_card"), "cert", "status", which, "--trust", "simulator")
    assert cli(*line, "--revocation", next_crls, "--json", secrets=secrets).exit == 0


def test_a_wrong_pin_costs_a_try_and_says_nothing_of_the_right_one(cli: Cli, card: Card, tmp_path: Path) -> None:
    (tmp_path / "doc").write_bytes(b"x")
    line = ("--simulator", card("next_card"), "sign", "raw", "doc", "-o", "doc.sig", "--json")
    run = cli(*line, secrets={"sign-password": "WRONG2028"})
    assert (run.exit, run.error()["tries_left"]) == (4, 4)
    assert "NEXT2028" not in run.all
    assert not (tmp_path / "doc.sig").exists()


def test_no_secret_and_no_key_is_printed(cli: Cli, card: Card, tmp_path: Path) -> None:
    path = card("next_card")
    (tmp_path / "doc").write_bytes(b"x")
    line = ("-v", "--simulator", path, "sign", "cms", "doc", "-o", "doc.p7m")
    run = cli(*line, secrets={"sign-password": SECRETS["sign-password"]})
    assert run.exit == 0
    for planted in ("NEXT2028", b"NEXT2028".hex(), "見本", "未来", "900000020282"):
        assert planted not in run.all
        assert planted.upper() not in run.all
