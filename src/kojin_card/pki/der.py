"""DER, read strictly, and BER of the two kinds that CMS has in the wild, made DER first (jpki.md §5, §6 A-10, A-32).

A reader of our own, because everything judged here must keep the exact bytes it was read from, and because libraries
accept more than one spelling of the same thing. Bounded: nesting, number of elements and size of one length field.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 48
MAX_ELEMENTS = 200_000
MAX_OID_BYTES = 64

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
UTF8_STRING, PRINTABLE_STRING, IA5_STRING, UTC_TIME, GENERALIZED_TIME = 0x0C, 0x13, 0x16, 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31
_CONSTRUCTED = 0x20
_UNIVERSAL_LIMIT = 0x1F
_STRINGS = frozenset(
    {BIT_STRING, OCTET_STRING, UTF8_STRING, 0x12, PRINTABLE_STRING, 0x14, IA5_STRING, 0x1A, 0x1B, 0x1E}
)


class DerError(DecodeError):
    """Bytes that are not the DER (or the BER) they should be."""

    code = "malformed_der"


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its identifier octet, its contents and the whole of it, exactly as read."""

    tag: int
    value: bytes = field(repr=False)
    raw: bytes = field(repr=False)

    @property
    def constructed(self) -> bool:
        """Whether the contents are elements again."""
        return bool(self.tag & _CONSTRUCTED)


def _header(data: bytes, at: int, limit: int) -> tuple[int, int, int]:
    """Tag, offset of the contents and length of the element at ``at``; -1 = indefinite.

    Only one-byte tags: nothing that is judged here has others.
    """
    if limit - at < 2:
        raise DerError("the data ends inside an element")
    tag, first = data[at], data[at + 1]
    if tag & _UNIVERSAL_LIMIT == _UNIVERSAL_LIMIT:
        raise DerError("a tag of several bytes")
    if first < 0x80:
        return tag, at + 2, first
    if first == 0x80:
        return tag, at + 2, -1
    count = first & 0x7F
    start = at + 2 + count
    if count > 4 or start > limit:
        raise DerError("a length that runs past the data")
    length = int.from_bytes(data[at + 2 : start], "big")
    if length < 0x80 or data[at + 2] == 0:
        raise DerError("a length that is not minimal")
    return tag, start, length


def read(data: bytes, at: int = 0) -> tuple[Element, int]:
    """The element at offset ``at``, and the offset just after it. Its contents are not looked into.

    Raises:
        DerError: no element, an indefinite or a non-minimal length, a value that runs past the data.
    """
    tag, start, length = _header(data, at, len(data))
    if length < 0:
        raise DerError("an indefinite length")
    end = start + length
    if end > len(data):
        raise DerError("a value that runs past the data")
    return Element(tag, data[start:end], data[at:end]), end


def single(data: bytes, tag: int | None = None) -> Element:
    """The one element that ``data`` is, with that identifier octet when one is given.

    Raises:
        DerError: as :func:`read`; bytes after it; another tag.
    """
    element, end = read(data)
    if end != len(data):
        raise DerError("bytes after the element")
    if tag is not None and element.tag != tag:
        raise DerError("an element of another type")
    return element


def children(element: Element, tag: int | None = None) -> tuple[Element, ...]:
    """The elements inside a constructed one (of that identifier octet, when one is given).

    Raises:
        DerError: it is not constructed, of another type, or its contents are not elements.
    """
    if not element.constructed or (tag is not None and element.tag != tag):
        raise DerError("an element of another type")
    out: list[Element] = []
    at = 0
    while at < len(element.value):
        child, at = read(element.value, at)
        out.append(child)
        if len(out) > MAX_ELEMENTS:
            raise DerError("too many elements")
    return tuple(out)


class Fields:
    """The fields of a SEQUENCE, taken from left to right; what nobody took is an error."""

    def __init__(self, element: Element, tag: int = SEQUENCE) -> None:
        self._left = list(reversed(children(element, tag)))

    def next(self, tag: int | None = None) -> Element:
        """The next field, which must be there.

        Raises:
            DerError: it is not, or has another tag.
        """
        if not self._left or (tag is not None and self._left[-1].tag != tag):
            raise DerError("a field is missing or of another type")
        return self._left.pop()

    def optional(self, tag: int) -> Element | None:
        """The next field when it has that tag."""
        return self._left.pop() if self._left and self._left[-1].tag == tag else None

    def rest(self) -> Iterator[Element]:
        """All that is left."""
        while self._left:
            yield self._left.pop()

    def done(self) -> None:
        """Refuse what is left.

        Raises:
            DerError: something is.
        """
        if self._left:
            raise DerError("a field too many")


def check(data: bytes) -> None:
    """Refuse bytes that are not exactly one strict DER element, all the way down.

    Looked at: lengths, nesting, number of elements, booleans (only ``FF`` and ``00``), integers (minimal), NULL (empty)
    and that strings are primitive. OCTET STRING and BIT STRING are not looked into.

    Raises:
        DerError: they are not.
    """
    single(data)
    stack = [(0, len(data), 0)]
    seen = 0
    while stack:
        at, limit, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise DerError("nested too deeply")
        while at < limit:
            tag, start, length = _header(data, at, limit)
            end = start + length
            if length < 0 or end > limit:
                raise DerError("an indefinite length, or a value that runs past its parent")
            seen += 1
            if seen > MAX_ELEMENTS:
                raise DerError("too many elements")
            if tag & _CONSTRUCTED:
                if tag < 0x40 and tag not in (SEQUENCE, SET):
                    raise DerError("a string in pieces")
                stack.append((start, end, depth + 1))
            else:
                _check_primitive(tag, data, start, length)
            at = end


