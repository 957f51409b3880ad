"""Forged documents, field by field: messages and PDFs of which one thing is wrong, with certificates and lists.

Made without any code of ``kojin_card`` that judges or signs. DER is written here with a few lines of its own, RSA
padding by hand, PDFs as bytes: a helper that used the code under test could agree with its faults. Certificates and
CRLs come from the simulator's test PKI, which shares none of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from kojin_card.errors import UsageError
from kojin_card.pki.profile import Purpose, Store
from kojin_card.pki.revocation import RevocationAnswer, RevocationStatus
from kojin_card.simulator.testpki import CertifiedPerson, RevokedEntry, TestPki
from kojin_card.testing.cards import test_pki
from kojin_card.verification import Verifier

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
ISSUED = datetime(2026, 4, 1, 1, 30, tzinfo=UTC)
CITY, OTHER_CITY = "13221", "13113"
SERIAL, AUTH_SERIAL = 0x01500001, 0x01500002
PERSON = CertifiedPerson("検証　花子", "東京都清瀬市架空一丁目２－３", date(1984, 7, 9), "2", "01000", "0" * 14)

OIDS = {
    "data": "1.2.840.113549.1.7.1",
    "signedData": "1.2.840.113549.1.7.2",
    "tstInfo": "1.2.840.113549.1.9.16.1.4",
    "contentType": "1.2.840.113549.1.9.3",
    "messageDigest": "1.2.840.113549.1.9.4",
    "signingTime": "1.2.840.113549.1.9.5",
    "protection": "1.2.840.113549.1.9.52",
    "signingCertificate": "1.2.840.113549.1.9.16.2.12",
    "signingCertificateV2": "1.2.840.113549.1.9.16.2.47",
    "sha1": "1.3.14.3.2.26",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha512": "2.16.840.1.101.3.4.2.3",
    "rsaEncryption": "1.2.840.113549.1.1.1",
    "sha1WithRSA": "1.2.840.113549.1.1.5",
    "sha256WithRSA": "1.2.840.113549.1.1.11",
    "sha512WithRSA": "1.2.840.113549.1.1.13",
    "pss": "1.2.840.113549.1.1.10",
    "ecdsa": "1.2.840.10045.4.3.2",
}


# --- DER --------------------------------------------------------------------------------------------------------------


def tlv(tag: int, *parts: bytes) -> bytes:
    """One element."""
    value = b"".join(parts)
    if len(value) < 0x80:
        return bytes((tag, len(value))) + value
    size = (len(value).bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + len(value).to_bytes(size, "big") + value


def oid(name: str) -> bytes:
    """An OBJECT IDENTIFIER, by name of :data:`OIDS` or dotted."""
    arcs = [int(arc) for arc in OIDS.get(name, name).split(".")]
    out = b""
    for arc in (40 * arcs[0] + arcs[1], *arcs[2:]):
        chunk = [arc & 0x7F]
        while arc := arc >> 7:
            chunk.append(arc & 0x7F | 0x80)
        out += bytes(reversed(chunk))
    return tlv(0x06, out)


def integer(number: int) -> bytes:
    """An INTEGER that is not negative."""
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def algorithm(name: str, parameters: bytes = b"\x05\x00") -> bytes:
    """An AlgorithmIdentifier."""
    return tlv(0x30, oid(name), parameters)


# --- people, certificates, lists --------------------------------------------------------------------------------------


def pki() -> TestPki:
    """The test PKI (keys are built once)."""
    return test_pki()


def key(role: str = "signature", seed: str = "verified") -> rsa.RSAPrivateKey:
    """A key of the pool."""
    return pki().pool.for_persona(seed, role)


@cache
def certificate(purpose: Purpose = Purpose.SIGNATURE, **changes: Any) -> bytes:
    """The holder's certificate; ``changes`` are those of :func:`changed`."""
    return changed(purpose, **changes)


def changed(
    purpose: Purpose = Purpose.SIGNATURE,
    *,
    serial: int | None = None,
    city: str = CITY,
    generation: int | None = None,
    issued_at: datetime = ISSUED,
    person: CertifiedPerson = PERSON,
    signed_by: rsa.RSAPrivateKey | None = None,
    without: str | None = None,
    plus: tuple[x509.ExtensionType, bool] | None = None,
    instead: x509.ExtensionType | None = None,
    role: str | None = None,
    **fields: Any,
) -> bytes:
    """A certificate that differs in what is named.

    Args:
        without: OID of an extension to leave out.
        plus: an extension to add.
        instead: an extension value to put in place of the one with its OID.
        signed_by: a key other than the CA's.
        fields: of the template (``not_after``, ``public_key``, ``issuer``, ``hash_name``...).
    """
    signing = purpose is Purpose.SIGNATURE
    holder = key(role or str(purpose))
    ca, template = pki().template(
        purpose,
        person,
        holder.public_key(),
        issued_at=issued_at,
        serial=(SERIAL if signing else AUTH_SERIAL) if serial is None else serial,
        municipality=city,
        generation=generation,
    )
    extensions = [pair for pair in template.extensions if pair[0].oid.dotted_string != without]
    if instead is not None:
        extensions = [(instead if value.oid == instead.oid else value, flag) for value, flag in extensions]
    if plus is not None:
        extensions.append(plus)
    template = dataclasses.replace(template, extensions=tuple(extensions), **fields)
    return template.sign(signed_by or ca.key)


