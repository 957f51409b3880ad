"""Reading XML from strangers, and the forms of it that are hashed: what signing and verification share.

No DTD, no entity, nothing from elsewhere; sizes and depth are bounded. Canonical XML comes from libxml2 through lxml,
which knows no node sets: an element is written as a document of its own, with what Canonical XML 1.0 §2.4 lets it
inherit when its parents are left out (the ``xml:`` attributes).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lxml import etree

from kojin_card.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_XML_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 200
MAX_NODES = 400_000
"""Elements, attributes, comments and processing instructions."""
MAX_ATTRIBUTES = 512
"""Of one element; namespaces in scope at one place as many: libxml2 sorts and looks them up one by one."""
MAX_NAMESPACE_CHARS = 32 * 1024 * 1024
"""Namespace names of all elements and attributes together: exclusive canonicalization may write each anew."""
ENCODINGS = frozenset({"UTF-8", "UTF-16", "UTF-16LE", "UTF-16BE", "US-ASCII", "ASCII", "SHIFT_JIS", "EUC-JP"})

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
XML = "http://www.w3.org/XML/1998/namespace"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
C14N_10 = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_11 = "http://www.w3.org/2006/12/xml-c14n11"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"

#: digests that may stand in a reference -> hashlib's name
DIGESTS: Mapping[str, str] = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}


class XmlError(DecodeError):
    """Not the XML that it should be."""

    code = "malformed_xml"


class XmlForbiddenError(XmlError):
    """A construct that lets a document mean something else than what stands in it, or than what was signed."""

    code = "forbidden_xml"


class XmlUnsupportedError(XmlError):
    """Well-formed, and larger or of another kind than what is read here."""

    code = "unsupported_xml"


class XmlAmbiguousError(XmlError):
    """One name for two things."""

    code = "ambiguous_xml"


@dataclass(frozen=True, slots=True)
class Canonical:
    """One way of canonicalization, comments left out.

    Attributes:
        inherits: local names of the ``xml:`` attributes that an element takes from parents that are not written; None
            for all of them.
    """

    uri: str
    exclusive: bool
    inherits: frozenset[str] | None


#: the ways that are read. With comments there is none: what they say is never signed here.
CANONICAL: Mapping[str, Canonical] = {
    C14N_10: Canonical(C14N_10, False, None),
    C14N_11: Canonical(C14N_11, False, frozenset({"lang", "space"})),
    EXCLUSIVE: Canonical(EXCLUSIVE, True, frozenset()),
}


def read_xml(data: bytes) -> Any:
    """The document (lxml's ElementTree).

    Raises:
        XmlForbiddenError: it has a DTD or an entity.
        XmlUnsupportedError: too large, too deep, too many nodes, a text over 10 MB, another encoding.
        XmlError: not well-formed.
    """
    if len(data) > MAX_XML_BYTES:
        raise XmlUnsupportedError("XML larger than 16 MiB")
    if _has_doctype(data):
        raise XmlForbiddenError("a document type")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, attribute_defaults=False, huge_tree=False
    )
    problem = "not well-formed XML"
    tree = None
    try:
        tree = etree.fromstring(data, parser).getroottree()
    except (etree.XMLSyntaxError, ValueError, LookupError) as bad:
        if "depth" in str(bad).lower() or "huge" in str(bad).lower():
            raise XmlUnsupportedError("too deep, or a text that is too long") from None
    if tree is None:
        raise XmlError(problem)
    info = tree.docinfo
    if info.internalDTD is not None or info.externalDTD is not None:
        raise XmlForbiddenError("a document type")
    if (info.encoding or "UTF-8").upper() not in ENCODINGS:
        raise XmlUnsupportedError("an encoding that is not read here")
    if info.xml_version != "1.0":
        raise XmlUnsupportedError("not of XML version 1.0")
    _bound(tree)
    return tree


def _has_doctype(data: bytes) -> bool:
    """Whether the prolog has one, seen before a parser does; declarations of entities are not even counted."""
    text = data.replace(b"\x00", b"") if b"\x00" in data[:64] else data
    at = 0
    for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
        if text.startswith(mark):
            at = len(mark)
    while True:
        while text[at : at + 1].isspace():
            at += 1
        ends = {b"<?": b"?>", b"<!--": b"-->"}
        begun = next((start for start in ends if text.startswith(start, at)), None)
        if begun is None:
            return text.startswith(b"<!DOCTYPE", at)
        end = text.find(ends[begun], at + len(begun))
        if end < 0:
            return False
        at = end + len(ends[begun])


def _bound(tree: Any) -> None:
    depth = nodes = namespaces = in_scope = attributes = 0
    for event, node in etree.iterwalk(tree, events=("start", "end", "comment", "pi", "start-ns", "end-ns")):
        if event in ("end", "end-ns", "start-ns"):
            depth -= event == "end"
            in_scope += {"start-ns": 1, "end-ns": -1}.get(event, 0)
            if in_scope > MAX_ATTRIBUTES:
                break
            continue
        if node.tag is etree.Entity:
            raise XmlForbiddenError("an entity")
        nodes += 1
        if event == "start":
            depth += 1
            attributes = len(node.attrib)
            nodes += attributes
            if attributes <= MAX_ATTRIBUTES:
                namespaces += sum(name.find("}") for name in (node.tag, *node.attrib) if name.startswith("{"))
        if depth > MAX_DEPTH or nodes > MAX_NODES or namespaces > MAX_NAMESPACE_CHARS or attributes > MAX_ATTRIBUTES:
            break
    else:
        return
    raise XmlUnsupportedError("too deep, or too many elements")


# --- names and places -------------------------------------------------------------------------------------------------


def ds(name: str) -> str:
    """A name of XMLDSig as lxml spells it."""
    return f"{{{DS}}}{name}"


def xades(name: str) -> str:
    """A name of XAdES 1.3.2."""
    return f"{{{XADES}}}{name}"


def elements(node: Any) -> list[Any]:
    """The child elements: no comments, no processing instructions."""
    return [child for child in node if isinstance(child.tag, str)]


def signatures(tree: Any) -> list[Any]:
    """Every ``ds:Signature``, wherever it stands, in document order."""
    return list(tree.getroot().iter(ds("Signature")))


def identifiers(tree: Any) -> dict[str, list[Any]]:
    """Value -> the elements that have it in any attribute that somebody might take for an Id.

    ``Id``, ``ID``, ``id``, ``xml:id``, ``wsu:Id``: without a DTD nobody knows which are of type ID, and readers differ.
    Blanks around a value are taken off, as some readers do.
    """
    found: dict[str, list[Any]] = {}
    for node in tree.getroot().iter(etree.Element):
        for name, value in node.attrib.items():
            if etree.QName(name).localname.lower() == "id":
                found.setdefault(" ".join(value.split()), []).append(node)
    return found


def by_id(index: Mapping[str, list[Any]], wanted: str) -> Any:
    """The one element of that Id.

    Raises:
        XmlAmbiguousError: there are several.
        XmlError: there is none.
    """
    found = index.get(wanted, [])
    if len(found) > 1:
        raise XmlAmbiguousError("an Id that stands twice")
    if not found:
        raise XmlError("a reference to an Id that is not there")
    return found[0]


def path_of(node: Any) -> str:
    """Where an element stands, by local names and places among its equals: ``/DataRoot[1]/ApplData[1]``."""
    steps = []
    while node is not None:
        parent = node.getparent()
        equals = [node] if parent is None else [other for other in parent if other.tag == node.tag]
        steps.append(f"{etree.QName(node).localname}[{equals.index(node) + 1}]")
        node = parent
    return "/" + "/".join(reversed(steps))


# --- octets -----------------------------------------------------------------------------------------------------------


def canonical(tree: Any, node: Any, way: Canonical, prefixes: tuple[str, ...] = ()) -> bytes:
    """Canonical octets of an element with all that is in it; of the whole document with ``node`` None (then with the
    processing instructions beside the root).

    Args:
        prefixes: InclusiveNamespaces of exclusive canonicalization.

    Raises:
        XmlError: libxml2 cannot write it (a relative namespace name).
        XmlUnsupportedError: an inherited ``xml:base``, which Canonical XML 1.1 §2.4 would have us compute; the default
            namespace among ``prefixes`` where there is one, which lxml passes over in silence.
    """
    options: dict[str, Any] = {"method": "c14n", "exclusive": way.exclusive, "with_comments": False}
    if way.exclusive and prefixes:
        options["inclusive_ns_prefixes"] = list(prefixes)
    try:
        written = tree if node is None else alone(node, inherits(node, way))
        if "#default" in prefixes and any(not prefix for _, (prefix, _) in etree.iterwalk(written, ("start-ns",))):
            raise XmlUnsupportedError("a default namespace that is signed by name")
        return bytes(etree.tostring(written, **options))
    except (etree.LxmlError, ValueError):
        pass
    raise XmlError("it has no canonical form")


def alone(node: Any, attributes: Mapping[str, str] | None = None) -> Any:
    """An element as a document of its own, the namespaces that it inherits declared on it.

    lxml (6.1 with libxml2 2.14) writes ``xmlns=""`` into the canonical form of an element that inherits a default
    namespace, from its grandchildren down; into that of a root it does not.
    """
    written = etree.tostring(node, encoding="UTF-8", with_tail=False)
    root = etree.fromstring(written, etree.XMLParser(resolve_entities=False, no_network=True))
    for name, value in (attributes or {}).items():
        root.set(name, value)
    return root.getroottree()


def inherits(node: Any, way: Canonical) -> dict[str, str]:
    """The ``xml:`` attributes that the element gets from parents when it is written alone.

    Raises:
        XmlUnsupportedError: see :func:`canonical`.
    """
    found: dict[str, str] = {}
    if way.exclusive:
        return found
    for parent in node.iterancestors():
        for name, value in parent.attrib.items():
            if name.startswith(f"{{{XML}}}") and name not in node.attrib:
                if way.inherits is None or etree.QName(name).localname in way.inherits:
                    found.setdefault(name, value)
                elif etree.QName(name).localname == "base":
                    raise XmlUnsupportedError("xml:base around what is signed")
    return found


def without(tree: Any, node: Any, target: Any = None) -> tuple[Any, Any]:
    """A copy of the document in which ``node`` (not the root) is not; the text after it stays.

    A copy, because lxml renames the prefixes in what is taken out and put back, to those of the same namespaces there.

    Args:
        target: an element around ``node``, or itself.

    Returns:
        the copy, and what ``target`` is in it; the latter None without one.

    Raises:
        XmlError: it is the root.
    """
    if node.getparent() is None:
        raise XmlError("an enveloped signature that has nothing around it")
    place = place_of(node)
    copied = copy.deepcopy(tree)
    gone = at_place(copied.getroot(), place)
    meant = None if target is None else at_place(copied.getroot(), place_of(target))
    parent, before, tail = gone.getparent(), gone.getprevious(), gone.tail or ""
    gone.tail = None
    parent.remove(gone)
    if before is None:
        parent.text = (parent.text or "") + tail or None
    else:
        before.tail = (before.tail or "") + tail or None
    return copied, meant


def place_of(node: Any) -> tuple[int, ...]:
    """Where a node stands: the places of children, comments counted, from the root down."""
    steps = []
    while (parent := node.getparent()) is not None:
        steps.append(parent.index(node))
        node = parent
    return tuple(reversed(steps))


def at_place(root: Any, place: tuple[int, ...]) -> Any:
    """The node at a place of :func:`place_of`."""
    for step in place:
        root = root[step]
    return root
