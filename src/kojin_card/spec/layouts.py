"""Reading the ``[[layout]]`` tables: trees of fields, checked so that the codec never meets an impossible one."""

from __future__ import annotations

import re
from dataclasses import replace

from kojin_card.iso7816 import tlv
from kojin_card.spec.model import Encoding, Evidence, FieldSpec, FieldType, LayoutSpec, Privacy
from kojin_card.spec.strict import Table

MAX_DEPTH = 6
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_SIZES = {FieldType.U32: 4, FieldType.DATE: 8, FieldType.PARTIAL_DATE: 8, FieldType.ERA_DATE: 7}
_BOUNDED = (
    FieldType.UTF8,
    FieldType.BYTES,
    FieldType.IMAGE,
    FieldType.ASCII,
    FieldType.DIGITS,
    FieldType.JIS_X0208,
)


def load_layout(table: Table, layout_id: str, evidence: Evidence) -> LayoutSpec:
    """One layout.

    Raises:
        SpecError: a field without a tag where one is due, a name or tag that stands twice, a length that is missing...
    """
    encoding = table.choice("encoding", Encoding)
    filler = table.take("filler", bool, False)
    fields = _fields(table, encoding, depth=1)
    if table.take("sparse", bool, False):
        if encoding is not Encoding.PLAIN_TLV:
            raise table.error("only a plain_tlv layout is sparse")
        fields = tuple(replace(spec, optional=True, empty=True) for spec in fields)
    table.done()
    layout = LayoutSpec(layout_id, encoding, fields, filler, evidence)
    names = [spec.name for spec in layout.walk() if spec.name]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise table.error(f"fields stand twice: {', '.join(twice)}")
    if encoding is Encoding.DER and (len(fields) != 1 or fields[0].type is not FieldType.BYTES):
        raise table.error("a der layout has exactly one field of type bytes")
    return layout


def _fields(table: Table, encoding: Encoding, depth: int) -> tuple[FieldSpec, ...]:
    if depth > MAX_DEPTH:
        raise table.error(f"fields are nested more than {MAX_DEPTH} deep")
    fields = tuple(_field(row, encoding, depth) for row in table.tables("fields", required=True))
    if not fields:
        raise table.error("fields must not be empty")
    tags = [spec.tag for spec in fields if spec.tag]
    if len(set(tags)) != len(tags):
        raise table.error("two fields share a tag")
    offsets = [number for number, spec in enumerate(fields) if spec.type is FieldType.OFFSETS]
    if offsets not in ([], [0]):
        raise table.error("an offset table stands first, once")
    return fields


def _field(table: Table, encoding: Encoding, depth: int) -> FieldSpec:
    kind = table.choice("type", FieldType)
    spec = FieldSpec(
        type=kind,
        name=table.take("name", str, ""),
        tag=_tag(table, encoding),
        label_ja=table.take("label_ja", str, ""),
        label_en=table.take("label_en", str, ""),
        optional=table.take("optional", bool, False),
        privacy=table.choice("privacy", Privacy) if table.has("privacy") else None,
        length=table.take("length", int) if table.has("length") else _SIZES.get(kind),
    )
    if kind in _BOUNDED and table.has("range"):
        minimum, maximum = table.integers("range", 2)
        spec = replace(spec, minimum=minimum, maximum=maximum)
    if kind is FieldType.TEMPLATE:
        spec = replace(spec, fields=_fields(table, Encoding.BER_TLV, depth + 1))
    elif kind is FieldType.FIELDS:
        inner = table.choice("encoding", Encoding)
        spec = replace(spec, encoding=inner, fields=_fields(table, inner, depth + 1))
    elif kind is FieldType.CODE:
        spec = replace(spec, values=table.text_map("values"), hex_values=table.take("hex", bool, False))
        spec = replace(spec, length=_code_length(table, spec))
    elif kind is FieldType.ASCII:
        spec = replace(spec, pad=table.take("pad", str, ""))
        spec = replace(spec, values=table.text_map("known")) if table.has("known") else spec
    elif kind is FieldType.BYTES and table.has("known"):
        spec = replace(spec, values=table.text_map("known"), hex_values=True)
    elif kind is FieldType.IMAGE:
        spec = replace(spec, media=table.take("media", str))
    table.done()
    _check_field(table, spec, encoding)
    return spec


def _tag(table: Table, encoding: Encoding) -> bytes:
    if encoding in (Encoding.FIXED, Encoding.DER):
        return b""
    most = {Encoding.BER_TLV: tlv.MAX_TAG_BYTES, Encoding.PLAIN_TLV: 2}
    tag = table.hex("tag", size=(1, most.get(encoding, 1)))
    if encoding is Encoding.SIMPLE_TLV:
        if tag[0] in tlv.FILLERS:
            raise table.error("a simple-TLV tag is 01 to FE")
        return tag
    if encoding is Encoding.PLAIN_TLV:
        try:
            tlv.check_plain_tag(tag)
        except tlv.TlvError as bad:
            raise table.error("a plain tag is one byte, or 01 and another") from bad
        return tag
    try:
        tlv.check_tag(tag)
    except tlv.TlvError as bad:
        raise table.error("tag must be one BER tag") from bad
    if tlv.is_filler(tag, 0):
        raise table.error("a tag may not look like filler")
    return tag


def _code_length(table: Table, spec: FieldSpec) -> int:
    try:
        sizes = {len(bytes.fromhex(value) if spec.hex_values else value.encode("ascii")) for value in spec.values}
    except ValueError as bad:
        raise table.error("values must have ASCII keys, or hex ones with hex = true") from bad
    if len(sizes) != 1:
        raise table.error("values must have keys of one length")
    return sizes.pop()


def _check_field(table: Table, spec: FieldSpec, encoding: Encoding) -> None:
    lifted = (FieldType.TEMPLATE, FieldType.FIELDS, FieldType.OFFSETS)
    if spec.name and not _NAME.fullmatch(spec.name):
        raise table.error(f"not a name: {spec.name!r}")
    if not spec.name and spec.type not in lifted:
        raise table.error("a field needs a name")
    if encoding in (Encoding.FIXED, Encoding.SIMPLE_TLV, Encoding.PLAIN_TLV) and spec.type in (
        FieldType.TEMPLATE,
        FieldType.OFFSETS,
    ):
        raise table.error("templates and offset tables stand in BER-TLV only")
    if encoding is Encoding.FIXED and spec.length is None:
        raise table.error("a field of a fixed layout needs a length")
    if encoding in (Encoding.FIXED, Encoding.DER) and spec.optional:
        raise table.error("only a TLV field can be optional")
    if spec.length is not None and not 1 <= spec.length <= tlv.MAX_VALUE:
        raise table.error("length must be 1 to 65535")
    if not 0 <= spec.minimum <= spec.maximum <= tlv.MAX_VALUE:
        raise table.error("range must be least and most")
    if spec.pad and (len(spec.pad) != 1 or not spec.pad.isascii() or spec.length is None):
        raise table.error("pad is one ASCII character, of a field with a length")
