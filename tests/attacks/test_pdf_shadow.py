"""Shadow attacks on signed and certified PDFs (jpki.md §6 A-33), document by document.

The families are those that the literature names: hide, replace, hide-and-replace; EAA and SSA against
certified documents.
"""

# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: E501 - a table of attacks is read row by row

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any
from unittest import mock

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.content import RawContent
from pyhanko.sign import fields, signers
from pyhanko.stamp import StaticStampStyle

from attacks.forge import Pdf
from attacks.pdf_maker import Writer, stream
from attacks.test_pdf import (
    STAMP,
    WHOLE_PAGE,
    dictionary,
    judge,
    new_page_text,
    once,
    plain,
    script,
    second,
    updated,
)
from attacks.test_pdf import signed as sign
from kojin_card.verdict import Indication

Change = Callable[[Writer], object]
ANNOTATE = fields.MDPPerm.ANNOTATE
NO_CHANGES = fields.MDPPerm.NO_CHANGES


def name(text: str) -> generic.NameObject:
    return generic.NameObject(f"/{text}")


def text(words: str) -> generic.TextStringObject:
    return generic.TextStringObject(words)


def page_of(writer: Writer) -> Any:
    return writer.root["/Pages"]["/Kids"][0]


# --- a prepared document: what the signer saw, and what lies in wait --------------------------------------------------


def prepared(writer: Writer) -> None:
    """A page with a text field, a font, an overlay that hides something, an annotation, an attachment, a second page.

    Each is signed as it stands: what an attacker changes afterwards, is the attack.
    """
    page = page_of(writer)
    font = writer.add_object(dictionary(Type=name("Font"), Subtype=name("Type1"), BaseFont=name("Helvetica")))
    appearance = writer.add_object(form_object(b"BT /F1 12 Tf (pay 100) Tj ET", font))
    entry = writer.add_object(
        dictionary(
            FT=name("Tx"), T=text("amount"), V=text("pay 100"), DA=text("/F1 12 Tf 0 g"), Type=name("Annot"),
            Subtype=name("Widget"), Rect=numbers(9, 9, 99, 29), F=generic.NumberObject(4), AP=dictionary(N=appearance),
        )
    )  # fmt: skip
    overlay = writer.add_object(form_object(b"1 g 0 0 595 842 re f", font))
    note = writer.add_object(
        dictionary(Type=name("Annot"), Subtype=name("Stamp"), Rect=numbers(*WHOLE_PAGE), AP=dictionary(N=overlay))
    )
    attached = writer.add_object(stream(b"amount,100\n", Type=name("EmbeddedFile")))
    file = writer.add_object(
        dictionary(Type=name("Filespec"), F=text("data.csv"), EF=dictionary(F=attached), AFRelationship=name("Data"))
    )
    page["/Annots"] = generic.ArrayObject([entry, note])
    page["/Resources"] = dictionary(Font=dictionary(F1=font), XObject=dictionary(X=overlay))
    writer.update_container(page)
    spare = writer.add_object(
        dictionary(
            Type=name("Page"), Parent=writer.root.raw_get("/Pages"), MediaBox=numbers(*WHOLE_PAGE),
            Contents=writer.add_object(stream(b"BT (pay more) Tj ET")),
        )
    )  # fmt: skip
    writer.root["/PieceInfo"] = dictionary(Spare=spare)
    writer.root["/AF"] = generic.ArrayObject([file])
    writer.root["/Names"] = dictionary(EmbeddedFiles=dictionary(Names=generic.ArrayObject([text("data.csv"), file])))
    writer.root["/AcroForm"] = dictionary(
        Fields=generic.ArrayObject([entry]), SigFlags=generic.NumberObject(3), DR=dictionary(Font=dictionary(F1=font))
    )
    writer.update_root()


def numbers(*values: int) -> generic.ArrayObject:
    return generic.ArrayObject(generic.NumberObject(value) for value in values)


