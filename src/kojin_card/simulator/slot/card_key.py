"""The card key of a slot: a P-256 pair made on the card at install, whose private half never leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kojin_card.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

COORDINATE = 32
SIGNATURE = 2 * COORDINATE
COMPRESSED = 1 + COORDINATE
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (SP 800-186 §3.2.1.3)


def new_card_key(random: Callable[[int], bytes]) -> int:
    """A private scalar from the card's own random, each of 1 to n - 1 as likely (FIPS 186-5 A.2.2, by rejection)."""
    while True:
        scalar = int.from_bytes(random(COORDINATE), "big")
        if 1 <= scalar < _ORDER:
            return scalar


def public_point(scalar: int) -> bytes:
    """The public half, uncompressed: 04, X, Y (65 bytes)."""
    key = ec.derive_private_key(scalar, ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def sign(scalar: int, message: bytes) -> bytes:
    """ECDSA with SHA-256, r and s (64 bytes); as RFC 6979 has it, so that it needs no chance."""
    key = ec.derive_private_key(scalar, ec.SECP256R1())
    numbers = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    return b"".join(number.to_bytes(COORDINATE, "big") for number in numbers)


def load_point(compressed: bytes) -> ec.EllipticCurvePublicKey:
    """A public key from its compressed point (33 bytes).

    Raises:
        DecodeError: it is no such point of P-256.
    """
    if len(compressed) != COMPRESSED or compressed[0] not in (2, 3):
        raise DecodeError("not a compressed point of P-256", operation="read a public key")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), compressed)
    except ValueError:
        raise DecodeError("not a compressed point of P-256", operation="read a public key") from None


def verifies(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` (r and s) over ``message`` is of that key."""
    if len(signature) != SIGNATURE:
        return False
    r, s = (int.from_bytes(signature[at : at + COORDINATE], "big") for at in (0, COORDINATE))
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
