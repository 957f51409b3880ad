"""GET DATA, INTERNAL AUTHENTICATE, terminal authentication, both registry PINs (card.md §2.5, §4.3, §4.5, §4.6)."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from kojin_card.errors import InputError
from kojin_card.simulator import CardState, Knobs, SoftCard, cardformat, make_card
from kojin_card.simulator.rsa_engine import RsaEngine
from kojin_card.spec import load_card_spec

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SPEC = load_card_spec()
SELECT = {
    "common": "00A4040C0AD3921000310001010100",
    "input_support": "00A4040C0AD3921000310001010408",
    "jpki": "00A4040C0AD392F000260100000001",
    "card_face": "00A4040C0AD3921000310001010402",
    "juki": "00A4040C0AD3921000310001010401",
    "card_manager": "00A4040C07A0000001510000",
}
AUTH = "002000980431323334"
SIGN = "0020009B06414243313233"
TAGS = ("0042", "0045", "0066", "00F0", "00F2", "00F7", "00F8", "7F21", "5F51")


@cache
def adult() -> CardState:
    return make_card("adult", now=NOW)


def card(state: CardState | None = None, /, **knobs: Any) -> SoftCard:
    return SoftCard.in_memory(dataclasses.replace(state or adult(), knobs=Knobs(**knobs)), spec=SPEC)


def send(target: SoftCard, command: str) -> tuple[bytes, str]:
    answer = target.transmit(bytes.fromhex(command))
    return answer[:-2], answer[-2:].hex().upper()


def public_key(application: str, key: str) -> rsa.RSAPublicKey:
    private = adult().key(application, key).private
    assert private is not None
    return rsa.RSAPublicNumbers(65537, int.from_bytes(RsaEngine(private.p, private.q).modulus, "big")).public_key()


def chosen(application: str, **knobs: Any) -> SoftCard:
    target = card(None, **knobs)
    if application:
        assert send(target, SELECT[application])[1] == "9000"
    return target


# --- GET DATA --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("application", ["", *SELECT])
@pytest.mark.parametrize("tag", TAGS)
def test_which_object_answers_in_which_state(application: str, tag: str) -> None:
    """card.md §2.5: with the card manager current alone, but for the contact interface's ATR."""
    data, word = send(chosen(application), f"00CA{tag}000000")
    if application in ("", "card_manager") or tag == "5F51":
        assert word == "9000"
        assert data
    else:
        assert (data, word) == (b"", "6A88")


@pytest.mark.parametrize(("application", "word"), [("", "6A88"), ("card_manager", "6A88"), ("jpki", "9000")])
def test_on_some_cards_the_contact_atr_answers_in_applications_only(application: str, word: str) -> None:
    assert send(chosen(application, contact_atr_at_power_on=False), "00CA5F5100")[1] == word
    assert send(chosen("card_manager", contact_atr_at_power_on=False), "00CA00F000")[1] == "9000"


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("00F0", b"13221"),
        ("00F2", b"20360803"),
        ("0045", b"900000000000017"),
        ("5F51", bytes.fromhex("E000FF8131FE4514")),
        ("00F7", bytes.fromhex("393030303032320805303031000000A8")),
    ],
)
def test_what_objects_say(tag: str, value: bytes) -> None:
    assert send(card(), f"00CA{tag}00") == (value, "9000")
    assert send(card(), f"00CA{tag}000000") == (value, "9000")
    assert send(card(), f"00CA{tag}03") == (value[:3], "9000")


@pytest.mark.parametrize("tag", ["00F8", "7F21"])
def test_a_long_object_wants_an_extended_le(tag: str) -> None:
    target = card()
    assert send(target, f"00CA{tag}00") == (b"", "6700")
    assert send(target, f"00CA{tag}FF") == (b"", "6700")
    data, word = send(target, f"00CA{tag}000000")
    assert (len(data), word, data[:5].hex()) == (563, "9000", "5f4e820129")


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("00CA0043", "6700"),
        ("00CA004300", "6A88"),
        ("00CA004201AA00", "6700"),
        ("00CA00F3000000", "6A88"),
        ("00CAFFFF00", "6A88"),
        ("80CA004300", "6A88"),  # GlobalPlatform's form, at the card manager
    ],
)
def test_what_get_data_refuses(command: str, word: str) -> None:
    assert send(card(), command) == (b"", word)


