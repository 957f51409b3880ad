"""What revocation lists say, sorted in one file for each CA key and municipality, and looked up where it lies.

An index is made of lists whose signatures were verified when they were added (:mod:`kojin_card.pki.crl_keeping`). It
keeps every line of every generation: a revocation that was said once stays, for JPKI takes none back (jpki.md §3), and
each line names the newest list that said it. Numbers are big-endian; times are seconds since 1970, in UTC:

- head: magic, format, counts and lengths, the CA's key id and the SHA-256 of its key;
- scope: the municipality as an encoded Name; then texts, one a line: who asserted what a list does not say;
- a row for each list, oldest first: SHA-256, number, thisUpdate, nextUpdate, when it was added, its lines, its text;
- a record for each serial number, in their order: serial number, effective date, reason and row of the list;
- SHA-256 of all that.

The digest finds damage. It is no seal: whoever can write into the folder can write another index, as they could add
a trust anchor, so the folder is private and an index that others may write is not believed.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
import struct
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.pki.revocation import REASON_NAMES, TWICE, ListFacts, RevokedEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from kojin_card.pki.revocation import Crl, Revocable
    from kojin_card.pki.trust import TrustAnchor

MAX_INDEX_BYTES = 1 << 30
MAX_LISTS = 65_535
MAX_TEXTS = 1_000
MAX_TEXT = 200
#: how many indexes one source keeps open; each is a file handle
MAX_OPEN = 128

_MAGIC, _FORMAT = b"KCRLIDX\n", 1
_HEAD = struct.Struct(">8sHQIHI20s32s")
_LIST = struct.Struct(">32s20sqqqIH")
_RECORD = struct.Struct(">20sqI")
_SERIAL_BYTES, _DIGEST_BYTES = 20, 32
_REASON_SHIFT, _LIST_MASK = 24, 0xFFFFFF
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_CHUNK = 1 << 20

Stamp = tuple[int, int, int, int]


class IndexDamaged(DecodeError):
    """A file that is not the index it should be; what it says counts for nothing.

    Attributes:
        words_for_people: what they are told.
    """

    words_for_people = "the index of this municipality is damaged"


class IndexOpenToOthers(IndexDamaged):
    """An index that group or others may write: whoever did could have taken a revocation out."""

    words_for_people = "others may write the index of this municipality"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedList(ListFacts):
    """One list that an index was made of.

    Attributes:
        added: when it was added.
        entries: how many certificates it lists.
    """

    added: datetime
    entries: int


@dataclass(frozen=True, slots=True)
class IndexedEntry(RevokedEntry):
    """What all lists say of one certificate: the earliest date that any of them gives, the reason of the newest.

    Attributes:
        said_by: row of the newest list that says it.
    """

    said_by: int


def _seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _SECOND


def _moment(seconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise IndexDamaged("an index with an impossible time") from None


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CrlIndex:
    """An open index. It stays readable after its file was replaced, and may be shared between threads.

    Attributes:
        key_id, key_sha256: of the CA whose key signed all of it.
        scope: the municipality, an encoded Name.
        lists: how many lists it was made of.
        records: how many certificates any of them lists.
        texts: who asserted what a list does not say itself.
    """

    key_id: bytes
    key_sha256: bytes
    scope: bytes = field(repr=False)
    lists: int
    records: int
    texts: tuple[str, ...] = field(repr=False)
    _data: mmap.mmap | bytes = field(repr=False)
    _rows: int = field(repr=False)
    _body: int = field(repr=False)

    @classmethod
    def open(cls, path: Path, *, unchanged: Stamp | None = None) -> tuple[CrlIndex, Stamp]:
        """Map an index; what identifies the file as it is now comes with it.

        Args:
            unchanged: of a file whose digest was found right before: while it is the same, it is not digested again.

        Raises:
            IndexDamaged: no index, one of another format, damaged, too large, or one that others may write.
            OSError: it cannot be read.
        """
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
        try:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode):
                raise IndexDamaged("not a regular file")
            if os.name == "posix" and about.st_mode & 0o022:
                raise IndexOpenToOthers("an index that others may write")
            if not _HEAD.size + _LIST.size + _DIGEST_BYTES <= about.st_size <= MAX_INDEX_BYTES:
                raise IndexDamaged("an index of an impossible size")
            seen = stamp(about)
            if seen != unchanged:
                _check_digest(handle, about.st_size)
            return cls._read(mmap.mmap(handle, about.st_size, access=mmap.ACCESS_READ)), seen
        except ValueError as bad:  # the file became shorter while it was looked at
            raise IndexDamaged("an index that changes while it is read") from bad
        finally:
            os.close(handle)

    @classmethod
    def of(cls, data: bytes) -> CrlIndex:
        """An index that is in memory.

        Raises:
            IndexDamaged: as :meth:`open`.
        """
        if len(data) < _HEAD.size + _DIGEST_BYTES or hashlib.sha256(data[:-_DIGEST_BYTES]).digest() != data[-32:]:
            raise IndexDamaged("an index that is damaged")
        return cls._read(data)

    @classmethod
    def _read(cls, data: mmap.mmap | bytes) -> CrlIndex:
        magic, form, records, lists, scope_size, text_size, key_id, key_sha256 = _HEAD.unpack(data[: _HEAD.size])
        scope_at = _HEAD.size
        text_at = scope_at + scope_size
        rows = text_at + text_size
        body = rows + lists * _LIST.size
        if magic != _MAGIC or form != _FORMAT:
            raise IndexDamaged("not an index, or one of another version")
        if not 0 < lists <= MAX_LISTS or body + records * _RECORD.size + _DIGEST_BYTES != len(data):
            raise IndexDamaged("an index whose counts contradict its size")
        try:
            texts = tuple(data[text_at:rows].decode("utf-8").splitlines())
        except UnicodeDecodeError:
            raise IndexDamaged("an index whose texts are none") from None
        return cls(key_id, key_sha256, bytes(data[scope_at:text_at]), lists, records, texts, data, rows, body)

    def is_of(self, anchor: TrustAnchor, scope: bytes) -> bool:
        """Whether it was made of that CA's lists of that municipality."""
        key = hashlib.sha256(anchor.spki).digest()
        return self.key_id == anchor.key_id and self.key_sha256 == key and self.scope == scope

    def find(self, serial: int) -> IndexedEntry | None:
        """What the lists say of that certificate; None when none of them names it.

        Raises:
            IndexDamaged: a record that cannot be.
        """
        wanted, data, body = serial.to_bytes(_SERIAL_BYTES, "big"), self._data, self._body
        width = _RECORD.size

        def serial_at(place: int) -> bytes:
            start = body + place * width
            return data[start : start + _SERIAL_BYTES]

        place = bisect_left(range(self.records), wanted, key=serial_at)
        if place == self.records or serial_at(place) != wanted:
            return None
        _, effective, packed = _RECORD.unpack_from(data, body + place * width)
        reason, row = packed >> _REASON_SHIFT, packed & _LIST_MASK
        if reason not in REASON_NAMES or row >= self.lists:
            raise IndexDamaged("an index with an impossible record")
        return IndexedEntry(_moment(effective), REASON_NAMES[reason], row)

    def list_at(self, row: int) -> IndexedList:
        """One of its lists; 0 is the oldest, -1 the newest.

        Raises:
            IndexDamaged: a row that cannot be.
        """
        place = row % self.lists
        sha256, number, this, next_, added, entries, text = _LIST.unpack_from(
            self._data, self._rows + place * _LIST.size
        )
        if text > len(self.texts):
            raise IndexDamaged("an index with an impossible list")
        return IndexedList(
            sha256=sha256.hex(),
            number=int.from_bytes(number, "big"),
            this_update=_moment(this),
            next_update=_moment(next_),
            asserted_by=self.texts[text - 1] if text else None,
            added=_moment(added),
            entries=entries,
        )

    def has(self, sha256: str) -> bool:
        """Whether it was made of that list too (SHA-256, hexadecimal)."""
        wanted, size = bytes.fromhex(sha256), _LIST.size
        starts = range(self._rows, self._rows + self.lists * size, size)
        return any(self._data[start : start + len(wanted)] == wanted for start in starts)

    @property
    def newest(self) -> IndexedList:
        """The list that was added last."""
        return self.list_at(-1)

    def answering(self, certificate: Revocable, at: datetime, now: datetime, max_age: timedelta) -> ListFacts | None:
        """The newest of its lists that can tell the status at ``at`` (see :meth:`ListFacts.answers`).

        Raises:
            IndexDamaged: a row that cannot be.
        """

        def issued(row: int) -> int:
            return int(_LIST.unpack_from(self._data, self._rows + row * _LIST.size)[2])

        rows = range(self.lists)
        since = bisect_right(rows, _seconds(min(now, certificate.not_after)), key=issued) - 1
        if since >= 0 and (found := self.list_at(since)).answers(certificate, at, now, max_age):
            return found
        for row in range(bisect_right(rows, _seconds(at), key=issued) - 1, -1, -1):
            found = self.list_at(row)
            if found.fresh(at, max_age):
                return found
            if at - found.this_update > max_age:
                break
        return None

    def _raw(self) -> Iterator[bytes]:
        for start in range(self._body, self._body + self.records * _RECORD.size, _RECORD.size):
            yield self._data[start : start + _RECORD.size]


