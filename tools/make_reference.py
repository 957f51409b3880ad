"""Write ``docs/reference``: what the card is, from ``applets_spec``; what can go wrong, from the error catalogue; what
verdicts are as JSON, from their schema, and for people, by judging.

``python -m tools.make_reference`` writes the pages; with ``--check`` it says which are not what their sources say.
"""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tools.reference import errors, free_area, gallery, verdict_json
from tools.reference.application import LEVELS, Page
from tools.reference.examples import examples
from tools.reference.markdown import NotShown, grid, notice, require

from kojin_card.spec.free_area import globalplatform_spec, slot_applet_spec
from kojin_card.spec.load import load_card_spec
from kojin_card.spec.model import CardSpec, Evidence
from kojin_card.spec.service import load_services

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kojin_card.spec.free_area import PlatformSpec
    from kojin_card.spec.service import Service

PAGES = Path(__file__).resolve().parents[1] / "docs" / "reference"
INTRO = (
    "What the card is, as the specs have it: one page an application, with at least one conversation byte by byte\n"
    "and, at its end, what nobody knows. The numbers say how many of its facts rest on which level of evidence:\n"
    "a `standard` says it, `public` sources say it (code and documents used with real cards), it was seen on a\n"
    "`card`, or it is our `assumption`.\n"
    "The short identifier of a file or key is the low five bits of its id.\n"
    "Whoever has never held a card begins with [The card in an hour](../card-in-an-hour.md).\n\n"
)
FREE_AREA = (
    "The [slot applet](free-area.md) of the free area (空き領域), where services of municipalities and others stand,\n"
    "is defined here: no applet of it is public. Its [services](services.md) are data.\n\n"
)
PLATFORM_PAGES = {"globalplatform": "globalplatform.md", "slot_applet": "free-area.md"}
SOURCES = (
    "`card.md` and `jpki.md` are the fact collections of the project, which name the public sources; the capitals\n"
    "(MC, MY, OSC, ...) are theirs. [Errors](errors.md) has every error with its words and its remedy,\n"
    "and every status word. [Verdicts as JSON](verdict-json.md) has every field, and\n"
    "[What an operator sees](verdict-gallery.md) six verdicts as they are printed.\n"
)


def evidence(node: object) -> Iterator[str]:
    """Every level that stands anywhere in a model."""
    if isinstance(node, Evidence):
        yield node.level.value
    elif dataclasses.is_dataclass(node):
        for field in dataclasses.fields(node):
            yield from evidence(getattr(node, field.name))
    elif isinstance(node, dict):
        yield from evidence(tuple(node.values()))
    elif isinstance(node, tuple):
        for value in node:
            yield from evidence(value)


def pages(card: CardSpec | None = None) -> Mapping[str, str]:
    """File name and text of every page.

    Raises:
        NotShown: a spec, an error or a status word has a part that no page shows.
    """
    require(CardSpec, ("applications",))
    applications = (load_card_spec() if card is None else card).applications.values()
    made = {f"{spec.id}.md": Page(spec).render(examples(spec.id)) for spec in applications}
    rows = []
    for spec in applications:
        count = Counter(evidence(spec))
        link = f"[{spec.name_en}]({spec.id}.md) {spec.name_ja}"
        rows.append((link, f"`{spec.aid.hex().upper()}`", *(count[level] for level in LEVELS)))
    table = grid(("application", "AID", *LEVELS), rows)
    platforms, services = (slot_applet_spec(), globalplatform_spec()), load_services().values()
    made |= {PLATFORM_PAGES[one.id]: free_area.platform_page(one) for one in platforms}
    made["services.md"] = free_area.services_page(services)
    rows = [
        *(_free_row(one, PLATFORM_PAGES[one.id]) for one in platforms),
        *(_free_row(one, "services.md") for one in services),
    ]
    free = grid(("free area", *LEVELS), rows)
    made["index.md"] = f"{notice('applets_spec')}# Reference\n\n{INTRO}{table}{FREE_AREA}{free}{SOURCES}"
    made["errors.md"] = errors.page()
    made["verdict-json.md"] = verdict_json.page()
    made["verdict-gallery.md"] = gallery.page()
    return made


def _free_row(spec: PlatformSpec | Service, page: str) -> tuple[object, ...]:
    """A row of the index: a part of the free area, and how many of its facts rest on which level."""
    count = Counter(evidence(spec))
    return (f"[{spec.name_en}]({page}) {spec.name_ja}", *(count[level] for level in LEVELS))


def served() -> Mapping[str, str]:
    """File name and text of all that is served: the pages, and the schema as it is."""
    return {**pages(), verdict_json.SERVED: verdict_json.schema_text()}


def stale() -> list[str]:
    """Names of pages that are missing, different, or left over."""
    made = served()
    found = {path.name: path.read_text("utf-8") for path in _present()}
    return sorted(name for name in made.keys() | found.keys() if made.get(name) != found.get(name))


def _present() -> list[Path]:
    return [path for path in PAGES.glob("*") if path.suffix in (".md", ".json")]


def main(arguments: list[str]) -> int:
    """Exit code: 0 written or current, 1 stale, or something cannot be shown, 2 usage."""
    if arguments not in ([], ["--check"]):
        print("make_reference.py takes --check or nothing", file=sys.stderr)
        return 2
    try:
        if not arguments:
            write()
        elif names := stale():
            print(
                f"docs/reference is not what its sources say ({', '.join(names)}): run make reference", file=sys.stderr
            )
            return 1
    except NotShown as missing:
        print(f"make_reference.py: {missing}", file=sys.stderr)
        return 1
    return 0


def write() -> None:
    """Write every page and remove what is left over."""
    made = served()
    PAGES.mkdir(parents=True, exist_ok=True)
    for path in _present():
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (PAGES / name).write_text(text, "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
