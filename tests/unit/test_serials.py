"""The status of stored serials: what passed means, files of them, and what of a file is not taken."""

from __future__ import annotations

import dataclasses
import io
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from attacks import forge
from attacks.forge import NOW, OTHER_CITY, SERIAL, crl, verifier
from kojin_card import verification
from kojin_card.errors import InputError
from kojin_card.pki import names
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.crl_store import CrlMemory
from kojin_card.pki.profile import Purpose
from kojin_card.pki.reference import (
    CertificateReference,
    EnrolAgain,
    read_issuer,
    read_scope,
    read_serial,
    scope_text,
)
from kojin_card.pki.trust import TrustStore
from kojin_card.simulator.testpki import RevokedEntry
from kojin_card.verdict import CheckId, Indication, Verdict
from kojin_card.verification import Verifier
from kojin_card.verification.serials import MAX_LINE_BYTES, SerialResult, judge_rows, read_rows, status_of

HOUR = timedelta(hours=1)
STORE = TrustStore.load("simulator")
ANCHOR = next(one for one in STORE.anchors if one.name == "sim-signca02")
SCOPE = Certificate.parse(forge.certificate()).crl_scope
assert SCOPE is not None
TEXT = names.text(SCOPE)


def lists(*revoked: RevokedEntry) -> CrlMemory:
    return CrlMemory([crl(revoked), crl(city=OTHER_CITY), crl(purpose=Purpose.AUTHENTICATION)])


def ask(source: Any = None, **options: Any) -> Any:
    judge = verifier(lists() if source is None else source)
    return judge.serial_status(options.pop("serial", SERIAL), options.pop("issuer", ANCHOR), **options)


def test_with_grace_nothing_passes_as_of_now_and_a_list_from_after_the_receipt_does() -> None:
    waiting = dataclasses.replace(verifier(lists()), grace=HOUR)
    now = waiting.serial_status(SERIAL, ANCHOR, scope=SCOPE)
    assert (now.reasons, status_of(now)) == (("revocation.grace",), "unknown")
    early, late = (
        waiting.serial_status(SERIAL, ANCHOR, scope=SCOPE, received_at=NOW - hours * HOUR) for hours in (2, 3)
    )
    assert early.reasons == ("revocation.grace",)  # the list is of two hours ago
    assert status_of(late.require()) == "good"
    asserted = waiting.serial_status(SERIAL, ANCHOR, scope=SCOPE, at=NOW - 3 * HOUR)
    assert asserted.reasons == ("revocation.grace", "time.asserted")
    gone = dataclasses.replace(verifier(lists(RevokedEntry(SERIAL, NOW - HOUR, "superseded"))), grace=HOUR)
    later = gone.serial_status(SERIAL, ANCHOR, scope=SCOPE, received_at=NOW - 3 * HOUR).require()
    assert later.check(CheckId.REVOCATION).evidence["revoked_later_at"] == "2026-11-24T02:00:00Z"
    assert status_of(gone.serial_status(SERIAL, ANCHOR, scope=SCOPE)) == "revoked"


# --- one --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "issuer", ["sim-signca02", ANCHOR.key_id.hex(), ANCHOR.key_id.hex().upper(), ANCHOR.id, ANCHOR]
)
@pytest.mark.parametrize("scope", [SCOPE, TEXT, SCOPE.hex()], ids=["bytes", "text", "hex"])
def test_not_revoked(issuer: Any, scope: Any) -> None:
    verdict = ask(issuer=issuer, scope=scope, serial=f" {SERIAL:x} ").require()
    assert status_of(verdict) == "good"
    assert verdict.subject == "serial"
    assert verdict.evidence["end"] == "not_known"
    assert {check.id for check in verdict.checks} == {CheckId.REVOCATION, CheckId.TIME}


def test_revoked_and_since_when() -> None:
    source = lists(RevokedEntry(SERIAL, NOW - 5 * HOUR, "keyCompromise"))
    verdict = ask(source, scope=SCOPE)
    assert verdict.reasons == ("revocation.revoked",)
    assert status_of(verdict) == "revoked"
    ask(source, scope=SCOPE, received_at=NOW - 6 * HOUR).require()
    assert status_of(ask(source, scope=SCOPE, at=NOW - 6 * HOUR)) == "unknown"  # an asserted past proves nothing


def test_lists_answer_only_for_their_distribution_point() -> None:
    """A clean list of another municipality says nothing (A-20), and without a name no list is found."""
    other = forge.pki().partition(Purpose.SIGNATURE, OTHER_CITY).public_bytes()
    source = CrlMemory([crl([RevokedEntry(SERIAL, NOW - HOUR)]), crl(city=OTHER_CITY)])
    assert ask(source).reasons == ("revocation.no_list",)
    assert ask(source, scope=SCOPE).reasons == ("revocation.revoked",)
    only_other = CrlMemory([crl(city=OTHER_CITY)])
    assert ask(only_other, scope=SCOPE).reasons == ("revocation.no_list",)
    ask(source, scope=other).require()  # as asked: whoever keeps serials keeps the right name with them


def test_the_same_serial_of_another_ca_key_is_another_certificate() -> None:
    source = lists(RevokedEntry(SERIAL, NOW - HOUR))
    assert ask(source, scope=SCOPE).reasons == ("revocation.revoked",)
    assert ask(source, scope=SCOPE, issuer="sim-signca01").reasons == ("revocation.no_list",)


def test_an_end_that_was_kept_is_looked_at() -> None:
    assert ask(scope=SCOPE, not_after=NOW + HOUR).require().check(CheckId.VALIDITY).state == "passed"
    ended = ask(scope=SCOPE, not_after=NOW - HOUR)
    assert (ended.reasons, status_of(ended)) == (("validity.expired",), "expired")


