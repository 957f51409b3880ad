"""A card as one page that a browser shows: nothing in it is loaded from elsewhere, nothing in it runs."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kojin_card.cli.html import page
from kojin_card.cli.render import html_text

if TYPE_CHECKING:
    from collections.abc import Sequence

#: zoom: a check box beside each image, so that mouse, keyboard and screen reader can work it without a script; what is
#: enlarged is twice as wide as its place, whatever the screen, and scrolls there
_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 1.5rem auto; max-width: 54rem; padding: 0 1rem; }
body { font: 1rem/1.6 sans-serif; color: #111; background: #fff; }
h1 { font-size: 1.3rem; margin: 0 0 .6rem; }
.note, .alarm { margin: .6rem 0; padding: .2rem .8rem; border-left: .3rem solid #b35900; }
.alarm { border-color: #b00020; color: #b00020; font-weight: bold; }
.card { display: flex; flex-wrap: wrap; gap: 0 1.5rem; margin: 1rem 0; padding: 1.2rem; }
.card { border: 2px solid #767676; border-radius: 1rem; }
.words { flex: 1 1 20rem; min-width: 0; }
figure { margin: 0 0 1rem; min-width: 0; }
figure.photo { flex: 0 0 12rem; }
figure.photo:has(.zoom:checked) { flex-basis: 100%; }
figcaption { display: inline; font-weight: bold; margin-right: 1rem; }
.view { overflow: auto; margin-top: .2rem; }
.view img { display: block; height: auto; max-width: 100%; }
.photo img { border: 1px solid #767676; }
.text img { image-rendering: pixelated; min-height: 1.5rem; }
.zoom { width: 1.2rem; height: 1.2rem; vertical-align: middle; }
.zoom:focus-visible { outline: 3px solid #0047ab; outline-offset: 2px; }
.zoom:checked ~ .view img { width: 200%; max-width: none; }
.photo .zoom:checked ~ .view img { width: min(200%, 40rem); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; margin: 0 0 1rem; }
dt { font-weight: bold; }
dd { margin: 0; }
@media print {
  body { margin: 0; max-width: none; }
  .card { border-color: #000; break-inside: avoid; }
  .control { display: none; }
}
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image on the page.

    Attributes:
        name: its id; ``photo`` stands beside the others.
        png: what was decoded and encoded here, never what a card gave.
    """

    name: str
    label: str
    png: bytes


def card_page(
    *,
    lang: str,
    title: str,
    zoom: str,
    images: Sequence[Picture],
    rows: Sequence[tuple[str, str]],
    first: Sequence[str],
    alarms: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> bytes:
    """The page, UTF-8.

    Args:
        zoom: what the check box beside an image says.
        rows: labels and values.
        first: what must be read before anything else; ``alarms`` that the card is no good; ``notes`` the rest.
    """
    beside = [line for image in images if image.name == "photo" for line in _figure(zoom, image)]
    lines = [
        "<main>",
        f"<h1>{html_text(title)}</h1>",
        *_paragraphs("note", first),
        *_paragraphs("alarm", alarms),
        '<div class="card">',
        '<div class="words">',
        *(line for image in images if image.name != "photo" for line in _figure(zoom, image)),
        "<dl>",
        *(f"<dt>{html_text(label)}</dt><dd>{html_text(value)}</dd>" for label, value in rows),
        "</dl>",
        "</div>",
        *beside,
        "</div>",
        *_paragraphs("note", notes),
        "</main>",
    ]
    return page(lang, title, _STYLE, lines, images=True)


def _paragraphs(kind: str, texts: Sequence[str]) -> list[str]:
    return [f'<p class="{kind}">{html_text(text)}</p>' for text in texts]


def _figure(zoom: str, image: Picture) -> list[str]:
    """The words beside the box are short, as the caption has said which image; a screen reader is told in full."""
    source = f"data:image/png;base64,{base64.b64encode(image.png).decode('ascii')}"
    kind, box = "photo" if image.name == "photo" else "text", f"zoom-{html_text(image.name)}"
    return [
        f'<figure class="{kind}">',
        f"<figcaption>{html_text(image.label)}</figcaption>",
        f'<input type="checkbox" class="zoom control" id="{box}" aria-label="{html_text(f"{zoom}: {image.label}")}">',
        f'<label class="control" for="{box}">{html_text(zoom)}</label>',
        f'<div class="view"><img src="{source}" alt="{html_text(image.label)}"></div>',
        "</figure>",
    ]
