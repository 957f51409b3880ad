"""For each verdict that the engine can give, a document that gets it: which there are. Light, for a plugin reads it.

:mod:`.verdict_makers` makes them; ``docs/testing.md`` shows this table, and a test keeps the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kojin_card.verdict import CARD_CHECKS, REASONS, SLOT_CHECKS, Indication

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.verdict import SubIndication

#: kinds of what is judged, and the method of the verifier that judges it
KINDS: Mapping[str, str] = {
    "cms": "verify_cms",
    "pdf": "verify_pdf",
    "xml": "verify_xml",
    "raw": "verify_raw",
    "proof": "verify_proof",
    "certificate": "certificate_status",
}
PASSED = "passed"

_EXIT_CODES = {Indication.TOTAL_PASSED: 0, Indication.TOTAL_FAILED: 20, Indication.INDETERMINATE: 21}  # as cli.exits


@dataclass(frozen=True, slots=True)
class VerdictCase:
    """One row: a document that is yet to be made, and its verdict.

    Attributes:
        id: the reason, or ``passed``, and what tells several of them apart.
        kind: a key of :data:`KINDS`.
        what: what the document is, and what is wrong with it.
    """

    id: str
    kind: str
    what: str

    @property
    def reason(self) -> str | None:
        """The key of :data:`~kojin_card.verdict.REASONS` that decides; None when it passes."""
        check, what = self.id.split(".")[:2]
        return None if check == PASSED else f"{check}.{what}"

    @property
    def indication(self) -> Indication:
        """The indication to expect."""
        return Indication.TOTAL_PASSED if self.reason is None else REASONS[self.reason].indication

    @property
    def sub_indication(self) -> SubIndication | None:
        """The sub-indication to expect."""
        return None if self.reason is None else REASONS[self.reason].sub_indication

    @property
    def exit_code(self) -> int:
        """What the command line ends with."""
        return _EXIT_CODES[self.indication]


CASES: Mapping[str, VerdictCase] = {
    id: VerdictCase(id, kind, what)
    for id, kind, what in (
        ("passed.cms", "cms", "a message with its content inside"),
        ("passed.cms.detached", "cms", "a message, its content beside it"),
        ("passed.pdf", "pdf", "a PDF signed once"),
        ("passed.pdf.twice", "pdf", "a PDF signed twice, the second time invisibly"),
        ("passed.xml", "xml", "an XML document, signed as a whole"),
        ("passed.xml.xades", "xml", "the same with the signed properties of XAdES"),
        ("passed.raw", "raw", "a bare signature"),
        ("passed.proof", "proof", "an authentication proof"),
        ("passed.certificate", "certificate", "a certificate alone"),
        ("passed.received", "cms", "received two days before its certificate was revoked"),
        ("format.malformed", "cms", "a message that is cut off"),
        ("format.malformed.pdf", "pdf", "a PDF with rubbish in /Contents"),
        ("format.no_signature", "pdf", "a PDF that nobody signed"),
        ("format.no_signature.cms", "cms", "a message without signers"),
        ("format.unsupported", "pdf", "a PDF with an old SubFilter"),
        ("format.encrypted", "pdf", "an encrypted PDF"),
        ("format.ambiguous", "cms", "content that may be the signed attributes of another message"),
        ("format.forbidden", "xml", "a signature with an XPath transform"),
        ("coverage.appended", "pdf", "a byte after the signed PDF"),
        ("coverage.gap", "pdf", "a /ByteRange that leaves out more than /Contents"),
        ("coverage.hidden", "pdf", "a signature that no form field holds"),
        ("coverage.modified", "pdf", "another text on the page, then a second signature"),
        ("coverage.later_appearance", "pdf", "a second signature in a field that covers the page"),
        ("coverage.two_contents", "cms", "content inside and other content beside"),
        ("coverage.content_missing", "cms", "a detached message without its content"),
        ("coverage.partial", "xml", "an element beside the one that is signed"),
        ("coverage.wrapped", "xml", "a forged element with the name of the one that is signed"),
        ("challenge.unknown", "proof", "the challenge was never given out"),
        ("challenge.replayed", "proof", "the challenge was answered before"),
        ("challenge.expired", "proof", "the challenge has expired"),
        ("challenge.not_yet", "proof", "the challenge was made after the time of judgement"),
        ("challenge.audience", "proof", "the challenge is somebody else's"),
        ("challenge.purpose", "proof", "the challenge is for another purpose"),
        ("challenge.altered", "proof", "the challenge was given another expiry"),
        ("certificate.missing", "cms", "the signer's certificate is not in the message"),
        ("certificate.ambiguous", "cms", "two certificates of the issuer and serial that the signer names"),
        ("certificate.malformed", "certificate", "a certificate that is cut off"),
        ("certificate.mismatch", "cms", "signing-certificate-v2 names another certificate"),
        ("digest.mismatch", "cms", "other content than was signed"),
        ("digest.mismatch.pdf", "pdf", "a word on the page was changed after signing"),
        ("digest.mismatch.xml", "xml", "a number in the document was changed after signing"),
        ("signature.invalid", "cms", "signed with another key than the certificate's"),
        ("signature.encoding", "raw", "a DigestInfo without NULL"),
        ("algorithms.weak", "cms", "a SHA-1 digest"),
        ("algorithms.unknown", "cms", "SHA-512 throughout, which the profile does not have"),
        ("algorithms.disagree", "cms", "digest and signature algorithm contradict each other"),
        ("chain.no_issuer", "cms", "the CA's name and key id, another key"),
        ("chain.no_issuer.production", "cms", "a good message of a software card, judged as a real one"),
        ("chain.empty_store", "cms", "judged with a trust store that holds no CA"),
        ("profile.mismatch", "cms", "a certificate with an unknown critical extension"),
        ("profile.purpose", "cms", "signed with the authentication certificate"),
        ("profile.purpose.proof", "proof", "authenticated with the signature certificate"),
        ("key_usage.wrong", "certificate", "a certificate with digitalSignature only"),
        ("policy.unknown", "certificate", "a certificate with a policy that nobody knows"),
        ("policy.wrong", "cms", "the policy of the J-LIS test environment"),
        ("validity.expired", "cms", "a certificate that ended yesterday"),
        ("validity.expired_before_signing", "proof", "a certificate that had ended before the challenge"),
        ("validity.not_yet", "cms", "a certificate that begins tomorrow"),
        ("validity.issuer_expired", "cms", "a certificate that outlives its CA, in 2032"),
        ("revocation.revoked", "cms", "a revoked certificate"),
        ("revocation.revoked.pdf", "pdf", "a PDF of a revoked certificate"),
        ("revocation.revoked_before_signing", "proof", "a certificate that was revoked before the challenge"),
        ("revocation.no_source", "cms", "judged without any revocation source"),
        ("revocation.no_list", "cms", "judged without the list of the municipality"),
        ("revocation.stale", "cms", "judged with lists of three days ago"),
        ("revocation.grace", "cms", "received yesterday, judged with a list of the day before"),
        ("revocation.unusable", "cms", "judged with a damaged list"),
        ("time.asserted", "cms", "judged for yesterday, without proof"),
        ("time.contradicted", "cms", "signed tomorrow, as it says itself"),
    )
}

#: reasons without a document, and why
WITHOUT: Mapping[str, str] = {
    "certificate.issuer_unknown": "is of a driving licence, which is no document: judge one that `licence_holder` has",
    "signature.not_by_issuer": "is of a driving licence, which is no document: judge one that `licence_holder` has",
    "imprint.mismatch": "is of a time-stamp, whose verdict stands beside a signature's and never decides it",
    "earlier.none": "is of a confirmation without PIN, which is no document",
    "chip.unproven": "is of a confirmation without PIN, which is no document",
    "chip.not_bound": "is of a confirmation without PIN, which is no document",
    "policy.undefined": "needs an authentication CA of J-LIS's test environment in the trust store; none is published",
    **{
        f"revocation.{why}": "needs somebody who is asked: `kojin_card.testing.OcspResponder` gives it"
        for why in ("no_responder", "unreachable", "not_known", "untrusted", "outdated")
    },
    **{
        reason: "is found on a card, not in a document; tests/attacks/test_authenticity.py has cards for each"
        for reason in REASONS
        if reason.split(".")[0] in CARD_CHECKS
    },
    **{
        reason: "is found in a slot of the free area; tests/attacks/test_slots.py has one for each"
        for reason in REASONS
        if reason.split(".")[0] in SLOT_CHECKS
    },
}
