"""What somebody may set on a card that is made: counters, resets, settings; and what it says of a wrong wish."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from kojin_card.errors import CardFileBusy, InputError, SecretFormatError, UsageError
from kojin_card.simulator import CardState, Knobs, SoftCard, make_card
from kojin_card.simulator.settings import (
    choices,
    knob_names,
    knob_values,
    references,
    with_knob,
    with_reset,
    with_tries,
)
from kojin_card.simulator.state import WHEN_MADE
from kojin_card.spec import load_card_spec

SPEC = load_card_spec()
NOW = datetime(2026, 4, 1, tzinfo=UTC)


@cache
def made(persona: str = "adult") -> CardState:
    return make_card(persona, now=NOW)


@pytest.mark.parametrize("name", knob_names(SPEC))
def test_every_setting_takes_each_of_its_values_and_says_so(name: str) -> None:
    for value in choices(name):
        knobs = with_knob(Knobs(), f"{name}={value}", SPEC, making=True)
        assert knob_values(knobs, SPEC)[name] == value
        others = {other: text for other, text in knob_values(knobs, SPEC).items() if other != name}
        assert others == {other: text for other, text in knob_values(Knobs(), SPEC).items() if other != name}


@pytest.mark.parametrize("name", WHEN_MADE)
def test_what_stands_in_the_files_is_not_set_afterwards(name: str) -> None:
    with pytest.raises(UsageError, match="decided when the card is made"):
        with_knob(Knobs(), f"{name}=on", SPEC, making=False)


@pytest.mark.parametrize(
    "setting", ["", "=", "blocked_sw", "blocked_sw=", "blocked_sw=6999", "nothing=on", "sex_3=yes"]
)
def test_a_setting_that_is_none(setting: str) -> None:
    with pytest.raises(UsageError):
        with_knob(Knobs(), setting, SPEC, making=True)


def test_the_settings_survive_the_card_file(tmp_path: Path) -> None:
    knobs = Knobs()
    for name in knob_names(SPEC):
        knobs = with_knob(knobs, f"{name}={choices(name)[-1]}", SPEC, making=True)
    path = tmp_path / "card.json"
    SoftCard.create(path, replace(made(), knobs=knobs)).close()
    with SoftCard.open(path) as card:
        assert card.state.knobs == knobs


def test_a_card_file_with_an_unknown_variant_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    SoftCard.create(path, replace(made(), knobs=Knobs(variants=frozenset({"android"})))).close()
    path.write_text(path.read_text("utf-8").replace('["android"]', '["cyborg"]'), "utf-8")
    with pytest.raises(InputError, match="no such variant"):
        SoftCard.open(path)


def test_a_secrets_name_means_every_reference_with_it() -> None:
    found = [reference for reference, _ in references(made(), SPEC, "registry-pin")]
    assert found == [("common", "resident_registry_pin"), ("juki", "resident_registry_pin")]
    assert [reference for reference, _ in references(made(), SPEC, "jpki/auth_pin")] == [("jpki", "auth_pin")]


@pytest.mark.parametrize("name", ["", "1234", "jpki/auth_key", "licence-pin", "jpki/"])
def test_a_secret_that_the_card_has_not_got(name: str) -> None:
    with pytest.raises(UsageError) as told:
        with_tries(made(), SPEC, name, 1)
    assert "1234" not in str(told.value)


def test_tries_are_set_within_their_bounds_and_nothing_else_changes() -> None:
    state = with_tries(made(), SPEC, "auth-pin", 1)
    assert state.key("jpki", "auth_pin").tries_left == 1
    assert with_tries(state, SPEC, "auth-pin", 3) == made()
    for count in (-1, 4, 99):
        with pytest.raises(UsageError, match="0 to 3 tries"):
            with_tries(made(), SPEC, "auth-pin", count)


def test_a_reset_gives_all_tries_back_and_a_new_value_where_there_is_one() -> None:
    blocked = with_tries(made(), SPEC, "auth-pin", 0)
    assert with_reset(blocked, SPEC, "auth-pin", None) == made()
    changed = with_reset(blocked, SPEC, "auth-pin", b"8642").key("jpki", "auth_pin")
    assert (changed.secret, changed.tries_left) == (b"8642", 3)


def test_a_reference_without_a_value_needs_one() -> None:
    card = made("blocked_auth")
    with pytest.raises(UsageError, match="has no value"):
        with_reset(card, SPEC, "auth-pin", None)
    with pytest.raises(UsageError, match="has no value"):
        with_tries(card, SPEC, "auth-pin", 1)
    assert with_reset(card, SPEC, "auth-pin", b"8642").key("jpki", "auth_pin").tries_left == 3


@pytest.mark.parametrize("value", [b"", b"123", b"12345", b"abcd", b"\xff\xff\xff\xff"])
def test_a_reset_value_has_the_form_of_its_secret(value: bytes) -> None:
    with pytest.raises(SecretFormatError):
        with_reset(made(), SPEC, "auth-pin", value)


def test_a_change_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    SoftCard.create(path, made()).close()
    before = path.read_bytes()

    def change(state: CardState) -> CardState:
        return with_tries(with_tries(state, SPEC, "auth-pin", 0), SPEC, "auth-pin", 77)

    with pytest.raises(UsageError):
        SoftCard.rewrite(path, change)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["card.json"]


def test_a_card_in_use_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    with SoftCard.create(path, made()), pytest.raises(CardFileBusy):
        SoftCard.rewrite(path, lambda state: state, wait_seconds=0.0)


def test_a_file_that_cannot_be_written_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kojin_card.simulator import cardfile

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "card.json"
    SoftCard.create(path, made()).close()
    before = path.read_bytes()
    monkeypatch.setattr(cardfile, "_write_partial", full)
    with pytest.raises(InputError, match="No space left"):
        SoftCard.rewrite(path, lambda state: with_tries(state, SPEC, "auth-pin", 1))
    assert path.read_bytes() == before


def test_a_licence_without_a_pin_is_not_given_one() -> None:
    """Another file of the card says that nobody set it; a value here would cost the holder's client a try each time."""
    with pytest.raises(UsageError, match="no such secret set"):
        with_reset(made("licence_without_pin"), SPEC, "licence-pin", b"1234")
