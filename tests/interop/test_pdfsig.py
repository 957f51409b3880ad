"""pdfsig (poppler) and pyhanko's own validator judge the PDF we sign: they agree, and refuse what is tampered with."""

from __future__ import annotations

import asyncio
import re
from io import BytesIO
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from issued import NOW
from kojin_card.pki.profile import Purpose
from kojin_card.signing import PdfForm, sign_pdf
from kojin_card.testing.documents import blank_pdf
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
