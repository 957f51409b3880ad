"""Attacks on revocation (jpki.md §6 A-20): whatever is not a fresh list of the right key and scope says nothing."""

# ruff: noqa: E501 - a table of attacks is read row by row

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from attacks import forge
from attacks.forge import CITY, NOW, OTHER_CITY, SERIAL, Cms, crl, folder, oid, tlv, verifier
from kojin_card.errors import InputError
from kojin_card.pki.crl_store import CrlFile, CrlFolder, add_crl, list_crls
from kojin_card.pki.profile import Purpose, Store
from kojin_card.pki.trust import TrustStore
from kojin_card.simulator.testpki import RevokedEntry
from kojin_card.verdict import CheckId, CheckState, Indication, SubIndication, Verdict
from kojin_card.verification import Verifier

HOUR = timedelta(hours=1)


def entry(at: datetime = NOW - 10 * HOUR, reason: str | None = "keyCompromise") -> RevokedEntry:
    return RevokedEntry(SERIAL, at, reason)


def edited(edit: Callable[[list[bytes]], list[bytes]], data: bytes | None = None) -> bytes:
    """A list whose extensions were edited and that its CA signed again."""
    return forge.reforged(crl() if data is None else data, forge.edit_extensions(edit))


def without(name: str) -> Callable[[list[bytes]], list[bytes]]:
    return lambda items: [item for item in items if oid(name) not in item]


def plus(name: str, value: bytes, *, critical: bool = True) -> Callable[[list[bytes]], list[bytes]]:
    return lambda items: [*items, forge.extension(name, value, critical=b"\x01\x01\xff" if critical else b"")]


def scope(edit: Callable[[list[bytes]], list[bytes]]) -> Callable[[list[bytes]], list[bytes]]:
    """Edit the fields of the issuingDistributionPoint."""

    def apply(items: list[bytes]) -> list[bytes]:
        out = []
        for item in items:
            if oid("2.5.29.28") in item:
                fields = forge.elements(forge.inside(forge.inside(forge.elements(forge.inside(item))[-1])))
                item = forge.extension("2.5.29.28", tlv(0x30, *edit(fields)), critical=b"\x01\x01\xff")
            out.append(item)
        return out

    return apply


@dataclass(frozen=True)
class Row:
    what: str
    lists: Callable[[], tuple[bytes, ...]]
    reason: str

    def __str__(self) -> str:
        return self.what


TABLE = [
    Row("no list", lambda: (), "revocation.no_list"),
    Row("a clean list of another municipality", lambda: (crl(city=OTHER_CITY),), "revocation.no_list"),
    Row("the list of the authentication CA", lambda: (crl(purpose=Purpose.AUTHENTICATION),), "revocation.no_list"),
    Row("past nextUpdate", lambda: (crl(at=NOW - 3 * HOUR, next_update=NOW),), "revocation.stale"),
    Row("inside nextUpdate but older than a day", lambda: (crl(at=NOW - 25 * HOUR),), "revocation.stale"),
    Row("not valid yet", lambda: (crl(at=NOW + HOUR),), "revocation.stale"),
    Row("of another generation of the CA", lambda: (crl(generation=1),), "revocation.no_list"),
    Row("signed by nobody", lambda: (crl()[:-1] + b"\x00",), "revocation.unusable"),
    Row("signed by the attacker", lambda: (forge.reforged(
        crl(), lambda f: f, private=forge.key("terminal", "stranger")),), "revocation.unusable"),
    Row("no scope", lambda: (edited(without("2.5.29.28")),), "revocation.unusable"),
    Row("a scope that is not critical", lambda: (edited(lambda e: [
        tlv(0x30, *[field for field in forge.elements(forge.inside(one)) if field != b"\x01\x01\xff"]) for one in e]),),
        "revocation.unusable"),
    Row("a delta list", lambda: (edited(plus("2.5.29.27", b"\x02\x01\x01")),), "revocation.unusable"),
    Row("an unknown critical extension", lambda: (edited(plus("1.2.3.4", b"\x05\x00")),), "revocation.unusable"),
    Row("an extension twice", lambda: (edited(lambda e: [*e, e[0]]),), "revocation.unusable"),
    Row("no number", lambda: (edited(without("2.5.29.20")),), "revocation.unusable"),
    Row("for CAs only", lambda: (edited(scope(lambda f: [f[0], b"\x82\x01\xff"])),), "revocation.unusable"),
    Row("for some reasons only", lambda: (edited(scope(lambda f: [f[0], b"\x83\x02\x01\x02"])),), "revocation.unusable"),
    Row("an indirect list", lambda: (edited(scope(lambda f: [f[0], b"\x84\x01\xff"])),), "revocation.unusable"),
    Row("a scope without a name", lambda: (edited(scope(lambda f: f[1:])),), "revocation.unusable"),
    Row("rubbish", lambda: (b"\x30\x03abc", b"", b"-----BEGIN X509 CRL-----"), "revocation.unusable"),
    Row("a list entry with an unknown critical extension", lambda: (forge.reforged(
        crl([entry()]), lambda f: [*f[:5], tlv(0x30, *(
            tlv(0x30, *forge.elements(forge.inside(one))[:2], tlv(0x30, forge.extension(
                "1.2.3.4", b"\x05\x00", critical=b"\x01\x01\xff")))
            for one in forge.elements(forge.inside(f[5])))), *f[6:]]),), "revocation.unusable"),
]  # fmt: skip


