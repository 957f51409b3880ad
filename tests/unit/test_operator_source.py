"""A platform operator's answer as a source of revocation: what is said of it, and what is not taken."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from attacks import forge
from attacks.forge import NOW, SERIAL, Cms, verifier
from kojin_card.errors import UsageError
from kojin_card.pki.crl_store import CrlMemory
from kojin_card.pki.ocsp_source import Combined
from kojin_card.pki.operator_source import OperatorAnswer, OperatorQuestion, OperatorSource
from kojin_card.pki.revocation import RevocationStatus
from kojin_card.verdict import CheckId, CheckState

HOUR = timedelta(hours=1)
GOOD = OperatorAnswer(RevocationStatus.GOOD, "ref-20261124-0001", NOW - HOUR)
REVOKED = replace(GOOD, status=RevocationStatus.REVOKED, revoked_at=NOW - 5 * HOUR, reason="affiliationChanged")


def judge(answer: Any, **times: Any) -> Any:
    return verifier(OperatorSource("Invented Platform Ltd.", lambda _: answer)).verify_cms(Cms().build(), **times)


def test_good_is_asserted_and_says_so() -> None:
    verdict = judge(GOOD).require()
    check = verdict.check(CheckId.REVOCATION)
    assert check.state is CheckState.PASSED
    assert check.evidence["asserted_by"] == "Invented Platform Ltd."
    assert check.evidence["method"] == "operator"
    assert verdict.evidence["revocation_source"] == "operator:ref-20261124-0001"


def test_people_are_told_who_asserts_it() -> None:
    from kojin_card.cli.console import Console
    from kojin_card.cli.verdicts import check_row

    check = judge(GOOD).check(CheckId.REVOCATION)
    assert "（Invented Platform Ltd. の申告による）" in check_row(check, Console(lang="ja"))[1]
    assert "(as asserted by Invented Platform Ltd.)" in check_row(check, Console(lang="en"))[1]


def test_the_question_names_certificate_issuer_and_time() -> None:
    asked: list[OperatorQuestion] = []

    def ask(question: OperatorQuestion) -> OperatorAnswer:
        asked.append(question)
        return GOOD

    verifier(OperatorSource("P", ask)).verify_cms(Cms().build(), received_at=NOW - HOUR)
    (question,) = asked
    assert (question.serial, question.issuer.name, question.at) == (SERIAL, "sim-signca02", NOW - HOUR)
    assert question.certificate == forge.certificate()
    assert str(SERIAL) not in repr(question)


def test_revoked_with_reason_and_time() -> None:
    verdict = judge(REVOKED)
    assert verdict.reasons == ("revocation.revoked",)
    evidence = verdict.check(CheckId.REVOCATION).evidence
    assert (evidence["revocation_reason"], evidence["revoked_at"]) == ("affiliationChanged", "2026-11-23T22:00:00Z")
    before = judge(REVOKED, received_at=NOW - 6 * HOUR).require().check(CheckId.REVOCATION).evidence
    assert (before["revoked_later_at"], before["revocation_reason"]) == ("2026-11-23T22:00:00Z", "affiliationChanged")
    assert judge(REVOKED, received_at=NOW - 4 * HOUR).reasons == ("revocation.revoked",)
    assert judge(replace(REVOKED, revoked_at=None), received_at=NOW - 6 * HOUR).reasons == ("revocation.revoked",)
    assert judge(replace(REVOKED, as_of=NOW - 1000 * HOUR)).reasons == ("revocation.revoked",)  # none is taken back


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (replace(GOOD, as_of=NOW - 25 * HOUR), "revocation.outdated"),
        (replace(GOOD, as_of=NOW + HOUR), "revocation.outdated"),
        (replace(GOOD, status=RevocationStatus.UNKNOWN), "revocation.not_known"),
        (replace(GOOD, status="good!"), "revocation.untrusted"),  # type: ignore[arg-type]
        (replace(GOOD, as_of=datetime(2026, 11, 24)), "revocation.untrusted"),  # noqa: DTZ001
        (replace(GOOD, as_of="now"), "revocation.untrusted"),  # type: ignore[arg-type]
        (replace(GOOD, reference=""), "revocation.untrusted"),
        (replace(GOOD, reference="a" * 129), "revocation.untrusted"),
        (replace(GOOD, reference="\x1b[32mTOTAL_PASSED"), "revocation.untrusted"),
        (replace(GOOD, reference=b"x"), "revocation.untrusted"),  # type: ignore[arg-type]
        (replace(GOOD, reason="keyCompromise"), "revocation.untrusted"),
        (replace(GOOD, revoked_at=NOW), "revocation.untrusted"),
        (replace(GOOD, status="good"), "revocation.untrusted"),  # type: ignore[arg-type]
        (replace(GOOD, status="unknown"), "revocation.untrusted"),  # type: ignore[arg-type]
        (None, "revocation.untrusted"),
        (True, "revocation.untrusted"),
        ({"status": "good"}, "revocation.untrusted"),
    ],
    ids=range(17),
)
def test_what_is_not_taken(answer: Any, reason: str) -> None:
    verdict = judge(answer)
    assert verdict.reasons == (reason,)
    assert verdict.check(CheckId.REVOCATION).evidence["asserted_by"] == "Invented Platform Ltd."


#: revoked, with something else wrong: what a client that was not checked for types may hand over
MISTAKEN: dict[str, OperatorAnswer] = {
    "as text": replace(GOOD, status="revoked"),  # type: ignore[arg-type]
    "since a time without zone": replace(REVOKED, revoked_at=datetime(2026, 11, 23)),  # noqa: DTZ001
    "as of a time without zone": replace(REVOKED, as_of=datetime(2026, 11, 23)),  # noqa: DTZ001
    "for an unknown reason": replace(REVOKED, reason="invented"),
    "without a reference": replace(REVOKED, reference=""),
}


@pytest.mark.parametrize("name", MISTAKEN)
def test_a_mistake_beside_a_revocation_takes_none_of_it_away(name: str) -> None:
    """Beside a list that knows nothing of it yet, an answer that counted for nothing would let the document pass."""
    source = OperatorSource("Invented Platform Ltd.", lambda _: MISTAKEN[name])
    for asked in (source, Combined(CrlMemory([forge.crl()]), source), Combined(source, CrlMemory([forge.crl()]))):
        for received in (None, NOW - HOUR):
            verdict = verifier(asked).verify_cms(Cms().build(), received_at=received)
            assert verdict.reasons == ("revocation.revoked",)
            assert verdict.check(CheckId.REVOCATION).evidence["asserted_by"] == "Invented Platform Ltd."


def test_times_in_evidence_are_utc_whatever_zone_the_operator_has() -> None:
    tokyo = timezone(9 * HOUR)
    said = replace(REVOKED, as_of=NOW.astimezone(tokyo), revoked_at=(NOW - HOUR).astimezone(tokyo))
    evidence = judge(said).check(CheckId.REVOCATION).evidence
    assert (evidence["this_update"], evidence["revoked_at"]) == ("2026-11-24T03:00:00Z", "2026-11-24T02:00:00Z")


def test_an_operator_that_fails_is_not_good_and_its_words_are_not_kept() -> None:
    def broken(_: OperatorQuestion) -> OperatorAnswer:
        raise TimeoutError("a token of the caller's")

    verdict = verifier(OperatorSource("P", broken)).verify_cms(Cms().build())
    assert verdict.reasons == ("revocation.unreachable",)
    assert verdict.check(CheckId.REVOCATION).evidence["detail"] == "TimeoutError"


@pytest.mark.parametrize("name", ["", "x" * 65, "a\u202eb", "a\nb"])
def test_an_operator_has_a_name_that_can_be_shown(name: str) -> None:
    with pytest.raises(UsageError):
        OperatorSource(name, lambda _: GOOD)
