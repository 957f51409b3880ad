"""OCSP requests and responses as bytes (RFC 6960; nonce: RFC 9654): nothing here opens a connection.

What J-LIS's responder really does (profile of its certificate, nonce) is not established (jpki.md §9.2), so what may
differ is a rule that the operator sets, and the default is the strict one. A response is judged like a CRL: by the key
of the CA that issued the certificate, never by anything that came with the response.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, UsageError
from kojin_card.pki import der
from kojin_card.pki.algorithms import (
    DIGESTS,
    SHA1,
    SHA256,
    SIGNATURES,
    Outcome,
    acceptable_key,
    algorithm_identifier,
    method,
    verify_named,
)
from kojin_card.pki.certificate import EXTENDED_KEY_USAGE, Certificate, read_extensions
from kojin_card.pki.revocation import REASON_NAMES, RevocationAnswer, RevocationStatus, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.pki.algorithms import PublicKey
    from kojin_card.pki.certificate import Extension
    from kojin_card.pki.revocation import Revocable
    from kojin_card.pki.trust import TrustAnchor

MAX_RESPONSE_BYTES = 64 * 1024
MAX_CERTIFICATES, MAX_RESPONSES = 4, 16
#: RFC 9654 §2.1 asks for 32 octets, and RFC 8954 allows no more
NONCE_BYTES = 32
#: J-LIS renews what its responder says every 15 minutes (jpki.md §3); an hour leaves room for one that is late
MAX_AGE = timedelta(hours=1)
CLOCK_SKEW = timedelta(minutes=2)

_BASIC, _NONCE = "1.3.6.1.5.5.7.48.1.1", "1.3.6.1.5.5.7.48.1.2"
_NO_CHECK, _SIGNING = "1.3.6.1.5.5.7.48.1.5", "1.3.6.1.5.5.7.3.9"
_INVALIDITY = "2.5.29.24"
_ENUMERATED, _CONTEXT0, _CONTEXT1, _CONTEXT2 = 0x0A, 0xA0, 0xA1, 0xA2
_GOOD, _REVOKED, _UNKNOWN = 0x80, 0xA1, 0x82
_OIDS = {"sha1": SHA1, "sha256": SHA256}
_BUSY = ("internalError", "tryLater")

#: OCSPResponseStatus (RFC 6960 §4.2.1); 4 is not used
_STATUS: Mapping[int, str] = {
    0: "successful",
    1: "malformedRequest",
    2: "internalError",
    3: "tryLater",
    5: "sigRequired",
    6: "unauthorized",
}


class NonceRule(StrEnum):
    """Whether the responder must repeat the nonce of the request."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


class Refused(DecodeError):
    """A response that is not used; the words never hold anything of it.

    Attributes:
        why: what a source answers then.
        busy: the responder cannot answer anybody now.
    """

    def __init__(self, why: Unknown, words: str, *, busy: bool = False) -> None:
        self.why = why
        self.busy = busy
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a responder must do to be believed.

    Attributes:
        hash: of the CertID, ``sha1`` or ``sha256``: an identifier here, no security property. J-LIS's own client of
            2017 could send either (jpki.md §3).
        nonce: whether the response must repeat it.
        max_age: how old thisUpdate and producedAt may be.
        skew: how far the responder's clock and ours may differ.
        no_check: whether the certificate of a delegated responder must say id-pkix-ocsp-nocheck. Without that its own
            revocation would have to be known, and nobody publishes it: an operator may decide to trust it all the same.

    Raises:
        UsageError: another hash, or another rule for the nonce.
    """

    hash: str = "sha256"
    nonce: NonceRule = NonceRule.REQUIRED
    max_age: timedelta = MAX_AGE
    skew: timedelta = CLOCK_SKEW
    no_check: bool = True

    def __post_init__(self) -> None:
        if self.hash not in _OIDS or self.nonce not in tuple(NonceRule):
            raise UsageError("no such rule for a responder", operation="configure a responder")
        object.__setattr__(self, "nonce", NonceRule(self.nonce))  # as text it would be none of the rules


@dataclass(frozen=True, slots=True)
class CertId:
    """Which certificate is asked about: hashes of the CA's name and key, and the serial (RFC 6960 §4.1.1)."""

    hash: str
    name_hash: bytes = field(repr=False)
    key_hash: bytes = field(repr=False)
    serial: int = field(repr=False)

    @classmethod
    def of(cls, issuer: TrustAnchor, serial: int, hash: str = "sha256") -> CertId:
        """The CertID of a certificate that ``issuer`` issued."""
        spki = der.children(der.single(issuer.spki, der.SEQUENCE))
        parts = issuer.subject, der.bit_string(spki[1])
        name, key = (hashlib.new(hash, part, usedforsecurity=False).digest() for part in parts)
        return cls(hash, name, key, serial)

    def encode(self) -> bytes:
        """In DER."""
        algorithm = der.encode(der.SEQUENCE, _oid(_OIDS[self.hash]) + der.encode(der.NULL, b""))
        number = self.serial.to_bytes(self.serial.bit_length() // 8 + 1, "big")
        hashes = (der.encode(der.OCTET_STRING, value) for value in (self.name_hash, self.key_hash))
        return der.encode(der.SEQUENCE, algorithm + b"".join(hashes) + der.encode(der.INTEGER, number))

    def is_of(self, element: der.Element) -> bool:
        """Whether a CertID of a response is this one: the same hash, both hashes and the serial."""
        fields = der.Fields(element)
        oid = algorithm_identifier(fields.next(der.SEQUENCE), null=True)
        name, key = fields.next(der.OCTET_STRING).value, fields.next(der.OCTET_STRING).value
        serial = der.integer(fields.next(der.INTEGER))
        fields.done()
        return (DIGESTS.get(oid), name, key, serial) == (self.hash, self.name_hash, self.key_hash, self.serial)


def request(cert_id: CertId, nonce: bytes | None) -> bytes:
    """An OCSPRequest for one certificate, not signed, DER.

    Args:
        nonce: 1 to 32 random octets; None for a request without.
    """
    items = der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, cert_id.encode()))
    if nonce is not None:
        value = der.encode(der.OCTET_STRING, der.encode(der.OCTET_STRING, nonce))
        extension = der.encode(der.SEQUENCE, _oid(_NONCE) + value)
        items += der.encode(_CONTEXT2, der.encode(der.SEQUENCE, extension))
    return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, items))


