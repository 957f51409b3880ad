"""Who may stand before a slot: how each gets there, and what it has shown by then, as the specs say."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from free_area import wire
from free_area.wire import FIRM, OK, TOWN, TRIAL, Said, Scp03
from free_area.world import FIELDS, PARTNERS_FIELDS, PIN, TERMINALS, WRONG_PIN, world
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from kojin_card.simulator import SoftCard

SPEC = ROOT / "applets_spec" / "free_area" / "slot_applet.toml"


@cache
def spec() -> dict[str, dict[str, dict[str, Any]]]:
    """The slot applet's spec as it is typed: tables by kind and id. No code of the card reads it for us."""
    typed = tomllib.loads(SPEC.read_text("utf-8"))
    return {kind: {one["id"]: one for one in typed[kind]} for kind in ("tag", "command", "state", "number")}


def holds(rule: str, shown: AbstractSet[str]) -> bool:
    """Whether a rule of the spec's grammar holds."""
    if rule in ("always", "never"):
        return rule == "always"
    return any(all(term.strip() in shown for term in one.split("&")) for one in rule.split("|"))


def works(command: str, state: str) -> bool:
    """Whether a command does its work in that state."""
    return state in spec()["command"][command]["states"]


@dataclass
class Visitor:
    """Somebody before a slot.

    Attributes:
        shown: what it has proved, as rules name it (``role:terminal``).
        fields: short identifiers that its terminal certificate opens here.
        session: of the owner.
    """

    card: SoftCard
    aid: bytes
    shown: set[str] = field(default_factory=set)
    fields: frozenset[int] = frozenset()
    session: Scp03 | None = None

    def say(self, header: str, data: bytes = b"", *, le: bool | bytes = False) -> Said:
        """A command, in the session if there is one."""
        if self.session is not None:
            return self.session.send(header, data, le=le)
        return wire.say(self.card, header, data, le=le)


#: actor -> words that it gets when it shows itself to a slot that does its work; not named: 9000
REFUSED = {
    "wrong PIN": 0x63C2,
    "terminal of a CA not listed": 0x6982,
    "terminal, expired": 0x6984,
    "terminal of another group": 0x6982,
    "terminal, forged": 0x6982,
    "other owner": 0x6300,
    "issuer": 0x6A88,
}
#: what each certificate opens: what stands in it, what the owner lets its CA open, what the slot has
OPENED = {
    "terminal": frozenset(FIELDS),
    "terminal without a field": frozenset({1}),
    "terminal of the partner": frozenset(FIELDS) & frozenset(PARTNERS_FIELDS),
}
ACTORS = (
    "passer-by",
    "holder",
    "wrong PIN",
    *TERMINALS,
    "terminal and holder",
    "terminal, then wrong PIN",
    "terminal, then a forged one",
    "holder, then selected again",
    "holder, then wrong PIN",
    "terminal, then reset",
    "owner",
    "owner in clear",
    "owner, C-MAC only",
    "owner, then a wrong MAC",
    "other owner",
    "issuer",
)


def arrive(card: SoftCard, actor: str, aid: bytes, state: str) -> Visitor:
    """Bring an actor before a slot; each word on the way is what the spec says."""
    said = wire.select(card, aid)
    assert said.sw == (0x6285 if state == "terminated" else OK), f"{said.sw:04X}"
    here = Visitor(card, aid)
    first, _, then = actor.partition(", then ")
    if first in TERMINALS or first == "terminal and holder":
        name = "terminal" if first == "terminal and holder" else first
        word = wire.show(card, TERMINALS[name], aid)
        possible = works("external_authenticate", state)
        assert word == (REFUSED.get(name, OK) if possible else 0x6985), f"{actor}: {word:04X}"
        if word == OK:
            here.shown.add("role:terminal")
            here.fields = OPENED[name]
    if first in ("holder", "terminal and holder", "wrong PIN"):
        word = wire.verify_pin(card, WRONG_PIN if first == "wrong PIN" else PIN)
        assert word == (REFUSED.get(first, OK) if works("verify", state) else 0x6985), f"{actor}: {word:04X}"
        if word == OK:
            here.shown.add("key:slot_pin")
    if first.startswith("owner"):
        session = Scp03(card, TOWN.keys, level=0x01 if first == "owner, C-MAC only" else 0x33)
        if first == "owner, C-MAC only":
            here.shown.add("C-MAC only")
        if first != "owner in clear":
            here.session = session
            here.shown.add("role:owner")
    if first in ("other owner", "issuer"):
        keys = FIRM.keys if first == "other owner" else TRIAL
        # the firm's key version is the town's too; the trial keys' version is not in the town's domain
        assert wire.refusal(card, aid, keys) == REFUSED[first]
    if then:
        _afterwards(here, then, state)
    return here


def _afterwards(here: Visitor, then: str, state: str) -> None:
    """What ends, or leaves, that which was shown."""
    card = here.card
    if then == "wrong PIN":
        word = wire.verify_pin(card, WRONG_PIN)
        assert word == (0x63C2 if works("verify", state) else 0x6985)
        here.shown.discard("key:slot_pin")
    elif then == "a forged one":
        word = wire.show(card, TERMINALS["terminal, forged"], here.aid)
        assert word == (0x6982 if works("external_authenticate", state) else 0x6985)
        _forget(here)
    elif then == "a wrong MAC":
        assert here.session is not None
        wrapped = here.session.wrap("00CADF62")
        assert card.transmit(wrapped[:-2] + bytes((wrapped[-2] ^ 1,)) + wrapped[-1:]) == b"\x69\x82"
        here.session = None
        _forget(here)
    elif then == "reset":
        card.reset()
        wire.select(card, here.aid)
        _forget(here)
    else:
        assert then == "selected again"
        wire.select(card, here.aid)
        _forget(here)


def _forget(here: Visitor) -> None:
    here.shown.clear()
    here.fields = frozenset()


def record_of(state: str) -> wire.Record | None:
    """What stands in the town's slot of that state."""
    return world().records.get(state)
