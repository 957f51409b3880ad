"""Is this card genuine: every way of making one that is not, and the check that refuses it.

Fakes are software cards whose contents were changed (``fakes.py``), met by the real client over APDUs; what a chip
cannot be made to do (a replayed answer) is done to the evidence.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacks.fakes import (
    CITY,
    NOW,
    SPEC,
    another_issuer,
    another_issues_signature,
    another_persons_face,
    another_photo,
    certificate_of_the_other_application,
    chain,
    check,
    client,
    copy_that_refuses_to_sign,
    copy_with_its_own_key_on_record,
    copy_without_keys,
    edited_address,
    edited_address_with_its_digest,
    edited_face,
    even_card_key,
    evidence,
    file_of,
    foreign_ca,
    judge,
    made,
    other_expiry,
    rewritten,
    secret,
    sign,
    truncated,
    two_cards_mixed,
    weak_card_key,
    weak_signer,
    with_files,
    without,
    wrong_digest_info,
)
from kojin_card import Card
from kojin_card.applications import birth_code
from kojin_card.applications.proof import gather_card, gather_record
from kojin_card.errors import NotOnCard, TrustError, UsageError, VerdictError
from kojin_card.pki.card_evidence import CardEvidence, ProofPlan, RecordEvidence
from kojin_card.pki.profile import Store
from kojin_card.simulator import CardState, SoftCard, make_card
from kojin_card.spec import decode, encode
from kojin_card.testing.cards import test_pki
from kojin_card.verdict import CARD_CHECKS, REASONS, CheckId, CheckState, Indication
from kojin_card.verification import CardJudge
from support import published_test_card

PIN, BIRTH = "5678", date(1990, 8, 3)
DUTY = "源泉徴収票の作成"


# --- the genuine one --------------------------------------------------------------------------------------------------

RECORDS = [
    ("input_support", "basic_four"),
    ("input_support", "my_number"),
    ("card_face", "face"),
    ("card_face", "age"),
    ("card_face", "my_number_image"),
]


def test_a_genuine_card_passes_every_check_in_order() -> None:
    verdict = check(made())
    assert verdict.indication is Indication.TOTAL_PASSED
    assert [check.id for check in verdict.checks] == [CheckId.CARD_RESPONSE, CheckId.CONSISTENCY]
    assert [part.subject for part in verdict.parts] == [
        "input_support/basic_four",
        "card_face/face",
        "card_face/age",
        "card_manager/cv_certificate",
    ]
    assert [check.id for check in verdict.parts[0].checks] == [
        CheckId.CV_CERTIFICATE,
        CheckId.RECORD,
        CheckId.RECORD_DIGEST,
        CheckId.CARD_KEY,
        CheckId.CARD_RESPONSE,
    ]
    assert verdict.notes == ("test_store", "in_force", "unsigned", "not_bound")
    assert "test_store" not in check(made(), "production").notes
    assert (verdict.store, verdict.time.tzinfo) == ("simulator", UTC)


@pytest.mark.parametrize(("application", "file"), RECORDS)
def test_every_record_is_proved_by_its_own_application(application: str, file: str) -> None:
    verdict = judge().record(evidence(made(), application, file))
    assert verdict.indication is Indication.TOTAL_PASSED
    assert ("not_bound" in verdict.notes) == (application == "input_support")
    assert ("unsigned" in verdict.notes) == (file == "face")


@pytest.mark.parametrize("persona", ["infant", "long_address", "sapporo", "emigrated", "sex_unstated", "born_taisho"])
def test_so_is_every_kind_of_holder(persona: str) -> None:
    assert check(made(persona)).indication is Indication.TOTAL_PASSED


def test_without_a_secret_only_certificates_are_checked() -> None:
    verdict = client(made()).check_authenticity("simulator")
    assert verdict.indication is Indication.INDETERMINATE
    assert verdict.reasons == ("card_response.not_asked",)
    assert [part.subject for part in verdict.parts] == [
        f"{application}/cv_certificate" for application in ("input_support", "card_face", "card_manager")
    ]
    assert all(part.indication is Indication.TOTAL_PASSED for part in verdict.parts)
    assert "without_secret" in verdict.notes


def test_nothing_to_check_is_not_success() -> None:
    assert judge().card(CardEvidence()).indication is Indication.INDETERMINATE
    assert judge().record(RecordEvidence("card_face", "age", {})).indication is Indication.INDETERMINATE


# --- attacks on the card ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attack:
    """A fake, and the reasons by which the check of the whole card refuses it."""

    name: str
    make: Callable[[], CardState]
    reasons: tuple[str, ...]
    indication: Indication = Indication.TOTAL_FAILED
    trust: str = "simulator"


UNDECIDED = Indication.INDETERMINATE
PASSED = Indication.TOTAL_PASSED
ATTACKS = [
    Attack("a copy without the keys", copy_without_keys, ("card_response.wrong",) * 3),
    Attack("a copy that refuses to sign", copy_that_refuses_to_sign, ("card_response.absent",) * 3, UNDECIDED),
    Attack(
        "a copy with its own key on record",
        copy_with_its_own_key_on_record,
        ("card_key.forged", "record.forged", "record.forged"),
    ),
    Attack("an edited address", edited_address, ("record_digest.mismatch",)),
    Attack("an edited address with its digest", edited_address_with_its_digest, ("record.forged",)),
    Attack("another photo", another_photo, ("record.forged",)),
    Attack("another sex on the face", lambda: edited_face(sex="1"), ("record.forged",)),
    Attack("two cards mixed", two_cards_mixed, ("record.forged",) * 3),
    Attack("the signature of another issue", another_issues_signature, ("record_digest.mismatch",)),
    Attack("the face of another person", another_persons_face, ("consistency.contradicted",)),
    Attack("a foreign CA with the same key id", foreign_ca, ("cv_certificate.forged",) * 3),
    Attack("a CA that nobody knows", another_issuer, ("cv_certificate.unknown_issuer",) * 2, UNDECIDED),
    Attack(
        "the certificate of the other application",
        certificate_of_the_other_application,
        ("cv_certificate.unknown_issuer",) * 2,
        UNDECIDED,
    ),
    Attack("a signer with a weak key", weak_signer, ("cv_certificate.weak",) * 2, UNDECIDED),
    Attack("a card with a weak key", weak_card_key, ("card_key.weak",), UNDECIDED),
    Attack("a card with an impossible key", even_card_key, ("card_key.malformed",)),
    Attack("a digest of digests", wrong_digest_info("digest of digests"), ("record.forged",)),
    Attack("all groups in one digest", wrong_digest_info("all in one"), ("record.forged",)),
    Attack("digests without DigestInfo", wrong_digest_info("bare"), ("record.encoding",)),
    Attack("a DigestInfo without NULL", wrong_digest_info("no NULL"), ("record.encoding",)),
    Attack("two digests", wrong_digest_info("two only"), ("record.forged",)),
    Attack("digests in another order", wrong_digest_info("another order"), ("record.encoding",)),
    Attack("a forged lower certificate", chain("lower forged"), ("cv_certificate.forged",)),
    Attack("a lower certificate by another", chain("lower by another"), ("cv_certificate.broken_chain",)),
    Attack("a lower certificate cut off", chain("lower malformed"), ("cv_certificate.malformed",)),
    Attack(
        "a lower certificate of another city", chain("lower of another city"), (), PASSED
    ),  # what is below is unknown
    Attack("no lower certificate", chain("no lower"), (), PASSED),  # card.md §2.5: absent on some cards: a note
    Attack("no chain at all", chain("no upper"), (), PASSED),
    Attack("a malformed certificate", truncated("card_face", "cv_certificate"), ("cv_certificate.malformed",) * 2),
    Attack("a malformed record", truncated("card_face", "age"), ("record.malformed",)),
    Attack("a malformed signature record", truncated("input_support", "record_signature"), ("record.malformed",)),
    Attack("a malformed key", truncated("input_support", "application_public_key"), ("card_key.malformed",)),
    Attack("no certificate", without("input_support", "cv_certificate"), ("cv_certificate.missing",), UNDECIDED),
    Attack("no signature", without("input_support", "record_signature"), ("record.absent",), UNDECIDED),
    Attack("no key on record", without("input_support", "application_public_key"), ("card_key.absent",), UNDECIDED),
    Attack("another expiry in the common application", other_expiry, ("consistency.unsigned",), UNDECIDED),
    Attack(
        "a software card offered as production",
        made,
        ("cv_certificate.unknown_issuer",) * 4,
        UNDECIDED,
        "production",
    ),
    Attack(
        "a software card offered as J-LIS's test card",
        made,
        ("cv_certificate.unknown_issuer",) * 4,
        UNDECIDED,
        "jlis-test",
    ),
]


@pytest.mark.attack("card")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_each_is_refused_by_the_check_that_should(attack: Attack) -> None:
    verdict = check(attack.make(), attack.trust)
    assert verdict.reasons == attack.reasons
    assert verdict.indication is attack.indication


def test_every_reason_of_a_card_is_shown_here() -> None:
    shown = {reason for attack in ATTACKS for reason in attack.reasons}
    elsewhere = {
        "card_response.not_asked",  # test_without_a_secret_only_certificates_are_checked
        "record.unproven",  # test_what_nobody_published_is_not_held_against_a_real_card
        "card_key.unproven",
    }
    assert shown | elsewhere == {reason for reason in REASONS if reason.split(".")[0] in CARD_CHECKS}


# --- attacks on the evidence ------------------------------------------------------------------------------------------


@pytest.mark.attack("card", "an answer to an earlier challenge", "card_response.wrong")
@pytest.mark.parametrize(("application", "file"), RECORDS)
def test_a_replayed_answer_is_refused(application: str, file: str) -> None:
    before = evidence(made(), application, file)
    now = replace(evidence(made(), application, file), answer=before.answer)
    assert judge().record(now).reasons == ("card_response.wrong",)


@pytest.mark.attack("card", "an answer that is none", "card_response.wrong")
@pytest.mark.parametrize("answer", [b"", bytes(256), b"\xff" * 256, b"\x00" * 255 + b"\x01", os.urandom(256), None])
def test_an_answer_that_is_none_is_refused(answer: bytes | None) -> None:
    found = judge().record(replace(evidence(made()), answer=answer))
    assert found.check(CheckId.CARD_RESPONSE).state is CheckState.FAILED


@pytest.mark.attack("card", "a challenge that is too short", "card_response.absent")
def test_a_short_challenge_proves_nothing() -> None:
    key = evidence(made())
    card = client(made())
    card.channel.verify("input_support", "pin", PIN)
    short = gather_record(card.channel, "input_support", "basic_four", key.files["basic_four"], b"\x07" * 8)
    assert judge().record(short).reasons == ("card_response.absent",)


@pytest.mark.attack("card", "an answer with the other application's key", "card_response.wrong")
def test_an_answer_with_the_other_applications_key_is_refused() -> None:
    face, four = evidence(made(), "card_face", "age"), evidence(made())
    card = client(made())
    info = bytes.fromhex("3031300D060960864801650304020105000420") + hashlib.sha256(four.challenge).digest()
    other = replace(four, answer=card.channel.sign("card_face", "card_key", info))
    assert judge().record(other).reasons == ("card_response.wrong",)
    assert face.answer != four.answer


@pytest.mark.parametrize(("application", "file"), [RECORDS[0], RECORDS[2]])
def test_every_read_makes_a_challenge_of_its_own(application: str, file: str) -> None:
    seen = {evidence(made(), application, file).challenge for _ in range(4)}
    assert len(seen) == 4
    assert len({client(made()).prover("simulator").challenge() for _ in range(4)}) == 4


@pytest.mark.attack("card", "one bit of a signed file", "never TOTAL_PASSED")
@pytest.mark.parametrize(("application", "file"), RECORDS)
def test_a_bit_of_what_counts_cannot_be_changed(application: str, file: str) -> None:
    """Every 37th byte of every file: what is covered fails, and nothing is passed over."""
    good = evidence(made(), application, file)
    layout = SPEC[application].layouts[SPEC[application].files[file].layout]
    free = _uncovered(decode(layout, good.files[file])) if file == "face" else set()
    for name, data in good.files.items():
        for at in range(0, len(data), 37):
            changed = bytes(octet ^ (at == n) for n, octet in enumerate(data))
            verdict = judge().record(replace(good, files={**good.files, name: changed}))
            passed = verdict.indication is Indication.TOTAL_PASSED
            assert passed == (name == "face" and at in free), (name, at)


def _uncovered(record: Any) -> set[int]:
    """Where expiry and security code stand: the digits and the picture, which nobody signs."""
    found: set[int] = set()
    for name in ("expiry", "security_code_image"):
        end = record.end[name]
        found |= set(range(end - len(record.contents[name]), end))
    return found


def test_the_expiry_can_be_changed_and_a_note_says_so() -> None:
    data = file_of(made(), "card_face", "face")
    later = rewritten("card_face", "face", data, expiry=date(2099, 12, 31))
    verdict = judge().record(evidence(with_files(made(), "card_face", face=later), "card_face", "face"))
    assert verdict.indication is Indication.TOTAL_PASSED
    assert "unsigned" in verdict.notes
    assert check(with_files(made(), "card_face", face=later)).reasons == ("consistency.unsigned",)


def test_what_the_input_support_application_cannot_tell_a_note_says() -> None:
    """A relay: records of one card, key and chip of another of the same municipality. Nothing known binds the two
    (card.md §2.1), so the read passes; the whole check sees the face of the chip, and its holder is another."""
    owner, thief = made(), made("expired")
    mixed = with_files(
        thief,
        "input_support",
        **{name: file_of(owner, "input_support", name) for name in ("basic_four", "record_signature", "my_number")},
    )
    verdict = judge().record(evidence(mixed))
    assert verdict.indication is Indication.TOTAL_PASSED
    assert "not_bound" in verdict.notes
    assert check(mixed).reasons == ("consistency.contradicted",)


# --- what is not known, and what is not there -------------------------------------------------------------------------


def test_what_nobody_published_is_not_held_against_a_real_card() -> None:
    """That the key's signature covers tag and length is our assumption, as is a face without a photo: where the card is
    not ours, a signature that does not fit our reading leaves it undecided."""
    judging = judge()
    foreign = replace(judging, store=_as_production())
    edited = evidence(copy_with_its_own_key_on_record())
    assert judging.record(edited).reasons == ("card_key.forged",)
    assert foreign.record(edited).reasons == ("card_key.unproven",)
    infant = made("infant")
    face = rewritten("card_face", "face", file_of(infant, "card_face", "face"), sex="9")
    fake = evidence(with_files(infant, "card_face", face=face), "card_face", "face")
    assert judging.record(fake).reasons == ("record.forged",)
    assert foreign.record(fake).reasons == ("record.unproven",)
    assert foreign.record(evidence(edited_face(sex="1"), "card_face", "face")).reasons == ("record.forged",)


def _as_production() -> Any:
    """The simulator's keys under the flag of production: no :class:`CvStore` lets that happen, so it is not one."""

    @dataclass(frozen=True)
    class Flagged:
        known: Any
        store: Store = Store.PRODUCTION
        keys: tuple[Any, ...] = ()

        def find(self, key_id: bytes, application: str) -> Any:
            return self.known.find(key_id, application)

    return Flagged(judge().store)


