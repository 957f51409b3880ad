"""OCSP responses of the test PKI, good ones and wrong ones, as bytes.

Made without any code of ``kojin_card`` that judges: the request is read by ``cryptography``, the response is written
field by field.
"""

from __future__ import annotations

import hashlib
import threading
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kojin_card.errors import UsageError
from kojin_card.simulator.testpki import RevokedEntry
from kojin_card.testing.cards import test_pki
from kojin_card.testing.forge import integer, oid, tlv

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator.certificates import CaKey
    from kojin_card.simulator.testpki import TestCa

_REASONS = {
    "unspecified": 0,
    "keyCompromise": 1,
    "cACompromise": 2,
    "affiliationChanged": 3,
    "superseded": 4,
    "cessationOfOperation": 5,
    "certificateHold": 6,
}
_BASIC, _NONCE = "1.3.6.1.5.5.7.48.1.1", "1.3.6.1.5.5.7.48.1.2"
_ALGORITHMS = {"sha256": "1.2.840.113549.1.1.11", "sha1": "1.2.840.113549.1.1.5", "sha384": "1.2.840.10045.4.3.3"}
_HASHES = {"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1"}


class OcspFault(StrEnum):
    """What can be wrong with a response, or with how it travels (the last group needs HTTP)."""

    UNKNOWN = "unknown"
    WRONG_SERIAL = "wrong_serial"
    OTHER_HASH = "other_hash"
    OTHER_CA = "other_ca"
    TWO_ANSWERS = "two_answers"
    STALE = "stale"
    OLD = "old"
    FUTURE = "future"
    NO_NONCE = "no_nonce"
    OTHER_NONCE = "other_nonce"
    CRITICAL_EXTENSION = "critical_extension"
    CRITICAL_SINGLE_EXTENSION = "critical_single_extension"
    TRY_LATER = "try_later"
    INTERNAL_ERROR = "internal_error"
    UNAUTHORIZED = "unauthorized"
    MALFORMED = "malformed"
    TRAILING = "trailing"
    EMPTY = "empty"
    WRONG_SIGNER = "wrong_signer"
    OTHER_GENERATION = "other_generation"
    WEAK_SIGNATURE = "weak_signature"
    DAMAGED = "damaged"
    OTHER_RESPONDER_ID = "other_responder_id"
    DELEGATE_NO_USAGE = "delegate_no_usage"
    DELEGATE_EXPIRED = "delegate_expired"
    DELEGATE_STRANGER = "delegate_stranger"
    DELEGATE_OTHER_GENERATION = "delegate_other_generation"
    DELEGATE_NO_CHECK = "delegate_no_check"
    HOLDER_AS_RESPONDER = "holder_as_responder"

    HUGE = "huge"
    SLOW = "slow"
    DRIP = "drip"
    REDIRECT = "redirect"
    HTTP_ERROR = "http_error"
    CONTENT_TYPE = "content_type"
    HANG_UP = "hang_up"


#: those that are of HTTP, not of the response
OF_HTTP = frozenset(
    {
        OcspFault.HUGE,
        OcspFault.SLOW,
        OcspFault.DRIP,
        OcspFault.REDIRECT,
        OcspFault.HTTP_ERROR,
        OcspFault.CONTENT_TYPE,
        OcspFault.HANG_UP,
    }
)
_STATUSES = {OcspFault.TRY_LATER: 3, OcspFault.INTERNAL_ERROR: 2, OcspFault.UNAUTHORIZED: 6}
_DELEGATED = frozenset(fault for fault in OcspFault if fault.startswith("delegate_")) | {OcspFault.HOLDER_AS_RESPONDER}


