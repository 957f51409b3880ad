"""``pin status``: for each secret what happens next, and nobody sent to a counter that cannot help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from cli.commandline import Cli
from kojin_card import messages
from kojin_card.channel import PinStatus
from kojin_card.cli.console import Console
from kojin_card.cli.next_steps import what_next
from kojin_card.spec import ChangeCommand, KeyKind, load_card_spec

Card = Callable[..., Path]
STATES = ("ready", "used", "one_left", "blocked", "absent", "not_counted")
COUNTER = {"ja": "市区町村の窓口", "en": "counter of the holder's municipality"}

KEYS = [
    (app.id, key)
    for app in load_card_spec().applications.values()
    for key in app.keys.values()
    if key.kind is KeyKind.PIN
]


def status_of(cli: Cli, path: Path, lang: str = "ja") -> dict[str, dict[str, Any]]:
    found = cli("--simulator", path, "pin", "status", "--json", "--lang", lang).json("pin-status")["secrets"]
    return {f"{one['application']}/{one['key']}": one for one in found}


@pytest.mark.parametrize(("place", "lang"), list(product(KEYS, messages.LANGUAGES)), ids=lambda value: str(value)[:40])
def test_every_secret_has_words_in_every_state(place: tuple[str, Any], lang: str) -> None:
    """The holder's own secrets are reset at the counter; for the numbers on the card's face no procedure is public
    (card.md §3, §13)."""
    app, key = place
    holders = key.change is not None and key.change.command is not ChangeCommand.NONE
    for state in STATES:
        total = key.tries.count if key.tries else None
        found = PinStatus(app, key.id, key.secret, key.name_ja, key.name_en, 1, total)
        words = what_next(found, state, Console(lang=lang))
        assert words
        if state in ("blocked", "one_left"):
            assert (COUNTER[lang] in words) == holders, (app, key.id, state)
        if state in ("ready", "used", "absent"):
            assert COUNTER[lang] not in words


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_blocked_and_nearly(cli: Cli, card: Card, lang: str) -> None:
    path = card(tries={"jpki/auth_pin": 0, "input_support/pin": 1, "jpki/sign_password": 4, "input_support/code_b": 0})
    found = status_of(cli, path, lang)
    blocked = found["jpki/auth_pin"]["next"]
    assert {"ja": "本人確認書類", "en": "proof of identity"}[lang] in blocked
    assert {"ja": "コンビニエンスストア", "en": "convenience-store"}[lang] in blocked
    assert "--last-try" in found["input_support/pin"]["next"]
    assert {"ja": "時間がたっても", "en": "time does not"}[lang] in found["jpki/sign_password"]["next"]
    assert {"ja": "公表されていません", "en": "No way"}[lang] in found["input_support/code_b"]["next"]
    assert {"ja": "券面事項入力補助用暗証番号", "en": "input-support PIN"}[lang] in found["input_support/code_b"][
        "next"
    ]
    shown = "".join(cli("--simulator", path, "pin", "status", "--lang", lang).out.split())
    for one in found.values():
        assert ("".join(one["next"].split()) in shown) == (one["state"] != "ready")


def test_nobody_knows_how_many_tries_the_birth_date_key_has(cli: Cli, card: Card) -> None:
    found = status_of(cli, card())["card_face/birth_code"]
    assert (found["state"], found["tries"]) == ("ready", None)
    assert "全部で何回かは公表されていません" in found["next"]


def test_a_childs_absent_password_needs_no_counter(cli: Cli, card: Card) -> None:
    found = status_of(cli, card("child"))["jpki/sign_password"]
    assert found["state"] == "absent"
    assert "15歳未満" in found["next"]
    assert "手続きは要りません" in found["next"]


def test_a_card_without_usable_pins_may_be_one_for_the_face(cli: Cli, card: Card) -> None:
    words = "顔認証マイナンバーカード"
    assert words in cli("--simulator", card("face_authentication"), "pin", "status", "--lang", "ja").out
    assert words not in cli("--simulator", card("blocked_auth"), "pin", "status", "--lang", "ja").out


def test_two_secrets_of_one_name_are_told_apart(cli: Cli, card: Card) -> None:
    lines = cli("--simulator", card(), "pin", "status", "--lang", "ja", "--plain").out.splitlines()
    labels = [line.split(": ")[0] for line in lines if ": " in line]
    assert len(labels) == len(set(labels)) + 1  # the birth-date key has its state, and what it is made of


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize(
    ("words", "wrong", "place"),
    [
        ("read face", {"code-b": "02080320364272"}, "card_face/code_b"),
        ("read face --by code-a", {"code-a": "123456789026"}, "card_face/code_a"),
        ("read age --at-least 20", {"birth-code": "020804"}, "card_face/birth_code"),
        ("read basic-four", {"code-b": "02080320364272"}, "input_support/code_b"),
        ("read basic-four", {"pin": "0000"}, "input_support/pin"),
    ],
)
@pytest.mark.parametrize("left", [3, 2, 1, 0])
def test_no_remedy_sends_people_to_a_counter_that_cannot_help(
    cli: Cli, card: Card, lang: str, words: str, wrong: dict[str, str], place: str, left: int
) -> None:
    run = cli("--simulator", card(tries={place: left}), *words.split(), "--json", "--lang", lang, secrets=wrong)
    error = run.error()
    assert (run.exit, error["tries_left"]) == ({3: 4, 2: 4, 1: 6, 0: 5}[left], {3: 2, 2: 1, 1: 1, 0: 0}[left])
    counter = {"ja": "市区町村の窓口", "en": "counter"}[lang]
    assert (counter in error["remedy"]) == ("pin" in wrong)


def test_nothing_that_is_blocked_too_is_offered(cli: Cli, card: Card) -> None:
    """The kiosk wants the other secret of JPKI; what opens the same must be open itself."""
    both = status_of(cli, card(tries={"jpki/auth_pin": 0, "jpki/sign_password": 0}))
    assert not [one for one in both.values() if "コンビニエンスストア" in one["next"]]
    assert (
        "コンビニエンスストア" not in status_of(cli, card("child", tries={"jpki/auth_pin": 0}))["jpki/auth_pin"]["next"]
    )
    every = {"input_support/pin": 0, "input_support/code_a": 0, "input_support/code_b": 0}
    every |= {"card_face/birth_code": 0, "card_face/code_a": 0, "card_face/code_b": 0}
    found = status_of(cli, card(tries=every))
    assert not [place for place in every if "読め" in found[place]["next"] or "分かります" in found[place]["next"]]


def test_a_blocked_input_support_pin_names_the_way_round_it(cli: Cli, card: Card) -> None:
    path = card(tries={"input_support/pin": 0})
    for step in (
        status_of(cli, path)["input_support/pin"]["next"],
        cli("--simulator", path, "read", "basic-four", "--json", "--lang", "ja", secrets={"pin": "5678"}).error()[
            "remedy"
        ],
    ):
        assert "--by code-b" in step
        assert "コンビニエンスストア" not in step
    run = cli("--simulator", path, "read", "basic-four", "--by", "code-b", secrets={"code-b": "02080320364271"})
    assert run.exit == 0


def test_a_card_whose_pins_are_all_blocked_is_told_first_that_it_may_be_one_for_the_face(cli: Cli, card: Card) -> None:
    out = cli("--simulator", card("face_authentication"), "pin", "status", "--lang", "ja").out
    after = out.partition("次にすること")[2].strip(" ─\n")
    assert after.startswith("暗証番号がすべてロックされています")
    assert "".join(after.split()).count("市区町村の窓口") == 1
    assert "コンビニエンスストア" not in out


def test_a_healthy_card_wants_nothing(cli: Cli, card: Card) -> None:
    out = cli("--simulator", card(), "pin", "status", "--lang", "ja").out
    assert "次にすること" not in out
    assert "公表されていません" not in out


def test_what_is_not_there_takes_one_line(cli: Cli, tmp_path: Path, states: Callable[[str], Any]) -> None:
    from kojin_card.simulator import SoftCard

    state = states("adult")
    path = tmp_path / "some.json"
    kept = {name: content for name, content in state.applications.items() if name != "card_face"}
    SoftCard.create(path, replace(state, applications=kept)).close()
    out = cli("--simulator", path, "pin", "status", "--lang", "ja").out
    assert out.count("手続きは不要です") == 1
    assert "15歳未満" not in out


def test_a_childs_password_has_no_tries(cli: Cli, card: Card) -> None:
    out = cli("--simulator", card("child"), "pin", "status", "--lang", "ja").out
    row = next(line for line in out.splitlines() if "署名用パスワード" in line)
    assert row.split()[1:] == ["-", "-", "設定なし（署名用電子証明書のないカード）"]


@pytest.mark.parametrize(("word", "value"), [("pin", "0000"), ("code-b", "02080320364272")])
@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_the_last_try_was_wrong_and_is_not_only_blocked(cli: Cli, card: Card, word: str, value: str, lang: str) -> None:
    path = card(tries={f"input_support/{word.replace('-', '_')}": 1})
    line = ("--simulator", path, "read", "basic-four", "--by", word, "--last-try", "--json", "--lang", lang)
    wrong, after = cli(*line, secrets={word: value}), cli(*line, secrets={word: value})
    assert (wrong.exit, after.exit) == (5, 5)
    assert (wrong.error()["code"], after.error()["code"]) == ("pin_blocked", "pin_blocked")
    words = {"ja": "これでロックされました", "en": "now blocked"}[lang]
    assert words in wrong.error()["message"]
    assert words not in after.error()["message"]


def test_the_tables_fit_a_terminal_of_80_columns(cli: Cli, card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    from kojin_card.cli.render import Style, width

    for lang in messages.LANGUAGES:
        for persona in ("adult", "child", "face_authentication"):
            path = card(persona, tries={"input_support/code_a": 3})
            for words in (("--simulator", path, "pin", "status"), ("simulator", "show", path, "--reveal")):
                with monkeypatch.context() as patch:
                    patch.setattr(Console, "_style", lambda *_: Style(columns=80))
                    out = cli(*words, "--lang", lang).out
                long = [line for line in out.splitlines() if width(line) > 80 and "pytest" not in line]
                assert not long
