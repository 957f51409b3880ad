"""The card's issuer in the free area: security domains, quotas, locks. It never reads a record."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from secrets import token_bytes
from typing import TYPE_CHECKING

from kojin_card.errors import (
    DecodeError,
    NoDomain,
    NoRoom,
    NoSlot,
    NotOnCard,
    SlotConflict,
    UnexpectedAnswer,
    UsageError,
    WrongCardKeys,
)
from kojin_card.globalplatform import ContentManager, check_gate, diversify, open_session
from kojin_card.globalplatform.keys import INITIAL_VERSION
from kojin_card.iso7816.status import SW
from kojin_card.slots import record
from kojin_card.slots.own_domain import Opener
from kojin_card.spec.free_area import globalplatform_spec
from kojin_card.spec.owner import Owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kojin_card.channel import CardChannel
    from kojin_card.globalplatform import DomainEntry, Registry
    from kojin_card.slots.keyfile import DomainKeys, IssuerKeys

#: life cycle states (GlobalPlatform 2.3.1 tables 11-4 to 11-6)
_CARD_STATES = {0x01: "op_ready", 0x07: "initialized", 0x0F: "secured", 0x7F: "card_locked", 0xFF: "terminated"}
_PERSONALIZED = 0x0F


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
        level: SCP03 security level; 33 is the only one that will do.

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
        self._channel = channel
        self._keys = keys
        self._random = random
        self._opener = Opener(channel, keys.masters, level, random)

    def area(self) -> Area:
        """Owners, room and states."""
        operation = "look at the free area"
        with self._open(operation) as manager:
            registry = manager.status()
            free = manager.resources().free
        state = _CARD_STATES.get(registry.isd.state, "unknown") if registry.isd is not None else "unknown"
        domains = tuple(_view(one, registry, operation) for one in registry.domains)
        return Area(state, domains, globalplatform_spec().number("quota_total"), free)

    def create_owner(self, keys: DomainKeys, quota: int | None = None) -> DomainView:
        """A domain for an owner, with its first keys. One that is there already is completed, not made again.

        Args:
            keys: of the owner: an :class:`OwnerKeys` will do, and of it the domain's keys of this card are taken only.
            quota: in bytes; the default of the spec.

        Raises:
            NoRoom: the card has not so much. SlotConflict: the owner's domain is there and has other keys.
        """
        operation = "make an owner's domain"
        spec = globalplatform_spec()
        wanted = spec.number("quota_owner") if quota is None else quota
        with self._channel.transaction():
            with self._open(operation) as manager:
                self._opener.confirm(manager.session, operation)
                found = _find(manager.status(), keys.owner)
                if found is None:
                    prefix = spec.aids["ssd_prefix"]
                    aid = prefix.aid + self._random(prefix.random)
                    with _quota_refused():
                        manager.install_domain(aid, keys.owner.encode(), wanted)
                elif quota is not None and found.quota != quota:
                    with _quota_refused():
                        manager.set_quota(found.aid, quota)
            if found is not None:
                aid = found.aid
            if found is None or not (found.is_locked or self._has_keys(found.aid, keys)):
                self._first_keys(aid, keys, operation)
            return self._domain(keys.owner, operation)

    def delete_owner(self, owner: Owner, *, slots: bool = False) -> bool:
        """Remove a domain; with ``slots`` those under it too. False: there was none.

        Raises:
            UsageError: it has slots and ``slots`` is not said; nothing was deleted.
        """
        operation = "remove an owner's domain"
        with self._open(operation) as manager:
            registry = manager.status()
            found = _find(registry, owner)
            if found is None:
                return False
            if registry.of(found.aid) and not slots:
                raise UsageError("the domain has slots: they would be deleted too", operation=operation)
            manager.delete(found.aid, related=slots)
            return True

    def set_quota(self, owner: Owner, quota: int) -> DomainView:
        """Another quota. Raises: NoDomain, NoRoom."""
        operation = "set a quota"
        with self._channel.transaction():
            with self._open(operation) as manager:
                found = _find(manager.status(), owner)
                if found is None:
                    raise NoDomain("", operation=operation, sw=SW.REFERENCE_NOT_FOUND)
                if found.quota != quota:
                    with _quota_refused():
                        manager.set_quota(found.aid, quota)
            return self._domain(owner, operation)

    def lock_card(self) -> None:
        """No slot nor domain can be selected until :meth:`unlock_card`; other applications are not touched."""
        self._set_card("card_locked", ContentManager.lock_card, "lock the free area")

    def unlock_card(self) -> None:
        """The opposite of :meth:`lock_card`."""
        self._set_card("secured", ContentManager.unlock_card, "unlock the free area")

    def lock(self, aid: bytes) -> None:
        """Lock a slot or a domain. Raises: NoSlot."""
        self._set_lock(aid, True, "lock a slot")

    def unlock(self, aid: bytes) -> None:
        """The opposite of :meth:`lock`."""
        self._set_lock(aid, False, "unlock a slot")

    def delete_slot(self, aid: bytes) -> bool:
        """Remove a slot, whoever's it is. False: it was not there."""
        with self._open("delete a slot") as manager:
            if all(one.aid != aid for one in manager.status().slots):
                return False
            manager.delete(aid)
            return True

    def rotate(self, new: IssuerKeys) -> int:
        """Put the newest of other keys of the issuer on this card; gives the version that is there now.

        It also takes the place of the trial keys. After it this object opens nothing any more: make one with ``new``.
        A call whose response was lost is repeated with these keys, and when they do not open the card any more it has
        the new ones.

        Raises:
            UsageError: the new keys are trial keys, or have the version of the present ones.
        """
        operation = "rotate the issuer's keys"
        newest = new.masters[0]
        if newest.trial:
            raise UsageError("the trial keys are never put on a card", operation=operation)
        check_gate(self._channel, operation)
        isd = globalplatform_spec().aid("isd")
        with self._channel.transaction(), self._opener.any_master(isd) as (session, master):
            if master.version == newest.version:
                raise UsageError("the new keys have the version of the present ones", operation=operation)
            self._opener.confirm(session, operation)
            with diversify(newest, self._opener.card) as keys:
                replaced = 0 if master.version == INITIAL_VERSION else master.version
                ContentManager(session).put_key(keys, replaced)
        return newest.version

    # --- in detail --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _open(self, operation: str) -> Iterator[ContentManager]:
        """A session with the issuer's domain."""
        check_gate(self._channel, operation)
        with (
            self._channel.transaction(),
            self._opener.any_master(globalplatform_spec().aid("isd")) as (session, _),
        ):
            yield ContentManager(session)

    def _has_keys(self, aid: bytes, keys: DomainKeys) -> bool:
        """Whether the owner's keys open the domain."""
        try:
            with keys.for_card(self._opener.card) as static:
                open_session(self._channel, aid, static, self._opener.level, random=self._random).close()
        except (WrongCardKeys, NotOnCard):
            return False
        finally:
            self._channel.forget()
        return True

    def _first_keys(self, aid: bytes, keys: DomainKeys, operation: str) -> None:
        """PUT KEY at a domain that has none of its own yet: the issuer's keys open it.

        Raises:
            SlotConflict: it has other ones.
        """
        card = self._opener.card
        done = False
        with (
            contextlib.suppress(WrongCardKeys, NotOnCard),
            self._opener.any_master(aid) as (session, _),
            keys.for_card(card) as static,
        ):
            ContentManager(session).put_key(static)
            done = True
        if not done:
            words = "the owner's domain is there and has other keys"
            raise SlotConflict(words, operation=operation, sw=SW.CONDITIONS_NOT_SATISFIED)

    def _domain(self, owner: Owner, operation: str) -> DomainView:
        with self._open(operation) as manager:
            registry = manager.status()
        found = _find(registry, owner)
        if found is None:
            raise NoDomain("", operation=operation, sw=SW.REFERENCE_NOT_FOUND)
        return _view(found, registry, operation)

    def _set_card(self, state: str, change: Callable[[ContentManager], None], operation: str) -> None:
        with self._open(operation) as manager:
            isd = manager.status().isd
            if isd is None or _CARD_STATES.get(isd.state) != state:
                change(manager)

    def _set_lock(self, aid: bytes, locked: bool, operation: str) -> None:
        with self._open(operation) as manager:
            registry = manager.status()
            found = next((one for one in (*registry.domains, *registry.slots) if one.aid == aid), None)
            if found is None:
                raise NoSlot("", operation=operation, sw=SW.REFERENCE_NOT_FOUND, slot=aid.hex().upper())
            if found.is_locked != locked:
                (manager.lock if locked else manager.unlock)(aid)


