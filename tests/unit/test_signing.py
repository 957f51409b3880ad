"""Signers, raw signatures and CMS: structure read by hand, every refusal, one question to the card a signature."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from issued import NOW
from kojin_card import signing
from kojin_card.errors import CardRemoved, DecodeError, InputError, KojinError, NotOnCard, SignatureMismatch, UsageError
from kojin_card.pki.profile import Purpose
from kojin_card.signing import CallableSigner, sign_cms, sign_message, sign_pdf, sign_raw
from kojin_card.signing.cms import CmsPlan
from kojin_card.signing.signer import MAX_CERTIFICATE_BYTES, Identity, require_content
from kojin_card.testing.documents import blank_pdf
from signers import CountingSigner, Der, make_signer, one_der, test_pki, utc

# Object identifiers, typed from the standards that define them.
DATA = "06092a864886f70d010701"  # RFC 5652 §4
SIGNED_DATA = "06092a864886f70d010702"  # RFC 5652 §5.1
SHA256 = "300b0609608648016503040201"  # RFC 5754 §2.2, parameters absent
SHA256_RSA = "300d06092a864886f70d01010b0500"  # RFC 5754 §3.2, parameters NULL
CONTENT_TYPE = "06092a864886f70d010903"
MESSAGE_DIGEST = "06092a864886f70d010904"
SIGNING_TIME = "06092a864886f70d010905"
ALGORITHM_PROTECTION = "06092a864886f70d010934"  # RFC 6211
SIGNING_CERTIFICATE_V2 = "060b2a864886f70d010910022f"  # RFC 5035

DIGEST_INFO = "3031300d060960864801650304020105000420"  # card.md §4.4


def self_signed(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate with nothing in it but a key."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "JP")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, utc(2026), utc(2030))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def verify(signature: bytes, message: bytes, certificate: bytes) -> None:
    """Raises when it is not a right signature."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())


# --- signer and raw ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", list(Purpose))
def test_the_card_gets_a_digest_info_and_is_asked_once(purpose: Purpose) -> None:
    signer = make_signer(purpose)
    signature = sign_raw(signer, b"content")
    assert [asked.hex() for asked in signer.asked] == [DIGEST_INFO + hashlib.sha256(b"content").hexdigest()]
    assert len(signature) == 256
    verify(signature, b"content", signer.certificate)
    assert sign_message(signer, b"content") == signature


@given(st.binary(max_size=300))
def test_any_content_is_signed_as_it_is(content: bytes) -> None:
    signer = make_signer()
    verify(sign_raw(signer, content), content, signer.certificate)


def _garbage(_: bytes) -> bytes:
    return bytes(range(256))


def _bare_hash(digest_info: bytes) -> bytes:
    """What the chip gives with P1=01: PKCS#1 type 1 over the hash without DigestInfo (jpki.md A-21)."""
    return make_signer().sign_digest_info(digest_info[19:])


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_garbage, id="garbage"),
        pytest.param(lambda _: b"", id="nothing"),
        pytest.param(lambda d: make_signer().sign_digest_info(d)[:-1], id="one byte short"),
        pytest.param(lambda d: make_signer().sign_digest_info(d) + b"\0", id="one byte long"),
        pytest.param(lambda d: b"\0" + make_signer().sign_digest_info(d), id="zero in front"),
        pytest.param(make_signer(Purpose.AUTHENTICATION).sign_digest_info, id="the other key"),
        pytest.param(lambda _: make_signer().sign_digest_info(bytes(51)), id="another message"),
        pytest.param(_bare_hash, id="bare hash"),
        pytest.param(lambda _: bytes(256), id="zero"),
        pytest.param(lambda _: b"\xff" * 256, id="not below the modulus"),
    ],
)
def test_an_answer_that_does_not_verify_is_not_handed_out(answer: Callable[[bytes], bytes]) -> None:
    signer = CallableSigner(make_signer().certificate, answer)
    for sign in (sign_raw, sign_message, sign_cms):
        with pytest.raises(SignatureMismatch) as caught:
            sign(signer, b"content")
        assert caught.value.code == "signature_mismatch"


def test_what_the_card_says_passes_through() -> None:
    def removed(_: bytes) -> bytes:
        raise CardRemoved(operation="sign")

    signer = CallableSigner(make_signer().certificate, removed)
    for sign in (sign_raw, sign_message, sign_cms):
        with pytest.raises(CardRemoved):
            sign(signer, b"content")


@pytest.mark.parametrize("certificate", [b"", b"0", b"\x30\x80\x00\x00", bytes(100), b"\x30" * 5000])
def test_a_malformed_certificate_is_refused_before_the_card_is_asked(certificate: bytes) -> None:
    signer = replace(make_signer(), certificate=certificate)
    with pytest.raises(DecodeError):
        sign_raw(signer, b"content")
    assert not signer.asked


