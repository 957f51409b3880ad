"""What a software card is, as frozen values: everything that outlives a power cut, and the settings of its behaviour.

The security status (what was verified, what is selected) is not here: it lives in :mod:`.security` and dies with the
power. Contents are keyed by the ids of the applet specs; a file or key without an entry is not on the card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from kojin_card.errors import UsageError
from kojin_card.iso7816.status import SW
from kojin_card.simulator.content import ContentState

MAX_COUNTER = 15  # what 63Cx can say
#: settings that decide what stands in the files of a card: they are for whoever makes it, not for one that is made
WHEN_MADE = ("gregorian_code_b", "sex_3", "long_head")
#: settings of the secure channel of the free area
SCP03 = ("scp03_s16", "scp03_pseudo_random")


@dataclass(frozen=True, slots=True)
class Knobs:
    """Behaviour on which public sources disagree, or that differs between chips (card.md §12, §13).

    Attributes:
        blocked_sw: what VERIFY with data answers when no try is left: 6984 (measured) or 6983 (ISO).
        reselect_keeps_state: SELECT of the application that is current already keeps what was verified (card.md
            §4.10). Any other application clears it all the same.
        contact_atr_at_power_on: whether the object that answers with any application current (card.md §2.5: 5F51) also
            answers in the state after reset; on some cards it does not.
        empty_verify_when_verified: what the empty VERIFY of a verified key answers: None is 63Cx as always (pcsc.md
            P2), 9000 is the way of ISO ("some cards", card.md §4.3).
        variants: readings of the applet specs (``[[variant]]``) that this card follows.
        gregorian_code_b: made with 照合番号B that begins with YYYYMMDD (a comment of JR; how it comes to 14 digits then
            is our guess: two digits of the expiry's year).
        sex_3: made with the value 3 for a sex that is neither male nor female (TEX).
        long_head: made with the length form ``82 00 xx`` in the four items however short they are.
        scp03_s16: SCP03 with challenges, cryptograms and MACs of 16 bytes instead of 8.
        scp03_pseudo_random: the card challenge of SCP03 follows from a counter; else it is random.
    """

    blocked_sw: int = SW.REFERENCE_DATA_BLOCKED
    reselect_keeps_state: bool = False
    empty_verify_when_verified: int | None = None
    contact_atr_at_power_on: bool = True
    variants: frozenset[str] = frozenset()
    gregorian_code_b: bool = False
    sex_3: bool = False
    long_head: bool = False
    scp03_s16: bool = False
    scp03_pseudo_random: bool = True

    def __post_init__(self) -> None:
        if self.blocked_sw not in (SW.REFERENCE_DATA_BLOCKED, SW.AUTH_METHOD_BLOCKED):
            raise UsageError("blocked_sw is 6984 or 6983")
        for name in ("reselect_keeps_state", "contact_atr_at_power_on", *SCP03, *WHEN_MADE):
            if type(getattr(self, name)) is not bool:
                raise UsageError(f"{name} is true or false")
        object.__setattr__(self, "variants", frozenset(self.variants))
        if self.empty_verify_when_verified not in (None, SW.OK):
            raise UsageError("empty_verify_when_verified is 9000 or nothing")


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An RSA private key as its two primes; everything else follows from them (e = 65537)."""

    p: int = field(repr=False)
    q: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class EcPrivateKey:
    """A private key on P-384 as its scalar: what a next card has instead of RSA keys for signatures (an assumption)."""

    d: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileState:
    """The content of a working file.

    Attributes:
        octets: of a transparent file: every physical byte, filler included; None when nobody knows the content.
        records: of a record file: record n stands at place n - 1.
    """

    octets: bytes | None = field(default=None, repr=False)
    records: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class KeyState:
    """The content of an internal file.

    Attributes:
        secret: what VERIFY compares with; None for keys, and for a reference that has no value (it is blocked).
        tries_left: how many wrong values in a row are still compared.
        tries_full: what success restores.
        private: the key that ``80 2A`` uses, when it is RSA.
        private_ec: the same when it is on P-384; a card has one or the other in a file.
    """

    secret: bytes | None = field(default=None, repr=False)
    tries_left: int = 0
    tries_full: int = 0
    private: PrivateKey | None = field(default=None, repr=False)
    private_ec: EcPrivateKey | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ApplicationState:
    """Files, keys and data objects of one application, by the ids of its spec.

    Attributes:
        session_key: the private half of the key that session keys are encrypted for (card.md §4.7). It has no file id
            that anybody knows, so it is none of ``keys``; None: the card cannot do secure messaging.
    """

    files: Mapping[str, FileState]
    keys: Mapping[str, KeyState]
    objects: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    session_key: PrivateKey | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CardState:
    """Every persistent byte of a card.

    Attributes:
        persona: id of the persona it was made from.
        issued_at: when it was made.
        atr: answer to reset.
        applications: by the ids of the applet specs.
        content: the free area; None on a phone, and on a card of an earlier file: it knows no GlobalPlatform command.
    """

    persona: str
    issued_at: datetime
    atr: bytes
    applications: Mapping[str, ApplicationState] = field(repr=False)
    knobs: Knobs = Knobs()
    content: ContentState | None = field(default=None, repr=False)

    def key(self, application: str, key: str) -> KeyState:
        """The content of a key that is on the card."""
        return self.applications[application].keys[key]

    def with_key(self, application: str, key: str, content: KeyState) -> CardState:
        """The same card with another content of one key."""
        old = self.applications[application]
        new = replace(old, keys={**old.keys, key: content})
        return replace(self, applications={**self.applications, application: new})
