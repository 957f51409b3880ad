"""What is typed in the wrong place is never repeated; what is said instead is in the language of the session."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from cli.commandline import PINS, Cli
from cli.test_help import LEAVES
from kojin_card.testing.documents import blank_pdf

Card = Callable[..., Path]
PLANTED = "86420"
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龠]")


def positions(path: tuple[str, ...], command: click.Command) -> list[tuple[str, ...]]:
    """Lines on which a PIN stands where it does not belong: surplus, as an option, or as an option's value."""
    lines = [(*path, *["x"] * 9, PLANTED), (*path, f"--pin={PLANTED}"), (*path, f"-{PLANTED}"), (*path, f"--{PLANTED}")]
    lines += [
        (*path, f"{max(param.opts, key=len)}={PLANTED}")
        for param in command.params
        if isinstance(param, click.Option)
        and not isinstance(param.type, click.Path)
        and param.type is not click.STRING
        and param.name != "global_lang"  # the last one counts, and the tests give one
    ]
    if any(param.name == "secrets" for param in command.params):
        lines += [(*path, f"--secrets=pin={PLANTED}"), (*path, "--secrets", PLANTED)]
    return lines


@pytest.mark.parametrize("how", [(), ("--json", "--lang", "ja", "-v")])
@pytest.mark.parametrize(
    ("path", "command"), LEAVES, ids=lambda value: ".".join(value) if isinstance(value, tuple) else ""
)
def test_a_value_in_the_wrong_place_is_not_repeated(
    cli: Cli, path: tuple[str, ...], command: click.Command, how: tuple[str, ...]
) -> None:
    for words in positions(path, command):
        if words[-1] == PLANTED and "x" in words and any(param.nargs == -1 for param in command.params):
            continue  # as many files as one likes
        run = cli(*words, *how)
        assert run.exit == 2, (words, run.all)
        assert PLANTED not in run.all, words
        told = run.err.replace("utf-8", "")
        assert not re.search(rf"(?<!\d){PLANTED[0]}(?!\d)", told), words  # nor its first digit, as of "-86420"
        if "--json" in how:
            assert run.error()["code"] == "usage"
        if "ja" in how:
            detail = run.error()["message"] if "--json" in how else run.err
            assert JAPANESE.search(detail.split("（")[-1] if "--json" in how else detail.splitlines()[1])


@pytest.mark.parametrize("words", [(PLANTED,), ("read", PLANTED), ("cert", "show", PLANTED), ("sign", PLANTED, "x")])
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_nor_is_a_word_that_is_no_command(cli: Cli, words: tuple[str, ...], lang: str) -> None:
    for how in ((), ("--json",)):
        run = cli(*words, "--lang", lang, *how)
        assert run.exit == 2
        assert PLANTED not in run.all
        assert "basic-four" in run.all or words[0] != "read"  # what there is instead


def test_a_password_where_the_file_belongs_is_not_repeated(cli: Cli, card: Card) -> None:
    for how in ((), ("--json",)):
        run = cli("--simulator", card(), "cert", "show", "sign", "--secrets", "ABC123", *how)
        assert run.exit == 10
        assert "ABC123" not in run.all


def test_a_file_may_have_any_name(cli: Cli, card: Card, tmp_path: Path) -> None:
    for name in ("1234", "a=b"):
        (tmp_path / name).write_text("pin=5678\n")
        assert cli("--simulator", card(), "read", "basic-four", "--secrets", name).exit == 0


@pytest.mark.parametrize("kind", ["raw", "cms", "pdf"])
@pytest.mark.parametrize("how", [(), ("--json",)])
def test_where_to_write_is_asked_for(cli: Cli, card: Card, tmp_path: Path, kind: str, how: tuple[str, ...]) -> None:
    (tmp_path / "in.pdf").write_bytes(blank_pdf(["x"]))
    run = cli("--simulator", card(), "sign", kind, "in.pdf", *how, secrets={"sign-password": PINS["sign"]})
    assert run.exit == 2
    assert "--output" in run.all
    if how:
        assert run.error()["code"] == "usage"


def test_option_names_are_told_where_they_are_words(cli: Cli) -> None:
    assert "--nonsense" in cli("info", "--nonsense").err
    assert "--lifetime" in cli("auth", "challenge", "--audience", "a", "--purpose", "p", "--lifetime", "0").err
    assert "production" in cli("trust", "list", "--trust", "x").err
    assert "+09:00" in cli("verify", "pdf", "x", "--at", "yesterday", "--lang", "ja").err


