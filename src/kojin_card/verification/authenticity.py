"""Is this card genuine? Judging what was read of it, byte for byte (card.md §2.1, §2.2, §2.7, §2.8), without a card.

For each record: a CA of the store certified its signer; the signer signed the record, or its digest, and the card's own
key; the card has that key. Without the last anybody could have copied the rest.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_bytes
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, NotGenuine, UsageError
from kojin_card.pki.algorithms import Outcome, PublicKey, acceptable_key
from kojin_card.pki.card_evidence import CHALLENGE_BYTES, LEAST_CHALLENGE_BYTES, ProofPlan
from kojin_card.pki.cv import CvCertificate, CvStore, key_in, verify_digests
from kojin_card.pki.profile import Store
from kojin_card.spec import EvidenceLevel, decode, load_card_spec
from kojin_card.spec.codec import digest_input
from kojin_card.verdict import NOTES, Check, CheckId, Indication, TimeBasis, Verdict
from kojin_card.verification import policy
from kojin_card.verification.consistency import consistency
from kojin_card.verification.engine import ENGINE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kojin_card.pki.card_evidence import CardEvidence, RecordEvidence
    from kojin_card.spec import ApplicationSpec, CardSpec, LayoutSpec, Record, SignatureSpec

#: the card manager's two certificates and the id of the key between them (card.md §2.5), by their ids in the specs
_MANAGER = "card_manager"
_UPPER, _LOWER = "upper_cv_certificate", "lower_cv_certificate"
_CERTIFICATE = "cv_certificate"


@dataclass(frozen=True, slots=True)
class CardJudge:
    """Judges records and cards by one store of CA keys.

    That a challenge was fresh, and that it was his own, only he knows who gave it: whoever judges what another machine
    read makes the challenges himself, takes each back once, and compares before he asks for a verdict.

    Attributes:
        store: whose card-verifiable certificates are believed.
        now: the time of judgement; nothing in it has an end of validity, it only stands in the verdict.
    """

    store: CvStore
    now: datetime
    spec: CardSpec

    @classmethod
    def of(cls, store: Store | str, *, now: datetime, spec: CardSpec | None = None) -> CardJudge:
        """A judge with a store of the package.

        Raises:
            TrustError: no store of that name. UsageError: a time without a zone.
        """
        if now.utcoffset() is None:
            raise UsageError("a time needs its zone", operation="verify")
        second = now.astimezone(UTC).replace(microsecond=0)
        return cls(CvStore.load(store), second, load_card_spec() if spec is None else spec)

    @property
    def policy_sha256(self) -> str:
        """By which rules and whose keys this judges; what the specs say of records goes with the engine's version."""
        keys = sorted(f"{key.application}:{key.key_id.hex()}:{key.key.modulus:x}" for key in self.store.keys)
        return policy.digest({"store": str(self.store.store), "card_keys": keys})

    # --- a whole card -------------------------------------------------------------------------------------------------

    def card(self, evidence: CardEvidence) -> Verdict:
        """Everything that was read of a card: each record, each certificate, and whether they agree.

        It passes when at least one record was proved and nothing is against it. What the card has not got is a note,
        but a record that was to be proved and is not there is not proved: else a forged one would only have to be
        taken off.

        Raises:
            UsageError: a place that the specs do not have, or a record that nothing on a card speaks for.
        """
        for where in evidence.free:
            app, _, name = where.partition("/")
            known = self.spec.applications.get(app)
            if known is None or (name not in known.files and name not in known.objects):
                raise UsageError("no such place in the specs", operation="check the card")
        parts = [self.record(one) for one in evidence.records]
        proved = [part.indication is Indication.TOTAL_PASSED for part in parts]
        opened = {one.application for one in evidence.records if one.files}
        parts += [
            self._verdict(where, [self._certificate(self.spec[name], evidence.free[where])[0]])
            for name in self.spec.applications
            if (where := f"{name}/{_CERTIFICATE}") in evidence.free and name not in opened
        ]
        if f"{_MANAGER}/{_UPPER}" in evidence.free:
            parts.append(self._verdict(f"{_MANAGER}/{_CERTIFICATE}", [self._chain(evidence.free)]))
        if any(proved):
            checks = [Check.passed(CheckId.CARD_RESPONSE)]
        elif evidence.records:
            checks = [Check.not_checked(CheckId.CARD_RESPONSE)]  # the parts say why
        else:
            checks = [Check.failed("card_response.not_asked")]
        believed = [one for one, good in zip(evidence.records, proved, strict=True) if good]
        checks += consistency(self.spec, believed, evidence.free)
        found = {*self._always(), *(note for part in parts for note in part.notes)}
        found |= {"absent"} if evidence.absent else set()
        found |= set() if evidence.records else {"without_secret"}
        about = {"absent": ", ".join(evidence.absent)} if evidence.absent else {}
        notes = tuple(note for note in NOTES if note in found)
        return self._verdict("card", checks, parts=tuple(parts), notes=notes, evidence=about)

    def _chain(self, free: Mapping[str, bytes]) -> Check:
        """The card manager's chain: a CA of the store, the intermediate, and (not on every card) the key below it."""
        layouts = self.spec[_MANAGER].layouts
        check, upper = self._certificate(self.spec[_MANAGER], free[f"{_MANAGER}/{_UPPER}"])
        below = free.get(f"{_MANAGER}/{_LOWER}")
        if upper is None or below is None:
            return check
        try:
            lower = CvCertificate.parse(below, layouts[_CERTIFICATE])
        except DecodeError as bad:
            return Check.failed("cv_certificate.malformed", what=bad.message)
        if lower.issuer_key_id != upper.holder_key_id:
            return Check.failed("cv_certificate.broken_chain")
        if lower.verify(upper.key) is not Outcome.VALID:
            return Check.failed("cv_certificate.forged", which="lower")
        return Check.passed(CheckId.CV_CERTIFICATE, **check.evidence, certificates="2")

    # --- one record ---------------------------------------------------------------------------------------------------

    def record(self, evidence: RecordEvidence) -> Verdict:
        """One record: its signer's certificate, its signature, its digest, the card's key, the answer to the challenge.

        What stands below a certificate is not looked at without one: anybody could have written it.

        Raises:
            UsageError: no such record in the specs, or nothing on a card speaks for it.
        """
        application = self.spec.applications.get(evidence.application)
        if application is None or evidence.file not in application.files:
            raise UsageError("no such record in the specs", operation="prove a record")
        plan = ProofPlan.of(application, evidence.file)
        required = {CheckId.CV_CERTIFICATE, CheckId.RECORD, CheckId.CARD_KEY, CheckId.CARD_RESPONSE}
        required |= {CheckId.RECORD_DIGEST} if plan.digest is not None else set()
        if plan.file in evidence.files:
            first, certificate = self._certificate(application, evidence.files.get(plan.certificate))
            checks = [first]
            if certificate is not None:
                checks += self._under(certificate.key, application, plan, evidence)
        else:
            checks = [Check.failed("record.absent")]
        checks += [Check.not_checked(one) for one in CheckId if one in required - {check.id for check in checks}]
        notes = self._always()
        if plan.key.file != plan.record.file:
            notes.append("not_bound")
        if _unsigned(application, plan):
            notes.append("unsigned")
        return self._verdict(evidence.name, checks, notes=tuple(notes))

    def _always(self) -> list[str]:
        """What every verdict on a card has to say beside it."""
        return [*([] if self.store.store is Store.PRODUCTION else ["test_store"]), "in_force"]

    def _certificate(self, application: ApplicationSpec, data: bytes | None) -> tuple[Check, CvCertificate | None]:
        """The certificate of who signs an application's records; it itself only when it passed."""
        if data is None:
            return Check.failed("cv_certificate.missing"), None
        try:
            certificate = CvCertificate.parse(data, application.layouts[_CERTIFICATE])
        except DecodeError as bad:
            return Check.failed("cv_certificate.malformed", what=bad.message), None
        said = {"issuer_key_id": certificate.issuer_key_id.hex()}
        issuer = self.store.find(certificate.issuer_key_id, application.id)
        if issuer is None:
            return Check.failed("cv_certificate.unknown_issuer", **said), None
        if certificate.verify(issuer.key) is not Outcome.VALID:
            return Check.failed("cv_certificate.forged", **said), None
        if acceptable_key(certificate.key) is not None:
            return Check.failed("cv_certificate.weak", **said), None
        return Check.passed(CheckId.CV_CERTIFICATE, **said, ca=issuer.name), certificate

    def _under(
        self, signer: PublicKey, application: ApplicationSpec, plan: ProofPlan, evidence: RecordEvidence
    ) -> list[Check]:
        """The checks that rest on a certified signer, in their order."""
        check, record = self._signed(signer, application, plan.record, evidence.files, CheckId.RECORD)
        checks = [check]
        if record is None:  # with its signature gone, nothing in it is worth a look
            return checks
        if plan.digest is not None:
            checks.append(_digest(application, plan, record, evidence.files.get(plan.file)))
        keeper = record
        if plan.key.file != plan.record.file:
            check, found = self._signed(signer, application, plan.key, evidence.files, CheckId.CARD_KEY)
            if found is None:
                return [*checks, check]
            keeper = found
        try:
            key = key_in(keeper)
        except DecodeError as bad:
            return [*checks, Check.failed("card_key.malformed", what=bad.message)]
        if acceptable_key(key) is not None:
            return [*checks, Check.failed("card_key.weak")]
        return [*checks, Check.passed(CheckId.CARD_KEY), _answer(key, evidence)]

    def _signed(
        self,
        signer: PublicKey,
        application: ApplicationSpec,
        signature: SignatureSpec,
        files: Mapping[str, bytes],
        check: CheckId,
    ) -> tuple[Check, Record | None]:
        """One signature of the card's records; the decoded file only when it is good."""
        data = files.get(signature.file)
        if data is None:
            return Check.failed(f"{check}.absent"), None
        try:
            record = decode(_layout(application, signature.file), data)
        except DecodeError as bad:
            return Check.failed(f"{check}.malformed", what=bad.message), None
        parts = record.contents if signature.values else record.objects
        groups = [b"".join(parts.get(name, b"") for name in group) for group in signature.covers]
        digests = b"".join(hashlib.sha256(group).digest() for group in groups)
        outcome = verify_digests(signer, record.octets(signature.field), digests)
        if outcome is Outcome.VALID:
            return Check.passed(check), record
        # What nobody has published is not held against a card: only our own is sure to be made in our way.
        assumed = signature.evidence.level is EvidenceLevel.ASSUMPTION or any(
            name not in parts for group in signature.covers for name in group
        )
        if assumed and self.store.store is not Store.SIMULATOR:
            return Check.failed(f"{check}.unproven"), None
        encoding = outcome is Outcome.ENCODING and check is CheckId.RECORD
        return Check.failed("record.encoding" if encoding else f"{check}.forged"), None

    # --- the verdict --------------------------------------------------------------------------------------------------

    def _verdict(
        self,
        subject: str,
        checks: list[Check],
        *,
        parts: tuple[Verdict, ...] = (),
        notes: tuple[str, ...] = (),
        evidence: Mapping[str, str] | None = None,
    ) -> Verdict:
        order = list(CheckId)
        return Verdict(
            subject=subject,
            store=str(self.store.store),
            time=self.now,
            time_basis=TimeBasis.NOW,
            checks=tuple(sorted(checks, key=lambda check: order.index(check.id))),
            required=frozenset(check.id for check in checks),
            parts=parts,
            evidence={"engine": ENGINE, "policy_sha256": self.policy_sha256, **(evidence or {})},
            notes=notes,
        )