def form_object(data: bytes, font: generic.IndirectObject) -> generic.StreamObject:
    return stream(
        data, Type=name("XObject"), Subtype=name("Form"), BBox=numbers(0, 0, 90, 20),
        Resources=dictionary(Font=dictionary(F1=font)),
    )  # fmt: skip


@cache
def trap() -> bytes:
    return sign(updated(plain(), prepared), "First")


def amount(writer: Writer) -> Any:
    return writer.root["/AcroForm"]["/Fields"][0]


def new_value(writer: Writer) -> None:
    amount(writer)["/V"] = text("pay 900")
    writer.update_container(amount(writer))


def new_appearance(writer: Writer) -> None:
    drawn = amount(writer)["/AP"]["/N"]
    drawn._data, drawn._encoded_data = b"BT /F1 12 Tf (pay 900) Tj ET", None
    writer.mark_update(amount(writer)["/AP"].raw_get("/N").reference)


def another_appearance(writer: Writer) -> None:
    amount(writer)["/AP"] = dictionary(N=writer.add_object(stream(b"BT (pay 900) Tj ET", Subtype=name("Form"))))
    writer.update_container(amount(writer))


def new_font(writer: Writer) -> None:
    font = page_of(writer)["/Resources"]["/Font"].raw_get("/F1")
    font.get_object()["/BaseFont"] = name("Digits-swapped")
    writer.mark_update(font.reference)


def hide(part: str) -> Change:
    """The overlay, or the stamp that shows it, is gone: what lay below appears."""

    def change(writer: Writer) -> None:
        page = page_of(writer)
        if part == "annotation":
            page["/Annots"].pop(1)
            writer.update_container(page["/Annots"])
        elif part == "emptied":
            drawn = page["/Annots"][1]["/AP"]["/N"]
            drawn._data, drawn._encoded_data = b"", None
            writer.mark_update(page["/Annots"][1]["/AP"].raw_get("/N").reference)
        else:
            page["/Annots"][1][part] = generic.NumberObject(2)
            writer.update_container(page["/Annots"][1])

    return change


def free_overlay(data: bytes) -> bytes:
    """A table alone, which frees the overlay."""
    number = int(re.findall(rb"/X (\d+) 0 R", data)[0])
    previous = int(re.findall(rb"startxref\n(\d+)", data)[-1])
    start = len(data)
    table = b"xref\n0 1\n%010d 65535 f \n%d 1\n0000000000 00001 f \n" % (number, number)
    trailer = b"trailer\n<< /Size 99 /Root 1 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n" % (previous, start)
    return data + table + trailer


def spare_page(writer: Writer) -> None:
    writer.root["/Pages"]["/Kids"][0] = writer.root["/PieceInfo"].raw_get("/Spare")
    writer.update_container(writer.root["/Pages"]["/Kids"])


def another_root(writer: Writer) -> None:
    root = generic.DictionaryObject(writer.root)
    writer.trailer["/Root"] = writer._root = writer.add_object(root)


def new_attachment(writer: Writer) -> None:
    file = writer.root["/AF"][0]["/EF"]
    file["/F"]._data, file["/F"]._encoded_data = b"amount,900\n", None
    writer.mark_update(file.raw_get("/F").reference)


def one_more_attachment(writer: Writer) -> None:
    file = writer.add_object(dictionary(Type=name("Filespec"), F=text("more.csv")))
    writer.root["/AF"].append(file)
    writer.update_root()


def at_root(**entries: Any) -> Change:
    def change(writer: Writer) -> None:
        for key, value in entries.items():
            writer.root[f"/{key}"] = value(writer) if callable(value) else value
        writer.update_root()

    return change


def at_page(**entries: Any) -> Change:
    def change(writer: Writer) -> None:
        for key, value in entries.items():
            page_of(writer)[f"/{key}"] = value(writer) if callable(value) else value
        writer.update_container(page_of(writer))

    return change


def at_form(**entries: Any) -> Change:
    def change(writer: Writer) -> None:
        for key, value in entries.items():
            writer.root["/AcroForm"][f"/{key}"] = value(writer) if callable(value) else value
        writer.update_container(writer.root["/AcroForm"])

    return change


