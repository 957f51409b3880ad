"""券面事項確認AP: who opens what, and that its records, images and signatures are what card.md §2.2, §2.8 say."""

from __future__ import annotations

import hashlib
import itertools
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from support import talk

COMMON = "00A4040C0A D3921000310001010100 -> 9000"
TEXT = "00A4040C0A D3921000310001010408 -> 9000"
FACE = "00A4040C0A D3921000310001010402 -> 9000"
BIRTH = "0020009106 303230383033 -> 9000"
A = "002000930C 313233343536373839303138 -> 9000"

#: card.md §2.2: EF -> who may read ("-" nobody needed). 0006 is not here: the facts do not say.
FILES = {"81": {"BIRTH"}, "82": {"A", "B"}, "83": {"-"}, "84": {"-"}, "85": {"A"}}
KEY_SETS = [keys for size in range(4) for keys in itertools.combinations(("BIRTH", "A", "B"), size)]

PNG = bytes.fromhex("89504E470D0A1A0A")
JP2 = bytes.fromhex("0000000C6A502020")
CHALLENGE = b"a challenge of this test"
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
#: card.md §2.2: one DigestInfo whose digest field has 96 bytes: 15 + 2 + 96 = 71 (hex).
FACE_INFO = bytes.fromhex("3071300d060960864801650304020105000460")


def expiry(card: Any) -> str:
    """The card's day of expiry (YYYYMMDD), from the record of 共通カードAP (card.md §2.4)."""
    record = talk(card, COMMON, "00B2010C00 -> 011C ..{28} 9000")
    return record[22:30].decode("ascii")


def verify_commands(card: Any) -> dict[str, str]:
    """VERIFY of each key for the adult of fixtures/personas (平成2-08-03, security code 4271), by card.md §2.3."""
    code_b = f"020803{expiry(card)[:4]}4271".encode("ascii")
    return {"BIRTH": BIRTH, "A": A, "B": f"002000920E {code_b.hex()} -> 9000"}


def opened(soft_card: Callable[..., Any], *keys: str) -> Any:
    card = soft_card("adult")
    verify = verify_commands(card)
    talk(card, FACE, *(verify[key] for key in keys))
    return card


def whole(card: Any, sfi: str) -> bytes:
    """A file to its end in short reads: by SFI first, then by offset until 6B00 or a short answer (card.md §4.2)."""
    out = talk(card, f"00B0{sfi}0000 -> .. 9000")
    while len(out) % 256 == 0:
        more = talk(card, f"00B0{len(out):04X}00 -> .. 9000|6B00")
        if not more:
            break
        out += more
    return out


def items(data: bytes) -> tuple[int, dict[int, bytes], dict[int, int]]:
    """Outer tag, whole TLVs by inner tag, where each begins in the file; lengths as card.md §2 says, never 81."""

    def head(at: int) -> tuple[int, int, int]:
        first = data[at + 2]
        if first < 0x80:
            return int.from_bytes(data[at : at + 2], "big"), at + 3, first
        assert first == 0x82, f"length form {first:02X} at {at}"
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        assert length >= 0x80
        return int.from_bytes(data[at : at + 2], "big"), at + 5, length

    outer, at, length = head(0)
    end = at + length
    assert set(data[end:]) <= {0xFF}
    found: dict[int, bytes] = {}
    starts: dict[int, int] = {}
    while at < end:
        tag, value, size = head(at)
        assert tag not in found
        found[tag], starts[tag] = data[at : value + size], at
        at = value + size
    assert at == end
    return outer, found, starts


def value(tlv: bytes) -> bytes:
    return tlv[3:] if tlv[2] < 0x80 else tlv[5:]


def rsa_key(template: bytes) -> rsa.RSAPublicKey:
    """The 265 bytes of a public key (card.md §2.7)."""
    assert len(template) == 265
    assert template[:9] == bytes.fromhex("900301000191820100")
    return rsa.RSAPublicNumbers(65537, int.from_bytes(template[9:], "big")).public_key()


def certified_key(card: Any, sfi: str = "84") -> rsa.RSAPublicKey:
    """The key of the CV certificate in EF 0004 (card.md §2.7)."""
    certificate = whole(card, sfi)
    assert len(certificate) == 568
    return rsa_key(certificate[10:307][32:])


@pytest.mark.parametrize("keys", KEY_SETS, ids=lambda keys: "+".join(keys) or "none")
@pytest.mark.parametrize("sfi", sorted(FILES))
def test_who_opens_what(soft_card: Callable[..., Any], sfi: str, keys: tuple[str, ...]) -> None:
    card = opened(soft_card, *keys)
    free = {"-", *keys} & FILES[sfi]
    talk(card, f"00B0{sfi}0003 -> " + ("..{3} 9000" if free else "6982"))
    talk(card, f"00A4020C02 00{int(sfi, 16) & 0x1F:02X} -> 9000", "00B0000003 -> " + ("..{3} 9000" if free else "6982"))


