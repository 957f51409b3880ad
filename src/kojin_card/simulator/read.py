"""READ BINARY and READ RECORD (card.md §4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.security import Refused
from kojin_card.spec.model import FileSpec, KeySpec, Structure

if TYPE_CHECKING:
    from kojin_card.simulator.state import FileState

_WITH_SFI = 0x80
_SFI = 0x1F
_BY_NUMBER, _ALL_FROM_NUMBER = 0x04, 0x05  # low three bits of P2 of READ RECORD


def read_binary(card: Context, command: Received) -> Answer:
    """READ BINARY of the current file (15-bit offset) or by short identifier (8-bit offset), which selects the file.

    At the end fewer bytes come, with 9000; at or past the end 6B00. The length of a closed file is not told: 6982
    comes before 6B00.
    """
    apdu = command.apdu
    if apdu.p1 & _WITH_SFI:
        if apdu.p1 & ~(_WITH_SFI | _SFI) or not apdu.p1 & _SFI:
            raise Refused(SW.INCORRECT_P1P2)
        ef, offset = card.by_sfi(apdu.p1 & _SFI), apdu.p2
    else:
        ef, offset = card.current_ef(), apdu.p1 << 8 | apdu.p2
    wanted = _wanted(command)
    octets = _readable(card, ef, Structure.TRANSPARENT).octets or b""
    if offset >= len(octets):
        raise Refused(SW.OFFSET_PAST_END)
    return Answer(SW.OK, octets[offset : offset + wanted])


def read_record(card: Context, command: Received) -> Answer:
    """READ RECORD by number, of the current file or by short identifier. A short Le gives the start (assumption)."""
    apdu = command.apdu
    mode = apdu.p2 & 0x07
    if mode != _BY_NUMBER:
        # card.md §4.2: "some cards 6A81" for all records from a number; other modes are in no source.
        raise Refused(SW.FUNCTION_NOT_SUPPORTED if mode == _ALL_FROM_NUMBER else SW.INCORRECT_P1P2)
    sfi = apdu.p2 >> 3
    ef = card.by_sfi(sfi) if sfi else card.current_ef()
    wanted = _wanted(command)
    records = _readable(card, ef, Structure.RECORDS).records
    if not 1 <= apdu.p1 <= len(records):
        raise Refused(SW.RECORD_NOT_FOUND)
    return Answer(SW.OK, records[apdu.p1 - 1][:wanted])


def _wanted(command: Received) -> int:
    """Le; READ carries no data and must say how much it wants.

    Raises:
        Refused: 6700.
    """
    if command.apdu.data or command.apdu.le is None:
        raise Refused(SW.WRONG_LENGTH)
    return command.apdu.le


def _readable(card: Context, ef: FileSpec | KeySpec, structure: Structure) -> FileState:
    """The content of ``ef``, when it has that structure and may be read.

    Raises:
        Refused: 6981 for keys and the other structure, 6982 (also for every file of which nobody knows the inside).
    """
    if isinstance(ef, KeySpec) or ef.structure not in (structure, Structure.UNKNOWN):
        raise Refused(SW.WRONG_FILE_STRUCTURE)
    card.security.require(ef.read)
    return card.content.files[ef.id]
