"""Judging the record of a driving licence: bytes and a key that the caller brings; no card takes part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from issued import NOW
from issued import licence_files as files
from kojin_card.errors import InputError, UsageError
from kojin_card.simulator.licence_record import issuer_key, issuer_pem
from kojin_card.simulator.testpki import TestPki
from kojin_card.verdict import CheckId, CheckState, Indication, SubIndication
from kojin_card.verification.licence import MAX_KEY_BYTES, LicenceIssuerKey, judge_licence
from support import ROOT

PEM = (ROOT / "fixtures" / "pki" / "simulator-licence-issuer.pem").read_bytes()


def spki(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, encoding: Encoding = Encoding.DER) -> bytes:
    return key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def certificate(encoding: Encoding) -> bytes:
    key = issuer_key(TestPki.load())
    name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "JPKI-SIMULATOR")])
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)  # run out: nothing of it is judged
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, long_ago, long_ago + timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(encoding)


def test_the_committed_key_is_that_of_the_declaration() -> None:
    assert issuer_pem(TestPki.load()) == PEM


@pytest.mark.parametrize("persona", ["licence_holder", "licence_without_pin"])
@pytest.mark.parametrize("kind", ["pem", "der", "certificate pem", "certificate der"])
def test_with_the_issuers_key_it_passes(persona: str, kind: str) -> None:
    given = {
        "pem": PEM,
        "der": spki(issuer_key(TestPki.load()).public_key()),
        "certificate pem": certificate(Encoding.PEM),
        "certificate der": certificate(Encoding.DER),
    }[kind]
    key = LicenceIssuerKey.read(given)
    assert key.source == ("certificate" if "certificate" in kind else "key")
    verdict = judge_licence(*files(persona), key, now=NOW).require()
    assert (verdict.store, verdict.subject, verdict.sub_indication) == ("given-key", "licence", None)
    assert {check.id for check in verdict.checks} == {CheckId.FORMAT, CheckId.CERTIFICATE, CheckId.SIGNATURE}
    assert verdict.check(CheckId.CERTIFICATE).evidence["chain"].startswith("not judged")
    assert verdict.check(CheckId.CERTIFICATE).evidence["key_sha256"] == key.sha256
    assert verdict.evidence["licence_validity"] == "not expired"
    assert verdict.evidence["claimed_issuer"] == "C=JP,O=JPKI-SIMULATOR,OU=Test Public Safety Commission"


def test_without_a_key_the_issuer_is_unknown() -> None:
    verdict = judge_licence(*files(), now=NOW)
    assert (verdict.indication, verdict.sub_indication) == (
        Indication.INDETERMINATE,
        SubIndication.NO_SIGNING_CERTIFICATE_FOUND,
    )
    assert verdict.reasons == ("certificate.issuer_unknown",)
    assert verdict.check(CheckId.CERTIFICATE).state is CheckState.UNKNOWN  # nothing was found wrong
    assert verdict.check(CheckId.SIGNATURE).state is CheckState.NOT_CHECKED


def test_the_published_key_is_known_for_what_it_is() -> None:
    assert LicenceIssuerKey.read(PEM).for_tests
    assert LicenceIssuerKey.read(certificate(Encoding.DER)).for_tests
    other = LicenceIssuerKey.read(spki(rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()))
    assert not other.for_tests
    assert judge_licence(*files(), LicenceIssuerKey.read(PEM), now=NOW).evidence["issuer_key"] == "published test key"
    assert "issuer_key" not in judge_licence(*files(), other, now=NOW).evidence


def test_filler_behind_the_record_is_not_covered() -> None:
    record, signature = files()
    for filler in (b"\xff" * 40, b"\x00" * 7):
        judge_licence(record + filler, signature, LicenceIssuerKey.read(PEM), now=NOW).require()


def test_an_expired_licence_is_a_note_and_no_failure() -> None:
    late = NOW + timedelta(days=365 * 8)
    verdict = judge_licence(*files(), LicenceIssuerKey.read(PEM), now=late)
    assert verdict.require().evidence["licence_validity"] == "expired"


def test_nothing_personal_is_in_the_verdict() -> None:
    record, signature = files()
    shown = repr(judge_licence(record, signature, LicenceIssuerKey.read(PEM), now=NOW))
    for personal in ("990912345670", "眼鏡等", "2031", "20311203", "5131203"):
        assert personal not in shown
    assert "spki" not in repr(LicenceIssuerKey.read(PEM))


def test_a_time_needs_its_zone() -> None:
    with pytest.raises(UsageError):
        judge_licence(*files(), now=datetime(2026, 1, 1))  # noqa: DTZ001  # that is what is tested


def wrong_keys() -> dict[str, bytes]:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  # refused for that
    three = rsa.RSAPublicNumbers(3, issuer_key(TestPki.load()).public_key().public_numbers().n).public_key()
    return {
        "nothing": b"",
        "text": b"key",
        "1024 bits": spki(small.public_key()),
        "exponent 3": spki(three),
        "3072 bits": spki(rsa.generate_private_key(public_exponent=65537, key_size=3072).public_key()),
        "EC": spki(ec.generate_private_key(ec.SECP256R1()).public_key(), Encoding.PEM),
        "a private key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "two keys": PEM + PEM,
        "rest": spki(issuer_key(TestPki.load()).public_key()) + b"\x00",
        "no base64": b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        "an empty certificate": b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        "too large": b"\x30" * (MAX_KEY_BYTES + 1),
    }


@pytest.mark.parametrize("kind", list(wrong_keys()))
def test_another_kind_of_key_is_refused(kind: str) -> None:
    with pytest.raises(InputError):
        LicenceIssuerKey.read(wrong_keys()[kind])