def test_a_ca_that_has_ended_ended_its_certificates() -> None:
    late = ANCHOR.not_after + HOUR
    judge = Verifier.for_store("simulator", forge.Good(), now=lambda: late)
    verdict = judge.serial_status(SERIAL, ANCHOR)
    assert (verdict.reasons, status_of(verdict)) == (("validity.issuer_expired",), "expired")


def test_nobody_asked_is_not_good() -> None:
    verdict = Verifier.for_store("simulator", now=lambda: NOW).serial_status(SERIAL, ANCHOR)
    assert verdict.reasons == ("revocation.no_source",)
    assert verdict.indication is Indication.INDETERMINATE


@pytest.mark.parametrize("serial", ["", "0", "-1", "xyz", "1" * 41, "80" + "00" * 19, "１", 0, -5])
def test_serials_that_cannot_be(serial: Any) -> None:
    with pytest.raises(InputError):
        ask(serial=serial)


def test_an_issuer_is_never_found_by_its_name_in_the_certificate_nor_in_another_store() -> None:
    production = TrustStore.load("production").anchors[0]
    for issuer in (names.text(ANCHOR.subject), "", "sim-signca", production, production.key_id.hex(), production.name):
        with pytest.raises(InputError):
            ask(issuer=issuer)


@pytest.mark.parametrize("text", ["x", "CN=", "3000", "30", "CN=a,,", "30" * 3000, "CN=a+b", "1.2.3=x\x00", "=a"])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(InputError):
        read_scope(text)


def test_small_readers() -> None:
    assert read_scope("  ") is None
    assert SCOPE is not None
    assert scope_text(SCOPE) == TEXT
    assert read_serial("01:50:00:01") == SERIAL
    assert read_issuer(ANCHOR.name, STORE) is ANCHOR
    reference = CertificateReference.of(Certificate.parse(forge.certificate()))
    assert (reference.serial, reference.crl_scope, reference.ends) == (SERIAL, SCOPE, True)
    assert f"{SERIAL:X}" not in repr(reference)
    assert EnrolAgain().successor(ANCHOR, SERIAL) is None


# --- many -------------------------------------------------------------------------------------------------------------


def run(text: str | bytes, source: Any = None) -> list[SerialResult]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(judge_rows(verifier(lists() if source is None else source), read_rows(io.BytesIO(data), STORE)))


def test_a_file_line_by_line() -> None:
    text = (
        "id,issuer,serial,distribution_point,not_after\r\n"
        f'c1,sim-signca02,{SERIAL:X},"{TEXT}",\r\n'
        f'c2,sim-signca02,77,"{TEXT}",2030-07-09T23:59:59+09:00\r\n'
        "\r\n"
        f"=cmd(),{ANCHOR.key_id.hex()},1,,\r\n"
        f"c4,nobody,1,,\r\n"
        f"c5,sim-signca02,0,,\r\n"
        f"c6,sim-signca02,1,,yesterday\r\n"
        f"c7,sim-signca02\r\n"
        f'c8,sim-signca02,1,"{TEXT}",2026-11-24T00:00:00Z\r\n'
    )
    source = lists(RevokedEntry(0x77, NOW - HOUR))
    found = run("\ufeff" + text, source)
    assert [(one.row.number, one.row.id, one.status) for one in found] == [
        (2, "c1", "good"), (3, "c2", "revoked"), (5, "=cmd()", "unknown"), (6, "c4", "bad"), (7, "c5", "bad"),
        (8, "c6", "bad"), (9, "", "bad"), (10, "c8", "expired"),
    ]  # fmt: skip
    assert [one.row.problem is not None for one in found] == [one.status == "bad" for one in found]


@pytest.mark.parametrize(
    "header",
    [b"", b"serial\n1\n", b"issuer,serial,serial\n", b"issuer,serial,name\n", b"\xff\xfe\n", b'issuer,"serial\n'],
)
def test_a_header_that_is_none(header: bytes) -> None:
    with pytest.raises(InputError):
        run(header)


def test_lines_that_are_not_text_or_never_end() -> None:
    rows = b"issuer,serial\n\xff\xfe,1\n" + b"a" * 3 * MAX_LINE_BYTES + b'\nsim-signca02,1\n"a,1\nsim-signca02,2'
    found = run(rows, forge.Good())
    assert [one.status for one in found] == ["bad", "bad", "good", "bad", "good"]
    assert [one.row.number for one in found] == [2, 3, 4, 5, 6]


class Endless(io.RawIOBase):
    """A file of a hundred thousand lines that is never in memory."""

    def __init__(self, lines: int) -> None:
        self.left = lines
        self.first = True

    def readline(self, size: int | None = -1, /) -> bytes:
        del size
        if self.first:
            self.first = False
            return b"issuer,serial\n"
        self.left -= 1
        return b"sim-signca02,1F\n" if self.left >= 0 else b""


def test_a_long_file_takes_no_memory() -> None:
    def results(count: int) -> Iterator[SerialResult]:
        return judge_rows(verifier(), read_rows(Endless(count), STORE))  # type: ignore[arg-type]

    assert sum(1 for _ in results(10)) == 10
    tracemalloc.start()
    assert sum(1 for _ in results(3_000)) == 3_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1_000_000


def test_what_a_caller_annotates_with_comes_from_the_room_itself() -> None:
    names_of_callers = {"Verdict", "Indication", "SubIndication", "LinkSource", "LinkedCertificate", "EnrolAgain"}
    assert names_of_callers <= set(verification.__all__)
    assert verification.Verdict is Verdict
