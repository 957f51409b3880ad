"""Judging a driving licence that was read from a card (マイナ免許証, card.md §2.9): two files' bytes, and no card.

The signature in WEF03 covers WEF02. No issuer's key is public, so the caller brings one and vouches for it; without one
nobody can say whether the record is genuine: INDETERMINATE, NO_SIGNING_CERTIFICATE_FOUND (EN 319 102-1 §5.2.3: the key
cannot be identified; there is no certificate yet for which a chain could be missing). The names in WEF03 are unsigned.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kojin_card.errors import DecodeError, InputError
from kojin_card.pki.algorithms import EXPONENT, Outcome, PublicKey, read_public_key, verify
from kojin_card.pki.files import to_der
from kojin_card.spec import decode, load_card_spec
from kojin_card.spec.wareki import era_date
from kojin_card.verdict import Check, CheckId, CheckState, Verdict
from kojin_card.verification import policy
from kojin_card.verification.engine import ENGINE, Moment

if TYPE_CHECKING:
    from datetime import datetime

    from kojin_card.spec import Record

REQUIRED = frozenset({CheckId.FORMAT, CheckId.CERTIFICATE, CheckId.SIGNATURE})
#: what a verdict rests on when the caller brings the key himself; none of the three trust stores
STORE = "given-key"
#: SHA-256 of keys whose private halves everybody has: the software card's (fixtures/pki/simulator-licence-issuer.pem)
PUBLISHED_TEST_KEYS = frozenset({"7d07fead42936039c27f6b1c6a9cdca12445168d6f4243f6dc62f5cfdddd06c6"})
MAX_KEY_BYTES = 65_536
_APPLICATION = "licence"
_BITS = 2048
_JST = timezone(timedelta(hours=9), "JST")
_OPERATION = "read the issuer key"


@dataclass(frozen=True, slots=True)
class LicenceIssuerKey:
    """The public key of a licence's issuer, as the caller has it: RSA-2048 with the exponent 65537 (card.md §2.9).

    Attributes:
        spki: SubjectPublicKeyInfo, DER.
        source: ``key``, or ``certificate``: of that the key is taken and nothing is judged, neither chain nor dates.
    """

    spki: bytes = field(repr=False)
    source: str

    @property
    def key(self) -> PublicKey:
        """The key's numbers."""
        return read_public_key(self.spki)

    @property
    def sha256(self) -> str:
        """Fingerprint of the key, hex."""
        return hashlib.sha256(self.spki).hexdigest()

    @property
    def for_tests(self) -> bool:
        """Whether it is the published key of the software card: anybody can sign with it, so it proves nothing."""
        return self.sha256 in PUBLISHED_TEST_KEYS

    @classmethod
    def read(cls, data: bytes) -> Self:
        """A key from PEM or DER: a SubjectPublicKeyInfo or an X.509 certificate.

        Raises:
            InputError: neither, or not a key of the kind that signs licences.
        """
        if len(data) > MAX_KEY_BYTES:
            raise InputError("too large for a public key or a certificate", operation=_OPERATION)
        certificate = data.lstrip().startswith(b"-----BEGIN CERTIFICATE-----")
        der = to_der(data, "CERTIFICATE" if certificate else "PUBLIC KEY", limit=MAX_KEY_BYTES)
        spki: bytes | None = None if certificate else der
        found = None if spki is None else _numbers(spki)
        if found is None:
            spki = _of_certificate(der)
            found = None if spki is None else _numbers(spki)
            certificate = True
        if spki is None or found is None:
            raise InputError("neither a public key nor a certificate", operation=_OPERATION)
        if (found.algorithm, found.bits, found.exponent) != ("rsa", _BITS, EXPONENT):
            words = "the key that signs driving licences is RSA of 2048 bits with the exponent 65537"
            raise InputError(words, operation=_OPERATION)
        return cls(spki, "certificate" if certificate else "key")