def test_what_is_absent_is_a_note() -> None:
    verdict = check(chain("no upper")())
    assert verdict.evidence["absent"] == "card_manager/upper_cv_certificate, card_manager/lower_cv_certificate"
    assert "absent" in verdict.notes


@pytest.mark.parametrize("missing", ["the file", "the application"])
def test_a_record_that_was_to_be_proved_and_is_not_there_is_no_note(missing: str) -> None:
    """Whoever takes the forged face off a card whose other records are genuine gains nothing by it: 照合番号B was given
    to have the face proved."""
    state = without("card_face", "face")()
    if missing == "the application":
        state = replace(state, applications={n: a for n, a in state.applications.items() if n != "card_face"})
    verdict = client(state).check_authenticity("simulator", pin=PIN, code_b=secret(made(), "code_b"))
    assert verdict.indication is Indication.INDETERMINATE
    assert verdict.reasons == ("record.absent",)
    assert [part.subject for part in verdict.parts][:2] == ["input_support/basic_four", "card_face/face"]
    assert client(state).check_authenticity("simulator", pin=PIN).indication is Indication.TOTAL_PASSED


def test_a_phone_has_nothing_to_check() -> None:
    for persona in ("iphone", "android"):
        verdict = client(make_card(persona, now=NOW)).check_authenticity("simulator", pin=PIN)
        assert verdict.indication is Indication.INDETERMINATE
        assert "input_support" in verdict.evidence["absent"]


