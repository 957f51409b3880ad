"""マイナ免許証: the driving licence on the card (card.md §2.9). It holds no name, no address and no birth date.

Whose licence it is, the card's other applications say; what binds the record to them is the photo and the chip alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from kojin_card.applications.base import Driver
from kojin_card.errors import AccessDenied, SecretUnavailable, UnexpectedAnswer
from kojin_card.spec.jis_x0208 import GAIJI, MISSING
from kojin_card.spec.wareki import era_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.channel import PinArgument
    from kojin_card.spec import LayoutSpec, Record

#: what stands in a text for a character that the record can only draw, or has not got
GETA = "〓"
#: JPEG 2000 as a file (ISO/IEC 15444-1 §I.5.1) or as a bare codestream (§A.4.1); which of the two is in no source
_PHOTO = (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_HELD = "held"
_SHOWN = str.maketrans(dict.fromkeys((*GAIJI.values(), MISSING), GETA))


@dataclass(frozen=True, slots=True)
class LicenceCategory:
    """A kind of licence that is held.

    Attributes:
        id: as the specs name it (``ordinary``, ``moped``...).
    """

    id: str
    name_ja: str
    name_en: str


@dataclass(frozen=True, slots=True)
class DrivingLicence:
    """What WEF02 says. ``repr`` shows none of it. Not proved genuine by being read: judge ``record`` for that.

    Texts have 〓 where the record has a 外字 (a drawing) or a missing character.

    Attributes:
        number: 免許情報記録の番号, 12 digits; None on a record of past driving (運転経歴情報) alone.
        colour: 優良, 新規, その他...; None when it is not recorded.
        expiry: last day; None when the record has none. ``expiry_text`` is what stands there: era digit, YYMMDD.
        categories: what may be driven, in the order of the record.
        motorcycle_date, other_date, second_class_date: 二・小・原, 他, 二種: when the first of the group was given.
        conditions, remarks: those that are not empty.
        history_number, history_date, history_category: 運転経歴情報; what a category's value means is not public.
        photo: JPEG 2000; None when there is none.
        drawn_characters: the drawings of 外字 by their number, as they stand (their form is in no source).
        record: WEF02 without filler: the bytes that the signature covers.
        signature_record: WEF03, with signature and issuer.
    """

    number: str | None = field(repr=False)
    colour: str | None = field(repr=False)
    expiry: date | None = field(repr=False)
    expiry_text: str = field(repr=False)
    categories: tuple[LicenceCategory, ...] = field(repr=False)
    motorcycle_date: date | None = field(repr=False)
    other_date: date | None = field(repr=False)
    second_class_date: date | None = field(repr=False)
    conditions: tuple[str, ...] = field(repr=False)
    remarks: tuple[str, ...] = field(repr=False)
    history_number: str | None = field(repr=False)
    history_date: date | None = field(repr=False)
    history_category: bytes | None = field(repr=False)
    photo: bytes | None = field(repr=False)
    drawn_characters: Mapping[int, bytes] = field(repr=False)
    record: bytes = field(repr=False)
    signature_record: bytes = field(repr=False)

    def expired(self, on: date) -> bool | None:
        """Whether the last day has passed on the day ``on``; None when the record has none."""
        return None if self.expiry is None else on > self.expiry


class Licence(Driver):
    """Driver of マイナ免許証AP, which only some cards have (:class:`~kojin_card.errors.NotOnCard` otherwise)."""

    application = "licence"

    def pin_is_set(self) -> bool:
        """Whether the holder set a PIN, as the card tells anyone: 2 APDUs.

        Raises:
            NotOnCard: there is no driving licence on this card. UnexpectedAnswer: the content is malformed.
        """
        return self._channel.is_set(self.application, "pin")

    def read(self, pin: PinArgument | None = None, *, reserve: int = 1) -> DrivingLicence:
        """The licence, after its PIN. Of a card on which none was set the PIN is not used, nor a source asked for one.

        Without a PIN on the card the record is read as it is, and when it is closed the value that stands for no PIN is
        verified, which the card's own setting must have asked for: never as a guess.

        Args:
            pin: 4 digits; None for a card that has none set.

        Raises:
            NotOnCard: there is no driving licence on this card.
            SecretUnavailable: a PIN is set, and none was given; nothing was verified.
            SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.verify`.
            UnexpectedAnswer: the content is malformed.
        """
        channel = self._channel
        operation = "read licence/licence_information"
        if pin is not None:
            channel.require_form(self.application, "pin", pin)
        with channel.transaction():
            if self.pin_is_set():
                if pin is None:
                    raise SecretUnavailable(operation=operation, secret="licence-pin")  # a name, no secret
                channel.verify(self.application, "pin", pin, reserve=reserve)
                record = self._record()
            else:
                record = self._open_record(reserve)
            signature = channel.read(self.application, "signature")
        return _licence(record, signature, channel.spec[self.application].layouts[record.layout], operation)

    def _open_record(self, reserve: int) -> Record:
        """The record of a card without a PIN: as it is, or after the value that stands for none."""
        try:
            return self._record()
        except AccessDenied:
            self._channel.verify_unset(self.application, "pin", reserve=reserve)
        return self._record()

    def _record(self) -> Record:
        return self._channel.record(self.application, "licence_information")


def _licence(record: Record, signature: bytes, layout: LayoutSpec, operation: str) -> DrivingLicence:
    def text(name: str) -> str | None:
        return record.text(name).translate(_SHOWN) if name in record.values else None

    def day(name: str) -> date | None:
        return era_date(text(name) or "")

    def octets(name: str) -> bytes | None:
        return record.octets(name) if name in record.values else None

    names = [spec.name for spec in layout.walk()]

    def texts(kind: str) -> tuple[str, ...]:
        return tuple(filter(None, (text(name) for name in names if name.startswith(kind))))

    photo = octets("photo")
    if photo is not None and not photo.startswith(_PHOTO):
        raise UnexpectedAnswer("photo is no image/jp2", operation=operation, sw=0x9000)
    held = [
        spec
        for spec in layout.walk()
        if spec.name.startswith("category_") and spec.values.get((octets(spec.name) or b"").hex().upper()) == _HELD
    ]
    drawn = [name for name in names if name.startswith("character_")]
    return DrivingLicence(
        number=text("number"),
        colour=text("colour"),
        expiry=day("expiry"),
        expiry_text=text("expiry") or "",
        categories=tuple(
            LicenceCategory(spec.name.removeprefix("category_"), spec.label_ja, spec.label_en) for spec in held
        ),
        motorcycle_date=day("motorcycle_date"),
        other_date=day("other_date"),
        second_class_date=day("second_class_date"),
        conditions=texts("condition_"),
        remarks=texts("remark_"),
        history_number=text("history_number"),
        history_date=day("history_date"),
        history_category=octets("history_category"),
        photo=photo,
        drawn_characters={number: image for number, name in enumerate(drawn, 1) if (image := octets(name)) is not None},
        record=record.content,
        signature_record=signature,
    )
