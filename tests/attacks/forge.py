"""What attacks need besides ``kojin_card.testing.forge``: edits byte by byte, and lists put anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from kojin_card.pki.crl_store import CrlFolder
from kojin_card.pki.profile import Purpose
from kojin_card.testing.forge import (
    AUTH_SERIAL,
    CITY,
    DIGEST_INFO,
    HEX_ROOM,
    ISSUED,
    NOW,
    OIDS,
    OTHER_CITY,
    PERSON,
    SERIAL,
    Cms,
    Good,
    Pdf,
    algorithm,
    attribute,
    attributes,
    certificate,
    changed,
    crl,
    integer,
    key,
    oid,
    padded,
    pdf_cms,
    pki,
    revision,
    rsa_sign,
    sign,
    signing_certificate_v2,
    tlv,
    verifier,
)
from kojin_card.verdict import Verdict

__all__ = [
    "AUTH_SERIAL",
    "CITY",
    "DIGEST_INFO",
    "HEX_ROOM",
    "ISSUED",
    "NOW",
    "OIDS",
    "OTHER_CITY",
    "PERSON",
    "SERIAL",
    "Cms",
    "Good",
    "Pdf",
    "algorithm",
    "as_ber",
    "attribute",
    "attributes",
    "certificate",
    "changed",
    "crl",
    "edit_extensions",
    "elements",
    "extension",
    "folder",
    "inside",
    "integer",
    "key",
    "oid",
    "padded",
    "pdf_cms",
    "pki",
    "reforged",
    "revision",
    "rsa_ca",
    "rsa_sign",
    "sign",
    "signing_certificate_v2",
    "tlv",
    "verifier",
]


@dataclass(frozen=True)
class Attack:
    """One row of a table of attacks: the entry of the catalogue, what it is, and the reason that it must get."""

    entry: str
    what: str
    judge: Callable[[], Verdict]
    reason: str

    def __str__(self) -> str:
        return f"{self.entry} {self.what}"


def rsa_ca(purpose: Purpose = Purpose.SIGNATURE, generation: int = 2) -> rsa.RSAPrivateKey:
    """The key of one of today's CAs."""
    found = pki().ca_of(purpose, generation).key
    assert isinstance(found, rsa.RSAPrivateKey)
    return found


def folder(path: Path, *lists: bytes) -> CrlFolder:
    """A folder of lists, put there without any check."""
    for number, data in enumerate(lists):
        (path / f"{number}.crl").write_bytes(data)
    return CrlFolder(path)


def as_ber(der: bytes, *, chunk: int = 7) -> bytes:
    """The same message with indefinite lengths throughout and OCTET STRINGs in pieces, as some writers send it.

    Certificates and signed attributes stay DER, as they do in the wild.
    """

    def walk(data: bytes, depth: int) -> bytes:
        out, at = b"", 0
        while at < len(data):
            tag, first = data[at], data[at + 1]
            start = at + 2 + (first & 0x7F if first & 0x80 else 0)
            length = int.from_bytes(data[at + 2 : start], "big") if first & 0x80 else first
            value, raw = data[start : start + length], data[at : start + length]
            at = start + length
            if tag == 0x04 and depth == 5:  # eContent: the one string that writers send in pieces
                pieces = b"".join(tlv(0x04, value[i : i + chunk]) for i in range(0, len(value), chunk))
                out += b"\x24\x80" + pieces + b"\x00\x00"
            elif tag & 0x20 and depth < 5 and not (tag == 0xA0 and depth == 3 and value[:1] == b"\x30"):
                out += bytes((tag, 0x80)) + walk(value, depth + 1) + b"\x00\x00"
            else:
                out += raw
        return out

    return walk(der, 0)


# --- certificates and lists, byte by byte -----------------------------------------------------------------------------


def elements(value: bytes) -> list[bytes]:
    """The DER elements that ``value`` is a row of, each whole."""
    out, at = [], 0
    while at < len(value):
        first = value[at + 1]
        start = at + 2 + (first & 0x7F if first & 0x80 else 0)
        length = int.from_bytes(value[at + 2 : start], "big") if first & 0x80 else first
        out.append(value[at : start + length])
        at = start + length
    return out


def inside(element: bytes) -> bytes:
    """The contents of one element."""
    first = element[1]
    return element[2 + (first & 0x7F if first & 0x80 else 0) :]


def reforged(
    der: bytes,
    edit: Callable[[list[bytes]], list[bytes]],
    *,
    private: rsa.RSAPrivateKey | None = None,
    outer_algorithm: bytes | None = None,
    signature: Callable[[rsa.RSAPrivateKey, bytes], bytes] = sign,
) -> bytes:
    """A certificate or list whose TBS fields were edited, signed again by the newest signature CA (or ``private``)."""
    tbs, outer, _ = elements(inside(der))
    changed_tbs = tlv(0x30, *edit(elements(inside(tbs))))
    value = signature(private or rsa_ca(), changed_tbs)
    return tlv(0x30, changed_tbs, outer_algorithm or outer, tlv(0x03, b"\x00" + value))


def edit_extensions(edit: Callable[[list[bytes]], list[bytes]]) -> Callable[[list[bytes]], list[bytes]]:
    """An edit of the TBS that changes the list of extensions (the last field, explicit)."""

    def apply(fields: list[bytes]) -> list[bytes]:
        last = fields[-1]
        items = elements(inside(inside(last)))
        return [*fields[:-1], tlv(last[0], tlv(0x30, *edit(items)))]

    return apply


def extension(name: str, value: bytes, *, critical: bytes = b"") -> bytes:
    """One extension; ``critical`` is the encoded BOOLEAN, or nothing."""
    return tlv(0x30, oid(name), critical, tlv(0x04, value))
