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
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kojin_card.pki import der

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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

#: the one curve whose keys are read (RFC 5480 §2.1.1.1), the bytes of a coordinate and the order of its base point
P384 = "1.3.132.0.34"
P384_BYTES = 48
_P384_ORDER = int("f" * 48 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)
_UNCOMPRESSED = b"\x04"

#: DigestInfo without the digest, SHA-256 with its explicit NULL (RFC 8017 §9.2): the only one there is here
SHA256_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


class Outcome(StrEnum):
    """What became of one signature."""

    VALID = "valid"
    INVALID = "invalid"
    ENCODING = "encoding"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key as far as it is judged: ``algorithm`` is ``rsa``, ``ec`` or the OID of something else.

    Attributes:
        bits: 0 for a key that is only named.
        curve: OID of a named curve; empty for explicit parameters.
        point: the public point as encoded, of a curve that is read.
    """

    algorithm: str
    bits: int
    exponent: int = 0
    modulus: int = 0
    curve: str = ""
    point: bytes = b""

    def key_id(self) -> bytes:
        """SHA-1 of the subjectPublicKey (RFC 5280 §4.2.1.2 method 1): an identifier, not a security property.

        Raises:
            DerError: a key that is only named.
        """
        if self.algorithm == "rsa":
            body = b"".join(der.encode(der.INTEGER, _unsigned(number)) for number in (self.modulus, self.exponent))
            return hashlib.sha1(der.encode(der.SEQUENCE, body), usedforsecurity=False).digest()
        if not self.point:
            raise der.DerError("a key identifier is for keys that are read")
        return hashlib.sha1(self.point, usedforsecurity=False).digest()


def _unsigned(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def read_public_key(spki: bytes) -> PublicKey:
    """The key in a SubjectPublicKeyInfo. A key of an unknown algorithm is named, not refused: that is a check's job.

    Raises:
        DerError: malformed; an RSA key with parameters other than NULL, or with impossible numbers; a point that is not
            on its curve.
    """
    fields = der.Fields(der.single(spki, der.SEQUENCE))
    algorithm, key = fields.next(der.SEQUENCE), der.bit_string(fields.next(der.BIT_STRING))
    fields.done()
    parts = der.children(algorithm)
    oid = der.oid(parts[0]) if parts else ""
    if oid == EC:
        return _read_ec(parts, key)
    if oid != RSA:
        return PublicKey(oid, 0)
    if len(parts) != 2 or parts[1].raw != b"\x05\x00":
        raise der.DerError("an RSA key with parameters")
    der.check(key)
    numbers = der.Fields(der.single(key, der.SEQUENCE))
    modulus, exponent = der.integer(numbers.next(der.INTEGER)), der.integer(numbers.next(der.INTEGER))
    numbers.done()
    if modulus <= 0 or exponent <= 0 or not modulus & 1:
        raise der.DerError("an impossible RSA key")
    return PublicKey("rsa", modulus.bit_length(), exponent, modulus)


def _read_ec(parts: tuple[der.Element, ...], key: bytes) -> PublicKey:
    """A key on P-384 in uncompressed form (RFC 5480 §2.2). Any other curve or form is named and nothing more."""
    curve = der.oid(parts[1]) if len(parts) == 2 and parts[1].tag == der.OID else ""
    if curve != P384 or key[:1] != _UNCOMPRESSED:
        return PublicKey("ec", 0, curve=curve)
    problem = len(key) != 1 + 2 * P384_BYTES
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), key)
    except ValueError:
        problem = True
    if problem:
        raise der.DerError("an impossible EC key")
    return PublicKey("ec", 8 * P384_BYTES, curve=curve, point=key)


def algorithm_identifier(element: der.Element, *, null: bool = False) -> str:
    """The OID of an AlgorithmIdentifier.

    Args:
        null: parameters must be absent or NULL (digests, and RSA signatures in CMS). ECDSA has none at all (RFC 5758).

    Raises:
        DerError: malformed, or other parameters than those.
    """
    fields = der.Fields(element)
    oid = der.oid(fields.next(der.OID))
    parameters = next(fields.rest(), None)
    fields.done()
    known = SIGNATURES.get(oid)
    plain = null or oid in DIGESTS or (known is not None and known.key == "rsa")
    if parameters is not None and known is not None and known.key == "ec":
        raise der.DerError("an algorithm with parameters that it does not have")
    if plain and parameters is not None and parameters.raw != b"\x05\x00":
        raise der.DerError("an algorithm with parameters that it does not have")
    return oid


def acceptable_key(key: PublicKey) -> str | None:
    """None when signatures may be verified with this key, else the reason: ``weak`` or ``unknown``."""
    if key.algorithm == "ec":
        return None if key.curve == P384 and key.point else "unknown"
    if key.algorithm != "rsa" or key.bits > MAX_RSA_BITS:
        return "unknown"
    return "weak" if key.bits < MIN_RSA_BITS or key.exponent != EXPONENT else None


@dataclass(frozen=True, slots=True)
class Method:
    """How one kind of key signs one digest.

    Attributes:
        hash: the digest, by ``hashlib``'s name.
        label: what evidence calls it.
        jws: the same as ``alg`` of a JWS (RFC 7518 §3.1).
        verify: (key, SubjectPublicKeyInfo, signature, digest) -> what became of it.
    """

    hash: str
    label: str
    jws: str
    verify: Callable[[PublicKey, bytes, bytes, bytes], Outcome]


def method(key: str, digest: str) -> Method | None:
    """How keys of that kind sign that digest; None: they do not."""
    return _METHODS.get((key, digest))


def method_of(key: str) -> Method | None:
    """How keys of that kind sign here: each kind has one digest. None: not at all."""
    return next((how for (kind, _), how in _METHODS.items() if kind == key), None)


def verify(key: PublicKey, spki: bytes, hash_name: str, signature: bytes, digest: bytes) -> Outcome:
    """Whether ``key`` signed ``digest``, in the one encoding there is for it.

    Args:
        hash_name: which digest it is. Whoever calls says so, and takes it from the table that accepts the signature,
            never from the signature.
    """
    how = method(key.algorithm, hash_name)
    return Outcome.INVALID if how is None else how.verify(key, spki, signature, digest)


def verify_named(key: PublicKey, spki: bytes, oid: str, signature: bytes, message: bytes) -> Outcome:
    """Whether ``key`` signed ``message`` by the algorithm that a certificate or list names, which must suit the key."""
    named = SIGNATURES.get(oid)
    if named is None or named.hash is None or method(named.key, named.hash) is None or named.key != key.algorithm:
        return Outcome.INVALID
    return verify(key, spki, named.hash, signature, hashlib.new(named.hash, message).digest())


def digest_label(name: str) -> str:
    """``SHA-256`` for ``sha256``."""
    return f"SHA-{name.removeprefix('sha')}"


# --- RSA --------------------------------------------------------------------------------------------------------------


def _verify_rsa_sha256(key: PublicKey, spki: bytes, signature: bytes, digest: bytes) -> Outcome:
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


# --- ECDSA ------------------------------------------------------------------------------------------------------------


def ecdsa_der(plain: bytes) -> bytes:
    """r and s one after the other, as cards and JWS write them, as the ECDSA-Sig-Value of X.509 and CMS (RFC 5480).

    Raises:
        DerError: not 96 bytes.
    """
    if len(plain) != 2 * P384_BYTES:
        raise der.DerError("a signature of another length")
    numbers = (int.from_bytes(plain[at : at + P384_BYTES], "big") for at in (0, P384_BYTES))
    return der.encode(der.SEQUENCE, b"".join(der.encode(der.INTEGER, _unsigned(number)) for number in numbers))


def ecdsa_plain(signature: bytes) -> bytes:
    """The inverse of :func:`ecdsa_der`.

    Raises:
        DerError: not the strict DER of two numbers from 1 to the order of the curve's base point, less one.
    """
    der.check(signature)
    fields = der.Fields(der.single(signature, der.SEQUENCE))
    numbers = der.integer(fields.next(der.INTEGER)), der.integer(fields.next(der.INTEGER))
    fields.done()
    if not all(0 < number < _P384_ORDER for number in numbers):
        raise der.DerError("a signature with impossible numbers")
    return b"".join(number.to_bytes(P384_BYTES, "big") for number in numbers)


def _verify_ecdsa_sha384(key: PublicKey, spki: bytes, signature: bytes, digest: bytes) -> Outcome:
    """ECDSA on P-384 with SHA-384, as strict DER. (r, n - s) verifies as well as (r, s): that is ECDSA's own.

    ``ENCODING`` means that r and s are right and stand one after the other, as the card gives them, without their DER.

    Args:
        digest: SHA-384 of the message, all 48 bytes: a shorter one is never filled up, a longer one never cut.
    """
    if acceptable_key(key) is not None:
        return Outcome.INVALID
    try:
        bare = len(signature) == 2 * P384_BYTES and not _is_ecdsa(signature)
        encoded = ecdsa_der(signature) if bare else signature
        ecdsa_plain(encoded)
        public = load_der_public_key(spki)
        if not isinstance(public, ec.EllipticCurvePublicKey):
            return Outcome.INVALID
        public.verify(encoded, digest, ec.ECDSA(utils.Prehashed(hashes.SHA384())))
    except (InvalidSignature, ValueError, UnsupportedAlgorithm, der.DerError):
        return Outcome.INVALID
    return Outcome.ENCODING if bare else Outcome.VALID


def _is_ecdsa(signature: bytes) -> bool:
    try:
        ecdsa_plain(signature)
    except der.DerError:
        return False
    return True


#: (kind of key, digest) -> method. A pair that does not stand here verifies nothing.
_METHODS: Mapping[tuple[str, str], Method] = {
    ("rsa", "sha256"): Method("sha256", "RSASSA-PKCS1-v1_5 SHA-256", "RS256", _verify_rsa_sha256),
    ("ec", "sha384"): Method("sha384", "ECDSA P-384 SHA-384", "ES384", _verify_ecdsa_sha384),
}


def accepted() -> tuple[str, ...]:
    """What verifies at all, by label."""
    return tuple(how.label for how in _METHODS.values())
