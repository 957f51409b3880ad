"""``readers``, ``doctor`` and ``watch`` on a stand-in for pyscard; what each broken set-up is told."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

import kojin_card
from cli.commandline import PINS, PLANTED, Cli, Run
from client.fake_pcsc import Fake, Reader
from kojin_card import messages
from kojin_card.cli.session import Session
from kojin_card.pki.certificate import Certificate
from kojin_card.simulator import CardState, SoftCard
from kojin_card.transport import pcsc

States = Callable[[str], CardState]
Card = Callable[..., Path]

#: card.md §9, typed from there -> the finding that speaks of it
PAINS = {
    1: ("recognition", "ATR"),
    2: ("sign_certificate", "signature password"),
    3: ("tries", "secrets"),
    4: ("readers", "found"),
    5: ("reader", "card"),
    6: ("kind", "Individual Number Card"),
    7: ("system", "official client"),
    8: ("sharing", "other program"),
    9: ("facts", "no public specification"),
    10: ("auth_certificate", "revoked"),
}


class Other:
    """A card of another kind."""

    def transmit(self, _: bytes) -> bytes:
        return b"\x6a\x82"

    def reset(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcsc, "PATIENCE", 0.0)


@pytest.fixture
def soft(states: States) -> Callable[..., SoftCard]:
    def make(persona: str = "adult", *, tries: dict[str, int] | None = None) -> SoftCard:
        state = states(persona)
        for reference, left in (tries or {}).items():
            app, _, key = reference.partition("/")
            state = state.with_key(app, key, replace(state.key(app, key), tries_left=left))
        return SoftCard.in_memory(state)

    return make


def findings(run: Run) -> dict[str, dict[str, Any]]:
    """By id, the worst of each."""
    order = ["ok", "note", "warning", "problem"]
    out: dict[str, dict[str, Any]] = {}
    for one in run.json("doctor")["findings"]:
        if one["id"] not in out or order.index(one["state"]) > order.index(out[one["id"]]["state"]):
            out[one["id"]] = one
    return out


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_each_of_the_ten_pains_has_its_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, soft: Callable[..., SoftCard]
) -> None:
    Fake(PaSoRi=Reader(soft())).install(monkeypatch)
    run = cli("doctor", "--json", "--lang", "en")
    assert run.exit == 0
    told = run.json("doctor")["findings"]
    for pain, (name, words) in PAINS.items():
        assert [one for one in told if one["id"] == name and words in one["message"]], pain
    assert not any(one["state"] in ("warning", "problem") for one in told)
    for lang, end in (("ja", "問題は見つかりませんでした。"), ("en", "Nothing is wrong.")):
        shown = cli("doctor", "--lang", lang)
        assert (shown.exit, shown.err) == (0, "")
        assert shown.out.rstrip().endswith(end)
        assert shown.out.count("\n") > 10
    assert not any(secret in run.all for secret in PLANTED)


def no_extra(monkeypatch: pytest.MonkeyPatch, _: Any) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", None)


def refusing(code: int, name: str = "SCardEstablishContext") -> Callable[[pytest.MonkeyPatch, Any], None]:
    def make(monkeypatch: pytest.MonkeyPatch, soft: Callable[..., SoftCard]) -> None:
        fake = Fake(PaSoRi=Reader(soft())).install(monkeypatch)
        fake.fault = lambda called, *_: code if called == name else None

    return make


def with_readers(**kinds: str | dict[str, Any]) -> Callable[[pytest.MonkeyPatch, Any], None]:
    def make(monkeypatch: pytest.MonkeyPatch, soft: Callable[..., SoftCard]) -> None:
        made = {}
        for name, kind in kinds.items():
            match kind:
                case "empty":
                    made[name] = Reader()
                case "mute":
                    made[name] = Reader(Other(), mute=True)
                case "other":
                    made[name] = Reader(Other())
                case "busy":
                    made[name] = Reader(soft(), exclusive_elsewhere=True)
                case str():
                    made[name] = Reader(soft(kind))
                case dict():
                    made[name] = Reader(soft(tries=kind))
        Fake(**made).install(monkeypatch)

    return make


#: set-up -> exit code, the finding that names the cause, words of it, words of what to do
BROKEN: dict[str, tuple[Callable[[pytest.MonkeyPatch, Any], None], int, str, str, str]] = {
    "no extra": (no_extra, 11, "extra", "追加機能「pcsc」が入っていません", "pip install 'kojin-card[pcsc]'"),
    "no service": (refusing(0x8010001D), 11, "service", "動いていません", "pcscd"),
    "polkit": (refusing(0x8010006A), 11, "service", "許していません", "polkit"),
    "polkit, the card": (refusing(0x8010006A, "SCardConnect"), 11, "card", "許していません", "access_card"),
    "no reader": (with_readers(), 3, "readers", "1台もありません", "RC-S380"),
    "no card": (with_readers(PaSoRi="empty"), 3, "card", "見つかりません", "中央"),
    "mute": (with_readers(PaSoRi="mute"), 3, "reader", "応答しません", "置き直して"),
    "wrong card": (with_readers(PaSoRi="other"), 3, "card", "個人番号カードとして応答しません", "財布"),
    "two cards": (with_readers(A="adult", B="child"), 3, "card", "A, B", "--reader"),
    "busy": (with_readers(PaSoRi="busy"), 9, "card", "別のプログラム", "終わらせて"),
    "住基カード": (with_readers(PaSoRi="old"), 8, "kind", "住民基本台帳カード", "個人番号カードをお持ちください"),
    "phone": (with_readers(PaSoRi="android"), 0, "kind", "スマートフォン", "auth respond"),
    "blocked": (with_readers(PaSoRi={"jpki/auth_pin": 0}), 5, "tries", "ロックされています", "市区町村"),
    "one try left": (with_readers(PaSoRi={"jpki/sign_password": 1}), 6, "tries", "あと1回", "窓口"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_every_broken_set_up_is_told_its_cause_and_its_next_step(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, soft: Callable[..., SoftCard], states: States, name: str
) -> None:
    break_it, code, cause, words, step = BROKEN[name]

    def card(persona: str = "adult", **more: Any) -> SoftCard:
        return old_card(states) if persona == "old" else soft(persona, **more)

    break_it(monkeypatch, card)
    run = cli("doctor", "--json", "--lang", "ja")
    assert run.exit == code == run.json("doctor")["exit"]
    found = findings(run)[cause]
    assert found["state"] in ("warning", "problem")
    assert words in found["message"]
    assert step in found["next"]
    shown = cli("doctor", "--lang", "ja")
    assert shown.exit == code
    flat = "".join(shown.out.split())
    assert "".join(found["message"].split()) in flat
    assert "".join(found["next"].split()) in flat
    english = cli("doctor", "--lang", "en", "--plain")
    assert english.exit == code
    assert not re.search(r"[\u3040-\u30ff]", re.sub(r"[(（][^)）]*[)）]", "", english.out)), "only terms in brackets"


def old_card(states: States) -> SoftCard:
    """An old 住基カード: card.md §2.6, its label is that of the Individual Number Card without the 2."""
    state = states("adult")
    jpki = state.applications["jpki"]
    token = jpki.files["token_information"]
    assert token.octets is not None
    octets = token.octets.replace(b"JPKIAPICCTOKEN2", b"JPKIAPICCTOKEN ")
    assert octets != token.octets
    changed = replace(jpki, files={**jpki.files, "token_information": replace(token, octets=octets)})
    return SoftCard.in_memory(replace(state, applications={**state.applications, "jpki": changed}))


def test_a_clock_that_is_behind_is_told(cli: Cli, card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    path = card()
    monkeypatch.setattr(Session, "now", staticmethod(lambda: datetime(2020, 1, 1, tzinfo=UTC)))
    run = cli("--simulator", path, "doctor", "--json", "--lang", "en")
    assert run.exit == 21
    clocks = [one["message"] for one in run.json("doctor")["findings"] if one["id"] == "clock"]
    assert "before this version" in clocks[0]
    assert "certificate was issued" in clocks[1]


@pytest.mark.parametrize(("days", "state", "code"), [(1, "problem", 21), (-30, "warning", 0), (-100, "ok", 0)])
def test_an_expiry_is_told(
    cli: Cli, card: Card, monkeypatch: pytest.MonkeyPatch, days: int, state: str, code: int
) -> None:
    path = card()
    with kojin_card.connect(simulator=path) as opened:
        end = Certificate.parse(opened.jpki.certificate("auth")).not_after
    monkeypatch.setattr(Session, "now", staticmethod(lambda: end + timedelta(days=days)))
    run = cli("--simulator", path, "doctor", "--json")
    assert findings(run)["auth_certificate"]["state"] == state
    assert run.exit == code


@pytest.mark.parametrize("persona", ["adult", "child", "android", "iphone", "jlis_test_card", "licence_holder"])
def test_a_software_card_is_examined_without_readers(cli: Cli, card: Card, persona: str) -> None:
    run = cli("--simulator", card(persona), "doctor", "--json")
    assert run.exit == 0
    assert findings(run)["readers"]["state"] == "note"
    assert cli("--simulator", "none.json", "doctor").exit == 10


# --- readers and watch ------------------------------------------------------------------------------------------------


def test_readers_are_listed_and_nothing_is_sent(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, soft: Callable[..., SoftCard]
) -> None:
    fake = Fake(PaSoRi=Reader(soft(), shared_elsewhere=True), Empty=Reader(), Mute=Reader(Other(), mute=True)).install(
        monkeypatch
    )
    run = cli("readers", "--json")
    assert run.exit == 0
    assert [(one["name"], one["state"], one["used"]) for one in run.json("readers")["readers"]] == [
        ("PaSoRi", "card", "shared"),
        ("Empty", "empty", "no"),
        ("Mute", "mute", "no"),
    ]
    for lang in messages.LANGUAGES:
        assert "PaSoRi" in cli("readers", "--lang", lang).out
    assert not fake.sent
    fake.readers.clear()
    assert cli("readers").exit == 3
    assert cli("readers", "--json").error()["code"] == "no_reader"
    fake.fault = lambda name, *_: 0x8010001D if name == "SCardEstablishContext" else None
    assert cli("readers", "--json").error()["code"] == "no_service"


def test_a_readers_name_cannot_command_a_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake().install(monkeypatch)
    fake.readers["\x1b[31mPaSoRi\u202e"] = Reader(Other())
    for words in (("readers",), ("watch", "--seconds", "0"), ("doctor",), ("info",)):
        run = cli(*words)
        assert "\x1b" not in run.all
        assert "\u202e" not in run.all


def test_events_are_one_document_a_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Fake(PaSoRi=Reader(Other())).install(monkeypatch)
    run = cli("watch", "--json", "--seconds", "0")
    assert run.exit == 0
    schema = json.loads(files("kojin_card.cli").joinpath("schemas", "watch.json").read_text("utf-8"))
    lines = [json.loads(line) for line in run.out.splitlines()]
    for line in lines:
        jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(line)
    assert [line["event"] for line in lines] == ["reader_added", "card_inserted"]
    assert cli("watch", "--json", "--count", "1").out.count("\n") == 1
    assert "カードが置かれました: PaSoRi" in cli("watch", "--seconds", "0", "--lang", "ja").out


def test_a_reader_that_is_named_is_the_one_that_is_watched(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk with two readers: what comes and goes at the other one is not counted either."""
    Fake(Counter=Reader(), PaSoRi=Reader(Other())).install(monkeypatch)
    run = cli("watch", "--reader", "pasori", "--json", "--seconds", "0", "--count", "2")
    found = [(line["event"], line["reader"]) for line in map(json.loads, run.out.splitlines())]
    assert found == [("reader_added", "PaSoRi"), ("card_inserted", "PaSoRi")]
    assert (cli("watch", "--reader", "Sony", "--seconds", "0").exit, cli("watch", "--seconds", "0").exit) == (0, 0)


