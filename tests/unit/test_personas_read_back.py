"""Every persona's card, made and read back by the client: what was declared is what a counter reads."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kojin_card.applications import Common, InputSupport, Jpki, Licence
from kojin_card.channel import CardChannel
from kojin_card.errors import NotOnCard, PinBlocked
from kojin_card.simulator import SoftCard, load_persona, make_card, persona_names
from kojin_card.spec import decode, load_card_spec

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
SPEC = load_card_spec()
OURS = [name for name in persona_names() if load_persona(name).profile is not None]


def channel(persona: str) -> CardChannel:
    return CardChannel(SoftCard.in_memory(make_card(persona, now=NOW)), ours=True)


@pytest.mark.parametrize("name", [n for n in OURS if ("input_support", "pin") in load_persona(n).pins])
def test_the_client_reads_the_four_items_that_were_declared(name: str) -> None:
    who = load_persona(name)
    four = InputSupport(channel(name)).read_basic_four(who.pins["input_support", "pin"])
    assert (four.name, four.address) == (who.name, who.address)
    assert four.birth_date == who.born.on(NOW.date())


@pytest.mark.parametrize("name", OURS)
def test_the_card_says_who_issued_it_and_its_own_number(name: str) -> None:
    who, read = load_persona(name), Common(channel(name)).card_information()
    assert (read.serial, read.municipality) == (who.serial, who.municipality)
    assert read.expiry > NOW.date()


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
