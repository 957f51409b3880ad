"""One certificate, parsed once and strictly from one DER (jpki.md §1; §6 A-10, A-13, A-16).

Everything that is later decided about a certificate is decided on this value, never on a second reading of the bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kojin_card.pki import der, names
from kojin_card.pki.algorithms import PublicKey, algorithm_identifier, read_public_key

if TYPE_CHECKING:
    from datetime import datetime

MAX_CERTIFICATE_BYTES = 16_384
MAX_EXTENSIONS = 64
MAX_SERIAL_BYTES = 20

KEY_USAGE, SUBJECT_ALT_NAME, BASIC_CONSTRAINTS = "2.5.29.15", "2.5.29.17", "2.5.29.19"
CRL_DISTRIBUTION_POINTS, CERTIFICATE_POLICIES, AUTHORITY_KEY_ID = "2.5.29.31", "2.5.29.32", "2.5.29.35"
EXTENDED_KEY_USAGE, SUBJECT_KEY_ID = "2.5.29.37", "2.5.29.14"

#: names of the bits of keyUsage, first bit first, as profiles write them
KEY_USAGE_BITS = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension as encoded: ``value`` is the inside of its OCTET STRING."""

    oid: str
    critical: bool
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OtherName:
    """One otherName of a subjectAltName: ``value`` is the DER of what stands inside its explicit ``[0]``."""

    oid: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthorityKey:
    """authorityKeyIdentifier: which key issued this (jpki.md §1.1: the only thing that tells CA generations apart)."""

    key_id: bytes | None
    issuer: bytes | None = field(repr=False)
    serial: int | None