def crl(
    revoked: Sequence[RevokedEntry] = (),
    *,
    purpose: Purpose = Purpose.SIGNATURE,
    city: str = CITY,
    at: datetime = NOW - timedelta(hours=2),
    **options: Any,
) -> bytes:
    """A municipality's list as of two hours ago."""
    return pki().crl(purpose, city, this_update=at, revoked=revoked, **options)


class Good:
    """A revocation source that knows nothing wrong of anybody: for tests of everything else."""

    def status(self, *_: Any, **__: Any) -> RevocationAnswer:
        """Good."""
        return RevocationAnswer(RevocationStatus.GOOD, method="test")


def verifier(revocation: Any = None, *, store: Store = Store.SIMULATOR, now: datetime = NOW) -> Verifier:
    """A verifier of the simulator's store at :data:`NOW`; revocation is good unless a source is given."""
    return Verifier.for_store(store, Good() if revocation is None else revocation, now=lambda: now)


# --- RSA --------------------------------------------------------------------------------------------------------------

DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def padded(tail: bytes, size: int = 256) -> bytes:
    """``00 01 FF.. 00 tail``."""
    return b"\x00\x01" + b"\xff" * (size - 3 - len(tail)) + b"\x00" + tail


def rsa_sign(private: rsa.RSAPrivateKey, block: bytes) -> bytes:
    """The private operation on a block, as a card does it."""
    numbers = private.private_numbers()
    n = numbers.public_numbers.n
    return pow(int.from_bytes(block, "big"), numbers.d, n).to_bytes((n.bit_length() + 7) // 8, "big")


def sign(private: rsa.RSAPrivateKey, message: bytes) -> bytes:
    """RSASSA-PKCS1-v1_5 with SHA-256, by hand."""
    size = (private.key_size + 7) // 8
    return rsa_sign(private, padded(DIGEST_INFO + hashlib.sha256(message).digest(), size))


# --- CMS --------------------------------------------------------------------------------------------------------------


def attribute(name: str, *values: bytes) -> bytes:
    """One signed attribute."""
    return tlv(0x30, oid(name), tlv(0x31, *values))


def attributes(content: bytes, **extra: bytes) -> list[bytes]:
    """contentType, messageDigest, and whatever else is given by name."""
    return [
        attribute("contentType", oid("data")),
        attribute("messageDigest", tlv(0x04, hashlib.sha256(content).digest())),
        *(attribute(name, value) for name, value in extra.items()),
    ]


@dataclass(frozen=True)
class Cms:
    """A CMS message, field by field; replace a field to make it wrong. ``attributes`` None = none at all."""

    content: bytes = b"invented content\n"
    attached: bool = True
    certificates: tuple[bytes, ...] | None = None
    attributes: tuple[bytes, ...] | None = ()
    signer_certificate: bytes | None = None
    private: rsa.RSAPrivateKey | None = None
    by_key_id: bool = False
    signer_version: int | None = None
    version: int | None = None
    digest: bytes = field(default_factory=lambda: algorithm("sha256"))
    digests: tuple[bytes, ...] | None = None
    signature_algorithm: bytes = field(default_factory=lambda: algorithm("sha256WithRSA"))
    content_type: str = "data"
    signature: Callable[[rsa.RSAPrivateKey, bytes], bytes] = sign
    unsigned: bytes = b""

    def signer(self) -> bytes:
        """The SignerInfo."""
        cert = x509.load_der_x509_certificate(self.signer_certificate or certificate())
        if self.by_key_id:
            ski = cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
            who, version = tlv(0x80, ski), 3
        else:
            who, version = tlv(0x30, cert.issuer.public_bytes(), integer(cert.serial_number)), 1
        if self.attributes is None:
            inside, over = b"", self.content
        else:
            listed = b"".join(self.attributes or tuple(attributes(self.content)))
            inside, over = tlv(0xA0, listed), tlv(0x31, listed)
        value = self.signature(self.private or key(), over)
        return tlv(
            0x30,
            integer(version if self.signer_version is None else self.signer_version),
            who,
            self.digest,
            inside,
            self.signature_algorithm,
            tlv(0x04, value),
            self.unsigned,
        )

    def build(self, *more_signers: bytes, signers: Sequence[bytes] | None = None) -> bytes:
        """The whole message."""
        own = [self.signer(), *more_signers] if signers is None else list(signers)
        content = tlv(0xA0, tlv(0x04, self.content)) if self.attached else b""
        bag = (certificate(),) if self.certificates is None else self.certificates
        body = tlv(
            0x30,
            integer(self.version if self.version is not None else (3 if self.by_key_id else 1)),
            tlv(0x31, *((self.digest,) if self.digests is None else self.digests)),
            tlv(0x30, oid(self.content_type), content),
            tlv(0xA0, *bag) if bag else b"",
            tlv(0x31, *own),
        )
        return tlv(0x30, oid("signedData"), tlv(0xA0, body))


def signing_certificate_v2(cert: bytes) -> bytes:
    """SigningCertificateV2 with the default hash."""
    return tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x04, hashlib.sha256(cert).digest()))))


