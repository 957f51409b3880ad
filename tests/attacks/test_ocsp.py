"""jpki.md §6 A-20, the part of OCSP: every fault of a responder gets its verdict, and none of them is good."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from attacks import forge
from attacks.forge import NOW, SERIAL, Cms, verifier
from kojin_card.errors import InputError, UsageError
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.crl_store import CrlMemory
from kojin_card.pki.fetch import Fetched, HttpTransport, Limits, check_address
from kojin_card.pki.ocsp import CertId, NonceRule, Refused, Rules, read_response, request
from kojin_card.pki.ocsp_source import Combined, OcspSettings, OcspSource, Responder
from kojin_card.pki.profile import Purpose
from kojin_card.pki.reference import CertificateReference
from kojin_card.pki.revocation import RevocationAnswer, RevocationStatus, Unknown
from kojin_card.pki.trust import TrustAnchor, TrustStore
from kojin_card.testing.ocsp import OF_HTTP, OcspAnswers, OcspFault
from kojin_card.testing.responder import OcspResponder
from kojin_card.verdict import CheckId, CheckState, Indication, SubIndication

URL = "http://ocsp.invalid/"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
F = OcspFault


def store() -> TrustStore:
    return TrustStore.load("simulator")


def anchor(name: str = "sim-signca02") -> TrustAnchor:
    return next(one for one in store().anchors if one.name == name)


class Clock:
    """Seconds that go on only when they are told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def settings(rules: Rules | None = None, **options: Any) -> OcspSettings:
    here = Responder(URL, rules or Rules())
    return OcspSettings({one.key_id: here for one in store().anchors}, **options)


def source(answers: OcspAnswers, rules: Rules | None = None, **options: Any) -> OcspSource:
    """A source that asks without any network."""
    clock = options.pop("clock", Clock())
    return OcspSource(settings(rules, **options), transport=lambda _, data: Fetched(answers.answer(data)), clock=clock)


def answers(**options: Any) -> OcspAnswers:
    return OcspAnswers(lambda: NOW, **options)


def judge(revocation: Any, **times: Any) -> Any:
    return verifier(revocation).verify_cms(Cms().build(), **times)


# --- what is good -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delegated", [False, True])
@pytest.mark.parametrize("hash", ["sha1", "sha256"])
def test_good(hash: str, delegated: bool) -> None:
    verdict = judge(source(answers(delegated=delegated), Rules(hash=hash))).require()
    evidence = verdict.check(CheckId.REVOCATION).evidence
    assert evidence["method"] == "ocsp"
    assert verdict.evidence["revocation_source"] == f"ocsp:{evidence['source']}"
    assert len(evidence["source"]) == 64
    assert "detail" not in evidence


@pytest.mark.parametrize("delegated", [False, True])
def test_good_for_the_next_card(delegated: bool) -> None:
    """A CA on P-384 signs what its responder says, or certifies a responder."""
    asked = source(answers(delegated=delegated))
    found = asked.status(CertificateReference(SERIAL), anchor("sim-signca03"), NOW, now=NOW)
    assert found.status is RevocationStatus.GOOD


@pytest.mark.parametrize("reason", ["keyCompromise", "certificateHold", "affiliationChanged", "unspecified"])
def test_revoked_with_reason_and_time(reason: str) -> None:
    responder = answers()
    responder.revoke(forge.certificate(), at=NOW - HOUR, reason=reason)
    verdict = judge(source(responder))
    assert verdict.reasons == ("revocation.revoked",)
    assert (verdict.indication, verdict.sub_indication) == (Indication.INDETERMINATE, SubIndication.REVOKED_NO_POE)
    evidence = verdict.check(CheckId.REVOCATION).evidence
    assert (evidence["revocation_reason"], evidence["revoked_at"]) == (reason, "2026-11-24T02:00:00Z")


def test_receipt_before_the_revocation_passes_and_after_does_not() -> None:
    responder = answers()
    responder.revoke(forge.certificate(), at=NOW - 10 * HOUR)
    before = judge(source(responder), received_at=NOW - 11 * HOUR).require()
    evidence = before.check(CheckId.REVOCATION).evidence
    assert evidence["detail"] == "revoked after the time asked about"
    assert (evidence["revoked_later_at"], evidence["revocation_reason"]) == ("2026-11-23T17:00:00Z", "keyCompromise")
    assert judge(source(responder), received_at=NOW - 9 * HOUR).reasons == ("revocation.revoked",)


