"""What fuzzing begins with: good and bad documents, made anew each time (nothing is stored), the same bytes always."""

from __future__ import annotations

import zlib
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from attacks import forge, test_ocsp, test_timestamps
from attacks.forge import ISSUED, NOW, SERIAL, Cms, Pdf, algorithm, as_ber, attributes, certificate, crl, key, sign, tlv
from attacks.test_next_card import ECDSA_SHA384, SHA384, holder_key
from attacks.test_next_card import attributes as next_attributes
from attacks.test_next_card import good as next_certificate
from kojin_card.authn import AuthenticationProof, Challenge
from kojin_card.pki.ocsp import CertId, request
from kojin_card.pki.profile import Purpose
from kojin_card.resources import data_root
from kojin_card.signing import PdfForm, sign_pdf
from kojin_card.simulator.cardformat import dump
from kojin_card.simulator.testpki import RevokedEntry
from kojin_card.spec import load_card_spec
from kojin_card.spec.descriptor import Descriptor
from kojin_card.spec.descriptor import encode as encode_descriptor
from kojin_card.spec.manifest import FieldDigest, Manifest, encode_file
from kojin_card.spec.manifest import encode as encode_manifest
from kojin_card.spec.owner import Owner
from kojin_card.spec.terminal_certificate import TerminalBody, authority_id, encode_authentication, encode_body
from kojin_card.spec.terminal_certificate import encode as encode_terminal
from kojin_card.testing.cards import card_state
from kojin_card.testing.documents import blank_pdf
from kojin_card.testing.ocsp import OcspFault
from kojin_card.testing.verdicts import verdict_documents
from signers import make_signer

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

AUDIENCE, PURPOSE = "https://bank.example", "log in"
CONTENT = b"invented content\n"
HOUR = timedelta(hours=1)


def bad(kind: str) -> tuple[bytes, ...]:
    """Documents of that kind from the table of verdicts that nobody may ever accept: not those whose fault lies beside
    them, in a list, a challenge, a time, a trust store or the content."""
    beside = (
        "passed",
        "revocation",
        "challenge",
        "time",
        "validity",
        "coverage.two",
        "chain.empty",
        "chain.no_issuer.p",
    )
    return tuple(one.data for one in verdict_documents() if one.kind == kind and not one.id.startswith(beside))


@cache
def messages() -> tuple[bytes, ...]:
    """CMS messages that pass."""
    signing_time = tlv(0x17, b"261124020000Z")
    extra = tuple(
        attributes(CONTENT, signingTime=signing_time, signingCertificateV2=forge.signing_certificate_v2(certificate()))
    )
    ca = forge.pki().ca_of(Purpose.SIGNATURE, 2).certificate
    unsigned = tlv(0xA1, forge.attribute("1.2.840.113549.1.9.6", tlv(0x30, b"\x02\x01\x01")))
    next_one = {
        "certificates": (next_certificate(),),
        "signer_certificate": next_certificate(),
        "digest": algorithm(SHA384, b""),
        "signature_algorithm": algorithm(ECDSA_SHA384, b""),
        "attributes": next_attributes(),
        "signature": lambda _, over: holder_key().sign(over, ec.ECDSA(hashes.SHA384(), deterministic_signing=True)),
    }
    return (
        Cms(content=CONTENT).build(),
        Cms(content=CONTENT, by_key_id=True).build(),
        Cms(content=CONTENT, attributes=extra, certificates=(ca, certificate()), unsigned=unsigned).build(),
        Cms(content=CONTENT, attributes=None).build(),
        Cms(content=CONTENT, signature_algorithm=algorithm("rsaEncryption")).build(),
        Cms(content=CONTENT, version=3).build(Cms(content=CONTENT, by_key_id=True).signer()),
        Cms(content=CONTENT, **next_one).build(),  # type: ignore[arg-type]
        as_ber(Cms(content=CONTENT).build()),
    )


@cache
def pdfs() -> tuple[bytes, ...]:
    """PDFs that pass; each revision of one that is signed twice is one of them."""
    once = sign_pdf(make_signer(at=ISSUED), blank_pdf(["a page"]), now=NOW, name="Hanako Shiken")
    packed = sign_pdf(make_signer(at=ISSUED), _packed(), now=NOW)
    return (
        Pdf().build(),
        Pdf(sub_filter="ETSI.CAdES.detached").build(),
        once,
        sign_pdf(make_signer(at=ISSUED), once, now=NOW, form=PdfForm.REGISTRY, name="Hanako Shiken"),
        packed,
    )


