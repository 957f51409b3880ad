"""APDU and status-word codecs: round trips of all cases, both forms, and hostile bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kojin_card.errors import DecodeError
from kojin_card.iso7816 import tlv
from kojin_card.iso7816.apdu import CommandApdu, ResponseApdu
from kojin_card.iso7816.status import SW, tries_left

BYTE = st.integers(0, 255)
HEADER = (0x00, 0xB0, 0x81, 0x02)


@pytest.mark.parametrize(
    ("data", "le", "extended", "wire"),
    [
        # ISO/IEC 7816-3 §12.1.3, tables 14 and 15, worked out by hand
        ("", None, None, "00B08102"),
        ("", 1, None, "00B0810201"),
        ("", 256, None, "00B0810200"),
        ("", 257, None, "00B08102000101"),
        ("", 65536, None, "00B08102000000"),
        ("AABB", None, None, "00B0810202AABB"),
        ("AABB", 256, None, "00B0810202AABB00"),
        ("AABB", None, True, "00B08102000002AABB"),
        ("AABB", 256, True, "00B08102000002AABB0100"),
        ("AABB", 65536, True, "00B08102000002AABB0000"),
        ("", 256, True, "00B08102000100"),
        ("", None, True, "00B08102"),
    ],
)
def test_the_cases_by_hand(data: str, le: int | None, extended: bool | None, wire: str) -> None:
    command = CommandApdu(*HEADER, bytes.fromhex(data), le)
    assert command.encode(extended=extended).hex().upper() == wire
    assert CommandApdu.decode(bytes.fromhex(wire)) == command


def test_256_bytes_of_data_need_the_long_form() -> None:
    command = CommandApdu(*HEADER, bytes(256))
    assert command.encode()[:7].hex() == "00b08102000100"
    with pytest.raises(ValueError, match="extended"):
        command.encode(extended=False)


@settings(max_examples=300, deadline=None)
@given(BYTE, BYTE, BYTE, BYTE, st.binary(max_size=600), st.none() | st.integers(1, 65536), st.booleans())
def test_round_trip(cla: int, ins: int, p1: int, p2: int, data: bytes, le: int | None, force: bool) -> None:
    command = CommandApdu(cla, ins, p1, p2, data, le)
    assert CommandApdu.decode(command.encode(extended=True if force else None)) == command


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_hostile_commands(raw: bytes) -> None:
    """Whatever is accepted means one thing: it encodes back to the same bytes, in one of the two forms."""
    with contextlib.suppress(DecodeError):
        command = CommandApdu.decode(raw)
        forms = [command.encode()] + ([command.encode(extended=True)] if command.data or command.le else [])
        assert raw in forms


@pytest.mark.parametrize("raw", ["", "00", "00B081", "00B0810202AA", "00B08102000000AA", "00B0810200000202"])
def test_commands_whose_lengths_do_not_add_up(raw: str) -> None:
    with pytest.raises(DecodeError):
        CommandApdu.decode(bytes.fromhex(raw))


def test_impossible_commands_are_refused() -> None:
    for wrong in ((256, 0, 0, 0), (0, -1, 0, 0)):
        with pytest.raises(ValueError, match="one byte"):
            CommandApdu(*wrong)
    with pytest.raises(ValueError, match="65535"):
        CommandApdu(0, 0, 0, 0, bytes(65536))
    for le in (0, 65537):
        with pytest.raises(ValueError, match="65536"):
            CommandApdu(0, 0, 0, 0, le=le)


def test_neither_repr_nor_str_shows_a_secret() -> None:
    command = CommandApdu(0x00, 0x20, 0x00, 0x98, b"7531", sensitive=True)
    assert "7531" not in repr(command) + str(command)
    assert b"7531".hex() not in (repr(command) + str(command)).lower()
    assert str(command) == "00 20 00 98 [secret]"
    assert str(CommandApdu(0x00, 0xA4, 0x02, 0x0C, b"\x00\x18")) == "00 A4 02 0C 0018"
    assert "31" not in repr(ResponseApdu(b"1111", 0x9000))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 0xFFFF))
def test_answers(data: bytes, sw: int) -> None:
    answer = ResponseApdu(data, sw)
    assert ResponseApdu.decode(answer.encode()) == answer
    assert answer.ok == (sw == 0x9000)


@pytest.mark.parametrize("size", [0, 1, 65539])
def test_what_is_no_answer(size: int) -> None:
    with pytest.raises(DecodeError):
        ResponseApdu.decode(bytes(size))


def test_counters() -> None:
    assert [tries_left(sw) for sw in (0x63C0, 0x63CA, 0x63CF)] == [0, 10, 15]
    assert [tries_left(sw) for sw in (0x6300, 0x63D1, SW.OK, SW.REFERENCE_DATA_BLOCKED)] == [None] * 4


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["5F4E", "FF20", "DF21", "90", "A1", "7F21"]), st.binary(max_size=400), st.binary(max_size=9))
def test_the_length_is_told_by_the_head(tag: str, value: bytes, rest: bytes) -> None:
    whole = tlv.encode(bytes.fromhex(tag), value)
    assert tlv.object_length(whole + rest) == len(whole)
    for size in range(min(len(whole), 5)):
        assert tlv.object_length(whole[:size]) in (None, len(whole))


def test_heads_that_no_object_of_the_card_has() -> None:
    for head in ("DF2181FF", "DF2183010000", "DF2180", "FFFFFFFF"):
        with pytest.raises(tlv.TlvError):
            tlv.object_length(bytes.fromhex(head))
