"""The values of a slot's fields: ``--field NAME=VALUE``, ``--fields FILE``, the card itself, or prompts.

A value that a service calls personal can stand on the command line, where others see it, and is warned of there.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.files import MAX_SMALL_BYTES, read_input
from kojin_card.cli.framework import option
from kojin_card.errors import Cancelled, InputError, KojinError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kojin_card.cli.session import Session
    from kojin_card.spec.service import Service, ServiceField

_OPERATION = "read the values"
_ASKED_AT_MOST = 3


def value_options(*, from_card: bool = True) -> tuple[click.Parameter, ...]:
    """``--field``, ``--fields`` and ``--from-card``."""
    return (
        option("--field", metavar="NAME=VALUE", multiple=True, help="slot_field"),
        option("--fields", metavar="FILE", help="slot_fields"),
        *((option("--from-card", is_flag=True, help="slot_from_card"),) if from_card else ()),
    )


def given_values(service: Service, field: Iterable[str], fields: str | None, *, empty: bool = False) -> dict[str, str]:
    """What the line and the file say; each field once.

    Args:
        empty: keep values of no length, which take an optional field out of a record; else they are as good as none.

    Raises:
        UsageError: no ``NAME=VALUE``, a field twice. InputError: no TOML of ``name = "value"``, a name that the service
            does not have.
    """
    found = {} if fields is None else _of_file(fields)
    for text in field:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError("a value is given as NAME=VALUE", operation="--field")
        if name in found:
            raise UsageError("a field is given twice", operation="--field")
        found[name] = value
    unknown = [name for name in found if name not in service.fields]
    if unknown:
        known = ", ".join(service.fields)
        raise InputError(f"the service has no such field; it has {known}", operation=_OPERATION)
    return {name: text for name, text in found.items() if text or empty}


def personal_on_the_line(service: Service, field: Iterable[str]) -> bool:
    """Whether a personal value stands in the arguments, where other users of the machine see it."""
    names = (text.partition("=")[0] for text in field)
    return any(name in service.fields and service.fields[name].privacy != "public" for name in names)


def _of_file(name: str) -> dict[str, str]:
    """``name = "value"`` lines of TOML; a number or a date may stand without quotation marks.

    Raises:
        InputError: anything else; the value is not repeated.
    """
    details: dict[str, Any] = {} if name == "-" else {"file": Path(name).name}
    try:
        table = tomllib.loads(read_input(name, MAX_SMALL_BYTES).decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        raise InputError('no TOML of lines like name = "value"', operation=_OPERATION, **details) from None
    out = {}
    for key, value in table.items():
        if isinstance(value, bool | dict | list | float):
            raise InputError('no TOML of lines like name = "value"', operation=_OPERATION, **details)
        out[key] = str(value)
    return out


def missing(service: Service, values: Mapping[str, str], *, supplied: Iterable[str] = ()) -> list[ServiceField]:
    """The fields that must have a value and have none."""
    have = {*values, *supplied}
    return [one for name, one in service.fields.items() if not one.optional and name not in have]


def check_values(service: Service, values: Mapping[str, str]) -> None:
    """Refuse the first value that its field does not take; of an optional one none at all is taken.

    Raises:
        FieldError: names the field, never the value.
    """
    for name, text in values.items():
        if text or not service.fields[name].optional:
            service.fields[name].encode(text)


def ask_for(session: Session, service: Service, wanted: Iterable[ServiceField]) -> dict[str, str]:
    """Ask at the terminal for what is missing, again where the field does not take it.

    Raises:
        InputError: nobody is there to be asked; names the fields. Cancelled: they gave up.
    """
    asked = list(wanted)
    if asked and (sys.stdin is None or not sys.stdin.isatty()):
        listed = ", ".join(one.id for one in asked)
        raise InputError(f"no value is given for {listed}", operation=_OPERATION, service=service.id)
    return {one.id: _ask(session, one) for one in asked}


def _ask(session: Session, one: ServiceField) -> str:
    from kojin_card import messages

    console = session.console
    label = one.label_ja if console.lang == "ja" else one.label_en
    example = one.example or "-"
    if one.values:  # nobody knows codes by heart
        example = ", ".join(f"{value.code} ({one.words(value.code, console.lang)})" for value in one.values)
    for more in reversed(range(_ASKED_AT_MOST)):
        console.say(console.text("slots.ask.field", label=label, example=example))
        try:
            typed = input().strip()
        except (EOFError, KeyboardInterrupt, UnicodeDecodeError):
            raise Cancelled(operation=_OPERATION) from None
        if not typed:
            raise Cancelled(operation=_OPERATION)
        try:
            one.encode(typed)
        except KojinError as refused:
            if not more:
                raise
            words = messages.detail(refused.message, console.lang).words or refused.message
            console.say(console.text("say.prompt.form", problem=words))
        else:
            return typed
    raise Cancelled(operation=_OPERATION)
