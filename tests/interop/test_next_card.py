"""Foreign judges of what the next card signs: openssl, pdfsig, PyJWT and pyhanko's validator, with the CA on P-384."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from functools import cache
from io import BytesIO
from pathlib import Path

import jwt
import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from issued import NOW
from kojin_card import Card
from kojin_card.authn import AuthenticationProof, Challenge
from kojin_card.pki.profile import Purpose
from kojin_card.signing import PdfForm, sign_cms, sign_pdf, sign_raw
from kojin_card.simulator import SoftCard, make_card
from kojin_card.testing.documents import blank_pdf
from signers import run, signatures_in, test_pki

CONTENT = b"a contract,\r\n\x00with bytes that a mail program would change\n"
AT = str(int(NOW.timestamp()) + 3600)
PDF = blank_pdf(["A page about to be signed"])
PASSWORD, PIN = "NEXT2028", "2468"


@cache
def card() -> Card:
    return Card(SoftCard.in_memory(make_card("next_card", now=NOW - timedelta(days=1))), ours=True)


def write(folder: Path, **files: bytes) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)


def trust(folder: Path, generation: int = 3) -> None:
    der = test_pki().ca_of(Purpose.SIGNATURE, generation).certificate
    write(folder, ca=x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))


def public_pem(certificate: bytes) -> bytes:
    key = x509.load_der_x509_certificate(certificate).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def judge_cms(folder: Path, cms: bytes, content: bytes | None = None) -> int:
    write(folder, cms=cms, **({} if content is None else {"content": content}))
    detached = [] if content is None else ["-content", "content"]
    return run(
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "cms", *detached, "-CAfile", "ca",
        "-purpose", "any", "-attime", AT, "-out", "out", cwd=folder,
    ).returncode  # fmt: skip


@pytest.mark.foreign("openssl")
@pytest.mark.parametrize("issuer", [False, True])
def test_openssl_agrees_with_cms(tmp_path: Path, issuer: bool) -> None:
    trust(tmp_path)
    cms = sign_cms(card().jpki.signer(PASSWORD), CONTENT, include_issuer=issuer, signing_time=NOW)
    assert judge_cms(tmp_path, cms) == 0
    assert (tmp_path / "out").read_bytes() == CONTENT
    for changed in (cms.replace(b"a contract", b"a Contract"), cms[:-1] + bytes([cms[-1] ^ 1])):
        assert judge_cms(tmp_path, changed) != 0
    trust(tmp_path, generation=2)
    assert judge_cms(tmp_path, cms) != 0


@pytest.mark.foreign("openssl")
def test_openssl_agrees_with_detached_cms(tmp_path: Path) -> None:
    trust(tmp_path)
    cms = sign_cms(card().jpki.signer(PASSWORD), CONTENT, detached=True)
    assert judge_cms(tmp_path, cms, CONTENT) == 0
    assert judge_cms(tmp_path, cms, CONTENT + b" ") != 0


@pytest.mark.foreign("openssl")
@pytest.mark.parametrize("purpose", list(Purpose))
def test_openssl_agrees_with_raw(tmp_path: Path, purpose: Purpose) -> None:
    jpki = card().jpki
    signer = jpki.signer(PASSWORD) if purpose is Purpose.SIGNATURE else jpki.auth_signer(PIN)
    write(tmp_path, key=public_pem(signer.certificate), signature=sign_raw(signer, CONTENT), content=CONTENT)
    write(tmp_path, other=CONTENT + b" ")
    arguments = ("dgst", "-sha384", "-verify", "key", "-signature", "signature")
    said = run("openssl", *arguments, "content", cwd=tmp_path)
    assert (said.returncode, said.stdout.strip()) == (0, "Verified OK")
    assert run("openssl", *arguments, "other", cwd=tmp_path).returncode != 0


@pytest.mark.foreign("openssl")
@pytest.mark.parametrize("purpose", list(Purpose))
def test_openssl_agrees_with_the_path(tmp_path: Path, purpose: Purpose) -> None:
    jpki = card().jpki
    role = "sign" if purpose is Purpose.SIGNATURE else "auth"
    leaf = jpki.signer(PASSWORD).certificate if role == "sign" else jpki.certificate("auth")
    ca = jpki.certificate("sign-ca" if role == "sign" else "auth-ca")
    assert ca == test_pki().ca_of(purpose, 3).certificate
    for name, der in (("leaf", leaf), ("ca", ca)):
        (tmp_path / name).write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    said = run("openssl", "verify", "-x509_strict", "-attime", AT, "-CAfile", "ca", "leaf", cwd=tmp_path)
    assert said.returncode == 0, said.stderr


@pytest.mark.foreign("openssl")
@pytest.mark.parametrize("form", list(PdfForm))
def test_openssl_agrees_with_the_cms_of_a_pdf(tmp_path: Path, form: PdfForm) -> None:
    trust(tmp_path)
    signed = sign_pdf(card().jpki.signer(PASSWORD), PDF, now=NOW, form=form, name="Mirai")
    (signature,) = signatures_in(signed)
    start, length, second, rest = signature.byte_range
    covered = signed[start : start + length] + signed[second : second + rest]
    assert judge_cms(tmp_path, signature.cms, covered) == 0
    assert judge_cms(tmp_path, signature.cms, covered.replace(b"about", b"later")) != 0


@pytest.mark.foreign("pdfsig")
@pytest.mark.parametrize("form", list(PdfForm))
def test_pdfsig_agrees(tmp_path: Path, form: PdfForm) -> None:
    signed = sign_pdf(card().jpki.signer(PASSWORD), PDF, now=NOW, form=form, name="Mirai")
    (tmp_path / "signed.pdf").write_bytes(signed)
    (said,) = re.split(
        r"^Signature #\d+:$", run("pdfsig", "signed.pdf", cwd=tmp_path, home=tmp_path).stdout, flags=re.M
    )[1:]
    assert "Signature is Valid." in said
    assert "- Total document signed" in said
    assert "Signing Hash Algorithm: SHA-384" in said
    (tmp_path / "signed.pdf").write_bytes(signed.replace(b"about to be", b"never to be"))
    assert "Signature is Valid." not in run("pdfsig", "signed.pdf", cwd=tmp_path, home=tmp_path).stdout


@pytest.mark.parametrize("form", list(PdfForm))
def test_pyhanko_agrees(form: PdfForm) -> None:
    signed = sign_pdf(card().jpki.signer(PASSWORD), PDF, now=NOW, form=form, name="Mirai")
    root = asn1_x509.Certificate.load(test_pki().ca_of(Purpose.SIGNATURE, 3).certificate)
    context = ValidationContext(trust_roots=[root], moment=NOW, allow_fetching=False)
    (embedded,) = PdfFileReader(BytesIO(signed)).embedded_signatures
    status = asyncio.run(async_validate_pdf_signature(embedded, context))
    assert (status.intact, status.valid, status.md_algorithm) == (True, True, "sha384")


def test_pyjwt_agrees_with_a_proof() -> None:
    challenge = Challenge.new("https://bank.invalid", "口座の開設", now=NOW, random=bytes)
    compact = card().jpki.authenticate(PIN, challenge).compact()
    assert jwt.get_unverified_header(compact)["alg"] == "ES384"
    key = x509.load_der_x509_certificate(AuthenticationProof.parse(compact).certificate).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    options = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(compact, key, algorithms=["ES384"], audience="https://bank.invalid", options=options)  # type: ignore[arg-type]
    assert claims["purpose"] == "口座の開設"
    head, _, tail = compact.split(".")
    other = Challenge.new("https://thief.invalid", "口座の開設", now=NOW, random=bytes)
    forged = AuthenticationProof.signing_input_for(other, b"x", "ES384").decode().split(".")[1]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(f"{head}.{forged}.{tail}", key, algorithms=["ES384"], options={"verify_aud": False})
