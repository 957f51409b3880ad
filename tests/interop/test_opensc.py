"""OpenSC uses the software card through pcscd as it uses a real one: its tools were written by people who had one.

What it expects and a real card may do otherwise is in docs/software-card-in-a-reader.md; here it is seen to be so.
"""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from interop.pcscd import NEEDED, OPENSC_MODULE, Desk, opensc_module
from kojin_card.pki.profile import Purpose
from kojin_card.simulator.atr import atr_families
from kojin_card.verification import Verifier

if TYPE_CHECKING:
    import subprocess

    from kojin_card.simulator import CardState

pytestmark = pytest.mark.foreign(*NEEDED, OPENSC_MODULE, "pkcs11-tool", "pkcs15-tool", "openssl")

CONTENT = b"a contract\n"
AUTH, SIGN = "1234", "ABC123"
KEYS = {"auth": ("0", "01", AUTH, Purpose.AUTHENTICATION), "sign": ("1", "02", SIGN, Purpose.SIGNATURE)}
IDS = {"auth_certificate": "1", "sign_certificate": "2", "auth_ca_certificate": "3", "sign_ca_certificate": "4"}


def certificate(state: CardState, name: str) -> bytes:
    """DER of a certificate of the JPKI application, as it was made: its length stands in its head."""
    octets = state.applications["jpki"].files[name].octets
    assert octets is not None
    return octets[: 4 + int.from_bytes(octets[2:4], "big")]


def now() -> datetime:
    """Foreign programs go by the real time, so their signatures are judged at it."""
    return datetime.now(UTC)


