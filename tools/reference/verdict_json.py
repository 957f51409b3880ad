"""``docs/reference/verdict-json.md``: every field of the JSON of verdicts, from the schema that says what it means."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tools.reference.markdown import NotShown, code, grid, notice

if TYPE_CHECKING:
    from collections.abc import Mapping

#: the schema as it is served with the guides
SERVED = "verdicts.schema.json"
_ORDER = ("named_verdict", "named_error", "verdict", "check", "holder", "error")
_TITLES = {
    "named_verdict": "A result with a verdict",
    "named_error": "A result without one",
    "verdict": "A verdict",
    "check": "A check",
    "holder": "A holder",
    "error": "An error",
}
#: keywords of the schema language that the page shows, or that say nothing to people
_KNOWN = frozenset(
    {"description", "type", "enum", "const", "format", "pattern", "items", "properties", "required", "$ref", "oneOf"}
) | {"additionalProperties", "unevaluatedProperties", "$schema", "$id", "title", "$defs"}


def schema_text() -> str:
    """The schema, byte for byte as the package has it."""
    return files("kojin_card.cli").joinpath("schemas", "verdicts.json").read_text("utf-8")


def page() -> str:
    """The page.

    Raises:
        NotShown: a field without a description, or a keyword that the page does not show.
    """
    schema = json.loads(schema_text())
    definitions = schema["$defs"]
    if set(definitions) != set(_ORDER):
        raise NotShown(f"definitions of the schema of verdicts: {sorted(set(definitions) ^ set(_ORDER))}")
    version = schema["properties"]["schema"]["const"]
    parts = [
        notice("src/kojin_card/cli/schemas/verdicts.json"),
        "# Verdicts as JSON\n\n",
        "What `verify`, `cert status` and `auth verify` print with `--json`. The version is\n"
        f"{code(version)}; the schema of exactly this version (JSON Schema, draft 2020-12) is\n"
        f"[{SERVED}]({SERVED}), the same bytes as in the package. A field that is added raises the minor number of\n"
        "the version, one that is changed or removed the major one: a reader should accept a higher minor number than\n"
        "it knows, and pass over fields that it does not know.\n\n"
        "Go by `indication`, and by `reason`: words are for people and may change in any version. How checks become\n"
        "an indication: [Verdicts](../verdicts.md).\n\n",
        "## The document\n\n",
        _fields("", schema),
    ]
    for name in _ORDER:
        parts += [
            f"## {_TITLES[name]}\n\n",
            definitions[name]["description"] + "\n\n",
            _fields(name, definitions[name]),
        ]
    return "".join(parts).rstrip("\n") + "\n"


def _fields(name: str, definition: Mapping[str, Any]) -> str:
    rows = []
    for field, one in definition["properties"].items():
        if unknown := set(one) - _KNOWN:
            raise NotShown(f"{name}.{field}: {', '.join(sorted(unknown))}")
        if not one.get("description"):
            raise NotShown(f"{name}.{field} has no description")
        needed = "always" if field in definition["required"] else "sometimes"
        rows.append((code(field), _type(one), needed, one["description"]))
    return grid(("field", "type", "there", "meaning"), rows)


def _type(one: Mapping[str, Any]) -> str:
    if "const" in one:
        return code(one["const"])
    if "enum" in one:
        return ", ".join(code(value) for value in one["enum"])
    if "$ref" in one:
        return _linked(one["$ref"])
    if "oneOf" in one:
        return " or ".join(map(_type, one["oneOf"]))
    kinds = [one["type"]] if isinstance(one["type"], str) else one["type"]
    if kinds == ["array"]:
        return f"list of: {_type(one['items'])}"
    if kinds == ["object"]:
        return f"object, each value: {_type(one['additionalProperties'])}"
    return " or ".join(kinds) + (f" ({one['format']})" if "format" in one else "")


def _linked(reference: str) -> str:
    title = _TITLES[reference.rpartition("/")[2]]
    return f"[{title.lower()}](#{title.lower().replace(' ', '-')})"
