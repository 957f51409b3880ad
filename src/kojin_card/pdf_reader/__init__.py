"""Reading PDF from strangers: pyhanko's reader, bounded before it builds anything, and silent.

Signing and verification open documents here and nowhere else. A few bytes can promise a cross-reference table without
end (ISO 32000-1 §7.5.8), an object stream that is walked anew for each object, or revisions whose comparison follows
every path of a graph; each is bounded here by work done, never by a clock, so that the same file always has the same
answer.
"""

from __future__ import annotations

import contextlib
import logging
from contextvars import ContextVar
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodeLimits, DecodePurpose
from pyhanko.pdf_utils.misc import PdfStrictReadError
from pyhanko.pdf_utils.reader import HistoricalResolver, PdfFileReader
from pyhanko.pdf_utils.xref import ObjStreamRef, XRefCache

from kojin_card.pdf_reader import references
from kojin_card.pdf_reader.limits import (
    LIMITS,
    MAX_OBJECTS_IN_STREAM,
    MAX_PATHS,
    MAX_READS,
    MAX_STEPS,
    STEPS_TO_BUILD,
    PdfError,
    PdfTooIntricateError,
)
from kojin_card.pdf_reader.references import Key
from kojin_card.pdf_reader.tables import Builder, last_pointer, measure

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BoundedReader", "PdfError", "PdfTooIntricateError", "open_pdf", "quiet"]


def open_pdf(data: bytes) -> BoundedReader:
    """A strict reader on ``data``, whose tables were measured before they were built. Call it inside :func:`quiet`.

    Raises:
        PdfError: the tables are out of proportion, or lie out of reach of the end of the file.
        Exception: whatever pyhanko raises on a malformed file.
    """
    measure(data)
    return BoundedReader(data, strict=True, decode_limits=LIMITS)


class _Counter:
    """How often the bytes of a document may still be asked."""

    def __init__(self, reads: int) -> None:
        self._left = reads

    def count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise PdfTooIntricateError("objects that take too much work to read")


class _Counted(BytesIO):
    """Bytes that count how often they are asked: pyhanko reads objects byte by byte, and one may be the whole file."""

    def __init__(self, data: bytes, counter: _Counter) -> None:
        super().__init__(data)
        self._counter = counter

    def read(self, size: int | None = -1, /) -> bytes:
        """As any stream.

        Raises:
            PdfTooIntricateError: too often.
        """
        self._counter.count()
        return super().read(size)


# --- objects ----------------------------------------------------------------------------------------------------------


