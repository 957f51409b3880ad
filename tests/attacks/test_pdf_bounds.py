"""PDFs that promise more than they hold: refused at once, by the verifier and by the signer, without a word in the log.

Each bomb is judged under a limit of memory that the work it asks for would break (jpki.md §6 A-32).
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
import random
import tracemalloc
import zlib
from collections.abc import Callable
from io import BytesIO

import pytest
from pyhanko.pdf_utils import generic

from attacks.forge import Pdf, verifier
from attacks.test_pdf import once, plain, second, signed
from issued import NOW
from kojin_card import pdf_reader
from kojin_card.errors import InputError
from kojin_card.pdf_reader import references
from kojin_card.signing import check_pdf, sign_pdf
from kojin_card.verdict import Indication
from signers import make_signer

MIB = 1024 * 1024
PACKED = b"/Filter /FlateDecode "


def table(
    data: bytes = b"", *, widths: bytes = b"[1 3 1]", index: bytes = b"[1 1 3 1]", more: bytes = b"", pad: bytes = b""
) -> bytes:
    """A file that is little more than one cross-reference stream."""
    head = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n" + pad
    stream = b"3 0 obj\n<< /Type /XRef /W %s /Index %s /Size 5 /Root 1 0 R %s/Length %d >>\nstream\n" % (
        widths,
        index,
        more,
        len(data),
    )
    return head + stream + data + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(head)


def revisions(count: int, entries: bytes) -> bytes:
    """A row of cross-reference tables, each naming the one before."""
    out, previous = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n", b""
    parts, at = [out], len(out)
    for _ in range(count):
        parts.append(b"xref\n%strailer\n<< /Size 60000 /Root 1 0 R %s>>\n" % (entries, previous))
        previous = b"/Prev %d " % at
        at += len(parts[-1])
    last = previous.split()[1]
    return b"".join([*parts, b"startxref\n%s\n%%%%EOF\n" % last])


def deflated(size: int, row: bytes) -> bytes:
    return zlib.compress(row * (size // len(row)), 9)


def many_objects(count: int) -> bytes:
    """A form whose fields lie in one object stream with a directory of ``count`` objects; the last is asked often."""
    numbers = b" ".join(b"%d 0" % (number + 10) for number in range(count))
    body = zlib.compress(numbers + b" << /T (x) >>", 9)
    head = b"%PDF-1.7\n"
    objects = [
        b"1 0 obj\n<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [%s] >> >>\nendobj\n"
        % b" ".join(b"%d 0 R" % (count + 9 - place) for place in range(2000)),
        b"4 0 obj\n<< /Type /ObjStm /N %d /First %d /Filter /FlateDecode /Length %d >>\nstream\n"
        % (count, len(numbers) + 1, len(body))
        + body
        + b"\nendstream\nendobj\n",
    ]
    offsets = [len(head), len(head) + len(objects[0])]
    at = offsets[1] + len(objects[1])
    rows = [b"\x01" + offsets[0].to_bytes(4, "big") + bytes(4)]
    rows += [b"\x01" + at.to_bytes(4, "big") + bytes(4), b"\x01" + offsets[1].to_bytes(4, "big") + bytes(4)]
    first = count + 10 - 2000
    rows += [b"\x02" + (4).to_bytes(4, "big") + (n - 10).to_bytes(4, "big") for n in range(first, count + 10)]
    data = b"".join(rows)
    stream = b"3 0 obj\n<< /Type /XRef /W [1 4 4] /Index [1 1 3 2 %d 2000] /Size %d /Root 1 0 R /Length %d >>\nstream\n"
    table = stream % (first, count + 10, len(data)) + data + b"\nendstream\nendobj\n"
    return head + b"".join(objects) + table + b"startxref\n%d\n%%%%EOF\n" % at


BOMBS: dict[str, Callable[[], bytes]] = {
    "entries without a byte": lambda: table(widths=b"[0 0 0]", index=b"[0 999999999999]"),
    "... but for a fourth width": lambda: table(b"x", widths=b"[0 0 0 1]", index=b"[0 999999999999]"),
    "negative widths": lambda: table(widths=b"[1 -1 0]", index=b"[0 999999999999]"),
    "a negative count": lambda: table(widths=b"[1 1 1]", index=b"[0 999999999999 0 -999999999998]"),
    "a count that is a reference": lambda: table(b"x" * 9, index=b"[0 4 0 R]"),
    "no index, but a size": lambda: table(widths=b"[0 0 0]").replace(b"/Index [1 1 3 1] /Size 5", b"/Size 99999999"),
    "wide entries": lambda: table(b"x" * 9, widths=b"[1 999999999 1]"),
    "packed entries": lambda: table(
        deflated(21_000_000, b"\x01\x00\x00"), widths=b"[1 1 1]", index=b"[0 7000000]", more=PACKED
    ),
    "many short rows": lambda: table(
        deflated(20_000_000, b"\x00\x01"),
        widths=b"[1 0 0]",
        index=b"[0 10000000]",
        more=PACKED + b"/DecodeParms << /Predictor 12 /Columns 1 >> ",
    ),
    "packed beyond what the entries need": lambda: table(deflated(200_000_000, b"\x00"), more=PACKED),
    "packed many times": lambda: table(b"3030>", more=b"/Filter [" + b"/ASCIIHexDecode " * 1000 + b"] "),
    "a table of lies": lambda: revisions(1, b"0 60000\n" + b"0000000009 00000 n \n" * 60000).replace(
        b"0 60000\n", b"0 99999999\n"
    ),
    "revisions without end": lambda: revisions(20_000, b"1 1\n0000000009 00000 n \n"),
    "revisions that all free": lambda: (
        revisions(1, b"0 20000\n" + b"0000000000 00001 f \n" * 20_000) + revisions(400, b"1 1\n0000000009 00000 n \n")
    ),
    "a table that goes round": lambda: revisions(1, b"1 1\n0000000009 00000 n \n").replace(
        b"/Root 1 0 R >>", b"/Root 1 0 R /Prev 47>>"
    ),
    "spaces before startxref": lambda: b"%PDF-1.7\n" + b" " * 10_000_000 + b"startxref\n0\n%%EOF",
    "lines after the end": lambda: b"%PDF-1.7\nstartxref\n0\n%%EOF" + b"\n" * 10_000_000,
    "lines inside the end": lambda: b"%PDF-1.7\nstartxref\n0" + b"\n" * 10_000_000 + b"%%EOF\n\nstartxref\n",
    "a directory without end": lambda: many_objects(400_000),
}


def held_at_once(work: Callable[[], object]) -> int:
    """Bytes that were held at once (the document itself excluded). How long it takes is bounded by the time-out."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.attack("A-32", None, "format.malformed")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_no_pdf_and_costs_nothing(bomb: Callable[[], bytes]) -> None:
    data = bomb()
    verifier().verify_pdf(once())  # what is loaded and built once is no cost of the bomb

    def judged() -> None:
        verdict = verifier().verify_pdf(data)
        assert verdict.indication is Indication.TOTAL_FAILED
        assert verdict.reasons == ("format.malformed",)

    def refused() -> None:
        signer = make_signer()
        with pytest.raises(InputError):
            check_pdf(data, now=NOW)
        with pytest.raises(InputError):
            sign_pdf(signer, data, now=NOW)
        assert not signer.asked

    for work in (judged, refused):
        assert held_at_once(work) < 100 * MIB + 4 * len(data)


