"""The fuzz targets, all of them here: what each is given, what it may do with it, and what it must never do.

A target is given bytes. It fails when anything but a typed error comes out, when a document is accepted that does not
say what a good one says (:mod:`fuzz.meaning`), or when it takes more time or memory than :mod:`fuzz.bounds` allows.
What it returns is a word for what became of the bytes, for the statistics.

A new target is one line of :data:`TARGETS`, and its number of executions in ``test_smoke.py``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from asn1crypto import parser as foreign_parser

from attacks import test_ocsp, test_timestamps
from attacks.forge import certificate, verifier
from fuzz import meaning, seeds
from fuzz.mutate import BASE64, BASE64URL, HEX, Mutator, Wrapping
from kojin_card.authn import AuthenticationProof, Challenge
from kojin_card.cli.verdicts import verdict_json
from kojin_card.errors import DecodeError, InputError, KojinError, SpecError
from kojin_card.iso7816 import tlv
from kojin_card.iso7816.apdu import CommandApdu, ResponseApdu
from kojin_card.pki import der
from kojin_card.pki.algorithms import Outcome
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.crl_store import CrlMemory
from kojin_card.pki.cv import CvCertificate, CvStore
from kojin_card.pki.fetch import Fetched
from kojin_card.pki.ocsp_source import OcspSource
from kojin_card.pki.profile import Purpose, Store
from kojin_card.pki.revocation import Crl, RevocationStatus
from kojin_card.simulator import SoftCard
from kojin_card.simulator.cardformat import dump, load
from kojin_card.spec import descriptor, load_card_spec, manifest, terminal_certificate
from kojin_card.spec.load import load_application
from kojin_card.spec.service import load_service
from kojin_card.verdict import CheckId, Indication
from kojin_card.verification import MemoryChallengeStore, Verifier
from kojin_card.verification.signed_data import SignedData

if TYPE_CHECKING:
    from kojin_card.verdict import Verdict

Run = Callable[[bytes], str]


class Finding(AssertionError):
    """The code under test did something that it must never do."""


@dataclass(frozen=True)
class Target:
    """One thing that reads bytes of strangers.

    Attributes:
        run: gives a word for what became of the bytes; raises :class:`Finding`, or whatever escaped.
        good: documents that are accepted; what is accepted must say what one of them says.
        bad: others to begin with.
        tokens: words of the format.
        wrapping: how DER stands inside it.
        needs: says what is missing on this machine or in this version; None when the target can run.
    """

    name: str
    run: Run
    good: Callable[[], Sequence[bytes]]
    bad: Callable[[], Sequence[bytes]] = tuple
    tokens: tuple[bytes, ...] = ()
    wrapping: Wrapping | None = None
    needs: Callable[[], str | None] = lambda: None

    def seeds(self) -> tuple[bytes, ...]:
        """Where fuzzing begins."""
        return (*self.good(), *self.bad())

    def mutator(self) -> Mutator:
        """Makes documents for it."""
        return Mutator(self.seeds(), self.tokens, self.wrapping)


def refused(run: Callable[[bytes], str], *allowed: type[KojinError]) -> Run:
    """A target that may also refuse, by these typed errors."""

    def guarded(data: bytes) -> str:
        try:
            return run(data)
        except KojinError as refusal:
            if not isinstance(refusal, allowed) or refusal.code == KojinError.code:
                raise Finding(f"{type(refusal).__name__} is no refusal of a document: {refusal}") from refusal
            if not refusal.words("ja") or not refusal.remedy("en"):
                raise Finding(f"{type(refusal).__name__} without words or remedy") from refusal
            return type(refusal).__name__

    return guarded


# --- documents that are judged ----------------------------------------------------------------------------------------


def _parts(verdict: Verdict) -> tuple[str, ...]:
    """SHA-256 of the certificate of each signer."""
    return tuple(part.check(CheckId.CERTIFICATE).evidence["sha256"] for part in (verdict.parts or (verdict,)))


def _judged(judge: Callable[[bytes], Verdict], says_the_same: Callable[[bytes, Verdict], bool]) -> Run:
    """A target that gives a verdict, whatever it is given.

    Args:
        says_the_same: whether what was accepted says what a good document says.
    """

    def run(data: bytes) -> str:
        verdict = judge(data)
        passed = verdict.indication is Indication.TOTAL_PASSED
        if passed == bool(verdict.reasons):
            raise Finding(f"{verdict.indication} for {verdict.reasons}")
        # a verdict must be one that a person can be shown
        json.dumps([verdict_json(verdict, lang) for lang in ("ja", "en")], ensure_ascii=False).encode("utf-8")
        if passed and not says_the_same(data, verdict):
            raise Finding("accepted, and it does not say what a good document says")
        if not passed and verdict.holder is not None and not _may_disclose(verdict):
            raise Finding("the holder of a document that is not authentic")
        return " ".join((str(verdict.indication), *verdict.reasons[:1]))

    return run


def _may_disclose(verdict: Verdict) -> bool:
    """Whether what failed leaves signature and certificate authentic."""
    still = {"key_usage", "policy", "validity", "revocation", "time"}
    return all(reason.split(".")[0] in still for reason in verdict.reasons)


@cache
def _cms_meanings(content: bytes | None) -> frozenset[meaning.Meaning]:
    good = seeds.messages() if content is None else seeds.detached()
    said = (meaning.of_cms(data, _parts(verifier().verify_cms(data, content).require())) for data in good)
    return frozenset[meaning.Meaning]().union(*said)


def _same_cms(content: bytes | None) -> Callable[[bytes, Verdict], bool]:
    def same(data: bytes, verdict: Verdict) -> bool:
        found = meaning.of_cms(data, _parts(verdict))
        return bool(found) and found <= _cms_meanings(content)

    return same


def _same_pdf(data: bytes, verdict: Verdict) -> bool:
    certificates = _parts(verdict)
    return any(
        found == meaning.of_pdf(good, good, certificates)
        for good in seeds.pdfs()
        if (found := meaning.of_pdf(data, good, certificates)) is not None
    )


def _same_certificate(data: bytes, verdict: Verdict) -> bool:
    return (
        _parts(verdict) == (hashlib.sha256(data).hexdigest(),)
        and meaning.of_certificate(data) in _certificate_meanings()
    )


@cache
def _certificate_meanings() -> frozenset[meaning.Meaning | None]:
    return frozenset(meaning.of_certificate(data) for data in seeds.certificates())


def _proof(data: bytes) -> Verdict:
    store = MemoryChallengeStore()
    store.add(seeds.challenge())
    text = data.decode("latin-1")
    return verifier().verify_proof(text, store, audience=seeds.AUDIENCE, purpose=seeds.PURPOSE, disclose=True)


def _list(data: bytes) -> str:
    """A list, as the only source for a certificate, and as something that an operator adds."""
    verdict = verifier(CrlMemory([data])).certificate_status(certificate(), purpose=Purpose.SIGNATURE)
    known = {hashlib.sha256(one).hexdigest() for one in (*seeds.clean_lists(), *seeds.revoking_lists())}
    evidence = verdict.check(CheckId.REVOCATION).evidence
    if verdict.indication is Indication.TOTAL_PASSED and evidence["source"] not in known:
        raise Finding("a certificate is good by a list that its CA did not make")
    if verdict.reasons not in ((), ("revocation.revoked",), *((f"revocation.{why}",) for why in _UNKNOWN)):
        raise Finding(f"a list alone leads to {verdict.reasons}")
    parsed = Crl.parse(data)
    return f"{verdict.indication} with {min(len(parsed.entries()), 9)} entries"


_UNKNOWN = ("no_list", "stale", "unusable")


def _ocsp(data: bytes) -> str:
    """An OCSP responder's answer, as the only source for a certificate."""
    asked = OcspSource(test_ocsp.settings(), transport=lambda _, __: Fetched(data), random=lambda _: bytes(32))
    answer = test_ocsp.judge_status(asked)
    known = {meaning.of_answer(one) for one in seeds.answers()}
    if answer.status is RevocationStatus.GOOD and meaning.of_answer(data) not in known:
        raise Finding("a certificate is good by an answer that nobody gave")
    return f"{answer.status} {answer.detail or ''}".strip()


