"""What the signatures of an XML document cover, and what of it nobody signed (jpki.md §6 A-35: wrapping).

A reference says ``#some-id``, and whoever reads the document takes what stands where it expects it. So an element that
is signed must stand where the forms of XMLDSig put it, nothing unsigned may be called as what is signed, and anything
else that is unsigned is found here and said.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lxml import etree

from kojin_card.verdict import Check, CheckId
from kojin_card.xml_reader import ds, elements, path_of, xades

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN, _SHOWN_CHARS = 5, 200
_BLANK = " \t\r\n"
_QNAME = re.compile(r"[ \t\r\n]*([^\W\d][\w.-]*):[^\W\d][\w.-]*[ \t\r\n]*")

#: root -> children of it that may be unsigned: plain text, without attributes, once each. e-Gov's 構成管理 information
#: signs 構成情報 alone (kufu/kiji @318fb25, spec/fixtures/900A010200001000(1)/kousei.xml; the form: jpki.md §5).
_UNSIGNED: Mapping[str, frozenset[str]] = {"DataRoot": frozenset({"様式ID", "様式バージョン", "STYLESHEET"})}
_UNSIGNED_INSTRUCTIONS: Mapping[str, frozenset[str]] = {"DataRoot": frozenset({"xml-stylesheet"})}


@dataclass(frozen=True, slots=True)
class Cover:
    """What one reference covers: an element with all that is in it, or (None) the document.

    Attributes:
        prefixes: with exclusive canonicalization the namespace prefixes that are signed though no name has them; None
            with another, which signs every declaration.
    """

    element: Any = field(repr=False)
    prefixes: tuple[str, ...] | None = field(repr=False)


def in_place(target: Any, signature: Any) -> bool:
    """Whether a signed element stands where forms of XMLDSig have it: around the signature, beside it, a child of the
    root, or in the signature as its object, its key or its properties. Anywhere else it was moved to.
    """
    parent = target.getparent()
    if parent is None or target in signature.iterancestors():
        return True
    if signature in target.iterancestors():
        above = [str(node.tag) for node in target.iterancestors()]
        between = above[: above.index(ds("Signature"))]
        if not between:
            return target.tag in (ds("Object"), ds("KeyInfo"))
        return target.tag == xades("SignedProperties") and between == [xades("QualifyingProperties"), ds("Object")]
    return parent is signature.getparent() or parent.getparent() is None


def judge_coverage(tree: Any, signatures: list[Any], covers: list[Cover], *, signed_only: bool) -> Check:
    """COVERAGE of the whole document by all its signatures together.

    Args:
        signed_only: whoever asks takes nothing but what is returned as signed, so that the rest does no harm.
    """
    loose = _unsigned(tree, signatures, covers)
    names = {cover.element.tag for cover in covers if cover.element is not None}
    names = {name for name in names if not name.startswith((ds(""), xades("")))}
    suspects = [inner for node in loose.elements for inner in node.iter(etree.Element)]
    if any(node.tag in names for node in (*suspects, *loose.frames)):
        return Check.failed("coverage.wrapped")
    if not len(loose):
        return Check.passed(CheckId.COVERAGE, covers="document")
    evidence = {"unsigned": loose.shown(), "unsigned_count": str(len(loose))}
    if signed_only or _is_known(tree, loose):
        return Check.passed(CheckId.COVERAGE, covers="elements", **evidence)
    return Check.failed("coverage.partial", **evidence)


@dataclass(slots=True)
class _Loose:
    """What nobody signed.

    Attributes:
        elements: elements that are unsigned with all that is in them.
        frames: unsigned elements around what is signed; harmless when they say nothing of their own.
        instructions: processing instructions outside of what is signed.
        others: (element, what of it): texts and attributes of frames, comments that cut a signed text.
    """

    elements: list[Any] = field(default_factory=list)
    frames: list[Any] = field(default_factory=list)
    instructions: list[Any] = field(default_factory=list)
    others: list[tuple[Any, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.elements) + len(self.instructions) + len(self.others)

    def shown(self) -> str:
        """Where the first of them are: paths of names, no text of the document."""
        places = [path_of(node) for node in self.elements[:_SHOWN]]
        places += [f"{path_of(node)}/{what}" for node, what in self.others[:_SHOWN]]
        places += [f"<?{node.target}?>" for node in self.instructions[:_SHOWN]]
        return " ".join(places[:_SHOWN])[:_SHOWN_CHARS]


def _is_known(tree: Any, loose: _Loose) -> bool:
    root = tree.getroot()
    plain = [node for node in loose.elements if node.getparent() is root and not node.attrib and not len(node)]
    named = [node.tag for node in plain]
    instructions = [node.target for node in loose.instructions]
    return (
        not loose.others
        and len(plain) == len(loose.elements)
        and len(set(named)) == len(named)
        and set(named) <= _UNSIGNED.get(root.tag, frozenset())
        and len(set(instructions)) == len(instructions)
        and set(instructions) <= _UNSIGNED_INSTRUCTIONS.get(root.tag, frozenset())
    )


def _unsigned(tree: Any, signatures: list[Any], covers: list[Cover]) -> _Loose:
    root = tree.getroot()
    loose = _Loose()
    whole = [cover for cover in covers if cover.element is None]
    if not whole:
        beside = [*root.itersiblings(preceding=True), *root.itersiblings()]
        loose.instructions += [node for node in beside if node.tag is etree.ProcessingInstruction]
    apexes = {root if cover.element is None else cover.element: cover for cover in covers}
    frames = {above for node in (*apexes, *signatures) for above in node.iterancestors()}
    todo = [root]
    while todo:
        node = todo.pop()
        if node in apexes:
            _commented(node, loose)
            _undeclared(node, apexes[node], loose)
        elif node in signatures:
            _in_signature(node, apexes, loose)
        elif node in frames:
            loose.frames.append(node)
            loose.others += [(node, f"@{etree.QName(name).localname}") for name in node.attrib]
            if any((text or "").strip(_BLANK) for text in (node.text, *(child.tail for child in node))):
                loose.others.append((node, "text()"))
            loose.instructions += [child for child in node if child.tag is etree.ProcessingInstruction]
            todo += reversed(elements(node))
        else:
            loose.elements.append(node)
    for signature in signatures:  # taken out of what it signs, it is looked at by itself
        if any(above in apexes for above in signature.iterancestors()):
            _in_signature(signature, apexes, loose)
    return loose


def _commented(node: Any, loose: _Loose) -> None:
    """A comment is not signed, so anybody can put one into a text: who reads only what stands before it reads another
    text than was signed."""
    for parent in dict.fromkeys(comment.getparent() for comment in node.iter(etree.Comment)):
        if any((text or "").strip(_BLANK) for text in (parent.text, *(child.tail for child in parent))):
            loose.others.append((parent, "comment()"))


def _undeclared(apex: Any, cover: Cover, loose: _Loose) -> None:
    """A value like ``xs:date`` means what its prefix does; exclusive canonicalization signs the prefixes of names only,
    so that anybody could declare this one anew."""
    if cover.prefixes is None:
        return
    above = apex.getparent()
    meant: dict[str, list[str]] = {} if above is None else {prefix or "": [uri] for prefix, uri in above.nsmap.items()}
    declared: list[str] = []
    named: Counter[tuple[str, str]] = Counter()  # how many of the elements around, this one included, have that name
    for event, node in etree.iterwalk(apex, events=("start", "end", "start-ns", "end-ns")):
        if event == "start-ns":
            declared.append(node[0] or "")
            meant.setdefault(declared[-1], []).append(node[1])
        elif event == "end-ns":
            meant[declared.pop()].pop()
        elif event == "end":
            named[_prefixed(node)] -= 1
        else:
            named[_prefixed(node)] += 1
            for value in (node.text, *node.attrib.values()):
                found = _QNAME.fullmatch(value or "")
                if found is None or found[1] in cover.prefixes:
                    continue
                here = meant.get(found[1])
                if here and not named[found[1], here[-1]]:
                    loose.others.append((node, "namespace()"))


def _prefixed(node: Any) -> tuple[str, str]:
    return node.prefix or "", etree.QName(node).namespace or ""


#: what stands in ds:KeyInfo and in unsigned properties: keys, certificates, revocation data, time-stamps
_OF_SIGNATURES = (ds(""), xades(""), "{http://www.w3.org/2009/xmldsig11#}", "{http://uri.etsi.org/01903/v1.4.1#}")


def _in_signature(signature: Any, apexes: Mapping[Any, Cover], loose: _Loose) -> None:
    """Objects of a signature that no reference covers; XAdES has its unsigned properties, which say nothing here.

    Nor does ``ds:KeyInfo``; but an element of the document's own in either could be taken for what is signed (A-35).
    """
    for part in elements(signature):
        if part in apexes:
            continue
        inside = elements(part)
        signed = part.tag != ds("Object") or (
            [xades("QualifyingProperties")] == [child.tag for child in inside]
            and all(child in apexes or child.tag == xades("UnsignedProperties") for child in elements(inside[0]))
            and not any((child or "").strip(_BLANK) for child in (part.text, *(child.tail for child in part)))
        )
        loose.elements += _strangers(part, apexes) if signed else [part]


def _strangers(part: Any, apexes: Mapping[Any, Cover]) -> list[Any]:
    """The elements of a part of a signature that do not belong to signatures, outermost ones only."""
    found: list[Any] = []
    todo = [part]
    while todo:
        node = todo.pop()
        if node in apexes:
            continue
        if node.tag.startswith(_OF_SIGNATURES):
            todo += reversed(elements(node))
        else:
            found.append(node)
    return found
