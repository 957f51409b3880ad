"""Cross-references of a PDF: measured before they are built, and built once as pyhanko does."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodeContext
from pyhanko.pdf_utils.reader import process_data_at_eof
from pyhanko.pdf_utils.rw_common import PdfHandler
from pyhanko.pdf_utils.xref import (
    XRefBuilder,
    XRefSection,
    XRefSectionData,
    XRefType,
    parse_xref_stream,
    parse_xref_table,
)

from kojin_card.pdf_reader.limits import (
    LIMITS,
    MAX_ENTRIES,
    MAX_ENTRY_BYTES,
    MAX_REVISIONS,
    MAX_SPARSE_WORK,
    MAX_XREF_STREAM_BYTES,
    PdfError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: an object takes some bytes of a file and of its tables, compressed or not; small files get some room
_FREE_ENTRIES, _BYTES_PER_ENTRY = 1000, 8
_TAIL = 4096
_END = re.compile(rb"[\r\n]startxref[ \t\r\n]+\d{1,10}[ \t]*[\r\n]+%%EOF")


class _NoObjects(PdfHandler):
    """The handler while no table is known yet: nothing can be looked up, just as for pyhanko's reader itself."""

    strict = True  # pyhanko asks it what to do with a key that a trailer has twice

    def __init__(self, size: int) -> None:
        self._context = DecodeContext(LIMITS, input_size=size)

    @property
    def decode_context(self) -> DecodeContext:
        return self._context

    def get_object(self, ref: Any, as_metadata_stream: bool = False) -> Any:  # noqa: ARG002 - pyhanko's signature
        raise PdfError("a cross-reference table that refers to an object")


