"""The otherNames of a 署名用電子証明書, read strictly: the four items and their substitute characters (jpki.md §1.4).

The only reader of them: the profile check judges with it, and the holder that a verdict discloses is made from it.
"""

from __future__ import annotations

import contextlib
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from kojin_card.pki import der
from kojin_card.pki.profile import load_profiles

if TYPE_CHECKING:
    from kojin_card.pki.certificate import Certificate, OtherName

MAX_TEXT_CHARS = 200
_ERAS = "012345"
_REQUIRED = ("name", "birth_date", "sex", "address", "name_substitutes", "address_substitutes")


class MalformedAttributes(der.DerError):
    """An otherName that is missing, stands twice or has not the form it must have. Never says what it holds."""

    code = "malformed_attributes"


@dataclass(frozen=True, slots=True, repr=False)
class PersonAttributes:
    """What the certificate says of its holder, text as encoded.

    Attributes:
        birth_text: nine digits ``EYYYYMMDD`` (E: 0 unknown, 1 明治 .. 5 令和; the year is Gregorian).
        sex: one digit: 1 男, 2 女, anything else not known.
        name_substitutes, address_substitutes: one digit a character, 1 = what is shown is a substitute.
        unknown: otherNames of other OIDs, raw (カナ氏名 and 旧氏 have OIDs that are not established, jpki.md §9.1).
    """

    name: str
    address: str
    birth_text: str
    sex: str
    name_substitutes: str
    address_substitutes: str
    unknown: tuple[OtherName, ...] = field(default=())

    @property
    def birth_date(self) -> date | None:
        """The date; None when the era is unknown or a part of it is zeroed (jpki.md §6 A-15)."""
        year, month, day = int(self.birth_text[1:5]), int(self.birth_text[5:7]), int(self.birth_text[7:])
        if self.birth_text[0] == "0" or not (year and month and day):
            return None
        return date(year, month, day)


def read_attributes(certificate: Certificate) -> PersonAttributes:
    """Read the six otherNames.

    Raises:
        MalformedAttributes: a name of another kind, an OID twice, one of the six missing, a string type other than
            UTF8String, text with control characters, flags whose length is not that of their text, no such date.
    """
    if certificate.other_names is None or certificate.plain_alt_names:
        raise MalformedAttributes("no otherNames, or names of another kind beside them")
    profiles = load_profiles()
    found: dict[str, str] = {}
    unknown: list[OtherName] = []
    seen: set[str] = set()
    for entry in certificate.other_names:
        if entry.oid in seen:
            raise MalformedAttributes("an attribute that stands twice")
        seen.add(entry.oid)
        attribute = profiles.attribute_by_oid(entry.oid)
        if attribute is None:
            unknown.append(entry)
        else:
            found[attribute.id] = _text(entry.value)
    if any(name not in found for name in _REQUIRED):
        raise MalformedAttributes("an attribute is missing")
    person = PersonAttributes(
        found["name"],
        found["address"],
        found["birth_date"],
        found["sex"],
        found["name_substitutes"],
        found["address_substitutes"],
        tuple(unknown),
    )
    _check(person)
    return person


def _text(value: bytes) -> str:
    element = der.single(value)
    if element.tag != der.UTF8_STRING:
        raise MalformedAttributes("an attribute of another string type")
    text: str | None = None
    with contextlib.suppress(UnicodeDecodeError):  # it holds the text: nothing is raised while it is handled
        text = element.value.decode("utf-8")
    if text is None:
        raise MalformedAttributes("an attribute that is not UTF-8")
    if not 0 < len(text) <= MAX_TEXT_CHARS or any(unicodedata.category(sign) in ("Cc", "Cf", "Cs") for sign in text):
        raise MalformedAttributes("an attribute that is empty, too long, or has control characters")
    return text


def _digits(text: str, length: int) -> bool:
    return len(text) == length and text.isascii() and text.isdigit()


def _check(person: PersonAttributes) -> None:
    if not _digits(person.birth_text, 9) or person.birth_text[0] not in _ERAS or not _digits(person.sex, 1):
        raise MalformedAttributes("a date or a sex of another form")
    for flags, text in (
        (person.name_substitutes, person.name),
        (person.address_substitutes, person.address),
    ):
        if not _digits(flags, len(text)) or set(flags) - {"0", "1"}:
            raise MalformedAttributes("substitute flags that do not fit their text")
    possible = False
    with contextlib.suppress(ValueError):
        _ = person.birth_date
        possible = True
    if not possible:
        raise MalformedAttributes("no such date")
