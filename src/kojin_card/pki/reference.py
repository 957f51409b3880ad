"""What is kept of a certificate when the certificate itself is not: enough to ask for its status again (現況確認).

Nothing here names the holder, but a serial number is unique to one person: keep and log it as personal data.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from kojin_card.errors import DecodeError, InputError
from kojin_card.pki import names
from kojin_card.pki.certificate import MAX_SERIAL_BYTES

if TYPE_CHECKING:
    from kojin_card.pki.certificate import Certificate
    from kojin_card.pki.trust import TrustAnchor, TrustStore

#: the end of a certificate of which nobody knows when it ends
NO_KNOWN_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_SERIAL = re.compile(rf"[0-9A-Fa-f]{{1,{2 * MAX_SERIAL_BYTES}}}")
_ENCODED = re.compile(r"30(?:[0-9A-Fa-f]{2})+")
_OPERATION = "read a stored serial"


@dataclass(frozen=True, slots=True, repr=False)
class CertificateReference:
    """A certificate by its serial number. Whose it is, the CA's key decides: serials of different keys may be equal.

    Attributes:
        crl_scope: the name of its distribution point, as encoded; without it no list is found, only responders answer.
        not_after: its end; :data:`NO_KNOWN_END` when that was not kept (it is the holder's birthday, jpki.md §1.1).
    """

    serial: int
    crl_scope: bytes | None = None
    not_after: datetime = NO_KNOWN_END

    @classmethod
    def of(cls, certificate: Certificate) -> CertificateReference:
        """What there is to keep of a certificate."""
        return cls(certificate.serial, certificate.crl_scope, certificate.not_after)

    @property
    def ends(self) -> bool:
        """Whether its end is known."""
        return self.not_after != NO_KNOWN_END

    def __repr__(self) -> str:
        return "CertificateReference(…)"


def read_serial(text: str) -> int:
    """A serial number in hex, as verdicts write it (``certificate_serial``); blanks around it and colons are ignored.

    Raises:
        InputError: it is not; zero; longer than 20 octets.
    """
    typed = text.strip().replace(":", "")
    if not _SERIAL.fullmatch(typed):
        raise InputError("a serial number is 1 to 40 hex digits", operation=_OPERATION)
    number = int(typed, 16)
    if not 0 < number < 1 << (8 * MAX_SERIAL_BYTES - 1):
        raise InputError("an impossible serial number", operation=_OPERATION)
    return number


def read_issuer(text: str, store: TrustStore) -> TrustAnchor:
    """The CA that is meant: by its key identifier (``issuer_key_id`` of a verdict), its name in the store, or both
    name and fingerprint as verdicts write them (``anchor``). Never by its DN, which all generations share.

    Raises:
        InputError: no CA of this store.
    """
    typed = text.strip()
    for anchor in store.anchors:
        if typed.lower() == anchor.key_id.hex() or typed in (anchor.name, anchor.id):
            return anchor
    raise InputError("no CA of this trust store has that key id or name", operation=_OPERATION)


def read_scope(text: str) -> bytes | None:
    """A distribution point's name: RFC 4514 as ``names.text`` writes it, or the hex of its encoding; None for nothing.

    The text form gives the encoding that JPKI has (jpki.md §1.1): C as PrintableString and all else as UTF8String.

    Raises:
        InputError: neither.
    """
    from cryptography import x509

    typed, encoded = text.strip(), b""
    if not typed:
        return None
    with contextlib.suppress(ValueError, DecodeError):  # its words could be those of the file: nothing is repeated
        name = (
            bytes.fromhex(typed) if _ENCODED.fullmatch(typed) else x509.Name.from_rfc4514_string(typed).public_bytes()
        )
        encoded = name if names.attributes(name) else b""
    if not encoded:
        raise InputError("not the name of a distribution point", operation=_OPERATION)
    return encoded


def scope_text(scope: bytes) -> str:
    """The inverse of :func:`read_scope`."""
    return names.text(scope)


class LinkSource(Protocol):
    """Which certificate follows another one of the same person: after a renewal, and between card and smartphone.

    J-LIS and platform operators have such data for whoever may use it (対応証明書の発行の番号, 証明書新旧紐付け情報;
    jpki.md §3); how it is got is agreed with them and not public, so the caller implements this. What comes out is a
    link, not a verdict: the other certificate must be judged for itself.
    """

    def successor(self, issuer: TrustAnchor, serial: int) -> LinkedCertificate | None:
        """The certificate that now stands for that one; None when nobody says, and then: enrol again."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class LinkedCertificate:
    """A certificate that is said to be of the same person.

    Attributes:
        issuer_key_id: of the CA key that issued it.
        relation: ``renewal``, or ``device`` for card <-> smartphone.
        asserted_by, reference: who says so, and under which id.
    """

    issuer_key_id: bytes
    serial: int
    relation: str
    asserted_by: str
    reference: str

    def __repr__(self) -> str:
        return f"LinkedCertificate(relation={self.relation!r}, asserted_by={self.asserted_by!r})"


class EnrolAgain:
    """The :class:`LinkSource` of whoever has none: it never knows, so the person is confirmed anew (再登録)."""

    def successor(self, issuer: TrustAnchor, serial: int) -> LinkedCertificate | None:
        """Nobody says."""
        del issuer, serial
        return None
