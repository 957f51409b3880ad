"""Judging CMS signatures (jpki.md §6 A-09, A-21..A-27): every signer, each by exactly one certificate."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.pki import der
from kojin_card.pki.algorithms import DIGESTS, SIGNATURES, WEAK_DIGESTS, digest_label
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.profile import Purpose, load_profiles
from kojin_card.pki.reuse import other_meaning
from kojin_card.verdict import Check, CheckId, CheckState, utc_seconds
from kojin_card.verification import timestamps
from kojin_card.verification.engine import SIGNATURE_CHECKS, Content
from kojin_card.verification.signed_data import (
    CONTENT_TYPE,
    DATA,
    MESSAGE_DIGEST,
    SIGNATURE_TIMESTAMP,
    UNSIGNED_NAMES,
    SignedData,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kojin_card.pki.profile import CertificateProfile
    from kojin_card.verdict import Verdict
    from kojin_card.verification.engine import Task
    from kojin_card.verification.signed_data import SignerInfo

REQUIRED = SIGNATURE_CHECKS | {CheckId.FORMAT, CheckId.COVERAGE, CheckId.DIGEST}


def judge(task: Task, data: bytes, content: bytes | None) -> Verdict:
    """Judge a CMS message, attached (``content`` None) or detached; several signers become parts, all must pass."""
    evidence = {"document_sha256": hashlib.sha256(data if content is None else content).hexdigest()}
    try:
        signed = SignedData.parse(data)
    except DecodeError as bad:
        return task.verdict("cms", [Check.failed("format.malformed", what=bad.message)], REQUIRED, evidence=evidence)
    if content is None and signed.content is not None:
        evidence["content_sha256"] = hashlib.sha256(signed.content).hexdigest()
    coverage, what = _what_is_signed(signed, None if content is None else Content.of(content))
    if not signed.signers:
        return task.verdict("cms", [Check.failed("format.no_signature"), coverage], REQUIRED, evidence=evidence)
    if len(signed.signers) == 1:
        return Signing(task, signed, signed.signers[0], what, coverage).verdict("cms", evidence)
    parts = tuple(
        Signing(task, signed, signer, what, coverage).verdict(f"cms signer {number}", {})
        for number, signer in enumerate(signed.signers, 1)
    )
    return task.verdict(
        "cms",
        [Check.passed(CheckId.FORMAT, signers=str(len(parts))), coverage],
        frozenset({CheckId.FORMAT, CheckId.COVERAGE}),
        evidence=evidence,
        parts=parts,
    )


def _what_is_signed(signed: SignedData, detached: Content | None) -> tuple[Check, Content | None]:
    """A-25: content inside or content beside, never both."""
    if signed.content is not None:
        if detached is not None:
            return Check.failed("coverage.two_contents"), None
        return Check.passed(CheckId.COVERAGE, content="attached"), Content.of(signed.content)
    if detached is None:
        return Check.failed("coverage.content_missing"), None
    return Check.passed(CheckId.COVERAGE, content="detached"), detached


@dataclass(frozen=True, slots=True)
class Signing:
    """One signer of one message over one content, about to be judged."""

    task: Task
    signed: SignedData
    signer: SignerInfo
    content: Content | None
    coverage: Check

    def verdict(self, subject: str, evidence: Mapping[str, str]) -> Verdict:
        """The verdict on this signer, as of the earliest time that a time-stamp over its signature proves."""
        found: dict[str, str] = dict(evidence)
        unsigned = self.signer.unsigned
        if unsigned != ():
            listed = [] if unsigned is None else [UNSIGNED_NAMES.get(oid, oid) for oid, _ in unsigned]
            found["unsigned_attributes"] = " ".join(dict.fromkeys(listed)) or "malformed"
        tokens = [value for oid, value in unsigned or () if oid == SIGNATURE_TIMESTAMP]
        task, stamps = timestamps.with_proof(self.task, tokens, self.signer.signature)
        try:
            checks, certificate = replace(self, task=task)._checks(found)
        except DecodeError as bad:  # an attribute that is looked at and is malformed
            checks, certificate = [Check.failed("format.malformed", what=bad.message), self.coverage], None
        return task.verdict(subject, checks, REQUIRED, evidence=found, certificate=certificate, timestamps=stamps)

    def _checks(self, evidence: dict[str, str]) -> tuple[list[Check], Certificate | None]:
        claimed = self.signer.claimed_time()
        trusted_from: datetime | None = None
        if claimed is not None:
            evidence["claimed_signing_time"] = utc_seconds(claimed)
        named, certificate = self._certificate()
        profile = self._profile(certificate)
        algorithms = self._algorithms(profile)
        checks = [self._format(), self.coverage, named]
        digest = self.content.digest(profile.hash) if self.content is not None else None
        if algorithms is None and digest is not None:
            checks.append(self._digest(profile, digest))
        if certificate is not None:
            if algorithms is None and digest is not None:
                checks += self._signature(certificate, profile, digest)
            about, found = self.task.certificate_checks(certificate, Purpose.SIGNATURE)
            checks += about
            evidence.update(found)
            if any(check.id is CheckId.CHAIN and check.state is CheckState.PASSED for check in about):
                trusted_from = certificate.not_before
        if claimed is not None and (contradiction := self.task.moment.contradicted(claimed, trusted_from)) is not None:
            checks.append(contradiction)
        if algorithms is not None:
            checks = [check for check in checks if check.id is not CheckId.ALGORITHMS] + [algorithms]
        return checks, certificate

    def _format(self) -> Check:
        """A-23: the content type said twice the same; no attributes only where nobody can take them for content."""
        if self.signed.content_type != DATA:
            return Check.failed("format.unsupported", content_type=self.signed.content_type)
        said = self.signer.attributes.get(CONTENT_TYPE)
        if said is not None and der.oid(der.single(said)) != self.signed.content_type:
            return Check.failed("format.malformed", what="contentType is not that of the content")
        if self.signer.signed_attributes is None and self.content is not None and _two_meanings(self.content):
            return Check.failed("format.ambiguous")
        identifier = "issuer and serial" if self.signer.key_id is None else "subject key identifier"
        return Check.passed(CheckId.FORMAT, identifier=identifier)

    def _profile(self, certificate: Certificate | None) -> CertificateProfile:
        """The profile that says which algorithms are right: the certificate's, and without one any that they suit."""
        if certificate is not None:
            return self.task.profile(certificate, Purpose.SIGNATURE)
        here = load_profiles().of(Purpose.SIGNATURE, self.task.trust.store)
        suited = [profile for profile in here if self._algorithms(profile) is None]
        return (*suited, *load_profiles().of(Purpose.SIGNATURE))[0]

    def _algorithms(self, profile: CertificateProfile) -> Check | None:
        """A-24: None when everything that names an algorithm names the profile's; else why not."""
        signer = self.signer
        digest, algorithm = DIGESTS.get(signer.digest_algorithm), SIGNATURES.get(signer.signature_algorithm)
        evidence = {
            "digest": digest or signer.digest_algorithm,
            "signature": algorithm.name if algorithm else signer.signature_algorithm,
        }
        hashes = {digest, algorithm.hash if algorithm else None} - {None}
        if hashes & WEAK_DIGESTS:
            return Check.failed("algorithms.weak", **evidence)
        if digest is None or algorithm is None or algorithm.key != profile.key.algorithm:
            return Check.failed("algorithms.unknown", **evidence)
        if len(hashes) > 1 or signer.digest_algorithm not in self.signed.digest_algorithms or not signer.protected():
            return Check.failed("algorithms.disagree", **evidence)
        return None if digest == profile.hash else Check.failed("algorithms.unknown", **evidence)

    def _certificate(self) -> tuple[Check, Certificate | None]:
        """A-09: exactly one of the certificates offered is the one that the signer names."""
        matching: list[Certificate] = []
        malformed = 0
        for data in self.signed.certificates:
            try:
                certificate = Certificate.parse(data)
            except DecodeError:
                malformed += 1
                continue
            if self.signer.matches(certificate):
                matching.append(certificate)
        if len(matching) > 1:
            return Check.failed("certificate.ambiguous", matching=str(len(matching))), None
        if not matching:
            return Check.failed("certificate.malformed" if malformed else "certificate.missing"), None
        if not self.signer.bound_to(matching[0]):
            return Check.failed("certificate.mismatch"), None
        return Check.passed(CheckId.CERTIFICATE, sha256=matching[0].sha256), matching[0]

    def _digest(self, profile: CertificateProfile, digest: bytes) -> Check:
        said = self.signer.attributes.get(MESSAGE_DIGEST)
        if said is None:
            return Check.not_checked(CheckId.DIGEST)
        if der.single(said, der.OCTET_STRING).value != digest:
            return Check.failed("digest.mismatch")
        return Check.passed(CheckId.DIGEST, algorithm=digest_label(profile.hash))

    def _signature(self, certificate: Certificate, profile: CertificateProfile, digest: bytes) -> list[Check]:
        attributes = self.signer.signed_attributes
        over = digest if attributes is None else hashlib.new(profile.hash, attributes).digest()
        check = self.task.signature_check(certificate, profile, self.signer.signature, over)
        if attributes is None and check.state is CheckState.PASSED:
            return [check, Check.passed(CheckId.DIGEST, algorithm=digest_label(profile.hash), within="signature")]
        return [check]


def _two_meanings(content: Content) -> bool:
    """Whether content could be attributes: a signature without attributes does not say which it is over (A-23)."""
    return other_meaning(content.joined()) is not None
