"""How an error is told: its words, what to do about it, its exit code. No value that was typed is repeated."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from kojin_card import messages
from kojin_card.cli.console import Console
from kojin_card.cli.exits import Exit, exit_of
from kojin_card.cli.framework import MissingCommand, NotAFileName, TooManyArguments, UnknownCommand
from kojin_card.cli.problems import OutputFailed
from kojin_card.cli.render import Role
from kojin_card.cli.streams import give_up_stdout
from kojin_card.cli.wording import operation_words
from kojin_card.errors import CardError, KojinError, NotOnCard

if TYPE_CHECKING:
    from kojin_card.cli.framework import Settings

#: what may be repeated of an option that does not exist: a word or a letter, never digits
_OPTION_NAME = re.compile(r"--[a-z]+(-[a-z]+)*|-[a-zA-Z]")
#: an option that somebody would invent to give a PIN
_SECRET_OPTION = re.compile(r"pin|pass|code-|secret")
_STATUS_WORD = re.compile(r"SW=[0-9A-F]{4}")


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as it is told.

    Attributes:
        detail: the sentence that goes with the words; empty when it adds nothing.
    """

    code: str
    words: str
    remedy: str
    detail: str
    tries_left: int | None
    exit: Exit

    def as_json(self) -> dict[str, Any]:
        """What stands under ``error``."""
        message = f"{self.words} ({self.detail})" if self.detail else self.words
        return {"code": self.code, "message": message, "remedy": self.remedy, "tries_left": self.tries_left}


def problem(error: BaseException, settings: Settings) -> Problem:
    """What to tell of an error.

    Of one that is not ours only the kind is named: its words and its traceback could hold anything.
    """
    lang = settings.lang
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return Problem("cancelled", *_words("cancelled", lang), "", None, Exit.CANCELLED)
    if isinstance(error, click.ClickException):
        return Problem("usage", *_words("usage", lang), usage_words(error, lang), None, Exit.USAGE)
    if isinstance(error, KojinError):
        return _known(error, lang)
    detail = type(error).__name__ if settings.verbose else ""
    return Problem("unexpected", *_words("unexpected", lang), detail, None, Exit.UNEXPECTED)


def _known(error: KojinError, lang: str) -> Problem:
    where = "{file} [{table}]: ".format_map({"file": "", "table": "", **error.details})
    where = where if error.message.startswith(where) else ""  # a SpecError names its place
    special = messages.detail(error.message.removeprefix(where), lang)
    words = special.headline or error.words(lang)
    remedy = special.remedy or _remedy(error, lang) or error.remedy(lang)
    if error.code.startswith("pin_") or not error.message:
        detail = ""
    elif isinstance(error, CardError) and _STATUS_WORD.fullmatch(error.message):
        detail = operation_words(error.operation or "", lang)  # the words have the status word already
    else:
        detail = (special.words or _of_the_system(error.message, lang)) if lang == "ja" else ""
        if detail or operation_words(error.operation or "", lang):
            detail = f"{where}{detail or error.message}"
        else:  # what was being done is said in words already
            detail = error.message if lang == "ja" else str(error)
    return Problem(error.code, words, remedy, detail, getattr(error, "tries_left", None), exit_of(error))


def _of_the_system(message: str, lang: str) -> str:
    """What the operating system says of a file, which it says in English; empty for anything else."""
    for name in (
        "ENOENT",
        "EACCES",
        "EPERM",
        "EISDIR",
        "ENOTDIR",
        "ENOSPC",
        "EROFS",
        "ENAMETOOLONG",
        "EBADF",
        "EEXIST",
    ):
        if message == os.strerror(getattr(errno, name)):
            return messages.text(f"say.os.{name}", lang)
    return ""


