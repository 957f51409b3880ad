"""A slot as it was read, and what is to be thought of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from kojin_card.spec.owner import Owner
    from kojin_card.verdict import Verdict


@dataclass(frozen=True, slots=True)
class SlotReading:
    """What was read of a slot. Nothing of it may be relied on before ``verdict.require()``.

    Attributes:
        aid: the slot.
        verdict: of this reading (:mod:`.judge`); its subject is ``slot``.
        service, service_version: id and version that the hidden descriptor names.
        owner, legal_basis, name: as the hidden descriptor says. owner_name_ja: as ``owners.toml`` has it, or empty.
        state: by id; as the signed record says. counter, date: of the signed record.
        values: id of the field -> its text, of the fields that were read and fit their digests.
        closed: ids of the fields that are on the card and were not opened to this reader.
        last_day: the slot's own last day, where a field that expires was read.
        hand_over: id (16 bytes) of the hand-over that it came from.
    """

    aid: bytes
    verdict: Verdict
    service: str | None = None
    service_version: int | None = None
    owner: Owner | None = None
    owner_name_ja: str = ""
    legal_basis: str | None = None
    name: str | None = None
    state: str | None = None
    counter: int | None = None
    date: date | None = None
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    closed: tuple[str, ...] = ()
    last_day: date | None = field(default=None, repr=False)
    hand_over: bytes | None = None