@pytest.mark.timeout(60)
def test_a_large_object_stream_that_is_honest_is_read_once() -> None:
    assert verifier().verify_pdf(many_objects(50_000)).reasons == ("format.no_signature",)


@pytest.mark.timeout(60)
def test_a_stream_is_read_once_however_often_it_says_byte_range() -> None:
    body = "/ByteRange [0 1 2 3] " * 250 + "x" * (20 * MIB)
    data = Pdf(extra=(f"<< /Length {len(body)} >>\nstream\n{body}\nendstream",)).build()
    verifier().verify_pdf(data).require()


def folded(levels: int) -> bytes:
    """An unsigned file with a graph of objects that each name the next one twice."""
    extra = [f"<< /A {number + 1} 0 R /B {number + 1} 0 R >>" for number in range(7, 7 + levels)]
    data = Pdf(fields="[] >> /X 7 0 R /Y <<", extra=(*extra, "<< /P 3 0 R >>")).build()
    return data.replace(b"/V 6 0 R", b"        ").replace(b"/ByteRange", b"/ByteNotes")


@pytest.mark.attack(
    "A-32", "a graph of objects that folds back on itself, between two signatures", "format.unsupported"
)
@pytest.mark.timeout(60)
def test_a_graph_that_folds_back_on_itself_is_not_followed_on_every_path() -> None:
    """Each path to the page would be followed to see what a second signature did to it: 2**40 of them."""
    verdict = verifier().verify_pdf(second(signed(folded(40), "First")))
    assert verdict.parts[0].reasons == ("format.unsupported",)
    assert verdict.indication is Indication.INDETERMINATE
    verifier().verify_pdf(second(signed(folded(5), "First"))).require()