def test_an_answer_given_after_the_certificate_ended_says_nothing_of_before() -> None:
    asked = source(answers())
    ended = CertificateReference(SERIAL, not_after=NOW - HOUR)
    found = asked.status(ended, anchor(), NOW - 2 * HOUR, now=NOW)
    assert (found.status, found.why) == (RevocationStatus.UNKNOWN, Unknown.OUTDATED)


# --- what is not ------------------------------------------------------------------------------------------------------

#: every fault of a response, and the reason that the verdict must have
FAULTS: dict[OcspFault, str] = {
    F.UNKNOWN: "revocation.not_known",
    F.WRONG_SERIAL: "revocation.untrusted",
    F.OTHER_HASH: "revocation.untrusted",
    F.OTHER_CA: "revocation.untrusted",
    F.TWO_ANSWERS: "revocation.untrusted",
    F.STALE: "revocation.outdated",
    F.OLD: "revocation.outdated",
    F.FUTURE: "revocation.outdated",
    F.NO_NONCE: "revocation.untrusted",
    F.OTHER_NONCE: "revocation.untrusted",
    F.CRITICAL_EXTENSION: "revocation.untrusted",
    F.CRITICAL_SINGLE_EXTENSION: "revocation.untrusted",
    F.TRY_LATER: "revocation.unreachable",
    F.INTERNAL_ERROR: "revocation.unreachable",
    F.UNAUTHORIZED: "revocation.unreachable",
    F.MALFORMED: "revocation.untrusted",
    F.TRAILING: "revocation.untrusted",
    F.EMPTY: "revocation.untrusted",
    F.WRONG_SIGNER: "revocation.untrusted",
    F.OTHER_GENERATION: "revocation.untrusted",
    F.WEAK_SIGNATURE: "revocation.untrusted",
    F.DAMAGED: "revocation.untrusted",
    F.OTHER_RESPONDER_ID: "revocation.untrusted",
    F.DELEGATE_NO_USAGE: "revocation.untrusted",
    F.DELEGATE_EXPIRED: "revocation.untrusted",
    F.DELEGATE_STRANGER: "revocation.untrusted",
    F.DELEGATE_OTHER_GENERATION: "revocation.untrusted",
    F.DELEGATE_NO_CHECK: "revocation.untrusted",
    F.HOLDER_AS_RESPONDER: "revocation.untrusted",
}  # fmt: skip


def test_every_fault_has_its_row() -> None:
    assert set(FAULTS) == set(OcspFault) - OF_HTTP


@pytest.mark.attack("A-20", "OCSP: {}", "INDETERMINATE TRY_LATER")
@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_is_good(fault: OcspFault) -> None:
    verdict = judge(source(answers(fault=fault)))
    assert verdict.reasons == (FAULTS[fault],)
    assert (verdict.indication, verdict.sub_indication) == (Indication.INDETERMINATE, SubIndication.TRY_LATER)
    assert verdict.check(CheckId.REVOCATION).state is CheckState.UNKNOWN


@pytest.mark.parametrize("fault", [F.WRONG_SIGNER, F.DAMAGED, F.OTHER_RESPONDER_ID, F.WEAK_SIGNATURE])
def test_nor_of_a_delegated_responder(fault: OcspFault) -> None:
    assert judge(source(answers(fault=fault, delegated=True))).reasons == ("revocation.untrusted",)


@pytest.mark.attack("A-20", "OCSP: the answer of another CA", "INDETERMINATE TRY_LATER")
def test_an_answer_for_one_ca_is_not_one_for_another() -> None:
    """The same serial under the other purpose's CA: name and key are in the CertID, and the key signs."""
    taken: list[bytes] = []
    responder = answers()

    def swap(_: str, data: bytes) -> Fetched:
        other = request(CertId.of(anchor("sim-authca02"), SERIAL), data[-32:])
        taken.append(responder.answer(other))
        return Fetched(taken[-1])

    verdict = judge(OcspSource(settings(), transport=swap))
    assert verdict.reasons == ("revocation.untrusted",)
    assert taken


