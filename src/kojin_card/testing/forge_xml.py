"""Forged XML signatures, piece by piece: documents of which one thing is wrong.

Like :mod:`.forge` without any code that judges or signs, and without any XML library: every piece that is hashed is
typed in canonical form already, with no namespace but XMLDSig's in scope, so that its bytes are its canonical octets.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from kojin_card.testing.forge import certificate, key, sign

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{DS}enveloped-signature"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"

#: where the signature goes
HERE = "<!>"
DOCUMENT = f"<申請><氏名>架空　花子</氏名><金額>1000</金額>{HERE}</申請>"
_NAMES = {SHA256: "sha256", f"{DS}sha1": "sha1", "http://www.w3.org/2001/04/xmlenc#sha512": "sha512"}


def base64_text(data: bytes) -> str:
    """Base64 on one line."""
    return base64.b64encode(data).decode("ascii")


def transforms(*algorithms: str) -> str:
    """``ds:Transforms``; nothing without any. What begins with ``<`` is a whole ``Transform``."""
    inside = "".join(
        each if each.startswith("<") else f'<Transform Algorithm="{each}"></Transform>' for each in algorithms
    )
    return f"<Transforms>{inside}</Transforms>" if inside else ""


@dataclass(frozen=True)
class Reference:
    """One ``ds:Reference``, canonical.

    Attributes:
        octets: what the digest is of; None: the document without the signature.
        attributes: after ``URI`` (canonical XML sorts them: ``Type`` comes before it, see ``type``).
    """

    uri: str | None = ""
    octets: bytes | None = None
    transforms: tuple[str, ...] = (ENVELOPED, C14N)
    digest_method: str = SHA256
    type: str | None = None
    digest: bytes | None = None

    def text(self, document: bytes) -> str:
        """The element."""
        over = document if self.octets is None else self.octets
        name = _NAMES.get(self.digest_method, "sha256")
        value = hashlib.new(name, over, usedforsecurity=False).digest() if self.digest is None else self.digest
        kind = "" if self.type is None else f' Type="{self.type}"'
        uri = "" if self.uri is None else f' URI="{self.uri}"'
        return (
            f"<Reference{kind}{uri}>{transforms(*self.transforms)}"
            f'<DigestMethod Algorithm="{self.digest_method}"></DigestMethod>'
            f"<DigestValue>{base64_text(value)}</DigestValue></Reference>"
        )


def element(text: str, uri: str = "#a", **fields: object) -> Reference:
    """A reference to an element that is typed in canonical form."""
    return Reference(**{"uri": uri, "octets": text.encode(), "transforms": (C14N,), **fields})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Xml:
    """A document with one signature; replace a field to make it wrong.

    Attributes:
        document: with :data:`HERE` where the signature goes.
        tampered: the same after signing, when it is changed then.
        key_info: all of ``ds:KeyInfo`` instead of the certificate.
        objects: what stands after ``ds:KeyInfo``.
        info: changes ``ds:SignedInfo`` before it is signed, ``signed``: after that.
        id: the signature's Id.
    """

    document: str = DOCUMENT
    tampered: str | None = None
    references: tuple[Reference, ...] = (Reference(),)
    canonicalization: str = C14N
    method: str = f'<SignatureMethod Algorithm="{RSA_SHA256}"></SignatureMethod>'
    certificates: tuple[bytes, ...] | None = None
    key_info: str | None = None
    objects: str = ""
    id: str | None = None
    private: rsa.RSAPrivateKey | None = None
    signature: Callable[[rsa.RSAPrivateKey, bytes], bytes] = sign
    info: Callable[[str], str] = str
    signed: Callable[[str], str] = str

    def signature_text(self) -> str:
        """The ``ds:Signature``."""
        plain = self.document.replace(HERE, "").encode()
        inside = (
            f'<CanonicalizationMethod Algorithm="{self.canonicalization}"></CanonicalizationMethod>{self.method}'
            + "".join(reference.text(plain) for reference in self.references)
        )
        info = self.info(f"<SignedInfo>{inside}</SignedInfo>")
        octets = info.replace("<SignedInfo", f'<SignedInfo xmlns="{DS}"', 1).encode()
        value = self.signature(self.private or key(), octets)
        given = (certificate(),) if self.certificates is None else self.certificates
        certificates = "".join(f"<X509Certificate>{base64_text(one)}</X509Certificate>" for one in given)
        key_info = f"<KeyInfo><X509Data>{certificates}</X509Data></KeyInfo>" if given else ""
        name = "" if self.id is None else f' Id="{self.id}"'
        return (
            f'<Signature xmlns="{DS}"{name}>{self.signed(info)}<SignatureValue>{base64_text(value)}</SignatureValue>'
            f"{key_info if self.key_info is None else self.key_info}{self.objects}</Signature>"
        )

    def build(self) -> bytes:
        """The document."""
        return (self.tampered or self.document).replace(HERE, self.signature_text()).encode()


def properties(
    cert: bytes | None = None, *, id: str = "S", time: str = "2026-11-24T02:00:00Z"
) -> tuple[str, Reference]:
    """The Object with XAdES-BES properties that name a certificate, and the reference that signs them."""
    digest = base64_text(hashlib.sha256(cert or certificate()).digest())
    inside = (
        f"<SignedSignatureProperties><SigningTime>{time}</SigningTime><SigningCertificateV2><Cert><CertDigest>"
        f'<DigestMethod xmlns="{DS}" Algorithm="{SHA256}"></DigestMethod>'
        f'<DigestValue xmlns="{DS}">{digest}</DigestValue>'
        "</CertDigest></Cert></SigningCertificateV2></SignedSignatureProperties>"
    )
    octets = f'<SignedProperties xmlns="{XADES}" Id="{id}-p">{inside}</SignedProperties>'
    reference = element(octets, f"#{id}-p", type=SIGNED_PROPERTIES)
    holder = f'<QualifyingProperties xmlns="{XADES}" Target="#{id}">'
    signed = octets.replace(f' xmlns="{XADES}"', "", 1)
    return f"<Object>{holder}{signed}</QualifyingProperties></Object>", reference
