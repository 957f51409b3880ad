"""What the card signs is what card.md §4.4 says, checked with ``cryptography`` and the card's own certificate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from support import talk

JPKI = "00A4040C0A D392F000260100000001 -> 9000"
TEXT = "00A4040C0A D3921000310001010408 -> 9000"
KEYS = {
    # key: P2 = 80|SFI, id of its EF, VERIFY, P1 of its certificate's SFI
    "auth": ("97", "0017", "0020009804 31323334 -> 9000", "8A"),
    "sign": ("9A", "001A", "0020009B06 414243313233 -> 9000", "81"),
}
PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
MESSAGE = "本日は晴天なり".encode()
DIGEST = hashlib.sha256(MESSAGE).digest()

both_keys = pytest.mark.parametrize("key", sorted(KEYS))


def read_whole(card: Any, first: str) -> bytes:
    """A DER object by literal READ BINARY: 80|SFI first, then offsets."""
    head = talk(card, f"00B0{first}0004 -> 3082???? 9000")
    length = int.from_bytes(head[2:4], "big") + 4
    out = b"".join(talk(card, f"00B0{offset:04X}00 -> .. 9000") for offset in range(0, length, 256))
    return out[:length]


def public_key(card: Any, key: str) -> rsa.RSAPublicKey:
    found = x509.load_der_x509_certificate(read_whole(card, KEYS[key][3])).public_key()
    assert isinstance(found, rsa.RSAPublicKey)
    assert found.key_size == 2048
    return found


def opened(soft_card: Callable[..., Any], key: str) -> tuple[Any, rsa.RSAPublicKey]:
    card = soft_card("adult")
    talk(card, JPKI, KEYS[key][2])
    return card, public_key(card, key)


def signature(card: Any, p1: str, p2: str, data: bytes) -> bytes:
    out = talk(card, f"802A{p1}{p2}{len(data):02X} {data.hex()} 00 -> ..{{256}} 9000")
    assert len(out) == 256
    return out


def unpadded(key: rsa.RSAPublicKey, sig: bytes) -> bytes:
    """What stands behind PKCS#1 type 1 padding, checked byte by byte."""
    numbers = key.public_numbers()
    block = pow(int.from_bytes(sig, "big"), numbers.e, numbers.n).to_bytes(256, "big")
    assert block[:2] == b"\x00\x01"
    filler, separator, inner = block[2:].partition(b"\x00")
    assert separator == b"\x00"
    assert set(filler) == {0xFF}
    assert len(filler) >= 8
    return inner


@both_keys
def test_verbatim(soft_card: Callable[..., Any], key: str) -> None:
    card, public = opened(soft_card, key)
    for data in (
        b"\x00",
        b"abc",
        bytes(245),
        PREFIX + DIGEST,
        bytes.fromhex("3020300c06082a864886f70d020505000410") + bytes(16),
    ):
        assert unpadded(public, signature(card, "00", KEYS[key][0], data)) == data


@both_keys
def test_a_digest_info_given_verbatim_is_a_pkcs1_signature(soft_card: Callable[..., Any], key: str) -> None:
    card, public = opened(soft_card, key)
    sig = signature(card, "00", KEYS[key][0], PREFIX + DIGEST)
    public.verify(sig, MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        public.verify(sig, MESSAGE + b"!", padding.PKCS1v15(), hashes.SHA256())


@both_keys
def test_the_card_hashes_and_signs_the_bare_hash(soft_card: Callable[..., Any], key: str) -> None:
    card, public = opened(soft_card, key)
    assert unpadded(public, signature(card, "01", KEYS[key][0], MESSAGE)) == DIGEST


@both_keys
@pytest.mark.parametrize(("p1", "data"), [("02", DIGEST), ("03", MESSAGE)])
def test_digest_info_made_by_the_card(soft_card: Callable[..., Any], key: str, p1: str, data: bytes) -> None:
    card, public = opened(soft_card, key)
    sig = signature(card, p1, KEYS[key][0], data)
    assert unpadded(public, sig) == PREFIX + DIGEST
    public.verify(sig, MESSAGE, padding.PKCS1v15(), hashes.SHA256())


@both_keys
@pytest.mark.parametrize(("p1", "data"), [("04", DIGEST), ("05", MESSAGE)])
def test_pss(soft_card: Callable[..., Any], key: str, p1: str, data: bytes) -> None:
    card, public = opened(soft_card, key)
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
    first, second = (signature(card, p1, KEYS[key][0], data) for _ in range(2))
    assert first != second  # card.md §4.4: random salt
    for sig in (first, second):
        public.verify(sig, DIGEST, scheme, Prehashed(hashes.SHA256()))


@both_keys
def test_both_forms_of_p2_give_the_same_bytes(soft_card: Callable[..., Any], key: str) -> None:
    card, _ = opened(soft_card, key)
    by_sfi = {p1: signature(card, p1, KEYS[key][0], DIGEST) for p1 in ("00", "01", "02", "03")}
    talk(card, f"00A4020C02 {KEYS[key][1]} -> 9000")
    assert {p1: signature(card, p1, "80", DIGEST) for p1 in by_sfi} == by_sfi
    assert len(set(by_sfi.values())) == 4


def test_the_two_keys_are_two(soft_card: Callable[..., Any]) -> None:
    card, auth = opened(soft_card, "auth")
    talk(card, KEYS["sign"][2])
    assert public_key(card, "sign").public_numbers() != auth.public_numbers()


def test_the_key_of_the_application_signs_without_a_pin(soft_card: Callable[..., Any]) -> None:
    # card.md §2.8: the anti-copy challenge, checked with DF51 of EF 0007 (which needs a key to be read).
    card = soft_card("adult")
    talk(card, TEXT)
    sig = signature(card, "00", "00", PREFIX + DIGEST)
    talk(card, "0020009104 35363738 -> 9000")
    head = talk(card, "00B0870000 -> FF50820213 DF51820109 9003010001 91820100 ..{237} 9000")
    modulus = head[19:] + talk(card, "00B0010013 -> ..{19} 9000")
    assert len(modulus) == 256
    public = rsa.RSAPublicNumbers(65537, int.from_bytes(modulus, "big")).public_key()
    public.verify(sig, MESSAGE, padding.PKCS1v15(), hashes.SHA256())


def test_challenges_differ(soft_card: Callable[..., Any]) -> None:
    card = soft_card()
    seen = {talk(card, "0084000010 -> ..{16} 9000") for _ in range(50)}
    assert len(seen) == 50
