"""Help: every command, both languages, an example each; commands loaded only when called; completion."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli.commandline import Cli
from kojin_card import messages
from kojin_card.cli.framework import KojinGroup, Settings
from kojin_card.cli.render import width
from kojin_card.cli.root import root

#: ARCHITECTURE §7 and the issue's §6, typed from there
CONTRACT = {
    "readers",
    "doctor",
    "watch",
    "info",
    "check",
    "read.basic-four",
    "read.my-number",
    "read.licence",
    "read.face",
    "read.age",
    "pin.status",
    "pin.change",
    "cert.show",
    "cert.export",
    "cert.status",
    "sign.raw",
    "sign.cms",
    "sign.pdf",
    "sign.xml",
    "auth.challenge",
    "auth.respond",
    "auth.verify",
    "verify.raw",
    "verify.cms",
    "verify.pdf",
    "verify.xml",
    "trust.list",
    "trust.add",
    "revocation.add",
    "revocation.status",
    "revocation.prune",
    "simulator.new",
    "simulator.show",
    "simulator.set",
    "simulator.serve",
    "simulator.insert",
    "simulator.remove",
    "slot.list",
    "slot.show",
    "slot.issue",
    "slot.update",
    "slot.suspend",
    "slot.resume",
    "slot.move",
    "slot.delete",
    "slot.unblock",
    "slot-issuer.init",
    "slot-issuer.rotate",
    "slot-issuer.certify-terminal",
    "slot-issuer.join",
    "slot-owner.create",
    "slot-owner.delete",
    "slot-owner.quota",
    "demo",
}
GLOBAL = {
    "--reader",
    "--simulator",
    "--json",
    "--plain",
    "--wait-for-card",
    "--lang",
    "--verbose",
    "--trace",
    "--unproven",
}
JUDGING = {"--trust", "--revocation", "--at", "--received-at", "--grace"}


def commands(
    group: click.Command = root, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, group
    if isinstance(group, KojinGroup):
        for name in group.home:
            inner = group.get_command(click.Context(group), name)
            assert inner is not None
            yield from commands(inner, (*path, name))


ALL = list(commands())
LEAVES = [(path, command) for path, command in ALL if not isinstance(command, KojinGroup)]


def names(command: click.Command) -> set[str]:
    return {name for param in command.params if isinstance(param, click.Option) for name in param.opts}


def test_the_commands_are_those_of_the_contract() -> None:
    assert {".".join(path) for path, _ in LEAVES} == CONTRACT


@pytest.mark.parametrize(
    ("path", "command"), ALL, ids=lambda value: ".".join(value) if isinstance(value, tuple) else ""
)
@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_every_command_explains_itself(cli: Cli, lang: str, path: tuple[str, ...], command: click.Command) -> None:
    run = cli(*path, "--help", "--lang", lang)
    assert run.exit == 0
    assert run == cli("--lang", lang, *path, "--help")
    assert {"ja": "例:", "en": "Example:"}[lang] in run.out
    assert "kojin-card " in run.out.split({"ja": "例:", "en": "Example:"}[lang])[1]
    assert messages.text(f"help.command.{'.'.join(path) or 'root'}.summary", lang)[:12] in run.out
    assert all(name in run.out for name in names(command))
    assert (lang == "ja") == ("使い方" in run.out)


@pytest.mark.parametrize(
    ("path", "command"), ALL, ids=lambda value: ".".join(value) if isinstance(value, tuple) else ""
)
def test_global_options_are_everywhere(path: tuple[str, ...], command: click.Command) -> None:
    assert names(command) >= GLOBAL
    if path in {("cert", "status"), ("auth", "verify")} or (path[:1] == ("verify",) and len(path) == 2):
        assert names(command) >= JUDGING
    secrets = messages.has(f"help.command.{'.'.join(path)}.secrets")
    assert secrets == ("--secrets" in names(command))
    assert not names(command) & {"--pin-value", "--password", "--code"}


def test_japanese_help_fits_the_terminal(cli: Cli) -> None:
    lines = cli("--help", "--lang", "ja").out.splitlines()
    assert max(width(line) for line in lines if "終了コード" not in line and not line.startswith("  1")) <= 104


def test_a_command_is_loaded_when_it_is_called_and_not_before() -> None:
    code = (
        "import sys; from kojin_card.cli.root import root\n"
        "try: root.main(['--help'], prog_name='kojin-card')\n"
        "except SystemExit: pass\n"
        "bad = [m for m in sys.modules if m.startswith(('kojin_card.cli.commands.', 'cryptography', 'pyhanko',"
        " 'asn1crypto', 'kojin_card.simulator', 'kojin_card.card', 'kojin_card.pki'))]\n"
        "sys.stderr.write(repr(bad))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr == "[]"


@pytest.mark.parametrize("line", ["sys.argv=['kojin-card','--version']; main()", "pass"])
def test_the_version_needs_neither_click_nor_anything_else(line: str) -> None:
    code = (
        f"import sys; from kojin_card.cli.main import main; {line}\n"
        "names = ('click', 'rich', 'tomllib', 'pyhanko', 'cryptography', 'platformdirs', 'importlib.metadata')\n"
        "sys.stderr.write(repr([name for name in names if name in sys.modules]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr == "[]"


def test_the_version_is_told_either_way(cli: Cli) -> None:
    import kojin_card

    assert cli("--version").out == cli("--json", "--version").out == f"kojin-card {kojin_card.__version__}\n"


@pytest.mark.parametrize(
    ("environment", "args", "lang"),
    [
        ({}, [], "en"),
        ({"LANG": "ja_JP.UTF-8"}, [], "ja"),
        ({"LANG": "ja_JP.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, [], "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "ja_JP.eucJP"}, [], "ja"),
        ({"LANG": "ja_JP.UTF-8"}, ["--lang", "en"], "en"),
        ({"LANG": "ja_JP.UTF-8"}, ["info", "--lang=en"], "en"),
        ({"LANG": "de_DE.UTF-8"}, ["--lang", "ja"], "ja"),
        ({"LANG": "C"}, ["--", "--lang", "ja"], "en"),
    ],
)
def test_the_language_of_the_session(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], args: list[str], lang: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Settings.of(args).lang == lang


def test_shell_completion_knows_commands_and_options() -> None:
    environment = {
        **os.environ,
        "_KOJIN_CARD_COMPLETE": "bash_complete",
        "COMP_WORDS": "kojin-card cert s",
        "COMP_CWORD": "2",
        "PYTHONPATH": str(Path(messages.__file__).parents[2]),
    }
    run = subprocess.run(
        [sys.executable, "-m", "kojin_card.cli.main"], capture_output=True, text=True, check=True, env=environment
    )
    assert run.stdout.split() == ["plain,show", "plain,status"]
