"""An owner's way into its domain and its slots on one card: found by its keys, remembered while the channel lasts."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kojin_card.errors import (
    ChannelWait,
    NoDomain,
    NoSlot,
    NotOnCard,
    SecureChannelError,
    UsageError,
    WrongCardKeys,
)
from kojin_card.globalplatform import (
    ContentManager,
    Scp03Session,
    SecurityLevel,
    check_gate,
    diversify,
    open_session,
)
from kojin_card.iso7816.apdu import SHORT_LE_MAX, CommandApdu
from kojin_card.iso7816.status import SW
from kojin_card.slots.directory import walk
from kojin_card.slots.reading import IDENTIFICATION, MANAGER, card_identification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kojin_card.channel import CardChannel
    from kojin_card.globalplatform import MasterKey

_GET_DATA = (0x00, 0xCA)


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


@dataclass(frozen=True, slots=True)
class _Found:
    """The domain, and which of the masters opens it."""

    aid: bytes
    master: MasterKey


class Opener:
    """Opens sessions with keys derived from masters, newest first.

    Args:
        channel: of the card. masters: newest first. level: of the sessions: 33, everything.

    Raises:
        UsageError: a lower level. What the owner reads back would pass in clear, or could be another card's: an owner
            would sign a card key that somebody in between put there.
    """

    def __init__(
        self,
        channel: CardChannel,
        masters: Sequence[MasterKey],
        level: int,
        random: Callable[[int], bytes],
    ) -> None:
        try:
            self.level = SecurityLevel(level)
        except ValueError:
            raise UsageError("no such security level", operation="open a secure channel") from None
        if self.level is not SecurityLevel.FULL:
            words = "commands and answers go enciphered and authentic: level 33"
            raise UsageError(words, operation="open a secure channel")
        self.channel = channel
        self.random = random
        self._masters = tuple(masters)
        self._card: bytes | None = None
        self._domain: _Found | None = None

    @property
    def card(self) -> bytes:
        """Card identification number, octets; asked once."""
        if self._card is None:
            self._card = card_identification(self.channel)
        return self._card

    def confirm(self, session: Scp03Session, operation: str) -> None:
        """The card identification number is that of the card in this session, with the issuer's domain.

        What keys are derived from it for is right then, also where the session's own keys are not (the trial keys):
        keys of another number would lock this card up.

        Raises:
            SecureChannelError: the card says another under its MAC than it said before, or none.
        """
        tag = self.channel.spec[MANAGER].objects[IDENTIFICATION].tag
        get = CommandApdu(*_GET_DATA, tag[0], tag[1], le=SHORT_LE_MAX)
        answer = session.send(get, operation=f"get {MANAGER}/{IDENTIFICATION}")
        if not answer.ok or answer.data != self.card:
            words = "the card's number is not the one that came in clear"
            raise SecureChannelError(words, operation=operation, sw=answer.sw)

    @contextlib.contextmanager
    def session(self, aid: bytes, master: MasterKey, domain: bytes | None = None) -> Iterator[Scp03Session]:
        """A session with a domain, or with a slot of ``domain``; closed at the end, and nothing stays believed."""
        card = self.card
        with diversify(master, card) as keys:
            opened = open_session(self.channel, aid, keys, self.level, domain=domain, random=self.random)
        try:
            yield opened
        finally:
            opened.close()
            self.channel.forget()

    @contextlib.contextmanager
    def any_master(self, aid: bytes) -> Iterator[tuple[Scp03Session, MasterKey]]:
        """A session with a domain by the newest of the masters that fits.

        Raises:
            WrongCardKeys, NotOnCard: none does. ChannelWait: the card makes one wait.
        """
        refused: SecureChannelError | NotOnCard | None = None
        for master in self._masters:
            stack = contextlib.ExitStack()
            try:
                opened = stack.enter_context(self.session(aid, master))
            except (WrongCardKeys, NotOnCard) as bad:
                refused = bad
                continue
            with stack:
                yield opened, master
            return
        if refused is not None:
            raise refused

    def found(self, operation: str) -> _Found:
        """This owner's domain on this card: the one that opens with its keys.

        A domain of somebody else is asked for its cryptogram, which is not that of our keys; nothing of ours goes
        there.

        Raises:
            UnprovenRefused: this is a real card. NoDomain: none of them.
            ChannelWait: one that may be it makes one wait.
        """
        check_gate(self.channel, operation)
        if self._domain is None:
            with self._search(operation) as (_, found):
                return found
        return self._domain

    @contextlib.contextmanager
    def _search(self, operation: str) -> Iterator[tuple[Scp03Session, _Found]]:
        """Look for the own domain; the session with it."""
        waiting: ChannelWait | None = None
        for aid in walk(self.channel, "ssd_prefix", operation):
            stack = contextlib.ExitStack()
            try:
                opened, master = stack.enter_context(self.any_master(aid))
            except ChannelWait as bad:
                waiting = bad
                continue
            except (WrongCardKeys, NotOnCard):
                continue
            self._domain = found = _Found(aid, master)
            with stack:
                yield opened, found
            return
        if waiting is not None:
            raise waiting
        raise NoDomain("", operation=operation, sw=SW.FILE_NOT_FOUND)

    @contextlib.contextmanager
    def domain(self, operation: str) -> Iterator[ContentManager]:
        """A session with the own domain.

        Raises:
            As :meth:`found`.
        """
        check_gate(self.channel, operation)
        found = self._domain
        if found is None:
            with self._search(operation) as (opened, _):
                yield ContentManager(opened)
            return
        with self.session(found.aid, found.master) as opened:
            yield ContentManager(opened)

    @contextlib.contextmanager
    def slot(self, aid: bytes, operation: str) -> Iterator[ContentManager]:
        """A session with a slot of the own domain.

        Raises:
            NoSlot: not there, locked, or somebody else's. Others as :meth:`found`.
        """
        found = self.found(operation)
        stack = contextlib.ExitStack()
        opened: Scp03Session | None = None
        try:
            opened = stack.enter_context(self.session(aid, found.master, found.aid))
        except (WrongCardKeys, NotOnCard):
            opened = None  # told below
        if opened is None:
            raise NoSlot("", operation=operation, sw=SW.FILE_NOT_FOUND, slot=aid.hex().upper())
        with stack:
            yield ContentManager(opened)

    def forget(self) -> None:
        """Look for the domain anew: its keys have changed."""
        self._domain = None
