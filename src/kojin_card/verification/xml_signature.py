"""One ``ds:Signature`` (XMLDSig, XAdES), read strictly: what may stand in it is listed, anything else is refused.

This stands in front of everything that computes (jpki.md §6 A-35): libraries follow transforms and references that are
not known here, or pass over them in silence.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus

from kojin_card.xml_reader import (
    C14N_10,
    CANONICAL,
    DIGESTS,
    ENVELOPED,
    EXCLUSIVE,
    SIGNED_PROPERTIES,
    Canonical,
    XmlAmbiguousError,
    XmlError,
    XmlForbiddenError,
    XmlUnsupportedError,
    ds,
    elements,
    xades,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_REFERENCES = 64
MAX_CERTIFICATES = 16
MAX_OBJECTS = 16
MAX_PREFIXES = 32
_BLANK = " \t\r\n"
_OBJECT = "http://www.w3.org/2000/09/xmldsig#Object"
_TYPES = frozenset({None, _OBJECT, SIGNED_PROPERTIES})
_SCHEME_OR_PATH = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:|[/\\?#\x00-\x1f\x7f]|^\.{0,2}$")
_XPOINTER = re.compile(r"^xpointer\(|[()]")


@dataclass(frozen=True, slots=True)
class Reference:
    """What a signature says it covers.

    Attributes:
        target: the Id of an element, None for the whole document, where ``uri`` is None or a fragment.
        names: how the attachment that it means may be called, empty for a reference into the document.
        enveloped: the enveloped-signature transform is there. It stands before canonicalization or after it (the
            template of the J-LIS client, jpki.md §5): the octets are the same.
        octets: how the element becomes octets; by default as XMLDSig §4.4.3.2 says, Canonical XML 1.0.
    """

    uri: str = field(repr=False)
    target: str | None = field(repr=False)
    names: frozenset[str] = field(repr=False)
    type: str | None
    enveloped: bool
    way: Canonical
    prefixes: tuple[str, ...]
    digest_method: str
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Properties:
    """The signed properties of XAdES (EN 319 132-1 §5).

    Attributes:
        element: ``xades:SignedProperties``.
        certificate: (digest algorithm, digest) of the first certificate named, the signer's; None without.
        signing_time: what the signer's clock claimed; None without one, or one without its zone.
        unsigned: there are unsigned properties (time stamps, certificates, lists); nothing of them is looked at.
    """

    element: Any = field(repr=False)
    certificate: tuple[str, bytes] | None = field(repr=False)
    signing_time: datetime | None
    unsigned: bool


@dataclass(frozen=True, slots=True)
class XmlSignature:
    """A signature as read; nothing of it is checked yet.

    Attributes:
        key_values: ``ds:KeyValue`` elements: never used, but they must be the certificate's.
        serials: serial numbers of ``ds:X509IssuerSerial``.
    """

    element: Any = field(repr=False)
    signed_info: Any = field(repr=False)
    way: Canonical
    prefixes: tuple[str, ...]
    method: str
    value: bytes = field(repr=False)
    references: tuple[Reference, ...]
    certificates: tuple[bytes, ...] = field(repr=False)
    serials: tuple[int, ...] = field(repr=False)
    key_values: tuple[Any, ...] = field(repr=False)
    key_info: Any = field(repr=False)
    properties: Properties | None = field(repr=False)


def read_signature(element: Any) -> XmlSignature:
    """Read one ``ds:Signature``.

    Raises:
        XmlForbiddenError: a transform, canonicalization or reference that is not on the list.
        XmlUnsupportedError: a manifest, a signature inside this one, more of anything than is read here.
        XmlAmbiguousError: two signed properties.
        XmlError: anything that is not as XMLDSig says.
    """
    if any(node is not element for node in element.iter(ds("Signature"))):
        raise XmlUnsupportedError("a signature inside a signature")
    if next(element.iter(ds("Manifest")), None) is not None:
        raise XmlUnsupportedError("a manifest")
    children = elements(element)
    names = [child.tag for child in children]
    if names[:2] != [ds("SignedInfo"), ds("SignatureValue")]:
        raise XmlError("not SignedInfo and SignatureValue, once each")
    rest = children[2:]
    key_info = rest.pop(0) if rest and rest[0].tag == ds("KeyInfo") else None
    if any(child.tag != ds("Object") for child in rest):
        raise XmlError("something in a signature that does not belong there")
    if len(rest) > MAX_OBJECTS:
        raise XmlUnsupportedError("too many objects")
    _only(element, {"Id"})
    info, value = children[0], children[1]
    way, prefixes, method, references = _signed_info(info)
    certificates, serials, key_values = _key_info(key_info)
    return XmlSignature(
        element,
        info,
        way,
        prefixes,
        method,
        base64_of(value),
        references,
        certificates,
        serials,
        key_values,
        key_info,
        _properties(element, rest),
    )


def _only(node: Any, attributes: set[str]) -> None:
    """No other attributes, and no text between the children.

    Raises:
        XmlError: there is.
    """
    texts = [node.text, *(child.tail for child in node)]
    if not set(node.attrib) <= attributes or any((text or "").strip(_BLANK) for text in texts):
        raise XmlError("something in a signature that does not belong there")


def _leaf(node: Any) -> str:
    """The text of an element that has nothing else: no child, and no comment that would cut it (A-35)."""
    if len(node):
        raise XmlError("something inside a value")
    return node.text or ""


def base64_of(node: Any) -> bytes:
    """The octets of a base64 value, strictly; blanks are allowed.

    Raises:
        XmlError: not base64, or empty.
    """
    text = "".join(_leaf(node).split())
    value = b""
    with contextlib.suppress(binascii.Error, ValueError):
        value = base64.b64decode(text, validate=True)
    if not value:
        raise XmlError("not base64")
    return value


# --- SignedInfo -------------------------------------------------------------------------------------------------------


def _signed_info(info: Any) -> tuple[Canonical, tuple[str, ...], str, tuple[Reference, ...]]:
    children = elements(info)
    _only(info, {"Id"})
    if [child.tag for child in children[:2]] != [ds("CanonicalizationMethod"), ds("SignatureMethod")]:
        raise XmlError("not CanonicalizationMethod and SignatureMethod, once each")
    references = children[2:]
    if not references or any(child.tag != ds("Reference") for child in references):
        raise XmlError("no reference, or something else among the references")
    if len(references) > MAX_REFERENCES:
        raise XmlUnsupportedError("too many references")
    way, prefixes = _way(children[0])
    method = children[1]
    _only(method, {"Algorithm"})
    if elements(method):  # HMACOutputLength, parameters of PSS
        raise XmlForbiddenError("a signature method with parameters")
    return way, prefixes, method.get("Algorithm", ""), tuple(_reference(child) for child in references)


def _way(node: Any) -> tuple[Canonical, tuple[str, ...]]:
    _only(node, {"Algorithm"})
    way = CANONICAL.get(node.get("Algorithm", ""))
    if way is None:
        raise XmlForbiddenError("a transform that is not on the list")
    inside = elements(node)
    if not inside:
        return way, ()
    if not way.exclusive or len(inside) > 1 or inside[0].tag != f"{{{EXCLUSIVE}}}InclusiveNamespaces":
        raise XmlForbiddenError("a transform with parameters")
    _only(inside[0], {"PrefixList"})
    prefixes = tuple(inside[0].get("PrefixList", "").split())
    if len(inside[0]) or len(prefixes) > MAX_PREFIXES:
        raise XmlForbiddenError("a transform with parameters")
    return way, prefixes


def _reference(node: Any) -> Reference:
    _only(node, {"Id", "URI", "Type"})
    children = elements(node)
    transforms: list[Any] = []
    if children and children[0].tag == ds("Transforms"):
        holder = children.pop(0)
        _only(holder, set())
        transforms = elements(holder)
        if not transforms:
            raise XmlError("no transform among the transforms")
    if [child.tag for child in children] != [ds("DigestMethod"), ds("DigestValue")]:
        raise XmlError("not DigestMethod and DigestValue, once each")
    _only(children[0], {"Algorithm"})
    if elements(children[0]):
        raise XmlForbiddenError("a digest method with parameters")
    kind = node.get("Type")
    if kind not in _TYPES:
        raise XmlUnsupportedError("a reference of another type")
    uri = node.get("URI")
    if uri is None:
        raise XmlForbiddenError("a reference that does not say to what")
    target, names = _target(uri)
    enveloped, way, prefixes = _transforms(transforms, attachment=bool(names))
    return Reference(
        uri,
        target,
        names,
        kind,
        enveloped,
        way,
        prefixes,
        children[0].get("Algorithm", ""),
        base64_of(children[1]),
    )


def _target(uri: str) -> tuple[str | None, frozenset[str]]:
    """Whether it means the document, an element or an attachment; nothing else, and nothing to be fetched."""
    if uri == "":
        return None, frozenset()
    if uri.startswith("#"):
        wanted = _unquoted(uri[1:])  # e-Gov's writers quote 構成情報 here too
        if not wanted or wanted != " ".join(wanted.split()) or _XPOINTER.search(wanted):
            raise XmlForbiddenError("a reference that is not a plain Id")
        return wanted, frozenset()
    names = frozenset({_unquoted(uri), unquote_plus(uri)})
    if any(_SCHEME_OR_PATH.search(name) for name in (uri, *names)):
        raise XmlForbiddenError("a reference to something elsewhere")
    return None, names


def _unquoted(text: str) -> str:
    with contextlib.suppress(UnicodeDecodeError):
        return unquote(text, errors="strict")
    raise XmlForbiddenError("a reference that is not UTF-8")


def _transforms(nodes: list[Any], *, attachment: bool) -> tuple[bool, Canonical, tuple[str, ...]]:
    """At most the signature taken out and one canonicalization, in either order."""
    if len(nodes) > 2 or any(node.tag != ds("Transform") for node in nodes):
        raise XmlForbiddenError("a chain of transforms")
    if attachment and nodes:
        raise XmlForbiddenError("a transform of an attachment")
    enveloped, found = False, []
    for node in nodes:
        if node.get("Algorithm") != ENVELOPED:
            found.append(_way(node))
            continue
        _only(node, {"Algorithm"})
        if elements(node) or enveloped:
            raise XmlForbiddenError("a chain of transforms")
        enveloped = True
    if len(found) > 1:
        raise XmlForbiddenError("a chain of transforms")
    way, prefixes = found[0] if found else (CANONICAL[C14N_10], ())
    return enveloped, way, prefixes


# --- KeyInfo ----------------------------------------------------------------------------------------------------------


def _key_info(node: Any) -> tuple[tuple[bytes, ...], tuple[int, ...], tuple[Any, ...]]:
    """Certificates offered, serials named, and keys that stand beside them. Nothing else of KeyInfo is looked at."""
    if node is None:
        return (), (), ()
    data = [child for child in elements(node) if child.tag == ds("X509Data")]
    ders = [base64_of(cert) for one in data for cert in elements(one) if cert.tag == ds("X509Certificate")]
    if len(ders) > MAX_CERTIFICATES:
        raise XmlUnsupportedError("too many certificates")
    serials = []
    for one in data:
        for pair in elements(one):
            if pair.tag == ds("X509IssuerSerial"):
                inside = elements(pair)
                if [child.tag for child in inside] != [ds("X509IssuerName"), ds("X509SerialNumber")]:
                    raise XmlError("not X509IssuerName and X509SerialNumber, once each")
                number = _leaf(inside[1]).strip(_BLANK)
                if not re.fullmatch(r"[0-9]{1,60}", number):
                    raise XmlError("a serial that is not a number")
                serials.append(int(number))
    keys = [child for child in elements(node) if child.tag.endswith(("}KeyValue", "}DEREncodedKeyValue"))]
    return tuple(dict.fromkeys(ders)), tuple(serials), tuple(keys)


# --- XAdES ------------------------------------------------------------------------------------------------------------


def _properties(signature: Any, objects: list[Any]) -> Properties | None:
    """The signed properties, where there are any; all of them must be of this signature and in their place."""
    inside = [child for one in objects for child in elements(one) if child.tag == xades("QualifyingProperties")]
    if not inside:
        return None
    if len(inside) > 1:
        raise XmlAmbiguousError("two qualifying properties")
    holder = inside[0]
    _only(holder, {"Target", "Id"})
    if not signature.get("Id") or holder.get("Target") != f"#{signature.get('Id')}":
        raise XmlError("qualifying properties of another signature")
    children = elements(holder)
    names = [child.tag for child in children]
    if names not in ([xades("SignedProperties")], [xades("SignedProperties"), xades("UnsignedProperties")]):
        raise XmlError("not the properties that XAdES has")
    signed = children[0]
    found = elements(signed)
    if not found or found[0].tag != xades("SignedSignatureProperties"):
        raise XmlError("not the properties that XAdES has")
    values: Mapping[str, list[Any]] = {
        name: [child for child in elements(found[0]) if child.tag == xades(name)]
        for name in ("SigningTime", "SigningCertificate", "SigningCertificateV2")
    }
    if any(len(each) > 1 for each in values.values()):
        raise XmlAmbiguousError("a signed property that stands twice")
    named = values["SigningCertificateV2"] or values["SigningCertificate"]
    return Properties(
        signed,
        _named_certificate(named[0]) if named else None,
        _time(values["SigningTime"][0]) if values["SigningTime"] else None,
        len(children) > 1,
    )


def _named_certificate(node: Any) -> tuple[str, bytes]:
    certificates = elements(node)
    if not certificates or any(child.tag != xades("Cert") for child in certificates):
        raise XmlError("not the properties that XAdES has")
    inside = elements(certificates[0])
    if not inside or inside[0].tag != xades("CertDigest"):
        raise XmlError("not the properties that XAdES has")
    digest = elements(inside[0])
    if [child.tag for child in digest] != [ds("DigestMethod"), ds("DigestValue")]:
        raise XmlError("not the properties that XAdES has")
    name = DIGESTS.get(digest[0].get("Algorithm", ""))
    if name is None:
        raise XmlUnsupportedError("a certificate named by a digest that is not SHA-2")
    return name, base64_of(digest[1])


def _time(node: Any) -> datetime | None:
    """SigningTime in UTC; None when it names no zone, which XML Schema allows."""
    claimed = None
    with contextlib.suppress(ValueError, OverflowError):
        said = datetime.fromisoformat(_leaf(node).strip(_BLANK))
        claimed = said if said.utcoffset() is None else said.astimezone(UTC)
    if claimed is None:
        raise XmlError("a signing time that is none")
    return claimed if claimed.utcoffset() is not None else None
