"""Revocation: what any source answers, and certificate revocation lists as files (jpki.md §3, §6 A-20, §8.4).

A source answers good, revoked or unknown; whatever is not a fresh list of the right CA key and the right municipality
is *unknown*, never good. Lists are partitioned by municipality through the directoryName of the certificate's
cRLDistributionPoints, which the list must name in a critical issuingDistributionPoint.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from kojin_card.pki import der, names
from kojin_card.pki.algorithms import Outcome, algorithm_identifier, verify_named
from kojin_card.pki.certificate import full_name, read_authority_key, read_extensions
from kojin_card.pki.profile import load_profiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kojin_card.pki.certificate import AuthorityKey
    from kojin_card.pki.trust import TrustAnchor

MAX_CRL_BYTES = 64 * 1024 * 1024
MAX_AGE = timedelta(hours=24)
MAX_NUMBER_BYTES = 20
MAX_SPELLINGS = 4096
TWICE = "a serial number that stands twice"

_NUMBER, _DELTA, _IDP, _AKI = "2.5.29.20", "2.5.29.27", "2.5.29.28", "2.5.29.35"
_REASON, _INVALIDITY = "2.5.29.21", "2.5.29.24"
_ENUMERATED = 0x0A

#: CRLReason (RFC 5280 §5.3.1) by number; what they mean in JPKI is in messages/verdicts.toml
REASON_NAMES: Mapping[int, str] = {
    0: "unspecified",
    1: "keyCompromise",
    2: "cACompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
    6: "certificateHold",
    9: "privilegeWithdrawn",
    10: "aACompromise",
}


def _possible_number(number: int) -> bool:
    """RFC 5280 §5.2.3: not negative, at most 20 octets."""
    return 0 <= number < 1 << (8 * MAX_NUMBER_BYTES - 1)


def _is_moment(value: object) -> bool:
    """Whether it is a time that UTC has a name for."""
    try:
        return isinstance(value, datetime) and value.utcoffset() is not None and bool(value.astimezone(UTC))
    except OverflowError:
        return False


class RevocationStatus(StrEnum):
    """The three answers. There is no fourth: an error is UNKNOWN."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class Unknown(StrEnum):
    """Why a source does not know; the second half of a verdict's reason (``revocation.stale``)."""

    NO_LIST = "no_list"
    STALE = "stale"
    UNUSABLE = "unusable"
    # of whoever is asked, a responder or a platform operator:
    NO_RESPONDER = "no_responder"
    UNREACHABLE = "unreachable"
    NOT_KNOWN = "not_known"
    UNTRUSTED = "untrusted"
    OUTDATED = "outdated"


class Revocable(Protocol):
    """What a source must know of a certificate to be asked about it: the certificate itself, or what was kept of it
    (:class:`~kojin_card.pki.reference.CertificateReference`)."""

    @property
    def serial(self) -> int:
        """発行の番号."""
        ...

    @property
    def crl_scope(self) -> bytes | None:
        """The one directoryName of the one distribution point, as an encoded Name; lists are found by it."""
        ...

    @property
    def not_after(self) -> datetime:
        """The last second of validity; lists and responders may forget a certificate after it."""
        ...


@dataclass(frozen=True, slots=True)
class RevocationAnswer:
    """What a source says of one certificate at one time.

    Attributes:
        why: why it is not known; None for the other two.
        revoked_at: when the certificate stopped to be valid (the earlier of revocationDate and invalidityDate).
        reason: a name of :data:`REASON_NAMES`; certificateHold is final in JPKI (jpki.md §3).
        method: how it was found out (``crl``, ``ocsp``, ``operator``).
        source: identifies what was used: SHA-256 of the list or of the OCSP response, or an operator's reference id.
        detail: a word more for people, harmless.
        revoked_later_at: of a good answer about the past: since when it is revoked all the same (``reason`` says why).
        asserted_by: who vouches for what no signature says (that a list is this municipality's); shown in the verdict.
    """

    status: RevocationStatus
    why: Unknown | None = None
    revoked_at: datetime | None = None
    reason: str | None = None
    method: str = "crl"
    source: str | None = None
    number: int | None = None
    this_update: datetime | None = None
    next_update: datetime | None = None
    detail: str | None = None
    revoked_later_at: datetime | None = None
    asserted_by: str | None = None

    def is_sound(self) -> bool:
        """Whether every field is what it should be; a source of the caller's may be mistaken about that."""
        return (
            isinstance(self.status, RevocationStatus)
            and isinstance(self.why, Unknown if self.status is RevocationStatus.UNKNOWN else type(None))
            and isinstance(self.method, str)
            and all(
                text is None or isinstance(text, str)
                for text in (self.reason, self.source, self.detail, self.asserted_by)
            )
            and (self.number is None or (type(self.number) is int and _possible_number(self.number)))
            and all(
                moment is None or _is_moment(moment)
                for moment in (self.revoked_at, self.this_update, self.next_update, self.revoked_later_at)
            )
        )

    @classmethod
    def taken(cls, answer: object) -> RevocationAnswer:
        """What a source's answer counts as. One with a mistake counts for nothing, unless it says revoked: a mistake
        beside a revocation takes none of it away."""
        if isinstance(answer, cls) and answer.is_sound():
            return answer
        if (answer.status if isinstance(answer, cls) else answer) == RevocationStatus.REVOKED:
            return cls(RevocationStatus.REVOKED, method="source", detail="an answer with a mistake in it")
        return cls.unknown(Unknown.UNUSABLE, "not an answer", method="source")

    @classmethod
    def unknown(cls, why: Unknown, detail: str | None = None, *, method: str = "crl") -> RevocationAnswer:
        """The answer of a source that does not know."""
        return cls(RevocationStatus.UNKNOWN, why, method=method, detail=detail)