def test_help_is_in_one_language(cli: Cli) -> None:
    run = cli("sign", "raw", "--help", "--lang", "ja")
    assert "[既定: sign]" in run.out
    assert "[必須]" in run.out
    assert not {"default", "required"} & set(re.findall("[a-z]+", run.out))


@pytest.mark.parametrize(
    ("words", "japanese"),
    [
        (("read", "basic-four", "--secrets", "-"), "数字4桁"),
        (("cert", "show", "sign", "--secrets", "-"), "6～16文字"),
    ],
)
def test_the_form_comes_before_the_tries(cli: Cli, card: Card, words: tuple[str, ...], japanese: str) -> None:
    """A value that no card takes is refused as such even when the counter would not allow it either."""
    path = card(tries={"input_support/pin": 0, "jpki/sign_password": 0})
    before = path.read_bytes()
    run = cli("--simulator", path, *words, "--lang", "ja", stdin=b"pin=123\nsign-password=AB1\n")
    assert run.exit == 2
    assert japanese in run.err
    assert path.read_bytes() == before


def test_full_width_digits_are_recognised(cli: Cli, card: Card) -> None:
    run = cli("--simulator", card(), "read", "basic-four", "--lang", "ja", "--json", secrets={"pin": "５６７８"})
    assert (run.exit, run.error()["code"]) == (2, "secret_format")
    assert "半角数字" in run.error()["message"]
    assert "５６７８" not in run.all


def test_a_birth_date_says_its_form(cli: Cli, card: Card) -> None:
    given = {"birth-date": "55.2.17", "expiry-year": "2035", "security-code": "2285"}
    for lang in ("ja", "en"):
        run = cli("--simulator", card(), "read", "basic-four", "--lang", lang, secrets=given)
        assert run.exit == 2
        assert "YYYYMMDD" in run.err
        assert "19900803" in run.err


# --- one file of secrets for several commands -----------------------------------------------------------------------


def test_one_file_serves_every_command_without_spending_a_try(cli: Cli, card: Card, tmp_path: Path) -> None:
    every = {"pin": PINS["basic"], "auth-pin": PINS["auth"], "sign-password": PINS["sign"], "registry-pin": "9012"}
    path = card()
    (tmp_path / "in.txt").write_bytes(b"x")
    cli("auth", "challenge", "--audience", "a", "--purpose", "p", "-o", "c.json")
    for words in (
        ("read", "basic-four"),
        ("auth", "respond", "c.json"),
        ("sign", "raw", "in.txt", "-o", "s.sig", "--key", "auth"),
        ("sign", "cms", "in.txt", "-o", "s.p7m"),
        ("cert", "show", "sign"),
    ):
        assert cli("--simulator", path, *words, secrets=every).exit == 0, words
    states = cli("--simulator", path, "pin", "status", "--json").json("pin-status")["secrets"]
    assert {one["state"] for one in states} == {"ready"}
    names = {"registry-pin", "pin", "code-a", "code-b", "auth-pin", "sign-password", "birth-code"}
    assert {one["secret"] for one in states} == names


def test_pin_alone_may_be_the_authentication_pin(cli: Cli, card: Card) -> None:
    cli("auth", "challenge", "--audience", "a", "--purpose", "p", "-o", "c.json")
    respond = ("--simulator", card(), "auth", "respond", "c.json", "--json")
    assert cli(*respond, secrets={"pin": PINS["auth"]}).exit == 0
    assert cli(*respond, secrets={"auth-pin": PINS["auth"], "pin": "0000"}).exit == 0
    none = cli(*respond, secrets={"sign-password": PINS["sign"]})
    assert (none.exit, none.error()["code"]) == (2, "secret_unavailable")
    assert "auth-pin" in none.error()["message"]
    assert cli(*respond[:2], "read", "basic-four", secrets={"auth-pin": PINS["basic"]}).exit == 2


def test_helps_and_card_files_name_secrets_as_secrets_files_do(cli: Cli, card: Card) -> None:
    assert "auth-pin=1234" in cli("simulator", "new", "--help").out
    assert "sign-password=ABC123" in cli("simulator", "new", "--help").out
    assert "auth-pin" in cli("auth", "respond", "--help").out
    assert "auth-pin" in cli("simulator", "show", card(), "--lang", "ja").out


# --- remedies that are true -----------------------------------------------------------------------------------------


def told(cli: Cli, *words: object, **more: object) -> str:
    run = cli(*words, "--lang", "en", **more)
    assert run.exit != 0
    return run.err