class BoundedReader(PdfFileReader):
    """pyhanko's reader, with object streams read once and comparisons of revisions counted."""

    def __init__(self, data: bytes, *, strict: bool, decode_limits: DecodeLimits) -> None:
        self._data = data
        self._counter = _Counter(max(MAX_READS, len(data) // 4))
        stream = _Counted(data, self._counter)
        self._directories: dict[int, tuple[dict[int, tuple[int, int]], _Counted]] = {}
        self._ends: dict[int, int] = {}
        self._plain: dict[Any, references.Plain | None] = {}
        self._steps_left = max(MAX_STEPS, len(self._data) // 4)
        self._paths_left = MAX_PATHS
        try:
            super().__init__(stream, strict=strict, decode_limits=decode_limits)
        except PdfStrictReadError:
            # Perhaps only for Poppler's sake. The same tables again, which were measured strictly before; what pyhanko
            # let pass here our own builder judges.
            super().__init__(stream, strict=False, decode_limits=decode_limits)
            builder = Builder(self, stream, strict=strict, last_startxref=last_pointer(stream))
            self.xrefs = XRefCache(self, builder.read_xrefs())  # type: ignore[no-untyped-call]  # pyhanko's own
            self.strict = strict
        self._require_one_view()

    def _require_one_view(self) -> None:
        """Hybrid files (ISO 32000-1 §7.5.8.4): what the stream beside a table adds, the tables alone must not know.

        So an old reader, which sees the tables alone, misses objects, but never sees others in their place.

        Raises:
            PdfError: it does.
        """
        tables_alone: dict[int, Any] = {}
        for number in range(self.xrefs.total_revisions):
            section = self.xrefs.get_xref_data(number)
            tables_alone |= dict.fromkeys(section.freed) | section.standard_xrefs | section.xrefs_in_objstm
            if section.hybrid is not None:
                beside = section.hybrid.xref_data
                added = dict.fromkeys(beside.freed) | beside.standard_xrefs | beside.xrefs_in_objstm
                if any(tables_alone.get(at) not in (None, what) for at, what in added.items()):
                    raise PdfError("hybrid cross-references that contradict each other")

    def _get_object_from_stream(self, idnum: int, stmnum: int, idx: int) -> Any:
        """An object of an object stream (ISO 32000-1 §7.5.7); its directory is read once, not for every object."""
        directory, stream = self._contents_of_stream(stmnum)
        place, offset = directory.get(idnum, (-1, 0))
        if place != idx:
            raise PdfError("an object that is not where the table says in its stream")
        stream.seek(offset)
        found = generic.read_object(stream, generic.Reference(idnum, 0, self))
        if isinstance(found, generic.StreamObject | generic.IndirectObject):
            raise PdfError("an object in a stream that cannot be there")
        return found

    def _contents_of_stream(self, number: int) -> tuple[dict[int, tuple[int, int]], _Counted]:
        if number not in self._directories:
            self._directories[number] = self._directory(number)
        return self._directories[number]

    def _directory(self, number: int) -> tuple[dict[int, tuple[int, int]], _Counted]:
        """The directory of an object stream: object number -> (place, offset); and its decoded data."""
        stream = self.get_object(generic.Reference(number, 0, self))  # type: ignore[no-untyped-call]  # pyhanko's own, inherited
        if not isinstance(stream, generic.StreamObject) or stream["/Type"] != "/ObjStm":
            raise PdfError("no object stream where the table says")
        data = stream.read_data(DecodePurpose.OBJECT_STREAM)
        count, first = stream["/N"], stream["/First"]
        if not (isinstance(count, int) and isinstance(first, int)) or not (
            0 <= count <= MAX_OBJECTS_IN_STREAM and 0 <= first <= len(data)
        ):
            raise PdfError("an object stream that is out of proportion")
        words = data[:first].split(None, 2 * count)[: 2 * count]
        if len(words) != 2 * count or not all(len(word) <= 10 and word.isdigit() for word in words):
            raise PdfError("an object stream without a directory")
        numbers = [int(word) for word in words]
        directory = {numbers[2 * place]: (place, first + numbers[2 * place + 1]) for place in range(count)}
        if len(directory) != count:
            raise PdfError("an object stream that has an object twice")
        return directory, _Counted(data, self._counter)

    def references_at(self, key: tuple[int, int], where: Any) -> references.Plain | None:
        """What the object at that place refers to; None when it is not plain. Read once, counted as work.

        Args:
            where: an offset in the file, or a place in an object stream; of anything else there is nothing to read.
        """
        place = (key, where)
        if place not in self._plain:
            read = self._plain[place] = self._read_references(key, where)
            if read is not None:
                self.spend(read.tokens)
                if isinstance(where, int):
                    self._ends[where] = read.end
        found = self._plain[place]
        self.spend(0 if found is None else len(found.leads) + len(found.parents))
        return found

    def _read_references(self, key: tuple[int, int], where: Any) -> references.Plain | None:
        if isinstance(where, int):
            return references.of_object(self._data, where, key)
        if isinstance(where, ObjStreamRef) and not key[1]:
            directory, stream = self._contents_of_stream(where.obj_stream_id)
            place, offset = directory.get(key[0], (-1, 0))
            return references.of_value(stream.getvalue(), offset) if place == where.ix_in_stream else None
        return None

    def _read_object(self, ref: Any, marker: Any, *others: Any, **more: Any) -> Any:
        found = super()._read_object(ref, marker, *others, **more)
        if isinstance(marker, int):
            self._ends[marker] = self.stream.tell()
        return found

    def require_within(self, end: int, revision: int) -> None:
        """Refuse a revision of which a table, or an object that was read, lies beyond ``end`` or reaches beyond it.

        A table may name a place behind the file's end, where somebody puts the object later. All that the revision
        uses has been read when it was compared with later ones.

        Raises:
            PdfError: there is one.
        """
        for number in range(revision + 1):
            section = self.xrefs.get_xref_data(number)
            hybrid = section.hybrid
            for data in (section,) if hybrid is None else (section, hybrid.xref_data):
                if any(max(at + 1, self._ends.get(at, 0)) > end for _, at in data.standard_xrefs.values()):
                    raise PdfError("an object of the signed revision that lies beyond it")
            if hybrid is not None and hybrid.meta_info.end_location > end:
                raise PdfError("a table of the signed revision that lies beyond it")

    def get_historical_resolver(self, revision: int) -> HistoricalResolver:
        """The file as it was at a revision; what is asked of it counts."""
        cache = self._historical_resolver_cache
        if revision not in cache:
            cache[revision] = _CountingResolver(self, revision)
        return cache[revision]

    def spend(self, steps: int, paths: int = 0) -> None:
        """Count work on old revisions.

        Raises:
            PdfTooIntricateError: it is too much.
        """
        self._steps_left -= steps
        self._paths_left -= paths
        if self._steps_left < 0 or self._paths_left < 0:
            raise PdfTooIntricateError("revisions that are too intricate to compare")


class _CountingResolver(HistoricalResolver):
    """The file as it was at one revision.

    To learn in how many ways an object that changed later is reached, pyhanko follows every path through the file. Here
    it is shown only what lies on a way to such an object; the rest looks empty to it meanwhile.
    """

    def __init__(self, reader: BoundedReader, revision: int) -> None:
        super().__init__(reader, revision)
        self._decode_context = reader.decode_context  # one budget for the whole document, not one for each revision
        self._owner = reader
        self._sizes: dict[Key, int] = {}
        self._graph: tuple[dict[Key, list[Key]], dict[Key, list[Key]]] | None = None
        self._on_the_way: frozenset[tuple[int, int]] | None = None

    def get_object(self, ref: Any, as_metadata_stream: bool = False) -> Any:
        key = (ref.idnum, ref.generation)
        if self._on_the_way is not None:
            self._owner.spend(0, paths=1)
            if key not in self._on_the_way:
                return generic.DictionaryObject(
                    {generic.NameObject("/Kids"): generic.ArrayObject()}
                )  # as the page tree
        found = super().get_object(ref, as_metadata_stream)
        if key not in self._sizes:
            self._sizes[key] = sum(1 for _ in _elements(found))
            self._owner.spend(self._sizes[key] * STEPS_TO_BUILD)
        self._owner.spend(self._sizes[key])
        return found

    def _load_reverse_xref_cache(self) -> None:
        if self._indirect_object_access_cache is None:
            self._on_the_way = self._ancestors_of_what_changed()
            try:
                super()._load_reverse_xref_cache()  # type: ignore[no-untyped-call]  # pyhanko's own, inherited
            finally:
                self._on_the_way = None

    def _ancestors_of_what_changed(self) -> frozenset[tuple[int, int]]:
        """The objects from which one is reached that a later revision writes, those themselves included."""
        parents, _ = self._reached()
        changed = self._changed_later()
        odd = {number for number, generation in changed if generation}
        if odd and any(number in odd and (number, generation) not in changed for number, generation in parents):
            raise PdfError("an object that comes later and is referred to before, with another generation")
        found, rest = set(changed), list(changed)
        while rest:
            for parent in parents.get(rest.pop(), ()):
                if parent not in found:
                    found.add(parent)
                    rest.append(parent)
        return frozenset(found)

    def _reached(self) -> tuple[dict[Key, list[Key]], dict[Key, list[Key]]]:
        """The objects reached from the trailer, though not by /Parent -> those that refer to them; -> their /Parent."""
        if self._graph is None:
            referrers: dict[Key, list[Key]] = {}
            above: dict[Key, list[Key]] = {}
            todo = [((0, 0), _references(self.trailer_view))]
            while todo:
                key, children = todo.pop()
                for child in children:
                    if child not in referrers:
                        referrers[child] = []
                        leads, above[child] = self._references_of(child)
                        todo.append((child, leads))
                    referrers[child].append(key)
            self._graph = referrers, above
        return self._graph

    def _changed_later(self) -> set[tuple[int, int]]:
        tables = self._owner.xrefs
        later = range(self.revision + 1, tables.total_revisions)
        return {(r.idnum, r.generation) for n in later for r in tables.explicit_refs_in_revision(n)}

    def require_known_parents(self) -> None:
        """Refuse a revision with a /Parent that later revisions write, unless it is a field or in the page tree.

        Pages and fields inherit from there (ISO 32000-1 tables 30, 220), and pyhanko does not follow it: so a page
        could get another size from an object that came as part of something harmless. Of fields and of the page tree
        the rules say what may change; of what only a /Parent leads to nothing may.

        Raises:
            PdfError: there is one.
        """
        changed = {number for number, _ in self._changed_later()}
        _, above = self._reached()
        todo = [parent for parents in above.values() for parent in parents]
        suspects = {parent for parent in todo if parent[0] in changed}
        seen = set(above)
        while todo:
            key = todo.pop()
            if key in seen or self._place_of(key) is None:
                continue
            seen.add(key)
            leads, parents = self._references_of(key)  # of what is reached by /Parent alone
            todo += (*leads, *parents)
            suspects.update(child for child in (*leads, *parents) if child[0] in changed)
        if suspects and not suspects <= self._tree():
            raise PdfError("an object that something inherits from, and that comes or changes later")

    def _tree(self) -> set[tuple[int, int]]:
        """The objects of the page tree and of the tree of fields."""
        root = self.root
        form = generic.DictionaryObject()
        if "/AcroForm" in root:
            form = root["/AcroForm"]
        todo = [holder.raw_get(key) for holder, key in ((root, "/Pages"), (form, "/Fields")) if key in holder]
        found: set[tuple[int, int]] = set()
        while todo:
            item = todo.pop()
            if isinstance(item, generic.IndirectObject):
                if (item.idnum, item.generation) in found:
                    continue
                found.add((item.idnum, item.generation))
                item = item.get_object()
            if isinstance(item, generic.ArrayObject):
                todo += (item.raw_get(place) for place in range(len(item)))
            elif isinstance(item, generic.DictionaryObject) and "/Kids" in item:
                todo.append(item.raw_get("/Kids"))
        return found

    def _references_of(self, key: tuple[int, int]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Where an object leads, and what its /Parent is; built only when its bytes are not plain."""
        read = self._owner.references_at(key, self._place_of(key))
        if read is not None:
            return read.leads, read.parents
        value = self.get_object(generic.Reference(*key, pdf=self))
        return _references(value), _references_in_parents(value)

    def _place_of(self, key: tuple[int, int]) -> Any:
        return self._owner.xrefs.get_historical_ref(generic.Reference(*key, pdf=self), self.revision)


def _references(value: Any) -> list[tuple[int, int]]:
    return [(item.idnum, item.generation) for item in _elements(value) if isinstance(item, generic.IndirectObject)]


def _references_in_parents(value: Any) -> list[tuple[int, int]]:
    """All references in and below any /Parent of an object."""
    found = []
    todo = [(value, False)]
    while todo:
        item, inside = todo.pop()
        if isinstance(item, dict):
            todo += ((entry, inside or key == "/Parent") for key, entry in item.items())
        elif isinstance(item, list):
            todo += ((entry, inside) for entry in item)
        elif inside and isinstance(item, generic.IndirectObject):
            found.append((item.idnum, item.generation))
    return found


def _elements(value: Any) -> Iterator[Any]:
    """An object and all that is in it; references are not followed, and /Parent leads back (pyhanko skips it too)."""
    todo = [value]
    while todo:
        item = todo.pop()
        yield item
        if isinstance(item, dict):
            todo += (entry for key, entry in item.items() if key != "/Parent")
        elif isinstance(item, list):
            todo += item


# --- silence ----------------------------------------------------------------------------------------------------------

_LIBRARY = "pyhanko"
_reading: ContextVar[bool] = ContextVar("kojin_card_reading", default=False)


def _outside(_: logging.LogRecord) -> bool:
    """Whether a record was not made on our behalf (a filter's answer: keep it)."""
    return not _reading.get()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what pyhanko logs inside this block: it quotes the document, which may be personal, or an escape sequence.

    Only records made in this thread or task are dropped: a program that uses pyhanko itself keeps its log. The filter
    stays on pyhanko's loggers, where it does nothing outside such a block. Enter it after pyhanko was imported.
    """
    for name in tuple(logging.Logger.manager.loggerDict):
        if name == _LIBRARY or name.startswith((f"{_LIBRARY}.", f"{_LIBRARY}_certvalidator")):
            logging.getLogger(name).addFilter(_outside)  # the same filter is never added twice
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)
