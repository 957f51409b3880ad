"""Times that contradict each other, have no zone or are out of range; sources of revocation that answer anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from attacks.forge import ISSUED, NOW, Cms, Good, attributes, certificate, changed, key, pdf_cms, sign, tlv, verifier
from attacks.forge import Pdf as HandmadePdf
from kojin_card.errors import UsageError
from kojin_card.pki.revocation import RevocationAnswer, RevocationStatus, Unknown
from kojin_card.verdict import CheckId, CheckState, Indication, SubIndication, Verdict
from kojin_card.verification import MemoryChallengeStore, Verifier

CONTENT = Cms().content
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def claiming(moment: datetime, **fields: Any) -> bytes:
    """A message whose signed signingTime is ``moment``."""
    text = moment.strftime("%y%m%d%H%M%SZ").encode()
    return Cms(attributes=tuple(attributes(CONTENT, signingTime=tlv(0x17, text))), **fields).build()


# --- contradictions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claimed", [NOW, NOW - DAY, NOW + 5 * MINUTE, ISSUED, ISSUED - 5 * MINUTE])
def test_a_possible_signing_time_passes(claimed: datetime) -> None:
    verdict = verifier().verify_cms(claiming(claimed)).require()
    assert verdict.evidence["claimed_signing_time"] == claimed.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("claimed", "times"),
    [
        pytest.param(NOW + 6 * MINUTE, {}, id="after now"),
        pytest.param(NOW + 1500 * DAY, {}, id="long after now"),
        pytest.param(NOW - DAY, {"received_at": NOW - 2 * DAY}, id="after the receipt"),
        pytest.param(NOW - DAY, {"received_at": NOW - DAY - 6 * MINUTE}, id="just after the receipt"),
        pytest.param(NOW - DAY, {"at": NOW - 2 * DAY}, id="after the asserted time"),
        pytest.param(ISSUED - 6 * MINUTE, {}, id="before the certificate"),
        pytest.param(ISSUED - 2000 * DAY, {"received_at": NOW - DAY}, id="long before the certificate"),
    ],
)
def test_a_signing_time_that_contradicts_is_told(claimed: datetime, times: dict[str, Any]) -> None:
    verdict = verifier().verify_cms(claiming(claimed), **times)
    assert verdict.reasons == ("time.contradicted",)
    assert verdict.check(CheckId.TIME).state is CheckState.FAILED
    assert (verdict.indication, verdict.sub_indication) == (
        Indication.INDETERMINATE,
        SubIndication.SIG_CONSTRAINTS_FAILURE,
    )


def test_each_signer_by_its_own_time() -> None:
    late = Cms(attributes=tuple(attributes(CONTENT, signingTime=tlv(0x17, b"301120000000Z")))).signer()
    verdict = verifier().verify_cms(Cms().build(late))
    assert [part.reasons for part in verdict.parts] == [(), ("time.contradicted",)]
    assert verdict.indication is Indication.INDETERMINATE


def test_a_certificate_that_nobody_issued_contradicts_nothing() -> None:
    """What it says of itself is not worth a word, its notBefore included."""
    own = changed(signed_by=key("terminal", "stranger"))
    verdict = verifier().verify_cms(claiming(ISSUED - DAY, certificates=(own,), signer_certificate=own))
    assert verdict.reasons == ("chain.no_issuer",)


def test_in_a_pdf_too() -> None:
    def cms(data: bytes) -> bytes:
        listed = tuple(attributes(data, signingTime=tlv(0x17, b"301120000000Z")))
        return Cms(content=data, attached=False, attributes=listed).build()

    assert verifier().verify_pdf(HandmadePdf(cms=pdf_cms).build()).indication is Indication.TOTAL_PASSED
    assert verifier().verify_pdf(HandmadePdf(cms=cms).build()).reasons == ("time.contradicted",)


# --- zones and ranges -------------------------------------------------------------------------------------------------

EDGES = [
    moment.replace(tzinfo=timezone(timedelta(hours=zone)))
    for moment in (datetime.min, datetime.max)  # noqa: DTZ901  # the zone is what is tested
    for zone in (-14, 0, 14)
]
CALLS: list[Callable[[Verifier, dict[str, Any]], Verdict]] = [
    lambda judge, o: judge.verify_cms(Cms().build(), **o),
    lambda judge, o: judge.verify_pdf(b"%PDF-1.7", **o),
    lambda judge, o: judge.verify_raw(b"", b"", certificate(), **o),
    lambda judge, o: judge.certificate_status(certificate(), **o),
    lambda judge, o: judge.verify_proof("", MemoryChallengeStore(), audience="x", **o),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ["at", "received_at"])
def test_the_ends_of_the_calendar(call: Callable[[Verifier, dict[str, Any]], Verdict], name: str) -> None:
    for moment in EDGES:
        try:
            verdict = call(verifier(), {name: moment})
        except UsageError:
            continue
        assert verdict.indication is not Indication.TOTAL_PASSED
    for other in ("2026-11-24", 0, NOW.date()):
        with pytest.raises(UsageError):
            call(verifier(), {name: other})


@pytest.mark.parametrize("call", CALLS)
def test_a_clock_without_a_zone_is_an_error_of_the_call(call: Callable[[Verifier, dict[str, Any]], Verdict]) -> None:
    """A naive time would be taken for local: in Tokyo nine hours wrong."""
    judge = Verifier.for_store("simulator", Good(), now=lambda: NOW.replace(tzinfo=None))
    for options in ({}, {"received_at": NOW - DAY}):
        with pytest.raises(UsageError, match="clock"):
            call(judge, options)


@pytest.mark.parametrize("clock", EDGES)
def test_a_clock_at_the_ends_of_the_calendar(clock: datetime) -> None:
    judge = Verifier.for_store("simulator", Good(), now=lambda: clock)
    for call in CALLS:
        try:
            assert call(judge, {}).indication is not Indication.TOTAL_PASSED
        except UsageError:
            continue


def test_a_store_of_challenges_at_the_ends_of_the_calendar(tmp_path: Any) -> None:
    from kojin_card.verification import SqliteChallengeStore

    store = SqliteChallengeStore(tmp_path / "store.db")
    for moment in (*EDGES, NOW.replace(tzinfo=None)):
        try:
            assert store.purge(moment) == 0
        except UsageError:
            continue


# --- sources that answer anything -------------------------------------------------------------------------------------

UNKNOWN = RevocationStatus.UNKNOWN
ANSWERS: list[Any] = [
    True, "good", None, object(), (), {"status": "good"}, RevocationStatus.GOOD,
    RevocationAnswer("good"),  # type: ignore[arg-type]
    RevocationAnswer(UNKNOWN),
    RevocationAnswer(UNKNOWN, "bogus"),  # type: ignore[arg-type]
    RevocationAnswer(RevocationStatus.GOOD, Unknown.STALE),
    RevocationAnswer(RevocationStatus.GOOD, number=10**5000),
    RevocationAnswer(RevocationStatus.GOOD, number=-1),
    RevocationAnswer(RevocationStatus.GOOD, number=True),
    RevocationAnswer(RevocationStatus.GOOD, number="1"),  # type: ignore[arg-type]
    RevocationAnswer(RevocationStatus.GOOD, source=b"x"),  # type: ignore[arg-type]
    RevocationAnswer(RevocationStatus.GOOD, method=None),  # type: ignore[arg-type]
    RevocationAnswer(RevocationStatus.GOOD, this_update="today"),  # type: ignore[arg-type]
    RevocationAnswer(RevocationStatus.GOOD, next_update=NOW.replace(tzinfo=None)),
    RevocationAnswer(RevocationStatus.GOOD, this_update=datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))),
]  # fmt: skip


class Rogue:
    """Answers whatever it was given."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def status(self, *_: Any, **__: Any) -> Any:
        return self.answer