def _check_primitive(tag: int, data: bytes, start: int, length: int) -> None:
    if tag == BOOLEAN and (length != 1 or data[start] not in (0x00, 0xFF)):
        raise DerError("not a boolean of DER")
    if tag == INTEGER:
        if not length:
            raise DerError("an integer without contents")
        if length > 1 and (data[start], data[start + 1] >> 7) in ((0x00, 0), (0xFF, 1)):
            raise DerError("an integer that is not minimal")
    if tag == NULL and length:
        raise DerError("a NULL with contents")
    if tag in (0, SEQUENCE & ~_CONSTRUCTED, SET & ~_CONSTRUCTED):
        raise DerError("an end of contents, or a primitive SEQUENCE or SET")


# --- BER --------------------------------------------------------------------------------------------------------------


def normalise(data: bytes) -> tuple[bytes, int]:
    """Rewrite one BER element with definite lengths and strings in one piece; how many bytes of ``data`` it took.

    What already is DER comes out byte for byte the same. Only indefinite lengths and strings in pieces are put right;
    non-minimal lengths are refused, and the order in a SET stays as it was, for signatures are made over what was sent.

    Raises:
        DerError: not BER, too deep, too many elements, no end-of-contents.
    """
    count = [0]
    out, end = _normalise(data, 0, len(data), 0, count)
    return out, end


def _normalise(data: bytes, at: int, limit: int, depth: int, count: list[int]) -> tuple[bytes, int]:
    if depth > MAX_DEPTH:
        raise DerError("nested too deeply")
    count[0] += 1
    if count[0] > MAX_ELEMENTS:
        raise DerError("too many elements")
    tag, start, length = _header(data, at, limit)
    if length >= 0 and start + length > limit:
        raise DerError("a value that runs past its parent")
    if not tag & _CONSTRUCTED:
        if length < 0:
            raise DerError("an indefinite length on a primitive element")
        if tag == 0:
            raise DerError("an end of contents where none is due")
        return data[at : start + length], start + length
    parts: list[bytes] = []
    at, limit = (start, limit) if length < 0 else (start, start + length)
    while True:
        if length < 0 and data[at : at + 2] == b"\x00\x00" and at + 2 <= limit:
            at += 2
            break
        if at >= limit:
            if length < 0:
                raise DerError("no end of contents")
            break
        part, at = _normalise(data, at, limit, depth + 1, count)
        parts.append(part)
    universal = tag & ~_CONSTRUCTED
    if tag < 0x40 and universal in _STRINGS:
        if universal != OCTET_STRING:
            raise DerError("a string in pieces that should be in one")
        pieces = [single(part, OCTET_STRING).value for part in parts]
        return encode(OCTET_STRING, b"".join(pieces)), at
    return encode(tag, b"".join(parts)), at


# --- values -----------------------------------------------------------------------------------------------------------


def encode(tag: int, value: bytes) -> bytes:
    """One element in DER."""
    if len(value) < 0x80:
        return bytes((tag, len(value))) + value
    size = (len(value).bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + len(value).to_bytes(size, "big") + value


def integer(element: Element) -> int:
    """An INTEGER's value.

    Raises:
        DerError: another type, or not minimal.
    """
    if element.tag != INTEGER:
        raise DerError("not an integer")
    _check_primitive(INTEGER, element.value, 0, len(element.value))
    return int.from_bytes(element.value, "big", signed=True)


def boolean(element: Element) -> bool:
    """A BOOLEAN's value.

    Raises:
        DerError: another type, or neither ``FF`` nor ``00``.
    """
    if element.tag != BOOLEAN or element.value not in (b"\x00", b"\xff"):
        raise DerError("not a boolean of DER")
    return element.value == b"\xff"


def oid(element: Element) -> str:
    """An OBJECT IDENTIFIER in dotted form.

    Raises:
        DerError: another type, empty, too long or not minimal.
    """
    value = element.value
    if element.tag != OID or not 0 < len(value) <= MAX_OID_BYTES or value[-1] & 0x80:
        raise DerError("not an object identifier")
    arcs: list[int] = []
    arc = 0
    fresh = True
    for byte in value:
        if fresh and byte == 0x80:
            raise DerError("an object identifier that is not minimal")
        arc = arc << 7 | byte & 0x7F
        fresh = not byte & 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(number) for number in (first, arcs[0] - 40 * first, *arcs[1:]))


def time(element: Element) -> datetime:
    """A UTCTime or GeneralizedTime of the RFC 5280 form (``Z``, seconds, no fraction), in UTC.

    Raises:
        DerError: another type or form.
    """
    length = {UTC_TIME: 13, GENERALIZED_TIME: 15}.get(element.tag)
    if length is None:
        raise DerError("not a time")
    digits, moment = element.value[:-1], None
    if len(element.value) == length and digits.isdigit() and element.value[-1:] == b"Z":
        if element.tag == UTC_TIME:  # RFC 5280 §4.1.2.5.1: 50..99 is 19xx
            digits = (b"19" if digits[:1] >= b"5" else b"20") + digits
        year = int(digits[:4])
        month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(4, 14, 2))
        with contextlib.suppress(ValueError):  # its words would be the date: nothing is raised while it is handled
            moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    if moment is None:
        raise DerError("not a time of RFC 5280")
    return moment


def bit_string(element: Element) -> bytes:
    """The octets of a BIT STRING without unused bits.

    Raises:
        DerError: another type, or unused bits.
    """
    if element.tag != BIT_STRING or element.value[:1] != b"\x00":
        raise DerError("not a bit string of whole octets")
    return element.value[1:]