@pytest.mark.parametrize("key", ["PIN", "A", "B"])
def test_who_reads_the_number_of_the_adult(soft_card: Callable[..., Any], key: str) -> None:
    # card.md §2.1 [R]: PIN or A, not B; there A is 0014 and B is 0015.
    card = soft_card("adult")
    code_b = f"020803{expiry(card)[:4]}4271".encode("ascii").hex()
    verify = {
        "PIN": "0020009104 35363738 -> 9000",
        "A": "002000940C 313233343536373839303138 -> 9000",
        "B": f"002000950E {code_b} -> 9000",
    }
    talk(card, TEXT, "00B0810011 -> 6982", verify[key])
    talk(card, "00B0810011 -> " + ("6982" if key == "B" else "FF100C 313233343536373839303138 FFFF 9000"))
    talk(card, "00B0820003 -> " + ("6982" if key == "A" else "FF20?? 9000"))


def test_the_age_record_is_signed(soft_card: Callable[..., Any]) -> None:
    card = opened(soft_card, "BIRTH")
    outer, found, _ = items(whole(card, "81"))
    assert (outer, list(found)) == (0xFF10, [0xDF11, 0xDF12, 0xDF13])
    assert value(found[0xDF11]) == b"19900803"
    signed = found[0xDF11] + found[0xDF12]
    key = certified_key(card)
    key.verify(value(found[0xDF13]), signed, padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        key.verify(value(found[0xDF13]), signed.replace(b"19900803", b"20000803"), padding.PKCS1v15(), hashes.SHA256())


def test_the_face_is_signed_by_one_digest_info_of_three_digests(soft_card: Callable[..., Any]) -> None:
    card = opened(soft_card, "B")
    outer, found, starts = items(whole(card, "82"))
    assert outer == 0xFF20
    assert list(found) == list(range(0xDF21, 0xDF2B))
    info = certified_key(card).recover_data_from_signature(value(found[0xDF28]), padding.PKCS1v15(), None)
    digests = b"".join(
        hashlib.sha256(b"".join(found[tag] for tag in group)).digest()
        for group in ((0xDF22, 0xDF23, 0xDF24), (0xDF25, 0xDF26), (0xDF27,))
    )
    assert info == FACE_INFO + digests
    offsets = value(found[0xDF21])
    assert [int.from_bytes(offsets[n : n + 2], "big") for n in range(0, 18, 2)] == list(starts.values())[1:]


def test_what_the_face_says(soft_card: Callable[..., Any]) -> None:
    card = soft_card("adult")
    day = expiry(card)
    talk(card, FACE, A)
    _, found, _ = items(whole(card, "82"))
    assert value(found[0xDF22]) == b"19900803"
    assert value(found[0xDF23]) == b"2"  # card.md §6: 2 = 女, as the fixture has it
    assert value(found[0xDF29]) == day.encode("ascii")
    assert value(found[0xDF27]).startswith(JP2)


def png(data: bytes) -> tuple[int, int, int, int, set[int]]:
    """Width, height, bit depth, colour type and the pixel bytes that occur, after checking every chunk's CRC."""
    assert data.startswith(PNG)
    at, chunks = 8, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + length]
        assert zlib.crc32(body) == int.from_bytes(data[at + 8 + length : at + 12 + length], "big")
        chunks.append((body[:4], body[4:]))
        at += 12 + length
    assert at == len(data)
    assert (chunks[0][0], chunks[-1][0]) == (b"IHDR", b"IEND")
    header = chunks[0][1]
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    depth, colour = header[8], header[9]
    pixels = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    line = 1 + (width * depth + 7) // 8
    assert colour == 0
    assert len(pixels) == height * line
    return width, height, depth, colour, {byte for n, byte in enumerate(pixels) if n % line}


def test_the_images(soft_card: Callable[..., Any]) -> None:
    # card.md §2.2: name and address 1-bit greyscale; security code 24 x 12; 個人番号 72 x 12. No image is empty paper.
    card = opened(soft_card, "A")
    _, face, _ = items(whole(card, "82"))
    _, number, _ = items(whole(card, "85"))
    for tag in (0xDF25, 0xDF26):
        width, height, depth, colour, pixels = png(value(face[tag]))
        assert (depth, colour) == (1, 0)
        assert width > height > 0
        assert len(pixels) > 1
    assert png(value(face[0xDF2A]))[:2] == (24, 12)
    assert png(value(number[0xDF41]))[:2] == (72, 12)
    assert len(png(value(face[0xDF2A]))[4]) > 1
    assert len(png(value(number[0xDF41]))[4]) > 1


