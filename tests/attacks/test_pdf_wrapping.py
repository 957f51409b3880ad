"""Universal forgery (USF), incremental saving (ISA), wrapping (SWA) and hidden signatures in PDFs (jpki.md §6 A-30..A-33)."""

# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: ARG005, E501 - a table of attacks is read row by row

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pytest
from pyhanko.pdf_utils import generic

from attacks.forge import HEX_ROOM, NOW, Cms, Pdf, pdf_cms, revision
from attacks.test_pdf import (
    FORGED_FIELD,
    SECOND,
    Attack,
    dictionary,
    empty_field,
    judge,
    once,
    ours,
    plain,
    script,
    second,
    updated,
)
from attacks.test_pdf import signed as sign
from attacks.test_pdf_shadow import free_overlay, trap
from kojin_card.signing import sign_pdf
from kojin_card.verdict import Indication
from signers import make_signer

PAGE = b"<< /Length 31 >>\nstream\nBT /F1 12 Tf (pay more) Tj ET  \nendstream"


def without_table(data: bytes) -> bytes:
    return data + b"4 0 obj\n" + PAGE + b"\nendobj\n"


def without_trailer(data: bytes) -> bytes:
    return data + b"4 0 obj\n" + PAGE + b"\nendobj\nxref\n4 1\n%010d 00000 n \n" % len(data)


def last_table(data: bytes) -> int:
    return int(re.findall(rb"startxref\n(\d+)", data)[-1])


def old_table(data: bytes) -> bytes:
    """An update whose pointer leads to the old table: only a viewer that mends files sees the object."""
    return without_table(data) + b"startxref\n%d\n%%%%EOF\n" % last_table(data)


def beside_a_table(data: bytes) -> bytes:
    """An update that is harmless, with an object that its table does not know."""
    changed = revision(data, {60: b"<< >>"}, size=61)
    at = changed.rindex(b"xref\n", 0, changed.rindex(b"startxref"))
    start = changed.rindex(b"startxref")
    moved = changed[:at] + b"4 0 obj\n" + PAGE + b"\nendobj\n" + changed[at:start]
    return moved + b"startxref\n%d\n%%%%EOF\n" % (at + len(PAGE) + 16)


def table_within(data: bytes) -> bytes:
    """Nothing but a table: what it brings forth lay in the signed bytes."""
    hidden = data.index(b"9 0 obj")
    start = len(data)
    return data + b"xref\n4 1\n%010d 00000 n \ntrailer\n<< /Size 60 /Root 1 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n" % (
        hidden, last_table(data), start,
    )  # fmt: skip


def another_signature_dictionary(data: bytes) -> bytes:
    """The dictionary written again, with the same range and contents, but without what it forbade (A-33)."""
    body = data[data.index(b"6 0 obj\n") + 8 : data.index(b"\nendobj", data.index(b"6 0 obj\n"))]
    return revision(data, {6: body.replace(b"/Filter", b"/Fulter")})


def field_moved(data: bytes) -> bytes:
    """The form is exchanged for one in which another field holds the same signature."""
    return revision(data, {5: b"<< /FT /Sig /T (Other) /V 6 0 R /Rect [0 0 0 0] >>"})


def wrapped(data: bytes) -> bytes:
    """SWA: the signed end is moved to the back, the range made longer, and something put in between."""
    numbers_text = re.findall(rb"/ByteRange \[([^\]]*)\]", data)[0]
    _, before, second_at, after = (int(part) for part in numbers_text.split())
    evil = b" /Contents <00> >>\nendobj\n4 0 obj\n" + PAGE + b"\nendobj\n"
    moved = data[:second_at] + evil + data[second_at:]
    new = b"0 %d %d %d" % (before, second_at + len(evil), after)
    return moved.replace(numbers_text, new.ljust(len(numbers_text)), 1)


