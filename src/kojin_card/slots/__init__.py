"""Free-area services (空き領域): who issues slots, who reads them, and who owns the card. Three programs, three keys.

A :class:`SlotTerminal` holds a terminal's key and certificate, a :class:`SlotIssuer` the keys of an owner (a
municipality's desk), a :class:`CardIssuer` those of the card's issuer; a :class:`SlotDirectory` holds none. None of
them takes the keys of another. Everything here rests on the evidence level ``assumption``: nothing is written to, or
authenticated at, a card that is not our software card unless its channel says ``allow_unproven``.

Every write may be repeated: after a ``TransportError`` connect again and call again with the same values (of
:meth:`SlotIssuer.issue` and :meth:`SlotIssuer.take_over` also the same ``instance``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.exports import lazily

if TYPE_CHECKING:
    from kojin_card.slots.card_issuer import Area, CardIssuer, DomainView, SlotView
    from kojin_card.slots.directory import SlotDirectory, SlotSeen
    from kojin_card.slots.hand_over import FileLedger, HandOver, HandOverLedger
    from kojin_card.slots.issuer import SlotIssuer
    from kojin_card.slots.keyfile import DomainKeys, IssuerKeys, OwnerKeys
    from kojin_card.slots.own_domain import OwnDomain, OwnSlot
    from kojin_card.slots.owners import OwnerEntry, OwnerKeyPeriod, OwnerStore
    from kojin_card.slots.reading import SlotReading
    from kojin_card.slots.receipts import Changed, Issued
    from kojin_card.slots.standing import CardStanding, CardStatusSource, Standing, StaticStatus
    from kojin_card.slots.terminal import SlotTerminal
    from kojin_card.slots.terminals import JoinedAuthority, TerminalKey, certify_terminal, terminal_key_pair

_HOMES = {
    "card_issuer": ("Area", "CardIssuer", "DomainView", "SlotView"),
    "directory": ("SlotDirectory", "SlotSeen"),
    "hand_over": ("FileLedger", "HandOver", "HandOverLedger"),
    "issuer": ("SlotIssuer",),
    "keyfile": ("DomainKeys", "IssuerKeys", "OwnerKeys"),
    "own_domain": ("OwnDomain", "OwnSlot"),
    "owners": ("OwnerEntry", "OwnerKeyPeriod", "OwnerStore"),
    "reading": ("SlotReading",),
    "receipts": ("Changed", "Issued"),
    "standing": ("CardStanding", "CardStatusSource", "Standing", "StaticStatus"),
    "terminal": ("SlotTerminal",),
    "terminals": ("JoinedAuthority", "TerminalKey", "certify_terminal", "terminal_key_pair"),
}
__all__ = [
    "Area",
    "CardIssuer",
    "CardStanding",
    "CardStatusSource",
    "Changed",
    "DomainKeys",
    "DomainView",
    "FileLedger",
    "HandOver",
    "HandOverLedger",
    "Issued",
    "IssuerKeys",
    "JoinedAuthority",
    "OwnDomain",
    "OwnSlot",
    "OwnerEntry",
    "OwnerKeyPeriod",
    "OwnerKeys",
    "OwnerStore",
    "SlotDirectory",
    "SlotIssuer",
    "SlotReading",
    "SlotSeen",
    "SlotTerminal",
    "SlotView",
    "Standing",
    "StaticStatus",
    "TerminalKey",
    "certify_terminal",
    "terminal_key_pair",
]

if not TYPE_CHECKING:  # a type checker must see the names above and nothing else
    __getattr__, __dir__ = lazily(__name__, _HOMES)
