"""CMS SignedData (RFC 5652 §5), strictly: DER, or BER with indefinite lengths and strings in pieces (jpki.md §5)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kojin_card.pki import der
from kojin_card.pki.algorithms import DIGESTS, SHA256, algorithm_identifier

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kojin_card.pki.certificate import Certificate

MAX_CMS_BYTES = 128 * 1024 * 1024
MAX_SIGNERS = 16
MAX_CERTIFICATES = 64
MAX_ATTRIBUTES = 64

SIGNED_DATA, DATA = "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.1"
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5"
ALGORITHM_PROTECTION = "1.2.840.113549.1.9.52"
SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
SIGNATURE_TIMESTAMP = "1.2.840.113549.1.9.16.2.14"
#: names of unsigned attributes that are known and not used, for evidence; any other is named by its OID
UNSIGNED_NAMES: Mapping[str, str] = {
    SIGNATURE_TIMESTAMP: "signatureTimeStampToken",
    "1.2.840.113549.1.9.6": "countersignature",
    "0.4.0.1733.2.4": "archiveTimestampV3",
    "1.2.840.113549.1.9.16.2.48": "archiveTimestampV2",
    "1.2.840.113549.1.9.16.2.27": "archiveTimestamp",
    "1.2.840.113549.1.9.16.2.24": "revocationValues",
    "1.2.840.113549.1.9.16.2.23": "certificateValues",
}
#: RFC 5652 §5.1: 4 and 5 only say that attribute certificates, or other certificates and lists, are inside
_VERSIONS = (1, 3, 4, 5)
_SINGLE_VALUED = (
    CONTENT_TYPE,
    MESSAGE_DIGEST,
    SIGNING_TIME,
    ALGORITHM_PROTECTION,
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
)


@dataclass(frozen=True, slots=True)
class SignerInfo:
    """One signer.

    Attributes:
        issuer, serial: the one form of SignerIdentifier; ``key_id`` is the other.
        signed_attributes: their bytes as they are signed, a SET (RFC 5652 §5.4), or None without any.
        attributes: signed attribute type -> its one value, DER.
        unsigned: (type, value) of each value of the unsigned attributes; None when they are malformed. Nobody signed
            them, so they decide nothing: a time-stamp among them is proof only by its own signature.
    """

    issuer: bytes | None = field(repr=False)
    serial: int | None = field(repr=False)
    key_id: bytes | None = field(repr=False)
    digest_algorithm: str
    signature_algorithm: str
    signed_attributes: bytes | None = field(repr=False)
    attributes: Mapping[str, bytes] = field(repr=False)
    signature: bytes = field(repr=False)
    unsigned: tuple[tuple[str, bytes], ...] | None = field(default=(), repr=False)

    def matches(self, certificate: Certificate) -> bool:
        """Whether this signer names that certificate."""
        if self.key_id is not None:
            return certificate.subject_key_id == self.key_id
        return (certificate.issuer, certificate.serial) == (self.issuer, self.serial)

    def bound_to(self, certificate: Certificate) -> bool:
        """Whether signing-certificate(-v2), where present, names this certificate (RFC 5035)."""
        for oid, default in ((SIGNING_CERTIFICATE_V2, SHA256), (SIGNING_CERTIFICATE, None)):
            value = self.attributes.get(oid)
            if value is not None and not _names(value, certificate, default):
                return False
        return True

    def protected(self) -> bool:
        """Whether CMSAlgorithmProtection (RFC 6211), where present, says the same algorithms as the signer."""
        value = self.attributes.get(ALGORITHM_PROTECTION)
        if value is None:
            return True
        fields = der.Fields(der.single(value, der.SEQUENCE))
        digest, signature = fields.next(der.SEQUENCE), fields.next(0xA1)
        fields.done()
        said = (
            algorithm_identifier(digest, null=True),
            algorithm_identifier(der.Element(der.SEQUENCE, signature.value, signature.raw)),
        )
        return said == (self.digest_algorithm, self.signature_algorithm)

    def claimed_time(self) -> datetime | None:
        """signingTime: what the signer's clock claimed; proof of nothing (jpki.md §6 A-26)."""
        value = self.attributes.get(SIGNING_TIME)
        return None if value is None else der.time(der.single(value))


@dataclass(frozen=True, slots=True)
class SignedData:
    """A CMS message: who signed (``signers``), with which certificates offered, and what, when it is inside."""

    content_type: str
    content: bytes | None = field(repr=False)
    digest_algorithms: frozenset[str]
    certificates: tuple[bytes, ...] = field(repr=False)
    signers: tuple[SignerInfo, ...]

    @classmethod
    def parse(cls, data: bytes, *, padded: bool = False) -> SignedData:
        """Read one message.

        Args:
            padded: zero bytes may follow it (the rest of /Contents in a PDF).

        Raises:
            DerError: malformed; bytes after it; an attribute twice or with several values; a version that does not fit
                the signer's identifier; more signers, certificates or attributes than are read here.
        """
        if len(data) > MAX_CMS_BYTES:
            raise der.DerError("a message that is too large")
        message, end = der.normalise(data)
        if end != len(data) and not (padded and not data[end:].strip(b"\x00")):
            raise der.DerError("bytes after the message")
        der.check(message)
        outer = der.Fields(der.single(message, der.SEQUENCE))
        if der.oid(outer.next(der.OID)) != SIGNED_DATA:
            raise der.DerError("not signed data")
        fields = der.Fields(der.single(outer.next(0xA0).value, der.SEQUENCE))
        outer.done()
        if der.integer(fields.next(der.INTEGER)) not in _VERSIONS:
            raise der.DerError("a version of signed data that is not read here")
        digests = frozenset(algorithm_identifier(item, null=True) for item in der.children(fields.next(der.SET)))
        content_type, content = _content(fields.next(der.SEQUENCE))
        certificates, lists = fields.optional(0xA0), fields.optional(0xA1)
        del lists  # revocation lists in a message are what its maker chose: not used
        offered = () if certificates is None else der.children(certificates)
        signers = der.children(fields.next(der.SET))
        fields.done()
        if len(signers) > MAX_SIGNERS or len(offered) > MAX_CERTIFICATES:
            raise der.DerError("too many signers or certificates")
        plain = dict.fromkeys(item.raw for item in offered if item.tag == der.SEQUENCE)
        return cls(content_type, content, digests, tuple(plain), tuple(_signer(item) for item in signers))


