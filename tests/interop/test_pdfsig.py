"""pdfsig (Poppler, NSS) and pyhanko's validator judge the PDF we sign: they agree, and refuse what is tampered with.

What pdfsig signs, we judge in turn.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.fields import SigFieldSpec, append_signature_field
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from attacks import forge
from attacks.test_pdf import new_page_text, once, painted, updated
from issued import NOW
from kojin_card.pki.profile import Purpose
from kojin_card.signing import PdfForm, sign_pdf
from kojin_card.testing.documents import blank_pdf
from kojin_card.verdict import CheckId, Verdict
from signers import make_signer, run, signatures_in, test_pki

PDF = blank_pdf(["A page about to be signed"])


def sign(pdf: bytes = PDF, form: PdfForm = PdfForm.PADES) -> bytes:
    """Signed by the invented person."""
    return sign_pdf(make_signer(), pdf, now=NOW, form=form, name="Hanako Shiken")


def pdfsig(folder: Path, pdf: bytes) -> list[str]:
    """What pdfsig says, one text a signature. Its home is empty: somebody's browser must not lend it trust anchors."""
    (folder / "signed.pdf").write_bytes(pdf)
    said = run("pdfsig", "signed.pdf", cwd=folder, home=folder)
    return re.split(r"^Signature #\d+:$", said.stdout, flags=re.M)[1:]


@pytest.mark.foreign("pdfsig")
@pytest.mark.parametrize(
    ("form", "kind"), [(PdfForm.PADES, "ETSI.CAdES.detached"), (PdfForm.REGISTRY, "adbe.pkcs7.detached")]
)
def test_pdfsig_agrees(tmp_path: Path, form: PdfForm, kind: str) -> None:
    (said,) = pdfsig(tmp_path, sign(form=form))
    assert "Signature is Valid." in said
    assert "- Total document signed" in said
    assert f"Signature Type: {kind}" in said
    assert "Signing Hash Algorithm: SHA-256" in said


@pytest.mark.foreign("pdfsig")
def test_pdfsig_agrees_with_both_of_two_signatures(tmp_path: Path) -> None:
    first, second = pdfsig(tmp_path, sign(sign(), PdfForm.REGISTRY))
    assert "Signature is Valid." in first
    assert "Not total document signed" in first
    assert "Signature is Valid." in second
    assert "- Total document signed" in second


@pytest.mark.foreign("pdfsig")
def test_pdfsig_refuses_another_page(tmp_path: Path) -> None:
    signed = sign()
    (said,) = pdfsig(tmp_path, signed.replace(b"about to be", b"never to be"))
    assert "Signature is Valid." not in said
    assert "Digest Mismatch" in said


@pytest.mark.foreign("pdfsig")
def test_pdfsig_refuses_another_signature_value(tmp_path: Path) -> None:
    signed = sign()
    value = signatures_in(signed)[0].contents[-256:].hex().upper().encode()
    assert signed.count(value) == 1
    (said,) = pdfsig(tmp_path, signed.replace(value, value[:-2] + (b"00" if value[-2:] != b"00" else b"01")))
    assert "Signature is Valid." not in said


@pytest.mark.foreign("pdfsig")
def test_pdfsig_sees_what_was_appended(tmp_path: Path) -> None:
    (said,) = pdfsig(tmp_path, sign() + b"\n% more\n")
    assert "- Total document signed" not in said


def context() -> ValidationContext:
    """The CA of the test PKI and nothing else, at the time of signing, without a network."""
    root = asn1_x509.Certificate.load(test_pki().ca(Purpose.SIGNATURE, NOW).certificate)
    return ValidationContext(trust_roots=[root], moment=NOW, allow_fetching=False)


@pytest.mark.parametrize("forms", [tuple(PdfForm), tuple(reversed(PdfForm))], ids="-".join)
def test_pyhanko_agrees_with_every_signature(forms: tuple[PdfForm, PdfForm]) -> None:
    """As a cross-check of the structure: intact, valid, whole, and the second signature is no harm to the first."""
    reader = PdfFileReader(BytesIO(sign(sign(form=forms[0]), forms[1])), strict=True)
    first, second = reader.embedded_regular_signatures

    async def judge() -> None:
        for embedded in (first, second):
            status = await async_validate_pdf_signature(embedded, signer_validation_context=context())
            assert status.intact
            assert status.valid
            assert status.trusted
            assert status.docmdp_ok
            assert status.modification_level in (ModificationLevel.NONE, ModificationLevel.FORM_FILLING)
            assert status.bottom_line

    asyncio.run(judge())


def test_pyhanko_refuses_another_page() -> None:
    (embedded,) = PdfFileReader(BytesIO(sign().replace(b"about to be", b"never to be"))).embedded_signatures
    status = asyncio.run(async_validate_pdf_signature(embedded, signer_validation_context=context()))
    assert not status.intact
    assert not status.bottom_line