@pytest.mark.vectors
def test_the_published_test_card_is_judged_as_far_as_it_goes() -> None:
    """Its two records are published, its signatures and certificates are not: nothing fails, nothing passes. The
    digests of the two are those that card.md §2.1 computed."""
    published = published_test_card()["input_support"]
    state = made("jlis_test_card")
    assert file_of(state, "input_support", "my_number").hex() == published["ef_0001_physical"]
    assert file_of(state, "input_support", "basic_four").hex() == published["ef_0002"]
    verdict = client(state).check_authenticity("jlis-test", pin=PIN)
    assert verdict.indication is Indication.INDETERMINATE
    assert verdict.reasons == ("cv_certificate.missing",)
    digests = {  # card.md §2.1, typed
        "my_number": "6d5a4c1ef9ab15bf506862d7e66b9c0f179ca065bc936c8e634e9e57449ca9cd",
        "basic_four": "b9e0d09427b23b1d4beda2848512b4103752dc2667e51f9712872d65f472cb3b",
    }
    record = encode(
        SPEC["input_support"].layouts["record_signature"],
        {**{f"{name}_digest": bytes.fromhex(value) for name, value in digests.items()}, "signature": bytes(256)},
    )
    objects = decode(SPEC["input_support"].layouts["record_signature"], record).objects
    signature = sign(test_pki().record_key(CITY), objects["my_number_digest"] + objects["basic_four_digest"])
    good = evidence(made())
    for name in digests:
        files = {
            **good.files,
            name: bytes.fromhex(published["ef_0001_physical" if name == "my_number" else "ef_0002"]),
            "record_signature": rewritten("input_support", "record_signature", record, signature=signature),
        }
        assert judge().record(replace(good, file=name, files=files)).indication is Indication.TOTAL_PASSED
        files[name] = files[name][:-2] + b"\x00\x00" if name == "my_number" else files[name][:-1] + b"2"
        found = judge().record(replace(good, file=name, files=files))
        assert found.reasons == ("record_digest.mismatch",)  # the filler of EF 0001 is covered too


