"""A field of a service of the free area: its type, its text form, its octets on the card, and who may read it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, InputError
from kojin_card.spec import bcd, check_digits
from kojin_card.spec.free_area import slot_applet_spec
from kojin_card.spec.lines import is_printable
from kojin_card.spec.owner import Owner

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.spec.access import Access
    from kojin_card.spec.model import Evidence, Privacy

NUMBER_BYTES = 4
NUMBER_MOST = 0xFFFF_FFFF
#: bits of a rule's alternative on the card
TERMINAL, HOLDER = 0x01, 0x02
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,9})\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_KATAKANA = re.compile(r"[\u30A1-\u30FA\u30FB\u30FC\u3000 ]+\Z")
_UPPER = re.compile(r"[0-9A-Z]+\Z")
_ALPHANUMERIC = re.compile(r"[0-9A-Za-z]+\Z")
#: what may stand in a name beside letters and their marks
_IN_NAMES = frozenset(" \u3000\u30fb.,'\u2019-\uff0d=\uff1d\u30a0")


class FieldError(InputError):
    """A value that a field of a service cannot have. ``details`` has ``service`` and ``field``, never the value."""

    code = "field"


class ServiceFieldType(StrEnum):
    """Type of a field: its text form and its octets (``applets_spec/README.md``)."""

    DIGITS = "digits"
    ASCII = "ascii"
    UTF8 = "utf8"
    DATE = "date"
    CODE = "code"
    NUMBER = "number"
    OWNER = "owner"
    MUNICIPALITY_CODE = "municipality_code"
    CORPORATE_NUMBER = "corporate_number"
    INSURER_NUMBER = "insurer_number"


def _is_name(text: str) -> bool:
    return all(unicodedata.category(char)[0] in "LM" or char in _IN_NAMES for char in text)


#: character sets: of ASCII, and of UTF-8
CHARSETS: dict[ServiceFieldType, dict[str, Callable[[str], bool]]] = {
    ServiceFieldType.ASCII: {
        "printable": lambda text: text.isascii() and text.isprintable(),
        "alphanumeric": lambda text: _ALPHANUMERIC.fullmatch(text) is not None,
        "upper_alphanumeric": lambda text: _UPPER.fullmatch(text) is not None,
    },
    ServiceFieldType.UTF8: {
        "printable": is_printable,
        "name": _is_name,
        "katakana": lambda text: _KATAKANA.fullmatch(text) is not None,
    },
}
#: types that have a length; all others say themselves how long they are
SIZED = frozenset({ServiceFieldType.DIGITS, *CHARSETS})


@dataclass(frozen=True, slots=True)
class CodeValue:
    """One of the values of a field of type ``code``, and its words."""

    code: str
    ja: str
    en: str


@dataclass(frozen=True, slots=True)
class ServiceField:
    """A field of a service.

    Attributes:
        service: id of the service. id: of the field, unique in it. sfi: short identifier, 1 to 24.
        minimum, maximum: characters of ``digits``, ``ascii`` and ``utf8``; the least and the greatest ``number``.
        charset: of ``ascii`` and ``utf8``. values: of ``code``.
        read: who may; ``rule_octets`` is the same as the card keeps it.
        optional: a record may be without it.
        from_card: which of the holder's data fill it, when the holder agrees; empty: none.
        issued, expires: the day of issue; the last day on which the record counts, judged at the terminal.
    """

    service: str
    id: str
    sfi: int
    type: ServiceFieldType
    label_ja: str
    label_en: str
    read: Access
    rule_octets: bytes
    privacy: Privacy
    evidence: Evidence = field(repr=False)
    example: str = ""
    minimum: int = 0
    maximum: int = 0
    charset: str = ""
    values: tuple[CodeValue, ...] = ()
    optional: bool = False
    from_card: str = ""
    issued: bool = False
    expires: bool = False

    def label(self, lang: str) -> str:
        """What people call it (``ja`` or ``en``)."""
        return self.label_ja if lang == "ja" else self.label_en

    def encode(self, text: str) -> bytes:
        """The octets of a value, without salt.

        Raises:
            FieldError: a value that the field cannot have; the words say what it must be, and never what it was.
        """
        problem = self.problem(text)
        if problem:
            raise FieldError(problem, operation=f"field {self.service}.{self.id}", service=self.service, field=self.id)
        return self._octets(text)

    def decode(self, octets: bytes) -> str:
        """The text of a value, in the one form in which :meth:`encode` would give these octets again.

        Raises:
            DecodeError: octets that are no value of the field; never carries them.
        """
        try:
            text = self._text(octets)
            right = self.problem(text) is None and self._octets(text) == octets
        except (UnicodeDecodeError, InputError, DecodeError, KeyError):
            right = False
        if not right:
            raise DecodeError("octets that are no value of this field", operation=f"field {self.service}.{self.id}")
        return text

    def words(self, text: str, lang: str) -> str:
        """A value as people read it: of a ``code`` its words, of everything else the value itself."""
        for value in self.values:
            if value.code == text:
                return value.ja if lang == "ja" else value.en
        return text

    def problem(self, text: str) -> str | None:
        """What is wrong with a value, in words that do not repeat it; None: nothing."""
        if self.type in SIZED:
            return self._sized_problem(text)
        match self.type:
            case ServiceFieldType.CODE:
                codes = [value.code for value in self.values]
                right, words = text in codes, f"must be one of its codes: {', '.join(codes)}"
            case ServiceFieldType.DATE:
                right, words = _day(text) is not None, "must be a real day, written YYYY-MM-DD"
            case ServiceFieldType.NUMBER:
                right = _NUMBER.fullmatch(text) is not None and self.minimum <= int(text) <= self.maximum
                words = f"must be a number from {self.minimum} to {self.maximum}, without leading zeros"
            case ServiceFieldType.OWNER:
                right, words = _is_owner(text), "must be an owner: its kind, a colon, its code"
            case ServiceFieldType.MUNICIPALITY_CODE:
                right = check_digits.municipality_code(text)
                words = "must be a municipality code: 5 digits, or 6 with a right check digit"
            case ServiceFieldType.CORPORATE_NUMBER:
                right = check_digits.corporate_number(text)
                words = "must be a 法人番号: 13 digits with a right check digit"
            case _:
                right = check_digits.insurer_number(text)
                words = "must be a 保険者番号: 8 or 6 digits with a right check digit"
        return None if right else words

    def _sized_problem(self, text: str) -> str | None:
        if not self.minimum <= len(text) <= self.maximum:
            return f"must have {self._count()} characters"
        if self.type is ServiceFieldType.DIGITS:
            return None if text.isascii() and text.isdigit() else "must be digits 0 to 9"
        if text != text.strip():
            return "must not begin or end with a blank"
        if not (is_printable(text) and CHARSETS[self.type][self.charset](text)):
            return f"must be of the character set {self.charset}"
        most = slot_applet_spec().number("field_most")
        return None if len(text.encode()) <= most else f"must not take more than {most} bytes"

    def _count(self) -> str:
        return str(self.minimum) if self.minimum == self.maximum else f"{self.minimum} to {self.maximum}"

    def _octets(self, text: str) -> bytes:
        match self.type:
            case ServiceFieldType.DATE:
                return bcd.encode_date(date.fromisoformat(text))
            case ServiceFieldType.NUMBER:
                return int(text).to_bytes(NUMBER_BYTES, "big")
            case ServiceFieldType.OWNER:
                return Owner.parse(text).encode()
            case ServiceFieldType.MUNICIPALITY_CODE:
                return text[: check_digits.MUNICIPALITY_LENGTH].encode("ascii")
            case ServiceFieldType.UTF8:
                return text.encode()
            case _:
                return text.encode("ascii")

    def _text(self, octets: bytes) -> str:
        match self.type:
            case ServiceFieldType.DATE:
                return bcd.decode_date(octets).isoformat()
            case ServiceFieldType.NUMBER:
                return str(int.from_bytes(octets[: NUMBER_BYTES + 1], "big"))
            case ServiceFieldType.OWNER:
                return str(Owner.decode(octets))
            case ServiceFieldType.UTF8:
                return octets.decode()
            case _:
                return octets.decode("ascii")


def _day(text: str) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  # a calendar day has no zone
    except ValueError:
        return None


def _is_owner(text: str) -> bool:
    try:
        Owner.parse(text)
    except InputError:
        return False
    return True
