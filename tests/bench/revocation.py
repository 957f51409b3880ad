"""Benchmark of the revocation index: a list of a million entries against a dict and a library's list. `make bench`.

Nothing here is asserted, and none of it runs in the test suite. Each reader is a process of its own, so that what it
keeps in memory (anonymous pages; what is mapped from a file the system may drop at any time) can be told.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from kojin_card.pki import der
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.crl_index import CrlIndex
from kojin_card.pki.crl_store import CrlFolder, add_crl
from kojin_card.pki.revocation import Crl
from kojin_card.pki.trust import TrustStore
from kojin_card.testing import forge

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = forge.NOW
FIRST = 0x01500002  # the leaf that is asked about is not on the list
SIZES = (1_000, 1_000_000)


def large(count: int) -> bytes:
    """A signed list of that many entries, every other serial number."""
    extension = bytes.fromhex("300c300a0603551d1504030a0103")
    when = der.encode(der.UTC_TIME, b"260901000000Z")
    lines = bytearray()
    for number in range(count):
        serial = der.encode(der.INTEGER, (FIRST + 2 * number).to_bytes(4, "big"))
        lines += der.encode(der.SEQUENCE, serial + when + (extension if number % 2 else b""))
    plain = forge.crl(at=NOW - timedelta(hours=2))
    outer = der.children(der.single(plain))
    fields = [one.raw for one in der.children(outer[0])]
    tbs = der.encode(der.SEQUENCE, b"".join([*fields[:5], der.encode(der.SEQUENCE, bytes(lines)), fields[-1]]))
    key = forge.pki().ca_of(next(iter(TrustStore.load("simulator").anchors)).purpose, 2).key
    signature = der.encode(der.BIT_STRING, b"\x00" + forge.sign(key, tbs))  # type: ignore[arg-type]  # an RSA key
    return der.encode(der.SEQUENCE, tbs + outer[1].raw + signature)


def anonymous() -> int:
    """Anonymous memory of this process, in KiB."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def per_second(call: Callable[[int], object], count: int, *, seconds: float = 2.0) -> float:
    """Look-ups a second at random places; half of them find something."""
    chance = random.Random(1)  # noqa: S311 - the same places in every run
    serials = [FIRST + chance.randrange(2 * count) for _ in range(1000)]
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        some = serials[done % 1000 :][:50]  # few enough for the slowest to end soon
        for serial in some:
            call(serial)
        done += len(some)
    return done / (time.perf_counter() - start)


def look_up(kind: str, folder: Path, count: int) -> None:
    """In a process of its own: open, look up, tell rate, time to open and memory."""
    (file,) = folder.glob("lists/*.crl")
    data = b"" if kind == "index" else file.read_bytes()
    before, start = anonymous(), time.perf_counter()
    if kind == "index":
        index, _ = CrlIndex.open(next(iter(folder.glob("index/*.idx"))))
        call: Callable[[int], object] = index.find
    elif kind == "dict":
        call = Crl.parse(data).entries().get
    elif kind == "cryptography":
        from cryptography import x509

        call = x509.load_der_x509_crl(data).get_revoked_certificate_by_serial_number
    else:
        source, store = CrlFolder(folder), TrustStore.load("simulator")
        leaf = Certificate.parse(forge.certificate())
        anchor = next(one for one in store.anchors if one.name == "sim-signca02")

        def call(_: int) -> object:
            return source.status(leaf, anchor, NOW, now=NOW)

    call(FIRST)
    opened = time.perf_counter() - start
    rate = per_second(call, count)
    sys.stdout.write(f"{rate} {opened} {anonymous() - before}")


def row(*cells: str) -> None:
    sys.stdout.write(f"{cells[0]:<44}{cells[1]:>14}{cells[2]:>12}{cells[3]:>14}   {cells[4]}\n")


def main() -> None:
    row("entries, and who looks up", "look-ups/s", "open, ms", "anon. KiB", "rate against the dict")
    for count in SIZES:
        data = large(count)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            start = time.perf_counter()
            parsed = Crl.parse(data)
            parsed.entries()
            reference = time.perf_counter() - start
            start = time.perf_counter()
            add_crl(folder, data, TrustStore.load("simulator"), now=NOW)
            added = time.perf_counter() - start
            size = next(iter(folder.glob("index/*.idx"))).stat().st_size
            found: dict[str, list[float]] = {}
            for kind in ("dict", "cryptography", "index", "CrlFolder.status"):
                words = (sys.executable, __file__, kind, name, str(count))
                told = subprocess.run(words, check=True, capture_output=True, text=True, timeout=600).stdout
                found[kind] = [float(value) for value in told.split()]
            for kind, (rate, opened, memory) in found.items():
                ratio = f"{rate / found['dict'][0]:.3f}"
                row(f"{count:>9} {kind}", f"{rate:.0f}", f"{1000 * opened:.1f}", f"{memory:.0f}", ratio)
            ratio = f"{added / reference:.2f} of reading it into a dict"
            row(f"{count:>9} add_crl", f"{added:.2f} s", "", f"{size // 1024} on disk", ratio)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        look_up(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
