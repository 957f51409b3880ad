"""Judging authentication proofs: the challenge first, then certificate and signature (jpki.md §6 A-22)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from kojin_card.authn import AuthenticationProof
from kojin_card.errors import DecodeError
from kojin_card.pki.algorithms import ecdsa_der, method
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.profile import Purpose
from kojin_card.verdict import Check, CheckId, CheckState, utc_seconds
from kojin_card.verification.engine import SIGNATURE_CHECKS

if TYPE_CHECKING:
    from kojin_card.authn import Challenge
    from kojin_card.verdict import Verdict
    from kojin_card.verification.challenges import ChallengeStore
    from kojin_card.verification.engine import Task

REQUIRED = SIGNATURE_CHECKS | {CheckId.FORMAT, CheckId.CHALLENGE}


def judge(
    task: Task, proof: str | AuthenticationProof, challenges: ChallengeStore, *, audience: str, purpose: str | None
) -> Verdict:
    """Judge a proof. Its challenge is used up by this, whatever comes of it."""
    try:
        # A proof that is a value already is read again from its own text: what is signed is text.
        parsed = AuthenticationProof.parse(proof if isinstance(proof, str) else proof.compact())
    except (DecodeError, UnicodeError) as bad:
        what = bad.message if isinstance(bad, DecodeError) else "not ASCII"
        return task.verdict("proof", [Check.failed("format.malformed", what=what)], REQUIRED)
    said = parsed.challenge
    given, answered = judge_challenge(task, said.nonce, said, challenges, audience=audience, purpose=purpose)
    checks = [Check.passed(CheckId.FORMAT), answered]
    evidence = {"document_sha256": hashlib.sha256(parsed.signing_input).hexdigest()}
    if checks[1].state is not CheckState.PASSED or given is None:
        return task.verdict("proof", checks, REQUIRED, evidence=evidence)
    evidence |= {
        "audience": given.audience,
        "purpose": given.purpose,
        "challenge_issued_at": utc_seconds(given.issued_at),
    }
    try:
        certificate = Certificate.parse(parsed.certificate)
    except DecodeError as bad:
        checks.append(Check.failed("certificate.malformed", what=bad.message))
        return task.verdict("proof", checks, REQUIRED, evidence=evidence)
    checks.append(Check.passed(CheckId.CERTIFICATE, sha256=certificate.sha256))
    # The nonce did not exist before iat, so the signature was made after it.
    about, found = task.certificate_checks(certificate, Purpose.AUTHENTICATION, signed_after=given.issued_at)
    signature, unlike = _signature(task, certificate, parsed)
    checks.append(signature)
    if unlike is not None:
        passed = CheckState.PASSED
        about = [unlike if (check.id, check.state) == (unlike.id, passed) else check for check in about]
    return task.verdict("proof", checks + about, REQUIRED, evidence={**evidence, **found}, certificate=certificate)


def _signature(task: Task, certificate: Certificate, proof: AuthenticationProof) -> tuple[Check, Check | None]:
    """The check of the signature; and why ``alg`` is not the one of the certificate's profile, if it is not.

    The certificate alone decides by which algorithm the signature is verified: ``alg`` must agree and chooses nothing.
    """
    profile = task.profile(certificate, Purpose.AUTHENTICATION)
    how = method(profile.key.algorithm, profile.hash)
    if how is None or proof.algorithm != how.jws:
        unlike = Check.failed("algorithms.disagree", alg=proof.algorithm, key=certificate.key.algorithm)
        return Check.not_checked(CheckId.SIGNATURE), unlike
    value = proof.signature
    if profile.key.algorithm == "ec":  # RFC 7518 §3.4: r and s one after the other
        try:
            value = ecdsa_der(value)
        except DecodeError:
            return Check.failed("signature.invalid"), None
    digest = hashlib.new(profile.hash, proof.signing_input).digest()
    return task.signature_check(certificate, profile, value, digest), None


def judge_challenge(
    task: Task,
    nonce: bytes,
    said: Challenge | None,
    challenges: ChallengeStore,
    *,
    audience: str,
    purpose: str | None,
) -> tuple[Challenge | None, Check]:
    """Take the challenge back, first of all and only once; what was given out, and whether it is the right one.

    Args:
        said: the whole challenge, where it came back whole.
    """
    given = challenges.consume(nonce, task.moment.now)
    if given is None:
        return None, Check.failed("challenge.replayed" if challenges.was_used(nonce) else "challenge.unknown")
    if said is not None and said != given:
        return given, Check.failed("challenge.altered")
    if given.audience != audience:
        return given, Check.failed("challenge.audience")
    if purpose is not None and given.purpose != purpose:
        return given, Check.failed("challenge.purpose")
    if task.moment.at >= given.expires_at:
        return given, Check.failed("challenge.expired")
    if task.moment.at < given.issued_at:
        return given, Check.failed("challenge.not_yet")
    return given, Check.passed(CheckId.CHALLENGE)