def _packed() -> bytes:
    """A page whose objects stand in an object stream, behind a cross-reference stream; nobody signed it."""
    parts = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
    )
    places = [sum(len(part) + 1 for part in parts[:place]) for place in range(len(parts))]
    directory = b" ".join(b"%d %d" % (place + 1, offset) for place, offset in enumerate(places)) + b" "
    body = zlib.compress(directory + b" ".join(parts))
    out = b"%PDF-1.7\n"
    stream = (
        b"4 0 obj\n<< /Type /ObjStm /N 3 /First %d /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream\nendobj\n"
    )
    rows = [b"\x00\x00\x00\x00\xff", *(b"\x02\x00\x00\x04" + bytes((place,)) for place in range(3))]
    rows.append(b"\x01" + len(out).to_bytes(3, "big") + b"\x00")
    out += stream % (len(directory), len(body), body)
    rows.append(b"\x01" + len(out).to_bytes(3, "big") + b"\x00")
    table = zlib.compress(b"".join(rows))
    head = b"5 0 obj\n<< /Type /XRef /Size 6 /W [1 3 1] /Root 1 0 R /Filter /FlateDecode /Length %d >>\nstream\n"
    return out + head % len(table) + table + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(out)


@cache
def certificates() -> tuple[bytes, ...]:
    """Certificates that pass."""
    return certificate(), certificate(Purpose.AUTHENTICATION), next_certificate(), forge.changed(generation=1)


@cache
def clean_lists() -> tuple[bytes, ...]:
    """Lists by which the holder's certificate is good."""
    others = [RevokedEntry(SERIAL + number, NOW - 5 * HOUR, "superseded") for number in range(1, 9)]
    return crl(), crl(others), crl(others, number=7)


@cache
def revoking_lists() -> tuple[bytes, ...]:
    """Lists by which it is revoked."""
    return tuple(
        crl([RevokedEntry(SERIAL - 1, NOW - 20 * HOUR), RevokedEntry(SERIAL, NOW - 10 * HOUR, reason)])
        for reason in (None, "keyCompromise", "certificateHold")
    )


@cache
def challenge() -> Challenge:
    """The one that was given out."""
    return Challenge.new(AUDIENCE, PURPOSE, now=NOW - timedelta(minutes=1), random=lambda size: b"\x07" * size)


@cache
def proofs() -> tuple[bytes, ...]:
    """Proofs that pass."""
    made = AuthenticationProof.make(
        challenge(), certificate(Purpose.AUTHENTICATION), lambda text: sign(key("authentication"), text)
    )
    return (made.compact().encode("ascii"),)


@cache
def specs() -> tuple[bytes, ...]:
    """The specs of the card's applications."""
    found = sorted(data_root("applets_spec").iterdir(), key=lambda path: path.name)
    return tuple(path.read_bytes() for path in found if path.name.endswith(".toml"))


@cache
def card(persona: str = "adult") -> CardState:
    """A software card."""
    return card_state(persona, datetime(2026, 4, 1, tzinfo=NOW.tzinfo))


@cache
def card_files() -> tuple[bytes, ...]:
    """Card files."""
    return tuple(dump(card(persona)) for persona in ("adult", "child"))


@cache
def cv_certificates() -> tuple[tuple[str, str, bytes], ...]:
    """Application, layout and bytes of the card-verifiable certificates of a card."""
    state = card()
    found = [
        (name, "cv_certificate", state.applications[name].files["cv_certificate"].octets)
        for name in ("input_support", "card_face")
    ]
    manager = state.applications["card_manager"].objects
    found += [("card_manager", "cv_certificate", manager[name]) for name in sorted(manager) if "cv" in name]
    return tuple((name, layout, data) for name, layout, data in found if data)


@cache
def tlvs() -> tuple[bytes, ...]:
    """Everything on a card that is TLV."""
    state = card("licence_holder")
    octets = [file.octets for one in state.applications.values() for file in one.files.values() if file.octets]
    return tuple(sorted({data[:6000] for data in octets}))