@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_what_is_no_answer_is_unusable_and_never_good(number: int) -> None:
    verdict = verifier(Rogue(ANSWERS[number])).verify_cms(Cms().build())
    assert verdict.reasons == ("revocation.unusable",)
    assert verdict.check(CheckId.REVOCATION).state is CheckState.UNKNOWN


def test_a_sound_answer_is_taken() -> None:
    good = RevocationAnswer(RevocationStatus.GOOD, method="ocsp", source="x", number=7, this_update=NOW.astimezone(UTC))
    assert verifier(Rogue(good)).verify_cms(Cms().build()).require().evidence["revocation_source"] == "ocsp:x"
    for why in Unknown:
        verdict = verifier(Rogue(RevocationAnswer.unknown(why))).verify_cms(Cms().build())
        assert verdict.reasons == (f"revocation.{why}",)


# --- words in place of names --------------------------------------------------------------------------------------


def test_a_purpose_in_words_is_that_purpose() -> None:
    value = sign(key(), CONTENT)
    for purpose, reasons in (("signature", ()), ("authentication", ("profile.purpose",))):
        verdict = verifier().verify_raw(value, CONTENT, certificate(), purpose=purpose)  # type: ignore[arg-type]
        assert verdict.reasons[: len(reasons)] == reasons
        assert (verdict.indication is Indication.TOTAL_PASSED) is not bool(reasons)
