"""Card facts (AIDs, file ids, two-byte tags, numbers of tries) stand in ``applets_spec/`` and nowhere in the code.

The syntax tree of every module is walked, and what its expressions come to is looked at: joined strings, shifted
numbers, bytes made of a list. Facts of applications that have no spec yet are typed by hand below.
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "kojin_card"
RID_BYTES = 5
MAX_TRIES = 15  # what 63Cx can say

#: Two bytes that are also the head of every PKCS#1 v1.5 block (RFC 8017 §9.2); as text, "0001" is still a fact.
NO_FILE_ID_AS_BYTES = frozenset({b"\x00\x01", b"\x00\x02"})
#: card.md §1, §2.5, §2.9: registered parts of AIDs, whether or not their application has a spec already
RIDS = frozenset(bytes.fromhex(rid) for rid in ("D392F00026", "D392100031", "A000000151", "A000000231"))
#: card.md §2.1, §2.2, §2.7: the private tags and those of card-verifiable certificates
TAGS = frozenset(
    bytes.fromhex(tag)
    for tag in [
        "FF10",
        "FF20",
        "FF30",
        "FF40",
        "FF50",
        "DF11",
        "DF12",
        "DF13",
        "DF21",
        "DF22",
        "DF23",
        "DF24",
        "DF25",
        "DF26",
        "DF27",
        "DF28",
        "DF29",
        "DF2A",
        "DF31",
        "DF32",
        "DF33",
        "DF34",
        "DF35",
        "DF41",
        "DF42",
        "DF43",
        "DF51",
        "DF52",
        "7F21",
        "5F4E",
        "5F37",
    ]
)
#: card.md §4.3, §4.4: P2 = 80 with the short identifier of a key; a number that is only one of these says nothing, as
#: the P2 of a VERIFY or a signature it does
SFI_FORMS = frozenset({0x86, *range(0x91, 0xA0)})
CARD_VERBS = frozenset({"verify", "sign", "select", "tries_left", "change", "read"})

Folded = str | bytes | int


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands in the applet specs and nowhere else."""

    aids: set[bytes] = field(default_factory=set)
    file_ids: set[bytes] = field(default_factory=set)
    tags: set[bytes] = field(default_factory=set)
    #: card.md §2.9: 0100 and on; as numbers they are sizes (256) and versions, so only one spelt as a tag is a fact
    plain_tags: set[bytes] = field(default_factory=set)

    def collect(self, table: object) -> None:
        """Take the facts out of one parsed TOML document, at whatever depth they stand."""
        if isinstance(table, list):
            for entry in table:
                self.collect(entry)
        if not isinstance(table, dict):
            return
        kinds = {"aid": self.aids, "file_id": self.file_ids, "tag": self.tags}
        for key, value in table.items():
            if key in kinds and isinstance(value, str):
                raw = bytes.fromhex(value)
                if key == "tag" and len(raw) == 2 and raw[0] == 0x01:
                    self.plain_tags.add(raw)
                elif key != "tag" or len(raw) > 1:
                    kinds[key].add(raw)
            else:
                self.collect(value)

    @property
    def rids(self) -> set[bytes]:
        return {aid[:RID_BYTES] for aid in self.aids} | RIDS

    def in_text(self, text: str) -> str | None:
        """The fact that a text holds, or None."""
        plain = re.sub(r"(?i)0x|[\s:]", "", text).upper()
        if any(rid.hex().upper() in plain for rid in self.rids):
            return f"AID or its registered part: {text!r}"
        if not re.fullmatch(r"(?:[0-9A-F]{2})+", plain):
            return None
        raw = bytes.fromhex(plain)
        if len(raw) == 2 and raw in self.file_ids | self.tags | self.plain_tags | TAGS:
            return f"file id or tag: {text!r}"
        return f"a command or an object: {text!r}" if self._inside(raw) else None

    def in_bytes(self, value: bytes) -> str | None:
        """The fact that some bytes hold, or None."""
        if any(rid in value for rid in self.rids):
            return f"AID or its registered part: {value!r}"
        if value in self.file_ids - NO_FILE_ID_AS_BYTES:
            return f"file id: {value!r}"
        if any(value.startswith(tag) for tag in self.tags | TAGS) or self._inside(value):
            return f"a tag, a command or an object: {value!r}"
        return None

    def _inside(self, raw: bytes) -> bool:
        """Whether the bytes are a SELECT of a file of the card, or begin with a tag of it."""
        selects = raw[:1] in (b"\x00", b"\x80") and raw[1:3] == b"\xa4\x02" and raw[-2:] in self.file_ids
        return selects or (len(raw) > 2 and raw[:2] in self.tags | TAGS)

    def in_int(self, value: int, spelling: str) -> str | None:
        """The fact that a number is: a tag (and what follows it), a file id when spelt as one (``0x001B``)."""
        if value >= 0x0100:
            raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
            if raw in self.aids or raw[:2] in self.tags | TAGS:
                return f"tag: {spelling}"
        if re.fullmatch(r"0[xX][0-9A-Fa-f]{4}", spelling) and value.to_bytes(2, "big") in self.file_ids:
            return f"file id: {spelling}"
        if re.fullmatch(r"0[xX]0?1[0-9A-Fa-f]{2}", spelling) and value.to_bytes(2, "big") in self.plain_tags:
            return f"tag: {spelling}"
        return None


