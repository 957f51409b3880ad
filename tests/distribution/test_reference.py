"""The generated reference shows everything that a spec and the catalogue of errors say, or says that it cannot."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from tools.make_reference import PAGES, main, pages, served
from tools.reference import errors as catalogue
from tools.reference import free_area, gallery, verdict_json
from tools.reference.application import Page
from tools.reference.examples import FOLDER, chosen, example, examples
from tools.reference.layouts import lines
from tools.reference.markdown import NotShown, require

from kojin_card import messages
from kojin_card.iso7816.status import SW
from kojin_card.spec import load_card_spec
from kojin_card.spec.access import Access
from kojin_card.spec.free_area import globalplatform_spec, slot_applet_spec
from kojin_card.spec.model import ApplicationSpec, CardSpec, FieldSpec, FileSpec, KeySpec
from kojin_card.spec.service import load_services
from kojin_card.testing.verdicts import verdict_document
from kojin_card.verdict import CheckState, TimeBasis

CARD = load_card_spec()

# --- every attribute --------------------------------------------------------------------------------------------------


def other(value: object) -> Iterator[object]:
    """Another value of the same kind; none for what has no other."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, Enum):
        yield next(one for one in type(value) if one is not value)
    elif isinstance(value, Access):
        yield Access(always=not value.always)
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, str):
        yield value + "x"
    elif isinstance(value, bytes):
        yield value + b"\x01"
    elif isinstance(value, tuple | frozenset) and value:
        yield type(value)()
    elif isinstance(value, Mapping) and value:
        yield {}


def variations(node: Any) -> Iterator[tuple[tuple[type, str], Any]]:
    """Whose attribute is changed, and the model with that one attribute changed, at any depth."""
    if isinstance(node, Access):
        return
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        for field in dataclasses.fields(node):
            value = getattr(node, field.name)
            for changed in other(value):
                yield (type(node), field.name), dataclasses.replace(node, **{field.name: changed})
            if dataclasses.is_dataclass(value) and not isinstance(value, Access):
                yield (type(node), field.name), dataclasses.replace(node, **{field.name: None})
            for what, changed in variations(value):
                yield what, dataclasses.replace(node, **{field.name: changed})
    elif isinstance(node, tuple):
        for place, value in enumerate(node):
            for what, changed in variations(value):
                yield what, (*node[:place], changed, *node[place + 1 :])
    elif isinstance(node, Mapping):
        for name, value in node.items():
            for what, changed in variations(value):
                yield what, {**node, name: changed}


def models(node: Any) -> set[type]:
    """Every kind of model that stands anywhere in a card."""
    return {kind for (kind, _), _ in variations(node)}


def test_every_attribute_of_every_model_changes_a_page() -> None:
    """A new table of the spec language that no page shows fails here, and in `make reference`."""
    wanted = {(kind, field.name) for kind in models(CARD) for field in dataclasses.fields(kind)}
    wanted -= {(CardSpec, "applications")}
    shown: set[tuple[type, str]] = set()
    for spec in CARD.applications.values():
        before = Page(spec).render("")
        for what, changed in variations(spec):
            if what not in shown and _differs(before, changed):
                shown.add(what)
    assert wanted == shown, sorted(f"{kind.__name__}.{name}" for kind, name in wanted ^ shown)


@pytest.mark.parametrize(
    ("kinds", "render"),
    [
        ((globalplatform_spec(), slot_applet_spec()), free_area.platform_page),
        (tuple(load_services().values()), free_area.service),
    ],
    ids=["platforms", "services"],
)
def test_every_attribute_of_the_free_area_changes_a_page(kinds: tuple[Any, ...], render: Callable[[Any], str]) -> None:
    wanted: set[tuple[type, str]] = set()
    shown: set[tuple[type, str]] = set()
    for spec in kinds:
        before = render(spec)
        wanted |= {(kind, field.name) for kind in models(spec) for field in dataclasses.fields(kind)}
        for what, changed in variations(spec):
            if what not in shown and (_unrendered(render, changed) or render(changed) != before):
                shown.add(what)
    assert wanted == shown, sorted(f"{kind.__name__}.{name}" for kind, name in wanted ^ shown)


