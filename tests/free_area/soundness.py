"""What must hold of every card at every moment, looked at from outside: in its file, not through its answers."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from free_area import wire
from free_area.wire import tlv
from free_area.world import content, spec
from kojin_card.simulator.cardformat import dump, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric import ec

    from kojin_card.simulator import CardState
    from kojin_card.simulator.content import Bank, ContentState, SlotState

#: applets_spec/free_area/globalplatform.toml, typed
TOTAL, DOMAIN_COST, SLOT_COST = 32768, 256, 192
_TRANSITIONS = {0: {1}, 1: {1, 2, 4}, 2: {2, 3, 4}, 3: {3, 2, 4}, 4: {4}}


def bank_size(bank: Bank) -> int:
    """A signature, a head, the descriptor, and each field with its rule and two bytes more (contract: memory)."""
    return 64 + 16 + len(bank.descriptor) + sum(len(one.content) + len(one.rule) + 2 for one in bank.fields)


def used(area: ContentState, domain: bytes) -> int:
    """Bytes that an owner has used."""
    slots = [one for one in area.slots if one.domain == domain]
    banks = [[bank_size(bank) for bank in one.banks if bank is not None] for one in slots]
    return DOMAIN_COST + sum(SLOT_COST + 2 * max(sizes, default=0) for sizes in banks)


def manifest(one: SlotState, bank: Bank, number: bytes) -> bytes:
    """What the owner signed of a bank."""
    key = wire.public_of(one.card_key)
    digests = b"".join(
        tlv("90", bytes((each.sfi,)) + hashlib.sha256(bytes((each.sfi,)) + each.content).digest())
        for each in bank.fields
    )
    return tlv(
        "E1",
        tlv("80", b"\x01")
        + tlv("4F", one.aid)
        + tlv("81", number)
        + tlv("82", bank.counter.to_bytes(4, "big"))
        + tlv("83", bytes((bank.state,)))
        + tlv("87", bank.date)
        + tlv("88", hashlib.sha256(bytes((wire.DESCRIPTOR_FILE,)) + bank.descriptor).digest())
        + tlv("86", key)
        + tlv("A7", digests),
    )


def is_sound(
    state: CardState, number: bytes, signers: Mapping[bytes, ec.EllipticCurvePublicKey], *, reload: bool = True
) -> None:
    """Nothing impossible stands on the card.

    Args:
        number: card identification number.
        signers: record keys by AID of the domain.
        reload: the card file is written and read again as well.

    Raises:
        AssertionError, InvalidSignature: something does.
    """
    area = content(state)
    if reload:
        assert load(dump(state), spec(), "again") == state, "the card file reads as another card"
    assert sum(used(area, one.aid) for one in area.domains) <= TOTAL
    names = [area.issuer.aid, *(one.aid for one in area.domains), *(one.aid for one in area.slots)]
    assert len(set(names)) == len(names), "one AID twice"
    for domain in area.domains:
        assert used(area, domain.aid) <= domain.quota, "over quota"
    for one in area.slots:
        assert area.domain(one.domain) is not None, "a slot under no domain"
        assert 0 <= one.tries_left <= one.tries_full
        bank = one.bank
        if bank is None:
            assert one.counter == 0
            continue
        assert bank.counter == one.counter, "the counter is not that of the record"
        assert bank.date <= one.newest, "a record of a date that was never seen"
        assert [each.sfi for each in bank.fields] == sorted({each.sfi for each in bank.fields})
        signer = signers[one.domain]
        wire.holds(signer, bank.signature, wire.context("record") + manifest(one, bank, number))


def grew(before: ContentState, after: ContentState) -> None:
    """What may never run backwards between two moments of one card: counters, dates, states.

    Raises:
        AssertionError: it did.
    """
    for one in after.slots:
        old = before.slot(one.aid)
        if old is None:
            continue
        assert one.counter >= old.counter, "a counter fell"
        assert one.newest >= old.newest, "the newest date fell"
        assert one.card_key == old.card_key, "another card key"
        was, now = (it.bank.state if it.bank is not None else 0 for it in (old, one))
        if one.counter == old.counter:
            assert was == now, "another state under the same counter"
            assert one.bank == old.bank, "another record under the same counter"
        elif one.counter == old.counter + 1:
            assert now in _TRANSITIONS[was], f"state {was} became {now}"


def same_but_for_sessions(before: ContentState, after: ContentState) -> bool:
    """Whether two free areas differ in nothing but what opening sessions counts."""

    return without_sessions(before) == without_sessions(after)


def without_sessions(area: ContentState) -> ContentState:
    """A free area without what opening sessions counts."""
    for aid in [domain.aid for domain in (area.issuer, *area.domains)]:
        area = area.with_domain(aid, lambda it: replace(it, sequence=0, failures=0, waiting=0))
    return area
