"""Every command, object and file of a slot, in every state, to everybody: what the spec's rules and states say.

The expected word is computed from the text of ``slot_applet.toml`` (not by the package's reader of it): a rule that
does not hold is 6982, before the state; a state that is not among the command's is 6985.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from simulator.slot_world import (
    ACTIVE,
    CA,
    CERTIFIED,
    FIELDS,
    INSTALLED,
    OWNERS,
    PERSONALIZED,
    PIN,
    SELECT_SLOT,
    SUSPENDED,
    TERMINATED,
    World,
    authorities,
    authority,
    certificate,
    issued_state,
    signed,
    tlv,
)
from support import ROOT
from tables import table

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

SPEC = tomllib.loads((ROOT / "applets_spec" / "free_area" / "slot_applet.toml").read_text("utf-8"))
COMMANDS = {one["id"]: one for one in SPEC["command"]}
OBJECTS = {one["id"]: one for one in SPEC["tag"] if one["inside"] == "slot"}
FILES = {one["value"]: one["access"] for one in SPEC["number"] if "access" in one}
STATES = {one["id"]: one["value"] for one in SPEC["state"]}
ROLES = ("passer-by", "holder", "terminal", "owner")
TERMS = {"passer-by": set[str](), "holder": {"key:slot_pin"}, "terminal": {"role:terminal"}, "owner": {"role:owner"}}
WRITING = {
    "change_reference_data",
    "external_authenticate",
    "external_authenticate_scp03",
    "initialize_update",
    "reset_retry_counter",
    "store_data",
    "verify",
}
NOT_THERE = 7  # a short identifier that no field of the record has


class Row(NamedTuple):
    kind: str
    what: str
    state: str
    role: str

    def __str__(self) -> str:
        return f"{self.kind} {self.what}, {self.state}, {self.role}"


WHATS = (
    [("command", name) for name in COMMANDS if name not in ("get_data", "read_binary")]
    + [("object", name) for name in OBJECTS]
    + [("file", str(sfi)) for sfi in FILES]
    + [("field", str(sfi)) for sfi in (*FIELDS, NOT_THERE)]
)
ROWS = [Row(*what, state, role) for what in WHATS for state in STATES for role in ROLES]


def holds(rule: str, shown: set[str]) -> bool:
    """An access rule, read again here."""
    return rule == "always" or any({term.strip() for term in one.split("&")} <= shown for one in rule.split("|"))


def of_field(sfi: int, shown: set[str]) -> bool:
    """The rule bytes of a field, read again here."""
    if "role:owner" in shown:
        return True
    readable = "role:terminal" in shown and sfi in (1, 3, 4)  # certified and listed
    needs = {"01": readable, "02": "key:slot_pin" in shown, "00": True}
    rule = FIELDS[sfi]
    if rule == "03":
        return readable and "key:slot_pin" in shown
    return any(needs[rule[at : at + 2]] for at in range(0, len(rule), 2))


def expected(row: Row) -> int:
    shown = set() if row.state == "installed" and row.role != "owner" else TERMS[row.role]
    if row.kind == "command":
        command = COMMANDS[row.what]
        if not holds(command["access"], shown):
            return 0x6982
        if row.state not in command["states"]:
            return 0x6985
        return 0x6285 if (row.what, row.state) == ("select", "terminated") else 0x9000
    if row.kind == "object":
        return 0x9000 if holds(OBJECTS[row.what]["access"], shown) else 0x6982
    may_know = holds(FILES[30], shown)
    if row.kind == "file":
        return 0x6982 if not may_know else 0x6A82 if row.state == "installed" else 0x9000
    if row.state == "installed" or int(row.what) == NOT_THERE:
        return 0x6A82 if may_know else 0x6982
    if not of_field(int(row.what), shown):
        return 0x6982
    return 0x9000 if row.role == "owner" or row.state in COMMANDS["read_binary"]["states"] else 0x6985


@cache
def brought_to(card_state: Callable[[str], CardState], state: int) -> World:
    world = World(issued_state(card_state))
    world.bring_to(state)
    return world


def prepared(card_state: Callable[[str], CardState], row: Row) -> World:
    """A slot in that state, and the role shown: a role that the state does not let in came while it still did.
    A session of the owner is open in every row, and serves nobody who speaks in clear.
    """
    state = STATES[row.state]
    model = brought_to(card_state, ACTIVE if state == TERMINATED else state)
    world = World(model.memory.state)
    world.counter, world.fields = model.counter, model.fields
    wanted = 0x6985 if state == INSTALLED else 0x9000
    if row.role == "holder":
        assert world.holder() == wanted
    if row.role == "terminal":
        assert world.terminal() == wanted
    if state == TERMINATED:
        world.go(TERMINATED)
    world.open()
    return world


def send(world: World, row: Row) -> tuple[bytes, int]:
    say: Callable[[str | bytes], tuple[bytes, int]] = world.owner if row.role == "owner" else world.say
    tags = {name: one["tag"] for name, one in OBJECTS.items()}
    match row.kind, row.what:
        case "object", name:
            return say(f"00CA{tags[name]}00")
        case (("file" | "field"), sfi):
            return say(bytes((0x00, 0xB0, 0x80 | int(sfi), 0x00, 0xDF)))
        case _, "select":
            return world.say(SELECT_SLOT)
        case _, "initialize_update":
            return world.say("8050000008 0102030405060708 00")
        case _, "external_authenticate_scp03":
            world.close()
            world.open(0x01)
            return b"", 0x9000  # or it raises
        case _, "get_challenge":
            return say("0084000010")
        case _, "external_authenticate":
            challenge, word = say("0084000010")
            return say(world.authenticate(certificate(), challenge if word == 0x9000 else bytes(16)))
        case _, "internal_authenticate":
            return say("0088000008 0102030405060708 00")
        case _, "verify":
            return say(bytes.fromhex("0020008104") + PIN)
        case _, "change_reference_data":
            return say(bytes.fromhex("0024008108") + PIN + b"9876")
        case _, "reset_retry_counter":
            return say("002C028104 39383736")
        case _, "store_data":
            if row.state == "installed":
                series = world.record(PERSONALIZED, rules={5: "00"})
            else:
                series = world.change(ACTIVE if row.state == "personalized" else TERMINATED)
            pieces = [series[at : at + 200] for at in range(0, len(series), 200)]
            for number, piece in enumerate(pieces):
                last = number == len(pieces) - 1
                head = bytes((0x80, 0xE2, 0x90 if last else 0x10, number, len(piece)))
                answer = say(head + piece)
                if answer[1] != 0x9000 or last:
                    return answer
    raise AssertionError(f"no action for {row}")


@pytest.mark.parametrize("row", table("slots", ROWS, size=25 * 5 * 4, sample=60))
def test_everything_answers_everybody_as_the_spec_says(card_state: Callable[[str], CardState], row: Row) -> None:
    world = prepared(card_state, row)
    before = world.memory.state.content
    octets, word = send(world, row)
    assert f"{word:04X}" == f"{expected(row):04X}"
    assert word == 0x9000 or not octets, "data beside a refusal"
    assert word == 0x9000 or world.memory.state.content == before, "a refusal that changed something"
    assert world.memory.state.content == before or row.what in WRITING


def test_every_word_that_the_table_expects_is_one_of_the_spec() -> None:
    for row in ROWS:
        name = {"object": "get_data", "file": "read_binary", "field": "read_binary"}.get(row.kind, row.what)
        told = {int(word["sw"], 16) for word in COMMANDS[name]["words"]}
        assert expected(row) in told, row


ALL_RULES = [
    "",
    *("".join(one) for size in (1, 2, 3) for one in itertools.product(("00", "01", "02", "03"), repeat=size)),
]


@pytest.mark.parametrize("first", range(0, len(ALL_RULES), 12))
def test_every_rule_of_at_most_three_alternatives(card_state: Callable[[str], CardState], first: int) -> None:
    """Each rule once in a field that the terminal may read (1 to 12) and once in one that it may not (13 to 24)."""
    some = ALL_RULES[first : first + 12]
    rules = {**dict(enumerate(some, 1)), **dict(enumerate(some, 13))}
    world = World(issued_state(card_state))
    listed = "0102030405060708090A0B0C"
    settings = authorities(authority(CA, listed)) + tlv("C7", PIN)
    world.fields = {}
    assert world.store(world.record(PERSONALIZED, rules=rules, extra=settings)) == 0x9000
    assert world.store(signed(2, ACTIVE, "20261101", bytes(64))) == 0x9000
    presented = certificate(fields=listed)
    for terminal, holder in itertools.product((False, True), repeat=2):
        world.power_off()
        assert not terminal or world.terminal(presented) == 0x9000
        assert not holder or world.holder() == 0x9000
        for sfi, rule in rules.items():
            met = {"00": True, "01": terminal and sfi <= 12, "02": holder, "03": terminal and sfi <= 12 and holder}
            opened = any(met[rule[at : at + 2]] for at in range(0, len(rule), 2))
            assert world.read(sfi)[1] == (0x9000 if opened else 0x6982), (sfi, rule, terminal, holder)
            assert world.owner(bytes((0x00, 0xB0, 0x80 | sfi, 0, 0)))[1] == 0x9000


def test_the_field_for_the_owner_alone_is_closed_to_a_terminal_with_pin(card_state: Callable[[str], CardState]) -> None:
    world = World(issued_state(card_state))
    world.bring_to(ACTIVE)
    assert (world.terminal(), world.holder()) == (0x9000, 0x9000)
    sfi = next(number for number, rule in FIELDS.items() if rule == OWNERS)
    assert bytes((sfi,)).hex() not in CERTIFIED
    assert world.read(sfi)[1] == 0x6982


@pytest.mark.parametrize("state", [PERSONALIZED, ACTIVE, SUSPENDED])
def test_roles_end_with_select_and_with_the_power(card_state: Callable[[str], CardState], state: int) -> None:
    world = World(issued_state(card_state))
    world.bring_to(state)
    for end in (world.select, world.power_off, world.reset):
        assert (world.terminal(), world.holder(), world.read(29)[1]) == (0x9000, 0x9000, 0x9000)
        end()
        world.select()
        assert [world.say(f"00CA{tag}00")[1] for tag in ("DF62", "DF63")] == [0x6982] * 2
        assert (world.read(29)[1], world.read(30)[1], world.read(1)[1]) == (0x6982,) * 3


def test_unknown_objects_and_instructions(card_state: Callable[[str], CardState]) -> None:
    world = World(issued_state(card_state))
    world.bring_to(ACTIVE)
    taken = {one["tag"] for one in OBJECTS.values()}
    some: list[Any] = [
        tag for tag in ("0045", "0042", "5F51", "7F21", "DF60", "DF65", "DF71", "0000") if tag not in taken
    ]
    assert {world.say(f"00CA{tag}00")[1] for tag in some} == {0x6A88}
    assert {world.say(one)[1] for one in ("00B2010C00", "00D60000", "802A0000010100", "80320080", "00EE0000")} == {
        0x6D00
    }
    assert world.say("90B0000000")[1] == 0x6E00
    assert world.say("01B0000000")[1] == 0x6881