class RecordProver:
    """Lets a read go through only when it is proved genuine: what the drivers' ``prove`` takes.

    Attributes:
        judge: who judges.
        verdict: the last verdict.

    Args:
        trust: the store of CA keys.
        random: gives that many unpredictable bytes. clock: the time it is, with a zone.

    Raises:
        TrustError: no store of that name.
    """

    def __init__(
        self,
        trust: Store | str,
        *,
        random: Callable[[int], bytes] = token_bytes,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        spec: CardSpec | None = None,
    ) -> None:
        self.judge = CardJudge.of(trust, now=clock(), spec=spec)
        self.verdict: Verdict | None = None
        self._random = random
        self._asked: bytes | None = None

    def challenge(self) -> bytes:
        """See :class:`~kojin_card.pki.card_evidence.Prover`; the one before it is not waited for any more."""
        self._asked = self._random(CHALLENGE_BYTES)
        return self._asked

    def require(self, evidence: RecordEvidence) -> Verdict:
        """The verdict, when it passed. An answer to another challenge than the last one that was given, or a second
        one to it, counts as none.

        Raises:
            NotGenuine: it did not.
        """
        asked, self._asked = self._asked, None
        if evidence.challenge != asked:
            evidence = replace(evidence, answer=None)
        self.verdict = verdict = self.judge.record(evidence)
        if verdict.indication is not Indication.TOTAL_PASSED:
            raise NotGenuine(verdict)
        return verdict


