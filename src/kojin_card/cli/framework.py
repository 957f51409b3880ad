"""Commands on click: loaded when called, global options anywhere, help in the language of the session."""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card import messages
from kojin_card.cli.console import Console, can_show
from kojin_card.cli.render import width, wrap
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from kojin_card.cli.explain import PlanSource


class Day(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.2
    """A day, ISO 8601: ``2026-11-24``."""

    name = "DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail("a day: 2026-11-24", param, ctx)


@dataclass(slots=True)
class Settings:
    """The global options of one run, wherever on the line they stood.

    Attributes:
        lang: ``ja`` or ``en``; ``lang_chosen`` whether ``--lang`` said so.
        json: also when the command line could not be understood.
        series: the command answers with a series of JSON documents, one a line, and so does an error that ends it.
    """

    lang: str = "en"
    lang_chosen: bool = False
    json: bool = False
    series: bool = False
    plain: bool = False
    verbose: bool = False
    unproven: bool = False
    reader: str | None = None
    simulator: str | None = None
    trace: str | None = None
    wait: int = 0

    @classmethod
    def of(cls, args: Sequence[str]) -> Settings:
        """What can be known before the line is parsed, for help and for errors in the line itself."""
        words = list(args[: args.index("--")] if "--" in args else args)
        lang, chosen = session_language(), False
        for at, word in enumerate(words):
            value = word.partition("=")[2] if word.startswith("--lang=") else None
            if word == "--lang" and at + 1 < len(words):
                value = words[at + 1]
            if value in messages.LANGUAGES:
                lang, chosen = str(value), True
        if lang == "ja" and not chosen and not can_show("あ", sys.stdout):
            lang = "en"  # a console without Japanese would show a row of question marks
        return cls(lang=lang, lang_chosen=chosen, json="--json" in words, plain="--plain" in words)


def session_language() -> str:
    """``ja`` when the locale (LC_ALL, LC_MESSAGES, LANG, in this order) begins with it, otherwise ``en``."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return messages.language(value)
    if os.name == "nt":
        return messages.language(locale.getlocale()[0] or "en")
    return "en"


def settings_of(ctx: click.Context) -> Settings:
    """The settings of the run that ``ctx`` belongs to."""
    found = ctx.find_root().obj
    return found if isinstance(found, Settings) else Settings(lang=session_language())


# --- options ----------------------------------------------------------------------------------------------------------


class LocalOption(click.Option):
    """An option whose help is a key of the catalogues."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None or not self.help:
            return record
        lang = settings_of(ctx).lang
        rest = record[1].removeprefix(self.help)  # "  [default: x; required]", which click says in English
        for word in ("default", "required"):
            rest = rest.replace(word, messages.text(f"help.title.{word}", lang))
        return record[0], messages.text(f"help.option.{self.help}", lang) + rest


def option(*declarations: str, help: str, **attrs: Any) -> LocalOption:
    """An option; ``help`` is the rest of the key ``help.option.<...>``."""
    return LocalOption(list(declarations), help=help, **attrs)


def argument(name: str, **attrs: Any) -> click.Argument:
    """A positional argument."""
    return click.Argument([name], **attrs)


def _store(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is None or value is False or ctx.resilient_parsing:
        return
    name = str(param.name).removeprefix("global_")
    if name == "reader" and not value.strip():  # an unset shell variable would otherwise mean any reader
        raise UsageError("the name of the reader is empty", operation="--reader")
    settings = settings_of(ctx)
    setattr(settings, name, value)
    if name == "lang":
        settings.lang_chosen = True


def global_options() -> list[click.Parameter]:
    """The options that every command takes, before and after its name."""
    common: dict[str, Any] = {"expose_value": False, "callback": _store}
    return [
        option("--reader", "global_reader", metavar="NAME", help="reader", **common),
        option(
            "--simulator",
            "global_simulator",
            metavar="FILE",
            type=click.Path(dir_okay=False),
            help="simulator",
            **common,
        ),
        option(
            "--wait-for-card",
            "global_wait",
            metavar="SECONDS",
            type=click.IntRange(0, 86_400),
            help="wait_for_card",
            **common,
        ),
        option("--json", "global_json", is_flag=True, help="json", **common),
        option("--plain", "global_plain", is_flag=True, help="plain", **common),
        option("--lang", "global_lang", type=click.Choice(messages.LANGUAGES), is_eager=True, help="lang", **common),
        option("-v", "--verbose", "global_verbose", is_flag=True, help="verbose", **common),
        option("--trace", "global_trace", metavar="FILE", type=click.Path(dir_okay=False), help="trace", **common),
        option("--unproven", "global_unproven", is_flag=True, help="unproven", **common),
    ]


def secret_options(*, last_try: bool = True) -> tuple[click.Parameter, ...]:
    """``--secrets``, and ``--last-try`` where a PIN is verified."""
    options: tuple[click.Parameter, ...] = (option("--secrets", metavar="FILE", callback=refuse_value, help="secrets"),)
    return (*options, option("--last-try", is_flag=True, help="last_try")) if last_try else options


def refuse_value(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A PIN where the name of a file belongs is on the screen and in the shell's history already: say so, and do not
    repeat it."""
    if value is not None and not ctx.resilient_parsing:
        looks = "=" in value or value.isdigit()
        if looks and not Path(value).is_file():
            raise NotAFileName(ctx, param)
    return value


def output_options(*, required: bool = False) -> tuple[click.Parameter, ...]:
    """``-o`` and ``--force``."""
    # a required option has no default at all: click 8.3 takes even None for one
    given: dict[str, Any] = {"required": True} if required else {"default": "-"}
    return (
        option("-o", "--output", metavar="FILE", help="output", **given),
        option("--force", is_flag=True, help="force"),
    )


# --- help -------------------------------------------------------------------------------------------------------------


class HelpFormatter(click.HelpFormatter):
    """Wraps by columns of the terminal, so that Japanese text stays in its column."""

    def write_text(self, text: str) -> None:
        """A paragraph."""
        for line in wrap(text, max(20, self.width - self.current_indent)):
            self.write(f"{'':>{self.current_indent}}{line}\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 32, col_spacing: int = 2) -> None:
        """Terms and what they mean, in two columns."""
        rows = list(rows)
        left = min(max((width(term) for term, _ in rows), default=0), col_max) + col_spacing
        margin = " " * self.current_indent
        for term, meaning in rows:
            lines = wrap(meaning, max(20, self.width - self.current_indent - left)) if meaning else [""]
            if width(term) > left - col_spacing:
                self.write(f"{margin}{term}\n")
                term = ""
            for number, line in enumerate(lines):
                head = term if number == 0 else ""
                self.write(f"{margin}{head}{' ' * (left - width(head))}{line}".rstrip() + "\n")


class Context(click.Context):
    """A context whose help is formatted by :class:`HelpFormatter`."""

    formatter_class = HelpFormatter


def _show_help(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    """``--help`` through our console: click's own way fails where a character cannot be shown."""
    if value and not ctx.resilient_parsing:
        Console(lang=settings_of(ctx).lang).page(ctx.get_help())
        ctx.exit()


class _Helpful(click.Command):
    """What commands and groups have in common: words from the catalogues under ``help.<path>``.

    Attributes:
        path: the words of the command joined by dots (``read.basic-four``); empty for the root.
    """

    context_class = Context
    path: str

    def words(self, ctx: click.Context, name: str) -> str | None:
        """The text ``help.command.<path>.<name>``, if there is one."""
        key = f"help.command.{self.path or 'root'}.{name}"
        return messages.text(key, settings_of(ctx).lang) if messages.has(key) else None

    def _title(self, ctx: click.Context, name: str) -> str:
        return messages.text(f"help.title.{name}", settings_of(ctx).lang)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        found = super().get_help_option(ctx)
        if found is not None:
            found.callback = _show_help
        return found

    def get_short_help_str(self, limit: int = 45) -> str:
        """The summary, for shell completion."""
        del limit
        key = f"help.command.{self.path or 'root'}.summary"
        return messages.text(key, session_language())

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, prefix=f"{self._title(ctx, 'usage')}: ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for name in ("summary", "detail"):
            found = self.words(ctx, name)
            if found:
                formatter.write_paragraph()
                with formatter.indentation():
                    for paragraph in found.strip().split("\n"):
                        formatter.write_text(paragraph)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and not isinstance(param, click.Argument):
                is_global = str(param.name).startswith(("global_", "help", "_click")) or param.name == "version"
                if "--help" in param.opts:
                    record = record[0], messages.text("help.option.help", settings_of(ctx).lang)
                (shared if is_global else own).append(record)
        for name, records in (("options", own), ("global_options", shared)):
            if records:
                with formatter.section(self._title(ctx, name)):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for name in ("secrets", "example", "exits"):
            found = self.words(ctx, name)
            if found:
                with formatter.section(self._title(ctx, name)):
                    for line in found.strip().splitlines():
                        formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class KojinCommand(_Helpful):
    """One command. Its function takes the :class:`~.session.Session` first and may return an exit code.

    Attributes:
        plan: what it does to the card, for ``--explain``; None for a command that opens none.
    """

    def __init__(
        self, path: str, run: Callable[..., Any], params: Sequence[click.Parameter], plan: PlanSource | None = None
    ) -> None:
        # surplus arguments are refused here: click's own words would repeat them, and one may be a PIN
        more = {"allow_extra_args": True}
        if plan is not None:
            params = [*params, option("--explain", is_flag=True, help="explain")]
        super().__init__(path.rpartition(".")[2], params=[*params, *global_options()], context_settings=more)
        self.path = path
        self.plan = plan
        self._run = run

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            raise TooManyArguments(ctx)
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        from kojin_card.cli.session import Session

        given = dict(ctx.params)
        with Session(settings_of(ctx)) as session:
            if self.plan is None or not given.pop("explain"):
                session.trace(self.path, given)
                return self._run(session, **given)
            from kojin_card.cli.explain import explain

            return explain(session, self.path, self.plan, given)


def command(
    path: str,
    *params: click.Parameter,
    plan: PlanSource | None = None,
    kind: type[KojinCommand] | None = None,
) -> Callable[[Callable[..., Any]], KojinCommand]:
    """Make a command called ``path`` out of a function.

    Args:
        plan: what it does to the card (:mod:`.explain`): every command that opens one has a plan, and ``--explain``.
        kind: of command, where its help says more than others.
    """

    def make(run: Callable[..., Any]) -> KojinCommand:
        return (KojinCommand if kind is None else kind)(path, run, params, plan)

    return make


class MissingCommand(click.UsageError):
    """A group without a command: its help is the answer."""

    def __init__(self, ctx: click.Context) -> None:
        super().__init__("", ctx)


class UnknownCommand(click.UsageError):
    """A word that is no command of the group. It is not kept: it may be anything.

    Attributes:
        known: the commands that there are.
    """

    def __init__(self, ctx: click.Context, known: Iterable[str]) -> None:
        super().__init__("", ctx)
        self.known = tuple(known)


class TooManyArguments(click.UsageError):
    """More arguments than the command takes. They are not kept: one may be a PIN."""

    def __init__(self, ctx: click.Context) -> None:
        super().__init__("", ctx)


class NotAFileName(click.BadParameter):
    """A value where the name of a file belongs. It is not kept."""

    def __init__(self, ctx: click.Context, param: click.Parameter) -> None:
        super().__init__("", ctx, param)


class KojinGroup(_Helpful, click.Group):
    """A group that imports a command's module when the command is called.

    Args:
        path: as for commands.
        home: word -> ``module:attribute``, the module relative to ``kojin_card.cli``.
    """

    def __init__(self, path: str, home: dict[str, str], params: Sequence[click.Parameter] = ()) -> None:
        super().__init__(path.rpartition(".")[2] or None, params=[*params, *global_options()], no_args_is_help=False)
        self.path = path
        self.home = home

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        named = getattr(ctx, "_protected_args", None)  # its name since click 8.2
        if not (ctx.protected_args if named is None else named) and not ctx.resilient_parsing:
            raise MissingCommand(ctx)
        return rest

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.home and not ctx.resilient_parsing:
            raise UnknownCommand(ctx, self.home)
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.home)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        where = self.home.get(cmd_name)
        if where is None:
            return None
        module, _, attribute = where.partition(":")
        found: click.Command = getattr(import_module(f"kojin_card.cli.{module}"), attribute)
        return found

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lang = settings_of(ctx).lang
        prefix = f"{self.path}." if self.path else ""
        rows = [(name, messages.text(f"help.command.{prefix}{name}.summary", lang)) for name in self.home]
        with formatter.section(self._title(ctx, "commands")):
            formatter.write_dl(rows)
        super().format_options(ctx, formatter)
