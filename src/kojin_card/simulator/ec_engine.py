"""ECDSA on P-384 as the next card is assumed to compute it: a hash in, r and s out (applets_spec/jpki.toml, ecdsa)."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature

COORDINATE = 48


class EcEngine:
    """One private key, ready for use. Its signatures are those of RFC 6979: the same hash gives the same answer, so
    that a test card needs no chance (what the real one does is not known).

    Raises:
        ValueError: ``d`` is no private key on P-384.
    """

    size = 2 * COORDINATE

    def __init__(self, d: int) -> None:
        self._key = ec.derive_private_key(d, ec.SECP384R1())

    def sign(self, digest: bytes) -> bytes:
        """r and s one after the other, 96 bytes.

        Args:
            digest: SHA-384 of the message.

        Raises:
            ValueError: it has not 48 bytes.
        """
        scheme = ec.ECDSA(Prehashed(hashes.SHA384()), deterministic_signing=True)
        numbers = decode_dss_signature(self._key.sign(digest, scheme))
        return b"".join(number.to_bytes(COORDINATE, "big") for number in numbers)