CONTENTS: dict[str, Callable[[bytes], str]] = {
    "white space between the digits": lambda m: (m.hex()[:20] + " " * 10 + m.hex()[20:]).ljust(HEX_ROOM, "0"),
    "a comment among the digits": lambda m: (m.hex()[:20] + "%0000\n" + m.hex()[20:]).ljust(HEX_ROOM, "0"),
    "the end in the middle": lambda m: (m.hex() + "> /X <").ljust(HEX_ROOM, "0"),
    "a dictionary instead": lambda m: ("< /A <" + m.hex() + ">> /B <").ljust(HEX_ROOM, "0"),
    "digits that are none": lambda m: m.hex().ljust(HEX_ROOM, "g"),
}


def odd_contents(odd: Callable[[bytes], str]) -> bytes:
    return Pdf(contents=odd).build()


TABLE = [
    # USF: something in the dictionary is missing or absurd, and a viewer that gives up says nothing
    Attack("A-32", "USF: no /Contents", lambda: Pdf().build().replace(b"/Contents <", b"/Cantents <"), "format.malformed"),
    Attack("A-32", "USF: no /ByteRange", lambda: Pdf().build().replace(b"/ByteRange", b"/ByteRunge"), "coverage.gap"),
    Attack("A-32", "USF: /ByteRange null", lambda: null_range(), "coverage.gap"),
    Attack("A-32", "USF: a negative range", lambda: Pdf(byte_range=lambda r: (0, -r[1], r[2], r[3])).build(), "coverage.gap"),
    Attack("A-32", "USF: an empty range", lambda: Pdf(byte_range=lambda r: (0, 0, 0, 0)).build(), "coverage.gap"),
    Attack("A-32", "USF: a range of zeros and the file", lambda: Pdf(byte_range=lambda r: (0, 0, 0, r[2] + r[3])).build(),
        "coverage.gap"),
    Attack("A-32", "USF: no certificate in /Contents", lambda: Pdf(cms=lambda d: no_certificate(d)).build(),
        "certificate.missing"),
    *(Attack("A-32", f"/Contents: {what}", partial(odd_contents, odd), "format.malformed|coverage.gap")
        for what, odd in CONTENTS.items()),
    Attack("A-32", "/Contents twice", lambda: Pdf(sig_type="/Type /Sig /Contents <3000> ").build(), "format.malformed|coverage.gap"),
    Attack("A-32", "/ByteRange twice", lambda: Pdf(sig_type="/Type /Sig /ByteRange [0 9 12 20] ").build(),
        "format.malformed|coverage.hidden|coverage.gap"),
    Attack("A-32", "/Contents elsewhere", lambda: Pdf(sig_type="/Type /Sig /Contents 7 0 R ", extra=("<3000>",)).build(),
        "format.malformed|coverage.gap"),
    # ISA: an update that a viewer sees though its parts are missing
    Attack("A-30", "ISA: objects without a table", lambda: without_table(Pdf().build()), "format.malformed|coverage.appended"),
    Attack("A-30", "ISA: a table without a trailer", lambda: without_trailer(Pdf().build()), "format.malformed|coverage.appended"),
    Attack("A-30", "ISA: objects, and the old table", lambda: old_table(Pdf().build()), "coverage.appended"),
    Attack("A-30", "ISA: objects beside a table, under a second signature", lambda: second(beside_a_table(Pdf().build())),
        "coverage.modified"),
    Attack("A-30", "ISA: objects before a second signature's", lambda: second(old_table(Pdf().build())), "coverage.modified"),
    Attack("A-30", "ISA: an object twice in one update", lambda: second(revision(
        without_table(Pdf().build()), {60: b"<< >>"}, size=61)), "coverage.modified"),
    Attack("A-30", "ISA: the signature written again with an update", lambda: another_signature_dictionary(Pdf().build()),
        "coverage.hidden"),
    Attack("A-33", "ISA: another field for the signature", lambda: field_moved(Pdf().build()), "coverage.appended"),
    Attack("A-33", "hide-and-replace: a table brings forth what was signed unseen", lambda: table_within(Pdf(
        extra=("<< >>", "<< >>", PAGE.decode())).build()), "coverage.appended"),
    Attack("A-33", "... under a second signature", lambda: second(table_within(Pdf(
        extra=("<< >>", "<< >>", PAGE.decode())).build())), "coverage.modified"),
    Attack("A-33", "hide: a table frees the overlay", lambda: free_overlay(trap()), "coverage.appended"),
    Attack("A-33", "... under a second signature", lambda: second(free_overlay(trap())), "coverage.modified"),
    # SWA: the signed bytes are elsewhere
    Attack("A-33", "SWA: the signed end moved to the back", lambda: wrapped(Pdf().build()), "coverage.gap|format.malformed"),
    Attack("A-33", "SWA: a wrapper inside /Contents", lambda: Pdf(contents=lambda m: (
        m.hex() + pdf_cms(b"other").hex()).ljust(HEX_ROOM, "0")[:HEX_ROOM]).build(), "format.malformed"),
    # signatures in other places
    Attack("A-33", "on the page only, not in the form", lambda: on_the_page_only(), "coverage.hidden"),
    Attack("A-33", "one more on the page only", lambda: Pdf(extra=(
        "<< /Type /Annot /Subtype /Widget /FT /Sig /T (X) /V 8 0 R /Rect [0 0 9 9] >>",
        SECOND.format(range="/ByteRange [0 9 12 20]"))).build(), "coverage.hidden"),
    Attack("A-33", "one more below another field", lambda: Pdf(fields="[5 0 R 7 0 R]", extra=(
        "<< /T (Group) /Kids [8 0 R] >>", "<< /FT /Sig /T (Inner) /V 9 0 R >>",
        SECOND.format(range="/ByteRange [0 9 12 20]"))).build(), "coverage.gap"),
    Attack("A-33", "one more in the catalogue's /Perms", lambda: Pdf(
        fields="[5 0 R] >> /Perms << /DocMDP 7 0 R", extra=(SECOND.format(range="/ByteRange [0 9 12 20]"),)).build(),
        "coverage.hidden"),
    Attack("A-33", "usage rights, signed by others", lambda: Pdf(
        fields="[5 0 R] >> /Perms << /UR3 7 0 R", extra=(SECOND.format(range="/ByteRange [0 9 12 20]"),)).build(),
        "coverage.hidden"),
    Attack("A-33", "a field of the same name", lambda: Pdf(fields="[5 0 R 7 0 R]", extra=(
        FORGED_FIELD.replace("Forged", "Signature1"), SECOND.format(range="/ByteRange [0 9 12 20]"))).build(), "coverage.gap"),
    Attack("A-33", "a number that was referred to before it came", lambda: second(revision(Pdf(
        fields="[5 0 R] >> /PieceInfo << /Next 40 0 R").build(), {40: PAGE}, size=60)), "coverage.modified"),
    Attack("A-33", "a generation that nobody freed", lambda: again_as_generation(Pdf().build(), 4), "format.malformed"),
    Attack("A-33", "... of a number that was referred to before it came", lambda: ours(again_as_generation(Pdf(
        fields="[5 0 R] >> /PieceInfo << /Next 40 0 R").build(), 40)), "coverage.modified"),
    Attack("A-33", "a script in a later field, as its child", lambda: second(updated(once(), empty_field(
        "Second", Kids=lambda w: generic.ArrayObject([w.add_object(dictionary(A=script()))])))), "coverage.modified"),
]  # fmt: skip


