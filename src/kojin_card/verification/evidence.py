"""What is kept of a verdict: a record that holds no more than its purpose needs, and can be judged again.

Two profiles. ``minimal`` (the default) holds ids, digests, times and methods: no document, no certificate, no item, no
name that a file carries. ``hanshuho`` holds the document and the signer's certificate too, for whoever has to keep them
(犯罪収益移転防止法; docs/bank.md). The clock and the retention are the caller's: nothing here deletes anything. What is
kept of the verdict has the certificate's serial number, for it is what a later question about it needs (現況確認), and
never its end of validity, which is the holder's birthday (jpki.md §1.1, §6 A-40).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn, Self

from kojin_card.errors import DecodeError, InputError, UsageError
from kojin_card.pki.files import to_der
from kojin_card.pki.profile import Purpose, load_profiles
from kojin_card.secret import Secret
from kojin_card.verdict import CheckId, CheckState, Indication, SubIndication, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kojin_card.verdict import Check, Verdict
    from kojin_card.verification.verifier import Verifier

SCHEMA = "kojin-card/evidence/1.0"
#: base64 of the largest document that is judged, with what stands around it
MAX_RECORD_BYTES = 384 * 1024 * 1024
MAX_PARTS_DEPTH = 4

#: first of a verdict, or of a time-stamp's; then of a check
_IDS_DIGESTS_TIMES_METHODS = """
accuracy_seconds anchor asserted_by certificate_profile certificate_serial challenge_issued_at
claimed_signing_time content_sha256 document_sha256 document_timestamps end engine existed_at
gen_time imprint_digest issuer_key_id policy_sha256 references revocation_source token_serial token_sha256
tsa_anchor_sha256 tsa_certificate_sha256 tsa_policy tsa_trust unsigned_properties validation_data

