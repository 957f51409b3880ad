"""Text of the driving licence: two bytes a character, JIS X 0208 as it stands (both 21..7E, no escape sequences).

Two kinds of code are no character: ``FFF1``..``FFF7`` stand for a 外字 whose drawing the record has beside the text,
``FFFA`` for one that nobody drew (欠字). They become private-use characters, so that nothing is lost and nothing is
made up; whoever shows the text shows a geta mark there. (card.md §2.9; the codes are those of the conventional licence,
as clients of it know them: that this record has the same ones is an assumption.)
"""

from __future__ import annotations

#: character of each code; the low digit is the number of the drawing
GAIJI = {0xFFF0 + number: chr(0xE000 + number) for number in range(1, 8)}
MISSING = chr(0xE00A)
_SPECIAL = {**GAIJI, 0xFFFA: MISSING}
_CODES = {char: code for code, char in _SPECIAL.items()}
_FIRST, _LAST = 0x21, 0x7E
_HIGH = 0x80


def decode(raw: bytes) -> str | None:
    """The text; None for an odd number of bytes, a code outside of the table, or one without a character."""
    pairs = [raw[at : at + 2] for at in range(0, len(raw), 2)]
    text = [_char(pair) for pair in pairs]
    return None if None in text else "".join(char for char in text if char is not None)


def _char(pair: bytes) -> str | None:
    if len(pair) != 2:
        return None
    special = _SPECIAL.get(int.from_bytes(pair, "big"))
    if special is not None:
        return special
    if not all(_FIRST <= octet <= _LAST for octet in pair):
        return None
    try:
        return bytes(octet | _HIGH for octet in pair).decode("euc_jp")
    except UnicodeDecodeError:
        return None


def encode(text: str) -> bytes:
    """The bytes of ``text``.

    Raises:
        ValueError: a character that JIS X 0208 has not got.
    """
    return b"".join(_pair(char) for char in text)


def _pair(char: str) -> bytes:
    code = _CODES.get(char)
    if code is not None:
        return code.to_bytes(2, "big")
    raw = char.encode("euc_jp")
    if len(raw) != 2 or not all(octet - _HIGH in range(_FIRST, _LAST + 1) for octet in raw):
        raise ValueError("not in JIS X 0208")
    return bytes(octet & ~_HIGH for octet in raw)
