"""What is kept of a verdict: no more than the profile says, and enough to judge it again."""

from __future__ import annotations

import base64
import copy
import dataclasses
import hashlib
import json
import pickle
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from attacks import test_timestamps as stamping
from attacks import tsa
from attacks.forge import NOW, Cms, Pdf, attributes, certificate, key, sign, tlv, verifier
from kojin_card.errors import DecodeError, UsageError
from kojin_card.pki.certificate import Certificate
from kojin_card.secret import Secret
from kojin_card.signing import XmlForm, sign_xml
from kojin_card.testing.verdicts import DOCUMENTS_NOW, VerdictDocument, verdict_document, verdict_documents
from kojin_card.verdict import Indication, TimeBasis, Verdict
from kojin_card.verification import EvidenceProfile, EvidenceRecord, Holder, Verifier, reverify
from kojin_card.verification.evidence import KEPT, LEFT_OUT, MAX_PARTS_DEPTH
from signers import make_signer

SIGNED = [document.id for document in verdict_documents() if document.kind in ("cms", "pdf", "raw", "xml")]
MINUTE = timedelta(minutes=1)


def keeping(document: VerdictDocument) -> Verifier:
    return dataclasses.replace(document.verifier(), keep_certificates=True)


def record_of(document: VerdictDocument, /, **options: Any) -> EvidenceRecord:
    wanted = {"document": document.data, "content": document.content, "recorded_at": document.now, **options}
    return EvidenceRecord.of(document.judge(keeping(document)), **wanted)


def texts(value: Any) -> Iterator[str]:
    """Every text of a JSON value, names too."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    else:
        yield str(value)


def evidence_names(verdict: Verdict) -> set[str]:
    own = set(verdict.evidence).union(*(check.evidence for check in verdict.checks))
    return own.union(*(evidence_names(part) for part in (*verdict.parts, *verdict.timestamps)))


# --- minimal ----------------------------------------------------------------------------------------------------------


def test_somebody_decided_of_every_evidence_whether_a_minimal_record_keeps_it() -> None:
    """A name that is new must be put into KEPT (an id, digest, time or method) or LEFT_OUT (somebody's text)."""
    assert not KEPT & LEFT_OUT
    found = set[str]().union(*(evidence_names(document.judge()) for document in verdict_documents()))
    found |= evidence_names(stamping.judge().verify_cms(stamping.message(stamping.good())))
    assert found <= KEPT | LEFT_OUT


@pytest.mark.parametrize("id", [document.id for document in verdict_documents()])
def test_a_minimal_record_holds_no_personal_data_and_no_text_of_the_document(id: str) -> None:
    document = verdict_document(id)
    value = json.loads(record_of(document).to_json())
    assert value.keys() == {"schema", "profile", "recorded_at", "sha256", "verdict"}
    assert value["sha256"] == hashlib.sha256(document.data).hexdigest()
    assert not {"field", "what", "purpose", "audience", "holder"} & set(texts(value))
    said = "\n".join(texts(value))
    certificate = Certificate.parse(verdict_document("passed.raw").certificate or b"")
    holder = Holder.of(certificate)
    assert holder is not None
    not_after = certificate.not_after
    for planted in (holder.name, holder.address, holder.birth_date_text, "Sig1", not_after.strftime("%Y-%m-%d")):
        assert planted not in said
    assert len(said) < 8_000


def test_a_minimal_record_says_what_was_judged_by_whom_and_how() -> None:
    document = verdict_document("passed.pdf")
    verdict = document.judge()
    value = json.loads(record_of(document).to_json())
    kept = value["verdict"]
    assert (kept["indication"], kept["store"], kept["time_basis"]) == ("TOTAL_PASSED", "simulator", "now")
    assert value["recorded_at"] == "2026-11-24T03:00:00Z"
    for name in ("document_sha256", "engine", "certificate_serial", "revocation_source", "issuer_key_id"):
        assert kept["evidence"][name] == verdict.evidence[name]
    assert [check["id"] for check in kept["checks"]] == [str(check.id) for check in verdict.checks]


def test_a_verifier_keeps_no_certificate_unless_it_is_to() -> None:
    document = verdict_document("passed.cms")
    assert document.judge().certificate is None
    verdict = document.judge(keeping(document))
    kept = verdict.certificate
    assert isinstance(kept, Secret)
    assert Certificate.parse(kept.reveal()).sha256 in repr(verdict)  # the fingerprint of its check, and no more
    assert "Secret" not in repr(verdict)
    for copies in (copy.deepcopy, pickle.dumps, dataclasses.asdict):
        with pytest.raises(TypeError):
            copies(verdict)


# --- hanshuho ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", SIGNED)
def test_what_is_kept_whole_is_judged_again_with_the_same_verdict(id: str) -> None:
    document = verdict_document(id)
    before = document.judge()
    record = EvidenceRecord.parse(record_of(document, profile=EvidenceProfile.HANSHUHO).to_json())
    assert record.document == document.data
    later = dataclasses.replace(document.verifier(), now=lambda: document.now + MINUTE)
    again = reverify(record, later)
    assert again.differences == ()
    assert again.verdict.reasons == before.reasons
    asserted = before.time_basis is TimeBasis.ASSERTED
    assert again.verdict.time_basis is (TimeBasis.ASSERTED if asserted else TimeBasis.RECEIVED)


def test_the_certificate_is_kept_once_and_whole() -> None:
    document = verdict_document("passed.pdf")
    record = record_of(document, profile=EvidenceProfile.HANSHUHO)
    (certificate,) = record.certificates
    holder = Holder.of(Certificate.parse(certificate))
    assert holder is not None
    assert holder.name not in repr(record)
    twice = record_of(verdict_document("passed.pdf.twice"), profile=EvidenceProfile.HANSHUHO)
    assert len(twice.certificates) == 2


def test_a_bare_signature_takes_the_certificate_that_the_caller_has() -> None:
    document = verdict_document("passed.raw")
    options: dict[str, Any] = {
        "document": document.data,
        "content": document.content,
        "recorded_at": document.now,
        "profile": EvidenceProfile.HANSHUHO,
    }
    with pytest.raises(UsageError, match="certificate is wanted"):
        EvidenceRecord.of(document.judge(), **options)
    record = EvidenceRecord.of(document.judge(), **options, certificate=document.certificate)
    assert reverify(record, document.verifier()).verdict.indication is Indication.TOTAL_PASSED
    stranger = verdict_document("passed.proof")
    other = base64.b64decode(json.loads(_payload(stranger.data))["x5c"][0])
    with pytest.raises(UsageError, match="certificate"):
        EvidenceRecord.of(document.judge(), **options, certificate=other)


def _payload(proof: bytes) -> bytes:
    head = proof.split(b".")[0]
    return base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4))


