"""券面事項確認AP: the card's face as images, its age record, and the image of 個人番号 (card.md §2.2, §2.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from kojin_card.applications.base import Driver
from kojin_card.applications.my_number import stated_duty
from kojin_card.applications.person import Sex, sex_of, whole_date
from kojin_card.applications.proof import require_proof
from kojin_card.errors import UnexpectedAnswer, UsageError
from kojin_card.secret import Secret
from kojin_card.spec.wareki import yymmdd

if TYPE_CHECKING:
    from kojin_card.channel import PinArgument
    from kojin_card.pki.card_evidence import Prover
    from kojin_card.spec import Record

#: The first bytes of each media type that the specs name (PNG: ISO/IEC 15948 §5.2; JP2: ISO/IEC 15444-1 §I.5.1)
_MAGIC = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jp2": b"\x00\x00\x00\x0cjP  \r\n\x87\n"}

#: nobody is asked whether somebody is older than this
_OLDEST = 150


@dataclass(frozen=True, slots=True)
class Face:
    """What is printed on the card, as it stands in EF 0002. ``repr`` shows none of it.

    Attributes:
        birth_date: None when part of it is unknown; :attr:`birth_date_text` (YYYYMMDD) then has zeros there.
        name_png, address_png: images of 氏名 and 住所, with the very glyphs of the register.
        photo: JPEG 2000 (JP2); None on a card without a photo (an infant's).
        expiry: 有効期限; not covered by the record's signature, nor is the security code (card.md §2.2).
        security_code_png: image of セキュリティコード.
    """

    birth_date: date | None = field(repr=False)
    birth_date_text: str = field(repr=False)
    sex: Sex = field(repr=False)
    name_png: bytes = field(repr=False)
    address_png: bytes = field(repr=False)
    photo: bytes | None = field(repr=False)
    expiry: date = field(repr=False)
    security_code_png: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MyNumberImage:
    """The image of 個人番号 on the back of the card. ``repr`` does not show it.

    Attributes:
        png: a picture of the twelve digits: 個人番号 as much as the digits are.
        duty: what it was read for.
    """

    png: bytes = field(repr=False)
    duty: str


class Age:
    """Answers whether the holder has reached an age, and nothing else: the birth date does not come out of it."""

    __slots__ = ("_born",)

    def __init__(self, born: date | None) -> None:
        self._born = born

    def is_at_least(self, years: int, on: date) -> bool:
        """Whether the holder is ``years`` old or older on the day ``on``; no when part of the birth date is unknown.

        An age is reached on the birthday; somebody born on 29 February reaches it on 1 March of common years.

        Raises:
            UsageError: no age that is asked for.
        """
        if isinstance(years, bool) or not 0 <= years <= _OLDEST:
            raise UsageError(f"an age from 0 to {_OLDEST}", operation="compare the age")
        born = self._born
        if born is None:
            return False
        return on.year - born.year - ((on.month, on.day) < (born.month, born.day)) >= years

    def __repr__(self) -> str:
        return "Age(***)"


class CardFace(Driver):
    """Driver of 券面事項確認AP. What it reads is not proved genuine by reading it, unless ``prove`` wants it."""

    application = "card_face"

    def read_face(
        self,
        *,
        code_b: PinArgument | None = None,
        code_a: PinArgument | None = None,
        look: bool = True,
        reserve: int = 1,
        prove: Prover | None = None,
    ) -> Face:
        """The face, after 照合番号B (what a counter can read off the card itself) or 照合番号A.

        SELECT, two VERIFY (one without ``look``), and a READ for each 256 bytes.

        Args:
            code_b: 14 digits (:func:`~kojin_card.applications.verification_code_b` makes it).
            code_a: 個人番号, 12 digits.
            prove: who judges the record before it is returned (``card.prover()``).

        Raises:
            UsageError: neither number or both.
            SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.verify`.
            UnexpectedAnswer: the content is malformed.
            NotGenuine: the record is not proved genuine.
        """
        operation = "read card_face/face"
        if (code_b is None) == (code_a is None):
            raise UsageError("the verification number A or B, one of them", operation=operation)
        with self._channel.transaction():
            if code_b is not None:
                self._channel.verify(self.application, "code_b", code_b, look=look, reserve=reserve)
            elif code_a is not None:
                self._channel.verify(self.application, "code_a", code_a, look=look, reserve=reserve)
            record = self._channel.record(self.application, "face")
            require_proof(prove, self._channel, self.application, "face", record)
        layout = self._channel.spec[self.application].layouts[record.layout]
        expiry = record["expiry"]
        if not isinstance(expiry, date):
            raise UnexpectedAnswer("no date", operation=operation, sw=0x9000)
        text = record.text("birth_date")
        photo = self._image(record, "photo", operation) if record.values.get("photo") else None
        return Face(
            whole_date(text),
            text,
            sex_of(record, layout, operation),
            self._image(record, "name_image", operation),
            self._image(record, "address_image", operation),
            photo,
            expiry,
            self._image(record, "security_code_image", operation),
        )

    def read_age(
        self, birth_code: PinArgument, *, look: bool = True, reserve: int = 1, prove: Prover | None = None
    ) -> Age:
        """The age record, opened by the six digits of the birth date (:func:`birth_code`): for yes or no.

        Nobody knows how many tries this key has (card.md §3); the counter is looked at all the same.

        Raises:
            SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.verify`.
            UnexpectedAnswer: the content is malformed.
            NotGenuine: as :meth:`read_face`.
        """
        with self._channel.transaction():
            self._channel.verify(self.application, "birth_code", birth_code, look=look, reserve=reserve)
            record = self._channel.record(self.application, "age")
            require_proof(prove, self._channel, self.application, "age", record)
        return Age(whole_date(record.text("birth_date")))

    def read_my_number_image(
        self,
        code_a: PinArgument,
        *,
        duty: str,
        look: bool = True,
        reserve: int = 1,
        prove: Prover | None = None,
    ) -> MyNumberImage:
        """The image of 個人番号, after 照合番号A. Only for a duty that the law names (番号法 arts. 9, 19).

        A number that this session has verified already (for :meth:`read_face`) is not asked for or sent again.

        Raises:
            UsageError: no duty is stated; nothing was sent.
            SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.verify`.
            UnexpectedAnswer: the content is malformed.
            NotGenuine: as :meth:`read_face`.
        """
        operation = "read card_face/my_number_image"
        stated = stated_duty(duty, operation)
        with self._channel.transaction():
            if not self._channel.is_verified(self.application, "code_a"):
                self._channel.verify(self.application, "code_a", code_a, look=look, reserve=reserve)
            record = self._channel.record(self.application, "my_number_image")
            require_proof(prove, self._channel, self.application, "my_number_image", record)
        return MyNumberImage(self._image(record, "my_number_image", operation), stated)

    def _image(self, record: Record, name: str, operation: str) -> bytes:
        """An image field, when its first bytes are those of its media type."""
        layout = self._channel.spec[self.application].layouts[record.layout]
        media = next(spec.media for spec in layout.walk() if spec.name == name)
        image = record.octets(name)
        if not image.startswith(_MAGIC.get(media, b"")):
            raise UnexpectedAnswer(f"{name} is no {media}", operation=operation, sw=0x9000)
        return image


def birth_code(birth_date: date) -> Secret:
    """生年月日読出用の照合番号 (card.md §2.3): the birth date as YYMMDD of the Japanese era, which itself is not in it.

    Raises:
        UsageError: a day before 明治.
    """
    return Secret(yymmdd(birth_date))
