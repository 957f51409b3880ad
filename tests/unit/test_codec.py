"""The record codec against the published bytes, against hand-made bytes, and against hostile ones."""

from __future__ import annotations

import tomllib
from datetime import date
from typing import TYPE_CHECKING

import pytest

from kojin_card.errors import DecodeError
from kojin_card.iso7816 import tlv
from kojin_card.spec import FieldType, decode, encode, load_card_spec
from kojin_card.spec.codec import digest_input
from support import vectors_dir

if TYPE_CHECKING:
    from kojin_card.spec import LayoutSpec

SPEC = load_card_spec()
BASIC_FOUR = SPEC["input_support"].layouts["basic_four"]

# card.md §2.1: EF 0002 of a J-LIS test card, 104 bytes, as printed there
EF_0002 = bytes.fromhex(
    "ff2065df2108000e002000590064df220fe9bb92e6a190e38080e5b9b9e4b99fdf2336e69db1e4baace983bde6b885e780ace5b882e8a6b3"
    "e5b883e5ad90e58d97efbc91efbc92efbc8defbc97efbc8defbc92efbc90efbc92df24083139383030323137df250131"
)


def test_the_published_four_items() -> None:
    record = decode(BASIC_FOUR, EF_0002)
    assert dict(record.values) == {
        "name": "黒桐　幹也",
        "address": "東京都清瀬市観布子南１２－７－２０２",
        "birth_date": "19800217",
        "sex": "1",
    }
    assert encode(BASIC_FOUR, record.values) == EF_0002


def test_the_digests_of_the_facts() -> None:
    """card.md §2.1, h1 and h2, computed there from the rule."""
    import hashlib

    application = SPEC["input_support"]
    number = decode(application.layouts["my_number"], bytes.fromhex("ff100c353337363836363737313838ffff"))
    h1 = hashlib.sha256(digest_input(number, part="physical")).hexdigest()
    assert h1 == "6d5a4c1ef9ab15bf506862d7e66b9c0f179ca065bc936c8e634e9e57449ca9cd"
    four = decode(BASIC_FOUR, EF_0002 + b"\xff" * 40)
    h2 = hashlib.sha256(digest_input(four, part="after", after="offsets")).hexdigest()
    assert h2 == "b9e0d09427b23b1d4beda2848512b4103752dc2667e51f9712872d65f472cb3b"
    assert application.digests["my_number"].part == "physical"
    assert application.digests["basic_four"].after == "offsets"


@pytest.mark.vectors
def test_the_vectors_decode_and_encode_back() -> None:
    folder = vectors_dir()
    if folder is None:
        pytest.skip("no vectors here")
    card = tomllib.loads((folder / "test-card.toml").read_text("utf-8"))
    holder = card["holder"]
    four = decode(BASIC_FOUR, bytes.fromhex(card["input_support"]["ef_0002"]))
    assert four["name"] == holder["name"]
    assert four["address"] == holder["address"]
    assert four["birth_date"] == holder["birth_date"].strftime("%Y%m%d")
    assert four["sex"] == holder["sex"]
    assert encode(BASIC_FOUR, four.values) == bytes.fromhex(card["input_support"]["ef_0002"])
    layout = SPEC["input_support"].layouts["my_number"]
    physical = bytes.fromhex(card["input_support"]["ef_0001_physical"])
    number = decode(layout, physical)
    assert number["my_number"] == holder["my_number"]
    size = SPEC["input_support"].files["my_number"].size
    assert encode(layout, number.values, size=size) == physical
    layout = SPEC["common"].layouts["card_information"]
    raw = bytes.fromhex(card["common"]["record_1"])
    information = decode(layout, raw)
    assert information["expiry"] == holder["card_expiry"]
    assert information["municipality"] == "13221"
    assert encode(layout, information.values) == raw
    layout = SPEC["jpki"].layouts["certificate_availability"]
    raw = bytes.fromhex(card["jpki"]["certificate_availability"])
    assert encode(layout, decode(layout, raw).values) == raw
    assert decode(layout, raw)["sign_certificate"] == "8F"


def test_a_long_value_has_the_never_81_length() -> None:
    """card.md §2: FF20 65 becomes FF20 82 00xx once the content reaches 128 bytes."""
    values = dict(decode(BASIC_FOUR, EF_0002).values)
    values["address"] = "東" * 200
    raw = encode(BASIC_FOUR, values)
    assert raw[2] == 0x82
    assert decode(BASIC_FOUR, raw)["address"] == "東" * 200
    offsets = raw[raw.index(b"\xdf\x21\x08") + 3 :][:8]
    for at, tag in zip(range(0, 8, 2), ("df22", "df23", "df24", "df25"), strict=True):
        where = int.from_bytes(offsets[at : at + 2], "big")
        assert raw[where : where + 2].hex() == tag