def test_a_card_without_the_lower_certificate_answers_6a88() -> None:
    manager = adult().applications["card_manager"]
    fewer = {name: value for name, value in manager.objects.items() if name != "lower_cv_certificate"}
    state = dataclasses.replace(
        adult(), applications={**adult().applications, "card_manager": dataclasses.replace(manager, objects=fewer)}
    )
    assert send(card(state), "00CA7F21000000") == (b"", "6A88")


def test_objects_survive_the_card_file() -> None:
    assert cardformat.load(cardformat.dump(adult()), SPEC, "a.card") == adult()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"municipality": "3133323231"', b'"municipality": "31333232"zz'),
        (b'"municipality": "3133323231"', b'"municipality": "3133323Z31"'),
        (b'"municipality": "3133323231"', b'"municipality": 13221'),
        (b'"municipality": "3133323231"', b'"mayor": "3133323231"'),
        (b'"objects": {', b'"objects": [], "more": {'),
        (b'"blocked_sw"', b'"contact_atr_at_power_on": 1, "blocked_sw"'),
    ],
)
def test_damaged_objects_in_a_card_file_are_refused(old: bytes, new: bytes) -> None:
    text = cardformat.dump(adult())
    assert old in text
    with pytest.raises(InputError):
        cardformat.load(text.replace(old, new, 1), SPEC, "a.card")


def test_a_card_without_a_card_manager_has_nothing_current() -> None:
    """A card file that was made before there was one."""
    older = {name: app for name, app in adult().applications.items() if name != "card_manager"}
    target = card(dataclasses.replace(adult(), applications=older))
    assert send(target, "00CA00F000")[1] == "6A88"
    assert send(target, "00A4020C020001")[1] == "6986"
    assert send(target, "00A40000")[1] == "6A86"
    assert send(target, SELECT["jpki"])[1] == "9000"


# --- the card manager as an application ------------------------------------------------------------------------------


def test_the_state_after_reset_comes_back_by_selecting_the_card_manager() -> None:
    target = chosen("jpki")
    assert send(target, AUTH)[1] == "9000"
    assert send(target, "00A40000")[1] == "9000"
    assert send(target, "00CA00F000")[1] == "6A88"
    assert send(target, SELECT["card_manager"])[1] == "9000"
    assert send(target, "00A40000")[1] == "6A86"
    assert send(target, "00CA00F000")[1] == "9000"
    assert send(target, SELECT["jpki"])[1] == "9000"
    assert send(target, "802A009701AA00")[1] == "6982"  # what was verified is lost
    target.reset()
    assert send(target, "00CA00F000")[1] == "9000"


def test_its_only_file_is_internal() -> None:
    target = card()
    assert send(target, "00A4020C02001E")[1] == "9000"
    assert send(target, "00B0000000")[1] == send(target, "00B2010400")[1] == "6981"
    for file_id in ("0001", "2F10", "2F11", "3F00"):
        assert send(target, f"00A4020C02{file_id}")[1] == "6A82"
    assert send(target, "00200080")[1] == "6981"


# --- INTERNAL AUTHENTICATE -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 32, 255])
def test_the_common_application_signs_challenges(length: int) -> None:
    target, challenge = chosen("common"), bytes(range(256))[:length]
    command = f"00880099{length:02X}{challenge.hex()}00"
    signature, word = send(target, command)
    assert word == "9000"
    public_key("common", "internal_authentication").verify(signature, challenge, padding.PKCS1v15(), hashes.SHA256())
    assert send(target, command) == (signature, "9000")  # deterministic
    assert send(target, "00A4020C020019")[1] == "9000"
    assert send(target, f"00880080{length:02X}{challenge.hex()}00") == (signature, "9000")


