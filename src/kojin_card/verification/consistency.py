"""Whether the applications of one card say the same of it: who mixes two cards has to find two that agree."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.pki.card_evidence import ProofPlan
from kojin_card.spec import FieldType, decode
from kojin_card.verdict import Check, CheckId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kojin_card.pki.card_evidence import RecordEvidence
    from kojin_card.spec import ApplicationSpec, CardSpec, LayoutSpec

#: fields that stand in more than one application under one name
_SHARED = ("birth_date", "sex", "municipality", "expiry")


def consistency(spec: CardSpec, records: Sequence[RecordEvidence], free: Mapping[str, bytes]) -> list[Check]:
    """One check, or none when no two places say the same kind of thing.

    Args:
        records: those that were proved; what the others say is not worth a comparison.
        free: as :attr:`CardEvidence.free`; nothing of it is signed.
    """
    said: dict[str, set[str]] = {name: set() for name in _SHARED}
    signed: dict[str, set[str]] = {name: set() for name in _SHARED}
    places: dict[str, int] = dict.fromkeys(_SHARED, 0)
    for record in records:
        application = spec[record.application]
        covered = _covered(application, record.file)
        for name, value in _values(application.layout_of(record.file), record.files[record.file]):
            (signed if name in covered else said)[name].add(value)
            places[name] += 1
    for where, data in free.items():
        for name, value in _values(_layout(spec, where), data):
            said[name].add(value)
            places[name] += 1
    compared = [name for name in _SHARED if places[name] > 1]
    if not compared:
        return []
    if fields := [name for name in compared if len(signed[name]) > 1]:
        return [Check.failed("consistency.contradicted", fields=", ".join(fields))]
    if fields := [name for name in compared if len(signed[name] | said[name]) > 1]:
        return [Check.failed("consistency.unsigned", fields=", ".join(fields))]
    return [Check.passed(CheckId.CONSISTENCY, fields=", ".join(compared))]


def _covered(application: ApplicationSpec, file: str) -> set[str]:
    """The fields of a record that a signature covers: all, where it covers the digest of the record."""
    plan = ProofPlan.of(application, file)
    if plan.digest is not None:
        return set(_SHARED)
    return {name for group in plan.record.covers for name in group}


def _layout(spec: CardSpec, where: str) -> LayoutSpec | None:
    """The layout of what stands under ``application/file`` or ``application/object``."""
    app, _, name = where.partition("/")
    application = spec[app]
    if name in application.objects:
        return application.layout_of_object(name)
    records = application.files[name].records
    return application.layouts[records[0].layout] if records else application.layout_of(name)


def _values(layout: LayoutSpec | None, data: bytes) -> Iterator[tuple[str, str]]:
    """What shared fields say; codes by their meaning. What cannot be read says nothing here."""
    if layout is None:
        return
    with contextlib.suppress(DecodeError):
        values = decode(layout, data).values
        for field in layout.walk():
            if field.name in _SHARED and field.name in values:
                value = str(values[field.name])
                yield field.name, field.values[value] if field.type is FieldType.CODE else value
