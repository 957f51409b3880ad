"""The manifest of a slot: what its owner signs, byte for byte (``applets_spec/README.md``, "The free area").

It names every field by its digest, so that a terminal that may read two fields can check those two, and learns nothing
of the others. Written and read here for both sides; who signs and who verifies is elsewhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.iso7816 import tlv
from kojin_card.spec import bcd
from kojin_card.spec.free_area import globalplatform_spec, slot_applet_spec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from kojin_card.iso7816.tlv import Tlv

SALT_BYTES = 16
DIGEST_BYTES = 32
SIGNATURE_BYTES = 64
#: a P-256 point: 04, X and Y
POINT_BYTES = 65
COUNTER_BYTES = 4
COUNTER_MOST = 0xFFFF_FFFF
IDENTIFICATION_MOST = 64
#: no manifest with 24 fields and its signature is longer
FILE_MOST = 2048
_MANIFEST, _DEFINITION, _AID, _CARD, _COUNTER, _STATE, _DATE, _DESCRIPTOR, _KEY, _FIELDS, _FIELD, _SIGNATURE = (
    bytes((octet,)) for octet in (0xE1, 0x80, 0x4F, 0x81, 0x82, 0x83, 0x87, 0x88, 0x86, 0xA7, 0x90, 0x9E)
)
#: state byte of a slot that nobody signed anything for yet
_UNSIGNED = "installed"


@dataclass(frozen=True, slots=True)
class FieldDigest:
    """What a manifest says of a field: its short identifier (1 to 24) and the digest of its content."""

    sfi: int
    digest: bytes

    @classmethod
    def of(cls, sfi: int, content: bytes) -> FieldDigest:
        """That of a content (salt and value)."""
        return cls(sfi, field_digest(sfi, content))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one signature of the owner covers.

    Attributes:
        aid: of the slot, 14 bytes.
        card_identification: octets of the card identification number (GET DATA 0045), 1 to 64.
        counter: 1 at the first record.
        state: byte of the slot's state, never that of an installed one.
        day: of the owner's STORE DATA.
        descriptor: digest of the hidden descriptor (:func:`descriptor_digest`).
        card_key: P-256 point of the card, uncompressed (65 bytes).
        fields: rising by short identifier.
    """

    aid: bytes
    card_identification: bytes = field(repr=False)
    counter: int
    state: int
    day: date
    descriptor: bytes = field(repr=False)
    card_key: bytes = field(repr=False)
    fields: tuple[FieldDigest, ...] = field(repr=False)

    def digest_of(self, sfi: int) -> bytes | None:
        """The digest of that field, or None when the record has no such field."""
        return next((one.digest for one in self.fields if one.sfi == sfi), None)


@dataclass(frozen=True, slots=True)
class SignedManifest:
    """The manifest file (short identifier 30).

    Attributes:
        octets: the manifest object exactly as read; what the signature covers is :func:`message` of it.
        signature: r and s, 64 bytes.
    """

    manifest: Manifest
    octets: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def field_digest(sfi: int, content: bytes) -> bytes:
    """SHA-256 over the short identifier (one byte) and the content: salt and value."""
    return hashlib.sha256(bytes((sfi,)) + content).digest()


def descriptor_digest(content: bytes) -> bytes:
    """The digest of the hidden descriptor: salt and its objects, as the file with short identifier 29."""
    return field_digest(slot_applet_spec().number("descriptor_file"), content)


def message(octets: bytes) -> bytes:
    """What the owner signs: the context of records, then the manifest object."""
    return slot_applet_spec().context("record") + octets


def encode(manifest: Manifest) -> bytes:
    """The manifest object.

    Raises:
        DecodeError: a value that no manifest has.
    """
    _check(manifest)
    fields = b"".join(tlv.encode(_FIELD, bytes((one.sfi,)) + one.digest) for one in manifest.fields)
    return tlv.encode(
        _MANIFEST,
        tlv.encode(_DEFINITION, bytes((slot_applet_spec().number("definition"),)))
        + tlv.encode(_AID, manifest.aid)
        + tlv.encode(_CARD, manifest.card_identification)
        + tlv.encode(_COUNTER, manifest.counter.to_bytes(COUNTER_BYTES, "big"))
        + tlv.encode(_STATE, bytes((manifest.state,)))
        + tlv.encode(_DATE, bcd.encode_date(manifest.day))
        + tlv.encode(_DESCRIPTOR, manifest.descriptor)
        + tlv.encode(_KEY, manifest.card_key)
        + tlv.encode(_FIELDS, fields),
    )


