"""Attacks on signatures of the next card (次期個人番号カード): ECDSA on P-384, judged in the simulator's store alone.

Each row is a message, a certificate or a proof that must not pass, and the reason that the verdict must give. DER and
signatures are made in :mod:`forge`, with ``cryptography``, or by hand.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attacks.forge import (
    CITY,
    ISSUED,
    NOW,
    PERSON,
    Cms,
    Good,
    Pdf,
    algorithm,
    attribute,
    certificate,
    crl,
    folder,
    integer,
    key,
    oid,
    pki,
    sign,
    tlv,
    verifier,
)
from kojin_card.authn import Challenge, b64url
from kojin_card.errors import SpecError, TrustError
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.profile import Purpose, Store, load_profiles
from kojin_card.pki.trust import TrustAnchor, TrustStore, add_anchor, anchor_toml, parse_anchors
from kojin_card.simulator import certificates
from kojin_card.simulator.keypool import generate_ec
from kojin_card.simulator.testpki import RevokedEntry, TestCa
from kojin_card.verdict import Indication, Verdict
from kojin_card.verification import Verifier
from kojin_card.verification.challenges import MemoryChallengeStore

CONTENT = b"invented content\n"
AUDIENCE, PURPOSE = "https://bank.invalid", "口座の開設"
SERIAL = 0x01500201
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
ECDSA_SHA384, ECDSA_SHA256, SHA384, SHA256 = "1.2.840.10045.4.3.3", "ecdsa", "2.16.840.1.101.3.4.2.2", "sha256"
PRODUCTION_POLICY, NEXT_POLICY = "1.2.392.200149.8.5.1.1.20", "2.999.392.2028.1"
NAMES = {Purpose.SIGNATURE: "signature_next", Purpose.AUTHENTICATION: "authentication_next"}


# --- makers -----------------------------------------------------------------------------------------------------------


def holder_key(purpose: Purpose = Purpose.SIGNATURE) -> ec.EllipticCurvePrivateKey:
    return pki().pool.ec_for_persona("verified", str(purpose))


def next_ca(purpose: Purpose = Purpose.SIGNATURE) -> TestCa:
    return pki().ca_of(purpose, 3)


def template(
    public_key: Any = None, purpose: Purpose = Purpose.SIGNATURE, *, today: bool = False
) -> certificates.Template:
    """A certificate before it is signed, of the next card or of ``today``'s."""
    wanted = holder_key(purpose).public_key() if public_key is None else public_key
    return pki().template(
        purpose,
        PERSON,
        wanted,
        issued_at=ISSUED,
        serial=SERIAL,
        municipality=CITY,
        profile=None if today else NAMES[purpose],
    )[1]


def put(old: certificates.Template, value: x509.ExtensionType, **changes: Any) -> certificates.Template:
    """The same with one extension in place of the one with its OID."""
    extensions = tuple((value if one.oid == value.oid else one, flag) for one, flag in old.extensions)
    return dataclasses.replace(old, extensions=extensions, **changes)


def policies(oid_text: str) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(oid_text), None)])


def made(purpose: Purpose = Purpose.SIGNATURE, **changes: Any) -> bytes:
    """The holder's certificate; ``policy`` or ``signed_by`` change it, and whatever else the template has."""
    signed_by, policy = changes.pop("signed_by", None), changes.pop("policy", None)
    plain_one = template(purpose=purpose)
    one = plain_one if policy is None else put(plain_one, policies(policy))
    return dataclasses.replace(one, **changes).sign(signed_by or next_ca(purpose).key)


@cache
def good() -> bytes:
    return made()


def ecdsa(message: bytes, private: ec.EllipticCurvePrivateKey | None = None, digest: str = "sha384") -> bytes:
    """An ECDSA signature, DER, over a digest of any kind (another than SHA-384 goes in as it is)."""
    names: dict[str, hashes.HashAlgorithm] = {"sha384": hashes.SHA384(), "sha256": hashes.SHA256()}
    hashed = hashlib.new(digest, message).digest()
    return (private or holder_key()).sign(hashed, ec.ECDSA(Prehashed(names[digest])))


def numbers(message: bytes) -> tuple[int, int]:
    return decode_dss_signature(ecdsa(message))


def plain(signature: bytes) -> bytes:
    return b"".join(number.to_bytes(48, "big") for number in decode_dss_signature(signature))