def test_filler_after_the_certificate_is_refused() -> None:
    signer = make_signer()
    with pytest.raises(DecodeError):
        sign_raw(replace(signer, certificate=signer.certificate + b"\xff" * 8), b"content")
    with pytest.raises(DecodeError):
        sign_raw(replace(signer, certificate=signer.certificate + bytes(MAX_CERTIFICATE_BYTES)), b"content")


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(rsa.generate_private_key(65537, 1024), id="rsa-1024"),  # noqa: S505  # it must be refused
        pytest.param(ec.generate_private_key(ec.SECP256R1()), id="p-256"),
        pytest.param(ec.generate_private_key(ec.BrainpoolP384R1()), id="another curve of 384 bits"),
    ],
)
def test_a_key_without_a_row_in_the_table_is_refused(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    signer = CountingSigner(self_signed(key), None)
    with pytest.raises(InputError):
        sign_raw(signer, b"content")
    assert not signer.asked


def test_the_issuer_is_told_by_its_key_not_by_its_name() -> None:
    """Both generations have the same name (jpki.md A-03)."""
    signer = make_signer(generation=2)
    other = test_pki().ca_of(Purpose.SIGNATURE, 1).certificate
    with pytest.raises(SignatureMismatch):
        sign_cms(replace(signer, issuer_certificate=other), b"content", include_issuer=True)
    with pytest.raises(DecodeError):
        sign_cms(replace(signer, issuer_certificate=b"no certificate"), b"content", include_issuer=True)
    assert not signer.asked


def test_the_issuer_is_read_only_when_wanted() -> None:
    """On a card it costs a handful of APDUs, and some cards do not have it."""

    class Stingy(CountingSigner):
        @property
        def issuer_certificate(self) -> bytes | None:
            raise NotOnCard(sw=0x6A82)

        @issuer_certificate.setter
        def issuer_certificate(self, value: bytes | None) -> None: ...

    rich = make_signer()
    signer = Stingy(rich.certificate, rich.private)
    assert sign_raw(signer, b"content")
    assert sign_cms(signer, b"content")
    assert sign_pdf(signer, blank_pdf(), now=NOW)
    with pytest.raises(NotOnCard):
        sign_cms(signer, b"content", include_issuer=True)


def test_too_much_content_is_refused() -> None:
    with pytest.raises(InputError):
        require_content(bytes(11), 10)
    require_content(bytes(10), 10)


def test_reprs_show_no_certificate() -> None:
    signer = CallableSigner(b"planted", _garbage, b"planted")
    assert "planted" not in repr(signer)
    assert "certificate" not in repr(Identity.of(make_signer()))


# --- CMS --------------------------------------------------------------------------------------------------------------


def parts(cms: bytes) -> tuple[Der, list[Der]]:
    """SignedData and the fields of its one SignerInfo."""
    outer = one_der(cms)
    assert outer[0].whole.hex() == SIGNED_DATA
    signed = outer[1][0]
    infos = signed.children[-1]
    assert infos.tag == 0x31
    (info,) = infos.children
    return signed, info.children


def attributes(cms: bytes) -> dict[str, Der]:
    """Signed attributes by type; each has exactly one value."""
    _, info = parts(cms)
    assert info[3].tag == 0xA0
    found = {}
    for attribute in info[3].children:
        kind, values = attribute.children
        (found[kind.whole.hex()],) = values.children
    assert len(found) == len(info[3].children)
    return found


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("with_issuer", [False, True])
@pytest.mark.parametrize("time", [None, NOW])
def test_signed_data_is_what_the_standards_say(detached: bool, with_issuer: bool, time: datetime | None) -> None:
    signer = make_signer()
    cms = sign_cms(signer, b"content", detached=detached, include_issuer=with_issuer, signing_time=time)
    signed, info = parts(cms)
    version, digests, encapsulated, certificates = signed.children[:4]
    assert (version.whole.hex(), digests.whole.hex()) == ("020101", "310d" + SHA256)
    inner = [child.whole.hex() for child in encapsulated.children]
    assert inner == ([DATA] if detached else [DATA, "a009" + "0407" + b"content".hex()])
    wanted = {signer.certificate} | ({signer.issuer_certificate} if with_issuer else set())
    assert certificates.tag == 0xA0
    assert {child.whole for child in certificates.children} == wanted
    assert len(signed.children) == 5

    assert [field.whole.hex() for field in (info[0], info[2], info[4])] == ["020101", SHA256, SHA256_RSA]
    tbs = one_der(signer.certificate)[0]
    assert [field.whole for field in info[1].children] == [tbs[3].whole, tbs[1].whole]  # IssuerAndSerialNumber
    assert len(info) == 6
    assert info[5].tag == 0x04
    verify(info[5].value, b"\x31" + info[3].whole[1:], signer.certificate)
    assert len(signer.asked) == 1


@pytest.mark.parametrize("time", [None, NOW])
def test_signed_attributes_bind_content_certificate_and_algorithms(time: datetime | None) -> None:
    signer = make_signer()
    found = attributes(sign_cms(signer, b"content", signing_time=time))
    assert found.keys() == {CONTENT_TYPE, MESSAGE_DIGEST, ALGORITHM_PROTECTION, SIGNING_CERTIFICATE_V2} | (
        {SIGNING_TIME} if time else set()
    )
    assert found[CONTENT_TYPE].whole.hex() == DATA
    assert found[MESSAGE_DIGEST].value == hashlib.sha256(b"content").digest()
    assert found[ALGORITHM_PROTECTION].value.hex() == SHA256 + "a1" + SHA256_RSA[2:]

    tbs = one_der(signer.certificate)[0]
    (certificates,) = found[SIGNING_CERTIFICATE_V2].children
    (certificate,) = certificates.children
    digest, issuer_serial = certificate.children  # hashAlgorithm is its DEFAULT and DER leaves it out
    assert digest.value == hashlib.sha256(signer.certificate).digest()
    names, serial = issuer_serial.children
    assert names[0].tag == 0xA4
    assert (names[0].value, serial.whole) == (tbs[3].whole, tbs[1].whole)


def test_sets_are_in_der_order() -> None:
    signed, info = parts(sign_cms(make_signer(), b"content", include_issuer=True, signing_time=NOW))
    for a_set in (signed[3], info[3]):
        children = [child.whole for child in a_set.children]
        assert children == sorted(children)


@pytest.mark.parametrize(
    ("moment", "wanted"),
    [
        (datetime(2026, 11, 24, 1, 2, 3, 999_999, tzinfo=UTC), "170d" + b"261124010203Z".hex()),
        (datetime(2026, 11, 24, 10, 2, 3, tzinfo=timezone(timedelta(hours=9))), "170d" + b"261124010203Z".hex()),
        (datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), "170d" + b"491231235959Z".hex()),
        (datetime(2050, 1, 1, 0, 0, 0, 5, tzinfo=UTC), "180f" + b"20500101000000Z".hex()),
    ],
)
def test_signing_time_is_written_as_rfc_5652_wants(moment: datetime, wanted: str) -> None:
    assert attributes(sign_cms(make_signer(), b"", signing_time=moment))[SIGNING_TIME].whole.hex() == wanted


