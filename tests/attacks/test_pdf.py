"""Attacks on PDFs (jpki.md §6 A-30..A-33), written by hand; documents of a foreign signer (pyhanko) must pass."""

# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: E501, ARG005 - a table of attacks is read row by row

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from unittest import mock

import pytest
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import serialization
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.stamp import TextStampStyle
from pyhanko_certvalidator.registry import SimpleCertificateStore

from attacks.forge import HEX_ROOM, NOW, Cms, Pdf, certificate, changed, key, pdf_cms, verifier
from kojin_card.signing import PdfForm, sign_pdf
from kojin_card.verdict import CheckId, Indication, SubIndication, Verdict
from signers import make_signer

# --- a foreign signer -------------------------------------------------------------------------------------------------


@cache
def foreign(serial: int | None = None) -> signers.SimpleSigner:
    """pyhanko as signer, with the pool's key."""
    cert = certificate() if serial is None else changed(serial=serial)
    private = key().private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return signers.SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(cert),
        signing_key=asn1_keys.PrivateKeyInfo.load(private),
        cert_registry=SimpleCertificateStore(),
        signature_mechanism=None,
    )


def signed(
    data: bytes, name: str, *, certify: bool = False, perm: fields.MDPPerm = fields.MDPPerm.FILL_FORMS,
    sub_filter: fields.SigSeedSubFilter = fields.SigSeedSubFilter.PADES, serial: int | None = None,
    style: TextStampStyle | None = None, field: fields.SigFieldSpec | None = None,
) -> bytes:  # fmt: skip
    """One more signature by pyhanko, as an incremental update."""
    out = BytesIO()
    meta = signers.PdfSignatureMetadata(
        field_name=name, subfilter=sub_filter, md_algorithm="sha256", certify=certify, docmdp_permissions=perm
    )
    writer = IncrementalPdfFileWriter(BytesIO(data))
    with mock.patch("pyhanko.sign.signers.pdf_signer.datetime") as clock:
        clock.now.return_value = NOW  # the judge's clock: a signing time after it would be a contradiction
        signers.PdfSigner(meta, signer=foreign(serial), stamp_style=style, new_field_spec=field).sign_pdf(
            writer, output=out
        )
    return out.getvalue()


@cache
def plain() -> bytes:
    """A PDF that nobody signed."""
    return Pdf(fields="[]").build().replace(b"/V 6 0 R", b"        ").replace(b"/ByteRange", b"/ByteNotes")


@cache
def once(**options: object) -> bytes:
    return signed(plain(), "First", **options)  # type: ignore[arg-type]


@cache
def twice() -> bytes:
    return signed(once(), "Second", serial=0x01500009)


def updated(data: bytes, change: Callable[[IncrementalPdfFileWriter], object]) -> bytes:
    """An incremental update that signs nothing."""
    writer = IncrementalPdfFileWriter(BytesIO(data))
    change(writer)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def new_page_text(writer: IncrementalPdfFileWriter) -> None:
    stream = writer.root["/Pages"]["/Kids"][0]["/Contents"]
    stream._data = b"BT /F1 12 Tf 72 720 Td (pay more) Tj ET"
    stream._encoded_data = None
    writer.mark_update(stream.container_ref)


def nothing_much(writer: IncrementalPdfFileWriter) -> None:
    writer.root["/Lang"] = generic.TextStringObject("ja")
    writer.update_root()


# --- what was put in with, or just before, a second signature -----------------------------------------------------------

WHOLE_PAGE = (0, 0, 595, 842)
STAMP = TextStampStyle(stamp_text="the first signer owes ten million", border_width=0)


def second(data: bytes, **options: object) -> bytes:
    return signed(data, "Second", serial=0x01500009, **options)  # type: ignore[arg-type]


def between(change: Callable[[IncrementalPdfFileWriter], object]) -> Callable[[], bytes]:
    """A change after the first signature, which the second one then covers."""
    return lambda: second(updated(once(), change))


def dictionary(**entries: object) -> generic.DictionaryObject:
    return generic.DictionaryObject({generic.NameObject(f"/{name}"): value for name, value in entries.items()})


