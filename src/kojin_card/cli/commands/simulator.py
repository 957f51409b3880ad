"""``simulator new|show``: software cards as files."""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card import messages
from kojin_card.cli.files import refuse_existing
from kojin_card.cli.framework import KojinCommand, KojinGroup, argument, command, option, settings_of
from kojin_card.cli.judging import Moment
from kojin_card.cli.render import Block, Fields, Heading, Line, Role, Table
from kojin_card.cli.wording import moment, utc
from kojin_card.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kojin_card.cli.session import Session
    from kojin_card.simulator import CardState
    from kojin_card.simulator.state import KeyState
    from kojin_card.spec import KeySpec

simulator = KojinGroup("simulator", {"new": "commands.simulator:new", "show": "commands.simulator:show"})


class _New(KojinCommand):
    """Its help lists the personas, with the PINs of their cards."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from kojin_card.simulator import load_persona, persona_names
        from kojin_card.spec import load_card_spec

        applications = load_card_spec().applications
        super().format_help_text(ctx, formatter)
        lang = settings_of(ctx).lang
        rows = []
        for name in persona_names():
            persona = load_persona(name)
            named = ((applications[app].keys[key].secret, value) for (app, key), value in persona.pins.items())
            pins = "  ".join(f"{secret}={value}" for secret, value in named)
            rows.append((name, f"{persona.name_ja if lang == 'ja' else persona.name_en}  [{pins}]"))
        with formatter.section(messages.text("help.title.personas", lang)):
            formatter.write_dl(rows)


def _make(
    session: Session, file: str | None, output: str | None, persona: str, at: datetime | None, force: bool
) -> None:
    """A card as the municipal counter hands it out: full counters, certificates valid from now."""
    from kojin_card.simulator import SoftCard, make_card

    if file is not None and output is not None:
        raise UsageError("FILE or -o, not both", operation="make a card file")
    path = Path(file or output or f"{persona}.json")
    refuse_existing(path, force=force)
    state = make_card(persona, now=session.now() if at is None else at)
    if force and path.exists():
        with contextlib.suppress(InputError):  # not a card file: it is replaced all the same
            SoftCard.open(path, wait_seconds=0.0).close()  # one that is in use is not
        path.unlink()
    SoftCard.create(path, state).close()
    text = session.console.text
    value = {"file": str(path), "persona": state.persona, "issued_at": utc(state.issued_at)}
    session.answer(
        "card-file-made",
        value,
        [
            Line(f"{session.console.symbol('pass')} {text('say.simulator.made', file=str(path))}", Role.GOOD),
            Line(text("say.simulator.test_card")),
            Line(text("say.simulator.next", file=str(path))),
        ],
    )


new = _New(
    "simulator.new",
    _make,
    [
        argument("file", required=False, metavar="[FILE]"),
        option("-o", "--output", metavar="FILE", help="output_card"),
        option("--persona", metavar="NAME", default="adult", help="persona", show_default=True),
        option("--at", metavar="TIME", type=Moment(), help="issue_at"),
        option("--force", is_flag=True, help="force"),
    ],
)


def _secrets(state: CardState) -> Iterator[tuple[str, KeySpec, KeyState]]:
    from kojin_card.spec import KeyKind, load_card_spec

    for application in load_card_spec().applications.values():
        content = state.applications.get(application.id)
        for key in application.keys.values():
            if content is not None and key.kind is KeyKind.PIN and key.id in content.keys:
                yield application.id, key, content.keys[key.id]


@command("simulator.show", argument("file", metavar="FILE"), option("--reveal", is_flag=True, help="reveal"))
def show(session: Session, file: str, reveal: bool) -> None:
    """Persona, counters and settings; the values of its secrets only with ``--reveal``."""
    from kojin_card.simulator import SoftCard

    with SoftCard.open(file) as card:
        state = card.state
    secrets: list[dict[str, Any]] = []
    rows: list[list[str]] = []
    text, ja = session.console.text, session.lang == "ja"
    for application, key, content in _secrets(state):
        value = None if content.secret is None else content.secret.decode("ascii", "replace")
        secrets.append(
            {
                "application": application,
                "key": key.id,
                "secret": key.secret,
                "name": key.name_ja if ja else key.name_en,
                "tries_left": content.tries_left,
                "tries": content.tries_full,
                **({"value": value} if reveal else {}),
            }
        )
        row = [key.name_ja if ja else key.name_en, key.secret, f"{content.tries_left} / {content.tries_full}"]
        rows.append([*row, *([value or text("say.simulator.none")] if reveal else [])])
    knobs = {
        "blocked_sw": f"{state.knobs.blocked_sw:04X}",
        "reselect_keeps_state": state.knobs.reselect_keeps_state,
        "empty_verify_when_verified": None
        if state.knobs.empty_verify_when_verified is None
        else f"{state.knobs.empty_verify_when_verified:04X}",
    }
    value_json = {
        "file": file,
        "persona": state.persona,
        "issued_at": utc(state.issued_at),
        "atr": state.atr.hex().upper(),
        "knobs": knobs,
        "secrets": secrets,
    }
    header = [
        text("say.simulator.secret"),
        text("say.simulator.given_as"),
        text("say.simulator.left"),
        *([text("say.simulator.value")] if reveal else []),
    ]
    blocks: list[Block] = [
        Heading(text("say.simulator.title")),
        Fields(
            [
                (text("say.simulator.file"), file),
                (text("say.simulator.persona"), state.persona),
                (text("say.simulator.issued_at"), moment(state.issued_at, session.lang)),
                ("ATR", state.atr.hex().upper()),
                *((f"{text('say.simulator.knobs')}: {name}", str(setting)) for name, setting in knobs.items()),
            ]
        ),
        Heading(text("say.simulator.secrets") + ("" if reveal else f" {text('say.simulator.hidden')}")),
        Table(header, rows),
        Line(text("say.simulator.test_card"), Role.FAINT),
    ]
    session.answer("card-file", value_json, blocks)
