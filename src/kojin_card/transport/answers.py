"""The one place where a status word becomes an exception (card.md §4.9)."""

from __future__ import annotations

from kojin_card.errors import AccessDenied, CardError, Detail, NotOnCard, PinBlocked, PinRejected, UnexpectedAnswer
from kojin_card.iso7816.status import SW, tries_left

_KINDS: dict[int, type[CardError]] = {
    SW.SECURITY_NOT_SATISFIED: AccessDenied,
    SW.FILE_NOT_FOUND: NotOnCard,
    SW.RECORD_NOT_FOUND: NotOnCard,
    SW.REFERENCE_NOT_FOUND: NotOnCard,
    # card.md §12: 6984 was measured on cards, 6983 is what some clients were written for; both mean the same here
    SW.REFERENCE_DATA_BLOCKED: PinBlocked,
    SW.AUTH_METHOD_BLOCKED: PinBlocked,
}


def raise_for_sw(operation: str, sw: int, **details: Detail) -> None:
    """Return for 9000, raise for every other status word.

    Args:
        operation: what was being done, in the words of the specs (``"read input_support/basic_four"``).
        details: harmless values for the words of the error; ``key`` where a secret was sent, and only there.

    Raises:
        PinRejected: 63Cx with tries left, to a secret. PinBlocked: 63C0 to a secret, 6983, 6984.
        AccessDenied: 6982. NotOnCard: 6A82, 6A83, 6A88.
        UnexpectedAnswer: any other word.
    """
    if sw == SW.OK:
        return
    left = tries_left(sw) if "key" in details else None
    if left:
        raise PinRejected(operation=operation, sw=sw, tries_left=left, **details)
    if left == 0:  # it was wrong, and took the last try
        raise PinBlocked("", operation=operation, sw=sw, tries_left=0, **details)
    raise _KINDS.get(sw, UnexpectedAnswer)("", operation=operation, sw=sw, **details)