def _unrendered(render: Callable[[Any], str], changed: Any) -> bool:
    try:
        render(changed)
    except (AttributeError, KeyError, TypeError):  # the page wanted to show it and could not: it is looked at
        return True
    return False


def _differs(before: str, changed: ApplicationSpec) -> bool:
    try:
        return Page(changed).render("") != before
    except (AttributeError, KeyError):  # the page wanted to show it and could not: it is looked at
        return True


def test_a_new_attribute_is_refused_until_it_is_shown() -> None:
    for kind in (ApplicationSpec, FileSpec, KeySpec, FieldSpec):
        planted = dataclasses.make_dataclass("Planted", ["novelty"], bases=(kind,), kw_only=True, frozen=True)
        names = [field.name for field in dataclasses.fields(kind)]
        require(kind, names)
        with pytest.raises(NotShown, match="novelty"):
            require(planted, names)
        with pytest.raises(NotShown, match="bygone"):
            require(kind, [*names, "bygone"])


def test_the_generator_says_what_it_cannot_show(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.make_reference.examples", lambda _: (_ for _ in ()).throw(NotShown("no example of x")))
    assert main(["--check"]) == 1
    assert "no example of x" in capsys.readouterr().err
    assert main(["--what"]) == 2


# --- layouts ----------------------------------------------------------------------------------------------------------

#: card.md §2.1, §2.2, §2.6, §2.7, added up by hand: (application, layout, field, offset of the tag, bytes of the value)
PLACES = [
    ("input_support", "record_signature", "signature", 75, 256),  # 5 + 35 + 35
    ("input_support", "application_public_key", "issuer_signature", 275, 256),  # 5 + 270
    ("input_support", "application_information", "unknown", 31, 128),  # 5 + 7 + 19
    ("input_support", "cv_certificate", "holder_key_id", 26, 16),  # 10 + 16
    ("input_support", "cv_certificate", "certificate_signature", 307, 256),  # 10 + 297
    ("input_support", "basic_four", "name", None, None),
    ("input_support", "basic_four", "offsets", None, 8),  # FF20 65 or FF20 82 hh ll: not the same on every card
    ("card_face", "age", "signature", 286, 256),  # 16 + 270
    ("card_face", "age", "modulus", 26, 256),  # 5 + 11 + 5 + 5
    ("card_face", "application_information", "encrypted_code", 43, 272),  # 5 + 7 + 19 + 4 + 8
    ("common", "card_information", "expiry", 22, 8),  # 2 + 15 + 5
    ("jpki", "token_information", "flags", 96, 4),  # 32 + 32 + 16 + 16
]


@pytest.mark.parametrize(("application", "layout", "name", "at", "length"), PLACES)
def test_offsets_and_lengths(application: str, layout: str, name: str, at: int | None, length: int | None) -> None:
    spec = CARD[application].layouts[layout]
    line = next(one for one in lines(spec.fields, spec.encoding) if one.spec.name == name)
    assert (line.at, line.length) == (at, length)


# --- examples ---------------------------------------------------------------------------------------------------------


def test_every_application_has_an_example_from_a_transcript() -> None:
    assert {table["application"] for table in chosen()} == CARD.applications.keys()
    with pytest.raises(NotShown, match="no example of nothing"):
        examples("nothing")


@pytest.mark.parametrize("change", [("> 00B2010C00", "> 00B2020C00"), ("< 011C", "< 021C")])
def test_an_example_that_is_not_in_its_transcript_is_refused(tmp_path: Path, change: tuple[str, str]) -> None:
    table = next(one for one in chosen() if one["application"] == "common")
    text = (FOLDER / f"{table['transcript']}.apdu").read_text("utf-8")
    (tmp_path / f"{table['transcript']}.apdu").write_text(text, "utf-8")
    assert "400000012719843" in example(table, tmp_path)
    assert change[0] in text
    (tmp_path / f"{table['transcript']}.apdu").write_text(text.replace(*change), "utf-8")
    with pytest.raises(NotShown, match="out of date"):
        example(table, tmp_path)


def test_every_group_of_bytes_is_explained() -> None:
    groups = [
        group for table in chosen() for step in table["step"] for side in ("command", "answer") for group in step[side]
    ]
    assert len(groups) > 100
    assert all(len(group) == 2 and all(group) for group in groups)


# --- errors -----------------------------------------------------------------------------------------------------------


def test_every_text_of_the_catalogue_is_on_the_page() -> None:
    page = pages()["errors.md"]
    for entry in messages.load("errors").values():
        for text in (entry["ja"], entry["en"]):
            for one in [text] if isinstance(text, str) else text:
                assert one.replace("<", "&lt;").replace("|", "\\|") in page
    for kind in catalogue.classes():
        assert f"### {kind.code}\n" in page
        assert f"`{kind.__module__}.{kind.__qualname__}`" in page
    for word in SW:
        assert f"| `{word:04X}` | " in page


def test_words_that_no_error_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    load = messages.load
    planted = {"ja": "x", "en": "x"}
    monkeypatch.setattr(messages, "load", lambda name: {**load(name), "bygone.words": planted})
    with pytest.raises(NotShown, match="bygone"):
        catalogue.codes()


def test_a_status_word_without_a_meaning_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(catalogue.MEANINGS, SW.FILE_NOT_FOUND)
    with pytest.raises(NotShown, match="6A82"):
        list(catalogue.status_rows())


@pytest.mark.parametrize(
    ("word", "error"),  # card.md §3, §4.2, §4.3, §12
    [
        (0x9000, ""),
        (0x6984, "pin_blocked"),
        (0x6983, "pin_blocked"),
        (0x63C2, "pin_rejected"),
        (0x6982, "access_denied"),
    ],
)
def test_what_a_status_word_becomes(word: int, error: str) -> None:
    assert catalogue.becomes(word).startswith(f"[`{error}`]" if error else "")


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_the_schema_is_served_as_the_package_has_it_and_every_field_is_explained() -> None:
    text = verdict_json.schema_text()
    assert (PAGES / verdict_json.SERVED).read_text("utf-8") == text == served()[verdict_json.SERVED]
    schema, page = json.loads(text), pages()["verdict-json.md"]
    for definition in (schema, *schema["$defs"].values()):
        for name, one in definition["properties"].items():
            assert f"| `{name}` | " in page
            assert one["description"].replace("<", "&lt;") in page
    assert {str(basis) for basis in TimeBasis} == set(schema["$defs"]["verdict"]["properties"]["time_basis"]["enum"])
    assert {str(one) for one in CheckState} == set(schema["$defs"]["check"]["properties"]["state"]["enum"])


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: schema["$defs"]["check"]["properties"]["id"].pop("description"),
        lambda schema: schema["$defs"]["check"]["properties"]["id"].update(maxLength=5),
        lambda schema: schema["$defs"].update(more={}),
    ],
)
def test_a_field_of_a_verdict_that_nobody_explains_is_refused(
    change: Callable[[Any], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = json.loads(verdict_json.schema_text())
    change(schema)
    monkeypatch.setattr(verdict_json, "schema_text", lambda: json.dumps(schema))
    with pytest.raises(NotShown):
        verdict_json.page()


def test_the_gallery_shows_the_six_documents_in_both_languages() -> None:
    page = pages()["verdict-gallery.md"]
    assert page.count("```text") == 12
    for _, id, name, _, _ in gallery.SHOWN:
        for lang in ("ja", "en"):
            shown = gallery.shown(id, name, lang)
            assert shown in page
            reason = verdict_document(id).reason
            words = "" if reason is None else messages.reason_words(reason, lang)[:12]
            assert (reason or "TOTAL_PASSED") in shown
            assert words in shown


def test_the_pages_are_those_in_the_folder() -> None:
    assert {path.name for path in PAGES.glob("*.md")} == pages().keys()
