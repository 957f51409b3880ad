"""個人番号 as a value: checked, masked, and never read without a stated duty (card.md §7; 番号法 arts. 9, 19)."""

from __future__ import annotations

import hmac
from typing import NoReturn

from kojin_card.errors import DecodeError, UsageError

_LENGTH = 12
_SHOWN = 4
#: 総務省令 85号 5条: weights of the first eleven digits, left to right (card.md §7)
_WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
_MODULUS = 11
_DUTY_MAX = 200


def check_digit_is_right(digits: str) -> bool:
    """Whether twelve digits are a 個人番号: the last one is 0 when the remainder is 0 or 1, else 11 less it."""
    if len(digits) != _LENGTH or not (digits.isascii() and digits.isdigit()):
        return False
    remainder = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=False)) % _MODULUS
    return int(digits[-1]) == (0 if remainder <= 1 else _MODULUS - remainder)


def stated_duty(duty: str, operation: str) -> str:
    """The purpose for which 個人番号 is handled, as its handler states it; no list can name all that the law allows.

    Raises:
        UsageError: none was stated, it is not one line, or it is longer than 200 characters.
    """
    given: object = duty
    text = given.strip() if isinstance(given, str) else ""
    if not text or len(text) > _DUTY_MAX or not text.isprintable():
        raise UsageError("個人番号 is read only with a stated duty (番号法 arts. 9, 19)", operation=operation)
    return text


class MyNumber:
    """個人番号, twelve digits with a right check digit.

    It prints as ``MyNumber(***)``, cannot be hashed, pickled or copied, and does not change. ``masked()`` is for people
    who must see that it is the right one, ``reveal()`` for the one place that the duty is about.
    """

    __slots__ = ("_digits", "_duty")

    _digits: str
    _duty: str

    def __init__(self, digits: str, *, duty: str) -> None:
        """Take twelve digits.

        Raises:
            DecodeError: not twelve digits, or the check digit is wrong; says nothing of them.
            UsageError: no duty is stated.
        """
        object.__setattr__(self, "_duty", stated_duty(duty, "take 個人番号"))
        if not check_digit_is_right(digits):
            raise DecodeError("not twelve digits with their check digit", operation="take 個人番号")
        object.__setattr__(self, "_digits", digits)

    @property
    def duty(self) -> str:
        """What it was read for, to be kept in the record of handling."""
        return self._duty

    def masked(self) -> str:
        """The last four digits behind asterisks."""
        return "*" * (_LENGTH - _SHOWN) + self._digits[-_SHOWN:]

    def reveal(self) -> str:
        """All twelve digits."""
        return self._digits

    def __repr__(self) -> str:
        return "MyNumber(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MyNumber) and hmac.compare_digest(self._digits, other._digits)

    __hash__ = None  # type: ignore[assignment]  # a hash of twelve digits is the twelve digits

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a MyNumber does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a MyNumber does not change")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a MyNumber cannot be pickled or copied")
