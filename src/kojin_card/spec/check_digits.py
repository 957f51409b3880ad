"""Check digits of the public numbers that records of the free area carry (free-area.md; card.md §7).

Each ``..._check_digit`` computes, each plain name judges a whole number written in ASCII digits. None of them raises
for a number that is wrong: wrong is an answer.
"""

from __future__ import annotations

CORPORATE_LENGTH = 13
#: 保険者番号: eight digits, or six of 国民健康保険
INSURER_LENGTHS = (6, 8)
MUNICIPALITY_LENGTH = 5
_PREFECTURES = 47
#: card.md §7: weights of the five digits of a municipality code, left to right
_MUNICIPALITY_WEIGHTS = (6, 5, 4, 3, 2)


def is_digits(text: str, length: int) -> bool:
    """Whether ``text`` is exactly ``length`` ASCII digits."""
    return len(text) == length and text.isascii() and text.isdigit()


def corporate_check_digit(twelve: str) -> str:
    """The digit that stands *before* the twelve others of a 法人番号: 9 less the remainder of the weighted sum by 9,
    weights 1 and 2 in turn from the last digit on (1 to 9, never 0).

    Raises:
        ValueError: not twelve digits.
    """
    _demand(twelve, CORPORATE_LENGTH - 1)
    total = sum(int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(twelve)))
    return str(9 - total % 9)


def corporate_number(digits: str) -> bool:
    """Whether thirteen digits are a 法人番号."""
    return is_digits(digits, CORPORATE_LENGTH) and digits[0] == corporate_check_digit(digits[1:])


def insurer_check_digit(rest: str) -> str:
    """The last digit of a 保険者番号 after its five or seven others: weights 2 and 1 in turn from the right, the digits
    of each product summed, what is missing to the next ten.

    Raises:
        ValueError: not five or seven digits.
    """
    if len(rest) + 1 not in INSURER_LENGTHS:
        raise ValueError("an insurer number has 5 or 7 digits before its check digit")
    _demand(rest, len(rest))
    products = (int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(rest)))
    return str(-sum(sum(divmod(product, 10)) for product in products) % 10)


def insurer_number(digits: str) -> bool:
    """Whether eight digits (or six, of 国民健康保険) are a 保険者番号."""
    return (
        len(digits) in INSURER_LENGTHS
        and is_digits(digits, len(digits))
        and digits[-1] == insurer_check_digit(digits[:-1])
    )


def municipality_check_digit(five: str) -> str:
    """The sixth digit of a 全国地方公共団体コード: the last digit of 11 less the remainder of the weighted sum by 11.

    Raises:
        ValueError: not five digits.
    """
    _demand(five, MUNICIPALITY_LENGTH)
    total = sum(weight * int(digit) for weight, digit in zip(_MUNICIPALITY_WEIGHTS, five, strict=True))
    return str((11 - total % 11) % 10)


def municipality_code(digits: str) -> bool:
    """Whether digits are the code of a municipality: five of them in a prefecture 01 to 47 (not the prefecture's own,
    which ends in 000), or those and the right check digit."""
    if is_digits(digits, MUNICIPALITY_LENGTH + 1):
        five = digits[:-1]
        return municipality_code(five) and digits[-1] == municipality_check_digit(five)
    return is_digits(digits, MUNICIPALITY_LENGTH) and prefecture_code(digits[:2]) and digits[2:] != "000"


def prefecture_code(digits: str) -> bool:
    """Whether two digits are the code of a prefecture, 01 to 47."""
    return is_digits(digits, 2) and 1 <= int(digits) <= _PREFECTURES


def _demand(digits: str, length: int) -> None:
    if not is_digits(digits, length):
        raise ValueError(f"not {length} digits")
