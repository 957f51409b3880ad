"""``cert status`` on certificates that are no longer good: words about it, not about a signature."""

from __future__ import annotations

import pytest

from cli.commandline import Cli
from kojin_card import messages

TRUST = ("--trust", "simulator", "--revocation", "lists")
#: what is said of signatures, and means nothing where none was judged
OF_SIGNATURES = (
    "署名し直し",
    "送り主",
    "新しい証明書で",
    "有効とも無効とも",
    "new certificate",
    "sign again",
    "neither valid",
)


@pytest.mark.parametrize("lang", messages.LANGUAGES)
@pytest.mark.parametrize(
    ("persona", "words_ja", "words_en"),
    [
        (
            "emigrated",
            "この電子証明書は失効しています。今は使えません。",
            "This certificate is revoked: it cannot be used now.",
        ),
        ("expired", "この電子証明書は有効期間が終わっています。今は使えません。", "This certificate has expired"),
    ],
)
def test_a_certificate_that_is_over_is_called_so(
    cli: Cli, persona: str, words_ja: str, words_en: str, lang: str
) -> None:
    assert cli("simulator", "new", "c.json", "--persona", persona, "--lists", "lists").exit == 0
    line = ("--simulator", "c.json", "cert", "status", "auth", *TRUST, "--lang", lang)
    run = cli(*line)
    assert run.exit == 21
    assert (words_ja if lang == "ja" else words_en) in run.out
    assert ("窓口" if lang == "ja" else "counter") in run.out
    assert not any(words in run.out for words in OF_SIGNATURES)
    (value,) = cli(*line, "--json").json("verdicts")["results"]
    assert value["indication"] == "INDETERMINATE"  # ETSI's word stays in the answer for programs
    said = [check["words"] for check in value["checks"] if check["words"]]
    assert said
    assert not any(words in sentence for sentence in said for words in OF_SIGNATURES)


def test_what_is_not_known_is_still_undecided(cli: Cli) -> None:
    cli("simulator", "new", "c.json")
    run = cli("--simulator", "c.json", "cert", "status", "auth", "--trust", "simulator", "--lang", "ja")
    assert run.exit == 21
    assert "この電子証明書が使えるかどうかを判断できません" in run.out
    run = cli("--simulator", "c.json", "cert", "status", "auth", "--lang", "ja")
    assert "送り主" not in run.out


def test_every_word_for_certificates_stands_for_one_that_there_is() -> None:
    own = {
        key.removeprefix("certificate."): entry
        for key, entry in messages.load("verdicts").items()
        if key.startswith("certificate.")
    }
    assert len(own) > 20
    for key, entry in own.items():
        kind, _, name = key.partition(".")
        known = f"reason.{name}" if kind == "answer" else f"{kind}.{name}"
        assert known in messages.load("verdicts"), key
        assert set(entry) == set(messages.LANGUAGES)
        assert kind == "sub_indication" or (entry["ja"].endswith("。") and entry["en"].endswith("."))


def test_what_cannot_judge_is_refused_before_the_card_is_asked(cli: Cli) -> None:
    """No password is asked for, and no reader looked for, when the file of responders is not there."""
    run = cli("cert", "status", "sign", "--ocsp", "none.toml")
    assert run.exit == 10
    assert "none.toml" in run.err
