"""The card's issuer in the free area: security domains, quotas, locks. It never reads a record."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_bytes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.channel import CardChannel
    from kojin_card.slots.keyfile import DomainKeys, IssuerKeys
    from kojin_card.spec.owner import Owner


@dataclass(frozen=True, slots=True)
class SlotView:
    """A slot as the issuer sees it: ``domain`` is the AID of the domain it is under, ``state`` by id."""

    aid: bytes
    domain: bytes
    state: str
    locked: bool


@dataclass(frozen=True, slots=True)
class DomainView:
    """An owner's domain: ``state`` is ``selectable`` (without keys of its own), ``personalized`` or ``locked``."""

    aid: bytes
    owner: Owner
    state: str
    quota: int
    used: int
    slots: tuple[SlotView, ...]


@dataclass(frozen=True, slots=True)
class Area:
    """The free area: ``card_state`` (``secured``, ``card_locked``...), sizes in bytes."""

    card_state: str
    domains: tuple[DomainView, ...]
    total: int
    free: int

    def domain_of(self, owner: Owner) -> DomainView | None:
        """The domain of that owner."""
        return next((one for one in self.domains if one.owner == owner), None)


class CardIssuer:
    """Manages the free area with the issuer's keys. It takes no owner's keys but the first set of a new domain.

    Args:
        channel: of the card. keys: the issuer's. random: gives that many unpredictable bytes, for AIDs.
        level: SCP03 security level.

    All methods raise UnprovenRefused on a real card, SecureChannelError when the channel breaks.
    """

    def __init__(
        self,
        channel: CardChannel,
        keys: IssuerKeys,
        *,
        random: Callable[[int], bytes] = token_bytes,
        level: int = 0x33,
    ) -> None:
        raise NotImplementedError

    def area(self) -> Area:
        """Owners, room and states."""
        raise NotImplementedError

    def create_owner(self, keys: DomainKeys, quota: int | None = None) -> DomainView:
        """A domain for an owner, with its first keys. One that is there already is completed, not made again.

        Args:
            keys: of the owner: an :class:`OwnerKeys` will do, and of it the domain's keys of this card are taken only.
            quota: in bytes; the default of the spec.

        Raises:
            NoRoom: the card has not so much.
        """
        raise NotImplementedError

    def delete_owner(self, owner: Owner, *, slots: bool = False) -> bool:
        """Remove a domain; with ``slots`` those under it too. False: there was none.

        Raises:
            UsageError: it has slots and ``slots`` is not said; nothing was deleted.
        """
        raise NotImplementedError

    def set_quota(self, owner: Owner, quota: int) -> DomainView:
        """Another quota. Raises: NoDomain, NoRoom."""
        raise NotImplementedError

    def lock_card(self) -> None:
        """No slot nor domain can be selected until :meth:`unlock_card`; other applications are not touched."""
        raise NotImplementedError

    def unlock_card(self) -> None:
        """The opposite of :meth:`lock_card`."""
        raise NotImplementedError

    def lock(self, aid: bytes) -> None:
        """Lock a slot or a domain. Raises: NoSlot."""
        raise NotImplementedError

    def unlock(self, aid: bytes) -> None:
        """The opposite of :meth:`lock`."""
        raise NotImplementedError

    def delete_slot(self, aid: bytes) -> bool:
        """Remove a slot, whoever's it is. False: it was not there."""
        raise NotImplementedError
