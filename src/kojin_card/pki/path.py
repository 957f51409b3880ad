"""The checks of one certificate against one trust store: chain, profile, key usage, policy, validity, algorithms.

Each is a function from values to a :class:`~kojin_card.verdict.Check`; none reads bytes again (jpki.md §6 A-16).
JPKI is a one-tier PKI: a CA of the store issues people's certificates directly, so a path has one step (jpki.md §1.1).
Evidence never holds a name, an item or the dates of a certificate: notAfter is the holder's birthday.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.pki.algorithms import SIGNATURES, WEAK_DIGESTS, Outcome, acceptable_key, verify_named
from kojin_card.pki.attributes import read_attributes
from kojin_card.pki.certificate import (
    AUTHORITY_KEY_ID,
    CERTIFICATE_POLICIES,
    CRL_DISTRIBUTION_POINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    SUBJECT_ALT_NAME,
    SUBJECT_KEY_ID,
)
from kojin_card.pki.profile import Purpose, load_profiles
from kojin_card.pki.revocation import RevocationStatus
from kojin_card.verdict import Check, CheckId, utc_seconds

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from kojin_card.pki.certificate import Certificate
    from kojin_card.pki.profile import CertificateProfile, Store
    from kojin_card.pki.revocation import RevocationAnswer
    from kojin_card.pki.trust import TrustAnchor, TrustStore


@dataclass(frozen=True, slots=True)
class Chain:
    """The outcome of looking for the issuer: the check, and the anchor when there is one."""

    check: Check
    anchor: TrustAnchor | None = None


def check_algorithms(certificate: Certificate, profile: CertificateProfile) -> Check:
    """Key and signature algorithm of the certificate itself (jpki.md §6 A-12)."""
    evidence = {"key": f"{certificate.key.algorithm}-{certificate.key.bits}"}
    verdict = acceptable_key(certificate.key)
    if verdict is not None:
        return Check.failed(f"algorithms.{verdict}", **evidence)
    if (
        certificate.key.algorithm != profile.key.algorithm
    ):  # a kind of key that this store has for another policy, or not
        return Check.failed("algorithms.unknown", **evidence, profile=profile.id)
    if certificate.signature_algorithm != profile.signature_algorithm:
        known = SIGNATURES.get(certificate.signature_algorithm)
        evidence["certificate_signature"] = known.name if known else certificate.signature_algorithm
        weak = known is not None and known.hash in WEAK_DIGESTS
        return Check.failed("algorithms.weak" if weak else "algorithms.unknown", **evidence)
    return Check.passed(CheckId.ALGORITHMS, **evidence)


def find_issuer(certificate: Certificate, store: TrustStore) -> Chain:
    """The anchor whose key signed this certificate, found by key identifier and serial (jpki.md §6 A-01..A-04)."""
    evidence = {"store": str(store.store)}
    if not store.anchors:
        return Chain(Check.failed("chain.empty_store", **evidence))
    algorithm, signature = certificate.signature_algorithm, certificate.signature
    for anchor in store.candidates(certificate):
        if verify_named(anchor.key, anchor.spki, algorithm, signature, certificate.tbs) is Outcome.VALID:
            return Chain(Check.passed(CheckId.CHAIN, **evidence, anchor=anchor.id), anchor)
    return Chain(Check.failed("chain.no_issuer", **evidence))


def check_profile(certificate: Certificate, profile: CertificateProfile, anchor: TrustAnchor) -> Check:
    """The structure of jpki.md §1.1-§1.4, as far as it is the same on every certificate seen.

    Not judged: the order of extensions, further extensions that are not critical (profile 3.x may have some, jpki.md
    §9.1), issuerAltName, and the subject: nothing of it names the holder (A-14).
    """

    def mismatch(what: str) -> Check:
        return Check.failed("profile.mismatch", profile=profile.id, what=what)

    if anchor.purpose is not profile.purpose:
        return Check.failed("profile.purpose", profile=profile.id, issued_for=str(anchor.purpose))
    key, wanted = certificate.key, profile.key
    if (key.algorithm, key.bits, key.curve) != (wanted.algorithm, wanted.bits, wanted.curve):
        return mismatch("key")
    present = {extension.oid for extension in certificate.extensions}
    critical = {extension.oid for extension in certificate.extensions if extension.critical}
    if critical != profile.critical:
        return mismatch("critical extensions")
    if certificate.is_ca is not None or certificate.spki == anchor.spki or certificate.subject == certificate.issuer:
        return mismatch("certificate of a CA")
    needed = {KEY_USAGE, CERTIFICATE_POLICIES, CRL_DISTRIBUTION_POINTS, AUTHORITY_KEY_ID, SUBJECT_KEY_ID}
    if not needed <= present or certificate.crl_scope is None:
        return mismatch("extensions")
    if certificate.subject_key_id != certificate.key.key_id():
        return mismatch("subject key identifier")
    for oid in (SUBJECT_ALT_NAME, EXTENDED_KEY_USAGE):
        if (oid in present) != (oid in profile.extension_order):
            return mismatch("extensions")
    if profile.purpose is Purpose.SIGNATURE:
        try:
            read_attributes(certificate)
        except DecodeError:
            return mismatch("attributes of the holder")
    return Check.passed(CheckId.PROFILE, profile=profile.id)


def check_key_usage(certificate: Certificate, profile: CertificateProfile) -> Check:
    """Exactly the profile's bits, no fewer and no more (jpki.md §6 A-07), and exactly its extended key usages."""
    bits, extended = set(certificate.key_usage or ()), certificate.extended_key_usage or ()
    if bits != set(profile.key_usage) or extended != profile.extended_key_usage:
        return Check.failed("key_usage.wrong", found="+".join(certificate.key_usage or ("none",)))
    return Check.passed(CheckId.KEY_USAGE, found="+".join(profile.key_usage))


