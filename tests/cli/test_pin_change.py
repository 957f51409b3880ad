"""``pin change``: outcome x exit code, half changes, prompts, and nothing typed that is seen again."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cli.commandline import Cli
from kojin_card import messages
from kojin_card.cli.secret_sources import PromptedSecrets

Card = Callable[..., Path]

#: word -> name in --secrets, value of the adult persona, another one, where it stands
FOUR = {
    "sign": ("sign-password", "ABC123", "XYZ7890", ("jpki/sign_password",)),
    "auth": ("auth-pin", "1234", "4826", ("jpki/auth_pin",)),
    "text": ("pin", "5678", "4826", ("input_support/pin",)),
    "registry": ("registry-pin", "9012", "4826", ("common/resident_registry_pin", "juki/resident_registry_pin")),
}


def values(path: Path) -> dict[str, bytes | None]:
    from kojin_card.simulator import SoftCard

    places = [place for _, _, _, all_places in FOUR.values() for place in all_places]
    with SoftCard.open(path) as card:
        return {place: card.state.key(*place.split("/")).secret for place in places}


def test_no_other_pin_stands_in_for_the_one_that_is_replaced(cli: Cli, card: Card) -> None:
    """Elsewhere `pin` serves where `auth-pin` is missing; here a wrong guess would cost a try of the PIN to be kept."""
    path = card()
    run = cli("--simulator", path, "pin", "change", "auth", "--json", secrets={"pin": "5678", "new-auth-pin": "4826"})
    assert (run.exit, run.error()["code"]) == (2, "secret_unavailable")
    status = cli("--simulator", path, "pin", "status", "--json").json("pin-status")["secrets"]
    assert {one["secret"]: one["tries_left"] for one in status}["auth-pin"] == 3


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize("which", FOUR)
def test_a_secret_is_changed_where_it_stands_and_nowhere_else(cli: Cli, card: Card, which: str, lang: str) -> None:
    name, old, new, places = FOUR[which]
    path = card()
    before = values(path)
    given = {name: old, f"new-{name}": new}
    run = cli("--simulator", path, "pin", "change", which, "-v", "--lang", lang, secrets=given)
    assert run.exit == 0
    assert messages.text(f"say.changed.{which}", lang) in run.out
    assert values(path) == {**before, **dict.fromkeys(places, new.encode())}
    assert old not in run.all
    assert new not in run.all
    back = cli("--simulator", path, "pin", "change", which, "--json", secrets={name: new, f"new-{name}": old})
    assert back.json("pin-changed")["changed"] == which
    assert values(path) == before


@pytest.mark.parametrize("which", FOUR)
@pytest.mark.parametrize(
    ("wrong", "left", "exit_code"),
    [("old", None, 4), ("old form", None, 2), ("new form", None, 2), ("no new", None, 2), ("", 1, 6), ("", 0, 5)],
)
def test_what_goes_wrong_changes_nothing(
    cli: Cli, card: Card, which: str, wrong: str, left: int | None, exit_code: int
) -> None:
    name, old, new, places = FOUR[which]
    path = card(tries=None if left is None else dict.fromkeys(places, left))
    raw, before = path.read_bytes(), values(path)
    given = {name: old, f"new-{name}": new}
    match wrong:
        case "old":
            given[name] = "WRONG9" if which == "sign" else "9999"
        case "old form":
            given[name] = "77"
        case "new form":
            given[f"new-{name}"] = "77"
        case "no new":
            del given[f"new-{name}"]
    run = cli("--simulator", path, "pin", "change", which, "--json", secrets=given)
    assert run.exit == exit_code
    assert run.error()["remedy"]
    assert values(path) == before
    assert wrong == "old" or path.read_bytes() == raw  # no try was spent
    assert not any(value in run.all for value in given.values() if len(value) > 2)


def test_a_half_change_is_finished_by_the_same_command(
    cli: Cli, tmp_path: Path, states: Callable[[str], object]
) -> None:
    from kojin_card.simulator import CardState, SoftCard

    state = states("adult")
    assert isinstance(state, CardState)
    for first, exit_code in ((b"4826", 0), (b"7777", 9)):
        key = replace(state.key("common", "resident_registry_pin"), secret=first)
        path = tmp_path / f"{exit_code}.json"
        SoftCard.create(path, state.with_key("common", "resident_registry_pin", key)).close()
        given = {"registry-pin": "9012", "new-registry-pin": "4826"}
        run = cli("--simulator", path, "pin", "change", "registry", "--json", secrets=given)
        assert run.exit == exit_code
        if exit_code:
            assert run.error()["code"] == "half_changed"
        else:
            assert {values(path)[place] for place in FOUR["registry"][3]} == {b"4826"}


@pytest.mark.parametrize(
    ("typed", "exit_code"),
    [
        (["1234", "4826", "4826"], 0),
        (["1234", "4826", "4827", "4826", "4826"], 0),
        (["1234", *["4826", "4827"] * 3], 2),
        (["1234", "77", "4826", "4826"], 0),
        (["1234", "77", "77", "77"], 2),
    ],
)
def test_a_prompt_asks_for_the_new_value_twice(
    cli: Cli, card: Card, monkeypatch: pytest.MonkeyPatch, typed: list[str], exit_code: int
) -> None:
    prompts: list[str] = []
    answers = iter(typed)

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return next(answers)

    monkeypatch.setattr(PromptedSecrets, "possible", staticmethod(lambda: True))
    monkeypatch.setattr(getpass, "getpass", ask)
    path = card()
    before = values(path)
    run = cli("--simulator", path, "pin", "change", "auth", "--lang", "ja")
    assert run.exit == exit_code
    assert (values(path) == before) == bool(exit_code)
    assert len(prompts) == len(typed)
    assert [prompt[:3] for prompt in prompts] == ["利用者", *["新しい"] * (len(typed) - 1)]
    assert ("もう一度" in prompts[2]) == (typed[1] != "77")
    mistyped = exit_code == 2 and typed[1] != "77"
    assert ("新しい暗証番号が2回の入力で一致しませんでした。何も変更していません。" in run.err) == mistyped
    assert not any(value in run.all for value in typed if len(value) > 2)


@pytest.mark.parametrize("which", FOUR)
def test_a_secret_is_not_replaced_by_itself(cli: Cli, card: Card, which: str) -> None:
    """Refused before either is sent, also where the card would take small letters for capitals."""
    name, old, _, _ = FOUR[which]
    path = card()
    raw = path.read_bytes()
    given = {name: old, f"new-{name}": old.lower()}
    run = cli("--simulator", path, "pin", "change", which, "-v", "--lang", "ja", secrets=given)
    assert run.exit == 2
    assert "新しい暗証番号が今の暗証番号と同じです" in run.err
    assert "] tries" not in run.err
    assert path.read_bytes() == raw


def test_nor_when_it_was_asked_for(cli: Cli, card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PromptedSecrets, "possible", staticmethod(lambda: True))
    monkeypatch.setattr(getpass, "getpass", lambda _: "1234")
    path = card()
    run = cli("--simulator", path, "pin", "change", "auth", "-v", "--json")
    assert (run.exit, run.error()["code"]) == (2, "secret_format")
    assert "[secret]" not in run.err


def test_what_may_be_changed_is_called_so(cli: Cli, card: Card) -> None:
    run = cli("--simulator", card(), "pin", "change", "foo", "--lang", "ja")
    assert run.exit == 2
    assert "変更する暗証番号 に指定できるのは" in run.err
    assert "sign|auth" not in run.err