@dataclass(frozen=True, slots=True)
class Reply:
    """What a response that is believed says of the certificate that was asked about.

    Attributes:
        sha256: of the response.
        remark: what an operator's rule let pass.
    """

    sha256: str
    status: RevocationStatus
    produced_at: datetime
    this_update: datetime
    next_update: datetime | None
    revoked_at: datetime | None = None
    reason: str | None = None
    remark: str | None = None

    def answer(self, certificate: Revocable, at: datetime, now: datetime, rules: Rules) -> RevocationAnswer:
        """What it means for ``at``, as it is ``now`` (see :class:`~kojin_card.pki.revocation.RevocationSource`).

        A revocation counts however old the reply is: JPKI takes none back (jpki.md §3). Everything else must be fresh
        now, and of a time before thisUpdate it speaks only while the certificate had not ended: responders may forget
        those that have.
        """
        if self.status is RevocationStatus.REVOKED:
            before = self.revoked_at is None or self.revoked_at <= at
            if at >= now or before:
                return self._answer(RevocationStatus.REVOKED, None, self.remark)
        if self.status is RevocationStatus.UNKNOWN:
            return self._answer(RevocationStatus.UNKNOWN, Unknown.NOT_KNOWN, "the responder does not know it")
        problem = self._not_fresh(now, rules)
        if problem is None and at < self.this_update and self.this_update > certificate.not_after:
            problem = "answered after the certificate had ended"
        if problem is not None:
            return self._answer(RevocationStatus.UNKNOWN, Unknown.OUTDATED, problem)
        later = self.status is RevocationStatus.REVOKED
        detail = "revoked after the time asked about" if later else self.remark
        return self._answer(RevocationStatus.GOOD, None, detail)

    def _not_fresh(self, now: datetime, rules: Rules) -> str | None:
        if max(self.this_update, self.produced_at) > now + rules.skew:
            return "answered in the future"
        if self.this_update > self.produced_at + rules.skew:
            return "produced before what it says"
        if self.next_update is not None and now > self.next_update + rules.skew:
            return "past its nextUpdate"
        if now - min(self.this_update, self.produced_at) > rules.max_age + rules.skew:
            return "too old"
        return None

    def _answer(self, status: RevocationStatus, why: Unknown | None, detail: str | None) -> RevocationAnswer:
        revoked, later = status is RevocationStatus.REVOKED, status is RevocationStatus.GOOD
        return RevocationAnswer(
            status,
            why,
            revoked_at=self.revoked_at if revoked else None,
            reason=self.reason if revoked or later else None,
            revoked_later_at=self.revoked_at if later else None,
            method="ocsp",
            source=self.sha256,
            this_update=self.this_update,
            next_update=self.next_update,
            detail=detail,
        )


def read_response(response: bytes, cert_id: CertId, issuer: TrustAnchor, nonce: bytes | None, rules: Rules) -> Reply:
    """What a response says of ``cert_id``, after its signature and nonce were checked. Its age is the reply's to judge.

    Args:
        nonce: what was sent; None when nothing was.

    Raises:
        Refused: it is none, is too large, has another status than successful, does not answer this question, or is not
            by the CA's key nor by a responder which that key certified.
    """
    if len(response) > MAX_RESPONSE_BYTES:
        raise Refused(Unknown.UNTRUSTED, "a response that is too large")
    try:
        return _read(response, cert_id, issuer, nonce, rules)
    except der.DerError as bad:
        raise Refused(Unknown.UNTRUSTED, f"a malformed response ({bad.message})") from None


