"""``slot``, ``slot-issuer``, ``slot-owner`` as people at a counter use them, and what they get wrong."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import kojin_card.card
from cli.commandline import Cli, Run
from cli.counter import (
    BASIS,
    CITY,
    KEYS,
    LIBRARY,
    PASSPHRASE,
    PRIVATE,
    SLOT_PIN,
    TOWN,
    WITH_PIN,
    Counter,
    fields,
    toml,
)
from kojin_card import connect, messages
from kojin_card.card import Card
from kojin_card.simulator import SoftCard
from kojin_card.slots import CardIssuer, IssuerKeys

ISSUE = ("slot", "issue", "facility", "--keys", "city.keys", "--legal-basis", BASIS, "--fields", "library.toml")
SEAL = ("slot", "issue", "seal_registration", "--keys", "city.keys", "--legal-basis", BASIS, "--fields", "seal.toml")
GATE = ("--terminal", "gate.cert", "--terminal-key", "gate.pem", "--owners", "owners.toml", "--status", "cards.toml")


@pytest.fixture
def desk(cli: Cli, counter: Counter) -> Callable[..., Run]:
    """The command line with a card: ``desk("room", "slot", ...)``."""

    def call(card: str, *words: str | Path, secrets: Any = KEYS, **more: Any) -> Run:
        return cli("--simulator", f"{card}.json", "--lang", "en", *words, secrets=secrets, **more)

    return call


def aids(run: Run) -> list[str]:
    return [one["aid"] for one in run.json("slots")["slots"]]


# --- listing ----------------------------------------------------------------------------------------------------------


def test_without_a_key_only_aids(desk: Callable[..., Run]) -> None:
    run = desk("both", "slot", "list", "--json", secrets=None)
    value = run.json("slots")
    assert (run.exit, value["seen_by"], len(value["slots"])) == (0, "anybody", 2)
    shown = desk("both", "slot", "list", secrets=None)
    assert "not told" in shown.out
    assert "facility" not in run.out + shown.out
    assert "13221" not in run.out + shown.out
    assert desk("bare", "slot", "list", secrets=None).exit == 0


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_an_owner_sees_its_own(cli: Cli, counter: Counter, lang: str) -> None:
    run = cli("--simulator", "both.json", "slot", "list", "--keys", "city.keys", "--lang", lang, secrets=KEYS)
    assert run.exit == 0
    for word in {"ja": ("施設利用", "印鑑登録", "有効"), "en": ("Use of facilities", "Seal registration", "active")}[
        lang
    ]:
        assert word in run.out
    town = cli("--simulator", "both.json", "slot", "list", "--keys", "town.keys", "--json", secrets=KEYS)
    assert town.json("slots")["slots"] == []


def test_the_issuer_sees_the_area_with_bars(desk: Callable[..., Run]) -> None:
    run = desk("both", "slot", "list", "--trial-keys", "--owners", "owners.toml", secrets=None)
    assert run.exit == 0
    assert "City (municipality:13221)" in run.out
    assert "█" in run.out
    assert "everybody has them" in run.err
    value = desk("both", "slot", "list", "--trial-keys", "--json", secrets=None).json("slots")
    assert [len(one["slots"]) for one in value["domains"]] == [2, 0]
    assert value["total"] - value["free"] == sum(one["used"] for one in value["domains"])
    assert not any(word in run.out for word in PRIVATE)


def test_one_key_at_a_time(desk: Callable[..., Run]) -> None:
    assert desk("both", "slot", "list", "--keys", "city.keys", "--trial-keys").exit == 2
    assert desk("both", "slot", "list", "--issuer-keys", "issuer.keys", "--trial-keys").exit == 2


# --- showing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_a_terminal_reads_and_judges(cli: Cli, counter: Counter, lang: str) -> None:
    run = cli("--simulator", "both.json", "slot", "show", *GATE, "--lang", lang)
    assert run.exit == 0
    assert "L00482913" in run.out
    assert {"ja": "架空市", "en": "City"}[lang] in run.out
    assert "TOTAL_PASSED" in run.out
    assert BASIS in run.out


def test_what_makes_it_undecided(desk: Callable[..., Run]) -> None:
    gate = GATE[:4]
    for more, reason in (
        (("--owners", "owners.toml"), "card_standing.no_source"),
        (("--status", "cards.toml"), "slot_owner.unknown"),
    ):
        run = desk("card", "slot", "show", *gate, *more, "--json", secrets=None)
        value = run.json("slot")
        assert (run.exit, value["verdict"]["indication"]) == (21, "INDETERMINATE")
        assert reason in value["verdict"]["reasons"]


def test_the_holder_sees_what_is_his(desk: Callable[..., Run]) -> None:
    listed = desk("both", "slot", "list", "--keys", "city.keys", "--json").json("slots")["slots"]
    seal = next(one["aid"] for one in listed if one["service"] == "seal_registration")
    show = ("slot", "show", "--aid", seal, "--owners", "owners.toml", "--status", "cards.toml", "--json")
    run = desk("both", *show, secrets={"slot-pin": SLOT_PIN})
    value = run.json("slot")
    assert (run.exit, value["read_as"], value["service"]) == (0, "holder", "seal_registration")
    assert "registration_number" in value["closed"]  # it wants a terminal beside the PIN
    wrong = desk("both", *show, secrets={"slot-pin": "0000"})
    assert (wrong.exit, wrong.error()["tries_left"]) == (4, 2)
    assert desk("both", *show, secrets={"slot-pin": "0000"}).exit == 4
    assert desk("both", *show, secrets={"slot-pin": "0000"}).exit == 6
    last = desk("both", *show, "--last-try", secrets={"slot-pin": "0000"})
    assert last.exit == 5
    assert desk("both", *show, secrets={"slot-pin": SLOT_PIN}).exit == 5
    assert not any(word in run.out for word in PRIVATE)


def test_unblocking(desk: Callable[..., Run]) -> None:
    for _ in range(2):
        desk(
            "both", "slot", "show", "--terminal", "kiosk.cert", "--terminal-key", "kiosk.pem", secrets={"slot-pin": "0"}
        )
    unblock = ("slot", "unblock", "--keys", "city.keys", "--service", "seal_registration", "--yes")
    assert desk("both", *unblock, secrets={**KEYS, "new-slot-pin": "13x7"}).exit == 2
    assert desk("both", *unblock, secrets=KEYS).exit == 2
    run = desk("both", *unblock, "--json", secrets={**KEYS, "new-slot-pin": "1357"})
    assert run.exit == 0
    assert "1357" not in run.all
    kiosk = ("slot", "show", "--terminal", "kiosk.cert", "--terminal-key", "kiosk.pem", *GATE[4:])
    assert desk("both", *kiosk, secrets={"slot-pin": SLOT_PIN}).exit == 4
    shown = desk("both", *kiosk, secrets={"slot-pin": "1357"})
    assert (shown.exit, "0098765" in shown.out) == (0, True)
    assert desk("card", *unblock[:4], "--yes", secrets={**KEYS, "new-slot-pin": "1357"}).exit == 8


def test_a_terminal_of_another_group_is_not_let_in(desk: Callable[..., Run]) -> None:
    run = desk("both", "slot", "show", *GATE, "--service", "seal_registration", secrets=None)
    assert run.exit == 8
    listed = desk("both", "slot", "list", "--keys", "city.keys", "--json").json("slots")["slots"]
    seal = next(one["aid"] for one in listed if one["service"] == "seal_registration")
    named = desk("both", "slot", "show", *GATE, "--aid", seal, "--json", secrets=None)
    assert (named.exit, named.error()["code"]) == (7, "terminal_refused")


def test_options_of_show_that_do_not_go_together(desk: Callable[..., Run]) -> None:
    for words in (
        ("--terminal", "gate.cert"),
        ("--terminal-key", "gate.pem"),
        ("--service", "facility"),
        ("--aid", "xyz"),
        ("--aid", "F0"),
    ):
        assert desk("card", "slot", "show", *words, secrets={"slot-pin": "1111"}).exit == 2
    assert desk("card", "slot", "show", *GATE[:6], "--status", "none.toml", secrets=None).exit == 10
    assert desk("card", "slot", "show", *GATE[:4], "--owners", "none.toml", secrets=None).exit == 10
    swapped = ("--terminal", "gate.cert", "--terminal-key", "kiosk.pem")
    assert desk("card", "slot", "show", *swapped, secrets=None).exit == 10
    assert desk("bare", "slot", "show", secrets={"slot-pin": "1111"}).exit == 8
    assert desk("both", "slot", "show", "--json", secrets={"slot-pin": "1111"}).error()["code"] == "ambiguous_slot"


# --- issuing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_issue_with_receipts(cli: Cli, counter: Counter, lang: str) -> None:
    line = ("--simulator", "room.json", *ISSUE, "--owners", "owners.toml", "--yes", "--lang", lang)
    run = cli(*line, "--receipt", "r.html", secrets=KEYS)
    assert run.exit == 0
    page = (counter.folder / "r.html").read_text("utf-8")
    assert stat.S_IMODE((counter.folder / "r.html").stat().st_mode) == 0o600
    assert {"ja": "施設利用", "en": "Use of facilities"}[lang] in page
    for word in ({"ja": "所有者", "en": "Owner"}[lang], CITY, BASIS):
        assert word in run.err  # what is about to be done
    assert not any(word in run.all + page for word in PRIVATE)
    assert cli("--simulator", "room.json", "slot", "show", *GATE).exit == 0


def test_the_receipt_as_json(desk: Callable[..., Run], counter: Counter) -> None:
    run = desk("room", *SEAL, "--yes", "--receipt", "r.json", "--json", secrets=WITH_PIN)
    assert run.exit == 0
    value = run.json("slot-done")
    kept = json.loads((counter.folder / "r.json").read_text("utf-8"))
    assert {"schema": kept["schema"], **value["receipt"]} == kept
    assert kept["service"] == "seal_registration"
    masked = {one["name"]: one["value"] for one in kept["fields"]}
    assert masked["registration_number"] == "*****65"
    assert not any(word in run.all + json.dumps(kept) for word in PRIVATE)
    again = desk("room", *SEAL, "--yes", "--receipt", "r.json", secrets=WITH_PIN)
    assert again.exit == 2  # never over a file that is there
    assert "123456789018" not in json.dumps(kept)


def test_values_in_full_only_when_asked(desk: Callable[..., Run]) -> None:
    run = desk("room", *ISSUE, "--yes", "--reveal")
    assert "L00482913" in run.out
    assert "libraries" in run.out


def test_nothing_is_written_without_agreement(desk: Callable[..., Run], counter: Counter) -> None:
    path = counter.folder / "room.json"
    before = path.read_bytes()
    run = desk("room", *ISSUE)
    assert run.exit == 2
    assert "--yes" in run.err
    assert path.read_bytes() == before


@pytest.mark.parametrize("typed", ["no\n", ""])
def test_who_does_not_agree_stops_it(
    desk: Callable[..., Run], counter: Counter, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    from kojin_card.cli.counter import confirming

    monkeypatch.setattr(confirming, "can_ask", lambda: True)
    monkeypatch.setattr("builtins.input", lambda: typed.strip() or (_ for _ in ()).throw(EOFError))
    run = desk("room", *ISSUE)
    assert run.exit == 130
    for word in ("Owner", CITY, "Service", "Card file", "room.json"):
        assert word in run.err
    assert aids(desk("room", "slot", "list", "--json", secrets=None)) == []
    monkeypatch.setattr("builtins.input", lambda: "はい")
    assert desk("room", *ISSUE).exit == 0


@pytest.mark.parametrize(
    "line",
    [
        ISSUE,
        (*SEAL[:-2], "--fields", "seal.toml"),
        ("slot", "update", "--keys", "city.keys", "--field", "category=student"),
        ("slot", "update", "--keys", "city.keys", "--service", "facility", "--field", "category=student"),
        ("slot", "suspend", "--keys", "city.keys"),
        ("slot", "resume", "--keys", "city.keys"),
        ("slot", "delete", "--keys", "city.keys"),
        ("slot", "unblock", "--keys", "city.keys"),
        ("slot", "move", "--keys", "city.keys", "--to", TOWN, "-o", "x"),
        ("slot-issuer", "rotate", "--keys", "city.keys"),
        ("slot-issuer", "join", "--keys", "city.keys", "--partner", TOWN, "--owners", "owners.toml"),
        ("slot-owner", "create", "--keys", "town.keys", "--trial-keys"),
        ("slot-owner", "delete", "--owner", CITY, "--trial-keys"),
        ("slot-owner", "quota", "--owner", CITY, "--quota", "4096", "--trial-keys"),
    ],
    ids=lambda line: " ".join(line[:2]),
)
def test_a_dry_run_changes_nothing(desk: Callable[..., Run], counter: Counter, line: tuple[str, ...]) -> None:
    path = counter.folder / "card.json"
    before = path.read_bytes()
    run = desk("card", *line, "--dry-run", "--json")
    value = run.json("slot-planned")
    assert run.exit == 0
    assert value["owner"] in (CITY, TOWN)
    assert path.read_bytes() == before
    people = desk("card", *line, "--dry-run")
    assert "Nothing that changes the card was sent." in people.out
    assert path.read_bytes() == before
    assert not (counter.folder / "x").exists()
    assert not any(word in run.all + people.all for word in PRIVATE)


@pytest.mark.parametrize(
    ("change", "exit_code", "code"),
    [
        (("--fields", "none.toml"), 10, "bad_input"),
        (("--fields", "no-day.toml"), 10, "field"),
        (("--fields", "no-number.toml"), 10, "field"),
        (("--field", "user_number=L1"), 2, "usage"),
        (("--field", "phone=0"), 10, "bad_input"),
        (("--field", "user_number"), 2, "usage"),
        (("--legal-basis", " "), 2, "usage"),
        (("--keys", "none.keys"), 10, "bad_input"),
        (("--keys", "issuer.keys"), 10, "key_file"),
        (("--keys", "owners.toml"), 10, "key_file"),
        (("--keys", "firm.keys"), 2, "usage"),
        (("--services", "none"), 10, "bad_input"),
        (("--owners", "library.toml"), 10, "spec"),
        (("--receipt", "r.pdf"), 2, "usage"),
        (("--receipt", "no/r.html"), 10, "output_failed"),
        (("--encoding", "latin-1"), 2, "usage"),
    ],
)
def test_each_mistake_has_its_answer(
    desk: Callable[..., Run], counter: Counter, change: tuple[str, ...], exit_code: int, code: str
) -> None:
    path = counter.folder / "room.json"
    for name, field, value in (("no-day", "valid_until", "2099-02-30"), ("no-number", "user_number", "見本")):
        (counter.folder / f"{name}.toml").write_text(toml({**LIBRARY, field: value}), "utf-8")
    before = path.read_bytes()
    line = [*ISSUE, "--yes"]
    if change[0] in line:
        line[line.index(change[0]) + 1] = change[1]
    else:
        line += change
    for lang in messages.LANGUAGES:
        run = desk("room", *line, "--json", "--lang", lang)
        assert (run.exit, run.error()["code"]) == (exit_code, code), run.all
        assert "見本" not in run.all
        assert "2099-02-30" not in run.all
        detail = run.error()["message"].partition("(")[2]
        assert code == "spec" or not detail or any("ぁ" <= char <= "ヶ" for char in detail) == (lang == "ja"), detail
    assert path.read_bytes() == before


def test_a_wrong_passphrase(desk: Callable[..., Run]) -> None:
    run = desk("room", *ISSUE, "--yes", "--json", secrets={"owner-passphrase": "not-the-passphrase"})
    assert (run.exit, run.error()["code"]) == (4, "passphrase_rejected")
    assert "not-the-passphrase" not in run.all
    assert desk("room", *ISSUE, "--yes", secrets={}).exit == 2


def test_an_owner_without_a_domain(desk: Callable[..., Run]) -> None:
    run = desk("bare", *ISSUE, "--yes", "--json")
    assert (run.exit, run.error()["code"]) == (8, "no_domain")
    assert desk("room", "slot", "suspend", "--keys", "city.keys", "--yes").exit == 8


def test_a_second_slot_of_the_service_only_when_said(desk: Callable[..., Run]) -> None:
    run = desk("card", *ISSUE, "--yes")
    assert run.exit == 2
    assert "already" in run.err
    assert desk("card", *ISSUE, "--yes", "--another").exit == 0
    assert len(aids(desk("card", "slot", "list", "--json", secrets=None))) == 2


def test_a_lock_is_not_undone_by_a_second_slot(desk: Callable[..., Run], counter: Counter) -> None:
    """Nobody can look into a locked slot: it may be of the same service."""
    (aid,) = aids(desk("card", "slot", "list", "--json", secrets=None))
    with connect(simulator=counter.folder / "card.json") as card:
        CardIssuer(card.channel, IssuerKeys.trial()).lock(bytes.fromhex(aid))
    run = desk("card", *ISSUE, "--yes")
    assert run.exit == 2
    assert "locked" in run.err
    assert desk("card", *ISSUE, "--yes", "--another").exit == 0


def test_no_room(desk: Callable[..., Run]) -> None:
    assert desk("room", "slot-owner", "quota", "--trial-keys", "--owner", CITY, "--quota", "600", "--yes").exit == 0
    run = desk("room", *ISSUE, "--yes", "--json")
    assert (run.exit, run.error()["code"]) == (13, "no_room")
    assert (
        desk("room", "slot-owner", "quota", "--trial-keys", "--owner", CITY, "--quota", "1000000", "--yes").exit == 13
    )


def test_a_personal_value_on_the_line_is_warned_of(desk: Callable[..., Run]) -> None:
    line = [word for word in ISSUE if word not in ("--fields", "library.toml")]
    run = desk("room", *line, *fields(*(f"{name}={value}" for name, value in LIBRARY.items())), "--yes")
    assert run.exit == 0
    assert "--fields" in run.err
    assert "--fields" not in desk("card", *ISSUE, "--another", "--yes").err


def test_values_through_standard_input(desk: Callable[..., Run], counter: Counter) -> None:
    line = [*ISSUE[:-1], "-"]
    text = (counter.folder / "library.toml").read_bytes()
    assert desk("room", *line, "--yes", stdin=text).exit == 0
    assert desk("room", *line, "--yes", "--secrets", "-", secrets=None, stdin=text).exit == 2


def test_resident_data_from_the_card(desk: Callable[..., Run], counter: Counter) -> None:
    (counter.folder / "some.toml").write_text(
        'registration_number = "0098765"\nregistered_on = "2026-11-02"\n', "utf-8"
    )
    line = [*SEAL[:-1], "some.toml", "--from-card", "--reveal", "--yes"]
    run = desk("room", *line, secrets=WITH_PIN)
    assert run.exit == 0
    assert "13221" in run.out
    assert "holder" in run.err
    assert "another municipality" not in run.err
    moved_here = ["town.keys" if word == "city.keys" else word for word in line]
    run = desk("both", *moved_here, secrets=WITH_PIN)  # it is the city that the card says
    assert run.exit == 0
    assert "another municipality" in run.err
    missing = desk("card", *SEAL[:-1], "some.toml", "--yes", "--json", secrets=WITH_PIN)
    assert (missing.exit, missing.error()["code"]) == (10, "bad_input")
    assert "municipality_code" in missing.error()["message"]
    assert desk("room", *ISSUE, "--from-card", "--yes", "--another").exit == 10  # it takes nothing from the card


OWN = """
schema = 1
[service]
id = "residents_pass"
version = 1
name_en = "Residents' pass"
name_ja = "住民パス"
summary_en = "A pass."
summary_ja = "パス。"
legal_basis_hint_en = "An ordinance"
legal_basis_hint_ja = "条例"
owners = ["municipality"]
pin = false
evidence = "assumption"
source = "a test"
"""


def test_a_service_of_ones_own_with_data_of_the_holder(desk: Callable[..., Run], counter: Counter) -> None:
    folder = counter.folder / "services"
    folder.mkdir()
    rows = (
        ("holder", "utf8", 'charset = "name"\nrange = [1, 40]\nfrom_card = "name"'),
        ("born", "date", 'from_card = "birth_date"'),
        ("issued", "date", "issued = true"),
    )
    text = OWN + "".join(
        f'[[field]]\nid = "{name}"\nsfi = {sfi}\ntype = "{kind}"\n{more}\nread = "role:terminal"\nlabel_ja = "{name}"\n'
        f'label_en = "{name}"\nprivacy = "personal"\nexample = "x"\nevidence = "assumption"\nsource = "a test"\n'
        for sfi, (name, kind, more) in enumerate(rows, 1)
    ).replace('example = "x"', 'example = "2026-11-27"').replace(
        'label_en = "holder"\nprivacy = "personal"\nexample = "2026-11-27"',
        'label_en = "holder"\nprivacy = "personal"\nexample = "見本"',
    )
    (folder / "pass.toml").write_text(text, "utf-8")
    line = ("slot", "issue", "residents_pass", "--services", "services", "--keys", "city.keys", "--legal-basis", BASIS)
    run = desk("room", *line, "--from-card", "--reveal", "--yes", secrets={**KEYS, "pin": "5678"})
    assert run.exit == 0, run.all
    assert "見本　花子" in run.out
    assert "1990-08-03" in run.out
    listed = desk("room", "slot", "list", "--keys", "city.keys", "--services", "services")
    assert "Residents' pass" in listed.out
    wrong = desk("room", *line, "--from-card", "--another", "--yes", secrets={**KEYS, "pin": "0000"})
    assert wrong.exit == 4


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_help_says_what_health_insurance_is_not(cli: Cli, lang: str) -> None:
    shown = "".join(cli("slot", "issue", "--help", "--lang", lang).out.split())
    assert "health_insurance" in shown
    assert "マイナ保険証" in shown
    assert {"ja": "ではありません", "en": "isnot"}[lang] in shown


# --- changing ---------------------------------------------------------------------------------------------------------


def test_update_suspend_resume_delete(desk: Callable[..., Run]) -> None:
    own = ("--keys", "city.keys", "--yes", "--json")
    run = desk("card", "slot", "update", *own, "--field", "category=student")
    assert (run.exit, run.json("slot-done")["receipt"]["done"]) == (0, "update")
    assert desk("card", "slot", "show", *GATE, "--json", secrets=None).json("slot")["values"]["category"] == "student"
    moved = ("--field", "former_owner=municipality:13101", "--field", "former_owner_date=2026-10-01")
    assert desk("card", "slot", "update", *own, *moved).json("slot-done")["written"] is True
    none = ("--field", "former_owner=", "--field", "former_owner_date=")
    assert desk("card", "slot", "update", *own, *none).json("slot-done")["written"] is True
    assert desk("card", "slot", "update", *own, *none).json("slot-done")["written"] is False
    assert desk("card", "slot", "update", *own, "--field", "category=").exit == 10
    same = desk("card", "slot", "update", *own, "--field", "category=student")
    assert (same.exit, same.json("slot-done")["written"]) == (0, False)
    suspended = desk("card", "slot", "suspend", *own)
    assert suspended.json("slot-done")["receipt"]["state"] == "suspended"
    shown = desk("card", "slot", "show", *GATE, "--json", secrets=None)
    assert shown.exit == 20
    assert "slot_state.suspended" in shown.json("slot")["verdict"]["reasons"]
    assert shown.json("slot")["values"] == {}
    assert desk("card", "slot", "resume", *own).exit == 0
    assert desk("card", "slot", "show", *GATE, secrets=None).exit == 0
    for bad, code in ((("--field", "category=none"), 10), ((), 2), (("--service", "staff_id", "--field", "x=1"), 10)):
        assert desk("card", "slot", "update", *own, *bad).exit == code
    gone = desk("card", "slot", "delete", *own, "--receipt", "gone.html")
    assert gone.json("slot-done")["receipt"]["state"] == "deleted"
    assert desk("card", "slot", "delete", *own).exit == 8


def test_somebody_elses_slot(desk: Callable[..., Run]) -> None:
    (aid,) = aids(desk("card", "slot", "list", "--json", secrets=None))
    run = desk("card", "slot", "suspend", "--keys", "town.keys", "--aid", aid, "--yes", "--json")
    assert run.exit in (8, 7)
    assert desk("card", "slot", "show", *GATE, secrets=None).exit == 0


# --- moving -----------------------------------------------------------------------------------------------------------


LEDGER = ("--ledger", "ledger")


def hand_over(desk: Callable[..., Run], *more: str) -> Run:
    return desk("card", "slot", "move", "--keys", "city.keys", "--to", TOWN, "-o", "move", *LEDGER, "--yes", *more)


TAKE = ("slot", "move", "--take-over", "move", "--owners", "owners.toml", *LEDGER, "--legal-basis", BASIS)


def test_a_move(desk: Callable[..., Run], counter: Counter) -> None:
    run = hand_over(desk, "--json")
    assert run.exit == 0
    assert run.json("slot-done")["receipt"]["state"] == "terminated"
    assert stat.S_IMODE((counter.folder / "move").stat().st_mode) == 0o600
    assert desk("card", "slot", "show", *GATE, secrets=None).exit in (8, 20)
    line = (*TAKE, "--keys", "town.keys", "--fields", "library.toml", "--yes", "--json")
    taken = desk("card", *line)
    assert taken.exit == 0
    assert taken.json("slot-done")["receipt"]["notes"] == {"former_owner": CITY}
    other = ("--to", "municipality:13104", "-o", "other", *LEDGER, "--yes", "--json")
    run = desk("card", "slot", "move", "--keys", "city.keys", *other)
    assert run.error()["code"] == "hand_over_refused"  # one owner gets it
    assert not (counter.folder / "other").exists()
    again = desk("card", *line)
    assert (again.exit, again.json("slot-done")["written"]) == (0, False)  # an answer that was lost
    assert desk("card", *line, "--legal-basis", "x").exit == 9  # it is there, and with other content


def test_a_move_that_is_refused(desk: Callable[..., Run], counter: Counter) -> None:
    assert desk("card", "slot", "move", "--keys", "city.keys", "--yes").exit == 2
    assert desk("card", "slot", "move", "--keys", "city.keys", "--to", TOWN, "--yes").exit == 2
    assert desk("card", "slot", "move", "--keys", "city.keys", "--to", "nowhere", "-o", "x", "--yes").exit == 10
    assert desk("card", "slot", "move", "--keys", "city.keys", "--to", CITY, "-o", "x", "--yes").exit == 2
    assert hand_over(desk).exit == 0
    take = (*TAKE, "--fields", "library.toml", "--yes", "--json")
    assert desk("card", *take, "--keys", "city.keys").error()["code"] == "hand_over_refused"  # for another
    assert desk("room", *take, "--keys", "town.keys").error()["code"] == "hand_over_refused"  # not on this card
    path = counter.folder / "move"
    path.write_bytes(path.read_bytes().replace(b"facility", b"staff_id"))
    assert desk("card", *take, "--keys", "town.keys").exit in (2, 10)
    path.write_bytes(b"{}")
    assert desk("card", *take, "--keys", "town.keys").exit == 10


# --- keys and terminals -----------------------------------------------------------------------------------------------


def test_a_key_file_is_made_once(cli: Cli, tmp_path: Path) -> None:
    line = ("slot-issuer", "init", "a.keys", "--owner", CITY, "--name-ja", "架空市", "--public", "a.toml", "--json")
    run = cli(*line, secrets=KEYS)
    value = run.json("slot-keys")
    assert (run.exit, value["owner"]) == (0, CITY)
    path = tmp_path / "a.keys"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = path.read_bytes()
    assert PASSPHRASE.encode() not in kept
    assert value["record_key"] in (tmp_path / "a.toml").read_text("utf-8")
    assert "架空市" in (tmp_path / "a.toml").read_text("utf-8")
    again = cli(*line, secrets=KEYS)
    assert (again.exit, again.error()["code"]) == (2, "output_exists")
    assert path.read_bytes() == kept
    issuer = cli("slot-issuer", "init", "i.keys", "--card-issuer", "--json", secrets={"issuer-passphrase": PASSPHRASE})
    assert issuer.json("slot-keys")["owner"] is None


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (("b.keys",), 2),
        (("b.keys", "--owner", CITY, "--card-issuer"), 2),
        (("b.keys", "--owner", "municipality:99999"), 10),
        (("b.keys", "--owner", "private:7000012050003"), 10),
        (("no/b.keys", "--owner", CITY), 10),
        (("b.keys", "--owner", CITY, "--public", "b.keys"), 2),
        (("b.keys", "--card-issuer", "--public", "x"), 2),
        (("b.keys", "--owner", CITY, "--bits", "192"), 2),
    ],
)
def test_no_key_file_is_left_of_a_mistake(cli: Cli, tmp_path: Path, words: tuple[str, ...], exit_code: int) -> None:
    assert cli("slot-issuer", "init", *words, secrets=KEYS).exit == exit_code
    assert not (tmp_path / "b.keys").exists()


def test_a_passphrase_that_is_too_short_makes_no_file(cli: Cli, tmp_path: Path) -> None:
    run = cli("slot-issuer", "init", "b.keys", "--owner", CITY, secrets={"owner-passphrase": "kurz"})
    assert run.exit in (2, 10)
    assert "kurz" not in run.all
    assert not (tmp_path / "b.keys").exists()


def test_rotation(desk: Callable[..., Run], counter: Counter) -> None:
    new = {**KEYS, "new-owner-passphrase": "another-passphrase"}
    line = (
        "slot-issuer",
        "rotate",
        "--keys",
        "city.keys",
        "--new-file",
        "newer.keys",
        "--public",
        "newer.toml",
        "--json",
    )
    assert desk("card", *line, "--dry-run").json("slot-planned")["done"] == "rotate"
    assert not (counter.folder / "newer.keys").exists()
    run = desk("card", *line, secrets=new)
    assert run.exit == 0
    assert desk("card", *line, secrets=new).exit == 2
    before = run.json("slot-keys")["record_key"]
    assert before not in (counter.folder / "owners.toml").read_text("utf-8")
    onto = ("slot-issuer", "rotate", "--keys", "newer.keys", "--yes", "--json")
    secrets = {"owner-passphrase": "another-passphrase"}
    first = desk("card", *onto, secrets=secrets).json("slot-rotated")
    assert first["written"] is True
    assert desk("card", *onto, secrets=secrets).json("slot-rotated")["written"] is False
    assert desk("card", "slot", "suspend", "--keys", "newer.keys", "--yes", secrets=secrets).exit == 0
    assert desk("card", "slot", "resume", "--keys", "city.keys", "--yes").exit in (8, 12)


def test_the_card_issuers_keys_take_the_place_of_the_trial_keys(desk: Callable[..., Run], counter: Counter) -> None:
    present = {"issuer-passphrase": PASSPHRASE}
    new = {"new-issuer-passphrase": PASSPHRASE}
    onto = ("slot-issuer", "rotate", "--keys", "issuer.keys", "--trial-keys", "--json")
    before = (counter.folder / "card.json").read_bytes()
    planned = desk("card", *onto, "--dry-run", secrets=new)
    assert (planned.exit, planned.json("slot-planned")["owner"]) == (0, None)
    assert (counter.folder / "card.json").read_bytes() == before
    assert desk("card", *onto, "--yes", secrets={"new-issuer-passphrase": "not the passphrase"}).exit == 4
    done = desk("card", *onto, "--yes", secrets=new)
    assert (done.exit, done.json("slot-rotated")["owner"]) == (0, None)
    listed = desk("card", "slot", "list", "--issuer-keys", "issuer.keys", "--json", secrets=present).json("slots")
    assert listed["domains"]
    assert desk("card", "slot", "list", "--trial-keys", "--json", secrets=None).exit in (8, 12)
    # once more: the trial keys open nothing any more, and nothing is lost
    assert desk("card", *onto, "--yes", secrets=new).exit in (8, 12)
    again = ("slot-issuer", "rotate", "--keys", "issuer.keys", "--issuer-keys", "issuer.keys", "--yes")
    assert desk("card", *again, secrets={**new, **present}).exit == 2


def test_what_does_not_go_with_the_card_issuers_keys(desk: Callable[..., Run]) -> None:
    line = ("slot-issuer", "rotate", "--keys", "issuer.keys", "--trial-keys", "--yes")
    assert desk("card", *line, "--new-file", "x.keys", secrets=None).exit == 2
    assert desk("card", *line, "--issuer-keys", "issuer.keys", secrets=None).exit == 2
    owners = ("slot-issuer", "rotate", "--keys", "city.keys", "--trial-keys", "--yes")
    assert desk("card", *owners, secrets={"new-issuer-passphrase": PASSPHRASE}).exit == 10


def test_a_terminal_of_ones_own(desk: Callable[..., Run], counter: Counter) -> None:
    certify = ("slot-issuer", "certify-terminal", "gate-public.pem", "--keys", "city.keys", "--service", "facility")
    line = (*certify, "--terminal-name", "GATE-2", "--group", "library", "-o", "two.cert", "--json")
    until = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()
    run = desk("card", *line, "--read", "category", "--until", until)
    value = run.json("slot-terminal")
    assert (run.exit, value["fields"], value["until"]) == (0, ["category"], until)
    show = ("slot", "show", "--terminal", "two.cert", "--terminal-key", "gate.pem", "--owners", "owners.toml", "--json")
    shown = desk("card", *show, secrets=None).json("slot")
    assert "user_number" in shown["closed"]
    assert shown["values"] == {"category": "general"}
    for words, code in (
        (("--group", "kiosk"), 2),
        (("--read", "phone"), 10),
        (("--until", "tomorrow"), 2),
        (("--until", "2020-01-01"), 2),
        (("--until", "2036-01-01"), 10),
        (("--terminal-name", "the gate of the library"), 10),
        (("--service", "none"), 2),
    ):
        assert desk("card", *line, "--force", *words).exit == code, words
    assert desk("card", *line).exit == 2  # there already
    wrong = [*line, "--force"]
    wrong[2] = "library.toml"
    assert desk("card", *wrong).exit == 10


def test_joint_use(desk: Callable[..., Run], counter: Counter) -> None:
    certify = ("slot-issuer", "certify-terminal", "gate-public.pem", "--keys", "town.keys", "--service", "facility")
    assert desk("card", *certify, "--terminal-name", "T", "--group", "library", "-o", "town.cert").exit == 0
    show = ("slot", "show", "--terminal", "town.cert", "--terminal-key", "gate.pem", *GATE[4:], "--json")
    assert desk("card", *show, secrets=None).exit == 8
    join = ("slot-issuer", "join", "--keys", "city.keys", "--owners", "owners.toml", "--yes", "--json")
    run = desk("card", *join, "--partner", TOWN, "--read", "user_number", "--read", "valid_until")
    assert (run.exit, run.json("slot-joined")["fields"]) == (0, ["user_number", "valid_until"])
    value = desk("card", *show, secrets=None).json("slot")
    assert set(value["values"]) == {"user_number", "valid_until"}
    assert desk("card", *join).exit == 2
    assert desk("card", *join, "--partner", "municipality:13101").exit == 10
    assert desk("card", *join, "--partner", TOWN, "--read", "phone").exit == 10


# --- the card's issuer ------------------------------------------------------------------------------------------------


def test_room_for_owners(desk: Callable[..., Run]) -> None:
    create = ("slot-owner", "create", "--trial-keys", "--yes", "--json")
    run = desk("bare", *create, "--keys", "city.keys", "--quota", "2048")
    assert (run.exit, run.json("slot-owner")["domain"]["quota"]) == (0, 2048)
    assert desk("bare", *create, "--keys", "town.keys", "--quota", "1000000").exit == 13
    quota = ("slot-owner", "quota", "--trial-keys", "--owner", CITY, "--yes", "--json")
    assert desk("bare", *quota, "--quota", "4096").json("slot-owner")["domain"]["quota"] == 4096
    assert desk("bare", "slot-owner", "quota", "--trial-keys", "--owner", TOWN, "--quota", "1", "--yes").exit == 8
    delete = ("slot-owner", "delete", "--trial-keys", "--yes", "--json")
    assert desk("bare", *delete, "--owner", TOWN).exit in (2, 8)
    gone = desk("card", *delete, "--owner", CITY)
    assert (gone.exit, gone.json("slot-owner")["domain"]) == (0, None)
    assert aids(desk("card", "slot", "list", "--json", secrets=None)) == []


def test_which_issuer_must_be_said(desk: Callable[..., Run]) -> None:
    line = ("slot-owner", "create", "--keys", "city.keys", "--yes")
    assert desk("bare", *line).exit == 2
    assert desk("bare", *line, "--trial-keys", "--issuer-keys", "issuer.keys").exit == 2
    wrong = desk(
        "bare", *line, "--issuer-keys", "issuer.keys", "--json", secrets={**KEYS, "issuer-passphrase": PASSPHRASE}
    )
    assert wrong.exit in (8, 12)
    assert desk("bare", *line, "--trial-keys", "--wait-for-card", "0").exit == 0


def test_nothing_is_tried_on_a_real_card(
    desk: Callable[..., Run], counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader's card is real, whatever it is: without --unproven no key goes there, and nothing else is sent."""

    def connect(reader: Any = None, *, simulator: Any, allow_unproven: bool, lang: str, **_: Any) -> Card:
        return Card(SoftCard.open(counter.folder / "card.json"), ours=False, allow_unproven=allow_unproven, lang=lang)

    monkeypatch.setattr(kojin_card.card, "connect", connect)
    before = (counter.folder / "card.json").read_bytes()
    for line in (
        ("slot", "list", "--trial-keys"),
        ("slot", "list", "--keys", "city.keys"),
        ("slot", "show", *GATE),
        (*ISSUE, "--yes"),
        ("slot", "suspend", "--keys", "city.keys", "--yes"),
        ("slot-owner", "quota", "--trial-keys", "--owner", CITY, "--quota", "4096", "--yes"),
    ):
        run = desk("card", *line, "--json")
        assert (run.exit, run.error()["code"]) == (14, "unproven"), line
    assert (counter.folder / "card.json").read_bytes() == before
    assert desk("card", "slot", "suspend", "--keys", "city.keys", "--yes", "--unproven").exit == 0


