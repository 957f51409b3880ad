"""Closed and full streams, special files, libraries that would like to speak."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.commandline import PINS, Cli, secrets_file
from cli.test_boundary import process
from kojin_card.cli import files
from kojin_card.cli.problems import OutputFailed
from kojin_card.errors import InputError
from kojin_card.testing.documents import blank_pdf

Card = Callable[..., Path]
CLOSED, FULL = ">&-", "> /dev/full"


@pytest.mark.parametrize("where", [CLOSED, FULL])
@pytest.mark.parametrize(
    "words",
    [
        ("--version",),
        ("--json", "--version"),
        ("--help",),
        ("trust", "list"),
        ("trust", "list", "--json"),
        ("-x", "--json"),
    ],
)
def test_an_answer_that_nobody_can_receive_is_an_error(tmp_path: Path, where: str, words: tuple[str, ...]) -> None:
    run = process(*words, cwd=tmp_path, pipe=where)
    assert run.returncode == (2 if "-x" in words else 10)
    assert b"Traceback" not in run.stderr
    assert b"Exception" not in run.stderr
    assert run.stderr.count(b"\n") >= 2  # what happened, what to do


@pytest.mark.parametrize("where", [CLOSED, FULL, "2>&- >&-", "<&- >&- 2>&-"])
def test_raw_bytes_and_challenges_too(tmp_path: Path, card: Card, where: str) -> None:
    (tmp_path / "in").write_bytes(b"x")
    secrets = secrets_file(tmp_path, {"sign-password": PINS["sign"]})
    for words in (
        ("--simulator", card(), "sign", "raw", "in", "-o", "-", "--secrets", secrets),
        ("auth", "challenge", "--audience", "a", "--purpose", "p"),
    ):
        run = process(*words, cwd=tmp_path, pipe=where)
        assert run.returncode == 10
        assert b"Traceback" not in run.stderr


def test_what_goes_to_a_file_needs_no_stdout(tmp_path: Path, card: Card) -> None:
    (tmp_path / "in").write_bytes(b"x")
    secrets = secrets_file(tmp_path, {"sign-password": PINS["sign"]})
    words = ("--simulator", card(), "sign", "raw", "in", "-o", "out", "--secrets", secrets)
    run = process(*words, cwd=tmp_path, pipe=">&- 2>&-")
    assert run.returncode == 0
    assert len((tmp_path / "out").read_bytes()) == 256


def test_a_closed_standard_input_is_told(tmp_path: Path, card: Card) -> None:
    for words in (("verify", "pdf", "-"), ("--simulator", card(), "read", "basic-four", "--secrets", "-")):
        run = process(*words, cwd=tmp_path, pipe="<&-")
        assert run.returncode == 10
        assert b"Traceback" not in run.stderr
    assert process("trust", "add", "-", cwd=tmp_path, pipe="<&-").returncode == 10
    assert process("--simulator", card(), "read", "basic-four", cwd=tmp_path, pipe="<&-").returncode == 2


def test_no_library_speaks_on_stderr(tmp_path: Path) -> None:
    """pyhanko's warnings quote the document; Python shows a warning even when nobody has set up logging."""
    code = (
        "import logging, sys, warnings; import kojin_card.cli.main as m; from kojin_card.cli import root\n"
        "def speak(*_):\n"
        "    logging.getLogger('pyhanko.any').error('見本 花子'); warnings.warn('見本 花子')\n"
        "root.Console.page = speak\n"
        "sys.argv = ['kojin-card', '--json', '--version']\n"
        "m.main()\n"
    )
    import subprocess

    source = str(Path(files.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": source}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, cwd=tmp_path, check=False)
    assert (run.returncode, run.stderr) == (0, b"")


# --- special files --------------------------------------------------------------------------------------------------


def test_only_files_are_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "socket"))
        (tmp_path / "device").symlink_to("/dev/null")
        (tmp_path / "nowhere").symlink_to("missing")
        for name in ("fifo", "socket", "device", "nowhere"):
            for force in (False, True):
                with pytest.raises(OutputFailed):
                    files.refuse_existing(tmp_path / name, force=force)
                with pytest.raises(OutputFailed):
                    files.write_output(tmp_path / name, b"x", force=force)
    for force in (False, True):
        with pytest.raises(OutputFailed):
            files.write_output(tmp_path / "a\0b", b"x", force=force)


def test_of_a_link_the_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "link").symlink_to("mine")
    files.write_output(tmp_path / "link", b"new", force=True)
    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert (tmp_path / "link").read_bytes() == b"new"


def test_a_protected_folder_is_found_out_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputFailed):
        files.refuse_existing(tmp_path / "new", force=False)


def test_devices_are_no_input_and_pipes_are_bounded(tmp_path: Path, cli: Cli) -> None:
    with pytest.raises(InputError):
        files.read_input("/dev/zero")
    run = process("verify", "pdf", "<(head -c 100 /dev/zero)", cwd=tmp_path, pipe="")
    assert run.returncode == 10  # the words themselves are no file
    line = f"{sys.executable} -m kojin_card.cli.main verify pdf <(printf 'no PDF') --json"
    import subprocess

    source = str(Path(files.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": source, "KOJIN_CARD_CONFIG": str(tmp_path)}
    piped = subprocess.run(["bash", "-c", line], capture_output=True, env=environment, check=False)
    assert piped.returncode == 20
    (tmp_path / "device").symlink_to("/dev/null")  # never the device itself: a test that fails would replace it
    assert cli("simulator", "new", "device", "--force").exit == 10
    assert (tmp_path / "device").is_symlink()


def test_one_word_in_ascii_for_every_symbol(tmp_path: Path, card: Card) -> None:
    path = card(tries={"jpki/sign_password": 4})
    for encoding in ("cp932", "ascii"):
        words = ("--simulator", path, "--lang", "en", "pin", "status", "--plain")
        run = process(*words, env={"PYTHONIOENCODING": encoding}, cwd=tmp_path)
        lines = run.stdout.decode(encoding).splitlines()
        assert any("(?)" in line for line in lines)
        assert "??" not in run.stdout.decode(encoding)
        table = [line for line in lines if " / " in line]
        assert len(table) == 10
        assert all(line.count(": ") == 1 for line in table)


@pytest.mark.parametrize("json", [(), ("--json",)])
@pytest.mark.parametrize(("content", "code"), [(b"no PDF", 20), (None, 21)])
def test_a_verdict_keeps_its_exit_code_when_nobody_reads(
    tmp_path: Path, json: tuple[str, ...], content: bytes | None, code: int
) -> None:
    """`verify pdf ... | head -1` in a script: what was judged must not turn into "unexpected"."""
    document = tmp_path / "document.pdf"
    document.write_bytes(blank_pdf(["unsigned"]) if content is None else content)
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "kojin_card.cli.main", "verify", "pdf", str(document), *json]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def test_an_error_that_cannot_be_told_shows_nothing_of_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kojin_card.cli import root as module

    def broken(*_: object) -> None:
        raise RuntimeError("4321")

    monkeypatch.setattr(module, "report", broken)
    with pytest.raises(SystemExit) as ended:
        module.root.main(["read", "basic-four", "5678"])
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert said.err == "kojin-card: an error could not be told (RuntimeError)\n"
    assert said.out == ""
