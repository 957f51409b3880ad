"""How each document of the table of verdicts is made: an ordinary one of which one thing is wrong."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509

from kojin_card.authn import AuthenticationProof, Challenge
from kojin_card.pki.profile import Purpose, Store
from kojin_card.signing import CallableSigner, sign_pdf
from kojin_card.simulator.testpki import RevokedEntry
from kojin_card.testing import forge, forge_xml
from kojin_card.testing.documents import blank_pdf
from kojin_card.testing.forge import Cms, Pdf, algorithm, attributes, tlv
from kojin_card.testing.forge_xml import Xml
from kojin_card.testing.revocation import issue_lists
from kojin_card.testing.verdicts import AUDIENCE, PURPOSE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric import rsa

CONTENT = b"invented content\n"
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)

_SHA512_INFO = bytes.fromhex("3051300d060960864801650304020305000440")
_NO_NULL_INFO = bytes.fromhex("302f300b06096086480165030402010420")
_PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Annots [5 0 R 7 0 R] >>"
_FORM = b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R 7 0 R] /SigFlags 3 >> >>"
_COVERING_FIELD = b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Second) /F 132 /Rect [0 0 595 842] /P 3 0 R >>"
_ENCRYPTION = b"<< /Filter /Standard /V 1 /R 2 /Length 40 /P -4 /O <%s> /U <%s> >>" % (b"11" * 32, b"22" * 32)
_XPATH = (
    '<Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><XPath>not(self::evil)</XPath></Transform>'
)

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the parts, all of them good unless something else is asked for; an invented holder, the key of a pool.

    Attributes:
        now: the verifier's clock.
    """

    now: datetime

    # --- certificates and lists ---------------------------------------------------------------------------------------

    def certificate(self, purpose: Purpose = Purpose.SIGNATURE, **changes: Any) -> bytes:
        """A certificate a month old; ``changes`` are those of :func:`~kojin_card.testing.forge.changed`."""
        return forge.changed(purpose, **{"issued_at": self.now - 30 * DAY, **changes})

    def lists(self, *revoked: RevokedEntry, at: datetime | None = None) -> Mapping[str, bytes]:
        """Every list, two hours old, with more entries on each."""
        at = self.now - 120 * MINUTE if at is None else at
        return issue_lists(at, frozenset((ca.label, entry) for ca in forge.pki().cas for entry in revoked))

    # --- messages -----------------------------------------------------------------------------------------------------

    def message(self, cert: bytes | None = None, **fields: Any) -> Cms:
        """A message that is signed by that certificate's holder."""
        cert = self.certificate() if cert is None else cert
        return Cms(**{"content": CONTENT, "certificates": (cert,), "signer_certificate": cert, **fields})

    def cms(self, cert: bytes | None = None, **fields: Any) -> bytes:
        """The same, encoded."""
        return self.message(cert, **fields).build()

    def with_attributes(self, **extra: bytes) -> bytes:
        """A message with more signed attributes."""
        return self.cms(attributes=tuple(attributes(CONTENT, **extra)))

    def raw(self, signature: bytes) -> Fields:
        """A bare signature and what stands beside it."""
        return {"data": signature, "content": CONTENT, "certificate": self.certificate()}

    # --- PDFs ---------------------------------------------------------------------------------------------------------

    def pdf(self, **fields: Any) -> bytes:
        """A PDF with one signature."""
        return Pdf(**{"cms": lambda data: self.cms(content=data, attached=False), **fields}).build()

    def second(self, pdf: bytes, **options: Any) -> bytes:
        """One more signature, by somebody with the same key."""
        cert = self.certificate(serial=forge.SERIAL + 8)
        signer = CallableSigner(cert, lambda info: forge.rsa_sign(forge.key(), forge.padded(info)))
        return sign_pdf(signer, pdf, now=self.now, **options)

    # --- XML ----------------------------------------------------------------------------------------------------------

    def xml(self, **fields: Any) -> bytes:
        """An XML document with one signature."""
        return Xml(**{"certificates": (self.certificate(),), **fields}).build()

    # --- proofs -------------------------------------------------------------------------------------------------------

    def challenge(self, **changes: Any) -> Challenge:
        """A challenge of a minute ago."""
        made = Challenge.new(AUDIENCE, PURPOSE, now=self.now - MINUTE, random=lambda size: b"\x01" * size)
        return dataclasses.replace(made, **changes)

    def proof(self, given: Challenge | None, said: Challenge | None = None, **more: Any) -> Fields:
        """A proof that answers ``said`` where ``given`` was given out; ``cert``, ``private``: the holder's."""
        cert = more.pop("cert", None) or self.certificate(Purpose.AUTHENTICATION)
        private = more.pop("private", None) or forge.key("authentication")
        answer = said or given or self.challenge()
        made = AuthenticationProof.make(answer, cert, lambda text: forge.sign(private, text))
        return {"data": made.compact().encode("ascii"), "challenge": given, **more}


