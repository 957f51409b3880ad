"""``simulator new|show``: software cards as files.

``simulator set`` is in :mod:`.simulator_set`, ``serve``, ``insert`` and ``remove`` are in :mod:`.simulator_serve`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card import messages
from kojin_card.cli.files import refuse_existing
from kojin_card.cli.framework import KojinCommand, KojinGroup, argument, command, option, settings_of
from kojin_card.cli.judging import Moment
from kojin_card.cli.render import Block, Fields, Heading, Line, Role, Table
from kojin_card.cli.secret_labels import labels
from kojin_card.cli.wording import moment, utc
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kojin_card.cli.session import Session
    from kojin_card.simulator import CardState, Persona
    from kojin_card.simulator.persona import Profile
    from kojin_card.simulator.state import KeyState
    from kojin_card.spec import KeySpec

simulator = KojinGroup(
    "simulator",
    {
        "new": "commands.simulator:new",
        "show": "commands.simulator:show",
        "set": "commands.simulator_set:set_",
        "serve": "commands.simulator_serve:serve",
        "insert": "commands.simulator_serve:insert",
        "remove": "commands.simulator_serve:remove",
    },
)


class _New(KojinCommand):
    """Its help lists the personas, with the PINs of their cards, and the kinds of card."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        lang = settings_of(ctx).lang
        rows = []
        for persona in _personas():
            about = persona.name_ja if lang == "ja" else persona.name_en
            rows.append((persona.id, f"{about}  [{_shown_pins(persona, lang)}]"))
        with formatter.section(messages.text("help.title.personas", lang)):
            formatter.write_dl(rows)
        kinds = [(one.id, one.name_ja if lang == "ja" else one.name_en) for one in _profiles()]
        with formatter.section(messages.text("help.title.profiles", lang)):
            formatter.write_dl(kinds)


def _personas() -> list[Persona]:
    from kojin_card.simulator import load_persona, persona_names

    return [load_persona(name) for name in persona_names()]


def _profiles() -> list[Profile]:
    from kojin_card.simulator.persona_file import load_profile, profile_names

    return [load_profile(name) for name in profile_names()]


def _pins(persona: Persona) -> list[tuple[str, str]]:
    """The secrets of a persona's card that are not computed, as ``--secrets`` names them."""
    from kojin_card.spec import load_card_spec

    applications = load_card_spec().applications
    named = ((applications[app].keys[key].secret, value) for (app, key), value in persona.pins.items())
    return list(dict.fromkeys(named))


def _shown_pins(persona: Persona, lang: str) -> str:
    """The same for people: what stands for a PIN that nobody set is no PIN to type."""
    from kojin_card.spec import load_card_spec

    unset = {
        (key.secret, key.unset.value.decode("ascii"))
        for application in load_card_spec().applications.values()
        for key in application.keys.values()
        if key.unset is not None
    }
    words = messages.text("say.simulator.unset", lang)
    shown = (f"{name}={words if (name, pin) in unset else pin}" for name, pin in _pins(persona))
    return "  ".join(shown) or messages.text("say.simulator.none", lang)


def _list(session: Session) -> None:
    """The personas with what each is for, its kind of card and the PINs."""
    personas, ja = _personas(), session.lang == "ja"
    value = [
        {
            "id": one.id,
            "about": one.name_ja if ja else one.name_en,
            "profile": None if one.profile is None else one.profile.id,
            "secrets": dict(_pins(one)),
        }
        for one in personas
    ]
    text = session.console.text
    header = [text("say.simulator.persona"), text("say.simulator.about"), text("say.simulator.secrets")]
    rows = [
        [str(one["id"]), str(one["about"]), _shown_pins(persona, session.lang)]
        for one, persona in zip(value, personas, strict=True)
    ]
    session.answer("personas", {"personas": value}, [Heading(text("say.simulator.personas")), Table(header, rows)])


def _persona(name: str, *, profile: str | None, seed: str | None, font: Path | None) -> Persona:
    """A persona of the package, or of the caller's own file (``NAME.toml``), as the options want it.

    Raises:
        UsageError: there is no persona or profile of that name, or a font for a persona that is drawn already.
        SpecError: the caller's file is malformed. InputError: the font cannot be used.
        MissingExtra: a font is named and Pillow is not installed.
    """
    from kojin_card.simulator import load_persona
    from kojin_card.simulator.lettering import lettered
    from kojin_card.simulator.persona_file import load_profile

    own = Path(name)
    if own.suffix == ".toml":
        who = load_persona(own.stem, own.absolute().parent, drawn=font is not None)
    elif font is not None:
        raise UsageError("--font draws a persona of one's own (--persona FILE.toml)", operation="make a card file")
    else:
        who = load_persona(name)
    if profile is not None:
        kind = load_profile(profile)
        who = replace(who, profile=kind, atr=kind.atr)
    if seed is not None:
        who = replace(who, seed=seed)
    return who if font is None else lettered(who, font)


