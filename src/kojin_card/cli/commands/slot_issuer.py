"""``slot-issuer init|rotate|certify-terminal|join``: an owner's keys, terminals and partners."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.counter.desk import LIVING, Desk, DeskOptions, answer_planned, desk_options
from kojin_card.cli.counter.keys import (
    FILE,
    issuer_key_options,
    load_all_services,
    new_passphrase,
    open_owner_keys,
    owner_key_option,
    passphrase,
    service_called,
    services_option,
)
from kojin_card.cli.counter.office import Office, OfficeOptions
from kojin_card.cli.counter.plans import of_desk, of_rotate
from kojin_card.cli.counter.view import owner_words, shown_aid
from kojin_card.cli.files import MAX_SMALL_BYTES, check_input, read_input, refuse_existing, refuse_same
from kojin_card.cli.framework import Day, KojinGroup, argument, command, option, output_options, secret_options
from kojin_card.cli.render import Block, Fields, Heading, Line, Role
from kojin_card.cli.wording import JST, day
from kojin_card.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kojin_card.cli.session import Session
    from kojin_card.slots import OwnerEntry, OwnerKeyPeriod
    from kojin_card.spec.service import Service, ServiceField

slot_issuer = KojinGroup(
    "slot-issuer",
    {
        "init": "commands.slot_issuer:init",
        "rotate": "commands.slot_issuer:rotate",
        "certify-terminal": "commands.slot_issuer:certify_terminal",
        "join": "commands.slot_issuer:join",
    },
)
_DAYS = 30


def _today(session: Session) -> date:
    return session.now().astimezone(JST).date()


# --- key files --------------------------------------------------------------------------------------------------------


@command(
    "slot-issuer.init",
    argument("file", metavar="FILE", type=FILE),
    option("--owner", metavar="OWNER", help="slot_issuer_owner"),
    option("--card-issuer", is_flag=True, help="slot_card_issuer"),
    option("--bits", type=click.Choice(["128", "256"]), default="256", help="slot_bits", show_default=True),
    option("--name-ja", metavar="TEXT", help="slot_name_ja"),
    option("--name-en", metavar="TEXT", help="slot_name_en"),
    option("--public", metavar="FILE", type=FILE, help="slot_public"),
    *secret_options(last_try=False),
)
def init(
    session: Session,
    file: str,
    owner: str | None,
    card_issuer: bool,
    bits: str,
    name_ja: str | None,
    name_en: str | None,
    public: str | None,
    secrets: str | None,
) -> None:
    """New keys in a file that was not there."""
    from kojin_card.slots import IssuerKeys, OwnerKeys
    from kojin_card.spec.owner import Owner

    if (owner is None) != card_issuer:
        raise UsageError("name one: --owner OWNER or --card-issuer", operation="slot-issuer init")
    if card_issuer and (public is not None or name_ja is not None or name_en is not None):
        raise UsageError("a card's issuer has no entry in owners.toml", operation="slot-issuer init")
    whose = None if owner is None else Owner.parse(owner)
    path = _new_file(file, public)
    entry: OwnerEntry | None = None
    if whose is None:
        secret = new_passphrase(session, secrets, "issuer-passphrase")
        IssuerKeys.create(bits=int(bits)).save(path, secret)
    else:
        secret = new_passphrase(session, secrets, "owner-passphrase")
        keys = OwnerKeys.create(whose, begin=_today(session), bits=int(bits))
        entry = keys.public(name_ja or str(whose), name_en or str(whose))
        keys.save(path, secret)
    _keys_made(session, file, "" if whose is None else str(whose), entry, public)


def _new_file(file: str, *others: str | None) -> Path:
    """A key file's name, which nothing has yet.

    Raises:
        OutputExists, OutputFailed: something has it, or there is no folder. UsageError: two results, one name.
    """
    path = Path(file)
    refuse_existing(path, force=False)
    for other in others:
        if other is not None:
            if Path(other).absolute() == path.absolute():
                raise UsageError("two results have the same name", operation="make a key file")
            refuse_existing(Path(other), force=False)
    return path


def _keys_made(session: Session, file: str, owner: str, entry: OwnerEntry | None, public: str | None) -> None:
    """Write the public part where one is wanted, and say what was made."""
    from kojin_card.slots import OwnerStore

    text = session.console.text
    if entry is not None and public is not None:
        session.write(public, OwnerStore((entry,)).toml().encode("utf-8"), force=False)
    newest = None if entry is None else max(entry.keys, key=lambda one: one.begin)
    rows = [(text("slots.key.file"), file)]
    if newest is not None:
        rows += [
            (text("slots.what.owner"), owner),
            (text("slots.key.record_key"), newest.record_key.hex().upper()),
            (text("slots.key.terminal_ca"), newest.terminal_ca.hex().upper()),
        ]
    if public is not None:
        rows.append((text("slots.key.public"), public))
    blocks: list[Block] = [
        Heading(text("slots.key.title")),
        Fields(rows),
        Line(text("slots.key.keep"), Role.UNSURE),
    ]
    value = {
        "file": file,
        "owner": owner or None,
        "record_key": None if newest is None else newest.record_key.hex().upper(),
        "terminal_ca": None if newest is None else newest.terminal_ca.hex().upper(),
        "public": public,
    }
    session.answer("slot-keys", value, blocks)


# --- rotation ---------------------------------------------------------------------------------------------------------


@command(
    "slot-issuer.rotate",
    option("--new-file", metavar="FILE", type=FILE, help="slot_new_file"),
    option("--name-ja", metavar="TEXT", help="slot_name_ja"),
    option("--name-en", metavar="TEXT", help="slot_name_en"),
    option("--public", metavar="FILE", type=FILE, help="slot_public"),
    *issuer_key_options(),
    *desk_options(aid=False, receipt=False),
    plan=lambda given: of_rotate(given),
)
def rotate(
    session: Session,
    new_file: str | None,
    name_ja: str | None,
    name_en: str | None,
    public: str | None,
    issuer_keys: str | None,
    trial_keys: bool,
    **given: Any,
) -> None:
    """With ``--new-file`` the next keys in a new file, beside the old ones; without it the newest onto the card.

    With the keys that open the card issuer's domain today, ``--keys`` is a card issuer's file and they go there.
    """
    options = DeskOptions.taken_from(given)
    if issuer_keys is not None or trial_keys:
        if (new_file, public, name_ja, name_en) != (None,) * 4:
            raise UsageError("a card issuer's keys are made with slot-issuer init", operation="slot-issuer rotate")
        _issuers_own(session, options, issuer_keys, trial_keys)
        return
    if new_file is not None:
        _next_keys(session, options, new_file, name_ja, name_en, public)
        return
    if public is not None:
        raise UsageError("--public goes with --new-file", operation="slot-issuer rotate")
    options.check(session)
    desk = Desk(session, options)
    rows = desk.rows()
    if options.dry_run:
        desk.planned("rotate", rows, {})
        return
    before = desk.issuer.domain().key_version
    text = session.console.text
    desk.agree("rotate", [*rows, (text("slots.what.key_version"), f"{before:02X}")])
    after = desk.issuer.rotate()
    living = [one.aid for one in desk.issuer.slots() if one.state in LIVING and not one.locked]
    renewed = [shown_aid(aid) for aid in living if desk.issuer.renew(aid)]
    written = after != before or bool(renewed)
    value = {"owner": str(desk.owner), "key_version": after, "written": written, "renewed": renewed}
    blocks: list[Block] = [
        Heading(text("slots.done.rotate")),
        Fields([*rows, (text("slots.what.key_version"), f"{before:02X} → {after:02X}")]),
        *(Line(text("slots.renewed", aid=one), Role.GOOD) for one in renewed),
    ]
    if not written:
        blocks.append(Line(text("slots.already"), Role.UNSURE))
    session.answer("slot-rotated", value, blocks)


def _issuers_own(session: Session, options: DeskOptions, issuer_keys: str | None, trial_keys: bool) -> None:
    """Other keys for the card issuer's domain of this card."""
    from kojin_card.slots import IssuerKeys

    present = OfficeOptions(issuer_keys, trial_keys, options.owners, options.dry_run, options.yes, options.secrets)
    present.check()
    session.one_stdin(options.secrets)
    check_input(options.keys)
    office = Office(session, present)
    new = IssuerKeys.load(Path(options.keys), passphrase(session, options.secrets, "new-issuer-passphrase"))
    text = session.console.text
    rows = office.rows(None, (text("slots.what.key_version"), f"{new.masters[0].version:02X}"))
    if not office.agreed("rotate", None, rows):
        return
    after = office.issuer.rotate(new)
    value: dict[str, Any] = {"owner": None, "key_version": after, "written": True, "renewed": []}
    session.answer("slot-rotated", value, [Heading(text("slots.done.rotate")), Fields(rows)])


