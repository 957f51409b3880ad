"""Personas: what came with the package, strict reading, the checks of invented people, and that nothing leaks."""

from __future__ import annotations

import dataclasses
import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from kojin_card.errors import KojinError, SpecError, UsageError
from kojin_card.simulator import load_persona, persona_names
from kojin_card.simulator.persona import Born, is_my_number
from support import ROOT, published_test_card

PERSONAS = ROOT / "fixtures" / "personas"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "personas"
    shutil.copytree(PERSONAS, copy)
    return copy


def edit(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text("utf-8")
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_the_page_lists_every_persona_as_its_file_names_it() -> None:
    page = (ROOT / "docs" / "personas.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    personas = [load_persona(name) for name in persona_names()]
    assert rows == [f"| `{persona.id}` | {persona.name_ja} | {persona.name_en} |" for persona in personas]


def test_no_two_personas_share_a_number() -> None:
    personas = [load_persona(name) for name in persona_names()]
    for number in ("my_number", "serial"):
        assert len({getattr(persona, number) for persona in personas}) == len(personas)


@pytest.mark.parametrize("name", persona_names())
def test_every_persona_loads_and_declares_itself_invented(name: str) -> None:
    persona = load_persona(name)
    assert persona.id == name
    assert persona.name_ja
    assert persona.name_en
    assert is_my_number(persona.my_number)


@pytest.mark.parametrize("name", ["", "nobody", "../adult", "profiles/plastic_card", "adult.toml", "\0", "a" * 5000])
def test_an_unknown_name_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError):
        load_persona(name)


@pytest.mark.parametrize(
    ("number", "right"),
    [
        ("537686677188", True),  # card.md §7
        ("983205673214", True),
        ("123456789018", True),
        ("123456789010", False),
        ("123456789019", False),
        ("537686677189", False),
        ("12345678901", False),
        ("1234567890180", False),
        ("12345678901x", False),
        ("１２３４５６７８９０１８", False),
        ("", False),
    ],
)
def test_the_check_digit_of_my_number(number: str, right: bool) -> None:
    assert is_my_number(number) is right


@pytest.mark.vectors
def test_the_test_card_is_the_published_one_byte_for_byte() -> None:
    published = published_test_card()
    holder, persona = published["holder"], load_persona("jlis_test_card")
    assert (persona.name, persona.address, persona.sex) == (holder["name"], holder["address"], holder["sex"])
    assert persona.born.on(date(2026, 1, 1)) == holder["birth_date"]
    assert (persona.my_number, persona.security_code) == (holder["my_number"], holder["security_code"])
    assert persona.expiry == holder["card_expiry"]
    assert persona.name_substitutes == published["jpki"]["san_name_substitutes"]
    assert persona.address_substitutes == published["jpki"]["san_address_substitutes"]
    files = persona.files
    octets = {
        ("input_support", "my_number"): published["input_support"]["ef_0001_physical"],
        ("input_support", "basic_four"): published["input_support"]["ef_0002"],
        ("jpki", "certificate_availability"): published["jpki"]["certificate_availability"],
    }
    for reference, text in octets.items():
        assert files[reference].octets == bytes.fromhex(text), reference
    assert files["common", "card_information"].records == (bytes.fromhex(published["common"]["record_1"]),)
    assert files["jpki", "token_information"].values["label"] == published["jpki"]["token_label"]
    assert set(files) == {*octets, ("common", "card_information"), ("jpki", "token_information")}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("adult.toml", 'sex = "2"', 'sex = "2"\nheight = 170'),
        ("adult.toml", 'sex = "2"', ""),
        ("adult.toml", 'sex = "2"', "sex = 2"),
        ("adult.toml", "[card]", "[cart]"),
        ("adult.toml", "schema = 1", "schema = 2"),
        ("adult.toml", "schema = 1", ""),
        ("adult.toml", 'id = "adult"', 'id = "child"'),
        ("adult.toml", '"123456789018"', '"123456789019"'),
        ("adult.toml", 'name_substitutes = "00000"', 'name_substitutes = "0000"'),
        ("adult.toml", 'name_substitutes = "00000"', 'name_substitutes = "00020"'),
        ("adult.toml", "birth_date = 1990-08-03", "birth_date = 1990-08-03T00:00:00Z"),
        ("adult.toml", "birth_date = 1990-08-03", 'birth_date = "1990-08-03"'),
        ("adult.toml", "birth_date = 1990-08-03", "birth = { years_before_issue = 3, month = 13, day = 1 }"),
        (
            "adult.toml",
            "birth_date = 1990-08-03",
            f"birth = {{ years_before_issue = 3, month = 1{'0' * 40}, day = 1 }}",
        ),
        ("adult.toml", "birth_date = 1990-08-03", "birth = { years_before_issue = 0, month = 1, day = 1 }"),
        ("adult.toml", '"13221"', '"1322"'),
        ("adult.toml", '"900000000000017"', '"90000000000001７"'),
        ("adult.toml", '"4271"', '"427"'),
        ("adult.toml", 'auth_pin = "1234"', 'auth_pin = ""'),
        ("adult.toml", 'auth_pin = "1234"', 'auth_pin = "１２３４"'),
        ("adult.toml", 'auth_pin = "1234"', "auth_pin = 1234"),
        ("adult.toml", 'evidence = "assumption"', ""),
        ("adult.toml", 'evidence = "assumption"', 'evidence = "certain"'),
        ("adult.toml", 'profile = "plastic_card"', 'profile = "../plastic_card"'),
        ("adult.toml", 'profile = "plastic_card"', 'profile = "wooden_card"'),
        ("adult.toml", 'profile = "plastic_card"', ""),
        ("child.toml", '"jpki/sign_password"', '"sign_password"'),
        ("jlis_test_card.toml", 'hex = "8f8f00"', 'hex = "8f8f0"'),
        ("jlis_test_card.toml", 'hex = "8f8f00"', ""),
        ("jlis_test_card.toml", 'hex = "8f8f00"', 'hex = "8f8f00"\nfiller = 2'),
        ("jlis_test_card.toml", 'records = ["011c', 'records = ["xx1c'),
        ("jlis_test_card.toml", 'records = ["011c', 'records = ["", "011c'),
        ("jlis_test_card.toml", 'id = "basic_four"', 'id = "my_number"'),
        ("jlis_test_card.toml", "max_pin = 16", "max_pin = true"),
        ("jlis_test_card.toml", "expiry = 2035-02-17", ""),
        ("profiles/plastic_card.toml", "adult_age = 18", "adult_age = 0"),
        ("profiles/plastic_card.toml", "adult_age = 18", "adult_age = 18\nold_age = 65"),
        ("profiles/plastic_card.toml", 'atr = "3BE000FF8131FE4514"', 'atr = "3B"'),
        ("profiles/plastic_card.toml", "filler = 96", "filler = -96"),
        ("profiles/plastic_card.toml", "filler = 96", "filler = 96000"),
        ("profiles/plastic_card.toml", 'id = "plastic_card"', 'id = "paper_card"'),
    ],
)
def test_reading_is_strict(folder: Path, file: str, old: str, new: str) -> None:
    edit(folder, file, old, new)
    with pytest.raises(SpecError) as caught:
        load_persona("adult" if file.startswith("profiles") else file.removesuffix(".toml"), folder)
    assert caught.value.details["file"]
    assert not any(word in str(caught.value) for word in ("見本", "黒桐", "12345678901", "53768667718", "ABC123"))


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"schema = 1\n" * 2, b"a = " + b"[" * 5000, b"schema = 1"])
def test_what_is_no_persona_is_refused(folder: Path, text: bytes) -> None:
    (folder / "odd.toml").write_bytes(text)
    with pytest.raises(SpecError):
        load_persona("odd", folder)