def _content(element: der.Element) -> tuple[str, bytes | None]:
    fields = der.Fields(element)
    content_type, wrapped = der.oid(fields.next(der.OID)), fields.optional(0xA0)
    fields.done()
    return content_type, None if wrapped is None else der.single(wrapped.value, der.OCTET_STRING).value


def _signer(element: der.Element) -> SignerInfo:
    fields = der.Fields(element)
    version, who = der.integer(fields.next(der.INTEGER)), fields.next()
    issuer = serial = key_id = None
    if who.tag == der.SEQUENCE and version == 1:
        pair = der.Fields(who)
        issuer, serial = pair.next(der.SEQUENCE).raw, der.integer(pair.next(der.INTEGER))
        pair.done()
    elif who.tag == 0x80 and version == 3:
        key_id = who.value
    else:
        raise der.DerError("a signer's version and identifier that do not fit each other")
    digest = algorithm_identifier(fields.next(der.SEQUENCE), null=True)
    signed = fields.optional(0xA0)
    algorithm = algorithm_identifier(fields.next(der.SEQUENCE))
    signature = fields.next(der.OCTET_STRING).value
    unsigned = fields.optional(0xA1)
    fields.done()
    attributes = {} if signed is None else read_attributes(signed.value)
    as_signed = None if signed is None else der.encode(der.SET, signed.value)
    beside = () if unsigned is None else _unsigned(unsigned.value)
    return SignerInfo(issuer, serial, key_id, digest, algorithm, as_signed, attributes, signature, beside)


def _unsigned(value: bytes) -> tuple[tuple[str, bytes], ...] | None:
    """Every value with its type, in order; a type may stand twice. None: malformed, or more than are read here."""
    out: list[tuple[str, bytes]] = []
    try:
        for item in der.children(der.Element(der.SET, value, value)):
            fields = der.Fields(item)
            oid, values = der.oid(fields.next(der.OID)), der.children(fields.next(der.SET))
            fields.done()
            out += [(oid, one.raw) for one in values]
    except der.DerError:
        return None
    return tuple(out) if len(out) <= MAX_ATTRIBUTES else None


def read_attributes(value: bytes) -> dict[str, bytes]:
    """Signed attributes by type; only those that are looked at must have exactly one value.

    Raises:
        DerError: malformed, none at all, one twice, contentType or messageDigest missing.
    """
    items = der.children(der.Element(der.SET, value, value))
    if not 0 < len(items) <= MAX_ATTRIBUTES:
        raise der.DerError("no signed attributes, or too many")
    out: dict[str, bytes] = {}
    for item in items:
        fields = der.Fields(item)
        oid, values = der.oid(fields.next(der.OID)), der.children(fields.next(der.SET))
        fields.done()
        if oid in out or not values or (oid in _SINGLE_VALUED and len(values) != 1):
            raise der.DerError("a signed attribute that stands twice, is empty or has several values")
        out[oid] = values[0].raw
    if CONTENT_TYPE not in out or MESSAGE_DIGEST not in out:
        raise der.DerError("signed attributes without contentType or messageDigest")
    return out


def _names(value: bytes, certificate: Certificate, default: str | None) -> bool:
    """Whether the first ESSCertID(v2) is this certificate (RFC 5035 §3: the first is the signer's)."""
    fields = der.Fields(der.single(value, der.SEQUENCE))
    entries = der.children(fields.next(der.SEQUENCE))
    fields.optional(der.SEQUENCE)
    fields.done()
    if not entries:
        return False
    entry = der.Fields(entries[0])
    algorithm = entry.optional(der.SEQUENCE) if default is not None else None
    digest, issuer_serial = entry.next(der.OCTET_STRING).value, entry.optional(der.SEQUENCE)
    entry.done()
    name = (
        "sha1"
        if default is None
        else DIGESTS.get(default if algorithm is None else algorithm_identifier(algorithm, null=True))
    )
    if name is None or hashlib.new(name, certificate.der, usedforsecurity=False).digest() != digest:
        return False
    if issuer_serial is None:
        return True
    pair = der.Fields(issuer_serial)
    general_names, serial = pair.next(der.SEQUENCE), der.integer(pair.next(der.INTEGER))
    pair.done()
    return general_names.value == der.encode(0xA4, certificate.issuer) and serial == certificate.serial
