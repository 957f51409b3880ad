"""Garbage, replayed, reordered, dropped and foreign APDUs of an owner's session: refused, and nothing of them is kept.

A table (tests/tables.py): every session of an owner or issuer, every command in it, every harm. Made with the host of
:mod:`.wire`, which is neither side of the toolkit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest

from free_area import wire
from free_area.soundness import same_but_for_sessions
from free_area.wire import OK, TOWN, TRIAL, Keys, Scp03
from free_area.world import WRONG_PIN, blank, content, create_owner, install, soft, untouched, world
from tables import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator import SoftCard


@dataclass(frozen=True)
class Work:
    """What a session does: on what, with whose keys, and the commands in clear."""

    aid: bytes
    keys: Keys
    commands: Callable[[Scp03], list[tuple[str, bytes]]]


def _series(data: bytes) -> Callable[[Scp03], list[tuple[str, bytes]]]:
    return lambda _session: wire.blocks(data)


@cache
def works() -> dict[str, Work]:
    """The sessions."""
    active = world().records["active"]
    after = active.next(state=wire.SUSPENDED)
    new = TOWN.slot("a new one")
    return {
        "update": Work(active.aid, TOWN.keys, _series(active.next().full())),
        "suspend": Work(active.aid, TOWN.keys, _series(after.tail)),
        "suspend and resume": Work(
            active.aid,
            TOWN.keys,
            lambda _: [*wire.blocks(after.tail), *wire.blocks(after.next(state=wire.ACTIVE).tail)],
        ),
        "terminate": Work(active.aid, TOWN.keys, _series(active.next(state=wire.TERMINATED).tail)),
        "join": Work(active.aid, TOWN.keys, _series(wire.groups("pool"))),
        "unblock": Work(active.aid, TOWN.keys, lambda _: [("002C0281", WRONG_PIN)]),
        "issue": Work(
            TOWN.domain,
            TOWN.keys,
            lambda _: [("80E60C00", wire.install_slot(new)), ("80E62000", wire.for_personalization(new))],
        ),
        "update by the domain": Work(
            TOWN.domain,
            TOWN.keys,
            lambda _: [("80E62000", wire.for_personalization(active.aid)), *wire.blocks(after.tail)],
        ),
        "delete": Work(TOWN.domain, TOWN.keys, lambda _: [("80E40000", wire.tlv("4F", active.aid))]),
        "lock and unlock": Work(TOWN.domain, TOWN.keys, lambda _: [("80F04080", active.aid), ("80F04000", active.aid)]),
        "rotate": Work(
            TOWN.domain, TOWN.keys, lambda it: [("80D80181", wire.put_key(it.dek, Keys.named("new", version=2)))]
        ),
        "create and give room": Work(
            wire.ISD,
            TRIAL,
            lambda _: [
                ("80E60C00", wire.install_domain(wire.PARTNER)),
                ("80E64000", wire.set_quota(wire.PARTNER.domain, 4096)),
            ],
        ),
        "remove": Work(wire.ISD, TRIAL, lambda _: [("80E40080", wire.tlv("4F", TOWN.domain))]),
    }


class _Tape:
    """A card that notes what comes."""

    def __init__(self, card: SoftCard) -> None:
        self.card, self.heard = card, list[bytes]()

    def transmit(self, command: bytes, /) -> bytes:
        """As the card."""
        self.heard.append(command)
        return self.card.transmit(command)


def open_on(card: SoftCard, work: Work) -> Scp03:
    """The session of a work on a card."""
    return wire.session(card, work.aid, work.keys)


@cache
def lengths() -> dict[str, int]:
    """Commands of each session, when nothing disturbs it; and that each does something."""
    found = {}
    for name, work in works().items():
        card = soft(world().state)
        session = open_on(card, work)
        commands = work.commands(session)
        before = card.state
        for header, data in commands:
            assert session.send(header, data).sw == OK, f"{name}: {header}"
        if name != "lock and unlock":
            assert not same_but_for_sessions(content(before), content(card.state)), f"{name} does nothing"
        found[name] = len(commands)
    return found


def _flip(at: Callable[[bytes], int], bit: int) -> Callable[[bytes], bytes]:
    def harm(command: bytes) -> bytes:
        place = at(command)
        return command[:place] + bytes((command[place] ^ bit,)) + command[place + 1 :]

    return harm


#: what becomes of one command on its way
HARMED: dict[str, Callable[[bytes], bytes]] = {
    "a bit of INS": _flip(lambda _: 1, 0x01),
    "a bit of P1": _flip(lambda _: 2, 0x10),
    "a bit of P2": _flip(lambda _: 3, 0x01),
    "a bit of Lc": _flip(lambda _: 4, 0x01),
    "the first bit of the data": _flip(lambda _: 5, 0x80),
    "a bit in the middle": _flip(lambda one: len(one) // 2, 0x04),
    "the last bit of the MAC": _flip(lambda one: len(one) - 2, 0x01),
    "class in clear": lambda one: bytes((one[0] & ~4,)) + one[1:],
    "another class": lambda one: b"\x0c" + one[1:],
    "a logical channel": lambda one: bytes((one[0] | 1,)) + one[1:],
    "without its MAC": lambda one: one[:4] + bytes((one[4] - 8,)) + one[5:-9] + one[-1:],
    "a shorter MAC": lambda one: one[:4] + bytes((one[4] - 4,)) + one[5:-5] + one[-1:],
    "cut off": lambda one: one[: len(one) // 2],
    "the header alone": lambda one: one[:4],
    "with more behind": lambda one: one + bytes(9),
    "zeros": lambda one: one[:5] + bytes(len(one) - 6) + one[-1:],
    "nothing": lambda _one: b"",
    "one byte": lambda one: one[:1],
}
#: what becomes of the order of commands
ORDER = ("twice", "left out", "after its successor", "from another session", "after a reset")
HARMS = (*HARMED, *ORDER)


class Row(NamedTuple):
    """One harm to one command of one session."""

    work: str
    at: int
    harm: str

    def __str__(self) -> str:
        return f"{self.work}, command {self.at}: {self.harm}"


#: typed: commands of each session (an update of eight fields takes several blocks)
LENGTHS = {
    "update": 3,
    "suspend": 1,
    "suspend and resume": 2,
    "terminate": 1,
    "join": 1,
    "unblock": 1,
    "issue": 2,
    "update by the domain": 2,
    "delete": 1,
    "lock and unlock": 2,
    "rotate": 1,
    "create and give room": 2,
    "remove": 1,
}
ROWS = [Row(work, at, harm) for work, length in LENGTHS.items() for at in range(length) for harm in HARMS]


def test_the_sessions_are_as_long_as_the_table_says() -> None:
    assert lengths() == LENGTHS
    assert len(HARMS) == 23


@pytest.mark.parametrize("row", table("refused APDUs", ROWS, size=20 * 23, sample=60))
def test_what_is_not_the_next_command_is_refused(row: Row) -> None:
    work = works()[row.work]
    start = world().state
    card = soft(start)
    session = open_on(card, work)
    taped = _Tape(card)
    session.card = taped
    commands = work.commands(session)
    for header, data in commands[: row.at]:
        assert session.send(header, data).sw == OK
    here = card.state
    now = session.wrap(*commands[row.at])
    behind = session.wrap(*commands[row.at + 1]) if row.at + 1 < len(commands) else session.wrap("80CA00E0")
    if row.harm == "twice":
        assert card.transmit(now)[-2:] == b"\x90\x00"
        here = card.state
    for command in _harmed(row, card, work, now, behind):
        answer = card.transmit(command)
        assert len(answer) == 2, f"{row}: data beside a refusal"
        assert answer != b"\x90\x00", f"{row}: taken"
    assert same_but_for_sessions(content(here), content(card.state)), f"{row}: something of it was kept"
    assert untouched(start, card.state)
    late = card.transmit(now)
    if row.harm not in STAYS:
        assert late[-2:] != b"\x90\x00", f"{row}: the session went on"
        assert same_but_for_sessions(content(here), content(card.state)), f"{row}: kept in the end"


#: what is no command of the session at all: refused, and the session waits for its next command
STAYS = {
    "nothing",
    "one byte",
    "the header alone",
    "cut off",
    "with more behind",
    "a logical channel",
    "another class",
    "class in clear",
    "a bit of Lc",
}


def _harmed(row: Row, card: SoftCard, work: Work, now: bytes, behind: bytes) -> list[bytes]:
    """What comes in place of ``now``; every one of it must be refused."""
    if row.harm in HARMED:
        return [HARMED[row.harm](now)]
    match row.harm:
        case "twice":
            return [now, now]
        case "left out":
            return [behind]
        case "after its successor":
            return [behind, now]
        case "after a reset":
            card.reset()
            wire.select(card, work.aid)
            return [now, behind]
        case "from another session":
            wire.session(card, work.aid, work.keys)
            return [now, behind]
        case _:
            raise AssertionError(row.harm)


def test_a_whole_session_played_again_opens_nothing() -> None:
    """The card's challenge is another each time, so neither are the keys."""
    for name, work in works().items():
        card = soft(world().state)
        tape = _Tape(card)
        session = wire.session(tape, work.aid, work.keys)
        for header, data in work.commands(session):
            session.send(header, data)
        again = soft(world().state) if name in ("delete", "remove") else card
        # the sequence counter makes the first card's challenge; a second card at the same count is another card
        again.reset()
        if again is not card:
            wire.session(again, work.aid, work.keys)
            again.reset()
        before = again.state
        words = [again.transmit(command)[-2:] for command in tape.heard]
        # after a rotation the key version of the first session is not there any more
        assert words[2] == (b"\x69\x85" if name == "rotate" else b"\x63\x00"), name
        assert all(word != b"\x90\x00" for word in words[2:]), name
        assert same_but_for_sessions(content(before), content(again.state)), name


def test_commands_on_another_card_with_the_same_keys() -> None:
    """Card B has the same owner with the same keys: what went to card A means nothing to it."""
    other = soft(blank())
    create_owner(other, TOWN)
    install(other, TOWN, TOWN.slot("active"))
    work = works()["delete"]
    session = open_on(soft(world().state), work)
    wrapped = session.wrap(*work.commands(session)[0])
    open_on(other, work)
    before = other.state
    assert other.transmit(wrapped) == b"\x69\x82"
    assert same_but_for_sessions(content(before), content(other.state))
