"""The openssl program judges what we sign: it must agree with it, and refuse every tampered copy."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from issued import NOW
from kojin_card.authn import AuthenticationProof, Challenge
from kojin_card.pki.profile import Purpose
from kojin_card.signing import PdfForm, sign_cms, sign_message, sign_pdf, sign_raw
from kojin_card.testing.documents import blank_pdf
from signers import make_signer, run, signatures_in, test_pki

pytestmark = pytest.mark.foreign("openssl")

CONTENT = b"a contract,\r\n\x00with bytes that a mail program would change\n"
AT = str(int(NOW.timestamp()) + 3600)


def write(folder: Path, **files: bytes) -> None:
    """Files by their name."""
    for name, data in files.items():
        (folder / name).write_bytes(data)


def trust(folder: Path, generation: int = 2) -> None:
    """``ca``: the CA of the signature certificates, PEM."""
    der = test_pki().ca_of(Purpose.SIGNATURE, generation).certificate
    write(folder, ca=x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))


def judge_cms(folder: Path, cms: bytes, content: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """``openssl cms -verify`` an hour after signing; what it takes as content goes to ``out``."""
    write(folder, cms=cms, **({} if content is None else {"content": content}))
    detached = [] if content is None else ["-content", "content"]
    # -purpose any: openssl's own idea of who may sign asks for e-mail protection, which JPKI's profile does not have.
    return run(
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "cms", *detached, "-CAfile", "ca",
        "-purpose", "any", "-attime", AT, "-out", "out", cwd=folder,
    )  # fmt: skip


@pytest.mark.parametrize("with_issuer", [False, True])
def test_attached_cms(tmp_path: Path, with_issuer: bool) -> None:
    trust(tmp_path)
    said = judge_cms(tmp_path, sign_cms(make_signer(), CONTENT, include_issuer=with_issuer, signing_time=NOW))
    assert said.returncode == 0, said.stderr
    assert "Verification successful" in said.stderr
    assert (tmp_path / "out").read_bytes() == CONTENT


@pytest.mark.parametrize("content", [b"", CONTENT, bytes(100_000)])
def test_detached_cms(tmp_path: Path, content: bytes) -> None:
    trust(tmp_path)
    said = judge_cms(tmp_path, sign_cms(make_signer(), content, detached=True), content)
    assert said.returncode == 0, said.stderr


def test_detached_cms_with_other_content_is_refused(tmp_path: Path) -> None:
    trust(tmp_path)
    said = judge_cms(tmp_path, sign_cms(make_signer(), CONTENT, detached=True), CONTENT + b" ")
    assert said.returncode != 0
    assert "content verify error" in said.stderr


def _tampered(cms: bytes) -> dict[str, bytes]:
    certificate = cms.index(make_signer().certificate)
    protection = cms.index(bytes.fromhex("06092a864886f70d010934"))
    return {
        "content": cms.replace(b"a contract", b"a Contract"),
        "signature": cms[:-1] + bytes([cms[-1] ^ 1]),
        "signed attribute": cms[: protection + 20] + bytes([cms[protection + 20] ^ 1]) + cms[protection + 21 :],
        "certificate": cms[: certificate + 700] + bytes([cms[certificate + 700] ^ 1]) + cms[certificate + 701 :],
    }


@pytest.mark.parametrize("what", ["content", "signature", "signed attribute", "certificate"])
def test_tampered_cms_is_refused(tmp_path: Path, what: str) -> None:
    trust(tmp_path)
    cms = sign_cms(make_signer(), CONTENT)
    assert judge_cms(tmp_path, cms).returncode == 0
    tampered = _tampered(cms)[what]
    assert tampered != cms
    assert judge_cms(tmp_path, tampered).returncode != 0


def test_the_other_generation_of_the_same_name_is_refused(tmp_path: Path) -> None:
    trust(tmp_path, generation=1)
    said = judge_cms(tmp_path, sign_cms(make_signer(generation=2), CONTENT, include_issuer=True))
    assert said.returncode != 0


@pytest.mark.parametrize("form", list(PdfForm))
def test_the_cms_of_a_pdf_covers_the_bytes_of_its_byte_range(tmp_path: Path, form: PdfForm) -> None:
    """No PDF program in between: /ByteRange cut out of the file and given to openssl as content."""
    trust(tmp_path)
    signed = sign_pdf(make_signer(), blank_pdf(["one page"]), now=NOW, form=form, name="Hanako")
    (signature,) = signatures_in(signed)
    start, length, second, rest = signature.byte_range
    covered = signed[start : start + length] + signed[second : second + rest]
    said = judge_cms(tmp_path, signature.cms, covered)
    assert said.returncode == 0, said.stderr
    assert judge_cms(tmp_path, signature.cms, covered.replace(b"one page", b"two page")).returncode != 0


@pytest.mark.parametrize("purpose", list(Purpose))
def test_raw(tmp_path: Path, purpose: Purpose) -> None:
    signer = make_signer(purpose)
    key = x509.load_der_x509_certificate(signer.certificate).public_key()
    write(
        tmp_path,
        key=key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        signature=sign_raw(signer, CONTENT),
        content=CONTENT,
        other=CONTENT + b" ",
    )
    arguments = ("dgst", "-sha256", "-verify", "key", "-signature", "signature")
    good = run("openssl", *arguments, "content", cwd=tmp_path)
    assert (good.returncode, good.stdout.strip()) == (0, "Verified OK")
    assert run("openssl", *arguments, "other", cwd=tmp_path).returncode != 0
    write(tmp_path, signature=sign_raw(replace(signer, asked=[]), CONTENT + b"."))
    assert run("openssl", *arguments, "content", cwd=tmp_path).returncode != 0


def test_authentication_proof(tmp_path: Path) -> None:
    """The signature of the compact JWS is an ordinary one over its first two parts."""
    signer = make_signer(Purpose.AUTHENTICATION)
    challenge = Challenge.new("https://bank.invalid", "log in", now=NOW, random=bytes)
    proof = AuthenticationProof.make(challenge, signer.certificate, lambda text: sign_message(signer, text))
    key = x509.load_der_x509_certificate(proof.certificate).public_key()
    content = proof.compact().rpartition(".")[0].encode()
    write(tmp_path, key=key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), signature=proof.signature)
    write(tmp_path, content=content)
    said = run("openssl", "dgst", "-sha256", "-verify", "key", "-signature", "signature", "content", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
