"""The edge of the process: unexpected errors, interrupts, closed pipes, odd consoles, the files that are written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.commandline import PINS, Cli, secrets_file
from kojin_card import __version__
from kojin_card.applications import Jpki
from kojin_card.cli import files
from kojin_card.cli.problems import OutputExists, OutputFailed
from kojin_card.errors import InputError

Card = Callable[..., Path]
SOURCE = Path(__file__).parents[2] / "src"


def process(
    *words: object, env: dict[str, str] | None = None, cwd: Path | None = None, pipe: str = ""
) -> subprocess.CompletedProcess[bytes]:
    environment = {key: value for key, value in os.environ.items() if key not in ("LANG", "LC_ALL", "LC_MESSAGES")}
    environment |= {"PYTHONPATH": str(SOURCE), "KOJIN_CARD_CONFIG": str(cwd or Path.cwd()), **(env or {})}
    arguments = [sys.executable, "-m", "kojin_card.cli.main", *map(str, words)]
    if pipe:
        import shlex

        arguments = ["bash", "-c", f"set -o pipefail; {shlex.join(arguments)} {pipe}"]
    return subprocess.run(arguments, capture_output=True, env=environment, cwd=cwd, check=False, timeout=60)


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("as_json", [False, True])
def test_an_unexpected_error_tells_its_kind_at_most(
    cli: Cli, card: Card, monkeypatch: pytest.MonkeyPatch, verbose: bool, as_json: bool
) -> None:
    def broken(_: object) -> object:
        secret = "1234 見本"  # a local value that a traceback could show
        raise RuntimeError(secret)

    monkeypatch.setattr(Jpki, "token", broken)
    run = cli("--simulator", card(), "info", *(["-v"] if verbose else []), *(["--json"] if as_json else []))
    assert run.exit == 1
    assert "1234" not in run.all
    assert "Traceback" not in run.all
    assert ("RuntimeError" in run.all) is verbose
    if as_json:
        assert run.error()["code"] == "unexpected"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, EOFError])
def test_an_interrupt_is_a_cancellation(
    cli: Cli, card: Card, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    def stopped(_: object) -> object:
        raise kind

    monkeypatch.setattr(Jpki, "token", stopped)
    run = cli("--simulator", card(), "info", "--json")
    assert run.exit == 130
    assert json.loads(run.out)["error"]["code"] == "cancelled"


def test_whoever_stops_reading_hears_no_complaint(tmp_path: Path) -> None:
    run = process("trust", "list", "--json", cwd=tmp_path, pipe="| head -c 10")
    assert run.stdout == b'{\n  "schem'
    assert run.stderr == b""
    assert process("trust", "list", cwd=tmp_path, pipe=">&-").returncode != 0


@pytest.mark.parametrize("encoding", ["cp932", "ascii", "latin-1", "euc-jp", "utf-8"])
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_no_console_crashes_and_json_loses_nothing(tmp_path: Path, card: Card, encoding: str, lang: str) -> None:
    path, secrets = card(), secrets_file(tmp_path, {"pin": PINS["basic"]})
    line = ("--simulator", path, "--lang", lang, "read", "basic-four", "--secrets", secrets)
    environment = {"PYTHONIOENCODING": encoding}
    people = process(*line, env=environment, cwd=tmp_path)
    assert people.returncode == 0
    people.stdout.decode(encoding)
    assert b"Traceback" not in people.stderr
    machine = process(*line, "--json", env=environment, cwd=tmp_path)
    assert json.loads(machine.stdout.decode(encoding))["name"] == "見本　花子"
    wrong = process(*line[:5], "basic-four", "--nonsense", env=environment, cwd=tmp_path)
    assert wrong.returncode == 2
    wrong.stderr.decode(encoding)


def test_a_console_without_japanese_speaks_english_unless_told(tmp_path: Path) -> None:
    environment = {"PYTHONIOENCODING": "ascii", "LANG": "ja_JP.UTF-8"}
    assert b"Usage" in process("--help", env=environment, cwd=tmp_path).stdout
    assert b"???" in process("--help", "--lang", "ja", env=environment, cwd=tmp_path).stdout


def test_the_version_loads_next_to_nothing(tmp_path: Path) -> None:
    """Within 1.5 times ``import click`` (`make bench`): so not click either, nor any room of the house."""
    code = "import sys; sys.argv[1:] = ['--version']; from kojin_card.cli.main import main; main(); print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment, cwd=tmp_path)
    version, loaded = done.stdout.decode().splitlines()
    assert version == f"kojin-card {__version__}"
    mine = {name for name in loaded.split() if name.startswith("kojin_card")}
    assert mine == {"kojin_card", "kojin_card.cli", "kojin_card.cli.main", "kojin_card.version"}
    assert not {"click", "rich", "tomllib", "dataclasses", "cryptography"} & set(loaded.split())


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out"
    files.write_output(path, b"first", force=False)
    with pytest.raises(OutputExists):
        files.write_output(path, b"second", force=False)
    files.write_output(path, b"second", force=True, private=True)
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o600

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputFailed):
        files.write_output(path, b"third", force=True)
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out"
    sync = os.fsync

    def appear(descriptor: int) -> None:
        path.write_bytes(b"another's")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", appear)
    with pytest.raises(OutputExists):
        files.write_output(path, b"mine", force=False)
    assert path.read_bytes() == b"another's"

    def no_links(*_: object) -> None:
        raise PermissionError

    path.unlink()
    monkeypatch.setattr(Path, "hardlink_to", no_links)
    with pytest.raises(OutputExists):
        files.write_output(path, b"mine", force=False)
    monkeypatch.setattr(os, "fsync", sync)
    path.unlink()
    files.write_output(path, b"mine", force=False)
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["missing", ".", "a\0b"])
def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        files.read_input(name)


def test_input_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * 11)
    assert files.read_input(str(path), 11) == b"x" * 11
    with pytest.raises(InputError):
        files.read_input(str(path), 10)