class RevocationSource(Protocol):
    """Whatever can say if a certificate is revoked. Must not raise for want of knowledge, and must be thread-safe."""

    def status(self, certificate: Revocable, issuer: TrustAnchor, at: datetime, *, now: datetime) -> RevocationAnswer:
        """The status of ``certificate`` at ``at``.

        Args:
            certificate: already known to be issued by ``issuer``.
            issuer: whose key must have signed the answer.
            at: the time that is asked about (the time of judgement, or of receipt).
            now: the time it is; not before ``at``.
        """
        ...


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """One line of a list; ``effective`` is the earlier of revocationDate and invalidityDate."""

    effective: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFacts:
    """What is known of one list besides its lines.

    Attributes:
        asserted_by: who said whose it is, when the list itself does not.
    """

    sha256: str
    number: int
    this_update: datetime
    next_update: datetime
    asserted_by: str | None = None

    def fresh(self, at: datetime, max_age: timedelta = MAX_AGE) -> bool:
        """thisUpdate <= at < nextUpdate, and not older than ``max_age``."""
        return self.this_update <= at < self.next_update and at - self.this_update <= max_age

    def answers(self, certificate: Revocable, at: datetime, now: datetime, max_age: timedelta = MAX_AGE) -> bool:
        """Whether this list can tell the status at ``at``: fresh then, or issued since, before the certificate ended.

        A later list tells more, for it has the date of each revocation; but lists drop certificates that have expired.
        """
        later = at < self.this_update <= min(now, certificate.not_after)
        return later or self.fresh(at, max_age)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crl(ListFacts):
    """A certificate revocation list whose frame was read strictly. Nothing of it is proven before :meth:`signed_by`.

    Attributes:
        scope: the municipality: the directoryName of the critical issuingDistributionPoint, as an encoded Name; empty
            when there is none and that was allowed.
    """

    tbs: bytes = field(repr=False)
    signature_algorithm: str
    signature: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    authority_key: AuthorityKey | None = field(repr=False)
    scope: bytes = field(repr=False)
    revoked: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes, *, unscoped: bool = False) -> Crl:
        """Read a list's frame; its entries are read by :meth:`entries`, after the signature.

        Args:
            unscoped: take a list without issuingDistributionPoint too; whoever does must know whose it is.

        Raises:
            DerError: not one strict DER CertificateList of version 2; a delta list; without nextUpdate, a cRLNumber of
                at most 20 octets or a critical issuingDistributionPoint that is one directoryName; an indirect list,
                one for some reasons only or not for the certificates of people; an unknown critical extension; larger
                than 64 MiB.
        """
        if len(data) > MAX_CRL_BYTES:
            raise der.DerError("a revocation list that is too large")
        outer = der.Fields(der.single(data, der.SEQUENCE))
        tbs, algorithm, signature = outer.next(der.SEQUENCE), outer.next(der.SEQUENCE), outer.next(der.BIT_STRING)
        outer.done()
        fields = der.Fields(tbs)
        if der.integer(fields.next(der.INTEGER)) != 1 or fields.next(der.SEQUENCE).raw != algorithm.raw:
            raise der.DerError("not a revocation list of version 2, or its two signature algorithms differ")
        issuer = fields.next(der.SEQUENCE)
        this_update, next_update = der.time(fields.next()), der.time(fields.next())
        revoked = fields.optional(der.SEQUENCE)
        wrapped = fields.next(0xA0)
        fields.done()
        extensions = read_extensions(der.single(wrapped.value, der.SEQUENCE))
        by_oid = {extension.oid: extension for extension in extensions}
        if _DELTA in by_oid:
            raise der.DerError("a delta revocation list, which is not used")
        if any(extension.critical and extension.oid != _IDP for extension in extensions):
            raise der.DerError("a revocation list with an unknown critical extension")
        signature_algorithm = algorithm_identifier(algorithm)
        if signature_algorithm not in _accepted_algorithms():
            raise der.DerError("a signature algorithm that is not accepted")
        if _NUMBER not in by_oid or next_update <= this_update:
            raise der.DerError("a revocation list without a number, or that ends before it begins")
        scope = by_oid.get(_IDP)
        if not unscoped if scope is None else not scope.critical:
            raise der.DerError("a revocation list that does not say whose it is (no critical issuingDistributionPoint)")
        number = der.integer(der.single(by_oid[_NUMBER].value))
        if not _possible_number(number):
            raise der.DerError("a revocation list whose number is negative, or longer than 20 octets")
        names.attributes(issuer.raw)
        pointer = by_oid.get(_AKI)
        return cls(
            sha256=hashlib.sha256(data).hexdigest(),
            tbs=tbs.raw,
            signature_algorithm=signature_algorithm,
            signature=der.bit_string(signature),
            issuer=issuer.raw,
            authority_key=read_authority_key(None if pointer is None else pointer.value),
            number=number,
            this_update=this_update,
            next_update=next_update,
            scope=b"" if scope is None else _scope(scope.value),
            revoked=b"" if revoked is None else revoked.value,
        )

    def signed_by(self, anchor: TrustAnchor) -> bool:
        """Whether that CA's key made this list (its name must be that CA's too, and its key id, when it names one)."""
        pointer = self.authority_key
        if self.issuer != anchor.subject or (pointer is not None and pointer.key_id not in (None, anchor.key_id)):
            return False
        made = verify_named(anchor.key, anchor.spki, self.signature_algorithm, self.signature, self.tbs)
        return made is Outcome.VALID

    def lines(self) -> Iterator[tuple[int, datetime, int]]:
        """Each line as serial number, effective date (see :class:`RevokedEntry`) and number of its reason.

        Call it once the signature was verified: this is where the time goes. Lines repeat few dates and reasons, so
        each spelling is read once.

        Raises:
            DerError: a malformed line, a serial number that no certificate can have, an unknown critical extension.
        """
        data, at = self.revoked, 0
        known: dict[bytes, tuple[datetime, int]] = {}
        while at < len(data):
            item, at = der.read(data, at)
            serial, start, end = _serial(item)
            rest = item.value[start:end]
            told = known.get(rest)
            if told is None:
                told = _date_and_reason(rest)
                if len(known) < MAX_SPELLINGS:
                    known[rest] = told
            yield serial, *told

    def entries(self) -> dict[int, RevokedEntry]:
        """All lines by serial number.

        Raises:
            DerError: as :meth:`lines`; a serial twice.
        """
        out: dict[int, RevokedEntry] = {}
        for serial, effective, reason in self.lines():
            if serial in out:
                raise der.DerError(TWICE)
            out[serial] = RevokedEntry(effective, REASON_NAMES[reason])
        return out