def null_range() -> bytes:
    data = Pdf().build()
    (found,) = re.findall(rb"/ByteRange \[[^\]]*\]", data)
    return data.replace(found, b"/ByteRange null".ljust(len(found)))


def no_certificate(data: bytes) -> bytes:
    return Cms(content=data, attached=False, certificates=()).build()


def on_the_page_only() -> bytes:
    return Pdf(fields="[]").build()


def again_as_generation(data: bytes, number: int) -> bytes:
    """An update that brings ``number`` with generation 1 (as Poppler does for new numbers)."""
    changed = revision(data, {number: b"<< /Length 0 /Subtype /Form >>\nstream\n\nendstream"}, size=60)
    changed = changed.replace(b"\n%d 0 obj\n<< /Length 0 " % number, b"\n%d 1 obj\n<< /Length 0 " % number)
    at = changed.rindex(b"00000 n")
    return changed[:at] + b"00001 n" + changed[at + 7 :]


@pytest.mark.parametrize("attack", TABLE, ids=str)
def test_attack(attack: Attack) -> None:
    verdict = judge(attack.document(), disclose=True)
    assert set(attack.reason.split("|")) & set(verdict.reasons), verdict.reasons
    assert verdict.indication is not Indication.TOTAL_PASSED
    assert verdict.holder is None


