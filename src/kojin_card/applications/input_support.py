"""券面事項入力補助AP: 個人番号 and the four items as text (card.md §2.1, §2.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from kojin_card.applications.base import Driver
from kojin_card.applications.my_number import MyNumber, check_digit_is_right, stated_duty
from kojin_card.applications.person import Sex, sex_of, whole_date
from kojin_card.applications.proof import require_proof
from kojin_card.errors import SecretFormatError, UnexpectedAnswer, UsageError
from kojin_card.secret import Secret
from kojin_card.spec.wareki import yymmdd

if TYPE_CHECKING:
    from kojin_card.channel import PinArgument
    from kojin_card.pki.card_evidence import Prover
    from kojin_card.spec import Record


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
        secure_messaging: bool = False,
        prove: Prover | None = None,
    ) -> BasicFour:
        """The four items, after the PIN or after 照合番号B: 4 APDUs (3 without ``look``), one more past 256 bytes.

        What is read is not proved genuine by this, unless ``prove`` wants it: 9 APDUs more.

        Args:
            pin: 券面事項入力補助用暗証番号, 4 digits.
            code_b: 照合番号B instead, 14 digits (:func:`verification_code_b` makes it).
            look: see the tries left before a try is spent.
            reserve: tries that must remain.
            secure_messaging: after the PIN, which goes in clear, let the card encipher what it gives: 8 APDUs. Against
                listening only (:meth:`CardChannel.secure_messaging`); never with 照合番号B.
            prove: who judges the record before it is returned (``card.prover()``).

        Raises:
            UsageError: neither secret or both; secure messaging that cannot be. Nothing was sent.
            SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.verify`.
            UnexpectedAnswer: the content is malformed.
            SecureMessagingError: the card does not do it, or it broke; nothing was read in clear instead.
            NotGenuine: the record is not proved genuine.
        """
        if (pin is None) == (code_b is None):
            raise UsageError("the PIN or the verification number B, one of them", operation="read the four items")
        if secure_messaging:
            self._prove_secure_messaging(pin, "read the four items")
        with self._channel.transaction():
            if pin is not None:
                self._channel.verify(self.application, "pin", pin, look=look, reserve=reserve)
            elif code_b is not None:
                self._channel.verify(self.application, "code_b", code_b, look=look, reserve=reserve)
            record = self._record("basic_four", secured=secure_messaging, prove=prove)
        layout = self._channel.spec[self.application].layouts[record.layout]
        sex = sex_of(record, layout, "read input_support/basic_four")
        text = record.text("birth_date")
        return BasicFour(record.text("name"), record.text("address"), whole_date(text), text, sex)

    def read_my_number(
        self,
        pin: PinArgument | None = None,
        *,
        code_a: PinArgument | None = None,
        duty: str,
        look: bool = True,
        reserve: int = 1,
        secure_messaging: bool = False,
        prove: Prover | None = None,
    ) -> MyNumber:
        """個人番号, after the PIN or after 照合番号A (which is 個人番号 itself): 4 APDUs (3 without ``look``).

        The law names the duties for which it may be asked for (番号法 arts. 9, 19); without one it is not read. What is
        read is not proved genuine by this, unless ``prove`` wants it; only its check digit is right.

        Args:
            pin: 券面事項入力補助用暗証番号, 4 digits.
            code_a: 照合番号A instead, 12 digits.
            duty: what it is needed for, in the words of whoever handles it; kept with the value.
            look: see the tries left before a try is spent.
            reserve: tries that must remain.
            secure_messaging: as in :meth:`read_basic_four`; never with 照合番号A.
            prove: as in :meth:`read_basic_four`.

        Raises:
            UsageError: no duty; neither secret or both; secure messaging that cannot be. Nothing was sent.
            SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.verify`.
            UnexpectedAnswer: the content is malformed, or its check digit is wrong.
            SecureMessagingError: the card does not do it, or it broke; nothing was read in clear instead.
            NotGenuine: the record is not proved genuine.
        """
        operation = "read input_support/my_number"
        stated = stated_duty(duty, operation)
        if (pin is None) == (code_a is None):
            raise UsageError("the PIN or the verification number A, one of them", operation=operation)
        if secure_messaging:
            self._prove_secure_messaging(pin, operation)
        with self._channel.transaction():
            if pin is not None:
                self._channel.verify(self.application, "pin", pin, look=look, reserve=reserve)
            elif code_a is not None:
                self._channel.verify(self.application, "code_a", code_a, look=look, reserve=reserve)
            record = self._record("my_number", secured=secure_messaging, prove=prove)
        digits = record.text("my_number")
        if not check_digit_is_right(digits):
            raise UnexpectedAnswer("a wrong check digit", operation=operation, sw=0x9000)
        return MyNumber(digits, duty=stated)

    def _prove_secure_messaging(self, pin: PinArgument | None, operation: str) -> None:
        """Before anything is sent: the card takes a session key after the PIN and after nothing else (card.md §4.7)."""
        if pin is None:
            raise UsageError(
                "secure messaging begins with the PIN, not with a verification number", operation=operation
            )
        self._channel.prove_secure_messaging(self.application)

    def _record(self, file: str, *, secured: bool, prove: Prover | None) -> Record:
        """A record, and what proves it: both enciphered, or both in clear. The challenge is no secret."""
        if not secured:
            record = self._channel.record(self.application, file)
            require_proof(prove, self._channel, self.application, file, record)
            return record
        with self._channel.secure_messaging(self.application) as session:
            record = session.record(file)
            require_proof(prove, self._channel, self.application, file, record, read=session.record)
        return record


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
