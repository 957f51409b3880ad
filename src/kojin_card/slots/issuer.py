"""An owner's desk: issues, changes and removes the slots under its own security domain, over SCP03."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_bytes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kojin_card.channel import CardChannel
    from kojin_card.secret import Secret
    from kojin_card.slots.hand_over import HandOver, HandOverLedger
    from kojin_card.slots.keyfile import OwnerKeys
    from kojin_card.slots.owners import OwnerStore
    from kojin_card.slots.reading import SlotReading
    from kojin_card.slots.receipts import Changed, Issued
    from kojin_card.slots.terminals import JoinedAuthority
    from kojin_card.spec.owner import Owner
    from kojin_card.spec.service import Service


@dataclass(frozen=True, slots=True)
class OwnSlot:
    """A slot of this owner, as the registry lists it: ``state`` by id, ``locked`` by GlobalPlatform."""

    aid: bytes
    state: str
    locked: bool


@dataclass(frozen=True, slots=True)
class OwnDomain:
    """This owner's security domain: ``key_version`` of the set that opened it; ``quota`` and ``used`` in bytes."""

    aid: bytes
    key_version: int
    quota: int
    used: int
    slots: tuple[OwnSlot, ...]

    @property
    def free(self) -> int:
        """Bytes left of the quota."""
        return max(0, self.quota - self.used)


class SlotIssuer:
    """Writes the slots of one owner. It cannot be given a terminal's key.

    Args:
        channel: of the card. keys: the owner's. services: by id.
        owners: for :meth:`take_over` (the old owner's keys) and the names in readings.
        clock: the time it is, with a zone; dates are those of Japan.
        random: gives that many unpredictable bytes: salts, AIDs, challenges.
        ledger: remembers hand-overs that were taken over, across cards and desks.
        level: SCP03 security level, 33 unless said otherwise (C-MAC, C-DEC, R-MAC, R-ENC).
    """

    def __init__(
        self,
        channel: CardChannel,
        keys: OwnerKeys,
        services: Mapping[str, Service],
        *,
        owners: OwnerStore | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[int], bytes] = token_bytes,
        ledger: HandOverLedger | None = None,
        level: int = 0x33,
    ) -> None:
        raise NotImplementedError

    def domain(self) -> OwnDomain:
        """This owner's domain on this card, found by its keys.

        Raises:
            NoDomain: the card's issuer made none for this owner, or with other keys.
            UnprovenRefused: this is a real card. SecureChannelError: the channel broke.
        """
        raise NotImplementedError

    def slots(self) -> tuple[OwnSlot, ...]:
        """The slots of this owner."""
        raise NotImplementedError

    def new_instance(self) -> bytes:
        """A fresh AID for :meth:`issue`; keep it before issuing and a lost response can be repeated."""
        raise NotImplementedError

    def show(self, aid: bytes) -> SlotReading:
        """Everything of an own slot, in any state, judged as a terminal judges it (without the card's standing)."""
        raise NotImplementedError

    def check(self, service: str, values: Mapping[str, str], *, pin: Secret | None = None) -> None:
        """What :meth:`issue` would refuse of its values, before any card is there (a dry run, a row of a batch).

        Raises:
            FieldError: a value that the field does not take, one too many, one missing; never repeats the value.
            UsageError: no such service, not for this kind of owner, a PIN where there is none or none where there is.
            SecretFormatError: not four digits.
        """
        raise NotImplementedError

    def issue(
        self,
        service: str,
        values: Mapping[str, str],
        *,
        legal_basis: str,
        name: str | None = None,
        pin: Secret | None = None,
        instance: bytes | None = None,
        authorities: Sequence[JoinedAuthority] = (),
        groups: Sequence[str] | None = None,
    ) -> Issued:
        """Install a slot, personalize it, set it active. With the same ``instance`` and values it may be repeated.

        Args:
            service: id. values: id of the field -> text, as :class:`ServiceField` takes it; the date of issue is
                filled in when it is left out.
            legal_basis: 条例 or 政令 and article. name: what the slot is called; the service's Japanese name.
            pin: four digits, for a service that has one.
            instance: AID; None makes one. A ``TransportError`` has it in ``details["slot"]``.
            authorities: of partners; the owner's own terminal CA is always listed.
            groups: of terminals; None: those of the service.

        Raises:
            FieldError, UsageError, SecretFormatError: as :meth:`check`; nothing was sent.
            NoDomain, NoRoom, UnprovenRefused: nothing was written.
            SlotConflict: the instance is there with other content.
        """
        raise NotImplementedError

    def update(self, aid: bytes, values: Mapping[str, str], *, name: str | None = None) -> Changed:
        """Replace the fields that ``values`` names ("" removes an optional one); the others stay.

        Nothing is written when the card has it already under the present record key.

        Raises:
            FieldError, UsageError: nothing was sent. NoSlot: not a slot of this owner.
            NoRoom, UnprovenRefused, SlotConflict: nothing was written (terminated, foreign signature).
        """
        raise NotImplementedError

    def suspend(self, aid: bytes) -> Changed:
        """Lost card, unpaid fees. Raises: NoSlot, SlotConflict (no such transition), UnprovenRefused."""
        raise NotImplementedError

    def resume(self, aid: bytes) -> Changed:
        """The opposite of :meth:`suspend`."""
        raise NotImplementedError

    def terminate(self, aid: bytes) -> Changed:
        """For good. What is in it stays until :meth:`delete`, and only the owner reads it."""
        raise NotImplementedError

    def delete(self, aid: bytes) -> bool:
        """Remove a slot and free its room. False: it was not there."""
        raise NotImplementedError

    def unblock(self, aid: bytes, new_pin: Secret) -> None:
        """A new slot PIN with all its tries. Raises: SecretFormatError, NoSlot, NotOnCard (the slot has no PIN)."""
        raise NotImplementedError

    def join(
        self,
        aid: bytes,
        authorities: Sequence[JoinedAuthority] | None = None,
        groups: Sequence[str] | None = None,
    ) -> bool:
        """Replace the list of partners' terminal CAs (the own one is always listed) and that of groups; None leaves
        a list as it is. False: the card had them already."""
        raise NotImplementedError

    def rotate(self) -> int:
        """Put the newest keys of the owner on this card's domain; gives the version that is there now."""
        raise NotImplementedError

    def hand_over(self, aid: bytes, to: Owner, keep: Callable[[bytes], None], *, days: int = 14) -> HandOver:
        """引越継続, the old owner's part: make the hand-over file, let ``keep`` store it, then terminate the slot.

        A repeated call makes a file with the same id; ``keep`` must have it safe when it returns.

        Raises:
            UsageError: to itself, or the service does not continue. NoSlot, SlotConflict, UnprovenRefused.
        """
        raise NotImplementedError

    def take_over(
        self,
        hand_over: bytes,
        values: Mapping[str, str],
        *,
        legal_basis: str,
        name: str | None = None,
        pin: Secret | None = None,
        instance: bytes | None = None,
    ) -> Issued:
        """引越継続, the new owner's part: judge the hand-over file, then :meth:`issue` from it.

        Raises:
            HandOverRefused: malformed, forged, unknown owner, another recipient, another card, run out, used before,
                the old slot is not terminated. Nothing was written.
            Others as :meth:`issue`.
        """
        raise NotImplementedError
