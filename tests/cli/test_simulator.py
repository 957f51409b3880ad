"""``simulator new``, ``set`` and ``show``: kinds of card, keys, settings, lists; mistakes change nothing."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.commandline import Cli
from kojin_card import messages
from kojin_card.simulator import SoftCard
from support import ROOT


def shown(cli: Cli, path: Path | str) -> dict[str, str]:
    knobs: dict[str, str] = cli("simulator", "show", path, "--json").json("card-file")["knobs"]
    return knobs


def tries(cli: Cli, path: Path, secret: str) -> list[int]:
    found = cli("simulator", "show", path, "--json").json("card-file")["secrets"]
    return [one["tries_left"] for one in found if one["secret"] == secret]


def test_a_card_of_another_kind_with_other_keys_and_settings(cli: Cli) -> None:
    line = ("simulator", "new", "a.json", "--profile", "android", "--seed", "another", "--knob", "blocked_sw=6983")
    run = cli(*line, "--json")
    assert run.exit == 0, run.all
    assert run.json("card-file-made")["lists"] is None
    assert shown(cli, "a.json") | {"blocked_sw": "6983", "android": "on"} == shown(cli, "a.json")
    assert cli("--simulator", "a.json", "info", "--json").json("info")["kind"] == "android"
    assert cli("simulator", "new", "b.json", "--profile", "android", "--knob", "blocked_sw=6983").exit == 0
    one, two = (
        json.loads(Path(name).read_text("utf-8"))["applications"]["jpki"]["keys"] for name in ("a.json", "b.json")
    )
    assert one["auth_key"] != two["auth_key"]


def test_fresh_keys_are_nobody_elses(cli: Cli) -> None:
    for name in ("a.json", "b.json"):
        assert cli("simulator", "new", name, "--fresh-keys").exit == 0
    one, two = (
        json.loads(Path(name).read_text("utf-8"))["applications"]["jpki"]["keys"] for name in ("a.json", "b.json")
    )
    assert one["sign_key"] != two["sign_key"]


@pytest.mark.parametrize(
    ("persona", "sign", "auth"),
    [("adult", 0, 0), ("emigrated", 21, 21), ("emigrated_continued", 21, 0), ("expired", 21, 21)],
)
def test_what_became_of_the_certificates_stands_in_the_lists(cli: Cli, persona: str, sign: int, auth: int) -> None:
    assert cli("simulator", "new", "c.json", "--persona", persona, "--lists", "lists").exit == 0
    judge = ("--simulator", "c.json", "cert", "status")
    how = ("--trust", "simulator", "--revocation", "lists", "--json")
    assert cli(*judge, "sign", *how, secrets={"sign-password": "ABC123"}).exit == sign
    assert cli(*judge, "auth", *how).exit == auth


def test_the_personas_are_listed_with_what_they_are_for(cli: Cli) -> None:
    files = sorted((ROOT / "fixtures" / "personas").glob("*.toml"))
    found = {one["id"]: one for one in cli("simulator", "new", "--list", "--json").json("personas")["personas"]}
    assert sorted(found) == [path.stem for path in files]
    for path in files:
        declared = tomllib.loads(path.read_text("utf-8"))["persona"]
        assert found[path.stem]["about"] == declared["name_en"]
    assert found["adult"]["secrets"]["auth-pin"] == "1234"
    assert "明治最後の日の生まれ" in cli("simulator", "new", "--list", "--lang", "ja").out
    assert not list(Path().glob("*.json"))


def test_a_persona_of_ones_own(cli: Cli, tmp_path: Path) -> None:
    text = (ROOT / "fixtures" / "personas" / "adult.toml").read_text("utf-8")
    own = text.replace('id = "adult"', 'id = "mine"').replace("見本　花子", "SPECIMEN")
    own = own.replace('name_substitutes = "00000"', 'name_substitutes = "00000000"')
    start, end = own.index("[images]"), own.index("[pins]")
    Path("mine.toml").write_text(own[:start] + own[end:], "utf-8")
    assert cli("simulator", "new", "--persona", "mine.toml").exit == 0
    four = cli("--simulator", "mine.json", "read", "basic-four", "--json", secrets={"pin": "5678"}).json("basic-four")
    assert four["name"] == "SPECIMEN"


def test_the_example_of_the_guide_makes_a_card_with_a_font_and_without(cli: Cli) -> None:
    """docs/personas.md: a whole file. Its images are not there: they are drawn, or the file says none."""
    guide = (ROOT / "docs" / "personas.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    Path("taro.toml").write_text(example, "utf-8")
    assert cli("simulator", "new", "--persona", "taro.toml").exit == 0
    given = {"pin": "5678"}
    assert cli("--simulator", "taro.json", "read", "basic-four", "--json", secrets=given).json("basic-four")["name"]


def font() -> str:
    """A font that is always there: the one that Pillow carries."""
    from PIL import ImageFont

    found = ImageFont.load_default(12)
    assert isinstance(found, ImageFont.FreeTypeFont)
    Path("font.ttf").write_bytes(found.font_bytes)
    return "font.ttf"


def test_a_copied_persona_needs_its_images_or_a_font(cli: Cli) -> None:
    text = (ROOT / "fixtures" / "personas" / "adult.toml").read_text("utf-8")
    Path("mine.toml").write_text(text.replace('id = "adult"', 'id = "mine"'), "utf-8")
    assert cli("simulator", "new", "--persona", "mine.toml").exit == 10
    assert cli("simulator", "new", "--persona", "mine.toml", "--font", font()).exit == 0
    code = {"code-a": "123456789018"}
    assert cli("--simulator", "mine.json", "read", "face", "--json", secrets=code).json("face")["has_photo"] is False


def test_a_font_for_a_persona_that_is_drawn_is_refused(cli: Cli) -> None:
    for words in ((), ("--persona", "child")):
        run = cli("simulator", "new", "c.json", *words, "--font", font(), "--json")
        assert (run.exit, run.error()["code"]) == (2, "usage")
        assert not Path("c.json").exists()
    assert "自作の人物" in cli("simulator", "new", "c.json", "--font", "font.ttf", "--lang", "ja").err


@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_kinds_of_card_are_listed(cli: Cli, lang: str) -> None:
    kinds = sorted(path.stem for path in (ROOT / "fixtures" / "personas" / "profiles").glob("*.toml"))
    told = cli("simulator", "new", "c.json", "--profile", "nope", "--json", "--lang", lang).error()["message"]
    shown = cli("simulator", "new", "--help", "--lang", lang).out
    for kind in kinds:
        assert kind in told
        assert f"\n  {kind}" in shown


@pytest.mark.parametrize(
    "words",
    [
        ("--persona", "nobody"),
        ("--persona", "nobody.toml"),
        ("--profile", "cyborg"),
        ("--knob", "blocked_sw=9000"),
        ("--knob", "nothing=on"),
        ("--persona", "android", "--profile", "../plastic_card"),
    ],
)
def test_a_mistake_makes_no_card(cli: Cli, words: tuple[str, ...]) -> None:
    run = cli("simulator", "new", "c.json", *words, "--json")
    assert run.exit == 2
    assert run.error()["remedy"]
    assert not Path("c.json").exists()


def test_tries_and_resets(cli: Cli, card: Callable[..., Path]) -> None:
    path = card()
    assert cli("simulator", "set", path, "--tries", "auth-pin=0", "--tries", "registry-pin=1").exit == 0
    assert tries(cli, path, "auth-pin") == [0]
    assert tries(cli, path, "registry-pin") == [1, 1]
    assert (
        cli("--simulator", path, "sign", "raw", "-", "-o", "s", "--key", "auth", secrets={"auth-pin": "1234"}).exit == 5
    )
    run = cli("simulator", "set", path, "--reset", "auth-pin", "--json", secrets={"new-auth-pin": "8642"})
    assert run.json("card-file-set")["reset"] == ["auth-pin"]
    assert "8642" not in run.all
    for lang, words in (("ja", "新しい値にしました"), ("en", "with the new value")):
        again = cli("simulator", "set", path, "--reset", "auth-pin", "--lang", lang, secrets={"new-auth-pin": "8642"})
        assert words in again.out
        assert "8642" not in again.all
    for lang, words in (("ja", "値は元のままです"), ("en", "the value is as it was")):
        assert words in cli("simulator", "set", path, "--reset", "auth-pin", "--lang", lang).out
        count = cli("simulator", "set", path, "--tries", "auth-pin=3", "--lang", lang, "--plain").out
        assert f"{messages.text('say.simulator.tries_left', lang)}: auth-pin=3" in count
    assert tries(cli, path, "auth-pin") == [3]
    line = ("--simulator", path, "sign", "raw", "-", "-o", "s", "--key", "auth")
    assert cli(*line, secrets={"auth-pin": "1234"}, stdin=b"x").exit == 4
    assert cli(*line, secrets={"auth-pin": "8642"}, stdin=b"x").exit == 0


def test_settings_and_lists_of_a_card_that_is_made(cli: Cli) -> None:
    cli("simulator", "new", "c.json", "--persona", "emigrated")
    run = cli("simulator", "set", "c.json", "--knob", "codes_swapped=on", "--lists", "lists", "--json")
    assert run.json("card-file-set")["knobs"]["codes_swapped"] == "on"
    assert shown(cli, "c.json")["codes_swapped"] == "on"
    how = ("--trust", "simulator", "--revocation", "lists")
    assert cli("--simulator", "c.json", "cert", "status", "auth", *how).exit == 21
    assert cli("simulator", "set", "c.json", "--knob", "codes_swapped=off").exit == 0
    assert shown(cli, "c.json")["codes_swapped"] == "off"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--tries", "auth-pin"),
        ("--tries", "auth-pin=many"),
        ("--tries", "auth-pin=4"),
        ("--tries", "1234=1"),
        ("--reset", "nobody"),
        ("--knob", "sex_3=on"),
        ("--tries", "auth-pin=0", "--knob", "nothing=on"),
    ],
)
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_a_mistake_changes_nothing(cli: Cli, card: Callable[..., Path], words: tuple[str, ...], lang: str) -> None:
    path = card()
    before = path.read_bytes()
    run = cli("simulator", "set", path, *words, "--lang", lang)
    assert run.exit == 2
    assert "1234" not in run.all
    assert path.read_bytes() == before


def test_what_is_no_card_is_not_set(cli: Cli) -> None:
    Path("c.json").write_text("{}", "utf-8")
    assert cli("simulator", "set", "c.json", "--tries", "auth-pin=1").exit == 10
    assert cli("simulator", "set", "missing.json", "--tries", "auth-pin=1").exit == 10


def test_the_help_explains_every_setting(cli: Cli) -> None:
    for lang in ("ja", "en"):
        text = cli("simulator", "set", "--help", "--lang", lang).out
        assert "blocked_sw=6984|6983" in text
        assert "sign_certificate_free=on|off" in text


def test_the_personas_pins_are_to_be_typed_or_said_to_be_none(cli: Cli) -> None:
    for words in (("--list", "--plain"), ("--help",)):
        out = "".join(cli("simulator", "new", *words, "--lang", "ja").out.split())
        assert "licence-pin=未設定" in out
        assert "****" not in out
        assert "[]" not in out


def test_two_references_of_one_secret_are_told_apart(cli: Cli, card: Callable[..., Path]) -> None:
    for lang in ("ja", "en"):
        lines = cli("simulator", "show", card(), "--lang", lang, "--plain").out.splitlines()
        labels = [line.split(": ")[0] for line in lines if " / " in line]
        assert len(labels) == len(set(labels))
    assert "暗証番号（--reveal で値を表示）" in cli("simulator", "show", card(), "--lang", "ja").out


def test_lists_that_cannot_be_made_change_nothing(cli: Cli, card: Callable[..., Path], tmp_path: Path) -> None:
    path = card()
    before = path.read_bytes()
    (tmp_path / "file").write_bytes(b"")
    assert cli("simulator", "set", path, "--tries", "auth-pin=0", "--lists", tmp_path / "file" / "x").exit == 10
    assert path.read_bytes() == before
    assert cli("simulator", "new", "n.json", "--lists", tmp_path / "file" / "x").exit == 10
    assert not Path("n.json").exists()


def test_a_card_that_cannot_be_replaced_stays(
    cli: Cli, card: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kojin_card.simulator import cardfile

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = card()
    before = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(cardfile, "_write_partial", full)
        assert cli("simulator", "new", path, "--persona", "child", "--force").exit == 10
    assert path.read_bytes() == before
    with SoftCard.open(path):
        assert cli("simulator", "new", path, "--persona", "child", "--force").exit == 9
    assert path.read_bytes() == before
    assert cli("simulator", "new", path, "--persona", "child", "--force").exit == 0
    assert cli("simulator", "show", path, "--json").json("card-file")["persona"] == "child"


def test_what_is_no_regular_file_is_neither_persona_nor_image(cli: Cli, tmp_path: Path) -> None:
    """A pipe or a device would be read for ever; the content of any other file is no image."""
    os.mkfifo(tmp_path / "pipe.toml")
    for name in ("pipe.toml", "/nonexistent/x.toml", "link.toml"):
        if name == "link.toml":
            (tmp_path / name).symlink_to("/dev/zero")
        assert cli("simulator", "new", "c.json", "--persona", name).exit == 2
    text = (ROOT / "fixtures" / "personas" / "adult.toml").read_text("utf-8").replace('id = "adult"', 'id = "own"')
    (tmp_path / "own.toml").write_text(text, "utf-8")
    (tmp_path / "images").mkdir()
    for name in ("adult-name.png", "adult-address.png", "adult-photo.jp2"):
        (tmp_path / "images" / name).symlink_to("/dev/zero")
    assert cli("simulator", "new", "c.json", "--persona", "own.toml").exit == 10
    for path in (tmp_path / "images").iterdir():
        path.unlink()
        path.write_text("no image", "utf-8")
    assert cli("simulator", "new", "c.json", "--persona", "own.toml").exit == 10
    assert not Path("c.json").exists()