def _next_keys(
    session: Session,
    options: DeskOptions,
    new_file: str,
    name_ja: str | None,
    name_en: str | None,
    public: str | None,
) -> None:
    path = _new_file(new_file, public)
    old = open_owner_keys(session, options.keys, options.secrets)
    new = old.rotated(_today(session))
    if options.dry_run:
        text, owner = session.console.text, str(old.owner)
        answer_planned(
            session, "rotate", [(text("slots.what.owner"), owner), (text("slots.key.file"), new_file)], {"owner": owner}
        )
        return
    entry = new.public(name_ja or str(old.owner), name_en or str(old.owner))
    new.save(path, new_passphrase(session, options.secrets, "new-owner-passphrase"))
    _keys_made(session, new_file, str(old.owner), entry, public)


# --- terminals --------------------------------------------------------------------------------------------------------


def _sfis(service: Service, names: Iterable[str]) -> list[int]:
    """Short identifiers of the fields that are named, or of all that a terminal may read at all.

    Raises:
        InputError: the service has no such field, or no terminal may ever read it.
    """
    readable = {
        name: one.sfi for name, one in service.fields.items() if any("role:terminal" in way for way in _ways(one))
    }
    for name in names:
        if name not in readable:
            known = ", ".join(readable)
            raise InputError(f"no terminal reads such a field; they may read {known}", operation="choose fields")
    return sorted(readable[name] for name in names) or sorted(readable.values())


