"""Command x outcome x exit code."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.commandline import PINS, Cli
from kojin_card.simulator import SoftCard
from kojin_card.testing.documents import blank_pdf
from support import published_test_card

Card = Callable[..., Path]


# --- info, read, pin --------------------------------------------------------------------------------------------------


def test_info_tells_what_anyone_may_know(cli: Cli, card: Card) -> None:
    run = cli("--simulator", card(), "info", "--json")
    assert run.exit == 0
    value = run.json("info")
    assert (value["kind"], value["serial"], value["municipality"]) == (
        "individual_number_card",
        "900000000000017",
        "13221",
    )
    assert value["certificates"] == {"sign": True, "auth": True}
    assert cli("--simulator", card("child"), "info", "--json").json("info")["certificates"] == {
        "sign": False,
        "auth": True,
    }


@pytest.mark.vectors
def test_code_b_gives_the_published_items_of_the_test_card(cli: Cli, card: Card) -> None:
    holder = published_test_card()["holder"]
    secrets = {"code-b": holder["verification_code_b"]}
    path = card("jlis_test_card")
    run = cli("--simulator", path, "read", "basic-four", "--fast", "--by", "code-b", "--json", secrets=secrets)
    assert cli("--simulator", path, "read", "basic-four", "--fast", "--json", secrets=secrets).out == run.out
    value = run.json("basic-four")
    assert run.exit == 0
    assert (value["name"], value["address"]) == (holder["name"], holder["address"])
    assert value["birth_date"] == holder["birth_date"].isoformat()
    assert (value["sex"], value["authentic"], value["opened_with"]) == ("male", "unchecked", "code-b")


def test_code_b_is_made_from_what_is_printed_on_the_card(cli: Cli, card: Card) -> None:
    printed = {"birth-date": "1980-02-17", "expiry-year": "2035", "security-code": "2285"}
    arguments = ("--simulator", card("jlis_test_card"), "read", "basic-four", "--fast", "--by", "code-b", "--json")
    assert cli(*arguments, secrets=printed).exit == 0
    assert cli(*arguments, secrets={**printed, "security-code": "2286"}).exit == 4
    assert cli(*arguments, secrets={**printed, "birth-date": "19801317"}).error()["code"] == "secret_format"
    assert cli(*arguments, secrets={"birth-date": "19800217"}).error()["code"] == "secret_unavailable"


def test_four_apdus_with_the_pin(cli: Cli, card: Card) -> None:
    line = ("read", "basic-four", "--fast", "-v", "--simulator", card("jlis_test_card"))
    run = cli(*line, secrets={"pin": PINS["basic"]})
    assert run.exit == 0
    assert run.err.splitlines()[-1] == "4 APDUs"
    assert len([line for line in run.err.splitlines() if line.startswith("[")]) == 4
    ja = cli(
        "read", "basic-four", "--fast", "-v", "--lang", "ja", "--simulator", card(), secrets={"pin": PINS["basic"]}
    )
    assert ja.err.splitlines()[-1] == "カードに送ったコマンド: 4"
    assert "[secret]" in run.err
    assert "黒桐　幹也" in run.out
    assert "黒桐" not in run.err


@pytest.mark.parametrize(
    ("secret", "tries", "exit_code", "left"),
    [
        ("0000", None, 4, 2),
        ("0000", {"input_support/pin": 2}, 4, 1),
        (PINS["basic"], {"input_support/pin": 1}, 6, 1),
        (PINS["basic"], {"input_support/pin": 0}, 5, 0),
        ("12345", None, 2, None),
        ("abcd", None, 2, None),
    ],
)
def test_pin_outcomes(
    cli: Cli, card: Card, secret: str, tries: dict[str, int] | None, exit_code: int, left: int | None
) -> None:
    run = cli("--simulator", card(tries=tries), "read", "basic-four", "--json", secrets={"pin": secret})
    assert run.exit == exit_code
    error = run.error()
    assert error["tries_left"] == left
    assert error["remedy"]
    assert secret not in run.all


def test_the_last_try_is_the_callers_to_give(cli: Cli, card: Card) -> None:
    path = card(tries={"input_support/pin": 1})
    assert cli("--simulator", path, "read", "basic-four", "--last-try", secrets={"pin": "0000"}).exit == 5
    path = card(tries={"input_support/pin": 1})
    assert cli("--simulator", path, "read", "basic-four", "--last-try", secrets={"pin": PINS["basic"]}).exit == 0


def test_pin_status_tells_all_and_costs_nothing(cli: Cli, card: Card) -> None:
    path = card(tries={"jpki/auth_pin": 0, "input_support/pin": 1, "jpki/sign_password": 4})
    before = path.read_bytes()
    value = cli("--simulator", path, "pin", "status", "--json").json("pin-status")
    states = {f"{one['application']}/{one['key']}": one["state"] for one in value["secrets"]}
    assert states == {
        "common/resident_registry_pin": "ready",
        "input_support/pin": "one_left",
        "input_support/code_a": "ready",
        "input_support/code_b": "ready",
        "jpki/auth_pin": "blocked",
        "jpki/sign_password": "used",
        "card_face/birth_code": "ready",
        "card_face/code_b": "ready",
        "card_face/code_a": "ready",
        "juki/resident_registry_pin": "ready",
    }
    assert path.read_bytes() == before
    run = cli("--simulator", path, "pin", "status", "--lang", "ja")
    assert run.exit == 0
    assert "市区町村の窓口" in run.out
    assert "利用者証明用暗証番号" in run.out


def test_a_child_has_no_signature_password_to_reset(cli: Cli, card: Card) -> None:
    value = cli("--simulator", card("child"), "pin", "status", "--json").json("pin-status")
    assert {one["key"]: one["state"] for one in value["secrets"]}["sign_password"] == "absent"


# --- cert -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["auth", "sign", "auth-ca", "sign-ca"])
def test_certificates_are_shown_and_exported(cli: Cli, card: Card, tmp_path: Path, role: str) -> None:
    secrets = {"sign-password": PINS["sign"].lower()} if role == "sign" else None
    path = card()
    value = cli("--simulator", path, "cert", "show", role, "--json", secrets=secrets).json("certificate")
    assert "JPKI-SIMULATOR" in value["issuer"]
    assert "holder" not in value
    assert cli("--simulator", path, "cert", "export", role, "-o", "c.pem", secrets=secrets).exit == 0
    assert (tmp_path / "c.pem").read_text("ascii").startswith("-----BEGIN CERTIFICATE-----\n")
    der = cli("--simulator", path, "cert", "export", role, "--der", secrets=secrets)
    assert der.raw.startswith(b"\x30\x82")
    pem = cli("--simulator", path, "cert", "export", role, "--json", secrets=secrets).json("certificate-export")["pem"]
    assert pem == (tmp_path / "c.pem").read_text("ascii")


def test_the_holder_is_shown_only_on_request(cli: Cli, card: Card) -> None:
    path, secrets = card(), {"sign-password": PINS["sign"]}
    assert "見本" not in cli("--simulator", path, "cert", "show", "sign", secrets=secrets).all
    run = cli("--simulator", path, "cert", "show", "sign", "--disclose", "--json", secrets=secrets)
    assert run.json("certificate")["holder"]["name"] == "見本　花子"
    assert "見本　花子" in cli("--simulator", path, "cert", "show", "sign", "--disclose", secrets=secrets).out


@pytest.mark.parametrize(
    ("role", "store", "lists", "exit_code", "reason"),
    [
        ("auth", "simulator", True, 0, None),
        ("sign", "simulator", True, 0, None),
        ("auth-ca", "simulator", False, 0, None),
        ("sign-ca", "simulator", False, 0, None),
        ("auth", "simulator", False, 21, "revocation.no_source"),
        ("auth", "production", True, 21, "chain.no_issuer"),
        ("auth-ca", "production", True, 21, "chain.no_issuer"),
        ("auth-ca", "jlis-test", True, 21, "chain.empty_store"),
    ],
)
def test_certificate_status(
    cli: Cli, card: Card, crls: Path, role: str, store: str, lists: bool, exit_code: int, reason: str | None
) -> None:
    arguments: list[Any] = ["--simulator", card(), "cert", "status", role, "--trust", store, "--json"]
    arguments += ["--revocation", crls] if lists else []
    run = cli(*arguments, secrets={"sign-password": PINS["sign"]} if role == "sign" else None)
    assert run.exit == exit_code
    result = run.json("verdicts")["results"][0]
    assert result["store"] == store
    assert result["reasons"] == ([reason] if reason else [])


# --- sign and verify --------------------------------------------------------------------------------------------------


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    path = tmp_path / "contract.pdf"
    path.write_bytes(blank_pdf(["amount 1,000,000"]))
    return path


def judged(cli: Cli, crls: Path, *words: Any) -> tuple[int, dict[str, Any]]:
    run = cli("verify", *words, "--trust", "simulator", "--revocation", crls, "--json")
    return run.exit, run.json("verdicts")["results"][0]


def test_a_pdf_is_signed_and_judged(cli: Cli, card: Card, crls: Path, contract: Path, tmp_path: Path) -> None:
    secrets = {"sign-password": PINS["sign"]}
    run = cli("--simulator", card(), "sign", "pdf", contract, "-o", "s.pdf", "--json", secrets=secrets)
    assert run.exit == 0
    assert run.json("signed")["file"] == "s.pdf"
    assert judged(cli, crls, "pdf", "s.pdf")[0] == 0
    tampered = (tmp_path / "s.pdf").read_bytes().replace(b"1,000,000", b"9,000,000")
    (tmp_path / "t.pdf").write_bytes(tampered)
    code, result = judged(cli, crls, "pdf", "t.pdf")
    assert (code, result["sub_indication"]) == (20, "HASH_FAILURE")
    assert "holder" not in result
    assert judged(cli, crls, "pdf", contract)[1]["reasons"] == ["format.no_signature"]
    run = cli("verify", "pdf", "s.pdf", "t.pdf", contract, "missing.pdf", "--trust", "simulator", "--revocation", crls)
    assert run.exit == 20
    assert "missing.pdf" in run.err
    run = cli("verify", "pdf", "s.pdf", "missing.pdf", "--trust", "simulator", "--revocation", crls, "--json")
    assert run.exit == 10
    assert [result.get("indication", "error") for result in run.json("verdicts")["results"]] == [
        "TOTAL_PASSED",
        "error",
    ]
    assert cli("verify", "pdf", "s.pdf", "--json").json("verdicts")["results"][0]["store"] == "production"


def test_the_holder_of_a_signature_is_disclosed_on_request(cli: Cli, card: Card, crls: Path, contract: Path) -> None:
    cli("--simulator", card(), "sign", "pdf", contract, "-o", "s.pdf", secrets={"sign-password": PINS["sign"]})
    trust = ("--trust", "simulator", "--revocation", crls)
    assert "見本" not in cli("verify", "pdf", "s.pdf", *trust).all
    assert "見本　花子" in cli("verify", "pdf", "s.pdf", "--disclose", *trust).out
    holder = cli("verify", "pdf", "s.pdf", "--disclose", "--json", *trust).json("verdicts")["results"][0]["holder"]
    assert holder["birth_date"] == "1990-08-03"


def test_the_form_of_the_registry_wants_a_name_from_a_file(
    cli: Cli, card: Card, crls: Path, contract: Path, tmp_path: Path
) -> None:
    path, secrets = card(), {"sign-password": PINS["sign"]}
    line = ("--simulator", path, "sign", "pdf", contract, "-o", "s.pdf", "--form", "registry")
    before = path.read_bytes()
    assert cli(*line, secrets=secrets).exit == 2
    assert cli(*line, "--name", "MIHON HANAKO", secrets=secrets).exit == 2  # personal data is no argument
    for bad in (b"", b"a\nb\n", b"\xff", b"x" * 501):
        (tmp_path / "name.txt").write_bytes(bad)
        assert cli(*line, "--name-file", "name.txt", secrets=secrets).exit in (2, 10)
    assert cli(*line, "--name-file", "-", "--secrets", "-").exit == 2
    assert path.read_bytes() == before
    (tmp_path / "name.txt").write_text("\ufeff見本　花子\r\n", "utf-8")
    assert cli(*line, "--name-file", "name.txt", secrets=secrets).exit == 0
    assert judged(cli, crls, "pdf", "s.pdf")[0] == 0


def test_cms_attached_and_detached(cli: Cli, card: Card, crls: Path, tmp_path: Path) -> None:
    path, secrets = card(), {"sign-password": PINS["sign"]}
    (tmp_path / "a.txt").write_bytes(b"content")
    (tmp_path / "b.txt").write_bytes(b"Content")
    line = ("--simulator", path, "sign", "cms", "a.txt")
    assert cli(*line, "-o", "a.p7m", "--signing-time", "--include-issuer", secrets=secrets).exit == 0
    assert cli(*line, "-o", "d.p7s", "--detached", secrets=secrets).exit == 0
    assert judged(cli, crls, "cms", "a.p7m")[0] == 0
    assert judged(cli, crls, "cms", "d.p7s", "--content", "a.txt")[0] == 0
    assert judged(cli, crls, "cms", "d.p7s", "--content", "b.txt")[0] == 20
    assert judged(cli, crls, "cms", "d.p7s")[0] == 21
    assert cli("verify", "cms", "d.p7s", "a.p7m", "--content", "a.txt").exit == 2


@pytest.mark.parametrize(("key", "purpose"), [("sign", "signature"), ("auth", "authentication")])
def test_raw_signatures(cli: Cli, card: Card, crls: Path, tmp_path: Path, key: str, purpose: str) -> None:
    path, secrets = card(), {"sign-password": PINS["sign"], "auth-pin": PINS["auth"]}
    (tmp_path / "a.txt").write_bytes(b"content")
    run = cli("--simulator", path, "sign", "raw", "a.txt", "-o", "a.sig", "--key", key, secrets=secrets)
    assert run.exit == 0
    assert ("Warning" in run.err) is (key == "auth")
    assert len((tmp_path / "a.sig").read_bytes()) == 256
    piped = cli("--simulator", path, "sign", "raw", "-", "-o", "-", "--key", key, secrets=secrets, stdin=b"content")
    assert piped.raw == (tmp_path / "a.sig").read_bytes()
    cli("--simulator", path, "cert", "export", key, "-o", "c.pem", secrets=secrets if key == "sign" else None)
    judge = ("raw", "a.sig", "--content", "a.txt", "--certificate", "c.pem", "--purpose")
    assert judged(cli, crls, *judge, purpose)[0] == 0
    (tmp_path / "a.txt").write_bytes(b"Content")
    code, result = judged(cli, crls, *judge, purpose)
    assert (code, result["sub_indication"]) == (20, "SIG_CRYPTO_FAILURE")


def test_documents_are_for_the_signature_key_only(cli: Cli, contract: Path) -> None:
    assert cli("sign", "pdf", contract, "-o", "s.pdf", "--key", "auth").exit == 2


def test_a_child_cannot_sign(cli: Cli, card: Card, contract: Path, tmp_path: Path) -> None:
    run = cli(
        "--simulator",
        card("child"),
        "sign",
        "pdf",
        contract,
        "-o",
        "s.pdf",
        "--json",
        secrets={"sign-password": "ABC123"},
    )
    assert (run.exit, run.error()["code"]) == (8, "not_on_card")
    assert not (tmp_path / "s.pdf").exists()


def test_nothing_is_overwritten_unless_told(cli: Cli, card: Card, contract: Path, tmp_path: Path) -> None:
    path, secrets = card(), {"sign-password": PINS["sign"]}
    (tmp_path / "s.pdf").write_bytes(b"mine")
    before = path.read_bytes()
    run = cli("--simulator", path, "sign", "pdf", contract, "-o", "s.pdf", "--json", secrets=secrets)
    assert (run.exit, run.error()["code"]) == (2, "output_exists")
    assert (tmp_path / "s.pdf").read_bytes() == b"mine"
    assert path.read_bytes() == before
    assert cli("--simulator", path, "sign", "pdf", contract, "-o", "s.pdf", "--force", secrets=secrets).exit == 0
    assert (tmp_path / "s.pdf").read_bytes() != b"mine"
    assert cli("--simulator", path, "sign", "pdf", contract, "-o", contract, "--force", secrets=secrets).exit == 2
    assert cli("--simulator", path, "sign", "pdf", contract, "-o", "no/such/s.pdf", secrets=secrets).exit == 10
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize(
    ("option", "hours", "exit_code", "basis"),
    [("--received-at", 0, 0, "received"), ("--at", 0, 21, "asserted"), ("--received-at", 24 * 365, 20, "received")],
)
def test_judged_at_another_time(
    cli: Cli, card: Card, crls: Path, contract: Path, option: str, hours: int, exit_code: int, basis: str
) -> None:
    cli("--simulator", card(), "sign", "pdf", contract, "-o", "s.pdf", secrets={"sign-password": PINS["sign"]})
    moment = datetime.now(UTC) - timedelta(minutes=1, hours=hours)
    code, result = judged(cli, crls, "pdf", "s.pdf", option, moment.isoformat())
    assert (code, result["time_basis"]) == (exit_code, basis)


@pytest.mark.parametrize("bad", ["yesterday", "2026-11-24", "2026-11-24T09:00", ""])
def test_a_time_has_its_zone(cli: Cli, contract: Path, bad: str) -> None:
    run = cli("verify", "pdf", contract, "--at", bad, "--json")
    assert (run.exit, run.error()["code"]) == (2, "usage")


def test_both_times_exclude_each_other(cli: Cli, contract: Path) -> None:
    times = ("--at", "2026-11-01T00:00:00Z", "--received-at", "2026-11-01T00:00:00Z")
    assert cli("verify", "pdf", contract, *times).exit == 2


# --- auth -------------------------------------------------------------------------------------------------------------


def test_a_login_and_its_replay(cli: Cli, card: Card, crls: Path) -> None:
    run = cli("auth", "challenge", "--audience", "shop.example", "--purpose", "log in", "-o", "c.json")
    assert run.exit == 0
    run = cli("--simulator", card(), "auth", "respond", "c.json", "-o", "p.jws", secrets={"auth-pin": PINS["auth"]})
    assert run.exit == 0
    assert "shop.example" in run.err
    assert "log in" in run.err
    judge = ("auth", "verify", "p.jws", "--audience", "shop.example", "--trust", "simulator", "--revocation", crls)
    assert cli(*judge, "--json").json("verdicts")["exit"] == 0
    again = cli(*judge, "--json")
    assert again.exit == 20
    assert again.json("verdicts")["results"][0]["reasons"][0] == "challenge.replayed"


def test_challenges_through_pipes_and_json(cli: Cli, card: Card, crls: Path) -> None:
    made = cli("auth", "challenge", "--audience", "a", "--purpose", "p", "--store", "ch.db")
    assert json.loads(made.out)["aud"] == "a"
    as_json = cli("auth", "challenge", "--audience", "a", "--purpose", "p", "--challenges", "ch.db", "--json")
    assert as_json.json("challenge")["purpose"] == "p"
    line = ("--simulator", card(), "auth", "respond", "-")
    proof = cli(*line, secrets={"auth-pin": PINS["auth"]}, stdin=made.raw)
    assert proof.out.count(".") == 2
    judge = ("auth", "verify", "-", "--audience", "b", "--store", "ch.db", "--trust", "simulator", "--json")
    assert "challenge.audience" in cli(*judge, stdin=proof.raw).json("verdicts")["results"][0]["reasons"]
    shown = cli(*line, "--json", secrets={"auth-pin": PINS["auth"]}, stdin=made.raw).json("proof")["proof"]
    assert shown.split(".")[1] == proof.out.split(".")[1]


def test_an_expired_challenge_asks_for_no_pin(cli: Cli, card: Card, tmp_path: Path) -> None:
    claims = json.loads(cli("auth", "challenge", "--audience", "a", "--purpose", "p").out)
    claims.update(iat=claims["iat"] - 600, exp=claims["exp"] - 600)
    (tmp_path / "c.json").write_text(json.dumps(claims), "utf-8")
    path = card()
    before = path.read_bytes()
    assert cli("--simulator", path, "auth", "respond", "c.json", secrets={"pin": "0000"}).exit == 10
    assert path.read_bytes() == before


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe", b'{"type":"kojin-card-challenge"}', b"[" * 10_000])
def test_what_is_no_challenge_or_proof(cli: Cli, card: Card, body: bytes) -> None:
    run = cli("--simulator", card(), "auth", "respond", "-", "--json", secrets={"auth-pin": PINS["auth"]}, stdin=body)
    assert (run.exit, run.error()["code"]) == (10, "malformed")
    run = cli("auth", "verify", "-", "--audience", "a", "--json", stdin=body)
    assert run.exit == 20
    assert run.json("verdicts")["results"][0]["reasons"] == ["format.malformed"]


# --- trust, revocation ------------------------------------------------------------------------------------------------


def test_the_stores_are_listed_apart(cli: Cli) -> None:
    everything = cli("trust", "list", "--json").json("trust")["anchors"]
    assert sum(anchor["store"] == "production" for anchor in everything) == 6
    assert not any(anchor["store"] == "jlis-test" for anchor in everything)
    one = cli("trust", "list", "--trust", "simulator", "--json").json("trust")["anchors"]
    assert {anchor["store"] for anchor in one} == {"simulator"}
    assert cli("trust", "list", "--lang", "ja").exit == 0


def test_an_anchor_is_added_with_its_fingerprint_only(cli: Cli, card: Card, tmp_path: Path) -> None:
    cli("--simulator", card(), "cert", "export", "sign-ca", "-o", "ca.pem")
    value = cli("--simulator", card(), "cert", "show", "sign-ca", "--json").json("certificate")
    add = ("trust", "add", "ca.pem", "--trust", "simulator", "--json", "--fingerprint")
    assert cli(*add, "00" * 32).error()["code"] == "trust"
    known = cli(*add, value["sha256"])
    assert (known.exit, known.error()["code"]) == (10, "trust")  # the store knows this one already
    assert cli("trust", "add", "ca.pem", "--trust", "production", "--fingerprint", value["sha256"]).exit == 10
    asked = cli("trust", "add", "ca.pem", "--json")
    assert (asked.exit, asked.error()["code"]) == (2, "usage")
    assert "--fingerprint" in asked.error()["remedy"]
    assert "--secrets" not in asked.all
    (tmp_path / "no.pem").write_bytes(b"no certificate")
    assert cli("trust", "add", "no.pem", "--json").error()["code"] == "trust"  # before anybody is asked
    assert not (tmp_path / "home" / "trust").exists()


def other_authority(organization: str = "JPKI-TEST") -> bytes:
    """A self-signed CA of the test hierarchy that J-LIS publishes no list of; PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID

    from kojin_card.simulator.testpki import TestPki

    key = TestPki.load().pool.for_persona("somebody", "terminal")
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "JPKI for digital signature"),
        ]
    )
    usage = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    )
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), 0x1234)
        .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2034, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False), True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_a_new_anchor_is_kept_and_listed(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(other_authority())
    digest = hashlib.sha256(base64.b64decode("".join(other_authority().decode("ascii").split("\n")[1:-2]))).hexdigest()
    typed = ":".join(digest[at : at + 2].upper() for at in range(0, 64, 2))
    wrong = cli("trust", "add", "ca.pem", "--trust", "production", "--fingerprint", typed, "--json")
    assert (wrong.exit, wrong.error()["code"]) == (10, "trust")  # its name belongs to another store
    added = cli("trust", "add", "ca.pem", "--trust", "jlis-test", "--fingerprint", typed, "--json")
    assert added.exit == 0
    assert added.json("trust-added")["anchor"]["sha256"] == digest
    listed = cli("trust", "list", "--trust", "jlis-test", "--json").json("trust")["anchors"]
    assert [anchor["sha256"] for anchor in listed] == [digest]
    assert cli("trust", "list", "--trust", "jlis-test", "--trust-folder", "elsewhere", "--json").json("trust") == {
        "schema": "kojin-card/trust/1.0",
        "anchors": [],
    }


def test_a_stranger_in_production_is_warned_of(cli: Cli, tmp_path: Path) -> None:
    """Whoever types its fingerprint trusts it; that it is none of the published six must be said."""
    pem = other_authority("JPKI")
    (tmp_path / "ca.pem").write_bytes(pem)
    digest = hashlib.sha256(base64.b64decode("".join(pem.decode("ascii").split("\n")[1:-2]))).hexdigest()
    added = cli("trust", "add", "ca.pem", "--fingerprint", digest)
    assert added.exit == 0
    file = tmp_path / "home" / "trust" / f"added-{digest[:16]}.toml"
    assert f"delete {file}" in added.err.replace("\n", " ")
    file.unlink()  # as the warning says
    listed = cli("trust", "list", "--trust", "production", "--json").json("trust")["anchors"]
    assert len(listed) == 6


def test_lists_are_added_and_shown(cli: Cli, crls: Path) -> None:
    run = cli(
        "revocation", "add", crls / "signature.der", crls / "authentication.der", "--trust", "simulator", "--json"
    )
    assert run.exit == 0
    assert [one["fresh"] for one in run.json("revocation-added")["lists"]] == [True, True]
    found = cli("revocation", "status", "--trust", "simulator", "--json").json("revocation")
    assert [one["problem"] for one in found["lists"]] == [None, None]
    assert found["folder"].endswith("revocation")
    assert "Tokyo-to" in cli("revocation", "status", "--trust", "simulator").out
    foreign = cli("revocation", "add", crls / "signature.der", "missing.crl", "--json", "--revocation", "other")
    assert foreign.exit == 10
    assert all("error" in one for one in foreign.json("revocation-added")["lists"])
    assert cli("revocation", "status", "--revocation", "nowhere", "--json").json("revocation")["lists"] == []


def test_added_lists_are_used_without_being_named(cli: Cli, card: Card, crls: Path) -> None:
    cli("revocation", "add", crls / "authentication.der", "--trust", "simulator")
    assert cli("--simulator", card(), "cert", "status", "auth", "--trust", "simulator").exit == 0
    assert cli("--simulator", card(), "cert", "status", "auth", "--revocation", "nowhere").exit == 2


# --- simulator --------------------------------------------------------------------------------------------------------


def test_a_software_card_is_made_and_shown(cli: Cli, tmp_path: Path) -> None:
    assert cli("simulator", "new", "taro.json", "--persona", "adult").exit == 0
    assert cli("simulator", "new", "taro.json", "--json").error()["code"] == "output_exists"
    assert cli("simulator", "new", "-o", "b.json", "--persona", "child", "--json").json("card-file-made")
    assert cli("simulator", "new", "taro.json", "--force").exit == 0
    assert cli("simulator", "new", "x.json", "--persona", "nobody").exit == 2
    assert cli("simulator", "new", "x.json", "-o", "y.json").exit == 2
    assert cli("simulator", "new").exit == 0
    assert (tmp_path / "adult.json").stat().st_mode & 0o777 == 0o600
    shown = cli("simulator", "show", "taro.json")
    assert not any(secret in shown.all for secret in ("1234", "ABC123", "123456789018"))
    value = cli("simulator", "show", "taro.json", "--json").json("card-file")
    assert all("value" not in secret for secret in value["secrets"])
    revealed = cli("simulator", "show", "taro.json", "--reveal", "--json").json("card-file")
    assert {secret["value"] for secret in revealed["secrets"]} >= {"1234", "5678", "ABC123"}
    assert cli("simulator", "show", tmp_path / "given").exit == 10


def test_a_card_that_is_in_use_is_shown_as_it_is_now(cli: Cli, card: Card) -> None:
    """What was answered is in the file, as one whole version: a look needs no lock, and takes nothing from anybody."""
    path = card()
    with SoftCard.open(path) as used:
        used.transmit(bytes.fromhex("00A4040C0AD392F000260100000001"))
        used.transmit(bytes.fromhex("00A4020C020018"))
        assert used.transmit(bytes.fromhex("002000800430303030")) == b"\x63\xc2"
        shown = cli("simulator", "show", path, "--json")
        assert shown.exit == 0
        left = {one["key"]: one["tries_left"] for one in shown.json("card-file")["secrets"]}
        assert (left["auth_pin"], left["sign_password"]) == (2, 5)
        assert used.transmit(bytes.fromhex("002000800431323334")) == b"\x90\x00"


def test_the_same_moment_makes_the_same_card(cli: Cli, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        assert cli("simulator", "new", name, "--at", "2026-04-01T09:00:00+09:00").exit == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


# --- reaching a card --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        (("info",), 11, "missing_extra"),
        (("info", "--reader", "x"), 11, "missing_extra"),
        (("info", "--simulator", "missing.json"), 10, "bad_input"),
        (("read", "basic-four", "--simulator", "missing.json"), 10, "bad_input"),  # not: a PIN is missing
        (("read", "licence", "--simulator", "missing.json"), 10, "bad_input"),
        (("cert", "show", "sign", "--simulator", "missing.json"), 10, "bad_input"),
        (("pin", "change", "auth", "--simulator", "missing.json"), 10, "bad_input"),
        (("info", "--simulator", "missing.json", "--reader", "x"), 2, "usage"),
        (("nonsense",), 2, "usage"),
        (("info", "--nonsense"), 2, "usage"),
        (("read",), 2, "usage"),
        ((), 2, "usage"),
        (("cert", "show", "other"), 2, "usage"),
        (("verify", "pdf"), 2, "usage"),
        (("auth", "challenge", "--audience", "a"), 2, "usage"),
    ],
)
def test_usage_and_reaching(cli: Cli, words: tuple[str, ...], exit_code: int, code: str) -> None:
    run = cli(*words, "--json")
    assert run.exit == exit_code
    assert run.error()["code"] == code
    assert run.err == ""
    ja = cli(*words, "--lang", "ja")
    assert ja.exit == exit_code


