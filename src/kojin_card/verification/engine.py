"""What all judging has in common: the time it is done for, the checks of the certificate, and the verdict's making."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kojin_card.errors import UsageError
from kojin_card.pki import path
from kojin_card.pki.algorithms import Outcome, acceptable_key, method, verify
from kojin_card.pki.profile import load_profiles
from kojin_card.pki.revocation import RevocationAnswer, Unknown
from kojin_card.secret import Secret
from kojin_card.verdict import Check, CheckId, CheckState, TimeBasis, Verdict, utc_seconds
from kojin_card.verification import policy
from kojin_card.verification.holder import Holder
from kojin_card.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kojin_card.pki.certificate import Certificate
    from kojin_card.pki.profile import CertificateProfile, Purpose
    from kojin_card.pki.revocation import Revocable, RevocationSource
    from kojin_card.pki.trust import TrustAnchor, TrustStore
    from kojin_card.pki.tsa import TsaStore

#: in every verdict's evidence: which version judged; ``policy_sha256`` beside it says by which rules
ENGINE = f"kojin_card.verification {__version__}"

#: how far the signer's clock and ours may differ
CLOCK_SKEW = timedelta(minutes=5)

#: the checks that any judged certificate must pass
CERTIFICATE_CHECKS = frozenset(
    {
        CheckId.CERTIFICATE,
        CheckId.ALGORITHMS,
        CheckId.CHAIN,
        CheckId.PROFILE,
        CheckId.KEY_USAGE,
        CheckId.POLICY,
        CheckId.VALIDITY,
        CheckId.REVOCATION,
        CheckId.TIME,
    }
)
#: ... and with it a signature by its key
SIGNATURE_CHECKS = CERTIFICATE_CHECKS | {CheckId.SIGNATURE}
_ORDER = {check: place for place, check in enumerate(CheckId)}
#: what must have passed, as far as it is required, before anything of the holder or of signed XML is handed out
BEFORE_DISCLOSURE = frozenset(
    {
        CheckId.FORMAT,
        CheckId.COVERAGE,
        CheckId.CERTIFICATE,
        CheckId.DIGEST,
        CheckId.SIGNATURE,
        CheckId.ALGORITHMS,
        CheckId.CHAIN,
        CheckId.PROFILE,
    }
)


def _utc(moment: datetime, what: str) -> datetime:
    """``moment`` in UTC.

    Raises:
        UsageError: it has no zone, or is out of range (a zone can push it past year 1 or 9999).
    """
    converted: datetime | None = None
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise UsageError(f"{what} needs its zone", operation="verify")
    with contextlib.suppress(OverflowError):
        converted = moment.astimezone(UTC)
    if converted is None:
        raise UsageError(f"{what} is out of range", operation="verify")
    return converted


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of judgement, what it rests on, and the time it really is."""

    at: datetime
    basis: TimeBasis
    now: datetime

    @classmethod
    def of(cls, clock: Callable[[], datetime], at: datetime | None, received_at: datetime | None) -> Moment:
        """The moment that a caller asked for; without either time, now.

        Raises:
            UsageError: both times, a time without a zone, out of range, or in the future; a clock without a zone.
        """
        now = _utc(clock(), "the verifier's clock")
        if at is not None and received_at is not None:
            raise UsageError("a time is either asserted or that of receipt, not both", operation="verify")
        wanted = at if at is not None else received_at
        if wanted is None:
            return cls(now, TimeBasis.NOW, now)
        wanted = _utc(wanted, "a time")
        if wanted > now:
            raise UsageError("a time in the future cannot be judged", operation="verify")
        return cls(wanted, TimeBasis.ASSERTED if at is not None else TimeBasis.RECEIVED, now)

    @property
    def proof(self) -> datetime | None:
        """The time by which what is judged is proven, or declared, to have existed; None when nothing says so."""
        return None if self.basis in (TimeBasis.NOW, TimeBasis.ASSERTED) else self.at

    def contradicted(self, claimed: datetime, not_before: datetime | None) -> Check | None:
        """The TIME check that failed because the signature itself says another time; None when it does not.

        signingTime proves nothing, but who signed it cannot have signed after the time of judgement, nor before the
        certificate began. Clocks may differ by :data:`CLOCK_SKEW`.

        Args:
            claimed: the signed signingTime.
            not_before: the certificate's, once its issuer is known.
        """
        said = utc_seconds(claimed)
        if claimed - self.at > CLOCK_SKEW:
            return Check.failed("time.contradicted", claimed_signing_time=said, later_than="the time of judgement")
        if not_before is not None and not_before - claimed > CLOCK_SKEW:
            return Check.failed("time.contradicted", claimed_signing_time=said, earlier_than="the certificate")
        return None

    def check(self) -> Check:
        """An asserted past proves nothing: whoever holds a revoked key could claim it (EN 319 102-1 NO_POE)."""
        if self.basis is TimeBasis.ASSERTED and self.at < self.now:
            return Check.failed("time.asserted", basis=str(self.basis))
        return Check.passed(CheckId.TIME, basis=str(self.basis))