class OcspAnswers:
    """Answers requests about any serial of the test PKI's CAs: good, unless it was revoked here. Thread-safe.

    Args:
        clock: the time it is, for the responses.
        delegated: sign with a responder's key that the CA certified, not with the CA's own.
        fault: what to do wrong, always; may be set later.
    """

    def __init__(
        self, clock: Callable[[], datetime], *, delegated: bool = False, fault: OcspFault | str | None = None
    ) -> None:
        self.clock = clock
        self.delegated = delegated
        self.fault = fault
        self.requests = 0
        self._revoked: dict[tuple[str, int], RevokedEntry] = {
            (ca.label, row.serial): RevokedEntry(row.serial, row.date, row.reason)
            for row in test_pki().declaration.revocations
            for ca in test_pki().cas
            if (ca.purpose, ca.generation) == (row.purpose, row.generation)
        }
        self._lock = threading.Lock()

    @property
    def fault(self) -> OcspFault | None:
        """What it does wrong."""
        return self._fault

    @fault.setter
    def fault(self, fault: OcspFault | str | None) -> None:
        self._fault = None if fault is None else OcspFault(fault)

    def revoke(self, certificate: bytes, *, at: datetime | None = None, reason: str = "keyCompromise") -> None:
        """Answer ``revoked`` for a certificate (DER) of the test PKI from now on.

        Raises:
            UsageError: not one of its CAs', or a reason that JPKI does not use.
        """
        parsed = x509.load_der_x509_certificate(certificate)
        for ca in test_pki().cas:
            issuer = x509.load_der_x509_certificate(ca.certificate)
            if (
                issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
                == parsed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
            ):
                moment = self.clock() if at is None else at
                self.revoke_serial(ca.label, parsed.serial_number, at=moment, reason=reason)
                return
        raise UsageError("only a certificate of the test PKI can be revoked")

    def revoke_serial(self, ca: str, serial: int, *, at: datetime, reason: str = "keyCompromise") -> None:
        """The same by the label of its CA (``sim-signca02``) and its serial."""
        if reason not in _REASONS:
            raise UsageError("not a reason that JPKI revokes for", reason=reason)
        with self._lock:
            self._revoked[(ca, serial)] = RevokedEntry(serial, at, reason)

    def answer(self, request: bytes) -> bytes:
        """The response to a request, both DER."""
        with self._lock:
            self.requests += 1
        fault = self.fault
        if fault in _STATUSES:
            return tlv(0x30, tlv(0x0A, bytes((_STATUSES[fault],))))
        try:
            asked = ocsp.load_der_ocsp_request(request)
            name = asked.hash_algorithm.name
            ca = next((one for one in test_pki().cas if _key_hash(one, name) == asked.issuer_key_hash), None)
        except ValueError:
            return tlv(0x30, tlv(0x0A, b"\x01"))
        if ca is None or name not in _HASHES or _name_hash(ca, name) != asked.issuer_name_hash:
            return tlv(0x30, tlv(0x0A, b"\x06"))
        response = self._response(asked, ca, name, fault)
        if fault is OcspFault.MALFORMED:
            return response[:-7]
        if fault is OcspFault.EMPTY:
            return b""
        return response + b"\x00" if fault is OcspFault.TRAILING else response

    # --- the parts

    def _response(self, asked: ocsp.OCSPRequest, ca: TestCa, name: str, fault: OcspFault | None) -> bytes:
        now = self.clock().astimezone(UTC).replace(microsecond=0)
        produced = now - timedelta(days=3) if fault is OcspFault.STALE else now
        if fault is OcspFault.FUTURE:
            produced = now + timedelta(hours=1)
        key, who, certificates = self._signer(ca, now, fault)
        single = self._single(ca, asked.serial_number, name, produced, fault)
        singles = [single, single] if fault is OcspFault.TWO_ANSWERS else [single]
        data = tlv(0x30, who, _time(produced), tlv(0x30, *singles), self._extensions(asked, fault))
        weak = fault is OcspFault.WEAK_SIGNATURE
        algorithm, signature = _sign(key, data, "sha1" if weak else "sha256")
        if fault is OcspFault.DAMAGED:
            signature = signature[:-1] + bytes((signature[-1] ^ 1,))
        bag = tlv(0xA0, tlv(0x30, *certificates)) if certificates else b""
        basic = tlv(0x30, data, algorithm, tlv(0x03, b"\x00", signature), bag)
        return tlv(0x30, tlv(0x0A, b"\x00"), tlv(0xA0, tlv(0x30, oid(_BASIC), tlv(0x04, basic))))

    def _single(self, ca: TestCa, serial: int, name: str, produced: datetime, fault: OcspFault | None) -> bytes:
        with self._lock:
            revoked = self._revoked.get((ca.label, serial))
        about = ca
        if fault is OcspFault.OTHER_CA:
            about = next(one for one in test_pki().cas if one.purpose is not ca.purpose)
        if fault is OcspFault.OTHER_HASH:
            name = "sha1" if name == "sha256" else "sha256"
        cert_id = tlv(
            0x30,
            tlv(0x30, oid(_HASHES[name]), b"\x05\x00"),
            tlv(0x04, _name_hash(about, name)),
            tlv(0x04, _key_hash(about, name)),
            integer(serial + (fault is OcspFault.WRONG_SERIAL)),
        )
        status = b"\x80\x00"
        if fault is OcspFault.UNKNOWN:
            status = b"\x82\x00"
        elif revoked is not None:
            reason = tlv(0xA0, tlv(0x0A, bytes((_REASONS[revoked.reason],)))) if revoked.reason else b""
            status = tlv(0xA1, _time(revoked.date), reason)
        begins = produced - (timedelta(hours=3) if fault is OcspFault.OLD else timedelta(minutes=10))
        ends = b"" if fault is OcspFault.OLD else tlv(0xA0, _time(begins + timedelta(minutes=30)))
        critical = fault is OcspFault.CRITICAL_SINGLE_EXTENSION
        return tlv(0x30, cert_id, status, _time(begins), ends, tlv(0xA1, tlv(0x30, _strange())) if critical else b"")

    @staticmethod
    def _extensions(asked: ocsp.OCSPRequest, fault: OcspFault | None) -> bytes:
        out = b""
        try:
            nonce = asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
        except x509.ExtensionNotFound:
            nonce = b""
        if fault is OcspFault.OTHER_NONCE:
            nonce = bytes(len(nonce))
        if nonce and fault is not OcspFault.NO_NONCE:
            out += tlv(0x30, oid(_NONCE), tlv(0x04, tlv(0x04, nonce)))
        if fault is OcspFault.CRITICAL_EXTENSION:
            out += _strange()
        return tlv(0xA1, tlv(0x30, out)) if out else b""

    def _signer(self, ca: TestCa, now: datetime, fault: OcspFault | None) -> tuple[CaKey, bytes, list[bytes]]:
        """Key, ResponderID and certificates."""
        stranger = test_pki().pool.for_persona("stranger", "terminal")
        if not self.delegated and fault not in _DELEGATED:
            who = tlv(0xA1, ca.subject.public_bytes())
            if fault is OcspFault.OTHER_RESPONDER_ID:
                who = tlv(0xA2, tlv(0x04, bytes(20)))
            key = ca.key
            if fault is OcspFault.WRONG_SIGNER:
                key = stranger
            elif fault is OcspFault.OTHER_GENERATION:
                key = test_pki().ca_of(ca.purpose, 1 if ca.generation != 1 else 2).key
            return key, who, []
        certificate = delegate(ca, now, fault)
        key = test_pki().pool.for_persona("ocsp-responder", "authentication")
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
        digest = hashlib.sha1(spki, usedforsecurity=False).digest()
        who = tlv(0xA2, tlv(0x04, bytes(20) if fault is OcspFault.OTHER_RESPONDER_ID else digest))
        return stranger if fault is OcspFault.WRONG_SIGNER else key, who, [certificate]


