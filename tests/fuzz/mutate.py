"""A mutator that knows DER, BER and what is wrapped in text: where there is no atheris, and beside its own mutations.

Everything is drawn from one ``random.Random``: the same seed makes the same documents.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

#: lengths that lie, as a field after a tag
_LENGTHS = (b"\x00", b"\x80", b"\x81\x00", b"\x81\xff", b"\x82\xff\xff", b"\x84\xff\xff\xff\xff", b"\x88" + b"\xff" * 8)
_NUMBERS = (b"0", b"-1", b"1e9", b"99999999999999999999", b"2147483648", b"4294967296")
_INTERESTING = (0x00, 0x01, 0x02, 0x03, 0x04, 0x06, 0x0C, 0x13, 0x17, 0x30, 0x31, 0x7F, 0x80, 0xA0, 0xA1, 0xFF)


@dataclass(frozen=True)
class Node:
    """One element of BER: where it begins, where its contents begin, where they end, where it ends; its parents."""

    start: int
    inside: int
    stop: int
    end: int
    parents: tuple[Node, ...] = ()


def header(length: int) -> bytes:
    """A length field."""
    if length < 0x80:
        return bytes((length,))
    size = (length.bit_length() + 7) // 8
    return bytes((0x80 | size,)) + length.to_bytes(size, "big")


def nodes(data: bytes, *, limit: int = 600) -> list[Node]:
    """Elements of ``data`` at any depth as far as it can be read; also inside OCTET STRINGs that hold a SEQUENCE."""
    out: list[Node] = []
    todo: list[tuple[int, int, tuple[Node, ...]]] = [(0, len(data), ())]
    while todo and len(out) < limit:
        at, stop, parents = todo.pop()
        while at + 2 <= stop and len(out) < limit:
            tag, first = data[at], data[at + 1]
            size = first & 0x7F if first & 0x80 else 0
            inside = at + 2 + size
            if tag & 0x1F == 0x1F or size > 4 or inside > stop or first == 0x80:
                break
            end = inside + (int.from_bytes(data[at + 2 : inside], "big") if size else first)
            if end > stop:
                break
            node = Node(at, inside, end, end, parents)
            out.append(node)
            deeper = tag & 0x20 or (tag == 0x04 and data[inside : inside + 1] in (b"\x30", b"\x03", b"\x04"))
            if deeper and len(parents) < 24:
                todo.append((inside, end, (*parents, node)))
            at = end
    return out


def put(data: bytes, node: Node, new: bytes) -> bytes:
    """``data`` with another element, or none, or several, in place of one: the lengths around it are made right."""
    start, end = node.start, node.end
    for parent in reversed(node.parents):
        value = data[parent.inside : start] + new + data[end : parent.stop]
        new = data[parent.start : parent.start + 1] + header(len(value)) + value
        start, end = parent.start, parent.end
    return data[:start] + new + data[end:]


@dataclass(frozen=True)
class Wrapping:
    """How DER or text stands inside a document.

    Attributes:
        find: its pieces; the group ``x`` is what is opened.
        open, close: the coding; ``close`` is given the length that the piece had.
    """

    find: re.Pattern[bytes]
    open: Callable[[bytes], bytes]
    close: Callable[[bytes, int], bytes]


def _unb64url(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


HEX = Wrapping(
    re.compile(rb"<(?P<x>[0-9a-fA-F]{64,})>"),
    lambda text: bytes.fromhex(text.decode()),
    lambda data, size: data.hex().encode()[:size].ljust(size, b"0"),
)
BASE64 = Wrapping(
    re.compile(rb"(?P<x>[A-Za-z0-9+/\r\n]{64,}={0,2})"), base64.b64decode, lambda data, _: base64.b64encode(data)
)
BASE64URL = Wrapping(
    re.compile(rb"(?P<x>[A-Za-z0-9_-]{20,})"),
    _unb64url,
    lambda data, _: base64.urlsafe_b64encode(data).rstrip(b"="),
)


@dataclass(frozen=True)
class Mutator:
    """Makes documents out of documents.

    Attributes:
        seeds: what pieces are taken from.
        tokens: words of the format.
        wrapping: what stands in it in another coding, if anything does.
        limit: most bytes of a document.
    """

    seeds: Sequence[bytes]
    tokens: Sequence[bytes] = ()
    wrapping: Wrapping | None = None
    limit: int = 200_000

    def mutate(self, data: bytes, chance: Random) -> bytes:
        """One to three changes, whichever they are."""
        for _ in range(chance.choice((1, 1, 1, 1, 2, 3))):
            data = self._once(data, chance, wrapped=False)
        return data[: self.limit]

    def fresh(self, chance: Random) -> bytes:
        """A mutation of one of the seeds."""
        return self.mutate(chance.choice(self.seeds), chance)

    def _once(self, data: bytes, chance: Random, *, wrapped: bool) -> bytes:
        ways = [_bit, _bit, _byte, _insert, _delete, _double, _number, self._token, self._splice]
        if data[:1] in (b"\x30", b"\x31", b"\xa0", b"\x7f", b"\x24") or not data.isascii():
            ways += [_element_gone, _element_twice, _element_moved, _tag, _length, _indefinite, _nested, self._graft]
            ways += [_value] * len(ways)  # most of what is damaged is malformed: more than that must be tried
        if self.wrapping is not None and not wrapped:
            ways += [self._unwrapped] * len(ways)
        return chance.choice(ways)(data, chance) if data else bytes(chance.randrange(8))

    def _token(self, data: bytes, chance: Random) -> bytes:
        if not self.tokens:
            return _byte(data, chance)
        at, token = chance.randrange(len(data) + 1), chance.choice(self.tokens)
        return data[:at] + token + data[at + chance.choice((0, len(token))) :]

    def _splice(self, data: bytes, chance: Random) -> bytes:
        other = chance.choice(self.seeds)
        begin, end = _range(other, chance)
        at, until = _range(data, chance)
        return data[:at] + other[begin:end] + data[chance.choice((at, until)) :]

    def _graft(self, data: bytes, chance: Random) -> bytes:
        """An element of another document in place of one of this."""
        other = chance.choice(self.seeds)
        mine, theirs = nodes(data), nodes(other)
        if not mine or not theirs:
            return _byte(data, chance)
        one = chance.choice(theirs)
        alike = [node for node in mine if data[node.start] == other[one.start]] or mine
        return put(data, chance.choice(alike), other[one.start : one.end])

    def _unwrapped(self, data: bytes, chance: Random) -> bytes:
        assert self.wrapping is not None
        found = list(self.wrapping.find.finditer(data))[:64]
        if not found:
            return _byte(data, chance)
        piece = chance.choice(found)
        try:
            inner = self.wrapping.open(piece["x"])
        except ValueError:
            return _byte(data, chance)
        changed = self.wrapping.close(self._once(inner, chance, wrapped=True), len(piece["x"]))
        return data[: piece.start("x")] + changed + data[piece.end("x") :]


# --- changes that know nothing ----------------------------------------------------------------------------------------


def _range(data: bytes, chance: Random) -> tuple[int, int]:
    at = chance.randrange(len(data) + 1)
    return at, min(len(data), at + chance.choice((1, 2, 4, 16, 64, 256, 4096)))


def _bit(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << chance.randrange(8),)) + data[at + 1 :]


def _byte(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes((chance.choice(_INTERESTING),)) + data[at + 1 :]


def _insert(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(chance.choice((1, 1, 2, 8, 40))) + data[at:]


def _delete(data: bytes, chance: Random) -> bytes:
    begin, end = _range(data, chance)
    return data[:begin] + data[end:]


def _double(data: bytes, chance: Random) -> bytes:
    begin, end = _range(data, chance)
    return data[:end] + data[begin:end] * chance.choice((1, 1, 3, 50)) + data[end:]


def _number(data: bytes, chance: Random) -> bytes:
    """Another number in a text: a length, an offset, a count."""
    found = list(re.finditer(rb"\d+", data[:20_000])) + list(re.finditer(rb"\d{2,}", data[-2000:]))
    if not found:
        return _byte(data, chance)
    one = chance.choice(found)
    off = 0 if one.string is not None and one.string == data[:20_000] else max(0, len(data) - 2000)
    value = int(one[0][:18])
    new = chance.choice((*_NUMBERS, str(value + 1).encode(), str(max(0, value - 1)).encode(), str(value * 2).encode()))
    return data[: off + one.start()] + new + data[off + one.end() :]


# --- changes that know elements ---------------------------------------------------------------------------------------


def _element(data: bytes, chance: Random) -> Node | None:
    found = nodes(data)
    return chance.choice(found) if found else None


def _value(data: bytes, chance: Random) -> bytes:
    """Other contents in one element, its form left alone: the text, the number, the name, the string of another."""
    leaves = [node for node in nodes(data) if not data[node.start] & 0x20]
    if not leaves:
        return _byte(data, chance)
    node = chance.choice(leaves)
    value = data[node.inside : node.stop]
    other = chance.choice(leaves)
    changed = chance.choice(
        (
            _bit(value, chance) if value else b"\x00",
            _bit(value, chance) if value else b"\x01",
            data[other.inside : other.stop],
            value[:-1],
            value + value[-1:],
            bytes(len(value)),
        )
    )
    return put(data, node, data[node.start : node.start + 1] + header(len(changed)) + changed)


def _element_gone(data: bytes, chance: Random) -> bytes:
    node = _element(data, chance)
    return _delete(data, chance) if node is None else put(data, node, b"")


def _element_twice(data: bytes, chance: Random) -> bytes:
    node = _element(data, chance)
    if node is None:
        return _double(data, chance)
    return put(data, node, data[node.start : node.end] * chance.choice((2, 2, 2, 3, 70)))


def _element_moved(data: bytes, chance: Random) -> bytes:
    """One element of the document in place of another."""
    one, other = _element(data, chance), _element(data, chance)
    return _bit(data, chance) if one is None or other is None else put(data, one, data[other.start : other.end])


def _tag(data: bytes, chance: Random) -> bytes:
    node = _element(data, chance)
    at = 0 if node is None else node.start
    return data[:at] + bytes((chance.choice(_INTERESTING),)) + data[at + 1 :]


def _length(data: bytes, chance: Random) -> bytes:
    """A length that is not the element's, or that could be shorter."""
    node = _element(data, chance)
    if node is None:
        return _bit(data, chance)
    size = node.stop - node.inside
    longer = b"\x82" + size.to_bytes(2, "big") if size < 0x10000 else b"\x84" + size.to_bytes(4, "big")
    lie = chance.choice((*_LENGTHS, header(size + 1), header(max(0, size - 1)), longer))
    return data[: node.start + 1] + lie + data[node.inside :]


def _indefinite(data: bytes, chance: Random) -> bytes:
    """The same element with an indefinite length (or a string in pieces)."""
    node = _element(data, chance)
    if node is None:
        return _bit(data, chance)
    tag, value = data[node.start], data[node.inside : node.stop]
    if tag & 0x20:
        return put(data, node, bytes((tag, 0x80)) + value + b"\x00\x00")
    half = len(value) // 2
    pieces = b"".join(bytes((tag,)) + header(len(part)) + part for part in (value[:half], value[half:]))
    return put(data, node, bytes((tag | 0x20, 0x80)) + pieces + b"\x00\x00")


def _nested(data: bytes, chance: Random) -> bytes:
    """An element inside another, and that inside another."""
    node = _element(data, chance)
    if node is None:
        return _bit(data, chance)
    inner, tag = data[node.start : node.end], bytes((chance.choice((0x30, 0x31, 0xA0, 0x24)),))
    for _ in range(chance.choice((1, 2, 60))):
        inner = tag + header(len(inner)) + inner
    return put(data, node, inner)