def test_a_reader_that_is_not_there_is_told_with_those_that_are(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Fake(PaSoRi=Reader(Other())).install(monkeypatch)
    run = cli("info", "--reader", "Sony")
    assert run.exit == 3
    assert "There is no reader called “Sony”. There is: PaSoRi" in run.err
    run = cli("watch", "--reader", "", "--seconds", "0")  # what an unset shell variable gives
    assert run.exit == 2
    assert "empty" in run.err


def test_the_error_that_ends_a_series_is_one_line_of_it_too(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads line by line must not have to know that the last document is written otherwise."""
    fake = Fake(PaSoRi=Reader(Other())).install(monkeypatch)
    fake.fault = lambda name, number, _: 0x8010001E if name == "SCardGetStatusChange" and number > 1 else None
    run = cli("watch", "--json")
    assert run.exit == 11
    lines = [json.loads(line) for line in run.out.splitlines()]
    assert [one["schema"].split("/")[1] for one in lines] == ["watch", "watch", "error"]
    fake.fault = lambda name, *_: 0x8010001D if name == "SCardEstablishContext" else None
    assert json.loads(cli("watch", "--json").out)["error"]["code"] == "no_service"


def test_watching_ends_with_130_when_it_is_interrupted(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(PaSoRi=Reader(Other())).install(monkeypatch)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pcsc.Service, "wait", interrupted)
    run = cli("watch", "--json", "-v")
    assert run.exit == 130, run.all
    assert fake.contexts == 0


# --- a command with a card in a reader --------------------------------------------------------------------------------


def test_commands_use_the_reader(cli: Cli, monkeypatch: pytest.MonkeyPatch, soft: Callable[..., SoftCard]) -> None:
    fake = Fake(Left=Reader(soft()), Right=Reader(soft("child"))).install(monkeypatch)
    assert cli("info", "--json").error()["code"] == "ambiguous_card"
    run = cli(
        "--reader", "left", "read", "basic-four", "--trust", "simulator", "--json", secrets={"pin": PINS["basic"]}
    )
    assert run.exit == 0
    assert fake.resets == 1
    assert cli("--reader", "left", "--simulator", "x", "info").exit == 2
    fake.readers["Left"].card = None
    waited = cli("--reader", "Left", "--wait-for-card", "1", "info", "--lang", "en")
    assert waited.exit == 3
    assert "Put the card on the reader" in waited.err


def test_a_prompt_names_reader_and_card(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, soft: Callable[..., SoftCard]
) -> None:
    from kojin_card.cli.secret_sources import PromptedSecrets

    Fake(PaSoRi=Reader(soft())).install(monkeypatch)
    monkeypatch.setattr(PromptedSecrets, "possible", staticmethod(lambda: True))
    monkeypatch.setattr("getpass.getpass", lambda _: PINS["basic"])
    run = cli("read", "basic-four", "--trust", "simulator", "--lang", "ja")
    assert run.exit == 0
    assert "カード: PaSoRi 個人番号カード（マイナンバーカード） …0017" in run.err


def test_a_reader_with_keys_is_used_for_digits(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, soft: Callable[..., SoftCard]
) -> None:
    from kojin_card.cli.secret_sources import PromptedSecrets

    fake = Fake(Keys=Reader(soft(), features={0x06: 0x42330006}, typed=PINS["basic"])).install(monkeypatch)
    monkeypatch.setattr(PromptedSecrets, "possible", staticmethod(lambda: True))
    run = cli("read", "basic-four", "--by", "pin", "--trust", "simulator", "--lang", "ja")
    assert run.exit == 0, run.err
    assert "リーダーのキーで入力してください" in run.err
    assert len(fake.structures) == 1
