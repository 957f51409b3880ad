"""Features of readers and PIN entry at their keys (PC/SC part 10, v2.02.09). Nothing here speaks with a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Mapping

#: what SCARD_CTL_CODE makes the request for the list of features from
GET_FEATURE_REQUEST = 3400
VERIFY_PIN_DIRECT = 0x06
TLV_PROPERTIES = 0x12
_MAX_APDU_DATA = 0x0A

_ENTRY_SECONDS = 30
_BYTES_ASCII_LEFT = 0x82  # system units are bytes, the PIN stands at the start, left, in ASCII
_VALIDATION_KEY = 0x02
_ONE_MESSAGE, _JAPANESE = 0x01, 0x0411

#: answers that the reader gives itself (no time left, cancelled, another length): nothing was sent to the card
_READERS_OWN = frozenset({0x6400, 0x6401, 0x6403})


def features(answer: bytes) -> Mapping[int, int]:
    """Feature -> control code, from the answer to the request (six bytes each); empty when it is malformed."""
    if len(answer) % 6:
        return {}
    pieces = [answer[at : at + 6] for at in range(0, len(answer), 6)]
    if any(piece[1] != 4 for piece in pieces):
        return {}
    return {piece[0]: int.from_bytes(piece[2:], "big") for piece in pieces}


def carries_extended(properties: bytes) -> bool | None:
    """Whether a reader's properties (TLV, values little-endian) let extended APDUs through; None: they do not say."""
    at = 0
    while at + 2 <= len(properties):
        tag, length = properties[at], properties[at + 1]
        value = properties[at + 2 : at + 2 + length]
        if tag == _MAX_APDU_DATA and len(value) == length == 4:
            return int.from_bytes(value, "little") > 256  # 0: short APDUs only
        at += 2 + length
    return None


def verify_structure(header: bytes, minimum: int, maximum: int) -> bytes:
    """PIN_VERIFY_STRUCTURE for a PIN of ``minimum`` to ``maximum`` digits, sent in ASCII without padding.

    The reader puts Lc and the digits behind ``header``. That Lc stands there as 00 is what OpenSC's driver does for
    cards without padding; no reader with keys was at hand (evidence: assumption).
    """
    command = header + b"\x00"
    return b"".join(
        (
            bytes([_ENTRY_SECONDS, _ENTRY_SECONDS, _BYTES_ASCII_LEFT, 0x00, 0x00]),
            bytes([maximum, minimum, _VALIDATION_KEY, _ONE_MESSAGE]),
            _JAPANESE.to_bytes(2, "little"),
            bytes([0x00, 0x00, 0x00, 0x00]),
            len(command).to_bytes(4, "little"),
            command,
        )
    )


def answer_of(answer: bytes, operation: str) -> bytes:
    """The card's answer, where the reader did not give its own.

    Raises:
        Cancelled: the cancel key, nothing that is long enough, or nothing in time. The card got nothing.
    """
    sw = int.from_bytes(answer[-2:], "big") if len(answer) == 2 else 0
    if sw in _READERS_OWN:
        raise Cancelled("cancelled at the reader's keys, or nothing was typed in time", operation=operation)
    return answer
