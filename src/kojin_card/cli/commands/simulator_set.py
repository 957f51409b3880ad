"""``simulator set``: counters, resets and behaviour of a software card that is made already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card import messages
from kojin_card.cli.framework import KojinCommand, argument, option, refuse_value, settings_of
from kojin_card.cli.render import Fields, Line, Role
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.cli.session import Session
    from kojin_card.simulator import CardState

_OPERATION = "set a software card"


class _Set(KojinCommand):
    """Its help lists the settings with the values that each takes."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from kojin_card.simulator.settings import choices, knob_names
        from kojin_card.spec import load_card_spec

        super().format_help_text(ctx, formatter)
        lang, spec = settings_of(ctx).lang, load_card_spec()
        rows = []
        for name in knob_names(spec):
            variant = spec.variants.get(name)
            if variant is not None:
                about = variant.name_ja if lang == "ja" else variant.name_en
            else:
                about = messages.text(f"say.knob.{name}", lang)
            rows.append((f"{name}={'|'.join(choices(name))}", about))
        with formatter.section(messages.text("help.title.knobs", lang)):
            formatter.write_dl(rows)


def _set(
    session: Session,
    file: str,
    tries: tuple[str, ...],
    reset: tuple[str, ...],
    knob: tuple[str, ...],
    lists: Path | None,
    secrets: str | None,
) -> None:
    """Resets, tries and settings, in this order; all of them or, when one cannot be, none."""
    from kojin_card.simulator import SoftCard
    from kojin_card.simulator.settings import knob_values
    from kojin_card.spec import load_card_spec

    if not (tries or reset or knob or lists):
        raise UsageError("nothing to set: --tries, --reset, --knob or --lists", operation=_OPERATION)
    values = _values(session, reset, secrets)
    wanted = [_counted(one) for one in tries]
    state = SoftCard.rewrite(file, lambda before: _changed(before, wanted, values, knob))
    text = session.console.text
    if lists is not None:
        _renew_lists(session, state, lists)
    value = {
        "file": file,
        "tries": dict(wanted),
        "reset": list(reset),
        "knobs": knob_values(state.knobs, load_card_spec()),
        "lists": None if lists is None else str(lists),
    }
    done = [(text("say.simulator.tries_left"), one) for one in tries]
    done += [(text("say.simulator.was_reset"), _reset_words(one, values, session)) for one in reset]
    done += [(text("say.simulator.knobs"), one) for one in knob]
    if lists is not None:
        done.append((text("say.simulator.in_lists"), str(lists)))
    title = Line(f"{session.console.symbol('pass')} {text('say.simulator.was_set', file=file)}", Role.GOOD)
    session.answer("card-file-set", value, [title, Fields(done)])


def _counted(setting: str) -> tuple[str, int]:
    name, _, count = setting.partition("=")
    if not name or not (count.isascii() and count.isdigit() and len(count) <= 2):
        raise UsageError("--tries takes name=number", operation=_OPERATION)
    return name, int(count)


def _values(session: Session, reset: tuple[str, ...], secrets: str | None) -> dict[str, bytes | None]:
    """The new value of each secret that is reset: ``new-NAME`` of ``--secrets``, or None to keep its value."""
    from kojin_card.cli.secret_sources import GivenSecrets

    source = session.secrets(secrets) if secrets is not None else None
    values: dict[str, bytes | None] = {}
    for name in reset:
        given = isinstance(source, GivenSecrets) and source.has(f"new-{name}")
        values[name] = source.at_hand(f"new-{name}").reveal() if given and isinstance(source, GivenSecrets) else None
    return values


def _reset_words(name: str, values: Mapping[str, bytes | None], session: Session) -> str:
    """The secret with what became of its value; the value itself is never said."""
    return session.console.text(
        "say.simulator.value_kept" if values[name] is None else "say.simulator.value_new", name=name
    )


def _changed(
    state: CardState, tries: list[tuple[str, int]], reset: dict[str, bytes | None], knobs: tuple[str, ...]
) -> CardState:
    from dataclasses import replace

    from kojin_card.simulator.settings import with_knob, with_reset, with_tries
    from kojin_card.spec import load_card_spec

    spec = load_card_spec()
    for name, value in reset.items():
        state = with_reset(state, spec, name, value)
    for name, count in tries:
        state = with_tries(state, spec, name, count)
    for setting in knobs:
        state = replace(state, knobs=with_knob(state.knobs, setting, spec, making=False))
    return state


def _renew_lists(session: Session, state: CardState, folder: Path) -> None:
    from kojin_card.cli.commands.simulator import add_lists
    from kojin_card.simulator import load_persona, persona_names

    if state.persona not in persona_names():
        raise UsageError("lists are made for the personas of the package", operation=_OPERATION)
    add_lists(session, load_persona(state.persona), state, folder)


_PARAMS: list[Any] = [
    argument("file", metavar="FILE"),
    option("--tries", metavar="NAME=N", multiple=True, help="tries"),
    option("--reset", metavar="NAME", multiple=True, help="reset"),
    option("--knob", metavar="NAME=VALUE", multiple=True, help="knob"),
    option("--lists", metavar="FOLDER", type=click.Path(path_type=Path), help="lists"),
    option("--secrets", metavar="FILE", callback=refuse_value, help="secrets_reset"),
]
set_ = _Set("simulator.set", _set, _PARAMS)
