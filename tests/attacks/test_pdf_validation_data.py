"""What PAdES-LT and -LTA put behind a signature: harmless, named, and never believed; and what only looks like it."""

# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: E501 - a table of attacks is read row by row

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.sign import fields

from attacks import tsa
from attacks.forge import NOW, Pdf, certificate, crl, verifier
from attacks.pdf_maker import Writer, authority, stamped, store, stream, with_store
from attacks.test_pdf import (
    STAMP,
    WHOLE_PAGE,
    Attack,
    dictionary,
    empty_field,
    judge,
    new_metadata,
    new_page_text,
    new_title,
    nothing_much,
    once,
    plain,
    second,
    updated,
    with_xref_streams,
)
from attacks.test_pdf import signed as sign
from kojin_card.pki.revocation import RevocationAnswer, RevocationStatus
from kojin_card.pki.tsa import TsaStore
from kojin_card.verdict import CheckId, Indication, SubIndication, TimeBasis
from kojin_card.verification import timestamps

NO_CHANGES = fields.MDPPerm.NO_CHANGES
ONLY_DATA = {"covers": "its revision", "later": "validation data only"}
NOT_USED = {"document_timestamps": "not used", "validation_data": "not used"}


def long_term(data: bytes) -> bytes:
    """PAdES B-LTA: a store, then a time-stamp over everything."""
    return stamped(with_store(data))


GOOD: dict[str, Callable[[], bytes]] = {
    "B-LT": lambda: with_store(once()),
    "B-LT without an entry for the signature": lambda: with_store(once(), entry=False),
    "B-LT, cross-reference streams": lambda: with_store(sign(with_xref_streams(), "First")),
    "B-LTA": lambda: long_term(once()),
    "B-LTA twice": lambda: stamped(long_term(once()), "Stamp2"),
    "B-LTA, and a store again": lambda: with_store(long_term(once())),
    "a time-stamp alone": lambda: stamped(once()),
    "B-LTA of a pkcs7 signature": lambda: long_term(once(sub_filter=fields.SigSeedSubFilter.ADOBE_PKCS7_DETACHED)),
    "B-LTA, certified against every change": lambda: long_term(once(certify=True, perm=NO_CHANGES)),
    "a store by hand, with a list": lambda: updated(once(), store(crl(), kind="CRLs")),
    "a store whose writer leaves its name, as iText does": lambda: b"%iText-Core-8.0.2\nstartxref".join(
        with_store(once()).rsplit(b"startxref", 1)
    ),
    "a store by hand, compressed": lambda: updated(once(), compressed),
}


def compressed(writer: Writer) -> None:
    made = stream(certificate())
    made.compress()
    writer.root["/DSS"] = dictionary(Certs=generic.ArrayObject([writer.add_object(made)]))
    writer.update_root()


@pytest.mark.parametrize("document", GOOD.values(), ids=GOOD.keys())
def test_validation_data_after_the_last_signature_do_no_harm(document: Callable[[], bytes]) -> None:
    verdict = judge(document(), disclose=True).require()
    assert verdict.parts == ()
    assert verdict.holder is not None
    assert verdict.check(CheckId.COVERAGE).evidence == ONLY_DATA
    assert "not used" in verdict.evidence.values()


def test_what_is_not_used_is_named() -> None:
    evidence = judge(long_term(once())).evidence
    assert {key: evidence[key] for key in NOT_USED} == NOT_USED
    assert not NOT_USED.keys() & judge(once()).evidence.keys()


def test_validation_data_between_two_signatures_do_no_harm() -> None:
    verdict = judge(second(long_term(once()))).require()
    assert [part.check(CheckId.COVERAGE).evidence["covers"] for part in verdict.parts] == ["its revision", "whole file"]
    assert verdict.evidence["validation_data"] == "not used"
    assert [part.evidence.get("document_timestamps") for part in verdict.parts] == ["not used", None]


def test_a_time_stamp_that_counts_proves_that_the_signature_is_older() -> None:
    """Revoked this morning, time-stamped before: passed; without the TSA's anchor it proves nothing."""
    store = TsaStore.of((tsa.root(),), (tsa.tsa_list(),))
    data = stamped(with_store(once()), by=authority())
    judge_it = verifier(Revoked(NOW + timedelta(hours=6)), now=NOW + timedelta(hours=12))
    proved = replace(judge_it, tsa=store).verify_pdf(data).require()
    assert proved.time_basis is TimeBasis.TIMESTAMP
    assert proved.evidence["document_timestamps"] == "used"
    assert [one.indication for one in proved.timestamps] == [Indication.TOTAL_PASSED]
    assert judge_it.verify_pdf(data).sub_indication is SubIndication.REVOKED_NO_POE
    other = stamped(updated(once(), new_page_text), by=authority())
    assert replace(judge_it, tsa=store).verify_pdf(other).indication is Indication.TOTAL_FAILED
    both = replace(judge_it, tsa=store).verify_pdf(stamped(second(once()), by=authority())).require()
    assert [part.time_basis for part in both.parts] == [TimeBasis.TIMESTAMP] * 2
    between = replace(judge_it, tsa=store).verify_pdf(second(stamped(once(), by=authority())))
    assert [part.time_basis for part in between.parts] == [TimeBasis.TIMESTAMP, TimeBasis.NOW]


