"""The verifier: what a bank's server holds. No card, no reader, no network of its own; thread-safe."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, InputError
from kojin_card.pki.certificate import MAX_CERTIFICATE_BYTES, Certificate
from kojin_card.pki.files import to_der
from kojin_card.pki.path import find_issuer
from kojin_card.pki.profile import Purpose, Store
from kojin_card.pki.reuse import other_meaning
from kojin_card.pki.trust import TrustStore
from kojin_card.verdict import Check, CheckId
from kojin_card.verification import cms, proof
from kojin_card.verification.engine import CERTIFICATE_CHECKS, SIGNATURE_CHECKS, Moment, Task
from kojin_card.verification.signed_data import MAX_CMS_BYTES

if TYPE_CHECKING:
    from kojin_card.authn import AuthenticationProof
    from kojin_card.pki.revocation import RevocationSource
    from kojin_card.pki.trust import TrustAnchor
    from kojin_card.verdict import Verdict
    from kojin_card.verification.challenges import ChallengeStore


_RAW_CHECKS = SIGNATURE_CHECKS | {CheckId.FORMAT}


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Verifier:
    """Judges signatures, proofs and certificates against one trust store.

    Every method gives a :class:`~kojin_card.verdict.Verdict`, also for hostile bytes. Common arguments:

    - ``at``: a time that the caller asserts. In the past it proves nothing: the verdict is INDETERMINATE at best.
    - ``received_at``: when the caller declares to have received the signature; such a verdict may pass. All of it rests
      on that declaration: lists that were fresh then are accepted (later ones too), and a challenge that was open then
      counts as open. So it must come from a record of the caller's own, never from whoever hands in the signature.
    - ``disclose``: put the holder's items into ``verdict.holder``, when signature, chain and profile passed.

    All methods raise UsageError for both times at once, a time (or clock) without zone, out of range or in the future.
    A signingTime that was signed and lies after the time of judgement, or before the certificate, contradicts it
    (``time.contradicted``).

    Attributes:
        trust: the anchors of one store.
        revocation: whom to ask if a certificate is revoked; with None no verdict can pass.
        now: the clock.
        keep_certificates: put each signer's certificate into ``verdict.certificate``, for a record that has to hold it
            (:mod:`kojin_card.verification.evidence`); it is personal data.
    """

    trust: TrustStore
    revocation: RevocationSource | None = None
    now: Callable[[], datetime] = field(default=utc_now, repr=False)
    keep_certificates: bool = False

    @classmethod
    def production(
        cls, revocation: RevocationSource | None = None, *, now: Callable[[], datetime] = utc_now
    ) -> Verifier:
        """A verifier of real cards: the six published CAs of JPKI."""
        return cls.for_store(Store.PRODUCTION, revocation, now=now)

    @classmethod
    def for_store(
        cls,
        store: Store | str,
        revocation: RevocationSource | None = None,
        *,
        extra_anchors: Iterable[TrustAnchor] = (),
        folder: Path | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> Verifier:
        """A verifier of the store of that name.

        Args:
            extra_anchors: more anchors of the same store.
            folder: where :func:`kojin_card.pki.trust.add_anchor` keeps anchors that were added.

        Raises:
            TrustError: no such store, an anchor of another store, or one whose key another store knows.
            SpecError: a malformed anchor file.
        """
        return cls(TrustStore.load(store, folder=folder, extra_anchors=extra_anchors), revocation, now)

    def _task(self, at: datetime | None, received_at: datetime | None, disclose: bool) -> Task:
        return Task(self.trust, self.revocation, Moment.of(self.now, at, received_at), disclose, self.keep_certificates)

    def verify_cms(
        self,
        cms_message: bytes,
        content: bytes | None = None,
        *,
        at: datetime | None = None,
        received_at: datetime | None = None,
        disclose: bool = False,
    ) -> Verdict:
        """Judge a CMS signature (DER, BER or one PEM block), attached or, with ``content``, detached.

        Several signers are parts of the verdict and must all pass.
        """
        task = self._task(at, received_at, disclose)
        data = bytes(cms_message)
        for label in ("CMS", "PKCS7"):
            try:
                data = to_der(data, label, limit=MAX_CMS_BYTES)
            except InputError:
                continue
            break
        return cms.judge(task, data, None if content is None else bytes(content))

    def verify_pdf(
        self,
        pdf: bytes,
        *,
        at: datetime | None = None,
        received_at: datetime | None = None,
        disclose: bool = False,
    ) -> Verdict:
        """Judge every signature of a PDF, and that they cover all of it.

        One signature's checks stand in the verdict itself; several are its parts and must all pass.

        Raises:
            InputError: the document is larger than the verifier takes.
        """
        from kojin_card.verification import pdf as documents  # pyhanko is slow to import: only when needed

        return documents.judge(self._task(at, received_at, disclose), bytes(pdf))

    def verify_raw(
        self,
        signature: bytes,
        content: bytes,
        certificate: bytes,
        *,
        purpose: Purpose = Purpose.SIGNATURE,
        at: datetime | None = None,
        received_at: datetime | None = None,
        disclose: bool = False,
    ) -> Verdict:
        """Judge a bare signature over ``content`` by ``certificate`` (DER or PEM), as its profile makes them:
        RSASSA-PKCS1-v1_5 with SHA-256, or for the next card the DER of ECDSA with SHA-384.

        Content that is the signed attributes of a CMS or PDF signature, or what a card signs for an authentication, is
        ``format.ambiguous``: the signature may have been made for that.
        """
        task = self._task(at, received_at, disclose)
        content = bytes(content)
        evidence = {"document_sha256": hashlib.sha256(content).hexdigest()}
        clear = other_meaning(content) is None
        form = Check.passed(CheckId.FORMAT) if clear else Check.failed("format.ambiguous")
        parsed = _parse(certificate)
        if isinstance(parsed, Check):
            return task.verdict("raw", [form, parsed], _RAW_CHECKS, evidence=evidence)
        profile = task.profile(parsed, purpose)
        checks = [
            form,
            Check.passed(CheckId.CERTIFICATE, sha256=parsed.sha256),
            task.signature_check(parsed, profile, bytes(signature), hashlib.new(profile.hash, content).digest()),
        ]
        about, found = task.certificate_checks(parsed, purpose)
        return task.verdict("raw", checks + about, _RAW_CHECKS, evidence={**evidence, **found}, certificate=parsed)

    def verify_proof(
        self,
        compact: str | AuthenticationProof,
        challenges: ChallengeStore,
        *,
        audience: str,
        purpose: str | None = None,
        at: datetime | None = None,
        received_at: datetime | None = None,
        disclose: bool = False,
    ) -> Verdict:
        """Judge an authentication proof against the challenges that were given out.

        The challenge is taken back first and works only once, whatever the verdict.

        Args:
            audience: who we are; must be what the challenge said.
            purpose: what the holder was to agree to; None takes whatever the challenge said.
        """
        task = self._task(at, received_at, disclose)
        return proof.judge(task, compact, challenges, audience=audience, purpose=purpose)

    def certificate_status(
        self,
        certificate: bytes,
        *,
        purpose: Purpose | None = None,
        at: datetime | None = None,
        received_at: datetime | None = None,
        disclose: bool = False,
    ) -> Verdict:
        """Judge a certificate alone (DER or PEM): issued by a CA of the store, in its profile, valid, not revoked.

        It says nothing about who holds the key.

        Args:
            purpose: what it must be for; None takes what its CA issues.
        """
        task = self._task(at, received_at, disclose)
        parsed = _parse(certificate)
        if isinstance(parsed, Check):
            return task.verdict("certificate", [parsed], CERTIFICATE_CHECKS)
        wanted = purpose
        if wanted is None:
            anchor = find_issuer(parsed, self.trust).anchor
            wanted = Purpose.SIGNATURE if anchor is None else anchor.purpose
        checks = [Check.passed(CheckId.CERTIFICATE, sha256=parsed.sha256)]
        about, found = task.certificate_checks(parsed, wanted)
        return task.verdict("certificate", checks + about, CERTIFICATE_CHECKS, evidence=found, certificate=parsed)


def _parse(certificate: bytes) -> Certificate | Check:
    """The certificate, or the check that says why it is none."""
    try:
        return Certificate.parse(to_der(bytes(certificate), "CERTIFICATE", limit=MAX_CERTIFICATE_BYTES))
    except (DecodeError, InputError) as bad:
        return Check.failed("certificate.malformed", what=bad.message)
