"""What to do about a refusal depends on what carries the application (card.md §2.6, §8): nobody is sent with a
smartphone where a card goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.commandline import Cli
from kojin_card import messages

Card = Callable[..., Path]
COUNTER = {"ja": "窓口で初期化（再設定）してください", "en": "reset at the counter"}
SERVICE = "公的個人認証サービス"


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize("persona", ["android", "iphone"])
def test_the_counter_and_the_kiosk_are_for_cards(cli: Cli, card: Card, persona: str, lang: str) -> None:
    for left, state in ((0, "blocked"), (1, "one_left")):
        path = card(persona, tries={"jpki/auth_pin": left})
        found = cli("--simulator", path, "pin", "status", "--json", "--lang", lang).json("pin-status")["secrets"]
        step = next(one["next"] for one in found if one["secret"] == "auth-pin" and one["state"] == state)
        assert COUNTER[lang] not in step
        assert SERVICE in step


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize(("left", "more", "exit_code"), [(0, (), 5), (1, (), 6), (1, ("--last-try",), 5), (2, (), 4)])
@pytest.mark.parametrize(("persona", "phone"), [("android", True), ("adult", False)])
def test_remedies_too(
    cli: Cli, card: Card, persona: str, phone: bool, left: int, more: tuple[str, ...], exit_code: int, lang: str
) -> None:
    path = card(persona, tries={"jpki/auth_pin": left})
    given = {"auth-pin": "4321" if exit_code in (4, 5) else "1234", "new-auth-pin": "4826"}
    lines = ("--simulator", path, "pin", "change", "auth", *more, "--json", "--lang", lang)
    run = cli(*lines, secrets=given)
    assert run.exit == exit_code
    counter = {"ja": "市区町村の窓口", "en": "counter"}[lang]
    if not phone or left == 0:
        assert counter in run.error()["remedy"]
    if phone:
        assert COUNTER[lang] not in run.error()["remedy"]
        assert ({"ja": "スマートフォン", "en": "smartphone"}[lang]) in run.error()["remedy"]
        assert {"ja": "このカード", "en": "this card"}[lang] not in run.error()["remedy"]


@pytest.mark.parametrize("persona", ["android", "iphone"])
def test_a_phone_without_a_licence_is_called_a_phone(cli: Cli, card: Card, persona: str) -> None:
    run = cli(
        "--simulator", card(persona), "read", "licence", "--json", "--lang", "ja", secrets={"licence-pin": "2468"}
    )
    assert run.exit == 8
    assert "これはスマートフォンです" in run.error()["remedy"]
    assert "警察" not in run.error()["remedy"]
    own = cli("--simulator", card(), "read", "licence", "--json", "--lang", "ja", secrets={"licence-pin": "2468"})
    assert "警察署" in own.error()["remedy"]


def test_an_old_card_is_called_one(cli: Cli, card: Card) -> None:
    path = card("resident_registry_card")
    run = cli("--simulator", path, "pin", "status", "--lang", "ja")
    assert "住民基本台帳カード（旧）" in run.out
    assert "15歳未満" not in cli("--simulator", path, "pin", "status", "--json", "--lang", "ja").out
    assert "次にすること" not in run.out