def test_a_time_stamp_over_two_signatures_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is over nearly the whole file: sixteen over sixteen signatures would read it 256 times."""
    seen: list[bytes] = []
    judge_one = timestamps.judge

    def counting(task: Any, token: bytes, stamped: bytes) -> Any:
        seen.append(token)
        return judge_one(task, token, stamped)

    monkeypatch.setattr(timestamps, "judge", counting)
    verdict = judge(stamped(stamped(second(once())), "Stamp2")).require()
    assert [len(part.timestamps) for part in verdict.parts] == [2, 2]
    assert len(seen) == len(set(seen)) == 2


def test_validation_data_after_two_signatures_do_no_harm() -> None:
    verdict = judge(long_term(second(once()))).require()
    assert [part.check(CheckId.COVERAGE).evidence["later"] for part in verdict.parts] == [
        "signatures only",
        "validation data only",
    ]


def test_a_time_stamp_is_nobodys_signature() -> None:
    verdict = judge(stamped(plain()))
    assert verdict.reasons == ("format.no_signature",)
    assert verdict.indication is Indication.INDETERMINATE


def test_what_the_store_says_of_revocation_is_not_believed() -> None:
    """A list in the file says that all is well; the verifier's own source knows better."""
    verdict = verifier(Revoked(NOW - timedelta(days=9))).verify_pdf(long_term(once()))
    assert verdict.sub_indication is SubIndication.REVOKED_NO_POE
    assert verifier(Nothing()).verify_pdf(long_term(once())).sub_indication is SubIndication.TRY_LATER


@dataclass
class Revoked:
    """A source that knows when the certificate was revoked."""

    since: datetime

    def status(self, _: Any, __: Any, at: datetime, **___: Any) -> RevocationAnswer:
        if at < self.since:
            return RevocationAnswer(RevocationStatus.GOOD, method="test", revoked_later_at=self.since)
        return RevocationAnswer(RevocationStatus.REVOKED, method="test", revoked_at=self.since)


class Nothing:
    """A source that has no list, whatever lies in the document."""

    def status(self, *_: Any, **__: Any) -> RevocationAnswer:
        return RevocationAnswer(RevocationStatus.UNKNOWN, method="test")


# --- what only looks like it ------------------------------------------------------------------------------------------


def names(writer: Writer, key: str, value: object) -> dict[str, Any]:
    del writer
    return {key: value}


def entry(name: str = "A" * 40, **about: object) -> Callable[[Writer], dict[str, Any]]:
    def made(writer: Writer) -> dict[str, Any]:
        ready = {key: value(writer) if callable(value) else value for key, value in about.items()}
        return {"VRI": dictionary(**{name: dictionary(**ready)})}

    return made


def junk(writer: Writer) -> generic.ArrayObject:
    return generic.ArrayObject([writer.add_object(stream(b"BT (pay more) Tj ET"))])


def page_as_certificate(writer: Writer) -> None:
    """The store claims the page's content, which is then exchanged."""
    content = writer.root["/Pages"]["/Kids"][0].raw_get("/Contents")
    writer.root["/DSS"] = dictionary(Certs=generic.ArrayObject([content]))
    writer.update_root()
    changed = content.get_object()
    changed._data, changed._encoded_data = certificate(), None
    writer.mark_update(content.reference)


def over_the_page(writer: Writer) -> None:
    """The store itself is written over the page's content."""
    content = writer.root["/Pages"]["/Kids"][0].raw_get("/Contents").reference
    writer.objects[(content.generation, content.idnum)] = dictionary()
    writer.root["/DSS"] = generic.IndirectObject(content.idnum, content.generation, writer)
    writer.update_root()


def both(*changes: Callable[[Writer], object]) -> Callable[[Writer], None]:
    def change(writer: Writer) -> None:
        for one in changes:
            one(writer)

    return change


def leads_away(writer: Writer) -> generic.IndirectObject:
    return writer.add_object(dictionary(Type=generic.NameObject("/Page")))


def after(change: Callable[[Writer], object]) -> Callable[[], bytes]:
    return lambda: updated(once(), change)


