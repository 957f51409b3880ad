"""Every operation of the free area that writes, as programs call it (``kojin_card.slots``), on a card in use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from conftest import CARD_NOW
from free_area.wire import SLOT_PREFIX
from free_area.world import blank, card_number, content, soft, spec
from kojin_card import Card
from kojin_card.secret import Secret
from kojin_card.slots import (
    CardIssuer,
    IssuerKeys,
    JoinedAuthority,
    OwnerKeys,
    OwnerStore,
    SlotIssuer,
    SlotTerminal,
    Standing,
    StaticStatus,
    TerminalKey,
    certify_terminal,
    terminal_key_pair,
)
from kojin_card.spec.owner import Owner
from kojin_card.spec.service import load_services

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kojin_card.simulator import CardState
    from kojin_card.slots.owners import OwnerEntry
    from kojin_card.slots.reading import SlotReading
    from kojin_card.spec.service import Service
    from kojin_card.transport.base import Connection

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
TODAY = date(2026, 11, 27)
BEGIN = date(2026, 4, 1)
OLD_TOWN, NEW_TOWN, COMPANY = (
    Owner.parse(text) for text in ("municipality:13101", "municipality:13102", "private:7000012050002")
)
PIN, NEW_PIN = "2468", "9753"
BASIS = "架空市印鑑条例第1条"


def clock() -> datetime:
    """It stands still."""
    return NOW


@cache
def keys(owner: Owner) -> OwnerKeys:
    """An owner's, the same all through a run."""
    return OwnerKeys.create(owner, begin=BEGIN, bits=128)


@cache
def rotated(owner: Owner) -> OwnerKeys:
    """The same owner's after a rotation of the master."""
    return keys(owner).rotated(TODAY, record=False, terminal_ca=False)


@cache
def store() -> OwnerStore:
    """Who is known offline."""
    return OwnerStore(tuple(keys(one).public("架空", "Invented") for one in (OLD_TOWN, NEW_TOWN, COMPANY)))


def in_force() -> StaticStatus:
    """Every card is."""
    return StaticStatus(CARD_NOW, datetime(2027, 4, 1, tzinfo=UTC), Standing.IN_FORCE, {})


def values(service: str, **others: str) -> Mapping[str, str]:
    """The example of each field that has to be given."""
    fields = load_services()[service].fields.values()
    given = {one.id: one.example for one in fields if not one.optional and not one.issued}
    return {**given, **others}


@cache
def terminal_key(owner: Owner, group: str, year: int = 2026) -> TerminalKey:
    """A terminal of that owner that may read whatever the services have, from November of that year to March."""
    private, public = terminal_key_pair(None)
    certificate = certify_terminal(
        keys(owner),
        public,
        name="GATE-1",
        group=group,
        fields=range(1, 11),
        issued=date(year, 11, 1),
        expiry=date(year + 1, 3, 31),
    )
    return TerminalKey.load(certificate, private)


def terminal(connection: Connection, owner: Owner = OLD_TOWN, group: str = "library") -> SlotTerminal:
    """An honest terminal that knows the owners and that every card is in force."""
    return SlotTerminal(
        card_on(connection).channel,
        terminal_key(owner, group),
        store(),
        load_services(),
        status=in_force(),
        clock=clock,
    )


def group_of(service: str) -> str:
    """A group that may read the service."""
    groups = load_services()[service].groups
    return groups[0] if groups else "library"


def card_on(connection: Connection) -> Card:
    """A card that is ours."""
    return Card(connection, spec=spec(), ours=True)


def desk(connection: Connection, owner: Owner = OLD_TOWN, owner_keys: OwnerKeys | None = None) -> SlotIssuer:
    """An owner's desk."""
    return SlotIssuer(
        card_on(connection).channel,
        owner_keys or keys(owner),
        load_services(),
        owners=store(),
        clock=clock,
    )


def issuer(connection: Connection) -> CardIssuer:
    """The card's issuer."""
    return CardIssuer(card_on(connection).channel, IssuerKeys.trial())


def aid(name: str) -> bytes:
    """A slot's name, the same in every run."""
    return SLOT_PREFIX + sha256(name.encode()).digest()[:8]


SEAL, LIBRARY, SLEEPING, GONE, FRESH = (aid(name) for name in ("seal", "library", "sleeping", "gone", "fresh"))


@cache
def lived_in() -> CardState:
    """Two towns; of the old one a seal registration, a library card, one suspended and one terminated."""
    card = soft(blank())
    boss = issuer(card)
    boss.create_owner(keys(OLD_TOWN))
    boss.create_owner(keys(NEW_TOWN))
    for name in (LIBRARY, SLEEPING, GONE):
        desk(card).issue("facility", values("facility"), legal_basis=BASIS, instance=name)
    desk(card).issue(
        "seal_registration", values("seal_registration"), legal_basis=BASIS, instance=SEAL, pin=Secret(PIN)
    )
    desk(card).suspend(SLEEPING)
    desk(card).terminate(GONE)
    card.reset()
    return card.state


@cache
def handed_over() -> tuple[CardState, bytes]:
    """The card after the old town's part of a move, and the file."""
    card = soft(lived_in())
    kept: list[bytes] = []
    desk(card).hand_over(LIBRARY, NEW_TOWN, kept.append)
    card.reset()
    return card.state, kept[-1]


@cache
def crowded() -> CardState:
    """With a third owner that has one slot."""
    card = soft(lived_in())
    issuer(card).create_owner(keys(COMPANY), 2048)
    desk(card, COMPANY).issue("staff_id", values("staff_id"), legal_basis="規程第1条", instance=aid("company's"))
    card.reset()
    return card.state