@pytest.mark.attack("A-20", "OCSP: a recorded answer", "INDETERMINATE TRY_LATER")
def test_a_recorded_answer_is_not_taken_again() -> None:
    """Good yesterday's answer, replayed today to the same question: its nonce is another."""
    recorded: list[bytes] = []
    responder = answers()

    def record(_: str, data: bytes) -> Fetched:
        recorded.append(responder.answer(data))
        return Fetched(recorded[0])

    asked = OcspSource(settings(reuse=timedelta(0)), transport=record)
    judge(asked).require()
    assert judge(asked).reasons == ("revocation.untrusted",)


class Edited(OcspAnswers):
    """Answers whose SingleResponse is changed before it is signed."""

    def __init__(self, edit: Callable[[bytes], bytes]) -> None:
        super().__init__(lambda: NOW)
        self.edit = edit

    def _single(self, *given: Any) -> bytes:
        return self.edit(super()._single(*given))


def swapped(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """One place of the same length."""

    def edit(single: bytes) -> bytes:
        assert single.count(old) == 1
        return single.replace(old, new)

    return edit


THIS, NEXT = b"20261124025000Z", b"20261124032000Z"


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(swapped(b"\x80\x00\x18\x0f" + THIS, b"\x83\x00\x18\x0f" + THIS), id="a fourth status"),
        pytest.param(swapped(THIS, b"2026112402500.Z"), id="a fraction of a second"),
        pytest.param(swapped(THIS, b"20261124025060Z"), id="no such second"),
        pytest.param(swapped(b"\x18\x0f" + THIS, b"\x16\x0f" + THIS), id="a text for a time"),
        pytest.param(swapped(NEXT, b"20261124024000Z"), id="ends before it begins"),
        pytest.param(lambda single: single * 17, id="seventeen answers"),
        pytest.param(lambda _: b"", id="no answer"),
        pytest.param(lambda _: b"\x30\x00", id="an empty answer"),
        pytest.param(lambda single: b"\x31" + single[1:], id="a SET"),
    ],
)
def test_answers_that_are_malformed_though_signed(edit: Callable[[bytes], bytes]) -> None:
    assert judge(source(Edited(edit))).reasons == ("revocation.untrusted",)


@pytest.mark.parametrize("code", [7, 8, 11, 200])
def test_a_reason_that_takes_a_revocation_back_or_is_none(code: int) -> None:
    """removeFromCRL (8) would release a hold, which JPKI never does: what is signed as revoked is revoked."""
    responder = Edited(swapped(b"\x0a\x01\x06", bytes((0x0A, 1, code))))
    responder.revoke(forge.certificate(), at=NOW - HOUR, reason="certificateHold")
    for asked in (source(responder), Combined(CrlMemory([forge.crl()]), source(responder))):
        verdict = judge(asked)
        assert verdict.reasons == ("revocation.revoked",)
        assert verdict.check(CheckId.REVOCATION).evidence["revocation_reason"] == "unspecified"


def test_rules_in_words_are_as_strict_as_rules_in_names() -> None:
    required = Rules(nonce="required")  # type: ignore[arg-type]
    assert judge(source(answers(fault=F.NO_NONCE), required)).reasons == ("revocation.untrusted",)
    assert required == Rules()
    for wrong in ({"nonce": "sometimes"}, {"hash": "md5"}):
        with pytest.raises(UsageError):
            Rules(**wrong)  # type: ignore[arg-type]


def test_another_certificates_answer_beside_ours_changes_nothing() -> None:
    other = OcspAnswers(lambda: NOW)
    other.revoke_serial("sim-signca02", 0x77, at=NOW - HOUR)
    ca = forge.pki().ca_of(Purpose.SIGNATURE, 2)
    beside = other._single(ca, 0x77, "sha256", NOW, None)
    judge(source(Edited(lambda single: beside + single))).require()


