"""A card with a free area that has been lived in: two owners, slots in every state, a partner who is let in.

Made once, by commands (:mod:`.wire`), so that what the tables start from is what a host can bring about.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from conftest import CARD_NOW
from free_area import wire
from free_area.wire import FIRM, OK, PARTNER, TOWN, TRIAL, Entry, Party, Record, TerminalCard
from kojin_card.simulator import SoftCard
from kojin_card.spec import load_card_spec
from kojin_card.testing.cards import card_state

if TYPE_CHECKING:
    from kojin_card.simulator import CardState
    from kojin_card.simulator.content import ContentState, SlotState
    from kojin_card.simulator.memory import Memory
    from kojin_card.spec import CardSpec

PIN, WRONG_PIN, NEW_PIN = b"2468", b"1357", b"9753"
#: the state in which each slot of the town is left; the firm has one that is active
STATES = {
    "installed": wire.INSTALLED,
    "personalized": wire.PERSONALIZED,
    "active": wire.ACTIVE,
    "suspended": wire.SUSPENDED,
    "terminated": wire.TERMINATED,
}
#: one field for every kind of rule that the card knows: an octet an alternative, bit 01 terminal, bit 02 holder
FIELDS = {
    1: Entry(b"\x00", b"anybody"),
    2: Entry(b"\x01", b"terminal"),
    3: Entry(b"\x02", b"holder"),
    4: Entry(b"\x03", b"terminal and holder"),
    5: Entry(b"", b"owner"),
    6: Entry(b"\x01\x02", b"terminal or holder"),
    7: Entry(b"\x01", b"terminal, but not the partner's"),
    8: Entry(b"\x03\x02", b"holder, or both"),
}
#: what the partner's terminals may at most read
PARTNERS_FIELDS = bytes((2, 4, 6))
GROUPS = ("library", "gym")
#: terminals: who they are, what stands in their certificates
TERMINALS = {
    "terminal": TerminalCard(),
    "terminal without a field": TerminalCard(fields=b"\x01", key="bare"),
    "terminal of the partner": TerminalCard(ca=PARTNER, key="partner's"),
    "terminal of a CA not listed": TerminalCard(ca=wire.STRANGER, key="stranger's"),
    "terminal, expired": TerminalCard(issued="20260901", expiry="20261031", key="old"),
    "terminal of another group": TerminalCard(group="pool", key="pool's"),
    "terminal, forged": TerminalCard(signer="forger", key="forger's"),
}


@cache
def spec() -> CardSpec:
    """The specs, read once."""
    return load_card_spec()


def blank() -> CardState:
    """A card as delivered."""
    return card_state("adult", CARD_NOW)


def soft(state: CardState) -> SoftCard:
    """That card in power."""
    return SoftCard.in_memory(state, spec=spec())


def soft_on(memory: Memory) -> SoftCard:
    """A card on a memory of the test's."""
    return SoftCard(memory, "a card under test", spec=spec())


def content(state: CardState) -> ContentState:
    """Its free area."""
    found = state.content
    assert found is not None
    return found


def slot(state: CardState, aid: bytes) -> SlotState:
    """A slot that is there."""
    found = content(state).slot(aid)
    assert found is not None
    return found


def card_number(card: SoftCard) -> bytes:
    """The card identification number (GET DATA 0045)."""
    card.reset()
    said = wire.say(card, "00CA0045", le=True)
    assert said.sw == OK
    return said.data


def say(said: wire.Said) -> bytes:
    """The data of an answer that must be good."""
    assert said.sw == OK, f"{said.sw:04X}"
    return said.data


def create_owner(card: SoftCard, party: Party, quota: int = 8192) -> None:
    """The issuer makes a domain; the owner's keys come into it with the issuer's."""
    issuer = wire.session(card, wire.ISD, TRIAL)
    say(issuer.send("80E60C00", wire.install_domain(party, quota)))
    domain = wire.session(card, party.domain, TRIAL)
    say(domain.send("80D80081", wire.put_key(domain.dek, party.keys)))


def install(card: SoftCard, party: Party, aid: bytes) -> None:
    """An owner makes a slot."""
    say(wire.session(card, party.domain, party.keys).send("80E60C00", wire.install_slot(aid)))


def first_record(card: SoftCard, party: Party, aid: bytes, *, fields: dict[int, Entry] | None = None) -> Record:
    """What the first update of that slot says."""
    number = card_number(card)
    owner = wire.session(card, aid, party.keys)
    key = say(owner.send("00CADF63"))
    return Record(
        aid,
        number,
        key,
        wire.PERSONALIZED,
        1,
        FIELDS if fields is None else fields,
        party=party,
        signer=f"{party.name}/record",
    )


def settings() -> bytes:
    """Who is let in: the town's own terminals everywhere, the partner's at its fields."""
    return wire.authorities((TOWN, bytes(range(1, 13))), (PARTNER, PARTNERS_FIELDS)) + wire.groups(*GROUPS)


def issue(
    card: SoftCard, party: Party, aid: bytes, until: int = wire.ACTIVE, *, fields: dict[int, Entry] | None = None
) -> Record | None:
    """Install a slot and bring it into a state; the record that stands in it."""
    install(card, party, aid)
    if until == wire.INSTALLED:
        return None
    record = first_record(card, party, aid, fields=fields)
    owner = wire.session(card, aid, party.keys)
    assert wire.store(owner, record.full(settings=settings(), pin=PIN)) == OK
    way = {wire.PERSONALIZED: (), wire.SUSPENDED: (wire.ACTIVE, wire.SUSPENDED)}.get(until, (until,))
    for state in way:
        record = record.next(state=state)
        assert wire.store(owner, record.tail) == OK
    return record


@dataclass(frozen=True)
class World:
    """A card and what the test knows of it."""

    state: CardState
    records: dict[str, Record]

    def aid(self, name: str) -> bytes:
        """AID of the town's slot in that state, or of the firm's."""
        return (FIRM if name == "firm" else TOWN).slot(name)


@cache
def world() -> World:
    """Two domains, the town's five slots, the firm's one."""
    card = soft(blank())
    records: dict[str, Record] = {}
    create_owner(card, TOWN)
    create_owner(card, FIRM)
    for name, state in STATES.items():
        made = issue(card, TOWN, TOWN.slot(name), state)
        if made is not None:
            records[name] = made
    made = issue(card, FIRM, FIRM.slot("firm"))
    assert made is not None
    records["firm"] = made
    card.reset()
    return World(card.state, records)


def untouched(before: CardState, after: CardState) -> bool:
    """Whether every byte of the other applications is what it was."""
    return replace(before, content=None) == replace(after, content=None)
