"""An owner's desk: issues, changes and removes the slots under its own security domain, over SCP03."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import TYPE_CHECKING

from kojin_card.channel.secrets import checked_copy
from kojin_card.errors import (
    NoRoom,
    SecretFormatError,
    TransportError,
    UnexpectedAnswer,
    UsageError,
)
from kojin_card.globalplatform import ContentManager, check_gate, diversify
from kojin_card.iso7816.status import SW
from kojin_card.slots import record
from kojin_card.slots.applet import SlotApplet, slot_pin_spec
from kojin_card.slots.days import day_of, moment_of
from kojin_card.slots.desk import (
    ACTIVE,
    PERSONALIZED,
    SUSPENDED,
    TERMINATED,
    Desk,
    Held,
    changed,
    conflict,
    issued_receipt,
    rule,
)
from kojin_card.slots.ec import verifies
from kojin_card.slots.hand_over import HandOver, hand_over_id, keep_recipient, refused, require_good
from kojin_card.slots.judge import SlotJudge
from kojin_card.slots.moving import require_old_slot, taken_on_card
from kojin_card.slots.own_domain import OwnDomain, OwnSlot
from kojin_card.slots.owners import OwnerStore
from kojin_card.slots.reading import gather
from kojin_card.slots.receipts import Changed, Issued
from kojin_card.slots.record import Content, Settings
from kojin_card.spec.descriptor import Descriptor
from kojin_card.spec.free_area import globalplatform_spec
from kojin_card.spec.manifest import SALT_BYTES, message, slot_aid_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kojin_card.channel import CardChannel
    from kojin_card.secret import Secret
    from kojin_card.slots.hand_over import HandOverLedger
    from kojin_card.slots.keyfile import OwnerKeys
    from kojin_card.slots.reading import SlotReading
    from kojin_card.slots.terminals import JoinedAuthority
    from kojin_card.spec.owner import Owner
    from kojin_card.spec.service import Service

HAND_OVER_DAYS = 14
_MOST_DAYS = 366
_FORMER_OWNER, _FORMER_DATE = "former_owner", "former_owner_date"


class SlotIssuer(Desk):
    """Writes the slots of one owner. It cannot be given a terminal's key.

    Args:
        channel: of the card. keys: the owner's. services: by id.
        owners: for :meth:`take_over` (the old owner's keys) and the names in readings.
        clock: the time it is, with a zone; dates are those of Japan.
        random: gives that many unpredictable bytes: salts, AIDs, challenges.
        ledger: remembers hand-overs that were taken over, and who got the own slots that were handed over, across cards
            and desks.
        level: SCP03 security level; 33 (C-MAC, C-DEC, R-MAC, R-ENC) is the only one that will do.
    """

    def __init__(
        self,
        channel: CardChannel,
        keys: OwnerKeys,
        services: Mapping[str, Service],
        *,
        owners: OwnerStore | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[int], bytes] = token_bytes,
        ledger: HandOverLedger | None = None,
        level: int = 0x33,
    ) -> None:
        super().__init__(channel, keys, services, clock, random, level)
        self._owners = owners or OwnerStore()
        self._ledger = ledger

    # --- looking ----------------------------------------------------------------------------------------------------

    def domain(self) -> OwnDomain:
        """This owner's domain on this card, found by its keys.

        Raises:
            NoDomain: the card's issuer made none for this owner, or with other keys.
            UnprovenRefused: this is a real card. SecureChannelError: the channel broke.
        """
        operation = "look at the own domain"
        with self._channel.transaction(), self._opener.domain(operation) as manager:
            return self._domain(manager, operation)

    def slots(self) -> tuple[OwnSlot, ...]:
        """The slots of this owner. Raises: as :meth:`domain`."""
        return self.domain().slots

    def new_instance(self) -> bytes:
        """A fresh AID for :meth:`issue`; keep it before issuing and a lost response can be repeated."""
        spec = globalplatform_spec().aids["slot_prefix"]
        return spec.aid + self._random(spec.random)

    def show(self, aid: bytes) -> SlotReading:
        """Everything of an own slot, in any state, judged as a terminal judges it (without the card's standing).

        Raises:
            NoSlot: not a slot of this owner. Others as :meth:`domain`.
        """
        operation = "show a slot"
        at = moment_of(self._clock)
        own = self._keys.public("", "")
        known = self._owners.find(self._keys.owner)
        store = OwnerStore((own if known is None else replace(own, name_ja=known.name_ja, name_en=known.name_en),))
        with self._channel.transaction(), self._opener.slot(aid, operation) as manager:
            applet = SlotApplet(manager.session, aid)
            evidence = gather(applet, self._opener.card, self._services, operation, random=self._random)
        return SlotJudge(store, self._services, own=True).judge(evidence, at)

    def check(self, service: str, values: Mapping[str, str], *, pin: Secret | None = None) -> None:
        """What :meth:`issue` would refuse of its values, before any card is there (a dry run, a row of a batch).

        Raises:
            FieldError: a value that the field does not take, one too many, one missing; never repeats the value.
            UsageError: no such service, not for this kind of owner, a PIN where there is none or none where there is.
            SecretFormatError: not four digits.
        """
        found = self._service(service, "check a record")
        self._encoded(found, values)
        self._checked_pin(found, pin, "check a record")

    # --- issuing ----------------------------------------------------------------------------------------------------

    def issue(
        self,
        service: str,
        values: Mapping[str, str],
        *,
        legal_basis: str,
        name: str | None = None,
        pin: Secret | None = None,
        instance: bytes | None = None,
        authorities: Sequence[JoinedAuthority] = (),
        groups: Sequence[str] | None = None,
    ) -> Issued:
        """Install a slot, personalize it, set it active. With the same ``instance`` and values it may be repeated.

        Args:
            service: id. values: id of the field -> text, as :class:`ServiceField` takes it; the date of issue is
                filled in when it is left out.
            legal_basis: 条例 or 政令 and article. name: what the slot is called; the service's Japanese name.
            pin: four digits, for a service that has one.
            instance: AID; None makes one. A ``TransportError`` has it in ``details["slot"]``.
            authorities: of partners; the owner's own terminal CA is always listed.
            groups: of terminals; None: those of the service.

        Raises:
            FieldError, UsageError, SecretFormatError: as :meth:`check`; nothing was sent.
            NoDomain, NoRoom, UnprovenRefused: nothing was written.
            SlotConflict: the instance is there with other content.
        """
        found = self._service(service, "issue a slot")
        descriptor = self._descriptor(found, legal_basis, name, None)
        return self._issue(found, values, descriptor, pin, instance, authorities, groups)

    def take_over(
        self,
        hand_over: bytes,
        values: Mapping[str, str],
        *,
        legal_basis: str,
        name: str | None = None,
        pin: Secret | None = None,
        instance: bytes | None = None,
    ) -> Issued:
        """引越継続, the new owner's part: judge the hand-over file, then :meth:`issue` from it.

        Raises:
            HandOverRefused: malformed, forged, unknown owner, another recipient, another card, run out, used before,
                the old slot is not terminated. Nothing was written.
            Others as :meth:`issue`.
        """
        operation = "take a slot over"
        given = HandOver.decode(hand_over)
        require_good(given, self._keys.owner, self._owners.find(given.old), self._services, day_of(self._clock))
        found = self._service(given.service, operation)
        descriptor = self._descriptor(found, legal_basis, name, given.id)
        more = {_FORMER_OWNER: str(given.old), _FORMER_DATE: given.date.isoformat()}
        whole = {**values, **more}
        self._encoded(found, whole)
        self._checked_pin(found, pin, operation)
        with self._channel.transaction():
            check_gate(self._channel, operation)
            require_old_slot(self._opener, given, operation)
            taken = None if self._ledger is None else self._ledger.taken_by(given.id)
            if taken is None:
                taken = taken_on_card(self._opener, self.slots(), given.id, operation)
            if taken is not None and instance is not None and taken != instance:
                raise refused("taken over before")
            aid = taken or instance or self.new_instance()
            if self._ledger is not None:
                self._ledger.take(given.id, aid)
            return self._issue(found, whole, descriptor, pin, aid, (), None, former=given.old)

    # --- changing ---------------------------------------------------------------------------------------------------

    def update(self, aid: bytes, values: Mapping[str, str], *, name: str | None = None) -> Changed:
        """Replace the fields that ``values`` names ("" removes an optional one); the others stay.

        Nothing is written when the card has it already under the present record key. A slot of an earlier version of
        its service goes to the present one, and then no field stays: ``values`` has them all.

        Raises:
            FieldError, UsageError: nothing was written. NoSlot: not a slot of this owner.
            NoRoom, UnprovenRefused, SlotConflict: nothing was written (terminated, foreign signature, a version of the
                service that is newer than the one known here).
        """
        operation = "update a slot"
        with self._channel.transaction(), self._opener.slot(aid, operation) as manager:
            held = self._held(manager, aid, operation)
            if record.state_name(held.manifest.state) == TERMINATED:
                raise conflict("the slot is terminated", operation)
            service = self._service(held.descriptor.service, operation)
            if held.descriptor.version > service.version:
                raise conflict("the slot is of a newer version of its service than is known here", operation)
            same = held.descriptor.version == service.version  # else its fields may mean something else
            merged = {**(held.values(service) if same else {}), **values}
            wanted = self._encoded(service, {key: text for key, text in merged.items() if text})
            descriptor = replace(held.descriptor, version=service.version, name=name or held.descriptor.name)
            plain = {sfi: content[SALT_BYTES:] for sfi, content in held.octets.items()}
            present = verifies(self._keys.record.compressed, message(held.signed.octets), held.signed.signature)
            if plain == wanted and descriptor == held.descriptor and present:
                return changed(held.manifest, written=False)
            content = held.content if descriptor == held.descriptor else self._hidden(descriptor)
            contents = {
                sfi: Content(
                    rule(service, sfi),
                    held.octets[sfi] if plain.get(sfi) == octets else self._random(SALT_BYTES) + octets,
                )
                for sfi, octets in wanted.items()
            }
            base = replace(held.manifest, counter=held.manifest.counter + 1, day=self._today(operation))
            manifest = record.make_manifest(base, content, contents)
            manager.store_data(record.series(manifest, self._keys.record, descriptor=content, contents=contents))
            return changed(manifest, written=True)

    def suspend(self, aid: bytes) -> Changed:
        """Lost card, unpaid fees. Raises: NoSlot, SlotConflict (no such transition), UnprovenRefused."""
        return self._set_state(aid, SUSPENDED, "suspend a slot")

    def resume(self, aid: bytes) -> Changed:
        """The opposite of :meth:`suspend`."""
        return self._set_state(aid, ACTIVE, "resume a slot")

    def terminate(self, aid: bytes) -> Changed:
        """For good. What is in it stays until :meth:`delete`, and only the owner reads it."""
        return self._set_state(aid, TERMINATED, "terminate a slot")

    def delete(self, aid: bytes) -> bool:
        """Remove a slot and free its room. False: this owner has none of that name."""
        operation = "delete a slot"
        with self._channel.transaction(), self._opener.domain(operation) as manager:
            if all(one.aid != aid for one in manager.status().slots):
                return False
            manager.delete(aid)
            return True

    def unblock(self, aid: bytes, new_pin: Secret) -> None:
        """A new slot PIN with all its tries.

        Raises:
            SecretFormatError: not four digits; nothing was sent. NoSlot. NotOnCard: the slot has no PIN.
            SlotConflict: terminated, or no record yet.
        """
        operation = "unblock the slot PIN"
        copy = checked_copy(new_pin, slot_pin_spec(), operation)
        if copy is None:
            raise SecretFormatError("four digits", operation=operation)
        with copy, self._channel.transaction(), self._opener.slot(aid, operation) as manager:
            try:
                SlotApplet(manager.session, aid).reset_pin(copy, operation)
            except UnexpectedAnswer as bad:
                if bad.sw != SW.CONDITIONS_NOT_SATISFIED:
                    raise
                raise conflict("the slot is terminated or has no record yet", operation) from None

    def join(
        self,
        aid: bytes,
        authorities: Sequence[JoinedAuthority] | None = None,
        groups: Sequence[str] | None = None,
    ) -> bool:
        """Replace the list of partners' terminal CAs (the own one is always listed) and that of groups; None leaves
        a list as it is. False: the card had them already.

        Raises:
            NoSlot, SlotConflict (terminated), UnprovenRefused. UsageError: too many, or a group of another form.
        """
        operation = "join a partner"
        with self._channel.transaction(), self._opener.slot(aid, operation) as manager:
            held = self._held(manager, aid, operation)
            if record.state_name(held.manifest.state) == TERMINATED:
                raise conflict("the slot is terminated", operation)
            now = self.settings(manager, aid, operation)
            own = self._own(self._service(held.descriptor.service, operation))
            given = now.authorities if authorities is None else tuple(authorities)
            partners = tuple(one for one in given or () if one.owner != self._keys.owner)
            wanted = self._settings((*own, *partners), now.groups if groups is None else tuple(groups), operation)
            if wanted == now:
                return False
            manager.store_data(wanted.encode())
            return True

    def authorities(self, aid: bytes) -> Settings:
        """The terminal CAs and groups that a slot lists. Raises: NoSlot, UnprovenRefused."""
        operation = "look at the partners of a slot"
        with self._channel.transaction(), self._opener.slot(aid, operation) as manager:
            return self.settings(manager, aid, operation)

    def rotate(self) -> int:
        """Put the newest keys of the owner on this card's domain; gives the version that is there now."""
        operation = "rotate the keys of a domain"
        newest = self._keys.masters[0]
        with self._channel.transaction():
            version = self._opener.found(operation).master.version
            if version != newest.version:
                with self._opener.domain(operation) as manager, diversify(newest, self._opener.card) as keys:
                    manager.put_key(keys, version)
                self._opener.forget()
        return newest.version

    def renew(self, aid: bytes) -> bool:
        """After a change of keys: the record signed by the present record key, the present terminal CA on the list (the
        one before it stays, since its certificates may still run). False: the slot had both.

        Raises:
            as :meth:`update` and :meth:`join`; whichever was done stays, and a repeated call does the rest.
        """
        signed = self.update(aid, {}).written
        return self.join(aid) or signed

    def hand_over(
        self, aid: bytes, to: Owner, keep: Callable[[bytes], object], *, days: int = HAND_OVER_DAYS
    ) -> HandOver:
        """引越継続, the old owner's part: make the hand-over file, let ``keep`` store it, then terminate the slot.

        A repeated call makes a file with the same id; ``keep`` must have it safe when it returns.

        Raises:
            UsageError: to itself, or the service does not continue. NoSlot, UnprovenRefused.
            SlotConflict: suspended, which the new owner would not hear of.
            HandOverRefused: it was handed over to another owner before, as the ledger remembers.
        """
        operation = "hand a slot over"
        if to == self._keys.owner or not 0 <= days <= _MOST_DAYS:
            raise UsageError("a slot is handed over to another owner, for some days", operation=operation)
        with self._channel.transaction():
            with self._opener.slot(aid, operation) as manager:
                held = self._held(manager, aid, operation)
            if not self._service(held.descriptor.service, operation).continues:
                raise UsageError("this service does not continue when its holder moves", operation=operation)
            manifest = held.manifest
            if record.state_name(manifest.state) == SUSPENDED:
                raise conflict("a suspended slot is not handed over: resume it first", operation)
            over = record.state_name(manifest.state) == TERMINATED
            counter = manifest.counter + (0 if over else 1)
            day = manifest.day if over else self._today(operation)
            made = HandOver(
                id=hand_over_id(self._opener.card, aid, counter, to),
                old=self._keys.owner,
                new=to,
                card=self._opener.card.decode("latin-1"),
                aid=aid,
                counter=counter,
                date=day,
                last_day=day + timedelta(days=days),
                service=held.descriptor.service,
            ).signed(self._keys.record)
            if self._ledger is not None:
                keep_recipient(self._ledger, self._opener.card, aid, to)
            keep(made.encode())
            self.terminate(aid)
        return made

    # --- issuing, in detail -------------------------------------------------------------------------------------------

    def _issue(
        self,
        service: Service,
        values: Mapping[str, str],
        descriptor: Descriptor,
        pin: Secret | None,
        instance: bytes | None,
        authorities: Sequence[JoinedAuthority],
        groups: Sequence[str] | None,
        former: Owner | None = None,
    ) -> Issued:
        operation = "issue a slot"
        filled = service.issued.id not in values
        wanted = self._encoded(service, values)
        settings = self._settings(
            (*self._own(service), *authorities), service.groups if groups is None else tuple(groups), operation
        )
        today = self._today(operation)
        copy = self._checked_pin(service, pin, operation)
        aid = self.new_instance() if instance is None else instance
        if len(aid) != slot_aid_bytes() or not aid.startswith(globalplatform_spec().aid("slot_prefix")):
            raise UsageError("not the AID of a slot", operation=operation)
        written = empty = False
        try:
            with self._channel.transaction():
                with self._opener.domain(operation) as manager:
                    if all(one.aid != aid for one in manager.status().slots):
                        manager.install_slot(aid)
                with self._opener.slot(aid, operation) as manager:
                    empty = written = SlotApplet(manager.session, aid).status(operation).counter == 0
                    if empty:
                        self._personalize(manager, aid, service, wanted, descriptor, settings, copy, today)
                        empty = False
                    held = self._held(manager, aid, operation)
                    self._require_same(held, service, wanted, descriptor, filled, operation)
                    manifest = held.manifest
                    if record.state_name(manifest.state) == PERSONALIZED:
                        manifest = self._to_state(manager, manifest, ACTIVE, operation)
                        written = True
        except NoRoom:
            if empty:  # it would take room for nothing
                self.delete(aid)
            raise
        except TransportError as bad:
            bad.details.setdefault("slot", aid.hex().upper())
            raise
        finally:
            if copy is not None:
                copy.wipe()
        return issued_receipt(service, held, manifest, pin=pin is not None, former=former, written=written)

    def _require_same(
        self,
        held: Held,
        service: Service,
        wanted: Mapping[int, bytes],
        descriptor: Descriptor,
        filled: bool,
        operation: str,
    ) -> None:
        """What is on the card is what this call makes, or would have made."""
        there = {sfi: content[SALT_BYTES:] for sfi, content in held.octets.items()}
        issued = service.issued.sfi
        expected = {**wanted, issued: there.get(issued, b"")} if filled else dict(wanted)
        state = record.state_name(held.manifest.state)
        if there != expected or held.descriptor != descriptor or state not in (PERSONALIZED, ACTIVE):
            raise conflict("the instance is there with another record or state", operation)

    # --- changing, in detail ------------------------------------------------------------------------------------------

    def _set_state(self, aid: bytes, wanted: str, operation: str) -> Changed:
        with self._channel.transaction(), self._opener.slot(aid, operation) as manager:
            held = self._held(manager, aid, operation, fields=False)
            if record.state_name(held.manifest.state) == wanted:
                return changed(held.manifest, written=False)
            return changed(self._to_state(manager, held.manifest, wanted, operation), written=True)

    def _domain(self, manager: ContentManager, operation: str) -> OwnDomain:
        found = self._opener.found(operation)
        registry = manager.status()
        mine = next((one for one in registry.domains if one.aid == found.aid), None)
        if mine is None or mine.quota is None or mine.used is None:
            raise UnexpectedAnswer("malformed content: the own domain is not listed", operation=operation, sw=SW.OK)
        slots = tuple(
            OwnSlot(one.aid, "unknown" if one.slot_state is None else record.state_name(one.slot_state), one.is_locked)
            for one in registry.slots
        )
        return OwnDomain(found.aid, found.master.version, mine.quota, mine.used, slots)
