"""What pages and fields inherit by /Parent (jpki.md §6 A-33): nothing that comes or changes after a signature.

A viewer that looks for the size of a page, or the value of a field, goes up by /Parent (ISO 32000-1 tables 30, 220).
pyhanko does not: a page's /Parent could be an object that is harmless in itself, and that only a later revision writes.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.sign.signers import pdf_byterange

from attacks.pdf_maker import Writer, stamped, with_store
from attacks.test_pdf import dictionary, judge, second, updated
from attacks.test_pdf import signed as sign
from kojin_card.verdict import CheckId, Indication

TEXT = b"BT /F1 24 Tf 72 720 Td (pay 1000) Tj 0 -600 Td (only if it rains) Tj ET"
FONT = b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
CUT = {"/CropBox": generic.ArrayObject(map(generic.NumberObject, (0, 400, 595, 842)))}
#: the number that pyhanko gives to the time-stamp's dictionary, the last new object of a time-stamp after a signature
STAMP = 14


def made(parent: bytes, *others: bytes, form: bytes = b"/AcroForm << /Fields [] >> ", extensions: bytes = b"") -> bytes:
    """A page whose parent is said to be ``parent``; objects from 6 on, of which the first is the page's annotation."""
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R %s%s >>" % (form, extensions),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page %s /MediaBox [0 0 595 842] /Contents 4 0 R %s /Annots [6 0 R] >>" % (parent, FONT),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(TEXT), TEXT),
        b"<< /Type /Font >>",
        *(others or (b"<< /Type /Annot /Subtype /Link /Rect [0 0 0 0] >>",)),
    )
    out, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    rows = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    end = b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\n" % (size, rows, size)
    return out + end + b"startxref\n%d\n%%%%EOF\n" % len(out)


def stamp_that_cuts(data: bytes) -> bytes:
    """A document time-stamp whose dictionary says how large a page is, beside what it has to say."""
    make = pdf_byterange.DocumentTimestamp.__init__

    def with_a_box(self: Any, *args: Any, **more: Any) -> None:
        make(self, *args, **more)
        self.update({generic.NameObject(key): value for key, value in CUT.items()})

    with mock.patch.object(pdf_byterange.DocumentTimestamp, "__init__", with_a_box):
        out = stamped(data)
    assert b"\n%d 0 obj\n" % STAMP in out[len(data) :]
    box = out.index(b"/CropBox", len(data))
    assert out.rindex(b"%d 0 obj" % STAMP, 0, box) > out.rindex(b"endobj", 0, box)
    return out


def extensions_that_cut(data: bytes) -> bytes:
    def change(writer: Writer) -> None:
        place = writer.root.raw_get("/Extensions").reference
        writer.objects[(place.generation, place.idnum)] = dictionary(**{key[1:]: value for key, value in CUT.items()})

    return updated(with_store(data), change)


ANNOTATION = b"<< /Type /Annot /Subtype /Link /Rect [0 0 0 0] >>"
PADDING = (ANNOTATION, b"<< >>")
ABOVE = b"/Parent %d 0 R" % STAMP
EXTENSIONS = b"/Extensions 7 0 R"
FORM = b"/AcroForm << /Fields [6 0 R] >> "
FIELD = b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (sum) /Rect [0 0 90 20] /P 3 0 R /Parent %d 0 R >>" % STAMP
ATTACKS: dict[str, tuple[Callable[[], bytes], Callable[[bytes], bytes]]] = {
    "a page's parent is the time-stamp to come": (lambda: made(ABOVE, *PADDING), stamp_that_cuts),
    "... by a name that is written otherwise": (
        lambda: made(ABOVE.replace(b"/Parent", b"/P#61rent"), *PADDING), stamp_that_cuts),
    "... in a dictionary on the spot": (lambda: made(b"/Parent << %s >>" % ABOVE, *PADDING), stamp_that_cuts),
    "... by another generation": (lambda: made(ABOVE.replace(b"0 R", b"1 R"), *PADDING), stamp_that_cuts),
    "its parent's parent is": (lambda: made(b"/Parent 7 0 R", ANNOTATION, b"<< %s >>" % ABOVE), stamp_that_cuts),
    "its parent's size is": (lambda: made(
        b"/Parent 7 0 R", ANNOTATION, b"<< /CropBox %d 0 R >>" % STAMP), stamp_that_cuts),
    "a field's parent is": (lambda: made(b"/Parent 2 0 R", FIELD, b"<< >>", form=FORM), stamp_that_cuts),
    "... in a catalogue that calls it a field": (lambda: made(
        b"/Parent 7 0 R", ANNOTATION, b"<< >>", form=b"/Fields [7 0 R] ", extensions=EXTENSIONS), extensions_that_cut),
    "... and is a field as well": (lambda: made(b"/Parent 7 0 R", ANNOTATION, b"<< /FT /Tx /T (x) >>",
        form=b"/AcroForm << /Fields [7 0 R] >> ", extensions=EXTENSIONS), extensions_that_cut),
    "a page's parent may be renewed": (lambda: made(
        b"/Parent 7 0 R", ANNOTATION, b"<< >>", extensions=EXTENSIONS), extensions_that_cut),
}  # fmt: skip


@pytest.mark.attack("A-33", "inherited: {}", "coverage.appended")
@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_is_inherited_from_what_comes_later(name: str) -> None:
    base, change = ATTACKS[name]
    before = sign(base(), "First")
    judge(before).require()
    verdict = judge(change(before))
    assert verdict.reasons == ("coverage.appended",)
    assert verdict.indication is Indication.TOTAL_FAILED


def test_what_carries_the_attack_is_harmless_in_itself() -> None:
    judge(stamp_that_cuts(sign(made(b"/Parent 2 0 R", *PADDING), "First"))).require()
    judge(
        extensions_that_cut(sign(made(b"/Parent 2 0 R", ANNOTATION, b"<< >>", extensions=EXTENSIONS), "First"))
    ).require()


TREE = (
    b"<< /Type /Annot /Subtype /Widget /Rect [0 0 0 0] /P 3 0 R /Parent 7 0 R /F 132 >>",
    b"<< /FT /Sig /T (Second) /Kids [6 0 R] >>",
)


@pytest.mark.parametrize(
    "base",
    [
        lambda: made(b"/Parent 2 0 R", *TREE, form=b"/AcroForm << /Fields [7 0 R] /SigFlags 3 >> "),
        lambda: made(b"/Parent 99 0 R"),
        lambda: made(b"/Parent 5 0 R"),
    ],
    ids=["a field with its widget below it", "a parent that is nowhere", "a parent that is none"],
)
def test_parents_of_honest_documents_do_no_harm(base: Callable[[], bytes]) -> None:
    verdict = judge(stamped(with_store(second(sign(base(), "First"))))).require()
    assert len(verdict.parts) == 2
    assert verdict.parts[0].check(CheckId.COVERAGE).evidence["later"] == "signatures only"