def _make(
    session: Session,
    file: str | None,
    output: str | None,
    persona: str,
    profile: str | None,
    seed: str | None,
    fresh_keys: bool,
    font: Path | None,
    knob: tuple[str, ...],
    lists: Path | None,
    at: datetime | None,
    list_: bool,
    force: bool,
) -> None:
    """A card as the municipal counter hands it out: full counters, certificates valid from now."""
    from kojin_card.simulator import Knobs, SoftCard, make_card
    from kojin_card.simulator.settings import with_knob
    from kojin_card.spec import load_card_spec

    if list_:
        _list(session)
        return
    if file is not None and output is not None:
        raise UsageError("FILE or -o, not both", operation="make a card file")
    who, knobs = _persona(persona, profile=profile, seed=seed, font=font), Knobs()
    for setting in knob:
        knobs = with_knob(knobs, setting, load_card_spec(), making=True)
    path = Path(file or output or f"{who.id}.json")
    refuse_existing(path, force=force)
    state = make_card(who, now=session.now() if at is None else at, knobs=knobs, fresh_keys=fresh_keys)
    if lists is not None:
        add_lists(session, who, state, lists)  # first: a card whose story cannot be told is not made
    SoftCard.create(path, state, replace=force).close()
    text = session.console.text
    blocks: list[Block] = [
        Line(f"{session.console.symbol('pass')} {text('say.simulator.made', file=str(path))}", Role.GOOD),
        Line(text("say.simulator.test_card")),
    ]
    if lists is not None:
        blocks.append(Line(text("say.simulator.lists", folder=str(lists))))
    value = {
        "file": str(path),
        "persona": state.persona,
        "issued_at": utc(state.issued_at),
        "lists": None if lists is None else str(lists),
    }
    session.answer("card-file-made", value, [*blocks, Line(text("say.simulator.next", file=str(path)))])


def add_lists(session: Session, who: Persona, state: CardState, folder: Path) -> None:
    """The revocation lists of the card's municipality as of now, as ``revocation add --trust simulator`` keeps them.

    Raises:
        InputError: the folder cannot be written, or has newer lists.
    """
    from kojin_card.pki.crl_store import add_crl
    from kojin_card.pki.trust import TrustStore
    from kojin_card.simulator.lists import revocation_lists
    from kojin_card.simulator.testpki import TestPki

    now = session.now().replace(microsecond=0)
    for crl in revocation_lists(who, state, now=now, pki=TestPki.load()).values():
        add_crl(folder, crl, TrustStore.load("simulator"), now=session.now())


new = _New(
    "simulator.new",
    _make,
    [
        argument("file", required=False, metavar="[FILE]"),
        option("-o", "--output", metavar="FILE", help="output_card"),
        option("--persona", metavar="NAME|FILE.toml", default="adult", help="persona", show_default=True),
        option("--profile", metavar="NAME", help="profile"),
        option("--seed", metavar="TEXT", help="seed"),
        option("--fresh-keys", is_flag=True, help="fresh_keys"),
        option("--font", metavar="FILE", type=click.Path(path_type=Path), help="font"),
        option("--knob", metavar="NAME=VALUE", multiple=True, help="knob"),
        option("--lists", metavar="FOLDER", type=click.Path(path_type=Path), help="lists"),
        option("--at", metavar="TIME", type=Moment(), help="issue_at"),
        option("--list", "list_", is_flag=True, help="list_personas"),
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
    """Persona, counters and settings, also of a card in use; the values of its secrets only with ``--reveal``."""
    from kojin_card.simulator import SoftCard
    from kojin_card.simulator.settings import knob_values
    from kojin_card.spec import load_card_spec

    state = SoftCard.look(file)
    secrets: list[dict[str, Any]] = []
    rows: list[list[str]] = []
    text, ja = session.console.text, session.lang == "ja"
    found = list(_secrets(state))
    named = labels([(application, key) for application, key, _ in found], session.console)
    for label, (application, key, content) in zip(named, found, strict=True):
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
        row = [label, key.secret, f"{content.tries_left} / {content.tries_full}"]
        rows.append([*row, *([value or text("say.simulator.none")] if reveal else [])])
    knobs = knob_values(state.knobs, load_card_spec())
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
                *((f"{text('say.simulator.knobs')}: {name}", setting) for name, setting in knobs.items()),
            ]
        ),
        Heading(text(f"say.simulator.{'secrets' if reveal else 'secrets_hidden'}")),
        Table(header, rows),
        Line(text("say.simulator.test_card"), Role.FAINT),
    ]
    session.answer("card-file", value_json, blocks)