def _ways(field: ServiceField) -> list[frozenset[str]]:
    return [frozenset({"role:terminal"})] if field.read.always else [frozenset(way) for way in field.read.alternatives]


@command(
    "slot-issuer.certify-terminal",
    argument("public_key", metavar="PUBLIC.pem", type=FILE),
    owner_key_option(),
    option("--service", metavar="ID", required=True, help="slot_service_terminal"),
    option("--terminal-name", metavar="NAME", required=True, help="slot_terminal_name"),
    option("--group", metavar="GROUP", required=True, help="slot_group"),
    option("--read", metavar="FIELD", multiple=True, help="slot_read"),
    option("--until", metavar="DATE", type=Day(), help="slot_until"),
    services_option(),
    *output_options(required=True),
    *secret_options(last_try=False),
)
def certify_terminal(
    session: Session,
    public_key: str,
    keys: str,
    service: str,
    terminal_name: str,
    group: str,
    read: tuple[str, ...],
    until: date | None,
    services: Path | None,
    output: str,
    force: bool,
    secrets: str | None,
) -> None:
    """A short-lived certificate for a terminal's own key."""
    from kojin_card.slots import certify_terminal as certify

    refuse_same(output, public_key, keys, secrets, operation="slot-issuer certify-terminal")
    session.check_output(output, force=force)
    known = service_called(load_all_services(services), service)
    if known.groups and group not in known.groups:
        listed = ", ".join(known.groups)
        raise UsageError(f"the service lets in the groups {listed}", operation="slot-issuer certify-terminal")
    sfis = _sfis(known, read)
    pem = read_input(public_key, MAX_SMALL_BYTES)
    if until is not None and until < _today(session):
        raise UsageError(
            "the day of --until is over: name today or a later one", operation="slot-issuer certify-terminal"
        )
    opened = open_owner_keys(session, keys, secrets)
    issued = _today(session)
    last = issued + timedelta(days=_DAYS) if until is None else until
    data = certify(opened, pem, name=terminal_name, group=group, fields=sfis, issued=issued, expiry=last)
    session.write(output, data, force=force)
    if output == "-":
        return
    text, lang = session.console.text, session.lang
    names = text("explain.comma").join(one.label(lang) for one in known.fields.values() if one.sfi in sfis)
    rows = [
        (text("slots.what.terminal"), terminal_name),
        (text("slots.what.owner"), str(opened.owner)),
        (text("slots.what.service"), known.name(lang)),
        (text("slots.what.groups"), group),
        (text("slots.what.fields"), names),
        (text("slots.what.until"), day(last, lang)),
    ]
    value = {
        "file": output,
        "terminal": terminal_name,
        "owner": str(opened.owner),
        "service": known.id,
        "group": group,
        "fields": [one.id for one in known.fields.values() if one.sfi in sfis],
        "issued": issued.isoformat(),
        "until": last.isoformat(),
    }
    written = Line(text("slots.key.certificate", file=output), Role.GOOD)
    session.answer("slot-terminal", value, [Heading(text("slots.what.terminal")), Fields(rows), written])