algorithm at basis binding bytes certificate_signature content covers digest earlier_than form found grace_seconds
identifier imprint issued_for key known_as later later_than length list_before_proof matching method next_update number
policy profile reason reference revocation_reason revoked_at revoked_later_at scope sha256 shown signature signatures
signers source store this_update unsigned_attachments unsigned_count wanted within
"""
#: evidence that a minimal record keeps: ids, digests, times and names of methods, none of them a text of the document's
KEPT = frozenset(_IDS_DIGESTS_TIMES_METHODS.split())
#: evidence that it leaves out: texts that whoever made the document or the request chose, or that a parser repeats
LEFT_OUT = frozenset(
    {
        "alg",
        "audience",
        "content_type",
        "detail",
        "field",
        "purpose",
        "sub_filter",
        "token_content_type",
        "unsigned",
        "unsigned_attributes",
        "what",
    }
)

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SIGNATURES = ("cms", "pdf", "raw", "xml")
#: those beside which time-stamps may stand
_STAMPED = ("cms", "pdf", "raw")


class EvidenceProfile(StrEnum):
    """How much is kept."""

    MINIMAL = "minimal"
    HANSHUHO = "hanshuho"


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """What is kept of one judgement.

    Attributes:
        recorded_at: the caller's clock when the record was made, UTC.
        verdict: the verdict as JSON has it, without words and without holder; of a minimal record only what
            :data:`KEPT` names.
        sha256: of the file that was judged (for a detached or bare signature that of the signature).
        document, content, certificates, timestamps, attachments: the bytes; personal data, and only in a ``hanshuho``
            record. ``content`` is what was signed, ``timestamps`` are the tokens, ``attachments`` the files by the
            names that signed XML has for them, where they stood beside the signature.
    """

    profile: EvidenceProfile
    recorded_at: datetime
    verdict: Mapping[str, Any]
    sha256: str
    document: bytes | None = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)
    certificates: tuple[bytes, ...] = field(default=(), repr=False)
    timestamps: tuple[bytes, ...] = field(default=(), repr=False)
    attachments: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        verdict: Verdict,
        *,
        document: bytes,
        recorded_at: datetime,
        profile: EvidenceProfile = EvidenceProfile.MINIMAL,
        content: bytes | None = None,
        certificate: bytes | None = None,
        timestamps: Iterable[bytes] = (),
        attachments: Mapping[str, bytes] | None = None,
    ) -> Self:
        """The record of a verdict.

        Args:
            document: the file that was judged; a minimal record keeps its digest only.
            recorded_at: the caller's clock.
            content: what was signed, where it stood beside the signature.
            certificate: the signer's, DER or PEM, where the verdict holds none; a verifier made with
                ``keep_certificates=True`` puts it there.
            timestamps: time-stamp tokens that came beside the signature.
            attachments: files that signed XML refers to, by name, where they came beside it.

        Raises:
            UsageError: a profile that there is not; a time without zone; document or content is not what was judged;
                for ``hanshuho`` a verdict on something else than a signature over a document, a certificate that is
                missing or another one, or time-stamps beside XML.
        """
        if profile not in list(EvidenceProfile):
            raise UsageError("no such profile of evidence", operation="keep evidence")
        profile = EvidenceProfile(profile)  # as text it would be neither, and everything would be kept
        if recorded_at.utcoffset() is None:
            raise UsageError("the time of a record needs its zone", operation="keep evidence")
        recorded_at = recorded_at.astimezone(UTC).replace(microsecond=0)
        document, content = bytes(document), None if content is None else bytes(content)
        said = verdict.evidence.get("document_sha256")
        kind = verdict.subject
        if kind in _SIGNATURES and said is not None and said not in _digests(document, content):
            raise UsageError("the document is not the one that was judged", operation="keep evidence")
        digest = hashlib.sha256(document).hexdigest()
        if profile is EvidenceProfile.MINIMAL:
            return cls(profile, recorded_at, _verdict(verdict, KEPT), digest)
        if kind not in _SIGNATURES:
            raise UsageError("only a signature over a document is kept like this", operation="keep evidence")
        given = () if certificate is None else (_certificate(certificate),)
        kept = _certificates(verdict, given)
        tokens = tuple(bytes(token) for token in timestamps)
        if tokens and kind not in _STAMPED:
            raise UsageError("no time-stamp stands beside signed XML", operation="keep evidence")
        files = {name: bytes(data) for name, data in (attachments or {}).items()}
        return cls(profile, recorded_at, _verdict(verdict, None), digest, document, content, kept, tokens, files)

    @property
    def name(self) -> str:
        """A name for its file: the digest of what was judged and the time, so that a later record replaces none."""
        return f"{self.sha256}-{self.recorded_at:%Y%m%dT%H%M%SZ}.json"

    def to_json(self) -> bytes:
        """The record as a file, UTF-8."""
        value: dict[str, Any] = {
            "schema": SCHEMA,
            "profile": str(self.profile),
            "recorded_at": _time(self.recorded_at),
            "sha256": self.sha256,
            "verdict": self.verdict,
        }
        if self.document is not None:
            value["document"] = _kept(self.document)
            value["content"] = None if self.content is None else _kept(self.content)
            value["certificates"] = [_kept(one) for one in self.certificates]
            value["timestamps"] = [_kept(one) for one in self.timestamps]
            value["attachments"] = {name: _kept(data) for name, data in self.attachments.items()}
        return json.dumps(value, ensure_ascii=True, indent=1).encode("ascii") + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """A record out of its file.

        Raises:
            DecodeError: not a record of this version, or a digest that does not fit what is kept.
        """
        if len(data) > MAX_RECORD_BYTES:
            raise DecodeError("a record that is too large", operation="read evidence")
        found: object = None
        try:
            found = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise DecodeError("not a record of evidence", operation="read evidence") from None
        value = _mapping(found)
        names = {"schema", "profile", "recorded_at", "sha256", "verdict"}
        more = {"document", "content", "certificates", "timestamps", "attachments"}
        if value.get("schema") != SCHEMA or value.get("profile") not in list(EvidenceProfile):
            raise DecodeError("not a record of this version", operation="read evidence")
        profile = EvidenceProfile(value["profile"])
        whole = names | more if profile is EvidenceProfile.HANSHUHO else names
        if value.keys() != whole:
            raise DecodeError("a record with other fields than its profile has", operation="read evidence")
        _check_verdict(value["verdict"], 0)
        recorded_at, sha256 = _moment(value["recorded_at"]), _text(value["sha256"])
        if not _DIGEST.fullmatch(sha256):  # files are named by it
            raise DecodeError("not a digest", operation="read evidence")
        if profile is EvidenceProfile.MINIMAL:
            return cls(profile, recorded_at, value["verdict"], sha256)
        document = _taken(value["document"])
        if hashlib.sha256(document).hexdigest() != sha256:
            raise DecodeError("a digest that does not fit what is kept", operation="read evidence")
        content = None if value["content"] is None else _taken(value["content"])
        certificates, tokens = (tuple(map(_taken, _list(value[name]))) for name in ("certificates", "timestamps"))
        if tokens and value["verdict"]["subject"] not in _STAMPED:
            raise DecodeError("a time-stamp beside what has none", operation="read evidence")
        files = {name: _taken(data) for name, data in _mapping(value["attachments"]).items()}
        return cls(profile, recorded_at, value["verdict"], sha256, document, content, certificates, tokens, files)


@dataclass(frozen=True, slots=True)
class Reverified:
    """A record that was judged again. It has no truth value: look at ``differences``.

    Attributes:
        verdict: today's.
        same_policy: whether the same rules and anchors judged; None when one of the two does not say.
        differences: where the two verdicts differ: ``indication``, ``sub_indication``, ``checks.revocation``,
            ``parts.1.checks.signature`` ...; empty when they say the same.
    """

    verdict: Verdict
    same_policy: bool | None
    differences: tuple[str, ...]

    def __bool__(self) -> NoReturn:
        raise TypeError("this has no truth value: compare .differences and .verdict.indication")


def reverify(record: EvidenceRecord, verifier: Verifier, *, signed_only: bool = False) -> Reverified:
    """Judge what a record keeps again, for the time for which it was judged.

    What was judged for *now* is judged as received then: that it was here then is what the record says. So the
    verifier's source of revocation needs the lists that were used (``revocation_source`` names them), or later ones.

    Args:
        signed_only: XML was judged so (:meth:`.Verifier.verify_xml`). The caller says it again: from the record alone
            nobody could tell it from a coverage that was written over.

    Raises:
        UsageError: a minimal record keeps nothing to judge; no such kind of document can be judged here.
    """
    document, operation = record.document, "judge evidence again"
    if document is None:
        raise UsageError("a minimal record keeps nothing that could be judged again", operation=operation)
    basis, time = record.verdict["time_basis"], _moment(record.verdict["time"])
    times: dict[str, Any] = {"received_at": record.recorded_at if basis == TimeBasis.TIMESTAMP else time}
    if basis == TimeBasis.ASSERTED:
        times = {"at": time}
    if record.timestamps:
        times["timestamps"] = record.timestamps
    content = record.content
    judges: dict[str, Callable[[], Verdict]] = {
        "cms": lambda: verifier.verify_cms(document, content, **times),
        "pdf": lambda: verifier.verify_pdf(document, **times),
        "xml": lambda: verifier.verify_xml(document, record.attachments, signed_only=signed_only, **times),
        "raw": lambda: verifier.verify_raw(document, *_beside(record), purpose=_purpose(record.verdict), **times),
    }
    judge = judges.get(record.verdict["subject"])
    if judge is None:
        raise UsageError("this kind of document is not judged again", operation=operation)
    verdict = judge()
    then, now = (one["evidence"].get("policy_sha256") for one in (record.verdict, _verdict(verdict, None)))
    same = None if then is None or now is None else then == now
    return Reverified(verdict, same, tuple(_differences(record.verdict, _verdict(verdict, None))))


def _beside(record: EvidenceRecord) -> tuple[bytes, bytes]:
    """Content and certificate of a bare signature; without a certificate nothing that could be one."""
    return record.content or b"", record.certificates[0] if record.certificates else b""


def _purpose(verdict: Mapping[str, Any]) -> Purpose:
    """What the profile that judged is for."""
    judged = verdict["evidence"].get("certificate_profile")
    return next((one.purpose for one in load_profiles().profiles if one.id == judged), Purpose.SIGNATURE)


def _differences(then: Mapping[str, Any], now: Mapping[str, Any], where: str = "") -> Iterator[str]:
    for name in ("indication", "sub_indication"):
        if then[name] != now[name]:
            yield f"{where}{name}"
    before, after = ({one["id"]: (one["state"], one["reason"]) for one in verdict["checks"]} for verdict in (then, now))
    for check in sorted(before.keys() | after.keys()):
        if before.get(check) != after.get(check):
            yield f"{where}checks.{check}"
    if len(then["parts"]) != len(now["parts"]):
        yield f"{where}parts"
        return
    for number, (old, new) in enumerate(zip(then["parts"], now["parts"], strict=True), 1):
        yield from _differences(old, new, f"{where}parts.{number}.")


# --- a verdict in a record --------------------------------------------------------------------------------------------


def _verdict(verdict: Verdict, keep: frozenset[str] | None) -> dict[str, Any]:
    """A verdict without words and holder; ``keep``: only this evidence."""
    return {
        "subject": verdict.subject,
        "indication": str(verdict.indication),
        "sub_indication": None if verdict.sub_indication is None else str(verdict.sub_indication),
        "store": verdict.store,
        "time": _time(verdict.time),
        "time_basis": str(verdict.time_basis),
        "checks": [_check(check, keep) for check in verdict.checks],
        "evidence": _chosen(verdict.evidence, keep),
        "parts": [_verdict(part, keep) for part in verdict.parts],
        "timestamps": [_verdict(token, keep) for token in verdict.timestamps],
    }


def _check(check: Check, keep: frozenset[str] | None) -> dict[str, Any]:
    evidence = _chosen(check.evidence, keep)
    return {"id": str(check.id), "state": str(check.state), "reason": check.reason, "evidence": evidence}


def _chosen(evidence: Mapping[str, str], keep: frozenset[str] | None) -> dict[str, str]:
    return {name: value for name, value in evidence.items() if keep is None or name in keep}


def _check_verdict(value: object, depth: int) -> None:
    """Raise DecodeError unless ``value`` is what :func:`_verdict` gives."""
    found = _mapping(value)
    names = {"subject", "indication", "sub_indication", "store", "time", "time_basis", "checks", "evidence", "parts"}
    if depth > MAX_PARTS_DEPTH or found.keys() != names | {"timestamps"}:
        raise DecodeError("a verdict of another form", operation="read evidence")
    _text(found["subject"])
    _text(found["store"])
    _moment(found["time"])
    _one_of(found["indication"], Indication)
    _one_of(found["time_basis"], TimeBasis)
    if found["sub_indication"] is not None:
        _one_of(found["sub_indication"], SubIndication)
    _check_evidence(found["evidence"])
    for check in map(_mapping, _list(found["checks"])):
        if check.keys() != {"id", "state", "reason", "evidence"}:
            raise DecodeError("a check of another form", operation="read evidence")
        _one_of(check["id"], CheckId)
        _one_of(check["state"], CheckState)
        if check["reason"] is not None:
            _text(check["reason"])
        _check_evidence(check["evidence"])
    for inner in (*_list(found["parts"]), *_list(found["timestamps"])):
        _check_verdict(inner, depth + 1)


def _check_evidence(value: object) -> None:
    for text in _mapping(value).values():
        _text(text)


# --- certificates and digests -----------------------------------------------------------------------------------------


def _digests(document: bytes, content: bytes | None) -> Iterator[str]:
    """What a verdict may call ``document_sha256``: the content beside, or the file, out of its PEM where it is one."""
    if content is not None:
        yield hashlib.sha256(content).hexdigest()
        return
    yield hashlib.sha256(document).hexdigest()
    for label in ("CMS", "PKCS7"):
        try:
            yield hashlib.sha256(to_der(document, label)).hexdigest()
        except InputError:
            continue


def _certificate(given: bytes) -> bytes:
    try:
        return to_der(bytes(given), "CERTIFICATE")
    except InputError as bad:
        raise UsageError(bad.message, operation="keep evidence") from bad


def _certificates(verdict: Verdict, given: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Every certificate that the verdict rests on, once.

    Raises:
        UsageError: one is missing, or there is another than was judged.
    """
    held = {hashlib.sha256(one).hexdigest(): one for one in (*given, *_held(verdict))}
    wanted = dict.fromkeys(_fingerprints(verdict))
    if missing := [one for one in wanted if one not in held]:
        words = "the signer's certificate is wanted: use a verifier that keeps certificates"
        raise UsageError(words, operation="keep evidence", missing=len(missing))
    if held.keys() - wanted and wanted:
        raise UsageError("a certificate that was not judged", operation="keep evidence")
    return tuple(held[one] for one in wanted)


