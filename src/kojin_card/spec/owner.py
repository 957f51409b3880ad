"""Owners of the free area: kind and code, as text (``municipality:13101``) and as they stand in records.

Who may own is in free-area.md: municipalities, prefectures, national agencies, and companies after a confirmation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from kojin_card.errors import DecodeError, InputError
from kojin_card.spec.check_digits import MUNICIPALITY_LENGTH, corporate_number, municipality_code, prefecture_code

_AGENCY = re.compile(r"[0-9A-Z]{1,16}\Z")


class OwnerKind(IntEnum):
    """Kind of an owner; the value is its byte on the card."""

    MUNICIPALITY = 1
    PREFECTURE = 2
    NATIONAL = 3
    PRIVATE = 4

    @property
    def word(self) -> str:
        """The kind as it stands before the colon: ``municipality``."""
        return self.name.lower()


#: what is wrong with a code that is not right, by kind
_PROBLEMS = {
    OwnerKind.MUNICIPALITY: "a municipality is its code of five digits (without the check digit)",
    OwnerKind.PREFECTURE: "a prefecture is its code of two digits, 01 to 47",
    OwnerKind.NATIONAL: "a national agency is a code of 1 to 16 digits and capital letters",
    OwnerKind.PRIVATE: "a company is its 法人番号: 13 digits with a right check digit",
}


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner of a security domain and its slots.

    Attributes:
        code: of a municipality 5 digits, of a prefecture 2, of a national agency 1 to 16 characters (0-9, A-Z), of a
            company its 法人番号 (13).

    Raises:
        InputError: a code that its kind cannot have.
    """

    kind: OwnerKind
    code: str

    def __post_init__(self) -> None:
        if not _code_is_right(self.kind, self.code):
            raise InputError(_PROBLEMS[self.kind], operation="owner")

    @classmethod
    def parse(cls, text: str) -> Owner:
        """Read ``municipality:13101``, ``prefecture:13``, ``national:...``, ``private:7000012050002``.

        Raises:
            InputError: it is not one; the words say what is wrong.
        """
        word, colon, code = text.partition(":")
        kind = next((one for one in OwnerKind if one.word == word), None)
        if kind is None or not colon:
            raise InputError(
                "an owner is written municipality:, prefecture:, national: or private: and its code", operation="owner"
            )
        return cls(kind, code)

    @classmethod
    def from_octets(cls, kind: int, code: bytes) -> Owner:
        """The owner of a kind byte and an ASCII code, as a card or a certificate gives them.

        Raises:
            DecodeError: they are none.
        """
        try:
            return cls(OwnerKind(kind), code.decode("ascii"))
        except (ValueError, InputError):
            raise DecodeError("not an owner", operation="slot owner") from None

    @classmethod
    def decode(cls, octets: bytes) -> Owner:
        """The owner of :meth:`encode`'s octets.

        Raises:
            DecodeError: they are none.
        """
        if not octets:
            raise DecodeError("not an owner", operation="slot owner")
        return cls.from_octets(octets[0], octets[1:])

    @property
    def code_octets(self) -> bytes:
        """The code in ASCII."""
        return self.code.encode("ascii")

    def encode(self) -> bytes:
        """Kind byte and code: the owner of a security domain, and a field of type ``owner``."""
        return bytes((self.kind,)) + self.code_octets

    def __str__(self) -> str:
        return f"{self.kind.word}:{self.code}"


def _code_is_right(kind: OwnerKind, code: str) -> bool:
    match kind:
        case OwnerKind.MUNICIPALITY:
            return len(code) == MUNICIPALITY_LENGTH and municipality_code(code)
        case OwnerKind.PREFECTURE:
            return prefecture_code(code)
        case OwnerKind.NATIONAL:
            return _AGENCY.fullmatch(code) is not None
        case OwnerKind.PRIVATE:
            return corporate_number(code)
