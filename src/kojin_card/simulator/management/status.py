"""GET STATUS (GlobalPlatform 2.3.1 §11.4): the registry, as much of it as the session may see, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.iso7816 import tlv
from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.management import registry, room
from kojin_card.simulator.management.scp03 import MOST_DATA
from kojin_card.simulator.security import Refused
from kojin_card.spec.free_area import globalplatform_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kojin_card.simulator.content import ContentState, DomainState, SlotState

_ISSUER, _APPLICATIONS, _LOAD_FILES, _MODULES = 0x80, 0x40, 0x20, 0x10
_NEXT, _OBJECTS = 0x01, 0x02  # bits of P2
_AID, _TAG_LIST, _ENTRY = b"\x4f", b"\x5c", b"\xe3"
_PRIVILEGES, _LOAD_FILE, _MODULE, _DOMAIN = b"\xc5", b"\xc4", b"\x84", b"\xcc"
_LOADED = 0x01
_AID_MAX = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the registry.

    Attributes:
        more: objects of the long form besides AID, life cycle and privileges.
        asked: objects that come only when a tag list asks.
        modules: of a load file.
    """

    aid: bytes
    life_cycle: int
    privileges: bytes = b""
    more: tuple[tuple[bytes, bytes], ...] = ()
    asked: tuple[tuple[bytes, bytes], ...] = ()
    modules: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """What is left to tell of an answer that did not fit, and the command that it answers (P2 as that of a first)."""

    command: tuple[int, int, bytes]
    entries: tuple[bytes, ...]


def get_status(card: Context, command: Received) -> Answer:
    """``80 F2``: entries of one kind whose AID begins as the search says; 6310 while there are more.

    P2 is 02 or 00 (the short form) for the first page, with bit 01 for the next. A page is what fits into one answer of
    a session with its padding and MAC, whatever the level. The next page goes with the same search only, and a change
    of the registry ends it.

    Raises:
        Refused: 6A86 P1 or P2; 6A80 malformed; 6A88 nothing found, or no page left.
    """
    apdu, security = command.apdu, card.security
    if apdu.p1 not in (_ISSUER, _APPLICATIONS, _LOAD_FILES, _MODULES) or apdu.p2 & ~(_NEXT | _OBJECTS):
        raise Refused(SW.INCORRECT_P1P2)
    search, tags = _criteria(apdu.data)
    asked = apdu.p1, apdu.p2 & ~_NEXT, apdu.data
    if apdu.p2 & _NEXT:
        listing = security.listing
        if listing is None or listing.command != asked:
            raise Refused(SW.REFERENCE_NOT_FOUND)
        entries = listing.entries
    else:
        found = [one for one in _visible(card, apdu.p1) if one.aid.startswith(search)]
        entries = tuple(
            _objects(one, tags) if apdu.p2 & _OBJECTS else _short(one, modules=apdu.p1 == _MODULES) for one in found
        )
    security.listing = None
    if not entries:
        raise Refused(SW.REFERENCE_NOT_FOUND)
    page, at = b"", 0
    while at < len(entries) and len(page) + len(entries[at]) <= MOST_DATA:
        page += entries[at]
        at += 1
    if at < len(entries):
        security.listing = Listing(asked, entries[at:])
        return Answer(SW.MORE_DATA, page)
    return Answer(SW.OK, page)


def _criteria(data: bytes) -> tuple[bytes, tuple[bytes, ...] | None]:
    """The beginning of the AIDs that are wanted, and the tag list or None.

    Raises:
        Refused: 6A80.
    """
    try:
        objects = list(tlv.read_all(data))
        if [one.tag for one in objects] not in ([_AID], [_AID, _TAG_LIST]) or len(objects[0].value) > _AID_MAX:
            raise Refused(SW.WRONG_DATA)
        return objects[0].value, None if len(objects) == 1 else tuple(_tags(objects[1].value))
    except DecodeError:
        raise Refused(SW.WRONG_DATA) from None


