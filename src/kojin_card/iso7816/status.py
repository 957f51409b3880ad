"""Status words (ISO/IEC 7816-4 §5.6, JICSAP v1.1 as card.md §4.9 lists them)."""

from __future__ import annotations

from enum import IntEnum


class SW(IntEnum):
    """Status words that the card gives. ``63Cx`` is a family: see :func:`tries_left`."""

    OK = 0x9000
    UNLIMITED_TRIES = 0x6300
    MORE_DATA = 0x6310
    DF_LOCKED = 0x6283
    DF_TERMINATED = 0x6285
    MEMORY_FAILURE = 0x6581
    SM_NOT_CONFIGURED = 0x66F1
    WRONG_LENGTH = 0x6700
    CHANNEL_NOT_SUPPORTED = 0x6881
    SM_NOT_SUPPORTED = 0x6882
    WRONG_FILE_STRUCTURE = 0x6981
    SECURITY_NOT_SATISFIED = 0x6982
    AUTH_METHOD_BLOCKED = 0x6983
    REFERENCE_DATA_BLOCKED = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_CURRENT_EF = 0x6986
    SM_OBJECTS_MISSING = 0x6987
    SM_OBJECTS_WRONG = 0x6988
    NO_SM_SESSION = 0x69FC
    WRONG_DATA = 0x6A80
    FUNCTION_NOT_SUPPORTED = 0x6A81
    FILE_NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    NO_ROOM = 0x6A84
    INCORRECT_P1P2 = 0x6A86
    REFERENCE_NOT_FOUND = 0x6A88
    OFFSET_PAST_END = 0x6B00
    INS_NOT_SUPPORTED = 0x6D00
    CLA_NOT_SUPPORTED = 0x6E00
    NO_PRECISE_DIAGNOSIS = 0x6F00
    ALGORITHM_NOT_SUPPORTED = 0x9484
    WRONG_CHECK_VALUE = 0x9485


def tries_left(sw: int) -> int | None:
    """The x of ``63Cx``, or None when the word is no counter."""
    return sw & 0x0F if sw & 0xFFF0 == 0x63C0 else None