@pytest.mark.foreign("pdfsig")
def test_where_we_are_stricter_than_pdfsig(tmp_path: Path) -> None:
    """A page painted over by a second signature, and text appended: each signature is mathematically right."""
    first, second, empty = pdfsig(tmp_path, painted())
    assert "Signature is Valid." in first
    assert "Signature is Valid." in second
    assert "not signed" in empty
    assert "coverage.later_appearance" in forge.verifier().verify_pdf(painted()).reasons
    changed = updated(once(), new_page_text)
    said, _ = pdfsig(tmp_path, changed)
    assert "Signature is Valid." in said
    assert "Not total document signed" in said
    assert forge.verifier().verify_pdf(changed).reasons == ("coverage.appended",)


# --- what pdfsig signs ------------------------------------------------------------------------------------------------

SIGNERS = ("pdfsig", "certutil", "pk12util")


@pytest.fixture
def nss(tmp_path: Path) -> Path:
    """A folder with NSS's data base, in which lies the key and certificate of an invented person."""
    (tmp_path / "nss").mkdir()
    chain = x509.load_der_x509_certificate(forge.certificate())
    packed = pkcs12.serialize_key_and_certificates(b"signer", forge.key(), chain, None, BestAvailableEncryption(b"x"))
    (tmp_path / "key.p12").write_bytes(packed)
    for command in (
        ("certutil", "-N", "-d", "sql:nss", "--empty-password"),
        ("pk12util", "-i", "key.p12", "-d", "sql:nss", "-W", "x", "-K", ""),
    ):
        said = run(*command, cwd=tmp_path, home=tmp_path)
        assert said.returncode == 0, said.stdout + said.stderr
    return tmp_path


def signed_by_pdfsig(nss: Path, pdf: bytes, *options: str) -> bytes:
    (nss / "in.pdf").write_bytes(pdf)
    how = options or ("-add-signature",)
    said = run(
        "pdfsig", "-nssdir", "nss", "-nss-pwd", "", *how, "-nick", "signer", "in.pdf", "out.pdf", cwd=nss, home=nss
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return (nss / "out.pdf").read_bytes()


def verdict_now(pdf: bytes) -> Verdict:
    """As of now, for pdfsig goes by the real time."""
    return forge.verifier(now=datetime.now(UTC) + timedelta(minutes=1)).verify_pdf(pdf)


@pytest.mark.foreign(*SIGNERS)
def test_we_accept_what_pdfsig_signs(nss: Path) -> None:
    """Generation numbers without a cause in the table, BER in the message, two empty drawings left behind."""
    signed = signed_by_pdfsig(nss, PDF)
    assert b" 1 obj" in signed
    verdict = verdict_now(signed).require()
    assert verdict.check(CheckId.COVERAGE).evidence == {"covers": "whole file"}
    (said,) = pdfsig(nss, signed)
    assert "Signature is Valid." in said


@pytest.mark.foreign(*SIGNERS)
def test_we_refuse_what_was_changed_after_pdfsig_signed_as_pdfsig_does(nss: Path) -> None:
    changed = signed_by_pdfsig(nss, PDF).replace(b"about to be", b"never to be")
    assert verdict_now(changed).reasons == ("digest.mismatch",)
    (said,) = pdfsig(nss, changed)
    assert "Digest Mismatch" in said


@pytest.mark.foreign(*SIGNERS)
def test_we_accept_what_pdfsig_signs_twice_or_after_us_and_refuse_a_byte_more(nss: Path) -> None:
    twice = signed_by_pdfsig(nss, signed_by_pdfsig(nss, PDF))
    after_us = signed_by_pdfsig(nss, sign())
    for pdf in (twice, after_us):
        parts = verdict_now(pdf).require().parts
        assert [part.check(CheckId.COVERAGE).evidence["covers"] for part in parts] == ["its revision", "whole file"]
        assert all("Signature is Valid." in said for said in pdfsig(nss, pdf))
        assert "coverage.appended" in verdict_now(pdf + b"\n").reasons


@pytest.mark.foreign(*SIGNERS)
def test_we_accept_what_pdfsig_signs_in_a_field_that_waits(nss: Path) -> None:
    """An existing empty field; pdfsig draws nothing in a field without an area."""
    writer = IncrementalPdfFileWriter(BytesIO(PDF))
    append_signature_field(writer, SigFieldSpec("Waiting", on_page=0, box=(0, 0, 0, 0)))
    out = BytesIO()
    writer.write(out)
    verdict_now(signed_by_pdfsig(nss, out.getvalue(), "-sign", "Waiting")).require()
    verdict_now(signed_by_pdfsig(nss, PDF, "-add-signature", "-reason", "I agree")).require()


@pytest.mark.foreign(*SIGNERS)
def test_we_sign_after_pdfsig(nss: Path) -> None:
    ours = sign_pdf(make_signer(), signed_by_pdfsig(nss, PDF), now=datetime.now(UTC))
    verdict_now(ours).require()
    assert all("Signature is Valid." in said for said in pdfsig(nss, ours))
