"""Good documents that other programs make: none of them may be refused (jpki.md §5)."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any
from unittest import mock

import pytest
from pyhanko.pdf_utils.content import RawContent
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.ades.api import CAdESSignedAttrSpec, GenericCommitment
from pyhanko.stamp import StaticStampStyle, TextStampStyle

from attacks.forge import HEX_ROOM, NOW, Cms, Pdf, as_ber, attribute, attributes, signing_certificate_v2, tlv, verifier
from attacks.forge import certificate as certificate_of
from attacks.pdf_maker import clock
from attacks.test_pdf import (
    dictionary,
    empty_field,
    foreign,
    ours,
    plain,
    second,
    updated,
    with_xref_streams,
)
from issued import NOW as ISSUED_NOW
from kojin_card.errors import InputError
from kojin_card.signing import PdfForm
from kojin_card.testing.documents import blank_pdf
from kojin_card.verdict import CheckId, Verdict

BOX = (72, 72, 272, 122)
PKCS7 = fields.SigSeedSubFilter.ADOBE_PKCS7_DETACHED


def by_pyhanko(
    data: bytes, *, style: Any = None, field: fields.SigFieldSpec | None = None, stamps: bool = False, **about: Any
) -> bytes:
    """Signed by pyhanko with any of its options."""
    meta = signers.PdfSignatureMetadata(
        **{"field_name": "First", "md_algorithm": "sha256", "subfilter": fields.SigSeedSubFilter.PADES, **about}
    )
    signer = signers.PdfSigner(
        meta, signer=foreign(), stamp_style=style, new_field_spec=field, timestamper=clock() if stamps else None
    )
    out = BytesIO()
    with mock.patch("pyhanko.sign.signers.pdf_signer.datetime") as now:
        now.now.return_value = NOW
        signer.sign_pdf(IncrementalPdfFileWriter(BytesIO(data), strict=False), output=out)
    return out.getvalue()


def visible(name: str = "First", box: tuple[int, ...] = BOX, **options: Any) -> fields.SigFieldSpec:
    return fields.SigFieldSpec(name, on_page=0, box=box, **options)  # type: ignore[arg-type]


def linearized() -> bytes:
    """A file for the web (ISO 32000-1 annex F): the first page's table in front, the others' at the end."""
    head = b"%PDF-1.7\n"
    stream = b"BT (first page) Tj ET"
    first = [
        (5, b"<< /Linearized 1 /L 0000000000 /H [0 0] /O 7 /E 0 /N 1 /T 0 >>"),
        (6, b"<< /Type /Catalog /Pages 1 0 R >>"),
        (7, b"<< /Type /Page /Parent 1 0 R /MediaBox [0 0 595 842] /Contents 8 0 R >>"),
        (8, b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)),
    ]
    rest = [(number, body) for number, body in ((1, b"<< /Type /Pages /Kids [7 0 R] /Count 1 >>"), (2, b"<< >>"))]
    bodies = {number: b"%d 0 obj\n%s\nendobj\n" % (number, body) for number, body in (*first, *rest)}
    trailer = b"trailer\n<< /Size 9 /Root 6 0 R /Prev %010d >>\nstartxref\n0\n%%%%EOF\n"
    at = len(head) + len(bodies[5])
    table_size = len(b"xref\n5 4\n") + 4 * 20 + len(trailer % 0)
    offsets, place = {5: len(head)}, at + table_size
    for number in (6, 7, 8, 1, 2):
        offsets[number] = place
        place += len(bodies[number])
    row = b"%010d 00000 n \n"
    early = b"xref\n5 4\n" + b"".join(row % offsets[number] for number in (5, 6, 7, 8)) + trailer % place
    late = b"xref\n0 3\n0000000000 65535 f \n" + b"".join(row % offsets[number] for number in (1, 2))
    late += b"trailer\n<< /Size 3 >>\nstartxref\n%d\n%%%%EOF\n" % at
    return head + bodies[5] + early + b"".join(bodies[number] for number in (6, 7, 8, 1, 2)) + late


def hybrid(
    *, contradiction: bytes = b"", spare: bytes = b"<< /S /Document >>", leads: bytes = b"", twice: bytes = b""
) -> bytes:
    """As Word exports: a table, then an empty one with a stream beside it that knows the packed objects."""
    out = b"%PDF-1.7\n"
    offsets = {}
    stream = b"BT (from a word processor) Tj ET"
    inner = b"<< /X 1 >> " + spare
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R /PieceInfo 5 0 R >>",
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
        4: b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        7: b"<< /Type /ObjStm /N 2 /First 9 /Length %d >>\nstream\n5 0 6 11 %s\nendstream" % (9 + len(inner), inner),
    }
    for number, body in objects.items():
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    row = b"%010d 00000 n \n"
    table = len(out)
    out += b"xref\n0 8\n0000000005 65535 f \n" + b"".join(row % offsets[number] for number in (1, 2, 3, 4))
    out += b"0000000006 65535 f \n0000000000 65535 f \n" + row % offsets[7]
    out += b"trailer\n<< /Size 8 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % table
    beside = len(out)
    entries = [(0, 0, 65535 & 0xFF), *((1, offsets[number], 0) for number in (1, 2, 3, 4)), (2, 7, 0), (2, 7, 1)]
    entries += [(1, offsets[7], 0), (1, beside, 0)]
    rows = b"".join(bytes((kind,)) + place.to_bytes(4, "big") + bytes((last,)) for kind, place, last in entries)
    rows = contradiction or rows
    out += (
        b"8 0 obj\n<< /Type /XRef /W [1 4 1] /Size 9 /Root 1 0 R %s/Length %d >>\nstream\n%s\nendstream\nendobj\n"
        % (
            leads.replace(b"*", b"%d" % table),
            len(rows),
            rows,
        )
    )
    last = len(out)
    out += b"xref\n0 0\ntrailer\n<< /Size 9 /Root 1 0 R %s/Prev %d /XRefStm %d >>\n" % (twice, table, beside)
    return out + b"startxref\n%d\n%%%%EOF\n" % last


def contradictory() -> bytes:
    """The stream beside the table has another object in place of the page's text."""
    good = hybrid()
    begin = good.index(b"stream\n", good.index(b"/XRef ")) + 7
    rows = bytearray(good[begin : begin + 9 * 6])
    rows[4 * 6 : 5 * 6] = rows[3 * 6 : 4 * 6]
    return hybrid(contradiction=bytes(rows))


