"""``info`` and ``pin status``: whether the card has expired."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.commandline import Cli
from kojin_card import messages


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize("command", ["info", "pin status"])
@pytest.mark.parametrize(("persona", "expired"), [("adult", False), ("expired", True), ("android", None)])
def test_an_expired_card_says_so(
    cli: Cli, card: Callable[..., Path], persona: str, expired: bool | None, lang: str, command: str
) -> None:
    line = ("--simulator", card(persona), *command.split(), "--lang", lang)
    assert cli(*line, "--json").json(command.replace(" ", "-"))["expired"] is expired
    for how in ((), ("--plain",)):
        assert (messages.text("say.info.expired", lang) in cli(*line, *how).out) is bool(expired)
