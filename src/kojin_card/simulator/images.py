"""Images of the card's face without a font: digits from a small matrix, and boxes where there is no rendering.

Names and addresses of the personas that come with the package were rendered once and are committed; a text that nobody
rendered shows as a row of boxes, as on any screen without the font. 1-bit greyscale PNG throughout (card.md §2.2).
"""

from __future__ import annotations

import struct
import zlib

CELL = (6, 12)  # pixels of a digit: 12 digits are 72 by 12, four are 24 by 12 (card.md §2.2)
_BOX = 12
_LINE = 20  # boxes of a line
_DIGITS = {  # five pixels wide, seven high; one number a row
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
}


def digits_png(text: str) -> bytes:
    """``text`` (ASCII digits) as a PNG of 6 by 12 pixels a digit, black on white."""
    rows = [[False] * (CELL[0] * len(text)) for _ in range(CELL[1])]
    for place, digit in enumerate(text):
        for down, bits in enumerate(_DIGITS[digit]):
            for across in range(5):
                rows[down + 2][place * CELL[0] + across] = bool(bits >> (4 - across) & 1)
    return png(rows)


def boxes_png(text: str) -> bytes:
    """``text`` as boxes, one a character, so that at least its length shows."""
    count = max(1, len(text))
    across, down = min(count, _LINE) * _BOX, -(-count // _LINE) * _BOX
    rows = [[False] * across for _ in range(down)]
    for place, character in enumerate(text):
        if not character.isspace():
            top, left = place // _LINE * _BOX + 1, place % _LINE * _BOX + 1
            for step in range(_BOX - 2):
                for y, x in ((0, step), (_BOX - 3, step), (step, 0), (step, _BOX - 3)):
                    rows[top + y][left + x] = True
    return png(rows)


def png(rows: list[list[bool]]) -> bytes:
    """A 1-bit greyscale PNG (ISO/IEC 15948); True is black."""
    scanlines = b"".join(b"\x00" + _packed(row) for row in rows)
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(scanlines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _packed(row: list[bool]) -> bytes:
    """One row, eight pixels a byte, 1 is white; the bits past the end are 0."""
    bits = "".join("0" if black else "1" for black in row)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
