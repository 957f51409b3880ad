"""A card as a signer: a certificate and a function, so that signing needs no card, no reader and no PIN of its own.

The card computes RSASSA-PKCS1-v1_5 over the bytes it is given (card.md §4.4), or ECDSA over a hash where its key is on
P-384 (the next card); everything else happens here. What it answers is checked with the certificate's key before
anybody sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from kojin_card.errors import DecodeError, InputError, SignatureMismatch, UsageError
from kojin_card.pki.profile import Purpose, load_profiles
from kojin_card.signing.algorithms import SignatureScheme, scheme_for

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

#: The longest certificate that is read here; JPKI's have about 1.8 kB (jpki.md §1.2).
MAX_CERTIFICATE_BYTES = 16_384

#: The most content that is signed in one piece: it is held in memory, in CMS and PDF more than once.
MAX_CONTENT_BYTES = 256 * 1024 * 1024


class Signer(Protocol):
    """What signs: a card behind its PIN, or a stand-in for tests.

    ``card.jpki.signer(...)`` gives one; :class:`CallableSigner` makes one from a function.
    """

    @property
    def certificate(self) -> bytes:
        """The certificate of the key, DER."""
        ...

    @property
    def issuer_certificate(self) -> bytes | None:
        """The CA's certificate, DER, when the signer has it (the card carries one). Nobody trusts it for that.

        It may have to be read from the card, so it is asked for only when it goes into a signature.
        """
        ...

    def sign_digest_info(self, digest_info: bytes) -> bytes:
        """The signature over what the key's :class:`~kojin_card.signing.algorithms.SignatureScheme` frames.

        Args:
            digest_info: for RSA-2048 the DigestInfo (51 bytes for SHA-256); for a key on P-384 the bare SHA-384, 48
                bytes, for ECDSA has no DigestInfo.

        Returns:
            The signature as X.509 and CMS carry it: 256 bytes for RSA-2048; for P-384 the DER of ECDSA-Sig-Value, 104
            bytes or a few less, also where the card itself answers r and s without it.

        Raises:
            KojinError: whatever the card or the connection says.
        """
        ...


@dataclass(frozen=True, slots=True)
class CallableSigner:
    """A :class:`Signer` around a function.

    Attributes:
        certificate: DER.
        sign: DigestInfo (or bare hash) -> signature, as :meth:`Signer.sign_digest_info`.
        issuer_certificate: DER, or None.
    """

    certificate: bytes = field(repr=False)
    sign: Callable[[bytes], bytes] = field(repr=False)
    issuer_certificate: bytes | None = field(default=None, repr=False)

    def sign_digest_info(self, digest_info: bytes) -> bytes:
        """See :class:`Signer`."""
        return self.sign(digest_info)


@dataclass(frozen=True, slots=True)
class Identity:
    """A signer's certificate, read once: what all formats need of it.

    Attributes:
        certificate: DER, as the signer gave it.
        parsed: the certificate.
        key: its public key.
        scheme: the row of the algorithm table for that key.
    """

    certificate: bytes = field(repr=False)
    parsed: x509.Certificate = field(repr=False)
    key: CertificatePublicKeyTypes = field(repr=False)
    scheme: SignatureScheme

    @classmethod
    def of(cls, signer: Signer) -> Identity:
        """Read the signer's certificate; the card is not asked for anything.

        Raises:
            DecodeError: the certificate is malformed.
            InputError: its key is of a kind that cannot be signed with here.
        """
        parsed = _load(signer.certificate, "the signer's certificate")
        try:
            key = parsed.public_key()
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise DecodeError("the signer's certificate holds no usable key", operation="sign") from None
        return cls(signer.certificate, parsed, key, scheme_for(key))

    def issuer_of(self, signer: Signer) -> bytes:
        """The CA's certificate that the signer has, told by its key: generations share a name (jpki.md A-03).

        Raises:
            UsageError: the signer has none.
            DecodeError: it is malformed.
            SignatureMismatch: it did not issue the signer's.
        """
        issuer = signer.issuer_certificate
        if issuer is None:
            raise UsageError("the signer has no issuer's certificate to include")
        try:
            self.parsed.verify_directly_issued_by(_load(issuer, "the issuer's certificate"))
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            raise SignatureMismatch("the issuer's certificate did not issue the signer's", operation="sign") from None
        return issuer

    def require_document_key(self) -> None:
        """Refuse a certificate that says it is not for signing documents (利用者証明用電子証明書).

        A key usage that is there must have all bits of the signature profile (jpki.md §1.2); one that is absent is for
        the verifier to judge.

        Raises:
            UsageError: the certificate is for something else.
        """
        try:
            usage = self.parsed.extensions.get_extension_for_class(x509.KeyUsage).value
        except x509.ExtensionNotFound:
            return
        except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            raise DecodeError("the signer's certificate has malformed extensions", operation="sign") from None
        needed = {bit for profile in load_profiles().of(Purpose.SIGNATURE) for bit in profile.key_usage}
        if not all(getattr(usage, bit) for bit in needed):
            raise UsageError("documents are signed with 署名用電子証明書; this certificate is for another purpose")


def _load(der: bytes, what: str) -> x509.Certificate:
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise DecodeError(f"{what} is too long", operation="sign")
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, TypeError):
        raise DecodeError(f"{what} is malformed", operation="sign") from None


def sign_message(signer: Signer, message: bytes, *, identity: Identity | None = None) -> bytes:
    """Have ``message`` signed: hash it here, let the card sign the hash, check the answer. One card signature.

    Args:
        identity: the signer's certificate when it was read already.

    Returns:
        The bare signature: 256 bytes RSASSA-PKCS1-v1_5 for RSA-2048, the DER of ECDSA-Sig-Value for P-384.

    Raises:
        SignatureMismatch: the answer does not verify with the certificate's key; it is not handed out.
        DecodeError, InputError: see :meth:`Identity.of`.
        KojinError: whatever the signer raises.
    """
    who = Identity.of(signer) if identity is None else identity
    scheme = who.scheme
    signature = bytes(signer.sign_digest_info(scheme.frame(scheme.digest(message))))
    if not scheme.verify(who.key, signature, message):
        raise SignatureMismatch("the answer does not verify with the certificate's key", operation="sign")
    return signature


def require_content(content: bytes, limit: int = MAX_CONTENT_BYTES) -> None:
    """Refuse content that is too large.

    Raises:
        InputError: more than ``limit`` bytes.
    """
    if len(content) > limit:
        raise InputError("too large to be signed", limit_bytes=limit)