def _timestamp(data: bytes) -> str:
    """A time-stamp token on a signature whose certificate was revoked afterwards: without a proof it does not pass."""
    verdict = test_timestamps.verdict_on(data)
    known = {meaning.of_token(one) for one in seeds.tokens()}
    if verdict.indication is Indication.TOTAL_PASSED and meaning.of_token(data) not in known:
        raise Finding("a time that no authority stamped")
    json.dumps([verdict_json(verdict, lang) for lang in ("ja", "en")], ensure_ascii=False).encode("utf-8")
    told = [reason for token in verdict.timestamps for reason in token.reasons]
    return " ".join((str(verdict.indication), *told[:1]))


# --- readers ----------------------------------------------------------------------------------------------------------


def _certificate(data: bytes) -> str:
    """Read, and judged when it could be read."""
    parsed = Certificate.parse(data)
    if parsed.der != data or parsed.tbs not in data or repr(parsed).count("\n"):
        raise Finding("a certificate that is not the bytes that were read")
    return _JUDGED_CERTIFICATE(data)


_JUDGED_CERTIFICATE = _judged(lambda data: verifier().certificate_status(data, disclose=True), _same_certificate)


def _ber(data: bytes) -> str:
    """The reader of BER: what it makes is the same when it is read again, and what is DER it leaves alone."""
    made, end = der.normalise(data)
    again, whole = der.normalise(made)
    if again != made or whole != len(made) or not 0 < end <= len(data):
        raise Finding("what was normalised is not normal")
    try:
        der.check(made)
    except der.DerError:
        return "BER"
    if end == len(data) and _is_der(data) and made != data:
        raise Finding("DER was changed")
    foreign = foreign_parser.parse(made, strict=True)
    first = der.single(made)
    if foreign[4] != first.value:
        raise Finding("another reader finds other contents")
    SignedData.parse(data, padded=True)
    return "signed data"


