"""The attack catalogue of jpki.md §6, entry by entry: what each attack must get. Nothing here may ever pass.

One row is one attack: the catalogue's number, what it is, and the indication, sub-indication and reason expected.
"""

# ruff: noqa: E501, ARG005 - a table of attacks is read row by row

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from attacks import forge
from attacks.forge import (
    AUTH_SERIAL,
    DIGEST_INFO,
    ISSUED,
    NOW,
    PERSON,
    SERIAL,
    Attack,
    Cms,
    Good,
    algorithm,
    attribute,
    attributes,
    certificate,
    changed,
    key,
    oid,
    padded,
    pki,
    rsa_ca,
    rsa_sign,
    sign,
    tlv,
    verifier,
)
from kojin_card.authn import AuthenticationProof, Challenge
from kojin_card.pki.profile import Purpose, Store, load_profiles
from kojin_card.simulator import certificates
from kojin_card.verdict import REASONS, Indication, Verdict
from kojin_card.verification import MemoryChallengeStore, Verifier

CONTENT = b"invented content\n"
AUDIENCE, PURPOSE = "https://bank.example", "log in"


# --- makers -----------------------------------------------------------------------------------------------------------


def cms(cert: bytes | None = None, *, revocation: Any = None, **fields: Any) -> Verdict:
    """A message by a certificate (in bag and signer), judged."""
    if cert is not None:
        fields = {"certificates": (cert,), "signer_certificate": cert, **fields}
    return verifier(revocation).verify_cms(Cms(content=CONTENT, **fields).build(), disclose=True)


def status(cert: bytes, *, now: datetime = NOW, purpose: Purpose | None = Purpose.SIGNATURE) -> Verdict:
    return verifier(now=now).certificate_status(cert, purpose=purpose, disclose=True)


def raw(signature: bytes) -> Verdict:
    return verifier().verify_raw(signature, CONTENT, certificate())


def block(tail: bytes) -> bytes:
    """A raw signature whose padded block ends in ``tail``."""
    return rsa_sign(key(), padded(tail))


@cache
def stranger() -> rsa.RSAPrivateKey:
    """A key that no CA of any store has."""
    return key("terminal", "stranger")


def attacker_ca() -> tuple[bytes, bytes]:
    """A CA of the attacker's with the CA's own name, serial and so on, and a certificate it issued."""
    real = pki().ca_of(Purpose.SIGNATURE, 2)
    fake = certificates.IssuingCa(real.subject, real.issuing.alternative_name, real.serial, stranger())
    authority = certificates.authority(fake, (real.not_before, real.not_after), "sha256").sign(stranger())
    leaf = changed(signed_by=stranger(), instead=fake.authority_key_identifier())
    return authority, leaf


def named_like_production() -> bytes:
    """A leaf under the real CA's name, pointing at the real CA's key, signed by the attacker."""
    real = next(a for a in Verifier.production().trust.anchors if a.name == "signca03")
    parts = [("C", "JP"), ("O", "JPKI"), ("OU", "JPKI for digital signature")]
    subject = certificates.name(*parts, ("OU", "Japan Agency for Local Authority Information Systems"))
    assert subject.public_bytes() == real.subject
    pointer = x509.AuthorityKeyIdentifier(real.key_id, [x509.DirectoryName(subject)], real.serial)
    return changed(signed_by=stranger(), issuer=subject, instead=pointer)


def usage(*bits: str) -> x509.KeyUsage:
    return certificates.key_usage(bits)


def policy(*oids: str) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(one), None) for one in oids])


def alt_names(**instead: str) -> x509.SubjectAlternativeName:
    """The holder's otherNames with some texts replaced."""
    values = PERSON.attributes() | instead
    return certificates.alternative_name([(a.oid, values[a.id]) for a in load_profiles().attributes])


def other_name(name: str, value: bytes) -> bytes:
    return tlv(0xA0, oid(name), tlv(0xA0, value))


def with_alt_names(edit: Callable[[list[bytes]], list[bytes]]) -> bytes:
    """The certificate with an edited list of names, byte by byte."""

    def change(items: list[bytes]) -> list[bytes]:
        out = []
        for item in items:
            parts = forge.elements(forge.inside(item))
            if parts[0] == oid("2.5.29.17"):
                names = forge.elements(forge.inside(forge.inside(parts[-1])))
                item = forge.extension("2.5.29.17", tlv(0x30, *edit(names)))
            out.append(item)
        return out

    return forge.reforged(certificate(), forge.edit_extensions(change))


