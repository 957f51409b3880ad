"""Signing PDF: one more revision at the end of the file, nothing before it touched.

pyhanko writes the PDF, the CMS is ours (:mod:`kojin_card.signing.cms`), the card is asked exactly once. Everything is
synchronous: it works as well inside a running event loop as without one. A file that cannot be signed is refused before
the card is asked; :func:`check_pdf` refuses it before there is a signer at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.constants import ESIC_EXTENSION_1
from pyhanko.sign.signers.pdf_byterange import SignatureObject

from kojin_card.errors import KojinError, UsageError
from kojin_card.pdf_reader import quiet
from kojin_card.signing.cms import CmsPlan
from kojin_card.signing.pdf_document import DocumentToSign, unusable
from kojin_card.signing.signer import Identity, require_content

if TYPE_CHECKING:
    from collections.abc import Generator

    from kojin_card.signing.signer import Signer

MAX_PDF_BYTES = 128 * 1024 * 1024
MAX_TEXT_CHARS = 500
MAX_FIELD_NAME_CHARS = 100
_TRIAL_BYTES = 8192


class PdfForm(StrEnum):
    """Which kind of signature the receiver wants."""

    PADES = "pades"
    """PAdES B-B (ETSI EN 319 142-1): SubFilter ``ETSI.CAdES.detached``, the time only in ``/M``."""

    REGISTRY = "registry"
    """登記・供託オンライン申請システム: SubFilter ``adbe.pkcs7.detached``, ``/Name`` mandatory (jpki.md §5)."""


@dataclass(frozen=True, slots=True)
class _FormRules:
    sub_filter: SigSeedSubFilter
    name_required: bool
    signing_time: bool
    esic: bool


_FORMS = {
    PdfForm.PADES: _FormRules(SigSeedSubFilter.PADES, name_required=False, signing_time=False, esic=True),
    PdfForm.REGISTRY: _FormRules(
        SigSeedSubFilter.ADOBE_PKCS7_DETACHED, name_required=True, signing_time=True, esic=False
    ),
}


def sign_pdf(
    signer: Signer,
    pdf: bytes,
    *,
    now: datetime | None = None,
    form: PdfForm = PdfForm.PADES,
    reason: str | None = None,
    location: str | None = None,
    name: str | None = None,
    field_name: str | None = None,
    include_issuer: bool = False,
) -> bytes:
    """Sign a PDF with 署名用電子証明書, invisibly, over the whole file.

    Args:
        now: aware time for ``/M`` (and signingTime in the REGISTRY form): what a clock says, no proof of time; the
            system's clock when left out.
        reason: ``/Reason``, shown by viewers.
        location: ``/Location``.
        name: ``/Name``, the signer's name in the clear. Nothing puts it in by itself: the certificate names the holder
            already. The REGISTRY form demands it, so there it must be given.
        field_name: an empty signature field of the document, or the name of a new one; None: a new ``Signature<n>``.
        include_issuer: add the CA's certificate, read from the card. JPKI has no CA between the holder's certificate
            and the trust anchor, so a verifier lacks nothing without it.

    Returns:
        ``pdf`` followed by one incremental update with the signature. The same arguments give the same bytes when the
        card's signature is deterministic.

    Raises:
        InputError: not a PDF that can be signed: malformed, encrypted, too large, certified against changes, a field
            that is taken or makes demands of its own. The card was not asked.
        UsageError: a text or name that cannot stand there, a time without zone, a certificate not meant for documents.
        SignatureMismatch: the card's answer does not verify.
        KojinError: whatever the signer raises.
    """
    rules = _FORMS[PdfForm(form)]
    now = datetime.now(UTC) if now is None else now
    with quiet():
        document, field = _open(rules, pdf, now, reason, location, name, field_name)
    identity = Identity.of(signer)
    identity.require_document_key()
    issuer = identity.issuer_of(signer) if include_issuer else None
    plan = CmsPlan(identity, now if rules.signing_time else None, issuer)
    # Hex digits of the CMS; exact, so that nothing else fits in.
    placeholder = _placeholder(rules, now, reason, location, name, 2 * plan.size())
    with quiet():
        steps, digest, output = _write(document, placeholder, rules, identity.scheme.hash, field)
    # From here on the PDF is finished but for its hole; only now is the card asked, and only once.
    cms = plan.sign(signer, digest)
    with quiet():
        steps.send(cms)
    return output.getvalue()


def check_pdf(
    pdf: bytes,
    *,
    now: datetime | None = None,
    form: PdfForm = PdfForm.PADES,
    reason: str | None = None,
    location: str | None = None,
    name: str | None = None,
    field_name: str | None = None,
) -> None:
    """Whether :func:`sign_pdf` would take these arguments, found out without a signer: call it before asking for a PIN.

    The document is opened and written as if to sign it, so what passes here fails later only for the signer's sake.

    Raises:
        InputError: see :func:`sign_pdf`.
        UsageError: a text or name that cannot stand there, a time without zone.
    """
    rules = _FORMS[PdfForm(form)]
    now = datetime.now(UTC) if now is None else now
    with quiet():
        document, field = _open(rules, pdf, now, reason, location, name, field_name)
        _write(document, _placeholder(rules, now, reason, location, name, _TRIAL_BYTES), rules, "sha256", field)


def _open(
    rules: _FormRules,
    pdf: bytes,
    now: datetime,
    reason: str | None,
    location: str | None,
    name: str | None,
    field_name: str | None,
) -> tuple[DocumentToSign, str]:
    """All that can be refused without a signer, but for what the writer refuses: the document, the field's name."""
    _require_texts(rules, now, reason, location, name, field_name)
    require_content(pdf, MAX_PDF_BYTES)
    document = DocumentToSign.open(pdf, now)
    try:
        return document, document.field_for(field_name)
    except KojinError:
        raise
    except Exception as bad:  # see _write
        raise unusable("the PDF cannot be extended by a signature", bad) from None


