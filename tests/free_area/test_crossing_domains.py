"""Content management, by everybody, on everything: an owner reaches what is its own, the issuer everything, nobody else
anything; and neither reaches the other applications, nor they the free area.

Tables (tests/tables.py). Who may do what is typed here, from free-area.md and GlobalPlatform 2.3.1; every pair that is
not typed must be refused, and a refusal leaves every byte as it was.
"""

from __future__ import annotations

import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from free_area import wire
from free_area.soundness import same_but_for_sessions
from free_area.test_crossing import ATTEMPTS
from free_area.wire import FIRM, OK, PARTNER, TOWN, TRIAL, Keys, Scp03, tlv
from free_area.world import FIELDS, content, soft, untouched, world
from support import ROOT
from tables import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator import CardState, SoftCard

TOWNS, FIRMS, NEW = TOWN.slot("active"), FIRM.slot("firm"), TOWN.slot("a new one")
JPKI = bytes.fromhex("D392F000260100000001")


def _isd(card: SoftCard, keys: Keys) -> Scp03 | None:
    return _open(card, wire.ISD, keys)


def _open(card: SoftCard, aid: bytes, keys: Keys) -> Scp03 | None:
    """A session, or None where it is refused."""
    try:
        return wire.session(card, aid, keys)
    except wire.Refused:
        return None


def _at(aid: bytes) -> Callable[[SoftCard], Scp03 | None]:
    def come(card: SoftCard) -> None:
        wire.select(card, aid)

    return come


def _clear(aid: bytes, keys: Keys) -> Callable[[SoftCard], Scp03 | None]:
    def come(card: SoftCard) -> None:
        _open(card, aid, keys)

    return come


#: actor -> how it comes; None: no session, its commands go in clear
ACTORS: dict[str, Callable[[SoftCard], Scp03 | None]] = {
    "nobody, after power-on": lambda _card: None,
    "nobody, at the issuer's domain": _at(wire.ISD),
    "nobody, at the town's domain": _at(TOWN.domain),
    "nobody, at JPKI": _at(JPKI),
    "the issuer": lambda card: _isd(card, TRIAL),
    "the issuer, in clear": _clear(wire.ISD, TRIAL),
    "the town": lambda card: _open(card, TOWN.domain, TOWN.keys),
    "the town, in clear": _clear(TOWN.domain, TOWN.keys),
    "the town, at its slot": lambda card: _open(card, TOWNS, TOWN.keys),
    "the firm": lambda card: _open(card, FIRM.domain, FIRM.keys),
    "the issuer's keys at the town's domain": lambda card: _open(card, TOWN.domain, TRIAL),
    "the town's keys at the issuer's domain": lambda card: _isd(card, TOWN.keys),
    "the firm's keys at the town's domain": lambda card: _open(card, TOWN.domain, FIRM.keys),
    "the firm's keys at the town's slot": lambda card: _open(card, TOWNS, FIRM.keys),
}

