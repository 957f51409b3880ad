"""Secrets do not show, do not travel and do not stay."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import pytest

from kojin_card.errors import SecretFormatError
from kojin_card.secret import CallablePinSource, Secret

PLANTED = "PLANTED7531"


def test_it_prints_as_stars_everywhere(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(PLANTED)
    logging.getLogger("t").warning("%s %r", secret, secret)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>20}",
        f"{[secret]}",
        f"{ {'pin': secret} }",
        caplog.text,
    ]
    assert not any(PLANTED in text for text in shown)
    assert all("***" in text for text in shown)
    assert repr(Secret("1")) == repr(Secret("1" * 16))  # nor does its length


def test_it_cannot_be_pickled_copied_or_made_json() -> None:
    secret = Secret(PLANTED)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError) as caught:
            attempt(secret)
        assert PLANTED not in str(caught.value)


def test_it_has_no_hash_and_compares_only_with_its_kind() -> None:
    with pytest.raises(TypeError):
        hash(Secret("1234"))
    assert Secret("1234") == Secret(b"1234")
    assert Secret("1234") != Secret("1235")
    assert Secret("1234") != "1234"
    assert not hasattr(Secret("1234"), "__len__")


def test_it_is_wiped_when_its_block_ends() -> None:
    with Secret("1234") as secret:
        buffer = secret._buffer
        assert secret.reveal() == b"1234"
    assert secret.reveal() == b""
    assert not secret
    assert bytes(buffer) == b""
    with pytest.raises(RuntimeError), Secret("1234") as other:
        raise RuntimeError
    assert not other


def test_what_is_not_ascii_is_refused_without_being_repeated() -> None:
    full_width = "".join(chr(0xFF10 + digit) for digit in (7, 5, 3, 1))
    with pytest.raises(SecretFormatError, match="ASCII") as caught:
        Secret(full_width)
    assert full_width not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


def test_a_function_is_a_source() -> None:
    asked: list[tuple[str, str, int | None]] = []

    def ask(name: str, label: str, left: int | None) -> Secret:
        asked.append((name, label, left))
        return Secret("1234")

    assert CallablePinSource(ask).secret("pin", label="暗証番号", tries_left=2) == Secret("1234")
    assert asked == [("pin", "暗証番号", 2)]