def test_what_an_operators_rule_lets_pass_is_said() -> None:
    lenient = Rules(nonce=NonceRule.OPTIONAL)
    passed = judge(source(answers(fault=F.NO_NONCE), lenient)).require()
    assert passed.check(CheckId.REVOCATION).evidence["detail"] == "no nonce in the answer"
    assert judge(source(answers(fault=F.OTHER_NONCE), lenient)).reasons == ("revocation.untrusted",)
    none = Rules(nonce=NonceRule.NONE)
    judge(source(answers(), none)).require()
    unchecked = judge(source(answers(fault=F.DELEGATE_NO_CHECK), Rules(no_check=False))).require()
    assert "revocation was not checked" in unchecked.check(CheckId.REVOCATION).evidence["detail"]


def test_a_nonce_that_nobody_sent_is_refused() -> None:
    responder = answers()
    cert_id = CertId.of(anchor(), SERIAL)
    response = responder.answer(request(cert_id, bytes(32)))
    with pytest.raises(Refused, match="nonce"):
        read_response(response, cert_id, anchor(), None, Rules(nonce=NonceRule.NONE))


def test_a_revocation_counts_however_old_the_answer_is() -> None:
    responder = answers(fault=F.STALE)
    responder.revoke(forge.certificate(), at=NOW - 100 * HOUR)
    assert judge(source(responder)).reasons == ("revocation.revoked",)


def test_hostile_bytes_are_refused_in_time() -> None:
    good = answers().answer(request(CertId.of(anchor(), SERIAL), bytes(32)))
    hostile = [
        b"\x30\x80" * 40_000,
        b"\x30\x84\xff\xff\xff\xff",
        bytes(65_537),
        b"\xff" * 65_536,
        *(good[:at] for at in range(0, len(good), 41)),
        *(good[:at] + bytes((good[at] ^ 0x55,)) + good[at + 1 :] for at in range(0, len(good), 7)),
    ]
    began = time.monotonic()
    for data in hostile:
        asked = OcspSource(settings(), transport=lambda _, __, data=data: Fetched(data), random=lambda _: bytes(32))
        assert judge_status(asked).status is RevocationStatus.UNKNOWN
    assert time.monotonic() - began < 10


def judge_status(asked: OcspSource, at: datetime = NOW, now: datetime = NOW) -> RevocationAnswer:
    return asked.status(Certificate.parse(forge.certificate()), anchor(), at, now=now)


# --- whom is asked, and when ------------------------------------------------------------------------------------------


def test_a_ca_key_without_a_responder_is_not_asked_about() -> None:
    asked: list[str] = []

    def transport(url: str, _: bytes) -> Fetched:
        asked.append(url)
        return Fetched(problem="invented")

    other = OcspSettings({anchor("sim-signca01").key_id: Responder(URL)})
    verdict = judge(OcspSource(other, transport=transport))
    assert verdict.reasons == ("revocation.no_responder",)
    assert not asked


AIA = "http://ocsp.jpki-simulator.invalid"


@pytest.mark.parametrize(
    ("allowed", "forged", "wanted"),
    [({AIA}, False, [AIA]), ({AIA + "/"}, False, []), (set(), False, []), ({AIA}, True, [])],
)
def test_an_address_in_the_certificate_is_asked_only_when_allowed_and_certified(
    allowed: set[str], forged: bool, wanted: list[str]
) -> None:
    asked: list[str] = []
    signer = forge.key("terminal", "stranger") if forged else None
    certificate = Certificate.parse(forge.changed(Purpose.AUTHENTICATION, signed_by=signer))

    def transport(url: str, data: bytes) -> Fetched:
        asked.append(url)
        return Fetched(answers().answer(data))

    subject = OcspSource(OcspSettings({}, aia=frozenset(allowed)), transport=transport)
    found = subject.status(certificate, anchor("sim-authca02"), NOW, now=NOW)
    assert asked == wanted
    assert found.status is (RevocationStatus.GOOD if wanted else RevocationStatus.UNKNOWN)


def test_a_failing_responder_is_left_alone_for_longer_and_longer() -> None:
    clock, responder = Clock(), answers(fault=F.TRY_LATER)
    asked = source(responder, clock=clock)
    for pause in (1, 2, 4, 8):
        before = responder.requests
        judge_status(asked)
        assert responder.requests == before + 1
        clock.seconds += pause - 0.01
        found = judge_status(asked)
        assert (found.why, responder.requests) == (Unknown.UNREACHABLE, before + 1)
        clock.seconds += 0.02
    for _ in range(40):
        clock.seconds += 301
        judge_status(asked)
    responder.fault = None
    clock.seconds += 301
    assert judge_status(asked).status is RevocationStatus.GOOD
    responder.fault = F.TRY_LATER
    assert asked.status(CertificateReference(7), anchor(), NOW, now=NOW).why is Unknown.UNREACHABLE
    clock.seconds += 1.01  # the first pause is short again
    responder.fault = None
    assert asked.status(CertificateReference(7), anchor(), NOW, now=NOW).status is RevocationStatus.GOOD


