"""A page of HTML that stands alone: no script, nothing from elsewhere, its own style only."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from kojin_card.cli.render import html_text

if TYPE_CHECKING:
    from collections.abc import Iterable


def page(lang: str, title: str, style: str, body: Iterable[str], *, images: bool = False) -> bytes:
    """The page, UTF-8.

    Args:
        body: lines of markup; whoever makes them escapes what is text (:func:`~kojin_card.cli.render.html_text`).
        images: whether it shows images (as ``data:``).
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    sources = f"default-src 'none';{' img-src data:;' if images else ''} style-src 'sha256-{digest}'"
    lines = [
        "<!DOCTYPE html>",
        f'<html lang="{html_text(lang)}">',
        "<head>",
        '<meta charset="utf-8">',
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"{sources}; base-uri 'none'; form-action 'none'\">",
        '<meta name="referrer" content="no-referrer">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html_text(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        *body,
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(lines).encode()
