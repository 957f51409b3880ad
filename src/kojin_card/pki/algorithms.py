"""Keys and signature algorithms: what is known by name, what is accepted, and the one encoding of a signature.

What is accepted for a purpose is said by its profile (``data/profiles.toml``); this module only knows how to compute.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kojin_card.pki import der

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 4096
EXPONENT = 65537

RSA, EC = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
SHA1, SHA256 = "1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1"
_SHA384, _SHA512 = "2.16.840.1.101.3.4.2.2", "2.16.840.1.101.3.4.2.3"
_MD5 = "1.2.840.113549.2.5"

#: digest OID -> the name that ``hashlib`` has for it
DIGESTS: Mapping[str, str] = {SHA1: "sha1", SHA256: "sha256", _SHA384: "sha384", _SHA512: "sha512", _MD5: "md5"}
WEAK_DIGESTS = frozenset({"sha1", "md5"})


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """A signature algorithm by name; ``hash`` is None where the message's digest algorithm decides (rsaEncryption)."""

    name: str
    key: str
    hash: str | None


#: signature OID -> what it is. Being listed does not make it accepted.
SIGNATURES: Mapping[str, SignatureAlgorithm] = {
    RSA: SignatureAlgorithm("rsaEncryption", "rsa", None),
    "1.2.840.113549.1.1.4": SignatureAlgorithm("md5WithRSAEncryption", "rsa", "md5"),
    "1.2.840.113549.1.1.5": SignatureAlgorithm("sha1WithRSAEncryption", "rsa", "sha1"),
    "1.2.840.113549.1.1.11": SignatureAlgorithm("sha256WithRSAEncryption", "rsa", "sha256"),
    "1.2.840.113549.1.1.12": SignatureAlgorithm("sha384WithRSAEncryption", "rsa", "sha384"),
    "1.2.840.113549.1.1.13": SignatureAlgorithm("sha512WithRSAEncryption", "rsa", "sha512"),
    "1.2.840.113549.1.1.10": SignatureAlgorithm("RSASSA-PSS", "rsa-pss", None),
    "1.2.840.10045.4.1": SignatureAlgorithm("ecdsa-with-SHA1", "ec", "sha1"),
    "1.2.840.10045.4.3.2": SignatureAlgorithm("ecdsa-with-SHA256", "ec", "sha256"),
    "1.2.840.10045.4.3.3": SignatureAlgorithm("ecdsa-with-SHA384", "ec", "sha384"),
}

#: DigestInfo without the digest, SHA-256 with its explicit NULL (RFC 8017 §9.2): the only one there is here
SHA256_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


class Outcome(StrEnum):
    """What became of one signature."""

    VALID = "valid"
    INVALID = "invalid"
    ENCODING = "encoding"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key as far as it is judged: ``algorithm`` is ``rsa``, ``ec`` or the OID of something else."""

    algorithm: str
    bits: int
    exponent: int
    modulus: int

    def key_id(self) -> bytes:
        """SHA-1 of the PKCS#1 RSAPublicKey (RFC 5280 §4.2.1.2 method 1): an identifier, not a security property.

        Raises:
            DerError: not an RSA key.
        """
        if self.algorithm != "rsa":
            raise der.DerError("a key identifier of this form is for RSA keys")
        body = b"".join(der.encode(der.INTEGER, _unsigned(number)) for number in (self.modulus, self.exponent))
        return hashlib.sha1(der.encode(der.SEQUENCE, body), usedforsecurity=False).digest()


def _unsigned(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def read_public_key(spki: bytes) -> PublicKey:
    """The key in a SubjectPublicKeyInfo. A key of an unknown algorithm is named, not refused: that is a check's job.

    Raises:
        DerError: malformed; an RSA key with parameters other than NULL, or with impossible numbers.
    """
    fields = der.Fields(der.single(spki, der.SEQUENCE))
    algorithm, key = fields.next(der.SEQUENCE), der.bit_string(fields.next(der.BIT_STRING))
    fields.done()
    parts = der.children(algorithm)
    oid = der.oid(parts[0]) if parts else ""
    if oid != RSA:
        return PublicKey("ec" if oid == EC else oid, 0, 0, 0)
    if len(parts) != 2 or parts[1].raw != b"\x05\x00":
        raise der.DerError("an RSA key with parameters")
    der.check(key)
    numbers = der.Fields(der.single(key, der.SEQUENCE))
    modulus, exponent = der.integer(numbers.next(der.INTEGER)), der.integer(numbers.next(der.INTEGER))
    numbers.done()
    if modulus <= 0 or exponent <= 0 or not modulus & 1:
        raise der.DerError("an impossible RSA key")
    return PublicKey("rsa", modulus.bit_length(), exponent, modulus)


def algorithm_identifier(element: der.Element, *, null: bool = False) -> str:
    """The OID of an AlgorithmIdentifier.

    Args:
        null: parameters must be absent or NULL (digests, and RSA signatures in CMS).

    Raises:
        DerError: malformed, or other parameters than those.
    """
    fields = der.Fields(element)
    oid = der.oid(fields.next(der.OID))
    parameters = next(fields.rest(), None)
    fields.done()
    known = SIGNATURES.get(oid)
    plain = null or oid in DIGESTS or (known is not None and known.key == "rsa")
    if plain and parameters is not None and parameters.raw != b"\x05\x00":
        raise der.DerError("an algorithm with parameters that it does not have")
    return oid


def acceptable_key(key: PublicKey) -> str | None:
    """None when signatures may be verified with this key, else the reason: ``weak`` or ``unknown``."""
    if key.algorithm != "rsa" or key.bits > MAX_RSA_BITS:
        return "unknown"
    return "weak" if key.bits < MIN_RSA_BITS or key.exponent != EXPONENT else None


def verify_sha256(key: PublicKey, spki: bytes, signature: bytes, digest: bytes) -> Outcome:
    """RSASSA-PKCS1-v1_5 with SHA-256, exactly one encoding (jpki.md §6 A-21): ``00 01 FF.. 00 DigestInfo(NULL)``.

    ``ENCODING`` means that whoever holds the key did sign this digest, but in another form (a bare hash, a DigestInfo
    without NULL, bytes after it, short padding): refused like any other, and named, because a card can make some of
    these.

    Args:
        digest: SHA-256 of the message, 32 bytes.
    """
    try:
        public = load_der_public_key(spki)
        if not isinstance(public, rsa.RSAPublicKey) or len(signature) != (key.bits + 7) // 8:
            return Outcome.INVALID
        public.verify(signature, digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return Outcome.ENCODING if _signed_otherwise(key, signature, digest) else Outcome.INVALID
    return Outcome.VALID


def _signed_otherwise(key: PublicKey, signature: bytes, digest: bytes) -> bool:
    """Whether the digest stands anywhere in what the signature opens to."""
    if acceptable_key(key) is not None or len(signature) != (key.bits + 7) // 8:
        return False
    opened = pow(int.from_bytes(signature, "big"), key.exponent, key.modulus)
    block = opened.to_bytes(len(signature), "big")
    return block[:2] == b"\x00\x01" and digest in block
