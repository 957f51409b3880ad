"""What a table calls the secrets of a card: short names, the application where two have the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kojin_card import messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kojin_card.cli.console import Console


class Named(Protocol):
    """What has its names from the specs: a key, or its status."""

    @property
    def secret(self) -> str: ...
    @property
    def name_ja(self) -> str: ...
    @property
    def name_en(self) -> str: ...


def short_name(named: Named, lang: str) -> str:
    """The name without what stands in brackets behind it."""
    return _cut(named.name_ja, named.name_en, lang)


def _cut(ja: str, en: str, lang: str) -> str:
    return ja.partition("（")[0] if lang == "ja" else en.partition(" (")[0]


def labels(found: Sequence[tuple[str, Named]], console: Console) -> list[str]:
    """Short names, with the application where two secrets have the same.

    Args:
        found: application and secret.
    """
    from kojin_card.spec import load_card_spec

    applications, lang = load_card_spec().applications, console.lang
    names = [short_name(one, lang) for _, one in found]
    homes = [_cut(applications[home].name_ja, applications[home].name_en, lang) for home, _ in found]
    return [
        console.text("say.tries.of", name=name, application=home) if names.count(name) > 1 else name
        for name, home in zip(names, homes, strict=True)
    ]


def explanations(found: Sequence[Named], console: Console) -> list[tuple[str, str]]:
    """What the secrets are made of that are printed on the card, each once."""
    return [
        (name, console.text(f"say.tries.about.{secret}"))
        for secret, name in dict.fromkeys((one.secret, short_name(one, console.lang)) for one in found)
        if messages.has(f"say.tries.about.{secret}")
    ]
