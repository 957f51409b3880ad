"""``check``: outcome x exit code, what it spends and shows, the notes beside the verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from attacks import fakes
from cli.commandline import PLANTED, Cli
from kojin_card import messages
from kojin_card.simulator import CardState

Card = Callable[..., Path]


def code_b(state: CardState) -> str:
    return fakes.secret(state, "code_b")


@pytest.fixture
def given(states: Callable[[str], CardState]) -> dict[str, str]:
    """PIN and 照合番号B of the adult."""
    return {"pin": "5678", "code-b": code_b(states("adult"))}


def test_a_software_card_is_judged_by_its_own_store(cli: Cli, card: Card, given: dict[str, str]) -> None:
    run = cli("--simulator", card(), "check", "--json", secrets=given)
    value = run.json("authenticity")
    assert run.exit == 0
    assert (value["authentic"], value["in_force"], value["verdict"]["store"]) == ("true", "unchecked", "simulator")
    assert [note["id"] for note in value["notes"]] == ["test_store", "in_force", "unsigned", "not_bound"]
    subjects = [part["subject"] for part in value["verdict"]["parts"]]
    assert subjects == ["input_support/basic_four", "card_face/face", "card_manager/cv_certificate"]
    assert not [text for text in PLANTED if text in run.all]


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_every_check_is_shown_in_words_and_the_notes_apart(
    cli: Cli, card: Card, given: dict[str, str], lang: str
) -> None:
    run = cli("--simulator", card(), "check", "--lang", lang, secrets=given)
    for check in ("cv_certificate", "record", "record_digest", "card_key", "card_response", "consistency"):
        assert messages.check_label(check, lang) in run.out
    verdict, _, notes = run.out.partition(messages.text("say.check.notes", lang))
    force = messages.note_words("in_force", lang).split("。")[0].split(".")[0]
    assert force in notes
    assert force not in verdict
    assert messages.card_indication_words("TOTAL_PASSED", lang) in verdict
    assert not [text for text in PLANTED if text in run.all]


@pytest.mark.parametrize(
    ("store", "exit_code", "authentic"),
    [("simulator", 0, "true"), ("production", 21, "unchecked"), ("jlis-test", 21, "unchecked")],
)
def test_a_store_that_is_named_counts(
    cli: Cli, card: Card, given: dict[str, str], store: str, exit_code: int, authentic: str
) -> None:
    run = cli("--simulator", card(), "check", "--trust", store, "--json", secrets=given)
    assert (run.exit, run.json("authenticity")["authentic"]) == (exit_code, authentic)
    if store != "simulator":
        assert "cv_certificate.unknown_issuer" in run.json("authenticity")["verdict"]["reasons"]


def test_without_a_secret_nothing_is_asked_or_spent(cli: Cli, card: Card) -> None:
    path = card(tries={"input_support/pin": 1, "card_face/code_b": 1})
    before = path.read_bytes()
    run = cli("--simulator", path, "check", "--json")
    assert run.exit == 21
    assert run.json("authenticity")["verdict"]["reasons"] == ["card_response.not_asked"]
    assert path.read_bytes() == before
    assert "--by pin" in cli("--simulator", path, "check", "--lang", "en").out


@pytest.mark.parametrize("store", ["simulator", "production"])
def test_what_could_not_be_judged_does_not_look_like_a_fake(cli: Cli, card: Card, store: str) -> None:
    """Nothing was found wrong: a cross and "failed" would send somebody away with a genuine card."""
    path = card()
    run = cli("--simulator", path, "check", "--trust", store, "--lang", "ja")
    assert run.exit == 21
    assert "判断できず" in run.out
    assert "不合格" not in run.out
    assert "✗" not in run.out
    verdict = cli("--simulator", path, "check", "--trust", store, "--json").json("authenticity")["verdict"]
    states = {c["reason"]: c["state"] for one in (verdict, *verdict["parts"]) for c in one["checks"] if c["reason"]}
    assert set(states.values()) == {"unknown"}


@pytest.mark.parametrize(
    ("words", "secrets", "subjects"),
    [
        ((), {"pin": "5678"}, ["input_support/basic_four"]),
        (("--by", "code-b"), {"pin": "5678", "code-b": ""}, ["card_face/face"]),
        ((), {"code-a": "123456789018"}, ["card_face/face"]),
        ((), {"code-a": "123456789018", "code-b": ""}, ["card_face/face"]),
        ((), {"auth-pin": "1234"}, []),
        ((), {"birth-date": "19900803", "expiry-year": "", "security-code": "4271"}, ["card_face/face"]),
    ],
)
def test_each_secret_opens_one_application(
    cli: Cli,
    card: Card,
    states: Callable[[str], CardState],
    words: tuple[str, ...],
    secrets: dict[str, str],
    subjects: list[str],
) -> None:
    number = code_b(states("adult"))
    filled = {name: value or {"code-b": number, "expiry-year": number[6:10]}[name] for name, value in secrets.items()}
    run = cli("--simulator", card(), "check", *words, "--json", secrets=filled)
    records = [part for part in run.json("authenticity")["verdict"]["parts"] if "cv_certificate" not in part["subject"]]
    assert [part["subject"] for part in records] == subjects
    assert run.exit == (0 if subjects else 21)


@pytest.mark.parametrize(
    ("make", "reason", "exit_code"),
    [
        (fakes.copy_without_keys, "card_response.wrong", 20),
        (fakes.edited_address, "record_digest.mismatch", 20),
        (fakes.two_cards_mixed, "record.forged", 20),
        (fakes.foreign_ca, "cv_certificate.forged", 20),
        (fakes.another_persons_face, "consistency.contradicted", 20),
        (fakes.without("input_support", "record_signature"), "record.absent", 21),
        (fakes.copy_that_refuses_to_sign, "card_response.absent", 21),
    ],
)
@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_what_is_not_genuine(
    cli: Cli, fake: Callable[[CardState], Path], make: Callable[[], CardState], reason: str, exit_code: int, lang: str
) -> None:
    state = make()
    secrets = {"pin": "5678", "code-b": code_b(state)}
    run = cli("--simulator", fake(state), "check", "--lang", lang, secrets=secrets)
    assert run.exit == exit_code
    assert f"[{reason}]" in "".join(run.out.split("\n"))
    words = {20: "TOTAL_FAILED", 21: "INDETERMINATE"}[exit_code]
    assert messages.card_indication_words(words, lang) in run.out
    assert not [text for text in PLANTED if text in run.all]


def test_the_published_test_card_cannot_be_judged(cli: Cli, card: Card) -> None:
    path = card("jlis_test_card")
    run = cli("--simulator", path, "check", "--trust", "jlis-test", "--lang", "en", secrets={"pin": "5678"})
    assert run.exit == 21
    assert "Absent or not readable" in run.out
    assert "Card manager" in run.out


def test_the_usual_errors(cli: Cli, card: Card, given: dict[str, str]) -> None:
    path = card(tries={"input_support/pin": 1})
    both = {**given, "code-a": "123456789018"}
    for words, secrets, exit_code in (
        (("--by", "code-a", "--by", "code-b"), both, 2),
        (("--by", "pin"), None, 2),  # no terminal
        (("--by", "pin"), {"code-b": given["code-b"]}, 2),
        ((), {"pin": "56"}, 2),
        ((), {"code-b": "1" * 14}, 4),
        ((), {"pin": "5678"}, 6),
        (("--last-try",), {"pin": "0000"}, 5),
    ):
        run = cli("--simulator", path, "check", *words, "--json", secrets=secrets)
        assert run.exit == exit_code, words
        assert run.error()["remedy"]
        assert not [text for text in PLANTED if text in run.all]
    assert cli("check", "--by", "pin", secrets=given).exit == 11  # no reader in this version
    assert cli("--simulator", path, "check", "--trust", "mine").exit == 2
