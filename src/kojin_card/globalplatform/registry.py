"""What a card says of its content: key information, GET STATUS, resources; read strictly, whoever wrote the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.iso7816 import tlv
from kojin_card.spec.free_area import globalplatform_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

#: more of anything than a card holds
MAX_ENTRIES = 1024
_AID_SIZE = range(5, 17)
_LOCKED = 0x80
_SECURITY_DOMAIN = 0x80

_ENTRY, _AID, _PRIVILEGES, _LOAD_FILE, _DOMAIN, _MODULE = b"\xe3", b"\x4f", b"\xc5", b"\xc4", b"\xcc", b"\x84"
_KEYS, _KEY = b"\xe0", b"\xc0"
_KEY_TYPES = {0x88: "AES"}


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """One key of a key information template (GlobalPlatform 2.3.1 §11.3.3.1).

    Attributes:
        type: ``AES``, or the type's byte in hex.
        bits: its length.
    """

    id: int
    version: int
    type: str
    bits: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the registry.

    Attributes:
        aid: hidden in ``repr``: which slots a card has says which services its holder uses.
        state: life cycle byte; 80 = locked (GlobalPlatform 2.3.1 table 11-4).
        privileges: 1 or 3 bytes, or none where the card told none.
        load_file: AID of the code; None where not told.
        domain: AID of the security domain that it belongs to; None where not told.
    """

    aid: bytes = field(repr=False)
    state: int
    privileges: bytes = b""
    load_file: bytes | None = None
    domain: bytes | None = field(default=None, repr=False)

    @property
    def is_locked(self) -> bool:
        """Whether it is locked: it cannot be selected."""
        return bool(self.state & _LOCKED)

    @property
    def is_domain(self) -> bool:
        """Whether it is a security domain."""
        return bool(self.privileges and self.privileges[0] & _SECURITY_DOMAIN)


@dataclass(frozen=True, slots=True)
class DomainEntry(Entry):
    """A supplementary security domain.

    Attributes:
        owner: kind (1 byte) and code (ASCII) as the card tells its issuer; None where not told.
        quota, used: bytes; None where not told.
    """

    owner: bytes | None = field(default=None, repr=False)
    quota: int | None = None
    used: int | None = None


@dataclass(frozen=True, slots=True)
class SlotEntry(Entry):
    """An application that is no security domain.

    Attributes:
        slot_state: the slot applet's own state (``slot_applet_spec().state``); None where not told.
    """

    slot_state: int | None = None


