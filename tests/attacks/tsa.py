"""A time-stamping authority of the tests: certificates by ``cryptography``, tokens written in DER by hand.

Nothing here comes from the code that judges time-stamps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from attacks.forge import NOW, algorithm, attribute, integer, key, oid, tlv

BEGIN, END = NOW - timedelta(days=400), NOW + timedelta(days=400)
STAMPED = NOW - timedelta(days=30)
STAMPING = (ExtendedKeyUsageOID.TIME_STAMPING,)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def private(owner: str) -> rsa.RSAPrivateKey:
    """A key of its own for each name: of the pool for the two of good tokens, which are then the same in every process;
    for the others it is too small."""
    pooled = {"root": "signature", "tsa": "terminal"}
    if owner in pooled:
        return key(pooled[owner], f"time {owner}")
    return rsa.generate_private_key(65537, 2048)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"), x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(*bits: str) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{bit: bit in bits for bit in every})


def issue(
    subject: str,
    issuer: str,
    *,
    own: Key | None = None,
    by: Key | None = None,
    ca: bool = False,
    length: int | None = None,
    eku: Sequence[x509.ObjectIdentifier] | None = STAMPING,
    critical: bool = True,
    bits: Sequence[str] | None = None,
    begin: datetime = BEGIN,
    end: datetime = END,
    plus: Sequence[tuple[x509.ExtensionType, bool]] = (),
    serial: int | None = None,
) -> bytes:
    """A certificate, DER; of a TSA unless ``ca``. Serials are 77 and, of a CA, 1."""
    own, by = own or private(subject), by or private(issuer)
    if bits is None:
        bits = ("key_cert_sign", "crl_sign") if ca else ("digital_signature",)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(own.public_key())
        .serial_number(serial or (1 if ca else 77))
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=length), critical=True)
    if bits:
        builder = builder.add_extension(usage(*bits), critical=True)
    if eku and not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(eku)), critical=critical)
    for value, flag in plus:
        builder = builder.add_extension(value, critical=flag)
    return builder.sign(by, hashes.SHA256()).public_bytes(Encoding.DER)


@cache
def root() -> bytes:
    """The CA above the authority."""
    return issue("root", "root", ca=True)


@cache
def authority() -> bytes:
    """The authority's certificate."""
    return issue("tsa", "root")


def tsa_list(
    *revoked: tuple[int, datetime, x509.ReasonFlags | None],
    issuer: str = "root",
    begin: datetime = NOW - timedelta(hours=1),
    end: datetime = NOW + timedelta(days=7),
    plus: Sequence[tuple[x509.ExtensionType, bool]] = (),
    by: Key | None = None,
) -> bytes:
    """A revocation list, DER: (serial, when, reason) of each."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(name(issuer)).last_update(begin).next_update(end)
    for serial, when, reason in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when)
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    for value, flag in plus:
        builder = builder.add_extension(value, critical=flag)
    return builder.sign(by or private(issuer), hashes.SHA256()).public_bytes(Encoding.DER)


def rsa_sign(own: Key, message: bytes, chosen: hashes.HashAlgorithm | None = None) -> bytes:
    assert isinstance(own, rsa.RSAPrivateKey)
    return own.sign(message, padding.PKCS1v15(), chosen or hashes.SHA256())


def gen_time(moment: datetime, fraction: str = "") -> bytes:
    return tlv(0x18, moment.strftime(f"%Y%m%d%H%M%S{fraction}Z").encode())


def ess_v1(cert: bytes) -> bytes:
    digest = hashlib.sha1(cert, usedforsecurity=False).digest()
    return tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x04, digest))))


def ess_v2(cert: bytes) -> bytes:
    return tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x04, hashlib.sha256(cert).digest()))))


@dataclass(frozen=True)
class Token:
    """A time-stamp token over ``stamped``, field by field; replace a field to make it wrong.

    Attributes:
        info: TSTInfo to put in as it is.
        bound: the value of signing-certificate-v2; empty: none.
        edit: changes the eContent after it was signed.
    """

    stamped: bytes
    certificate: bytes = field(default_factory=authority)
    own: Key = field(default_factory=lambda: private("tsa"))
    moment: datetime = STAMPED
    version: int = 1
    imprint: str = "sha256"
    fraction: str = ""
    serial: int = 4711
    accuracy: bytes = b""
    ordering: bytes = b""
    nonce: bytes = b""
    extensions: bytes = b""
    info: bytes | None = None
    content_type: str = "tstInfo"
    attributed_type: str = "tstInfo"
    bag: tuple[bytes, ...] | None = None
    bound: bytes | None = None
    bound_as: str = "signingCertificateV2"
    digest: str = "sha256"
    algorithm: str = "sha256WithRSA"
    sign: Callable[[Key, bytes], bytes] = rsa_sign
    edit: Callable[[bytes], bytes] = bytes
    bare: bool = False
    signers: int = 1

    def tst_info(self) -> bytes:
        """What the authority says."""
        if self.info is not None:
            return self.info
        hashed = hashlib.new(self.imprint, self.stamped, usedforsecurity=False).digest()
        return tlv(
            0x30,
            integer(self.version),
            oid("1.3.6.1.4.1.99999.1"),
            tlv(0x30, algorithm(self.imprint), tlv(0x04, hashed)),
            integer(self.serial),
            gen_time(self.moment, self.fraction),
            self.accuracy,
            self.ordering,
            self.nonce,
            self.extensions,
        )

    def signer(self, content: bytes) -> bytes:
        """The SignerInfo."""
        cert = x509.load_der_x509_certificate(self.certificate)
        bound = ess_v2(self.certificate) if self.bound is None else self.bound
        digest = hashlib.new(self.digest, content, usedforsecurity=False).digest()
        listed = b"".join(
            (
                attribute("contentType", oid(self.attributed_type)),
                attribute("messageDigest", tlv(0x04, digest)),
                attribute(self.bound_as, bound) if bound else b"",
            )
        )
        return tlv(
            0x30,
            integer(1),
            tlv(0x30, cert.issuer.public_bytes(), integer(cert.serial_number)),
            algorithm(self.digest),
            b"" if self.bare else tlv(0xA0, listed),
            algorithm(self.algorithm, b"" if self.algorithm.startswith("1.2.840.10045") else b"\x05\x00"),
            tlv(0x04, self.sign(self.own, content if self.bare else tlv(0x31, listed))),
        )

    def build(self) -> bytes:
        """The token, DER."""
        content = self.tst_info()
        bag = (self.certificate,) if self.bag is None else self.bag
        body = tlv(
            0x30,
            integer(3),
            tlv(0x31, algorithm(self.digest)),
            tlv(0x30, oid(self.content_type), tlv(0xA0, tlv(0x04, self.edit(content)))),
            tlv(0xA0, *bag) if bag else b"",
            tlv(0x31, *[self.signer(content)] * self.signers),
        )
        return tlv(0x30, oid("signedData"), tlv(0xA0, body))
