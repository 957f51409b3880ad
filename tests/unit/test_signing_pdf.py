"""Signing PDF: what is written, read back with regular expressions; what is refused, before the card is asked."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime, timedelta, timezone
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer

from issued import NOW
from kojin_card.errors import CardRemoved, InputError, KojinError, SignatureMismatch, UsageError
from kojin_card.pki.profile import Purpose
from kojin_card.signing import CallableSigner, PdfForm, check_pdf, sign_pdf
from kojin_card.testing.documents import MAX_LINE_CHARS, MAX_LINES, blank_pdf
from kojin_card.testing.forge import revision
from signers import catalogue, make_signer, one_der, signatures_in

PDF = blank_pdf(["An application (draft)", r"with a back\slash"])

# --- what is written --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", list(PdfForm))
def test_one_more_revision_one_card_signature_everything_covered(form: PdfForm) -> None:
    signer = make_signer()
    signed = sign_pdf(signer, PDF, now=NOW, form=form, name="試験　花子")
    assert signed.startswith(PDF)
    assert len(signer.asked) == 1
    (signature,) = signatures_in(signed)
    start, length, second, rest = signature.byte_range
    assert (start, signed[length : length + 1], signed[second - 1 : second], second + rest) == (
        0,
        b"<",
        b">",
        len(signed),
    )
    assert second - length == 2 * len(signature.contents) + 2
    assert one_der(signature.contents).whole == signature.contents, "no filler: nothing can hide behind the CMS"
    covered = hashlib.sha256(signed[:length] + signed[second:]).digest()
    assert signature.contents.count(covered) == 1
    assert signed == sign_pdf(make_signer(), PDF, now=NOW, form=form, name="試験　花子"), "no chance, no other clock"


def test_pades_has_its_subfilter_and_no_signing_time() -> None:
    (signature,) = signatures_in(sign_pdf(make_signer(), PDF, now=NOW))
    for entry in (b"/Type /Sig", b"/Filter /Adobe.PPKLite", b"/SubFilter /ETSI.CAdES.detached", b"/M (D"):
        assert entry in signature.dictionary
    assert b"/Name" not in signature.dictionary
    assert bytes.fromhex("06092a864886f70d010905") not in signature.cms
    assert bytes.fromhex("060b2a864886f70d010910022f") in signature.cms


def test_the_registry_form_has_the_fields_that_the_registry_wants() -> None:
    """jpki.md §5: adbe.pkcs7.detached, Type /Sig, Name, M, ByteRange, Contents."""
    (signature,) = signatures_in(sign_pdf(make_signer(), PDF, now=NOW, form=PdfForm.REGISTRY, name="Hanako Shiken"))
    for entry in (b"/Type /Sig", b"/Filter /Adobe.PPKLite", b"/SubFilter /adbe.pkcs7.detached", b"/M (D"):
        assert entry in signature.dictionary
    assert b"/Name (Hanako Shiken)" in signature.dictionary
    assert bytes.fromhex("06092a864886f70d010905") in signature.cms


def test_a_name_in_japanese_is_utf_16() -> None:
    (signature,) = signatures_in(sign_pdf(make_signer(), PDF, now=NOW, form=PdfForm.REGISTRY, name="花子"))
    root = PdfFileReader(BytesIO(sign_pdf(make_signer(), PDF, now=NOW, name="花子"))).root
    assert root["/AcroForm"]["/Fields"][0]["/V"]["/Name"] == "花子"
    assert b"/Name" in signature.dictionary


def test_nothing_about_the_holder_but_the_certificate() -> None:
    signer = make_signer()
    (signature,) = signatures_in(sign_pdf(signer, PDF, now=NOW))
    signed = sign_pdf(signer, PDF, now=NOW)
    rest = signed.replace(signature.contents.hex().upper().encode(), b"")
    for planted in ("試験", "花子", "清瀬"):
        for encoding in ("utf-8", "utf-16-be"):
            assert planted.encode(encoding) not in rest
    assert b"/Reason" not in rest
    assert b"/Producer" not in rest
    assert b"/ModDate" not in rest


def test_reason_location_and_time() -> None:
    tokyo = datetime(2026, 11, 24, 9, 30, 5, 999, tzinfo=timezone(timedelta(hours=9)))
    signed = sign_pdf(make_signer(), PDF, now=tokyo, reason="I agree", location="Kiyose")
    value = PdfFileReader(BytesIO(signed)).root["/AcroForm"]["/Fields"][0]["/V"]
    assert (value["/Reason"], value["/Location"], value["/M"]) == ("I agree", "Kiyose", "D:20261124093005+09'00'")


@pytest.mark.parametrize("wanted", [True, False])
def test_the_issuer_goes_in_when_wanted(wanted: bool) -> None:
    signer = make_signer()
    (signature,) = signatures_in(sign_pdf(signer, PDF, now=NOW, include_issuer=wanted))
    assert signer.issuer_certificate is not None
    assert (signer.issuer_certificate in signature.cms) is wanted
    assert signer.certificate in signature.cms


def test_without_an_issuer() -> None:
    signer = make_signer(with_issuer=False)
    assert sign_pdf(signer, PDF, now=NOW).startswith(PDF)
    with pytest.raises(UsageError):
        sign_pdf(signer, PDF, now=NOW, include_issuer=True)


def test_a_second_signature_leaves_the_first_as_it_is() -> None:
    once = sign_pdf(make_signer(), PDF, now=NOW)
    twice = sign_pdf(make_signer(), once, now=NOW, form=PdfForm.REGISTRY, name="Hanako")
    assert twice.startswith(once)
    first, second = signatures_in(twice)
    assert first == signatures_in(once)[0]
    assert second.byte_range[2] + second.byte_range[3] == len(twice)
    fields = PdfFileReader(BytesIO(twice)).root["/AcroForm"]["/Fields"]
    assert [fields[index]["/T"] for index in range(len(fields))] == ["Signature1", "Signature2"]


def test_works_inside_a_running_event_loop() -> None:
    async def main() -> bytes:
        return sign_pdf(make_signer(), PDF, now=NOW)

    assert asyncio.run(main()) == sign_pdf(make_signer(), PDF, now=NOW)


@pytest.mark.parametrize("header", [b"%PDF-1.4", b"%PDF-1.7", b"%PDF-2.0"])
def test_pades_is_declared_before_pdf_2(header: bytes) -> None:
    root = PdfFileReader(BytesIO(sign_pdf(make_signer(), PDF.replace(b"%PDF-1.7", header), now=NOW))).root
    assert ("/Extensions" in root) is (header != b"%PDF-2.0")


EMPTY_FIELD = b"<< /T (here) /FT /Sig /Type /Annot /Subtype /Widget /Rect [0 0 0 0] %s >>"


def with_fields(*fields: bytes, extra: dict[int, bytes] | None = None) -> bytes:
    """The page with a form of ``fields`` (objects 20, 21, ...)."""
    objects = dict(enumerate(fields, 20))
    kids = b" ".join(b"%d 0 R" % number for number in objects)
    return revision(PDF, {1: catalogue(b"/AcroForm << /Fields [%s] >>" % kids), **objects, **(extra or {})})


def test_an_empty_field_of_the_document_is_used_when_named() -> None:
    signed = sign_pdf(make_signer(), with_fields(EMPTY_FIELD % b""), now=NOW, field_name="here")
    fields = PdfFileReader(BytesIO(signed)).root["/AcroForm"]["/Fields"]
    assert len(fields) == 1
    field = fields[0]
    assert (field["/T"], field["/V"]["/Type"]) == ("here", "/Sig")


def test_a_new_field_gets_the_name_that_was_asked_or_one_that_is_free() -> None:
    document = with_fields(b"<< /T (Signature1) /FT /Tx >>")
    for wanted, got in ((None, "Signature2"), ("署名", "署名")):
        signed = sign_pdf(make_signer(), document, now=NOW, field_name=wanted)
        assert PdfFileReader(BytesIO(signed)).root["/AcroForm"]["/Fields"][1]["/T"] == got


# --- what is refused, before the card is asked ------------------------------------------------------------------------


def transform(method: bytes, parameters: bytes | None) -> bytes:
    """A signature dictionary with one transform."""
    said = b"" if parameters is None else b"/TransformParams << %s >>" % parameters
    return b"<< /Type /Sig /Reference [<< /TransformMethod /%s %s >>] >>" % (method, said)


def certified(parameters: bytes | None) -> bytes:
    """A document with a certification signature (ISO 32000-1 §12.8.2.2)."""
    return revision(PDF, {1: catalogue(b"/Perms << /DocMDP 20 0 R >>"), 20: transform(b"DocMDP", parameters)})


def locked(parameters: bytes) -> bytes:
    """A document whose one signature locks fields."""
    return with_fields(EMPTY_FIELD % b"/V 30 0 R", extra={30: transform(b"FieldMDP", parameters)})


def encrypted(user_password: str) -> bytes:
    writer = copy_into_new_writer(PdfFileReader(BytesIO(PDF)))
    writer.encrypt("owner", user_password)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def _page(extra: bytes) -> bytes:
    return revision(PDF, {3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] %s >>" % extra})


REFUSED = {
    "empty": b"",
    "junk": b"junk" * 1000,
    "only a header": b"%PDF-1.7\n",
    "cut off": PDF[:-40],
    "something in front": b"\n" + PDF,
    "encrypted": encrypted("secret"),
    "encrypted with an empty password": encrypted(""),
    "page tree in a circle": PDF.replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]"),
    "no page": PDF.replace(b"/Kids [3 0 R] /Count 1", b"/Kids [     ] /Count 0"),
    "root is no catalogue": PDF.replace(b"/Root 1 0 R", b"/Root 4 0 R"),
    "root is missing": PDF.replace(b"/Root 1 0 R", b"/Root 9 0 R"),
    "previous revision is this one": PDF.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % PDF.index(b"xref\n")),
    "wrong size": PDF.replace(b"/Size 6", b"/Size 1"),
    "form is a number": revision(PDF, {1: catalogue(b"/AcroForm 5")}),
    "fields are a number": revision(PDF, {1: catalogue(b"/AcroForm << /Fields 4 >>")}),
    "field is no reference": revision(PDF, {1: catalogue(b"/AcroForm << /Fields [<< /T (x) /FT /Sig >>] >>")}),
    "fields in a circle": with_fields(b"<< /T (x) /Kids [20 0 R] >>"),
    "signature is a number": with_fields(EMPTY_FIELD % b"/V 5"),
    "nested without end": revision(PDF, {1: catalogue(b"/X " + b"[" * 100_000 + b"]" * 100_000)}),
    "annotations are a number": _page(b"/Annots 5"),
    "extensions are a number": revision(PDF, {1: catalogue(b"/Extensions 5")}),
    "certified, no changes": certified(b"/P 1"),
    "certified, nobody knows what": certified(b"/P (1)"),
    "certification in a circle": revision(
        PDF, {1: catalogue(b"/Perms << /DocMDP 20 0 R >>"), 20: b"<< /Reference 21 0 R >>", 21: b"21 0 R"}
    ),
    "certification is a number": revision(PDF, {1: catalogue(b"/Perms << /DocMDP 5 >>")}),
    "signature forbids further changes": locked(b"/Action /Include /Fields [(x)] /P 1"),
    "lock of a signed field forbids further changes": with_fields(
        EMPTY_FIELD % b"/V 30 0 R /Lock << /Action /All /P 1 >>", extra={30: b"<< /Type /Sig >>"}
    ),
    "all fields are locked": locked(b"/Action /All"),
    "lock is nonsense": locked(b"/Action /Nonsense"),
}


@pytest.mark.parametrize("pdf", REFUSED.values(), ids=REFUSED.keys())
def test_a_pdf_that_cannot_be_signed_is_refused_before_the_card_is_asked(pdf: bytes) -> None:
    signer = make_signer()
    with pytest.raises(InputError) as caught:
        check_pdf(pdf, now=NOW)
    with pytest.raises(InputError) as again:
        sign_pdf(signer, pdf, now=NOW)
    assert not signer.asked
    assert str(again.value) == str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("pdf", "words"),
    [
        (encrypted("x"), "encrypted"),
        (certified(b"/P 1"), "certified"),
        (locked(b"/Action /All"), "locks all fields"),
        (b"junk", "not a well-formed PDF"),
    ],
)
def test_the_refusal_says_why(pdf: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        sign_pdf(make_signer(), pdf, now=NOW)


@pytest.mark.parametrize(
    ("pdf", "name"),
    [
        pytest.param(with_fields(EMPTY_FIELD % b"/SV << >>"), "here", id="seed values"),
        pytest.param(with_fields(EMPTY_FIELD % b"/Lock << /Action /All >>"), "here", id="lock"),
        pytest.param(with_fields(EMPTY_FIELD % b"/V << /Type /Sig >>"), "here", id="signed"),
        pytest.param(with_fields(b"<< /T (here) /FT /Tx >>"), "here", id="a text field"),
        pytest.param(locked(b"/Action /Include /Fields [(mine)]"), "mine", id="locked by name"),
        pytest.param(locked(b"/Action /Exclude /Fields [(x)]"), "mine", id="locked but for another"),
        pytest.param(PDF, "a.b", id="a path"),
    ],
)
def test_a_field_that_cannot_be_signed_in(pdf: bytes, name: str) -> None:
    with pytest.raises(InputError):
        check_pdf(pdf, now=NOW, field_name=name)
    signer = make_signer()
    with pytest.raises(InputError):
        sign_pdf(signer, pdf, now=NOW, field_name=name)
    assert not signer.asked


def test_what_passes_the_check_can_be_signed() -> None:
    wishes = {"now": NOW, "form": PdfForm.REGISTRY, "name": "花子", "reason": "I agree", "field_name": "here"}
    document = with_fields(EMPTY_FIELD % b"")
    check_pdf(document, **wishes)  # type: ignore[arg-type]
    assert sign_pdf(make_signer(), document, **wishes).startswith(document)  # type: ignore[arg-type]


@pytest.mark.parametrize("parameters", [None, b"", b"/P 2", b"/P 3"])
def test_a_certified_document_that_allows_it_is_signed(parameters: bytes | None) -> None:
    assert sign_pdf(make_signer(), certified(parameters), now=NOW).startswith(certified(parameters))


@pytest.mark.parametrize(
    "wrong",
    [
        {"form": PdfForm.REGISTRY},
        {"reason": ""},
        {"reason": "x" * 501},
        {"location": "two\nlines"},
        {"name": "\x1b[31m"},
        {"name": "\u202e"},
        {"field_name": ""},
        {"field_name": "x" * 101},
        {"field_name": "\x00"},
        {"now": datetime(2026, 11, 24)},  # noqa: DTZ001
    ],
)
def test_wrong_wishes(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        check_pdf(PDF, **{"now": NOW, **wrong})  # type: ignore[arg-type]
    signer = make_signer()
    with pytest.raises(UsageError):
        sign_pdf(signer, PDF, **{"now": NOW, **wrong})  # type: ignore[arg-type]
    assert not signer.asked


def test_documents_are_not_signed_with_the_authentication_key() -> None:
    signer = make_signer(Purpose.AUTHENTICATION)
    with pytest.raises(UsageError):
        sign_pdf(signer, PDF, now=NOW)
    assert not signer.asked


def test_an_answer_that_does_not_verify_gives_no_document() -> None:
    with pytest.raises(SignatureMismatch):
        sign_pdf(CallableSigner(make_signer().certificate, lambda _: bytes(256)), PDF, now=NOW)


def test_what_the_card_says_passes_through() -> None:
    def removed(_: bytes) -> bytes:
        raise CardRemoved(operation="sign")

    with pytest.raises(CardRemoved):
        sign_pdf(CallableSigner(make_signer().certificate, removed), PDF, now=NOW)


@settings(max_examples=60)
@given(st.data())
def test_damaged_documents_give_typed_errors_only(data: st.DataObject) -> None:
    """Either it is refused with an error of ours, or the damage did not matter and the original stays a prefix."""
    damaged = bytearray(with_fields(EMPTY_FIELD % b""))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        signed = sign_pdf(make_signer(), bytes(damaged), now=NOW)
    except KojinError:
        return
    assert signed.startswith(bytes(damaged))


# --- the page that we write ourselves ---------------------------------------------------------------------------------


def test_the_page_is_well_formed_and_always_the_same() -> None:
    reader = PdfFileReader(BytesIO(PDF), strict=True)
    page = reader.root["/Pages"]["/Kids"][0]
    assert page["/Contents"].data.count(b" Tj T*") == 2
    assert rb"(An application \(draft\)) Tj" in page["/Contents"].data
    assert rb"(with a back\\slash) Tj" in page["/Contents"].data
    assert blank_pdf(["a"]) == blank_pdf(iter(["a"])) != blank_pdf(["b"])
    assert sign_pdf(make_signer(), blank_pdf(), now=NOW).startswith(b"%PDF-1.7\n")


@pytest.mark.parametrize(
    "lines", [[""] * (MAX_LINES + 1), ["x" * (MAX_LINE_CHARS + 1)], ["氏名"], ["tab\t"], ["two\nlines"]]
)
def test_a_page_holds_only_so_much(lines: list[str]) -> None:
    with pytest.raises(UsageError):
        blank_pdf(lines)


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=MAX_LINE_CHARS), max_size=5))
def test_any_line_comes_back(lines: list[str]) -> None:
    content = PdfFileReader(BytesIO(blank_pdf(lines)), strict=True).root["/Pages"]["/Kids"][0]["/Contents"].data
    shown = content.decode("ascii").splitlines()[1:-1]
    plain = [line.removesuffix(") Tj T*").removeprefix("(") for line in shown]
    assert [line.replace(r"\(", "(").replace(r"\)", ")").replace(r"\\", "\\") for line in plain] == lines