@cache
def commands() -> tuple[bytes, ...]:
    """Sessions with a card: commands, each after its length in two bytes. None holds a secret of the card."""
    select = [
        bytes.fromhex("00A4040C") + bytes((len(one.aid),)) + one.aid for one in load_card_spec().applications.values()
    ]
    other = [
        "00A4040C0AD392F000260100000001", "00A4020C020011", "00200080", "0020008004" + b"9999".hex(), "00B0000000",
        "00B00000020000", "00B081000000", "802A008033" + "3031300d060960864801650304020105000420" + "11" * 32 + "00",
        "00840000000020", "0084000008", "00CA007F0000", "0022F1B603840102", "00220041A40480010184", "0070000001",
        "00B2010400", "00CB3FFF045C027F2100", "80CA9F7F00", "0C200080",
    ]  # fmt: skip
    every = [*select, *(bytes.fromhex(text) for text in other)]
    packed = [len(one).to_bytes(2, "big") + one for one in every]
    sessions = [b"".join((packed[place], *packed[len(select) :])) for place in range(len(select))]
    return (*sessions, b"".join(packed))


@cache
def detached() -> tuple[bytes, ...]:
    """Messages that pass over :data:`CONTENT` beside them."""
    plain = Cms(content=CONTENT, attached=False)
    return plain.build(), Cms(content=CONTENT, attached=False, attributes=None).build(), as_ber(plain.build())


# --- answers and tokens -----------------------------------------------------------------------------------------------


@cache
def tokens() -> tuple[bytes, ...]:
    """Time-stamp tokens that prove that the signature is older than its revocation."""
    return test_timestamps.good(), test_timestamps.good(imprint="sha512")


@cache
def answers() -> tuple[bytes, ...]:
    """OCSP answers by which the certificate is good, by the CA and by its responder."""
    return tuple(_answer(delegated=delegated) for delegated in (False, True))


@cache
def bad_answers() -> tuple[bytes, ...]:
    """Answers with a fault, and one that says revoked."""
    wrong = (OcspFault.WRONG_SIGNER, OcspFault.STALE, OcspFault.OTHER_CA, OcspFault.UNKNOWN, OcspFault.TRY_LATER)
    return tuple(_answer(fault=fault) for fault in wrong)


def _answer(**options: Any) -> bytes:
    asked = request(CertId.of(test_ocsp.anchor(), SERIAL), bytes(32))
    answer: bytes = test_ocsp.answers(**options).answer(asked)
    return answer


# --- XML --------------------------------------------------------------------------------------------------------------

_XML = """<?xml version="1.0" encoding="UTF-8"?>
<申請 xmlns="urn:example:invented" xmlns:x="urn:example:other" x:版="1">
  <氏名>検証　花子</氏名><!-- a comment --><x:額 単位="円">1000</x:額><空/>
</申請>
"""


@cache
def xmls() -> tuple[bytes, ...]:
    """XML documents that pass, in each form that signs the whole of the document."""
    from importlib import import_module

    signing = import_module("kojin_card.signing.xml")
    forms = [form for form in signing.XmlForm if "egov" not in form.name.lower()]
    signer = make_signer(at=ISSUED)
    return tuple(signing.sign_xml(signer, _XML.encode(), form=form, now=NOW) for form in forms)


# --- the free area ----------------------------------------------------------------------------------------------------


@cache
def services() -> tuple[bytes, ...]:
    """The services that come with the package."""
    found = sorted(data_root("applets_spec").joinpath("slots").iterdir(), key=lambda path: path.name)
    return tuple(path.read_bytes() for path in found if path.name.endswith(".toml"))


@cache
def manifests() -> tuple[bytes, ...]:
    """Manifest files of slots: one field, and as many as there may be."""
    made = []
    for count in (1, 24):
        fields = tuple(FieldDigest.of(sfi, bytes(17)) for sfi in range(1, count + 1))
        said = Manifest(
            bytes(range(14)), b"AB123456", count, 2, NOW.date(), bytes(32), b"\x04" + bytes(range(64)), fields
        )
        made.append(encode_file(encode_manifest(said), bytes(range(64))))
    return tuple(made)


@cache
def descriptors() -> tuple[bytes, ...]:
    """Hidden descriptors of slots, with and without a hand-over."""
    said = Descriptor("facility", 1, Owner.parse("municipality:13101"), "図書館条例第3条", "図書館")
    return tuple(encode_descriptor(replace(said, hand_over=one), bytes(range(16))) for one in (None, bytes(16)))


@cache
def terminals() -> tuple[bytes, ...]:
    """What terminals send: certificate and proof."""
    key, made = b"\x02" + bytes(range(32)), []
    for fields in ((), (1, 2, 5), tuple(range(1, 13))):
        body = TerminalBody(authority_id(key), "GATE-01", key, "library", fields, NOW.date(), NOW.date())
        made.append(encode_authentication(encode_terminal(encode_body(body), bytes(64)), bytes(range(64))))
    return tuple(made)
