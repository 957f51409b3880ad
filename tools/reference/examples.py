"""APDU examples: lines of the hand-typed transcripts, which the tests replay, each group of bytes explained by hand.

``examples.toml`` cuts a typed command and its typed answer into groups and says what each is. The groups must be what
the transcript has, byte for byte and in its order: nothing here is computed from the specs.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.reference.markdown import NotShown, code, grid

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "transcripts"
CHOSEN = Path(__file__).with_name("examples.toml")
_GAP = re.compile(r"\.\.\{(\d+)\}")


@dataclass(frozen=True, slots=True)
class Typed:
    """A command of a transcript, the answers that it may have, and the fact that the line cites."""

    command: str
    answers: tuple[str, ...]
    fact: str


def closed(text: str) -> str:
    """Typed bytes without the spaces, which mean nothing."""
    return "".join(text.split())


def typed_lines(text: str) -> Iterator[Typed]:
    """The commands of a transcript with their answers (its form is the tests' to check)."""
    command = fact = ""
    for raw in text.splitlines():
        body, _, comment = raw.partition("#")
        if body.startswith("> "):
            command, fact = closed(body[1:]), comment.strip()
        elif body.startswith("< "):
            yield Typed(command, tuple(closed(one) for one in body[1:].split("|")), fact)


def header(text: str, name: str) -> str:
    """A header of a transcript."""
    return next(line.partition(":")[2].strip() for line in text.splitlines() if line.startswith(f"# {name}:"))


def chosen(path: Path = CHOSEN) -> list[dict[str, Any]]:
    """The examples, as they are written."""
    return list(tomllib.loads(path.read_text("utf-8"))["example"])


def _rows(arrow: str, groups: list[list[str]]) -> Iterator[tuple[str, str, str]]:
    for place, (group, meaning) in enumerate(groups):
        gap = _GAP.fullmatch(group)
        yield "" if place else arrow, f"({gap[1]} bytes)" if gap else code(group), meaning


def example(table: dict[str, Any], folder: Path = FOLDER) -> str:
    """One example.

    Raises:
        NotShown: the transcript has no such command, or no such answer to it, after the one before.
    """
    name = table["transcript"]
    text = (folder / f"{name}.apdu").read_text("utf-8")
    lines = typed_lines(text)
    said = str(table["step"])
    out = [
        f"### {table['title']}\n\nFrom `fixtures/transcripts/{name}.apdu`, typed by hand and replayed by the tests "
        f"(the card is `{header(text, 'card')}`{'; `?` is any digit' if '?' in said else ''}).\n\n"
    ]
    for step in table["step"]:
        command = closed("".join(group for group, _ in step["command"]))
        answer = closed("".join(group for group, _ in step["answer"]))
        typed = next((one for one in lines if one.command == command and answer in one.answers), None)
        if typed is None:
            raise NotShown(f"{name}.apdu has no {command} answered by {answer} there: examples.toml is out of date")
        rows = [*_rows("command", step["command"]), *_rows("answer", step["answer"])]
        out += [f"{typed.fact}\n\n", grid(("", "bytes", "what they are"), rows)]
    return "".join(out)


def examples(application: str) -> str:
    """All examples of an application.

    Raises:
        NotShown: it has none.
    """
    found = [example(table) for table in chosen() if table["application"] == application]
    if not found:
        raise NotShown(f"no example of {application}: pick lines of a transcript in tools/reference/examples.toml")
    return "".join(found)
