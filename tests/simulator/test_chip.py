"""What the card manager, 共通 and 住基 say about one card agrees (card.md §2.4, §2.5, §4.5), by APDUs only."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from support import ROOT, talk

COMMON = "00A4040C0A D3921000310001010100 -> 9000"
JUKI = "00A4040C0A D3921000310001010401 -> 9000"


def test_municipality_and_expiry_are_those_of_the_record(soft_card: Callable[..., Any]) -> None:
    card = soft_card("adult")
    municipality = talk(card, "00CA00F000 -> ..{5} 9000")
    expiry = talk(card, "00CA00F200 -> ..{8} 9000")
    record = talk(card, COMMON, "00B2010C00 -> 011C ..{28} 9000")
    assert (municipality, expiry) == (record[17:22], record[22:30])


def test_the_key_reference_is_identical_in_both_applications(soft_card: Callable[..., Any]) -> None:
    card = soft_card("adult")
    common = talk(card, COMMON, "00B2011400 -> ..{18} 9000")
    assert talk(card, JUKI, "00B2011400 -> ..{18} 9000") == common


def test_the_card_identification_number_is_ascii(soft_card: Callable[..., Any]) -> None:
    number = talk(soft_card("adult"), "00CA004500 -> ??.. 9000")
    assert number.isascii()
    assert number.decode("ascii").isprintable()


def test_the_chain_of_the_card_manager(soft_card: Callable[..., Any]) -> None:
    # card.md §2.5: 00F7 names the intermediate key, 00F8 certifies it, 7F21 (where there is one) is signed by it.
    card = soft_card("adult")
    intermediate = talk(card, "00CA00F700 -> ..{16} 9000")
    certificate = talk(card, "00CA00F8000000 -> 5F4E820129 ..{297} 5F37820100 ..{256} 9000")
    body = certificate[5:302]
    assert body[16:32] == intermediate
    assert body[:16] != intermediate
    assert body[32:41] == bytes.fromhex("900301000191820100")
    lower = talk(card, "00CA7F21000000 -> .. 9000|6A88|6A82")
    if lower:
        lower = lower[5:] if lower.startswith(b"\x7f\x21") else lower
        assert lower[5:21] == intermediate
        key = rsa.RSAPublicNumbers(65537, int.from_bytes(body[41:], "big")).public_key()
        key.verify(lower[-256:], lower[5:302], padding.PKCS1v15(), hashes.SHA256())


def test_the_contact_atr_is_a_published_one_without_its_first_byte(soft_card: Callable[..., Any]) -> None:
    contact = {
        "3BE000FF8131FE4514",
        "3BDA13FF8131FB468012392F31C173C601C03B",
        "3BC5FF8131FB458073C6010000",
        "3BF59100FF918171FE400042000100D1D6",
        "3BF59100FF918171FE4000420001B3A115",
    }  # card.md §5: the other four are contactless
    assert f"3B{talk(soft_card('adult'), '00CA5F5100 -> ??.. 9000').hex().upper()}" in contact


def test_internal_authenticate_is_deterministic(soft_card: Callable[..., Any]) -> None:
    # card.md §4.5
    card = soft_card("adult")
    talk(card, COMMON)
    first, second, other = (
        talk(card, f"0088009908 {challenge} 00 -> ..{{256}} 9000")
        for challenge in ("0102030405060708", "0102030405060708", "0102030405060709")
    )
    assert first == second
    assert first != other
    talk(card, "power_off", COMMON)
    assert talk(card, "0088009908 0102030405060708 00 -> ..{256} 9000") == first


def _verifies(key: rsa.RSAPublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def test_internal_authenticate_is_a_pkcs1_signature_of_one_of_the_worthless_keys(soft_card: Callable[..., Any]) -> None:
    # card.md §4.5: DigestInfo(SHA-256(challenge)). §2.4: the public half is not on the card, so it comes from the pool.
    pool = tomllib.loads((ROOT / "fixtures" / "pki" / "keys.toml").read_text(encoding="utf-8"))["key"]
    keys = [
        rsa.RSAPublicNumbers(65537, int(one["p"], 16) * int(one["q"], 16)).public_key() for one in pool if "p" in one
    ]
    card = soft_card("adult")
    talk(card, COMMON)
    seen = set()
    for challenge in (b"\x01", b"abc", bytes(255)):
        signature = talk(card, f"00880099{len(challenge):02X} {challenge.hex()} 00 -> ..{{256}} 9000")
        seen.add(tuple(_verifies(key, signature, challenge) for key in keys))
    (verdicts,) = seen
    assert sum(verdicts) == 1


def test_get_data_changes_nothing(soft_card: Callable[..., Any]) -> None:
    card = soft_card("adult")
    before = card.state
    for _ in range(2):
        for command in ("00CA004200", "00CA00F800", "00CA00F8000000", "00CA004300"):
            card.transmit(bytes.fromhex(command))
    assert card.state == before
