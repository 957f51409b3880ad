"""Benchmark of issuing: a batch of 1 000 cards, a slot each: APDUs and time a slot, and whether memory stays flat.

Nothing here is asserted, and none of it runs in the test suite. ``make bench``; ``python tests/bench/slots.py 200`` for
another number of cards. The cards are software cards in memory with an owner's domain: what is timed is the desk's work
and the card's together; over a reader the card's share is what the APDUs take (facts: performance.md).
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
import tracemalloc
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kojin_card import Card
from kojin_card.secret import Secret
from kojin_card.simulator import SoftCard, make_card
from kojin_card.slots import CardIssuer, IssuerKeys, OwnerKeys, SlotIssuer
from kojin_card.spec import load_card_spec
from kojin_card.spec.owner import Owner
from kojin_card.spec.service import load_services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.simulator import CardState
    from kojin_card.spec import CardSpec

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
ISSUED = datetime(2026, 4, 1, tzinfo=UTC)
CARDS = 1000
SPEC: CardSpec = load_card_spec()


class Counting:
    """A card that counts what comes."""

    description = "a card of the batch"

    def __init__(self, card: SoftCard) -> None:
        self.card, self.sent, self.octets = card, 0, 0
        self.heard: Counter[str] = Counter()

    def transmit(self, command: bytes, /) -> bytes:
        """As the card."""
        answer = self.card.transmit(command)
        self.sent += 1
        self.octets += len(command) + len(answer)
        self.heard[f"{command[0] & ~0x04:02X}{command[1]:02X}"] += 1
        return answer

    def reset(self) -> None:
        """Reset the card."""
        self.card.reset()


def resident() -> int:
    """Anonymous memory of this process, in KiB."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def values(service: str) -> Mapping[str, str]:
    """The example of each field that has to be given."""
    fields = load_services()[service].fields.values()
    return {one.id: one.example for one in fields if not one.optional and not one.issued}


def one_card(start: CardState, keys: OwnerKeys, service: str) -> tuple[Counting, float]:
    """Issue one slot on a new card; the connection and the seconds."""
    counting = Counting(SoftCard.in_memory(start, spec=SPEC))
    channel = Card(counting, spec=SPEC, ours=True).channel
    pin = Secret("2468") if load_services()[service].pin else None
    begin = time.perf_counter()
    desk = SlotIssuer(channel, keys, load_services(), clock=lambda: NOW)
    desk.issue(service, values(service), legal_basis="架空市条例第1条", pin=pin)
    return counting, time.perf_counter() - begin


def row(*cells: str) -> None:
    sys.stdout.write(f"{cells[0]:<44}" + "".join(f"{cell:>14}" for cell in cells[1:]) + "\n")


def batch(start: CardState, keys: OwnerKeys, service: str, cards: int) -> None:
    """Issue, and tell. Memory is compared with that after the first tenth, when everything has been used once."""
    taken, sent, octets, heard = [], [], [], Counter[str]()
    after_tenth = 0
    for number in range(cards):
        counting, seconds = one_card(start, keys, service)
        taken.append(seconds)
        sent.append(counting.sent)
        octets.append(counting.octets)
        heard = counting.heard
        if number == cards // 10:
            gc.collect()
            after_tenth = resident()
    gc.collect()
    row(
        f"{service}, {cards} cards",
        f"{statistics.mean(sent):.1f}",
        f"{statistics.mean(octets):.0f}",
        f"{1000 * statistics.median(taken):.1f}",
        f"{resident() - after_tenth:+d}",
        f"{traced(start, keys, service, cards // 10):+.0f}",
    )
    sys.stdout.write(f"    of the last: {', '.join(f'{count} x {name}' for name, count in heard.most_common())}\n")


def traced(start: CardState, keys: OwnerKeys, service: str, cards: int) -> float:
    """Growth of what Python has allocated over so many cards, in KiB."""
    tracemalloc.start()
    one_card(start, keys, service)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(cards):
        one_card(start, keys, service)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / 1024


def main() -> None:
    cards = int(sys.argv[1]) if len(sys.argv) > 1 else CARDS
    owner = Owner.parse("municipality:13101")
    keys = OwnerKeys.create(owner, begin=date(2026, 4, 1), bits=256)
    card = SoftCard.in_memory(make_card("adult", now=ISSUED), spec=SPEC)
    CardIssuer(Card(card, spec=SPEC, ours=True).channel, IssuerKeys.trial()).create_owner(keys)
    card.reset()
    start = replace(card.state)
    row("a slot on a card of its own (AES-256)", "APDUs", "octets", "ms", "RSS, KiB", "heap, KiB")
    for service in ("facility", "seal_registration"):
        batch(start, keys, service, cards)


if __name__ == "__main__":
    main()
