"""SELECT (card.md §4.1, §2.5): applications, security domains and slots by name, files by id; nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kojin_card.iso7816 import tlv
from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.management import registry
from kojin_card.simulator.security import Refused
from kojin_card.simulator.slot.visit import Visit
from kojin_card.spec.free_area import globalplatform_spec, slot_applet_spec

if TYPE_CHECKING:
    from kojin_card.simulator.content import SlotState

_NO_DATA = 0x0C  # P2, bits 3 and 4: no file control information
_NEXT = 0x02  # P2, bits 1 and 2: next occurrence; 00 is the first
_NAME_MAX = 16
_ID_SIZE = 2
_FCI, _NAME = b"\x6f", b"\x84"


def select(card: Context, command: Received) -> Answer:
    """SELECT; P1 other than 00, 02, 04 is refused (path selection fails on real cards: card.md §4.1)."""
    match command.apdu.p1:
        case 0x04:
            return _application(card, command)
        case 0x02:
            return _file(card, command)
        case 0x00:
            return _nothing(card, command)
        case _:
            raise Refused(SW.INCORRECT_P1P2)


@dataclass(frozen=True, slots=True)
class _Target:
    """Something that SELECT can find: its AID, other names of it, and the application of the specs or the slot."""

    aid: bytes
    application: str | None = None
    slot: SlotState | None = None
    aliases: tuple[bytes, ...] = ()

    def answers_to(self, name: bytes) -> bool:
        return any(aid.startswith(name) for aid in (self.aid, *self.aliases))


def _application(card: Context, command: Received) -> Answer:
    """By name or the beginning of a name; the next occurrence is counted from what is current.

    Applications stand in the ``order`` of their specs: which one a prefix finds first on a chip is not known. Domains
    and then slots follow them, each in order of installation. The card manager, current after reset, is nothing to
    count from. On a card that speaks GlobalPlatform no name at all is the issuer's domain (GP 2.3.1 §11.9; Py-GP begins
    with it), where an answer is asked for.
    A SELECT that finds nothing leaves everything as it was.
    """
    apdu = command.apdu
    if apdu.p2 & ~(_NO_DATA | _NEXT) or apdu.p2 & _NO_DATA not in (0, _NO_DATA):
        raise Refused(SW.INCORRECT_P1P2)
    name = apdu.data
    if not name and card.memory.state.content is not None and not apdu.p2:
        name = globalplatform_spec().aid("isd")
    if not 1 <= len(name) <= _NAME_MAX:
        raise Refused(SW.WRONG_LENGTH)
    order = _targets(card)
    if apdu.p2 & _NEXT:
        order = order[_current(card, order) + 1 :]
    found = next((one for one in order if one.answers_to(name)), None)
    if found is None:
        raise Refused(SW.FILE_NOT_FOUND)
    sw = _enter(card, found)
    if apdu.p2 & _NO_DATA or apdu.le is None:
        return Answer(sw)
    # What a real card tells here is recorded nowhere (card.md §13). Assumption: its name and nothing else.
    return Answer(sw, tlv.encode(_FCI, tlv.encode(_NAME, found.aid))[: apdu.le])


def _targets(card: Context) -> list[_Target]:
    """Everything that can be selected now. What is locked cannot (assumption: it answers as if it were not there)."""
    state, security = card.memory.state, card.security
    content = state.content
    alias = (globalplatform_spec().aid("isd_alias"),) if content is not None else ()
    found = [
        _Target(a.aid, a.id, aliases=alias if a.id == security.power_on else ())
        for a in card.spec.applications.values()
        if a.id in state.applications
    ]
    if content is not None and not registry.is_card_locked(content):
        found += [_Target(one.aid) for one in content.domains if not registry.is_locked(one)]
        found += [_Target(one.aid, slot=one) for one in content.slots if not registry.is_locked(one)]
    return found


def _current(card: Context, order: list[_Target]) -> int:
    """Place of what is current; -1 when there is nothing to count from."""
    security = card.security
    if security.application is not None and security.application == security.power_on:
        return -1
    aid = security.slot or security.domain
    return next((n for n, one in enumerate(order) if (one.application or one.aid) == (security.application or aid)), -1)


def _enter(card: Context, target: _Target) -> int:
    """Make it current; the status word."""
    if target.application is not None:
        card.security.select(target.application)
        return SW.DF_LOCKED if _is_locked(card) else SW.OK
    if target.slot is None:
        card.security.select_domain(target.aid)
        return SW.OK
    card.security.select_slot(target.aid, Visit())
    bank = target.slot.bank
    terminated = bank is not None and bank.state == slot_applet_spec().states["terminated"].value
    return SW.DF_TERMINATED if terminated else SW.OK


def _is_locked(card: Context) -> bool:
    """Whether the current application is locked: the secret that its spec names for that is blocked (card.md §2.9)."""
    secret = card.content.keys.get(card.application.locked_with)
    return secret is not None and not secret.tries_left


def _file(card: Context, command: Received) -> Answer:
    """By its two-byte id in the current application. Selecting needs no key; what comes back is the status word."""
    apdu = command.apdu
    if apdu.p2 not in (0, _NO_DATA):
        raise Refused(SW.INCORRECT_P1P2)
    if len(apdu.data) != _ID_SIZE:
        raise Refused(SW.WRONG_LENGTH)
    if card.security.application is None and (card.security.slot or card.security.domain):
        raise Refused(SW.FILE_NOT_FOUND)  # neither a domain nor a slot has files with an id
    ef = card.application.by_file_id(apdu.data)
    if ef is None or not card.has(ef):
        raise Refused(SW.FILE_NOT_FOUND)
    card.security.ef = ef
    return Answer(SW.OK)


def _nothing(card: Context, command: Received) -> Answer:
    """``00 A4 00 00``: 6A86 after a reset, without effect when an application is current (card.md §2.5, measured).

    Selecting the card manager brings back the state after a reset (§1), so the word of that state too.

    With an id: there is no MF and nothing else to find this way (3F00 and others: 6A82).
    """
    apdu = command.apdu
    if apdu.p2 not in (0, _NO_DATA):
        raise Refused(SW.INCORRECT_P1P2)
    if apdu.data:
        raise Refused(SW.FILE_NOT_FOUND if len(apdu.data) == _ID_SIZE else SW.WRONG_LENGTH)
    if card.security.application == card.security.power_on:
        raise Refused(SW.INCORRECT_P1P2)
    return Answer(SW.OK)