@cache
def facts() -> Facts:
    collected = Facts()
    for path in sorted((ROOT / "applets_spec").rglob("*.toml")):
        collected.collect(tomllib.loads(path.read_text("utf-8")))
    return collected


def fold(node: ast.AST) -> Folded | None:
    """What a constant expression comes to: literals, ``+``, ``<<``, ``|``, ``bytes([..])``, ``fromhex(..)``, tuples
    of bytes; None for everything else."""
    match node:
        case ast.Constant(value=str() | bytes() as text):
            return text
        case ast.Constant(value=int() as number) if type(number) is int:
            return number
        case ast.BinOp(left=left, op=op, right=right):
            return _fold_pair(fold(left), op, fold(right))
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return _fold_bytes([fold(item) for item in items])
        case ast.Call(func=ast.Name(id="bytes" | "bytearray"), args=[ast.List() | ast.Tuple() as items]):
            return fold(items)
        case ast.Call(func=ast.Attribute(attr="fromhex"), args=[text]):
            plain = fold(text)
            return plain if isinstance(plain, str) else None
    return None


def _fold_pair(left: Folded | None, op: ast.operator, right: Folded | None) -> Folded | None:
    if isinstance(left, str) and isinstance(right, str) and isinstance(op, ast.Add):
        return left + right
    if isinstance(left, bytes) and isinstance(right, bytes) and isinstance(op, ast.Add):
        return left + right
    if isinstance(left, int) and isinstance(right, int):
        if isinstance(op, ast.LShift) and right <= 64:
            return left << right
        if isinstance(op, ast.BitOr):
            return left | right
        if isinstance(op, ast.Add):
            return left + right
    return None


def _fold_bytes(items: list[Folded | None]) -> bytes | None:
    numbers = [item for item in items if isinstance(item, int) and 0 <= item <= 0xFF]
    return bytes(numbers) if len(items) > 1 and len(numbers) == len(items) else None


def _prose(tree: ast.AST) -> set[int]:
    """Ids of the nodes that are docstrings or bare strings: they may cite a fact, they cannot use it."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _called(node: ast.AST) -> str:
    """The name something is stored under, or compared as: ``tries`` of ``tries``, ``self.tries``."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _tries(node: ast.AST) -> Iterator[ast.expr]:
    """Values that code gives to, or compares with, something called tries; and of dicts keyed by a secret."""
    match node:
        case ast.keyword(arg=str() as name, value=value) if "tries" in name:
            yield value
        case ast.AnnAssign(target=target, value=ast.expr() as value) if "tries" in _called(target).lower():
            yield from (value, *(v.value for v in getattr(value, "keywords", ()) if v.arg == "default"))
        case ast.Assign(targets=targets, value=value) if any("tries" in _called(t).lower() for t in targets):
            yield value
        case ast.Compare(left=left, comparators=others) if "tries" in _called(left).lower():
            yield from others
        case ast.arguments():
            named = [*node.posonlyargs, *node.args]
            for argument, default in zip(named[len(named) - len(node.defaults) :], node.defaults, strict=True):
                if "tries" in argument.arg:
                    yield default
            for argument, maybe in zip(node.kwonlyargs, node.kw_defaults, strict=True):
                if "tries" in argument.arg and maybe is not None:
                    yield maybe
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                text = fold(key) if key is not None else None
                if isinstance(text, str) and re.search(r"tries|_pin\b|password\b|code_[ab]\b", text):
                    yield value


def card_facts(source: str, known: Facts) -> Iterator[tuple[int, str]]:
    """Line and words for each card fact among the expressions of ``source``."""
    tree = ast.parse(source)
    prose = _prose(tree)
    for node in ast.walk(tree):
        for value in _tries(node):
            if isinstance(value, ast.Constant) and type(value.value) is int and 1 < value.value <= MAX_TRIES:
                yield value.lineno, f"number of tries: {value.value}"
        if isinstance(node, ast.Call) and _called(node.func) in CARD_VERBS:
            for argument in node.args:
                if fold(argument) in SFI_FORMS:
                    yield argument.lineno, "a short file identifier"
        if not isinstance(node, ast.expr) or id(node) in prose:
            continue
        value_of = fold(node)
        found = None
        if isinstance(value_of, str):
            found = known.in_text(value_of)
        elif isinstance(value_of, bytes):
            found = known.in_bytes(value_of)
        elif isinstance(value_of, int):
            found = known.in_int(value_of, ast.get_source_segment(source, node) or "")
        if found:
            yield node.lineno, found


