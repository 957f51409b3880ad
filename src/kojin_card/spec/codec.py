"""The record codec: one layout drives decoding and encoding. Everything decoded is hostile until it has passed here.

Decoding is strict (order, tags, lengths, offset tables, value forms) and keeps the exact bytes of every object,
because signatures and digests of the card cover those bytes. Work and memory are bounded by the input, which is at
most 64 KiB, and by the layout's depth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.iso7816 import tlv
from kojin_card.spec import jis_x0208
from kojin_card.spec.model import Encoding, FieldSpec, FieldType, LayoutSpec
from kojin_card.spec.wareki import is_era_date

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = str | bytes | int | date
MAX_CONTENT = 0x10000


@dataclass(frozen=True, slots=True)
class Record:
    """A decoded file or record; ``repr`` shows field names, never values.

    Attributes:
        values: by field name; a field that is optional and absent has no entry.
        objects: by field name, the data object exactly as read: tag, length and value (value only in fixed layouts).
        contents: by field name, the value bytes exactly as read.
        end: by field name, offset in the content of the byte after the object.
        content: everything up to the filler.
        filler: the bytes after it.
    """

    layout: str
    values: Mapping[str, Value] = field(repr=False)
    objects: Mapping[str, bytes] = field(repr=False)
    contents: Mapping[str, bytes] = field(repr=False)
    end: Mapping[str, int] = field(repr=False)
    content: bytes = field(repr=False)
    filler: bytes = field(repr=False)

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def text(self, name: str) -> str:
        """The value of a field that decodes to text."""
        value = self.values[name]
        if not isinstance(value, str):
            raise TypeError(f"{name} is not text")
        return value

    def octets(self, name: str) -> bytes:
        """The value of a field that decodes to bytes."""
        value = self.values[name]
        if not isinstance(value, bytes):
            raise TypeError(f"{name} is not bytes")
        return value


def decode(layout: LayoutSpec, data: bytes) -> Record:
    """Decode ``data`` by ``layout``.

    Raises:
        DecodeError: any deviation; names the layout and the field, never a byte of the data.
    """
    if len(data) > MAX_CONTENT:
        raise _bad(layout.id, "more than 65536 bytes")
    reader = _Reader(layout)
    try:
        end = reader.run(data)
    except tlv.TlvError as bad:
        raise _bad(layout.id, bad.message) from None
    filler = data[end:]
    if filler and not layout.filler:
        raise _bad(layout.id, "bytes after the content")
    if filler.strip(b"\xff") and filler.strip(b"\x00"):
        raise _bad(layout.id, "bytes after the content that are no filler")
    return Record(layout.id, reader.values, reader.objects, reader.contents, reader.end, data[:end], filler)


def encode(
    layout: LayoutSpec, values: Mapping[str, Value], *, size: int | None = None, long_head: bool = False
) -> bytes:
    """Encode ``values`` by ``layout``; with ``size`` the result is filled up with ``FF`` to a file of that size.

    Offset tables are computed. A missing value of an optional field leaves the field out.

    Args:
        long_head: the outermost object of a BER-TLV layout has the length form ``82 hh ll`` however short it is.

    Raises:
        DecodeError: a value is missing, unknown, of another type or form, or the result does not fit.
    """
    unknown = set(values) - {spec.name for spec in layout.walk()}
    if unknown:
        raise _bad(layout.id, f"no field {', '.join(sorted(unknown))}")
    try:
        data = _encode_all(layout.id, layout.encoding, layout.fields, values, 0)
        if long_head and layout.encoding is Encoding.BER_TLV and tlv.read_one(data).raw == data:
            head = tlv.with_long_length(data)
            moved = _encode_all(layout.id, layout.encoding, layout.fields, values, len(head) - len(data))
            data = tlv.with_long_length(moved)
    except tlv.TlvError as bad:
        raise _bad(layout.id, bad.message) from None
    if size is None:
        return data
    if len(data) > size or (len(data) < size and not layout.filler):
        raise _bad(layout.id, f"{len(data)} bytes do not make a file of {size}")
    return data.ljust(size, b"\xff")


def digest_input(record: Record, *, part: str, after: str = "") -> bytes:
    """The bytes a digest covers (card.md §2.1): the ``physical`` file, or the value of the outermost object from just
    after the object named ``after``."""
    if part == "physical":
        return record.content + record.filler
    return record.content[record.end[after] :]


def _bad(layout: str, problem: str, name: str = "") -> DecodeError:
    where = f"{layout}.{name}" if name else layout
    return DecodeError(problem, operation=f"record {where}")


_READERS = {
    Encoding.BER_TLV: tlv.read_one,
    Encoding.SIMPLE_TLV: tlv.read_simple,
    Encoding.PLAIN_TLV: tlv.read_plain,
}


class _Reader:
    def __init__(self, layout: LayoutSpec) -> None:
        self.layout = layout
        self.values: dict[str, Value] = {}
        self.objects: dict[str, bytes] = {}
        self.contents: dict[str, bytes] = {}
        self.end: dict[str, int] = {}

    def run(self, data: bytes) -> int:
        if self.layout.encoding is Encoding.DER:
            return self._der(data)
        return self._all(self.layout.encoding, self.layout.fields, data, 0, filler=self.layout.filler)

    def _bad(self, problem: str, spec: FieldSpec) -> DecodeError:
        return _bad(self.layout.id, problem, spec.name or spec.tag.hex().upper())

    def _der(self, data: bytes) -> int:
        """A DER object with a two-byte length, as certificates have (card.md §2.6): ``30 82 hh ll``."""
        spec = self.layout.fields[0]
        if data[:2] != b"\x30\x82" or len(data) < 4:
            raise self._bad("not a DER certificate", spec)
        end = 4 + int.from_bytes(data[2:4], "big")
        if end > len(data):
            raise self._bad("a certificate that runs past the file", spec)
        self._keep(spec, data[:end], data[:end], end)
        self.values[spec.name] = data[:end]
        return end

    def _keep(self, spec: FieldSpec, raw: bytes, value: bytes, end: int) -> None:
        if spec.name:
            self.objects[spec.name], self.contents[spec.name], self.end[spec.name] = raw, value, end

    def _all(
        self, encoding: Encoding, fields: tuple[FieldSpec, ...], data: bytes, base: int, *, filler: bool = False
    ) -> int:
        """Decode ``fields`` from ``data``, which begins at offset ``base`` of the file; the offset where they end."""
        starts: list[int] = []
        offsets: tuple[FieldSpec, bytes] | None = None
        at = 0
        for spec in fields:
            item = self._next(encoding, spec, data, at)
            if item is None:
                continue
            nothing = spec.empty and not item.value
            if spec.length is not None and len(item.value) != spec.length and not nothing:
                raise self._bad("a value of another length", spec)
            self._keep(spec, item.raw, item.value, base + item.end)
            if spec.type is FieldType.OFFSETS:
                offsets = spec, item.value
            elif not nothing:
                starts.append(base + at)
                self._value(spec, item, base)
            at = item.end
        if at != len(data) and not filler:
            raise _bad(self.layout.id, "an object that the layout does not have")
        if filler and at < len(data) and not tlv.is_filler(data, at):
            raise _bad(self.layout.id, "an object that the layout does not have")
        if offsets is not None:
            expected = b"".join(start.to_bytes(2, "big") for start in starts)
            if offsets[1] != expected:
                raise self._bad("an offset table that does not point at the objects", offsets[0])
        return base + at

    def _next(self, encoding: Encoding, spec: FieldSpec, data: bytes, at: int) -> tlv.Tlv | None:
        if encoding is Encoding.FIXED:
            end = at + (spec.length or 0)
            if end > len(data):
                raise self._bad("the data ends too early", spec)
            return tlv.Tlv(b"", data[at:end], at, data[at:end])
        # of a plain tag FF and filler FF only the byte behind it tells which it is
        ended = encoding is Encoding.PLAIN_TLV and at < len(data) and tlv.is_filler(data, at)
        if ended or data[at : at + len(spec.tag)] != spec.tag:
            if spec.optional:
                return None
            raise self._bad("missing, or another object stands here", spec)
        return _READERS[encoding](data, at)

    def _value(self, spec: FieldSpec, item: tlv.Tlv, base: int) -> None:
        start = base + item.end - len(item.value)
        if spec.type is FieldType.TEMPLATE:
            self._all(Encoding.BER_TLV, spec.fields, item.value, start)
        elif spec.type is FieldType.FIELDS:
            self._all(spec.encoding, spec.fields, item.value, start)
        else:
            value = decode_value(spec, item.value)
            if value is None:
                raise self._bad("a value that its type does not allow", spec)
            self.values[spec.name] = value


def decode_value(spec: FieldSpec, raw: bytes) -> Value | None:
    """The value of one field, or None when the bytes are not one."""
    match spec.type:
        case FieldType.UTF8:
            return _text(raw, "utf-8", spec)
        case FieldType.ASCII:
            text = _text(raw, "ascii", spec)
            return text.rstrip(spec.pad) if text is not None and spec.pad else text
        case FieldType.JIS_X0208:
            text = jis_x0208.decode(raw)
            return text if text is not None and spec.minimum <= len(text) <= spec.maximum else None
        case FieldType.ERA_DATE:
            text = _text(raw, "ascii", spec)
            return text if text is not None and is_era_date(text) else None
        case FieldType.DIGITS:
            text = _text(raw, "ascii", spec)
            return text if text is not None and text.isdigit() else None
        case FieldType.DATE:
            return _date(raw)
        case FieldType.PARTIAL_DATE:
            text = _text(raw, "ascii", spec)
            return text if text is not None and _is_partial_date(text) else None
        case FieldType.CODE:
            text = raw.hex().upper() if spec.hex_values else raw.decode("latin-1")
            return text if text in spec.values else None
        case FieldType.U32:
            return int.from_bytes(raw, "big")
        case FieldType.BYTES | FieldType.IMAGE:
            return raw if spec.minimum <= len(raw) <= spec.maximum else None
        case _:  # templates, fields and offset tables have no value of their own
            return None


def _text(raw: bytes, charset: str, spec: FieldSpec) -> str | None:
    try:
        text = raw.decode(charset)
    except UnicodeDecodeError:
        return None
    return text if spec.minimum <= len(text) <= spec.maximum else None


def _date(raw: bytes) -> date | None:
    if len(raw) != 8 or not raw.isdigit():
        return None
    try:
        return datetime.strptime(raw.decode("ascii"), "%Y%m%d").date()  # noqa: DTZ007  # a calendar day has no zone
    except ValueError:
        return None


def _is_partial_date(text: str) -> bool:
    """Eight digits, YYYYMMDD; the parts nobody knows are zeros (jpki.md §1.4)."""
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return False
    if int(text[4:6]) and int(text[6:]):
        known = text if int(text[:4]) else f"2000{text[4:]}"  # day and month known, year not: any day of a leap year
        return _date(known.encode("ascii")) is not None
    return int(text[4:6]) <= 12 and int(text[6:]) <= 31


def _encode_all(
    layout: str, encoding: Encoding, fields: tuple[FieldSpec, ...], values: Mapping[str, Value], base: int
) -> bytes:
    present = [spec for spec in fields if spec.empty or not (spec.optional and not _has_value(spec, values))]
    targets = len(present) - 1
    parts: list[bytes] = []
    starts: list[int] = []
    at = base
    for spec in present:
        if spec.type is FieldType.OFFSETS:
            part = _wrap(encoding, spec, bytes(2 * targets))
        else:
            starts.append(at)
            part = _encode_one(layout, encoding, spec, values, at)
        parts.append(part)
        at += len(part)
    if present and present[0].type is FieldType.OFFSETS:
        if any(start > 0xFFFF for start in starts):
            raise _bad(layout, "too long for its offset table")
        parts[0] = _wrap(encoding, present[0], b"".join(start.to_bytes(2, "big") for start in starts))
    return b"".join(parts)


def _has_value(spec: FieldSpec, values: Mapping[str, Value]) -> bool:
    return spec.name in values or any(_has_value(inner, values) for inner in spec.fields)


def _wrap(encoding: Encoding, spec: FieldSpec, value: bytes) -> bytes:
    if encoding is Encoding.BER_TLV:
        return tlv.encode(spec.tag, value)
    if encoding is Encoding.PLAIN_TLV:
        return tlv.encode_plain(spec.tag, value)
    return tlv.encode_simple(spec.tag[0], value) if encoding is Encoding.SIMPLE_TLV else value


def _encode_one(layout: str, encoding: Encoding, spec: FieldSpec, values: Mapping[str, Value], at: int) -> bytes:
    if spec.empty and not _has_value(spec, values):
        return _wrap(encoding, spec, b"")
    if spec.type in (FieldType.TEMPLATE, FieldType.FIELDS):
        inner = spec.encoding if spec.type is FieldType.FIELDS else Encoding.BER_TLV
        # The length of the head depends on the length of the content, the offsets inside on the length of the head.
        size = len(_encode_all(layout, inner, spec.fields, values, at))
        head = len(_wrap(encoding, spec, bytes(size))) - size
        value = _encode_all(layout, inner, spec.fields, values, at + head)
    else:
        value = _encode_value(layout, spec, values)
    if spec.length is not None and len(value) != spec.length:
        raise _bad(layout, f"the value must have {spec.length} bytes", spec.name)
    return _wrap(encoding, spec, value)


def _encode_value(layout: str, spec: FieldSpec, values: Mapping[str, Value]) -> bytes:
    if spec.name not in values:
        raise _bad(layout, "no value was given", spec.name)
    raw = _raw(spec, values[spec.name])
    if raw is None or decode_value(spec, raw) != values[spec.name]:
        raise _bad(layout, "the value is of another type or form", spec.name)
    if spec.empty and not raw:
        raise _bad(layout, "no value is left out, not given as an empty one", spec.name)
    return raw


def _raw(spec: FieldSpec, value: Value) -> bytes | None:
    """The bytes of ``value``; decoding them again decides whether they may stand."""
    try:
        if isinstance(value, bytes):
            return value
        if isinstance(value, str):
            if spec.type is FieldType.CODE and spec.hex_values:
                return bytes.fromhex(value)
            if spec.type is FieldType.JIS_X0208:
                return jis_x0208.encode(value)
            raw = value.encode("utf-8")
            return raw.ljust(spec.length or 0, spec.pad.encode("ascii")) if spec.pad else raw
        if isinstance(value, date):
            return value.strftime("%Y%m%d").rjust(8, "0").encode("ascii")
        return value.to_bytes(4, "big")
    except (ValueError, OverflowError):
        return None