def _is_der(data: bytes) -> bool:
    try:
        der.check(data)
    except der.DerError:
        return False
    return True


def _tlv(data: bytes) -> str:
    """The codecs of the card's data objects: what is read says where it stood, and can be written again."""
    words = []
    readers: tuple[tuple[str, Callable[[], Iterable[tlv.Tlv]], Callable[[tlv.Tlv], bytes]], ...] = (
        ("ber", lambda: tlv.read_all(data), lambda one: tlv.encode(one.tag, one.value)),
        ("filled", lambda: tlv.read_all(data, filler=True), lambda one: tlv.encode(one.tag, one.value)),
        ("simple", lambda: [tlv.read_simple(data)], lambda one: tlv.encode_simple(one.tag[0], one.value)),
        ("plain", lambda: [tlv.read_plain(data)], lambda one: tlv.encode_plain(one.tag, one.value)),
    )
    for name, read, write in readers:
        try:
            for one in read():
                if data[one.offset : one.end] != one.raw or len(write(one)) > len(one.raw):
                    raise Finding(f"{name}: an object that is not what stood there")
        except DecodeError:
            continue
        words.append(name)
    if "ber" in words and data and tlv.object_length(data[:6]) != tlv.read_one(data).end:
        raise Finding("two lengths of one object")
    return "+".join(words) or "nothing"


def _spec(data: bytes) -> str:
    load_application(data.decode("utf-8", "replace"), "fuzzed.toml")
    return "a spec"


def _service(data: bytes) -> str:
    """A service that is loaded can be used: its examples are values of it."""
    service = load_service(data.decode("utf-8", "replace"), "fuzzed.toml")
    octets = service.encode({one.id: one.example for one in service.fields.values()})
    for sfi, value in octets.items():
        one = service.by_sfi(sfi)
        if one is None or one.encode(one.decode(value)) != value:
            raise Finding("a value that is another one when it is written and read again")
    return "a service"


def _manifest(data: bytes) -> str:
    read = manifest.decode_file(data)
    if manifest.encode_file(manifest.encode(read.manifest), read.signature) != data:
        raise Finding("a manifest that is written in two ways")
    return f"a manifest, {min(len(read.manifest.fields), 2)}"


def _descriptor(data: bytes) -> str:
    said = descriptor.decode(data)
    if descriptor.encode(said, data[: manifest.SALT_BYTES]) != data:
        raise Finding("a descriptor that is written in two ways")
    return "a descriptor"


def _terminal(data: bytes) -> str:
    read, proof = terminal_certificate.decode_authentication(data)
    again = terminal_certificate.encode(terminal_certificate.encode_body(read.body), read.signature)
    if terminal_certificate.encode_authentication(again, proof) != data:
        raise Finding("a certificate that is written in two ways")
    return "a certificate"


def _card_file(data: bytes) -> str:
    state = load(data, load_card_spec(), "fuzzed.json")
    if load(dump(state), load_card_spec(), "written.json") != state:
        raise Finding("a card that is another one when it is written and read again")
    return "a card"


