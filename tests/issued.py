"""What the tests of the test PKI share: an invented person, her certificates, a DER writer of their own."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from kojin_card.pki.profile import Purpose
from kojin_card.simulator import make_card
from kojin_card.simulator.testpki import CertifiedPerson

if TYPE_CHECKING:
    from pathlib import Path

    from kojin_card.simulator.testpki import TestPki

NOW = datetime(2026, 11, 24, 3, 4, 5, tzinfo=UTC)
SERIALS = {Purpose.SIGNATURE: 0x01500001, Purpose.AUTHENTICATION: 0x01500002}
HANAKO = CertifiedPerson("試験　花子", "東京都清瀬市架空町１－２－３", date(1985, 6, 15), "2", "00010", "0" * 14)


def issue(
    pki: TestPki,
    purpose: Purpose,
    *,
    person: CertifiedPerson = HANAKO,
    at: datetime = NOW,
    municipality: str = "13221",
    generation: int | None = None,
) -> bytes:
    """A certificate of that purpose for an invented person."""
    key = pki.pool.for_persona("hanako", str(purpose)).public_key()
    serial = SERIALS[purpose]
    return pki.issue(
        purpose, person, key, issued_at=at, serial=serial, municipality=municipality, generation=generation
    )


def der(tag: int, *parts: bytes) -> bytes:
    """One DER object, written here so that nothing under test writes what it is compared with."""
    value = b"".join(parts)
    if len(value) < 0x80:
        return bytes((tag, len(value))) + value
    size = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + value


def rdn(oid: str, text: str, tag: int = 0x0C) -> bytes:
    """One RDN: SET of SEQUENCE of a 2.5.4.x type (its last arc as hex) and a string."""
    return der(0x31, der(0x30, bytes.fromhex("06035504" + oid), der(tag, text.encode())))


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the ``openssl`` program (skips where there is none)."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)


def licence_files(persona: str = "licence_holder") -> tuple[bytes, bytes]:
    """Record and signature record of a persona's driving licence, as its card holds them."""
    licence = make_card(persona, now=NOW).applications["licence"].files
    record, signature = licence["licence_information"].octets, licence["signature"].octets
    assert record is not None
    assert signature is not None
    return record, signature