def one_more_annotation(writer: Writer) -> None:
    note = writer.add_object(dictionary(Type=name("Annot"), Subtype=name("FreeText"), Rect=numbers(*WHOLE_PAGE)))
    page = page_of(writer)
    page["/Annots"] = generic.ArrayObject([*page["/Annots"], note])
    writer.update_container(page)


SHADOW: dict[str, Change] = {
    "hide: an annotation is taken away": hide("annotation"),
    "hide: its overlay is emptied": hide("emptied"),
    "hide: it is flagged as hidden": hide("/F"),
    "replace: a field's value": new_value,
    "replace: a field's appearance, in place": new_appearance,
    "replace: a field's appearance, by another": another_appearance,
    "replace: the font of page and field": new_font,
    "replace: the page's text": new_page_text,
    "hide-and-replace: a page that lay in wait": spare_page,
    "hide-and-replace: another catalogue": another_root,
    "an attachment's data (PDF/A-3)": new_attachment,
    "one more attachment (PDF/A-3)": one_more_attachment,
    "a script when it opens": at_root(OpenAction=lambda w: w.add_object(script())),
    "a script among the names": at_root(Names=lambda w: dictionary(JavaScript=w.add_object(script()))),
    "actions of the catalogue": at_root(AA=lambda w: dictionary(WC=w.add_object(script()))),
    "actions of the page": at_page(AA=lambda w: dictionary(O=w.add_object(script()))),
    "a template": at_root(Threads=generic.ArrayObject()),
    "layers that are switched": at_root(OCProperties=dictionary(OCGs=generic.ArrayObject())),
    "an XFA form": at_form(XFA=lambda w: w.add_object(stream(b"<xdp/>"))),
    "appearances that viewers make anew": at_form(NeedAppearances=generic.BooleanObject(True)),
    "an order of calculation": at_form(CO=generic.ArrayObject()),
    "fonts for all fields": at_form(DR=dictionary(Font=dictionary())),
    "another crop of the page": at_page(CropBox=numbers(0, 0, 99, 99)),
    "a turned page": at_page(Rotate=generic.NumberObject(180)),
    "a larger unit": at_page(UserUnit=generic.NumberObject(9)),
    "one more annotation": one_more_annotation,
    "usage rights": at_root(Perms=dictionary()),
}


@pytest.mark.attack("A-33", "shadow: {}", "never good")
@pytest.mark.parametrize("change", SHADOW.values(), ids=SHADOW.keys())
def test_a_prepared_document_may_not_turn(change: Change) -> None:
    """After the last signature, and hidden below a second one."""
    for data, reason in (
        (updated(trap(), change), "coverage.appended"),
        (second(updated(trap(), change)), "coverage.modified"),
    ):
        verdict = judge(data, disclose=True)
        assert reason in verdict.reasons, verdict.reasons
        assert verdict.indication is Indication.TOTAL_FAILED


def test_a_prepared_document_as_it_was_signed_passes() -> None:
    judge(trap()).require()
    judge(second(trap())).require()


# --- certified documents ----------------------------------------------------------------------------------------------


@cache
def certified(perm: fields.MDPPerm = fields.MDPPerm.FILL_FORMS) -> bytes:
    return sign(updated(plain(), prepared), "First", certify=True, perm=perm)


def by_force(data: bytes, **options: object) -> bytes:
    """A second signature by a program that does not ask what the first one allows."""
    with mock.patch.object(signers.PdfSigner, "_enforce_certification_constraints"):
        return second(data, **options)


@pytest.mark.parametrize("perm", fields.MDPPerm)
@pytest.mark.parametrize("change", [new_value, one_more_annotation, new_page_text])
def test_what_a_certification_allows_is_not_what_the_holder_signed(perm: fields.MDPPerm, change: Change) -> None:
    """EAA: a level that allows annotations, or filling in, lets a viewer nod; the holder did not sign it."""
    assert judge(certified(perm)).indication is Indication.TOTAL_PASSED
    assert judge(updated(certified(perm), change)).reasons == ("coverage.appended",)
    assert "coverage.modified" in judge(by_force(updated(certified(perm), change))).reasons


