"""Escaping, widths, wrapping, consoles that cannot show everything."""

from __future__ import annotations

import io
import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kojin_card.cli.console import Console, json_safe
from kojin_card.cli.render import Block, Fields, Heading, Line, Role, Style, Table, escape, pad, render, width, wrap

HOSTILE = "\x1b[2J\x07\x9b31m\u202eevil\u2066\u200f\u200b\ufeff\u061c\U000e0041\ud800\n\r\u2028"
anything = st.text(st.characters(), max_size=60)


@given(anything)
def test_nothing_dangerous_is_left(text: str) -> None:
    assert all(unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in escape(text))


def test_what_is_harmless_stays_and_the_rest_is_written_out() -> None:
    assert escape("見本　花子 𠮷 é [bold]x[/]") == "見本　花子 𠮷 é [bold]x[/]"
    assert escape("\x1b[2J\u202e") == "\\x1b[2J\\u202e"
    assert escape("\U000e0041\ud800") == "\\U000e0041\\ud800"


@pytest.mark.attack("A-40", "controls, bidi and markup in what the terminal shows", "written out")
@given(st.lists(st.tuples(anything, anything), min_size=1, max_size=4), st.booleans())
def test_hostile_text_never_breaks_a_line_or_commands_the_terminal(rows: list[tuple[str, str]], plain: bool) -> None:
    blocks: list[Block] = [Heading(rows[0][0]), Fields(rows), Table(["a", "b"], rows), Line(rows[0][1])]
    text = render(blocks, Style(plain=plain))
    assert all(char == "\n" or unicodedata.category(char) not in {"Cc", "Cf", "Cs"} for char in text)
    if plain:
        assert len(text.splitlines()) == 2 * len(rows) + bool(rows[0][0]) + bool(rows[0][1])


def test_columns_line_up_when_characters_are_wide() -> None:
    assert width("見本") == 4
    assert pad("見", 4) == "見  "
    lines = render([Fields([("氏名", "a"), ("Name", "b")])], Style()).splitlines()
    assert lines == ["  氏名  a", "  Name  b"]
    table = render([Table(["a", "b"], [["見本", "1"], ["x", "2"]])], Style()).splitlines()
    assert [line.index(digit) + line.count("見") * 2 for line, digit in zip(table[2:], "12", strict=True)] == [8, 8]


@given(st.text(st.sampled_from("ab 見本、。ー（）ッ "), max_size=80), st.integers(8, 30))
def test_wrapped_lines_fit_and_lose_only_spaces(text: str, columns: int) -> None:
    lines = wrap(text, columns)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert not any(line[:1] in "、。ー）ッ" for line in lines[1:] if line)


def test_no_colour_unless_wanted_and_never_without_a_sign() -> None:
    line: list[Block] = [Line("✓ passed", Role.GOOD)]
    assert render(line, Style()) == "✓ passed\n"
    assert render(line, Style(colour=True)) == "\x1b[32m✓ passed\x1b[0m\n"


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, encoding: str, console: Console, text: str) -> tuple[str, str]:
    out, err = Terminal(io.BytesIO(), encoding=encoding), Terminal(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    console.show([Line(text, Role.GOOD), Line(text)])
    return tuple(stream.buffer.getvalue().decode(encoding) for stream in (out, err))  # type: ignore[attr-defined]


def test_a_console_without_the_character_shows_geta_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = shown(monkeypatch, "cp932", Console(lang="ja", plain=True), "森鷗外 𠮷野")
    assert out == "森〓外 〓野\n" * 2
    assert err.count("〓") == 1


def test_an_ascii_console_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = shown(monkeypatch, "ascii", Console(lang="en", plain=True), "見本 ok")
    assert out == "?? ok\n" * 2
    assert "?" in err


@pytest.mark.parametrize(
    ("plain", "environment", "coloured"),
    [(False, {}, True), (True, {}, False), (False, {"NO_COLOR": "1"}, False), (False, {"TERM": "dumb"}, False)],
)
def test_who_sees_colours(
    monkeypatch: pytest.MonkeyPatch, plain: bool, environment: dict[str, str], coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    out, _ = shown(monkeypatch, "utf-8", Console(plain=plain), "x")
    assert ("\x1b[" in out) is coloured


@given(
    st.recursive(anything, lambda inner: st.lists(inner) | st.dictionaries(anything, inner)),
    st.sampled_from(["ascii", "cp932", "utf-8"]),
)
def test_json_loses_nothing_and_commands_nothing(value: object, encoding: str) -> None:
    text = json_safe(json.dumps(value, ensure_ascii=False, indent=2), encoding)
    text.encode(encoding)
    assert json.loads(text) == json.loads(json.dumps(value))
    assert escape(text.replace("\n", "")) == text.replace("\n", "")


def test_the_hostile_example_is_hostile() -> None:
    assert len(escape(HOSTILE)) > 2 * len(HOSTILE)