# --- reads ------------------------------------------------------------------------------------------------------------

READS: dict[str, Callable[[Card, CardState, Any], object]] = {
    "basic_four": lambda card, _, prove: card.input_support.read_basic_four(PIN, prove=prove),
    "my_number": lambda card, _, prove: card.input_support.read_my_number(PIN, duty=DUTY, prove=prove),
    "face": lambda card, state, prove: card.card_face.read_face(code_b=secret(state, "code_b"), prove=prove),
    "age": lambda card, _, prove: card.card_face.read_age(birth_code(BIRTH), prove=prove),
    "my_number_image": lambda card, state, prove: card.card_face.read_my_number_image(
        secret(state, "code_a"), duty=DUTY, prove=prove
    ),
}


@pytest.mark.parametrize("read", READS)
def test_a_read_gives_what_is_proved_and_nothing_else(read: str) -> None:
    card = client(made())
    assert READS[read](card, made(), card.prover("simulator"))
    fake = copy_without_keys()
    card = client(fake)
    with pytest.raises(VerdictError) as caught:
        READS[read](card, fake, card.prover("simulator"))
    assert caught.value.verdict.reasons == ("card_response.wrong",)
    with pytest.raises(VerdictError) as caught:
        READS[read](client(made()), made(), client(made()).prover())
    assert caught.value.verdict.reasons == ("cv_certificate.unknown_issuer",)
    assert caught.value.verdict.indication is Indication.INDETERMINATE
    assert READS[read](card, fake, None)  # without a proof, as before


