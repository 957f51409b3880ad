"""A state machine of the free area: owners, issuer, holder, terminals and thieves at once, with power cuts.

Its model is written from free-area.md and the prose of the specs; its host is :mod:`free_area.wire`, neither side of
the toolkit. After every step: quotas hold, counters and dates never fall, every record's signature verifies, the card
file reads as the same card, and the other applications keep every byte.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from free_area import wire
from free_area.cuts import CuttingMemory, PowerLost
from free_area.soundness import DOMAIN_COST, SLOT_COST, TOTAL, bank_size, grew, is_sound, used
from free_area.wire import FIRM, OK, TOWN, TRIAL, Entry, Party, Record, Scp03, TerminalCard
from free_area.world import blank, card_number, content, create_owner, soft, soft_on, untouched
from kojin_card.simulator.content import Bank, FieldState

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator import CardState

OWNERS = (TOWN, FIRM)
NAMES = ("a", "b", "c")
QUOTA = 1536
NO_ROOM, WRONG_STATE, NOT_FOUND = 0x6A84, 0x6985, 0x6A82
TO = {0: (1,), 1: (2, 4), 2: (3, 4), 3: (2, 4), 4: ()}
JPKI_TRIES = "00200098"
PINS = (b"2468", b"9753")
DATES = ("20260901", "20261001", "20261101", "20261201", "20270101")


@cache
def start() -> tuple[CardState, bytes]:
    """A card with two owners who have little room; its card identification number."""
    card = soft(blank())
    for owner in OWNERS:
        create_owner(card, owner, QUOTA)
    number = card_number(card)
    return card.state, number


@dataclass(frozen=True)
class Slot:
    """What the model knows of a slot; ``record``: the valid one, None before the first."""

    owner: Party
    record: Record | None = None
    pin: bytes | None = None
    groups: tuple[str, ...] = ()
    listed: bool = False
    locked: bool = False

    @property
    def state(self) -> int:
        """The slot's state."""
        return wire.INSTALLED if self.record is None else self.record.state


def seen(state: CardState) -> dict[bytes, tuple[object, ...]]:
    """What there is on the card, as far as the model says it."""
    found: dict[bytes, tuple[object, ...]] = {}
    for one in content(state).slots:
        bank = one.bank
        fields = None if bank is None else tuple((it.sfi, it.rule, it.content) for it in bank.fields)
        found[one.aid] = (
            one.domain,
            bool(one.life_cycle & 0x80),
            one.counter,
            0 if bank is None else bank.state,
            fields,
            one.pin,
            one.groups,
            len(one.authorities),
        )
    return found


def meant(slots: dict[bytes, Slot]) -> dict[bytes, tuple[object, ...]]:
    """The same, of the model."""
    found: dict[bytes, tuple[object, ...]] = {}
    for aid, one in slots.items():
        record = one.record
        fields = None
        if record is not None:
            fields = tuple((sfi, it.rule, it.content) for sfi, it in sorted(record.fields.items()))
        found[aid] = (
            one.owner.domain,
            one.locked,
            0 if record is None else record.counter,
            one.state,
            fields,
            one.pin,
            one.groups,
            int(one.listed),
        )
    return found


contents = st.dictionaries(
    st.integers(1, 4),
    st.builds(
        Entry,
        st.sampled_from([b"", b"\x00", b"\x01", b"\x02", b"\x03", b"\x01\x02"]),
        st.builds(lambda byte, size: byte * size, st.binary(min_size=1, max_size=1), st.sampled_from([0, 9, 100, 180])),
    ),
    max_size=4,
)
#: at which of its writes an operation loses power, and whether after it; most have one, a record has two
cuts = st.one_of(st.none(), st.tuples(st.sampled_from([0, 0, 1]), st.booleans()))
whose = st.sampled_from(OWNERS)
which = st.sampled_from(NAMES)


def slots_here(machine: FreeAreaMachine, *, open_: bool) -> st.SearchStrategy[bytes]:
    """AIDs of the slots that are there; ``open_``: of those that can be written."""
    found = [aid for aid, one in machine.slots.items() if not open_ or not (one.locked or one.state == wire.TERMINATED)]
    return st.sampled_from(sorted(found) or [b""])


