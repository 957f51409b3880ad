"""A card as one page that a browser shows: nothing in it is loaded from elsewhere, nothing in it runs."""

from __future__ import annotations

import base64
import hashlib
from html import escape as escaped_html
from typing import TYPE_CHECKING

from kojin_card.cli.render import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

#: zoom: a check box beside each image, so that mouse, keyboard and screen reader can work it without a script
_STYLE = """
:root { color-scheme: light; }
body { margin: 2rem auto; max-width: 46rem; padding: 0 1rem; font: 1rem/1.6 sans-serif; color: #111; background: #fff; }
main { border: 1px solid #767676; border-radius: 1rem; padding: 1.5rem; }
h1 { font-size: 1.3rem; margin-top: 0; }
figure { margin: 0 0 1.2rem; }
figcaption { font-weight: bold; }
figure img { display: block; height: auto; max-width: 100%; min-width: 6rem; border: 1px solid #767676; }
figure img.text { image-rendering: pixelated; }
.zoom { width: 1.2rem; height: 1.2rem; vertical-align: middle; }
.zoom:focus-visible { outline: 3px solid #0047ab; outline-offset: 2px; }
.zoom:checked ~ img { width: 100%; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; }
dt { font-weight: bold; }
dd { margin: 0; }
.note { border-left: .3rem solid #b35900; padding-left: .8rem; }
@media print {
  body { margin: 0; max-width: none; }
  main { border-color: #000; break-inside: avoid; }
  .control { display: none; }
}
"""


def card_page(
    *,
    lang: str,
    title: str,
    zoom: str,
    images: Sequence[tuple[str, str, bytes]],
    rows: Sequence[tuple[str, str]],
    notes: Sequence[str],
) -> bytes:
    """The page, UTF-8.

    Args:
        zoom: what the check box beside an image says.
        images: id, label and PNG of each.
        rows: labels and values.
        notes: what must be said beside them.
    """
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    lines = [
        "<!DOCTYPE html>",
        f'<html lang="{_text(lang)}">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<h1>{_text(title)}</h1>",
        *(line for image in images for line in _figure(zoom, *image)),
        "<dl>",
        *(f"<dt>{_text(label)}</dt><dd>{_text(value)}</dd>" for label, value in rows),
        "</dl>",
        *(f'<p class="note">{_text(note)}</p>' for note in notes),
        "</main>",
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(lines).encode()


def _figure(zoom: str, name: str, label: str, png: bytes) -> list[str]:
    source = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    kind = "photo" if name == "photo" else "text"
    return [
        "<figure>",
        f"<figcaption>{_text(label)}</figcaption>",
        f'<input type="checkbox" class="zoom control" id="zoom-{_text(name)}">',
        f'<label class="control" for="zoom-{_text(name)}">{_text(f"{zoom}: {label}")}</label>',
        f'<img class="{kind}" src="{source}" alt="{_text(label)}">',
        "</figure>",
    ]


def _text(text: str) -> str:
    return escaped_html(escape(text), quote=True)