def stamp(about: os.stat_result) -> Stamp:
    """What identifies one state of one file."""
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _check_digest(handle: int, size: int) -> None:
    """Read from the file, not from the map, so that looking at all of it leaves nothing of it in this process."""
    digest, left = hashlib.sha256(), size - _DIGEST_BYTES
    while left:
        piece = os.read(handle, min(left, _CHUNK))
        if not piece:
            raise IndexDamaged("an index that ends too early")
        digest.update(piece)
        left -= len(piece)
    if os.read(handle, _DIGEST_BYTES + 1) != digest.digest():
        raise IndexDamaged("an index that is damaged")


class IndexCache:
    """Indexes that were opened, by path, the least recently used closed first. Thread-safe."""

    def __init__(self, limit: int = MAX_OPEN) -> None:
        self._limit = limit
        self._open: OrderedDict[Path, tuple[Stamp, CrlIndex]] = OrderedDict()
        self._digested: dict[Path, Stamp] = {}
        self._lock = threading.Lock()

    def get(self, path: Path) -> CrlIndex | None:
        """The index at ``path`` as it is now; None when there is none.

        Raises:
            IndexDamaged: it cannot be used, or not be read.
        """
        try:
            seen = stamp(path.stat())
            with self._lock:
                known = self._open.get(path)
                if known is not None and known[0] == seen:
                    self._open.move_to_end(path)
                    return known[1]
                digested = self._digested.get(path)
            index, seen = CrlIndex.open(path, unchanged=digested)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as bad:
            raise IndexDamaged("an index that cannot be read") from bad
        with self._lock:
            self._open[path] = seen, index
            self._digested[path] = seen
            self._open.move_to_end(path)
            while len(self._open) > self._limit:
                self._open.popitem(last=False)
        return index


