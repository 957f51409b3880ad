"""A card's issuer, a municipality's desk and a library's gate over pcscd, each with its own keys. Run as a program.

Argument: the reader. Prints JSON. Every person and key is invented, and the card is a software card.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from kojin_card.channel import CardChannel
from kojin_card.slots import (
    CardIssuer,
    CardStanding,
    IssuerKeys,
    OwnerKeys,
    OwnerStore,
    SlotDirectory,
    SlotIssuer,
    SlotTerminal,
    Standing,
    TerminalKey,
    certify_terminal,
    terminal_key_pair,
)
from kojin_card.spec.owner import Owner
from kojin_card.spec.service import load_services
from kojin_card.transport.finding import open_card

VALUES = {
    "user_number": "L00482913",
    "facility_group": "library",
    "category": "general",
    "valid_until": "2099-03-31",
}


class InForce:
    """Every card is in force."""

    def status(self, card_identification: str, at: datetime) -> CardStanding:
        del card_identification
        return CardStanding(Standing.IN_FORCE, as_of=at)


def used(reader: str, use: Callable[[CardChannel], Any]) -> Any:
    """What ``use`` gives of a connection of its own: desks and gates do not share one."""
    connection = open_card(reader)
    try:
        return use(CardChannel(connection, allow_unproven=True))
    finally:
        connection.close()


def main(reader: str) -> dict[str, Any]:
    services, today = load_services(), datetime.now(UTC).date()
    owner = OwnerKeys.create(Owner.parse("municipality:13101"), begin=today - timedelta(days=1))
    store = OwnerStore((owner.public("千代田区", "Chiyoda"),))
    private, public = terminal_key_pair(None)
    certificate = certify_terminal(
        owner,
        public,
        name="GATE-1",
        group="library",
        fields=[1, 2, 3, 4],
        issued=today - timedelta(days=1),
        expiry=today + timedelta(days=30),
    )
    gate_key = TerminalKey.load(certificate, private)

    def desk(channel: CardChannel) -> SlotIssuer:
        return SlotIssuer(channel, owner, services)

    def gate(channel: CardChannel) -> SlotTerminal:
        return SlotTerminal(channel, gate_key, store, services, status=InForce())

    def issuer(channel: CardChannel) -> CardIssuer:
        return CardIssuer(channel, IssuerKeys.trial())

    made = used(reader, lambda channel: issuer(channel).create_owner(owner))
    issued = used(reader, lambda channel: desk(channel).issue("facility", VALUES, legal_basis="図書館条例第5条"))
    read = used(reader, lambda channel: gate(channel).read())
    told: dict[str, Any] = {
        "domain": made.aid.hex().upper(),
        "slot": issued.aid.hex().upper(),
        "walked": [aid.hex().upper() for aid in used(reader, lambda channel: SlotDirectory(channel).walk())],
        "verdict": read.verdict.indication.name,
        "values": all(read.values[name] == value for name, value in VALUES.items()),
    }
    used(reader, lambda channel: desk(channel).suspend(issued.aid))
    suspended = used(reader, lambda channel: gate(channel).read(issued.aid))
    told["suspended"] = [suspended.verdict.indication.name, sorted(suspended.values)]
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1])))