@dataclass(frozen=True, slots=True, repr=False)
class Certificate:
    """A parsed X.509 certificate. Its ``repr`` shows a fingerprint only: serial, names and dates are personal data.

    Attributes:
        der: the bytes everything here was read from.
        tbs: what the issuer signed, exactly as it stands in ``der``.
        issuer, subject: the Names as encoded.
        key_usage: names of :data:`KEY_USAGE_BITS` that are set; None without the extension.
        policies: policy OIDs, in order; None without the extension.
        crl_scope: the one directoryName of the one distribution point, as an encoded Name; None for anything else.
        other_names: otherNames of the subjectAltName; None without the extension.
        plain_alt_names: how many names of other kinds the subjectAltName has.
        is_ca: basicConstraints' cA; None without the extension.
    """

    der: bytes
    tbs: bytes
    serial: int
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    signature_algorithm: str
    signature: bytes
    spki: bytes
    key: PublicKey
    extensions: tuple[Extension, ...]
    key_usage: tuple[str, ...] | None
    extended_key_usage: tuple[str, ...] | None
    policies: tuple[str, ...] | None
    subject_key_id: bytes | None
    authority_key: AuthorityKey | None
    crl_scope: bytes | None
    other_names: tuple[OtherName, ...] | None
    plain_alt_names: int
    is_ca: bool | None

    @classmethod
    def parse(cls, data: bytes | bytearray) -> Certificate:
        """Read one certificate.

        Raises:
            DerError: anything but one strict DER certificate of version 3: bytes after it, another spelling of the same
                value, an extension twice, inner and outer signature algorithm that differ, an extension that this
                module knows and that is malformed, a key that is no key, more than 16 KiB.
        """
        if len(data) > MAX_CERTIFICATE_BYTES:
            raise der.DerError("a certificate that is too large")
        data = bytes(data)  # a copy, so that a later change of the caller's buffer changes nothing
        der.check(data)
        outer = der.Fields(der.single(data, der.SEQUENCE))
        tbs, algorithm, signature = outer.next(der.SEQUENCE), outer.next(der.SEQUENCE), outer.next(der.BIT_STRING)
        outer.done()
        inner = der.Fields(tbs)
        version = inner.optional(0xA0)
        if version is None or der.integer(der.single(version.value)) != 2:
            raise der.DerError("not a certificate of version 3")
        serial = inner.next(der.INTEGER)
        if der.integer(serial) <= 0 or len(serial.value) > MAX_SERIAL_BYTES:
            raise der.DerError("an impossible serial number")
        if inner.next(der.SEQUENCE).raw != algorithm.raw:
            raise der.DerError("inner and outer signature algorithm differ")
        issuer = inner.next(der.SEQUENCE)
        validity = der.Fields(inner.next(der.SEQUENCE))
        not_before, not_after = der.time(validity.next()), der.time(validity.next())
        validity.done()
        subject, spki = inner.next(der.SEQUENCE), inner.next(der.SEQUENCE)
        wrapped = inner.optional(0xA3)
        inner.done()
        for name in (issuer, subject):
            names.attributes(name.raw)
        extensions = () if wrapped is None else _extensions(der.single(wrapped.value, der.SEQUENCE))
        by_oid = {extension.oid: extension.value for extension in extensions}
        other_names, plain = _alt_names(by_oid.get(SUBJECT_ALT_NAME))
        return cls(
            der=data,
            tbs=tbs.raw,
            serial=der.integer(serial),
            issuer=issuer.raw,
            subject=subject.raw,
            not_before=not_before,
            not_after=not_after,
            signature_algorithm=algorithm_identifier(algorithm),
            signature=der.bit_string(signature),
            spki=spki.raw,
            key=read_public_key(spki.raw),
            extensions=extensions,
            key_usage=_key_usage(by_oid.get(KEY_USAGE)),
            extended_key_usage=_oids(by_oid.get(EXTENDED_KEY_USAGE)),
            policies=_policies(by_oid.get(CERTIFICATE_POLICIES)),
            subject_key_id=_subject_key_id(by_oid.get(SUBJECT_KEY_ID)),
            authority_key=read_authority_key(by_oid.get(AUTHORITY_KEY_ID)),
            crl_scope=_crl_scope(by_oid.get(CRL_DISTRIBUTION_POINTS)),
            other_names=other_names,
            plain_alt_names=plain,
            is_ca=_is_ca(by_oid.get(BASIC_CONSTRAINTS)),
        )

    @property
    def sha256(self) -> str:
        """Fingerprint of the certificate, lower-case hex."""
        return hashlib.sha256(self.der).hexdigest()

    def extension(self, oid: str) -> Extension | None:
        """The extension with that OID (there is at most one)."""
        return next((extension for extension in self.extensions if extension.oid == oid), None)

    def __repr__(self) -> str:
        return f"Certificate(sha256={self.sha256[:16]}…)"


def read_extensions(outer: der.Element) -> tuple[Extension, ...]:
    """The Extensions of a certificate, a CRL or a CRL entry.

    Raises:
        DerError: malformed, empty, one of them twice, FALSE written out.
    """
    return _extensions(outer)


def _extensions(outer: der.Element) -> tuple[Extension, ...]:
    out: dict[str, Extension] = {}
    items = der.children(outer, der.SEQUENCE)
    if not 0 < len(items) <= MAX_EXTENSIONS:
        raise der.DerError("no extension, or too many")
    for item in items:
        fields = der.Fields(item)
        oid = der.oid(fields.next(der.OID))
        flag = fields.optional(der.BOOLEAN)
        if flag is not None and not der.boolean(flag):
            raise der.DerError("a default value that is written out")
        value = fields.next(der.OCTET_STRING).value
        fields.done()
        if oid in out:
            raise der.DerError("an extension that stands twice")
        out[oid] = Extension(oid, flag is not None, value)
    return tuple(out.values())


def _inside(value: bytes, tag: int | None = None) -> der.Element:
    """The one element inside an extension's OCTET STRING, strict all the way down."""
    der.check(value)
    return der.single(value, tag)


