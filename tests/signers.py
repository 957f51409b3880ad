"""What the tests of signing share: signers that need no card, DER read by hand, foreign programs, PDF revisions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from issued import NOW, issue
from kojin_card.pki.profile import Purpose
from kojin_card.simulator.testpki import TestPki

#: Seconds a foreign program may take.
PATIENCE = 60


@cache
def test_pki() -> TestPki:
    """The declared test PKI (read once: it is frozen data)."""
    return TestPki.load()


test_pki.__test__ = False  # type: ignore[attr-defined]


@dataclass
class CountingSigner:
    """A card's key without the card; counts how often it was asked and keeps what it was asked to sign."""

    certificate: bytes
    private: rsa.RSAPrivateNumbers | None
    issuer_certificate: bytes | None = None
    asked: list[bytes] = field(default_factory=list)

    def sign_digest_info(self, digest_info: bytes) -> bytes:
        """PKCS#1 type 1 padding and the RSA power, written out: what the chip does (card.md §4.4)."""
        self.asked.append(digest_info)
        assert self.private is not None
        padded = b"\x00\x01" + b"\xff" * (256 - 3 - len(digest_info)) + b"\x00" + digest_info
        message, key = int.from_bytes(padded, "big"), self.private
        one, two = pow(message, key.dmp1, key.p), pow(message, key.dmq1, key.q)
        return (two + (one - two) * key.iqmp % key.p * key.q).to_bytes(256, "big")


def make_signer(
    purpose: Purpose = Purpose.SIGNATURE, *, with_issuer: bool = True, at: datetime = NOW, generation: int | None = None
) -> CountingSigner:
    """The invented person's key of that purpose, with a certificate of the test PKI."""
    signer = replace(_signer(purpose, at, generation), asked=[])
    return signer if with_issuer else replace(signer, issuer_certificate=None)


@cache
def _signer(purpose: Purpose, at: datetime, generation: int | None) -> CountingSigner:
    pki = test_pki()
    numbers = pki.pool.for_persona("hanako", str(purpose)).private_numbers()
    ca = pki.ca(purpose, at) if generation is None else pki.ca_of(purpose, generation)
    certificate = issue(pki, purpose, at=at, generation=generation)
    return CountingSigner(certificate, numbers, ca.certificate)


# --- DER, read by hand ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Der:
    """One DER object: tag, value, and the whole of it."""

    tag: int
    value: bytes
    whole: bytes

    @property
    def children(self) -> list[Der]:
        """What a constructed object holds."""
        return list(read_der(self.value))

    def __getitem__(self, index: int) -> Der:
        return self.children[index]


def read_der(data: bytes) -> Iterator[Der]:
    """Every object in ``data``, one after the other; anything but minimal definite lengths is an AssertionError."""
    at = 0
    while at < len(data):
        start, tag, size = at, data[at], data[at + 1]
        at += 2
        if size >= 0x80:
            count = size & 0x7F
            assert 0 < count <= 4, "indefinite or absurd length"
            size = int.from_bytes(data[at : at + count], "big")
            assert size >= 0x80, "length not minimal"
            assert data[at] != 0, "length not minimal"
            at += count
        assert at + size <= len(data), "beyond the end"
        yield Der(tag, data[at : at + size], data[start : at + size])
        at += size


def one_der(data: bytes) -> Der:
    """The only object in ``data``."""
    (only,) = read_der(data)
    return only


# --- foreign programs -------------------------------------------------------------------------------------------------


def run(
    program: str, *arguments: str | Path, cwd: Path | None = None, home: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a foreign program with a time limit; skips, loudly, only where it is not installed."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"FOREIGN JUDGE ABSENT: {program} is not installed, what we sign was not checked by it")
    environment = {**os.environ, "LC_ALL": "C", **({} if home is None else {"HOME": str(home)})}
    return subprocess.run(
        [found, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=cwd,
        env=environment,
    )


# --- PDF, written by hand ---------------------------------------------------------------------------------------------


def catalogue(extra: bytes) -> bytes:
    """The catalogue of ``blank_pdf`` with something more in it."""
    return b"<< /Type /Catalog /Pages 2 0 R %s >>" % extra


@dataclass(frozen=True, slots=True)
class SignatureInPdf:
    """One signature as it stands in the file, found with a regular expression and nothing else."""

    byte_range: tuple[int, int, int, int]
    contents: bytes
    dictionary: bytes

    @property
    def cms(self) -> bytes:
        """The CMS without the filler after it."""
        return next(read_der(self.contents)).whole


def signatures_in(pdf: bytes) -> list[SignatureInPdf]:
    """Every signature dictionary, in the order of the file."""
    found = []
    for match in re.finditer(
        rb"<<\n/Contents <([0-9A-F]+)>\n/ByteRange \[(\d+) (\d+) (\d+) (\d+)\] *\n(.*?)>>\nendobj", pdf, re.S
    ):
        a, b, c, d = (int(match[group]) for group in range(2, 6))
        found.append(SignatureInPdf((a, b, c, d), bytes.fromhex(match[1].decode()), match[6]))
    return found


def utc(year: int, month: int = 1, day: int = 1) -> datetime:
    """Midnight UTC of a day."""
    return datetime(year, month, day, tzinfo=UTC)
