"""The verifier: what a bank's server holds. No card, no reader, no network of its own; thread-safe."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, InputError, UsageError
from kojin_card.pki.certificate import MAX_CERTIFICATE_BYTES, Certificate
from kojin_card.pki.files import to_der
from kojin_card.pki.path import find_issuer
from kojin_card.pki.profile import Purpose, Store
from kojin_card.pki.reuse import other_meaning
from kojin_card.pki.trust import TrustStore
from kojin_card.verdict import Check, CheckId
from kojin_card.verification import cms, pinless, proof
from kojin_card.verification.engine import CERTIFICATE_CHECKS, SIGNATURE_CHECKS, Moment, Task
from kojin_card.verification.signed_data import MAX_CMS_BYTES
from kojin_card.verification.timestamps import with_proof

if TYPE_CHECKING:
    from kojin_card.authn import AuthenticationProof
    from kojin_card.pki.card_evidence import RecordEvidence
    from kojin_card.pki.revocation import RevocationSource
    from kojin_card.pki.trust import TrustAnchor
    from kojin_card.pki.tsa import TsaStore
    from kojin_card.verdict import Verdict
    from kojin_card.verification.challenges import ChallengeStore
    from kojin_card.verification.pinless import EarlierConfirmations


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
    - ``timestamps``: time-stamp tokens (RFC 3161; DER or one PEM block) over the value of the signature that came
      beside it. Those inside a CMS or PDF signature are found there. The earliest that ``tsa`` makes good, and that is
      not later than the time of judgement, becomes that time (``time_basis`` is ``timestamp``).

    A signingTime that was signed and lies after the time of judgement, or before the certificate, contradicts it
    (``time.contradicted``).

    Raises:
        UsageError: a negative grace.

    Attributes:
        trust: the anchors of one store.
        revocation: whom to ask if a certificate is revoked; with None no verdict can pass.
        now: the clock.
        grace: how long after the proof of existence (``received_at``) a revocation list must have been issued to count,
            so that a revocation that was asked for just before the signature had time to be published. Without such a
            proof nothing passes then. None: a list that was fresh at the time of judgement is enough.
        tsa: whose time-stamps are believed; with None no time-stamp proves anything.
        keep_certificates: put each signer's certificate into ``verdict.certificate``, for a record that has to hold it
            (:mod:`kojin_card.verification.evidence`); it is personal data.
    """

    trust: TrustStore
    revocation: RevocationSource | None = None
    now: Callable[[], datetime] = field(default=utc_now, repr=False)
    grace: timedelta | None = None
    tsa: TsaStore | None = None
    keep_certificates: bool = False

    def __post_init__(self) -> None:
        if self.grace is not None and self.grace < timedelta():
            raise UsageError("grace is not negative", operation="verify")

    @classmethod
    def production(
        cls,
        revocation: RevocationSource | None = None,
        *,
        tsa: TsaStore | None = None,
        now: Callable[[], datetime] = utc_now,
        grace: timedelta | None = None,
        keep_certificates: bool = False,
    ) -> Verifier:
        """A verifier of real cards: the six published CAs of JPKI."""
        return cls.for_store(
            Store.PRODUCTION, revocation, tsa=tsa, now=now, grace=grace, keep_certificates=keep_certificates
        )

    @classmethod
    def for_store(
        cls,
        store: Store | str,
        revocation: RevocationSource | None = None,
        *,
        extra_anchors: Iterable[TrustAnchor] = (),
        folder: Path | None = None,
        tsa: TsaStore | None = None,
        now: Callable[[], datetime] = utc_now,
        grace: timedelta | None = None,
        keep_certificates: bool = False,
    ) -> Verifier:
        """A verifier of the store of that name.

        Args:
            extra_anchors: more anchors of the same store.
            folder: where :func:`kojin_card.pki.trust.add_anchor` keeps anchors that were added.

        Raises:
            TrustError: no such store, an anchor of another store, or one whose key another store knows.
            SpecError: a malformed anchor file.
        """
        trust = TrustStore.load(store, folder=folder, extra_anchors=extra_anchors)
        return cls(trust, revocation, now, grace, tsa, keep_certificates)

    @property
    def policy_sha256(self) -> str:
        """What every verdict's evidence calls so: by which rules and whose trust this verifier judges as it is set.

        How it is made stands in :mod:`~kojin_card.verification.policy` and in docs/verdicts.md.
        """
        return self._task(None, None, False).policy_sha256

    def _task(
        self, at: datetime | None, received_at: datetime | None, disclose: bool, tokens: Iterable[bytes] = ()
    ) -> Task:
        given = tuple(bytes(token) for token in tokens)
        moment = Moment.of(self.now, at, received_at)
        return Task(self.trust, self.revocation, moment, disclose, self.grace, self.tsa, given, self.keep_certificates)

    def verify_cms(
        self,
        cms_message: bytes,
        content: bytes | None = None,
        *,
        at: datetime | None = None,
        received_at: datetime | None = None,
        disclose: bool = False,
        timestamps: Iterable[bytes] = (),
    ) -> Verdict:
        """Judge a CMS signature (DER, BER or one PEM block), attached or, with ``content``, detached.

        Several signers are parts of the verdict and must all pass.
        """
        task = self._task(at, received_at, disclose, timestamps)
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
        timestamps: Iterable[bytes] = (),
    ) -> Verdict:
        """Judge every signature of a PDF, and that they cover all of it.

        One signature's checks stand in the verdict itself; several are its parts and must all pass.

        Raises:
            InputError: the document is larger than the verifier takes.
        """
        from kojin_card.verification import pdf as documents  # pyhanko is slow to import: only when needed

        return documents.judge(self._task(at, received_at, disclose, timestamps), bytes(pdf))

    def verify_xml(
        self,
        document: bytes,
        attachments: Mapping[str, bytes] | None = None,
        *,
        signed_only: bool = False,
        at: datetime | None = None,
        received_at: datetime | None = None,
        disclose: bool = False,
    ) -> Verdict:
        """Judge every signature (XMLDSig, XAdES-BES) of an XML document of at most 16 MiB, and what of it is unsigned.

        Take what was signed from ``verdict.signed``, not from the document: the same Id, a comment or an unsigned
        element can make a reader see something else. One signature's checks stand in the verdict itself; several are
        its parts and must all pass. Nothing is ever fetched.

        Args:
            attachments: file name -> bytes, for references to files beside the document (e-Gov). Each must be signed.
            signed_only: the caller reads nothing but ``verdict.signed``. Without it a document in which anything is
                unsigned does not pass (``coverage.partial``), but for what a known form leaves unsigned.

        Raises:
            InputError: more attachments than the verifier takes.
        """
        from kojin_card.verification import xml as documents  # lxml and signxml: only when needed

        task = self._task(at, received_at, disclose)
        given = None if attachments is None else {name: bytes(data) for name, data in attachments.items()}
        return documents.judge(task, bytes(document), given, signed_only=signed_only)

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
        timestamps: Iterable[bytes] = (),
    ) -> Verdict:
        """Judge a bare signature over ``content`` by ``certificate`` (DER or PEM), as its profile makes them:
        RSASSA-PKCS1-v1_5 with SHA-256, or for the next card the DER of ECDSA with SHA-384.

        Content that is the signed attributes of a CMS or PDF signature, or what a card signs for an authentication, is
        ``format.ambiguous``: the signature may have been made for that.
        """
        task = self._task(at, received_at, disclose, timestamps)
        task, stamps = with_proof(task, (), bytes(signature))
        content = bytes(content)
        evidence = {"document_sha256": hashlib.sha256(content).hexdigest()}
        clear = other_meaning(content) is None
        form = Check.passed(CheckId.FORMAT) if clear else Check.failed("format.ambiguous")
        parsed = _parse(certificate)
        if isinstance(parsed, Check):
            return task.verdict("raw", [form, parsed], _RAW_CHECKS, evidence=evidence, timestamps=stamps)
        profile = task.profile(parsed, purpose)
        checks = [
            form,
            Check.passed(CheckId.CERTIFICATE, sha256=parsed.sha256),
            task.signature_check(parsed, profile, bytes(signature), hashlib.new(profile.hash, content).digest()),
        ]
        about, found = task.certificate_checks(parsed, purpose)
        evidence.update(found)
        return task.verdict(
            "raw", checks + about, _RAW_CHECKS, evidence=evidence, certificate=parsed, timestamps=stamps
        )

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

    def confirm_without_pin(
        self,
        certificate: bytes,
        chip: RecordEvidence,
        challenges: ChallengeStore,
        *,
        audience: str,
        earlier: EarlierConfirmations,
        purpose: str | None = None,
    ) -> Verdict:
        """Judge 利用者証明用電子証明書 (DER or PEM) that was read without a PIN (公的個人認証法 38条の4), now.

        Not proved by it: that the certificate is in the chip that answered. So no store but the software card's passes:
        see :mod:`~kojin_card.verification.pinless`. Whatever is missing is TOTAL_FAILED.

        Args:
            chip: what a genuine card answered to the nonce of a challenge of ours (:class:`.pinless.ChipAnswer`).
            earlier: says when this certificate was confirmed with the PIN; without that nothing passes.
            audience, purpose: as :meth:`verify_proof`.
        """
        task = self._task(None, None, False)
        return pinless.judge(
            task, _parse(certificate), chip, challenges, audience=audience, purpose=purpose, earlier=earlier
        )

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

    def serial_status(
        self,
        serial: str | int,
        issuer: str | TrustAnchor,
        *,
        scope: str | bytes | None = None,
        not_after: datetime | None = None,
        at: datetime | None = None,
        received_at: datetime | None = None,
    ) -> Verdict:
        """Judge a stored serial number alone (現況確認): passed means not revoked, and nothing else.

        See :mod:`kojin_card.verification.serials`, also for many at once.

        Args:
            serial: 発行の番号; hex when it is text.
            issuer: the CA's key identifier, its name in the store, or the anchor.
            scope: its distribution point (``Certificate.crl_scope``, or that name in RFC 4514): lists are found by it.
            not_after: its end, where it was kept.

        Raises:
            InputError: a serial, CA or name that cannot be.
        """
        from kojin_card.verification import serials

        row = serials.make_reference(serial, issuer, self.trust, scope=scope, not_after=not_after)
        return serials.judge(self._task(at, received_at, False), *row)


def _parse(certificate: bytes) -> Certificate | Check:
    """The certificate, or the check that says why it is none."""
    try:
        return Certificate.parse(to_der(bytes(certificate), "CERTIFICATE", limit=MAX_CERTIFICATE_BYTES))
    except (DecodeError, InputError) as bad:
        return Check.failed("certificate.malformed", what=bad.message)
