"""Terminals' keys and certificates: the terminal makes a pair, its owner's terminal CA certifies the public half."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from kojin_card.secret import Secret
    from kojin_card.slots.ec import EcSigner
    from kojin_card.slots.keyfile import OwnerKeys
    from kojin_card.spec.owner import Owner
    from kojin_card.spec.terminal_certificate import TerminalCertificate


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
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class JoinedAuthority:
    """A partner's terminal CA that may read fields of a slot (共同利用).

    Attributes:
        key: P-256 point, compressed. owner: whose it is.
        fields: short identifiers that its terminals may at most read.
    """

    key: bytes
    owner: Owner
    fields: tuple[int, ...]


def terminal_key_pair(passphrase: Secret | None) -> tuple[bytes, bytes]:
    """A new pair for a terminal: the private key (PKCS #8 in PEM, encrypted with ``passphrase``), the public key (PEM).

    The private half stays on the terminal; the public one goes to the owner's desk.
    """
    raise NotImplementedError


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
    raise NotImplementedError