def extended(edit: Callable[[list[bytes]], list[bytes]]) -> bytes:
    return forge.reforged(certificate(), forge.edit_extensions(edit))


def weak_signed_certificate(name: str) -> bytes:
    """Inner and outer algorithm replaced, signed as before."""
    identifier = algorithm(name)
    return forge.reforged(certificate(), lambda f: [*f[:2], identifier, *f[3:]], outer_algorithm=identifier)


def leaf_with_key(bits: int, exponent: int) -> tuple[rsa.RSAPrivateKey, bytes]:
    private = rsa.generate_private_key(public_exponent=exponent, key_size=bits)
    ski = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
    return private, changed(public_key=private.public_key(), instead=ski)


def with_key(bits: int, exponent: int) -> Verdict:
    private, cert = leaf_with_key(bits, exponent)
    return cms(cert, private=private)


# --- proofs -----------------------------------------------------------------------------------------------------------


def challenge(seed: int = 1, **changes: Any) -> Challenge:
    fresh = Challenge.new(AUDIENCE, PURPOSE, now=NOW - timedelta(minutes=1), random=lambda n: bytes([seed]) * n)
    return dataclasses.replace(fresh, **changes)


def proof(
    given: Challenge | None,
    answered: Challenge | None = None,
    *,
    cert: bytes | None = None,
    private: rsa.RSAPrivateKey | None = None,
    twice: bool = False,
    message: Callable[[bytes], bytes] = lambda text: text,
    revocation: Any = None,
    **options: Any,
) -> Verdict:
    """A proof that answers ``answered`` where ``given`` was given out."""
    store = MemoryChallengeStore()
    if given is not None:
        store.add(given)
    made = AuthenticationProof.make(
        answered or given or challenge(),
        cert or certificate(Purpose.AUTHENTICATION),
        lambda text: sign(private or key("authentication"), message(text)),
    ).compact()
    judge = verifier(revocation)
    options = {"audience": AUDIENCE, "purpose": PURPOSE} | options
    verdict = judge.verify_proof(made, store, **options)
    return judge.verify_proof(made, store, **options) if twice else verdict


# --- CMS pieces -------------------------------------------------------------------------------------------------------


def altered_attributes(*, drop: str | None = None, plus: tuple[bytes, ...] = ()) -> tuple[bytes, ...]:
    kept = [item for item in attributes(CONTENT) if drop is None or oid(drop) not in item]
    return (*kept, *plus)


def protection(digest: bytes, signature: bytes) -> bytes:
    inner = forge.inside(signature)
    return attribute("protection", tlv(0x30, digest, tlv(0xA1, inner)))


def ambiguous() -> Verdict:
    """A message without attributes whose content is the attributes of another message: the signature fits both."""
    listed = tlv(0x31, *attributes(CONTENT))
    return verifier().verify_cms(Cms(content=listed, attributes=None).build())


def two_signers(second: bytes) -> Verdict:
    return verifier().verify_cms(Cms(content=CONTENT).build(second))


def sign_as_context(private: rsa.RSAPrivateKey, over: bytes) -> bytes:
    """Signed attributes hashed as they stand in the message (A0), not as a SET (31)."""
    return sign(private, b"\xa0" + over[1:])


def as_sha512(private: rsa.RSAPrivateKey, over: bytes) -> bytes:
    info = bytes.fromhex("3051300d060960864801650304020305000440")
    return rsa_sign(private, padded(info + hashlib.sha512(over).digest()))


SHA1_INFO = bytes.fromhex("3021300906052b0e03021a05000414")
HASH = hashlib.sha256(CONTENT).digest()
NO_NULL = bytes.fromhex("302f300b0609608648016503040201" + "0420")
WRONG_OID = bytes.fromhex("3031300d060960864801650304020205000420")
EXPIRED_AT = datetime(2031, 7, 9, 15, 0, tzinfo=UTC)


def decoys() -> Verdict:
    """The bag has a valid certificate first, but the signer names another, whose key made the signature."""
    other = changed(serial=0x01500099, role="common", signed_by=stranger())
    return verifier().verify_cms(
        Cms(certificates=(certificate(), other), signer_certificate=other, private=key("common")).build()
    )


