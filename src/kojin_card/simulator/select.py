"""SELECT (card.md §4.1, §2.5): applications by name, files by id. Nothing else can be selected."""

from __future__ import annotations

from kojin_card.iso7816 import tlv
from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.security import Refused

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


def _application(card: Context, command: Received) -> Answer:
    """By name or the beginning of a name; the next occurrence is counted from the current application.

    Applications stand in the ``order`` of their specs: which one a prefix finds first on a chip is not known. The
    card manager, current after reset, is nothing to count from.
    A SELECT that finds nothing leaves everything as it was.
    """
    apdu = command.apdu
    if apdu.p2 & ~(_NO_DATA | _NEXT) or apdu.p2 & _NO_DATA not in (0, _NO_DATA):
        raise Refused(SW.INCORRECT_P1P2)
    if not 1 <= len(apdu.data) <= _NAME_MAX:
        raise Refused(SW.WRONG_LENGTH)
    order = [a for a in card.spec.applications.values() if a.id in card.memory.state.applications]
    if apdu.p2 & _NEXT and card.security.application != card.security.power_on:
        current = [number for number, a in enumerate(order) if a.id == card.security.application]
        order = order[current[0] + 1 :] if current else order
    found = next((a for a in order if a.aid.startswith(apdu.data)), None)
    if found is None:
        raise Refused(SW.FILE_NOT_FOUND)
    card.security.select(found.id)
    sw = SW.DF_LOCKED if _is_locked(card) else SW.OK
    if apdu.p2 & _NO_DATA or apdu.le is None:
        return Answer(sw)
    # What a real card tells here is recorded nowhere (card.md §13). Assumption: its name and nothing else.
    return Answer(sw, tlv.encode(_FCI, tlv.encode(_NAME, found.aid))[: apdu.le])


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
