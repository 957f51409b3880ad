"""Images from a card, decoded and drawn with Pillow (the ``images`` extra): the only place that does.

What a card gives is hostile: only PNG and JPEG 2000 are looked at, the size in the header is bounded before a pixel is
decoded, JPEG 2000 is decoded in a process of its own under limits, and whatever goes wrong is one typed error. What
leaves here was encoded here.
"""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from kojin_card.cli import photo_worker
from kojin_card.cli.photo_worker import MAX_PIXELS
from kojin_card.cli.render import escape
from kojin_card.errors import DecodeError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

Format = Literal["PNG", "JPEG2000"]

_DECODING_SECONDS = 15
_SOC_SIZ = b"\xff\x4f\xff\x51"
_FIELDS = ((8, 4), (12, 4), (40, 2))  # Xsiz, Ysiz, Csiz behind it
_OPERATION = "decode an image"
_MARGIN, _GAP, _LABEL, _LETTERS, _LEGIBLE, _LINE = 24, 16, 20, 14, 24, 480


def available() -> bool:
    """Whether the extra is installed."""
    return find_spec("PIL") is not None


def need() -> None:
    """Refuse before any work is done.

    Raises:
        MissingExtra: Pillow is not installed.
    """
    if not available():
        raise MissingExtra("pictures need Pillow", operation=_OPERATION, extra="images")


def as_png(data: bytes, form: Format) -> bytes:
    """The image, decoded and encoded anew as greyscale PNG without anything beside its pixels.

    Raises:
        MissingExtra: Pillow is not installed.
        DecodeError: not an image of that format, too many pixels, or damaged.
    """
    return _png(_decoded(data, form))


def contact_sheet(parts: Sequence[tuple[str, bytes | str]], foot: Sequence[str] = ()) -> bytes:
    """Images (PNG) and lines of text below each other, each under its label, on white: one PNG.

    Images are as large as they are; one that is lower than a letter is enlarged by whole steps. Pillow's own font has
    no Japanese: what it cannot show of a text is a question mark.

    Args:
        foot: what must be said below them.

    Raises:
        MissingExtra, DecodeError: as :func:`as_png`; also when all of them together are too large.
    """
    need()
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(_LETTERS)
    rows: list[tuple[str, Image.Image | str]] = [
        (_ascii(label), _ascii(part) if isinstance(part, str) else _legible(_decoded(part, "PNG")))
        for label, part in parts
    ]
    heights = [_LABEL if isinstance(part, str) else _LABEL + part.height for _, part in rows]
    across = 2 * _MARGIN + max([_LINE, *(part.width for _, part in rows if not isinstance(part, str))])
    down = 2 * _MARGIN + sum(height + _GAP for height in heights) + _LABEL * len(foot)
    if across * down > MAX_PIXELS:
        raise DecodeError("an image with too many pixels", operation=_OPERATION)
    sheet = Image.new("L", (across, down), 255)
    draw = ImageDraw.Draw(sheet)
    top = _MARGIN
    for (label, part), height in zip(rows, heights, strict=True):
        words = f"{label}: {part}" if isinstance(part, str) else label
        draw.text((_MARGIN, top), words, fill=64, font=font)
        if not isinstance(part, str):
            sheet.paste(part, (_MARGIN, top + _LABEL))
        top += height + _GAP
    for line in foot:
        draw.text((_MARGIN, top), _ascii(line), fill=0, font=font)
        top += _LABEL
    return _png(sheet)


def _ascii(text: str) -> str:
    """What Pillow's font shows of a text; what could break the line is written out."""
    return escape(text).encode("ascii", "replace").decode("ascii")


def _decoded(data: bytes, form: Format) -> Image:
    """A greyscale image; see :func:`as_png`."""
    need()
    from PIL import Image

    problem = "not an image of the format that it should have, or damaged"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a warning of a decompression bomb is one
            with Image.open(io.BytesIO(data), formats=(form,)) as found:
                across, down = found.size
                inside = _codestream_pixels(data) if form == "JPEG2000" else 0
                if max(across * down, inside) > MAX_PIXELS:
                    problem = "an image with too many pixels"
                else:
                    image = _apart(data) if form == "JPEG2000" else found.convert("L")
                    image.info.clear()  # texts and profiles would be saved again
                    return image
    except Exception as bad:  # Pillow's decoders raise many kinds; none of their words leaves here
        problem = "an image with too many pixels" if isinstance(bad, MemoryError) else problem
    raise DecodeError(problem, operation=_OPERATION)


def _apart(data: bytes) -> Image:
    """A JPEG 2000 decoded in a process of its own, which the system ends when it takes too much.

    Raises:
        OSError, ValueError, subprocess.SubprocessError: it did not come to an image.
    """
    from PIL import Image

    done = subprocess.run(  # noqa: S603 - our own file, and no argument
        [sys.executable, "-I", photo_worker.__file__],
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=_DECODING_SECONDS,
        check=True,
    )
    head = photo_worker.HEAD
    return Image.frombytes("L", head.unpack_from(done.stdout), done.stdout[head.size :])


def _codestream_pixels(data: bytes) -> int:
    """What the codestreams of a JPEG 2000 say of their size (ISO/IEC 15444-1 §A.5.1: Xsiz, Ysiz, and the components,
    of which four count as one pixel), beside what the file says."""
    most, at = 0, data.find(_SOC_SIZ)
    while at >= 0:
        across, down, components = (
            int.from_bytes(data[at + start : at + start + size], "big") for start, size in _FIELDS
        )
        most = max(most, across * down * ((components + 3) // 4))
        at = data.find(_SOC_SIZ, at + 1)
    return most


def _legible(image: Image) -> Image:
    """A low image by whole steps, so that its pixels stay square, but never so wide that it leaves the sheet."""
    from PIL import Image as Pillow

    times = max(1, min(-(-_LEGIBLE // max(image.height, 1)), _LINE // max(image.width, 1)))
    return image.resize((image.width * times, image.height * times), Pillow.Resampling.NEAREST)


def _png(image: Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