def _data(make: Callable[[Maker], bytes], **more: Any) -> Callable[[Maker], Fields]:
    """A row whose bytes are all that is particular."""
    return lambda maker: {"data": make(maker), **more}


def _xades(maker: Maker) -> bytes:
    time = f"{maker.now - MINUTE:%Y-%m-%dT%H:%M:%SZ}"
    held, reference = forge_xml.properties(maker.certificate(), time=time)
    return maker.xml(objects=held, references=(forge_xml.Reference(), reference), id="S")


def _beside(maker: Maker, unsigned: str) -> bytes:
    """One element is signed, another stands beside it."""
    signed = '<a Id="a">1000</a>'
    document = f"<r>{signed}{unsigned}{forge_xml.HERE}</r>"
    return maker.xml(document=document, references=(forge_xml.element(signed),))


def _passed_received(maker: Maker) -> Fields:
    entry = RevokedEntry(forge.SERIAL, maker.now - DAY, "keyCompromise")
    return {"data": maker.cms(), "lists": maker.lists(entry), "received_at": maker.now - 3 * DAY}


def _encrypted(_: Maker) -> Fields:
    pdf = forge.revision(blank_pdf(["encrypted"]), {6: _ENCRYPTION}, size=7)
    at = pdf.rindex(b"/Root 1 0 R")
    identifier = b"/Encrypt 6 0 R /ID [<%s> <%s>] " % (b"00" * 16, b"00" * 16)
    return {"data": pdf[:at] + identifier + pdf[at:]}


def _ambiguous(maker: Maker) -> Fields:
    """No attributes, and a content that is the attributes of another message: the signature fits both."""
    return {"data": maker.cms(content=tlv(0x31, *attributes(CONTENT)), attributes=None)}


def _modified(maker: Maker) -> Fields:
    text = b"BT /F1 12 Tf 72 720 Td (pay more) Tj ET"
    changed = {4: b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text)}
    return {"data": maker.second(forge.revision(maker.pdf(), changed, size=7))}


def _covered(maker: Maker) -> Fields:
    added = {1: _FORM, 3: _PAGE, 7: _COVERING_FIELD}
    return {"data": maker.second(forge.revision(maker.pdf(), added, size=8), field_name="Second")}


def _ambiguous_certificates(maker: Maker) -> Fields:
    twin = maker.certificate(not_after=maker.now + 700 * DAY)
    return {"data": maker.cms(certificates=(twin, maker.certificate()))}


def _other_certificate(maker: Maker) -> Fields:
    named = forge.signing_certificate_v2(maker.certificate(Purpose.AUTHENTICATION))
    return {"data": maker.with_attributes(signingCertificateV2=named)}


def _sha512(private: rsa.RSAPrivateKey, over: bytes) -> bytes:
    return forge.rsa_sign(private, forge.padded(_SHA512_INFO + hashlib.sha512(over).digest()))


def _algorithm(digest: str, signature: str, how: Callable[..., bytes] = forge.sign) -> Callable[[Maker], Fields]:
    named: Fields = {"digest": algorithm(digest), "signature_algorithm": algorithm(signature), "signature": how}
    return lambda maker: {"data": maker.cms(**named)}


def _critical_extension() -> tuple[x509.ExtensionType, bool]:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True


