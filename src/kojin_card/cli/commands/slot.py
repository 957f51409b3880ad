"""``slot list``: what the caller's key may see of the free area. The other ``slot`` commands stand beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kojin_card.cli.counter.keys import (
    check_issuer_keys,
    issuer_key_options,
    load_all_services,
    load_owners,
    open_issuer_keys,
    open_owner_keys,
    owner_key_option,
    owners_option,
    services_option,
)
from kojin_card.cli.counter.plans import of_list
from kojin_card.cli.counter.view import (
    area_blocks,
    domain_json,
    owner_words,
    room_words,
    shown_aid,
    slot_table,
)
from kojin_card.cli.framework import KojinGroup, command, secret_options
from kojin_card.cli.render import Block, Fields, Heading, Line, Role, Table
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from kojin_card.cli.session import Session

slot = KojinGroup(
    "slot",
    {
        "list": "commands.slot:list_",
        "show": "commands.slot_show:show",
        "issue": "commands.slot_issue:issue",
        "update": "commands.slot_change:update",
        "suspend": "commands.slot_change:suspend",
        "resume": "commands.slot_change:resume",
        "move": "commands.slot_move:move",
        "delete": "commands.slot_change:delete",
        "unblock": "commands.slot_change:unblock",
    },
)


@command(
    "slot.list",
    owner_key_option(required=False, help="slot_keys_list"),
    *issuer_key_options(),
    owners_option(),
    services_option(),
    *secret_options(last_try=False),
    plan=lambda given: of_list(given),
)
def list_(
    session: Session,
    keys: str | None,
    issuer_keys: str | None,
    trial_keys: bool,
    owners: str | None,
    services: Path | None,
    secrets: str | None,
) -> None:
    """AIDs for anybody, the own domain for an owner, the whole area for the card's issuer."""
    if keys is not None and (trial_keys or issuer_keys is not None):
        raise UsageError("the keys of an owner or of the card's issuer, not both", operation="slot list")
    if keys is not None:
        _own(session, keys, owners, services, secrets)
    elif trial_keys or issuer_keys is not None:
        _area(session, issuer_keys, trial_keys, owners, secrets)
    else:
        _walk(session)


def _walk(session: Session) -> None:
    from kojin_card.slots import SlotDirectory

    text = session.console.text
    directory = SlotDirectory(session.card().channel)
    seen = [directory.describe(aid) for aid in directory.walk()]
    rows = [(shown_aid(one.aid), text(f"slots.state.{'terminated' if one.terminated else 'untold'}")) for one in seen]
    blocks: list[Block] = [Heading(text("slots.list.title"))]
    if rows:
        header = [text("slots.list.aid"), text("slots.list.state")]
        blocks += [Table(header, rows), Line(text("slots.list.aids_only"), Role.FAINT)]
    else:
        blocks.append(Line(text("slots.none")))
    slots = [{"aid": shown_aid(one.aid), "definition": one.definition, "terminated": one.terminated} for one in seen]
    session.answer("slots", {"seen_by": "anybody", "slots": slots}, blocks)


def _own(session: Session, keys: str, owners: str | None, services: Path | None, secrets: str | None) -> None:
    from kojin_card.cli.counter.desk import issuer_of

    known, store = load_all_services(services), load_owners(owners)
    opened = open_owner_keys(session, keys, secrets)
    desk = issuer_of(session, session.card(), opened, known, store)
    domain = desk.domain()
    found: list[dict[str, Any]] = []
    names: dict[bytes, str] = {}
    for one in domain.slots:
        reading = None if one.locked or one.state == "installed" else desk.show(one.aid)
        service = None if reading is None else reading.service
        named = known.get(service or "")
        names[one.aid] = (service or "") if named is None else named.name(session.lang)
        found.append(
            {
                "aid": shown_aid(one.aid),
                "state": one.state,
                "locked": one.locked,
                "service": service,
                "name": None if reading is None else reading.name,
                "counter": None if reading is None else reading.counter,
            }
        )
    text = session.console.text
    title = text("slots.list.own", owner=owner_words(opened.owner, store, session.lang))
    blocks: list[Block] = [
        Heading(title, wrap=True),
        Fields(
            [
                (text("slots.list.used"), room_words(domain.used, domain.quota, session.console)),
                (text("slots.what.key_version"), f"{domain.key_version:02X}"),
                (text("slots.list.domain"), shown_aid(domain.aid)),
            ]
        ),
    ]
    states = [(one.aid, "locked" if one.locked else one.state) for one in domain.slots]
    blocks.append(slot_table(states, session.console, names) if states else Line(text("slots.none")))
    value = {
        "seen_by": "owner",
        "owner": str(opened.owner),
        "domain": shown_aid(domain.aid),
        "key_version": domain.key_version,
        "quota": domain.quota,
        "used": domain.used,
        "slots": found,
    }
    session.answer("slots", value, blocks)


def _area(session: Session, issuer_keys: str | None, trial_keys: bool, owners: str | None, secrets: str | None) -> None:
    from kojin_card.slots import CardIssuer

    check_issuer_keys(issuer_keys, trial_keys)
    store = load_owners(owners)
    opened = open_issuer_keys(session, issuer_keys, trial_keys, secrets)
    area = CardIssuer(session.card().channel, opened).area()
    value = {
        "seen_by": "issuer",
        "card_state": area.card_state,
        "total": area.total,
        "free": area.free,
        "domains": [domain_json(one) for one in area.domains],
    }
    session.answer("slots", value, area_blocks(area, store, session.console))
