"""The card's face as it is issued: every record verifies by card.md §2.2 and §2.8, the images are what they claim."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import struct
import zlib
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from kojin_card.errors import SpecError
from kojin_card.simulator import CardState, images, load_persona, make_card
from kojin_card.simulator.persona import Images
from kojin_card.simulator.rsa_engine import RsaEngine
from kojin_card.simulator.testpki import TestPki
from kojin_card.spec import Record, decode, load_card_spec
from support import ROOT

SPEC = load_card_spec()
NOW = datetime(2026, 11, 24, tzinfo=UTC)
PNG, JP2 = b"\x89PNG\r\n\x1a\n", bytes.fromhex("0000000C6A5020200D0A870A")


@cache
def made(persona: str = "adult") -> CardState:
    return make_card(persona, now=NOW)


def octets(file: str, state: CardState | None = None) -> bytes:
    content = (state or made()).applications["card_face"].files[file].octets
    assert content is not None
    return content


def record(file: str, state: CardState | None = None) -> Record:
    layout = SPEC["card_face"].layout_of(file)
    assert layout is not None
    return decode(layout, octets(file, state))


def certified_key(state: CardState | None = None) -> rsa.RSAPublicKey:
    """The key of EF 0004, after the CA's signature over its body of 297 bytes (card.md §2.7)."""
    certificate = octets("cv_certificate", state)
    ca = TestPki.load().cv_ca_key("card_face").public_key()
    ca.verify(certificate[312:], certificate[10:307], padding.PKCS1v15(), hashes.SHA256())
    return rsa.RSAPublicNumbers(65537, int.from_bytes(certificate[51:307], "big")).public_key()


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height, after the checks that it is a whole 1-bit greyscale PNG with right checksums."""
    assert png.startswith(PNG)
    chunks: dict[bytes, bytes] = {}
    at = len(PNG)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        chunks[kind] = chunks.get(kind, b"") + body
        at += 12 + length
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour) == (1, 0)
    assert b"IEND" in chunks
    assert len(zlib.decompress(chunks[b"IDAT"])) == height * (1 + -(-width // 8))
    return width, height


@pytest.mark.parametrize(("file", "covered"), [("age", ["birth_date"]), ("my_number_image", ["my_number_image"])])
def test_a_record_of_one_group_is_signed_with_the_cards_key(file: str, covered: list[str]) -> None:
    content = record(file)
    message = b"".join(content.objects[name] for name in (*covered, "card_key"))
    certified_key().verify(content.octets("signature"), message, padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        certified_key().verify(content.octets("signature"), message[:-1], padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize("persona", ["adult", "child"])
def test_the_face_is_one_digest_info_over_three_digests(persona: str) -> None:
    content = record("face", made(persona))
    groups = (("birth_date", "sex", "card_key"), ("name_image", "address_image"), ("photo",))
    digests = b"".join(hashlib.sha256(b"".join(content.objects[n] for n in group)).digest() for group in groups)
    info = bytes.fromhex("3071300D060960864801650304020105000460") + digests  # card.md §2.2: 30 71 .. 04 60
    key = certified_key(made(persona)).public_numbers()
    block = pow(int.from_bytes(content.octets("signature"), "big"), key.e, key.n).to_bytes(256, "big")
    assert block == b"\x00\x01" + b"\xff" * (256 - 3 - len(info)) + b"\x00" + info


def test_all_records_name_the_key_that_signs_without_a_pin() -> None:
    private = made().key("card_face", "card_key").private
    assert private is not None
    modulus = RsaEngine(private.p, private.q).modulus
    assert {record(file).octets("modulus") for file in ("age", "face", "my_number_image")} == {modulus}


def test_the_face_says_what_the_holder_is() -> None:
    content, adult = record("face"), load_persona("adult")
    assert (content["birth_date"], content["sex"]) == ("19900803", adult.sex)
    assert content["expiry"] == date(2036, 8, 3)
    assert content["name_image"] == adult.images.texts[adult.name]
    assert content["address_image"] == adult.images.texts[adult.address]
    assert content["photo"] == adult.images.photo
    assert record("age")["birth_date"] == "19900803"
    assert len(octets("age")) == 547


def test_the_images_have_the_form_and_size_of_the_facts() -> None:
    face = record("face")
    assert size_of(face.octets("security_code_image")) == (24, 12)
    assert size_of(record("my_number_image").octets("my_number_image")) == (72, 12)
    for name in ("name_image", "address_image"):
        width, height = size_of(face.octets(name))
        assert width > height > 12
    assert face.octets("photo").startswith(JP2)


def test_information_names_the_certified_key_and_hides_the_number() -> None:
    information, certificate = record("application_information"), record("cv_certificate")
    assert information["key_id"] == certificate["holder_key_id"]
    assert information["code_key_id"] == certificate["issuer_key_id"]
    assert (information["municipality"], information["identification"]) == ("13221", bytes.fromhex("06030E01"))
    key = TestPki.load().cv_ca_key("card_face")
    code = key.decrypt(information.octets("encrypted_verification_number"), padding.PKCS1v15())
    assert code == made().key("card_face", "code_b").secret
    assert octets("unknown_0006") == b"\xff" * 16


def test_a_card_without_a_photo_has_eight_offsets_and_still_verifies() -> None:
    infant = dataclasses.replace(load_persona("child"), images=Images())
    content = record("face", make_card(infant, now=NOW))
    assert "photo" not in content.values
    assert len(content.contents["offsets"]) == 16
    groups = (("birth_date", "sex", "card_key"), ("name_image", "address_image"), ())
    digests = b"".join(hashlib.sha256(b"".join(content.objects[n] for n in group)).digest() for group in groups)
    key = certified_key().public_numbers()
    block = pow(int.from_bytes(content.octets("signature"), "big"), key.e, key.n).to_bytes(256, "big")
    assert block.endswith(digests)


@pytest.mark.parametrize(("characters", "size"), [(1, (12, 12)), (20, (240, 12)), (21, (240, 24)), (200, (240, 120))])
def test_a_text_that_nobody_rendered_shows_as_boxes(characters: int, size: tuple[int, int]) -> None:
    text = "𠮷" * characters
    assert size_of(images.boxes_png(text)) == size
    renamed = dataclasses.replace(load_persona("adult"), name=text, name_substitutes="0" * characters)
    assert record("face", make_card(renamed, now=NOW))["name_image"] == images.boxes_png(text)
    assert images.boxes_png("　" * characters) != images.boxes_png(text)


def test_each_digit_looks_like_itself_alone() -> None:
    assert len({images.digits_png(digit) for digit in "0123456789"}) == 10
    assert size_of(images.digits_png("0")) == images.CELL


@pytest.mark.parametrize("path", ["../adult.toml", "images/../adult.toml", "/etc/hostname", "images/none.png", ""])
def test_an_image_from_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "personas"
    shutil.copytree(ROOT / "fixtures" / "personas", folder)
    file = folder / "adult.toml"
    file.write_text(file.read_text("utf-8").replace("images/adult-photo.jp2", path), "utf-8")
    with pytest.raises(SpecError) as caught:
        load_persona("adult", folder)
    assert caught.value.details["table"] == "images"
