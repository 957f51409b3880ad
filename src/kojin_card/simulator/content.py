"""What stands in the free area of a card, as frozen values: security domains, their keys, slots and their two banks.

It is the part of :class:`.state.CardState` that GlobalPlatform's content management owns. Nothing here is decided: who
may change what is in :mod:`.management` and :mod:`.slot`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class KeySet:
    """Three static AES keys of SCP03 (16 or 32 bytes each) under one version number (01..FF)."""

    version: int
    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    dek: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DomainState:
    """A security domain: the issuer's, or that of an owner of slots.

    Attributes:
        aid: its name.
        life_cycle: GlobalPlatform's byte (INSTALLED 03, SELECTABLE 07, PERSONALIZED 0F; with bit 80 locked; the
            issuer's domain carries the state of the card: OP_READY 01, INITIALIZED 07, SECURED 0F, CARD_LOCKED 7F).
        privileges: three bytes.
        owner_kind, owner_code: of an owner's domain; 0 and empty for the issuer's.
        quota: bytes that it and its slots may use.
        keys: key sets, in the order in which they came; without any the issuer's keys open it.
        sequence: counter of the pseudo-random card challenge (3 bytes).
        failures: wrong host cryptograms in a row. waiting: INITIALIZE UPDATE commands still to be refused.
    """

    aid: bytes
    life_cycle: int
    privileges: bytes
    owner_kind: int = 0
    owner_code: str = ""
    quota: int = 0
    keys: tuple[KeySet, ...] = ()
    sequence: int = 0
    failures: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class FieldState:
    """A field of a slot.

    Attributes:
        sfi: short identifier, 1 to 24.
        rule: alternatives, a byte each: bit 01 a terminal that may read this field, bit 02 the holder (slot PIN);
            00 is anybody; no byte at all is the owner alone (who always may).
        content: salt (16) and value.
    """

    sfi: int
    rule: bytes
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bank:
    """One of the two versions that a slot keeps: everything that one signature of the owner covers, and it.

    Attributes:
        state: byte of the slot's state.
        counter: 1 at the first.
        date: of the owner's STORE DATA, YYYYMMDD as 4 bytes BCD.
        descriptor: salt (16) and the hidden part.
        fields: rising by short identifier.
        signature: r and s, 64 bytes.
    """

    state: int
    counter: int
    date: bytes
    descriptor: bytes = field(repr=False)
    fields: tuple[FieldState, ...] = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TerminalAuthority:
    """A terminal CA that the owner listed.

    Attributes:
        key: its P-256 point, compressed (33 bytes); its id is the first 8 bytes of SHA-256 over them.
        owner_kind, owner_code: whose it is.
        fields: short identifiers that its terminals may at most read.
    """

    key: bytes
    owner_kind: int
    owner_code: str
    fields: bytes


@dataclass(frozen=True, slots=True)
class SlotState:
    """An instance of the slot applet.

    Attributes:
        aid: its name. domain: AID of the security domain that it is under.
        life_cycle: GlobalPlatform's byte of an application (07 SELECTABLE, with bit 80 locked); the slot's own state
            is in the active bank.
        card_key: private scalar of the P-256 pair made at install.
        counter: the card's own; never falls, equals that of the active bank on a card that nobody tampered with.
        newest: newest date seen, YYYYMMDD as 4 bytes BCD; zeros: none yet.
        pin: slot PIN, or None; its tries.
        authorities: terminal CAs listed. groups: of terminals; none: every group.
        banks: two. active: which of them is valid; None before the first STORE DATA.
    """

    aid: bytes
    domain: bytes
    life_cycle: int
    card_key: int = field(repr=False)
    counter: int = 0
    newest: bytes = bytes(4)
    pin: bytes | None = field(default=None, repr=False)
    tries_left: int = 0
    tries_full: int = 0
    authorities: tuple[TerminalAuthority, ...] = ()
    groups: tuple[str, ...] = ()
    banks: tuple[Bank | None, Bank | None] = (None, None)
    active: int | None = None

    @property
    def bank(self) -> Bank | None:
        """The valid bank."""
        return None if self.active is None else self.banks[self.active]


@dataclass(frozen=True, slots=True)
class ContentState:
    """The whole free area: the issuer's domain, the owners' domains and the slots, each in order of installation."""

    issuer: DomainState
    domains: tuple[DomainState, ...] = ()
    slots: tuple[SlotState, ...] = ()

    def domain(self, aid: bytes) -> DomainState | None:
        """The domain of that AID, the issuer's included."""
        return next((one for one in (self.issuer, *self.domains) if one.aid == aid), None)

    def slot(self, aid: bytes) -> SlotState | None:
        """The slot of that AID."""
        return next((one for one in self.slots if one.aid == aid), None)

    def with_domain(self, aid: bytes, change: Callable[[DomainState], DomainState]) -> ContentState:
        """The same with one domain changed."""
        if self.issuer.aid == aid:
            return replace(self, issuer=change(self.issuer))
        return replace(self, domains=tuple(change(one) if one.aid == aid else one for one in self.domains))

    def with_slot(self, aid: bytes, change: Callable[[SlotState], SlotState]) -> ContentState:
        """The same with one slot changed."""
        return replace(self, slots=tuple(change(one) if one.aid == aid else one for one in self.slots))
