"""BER-TLV and simple-TLV as the card writes them (card.md §2): encode and decode, bounded, no I/O.

Two things differ from DER: the length is one byte below 0x80 and otherwise *always* ``82 hh ll``, never ``81``
(so standard parsers refuse the card's data); and a file may be longer than its objects, filled up with ``FF``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_VALUE = 0xFFFF
MAX_TAG_BYTES = 3
PLAIN_TWO_BYTES = 0x01
FILLERS = (0x00, 0xFF)


class TlvError(DecodeError):
    """Bytes that are not the TLV they should be."""

    code = "malformed_tlv"


@dataclass(frozen=True, slots=True)
class Tlv:
    """One data object and where it stood: ``raw`` is tag, length and value exactly as read."""

    tag: bytes
    value: bytes = field(repr=False)
    offset: int
    raw: bytes = field(repr=False)

    @property
    def end(self) -> int:
        """Offset of the first byte after the object."""
        return self.offset + len(self.raw)


def encode_length(length: int) -> bytes:
    """The length field: one byte below 0x80, else ``82 hh ll`` (never ``81``).

    Raises:
        TlvError: more than 65535 bytes.
    """
    if not 0 <= length <= MAX_VALUE:
        raise TlvError("a value holds at most 65535 bytes")
    return bytes((length,)) if length < 0x80 else b"\x82" + length.to_bytes(2, "big")


def encode(tag: bytes, value: bytes) -> bytes:
    """One BER-TLV data object with the card's length form."""
    check_tag(tag)
    return tag + encode_length(len(value)) + value


def with_long_length(raw: bytes) -> bytes:
    """One data object again, with the length form ``82 hh ll`` however short it is.

    Raises:
        TlvError: not one data object.
    """
    item = read_one(raw)
    return item.tag + b"\x82" + len(item.value).to_bytes(2, "big") + item.value


def check_tag(tag: bytes) -> None:
    """Refuse a tag that is not one well-formed BER tag of at most three bytes.

    Raises:
        TlvError: so it is.
    """
    if _tag_end(tag, 0) != len(tag):
        raise TlvError("not a BER tag")


def _tag_end(data: bytes, at: int) -> int:
    """Offset just after the tag that begins at ``at``."""
    if at >= len(data):
        raise TlvError("the data ends where a tag is due")
    end = at + 1
    if data[at] & 0x1F == 0x1F:
        while True:
            if end >= len(data) or end - at >= MAX_TAG_BYTES:
                raise TlvError("a tag that does not end")
            end += 1
            if not data[end - 1] & 0x80:
                break
    return end


def is_filler(data: bytes, at: int) -> bool:
    """Whether filler begins where a tag is due: ``00``, or ``FF`` that no private tag (``FF10``...) follows."""
    if data[at] == 0x00:
        return True
    return data[at] == 0xFF and (at + 1 == len(data) or data[at + 1] == 0xFF)


def read_one(data: bytes, at: int = 0, *, standard: bool = False) -> Tlv:
    """The data object at offset ``at``; with ``standard`` a length may also be ``81 ll``, as other platforms write it.

    Raises:
        TlvError: no tag, an ``81``/``80``/``83``.. length, or a value that runs past the data. (``82 00 xx`` where one
            byte would do is read: card.md §2 has reports of "newer cards" that look so, and exact bytes are kept.)
    """
    return _read_after(data, at, _tag_end(data, at), standard=standard)


def _read_after(data: bytes, at: int, tag_end: int, *, standard: bool = False) -> Tlv:
    """The data object whose tag stands from ``at`` to ``tag_end``."""
    if tag_end >= len(data):
        raise TlvError("the data ends where a length is due")
    first = data[tag_end]
    if first < 0x80:
        start, length = tag_end + 1, first
    elif first == 0x82 or (standard and first == 0x81):
        start = tag_end + 1 + (first & 0x7F)
        if start > len(data):
            raise TlvError("the data ends inside a length")
        length = int.from_bytes(data[tag_end + 1 : start], "big")
    else:
        raise TlvError("a length form that the card never writes")
    end = start + length
    if end > len(data):
        raise TlvError("a value that runs past the data")
    return Tlv(data[at:tag_end], data[start:end], at, data[at:end])


