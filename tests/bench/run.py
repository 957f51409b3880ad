"""Benchmarks: ratios against a reference of the same run, because seconds are the machine's. `make bench`.

Nothing here is asserted, and none of it runs in the test suite.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from kojin_card.card import Card
from kojin_card.pki.profile import Purpose
from kojin_card.signing import sign_cms, sign_pdf
from kojin_card.simulator import SoftCard, make_card
from kojin_card.simulator.testpki import TestPki
from kojin_card.testing.documents import blank_pdf
from kojin_card.verification import Verifier

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
BIN = Path(sys.executable).parent


def wall(*command: str, times: int = 15) -> float:
    """Median wall time of a process, in milliseconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken)


def rate(call: Callable[[], object], *, seconds: float = 1.5) -> float:
    """Calls a second, after one call that is not counted."""
    call()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        call()
        count += 1
    return count / (time.perf_counter() - start)


def row(name: str, value: str, ratio: str) -> None:
    sys.stdout.write(f"{name:<58}{value:>14}   {ratio}\n")


def start_up() -> None:
    python, program = sys.executable, str(BIN / "kojin-card")
    click = wall(python, "-c", "import click")
    row("python -c 'import click' (reference)", f"{click:.0f} ms", "1.00")
    for name, command in {
        "python -c 'import kojin_card'": (python, "-c", "import kojin_card"),
        "python -c 'import kojin_card.verification'": (python, "-c", "import kojin_card.verification"),
        "kojin-card --version": (program, "--version"),
        "kojin-card --help": (program, "--help"),
    }.items():
        taken = wall(*command)
        row(name, f"{taken:.0f} ms", f"{taken / click:.2f} of import click")


def card() -> None:
    state = make_card("adult", now=NOW)
    sent: dict[str, int] = {}
    jobs: dict[str, Callable[[Card], object]] = {
        "read four items": lambda it: it.input_support.read_basic_four("5678"),
        "read four items, without a look at the tries": lambda it: it.input_support.read_basic_four("5678", look=False),
        "signature certificate and one signature": lambda it: it.jpki.signer("ABC123").sign_digest_info(b"0" * 51),
    }
    for name, job in jobs.items():
        with Card(SoftCard.in_memory(state), ours=True) as one:
            job(one)
            sent[name] = one.channel.link.sent
        row(name, f"{sent[name]} APDUs", "")
    with tempfile.TemporaryDirectory() as folder, SoftCard.create(Path(folder) / "card.json", state) as file:
        select, verify = bytes.fromhex("00A4040C0AD392F000260100000001"), bytes.fromhex("002000980431323334")
        file.transmit(select)
        reference = rate(lambda: file.transmit(select))
        row("SELECT, card file (reference)", f"{reference:.0f}/s", "1.00")
        written = rate(lambda: file.transmit(verify))
        row("VERIFY, card file (two synced writes each)", f"{written:.0f}/s", f"{written / reference:.4f} of SELECT")


def judging() -> None:
    pki = TestPki.load()
    with Card(SoftCard.in_memory(make_card("adult", now=NOW, pki=pki)), ours=True) as one:
        signer = one.jpki.signer("ABC123")
        content = b"contract" * 100
        cms = sign_cms(signer, content, detached=True)
        pdf = sign_pdf(signer, blank_pdf(["bench"]), now=NOW)
        leaf = signer.certificate
    key = x509.load_der_x509_certificate(leaf).public_key()
    ca = x509.load_der_x509_certificate(pki.ca(Purpose.SIGNATURE, NOW).certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert isinstance(ca, rsa.RSAPublicKey)
    parsed = x509.load_der_x509_certificate(leaf)

    def two_verifications() -> None:
        for _ in range(2):
            ca.verify(parsed.signature, parsed.tbs_certificate_bytes, padding.PKCS1v15(), hashes.SHA256())

    limit = rate(two_verifications)
    row("two RSA-2048 verifications (reference)", f"{limit:.0f}/s", "1.00")
    verifier = Verifier.for_store("simulator", now=lambda: NOW)
    for name, call in {
        "verify_cms, detached, no revocation source": lambda: verifier.verify_cms(cms, content),
        "verify_pdf, one page, no revocation source": lambda: verifier.verify_pdf(pdf),
    }.items():
        done = rate(call)
        row(name, f"{done:.0f}/s", f"{done / limit:.4f} of the reference")


if __name__ == "__main__":
    for part in (start_up, card, judging):
        part()
