"""The next card (次期個人番号カード) command by command. Public is ECDSA with 384 bits and SHA-384 (card.md §10).

The command is an assumption (applets_spec/jpki.toml, scheme ecdsa): ``80 2A`` with P1 02, which takes a bare digest
today (card.md §4.4), takes a SHA-384 of 48 bytes and answers r and s, 48 bytes each. All else is as on today's card.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from support import talk

JPKI = "00A4040C0A D392F000260100000001 -> 9000"
KEYS = {
    # key: P2 = 80|SFI, id of its EF, VERIFY with the persona's PIN, P1 of its certificate's SFI
    "auth": ("97", "0017", "0020009804 32343638 -> 9000", "8A"),
    "sign": ("9A", "001A", "0020009B08 4E45585432303238 -> 9000", "81"),
}
MESSAGE = "本日は晴天なり".encode()
DIGEST = hashlib.sha384(MESSAGE).hexdigest()

both_keys = pytest.mark.parametrize("key", sorted(KEYS))


def certificate(card: Any, first: str) -> x509.Certificate:
    head = talk(card, f"00B0{first}0004 -> 3082???? 9000")
    length = int.from_bytes(head[2:4], "big") + 4
    out = b"".join(talk(card, f"00B0{offset:04X}00 -> .. 9000") for offset in range(0, length, 256))
    return x509.load_der_x509_certificate(out[:length])


def opened(soft_card: Callable[..., Any], key: str) -> tuple[Any, ec.EllipticCurvePublicKey]:
    card = soft_card("next_card")
    talk(card, JPKI, KEYS[key][2])
    public = certificate(card, KEYS[key][3]).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp384r1"
    return card, public


def verify(public: ec.EllipticCurvePublicKey, plain: bytes, message: bytes) -> None:
    numbers = int.from_bytes(plain[:48], "big"), int.from_bytes(plain[48:], "big")
    public.verify(encode_dss_signature(*numbers), message, ec.ECDSA(hashes.SHA384()))


@both_keys
def test_a_sha384_in_r_and_s_out(soft_card: Callable[..., Any], key: str) -> None:
    card, public = opened(soft_card, key)
    signature = talk(card, f"802A02{KEYS[key][0]}30 {DIGEST} 00 -> ..{{96}} 9000")
    assert len(signature) == 96
    verify(public, signature, MESSAGE)
    with pytest.raises(InvalidSignature):
        verify(public, signature, MESSAGE + b"!")
    talk(card, f"00A4020C02 {KEYS[key][1]} -> 9000")
    assert talk(card, f"802A028030 {DIGEST} 00 -> ..{{96}} 9000") == signature  # the current key; RFC 6979
    assert talk(card, f"802A02{KEYS[key][0]}30 {DIGEST} 60 -> ..{{96}} 9000") == signature  # Le of just 96


@both_keys
@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("802A00{p2}30 {digest} 00 -> 6A86", "padding as given is for RSA"),
        ("802A01{p2}30 {digest} 00 -> 6A86", "the card hashes nothing for this key"),
        ("802A03{p2}30 {digest} 00 -> 6A86", "nor for a DigestInfo"),
        ("802A04{p2}30 {digest} 00 -> 6A86", "PSS is for RSA"),
        ("802A05{p2}30 {digest} 00 -> 6A86", "PSS is for RSA"),
        ("802A06{p2}30 {digest} 00 -> 6A86", "no such scheme"),
        ("802A02{p2}20 {short} 00 -> 6985", "a SHA-256"),
        ("802A02{p2}2F {cut} 00 -> 6985", "47 bytes"),
        ("802A02{p2}31 {digest}00 00 -> 6985", "49 bytes"),
        ("802A02{p2}30 {digest} 5F -> 6700", "Le too short for 96 bytes"),
        ("802A02{p2}30 {digest} -> 6700", "no Le"),
        ("802A02{p2}00 -> 6700", "no data"),
    ],
)
def test_nothing_else_is_signed(soft_card: Callable[..., Any], key: str, row: str, why: str) -> None:
    card, _ = opened(soft_card, key)
    talk(card, row.format(p2=KEYS[key][0], digest=DIGEST, short=DIGEST[:64], cut=DIGEST[:94]))
    assert why


@both_keys
def test_no_signature_before_the_pin(soft_card: Callable[..., Any], key: str) -> None:
    card = soft_card("next_card")
    talk(card, JPKI, f"802A02{KEYS[key][0]}30 {DIGEST} 00 -> 6982")
    other = "sign" if key == "auth" else "auth"
    talk(card, KEYS[other][2], f"802A02{KEYS[key][0]}30 {DIGEST} 00 -> 6982")


def test_todays_card_has_no_such_scheme(soft_card: Callable[..., Any]) -> None:
    """card.md §4.4: P1 02 takes exactly the 32 bytes of a SHA-256."""
    card = soft_card("adult")
    talk(card, JPKI, "0020009804 31323334 -> 9000", f"802A029730 {DIGEST} 00 -> 6985")


def test_one_value_for_all_four_digit_pins_and_a_password(soft_card: Callable[..., Any]) -> None:
    """Four PINs become two (card.md §10): our reading. Each reference keeps its own counter, as today (§3)."""
    card = soft_card("next_card")
    talk(
        card,
        JPKI,
        "0020009804 32343638 -> 9000",
        "0020009804 32343639 -> 63C2",
        "00A4040C0A D3921000310001010408 -> 9000",
        "0020009104 32343638 -> 9000",
        "00A4040C0A D3921000310001010100 -> 9000",
        "00A4020C02 001C -> 9000",
        "0020008004 32343638 -> 9000",
    )


def test_certificates_end_on_the_tenth_birthday(soft_card: Callable[..., Any]) -> None:
    card = soft_card("next_card")
    talk(card, JPKI, KEYS["sign"][2])
    for first, ca_first in (("8A", "8B"), ("81", "82")):
        holder, ca = certificate(card, first), certificate(card, ca_first)
        holder.verify_directly_issued_by(ca)
        years = holder.not_valid_after_utc.year - holder.not_valid_before_utc.year
        assert years in (9, 10)  # the first birthday may be in the year of issue
        assert (holder.not_valid_after_utc.month, holder.not_valid_after_utc.day) == (5, 21)
        assert holder.signature_algorithm_oid.dotted_string == "1.2.840.10045.4.3.3"
        assert ca.not_valid_after_utc > holder.not_valid_after_utc