# --- work is counted --------------------------------------------------------------------------------------------------


def tagged(elements: int) -> bytes:
    """An unsigned document with a structure tree; every element says on which page it is, as they do."""
    page = 3
    rows = [f"<< /Type /StructTreeRoot /K {8} 0 R >>"]
    kids = " ".join(f"{number} 0 R" for number in range(9, 9 + elements))
    rows.append(f"<< /Type /StructElem /S /Document /P 7 0 R /K [{kids}] >>")
    rows += [
        f"<< /Type /StructElem /S /P /P 8 0 R /Pg {page} 0 R /K {place} /Lang (ja-JP) >>" for place in range(elements)
    ]
    data = Pdf(fields="[] >> /StructTreeRoot 7 0 R /Y <<", extra=tuple(rows)).build()
    return data.replace(b"/V 6 0 R", b"        ").replace(b"/ByteRange", b"/ByteNotes")


def test_the_structure_of_a_tagged_document_is_scanned_and_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty thousand elements, signed twice; built one by one they would take ten times these steps and reads."""
    data = second(signed(tagged(20_000), "First"))
    monkeypatch.setattr(pdf_reader, "MAX_STEPS", 600_000)
    monkeypatch.setattr(pdf_reader, "MAX_READS", 100_000)
    verifier().verify_pdf(data).require()


@pytest.mark.parametrize("limit", ["MAX_STEPS", "MAX_READS"])
def test_too_much_work_is_no_success(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """A comment makes the scanner leave an object to the library, which reads it byte by byte."""
    row = "[ % a comment\n" + "0 " * 20_000 + "]"
    data = Pdf(fields="[] >> /X 7 0 R /Y <<", extra=(row,)).build()
    data = second(signed(data.replace(b"/V 6 0 R", b"        ").replace(b"/ByteRange", b"/ByteNotes"), "First"))
    verifier().verify_pdf(data).require()
    monkeypatch.setattr(pdf_reader, limit, 100_000)
    verdict = verifier().verify_pdf(data)
    assert "format.unsupported" in verdict.reasons
    assert verdict.indication is Indication.INDETERMINATE


def test_one_object_may_not_cost_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed once, so nothing is compared; but the catalogue itself is without end."""
    data = Pdf(fields="[5 0 R] /X [" + "0 " * 20_000 + "]").build()
    verifier().verify_pdf(data).require()
    monkeypatch.setattr(pdf_reader, "MAX_READS", 50_000)
    assert verifier().verify_pdf(data).reasons == ("format.unsupported",)


# --- what the scanner sees --------------------------------------------------------------------------------------------

ATOMS = (
    "1",
    "-2.5",
    "+.5",
    "true",
    "null",
    "/Name",
    "/A-b_c.d",
    "(text \\) \\( x)",
    "<0Aff>",
    "4 0 R",
    "17 2 R",
    "0",
    "65535",
)


def random_value(source: random.Random, depth: int = 0) -> str:
    kind = source.random()
    gap = source.choice((" ", "\n", "  "))
    if depth > 4 or kind < 0.5:
        return source.choice(ATOMS)
    if kind < 0.75:
        return "[" + gap.join(random_value(source, depth + 1) for _ in range(source.randrange(5))) + "]"
    keys = source.sample(("/A", "/Parent", "/P", "/Pg", "/Kids", "/Type", "/S"), source.randrange(6))
    kept = [(key, source.choice(("/StructElem", "/Page"))) if key == "/Type" else (key, "") for key in keys]
    return "<<" + gap.join(f"{key} {said or random_value(source, depth + 1)}" for key, said in kept) + ">>"


