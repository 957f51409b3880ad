"""Card-verifiable certificates: the six published CA keys, three stores that do not mix, one encoding, any bytes."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given, settings
from hypothesis import strategies as st
from tools.make_cv_keys import TARGET, render

from kojin_card.errors import DecodeError, SpecError, TrustError
from kojin_card.pki.algorithms import Outcome
from kojin_card.pki.cv import CvCertificate, CvStore, built_in, digest_info, parse_keys, rsa_key, verify_digests
from kojin_card.pki.profile import Store
from kojin_card.spec import load_card_spec
from kojin_card.testing.cards import test_pki
from support import need_vectors

if TYPE_CHECKING:
    from kojin_card.pki.algorithms import PublicKey

LAYOUT = load_card_spec()["input_support"].layouts["cv_certificate"]
CITY = "13221"


def certificate(application: str = "input_support") -> bytes:
    return test_pki().cv_certificate(application=application, municipality=CITY)


def public(application: str = "input_support") -> PublicKey:
    key = CvStore.load("simulator").find(test_pki().cv_ca_key_id(application), application)
    assert key is not None
    return key.key


# --- the stores -------------------------------------------------------------------------------------------------------


@pytest.mark.vectors
def test_the_package_has_the_six_published_keys_and_no_other() -> None:
    published = tomllib.loads((need_vectors() / "cv-ca-keys.toml").read_text("utf-8"))["key"]
    ours = [key for store in (Store.PRODUCTION, Store.JLIS_TEST) for key in CvStore.load(store).keys]
    assert len(ours) == len(published) == 6
    names = {"券面事項確認AP": "card_face", "券面事項入力補助AP": "input_support"}
    for key in ours:
        row = next(row for row in published if row["number"] == key.name)
        modulus = key.key.modulus.to_bytes(256, "big")
        assert row["hierarchy"] == {Store.PRODUCTION: "production", Store.JLIS_TEST: "test"}[key.store]
        assert (row["key_id"], row["modulus"]) == (key.key_id.hex(), modulus.hex())
        assert hashlib.sha256(modulus).hexdigest() == row["modulus_sha256"]
        assert names.get(row["certifies"], "card_manager") == key.application
        assert (key.key.exponent, key.key.bits) == (65537, 2048)


def test_the_simulators_keys_are_those_of_the_test_pki() -> None:
    assert TARGET.read_text("utf-8") == render(), "run tools/make_cv_keys.py"
    for key in CvStore.load(Store.SIMULATOR).keys:
        assert test_pki().cv_ca_key(key.application).public_key().public_numbers().n == key.key.modulus


def test_no_key_is_in_two_stores() -> None:
    keys = [key for store in Store for key in built_in(store)]
    assert len({key.key.modulus for key in keys}) == len({key.key_id for key in keys}) == len(keys) == 9


@pytest.mark.parametrize("store", list(Store))
def test_keys_of_another_store_do_not_get_in(store: Store) -> None:
    mine = built_in(store)
    for other in Store:
        if other is not store:
            foreign = built_in(other)[0]
            for key in (
                foreign,
                replace(foreign, store=store),  # under another flag
                replace(foreign, store=store, key_id=b"9999999" + foreign.key_id[7:]),  # with another id
                replace(mine[0], key_id=foreign.key_id),  # a key of ours under a foreign id
            ):
                with pytest.raises(TrustError):
                    CvStore(store, (key,))
    with pytest.raises(TrustError, match="twice"):
        CvStore(store, (*mine, mine[0]))
    with pytest.raises(TrustError):
        CvStore.load("nonsense")


def test_a_key_is_found_by_all_sixteen_bytes_and_its_application() -> None:
    store = CvStore.load("production")
    key = store.keys[0]
    assert store.find(key.key_id, "card_manager") == key
    assert store.find(key.key_id, "card_face") is None
    for at in range(16):
        changed = bytes(octet ^ (n == at) for n, octet in enumerate(key.key_id))
        assert store.find(changed, "card_manager") is None
    assert store.find(key.key_id[:7], "card_manager") is None


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('hierarchy = "simulator"', 'hierarchy = "production"'),
        ("exponent = 65537", "exponent = 3"),
        ('key_id = "39', 'key_id = "38'),
        ('modulus = "9', 'modulus = "1'),  # 2045 bits
        ('modulus = "95', 'modulus = "'),
        ("exponent = 65537\n", ""),
        ("exponent = 65537", "exponent = 65537\nother = 1"),
    ],
)
def test_a_damaged_file_of_keys_is_refused(was: str, becomes: str) -> None:
    text = render()
    assert was in text
    with pytest.raises(SpecError):
        parse_keys(text.replace(was, becomes, 1), "x.toml", Store.SIMULATOR)


# --- certificates -----------------------------------------------------------------------------------------------------


def test_a_certificate_is_read_and_verified() -> None:
    read = CvCertificate.parse(certificate(), LAYOUT)
    assert read.issuer_key_id == test_pki().cv_ca_key_id("input_support")
    assert read.holder_key_id == test_pki().holder_key_id("input_support", CITY)
    assert len(read.body) == 297  # card.md §2.7
    assert read.verify(public()) is Outcome.VALID
    assert read.verify(public("card_face")) is Outcome.INVALID


def test_every_changed_byte_is_noticed() -> None:
    good = certificate()
    for at in range(len(good)):
        bad = bytes(octet ^ (n == at) for n, octet in enumerate(good))
        try:
            read = CvCertificate.parse(bad, LAYOUT)
        except DecodeError:
            continue
        assert read.verify(public()) is not Outcome.VALID, at


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=700))
def test_hostile_bytes_are_a_typed_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        CvCertificate.parse(data, LAYOUT)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 567), st.binary(min_size=1, max_size=8), st.integers(0, 600))
def test_a_certificate_that_was_tampered_with_never_passes(at: int, put: bytes, length: int) -> None:
    good = certificate()
    bad = (good[:at] + put + good[at + len(put) :])[:length]
    if bad == good:
        return
    try:
        read = CvCertificate.parse(bad, LAYOUT)
    except DecodeError:
        return
    assert read.verify(public()) is not Outcome.VALID or read == CvCertificate.parse(good, LAYOUT)


# --- the one encoding -------------------------------------------------------------------------------------------------


def signed(block: bytes) -> bytes:
    """A raw RSA signature over a whole block, by the CA of the input support application."""
    numbers = test_pki().cv_ca_key("input_support").private_numbers()
    return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(256, "big")


def block(info: bytes) -> bytes:
    return b"\x00\x01" + b"\xff" * (253 - len(info)) + b"\x00" + info


DIGEST = hashlib.sha256(b"message").digest()
THREE = DIGEST + hashlib.sha256(b"2").digest() + hashlib.sha256(b"3").digest()
#: card.md §2.2: 30 71 ... 04 60; card.md §4.4: 30 31 ... 04 20
HEAD_96 = bytes.fromhex("3071300D060960864801650304020105000460")
HEAD_32 = bytes.fromhex("3031300D060960864801650304020105000420")


def test_the_digest_infos_are_the_typed_ones() -> None:
    assert digest_info(DIGEST) == HEAD_32 + DIGEST
    assert digest_info(THREE) == HEAD_96 + THREE


def test_it_agrees_with_the_library_on_one_digest() -> None:
    made = test_pki().cv_ca_key("input_support").sign(b"message", padding.PKCS1v15(), hashes.SHA256())
    assert made == signed(block(HEAD_32 + DIGEST))
    assert verify_digests(public(), made, DIGEST) is Outcome.VALID


def test_three_digests_in_one_digest_info_verify() -> None:
    assert verify_digests(public(), signed(block(HEAD_96 + THREE)), THREE) is Outcome.VALID
    assert verify_digests(public(), signed(block(HEAD_96 + THREE)), THREE[32:] + DIGEST) is Outcome.ENCODING
    assert verify_digests(public(), signed(block(HEAD_96 + THREE)), DIGEST * 2 + bytes(32)) is Outcome.INVALID


@pytest.mark.parametrize(
    "info",
    [
        DIGEST,  # a bare hash
        bytes.fromhex("302F300B0609608648016503040201" + "0420") + DIGEST,  # without NULL
        HEAD_32 + DIGEST + b"\x00",  # a byte more
        bytes.fromhex("3031300D060960864801650304020205000420") + DIGEST,  # the OID of SHA-384
        HEAD_96[:-1] + b"\x20" + DIGEST,  # lengths that do not fit
    ],
)
def test_another_form_is_named_and_refused(info: bytes) -> None:
    assert verify_digests(public(), signed(block(info)), DIGEST) is Outcome.ENCODING


def test_other_padding_is_refused() -> None:
    good = block(HEAD_32 + DIGEST)
    short = b"\x00\x01" + b"\xff" * 8 + b"\x00" + HEAD_32 + DIGEST  # and garbage behind (Bleichenbacher 2006)
    for bad in (
        short.ljust(256, b"\x11"),
        b"\x00\x02" + good[2:],
        good[:10] + b"\xfe" + good[11:],
        b"\x00\x00" + good[2:],
    ):
        assert verify_digests(public(), signed(bad), DIGEST) is not Outcome.VALID


def test_other_numbers_and_keys_are_refused() -> None:
    key, good = public(), signed(block(HEAD_32 + DIGEST))
    beyond = (int.from_bytes(good, "big") + key.modulus).to_bytes(257, "big")
    for bad in (good[1:], b"\x00" + good, beyond, b"", bytes(256), b"\xff" * 256):
        assert verify_digests(key, bad, DIGEST) is Outcome.INVALID
    modulus = key.modulus.to_bytes(256, "big")
    assert verify_digests(rsa_key(modulus, 3), good, DIGEST) is Outcome.INVALID
    assert verify_digests(rsa_key(modulus, 1), block(HEAD_32 + DIGEST), DIGEST) is Outcome.INVALID
    assert verify_digests(rsa_key(bytes(256), 65537), bytes(256), DIGEST) is Outcome.INVALID
    assert verify_digests(rsa_key(bytes(128) + modulus[128:], 65537), good[:128], DIGEST) is Outcome.INVALID


def test_a_certificate_shows_no_more_than_its_ids() -> None:
    shown = repr(CvCertificate.parse(certificate(), LAYOUT))
    assert "body" not in shown
    assert "signature" not in shown