@contextlib.contextmanager
def _quota_refused() -> Iterator[None]:
    """Say what "no room" means to whoever hands the room out."""
    try:
        yield
    except NoRoom as full:
        operation, sw = full.operation, full.sw
    else:
        return
    raise NoRoom("less than the owner uses, or more than the card has", operation=operation, sw=sw)


def _find(registry: Registry, owner: Owner) -> DomainEntry | None:
    return next((one for one in registry.domains if one.owner == owner.encode()), None)


def _view(one: DomainEntry, registry: Registry, operation: str) -> DomainView:
    owner: Owner | None = None
    if one.owner is not None:
        with contextlib.suppress(DecodeError):
            owner = Owner.decode(one.owner)
    if owner is None or one.quota is None or one.used is None:
        raise UnexpectedAnswer("malformed content: a domain without owner or room", operation=operation, sw=SW.OK)
    state = "locked" if one.is_locked else ("personalized" if one.state == _PERSONALIZED else "selectable")
    slots = tuple(
        SlotView(
            slot.aid,
            one.aid,
            "unknown" if slot.slot_state is None else record.state_name(slot.slot_state),
            slot.is_locked,
        )
        for slot in registry.of(one.aid)
    )
    return DomainView(one.aid, owner, state, one.quota, one.used, slots)
