"""The openssl program as a foreign client of our test responder, and as a foreign responder that we ask."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kojin_card.pki.ocsp import CertId, NonceRule, Rules, request
from kojin_card.pki.ocsp_source import OcspSettings, OcspSource, Responder
from kojin_card.pki.profile import Purpose
from kojin_card.pki.reference import CertificateReference
from kojin_card.pki.revocation import RevocationAnswer, RevocationStatus, Unknown
from kojin_card.pki.trust import TrustAnchor, TrustStore
from kojin_card.testing import OcspFault, OcspResponder
from kojin_card.testing.cards import test_pki
from kojin_card.testing.ocsp import delegate
from signers import run

pytestmark = pytest.mark.foreign("openssl")

SERIAL = 0x01500001


def now() -> datetime:
    return datetime.now(UTC)


def anchor(name: str = "sim-signca02") -> TrustAnchor:
    return next(one for one in TrustStore.load("simulator").anchors if one.name == name)


def pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The CA, its key, and a delegated responder's certificate and key, as openssl wants them."""
    ca = test_pki().ca_of(Purpose.SIGNATURE, 2)
    responder = test_pki().pool.for_persona("ocsp-responder", "authentication")
    (tmp_path / "ca").write_bytes(pem(ca.certificate))
    (tmp_path / "delegate").write_bytes(pem(delegate(ca, now())))
    for name, key in (("ca.key", ca.key), ("delegate.key", responder)):
        (tmp_path / name).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return tmp_path


# --- openssl asks our responder ---------------------------------------------------------------------------------------


def openssl_asks(folder: Path, url: str, *more: str) -> subprocess.CompletedProcess[str]:
    serial = f"0x{SERIAL:x}"
    return run(
        "openssl", "ocsp", "-issuer", "ca", *more, "-serial", serial, "-url", url, "-CAfile", "ca", "-resp_text",
        cwd=folder,
    )  # fmt: skip


@pytest.mark.parametrize("delegated", [False, True])
@pytest.mark.parametrize("hash", [(), ("-sha256",)], ids=["sha1", "sha256"])
def test_openssl_takes_what_our_responder_says(folder: Path, hash: tuple[str, ...], delegated: bool) -> None:
    with OcspResponder(now, delegated=delegated) as responder:
        said = openssl_asks(folder, responder.url, *hash)
        assert "Response verify OK" in said.stderr, said.stderr
        assert "WARNING" not in said.stderr  # of a nonce that does not come back
        assert f"0x{SERIAL:x}: good" in said.stdout
        responder.revoke_serial("sim-signca02", SERIAL, at=now() - timedelta(hours=1), reason="affiliationChanged")
        said = openssl_asks(folder, responder.url, *hash)
        assert f"0x{SERIAL:x}: revoked" in said.stdout
        assert "Reason: affiliationChanged" in said.stdout


@pytest.mark.parametrize(
    "fault",
    [OcspFault.WRONG_SIGNER, OcspFault.OTHER_GENERATION, OcspFault.DAMAGED, OcspFault.OTHER_NONCE, OcspFault.STALE,
     OcspFault.FUTURE, OcspFault.WRONG_SERIAL, OcspFault.TRY_LATER, OcspFault.MALFORMED, OcspFault.DELEGATE_NO_USAGE,
     OcspFault.DELEGATE_STRANGER, OcspFault.HTTP_ERROR],
)  # fmt: skip
def test_openssl_does_not_take_our_faults_either(folder: Path, fault: OcspFault) -> None:
    with OcspResponder(now, fault=fault) as responder:
        said = openssl_asks(folder, responder.url)
    objections = "Response Verify Failure|Nonce Verify error|Status times invalid|No Status found|Responder Error|rror"
    assert re.search(objections, said.stderr + said.stdout), said
    if fault in (OcspFault.WRONG_SIGNER, OcspFault.OTHER_GENERATION, OcspFault.DAMAGED):
        assert "Response Verify Failure" in said.stderr