def _cv(data: bytes) -> str:
    """By the layout of each application, and by the CA's key where the certificate names one."""
    found = []
    spec, store = load_card_spec(), CvStore.load(Store.SIMULATOR)
    for application in ("input_support", "card_face", "card_manager"):
        layout = spec[application].layouts["cv_certificate"]
        try:
            parsed = CvCertificate.parse(data, layout)
        except DecodeError:
            continue
        issuer = store.find(parsed.issuer_key_id, application)
        valid = issuer is not None and parsed.verify(issuer.key) is Outcome.VALID
        if valid and parsed.body not in _cv_bodies():
            raise Finding("a card-verifiable certificate that no CA signed")
        found.append(f"{application}{' signed' if valid else ''}")
    return ", ".join(found) or "DecodeError"


@cache
def _cv_bodies() -> frozenset[bytes]:
    spec = load_card_spec()
    return frozenset(
        CvCertificate.parse(data, spec[application].layouts[layout]).body
        for application, layout, data in seeds.cv_certificates()
    )


def _pieces(data: bytes, most: int = 24) -> Iterable[bytes]:
    """Commands, each after its length in two bytes."""
    for _ in range(most):
        if len(data) < 2:
            return
        size = int.from_bytes(data[:2], "big")
        yield data[2 : 2 + size]
        data = data[2 + size :]


@cache
def _secrets() -> tuple[bytes, ...]:
    state = seeds.card()
    return tuple({key.secret for one in state.applications.values() for key in one.keys.values() if key.secret})


@cache
def _personal() -> tuple[bytes, ...]:
    """The holder's name and address as the card holds them, and its 個人番号."""
    spec, state = load_card_spec(), seeds.card()
    from kojin_card.spec import decode

    octets = state.applications["input_support"].files
    four = decode(spec["input_support"].layouts["basic_four"], octets["basic_four"].octets or b"")
    number = decode(spec["input_support"].layouts["my_number"], octets["my_number"].octets or b"")
    return str(four["name"]).encode(), str(four["address"]).encode(), str(number["my_number"]).encode()


def _apdu(data: bytes) -> str:
    """A session with a software card: an answer to anything, and nothing of the holder without a PIN."""
    card = SoftCard.in_memory(seeds.card(), random=lambda size: b"\x2a" * size)
    knows = any(secret in data for secret in _secrets())
    last = "nothing"
    with card:
        for command in _pieces(data):
            try:
                parsed = CommandApdu.decode(command)
                if CommandApdu.decode(parsed.encode()) != parsed:
                    raise Finding("a command that is another one when it is written and read again")
            except DecodeError:
                pass
            raw = card.transmit(command)
            answer = ResponseApdu.decode(raw)
            if answer.encode() != raw or len(raw) > 65_538:
                raise Finding("an answer that is not one")
            if not knows and any(private in raw for private in _personal()):
                raise Finding("the holder's data without a PIN")
            if not knows and command[1:2] == b"\x2a" and answer.sw == 0x9000 and len(answer.data) >= 256:
                raise Finding("a signature without a PIN")
            last = f"{answer.sw:04X}"
    return last


def _challenge(data: bytes) -> str:
    """What a client is given to sign."""
    made = Challenge.from_json(data)
    if Challenge.from_json(made.to_json()) != made:
        raise Finding("a challenge that is another one when it is written and read again")
    return "a challenge"


def _proof_text(data: bytes) -> str:
    text = data.decode("latin-1")
    parsed = AuthenticationProof.parse(text)
    if parsed.compact() != text:
        raise Finding("a proof that is written in two ways")
    return "a proof"


# --- XML --------------------------------------------------------------------------------------------------------------


def _no_xml() -> str | None:
    return None if hasattr(Verifier, "verify_xml") else "this version does not judge XML"


def _xml(data: bytes) -> Verdict:
    verdict: Verdict = getattr(verifier(), "verify_xml")(data)  # noqa: B009 - not every version has it
    return verdict


@cache
def _xml_meanings() -> frozenset[meaning.Meaning]:
    return frozenset(meaning.of_xml(data, _parts(_xml(data).require())) for data in seeds.xmls())


def _same_xml(data: bytes, verdict: Verdict) -> bool:
    return meaning.of_xml(data, _parts(verdict)) in _xml_meanings()