def _placeholder(
    rules: _FormRules, now: datetime, reason: str | None, location: str | None, name: str | None, digits: int
) -> SignatureObject:
    return SignatureObject(
        timestamp=now.replace(microsecond=0),
        subfilter=rules.sub_filter,
        name=name,
        location=location,
        reason=reason,
        bytes_reserved=digits,
    )


def _write(
    document: DocumentToSign, placeholder: SignatureObject, rules: _FormRules, hash_name: str, field: str
) -> tuple[Generator[Any, Any, None], bytes, BytesIO]:
    """Write the new revision with a hole for the CMS and hash it."""
    try:
        if rules.esic and document.writer.output_version < (2, 0):
            document.writer.register_extension(ESIC_EXTENSION_1)  # PAdES in a PDF before 2.0 (EN 319 142-1 annex)
        embedder = PdfCMSEmbedder(new_field_spec=SigFieldSpec(field))
        steps = embedder.write_cms(field_name=field, writer=document.writer)
        next(steps)
        steps.send(SigObjSetup(sig_placeholder=placeholder))
        prepared, output = steps.send(SigIOSetup(md_algorithm=hash_name, output=BytesIO()))
    except KojinError:
        raise
    except Exception as bad:  # a hostile file reaches every corner of the writer
        raise unusable("the PDF cannot be extended by a signature", bad) from None
    return steps, prepared.document_digest, output


def _require_texts(
    rules: _FormRules,
    now: datetime,
    reason: str | None,
    location: str | None,
    name: str | None,
    field_name: str | None,
) -> None:
    if now.utcoffset() is None:
        raise UsageError("the time of a signature needs a time zone")
    for argument, text in (("reason", reason), ("location", location), ("name", name)):
        if text is not None and not (0 < len(text) <= MAX_TEXT_CHARS and _is_plain(text)):
            raise UsageError("1 to 500 characters on one line", argument=argument)
    if field_name is not None and not (0 < len(field_name) <= MAX_FIELD_NAME_CHARS and _is_plain(field_name)):
        raise UsageError("a field name has 1 to 100 characters on one line", argument="field_name")
    if rules.name_required and name is None:
        raise UsageError("this form of signature demands the signer's name", argument="name")


def _is_plain(text: str) -> bool:
    return all(char.isprintable() or char == "\u3000" for char in text)