@settings(max_examples=40)
@given(st.binary(max_size=2000), st.booleans())
def test_planned_size_and_der_hold_for_any_content(content: bytes, detached: bool) -> None:
    signer = make_signer()
    cms = sign_cms(signer, content, detached=detached)
    assert one_der(cms).whole == cms
    assert cms == sign_cms(signer, content, detached=detached)
    if detached:
        assert len(cms) == CmsPlan(Identity.of(signer)).size()


def test_documents_are_not_signed_with_the_authentication_key() -> None:
    signer = make_signer(Purpose.AUTHENTICATION)
    with pytest.raises(UsageError):
        sign_cms(signer, b"content")
    assert not signer.asked


def test_a_certificate_without_key_usage_is_for_the_verifier_to_judge() -> None:
    key = rsa.generate_private_key(65537, 2048)
    signer = CountingSigner(self_signed(key), key.private_numbers())
    assert sign_cms(signer, b"content")


def test_impossible_wishes() -> None:
    signer = make_signer(with_issuer=False)
    with pytest.raises(UsageError):
        sign_cms(signer, b"content", include_issuer=True)
    with pytest.raises(UsageError):
        sign_cms(signer, b"content", signing_time=datetime(2026, 1, 1))  # noqa: DTZ001
    assert not signer.asked


# --- the room ---------------------------------------------------------------------------------------------------------


def test_signing_a_cms_loads_neither_pyhanko_nor_lxml() -> None:
    code = (
        "import sys, kojin_card.signing as s; assert 'asn1crypto' not in sys.modules; s.sign_cms; s.sign_raw; s.Signer;"
        "assert 'asn1crypto' in sys.modules and not {'pyhanko', 'lxml'} & set(sys.modules);"
        "s.sign_xml; assert 'lxml' in sys.modules and 'signxml' not in sys.modules and 'pyhanko' not in sys.modules;"
        "s.sign_pdf; assert 'pyhanko' in sys.modules"
    )
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)


def test_every_public_name_is_there() -> None:
    assert set(signing.__all__) <= set(dir(signing))
    assert all(getattr(signing, name) for name in signing.__all__)
    with pytest.raises(AttributeError):
        signing.sign_everything  # type: ignore[attr-defined]  # noqa: B018


def test_the_error_is_one_of_ours() -> None:
    assert issubclass(SignatureMismatch, KojinError)