def delegate(ca: TestCa, now: datetime, fault: OcspFault | None = None) -> bytes:
    """The certificate of a delegated responder, DER: valid for a day, for OCSP only, with id-pkix-ocsp-nocheck."""
    pki = test_pki()
    signer = ca.key
    if fault is OcspFault.DELEGATE_STRANGER:
        signer = pki.pool.for_persona("stranger", "terminal")
    elif fault is OcspFault.DELEGATE_OTHER_GENERATION:
        signer = pki.ca_of(ca.purpose, 1 if ca.generation != 1 else 2).key
    begins = now - (timedelta(days=9) if fault is OcspFault.DELEGATE_EXPIRED else timedelta(hours=12))
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "JPKI-SIMULATOR"),
            x509.NameAttribute(NameOID.COMMON_NAME, "OCSP responder"),
        ]
    )
    usage = ExtendedKeyUsageOID.OCSP_SIGNING
    if fault in (OcspFault.DELEGATE_NO_USAGE, OcspFault.HOLDER_AS_RESPONDER):
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        x509.CertificateBuilder(
            issuer_name=ca.subject,
            subject_name=name,
            public_key=pki.pool.for_persona("ocsp-responder", "authentication").public_key(),
            serial_number=0x0C5F,
            not_valid_before=begins,
            not_valid_after=begins + timedelta(days=1),
        )
        .add_extension(ca.issuing.authority_key_identifier(), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    if fault is not OcspFault.DELEGATE_NO_CHECK:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    digest = hashes.SHA384() if isinstance(signer, ec.EllipticCurvePrivateKey) else hashes.SHA256()
    return builder.sign(signer, digest).public_bytes(Encoding.DER)


def _sign(key: CaKey, data: bytes, name: str) -> tuple[bytes, bytes]:
    """AlgorithmIdentifier and signature."""
    if isinstance(key, rsa.RSAPrivateKey):
        digest = hashes.SHA1() if name == "sha1" else hashes.SHA256()  # noqa: S303  # SHA-1 is what is to be refused
        return tlv(0x30, oid(_ALGORITHMS[name]), b"\x05\x00"), key.sign(data, padding.PKCS1v15(), digest)
    return tlv(0x30, oid(_ALGORITHMS["sha384"])), key.sign(data, ec.ECDSA(hashes.SHA384()))


def _key_hash(ca: TestCa, name: str) -> bytes:
    public = ca.key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return hashlib.new(name, public.public_bytes(Encoding.DER, PublicFormat.PKCS1)).digest()
    return hashlib.new(name, public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)).digest()


def _name_hash(ca: TestCa, name: str) -> bytes:
    return hashlib.new(name, ca.subject.public_bytes()).digest()


def _time(moment: datetime) -> bytes:
    return tlv(0x18, moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode("ascii"))


def _strange() -> bytes:
    """A critical extension that nobody knows."""
    return tlv(0x30, oid("2.999.1"), b"\x01\x01\xff", tlv(0x04, b"\x05\x00"))
