"""The holder as the 署名用電子証明書 names them: disclosed on request only, and never printed by accident."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn, Self

from kojin_card.pki.attributes import read_attributes

if TYPE_CHECKING:
    from datetime import date

    from kojin_card.pki.certificate import Certificate, OtherName


class Sex(StrEnum):
    """性別. The card has more codes than two, and sources disagree on what they mean (jpki.md §1.4): unknown."""

    MALE = "male"
    FEMALE = "female"
    UNKNOWN = "unknown"


class Holder:
    """基本4情報 of a certificate that passed signature, chain and profile. A value; it cannot be changed or pickled.

    Not a dataclass, on purpose: ``dataclasses.asdict(verdict)`` would unfold it, and whatever logs that would log it.

    Attributes:
        name, address: 氏名, 住所 as the certificate writes them (full width, U+3000 between names). Text from a file:
            escape it where it is shown. Compare it with a register only under a documented normalisation.
        birth_date: 生年月日; None when the era is unknown or a part is zeroed, so that no age can be made of it.
        birth_date_text: the nine digits ``EYYYYMMDD`` as written.
        name_substitutes, address_substitutes: positions (from 0) of characters that are substitutes (代替文字): there
            the text is *not* what the resident register says.
        name_kana, former_name: フリガナ and 旧氏; None as long as their OIDs are not established (jpki.md §9.1).
        unknown: otherNames that this version does not know, raw.
    """

    __slots__ = (
        "address",
        "address_substitutes",
        "birth_date",
        "birth_date_text",
        "former_name",
        "name",
        "name_kana",
        "name_substitutes",
        "sex",
        "unknown",
    )
    name: str
    address: str
    birth_date: date | None
    birth_date_text: str
    sex: Sex
    name_substitutes: tuple[int, ...]
    address_substitutes: tuple[int, ...]
    name_kana: str | None
    former_name: str | None
    unknown: tuple[OtherName, ...]

    def __init__(
        self,
        *,
        name: str,
        address: str,
        birth_date: date | None,
        birth_date_text: str,
        sex: Sex,
        name_substitutes: tuple[int, ...],
        address_substitutes: tuple[int, ...],
        name_kana: str | None = None,
        former_name: str | None = None,
        unknown: tuple[OtherName, ...] = (),
    ) -> None:
        given = locals()
        for field in self.__slots__:
            object.__setattr__(self, field, given[field])

    @classmethod
    def of(cls, certificate: Certificate) -> Holder | None:
        """The holder, or None when the certificate names nobody (利用者証明用電子証明書).

        Raises:
            DecodeError: malformed attributes; a verdict asks only after its profile check passed.
        """
        if certificate.other_names is None:
            return None
        person = read_attributes(certificate)
        return cls(
            name=person.name,
            address=person.address,
            birth_date=person.birth_date,
            birth_date_text=person.birth_text,
            sex={"1": Sex.MALE, "2": Sex.FEMALE}.get(person.sex, Sex.UNKNOWN),
            name_substitutes=_positions(person.name_substitutes),
            address_substitutes=_positions(person.address_substitutes),
            unknown=person.unknown,
        )

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, field) for field in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Holder) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a holder does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a holder does not change")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("personal data is not pickled: take what is needed, by name")

    def __repr__(self) -> str:
        return "Holder(***)"


def _positions(flags: str) -> tuple[int, ...]:
    return tuple(place for place, flag in enumerate(flags) if flag == "1")
