"""Power lost before, inside and after every APDU of every operation: the old state or the new one, and never a third.

A table (tests/tables.py): every operation of :mod:`.operations`, every APDU, every write within it, before and after.
Afterwards a new session finds a card whose file is sound and whose records can be read and verify offline, and the same
call again ends where the undisturbed one did, exactly once: no second slot, no counter too far.
"""

from __future__ import annotations

import contextlib
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest

from free_area import operations
from free_area.cuts import Bench, Clean, Cut, cuts_of, undisturbed
from free_area.operations import COMPANY, NEW_TOWN, OLD_TOWN, OPERATIONS, number, view
from free_area.soundness import grew, is_sound
from free_area.wire import public_key
from free_area.world import content, soft, untouched
from kojin_card.errors import KojinError, TransportError
from kojin_card.testing import FaultyConnection, every_fault
from kojin_card.verdict import Indication
from tables import table

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

    from kojin_card.simulator import CardState

OWNERS = {(one.kind.value, one.code): one for one in (OLD_TOWN, NEW_TOWN, COMPANY)}


@cache
def clean(name: str) -> Clean:
    """The operation, undisturbed."""
    operation = OPERATIONS[name]
    return undisturbed(operation.start(), operation.run)


def signers(state: CardState) -> dict[bytes, ec.EllipticCurvePublicKey]:
    """Record keys by domain."""
    return {
        one.aid: public_key(operations.store_entry(OWNERS[one.owner_kind, one.owner_code]).keys[0].record_key)
        for one in content(state).domains
    }


def reads_and_verifies(state: CardState, *, terminals: bool) -> None:
    """A new session of each owner reads everything, and what is in use passes at a terminal that is offline."""
    area = content(state)
    if area.issuer.life_cycle == 0x7F:
        return  # nothing can be selected while the card is locked
    for one in area.slots:
        domain = area.domain(one.domain)
        assert domain is not None
        if one.bank is None or one.life_cycle & 0x80:
            continue
        owner = OWNERS[domain.owner_kind, domain.owner_code]
        keys = operations.rotated(owner) if domain.keys[0].version != operations.first_version() else None
        shown = operations.desk(soft(state), owner, keys).show(one.aid)
        service = operations.service_of(shown)
        assert service is not None
        assert (shown.counter, shown.owner) == (one.counter, owner)
        wanted = {service.by_sfi(it.sfi).id: it.content[16:] for it in one.bank.fields}  # type: ignore[union-attr]
        assert {name: service.fields[name].encode(text) for name, text in shown.values.items()} == wanted
        assert not shown.closed
        if terminals and shown.state == "active":
            read = operations.gate(soft(state), owner, service.id, one.aid, one.pin)
            assert read.verdict.indication is Indication.TOTAL_PASSED, [it for it in read.verdict.checks if it.reason]


class Row(NamedTuple):
    """Where one operation is cut."""

    operation: str
    cut: Cut

    def __str__(self) -> str:
        return f"{self.operation}: {self.cut}"


#: writes of each APDU of each operation, typed, so that no APDU and no write goes missing unseen
WRITES = {
    "issue facility": "00000012000010120002000000002",
    "issue seal_registration": "0000001200001012000200000002",
    "issue health_insurance": "0000000101012000101200020000000002",
    "issue staff_id": "000000120000101200020000000002",
    "update": "000000120120000000002",
    "suspend": "000000120120002",
    "resume": "000000120120002",
    "terminate": "000000120120002",
    "delete": "0000001200001",
    "unblock": "000000120121",
    "join": "000000120120000000001",
    "rotate": "00000000120121",
    "hand over": "00000012012000000000120002",
    "take over": "00000001012000012000101200002000000000002",
    "create owner": "0001200000101210120000",
    "delete owner": "00012000001",
    "set quota": "00012000010120000",
    "lock": "0001200001",
    "unlock": "0001200001",
    "lock card": "0001200001",
    "unlock card": "0001200001",
    "delete slot as issuer": "0001200001",
}


