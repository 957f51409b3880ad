"""Keys of security domains: the static three of SCP03, and the master keys that they are diversified from.

One master key serves every card of an owner (or of the card issuer): the keys of one card are derived from it and from
the card identification number, so that who breaks one card open has the keys of that card only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from kojin_card.errors import UsageError
from kojin_card.globalplatform.derivation import cmac, counter_kdf, key_check_value
from kojin_card.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

#: AES-128 and AES-256, the two that this card's key sets have, in bits
KEY_BITS = (128, 256)
#: version of the key set that a card leaves the factory with (GlobalPlatform 2.3.1 §11.1.9: FF in the field only)
INITIAL_VERSION = 0xFF
#: of a key set (GlobalPlatform 2.3.1 §11.8.2.3: 01 to 7F)
VERSIONS = range(0x01, 0x80)
_LABELS = (b"kojin-enc", b"kojin-mac", b"kojin-dek")
_TRIAL = bytes(range(0x40, 0x50))


@dataclass(frozen=True, slots=True, eq=False)
class StaticKeys:
    """The key set of a security domain: three AES keys of one length.

    Attributes:
        version: of the key set: 01 to 7F, or FF for the keys that a card begins with.
        enc, mac, dek: 16 or 32 bytes each.
        trial: the keys are public: what they open is open to everybody.
    """

    version: int
    enc: Secret = field(repr=False)
    mac: Secret = field(repr=False)
    dek: Secret = field(repr=False)
    trial: bool = False

    def __post_init__(self) -> None:
        if self.version not in VERSIONS and self.version != INITIAL_VERSION:
            raise UsageError("a key version is 1 to 127", operation="take a key set")
        sizes = {len(key.reveal()) * 8 for key in self.each()}
        if len(sizes) != 1 or not sizes <= set(KEY_BITS):
            raise UsageError("a key set is three AES keys of 128 or of 256 bits", operation="take a key set")

    @property
    def bits(self) -> int:
        """Length of each key."""
        return len(self.enc.reveal()) * 8

    def each(self) -> Iterator[Secret]:
        """The keys by their identifiers on the card: 1 ENC, 2 MAC, 3 DEK."""
        yield from (self.enc, self.mac, self.dek)

    def check_values(self) -> bytes:
        """The three check values in a row, 9 bytes: what a card answers to PUT KEY. They are no secret."""
        return b"".join(key_check_value(key.reveal()) for key in self.each())

    def wipe(self) -> None:
        """Overwrite the keys; nothing can be opened with them any more."""
        for key in self.each():
            key.wipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wipe()


@runtime_checkable
class MasterKey(Protocol):
    """What the keys of every card are derived from; where it lies is its own business (a file, a token)."""

    @property
    def description(self) -> str:
        """What and where it is, for people; nothing secret."""
        ...

    @property
    def bits(self) -> int:
        """128 or 256; the derived keys have the same length."""
        ...

    @property
    def version(self) -> int:
        """Version of the key sets that are derived from it, 1 to 127."""
        ...

    @property
    def trial(self) -> bool:
        """Whether it is public."""
        ...

    def cmac(self, message: bytes) -> bytes:
        """AES-CMAC of ``message`` under the master key: 16 bytes."""
        ...


def diversify(master: MasterKey, card_identification: bytes) -> StaticKeys:
    """The keys of one card (NIST SP 800-108, counter mode, AES-CMAC): i (1) || label || 00 || context || L (bits, 2).

    Args:
        card_identification: octets of the card identification number, as GET DATA gives them: the context.

    Raises:
        UsageError: no card identification number, or the master key is of another length.
    """
    if isinstance(master, TrialKeys):
        return master.static()
    if not card_identification or master.bits not in KEY_BITS:
        raise UsageError("a master key of 128 or 256 bits and a card", operation="derive the keys of a card")
    length = master.bits.to_bytes(2, "big")

    def derived(label: bytes) -> Secret:
        tail = label + b"\x00" + card_identification + length
        return Secret(counter_kdf(master.cmac, lambda number: bytes((number,)) + tail, master.bits // 8))

    enc, mac, dek = (derived(label) for label in _LABELS)
    return StaticKeys(master.version, enc, mac, dek, trial=master.trial)


class TrialKeys:
    """The public keys 404142...4F that cards for trials begin with. Never derived, known to everybody, no protection.

    A card with these keys is nobody's: whoever reads GlobalPlatform's examples can take it over.
    """

    description = "PUBLIC TRIAL KEYS (404142...4F): anybody can open what they open; for software cards and trials only"
    bits = 128
    version = INITIAL_VERSION
    trial = True

    def static(self) -> StaticKeys:
        """The key set."""
        return StaticKeys(self.version, Secret(_TRIAL), Secret(_TRIAL), Secret(_TRIAL), trial=True)

    def cmac(self, message: bytes) -> bytes:
        """See :class:`MasterKey`."""
        return cmac(_TRIAL, message)

    def __repr__(self) -> str:
        return f"TrialKeys({self.description})"
