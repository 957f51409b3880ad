"""``slot-owner create|delete|quota``: the card's issuer gives owners room on a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.counter.keys import (
    open_owner_keys,
    owner_key_option,
)
from kojin_card.cli.counter.office import Office, OfficeOptions, office_options
from kojin_card.cli.counter.plans import of_issuer
from kojin_card.cli.counter.view import shown_aid
from kojin_card.cli.framework import KojinGroup, command, option
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from kojin_card.cli.session import Session

slot_owner = KojinGroup(
    "slot-owner",
    {
        "create": "commands.slot_owner:create",
        "delete": "commands.slot_owner:delete",
        "quota": "commands.slot_owner:quota",
    },
)
#: more than any card has
_QUOTA = click.IntRange(1, 1_048_576)


def _owner_option() -> click.Parameter:
    return option("--owner", metavar="OWNER", required=True, help="slot_owner")


def _bytes(session: Session, quota: int | None) -> list[tuple[str, str]]:
    if quota is None:
        return []
    return [(session.console.text("slots.what.quota"), session.console.text("slots.what.bytes", count=quota))]


@command(
    "slot-owner.create",
    owner_key_option(help="slot_keys_create"),
    option("--quota", metavar="BYTES", type=_QUOTA, help="slot_quota_default"),
    *office_options(),
    plan=lambda given: of_issuer(given, "create"),
)
def create(session: Session, keys: str, quota: int | None, **given: Any) -> None:
    """A domain with the owner's keys in it."""
    options = OfficeOptions(**given)
    options.check()
    office = Office(session, options)
    owner_keys = open_owner_keys(session, keys, options.secrets)
    owner = owner_keys.owner
    rows = office.rows(owner, *_bytes(session, quota))
    if office.agreed("owner_create", owner, rows, quota=quota):
        before = office.issuer.area().domain_of(owner)
        made = office.issuer.create_owner(owner_keys, quota)
        office.answer("owner_create", owner, made, written=made != before)


@command("slot-owner.delete", _owner_option(), *office_options(), plan=lambda given: of_issuer(given, "delete"))
def delete(session: Session, owner: str, **given: Any) -> None:
    """A domain and every slot under it."""
    from kojin_card.spec.owner import Owner

    options = OfficeOptions(**given)
    options.check()
    whose = Owner.parse(owner)
    office = Office(session, options)
    if options.dry_run:
        office.agreed("owner_delete", whose, office.rows(whose))
        return
    domain = office.issuer.area().domain_of(whose)
    slots = () if domain is None else domain.slots
    listed = ", ".join(shown_aid(one.aid) for one in slots)
    more = [(session.console.text("slots.what.slots"), listed)] if listed else []
    if domain is None:
        raise UsageError("the card has no domain of that owner", operation="slot-owner delete")
    if office.agreed("owner_delete", whose, office.rows(whose, *more)):
        gone = office.issuer.delete_owner(whose, slots=True)
        office.answer("owner_delete", whose, None, written=gone)


@command(
    "slot-owner.quota",
    _owner_option(),
    option("--quota", metavar="BYTES", type=_QUOTA, required=True, help="slot_quota"),
    *office_options(),
    plan=lambda given: of_issuer(given, "quota"),
)
def quota(session: Session, owner: str, quota: int, **given: Any) -> None:
    """How much room an owner has."""
    from kojin_card.spec.owner import Owner

    options = OfficeOptions(**given)
    options.check()
    whose = Owner.parse(owner)
    office = Office(session, options)
    rows = office.rows(whose, *_bytes(session, quota))
    if office.agreed("owner_quota", whose, rows, quota=quota):
        office.answer("owner_quota", whose, office.issuer.set_quota(whose, quota))
