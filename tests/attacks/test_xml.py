"""Attacks on signed XML (jpki.md §6 A-35): wrapping, transforms, references, DTDs, keys, and bombs.

Each row is a document and the reason that its verdict must give; documents are typed in :mod:`forge_xml`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attacks.forge import certificate, key, padded, pki, rsa_sign, verifier
from kojin_card.errors import InputError
from kojin_card.pki.profile import Purpose
from kojin_card.testing.forge_xml import (
    C14N,
    DOCUMENT,
    DS,
    ENVELOPED,
    EXCLUSIVE,
    HERE,
    RSA_SHA256,
    SIGNED_PROPERTIES,
    XADES,
    Reference,
    Xml,
    base64_text,
    element,
    properties,
)
from kojin_card.verdict import Indication, Verdict

A = '<a Id="a"><pay>1000</pay></a>'
APART = A.replace("<a ", '<a xmlns="" ')
EVIL = "<a><pay>9000</pay></a>"
BESIDE = f"<r>{A}{HERE}</r>"
EGOV = (
    '<?xml-stylesheet href="1.xsl"?><DataRoot><様式ID>1</様式ID><様式バージョン>1</様式バージョン><STYLESHEET>1.xsl'
    f'</STYLESHEET><構成情報 ID="構成情報"><金額>1000</金額></構成情報><署名情報>{HERE}</署名情報></DataRoot>'
)
KOUSEI = '<構成情報 ID="構成情報"><金額>1000</金額></構成情報>'
QUOTED = "#%E6%A7%8B%E6%88%90%E6%83%85%E5%A0%B1"


def judge(document: bytes | Xml, **options: Any) -> Verdict:
    return verifier().verify_xml(document.build() if isinstance(document, Xml) else document, **options)


def beside(tampered: str | None = None, *, document: str = BESIDE, **fields: Any) -> Xml:
    """Signed: the element ``a`` alone."""
    return Xml(**{"document": document, "tampered": tampered, "references": (element(A),), **fields})


def replaced(text: str, by: str) -> Callable[[str], str]:
    def edit(info: str) -> str:
        assert text in info
        return info.replace(text, by, 1)

    return edit


def one_transform(*algorithms: str) -> Xml:
    """The document is signed with these transforms in place of the usual; the digest is the right one."""
    return Xml(references=(Reference(transforms=algorithms),))


def transform(algorithm: str, inside: str) -> str:
    return f'<Transform Algorithm="{algorithm}">{inside}</Transform>'


def referring(uri: str | None, octets: bytes = b"x") -> Xml:
    return Xml(references=(Reference(), Reference(uri, octets, ())))


def method(algorithm: str, inside: str = "") -> str:
    return f'<SignatureMethod Algorithm="{algorithm}">{inside}</SignatureMethod>'


def hmac_with_public_key(_: Any, octets: bytes) -> bytes:
    public = x509.load_der_x509_certificate(certificate()).public_key()
    secret = hmac.HMAC(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), hashes.SHA256())
    secret.update(octets)
    return secret.finalize()


def sha1_signed(private: Any, octets: bytes) -> bytes:
    return bytes(private.sign(octets, padding.PKCS1v15(), hashes.SHA1()))  # noqa: S303


def bare_hash(private: Any, octets: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(octets)
    return rsa_sign(private, padded(digest.finalize()))


def key_value(role: str) -> str:
    numbers = key(role).public_key().public_numbers()
    modulus = base64_text(numbers.n.to_bytes(256, "big"))
    return f"<KeyValue><RSAKeyValue><Modulus>{modulus}</Modulus><Exponent>AQAB</Exponent></RSAKeyValue></KeyValue>"


def data(*certificates: bytes, more: str = "", after: str = "") -> str:
    listed = "".join(f"<X509Certificate>{base64_text(one)}</X509Certificate>" for one in certificates)
    return f"<KeyInfo><X509Data>{more}{listed}</X509Data>{after}</KeyInfo>"


def serial(number: int) -> str:
    return (
        f"<X509IssuerSerial><X509IssuerName>CN=x</X509IssuerName><X509SerialNumber>{number}</X509SerialNumber>"
        "</X509IssuerSerial>"
    )


def xades(**changes: Any) -> Xml:
    held, reference = properties(**{k: v for k, v in changes.items() if k in ("cert", "time")})
    held = changes.get("edit", str)(held)
    references = changes.get("references", (Reference(), reference))
    return Xml(objects=held, references=references, id=changes.get("id", "S"), key_info=changes.get("key_info"))


def two(first: Xml, second: Xml, document: str) -> bytes:
    """One document, each signature in its own place."""
    return document.replace("<1>", first.signature_text()).replace("<2>", second.signature_text()).encode()


B = '<b Id="b">also</b>'


@dataclass(frozen=True)
class Attack:
    name: str
    make: Callable[[], bytes | Xml]
    reason: str
    attachments: tuple[tuple[str, bytes], ...] = ()
    signed_only: bool = False


DTD = '<!DOCTYPE r [<!ENTITY x "y">]>'
BOMB = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 20}">' for n in range(1, 12))
FILE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
XPATH = transform("http://www.w3.org/TR/1999/REC-xpath-19991116", "<XPath>not(ancestor-or-self::evil)</XPath>")
FILTER = transform("http://www.w3.org/2002/06/xmldsig-filter2", "<XPath>x</XPath>")
XSLT = transform("http://www.w3.org/TR/1999/REC-xslt-19991116", "<stylesheet></stylesheet>")
PREFIXES = f'<InclusiveNamespaces xmlns="{EXCLUSIVE}" PrefixList="a"></InclusiveNamespaces>'
LOOSE = "<r><x>{}</x></r>"

# fmt: off
ATTACKS = [
    # wrapping: the signed element moved away, a forged one where a reader looks
    Attack("XSW1 the original inside the signature", lambda: beside(f"<r>{EVIL}{HERE}</r>").build().replace(
        b"</Signature>", f"{A}</Signature>".encode()), "format.malformed"),
    Attack("XSW2 the signature and the original beside the forged root", lambda: beside(
        f"<a><pay>9000</pay>{A}{HERE}</a>"), "coverage.wrapped"),
    Attack("XSW3 the forged element before the original",
        lambda: beside(f"<r>{EVIL}{A}{HERE}</r>"), "coverage.wrapped"),
    Attack("XSW3 ... for a reader of what is signed", lambda: beside(f"<r>{EVIL}{A}{HERE}</r>"),
        "coverage.wrapped", signed_only=True),
    Attack("XSW3 the forged element after", lambda: beside(f"<r>{A}{HERE}{EVIL}</r>"), "coverage.wrapped"),
    Attack("XSW4 the original inside the forged", lambda: beside(
        f"<r><a>{A}<pay>9000</pay></a>{HERE}</r>"), "coverage.wrapped"),
    Attack("XSW5 the original after the signature inside the forged", lambda: beside(
        f"<r><a><pay>9000</pay>{HERE}</a>{A}</r>"), "coverage.wrapped"),
    Attack("XSW6 the original inside the signature's object", lambda: beside(
        f"<r>{EVIL}{HERE}</r>", objects=f"<Object>{APART}</Object>"), "coverage.wrapped"),
    Attack("XSW7 the forged inside an extension", lambda: beside(
        f"<r><ext>{EVIL}</ext>{A}{HERE}</r>"), "coverage.wrapped"),
    Attack("XSW7 the original inside an extension", lambda: beside(
        f"<r>{EVIL}<ext>{A}</ext>{HERE}</r>"), "coverage.wrapped"),
    Attack("XSW8 the original in an object, in a wrapper", lambda: beside(
        f"<r>{EVIL}{HERE}</r>", objects=f'<Object><w xmlns="">{A}</w></Object>'), "coverage.wrapped"),
    Attack("another element than the signed one added",
        lambda: beside(f"<r>{A}<fee>9000</fee>{HERE}</r>"), "coverage.partial"),
    Attack("an attribute on what stands around", lambda: beside(f'<r urgent="1">{A}{HERE}</r>'), "coverage.partial"),
    Attack("a text beside what is signed", lambda: beside(f"<r>{A}plus 9000{HERE}</r>"), "coverage.partial"),
    Attack("a stylesheet before what is signed",
        lambda: beside(f'<?xml-stylesheet href="e"?><r>{A}{HERE}</r>'), "coverage.partial"),
    Attack("an instruction before the whole that is signed", lambda: Xml(
        tampered=f"<?xml-stylesheet href='evil.xsl'?>{DOCUMENT}"), "digest.mismatch"),
    Attack("an object that nobody signed",
        lambda: Xml(objects='<Object><x xmlns="">9000</x></Object>'), "coverage.partial"),
    Attack("a manifest that is not looked into", lambda: Xml(
        objects='<Object><Manifest Id="m"></Manifest></Object>'), "format.unsupported"),
    Attack("a reference of the type manifest", lambda: Xml(
        references=(Reference(type=f"{DS}Manifest"),)), "format.unsupported"),
    Attack("a signature inside the signature", lambda: Xml(
        objects=f"<Object>{Xml().signature_text()}</Object>"), "format.unsupported"),
    Attack("a second signature of a stranger", lambda: two(beside(), Xml(references=(element(B, "#b"),),
        private=key("authentication")), f"<r>{A}{B}<1><2></r>"), "signature.invalid"),
    Attack("a part that only a stranger signed", lambda: two(beside(), Xml(references=(element(B, "#b"),),
        certificates=(certificate(signed_by=key("authentication")),)), f"<r>{A}{B}<1><2></r>"), "chain.no_issuer"),

    # Ids
    Attack("the Id twice", lambda: beside(f'<r>{A}<b Id="a"></b>{HERE}</r>'), "format.ambiguous"),
    Attack("the Id twice, as ID", lambda: beside(f'<r><b ID="a"></b>{A}{HERE}</r>'), "format.ambiguous"),
    Attack("the Id twice, as id", lambda: beside(f'<r><b id="a"></b>{A}{HERE}</r>'), "format.ambiguous"),
    Attack("the Id twice, as xml:id with a blank",
        lambda: beside(f'<r><b xml:id=" a"></b>{A}{HERE}</r>'), "format.ambiguous"),
    Attack("the Id twice, as wsu:Id",
        lambda: beside(f'<r><b xmlns:w="urn:w" w:Id="a"></b>{A}{HERE}</r>'), "format.ambiguous"),
    Attack("the Id of the signature itself", lambda: beside(f"<r>{A}{HERE}</r>", id="a"), "format.ambiguous"),
    Attack("the Id is nowhere", lambda: beside(f"<r>{EVIL}{HERE}</r>"), "coverage.content_missing"),
    Attack("an XPointer", lambda: beside(references=(element(A, "#xpointer(id('a'))"),)), "format.forbidden"),
    Attack("an XPointer to the root", lambda: Xml(references=(Reference("#xpointer(/)"),)), "format.forbidden"),
    Attack("a fragment without a name", lambda: Xml(references=(Reference("#"),)), "format.forbidden"),

    # transforms
    Attack("XPath", lambda: one_transform(ENVELOPED, XPATH), "format.forbidden"),
    Attack("XPath filter 2.0", lambda: one_transform(ENVELOPED, FILTER), "format.forbidden"),
    Attack("XSLT", lambda: one_transform(XSLT), "format.forbidden"),
    Attack("base64", lambda: one_transform(ENVELOPED, f"{DS}base64"), "format.forbidden"),
    Attack("decryption", lambda: one_transform("http://www.w3.org/2002/07/decrypt#XML"), "format.forbidden"),
    Attack("one that nobody knows", lambda: one_transform(ENVELOPED, "urn:x"), "format.forbidden"),
    Attack("one without a name", lambda: one_transform(ENVELOPED, ""), "format.forbidden"),
    Attack("with comments", lambda: one_transform(ENVELOPED, f"{C14N}#WithComments"), "format.forbidden"),
    Attack("canonical twice", lambda: one_transform(C14N, C14N), "format.forbidden"),
    Attack("enveloped twice", lambda: one_transform(ENVELOPED, ENVELOPED), "format.forbidden"),
    Attack("three", lambda: one_transform(ENVELOPED, C14N, EXCLUSIVE), "format.forbidden"),
    Attack("a thousand", lambda: one_transform(*[C14N] * 1000), "format.forbidden"),
    Attack("parameters of inclusive", lambda: one_transform(ENVELOPED, transform(C14N, PREFIXES)), "format.forbidden"),
    Attack("a transform inside enveloped", lambda: one_transform(
        transform(ENVELOPED, f"<Transform Algorithm=\"{C14N}\"></Transform>"), C14N), "format.forbidden"),
    Attack("XPath beside the transforms", lambda: Xml(info=replaced(
        "</Transforms>", "</Transforms><XPath></XPath>")), "format.malformed"),
    Attack("SignedInfo with comments", lambda: Xml(canonicalization=f"{C14N}#WithComments"), "format.forbidden"),
    Attack("SignedInfo in a way that nobody knows", lambda: Xml(canonicalization="urn:x"), "format.forbidden"),
    Attack("SignedInfo by XSLT", lambda: Xml(
        canonicalization="http://www.w3.org/TR/1999/REC-xslt-19991116"), "format.forbidden"),

    # references elsewhere
    Attack("http", lambda: referring("http://evil.invalid/x"), "format.forbidden"),
    Attack("https, though an attachment has the name", lambda: referring(
        "https://evil.invalid/x"), "format.forbidden", (("https://evil.invalid/x", b"x"),)),
    Attack("file", lambda: referring("file:///etc/passwd"), "format.forbidden"),
    Attack("a path", lambda: referring("../etc/passwd"), "format.forbidden"),
    Attack("an encoded path", lambda: referring("..%2Fetc%2Fpasswd"), "format.forbidden"),
    Attack("a path of Windows", lambda: referring("c:%5Cx"), "format.forbidden"),
    Attack("a dot", lambda: referring("."), "format.forbidden"),
    Attack("a query", lambda: referring("x?y"), "format.forbidden"),
    Attack("a NUL", lambda: referring("x%00.xml"), "format.forbidden"),
    Attack("not UTF-8", lambda: referring("%FF"), "format.forbidden"),
    Attack("no URI", lambda: referring(None), "format.forbidden"),
    Attack("an attachment with a transform", lambda: Xml(references=(
        Reference(), Reference("x", b"x", (C14N,)))), "format.forbidden", (("x", b"x"),)),
    Attack("an attachment that is not given", lambda: referring("x"), "coverage.content_missing"),
    Attack("an attachment that is another", lambda: referring("x"), "digest.mismatch", (("x", b"y"),)),
    Attack("an attachment that nobody signed", lambda: Xml(), "coverage.partial", (("x", b"x"),)),
    Attack("two attachments by one name", lambda: referring("a+b"), "format.ambiguous", (("a b", b"x"), ("a+b", b"x"))),
    Attack("e-Gov: attachments exchanged", lambda: Xml(document=EGOV, references=(element(KOUSEI, QUOTED),
        Reference("1.txt", b"one", ()), Reference("2.txt", b"two", ()))), "digest.mismatch",
        (("1.txt", b"two"), ("2.txt", b"one"))),
    Attack("e-Gov: another element in the root", lambda: Xml(document=EGOV, references=(element(KOUSEI, QUOTED),),
        tampered=EGOV.replace("<様式ID>", "<手数料>9</手数料><様式ID>")), "coverage.partial"),
    Attack("e-Gov: elements in an unsigned one", lambda: Xml(document=EGOV, references=(element(KOUSEI, QUOTED),),
        tampered=EGOV.replace("<様式ID>1", "<様式ID><金額>9</金額>")), "coverage.partial"),
    Attack("e-Gov: an unsigned one twice", lambda: Xml(document=EGOV, references=(element(KOUSEI, QUOTED),),
        tampered=EGOV.replace("<様式ID>1</様式ID>", "<様式ID>1</様式ID><様式ID>2</様式ID>")), "coverage.partial"),
    Attack("e-Gov: the signed one a second time", lambda: Xml(document=EGOV, references=(element(KOUSEI, QUOTED),),
        tampered=EGOV.replace("<署名情報>", "<構成情報><金額>9</金額></構成情報><署名情報>")), "coverage.wrapped"),

    # DTDs, encodings
    Attack("a DTD", lambda: DTD.encode() + Xml().build(), "format.forbidden"),
    Attack("a DTD after a comment", lambda: f"<!-- x -->{DTD}".encode() + Xml().build(), "format.forbidden"),
    Attack("a DTD in UTF-16", lambda: (DTD + Xml().build().decode()).encode("utf-16"), "format.forbidden"),
    Attack("a DTD that is elsewhere",
        lambda: b'<!DOCTYPE r SYSTEM "http://evil.invalid/x.dtd">' + Xml().build(), "format.forbidden"),
    Attack("a billion laughs",
        lambda: f'<!DOCTYPE r [<!ENTITY a0 "ha">{BOMB}]><r x="&a11;">&a11;</r>'.encode(), "format.forbidden"),
    Attack("an external entity", lambda: f"{FILE}{LOOSE.format('&x;')}".encode(), "format.forbidden"),
    Attack("an entity that nobody declared", lambda: LOOSE.format("&x;").encode(), "format.malformed"),
    Attack("XInclude is not followed", lambda: Xml(tampered=DOCUMENT.replace(
        "1000", '<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>')),
        "digest.mismatch"),
    Attack("UTF-7", lambda: b'<?xml version="1.0" encoding="UTF-7"?><r/>', "format.unsupported"),
    Attack("EBCDIC", lambda: '<?xml version="1.0" encoding="IBM037"?><r/>'.encode("cp037"), "format.malformed"),
    Attack("XML 1.1", lambda: b'<?xml version="1.1"?>' + Xml().build(), "format.unsupported"),
    Attack("two roots", lambda: Xml().build() * 2, "format.malformed"),
    Attack("nothing", lambda: b"", "format.malformed"),
    Attack("no signature", lambda: b"<r/>", "format.no_signature"),
    Attack("a signature of another namespace",
        lambda: Xml().build().replace(DS.encode(), b"urn:x"), "format.no_signature"),

    # the signature's own structure
    Attack("no SignedInfo", lambda: Xml(signed=lambda _: ""), "format.malformed"),
    Attack("two SignedInfo", lambda: Xml(signed=lambda info: info * 2), "format.malformed"),
    Attack("a forged SignedInfo in an object", lambda: Xml(
        objects="<Object><SignedInfo></SignedInfo></Object>"), "coverage.partial"),
    Attack("no reference", lambda: Xml(references=()), "format.malformed"),
    Attack("65 references", lambda: Xml(references=(Reference(),) * 65), "format.unsupported"),
    Attack("something among the references",
        lambda: Xml(info=replaced("<Reference", "<x></x><Reference")), "format.malformed"),
    Attack("a text among the references", lambda: Xml(info=replaced("<Reference", "x<Reference")), "format.malformed"),
    Attack("a comment in the digest",
        lambda: Xml(signed=replaced("<DigestValue>", "<DigestValue><!---->")), "format.malformed"),
    Attack("a digest that is not base64",
        lambda: Xml(info=replaced("<DigestValue>", "<DigestValue>*")), "format.malformed"),
    Attack("an empty digest", lambda: Xml(references=(Reference(digest=b""),)), "format.malformed"),
    Attack("a digest that is cut", lambda: Xml(references=(Reference(digest=b"\x00" * 8),)), "digest.mismatch"),
    Attack("SignedInfo changed after signing", lambda: Xml(signed=replaced(
        "</Transforms>", "</Transforms>\n")), "signature.invalid"),
    Attack("another value", lambda: Xml(signature=lambda *_: bytes(256)), "signature.invalid"),
    Attack("a value that is too short", lambda: Xml(signature=lambda *_: bytes(8)), "signature.invalid"),
    Attack("a bare hash without DigestInfo", lambda: Xml(signature=bare_hash), "signature.encoding"),
    Attack("the document changed", lambda: Xml(tampered=DOCUMENT.replace("1000", "9000")), "digest.mismatch"),
    Attack("an attribute added", lambda: Xml(tampered=DOCUMENT.replace("<金額>", '<金額 x="">')), "digest.mismatch"),
    Attack("a namespace added",
        lambda: Xml(tampered=DOCUMENT.replace("<申請>", '<申請 xmlns:x="urn:x">')), "digest.mismatch"),
    Attack("another namespace throughout",
        lambda: Xml(tampered=DOCUMENT.replace("<申請>", '<申請 xmlns="urn:x">')), "digest.mismatch"),
    Attack("xml:lang around what is signed", lambda: beside(f'<r xml:lang="x">{A}{HERE}</r>'), "digest.mismatch"),
    Attack("a comment that cuts a signed text",
        lambda: Xml(tampered=DOCUMENT.replace("1000", "10<!-- -->00")), "coverage.partial"),
    Attack("a comment before a signed text",
        lambda: Xml(tampered=DOCUMENT.replace("1000", "<!-- -->1000")), "coverage.partial"),
    Attack("a prefix in a value, declared anew", lambda: Xml(
        document=f'<r><v type="p:short"></v>{HERE}</r>',
        tampered=f'<r xmlns:p="urn:evil"><v type="p:short"></v>{HERE}</r>',
        references=(Reference(transforms=(ENVELOPED, EXCLUSIVE)),), canonicalization=EXCLUSIVE), "coverage.partial"),

    # algorithms
    Attack("rsa-sha1", lambda: Xml(method=method(f"{DS}rsa-sha1"), signature=sha1_signed), "algorithms.weak"),
    Attack("a SHA-1 digest", lambda: Xml(references=(Reference(digest_method=f"{DS}sha1"),)), "algorithms.weak"),
    Attack("an MD5 digest", lambda: Xml(references=(
        Reference(digest_method="http://www.w3.org/2001/04/xmldsig-more#md5"),)), "algorithms.weak"),
    Attack("one good digest, one SHA-1", lambda: Xml(references=(
        Reference(), Reference(digest_method=f"{DS}sha1"))), "algorithms.weak"),
    Attack("HMAC with the public key", lambda: Xml(
        method=method("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), signature=hmac_with_public_key),
        "algorithms.unknown"),
    Attack("HMAC cut to a bit", lambda: Xml(method=method(
        f"{DS}hmac-sha1", "<HMACOutputLength>1</HMACOutputLength>")), "format.forbidden"),
    Attack("rsa-sha256 with a length", lambda: Xml(method=method(
        RSA_SHA256, "<HMACOutputLength>1</HMACOutputLength>")), "format.forbidden"),
    Attack("rsa-sha512",
        lambda: Xml(method=method("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512")), "algorithms.unknown"),
    Attack("ecdsa-sha384 with an RSA key", lambda: Xml(
        method=method("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384")), "algorithms.unknown"),
    Attack("no method", lambda: Xml(method=method("")), "algorithms.unknown"),
    Attack("no digest method", lambda: Xml(references=(Reference(digest_method=""),)), "algorithms.unknown"),

    # keys
    Attack("no certificate", lambda: Xml(certificates=()), "certificate.missing"),
    Attack("a key alone", lambda: Xml(key_info=f"<KeyInfo>{key_value('signature')}</KeyInfo>"), "certificate.missing"),
    Attack("the attacker's key beside the certificate", lambda: Xml(private=key("authentication"),
        key_info=data(certificate(), after=key_value("authentication"))), "certificate.mismatch"),
    Attack("signed with another key than the certificate's",
        lambda: Xml(private=key("authentication")), "signature.invalid"),
    Attack("two certificates, nothing says which", lambda: Xml(
        certificates=(certificate(), certificate(serial=7))), "certificate.ambiguous"),
    Attack("a serial of no certificate here",
        lambda: Xml(key_info=data(certificate(), more=serial(7))), "certificate.mismatch"),
    Attack("a certificate that is none", lambda: Xml(certificates=(b"\x30\x00",)), "certificate.malformed"),
    Attack("a certificate in pieces",
        lambda: Xml(key_info=data(certificate()).replace("MII", "MI<!-- -->I", 1)), "format.malformed"),
    Attack("seventeen certificates", lambda: Xml(certificates=(certificate(),) * 17), "format.unsupported"),
    Attack("a certificate elsewhere", lambda: Xml(key_info=
        '<KeyInfo><RetrievalMethod URI="http://evil.invalid/x"></RetrievalMethod></KeyInfo>'), "certificate.missing"),
    Attack("an issuer of the attacker's, sent along", lambda: Xml(certificates=(
        certificate(signed_by=key("authentication")), pki().ca_of(Purpose.SIGNATURE, 2).certificate)),
        "chain.no_issuer"),
    Attack("the authentication certificate", lambda: Xml(certificates=(
        certificate(Purpose.AUTHENTICATION),), private=key("authentication")), "profile.purpose"),

    # XAdES
    Attack("properties that nobody signed", lambda: xades(references=(Reference(),)), "format.malformed"),
    Attack("properties signed without their type", lambda: xades(references=(
        Reference(), Reference("#S-p", b"x", (C14N,)))), "format.malformed"),
    Attack("the type on something else", lambda: xades(references=(
        Reference(type=SIGNED_PROPERTIES), properties()[1])), "format.malformed"),
    Attack("the type without properties",
        lambda: Xml(references=(Reference(type=SIGNED_PROPERTIES),)), "format.malformed"),
    Attack("properties of another certificate", lambda: xades(cert=certificate(serial=7)), "certificate.mismatch"),
    Attack("properties of another signature", lambda: xades(id="T"), "format.malformed"),
    Attack("properties changed", lambda: xades(edit=replaced("T02:", "T01:")), "digest.mismatch"),
    Attack("properties twice", lambda: xades(edit=lambda held: held * 2), "format.ambiguous"),
    Attack("two sets of properties",
        lambda: xades(edit=lambda held: held + held.replace("S-p", "T-p")), "format.ambiguous"),
    Attack("properties in another place", lambda: xades(edit=lambda held: held.replace(
        "<Object>", "<Object><x>").replace("</Object>", "</x></Object>")), "coverage.wrapped"),
    Attack("no certificate named", lambda: _unnamed(), "certificate.mismatch"),
    Attack("signed tomorrow, as it says", lambda: xades(time="2026-11-25T02:00:00Z"), "time.contradicted"),
    Attack("a time that is none", lambda: xades(time="yesterday"), "format.malformed"),
]
# fmt: on


# --- bombs ------------------------------------------------------------------------------------------------------------

MIB = 1024 * 1024


def _namespaces() -> bytes:
    """Exclusive canonicalization would write the long name once an element: 2 GB."""
    return f'<r xmlns:p="urn:{"x" * 50_000}">{"<p:c/>" * 40_000}{Xml().signature_text()}</r>'.encode()


def _nested_namespaces() -> bytes:
    opened = ["<r " + " ".join(f'xmlns:a{depth}.{n}="urn:{n}"' for n in range(100)) + ">" for depth in range(100)]
    return ("".join(opened) + "</r>" * 100).encode()


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "too large": (lambda: b"<r>" + b" " * (17 * MIB) + b"</r>", "format.unsupported"),
    "one long text": (lambda: b"<r>" + b"x" * (11 * MIB) + b"</r>", "format.unsupported"),
    "too deep": (lambda: b"<a>" * 100_000 + b"</a>" * 100_000, "format.unsupported"),
    "deep": (lambda: b"<a>" * 220 + b"</a>" * 220, "format.unsupported"),
    "many elements": (lambda: b"<r>" + b"<a/>" * 1_000_000 + b"</r>", "format.unsupported"),
    "many attributes": (
        lambda: b"<r>" + b'<a b="" c="" d="" e=""/>' * 200_000 + b"</r>",
        "format.unsupported",
    ),
    "long namespace names": (_namespaces, "format.unsupported"),
    "many comments in one element": (
        lambda: Xml(tampered=DOCUMENT.replace("1000", "1000" + "<!---->" * 100_000)).build(),
        "coverage.partial",
    ),
    "many attributes of what stands around": (
        lambda: beside("<r " + " ".join(f'a{n}=""' for n in range(50_000)) + f">{A}{HERE}</r>").build(),
        "format.unsupported",
    ),
    "many namespaces": (
        lambda: ("<r " + " ".join(f'xmlns:a{n}="urn:{n}"' for n in range(50_000)) + "/>").encode(),
        "format.unsupported",
    ),
    "many namespaces, one in the other": (
        _nested_namespaces,
        "format.unsupported",
    ),
    "many unsigned elements": (lambda: beside(f"<r>{A}{'<b/>' * 100_000}{HERE}</r>").build(), "coverage.partial"),
    "many signatures": (lambda: f"<r>{Xml().signature_text() * 17}</r>".encode(), "format.unsupported"),
    "many references into a large document": (
        lambda: Xml(document=f"<r>{'x' * 4 * MIB}{HERE}</r>", references=(Reference(),) * 64).build(),
        "format.unsupported",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(name: str) -> None:
    make, reason = BOMBS[name]
    document = make()
    before = time.process_time()
    verdict = judge(document)
    assert reason in verdict.reasons
    assert time.process_time() - before < 10  # seconds; each takes less than one where nothing else runs


def test_a_document_that_was_signed_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    """signxml writes what it canonicalizes into its log, and our own readers nothing."""
    with caplog.at_level(logging.DEBUG):
        assert judge(Xml()).indication is Indication.TOTAL_PASSED
    assert "架空" not in caplog.text
    assert not caplog.records


def test_too_many_attachments() -> None:
    with pytest.raises(InputError):
        judge(Xml(), attachments={str(n): b"" for n in range(65)})


def _unnamed() -> Xml:
    """XAdES whose one signed property is the time: the certificate could be exchanged for another of the same key."""
    inside = "<SignedSignatureProperties><SigningTime>2026-11-24T02:00:00Z</SigningTime></SignedSignatureProperties>"
    octets = f'<SignedProperties xmlns="{XADES}" Id="S-p">{inside}</SignedProperties>'
    signed = octets.replace(f' xmlns="{XADES}"', "")
    held = f'<QualifyingProperties xmlns="{XADES}" Target="#S">{signed}'
    reference = element(octets, "#S-p", type=SIGNED_PROPERTIES)
    return Xml(objects=f"<Object>{held}</QualifyingProperties></Object>", references=(Reference(), reference), id="S")


@pytest.mark.attack("A-35")
@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_no_attack_passes(attack: Attack) -> None:
    verdict = judge(attack.make(), attachments=dict(attack.attachments), signed_only=attack.signed_only)
    assert verdict.indication is not Indication.TOTAL_PASSED
    assert attack.reason in verdict.reasons, [(check.id, check.reason, check.evidence) for check in verdict.checks]
    handed_out = [verdict.signed, *(part.signed for part in verdict.parts)]
    if attack.reason == "time.contradicted":  # who signed what is certain, only when is not
        assert len(verdict.signed) == 2
    elif attack.reason not in ("chain.no_issuer", "signature.invalid") or not verdict.parts:
        assert not any(handed_out)