def test_the_number_image_is_signed(soft_card: Callable[..., Any]) -> None:
    card = opened(soft_card, "A")
    outer, found, _ = items(whole(card, "85"))
    assert (outer, list(found)) == (0xFF40, [0xDF41, 0xDF42, 0xDF43])
    key = certified_key(card)
    key.verify(value(found[0xDF43]), found[0xDF41] + found[0xDF42], padding.PKCS1v15(), hashes.SHA256())


def test_the_default_key_answers_a_challenge_and_every_record_names_it(soft_card: Callable[..., Any]) -> None:
    # card.md §2.8: DF12, DF24, DF42 are the public half of the key behind 80 2A 00 00, which asks for no PIN.
    card = soft_card("adult")
    info = SHA256_INFO + hashlib.sha256(CHALLENGE).digest()
    signature = talk(card, FACE, f"802A000033 {info.hex()} 00 -> ..{{256}} 9000")
    talk(card, BIRTH, A)
    for sfi, tag in (("81", 0xDF12), ("82", 0xDF24), ("85", 0xDF42)):
        _, found, _ = items(whole(card, sfi))
        rsa_key(value(found[tag])).verify(signature, CHALLENGE, padding.PKCS1v15(), hashes.SHA256())


def test_the_two_surface_applications_have_two_keys_and_two_issuers(soft_card: Callable[..., Any]) -> None:
    # card.md §2.7: the CV certificates of 確認 and 入力補助 come from different CAs.
    card = soft_card("adult")
    info = (SHA256_INFO + hashlib.sha256(CHALLENGE).digest()).hex()
    by_face = talk(card, FACE, f"802A000033 {info} 00 -> ..{{256}} 9000")
    face = whole(card, "84")
    by_text = talk(card, TEXT, f"802A000033 {info} 00 -> ..{{256}} 9000")
    text = whole(card, "84")
    assert by_face != by_text
    assert face[10:26] != text[10:26]


def test_the_key_identification_record(soft_card: Callable[..., Any]) -> None:
    card = soft_card("adult")
    record = talk(card, COMMON, "00B2010C00 -> 011C ..{28} 9000")
    talk(card, FACE)
    outer, found, _ = items(whole(card, "83"))
    assert (outer, list(found)) == (0xFF30, [0xDF31, 0xDF32, 0xDF33, 0xDF34, 0xDF35])
    assert value(found[0xDF34]) == record[17:22]  # card.md §2.4: the municipality
    assert [len(value(tlv)) for tlv in found.values()] == [4, 16, 1, 5, 272]


def era_code(day: str) -> str:
    """YYYYMMDD as 和暦 YYMMDD without the era (card.md §2.3), by the eras' first days (§6)."""
    eras = (("20190501", 2018), ("19890108", 1988), ("19261225", 1925), ("19120730", 1911), ("18680101", 1867))
    before = next(year for first, year in eras if day >= first)
    return f"{int(day[:4]) - before:02d}{day[4:]}"


def test_the_eras_of_the_published_codes() -> None:
    assert era_code("19800217") == "550217"  # card.md §2.1: S55-02-17
    assert era_code("20200224") == "020224"  # card.md §2.3: R2-02-24
    assert era_code("19900803") == "020803"


@pytest.mark.parametrize(("persona", "number"), [("adult", "123456789018"), ("child", "983205673214")])
def test_every_record_of_a_card_is_signed_and_says_one_birth_date(
    soft_card: Callable[..., Any], persona: str, number: str
) -> None:
    card = soft_card(persona)
    talk(card, FACE, f"002000930C {number.encode('ascii').hex()} -> 9000")
    key = certified_key(card)
    _, face, _ = items(whole(card, "82"))
    assert key.recover_data_from_signature(value(face[0xDF28]), padding.PKCS1v15(), None).startswith(FACE_INFO)
    _, image, _ = items(whole(card, "85"))
    key.verify(value(image[0xDF43]), image[0xDF41] + image[0xDF42], padding.PKCS1v15(), hashes.SHA256())
    code = era_code(value(face[0xDF22]).decode("ascii"))
    talk(card, f"0020009106 {code.encode('ascii').hex()} -> 9000")
    _, age, _ = items(whole(card, "81"))
    assert value(age[0xDF11]) == value(face[0xDF22])
    key.verify(value(age[0xDF13]), age[0xDF11] + age[0xDF12], padding.PKCS1v15(), hashes.SHA256())
