"""Confirmation without a PIN (38条の4): whatever is missing is TOTAL_FAILED, and no real card's store passes at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from attacks.fakes import NOW, client, copy_with_its_own_key_on_record, copy_without_keys, judge, made, secret
from kojin_card.authn import Challenge
from kojin_card.pki.card_evidence import RecordEvidence
from kojin_card.pki.certificate import Certificate
from kojin_card.testing.revocation import FreshLists
from kojin_card.verdict import CheckId, Indication, Verdict
from kojin_card.verification import ChipAnswer, MemoryChallengeStore, Verifier, pinless

AUDIENCE, PURPOSE = "https://clinic.example", "show the insurance"


class Record:
    """A caller's record: answers whatever it was given."""

    def __init__(self, answer: Any = NOW - timedelta(days=90)) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def confirmed_at(self, certificate: Certificate) -> datetime | None:
        self.asked.append(certificate.sha256)
        if isinstance(self.answer, Exception):
            raise self.answer
        answer: datetime | None = self.answer
        return answer


def challenge(**fields: Any) -> Challenge:
    made_one = Challenge.new(AUDIENCE, PURPOSE, now=NOW, random=lambda count: bytes(range(count)))
    return dataclasses.replace(made_one, **fields)


def answered(state: Any, asked: Challenge) -> RecordEvidence:
    """What a counter gathers: the face, opened by 照合番号B, which is printed on the card."""
    prover = ChipAnswer(asked)
    client(state).card_face.read_face(code_b=secret(state, "code_b"), prove=prover)
    assert prover.evidence is not None
    return prover.evidence


def verifier(store: str = "simulator") -> Verifier:
    return Verifier.for_store(store, FreshLists(lambda: NOW), now=lambda: NOW)


def confirm(
    state: Any = None,
    *,
    certificate: bytes | None = None,
    given: Challenge | None = None,
    record: Any = None,
    audience: str = AUDIENCE,
    store: str = "simulator",
    chip: RecordEvidence | None = None,
    waiting: MemoryChallengeStore | None = None,
) -> Verdict:
    state = made() if state is None else state
    asked = challenge() if given is None else given
    challenges = MemoryChallengeStore() if waiting is None else waiting
    if waiting is None:
        challenges.add(asked)
    return verifier(store).confirm_without_pin(
        client(made()).jpki.certificate("auth") if certificate is None else certificate,
        answered(state, asked) if chip is None else chip,
        challenges,
        audience=audience,
        purpose=PURPOSE,
        earlier=Record() if record is None else record,
    )


def test_with_everything_our_own_card_passes_and_says_on_what() -> None:
    verdict = confirm().require()
    assert verdict.check(CheckId.CHIP).evidence == {"binding": "assumption"}
    assert verdict.parts[0].subject == "card_face/face"
    assert verdict.evidence["purpose"] == PURPOSE


def test_nothing_binds_the_two_which_is_why_no_other_store_passes() -> None:
    """The certificate of one card beside the chip of another: nobody can tell, so a real card's store never passes."""
    other = client(made("sapporo")).jpki.certificate("auth")
    assert confirm(certificate=other).check(CheckId.CHIP).evidence == {"binding": "assumption"}