def _numbers(spki: bytes) -> PublicKey | None:
    try:
        return read_public_key(spki)
    except DecodeError:
        return None


def _of_certificate(der: bytes) -> bytes | None:
    """The SubjectPublicKeyInfo of a certificate; None when it is none."""
    with contextlib.suppress(Exception):  # whatever a parser has against it, it is not one that can be used
        key = x509.load_der_x509_certificate(der).public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return None


def judge_licence(
    record: bytes, signature_record: bytes, issuer_key: LicenceIssuerKey | None = None, *, now: datetime
) -> Verdict:
    """Judge the record of a driving licence.

    Whether the licence has run out is no matter of the signature: it is the note ``licence_validity`` in the evidence.
    So is ``issuer_key``, which is there when the key is the published one of the software card.

    Args:
        record: WEF02, as :attr:`DrivingLicence.record <kojin_card.applications.DrivingLicence>` or as read.
        signature_record: WEF03.
        issuer_key: the issuer's; None when the caller has none.
        now: the time it is, with a zone.

    Raises:
        UsageError: a time without a zone.
    """
    moment = Moment.of(lambda: now, None, None)
    read, problem = _decoded(record, signature_record)
    checks: list[Check] = []
    keys = [] if issuer_key is None else [issuer_key.sha256]
    evidence = {"engine": ENGINE, "policy_sha256": policy.digest({"store": "given-key", "anchors": keys})}
    if issuer_key is not None and issuer_key.for_tests:
        evidence["issuer_key"] = "published test key"
    if read is None:
        checks.append(Check.failed("format.malformed", what=problem))
    else:
        information, signature = read
        checks.append(Check.passed(CheckId.FORMAT))
        checks += _issuer_checks(information.content, signature.octets("signature_value"), issuer_key)
        if all(check.reason != "signature.not_by_issuer" for check in checks):  # a forged record is not repeated
            evidence["licence_validity"] = _validity(information, moment)
        for name in ("issuer", "subject", "serial"):
            evidence[f"claimed_{name}"] = signature.text(name).strip()
        evidence["claimed_subject_key_id"] = signature.octets("subject_key_id").hex()
    found = {check.id: check for check in checks}
    ordered = tuple(found.get(one, Check.not_checked(one)) for one in CheckId if one in REQUIRED)
    return Verdict("licence", STORE, moment.at, moment.basis, ordered, REQUIRED, evidence=evidence)


def _decoded(record: bytes, signature_record: bytes) -> tuple[tuple[Record, Record] | None, str]:
    """Both files by their layouts, or what is wrong with them."""
    layouts = load_card_spec()[_APPLICATION].layouts
    try:
        return (decode(layouts["licence_information"], record), decode(layouts["signature"], signature_record)), ""
    except DecodeError as bad:
        return None, str(bad)


def _issuer_checks(covered: bytes, signature: bytes, issuer: LicenceIssuerKey | None) -> list[Check]:
    if issuer is None:
        return [Check(CheckId.CERTIFICATE, CheckState.UNKNOWN, "certificate.issuer_unknown")]
    known = Check.passed(
        CheckId.CERTIFICATE, key_sha256=issuer.sha256, source=issuer.source, chain="not judged: the caller vouches"
    )
    outcome = verify(issuer.key, issuer.spki, "sha256", signature, hashlib.sha256(covered).digest())
    if outcome is Outcome.VALID:
        return [known, Check.passed(CheckId.SIGNATURE, algorithm="RSASSA-PKCS1-v1_5 SHA-256")]
    return [known, Check.failed("signature.not_by_issuer", outcome=str(outcome))]


def _validity(information: Record, moment: Moment) -> str:
    """Whether the licence has run out, in words that tell no date."""
    expiry = era_date(information.text("expiry")) if "expiry" in information.values else None
    if expiry is None:
        return "not stated"
    return "expired" if moment.at.astimezone(_JST).date() > expiry else "not expired"
