"""Slots of the free area that are not what they seem, read offline by a terminal and by their holder.

The attacker has the card's file (every byte of it), or stands between card and terminal, or has a chip of his own that
says what he likes; he has neither the owner's keys nor, unless a row says so, the key of the genuine chip.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import pytest

from conftest import CARD_NOW
from free_area import operations, wire
from free_area.operations import LIBRARY, NEW_TOWN, OLD_TOWN, SLEEPING
from free_area.world import content, slot, soft
from kojin_card.slots import OwnerStore, SlotTerminal, Standing, StaticStatus
from kojin_card.spec.service import load_services
from kojin_card.testing.cards import card_state
from kojin_card.verdict import REASONS, Indication

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kojin_card.simulator import CardState, SoftCard
    from kojin_card.simulator.content import Bank, SlotState
    from kojin_card.slots import SlotReading
    from kojin_card.transport.base import Connection

_MANIFEST = f"file {wire.MANIFEST_FILE}"


class Parrot:
    """What stands between card and terminal and answers for the card where it likes.

    Args:
        says: ``file 30`` (READ BINARY by short identifier) or ``DF62`` (GET DATA) -> what is said in its place.
    """

    def __init__(self, card: SoftCard, says: Mapping[str, bytes]) -> None:
        self.card, self.says, self.file = card, says, 0

    def transmit(self, command: bytes, /) -> bytes:
        """The card's answer, or ours."""
        answer = self.card.transmit(command)
        ins, first, second = command[1], command[2], command[3]
        if command[0] or ins not in (0xB0, 0xCA):
            return answer
        if ins == 0xCA:
            said = self.says.get(command[2:4].hex().upper())
            return answer if said is None else said + b"\x90\x00"
        offset = first << 8 | second
        if first & 0x80:
            self.file, offset = first & 0x1F, second
        said = self.says.get(f"file {self.file}")
        if said is None:
            return answer
        length = command[4] or 256
        return said[offset : offset + length] + b"\x90\x00" if offset < len(said) else b"\x6b\x00"

    def reset(self) -> None:
        """Reset the card."""
        self.card.reset()


def genuine() -> CardState:
    """The card as its owner left it."""
    return operations.lived_in()


@cache
def updated() -> CardState:
    """The same, after the owner changed the library's record."""
    card = soft(genuine())
    operations.desk(card).update(LIBRARY, {"user_number": "0099"})
    card.reset()
    return card.state


@cache
def other_card() -> CardState:
    """Another person's card with the same two owners."""
    card = soft(card_state("sapporo", CARD_NOW))
    operations.issuer(card).create_owner(operations.keys(OLD_TOWN))
    operations.issuer(card).create_owner(operations.keys(NEW_TOWN))
    card.reset()
    return card.state


def edited(state: CardState, aid: bytes, change: Callable[[SlotState], SlotState]) -> CardState:
    """The card with one slot changed in its file."""
    return replace(state, content=content(state).with_slot(aid, change))


def bank_of(one: SlotState) -> Bank:
    assert one.bank is not None
    return one.bank


def with_bank(state: CardState, aid: bytes, change: Callable[[Bank], Bank]) -> CardState:
    """The card with the valid record of one slot changed."""

    def changed(one: SlotState) -> SlotState:
        banks = tuple(change(bank) if bank == one.bank and bank is not None else bank for bank in one.banks)
        return replace(one, banks=(banks[0], banks[1]))

    return edited(state, aid, changed)


def file_of(state: CardState, aid: bytes, sfi: int) -> bytes:
    """A file of a genuine slot, as its owner reads it."""
    one = slot(state, aid)
    bank = bank_of(one)
    if sfi == wire.DESCRIPTOR_FILE:
        return bank.descriptor
    if sfi == wire.MANIFEST_FILE:
        from free_area.soundness import manifest

        return manifest(one, bank, operations.number()) + wire.tlv("9E", bank.signature)
    return next(it.content for it in bank.fields if it.sfi == sfi)


