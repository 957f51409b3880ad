"""Signing XML (XMLDSig, XAdES-BES): a ``ds:Signature`` put into the document, by a table of forms.

signxml writes none of these: the order of the J-LIS client's transforms, references to files beside the document, and
a signing time that is given. So signatures are written here, all by one road; that others can read them is what the
tests show (signxml, xmlsec1). A document that cannot be signed is refused before the card is asked; :func:`check_xml`
refuses it before there is a signer at all.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lxml import etree

from kojin_card.errors import InputError, UsageError
from kojin_card.pki.algorithms import ecdsa_plain
from kojin_card.signing.signer import Identity, sign_message
from kojin_card.xml_reader import (
    C14N_10,
    CANONICAL,
    DIGESTS,
    DS,
    ECDSA_SHA384,
    ENVELOPED,
    RSA_SHA256,
    SIGNED_PROPERTIES,
    XADES,
    XmlError,
    by_id,
    canonical,
    ds,
    identifiers,
    read_xml,
    signatures,
    without,
    xades,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kojin_card.signing.signer import Signer

MAX_ATTACHMENTS = 63
"""A verifier takes 64 references, one is for the document."""
MAX_ATTACHED_BYTES = 128 * 1024 * 1024
MAX_NAME_CHARS = 255
_OPERATION = "sign XML"


class XmlForm(StrEnum):
    """Which kind of signature the receiver wants."""

    ENVELOPED = "enveloped"
    """XMLDSig over the whole document, the signature as the last child of its root. Canonical XML 1.0, which signs
    every namespace declaration too."""

    XADES = "xades"
    """The same with the signed properties of XAdES-BES (EN 319 132-1): signing time and certificate."""

    JLIS = "jlis"
    """The template of J-LIS's client library (利用者クライアントソフト; jpki.md §5). Nobody published what its octets
    are; that C14N before or after the signature is taken out gives the same is our own reading (assumption)."""

    EGOV = "egov"
    """e-Gov 電子申請 (構成管理情報): one element by its Id, and files beside the document (jpki.md §5)."""


@dataclass(frozen=True, slots=True)
class _FormRules:
    """One row of the table of forms.

    Attributes:
        signature_id: Id of the Signature; None for none, empty for one made of the document's digest.
        element_id: the Id that is signed where the caller names no other; None signs the whole document.
        transforms: in their order.
        place: name of the root's child into which the signature goes where there is one; else the root itself.
        attachments: files beside the document may be signed with it.
    """

    signature_id: str | None
    reference_id: str | None
    element_id: str | None
    canonical: str
    transforms: tuple[str, ...]
    place: str | None = None
    attachments: bool = False
    issuer_serial: bool = False
    properties: bool = False


_FORMS: Mapping[XmlForm, _FormRules] = {
    XmlForm.ENVELOPED: _FormRules(None, None, None, C14N_10, (ENVELOPED, C14N_10)),
    XmlForm.XADES: _FormRules("", None, None, C14N_10, (ENVELOPED, C14N_10), properties=True),
    XmlForm.JLIS: _FormRules("Signature", "構成管理の署名", None, C14N_10, (C14N_10, ENVELOPED)),
    XmlForm.EGOV: _FormRules(
        None, None, "ApplData", C14N_10, (C14N_10,), place="署名情報", attachments=True, issuer_serial=True
    ),
}

#: id of a row of the table of signature schemes -> (what XML calls it, signature as X.509 has it -> as XML has it)
_METHODS: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
    "rsa-2048-sha256": (RSA_SHA256, bytes),
    "p384-sha384": (ECDSA_SHA384, ecdsa_plain),
}
_DIGEST_URIS = {name: uri for uri, name in DIGESTS.items()}


def sign_xml(
    signer: Signer,
    document: bytes,
    *,
    form: XmlForm = XmlForm.ENVELOPED,
    now: datetime | None = None,
    attachments: Mapping[str, bytes] | None = None,
    element_id: str | None = None,
) -> bytes:
    """Sign an XML document with 署名用電子証明書.

    Args:
        now: aware time for XAdES's SigningTime: what a clock says, no proof of time; the system's when left out.
        attachments: file name -> bytes, signed with the document by name (e-Gov alone). The receiver needs them too.
        element_id: the Id of the element to sign, where the form signs one (e-Gov; ``ApplData`` when left out).

    Returns:
        The document with the signature in it, UTF-8. Comments and whatever stands outside of what the form signs are
        kept, and not signed.

    Raises:
        InputError: not an XML document that can be signed: malformed, with a DTD, too large, signed already, the
            element or its one Id not there. The card was not asked.
        UsageError: attachments or an Id that the form has no place for, a name that is not a plain file name, a time
            without zone, a certificate not meant for documents.
        SignatureMismatch: the card's answer does not verify.
        KojinError: whatever the signer raises.
    """
    plan = _Plan.of(document, XmlForm(form), now, attachments, element_id)
    identity = Identity.of(signer)
    identity.require_document_key()
    return plan.sign(signer, identity)


def check_xml(
    document: bytes,
    *,
    form: XmlForm = XmlForm.ENVELOPED,
    now: datetime | None = None,
    attachments: Mapping[str, bytes] | None = None,
    element_id: str | None = None,
) -> None:
    """Whether :func:`sign_xml` would take these arguments, found out without a signer: call it before asking for a PIN.

    Raises:
        InputError, UsageError: see :func:`sign_xml`.
    """
    _Plan.of(document, XmlForm(form), now, attachments, element_id)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A document that can be signed, and all that goes into its signature but what depends on the key."""

    rules: _FormRules
    tree: Any = field(repr=False)
    target: Any = field(repr=False)
    place: Any = field(repr=False)
    signature_id: str | None
    now: datetime
    attachments: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def of(
        cls,
        document: bytes,
        form: XmlForm,
        now: datetime | None,
        attachments: Mapping[str, bytes] | None,
        element_id: str | None,
    ) -> _Plan:
        """All that can be refused without a signer."""
        rules = _FORMS[form]
        now = datetime.now(UTC) if now is None else now
        if now.utcoffset() is None:
            raise UsageError("the time of a signature needs a time zone")
        given = dict(attachments or {})
        _require_attachments(rules, given)
        if element_id is not None and rules.element_id is None:
            raise UsageError("this form signs the whole document", operation=_OPERATION)
        try:
            tree = read_xml(document)
            index = identifiers(tree)
            wanted = rules.element_id if element_id is None else element_id
            target = None if wanted is None else by_id(index, wanted)
            canonical(tree, target, CANONICAL[rules.canonical])
        except XmlError as bad:
            raise InputError(bad.message, operation=_OPERATION) from None
        root = tree.getroot()
        inside = None if rules.place is None else root.find(rules.place)
        place = root if inside is None else inside
        if signatures(tree):
            raise InputError("the document is signed already", operation=_OPERATION)
        if target is not None and (target is root or target is place or target.getparent() is not root):
            raise InputError("the element to sign is not a child of the root", operation=_OPERATION)
        signature_id = rules.signature_id
        if signature_id == "":
            signature_id = f"xmldsig-{hashlib.sha256(document).hexdigest()[:32]}"
        made = [name for name in (signature_id, rules.reference_id) if name]
        if signature_id and rules.properties:
            made.append(f"{signature_id}-signedprops")
        if any(name in index for name in made):
            raise InputError("an Id of the signature stands in the document already", operation=_OPERATION)
        return cls(rules, tree, target, place, signature_id, now, given)

    def sign(self, signer: Signer, identity: Identity) -> bytes:
        """Put the signature in, everything but its value; then ask the card, once."""
        rules, scheme = self.rules, identity.scheme
        method, as_xml = _METHODS[scheme.id]
        hash_name, digest_uri = scheme.hash, _DIGEST_URIS[scheme.hash]
        signature = etree.SubElement(self.place, ds("Signature"), nsmap={None: DS})
        if self.signature_id is not None:
            signature.set("Id", self.signature_id)
        info = etree.SubElement(signature, ds("SignedInfo"))
        etree.SubElement(info, ds("CanonicalizationMethod"), Algorithm=rules.canonical)
        etree.SubElement(info, ds("SignatureMethod"), Algorithm=method)
        value = etree.SubElement(signature, ds("SignatureValue"))
        self._key_info(signature, identity)
        way = CANONICAL[rules.canonical]
        signed = without(self.tree, signature) if self.target is None else (self.tree, self.target)
        octets = canonical(*signed, way)
        uri = "" if self.target is None else f"#{quote(self._target_id(), safe=_PRINTABLE)}"
        reference = _reference(info, uri, digest_uri, hash_name, octets, rules.transforms)
        if rules.reference_id is not None:
            reference.set("Id", rules.reference_id)
        for name, content in self.attachments.items():
            _reference(info, quote(name), digest_uri, hash_name, content)
        if rules.properties:
            stated = self._properties(signature, identity, digest_uri)
            octets = canonical(self.tree, stated, way)
            last = _reference(info, f"#{stated.get('Id')}", digest_uri, hash_name, octets, (rules.canonical,))
            last.set("Type", SIGNED_PROPERTIES)
        made = sign_message(signer, canonical(self.tree, info, way), identity=identity)
        value.text = _base64(as_xml(made))
        return bytes(etree.tostring(self.tree, encoding="UTF-8", xml_declaration=True))

    def _target_id(self) -> str:
        found = [text for name, text in self.target.attrib.items() if etree.QName(name).localname.lower() == "id"]
        return str(found[0])

    def _key_info(self, signature: Any, identity: Identity) -> None:
        data = etree.SubElement(etree.SubElement(signature, ds("KeyInfo")), ds("X509Data"))
        if self.rules.issuer_serial:
            pair = etree.SubElement(data, ds("X509IssuerSerial"))
            etree.SubElement(pair, ds("X509IssuerName")).text = identity.parsed.issuer.rfc4514_string()
            etree.SubElement(pair, ds("X509SerialNumber")).text = str(identity.parsed.serial_number)
        etree.SubElement(data, ds("X509Certificate")).text = _base64(identity.certificate)

    def _properties(self, signature: Any, identity: Identity, digest_uri: str) -> Any:
        """XAdES-BES: SigningTime and SigningCertificateV2 (EN 319 132-1 §5.2.1, §5.2.2)."""
        holder = etree.SubElement(
            etree.SubElement(signature, ds("Object")), xades("QualifyingProperties"), nsmap={"xades": XADES}
        )
        holder.set("Target", f"#{self.signature_id}")
        signed = etree.SubElement(holder, xades("SignedProperties"), Id=f"{self.signature_id}-signedprops")
        about = etree.SubElement(signed, xades("SignedSignatureProperties"))
        moment = self.now.astimezone(UTC).replace(microsecond=0)
        etree.SubElement(about, xades("SigningTime")).text = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        named = etree.SubElement(etree.SubElement(about, xades("SigningCertificateV2")), xades("Cert"))
        digest = etree.SubElement(named, xades("CertDigest"))
        etree.SubElement(digest, ds("DigestMethod"), Algorithm=digest_uri)
        etree.SubElement(digest, ds("DigestValue")).text = _base64(identity.scheme.digest(identity.certificate))
        return signed


