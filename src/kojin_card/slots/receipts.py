"""What a desk may keep and print of what it did: no personal value, no PIN, no 個人番号."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from kojin_card.spec.owner import Owner

RECEIPT_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change left on the card.

    Attributes:
        aid: the slot.
        state: its state by id (``active``, ``suspended``, ``terminated``...).
        counter: after the change.
        date: of the signed record.
        written: whether this call wrote anything; False when the card had it already (a repeated call).
    """

    aid: bytes
    state: str
    counter: int
    date: datetime.date
    written: bool


@dataclass(frozen=True, slots=True)
class Issued:
    """An issuance, as a receipt tells it.

    Attributes:
        aid: the slot; with it the call can be repeated.
        service, service_version, service_name_ja, service_name_en: id, version and names of the service.
        owner: who issued it.
        legal_basis: 条例 or 政令 and article. name: what the slot is called.
        date: of the signed record. counter: of the signed record.
        fields: ids of the fields that were written, in the order of the service.
        values: of the fields that the service calls public, and of no other.
        last_day: the slot's own last day, where the service has a field that expires.
        former_owner: of a slot that was taken over.
        pin: whether this call was given a slot PIN.
        written: whether this call wrote anything; False when the card had it already (a repeated call).
    """

    aid: bytes
    service: str
    service_version: int
    service_name_ja: str
    service_name_en: str
    owner: Owner
    legal_basis: str
    name: str
    date: datetime.date
    counter: int
    fields: tuple[str, ...]
    values: Mapping[str, str] = field(repr=False)
    last_day: datetime.date | None = None
    former_owner: Owner | None = None
    pin: bool = False
    written: bool = True

    def receipt(self) -> dict[str, object]:
        """The same as JSON has it."""
        return {
            "schema": RECEIPT_SCHEMA,
            "slot": self.aid.hex().upper(),
            "service": self.service,
            "service_version": self.service_version,
            "service_name_ja": self.service_name_ja,
            "service_name_en": self.service_name_en,
            "owner": str(self.owner),
            "legal_basis": self.legal_basis,
            "name": self.name,
            "date": self.date.isoformat(),
            "counter": self.counter,
            "fields": list(self.fields),
            "values": dict(self.values),
            "last_day": None if self.last_day is None else self.last_day.isoformat(),
            "former_owner": None if self.former_owner is None else str(self.former_owner),
            "pin": self.pin,
        }
