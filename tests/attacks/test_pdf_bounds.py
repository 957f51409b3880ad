"""PDFs that promise more than they hold: refused at once, by the verifier and by the signer, without a word in the log.

Each bomb is judged under a limit of memory that the work it asks for would break (jpki.md §6 A-32).
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from attacks.forge import Pdf, verifier
from attacks.test_pdf import once, plain, second, signed
from issued import NOW
from kojin_card.errors import InputError
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
