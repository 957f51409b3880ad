"""Texts of the card's face with a font: for personas of one's own, and once for those that come with the package.

Pillow is needed for this alone (the extra ``images``), and is imported when a text is drawn. What the pixels of a real
card are is not public (card.md §13); 1-bit greyscale PNG is (§2.2).
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from kojin_card.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    from kojin_card.simulator.persona import Persona

_EM = 24  # pixels of a character
_LEADING = 4
LINE = 20  # characters of a line
MAX_CHARACTERS = 400


def lettered(who: Persona, font: Path) -> Persona:
    """The persona with images of name and address where nobody drew them before.

    Raises:
        MissingExtra, InputError: as :func:`text_png`.
    """
    drawn = {text: who.images.texts.get(text) or text_png(text, font) for text in (who.name, who.address)}
    return replace(who, images=replace(who.images, texts={**who.images.texts, **drawn}))


def text_png(text: str, font: Path) -> bytes:
    """The text, black on white, lines of at most :data:`LINE` characters; 1 bit a pixel, greyscale.

    Args:
        font: a TrueType or OpenType font (of a collection its first), which should have the text's characters.

    Raises:
        MissingExtra: Pillow is not installed.
        InputError: the font cannot be read, or the text is longer than any that a card holds.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise MissingExtra(
            "drawing texts needs Pillow (the extra images)",
            operation="draw a text",
            extra="images",
        ) from None
    if not 1 <= len(text) <= MAX_CHARACTERS:
        raise InputError("a text of the card's face has 1 to 400 characters", operation="draw a text")
    if not font.is_file():
        raise InputError("not a font that can be used", operation="draw a text", file=font.name)
    lines = [text[at : at + LINE] for at in range(0, len(text), LINE)]
    image = Image.new("1", (_EM * max(map(len, lines)), (_EM + _LEADING) * len(lines)), 1)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1"
    try:
        face = ImageFont.truetype(str(font), _EM)
        for number, line in enumerate(lines):
            draw.text((0, number * (_EM + _LEADING) - _EM // 4), line, font=face, fill=0)
    except (OSError, ValueError, MemoryError, OverflowError):  # a damaged font shows only when it is drawn with
        raise InputError("not a font that can be used", operation="draw a text", file=font.name) from None
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
