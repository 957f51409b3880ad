"""The verifier as a whole: times, evidence, disclosure, threads, imports, and hostile bytes of every kind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attacks.forge import (
    NOW,
    PERSON,
    Cms,
    Good,
    Pdf,
    as_ber,
    attributes,
    certificate,
    changed,
    crl,
    key,
    sign,
    signing_certificate_v2,
    tlv,
    verifier,
)
from kojin_card.authn import AuthenticationProof, Challenge
from kojin_card.errors import DecodeError, UsageError, VerdictError
from kojin_card.pki.profile import Purpose
from kojin_card.pki.revocation import Crl
from kojin_card.testing import verdict_document
from kojin_card.verdict import CARD_CHECKS, SLOT_CHECKS, CheckId, CheckState, Indication, TimeBasis, Verdict
from kojin_card.verification import Holder, MemoryChallengeStore, Sex, Verifier

CONTENT = Cms().content
QUICK = settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.too_slow])


# --- good messages of every shape -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(Cms(), id="attached"),
        pytest.param(Cms(by_key_id=True), id="by key id, version 3"),
        pytest.param(Cms(version=3), id="version 3"),
        pytest.param(Cms(attributes=None), id="no signed attributes"),
        pytest.param(Cms(content=b""), id="empty content"),
        pytest.param(Cms(content=b"x" * 100_000), id="long content"),
        pytest.param(
            Cms(
                attributes=tuple(
                    attributes(
                        CONTENT,
                        signingTime=tlv(0x17, b"261124000000Z"),
                        signingCertificateV2=signing_certificate_v2(certificate()),
                    )
                )
            ),
            id="signing-certificate-v2",
        ),
        pytest.param(Cms(certificates=(certificate(Purpose.AUTHENTICATION), certificate(), certificate())), id="a bag"),
        pytest.param(Cms(unsigned=tlv(0xA1, tlv(0x30, b"\x06\x01\x2a", tlv(0x31)))), id="unsigned attributes"),
    ],
)
def test_good_messages_pass_in_der_and_in_ber(message: Cms) -> None:
    for data in (message.build(), as_ber(message.build())):
        verdict = verifier().verify_cms(data, disclose=True).require()
        assert verdict.holder is not None
    detached = Cms(**{**vars(message), "attached": False}).build()
    verifier().verify_cms(detached, message.content).require()


def test_pem_is_taken() -> None:
    import base64

    body = base64.encodebytes(Cms().build()).decode()
    verifier().verify_cms(f"-----BEGIN CMS-----\n{body}-----END CMS-----\n".encode()).require()


# --- times ------------------------------------------------------------------------------------------------------------


def test_both_times_a_naive_time_and_a_future_time_are_errors_of_the_call() -> None:
    judge = verifier()
    day = timedelta(days=1)
    bad: tuple[dict[str, Any], ...] = (
        {"at": NOW, "received_at": NOW},
        {"at": NOW.replace(tzinfo=None)},
        {"received_at": NOW + timedelta(seconds=1)},
        {"at": NOW + day},
    )
    calls: tuple[Callable[[dict[str, Any]], Verdict], ...] = (
        lambda o: judge.verify_cms(b"", **o),
        lambda o: judge.verify_pdf(b"", **o),
        lambda o: judge.verify_raw(b"", b"", b"", **o),
        lambda o: judge.certificate_status(b"", **o),
        lambda o: judge.verify_proof("", MemoryChallengeStore(), audience="x", **o),
    )
    for options in bad:
        for call in calls:
            with pytest.raises(UsageError):
                call(options)


def test_the_time_of_receipt_may_pass_and_an_asserted_one_never() -> None:
    judge, data = verifier(), Cms().build()
    received = judge.verify_cms(data, received_at=(NOW - timedelta(days=3)).astimezone(timezone(timedelta(hours=9))))
    assert received.require().time_basis is TimeBasis.RECEIVED
    assert received.time == NOW - timedelta(days=3)
    asserted = judge.verify_cms(data, at=NOW - timedelta(days=3))
    assert asserted.reasons == ("time.asserted",)
    assert asserted.check(CheckId.TIME).state is CheckState.UNKNOWN
    assert judge.verify_cms(data, at=NOW).require().time_basis is TimeBasis.ASSERTED


def test_received_while_valid_passes_after_the_certificate_ended() -> None:
    ended = changed(not_after=NOW - timedelta(days=1))
    data = Cms(certificates=(ended,), signer_certificate=ended).build()
    assert verifier().verify_cms(data).reasons == ("validity.expired",)
    verifier().verify_cms(data, received_at=NOW - timedelta(days=2)).require()


# --- evidence and disclosure ------------------------------------------------------------------------------------------


def _texts(verdict: Verdict) -> str:
    return repr(verdict) + json.dumps([dict(verdict.evidence), *(dict(check.evidence) for check in verdict.checks)])


def test_nothing_personal_without_being_asked() -> None:
    for disclose in (False, True):
        verdict = verifier().verify_cms(Cms().build(), disclose=disclose)
        shown = _texts(verdict) + str(VerdictError(verdict))
        # the certificate ends on the holder's birthday, so its date is personal too (jpki.md §1.1)
        for secret in (PERSON.name, PERSON.address, "1984", "19840709", "07-09", "0709", "2031", "Kiyose"):
            assert secret not in shown
        assert (verdict.holder is None) is not disclose


def test_the_holder_on_request() -> None:
    holder = verifier().verify_cms(Cms().build(), disclose=True).holder
    assert isinstance(holder, Holder)
    assert (holder.name, holder.address, holder.birth_date) == (PERSON.name, PERSON.address, PERSON.birth_date)
    assert (holder.birth_date_text, holder.sex) == ("319840709", Sex.FEMALE)
    assert (holder.name_kana, holder.former_name, holder.unknown) == (None, None, ())
    assert repr(holder) == str(holder) == "Holder(***)"


def test_unknown_attributes_are_kept_raw() -> None:
    from attacks.test_catalogue import other_name, with_alt_names

    cert = with_alt_names(lambda n: [*n, other_name("1.2.392.200149.8.5.5.7", tlv(0x0C, "ケンショウ".encode()))])
    holder = verifier().certificate_status(cert, disclose=True).require().holder
    assert isinstance(holder, Holder)
    assert [(one.oid, one.value) for one in holder.unknown] == [
        ("1.2.392.200149.8.5.5.7", tlv(0x0C, "ケンショウ".encode()))
    ]


@pytest.mark.parametrize("sex", ["0", "3", "9"])
def test_other_sex_codes_are_unknown(sex: str) -> None:
    from attacks.test_catalogue import alt_names

    holder = verifier().certificate_status(changed(instead=alt_names(sex=sex)), disclose=True).require().holder
    assert isinstance(holder, Holder)
    assert holder.sex is Sex.UNKNOWN


def test_an_authentication_discloses_nobody() -> None:
    verdict = verifier().certificate_status(certificate(Purpose.AUTHENTICATION), disclose=True).require()
    assert verdict.holder is None


def test_evidence_names_what_judged() -> None:
    verdict = verifier().verify_cms(Cms(attached=False).build(), CONTENT).require()
    import hashlib

    assert verdict.evidence["document_sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert verdict.evidence["anchor"].startswith("sim-signca02:")
    assert verdict.evidence["engine"].startswith("kojin_card.verification ")
    assert verdict.store == "simulator"
    of_others = CARD_CHECKS | SLOT_CHECKS | {CheckId.CHALLENGE, CheckId.IMPRINT, CheckId.EARLIER, CheckId.CHIP}
    assert [check.id for check in verdict.checks] == [check for check in CheckId if check not in of_others]


def test_a_verdict_has_no_truth_value() -> None:
    with pytest.raises(TypeError):
        bool(verifier().verify_cms(Cms().build()))


# --- threads, imports -------------------------------------------------------------------------------------------------


def test_one_verifier_many_threads() -> None:
    judge = verifier()
    good, bad = Cms().build(), Cms(signature=lambda *_: bytes(256)).build()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: judge.verify_cms(bad if n % 2 else good).indication, range(60)))
    assert found == [Indication.TOTAL_PASSED, Indication.TOTAL_FAILED] * 30


def test_a_server_that_verifies_imports_no_card() -> None:
    code = (
        "import sys, kojin_card.verification as v; v.Verifier.production(); "
        "heavy = ('click', 'rich', 'smartcard', 'pyhanko', 'httpx', 'lxml', 'signxml'); "
        "bad = [m for m in sys.modules if m.split('.')[0] in heavy or "
        "m.startswith(('kojin_card.card', 'kojin_card.channel', 'kojin_card.transport', 'kojin_card.simulator', "
        "'kojin_card.applications', 'kojin_card.signing', 'kojin_card.cli', "
        "'kojin_card.globalplatform', 'kojin_card.slots'))]; print(bad)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout.strip() == "[]"


def _environment() -> dict[str, str]:
    import os

    from support import ROOT

    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


# --- hostile bytes ----------------------------------------------------------------------------------------------------


def _mutate(data: bytes, changes: list[tuple[int, int]], cut: int | None) -> bytes:
    out = bytearray(data)
    for place, byte in changes:
        out[place % len(out)] = byte
    return bytes(out[: cut % len(out)] if cut is not None else out)


mutations = st.tuples(
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), min_size=1, max_size=4),
    st.none() | st.integers(0, 20_000),
)


@QUICK
@given(mutations)
def test_mutated_cms_never_raises(mutation: tuple[list[tuple[int, int]], int | None]) -> None:
    good = Cms().build()
    data = _mutate(good, *mutation)
    verdict = verifier().verify_cms(data)
    if verdict.indication is Indication.TOTAL_PASSED:
        assert verdict.evidence["content_sha256"] == verifier().verify_cms(good).evidence["content_sha256"]


@settings(max_examples=60, deadline=4000, suppress_health_check=[HealthCheck.too_slow])
@given(mutations)
def test_mutated_pdf_never_raises_and_never_passes(mutation: tuple[list[tuple[int, int]], int | None]) -> None:
    good = Pdf().build()
    data = _mutate(good, *mutation)
    verdict = verifier().verify_pdf(data)
    if data != good and verdict.indication is Indication.TOTAL_PASSED:
        # only the case of a hex digit, or padding's spelling, may change
        assert data.lower() == good.lower()


@QUICK
@given(mutations)
def test_mutated_certificates_never_pass(mutation: tuple[list[tuple[int, int]], int | None]) -> None:
    data = _mutate(certificate(), *mutation)
    verdict = verifier().certificate_status(data)
    assert data == certificate() or verdict.indication is not Indication.TOTAL_PASSED


@QUICK
@given(mutations)
def test_mutated_lists_are_a_typed_error_or_do_not_verify(mutation: tuple[list[tuple[int, int]], int | None]) -> None:
    good = crl()
    data = _mutate(good, *mutation)
    anchor = next(a for a in verifier().trust.anchors if a.name == "sim-signca02")
    try:
        parsed = Crl.parse(data)
        parsed.entries()
    except DecodeError:
        return
    assert data == good or not parsed.signed_by(anchor)


@QUICK
@given(st.integers(0, 5000), st.characters(max_codepoint=0x300))
def test_mutated_proofs_never_pass(place: int, letter: str) -> None:
    given = Challenge.new("https://bank.example", "x", now=NOW, random=lambda n: b"n" * n)
    good = AuthenticationProof.make(
        given, certificate(Purpose.AUTHENTICATION), lambda text: sign(key("authentication"), text)
    ).compact()
    place %= len(good)
    changed_text = good[:place] + letter + good[place + 1 :]
    store = MemoryChallengeStore()
    store.add(given)
    verdict = verifier().verify_proof(changed_text, store, audience="https://bank.example")
    assert changed_text == good or verdict.indication is not Indication.TOTAL_PASSED


@QUICK
@given(st.binary(max_size=600))
def test_random_bytes_give_a_verdict_everywhere(data: bytes) -> None:
    judge = verifier()
    verdicts = [
        judge.verify_cms(data),
        judge.verify_cms(data, data),
        judge.verify_pdf(b"%PDF-1.7\n" + data),
        judge.verify_raw(data, data, certificate()),
        judge.verify_raw(data, data, data),
        judge.certificate_status(data),
        judge.verify_proof(data.decode("latin-1"), MemoryChallengeStore(), audience="x"),
    ]
    assert all(verdict.indication is not Indication.TOTAL_PASSED for verdict in verdicts)


def test_a_verifier_of_production_starts_without_a_simulator_store() -> None:
    production = Verifier.production(Good(), now=lambda: NOW)
    assert production.trust.store == "production"
    assert {anchor.store for anchor in production.trust.anchors} == {"production"}
    assert isinstance(production.now(), datetime)


def test_a_check_is_found_by_its_name_too() -> None:
    """CheckId is a StrEnum: whoever asks with the plain word must not be told that it was not checked."""
    verdict = Verifier.for_store("simulator", now=lambda: NOW).verify_cms(b"nothing")
    assert verdict.check("format").state == verdict.check(CheckId.FORMAT).state == "failed"  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="colour"):
        verdict.check("colour")  # type: ignore[arg-type]
    with pytest.raises(VerdictError, match=r"TOTAL_FAILED FORMAT_FAILURE format\.malformed"):
        verdict.require()


def test_what_compares_revisions_is_loaded_for_documents_that_have_some(tmp_path: Path) -> None:
    """It brings a client for HTTP along, and takes longer to load than a document with one signature to be judged."""
    code = (
        "import sys; from pathlib import Path; from kojin_card.verification import Verifier; "
        "verdict = Verifier.for_store('simulator').verify_pdf(Path(sys.argv[1]).read_bytes()); "
        "print(*verdict.reasons, *sorted({'pyhanko.sign', 'aiohttp'} & set(sys.modules)))"
    )
    said = []
    for name in ("passed.pdf", "passed.pdf.twice"):
        (tmp_path / name).write_bytes(verdict_document(name, datetime.now(UTC)).data)
        line = [sys.executable, "-c", code, str(tmp_path / name)]
        said.append(subprocess.run(line, capture_output=True, text=True, check=True, env=_environment()).stdout.split())
    assert said[0] == ["revocation.no_source"]
    assert "pyhanko.sign" in said[1]
