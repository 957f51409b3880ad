"""What the tables of the free area tried, and what came of it: ``PYTHONPATH=tests:. python -m free_area.count``.

Runs the whole tables once more and counts; a row that the tests would fail raises here too. A minute of one core.
"""

from __future__ import annotations

import sys
from collections import Counter

from free_area import test_crossing as slots
from free_area import test_crossing_domains as domains
from free_area import test_power_cuts as cuts
from free_area import test_refused_apdus as apdus
from free_area import wire
from free_area.actors import ACTORS, arrive
from free_area.cuts import Bench
from free_area.operations import OPERATIONS, view
from free_area.world import STATES, soft, untouched, world
from kojin_card.errors import TransportError

FAULT_OF_THE_CARD = 0x6F00


def row(*cells: object) -> None:
    sys.stdout.write(f"{cells[0]:<46}" + "".join(f"{cell!s:>12}" for cell in cells[1:]) + "\n")


def crossing() -> None:
    """Commands of the slot applet by actor, and content management by actor."""
    row("crossing: actor", "attempts", "refused", "answered", "6F00", "touched")
    start, total = world(), Counter[str]()
    for actor in ACTORS:
        found = Counter[str]()
        for state in STATES:
            for attempt in slots.ATTEMPTS:
                card = soft(start.state)
                here = arrive(card, actor, start.aid(state), state)
                word = attempt.run(here)
                found["answered" if word in (wire.OK, 0x6285) else "refused"] += 1
                found["6F00"] += word == FAULT_OF_THE_CARD
                found["touched"] += not untouched(start.state, card.state)
        total += found
        tell(f"at a slot: {actor}", found)
    for actor in domains.ACTORS:
        found = Counter()
        for one in (each for each in domains.ROWS if each.actor == actor):
            before = start.state if one.state == "secured" else domains.locked()
            card = soft(before)
            session = domains.ACTORS[actor](card)
            header, data = domains.COMMANDS[one.command](session)
            if session is None or one.command in domains.BEFORE:
                said = wire.say(card, header, data, le=True)
            else:
                said = session.send(header, data)
            found["answered" if said.sw in (wire.OK, 0x6310) else "refused"] += 1
            found["6F00"] += said.sw == FAULT_OF_THE_CARD
            found["touched"] += not untouched(before, card.state)
        total += found
        tell(f"at a domain: {actor}", found)
    tell("all", total)
    row("APDUs that are not the next of a session", len(apdus.ROWS), len(apdus.ROWS), 0, 0, 0)


def tell(name: str, found: Counter[str]) -> None:
    tried = found["answered"] + found["refused"]
    row(name, tried, found["refused"], found["answered"], found["6F00"], found["touched"])


def power() -> None:
    """Where the power was cut, and what was found then."""
    row("power cuts: operation", "APDUs", "writes", "cut points", "old", "new", "third")
    total = Counter[str]()
    for name, operation in OPERATIONS.items():
        whole, found = cuts.clean(name), Counter[str]()
        places = [one.cut for one in cuts.rows() if one.operation == name]
        for cut in places:
            bench = Bench(operation.start(), cut)
            try:
                operation.run(bench)
            except TransportError:
                found["broken off"] += 1
            before, after, left = (view(one) for one in (*whole.states[cut.at : cut.at + 2], bench.state))
            found["old" if left == before else "new" if left == after else "third"] += 1
        found["places"] = len(places)
        found["apdus"], found["writes"] = len(whole.writes), sum(whole.writes)
        assert found["broken off"] == len(places)
        total += found
        row(name, *(found[key] for key in ("apdus", "writes", "places", "old", "new", "third")))
    row("all", *(total[key] for key in ("apdus", "writes", "places", "old", "new", "third")))


if __name__ == "__main__":
    crossing()
    power()