def test_a_listing_is_escaped(desk: Callable[..., Run], counter: Counter) -> None:
    line = [*ISSUE, "--name", "\x1b[31mred"]
    run = desk("room", *line, "--yes")
    assert run.exit in (2, 10)
    assert "\x1b[31m" not in run.all
    text = (counter.folder / "owners.toml").read_text("utf-8").replace('"City"', '"\\u001b[31mCity"')
    (counter.folder / "owners.toml").write_text(text, "utf-8")
    listed = desk("both", "slot", "list", "--trial-keys", "--owners", "owners.toml", secrets=None)
    assert "\x1b[31m" not in listed.all


# --- prompts ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Somebody at a terminal who types these, hidden; gives the prompts that were shown."""
    from kojin_card.cli.secret_sources import PromptedSecrets

    def begin(*typed: str) -> list[str]:
        asked: list[str] = []
        answers = iter(typed)

        def ask(prompt: str) -> str:
            asked.append(prompt)
            return next(answers)

        monkeypatch.setattr(PromptedSecrets, "possible", staticmethod(lambda: True))
        monkeypatch.setattr("getpass.getpass", ask)
        return asked

    return begin


def test_a_new_passphrase_is_typed_twice(cli: Cli, tmp_path: Path, typing: Callable[..., list[str]]) -> None:
    """No card is opened for it: there is none."""
    asked = typing("one-passphrase", "another-passphrase", PASSPHRASE, PASSPHRASE)
    run = cli("slot-issuer", "init", "a.keys", "--owner", CITY, "--lang", "en")
    assert (run.exit, len(asked)) == (0, 4)
    assert messages.text("say.prompt.not_the_same", "en")[:20] in run.err
    asked = typing(PASSPHRASE)
    line = ("slot-issuer", "certify-terminal", "none.pem", "--keys", "a.keys", "--service", "facility")
    assert cli(*line, "--terminal-name", "T", "--group", "library", "-o", "x").exit == 10
    assert asked == []  # a file that is not there is told first
    for never in ("one-passphrase", PASSPHRASE):
        assert never not in run.all
    typing("a-passphrase", "b-passphrase", "c-passphrase", "d-passphrase", "e-passphrase", "f-passphrase")
    assert cli("slot-issuer", "init", "b.keys", "--owner", CITY).exit == 2
    assert not (tmp_path / "b.keys").exists()


def test_prompts_of_an_issuance(cli: Cli, counter: Counter, typing: Callable[..., list[str]]) -> None:
    asked = typing(PASSPHRASE, SLOT_PIN, SLOT_PIN)
    run = cli("--simulator", "room.json", *SEAL, "--yes", "--lang", "en")
    assert run.exit == 0
    assert ["Passphrase" in asked[0], "Slot PIN" in asked[1], "Slot PIN" in asked[2]] == [True] * 3
    assert not any(word in run.all for word in PRIVATE)
    typing(PASSPHRASE, "12345", "12345")
    assert cli("--simulator", "room.json", *SEAL, "--yes", "--another").exit == 2
