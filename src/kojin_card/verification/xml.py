"""Judging signed XML (XMLDSig, XAdES; jpki.md §5, §6 A-35): every signature, what it covers, and what nobody signed.

What may stand in a signature is decided before anything is computed (:mod:`.xml_signature`), what must stand where
after it (:mod:`.xml_coverage`). Octets are computed here by libxml2 and once more by signxml, which must agree.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from kojin_card.errors import DecodeError, InputError
from kojin_card.pki import der
from kojin_card.pki.algorithms import Outcome, digest_label, ecdsa_der, verify
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.profile import Purpose, load_profiles
from kojin_card.verdict import Check, CheckId, CheckState, SignedContent, utc_seconds
from kojin_card.verification.cms import REQUIRED
from kojin_card.verification.engine import BEFORE_DISCLOSURE
from kojin_card.verification.xml_coverage import Cover, in_place, judge_coverage
from kojin_card.verification.xml_signature import XmlSignature, read_signature
from kojin_card.xml_reader import (
    DIGESTS,
    ECDSA_SHA384,
    RSA_SHA256,
    SIGNED_PROPERTIES,
    XmlAmbiguousError,
    XmlError,
    XmlUnsupportedError,
    by_id,
    canonical,
    ds,
    elements,
    identifiers,
    inherits,
    path_of,
    place_of,
    read_xml,
    signatures,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.pki.profile import CertificateProfile
    from kojin_card.verdict import Verdict
    from kojin_card.verification.engine import Task
    from kojin_card.verification.xml_signature import Reference

MAX_SIGNATURES = 16
MAX_ATTACHMENTS = 64
MAX_ATTACHED_BYTES = 128 * 1024 * 1024
MAX_WORK_BYTES = 128 * 1024 * 1024
"""Size of the document times the references of all signatures: each reads all of it anew."""

#: signature method -> (kind of key, digest). What is not listed is named and not accepted.
METHODS: Mapping[str, tuple[str, str]] = {RSA_SHA256: ("rsa", "sha256"), ECDSA_SHA384: ("ec", "sha384")}
_WEAK = ("sha1", "md5", "md2", "ripemd")  # found in the part after # of what W3C and RFC 9231 name

_REASONS = {
    "malformed_xml": "format.malformed",
    "forbidden_xml": "format.forbidden",
    "unsupported_xml": "format.unsupported",
    "ambiguous_xml": "format.ambiguous",
}


def _failed(bad: DecodeError) -> Check:
    return Check.failed(_REASONS.get(bad.code, "format.malformed"), what=bad.message)


def judge(task: Task, data: bytes, attachments: Mapping[str, bytes] | None, *, signed_only: bool) -> Verdict:
    """Judge a document.

    Raises:
        InputError: more than 64 attachments, or more than 128 MiB of them.
    """
    given = dict(attachments or {})
    if len(given) > MAX_ATTACHMENTS or sum(map(len, given.values())) > MAX_ATTACHED_BYTES:
        raise InputError("more attachments than the verifier takes", operation="verify XML")
    evidence = {"document_sha256": hashlib.sha256(data).hexdigest()}
    finish = partial(task.verdict, "xml", required=REQUIRED, evidence=evidence)
    try:
        document = _Document.read(data, given)
    except DecodeError as bad:
        return finish([_failed(bad)])
    if not document.found:
        return finish([Check.failed("format.no_signature")])
    signings = [_Signing(task, document, element) for element in document.found]
    if sum(signing.count for signing in signings) * len(data) > MAX_WORK_BYTES:
        return finish([Check.failed("format.unsupported", what="too many references into so large a document")])
    for signing in signings:
        signing.resolve()
    whole = document.coverage(signings, signed_only=signed_only)
    if len(signings) == 1:
        return signings[0].verdict("xml", evidence, whole)
    parts = tuple(
        signing.verdict(f"xml signature {number}", {}, Check.passed(CheckId.COVERAGE))
        for number, signing in enumerate(signings, 1)
    )
    if whole.state is not CheckState.PASSED:  # what is wrong with the whole takes back what a part would hand out
        parts = tuple(dataclasses.replace(part, signed=(), holder=None) for part in parts)
    formed = Check.passed(CheckId.FORMAT, signatures=str(len(parts)))
    return task.verdict(
        "xml", [formed, whole], frozenset({CheckId.FORMAT, CheckId.COVERAGE}), evidence=evidence, parts=parts
    )


@dataclass(slots=True)
class _Document:
    """A document that was read, and what came with it.

    Attributes:
        index: see :func:`~kojin_card.xml_reader.identifiers`.
        unused: names of attachments that no reference means.
    """

    data: bytes = field(repr=False)
    tree: Any = field(repr=False)
    found: list[Any] = field(repr=False)
    index: dict[str, list[Any]] = field(repr=False)
    attachments: dict[str, bytes] = field(repr=False)
    unused: set[str] = field(repr=False)

    @classmethod
    def read(cls, data: bytes, attachments: dict[str, bytes]) -> _Document:
        """Read it.

        Raises:
            XmlError: see :func:`~kojin_card.xml_reader.read_xml`; more signatures than are judged.
        """
        tree = read_xml(data)
        found = signatures(tree)
        if len(found) > MAX_SIGNATURES:
            raise XmlUnsupportedError("too many signatures")
        return cls(data, tree, found, identifiers(tree), attachments, set(attachments))

    def attachment(self, reference: Reference) -> bytes | None:
        """The attachment that a reference means; None when it was not given.

        Raises:
            XmlAmbiguousError: it could be either of two.
        """
        names = sorted(reference.names & self.attachments.keys())
        if len(names) > 1:
            raise XmlAmbiguousError("a reference that could be either of two attachments")
        if not names:
            return None
        self.unused.discard(names[0])
        return self.attachments[names[0]]

    def coverage(self, signings: list[_Signing], *, signed_only: bool) -> Check:
        """COVERAGE of the document and its attachments, by all signatures together."""
        covers = [cover for signing in signings for cover in signing.covers]
        check = judge_coverage(self.tree, self.found, covers, signed_only=signed_only)
        if check.state is CheckState.PASSED and self.unused:
            return Check.failed("coverage.partial", unsigned_attachments=str(len(self.unused)))
        return check


@dataclass(slots=True)
class _Signing:
    """One signature of a document, about to be judged.

    Attributes:
        problem: what keeps it from being judged.
        coverage: what is wrong with its references; None when nothing is.
        octets: what each reference covers, as it was hashed.
    """

    task: Task
    document: _Document
    element: Any = field(repr=False)
    signature: XmlSignature | None = field(default=None, init=False, repr=False)
    problem: Check | None = field(default=None, init=False)
    coverage: Check | None = field(default=None, init=False)
    covers: list[Cover] = field(default_factory=list, init=False, repr=False)
    octets: list[bytes] = field(default_factory=list, init=False, repr=False)
    targets: list[Any] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            self.signature = read_signature(self.element)
        except DecodeError as bad:
            self.problem = _failed(bad)

    @property
    def count(self) -> int:
        """How many references it has."""
        return 0 if self.signature is None else len(self.signature.references)

    # --- what it covers -----------------------------------------------------------------------------------------------

    def resolve(self) -> None:
        """Find what each reference means, and its octets."""
        if self.signature is None:
            return
        try:
            for number, reference in enumerate(self.signature.references, 1):
                if self.coverage is None:
                    self._resolve(reference, number)
            self._properties(self.signature)
        except DecodeError as bad:
            self.problem = _failed(bad)

    def _resolve(self, reference: Reference, number: int) -> None:
        document = self.document
        if reference.names:
            attachment = document.attachment(reference)
            if attachment is None:
                self.coverage = Check.failed("coverage.content_missing", reference=str(number))
                return
            self.octets.append(attachment)
            self.targets.append(None)
            return
        if reference.target is not None and reference.target not in document.index:
            self.coverage = Check.failed("coverage.content_missing", reference=str(number))
            return
        target = None if reference.target is None else by_id(document.index, reference.target)
        if target is not None and not in_place(target, self.element):
            self.coverage = Check.failed("coverage.wrapped", reference=str(number))
            return
        read = document.tree, target
        if reference.enveloped and (target is None or target in self.element.iterancestors()):
            read = without(document.tree, self.element, target)
        self.octets.append(canonical(*read, reference.way, reference.prefixes))
        self.covers.append(Cover(target, reference.prefixes if reference.way.exclusive else None))
        self.targets.append(document.tree.getroot() if target is None else target)

    def _properties(self, signature: XmlSignature) -> None:
        """XAdES: the signed properties are those of this signature, and a reference of their type covers them."""
        typed = [
            target
            for reference, target in zip(signature.references, self.targets, strict=False)
            if reference.type == SIGNED_PROPERTIES
        ]
        own = [] if signature.properties is None else [signature.properties.element]
        if self.coverage is None and (
            len(typed) != len(own) or any(a is not b for a, b in zip(typed, own, strict=True))
        ):
            raise XmlError("signed properties that are not signed as such")

    # --- the verdict --------------------------------------------------------------------------------------------------

    def verdict(self, subject: str, evidence: dict[str, str], whole: Check) -> Verdict:
        """The verdict on this signature.

        Args:
            whole: COVERAGE of the document, unless that is said elsewhere.
        """
        coverage = whole if self.coverage is None else self.coverage
        if self.signature is None or self.problem is not None:
            problem = Check.failed("format.malformed") if self.problem is None else self.problem
            checks = [problem] if self.coverage is None else [problem, self.coverage]
            return self.task.verdict(subject, checks, REQUIRED, evidence=evidence)
        found = dict(evidence)
        try:
            checks, certificate = self._checks(self.signature, coverage, found)
        except DecodeError as bad:
            return self.task.verdict(subject, [_failed(bad), coverage], REQUIRED, evidence=evidence)
        verdict = self.task.verdict(subject, checks, REQUIRED, evidence=found, certificate=certificate)
        if any(verdict.check(check).state is not CheckState.PASSED for check in BEFORE_DISCLOSURE):
            return verdict
        return dataclasses.replace(verdict, signed=self._signed(self.signature))

    def _signed(self, signature: XmlSignature) -> tuple[SignedContent, ...]:
        out = []
        for reference, octets, target in zip(signature.references, self.octets, self.targets, strict=True):
            kind = "attachment" if target is None else "element"
            if target is not None and reference.target is None:
                kind = "document"
            if reference.type == SIGNED_PROPERTIES:
                kind = "properties"
            out.append(SignedContent(kind, reference.uri, "" if target is None else path_of(target), octets))
        return tuple(out)

    def _checks(
        self, signature: XmlSignature, coverage: Check, evidence: dict[str, str]
    ) -> tuple[list[Check], Certificate | None]:
        properties = signature.properties
        evidence["references"] = str(len(signature.references))
        if properties is not None:
            evidence["form"] = "XAdES"
            if properties.unsigned:
                evidence["unsigned_properties"] = "not looked at"
        claimed = None if properties is None else properties.signing_time
        named, certificate = self._certificate(signature)
        profile = self._profile(signature, certificate)
        algorithms = self._algorithms(signature, profile)
        checks = [Check.passed(CheckId.FORMAT), coverage, named]
        resolved = self.coverage is None
        if algorithms is None and resolved:
            checks.append(self._digests(signature))
        trusted_from = None
        if certificate is not None:
            if algorithms is None:
                checks.append(self._signature(signature, certificate, profile))
            if resolved and all(check.state is CheckState.PASSED for check in checks[-2:]) and algorithms is None:
                self._second_opinion(signature, certificate, checks)
            about, found = self.task.certificate_checks(certificate, Purpose.SIGNATURE)
            checks += about
            evidence.update(found)
            if any(check.id is CheckId.CHAIN and check.state is CheckState.PASSED for check in about):
                trusted_from = certificate.not_before
        if claimed is not None:
            evidence["claimed_signing_time"] = utc_seconds(claimed)
            contradiction = self.task.moment.contradicted(claimed, trusted_from)
            if contradiction is not None:
                checks.append(contradiction)
        if algorithms is not None:
            checks = [check for check in checks if check.id is not CheckId.ALGORITHMS] + [algorithms]
        return checks, certificate

    def _certificate(self, signature: XmlSignature) -> tuple[Check, Certificate | None]:
        """Exactly one of the certificates offered is the signer's: the one that XAdES names, else the one whose serial
        stands beside it, else the only one that is not a CA's."""
        offered: list[Certificate] = []
        malformed = 0
        for data in signature.certificates:
            try:
                offered.append(Certificate.parse(data))
            except DecodeError:
                malformed += 1
        if not offered:
            return Check.failed("certificate.malformed" if malformed else "certificate.missing"), None
        named = None if signature.properties is None else signature.properties.certificate
        matching = offered
        if named is not None:
            matching = [one for one in offered if hashlib.new(named[0], one.der).digest() == named[1]]
        if signature.serials:
            matching = [one for one in matching if one.serial in signature.serials]
        if len(matching) > 1:
            matching = [one for one in matching if not one.is_ca]
        if len(matching) > 1:
            return Check.failed("certificate.ambiguous", matching=str(len(matching))), None
        if not matching or not all(_is_key_of(key, matching[0]) for key in signature.key_values):
            return Check.failed("certificate.mismatch"), None
        signed_keys = any(target is signature.key_info for target in self.targets if target is not None)
        if signature.properties is not None and named is None and not signed_keys:
            return Check.failed("certificate.mismatch", what="no signed property names it"), None  # EN 319 132-1 §5.2.2
        return Check.passed(CheckId.CERTIFICATE, sha256=matching[0].sha256), matching[0]

    def _profile(self, signature: XmlSignature, certificate: Certificate | None) -> CertificateProfile:
        """As for CMS: the certificate's, and without one any that the algorithms suit."""
        if certificate is not None:
            return self.task.profile(certificate, Purpose.SIGNATURE)
        here = load_profiles().of(Purpose.SIGNATURE, self.task.trust.store)
        suited = [profile for profile in here if self._algorithms(signature, profile) is None]
        return (*suited, *load_profiles().of(Purpose.SIGNATURE))[0]

    @staticmethod
    def _algorithms(signature: XmlSignature, profile: CertificateProfile) -> Check | None:
        """None when the method is the profile's and every digest SHA-2; else why not."""
        named = [signature.method, *(reference.digest_method for reference in signature.references)]
        evidence = {
            "signature": _fragment(signature.method),
            "digest": " ".join(dict.fromkeys(map(_fragment, named[1:]))),
        }
        if any(weak in _fragment(uri).replace("-", "") for uri in named for weak in _WEAK):
            return Check.failed("algorithms.weak", **evidence)
        method = METHODS.get(signature.method)
        if method is None or not set(named[1:]) <= DIGESTS.keys():
            return Check.failed("algorithms.unknown", **evidence)
        return (
            None if method == (profile.key.algorithm, profile.hash) else Check.failed("algorithms.unknown", **evidence)
        )

    def _digests(self, signature: XmlSignature) -> Check:
        names = []
        for number, (reference, octets) in enumerate(zip(signature.references, self.octets, strict=True), 1):
            name = DIGESTS[reference.digest_method]
            if hashlib.new(name, octets).digest() != reference.digest:
                return Check.failed("digest.mismatch", reference=str(number))
            names.append(digest_label(name))
        return Check.passed(CheckId.DIGEST, algorithm=" ".join(dict.fromkeys(names)))

    def _signature(self, signature: XmlSignature, certificate: Certificate, profile: CertificateProfile) -> Check:
        octets = canonical(self.document.tree, signature.signed_info, signature.way, signature.prefixes)
        digest = hashlib.new(profile.hash, octets).digest()
        value = signature.value
        if profile.key.algorithm == "ec":  # XMLDSig 1.1 §6.4.3: r and s one after the other, no DER
            try:
                value = ecdsa_der(value)
            except der.DerError:
                wrapped = verify(certificate.key, certificate.spki, profile.hash, value, digest) is Outcome.VALID
                return Check.failed("signature.encoding" if wrapped else "signature.invalid")
        return self.task.signature_check(certificate, profile, value, digest)

    def _second_opinion(self, signature: XmlSignature, certificate: Certificate, checks: list[Check]) -> None:
        """signxml must find the same octets signed, wherever it reads XML as far as we do."""
        if not self._judgeable(signature):
            return
        from kojin_card.verification.xml_opinion import signed_octets

        meanings = [
            octets if target is None else place_of(target)
            for octets, target in zip(self.octets, self.targets, strict=True)
        ]
        theirs = signed_octets(self.document.data, place_of(self.element), meanings, certificate)
        if theirs != self.octets:
            checks[0] = Check.failed("format.ambiguous", what="two implementations read it differently")

    def _judgeable(self, signature: XmlSignature) -> bool:
        """signxml knows neither instructions beside the root nor ``xml:`` attributes that are inherited."""
        root = self.document.tree.getroot()
        beside = [*root.itersiblings(preceding=True), *root.itersiblings()]
        whole = any(
            target is root and reference.target is None
            for reference, target in zip(signature.references, self.targets, strict=True)
        )
        if whole and any(hasattr(node, "target") for node in beside):
            return False
        written = [(signature.signed_info, signature.way)]
        written += [
            (target, reference.way)
            for reference, target in zip(signature.references, self.targets, strict=True)
            if target is not None
        ]
        return not any(inherits(node, way) for node, way in written)