@dataclass(frozen=True, slots=True)
class LoadFileEntry:
    """Code on the card.

    Attributes:
        modules: AIDs of what can be made of it.
    """

    aid: bytes
    state: int
    modules: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that GET STATUS told this session.

    Attributes:
        isd: None where the session does not see it.
    """

    isd: Entry | None
    domains: tuple[DomainEntry, ...]
    slots: tuple[SlotEntry, ...]
    load_files: tuple[LoadFileEntry, ...]

    def of(self, domain: bytes) -> tuple[SlotEntry, ...]:
        """The slots of that domain."""
        return tuple(slot for slot in self.slots if slot.domain == domain)


@dataclass(frozen=True, slots=True)
class Resources:
    """Extended card resources (ETSI TS 102 226 §8.2.1.7.2).

    Attributes:
        applications: how many are installed.
        free: bytes of non-volatile memory that are left. volatile: the same of volatile memory.
    """

    applications: int
    free: int
    volatile: int


def parse_key_information(data: bytes) -> tuple[KeyInfo, ...]:
    """The keys of a key information template ``E0``.

    Raises:
        DecodeError: it is malformed.
    """
    found = []
    for item in _objects(_template(data, _KEYS)):
        # one component a key: the extended form (RSA, ECC) is nothing that this card can have
        if item.tag != _KEY or len(item.value) != 4:
            raise DecodeError("not a key of one component", operation="read key information")
        key, version, kind, size = item.value
        found.append(KeyInfo(key, version, _KEY_TYPES.get(kind, f"{kind:02X}"), size * 8))
    return tuple(found)


def parse_entries(data: bytes) -> list[tuple[Entry, dict[bytes, bytes]]]:
    """The entries of one answer to GET STATUS (P1 80 and 40), each with every object that it had.

    Raises:
        DecodeError: one is malformed, or has no AID or no state.
    """
    entries = []
    for parts, _ in _entries(data):
        privileges = parts.get(_PRIVILEGES, b"")
        if len(privileges) not in (0, 1, 3):
            raise _bad("privileges have 1 or 3 bytes")
        load_file = _aid(parts[_LOAD_FILE]) if parts.get(_LOAD_FILE) else None
        domain = _aid(parts[_DOMAIN]) if parts.get(_DOMAIN) else None
        entries.append((Entry(_aid(parts[_AID]), _state(parts), privileges, load_file, domain), parts))
    return entries


def parse_load_files(data: bytes) -> list[LoadFileEntry]:
    """The entries of one answer to GET STATUS (P1 20 and 10).

    Raises:
        DecodeError: as :func:`parse_entries`.
    """
    return [LoadFileEntry(_aid(parts[_AID]), _state(parts), modules) for parts, modules in _entries(data)]


def as_domain(entry: Entry, parts: dict[bytes, bytes]) -> DomainEntry:
    """An entry of a security domain, with what this card tells besides.

    Raises:
        DecodeError: malformed.
    """
    spec = globalplatform_spec()
    room = parts.get(spec.tag("room"))
    if room is not None and len(room) != 8:
        raise _bad("the room of a domain has 8 bytes")
    quota, used = (int.from_bytes(room[:4], "big"), int.from_bytes(room[4:], "big")) if room else (None, None)
    owner = parts.get(spec.tag("owner"))
    if owner is not None and not (2 <= len(owner) <= 17 and owner[1:].isalnum() and owner[1:].isascii()):
        raise _bad("not an owner")
    return DomainEntry(
        entry.aid, entry.state, entry.privileges, entry.load_file, entry.domain, owner, quota=quota, used=used
    )


def as_slot(entry: Entry, parts: dict[bytes, bytes]) -> SlotEntry:
    """An entry of a slot, with its state.

    Raises:
        DecodeError: malformed.
    """
    state = parts.get(globalplatform_spec().tag("slot_state"))
    if state is not None and len(state) != 1:
        raise _bad("the state of a slot is one byte")
    return SlotEntry(
        entry.aid, entry.state, entry.privileges, entry.load_file, entry.domain, state[0] if state else None
    )


def parse_resources(data: bytes) -> Resources:
    """Extended card resources ``FF21``.

    Raises:
        DecodeError: malformed.
    """
    parts = {
        item.tag: item.value for item in _objects(_template(data, globalplatform_spec().tag("extended_resources")))
    }
    values = [parts.get(tag, b"") for tag in (b"\x81", b"\x82", b"\x83")]
    if not all(1 <= len(value) <= 4 for value in values):
        raise DecodeError("not the resources of a card", operation="read the card's resources")
    return Resources(*(int.from_bytes(value, "big") for value in values))


def search(aid: bytes = b"", tags: Sequence[bytes] = ()) -> bytes:
    """The data of GET STATUS: a search by the beginning of an AID (all when empty), and the objects wanted."""
    wanted = tlv.encode(b"\x5c", b"".join(tags)) if tags else b""
    return tlv.encode(_AID, aid) + wanted


def _template(data: bytes, tag: bytes) -> bytes:
    """The value of the one object that ``data`` is."""
    items = _objects(data)
    if len(items) != 1 or items[0].tag != tag:
        raise _bad("not the template that was asked for")
    return items[0].value


def _objects(data: bytes) -> list[tlv.Tlv]:
    found: list[tlv.Tlv] = []
    for item in tlv.read_all(data, standard=True):
        found.append(item)
        if len(found) > MAX_ENTRIES:
            raise _bad("more objects than a card holds")
    return found


def _entries(data: bytes) -> list[tuple[dict[bytes, bytes], tuple[bytes, ...]]]:
    """Each entry's objects, and its modules (the one object that may stand several times)."""
    found = []
    for item in _objects(data):
        if item.tag != _ENTRY:
            raise _bad("not an entry of the registry")
        parts: dict[bytes, bytes] = {}
        modules = []
        for part in _objects(item.value):
            if part.tag == _MODULE:
                modules.append(_aid(part.value))
            elif part.tag in parts:
                # implicit selection and such may stand several times; of what is read here nothing may
                if part.tag in (_AID, _PRIVILEGES, _LOAD_FILE, _DOMAIN) or len(part.tag) > 1:
                    raise _bad("an object stands twice")
            else:
                parts[part.tag] = part.value
        if _AID not in parts:
            raise _bad("an entry without an AID")
        found.append((parts, tuple(modules)))
    return found


def _aid(value: bytes) -> bytes:
    if len(value) not in _AID_SIZE:
        raise _bad("an AID has 5 to 16 bytes")
    return value


def _state(parts: dict[bytes, bytes]) -> int:
    value = parts.get(globalplatform_spec().tag("life_cycle"), b"")
    if len(value) != 1:
        raise _bad("an entry without a life cycle state")
    return value[0]


def _bad(why: str) -> DecodeError:
    return DecodeError(why, operation="read the registry of the card")