def test_the_specs_yield_facts_to_look_for() -> None:
    """With nothing to look for, the next test would find nothing and say so proudly."""
    assert {len(aid) for aid in facts().aids} <= set(range(RID_BYTES, 17))
    assert len(facts().aids) >= 3
    assert bytes.fromhex("001B") in facts().file_ids
    assert {bytes.fromhex(tag) for tag in ("FF20", "DF21", "7F21")} <= facts().tags
    assert bytes.fromhex("0107") in facts().plain_tags
    # the free area's folders too
    assert {bytes.fromhex(aid) for aid in ("F04B4F4A494E", "A000000151535041")} <= facts().aids
    assert {bytes.fromhex(tag) for tag in ("DF61", "DF66", "7F4E", "9F70")} <= facts().tags
    assert all(len(file_id) == 2 for file_id in facts().file_ids)


def test_no_card_fact_stands_in_the_code() -> None:
    modules = {path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in PACKAGE.rglob("*.py")}
    found = {f"{name}:{line}": what for name, text in modules.items() for line, what in card_facts(text, facts())}
    assert not found, "card facts belong in applets_spec/"


def test_no_card_fact_stands_in_the_packages_data() -> None:
    """Catalogues, profiles and schemas: no AID, and no value that is a tag or a file id in hex."""
    quoted = {
        (path.name, word)
        for path in (*PACKAGE.rglob("*.toml"), *PACKAGE.rglob("*.json"))
        for word in re.findall(r'"([0-9A-Fa-f ]{4,63})"', path.read_text("utf-8"))
        if re.fullmatch(r"[0-9]+", word) is None
    }
    found = [name for name, word in quoted if facts().in_text(word)]
    assert not found


PLANTED = [
    'AID = "D392F000260100000001"',
    'AID = "d3 92 f0 00 26"',
    r'AID = b"\xd3\x92\x10\x00\x31\x00\x01\x01\x04\x08"',
    r'SELECT = b"\x00\xa4\x04\x0c\x0a\xd3\x92\x10\x00\x31"',
    'bytes.fromhex("D3921000310001010408")',
    'AID = "D39210" + "00310001010408"',
    "AID = bytes([0xD3, 0x92, 0x10, 0x00, 0x31])",
    'LICENCE = "A0000002310600"',
    'SLOT = "F04B4F4A494E"',
    r'SLOTS = b"\xf0KOJIN"',
    "tlv.find(0x7F4E)",
    'tlv.find("DF65")',
    r'body = b"\x7f\x4e\x54"',
    'card.select("001B")',
    'card.select("001b")',
    'card.select("0x000A")',
    r'card.select(b"\x00\x1b")',
    "card.select(0x001B)",
    "card.select((0x00, 0x1B))",
    'link.send("00A4020C02001B")',
    r'link.send(b"\x00\xa4\x02\x0c\x02\x00\x1b")',
    "card.verify(0x9B)",
    "card.verify(0x80 | 0x1B)",
    "tlv.find(0xDF22)",
    "tlv.find(57122)",
    "tlv.find(0xDF << 8 | 0x22)",
    "tlv.find(bytes([0xDF, 0x22]))",
    "tlv.find((0xDF, 0x22))",
    r'tlv.find(b"\xdf" + b"\x22")',
    'tlv.find("DF" + "22")',
    'tlv.find("ff20")',
    'head = "FF20DF21"',
    "head = 0xFF2065",
    r'data.startswith(b"\xff\x20\x65")',
    'tlv.find("DF28")',
    'tlv.find("0107")',
    "tlv.find(0x0107)",
    "card.verify(0x86)",
    "Key(tries=3)",
    'KEY = {"tries": 5}',
    'KEY = {"auth_pin": 3}',
    "MAX_TRIES: int = 10",
    "self.tries = 3",
    "if tries == 3: pass",
    "def reset(tries=3): pass",
    "def reset(*, tries=3): pass",
    "class K:\n    tries: int = field(default=3)",
    'f"{0xDF22:04X}"',
]


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_card_fact_is_found(planted: str) -> None:
    assert list(card_facts(planted, facts())), planted


@pytest.mark.parametrize(
    "harmless",
    [
        '"""EF 0002 (card.md §2.1) holds FF20."""',
        "SW = 0x6A82",
        'PADDING = b"\\x00\\x01"',
        "tries_left = 0",
        "if tries == 0: pass",
        "length = 27",
        'text = "0001-01-01"',
        "x = 0x80 | sfi",
        'PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")',
        "VERSION = (3, 11)",
    ],
)
def test_what_is_no_card_fact_is_left_alone(harmless: str) -> None:
    assert not list(card_facts(harmless, facts())), harmless
