"""Card content management in a session with a security domain: typed commands of GlobalPlatform 2.3.1 §11.

Every command goes out once. After a lost response the session is over: open another, and
:meth:`ContentManager.status` tells what became of it, which is why the AIDs of slots and domains are chosen here and
not by the card.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, TypeVar

from kojin_card.errors import DecodeError, NoRoom, SecureChannelError, UnexpectedAnswer, UsageError
from kojin_card.globalplatform import registry
from kojin_card.globalplatform.keys import INITIAL_VERSION
from kojin_card.iso7816 import tlv
from kojin_card.iso7816.apdu import SHORT_LE_MAX, CommandApdu, ResponseApdu
from kojin_card.iso7816.status import SW
from kojin_card.spec.free_area import globalplatform_spec
from kojin_card.transport.answers import raise_for_sw

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.globalplatform.keys import StaticKeys
    from kojin_card.globalplatform.registry import KeyInfo, LoadFileEntry, Registry, Resources
    from kojin_card.globalplatform.scp03 import Scp03Session

_GET_DATA, _GET_STATUS, _INSTALL, _STORE_DATA = 0xCA, 0xF2, 0xE6, 0xE2
_SET_STATUS, _DELETE, _PUT_KEY = 0xF0, 0xE4, 0xD8
_CLASS = 0x80

#: GET STATUS, P1 (table 11-32), and P2: answers in TLV form, first or next occurrence (table 11-33)
_ISD, _APPLICATIONS, _LOAD_FILES, _MODULES = 0x80, 0x40, 0x20, 0x10
_FIRST, _NEXT = 0x02, 0x03
_MAX_PAGES = 256

#: INSTALL, P1 (table 11-42)
_FOR_INSTALL_AND_SELECTABLE, _FOR_PERSONALIZATION, _FOR_REGISTRY_UPDATE = 0x0C, 0x20, 0x40
#: privileges (table 11-7): a security domain with authorized management, which needs no tokens for what is its own
_DOMAIN_PRIVILEGES = b"\x80\x40\x00"
_NO_PRIVILEGES = b"\x00"
_APPLICATION_PARAMETERS, _SYSTEM_PARAMETERS, _QUOTA = b"\xc9", b"\xef", b"\xc8"

#: STORE DATA, P1 (table 11-90): BER-TLV, and whether it is the last block
_BER, _LAST = 0x10, 0x80
_MAX_BLOCKS = 256

#: SET STATUS, P1 (table 11-86), and life cycle states of the card (table 11-6)
_CARD, _APPLICATION = 0x80, 0x40
_SECURED, _CARD_LOCKED = 0x0F, 0x7F
_LOCK, _UNLOCK = 0x80, 0x00

_AND_RELATED = 0x80
_AES, _ALL_KEYS = 0x88, 0x81
_KCV_SIZE = 3
_CONFIRMED = (b"", b"\x00")

_T = TypeVar("_T")


class ContentManager:
    """What an owner or an issuer does to the content of a card, in one session.

    Args:
        session: open; it stays the caller's.
    """

    def __init__(self, session: Scp03Session) -> None:
        self.session = session
        self._spec = globalplatform_spec()

    # --- reading ----------------------------------------------------------------------------------------------------

    def key_information(self) -> tuple[KeyInfo, ...]:
        """The keys of the domain, without their values (GET DATA, tag E0)."""
        return self._read(registry.parse_key_information, b"\x00\xe0", "read key information")

    def resources(self) -> Resources:
        """What is left of the card's memory (GET DATA, extended card resources)."""
        tag = self._spec.tag("extended_resources")
        return self._read(registry.parse_resources, tag, "read the card's resources")

    def status(self, aid: bytes = b"") -> Registry:
        """Everything on the card that this session may see (GET STATUS).

        What is told is the card's own word. That nothing is there is not: a refusal carries no MAC, so who sits in
        between can make a card look empty (never fuller). Nothing may be destroyed because of an empty answer.

        Args:
            aid: of what to ask for, or its beginning; empty: everything, with load files and the issuer's domain.

        Raises:
            UnexpectedAnswer: the answer is malformed, or does not end.
        """
        tags = [b"\x4f", self._spec.tag("life_cycle"), b"\xc5", b"\xc4", b"\xcc"]
        tags += [self._spec.tag(name) for name in ("owner", "room", "slot_state")]
        isd = [] if aid else self._pages(_ISD, registry.search(tags=tags[:3]), registry.parse_entries)
        entries = self._pages(_APPLICATIONS, registry.search(aid, tags), registry.parse_entries)
        load_files = [] if aid else self._load_files()
        try:
            domains = tuple(registry.as_domain(*pair) for pair in entries if pair[0].is_domain)
            slots = tuple(registry.as_slot(*pair) for pair in entries if not pair[0].is_domain)
        except DecodeError as bad:
            problem = bad.message
        else:
            return registry.Registry(isd[0][0] if isd else None, domains, slots, tuple(load_files))
        raise UnexpectedAnswer(f"malformed content: {problem}", operation="read the registry of the card", sw=SW.OK)

    # --- changing ---------------------------------------------------------------------------------------------------

    def install_domain(self, aid: bytes, owner: bytes, quota: int) -> None:
        """Make a supplementary security domain; a session of the issuer's.

        Args:
            owner: kind (1 byte) and code (ASCII).
            quota: bytes that it may use, with everything in it.

        Raises:
            NoRoom: the card has none. UnexpectedAnswer: it refused otherwise.
        """
        parameters = tlv.encode(_APPLICATION_PARAMETERS, tlv.encode(self._spec.tag("owner"), owner))
        self._install(
            (self._spec.aid("ssd_package"), self._spec.aid("ssd_module"), aid),
            _DOMAIN_PRIVILEGES,
            parameters + _quota(quota),
            "make a security domain",
        )

    def install_slot(self, aid: bytes, parameters: bytes = b"") -> None:
        """Make a slot under this session's domain.

        Args:
            parameters: value of ``C9``, what the applet is told; the slot applet needs nothing.

        Raises:
            NoRoom: the owner's quota or the card has none left. UnexpectedAnswer: it refused otherwise.
        """
        self._install(
            (self._spec.aid("slot_package"), self._spec.aid("slot_module"), aid),
            _NO_PRIVILEGES,
            tlv.encode(_APPLICATION_PARAMETERS, parameters),
            "make a slot",
        )

    def for_personalization(self, aid: bytes) -> None:
        """Let the next :meth:`store_data` go to that application of this domain (INSTALL [for personalization])."""
        data = _fields(b"", b"", aid, b"", b"", b"")
        self._confirmed(_INSTALL, _FOR_PERSONALIZATION, 0x00, data, "personalize an application")

    def set_quota(self, aid: bytes, quota: int) -> None:
        """Give a domain another quota; a session of the issuer's (INSTALL [for registry update]).

        Raises:
            NoRoom: the card has not that much, or the domain uses more already.
        """
        data = _fields(b"", b"", aid, b"", _quota(quota), b"")
        self._confirmed(_INSTALL, _FOR_REGISTRY_UPDATE, 0x00, data, "set a quota")

    def store_data(self, data: bytes) -> None:
        """Objects for the selected application, or for that of :meth:`for_personalization`, in as many blocks as it
        takes: everything is on the card after the last one, or nothing.

        Raises:
            NoRoom: no room for it. UsageError: more than 256 blocks, or nothing.
        """
        operation, room = "store data", self.session.room
        blocks = [data[at : at + room] for at in range(0, len(data), room)]
        if not 1 <= len(blocks) <= _MAX_BLOCKS:
            raise UsageError("1 to 256 blocks of data", operation=operation)
        for number, block in enumerate(blocks):
            last = _LAST if number == len(blocks) - 1 else 0
            answer = self._send(_STORE_DATA, _BER | last, number, block, None, operation)
            if answer.data:
                raise UnexpectedAnswer("data where none is due", operation=operation, sw=answer.sw)

    def lock(self, aid: bytes) -> None:
        """Let nobody select that application or domain until :meth:`unlock`."""
        self.set_status(_APPLICATION, _LOCK, aid)

    def unlock(self, aid: bytes) -> None:
        """Give a locked application or domain the state back that it had."""
        self.set_status(_APPLICATION, _UNLOCK, aid)

    def lock_card(self) -> None:
        """CARD_LOCKED: nothing of the free area can be selected."""
        self.set_status(_CARD, _CARD_LOCKED)

    def unlock_card(self) -> None:
        """Back to SECURED."""
        self.set_status(_CARD, _SECURED)

    def set_status(self, what: int, state: int, aid: bytes = b"") -> None:
        """SET STATUS: ``what`` is P1 (80 the card, 40 an application or a domain), ``state`` P2."""
        answer = self._send(_SET_STATUS, what, state, aid, None, "set a life cycle state")
        if answer.data:
            raise UnexpectedAnswer("data where none is due", operation="set a life cycle state", sw=answer.sw)

    def delete(self, aid: bytes, *, related: bool = False) -> None:
        """Delete an application or a domain; with ``related`` what is in it too.

        Raises:
            NotOnCard: nothing of that AID that this session sees.
        """
        data = tlv.encode(b"\x4f", aid)
        self._confirmed(_DELETE, 0x00, _AND_RELATED if related else 0x00, data, "delete from the card")

    def put_key(self, new: StaticKeys, replace: int = 0) -> None:
        """Give the domain a new key set; each key goes enciphered, and the card answers with check values.

        Args:
            replace: version of the key set that it replaces; 0: add one (it also takes the place of the initial keys).

        Raises:
            SecureChannelError: the card's check values are not those of these keys: it may have others now.
        """
        operation = "put a key set"
        if new.version == INITIAL_VERSION or new.trial:
            raise UsageError("the trial keys are never put on a card", operation=operation)
        data = bytes((new.version,))
        for key, check in zip(new.each(), _thirds(new.check_values()), strict=True):
            wrapped = self.session.wrapped_key(key)
            field = bytes((len(wrapped),)) + wrapped
            data += bytes((_AES, len(field))) + field + bytes((_KCV_SIZE,)) + check
        answer = self._send(_PUT_KEY, replace, _ALL_KEYS, data, SHORT_LE_MAX, operation)
        if not hmac.compare_digest(answer.data, bytes((new.version,)) + new.check_values()):
            self.session.close()
            raise SecureChannelError("the card's check values are not those of the keys", operation=operation)

    # --- in detail --------------------------------------------------------------------------------------------------

    def _install(self, aids: tuple[bytes, bytes, bytes], privileges: bytes, parameters: bytes, operation: str) -> None:
        data = _fields(*aids, privileges, parameters, b"")
        self._confirmed(_INSTALL, _FOR_INSTALL_AND_SELECTABLE, 0x00, data, operation)

    def _confirmed(self, ins: int, p1: int, p2: int, data: bytes, operation: str) -> None:
        """A command that is answered by a confirmation of no length (no receipts here)."""
        answer = self._send(ins, p1, p2, data, SHORT_LE_MAX, operation)
        if answer.data not in _CONFIRMED:
            raise UnexpectedAnswer("data where none is due", operation=operation, sw=answer.sw)

    def _send(self, ins: int, p1: int, p2: int, data: bytes, le: int | None, operation: str) -> ResponseApdu:
        answer = self.session.send(CommandApdu(_CLASS, ins, p1, p2, data, le), operation=operation)
        if answer.sw == SW.NO_ROOM:
            raise NoRoom("", operation=operation, sw=answer.sw)
        raise_for_sw(operation, answer.sw)
        return answer

    def _read(self, parse: Callable[[bytes], _T], tag: bytes, operation: str) -> _T:
        answer = self._send(_GET_DATA, tag[0], tag[1], b"", SHORT_LE_MAX, operation)
        try:
            return parse(answer.data)
        except DecodeError as bad:
            problem = bad.message
        raise UnexpectedAnswer(f"malformed content: {problem}", operation=operation, sw=answer.sw)

    def _pages(self, what: int, data: bytes, parse: Callable[[bytes], list[_T]]) -> list[_T]:
        """GET STATUS until the card has no more; nothing found is an empty list."""
        operation = "read the registry of the card"
        found: list[_T] = []
        for page in range(_MAX_PAGES):
            command = CommandApdu(_CLASS, _GET_STATUS, what, _NEXT if page else _FIRST, data, SHORT_LE_MAX)
            answer = self.session.send(command, operation=operation)
            if answer.sw == SW.REFERENCE_NOT_FOUND and not page:
                return []
            if answer.sw != SW.MORE_DATA:
                raise_for_sw(operation, answer.sw)
            try:
                entries = parse(answer.data)
            except DecodeError as bad:
                problem = f"malformed content: {bad.message}"
                break
            found += entries
            if answer.sw != SW.MORE_DATA:
                return found
            if not entries or len(found) > registry.MAX_ENTRIES:
                problem = "the registry does not end"
                break
        else:
            problem = "the registry does not end"
        raise UnexpectedAnswer(problem, operation=operation, sw=answer.sw)

    def _load_files(self) -> list[LoadFileEntry]:
        return self._pages(_MODULES, registry.search(), registry.parse_load_files)


def _quota(quota: int) -> bytes:
    if not 0 <= quota <= 0xFFFFFFFF:
        raise UsageError("a quota has 4 bytes", operation="set a quota")
    return tlv.encode(_SYSTEM_PARAMETERS, tlv.encode(_QUOTA, quota.to_bytes(4, "big")))


def _fields(*fields: bytes) -> bytes:
    """Fields of INSTALL, each behind its length."""
    return b"".join(bytes((len(one),)) + one for one in fields)


def _thirds(data: bytes) -> tuple[bytes, bytes, bytes]:
    return data[:3], data[3:6], data[6:]
