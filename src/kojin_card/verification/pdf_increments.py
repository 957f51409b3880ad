"""Every byte after a signature is accounted for: it belongs to an object that a later table knows, or is such a table.

What no table knows a strict reader never sees; but a viewer that mends a damaged file looks for objects wherever they
lie (incremental saving attacks: updates without a table or a trailer, an object that stands twice). So there must be
none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.xref import XRefSectionType

from kojin_card.pdf_reader import PdfError

if TYPE_CHECKING:
    from collections.abc import Iterator

Span = tuple[int, int]

_HEADER = re.compile(rb"[\x00\t\n\f\r ]*(\d{1,10})[\x00\t\n\f\r ]+(\d{1,5})[\x00\t\n\f\r ]+obj[\x00\t\n\f\r ]*")
_END_OF_OBJECT = re.compile(rb"[\x00\t\n\f\r ]*endobj")
#: what may stand between objects and tables: space, comments that no mending reader takes for objects, the pointer
_BETWEEN = re.compile(
    rb"[\x00\t\n\f\r ]+|%(?![^\r\n]*(?:obj|xref|trailer|stream))[^\r\n]*(?:[\r\n]|\Z)|startxref[\t\n\r ]+(\d{1,10})"
)
_LAST_LINE = re.compile(rb"%%EOF(?:\r\n|\r|\n)?")


class Increments:
    """The revisions of a document, as spans of its bytes; each is read once."""

    def __init__(self, data: bytes, reader: Any) -> None:
        self._data = data
        self._reader = reader
        self._stream = reader.stream
        self._spans: dict[int, list[Span]] = {}

    def account(self, start: int, signed: int) -> None:
        """Go over all bytes from ``start`` on, where the revision ``signed`` ends.

        Raises:
            PdfError: some belong to nothing, or something of a later revision lies elsewhere.
            Exception: whatever pyhanko raises on an object that it cannot read.
        """
        later = range(signed + 1, self._reader.xrefs.total_revisions)
        spans = sorted(span for revision in later for span in self._of(revision))
        pointers: list[int] = []
        at = start
        for begin, end in spans:
            if begin < at:
                raise PdfError("something of a later revision that lies where it should not")
            pointers += self._between(at, begin)
            at = end
        pointers += self._between(at, len(self._data))
        if sorted(pointers) != sorted(self._reader.xrefs.get_startxref_for_revision(revision) for revision in later):
            raise PdfError("pointers to tables that are not those of the revisions")
        last = self._data.rfind(b"%%EOF")
        if not _LAST_LINE.fullmatch(self._data, last):
            raise PdfError("bytes after the end of the last revision")

    def _between(self, at: int, end: int) -> Iterator[int]:
        """The pointers between two spans, where nothing else may be."""
        while at < end:
            found = _BETWEEN.match(self._data, at, end)
            if found is None:
                raise PdfError("bytes that belong to no object and no table")
            if found[1] is not None:
                yield int(found[1])
            at = found.end()

    def _of(self, revision: int) -> list[Span]:
        if revision not in self._spans:
            self._spans[revision] = self._read(revision)
        return self._spans[revision]

    def _read(self, revision: int) -> list[Span]:
        tables = self._reader.xrefs
        about = tables.get_xref_container_info(revision)
        if about.xref_section_type not in (XRefSectionType.STANDARD, XRefSectionType.STREAM):
            raise PdfError("a later revision with hybrid cross-references")
        known = tables.get_xref_data(revision).standard_xrefs
        places = sorted((offset, number, generation) for number, (generation, offset) in known.items())
        if about.xref_section_type is XRefSectionType.STREAM:
            own = about.stream_ref
            if own.idnum not in known:  # a table need not list itself
                places.append((about.start_location, own.idnum, own.generation))
                places.sort()
            spans = []
        else:
            spans = [self._table(about)]
        at = 0
        for offset, number, generation in places:
            if offset < at:
                raise PdfError("objects that lie inside each other")
            at = self._object_end(offset, number, generation)
            spans.append((offset, at))
        return spans

    def _object_end(self, offset: int, number: int, generation: int) -> int:
        header = _HEADER.match(self._data, offset)
        if header is None or (int(header[1]), int(header[2])) != (number, generation):
            raise PdfError("another object than the table says")
        self._stream.seek(header.end())
        generic.read_object(self._stream, generic.Reference(number, generation, self._reader))
        end = _END_OF_OBJECT.match(self._data, self._stream.tell())
        if end is None:
            raise PdfError("an object without an end")
        return end.end()

    def _table(self, about: Any) -> Span:
        """From ``xref`` to the end of the trailer."""
        begin = self._data.rfind(b"xref", about.start_location - 6, about.start_location)
        if begin < 0:
            raise PdfError("no table where it should be")
        self._stream.seek(about.end_location)
        generic.DictionaryObject.read_from_stream(self._stream, generic.TrailerReference(self._reader))
        return begin, self._stream.tell()
