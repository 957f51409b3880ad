"""A command or a response is lost at whichever APDU: connect again, call again, and the card is as if nothing had been.

Every operation that writes, every APDU of it, both ways of losing: the same slots, states, counters, values, PIN and
rights as without a fault, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from client.slots_world import (
    BASIS,
    FACILITY,
    FACILITY_AID,
    NEXT_TOWN,
    PIN,
    SEAL,
    SEAL_AID,
    TOWN,
    World,
    blank,
    clock,
    in_use,
    keys,
    terminal_key,
    with_domains,
)
from kojin_card.errors import TransportError
from kojin_card.secret import Secret
from kojin_card.simulator import SoftCard
from kojin_card.slots import JoinedAuthority, SlotIssuer
from kojin_card.spec.service import load_services
from kojin_card.testing.faults import Fault, FaultKind, FaultyConnection
from kojin_card.verdict import Indication

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

NEW_AID = FACILITY_AID[:-1] + b"\x33"


def lose_answer(connection: FaultyConnection, command: bytes) -> bytes:
    connection.deliver(command)
    raise TransportError("the answer was lost")


def lose_command(connection: FaultyConnection, command: bytes) -> bytes:
    raise TransportError("the command was lost")


FAULTS = (
    Fault("answer lost", FaultKind.FAILURE, lose_answer, breaks=True),
    Fault("command lost", FaultKind.FAILURE, lose_command, breaks=True),
)


@cache
def rotated_keys() -> Any:
    return keys(TOWN).rotated(date(2026, 11, 20))


@cache
def handed_over() -> tuple[CardState, bytes]:
    """A card whose library card was handed over to the next town, and the file."""
    card = SoftCard.in_memory(in_use())
    files: list[bytes] = []
    World.at(card).desk().hand_over(FACILITY_AID, NEXT_TOWN, files.append)
    return card.state, files[0]


def suspended() -> CardState:
    card = SoftCard.in_memory(in_use())
    World.at(card).desk().suspend(FACILITY_AID)
    return card.state


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that writes."""

    name: str
    start: Callable[[], CardState]
    run: Callable[[World], object]


OPERATIONS = (
    Operation("create_owner", blank, lambda world: world.issuer.create_owner(keys(TOWN))),
    Operation("set_quota", with_domains, lambda world: world.issuer.set_quota(TOWN, 4096)),
    Operation("delete_owner", in_use, lambda world: world.issuer.delete_owner(TOWN, slots=True)),
    Operation("lock_card", in_use, lambda world: world.issuer.lock_card()),
    Operation("lock", in_use, lambda world: world.issuer.lock(SEAL_AID)),
    Operation(
        "issue",
        with_domains,
        lambda world: world.desk().issue(
            "seal_registration", SEAL, legal_basis=BASIS, instance=SEAL_AID, pin=Secret(PIN)
        ),
    ),
    Operation("update", in_use, lambda world: world.desk().update(FACILITY_AID, {"category": "student"})),
    Operation("suspend", in_use, lambda world: world.desk().suspend(FACILITY_AID)),
    Operation("resume", suspended, lambda world: world.desk().resume(FACILITY_AID)),
    Operation("terminate", in_use, lambda world: world.desk().terminate(FACILITY_AID)),
    Operation("delete", in_use, lambda world: world.desk().delete(FACILITY_AID)),
    Operation("unblock", in_use, lambda world: world.desk().unblock(SEAL_AID, Secret("9753"))),
    Operation(
        "join",
        in_use,
        lambda world: world.desk().join(
            FACILITY_AID, [JoinedAuthority(keys(NEXT_TOWN).terminal_ca.compressed, NEXT_TOWN, (1, 4))], ["library"]
        ),
    ),
    Operation(
        "rotate",
        in_use,
        lambda world: SlotIssuer(world.channel, rotated_keys(), load_services(), clock=clock).rotate(),
    ),
    Operation("hand_over", in_use, lambda world: world.desk().hand_over(FACILITY_AID, NEXT_TOWN, bytes)),
    Operation(
        "take_over",
        lambda: handed_over()[0],
        lambda world: world.desk(NEXT_TOWN).take_over(handed_over()[1], FACILITY, legal_basis=BASIS, instance=NEW_AID),
    ),
)


def told(state: CardState) -> object:
    """What the free area is, without what chance decides (salts, signatures, card keys, AIDs of domains)."""
    content = state.content
    assert content is not None
    owners = {one.aid: one.owner_code for one in content.domains}
    slots = [
        (
            one.aid,
            owners[one.domain],
            one.life_cycle,
            one.counter,
            one.newest,
            one.pin,
            one.tries_left,
            one.authorities,
            one.groups,
            None if one.bank is None else (one.bank.state, [(f.sfi, f.rule, f.content[16:]) for f in one.bank.fields]),
        )
        for one in content.slots
    ]
    domains = [
        (one.owner_code, one.life_cycle, one.quota, [key.version for key in one.keys]) for one in content.domains
    ]
    return content.issuer.life_cycle, domains, slots


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_same_call_again_ends_where_one_call_ends(operation: Operation, fault: Fault) -> None:
    start = operation.start()
    card = SoftCard.in_memory(start)
    world = World.at(card)
    operation.run(world)
    wanted, count = told(card.state), world.channel.link.sent
    assert wanted != told(start)
    for at in range(count):
        card = SoftCard.in_memory(start)
        with pytest.raises(TransportError):
            operation.run(World.at(FaultyConnection(card, at=at, fault=fault)))
        card.power_off()
        operation.run(World.at(card))
        assert told(card.state) == wanted, f"{fault.name} at APDU {at} of {count}"
        untouched = replace(card.state, content=None) == replace(start, content=None)
        assert untouched, "another application was changed"


def test_a_call_again_after_success_writes_nothing() -> None:
    for operation in OPERATIONS:
        card = SoftCard.in_memory(operation.start())
        operation.run(World.at(card))
        before = told(card.state)
        operation.run(World.at(card))
        assert told(card.state) == before, operation.name


def test_a_lost_issuance_says_which_slot_it_was() -> None:
    """Without an instance of the caller's: the error has it, and with it the issuance goes on."""
    card = SoftCard.in_memory(with_domains())
    world = World.at(FaultyConnection(card, at=16, fault=FAULTS[0]))
    with pytest.raises(TransportError) as caught:
        world.desk().issue("facility", FACILITY, legal_basis=BASIS)
    instance = bytes.fromhex(str(caught.value.details["slot"]))
    card.power_off()
    issued = World.at(card).desk().issue("facility", FACILITY, legal_basis=BASIS, instance=instance)
    assert issued.aid == instance
    assert card.state.content is not None
    assert len(card.state.content.slots) == 1
    assert World.at(card).terminal(terminal_key()).read(instance).verdict.indication is Indication.TOTAL_PASSED