def copied(whole: bool) -> CardState:
    """The library's slot on another card; ``whole``: with the secret key of the chip it came from."""
    one = slot(genuine(), LIBRARY)
    there = content(other_card())
    key = one.card_key if whole else 0x1234567
    return replace(
        other_card(), content=replace(there, slots=(replace(one, domain=there.domains[0].aid, card_key=key),))
    )


def rolled_back(*, counter: bool) -> CardState:
    """The record before the update put back; ``counter``: the chip's own counter too."""
    old = slot(genuine(), LIBRARY)
    now = slot(updated(), LIBRARY)
    place = next(number for number, bank in enumerate(now.banks) if bank == old.bank)
    return edited(
        updated(),
        LIBRARY,
        lambda one: replace(one, active=place, counter=old.counter if counter else one.counter),
    )


def first_field(bank: Bank) -> int:
    """A field that a terminal may read."""
    return next(one.sfi for one in bank.fields if b"\x01" in one.rule)


def with_field(bank: Bank, *, value: bytes | None) -> Bank:
    """A field with another value of the same length (None: gone)."""
    sfi = first_field(bank)
    fields = tuple(
        replace(one, content=one.content[:16] + value) if one.sfi == sfi and value is not None else one
        for one in bank.fields
        if one.sfi != sfi or value is not None
    )
    return replace(bank, fields=fields)


def resigned(state: CardState, aid: bytes, signer: str) -> CardState:
    """A record signed by somebody else, with everything else right."""
    from free_area.soundness import manifest

    one = slot(state, aid)
    message = wire.context("record") + manifest(one, bank_of(one), operations.number())
    return with_bank(state, aid, lambda bank: replace(bank, signature=wire.sign(signer, message)))


@dataclass(frozen=True)
class Row:
    """A forgery.

    Attributes:
        what: for the page of attacks. reason: that the verdict gives; several with ``|`` between them.
        card: the card that is read. says: what a parrot says in its place.
    """

    what: str
    reason: str
    card: Callable[[], CardState]
    says: Callable[[], Mapping[str, bytes]] = dict
    aid: bytes = LIBRARY
    owners: Callable[[], OwnerStore] = operations.store
    status: Callable[[], StaticStatus] = operations.in_force
    now: datetime = operations.NOW
    newest_counter: int | None = None


def _manifest(state: CardState | None = None) -> Mapping[str, bytes]:
    return {_MANIFEST: file_of(state or genuine(), LIBRARY, wire.MANIFEST_FILE)}


def _flipped_manifest(place: int) -> Mapping[str, bytes]:
    data = bytearray(_manifest()[_MANIFEST])
    data[place] ^= 0x01
    return {_MANIFEST: bytes(data)}


def _stopped() -> StaticStatus:
    return StaticStatus(CARD_NOW, datetime(2027, 4, 1, tzinfo=UTC), Standing.UNKNOWN, {})


