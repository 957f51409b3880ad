"""What one series of STORE DATA says: its objects, strictly read. What of it the card does is in :mod:`.storing`.

Three kinds, told apart by what stands in them: a record (descriptor, fields, counter, state, date, signature, and
with it settings and a PIN when wanted), a change of state (counter, state, date, signature), settings alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.iso7816 import tlv
from kojin_card.iso7816.status import SW
from kojin_card.simulator.content import FieldState, TerminalAuthority
from kojin_card.simulator.security import Refused
from kojin_card.simulator.slot.card_key import SIGNATURE, load_point
from kojin_card.simulator.slot.pin import require_form
from kojin_card.spec import bcd
from kojin_card.spec.free_area import slot_applet_spec
from kojin_card.spec.manifest import COUNTER_BYTES, rising
from kojin_card.spec.owner import Owner
from kojin_card.spec.terminal_certificate import is_group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kojin_card.iso7816.tlv import Tlv

_DESCRIPTOR, _FIELD, _COUNTER, _STATE, _DATE, _SIGNATURE, _AUTHORITIES, _GROUPS, _PIN = _ORDER = tuple(
    bytes((octet,)) for octet in (0xC1, 0xA2, 0x82, 0x83, 0x87, 0x9E, 0xA5, 0xA6, 0xC7)
)
_SFI, _RULE, _CONTENT = (bytes((octet,)) for octet in (0x80, 0x81, 0x82))
_AUTHORITY, _GROUP = b"\xb0", b"\x85"
_KEY, _KIND, _CODE = (bytes((octet,)) for octet in (0x86, 0x82, 0x83))


@dataclass(frozen=True, slots=True)
class Signed:
    """What the owner signed anew: counter, state (a byte), date (BCD) and the signature."""

    counter: int
    state: int
    date: bytes
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """What a full update brings: the hidden descriptor with its salt, and the fields, rising."""

    descriptor: bytes = field(repr=False)
    fields: tuple[FieldState, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Series:
    """A whole series; None: not in it. ``record`` only with ``signed``, ``pin`` only with ``record``."""

    signed: Signed | None
    record: Record | None
    authorities: tuple[TerminalAuthority, ...] | None
    groups: tuple[str, ...] | None
    pin: bytes | None = field(repr=False)


def read_series(data: bytes) -> Series:
    """The objects of a series.

    Raises:
        Refused: 6A88, an object that no series has; 6A80, any other deviation.
    """
    try:
        return _read(data)
    except DecodeError:
        raise Refused(SW.WRONG_DATA) from None


def settings_octets(authorities: Sequence[TerminalAuthority], groups: Sequence[str]) -> bytes:
    """Terminal CAs and groups as a series has them: ``A5`` and ``A6``."""
    return tlv.encode(_AUTHORITIES, b"".join(map(_authority_octets, authorities))) + tlv.encode(
        _GROUPS, b"".join(tlv.encode(_GROUP, group.encode("ascii")) for group in groups)
    )


def _read(data: bytes) -> Series:
    items = _items(data)
    if any(item.tag not in _ORDER for item in items):
        raise Refused(SW.REFERENCE_NOT_FOUND)
    places = [_ORDER.index(item.tag) for item in items]
    single = [item for item in items if item.tag != _FIELD]
    by_tag = {item.tag: item.value for item in single}
    if places != sorted(places) or len(by_tag) != len(single) or not items:
        raise _bad("objects out of order, or one of them twice")
    signed = _signed([by_tag[tag] for tag in (_COUNTER, _STATE, _DATE, _SIGNATURE) if tag in by_tag])
    record = _record(by_tag.get(_DESCRIPTOR), [item for item in items if item.tag == _FIELD])
    authorities = _authorities(by_tag[_AUTHORITIES]) if _AUTHORITIES in by_tag else None
    groups = _groups(by_tag[_GROUPS]) if _GROUPS in by_tag else None
    pin = by_tag.get(_PIN)
    if pin is not None:
        require_form(pin)
    if record is None and (pin is not None or (signed is not None and (authorities, groups) != (None, None))):
        raise _bad("a change of state with something else")
    if record is not None and signed is None:
        raise _bad("a record that nobody signed")
    return Series(signed, record, authorities, groups, pin)


def _signed(values: list[bytes]) -> Signed | None:
    if not values:
        return None
    if [len(value) for value in values] != [COUNTER_BYTES, 1, bcd.DATE_BYTES, SIGNATURE]:
        raise _bad("counter, state, date or signature missing, or of another length")
    counter, state, date, signature = values
    bcd.decode_date(date)
    if slot_applet_spec().state(state[0]) is None:
        raise _bad("no state")
    return Signed(int.from_bytes(counter, "big"), state[0], date, signature)


def _record(descriptor: bytes | None, items: list[Tlv]) -> Record | None:
    if descriptor is None:
        if items:
            raise _bad("fields without a descriptor")
        return None
    spec = slot_applet_spec()
    salt = spec.number("salt")
    if not salt < len(descriptor) <= spec.number("descriptor_most"):
        raise _bad("a descriptor of another length")
    _items(descriptor[salt:])  # objects; what they say is for those who read them
    fields = tuple(_field(item.value) for item in items)
    if not rising(one.sfi for one in fields):
        raise _bad("fields that do not rise from 1 to 24")
    return Record(descriptor, fields)


def _field(value: bytes) -> FieldState:
    sfi, rule, content = _parts(value, _SFI, _RULE, _CONTENT)
    spec = slot_applet_spec()
    known = spec.number("rule_terminal") | spec.number("rule_holder")
    if len(rule) > spec.number("alternatives_most") or any(alternative & ~known for alternative in rule):
        raise _bad("a rule that is none")
    if len(sfi) != 1 or not 0 <= len(content) - spec.number("salt") <= spec.number("field_most"):
        raise _bad("a field of another length")
    return FieldState(sfi[0], rule, content)


def _authorities(value: bytes) -> tuple[TerminalAuthority, ...]:
    found = tuple(_authority(one) for one in _all(value, _AUTHORITY, "authorities_most"))
    if len({one.key for one in found}) != len(found):
        raise _bad("a terminal CA twice")
    return found


def _authority(value: bytes) -> TerminalAuthority:
    key, kind, code, fields = _parts(value, _KEY, _KIND, _CODE, slot_applet_spec().tag("terminal_fields"))
    load_point(key)
    if len(kind) != 1 or not rising(fields):
        raise _bad("a terminal CA of another form")
    owner = Owner.from_octets(kind[0], code)
    return TerminalAuthority(key, owner.kind, owner.code, fields)


def _authority_octets(one: TerminalAuthority) -> bytes:
    return tlv.encode(
        _AUTHORITY,
        tlv.encode(_KEY, one.key)
        + tlv.encode(_KIND, bytes((one.owner_kind,)))
        + tlv.encode(_CODE, one.owner_code.encode("ascii"))
        + tlv.encode(slot_applet_spec().tag("terminal_fields"), one.fields),
    )


def _groups(value: bytes) -> tuple[str, ...]:
    found = tuple(one.decode("latin-1") for one in _all(value, _GROUP, "groups_most"))
    if len(set(found)) != len(found) or not all(is_group(one) for one in found):
        raise _bad("a group of another form, or one twice")
    return found


def _all(value: bytes, tag: bytes, most: str) -> list[bytes]:
    """The values of objects of one tag, at most as many as that number of the spec."""
    items = _items(value)
    if len(items) > slot_applet_spec().number(most) or any(item.tag != tag for item in items):
        raise _bad("too many, or a foreign object")
    return [item.value for item in items]


def _parts(value: bytes, *tags: bytes) -> list[bytes]:
    """The values of exactly these objects in exactly this order."""
    items = _items(value)
    if tuple(item.tag for item in items) != tags:
        raise _bad("objects missing, foreign or out of order")
    return [item.value for item in items]


def _items(data: bytes) -> list[Tlv]:
    """The objects of ``data``. Each has one encoding: a length that is written longer than it needs is none."""
    items = list(tlv.read_all(data))
    if any(item.raw != tlv.encode(item.tag, item.value) for item in items):
        raise _bad("a length form that is not the shortest")
    return items


def _bad(problem: str) -> DecodeError:
    return DecodeError(problem, operation="STORE DATA")
