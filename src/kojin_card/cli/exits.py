"""Exit codes: one for each class of failure (ARCHITECTURE §7). Scripts depend on them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from kojin_card.errors import KojinError, VerdictError
from kojin_card.verdict import Indication

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Exit(IntEnum):
    """What the process says when it ends."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    NO_CARD = 3
    WRONG_PIN = 4
    PIN_BLOCKED = 5
    PIN_RESERVE = 6
    ACCESS_DENIED = 7
    NOT_ON_CARD = 8
    CARD_FAILED = 9
    BAD_INPUT = 10
    MISSING_EXTRA = 11
    SECURE_CHANNEL = 12
    NO_ROOM = 13
    UNPROVEN = 14
    VERDICT_FAILED = 20
    INDETERMINATE = 21
    CANCELLED = 130


#: error code -> exit code; every class of kojin_card.errors has a row (tested). ``verdict`` and ``not_genuine`` depend
#: on their verdict.
BY_CODE: Mapping[str, Exit] = {
    "unexpected": Exit.UNEXPECTED,
    "demo_failed": Exit.UNEXPECTED,
    "usage": Exit.USAGE,
    "secret_format": Exit.USAGE,
    "secret_unavailable": Exit.USAGE,
    "output_exists": Exit.USAGE,
    "output_failed": Exit.BAD_INPUT,
    "bad_input": Exit.BAD_INPUT,
    "spec": Exit.BAD_INPUT,
    "field": Exit.BAD_INPUT,
    "malformed": Exit.BAD_INPUT,
    "trust": Exit.BAD_INPUT,
    "cancelled": Exit.CANCELLED,
    "no_reader": Exit.NO_CARD,
    "not_served": Exit.NO_CARD,
    "no_card": Exit.NO_CARD,
    "wrong_card": Exit.NO_CARD,
    "ambiguous_card": Exit.NO_CARD,
    "transport": Exit.CARD_FAILED,
    "card_removed": Exit.CARD_FAILED,
    "card_busy": Exit.CARD_FAILED,
    "card_reset": Exit.CARD_FAILED,
    "card_file_busy": Exit.CARD_FAILED,
    "replay_mismatch": Exit.CARD_FAILED,
    "card": Exit.CARD_FAILED,
    "card_answer": Exit.CARD_FAILED,
    "half_changed": Exit.CARD_FAILED,
    "signature_mismatch": Exit.CARD_FAILED,
    "missing_extra": Exit.MISSING_EXTRA,
    "no_service": Exit.MISSING_EXTRA,
    "service_refused": Exit.MISSING_EXTRA,
    "vpcd_unreachable": Exit.MISSING_EXTRA,
    "access_denied": Exit.ACCESS_DENIED,
    "not_on_card": Exit.NOT_ON_CARD,
    "pin_rejected": Exit.WRONG_PIN,
    "pin_blocked": Exit.PIN_BLOCKED,
    "pin_reserve": Exit.PIN_RESERVE,
    "secure_messaging": Exit.SECURE_CHANNEL,
    "secure_channel": Exit.SECURE_CHANNEL,
    "wrong_card_keys": Exit.SECURE_CHANNEL,
    "host_refused": Exit.SECURE_CHANNEL,
    "channel_wait": Exit.SECURE_CHANNEL,
    "no_room": Exit.NO_ROOM,
    "passphrase_rejected": Exit.WRONG_PIN,
    "no_token": Exit.BAD_INPUT,
    "token_pin_rejected": Exit.WRONG_PIN,
    "token_pin_reserve": Exit.PIN_RESERVE,
    "token_pin_blocked": Exit.PIN_BLOCKED,
    "no_slot": Exit.NOT_ON_CARD,
    "no_domain": Exit.NOT_ON_CARD,
    "ambiguous_slot": Exit.USAGE,
    "slot_conflict": Exit.CARD_FAILED,
    "terminal_refused": Exit.ACCESS_DENIED,
    "terminal_expired": Exit.ACCESS_DENIED,
    "key_file": Exit.BAD_INPUT,
    "hand_over_refused": Exit.BAD_INPUT,
    "unproven": Exit.UNPROVEN,
    "verdict": Exit.INDETERMINATE,
    "not_genuine": Exit.INDETERMINATE,
}

_BY_INDICATION: Mapping[Indication, Exit] = {
    Indication.TOTAL_PASSED: Exit.OK,
    Indication.TOTAL_FAILED: Exit.VERDICT_FAILED,
    Indication.INDETERMINATE: Exit.INDETERMINATE,
}


def exit_of(error: BaseException) -> Exit:
    """The exit code of an error; UNEXPECTED for whatever is none of ours."""
    if isinstance(error, VerdictError):
        return exit_of_indication(error.verdict.indication)
    if isinstance(error, KojinError):
        return BY_CODE[known_code(error)]
    return Exit.UNEXPECTED


def known_code(error: KojinError) -> str:
    """The code of the error's class, or of the nearest class above it that has a row."""
    codes = (getattr(kind, "code", "unexpected") for kind in type(error).__mro__)
    return next(code for code in codes if code in BY_CODE)


def exit_of_indication(indication: Indication) -> Exit:
    """0, 20 or 21."""
    return _BY_INDICATION[indication]


def worst(codes: Iterable[int]) -> Exit:
    """Of several results the worst: a failed verdict, then whatever could not be judged, then 21, then 0."""
    found = {Exit(code) for code in codes}
    if Exit.VERDICT_FAILED in found:
        return Exit.VERDICT_FAILED
    errors = found - {Exit.OK, Exit.INDETERMINATE}
    if errors:
        return min(errors)
    return Exit.INDETERMINATE if Exit.INDETERMINATE in found else Exit.OK