def twins(**how: Any) -> Verdict:
    """Two different certificates that both are what the signer names."""
    twin = changed(not_after=datetime(2030, 1, 1, tzinfo=UTC))
    return verifier().verify_cms(Cms(certificates=(twin, certificate()), **how).build())


def after(now: datetime, cert: bytes) -> Verdict:
    judge = Verifier.for_store(Store.SIMULATOR, Good(), now=lambda: now)
    made = Cms(content=CONTENT, certificates=(cert,), signer_certificate=cert).build()
    return judge.verify_cms(made, disclose=True)


TABLE = [
    # --- trust and chain
    Attack("A-01", "the CA comes with the message", lambda: cms(
        attacker_ca()[1], certificates=(attacker_ca()[1], attacker_ca()[0])), "chain.no_issuer"),
    Attack("A-02", "a CA with the same name", lambda: cms(attacker_ca()[1]), "chain.no_issuer"),
    Attack("A-02", "its name, serial and key id copied", lambda: cms(changed(signed_by=stranger())), "chain.no_issuer"),
    Attack("A-02", "the real CA's name and key id", lambda: Verifier.production(Good(), now=lambda: NOW).verify_cms(
        Cms(certificates=(named_like_production(),), signer_certificate=named_like_production()).build()),
        "chain.no_issuer"),
    Attack("A-03", "signed by another generation than it says", lambda: cms(
        changed(signed_by=rsa_ca(generation=1))), "chain.no_issuer"),
    Attack("A-03", "no pointer to a generation", lambda: cms(changed(without="2.5.29.35")), "chain.no_issuer"),
    Attack("A-04", "a certificate of the simulator in production", lambda: Verifier.production(
        Good(), now=lambda: NOW).verify_cms(Cms().build()), "chain.no_issuer"),
    Attack("A-04", "the test environment's policy", lambda: cms(
        changed(instead=policy("1.2.392.200149.8.5.1.0.20"))), "policy.wrong"),
    Attack("A-04", "a store without anchors", lambda: Verifier.for_store(
        Store.JLIS_TEST, Good(), now=lambda: NOW).verify_cms(Cms().build()), "chain.empty_store"),
    Attack("A-05", "signed with the authentication certificate", lambda: cms(
        certificate(Purpose.AUTHENTICATION), private=key("authentication")), "profile.purpose"),
    Attack("A-05", "authenticated with the signature certificate", lambda: proof(
        challenge(), cert=certificate(), private=key()), "profile.purpose"),
    Attack("A-05", "a signature certificate by the authentication CA", lambda: cms(changed(
        signed_by=rsa_ca(Purpose.AUTHENTICATION),
        issuer=pki().ca_of(Purpose.AUTHENTICATION, 2).subject,
        instead=pki().ca_of(Purpose.AUTHENTICATION, 2).issuing.authority_key_identifier())), "profile.purpose"),
    Attack("A-06", "an expired certificate", lambda: after(EXPIRED_AT, certificate()), "validity.expired"),
    Attack("A-06", "a certificate that is not valid yet", lambda: after(
        ISSUED - timedelta(seconds=1), certificate()), "validity.not_yet"),
    Attack("A-06", "an expired CA", lambda: after(datetime(2032, 1, 1, tzinfo=UTC), changed(
        generation=1, issued_at=datetime(2024, 1, 1, tzinfo=UTC), not_after=datetime(2040, 1, 1, tzinfo=UTC))),
        "validity.issuer_expired"),
    Attack("A-06", "an expired certificate in a proof", lambda: proof(challenge(), cert=changed(
        Purpose.AUTHENTICATION, not_after=NOW - timedelta(minutes=2))), "validity.expired_before_signing"),
    Attack("A-07", "no key usage", lambda: status(changed(without="2.5.29.15")), "key_usage.wrong"),
    Attack("A-07", "digitalSignature only", lambda: status(changed(instead=usage("digital_signature"))), "key_usage.wrong"),
    Attack("A-07", "nonRepudiation only", lambda: status(changed(instead=usage("content_commitment"))), "key_usage.wrong"),
    Attack("A-07", "one bit too many", lambda: status(changed(instead=usage(
        "digital_signature", "content_commitment", "key_encipherment"))), "key_usage.wrong"),
    Attack("A-07", "nonRepudiation for authentication", lambda: status(changed(Purpose.AUTHENTICATION, instead=usage(
        "digital_signature", "content_commitment")), purpose=Purpose.AUTHENTICATION), "key_usage.wrong"),
    Attack("A-07", "another extended key usage", lambda: status(changed(Purpose.AUTHENTICATION, instead=
        x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")])), purpose=Purpose.AUTHENTICATION),
        "key_usage.wrong"),
    Attack("A-08", "a leaf that is a CA", lambda: status(changed(
        plus=(x509.BasicConstraints(ca=True, path_length=None), True))), "profile.mismatch"),
    Attack("A-08", "a leaf that says it may be a CA, not critical", lambda: status(changed(
        plus=(x509.BasicConstraints(ca=True, path_length=None), False))), "profile.mismatch"),
    Attack("A-08", "a leaf that signs certificates", lambda: status(changed(instead=usage(
        "digital_signature", "content_commitment", "key_cert_sign"))), "key_usage.wrong"),
    Attack("A-08", "a self-signed leaf", lambda: cms(changed(signed_by=key())), "chain.no_issuer"),
    Attack("A-08", "the CA's own certificate signs", lambda: cms(
        pki().ca_of(Purpose.SIGNATURE, 2).certificate, private=pki().ca_of(Purpose.SIGNATURE, 2).key), "chain.no_issuer"),
    Attack("A-09", "a decoy certificate in the bag", decoys, "chain.no_issuer"),
    Attack("A-09", "two certificates of that issuer and serial", twins, "certificate.ambiguous"),
    Attack("A-09", "two certificates of that key id", lambda: twins(by_key_id=True), "certificate.ambiguous"),
    Attack("A-09", "no certificate at all", lambda: cms(certificates=()), "certificate.missing"),
    Attack("A-10", "an unknown critical extension", lambda: status(changed(
        plus=(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True))), "profile.mismatch"),
    Attack("A-10", "an extension twice", lambda: status(extended(lambda e: [*e, e[-1]])), "certificate.malformed"),
    Attack("A-10", "FALSE written out", lambda: status(extended(lambda e: [
        *e[:-1], tlv(0x30, *forge.elements(forge.inside(e[-1]))[:1], b"\x01\x01\x00",
                     forge.elements(forge.inside(e[-1]))[1])])), "certificate.malformed"),
    Attack("A-10", "TRUE as 01", lambda: status(certificate().replace(b"\x01\x01\xff", b"\x01\x01\x01", 1)),
        "certificate.malformed"),
    Attack("A-10", "a serial that is not minimal", lambda: status(forge.reforged(
        certificate(), lambda f: [f[0], tlv(0x02, b"\x00" + forge.inside(f[1])), *f[2:]])), "certificate.malformed"),
    Attack("A-10", "a negative serial", lambda: status(forge.reforged(
        certificate(), lambda f: [f[0], tlv(0x02, b"\x81\x01\x02"), *f[2:]])), "certificate.malformed"),
    Attack("A-10", "a length that is not minimal", lambda: status(forge.reforged(
        certificate(), lambda f: [f[0], b"\x02\x81" + f[1][1:], *f[2:]])), "certificate.malformed"),
    Attack("A-10", "bytes at the end of the TBS", lambda: status(forge.reforged(
        certificate(), lambda f: [*f, b"\x05\x00"])), "certificate.malformed"),
    Attack("A-10", "bytes after the certificate", lambda: status(certificate() + b"\x00"), "certificate.malformed"),
    Attack("A-10", "version 1", lambda: status(forge.reforged(certificate(), lambda f: f[1:-1])), "certificate.malformed"),
    Attack("A-11", "no policy", lambda: status(changed(without="2.5.29.32")), "policy.wrong"),
    Attack("A-11", "policy ...1.1.30", lambda: status(changed(instead=policy("1.2.392.200149.8.5.1.1.30"))), "policy.unknown"),
    Attack("A-11", "a mobile terminal's policy", lambda: status(
        changed(instead=policy("1.2.392.200149.8.5.1.1.40"))), "policy.wrong"),
    Attack("A-11", "the authentication policy", lambda: status(
        changed(instead=policy("1.2.392.200149.8.5.1.3.30"))), "policy.wrong"),
    Attack("A-11", "anyPolicy", lambda: status(changed(instead=policy("2.5.29.32.0"))), "policy.unknown"),
    Attack("A-11", "the right policy and another", lambda: status(changed(instead=policy(
        "1.2.392.200149.8.5.1.1.20", "1.2.3"))), "policy.wrong"),
    Attack("A-11", "the policy not critical", lambda: status(extended(lambda e: [
        *(one for one in e if oid("2.5.29.32") not in one),
        forge.extension("2.5.29.32", tlv(0x30, tlv(0x30, oid("1.2.392.200149.8.5.1.1.20"))))])), "profile.mismatch"),
    Attack("A-12", "inner and outer algorithm differ", lambda: status(forge.reforged(
        certificate(), lambda f: f, outer_algorithm=algorithm("sha512WithRSA"))), "certificate.malformed"),
    Attack("A-12", "a certificate signed with SHA-1", lambda: status(weak_signed_certificate("sha1WithRSA")),
        "algorithms.weak"),
    Attack("A-12", "a certificate signed with PSS", lambda: status(weak_signed_certificate("pss")), "algorithms.unknown"),
    Attack("A-12", "RSA-1024", lambda: with_key(1024, 65537), "algorithms.weak"),
    Attack("A-12", "exponent 3", lambda: with_key(2048, 3), "algorithms.weak"),
    Attack("A-13", "two birth dates", lambda: status(with_alt_names(lambda n: [*n, n[1]])), "profile.mismatch"),
    Attack("A-13", "two different birth dates", lambda: status(with_alt_names(lambda n: [
        *n, other_name("1.2.392.200149.8.5.5.4", tlv(0x0C, b"319500101"))])), "profile.mismatch"),
    Attack("A-13", "a name as PrintableString", lambda: status(with_alt_names(lambda n: [
        other_name("1.2.392.200149.8.5.5.1", tlv(0x13, b"KENSH")), *n[1:]])), "profile.mismatch"),
    Attack("A-13", "a date of eight digits", lambda: status(changed(instead=alt_names(birth_date="31984070"))),
        "profile.mismatch"),
    Attack("A-13", "one of the six missing", lambda: status(with_alt_names(lambda n: n[:-1])), "profile.mismatch"),
    Attack("A-14", "a directoryName beside the attributes", lambda: status(with_alt_names(lambda n: [
        *n, tlv(0xA4, certificates.name(("CN", "Somebody Else")).public_bytes())])), "profile.mismatch"),
    Attack("A-15", "a birth date that is no digits", lambda: status(changed(
        instead=alt_names(birth_date="3198407O9"))), "profile.mismatch"),
    Attack("A-15", "a day that there is not", lambda: status(changed(
        instead=alt_names(birth_date="319840230"))), "profile.mismatch"),
    Attack("A-15", "digits of another script", lambda: status(changed(
        instead=alt_names(birth_date="３１９８４０７０９"))), "profile.mismatch"),
    # --- RSA
    Attack("A-21", "bytes after the DigestInfo", lambda: raw(rsa_sign(
        key(), b"\x00\x01" + b"\xff" * 100 + b"\x00" + (tail := DIGEST_INFO + HASH) + b"\x00" * (153 - len(tail)))),
        "signature.encoding"),
    Attack("A-21", "bytes inside the DigestInfo, after the NULL", lambda: raw(block(
        bytes.fromhex("3041301d0609608648016503040201050000000000000000000000000000000000" + "0420") + HASH)),
        "signature.encoding"),
    Attack("A-21", "padding shorter than eight bytes", lambda: raw(rsa_sign(
        key(), b"\x00\x01" + b"\xff" * 7 + b"\x00" + DIGEST_INFO + HASH + b"\x00" * (246 - 51))), "signature.encoding"),
    Attack("A-21", "padding that is not FF", lambda: raw(rsa_sign(
        key(), padded(DIGEST_INFO + HASH).replace(b"\xff\xff\xff", b"\xff\xfe\xff", 1))), "signature.encoding"),
    Attack("A-21", "block type 2", lambda: raw(rsa_sign(
        key(), b"\x00\x02" + padded(DIGEST_INFO + HASH)[2:])), "signature.invalid"),
    Attack("A-21", "DigestInfo without NULL", lambda: raw(block(NO_NULL + HASH)), "signature.encoding"),
    Attack("A-21", "DigestInfo of another hash", lambda: raw(block(WRONG_OID + HASH)), "signature.encoding"),
    Attack("A-21", "a bare hash, as the card can make it", lambda: raw(block(HASH)), "signature.encoding"),
    Attack("A-21", "a SHA-1 DigestInfo", lambda: raw(block(SHA1_INFO + hashlib.sha1(CONTENT, usedforsecurity=False).digest())),
        "signature.invalid"),
    Attack("A-21", "a signature with a zero in front", lambda: raw(b"\x00" + sign(key(), CONTENT)), "signature.invalid"),
    Attack("A-21", "a signature plus the modulus", lambda: raw((int.from_bytes(sign(key(), CONTENT), "big")
        + key().public_key().public_numbers().n).to_bytes(257, "big")), "signature.invalid"),
    Attack("A-21", "no signature", lambda: raw(b""), "signature.invalid"),
    Attack("A-21", "all zeros", lambda: raw(bytes(256)), "signature.invalid"),
    # --- proofs
    Attack("A-22", "a challenge that nobody made", lambda: proof(None), "challenge.unknown"),
    Attack("A-22", "a replay", lambda: proof(challenge(), twice=True), "challenge.replayed"),
    Attack("A-22", "another expiry", lambda: proof(challenge(), challenge(
        expires_at=NOW + timedelta(minutes=30))), "challenge.altered"),
    Attack("A-22", "another purpose signed", lambda: proof(challenge(), challenge(purpose="pay")), "challenge.altered"),
    Attack("A-22", "made for somebody else", lambda: proof(challenge(audience="https://evil.example")),
        "challenge.audience"),
    Attack("A-22", "for another purpose", lambda: proof(challenge(purpose="pay")), "challenge.purpose"),
    Attack("A-22", "expired", lambda: proof(challenge(
        issued_at=NOW - timedelta(minutes=9), expires_at=NOW)), "challenge.expired"),
    Attack("A-22", "before its time", lambda: proof(challenge(
        issued_at=NOW + timedelta(minutes=1), expires_at=NOW + timedelta(minutes=2))), "challenge.not_yet"),
    Attack("A-22", "a signature over the nonce only", lambda: proof(
        challenge(), message=lambda text: b"\x01" * 32), "signature.invalid"),
    Attack("A-22", "a hash signed in place of the text", lambda: proof(
        challenge(), message=lambda text: hashlib.sha256(text).digest()), "signature.invalid"),
    # --- CMS
    Attack("A-23", "other content than was signed", lambda: verifier().verify_cms(
        Cms(attached=False).build(), b"other"), "digest.mismatch"),
    Attack("A-23", "a wrong messageDigest", lambda: cms(attributes=tuple(attributes(b"other"))), "digest.mismatch"),
    Attack("A-23", "no messageDigest", lambda: cms(attributes=altered_attributes(drop="messageDigest")), "format.malformed"),
    Attack("A-23", "no contentType", lambda: cms(attributes=altered_attributes(drop="contentType")), "format.malformed"),
    Attack("A-23", "another contentType", lambda: cms(attributes=altered_attributes(
        drop="contentType", plus=(attribute("contentType", oid("tstInfo")),))), "format.malformed"),
    Attack("A-23", "an eContentType that is not data", lambda: cms(content_type="tstInfo"), "format.unsupported"),
    Attack("A-23", "an attribute twice", lambda: cms(attributes=altered_attributes(
        plus=(attribute("messageDigest", tlv(0x04, HASH)),))), "format.malformed"),
    Attack("A-23", "two digests in one attribute", lambda: cms(attributes=altered_attributes(
        drop="messageDigest", plus=(attribute("messageDigest", tlv(0x04, HASH), tlv(0x04, bytes(32))),))), "format.malformed"),
    Attack("A-23", "attributes re-read as content", ambiguous, "format.ambiguous"),
    Attack("A-23", "attributes not hashed as a SET", lambda: cms(signature=sign_as_context), "signature.invalid"),
    Attack("A-23", "empty attributes", lambda: verifier().verify_cms(
        Cms().build().replace(tlv(0xA0, *attributes(CONTENT)), tlv(0xA0), 1)), "format.malformed"),
    Attack("A-24", "digest and signature algorithm disagree", lambda: cms(
        signature_algorithm=algorithm("sha512WithRSA"), signature=as_sha512), "algorithms.disagree"),
    Attack("A-24", "SHA-512 throughout, which the profile has not", lambda: cms(digest=algorithm("sha512"),
        signature_algorithm=algorithm("sha512WithRSA"), signature=as_sha512), "algorithms.unknown"),
    Attack("A-24", "SHA-1", lambda: cms(digest=algorithm("sha1")), "algorithms.weak"),
    Attack("A-24", "SHA-1 in the signature algorithm", lambda: cms(
        signature_algorithm=algorithm("sha1WithRSA")), "algorithms.weak"),
    Attack("A-24", "PSS said, v1.5 made", lambda: cms(signature_algorithm=algorithm(
        "pss", tlv(0x30))), "algorithms.unknown"),
    Attack("A-24", "ECDSA said", lambda: cms(signature_algorithm=algorithm("ecdsa", b"")), "algorithms.unknown"),
    Attack("A-24", "a digest that the message does not list", lambda: cms(
        digests=(algorithm("sha512"),)), "algorithms.disagree"),
    Attack("A-24", "CMSAlgorithmProtection of another digest", lambda: cms(attributes=altered_attributes(
        plus=(protection(algorithm("sha512"), algorithm("sha256WithRSA")),))), "algorithms.disagree"),
    Attack("A-24", "CMSAlgorithmProtection of another signature", lambda: cms(attributes=altered_attributes(
        plus=(protection(algorithm("sha256"), algorithm("rsaEncryption")),))), "algorithms.disagree"),
    Attack("A-24", "signing-certificate-v2 of another certificate", lambda: cms(attributes=altered_attributes(plus=(
        attribute("signingCertificateV2", forge.signing_certificate_v2(certificate(Purpose.AUTHENTICATION))),))),
        "certificate.mismatch"),
    Attack("A-25", "content inside and beside", lambda: verifier().verify_cms(Cms().build(), CONTENT),
        "coverage.two_contents"),
    Attack("A-25", "nobody signed", lambda: verifier().verify_cms(Cms().build(signers=[])), "format.no_signature"),
    Attack("A-25", "no content", lambda: verifier().verify_cms(Cms(attached=False).build()), "coverage.content_missing"),
    Attack("A-26", "signingTime before the certificate ended", lambda: Verifier.for_store(
        Store.SIMULATOR, Good(), now=lambda: EXPIRED_AT).verify_cms(Cms(content=CONTENT, attributes=tuple(
            attributes(CONTENT, signingTime=tlv(0x17, b"261124000000Z")))).build()), "validity.expired"),
    Attack("A-26", "a past that is only asserted", lambda: verifier().verify_cms(
        Cms().build(), at=NOW - timedelta(days=1)), "time.asserted"),
    Attack("A-27", "one good signer and one bad", lambda: two_signers(
        Cms(content=CONTENT, signature=lambda k, m: bytes(256)).signer()), "signature.invalid"),
    Attack("A-27", "one good signer and one without a certificate", lambda: two_signers(Cms(
        content=CONTENT, signer_certificate=certificate(Purpose.AUTHENTICATION), private=key("authentication")).signer()),
        "certificate.missing"),
    # --- data
    Attack("A-40", "flags shorter than the name", lambda: status(changed(
        instead=alt_names(name_substitutes="0100"))), "profile.mismatch"),
    Attack("A-40", "flags longer than the address", lambda: status(changed(
        instead=alt_names(address_substitutes="0" * 15))), "profile.mismatch"),
    Attack("A-40", "a flag that is neither 0 nor 1", lambda: status(changed(
        instead=alt_names(name_substitutes="01002"))), "profile.mismatch"),
    Attack("A-40", "a bidi control in the name", lambda: status(changed(
        instead=alt_names(name="検証\u202e花子"))), "profile.mismatch"),
    Attack("A-40", "a newline in the address", lambda: status(changed(
        instead=alt_names(address="東京都清瀬市架空一丁目２\n３"))), "profile.mismatch"),
]  # fmt: skip


@pytest.mark.parametrize("attack", TABLE, ids=str)
def test_attack(attack: Attack) -> None:
    verdict = attack.judge()
    assert attack.reason in verdict.reasons
    assert verdict.indication is not Indication.TOTAL_PASSED
    consequence = REASONS[attack.reason]
    if consequence.indication is Indication.TOTAL_FAILED:
        assert verdict.indication is Indication.TOTAL_FAILED
    first = [REASONS[reason] for reason in verdict.reasons if REASONS[reason].indication is verdict.indication]
    assert verdict.sub_indication is first[0].sub_indication
    if attack.reason.split(".")[0] in (
        "signature",
        "digest",
        "chain",
        "profile",
        "algorithms",
        "certificate",
        "format",
    ):
        assert verdict.holder is None
        assert all(part.holder is None for part in verdict.parts if attack.reason in part.reasons)


def test_what_the_table_is_measured_against_passes() -> None:
    """Each maker, left alone, makes something good: the rows fail for their one change only."""
    assert cms().require().holder is not None
    status(certificate()).require()
    status(certificate(Purpose.AUTHENTICATION), purpose=Purpose.AUTHENTICATION).require()
    raw(block(DIGEST_INFO + HASH)).require()
    proof(challenge()).require()
    two_signers(Cms(content=CONTENT, by_key_id=True).signer()).require()
    cms(changed(generation=1)).require()
    cms(attributes=altered_attributes(plus=(protection(algorithm("sha256"), algorithm("sha256WithRSA")),))).require()
    status(with_alt_names(lambda n: n)).require()
    status(extended(lambda e: e)).require()
    status(changed(instead=policy("1.2.392.200149.8.5.1.1.20"))).require()
    assert certificate(Purpose.AUTHENTICATION) != certificate()
    assert (AUTH_SERIAL, SERIAL) == (0x01500002, 0x01500001)


@pytest.mark.attack("A-14", "another name in the subject", "TOTAL_PASSED, with the attribute's name")
def test_a14_the_name_is_that_of_the_attribute_only() -> None:
    cert = changed(subject=certificates.name(("C", "JP"), ("CN", "Somebody Else")))
    holder = cms(cert).require().holder
    assert holder.name == PERSON.name  # type: ignore[attr-defined]


@pytest.mark.attack("A-15", "a date of which not everything is known", "TOTAL_PASSED, without a birth date")
@pytest.mark.parametrize("text", ["019840709", "300000000", "319840700", "319840009"])
def test_a15_an_incomplete_date_is_unknown(text: str) -> None:
    holder = cms(changed(instead=alt_names(birth_date=text))).require().holder
    assert holder.birth_date is None  # type: ignore[attr-defined]
    assert cms().require().holder.birth_date == date(1984, 7, 9)  # type: ignore[attr-defined]


@pytest.mark.attack("A-16", "the caller's buffer changes after it was read", "what was read is judged")
def test_a16_later_changes_of_the_callers_buffer_change_nothing() -> None:
    from kojin_card.pki.certificate import Certificate

    buffer = bytearray(certificate())
    parsed = Certificate.parse(buffer)
    buffer[200:220] = bytes(20)
    assert parsed.der == certificate()
    assert parsed.tbs in parsed.der


@pytest.mark.attack("A-22", "a second answer after a wrong one", "challenge.replayed")
def test_a22_the_challenge_is_used_up_before_the_signature_is_looked_at() -> None:
    store = MemoryChallengeStore()
    given = challenge()
    store.add(given)
    bad = AuthenticationProof.make(given, certificate(Purpose.AUTHENTICATION), lambda text: bytes(256))
    good = AuthenticationProof.make(
        given, certificate(Purpose.AUTHENTICATION), lambda text: sign(key("authentication"), text)
    )
    judge = verifier()
    assert judge.verify_proof(bad, store, audience=AUDIENCE).reasons == ("signature.invalid",)
    assert judge.verify_proof(good, store, audience=AUDIENCE).reasons == ("challenge.replayed",)


@pytest.mark.attack("A-22", "a challenge put beside another text", "challenge.unknown")
def test_a22_what_is_judged_is_the_text_not_the_value_beside_it() -> None:
    """A proof made by hand whose ``challenge`` field is not what its text says."""
    store = MemoryChallengeStore()
    given = challenge(2)
    store.add(given)
    other = AuthenticationProof.make(
        challenge(3), certificate(Purpose.AUTHENTICATION), lambda text: sign(key("authentication"), text)
    )
    swapped = dataclasses.replace(other, challenge=given)
    assert verifier().verify_proof(swapped, store, audience=AUDIENCE).reasons == ("challenge.unknown",)


def test_the_time_of_a_challenge_is_utc_in_evidence_whatever_zone_it_was_made_in() -> None:
    tokyo = timezone(timedelta(hours=9))
    given = challenge()
    moved = dataclasses.replace(given, issued_at=given.issued_at.astimezone(tokyo))
    assert proof(moved).require().evidence["challenge_issued_at"] == "2026-11-24T02:59:00Z"


@pytest.mark.attack("A-40", "a substitute character in the name", "TOTAL_PASSED, and the holder says where")
def test_a40_substitute_characters_are_surfaced() -> None:
    holder = cms().require().holder
    assert (holder.name_substitutes, holder.address_substitutes) == ((1,), ())  # type: ignore[attr-defined]
