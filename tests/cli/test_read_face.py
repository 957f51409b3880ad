"""``read face``: images into a folder, onto a sheet, into a page; all or nothing; 個人番号 only when asked for."""

from __future__ import annotations

import base64
import contextlib
import getpass
import hashlib
import io
import re
import stat
import struct
import sys
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cli.commandline import Cli
from kojin_card import messages
from kojin_card.applications import CardFace, Face
from kojin_card.cli import file_set, pictures
from kojin_card.cli.card_view import Picture, card_page
from kojin_card.cli.commands.read_face import NAMES
from kojin_card.cli.file_set import FileSet
from kojin_card.cli.files import give_name
from kojin_card.cli.problems import OutputExists, OutputFailed
from kojin_card.cli.secret_sources import PromptedSecrets
from kojin_card.errors import DecodeError, KojinError, UsageError

Card = Callable[..., Path]
NUMBER = "123456789018"
B = {"birth-date": "19900803", "expiry-year": "2036", "security-code": "4271"}
A = {"code-a": NUMBER}
EXPIRED_A = {"code-a": "900000002047"}
FIXTURES = Path(__file__).parents[2] / "fixtures" / "personas" / "images"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def size(image: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(image)).size


@pytest.fixture
def line(card: Card) -> tuple[object, ...]:
    return ("--simulator", card(), "read", "face")


# --- the folder -------------------------------------------------------------------------------------------------------


