"""Terminals' keys and certificates: the terminal makes a pair, its owner's terminal CA certifies the public half."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from kojin_card.errors import DecodeError, InputError
from kojin_card.slots.ec import EcSigner, compressed_of_pem, is_point
from kojin_card.spec import terminal_certificate
from kojin_card.spec.manifest import rising
from kojin_card.spec.terminal_certificate import COMPRESSED_BYTES, TerminalBody, TerminalCertificate, authority_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from kojin_card.secret import Secret
    from kojin_card.slots.keyfile import OwnerKeys
    from kojin_card.spec.owner import Owner

#: a stolen terminal opens what it may until its certificate runs out: no certificate is longer than a year
MOST_DAYS = 366
_MAX_PEM_BYTES = 8192


@dataclass(frozen=True, slots=True)
class TerminalKey:
    """What a terminal holds and nothing else does: its certificate and the private key to it."""

    certificate: TerminalCertificate
    signer: EcSigner = field(repr=False)

    @classmethod
    def load(cls, certificate: bytes, private_pem: bytes, passphrase: Secret | None = None) -> TerminalKey:
        """From the certificate's octets and the private key in PEM (PKCS #8).

        Raises:
            InputError: malformed, a wrong passphrase, or a key that is not the certificate's.
        """
        operation = "take a terminal's key"
        found: TerminalCertificate | None = None
        try:
            found = terminal_certificate.decode(certificate)
        except DecodeError as bad:
            problem = bad.message
        if found is None:
            raise InputError(f"not a terminal certificate: {problem}", operation=operation)
        signer = EcSigner(_private(private_pem, passphrase, operation))
        if signer.compressed != found.body.key:
            raise InputError("the key is not the certificate's", operation=operation)
        return cls(found, signer)

    @property
    def octets(self) -> bytes:
        """The certificate as it goes to a card."""
        return terminal_certificate.encode(self.certificate.octets, self.certificate.signature)


@dataclass(frozen=True, slots=True)
class JoinedAuthority:
    """A partner's terminal CA that may read fields of a slot (共同利用).

    Attributes:
        key: P-256 point, compressed. owner: whose it is.
        fields: short identifiers that its terminals may at most read.

    Raises:
        InputError: not a point, or fields that no slot has.
    """

    key: bytes
    owner: Owner
    fields: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.key) != COMPRESSED_BYTES or not is_point(self.key):
            raise InputError("a terminal CA is a compressed point of P-256", operation="join a partner")
        if not rising(self.fields):
            raise InputError("fields are short identifiers from 1 to 24, rising", operation="join a partner")


def _private(pem: bytes, passphrase: Secret | None, operation: str) -> ec.EllipticCurvePrivateKey:
    key: object = None
    if len(pem) <= _MAX_PEM_BYTES:
        try:
            key = load_pem_private_key(pem, None if passphrase is None else passphrase.reveal())
        except Exception:  # its words and chain may hold what was read: only that it cannot be used is told
            key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InputError("not a private key of P-256 in PEM, or another passphrase", operation=operation)
    return key


def terminal_key_pair(passphrase: Secret | None) -> tuple[bytes, bytes]:
    """A new pair for a terminal: the private key (PKCS #8 in PEM, encrypted with ``passphrase``), the public key (PEM).

    The private half stays on the terminal; the public one goes to the owner's desk.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    how = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase.reveal())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def certify_terminal(
    keys: OwnerKeys,
    public_key_pem: bytes,
    *,
    name: str,
    group: str,
    fields: Sequence[int],
    issued: date,
    expiry: date,
) -> bytes:
    """A terminal certificate by the owner's terminal CA.

    Args:
        name: 1 to 8 of A-Z, 0-9 and hyphen. group: 1 to 8 of a-z, 0-9 and hyphen.
        fields: short identifiers that the terminal may read.
        issued, expiry: first and last day, a year apart at most: a stolen terminal is open that long.

    Raises:
        InputError: the public key or a value cannot be used.
    """
    operation = "certify a terminal"
    if not timedelta(0) <= expiry - issued < timedelta(days=MOST_DAYS):
        raise InputError("a terminal certificate lasts a year at most", operation=operation)
    if not terminal_certificate.is_name(name):
        raise InputError("a terminal's name has 1 to 8 of A-Z, 0-9 and hyphen", operation=operation)
    key = compressed_of_pem(public_key_pem)
    octets: bytes | None = None
    try:
        body = TerminalBody(
            authority=authority_id(keys.terminal_ca.compressed),
            name=name,
            key=key,
            group=group,
            fields=tuple(sorted(set(fields))),
            issued=issued,
            expiry=expiry,
        )
        octets = terminal_certificate.encode_body(body)
    except (DecodeError, UnicodeEncodeError) as bad:
        problem = bad.message if isinstance(bad, DecodeError) else "a name that is not ASCII"
    if octets is None:
        raise InputError(f"not a terminal certificate: {problem}", operation=operation)
    return terminal_certificate.encode(octets, keys.terminal_ca.sign(octets))
