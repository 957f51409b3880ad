"""CMS signatures (RFC 5652): SignedData in DER with one signer.

Signed attributes: contentType, messageDigest, signing-certificate-v2 (RFC 5035: binds the certificate), and
CMSAlgorithmProtection (RFC 6211: binds the algorithms), so that neither can be exchanged afterwards (jpki.md A-09,
A-24).
signingTime is only what the signer's clock said, and left out unless asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asn1crypto import algos, cms, core, tsp, x509

from kojin_card.errors import UsageError
from kojin_card.signing.signer import Identity, require_content, sign_message

if TYPE_CHECKING:
    from kojin_card.signing.signer import Signer

#: RFC 5652 §11.3: UTCTime through 2049, GeneralizedTime from 2050.
_UTC_TIME_YEARS = range(1950, 2050)

_SEQUENCE = 0x30  # universal, constructed


@dataclass(frozen=True, slots=True)
class CmsPlan:
    """Everything about a SignedData but the content: what to put in, known before the card is asked.

    Attributes:
        identity: whose signature.
        signing_time: value of the signingTime attribute; None leaves it out.
        issuer_certificate: the CA's certificate, DER, to go in as well.
    """

    identity: Identity = field(repr=False)
    signing_time: datetime | None = None
    issuer_certificate: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.signing_time is not None and self.signing_time.utcoffset() is None:
            raise UsageError("a signing time needs a time zone")

    def sign(self, signer: Signer, digest: bytes, content: bytes | None = None) -> bytes:
        """Ask the card once and give the ContentInfo, DER.

        Args:
            digest: the hash of the content by the scheme of the identity.
            content: the content itself to attach it; None for a detached signature.

        Raises:
            SignatureMismatch: the card's answer does not verify.
            KojinError: whatever the signer raises.
        """
        attributes = self._attributes(digest)
        signature = sign_message(signer, attributes.dump(), identity=self.identity)
        return self._assemble(attributes, signature, content)

    def size(self) -> int:
        """Length of the DER of a detached signature: exact, or the most when signatures vary in length."""
        scheme = self.identity.scheme
        attributes = self._attributes(bytes(scheme.new_hash().digest_size))
        return len(self._assemble(attributes, bytes(scheme.signature_size), None))

    def _attributes(self, digest: bytes) -> cms.CMSAttributes:
        scheme = self.identity.scheme
        protection = cms.CMSAlgorithmProtection(
            {"digest_algorithm": _digest_algorithm(scheme.hash), "signature_algorithm": self._signature_algorithm()}
        )
        values: list[tuple[str, Any]] = [
            ("content_type", "data"),
            ("message_digest", digest),
            ("signing_certificate_v2", self._signing_certificate()),
            ("cms_algorithm_protection", protection),
        ]
        if self.signing_time is not None:
            values.append(("signing_time", _time(self.signing_time)))
        attributes = cms.CMSAttributes([cms.CMSAttribute({"type": kind, "values": [value]}) for kind, value in values])
        return cms.CMSAttributes.load(attributes.dump())  # a SET in DER order, from here on only bytes

    def _signing_certificate(self) -> tsp.SigningCertificateV2:
        scheme, (issuer, serial) = self.identity.scheme, self._issuer_and_serial()
        certificate = tsp.ESSCertIDv2(
            {
                "cert_hash": scheme.digest(self.identity.certificate),
                "issuer_serial": {"issuer": [x509.GeneralName("directory_name", issuer)], "serial_number": serial},
            }
        )
        if scheme.hash != "sha256":  # the DEFAULT of the field, which DER leaves out
            certificate["hash_algorithm"] = _digest_algorithm(scheme.hash)
        return tsp.SigningCertificateV2({"certs": [certificate]})

    def _signature_algorithm(self) -> algos.SignedDigestAlgorithm:
        return algos.SignedDigestAlgorithm({"algorithm": self.identity.scheme.signature_algorithm})

    def _issuer_and_serial(self) -> tuple[x509.Name, int]:
        certificate = x509.Certificate.load(self.identity.certificate, strict=True)["tbs_certificate"]
        return certificate["issuer"], certificate["serial_number"].native

    def _assemble(self, attributes: cms.CMSAttributes, signature: bytes, content: bytes | None) -> bytes:
        scheme, (issuer, serial) = self.identity.scheme, self._issuer_and_serial()
        ders = [self.identity.certificate]
        if self.issuer_certificate is not None:
            ders.append(self.issuer_certificate)
        signer_info = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier(
                    "issuer_and_serial_number", cms.IssuerAndSerialNumber({"issuer": issuer, "serial_number": serial})
                ),
                "digest_algorithm": _digest_algorithm(scheme.hash),
                "signed_attrs": attributes,
                "signature_algorithm": self._signature_algorithm(),
                "signature": signature,
            }
        )
        inner: dict[str, Any] = {"content_type": "data"}
        if content is not None:
            inner["content"] = content
        signed = cms.SignedData(
            {
                "version": "v1",
                "digest_algorithms": [_digest_algorithm(scheme.hash)],
                "encap_content_info": inner,
                "certificates": [
                    cms.CertificateChoices("certificate", x509.Certificate.load(der, strict=True)) for der in ders
                ],
                "signer_infos": [signer_info],
            }
        )
        return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


def sign_cms(
    signer: Signer,
    content: bytes,
    *,
    detached: bool = False,
    signing_time: datetime | None = None,
    include_issuer: bool = False,
) -> bytes:
    """Sign ``content`` with 署名用電子証明書 and give a CMS SignedData, DER.

    Args:
        detached: leave the content out of it; the verifier must then be given both.
        signing_time: an aware time for the signingTime attribute, whole seconds; a claim, not a proof of time.
        include_issuer: add the CA's certificate, read from the card (a help for finding the path, no reason to trust).

    Raises:
        UsageError: the certificate is not for documents, the time has no zone, no issuer's certificate is at hand.
        InputError: the content is larger than 256 MiB, or the key is of an unknown kind.
        DecodeError: the signer's certificate is malformed.
        SignatureMismatch: the card's answer does not verify.
        KojinError: whatever the signer raises.
    """
    require_content(content)
    identity = Identity.of(signer)
    identity.require_document_key()
    plan = CmsPlan(identity, signing_time, identity.issuer_of(signer) if include_issuer else None)
    return plan.sign(signer, identity.scheme.digest(content), None if detached else content)


def _digest_algorithm(name: str) -> algos.DigestAlgorithm:
    """AlgorithmIdentifier without parameters, as RFC 5754 §2 wants SHA-2 to be written."""
    identifier = algos.DigestAlgorithmId(name).dump()
    return algos.DigestAlgorithm.load(bytes([_SEQUENCE, len(identifier)]) + identifier, strict=True)


def _time(moment: datetime) -> cms.Time:
    moment = moment.astimezone(UTC).replace(microsecond=0)
    if moment.year in _UTC_TIME_YEARS:
        return cms.Time("utc_time", core.UTCTime(moment))
    return cms.Time("generalized_time", core.GeneralizedTime(moment))
