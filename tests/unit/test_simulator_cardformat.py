"""Card files that nobody wrote: truncated, forged, huge. Each is refused with a typed error, in bounded time."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kojin_card.errors import InputError
from kojin_card.simulator import CardState, SoftCard, cardformat, make_card
from kojin_card.spec import load_card_spec

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SPEC = load_card_spec()
JPKI = bytes.fromhex("00A4040C0AD392F000260100000001")


@cache
def state() -> CardState:
    return make_card("adult", now=NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    where = tmp_path / "my.card"
    SoftCard.create(where, state()).close()
    return where


def test_truncated_anywhere_it_is_refused(path: Path) -> None:
    text = path.read_bytes()
    for length in [0, 1, 50, 200, *range(300, len(text) - 1, 1777), len(text) - 2]:
        with pytest.raises(InputError):
            cardformat.load(text[:length], SPEC, "my.card")


def test_a_flipped_byte_is_refused_or_changes_no_form(path: Path) -> None:
    generator = random.Random(11)  # noqa: S311  # the same bytes every run
    text = bytearray(path.read_bytes())
    for _ in range(300):
        at = generator.randrange(len(text))
        old = text[at]
        text[at] = generator.randrange(256)
        try:
            changed = cardformat.load(bytes(text), SPEC, "my.card")
        except InputError:
            pass
        else:
            assert cardformat.load(cardformat.dump(changed), SPEC, "my.card") == changed
        text[at] = old


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"note": 1, "note": 1}',
        b'{"note": NaN}',
        b'{"version": ' + b"9" * 100_000 + b"}",
        b" " * (cardformat.MAX_SIZE + 1),
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_card_file(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "bad.card"
    path.write_bytes(text)
    with pytest.raises(InputError):
        SoftCard.open(path)


@pytest.mark.timeout(60)
def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge.card"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError):
        SoftCard.open(path)


def _at(card: dict[str, Any], *way: str) -> Any:
    for step in way:
        card = card[step]
    return card


PIN = ("applications", "jpki", "keys", "auth_pin")
KEY = ("applications", "jpki", "keys", "auth_key")
FILE = ("applications", "jpki", "files", "auth_certificate")
TEXT = ("applications", "input_support")


@pytest.mark.parametrize(
    ("way", "name", "value"),
    [
        ((), "note", "A CARD"),
        ((), "version", 2),
        ((), "version", True),
        ((), "version", "1"),
        ((), "extra", 1),
        ((), "persona", ""),
        ((), "persona", "\u202eevil"),
        ((), "persona", "a" * 65),
        ((), "issued_at", "yesterday"),
        ((), "issued_at", "2026-11-24T00:00:00"),
        ((), "atr", "3B"),
        ((), "atr", "zz"),
        ((), "knobs", []),
        (("knobs",), "blocked_sw", "9000"),
        (("knobs",), "blocked_sw", 0x6984),
        (("knobs",), "reselect_keeps_state", 0),
        (("knobs",), "empty_verify_when_verified", "6984"),
        (("knobs",), "other", True),
        ((), "applications", []),
        (("applications",), "health_insurance", {"files": {}, "keys": {}}),
        (("applications", "jpki"), "files", []),
        (("applications", "jpki"), "more", {}),
        (("applications", "jpki", "files"), "no_such_file", {"octets": "00"}),
        (("applications", "jpki", "keys"), "no_such_key", {}),
        (FILE, "octets", "0"),
        (FILE, "octets", 0),
        (FILE, "octets", "00" * 65537),
        (FILE, "records", ["00"]),
        (("applications", "common", "files", "card_information"), "records", ["zz"]),
        (("applications", "common", "files", "card_information"), "records", ["00"] * 255),
        (("applications", "common", "files", "card_information"), "records", [0]),
        (("applications", "jpki", "files", "unknown_0005"), "octets", "00"),
        (PIN, "tries_left", -1),
        (PIN, "tries_left", 4),
        (PIN, "tries_left", 1.5),
        (PIN, "tries_left", True),
        (PIN, "tries_full", 16),
        (PIN, "tries_full", 0),
        (PIN, "secret", ""),
        (PIN, "secret", "a" * 256),
        (PIN, "secret", "１２３４"),
        (PIN, "secret", 1234),
        (PIN, "p", "00"),
        (KEY, "p", "00" * 128),
        (KEY, "p", "ff" * 127),
        (KEY, "p", "ff" * 129),
        (KEY, "q", "80" + "00" * 127),
        (KEY, "secret", "1234"),
        (TEXT, "session_key", "00"),
        (TEXT, "session_key", {}),
        ((*TEXT, "session_key"), "p", "00" * 128),
        ((*TEXT, "session_key"), "d", "00"),
        (("applications", "jpki"), "session_key", None),
        (("applications", "input_support", "keys", "unknown_0012"), "tries_left", 3),
    ],
)
def test_a_forged_value_is_refused(path: Path, way: tuple[str, ...], name: str, value: Any) -> None:
    card = json.loads(path.read_text("utf-8"))
    _at(card, *way)[name] = value
    path.write_text(json.dumps(card), "utf-8")
    with pytest.raises(InputError) as caught:
        SoftCard.open(path)
    assert not any(secret in str(caught.value) for secret in ("1234", "ABC123", "\u202e"))


@pytest.mark.parametrize("way", [("persona",), ("knobs",), ("applications",), (*PIN, "tries_left"), (*KEY, "q")])
def test_a_missing_value_is_refused(path: Path, way: tuple[str, ...]) -> None:
    card = json.loads(path.read_text("utf-8"))
    del _at(card, *way[:-1])[way[-1]]
    path.write_text(json.dumps(card), "utf-8")
    with pytest.raises(InputError):
        SoftCard.open(path)


def test_equal_primes_are_refused(path: Path) -> None:
    card = json.loads(path.read_text("utf-8"))
    _at(card, *KEY)["p"] = _at(card, *KEY)["q"]
    path.write_text(json.dumps(card), "utf-8")
    with pytest.raises(InputError):
        SoftCard.open(path)


def test_a_session_key_elsewhere_is_refused(path: Path) -> None:
    card = json.loads(path.read_text("utf-8"))
    card["applications"]["jpki"]["session_key"] = card["applications"]["input_support"]["session_key"]
    path.write_text(json.dumps(card), "utf-8")
    with pytest.raises(InputError):
        SoftCard.open(path)


def test_a_card_of_an_older_file_has_no_secure_messaging(path: Path) -> None:
    card = json.loads(path.read_text("utf-8"))
    del card["applications"]["input_support"]["session_key"]
    path.write_text(json.dumps(card), "utf-8")
    with SoftCard.open(path) as older:
        for command in ("00A4040C0AD3921000310001010408", "002000910435363738"):
            assert older.transmit(bytes.fromhex(command)) == b"\x90\x00"
        assert older.transmit(bytes.fromhex("80AE0000000100" + "AA" * 256)) == b"\x66\xf1"
        assert older.transmit(bytes.fromhex("00B0820001")) == b"\xff\x90\x00"


def test_the_private_half_is_that_of_the_published_one() -> None:
    text = state().applications["input_support"]
    assert text.session_key is not None
    assert (text.files["session_public_key"].octets or b"")[-256:] == (
        text.session_key.p * text.session_key.q
    ).to_bytes(256, "big")
    assert [name for name, one in state().applications.items() if one.session_key] == ["input_support"]
    assert f"{text.session_key.p:x}" not in repr(state()) + repr(text)


def test_a_card_without_an_application_does_without(path: Path) -> None:
    card = json.loads(path.read_text("utf-8"))
    del card["applications"]["jpki"]
    path.write_text(json.dumps(card), "utf-8")
    with SoftCard.open(path) as smaller:
        assert smaller.transmit(JPKI) == b"\x6a\x82"
        assert smaller.transmit(bytes.fromhex("00A4040C01D3")) == b"\x90\x00"
