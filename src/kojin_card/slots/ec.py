"""P-256 of the free area: signatures as r and s one after the other (64 bytes), points compressed in files.

Only this curve and SHA-256: what a slot applet of 2026 can do. Another curve is another definition of the applet.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from kojin_card.errors import InputError
from kojin_card.secret import Secret

if TYPE_CHECKING:
    from typing import Self

COORDINATE_BYTES = 32
COMPRESSED_BYTES = 1 + COORDINATE_BYTES
SIGNATURE_BYTES = 2 * COORDINATE_BYTES
_MAX_PEM_BYTES = 8192
_ALGORITHM = ec.ECDSA(hashes.SHA256())


class EcSigner:
    """A P-256 private key that signs; prints, pickles and copies as little as a secret."""

    __slots__ = ("_key",)

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        if not isinstance(key.curve, ec.SECP256R1):
            raise InputError("not a P-256 key", operation="take a signing key")
        self._key = key

    @classmethod
    def generate(cls) -> Self:
        """A new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_scalar(cls, scalar: Secret) -> Self:
        """The key of a private scalar, 32 bytes.

        Raises:
            InputError: not one of the curve.
        """
        number = int.from_bytes(scalar.reveal(), "big")
        key: ec.EllipticCurvePrivateKey | None = None
        with contextlib.suppress(ValueError):  # told below, without a chain
            key = ec.derive_private_key(number, ec.SECP256R1())
        if key is None:
            raise InputError("not a P-256 key", operation="take a signing key")
        return cls(key)

    def scalar(self) -> Secret:
        """The private scalar, for a key file."""
        return Secret(self._key.private_numbers().private_value.to_bytes(COORDINATE_BYTES, "big"))

    @property
    def compressed(self) -> bytes:
        """The public point, 33 bytes."""
        return self._key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    def sign(self, message: bytes) -> bytes:
        """ECDSA with SHA-256: r and s, 64 bytes."""
        r, s = utils.decode_dss_signature(self._key.sign(message, _ALGORITHM))
        return b"".join(number.to_bytes(COORDINATE_BYTES, "big") for number in (r, s))

    def __repr__(self) -> str:
        return "EcSigner(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key cannot be pickled or copied")


def is_point(point: bytes) -> bool:
    """Whether these octets are a point of P-256, compressed or not."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return False
    return True


def verifies(point: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the key of ``point`` signed ``message``; False too for what is no point or no signature."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    r, s = (int.from_bytes(signature[at : at + COORDINATE_BYTES], "big") for at in (0, COORDINATE_BYTES))
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        key.verify(utils.encode_dss_signature(r, s), message, _ALGORITHM)
    except (InvalidSignature, ValueError):
        return False
    return True


def compressed_of_pem(pem: bytes) -> bytes:
    """The compressed point of a public key in PEM (SubjectPublicKeyInfo).

    Raises:
        InputError: not a P-256 public key.
    """
    key: object = None
    if len(pem) <= _MAX_PEM_BYTES:
        try:
            key = load_pem_public_key(pem)
        except Exception:  # whatever a parser has against it, it is not one that can be used
            key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InputError("not a public key of P-256 in PEM", operation="read a public key")
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
