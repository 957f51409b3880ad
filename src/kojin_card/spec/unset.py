"""A secret that nobody set: the value that stands for it, and where the card says that nobody did (card.md §2.9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.spec.model import Evidence, FileSpec, LayoutSpec
    from kojin_card.spec.strict import Table


@dataclass(frozen=True, slots=True)
class Unset:
    """What is verified in place of a secret that was never set; never as a guess.

    Attributes:
        value: the bytes; public, since they are the same on every card.
        file, field, meaning: it holds while that field of that file has a value of that meaning.
    """

    value: bytes = field(repr=False)
    file: str
    field: str
    meaning: str
    evidence: Evidence


def load_unset(table: Table, evidence: Evidence) -> Unset:
    """The table ``unset`` of a key.

    Raises:
        SpecError: a missing or unknown key.
    """
    value = table.hex("value", size=(1, 255))
    unset = Unset(value, table.take("file", str), table.take("field", str), table.take("meaning", str), evidence)
    table.done()
    return unset


def unset_problem(unset: Unset, files: Mapping[str, FileSpec], layouts: Mapping[str, LayoutSpec]) -> str:
    """What is wrong with it in its application; empty when nothing is. Whoever asks for a secret must be able to read
    whether there is one."""
    file = files.get(unset.file)
    if file is None or not file.layout or not file.read.always:
        return "unset: no file with a layout that anybody may read"
    found = [one for one in layouts[file.layout].walk() if one.name == unset.field]
    return "" if found and unset.meaning in found[0].values.values() else "unset: no field with such a meaning"