def test_an_answer_is_used_again_for_a_while_and_not_longer() -> None:
    now = [NOW]
    responder = OcspAnswers(lambda: now[0])
    asked = source(responder)
    judge_status(asked)
    responder.revoke(forge.certificate())
    now[0] = NOW + 4 * MINUTE
    assert judge_status(asked, now[0], now[0]).status is RevocationStatus.GOOD
    assert responder.requests == 1
    now[0] = NOW + 5 * MINUTE
    assert judge_status(asked, now[0], now[0]).status is RevocationStatus.REVOKED
    earlier = NOW - MINUTE  # a clock that was put back: nothing that was kept is used
    judge_status(asked, earlier, earlier)
    assert responder.requests == 3


def test_next_update_holds_for_what_is_used_again() -> None:
    responder = answers()
    asked = source(responder, reuse=timedelta(hours=12))
    judge_status(asked)
    found = judge_status(asked, NOW + 30 * MINUTE, NOW + 30 * MINUTE)  # nextUpdate is 20 minutes away, the skew 2
    assert (found.why, found.detail, responder.requests) == (Unknown.OUTDATED, "past its nextUpdate", 1)


def test_the_cache_is_bounded() -> None:
    responder = answers()
    asked = OcspSource(settings(), transport=lambda _, data: Fetched(responder.answer(data)), cache_size=3)
    for serial in (1, 2, 3, 4, 4, 3, 2, 1):
        asked.status(CertificateReference(serial), anchor(), NOW, now=NOW)
    assert responder.requests == 5


def test_many_threads_ask_one_source() -> None:
    responder = answers()
    responder.revoke_serial("sim-signca02", 3, at=NOW - HOUR)
    asked, wrong = source(responder), []

    def run() -> None:
        for serial in (1, 2, 3, 4):
            found = asked.status(CertificateReference(serial), anchor(), NOW, now=NOW).status
            if found is not (RevocationStatus.REVOKED if serial == 3 else RevocationStatus.GOOD):
                wrong.append((serial, found))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# --- several sources --------------------------------------------------------------------------------------------------


class Says:
    def __init__(self, status: RevocationStatus | None) -> None:
        self.said = status

    def status(self, *_: object, **__: object) -> RevocationAnswer:
        if self.said is None:
            raise TimeoutError("invented")
        why = Unknown.NO_LIST if self.said is RevocationStatus.UNKNOWN else None
        return RevocationAnswer(self.said, why)


G, R, U = RevocationStatus.GOOD, RevocationStatus.REVOKED, RevocationStatus.UNKNOWN


@pytest.mark.parametrize(
    ("said", "wanted"),
    [((G, R), R), ((R, G), R), ((U, G), G), ((G, U), G), ((U, U), U), ((None, R), R), ((None, G), G), ((None, U), U)],
)
def test_any_revocation_counts_and_then_the_first_good(
    said: tuple[RevocationStatus | None, ...], wanted: RevocationStatus
) -> None:
    assert judge_status(Combined(*(Says(one) for one in said))).status is wanted  # type: ignore[arg-type]


class Answers:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def status(self, *_: object, **__: object) -> Any:
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [
        RevocationAnswer(R, revoked_at=datetime(2026, 11, 23)),  # noqa: DTZ001
        RevocationAnswer(R, revoked_at=datetime.min.replace(tzinfo=timezone(14 * HOUR))),
        RevocationAnswer("revoked"),  # type: ignore[arg-type]
        RevocationAnswer(R, reason=5),  # type: ignore[arg-type]
        RevocationAnswer(R, Unknown.STALE),
        R,
    ],
    ids=range(6),
)
def test_a_mistake_beside_a_revocation_hides_it_from_nobody(answer: Any) -> None:
    for asked in (Answers(answer), Combined(Says(G), Answers(answer)), Combined(Answers(answer), Says(G))):
        assert judge(asked).reasons == ("revocation.revoked",)


