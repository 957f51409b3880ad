"""The receipt of an issuance: what was put on which card by whom, as JSON or as a page to print.

It never has a 個人番号 or a PIN. What a service calls personal is masked unless the desk asks for it in full; of the
card identification number the last four characters stand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kojin_card.cli.console import JSON_SCHEMAS
from kojin_card.cli.html import page
from kojin_card.cli.render import html_text
from kojin_card.cli.wording import moment, utc
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from kojin_card.cli.console import Console

_FORMS = (".json", ".html")
_SHOWN_AT_THE_END = 2

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 1.5rem auto; max-width: 45rem; padding: 0 1rem; font: 1rem/1.6 sans-serif; }
body { color: #1a1a1a; background: #ffffff; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; border-bottom: 2px solid #1a1a1a; }
h2 { font-size: 1.1rem; margin: 1.2rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid #767676; padding: .35rem .6rem; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; }
th { width: 34%; background: #f4f4f4; }
.note { margin: 1rem 0; padding: .2rem .8rem; border: 2px solid #1a1a1a; }
.sign { margin-top: 2rem; display: flex; gap: 2rem; }
.sign div { flex: 1; border-top: 1px solid #1a1a1a; padding-top: .2rem; }
@page { size: A4; margin: 16mm; }
@media print { body { margin: 0; padding: 0; max-width: none; font-size: 10pt; } tr { break-inside: avoid; } }
"""


@dataclass(frozen=True, slots=True)
class Written:
    """A field as a receipt has it.

    Attributes:
        text: as it may be shown.
    """

    name: str
    label_ja: str
    label_en: str
    text: str = field(repr=False)
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was done.

    Attributes:
        done: ``issue``, ``update``, ``move``...
        card: the card identification number, masked.
        counter, state: of the slot, after it was done.
    """

    done: str
    service: str
    version: int
    name_ja: str
    name_en: str
    owner: str
    owner_name: str
    aid: str
    card: str
    counter: int
    state: str
    legal_basis: str
    made: datetime
    fields: Sequence[Written] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """What stands in a file, and under ``receipt`` of the answer."""
        return {
            "done": self.done,
            "service": self.service,
            "service_version": self.version,
            "service_name_ja": self.name_ja,
            "service_name_en": self.name_en,
            "owner": self.owner,
            "owner_name": self.owner_name or None,
            "aid": self.aid,
            "card": self.card,
            "counter": self.counter,
            "state": self.state,
            "legal_basis": self.legal_basis,
            "made": utc(self.made),
            "fields": [
                {
                    "name": one.name,
                    "label_ja": one.label_ja,
                    "label_en": one.label_en,
                    "value": one.text,
                    "masked": one.masked,
                }
                for one in self.fields
            ],
            "notes": dict(self.notes),
        }

    def rows(self, console: Console) -> list[tuple[str, str]]:
        """The same for people, but for the fields."""
        text, ja = console.text, console.lang == "ja"
        rows = [
            (text("slots.receipt.done"), text(f"slots.done.{self.done}")),
            (text("slots.what.service"), self._service(ja)),
            (text("slots.what.owner"), f"{self.owner_name} ({self.owner})" if self.owner_name else self.owner),
            (text("slots.what.legal_basis"), self.legal_basis),
            (text("slots.what.card"), self.card),
            (text("slots.what.aid"), self.aid),
            (text("slots.what.state"), text(f"slots.state.{self.state}")),
            (text("slots.what.counter"), str(self.counter)),
            (text("slots.receipt.made"), moment(self.made, console.lang)),
        ]
        rows += [(text(f"slots.receipt.{name}"), value) for name, value in self.notes.items()]
        return [row for row in rows if row[1]]

    def _service(self, ja: bool) -> str:
        """Empty of a slot whose service nobody was told: it is gone, or not known here."""
        return f"{self.name_ja if ja else self.name_en} ({self.service} {self.version})" if self.service else ""

    def field_rows(self, console: Console) -> list[tuple[str, str]]:
        """The fields for people."""
        ja = console.lang == "ja"
        return [(one.label_ja if ja else one.label_en, one.text) for one in self.fields]


def masked(text: str, *, whole: bool = False) -> str:
    """A personal value so that its holder knows it again and nobody else learns it (``whole``: nothing of it)."""
    shown = _SHOWN_AT_THE_END if not whole and text.isascii() and text.isalnum() and len(text) >= 6 else 0
    return "*" * (len(text) - shown) + text[len(text) - shown :] if shown else "***"


def masked_card(number: str) -> str:
    """A card identification number: its last four characters."""
    return f"…{number[-4:]}" if len(number) > 4 else "…"


def check_form(name: str) -> None:
    """Refuse a receipt that is neither of the two forms, before anything is done.

    Raises:
        UsageError: neither ``.json`` nor ``.html``.
    """
    if Path(name).suffix.lower() not in _FORMS:
        raise UsageError("a receipt is a file called .json or .html", operation="write a receipt")


def receipt_bytes(receipt: Receipt, name: str, console: Console) -> bytes:
    """The receipt as the file of that name has it."""
    if Path(name).suffix.lower() == ".html":
        return receipt_page(receipt, console)
    return receipt_json(receipt)


def receipt_json(receipt: Receipt) -> bytes:
    """The receipt, JSON."""
    value = {"schema": JSON_SCHEMAS["slot-receipt"], **receipt.as_json()}
    return json.dumps(value, ensure_ascii=True, indent=2).encode("ascii") + b"\n"


def receipt_page(receipt: Receipt, console: Console) -> bytes:
    """The receipt as a page to print, UTF-8."""
    text = console.text

    def table(rows: Sequence[tuple[str, str]]) -> list[str]:
        cells = [
            f"<tr><th scope='row'>{html_text(label)}</th><td>{html_text(value)}</td></tr>" for label, value in rows
        ]
        return ["<table>", *cells, "</table>"]

    body = [f"<h1>{html_text(text('slots.receipt.title'))}</h1>", *table(receipt.rows(console))]
    if receipt.fields:
        body += [f"<h2>{html_text(text('slots.receipt.fields'))}</h2>", *table(receipt.field_rows(console))]
    if any(one.masked for one in receipt.fields):
        body.append(f"<p>{html_text(text('slots.receipt.masked'))}</p>")
    body.append(f'<p class="note">{html_text(text("slots.receipt.keep"))}</p>')
    signs = [f"<div>{html_text(text(f'slots.receipt.{who}'))}</div>" for who in ("desk", "holder")]
    body += ['<div class="sign">', *signs, "</div>"]
    return page(console.lang, text("slots.receipt.title"), _STYLE, body)
