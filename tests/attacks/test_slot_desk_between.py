"""Somebody between an owner's or issuer's desk and the card: answers that were changed on their way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from client.slots_world import (
    BASIS,
    FACILITY,
    FACILITY_AID,
    TOWN,
    World,
    blank,
    clock,
    keys,
    store,
    with_domains,
)
from kojin_card.errors import SecureChannelError, UsageError
from kojin_card.simulator import SoftCard
from kojin_card.simulator.slot.card_key import public_point
from kojin_card.slots import CardIssuer, IssuerKeys, SlotIssuer
from kojin_card.spec.service import load_services

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Between:
    """A connection whose answers somebody changes: given the command and the answer, the answer that arrives."""

    card: SoftCard
    change: Callable[[bytes, bytes], bytes]
    commands: list[bytes] = field(default_factory=list)

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        return self.change(command, self.card.transmit(command))

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.attack("slots", "a card key put in place of the card's own at issuance", "only level 33 is taken")
@pytest.mark.parametrize("level", [0x01, 0x03, 0x11, 0x13])
def test_an_owner_signs_no_card_key_that_came_without_a_mac(level: int) -> None:
    """Below level 33 the desk reads its records back in clear; without R-MAC it signed whatever key was put there."""
    forged = public_point(4711)

    def swap(command: bytes, answer: bytes) -> bytes:
        return forged + answer[-2:] if command[:4] == bytes.fromhex("04CADF63") else answer

    between = Between(SoftCard.in_memory(with_domains()), swap)
    channel = World.at(between).channel
    with pytest.raises(UsageError):
        SlotIssuer(channel, keys(TOWN), load_services(), owners=store(), clock=clock, level=level).issue(
            "facility", FACILITY, legal_basis=BASIS, instance=FACILITY_AID
        )
    with pytest.raises(UsageError):
        CardIssuer(channel, IssuerKeys.trial(), level=level).area()
    assert not between.commands


def another_number() -> Between:
    """A card that says another card identification number at first, as long as nobody has a session with it."""

    def change(command: bytes, answer: bytes) -> bytes:
        return b"9" * (len(answer) - 2) + answer[-2:] if command[:4] == bytes.fromhex("00CA0045") else answer

    return Between(SoftCard.in_memory(blank()), change)


@pytest.mark.attack("slots", "a card number changed on the way while an owner's domain is made", "nothing is written")
def test_no_domain_gets_keys_of_another_card() -> None:
    """The trial keys open every card, so they prove no number; keys of another one would lock the domain up."""
    between = another_number()
    with pytest.raises(SecureChannelError):
        World.at(between).issuer.create_owner(keys(TOWN))
    content = between.card.state.content
    assert content is not None
    assert not content.domains


@pytest.mark.attack("slots", "a card number changed on its way as the issuer's keys are put in", "nothing is written")
def test_the_issuers_keys_are_not_those_of_another_card() -> None:
    between = another_number()
    before = between.card.state.content
    assert before is not None
    with pytest.raises(SecureChannelError):
        World.at(between).issuer.rotate(IssuerKeys.create(bits=128))
    after = between.card.state.content
    assert after is not None
    assert after.issuer.keys == before.issuer.keys