def read_all(data: bytes, *, filler: bool = False, standard: bool = False) -> Iterator[Tlv]:
    """The data objects of ``data`` in order; with ``filler`` the walk ends where filler begins.

    Args:
        standard: as :func:`read_one`.

    Raises:
        TlvError: as :func:`read_one`.
    """
    at = 0
    while at < len(data):
        if filler and is_filler(data, at):
            return
        item = read_one(data, at, standard=standard)
        yield item
        at = item.end


def object_length(head: bytes) -> int | None:
    """Length in bytes of the whole object that begins with ``head``; None when ``head`` is too short to tell.

    Raises:
        TlvError: the head cannot begin an object of the card.
    """
    try:
        tag_end = _tag_end(head, 0)
    except TlvError:
        if len(head) < MAX_TAG_BYTES:
            return None
        raise
    if tag_end >= len(head):
        return None
    first = head[tag_end]
    if first < 0x80:
        return tag_end + 1 + first
    if first != 0x82:
        raise TlvError("a length form that the card never writes")
    if tag_end + 3 > len(head):
        return None
    return tag_end + 3 + int.from_bytes(head[tag_end + 1 : tag_end + 3], "big")


def encode_simple(tag: int, value: bytes) -> bytes:
    """One simple-TLV object (ISO/IEC 7816-4 §5.2.1): tag 01..FE, length one byte or ``FF`` and two.

    Raises:
        TlvError: the tag or the length is out of range.
    """
    if not 0x01 <= tag <= 0xFE:
        raise TlvError("a simple-TLV tag is 01 to FE")
    if len(value) > MAX_VALUE:
        raise TlvError("a value holds at most 65535 bytes")
    length = bytes((len(value),)) if len(value) < 0xFF else b"\xff" + len(value).to_bytes(2, "big")
    return bytes((tag,)) + length + value


def read_simple(data: bytes, at: int = 0) -> Tlv:
    """The simple-TLV object at offset ``at``.

    Raises:
        TlvError: a tag of 00 or FF, a long length that should have been short, or a value past the data.
    """
    if at + 2 > len(data):
        raise TlvError("the data ends inside a simple-TLV head")
    if data[at] in FILLERS:
        raise TlvError("a simple-TLV tag is 01 to FE")
    start, length = at + 2, data[at + 1]
    if length == 0xFF:
        start = at + 4
        if start > len(data):
            raise TlvError("the data ends inside a length")
        length = int.from_bytes(data[at + 2 : start], "big")
        if length < 0xFF:
            raise TlvError("a length that should have been one byte")
    end = start + length
    if end > len(data):
        raise TlvError("a value that runs past the data")
    return Tlv(data[at : at + 1], data[start:end], at, data[at:end])


def check_plain_tag(tag: bytes) -> None:
    """Refuse what is no tag of the driving licence's files: one byte (not ``00`` or ``01``), or ``01`` and another.

    Such tags do not follow BER: ``DF`` and ``FF`` are whole ones, and ``0107`` is one (card.md §2.9).

    Raises:
        TlvError: so it is.
    """
    if len(tag) not in (1, 2) or tag[0] == 0x00 or (tag[0] == PLAIN_TWO_BYTES) != (len(tag) == 2):
        raise TlvError("not a plain tag")


def encode_plain(tag: bytes, value: bytes) -> bytes:
    """One object with a plain tag (:func:`check_plain_tag`) and the card's length form."""
    check_plain_tag(tag)
    return tag + encode_length(len(value)) + value


def read_plain(data: bytes, at: int = 0) -> Tlv:
    """The object with a plain tag at offset ``at``.

    Raises:
        TlvError: filler or the end where a tag is due, a length that the card never writes, a value past the data.
    """
    if at >= len(data) or data[at] == 0x00:
        raise TlvError("the data ends where a tag is due")
    return _read_after(data, at, at + (2 if data[at] == PLAIN_TWO_BYTES else 1))