# --- making -----------------------------------------------------------------------------------------------------------


def sorted_lines(crl: Crl) -> list[bytes]:
    """A list's lines as records in their order, which do not name a row yet.

    Raises:
        DerError: as :meth:`Crl.lines`. DecodeError: a serial twice.
    """
    out = [
        _RECORD.pack(serial.to_bytes(_SERIAL_BYTES, "big"), _seconds(when), reason << _REASON_SHIFT)
        for serial, when, reason in crl.lines()
    ]
    out.sort()
    if any(one[:_SERIAL_BYTES] == other[:_SERIAL_BYTES] for one, other in pairwise(out)):
        raise DecodeError(TWICE)
    return out


def build(anchor: TrustAnchor, crl: Crl, lines: Sequence[bytes], *, before: CrlIndex | None, added: datetime) -> bytes:
    """An index of a list and of all that an earlier index knew. The list must be the newest.

    Args:
        anchor: whose signature was verified.
        lines: of the list, as :func:`sorted_lines` gives them.
        before: the index of its CA key and municipality so far.

    Raises:
        DecodeError: more lists or texts than an index holds.
        IndexDamaged: ``before`` has a record that cannot be.
    """
    texts = () if before is None else before.texts
    if crl.asserted_by is not None and crl.asserted_by not in texts:
        texts = (*texts, crl.asserted_by)
    row = 0 if before is None else before.lists
    if row >= MAX_LISTS or len(texts) > MAX_TEXTS:
        raise DecodeError("more generations of one list than an index holds")
    body = _merge(() if before is None else before._raw(), lines, row)
    count = len(body) // _RECORD.size
    text = 0 if crl.asserted_by is None else texts.index(crl.asserted_by) + 1
    times = (_seconds(crl.this_update), _seconds(crl.next_update), _seconds(added))
    about = _LIST.pack(bytes.fromhex(crl.sha256), crl.number.to_bytes(20, "big"), *times, len(lines), text)
    rows = b"" if before is None else before._data[before._rows : before._body]
    told = "\n".join(texts).encode("utf-8")
    key = hashlib.sha256(anchor.spki).digest()
    head = _HEAD.pack(_MAGIC, _FORMAT, count, row + 1, len(crl.scope), len(told), anchor.key_id, key)
    out = bytearray().join((head, crl.scope, told, rows, about, body))
    out += hashlib.sha256(out).digest()
    if len(out) > MAX_INDEX_BYTES:
        raise DecodeError("more revoked certificates than an index holds")
    return bytes(out)


def _merge(before: Iterable[bytes], lines: Iterable[bytes], row: int) -> bytearray:
    """The records of both in order; those of ``lines`` are said by the list of that row."""
    width, keep = _SERIAL_BYTES, _RECORD.size - 3
    said = row.to_bytes(3, "big")
    body = bytearray()
    old = iter(before)
    past = next(old, None)
    for line in lines:
        serial = line[:width]
        while past is not None and past[:width] < serial:
            body += past
            past = next(old, None)
        if past is not None and past[:width] == serial:  # the earlier date counts: what any list says is so
            _, when, reason = _RECORD.unpack(line)
            line = _RECORD.pack(serial, min(when, _RECORD.unpack(past)[1]), reason)
            past = next(old, None)
        body += line[:keep] + said
    while past is not None:
        body += past
        past = next(old, None)
    return body