def test_application_information_of_159_bytes() -> None:
    """card.md §2: real sample FF 40 82 00 9F, inner DF43 82 0080."""
    layout = SPEC["input_support"].layouts["application_information"]
    values = {"identification": bytes.fromhex("01030e01"), "key_id": bytes(16), "unknown": bytes(128)}
    raw = encode(layout, values)
    assert raw[:5].hex() == "ff4082009f"
    assert raw[5 + 7 + 19 :][:5].hex() == "df43820080"


def test_a_card_verifiable_certificate_of_568_bytes() -> None:
    """card.md §2.7: 7F21 82 0233, 5F4E 82 0129, body of 297 bytes."""
    layout = SPEC["input_support"].layouts["cv_certificate"]
    values = {
        "issuer_key_id": b"6000033\x08\x05001" + bytes(4),
        "holder_key_id": b"6000034\x08\x05001" + bytes(4),
        "exponent": b"\x01\x00\x01",
        "modulus": b"\xc1" * 256,
        "certificate_signature": b"\x11" * 256,
    }
    raw = encode(layout, values, size=568)
    assert len(raw) == 568
    assert raw[:10].hex() == "7f218202335f4e820129"
    record = decode(layout, raw)
    assert dict(record.values) == values
    assert len(record.contents["body"]) == 297
    assert record.objects["body"] == raw[5 : 5 + 5 + 297]


def test_token_information_of_160_bytes() -> None:
    """card.md §2.6: label space-padded, numbers big-endian."""
    layout = SPEC["jpki"].layouts["token_information"]
    raw = (
        b"JPKIAPICCTOKEN2".ljust(32)
        + b"01".rjust(32, b"0")
        + b"E16R01NJ".ljust(16)
        + b"0000000020500003"
        + bytes.fromhex("0000040d 00000001 00000000 00000001 00000000 00000010 00000006")
        + b"\xff" * 16
        + b"03"
        + b"01"
        + b"9" * 16
    )
    assert len(raw) == 160
    record = decode(layout, raw)
    assert record["label"] == "JPKIAPICCTOKEN2"
    assert record["max_pin"] == 16
    assert record["min_pin"] == 6
    assert encode(layout, record.values) == raw


HOSTILE: dict[str, tuple[LayoutSpec, bytes]] = {
    "nothing": (BASIC_FOUR, b""),
    "one byte": (BASIC_FOUR, b"\xff"),
    "length 81": (BASIC_FOUR, EF_0002[:2] + b"\x81" + EF_0002[2:]),
    "a long length that should be short": (BASIC_FOUR, EF_0002[:2] + b"\x82\x00" + EF_0002[2:]),
    "length 84": (BASIC_FOUR, b"\xff\x20\x84\xff\xff\xff\xff"),
    "indefinite length": (BASIC_FOUR, b"\xff\x20\x80" + EF_0002[3:] + b"\x00\x00"),
    "cut short": (BASIC_FOUR, EF_0002[:-1]),
    "one byte more": (BASIC_FOUR, EF_0002 + b"\x31"),
    "filler of two kinds": (BASIC_FOUR, EF_0002 + b"\xff\x00"),
    "offset moved": (BASIC_FOUR, EF_0002.replace(b"\x00\x0e\x00\x20", b"\x00\x0f\x00\x20")),
    "offset table too long": (BASIC_FOUR, b"\xff\x20\x67\xdf\x21\x0a" + bytes(2) + EF_0002[6:]),
    "invalid UTF-8": (BASIC_FOUR, EF_0002.replace(b"\xe9\xbb\x92", b"\xe9\xbb\x41")),
    "month 13": (BASIC_FOUR, EF_0002.replace(b"19800217", b"19801317")),
    "30 February": (BASIC_FOUR, EF_0002.replace(b"19800217", b"19800230")),
    "letters in a date": (BASIC_FOUR, EF_0002.replace(b"19800217", b"1980O217")),
    "sex 4": (BASIC_FOUR, EF_0002[:-1] + b"4"),
    "two objects swapped": (BASIC_FOUR, EF_0002.replace(b"\xdf\x24", b"\xdf\x26")),
    "number of eleven digits": (SPEC["input_support"].layouts["my_number"], b"\xff\x10\x0b12345678901"),
    "number with a letter": (SPEC["input_support"].layouts["my_number"], b"\xff\x10\x0c12345678901x"),
    "full-width digits": (SPEC["input_support"].layouts["my_number"], b"\xff\x10\x0c" + "１２３４".encode()),
    "certificate longer than the file": (SPEC["jpki"].layouts["certificate"], b"\x30\x82\xff\xff" + bytes(9)),
    "certificate of another form": (SPEC["jpki"].layouts["certificate"], b"\x30\x80" + bytes(9)),
    "availability of four bytes": (SPEC["jpki"].layouts["certificate_availability"], b"\x8f\x8f\x00\x00"),
    "availability of no meaning": (SPEC["jpki"].layouts["certificate_availability"], b"\x01\x8f\x00"),
    "more than a file can hold": (BASIC_FOUR, bytes(0x10001)),
}