@pytest.mark.attack("A-20")
@pytest.mark.parametrize("row", TABLE, ids=str)
def test_it_is_unknown_and_never_good(row: Row, tmp_path: Path) -> None:
    verdict = verifier(folder(tmp_path, *row.lists())).verify_cms(Cms().build())
    assert verdict.reasons == (row.reason,)
    assert (verdict.indication, verdict.sub_indication) == (Indication.INDETERMINATE, SubIndication.TRY_LATER)


def judge(tmp_path: Path, *lists: bytes, now: datetime = NOW, **options: Any) -> Verdict:
    return verifier(folder(tmp_path, *lists), now=now).verify_cms(Cms().build(), **options)


def test_a_fresh_list_of_the_municipality_passes(tmp_path: Path) -> None:
    verdict = judge(tmp_path, crl(), crl(city=OTHER_CITY), crl(generation=1), b"rubbish").require()
    evidence = verdict.check(CheckId.REVOCATION).evidence
    assert evidence["method"] == "crl"
    assert evidence["this_update"] == "2026-11-24T01:00:00Z"
    assert verdict.evidence["revocation_source"] == f"crl:{evidence['source']}"


def test_one_file_is_a_source_too(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(crl())
    verifier(CrlFile(path)).verify_cms(Cms().build()).require()


@pytest.mark.attack("A-20", "nobody is asked", "revocation.no_source")
def test_no_source_is_not_good() -> None:
    verdict = Verifier.for_store(Store.SIMULATOR, now=lambda: NOW).verify_cms(Cms().build())
    assert verdict.reasons == ("revocation.no_source",)
    assert verdict.check(CheckId.REVOCATION).state is CheckState.NOT_CHECKED
    assert (verdict.indication, verdict.sub_indication) == (Indication.INDETERMINATE, SubIndication.TRY_LATER)


@pytest.mark.attack("A-20", "revoked, whatever the reason (certificateHold too)", "revocation.revoked")
@pytest.mark.parametrize("reason", ["keyCompromise", "certificateHold", "affiliationChanged", "superseded", None])
def test_revoked_whatever_the_reason(tmp_path: Path, reason: str | None) -> None:
    verdict = judge(tmp_path, crl([entry(reason=reason)]))
    assert (verdict.indication, verdict.sub_indication) == (Indication.INDETERMINATE, SubIndication.REVOKED_NO_POE)
    assert verdict.check(CheckId.REVOCATION).evidence["revocation_reason"] == (reason or "unspecified")


@pytest.mark.attack("A-20", "a hold that a later list has not", "revocation.revoked")
def test_a_hold_is_never_released(tmp_path: Path) -> None:
    """Yesterday's list has the hold, this morning's has not: still revoked, as long as both are fresh."""
    held = crl([entry(reason="certificateHold", at=NOW - 20 * HOUR)], at=NOW - 15 * HOUR)
    assert judge(tmp_path, held, crl()).reasons == ("revocation.revoked",)


@pytest.mark.attack("A-20", "a revocation date in the future", "revocation.revoked")
def test_a_revocation_date_in_the_future_is_revoked_now(tmp_path: Path) -> None:
    assert judge(tmp_path, crl([entry(at=NOW + 5 * HOUR)])).reasons == ("revocation.revoked",)


def test_receipt_before_the_revocation_passes_and_after_does_not(tmp_path: Path) -> None:
    data = crl([entry(at=NOW - 10 * HOUR)], at=NOW - 2 * HOUR)
    before = judge(tmp_path, data, received_at=NOW - 11 * HOUR).require()
    assert before.check(CheckId.REVOCATION).evidence["detail"] == "revoked after the time asked about"
    assert judge(tmp_path, data, received_at=NOW - 9 * HOUR).reasons == ("revocation.revoked",)
    assert set(judge(tmp_path, data, at=NOW - 11 * HOUR).reasons) == {"time.asserted"}


@pytest.mark.attack("A-20", "a list from after the certificate ended", "revocation.stale")
def test_a_later_list_does_not_answer_once_the_certificate_has_ended(tmp_path: Path) -> None:
    """Lists drop certificates that have expired, so their silence says nothing then."""
    cert = forge.changed(not_after=NOW - 5 * HOUR)
    data = Cms(certificates=(cert,), signer_certificate=cert).build()
    source = folder(tmp_path, crl(at=NOW - 2 * HOUR))
    verdict = verifier(source).verify_cms(data, received_at=NOW - 6 * HOUR)
    assert verdict.reasons == ("revocation.stale",)


@pytest.mark.attack("A-20", "a proof by a key that was revoked before", "revocation.revoked_before_signing")
def test_a_proof_by_a_key_that_was_revoked_before_fails_for_good(tmp_path: Path) -> None:
    from attacks.test_catalogue import challenge, proof

    revoked = RevokedEntry(forge.AUTH_SERIAL, NOW - HOUR, "keyCompromise")
    source = folder(tmp_path, crl([revoked], purpose=Purpose.AUTHENTICATION))
    verdict = proof(challenge(), revocation=source)
    assert (verdict.indication, verdict.sub_indication) == (Indication.TOTAL_FAILED, SubIndication.REVOKED)


@pytest.mark.attack("A-20", "a source that fails", "revocation.unusable")
def test_a_source_that_raises_is_not_good() -> None:
    class Broken:
        def status(self, *_: object, **__: object) -> None:
            raise TimeoutError("invented")

    verdict = verifier(Broken()).verify_cms(Cms().build())
    assert verdict.reasons == ("revocation.unusable",)


def test_a_list_that_changes_on_disk_is_read_again(tmp_path: Path) -> None:
    source = folder(tmp_path, crl())
    check = verifier(source)
    check.verify_cms(Cms().build()).require()
    (tmp_path / "0.crl").write_bytes(crl([entry()]))
    assert check.verify_cms(Cms().build()).reasons == ("revocation.revoked",)
    (tmp_path / "0.crl").unlink()
    assert check.verify_cms(Cms().build()).reasons == ("revocation.no_list",)


# --- keeping a folder -------------------------------------------------------------------------------------------------


def store() -> TrustStore:
    return TrustStore.load(Store.SIMULATOR)


def test_add_then_status_then_verify(tmp_path: Path) -> None:
    path = tmp_path / "lists"
    added = add_crl(path, crl([entry()]), store(), now=NOW)
    assert (added.anchor, added.generation, added.purpose) == ("sim-signca02", 2, Purpose.SIGNATURE)
    assert (added.municipality, added.entries, added.fresh) == ("Tokyo-to / Kiyose-shi", 1, True)
    assert list_crls(path, store(), now=NOW) == (added,)
    assert not list_crls(path, store(), now=NOW + 30 * HOUR)[0].fresh
    files = {file.suffix: file for file in path.rglob("*") if file.is_file()}
    assert set(files) == {".crl", ".idx", ""}
    assert {file.stat().st_mode & 0o777 for file in files.values()} == {0o600}
    assert files[".crl"].read_bytes() == crl([entry()])
    assert verifier(CrlFolder(path)).verify_cms(Cms().build()).reasons == ("revocation.revoked",)


def test_a_newer_list_takes_the_place_of_the_older(tmp_path: Path) -> None:
    add_crl(tmp_path, crl(at=NOW - 5 * HOUR), store(), now=NOW)
    add_crl(tmp_path, crl(), store(), now=NOW)
    add_crl(tmp_path, crl(), store(), now=NOW)
    add_crl(tmp_path, crl(city=OTHER_CITY), store(), now=NOW)
    assert len(list(tmp_path.glob("index/*.idx"))) == len(list_crls(tmp_path, store(), now=NOW)) == 2
    assert len(list(tmp_path.glob("lists/*.crl"))) == 3  # the older one is evidence
    with pytest.raises(InputError, match="not newer"):
        add_crl(tmp_path, crl(at=NOW - 5 * HOUR), store(), now=NOW)
    with pytest.raises(InputError, match="contradict"):
        add_crl(tmp_path, crl(at=NOW - HOUR, number=1), store(), now=NOW)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: b"", id="nothing"),
        pytest.param(lambda: crl()[:-1] + b"\x00", id="a signature that is wrong"),
        pytest.param(lambda: crl(at=NOW + HOUR), id="from the future"),
        pytest.param(lambda: crl(at=NOW - 40 * HOUR), id="past its nextUpdate"),
        pytest.param(lambda: edited(plus("2.5.29.27", b"\x02\x01\x01")), id="a delta list"),
    ],
)
def test_what_is_unusable_is_not_added(tmp_path: Path, data: Callable[[], bytes]) -> None:
    with pytest.raises(InputError):
        add_crl(tmp_path, data(), store(), now=NOW)
    assert not list(tmp_path.iterdir())


