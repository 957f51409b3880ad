"""The driver of マイナ免許証 on software cards: PIN or none, blocked and locked, other readings, hostile content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from kojin_card import Card, Secret
from kojin_card.errors import (
    AccessDenied,
    NotOnCard,
    PinBlocked,
    PinRejected,
    PinReserve,
    SecretFormatError,
    SecretUnavailable,
    UnexpectedAnswer,
    UnprovenRefused,
    UsageError,
)
from kojin_card.simulator import SoftCard
from kojin_card.simulator.state import FileState
from kojin_card.spec import EvidenceLevel, decode, encode, load_card_spec
from kojin_card.spec.codec import Value

Make = Callable[..., SoftCard]
LAYOUT = load_card_spec()["licence"].layouts["licence_information"]


def talked(soft: SoftCard, **options: Any) -> tuple[Card, list[str]]:
    seen: list[str] = []
    return Card(soft, observer=lambda exchange: seen.append(str(exchange)), **options), seen


def with_values(soft: SoftCard, **values: Value) -> SoftCard:
    """The same card with other values in its record (and a signature that is wrong now)."""
    old = soft.state.applications["licence"]
    octets = old.files["licence_information"].octets or b""
    changed = encode(LAYOUT, {**decode(LAYOUT, octets).values, **values})
    files = {**old.files, "licence_information": FileState(octets=changed)}
    state = replace(soft.state, applications={**soft.state.applications, "licence": replace(old, files=files)})
    return SoftCard.in_memory(state)


def test_the_holders_licence(soft_card: Make) -> None:
    card, seen = talked(soft_card("licence_holder"))
    assert card.licence.pin_is_set()
    licence = card.licence.read("2468")
    assert (licence.number, licence.colour) == ("990912345670", "優良")
    assert licence.expiry == date(2030, 12, 3)  # issued on 2026-04-01: the fifth birthday from then and 30 days
    assert [one.id for one in licence.categories] == ["ordinary", "ordinary_motorcycle", "moped", "semi_medium"]
    assert (licence.motorcycle_date, licence.other_date) == (date(2009, 6, 15), date(2008, 4, 1))
    assert licence.conditions == ("眼鏡等", "準中型車は準中型車（５ｔ）に限る")
    assert licence.photo is not None
    assert not licence.expired(date(2030, 12, 3))
    assert licence.expired(date(2030, 12, 4))
    assert len(licence.signature_record) == 584
    shown = repr(licence) + "".join(seen)
    assert shown.startswith("DrivingLicence()")
    for secret in ("2468", "32343638", "990912345670", "眼鏡", licence.record[:30].hex().upper()):
        assert secret not in shown


def test_a_licence_without_a_pin_asks_nobody(soft_card: Make) -> None:
    class Nobody:
        def secret(self, name: str, *, label: str, tries_left: int | None) -> Secret:
            raise AssertionError(f"asked for {name} ({label}, {tries_left})")

    for pin in (None, "1111", Nobody()):
        card, seen = talked(soft_card("licence_without_pin"))
        licence = card.licence.read(pin)
        assert not card.licence.pin_is_set()
        assert licence.conditions == ("架空橋〓〓間に限る",)
        assert licence.drawn_characters == {1: bytes.fromhex("00FF00FF")}
        assert licence.history_date == date(2024, 4, 1)
        assert licence.history_category == b"\x01"
        assert "2A2A2A2A" not in "".join(seen)
        assert card.channel.tries_left("licence", "pin") == 10


def test_an_open_licence_without_a_pin_is_read_without_a_verify(soft_card: Make) -> None:
    card, seen = talked(soft_card("licence_without_pin", variants=frozenset({"licence_open_without_pin"})))
    assert card.licence.read().number == "990512345671"
    assert not any(line.startswith("00 20") for line in seen)


def test_the_default_is_never_a_guess(soft_card: Make) -> None:
    soft = soft_card("licence_holder")
    card, seen = talked(soft)
    with pytest.raises(AccessDenied):
        card.channel.verify_unset("licence", "pin")
    with pytest.raises(SecretUnavailable):
        card.licence.read()
    with pytest.raises(SecretFormatError):
        card.licence.read("****")
    assert not any(line.startswith("00 20 00 86 ") and "->" not in line[:15] for line in seen)
    assert soft.state.key("licence", "pin").tries_left == 10
    with pytest.raises(UsageError):
        card.channel.verify_unset("jpki", "auth_pin")
    assert card.channel.is_set("jpki", "auth_pin")


def test_the_default_on_an_assumption_is_refused_on_a_real_card(soft_card: Make) -> None:
    spec = load_card_spec()
    licence = spec["licence"]
    key = licence.keys["pin"]
    assert key.unset is not None
    doubtful = replace(key.unset, evidence=replace(key.unset.evidence, level=EvidenceLevel.ASSUMPTION))
    changed = replace(licence, keys={"pin": replace(key, unset=doubtful)})
    other = replace(spec, applications={**spec.applications, "licence": changed})
    with pytest.raises(UnprovenRefused):
        Card(soft_card("licence_without_pin"), spec=other).licence.read()
    assert Card(soft_card("licence_without_pin"), spec=other, allow_unproven=True).licence.read().number


@pytest.mark.parametrize("pin", ["123", "12345", "12a4", ""])
def test_a_form_that_no_card_takes_sends_nothing(soft_card: Make, pin: str) -> None:
    card, seen = talked(soft_card("licence_holder"))
    with pytest.raises(SecretFormatError):
        card.licence.read(pin)
    assert not seen


def test_wrong_reserved_blocked_and_locked(soft_card: Make) -> None:
    soft = soft_card("licence_holder")
    card = Card(soft)
    with pytest.raises(PinRejected) as caught:
        card.licence.read("0000")
    assert caught.value.tries_left == 9
    for _ in range(8):
        with pytest.raises(PinRejected):
            card.licence.read("0000")
    with pytest.raises(PinReserve) as kept:
        card.licence.read("2468")
    assert "警察署" in kept.value.remedy("ja")
    with pytest.raises(PinBlocked):
        card.licence.read("0000", reserve=0)
    with pytest.raises(PinBlocked) as blocked:  # from here on SELECT says 6283
        Card(soft).licence.read("2468")
    assert "police" in blocked.value.remedy("en")
    assert "警察署" in blocked.value.remedy("ja")
    assert Card(soft).licence.pin_is_set()


def test_a_card_without_a_licence(soft_card: Make) -> None:
    card = Card(soft_card("adult"))
    for ask in (card.licence.read, card.licence.pin_is_set):
        with pytest.raises(NotOnCard):
            ask()
    assert not any(status.application == "licence" for status in card.pin_status())


def test_the_pin_status_has_the_licence_where_there_is_one(soft_card: Make) -> None:
    found = [one for one in Card(soft_card("licence_holder")).pin_status() if one.application == "licence"]
    assert [(one.secret, one.tries_left, one.tries) for one in found] == [("licence-pin", 10, 10)]


def test_the_pin_does_not_open_more_than_the_licence(soft_card: Make) -> None:
    card = Card(soft_card("licence_holder"))
    card.licence.read("2468")
    with pytest.raises(AccessDenied):
        card.channel.read("input_support", "basic_four")


@pytest.mark.parametrize("reading", ["licence_pin_reference_82"])
def test_the_other_reference_is_not_on_our_card(soft_card: Make, reading: str) -> None:
    card = Card(soft_card("licence_holder", variants=frozenset({reading})))
    with pytest.raises(NotOnCard):
        card.licence.read("2468")
    found = [one for one in card.pin_status() if one.application == "licence"]
    assert [(one.secret, one.tries_left, one.present) for one in found] == [("licence-pin", None, False)]


def test_a_photo_that_is_none_is_refused(soft_card: Make) -> None:
    with pytest.raises(UnexpectedAnswer, match="photo"):
        Card(with_values(soft_card("licence_holder"), photo=b"\xff\xd8\xff\xe0JFIF")).licence.read("2468")
    bare = with_values(soft_card("licence_holder"), photo=b"\xff\x4f\xff\x51codestream")
    assert Card(bare).licence.read("2468").photo


def test_dates_that_name_no_day_and_unknown_values(soft_card: Make) -> None:
    soft = with_values(soft_card("licence_holder"), expiry="5000000", other_date="4330101", category_ordinary=b"\x02")
    licence = Card(soft).licence.read("2468")
    assert (licence.expiry, licence.expiry_text, licence.expired(date(2026, 1, 1))) == (None, "5000000", None)
    assert licence.other_date == date(2021, 1, 1)
    assert "ordinary" not in {one.id for one in licence.categories}


@pytest.mark.parametrize("content", [b"", b"\xc5\x07abcdefg", b"\x30\x82\x01\x00", b"\xc1\x01\x01"])
def test_hostile_content(soft_card: Make, content: bytes) -> None:
    soft = soft_card("licence_holder")
    old = soft.state.applications["licence"]
    for file in ("licence_information", "pin_setting"):
        if (file, content) == ("pin_setting", b"\xc1\x01\x01"):
            continue
        files = {**old.files, file: FileState(octets=content)}
        state = replace(soft.state, applications={**soft.state.applications, "licence": replace(old, files=files)})
        with pytest.raises(UnexpectedAnswer) as caught:
            Card(SoftCard.in_memory(state)).licence.read("2468")
        assert "abcdefg" not in str(caught.value)