@cache
def number() -> bytes:
    """Card identification number."""
    return card_number(soft(blank()))


@dataclass(frozen=True)
class Operation:
    """Something that a program does to a card.

    Attributes:
        run: does it; may be repeated with the same effect.
        start: the card before.
    """

    run: Callable[[Connection], object]
    start: Callable[[], CardState] = lived_in


def _issue(connection: Connection) -> object:
    return desk(connection).issue("facility", values("facility"), legal_basis=BASIS, instance=FRESH)


def _issue_with_pin(connection: Connection) -> object:
    given = values("seal_registration")
    return desk(connection).issue("seal_registration", given, legal_basis=BASIS, instance=FRESH, pin=Secret(PIN))


def _other_values() -> Mapping[str, str]:
    return {"user_number": "0099"}


def _partner() -> JoinedAuthority:
    return JoinedAuthority(keys(NEW_TOWN).public("架空", "Invented").keys[0].terminal_ca, NEW_TOWN, (1, 2))


@cache
def _locked() -> CardState:
    card = soft(lived_in())
    issuer(card).lock(LIBRARY)
    card.reset()
    return card.state


@cache
def _card_locked() -> CardState:
    card = soft(lived_in())
    issuer(card).lock_card()
    card.reset()
    return card.state


OPERATIONS: dict[str, Operation] = {
    "issue facility": Operation(_issue),
    "issue seal_registration": Operation(_issue_with_pin),
    "issue health_insurance": Operation(
        lambda it: desk(it, COMPANY).issue(
            "health_insurance", values("health_insurance"), legal_basis="規約第1条", instance=FRESH
        ),
        crowded,
    ),
    "issue staff_id": Operation(
        lambda it: desk(it).issue("staff_id", values("staff_id"), legal_basis=BASIS, instance=FRESH)
    ),
    "update": Operation(lambda it: desk(it).update(LIBRARY, _other_values())),
    "suspend": Operation(lambda it: desk(it).suspend(LIBRARY)),
    "resume": Operation(lambda it: desk(it).resume(SLEEPING)),
    "terminate": Operation(lambda it: desk(it).terminate(LIBRARY)),
    "delete": Operation(lambda it: desk(it).delete(GONE)),
    "unblock": Operation(lambda it: desk(it).unblock(SEAL, Secret(NEW_PIN))),
    "join": Operation(lambda it: desk(it).join(LIBRARY, [_partner()], ["library", "sports"])),
    "rotate": Operation(lambda it: desk(it, owner_keys=rotated(OLD_TOWN)).rotate()),
    "hand over": Operation(lambda it: desk(it).hand_over(LIBRARY, NEW_TOWN, lambda _: None)),
    "take over": Operation(
        lambda it: desk(it, NEW_TOWN).take_over(
            handed_over()[1], values("facility"), legal_basis=BASIS, instance=FRESH
        ),
        lambda: handed_over()[0],
    ),
    "create owner": Operation(lambda it: issuer(it).create_owner(keys(COMPANY), 2048)),
    "delete owner": Operation(lambda it: issuer(it).delete_owner(COMPANY, slots=True), crowded),
    "set quota": Operation(lambda it: issuer(it).set_quota(NEW_TOWN, 4096)),
    "lock": Operation(lambda it: issuer(it).lock(LIBRARY)),
    "unlock": Operation(lambda it: issuer(it).unlock(LIBRARY), _locked),
    "lock card": Operation(lambda it: issuer(it).lock_card()),
    "unlock card": Operation(lambda it: issuer(it).unlock_card(), _card_locked),
    "delete slot as issuer": Operation(lambda it: issuer(it).delete_slot(LIBRARY)),
}


_SALT = 16


def view(state: CardState) -> object:
    """Everything of a free area that somebody meant to be there: not salts, card keys, nor what sessions count.

    The order of the slots is that of their installation.
    """
    area = content(state)
    domains = [
        (
            one.owner_kind,
            one.owner_code,
            one.life_cycle,
            one.quota,
            tuple((key.version, key.enc, key.mac, key.dek) for key in one.keys),
        )
        for one in area.domains
    ]
    slots = []
    for one in area.slots:
        bank = one.bank
        owner = area.domain(one.domain)
        assert owner is not None
        record: object = None
        if bank is not None:
            fields = tuple((it.sfi, it.rule, it.content[_SALT:]) for it in bank.fields)
            record = (bank.state, bank.counter, bank.date, bank.descriptor[_SALT:], fields)
        slots.append(
            (
                one.aid,
                owner.owner_code,
                one.life_cycle,
                one.counter,
                record,
                one.pin,
                one.tries_full,
                one.authorities,
                one.groups,
            )
        )
    return (area.issuer.life_cycle, tuple(domains), tuple(slots))


def store_entry(owner: Owner) -> OwnerEntry:
    """What is known offline of an owner."""
    found = store().find(owner)
    assert found is not None
    return found


def first_version() -> int:
    """Key version of a domain whose keys were never rotated."""
    return keys(OLD_TOWN).masters[0].version


def service_of(reading: SlotReading) -> Service | None:
    """The service of a reading."""
    return None if reading.service is None else load_services()[reading.service]


def gate(connection: Connection, owner: Owner, service: str, slot: bytes, pin: bytes | None) -> SlotReading:
    """Read a slot at a terminal that may read everything of it."""
    there = terminal(connection, owner, group_of(service))
    return there.read(slot, pin=None if pin is None else Secret(pin))
