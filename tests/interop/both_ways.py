"""Every operation of the client on a card in this process and on the same card behind pcscd: run as a program.

Arguments: the readers of the two cards, and copies of their files. Prints, for each operation, what differs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from client import operations
from client.operations import AUTH_PIN, NEW_PIN, NEW_REGISTRY_PIN, OPERATIONS, REGISTRY_PIN, seed, spec
from kojin_card import Card
from kojin_card.simulator import SoftCard
from kojin_card.transport.finding import open_card

#: what an operation changed is changed back, so that the next one finds the card as it was
BACK: dict[str, Callable[[Card], object]] = {
    "change": lambda card: card.channel.change("jpki", "auth_pin", NEW_PIN, AUTH_PIN),
    "change registry PIN": lambda card: card.change_pin("registry", NEW_REGISTRY_PIN, REGISTRY_PIN),
}


def recorded(connection: Any) -> list[str]:
    """What goes over a connection from now on, command and answer."""
    apdus: list[str] = []
    transmit = connection.transmit

    def through(command: bytes) -> bytes:
        answer: bytes = transmit(command)
        apdus.append(f"{command.hex()} {answer.hex()}")
        return answer

    connection.transmit = through
    return apdus


def run(connection: Any, name: str) -> tuple[object, list[str]]:
    apdus = recorded(connection)
    card = Card(connection, spec=spec(), allow_unproven=True, random=seed)
    with card:
        return OPERATIONS[name](card), apdus


def sealed(apdu: str) -> str:
    """Without what differs from one time to the next: a session key under OAEP, which is padded at random."""
    return apdu[:4] if apdu.startswith("80ae") else apdu


def main(first: str, second: str, adult: str, licence: str) -> dict[str, Any]:
    with SoftCard.open(adult) as soft:
        states = {"adult": soft.state}
    with SoftCard.open(licence) as soft:
        states["licence"] = soft.state
    setattr(operations, "state", lambda: states["adult"])  # noqa: B010  # mypy: it is a cached function; the very card, for the values that its operations are given
    told: dict[str, Any] = {}
    for name in OPERATIONS:
        own = name == "licence"
        state, reader = states["licence" if own else "adult"], second if own else first
        here, sent_here = run(SoftCard.in_memory(state, spec=spec()), name)
        there, sent_there = run(open_card(reader), name)
        if name in BACK:
            with Card(open_card(reader), allow_unproven=True) as card:
                BACK[name](card)
        same = [sealed(apdu) for apdu in sent_here] == [sealed(apdu) for apdu in sent_there]
        told[name] = {
            "result": here == there,
            "apdus": same,
            "count": [len(sent_here), len(sent_there)],
        }
        if not same:
            told[name]["differ"] = [
                (one[:60], other[:60])
                for one, other in zip(sent_here, sent_there, strict=False)
                if sealed(one) != sealed(other)
            ][:3]
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))