#: command -> header and data
COMMANDS: dict[str, Callable[[Scp03 | None], tuple[str, bytes]]] = {
    "install a slot": lambda _: ("80E60C00", wire.install_slot(NEW)),
    "install a slot of a taken name": lambda _: ("80E60C00", wire.install_slot(FIRMS)),
    "install a slot named as JPKI": lambda _: ("80E60C00", wire.install_slot(JPKI)),
    "install a slot named as nobody may": lambda _: ("80E60C00", wire.install_slot(bytes.fromhex("A000000151FF"))),
    "install a domain": lambda _: ("80E60C00", wire.install_domain(PARTNER)),
    "install a second domain of an owner": lambda _: (
        "80E60C00",
        wire.install_domain(TOWN).replace(TOWN.domain, PARTNER.domain),
    ),
    "install for load": lambda _: (
        "80E60200",
        wire.counted(wire.SLOT_PACKAGE, wire.ISD, b"", b"", b""),
    ),
    "extradite the town's slot": lambda _: (
        "80E61000",
        wire.counted(FIRM.domain, b"", TOWNS, b"", b"", b""),
    ),
    "load": lambda _: ("80E88000", bytes(20)),
    "personalize the town's slot": lambda _: ("80E62000", wire.for_personalization(TOWNS)),
    "personalize the firm's slot": lambda _: ("80E62000", wire.for_personalization(FIRMS)),
    "give the town room": lambda _: ("80E64000", wire.set_quota(TOWN.domain, 16000)),
    "give the firm room": lambda _: ("80E64000", wire.set_quota(FIRM.domain, 16000)),
    "store without a slot": lambda _: wire.blocks(world().records["active"].next().full())[0],
    "lock the town's slot": lambda _: ("80F04080", TOWNS),
    "lock the firm's slot": lambda _: ("80F04080", FIRMS),
    "lock the firm's domain": lambda _: ("80F04080", FIRM.domain),
    "lock the card": lambda _: ("80F0807F", wire.ISD),
    "make the card new": lambda _: ("80F08001", wire.ISD),
    "delete the town's slot": lambda _: ("80E40000", tlv("4F", TOWNS)),
    "delete the firm's slot": lambda _: ("80E40000", tlv("4F", FIRMS)),
    "delete the firm's domain, alone": lambda _: ("80E40000", tlv("4F", FIRM.domain)),
    "delete the firm's domain": lambda _: ("80E40080", tlv("4F", FIRM.domain)),
    "delete the town's domain": lambda _: ("80E40080", tlv("4F", TOWN.domain)),
    "delete the issuer's domain": lambda _: ("80E40080", tlv("4F", wire.ISD)),
    "delete JPKI": lambda _: ("80E40080", tlv("4F", JPKI)),
    "delete the load file": lambda _: ("80E40080", tlv("4F", wire.SLOT_PACKAGE)),
    "delete what is not there": lambda _: ("80E40000", tlv("4F", NEW)),
    "put keys": lambda it: ("80D80081", wire.put_key(it.dek if it else bytes(16), Keys.named("new", version=3))),
    "list what is there": lambda _: ("80F24002", tlv("4F", b"")),
    "ask for the issuer's domain": lambda _: ("80F28002", tlv("4F", b"")),
    "list load files": lambda _: ("80F22002", tlv("4F", b"")),
    "unlock the card": lambda _: ("80F0800F", wire.ISD),
    "ask for key information": lambda _: ("80CA00E0", b""),
    "ask for key information, class 00": lambda _: ("00CA00E0", b""),
    "begin a session": lambda _: ("80500000", b"\x11" * 8),
    "end the beginning of none": lambda _: ("84823300", bytes(16)),
}
#: go in clear whoever sends them: they come before a session
BEFORE = {"begin a session", "end the beginning of none"}
#: where each stands when the card lets it select what it wants; the issuer's domain where not said otherwise
PLACES = {
    "nobody, at the town's domain": "domain",
    "nobody, at JPKI": "JPKI",
    "the town": "domain",
    "the town, in clear": "domain",
    "the town, at its slot": "slot",
    "the firm": "domain",
    "the issuer's keys at the town's domain": "domain",
    "the firm's keys at the town's domain": "domain",
    "the firm's keys at the town's slot": "slot",
}
#: commands that ask for nothing to be shown, and where they are answered
OPEN = {
    "ask for key information": {"isd", "domain"},
    "ask for key information, class 00": {"isd", "domain"},
    "begin a session": {"isd", "domain", "slot"},
}

_OWNERS = {
    "install a slot",
    "put keys",
    "list what is there",
}
#: actor -> commands that are answered with 9000 (6310: more to come); everybody else and everything else is refused
MAY: dict[str, set[str]] = {
    "the town": {*_OWNERS, "personalize the town's slot", "lock the town's slot", "delete the town's slot"},
    "the town, at its slot": {"store without a slot"},
    "the firm": {*_OWNERS, "personalize the firm's slot", "lock the firm's slot", "delete the firm's slot"},
    "the issuer": {
        "install a domain",
        "give the town room",
        "give the firm room",
        "lock the town's slot",
        "lock the firm's slot",
        "lock the firm's domain",
        "lock the card",
        "unlock the card",
        "delete the town's slot",
        "delete the firm's slot",
        "delete the firm's domain",
        "delete the town's domain",
        "put keys",
        "list what is there",
        "ask for the issuer's domain",
        "list load files",
    },
}
#: what changes nothing (a block that is not the last of its series is only kept in mind)
LOOKS = {"store without a slot", "list what is there", "ask for the issuer's domain", "list load files"}


#: what the issuer may while the card is locked; nobody else is even found
MAY_LOCKED = {
    "unlock the card",
    "lock the card",
    "list what is there",
    "ask for the issuer's domain",
    "list load files",
}