def pkcs11(desk: Desk, *words: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    return desk.run("pkcs11-tool", "--module", opensc_module(), *words, **more)  # type: ignore[arg-type]


def login(key: str, pin: str | None = None) -> tuple[str, ...]:
    slot, _, right, _ = KEYS[key]
    return "--slot", slot, "--login", "--pin", pin or right


# --- what the card is -------------------------------------------------------------------------------------------------


def test_both_cards_are_recognised(desk: Desk) -> None:
    for reader in ("0", "1"):
        said = desk.run("opensc-tool", "--reader", reader, "--name")
        assert (said.returncode, said.stdout) == (0, "jpki\n"), said.stderr


def test_pkcs15_sees_two_pins_two_keys_and_four_certificates(desk: Desk) -> None:
    said = desk.run("pkcs15-tool", "--reader", "0", "--dump")
    assert said.returncode == 0, said.stderr
    heads = [line.split(" [")[0] for line in said.stdout.splitlines() if re.match(r"[A-Z].* \[", line)]
    counts = {head: heads.count(head) for head in heads}
    assert counts == {
        "PKCS#15 Card": 1,
        "PIN": 2,
        "Private RSA Key": 2,
        "Public RSA Key": 2,
        "X.509 Certificate": 4,
    }


@pytest.mark.parametrize(("auth", "sign"), [(3, 5), (1, 2), (0, 0)])
def test_it_counts_the_tries_as_the_card_does(desk: Desk, auth: int, sign: int) -> None:
    desk.set(1, tries={"auth-pin": auth, "sign-password": sign})
    said = desk.run("pkcs15-tool", "--reader", "0", "--list-pins")
    assert [int(left) for left in re.findall(r"Tries left +: (\d+)", said.stdout)] == [auth, sign]
    assert desk.tries()["jpki/auth_pin"] == auth, "asking costs nothing"


@pytest.mark.parametrize("name", sorted(IDS))
def test_it_reads_every_certificate_byte_for_byte(desk: Desk, desk_cards: tuple[CardState, ...], name: str) -> None:
    pin = ("--verify-pin", "--auth-id", "2", "--pin", SIGN) if name == "sign_certificate" else ()
    for reader, state in enumerate(desk_cards):
        said = desk.run("pkcs15-tool", "--reader", str(reader), "--read-certificate", IDS[name], *pin)
        assert said.returncode == 0, said.stderr
        assert ssl.PEM_cert_to_DER_cert(said.stdout) == certificate(state, name)


def test_the_signature_certificate_is_closed_before_its_password(desk: Desk) -> None:
    said = desk.run("pkcs15-tool", "--reader", "0", "--read-certificate", IDS["sign_certificate"])
    assert said.returncode == 1
    assert "Certificate read failed" in said.stderr
    assert "BEGIN CERTIFICATE" not in said.stdout


def test_pkcs11_lists_slots_and_objects(desk: Desk) -> None:
    slots = pkcs11(desk, "--list-slots").stdout
    assert (
        re.findall(r"token label +: (.*)", slots)
        == ["JPKI (User Authentication PIN)", "JPKI (Digital Signature PIN)"] * 2
    )
    assert "not recognized" not in slots
    assert pkcs11(desk, "--list-token-slots").stdout.count("token flags        : login required") == 4
    assert "4/4" in slots
    assert "6/16" in slots
    before = pkcs11(desk, "--slot", "1", "--list-objects")
    assert "User Authentication Certificate CA" in pkcs11(desk, "--slot", "0", "--list-objects").stdout
    after = pkcs11(desk, "--list-objects", *login("sign"))
    assert "label:      Digital Signature Certificate\n" not in before.stdout
    assert "label:      Digital Signature Certificate\n" in after.stdout
    assert "always authenticate" in after.stdout


# --- signatures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", sorted(KEYS))
@pytest.mark.parametrize(
    "mechanism", ["RSA-PKCS", "SHA1-RSA-PKCS", "SHA256-RSA-PKCS", "SHA384-RSA-PKCS", "SHA512-RSA-PKCS"]
)
def test_signatures_are_accepted_by_openssl_and_by_us(
    desk: Desk,
    desk_cards: tuple[CardState, ...],
    tmp_path: Path,
    key: str,
    mechanism: str,
) -> None:
    der = certificate(desk_cards[0], f"{key}_certificate")
    public = x509.load_der_x509_certificate(der).public_key()
    (tmp_path / "key").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "content").write_bytes(CONTENT)
    digest = "sha256" if mechanism == "RSA-PKCS" else mechanism.split("-")[0].lower()
    if mechanism == "RSA-PKCS":  # the DigestInfo is the caller's
        head = bytes.fromhex("3031300d060960864801650304020105000420")
        made = desk.run("openssl", "dgst", f"-{digest}", "-binary", "-out", "digest", "content", cwd=tmp_path)
        assert made.returncode == 0
        (tmp_path / "input").write_bytes(head + (tmp_path / "digest").read_bytes())
    else:
        (tmp_path / "input").write_bytes(CONTENT)
    words = ("--sign", "--id", KEYS[key][1], "--mechanism", mechanism, "--input-file", "input", "--output-file", "out")
    said = pkcs11(desk, *login(key), *words, cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    judged = desk.run("openssl", "dgst", f"-{digest}", "-verify", "key", "-signature", "out", "content", cwd=tmp_path)
    assert judged.stdout == "Verified OK\n"
    if digest == "sha256":
        verifier = Verifier.for_store("simulator", now=now)
        verdict = verifier.verify_raw((tmp_path / "out").read_bytes(), CONTENT, der, purpose=KEYS[key][3])
        assert not [check for check in verdict.checks if str(check.state) == "failed"]
        assert str(verdict.indication) == "INDETERMINATE", "only the revocation lists are missing"


@pytest.mark.parametrize("mechanism", ["RSA-PKCS-PSS", "RSA-X-509"])
def test_pss_and_raw_rsa_are_not_offered(desk: Desk, tmp_path: Path, mechanism: str) -> None:
    """So TLS 1.3 with client authentication cannot be had through OpenSC (docs)."""
    (tmp_path / "input").write_bytes(bytes(32))
    said = pkcs11(
        desk, *login("auth"), "--sign", "--id", "01", "-m", mechanism, "-i", "input", "-o", "out", cwd=tmp_path
    )
    assert said.returncode == 1
    assert "mechanism" in said.stderr.lower()


@pytest.mark.parametrize("key", sorted(KEYS))
def test_its_own_test_finds_nothing(desk: Desk, key: str) -> None:
    said = pkcs11(desk, *login(key), "--test")
    assert said.returncode == 0, said.stderr
    assert "No errors" in said.stdout
    assert said.stdout.count(": OK") > 5


def test_two_cards_sign_each_with_its_own_key(desk: Desk, desk_cards: tuple[CardState, ...], tmp_path: Path) -> None:
    (tmp_path / "content").write_bytes(CONTENT)
    for number, state in enumerate(desk_cards):
        key = x509.load_der_x509_certificate(certificate(state, "sign_certificate")).public_key()
        (tmp_path / f"key{number}").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        words = ("--slot-index", str(2 * number + 1), "--login", "--pin", SIGN, "--sign", "--id", "02")
        said = pkcs11(desk, *words, "-m", "SHA256-RSA-PKCS", "-i", "content", "-o", f"out{number}", cwd=tmp_path)
        assert said.returncode == 0, said.stderr
    judged = {
        (key, signature): desk.run(
            "openssl",
            "dgst",
            "-sha256",
            "-verify",
            f"key{key}",
            "-signature",
            f"out{signature}",
            "content",
            cwd=tmp_path,
        ).returncode
        == 0
        for key in (0, 1)
        for signature in (0, 1)
    }
    assert judged == {(0, 0): True, (1, 1): True, (0, 1): False, (1, 0): False}


# --- PINs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "wrong", "secret"), [("auth", "9999", "auth_pin"), ("sign", "WRONG1", "sign_password")]
)
def test_a_wrong_pin_costs_one_try_on_our_side_too(desk: Desk, key: str, wrong: str, secret: str) -> None:
    before = desk.tries()
    said = pkcs11(desk, *login(key, wrong), "--list-objects")
    assert "CKR_PIN_INCORRECT" in said.stderr
    assert desk.tries() == {**before, f"jpki/{secret}": before[f"jpki/{secret}"] - 1}
    assert pkcs11(desk, *login(key), "--list-objects").returncode == 0
    assert desk.tries() == before


