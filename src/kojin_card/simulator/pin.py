"""VERIFY, CHANGE REFERENCE DATA and CHANGE KEY (card.md §4.3)."""

from __future__ import annotations

from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.security import Refused
from kojin_card.spec.model import ChangeCommand, FileSpec, KeySpec

_NEW_VALUE_ONLY = 0x01  # P1 of CHANGE REFERENCE DATA: no old value in the data; it was verified before


def verify(card: Context, command: Received) -> Answer:
    """VERIFY, and without data the question how many tries are left.

    That question has four bytes. What five with Le answer is not known (card.md §13): 6700, so that nobody relies on
    it; nor does a VERIFY with Le reach the comparison.
    """
    apdu = command.apdu
    if apdu.p1:
        raise Refused(SW.INCORRECT_P1P2)
    key = _key(card, apdu.p2)
    if apdu.le is not None:
        raise Refused(SW.WRONG_LENGTH)
    if not apdu.data:
        return Answer(card.security.tries(key))
    return Answer(card.security.verify(key, apdu.data))


def change_reference_data(card: Context, command: Received) -> Answer:
    """``00 24 01 80``: the new value of a secret that was verified before."""
    if command.apdu.p1 != _NEW_VALUE_ONLY:
        raise Refused(SW.INCORRECT_P1P2)
    return _change(card, command, ChangeCommand.CHANGE_REFERENCE_DATA)


def change_key(card: Context, command: Received) -> Answer:
    """``80 32 00 80``: the same for the resident-registry PIN."""
    if command.apdu.p1:
        raise Refused(SW.INCORRECT_P1P2)
    return _change(card, command, ChangeCommand.CHANGE_KEY)


def _change(card: Context, command: Received, kind: ChangeCommand) -> Answer:
    key = _key(card, command.apdu.p2)
    if not command.apdu.data or command.apdu.le is not None:
        raise Refused(SW.WRONG_LENGTH)
    return Answer(card.security.change(key, command.apdu.data, kind))


def _key(card: Context, p2: int) -> KeySpec:
    """The key that P2 names.

    Raises:
        Refused: as :meth:`Context.referenced`; 6981 for a working file.
    """
    ef = card.referenced(p2)
    if isinstance(ef, FileSpec):
        raise Refused(SW.WRONG_FILE_STRUCTURE)
    return ef
