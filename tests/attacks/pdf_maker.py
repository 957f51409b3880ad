"""Validation data for signed PDFs: stores, document time-stamps, made by pyhanko or by hand."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from io import BytesIO
from typing import Any

from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from asn1crypto.keys import PrivateKeyInfo
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigFieldSpec
from pyhanko.sign.signers.pdf_signer import PdfTimeStamper
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore

from attacks import tsa
from attacks.forge import NOW, certificate, crl
from attacks.test_pdf import dictionary, foreign, updated

Writer = IncrementalPdfFileWriter


@cache
def clock() -> DummyTimeStamper:
    """A time-stamp authority that nobody trusts: the holder's own certificate."""
    signer = foreign()
    assert signer.signing_cert is not None
    return DummyTimeStamper(signer.signing_cert, signer.signing_key, fixed_dt=NOW - timedelta(minutes=1))


@cache
def authority() -> DummyTimeStamper:
    """A time-stamp authority that those may trust who have its CA."""
    key = tsa.private("tsa").private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return DummyTimeStamper(
        asn1_x509.Certificate.load(tsa.authority()), PrivateKeyInfo.load(key), fixed_dt=NOW + timedelta(hours=1)
    )


def stamped(
    data: bytes, name: str = "Stamp", *, box: tuple[int, ...] | None = None, by: DummyTimeStamper | None = None
) -> bytes:
    """A document time-stamp by pyhanko, invisible unless there is a box."""
    if box is not None:
        data = updated(data, lambda w: _visible_field(w, name, box))
    out = BytesIO()
    writer = IncrementalPdfFileWriter(BytesIO(data))
    PdfTimeStamper(by or clock(), field_name=name).timestamp_pdf(writer, "sha256", output=out)
    return out.getvalue()


def _visible_field(writer: Writer, name: str, box: tuple[int, ...]) -> None:
    from pyhanko.sign.fields import append_signature_field

    append_signature_field(writer, SigFieldSpec(name, on_page=0, box=box))  # type: ignore[arg-type]


def with_store(data: bytes, *, entry: bool = True) -> bytes:
    """A store with the certificate and a list, by pyhanko; with an entry for the last signature (/VRI)."""
    signatures = PdfFileReader(BytesIO(data)).embedded_signatures
    contents = signatures[-1].pkcs7_content.hex().encode("ascii") if entry else None
    out = BytesIO(data)
    DocumentSecurityStore.add_dss(
        out,
        contents,
        certs=[asn1_x509.Certificate.load(certificate())],
        crls=[asn1_crl.CertificateList.load(crl())],
    )
    return out.getvalue()


def stream(data: bytes, **entries: object) -> generic.StreamObject:
    """A stream, not compressed."""
    made = generic.StreamObject(stream_data=data)
    made.update(dictionary(**entries))
    return made


def store(
    *things: bytes, kind: str = "Certs", entries: Callable[[Writer], dict[str, Any]] | None = None, **about: object
) -> Callable[[Writer], None]:
    """A change that adds a store by hand: streams of one kind, and whatever else ``entries`` gives."""

    def change(writer: Writer) -> None:
        listed = generic.ArrayObject(writer.add_object(stream(thing, **about)) for thing in things)
        more = entries(writer) if entries else {}
        writer.root["/DSS"] = writer.add_object(dictionary(**{kind: listed}, **more))
        writer.update_root()

    return change