def test_what_was_not_judged_is_not_recorded() -> None:
    document = verdict_document("passed.pdf")
    with pytest.raises(UsageError, match="not the one that was judged"):
        record_of(document, document=document.data + b" ")
    with pytest.raises(UsageError, match="zone"):
        record_of(document, recorded_at=datetime(2026, 11, 24))  # noqa: DTZ001  # that is what is refused
    for id in ("passed.proof", "passed.certificate"):
        with pytest.raises(UsageError, match="only a signature"):
            record_of(verdict_document(id), profile=EvidenceProfile.HANSHUHO)


def test_a_message_in_pem_is_recorded_as_it_came() -> None:
    document = verdict_document("passed.cms")
    text = base64.encodebytes(document.data)
    pem = b"-----BEGIN CMS-----\n" + text + b"-----END CMS-----\n"
    verdict = keeping(document).verify_cms(pem)
    record = EvidenceRecord.of(verdict, document=pem, recorded_at=document.now, profile=EvidenceProfile.HANSHUHO)
    assert reverify(record, document.verifier()).differences == ()


def whole(verdict: Verdict, document: bytes, **beside: Any) -> EvidenceRecord:
    """A hanshuho record, out of its file."""
    record = EvidenceRecord.of(verdict, document=document, recorded_at=NOW, profile=EvidenceProfile.HANSHUHO, **beside)
    return EvidenceRecord.parse(record.to_json())


ATTACHED = {"添付 書類.txt": b"one", "b.xml": b"<b/>"}


def test_xml_is_kept_with_its_attachments_and_judged_again() -> None:
    frame = '<DataRoot><様式ID>1</様式ID><ApplData Id="ApplData"><金額>1</金額></ApplData><署名情報/></DataRoot>'
    made = sign_xml(make_signer(), frame.encode(), form=XmlForm.EGOV, attachments=ATTACHED)
    keeper = dataclasses.replace(verifier(now=NOW + 5 * MINUTE), keep_certificates=True)
    verdict = keeper.verify_xml(made, ATTACHED).require()
    record = whole(verdict, made, attachments=ATTACHED)
    later = verifier(now=NOW + timedelta(hours=2))
    again = reverify(record, later)
    assert (again.differences, again.same_policy) == ((), True)
    assert [one.octets for one in again.verdict.signed] == [one.octets for one in verdict.signed]
    changed = dataclasses.replace(record, attachments={**ATTACHED, "b.xml": b"<c/>"})
    assert "checks.digest" in reverify(changed, later).differences
    assert "checks.coverage" in reverify(dataclasses.replace(record, attachments={}), later).differences