ROWS = [
    Row("a slot copied to another card, without the key of its chip", "slot_signature.forged", lambda: copied(False)),
    Row("a slot copied to another card, with the key of its chip", "slot_signature.forged", lambda: copied(True)),
    Row(
        "a copy on another card that tells the manifest of the first",
        "slot_binding.other_card",
        lambda: copied(True),
        _manifest,
    ),
    Row(
        "a copy that tells the manifest and the number of the first card, without the key of its chip",
        "slot_chip.wrong",
        lambda: copied(False),
        lambda: {**_manifest(), "0045": operations.number()},
    ),
    Row(
        "an old record put back; the chip knows a newer counter", "slot_counter.old", lambda: rolled_back(counter=False)
    ),
    Row(
        "an old record put back with the chip's counter; the reader has seen a newer one",
        "slot_counter.rolled_back",
        lambda: rolled_back(counter=True),
        newest_counter=3,
    ),
    Row(
        "an old manifest told over the new record",
        "slot_counter.old|slot_content.mismatch|slot_chip.wrong",
        updated,
        _manifest,
    ),
    Row(
        "a field edited in the card's file",
        "slot_signature.forged",
        lambda: with_bank(genuine(), LIBRARY, lambda bank: with_field(bank, value=b"0666")),
    ),
    Row(
        "a field edited, with the genuine manifest",
        "slot_content.mismatch",
        lambda: with_bank(genuine(), LIBRARY, lambda bank: with_field(bank, value=b"0666")),
        _manifest,
    ),
    Row(
        "a field taken away, with the genuine manifest",
        "slot_content.missing",
        lambda: with_bank(genuine(), LIBRARY, lambda bank: with_field(bank, value=None)),
        _manifest,
    ),
    Row(
        "a suspended slot set active in the card's file",
        "slot_signature.forged",
        lambda: with_bank(genuine(), SLEEPING, lambda bank: replace(bank, state=wire.ACTIVE)),
        aid=SLEEPING,
    ),
    Row("a suspended slot, read all the same", "slot_state.suspended", genuine, aid=SLEEPING),
    Row(
        "a legal basis edited in the hidden descriptor",
        "slot_signature.forged",
        lambda: with_bank(
            genuine(),
            LIBRARY,
            lambda bank: replace(bank, descriptor=bank.descriptor.replace("架空".encode(), "何処".encode())),
        ),
    ),
    Row(
        "a hidden descriptor of another owner, with the genuine manifest",
        "slot_content.mismatch",
        genuine,
        lambda: {
            f"file {wire.DESCRIPTOR_FILE}": file_of(genuine(), LIBRARY, wire.DESCRIPTOR_FILE).replace(
                b"13101", b"13102"
            )
        },
    ),
    Row("a record signed by nobody known", "slot_signature.forged", lambda: resigned(genuine(), LIBRARY, "forger")),
    Row(
        "an owner that the reader does not know",
        "slot_owner.unknown",
        genuine,
        owners=lambda: OwnerStore((operations.store_entry(NEW_TOWN),)),
    ),
    Row(
        "another key of the chip in the card's file",
        "slot_signature.forged",
        lambda: edited(genuine(), LIBRARY, lambda one: replace(one, card_key=0x1234567)),
    ),
    Row(
        "another key of the chip, with the genuine manifest",
        "slot_chip.wrong",
        lambda: edited(genuine(), LIBRARY, lambda one: replace(one, card_key=0x1234567)),
        _manifest,
    ),
    Row("one bit of the signature", "slot_signature.forged", genuine, lambda: _flipped_manifest(-1)),
    Row(
        "a record that has run out",
        "slot_validity.expired",
        genuine,
        now=datetime(2038, 11, 5, tzinfo=UTC),
        status=lambda: StaticStatus(CARD_NOW, datetime(2039, 4, 1, tzinfo=UTC), Standing.IN_FORCE, {}),
    ),
    Row("a card of which nobody says that it is in force", "card_standing.unknown", genuine, status=_stopped),
]


def judged(connection: Connection, row: Row) -> SlotReading:
    """What an honest terminal thinks of it."""
    key = operations.terminal_key(OLD_TOWN, "library", row.now.year)
    there = SlotTerminal(
        operations.card_on(connection).channel,
        key,
        row.owners(),
        load_services(),
        status=row.status(),
        clock=lambda: row.now,
    )
    return there.read(row.aid, newest_counter=row.newest_counter)


@pytest.mark.attack("slots")
@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_a_forged_slot_does_not_pass(row: Row) -> None:
    says = row.says()
    card = soft(row.card())
    reading = judged(Parrot(card, says) if says else card, row)
    reasons = {check.reason for check in reading.verdict.checks if check.reason}
    wanted = set(row.reason.split("|"))
    assert reasons & wanted, f"{row.what}: {reasons}"
    assert reading.verdict.indication is not Indication.TOTAL_PASSED
    assert reading.verdict.indication in {REASONS[reason].indication for reason in reasons}


def test_the_genuine_slot_passes() -> None:
    """Without which nothing above would mean anything."""
    for state in (genuine(), updated()):
        row = Row("nothing", "", lambda state=state: state)  # type: ignore[misc]
        reading = judged(soft(row.card()), row)
        assert reading.verdict.indication is Indication.TOTAL_PASSED, [
            check for check in reading.verdict.checks if check.reason
        ]
