"""One algorithm taken for another, decoys beside what is meant, and numbers that are written in two ways.

Signatures here are made by the right key over the right content wherever the attack leaves a choice: what must be seen
is the confusion alone. The table of the next card (``test_next_card.py``) has the pairs of ECDSA and RSA.
"""

# ruff: noqa: E501, ARG005 - a table of attacks is read row by row

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attacks import forge, test_next_card
from attacks.forge import (
    DIGEST_INFO,
    NOW,
    Attack,
    Cms,
    algorithm,
    attribute,
    certificate,
    changed,
    integer,
    key,
    oid,
    padded,
    rsa_sign,
    sign,
    tlv,
    verifier,
)
from attacks.test_next_card import ECDSA_SHA384, ORDER, SHA384
from kojin_card.authn import Challenge, b64url
from kojin_card.pki.profile import Purpose
from kojin_card.simulator import certificates
from kojin_card.verdict import REASONS, Indication, Verdict
from kojin_card.verification import MemoryChallengeStore

CONTENT = b"invented content\n"
AUDIENCE, PURPOSE = "https://bank.example", "log in"


# --- makers -----------------------------------------------------------------------------------------------------------


def cms(**fields: Any) -> Verdict:
    """A message of the holder's, but for what is named."""
    return verifier().verify_cms(Cms(content=CONTENT, **fields).build(), disclose=True)


