"""``simulator serve|insert|remove`` and ``set`` on a running card: outcomes, mistakes, signals, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.commandline import Cli
from kojin_card.simulator import SoftCard
from kojin_card.simulator.vpcd import DEFAULT_PORT
from simulator.test_vpcd import SELECT, Reader

Card = Callable[..., Path]


@pytest.fixture
def home() -> Iterator[Path]:
    """Short: the name of a socket has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="kojin-") as name:
        yield Path(name)


@pytest.fixture
def reader() -> Iterator[Reader]:
    with Reader() as made:
        yield made


@pytest.fixture
def serve(
    home: Path, reader: Reader, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``serve(card)``: a process, and its card in ``reader``; ``cli`` has the same home then."""
    monkeypatch.setenv("KOJIN_CARD_CONFIG", str(home))
    started: list[subprocess.Popen[str]] = []

    def start(*words: str | Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "kojin_card.cli.main", "simulator", "serve", *map(str, words)]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C.UTF-8"}
        child = subprocess.Popen(
            [*command, "--port", str(reader.port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        started.append(child)
        reader.accept()
        assert reader.command(SELECT.hex()) == "9000"
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


def ended(child: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = child.communicate(timeout=20)
    return child.returncode, out, err


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_leaves_nothing(
    serve: Callable[..., subprocess.Popen[str]], card: Card, home: Path, how: signal.Signals
) -> None:
    path = card()
    child = serve(path)
    assert list((home / "control").iterdir())
    child.send_signal(how)
    code, out, err = ended(child)
    assert code == 0, err
    assert "adult.json" in out
    assert "is in the reader" in err
    assert "was taken out" in err
    assert not list((home / "control").iterdir())
    SoftCard.open(path, wait_seconds=0).close()


def test_a_killed_one_locks_nothing_and_its_successor_takes_over(
    serve: Callable[..., subprocess.Popen[str]], card: Card, reader: Reader, cli: Cli
) -> None:
    path = card()
    child = serve(path)
    child.kill()
    child.wait(20)
    assert cli("simulator", "serve", "--status").exit == 3
    SoftCard.open(path, wait_seconds=0).close()
    serve(path)
    assert cli("simulator", "serve", "--status").exit == 0


def test_the_whole_conversation(
    serve: Callable[..., subprocess.Popen[str]], card: Card, reader: Reader, cli: Cli
) -> None:
    path, other = card(), card("sapporo")
    child = serve(path)
    (first,) = cli("simulator", "serve", "--status", "--json").json("served")["cards"]
    assert (first["number"], first["port"], first["state"]) == (1, reader.port, "in_reader")
    assert first["file"] == str(path)
    assert "in the reader" in cli("simulator", "serve", "--status", "--plain").out  # a long name folds a table
    assert "リーダーに入っています" in cli("simulator", "serve", "--status", "--plain", "--lang", "ja").out

    run = cli("simulator", "set", path, "--tries", "auth-pin=0", "--knob", "blocked_sw=6983", "--json")
    assert run.json("card-file-set")["knobs"]["blocked_sw"] == "6983"
    assert reader.command("00A4020C020018") == "9000"
    assert reader.command("0020008004" + b"1234".hex()) == "6983"
    run = cli("simulator", "set", path, "--reset", "auth-pin", secrets={"new-auth-pin": "8642"})
    assert run.exit == 0
    assert "8642" not in run.all
    assert reader.command("0020008004" + b"8642".hex()) == "9000"
    assert cli("simulator", "set", path, "--lists", "lists").exit == 2
    assert cli("simulator", "set", path, "--tries", "auth-pin=9").exit == 2

    (removed,) = cli("simulator", "remove", "1", "--json").json("served")["cards"]
    assert (removed["state"], removed["tries"]) == ("out", {})
    assert cli("simulator", "remove", "1").exit == 2
    assert cli("simulator", "set", path, "--tries", "auth-pin=2").exit == 0
    assert cli("--simulator", path, "pin", "status").exit == 0, "the file is free"
    line = ("simulator", "insert", other, "--atr", "contactless_106", "--json")
    (swapped,) = cli(*line).json("served")["cards"]
    assert (swapped["file"], swapped["atr"]) == (str(other), "3B888001004B51FF0081D100BC")
    reader.accept()
    assert reader.command(SELECT.hex()) == "9000"
    assert cli("simulator", "insert", "1").exit == 2
    assert cli("simulator", "insert", "nothing.json").exit == 10
    assert len(cli("simulator", "serve", "--status", "--json").json("served")["cards"]) == 1

    assert cli("simulator", "serve", "--stop").exit == 0
    assert ended(child)[0] == 0


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        (("serve",), 2, "usage"),
        (("serve", "--status"), 3, "not_served"),
        (("serve", "--stop"), 3, "not_served"),
        (("serve", "--stop", "--status"), 2, "usage"),
        (("serve", "a.json", "--status"), 2, "usage"),
        (("serve", "nothing.json"), 10, "bad_input"),
        (("insert", "1"), 3, "not_served"),
        (("insert", "a.json"), 3, "not_served"),
        (("remove", "1"), 3, "not_served"),
        (("remove", "one"), 2, "usage"),
        (("serve", "nothing.json", "--atr", "nonsense"), 2, "usage"),
        (("serve", "nothing.json", "--atr", "3B"), 2, "usage"),
        (("insert", "1", "--atr", "nonsense"), 2, "usage"),
        (("remove", "1", "--control", "nowhere.sock"), 3, "not_served"),
    ],
)
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_what_cannot_be(cli: Cli, words: tuple[str, ...], exit_code: int, code: str, lang: str) -> None:
    run = cli("simulator", *words, "--json", "--lang", lang)
    assert run.exit == exit_code
    assert run.error()["code"] == code
    assert run.error()["remedy"]


def test_the_default_port_is_vpcds(cli: Cli) -> None:
    assert f"[default: {DEFAULT_PORT}" in cli("simulator", "serve", "--help").out


def test_set_asks_whom_it_is_told_to_ask(cli: Cli, card: Card, home: Path) -> None:
    run = cli("simulator", "set", card(), "--tries", "auth-pin=1", "--control", home / "nowhere.sock", "--json")
    assert (run.exit, run.error()["code"]) == (3, "not_served")


def test_without_a_virtual_reader_it_says_what_to_install(cli: Cli, card: Card, home: Path) -> None:
    with Reader() as reader:
        port = reader.port
    path = card()
    words = ("simulator", "serve", path, "--port", port, "--wait", "0", "--control", home / "c.sock")
    run = cli(*(str(word) for word in words), "--json")
    assert run.exit == 11
    error = run.error()
    assert error["code"] == "vpcd_unreachable"
    assert str(port) in error["message"]
    assert "apt-get install pcscd vsmartcard-vpcd" in error["remedy"]
    assert not (home / "c.sock").exists()
    SoftCard.open(path, wait_seconds=0).close()


def test_a_card_in_use_or_named_twice_is_not_served(cli: Cli, card: Card, home: Path) -> None:
    path = card()
    control = ("--control", home / "c.sock")
    with SoftCard.open(path):
        assert cli("simulator", "serve", path, *control).exit == 9
    assert cli("simulator", "serve", path, path, *control).exit == 2
    SoftCard.open(path, wait_seconds=0).close()


def test_others_may_not_reach_the_control_socket(cli: Cli, card: Card, home: Path) -> None:
    (home / "open").mkdir(mode=0o755)
    run = cli("simulator", "serve", card(), "--control", home / "open" / "c.sock", "--json")
    assert run.exit == 10
    assert "0700" in run.error()["message"]