def test_a_read_rests_on_its_own_application_only() -> None:
    state = made()
    for application in ("card_face", "card_manager", "common", "juki", "jpki"):
        state = replace(
            state, applications={name: one for name, one in state.applications.items() if name != application}
        )
    card = client(state)
    assert card.input_support.read_basic_four(PIN, prove=card.prover("simulator")).name == "見本　花子"
    with pytest.raises(NotOnCard):
        card.common.card_information()


@pytest.mark.attack("card", "another record between proof and use", "what was proved is used")
def test_a_source_that_swaps_the_record_gains_nothing() -> None:
    """What is returned is decoded from the very bytes that were judged, which are read once."""

    class Changing:
        def __init__(self) -> None:
            self.card, self.reads = SoftCard.in_memory(edited_address(), spec=SPEC), 0

        def transmit(self, command: bytes) -> bytes:
            if command[:3] == bytes.fromhex("00B082"):
                self.reads += 1
            return self.card.transmit(command)

    connection = Changing()
    card = Card(connection, ours=True, spec=SPEC)
    with pytest.raises(VerdictError):
        card.input_support.read_basic_four(PIN, prove=card.prover("simulator"))
    assert connection.reads == 1


def test_a_prover_takes_an_answer_to_the_challenge_that_it_gave_and_only_once() -> None:
    state = made()
    kept = evidence(state)  # somebody else's challenge, or one of yesterday
    prover = client(state).prover("simulator")
    with pytest.raises(VerdictError) as caught:
        prover.require(kept)
    assert caught.value.verdict.reasons == ("card_response.absent",)
    prover.challenge()
    with pytest.raises(VerdictError):
        prover.require(kept)
    card = client(state)
    card.channel.verify("input_support", "pin", PIN)
    octets = card.channel.read("input_support", "basic_four")
    fresh = gather_record(card.channel, "input_support", "basic_four", octets, prover.challenge())
    assert prover.require(fresh).indication is Indication.TOTAL_PASSED
    with pytest.raises(VerdictError):
        prover.require(fresh)


