"""What a stolen terminal opens, and until when: key and certificate in the hands of a thief with a clock of his own.

free-area.md: a chip has no clock. It keeps the newest date that it has seen in a valid terminal certificate or in its
owner's STORE DATA, and refuses certificates that ran out before it. So a stolen terminal ages out on a card at the
card's next honest use, and a card that was not used since stays open to it: to the fields of its certificate, and never
to those that want the holder's PIN, the owner, or a field that is not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from free_area import wire
from free_area.wire import FIRM, OK, PARTNER, TOWN, TerminalCard
from free_area.world import FIELDS, PARTNERS_FIELDS, slot, soft, world

if TYPE_CHECKING:
    from kojin_card.simulator import SoftCard

EXPIRED, CLOSED = 0x6984, 0x6982
#: made out for November and December; taken in November
STOLEN = TerminalCard(issued="20261101", expiry="20261231", fields=bytes((1, 2, 3, 4, 6)))
#: honest ones of later months
JANUARY = TerminalCard(issued="20270104", expiry="20270331", key="january's")
PARTNERS_JANUARY = TerminalCard(ca=PARTNER, issued="20270104", expiry="20270331", key="partner's january")
#: all that the certificate lists and whose rule a terminal alone satisfies
OPEN = {1, 2, 6}


def active() -> bytes:
    """The slot that is in use."""
    return world().aid("active")


def thief(card: SoftCard, terminal: TerminalCard = STOLEN) -> tuple[int, set[int]]:
    """The word of EXTERNAL AUTHENTICATE, and the fields that it reads afterwards."""
    card.reset()
    wire.select(card, active())
    word = wire.show(card, terminal, active())
    read = {sfi for sfi in FIELDS if wire.read(card, sfi).sw == OK}
    return word, read


def fresh() -> SoftCard:
    return soft(world().state)


@pytest.mark.attack("slots", "a stolen terminal, before its expiry or on a card not used since", "its fields only")
def test_it_opens_its_fields_and_no_others() -> None:
    word, read = thief(fresh())
    assert (word, read) == (OK, OPEN)
    assert {3, 4, 5, 7, 8}.isdisjoint(read)  # the holder's, both, the owner's, not in its certificate


@pytest.mark.attack("slots", "a stolen terminal years later, on a card that was not used since", "its fields: stated")
def test_a_card_not_used_since_stays_open_to_it() -> None:
    """Nothing on the card can know that time has passed."""
    card = fresh()
    for _ in range(3):
        assert thief(card) == (OK, OPEN)


@pytest.mark.attack("slots", "a stolen terminal after the next honest use of the card", "6984, free fields only")
def test_it_ages_out_at_the_next_honest_use() -> None:
    card = fresh()
    assert thief(card, JANUARY)[0] == OK
    assert slot(card.state, active()).newest == bytes.fromhex("20270104")
    assert thief(card) == (EXPIRED, {1})


@pytest.mark.attack("slots", "a stolen terminal after a partner's terminal was used", "6984, free fields only")
def test_a_partners_terminal_ages_it_out_too() -> None:
    card = fresh()
    assert thief(card, PARTNERS_JANUARY) == (OK, {1} | (set(PARTNERS_FIELDS) & {2, 6}))
    assert thief(card) == (EXPIRED, {1})


@pytest.mark.attack("slots", "a stolen terminal after its owner wrote to the slot", "6984, free fields only")
def test_the_owner_ages_it_out() -> None:
    card = fresh()
    record = world().records["active"].next(date=bytes.fromhex("20270110"))
    assert wire.store(wire.session(card, active(), TOWN.keys), record.full()) == OK
    assert thief(card) == (EXPIRED, {1})


def test_the_last_day_counts_still() -> None:
    """Expiry is the last day: newest date = expiry is accepted, a day later is not."""
    for day, word in (("20261231", OK), ("20270101", EXPIRED)):
        card = fresh()
        honest = TerminalCard(issued=day, expiry="20270331", key="another")
        assert thief(card, honest)[0] == OK
        assert thief(card)[0] == word


@pytest.mark.attack("slots", "a stolen terminal whose CA the owner took off the list", "6982")
def test_the_owner_can_shut_a_ca_out() -> None:
    card = fresh()
    settings = wire.authorities((PARTNER, PARTNERS_FIELDS))
    assert wire.store(wire.session(card, active(), TOWN.keys), settings) == OK
    assert thief(card) == (CLOSED, {1})


@pytest.mark.attack("slots", "a stolen terminal whose group the owner took off the list", "6982")
def test_the_owner_can_shut_a_group_out() -> None:
    card = fresh()
    assert wire.store(wire.session(card, active(), TOWN.keys), wire.groups("gym")) == OK
    assert thief(card) == (CLOSED, {1})


@pytest.mark.attack("slots", "a stolen terminal at a suspended slot", "no field")
def test_a_suspended_slot_shows_it_no_field() -> None:
    card = fresh()
    record = world().records["active"].next(state=wire.SUSPENDED)
    assert wire.store(wire.session(card, active(), TOWN.keys), record.tail) == OK
    assert thief(card) == (OK, set())


@pytest.mark.attack("slots", "a stolen terminal at another owner's slot", "6982")
def test_it_opens_nothing_of_another_owner() -> None:
    card = fresh()
    aid = FIRM.slot("firm")
    wire.select(card, aid)
    # the firm's slot lists the town's CA and the partner's in this world; a terminal of nobody's listing is refused
    assert wire.show(card, TerminalCard(ca=wire.STRANGER, key="terminal"), aid) == CLOSED


@pytest.mark.attack(
    "slots", "a certificate that was made out too far, or into the future", "ages the others out: stated"
)
def test_a_future_certificate_shuts_others_out() -> None:
    """The price: whoever may certify (a listed CA) may move the date; owners' tools allow a year at most."""
    card = fresh()
    assert thief(card, TerminalCard(issued="20990101", expiry="20991231", key="future"))[0] == OK
    assert thief(card, JANUARY) == (EXPIRED, {1})


@pytest.mark.attack("slots", "a forged certificate with a later date", "6A88, the date stays")
def test_a_forged_certificate_does_not_move_the_date() -> None:
    card = fresh()
    before = slot(card.state, active()).newest
    forged = TerminalCard(issued="20990101", expiry="20991231", signer="forger", key="forger's")
    assert thief(card, forged) == (CLOSED, {1})
    assert slot(card.state, active()).newest == before
    assert thief(card)[0] == OK


def test_a_proof_is_good_for_one_challenge_and_one_slot() -> None:
    card = fresh()
    wire.select(card, active())
    challenge = card.transmit(bytes.fromhex("0084000010"))[:-2]
    data = STOLEN.certificate + STOLEN.proof(challenge, active())
    assert wire.say(card, "00820000", data).sw == OK
    assert wire.say(card, "00820000", data).sw == 0x6985  # no challenge outstanding
    other = world().aid("suspended")
    wire.select(card, other)
    challenge = card.transmit(bytes.fromhex("0084000010"))[:-2]
    assert wire.say(card, "00820000", STOLEN.certificate + STOLEN.proof(challenge, active())).sw == CLOSED
