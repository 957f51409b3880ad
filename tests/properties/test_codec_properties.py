"""Every layout of every spec: what is encoded decodes to the same, and no bytes at all make the codec misbehave."""

from __future__ import annotations

import contextlib
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kojin_card.errors import DecodeError
from kojin_card.iso7816 import tlv
from kojin_card.spec import FieldType, decode, encode, load_card_spec
from kojin_card.spec.wareki import to_era_date

if TYPE_CHECKING:
    from kojin_card.spec import FieldSpec, LayoutSpec
    from kojin_card.spec.codec import Value

LAYOUTS = {
    f"{application.id}/{layout.id}": layout
    for application in load_card_spec().applications.values()
    for layout in application.layouts.values()
}
TEXT = st.characters(codec="utf-8")


def value_of(spec: FieldSpec) -> st.SearchStrategy[Value] | None:
    match spec.type:
        case FieldType.UTF8:
            return st.text(TEXT, min_size=spec.minimum, max_size=min(spec.maximum, 200))
        case FieldType.ASCII:
            return st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=spec.length or 8)
        case FieldType.JIS_X0208:
            return st.text(st.sampled_from("亜漢、Ａ１ア〓\ue001\ue00a"), min_size=spec.minimum, max_size=spec.maximum)
        case FieldType.ERA_DATE:
            days = st.dates(date(1868, 10, 23), date(2099, 12, 31)).map(to_era_date)
            return days | st.sampled_from(["4330101", "5000000"])
        case FieldType.DIGITS:
            return st.text("0123456789", min_size=spec.length or 1, max_size=spec.length or 9)
        case FieldType.DATE:
            return st.dates()
        case FieldType.PARTIAL_DATE:
            days = st.dates().map(lambda day: f"{day.year:04d}{day.month:02d}{day.day:02d}")
            return st.tuples(days, st.sampled_from([0, 2, 4, 8])).map(lambda pair: pair[0][: 8 - pair[1]].ljust(8, "0"))
        case FieldType.CODE:
            return st.sampled_from(sorted(spec.values))
        case FieldType.U32:
            return st.integers(0, 0xFFFFFFFF)
        case FieldType.BYTES | FieldType.IMAGE:
            size = spec.length
            return st.binary(min_size=size or spec.minimum, max_size=size or min(spec.maximum, 300))
        case _:
            return None


def values_for(layout: LayoutSpec) -> st.SearchStrategy[dict[str, Value]]:
    found = {spec.name: value_of(spec) for spec in layout.walk() if spec.name}
    if layout.encoding == "der":
        body = st.binary(max_size=400).map(lambda raw: b"\x30\x82" + len(raw).to_bytes(2, "big") + raw)
        return st.fixed_dictionaries({layout.fields[0].name: body})
    return st.fixed_dictionaries({name: strategy for name, strategy in found.items() if strategy is not None})


@pytest.mark.parametrize("name", LAYOUTS)
def test_round_trip(name: str) -> None:
    layout = LAYOUTS[name]

    @settings(max_examples=40, deadline=None)
    @given(values_for(layout), st.integers(0, 20))
    def run(values: dict[str, Value], extra: int) -> None:
        raw = encode(layout, values)
        record = decode(layout, raw)
        assert dict(record.values) == values
        assert encode(layout, record.values) == raw
        if layout.filler:
            padded = encode(layout, values, size=len(raw) + extra)
            assert decode(layout, padded).values == record.values
            assert decode(layout, padded).filler == b"\xff" * extra

    run()


@pytest.mark.parametrize("name", LAYOUTS)
def test_hostile_bytes(name: str) -> None:
    layout = LAYOUTS[name]

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=700), values_for(layout), st.data())
    def run(noise: bytes, values: dict[str, Value], data: st.DataObject) -> None:
        good = encode(layout, values)
        at = data.draw(st.integers(0, len(good) - 1))
        for raw in (noise, good[:at] + bytes((good[at] ^ data.draw(st.integers(1, 255)),)) + good[at + 1 :], good[:at]):
            try:
                record = decode(layout, raw)
            except DecodeError:
                continue
            again = encode(layout, record.values)
            if any(spec.empty for spec in layout.fields):  # an object may be absent or empty, and is the same then
                assert decode(layout, again).values == record.values
                continue
            # What is accepted means one thing only: it encodes back to the same bytes.
            assert again + record.filler == raw

    run()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([b"\xdf\x21", b"\x90", b"\x7f\x21", b"\xff\x40"]), st.binary(max_size=400))))
def test_tlv_sequences(items: list[tuple[bytes, bytes]]) -> None:
    raw = b"".join(tlv.encode(tag, value) for tag, value in items)
    assert [(item.tag, item.value) for item in tlv.read_all(raw)] == items
    assert all(item.raw[len(item.tag)] != 0x81 for item in tlv.read_all(raw))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 254), st.binary(max_size=600))
def test_simple_tlv(tag: int, value: bytes) -> None:
    item = tlv.read_simple(tlv.encode_simple(tag, value))
    assert (item.tag, item.value) == (bytes((tag,)), value)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(2, 255).map(lambda tag: bytes((tag,))) | st.binary(min_size=1, max_size=1).map(b"\x01".__add__),
    st.binary(max_size=600),
)
def test_plain_tlv(tag: bytes, value: bytes) -> None:
    item = tlv.read_plain(tlv.encode_plain(tag, value) + b"rest")
    assert (item.tag, item.value) == (tag, value)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40))
def test_tlv_of_noise(raw: bytes) -> None:
    with contextlib.suppress(tlv.TlvError):
        assert all(item.raw in raw for item in tlv.read_all(raw, filler=True))
    with contextlib.suppress(tlv.TlvError):
        assert raw.startswith(tlv.read_simple(raw).raw)
    with contextlib.suppress(tlv.TlvError):
        assert raw.startswith(tlv.read_plain(raw).raw)


def test_dates_keep_their_form() -> None:
    layout = LAYOUTS["common/card_information"]
    values: dict[str, Value] = {"serial": "0" * 15, "municipality": "01101", "expiry": date(999, 1, 2)}
    assert encode(layout, values)[-8:] == b"09990102"