#: what asks for the state that the card is in
SAME = {("lock the card", "card_locked"), ("unlock the card", "secured")}


class Row(NamedTuple):
    """One command of one actor, in one state of the card."""

    actor: str
    command: str
    state: str

    def __str__(self) -> str:
        return f"{self.actor}, {self.state}: {self.command}"


ROWS = [Row(actor, command, state) for actor in ACTORS for command in COMMANDS for state in ("secured", "card_locked")]


@cache
def locked() -> CardState:
    """The card, locked by its issuer."""
    card = soft(world().state)
    session = _isd(card, TRIAL)
    assert session is not None
    assert session.send("80F0807F", wire.ISD).sw == OK
    card.reset()
    return card.state


def allowed(row: Row) -> bool:
    """Whether the command is to be answered."""
    secured = row.state == "secured"
    place = PLACES.get(row.actor, "isd")
    if row.command in OPEN:
        return (place if secured or place == "JPKI" else "isd") in OPEN[row.command]
    if secured:
        return row.command in MAY.get(row.actor, set())
    return row.actor == "the issuer" and row.command in MAY_LOCKED


@cache
def typed() -> dict[str, dict[str, Any]]:
    """The commands of the spec as they stand in its file, by id."""
    file = ROOT / "applets_spec" / "free_area" / "globalplatform.toml"
    return {one["id"]: one for one in tomllib.loads(file.read_text("utf-8"))["command"]}


def of_spec(header: str) -> str:
    """The id of the command of the spec that a header is of; empty: of none."""
    return next(
        (
            name
            for name, one in typed().items()
            if (one["cla"], one["ins"]) == (header[:2], header[2:4]) and one.get("p1", header[4:6]) == header[4:6]
        ),
        "",
    )


def test_every_command_of_the_spec_is_tried() -> None:
    tried = {of_spec(COMMANDS[name](None)[0]) for name in COMMANDS}
    assert tried - {""} == set(typed())
    # what the spec gives nobody is not in the lists of who may
    for one in ("load", "install for load", "extradite the town's slot"):
        assert not any(one in may for may in (*MAY.values(), MAY_LOCKED))
    # and what the lists give while the card is locked is what the spec gives
    for one in MAY_LOCKED:
        assert "card_locked" in typed()[of_spec(COMMANDS[one](None)[0])]["states"]


@pytest.mark.parametrize("row", table("content management", ROWS, size=14 * 37 * 2, sample=150))
def test_content_management_by_everybody(row: Row) -> None:
    start = world().state if row.state == "secured" else locked()
    card = soft(start)
    session = ACTORS[row.actor](card)
    before = card.state
    header, data = COMMANDS[row.command](session)
    if session is None or row.command in BEFORE:
        said = wire.say(card, header, data, le=True)
    else:
        said = session.send(header, data)
    taken = said.sw in (OK, 0x6310)
    assert taken == allowed(row), f"{row}: {said.sw:04X}"
    if PLACES.get(row.actor, "isd") in ("isd", "domain") and (name := of_spec(header)):
        words = {int(one["sw"], 16) for one in typed()[name]["words"]} | {0x6700, 0x6881, 0x6D00, 0x6E00, 0x6A86}
        assert said.sw in words or name == "store_data", f"{row}: {said.sw:04X} is not a word of {name}"
    assert taken or not said.data, f"{row}: data beside a refusal"
    assert untouched(start, card.state), f"{row}: another application"
    quiet = row.command in LOOKS or row.command in OPEN or row.command.startswith("personalize")
    if not taken or quiet or (row.command, row.state) in SAME:
        assert same_but_for_sessions(content(before), content(card.state)), f"{row}: something was kept"
    else:
        assert not same_but_for_sessions(content(before), content(card.state)), f"{row}: nothing was done"
    if taken and row.state == "secured" and row.actor in ("the town", "the firm"):
        _keeps_to_itself(row, before, card.state, said.data)


def _keeps_to_itself(row: Row, before: CardState, after: CardState, told: bytes) -> None:
    """What an owner did and saw is under its own domain."""
    own, other = (TOWN, FIRM) if row.actor == "the town" else (FIRM, TOWN)
    old, new = content(before), content(after)
    assert new.issuer == old.issuer, row
    assert new.domain(other.domain) == old.domain(other.domain), row
    assert [one for one in new.slots if one.domain != own.domain] == [
        one for one in old.slots if one.domain != own.domain
    ], row
    strange = [other.domain, *(one.aid for one in old.slots if one.domain == other.domain)]
    assert not any(aid in told for aid in strange), f"{row}: it sees what is another's"


