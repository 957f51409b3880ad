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
    control: Path | None,
    secrets: str | None,
) -> None:
    """Resets, tries and settings, in this order; all of them or, when one cannot be, none.

    A card that is being served is changed by who serves it, between two commands: its file stays locked.
    """
    from kojin_card.cli.commands.simulator_serve import running_card
    from kojin_card.simulator import SoftCard
    from kojin_card.simulator.settings import changed, knob_values
    from kojin_card.spec import load_card_spec

    if not (tries or reset or knob or lists):
        raise UsageError("nothing to set: --tries, --reset, --knob or --lists", operation=_OPERATION)
    values = _values(session, reset, secrets)
    wanted = dict(_counted(one) for one in tries)
    served = running_card(file, control)
    if served is not None:
        if lists is not None:
            raise UsageError("--lists is for a card that is not being served", operation=_OPERATION)
        knobs = _set_running(served, file, wanted, values, knob)
    else:
        spec = load_card_spec()

        def new_state(before: CardState) -> CardState:
            after = changed(before, spec, reset=values, tries=wanted, knobs=knob)
            if lists is not None:
                _renew_lists(session, after, lists)
            return after

        knobs = knob_values(SoftCard.rewrite(file, new_state).knobs, spec)
    text = session.console.text
    value = {
        "file": file,
        "tries": wanted,
        "reset": list(reset),
        "knobs": knobs,
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


def _set_running(
    control: Path, file: str, tries: dict[str, int], reset: dict[str, bytes | None], knobs: tuple[str, ...]
) -> dict[str, str]:
    """Have it done by who has the card open; the settings as they are then."""
    from kojin_card.simulator.control import Request, ask

    path = str(Path(file).resolve())
    values = {name: None if value is None else value.decode("utf-8", "replace") for name, value in reset.items()}
    told = ask(control, Request("set", file=path, tries=tries, reset=values, knobs=knobs))
    return next((dict(card["knobs"]) for card in told["cards"] if card["file"] == path), {})


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
    option("--control", metavar="SOCKET", type=click.Path(path_type=Path), help="control"),
    option("--secrets", metavar="FILE", callback=refuse_value, help="secrets_reset"),
]
set_ = _Set("simulator.set", _set, _PARAMS)
