"""A card with a free area, two towns with their keys, a terminal: what the tests of slots share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING

from kojin_card.channel import CardChannel
from kojin_card.secret import Secret
from kojin_card.simulator import SoftCard
from kojin_card.slots import (
    CardIssuer,
    IssuerKeys,
    OwnerKeys,
    OwnerStore,
    SlotDirectory,
    SlotIssuer,
    SlotTerminal,
    StaticStatus,
    TerminalKey,
    certify_terminal,
    terminal_key_pair,
)
from kojin_card.spec.owner import Owner
from kojin_card.spec.service import load_services
from kojin_card.testing.cards import card_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator import CardState
    from kojin_card.transport.base import Connection
    from kojin_card.transport.link import Exchange

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
ISSUED = datetime(2026, 11, 1, tzinfo=UTC)
BEGIN = date(2026, 4, 1)
TOWN, NEXT_TOWN = Owner.parse("municipality:13101"), Owner.parse("municipality:13103")
BASIS = "架空区立図書館条例第3条"
FACILITY = {
    "user_number": "L00482913",
    "facility_group": "library",
    "category": "general",
    "valid_until": "2029-03-31",
}
SEAL = {"registration_number": "0012345", "registered_on": "2026-04-01", "municipality_code": "13101"}
PIN = "4649"
FACILITY_AID, SEAL_AID = (bytes.fromhex(f"F04B4F4A494E{last:016X}") for last in (0x11, 0x22))
FRESH = """
schema = 1
as_of = 2026-11-27T00:00:00+09:00
next_update = 2026-12-04T00:00:00+09:00
others = "in_force"
"""


def clock() -> datetime:
    """It stands still."""
    return NOW


@cache
def keys(owner: Owner) -> OwnerKeys:
    """The keys of an owner, made once."""
    return OwnerKeys.create(owner, begin=BEGIN, bits=128)


@cache
def store() -> OwnerStore:
    """Both towns are known."""
    return OwnerStore(tuple(keys(one).public(f"名前 {one.code}", f"Name {one.code}") for one in (TOWN, NEXT_TOWN)))


@cache
def terminal_key(
    group: str = "library", *, owner: Owner = TOWN, expiry: date = date(2027, 1, 31), fields: tuple[int, ...] = ()
) -> TerminalKey:
    """A terminal of a town."""
    private, public = terminal_key_pair(None)
    certificate = certify_terminal(
        keys(owner),
        public,
        name="GATE-1",
        group=group,
        fields=fields or tuple(range(1, 8)),
        issued=date(2026, 10, 1),
        expiry=expiry,
    )
    return TerminalKey.load(certificate, private)


def status() -> StaticStatus:
    """Every card is in force."""
    return StaticStatus.parse(FRESH)


@dataclass(slots=True)
class World:
    """One connection to a card, and whoever may stand at it."""

    channel: CardChannel

    @classmethod
    def at(cls, connection: Connection, observer: Callable[[Exchange], None] | None = None) -> World:
        """With a connection of the test's."""
        return cls(CardChannel(connection, ours=True, observer=observer))

    @property
    def issuer(self) -> CardIssuer:
        """The card's issuer, with the trial keys."""
        return CardIssuer(self.channel, IssuerKeys.trial())

    def desk(self, owner: Owner = TOWN) -> SlotIssuer:
        """A town's desk."""
        return SlotIssuer(self.channel, keys(owner), load_services(), owners=store(), clock=clock)

    def terminal(self, key: TerminalKey | None = None, **more: object) -> SlotTerminal:
        """A terminal of the first town, group library."""
        settings: dict[str, object] = {"status": status(), "clock": clock, "owners": store(), **more}
        owners = settings.pop("owners")
        assert isinstance(owners, OwnerStore)
        return SlotTerminal(self.channel, key or terminal_key(), owners, load_services(), **settings)  # type: ignore[arg-type]

    def directory(self) -> SlotDirectory:
        """Somebody without a key."""
        return SlotDirectory(self.channel, owners=store(), services=load_services(), status=status(), clock=clock)


def blank() -> CardState:
    """A card as delivered."""
    return card_state("adult", ISSUED)


@cache
def with_domains() -> CardState:
    """With a domain for each town."""
    card = SoftCard.in_memory(blank())
    world = World.at(card)
    for owner in (TOWN, NEXT_TOWN):
        world.issuer.create_owner(keys(owner))
    return card.state


@cache
def in_use() -> CardState:
    """With a library card and a seal registration of the first town."""
    card = SoftCard.in_memory(with_domains())
    desk = World.at(card).desk()
    desk.issue("facility", FACILITY, legal_basis=BASIS, instance=FACILITY_AID)
    desk.issue("seal_registration", SEAL, legal_basis=BASIS, instance=SEAL_AID, pin=Secret(PIN))
    return card.state


def used() -> tuple[SoftCard, World]:
    """A card of :func:`in_use`, and the world around it."""
    card = SoftCard.in_memory(in_use())
    return card, World.at(card)