def _tags(octets: bytes) -> Iterator[bytes]:
    """The tags of a tag list, of one or two bytes.

    Raises:
        Refused: 6A80.
    """
    at = 0
    while at < len(octets):
        size = 2 if octets[at] & 0x1F == 0x1F else 1
        tag = octets[at : at + size]
        tlv.check_tag(tag)
        yield tag
        at += size


def _objects(entry: Entry, tags: tuple[bytes, ...] | None) -> bytes:
    """The long form: one object with the objects that were asked for, or the usual ones."""
    life_cycle = globalplatform_spec().tag("life_cycle")
    usual = [(_AID, entry.aid), (life_cycle, bytes((entry.life_cycle,)))]
    if entry.privileges:
        usual.append((_PRIVILEGES, entry.privileges))
    usual += [*entry.more, *((_MODULE, module) for module in entry.modules)]
    chosen = usual if tags is None else [one for one in (*usual, *entry.asked) if one[0] in tags]
    return tlv.encode(_ENTRY, b"".join(tlv.encode(*one) for one in chosen))


def _short(entry: Entry, *, modules: bool) -> bytes:
    """The short form: length and AID, life cycle, first byte of the privileges; with ``modules`` their number and AIDs.

    For load files the byte of the privileges is 00.
    """
    privileges = entry.privileges[:1] or b"\x00"
    parts = [bytes((len(entry.aid),)), entry.aid, bytes((entry.life_cycle,)), privileges]
    if modules:
        parts.append(bytes((len(entry.modules),)))
        parts += [part for module in entry.modules for part in (bytes((len(module),)), module)]
    return b"".join(parts)


# --- who sees what ----------------------------------------------------------------------------------------------------


def _visible(card: Context, kind: int) -> list[Entry]:
    """The entries of that kind: all to the issuer; to an owner its own domain and what is under it."""
    content, aid = card.content_state, card.domain.aid
    everything = aid == content.issuer.aid
    if kind == _APPLICATIONS:
        domains = [_domain(content, one, told=everything) for one in content.domains if everything or one.aid == aid]
        return domains + [_slot(one) for one in content.slots if everything or one.domain == aid]
    if not everything:
        return []
    if kind == _ISSUER:
        return [Entry(aid, content.issuer.life_cycle, content.issuer.privileges)]
    spec = globalplatform_spec()
    names = (("ssd_package", "ssd_module"), ("slot_package", "slot_module"))
    return [
        Entry(
            spec.aid(package), _LOADED, more=((_DOMAIN, aid),), modules=(spec.aid(module),) if kind == _MODULES else ()
        )
        for package, module in names
    ]


def _domain(content: ContentState, domain: DomainState, *, told: bool) -> Entry:
    """The entry of an owner's domain; whose it is, is ``told`` to the issuer alone."""
    spec = globalplatform_spec()
    taken = room.used(content, domain.aid)
    owner = bytes((domain.owner_kind,)) + domain.owner_code.encode("ascii")
    return Entry(
        domain.aid,
        domain.life_cycle,
        domain.privileges,
        more=((_LOAD_FILE, spec.aid("ssd_package")), (_DOMAIN, content.issuer.aid)),
        asked=(
            *(((spec.tag("owner"), owner),) if told else ()),
            (spec.tag("room"), domain.quota.to_bytes(4, "big") + taken.to_bytes(4, "big")),
        ),
    )


def _slot(slot: SlotState) -> Entry:
    spec = globalplatform_spec()
    return Entry(
        slot.aid,
        slot.life_cycle,
        registry.NO_PRIVILEGES,
        more=((_LOAD_FILE, spec.aid("slot_package")), (_DOMAIN, slot.domain)),
        asked=((spec.tag("slot_state"), bytes((slot.bank.state if slot.bank is not None else 0,))),),
    )
