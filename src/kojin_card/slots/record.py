"""What an owner sends to a slot: series of STORE DATA, and the signature over the manifest that they make.

Written here for the owner's side; the card's side reads them with its own code.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.iso7816 import tlv
from kojin_card.slots.terminals import JoinedAuthority
from kojin_card.spec import bcd
from kojin_card.spec import manifest as manifests
from kojin_card.spec.free_area import slot_applet_spec
from kojin_card.spec.manifest import FieldDigest, Manifest
from kojin_card.spec.owner import Owner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kojin_card.secret import Secret
    from kojin_card.slots.ec import EcSigner

_DESCRIPTOR, _FIELD, _COUNTER, _STATE, _DATE, _SIGNATURE, _AUTHORITIES, _GROUPS, _PIN = (
    bytes((octet,)) for octet in (0xC1, 0xA2, 0x82, 0x83, 0x87, 0x9E, 0xA5, 0xA6, 0xC7)
)
_SFI, _RULE, _CONTENT = (bytes((octet,)) for octet in (0x80, 0x81, 0x82))
_AUTHORITY, _KEY, _KIND, _CODE, _GROUP = (bytes((octet,)) for octet in (0xB0, 0x86, 0x82, 0x83, 0x85))


@dataclass(frozen=True, slots=True)
class Content:
    """A field as it goes to the card: its rule, and salt and value."""

    rule: bytes
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """Who may be let in: terminal CAs and groups. None leaves what the slot has."""

    authorities: tuple[JoinedAuthority, ...] | None = None
    groups: tuple[str, ...] | None = None

    def encode(self) -> bytes:
        """The objects of STORE DATA, which are those of the slot's object ``authorities`` too."""
        out = b""
        if self.authorities is not None:
            out += tlv.encode(_AUTHORITIES, b"".join(_authority(one) for one in self.authorities))
        if self.groups is not None:
            out += tlv.encode(_GROUPS, b"".join(tlv.encode(_GROUP, one.encode("ascii")) for one in self.groups))
        return out

    @classmethod
    def decode(cls, data: bytes) -> Settings:
        """What a slot says that it has.

        Raises:
            DecodeError: any deviation.
        """
        items = list(tlv.read_all(data))
        if [item.tag for item in items] != [_AUTHORITIES, _GROUPS]:
            raise _bad()
        authorities = tuple(_read_authority(item) for item in tlv.read_all(items[0].value))
        groups = []
        for item in tlv.read_all(items[1].value):
            if item.tag != _GROUP or not item.value.isascii():
                raise _bad()
            groups.append(item.value.decode("ascii"))
        return cls(authorities, tuple(groups))


def make_manifest(base: Manifest, descriptor: bytes | None, contents: Mapping[int, Content] | None) -> Manifest:
    """``base`` with the digests of a new descriptor and new fields; as it is where None."""
    if descriptor is None or contents is None:
        return base
    digests = tuple(FieldDigest.of(sfi, contents[sfi].content) for sfi in sorted(contents))
    return replace(base, descriptor=manifests.descriptor_digest(descriptor), fields=digests)


def series(
    manifest: Manifest,
    signer: EcSigner,
    *,
    descriptor: bytes | None = None,
    contents: Mapping[int, Content] | None = None,
    settings: Settings | None = None,
    pin: Secret | None = None,
) -> bytes:
    """One series of STORE DATA that makes ``manifest`` true: the whole record, or counter, state and date alone.

    Raises:
        DecodeError: a value that no manifest has.
    """
    signature = signer.sign(manifests.message(manifests.encode(manifest)))
    out = b""
    if descriptor is not None and contents is not None:
        out += tlv.encode(_DESCRIPTOR, descriptor)
        for sfi in sorted(contents):
            one = contents[sfi]
            parts = (tlv.encode(_SFI, bytes((sfi,))), tlv.encode(_RULE, one.rule), tlv.encode(_CONTENT, one.content))
            out += tlv.encode(_FIELD, b"".join(parts))
    out += tlv.encode(_COUNTER, manifest.counter.to_bytes(manifests.COUNTER_BYTES, "big"))
    out += tlv.encode(_STATE, bytes((manifest.state,)))
    out += tlv.encode(_DATE, bcd.encode_date(manifest.day))
    out += tlv.encode(_SIGNATURE, signature)
    if settings is not None:
        out += settings.encode()
    return out if pin is None else out + tlv.encode(_PIN, pin.reveal())


def state_byte(name: str) -> int:
    """The byte of a state."""
    return slot_applet_spec().states[name].value


def state_name(value: int) -> str:
    """The id of a state; ``unknown`` for a byte that is none."""
    found = slot_applet_spec().state(value)
    return "unknown" if found is None else found.id


def may_follow(value: int, wanted: str) -> bool:
    """Whether that state may follow the one of this byte."""
    found = slot_applet_spec().state(value)
    return found is not None and wanted in found.to


def own_authorities(keys: Sequence[bytes], owner: Owner, sfis: Sequence[int]) -> tuple[JoinedAuthority, ...]:
    """The owner's own terminal CAs, whose terminals may read whatever their certificates say."""
    return tuple(JoinedAuthority(key, owner, tuple(sorted(sfis))) for key in keys)


def _authority(one: JoinedAuthority) -> bytes:
    parts = (
        tlv.encode(_KEY, one.key),
        tlv.encode(_KIND, bytes((one.owner.kind,))),
        tlv.encode(_CODE, one.owner.code_octets),
        tlv.encode(slot_applet_spec().tag("terminal_fields"), bytes(one.fields)),
    )
    return tlv.encode(_AUTHORITY, b"".join(parts))


def _read_authority(item: tlv.Tlv) -> JoinedAuthority:
    parts = list(tlv.read_all(item.value))
    order = [_KEY, _KIND, _CODE, slot_applet_spec().tag("terminal_fields")]
    if item.tag != _AUTHORITY or [one.tag for one in parts] != order or len(parts[1].value) != 1:
        raise _bad()
    key, kind, code, fields = (one.value for one in parts)
    return JoinedAuthority(key, Owner.from_octets(kind[0], code), tuple(fields))


def _bad() -> DecodeError:
    return DecodeError("not the settings of a slot", operation="slot settings")