#: what stands in a reference as it is; anything else, Japanese above all, is percent-encoded UTF-8
_PRINTABLE = "-._~!$&'*+,;=:@"


def _reference(
    info: Any, uri: str, digest_uri: str, hash_name: str, octets: bytes, transforms: tuple[str, ...] = ()
) -> Any:
    reference = etree.SubElement(info, ds("Reference"), URI=uri)
    if transforms:
        holder = etree.SubElement(reference, ds("Transforms"))
        for algorithm in transforms:
            etree.SubElement(holder, ds("Transform"), Algorithm=algorithm)
    etree.SubElement(reference, ds("DigestMethod"), Algorithm=digest_uri)
    etree.SubElement(reference, ds("DigestValue")).text = _base64(hashlib.new(hash_name, octets).digest())
    return reference


def _require_attachments(rules: _FormRules, given: Mapping[str, bytes]) -> None:
    if given and not rules.attachments:
        raise UsageError("this form has no attachments", operation=_OPERATION)
    for name in given:
        plain = name.isprintable() and not set(name) & set('/\\:?#%+"<>|*') and name.strip() == name
        if not plain or not 0 < len(name) <= MAX_NAME_CHARS or name in (".", ".."):
            raise UsageError("an attachment is called by a plain file name", operation=_OPERATION)
    if len(given) > MAX_ATTACHMENTS or sum(map(len, given.values())) > MAX_ATTACHED_BYTES:
        raise InputError("more attachments than are signed here", operation=_OPERATION)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