def test_without_reader_support_people_are_told_what_to_install_or_to_do_without(cli: Cli) -> None:
    words = told(cli, "info")
    assert "--simulator FILE" in words
    assert "pip install 'kojin-card[pcsc]'" in words
    assert "追加機能「pcsc」が入っていません" in cli("info", "--lang", "ja").err


def test_what_is_missing_decides_the_remedy(cli: Cli, card: Card) -> None:
    child = told(cli, "--simulator", card("child"), "cert", "show", "sign", secrets={"sign-password": PINS["sign"]})
    assert "under 15" in child
    bare = told(cli, "--simulator", card("jlis_test_card"), "cert", "show", "auth")
    assert "published test card" in bare
    assert "under 15" not in bare
    assert bare.count("6A8") <= 1


def test_a_folder_with_other_things_is_about_the_folder(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").write_text("x")
    words = told(cli, "demo", "--folder", "mine")
    assert "--keep" in words
    assert "-o" not in words.split()


def test_a_list_of_another_store_is_not_lost(cli: Cli, crls: Path) -> None:
    assert "--trust" in told(cli, "revocation", "add", crls / "signature.der")
    assert cli("revocation", "add", crls / "signature.der", "--trust", "simulator").exit == 0
    shown = cli("revocation", "status", "--lang", "en").out
    assert "trust store production" in shown
    assert "name another one with --trust" in shown
    assert "No list yet" not in shown
    assert "usable now" in cli("revocation", "status", "--trust", "simulator", "--lang", "en").out


@pytest.mark.parametrize("text", ["", "x" * 513])
def test_a_challenge_of_impossible_texts_is_wrong_usage(cli: Cli, text: str) -> None:
    run = cli("auth", "challenge", "--audience", text, "--purpose", "p", "--json")
    assert (run.exit, run.error()["code"]) == (2, "usage")


def test_a_malformed_line_of_secrets_is_told_as_that(cli: Cli, card: Card) -> None:
    words = told(cli, "--simulator", card(), "read", "basic-four", "--secrets", "-", stdin=b"5678\n")
    assert "name=value" in words
    assert "5678" not in words


def test_hints_to_the_other_command(cli: Cli, card: Card, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(blank_pdf(["x"]))
    assert "verify pdf" in cli("verify", "cms", "a.pdf").err
    secrets = {"sign-password": PINS["sign"]}
    assert cli("--simulator", card(), "sign", "cms", "a.pdf", "-o", "a.p7m", secrets=secrets).exit == 0
    assert "verify cms" in cli("verify", "pdf", "a.p7m").err
    assert "leave --content out" in cli("verify", "cms", "a.p7m", "--content", "a.pdf").err
    assert cli("verify", "pdf", "a.pdf").err == ""


def test_a_login_without_lists_is_warned_of_and_makes_no_store(cli: Cli, card: Card, tmp_path: Path) -> None:
    cli("auth", "challenge", "--audience", "a", "--purpose", "p", "--store", "ch.db", "-o", "c.json")
    assert cli("--simulator", card(), "auth", "respond", "c.json", "-o", "p", secrets={"auth-pin": "1234"}).exit == 0
    judge = ("auth", "verify", "p", "--audience", "a", "--trust", "simulator", "--store")
    assert cli(*judge, "nostore.db").exit == 10
    assert not (tmp_path / "nostore.db").exists()
    assert cli(*judge[:-1]).exit == 20  # no challenge was ever given out here
    assert not (tmp_path / "home" / "challenges.db").exists()
    run = cli(*judge, "ch.db")
    assert run.exit == 21
    assert "uses up the challenge" in run.err


def test_a_ca_of_the_other_purpose_is_not_this_one(cli: Cli, card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    from kojin_card.applications import Jpki

    read = Jpki.certificate
    monkeypatch.setattr(Jpki, "certificate", lambda self, _: read(self, "auth-ca"))
    line = ("--simulator", card(), "cert", "status")
    run = cli(*line, "sign-ca", "--trust", "simulator", "--json")
    assert run.exit == 21
    assert run.json("verdicts")["results"][0]["reasons"] == ["profile.purpose"]
    assert cli(*line, "auth-ca", "--trust", "simulator").exit == 0


# --- before a try is spent ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (b"no PDF", ()),
        (blank_pdf(["x"]), ("--reason", "a\nb")),
        (blank_pdf(["x"]), ("--field", "")),
        (blank_pdf(["x"]), ("--location", "x" * 501)),
    ],
)
def test_what_cannot_be_signed_is_found_out_before_the_password(
    cli: Cli, card: Card, tmp_path: Path, content: bytes, more: tuple[str, ...]
) -> None:
    (tmp_path / "in.pdf").write_bytes(content)
    path = card()
    before = path.read_bytes()
    run = cli("--simulator", path, "sign", "pdf", "in.pdf", "-o", "s.pdf", *more, secrets={"sign-password": "WRONG99"})
    assert run.exit in (2, 10)
    assert path.read_bytes() == before


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_an_option_for_a_pin_is_told_where_pins_go(cli: Cli, card: Card, lang: str) -> None:
    for word in ("--pin", "--password", "--auth-pin"):
        run = cli("--simulator", card(), "read", "basic-four", word, "5678", "--lang", lang)
        assert run.exit == 2
        assert "--secrets FILE" in run.err
        assert "5678" not in run.err
    assert "--secrets FILE" not in cli("info", "--nope", "--lang", lang).err


@pytest.mark.parametrize(
    ("words", "secrets", "only", "others"),
    [
        (("read", "basic-four"), {"pin": "12"}, "数字4桁", "英数字6～16"),
        (("cert", "show", "sign"), {"sign-password": "AB1"}, "英数字6～16文字", "数字4桁"),
        (("read", "age", "--at-least", "20"), {"birth-code": "1"}, "和暦の6桁", "英数字"),
        (("pin", "change", "auth"), {"auth-pin": "1234", "new-auth-pin": "１２３４"}, "数字4桁", "14桁"),
    ],
)
def test_a_wrong_form_names_the_secret_and_its_form_alone(
    cli: Cli, card: Card, words: tuple[str, ...], secrets: dict[str, str], only: str, others: str
) -> None:
    error = cli("--simulator", card(), *words, "--json", "--lang", "ja", secrets=secrets).error()
    assert only in error["remedy"]
    assert others not in error["remedy"]
    assert "の形式が違います" in error["message"]
    assert not error["message"].startswith("暗証番号またはパスワード")


def test_operations_are_in_words(cli: Cli, card: Card) -> None:
    run = cli("--simulator", card("android"), "read", "face", "--lang", "ja", secrets={"code-b": "02080320364271"})
    assert "券面事項確認APを選ぶ" in run.err
    assert "card_face" not in run.err
    run = cli("--simulator", card(), "read", "my-number", "--lang", "en", secrets={"pin": "5678"})
    assert "input_support/my_number" not in run.err


def test_the_card_says_which_certificates_it_has(cli: Cli, card: Card) -> None:
    path = card("jlis_test_card")
    assert "あり（カードの申告）" in cli("--simulator", path, "info", "--lang", "ja").out
    run = cli("--simulator", path, "cert", "show", "auth", "--json", "--lang", "ja")
    assert run.exit == 8
    assert "info" not in run.error()["remedy"]


#: words of the code and of the operating system that are for developers
RAW = ("open card file", "No such file", "not a card file", "another process", "no CA of the test PKI", "must be the")


def test_japanese_answers_are_japanese(cli: Cli, card: Card, tmp_path: Path) -> None:
    from kojin_card.simulator import SoftCard

    (tmp_path / "other.json").write_text("{}", "utf-8")
    (tmp_path / "mine.toml").write_text('schema = 1\n[persona]\nid = "other"\n', "utf-8")
    path = card()
    with SoftCard.open(path):
        busy = cli("--simulator", path, "info", "--lang", "ja")
    runs = [
        (busy, "別のプログラムがこのカードを開いています"),
        (cli("--simulator", "none.json", "info", "--lang", "ja"), "そのようなファイルやフォルダーはありません"),
        (cli("--simulator", "other.json", "info", "--lang", "ja"), "ソフトウェアカードのファイルではありません"),
        (cli("simulator", "new", "--persona", "mine.toml", "--lang", "ja"), "id はファイルの名前"),
        (cli("simulator", "new", "x.json", "--at", "2045-01-01T00:00+09:00", "--lang", "ja"), "認証局がありません"),
        (cli("simulator", "new", "x.json", "--at", "1990-01-01T00:00+09:00", "--lang", "ja"), "生まれる前の日時"),
    ]
    for run, words in runs:
        assert run.exit
        assert words in "".join(run.err.split("\n"))
        assert not [raw for raw in RAW if raw in run.err]


def test_a_certificate_is_shown_in_words(cli: Cli, card: Card) -> None:
    for lang, words in (("ja", "電子署名（認証を含む）"), ("en", "digital signature")):
        out = cli("--simulator", card(), "cert", "show", "auth", "--lang", lang).out
        assert words in out
        assert "digital_signature" not in out
    assert "digital_signature" in cli("--simulator", card(), "cert", "show", "auth", "--json").out
