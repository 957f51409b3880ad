"""Time-stamps (タイムスタンプ, RFC 3161, RFC 5816): proof that a signature existed at a time, by who is trusted for it.

A token counts only when everything about it is right; one that does not count changes nothing, and its own verdict
says why. Several: the earliest that counts. The proven time is genTime and its accuracy on top, so never too early.

Tokens are judged as of now, not as of their own time (EN 319 102-1 §5.4): whoever got hold of the key of a TSA whose
certificate has ended, or was revoked, could date a token back.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, InputError
from kojin_card.pki import der
from kojin_card.pki.algorithms import DIGESTS, SIGNATURES, WEAK_DIGESTS, algorithm_identifier, digest_label
from kojin_card.pki.certificate import Certificate, read_extensions
from kojin_card.pki.files import to_der
from kojin_card.pki.tsa import ALGORITHMS, TsaPath, names_a_tsa, understood, usable_key, valid, verifies
from kojin_card.verdict import Check, CheckId, CheckState, Indication, TimeBasis
from kojin_card.verification.engine import CLOCK_SKEW, Moment
from kojin_card.verification.signed_data import (
    CONTENT_TYPE,
    MESSAGE_DIGEST,
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    SignedData,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kojin_card.verdict import Verdict
    from kojin_card.verification.engine import Task
    from kojin_card.verification.signed_data import SignerInfo

MAX_TOKEN_BYTES = 256 * 1024
MAX_TOKENS = 16
MAX_SERIAL_BYTES = 20
TST_INFO = "1.2.840.113549.1.9.16.1.4"
#: what a verdict on a token is called, and what it rests on: not on the trust store
SUBJECT, STORE = "timestamp", "given-tsa"

_TIME = re.compile(rb"(\d{14})(?:\.(\d{0,8}[1-9]))?Z")
_ACCEPTED = frozenset({"sha256", "sha384", "sha512"})
_REQUIRED = frozenset(
    {
        CheckId.FORMAT,
        CheckId.CERTIFICATE,
        CheckId.DIGEST,
        CheckId.SIGNATURE,
        CheckId.ALGORITHMS,
        CheckId.CHAIN,
        CheckId.KEY_USAGE,
        CheckId.VALIDITY,
        CheckId.REVOCATION,
        CheckId.TIME,
        CheckId.IMPRINT,
    }
)


@dataclass(frozen=True, slots=True)
class TstInfo:
    """What a token says (RFC 3161 §2.4.2). ``nonce`` and ``tsa`` are read past: the signer's certificate is bound.

    Attributes:
        stamped: genTime.
        proven: genTime and its accuracy: the thing existed then at the latest.
    """

    policy: str
    algorithm: str
    imprint: bytes = field(repr=False)
    serial: int
    stamped: datetime
    proven: datetime

    @classmethod
    def parse(cls, data: bytes) -> TstInfo:
        """Read one, strictly.

        Raises:
            DerError: anything but DER of version 1; a serial of more than 20 octets; a time out of range; an accuracy
                that is none; a critical extension.
        """
        der.check(data)
        fields = der.Fields(der.single(data, der.SEQUENCE))
        if der.integer(fields.next(der.INTEGER)) != 1:
            raise der.DerError("a time-stamp of another version")
        policy = der.oid(fields.next(der.OID))
        imprint = der.Fields(fields.next(der.SEQUENCE))
        algorithm, hashed = algorithm_identifier(imprint.next(der.SEQUENCE), null=True), imprint.next(der.OCTET_STRING)
        imprint.done()
        number = fields.next(der.INTEGER)
        serial, stamped = der.integer(number), _generalized(fields.next(der.GENERALIZED_TIME))
        if serial < 0 or len(number.value) > MAX_SERIAL_BYTES + 1:
            raise der.DerError("an impossible serial number")
        accuracy = fields.optional(der.SEQUENCE)
        ordering = fields.optional(der.BOOLEAN)
        if ordering is not None and not der.boolean(ordering):
            raise der.DerError("a default value that is written out")
        fields.optional(der.INTEGER)
        fields.optional(0xA0)
        extensions = fields.optional(0xA1)
        fields.done()
        if extensions is not None:
            listed = read_extensions(der.Element(der.SEQUENCE, extensions.value, extensions.raw))
            if any(one.critical for one in listed):
                raise der.DerError("a time-stamp with an unknown critical extension")
        try:
            proven = stamped + (timedelta(0) if accuracy is None else _accuracy(accuracy))
        except OverflowError:
            raise der.DerError("a time out of range") from None
        return cls(policy, algorithm, hashed.value, serial, stamped, proven)


def _generalized(element: der.Element) -> datetime:
    """RFC 3161 §2.4.2: GeneralizedTime in UTC, a fraction of a second without trailing zeros. Cut to microseconds."""
    found = _TIME.fullmatch(element.value)
    moment: datetime | None = None
    if found is not None:
        digits, fraction = found[1].decode("ascii"), (found[2] or b"").decode("ascii")
        with contextlib.suppress(ValueError):
            moment = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        if moment is not None and fraction:
            moment = moment.replace(microsecond=int(fraction.ljust(6, "0")[:6]))
    if moment is None:
        raise der.DerError("not the time of a time-stamp")
    return moment


def _accuracy(element: der.Element) -> timedelta:
    fields = der.Fields(element)
    seconds, millis, micros = fields.optional(der.INTEGER), fields.optional(0x80), fields.optional(0x81)
    fields.done()
    small = [
        0 if one is None else der.integer(der.Element(der.INTEGER, one.value, one.raw)) for one in (millis, micros)
    ]
    whole = 0 if seconds is None else der.integer(seconds)
    given = [one for one, there in zip(small, (millis, micros), strict=True) if there is not None]
    if whole < 0 or any(not 1 <= one <= 999 for one in given):
        raise der.DerError("an accuracy that is none")
    return timedelta(seconds=whole, milliseconds=small[0], microseconds=small[1])


# --- what they prove --------------------------------------------------------------------------------------------------


def with_proof(task: Task, tokens: Iterable[bytes], stamped: bytes) -> tuple[Task, tuple[Verdict, ...]]:
    """Judge tokens over ``stamped`` (a signature's value); the task for the earliest time that they prove.

    Tokens that were given along with the task count too. Without a proof earlier than the task's own time it stays.

    Returns:
        the task to judge the signature by, and a verdict for each token.
    """
    judged = [judge(task, token, stamped) for token in list(dict.fromkeys((*task.tokens, *tokens)))[:MAX_TOKENS]]
    proofs = [proven for _, proven in judged if proven is not None]
    moment = task.moment
    if proofs and (earliest := min(proofs)) <= moment.at:
        task = replace(task, moment=Moment(earliest, TimeBasis.TIMESTAMP, moment.now))
    return task, tuple(verdict for verdict, _ in judged)


def judge(task: Task, token: bytes, stamped: bytes) -> tuple[Verdict, datetime | None]:
    """The verdict on one token, and the time that it proves: None unless the verdict is TOTAL_PASSED."""
    present = replace(task, moment=Moment(task.moment.now, TimeBasis.NOW, task.moment.now), disclose=False)
    evidence = {"token_sha256": hashlib.sha256(token).hexdigest()}
    checks: list[Check] = []
    info: TstInfo | None = None
    path: TsaPath | None = None
    try:
        signed = _read(token)
        evidence["token_content_type"] = signed.content_type
        if signed.content_type != TST_INFO or signed.content is None or len(signed.signers) != 1:
            checks = [Check.failed("format.unsupported", what="not exactly one signer over a TSTInfo")]
        else:
            info = TstInfo.parse(signed.content)
            evidence |= _about(info)
            checks, path = _checks(present, signed, signed.content, info, stamped)
    except DecodeError as bad:
        checks, info = [Check.failed("format.malformed", what=bad.message)], None
    direct = path is not None and path.direct
    if path is not None:
        evidence["tsa_certificate_sha256"] = path.certificates[0].sha256
        evidence["tsa_anchor_sha256"] = path.certificates[-1].sha256
        evidence["tsa_trust"] = "given itself" if direct else "issued by an anchor"
    required = _REQUIRED - {CheckId.REVOCATION} if direct else _REQUIRED
    verdict = replace(present.verdict(SUBJECT, checks, required, evidence=evidence), store=STORE)
    if info is None or verdict.indication is not Indication.TOTAL_PASSED:
        return verdict, None
    proven = min(info.proven, present.moment.now)
    return replace(verdict, evidence={**verdict.evidence, "existed_at": _iso(proven)}), proven


def _read(token: bytes) -> SignedData:
    if len(token) > MAX_TOKEN_BYTES:
        raise der.DerError("a time-stamp that is too large")
    for label in ("PKCS7", "CMS"):
        with contextlib.suppress(InputError):
            token = to_der(token, label, limit=MAX_TOKEN_BYTES)
            break
    return SignedData.parse(_unwrapped(token))


def _unwrapped(data: bytes) -> bytes:
    """The token of a TimeStampResp (RFC 3161 §2.4.2), which is what authorities send; anything else as it is."""
    with contextlib.suppress(der.DerError):
        parts = der.children(der.single(data, der.SEQUENCE))
        if [part.tag for part in parts] == [der.SEQUENCE, der.SEQUENCE]:  # a token begins with an object identifier
            return parts[1].raw
    return data


def _about(info: TstInfo) -> dict[str, str]:
    return {
        "gen_time": _iso(info.stamped),
        "accuracy_seconds": f"{(info.proven - info.stamped).total_seconds():g}",
        "tsa_policy": info.policy,
        "token_serial": f"{info.serial:X}",
        "imprint_digest": DIGESTS.get(info.algorithm, info.algorithm),
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _checks(
    task: Task, signed: SignedData, content: bytes, info: TstInfo, stamped: bytes
) -> tuple[list[Check], TsaPath | None]:
    """Everything but the frame. What rests on a trusted issuer is not looked at without one."""
    signer, now = signed.signers[0], task.moment.now
    digest = DIGESTS.get(signer.digest_algorithm, "")
    checks = [_format(signer), _imprint(info, stamped)]
    named, certificate, offered = _certificate(signed, signer)
    checks.append(named)
    algorithms = _algorithms(signed, signer, info, certificate)
    checks.append(algorithms)
    late = info.stamped - now > CLOCK_SKEW
    checks.append(Check.failed("time.contradicted", later_than="now") if late else task.moment.check())
    if algorithms.state is not CheckState.PASSED or signer.signed_attributes is None:
        return checks, None
    said = der.single(signer.attributes[MESSAGE_DIGEST], der.OCTET_STRING).value
    same = said == hashlib.new(digest, content).digest()
    checks.append(
        Check.passed(CheckId.DIGEST, algorithm=digest_label(digest)) if same else Check.failed("digest.mismatch")
    )
    if certificate is None:
        return checks, None
    made = verifies(
        certificate.spki, signer.signature_algorithm, signer.signature, signer.signed_attributes, digest=digest
    )
    checks.append(Check.passed(CheckId.SIGNATURE) if made else Check.failed("signature.invalid"))
    if task.tsa is None or not task.tsa.anchors:
        return [*checks, Check.failed("chain.empty_store")], None
    moments = (info.stamped, info.proven, now)
    path = task.tsa.path(certificate, offered, moments)
    if path is None:
        return [*checks, Check.failed("chain.no_issuer")], None
    checks.append(Check.passed(CheckId.CHAIN, length=str(len(path.certificates))))
    fit = names_a_tsa(certificate) and understood(certificate)
    checks.append(Check.passed(CheckId.KEY_USAGE) if fit else Check.failed("key_usage.wrong"))
    checks.append(_validity(path, info, now))
    revocation = task.tsa.revocation(path, info.proven, now)
    return [*checks, *([] if revocation is None else [revocation])], path


def _format(signer: SignerInfo) -> Check:
    """RFC 3161 §2.4.2: signed attributes, which name the content and bind the TSA's certificate."""
    said = signer.attributes.get(CONTENT_TYPE)
    if said is None or der.oid(der.single(said)) != TST_INFO:
        return Check.failed("format.malformed", what="contentType is not that of a time-stamp")
    if not {SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2} & signer.attributes.keys():
        return Check.failed("format.malformed", what="nothing binds the certificate of the TSA")
    return Check.passed(CheckId.FORMAT)


def _imprint(info: TstInfo, stamped: bytes) -> Check:
    name = DIGESTS.get(info.algorithm, "")
    if name not in _ACCEPTED:
        return Check.not_checked(CheckId.IMPRINT)  # the check of the algorithms says why
    if hashlib.new(name, stamped).digest() != info.imprint:
        return Check.failed("imprint.mismatch")
    return Check.passed(CheckId.IMPRINT, algorithm=digest_label(name))


def _certificate(signed: SignedData, signer: SignerInfo) -> tuple[Check, Certificate | None, tuple[Certificate, ...]]:
    """The one certificate that the signer names and binds; the others may be CAs between it and an anchor."""
    offered: list[Certificate] = []
    for data in signed.certificates:
        with contextlib.suppress(DecodeError):  # one that cannot be read is of no use, and does no harm
            offered.append(Certificate.parse(data))
    matching = [one for one in offered if signer.matches(one)]
    if len(matching) != 1:
        reason = "certificate.ambiguous" if matching else "certificate.missing"
        return Check.failed(reason), None, ()
    if not signer.bound_to(matching[0]):
        return Check.failed("certificate.mismatch"), None, ()
    others = tuple(one for one in offered if one is not matching[0])
    return Check.passed(CheckId.CERTIFICATE, sha256=matching[0].sha256), matching[0], others


def _algorithms(signed: SignedData, signer: SignerInfo, info: TstInfo, certificate: Certificate | None) -> Check:
    """Imprint, digest and signature by SHA-256, SHA-384 or SHA-512; one digest for the whole signature; a fit key."""
    digest, imprint = DIGESTS.get(signer.digest_algorithm), DIGESTS.get(info.algorithm)
    named = SIGNATURES.get(signer.signature_algorithm)
    evidence = {"digest": digest or signer.digest_algorithm, "imprint": imprint or info.algorithm}
    if {digest, imprint, named.hash if named else None} & WEAK_DIGESTS:
        return Check.failed("algorithms.weak", **evidence)
    known = ALGORITHMS.get(signer.signature_algorithm)
    if digest not in _ACCEPTED or imprint not in _ACCEPTED or known is None:
        return Check.failed("algorithms.unknown", **evidence)
    listed = signer.digest_algorithm in signed.digest_algorithms
    if known[1] not in (None, digest) or not listed or not signer.protected():
        return Check.failed("algorithms.disagree", **evidence)
    if certificate is not None and usable_key(certificate.spki) is None:
        return Check.failed("algorithms.weak", **evidence)
    return Check.passed(CheckId.ALGORITHMS, **evidence)


def _validity(path: TsaPath, info: TstInfo, now: datetime) -> Check:
    leaf, *above = path.certificates
    if any(info.stamped < one.not_before for one in path.certificates):
        return Check.failed("validity.not_yet")
    if not valid(leaf, (info.stamped,)):
        return Check.failed("validity.expired_before_signing")
    if not valid(leaf, (now,)):
        return Check.failed("validity.expired")
    if not all(valid(one, (info.stamped, now)) for one in above):
        return Check.failed("validity.issuer_expired")
    return Check.passed(CheckId.VALIDITY)
