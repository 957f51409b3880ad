"""What somebody without a key finds out about the free area: nothing that tells whose a slot is, or what is in it.

Owners' terminal CAs are public (``owners.toml``), and terminals show their certificates to every card in clear, so both
are in the hands of everybody here.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from client.slots_world import FACILITY_AID, NEXT_TOWN, TOWN, in_use, keys, terminal_key, with_domains
from kojin_card.simulator import CardState, SoftCard
from kojin_card.slots import certify_terminal, terminal_key_pair
from kojin_card.slots.ec import EcSigner
from kojin_card.spec import terminal_certificate
from kojin_card.spec.owner import Owner
from kojin_card.spec.terminal_certificate import TerminalBody, authority_id, encode_authentication, proof_message

ISD = bytes.fromhex("A0000001510000")


def presented(certificate: bytes, signer: EcSigner | None) -> tuple[int, CardState]:
    """The word for a certificate at a slot of the first town (proved by ``signer``, or not), and the card after it."""
    card = SoftCard.in_memory(in_use())
    card.transmit(b"\x00\xa4\x04\x0c\x0e" + FACILITY_AID)
    challenge = card.transmit(bytes.fromhex("0084000010"))[:-2]
    proof = bytes(63) + b"\x01" if signer is None else signer.sign(proof_message(challenge, FACILITY_AID))
    data = encode_authentication(certificate, proof)
    return int.from_bytes(card.transmit(bytes.fromhex("00820000") + bytes((len(data),)) + data)[-2:], "big"), card.state


def made_up(owner: Owner, signer: EcSigner) -> bytes:
    """A certificate that names the CA of an owner, which did not sign it."""
    body = TerminalBody(
        authority=authority_id(keys(owner).terminal_ca.compressed),
        name="X",
        key=signer.compressed,
        group="library",
        fields=(1,),
        issued=date(2026, 11, 1),
        expiry=date(2026, 12, 31),
    )
    return terminal_certificate.encode(terminal_certificate.encode_body(body), bytes(63) + b"\x01")


@pytest.mark.attack("slots", "asking a slot whether it lists the CA of a public list: certificates made up", "one word")
@pytest.mark.parametrize("proved", [True, False])
def test_a_made_up_certificate_does_not_tell_whose_slot_it_is(*, proved: bool) -> None:
    mine = EcSigner.generate()
    words = {presented(made_up(owner, mine), mine if proved else None)[0] for owner in (TOWN, NEXT_TOWN)}
    assert words == {0x6982}


@pytest.mark.attack("slots", "asking a slot whose it is by playing certificates back", "6982, nothing written")
def test_a_certificate_without_its_key_tells_neither_owner_nor_day() -> None:
    def recorded(owner: Owner, first: date) -> bytes:
        _, public = terminal_key_pair(None)
        return certify_terminal(
            keys(owner),
            public,
            name="G",
            group="library",
            fields=(1,),
            issued=first,
            expiry=first + timedelta(days=30),
        )

    days = (date(2026, 1, 1), date(2026, 11, 20), date(2027, 11, 20))  # ended, of today, of later
    found = [presented(recorded(owner, day), None) for owner in (TOWN, NEXT_TOWN) for day in days]
    assert {word for word, _ in found} == {0x6982}
    assert {state == in_use() for _, state in found} == {True}, "nor does it move the card's day"


def test_who_has_the_key_is_let_in() -> None:
    assert presented(terminal_key().octets, terminal_key().signer)[0] == 0x9000


@pytest.mark.attack("slots", "how large a card's records are, from the room that is left", "6982 without a session")
def test_the_room_that_is_left_is_for_sessions() -> None:
    """How much an only slot takes tells which service it is."""
    answers = set()
    for state in (with_domains(), in_use()):
        card = SoftCard.in_memory(state)
        card.transmit(b"\x00\xa4\x04\x0c\x07" + ISD)
        answers |= {card.transmit(bytes.fromhex(command)) for command in ("80CAFF2100", "00CAFF2100")}
    assert answers == {b"\x69\x82"}
