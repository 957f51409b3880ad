"""Texts drawn with a font: what the committed images are, and what a persona of one's own can have."""

from __future__ import annotations

import builtins
import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import ImageFont

from kojin_card.errors import InputError, MissingExtra
from kojin_card.simulator import load_persona
from kojin_card.simulator.lettering import lettered, text_png


@pytest.fixture(scope="module")
def font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The font that Pillow carries, as a file: whatever fonts the machine has, or has not."""
    carried = ImageFont.load_default(24)
    assert isinstance(carried, ImageFont.FreeTypeFont)
    assert isinstance(carried.path, io.BytesIO)
    path = tmp_path_factory.mktemp("font") / "carried.ttf"
    path.write_bytes(carried.path.getvalue())
    return path


def size(png: bytes) -> tuple[int, int, int, int]:
    """Width, height, bits and colour type (ISO/IEC 15948 §11.2.2)."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big"), png[24], png[25]


def test_a_text_is_one_bit_grey_and_as_wide_as_its_characters(font: Path) -> None:
    assert size(text_png("ABC", font)) == (72, 28, 1, 0)
    assert size(text_png("A" * 41, font)) == (480, 84, 1, 0)
    assert text_png("ABC", font) != text_png("ABD", font)


def test_what_was_drawn_before_stays(font: Path) -> None:
    adult = load_persona("adult")
    assert lettered(adult, font).images == adult.images
    mine = lettered(replace(adult, name="SPECIMEN", name_substitutes="0" * 8), font)
    assert mine.images.texts["SPECIMEN"] == text_png("SPECIMEN", font)
    assert mine.images.texts[adult.address] == adult.images.texts[adult.address]


def test_what_is_no_font_or_no_text_is_said_so(tmp_path: Path, font: Path) -> None:
    broken = tmp_path / "font.ttf"
    broken.write_bytes(b"no font")
    os.mkfifo(tmp_path / "pipe.ttf")
    for path in (broken, tmp_path / "missing.ttf", tmp_path / "pipe.ttf", tmp_path):
        with pytest.raises(InputError):
            text_png("ABC", path)
    for text in ("", "A" * 401):
        with pytest.raises(InputError):
            text_png(text, font)


def test_without_pillow_it_says_what_to_install(font: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "PIL":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra):
        text_png("ABC", font)
