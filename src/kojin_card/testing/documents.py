"""A small PDF to sign, for the demo and for other people's tests: no dependency, the same bytes always."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LINES = 45
MAX_LINE_CHARS = 90

_PAGE_WIDTH, _PAGE_HEIGHT = 595, 842  # A4 in points (1/72 inch)
_LEFT, _TOP, _LEADING, _SIZE = 56, 780, 16, 11


def blank_pdf(text_lines: Iterable[str] = ()) -> bytes:
    """One A4 page with ``text_lines`` in Helvetica: PDF 1.7 with a classic cross-reference table (ISO 32000-1 §7.5).

    Args:
        text_lines: at most 45 lines of at most 90 printable ASCII characters (the font has no others).

    Raises:
        UsageError: more, longer, or other characters.
    """
    lines = list(text_lines)
    if len(lines) > MAX_LINES or any(len(line) > MAX_LINE_CHARS for line in lines):
        raise UsageError("at most 45 lines of 90 characters fit on the page")
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise UsageError("the page's font has printable ASCII only")
    content = _page_content(lines)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
        % (_PAGE_WIDTH, _PAGE_HEIGHT),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    return _file(objects)


def _page_content(lines: list[str]) -> bytes:
    shown = [b"(%s) Tj T*" % _escaped(line) for line in lines]
    head = b"BT /F1 %d Tf %d TL %d %d Td" % (_SIZE, _LEADING, _LEFT, _TOP)
    return b"\n".join([head, *shown, b"ET"])


def _escaped(line: str) -> bytes:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode("ascii")


def _file(objects: list[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")  # the second line tells transfer programs that it is binary
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    identifier = hashlib.sha256(out).hexdigest()[:32].encode("ascii")
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R /ID [<%s> <%s>] >>\n" % (len(objects) + 1, identifier, identifier)
    out += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(out)