def check_policy(certificate: Certificate, profile: CertificateProfile, store: Store) -> Check:
    """Exactly the one policy that the profile has for this store (jpki.md §1.5, §6 A-04, A-11)."""
    wanted = profile.policies.get(store)
    if wanted is None:
        return Check.failed("policy.undefined", store=str(store))
    found = certificate.policies or ()
    if found == (wanted,):
        return Check.passed(CheckId.POLICY, policy=wanted)
    labels = [load_profiles().policy_label(oid) for oid in found]
    evidence = {"policy": " ".join(found) or "none", "wanted": wanted}
    known = [label for label in labels if label is not None]
    if known:
        evidence["known_as"] = "; ".join(known)
    return Check.failed("policy.wrong" if known or not found else "policy.unknown", **evidence)


def check_validity(
    certificate: Certificate, anchor: TrustAnchor, at: datetime, *, signed_after: datetime | None = None
) -> Check:
    """Whether certificate and CA are valid at ``at`` (jpki.md §6 A-06).

    Args:
        signed_after: a time that is proven to lie before the signature (a challenge's iat), so that a certificate which
            had ended by then fails for good.
    """
    for begin, end in ((certificate.not_before, certificate.not_after), (anchor.not_before, anchor.not_after)):
        if at < begin:
            return Check.failed("validity.not_yet")
        if signed_after is not None and signed_after > end:
            return Check.failed("validity.expired_before_signing")
    if at > certificate.not_after:
        return Check.failed("validity.expired")
    if at > anchor.not_after:
        return Check.failed("validity.issuer_expired")
    return Check.passed(CheckId.VALIDITY)


def check_revocation(
    answer: RevocationAnswer | None,
    *,
    signed_after: datetime | None = None,
    proof: datetime | None = None,
    grace: timedelta | None = None,
) -> Check:
    """What a source's answer means; None = there is no source, and then nothing is said to be good.

    Args:
        signed_after: a time that is proven to lie before the signature.
        proof: a time by which the signature is proven to have existed (a time stamp's, or that of receipt). Whoever
            answered before it could not know of a revocation that was asked for just before the signature.
        grace: how long after ``proof`` the answer must have been made to count as good (EN 319 102-1 §5.2.5: revocation
            freshness).
    """
    if answer is None:
        return Check.not_checked(CheckId.REVOCATION, "revocation.no_source")
    evidence = {"method": answer.method}
    optional = {
        "source": answer.source,
        "number": None if answer.number is None else str(answer.number),
        "this_update": _iso(answer.this_update),
        "next_update": _iso(answer.next_update),
        "revoked_at": _iso(answer.revoked_at),
        "revoked_later_at": _iso(answer.revoked_later_at),
        "revocation_reason": answer.reason,
        "asserted_by": answer.asserted_by,
        "detail": answer.detail,
    }
    evidence.update({key: value for key, value in optional.items() if value is not None})
    if answer.asserted_by is not None and answer.method == "crl":
        evidence["scope"] = "asserted"
    if proof is not None and answer.this_update is not None and answer.this_update < proof:
        evidence["list_before_proof"] = "true"
    if answer.status is RevocationStatus.GOOD:
        if grace is None:
            return Check.passed(CheckId.REVOCATION, **evidence)
        evidence["grace_seconds"] = str(int(grace.total_seconds()))
        made = answer.this_update
        if made is None or proof is None or made - proof < grace:
            return Check.failed("revocation.grace", **evidence)
        return Check.passed(CheckId.REVOCATION, **evidence)
    if answer.status is RevocationStatus.REVOKED:
        before = signed_after is not None and answer.revoked_at is not None and answer.revoked_at <= signed_after
        return Check.failed("revocation.revoked_before_signing" if before else "revocation.revoked", **evidence)
    return Check.failed(f"revocation.{answer.why or 'unusable'}", **evidence)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else utc_seconds(moment)