@pytest.mark.parametrize("perm", fields.MDPPerm)
def test_a_second_signature_within_and_beyond_the_level(perm: fields.MDPPerm) -> None:
    verdict = judge(by_force(certified(perm)))
    if perm is NO_CHANGES:
        assert verdict.parts[0].reasons == ("coverage.modified",)
    else:
        verdict.require()


@pytest.mark.parametrize("perm", [fields.MDPPerm.FILL_FORMS, ANNOTATE])
def test_a_sneaky_second_signature_shows_itself(perm: fields.MDPPerm) -> None:
    """SSA: the page is painted over by the appearance of a signature that the level allows."""
    field = fields.SigFieldSpec("Second", on_page=0, box=WHOLE_PAGE)
    for style in (STAMP, StaticStampStyle(background=RawContent(b"1 g 0 0 595 842 re f"))):
        verdict = judge(by_force(certified(perm), style=style, field=field))
        assert verdict.indication is not Indication.TOTAL_PASSED
        assert verdict.parts[0].reasons == ("coverage.modified",)


@pytest.mark.attack("A-33", "a certification that the catalogue does not name", "never good")
def test_a_certification_counts_without_the_catalogue_saying_so() -> None:
    """/Perms is missing: the level stands in the signature all the same."""
    quiet = Pdf(sig_type=DOC_MDP.format(level="/P 1 ")).build()
    judge(quiet).require()
    assert judge(second(quiet)).parts[0].reasons == ("coverage.modified",)
    open_to = Pdf(
        sig_type=DOC_MDP.format(level="")
    ).build()  # nothing said: filling in and signing (ISO 32000-2 table 257)
    judge(second(open_to)).require()


@pytest.mark.parametrize("level", ["/P 0 ", "/P 4 ", "/P /N ", "/P [1] ", "/P 2.5 "])
def test_a_level_that_is_none_allows_nothing(level: str) -> None:
    assert judge(second(Pdf(sig_type=DOC_MDP.format(level=level)).build())).parts[0].reasons == ("coverage.modified",)


DOC_MDP = "/Type /Sig /Reference [<< /Type /SigRef /TransformMethod /DocMDP /TransformParams << {level}/V /1.2 >> >>] "
FIELD_MDP = "/Type /Sig /Reference [<< /TransformMethod /FieldMDP /TransformParams << /Action {action} /V /1.2 >> >>] "


@pytest.mark.parametrize("first", [once, certified])
def test_a_certification_after_another_signature_is_refused(first: Callable[[], bytes]) -> None:
    """ISO 32000-2 §12.8.1: one certification, and before any other signature; whoever comes later may not lay down rules."""
    verdict = judge(by_force(first(), certify=True))
    assert verdict.parts[1].reasons == ("format.malformed",)
    assert verdict.indication is Indication.TOTAL_FAILED


@pytest.mark.parametrize("action", ["/All", "/Include /Fields [(Second)]", "/Exclude /Fields [(amount)]"])
def test_a_locked_field_is_not_signed_later(action: str) -> None:
    assert judge(second(Pdf(sig_type=FIELD_MDP.format(action=action)).build())).parts[0].reasons == (
        "coverage.modified",
    )


def test_a_field_that_is_not_locked_may_be_signed_later() -> None:
    judge(second(Pdf(sig_type=FIELD_MDP.format(action="/Include /Fields [(amount)]")).build())).require()


@pytest.mark.parametrize(
    "lock",
    ["/Action /All", "/Action /All /P 1", "/Action /Include /Fields [(Second)]", "/Action /Include /Fields [(x)] /P 1"],
)
def test_a_lock_of_the_field_counts_though_the_signature_forgot_it(lock: str) -> None:
    data = Pdf(
        fields="[7 0 R]", extra=(f"<< /FT /Sig /T (Locking) /V 6 0 R /Lock << /Type /SigFieldLock {lock} >> >>",)
    ).build()
    judge(data).require()
    assert judge(second(data)).parts[0].reasons == ("coverage.modified",)