def _accepted_algorithms() -> set[str]:
    """Of any store: what a list says only names its algorithm, the key of its CA decides (:meth:`Crl.signed_by`)."""
    return {profile.signature_algorithm for profile in load_profiles().profiles}


def _serial(item: der.Element) -> tuple[int, int, int]:
    """The serial number of a line, and where the rest of the line begins and ends."""
    value = item.value
    if item.tag != der.SEQUENCE or len(value) < 3 or value[0] != der.INTEGER or not 0 < value[1] <= MAX_NUMBER_BYTES:
        raise der.DerError("a list entry without a possible serial number")
    end = 2 + value[1]
    if value[2] & 0x80 or end > len(value) or (value[1] > 1 and value[2] == 0 and not value[3] & 0x80):
        raise der.DerError("a list entry without a possible serial number")
    return int.from_bytes(value[2:end], "big"), end, len(value)


def _date_and_reason(rest: bytes) -> tuple[datetime, int]:
    """What stands after the serial number in a line: revocationDate, crlEntryExtensions."""
    when, at = der.read(rest)
    effective, reason = der.time(when), 0
    if at == len(rest):
        return effective, reason
    for extension in read_extensions(der.single(rest[at:], der.SEQUENCE)):
        if extension.oid == _REASON:
            code = der.single(extension.value, _ENUMERATED).value
            if len(code) != 1 or code[0] not in REASON_NAMES:
                raise der.DerError("a revocation reason that a full list does not have")
            reason = code[0]
        elif extension.oid == _INVALIDITY:
            effective = min(effective, der.time(der.single(extension.value, der.GENERALIZED_TIME)))
        elif extension.critical:
            raise der.DerError("a list entry with an unknown critical extension")
    return effective, reason


def _scope(value: bytes) -> bytes:
    """RFC 5280 §5.2.5: distributionPoint [0], onlyContainsUserCerts [1]; anything else changes what the list says."""
    der.check(value)
    fields = der.Fields(der.single(value, der.SEQUENCE))
    point, people = fields.optional(0xA0), fields.optional(0x81)
    if people is not None and people.value != b"\xff":
        raise der.DerError("a default value that is written out")
    if point is None or any(True for _ in fields.rest()):
        raise der.DerError("a revocation list for other certificates, for some reasons only, or an indirect one")
    name = full_name(point)
    if name is None:
        raise der.DerError("a revocation list whose scope is not one directoryName")
    return name
