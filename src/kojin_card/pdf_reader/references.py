"""Which objects a PDF object refers to, read from its bytes, when it is of the plain kind that files are full of.

A tagged document has tens of thousands of small dictionaries, and building each only to see where it leads is what
comparing revisions costs most. What is the least bit unusual (a comment, an escaped name, a stream, a string within a
string) is not read here but left to the library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

Key = tuple[int, int]

MAX_DEPTH = 64
_SPACE = rb"[\x00\t\n\f\r ]"
_ENDS = rb"(?=[\x00\t\n\f\r ()<>\[\]{}/%]|\Z)"
_TOKEN = re.compile(
    rb"%(space)s*(?:(/[!-\"$&'*-.0-;=?-Z\\^-z|~]+%(ends)s)|(\d{1,10})%(space)s+(\d{1,5})%(space)s+R%(ends)s|(<<)|(>>)|(\[)|(\])"
    rb"|[+-]?(?:\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})%(ends)s|(?:true|false|null)%(ends)s"
    rb"|\((?:[^()\\]|\\[\s\S])*\)|<[0-9A-Fa-f\t\n\r ]*>)" % {b"space": _SPACE, b"ends": _ENDS}
)
_HEADER = re.compile(
    rb"%(space)s*(\d{1,10})%(space)s+(\d{1,5})%(space)s+obj%(ends)s" % {b"space": _SPACE, b"ends": _ENDS}
)
_TRAILER = re.compile(rb"%(space)s*endobj%(ends)s" % {b"space": _SPACE, b"ends": _ENDS})
#: parts of the structure tree (ISO 32000-1 §14.7), by their own word
_STRUCTURE = frozenset({b"/StructElem", b"/MCR", b"/OBJR"})


@dataclass(slots=True)
class _Open:
    """A dictionary or an array that is being read.

    Attributes:
        key: the name whose value is due; None when a name is due, and in an array.
        kept: references that count only if this turns out to be no part of the structure tree.
    """

    dictionary: bool
    key: bytes | None = None
    type: bytes = b""
    kept: list[Key] = field(default_factory=list)


class Plain(NamedTuple):
    """An object, or a value, as read.

    Attributes:
        leads: what it refers to.
        tokens: their number.
        end: where it ends.
        parents: what /Parent refers to.
    """

    leads: list[Key]
    tokens: int
    end: int
    parents: list[Key]


def of_object(data: bytes, offset: int, key: Key) -> Plain | None:
    """The indirect object at ``offset``.

    /Parent leads back up and is told apart; nothing is said of /P and /Pg in a part of the structure tree: they say to
    which element and page it belongs (ISO 32000-1 tables 323, 324), not that it uses them.

    Returns:
        None when it is not plain, or not the object ``key``.
    """
    header = _HEADER.match(data, offset)
    if header is None or (int(header[1]), int(header[2])) != key:
        return None
    read = of_value(data, header.end())
    end = None if read is None else _TRAILER.match(data, read.end)
    return None if read is None or end is None else read._replace(end=end.end())


def of_value(data: bytes, at: int) -> Plain | None:
    """The value at ``at``; None when it is not plain."""
    found: list[Key] = []
    parents: list[Key] = []
    levels: list[_Open] = []
    count = 0
    while True:
        token = _TOKEN.match(data, at)
        if token is None:
            return None
        at = token.end()
        count += 1
        name, number, generation, begin, end, array, close = token.groups()
        level = levels[-1] if levels else None
        if level is not None and level.dictionary and level.key is None and not end:
            if name is None:
                return None
            level.key = name
            continue
        if begin or array:
            if len(levels) >= MAX_DEPTH:
                return None
            levels.append(_Open(dictionary=begin is not None))
            continue
        if end or close:
            if level is None or level.dictionary is not (end is not None) or level.key is not None:
                return None
            levels.pop()
            if level.type not in _STRUCTURE:
                found += level.kept
            level = levels[-1] if levels else None
        elif number is not None:
            _note(level, (int(number), int(generation)), found, parents)
        elif level is not None and level.key == b"/Type" and name is not None:
            level.type = name
        if level is None:
            return Plain(found, count, at, parents)
        level.key = None


def _note(level: _Open | None, reference: Key, found: list[Key], parents: list[Key]) -> None:
    key = None if level is None else level.key
    if level is not None and key in (b"/P", b"/Pg"):
        level.kept.append(reference)
    else:
        (parents if key == b"/Parent" else found).append(reference)