# --- partners ---------------------------------------------------------------------------------------------------------


@command(
    "slot-issuer.join",
    option("--partner", metavar="OWNER", multiple=True, help="slot_partner"),
    option("--read", metavar="FIELD", multiple=True, help="slot_read"),
    option("--group", metavar="GROUP", multiple=True, help="slot_groups"),
    *desk_options(receipt=False),
    plan=lambda given: of_desk(given, "join"),
)
def join(
    session: Session, partner: tuple[str, ...], read: tuple[str, ...], group: tuple[str, ...], **given: Any
) -> None:
    """The list of partners, which replaces the earlier one."""
    from kojin_card.slots import JoinedAuthority
    from kojin_card.spec.owner import Owner

    options = DeskOptions.taken_from(given)
    options.check(session)
    if not partner and not group:
        raise UsageError("name a partner with --partner, or groups with --group", operation="slot-issuer join")
    owners = [Owner.parse(one) for one in partner]
    desk = Desk(session, options)
    entries = []
    for one in owners:
        entry = desk.owners.find(one)
        if entry is None:
            raise InputError("the partner does not stand in owners.toml", operation="slot-issuer join")
        entries.append(entry)
    text, lang = session.console.text, session.lang
    told = [(text("slots.what.partner"), owner_words(one, desk.owners, lang)) for one in owners]
    if group:
        told.append((text("slots.what.groups"), ", ".join(group)))
    if options.dry_run:
        rows, about = desk.seen_slot()
        desk.planned("join", desk.rows(*rows, *told), {**about, "partners": [str(one) for one in owners]})
        return
    aid = desk.own_slot()
    before = desk.issuer.show(aid)
    service = desk.service_of(before)
    if service is None:
        raise InputError("the slot's service is not known here: name its folder with --services", operation="join")
    sfis = tuple(_sfis(service, read))
    authorities = [
        JoinedAuthority(period.terminal_ca, entry.owner, sfis)
        for entry in entries
        for period in _current(entry, session)
    ]
    desk.agree("join", desk.rows(*desk.slot_rows(before), *told))
    written = desk.issuer.join(aid, authorities if partner else None, group or None)
    value = {
        "owner": str(desk.owner),
        "aid": shown_aid(aid),
        "partners": [str(one) for one in owners],
        "groups": list(group),
        "fields": [one.id for one in service.fields.values() if one.sfi in sfis],
        "written": written,
    }
    blocks: list[Block] = [Heading(text("slots.done.join")), Fields([*desk.slot_rows(before), *told])]
    if not written:
        blocks.append(Line(text("slots.already"), Role.UNSURE))
    session.answer("slot-joined", value, blocks)


def _current(entry: OwnerEntry, session: Session) -> list[OwnerKeyPeriod]:
    """The periods of a partner's keys that are not over."""
    today = _today(session)
    return [one for one in entry.keys if one.end is None or one.end >= today]
