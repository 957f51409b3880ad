"""What people read: Japanese and English words for every error code, check, reason, prompt and command.

The words stand in the TOML catalogues beside this module, read when first needed. A leaf entry is a table with ``ja``
and ``en``; each is one text, or a list of texts of which the first is taken whose placeholders all have a value (the
last one needs fewest). Nothing here escapes: that is done once, at the rendering edge.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LANGUAGES = ("ja", "en")
CATALOGUES = ("errors", "details", "say", "help", "demo", "verdicts", "explain", "doctor", "slots")

_PLACEHOLDERS = Formatter()


def error_words(code: str, lang: str, details: Mapping[str, str | int]) -> str:
    """What happened, for the error ``code``; empty when the catalogue does not know it."""
    return _error(code, "words", lang, details)


def error_remedy(code: str, lang: str, details: Mapping[str, str | int]) -> str:
    """What to do about it; empty when the catalogue does not know the code."""
    return _error(code, "remedy", lang, details)


class Detail(NamedTuple):
    """What the catalogue knows of one technical sentence; each part is empty when it has nothing to say.

    Attributes:
        words: the sentence in the language that was asked for.
        remedy: what to do, where the remedy of the error's code would not be true.
        headline: what happened, where the words of the error's code would not be true.
    """

    words: str = ""
    remedy: str = ""
    headline: str = ""


def detail(message: str, lang: str) -> Detail:
    """A sentence that an error carries (they are in English in the code), as people read it."""
    lang, catalogue = language(lang), load("details")
    for pattern, name in _sentences():
        found = pattern.fullmatch(message)
        if found is not None:
            parts = (catalogue.get(f"{name}.{part}") for part in Detail._fields)
            return Detail(*((fill(part[lang], found.groupdict()) or "") if part else "" for part in parts))
    return Detail()


@cache
def _sentences() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The English sentences of the catalogue as patterns, each with the name of its entry."""
    out = []
    for key, entry in load("details").items():
        name, _, part = key.rpartition(".")
        if part == "words":
            pieces = (
                re.escape(literal) + (f"(?P<{field}>.+)" if field else "")
                for literal, field, _, _ in _PLACEHOLDERS.parse(entry["en"])
            )
            out.append((re.compile("".join(pieces), re.DOTALL), name))
    return tuple(out)


def text(key: str, lang: str, **values: object) -> str:
    """The text called ``<catalogue>.<name>...``, e.g. ``say.info.title``.

    Raises:
        KeyError: there is no such text (a fault of this package, found by its tests).
    """
    catalogue, _, name = key.partition(".")
    found = fill(load(catalogue)[name][language(lang)], values)
    if found is None:
        raise KeyError(f"{key}: a value is missing")
    return found


def has(key: str) -> bool:
    """Whether there is a text of that key."""
    catalogue, _, name = key.partition(".")
    return name in load(catalogue)


def reason_words(reason: str, lang: str, subject: str = "") -> str:
    """Why a check did not pass (``chain.no_issuer``): what it means and what to do; the id itself when unknown.

    Args:
        subject: what was judged (``certificate``), where that has words of its own.
    """
    return _verdict_words("reason", reason, lang, subject)


def check_label(check: str, lang: str) -> str:
    """What a check is called (``chain``)."""
    return _verdict_words("check", check, lang)


def state_words(state: str, lang: str) -> str:
    """What became of a check (``not_checked``)."""
    return _verdict_words("state", state, lang)


def indication_words(indication: str, lang: str, subject: str = "", reason: str = "") -> str:
    """What an indication means (``TOTAL_PASSED``).

    Args:
        subject: see :func:`reason_words`.
        reason: what decided it, where that is the better answer (to people, a revoked certificate is not undecided).
    """
    answer = load("verdicts").get(f"{subject}.answer.{reason}")
    return str(answer[language(lang)]) if answer else _verdict_words("indication", indication, lang, subject)


def card_indication_words(indication: str, lang: str) -> str:
    """What an indication means for a card that is in somebody's hand."""
    return _verdict_words("card_indication", indication, lang)


def slot_indication_words(indication: str, lang: str) -> str:
    """What an indication means for a slot of the free area."""
    return _verdict_words("slot_indication", indication, lang)


def note_words(note: str, lang: str) -> str:
    """What is said beside a verdict (``in_force``)."""
    return _verdict_words("note", note, lang)


def evidence_label(name: str, lang: str) -> str:
    """What a piece of a verdict's evidence is called for people; its own name where there are no words."""
    return _verdict_words("evidence", name, lang)


def sub_indication_words(sub_indication: str, lang: str, subject: str = "") -> str:
    """What a sub-indication means (``REVOKED``); the id itself when the catalogue has no words for it."""
    return _verdict_words("sub_indication", sub_indication, lang, subject)


def revocation_reason_words(reason: str, lang: str) -> str:
    """What a revocation reason means in JPKI (``certificateHold``)."""
    return _verdict_words("revocation_reason", reason, lang)


def language(lang: str) -> str:
    """``ja`` or ``en``: the first for whatever begins with it, the second for everything else."""
    return "ja" if lang.lower().startswith("ja") else "en"


# --- catalogues -------------------------------------------------------------------------------------------------------


@cache
def load(catalogue: str) -> Mapping[str, Mapping[str, Any]]:
    """A catalogue as ``dotted.name -> {"ja": ..., "en": ...}``; empty when there is no such file."""
    source = files("kojin_card.messages").joinpath(f"{catalogue}.toml")
    if not source.is_file():
        return {}
    return dict(_leaves("", tomllib.loads(source.read_text("utf-8"))))


def _leaves(prefix: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "en" in table and not isinstance(table["en"], dict):
        yield prefix, table
    for name, inner in table.items():
        if isinstance(inner, dict):
            yield from _leaves(f"{prefix}.{name}" if prefix else name, inner)


def placeholders(template: str) -> frozenset[str]:
    """The names between braces."""
    return frozenset(name for _, name, _, _ in _PLACEHOLDERS.parse(template) if name)


def fill(template: str | list[str], values: Mapping[str, object]) -> str | None:
    """``template``, or the first of several whose placeholders all have a value, filled in; None when none has."""
    for candidate in [template] if isinstance(template, str) else template:
        if all(values.get(name) not in (None, "") for name in placeholders(candidate)):
            return candidate.format_map({name: str(value) for name, value in values.items()})
    return None


def _error(code: str, part: str, lang: str, details: Mapping[str, str | int]) -> str:
    lang = language(lang)
    catalogue = load("errors")
    values: dict[str, object] = dict(details)
    for name, value in details.items():  # a detail in both languages, e.g. label_ja and label_en
        if name.endswith(f"_{lang}"):
            values[name.removesuffix(f"_{lang}")] = value
    variant = {0: ".none_left", 1: ".one_left"}.get(values.get("tries_left"), "")  # type: ignore[call-overload]  # any other value has no variant
    for name in (f"{code}{variant}.{part}", f"{code}.{part}"):
        if name in catalogue:
            found = fill(catalogue[name][lang], values)
            if found is not None:
                return found
    return ""


def _verdict_words(kind: str, key: str, lang: str, subject: str = "") -> str:
    catalogue = load("verdicts")
    entry = catalogue.get(f"{subject}.{kind}.{key}") or catalogue.get(f"{kind}.{key}")
    return str(entry[language(lang)]) if entry else key