def _policy(dotted: str) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(dotted), None)])


def _one_bit() -> x509.KeyUsage:
    names = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign")
    return x509.KeyUsage(
        digital_signature=True, **dict.fromkeys((*names, "crl_sign", "encipher_only", "decipher_only"), False)
    )


def _issuer_expired(_: Maker) -> Fields:
    then = Maker(datetime(2032, 1, 1, tzinfo=UTC))
    cert = then.certificate(
        generation=1, issued_at=datetime(2024, 1, 1, tzinfo=UTC), not_after=datetime(2040, 1, 1, tzinfo=UTC)
    )
    lists = {"of-its-time.crl": forge.crl(at=datetime(2031, 3, 31, 14, tzinfo=UTC), generation=1)}
    return {"data": then.cms(cert), "now": then.now, "lists": lists}


def _revoked(since: timedelta) -> Callable[[Maker], Mapping[str, bytes]]:
    return lambda maker: maker.lists(
        RevokedEntry(forge.SERIAL, maker.now - since, "keyCompromise"),
        RevokedEntry(forge.AUTH_SERIAL, maker.now - since, "keyCompromise"),
    )


MAKERS: Mapping[str, Callable[[Maker], Fields]] = {
    "passed.cms": _data(lambda m: m.cms()),
    "passed.cms.detached": _data(lambda m: m.cms(attached=False), content=CONTENT),
    "passed.pdf": _data(lambda m: m.pdf()),
    "passed.pdf.twice": _data(lambda m: m.second(m.pdf())),
    "passed.xml": _data(lambda m: m.xml()),
    "passed.xml.xades": _data(_xades),
    "passed.raw": lambda m: m.raw(forge.sign(forge.key(), CONTENT)),
    "passed.proof": lambda m: m.proof(m.challenge()),
    "passed.certificate": _data(lambda m: m.certificate()),
    "passed.received": _passed_received,
    "format.malformed": _data(lambda m: m.cms()[:-1]),
    "format.malformed.pdf": _data(lambda m: m.pdf(contents=lambda _: "0" * forge.HEX_ROOM)),
    "format.no_signature": _data(lambda _: blank_pdf(["nobody signed this"])),
    "format.no_signature.cms": _data(lambda m: m.message().build(signers=[])),
    "format.unsupported": _data(lambda m: m.pdf(sub_filter="adbe.x509.rsa_sha1")),
    "format.encrypted": _encrypted,
    "format.ambiguous": _ambiguous,
    "format.forbidden": _data(lambda m: m.xml(references=(forge_xml.Reference(transforms=(_XPATH,)),))),
    "coverage.appended": _data(lambda m: m.pdf(tail=b"\n")),
    "coverage.gap": _data(lambda m: m.pdf(byte_range=lambda r: (r[0], r[1] - 1, *r[2:]))),
    "coverage.hidden": _data(lambda m: m.pdf(fields="[]")),
    "coverage.modified": _modified,
    "coverage.later_appearance": _covered,
    "coverage.two_contents": _data(lambda m: m.cms(), content=b"other content\n"),
    "coverage.content_missing": _data(lambda m: m.cms(attached=False)),
    "coverage.partial": _data(lambda m: _beside(m, "<fee>9000</fee>")),
    "coverage.wrapped": _data(lambda m: _beside(m, "<a>9000</a>")),
    "challenge.unknown": lambda m: m.proof(None),
    "challenge.replayed": lambda m: m.proof(m.challenge(), answered=True),
    "challenge.expired": lambda m: m.proof(m.challenge(issued_at=m.now - 9 * MINUTE, expires_at=m.now)),
    "challenge.not_yet": lambda m: m.proof(m.challenge(issued_at=m.now + MINUTE, expires_at=m.now + 2 * MINUTE)),
    "challenge.audience": lambda m: m.proof(m.challenge(audience="https://evil.example")),
    "challenge.purpose": lambda m: m.proof(m.challenge(purpose="pay")),
    "challenge.altered": lambda m: m.proof(m.challenge(), m.challenge(expires_at=m.now + 30 * MINUTE)),
    "certificate.missing": _data(lambda m: m.cms(certificates=())),
    "certificate.ambiguous": _ambiguous_certificates,
    "certificate.malformed": _data(lambda m: m.certificate()[:-1]),
    "certificate.mismatch": _other_certificate,
    "digest.mismatch": _data(lambda m: m.cms(attached=False), content=b"other content\n"),
    "digest.mismatch.pdf": _data(lambda m: m.pdf().replace(b"(signed)", b"(Signed)")),
    "digest.mismatch.xml": _data(lambda m: m.xml(tampered=forge_xml.DOCUMENT.replace("1000", "9000"))),
    "signature.invalid": _data(lambda m: m.cms(private=forge.key("terminal", "stranger"))),
    "signature.encoding": lambda m: m.raw(
        forge.rsa_sign(forge.key(), forge.padded(_NO_NULL_INFO + hashlib.sha256(CONTENT).digest()))
    ),
    "algorithms.weak": _algorithm("sha1", "sha256WithRSA"),
    "algorithms.unknown": _algorithm("sha512", "sha512WithRSA", _sha512),
    "algorithms.disagree": _algorithm("sha256", "sha512WithRSA", _sha512),
    "chain.no_issuer": _data(lambda m: m.cms(m.certificate(signed_by=forge.key("terminal", "stranger")))),
    "chain.no_issuer.production": _data(lambda m: m.cms(), store=Store.PRODUCTION),
    "chain.empty_store": _data(lambda m: m.cms(), store=Store.JLIS_TEST),
    "profile.mismatch": _data(lambda m: m.cms(m.certificate(plus=_critical_extension()))),
    "profile.purpose": _data(
        lambda m: m.cms(m.certificate(Purpose.AUTHENTICATION), private=forge.key("authentication"))
    ),
    "profile.purpose.proof": lambda m: m.proof(m.challenge(), cert=m.certificate(), private=forge.key()),
    "key_usage.wrong": _data(lambda m: m.certificate(instead=_one_bit())),
    "policy.unknown": _data(lambda m: m.certificate(instead=_policy("1.2.392.200149.8.5.1.1.30"))),
    "policy.wrong": _data(lambda m: m.cms(m.certificate(instead=_policy("1.2.392.200149.8.5.1.0.20")))),
    "validity.expired": _data(lambda m: m.cms(m.certificate(not_after=m.now - DAY))),
    "validity.expired_before_signing": lambda m: m.proof(
        m.challenge(), cert=m.certificate(Purpose.AUTHENTICATION, not_after=m.now - DAY)
    ),
    "validity.not_yet": _data(lambda m: m.cms(m.certificate(issued_at=m.now + DAY))),
    "validity.issuer_expired": _issuer_expired,
    "revocation.revoked": lambda m: {"data": m.cms(), "lists": _revoked(DAY)(m)},
    "revocation.revoked.pdf": lambda m: {"data": m.pdf(), "lists": _revoked(DAY)(m)},
    "revocation.revoked_before_signing": lambda m: {**m.proof(m.challenge()), "lists": _revoked(DAY)(m)},
    "revocation.no_source": _data(lambda m: m.cms(), lists=None),
    "revocation.no_list": lambda m: {
        "data": m.cms(),
        "lists": {name: data for name, data in m.lists().items() if f"-{forge.CITY}." not in name},
    },
    "revocation.stale": lambda m: {"data": m.cms(), "lists": m.lists(at=m.now - 3 * DAY)},
    "revocation.grace": lambda m: {
        "data": m.cms(),
        "lists": m.lists(at=m.now - 1.5 * DAY),
        "received_at": m.now - DAY,
        "grace": timedelta(hours=1),
    },
    "revocation.unusable": lambda m: {"data": m.cms(), "lists": {"damaged.crl": b"\x30\x03abc"}},
    "time.asserted": lambda m: {"data": m.cms(), "at": m.now - DAY},
    "time.contradicted": _data(
        lambda m: m.with_attributes(signingTime=tlv(0x17, f"{m.now + DAY:%y%m%d%H%M%SZ}".encode("ascii")))
    ),
}