def attributes(digest: str = "sha384", cut: int | None = None) -> tuple[bytes, ...]:
    value = hashlib.new(digest, CONTENT).digest()[:cut]
    return attribute("contentType", oid("data")), attribute("messageDigest", tlv(0x04, value))


def message(
    cert: bytes | None = None,
    signature: Callable[[bytes], bytes] = ecdsa,
    *,
    store: Store = Store.SIMULATOR,
    **fields: Any,
) -> Verdict:
    """The verdict on an attached CMS as the next card makes it, but for what is named."""
    cert = cert or good()
    given = {
        "digest": algorithm(SHA384, b""),
        "signature_algorithm": algorithm(ECDSA_SHA384, b""),
        "attributes": attributes(),
    } | fields
    cms = Cms(
        content=CONTENT,
        certificates=(cert,),
        signer_certificate=cert,
        signature=lambda _, over: signature(over),
        **given,
    )
    return verifier(store=store).verify_cms(cms.build(), disclose=True)


def raw(signature: bytes, cert: bytes | None = None) -> Verdict:
    return verifier().verify_raw(signature, CONTENT, cert or good(), disclose=True)


def proof(
    cert: bytes | None = None,
    signature: Callable[[bytes], bytes] | None = None,
    *,
    alg: str = "ES384",
    store: Store = Store.SIMULATOR,
) -> Verdict:
    challenge = Challenge.new(AUDIENCE, PURPOSE, now=NOW - timedelta(minutes=1), random=bytes)
    challenges = MemoryChallengeStore()
    challenges.add(challenge)
    cert = made(Purpose.AUTHENTICATION) if cert is None else cert
    header = {"alg": alg, "typ": "kojin-card-auth+jwt", "x5c": [base64.b64encode(cert).decode()]}
    text = ".".join(b64url(json.dumps(part).encode()) for part in (header, challenge.claims())).encode()
    made_by = signature or (lambda over: plain(ecdsa(over, holder_key(Purpose.AUTHENTICATION))))
    compact = f"{text.decode()}.{b64url(made_by(text))}"
    return verifier(store=store).verify_proof(compact, challenges, audience=AUDIENCE, purpose=PURPOSE, disclose=True)


# --- what passes ------------------------------------------------------------------------------------------------------


def test_what_the_next_card_signs_passes_in_the_simulators_store() -> None:
    for verdict in (message(), message(attributes=None), raw(ecdsa(CONTENT)), proof()):
        assert verdict.indication is Indication.TOTAL_PASSED, verdict.reasons
    assert message().evidence["certificate_profile"] == "signature_next"
    assert {check.evidence.get("algorithm") for check in message().checks} >= {"ECDSA P-384 SHA-384", "SHA-384"}
    assert proof().evidence["anchor"].startswith("sim-authca03:")


def test_a_pdf_passes_too() -> None:
    def cms(data: bytes) -> bytes:
        signed = (
            attribute("contentType", oid("data")),
            attribute("messageDigest", tlv(0x04, hashlib.sha384(data).digest())),
        )
        return Cms(
            content=data,
            attached=False,
            certificates=(good(),),
            signer_certificate=good(),
            digest=algorithm(SHA384, b""),
            signature_algorithm=algorithm(ECDSA_SHA384, b""),
            attributes=signed,
            signature=lambda _, over: ecdsa(over),
        ).build()

    assert verifier().verify_pdf(Pdf(cms=cms).build()).indication is Indication.TOTAL_PASSED
    changed = Pdf(cms=cms).build().replace(b"(signed)", b"(SIGNED)")
    assert verifier().verify_pdf(changed).indication is Indication.TOTAL_FAILED


def test_a_message_of_two_signers_of_two_generations_passes() -> None:
    second = Cms(
        content=CONTENT,
        signer_certificate=good(),
        digest=algorithm(SHA384, b""),
        signature_algorithm=algorithm(ECDSA_SHA384, b""),
        attributes=attributes(),
        signature=lambda _, over: ecdsa(over),
    )
    digests = (algorithm("sha256"), algorithm(SHA384, b""))
    cms = Cms(content=CONTENT, certificates=(certificate(), good()), digests=digests).build(second.signer())
    verdict = verifier().verify_cms(cms)
    assert verdict.indication is Indication.TOTAL_PASSED
    assert [part.evidence["certificate_profile"] for part in verdict.parts] == ["signature", "signature_next"]


