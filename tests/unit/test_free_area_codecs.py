"""The byte forms of the free area, typed by hand from the contract of the applet specs and never from the code.

Digests are SHA-256 computed with ``sha256sum``, lengths counted by hand.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from kojin_card.errors import DecodeError, InputError
from kojin_card.spec import bcd, descriptor, manifest, terminal_certificate
from kojin_card.spec.check_digits import corporate_number, insurer_number, municipality_code
from kojin_card.spec.descriptor import Descriptor
from kojin_card.spec.manifest import FieldDigest, Manifest
from kojin_card.spec.owner import Owner, OwnerKind
from kojin_card.spec.terminal_certificate import TerminalBody

AID = "F04B4F4A494E 1122334455667788"
SALT = "000102030405060708090A0B0C0D0E0F"
KEY = "02" + "AA" * 32
POINT = "04" + "C1" * 32 + "C2" * 32
SIGNATURE = "5A" * 32 + "A5" * 32

#: one field: 01 with salt 00..0F and the value "0012345"
FIELD_DIGEST = "D4D5A7F76F825471AA7B283A595C7C5EBB91858459BB1461292630DEBB5A1C73"
#: the hidden descriptor below, with the same salt, as file 1D
DESCRIPTOR_DIGEST = "BDC1FBA3F6AC15B35FC115698F8BAF1B84EF469C11899B31C1C91A1E5D2CC75A"
DESCRIPTOR = (
    SALT
    + "80 08 666163696C697479"  # facility
    + "81 01 01"
    + "82 01 01"  # a municipality
    + "83 05 3133313031"  # 13101
    + "84 0F E59BB3E69BB8E9A4A8E69DA1E4BE8B"  # 図書館条例
    + "85 09 E59BB3E69BB8E9A4A8"  # 図書館
)
MANIFEST = (
    "E1 82 00B6"  # 182 bytes
    + "80 01 01"
    + "4F 0E" + AID
    + "81 08 4142313233343536"  # AB123456
    + "82 04 00000001"
    + "83 01 01"
    + "87 04 20261127"
    + "88 20" + DESCRIPTOR_DIGEST
    + "86 41" + POINT
    + "A7 23 90 21 01" + FIELD_DIGEST
)  # fmt: skip
BODY = (
    "7F4E 54"  # 84 bytes
    + "42 08 E707C099D3881C05"
    + "5F20 08 4B494F534B2D3031"  # KIOSK-01
    + "86 21" + KEY
    + "DF65 05 6B696F736B"  # kiosk
    + "DF66 03 010204"
    + "5F25 04 20261120"
    + "5F24 04 20261231"
)  # fmt: skip
CERTIFICATE = "7F21 82 009A" + BODY + "5F37 40" + SIGNATURE


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


def one_manifest() -> Manifest:
    return Manifest(
        aid=raw(AID),
        card_identification=b"AB123456",
        counter=1,
        state=1,
        day=date(2026, 11, 27),
        descriptor=raw(DESCRIPTOR_DIGEST),
        card_key=raw(POINT),
        fields=(FieldDigest(1, raw(FIELD_DIGEST)),),
    )


def one_body() -> TerminalBody:
    return TerminalBody(
        authority=terminal_certificate.authority_id(raw(KEY)),
        name="KIOSK-01",
        key=raw(KEY),
        group="kiosk",
        fields=(1, 2, 4),
        issued=date(2026, 11, 20),
        expiry=date(2026, 12, 31),
    )


# --- the bytes --------------------------------------------------------------------------------------------------------


def test_a_field_is_digested_with_its_number_and_its_salt() -> None:
    assert manifest.field_digest(1, raw(SALT) + b"0012345") == raw(FIELD_DIGEST)
    assert manifest.field_digest(2, raw(SALT) + b"0012345") != raw(FIELD_DIGEST)


def test_the_hidden_descriptor() -> None:
    said = Descriptor("facility", 1, Owner(OwnerKind.MUNICIPALITY, "13101"), "図書館条例", "図書館")
    assert descriptor.encode(said, raw(SALT)) == raw(DESCRIPTOR)
    assert descriptor.decode(raw(DESCRIPTOR)) == said
    assert manifest.descriptor_digest(raw(DESCRIPTOR)) == raw(DESCRIPTOR_DIGEST)
    handed = replace(said, hand_over=bytes(range(16)))
    assert descriptor.encode(handed, raw(SALT)) == raw(DESCRIPTOR + "86 10 000102030405060708090A0B0C0D0E0F")
    assert descriptor.decode(descriptor.encode(handed, raw(SALT))) == handed


def test_the_manifest_and_its_file() -> None:
    assert manifest.encode(one_manifest()) == raw(MANIFEST)
    assert manifest.decode(raw(MANIFEST)) == one_manifest()
    file = manifest.encode_file(raw(MANIFEST), raw(SIGNATURE))
    assert file == raw(MANIFEST + "9E 40" + SIGNATURE)
    read = manifest.decode_file(file)
    assert (read.manifest, read.octets, read.signature) == (one_manifest(), raw(MANIFEST), raw(SIGNATURE))
    assert manifest.message(read.octets) == b"kojin-slot-record-v1\x00" + raw(MANIFEST)
    assert read.manifest.digest_of(1) == raw(FIELD_DIGEST)
    assert read.manifest.digest_of(2) is None


def test_the_terminal_certificate_and_what_is_sent() -> None:
    body = one_body()
    assert terminal_certificate.encode_body(body) == raw(BODY)
    assert terminal_certificate.encode(raw(BODY), raw(SIGNATURE)) == raw(CERTIFICATE)
    read = terminal_certificate.decode(raw(CERTIFICATE))
    assert (read.body, read.octets, read.signature) == (body, raw(BODY), raw(SIGNATURE))
    sent = terminal_certificate.encode_authentication(raw(CERTIFICATE), raw(SIGNATURE))
    assert sent == raw(CERTIFICATE + "9E 40" + SIGNATURE)
    assert terminal_certificate.decode_authentication(sent) == (read, raw(SIGNATURE))
    assert terminal_certificate.proof_message(bytes(16), raw(AID)) == b"kojin-slot-terminal-v1\x00" + bytes(16) + raw(
        AID
    )


def test_the_largest_certificate_fits_one_command_of_short_form() -> None:
    body = replace(one_body(), group="a" * 8, fields=tuple(range(1, 13)))
    certificate = terminal_certificate.encode(terminal_certificate.encode_body(body), raw(SIGNATURE))
    assert len(terminal_certificate.encode_authentication(certificate, raw(SIGNATURE))) == 237


def test_the_longest_manifest_is_read() -> None:
    fields = tuple(FieldDigest.of(sfi, bytes(17)) for sfi in range(1, 25))
    most = replace(one_manifest(), fields=fields, card_identification=bytes(64), counter=0xFFFF_FFFF)
    file = manifest.encode_file(manifest.encode(most), raw(SIGNATURE))
    assert manifest.decode_file(file).manifest == most


# --- strictness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("E1 82 00B6", "E1 81 B6"),
        ("E1 82 00B6", "E2 82 00B6"),
        ("E1 82 00B6", "E1 82 00B5"),
        ("80 01 01", "80 01 02"),  # another definition
        ("4F 0E", "5F 0E"),
        ("81 08 4142313233343536", "82 08 4142313233343536"),
        ("82 04 00000001", "82 04 00000000"),
        ("83 01 01", "83 01 00"),  # nobody signs an installed slot
        ("83 01 01", "83 01 05"),
        ("87 04 20261127", "87 04 20261131"),
        ("87 04 20261127", "87 04 2026112A"),
        ("86 41 04", "86 41 02"),
        ("90 21 01", "90 21 00"),
        ("90 21 01", "90 21 19"),
        ("A7 23 90", "A7 23 91"),
        ("82 04 00000001 83 01 01", "83 01 01 82 04 00000001"),
    ],
)
def test_a_manifest_that_deviates_is_refused(old: str, new: str) -> None:
    data, old, new = raw(MANIFEST), raw(old).hex(), raw(new).hex()
    assert data.hex().count(old) >= 1
    with pytest.raises(DecodeError) as caught:
        manifest.decode(bytes.fromhex(data.hex().replace(old, new, 1)))
    assert "4142" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "E1",
        MANIFEST[:-2],
        MANIFEST + "00",
        MANIFEST + MANIFEST,
        MANIFEST.replace("80 01 01", "80 82 0001 01").replace("E1 82 00B6", "E1 82 00B8"),
        MANIFEST.replace("A7 23", "A7 46").replace("E1 82 00B6", "E1 82 00D9") + "90 21 01" + FIELD_DIGEST,
    ],
)
def test_what_is_no_single_manifest_in_its_one_form_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        manifest.decode(raw(text))


@pytest.mark.parametrize(
    "change",
    [
        {"aid": bytes(13)},
        {"card_identification": b""},
        {"card_identification": bytes(65)},
        {"counter": 0},
        {"counter": 1 << 32},
        {"state": 0},
        {"descriptor": bytes(31)},
        {"card_key": bytes(65)},
        {"fields": (FieldDigest(2, bytes(32)), FieldDigest(1, bytes(32)))},
        {"fields": (FieldDigest(1, bytes(31)),)},
    ],
)
def test_no_manifest_is_written_that_would_be_refused(change: dict[str, object]) -> None:
    with pytest.raises(DecodeError):
        manifest.encode(replace(one_manifest(), **change))  # type: ignore[arg-type]  # whatever is wrong


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("7F21 82 009A", "7F21 81 9A"),
        ("7F4E 54", "7F4F 54"),
        ("42 08", "43 08"),
        ("5F20 08 4B494F534B2D3031", "5F20 08 6B494F534B2D3031"),  # a small letter
        ("86 21 02", "86 21 04"),
        ("DF65 05 6B", "DF65 05 4B"),  # a capital one
        ("DF66 03 010204", "DF66 03 010202"),
        ("DF66 03 010204", "DF66 03 010219"),
        ("5F25 04 20261120", "5F25 04 20260230"),
        ("5F25 04 20261120 5F24 04 20261231", "5F24 04 20261231 5F25 04 20261120"),
        ("5F37 40", "5F38 40"),
    ],
)
def test_a_certificate_that_deviates_is_refused(old: str, new: str) -> None:
    data, old, new = raw(CERTIFICATE).hex(), raw(old).hex(), raw(new).hex()
    assert data.count(old) == 1
    with pytest.raises(DecodeError):
        terminal_certificate.decode(bytes.fromhex(data.replace(old, new)))


@pytest.mark.parametrize(
    "tail", ["", "9E 40", "9E 3F" + SIGNATURE[2:], "9F 40" + SIGNATURE, "9E 40" + SIGNATURE + "00"]
)
def test_a_certificate_without_its_proof_is_refused(tail: str) -> None:
    with pytest.raises(DecodeError):
        terminal_certificate.decode_authentication(raw(CERTIFICATE + tail))


def test_a_certificate_that_ends_before_it_begins_is_right_in_form() -> None:
    """The card judges the days, after the signature: its answer tells nobody what a forged certificate says."""
    body = replace(one_body(), issued=date(2027, 1, 1), expiry=date(2026, 1, 1))
    assert terminal_certificate.decode_body(terminal_certificate.encode_body(body)) == body


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("80 08 66", "80 08 46"),
        ("81 01 01", "81 01 00"),
        ("82 01 01", "82 01 05"),
        ("82 01 01", "82 01 02"),  # five digits are no prefecture
        ("83 05 3133313031", "83 05 3133303030"),  # the prefecture's own
        ("84 0F E5", "84 0F FF"),
        ("85 09", "86 09"),
        (SALT, ""),
    ],
)
def test_a_descriptor_that_deviates_is_refused(old: str, new: str) -> None:
    assert old in DESCRIPTOR
    with pytest.raises(DecodeError):
        descriptor.decode(raw(DESCRIPTOR.replace(old, new)))


def test_a_descriptor_of_too_much_text_is_not_written() -> None:
    long = Descriptor("facility", 1, Owner(OwnerKind.PREFECTURE, "13"), "条" * 70, "図書館")
    with pytest.raises(DecodeError, match="too long"):
        descriptor.encode(long, raw(SALT))


@pytest.mark.parametrize("text", ["", "2026112", "20261301", "20260229", "00000101", "2026112F", "2026112700"])
def test_what_is_no_day(text: str) -> None:
    with pytest.raises(DecodeError):
        bcd.decode_date(raw(text) if len(text) % 2 == 0 else raw(text + "0")[:-1])


# --- owners and check digits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("municipality:13101", "01 3133313031"),
        ("prefecture:01", "02 3031"),
        ("national:D0100", "03 4430313030"),
        ("private:7000012050002", "04 37303030303132303530303032"),
    ],
)
def test_owners(text: str, octets: str) -> None:
    owner = Owner.parse(text)
    assert (str(owner), owner.encode(), Owner.decode(raw(octets))) == (text, raw(octets), owner)


@pytest.mark.parametrize(
    "text",
    [
        "", "13101", "municipality", "municipality:", "municipality:131016", "municipality:48101", "municipality:00101",
        "municipality:13000", "municipality:１３１０１", "prefecture:48", "prefecture:1", "national:d0100", "national:",
        "national:" + "A" * 17, "private:7000012050003", "private:01130012", "town:13101", "Municipality:13101",
    ],
)  # fmt: skip
def test_what_is_no_owner(text: str) -> None:
    with pytest.raises(InputError):
        Owner.parse(text)


@pytest.mark.parametrize("octets", ["", "01", "00 3133313031", "05 3133", "01 FF33313031", "01 313331303136"])
def test_octets_that_are_no_owner(octets: str) -> None:
    with pytest.raises(DecodeError):
        Owner.decode(raw(octets))


@pytest.mark.parametrize(
    ("right", "numbers"),
    [
        (corporate_number, ["7000012050002"]),
        (insurer_number, ["01130012", "138016"]),  # free-area.md; 6 = 10 - (2 + 0 + 1+6 + 3 + 2) mod 10
        (municipality_code, ["13101", "131016", "011011", "132217", "131130"]),
    ],
)
def test_numbers_with_a_right_check_digit(right: object, numbers: list[str]) -> None:
    assert callable(right)
    assert all(right(number) for number in numbers)
    for number in numbers:
        if len(number) != 5:  # five digits of a municipality have none
            place = 0 if len(number) == 13 else -1
            wrong = {digit for digit in "0123456789" if right(_with(number, place, digit))}
            assert wrong == {number[place]}
        assert not right(number[:-1] + "x")
        assert not right(number + number)
        assert not right("")
        assert not right(number.translate({ord(str(digit)): chr(0xFF10 + digit) for digit in range(10)}))


def _with(number: str, place: int, digit: str) -> str:
    return digit + number[1:] if place == 0 else number[:-1] + digit