#: commands of the other applications that change something, or open something (card.md §4)
FOREIGN = {
    "VERIFY, authentication": "00200098 04 31323334",
    "VERIFY, signature": "0020009B 06 414243313233",
    "VERIFY, text": "00200091 04 35363738",
    "VERIFY, current": "00200080 04 31323334",
    "CHANGE": "00240180 04 38383838",
    "CHANGE KEY": "80320080 04 38383838",
    "sign": "802A0080 20" + "5A" * 32 + "00",
    "internal authenticate": "00880097 10" + "07" * 16 + "00",
    "read": "00B08B00 00",
    "read a record": "00B20104 00",
    "SELECT EF": "00A4020C 02 0018",
    "terminal certificate": "80A200C1 01 00",
    "deliver a key": "80AE0000 01 00",
    "LOCK DF": "80520000",
    "ERASE": "80060000",
}
HERE = ("the issuer", "the town", "the town, at its slot", "nobody, at the town's domain", "nobody, after power-on")


class ForeignRow(NamedTuple):
    """A command of another application, where something of the free area is current."""

    actor: str
    command: str

    def __str__(self) -> str:
        return f"{self.actor}: {self.command}"


@pytest.mark.parametrize(
    "row",
    table(
        "foreign commands",
        [ForeignRow(actor, command) for actor in HERE for command in FOREIGN],
        size=5 * 15,
        sample=20,
    ),
)
def test_commands_of_other_applications_open_nothing_here(row: ForeignRow) -> None:
    start = world().state
    card = soft(start)
    session = ACTORS[row.actor](card)
    before = card.state
    raw = bytes.fromhex(FOREIGN[row.command])
    data = raw[5 : 5 + raw[4]] if len(raw) > 5 else b""
    answer = card.transmit(raw)
    assert len(answer) == 2
    assert answer != b"\x90\x00", row
    if session is not None:
        session = ACTORS[row.actor](card)
        assert session is not None
        assert session.send(raw[:4].hex(), data).sw != OK, row
    assert untouched(start, card.state), row
    assert same_but_for_sessions(content(before), content(card.state)), row


#: card.md §1
OTHERS = {
    "common": "D3921000310001010100",
    "juki": "D3921000310001010401",
    "card_face": "D3921000310001010402",
    "input_support": "D3921000310001010408",
    "jpki": "D392F000260100000001",
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_other_applications_do_not_reach_the_free_area(name: str) -> None:
    """With another application current, what was shown to a slot is gone, and its commands are not the slot's."""
    start = world().state
    tried = 0
    for secure in (False, True):
        for attempt in ATTEMPTS:
            if attempt.command in ("select", "get_challenge"):
                continue
            card = soft(start)
            session = wire.session(card, TOWNS, TOWN.keys)
            assert wire.select(card, bytes.fromhex(OTHERS[name])).sw == OK
            before = card.state
            here = _Elsewhere(card, TOWNS, session if secure else None)
            if attempt.command == "read_binary":  # the application's own files, as far as they are free
                sfi = int(attempt.what.removeprefix("file "))
                mine = FIELDS[sfi].content if sfi in FIELDS else b"\xd5" * 16
                assert not here.say(f"00B0{0x80 | sfi:02X}00", le=True).data.startswith(mine)
            else:
                word = attempt.run(here)  # type: ignore[arg-type]
                assert word != OK, f"{name}: {attempt.command}, {attempt.what}"
            assert content(card.state) == content(before)
            tried += 1
    assert tried == 2 * (len(ATTEMPTS) - 2)


class _Elsewhere:
    """A visitor that believes itself at a slot still."""

    def __init__(self, card: SoftCard, aid: bytes, session: Scp03 | None) -> None:
        self.card, self.aid, self.session = card, aid, session

    def say(self, header: str, data: bytes = b"", *, le: bool | bytes = False) -> wire.Said:
        """In the session, or in clear."""
        if self.session is None:
            return wire.say(self.card, header, data, le=le)
        answer = self.card.transmit(self.session.wrap(header, data))
        return wire.Said(answer[:-2], int.from_bytes(answer[-2:], "big"))