def test_a_replaced_value_is_checked_again() -> None:
    adult = load_persona("adult")
    assert dataclasses.replace(adult, security_code="0000").security_code == "0000"
    for change in ({"my_number": "1" * 12}, {"serial": "1"}, {"name": "別人"}, {"born": Born(2, 30, year=2000)}):
        with pytest.raises(UsageError) as caught:
            dataclasses.replace(adult, **change)
        assert isinstance(caught.value, KojinError)


@pytest.mark.parametrize("name", persona_names())
def test_a_persona_shows_nothing_of_its_holder(name: str) -> None:
    persona = load_persona(name)
    shown = f"{persona!r} {persona}"
    for secret in (persona.name, persona.address, persona.my_number, persona.serial, persona.security_code):
        assert secret not in shown
    assert not any(re.search(rf"\b{re.escape(pin)}\b", shown) for pin in persona.pins.values())
    assert "1980" not in shown
    assert "1990" not in shown


@pytest.mark.parametrize(
    ("born", "issued", "expected"),
    [
        (Born(2, 17, year=1980), date(2026, 11, 24), date(1980, 2, 17)),
        (Born(5, 20, years_before_issue=9), date(2026, 1, 1), date(2017, 5, 20)),
        (Born(5, 20, years_before_issue=9), date(2026, 12, 31), date(2017, 5, 20)),
        (Born(2, 29, years_before_issue=9), date(2026, 3, 1), date(2017, 2, 28)),
        (Born(2, 29, years_before_issue=10), date(2026, 3, 1), date(2016, 2, 29)),
    ],
)
def test_when_somebody_was_born(born: Born, issued: date, expected: date) -> None:
    assert born.on(issued) == expected