def test_a_delta_list_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="delta"):
        add_crl(tmp_path, edited(plus("2.5.29.27", b"\x02\x01\x01")), store(), now=NOW)


def test_a_list_of_another_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no CA of this trust store"):
        add_crl(tmp_path, crl(), TrustStore.load(Store.PRODUCTION), now=NOW)


def test_status_names_the_problem_of_each_file(tmp_path: Path) -> None:
    folder(tmp_path, b"rubbish", crl()[:-1] + b"\x00")
    problems = [item.problem for item in list_crls(tmp_path, store(), now=NOW)]
    assert problems[1] == "no CA of this trust store signed it"
    assert problems[0]
    assert list_crls(tmp_path / "none", store(), now=NOW) == ()


def test_pem_is_taken_too(tmp_path: Path) -> None:
    import base64

    body = base64.encodebytes(crl()).decode()
    pem = f"-----BEGIN X509 CRL-----\n{body}-----END X509 CRL-----\n".encode()
    assert add_crl(tmp_path, pem, store(), now=NOW).municipality == "Tokyo-to / Kiyose-shi"
    assert CITY == "13221"


# --- a revocation is never taken back ---------------------------------------------------------------------------------


def stale(*revoked: RevokedEntry, **options: Any) -> bytes:
    """A list of three days ago that ended the day before yesterday."""
    return crl(revoked, at=NOW - 72 * HOUR, next_update=NOW - 48 * HOUR, **options)


