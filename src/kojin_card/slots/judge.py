"""Judging what was read of a slot, offline: ten checks of :mod:`kojin_card.verdict`, and no card.

What binds what: the owner's signature covers the manifest; the manifest names slot, card, counter, state and date, the
digest of every field and of the hidden descriptor (which names the owner), and the card key; the card key answered a
fresh challenge over the same manifest and the card's own counter.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.slots.days import JST
from kojin_card.slots.ec import verifies
from kojin_card.slots.reading import ABSENT, SlotEvidence, SlotReading
from kojin_card.slots.standing import CardStanding, Standing
from kojin_card.spec.free_area import slot_applet_spec
from kojin_card.spec.manifest import SALT_BYTES, descriptor_digest, field_digest, message
from kojin_card.verdict import (
    REASONS,
    SLOT_CHECKS,
    Check,
    CheckId,
    CheckState,
    Indication,
    TimeBasis,
    Verdict,
    utc_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.slots.owners import OwnerEntry, OwnerKeyPeriod, OwnerStore
    from kojin_card.slots.standing import CardStatusSource
    from kojin_card.spec.manifest import Manifest, SignedManifest
    from kojin_card.spec.service import Service

SUBJECT, STORE = "slot", "owners"
#: checks whose failure says that the values are not those of this card's holder, or not the present ones
_BEFORE_VALUES = frozenset(
    {
        CheckId.SLOT_RECORD,
        CheckId.SLOT_SIGNATURE,
        CheckId.SLOT_BINDING,
        CheckId.SLOT_COUNTER,
        CheckId.SLOT_CHIP,
    }
)


@dataclass(frozen=True, slots=True)
class SlotJudge:
    """What a reader judges slots by.

    Attributes:
        owners: whose records are believed. services: by id.
        status: of cards; None: nobody says.
        own: the reader is the owner at its desk: the card's standing is not asked.
    """

    owners: OwnerStore
    services: Mapping[str, Service]
    status: CardStatusSource | None = None
    own: bool = False

    def judge(self, evidence: SlotEvidence, at: datetime, newest_counter: int | None = None) -> SlotReading:
        """The reading, with its verdict at the time ``at``."""
        case = _Case(self, evidence, at)
        checks = {check.id: check for check in case.checks(newest_counter)}
        required = SLOT_CHECKS - {CheckId.CARD_STANDING} if self.own else SLOT_CHECKS
        ordered = tuple(checks.get(one, Check.not_checked(one)) for one in CheckId if one in required)
        verdict = Verdict(
            SUBJECT, STORE, at, TimeBasis.NOW, ordered, required, evidence={"slot": evidence.aid.hex().upper()}
        )
        return case.reading(verdict)

    def is_genuine(self, record: SlotEvidence, at: datetime) -> bool:
        """Whether a record is that of a known owner for this slot and this card, and the chip has its key.

        Of what was gathered without the fields: that much is asked before a PIN is shown.
        """
        return _Case(self, record, at).is_genuine()


class _Case:
    """One reading."""

    def __init__(self, judge: SlotJudge, evidence: SlotEvidence, at: datetime) -> None:
        self._judge = judge
        self._evidence = evidence
        self._at = at
        self._today = at.astimezone(JST).date()
        descriptor = evidence.descriptor
        service = None if descriptor is None else judge.services.get(descriptor.service)
        known = service is not None and descriptor is not None and service.version == descriptor.version
        self._service = service if known else None
        self._entry: OwnerEntry | None = None if descriptor is None else judge.owners.find(descriptor.owner)
        self._values, self._undefined = self._decoded()

    def checks(self, newest_counter: int | None) -> list[Check]:
        """Every check that can be made; one that is missing here was not made."""
        evidence = self._evidence
        if evidence.terminated:
            return [Check.failed("slot_state.terminated"), *self._standing()]
        if evidence.signed is None or evidence.descriptor is None:
            reason = "slot_record.absent" if evidence.problem == ABSENT else "slot_record.malformed"
            return [Check.failed(reason), *self._standing()]
        signed = evidence.signed
        return [
            Check.passed(CheckId.SLOT_RECORD),
            *self._owner(signed),
            self._binding(signed.manifest),
            self._counter(signed.manifest, newest_counter),
            self._content(signed.manifest),
            self._chip(signed),
            self._state(signed.manifest),
            *self._validity(signed.manifest),
            *self._standing(),
        ]

    def is_genuine(self) -> bool:
        """See :meth:`SlotJudge.is_genuine`."""
        evidence = self._evidence
        signed, content = evidence.signed, evidence.descriptor_content
        if signed is None or content is None or evidence.descriptor is None:
            return False
        manifest = signed.manifest
        checks = (*self._owner(signed), self._binding(manifest), self._counter(manifest, None), self._chip(signed))
        return descriptor_digest(content) == manifest.descriptor and all(
            check.state is CheckState.PASSED for check in checks
        )

    def reading(self, verdict: Verdict) -> SlotReading:
        """What may be told."""
        evidence = self._evidence
        state = slot_applet_spec().states["terminated"].id if evidence.terminated else None
        if evidence.signed is None or evidence.descriptor is None:
            return SlotReading(evidence.aid, verdict, state=state)
        manifest, descriptor, service = evidence.signed.manifest, evidence.descriptor, self._service
        named = slot_applet_spec().state(manifest.state)
        failed = {
            check.id
            for check in verdict.checks
            if check.reason is not None and REASONS[check.reason].indication is Indication.TOTAL_FAILED
        }
        values = {} if failed & _BEFORE_VALUES else self._values
        fields = () if service is None else tuple(service.fields.values())
        closed = tuple(one.id for one in fields if one.sfi in evidence.closed)
        return SlotReading(
            aid=evidence.aid,
            verdict=verdict,
            service=descriptor.service,
            service_version=descriptor.version,
            owner=descriptor.owner,
            owner_name_ja="" if self._entry is None else self._entry.name_ja,
            legal_basis=descriptor.legal_basis,
            name=descriptor.name,
            state=None if named is None else named.id,
            counter=manifest.counter,
            date=manifest.day,
            values=values,
            closed=closed,
            last_day=self._last_day() if values else None,
            hand_over=descriptor.hand_over,
        )

    # --- one by one -------------------------------------------------------------------------------------------------

    def _owner(self, signed: SignedManifest) -> list[Check]:
        """Whose it says it is, whether that owner is known and may have such a service, and whether it signed this.

        A known owner can list any terminal CA on a slot of its own, another owner's too: what keeps a company's slot
        from being read as a municipality's seal registration is that the kind of owner is looked at here.
        """
        if self._entry is None:
            return [Check.failed("slot_owner.unknown")]
        octets = message(signed.octets)
        right = [one for one in self._entry.keys if verifies(one.record_key, octets, signed.signature)]
        if not right:
            return [Check.passed(CheckId.SLOT_OWNER), Check.failed("slot_signature.forged")]
        passed = Check.passed(CheckId.SLOT_SIGNATURE, key_sha256=_fingerprint(right[0]))
        if self._service is not None and self._entry.owner.kind not in self._service.owners:
            return [Check.failed("slot_owner.not_allowed"), passed]
        if not any(one.covers(signed.manifest.day) for one in right):
            return [Check.failed("slot_owner.out_of_time"), passed]
        return [Check.passed(CheckId.SLOT_OWNER), passed]

    def _binding(self, manifest: Manifest) -> Check:
        if manifest.aid != self._evidence.aid:
            return Check.failed("slot_binding.other_slot")
        if manifest.card_identification != self._evidence.card_identification:
            return Check.failed("slot_binding.other_card")
        return Check.passed(CheckId.SLOT_BINDING)

    def _counter(self, manifest: Manifest, newest_counter: int | None) -> Check:
        """The card's own counter, as it says it and as its key signed it, is that of the record."""
        evidence = self._evidence
        own = [] if evidence.status is None else [evidence.status.counter]
        own += [] if evidence.answer is None else [evidence.answer[0]]
        if set(own) != {manifest.counter}:
            return Check.failed("slot_counter.old")
        if newest_counter is not None and manifest.counter < newest_counter:
            return Check.failed("slot_counter.rolled_back")
        return Check.passed(CheckId.SLOT_COUNTER)

    def _content(self, manifest: Manifest) -> Check:
        evidence = self._evidence
        content = evidence.descriptor_content
        wrong = content is None or descriptor_digest(content) != manifest.descriptor
        if wrong or not all(self._fits(sfi, octets) for sfi, octets in evidence.contents.items()):
            return Check.failed("slot_content.mismatch")
        if evidence.missing:
            return Check.failed("slot_content.missing")
        return Check.failed("slot_content.undefined") if self._undefined else Check.passed(CheckId.SLOT_CONTENT)

    def _chip(self, signed: SignedManifest) -> Check:
        evidence = self._evidence
        if evidence.answer is None:
            return Check.failed("slot_chip.absent")
        counter, signature = evidence.answer
        octets = (
            slot_applet_spec().context("card")
            + evidence.challenge
            + evidence.aid
            + counter.to_bytes(4, "big")
            + hashlib.sha256(signed.octets).digest()
        )
        if not verifies(signed.manifest.card_key, octets, signature):
            return Check.failed("slot_chip.wrong")
        return Check.passed(CheckId.SLOT_CHIP)

    def _state(self, manifest: Manifest) -> Check:
        status, named = self._evidence.status, slot_applet_spec().state(manifest.state)
        if status is None or status.state != manifest.state or named is None:
            return Check.failed("slot_state.contradicted")
        if self._is_active(manifest):
            denied = self._evidence.no_pin and self._service is not None and self._service.pin
            return Check.failed("slot_state.no_pin") if denied else Check.passed(CheckId.SLOT_STATE)
        return Check.failed(
            f"slot_state.{named.id}" if named.id in ("suspended", "terminated") else "slot_state.not_active"
        )

    @staticmethod
    def _is_active(manifest: Manifest) -> bool:
        return manifest.state == slot_applet_spec().states["active"].value

    def _validity(self, manifest: Manifest) -> list[Check]:
        """Whether record and issue are of today or before, and its last day of today or after.

        A card that has seen a later day than today: the clock is behind, or somebody pushed the card's day. Either way
        what this clock says of last days proves nothing.
        """
        if manifest.day > self._today:
            return [Check.failed("slot_validity.not_yet")]
        status = self._evidence.status
        if status is not None and status.newest is not None and status.newest > self._today:
            return [Check.failed("slot_validity.clock")]
        if self._service is None:
            return []
        issued = self._values.get(self._service.issued.id)
        if issued is not None and date.fromisoformat(issued) > self._today:
            return [Check.failed("slot_validity.not_yet")]
        expires = self._service.expires
        if expires is None or (expires.optional and manifest.digest_of(expires.sfi) is None):
            return [Check.passed(CheckId.SLOT_VALIDITY)]
        last = self._last_day()
        if last is None and not self._is_active(manifest):
            return []  # not open to anybody but the owner: the state says why
        if last is None:
            return [Check.failed("slot_validity.unread")]
        return [Check.failed("slot_validity.expired") if self._today > last else Check.passed(CheckId.SLOT_VALIDITY)]

    def _standing(self) -> list[Check]:
        if self._judge.own:
            return []
        if self._judge.status is None:
            return [Check.not_checked(CheckId.CARD_STANDING, "card_standing.no_source")]
        number = self._evidence.card_identification.decode("latin-1")
        try:
            found: CardStanding = self._judge.status.status(number, self._at)
        except Exception:  # somebody's program, a network perhaps: a card that nobody vouches for, not a lost reading
            return [Check(CheckId.CARD_STANDING, CheckState.UNKNOWN, "card_standing.unknown", {"why": "unreachable"})]
        evidence = {} if found.as_of is None else {"as_of": utc_seconds(found.as_of.astimezone(UTC))}
        if found.why:
            evidence["why"] = found.why
        if found.standing == Standing.STOPPED:
            return [Check.failed("card_standing.stopped", **evidence)]
        if found.standing == Standing.IN_FORCE:
            return [Check.passed(CheckId.CARD_STANDING, **evidence)]
        return [Check(CheckId.CARD_STANDING, CheckState.UNKNOWN, "card_standing.unknown", evidence)]

    # --- values -----------------------------------------------------------------------------------------------------

    def _fits(self, sfi: int, octets: bytes) -> bool:
        signed = self._evidence.signed
        return signed is not None and signed.manifest.digest_of(sfi) == field_digest(sfi, octets)

    def _decoded(self) -> tuple[dict[str, str], bool]:
        """Texts of the fields that fit their digests, in the order of the service; whether one means nothing here.

        Nor does a record without a field that the service always has: its owner means another service by that id, one
        that never ends perhaps. What a descriptor says that nobody signed gives no field a meaning.
        """
        evidence, service, contents = self._evidence, self._service, self._evidence.contents
        if service is None or evidence.signed is None or evidence.descriptor_content is None:
            return {}, True
        manifest = evidence.signed.manifest
        if descriptor_digest(evidence.descriptor_content) != manifest.descriptor:
            return {}, True
        values: dict[str, str] = {}
        lacking = (one for one in service.fields.values() if not one.optional and manifest.digest_of(one.sfi) is None)
        undefined = any(service.by_sfi(sfi) is None for sfi in contents) or next(lacking, None) is not None
        for one in service.fields.values():
            octets = contents.get(one.sfi)
            if octets is None or not self._fits(one.sfi, octets):
                continue
            try:
                values[one.id] = one.decode(octets[SALT_BYTES:])
            except DecodeError:
                undefined = True
        return values, undefined

    def _last_day(self) -> date | None:
        expires = None if self._service is None else self._service.expires
        text = None if expires is None else self._values.get(expires.id)
        return None if text is None else date.fromisoformat(text)


def _fingerprint(period: OwnerKeyPeriod) -> str:
    return hashlib.sha256(period.record_key).hexdigest()
