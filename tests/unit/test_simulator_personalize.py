"""From persona to card: every file decodes, every digest and signature verifies, ages decide what is there."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from kojin_card.errors import DecodeError, SpecError, UsageError
from kojin_card.pki.profile import Purpose
from kojin_card.simulator import CardState, Knobs, load_persona, make_card, persona_names
from kojin_card.simulator.persona import Born
from kojin_card.simulator.personalize import age, card_expiry, verification_code_b
from kojin_card.simulator.rsa_engine import RsaEngine
from kojin_card.simulator.testpki import TestPki
from kojin_card.spec import Record, decode, load_card_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEC = load_card_spec()
NOW = datetime(2026, 11, 24, 3, 0, 0, 123456, tzinfo=UTC)


@cache
def made(persona: str = "adult") -> CardState:
    return make_card(persona, now=NOW)


@cache
def pki() -> TestPki:
    return TestPki.load()


def octets(state: CardState, application: str, file: str) -> bytes:
    content = state.applications[application].files[file].octets
    assert content is not None
    return content


def record(state: CardState, application: str, file: str) -> Record:
    layout = SPEC[application].layout_of(file)
    assert layout is not None
    return decode(layout, octets(state, application, file))


def public_key(values: Mapping[str, Any]) -> rsa.RSAPublicKey:
    e, n = (int.from_bytes(values[name], "big") for name in ("exponent", "modulus"))
    return rsa.RSAPublicNumbers(e, n).public_key()


def modulus_of_key(state: CardState, application: str, key: str) -> bytes:
    private = state.key(application, key).private
    assert private is not None
    return RsaEngine(private.p, private.q).modulus


@pytest.mark.parametrize("persona", persona_names())
def test_every_file_decodes_by_its_layout(persona: str) -> None:
    state = made(persona)
    decoded = 0
    for name, application in state.applications.items():
        for file, content in application.files.items():
            spec = SPEC[name].files[file]
            if content.octets is not None and spec.layout:
                decode(SPEC[name].layouts[spec.layout], content.octets)
                assert spec.size in (None, len(content.octets)), file
                decoded += 1
            for one in spec.records:
                if one.layout:
                    decode(SPEC[name].layouts[one.layout], content.records[one.number - 1])
                    decoded += 1
    assert decoded >= (1 if persona == "resident_registry_card" else 5)  # of that card one file is public


def test_an_adults_card_has_every_file_and_key_of_the_specs() -> None:
    assert set(SPEC.applications) - set(made().applications) == {"licence"}  # not on every card
    for name, application in ((one.id, one) for one in SPEC.applications.values() if not one.optional):
        assert set(made().applications[name].files) == set(application.files)
        assert set(made().applications[name].keys) == set(application.keys)
        assert set(made().applications[name].objects) == set(application.objects)


def test_the_four_items_and_the_number_are_the_personas() -> None:
    adult = load_persona("adult")
    four = record(made(), "input_support", "basic_four")
    assert (four["name"], four["address"], four["sex"]) == (adult.name, adult.address, adult.sex)
    assert four["birth_date"] == "19900803"
    assert record(made(), "input_support", "my_number")["my_number"] == adult.my_number
    assert octets(made(), "input_support", "my_number").endswith(b"\xff\xff")


def test_the_digests_cover_what_the_facts_say() -> None:
    signed = record(made(), "input_support", "record_signature")
    whole = octets(made(), "input_support", "my_number")
    assert len(whole) == 17
    assert signed["my_number_digest"] == hashlib.sha256(whole).digest()
    four = octets(made(), "input_support", "basic_four")
    after_offsets = four.index(bytes.fromhex("DF22"))  # card.md §2.1: from DF22 to the end of the TLV
    assert signed["basic_four_digest"] == hashlib.sha256(four[after_offsets:]).digest()


def test_the_record_signature_verifies_under_the_cv_certificate() -> None:
    """By offsets of card.md §2.1, with no layout: FF30 82 014B, then two TLVs of 35 bytes, then the signature."""
    content = octets(made(), "input_support", "record_signature")
    covered, signature = content[5:75], content[80:336]
    certificate = record(made(), "input_support", "cv_certificate")
    public_key(certificate.values).verify(signature, covered, padding.PKCS1v15(), hashes.SHA256())


def test_the_applications_public_key_is_signed_and_is_its_keys() -> None:
    content = record(made(), "input_support", "application_public_key")
    certificate = record(made(), "input_support", "cv_certificate")
    public_key(certificate.values).verify(
        content.octets("issuer_signature"), content.objects["application_key"], padding.PKCS1v15(), hashes.SHA256()
    )
    assert content["modulus"] == modulus_of_key(made(), "input_support", "application_key")


def test_the_cv_certificate_is_signed_by_the_declared_ca() -> None:
    content = octets(made(), "input_support", "cv_certificate")
    body, signature = content[10:307], content[312:568]  # 7F21 82 0233 5F4E 82 0129 body 5F37 82 0100 signature
    pki().cv_ca_key("input_support").public_key().verify(signature, body, padding.PKCS1v15(), hashes.SHA256())
    certificate = record(made(), "input_support", "cv_certificate")
    assert certificate["issuer_key_id"] == pki().cv_ca_key_id("input_support")
    information = record(made(), "input_support", "application_information")
    assert information["key_id"] == certificate["holder_key_id"]
    assert information.octets("unknown")[32:] == b"\xff" * 96


@pytest.mark.parametrize(
    ("purpose", "file", "ca_file", "key"),
    [
        (Purpose.SIGNATURE, "sign_certificate", "sign_ca_certificate", "sign_key"),
        (Purpose.AUTHENTICATION, "auth_certificate", "auth_ca_certificate", "auth_key"),
    ],
)
def test_the_certificates_chain_to_the_test_pki(purpose: Purpose, file: str, ca_file: str, key: str) -> None:
    own, authority = record(made(), "jpki", file), record(made(), "jpki", ca_file)
    assert own.filler.strip(b"\xff") == b""
    assert own.filler
    assert authority.filler
    certificate = x509.load_der_x509_certificate(own.octets("certificate"))
    ca = x509.load_der_x509_certificate(authority.octets("certificate"))
    certificate.verify_directly_issued_by(ca)
    assert authority["certificate"] == pki().ca(purpose, NOW).certificate
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.public_numbers().n.to_bytes(256, "big") == modulus_of_key(made(), "jpki", key)
    assert certificate.not_valid_before_utc == NOW.replace(microsecond=0)
    assert certificate.not_valid_after_utc == datetime(2031, 8, 3, 14, 59, 59, tzinfo=UTC)


def test_secrets_and_counters_as_delivered() -> None:
    adult = load_persona("adult")
    keys = {f"{name}/{key}": content for name, app in made().applications.items() for key, content in app.keys.items()}
    secrets = {name: content.secret for name, content in keys.items() if content.secret is not None}
    assert secrets == {
        "common/resident_registry_pin": b"9012",
        "juki/resident_registry_pin": b"9012",
        "card_face/birth_code": b"020803",
        "card_face/code_b": b"02080320364271",
        "card_face/code_a": adult.my_number.encode(),
        "input_support/pin": b"5678",
        "input_support/code_a": adult.my_number.encode(),
        "input_support/code_b": b"02080320364271",  # 平成2年8月3日, expiry 2036, 4271
        "jpki/auth_pin": b"1234",
        "jpki/sign_password": b"ABC123",
    }
    assert all(keys[name].tries_left == keys[name].tries_full > 0 for name in secrets)
    assert keys["input_support/unknown_0012"].tries_left == 0


def test_card_information_of_an_adult() -> None:
    (content,) = made().applications["common"].files["card_information"].records
    assert content == b"\x01\x1c" + b"900000000000017" + b"13221" + b"20360803"


def test_code_b_of_the_published_card() -> None:
    assert verification_code_b(date(1980, 2, 17), date(2035, 2, 17), "2285") == "55021720352285"
    assert made("jlis_test_card").key("input_support", "code_b").secret == b"55021720352285"


def test_the_published_card_has_what_was_published_and_nothing_else() -> None:
    state = made("jlis_test_card")
    assert {name: set(app.files) for name, app in state.applications.items()} == {
        "common": {"card_information"},
        "input_support": {"my_number", "basic_four"},
        "jpki": {"token_information", "certificate_availability"},
        "card_face": set(),
        "juki": set(),
        "card_manager": set(),
    }
    assert not [name for app in state.applications.values() for name in app.objects]
    assert not [key for app in state.applications.values() for key in app.keys.values() if key.private is not None]


# --- ages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [NOW, NOW.replace(month=1, day=1), NOW.replace(year=2029, month=12, day=31)])
def test_a_child_has_no_signature_certificate_whenever_the_card_is_made(moment: datetime) -> None:
    state = make_card("child", now=moment)
    jpki = state.applications["jpki"]
    assert octets(state, "jpki", "certificate_availability") == bytes.fromhex("008F00")
    assert "sign_certificate" not in jpki.files
    assert "sign_key" not in jpki.keys
    assert "auth_certificate" in jpki.files
    assert jpki.keys["auth_key"].private is not None
    password = jpki.keys["sign_password"]
    assert (password.secret, password.tries_left) == (None, 0)
    expiry = state.applications["common"].files["card_information"].records[0][-8:]
    assert expiry == f"{moment.year + 4 + (moment.month > 5)}0520".encode()  # the fifth birthday after issue


@pytest.mark.parametrize(
    ("issued", "signs"),
    [
        (datetime(2026, 6, 14, 14, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 6, 14, 15, 0, 0, tzinfo=UTC), True),  # the 15th birthday begins in Japan
    ],
)
def test_fifteen_is_counted_in_japan(issued: datetime, signs: bool) -> None:
    young = dataclasses.replace(load_persona("adult"), born=Born(6, 15, year=2011))
    state = make_card(young, now=issued)
    assert ("sign_certificate" in state.applications["jpki"].files) is signs
    assert octets(state, "jpki", "certificate_availability")[0] == (0x8F if signs else 0x00)


@pytest.mark.parametrize(
    ("birth", "issued", "last"),
    [
        (date(1980, 2, 17), date(2025, 10, 27), date(2035, 2, 17)),  # the J-LIS test card
        (date(1980, 2, 17), date(2026, 2, 16), date(2035, 2, 17)),
        (date(1980, 2, 17), date(2026, 2, 17), date(2036, 2, 17)),
        (date(2008, 11, 25), date(2026, 11, 24), date(2030, 11, 25)),  # 17 years old
        (date(2008, 11, 24), date(2026, 11, 24), date(2036, 11, 24)),  # 18 today
        (date(2000, 2, 29), date(2026, 11, 24), date(2036, 2, 29)),
        (date(2000, 2, 29), date(2025, 11, 24), date(2035, 2, 28)),
    ],
)
def test_how_long_a_card_lasts(birth: date, issued: date, last: date) -> None:
    profile = load_persona("adult").profile
    assert profile is not None
    assert card_expiry(profile, birth, issued) == last


@pytest.mark.parametrize(
    ("birth", "day", "years"),
    [
        (date(2011, 6, 15), date(2026, 6, 14), 14),
        (date(2011, 6, 15), date(2026, 6, 15), 15),
        (date(2012, 2, 29), date(2027, 2, 27), 14),
        (date(2012, 2, 29), date(2027, 2, 28), 15),
    ],
)
def test_age(birth: date, day: date, years: int) -> None:
    assert age(birth, day) == years


# --- making cards ----------------------------------------------------------------------------------------------------


def test_the_same_persona_and_moment_make_the_same_card() -> None:
    again = make_card("adult", now=NOW)
    assert again == made()


def test_another_moment_makes_other_certificates_with_other_serials() -> None:
    later = make_card("adult", now=NOW + timedelta(seconds=1))
    serials = {
        x509.load_der_x509_certificate(record(state, "jpki", file).octets("certificate")).serial_number
        for state in (made(), later)
        for file in ("sign_certificate", "auth_certificate")
    }
    assert len(serials) == 4
    assert all(0x01000000 <= serial <= 0x01FFFFFF for serial in serials)


def test_fresh_keys_are_nobody_elses() -> None:
    fresh = make_card("adult", now=NOW, fresh_keys=True)
    keys = [("jpki", "sign_key"), ("jpki", "auth_key"), ("input_support", "application_key")]
    moduli = {modulus_of_key(state, *key) for state in (made(), fresh) for key in keys}
    assert len(moduli) == 6
    certificate = x509.load_der_x509_certificate(record(fresh, "jpki", "sign_certificate").octets("certificate"))
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.public_numbers().n.to_bytes(256, "big") == modulus_of_key(fresh, "jpki", "sign_key")


def test_every_key_of_a_card_is_another() -> None:
    moduli = [
        modulus_of_key(made(), name, key)
        for name, app in made().applications.items()
        for key, content in app.keys.items()
        if content.private is not None
    ]
    assert len(set(moduli)) == len(moduli) == 5


def test_what_cannot_be_made() -> None:
    adult = load_persona("adult")
    with pytest.raises(UsageError):
        make_card("adult", now=NOW.replace(tzinfo=None))
    with pytest.raises(UsageError):
        make_card("nobody", now=NOW)
    with pytest.raises(UsageError):
        make_card("adult", now=NOW.replace(year=2040))
    with pytest.raises(UsageError):
        make_card(dataclasses.replace(adult, municipality="99999"), now=NOW)
    with pytest.raises(UsageError):
        make_card(dataclasses.replace(adult, born=Born(1, 1, year=2027)), now=NOW)
    with pytest.raises(SpecError):
        make_card(dataclasses.replace(adult, pins={**adult.pins, ("jpki", "door_pin"): "1234"}), now=NOW)
    with pytest.raises(SpecError):
        make_card(dataclasses.replace(adult, pins={}), now=NOW)
    with pytest.raises(DecodeError) as caught:
        make_card(dataclasses.replace(adult, sex="7"), now=NOW)
    assert adult.name not in str(caught.value)


@pytest.mark.parametrize(
    "bad",
    [{"blocked_sw": 0x9000}, {"reselect_keeps_state": 1}, {"empty_verify_when_verified": 0x6984}],
)
def test_impossible_knobs(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Knobs(**bad)


def test_a_card_shows_nothing_of_its_holder_in_its_repr() -> None:
    adult = load_persona("adult")
    shown = repr(made()) + repr(made().applications["jpki"].keys["auth_pin"]) + repr(made().applications)
    for secret in (adult.name, adult.my_number, "ABC123", "1234", adult.name.encode().hex()):
        assert secret not in shown


def test_the_contact_atr_is_one_of_contacts_whatever_a_reader_shows() -> None:
    """card.md §2.5: 5F51 is the *contact* ATR without TS; a contactless one is made up by the reader (§5)."""
    contactless = bytes.fromhex("3B888001000005E0B381A1007F")
    state = make_card(dataclasses.replace(load_persona("adult"), atr=contactless), now=NOW)
    assert state.atr == contactless
    assert state.applications["card_manager"].objects["contact_atr"].hex() == "e000ff8131fe4514"
