"""Every persona's card, made and read back by the client: what was declared is what a counter reads."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography import x509

from kojin_card.applications import Common, InputSupport, Jpki, Licence
from kojin_card.channel import CardChannel
from kojin_card.errors import AccessDenied, NotOnCard, PinBlocked
from kojin_card.pki.profile import Purpose
from kojin_card.simulator import SoftCard, load_persona, make_card, persona_names
from kojin_card.simulator.lists import revocation_lists, revoked
from kojin_card.simulator.testpki import TestPki
from kojin_card.spec import decode, load_card_spec

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
SPEC = load_card_spec()
PHONES = ("android", "iphone")
OURS = [name for name in persona_names() if load_persona(name).profile is not None and name not in PHONES]


def issued(name: str) -> date:
    return (NOW - timedelta(days=load_persona(name).issued_days_ago)).date()


def channel(persona: str) -> CardChannel:
    return CardChannel(SoftCard.in_memory(make_card(persona, now=NOW)), ours=True)


@pytest.mark.parametrize("name", [n for n in OURS if ("input_support", "pin") in load_persona(n).pins])
def test_the_client_reads_the_four_items_that_were_declared(name: str) -> None:
    who = load_persona(name)
    four = InputSupport(channel(name)).read_basic_four(who.pins["input_support", "pin"])
    assert (four.name, four.address) == (who.name, who.address)
    assert four.birth_date == who.born.on(issued(name))


@pytest.mark.parametrize("name", OURS)
def test_the_card_says_who_issued_it_and_its_own_number(name: str) -> None:
    who, read = load_persona(name), Common(channel(name)).card_information()
    assert (read.serial, read.municipality) == (who.serial, who.municipality)
    assert (read.expiry < NOW.date()) is (name == "expired")


@pytest.mark.parametrize("name", ["blocked_auth", "face_authentication"])
def test_a_card_without_a_usable_authentication_pin_is_blocked(name: str) -> None:
    with pytest.raises(PinBlocked):
        channel(name).verify("jpki", "auth_pin", "1234")


@pytest.mark.parametrize("name", ["blocked_input_support", "face_authentication"])
def test_a_card_without_a_usable_input_support_pin_is_blocked(name: str) -> None:
    with pytest.raises(PinBlocked):
        InputSupport(channel(name)).read_basic_four("5678")


@pytest.mark.parametrize("name", ["blocked_sign", "face_authentication"])
def test_a_blocked_signature_password_hides_a_certificate_that_is_there(name: str) -> None:
    assert "sign_certificate" in make_card(name, now=NOW).applications["jpki"].files
    with pytest.raises(PinBlocked):
        Jpki(channel(name)).certificate("sign", "ABC123")


def test_the_resident_registry_pin_is_blocked_in_both_places() -> None:
    state = make_card("blocked_resident_registry", now=NOW)
    for application in ("common", "juki"):
        assert state.key(application, "resident_registry_pin").tries_left == 0


@pytest.mark.parametrize("name", ["infant", "born_reiwa_first"])
def test_under_fifteen_there_is_no_signature_certificate(name: str) -> None:
    with pytest.raises((NotOnCard, PinBlocked)):
        Jpki(channel(name)).certificate("sign", "ABC123")
    assert "sign_certificate" not in make_card(name, now=NOW).applications["jpki"].files


@pytest.mark.parametrize("name", OURS)
def test_every_card_but_the_infants_has_a_photo(name: str) -> None:
    octets = make_card(name, now=NOW).applications["card_face"].files["face"].octets
    layout = SPEC["card_face"].layout_of("face")
    assert octets is not None
    assert layout is not None
    assert ("photo" in decode(layout, octets).contents) is (name != "infant")


def test_the_boundary_names_and_addresses() -> None:
    assert "\u3000" not in load_persona("foreign_mononym").name
    long = load_persona("long_address")
    assert len(long.address) == 200
    assert long.address_substitutes.count("1") == 2


def test_a_substitute_stands_in_the_certificate_only() -> None:
    who = load_persona("substitute_name")
    assert InputSupport(channel(who.id)).read_basic_four("5678").name == who.name == "𠮷野　鷗"
    certificate = Jpki(channel(who.id)).certificate("sign", "ABC123")
    assert "吉野　鷗".encode() in certificate
    assert "𠮷".encode() not in certificate


# --- kinds of card that are no plastic card of today ------------------------------------------------------------------


def test_an_android_phone_shows_its_authentication_certificate_after_the_pin_only() -> None:
    """card.md §2.6, §8."""
    phone = Jpki(channel("android"))
    assert str(phone.token().kind) == "android"
    with pytest.raises(AccessDenied):
        phone.certificate("auth")
    assert phone.certificate("auth", "1234").startswith(b"\x30\x82")


def test_an_iphone_shows_it_freely_as_the_card_does() -> None:
    phone = Jpki(channel("iphone"))
    assert str(phone.token().kind) == "iphone"
    assert phone.certificate("auth").startswith(b"\x30\x82")


@pytest.mark.parametrize("name", PHONES)
def test_a_phone_has_no_other_application(name: str) -> None:
    """card.md §8: no 券面 and 共通 applications; myna crashed on one (issue #6)."""
    with pytest.raises(NotOnCard):
        Common(channel(name)).card_information()
    with pytest.raises(NotOnCard):
        InputSupport(channel(name)).read_basic_four("5678")
    assert list(make_card(name, now=NOW).applications) == ["jpki"]


def test_an_old_card_says_what_it_is_and_has_nothing_else() -> None:
    """card.md §2.6: the label JPKIAPICCTOKEN."""
    old = Jpki(channel("resident_registry_card"))
    assert str(old.token().kind) == "resident_registry_card"
    with pytest.raises(NotOnCard):
        old.certificate("auth")
    with pytest.raises(NotOnCard):
        old.certificate("sign")
    assert not any(one.present for one in old.tries())


# --- what became of them ----------------------------------------------------------------------------------------------


def revocation(name: str, purpose: Purpose) -> list[str]:
    """Reasons that the lists of the persona's municipality give for the card's certificate of that purpose."""
    who, state = load_persona(name), make_card(name, now=NOW)
    lists = revocation_lists(who, state, now=NOW, pki=TestPki.load())
    crl = x509.load_der_x509_crl(lists[purpose])
    file = "sign_certificate" if purpose is Purpose.SIGNATURE else "auth_certificate"
    octets = state.applications["jpki"].files[file].octets or b""
    certificate = x509.load_der_x509_certificate(octets.rstrip(b"\xff"))
    entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is None:
        return []
    assert state.issued_at < entry.revocation_date_utc < NOW
    return [entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value]


@pytest.mark.parametrize(
    ("name", "sign", "auth"),
    [
        ("adult", [], []),
        ("emigrated", ["affiliationChanged"], ["cessationOfOperation"]),
        ("emigrated_continued", ["affiliationChanged"], []),
    ],
)
def test_emigration_revokes_what_it_must(name: str, sign: list[str], auth: list[str]) -> None:
    """jpki.md §3: the signature certificate on departure; the other one stays with 国外継続利用."""
    assert revocation(name, Purpose.SIGNATURE) == sign
    assert revocation(name, Purpose.AUTHENTICATION) == auth


def test_a_revocation_that_is_not_due_is_not_listed() -> None:
    who, state = load_persona("emigrated"), make_card("emigrated", now=NOW)
    assert revoked(who, state, Purpose.SIGNATURE, state.issued_at + timedelta(days=69)) == ()
    assert len(revoked(who, state, Purpose.SIGNATURE, state.issued_at + timedelta(days=70))) == 1


def test_the_certificates_of_an_expired_card_have_expired_with_it() -> None:
    who = Jpki(channel("expired"))
    for der in (who.certificate("auth"), who.certificate("sign", "ABC123")):
        assert x509.load_der_x509_certificate(der).not_valid_after_utc < NOW


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("born_meiji_last", "450729"),
        ("born_taisho_first", "010730"),
        ("born_taisho", "151224"),
        ("born_showa_first", "011225"),
        ("born_showa_last", "640107"),
        ("born_heisei_first", "010108"),
        ("born_heisei_last", "310430"),
        ("born_reiwa_first", "010501"),
    ],
)
def test_each_era_and_its_boundary_days(name: str, code: str) -> None:
    """card.md §6: 1912-07-30, 1926-12-25, 1989-01-08, 2019-05-01 are the first days."""
    state = make_card(name, now=NOW)
    assert state.key("card_face", "birth_code").secret == code.encode()
    assert (state.key("input_support", "code_b").secret or b"").startswith(code.encode())


@pytest.mark.parametrize("name", ["licence_holder", "licence_without_pin"])
def test_a_driving_licence_says_what_was_declared(name: str) -> None:
    who = load_persona(name)
    declared = who.files["licence", "licence_information"].values
    licence = Licence(channel(name)).read("2468" if name == "licence_holder" else None)
    assert licence.number == declared["number"]
    assert (licence.number or "").startswith("99")  # no prefecture: nobody's
    held = {key.removeprefix("category_") for key, value in declared.items() if key[:4] == "cate" and value == "01"}
    assert {one.id for one in licence.categories} == held
    assert licence.expiry is not None
    assert licence.expiry > NOW.date()
    assert licence.photo == who.images.photo
    assert Licence(channel(name)).pin_is_set() is (name == "licence_holder")