def rows() -> list[Row]:
    return [Row(name, cut) for name, typed in WRITES.items() for cut in cuts_of(tuple(map(int, typed)))]


def test_the_operations_write_as_the_table_says() -> None:
    assert {name: "".join(map(str, clean(name).writes)) for name in OPERATIONS} == WRITES


#: before and after each of 414 APDUs, and before and after each of 171 writes
SIZE = 2 * 414 + 2 * 171


@pytest.mark.parametrize("row", table("power cuts", rows(), size=SIZE, sample=40))
def test_a_cut_leaves_the_old_or_the_new(row: Row) -> None:
    operation, whole = OPERATIONS[row.operation], clean(row.operation)
    start = operation.start()
    bench = Bench(start, row.cut)
    with pytest.raises(TransportError) as failed:
        operation.run(bench)
    assert failed.value.remedy("ja")
    left = bench.state
    before, after = view(whole.states[row.cut.at]), view(whole.states[row.cut.at + 1])
    assert view(left) in (before, after), f"{row}: a third thing"
    if row.cut.write is None:
        assert view(left) == (after if row.cut.kept else before), row
    sound(start, left)
    reads_and_verifies(left, terminals=True)
    again = Bench(left)
    operation.run(again)
    assert view(again.state) == view(whole.states[-1]), f"{row}: repeated, it ends elsewhere"
    sound(left, again.state)
    twice = Bench(again.state)
    operation.run(twice)
    assert view(twice.state) == view(whole.states[-1]), f"{row}: done twice"
    assert content(twice.state).slots == content(again.state).slots, f"{row}: written twice"


def sound(before: CardState, after: CardState) -> None:
    """Nothing impossible, nothing backwards, nothing of another application."""
    is_sound(after, number(), signers(after))
    grew(content(before), content(after))
    assert untouched(before, after)


@pytest.mark.parametrize("name", OPERATIONS)
def test_undisturbed_it_does_something_once(name: str) -> None:
    whole = clean(name)
    assert view(whole.states[0]) != view(whole.states[-1]), "it does nothing"
    assert any(writes for writes in whole.writes)
    sound(whole.states[0], whole.states[-1])
    reads_and_verifies(whole.states[-1], terminals=True)


class FaultRow(NamedTuple):
    """One fault at one APDU."""

    operation: str
    at: int
    kind: str

    def __str__(self) -> str:
        return f"{self.operation}, APDU {self.at}, {self.kind}"


#: what cables, readers and other programs do to an answer (kojin_card.testing); words of status are one in ten
KINDS = [name for number_, name in enumerate(every_fault()) if not name.startswith("SW") or number_ % 10 == 0]


def fault_rows() -> list[FaultRow]:
    return [FaultRow(name, at, kind) for name in WRITES for at in range(len(WRITES[name])) for kind in KINDS]


#: 414 APDUs, each with 35 faults
FAULTS = 414 * 35


@pytest.mark.parametrize("row", table("faults of the free area", fault_rows(), size=FAULTS, sample=60))
def test_whatever_comes_back_the_card_stays_whole_and_the_call_can_be_repeated(row: FaultRow) -> None:
    """Answers that are garbage, lost, late or of somebody else: a typed error or the right end, nothing in between."""
    operation, whole = OPERATIONS[row.operation], clean(row.operation)
    start = operation.start()
    card = soft(start)
    faulty = FaultyConnection(card, at=row.at, fault=row.kind, sleep=lambda _: None)
    with contextlib.suppress(KojinError):
        operation.run(faulty)
    sound(start, card.state)
    reads_and_verifies(card.state, terminals=False)
    known = [view(state) for state in whole.states]
    assert view(card.state) in known, f"{row}: a state that no undisturbed call goes through"
    again = Bench(card.state)
    operation.run(again)
    assert view(again.state) == known[-1], f"{row}: repeated, it ends elsewhere"