def test_the_value_3_for_sex_is_read_as_unknown() -> None:
    """card.md §6: a minority writes 3 for "other"; to be refused softly only, so the other items are still read."""
    assert decode(BASIC_FOUR, EF_0002[:-1] + b"3")["sex"] == "3"
    field = next(spec for spec in BASIC_FOUR.walk() if spec.name == "sex")
    assert field.values["3"] == "unknown"


def test_a_long_length_where_one_byte_would_do_is_read_as_it_stands() -> None:
    """card.md §2, §12: "2 extra header bytes on newer cards"; the offsets count them."""
    moved = bytes.fromhex("DF2108 0010 0022 005B 0066")
    raw = b"\xff\x20\x82\x00\x65" + moved + EF_0002[3 + 11 :]
    record = decode(BASIC_FOUR, raw)
    assert dict(record.values) == dict(decode(BASIC_FOUR, EF_0002).values)
    assert record.content == raw
    assert encode(BASIC_FOUR, decode(BASIC_FOUR, EF_0002).values, long_head=True) == raw


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_get_typed_errors_without_the_bytes(name: str) -> None:
    layout, raw = HOSTILE[name]
    with pytest.raises(DecodeError) as caught:
        decode(layout, raw)
    assert "黒桐" not in str(caught.value)
    assert raw[:8].hex() not in str(caught.value) or not raw


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": 7},
        {"name": "x" * 201},
        {"sex": "4"},
        {"sex": "11"},
        {"birth_date": "1980-02-17"},
        {"birth_date": date(1980, 2, 17)},
        {"colour": "red"},
        {"address": b"bytes"},
        {"name": "\ud800"},
    ],
)
def test_values_that_cannot_stand_are_refused(change: dict[str, object]) -> None:
    values = {**decode(BASIC_FOUR, EF_0002).values, **change}
    with pytest.raises(DecodeError):
        encode(BASIC_FOUR, values)  # type: ignore[arg-type]  # the point of the test


def test_a_missing_value_is_refused() -> None:
    values = {name: value for name, value in decode(BASIC_FOUR, EF_0002).values.items() if name != "sex"}
    with pytest.raises(DecodeError, match="sex"):
        encode(BASIC_FOUR, values)


def test_a_file_that_is_too_small_is_refused() -> None:
    values = decode(BASIC_FOUR, EF_0002).values
    with pytest.raises(DecodeError, match="103"):
        encode(BASIC_FOUR, values, size=103)
    assert encode(BASIC_FOUR, values, size=110) == EF_0002 + b"\xff" * 6


def test_a_record_shows_no_value() -> None:
    assert "黒桐" not in repr(decode(BASIC_FOUR, EF_0002))


@pytest.mark.parametrize(
    ("head", "length"),
    [
        ("ff2065", 104),
        ("ff2082", None),
        ("ff408200", None),
        ("ff4082009f", 164),
        ("", None),
        ("ff", None),
        ("30820100", 260),
    ],
)
def test_the_head_tells_the_length(head: str, length: int | None) -> None:
    assert tlv.object_length(bytes.fromhex(head)) == length


# --- the face of the card: nine offsets, three digest groups ---------------------------------------------------------


