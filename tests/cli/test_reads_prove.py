"""Reads prove first: nothing is shown or written that is not proved genuine; ``--fast`` says that nobody looked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from attacks import fakes
from cli.commandline import PINS, PLANTED, Cli
from kojin_card import messages
from kojin_card.simulator import CardState

Card = Callable[..., Path]
READS = {"basic-four": ("read", "basic-four"), "my-number": ("read", "my-number", "--duty", "withholding", "--reveal")}
FACE = {
    "face": ("read", "face", "--my-number-image", "--duty", "withholding", "-o", "face"),
    "age": ("read", "age", "--at-least", "20"),
}
NUMBER = "123456789018"


@pytest.mark.parametrize("kind", READS)
def test_a_genuine_record_is_shown_as_proved(cli: Cli, card: Card, kind: str) -> None:
    path, secrets = card(), {"pin": PINS["basic"]}
    run = cli("--simulator", path, *READS[kind], "--json", secrets=secrets)
    assert (run.exit, run.json(kind)["authentic"]) == (0, "true")
    for lang in messages.LANGUAGES:
        out = cli("--simulator", path, *READS[kind], "--lang", lang, secrets=secrets).out
        store = messages.text("say.store.simulator", lang)
        assert messages.text("say.four.proved", lang, store=store)[:30] in out
        assert messages.text("say.four.unchecked", lang)[:30] not in out
        assert "".join(messages.note_words("not_bound", lang).split()) in "".join(out.split())


@pytest.mark.parametrize("kind", READS)
@pytest.mark.parametrize("persona", ["adult", "jlis_test_card"])
def test_fast_reads_without_a_proof_and_says_so(cli: Cli, card: Card, kind: str, persona: str) -> None:
    path, secrets = card(persona), {"pin": PINS["basic"]}
    run = cli("--simulator", path, *READS[kind], "--fast", "--json", "-v", secrets=secrets)
    assert (run.exit, run.json(kind)["authentic"]) == (0, "unchecked")
    assert run.err.splitlines()[-1] == "4 APDUs"
    for lang in messages.LANGUAGES:
        out = cli("--simulator", path, *READS[kind], "--fast", "--lang", lang, secrets=secrets).out
        assert messages.text("say.four.unchecked", lang)[:30] in out


@pytest.mark.parametrize("kind", READS)
@pytest.mark.parametrize(
    ("make", "reason", "exit_code"),
    [
        (fakes.copy_without_keys, "card_response.wrong", 20),
        (fakes.two_cards_mixed, "record.forged", 20),
        (fakes.foreign_ca, "cv_certificate.forged", 20),
        (fakes.without("input_support", "record_signature"), "record.absent", 21),
        (fakes.without("input_support", "application_public_key"), "card_key.absent", 21),
        (fakes.without("input_support", "cv_certificate"), "cv_certificate.missing", 21),
    ],
)
@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_what_is_not_proved_is_not_shown_or_written(
    cli: Cli,
    tmp_path: Path,
    fake: Callable[[CardState], Path],
    kind: str,
    make: Callable[[], CardState],
    reason: str,
    exit_code: int,
    lang: str,
) -> None:
    path, secrets = fake(make()), {"pin": PINS["basic"]}
    output = ("-o", "number.txt") if kind == "my-number" else ()
    run = cli("--simulator", path, *READS[kind], *output, "--lang", lang, secrets=secrets)
    assert (run.exit, run.out) == (exit_code, "")
    told = "".join(run.err.split())
    assert "".join(messages.reason_words(reason, lang).split()) in told
    assert not [text for text in PLANTED if text in run.all]
    assert not (tmp_path / "number.txt").exists()
    error = cli("--simulator", path, *READS[kind], "--json", "--lang", lang, secrets=secrets)
    assert (error.exit, error.error()["code"]) == (exit_code, "not_genuine")
    assert error.error()["remedy"] == messages.reason_words(reason, lang)
    assert cli("--simulator", path, *READS[kind], "--fast", secrets=secrets).exit == 0


def test_an_edited_record_is_not_shown(cli: Cli, fake: Callable[[CardState], Path]) -> None:
    run = cli("--simulator", fake(fakes.edited_address()), "read", "basic-four", secrets={"pin": PINS["basic"]})
    assert (run.exit, run.out) == (20, "")
    assert "別人町" not in run.all


@pytest.mark.parametrize("kind", READS)
@pytest.mark.parametrize(
    ("persona", "store"),
    [("adult", "production"), ("adult", "jlis-test"), ("jlis_test_card", "jlis-test"), ("jlis_test_card", None)],
)
def test_what_cannot_be_judged_is_not_shown(cli: Cli, card: Card, kind: str, persona: str, store: str | None) -> None:
    trust = () if store is None else ("--trust", store)
    run = cli("--simulator", card(persona), *READS[kind], *trust, secrets={"pin": PINS["basic"]})
    assert (run.exit, run.out) == (21, "")


@pytest.mark.parametrize("kind", READS)
def test_a_wrong_pin_is_a_wrong_pin(cli: Cli, card: Card, kind: str) -> None:
    assert cli("--simulator", card(), *READS[kind], secrets={"pin": "0000"}).exit == 4


@pytest.mark.parametrize("kind", READS)
def test_fast_and_a_store_exclude_each_other(cli: Cli, card: Card, kind: str) -> None:
    path = card()
    before = path.read_bytes()
    line = ("--simulator", path, *READS[kind], "--fast", "--trust", "simulator")
    run = cli(*line, "--json", "--lang", "ja", secrets={"pin": PINS["basic"]})
    assert (run.exit, run.error()["code"]) == (2, "usage")
    assert "--fast" in run.error()["message"]
    assert path.read_bytes() == before


def test_the_proof_leaves_no_digest_of_the_number_in_the_trace(cli: Cli, card: Card) -> None:
    """EF 0003 has a digest of 個人番号, which is as good as the number."""
    run = cli("--simulator", card(), "read", "basic-four", "-v", secrets={"pin": PINS["basic"]})
    assert run.err.splitlines()[-1] == "13 APDUs"
    state = fakes.made()
    record = fakes.file_of(state, "input_support", "record_signature")
    shown = run.err.lower().replace(" ", "")
    assert not any(record[at : at + 8].hex() in shown for at in range(8, 72))
    assert not [text for text in PLANTED if text in run.err]


# --- 券面事項確認AP ---------------------------------------------------------------------------------------------------

OPENED = {"code-a": NUMBER, "birth-code": "020803"}


@pytest.mark.parametrize("kind", FACE)
def test_so_are_face_and_age(cli: Cli, card: Card, kind: str) -> None:
    path = card()
    run = cli("--simulator", path, *FACE[kind], "--json", secrets=OPENED)
    assert (run.exit, run.json(kind)["authentic"]) == (0, "true")
    more = ("--force",) if kind == "face" else ()
    run = cli("--simulator", path, *FACE[kind], *more, "--fast", "--json", secrets=OPENED)
    assert (run.exit, run.json(kind)["authentic"]) == (0, "unchecked")
    for lang in messages.LANGUAGES:
        proved = messages.text("say.four.proved", lang, store=messages.text("say.store.simulator", lang))
        run = cli("--simulator", path, *FACE[kind], *more, "--lang", lang, secrets=OPENED)
        assert "".join(proved.split()) in "".join(run.all.split())


@pytest.mark.parametrize("kind", FACE)
@pytest.mark.parametrize(
    ("make", "reason", "exit_code"),
    [
        (fakes.copy_without_keys, "card_response.wrong", 20),
        (fakes.two_cards_mixed, "record.forged", 20),
        (fakes.another_issuer, "cv_certificate.unknown_issuer", 21),
    ],
)
def test_nothing_of_a_face_or_age_is_shown_or_written(
    cli: Cli,
    tmp_path: Path,
    fake: Callable[[CardState], Path],
    kind: str,
    make: Callable[[], CardState],
    reason: str,
    exit_code: int,
) -> None:
    run = cli("--simulator", fake(make()), *FACE[kind], "--lang", "en", secrets=OPENED)
    assert (run.exit, run.out) == (exit_code, "")
    assert "".join(messages.reason_words(reason, "en").split()) in "".join(run.err.split())
    assert not (tmp_path / "face").exists()
    assert not [text for text in PLANTED if text in run.all]


@pytest.mark.parametrize("kind", READS)
def test_secure_messaging_enciphers_the_proof_too(cli: Cli, card: Card, kind: str) -> None:
    """EF 0003 is read in the session: in clear it would give the digest of 個人番号 to whoever listens."""
    path, secrets = card(), {"pin": PINS["basic"]}
    run = cli("--simulator", path, *READS[kind], "--secure-messaging", "--json", "-v", secrets=secrets)
    assert (run.exit, run.json(kind)["authentic"]) == (0, "true")
    reads = [line for line in run.err.splitlines() if "read input_support/" in line]
    clear = [line for line in reads if not line.split(": ", 1)[1].startswith("08")]
    assert {line.split(": ")[0].split("/")[1] for line in clear} == {"session_public_key"}