def new_title(writer: IncrementalPdfFileWriter) -> None:
    writer.set_info(writer.add_object(dictionary(Title=generic.TextStringObject("agreed by the first signer"))))


def title_from_the_page(writer: IncrementalPdfFileWriter) -> None:
    """Nothing is written, but the trailer calls the field of the first signature the document's information."""
    writer.set_info(writer.root["/AcroForm"]["/Fields"].raw_get(0).reference)


def new_metadata(writer: IncrementalPdfFileWriter) -> None:
    stream = generic.StreamObject(stream_data=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>agreed</a></x:xmpmeta>')
    stream.update(dictionary(Type=generic.NameObject("/Metadata"), Subtype=generic.NameObject("/XML")))
    writer.root["/Metadata"] = writer.add_object(stream)
    writer.update_root()


def new_store(writer: IncrementalPdfFileWriter) -> None:
    junk = writer.add_object(generic.StreamObject(stream_data=b"junk"))
    writer.root["/DSS"] = writer.add_object(dictionary(Certs=generic.ArrayObject([junk])))
    writer.update_root()


def unreferenced(writer: IncrementalPdfFileWriter) -> None:
    writer.add_object(generic.StreamObject(stream_data=b"a page for later"))


def empty_field(
    name: str, box: tuple[int, ...] = (0, 0, 0, 0), **entries: object
) -> Callable[[IncrementalPdfFileWriter], None]:
    """An empty signature field on the page, with more entries."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        fields.append_signature_field(writer, fields.SigFieldSpec(name, on_page=0, box=box))  # type: ignore[arg-type]
        array = writer.root["/AcroForm"]["/Fields"]
        field = array[len(array) - 1]
        made = {key: value(writer) if callable(value) else value for key, value in entries.items()}
        field.update(dictionary(**made))
        writer.update_container(field)

    return change


def script() -> generic.DictionaryObject:
    return dictionary(S=generic.NameObject("/JavaScript"), JS=generic.TextStringObject("app.alert(1)"))


def side_by_reference(writer: IncrementalPdfFileWriter) -> generic.ArrayObject:
    """A rectangle that a careless reader takes for none: its sides are references."""
    return generic.ArrayObject(writer.add_object(generic.NumberObject(side)) for side in WHOLE_PAGE)


def painted() -> bytes:
    """The second signature's appearance covers the page."""
    return second(once(), style=STAMP, field=fields.SigFieldSpec("Second", on_page=0, box=WHOLE_PAGE))


def form_fonts(change: bool) -> Callable[[IncrementalPdfFileWriter], None]:
    def apply(writer: IncrementalPdfFileWriter) -> None:
        form = writer.root["/AcroForm"]
        if change:
            form["/DR"]["/Font"] = dictionary(F1=generic.NullObject())
            writer.update_container(form["/DR"])
        else:
            form["/DR"] = writer.add_object(dictionary(Font=dictionary()))
            writer.update_container(form)

    return apply


@dataclass(frozen=True)
class Attack:
    entry: str
    what: str
    document: Callable[[], bytes]
    reason: str

    def __str__(self) -> str:
        return f"{self.entry} {self.what}"


SECOND = "<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /adbe.pkcs7.detached {range} /Contents <3000> >>"
FORGED_FIELD = "<< /FT /Sig /T (Forged) /V 8 0 R >>"


def shifted(*change: int) -> Callable[[tuple[int, ...]], tuple[int, ...]]:
    return lambda right: tuple(a + b for a, b in zip(right, change, strict=True))


def in_object_stream() -> bytes:
    """A signed file with a compressed object stream that holds a signature dictionary nobody refers to."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        stream = writer.prepare_object_stream()
        numbers = generic.ArrayObject(generic.NumberObject(number) for number in (0, 1, 2, 3))
        hidden = generic.DictionaryObject({generic.NameObject("/ByteRange"): numbers})
        writer.add_object(hidden, obj_stream=stream)
        nothing_much(writer)

    return signed(updated(with_xref_streams(), change), "First")


def although_forbidden() -> bytes:
    """A second signature on a document whose first one certifies that nothing may follow."""
    base = once(certify=True, perm=fields.MDPPerm.NO_CHANGES)
    with mock.patch.object(signers.PdfSigner, "_enforce_certification_constraints"):
        return signed(base, "Second", serial=0x01500009)


@cache
def with_xref_streams() -> bytes:
    """The plain file again, with a cross-reference stream."""
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.pdf_utils.writer import copy_into_new_writer

    writer = copy_into_new_writer(PdfFileReader(BytesIO(plain())))
    writer.stream_xrefs = True
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


TABLE = [
    Attack("A-30", "a byte appended", lambda: Pdf(tail=b"\n").build(), "coverage.appended"),
    Attack("A-30", "an incremental update appended", lambda: updated(once(), new_page_text), "coverage.appended"),
    Attack("A-30", "a harmless update appended", lambda: updated(once(), nothing_much), "coverage.appended"),
    Attack("A-30", "the range ends before the file does", lambda: Pdf(byte_range=shifted(0, 0, 0, -5)).build(),
        "coverage.appended"),
    Attack("A-30", "the range does not begin at the start", lambda: Pdf(byte_range=shifted(1, 0, 0, 0)).build(),
        "coverage.gap"),
    Attack("A-30", "the gap begins before <", lambda: Pdf(byte_range=shifted(0, -1, 0, 0)).build(), "coverage.gap"),
    Attack("A-30", "the gap begins inside /Contents", lambda: Pdf(byte_range=shifted(0, 1, 0, 0)).build(), "coverage.gap"),
    Attack("A-30", "the gap ends after >", lambda: Pdf(byte_range=shifted(0, 0, 1, -1)).build(), "coverage.gap"),
    Attack("A-30", "the range runs past the file", lambda: Pdf(byte_range=shifted(0, 0, 0, 1)).build(), "coverage.gap"),
    Attack("A-30", "an absurd length", lambda: Pdf(byte_range=lambda r: (0, r[1], r[2], 2**40 - 1)).build(), "coverage.gap"),
    Attack("A-31", "a forged second signature", lambda: Pdf(
        fields="[5 0 R 7 0 R]", extra=(FORGED_FIELD, SECOND.format(range="/ByteRange [0 9 20 30]"))).build(),
        "coverage.gap"),
    Attack("A-31", "the first of two signatures is not what was signed", lambda: twice().replace(
        b"(signed)", b"(Signed)"), "digest.mismatch"),
    Attack("A-32", "an odd number of hex digits", lambda: Pdf(
        contents=lambda m: m.hex().ljust(HEX_ROOM - 1, "0") + " ").build(), "coverage.gap"),
    Attack("A-32", "empty /Contents", lambda: Pdf(contents=lambda m: "0" * HEX_ROOM).build(), "format.malformed"),
    Attack("A-32", "a length beyond the buffer", lambda: Pdf(
        contents=lambda m: ("3084ffffffff" + m.hex()).ljust(HEX_ROOM, "0")).build(), "format.malformed"),
    Attack("A-32", "a length of many bytes", lambda: Pdf(
        contents=lambda m: ("30ff" + "ff" * 100).ljust(HEX_ROOM, "0")).build(), "format.malformed"),
    Attack("A-32", "a CMS that is cut off", lambda: Pdf(
        contents=lambda m: m[:200].hex().ljust(HEX_ROOM, "0")).build(), "format.malformed"),
    Attack("A-33", "bytes after the CMS", lambda: Pdf(
        contents=lambda m: (m + b"hidden").hex().ljust(HEX_ROOM, "0")).build(), "format.malformed"),
    Attack("A-33", "a signature that no field holds", lambda: Pdf(
        extra=(SECOND.format(range="/ByteRange [0 9 20 30]"),)).build(), "coverage.hidden"),
    Attack("A-33", "... with its name written otherwise", lambda: Pdf(
        extra=(SECOND.format(range="/Byte#52ange [0 9 20 30]"),)).build(), "coverage.hidden"),
    Attack("A-33", "... with a comment inside", lambda: Pdf(
        extra=(SECOND.format(range="/ByteRange [0 9 %x\n20 30]"),)).build(), "coverage.hidden"),
    Attack("A-33", "... inside an object stream", in_object_stream, "coverage.hidden"),
    Attack("A-33", "the only signature cut off from the form", lambda: Pdf(fields="[]").build(), "coverage.hidden"),
    Attack("A-33", "a field that is no signature field has a signature", lambda: Pdf(
        fields="[5 0 R 7 0 R]", extra=(FORGED_FIELD.replace("/Sig", "/Tx"), SECOND.format(
            range="/ByteRange [0 9 20 30]"))).build(), "coverage.gap"),
    Attack("A-33", "three numbers", lambda: Pdf(byte_range=lambda r: r[:3]).build(), "coverage.gap"),
    Attack("A-33", "six numbers", lambda: Pdf(byte_range=lambda r: (0, 9, 9, *r[1:])).build(), "coverage.gap"),
    Attack("A-33", "overlapping ranges", lambda: Pdf(byte_range=lambda r: (0, r[2], r[1], r[3])).build(), "coverage.gap"),
    Attack("A-33", "a change between two signatures", lambda: signed(
        updated(once(), new_page_text), "Second", serial=0x01500009), "coverage.modified"),
    Attack("A-33", "a change of the catalogue between two signatures", lambda: signed(
        updated(once(), lambda w: w.root.update({generic.NameObject("/OpenAction"): generic.ArrayObject()})
            or w.update_root()), "Second", serial=0x01500009), "coverage.modified"),
    Attack("A-33", "a second signature although the first forbids changes", although_forbidden, "coverage.modified"),
    Attack("A-33", "a second signature hides the page", painted, "coverage.later_appearance"),
    Attack("A-33", "... and was certified to be harmless", lambda: second(
        once(certify=True), style=STAMP, field=fields.SigFieldSpec("Second", on_page=0, box=WHOLE_PAGE)),
        "coverage.modified"),
    Attack("A-33", "... in a field that was placed after the first", lambda: second(
        updated(once(), empty_field("Second", WHOLE_PAGE)), style=STAMP), "coverage.later_appearance"),
    Attack("A-33", "... in a field that was placed before the first", lambda: second(
        signed(updated(plain(), empty_field("Second", WHOLE_PAGE)), "First"), style=STAMP), "coverage.later_appearance"),
    Attack("A-33", "... in a small field that was placed before the first", lambda: second(
        signed(updated(plain(), empty_field("Second", (9, 9, 99, 99))), "First"), style=STAMP),
        "coverage.later_appearance"),
    Attack("A-33", "... in a field that was placed before, but hidden", lambda: second(
        signed(updated(plain(), empty_field("Second", WHOLE_PAGE, F=generic.NumberObject(2))), "First"), style=STAMP),
        "coverage.later_appearance"),
    Attack("A-33", "... in a rectangle of references", lambda: sign_pdf(make_signer(), updated(
        once(), empty_field("Second", Rect=side_by_reference)), now=NOW, field_name="Second"), "coverage.modified"),
    Attack("A-33", "a script in the second signature's field", between(
        empty_field("Second", AA=dictionary(PV=script()))), "coverage.modified"),
    Attack("A-33", "an action in the second signature's field", between(empty_field("Second", A=script())),
        "coverage.modified"),
    Attack("A-33", "an empty field beside the second signature", between(empty_field("Third")), "coverage.modified"),
    Attack("A-33", "... that hides the page", between(empty_field("Third", WHOLE_PAGE)), "coverage.modified"),
    Attack("A-33", "a new title between two signatures", between(new_title), "coverage.modified"),
    Attack("A-33", "another title, taken from the file", between(title_from_the_page), "coverage.modified"),
    Attack("A-33", "new XMP metadata between two signatures", between(new_metadata), "coverage.modified"),
    Attack("A-33", "a store of junk between two signatures", between(new_store), "coverage.modified"),
    Attack("A-33", "objects that nothing refers to", between(unreferenced), "coverage.modified"),
    Attack("A-33", "other fonts for the form", lambda: second(
        updated(signed(updated(once(), form_fonts(False)), "Next"), form_fonts(True))), "coverage.modified"),
    Attack("A-33", "an old SubFilter", lambda: Pdf(sub_filter="adbe.pkcs7.sha1").build(), "format.unsupported"),
    Attack("A-33", "an X.509 RSA SubFilter", lambda: Pdf(sub_filter="adbe.x509.rsa_sha1").build(), "format.unsupported"),
    Attack("A-33", "content inside the CMS of a PDF", lambda: Pdf(
        cms=lambda d: Cms(content=b"other").build()).build(), "coverage.two_contents"),
    Attack("A-33", "two signers in one dictionary", lambda: Pdf(cms=lambda d: Cms(content=d, attached=False).build(
        Cms(content=d, by_key_id=True).signer())).build(), "format.malformed"),
    Attack("A-23", "another document's signature", lambda: Pdf(cms=lambda d: pdf_cms(b"other")).build(), "digest.mismatch"),
]  # fmt: skip


def judge(data: bytes, **options: bool) -> Verdict:
    return verifier().verify_pdf(data, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("attack", TABLE, ids=str)
def test_attack(attack: Attack) -> None:
    verdict = judge(attack.document(), disclose=True)
    assert attack.reason in verdict.reasons, verdict.reasons
    assert verdict.indication is not Indication.TOTAL_PASSED
    assert verdict.holder is None


# --- good documents ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(lambda: Pdf().build(), id="by hand"),
        pytest.param(lambda: Pdf(sub_filter="ETSI.CAdES.detached").build(), id="by hand, PAdES"),
        pytest.param(lambda: Pdf(sig_type="").build(), id="a dictionary without /Type"),
        pytest.param(once, id="pyhanko, PAdES"),
        pytest.param(lambda: once(sub_filter=fields.SigSeedSubFilter.ADOBE_PKCS7_DETACHED), id="pyhanko, pkcs7"),
        pytest.param(lambda: once(certify=True), id="pyhanko, certifying"),
        pytest.param(lambda: signed(with_xref_streams(), "First"), id="pyhanko, cross-reference stream"),
    ],
)
def test_a_good_document_passes(document: Callable[[], bytes]) -> None:
    verdict = judge(document(), disclose=True).require()
    assert verdict.parts == ()
    assert verdict.holder is not None
    assert verdict.check(CheckId.COVERAGE).evidence["covers"] == "whole file"


def test_two_signatures_are_two_parts() -> None:
    verdict = judge(twice(), disclose=True).require()
    assert [part.check(CheckId.COVERAGE).evidence["covers"] for part in verdict.parts] == ["its revision", "whole file"]
    assert [part.evidence["certificate_serial"] for part in verdict.parts] == ["1500001", "1500009"]
    assert [part.evidence["field"] for part in verdict.parts] == ["First", "Second"]
    assert all(part.holder is not None for part in verdict.parts)


def ours(data: bytes, form: PdfForm = PdfForm.PADES) -> bytes:
    return sign_pdf(make_signer(), data, now=NOW, form=form, name="Hanako Shiken")


def with_information() -> bytes:
    """A document with a title, which pyhanko renews: /ModDate and /Producer."""
    return updated(plain(), new_title)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(twice, id="pyhanko"),
        pytest.param(lambda: second(once(sub_filter=fields.SigSeedSubFilter.ADOBE_PKCS7_DETACHED)), id="pkcs7, PAdES"),
        pytest.param(lambda: second(signed(with_xref_streams(), "First")), id="cross-reference streams"),
        pytest.param(lambda: second(once(certify=True)), id="certified, and signed as allowed"),
        pytest.param(lambda: second(signed(with_information(), "First")), id="a title that stays"),
        pytest.param(lambda: second(updated(once(), empty_field("Second"))), id="a field placed in between"),
        pytest.param(lambda: signed(twice(), "Third"), id="three"),
    ],
)
def test_a_further_signature_does_no_harm(document: Callable[[], bytes]) -> None:
    verdict = judge(document()).require()
    first = verdict.parts[0].check(CheckId.COVERAGE)
    assert first.evidence == {"covers": "its revision", "later": "signatures only"}


@pytest.mark.parametrize("forms", [(PdfForm.PADES, PdfForm.PADES), (PdfForm.REGISTRY, PdfForm.PADES)])
@pytest.mark.parametrize("source", [plain, with_xref_streams, with_information])
def test_our_own_further_signature_does_no_harm(forms: tuple[PdfForm, PdfForm], source: Callable[[], bytes]) -> None:
    verdict = judge(ours(ours(source(), forms[0]), forms[1]))
    assert [part.check(CheckId.COVERAGE).reason for part in verdict.parts] == [None, None]
    assert verdict.parts[0].check(CheckId.COVERAGE).evidence["later"] == "signatures only"


def test_an_attached_pdf_may_have_signatures_of_its_own() -> None:
    """A stream is not structure, even when it is not compressed."""
    inner = Pdf().build().decode("latin-1")
    stream = f"<< /Type /EmbeddedFile /Length {len(inner)} >>\nstream\n{inner}\nendstream"
    judge(Pdf(extra=(stream,)).build()).require()


def test_an_unsigned_pdf() -> None:
    verdict = judge(plain())
    assert verdict.reasons == ("format.no_signature",)
    assert (verdict.indication, verdict.sub_indication) == (
        Indication.INDETERMINATE,
        SubIndication.SIGNED_DATA_NOT_FOUND,
    )


def test_an_encrypted_pdf() -> None:
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.pdf_utils.writer import copy_into_new_writer

    writer = copy_into_new_writer(PdfFileReader(BytesIO(plain())))
    writer.encrypt(owner_pass="invented", user_pass="invented")
    out = BytesIO()
    writer.write(out)
    assert judge(out.getvalue()).reasons == ("format.encrypted",)


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\n", b"not a PDF", b"%PDF-1.7\n" + b"\x00" * 5000, Cms().build()])
def test_what_is_no_pdf(data: bytes) -> None:
    verdict = judge(data)
    assert (verdict.indication, verdict.sub_indication) == (Indication.TOTAL_FAILED, SubIndication.FORMAT_FAILURE)


def test_it_works_inside_a_running_event_loop() -> None:
    document = twice()  # pyhanko makes it with a loop of its own

    async def inside() -> Verdict:
        return judge(document)

    asyncio.run(inside()).require()


@pytest.mark.attack("A-32", "a form that folds back on itself", "format.malformed")
def test_a_form_that_folds_back_on_itself_ends_quickly() -> None:
    """Thirty levels of fields that each name the next one twice: a walk by path would take 2**30 steps."""
    extra = [f"<< /T (a) /Kids [{number + 1} 0 R {number + 1} 0 R] >>" for number in range(7, 37)]
    extra.append("<< /T (end) >>")
    verdict = judge(Pdf(fields="[5 0 R 7 0 R]", extra=tuple(extra)).build())
    assert verdict.reasons == ("format.malformed",)


@pytest.mark.attack("A-32", "a compressed stream of 300 MB that nothing refers to", "TOTAL_PASSED, and not unpacked")
def test_a_bomb_in_an_object_stream_is_refused() -> None:
    bomb = zlib.compress(b"0" * 300_000_000, 9)
    body = f"<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length {len(bomb)} >>\nstream\n"
    filler = body + bomb.decode("latin-1") + "\nendstream"
    data = Pdf(extra=(filler,)).build()
    verdict = judge(data)  # nothing refers into it, so nothing is decoded
    assert verdict.indication is Indication.TOTAL_PASSED
    assert len(data) < 1_000_000


def test_the_claimed_time_is_shown_and_nothing_more() -> None:
    verdict = judge(once(sub_filter=fields.SigSeedSubFilter.ADOBE_PKCS7_DETACHED))
    assert verdict.evidence["claimed_signing_time"]
    assert verdict.time == NOW


def test_the_library_log_stays_silent_for_us_and_only_for_us(caplog: pytest.LogCaptureFixture) -> None:
    """pyhanko logs what it finds odd, with pieces of the document."""
    import logging

    odd = Pdf().build().replace(b"5 0 obj\n", b"5  0 obj", 1)
    judge(odd)
    judge(although_forbidden())
    assert caplog.records == []
    logging.getLogger("pyhanko.pdf_utils.reader").warning("of the program itself")
    assert [record.message for record in caplog.records] == ["of the program itself"]