there = st.deferred(lambda: st.runner().flatmap(lambda it: slots_here(it, open_=False)))
writable = st.deferred(lambda: st.runner().flatmap(lambda it: slots_here(it, open_=True)))


class FreeAreaMachine(RuleBasedStateMachine):
    """Random actors and operations on one card."""

    def __init__(self) -> None:
        super().__init__()
        state, self.number = start()
        self.first = state
        self.memory = CuttingMemory(state)
        self.card = soft_on(self.memory)
        self.slots: dict[bytes, Slot] = {}
        self.quota = dict.fromkeys((owner.domain for owner in OWNERS), QUOTA)
        self.last = state
        self.signers = {owner.domain: wire.private(f"{owner.name}/record").public_key() for owner in OWNERS}

    # --- helpers -----------------------------------------------------------------------------------------------------

    def opened(self, aid: bytes, owner: Party | None) -> Scp03:
        """A session of an owner (None: the issuer's), after whatever waiting thieves have earned."""
        for _ in range(300):
            try:
                return wire.session(self.card, aid, owner.keys if owner is not None else TRIAL)
            except wire.Refused as refused:
                if refused.sw != WRONG_STATE:
                    raise
        raise AssertionError("the velocity check never ends")

    def doing(self, cut: tuple[int, bool] | None, work: Callable[[], int], then: dict[bytes, Slot], word: int) -> None:
        """Do something that should end with ``word``, and leave the model ``then`` if it is 9000; or lose power."""
        self.memory.writes, self.memory.cut = 0, cut
        try:
            said = work()
        except PowerLost:
            self.memory.cut = None
            self.card = soft_on(self.memory)
            there = seen(self.memory.state)
            if there != meant(self.slots):
                assert word == OK, "something was kept of what had to be refused"
                assert there == meant(then), "neither the old nor the new"
                self.slots = then
            return
        finally:
            self.memory.cut = None
        assert said == word, f"{said:04X} instead of {word:04X}"
        if word == OK:
            self.slots = then

    def room(self, aid: bytes, domain: bytes, size: int) -> bool:
        """Whether there is room for a bank of that size (a new slot: 0)."""
        area = content(self.memory.state)
        if (slot := area.slot(aid)) is None:
            more = SLOT_COST
        else:
            bank = slot.bank
            old = [bank_size(it) for it in slot.banks if it is not None]
            keeps = bank_size(bank) if bank is not None else 0
            more = 2 * max(keeps, size) - 2 * max(old, default=0)
        mine = used(area, domain) + more
        total = sum(used(area, one.aid) for one in area.domains) + more
        return mine <= self.quota[domain] and total <= TOTAL

    def key_of(self, aid: bytes) -> bytes:
        slot = content(self.memory.state).slot(aid)
        assert slot is not None
        return wire.public_of(slot.card_key)

    def pick(self, owner: Party, name: str) -> tuple[bytes, Slot | None]:
        aid = owner.slot(name)
        return aid, self.slots.get(aid)

    # --- owners ------------------------------------------------------------------------------------------------------

    @initialize(fields=contents)
    def slots_to_begin_with(self, fields: dict[int, Entry]) -> None:
        for owner in OWNERS:
            self.install(owner, "a", None)
            self.update(owner.slot("a"), fields, True, None)
            self.move(owner.slot("a"), wire.ACTIVE, None)

    @rule(owner=whose, name=which, cut=cuts)
    def install(self, owner: Party, name: str, cut: tuple[int, bool] | None) -> None:
        aid, slot = self.pick(owner, name)
        if slot is not None:
            return
        session = self.opened(owner.domain, owner)
        word = OK if self.room(aid, owner.domain, 0) else NO_ROOM
        then = {**self.slots, aid: Slot(owner)}
        self.doing(cut, lambda: session.send("80E60C00", wire.install_slot(aid)).sw, then, word)

    @rule(aid=there, fields=contents, settings_too=st.booleans(), cut=cuts)
    def update(
        self,
        aid: bytes,
        fields: dict[int, Entry],
        settings_too: bool,
        cut: tuple[int, bool] | None,
    ) -> None:
        slot = self.slots.get(aid)
        if slot is None or slot.locked:
            return
        owner = slot.owner
        first = slot.record is None
        record = Record(
            aid,
            self.number,
            self.key_of(aid),
            wire.PERSONALIZED if slot.record is None else slot.record.state,
            1 if slot.record is None else slot.record.counter + 1,
            fields,
            date=self.date(slot),
            party=owner,
            signer=f"{owner.name}/record",
        )
        more = wire.authorities((owner, bytes(range(1, 5)))) + wire.groups("library") if settings_too or first else b""
        pin = PINS[0] if first else None
        bank = Bank(
            record.state,
            record.counter,
            record.date,
            record.descriptor,
            tuple(FieldState(sfi, it.rule, it.content) for sfi, it in sorted(fields.items())),
            bytes(64),
        )
        word = OK
        if slot.state == wire.TERMINATED:
            word = WRONG_STATE
        elif not self.room(aid, owner.domain, bank_size(bank)):
            word = NO_ROOM
        new = replace(slot, record=record)
        if more:
            new = replace(new, groups=("library",), listed=True)
        if pin:
            new = replace(new, pin=pin)
        session = self.opened(aid, owner)
        self.doing(
            cut,
            lambda: wire.store(session, record.full(settings=more, pin=pin)),
            {**self.slots, aid: new},
            word,
        )

    def date(self, slot: Slot) -> bytes:
        """An honest owner's clock: not before what the slot has seen of it."""
        return bytes.fromhex("20261101") if slot.record is None else slot.record.date

    @rule(aid=there, to=st.integers(1, 4), cut=cuts)
    def move(self, aid: bytes, to: int, cut: tuple[int, bool] | None) -> None:
        slot = self.slots.get(aid)
        if slot is None or slot.record is None or slot.locked:
            return
        owner = slot.owner
        record = slot.record.next(state=to)
        word = OK if to in TO[slot.state] else WRONG_STATE
        session = self.opened(aid, owner)
        then = {**self.slots, aid: replace(slot, record=record)}
        self.doing(cut, lambda: wire.store(session, record.tail), then, word)

    @rule(aid=writable, more=st.sampled_from([-1, 0, 2, 1 << 31]))
    def another_counter(self, aid: bytes, more: int) -> None:
        slot = self.slots.get(aid)
        if slot is None or slot.record is None or slot.locked or slot.state == wire.TERMINATED:
            return
        owner = slot.owner
        counter = slot.record.counter + more
        if counter < 0:
            return
        record = replace(slot.record, counter=counter)
        session = self.opened(aid, owner)
        self.doing(None, lambda: wire.store(session, record.full()), self.slots, WRONG_STATE)

    @precondition(lambda self: len(self.slots) > 2)
    @rule(aid=there, cut=cuts)
    def delete(self, aid: bytes, cut: tuple[int, bool] | None) -> None:
        slot = self.slots.get(aid)
        owner, aid = (TOWN, TOWN.slot("nothing")) if slot is None else (slot.owner, aid)
        session = self.opened(owner.domain, owner)
        then = {other: one for other, one in self.slots.items() if other != aid}
        word = OK if slot is not None else 0x6A88
        self.doing(cut, lambda: session.send("80E40000", wire.tlv("4F", aid)).sw, then, word)

    @rule(aid=there, lock=st.booleans(), cut=cuts)
    def lock(self, aid: bytes, lock: bool, cut: tuple[int, bool] | None) -> None:
        slot = self.slots.get(aid)
        if slot is None or slot.locked == lock:
            return
        owner = slot.owner
        session = self.opened(owner.domain, owner)
        then = {**self.slots, aid: replace(slot, locked=lock)}
        self.doing(cut, lambda: session.send(f"80F040{0x80 if lock else 0:02X}", aid).sw, then, OK)

    @rule(aid=writable, pin=st.sampled_from(PINS), cut=cuts)
    def unblock(self, aid: bytes, pin: bytes, cut: tuple[int, bool] | None) -> None:
        slot = self.slots.get(aid)
        if slot is None or slot.locked or slot.record is None:
            return
        owner = slot.owner
        word = OK if slot.state in (1, 2, 3) else WRONG_STATE
        session = self.opened(aid, owner)
        then = {**self.slots, aid: replace(slot, pin=pin)}
        self.doing(cut, lambda: session.send("002C0281", pin).sw, then, word)

    # --- others ------------------------------------------------------------------------------------------------------

    @rule(aid=there)
    def another_owner(self, aid: bytes) -> None:
        """Whose keys these are not gets nowhere, at the slot, at the domain, and at its own domain."""
        slot = self.slots.get(aid)
        if slot is None:
            return
        owner = slot.owner
        other = FIRM if owner is TOWN else TOWN
        before = seen(self.memory.state)
        for place in (aid, owner.domain):
            word = wire.refusal(self.card, place, other.keys)
            assert word in (0x6300, WRONG_STATE) or (slot.locked and word == NOT_FOUND)
        session = self.opened(other.domain, other)
        assert session.send("80E40000", wire.tlv("4F", aid)).sw != OK
        assert session.send("80F04080", aid).sw != OK
        assert session.send("80E62000", wire.for_personalization(aid)).sw != OK
        assert seen(self.memory.state) == before

    @rule(owner=whose, quota=st.sampled_from([1024, QUOTA, 3072]), cut=cuts)
    def give_room(self, owner: Party, quota: int, cut: tuple[int, bool] | None) -> None:
        """By the issuer; less than is used is refused."""
        session = self.opened(wire.ISD, None)
        if quota < used(content(self.memory.state), owner.domain):
            assert session.send("80E64000", wire.set_quota(owner.domain, quota)).sw == NO_ROOM
            return
        self.memory.writes, self.memory.cut = 0, cut
        try:
            assert session.send("80E64000", wire.set_quota(owner.domain, quota)).sw == OK
        except PowerLost:
            self.card = soft_on(self.memory)
        self.memory.cut = None
        there = content(self.memory.state).domain(owner.domain)
        assert there is not None
        assert there.quota == quota or (cut is not None and there.quota == self.quota[owner.domain])
        self.quota[owner.domain] = there.quota

    @rule(aid=there, pin=st.sampled_from(PINS))
    def holder(self, aid: bytes, pin: bytes) -> None:
        """Shows a PIN, right or wrong, and reads what that opens."""
        slot = self.slots.get(aid)
        if slot is None:
            return
        said = wire.select(self.card, aid)
        if slot.locked:
            assert said.sw == NOT_FOUND
            return
        there = content(self.memory.state).slot(aid)
        assert there is not None
        left, word = there.tries_left, wire.verify_pin(self.card, pin)
        here = False
        if slot.state not in (1, 2, 3):
            assert word == WRONG_STATE
        elif not left:
            assert word == 0x6983
        elif pin == slot.pin:
            assert word == OK
            here = True
        else:
            assert word == 0x63C0 | left - 1
        now = content(self.memory.state).slot(aid)
        assert now is not None
        assert now.tries_left == (left if word in (WRONG_STATE, 0x6983) else now.tries_full if here else left - 1)
        self.reads(slot, terminal=False, holder=here)

    @rule(
        aid=there,
        issued=st.sampled_from(DATES),
        expiry=st.sampled_from(DATES),
        group=st.sampled_from(["library", "pool"]),
        honest=st.booleans(),
    )
    def terminal(self, aid: bytes, issued: str, expiry: str, group: str, honest: bool) -> None:
        """Shows a certificate, and reads what that opens; the newest date ages the others out."""
        slot = self.slots.get(aid)
        if slot is None or slot.locked:
            return
        owner = slot.owner
        wire.select(self.card, aid)
        there = content(self.memory.state).slot(aid)
        assert there is not None
        shown = TerminalCard(
            ca=owner, issued=issued, expiry=expiry, group=group, signer="" if honest else "forger", fields=b"\x01\x02"
        )
        word = wire.show(self.card, shown, aid)
        now = content(self.memory.state).slot(aid)
        assert now is not None
        newest = there.newest
        if slot.state not in (1, 2, 3):
            wanted = {WRONG_STATE}
        elif not slot.listed:
            wanted = {0x6A80, 0x6982} if issued > expiry else {0x6982}
        elif issued > expiry:
            wanted = {0x6A80, 0x6982, 0x6984}
        elif not honest:
            wanted = {0x6982}
        elif bytes.fromhex(expiry) < there.newest:
            wanted = {0x6984 if group in slot.groups else 0x6982}
        else:
            newest = max(newest, bytes.fromhex(issued))
            wanted = {OK if group in slot.groups else 0x6982}
        assert word in wanted, f"{word:04X}"
        assert now.newest == newest
        self.reads(slot, terminal=word == OK, holder=False)

    def reads(self, slot: Slot, *, terminal: bool, holder: bool) -> None:
        """Every file: what was shown opens it, or the card refuses."""
        if slot.record is None:
            return
        for sfi, one in slot.record.fields.items():
            said = wire.read(self.card, sfi)
            terms = {1: terminal and sfi in (1, 2), 2: holder}
            open_ = any(all(terms[bit] for bit in (1, 2) if rule & bit) for rule in one.rule)
            if open_ and slot.state == wire.ACTIVE:
                assert said == (one.content, OK)
            else:
                assert said.sw in (0x6982, WRONG_STATE), f"{said.sw:04X}"
                assert not said.data
        for sfi in (wire.DESCRIPTOR_FILE, wire.MANIFEST_FILE):
            said = wire.read(self.card, sfi)
            assert (said.sw == OK) == (terminal or holder), f"{said.sw:04X}"

    @rule(aid=there)
    def passer_by(self, aid: bytes) -> None:
        """Shows nothing, and learns the AID."""
        slot = self.slots.get(aid)
        said = wire.select(self.card, aid or TOWN.slot("nothing"))
        if slot is None or slot.locked:
            assert said.sw == NOT_FOUND
            return
        self.reads(slot, terminal=False, holder=False)
        assert wire.say(self.card, "00CADF61", le=True) == (wire.tlv("84", aid) + wire.tlv("80", b"\x01"), OK)
        assert wire.say(self.card, "00CADF62", le=True).sw == 0x6982
        assert wire.say(self.card, "80E29000", slot.record.tail if slot.record else b"\x00").sw != OK

    @rule(seconds=st.booleans())
    def unpower(self, seconds: bool) -> None:
        self.card.power_off() if seconds else self.card.reset()

    @rule()
    def another_application(self) -> None:
        """It answers as ever."""
        assert wire.select(self.card, bytes.fromhex("D392F000260100000001")).sw == OK
        assert wire.say(self.card, JPKI_TRIES).sw == 0x63C3

    @precondition(lambda self: self.slots)
    @rule()
    def walk(self) -> None:
        """By prefix and next occurrence: every slot that is not locked, once each."""
        self.card.reset()
        found = []
        said = wire.select(self.card, wire.SLOT_PREFIX)
        while said.sw in (OK, 0x6285):
            found.append(wire.objects(wire.objects(said.data)[0][1])[0][1])
            assert len(found) <= len(self.slots)
            said = wire.select(self.card, wire.SLOT_PREFIX, p2=2)
        assert sorted(found) == sorted(aid for aid, slot in self.slots.items() if not slot.locked)

    # --- always ------------------------------------------------------------------------------------------------------

    @invariant()
    def the_card_is_sound(self) -> None:
        state = self.memory.state
        assert untouched(self.first, state)
        if state is self.last:
            return
        is_sound(state, self.number, self.signers)
        grew(content(self.last), content(state))
        assert seen(state) == meant(self.slots)
        assert {one.aid: one.quota for one in content(state).domains} == self.quota
        assert used(content(state), TOWN.domain) >= DOMAIN_COST
        self.last = state


TestFreeAreaMachine = FreeAreaMachine.TestCase
TestFreeAreaMachine.settings = settings(
    max_examples=40, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
