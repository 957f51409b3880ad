"""``revocation add|status``: revocation lists in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kojin_card import messages
from kojin_card.cli import places
from kojin_card.cli.exits import Exit, exit_of, worst
from kojin_card.cli.files import read_input
from kojin_card.cli.framework import KojinGroup, argument, command
from kojin_card.cli.judging import folder_options, store_option, trust_store
from kojin_card.cli.render import Block, Fields, Heading, Line, Role
from kojin_card.cli.wording import moment, utc
from kojin_card.errors import KojinError

if TYPE_CHECKING:
    from kojin_card.cli.session import Session
    from kojin_card.pki.crl_store import CrlListing

revocation = KojinGroup("revocation", {"add": "commands.revocation:add", "status": "commands.revocation:status"})
MAX_LIST_BYTES = 64 * 1024 * 1024


def _json(listing: CrlListing) -> dict[str, Any]:
    return {
        "file": listing.file,
        "sha256": listing.sha256,
        "anchor": listing.anchor,
        "purpose": None if listing.purpose is None else str(listing.purpose),
        "generation": listing.generation,
        "municipality": listing.municipality,
        "number": listing.number,
        "entries": listing.entries,
        "this_update": None if listing.this_update is None else utc(listing.this_update),
        "next_update": None if listing.next_update is None else utc(listing.next_update),
        "fresh": listing.fresh,
        "problem": listing.problem,
    }


def _fields(session: Session, listing: CrlListing) -> Fields:
    text, lang = session.console.text, session.lang
    unknown = text("say.revocation.unknown")
    state, symbol, role = ("fresh", "pass", Role.GOOD) if listing.fresh else ("stale", "unknown", Role.UNSURE)
    words = text(f"say.revocation.{state}")
    if listing.problem is not None and listing.anchor is None and listing.municipality is not None:
        words, symbol, role = text("say.revocation.other_store"), "none", Role.UNSURE  # a list, but another CA's
    elif listing.problem is not None:
        problem = messages.detail(listing.problem, lang).words or listing.problem
        words, symbol, role = text("say.revocation.unusable", problem=problem), "fail", Role.BAD
    rows: list[tuple[str, str] | tuple[str, str, Role]] = [
        (text("say.revocation.file"), listing.file),
        (text("say.revocation.anchor"), listing.anchor or unknown),
        (text("say.revocation.municipality"), listing.municipality or unknown),
        (text("say.revocation.entries"), unknown if listing.entries is None else str(listing.entries)),
    ]
    if listing.this_update is not None and listing.next_update is not None:
        span = f"{moment(listing.this_update, lang)} - {moment(listing.next_update, lang)}"
        rows.append((text("say.revocation.validity"), span))
    rows.append((text("say.revocation.state"), f"{session.console.symbol(symbol)} {words}", role))
    return Fields(rows)


@command(
    "revocation.add", argument("files", nargs=-1, required=True, metavar="FILE..."), store_option(), *folder_options()
)
def add(
    session: Session, files: tuple[str, ...], trust: str, trust_folder: Path | None, revocation: Path | None
) -> int:
    """Check lists and keep them, each in place of the older one of its municipality."""
    from kojin_card.cli.telling import problem, report
    from kojin_card.pki.crl_store import add_crl

    folder = places.revocation_folder() if revocation is None else revocation
    store = trust_store(trust, trust_folder)
    rows: list[dict[str, Any]] = []
    blocks: list[Block] = []
    codes = [Exit.OK]
    for name in files:
        try:
            listing = add_crl(folder, read_input(name, MAX_LIST_BYTES), store, now=session.now())
        except KojinError as error:
            codes.append(exit_of(error))
            rows.append({"source": name, "error": problem(error, session.settings).as_json()})
            if not session.settings.json:
                session.console.say(f"{name}:")
                report(error, session.settings)
            continue
        rows.append({"source": name, **_json(listing)})
        blocks += [Heading(session.console.text("say.revocation.added", name=name)), _fields(session, listing)]
    session.answer("revocation-added", {"folder": str(folder), "lists": rows}, blocks)
    return worst(codes)


@command("revocation.status", store_option(), *folder_options())
def status(session: Session, trust: str, trust_folder: Path | None, revocation: Path | None) -> None:
    """What the folder holds, and what of it is usable now."""
    from kojin_card.pki.crl_store import list_crls

    folder = places.revocation_folder() if revocation is None else revocation
    found = list_crls(folder, trust_store(trust, trust_folder), now=session.now())
    text = session.console.text
    blocks: list[Block] = [Heading(text("say.revocation.title", folder=str(folder), store=trust))]
    for number, listing in enumerate(found):
        blocks += [*([Line("")] if number else []), _fields(session, listing)]
    if not found:
        blocks.append(Line(text("say.revocation.empty")))
    session.answer("revocation", {"folder": str(folder), "lists": [_json(listing) for listing in found]}, blocks)