def test_words_and_files(cli: Cli, line: tuple[object, ...], tmp_path: Path) -> None:
    run = cli(*line, "--fast", "-o", "face", "--json", secrets=B)
    assert run.exit == 0
    value = run.json("face")
    assert (value["birth_date"], value["sex"], value["has_photo"]) == ("1990-08-03", "female", True)
    assert (value["opened_with"], value["duty"], value["authentic"]) == ("code-b", None, "unchecked")
    folder = tmp_path / "face"
    assert {Path(name).name for name in value["files"]} == names(folder) == set(NAMES) - {"my-number.png"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert (folder / "photo.jp2").read_bytes() == (FIXTURES / "adult-photo.jp2").read_bytes()
    assert (folder / "name.png").read_bytes() == (FIXTURES / "adult-name.png").read_bytes()
    assert size((folder / "photo.png").read_bytes()) == (180, 231)


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_on_screen_it_says_what_is_not_signed(cli: Cli, line: tuple[object, ...], tmp_path: Path, lang: str) -> None:
    run = cli(*line, "--lang", lang, secrets=B)
    assert run.exit == 0
    assert {"ja": "電子署名の対象外", "en": "not covered by the signature"}[lang] in run.out
    assert {"ja": "1990年8月3日", "en": "1990-08-03"}[lang] in run.out
    assert "見本" not in run.all  # names are images
    assert names(tmp_path) == {"adult.json", "given.secrets"}


def test_an_infant_has_no_photo(cli: Cli, card: Card, tmp_path: Path) -> None:
    run = cli("--simulator", card("infant"), "read", "face", "--by", "code-a", "-o", "f", "--sheet", "s.png", "--json",
              "--html", "f.html", secrets={"code-a": "900000001075"})  # fmt: skip
    assert run.exit == 0
    assert run.json("face")["has_photo"] is False
    assert names(tmp_path / "f") == {"name.png", "address.png", "security-code.png"}
    assert "zoom-photo" not in (tmp_path / "f.html").read_text("utf-8")


def test_a_second_person_never_mixes_with_the_first(cli: Cli, card: Card, tmp_path: Path) -> None:
    assert cli("--simulator", card(), "read", "face", "-o", "f", secrets=B).exit == 0
    second = ("--simulator", card("infant"), "read", "face", "-o", "f")
    assert cli(*second, secrets={"code-a": "900000001075"}).exit == 2
    assert (tmp_path / "f" / "photo.jp2").is_file()
    (tmp_path / "f" / "mine.txt").write_text("x", "utf-8")
    assert cli(*second, "--force", secrets={"code-a": "900000001075"}).exit == 0
    assert names(tmp_path / "f") == {"name.png", "address.png", "security-code.png", "mine.txt"}


# --- 個人番号 ---------------------------------------------------------------------------------------------------------


def test_the_number_only_with_a_duty_and_number_a(cli: Cli, line: tuple[object, ...], tmp_path: Path) -> None:
    asked = (*line, "--my-number-image", "-o", "f")
    for words, given_secrets, code in (
        (asked, A, 2),
        ((*asked, "--duty", " "), A, 2),
        ((*asked, "--duty", "tax", "--by", "code-b"), B, 2),
        ((*asked, "--duty", "tax"), B, 2),
        ((*line, "--duty", "tax"), B, 2),
        ((*line, "--my-number-image", "--duty", "tax"), A, 2),
    ):
        run = cli(*words, "--json", secrets=given_secrets)
        assert run.exit == code, words
        assert run.error()["remedy"]
        assert not (tmp_path / "f").exists()
    run = cli(*asked, "--duty", "tax", "--html", "f.html", "--sheet", "s.png", "-v", secrets=A)
    assert run.exit == 0
    assert run.err.count("verify card_face/code_a") == 1  # A opens all: it is sent once
    png = (tmp_path / "f" / "my-number.png").read_bytes()
    assert size(png) == (72, 12)
    assert NUMBER not in run.all
    page = (tmp_path / "f.html").read_text("utf-8")
    assert NUMBER not in page
    sizes = [size(base64.b64decode(found)) for found in re.findall(r"base64,([^\"]+)\"", page)]
    assert len(sizes) == 4
    assert (72, 12) not in sizes


def test_at_a_terminal_it_is_asked_for_once(
    cli: Cli, line: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return NUMBER

    monkeypatch.setattr(PromptedSecrets, "possible", staticmethod(lambda: True))
    monkeypatch.setattr(getpass, "getpass", answer)
    run = cli(*line, "--my-number-image", "--duty", "tax", "-o", "f", "--lang", "ja")
    assert run.exit == 0
    assert asked == ["照合番号A（個人番号）（あと10回）: "]
    assert NUMBER not in run.all


def test_it_is_not_read_unasked(cli: Cli, line: tuple[object, ...], tmp_path: Path) -> None:
    run = cli(*line, "--by", "code-a", "-o", "f", "-v", secrets=A)
    assert run.exit == 0
    assert "my_number_image" not in run.err
    assert "my-number.png" not in names(tmp_path / "f")


# --- outcomes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "given_secrets", "left", "exit_code"),
    [
        ((), {**B, "security-code": "4272"}, None, 4),
        ((), {"code-a": "123456789026"}, None, 4),
        ((), B, 0, 5),
        ((), B, 1, 6),
        (("--last-try",), B, 1, 0),
        (("--by", "code-a"), B, None, 2),
        ((), {"code-b": "123"}, None, 2),
        (("-o", "no/such"), B, None, 10),
        (("-o", "adult.json"), B, None, 2),
        (("--html", "adult.json"), B, None, 2),
        (("--html", "same", "--sheet", "same"), B, None, 2),
        (("-o", "f", "--sheet", "f/name.png"), B, None, 2),
        (("--by", "pin"), B, None, 2),
        (("extra",), B, None, 2),
    ],
)
def test_outcomes(
    cli: Cli,
    card: Card,
    tmp_path: Path,
    words: tuple[str, ...],
    given_secrets: dict[str, str],
    left: int | None,
    exit_code: int,
) -> None:
    path = card(tries=None if left is None else {"card_face/code_b": left})
    before = path.read_bytes()
    run = cli("--simulator", path, "read", "face", *words, "--json", secrets=given_secrets)
    assert run.exit == exit_code
    if exit_code:
        assert run.error()["remedy"]
        assert exit_code == 4 or path.read_bytes() == before
        assert names(tmp_path) == {"adult.json", "given.secrets"}
    assert not [value for value in given_secrets.values() if len(value) > 8 and value in run.all]


def test_without_the_extra_only_sheet_and_page_are_missed(
    cli: Cli, line: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda _: None)
    for words in (("--sheet", "s.png"), ("--html", "f.html")):
        run = cli(*line, *words, "-v", "--json", secrets=B)
        assert (run.exit, run.error()["code"]) == (11, "missing_extra")
        assert "kojin-card[images]" in run.error()["remedy"]
        assert "[1]" not in run.err  # before the card is asked for anything
    assert cli(*line, "-o", "f", secrets=B).exit == 0
    assert names(tmp_path / "f") == {"name.png", "address.png", "security-code.png", "photo.jp2"}


def test_the_command_is_loaded_without_pillow(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "import sys, kojin_card.cli.commands.read_face; print([m for m in sys.modules if m.startswith('PIL')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "[]\n"


# --- hostile images ---------------------------------------------------------------------------------------------------


def png(across: int, down: int, rows: bytes = b"") -> bytes:
    """A PNG whose header says what we want."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", across, down, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PHOTO = (FIXTURES / "adult-photo.jp2").read_bytes()
SIZ = PHOTO.index(b"\xff\x4f\xff\x51") + 8
BOMBS: list[tuple[bytes, pictures.Format]] = [
    (png(50_000, 50_000), "PNG"),
    (png(0, 0), "PNG"),
    (png(2001, 2000), "PNG"),
    (png(10, 10), "PNG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"", "JPEG2000"),
    (PHOTO, "PNG"),
    (png(1, 1, b"\0\0"), "JPEG2000"),
    (PHOTO[:SIZ] + struct.pack(">II", 60_000, 60_000) + PHOTO[SIZ + 8 :], "JPEG2000"),
    (PHOTO[: SIZ + 32] + struct.pack(">H", 16_384) + PHOTO[SIZ + 34 :], "JPEG2000"),
    (PHOTO[: len(PHOTO) // 3], "JPEG2000"),
    (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "PNG"),
]


@pytest.mark.parametrize(("data", "form"), BOMBS)
def test_a_bad_image_is_one_typed_error(data: bytes, form: pictures.Format) -> None:
    with pytest.raises(DecodeError):
        pictures.as_png(data, form)


def test_nothing_but_pixels_is_kept() -> None:
    from PIL.PngImagePlugin import PngInfo

    out, texts = io.BytesIO(), PngInfo()
    texts.add_text("Comment", "planted")
    Image.new("L", (4, 4)).save(out, "PNG", pnginfo=texts, icc_profile=b"planted profile", dpi=(72, 72))
    kept = pictures.as_png(out.getvalue(), "PNG")
    assert [kept[at : at + 4] for at in range(len(kept)) if kept[at : at + 4] in (b"tEXt", b"iCCP", b"pHYs")] == []


def test_a_large_image_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageFile

    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(DecodeError, match="too many pixels"):
        pictures.as_png(png(2001, 2000), "PNG")


@given(st.integers(0, len(PHOTO) - 1), st.binary(min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_damage_gives_an_image_or_a_typed_error(at: int, damage: bytes) -> None:
    for form, data in (("JPEG2000", PHOTO), ("PNG", (FIXTURES / "adult-name.png").read_bytes())):
        place = at % len(data)
        try:
            shown = pictures.as_png(data[:place] + damage + data[place + len(damage) :], form)  # type: ignore[arg-type]
        except KojinError as error:
            assert isinstance(error, DecodeError)  # noqa: PT017  # what else may come is what is tested
            continue
        assert shown.startswith(b"\x89PNG")


def damaged(monkeypatch: pytest.MonkeyPatch, **parts: Any) -> None:
    read_face = CardFace.read_face

    def bad(self: CardFace, **how: Any) -> Face:
        from dataclasses import replace

        return replace(read_face(self, **how), **parts)

    monkeypatch.setattr(CardFace, "read_face", bad)


def test_a_damaged_photo_leaves_nothing_half_written(
    cli: Cli, line: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged(monkeypatch, photo=PHOTO[:400])
    run = cli(*line, "-o", "f", "--html", "f.html", "--sheet", "s.png", "--json", secrets=B)
    assert (run.exit, run.error()["code"]) == (10, "malformed")
    assert names(tmp_path) == {"adult.json", "given.secrets"}
    run = cli(*line, "-o", "f", secrets=B)  # what the card gave is kept as it is
    assert run.exit == 0
    assert "photo.jp2" in run.err
    assert "photo.png" not in names(tmp_path / "f")


# --- sheet and page ---------------------------------------------------------------------------------------------------


def test_the_sheet_has_every_image(cli: Cli, line: tuple[object, ...], tmp_path: Path) -> None:
    assert cli(*line, "--sheet", "s.png", secrets=B).exit == 0
    sheet = Image.open(io.BytesIO((tmp_path / "s.png").read_bytes()))
    assert (sheet.format, sheet.mode) == ("PNG", "L")
    assert stat.S_IMODE((tmp_path / "s.png").stat().st_mode) == 0o600
    assert min(sheet.tobytes()) < 40 < max(sheet.tobytes())
    with pytest.raises(DecodeError):
        pictures.contact_sheet([("X", pictures.as_png(png(1800, 2000, b"\0" * 1801 * 2000), "PNG"))] * 3)


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_what_the_numbers_on_the_sheet_mean_is_said(cli: Cli, line: tuple[object, ...], lang: str) -> None:
    value = cli(*line, "--sheet", "s.png", "--json", "--lang", lang, secrets=B).json("face")
    assert value["sheet"] == [
        "name", "address", "photo", "security-code", "birth_date", "sex", "expiry", "read_at"
    ]  # fmt: skip
    shown = "".join(cli(*line, "--sheet", "s.png", "--force", "--lang", lang, secrets=B).out.split())
    for number, key in ((1, "face.name"), (4, "face.security-code"), (5, "four.birth_date"), (7, "info.expiry")):
        assert f"{number}{''.join(messages.text(f'say.{key}', lang).split())}" in shown
    for fast, key in (((), "proved"), (("--fast",), "foot")):
        told = "".join(cli(*line, *fast, "--sheet", "s.png", "--force", "--lang", lang, secrets=B).out.split())
        foot = messages.text("say.face.sheet_below", lang) + messages.text(f"say.face.sheet_{key}", lang)
        assert ("".join(foot.split()) in told) is (lang == "ja")  # else it stands on the sheet, in the same words
    assert cli(*line, "--json", secrets=B).json("face")["sheet"] is None


def test_images_on_the_sheet_are_of_one_scale_and_the_notice_stands_below(
    cli: Cli, card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[list[tuple[str, bytes | str]], list[str]]] = []
    draw = pictures.contact_sheet

    def look(parts: list[tuple[str, bytes | str]], foot: list[str]) -> bytes:
        seen.append((parts, foot))
        return draw(parts, foot)

    monkeypatch.setattr(pictures, "contact_sheet", look)
    for persona, lang, secrets in (("adult", "ja", B), ("expired", "en", EXPIRED_A)):
        cli("--simulator", card(persona), "read", "face", "--sheet", f"{lang}.png", "--lang", lang, secrets=secrets)
    cli("--simulator", card(), "read", "face", "--sheet", "fast.png", "--fast", secrets=B)
    (ja, foot), (en, late), (_, unproved) = seen
    assert unproved == [messages.text("say.face.sheet_foot", "en")]
    assert [label for label, _ in ja] == list("12345678")  # the font has no Japanese
    assert en[0][0] == "1. Name (image)"
    assert foot == [messages.text("say.face.sheet_proved", "en")]
    assert late == [*foot, messages.text("say.face.sheet_expired", "en")]
    assert {part for _, part in ja if isinstance(part, str)} >= {"1990-08-03", "female"}
    assert Image.open(io.BytesIO((tmp_path / "ja.png").read_bytes())).width == 480 + 2 * 24  # as wide as the address
    small = pictures.as_png((FIXTURES / "adult-name.png").read_bytes(), "PNG")
    assert draw([("", small)]) != draw([("", small)], foot)
    assert pictures._ascii("a\n氏\x1b") == "a\\x0a?\\x1b"
    assert pictures._legible(Image.new("L", (120, 28))).size == (120, 28)
    assert pictures._legible(Image.new("L", (24, 9))).size == (72, 27)
    assert pictures._legible(Image.new("L", (480, 9))).size == (480, 9)


class Page(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_the_page_stands_alone(cli: Cli, line: tuple[object, ...], tmp_path: Path, lang: str) -> None:
    assert cli(*line, "--fast", "--html", "f.html", "--lang", lang, secrets=B).exit == 0
    assert stat.S_IMODE((tmp_path / "f.html").stat().st_mode) == 0o600
    text = (tmp_path / "f.html").read_text("utf-8")
    page = Page(text)
    assert page.all("html") == [{"lang": lang}]
    assert not {"script", "link", "iframe", "form", "a", "object", "embed"} & {tag for tag, _ in page.found}
    assert not re.search(
        r"https?:|//|url\(|@import|javascript|\son\w+=", re.sub(r"base64,[^\"]+|sha256-[^']+", "", text)
    )
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    images = page.all("img")
    assert len(images) == 4
    assert all(str(image["src"]).startswith("data:image/png;base64,") and image["alt"] for image in images)
    boxes = {box["id"] for box in page.all("input")}
    assert len(boxes) == 4
    assert {label["for"] for label in page.all("label")} == boxes
    assert "@media print" in text
    assert text.index(messages.text("say.four.unchecked", lang)) < text.index("<img")  # above the fold
    assert all(str(box["aria-label"]).startswith(messages.text("say.face.zoom", lang)) for box in page.all("input"))
    assert text.count(f">{messages.text('say.face.zoom', lang)}</label>") == 4
    assert re.search(r"\.zoom:checked ~ \.view img \{ width: 200%; max-width: none; \}", style[1])
    assert re.search(r"\.view \{ overflow: auto", style[1])
    assert messages.text("say.face.read_at", lang) in text
    assert messages.text("say.info.expired", lang) not in text
    assert {"ja": "1990年8月3日", "en": "1990-08-03"}[lang] in text
    assert "見本" not in text


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_an_expired_card_is_called_so_on_page_and_screen(cli: Cli, card: Card, tmp_path: Path, lang: str) -> None:
    run = cli("--simulator", card("expired"), "read", "face", "--html", "f.html", "--lang", lang, secrets=EXPIRED_A)
    assert run.exit == 0
    words = messages.text("say.info.expired", lang)
    assert words in run.out
    assert f'<p class="alarm">{words}</p>' in (tmp_path / "f.html").read_text("utf-8")


def test_all_text_of_a_page_is_escaped() -> None:
    hostile = "<script>\"'&\u202e\x1b"
    text = card_page(
        lang=hostile, title=hostile, zoom=hostile, images=[Picture("photo", hostile, b"x")],
        rows=[(hostile, hostile)], first=[hostile], alarms=[hostile], notes=[hostile],
    ).decode()  # fmt: skip
    assert not Page(text).all("script")
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert text.count("&lt;script&gt;&quot;&#x27;&amp;") == 13


# --- all or nothing ---------------------------------------------------------------------------------------------------


def test_a_set_that_fails_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, page = tmp_path / "f", tmp_path / "p.html"
    first = {folder / "a": b"1", folder / "b": b"1", page: b"1"}
    FileSet(folder, ("a", "b", "c"), [page], force=False).write(first)

    def full(staged: Path, path: Path) -> None:
        if path == page:
            raise OSError(28, "No space left on device")
        give_name(staged, path)

    def full_again(path: Path, new: Path | None, undo: Any) -> None:
        if path == page:
            raise OSError(28, "No space left on device")
        replace(path, new, undo)

    replace = file_set._replace
    monkeypatch.setattr(file_set, "give_name", full)
    monkeypatch.setattr(file_set, "_replace", full_again)
    with pytest.raises(OutputFailed):
        FileSet(folder, ("a", "b", "c"), [page], force=True).write({folder / "a": b"2", folder / "c": b"2", page: b"2"})
    assert {path: path.read_bytes() for path in (*folder.iterdir(), page)} == first
    with pytest.raises(OutputFailed):
        FileSet(tmp_path / "new", ("a",), [page], force=True).write({tmp_path / "new" / "a": b"2", page: b"2"})
    assert not (tmp_path / "new").exists()
    assert names(tmp_path) == {"f", "p.html"}


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import kojin_card.cli.file_set as home

    folder = tmp_path / "f"
    stage = home._stage

    def appear(path: Path, data: bytes) -> Path:
        (folder / "b").write_bytes(b"another's")
        return stage(path, data)

    monkeypatch.setattr(home, "_stage", appear)
    with pytest.raises(OutputExists):
        FileSet(folder, ("a", "b"), [], force=False).write({folder / "a": b"1", folder / "b": b"1"})
    assert names(folder) == {"b"}
    assert (folder / "b").read_bytes() == b"another's"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file just opened when it was stopped
def test_a_stop_at_any_line_leaves_all_of_the_old_or_all_of_the_new(tmp_path: Path) -> None:
    """Ctrl-C at each line of the writing in turn: no name is missing and no set is mixed.

    Only one that comes while things beside the files are cleaned up may leave some, which the next writing removes.
    """
    home = file_set.__file__
    ends, left = set(), 0
    for stop in range(1, 1000):
        folder = tmp_path / str(stop)
        folder.mkdir()
        old = {folder / name: b"old" for name in ("a", "b", "c")}
        new = {folder / name: b"new" for name in ("a", "b")}
        for path, content in old.items():
            path.write_bytes(content)
        lines = iter(range(1, stop + 1))

        def trace(frame: Any, event: str, _: object, lines: Any = lines) -> Any:
            if frame.f_code.co_filename != home:
                return None
            if event == "line" and next(lines, 0) == stop:  # noqa: B023 - the loop's own
                raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            FileSet(folder, ("a", "b", "c"), [], force=True).write(new)
        except KeyboardInterrupt:
            stopped = True
        else:
            stopped = False
        finally:
            sys.settrace(before)
        found = {path: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}
        assert found in (old, new), f"stopped at line {stop}"
        left += len(list(folder.iterdir())) > len(found)
        ends.add(found == new)
        FileSet(folder, ("a", "b", "c"), [], force=True).write(new)
        assert {path.name for path in folder.iterdir()} == {"a", "b"}
        if not stopped:
            break
    assert ends == {True, False}
    assert left <= 3


def test_one_file_under_two_names_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for other in (folder / ".." / "f" / "a", tmp_path / "link" / "a"):
        with contextlib.suppress(FileExistsError):
            (tmp_path / "link").symlink_to(folder)
        with pytest.raises(UsageError):
            FileSet(folder, ("a",), [other], force=True).check()


def test_what_a_killed_writing_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".a.0123456789ab.old").write_bytes(b"old")
    (tmp_path / ".a.0123456789ab.part").write_bytes(b"new")
    (tmp_path / ".b.0123456789ab.part").write_bytes(b"another's")
    FileSet(tmp_path, ("a",), [], force=True).write({tmp_path / "a": b"1"})
    assert {item.name for item in tmp_path.iterdir()} == {"a", ".b.0123456789ab.part"}


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    if kind == "link":
        (folder / "a").symlink_to("/dev/null")
    else:
        (folder / "a").mkdir()
    with pytest.raises(OutputFailed):
        FileSet(folder, ("a",), [], force=True).check()


BIRTH = {"birth-date": "19900803"}


@pytest.mark.parametrize(
    ("line", "given", "opened", "missing"),
    [
        ("read basic-four", {"pin": "5678"}, "pin", None),
        ("read basic-four", {}, None, "pin"),
        ("read basic-four", B, "code-b", None),
        ("read face", A, "code-a", None),
        ("read face", {}, None, "code-b"),
        ("read face", {"expiry-year": "2036"}, None, "security-code"),
        ("read face", {**A, **B}, "code-b", None),
    ],
)
def test_a_birth_date_alone_is_no_wish_for_number_b(
    cli: Cli, card: Callable[..., Path], line: str, given: dict[str, str], opened: str | None, missing: str | None
) -> None:
    """It may be there for ``read age``; the other two pieces serve nothing else."""
    run = cli("--simulator", card(), *line.split(), "--json", "--lang", "en", secrets={**BIRTH, **given})
    if missing is None:
        assert run.json(line.split()[1])["opened_with"] == opened
    else:
        assert run.error()["code"] == "secret_unavailable"
        assert f"“{missing}”" in run.error()["message"]


def test_one_file_of_secrets_serves_age_face_and_check(cli: Cli, card: Callable[..., Path]) -> None:
    """The birth date that ``read age`` takes does not stand in the way of a 照合番号B that was given whole."""
    path, secrets = card(), {"pin": "5678", "birth-date": "19900803", **B}
    assert cli("--simulator", path, "read", "age", "--at-least", "20", secrets=secrets).exit == 0
    assert cli("--simulator", path, "read", "face", "--by", "code-b", secrets=secrets).exit == 0
    assert cli("--simulator", path, "check", secrets=secrets).exit == 0
    without = {"pin": "5678", "birth-date": "19900803"}
    assert cli("--simulator", path, "check", secrets=without).exit == 0
