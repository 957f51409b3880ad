"""Verdicts (ETSI EN 319 102-1 §5.1.3): one indication, the checks that led to it, and no truth value.

The table ``CHECKS`` is the whole policy of how a failed check becomes an indication; ``docs/verdicts.md`` shows it to
people and a test keeps the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kojin_card.secret import Secret


class Indication(StrEnum):
    """The three answers of EN 319 102-1. None of them has a truth value: compare it."""

    TOTAL_PASSED = "TOTAL_PASSED"
    TOTAL_FAILED = "TOTAL_FAILED"
    INDETERMINATE = "INDETERMINATE"

    def __bool__(self) -> NoReturn:
        raise TypeError("an indication has no truth value: compare it with Indication.TOTAL_PASSED")


class SubIndication(StrEnum):
    """Why it is not TOTAL_PASSED (EN 319 102-1 table 5 and 6; the ones this toolkit gives)."""

    FORMAT_FAILURE = "FORMAT_FAILURE"
    HASH_FAILURE = "HASH_FAILURE"
    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    SIG_CONSTRAINTS_FAILURE = "SIG_CONSTRAINTS_FAILURE"
    CHAIN_CONSTRAINTS_FAILURE = "CHAIN_CONSTRAINTS_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
    NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND = "NO_CERTIFICATE_CHAIN_FOUND"
    REVOKED_NO_POE = "REVOKED_NO_POE"
    OUT_OF_BOUNDS_NO_POE = "OUT_OF_BOUNDS_NO_POE"
    NO_POE = "NO_POE"
    TRY_LATER = "TRY_LATER"
    SIGNED_DATA_NOT_FOUND = "SIGNED_DATA_NOT_FOUND"


class CheckState(StrEnum):
    """What became of one check. ``NOT_CHECKED`` is never success."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_CHECKED = "not_checked"

    def __bool__(self) -> NoReturn:
        raise TypeError("a check's state has no truth value: compare it with CheckState.PASSED")


class TimeBasis(StrEnum):
    """What the time of judgement rests on."""

    NOW = "now"
    ASSERTED = "asserted"
    RECEIVED = "received"
    TIMESTAMP = "timestamp"


class CheckId(StrEnum):
    """Every check there is, in the fixed order in which verdicts list them."""

    FORMAT = "format"
    COVERAGE = "coverage"
    CHALLENGE = "challenge"
    CERTIFICATE = "certificate"
    DIGEST = "digest"
    SIGNATURE = "signature"
    ALGORITHMS = "algorithms"
    CHAIN = "chain"
    PROFILE = "profile"
    KEY_USAGE = "key_usage"
    POLICY = "policy"
    VALIDITY = "validity"
    REVOCATION = "revocation"
    TIME = "time"
    CV_CERTIFICATE = "cv_certificate"
    RECORD = "record"
    RECORD_DIGEST = "record_digest"
    CARD_KEY = "card_key"
    CARD_RESPONSE = "card_response"
    CONSISTENCY = "consistency"
    IMPRINT = "imprint"
    EARLIER = "earlier"
    CHIP = "chip"
    SLOT_RECORD = "slot_record"
    SLOT_OWNER = "slot_owner"
    SLOT_SIGNATURE = "slot_signature"
    SLOT_BINDING = "slot_binding"
    SLOT_COUNTER = "slot_counter"
    SLOT_CONTENT = "slot_content"
    SLOT_CHIP = "slot_chip"
    SLOT_STATE = "slot_state"
    SLOT_VALIDITY = "slot_validity"
    CARD_STANDING = "card_standing"


