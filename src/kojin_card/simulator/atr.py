"""The answers to reset of the real families of cards (``fixtures/personas/interface/atr.toml``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from kojin_card.resources import data_root
from kojin_card.spec.load import evidence, identifier
from kojin_card.spec.strict import parse_toml, unique

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.spec.model import Evidence

SCHEMA = 1
_FILE = "atr.toml"
_SIZE = (2, 33)


class Interface(StrEnum):
    """How the card is read."""

    CONTACT = "contact"
    CONTACTLESS = "contactless"


@dataclass(frozen=True, slots=True)
class AtrFamily:
    """Cards that show the same answer to reset (card.md §5)."""

    id: str
    atr: bytes
    interface: Interface
    name_ja: str
    name_en: str
    evidence: Evidence


@cache
def atr_families() -> Mapping[str, AtrFamily]:
    """Every family by its id, in the order of the file.

    Raises:
        SpecError: the file is malformed.
    """
    return load_atr_families(data_root("fixtures/personas").joinpath("interface", _FILE).read_text("utf-8"), _FILE)


def load_atr_families(text: str, file: str) -> Mapping[str, AtrFamily]:
    """The same from the text of a file.

    Raises:
        SpecError: with file and table, for anything that is not as it must be.
    """
    top = parse_toml(text, file)
    if top.take("schema", int) != SCHEMA:
        raise top.error(f"schema must be {SCHEMA}")
    found: dict[str, AtrFamily] = {}
    for row in top.tables("atr", required=True):
        family = AtrFamily(
            id=identifier(row),
            atr=row.hex("atr", size=_SIZE),
            interface=row.choice("interface", Interface),
            name_ja=row.take("name_ja", str),
            name_en=row.take("name_en", str),
            evidence=evidence(row),
        )
        row.done()
        unique(row, found, family.id, family)
    top.done()
    return found