def _remedy(error: KojinError, lang: str) -> str:
    """What to do about something that is not on the card depends on what it was, and on what the card is."""
    if not isinstance(error, NotOnCard):
        return ""
    operation = error.operation or ""
    if error.details.get("carrier"):
        kind = str(error.details["carrier"])
    elif operation == "read input_support/session_public_key":
        kind = "secure_messaging"
    elif "/sign_certificate" in operation or "/sign_password" in operation:
        kind = "sign_certificate"
    elif operation == "select licence":
        kind = "licence"
    elif "licence/pin" in operation.split():
        kind = "licence_pin"
    elif operation.startswith("select "):
        kind = "application"
    else:
        kind = "certificate" if "certificate" in operation or "/auth_pin" in operation else ""
    return messages.error_remedy(f"not_on_card.{kind}", lang, {}) if kind else ""


def report(error: BaseException, settings: Settings) -> Exit:
    """Say what went wrong, as JSON on stdout or in words on stderr; the exit code."""
    console = Console(lang=settings.lang, plain=settings.plain, as_json=settings.json, series=settings.series)
    told = problem(error, settings)
    try:
        if isinstance(error, MissingCommand) and error.ctx is not None and not settings.json:
            console.page(error.ctx.get_help(), talk=True)
            return told.exit
        if settings.json:
            try:
                console.json("error", {"error": told.as_json()})
                return told.exit
            except OutputFailed:  # stdout is what failed: the words on stderr are all that is left
                give_up_stdout()
        console.say(f"{console.symbol('fail')} {told.words}", Role.BAD)
        if told.detail:
            console.say(console.text("say.error.detail", detail=told.detail), Role.FAINT)
        if told.remedy:
            console.say(console.text("say.error.remedy", remedy=told.remedy))
    except BrokenPipeError:
        give_up_stdout()
    return told.exit


def _words(code: str, lang: str) -> tuple[str, str]:
    return messages.error_words(code, lang, {}), messages.error_remedy(code, lang, {})


def usage_words(error: click.ClickException, lang: str) -> str:
    """What is wrong with the line, in the session's language. Options are named; what was given to them never is."""
    key, values = _usage(error, lang)
    return messages.text(f"say.usage.{key}", lang, **values)


def _usage(error: click.ClickException, lang: str) -> tuple[str, dict[str, object]]:
    match error:
        case MissingCommand():
            return "no_command", {}
        case UnknownCommand(known=known):
            return "no_such_command", {"known": ", ".join(known)}
        case TooManyArguments():
            return "too_many", {}
        case click.NoSuchOption(option_name=name):
            harmless = _OPTION_NAME.fullmatch(name)
            if harmless and _SECRET_OPTION.search(name):
                return "secret_option", {"name": name}
            return ("no_such_option", {"name": name}) if harmless else ("no_such_option_unnamed", {})
        case NotAFileName(param=click.Parameter() as param):
            return "file_name", {"name": _name(param, lang)}
        case click.MissingParameter(param=click.Parameter() as param):
            return "missing", {"name": _name(param, lang)}
        case click.BadOptionUsage(option_name=name):
            return "bad_option", {"name": name}
        case click.BadParameter(param=click.Parameter() as param):
            return _bad_value(param, lang)
        case _:
            return "other", {}


def _bad_value(param: click.Parameter, lang: str) -> tuple[str, dict[str, object]]:
    name = _name(param, lang)
    match param.type:
        case click.Choice(choices=choices):
            return "one_of", {"name": name, "choices": ", ".join(map(str, choices))}
        case click.IntRange(min=low, max=high):
            return "number", {"name": name, "low": low, "high": high}
        case click.ParamType(name="TIME"):
            return "time", {"name": name}
        case click.ParamType(name="DURATION"):
            return "duration", {"name": name}
        case click.ParamType(name="DATE"):
            return "date", {"name": name}
        case _:
            return "bad_value", {"name": name}


def _name(param: click.Parameter, lang: str) -> str:
    if param.param_type_name != "argument":
        return max(param.opts, key=len)
    key = f"say.argument.{param.name}"
    return messages.text(key, lang) if messages.has(key) else param.human_readable_name