def test_xml_of_which_only_the_signed_was_read_is_judged_again_the_same_way() -> None:
    document = verdict_document("coverage.partial")
    verdict = keeping(document).verify_xml(document.data, signed_only=True).require()
    record = EvidenceRecord.of(
        verdict, document=document.data, recorded_at=document.now, profile=EvidenceProfile.HANSHUHO
    )
    assert reverify(record, document.verifier(), signed_only=True).differences == ()
    assert "checks.coverage" in reverify(record, document.verifier()).differences


@pytest.mark.parametrize("kind", ["cms", "pdf", "raw"])
def test_time_stamps_beside_are_kept_and_judged_again(kind: str) -> None:
    """The certificate was revoked after the time-stamp, so the verdict rests on it alone."""
    keeper = dataclasses.replace(stamping.judge(), keep_certificates=True)
    content: bytes | None = None
    if kind == "cms":
        document, tokens = stamping.message(), [stamping.good()]
        verdict = keeper.verify_cms(document, timestamps=tokens)
    elif kind == "raw":
        content = stamping.CONTENT
        document = sign(key(), content)
        tokens = [tsa.Token(document).build()]
        verdict = keeper.verify_raw(document, content, certificate(), timestamps=tokens)
    else:
        value: list[bytes] = []

        def plain(data: bytes) -> bytes:
            value.append(sign(key(), tlv(0x31, b"".join(attributes(data)))))
            return Cms(content=data, attached=False).build()

        document = Pdf(cms=plain).build()
        tokens = [tsa.Token(value[-1]).build()]
        verdict = keeper.verify_pdf(document, timestamps=tokens)
    assert verdict.require().time_basis is TimeBasis.TIMESTAMP
    record = whole(verdict, document, content=content, timestamps=tokens)
    assert record.timestamps == tuple(tokens)
    later = stamping.judge(now=NOW + timedelta(hours=5))
    again = reverify(record, later)
    assert (again.differences, again.same_policy) == ((), True)
    assert (again.verdict.time, again.verdict.time_basis) == (verdict.time, TimeBasis.TIMESTAMP)
    assert "indication" in reverify(dataclasses.replace(record, timestamps=()), later).differences
    assert "indication" in reverify(record, dataclasses.replace(later, tsa=None)).differences


def test_no_time_stamp_stands_beside_signed_xml() -> None:
    document = verdict_document("passed.xml")
    with pytest.raises(UsageError, match="time-stamp"):
        record_of(document, profile=EvidenceProfile.HANSHUHO, timestamps=[b"x"])
    record = dataclasses.replace(record_of(document, profile=EvidenceProfile.HANSHUHO), timestamps=(b"x",))
    with pytest.raises(DecodeError):
        EvidenceRecord.parse(record.to_json())


def test_a_profile_in_words_keeps_no_more_than_its_name() -> None:
    """As text it equals the name and is not it."""
    document = verdict_document("passed.pdf")
    record = record_of(document, profile="minimal")
    assert (record.document, record.certificates) == (None, ())
    assert record.profile is EvidenceProfile.MINIMAL
    with pytest.raises(UsageError, match="profile"):
        record_of(document, profile="all")


def test_a_record_of_another_zone_is_named_in_utc_and_an_impossible_time_is_refused() -> None:
    value = json.loads(record_of(verdict_document("passed.pdf")).to_json())
    name = EvidenceRecord.parse(json.dumps(value).encode()).name
    value["recorded_at"] = "2026-11-24T12:00:00+09:00"
    assert EvidenceRecord.parse(json.dumps(value).encode()).name == name
    for place in (value, value["verdict"]):
        for wrong in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
            before, key = dict(place), "recorded_at" if place is value else "time"
            place[key] = wrong
            with pytest.raises(DecodeError):
                EvidenceRecord.parse(json.dumps(value).encode())
            place.update(before)


# --- judging again ----------------------------------------------------------------------------------------------------


def test_a_minimal_record_cannot_be_judged_again() -> None:
    document = verdict_document("passed.pdf")
    with pytest.raises(UsageError, match="keeps nothing"):
        reverify(record_of(document), document.verifier())


def test_a_verdict_that_was_changed_in_the_archive_is_found() -> None:
    document = verdict_document("digest.mismatch.pdf")
    value = json.loads(record_of(document, profile=EvidenceProfile.HANSHUHO).to_json())
    value["verdict"]["indication"], value["verdict"]["sub_indication"] = "TOTAL_PASSED", None
    value["verdict"]["checks"] = [{**check, "state": "passed", "reason": None} for check in value["verdict"]["checks"]]
    again = reverify(EvidenceRecord.parse(json.dumps(value).encode()), document.verifier())
    assert {"indication", "sub_indication", "checks.digest"} <= set(again.differences)
    with pytest.raises(TypeError):
        bool(again)