# --- inputs -----------------------------------------------------------------------------------------------------------


def test_what_is_refused() -> None:
    card = client(made())
    with pytest.raises(UsageError):
        card.check_authenticity("simulator", code_a="123456789018", code_b="0" * 14)
    with pytest.raises(TrustError):
        card.check_authenticity("nonsense")
    with pytest.raises(TrustError):
        card.prover("nonsense")
    assert card.channel.link.sent == 0
    with pytest.raises(UsageError):
        CardJudge.of("simulator", now=datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused
    for application, file in (("nonsense", "age"), ("card_face", "nonsense"), ("card_face", "unknown_0006")):
        with pytest.raises(UsageError):
            judge().record(RecordEvidence(application, file, {}))
    for place in ("nonsense/expiry", "card_manager/nonsense", "card_manager", ""):
        with pytest.raises(UsageError):
            judge().card(CardEvidence(free={place: b"\x00"}))
    with pytest.raises(UsageError):
        ProofPlan.of(SPEC["jpki"], "auth_certificate")


def test_nothing_that_was_read_shows() -> None:
    found = evidence(made())
    whole = gather_card(client(made()).channel, {"pin": PIN}, lambda: os.urandom(32))
    verdict = check(made())
    shown = repr(found) + repr(whole) + repr(verdict)
    digest = decode(SPEC["input_support"].layouts["record_signature"], found.files["record_signature"]).octets(
        "my_number_digest"
    )
    for planted in ("見本", "架空町", "19900803", "123456789018", digest.hex(), repr(digest)[2:20], "FF20"):
        assert planted not in shown


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["basic_four", "record_signature", "cv_certificate", "application_public_key"]),
    st.binary(max_size=600),
    st.binary(max_size=300),
)
def test_hostile_files_get_a_verdict_and_it_is_not_passed(name: str, data: bytes, answer: bytes) -> None:
    good = _good()
    verdict = judge().record(replace(good, files={**good.files, name: data}, answer=answer))
    assert verdict.indication is not Indication.TOTAL_PASSED
    free = {"common/card_information": data, "card_manager/upper_cv_certificate": data, "card_manager/expiry": answer}
    whole = judge().card(CardEvidence((good,), free))
    assert whole.indication is not Indication.TOTAL_PASSED


@cache
def _good() -> RecordEvidence:
    return evidence(made())
