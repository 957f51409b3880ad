"""Which algorithms go with which key: the one table that signing follows.

A row says everything that the rest of this room needs, so the next card's key (ECDSA P-384, SHA-384: jpki.md §5) is
another row with its own ``frame`` and ``verify``, not another road through the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from kojin_card.errors import DecodeError, InputError
from kojin_card.pki.algorithms import SHA256_DIGEST_INFO, ecdsa_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """How one kind of key signs.

    Attributes:
        id: name of the row.
        hash: name of the hash, as hashlib, asn1crypto and pyhanko all spell it.
        signature_algorithm: asn1crypto's name of the ``signatureAlgorithm`` in CMS.
        signature_size: bytes of a signature, or the most there can be where it varies.
        new_hash: the hash as ``cryptography`` wants it.
        frame: digest -> what goes to the card, or to whatever signs.
        verify: (public key, signature, message) -> whether the signature is right.
    """

    id: str
    hash: str
    signature_algorithm: str
    signature_size: int
    new_hash: Callable[[], hashes.HashAlgorithm]
    frame: Callable[[bytes], bytes]
    verify: Callable[[CertificatePublicKeyTypes, bytes, bytes], bool]

    def digest(self, *parts: bytes) -> bytes:
        """The hash over ``parts``, as if they were joined."""
        state = hashes.Hash(self.new_hash())
        for part in parts:
            state.update(part)
        return state.finalize()


def _frame_sha256(digest: bytes) -> bytes:
    return SHA256_DIGEST_INFO + digest


def _verify_rsa_sha256(key: CertificatePublicKeyTypes, signature: bytes, message: bytes) -> bool:
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


_RSA_2048_SHA256 = SignatureScheme(
    id="rsa-2048-sha256",
    hash="sha256",
    signature_algorithm="sha256_rsa",
    signature_size=256,
    new_hash=hashes.SHA256,
    frame=_frame_sha256,
    verify=_verify_rsa_sha256,
)


def _frame_bare(digest: bytes) -> bytes:
    return digest


def _verify_ecdsa_sha384(key: CertificatePublicKeyTypes, signature: bytes, message: bytes) -> bool:
    """Only strict DER: a signature that our own verifier would refuse is not handed out."""
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        ecdsa_plain(signature)
        key.verify(signature, message, ec.ECDSA(hashes.SHA384()))
    except (InvalidSignature, DecodeError):
        return False
    return True


_P384_SHA384 = SignatureScheme(
    id="p384-sha384",
    hash="sha384",
    signature_algorithm="sha384_ecdsa",
    signature_size=104,  # SEQUENCE of two INTEGERs of at most 49 bytes
    new_hash=hashes.SHA384,
    frame=_frame_bare,
    verify=_verify_ecdsa_sha384,
)

#: (kind of key or name of its curve, bits) -> scheme.
SCHEMES = {("rsa", 2048): _RSA_2048_SHA256, ("secp384r1", 384): _P384_SHA384}


def scheme_for(key: CertificatePublicKeyTypes) -> SignatureScheme:
    """The scheme of a certificate's key.

    Raises:
        InputError: the table has no row for such a key.
    """
    kind = "rsa" if isinstance(key, rsa.RSAPublicKey) else type(key).__name__
    if isinstance(key, ec.EllipticCurvePublicKey):
        kind = key.curve.name
    bits = getattr(key, "key_size", 0)
    try:
        return SCHEMES[kind, bits]
    except KeyError:
        raise InputError("no signature scheme is known for the certificate's key", kind=kind, bits=bits) from None
