"""共通カードAP: what the card says of itself to anyone (card.md §2.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from kojin_card.applications.base import Driver
from kojin_card.errors import UnexpectedAnswer

_NUMBER_START = 2


@dataclass(frozen=True, slots=True)
class CardInformation:
    """The record of EF 0001, hidden in ``repr``: even the expiry is the holder's birthday.

    Attributes:
        serial: 15 digits.
        municipality: 市区町村コード without its check digit, 5 digits.
        expiry: last day of the card.
    """

    serial: str = field(repr=False)
    municipality: str = field(repr=False)
    expiry: date = field(repr=False)

    @property
    def manufacturing_number(self) -> str:
        """製造番号: the last 13 digits of the serial (card.md §2.4)."""
        return self.serial[_NUMBER_START:]


class Common(Driver):
    """Driver of 共通カードAP."""

    application = "common"

    def card_information(self) -> CardInformation:
        """Serial, municipality and expiry: 2 APDUs, no secret.

        Raises:
            NotOnCard: not an Individual Number Card (a smartphone has no such application).
            UnexpectedAnswer: the record is malformed.
        """
        record = self._channel.record(self.application, "card_information", 1)
        expiry = record["expiry"]
        if not isinstance(expiry, date):
            raise UnexpectedAnswer("no date", operation="read common/card_information", sw=0x9000)
        return CardInformation(record.text("serial"), record.text("municipality"), expiry)

    def internal_authenticate(self, challenge: bytes) -> bytes:
        """The card's signature over ``challenge`` with its own key (card.md §4.5): 2 APDUs, no secret.

        RSASSA-PKCS1-v1_5 with SHA-256, 256 bytes. The public key is not on the card, so it is given away unchecked.

        Args:
            challenge: 1 to 255 bytes.

        Raises:
            UsageError: another length.
            NotOnCard: the card has no such application or key. UnexpectedAnswer: it gave no signature.
        """
        return self._channel.internal_authenticate(self.application, "internal_authentication", challenge)