@pytest.mark.parametrize(("blocked_sw", "told"), [("6984", "CKR_GENERAL_ERROR"), ("6983", "CKR_PIN_LOCKED")])
def test_a_blocked_pin_is_told_and_the_other_still_works(desk: Desk, blocked_sw: str, told: str) -> None:
    """Which word the card gives is a setting: 6984 was measured, 6983 is the one that OpenSC has words for (P3)."""
    desk.set(1, tries={"auth-pin": 1}, knobs=[f"blocked_sw={blocked_sw}"])
    assert "CKR_PIN_INCORRECT" in pkcs11(desk, *login("auth", "9999"), "--list-objects").stderr
    assert desk.tries()["jpki/auth_pin"] == 0
    assert told in pkcs11(desk, *login("auth"), "--list-objects").stderr, "the right PIN comes too late"
    assert "user PIN locked" in pkcs11(desk, "--list-slots").stdout
    assert pkcs11(desk, *login("sign"), "--list-objects").returncode == 0
    assert desk.tries()["jpki/auth_pin"] == 0


@pytest.mark.parametrize(("key", "typed"), [("auth", "12345"), ("auth", "123"), ("sign", "AB1")])
def test_a_pin_of_another_length_never_reaches_the_card(desk: Desk, key: str, typed: str) -> None:
    before = desk.tries()
    said = pkcs11(desk, *login(key, typed), "--list-objects")
    assert said.returncode == 1
    assert "CKR_PIN_LEN_RANGE" in said.stderr
    assert desk.tries() == before


def test_the_empty_verify_must_always_count(desk: Desk) -> None:
    """P2: 9000 to the empty VERIFY of a verified PIN, the way of ISO, breaks OpenSC: a setting, not the default."""
    desk.set(1, knobs=["empty_verify_when_verified=9000"])
    assert "CKR_SESSION_HANDLE_INVALID" in pkcs11(desk, *login("auth"), "--test").stderr


# --- the card comes and goes ------------------------------------------------------------------------------------------


def test_a_card_is_taken_out_and_put_back(desk: Desk) -> None:
    desk.ask("remove", number=1)
    desk.wait_for_cards((False, True))
    assert "jpki" not in desk.run("opensc-tool", "--reader", "0", "--name").stdout
    assert desk.run("opensc-tool", "--reader", "1", "--name").stdout == "jpki\n"
    desk.ask("insert", number=1)
    desk.wait_for_cards()
    assert desk.run("opensc-tool", "--reader", "0", "--name").stdout == "jpki\n"


def test_every_family_of_real_cards_is_recognised_whatever_its_atr(desk: Desk) -> None:
    """Two at a time; the tool finds the card by what it answers (card.md §5)."""
    families = [family.atr for family in atr_families().values()]
    for pair in zip(families[::2], [*families[1::2], families[0]], strict=True):
        for place in (1, 2):
            desk.ask("remove", number=place)
        desk.wait_for_cards((False, False))
        for place, atr in enumerate(pair, 1):
            desk.ask("insert", number=place, atr=atr)
        desk.wait_for_cards()
        for reader, atr in enumerate(pair):
            said = desk.run("opensc-tool", "--reader", str(reader), "--atr", "--name").stdout.splitlines()
            assert (said[0].replace(":", "").upper(), said[-1]) == (atr.hex().upper(), "jpki")


def test_pcscd_starts_again_and_finds_the_cards(desk: Desk) -> None:
    assert desk.stop(desk.pcscd) == 0
    assert desk.answers()
    desk.pcscd = desk.start_pcscd()
    desk.wait_for_cards()
    assert desk.run("opensc-tool", "--reader", "0", "--name").stdout == "jpki\n"
