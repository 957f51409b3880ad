"""The words: complete, in both languages, with the same placeholders."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import kojin_card
from kojin_card import errors, messages, verdict
from kojin_card.testing.verdicts import verdict_documents
from kojin_card.transport.answers import raise_for_sw

SOURCE = Path(kojin_card.__file__).parent


def error_classes() -> list[type[errors.KojinError]]:
    """Every class of error in the package, wherever it is defined."""
    for module in pkgutil.walk_packages(kojin_card.__path__, "kojin_card."):
        if not module.name.endswith("cli.main"):
            import_module(module.name)

    def below(kind: type[errors.KojinError]) -> Iterator[type[errors.KojinError]]:
        yield kind
        for inner in kind.__subclasses__():
            yield from below(inner)

    return sorted(set(below(errors.KojinError)), key=lambda kind: kind.__name__)


def entries() -> list[tuple[str, str, Any]]:
    return [(name, key, entry) for name in messages.CATALOGUES for key, entry in messages.load(name).items()]


def candidates(template: str | list[str]) -> list[str]:
    return [template] if isinstance(template, str) else template


def test_there_are_words_to_test() -> None:
    assert {name for name, _, _ in entries()} == set(messages.CATALOGUES)
    assert len(entries()) > 300


@pytest.mark.parametrize(
    ("catalogue", "key", "entry"), entries(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_text_is_in_both_languages_with_the_same_placeholders(catalogue: str, key: str, entry: Any) -> None:
    assert entry["ja"]
    assert entry["en"]
    ja, en = candidates(entry["ja"]), candidates(entry["en"])
    assert len(ja) == len(en)
    for one, other in zip(ja, en, strict=True):
        assert messages.placeholders(one) == messages.placeholders(other)


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_every_error_has_words_and_a_remedy(kind: type[errors.KojinError], lang: str) -> None:
    details: dict[str, str | int] = {
        "sw": "6A82",
        "tries_left": 2,
        "step": "1",
        "indication": "TOTAL_FAILED",
        "file": "x",
    }
    above = [base.code for base in kind.__mro__ if issubclass(base, errors.KojinError)]
    codes = above[:-1] or above  # the base's "unexpected" is no answer for anything more special
    assert any(messages.error_words(code, lang, details) for code in codes), codes
    assert any(messages.error_remedy(code, lang, details) for code in codes), codes


@pytest.mark.parametrize(
    ("left", "words"), [(3, "あと3回"), (2, "あと2回"), (1, "あと1回だけ"), (0, "これでロックされました")]
)
def test_a_wrong_pin_says_what_is_left(left: int, words: str) -> None:
    with pytest.raises(errors.PinRejected if left else errors.PinBlocked) as refused:
        raise_for_sw("verify", 0x63C0 | left, key="auth_pin", name_ja="利用者証明用暗証番号", name_en="PIN")
    wrong = refused.value
    assert words in wrong.words("ja")
    assert wrong.words("ja").startswith("利用者証明用暗証番号が違います")
    assert str(left) in wrong.words("en") or left < 2


def test_a_blocked_pin_sends_people_to_the_municipality() -> None:
    assert "市区町村の窓口" in errors.PinBlocked(sw=0x6984).remedy("ja")
    assert "municipality" in errors.PinBlocked(sw=0x6984).remedy("en")


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_verdicts_have_all_their_words(lang: str) -> None:
    for reason in verdict.REASONS:
        assert messages.reason_words(reason, lang) != reason
    for check in verdict.CheckId:
        assert messages.check_label(check, lang) != check
    for state in verdict.CheckState:
        assert messages.state_words(state, lang) != state or lang == "en"
    for indication in verdict.Indication:
        assert messages.indication_words(indication, lang) != indication
    for sub in verdict.SubIndication:
        assert messages.sub_indication_words(sub, lang) != sub


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_evidence_has_words(lang: str) -> None:
    """Of every document that the package makes; that of a licence is tested where one is read."""

    def names(one: verdict.Verdict) -> set[str]:
        return set(one.evidence).union(*(names(part) for part in one.parts))

    found = set().union(*(names(document.judge()) for document in verdict_documents()))
    assert len(found) > 12
    assert not {name for name in found if messages.evidence_label(name, lang) == name}
    assert messages.evidence_label("no_such", lang) == "no_such"


def test_what_the_catalogue_does_not_know_is_not_invented() -> None:
    assert messages.error_words("no_such_code", "ja", {}) == ""
    assert errors.KojinError("plain words").words("xx") != ""
    assert messages.reason_words("chain.no_such", "ja") == "chain.no_such"
    with pytest.raises(KeyError):
        messages.text("say.no.such", "en")


def test_values_are_filled_in_as_they_are() -> None:
    assert messages.fill("a {x}", {"x": "{y}"}) == "a {y}"
    assert messages.fill(["{x} {y}", "{x}"], {"x": 1}) == "1"
    assert messages.fill("{x}", {}) is None


def test_every_text_that_the_code_names_is_there() -> None:
    """Plain keys, and the beginnings of those that are put together."""
    known = {f"{name}.{key}" for name, key, _ in entries()}
    found, missing = 0, []
    for path in (SOURCE / "cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if called not in ("text", "say") or not node.args:
                continue
            of_demo = path.name.startswith("demo") and _is_stage(node.func)
            key, whole = _beginning(node.args[0])
            key = f"demo.{key}" if of_demo and called == "text" else key
            if key.split(".")[0] in messages.CATALOGUES:
                found += 1
                if not (key in known if whole else any(name.startswith(key) for name in known)):
                    missing.append(f"{path.name}:{node.lineno}: {key}")
    assert not missing
    assert found > 100


def _beginning(key: ast.expr) -> tuple[str, bool]:
    """A literal key, or what is literal at the beginning of one that is put together; whether it is all of it."""
    if isinstance(key, ast.JoinedStr):
        return (str(key.values[0].value) if isinstance(key.values[0], ast.Constant) else ""), False
    return (str(key.value), True) if isinstance(key, ast.Constant) else ("", True)


def _is_stage(func: ast.expr) -> bool:
    return isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id in ("stage", "self")


# --- sentences of errors --------------------------------------------------------------------------------------------


def sentences() -> list[tuple[str, str]]:
    return [(key, entry["en"]) for key, entry in messages.load("details").items() if key.endswith(".words")]


def test_every_known_sentence_is_one_that_the_code_says() -> None:
    """A sentence that is reworded in the code must be reworded in the catalogue."""
    said = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said.add(re.escape(node.value))
            if isinstance(node, ast.JoinedStr):
                literals = [str(part.value) if isinstance(part, ast.Constant) else "" for part in node.values]
                if sum(map(len, literals)) > 5:
                    said.add("".join(re.escape(literal) or ".*" for literal in literals))
    patterns = [re.compile(one) for one in said]
    assert len(sentences()) > 50
    assert not [(key, text) for key, text in sentences() if not any(p.fullmatch(text) for p in patterns)]


@pytest.mark.parametrize(("key", "text"), sentences())
def test_a_sentence_is_found_by_its_english_words(key: str, text: str) -> None:
    for lang in messages.LANGUAGES:
        found = messages.detail(text, lang)
        assert found.words
        assert bool(found.headline) == messages.has(f"details.{key.removesuffix('.words')}.headline")
    assert messages.detail(text, "en").words == text


def test_values_go_into_the_translation() -> None:
    assert messages.detail("must have 6 to 16 characters", "ja").words == "6～16文字でなければなりません。"
    assert messages.detail("must have 4 characters", "ja").words == "4文字でなければなりません。"
    assert messages.detail("must have 4 digits", "ja").words == "数字4桁でなければなりません。"
    assert messages.detail("no such sentence", "ja") == messages.Detail()


@pytest.mark.parametrize(
    "text",
    [
        "the connection failed",
        "the connection failed (OSError)",
        "the session is over: the connection failed before",
        "the card could not be reset (OSError)",
        "the answer is longer than what was asked for",
        "the answer does not end",
    ],
)
def test_a_card_that_is_pulled_out_is_told_in_japanese(text: str) -> None:
    """What :mod:`kojin_card.transport.link` says stands below the headline, at a counter where nobody reads English."""
    said = SOURCE.joinpath("transport", "link.py").read_text("utf-8")
    assert text.split(" (")[0] in said
    found = messages.detail(text, "ja")
    assert found.words
    assert found.words.isascii() is False
    assert ("OSError" in found.words) is ("OSError" in text)


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_a_card_file_in_use_points_at_the_reader(lang: str) -> None:
    """It is mostly our own ``simulator serve`` that holds the file."""
    remedy = errors.CardFileBusy("", operation="", file="taro.json").remedy(lang)
    assert "simulator serve" in remedy
    assert "--control" in remedy