@pytest.mark.attack("A-20", "revoked in an old list, left out of the newest", "revocation.revoked")
@pytest.mark.parametrize("reason", ["certificateHold", "keyCompromise", "superseded"])
def test_a_revocation_in_an_old_list_counts_though_the_newest_leaves_it_out(tmp_path: Path, reason: str) -> None:
    verdict = judge(tmp_path, stale(entry(at=NOW - 240 * HOUR, reason=reason)), crl())
    assert verdict.reasons == ("revocation.revoked",)
    evidence = verdict.check(CheckId.REVOCATION).evidence
    assert (evidence["revocation_reason"], evidence["this_update"]) == (reason, "2026-11-21T03:00:00Z")


def test_and_where_there_is_no_fresh_one(tmp_path: Path) -> None:
    assert judge(tmp_path, stale(entry(at=NOW - 240 * HOUR))).reasons == ("revocation.revoked",)
    assert judge(tmp_path, crl([entry()], at=NOW + HOUR)).reasons == ("revocation.revoked",)


def test_but_only_of_the_right_key_scope_and_time(tmp_path: Path) -> None:
    old = entry(at=NOW - 80 * HOUR)
    verdict = judge(
        tmp_path,
        stale(old, city=OTHER_CITY),
        stale(old, purpose=Purpose.AUTHENTICATION),
        stale(old, generation=1),
        forge.reforged(stale(old), lambda f: f, private=forge.key("terminal", "stranger")),
        crl(),
    )
    assert verdict.indication is Indication.TOTAL_PASSED
    before = judge(tmp_path, stale(old), crl(), received_at=NOW - 81 * HOUR)
    assert before.require().check(CheckId.REVOCATION).evidence["detail"] == "revoked after the time asked about"
    assert judge(tmp_path, stale(old), crl(), received_at=NOW - 79 * HOUR).reasons == ("revocation.revoked",)


def test_the_earliest_time_of_all_lists_counts(tmp_path: Path) -> None:
    verdict = judge(tmp_path, stale(entry(at=NOW - 100 * HOUR)), crl([entry(at=NOW - 10 * HOUR)]))
    assert verdict.check(CheckId.REVOCATION).evidence["revoked_at"] == "2026-11-19T23:00:00Z"


@pytest.mark.parametrize(
    ("number", "good"),
    [(b"\x00", True), (b"\x7f" + b"\xff" * 19, True), (b"\x00" + b"\xff" * 20, False), (b"\x01" * 21, False),
     (b"\x01" * 30_000, False), (b"\x80", False), (b"\xff", False)],
)  # fmt: skip
def test_a_number_that_is_negative_or_longer_than_20_octets_is_refused(
    tmp_path: Path, number: bytes, good: bool
) -> None:
    """RFC 5280 §5.2.3. Python refuses to print a huge one, which would leave as an untyped error."""
    swap = forge.extension("2.5.29.20", tlv(0x02, number))
    data = edited(lambda items: [swap if oid("2.5.29.20") in item else item for item in items])
    verdict = judge(tmp_path, data)
    assert verdict.reasons == (() if good else ("revocation.unusable",))
    if not good:
        with pytest.raises(InputError, match="number"):
            add_crl(tmp_path, data, store(), now=NOW)