def _key_usage(value: bytes | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    bits = _inside(value, der.BIT_STRING).value
    if not 2 <= len(bits) <= 3 or bits[0] > 7:
        raise der.DerError("not a keyUsage")
    number = int.from_bytes(bits[1:], "big")
    if not number >> bits[0] & 1 or number & ((1 << bits[0]) - 1):  # X.690 §11.2: no trailing zero bits
        raise der.DerError("a keyUsage that is not minimal")
    width = 8 * (len(bits) - 1)
    set_bits = [place for place in range(width) if number >> (width - 1 - place) & 1]
    if set_bits[-1] >= len(KEY_USAGE_BITS):
        raise der.DerError("a bit that keyUsage does not have")
    return tuple(KEY_USAGE_BITS[place] for place in set_bits)


def _oids(value: bytes | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(der.oid(item) for item in der.children(_inside(value, der.SEQUENCE)))


def _policies(value: bytes | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    out = []
    for item in der.children(_inside(value, der.SEQUENCE)):
        fields = der.Fields(item)
        out.append(der.oid(fields.next(der.OID)))
        fields.optional(der.SEQUENCE)
        fields.done()
    return tuple(out)


def _subject_key_id(value: bytes | None) -> bytes | None:
    return None if value is None else _inside(value, der.OCTET_STRING).value


def read_authority_key(value: bytes | None) -> AuthorityKey | None:
    """authorityKeyIdentifier from an extension's value.

    Raises:
        DerError: malformed, or an issuer that is not exactly one directoryName.
    """
    if value is None:
        return None
    fields = der.Fields(_inside(value, der.SEQUENCE))
    key_id, issuer, serial = fields.optional(0x80), fields.optional(0xA1), fields.optional(0x82)
    fields.done()
    if (issuer is None) != (serial is None):
        raise der.DerError("an authority key identifier with half of issuer and serial")
    return AuthorityKey(
        None if key_id is None else key_id.value,
        None if issuer is None else directory_name(issuer.value),
        None if serial is None else der.integer(der.Element(der.INTEGER, serial.value, b"")),
    )


def directory_name(general_names: bytes) -> bytes:
    """The Name in GeneralNames that hold exactly one directoryName (``[4]``).

    Raises:
        DerError: they hold something else.
    """
    choice = der.single(general_names, 0xA4)
    name = der.single(choice.value, der.SEQUENCE).raw
    names.attributes(name)
    return name


def _crl_scope(value: bytes | None) -> bytes | None:
    """jpki.md §1.1: one DistributionPoint, fullName = one directoryName, no reasons, no cRLIssuer."""
    if value is None:
        return None
    points = der.children(_inside(value, der.SEQUENCE))
    if len(points) != 1:
        return None
    fields = der.Fields(points[0])
    point = fields.optional(0xA0)
    if point is None or any(True for _ in fields.rest()):
        return None
    return full_name(point)


def full_name(point: der.Element) -> bytes | None:
    """The Name in a DistributionPointName that is a fullName of one directoryName; None for any other form.

    Raises:
        DerError: malformed.
    """
    choice = der.single(point.value)
    if choice.tag != 0xA0:
        return None
    items = der.children(choice)
    return directory_name(choice.value) if len(items) == 1 and items[0].tag == 0xA4 else None


def _alt_names(value: bytes | None) -> tuple[tuple[OtherName, ...] | None, int]:
    if value is None:
        return None, 0
    out, plain = [], 0
    for item in der.children(_inside(value, der.SEQUENCE)):
        if item.tag != 0xA0:
            plain += 1
            continue
        fields = der.Fields(item, 0xA0)
        oid, wrapped = der.oid(fields.next(der.OID)), fields.next(0xA0)
        fields.done()
        out.append(OtherName(oid, der.single(wrapped.value).raw))
    return tuple(out), plain


def _is_ca(value: bytes | None) -> bool | None:
    if value is None:
        return None
    fields = der.Fields(_inside(value, der.SEQUENCE))
    flag, length = fields.optional(der.BOOLEAN), fields.optional(der.INTEGER)
    fields.done()
    if flag is not None and not der.boolean(flag):
        raise der.DerError("a default value that is written out")
    if length is not None and (flag is None or der.integer(length) < 0):
        raise der.DerError("a path length without a CA")
    return flag is not None
