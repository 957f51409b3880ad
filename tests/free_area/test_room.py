"""How much goes onto a card: exact numbers, worked out from the charges of the spec, and refused one past them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from free_area import operations, wire
from free_area.operations import BASIS, OLD_TOWN, aid, values
from free_area.soundness import DOMAIN_COST, SLOT_COST, TOTAL, bank_size, is_sound, used
from free_area.test_power_cuts import signers
from free_area.wire import FIRM, PARTNER, STRANGER, TOWN, Party
from free_area.world import blank, content, create_owner, soft, untouched
from kojin_card.errors import NoRoom
from kojin_card.spec.free_area import globalplatform_spec

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

QUOTA, NO_ROOM = 8192, 0x6A84
WANTED = 100


def test_the_numbers_are_those_of_the_spec() -> None:
    """What the tests type is what the spec says."""
    spec = globalplatform_spec()
    assert [spec.number(name) for name in ("quota_total", "quota_owner", "domain_cost", "slot_cost")] == [
        TOTAL,
        QUOTA,
        DOMAIN_COST,
        SLOT_COST,
    ]


@cache
def town_only() -> CardState:
    """A card with one owner of the default quota."""
    card = soft(blank())
    operations.issuer(card).create_owner(operations.keys(OLD_TOWN))
    card.reset()
    return card.state


#: a library card with the example of the spec: signature and head (64 + 16), descriptor, five fields with their rules;
#: and how many of those the default quota holds. Recomputed below by the formula of the spec.
BANK, FIT = 289, 10


def test_a_hundred_slots_on_one_card_stop_where_the_quota_says() -> None:
    """(8192 - 256) / (192 + 2 x 289): ten library cards with records of that size; the eleventh has no room."""
    card = soft(town_only())
    desk = operations.desk(card)
    desk.issue("facility", values("facility"), legal_basis=BASIS, instance=aid("0"))
    (one,) = content(card.state).slots
    assert one.bank is not None
    each = SLOT_COST + 2 * bank_size(one.bank)
    fit = (QUOTA - DOMAIN_COST) // each
    assert (bank_size(one.bank), each, fit) == (BANK, SLOT_COST + 2 * BANK, FIT)
    written, refused = 1, 0
    for number in range(1, WANTED):
        before = card.state
        try:
            desk.issue("facility", values("facility"), legal_basis=BASIS, instance=aid(str(number)))
            written += 1
        except NoRoom:
            refused += 1
            assert content(card.state).slots == content(before).slots, "something was written"
    assert (written, refused) == (FIT, WANTED - FIT)
    state = card.state
    assert used(content(state), content(state).domains[0].aid) == DOMAIN_COST + FIT * each
    is_sound(state, operations.number(), signers(state))
    assert untouched(town_only(), state)
    assert desk.delete(aid("3"))
    desk.issue("facility", values("facility"), legal_basis=BASIS, instance=aid("again"))
    with pytest.raises(NoRoom):
        desk.issue("facility", values("facility"), legal_basis=BASIS, instance=aid("one more"))


def empty_slots(party: Party, quota: int) -> tuple[int, int]:
    """How many empty slots of a hundred an owner can install; the word of the first refusal."""
    card = soft(blank())
    create_owner(card, party, quota)
    session = wire.session(card, party.domain, party.keys)
    words = [session.send("80E60C00", wire.install_slot(party.slot(str(number)))).sw for number in range(WANTED)]
    assert set(words) <= {wire.OK, NO_ROOM}
    there = words.count(wire.OK)
    assert words == [wire.OK] * there + [NO_ROOM] * (WANTED - there)
    assert len(content(card.state).slots) == there
    return there, words[-1]


@pytest.mark.parametrize(
    ("quota", "fit"),
    [
        (QUOTA, 41),  # (8192 - 256) / 192 = 41.3
        (256, 0),
        (256 + 192, 1),
        (256 + 2 * 192 - 1, 1),
        (256 + 99 * 192, 99),
        (TOTAL, 100),
    ],
)
def test_a_hundred_empty_slots_stop_where_the_quota_says(quota: int, fit: int) -> None:
    assert empty_slots(TOWN, quota) == (fit, NO_ROOM if fit < WANTED else wire.OK)


def test_a_quota_is_never_less_than_what_is_used_nor_more_than_the_card_has() -> None:
    card = soft(blank())
    create_owner(card, TOWN)
    owner = wire.session(card, TOWN.domain, TOWN.keys)
    for number in range(3):
        assert owner.send("80E60C00", wire.install_slot(TOWN.slot(str(number)))).sw == wire.OK
    issuer = wire.session(card, wire.ISD, wire.TRIAL)
    least = DOMAIN_COST + 3 * SLOT_COST
    for quota, word in ((least - 1, NO_ROOM), (least, wire.OK), (TOTAL + 1, NO_ROOM), (TOTAL, wire.OK), (0, NO_ROOM)):
        before = content(card.state)
        assert issuer.send("80E64000", wire.set_quota(TOWN.domain, quota)).sw == word
        assert word == wire.OK or content(card.state) == before
    (there,) = content(card.state).domains
    assert there.quota == TOTAL


def test_the_whole_card_is_full_before_the_quotas_are() -> None:
    """Four owners with quotas of 16 KiB each: 32768 bytes in all, less four domains, are 165 slots of 192."""
    card = soft(blank())
    owners = (TOWN, FIRM, PARTNER, STRANGER)
    for owner in owners:
        create_owner(card, owner, 16384)
    there = 0
    for owner in owners:
        session = wire.session(card, owner.domain, owner.keys)
        for number in range(60):
            there += session.send("80E60C00", wire.install_slot(owner.slot(str(number)))).sw == wire.OK
    assert there == (TOTAL - 4 * DOMAIN_COST) // SLOT_COST == 165
    area = content(card.state)
    assert sum(used(area, one.aid) for one in area.domains) <= TOTAL
    assert untouched(blank(), card.state)