# --- what does not ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attack:
    """One row."""

    what: str
    judge: Callable[[], Verdict]
    reason: str

    def __str__(self) -> str:
        return self.what


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(7, ec.SECP256R1())


def brainpool() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(7, ec.BrainpoolP384R1())


def stranger() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(7, ec.SECP384R1())


def rsa_with_next_policy() -> bytes:
    """Today's key, certified by today's CA, with the policy of the next card."""
    ca = pki().ca_of(Purpose.SIGNATURE, 2)
    return put(template(key().public_key(), today=True), policies(NEXT_POLICY)).sign(ca.key)


def by_todays_ca() -> bytes:
    ca = pki().ca_of(Purpose.SIGNATURE, 2)
    return put(template(), ca.issuing.authority_key_identifier(), hash_name="sha256").sign(ca.key)


def todays_key_by_the_next_ca() -> bytes:
    old, ca = template(key().public_key(), today=True), next_ca()
    return put(old, ca.issuing.authority_key_identifier(), hash_name="sha384").sign(ca.key)


def der_pair(r: int, s: int) -> bytes:
    return tlv(0x30, integer(r), integer(s))


def padded_r(over: bytes) -> bytes:
    r, s = numbers(over)
    return tlv(0x30, tlv(0x02, b"\x00" + integer(r)[2:]), integer(s))


