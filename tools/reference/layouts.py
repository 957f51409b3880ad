"""Layouts as tables: what stands inside what, where, how long, in which form, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.reference.markdown import Column, Sheet, code, require

from kojin_card.spec.model import Encoding, FieldSpec, FieldType, LayoutSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ENCODINGS = {
    Encoding.BER_TLV: ("BER-TLV", "tag, length (one byte below `80`, otherwise always `82 hh ll`), value"),
    Encoding.SIMPLE_TLV: ("Simple-TLV", "tag of one byte, length (one byte, or `FF` and two), value"),
    Encoding.PLAIN_TLV: (
        "Plain TLV",
        "tag of one byte below `0100`, else of two; length (one byte below `80`, otherwise `82 hh ll`); value",
    ),
    Encoding.FIXED: ("Fixed", "one after the other, without tags"),
    Encoding.DER: ("DER", "one object `30 82 hh ll`, kept whole"),
}
FORMS = {
    FieldType.TEMPLATE: "constructed",
    FieldType.FIELDS: "fields",
    FieldType.OFFSETS: "offsets: two bytes for each object that follows, from the start of the file",
    FieldType.UTF8: "UTF-8 text",
    FieldType.ASCII: "ASCII text",
    FieldType.JIS_X0208: "JIS X 0208 text",
    FieldType.DIGITS: "ASCII digits",
    FieldType.DATE: "date `YYYYMMDD`, ASCII",
    FieldType.PARTIAL_DATE: "date `YYYYMMDD`, ASCII; unknown parts are zeros",
    FieldType.ERA_DATE: "date: number of the era, then `YYMMDD`, ASCII",
    FieldType.CODE: "code",
    FieldType.U32: "number, big-endian",
    FieldType.BYTES: "bytes",
    FieldType.IMAGE: "image",
}
WITHOUT_BOUNDS = FieldSpec(FieldType.BYTES)


def value_length(spec: FieldSpec, following: tuple[FieldSpec, ...] = ()) -> int | None:
    """Bytes of the value, where they are the same on every card."""
    if spec.length is not None:
        return spec.length
    if spec.type is FieldType.OFFSETS:
        return None if any(one.optional for one in following) else 2 * len(following)
    if spec.fields:
        encoding = Encoding.BER_TLV if spec.type is FieldType.TEMPLATE else spec.encoding
        inner = [
            None if one.optional else whole_length(one, encoding, spec.fields[place + 1 :])
            for place, one in enumerate(spec.fields)
        ]
        return None if None in inner else sum(filter(None, inner))
    if spec.minimum == spec.maximum and spec.type not in (FieldType.UTF8, FieldType.JIS_X0208):
        return spec.maximum
    return None


def head_length(spec: FieldSpec, encoding: Encoding, length: int | None) -> int | None:
    """Bytes of tag and length."""
    if encoding in (Encoding.FIXED, Encoding.DER):
        return 0
    if length is None:
        return None
    long = length >= (0x80 if encoding is Encoding.BER_TLV else 0xFF)
    return len(spec.tag) + (3 if long else 1)


def whole_length(spec: FieldSpec, encoding: Encoding, following: tuple[FieldSpec, ...] = ()) -> int | None:
    """Bytes of the object: tag, length and value."""
    length = value_length(spec, following)
    head = head_length(spec, encoding, length)
    return None if length is None or head is None else head + length


@dataclass(frozen=True, slots=True)
class Line:
    """A field at its place."""

    spec: FieldSpec
    depth: int
    at: int | None
    length: int | None
    encoding: Encoding


def lines(fields: tuple[FieldSpec, ...], encoding: Encoding, at: int | None = 0, depth: int = 0) -> Iterator[Line]:
    """The fields, the inner ones below theirs, each with the offset of its first byte where that is known."""
    for place, spec in enumerate(fields):
        following = fields[place + 1 :]
        length = value_length(spec, following)
        yield Line(spec, depth, at, length, encoding)
        head = head_length(spec, encoding, length)
        inner = Encoding.BER_TLV if spec.type is FieldType.TEMPLATE else spec.encoding
        yield from lines(spec.fields, inner, None if at is None or head is None else at + head, depth + 1)
        whole = whole_length(spec, encoding, following)
        at = None if at is None or whole is None or spec.optional else at + whole


def _size(line: Line) -> str:
    spec = line.spec
    if line.length is not None:
        return str(line.length)
    if (spec.minimum, spec.maximum) == (WITHOUT_BOUNDS.minimum, WITHOUT_BOUNDS.maximum):
        return ""
    return f"{spec.minimum} to {spec.maximum}" + (
        " characters" if spec.type in (FieldType.UTF8, FieldType.JIS_X0208) else ""
    )


def _form(line: Line) -> str:
    spec = line.spec
    parts = [f"{FORMS[spec.type]} ({code(spec.media)})" if spec.media else FORMS[spec.type]]
    if spec.type is FieldType.FIELDS:
        parts = [f"fields, {spec.encoding.value.replace('_', '-')}"]
    if spec.pad:
        parts.append(f"padded with `{ord(spec.pad):02X}`")
    if spec.values:
        known = "known: " if spec.type in (FieldType.ASCII, FieldType.BYTES) else "hex: " if spec.hex_values else ""
        listed = ", ".join(f"{code(key)} {text.replace('_', ' ')}" for key, text in spec.values.items())
        parts.append(known + listed)
    return "; ".join(parts) + (" (may be missing)" if spec.optional else "") + (" (may be empty)" if spec.empty else "")


def _tag(line: Line) -> str:
    return "· " * line.depth + code(line.spec.tag.hex().upper())


FIELDS = Sheet(
    Line,
    (
        Column("tag", ("depth",), _tag),
        Column("at", ("at",), lambda line: "" if line.at is None else line.at),
        Column("length", ("length",), _size),
        Column("name", (), lambda line: code(line.spec.name)),
        Column("form", ("spec", "encoding"), _form),
        Column("English", (), lambda line: line.spec.label_en),
        Column("日本語", (), lambda line: line.spec.label_ja),
        Column("privacy", (), lambda line: line.spec.privacy or ""),
    ),
)
SHOWN_OF_A_FIELD = (
    *(
        "type",
        "name",
        "tag",
        "fields",
        "encoding",
        "length",
        "minimum",
        "maximum",
        "values",
        "hex_values",
        "pad",
        "media",
    ),
    *("optional", "empty", "privacy", "label_ja", "label_en"),
)


def legend(layouts: Iterable[LayoutSpec]) -> str:
    """What the encodings are that these layouts use."""
    used = dict.fromkeys(one.encoding for one in layouts)
    return " ".join(f"{name}: {text}." for name, text in (ENCODINGS[one] for one in used))


def layout(spec: LayoutSpec, evidence: str) -> str:
    """The section of one layout.

    Raises:
        NotShown: a layout or a field has an attribute that is not shown.
    """
    require(LayoutSpec, ("id", "encoding", "fields", "filler", "evidence"))
    require(FieldSpec, SHOWN_OF_A_FIELD)
    listed = list(lines(spec.fields, spec.encoding))
    after = ", may be followed by `FF` filler" if spec.filler else ""
    total = [whole_length(one, spec.encoding, spec.fields[place + 1 :]) for place, one in enumerate(spec.fields)]
    known = "" if None in total or any(one.optional for one in spec.fields) else f", {sum(filter(None, total))} bytes"
    heading = f"### Layout `{spec.id}`\n\n{ENCODINGS[spec.encoding][0]}{known}{after}. {evidence}\n\n"
    return heading + FIELDS.render(listed)
