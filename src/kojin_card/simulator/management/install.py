"""INSTALL (GlobalPlatform 2.3.1 §11.5): domains by the issuer, slots by their owners, and what is given to both."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kojin_card.errors import DecodeError
from kojin_card.iso7816 import tlv
from kojin_card.iso7816.status import SW
from kojin_card.simulator.content import DomainState, SlotState
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.management import registry, room
from kojin_card.simulator.security import Refused
from kojin_card.simulator.slot.card_key import new_card_key
from kojin_card.simulator.slot.visit import Visit
from kojin_card.spec.free_area import globalplatform_spec
from kojin_card.spec.owner import Owner

CONFIRMED = b"\x00"  # no receipt follows
_SPECIFIC, _SYSTEM, _QUOTA = b"\xc9", b"\xef", b"\xc8"
_QUOTA_SIZE = 4


@dataclass(frozen=True, slots=True)
class _Request:
    """The six fields of INSTALL."""

    load_file: bytes
    module: bytes
    instance: bytes
    privileges: bytes
    specific: bytes
    quota: int | None


def make_selectable(card: Context, command: Received) -> Answer:
    """``80 E6 0C 00``: a domain by the issuer, or a slot by the owner of the current domain, under it.

    Raises:
        Refused: 6A86 P2; 6A80 malformed, or an AID or privileges that such an instance cannot have; 6A88 no such load
            file or module; 6985 not for this session to install, an AID or an owner that is there already, a token, or
            a domain without keys of its own; 6A84.
    """
    request = _request(command)
    spec = globalplatform_spec()
    wanted = request.load_file, request.module
    issuers = card.domain.aid == card.content_state.issuer.aid
    if wanted == (spec.aid("ssd_package"), spec.aid("ssd_module")):
        _require(issuers)
        _install_domain(card, request)
    elif wanted == (spec.aid("slot_package"), spec.aid("slot_module")):
        _require(not issuers)
        _install_slot(card, request)
    else:
        raise Refused(SW.REFERENCE_NOT_FOUND)
    return Answer(SW.OK, CONFIRMED)


def _require(condition: bool) -> None:
    if not condition:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)


def _install_domain(card: Context, request: _Request) -> None:
    spec, content = globalplatform_spec(), card.content_state
    owner = _owner(request.specific)
    quota = spec.number("quota_owner") if request.quota is None else request.quota
    privileges = request.privileges.ljust(len(registry.OWNERS_PRIVILEGES), b"\x00")
    beyond = any(asked & ~given for asked, given in zip(privileges, registry.OWNERS_PRIVILEGES, strict=False))
    if len(privileges) != len(registry.OWNERS_PRIVILEGES) or beyond or not privileges[0]:
        raise Refused(SW.WRONG_DATA)
    _check_aid(request.instance, "ssd_prefix")
    _require(content.domain(request.instance) is None)
    _require(all((one.owner_kind, one.owner_code) != (owner.kind, owner.code) for one in content.domains))
    _check_quota(quota)
    domain = DomainState(
        request.instance,
        registry.SELECTABLE,
        registry.OWNERS_PRIVILEGES,
        owner_kind=owner.kind.value,
        owner_code=owner.code,
        quota=quota,
        sequence=content.issuer.sequence,  # no challenge of an earlier domain of that AID comes again (see DELETE)
    )
    content = replace(content, domains=(*content.domains, domain))
    room.require_room(content, domain.aid)
    card.commit_content(content)


def _install_slot(card: Context, request: _Request) -> None:
    content, domain = card.content_state, card.domain
    if any(request.privileges) or request.specific or request.quota is not None:
        raise Refused(SW.WRONG_DATA)
    _check_aid(request.instance, "slot_prefix")
    _require(bool(domain.keys))
    _require(content.slot(request.instance) is None)
    key = new_card_key(card.random)
    slot = SlotState(aid=request.instance, domain=domain.aid, life_cycle=registry.SELECTABLE, card_key=key)
    content = replace(content, slots=(*content.slots, slot))
    room.require_room(content, domain.aid)
    card.commit_content(content)


def _check_aid(aid: bytes, prefix: str) -> None:
    spec = globalplatform_spec().aids[prefix]
    if not aid.startswith(spec.aid) or len(aid) != len(spec.aid) + spec.random:
        raise Refused(SW.WRONG_DATA)


def _check_quota(quota: int) -> None:
    if quota > globalplatform_spec().number("quota_total"):
        raise Refused(SW.NO_ROOM)


def _owner(specific: bytes) -> Owner:
    """The owner out of the parameters of a domain: ``DF71``, and nothing else.

    Raises:
        Refused: 6A80.
    """
    try:
        (one,) = tlv.read_all(specific)
        if one.tag != globalplatform_spec().tag("owner"):
            raise Refused(SW.WRONG_DATA)
        return Owner.decode(one.value)
    except (DecodeError, ValueError):
        raise Refused(SW.WRONG_DATA) from None


# --- for personalization, registry update -----------------------------------------------------------------------------


def for_personalization(card: Context, command: Received) -> Answer:
    """``80 E6 20 00``: the STORE DATA that follow are for this slot, until the last block of a series.

    Raises:
        Refused: 6A86 P2; 6A80 malformed; 6A88 no such slot under this domain; 6985 it is locked.
    """
    request = _request(command)
    if request.load_file or request.module or request.privileges or request.specific or request.quota is not None:
        raise Refused(SW.WRONG_DATA)
    slot = card.content_state.slot(request.instance)
    if slot is None or slot.domain != card.domain.aid:
        raise Refused(SW.REFERENCE_NOT_FOUND)
    _require(not registry.is_locked(slot))
    card.security.personalizing, card.security.visit = slot.aid, Visit()
    return Answer(SW.OK, CONFIRMED)


def registry_update(card: Context, command: Received) -> Answer:
    """``80 E6 40 00``: another quota for a domain.

    Raises:
        Refused: 6A86 P2; 6A80 malformed; 6A88 no such domain; 6A84 less than it uses, or more than the card has.
    """
    request = _request(command)
    quota = request.quota
    if request.load_file or request.module or request.privileges or request.specific or quota is None:
        raise Refused(SW.WRONG_DATA)
    content = card.content_state
    if all(one.aid != request.instance for one in content.domains):
        raise Refused(SW.REFERENCE_NOT_FOUND)
    _check_quota(quota)
    content = content.with_domain(request.instance, lambda one: replace(one, quota=quota))
    room.require_room(content, request.instance)
    card.commit_content(content)
    return Answer(SW.OK, CONFIRMED)


# --- the fields -------------------------------------------------------------------------------------------------------


def _request(command: Received) -> _Request:
    """The six fields, each behind its length.

    Raises:
        Refused: 6A86 P2; 6A80 malformed; 6985 a token, which this card takes from nobody.
    """
    apdu = command.apdu
    if apdu.p2:
        raise Refused(SW.INCORRECT_P1P2)
    fields, at = [], 0
    for _ in range(6):
        # one byte, as it always is on this card: nothing here is longer than 127 bytes
        if at >= len(apdu.data) or apdu.data[at] > 0x7F or at + 1 + apdu.data[at] > len(apdu.data):
            raise Refused(SW.WRONG_DATA)
        end = at + 1 + apdu.data[at]
        fields.append(apdu.data[at + 1 : end])
        at = end
    if at != len(apdu.data):
        raise Refused(SW.WRONG_DATA)
    load_file, module, instance, privileges, parameters, token = fields
    if token:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    specific, quota = _parameters(parameters)
    return _Request(load_file, module, instance, privileges, specific, quota)


def _parameters(octets: bytes) -> tuple[bytes, int | None]:
    """Application-specific parameters (C9) and the quota (EF { C8 }), each at most once.

    System parameters with nothing in them are as good as none: Py-GP always writes ``EF00``.

    Raises:
        Refused: 6A80.
    """
    try:
        objects = {one.tag: one.value for one in tlv.read_all(octets)}
        if b"".join(tlv.encode(tag, value) for tag, value in objects.items()) != octets:
            raise Refused(SW.WRONG_DATA)
        specific, system = objects.pop(_SPECIFIC, b""), objects.pop(_SYSTEM, b"")
        if objects:
            raise Refused(SW.WRONG_DATA)
        if not system:
            return specific, None
        (one,) = tlv.read_all(system)
    except (DecodeError, ValueError):
        raise Refused(SW.WRONG_DATA) from None
    if one.tag != _QUOTA or len(one.value) != _QUOTA_SIZE:
        raise Refused(SW.WRONG_DATA)
    return specific, int.from_bytes(one.value, "big")
