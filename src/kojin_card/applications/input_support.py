"""券面事項入力補助AP: the four items as text (card.md §2.1, §2.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from kojin_card.applications.base import Driver
from kojin_card.errors import SecretFormatError, UnexpectedAnswer, UsageError
from kojin_card.secret import Secret
from kojin_card.spec.wareki import yymmdd

if TYPE_CHECKING:
    from kojin_card.channel import PinArgument


class Sex(StrEnum):
    """性別 (JIS X 0303: 1, 2, 9, 0)."""

    MALE = "male"
    FEMALE = "female"
    NOT_APPLICABLE = "not_applicable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class BasicFour:
    """基本4情報, exactly as the card writes them. ``repr`` shows none of it.

    Attributes:
        name: family and given name separated by U+3000, or one name.
        birth_date: None when part of it is unknown; :attr:`birth_date_text` then has zeros there.
        birth_date_text: YYYYMMDD.
        name_kana, former_name: None on cards that do not hold them (all that are known, card.md §2.1).
    """

    name: str = field(repr=False)
    address: str = field(repr=False)
    birth_date: date | None = field(repr=False)
    birth_date_text: str = field(repr=False)
    sex: Sex = field(repr=False)
    name_kana: str | None = field(default=None, repr=False)
    former_name: str | None = field(default=None, repr=False)


class InputSupport(Driver):
    """Driver of 券面事項入力補助AP."""

    application = "input_support"

    def read_basic_four(
        self,
        pin: PinArgument | None = None,
        *,
        code_b: PinArgument | None = None,
        look: bool = True,
        reserve: int = 1,
    ) -> BasicFour:
        """The four items, after the PIN or after 照合番号B: 4 APDUs (3 without ``look``), one more past 256 bytes.

        What is read is not proved genuine by this.

        Args:
            pin: 券面事項入力補助用暗証番号, 4 digits.
            code_b: 照合番号B instead, 14 digits (:func:`verification_code_b` makes it).
            look: see the tries left before a try is spent.
            reserve: tries that must remain.

        Raises:
            UsageError: neither secret or both.
            SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.verify`.
            UnexpectedAnswer: the content is malformed.
        """
        if (pin is None) == (code_b is None):
            raise UsageError("the PIN or the verification number B, one of them", operation="read the four items")
        with self._channel.transaction():
            if pin is not None:
                self._channel.verify(self.application, "pin", pin, look=look, reserve=reserve)
            elif code_b is not None:
                self._channel.verify(self.application, "code_b", code_b, look=look, reserve=reserve)
            record = self._channel.record(self.application, "basic_four")
        layout = self._channel.spec[self.application].layouts["basic_four"]
        meanings = next(spec.values for spec in layout.walk() if spec.name == "sex")
        try:
            sex = Sex(meanings[record.text("sex")])
        except (KeyError, ValueError):
            sex = None
        if sex is None:
            raise UnexpectedAnswer("an unknown sex", operation="read input_support/basic_four", sw=0x9000)
        text = record.text("birth_date")
        return BasicFour(record.text("name"), record.text("address"), _whole_date(text), text, sex)


def _whole_date(text: str) -> date | None:
    """The day, or None when a part is unknown. The codec has checked that the digits form one or the other."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def verification_code_b(birth_date: date, expiry_year: int, security_code: str) -> Secret:
    """照合番号B (card.md §2.3): birth date as YYMMDD of the Japanese era, year of expiry, セキュリティコード.

    Args:
        expiry_year: Gregorian, the year of the card's expiry as printed on its face.
        security_code: the four digits printed on the face.

    Raises:
        SecretFormatError: the security code is not four digits. UsageError: a year or day that no card can have.
    """
    operation = "make the verification number B"
    if len(security_code) != 4 or not (security_code.isascii() and security_code.isdigit()):
        raise SecretFormatError("the security code has four digits", operation=operation, secret="code-b")
    if not 2000 <= expiry_year <= 9999:
        raise UsageError("the year of expiry has four digits", operation=operation)
    return Secret(f"{yymmdd(birth_date)}{expiry_year:04d}{security_code}")