TABLE = [
    Attack("A-30", "a store of junk", after(store(b"junk")), "coverage.appended"),
    Attack("A-30", "a list where certificates belong that is none", after(store(b"\x30\x03\x02\x01\x05")), "coverage.appended"),
    Attack("A-30", "bytes after the certificate in the store", after(store(certificate() + b"%PDF")), "coverage.appended"),
    Attack("A-30", "a certificate as an OCSP answer", after(store(certificate(), kind="OCSPs")), "coverage.appended"),
    Attack("A-30", "a stream of the store that says more", after(store(certificate(), Subtype=generic.NameObject("/Form"))), "coverage.appended"),
    Attack("A-30", "a store with another entry", after(store(certificate(), entries=lambda w: names(w, "Page", leads_away(w)))), "coverage.appended"),
    Attack("A-30", "a store in which something leads away", after(store(certificate(), entries=entry(Kids=leads_away))), "coverage.appended"),
    Attack("A-30", "junk in an entry of the store", after(store(certificate(), entries=entry(Cert=junk))), "coverage.appended"),
    Attack("A-30", "an entry of the store for no signature", after(store(certificate(), entries=entry("A" * 41))), "coverage.appended"),
    Attack("A-30", "... written in small letters", after(store(certificate(), entries=entry("a" * 40))), "coverage.appended"),
    Attack("A-30", "a token in the store that is none", after(store(certificate(), entries=entry(TS=lambda w: w.add_object(stream(b"junk"))))), "coverage.appended"),
    Attack("A-30", "certificates that are no streams", after(store(entries=lambda w: names(w, "CRLs", generic.ArrayObject([dictionary()])))), "coverage.appended"),
    Attack("A-30", "the page as certificate", after(page_as_certificate), "coverage.appended"),
    Attack("A-30", "the store over the page", after(over_the_page), "coverage.appended"),
    Attack("A-30", "a store, and another text on the page", after(both(store(certificate()), new_page_text)), "coverage.appended"),
    Attack("A-30", "a store, and a language", after(both(store(certificate()), nothing_much)), "coverage.appended"),
    Attack("A-30", "a store, and a title", after(both(store(certificate()), new_title)), "coverage.appended"),
    Attack("A-30", "a store, and metadata", after(both(store(certificate()), new_metadata)), "coverage.appended"),
    Attack("A-30", "a store, and an object that nothing refers to", after(both(store(certificate()), leads_away)), "coverage.appended"),
    Attack("A-30", "a store, and an empty field", after(both(store(certificate()), empty_field("Third"))), "coverage.appended"),
    Attack("A-30", "another text, under a time-stamp", lambda: stamped(updated(once(), new_page_text)), "coverage.appended"),
    Attack("A-30", "another text after a time-stamp", lambda: updated(long_term(once()), new_page_text), "coverage.appended"),
    Attack("A-30", "a store of junk between two signatures", lambda: second(updated(once(), store(b"junk"))), "coverage.modified"),
    Attack("A-30", "a store of junk, and a good store after it", lambda: updated(
        updated(once(), store(b"junk")), store(certificate())), "coverage.appended"),
    Attack("A-30", "a byte after the store", lambda: with_store(once()) + b" ", "coverage.appended"),
    Attack("A-30", "a line after the store", lambda: with_store(once()) + b"\n\n", "coverage.appended"),
    Attack("A-30", "a comment after the store", lambda: with_store(once()) + b"%x\n", "coverage.appended"),
    Attack("A-30", "a time-stamp that shows itself", lambda: stamped(once(), box=WHOLE_PAGE), "coverage.later_appearance"),
    Attack("A-33", "a painted signature under a time-stamp", lambda: stamped(second(
        once(), style=STAMP, field=fields.SigFieldSpec("Second", on_page=0, box=WHOLE_PAGE))), "coverage.later_appearance"),
    Attack("A-33", "a signature that calls itself a time-stamp", lambda: Pdf(
        sig_type="/Type /DocTimeStamp ", sub_filter="ETSI.RFC3161").build(), "format.no_signature"),
    Attack("A-33", "a time-stamp that calls itself a signature", lambda: Pdf(sub_filter="ETSI.RFC3161").build(),
        "format.unsupported"),
    Attack("A-33", "a time-stamp that is not about time", lambda: updated(once(), nothing_of_a_stamp), "coverage.gap"),
]  # fmt: skip


def nothing_of_a_stamp(writer: Writer) -> None:
    """A field whose value claims to be a time-stamp and holds rubbish."""
    numbers = generic.ArrayObject(generic.NumberObject(number) for number in (0, 9, 12, 20))
    value = dictionary(
        Type=generic.NameObject("/DocTimeStamp"),
        SubFilter=generic.NameObject("/ETSI.RFC3161"),
        ByteRange=numbers,
        Contents=generic.ByteStringObject(b"\x30\x00"),
    )
    empty_field("Stamp", V=lambda w: w.add_object(value))(writer)


@pytest.mark.parametrize("attack", TABLE, ids=str)
def test_attack(attack: Attack) -> None:
    verdict = judge(attack.document(), disclose=True)
    assert attack.reason in verdict.reasons, verdict.reasons
    assert verdict.indication is not Indication.TOTAL_PASSED
    assert verdict.holder is None
