"""The card manager: what GET DATA tells of the card itself, without any secret (card.md §2.5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from kojin_card.applications.base import Driver
from kojin_card.errors import NotOnCard, UnexpectedAnswer


@dataclass(frozen=True, slots=True)
class CardManagement:
    """The data objects of the card manager. What tells one card or holder from another is hidden in ``repr``.

    Attributes:
        issuer_id: 発行者識別子, 16 bytes.
        card_identification: カード識別番号, ASCII; its form is not known.
        municipality: 市区町村コード without its check digit, 5 digits.
        expiry: last day of the card.
        intermediate_key_id: key id (16 bytes) of the intermediate of the CV certificates.
        upper_cv_certificate: root to intermediate, body and signature without the outer header; None when not asked.
        lower_cv_certificate: intermediate to what stands below it; None when not asked, or not on this card.
    """

    issuer_id: bytes
    card_identification: str = field(repr=False)
    municipality: str = field(repr=False)
    expiry: date = field(repr=False)
    intermediate_key_id: bytes
    upper_cv_certificate: bytes | None = field(repr=False)
    lower_cv_certificate: bytes | None = field(repr=False)


class CardManager(Driver):
    """Driver of the card manager (GlobalPlatform issuer security domain)."""

    application = "card_manager"

    def information(self, *, chain: bool = True) -> CardManagement:
        """Everything that it tells: 6 APDUs, and two for each CV certificate.

        Args:
            chain: read the CV certificates too; they need a reader and a connection that carry extended APDUs.

        Raises:
            NotOnCard: no card manager, or one without these objects (a smartphone).
            UsageError: ``chain`` on a connection that carries short APDUs only.
            UnexpectedAnswer: the content of an object is malformed.
        """
        with self._channel.transaction():
            self._channel.select(self.application)
            issuer = self._channel.get_data(self.application, "issuer")
            identification = self._channel.get_data(self.application, "card_identification")
            municipality = self._channel.data_object(self.application, "municipality").text("municipality")
            expiry = self._channel.data_object(self.application, "expiry")["expiry"]
            key_id = self._channel.data_object(self.application, "intermediate_key_id").octets("key_id")
            upper = self._certificate("upper_cv_certificate") if chain else None
            lower = self._certificate("lower_cv_certificate") if chain else None
        if not isinstance(expiry, date):
            raise UnexpectedAnswer("no date", operation=f"get {self.application}/expiry", sw=0x9000)
        if not (identification.isascii() and identification.decode("latin-1").isprintable()):
            raise UnexpectedAnswer("no text", operation=f"get {self.application}/card_identification", sw=0x9000)
        return CardManagement(issuer, identification.decode("ascii"), municipality, expiry, key_id, upper, lower)

    def _certificate(self, name: str) -> bytes | None:
        """A CV certificate as it stands, after its form was checked; None when the card may lack it and does."""
        try:
            return self._channel.data_object(self.application, name).content
        except NotOnCard:
            if not self._channel.spec[self.application].objects[name].optional:
                raise
        return None
