"""JPEG 2000 that makes a decoder take gigabytes or minutes: it is ended, and the command goes on.

Codestreams as ISO/IEC 15444-1 annex A writes them: SIZ the size, COD layers, levels and precincts, one SOT a tile.
"""

from __future__ import annotations

import struct
import subprocess
import sys

import pytest

from kojin_card.cli import photo_worker, pictures
from kojin_card.errors import DecodeError
from support import ROOT

LEVELS = 5


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def jp2(size: int, tile: int, *, layers: int, precinct: int, components: int, data: bytes) -> bytes:
    """A JP2 file of ``size`` by ``size`` in tiles, each with ``data`` in it."""
    siz = struct.pack(">HIIIIIIIIH", 0, size, size, 0, 0, tile, tile, 0, 0, components)
    siz += bytes((7, 1, 1)) * components
    precincts = bytes((precinct,)) * (LEVELS + 1)
    cod = struct.pack(">HBBHBBBBBB", 12 + len(precincts), 1, 0, layers, 0, LEVELS, 4, 4, 0, 1) + precincts
    qcd = struct.pack(">HB", 4 + 3 * LEVELS, 0x40) + bytes((0x48,)) * (1 + 3 * LEVELS)
    tiles = (-(-size // tile)) ** 2
    parts = b"".join(
        b"\xff\x90" + struct.pack(">HHIBB", 10, number, 14 + len(data), 0, 1) + b"\xff\x93" + data
        for number in range(tiles)
    )
    stream = b"\xff\x4f\xff\x51" + struct.pack(">H", len(siz) + 2) + siz
    stream += b"\xff\x52" + cod + b"\xff\x5c" + qcd + parts + b"\xff\xd9"
    head = struct.pack(">IIHBBBB", size, size, components, 7, 7, 0, 0)
    colour = struct.pack(">BBBI", 1, 0, 0, 16)
    return (
        box(b"jP  ", b"\r\n\x87\n")
        + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + box(b"jp2h", box(b"ihdr", head) + box(b"colr", colour))
        + box(b"jp2c", stream)
    )


BOMBS = {
    "precincts of two by two pixels: 194 bytes were 5.9 GB": jp2(
        1900, 1900, layers=1, precinct=0x11, components=3, data=b"\0"
    ),
    "65 535 layers in 64 tiles: 1 587 bytes were 305 seconds": jp2(
        1900, 250, layers=65535, precinct=0x55, components=3, data=bytes(8)
    ),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", BOMBS)
def test_a_photo_that_takes_too_much_is_refused(name: str) -> None:
    with pytest.raises(DecodeError):
        pictures.as_png(BOMBS[name], "JPEG2000")


def test_the_limits_are_on_before_a_byte_is_decoded() -> None:
    """Whatever the decoder does, the process has half a gigabyte and seconds."""
    assert photo_worker.MEMORY_BYTES <= 1 << 29
    code = "import resource\nfrom kojin_card.cli import photo_worker as w\nw._limit()\n"
    code += "print(*(resource.getrlimit(getattr(resource, f'RLIMIT_{n}'))[0] for n in ('AS', 'CPU', 'CORE', 'FSIZE')))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [str(photo_worker.MEMORY_BYTES), str(photo_worker.CPU_SECONDS), "0", "0"]


def test_the_photos_of_the_personas_are_well_within_the_limits() -> None:
    for photo in (ROOT / "fixtures" / "personas" / "images").glob("*.jp2"):
        assert pictures.as_png(photo.read_bytes(), "JPEG2000").startswith(b"\x89PNG")