def packed() -> bytes:
    """Compressed object streams and a cross-reference stream."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        objects = writer.prepare_object_stream()
        writer.root["/PieceInfo"] = writer.add_object(dictionary(X=dictionary()), obj_stream=objects)
        writer.update_root()

    return updated(with_xref_streams(), change)


def pdfbox(data: bytes) -> bytes:
    """Bouncy Castle's message as PDFBox makes it: BER, CMSAlgorithmProtection, signingTime, the CA's certificate."""
    from attacks.forge import pki
    from kojin_card.pki.profile import Purpose

    protection = tlv(0x30, Cms().digest, tlv(0xA1, Cms().signature_algorithm[2:]))
    time = tlv(0x17, NOW.strftime("%y%m%d%H%M%SZ").encode("ascii"))
    ca = pki().ca_of(Purpose.SIGNATURE, 2).certificate
    listed = [*attributes(data), attribute("signingTime", time), attribute("protection", protection)]
    message = Cms(content=data, attached=False, attributes=tuple(listed), certificates=(certificate_of(), ca)).build()
    return as_ber(message)


def with_ess(data: bytes) -> bytes:
    named = attribute("signingCertificateV2", signing_certificate_v2(certificate_of()))
    return Cms(content=data, attached=False, attributes=(*attributes(data), named)).build()


def judge(data: bytes) -> Verdict:
    """After both certificates were issued: ours comes a few minutes after the time of the other tests."""
    return verifier(now=ISSUED_NOW).verify_pdf(data)


GOOD: dict[str, Callable[[], bytes]] = {
    "ours": lambda: ours(blank_pdf(["a contract"])),
    "ours, registry": lambda: ours(blank_pdf(["a contract"]), PdfForm.REGISTRY),
    "ours, for the web": lambda: ours(linearized()),
    "ours, from a word processor": lambda: ours(hybrid()),
    "pyhanko, from a word processor": lambda: by_pyhanko(hybrid()),
    "ours, packed": lambda: ours(packed()),
    "pyhanko": lambda: by_pyhanko(plain()),
    "pyhanko, with reason, place, name, contact": lambda: by_pyhanko(
        plain(), reason="同意します", location="東京都", name="検証 花子", contact_info="x@example.test"
    ),
    "pyhanko, visible text": lambda: by_pyhanko(plain(), field=visible(), style=TextStampStyle(stamp_text="signed")),
    "pyhanko, visible drawing": lambda: by_pyhanko(
        plain(), field=visible(), style=StaticStampStyle(background=RawContent(b"0 0 9 9 re f"))
    ),
    "pyhanko, in an empty field": lambda: by_pyhanko(updated(plain(), empty_field("First", BOX))),
    "pyhanko, certifying, no changes": lambda: by_pyhanko(
        plain(), certify=True, docmdp_permissions=fields.MDPPerm.NO_CHANGES
    ),
    "pyhanko, certifying, annotations": lambda: by_pyhanko(
        plain(), certify=True, docmdp_permissions=fields.MDPPerm.ANNOTATE
    ),
    "pyhanko, locking fields": lambda: by_pyhanko(
        plain(),
        field=visible(field_mdp_spec=fields.FieldMDPSpec(fields.FieldMDPAction.ALL), doc_mdp_update_value=None),
    ),
    "pyhanko, pkcs7 with a time-stamp": lambda: by_pyhanko(plain(), subfilter=PKCS7, stamps=True),
    "pyhanko, PAdES B-T": lambda: by_pyhanko(plain(), stamps=True),
    "pyhanko, CAdES attributes": lambda: by_pyhanko(
        plain(),
        cades_signed_attr_spec=CAdESSignedAttrSpec(
            commitment_type=GenericCommitment.PROOF_OF_APPROVAL.asn1,
        ),
    ),
    "pyhanko, for the web": lambda: by_pyhanko(linearized()),
    "pyhanko, packed": lambda: by_pyhanko(packed()),
    "PDFBox's BER": lambda: Pdf(cms=pdfbox).build(),
    "PDFBox's BER, small digits and zeros": lambda: Pdf(
        cms=pdfbox, contents=lambda m: m.hex().lower().ljust(HEX_ROOM, "0")
    ).build(),
    "large digits": lambda: Pdf(contents=lambda m: m.hex().upper().ljust(HEX_ROOM, "0")).build(),
    "signing-certificate-v2": lambda: Pdf(cms=with_ess).build(),
    "by key identifier": lambda: Pdf(cms=lambda d: Cms(content=d, attached=False, by_key_id=True).build()).build(),
}


@pytest.mark.parametrize("document", GOOD.values(), ids=GOOD.keys())
def test_a_good_document_passes(document: Callable[[], bytes]) -> None:
    verdict = judge(document()).require()
    assert verdict.check(CheckId.COVERAGE).evidence == {"covers": "whole file"}


def then(*signers_: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    def made() -> bytes:
        data = plain()
        for one in signers_:
            data = one(data)
        return data

    return made


TWICE: dict[str, Callable[[], bytes]] = {
    "ours, ours": then(ours, ours),
    "ours, pyhanko": then(ours, second),
    "pyhanko, ours": then(by_pyhanko, ours),
    "visible first, invisible second": lambda: second(
        by_pyhanko(plain(), field=visible(), style=TextStampStyle(stamp_text="signed"))
    ),
    "locking other fields, then another signs": lambda: second(
        by_pyhanko(
            plain(),
            field=visible(field_mdp_spec=fields.FieldMDPSpec(fields.FieldMDPAction.INCLUDE, ["amount"])),
        )
    ),
    "for the web": lambda: second(by_pyhanko(linearized())),
    "from a word processor": lambda: ours(by_pyhanko(hybrid())),
    "packed": lambda: second(by_pyhanko(packed())),
    "PDFBox's BER first": lambda: second(Pdf(cms=pdfbox).build()),
    "three": then(by_pyhanko, second, ours),
}


@pytest.mark.parametrize("document", TWICE.values(), ids=TWICE.keys())
def test_a_good_document_signed_again_passes(document: Callable[[], bytes]) -> None:
    verdict = judge(document()).require()
    assert [part.check(CheckId.COVERAGE).evidence["covers"] for part in verdict.parts[:-1]] == ["its revision"] * (
        len(verdict.parts) - 1
    )
    assert len(verdict.parts) >= 2


def test_hybrid_tables_that_contradict_each_other_are_not_signed_and_not_accepted() -> None:
    """An old viewer would show another page than a new one."""
    with pytest.raises(InputError):
        ours(contradictory())
    assert judge(by_pyhanko(contradictory())).reasons == ("format.malformed",)


def test_a_stream_beside_a_table_leads_nowhere_else() -> None:
    """pdf.js would follow its /Prev too, and find objects that nobody else sees."""
    judge(ours(hybrid(leads=b"/Prev * "))).require()
    with pytest.raises(InputError):
        ours(hybrid(leads=b"/Prev 9 "))
    assert judge(by_pyhanko(hybrid(leads=b"/Prev 9 "))).check(CheckId.FORMAT).evidence == {
        "what": "a table and a stream beside it that lead to different ones"
    }


def test_a_trailer_that_says_two_things_is_refused() -> None:
    with pytest.raises(InputError):
        ours(hybrid(twice=b"/Root 2 0 R "))
    assert judge(Pdf().build().replace(b"/Root 1 0 R", b"/Root 1 0 R /Root 1 0 R")).check(CheckId.FORMAT).evidence == {
        "what": "PdfStrictReadError"
    }


def test_a_signature_hidden_in_what_only_a_new_reader_sees() -> None:
    assert judge(ours(hybrid(spare=b"<< /ByteRange [0 1 2 3] >>"))).reasons == ("coverage.hidden",)
