"""Every command of the slot applet, by every actor, in every state, at every field: refused unless the spec lets it.

A table (tests/tables.py). What to expect is worked out here from the words of ``applets_spec/free_area/
slot_applet.toml`` (access, states, objects), typed and read as text, never by asking the card's own decision.
Whatever happens, the other applications keep every byte, and a refusal leaves the free area as it was.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from free_area import wire
from free_area.actors import ACTORS, Visitor, arrive, holds, record_of, spec, works
from free_area.cuts import Bench, cuts_of
from free_area.wire import OK
from free_area.world import FIELDS, NEW_PIN, PIN, STATES, TERMINALS, WRONG_PIN, content, slot, soft, untouched, world
from kojin_card.errors import CardRemoved
from tables import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator import CardState

CLOSED, STATE, NO_FILE, NO_OBJECT = 0x6982, 0x6985, 0x6A82, 0x6A88
#: words that any command may give (spec.free_area.CommandSpec.words)
ANY = {0x6700, 0x6881, 0x6D00, 0x6E00}


class Attempt(NamedTuple):
    """One thing to try.

    Attributes:
        command: its id in the spec.
        what: of it.
        run: does it; the words it gave.
        wanted: words that the spec allows here, for what the visitor has shown, in a state.
    """

    command: str
    what: str
    run: Callable[[Visitor], int]
    wanted: Callable[[Visitor, str], set[int]]


def gated(command: str, *, good: set[int], missing: Callable[[str], set[int]] | None = None) -> Callable[..., set[int]]:
    """Access and state of a command as the spec has them; when both forbid, either word is right.

    Args:
        good: words when both allow.
        missing: words when what it is about is not there in that state, whoever asks.
    """

    def wanted(here: Visitor, state: str) -> set[int]:
        rule = spec()["command"][command].get("access", "always")
        refusals = set() if holds(rule, here.shown) else {CLOSED}
        refusals |= set() if works(command, state) else {STATE}
        if not refusals and missing is not None:
            refusals = missing(state)
        return refusals or good

    return wanted


def _plain(command: str, what: str, data: bytes, *, good: set[int], le: bool = False, **words: object) -> Attempt:
    """A command with P1 and P2 of the spec."""
    typed = spec()["command"][command]
    header = f"{typed['cla']}{typed['ins']}{typed['p1']}{typed['p2']}"
    return Attempt(
        command,
        what,
        lambda here: here.say(header, data, le=le).sw,
        gated(command, good=good, **words),  # type: ignore[arg-type]
    )


def object_of(name: str, tag: str, rule: str) -> Attempt:
    """GET DATA of one object."""

    def wanted(here: Visitor, _state: str) -> set[int]:
        return {OK} if holds(rule, here.shown) else {CLOSED}

    return Attempt("get_data", name, lambda here: here.say(f"00CA{tag}", le=True).sw, wanted)


def opened(sfi: int, here: Visitor, state: str) -> set[int]:
    """READ BINARY of a field: the rule of the field, the certificate, the state; the owner always."""
    there = state != "installed"
    if "role:owner" in here.shown:
        return {OK} if there else {NO_FILE}
    if not there:
        return {NO_FILE, STATE, CLOSED}
    terms = {1: "role:terminal" in here.shown and sfi in here.fields, 2: "key:slot_pin" in here.shown}
    allowed = any(all(terms[bit] for bit in (1, 2) if one & bit) for one in FIELDS[sfi].rule)
    refusals = set() if allowed else {CLOSED}
    return (refusals | (set() if works("read_binary", state) else {STATE})) or {OK}


def file_of(sfi: int) -> Attempt:
    """READ BINARY of one file."""

    def wanted(here: Visitor, state: str) -> set[int]:
        if sfi in FIELDS:
            return opened(sfi, here, state)
        known = sfi in (wire.DESCRIPTOR_FILE, wire.MANIFEST_FILE)
        mine = holds(spec()["tag"]["status"]["access"], here.shown)  # hidden part and manifest: as the status
        if known and mine:
            return {OK} if state != "installed" else {NO_FILE, STATE}
        if known and state != "installed":
            return {CLOSED}
        return {NO_FILE, CLOSED, STATE}

    return Attempt("read_binary", f"file {sfi}", lambda here: wire_read(here, sfi), wanted)


def wire_read(here: Visitor, sfi: int) -> int:
    """READ BINARY, the word; data come with 9000 only, and are what was written."""
    # an answer of 256 bytes has no room for its protection
    said = here.say(f"00B0{0x80 | sfi:02X}00", le=b"\xd0" if here.session else True)
    assert said.sw == OK or not said.data, "data beside a refusal"
    if said.sw == OK and sfi in FIELDS:
        assert said.data == FIELDS[sfi].content
    return said.sw


def storing(what: str, make: Callable[[wire.Record], bytes], good: Callable[[str], set[int]]) -> Attempt:
    """STORE DATA; ``make`` gives the series from the record that stands there."""

    def run(here: Visitor) -> int:
        state = next(name for name in STATES if world().aid(name) == here.aid)
        record = record_of(state) or replace(world().records["active"], aid=here.aid, counter=0, state=0)
        if here.session is not None:
            return wire.store(here.session, make(record))
        for header, data in wire.blocks(make(record)):
            said = here.say(header, data)
            if said.sw != OK:
                return said.sw
        return OK

    def wanted(here: Visitor, state: str) -> set[int]:
        both = gated("store_data", good=good(state))(here, state)
        # contract B: STORE DATA wants the owner's commands enciphered
        return (
            both | {CLOSED}
            if "C-MAC only" in here.shown and OK not in both
            else ({CLOSED} if "C-MAC only" in here.shown else both)
        )

    return Attempt("store_data", what, run, wanted)


def moving(target: str) -> Attempt:
    """A state change to ``target``."""

    def good(state: str) -> set[int]:
        return {OK} if target in spec()["state"][state]["to"] and state != "installed" else {STATE, 0x6A80}

    return storing(f"to {target}", lambda one: one.next(state=STATES[target]).tail, good)


def _owner_only(attempt: Attempt) -> Attempt:
    """RESET RETRY COUNTER too wants to come enciphered."""

    def wanted(here: Visitor, state: str) -> set[int]:
        found = attempt.wanted(here, state)
        return (found - {OK}) | {CLOSED} if "C-MAC only" in here.shown else found

    return attempt._replace(wanted=wanted)


def _pin_missing(state: str) -> set[int]:
    return {NO_OBJECT} if state == "installed" else set()


def _authenticate(here: Visitor) -> int:
    if here.session is not None:
        challenge = here.session.send("00840000", le=b"\x10")
        if challenge.sw != OK:
            return challenge.sw
        terminal = TERMINALS["terminal"]
        data = terminal.certificate + terminal.proof(challenge.data, here.aid)
        # certificate and proof leave no room for padding and MAC in a short APDU
        return wire.say(here.card, "00820000", data).sw
    return wire.show(here.card, TERMINALS["terminal"], here.aid)


def _challenge(here: Visitor) -> int:
    if here.session is not None:
        return here.session.send("00840000", le=b"\x10").sw
    return int.from_bytes(here.card.transmit(bytes.fromhex("0084000010"))[-2:], "big")


def _tries(here: Visitor, spent: int = 0) -> set[int]:
    """63Cx with the tries that are left then."""
    return {0x63C0 | slot(here.card.state, here.aid).tries_left - spent}


def attempts() -> list[Attempt]:
    """Everything to try, for every command of the spec at least one thing."""
    tags = [one for one in spec()["tag"].values() if one["inside"] == "slot"]
    found = [
        Attempt(
            "select",
            "itself",
            lambda here: wire.select(here.card, here.aid).sw,
            lambda _here, state: {0x6285 if state == "terminated" else OK},
        ),
        *(object_of(one["id"], one["tag"], one.get("access", "never")) for one in tags),
        Attempt("get_data", "unknown", lambda here: here.say("00CADF6F", le=True).sw, lambda *_: {NO_OBJECT, CLOSED}),
        Attempt("get_challenge", "16 bytes", _challenge, gated("get_challenge", good={OK})),
        Attempt("external_authenticate", "a good one", _authenticate, gated("external_authenticate", good={OK})),
        _plain("external_authenticate", "no challenge", b"\x7f\x21\x00", good={STATE}),
        _plain("internal_authenticate", "16 bytes", b"\x07" * 16, good={OK}, le=True),
        _plain("verify", "right", PIN, good={OK}, missing=_pin_missing),
        Attempt(
            "verify",
            "wrong",
            lambda here: here.say("00200081", WRONG_PIN).sw,
            lambda here, state: _tries(here, 1) if works("verify", state) else {STATE},
        ),
        Attempt(
            "verify",
            "asked",
            lambda here: here.say("00200081").sw,
            lambda here, state: {OK, *_tries(here)} if works("verify", state) else {STATE},
        ),
        _plain("change_reference_data", "right", PIN + NEW_PIN, good={OK}, missing=_pin_missing),
        Attempt(
            "change_reference_data",
            "wrong",
            lambda here: here.say("00240081", WRONG_PIN + NEW_PIN).sw,
            lambda here, state: _tries(here, 1) if works("change_reference_data", state) else {STATE},
        ),
        _plain("change_reference_data", "letters", PIN + b"ABCD", good={0x6A80}),
        _owner_only(_plain("reset_retry_counter", "a new one", NEW_PIN, good={OK}, missing=_pin_missing)),
        *(file_of(sfi) for sfi in (*FIELDS, 25, wire.DESCRIPTOR_FILE, wire.MANIFEST_FILE)),
        *(moving(state) for state in STATES),
        storing("settings", lambda _one: wire.groups("library"), lambda _state: {OK}),
        storing(
            "all of it",
            lambda one: one.next(state=one.state or wire.PERSONALIZED).full(),
            lambda _state: {OK},
        ),
        storing(
            "a counter that skips",
            lambda one: replace(one.next(state=one.state or wire.PERSONALIZED), counter=one.counter + 2).full(),
            lambda _state: {STATE},
        ),
        storing("of the same counter", lambda one: one.tail, lambda _state: {STATE, 0x6A80}),
        storing("no object", lambda _one: b"\xdf\x6f\x00", lambda _state: {0x6A80, NO_OBJECT}),
        Attempt(
            "initialize_update",
            "first key set",
            lambda here: wire.say(here.card, "80500000", b"\x22" * 8, le=True).sw,
            lambda *_: {OK},
        ),
        Attempt(
            "external_authenticate_scp03",
            "without INITIALIZE UPDATE",
            lambda here: wire.say(here.card, "84823300", bytes(16)).sw,
            lambda *_: {STATE, CLOSED},
        ),
    ]
    assert {one.command for one in found} == set(spec()["command"]), "a command of the spec is not tried"
    return found


ATTEMPTS = attempts()


class Row(NamedTuple):
    """Every attempt of one actor in one state."""

    actor: str
    state: str

    def __str__(self) -> str:
        return f"{self.actor}; {self.state}"


ROWS = [Row(actor, state) for actor in ACTORS for state in STATES]


def changes_nothing(before: CardState, after: CardState, aid: bytes) -> bool:
    """Whether the free area is what it was, but for tries, the newest date, and what sessions count."""

    def plain(state: CardState) -> object:
        one = content(state)
        mine = slot(state, aid)
        one = one.with_slot(aid, lambda it: replace(it, tries_left=0, newest=bytes(4)))
        domain = mine.domain
        return one.with_domain(domain, lambda it: replace(it, sequence=0, failures=0, waiting=0))

    return plain(before) == plain(after)


@pytest.mark.parametrize("row", table("crossing", ROWS, size=22 * 5, sample=24))
def test_every_command_by_every_actor_in_every_state(row: Row) -> None:
    start = world()
    aid = start.aid(row.state)
    tried = refused = 0
    for attempt in ATTEMPTS:
        card = soft(start.state)
        here = arrive(card, row.actor, aid, row.state)
        before = card.state
        wanted = attempt.wanted(here, row.state)
        word = attempt.run(here)
        where = f"{row}: {attempt.command}, {attempt.what}"
        assert word in wanted, f"{where}: {word:04X}, by the spec {sorted(f'{one:04X}' for one in wanted)}"
        said = {int(one["sw"], 16) for one in spec()["command"][attempt.command]["words"]} | ANY
        assert word in said or word & 0xFFF0 == 0x63C0, f"{where}: {word:04X} is not a word of this command"
        assert untouched(start.state, card.state), f"{where}: another application"
        left, now = (slot(one, aid).tries_left for one in (before, card.state))
        if attempt.what == "wrong" and word & 0xFFF0 == 0x63C0:
            assert now == left - 1, f"{where}: {left} tries became {now}"
        elif word != OK:
            assert now == left, f"{where}: {left} tries became {now}"
        if word not in (OK, 0x6285):
            refused += 1
            assert changes_nothing(before, card.state, aid), f"{where}: a refusal that left something"
        tried += 1
    assert tried == len(ATTEMPTS)
    assert refused, f"{row}: nothing was refused"


@pytest.mark.parametrize(("pin", "writes"), [(PIN, 2), (WRONG_PIN, 1)], ids=["right", "wrong"])
def test_power_lost_during_verify_never_wins_a_try(pin: bytes, writes: int) -> None:
    """The try is spent before the comparison: power lost at the write that follows has cost it, right or wrong."""
    aid = world().aid("active")
    for cut in cuts_of((0, writes)):
        bench = Bench(world().state, cut)
        with contextlib.suppress(CardRemoved):
            wire.select(bench, aid)
            wire.verify_pin(bench, pin)
        left = slot(bench.state, aid).tries_left
        spent = cut.at == 1 and not (cut.write in (0, None) and not cut.kept)
        restored = pin == PIN and cut.at == 1 and cut.kept and cut.write in (1, None)
        assert left == (3 if restored or not spent else 2), str(cut)


def test_the_table_is_whole() -> None:
    """Actors x states x attempts, typed: none goes missing unseen."""
    assert len(ACTORS) == 22
    assert len(ATTEMPTS) == 40
    assert len(ROWS) * len(ATTEMPTS) == 22 * 5 * 40