def _layout(application: ApplicationSpec, file: str) -> LayoutSpec:
    layout = application.layout_of(file)
    if layout is None:
        raise UsageError("the inner form of this is unknown", operation="prove a record")
    return layout


def _digest(application: ApplicationSpec, plan: ProofPlan, signed: Record, data: bytes | None) -> Check:
    """Whether the record that was read is the one whose digest was signed (card.md §2.1 says what it covers)."""
    if plan.digest is None or data is None:
        return Check.not_checked(CheckId.RECORD_DIGEST)
    try:
        record = decode(_layout(application, plan.file), data)
    except DecodeError:
        return Check.failed("record_digest.mismatch")
    covered = digest_input(record, part=plan.digest.part, after=plan.digest.after)
    found = hashlib.new(plan.digest.algorithm, covered).digest()
    if not hmac.compare_digest(found, signed.octets(plan.digest.field)):
        return Check.failed("record_digest.mismatch")
    return Check.passed(CheckId.RECORD_DIGEST)


def _answer(key: PublicKey, evidence: RecordEvidence) -> Check:
    """Whether the card signed the digest of this challenge, as a DigestInfo (card.md §2.8)."""
    if evidence.answer is None or len(evidence.challenge) < LEAST_CHALLENGE_BYTES:
        return Check.failed("card_response.absent")
    outcome = verify_digests(key, evidence.answer, hashlib.sha256(evidence.challenge).digest())
    return Check.passed(CheckId.CARD_RESPONSE) if outcome is Outcome.VALID else Check.failed("card_response.wrong")


def _unsigned(application: ApplicationSpec, plan: ProofPlan) -> bool:
    """Whether the record that was read has fields that no signature covers (expiry and security code of the face)."""
    if plan.digest is not None:
        return False
    covered = {name for group in plan.record.covers for name in group}
    return any(
        field.name and field.label_en and field.name not in covered for field in _layout(application, plan.file).walk()
    )
