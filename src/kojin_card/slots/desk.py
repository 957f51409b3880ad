"""What an owner's desk does in every job: read its own record back, sign the next one, send it.

Nothing that this owner did not sign is ever signed again: what a slot holds is verified before a new version of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from kojin_card.channel.secrets import checked_copy
from kojin_card.errors import DecodeError, InputError, SlotConflict, UnexpectedAnswer, UsageError
from kojin_card.iso7816.status import SW
from kojin_card.slots import record
from kojin_card.slots.applet import SlotApplet, slot_pin_spec
from kojin_card.slots.days import day_of
from kojin_card.slots.ec import verifies
from kojin_card.slots.own_domain import Opener
from kojin_card.slots.receipts import Changed, Issued
from kojin_card.slots.record import Content, Settings
from kojin_card.spec import descriptor as descriptors
from kojin_card.spec.descriptor import Descriptor
from kojin_card.spec.free_area import slot_applet_spec
from kojin_card.spec.manifest import SALT_BYTES, Manifest, descriptor_digest, field_digest, message
from kojin_card.spec.model import Privacy
from kojin_card.spec.service import FieldError
from kojin_card.spec.terminal_certificate import is_group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from kojin_card.channel import CardChannel
    from kojin_card.globalplatform import ContentManager
    from kojin_card.secret import Secret
    from kojin_card.slots.keyfile import OwnerKeys
    from kojin_card.slots.terminals import JoinedAuthority
    from kojin_card.spec.manifest import SignedManifest
    from kojin_card.spec.owner import Owner
    from kojin_card.spec.service import Service

INSTALLED, PERSONALIZED, ACTIVE, SUSPENDED, TERMINATED = (
    "installed",
    "personalized",
    "active",
    "suspended",
    "terminated",
)


@dataclass(frozen=True, slots=True)
class Held:
    """What a slot of this owner holds, its signature verified."""

    signed: SignedManifest
    content: bytes
    descriptor: Descriptor
    octets: Mapping[int, bytes]

    @property
    def manifest(self) -> Manifest:
        return self.signed.manifest

    def values(self, service: Service) -> dict[str, str]:
        """Its texts by the ids of the service."""
        named = {one.id: self.octets.get(one.sfi) for one in service.fields.values()}
        return {
            name: service.fields[name].decode(octets[SALT_BYTES:])
            for name, octets in named.items()
            if octets is not None
        }


class Desk:
    """The part of :class:`~kojin_card.slots.SlotIssuer` that its jobs share; its arguments are explained there."""

    def __init__(
        self,
        channel: CardChannel,
        keys: OwnerKeys,
        services: Mapping[str, Service],
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        level: int,
    ) -> None:
        self._channel = channel
        self._keys = keys
        self._services = services
        self._clock = clock
        self._random = random
        self._opener = Opener(channel, keys.masters, level, random)

    # --- on the card --------------------------------------------------------------------------------------------------

    def _held(self, manager: ContentManager, aid: bytes, operation: str, *, fields: bool = True) -> Held:
        """What the slot holds. Nothing that this owner did not sign is signed again.

        Raises:
            SlotConflict: no record yet, or one that is not this owner's, of this card and this slot.
        """
        applet = SlotApplet(manager.session, aid)
        try:
            signed = applet.manifest(operation)
            content = applet.read(slot_applet_spec().number("descriptor_file"), operation)
            if isinstance(signed, int) or isinstance(content, int):
                raise conflict("the slot has no record yet", operation)
            descriptor = descriptors.decode(content)
        except DecodeError as bad:
            problem = bad.message
        else:
            self._require_own(signed, content, aid, operation)
            octets: dict[int, bytes] = {}
            for one in signed.manifest.fields if fields else ():
                found = applet.read(one.sfi, operation)
                if isinstance(found, int) or field_digest(one.sfi, found) != one.digest:
                    raise conflict("a field is not what was signed", operation)
                octets[one.sfi] = found
            return Held(signed, content, descriptor, octets)
        raise UnexpectedAnswer(f"malformed content: {problem}", operation=operation, sw=SW.OK)

    def _require_own(self, signed: SignedManifest, content: bytes, aid: bytes, operation: str) -> None:
        manifest = signed.manifest
        keys = [one.record_key for one in self._keys.public("", "").keys]
        if not any(verifies(key, message(signed.octets), signed.signature) for key in keys):
            raise conflict("this owner did not sign what is in the slot", operation)
        if (manifest.aid, manifest.card_identification) != (aid, self._opener.card):
            raise conflict("what is in the slot is of another card or slot", operation)
        if descriptor_digest(content) != manifest.descriptor:
            raise conflict("the descriptor is not what was signed", operation)

    def settings(self, manager: ContentManager, aid: bytes, operation: str) -> Settings:
        """The settings of a slot in an open session."""
        try:
            return Settings.decode(SlotApplet(manager.session, aid).get("authorities", operation))
        except (DecodeError, InputError):
            raise UnexpectedAnswer("malformed content: settings", operation=operation, sw=SW.OK) from None

    def _personalize(
        self,
        manager: ContentManager,
        aid: bytes,
        service: Service,
        wanted: Mapping[int, bytes],
        descriptor: Descriptor,
        settings: Settings,
        pin: Secret | None,
        today: date,
    ) -> None:
        """The first full update: record, who may be let in, PIN, in one series."""
        content = self._hidden(descriptor)
        contents = {
            sfi: Content(rule(service, sfi), self._random(SALT_BYTES) + octets) for sfi, octets in wanted.items()
        }
        base = Manifest(
            aid=aid,
            card_identification=self._opener.card,
            counter=1,
            state=record.state_byte(PERSONALIZED),
            day=today,
            descriptor=b"",
            card_key=SlotApplet(manager.session, aid).get("card_key", "issue a slot"),
            fields=(),
        )
        manifest = record.make_manifest(base, content, contents)
        manager.store_data(
            record.series(
                manifest, self._keys.record, descriptor=content, contents=contents, settings=settings, pin=pin
            )
        )

    def _to_state(self, manager: ContentManager, manifest: Manifest, wanted: str, operation: str) -> Manifest:
        if not record.may_follow(manifest.state, wanted):
            if record.state_name(manifest.state) == TERMINATED:
                raise conflict("the slot is terminated", operation)
            raise conflict(f"a slot that is {record.state_name(manifest.state)} does not become {wanted}", operation)
        new = replace(
            manifest,
            counter=manifest.counter + 1,
            state=record.state_byte(wanted),
            day=self._today(operation),
        )
        manager.store_data(record.series(new, self._keys.record))
        return new

    # --- forms --------------------------------------------------------------------------------------------------------

    def _service(self, service: str, operation: str) -> Service:
        found = self._services.get(service)
        if found is None:
            raise UsageError(f"no service '{service}' is defined", operation=operation)
        if self._keys.owner.kind not in found.owners:
            raise UsageError(f"the service {service} is not for an owner of this kind", operation=operation)
        return found

    def _encoded(self, service: Service, values: Mapping[str, str]) -> dict[int, bytes]:
        """Octets by short identifier, the date of issue filled in.

        Raises:
            FieldError: see :meth:`check`.
        """
        today = day_of(self._clock).isoformat()
        return service.encode({service.issued.id: today, **values})

    def _checked_pin(self, service: Service, pin: Secret | None, operation: str) -> Secret | None:
        if service.pin != (pin is not None):
            words = "this service wants a slot PIN" if service.pin else "this service has no slot PIN"
            raise UsageError(words, operation=operation)
        return None if pin is None else checked_copy(pin, slot_pin_spec(), operation)

    def _descriptor(self, service: Service, legal_basis: str, name: str | None, hand_over: bytes | None) -> Descriptor:
        made = Descriptor(
            service.id, service.version, self._keys.owner, legal_basis, name or service.name_ja, hand_over
        )
        self._hidden(made)
        return made

    def _hidden(self, descriptor: Descriptor) -> bytes:
        """The hidden descriptor with a new salt.

        Raises:
            FieldError: legal basis or name cannot be used.
        """
        try:
            return descriptors.encode(descriptor, self._random(SALT_BYTES))
        except DecodeError as bad:
            raise unusable(bad, descriptor.service) from None

    def _own(self, service: Service) -> tuple[JoinedAuthority, ...]:
        sfis = [one.sfi for one in service.fields.values()]
        return record.own_authorities(self._keys.terminal_cas, self._keys.owner, sfis)

    def _settings(
        self, authorities: Sequence[JoinedAuthority], groups: Sequence[str] | None, operation: str
    ) -> Settings:
        spec = slot_applet_spec()
        named = tuple(groups or ())
        if not all(is_group(one) for one in named) or len(set(named)) != len(named):
            raise UsageError("a group is 1 to 8 of a-z, 0-9 and hyphen, each once", operation=operation)
        if len(authorities) > spec.number("authorities_most") or len(named) > spec.number("groups_most"):
            raise UsageError("too many terminal CAs or groups for a slot", operation=operation)
        if len({one.key for one in authorities}) != len(authorities):
            raise UsageError("a terminal CA stands twice", operation=operation)
        return Settings(tuple(authorities), named)

    def _today(self, operation: str) -> date:
        """The day that a record is dated with.

        Raises:
            UsageError: the keys begin later.
        """
        today = day_of(self._clock)
        if today < self._keys.begin:
            raise UsageError(f"these keys begin on {self._keys.begin.isoformat()}", operation=operation)
        return today


def check_description(service: Service, owner: Owner, legal_basis: str, name: str | None) -> None:
    """What a desk would refuse of the texts of a new slot, before any card is there.

    Raises:
        FieldError: legal basis or name cannot be used, or take more room than the hidden descriptor has.
    """
    made = Descriptor(service.id, service.version, owner, legal_basis, name or service.name_ja)
    try:
        descriptors.encode(made, bytes(SALT_BYTES))
    except DecodeError as bad:
        raise unusable(bad, service.id) from None


def unusable(bad: DecodeError, service: str) -> FieldError:
    """A legal basis or a name that no descriptor takes."""
    return FieldError(bad.message, operation="describe a slot", service=service, field="legal_basis")


def conflict(why: str, operation: str) -> SlotConflict:
    return SlotConflict(why, operation=operation, sw=SW.CONDITIONS_NOT_SATISFIED)


def rule(service: Service, sfi: int) -> bytes:
    """The read rule of a field; the owner alone for one that the service does not define (any more)."""
    found = service.by_sfi(sfi)
    return b"" if found is None else found.rule_octets


def changed(manifest: Manifest, *, written: bool) -> Changed:
    """What a change left on the card."""
    return Changed(manifest.aid, record.state_name(manifest.state), manifest.counter, manifest.day, written)


def issued_receipt(
    service: Service, held: Held, manifest: Manifest, *, pin: bool, former: Owner | None, written: bool
) -> Issued:
    """An issuance, as a receipt tells it."""
    values = held.values(service)
    expires = service.expires
    last = values.get(expires.id) if expires is not None else None
    return Issued(
        aid=manifest.aid,
        service=service.id,
        service_version=service.version,
        service_name_ja=service.name_ja,
        service_name_en=service.name_en,
        owner=held.descriptor.owner,
        legal_basis=held.descriptor.legal_basis,
        name=held.descriptor.name,
        date=manifest.day,
        counter=manifest.counter,
        fields=tuple(values),
        values={name: text for name, text in values.items() if service.fields[name].privacy is Privacy.PUBLIC},
        last_day=None if last is None else date.fromisoformat(last),
        former_owner=former,
        pin=pin,
        written=written,
    )