ATTACKS = (
    # the signature value
    Attack("r is 0", lambda: message(signature=lambda over: der_pair(0, numbers(over)[1])), "signature.invalid"),
    Attack("s is 0", lambda: message(signature=lambda over: der_pair(numbers(over)[0], 0)), "signature.invalid"),
    Attack("s is the order", lambda: raw(der_pair(numbers(CONTENT)[0], ORDER)), "signature.invalid"),
    Attack("s plus the order", lambda: message(
        signature=lambda over: der_pair(numbers(over)[0], numbers(over)[1] + ORDER)), "signature.invalid"),
    Attack("not canonical DER", lambda: message(signature=padded_r), "signature.invalid"),
    Attack("bytes after the signature", lambda: raw(ecdsa(CONTENT) + b"\x00"), "signature.invalid"),
    Attack("r and s without their DER in CMS", lambda: message(
        signature=lambda over: plain(ecdsa(over))), "signature.encoding"),
    Attack("r and s without their DER, raw", lambda: raw(plain(ecdsa(CONTENT))), "signature.encoding"),
    Attack("another key", lambda: message(signature=lambda over: ecdsa(over, stranger())), "signature.invalid"),
    Attack("an RSA signature under a key on P-384", lambda: message(
        signature=lambda over: sign(key(), over)), "signature.invalid"),
    Attack("a signature on P-384 under an RSA key", lambda: verifier().verify_raw(
        ecdsa(CONTENT), CONTENT, certificate(), disclose=True), "signature.invalid"),
    # digests
    Attack("over a SHA-256 of the attributes", lambda: message(
        signature=lambda over: ecdsa(over, digest="sha256")), "signature.invalid"),
    Attack("messageDigest cut to 32 bytes", lambda: message(attributes=attributes(cut=32)), "digest.mismatch"),
    Attack("messageDigest is a SHA-256", lambda: message(attributes=attributes("sha256")), "digest.mismatch"),
    Attack("SHA-256 throughout", lambda: message(
        digest=algorithm(SHA256), signature_algorithm=algorithm(ECDSA_SHA256, b""), attributes=attributes("sha256"),
        signature=lambda over: ecdsa(over, digest="sha256")), "algorithms.unknown"),
    Attack("digest algorithm SHA-256, signature with SHA-384", lambda: message(
        digest=algorithm(SHA256), attributes=attributes("sha256")), "algorithms.disagree"),
    Attack("digest algorithm not announced", lambda: message(digests=(algorithm(SHA256),)), "algorithms.disagree"),
    Attack("ECDSA with parameters", lambda: message(
        signature_algorithm=algorithm(ECDSA_SHA384)), "format.malformed"),
    Attack("RSA said of a key on P-384", lambda: message(
        signature_algorithm=algorithm("sha256WithRSA"), digest=algorithm(SHA256), attributes=attributes("sha256")),
        "algorithms.unknown"),
    Attack("ECDSA said of an RSA key", lambda: message(certificate(), lambda over: sign(key(), over)),
        "algorithms.unknown"),
    Attack("SHA-384 by an RSA key", lambda: message(
        certificate(), signature_algorithm=algorithm("1.2.840.113549.1.1.12")), "algorithms.unknown"),
    # keys
    Attack("a key on P-256", lambda: message(made(public_key=p256().public_key()),
        lambda over: p256().sign(over, ec.ECDSA(hashes.SHA384()))), "algorithms.unknown"),
    Attack("P-256 with SHA-256", lambda: message(made(public_key=p256().public_key()),
        lambda over: p256().sign(over, ec.ECDSA(hashes.SHA256())), digest=algorithm(SHA256),
        signature_algorithm=algorithm(ECDSA_SHA256, b""), attributes=attributes("sha256")), "algorithms.unknown"),
    Attack("another curve of 384 bits", lambda: message(made(public_key=brainpool().public_key()),
        lambda over: brainpool().sign(over, ec.ECDSA(hashes.SHA384()))), "algorithms.unknown"),
    # certificates
    Attack("today's policy", lambda: message(made(policy=PRODUCTION_POLICY)), "algorithms.unknown"),
    Attack("a policy that nobody knows", lambda: message(made(policy="2.999.392.2028.2")), "policy.unknown"),
    Attack("the authentication policy", lambda: message(made(policy="2.999.392.2028.3")), "policy.wrong"),
    Attack("the next policy on today's card", lambda: verifier().certificate_status(
        rsa_with_next_policy(), purpose=Purpose.SIGNATURE, disclose=True), "algorithms.unknown"),
    Attack("a CA of today", lambda: message(by_todays_ca()), "algorithms.unknown"),
    Attack("today's key by the next CA", lambda: verifier().certificate_status(
        todays_key_by_the_next_ca(), disclose=True), "algorithms.unknown"),
    Attack("a CA that is nobody's", lambda: message(made(signed_by=stranger())), "chain.no_issuer"),
    Attack("signed by the CA with SHA-256", lambda: message(made(hash_name="sha256")), "algorithms.unknown"),
    Attack("signed with the authentication certificate", lambda: message(
        made(Purpose.AUTHENTICATION), lambda over: ecdsa(over, holder_key(Purpose.AUTHENTICATION))), "policy.wrong"),
    # proofs
    Attack("the proof's DER", lambda: proof(
        signature=lambda over: ecdsa(over, holder_key(Purpose.AUTHENTICATION))), "signature.invalid"),
    Attack("a zero proof", lambda: proof(signature=lambda _: bytes(96)), "signature.invalid"),
    Attack("a proof a byte short", lambda: proof(
        signature=lambda over: plain(ecdsa(over, holder_key(Purpose.AUTHENTICATION)))[:-1]), "signature.invalid"),
    Attack("alg RS256 of a key on P-384", lambda: proof(alg="RS256"), "algorithms.disagree"),
    Attack("alg ES384 of an RSA key", lambda: proof(
        certificate(Purpose.AUTHENTICATION), lambda over: sign(key("authentication"), over)), "algorithms.disagree"),
    Attack("alg none", lambda: proof(alg="none", signature=lambda _: b"x"), "format.malformed"),
    Attack("alg ES256", lambda: proof(alg="ES256"), "format.malformed"),
    Attack("alg HS384 with the public key", lambda: proof(alg="HS384"), "format.malformed"),
    Attack("proof by the signature certificate", lambda: proof(
        good(), lambda over: plain(ecdsa(over))), "policy.wrong"),
)  # fmt: skip


@pytest.mark.attack("next card")
@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_no_attack_passes(attack: Attack) -> None:
    verdict = attack.judge()
    assert verdict.indication is not Indication.TOTAL_PASSED
    assert attack.reason in verdict.reasons, verdict.reasons
    if attack.reason.startswith(("signature", "digest", "algorithms", "chain", "format")):
        assert verdict.holder is None


# --- no other store ---------------------------------------------------------------------------------------------------


