"""Signature dictionaries that no form field holds: found by looking at the bytes (jpki.md §6 A-31, A-33).

A viewer that walks another way than we do might show one of them; so a document that has any is refused.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Range = tuple[int, int, int, int]
MAX_HITS = 256
MAX_READ_AGAIN = 4
"""Streams read may add up to so many times the file; streams that lie inside each other would cost more."""


def _name(text: str) -> bytes:
    """A pattern for a PDF name, each letter plain or written as ``#hh`` (ISO 32000-1 §7.3.5)."""
    letters = "".join(f"(?:{letter}|#(?i:{ord(letter):02x}))" for letter in text)
    return f"/{letters}(?=[\\x00\\t\\n\\f\\r \\[/<(%])".encode("ascii")


_BYTE_RANGE = re.compile(_name("ByteRange"))
_NUMBERS = re.compile(rb"\s*\[\s*(\d{1,12})\s+(\d{1,12})\s+(\d{1,12})\s+(\d{1,12})\s*\]")


def hidden(data: bytes, reader: Any, known: Iterable[Range]) -> bool:
    """Whether there is a /ByteRange that does not belong to one of the ``known`` signatures.

    Looked at: the whole file, old revisions too, but not what lies inside a stream (an attached PDF may well have
    signatures of its own), and the object streams, which hold objects.
    """
    left = list(known)
    streams: _Streams | None = None
    for number, hit in enumerate(_BYTE_RANGE.finditer(data)):
        if number >= MAX_HITS:
            return True
        numbers = _NUMBERS.match(data, hit.end())
        found = tuple(int(text) for text in numbers.groups()) if numbers else None
        if found in left:
            left.remove(found)
            continue
        streams = streams or _Streams(data, reader)
        if not streams.contain(hit.start()):
            return True
    return any(_BYTE_RANGE.search(stream) for stream in _object_streams(reader))


def _object_streams(reader: Any) -> Iterator[bytes]:
    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.decode_limits import DecodePurpose

    seen = set()
    for revision in range(reader.xrefs.total_revisions):
        section = reader.xrefs.get_xref_data(revision)
        numbers = set(section.obj_streams_used)
        if section.hybrid is not None:
            numbers |= section.hybrid.xref_data.obj_streams_used
        for reference in (generic.Reference(number, 0, reader) for number in sorted(numbers)):
            offset = reader.xrefs.get_historical_ref(reference, revision)
            if offset not in seen:
                seen.add(offset)
                # within the limits of kojin_card.pdf_reader
                yield reader.get_object(reference, revision=revision).read_data(DecodePurpose.OBJECT_STREAM)


class _Streams:
    """Where the streams of a file lie, asked for one place at a time; each object is read once."""

    def __init__(self, data: bytes, reader: Any) -> None:
        self._data = data
        self._reader = reader
        self._objects: dict[int, tuple[int, int, int]] = {}
        for revision in range(reader.xrefs.total_revisions):
            for idnum, (generation, offset) in reader.xrefs.get_xref_data(revision).standard_xrefs.items():
                self._objects[offset] = (idnum, generation, revision)
        self._offsets = sorted(self._objects)
        self._spans: dict[int, range] = {}
        self._bytes_left = MAX_READ_AGAIN * len(data)

    def contain(self, place: int) -> bool:
        """Whether ``place`` lies inside the data of a stream object that the file's own tables know."""
        index = bisect_right(self._offsets, place)
        if not index:
            return False
        offset = self._offsets[index - 1]
        if offset not in self._spans:
            self._spans[offset] = self._span(offset)
        return place in self._spans[offset]

    def _span(self, offset: int) -> range:
        """Where the data of the object at ``offset`` lie; nowhere when it is no stream, or when too many overlap."""
        from pyhanko.pdf_utils import generic

        if self._bytes_left < 0:
            return range(0)
        idnum, generation, revision = self._objects[offset]
        value = self._reader.get_object(generic.Reference(idnum, generation, self._reader), revision=revision)
        if not isinstance(value, generic.StreamObject):
            return range(0)
        self._bytes_left -= len(value.encoded_data)
        start = self._data.find(value.encoded_data, offset)
        return range(start, start + len(value.encoded_data)) if start >= 0 else range(0)