@pytest.mark.parametrize("photo", [True, False])
def test_the_face_of_the_card_comes_back(photo: bool) -> None:
    """A photo of some kilobytes, nine offsets (eight on an infant's card without a photo), three digest groups."""
    application = SPEC["card_face"]
    layout = application.layouts["face"]
    values: dict[str, str | bytes | int | date] = {
        "birth_date": "19800217",
        "sex": "1",
        "exponent": b"\x01\x00\x01",
        "modulus": b"\xc3" * 256,
        "name_image": b"\x89PNG" + bytes(90),
        "address_image": b"\x89PNG" + bytes(900),
        "photo": bytes.fromhex("0000000c6a502020") + bytes(5000),
        "signature": b"\x55" * 256,
        "expiry": date(2035, 2, 17),
        "security_code_image": b"\x89PNG" + bytes(40),
    }
    if not photo:
        del values["photo"]
    raw = encode(layout, values, size=8000)
    record = decode(layout, raw)
    assert dict(record.values) == values
    table = record.contents["offsets"]
    assert len(table) == (18 if photo else 16)
    for at, name in zip(
        range(0, len(table), 2), [n for n in record.objects if n not in ("offsets", "exponent", "modulus")], strict=True
    ):
        where = int.from_bytes(table[at : at + 2], "big")
        assert raw[where : where + len(record.objects[name])] == record.objects[name]


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("19800217", True),
        ("19360000", True),
        ("19360400", True),
        ("00000000", True),
        ("00000229", True),
        ("19360031", True),
        ("19361300", False),
        ("19360032", False),
        ("00000230", False),
        ("1936040", False),
    ],
)
def test_birth_dates_may_be_known_in_part(text: str, stands: bool) -> None:
    """jpki.md §1.4: the parts that nobody knows are zeros."""
    raw = EF_0002.replace(b"19800217", text.encode("ascii"))
    if len(text) != 8:
        raw = b"\xff\x20\x64" + raw[3:].replace(b"\xdf\x24\x08", b"\xdf\x24\x07")
    try:
        assert decode(BASIC_FOUR, raw)["birth_date"] == text
    except DecodeError:
        assert not stands
    else:
        assert stands


# --- the driving licence (card.md §2.9) -------------------------------------------------------------------------------

LICENCE = SPEC["licence"].layouts["licence_information"]


def test_every_value_at_its_greatest_length_makes_the_size_of_the_facts() -> None:
    """card.md §2.9: 5845 bytes; one-byte tags C2..FF, two-byte tags 0100..0107 and 82 hh ll make it so to the byte."""
    full: dict[str, str | bytes] = {}
    for spec in LICENCE.fields:
        match spec.type:
            case FieldType.JIS_X0208:
                full[spec.name] = "亜" * spec.maximum
            case FieldType.ERA_DATE:
                full[spec.name] = "5101103"
            case FieldType.DIGITS:
                full[spec.name] = "1" * 12
            case _:
                full[spec.name] = bytes(spec.length or spec.maximum)
    raw = encode(LICENCE, full)
    assert len(raw) == 5845
    assert decode(LICENCE, raw).values == full


def test_an_absent_object_and_an_empty_one_are_the_same() -> None:
    absent, empty = (
        decode(LICENCE, bytes.fromhex("C50735313031313033")),
        decode(LICENCE, bytes.fromhex("C200C50735313031313033010700")),
    )
    assert absent.values == empty.values == {"expiry": "5101103"}
    assert encode(LICENCE, {}).startswith(bytes.fromhex("C200C300C400C500"))
    assert not decode(LICENCE, encode(LICENCE, {})).values
    with pytest.raises(DecodeError):
        encode(LICENCE, {"photo": b""})


def test_filler_is_told_from_the_tag_ff() -> None:
    record = decode(LICENCE, bytes.fromhex("FF0701020304050607") + b"\xff" * 5)
    assert record.values == {"reserved_5": bytes(range(1, 8))}
    assert record.filler == b"\xff" * 5
    assert decode(LICENCE, b"\xff" * 5).content == b""


@pytest.mark.parametrize(
    "raw",
    [
        "C50735313031313399",  # no date
        "C506353130313130",  # too short
        "C5073531303131303301",  # ends in a tag
        "E70C39393039313233343536373058",  # no digits
        "C507353130313130 33C400",  # another order
        "C102 0102",  # a tag of another file
        "0108 00",
        "C4 82 0004 4D254E49 C4 00",  # twice
        "C4 81 04 4D254E49",  # a length that the card never writes
        "C4 08 4D254E494D254E49",  # four characters where three are most
        "0107 82 07D1" + "00" * 2001,
        "C6 FF 00",
        "FB 08 0000000000000000",
    ],
)
def test_a_malformed_licence(raw: str) -> None:
    with pytest.raises(DecodeError):
        decode(LICENCE, bytes.fromhex(raw))


@pytest.mark.parametrize("tag", ["", "00", "01", "000A", "C201", "010203"])
def test_no_plain_tag(tag: str) -> None:
    with pytest.raises(tlv.TlvError):
        tlv.encode_plain(bytes.fromhex(tag), b"")


@pytest.mark.parametrize("raw", ["", "00", "01", "0107", "C2", "C201", "C28101", "01078200"])
def test_no_plain_object(raw: str) -> None:
    with pytest.raises(tlv.TlvError):
        tlv.read_plain(bytes.fromhex(raw))
