"""The software card: behaves like the chip, built from the specs, sharing no code with the client above the codecs.

Names are looked up when first used: whoever needs the test PKI alone does not load the chip, and the other way round.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kojin_card.simulator.persona import Persona
    from kojin_card.simulator.persona_file import load_persona, persona_names
    from kojin_card.simulator.personalize import make_card
    from kojin_card.simulator.softcard import SoftCard
    from kojin_card.simulator.state import CardState, Knobs

__all__ = ["CardState", "Knobs", "Persona", "SoftCard", "load_persona", "make_card", "persona_names"]

if not TYPE_CHECKING:  # a type checker must see the names above and nothing else

    def __getattr__(name: str) -> object:
        homes = {
            "CardState": "state",
            "Knobs": "state",
            "Persona": "persona",
            "SoftCard": "softcard",
            "load_persona": "persona_file",
            "make_card": "personalize",
            "persona_names": "persona_file",
        }
        if name not in homes:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{homes[name]}"), name)
