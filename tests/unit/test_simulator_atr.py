"""The ATRs of the real families, against the facts as typed here, and read strictly."""

from __future__ import annotations

from functools import reduce
from operator import xor

import pytest

from kojin_card.errors import SpecError
from kojin_card.resources import data_root
from kojin_card.simulator.atr import atr_families, load_atr_families
from kojin_card.simulator.persona_file import load_profile, profile_names
from simulator.atrs import PUBLISHED_ATRS


def test_the_families_are_those_of_the_facts() -> None:
    assert [family.atr.hex().upper() for family in atr_families().values()] == list(PUBLISHED_ATRS)


@pytest.mark.parametrize("atr", PUBLISHED_ATRS)
def test_the_check_character_is_right(atr: str) -> None:
    """TCK: the exclusive or of all bytes but the first is zero (ISO/IEC 7816-3 §8.2.5)."""
    assert reduce(xor, bytes.fromhex(atr)[1:]) == 0


def test_the_profiles_show_one_of_them() -> None:
    families = {family.atr for family in atr_families().values()}
    assert {load_profile(name).atr for name in profile_names()} <= families


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('id = "contact"', 'id = "Contact"'),
        ('atr = "3BE000FF8131FE4514"', 'atr = "3B"'),
        ('interface = "contact"', 'interface = "radio"'),
        ('name_ja = "', 'names = "'),
        ("schema = 1", "schema = 2"),
        ('id = "contactless"', 'id = "contact"'),
        ("[[atr]]", "[[atrs]]"),
    ],
)
def test_a_malformed_file_is_refused(old: str, new: str) -> None:
    text = data_root("fixtures/personas").joinpath("interface", "atr.toml").read_text("utf-8")
    assert old in text
    with pytest.raises(SpecError):
        load_atr_families(text.replace(old, new, 1), "atr.toml")
