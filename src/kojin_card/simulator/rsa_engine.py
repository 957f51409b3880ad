"""RSA as the chip does it: any bytes up to 245 padded as they are, or PSS.

``cryptography`` pads only digests it knows, so the PKCS#1 type 1 block is built here and the private operation is two
``pow`` calls by the Chinese remainder theorem (about 10 ms). Python's ``pow`` does not hide how long it takes: these
are worthless keys of test cards.
"""

from __future__ import annotations

from functools import cached_property

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

EXPONENT = 65537
_MIN_PADDING = 8
_SHA256 = bytes.fromhex("300d06096086480165030402010500")  # AlgorithmIdentifier
_SALT = 32  # as long as the digest; card.md §4.4 says only that it is random


def digest_info(digest: bytes) -> bytes:
    """DigestInfo of SHA-256 (RFC 8017 §9.2) around ``digest``: 32 bytes, or 96 as on the card's face (card.md §2.2)."""
    inner = _SHA256 + b"\x04" + bytes((len(digest),)) + digest
    return b"\x30" + bytes((len(inner),)) + inner


class RsaEngine:
    """One private key, ready for use.

    Args:
        p, q: its primes. Composite numbers make answers that the check at the end of each operation refuses.

    Raises:
        ValueError: the primes make no key with the exponent 65537.
    """

    def __init__(self, p: int, q: int) -> None:
        self._p, self._q, self._n = p, q, p * q
        self._d = pow(EXPONENT, -1, (p - 1) * (q - 1))
        self._dp, self._dq, self._q_inverse = self._d % (p - 1), self._d % (q - 1), pow(q, -1, p)
        self.size = (self._n.bit_length() + 7) // 8

    @property
    def modulus(self) -> bytes:
        """The public modulus, big-endian."""
        return self._n.to_bytes(self.size, "big")

    def sign_verbatim(self, data: bytes) -> bytes:
        """PKCS#1 v1.5 block type 1 around ``data`` as it is (RFC 8017 §9.2 without the DigestInfo), then the key.

        Raises:
            ValueError: less than eight bytes of padding would be left.
            ArithmeticError: the result does not verify; it is not handed out.
        """
        padded = self.size - 3 - len(data)
        if padded < _MIN_PADDING:
            raise ValueError("too long for the modulus")
        message = int.from_bytes(b"\x00\x01" + b"\xff" * padded + b"\x00" + data, "big")
        one = pow(message % self._p, self._dp, self._p)
        two = pow(message % self._q, self._dq, self._q)
        signature = two + self._q * ((one - two) * self._q_inverse % self._p)
        if pow(signature, EXPONENT, self._n) != message:
            raise ArithmeticError("the private operation went wrong")
        return signature.to_bytes(self.size, "big")

    def sign_pss(self, digest: bytes) -> bytes:
        """RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a random salt of 32 bytes (the length is an assumption)."""
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), _SALT)
        return self._key.sign(digest, scheme, Prehashed(hashes.SHA256()))

    def decrypt_oaep(self, block: bytes) -> bytes:
        """RSAES-OAEP with SHA-256, MGF1 with SHA-256 and an empty label.

        Raises:
            ValueError: not as long as the modulus, or nothing that was encrypted for this key that way.
        """
        return self._key.decrypt(block, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        """The key for ``cryptography``, which checks the primes (some 40 ms, so only for whoever wants PSS or OAEP)."""
        return rsa.RSAPrivateNumbers(
            self._p,
            self._q,
            self._d,
            self._dp,
            self._dq,
            self._q_inverse,
            rsa.RSAPublicNumbers(EXPONENT, self._n),
        ).private_key()