def pss(private: rsa.RSAPrivateKey, over: bytes) -> bytes:
    """RSASSA-PSS with SHA-256, which the card can make too (jpki.md §5: P1 04, 05)."""
    return private.sign(over, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def hashed_with(name: str, info: str) -> Callable[[rsa.RSAPrivateKey, bytes], bytes]:
    """PKCS#1 v1.5 over another hash, with the DigestInfo of that hash."""
    return lambda private, over: rsa_sign(private, padded(bytes.fromhex(info) + hashlib.new(name, over).digest()))


def message_digest(name: str) -> tuple[bytes, ...]:
    """Signed attributes whose messageDigest is by that hash."""
    return attribute("contentType", oid("data")), attribute(
        "messageDigest", tlv(0x04, hashlib.new(name, CONTENT).digest())
    )


SHA224_INFO = "302d300d06096086480165030402040500041c"
SHA384_INFO = "3041300d060960864801650304020205000430"
SHA512_INFO = "3051300d060960864801650304020305000440"
SHA512_256_INFO = "3031300d060960864801650304020605000420"
SHA3_256_INFO = "3031300d060960864801650304020805000420"
PSS_PARAMETERS = tlv(0x30, tlv(0xA0, algorithm("sha256")), tlv(0xA1, tlv(0x30, oid("1.2.840.113549.1.1.8"), algorithm("sha256"))),
    tlv(0xA2, b"\x02\x01\x20"))  # fmt: skip


def with_spki(spki: bytes) -> bytes:
    """The holder's certificate over a key of another kind, signed by the CA."""
    return forge.reforged(certificate(), lambda fields: [*fields[:6], spki, *fields[7:]])


def spki_of(name: str, parameters: bytes = b"\x05\x00") -> bytes:
    """The holder's own RSA key under another algorithm's name."""
    numbers = key().public_key().public_numbers()
    return tlv(
        0x30, algorithm(name, parameters), tlv(0x03, b"\x00" + tlv(0x30, integer(numbers.n), integer(numbers.e)))
    )


def by_key(spki: bytes, **fields: Any) -> Verdict:
    """A message under such a certificate."""
    cert = with_spki(spki)
    return cms(certificates=(cert,), signer_certificate=cert, **fields)


def ec_pair(r: bytes, s: bytes) -> bytes:
    """An ECDSA-Sig-Value of two INTEGERs as they are given."""
    return tlv(0x30, tlv(0x02, r), tlv(0x02, s))


def ec_message(change: Callable[[int, int], bytes]) -> Verdict:
    """A message of the next card whose signature value was changed."""
    return test_next_card.message(signature=lambda over: change(*decode_dss_signature(test_next_card.ecdsa(over))))


def der_of(number: int) -> bytes:
    return forge.inside(integer(number))


# --- proofs -----------------------------------------------------------------------------------------------------------


def proof(
    header: dict[str, Any] | str | None = None,
    signature: Callable[[bytes], bytes] = lambda text: sign(key("authentication"), text),
    *,
    change: Callable[[str], str] = lambda text: text,
    **more: Any,
) -> Verdict:
    """A proof whose header is changed, or written as it is given."""
    challenge = Challenge.new(AUDIENCE, PURPOSE, now=NOW - timedelta(minutes=1), random=lambda size: b"\x09" * size)
    store = MemoryChallengeStore()
    store.add(challenge)
    cert = base64.b64encode(certificate(Purpose.AUTHENTICATION)).decode()
    usual = {"alg": "RS256", "typ": "kojin-card-auth+jwt", "x5c": [cert], **more}
    head = header if isinstance(header, str) else json.dumps(usual if header is None else header)
    text = f"{b64url(head.replace('CERT', cert).encode())}.{b64url(json.dumps(challenge.claims()).encode())}"
    compact = change(f"{text}.{b64url(signature(text.encode()))}")
    return verifier().verify_proof(compact, store, audience=AUDIENCE, purpose=PURPOSE, disclose=True)


def hmac_with_the_public_key(text: bytes) -> bytes:
    public = key("authentication").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return hmac.new(public, text, hashlib.sha256).digest()


def proof_pss(text: bytes) -> bytes:
    return pss(key("authentication"), text)


MALFORMED = "format.malformed"
UNKNOWN = "algorithms.unknown"

TABLE = (
    # PSS and v1.5
    Attack("confusion", "RSASSA-PSS, said and made", lambda: cms(
        signature_algorithm=algorithm("pss", PSS_PARAMETERS), signature=pss), UNKNOWN),
    Attack("confusion", "PSS made, v1.5 said", lambda: cms(signature=pss), "signature.invalid"),
    Attack("confusion", "PSS made, rsaEncryption said", lambda: cms(
        signature_algorithm=algorithm("rsaEncryption"), signature=pss), "signature.invalid"),
    Attack("confusion", "PSS said without parameters, v1.5 made", lambda: cms(
        signature_algorithm=algorithm("pss", b"")), UNKNOWN),
    Attack("confusion", "PSS as a bare signature", lambda: verifier().verify_raw(
        pss(key(), CONTENT), CONTENT, certificate(), disclose=True), "signature.invalid"),
    Attack("confusion", "a key that is for PSS only", lambda: by_key(spki_of("pss", b"")), UNKNOWN),
    Attack("confusion", "a key for PSS, PSS said and made", lambda: by_key(spki_of("pss", PSS_PARAMETERS),
        signature_algorithm=algorithm("pss", PSS_PARAMETERS), signature=pss), UNKNOWN),
    Attack("confusion", "a key for OAEP", lambda: by_key(spki_of("1.2.840.113549.1.1.7")), UNKNOWN),
    # one hash for another
    Attack("confusion", "SHA-256 said, SHA-512 signed", lambda: cms(
        signature=hashed_with("sha512", SHA512_INFO)), "signature.invalid"),
    Attack("confusion", "rsaEncryption said, SHA-384 signed", lambda: cms(
        signature_algorithm=algorithm("rsaEncryption"), signature=hashed_with("sha384", SHA384_INFO)), "signature.invalid"),
    Attack("confusion", "rsaEncryption said, SHA-512 digest and signed", lambda: cms(
        digest=algorithm("sha512"), signature_algorithm=algorithm("rsaEncryption"), attributes=message_digest("sha512"),
        signature=hashed_with("sha512", SHA512_INFO)), UNKNOWN),
    Attack("confusion", "SHA-224 throughout", lambda: cms(
        digest=algorithm("2.16.840.1.101.3.4.2.4"), signature_algorithm=algorithm("1.2.840.113549.1.1.14"),
        attributes=message_digest("sha224"), signature=hashed_with("sha224", SHA224_INFO)), UNKNOWN),
    Attack("confusion", "SHA-512/256, which is as long as SHA-256", lambda: cms(
        digest=algorithm("2.16.840.1.101.3.4.2.6"), signature_algorithm=algorithm("1.2.840.113549.1.1.16"),
        attributes=message_digest("sha512_256"), signature=hashed_with("sha512_256", SHA512_256_INFO)), UNKNOWN),
    Attack("confusion", "SHA3-256, which is as long as SHA-256", lambda: cms(
        digest=algorithm("2.16.840.1.101.3.4.2.8"), signature_algorithm=algorithm("2.16.840.1.101.3.4.3.14"),
        attributes=message_digest("sha3_256"), signature=hashed_with("sha3_256", SHA3_256_INFO)), UNKNOWN),
    Attack("confusion", "SHA3-256 under the name of SHA-256", lambda: cms(
        attributes=message_digest("sha3_256")), "digest.mismatch"),
    Attack("confusion", "a DigestInfo of SHA-512/256 over a SHA-256", lambda: cms(signature=lambda private, over: rsa_sign(
        private, padded(bytes.fromhex(SHA512_256_INFO) + hashlib.sha256(over).digest()))), "signature.encoding"),
    Attack("confusion", "MD5 said", lambda: cms(digest=algorithm("1.2.840.113549.2.5")), "algorithms.weak"),
    Attack("confusion", "the hash as signature algorithm", lambda: cms(signature_algorithm=algorithm("sha256")), UNKNOWN),
    Attack("confusion", "the signature algorithm as hash", lambda: cms(digest=algorithm("sha256WithRSA")), UNKNOWN),
    Attack("confusion", "HMAC said", lambda: cms(signature_algorithm=algorithm("1.2.840.113549.2.9")), UNKNOWN),
    Attack("confusion", "parameters of a hash that has none", lambda: cms(
        digest=algorithm("sha256", tlv(0x30, b"\x02\x01\x20"))), MALFORMED),
    Attack("confusion", "parameters of RSA that it does not have", lambda: cms(
        signature_algorithm=algorithm("sha256WithRSA", PSS_PARAMETERS)), MALFORMED),
    Attack("confusion", "two parameters", lambda: cms(
        signature_algorithm=algorithm("sha256WithRSA", b"\x05\x00\x05\x00")), MALFORMED),
    # keys of another kind
    Attack("confusion", "the modulus under the name of an EC key", lambda: by_key(
        spki_of("1.2.840.10045.2.1", oid("1.3.132.0.34"))), UNKNOWN),
    Attack("confusion", "an EC key with NULL for a curve", lambda: by_key(spki_of("1.2.840.10045.2.1")), UNKNOWN),
    Attack("confusion", "an Ed25519 key", lambda: by_key(
        tlv(0x30, algorithm("1.3.101.112", b""), tlv(0x03, b"\x00" + bytes(32)))), UNKNOWN),
    Attack("confusion", "a DSA key", lambda: by_key(
        tlv(0x30, algorithm("1.2.840.10040.4.1", tlv(0x30, integer(7), integer(3), integer(2))), tlv(0x03, b"\x00" + integer(4)))), UNKNOWN),
    Attack("confusion", "an exponent of one", lambda: by_key(tlv(0x30, algorithm("rsaEncryption"), tlv(0x03, b"\x00" + tlv(
        0x30, integer(key().public_key().public_numbers().n), integer(1)))),
        signature=lambda private, over: padded(DIGEST_INFO + hashlib.sha256(over).digest())), "algorithms.weak"),
    Attack("confusion", "a negative modulus", lambda: by_key(tlv(0x30, algorithm("rsaEncryption"), tlv(0x03, b"\x00" + tlv(
        0x30, tlv(0x02, b"\x80" + bytes(255)), integer(65537))))), "certificate.malformed"),
    # ECDSA, and its DER
    Attack("confusion", "ECDSA: a negative r", lambda: ec_message(
        lambda r, s: ec_pair((-r).to_bytes(49, "big", signed=True), der_of(s))), "signature.invalid"),
    Attack("confusion", "ECDSA: r without its zero, so that it is negative", lambda: ec_message(
        lambda r, s: ec_pair((r | 1 << 383).to_bytes(48, "big"), der_of(s))), "signature.invalid"),
    Attack("confusion", "ECDSA: a negative s", lambda: ec_message(
        lambda r, s: ec_pair(der_of(r), (-s).to_bytes(49, "big", signed=True))), "signature.invalid"),
    Attack("confusion", "ECDSA: both are zero", lambda: ec_message(lambda r, s: ec_pair(b"\x00", b"\x00")), "signature.invalid"),
    Attack("confusion", "ECDSA: r is empty", lambda: ec_message(lambda r, s: ec_pair(b"", der_of(s))), "signature.invalid"),
    Attack("confusion", "ECDSA: r plus the order", lambda: ec_message(
        lambda r, s: ec_pair(der_of(r + ORDER), der_of(s))), "signature.invalid"),
    Attack("confusion", "ECDSA: r is the order", lambda: ec_message(
        lambda r, s: ec_pair(der_of(ORDER), der_of(s))), "signature.invalid"),
    Attack("confusion", "ECDSA: a third number", lambda: ec_message(
        lambda r, s: tlv(0x30, integer(r), integer(s), integer(1))), "signature.invalid"),
    Attack("confusion", "ECDSA: a long length", lambda: ec_message(lambda r, s: tlv(
        0x30, b"\x02\x81" + integer(r)[1:], integer(s))), "signature.invalid"),
    Attack("confusion", "ECDSA: an indefinite length", lambda: ec_message(
        lambda r, s: b"\x30\x80" + integer(r) + integer(s) + b"\x00\x00"), "signature.invalid"),
    Attack("confusion", "ECDSA: r and s change places", lambda: ec_message(
        lambda r, s: tlv(0x30, integer(s), integer(r))), "signature.invalid"),
    Attack("confusion", "ECDSA said, RSA's signature and key", lambda: cms(
        signature_algorithm=algorithm(ECDSA_SHA384, b""), digest=algorithm(SHA384, b"")), UNKNOWN),
    # proofs
    Attack("confusion", "proof: PS256, said and made", lambda: proof(alg="PS256", signature=proof_pss), MALFORMED),
    Attack("confusion", "proof: PSS under RS256", lambda: proof(signature=proof_pss), "signature.invalid"),
    Attack("confusion", "proof: RS512", lambda: proof(alg="RS512"), MALFORMED),
    Attack("confusion", "proof: HS256 with the public key", lambda: proof(
        alg="HS256", signature=hmac_with_the_public_key), MALFORMED),
    Attack("confusion", "proof: an HMAC under RS256", lambda: proof(signature=hmac_with_the_public_key), "signature.invalid"),
    Attack("confusion", "proof: alg none", lambda: proof(alg="none", signature=lambda _: b""), MALFORMED),
    Attack("confusion", "proof: alg None", lambda: proof(alg="None"), MALFORMED),
    Attack("confusion", "proof: no alg", lambda: proof('{"typ":"kojin-card-auth+jwt","x5c":["CERT"]}'), MALFORMED),
    Attack("confusion", "proof: two algs", lambda: proof(
        '{"alg":"none","alg":"RS256","typ":"kojin-card-auth+jwt","x5c":["CERT"]}'), MALFORMED),
    Attack("confusion", "proof: a key of its own in the header", lambda: proof(jwk={"kty": "RSA", "n": "AQAB", "e": "Aw"}), MALFORMED),
    Attack("confusion", "proof: an address for the certificate", lambda: proof(x5u="https://evil.example/"), MALFORMED),
    Attack("confusion", "proof: a critical header", lambda: proof(crit=["exp"], exp=1), MALFORMED),
    Attack("confusion", "proof: an unencoded payload (b64)", lambda: proof(b64=False, crit=["b64"]), MALFORMED),
    Attack("confusion", "proof: another typ", lambda: proof(typ="JWT"), MALFORMED),
    Attack("confusion", "proof: a second certificate", lambda: proof(
        '{"alg":"RS256","typ":"kojin-card-auth+jwt","x5c":["CERT","CERT"]}'), MALFORMED),
    Attack("confusion", "proof: base64 with padding", lambda: proof(change=lambda text: text + "=="), MALFORMED),
    Attack("confusion", "proof: base64 of the other alphabet", lambda: proof(change=lambda text: text.replace("-", "+")), MALFORMED),
    Attack("confusion", "proof: four parts", lambda: proof(change=lambda text: text + ".AA"), MALFORMED),
    Attack("confusion", "proof: no signature", lambda: proof(change=lambda text: text.rpartition(".")[0] + "."), MALFORMED),
    Attack("confusion", "proof: the JSON form of a JWS", lambda: proof(change=lambda text: json.dumps(dict(
        zip(("protected", "payload", "signature"), text.split("."), strict=True)))), MALFORMED),
)  # fmt: skip


@pytest.mark.parametrize("attack", TABLE, ids=str)
def test_attack(attack: Attack) -> None:
    verdict = attack.judge()
    assert attack.reason in verdict.reasons, verdict.reasons
    assert verdict.indication is not Indication.TOTAL_PASSED
    if REASONS[attack.reason].indication is Indication.TOTAL_FAILED:
        assert verdict.indication is Indication.TOTAL_FAILED
    assert verdict.holder is None


def test_what_the_table_is_measured_against_passes() -> None:
    cms().require()
    cms(signature_algorithm=algorithm("rsaEncryption")).require()
    cms(digest=algorithm("sha256", b""), signature_algorithm=algorithm("sha256WithRSA", b"")).require()
    by_key(spki_of("rsaEncryption")).require()
    ec_message(lambda r, s: tlv(0x30, integer(r), integer(s))).require()
    ec_message(lambda r, s: ec_pair(der_of(r), der_of(s))).require()
    proof().require()
    proof('{"alg":"RS256","typ":"kojin-card-auth+jwt","x5c":["CERT"]}').require()


@pytest.mark.attack(
    "confusion", "ECDSA: s replaced by the order less s", "TOTAL_PASSED, for it says the same of the same"
)
def test_the_other_s_is_ecdsas_own() -> None:
    """(r, n - s) verifies wherever (r, s) does (FIPS 186-5): no second content, no second signer, only a second value."""
    verdict = ec_message(lambda r, s: tlv(0x30, integer(r), integer(ORDER - s)))
    assert verdict.require().evidence["content_sha256"] == hashlib.sha256(CONTENT).hexdigest()


# --- decoys -----------------------------------------------------------------------------------------------------------


def bag(*offered: bytes, signer: bytes | None = None, **fields: Any) -> Verdict:
    return cms(certificates=offered, signer_certificate=signer or certificate(), **fields)


def other_tag(tag: int) -> bytes:
    """The signer's certificate as another kind of CertificateChoices (RFC 5652 §10.2.2)."""
    return tlv(tag, forge.inside(certificate()))


def no_certificate_but_unsigned() -> Verdict:
    """The certificate stands in an unsigned attribute."""
    unsigned = tlv(0xA1, attribute("1.2.840.113549.1.9.16.2.21", certificate()))
    return bag(unsigned=unsigned)


def stranger_key() -> rsa.RSAPrivateKey:
    return key("terminal", "stranger")


DECOYS = (
    Attack("A-09", "the signer's certificate under an obsolete kind", lambda: bag(other_tag(0xA0)), "certificate.missing"),
    Attack("A-09", "the signer's certificate as an attribute certificate", lambda: bag(other_tag(0xA2)), "certificate.missing"),
    Attack("A-09", "the signer's certificate in an unsigned attribute", no_certificate_but_unsigned, "certificate.missing"),
    Attack("A-09", "a stranger's certificate with that serial number and another issuer", lambda: bag(
        changed(issuer=certificates.name(("C", "JP"), ("O", "Elsewhere")), signed_by=stranger_key())), "certificate.missing"),
    Attack("A-09", "a forged twin beside the real one", lambda: bag(
        certificate(), changed(signed_by=stranger_key(), role="common"), private=key("common")), "certificate.ambiguous"),
    Attack("A-09", "a forged twin before the real one", lambda: bag(
        changed(signed_by=stranger_key(), role="common"), certificate(), private=key("common")), "certificate.ambiguous"),
    Attack("A-09", "a twin by key id, with the holder's key and another name", lambda: bag(
        changed(serial=0x01500077, signed_by=stranger_key()), certificate(), by_key_id=True), "certificate.ambiguous"),
    Attack("A-09", "the authentication certificate named, the signature key used", lambda: bag(
        certificate(), certificate(Purpose.AUTHENTICATION), signer=certificate(Purpose.AUTHENTICATION)), "signature.invalid"),
    Attack("A-27", "a signer who has a stranger's certificate, beside a good one", lambda: verifier().verify_cms(
        Cms(content=CONTENT, certificates=(certificate(), _stranger())).build(Cms(
            content=CONTENT, signer_certificate=_stranger(), private=key("common")).signer())), "chain.no_issuer"),
    Attack("A-23", "a countersignature in place of a signature", lambda: verifier().verify_cms(Cms(
        content=CONTENT, signature=lambda private, over: bytes(256),
        unsigned=tlv(0xA1, attribute("1.2.840.113549.1.9.6", Cms(content=CONTENT).signer()))).build()), "signature.invalid"),
)  # fmt: skip


def _stranger() -> bytes:
    return changed(serial=0x01500088, role="common", signed_by=stranger_key())


@pytest.mark.parametrize("attack", DECOYS, ids=str)
def test_decoy(attack: Attack) -> None:
    verdict = attack.judge()
    assert attack.reason in verdict.reasons, verdict.reasons
    assert verdict.indication is not Indication.TOTAL_PASSED
    assert verdict.holder is None


def test_a_decoy_that_nobody_names_does_no_harm() -> None:
    rubbish = tlv(0x30, b"\x02\x01\x00")
    bag(certificate(), _stranger(), rubbish, other_tag(0xA2)).require()