# --- PDF --------------------------------------------------------------------------------------------------------------

HEX_ROOM = 8192
Signer = Callable[[bytes], bytes]


def pdf_cms(data: bytes) -> bytes:
    """What goes into /Contents: a detached CMS."""
    return Cms(content=data, attached=False).build()


@dataclass(frozen=True)
class Pdf:
    """A one-page PDF with one signature, written by hand.

    Attributes:
        byte_range: changes the right /ByteRange (a tuple of four) into the one that is written.
        tail: bytes after the signed file.
        extra: objects (text of a dictionary) that are added, numbered from 7 on.
        fields: the /Fields array.
        contents: bytes of the CMS -> hex digits of /Contents without brackets (default: zero padding).
    """

    sub_filter: str = "adbe.pkcs7.detached"
    byte_range: Callable[[tuple[int, ...]], Sequence[int]] = tuple
    cms: Signer = pdf_cms
    tail: bytes = b""
    extra: tuple[str, ...] = ()
    fields: str = "[5 0 R]"
    contents: Callable[[bytes], str] | None = None
    sig_type: str = "/Type /Sig "
    text: str = "signed"

    def build(self) -> bytes:
        """The file."""
        stream = f"BT /F1 12 Tf 72 720 Td ({self.text}) Tj ET"
        placeholder = "<" + "0" * HEX_ROOM + ">"
        numbers = "[0 0000000000 0000000000 0000000000]"
        objects = [
            f"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields {self.fields} /SigFlags 3 >> >>",
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Annots [5 0 R] >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
            "<< /Type /Annot /Subtype /Widget /FT /Sig /T (Signature1) /V 6 0 R /F 132 /Rect [0 0 0 0] /P 3 0 R >>",
            f"<< {self.sig_type}/Filter /Adobe.PPKLite /SubFilter /{self.sub_filter} "
            f"/ByteRange {numbers} /Contents {placeholder} >>",
            *self.extra,
        ]
        out = b"%PDF-1.7\n"
        offsets = []
        for number, body in enumerate(objects, 1):
            offsets.append(len(out))
            out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
        table = len(out)
        rows = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
        out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}".encode()
        out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
        begin = out.index(placeholder.encode())
        end = begin + len(placeholder)
        right = (0, begin, end, len(out) - end)
        written = list(self.byte_range(right))
        array = "[" + " ".join(str(number) for number in written) + "]"
        out = out.replace(numbers.encode(), array.ljust(len(numbers)).encode(), 1)
        message = self.cms(out[: right[1]] + out[right[2] :])
        digits = message.hex().ljust(HEX_ROOM, "0") if self.contents is None else self.contents(message)
        if len(digits) != HEX_ROOM:
            raise UsageError("/Contents has 8192 hex digits")
        return out[: begin + 1] + digits.encode() + out[end - 1 :] + self.tail


def revision(pdf: bytes, objects: Mapping[int, bytes], *, size: int = 60) -> bytes:
    """``pdf`` with an incremental update (ISO 32000-1 §7.5.6) that replaces or adds ``objects``."""
    previous = int(re.findall(rb"startxref\n(\d+)", pdf)[-1])
    out, offsets = bytearray(pdf), {}
    for number, body in objects.items():
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n" + b"".join(b"%d 1\n%010d 00000 n \n" % item for item in offsets.items())
    out += b"trailer\n<< /Size %d /Root 1 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n" % (size, previous, start)
    return bytes(out)