def _held(verdict: Verdict) -> Iterator[bytes]:
    if isinstance(verdict.certificate, Secret):
        yield verdict.certificate.reveal()
    for part in verdict.parts:
        yield from _held(part)


def _fingerprints(verdict: Verdict) -> Iterator[str]:
    check = verdict.check(CheckId.CERTIFICATE)
    if check.state is CheckState.PASSED and "sha256" in check.evidence:
        yield check.evidence["sha256"]
    for part in verdict.parts:
        yield from _fingerprints(part)


# --- JSON -------------------------------------------------------------------------------------------------------------


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _moment(value: object) -> datetime:
    moment: datetime | None = None
    with contextlib.suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(_text(value))
        moment = None if found.utcoffset() is None else found.astimezone(UTC)
    if moment is None:
        raise DecodeError("not a time with its zone", operation="read evidence")
    return moment


def _kept(data: bytes) -> dict[str, str]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "base64": base64.b64encode(data).decode("ascii")}


def _taken(value: object) -> bytes:
    """The bytes that are kept.

    Raises:
        DecodeError: not base64, or another digest.
    """
    found = _mapping(value)
    data: bytes | None = None
    try:
        data = base64.b64decode(_text(found.get("base64")), validate=True)
    except (binascii.Error, ValueError):
        data = None
    if data is None or found.keys() != {"sha256", "base64"} or hashlib.sha256(data).hexdigest() != found["sha256"]:
        raise DecodeError("a digest that does not fit what is kept", operation="read evidence")
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name that stands twice")
    return found


def _refuse(_: str) -> NoReturn:
    raise ValueError("no number")


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DecodeError("not a record of evidence", operation="read evidence")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise DecodeError("not a record of evidence", operation="read evidence")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise DecodeError("not a record of evidence", operation="read evidence")
    return value


def _one_of(value: object, kind: type[StrEnum]) -> None:
    if value not in list(kind):
        raise DecodeError("a word that no verdict has", operation="read evidence")