def utc_seconds(moment: datetime) -> str:
    """A time as evidence has it: ISO 8601 in UTC, whole seconds, whatever its zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Consequence:
    """What one reason means for the verdict."""

    indication: Indication
    sub_indication: SubIndication


_F, _I, _S = Indication.TOTAL_FAILED, Indication.INDETERMINATE, SubIndication

#: reason -> consequence; a reason is ``<check>.<what>``. Anything not listed here cannot be a reason.
REASONS: Mapping[str, Consequence] = {
    "format.malformed": Consequence(_F, _S.FORMAT_FAILURE),
    "format.no_signature": Consequence(_I, _S.SIGNED_DATA_NOT_FOUND),
    "format.unsupported": Consequence(_I, _S.SIG_CONSTRAINTS_FAILURE),
    "format.encrypted": Consequence(_I, _S.SIG_CONSTRAINTS_FAILURE),
    "format.ambiguous": Consequence(_F, _S.FORMAT_FAILURE),
    "format.forbidden": Consequence(_I, _S.SIG_CONSTRAINTS_FAILURE),
    "coverage.appended": Consequence(_F, _S.FORMAT_FAILURE),
    "coverage.gap": Consequence(_F, _S.FORMAT_FAILURE),
    "coverage.hidden": Consequence(_F, _S.FORMAT_FAILURE),
    "coverage.modified": Consequence(_F, _S.FORMAT_FAILURE),
    "coverage.later_appearance": Consequence(_I, _S.SIG_CONSTRAINTS_FAILURE),
    "coverage.two_contents": Consequence(_F, _S.FORMAT_FAILURE),
    "coverage.content_missing": Consequence(_I, _S.SIGNED_DATA_NOT_FOUND),
    "coverage.partial": Consequence(_I, _S.SIG_CONSTRAINTS_FAILURE),
    "coverage.wrapped": Consequence(_F, _S.FORMAT_FAILURE),
    "challenge.unknown": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "challenge.replayed": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "challenge.expired": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "challenge.not_yet": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "challenge.audience": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "challenge.purpose": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "challenge.altered": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "certificate.missing": Consequence(_I, _S.NO_SIGNING_CERTIFICATE_FOUND),
    "certificate.ambiguous": Consequence(_I, _S.NO_SIGNING_CERTIFICATE_FOUND),
    "certificate.malformed": Consequence(_F, _S.FORMAT_FAILURE),
    "certificate.mismatch": Consequence(_I, _S.NO_SIGNING_CERTIFICATE_FOUND),
    "certificate.issuer_unknown": Consequence(_I, _S.NO_SIGNING_CERTIFICATE_FOUND),
    "digest.mismatch": Consequence(_F, _S.HASH_FAILURE),
    "signature.invalid": Consequence(_F, _S.SIG_CRYPTO_FAILURE),
    "signature.encoding": Consequence(_F, _S.SIG_CRYPTO_FAILURE),
    "signature.not_by_issuer": Consequence(_F, _S.SIG_CRYPTO_FAILURE),
    "algorithms.weak": Consequence(_I, _S.CRYPTO_CONSTRAINTS_FAILURE),
    "algorithms.unknown": Consequence(_I, _S.CRYPTO_CONSTRAINTS_FAILURE),
    "algorithms.disagree": Consequence(_F, _S.FORMAT_FAILURE),
    "chain.no_issuer": Consequence(_I, _S.NO_CERTIFICATE_CHAIN_FOUND),
    "chain.empty_store": Consequence(_I, _S.NO_CERTIFICATE_CHAIN_FOUND),
    "profile.mismatch": Consequence(_I, _S.CHAIN_CONSTRAINTS_FAILURE),
    "profile.purpose": Consequence(_I, _S.CHAIN_CONSTRAINTS_FAILURE),
    "key_usage.wrong": Consequence(_I, _S.CHAIN_CONSTRAINTS_FAILURE),
    "policy.unknown": Consequence(_I, _S.CHAIN_CONSTRAINTS_FAILURE),
    "policy.undefined": Consequence(_I, _S.CHAIN_CONSTRAINTS_FAILURE),
    "policy.wrong": Consequence(_I, _S.CHAIN_CONSTRAINTS_FAILURE),
    "validity.expired": Consequence(_I, _S.OUT_OF_BOUNDS_NO_POE),
    "validity.expired_before_signing": Consequence(_F, _S.EXPIRED),
    "validity.not_yet": Consequence(_F, _S.NOT_YET_VALID),
    "validity.issuer_expired": Consequence(_I, _S.OUT_OF_BOUNDS_NO_POE),
    "revocation.revoked": Consequence(_I, _S.REVOKED_NO_POE),
    "revocation.revoked_before_signing": Consequence(_F, _S.REVOKED),
    "revocation.no_source": Consequence(_I, _S.TRY_LATER),
    "revocation.no_list": Consequence(_I, _S.TRY_LATER),
    "revocation.stale": Consequence(_I, _S.TRY_LATER),
    "revocation.grace": Consequence(_I, _S.TRY_LATER),
    "revocation.unusable": Consequence(_I, _S.TRY_LATER),
    "revocation.no_responder": Consequence(_I, _S.TRY_LATER),
    "revocation.unreachable": Consequence(_I, _S.TRY_LATER),
    "revocation.not_known": Consequence(_I, _S.TRY_LATER),
    "revocation.untrusted": Consequence(_I, _S.TRY_LATER),
    "revocation.outdated": Consequence(_I, _S.TRY_LATER),
    "time.asserted": Consequence(_I, _S.NO_POE),
    "time.contradicted": Consequence(_I, _S.SIG_CONSTRAINTS_FAILURE),
    "cv_certificate.missing": Consequence(_I, _S.NO_SIGNING_CERTIFICATE_FOUND),
    "cv_certificate.malformed": Consequence(_F, _S.FORMAT_FAILURE),
    "cv_certificate.unknown_issuer": Consequence(_I, _S.NO_CERTIFICATE_CHAIN_FOUND),
    "cv_certificate.forged": Consequence(_F, _S.SIG_CRYPTO_FAILURE),
    "cv_certificate.broken_chain": Consequence(_F, _S.FORMAT_FAILURE),
    "cv_certificate.weak": Consequence(_I, _S.CRYPTO_CONSTRAINTS_FAILURE),
    "record.absent": Consequence(_I, _S.SIGNED_DATA_NOT_FOUND),
    "record.malformed": Consequence(_F, _S.FORMAT_FAILURE),
    "record.forged": Consequence(_F, _S.SIG_CRYPTO_FAILURE),
    "record.encoding": Consequence(_F, _S.SIG_CRYPTO_FAILURE),
    "record.unproven": Consequence(_I, _S.SIG_CONSTRAINTS_FAILURE),
    "record_digest.mismatch": Consequence(_F, _S.HASH_FAILURE),
    "card_key.absent": Consequence(_I, _S.SIGNED_DATA_NOT_FOUND),
    "card_key.malformed": Consequence(_F, _S.FORMAT_FAILURE),
    "card_key.forged": Consequence(_F, _S.SIG_CRYPTO_FAILURE),
    "card_key.unproven": Consequence(_I, _S.SIG_CONSTRAINTS_FAILURE),
    "card_key.weak": Consequence(_I, _S.CRYPTO_CONSTRAINTS_FAILURE),
    "card_response.not_asked": Consequence(_I, _S.SIGNED_DATA_NOT_FOUND),
    "card_response.absent": Consequence(_I, _S.SIGNED_DATA_NOT_FOUND),
    "card_response.wrong": Consequence(_F, _S.SIG_CRYPTO_FAILURE),
    "consistency.contradicted": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "consistency.unsigned": Consequence(_I, _S.SIG_CONSTRAINTS_FAILURE),
    "imprint.mismatch": Consequence(_F, _S.HASH_FAILURE),
    "earlier.none": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "chip.unproven": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "chip.not_bound": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "slot_record.absent": Consequence(_I, _S.SIGNED_DATA_NOT_FOUND),
    "slot_record.malformed": Consequence(_F, _S.FORMAT_FAILURE),
    "slot_owner.unknown": Consequence(_I, _S.NO_CERTIFICATE_CHAIN_FOUND),
    "slot_owner.not_allowed": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "slot_owner.out_of_time": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "slot_signature.forged": Consequence(_F, _S.SIG_CRYPTO_FAILURE),
    "slot_binding.other_card": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "slot_binding.other_slot": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "slot_counter.old": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "slot_counter.rolled_back": Consequence(_F, _S.SIG_CONSTRAINTS_FAILURE),
    "slot_content.mismatch": Consequence(_F, _S.HASH_FAILURE),
    "slot_content.missing": Consequence(_F, _S.FORMAT_FAILURE),
    "slot_content.undefined": Consequence(_I, _S.SIG_CONSTRAINTS_FAILURE),
    "slot_chip.absent": Consequence(_I, _S.SIGNED_DATA_NOT_FOUND),
    "slot_chip.wrong": Consequence(_F, _S.SIG_CRYPTO_FAILURE),
    "slot_state.contradicted": Consequence(_F, _S.FORMAT_FAILURE),
    "slot_state.no_pin": Consequence(_F, _S.FORMAT_FAILURE),
    "slot_state.not_active": Consequence(_F, _S.NOT_YET_VALID),
    "slot_state.suspended": Consequence(_F, _S.REVOKED),
    "slot_state.terminated": Consequence(_F, _S.REVOKED),
    "slot_validity.expired": Consequence(_F, _S.EXPIRED),
    "slot_validity.not_yet": Consequence(_F, _S.NOT_YET_VALID),
    "slot_validity.unread": Consequence(_I, _S.SIGNED_DATA_NOT_FOUND),
    "slot_validity.clock": Consequence(_I, _S.NO_POE),
    "card_standing.stopped": Consequence(_F, _S.REVOKED),
    "card_standing.unknown": Consequence(_I, _S.TRY_LATER),
    "card_standing.no_source": Consequence(_I, _S.TRY_LATER),
}

#: the checks that are made of cards, not of what cards signed
CARD_CHECKS = frozenset(
    {
        CheckId.CV_CERTIFICATE,
        CheckId.RECORD,
        CheckId.RECORD_DIGEST,
        CheckId.CARD_KEY,
        CheckId.CARD_RESPONSE,
        CheckId.CONSISTENCY,
    }
)

#: the checks that are made of slots of the free area
SLOT_CHECKS = frozenset(
    {
        CheckId.SLOT_RECORD,
        CheckId.SLOT_OWNER,
        CheckId.SLOT_SIGNATURE,
        CheckId.SLOT_BINDING,
        CheckId.SLOT_COUNTER,
        CheckId.SLOT_CONTENT,
        CheckId.SLOT_CHIP,
        CheckId.SLOT_STATE,
        CheckId.SLOT_VALIDITY,
        CheckId.CARD_STANDING,
    }
)

#: reasons of a card with which nothing was found wrong: there was nothing to judge by (asked and silent is a failure)
UNJUDGEABLE = frozenset(
    {
        "cv_certificate.unknown_issuer",
        "record.unproven",
        "card_key.unproven",
        "card_response.not_asked",
        "slot_owner.unknown",
        "slot_content.undefined",
        "slot_validity.unread",
    }
)

#: what a verdict may say beside its checks; none of it decides anything
NOTES = ("test_store", "in_force", "unsigned", "not_bound", "without_secret", "absent")


@dataclass(frozen=True, slots=True)
class Check:
    """One named check.

    Attributes:
        reason: a key of :data:`REASONS` when the check did not pass; None when it passed, or never ran because another
            check had failed.
        evidence: harmless values that show why (ids, times, algorithm names; never personal data).
    """

    id: CheckId
    state: CheckState
    reason: str | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        undecided = self.state in (CheckState.FAILED, CheckState.UNKNOWN)
        if (self.reason is None and undecided) or (self.reason is not None and self.state is CheckState.PASSED):
            raise ValueError("a check that failed or could not be decided has a reason, one that passed has none")
        if self.reason is not None and (self.reason not in REASONS or self.reason.split(".")[0] != self.id):
            raise ValueError(f"not a reason of the check {self.id}: {self.reason!r}")

    @classmethod
    def passed(cls, check: CheckId, **evidence: str) -> Self:
        """The check ran and found nothing wrong."""
        return cls(check, CheckState.PASSED, None, evidence)

    @classmethod
    def failed(cls, reason: str, **evidence: str) -> Self:
        """The check that ``reason`` begins with did not pass; UNKNOWN when its consequence is INDETERMINATE for want
        of knowledge (TRY_LATER, NO_POE, :data:`UNJUDGEABLE`), FAILED otherwise."""
        wanting = REASONS[reason].sub_indication in (SubIndication.TRY_LATER, SubIndication.NO_POE)
        state = CheckState.UNKNOWN if wanting or reason in UNJUDGEABLE else CheckState.FAILED
        return cls(CheckId(reason.split(".")[0]), state, reason, evidence)

    @classmethod
    def not_checked(cls, check: CheckId, reason: str | None = None) -> Self:
        """The check did not run; ``reason`` when that decides the verdict (no revocation source was given)."""
        return cls(check, CheckState.NOT_CHECKED, reason)

    def __bool__(self) -> NoReturn:
        raise TypeError("a check has no truth value: compare its .state with CheckState.PASSED")


@dataclass(frozen=True, slots=True)
class SignedContent:
    """What one reference of a signature covers, exactly as it was hashed. Consume these octets, not the document.

    Attributes:
        kind: ``document``, ``element``, ``attachment``, or ``properties`` (what XAdES signs about the signature).
        uri: how the signature refers to it (a name may be personal: never in ``repr``, nor in JSON).
        path: where the element stands in the document; empty for an attachment.
        octets: canonical XML, UTF-8, without comments; for an attachment its bytes.
    """

    kind: str
    uri: str = field(repr=False)
    path: str = field(repr=False)
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of judging one signature, one document or one proof. It has no truth value: ask ``indication``.

    Attributes:
        required: the checks that must all have passed; with none, nothing was judged and the verdict is INDETERMINATE.
        store: the trust store it rests on (``production``, ``jlis-test``, ``simulator``), ``given-key`` for a key
            that the caller brought, or ``owners`` for the owners of slots that the caller knows.
        time: the time of judgement; ``time_basis`` says what it rests on.
        notes: keys of :data:`NOTES`: what whoever relies on it should know, and what decides nothing.
        timestamps: the verdicts on the time-stamp tokens that came with the signature. They never decide: one that
            passed may have moved ``time`` back to when it proves that the signature existed; one that did not is not
            used, and says here why.
        holder: personal data, only when disclosure was asked for; never in ``repr`` nor in JSON by accident.
        signed: of XML, what the signature covers; only when signature, digests, coverage, chain and profile passed.
            With several signatures each part has its own.
        certificate: the signer's, DER, only for a verifier that keeps certificates (``keep_certificates=True``):
            personal data, so it prints, pickles and copies as little as a secret.
    """

    subject: str
    store: str
    time: datetime
    time_basis: TimeBasis
    checks: tuple[Check, ...]
    required: frozenset[CheckId]
    parts: tuple[Verdict, ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)
    holder: object | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    timestamps: tuple[Verdict, ...] = ()
    signed: tuple[SignedContent, ...] = field(default=(), repr=False)
    certificate: Secret | None = field(default=None, repr=False)

    def _deciding(self) -> tuple[Indication, SubIndication | None]:
        """Failures before uncertainty, each in the order of the checks; then what is missing; then the parts."""
        reasons = [REASONS[c.reason] for c in self.checks if c.reason is not None]
        reasons.extend(
            Consequence(part.indication, part.sub_indication or SubIndication.SIGNED_DATA_NOT_FOUND)
            for part in self.parts
            if part.indication is not Indication.TOTAL_PASSED
        )
        for wanted in (Indication.TOTAL_FAILED, Indication.INDETERMINATE):
            for reason in reasons:
                if reason.indication is wanted:
                    return reason.indication, reason.sub_indication
        passed = {c.id for c in self.checks if c.state is CheckState.PASSED}
        if not self.required or not self.required <= passed or len(passed) != len(self.checks):
            return Indication.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND
        return Indication.TOTAL_PASSED, None

    @property
    def indication(self) -> Indication:
        """TOTAL_PASSED only when every required check, and every part, passed."""
        return self._deciding()[0]

    @property
    def sub_indication(self) -> SubIndication | None:
        """Why it is not TOTAL_PASSED, by the first failure in the order of the checks; None when it is."""
        return self._deciding()[1]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason found, parts included, in order."""
        own = tuple(c.reason for c in self.checks if c.reason is not None)
        return own + tuple(reason for part in self.parts for reason in part.reasons)

    def check(self, check: CheckId) -> Check:
        """The check of that name (``NOT_CHECKED`` when it did not run)."""
        return next((c for c in self.checks if c.id == check), Check.not_checked(CheckId(check)))

    def require(self) -> Self:
        """This verdict when it is TOTAL_PASSED.

        Raises:
            VerdictError: it is not.
        """
        if self.indication is not Indication.TOTAL_PASSED:
            from kojin_card.errors import VerdictError

            raise VerdictError(self)
        return self

    def __bool__(self) -> NoReturn:
        raise TypeError("a verdict has no truth value: compare .indication, or call .require()")