def by_the_library(value: object) -> list[tuple[int, int]]:
    """The same references, found in what pyhanko built, by the rule that the scanner states."""
    if isinstance(value, generic.IndirectObject):
        return [(value.idnum, value.generation)]
    if isinstance(value, generic.ArrayObject):
        return [one for place in range(len(value)) for one in by_the_library(value.raw_get(place))]
    if not isinstance(value, generic.DictionaryObject):
        return []
    structure = value.get("/Type") == "/StructElem"
    found = []
    for key in value:
        item = value.raw_get(key)
        leads = isinstance(item, generic.IndirectObject)
        if not (leads and (key == "/Parent" or (structure and key in ("/P", "/Pg")))):
            found += by_the_library(item)
    return found


def test_the_scanner_sees_what_the_library_sees() -> None:
    source = random.Random(5)  # noqa: S311 - a fixed sequence is wanted
    for _ in range(3000):
        text = random_value(source).encode("ascii")
        read = references.of_value(text + b" endobj", 0)
        built = generic.read_object(BytesIO(text + b" endobj"), generic.TrailerReference(None))
        assert read is not None, text
        assert sorted(read[0]) == sorted(by_the_library(built)), text
        assert read[2] == len(text), text


NOT_PLAIN = (
    *(
        b"",
        b"<<",
        b"<< /A",
        b"<< /A >>",
        b"<< 1 2 >>",
        b"[ >>",
        b"<< /A 1 ]",
        b"[1 % 2 0 R\n]",
        b"<< /P#61rent 4 0 R >>",
    ),
    *(b"(a (b) c)", b"(", b"<0g>", b"<< /A 1 }", b"[4 0 Rx]", b"[truely]", b"/", b"[" * 100 + b"]" * 100, b"R"),
    *(b"[1 0 obj]", b"<< /A /B /C >>", b"<< << >> 1 >>", b"[99999999999 0 R]", "[/日]".encode()),
)


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_the_library(text: bytes) -> None:
    assert references.of_value(text, 0) is None


def test_a_plain_object_stands_between_its_own_words() -> None:
    good = b"7 0 obj\n<< /A 4 0 R >>\nendobj\n"
    assert references.of_object(good, 0, (7, 0)) == ([(4, 0)], 4, len(good) - 1, [])
    assert references.of_object(good, 0, (8, 0)) is None
    assert references.of_object(good, 0, (7, 1)) is None
    for odd in (b"stream", b"endobject", b"5 0 obj", b"% endobj"):
        assert references.of_object(good.replace(b"endobj", odd), 0, (7, 0)) is None


# --- silence ----------------------------------------------------------------------------------------------------------


def with_escape_sequence() -> bytes:
    """A key that sets a terminal's title stands twice in the catalogue: pyhanko quotes it in its log."""
    twice = b"<< /#1b#5d0;PWNED#07 1 /#1b#5d0;PWNED#07 2 /Type /Catalog "
    body = b"1 0 " + twice + b">>"
    head = b"%PDF-1.7\n"
    stream = b"5 0 obj\n<< /Type /ObjStm /N 1 /First 4 /Length %d >>\nstream\n" % len(body) + body
    head += stream + b"\nendstream\nendobj\n"
    rows = b"\x02\x00\x00\x05\x00" + b"\x01" + len(head).to_bytes(3, "big") + b"\x00" + b"\x01\x00\x00\x09\x00"
    return (
        head
        + b"3 0 obj\n<< /Type /XRef /W [1 3 1] /Index [1 1 3 1 5 1] /Size 6 /Root 1 0 R /Length %d >>\nstream\n" % 15
        + rows
        + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(head)
    )


@pytest.mark.parametrize("document", [with_escape_sequence, lambda: plain().replace(b"5 0 obj\n", b"5  0 obj", 1)])
def test_nothing_of_the_document_reaches_the_log(
    document: Callable[[], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    data = document()
    verifier().verify_pdf(data)
    for work in (check_pdf, lambda pdf, now: sign_pdf(make_signer(), pdf, now=now)):
        try:
            work(data, now=NOW)
        except InputError as refused:
            assert "PWNED" not in str(refused)  # noqa: PT017
    assert caplog.records == []
    logging.getLogger("pyhanko.pdf_utils.generic").warning("of the program itself")
    assert [record.message for record in caplog.records] == ["of the program itself"]