def decode(octets: bytes) -> Manifest:
    """The manifest of one manifest object and nothing behind it.

    Raises:
        DecodeError: any deviation, another definition or length form included; never carries a byte of it.
    """
    if len(octets) > FILE_MOST:
        raise _bad("too long")
    manifest = _decode(octets)
    if encode(manifest) != octets:  # a longer form of a length says the same with other bytes: one signature, one form
        raise _bad("a length form that is not the shortest")
    return manifest


def encode_file(octets: bytes, signature: bytes) -> bytes:
    """The manifest file: a manifest object and its signature (64 bytes)."""
    if len(signature) != SIGNATURE_BYTES:
        raise _bad("a signature of another length")
    return octets + tlv.encode(_SIGNATURE, signature)


def decode_file(data: bytes) -> SignedManifest:
    """The manifest and the signature of a manifest file. That they fit is not judged here.

    Raises:
        DecodeError: any deviation.
    """
    if len(data) > FILE_MOST:
        raise _bad("too long")
    first = tlv.read_one(data)
    manifest = decode(first.raw)
    signature = data[first.end :]
    if len(signature) != SIGNATURE_BYTES + 2 or signature[:2] != _SIGNATURE + bytes((SIGNATURE_BYTES,)):
        raise _bad("no signature behind it")
    return SignedManifest(manifest, first.raw, signature[2:])


def _decode(octets: bytes) -> Manifest:
    whole = tlv.read_one(octets)
    if whole.tag != _MANIFEST or whole.end != len(octets):
        raise _bad("not one manifest object")
    parts = _parts(whole.value, (_DEFINITION, _AID, _CARD, _COUNTER, _STATE, _DATE, _DESCRIPTOR, _KEY, _FIELDS))
    definition, aid, card, counter, state, day, descriptor, key, fields = parts
    if definition != bytes((slot_applet_spec().number("definition"),)):
        raise _bad("another definition")
    if len(counter) != COUNTER_BYTES or len(state) != 1:
        raise _bad("a value of another length")
    manifest = Manifest(
        aid=aid,
        card_identification=card,
        counter=int.from_bytes(counter, "big"),
        state=state[0],
        day=bcd.decode_date(day),
        descriptor=descriptor,
        card_key=key,
        fields=tuple(_field(item) for item in tlv.read_all(fields)),
    )
    _check(manifest)
    return manifest


def _parts(value: bytes, tags: tuple[bytes, ...]) -> list[bytes]:
    """The values of exactly these objects in exactly this order."""
    items = list(tlv.read_all(value))
    if tuple(item.tag for item in items) != tags:
        raise _bad("objects missing, foreign or out of order")
    return [item.value for item in items]


def _field(item: Tlv) -> FieldDigest:
    if item.tag != _FIELD or len(item.value) != 1 + DIGEST_BYTES:
        raise _bad("not the digest of a field")
    return FieldDigest(item.value[0], item.value[1:])


def rising(sfis: Iterable[int]) -> bool:
    """Whether short identifiers are those of fields, each once, in rising order."""
    found = list(sfis)
    return found == sorted(set(found)) and all(1 <= sfi <= slot_applet_spec().number("fields_most") for sfi in found)


def slot_aid_bytes() -> int:
    """How long the AID of a slot is."""
    spec = globalplatform_spec().aids["slot_prefix"]
    return len(spec.aid) + spec.random


def _check(manifest: Manifest) -> None:
    state = slot_applet_spec().state(manifest.state)
    point = manifest.card_key
    for wrong, problem in (
        (len(manifest.aid) != slot_aid_bytes(), "an AID that no slot has"),
        (not 1 <= len(manifest.card_identification) <= IDENTIFICATION_MOST, "a card identification of another length"),
        (not 1 <= manifest.counter <= COUNTER_MOST, "a counter out of range"),
        (state is None or state.id == _UNSIGNED, "a state that no record has"),
        (len(manifest.descriptor) != DIGEST_BYTES, "a digest of another length"),
        (len(point) != POINT_BYTES or point[0] != 0x04, "a card key of another form"),
        (not rising(one.sfi for one in manifest.fields), "fields that do not rise from 1 to 24"),
        (any(len(one.digest) != DIGEST_BYTES for one in manifest.fields), "a digest of another length"),
    ):
        if wrong:
            raise _bad(problem)


def _bad(problem: str) -> DecodeError:
    return DecodeError(problem, operation="slot manifest")