def test_of_good_answers_the_newest_counts_and_one_that_knows_of_a_later_revocation() -> None:
    old = RevocationAnswer(G, this_update=NOW - 2 * HOUR, source="old")
    new = RevocationAnswer(G, this_update=NOW, source="new")
    told = RevocationAnswer(G, this_update=NOW - HOUR, source="told", reason="superseded", revoked_later_at=NOW)
    for both in ((old, new), (new, old)):
        asked = Combined(*map(Answers, both))
        assert judge(asked).require().evidence["revocation_source"] == "crl:new"
        waiting = dataclasses.replace(verifier(asked), grace=HOUR)
        waiting.verify_cms(
            Cms().build(), received_at=NOW - HOUR
        ).require()  # the new answer is late enough, the old one is not
    for three in ((old, told, new), (new, old, told)):
        verdict = judge(Combined(*map(Answers, three)), received_at=NOW - HOUR).require()
        evidence = verdict.check(CheckId.REVOCATION).evidence
        assert evidence["revoked_later_at"] == "2026-11-24T03:00:00Z"


def test_no_source_at_all_cannot_be_combined() -> None:
    with pytest.raises(InputError):
        Combined()


# --- over HTTP --------------------------------------------------------------------------------------------------------

SHORT = Limits(connect=0.5, read=0.5, total=1.0)


@pytest.fixture
def responder() -> Iterator[OcspResponder]:
    with OcspResponder(lambda: NOW) as running:
        yield running


@pytest.mark.parametrize("delegated", [False, True])
def test_good_over_http(responder: OcspResponder, delegated: bool) -> None:
    responder.delegated = delegated
    asked = OcspSource(responder.settings(reuse=timedelta(0)))
    judge(asked).require()
    judge(asked).require()
    assert (responder.requests, responder.cookies) == (2, 0)


@pytest.mark.attack("A-20", "OCSP over HTTP: {}", "INDETERMINATE TRY_LATER")
@pytest.mark.parametrize("fault", sorted(OF_HTTP))
def test_no_fault_of_http_is_good_or_waited_for(responder: OcspResponder, fault: OcspFault) -> None:
    responder.fault = OcspFault(fault)
    with_limits = OcspSettings(responder.settings().responders, limits=SHORT)
    began = time.monotonic()
    verdict = judge(OcspSource(with_limits))
    assert time.monotonic() - began < 20  # a second where nothing else runs; the slow ones take thirty
    assert verdict.reasons == ("revocation.unreachable",)
    assert "127.0.0.1" not in verdict.check(CheckId.REVOCATION).evidence["detail"]


def test_nobody_listens() -> None:
    with OcspResponder(lambda: NOW) as gone:
        asked = gone.source()
    verdict = judge(asked)
    assert verdict.reasons == ("revocation.unreachable",)


def test_only_configured_addresses_are_asked(responder: OcspResponder) -> None:
    transport = HttpTransport([responder.url])
    assert transport(responder.url + "x", b"").problem == "not a configured address"
    assert transport("http://ocsp.invalid/", b"").problem == "not a configured address"
    assert responder.requests == 0


def test_a_proxy_of_the_environment_is_not_used(responder: OcspResponder, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    judge(responder.source()).require()


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a.invalid/", "http://", "http://u:p@a.invalid/", "http://u@a.invalid/", "//a.invalid",
     "http://a.invalid/#x", "http://a.invalid/ b", "http://a.invalid/\n", "http://ä.invalid/", "http://a.invalid:99999/",
     "http://a.invalid/" + "x" * 3000, "", "gopher://a.invalid", "http://[::1/"],
)  # fmt: skip
def test_an_address_that_cannot_be_asked_is_refused_when_it_is_configured(url: str) -> None:
    with pytest.raises(InputError):
        check_address(url)
    with pytest.raises(InputError):
        Responder(url)


def test_a_transport_that_raises_is_not_good() -> None:
    def broken(_: str, __: bytes) -> Fetched:
        raise RuntimeError("invented")

    assert judge(OcspSource(settings(), transport=broken)).reasons == ("revocation.unusable",)