@pytest.mark.parametrize(
    ("application", "before", "command", "word"),
    [
        ("common", "", "0088009900", "6700"),
        ("common", "", "0088009901AA", "6700"),
        ("common", "", "0088009901AAFF", "6700"),
        ("common", "", "00880099000100" + "AA" * 256 + "0000", "6700"),
        ("common", "", "0088019901AA00", "6A86"),
        ("common", "", "0088000001AA00", "6A86"),
        ("common", "", "0088008001AA00", "6986"),
        ("common", "", "0088009C01AA00", "6981"),
        ("common", "", "0088008101AA00", "6981"),
        ("common", "", "0088009801AA00", "6A82"),
        ("jpki", "", "0088009701AA00", "6982"),
        ("jpki", "", "0088009A01AA00", "6982"),
        ("jpki", AUTH, "0088009701AA00", "6985"),
        ("jpki", SIGN, "0088009A01AA00", "6985"),
        ("input_support", "", "0088009301AA00", "6985"),
        ("card_face", "", "0088009A01AA00", "6985"),
        ("juki", "", "0088009901AA00", "6A82"),
        ("", "", "0088009901AA00", "6A82"),
    ],
)
def test_other_keys_do_not(application: str, before: str, command: str, word: str) -> None:
    target = chosen(application)
    if before:
        assert send(target, before)[1] == "9000"
    assert send(target, command) == (b"", word)


# --- terminals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("80A206C1000133" + "AA" * 307, "6982"),
        ("80A206C1000132" + "AA" * 306, "6700"),
        ("80A206C1", "6700"),
        ("80A200C1000100" + "AA" * 256, "6700"),
        *((f"80A2{parameters}000100" + "AA" * 256, "6A86") for parameters in ("0000", "00AE", "8000", "00B6")),
    ],
)
def test_no_terminal_certificate_is_accepted(command: str, word: str) -> None:
    target = chosen("jpki")
    assert send(target, command) == (b"", word)
    assert send(target, "802A009701AA00")[1] == "6982"


def test_terminals_have_nothing_to_present_elsewhere() -> None:
    assert send(chosen("common"), "80A206C1000133" + "AA" * 307)[1] == "6985"
    assert send(chosen("jpki"), "0082000008AAAAAAAAAAAAAAAA")[1] == "6985"


# --- the application keys and the registry PINs ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("application", "key", "short"), [("input_support", "application_key", "93"), ("card_face", "card_key", "9A")]
)
def test_the_card_surface_applications_sign_without_a_pin(application: str, key: str, short: str) -> None:
    target = chosen(application)
    info = bytes.fromhex("3031300D060960864801650304020105000420") + hashlib.sha256(b"challenge").digest()
    signature, word = send(target, f"802A0000{len(info):02X}{info.hex()}00")
    assert word == "9000"
    public_key(application, key).verify(signature, b"challenge", padding.PKCS1v15(), hashes.SHA256())
    assert send(target, f"802A00{short}{len(info):02X}{info.hex()}00") == (signature, "9000")


def test_the_registry_pins_are_two_and_each_is_changed_on_its_own() -> None:
    target = chosen("juki")
    assert send(target, "8032009C0430303030")[1] == "6982"
    assert send(target, "0020009C0439303132")[1] == "9000"
    assert send(target, "0024019C0430303030")[1] == "6982"  # CHANGE REFERENCE DATA is not its command
    assert send(target, "8032009C0430303030")[1] == "9000"
    assert send(target, SELECT["common"])[1] == "9000"
    assert send(target, "0020009C0430303030")[1] == "63C2"
    assert send(target, "0020009C0439303132")[1] == "9000"
    assert send(target, SELECT["juki"])[1] == "9000"
    assert send(target, "0020009C")[1] == "63C3"
    assert send(target, "0020009C0430303030")[1] == "9000"


def test_the_birth_date_opens_the_age_record_alone() -> None:
    target = chosen("card_face")
    assert send(target, "0020009106303230383034")[1] == "63C9"
    assert send(target, "0020009106303230383033")[1] == "9000"
    assert send(target, "00B0810010") == (bytes.fromhex("FF1082021EDF11083139393030383033"), "9000")
    assert send(target, "00B0820001")[1] == send(target, "00B0850001")[1] == "6982"
    assert send(target, "00B0830001")[1] == send(target, "00B0840001")[1] == "9000"


def test_code_b_opens_the_face_and_not_the_number_code_a_opens_both() -> None:
    target = chosen("card_face")
    assert send(target, "002000920E" + b"02080320364271".hex())[1] == "9000"
    assert [send(target, f"00B08{n}0001")[1] for n in (1, 2, 5)] == ["6982", "9000", "6982"]
    target = chosen("card_face")
    assert send(target, "002000930C" + b"123456789018".hex())[1] == "9000"
    assert [send(target, f"00B08{n}0001")[1] for n in (1, 2, 5)] == ["6982", "9000", "9000"]