@dataclass(frozen=True, slots=True)
class Content:
    """What was signed, in pieces so that nothing large is copied."""

    pieces: Sequence[bytes | memoryview] = field(repr=False)

    @classmethod
    def of(cls, data: bytes) -> Content:
        """Content in one piece."""
        return cls((data,))

    def digest(self, name: str) -> bytes:
        """Its digest by the hash of that name (``hashlib``'s)."""
        digest = hashlib.new(name)
        for piece in self.pieces:
            digest.update(piece)
        return digest.digest()

    def joined(self) -> bytes:
        """The bytes in one piece."""
        first = self.pieces[0] if len(self.pieces) == 1 else None
        return first if isinstance(first, bytes) else b"".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Task:
    """One call of a verifier: what it may trust, whom it may ask, for which time, if it may disclose the holder, and if
    it is to keep the certificate in its verdict."""

    trust: TrustStore
    revocation: RevocationSource | None
    moment: Moment
    disclose: bool = False
    grace: timedelta | None = None
    tsa: TsaStore | None = None
    tokens: tuple[bytes, ...] = field(default=(), repr=False)
    keep: bool = False

    @property
    def policy_sha256(self) -> str:
        """By which rules and whose trust this judges: see :mod:`~kojin_card.verification.policy`."""
        grace = "none" if self.grace is None else f"{self.grace.total_seconds():.15g}s"
        settings = (("clock_skew", f"{CLOCK_SKEW.total_seconds():g}s"), ("grace", grace))
        return policy.of_verifier(self.trust, self.tsa, policy.of_source(self.revocation), settings)

    # --- the certificate ----------------------------------------------------------------------------------------------

    def profile(self, certificate: Certificate, purpose: Purpose) -> CertificateProfile:
        """The profile by which a certificate is judged for a purpose: which key, which digest, which policy."""
        algorithm = certificate.key.algorithm
        return load_profiles().select(purpose, self.trust.store, policies=certificate.policies, algorithm=algorithm)

    def certificate_checks(
        self, certificate: Certificate, purpose: Purpose, *, signed_after: datetime | None = None
    ) -> tuple[list[Check], dict[str, str]]:
        """ALGORITHMS, CHAIN, PROFILE, KEY_USAGE, POLICY, VALIDITY and REVOCATION of one certificate, and evidence.

        What depends on a trusted issuer is not looked at without one: of a certificate that anybody could have made,
        nothing that it says is worth a word.
        """
        profile = self.profile(certificate, purpose)
        evidence = {
            "certificate_serial": f"{certificate.serial:X}",
            "certificate_profile": profile.id,
        }
        algorithms = path.check_algorithms(certificate, profile)
        checks = [algorithms]
        if algorithms.state is not CheckState.PASSED:
            return checks, evidence
        chain = path.find_issuer(certificate, self.trust)
        checks.append(chain.check)
        anchor = chain.anchor
        if anchor is None:
            return checks, evidence
        evidence["anchor"] = anchor.id
        evidence["issuer_key_id"] = anchor.key_id.hex()
        answer = self.ask(certificate, anchor)
        checks += [
            path.check_profile(certificate, profile, anchor),
            path.check_key_usage(certificate, profile),
            path.check_policy(certificate, profile, self.trust.store),
            path.check_validity(certificate, anchor, self.moment.at, signed_after=signed_after),
            path.check_revocation(answer, signed_after=signed_after, proof=self.moment.proof, grace=self.grace),
        ]
        if answer is not None and answer.source is not None:
            evidence["revocation_source"] = f"{answer.method}:{answer.source}"
        return checks, evidence

    def ask(self, certificate: Revocable, anchor: TrustAnchor) -> RevocationAnswer | None:
        """What the source says of a certificate, or of what was kept of one; None without a source."""
        if self.revocation is None:
            return None
        try:
            answer = self.revocation.status(certificate, anchor, self.moment.at, now=self.moment.now)
            return RevocationAnswer.taken(answer)
        except Exception as bad:  # whatever a source of the caller's does, not knowing is never good
            return RevocationAnswer.unknown(Unknown.UNUSABLE, type(bad).__name__, method="source")

    # --- the signature ------------------------------------------------------------------------------------------------

    @staticmethod
    def signature_check(
        certificate: Certificate, profile: CertificateProfile, signature: bytes, digest: bytes
    ) -> Check:
        """Whether the certificate's key made this signature, in the one encoding; not checked with a refused key.

        Args:
            digest: by the hash of the profile, whatever the signature says.
        """
        key, how = certificate.key, method(profile.key.algorithm, profile.hash)
        if acceptable_key(key) is not None or key.algorithm != profile.key.algorithm or how is None:
            return Check.not_checked(CheckId.SIGNATURE)
        outcome = verify(key, certificate.spki, profile.hash, signature, digest)
        if outcome is Outcome.VALID:
            return Check.passed(CheckId.SIGNATURE, algorithm=how.label)
        return Check.failed("signature.encoding" if outcome is Outcome.ENCODING else "signature.invalid")

    # --- the verdict --------------------------------------------------------------------------------------------------

    def verdict(
        self,
        subject: str,
        checks: Iterable[Check],
        required: frozenset[CheckId],
        *,
        evidence: Mapping[str, str] | None = None,
        parts: tuple[Verdict, ...] = (),
        certificate: Certificate | None = None,
        timestamps: tuple[Verdict, ...] = (),
    ) -> Verdict:
        """All required checks in their fixed order; those that did not run are there as not checked."""
        found = {check.id: check for check in checks}
        if CheckId.TIME in required:
            found.setdefault(CheckId.TIME, self.moment.check())  # unless the signature itself contradicts it
        for missing in required - found.keys():
            found[missing] = Check.not_checked(missing)
        ordered = tuple(sorted(found.values(), key=lambda check: _ORDER[check.id]))
        holder = None
        disclosable = all(found[check].state is CheckState.PASSED for check in BEFORE_DISCLOSURE & required)
        if not disclosable:  # what fails the document fails each of its signatures
            parts = tuple(replace(part, holder=None) for part in parts)
        elif self.disclose and certificate is not None:
            holder = Holder.of(certificate)
        return Verdict(
            subject=subject,
            store=str(self.trust.store),
            time=self.moment.at,
            time_basis=self.moment.basis,
            checks=ordered,
            required=required,
            parts=parts,
            evidence={"engine": ENGINE, "policy_sha256": self.policy_sha256, **(evidence or {})},
            holder=holder,
            timestamps=timestamps,
            certificate=Secret(certificate.der) if self.keep and certificate is not None else None,
        )
