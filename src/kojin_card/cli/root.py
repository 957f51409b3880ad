"""The root command, and the one place where every error ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from kojin_card import __version__
from kojin_card.cli.console import Console, flush
from kojin_card.cli.exits import Exit
from kojin_card.cli.framework import KojinGroup, Settings, option, settings_of
from kojin_card.cli.problems import OutputFailed
from kojin_card.cli.streams import give_up_stdout, prepare
from kojin_card.cli.telling import report

if TYPE_CHECKING:
    from collections.abc import Sequence


class Root(KojinGroup):
    """``kojin-card`` itself."""

    settings: Settings

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        extra.setdefault("obj", Settings.of(args))
        return super().make_context(info_name, args, parent, **extra)

    def main(  # type: ignore[override]  # it never returns, whatever the mode
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Parse, run, say what went wrong, exit."""
        prepare()
        words = list(sys.argv[1:] if args is None else args)
        settings = Settings.of(words)
        extra.pop("standalone_mode", None)
        code: Any = None
        try:
            code = super().main(args=words, prog_name=prog_name, standalone_mode=False, obj=settings, **extra)
            flush()
        except SystemExit:
            raise
        except BrokenPipeError:  # a failure that was found stays; a success that nobody could read is none
            give_up_stdout()
            code = code or Exit.UNEXPECTED
        except BaseException as error:  # every error of every command ends here; only SystemExit passes
            code = _told(error, settings)
            if isinstance(error, OutputFailed):
                give_up_stdout()
        sys.exit(int(code or 0))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            give_up_stdout()
            return Exit.UNEXPECTED


def _told(error: BaseException, settings: Settings) -> Exit:
    """Tell an error. If even that fails, one fixed line: a traceback here would show the first error as it is."""
    try:
        return report(error, settings)
    except Exception as fault:
        sys.stderr.write(f"kojin-card: an error could not be told ({type(fault).__name__})\n")
    return Exit.UNEXPECTED


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        Console(lang=settings_of(ctx).lang).page(f"kojin-card {__version__}")
        ctx.exit()


root = Root(
    "",
    {
        "readers": "commands.readers:readers",
        "doctor": "commands.doctor:doctor",
        "watch": "commands.readers:watch",
        "info": "commands.info:info",
        "check": "commands.check:check",
        "read": "commands.read:read",
        "pin": "commands.pin:pin",
        "cert": "commands.cert:cert",
        "sign": "commands.sign:sign",
        "auth": "commands.auth:auth",
        "verify": "commands.verify:verify",
        "trust": "commands.trust:trust",
        "revocation": "commands.revocation:revocation",
        "slot": "commands.slot:slot",
        "slot-issuer": "commands.slot_issuer:slot_issuer",
        "slot-owner": "commands.slot_owner:slot_owner",
        "simulator": "commands.simulator:simulator",
        "demo": "commands.demo:demo",
    },
    [option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version, help="version")],
)