def _fragment(uri: str) -> str:
    """``rsa-sha256`` of ``http://...#rsa-sha256``; short, and nothing that could be anything but a name."""
    tail = uri.rpartition("#")[2][:40]
    return "".join(char for char in tail if char.isascii() and (char.isalnum() or char in "-_.")) or "none"


def _is_key_of(node: Any, certificate: Certificate) -> bool:
    """Whether a key that stands beside the certificate is the certificate's."""
    try:
        if node.tag.endswith("}DEREncodedKeyValue"):
            return _decoded(node) == certificate.spki
        inside = elements(node)
        if len(inside) != 1:
            return False
        parts = elements(inside[0])
        names = [part.tag.rpartition("}")[2] for part in parts]
        key = certificate.key
        if inside[0].tag == ds("RSAKeyValue") and names == ["Modulus", "Exponent"]:
            numbers = [int.from_bytes(_decoded(part), "big") for part in parts]
            return key.algorithm == "rsa" and numbers == [key.modulus, key.exponent]
        if inside[0].tag.endswith("}ECKeyValue") and names == ["NamedCurve", "PublicKey"]:
            curve = parts[0].get("URI", "").removeprefix("urn:oid:")
            return bool(key.point) and curve == key.curve and _decoded(parts[1]) == key.point
    except ValueError:
        return False
    return False


def _decoded(node: Any) -> bytes:
    return base64.b64decode("".join((node.text or "").split()), validate=True)
