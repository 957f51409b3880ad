"""The free area in the text of a card file: domains with their keys, slots with their banks; strictly read.

What is read is hostile: known names only, every number and length bounded, and nothing that the card itself could not
have come to: no slot without its domain, no two of one AID, no field out of order.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from kojin_card.errors import DecodeError
from kojin_card.simulator.content import (
    Bank,
    ContentState,
    DomainState,
    FieldState,
    KeySet,
    SlotState,
    TerminalAuthority,
)
from kojin_card.simulator.management import registry, room
from kojin_card.simulator.management.keys import TRIAL_VERSION
from kojin_card.spec import bcd
from kojin_card.spec.free_area import globalplatform_spec, slot_applet_spec
from kojin_card.spec.manifest import rising
from kojin_card.spec.owner import Owner
from kojin_card.spec.terminal_certificate import is_group

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kojin_card.spec.free_area import PlatformSpec
    from kojin_card.spec.strict import Table

_KEY_SIZES = (16, 32)
_SCALAR = 32
_MOST_INSTANCES = 128  # more than the memory of the card can hold
_MOST_COUNTER, _MOST_SEQUENCE, _MOST_BYTE = 0xFFFFFFFF, 0xFFFFFF, 0xFF
_SALT, _DESCRIPTOR_MOST, _SIGNATURE, _POINT, _DATE = 16, 240, 64, 33, 4
_RULE_MOST, _RULES_MOST, _MOST_VERSION = 0x03, 3, 0x7F
_LIFE_CYCLES = (registry.SELECTABLE, registry.PERSONALIZED)
_AID_SIZE = (5, 16)


# --- to the file ------------------------------------------------------------------------------------------------------


def dump(content: ContentState) -> str:
    """The JSON text of a free area: one domain and one slot a line."""
    domains = ",\n".join(json.dumps(_dump_domain(one)) for one in content.domains)
    slots = ",\n".join(json.dumps(_dump_slot(one)) for one in content.slots)
    return f'{{"issuer": {json.dumps(_dump_domain(content.issuer))},\n"domains": [{domains}],\n"slots": [{slots}]}}'


def _dump_domain(domain: DomainState) -> dict[str, object]:
    values: dict[str, object] = {
        "aid": domain.aid.hex(),
        "life_cycle": f"{domain.life_cycle:02x}",
        "privileges": domain.privileges.hex(),
    }
    if domain.owner_kind:
        values |= {"owner_kind": domain.owner_kind, "owner_code": domain.owner_code, "quota": domain.quota}
    keys = [
        {"version": one.version, "enc": one.enc.hex(), "mac": one.mac.hex(), "dek": one.dek.hex()}
        for one in domain.keys
    ]
    counters = {"sequence": domain.sequence, "failures": domain.failures, "waiting": domain.waiting}
    return {**values, "keys": keys, **counters}


def _dump_slot(slot: SlotState) -> dict[str, object]:
    values: dict[str, object] = {
        "aid": slot.aid.hex(),
        "domain": slot.domain.hex(),
        "life_cycle": f"{slot.life_cycle:02x}",
        "card_key": f"{slot.card_key:0{2 * _SCALAR}x}",
        "counter": slot.counter,
        "newest": slot.newest.hex(),
    }
    if slot.pin is not None:
        values |= {"pin": slot.pin.decode("ascii"), "tries_left": slot.tries_left, "tries_full": slot.tries_full}
    authorities = [
        {
            "key": one.key.hex(),
            "owner_kind": one.owner_kind,
            "owner_code": one.owner_code,
            "fields": one.fields.hex(),
        }
        for one in slot.authorities
    ]
    banks = [{"place": place, **_dump_bank(bank)} for place, bank in enumerate(slot.banks) if bank is not None]
    values |= {"authorities": authorities, "groups": list(slot.groups), "banks": banks}
    return values if slot.active is None else {**values, "active": slot.active}


def _dump_bank(bank: Bank) -> dict[str, object]:
    fields = [{"sfi": one.sfi, "rule": one.rule.hex(), "content": one.content.hex()} for one in bank.fields]
    return {
        "state": bank.state,
        "counter": bank.counter,
        "date": bank.date.hex(),
        "descriptor": bank.descriptor.hex(),
        "fields": fields,
        "signature": bank.signature.hex(),
    }


# --- from the file ----------------------------------------------------------------------------------------------------


def load(table: Table) -> ContentState:
    """A free area.

    Raises:
        SpecError: anything that :func:`dump` would not have written, or that no card can have come to.
    """
    platform, applet = globalplatform_spec(), slot_applet_spec()
    content = ContentState(
        _issuer(table.table("issuer"), platform),
        tuple(_domain(row, platform) for row in table.tables("domains", required=True)),
        tuple(_slot(row, platform, applet) for row in table.tables("slots", required=True)),
    )
    table.done()
    names = [*(one.aid for one in content.domains), *(one.aid for one in content.slots)]
    owners = [(one.owner_kind, one.owner_code) for one in content.domains]
    if len(set(names)) != len(names) or len(set(owners)) != len(owners) or len(names) > _MOST_INSTANCES:
        raise table.error("an AID or an owner stands twice, or too many of them")
    if {one.domain for one in content.slots} - {one.aid for one in content.domains if one.keys}:
        raise table.error("a slot of no domain, or of one without keys, which the issuer's would open")
    taken = {one.aid: room.used(content, one.aid) for one in content.domains}
    beyond = any(taken[one.aid] > one.quota for one in content.domains)
    if beyond or sum(taken.values()) > platform.number("quota_total"):
        raise table.error("more than there is room for")
    return content


def _number(table: Table, key: str, most: int) -> int:
    value = table.take(key, int)
    if not 0 <= value <= most:
        raise table.error(f"{key} must be 0 to {most}")
    return value


def _byte(table: Table, key: str, allowed: Iterable[int]) -> int:
    value = table.hex(key, size=(1, 1))[0]
    if value not in allowed:
        raise table.error(f"{key} is no such state")
    return value


def _issuer(table: Table, platform: PlatformSpec) -> DomainState:
    aid = table.hex("aid", size=_AID_SIZE)
    if aid != platform.aid("isd"):
        raise table.error("aid must be that of the issuer's domain")
    domain = DomainState(
        aid=aid,
        life_cycle=_byte(table, "life_cycle", (registry.SECURED, registry.CARD_LOCKED)),
        privileges=_privileges(table, registry.ISSUERS_PRIVILEGES),
        **_keys_and_counters(table, platform),
    )
    if not domain.keys:
        raise table.error("the issuer's domain has keys")
    table.done()
    return domain


def _domain(table: Table, platform: PlatformSpec) -> DomainState:
    kind, code = _owner(table)
    domain = DomainState(
        aid=_instance(table, "aid", platform, "ssd_prefix"),
        life_cycle=_byte(table, "life_cycle", (*_LIFE_CYCLES, *(one | registry.LOCKED for one in _LIFE_CYCLES))),
        privileges=_privileges(table, registry.OWNERS_PRIVILEGES),
        owner_kind=kind,
        owner_code=code,
        quota=_number(table, "quota", platform.number("quota_total")),
        **_keys_and_counters(table, platform),
    )
    if any(one.version > _MOST_VERSION for one in domain.keys):
        raise table.error("the keys that a card begins with are the issuer's")
    table.done()
    return domain


def _privileges(table: Table, due: bytes) -> bytes:
    if table.hex("privileges", size=(len(due), len(due))) != due:
        raise table.error("privileges are not those of such a domain")
    return due


def _owner(table: Table) -> tuple[int, str]:
    kind, code = table.take("owner_kind", int), table.take("owner_code", str)
    try:
        Owner.from_octets(kind, code.encode("ascii"))
    except (DecodeError, UnicodeEncodeError):
        raise table.error("owner_kind and owner_code name no owner") from None
    return kind, code


def _instance(table: Table, key: str, platform: PlatformSpec, prefix: str) -> bytes:
    spec = platform.aids[prefix]
    size = len(spec.aid) + spec.random
    aid = table.hex(key, size=(size, size))
    if not aid.startswith(spec.aid):
        raise table.error(f"{key} has another beginning")
    return aid


def _keys_and_counters(table: Table, platform: PlatformSpec) -> dict[str, Any]:
    keys = tuple(_key_set(row) for row in table.tables("keys", required=True))
    if len({one.version for one in keys}) != len(keys) or len(keys) > platform.number("key_sets_most"):
        raise table.error("a key version stands twice, or too many of them")
    return {
        "keys": keys,
        "sequence": _number(table, "sequence", _MOST_SEQUENCE),
        "failures": _number(table, "failures", _MOST_BYTE),
        "waiting": _number(table, "waiting", platform.number("velocity_most")),
    }


def _key_set(table: Table) -> KeySet:
    version = _number(table, "version", _MOST_BYTE)
    enc, mac, dek = (table.hex(name, size=(min(_KEY_SIZES), max(_KEY_SIZES))) for name in ("enc", "mac", "dek"))
    known = 1 <= version <= _MOST_VERSION or version == TRIAL_VERSION
    if not known or len(enc) not in _KEY_SIZES or len({len(enc), len(mac), len(dek)}) != 1:
        raise table.error("a key set has a version and three keys of 16 or 32 bytes")
    table.done()
    return KeySet(version, enc, mac, dek)


def _slot(table: Table, platform: PlatformSpec, applet: PlatformSpec) -> SlotState:
    pin, left, full = _pin(table, applet)
    banks = _banks(table, applet)
    active = table.take("active", int) if table.has("active") else None
    slot = SlotState(
        aid=_instance(table, "aid", platform, "slot_prefix"),
        domain=_instance(table, "domain", platform, "ssd_prefix"),
        life_cycle=_byte(table, "life_cycle", (registry.SELECTABLE, registry.SELECTABLE | registry.LOCKED)),
        card_key=_scalar(table),
        counter=_number(table, "counter", _MOST_COUNTER),
        newest=_date(table, "newest"),
        pin=pin,
        tries_left=left,
        tries_full=full,
        authorities=tuple(_authority(row, applet) for row in table.tables("authorities", required=True)),
        groups=table.texts("groups"),
        banks=banks,
        active=active,
    )
    if active is not None and (active not in (0, 1) or banks[active] is None):
        raise table.error("active names no bank")
    if (active is None) != (slot.counter == 0):
        raise table.error("a counter without a record, or a record without one")
    if len({one.key for one in slot.authorities}) != len(slot.authorities):
        raise table.error("a terminal CA stands twice")
    if len(slot.authorities) > applet.number("authorities_most") or len(slot.groups) > applet.number("groups_most"):
        raise table.error("too many authorities or groups")
    if not all(is_group(one) for one in slot.groups) or len(set(slot.groups)) != len(slot.groups):
        raise table.error("groups must be short names, each once")
    table.done()
    return slot


def _pin(table: Table, applet: PlatformSpec) -> tuple[bytes | None, int, int]:
    if not table.has("pin"):
        return None, 0, 0
    pin = table.take("pin", str)
    left, full = (_number(table, name, applet.number("pin_tries")) for name in ("tries_left", "tries_full"))
    if (
        len(pin) != applet.number("pin_length")
        or not pin.isascii()
        or not pin.isdigit()
        or full != applet.number("pin_tries")
    ):
        raise table.error("pin, tries_left and tries_full make no PIN")
    return pin.encode("ascii"), left, full


def _scalar(table: Table) -> int:
    scalar = int.from_bytes(table.hex("card_key", size=(_SCALAR, _SCALAR)), "big")
    try:
        ec.derive_private_key(scalar, ec.SECP256R1())
    except (ValueError, UnsupportedAlgorithm):
        raise table.error("card_key makes no key") from None
    return scalar


def _date(table: Table, key: str) -> bytes:
    octets = table.hex(key, size=(_DATE, _DATE))
    if key == "newest" and octets == bytes(_DATE):  # none seen yet
        return octets
    try:
        bcd.decode_date(octets)
    except DecodeError:
        raise table.error(f"{key} must be a day") from None
    return octets


def _authority(table: Table, applet: PlatformSpec) -> TerminalAuthority:
    kind, code = _owner(table)
    key = table.hex("key", size=(_POINT, _POINT))
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except ValueError:
        raise table.error("key is no point") from None
    fields = table.hex("fields", size=(0, applet.number("fields_most")))
    if not rising(fields):
        raise table.error("fields must be short identifiers that rise")
    table.done()
    return TerminalAuthority(key, kind, code, fields)


def _banks(table: Table, applet: PlatformSpec) -> tuple[Bank | None, Bank | None]:
    found: dict[int, Bank] = {}
    for row in table.tables("banks", required=True):
        place = row.take("place", int)
        if place not in (0, 1) or place in found:
            raise row.error("place must be 0 or 1, each at most once")
        found[place] = _bank(row, applet)
    return found.get(0), found.get(1)


def _bank(table: Table, applet: PlatformSpec) -> Bank:
    bank = Bank(
        state=_number(table, "state", max(one.value for one in applet.states.values())),
        counter=_number(table, "counter", _MOST_COUNTER),
        date=_date(table, "date"),
        descriptor=table.hex("descriptor", size=(_SALT + 1, _DESCRIPTOR_MOST)),
        fields=tuple(_field(row, applet) for row in table.tables("fields", required=True)),
        signature=table.hex("signature", size=(_SIGNATURE, _SIGNATURE)),
    )
    names = [one.sfi for one in bank.fields]
    if names != sorted(set(names)):
        raise table.error("fields must rise by sfi")
    if bank.state == applet.states["installed"].value or not bank.counter:
        raise table.error("a record has a state and a counter")
    table.done()
    return bank


def _field(table: Table, applet: PlatformSpec) -> FieldState:
    one = FieldState(
        sfi=_number(table, "sfi", applet.number("fields_most")),
        rule=table.hex("rule", size=(0, _RULES_MOST)),
        content=table.hex("content", size=(_SALT, _SALT + applet.number("field_most"))),
    )
    if not one.sfi or any(octet > _RULE_MOST for octet in one.rule):
        raise table.error("no such field")
    table.done()
    return one
