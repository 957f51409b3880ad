"""Dates of the free area: YYYYMMDD as four bytes BCD, always a real day."""

from __future__ import annotations

from datetime import date

from kojin_card.errors import DecodeError

DATE_BYTES = 4


def encode_date(day: date) -> bytes:
    """The four bytes of a day."""
    return bytes.fromhex(f"{day.year:04d}{day.month:02d}{day.day:02d}")


def decode_date(octets: bytes) -> date:
    """The day of four bytes.

    Raises:
        DecodeError: not four bytes, a nibble that is no digit, or no real day.
    """
    digits = octets.hex()
    if len(octets) != DATE_BYTES or not digits.isdigit():
        raise DecodeError("not a date of four bytes BCD", operation="slot date")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise DecodeError("no real day", operation="slot date") from None