def test_standard_input_is_read_once(cli: Cli, card: Card) -> None:
    path = card()
    for words in (
        ("sign", "raw", "-", "-o", "x", "--secrets", "-"),
        ("auth", "respond", "-", "--secrets", "-"),
        ("verify", "raw", "-", "--content", "-", "--certificate", "c"),
        ("verify", "cms", "-", "--content", "-"),
        ("verify", "pdf", "-", "-"),
    ):
        run = cli("--simulator", path, *words, "--json", stdin=b"pin=1234")
        assert (run.exit, run.error()["code"]) == (2, "usage")


def test_what_went_wrong_first_is_told(cli: Cli, card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    from kojin_card.card import Card as Facade
    from kojin_card.errors import NotOnCard, TransportError

    def fail(_: object) -> None:
        raise TransportError("the second problem")

    monkeypatch.setattr(Facade, "close", fail)
    assert cli("--simulator", card(), "info", "--json").exit == 9

    def first(_: object) -> None:
        raise NotOnCard(sw=0x6A82)

    monkeypatch.setattr(Facade, "pin_status", first)
    assert cli("--simulator", card(), "pin", "status", "--json").error()["code"] == "not_on_card"


def test_a_software_cards_certificate_wants_its_own_store(cli: Cli, card: Card) -> None:
    assert "--trust simulator" in cli("--simulator", card(), "cert", "status", "auth").err


def test_what_a_challenge_says_cannot_command_the_terminal(cli: Cli, card: Card) -> None:
    made = cli("auth", "challenge", "--audience", "a\u202eb\x9b", "--purpose", "見本\x1b[2J")
    assert json.loads(made.out)["purpose"] == "見本\x1b[2J"
    run = cli(
        "--simulator", card(), "auth", "respond", "-", "-o", "p", secrets={"auth-pin": PINS["auth"]}, stdin=made.raw
    )
    assert run.exit == 0
    for text in (made.all, run.all):
        assert not any(char in text for char in "\u202e\x9b\x1b")


def test_a_group_alone_shows_its_help(cli: Cli) -> None:
    run = cli("read", "--lang", "ja")
    assert (run.exit, run.out) == (2, "")
    assert "basic-four" in run.err
    assert "例:" in run.err


def test_a_busy_card_file(cli: Cli, card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    path = card()
    open_card = SoftCard.open

    def at_once(where: Path, *, wait_seconds: float = 0.0, waiting: Callable[[], None] | None = None) -> SoftCard:
        del wait_seconds
        if waiting is not None:
            waiting()
        return open_card(where, wait_seconds=0.0)

    with open_card(path):
        monkeypatch.setattr(SoftCard, "open", at_once)
        run = cli("--simulator", path, "info", "--json")
        assert (run.exit, run.error()["code"]) == (9, "card_file_busy")
        said = cli("--simulator", path, "info", "--lang", "ja").err
        assert "ほかのプログラムがカードファイルを使い終わるのを待っています" in said
        assert "リーダーに置いて" not in said
        assert cli("simulator", "new", path, "--force", "--json").error()["code"] == "card_file_busy"