# --- we ask openssl's responder ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def openssl_answers(folder: Path, *options: str, signer: str = "ca") -> Iterator[str]:
    """``openssl ocsp -port``: the address of a foreign responder that knows one good and one revoked serial."""
    run("openssl", "version")  # skips, loudly, where there is none
    ends = (now() + timedelta(days=900)).strftime("%y%m%d%H%M%SZ")
    gone = (now() - timedelta(hours=2)).strftime("%y%m%d%H%M%SZ")
    (folder / "index").write_text(
        f"V\t{ends}\t\t{SERIAL:08X}\tunknown\t/CN=a\nR\t{ends}\t{gone},superseded\t{SERIAL + 1:08X}\tunknown\t/CN=b\n"
    )
    process = subprocess.Popen(
        ["openssl", "ocsp", "-index", "index", "-port", "0", "-CA", "ca", "-rsigner", signer, "-rkey", f"{signer}.key",
         "-nmin", "20", *options],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = None
        until = time.monotonic() + 20
        while found is None and time.monotonic() < until:
            line = process.stdout.readline()
            found = re.search(r"ACCEPT \S*?:(\d+)", line)
            assert line or process.poll() is None, "openssl ocsp ended"
        assert found is not None
        yield f"http://127.0.0.1:{found[1]}/"
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def ask(url: str, serial: int = SERIAL, rules: Rules | None = None, name: str = "sim-signca02") -> RevocationAnswer:
    settings = OcspSettings({anchor(name).key_id: Responder(url, rules or Rules())})
    moment = now()
    return OcspSource(settings).status(CertificateReference(serial), anchor(name), moment, now=moment)


@pytest.mark.parametrize("signer", ["ca", "delegate"])
def test_we_take_what_openssl_says(folder: Path, signer: str) -> None:
    with openssl_answers(folder, signer=signer) as url:
        for hash in ("sha1", "sha256"):
            good = ask(url, rules=Rules(hash=hash))
            assert (good.status, good.detail) == (RevocationStatus.GOOD, None)
        revoked = ask(url, SERIAL + 1)
        assert (revoked.status, revoked.reason) == (RevocationStatus.REVOKED, "superseded")
        assert revoked.revoked_at is not None
        assert timedelta(hours=1) < now() - revoked.revoked_at < timedelta(hours=3)
        assert ask(url, SERIAL + 2).why is Unknown.NOT_KNOWN
        assert ask(url, name="sim-signca01").status is RevocationStatus.UNKNOWN  # openssl answers for its CA alone


def test_we_take_no_other_signer_of_openssl(folder: Path) -> None:
    """The CA's own certificate with a stranger's key would not start; a holder's certificate in its place does."""
    ca = test_pki().ca_of(Purpose.SIGNATURE, 2)
    (folder / "delegate").write_bytes(pem(delegate(ca, now(), OcspFault.DELEGATE_NO_USAGE)))
    with openssl_answers(folder, signer="delegate") as url:
        found = ask(url)
    assert (found.status, found.why) == (RevocationStatus.UNKNOWN, Unknown.UNTRUSTED)


def test_openssl_without_a_key_id_or_with_sha384_is_judged_by_the_same_rules(folder: Path) -> None:
    with openssl_answers(folder, "-resp_key_id", signer="delegate") as url:
        assert ask(url).status is RevocationStatus.GOOD
    with openssl_answers(folder, "-rmd", "sha1") as url:
        found = ask(url)
        assert (found.why, found.detail) == (Unknown.UNTRUSTED, "a signature algorithm that is not accepted")
    with openssl_answers(folder, "-resp_no_certs") as url:
        assert ask(url).status is RevocationStatus.GOOD


def test_openssl_reads_our_request(folder: Path) -> None:
    for nonce, hash in ((bytes(range(32)), "sha256"), (None, "sha1")):
        (folder / "asked").write_bytes(request(CertId.of(anchor(), SERIAL, hash), nonce))
        said = run("openssl", "ocsp", "-reqin", "asked", "-req_text", cwd=folder)
        assert f"Serial Number: {SERIAL:08X}" in said.stdout
        assert f"Hash Algorithm: {hash}" in said.stdout
        assert ("OCSP Nonce" in said.stdout) is (nonce is not None)


def test_a_request_without_nonce_is_answered_without(folder: Path) -> None:
    with openssl_answers(folder) as url:
        assert ask(url, rules=Rules(nonce=NonceRule.NONE)).status is RevocationStatus.GOOD