@pytest.mark.attack("PIN-less", "a real card ({}), whatever its chip proves", "chip.not_bound")
@pytest.mark.parametrize("store", ["production", "jlis-test"])
def test_a_real_store_fails_whatever_the_chip_proves(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = confirm(store=store)
    assert (verdict.indication, "chip.unproven" in verdict.reasons) == (Indication.TOTAL_FAILED, True)
    monkeypatch.setattr(pinless, "CardJudge", Trusting)  # as if the chip had been proved by a key of that store
    verdict = confirm(store=store)
    assert (verdict.indication, "chip.not_bound" in verdict.reasons) == (Indication.TOTAL_FAILED, True)


class Trusting:
    """Judges by the software card's keys, whatever store is asked for."""

    @staticmethod
    def of(_: str, **__: datetime) -> Any:
        return judge()


@pytest.mark.attack("PIN-less", "an earlier confirmation: {}", "earlier.none")
@pytest.mark.parametrize(
    "answer",
    [None, True, "yesterday", NOW + timedelta(seconds=1), NOW.replace(tzinfo=None), RuntimeError("the record is down")],
    ids=["never", "no time", "text", "the future", "no zone", "an error"],
)
def test_without_an_earlier_confirmation_it_fails(answer: Any) -> None:
    verdict = confirm(record=Record(answer))
    assert (verdict.indication, verdict.reasons) == (Indication.TOTAL_FAILED, ("earlier.none",))


def test_the_record_is_not_asked_about_a_certificate_that_nobody_issued() -> None:
    from attacks.forge import changed, key
    from kojin_card.pki.profile import Purpose

    record = Record()
    forged = changed(Purpose.AUTHENTICATION, signed_by=key("terminal", "stranger"))
    verdict = confirm(certificate=forged, record=record)
    assert verdict.indication is not Indication.TOTAL_PASSED
    assert record.asked == []


@pytest.mark.attack("PIN-less", "the chip: {}", "chip.unproven")
@pytest.mark.parametrize(
    "chip",
    [
        pytest.param(lambda asked: answered(copy_without_keys(), asked), id="a copy"),
        pytest.param(lambda asked: answered(copy_with_its_own_key_on_record(), asked), id="a copy with its own key"),
        pytest.param(lambda asked: dataclasses.replace(answered(made(), asked), answer=None), id="no answer"),
        pytest.param(
            lambda asked: dataclasses.replace(
                answered(made(), challenge(nonce=bytes(32))), challenge=asked.nonce
            ),
            id="the answer to another challenge",
        ),
        pytest.param(lambda asked: RecordEvidence("nowhere", "face", {}, asked.nonce), id="no such record"),
        pytest.param(lambda asked: RecordEvidence("card_face", "face", {}, asked.nonce), id="nothing read"),
    ],
)  # fmt: skip
def test_without_the_chip_it_fails(chip: Callable[[Challenge], RecordEvidence]) -> None:
    verdict = confirm(chip=chip(challenge()))
    assert verdict.indication is Indication.TOTAL_FAILED
    assert "chip.unproven" in verdict.reasons


def test_the_challenge_is_ours_for_us_open_and_used_once() -> None:
    waiting, asked = MemoryChallengeStore(), challenge()
    assert confirm(waiting=waiting).reasons[0] == "challenge.unknown"
    waiting.add(asked)
    confirm(waiting=waiting).require()
    assert confirm(waiting=waiting).reasons[0] == "challenge.replayed"
    assert confirm(audience="https://other.example").reasons[0] == "challenge.audience"
    assert confirm(given=challenge(purpose="open an account")).reasons[0] == "challenge.purpose"
    early = NOW - timedelta(minutes=30)
    old = challenge(issued_at=early, expires_at=early + timedelta(minutes=5))
    assert confirm(given=old).reasons[0] == "challenge.expired"
    assert confirm(audience="x").indication is Indication.TOTAL_FAILED


def test_a_revoked_certificate_and_the_wrong_one_do_not_pass() -> None:
    lists = FreshLists(lambda: NOW)
    lists.revoke(client(made()).jpki.certificate("auth"), at=NOW - timedelta(days=1))
    challenges = MemoryChallengeStore()
    challenges.add(challenge())
    judging = Verifier.for_store("simulator", lists, now=lambda: NOW)
    verdict = judging.confirm_without_pin(
        client(made()).jpki.certificate("auth"), answered(made(), challenge()), challenges,
        audience=AUDIENCE, earlier=Record(),
    )  # fmt: skip
    assert (verdict.indication, verdict.reasons) == (Indication.TOTAL_FAILED, ("revocation.revoked_before_signing",))
    assert confirm(certificate=client(made()).jpki.certificate("auth-ca")).indication is not Indication.TOTAL_PASSED
    assert confirm(certificate=b"rubbish").reasons == ("certificate.malformed",)