_PDF_WORDS = (
    b"/ByteRange", b"/Contents", b"/Type /Sig", b"/SubFilter", b"/ETSI.CAdES.detached", b"/Fields", b"/Kids",
    b"/V 6 0 R", b"/AcroForm", b"/Prev 9", b"/XRefStm 9", b"/ObjStm", b"/FlateDecode", b"/Encrypt", b"endobj",
    b"endstream", b"stream", b"startxref\n9\n%%EOF\n", b"trailer", b"<<", b">>", b"[", b"]", b"null", b"1 0 R",
    b"/DocMDP", b"/Perms", b"%",
)  # fmt: skip
_TOML_WORDS = (
    b"[[file]]", b"[[key]]", b"[application]", b"[[layout]]", b"'" * 4, b'"' * 3, b"= true\n", b"= 1979-05-27\n",
    b"inf", b"nan", b"0x", b"evidence = ", b"id = ", b"\n", b"[", b"]", b"{", b"}", b".", b"#", b"1" * 30, b"1" * 5000,
)  # fmt: skip
_XML_WORDS = (
    b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"&#0;", b"&amp;", b"<?pi?>",
    b'Id="a"', b'URI=""', b'URI="#a"', b"<Object>", b"</Object>", b"<Transforms>", b'xmlns=""', b' xml:id="a"',
    b"&#13;", b"\xef\xbb\xbf", b"http://www.w3.org/TR/1999/REC-xslt-19991116", b"http://www.w3.org/2000/09/xmldsig#rsa-sha1",
)  # fmt: skip
_JSON_WORDS = (
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"NaN",
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b":",
    b",",
    b"\\ud800",
    b"[" * 200,
)


TARGETS: tuple[Target, ...] = (
    Target("cms", _judged(lambda data: verifier().verify_cms(data, disclose=True), _same_cms(None)),
        seeds.messages, lambda: seeds.bad("cms")),
    Target("cms-detached", _judged(lambda data: verifier().verify_cms(data, seeds.CONTENT), _same_cms(seeds.CONTENT)),
        seeds.detached),
    Target("certificate", refused(_certificate, DecodeError), seeds.certificates, lambda: seeds.bad("certificate")),
    Target("crl", refused(_list, DecodeError), seeds.clean_lists, seeds.revoking_lists),
    Target("ocsp", _ocsp, seeds.answers, seeds.bad_answers),
    Target("timestamp", _timestamp, seeds.tokens),
    Target("ber", refused(_ber, DecodeError), seeds.messages, lambda: seeds.bad("cms")),
    Target("pdf", _judged(lambda data: verifier().verify_pdf(data, disclose=True), _same_pdf),
        seeds.pdfs, lambda: seeds.bad("pdf"), _PDF_WORDS, HEX),
    Target("xml", _judged(_xml, _same_xml), seeds.xmls, tokens=_XML_WORDS, wrapping=BASE64, needs=_no_xml),
    Target("proof", _judged(_proof, lambda data, _: data in seeds.proofs()),
        seeds.proofs, lambda: seeds.bad("proof"), _JSON_WORDS, BASE64URL),
    Target("proof-text", refused(_proof_text, DecodeError), seeds.proofs, tokens=_JSON_WORDS, wrapping=BASE64URL),
    Target("challenge", refused(_challenge, DecodeError), lambda: (seeds.challenge().to_json().encode(),),
        tokens=_JSON_WORDS),
    Target("cv", refused(_cv), lambda: tuple(data for _, _, data in seeds.cv_certificates())),
    Target("tlv", refused(_tlv, DecodeError), seeds.tlvs),
    Target("apdu", refused(_apdu), seeds.commands),
    Target("spec", refused(_spec, SpecError), seeds.specs, tokens=_TOML_WORDS),
    Target("service", refused(_service, SpecError), seeds.services, tokens=_TOML_WORDS),
    Target("manifest", refused(_manifest, DecodeError), seeds.manifests),
    Target("descriptor", refused(_descriptor, DecodeError), seeds.descriptors),
    Target("terminal", refused(_terminal, DecodeError), seeds.terminals),
    Target("card-file", refused(_card_file, InputError), seeds.card_files, tokens=_JSON_WORDS),
)  # fmt: skip


def target(name: str) -> Target:
    """The target of that name.

    Raises:
        KeyError: there is none.
    """
    return {one.name: one for one in TARGETS}[name]