def test_another_store_says_something_else_and_another_policy_is_named() -> None:
    document = verdict_document("passed.pdf")
    record = record_of(document, profile=EvidenceProfile.HANSHUHO)
    again = reverify(record, Verifier.for_store("production", now=lambda: DOCUMENTS_NOW))
    assert "checks.chain" in again.differences
    evidence = {**record.verdict["evidence"], "policy_sha256": "00"}
    changed = dataclasses.replace(record, verdict={**record.verdict, "evidence": evidence})
    mine = document.judge().evidence.get("policy_sha256")
    assert reverify(changed, document.verifier()).same_policy is (None if mine is None else False)


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_later_record_of_the_same_document_has_another_name() -> None:
    document = verdict_document("passed.pdf")
    names = {record_of(document, recorded_at=document.now + MINUTE * n).name for n in range(2)}
    assert len(names) == 2
    assert all(name.startswith(hashlib.sha256(document.data).hexdigest()) for name in names)


@pytest.mark.parametrize("profile", EvidenceProfile)
def test_a_record_is_read_as_it_was_written(profile: EvidenceProfile) -> None:
    record = record_of(verdict_document("passed.cms.detached"), profile=profile)
    assert EvidenceRecord.parse(record.to_json()) == record


def _changes() -> Iterator[tuple[str, Any]]:
    """Places of a hanshuho record, and what an attacker would put there."""
    yield from [("schema", "kojin-card/evidence/9.0"), ("profile", "all"), ("recorded_at", "2026-11-24T03:00:00")]
    yield from [("recorded_at", 5), ("sha256", "00"), ("sha256", None), ("verdict", []), ("document", None)]
    yield from [("document", {"sha256": "00", "base64": "AA=="}), ("document", {"sha256": "00", "base64": "§"})]
    yield from [
        ("content", {"base64": "AA=="}),
        ("certificates", {}),
        ("certificates", [None]),
        ("timestamps", 1),
        ("more", 1),
    ]


@pytest.mark.parametrize(("name", "value"), list(_changes()))
def test_a_record_of_another_form_is_refused(name: str, value: Any) -> None:
    found = json.loads(record_of(verdict_document("passed.pdf"), profile=EvidenceProfile.HANSHUHO).to_json())
    found[name] = value
    with pytest.raises(DecodeError):
        EvidenceRecord.parse(json.dumps(found).encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("indication", "PASSED"),
        ("sub_indication", "FINE"),
        ("time_basis", "yesterday"),
        ("time", "now"),
        ("checks", [{"id": "signature"}]),
        ("checks", [{"id": "x", "state": "passed", "reason": None, "evidence": {}}]),
        ("checks", [{"id": "time", "state": "good", "reason": None, "evidence": {}}]),
        ("checks", [{"id": "time", "state": "passed", "reason": 1, "evidence": {}}]),
        ("evidence", {"engine": 1}),
        ("parts", [{}]),
        ("timestamps", {}),
        ("holder", {}),
    ],
)
def test_a_verdict_of_another_form_is_refused(name: str, value: Any) -> None:
    found = json.loads(record_of(verdict_document("passed.pdf")).to_json())
    found["verdict"][name] = value
    with pytest.raises(DecodeError):
        EvidenceRecord.parse(json.dumps(found).encode())


@pytest.mark.parametrize("sha256", ["../../etc/cron.d/x", "", "AB" * 32, "0" * 63, "0" * 64 + "\n", "\uff10" * 64])
def test_a_record_is_named_by_a_digest_and_nothing_else(sha256: str) -> None:
    """Whoever keeps a record writes it under its name."""
    value = json.loads(record_of(verdict_document("passed.pdf")).to_json())
    value["sha256"] = sha256
    with pytest.raises(DecodeError):
        EvidenceRecord.parse(json.dumps(value).encode())


def test_hostile_files_are_refused() -> None:
    good = record_of(verdict_document("passed.pdf")).to_json()
    value = json.loads(good)
    for _ in range(MAX_PARTS_DEPTH + 1):
        value["verdict"] = {**value["verdict"], "parts": [value["verdict"]]}
    hostile = (
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        good.replace(b'"sha256"', b'"sha256": "", "sha256"', 1),
        good.replace(b'"schema": "kojin-card/evidence/1.0"', b'"schema": NaN'),
        json.dumps(value).encode(),
    )
    for data in hostile:
        with pytest.raises(DecodeError):
            EvidenceRecord.parse(data)