class _Measurer(XRefBuilder):
    """Walks the tables as pyhanko does, with its own parsers, but counts the entries instead of keeping them."""

    def __init__(self, data: bytes, last_startxref: int) -> None:
        super().__init__(_NoObjects(len(data)), BytesIO(data), strict=True, last_startxref=last_startxref)
        self._left = min(MAX_ENTRIES, _FREE_ENTRIES + len(data) // _BYTES_PER_ENTRY)
        self._sparse = 0
        self._revisions = 0

    def _read_xref_table(self, declared_startxref: int) -> Any:  # noqa: ARG002 - pyhanko's signature
        self._count_entries(parse_xref_table(self.stream, strict=True))
        home = generic.TrailerReference(self.handler)
        trailer = generic.DictionaryObject.read_from_stream(self.stream, home)
        if "/XRefStm" in trailer:
            self._count_hybrid(trailer.raw_get("/XRefStm"), trailer.get("/Prev"))
        return self._count_revision(trailer)

    def _count_hybrid(self, place: Any, previous: Any) -> None:
        """The stream beside a table (ISO 32000-1 §7.5.8.4), as Word writes it: it leads nowhere else than the table
        does, for some viewers would follow it there."""
        if not isinstance(place, generic.NumberObject) or place < 0:
            raise PdfError("a /XRefStm that is no place")
        here = self.stream.tell()
        self.stream.seek(int(place))
        _, stream = self._read_xref_stream_object()  # type: ignore[no-untyped-call]  # pyhanko's own, inherited
        if stream.get("/Prev") not in (None, previous):
            raise PdfError("a table and a stream beside it that lead to different ones")
        _require_sizes(stream, self._left)
        self._count_entries(parse_xref_stream(stream, strict=True))
        self.stream.seek(here)

    def _read_xref_stream(self, declared_startxref: int) -> Any:  # noqa: ARG002 - pyhanko's signature
        _, stream = self._read_xref_stream_object()  # type: ignore[no-untyped-call]  # pyhanko's own, inherited
        _require_sizes(stream, self._left)
        self._count_entries(parse_xref_stream(stream, strict=True))
        return self._count_revision(stream)

    def _count_entries(self, entries: Iterable[Any]) -> None:
        for entry in entries:
            self._left -= 1
            self._sparse += entry.xref_type is XRefType.FREE or entry.generation > 0
            if self._left < 0:
                raise PdfError("more cross-references than the file has room for")

    def _count_revision(self, trailer: Any) -> Any:
        self._revisions += 1
        if self._revisions > MAX_REVISIONS or self._sparse * self._revisions > MAX_SPARSE_WORK:
            raise PdfError("too many revisions")
        previous = trailer.get("/Prev")
        if previous is not None and not isinstance(previous, generic.NumberObject):
            raise PdfError("a /Prev that is no number")
        return previous


def measure(data: bytes) -> None:
    """Walk the cross-references once without keeping anything.

    Raises:
        PdfError: out of proportion.
        Exception: whatever pyhanko raises on a malformed file; its reader would raise it too.
    """
    tail = data[-_TAIL:]
    last = tail.rfind(b"%%EOF")
    ends = [match.end() for match in _END.finditer(tail)]
    if last < 0 or not ends or ends[-1] != last + len(b"%%EOF"):
        raise PdfError("no startxref at the end of the file")
    _Measurer(data, last_pointer(BytesIO(data))).read_xrefs()  # type: ignore[no-untyped-call]  # pyhanko's own, inherited


def last_pointer(stream: BytesIO) -> int:
    """What the last ``startxref`` of a file says."""
    stream.seek(-1, 2)
    return process_data_at_eof(stream)


def _require_sizes(stream: Any, left: int) -> None:
    """/W and /Index (ISO 32000-1 table 17) must be plain numbers and in proportion: no entry without a byte."""
    widths, index = stream.get("/W"), stream.get("/Index", [0, stream.get("/Size")])
    for numbers in (widths, index):
        if not isinstance(numbers, list) or not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise PdfError("a cross-reference stream without plain sizes")
    if len(widths) != 3 or not 0 < sum(widths) <= MAX_ENTRY_BYTES:
        raise PdfError("a cross-reference stream with impossible widths")
    if len(index) % 2 or sum(list(index)[1::2]) > left:
        raise PdfError("more cross-references than the file has room for")
    filters = stream.get("/Filter", [])  # a reference cannot be followed here: pyhanko refuses it when decoding
    if (isinstance(filters, list) and len(filters) > 2) or len(stream.encoded_data) > MAX_XREF_STREAM_BYTES:
        raise PdfError("a cross-reference stream that is too large")


class Builder(XRefBuilder):
    """Builds the tables as pyhanko does, and forgives Poppler its generation numbers."""

    def _read_xref_table(self, declared_startxref: int) -> Any:
        previous = super()._read_xref_table(declared_startxref)
        self._forgive()
        return previous

    def _read_xref_stream(self, declared_startxref: int) -> Any:
        previous = super()._read_xref_stream(declared_startxref)
        self._forgive()
        return previous

    def _forgive(self) -> None:
        section = self.sections[-1]
        self.sections[-1] = XRefSection(section.meta_info, _Section(section.xref_data, self.sections))


class _Section(XRefSectionData):
    """One section, which need not explain a generation number that nothing contradicts.

    A number above 0 says that an older object of that number was freed (ISO 32000-1 §7.3.10), and pyhanko wants to see
    that. Poppler gives such numbers to new objects that never had another (seen: ``pdfsig -add-signature``, 22.12). As
    long as no section knows the object with another generation, or as freed, there is nothing to confuse it with.
    """

    def __init__(self, plain: XRefSectionData, sections: list[XRefSection]) -> None:
        super().__init__()
        self.__dict__.update(plain.__dict__)
        self._sections = sections

    def higher_generation_refs(self) -> Iterator[tuple[int, int]]:
        """The objects whose older generation must have been freed."""
        for number, generation in super().higher_generation_refs():  # type: ignore[no-untyped-call]  # inherited
            if any(_otherwise(section.xref_data, number, generation) for section in self._sections):
                yield number, generation


def _otherwise(data: XRefSectionData, number: int, generation: int) -> bool:
    """Whether a section knows the object with another generation, or as freed."""
    known = data.standard_xrefs.get(number, (generation, 0))[0]
    return known != generation or number in data.xrefs_in_objstm or number in data.freed