# --- a signed table that leads behind the file's end ------------------------------------------------------------------


def page_behind_the_end(make: Callable[[bytes], bytes]) -> bytes:
    """Signed while its table said that the page's text lies where the file ends; then somebody puts it there."""
    start = plain().index(b"4 0 obj")

    def at(place: int) -> bytes:
        row = b"%010d 00000 n" % start
        assert plain().count(row) == 1
        return sign(plain().replace(row, b"%010d 00000 n" % place), "First")

    size = len(at(0))
    data = at(size)
    assert len(data) == size
    judge(data).require()
    return make(revision(data, {4: PAGE}))


def page_that_runs_on() -> bytes:
    """The page's text is said to be so long that it ends within the second signer's reason."""
    plainly = plain()
    (length,) = re.findall(rb"/Length (\d+)", plainly)

    def said(number: int) -> bytes:
        longer = plainly.replace(b"<< /Length %s >>" % length, b"<</Length %d>>" % number)
        first = sign(longer, "First")
        return sign_pdf(make_signer(), first, now=NOW, reason="endstream endobj")

    data = said(10000)
    end = data.index(b"endstream endobj)")
    begin = data.index(b"stream\n") + 7
    again = said(end - begin)
    assert len(again) == len(data)
    return again


def test_what_the_signed_table_names_behind_the_end_is_no_part_of_it() -> None:
    """Both revisions have the very same object there, so a comparison finds nothing changed."""
    assert page_behind_the_end(lambda data: judge(data).reasons[0].encode()) == b"coverage.appended"
    assert "coverage.modified" in judge(page_behind_the_end(second)).parts[0].reasons


def test_an_object_that_reaches_behind_the_end_is_no_part_of_it() -> None:
    assert "coverage.modified" in judge(page_that_runs_on()).parts[0].reasons


def test_a_signature_that_two_fields_hold_is_one_signature() -> None:
    """Who counts the parts of a verdict must not count one signer twice."""
    twin = "<< /FT /Sig /T (Twin) /V 6 0 R >>"
    for extra in (twin, f"<< /T (Group) /Kids [8 0 R] >>|{twin}"):
        data = Pdf(fields="[5 0 R 7 0 R]", extra=tuple(extra.split("|"))).build()
        assert judge(data).require().parts == ()
        assert len(judge(second(data)).require().parts) == 2


def test_a_field_that_takes_an_earlier_signature_for_its_own_is_a_change() -> None:
    grown = revision(
        Pdf().build(),
        {
            60: b"<< /FT /Sig /T (Twin) /V 6 0 R >>",
            1: b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R 60 0 R] /SigFlags 3 >> >>",
        },
        size=61,
    )
    assert judge(grown).reasons == ("coverage.appended",)
    assert "coverage.modified" in judge(second(grown)).parts[0].reasons
