"""Confirmation without a PIN (公的個人認証法 38条の4): a certificate is taken although its key signed nothing.

The law (jpki.md §4) wants three things of whoever takes it: that this user was confirmed by log-in or signature before,
that the certificate is not revoked, and that it really is in the card that is there. The first is the caller's record,
the second an ordinary check. Of the third, half can be proved: a challenge of ours is answered by the key of a genuine
card (券面事項確認AP, opened by 照合番号B, which is printed on the card). That *this* certificate is in *that* chip
nothing known proves: no signature spans both (evidence ``assumption``), and what the prescribed measures of the real
terminals open is unknown (card.md §4.6). So only the software card's store passes, and says on what; every other store
gives TOTAL_FAILED ``chip.not_bound``.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from kojin_card.errors import TrustError, UsageError
from kojin_card.pki.profile import Purpose, Store
from kojin_card.verdict import Check, CheckId, CheckState, Indication
from kojin_card.verification.authenticity import CardJudge
from kojin_card.verification.engine import CERTIFICATE_CHECKS
from kojin_card.verification.proof import judge_challenge

if TYPE_CHECKING:
    from kojin_card.authn import Challenge
    from kojin_card.pki.card_evidence import RecordEvidence
    from kojin_card.pki.certificate import Certificate
    from kojin_card.verdict import Verdict
    from kojin_card.verification.challenges import ChallengeStore
    from kojin_card.verification.engine import Task

REQUIRED = CERTIFICATE_CHECKS | {CheckId.CHALLENGE, CheckId.EARLIER, CheckId.CHIP}
SUBJECT = "pinless"


class EarlierConfirmations(Protocol):
    """The caller's record of whom it confirmed with a PIN, by log-in or by signature. Must be thread-safe."""

    def confirmed_at(self, certificate: Certificate) -> datetime | None:
        """When this very certificate (issuer and serial) was confirmed; None: never. Asked of issued ones only."""
        ...


class ChipAnswer:
    """Lets a card answer a challenge: give it to a read as ``prove``; then :attr:`evidence` is what to judge.

    It judges nothing, so what the read returns is not proved; the evidence is personal data, as the record is.
    """

    def __init__(self, challenge: Challenge) -> None:
        self._nonce = challenge.nonce
        self.evidence: RecordEvidence | None = None

    def challenge(self) -> bytes:
        """See :class:`~kojin_card.pki.card_evidence.Prover`."""
        return self._nonce

    def require(self, evidence: RecordEvidence) -> None:
        """Keep it."""
        self.evidence = evidence


def judge(
    task: Task,
    certificate: Certificate | Check,
    chip: RecordEvidence,
    challenges: ChallengeStore,
    *,
    audience: str,
    purpose: str | None,
    earlier: EarlierConfirmations,
) -> Verdict:
    """Judge a certificate beside what a chip answered. The challenge is used up by this, whatever comes of it."""
    given, challenge = judge_challenge(task, chip.challenge, None, challenges, audience=audience, purpose=purpose)
    checks = [challenge]
    if given is None or challenge.state is not CheckState.PASSED:
        return task.verdict(SUBJECT, checks, REQUIRED)
    if isinstance(certificate, Check):
        return task.verdict(SUBJECT, [*checks, certificate], REQUIRED)
    checks.append(Check.passed(CheckId.CERTIFICATE, sha256=certificate.sha256))
    about, found = task.certificate_checks(certificate, Purpose.AUTHENTICATION, signed_after=given.issued_at)
    checks += about
    if any(check.id is CheckId.CHAIN and check.state is CheckState.PASSED for check in about):
        checks.append(_earlier(task, certificate, earlier))
    answer, parts = _chip(task, chip)
    checks.append(answer)
    evidence = {"audience": given.audience, "purpose": given.purpose, **found}
    return task.verdict(SUBJECT, checks, REQUIRED, evidence=evidence, parts=parts)


def _earlier(task: Task, certificate: Certificate, earlier: EarlierConfirmations) -> Check:
    try:
        when = earlier.confirmed_at(certificate)
    except Exception as bad:  # whatever the caller's record does, not knowing is no confirmation
        return Check.failed("earlier.none", what=type(bad).__name__)
    if not isinstance(when, datetime) or when.utcoffset() is None or when > task.moment.now:
        return Check.failed("earlier.none")
    return Check.passed(CheckId.EARLIER, at=when.isoformat())


def _chip(task: Task, chip: RecordEvidence) -> tuple[Check, tuple[Verdict, ...]]:
    """Whether a genuine card answered; then whether the certificate is in it, which only our own card may claim."""
    try:
        proved = CardJudge.of(task.trust.store, now=task.moment.now).record(chip)
    except (TrustError, UsageError):
        return Check.failed("chip.unproven"), ()
    if proved.indication is not Indication.TOTAL_PASSED:
        return Check.failed("chip.unproven"), (proved,)
    if task.trust.store is not Store.SIMULATOR:
        return Check.failed("chip.not_bound"), (proved,)
    return Check.passed(CheckId.CHIP, binding="assumption"), (proved,)