@pytest.mark.attack("next card", "a certificate on P-384 in another store", "algorithms.unknown")
@pytest.mark.parametrize("store", [Store.PRODUCTION, Store.JLIS_TEST])
@pytest.mark.parametrize("policy", [None, PRODUCTION_POLICY, "1.2.392.200149.8.5.1.0.20"])
def test_no_certificate_on_p384_passes_in_another_store(store: Store, policy: str | None) -> None:
    """By construction: no profile with such a key has a policy there, so the algorithm is refused before all else."""
    cert = made(policy=policy)
    for verdict in (message(cert, store=store), proof(store=store), proof(cert, store=store)):
        assert verdict.indication is not Indication.TOTAL_PASSED
        assert "algorithms.unknown" in verdict.reasons
    kinds = {(profile.key.algorithm, where) for profile in load_profiles().profiles for where in profile.policies}
    assert {where for kind, where in kinds if kind == "ec"} == {Store.SIMULATOR}


def anchor(store: Store) -> TrustAnchor:
    """The next CA as somebody would smuggle it into another store: renewed, so no store knows its key."""
    real = next(a for a in TrustStore.load(Store.SIMULATOR).anchors if a.name == "sim-signca03")
    spki = stranger().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key_id = hashlib.sha1(spki[-97:], usedforsecurity=False).digest()
    return dataclasses.replace(real, name="added-1", store=store, spki=spki, key_id=key_id)


def test_not_even_with_an_anchor_of_the_callers_own() -> None:
    """``extra_anchors`` takes what the caller trusts; the profiles of the store still refuse the algorithm."""
    mine = anchor(Store.PRODUCTION)
    assert mine.key.key_id() == mine.key_id
    pointer = x509.AuthorityKeyIdentifier(mine.key_id, [x509.DirectoryName(next_ca().subject)], mine.serial)
    cert = put(template(), pointer).sign(stranger())
    judge = Verifier.for_store(Store.PRODUCTION, Good(), extra_anchors=[mine], now=lambda: NOW)
    assert judge.certificate_status(cert).reasons[:1] == ("algorithms.unknown",)


@pytest.mark.parametrize("store", [Store.PRODUCTION, Store.JLIS_TEST])
def test_no_anchor_on_p384_is_read_or_added_elsewhere(store: Store, tmp_path: Any) -> None:
    with pytest.raises(SpecError, match="not accepted"):
        parse_anchors(anchor_toml(anchor(store)), "anchors.toml")
    assert parse_anchors(anchor_toml(anchor(Store.SIMULATOR)), "anchors.toml")
    private = generate_ec()
    parts = (
        ("C", "JP"),
        ("O", "JPKI-TEST" if store is Store.JLIS_TEST else "JPKI"),
        ("OU", "JPKI for digital signature"),
    )
    name = certificates.name(*parts)
    issuing = certificates.IssuingCa(name, name, 7, private)
    own = certificates.authority(issuing, (NOW, NOW + timedelta(days=9)), "sha384").sign(private)
    with pytest.raises(TrustError, match="not accepted"):
        add_anchor(own, store=store, fingerprint=hashlib.sha256(own).hexdigest(), folder=tmp_path)
    assert not list(tmp_path.iterdir())


# --- revocation -------------------------------------------------------------------------------------------------------


def test_lists_of_the_next_ca_are_verified_by_its_key(tmp_path: Any) -> None:
    listed = crl([RevokedEntry(SERIAL, NOW - timedelta(days=1), "keyCompromise")], profile="signature_next")
    revoked = verifier(folder(tmp_path, listed)).certificate_status(good())
    assert revoked.reasons == ("revocation.revoked",)
    (tmp_path / "clean").mkdir()
    clean = verifier(folder(tmp_path / "clean", crl(profile="signature_next"))).certificate_status(good())
    assert clean.indication is Indication.TOTAL_PASSED


def test_lists_by_others_do_not_count(tmp_path: Any) -> None:
    listed = crl(profile="signature_next")
    changed = listed[:-1] + bytes([listed[-1] ^ 1])
    for number, one in enumerate((crl(), crl(generation=1), changed)):
        where = tmp_path / str(number)
        where.mkdir()
        verdict = verifier(folder(where, one)).certificate_status(good())
        assert verdict.indication is Indication.INDETERMINATE


def test_a_certificate_of_the_next_ca_reads_back() -> None:
    parsed = Certificate.parse(good())
    assert (parsed.key.algorithm, parsed.key.bits, parsed.key.curve) == ("ec", 384, "1.3.132.0.34")
    assert parsed.policies == (NEXT_POLICY,)
    assert parsed.subject_key_id == parsed.key.key_id()
