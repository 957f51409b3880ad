"""What people see: a few kinds of blocks, rendered for a terminal or as plain ``label: value`` lines.

All text is escaped here, once: it may come from a card, a file or a person. Meaning is never carried by colour alone.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest

#: characters that could command a terminal, hide text or turn its direction: controls, format characters (bidi, zero
#: width, tags), lone surrogates, line and paragraph separators
_DANGEROUS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
#: blanks that nobody types in a name or an address, and letters that show nothing: they could hold two texts apart, or
#: push one to where another belongs
_BLANKS = frozenset("\u00a0\u1680\u202f\u205f\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(code) for code in range(0x2000, 0x200B)
}


class Role(StrEnum):
    """What a piece of text means, for those who see colours."""

    PLAIN = "plain"
    STRONG = "strong"
    FAINT = "faint"
    GOOD = "good"
    BAD = "bad"
    UNSURE = "unsure"


_SGR = {Role.STRONG: "1", Role.FAINT: "2", Role.GOOD: "32", Role.BAD: "1;31", Role.UNSURE: "33"}


@dataclass(frozen=True, slots=True)
class Heading:
    """A title with a rule under it; ``wrap=True`` where it names something of somebody else's, which a terminal would
    carry on at its left edge, where answers stand."""

    text: str
    wrap: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One paragraph; leading spaces indent all of it. ``wrap=False`` keeps what is to be copied on one line."""

    text: str
    role: Role = Role.PLAIN
    wrap: bool = True


@dataclass(frozen=True, slots=True)
class Fields:
    """Labels with their values, aligned."""

    rows: Sequence[tuple[str, str] | tuple[str, str, Role]]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns. The first one says what a row is about; ``roles`` colours whole rows."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    roles: Sequence[Role] = ()


Block = Heading | Line | Fields | Table


