"""The demonstration: every step as it must be, the commands it prints work, a surprise is told."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from cli.commandline import Cli
from kojin_card.cli import demo_steps
from kojin_card.verdict import Indication
from kojin_card.verification import Verifier


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("ja", ["1/15", "15/15", "見本　花子", "あと 3 回 → 2 回", "TOTAL_PASSED", "TOTAL_FAILED", "INDETERMINATE"]),
        ("en", ["1/15", "15/15", "見本　花子", "3 tries left → 2", "TOTAL_PASSED", "TOTAL_FAILED", "INDETERMINATE"]),
    ],
)
def test_fifteen_steps(cli: Cli, tmp_path: Path, lang: str, expected: list[str]) -> None:
    run = cli("demo", "--lang", lang)
    assert run.exit == 0
    places = [run.out.index(words) for words in expected[:2]]
    assert places == sorted(places)
    assert all(words in run.out for words in expected)
    folder = tmp_path / "demo-output"
    assert str(folder.name) in run.out
    left = {entry.name for entry in folder.iterdir()}
    assert left == {name for name in left if name in run.out}, "every file is explained"
    assert (folder / "README.txt").read_text("utf-8").count("kojin-card ") > 15


def test_the_commands_that_it_prints_work(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = cli("demo", "--json").json("demo")
    assert steps["passed"] is True
    printed = (tmp_path / "demo-output" / "README.txt").read_text("utf-8")
    monkeypatch.chdir(tmp_path / "demo-output")
    commands = [command for step in steps["steps"] for command in step["commands"]]
    assert len(commands) >= 15
    for command in commands:
        assert command["command"] in printed
        words = shlex.split(command["command"])
        assert words[0] == "kojin-card"
        run = cli(*words[1:])
        assert run.exit == command["exit"], (command, run.err)


def test_what_people_copy_is_one_line_with_its_exit_code(cli: Cli) -> None:
    run = cli("demo", "--plain", "--lang", "en")
    lines = [line.strip() for line in run.out.splitlines() if line.strip().startswith("$ ")]
    codes = [int(found[1]) for line in lines if (found := re.search(r"# exit code (\d+)$", line))]
    assert sorted(codes) == [4, 8, 20, 20, 20, 21]
    assert all(len(shlex.split(line, comments=True)) > 2 for line in lines)


def test_again_beside_and_never_over_other_things(cli: Cli, tmp_path: Path) -> None:
    assert cli("demo").exit == 0
    assert cli("demo").exit == 0
    assert cli("demo", "--keep").exit == 0
    assert (tmp_path / "demo-output-2" / "signed.pdf").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("x", "utf-8")
    run = cli("demo", "--folder", "mine", "--json")
    assert (run.exit, run.error()["code"]) == (2, "output_exists")
    assert [entry.name for entry in (tmp_path / "mine").iterdir()] == ["precious.txt"]


def test_a_surprise_fails_and_names_its_step(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Verifier.verify_pdf

    def untouched(self: Verifier, pdf: bytes, **options: object) -> object:
        return judge(self, pdf.replace(b"9,000,000", b"1,000,000"), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Verifier, "verify_pdf", untouched)
    run = cli("demo", "--lang", "en", "--json")
    assert run.exit == 1
    error = run.error()
    assert error["code"] == "demo_failed"
    assert "9 Verify a copy with the amount changed" in error["message"]


@pytest.mark.parametrize(
    "step", ["make", "show", "read", "lists", "login", "sign", "verify", "revoke", "area", "gate", "lost"]
)
def test_an_error_in_any_step_is_a_failure(cli: Cli, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def broken(_: object) -> object:
        raise ValueError("1234")

    steps = [(name, broken if name == step else run) for name, run in demo_steps.STEPS]
    monkeypatch.setattr(demo_steps, "STEPS", steps)
    run = cli("demo")
    assert run.exit == 1
    assert "1234" not in run.err
    assert "ValueError" in run.err


def test_each_step_asserts_its_outcome(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verifier that passes everything is found out by the first refusal that is due."""

    class Passing:
        indication = Indication.TOTAL_PASSED
        reasons = ()
        checks = ()

    monkeypatch.setattr(Verifier, "verify_proof", lambda *_, **__: Passing())
    run = cli("demo", "--json", "--lang", "en")
    assert run.exit == 1
    assert "6 Log in" in json.loads(run.out)["error"]["message"]