def _read(response: bytes, cert_id: CertId, issuer: TrustAnchor, nonce: bytes | None, rules: Rules) -> Reply:
    der.check(response)
    outer = der.Fields(der.single(response, der.SEQUENCE))
    code = outer.next(_ENUMERATED).value
    name = _STATUS.get(code[0]) if len(code) == 1 else None
    if name is None:
        raise Refused(Unknown.UNTRUSTED, "a status that OCSP does not have")
    if name != _STATUS[0]:  # nobody signs these: whoever sits on the line can send them
        outer.done()
        raise Refused(Unknown.UNREACHABLE, f"the responder answered {name}", busy=name in _BUSY)
    body = der.Fields(der.single(outer.next(_CONTEXT0).value, der.SEQUENCE))
    outer.done()
    kind, inside = der.oid(body.next(der.OID)), body.next(der.OCTET_STRING).value
    body.done()
    if kind != _BASIC:
        raise Refused(Unknown.UNTRUSTED, "a response of another type")
    der.check(inside)
    basic = der.Fields(der.single(inside, der.SEQUENCE))
    data, algorithm = basic.next(der.SEQUENCE), algorithm_identifier(basic.next(der.SEQUENCE))
    signature, wrapped = der.bit_string(basic.next(der.BIT_STRING)), basic.optional(_CONTEXT0)
    basic.done()
    certificates = () if wrapped is None else der.children(der.single(wrapped.value, der.SEQUENCE), der.SEQUENCE)
    fields = der.Fields(data)
    who, produced = fields.next(), _time(fields.next())
    singles = der.children(fields.next(der.SEQUENCE), der.SEQUENCE)
    extensions = fields.optional(_CONTEXT1)
    fields.done()
    found = {} if extensions is None else _extensions(extensions)
    if len(singles) > MAX_RESPONSES or len(certificates) > MAX_CERTIFICATES:
        raise Refused(Unknown.UNTRUSTED, "a response with too many parts")
    remark = _check_signature(
        _Signed(who, data.raw, algorithm, signature, produced),
        tuple(Certificate.parse(one.raw) for one in certificates),
        issuer,
        rules,
    )
    remark = _check_nonce(found.get(_NONCE), nonce, rules) or remark
    _refuse_unknown(found, {_NONCE})
    mine = [single for single in singles if cert_id.is_of(der.Fields(single).next(der.SEQUENCE))]
    if len(mine) != 1:
        raise Refused(Unknown.UNTRUSTED, "not one answer about the certificate that was asked about")
    return _single(mine[0], hashlib.sha256(response).hexdigest(), produced, remark)


def _single(single: der.Element, sha256: str, produced: datetime, remark: str | None) -> Reply:
    fields = der.Fields(single)
    fields.next(der.SEQUENCE)
    status, this_update, ends = fields.next(), _time(fields.next()), fields.optional(_CONTEXT0)
    extensions = fields.optional(_CONTEXT1)
    fields.done()
    next_update = None if ends is None else _time(der.single(ends.value))
    found = {} if extensions is None else _extensions(extensions)
    _refuse_unknown(found, {_INVALIDITY})
    if next_update is not None and next_update < this_update:
        raise der.DerError("an answer that ends before it begins")
    if status.tag == _REVOKED:
        inside = der.Fields(status, _REVOKED)
        effective, reason = _time(inside.next()), inside.optional(_CONTEXT0)
        inside.done()
        invalid = found.get(_INVALIDITY)
        if invalid is not None:
            effective = min(effective, _time(der.single(invalid.value)))
        revoked, words = RevocationStatus.REVOKED, _reason(reason)
        return Reply(sha256, revoked, produced, this_update, next_update, effective, words, remark)
    if status.tag not in (_GOOD, _UNKNOWN) or status.value:
        raise der.DerError("a status that certificates do not have")
    known = RevocationStatus.GOOD if status.tag == _GOOD else RevocationStatus.UNKNOWN
    return Reply(sha256, known, produced, this_update, next_update, remark=remark)