def escape(text: str) -> str:
    """``text`` with every dangerous character written out as ``\\xNN``, ``\\uNNNN`` or ``\\UNNNNNNNN``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _written_out(char) if char in _BLANKS or unicodedata.category(char) in _DANGEROUS else char for char in text
    )


def html_text(text: str) -> str:
    """``text`` as a page of HTML shows it, between tags or in an attribute: nothing in it is markup."""
    return html.escape(escape(text), quote=True)


def spreadsheet_cell(text: str) -> str:
    """``text`` as a cell of CSV or TSV: a spreadsheet shows it and computes nothing; the writer still quotes it.

    What could begin a formula gets an apostrophe before it, full-width signs and signs after blanks too; tabs and line
    ends are written out by :func:`escape`.
    """
    clean = escape(text)
    formula = unicodedata.normalize("NFKC", clean.lstrip(" \u3000'\""))[:1] in ("=", "+", "-", "@")
    return f"'{clean}" if formula else clean


def _written_out(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def width(text: str) -> int:
    """How many columns of a terminal ``text`` takes (East Asian wide characters take two)."""
    from rich.cells import cell_len

    return cell_len(text)


def pad(text: str, columns: int) -> str:
    """``text`` followed by as many spaces as make it ``columns`` wide."""
    return text + " " * max(0, columns - width(text))


def wrap(text: str, columns: int) -> list[str]:
    """Lines of at most ``columns``: Latin text breaks at spaces, Japanese anywhere but before closing marks."""
    lines, line, used = [], "", 0
    for piece in _pieces(text):
        size = width(piece)
        if line and used + size > columns:
            lines.append(line.rstrip())
            line, used = "", 0
        if line or piece != " ":
            line, used = line + piece, used + size
    lines.append(line.rstrip())
    return lines


#: no column of a table is folded further
_NARROWEST = 12
_CLOSING = "、。，．）」』】〕：；？！ー…%％)]}ぁぃぅぇぉっゃゅょァィゥェォッャュョ"


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for char in text:
        narrow = ord(char) < 0x1100
        last = pieces[-1] if pieces else ""
        together = char in _CLOSING or (narrow and char != " " and last and ord(last[-1]) < 0x1100 and last != " ")
        if pieces and together:
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces


# --- rendering --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Style:
    """How to render.

    Attributes:
        plain: one ``label: value`` per line, no rules, no alignment.
        colour: whether escape sequences may be used.
        columns: width of the terminal.
        rule: the character of a rule.
        at_start: nothing stands above: the first heading needs no blank line before it.
    """

    plain: bool = False
    colour: bool = False
    columns: int = 100
    rule: str = "─"
    at_start: bool = True


def render(blocks: Sequence[Block], style: Style) -> str:
    """The text of ``blocks``, with a line end after each line."""
    out: list[str] = []
    for block in blocks:
        out.extend(_plain(block) if style.plain else _fancy(block, style, first=not out))
    return "".join(f"{line}\n" for line in out)


def paint(text: str, role: Role, style: Style) -> str:
    """``text`` in the colour of ``role`` where colours are wanted."""
    code = _SGR.get(role)
    return f"\x1b[{code}m{text}\x1b[0m" if code and style.colour else text


def _plain(block: Block) -> list[str]:
    match block:
        case Heading(text=text) | Line(text=text):
            return [escape(text)] if text else []
        case Fields(rows=rows):
            return [f"{escape(row[0])}: {escape(row[1])}" for row in rows]
        case Table(rows=table):
            return [f"{escape(row[0])}: {', '.join(escape(cell) for cell in row[1:])}" for row in table]


def _fancy(block: Block, style: Style, *, first: bool) -> list[str]:
    match block:
        case Heading(text=text, wrap=wrapped):
            clean = escape(text)
            first_line, *more = wrap(clean, style.columns - 2) if wrapped else [clean]
            lines = [paint(line, Role.STRONG, style) for line in (first_line, *(f"  {line}" for line in more))]
            lines.append(style.rule * min(style.columns, max(width(first_line), 24)))
            return ["", *lines] if not first or not style.at_start else lines
        case Line(text=text, role=role, wrap=wrapped):
            clean = escape(text)
            margin = clean[: len(clean) - len(clean.lstrip(" "))]
            lines = wrap(clean, style.columns - len(margin)) if wrapped else [clean.lstrip(" ")]
            return [margin + paint(line, role, style) if line else "" for line in lines]
        case Fields(rows=rows):
            return _fancy_fields(rows, style)
        case Table():
            return _fancy_table(block, style)


def _fancy_fields(rows: Sequence[tuple[str, str] | tuple[str, str, Role]], style: Style) -> list[str]:
    labels = [escape(row[0]) for row in rows]
    left = min(max((width(label) for label in labels), default=0), style.columns * 2 // 3)
    out = []
    for label, row in zip(labels, rows, strict=True):
        role = row[2] if len(row) == 3 else Role.PLAIN
        value = wrap(escape(row[1]), max(20, style.columns - left - 4))
        out.append(f"  {pad(label, left)}  {paint(value[0], role, style)}")
        out.extend(f"  {' ' * left}  {paint(line, role, style)}" for line in value[1:])
    return out


def _fitted(rows: Sequence[Sequence[str]], columns: int) -> list[int]:
    """How wide the columns of a table are: the widest ones fold as far as their text can break."""
    every = list(zip(*rows, strict=True))
    widths = [max(map(width, cells)) for cells in every]
    narrowest = [max([_NARROWEST, *(width(piece) for cell in cells for piece in _pieces(cell))]) for cells in every]
    room = columns - 2 * (len(widths) - 1)
    if sum(map(min, widths, narrowest)) > room:  # it does not fit in any way
        return widths
    while sum(widths) > room:
        foldable = [at for at, size in enumerate(widths) if size > narrowest[at]]
        widths[max(foldable, key=widths.__getitem__)] -= 1
    return widths


def _fancy_table(table: Table, style: Style) -> list[str]:
    rows = [[escape(cell) for cell in row] for row in (table.header, *table.rows)]
    widths = _fitted(rows, style.columns - 2)
    out = []
    for number, row in enumerate(rows):
        role = Role.FAINT if number == 0 else (table.roles[number - 1] if table.roles else Role.PLAIN)
        folded = [wrap(cell, size) for cell, size in zip(row, widths, strict=True)]
        for cells in zip_longest(*folded, fillvalue=""):
            text = "  ".join(pad(cell, size) for cell, size in zip(cells, widths, strict=True)).rstrip()
            out.append("  " + paint(text, role, style))
        if number == 0:
            out.append("  " + style.rule * min(style.columns - 2, sum(widths) + 2 * (len(widths) - 1)))
    return out
