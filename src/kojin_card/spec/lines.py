"""Lines of text that a person wrote for a record of the free area."""

from __future__ import annotations

#: the blank between the parts of a Japanese name, which Python does not count as printable
_WIDE_BLANK = "\u3000"


def is_printable(text: str) -> bool:
    """Whether every character can be seen or is a blank: no control character, no direction mark, no half surrogate."""
    return text.replace(_WIDE_BLANK, " ").isprintable()


def is_line(text: str) -> bool:
    """Whether a text is one line that a person can read: not empty, printable, no blanks around it."""
    return bool(text) and is_printable(text) and text == text.strip()