# --- who signed it ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Signed:
    """The signed part of a response: who it says signed it (ResponderID), what, how, and when."""

    who: der.Element
    data: bytes
    algorithm: str
    signature: bytes
    produced: datetime

    def names(self, subject: bytes, key_id: bytes) -> bool:
        """Whether the ResponderID is that name, or that key (SHA-1 of it, RFC 6960 §4.2.2.2)."""
        if self.who.tag == _CONTEXT1:
            return der.single(self.who.value, der.SEQUENCE).raw == subject
        if self.who.tag == _CONTEXT2:
            return der.single(self.who.value, der.OCTET_STRING).value == key_id
        raise der.DerError("not a responder's id")

    def by(self, key: PublicKey, spki: bytes) -> bool:
        """Whether that key signed it."""
        return verify_named(key, spki, self.algorithm, self.signature, self.data) is Outcome.VALID


def _check_signature(
    signed: _Signed, certificates: tuple[Certificate, ...], issuer: TrustAnchor, rules: Rules
) -> str | None:
    """The CA's own key, or a certificate which that key issued for OCSP; a remark where a rule let something pass.

    All generations of a CA have one name, so a ResponderID by name may mean any of them: the signature decides.
    """
    named = SIGNATURES.get(signed.algorithm)
    if named is None or named.hash is None or method(named.key, named.hash) is None:
        raise Refused(Unknown.UNTRUSTED, "a signature algorithm that is not accepted")
    if signed.names(issuer.subject, issuer.key_id) and signed.by(issuer.key, issuer.spki):
        return None
    problem = "signed by another key than the CA's or its responder's"
    for certificate in certificates:
        # read_public_key names keys of other kinds only, and those have no identifier
        if acceptable_key(certificate.key) is not None or certificate.spki == issuer.spki:
            continue
        if not signed.names(certificate.subject, certificate.key.key_id()):
            continue
        refused = _not_delegated(certificate, signed.produced, issuer, rules)
        if refused is None and signed.by(certificate.key, certificate.spki):
            said = certificate.extension(_NO_CHECK) is not None
            return None if said else "the responder's own revocation was not checked"
        problem = refused or problem
    raise Refused(Unknown.UNTRUSTED, problem)


def _not_delegated(certificate: Certificate, produced: datetime, issuer: TrustAnchor, rules: Rules) -> str | None:
    """Why a certificate does not make its holder a responder for ``issuer`` (RFC 6960 §4.2.2.2); None when it does."""
    made = verify_named(
        issuer.key, issuer.spki, certificate.signature_algorithm, certificate.signature, certificate.tbs
    )
    if certificate.issuer != issuer.subject or made is not Outcome.VALID:
        return "a responder that the CA's key did not certify"
    usage, extended = certificate.key_usage, certificate.extended_key_usage or ()
    if certificate.is_ca or _SIGNING not in extended or (usage is not None and "digital_signature" not in usage):
        return "a responder that was not certified for OCSP"
    known = {EXTENDED_KEY_USAGE, "2.5.29.15", "2.5.29.19", "2.5.29.32"}
    if any(extension.critical and extension.oid not in known for extension in certificate.extensions):
        return "a responder's certificate with an unknown critical extension"
    if not certificate.not_before <= produced <= certificate.not_after:
        return "a responder whose certificate was not valid then"
    if rules.no_check and certificate.extension(_NO_CHECK) is None:
        return "a responder whose own revocation nobody can check (no id-pkix-ocsp-nocheck)"
    return None


def _check_nonce(found: Extension | None, sent: bytes | None, rules: Rules) -> str | None:
    if found is None:
        if rules.nonce is NonceRule.REQUIRED:
            raise Refused(Unknown.UNTRUSTED, "no nonce: the answer may be an old one")
        return "no nonce in the answer" if rules.nonce is NonceRule.OPTIONAL else None
    value = der.single(found.value, der.OCTET_STRING).value
    if sent is None or value != sent:
        raise Refused(Unknown.UNTRUSTED, "another nonce: an answer to another question")
    return None


# --- small parts ------------------------------------------------------------------------------------------------------


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    out = b""
    for arc in (40 * first + second, *rest):
        piece = bytes((arc & 0x7F,))
        while arc := arc >> 7:
            piece = bytes((arc & 0x7F | 0x80,)) + piece
        out += piece
    return der.encode(der.OID, out)


def _time(element: der.Element) -> datetime:
    if element.tag != der.GENERALIZED_TIME:
        raise der.DerError("not a time of OCSP")
    return der.time(element)


def _reason(element: der.Element | None) -> str:
    if element is None:
        return REASON_NAMES[0]
    code = der.single(element.value, _ENUMERATED).value
    return REASON_NAMES.get(int.from_bytes(code, "big"), REASON_NAMES[0])  # revoked is revoked, for whatever reason


def _extensions(wrapped: der.Element) -> dict[str, Extension]:
    return {one.oid: one for one in read_extensions(der.single(wrapped.value, der.SEQUENCE))}


def _refuse_unknown(found: Mapping[str, Extension], known: set[str]) -> None:
    if any(one.critical and one.oid not in known for one in found.values()):
        raise Refused(Unknown.UNTRUSTED, "an unknown critical extension")
