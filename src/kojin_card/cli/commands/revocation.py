"""``revocation add|status|prune``: revocation lists in one folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card import messages
from kojin_card.cli import places
from kojin_card.cli.exits import Exit, exit_of, worst
from kojin_card.cli.files import read_input
from kojin_card.cli.framework import KojinGroup, argument, command, option
from kojin_card.cli.judging import folder_options, store_option, trust_store
from kojin_card.cli.render import Block, Fields, Heading, Line, Role
from kojin_card.cli.wording import moment, utc
from kojin_card.errors import InputError, KojinError, UsageError

if TYPE_CHECKING:
    from kojin_card.cli.session import Session
    from kojin_card.pki.crl_store import CrlListing

revocation = KojinGroup(
    "revocation",
    {
        "add": "commands.revocation:add",
        "status": "commands.revocation:status",
        "prune": "commands.revocation:prune",
    },
)
MAX_LIST_BYTES = 64 * 1024 * 1024
MAX_FOLDER_FILES = 20_000
_HOUR = 3600


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
        "carried": listing.carried,
        "this_update": None if listing.this_update is None else utc(listing.this_update),
        "next_update": None if listing.next_update is None else utc(listing.next_update),
        "age_seconds": None if listing.age is None else int(listing.age.total_seconds()),
        "fresh": listing.fresh,
        "asserted_by": listing.asserted_by,
        "problem": listing.problem,
    }


def _state(session: Session, listing: CrlListing) -> tuple[str, Role]:
    text, console = session.console.text, session.console
    if listing.problem is not None and listing.anchor is None and listing.municipality is not None:
        return f"{console.symbol('none')} {text('say.revocation.other_store')}", Role.UNSURE  # a list, but another CA's
    if listing.problem is not None:
        problem = messages.detail(listing.problem, session.lang).words or listing.problem
        return f"{console.symbol('fail')} {text('say.revocation.unusable', problem=problem)}", Role.BAD
    if listing.fresh:
        return f"{console.symbol('pass')} {text('say.revocation.fresh')}", Role.GOOD
    return f"{console.symbol('unknown')} {text('say.revocation.stale')}", Role.UNSURE


def _fields(session: Session, listing: CrlListing) -> Fields:
    text, lang = session.console.text, session.lang
    unknown = text("say.revocation.unknown")
    anchor = unknown
    if listing.anchor is not None:
        anchor = text("say.revocation.generation", anchor=listing.anchor, generation=listing.generation)
    entries = unknown if listing.entries is None else str(listing.entries)
    if listing.carried:
        entries += " " + text("say.revocation.carried", count=listing.carried)
    rows: list[tuple[str, str] | tuple[str, str, Role]] = [
        (text("say.revocation.file"), listing.file),
        (text("say.revocation.anchor"), anchor),
        (text("say.revocation.municipality"), listing.municipality or unknown),
        (text("say.revocation.entries"), entries),
    ]
    if listing.this_update is not None and listing.next_update is not None and listing.age is not None:
        span = f"{moment(listing.this_update, lang)} - {moment(listing.next_update, lang)}"
        hours = int(listing.age.total_seconds() // _HOUR)
        rows.append((text("say.revocation.validity"), text("say.revocation.aged", span=span, hours=hours)))
    if listing.asserted_by is not None:
        rows.append((text("say.revocation.scope"), text("say.revocation.asserted", by=listing.asserted_by)))
    return Fields([*rows, (text("say.revocation.state"), *_state(session, listing))])


# --- add --------------------------------------------------------------------------------------------------------------


def _sources(names: tuple[str, ...]) -> list[tuple[str, KojinError | None]]:
    """What to add: the files as named, and of each folder its files, the older lists first."""
    out: list[tuple[str, KojinError | None]] = []
    for name in names:
        if name == "-" or not Path(name).is_dir():
            out.append((name, None))
            continue
        try:
            inside = sorted(
                str(path) for path in Path(name).iterdir() if path.is_file() and not path.name.startswith(".")
            )
        except OSError:
            inside = []
        if 0 < len(inside) <= MAX_FOLDER_FILES:
            out += [(path, None) for path in sorted(inside, key=_issued)]
        else:
            what = "too many files" if inside else "no file in that folder"
            out.append((name, InputError(what, operation="add a revocation list", file=Path(name).name)))
    return out


def _issued(name: str) -> datetime:
    """When a list says that it was issued, so that those of one folder come in order; anything else comes first."""
    from kojin_card.pki.crl_store import issued

    try:
        return issued(read_input(name, MAX_LIST_BYTES))
    except KojinError:  # told when it is added
        return datetime.min.replace(tzinfo=UTC)


@command(
    "revocation.add",
    argument("files", nargs=-1, required=True, metavar="FILE|FOLDER..."),
    option("--for", "scope", metavar="DN", help="scope"),
    option("--asserted-by", metavar="NAME", help="asserted_by"),
    store_option(),
    *folder_options(),
)
def add(
    session: Session,
    files: tuple[str, ...],
    scope: str | None,
    asserted_by: str | None,
    trust: str,
    trust_folder: Path | None,
    revocation: Path | None,
) -> int:
    """Check lists and keep them, each as the newest of its municipality."""
    from kojin_card.cli.telling import problem, report
    from kojin_card.pki.crl_store import Assertion, add_crl

    folder = places.revocation_folder() if revocation is None else revocation
    if scope is not None and (len(files) > 1 or Path(files[0]).is_dir()):
        raise UsageError("--for belongs to one file", operation="revocation add")
    if scope is None and asserted_by is not None:
        raise UsageError("--asserted-by belongs to --for", operation="revocation add")
    asserted = None
    if scope is not None:
        asserted = Assertion(scope) if asserted_by is None else Assertion(scope, asserted_by)
    store = trust_store(trust, trust_folder)
    rows: list[dict[str, Any]] = []
    blocks: list[Block] = []
    codes = [Exit.OK]
    sources = _sources(files)
    for name, refused in sources:
        try:
            if refused is not None:
                raise refused
            data = read_input(name, MAX_LIST_BYTES)
            listing = add_crl(folder, data, store, now=session.now(), asserted=asserted)
        except KojinError as error:
            codes.append(exit_of(error))
            rows.append({"source": name, "error": problem(error, session.settings).as_json()})
            if not session.settings.json:
                session.console.say(f"{name}:")
                report(error, session.settings)
            continue
        rows.append({"source": name, **_json(listing)})
        blocks += [Heading(session.console.text("say.revocation.added", name=name)), _fields(session, listing)]
    if len(sources) > 1:
        refusals = len(codes) - 1
        words = session.console.text("say.revocation.count", good=len(sources) - refusals, bad=refusals)
        blocks += [Line(""), Line(words, Role.BAD if refusals else Role.GOOD)]
    session.answer("revocation-added", {"folder": str(folder), "lists": rows}, blocks)
    return worst(codes)


# --- status -----------------------------------------------------------------------------------------------------------


@command("revocation.status", store_option(), *folder_options())
def status(session: Session, trust: str, trust_folder: Path | None, revocation: Path | None) -> None:
    """What the folder holds, and what of it is usable now."""
    from kojin_card.pki.crl_store import list_crls

    folder = places.revocation_folder() if revocation is None else revocation
    found = list_crls(folder, trust_store(trust, trust_folder), now=session.now())
    stale = sum(not listing.fresh for listing in found)
    text = session.console.text
    blocks: list[Block] = [Heading(text("say.revocation.title", folder=str(folder), store=trust))]
    for number, listing in enumerate(found):
        blocks += [*([Line("")] if number else []), _fields(session, listing)]
    if not found:
        blocks.append(Line(text("say.revocation.empty")))
    elif stale:
        blocks += [Line(""), Line(text("say.revocation.stale_count", stale=stale, all=len(found)), Role.UNSURE)]
    value = {"folder": str(folder), "stale": stale, "lists": [_json(listing) for listing in found]}
    session.answer("revocation", value, blocks)


# --- prune ------------------------------------------------------------------------------------------------------------


@command(
    "revocation.prune",
    option("--cited", metavar="PATH", multiple=True, type=click.Path(path_type=Path), help="cited"),
    option("--none-cited", is_flag=True, help="none_cited"),
    option("--dry-run", is_flag=True, help="dry_run"),
    option("--revocation", metavar="FOLDER", type=click.Path(path_type=Path), help="revocation"),
)
def prune(session: Session, cited: tuple[Path, ...], none_cited: bool, dry_run: bool, revocation: Path | None) -> None:
    """Remove lists that newer ones superseded and that no kept verdict cites."""
    from kojin_card.pki.crl_store import cited_in, prune_lists

    if bool(cited) == none_cited:
        raise UsageError("name kept verdicts with --cited, or say --none-cited", operation="revocation prune")
    folder = places.revocation_folder() if revocation is None else revocation
    wanted = frozenset[str]().union(*(cited_in(path) for path in cited))
    done = prune_lists(folder, wanted, dry_run=dry_run)
    text = session.console.text
    key = "say.revocation.would_remove" if dry_run else "say.revocation.removed"
    rows = [
        (text(key), text("say.revocation.files", count=len(done.removed), octets=done.octets)),
        (text("say.revocation.kept_cited"), str(len(done.cited))),
        (text("say.revocation.kept_current"), str(len(done.current))),
    ]
    blocks: list[Block] = [Heading(text("say.revocation.prune_title", folder=str(folder))), Fields(rows)]
    blocks += [Line(name) for name in done.removed]
    value = {
        "folder": str(folder),
        "dry_run": dry_run,
        "removed": list(done.removed),
        "octets": done.octets,
        "cited": list(done.cited),
        "current": list(done.current),
    }
    session.answer("revocation-pruned", value, blocks)
