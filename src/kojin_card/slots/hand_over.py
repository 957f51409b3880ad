"""引越継続: what the old owner signs for the new one, bound to card, slot and recipient; and who remembers it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Protocol

from kojin_card.errors import DecodeError, HandOverRefused, InputError
from kojin_card.pki.files import exclusively, read_bounded
from kojin_card.slots.ec import SIGNATURE_BYTES, verifies
from kojin_card.spec import descriptor
from kojin_card.spec.descriptor import HAND_OVER_BYTES, SERVICE_ID
from kojin_card.spec.free_area import slot_applet_spec
from kojin_card.spec.manifest import COUNTER_MOST, slot_aid_bytes
from kojin_card.spec.owner import Owner

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping
    from pathlib import Path

    from kojin_card.slots.ec import EcSigner
    from kojin_card.slots.owners import OwnerEntry
    from kojin_card.spec.service import Service

MAX_FILE_BYTES = 8192
_MAX_LEDGER_BYTES = 64 * 1024 * 1024
_KIND, _SCHEMA = "kojin-card hand-over", 1
_TEXTS = ("id", "from", "to", "card", "slot", "date", "last_day", "service")
_OPERATION = "read a hand-over"


@dataclass(frozen=True, slots=True)
class HandOver:
    """A hand-over as its file says it; nothing of it is proved by being read.

    Attributes:
        id: 16 bytes, the same however often it is made of one termination for one recipient.
        old, new: owners. card: card identification number. aid: of the old slot.
        counter: of the old slot after its termination. date: when. last_day: until when it may be taken over.
        service: id.
        signature: r and s by the old owner's record key.
    """

    id: bytes
    old: Owner
    new: Owner
    card: str = field(repr=False)
    aid: bytes
    counter: int
    date: datetime.date
    last_day: datetime.date
    service: str
    signature: bytes = field(default=b"", repr=False)

    def table(self) -> dict[str, str | int]:
        """What is signed, as the file has it."""
        return {
            "kind": _KIND,
            "schema": _SCHEMA,
            "id": self.id.hex(),
            "from": str(self.old),
            "to": str(self.new),
            "card": self.card,
            "slot": self.aid.hex(),
            "counter": self.counter,
            "date": self.date.isoformat(),
            "last_day": self.last_day.isoformat(),
            "service": self.service,
        }

    def message(self) -> bytes:
        """What the old owner signs: the context of hand-overs, then the table in its one form."""
        return slot_applet_spec().context("hand_over") + _canonical(self.table())

    def signed(self, signer: EcSigner) -> HandOver:
        """The same, signed."""
        return replace(self, signature=signer.sign(self.message()))

    def signed_by(self, entry: OwnerEntry) -> bool:
        """Whether a key that this owner had on that day signed it."""
        keys = (one.record_key for one in entry.keys if one.covers(self.date))
        return entry.owner == self.old and any(verifies(key, self.message(), self.signature) for key in keys)

    def encode(self) -> bytes:
        """The file: one JSON object, UTF-8."""
        table = {**self.table(), "signature": self.signature.hex()}
        return json.dumps(table, indent=1).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> HandOver:
        """Read a file.

        Raises:
            HandOverRefused: malformed.
        """
        found: HandOver | None = None
        try:
            if len(data) <= MAX_FILE_BYTES:
                found = _read(json.loads(data))
        except (ValueError, TypeError, KeyError, RecursionError, InputError):
            found = None  # told below, without a chain
        if found is None:
            raise refused("malformed")
        return found


def hand_over_id(card: bytes, aid: bytes, counter: int, new: Owner) -> bytes:
    """The id of a hand-over: the same for the same termination and recipient, so a repeated call makes no second."""
    octets = slot_applet_spec().context("hand_over") + card + aid + counter.to_bytes(4, "big") + new.encode()
    return hashlib.sha256(octets).digest()[:HAND_OVER_BYTES]


def keep_recipient(ledger: HandOverLedger, card: bytes, aid: bytes, new: Owner) -> None:
    """Remember at the old desk who gets a slot: both files would be good, and the new desks do not know of each other.

    Raises:
        HandOverRefused: it was handed over to somebody else before.
    """
    slot = hashlib.sha256(slot_applet_spec().context("hand_over") + card + aid).digest()[:HAND_OVER_BYTES]
    if ledger.taken_by(slot) not in (None, new.encode()):
        raise refused("it was handed over to another owner before")
    ledger.take(slot, new.encode())


def hand_over_in(content: bytes) -> bytes | None:
    """The id of the hand-over that a hidden descriptor says it came from."""
    try:
        return descriptor.decode(content).hand_over
    except DecodeError:
        return None


def refused(why: str) -> HandOverRefused:
    """The error that tells why."""
    return HandOverRefused(why, operation=_OPERATION)


def require_good(
    given: HandOver, own: Owner, old: OwnerEntry | None, services: Mapping[str, Service], today: datetime.date
) -> None:
    """Everything about a hand-over that can be judged without the card.

    Args:
        own: who takes over. old: what is known of the old owner; None: nothing.

    Raises:
        HandOverRefused: says why.
    """
    service = services.get(given.service)
    for wrong, why in (
        (given.new != own, "it is for another owner"),
        (given.old == given.new, "it is from the same owner"),
        (old is None, "the old owner is not known: add its keys to owners.toml"),
        (old is not None and not given.signed_by(old), "the old owner did not sign it"),
        (not given.date <= today <= given.last_day, "it has run out, or is of a day to come"),
        (service is None or not service.continues, "its service is not known here, or does not continue on moving"),
        (
            service is not None and given.old.kind not in service.owners,
            "the old owner is of a kind without that service",
        ),
    ):
        if wrong:
            raise refused(why)


def _canonical(table: dict[str, str | int]) -> bytes:
    return json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _read(table: object) -> HandOver | None:
    if not isinstance(table, dict) or set(table) != {"kind", "schema", "counter", "signature", *_TEXTS}:
        return None
    if (table["kind"], table["schema"]) != (_KIND, _SCHEMA) or type(table["counter"]) is not int:
        return None
    if not all(isinstance(table[name], str) for name in (*_TEXTS, "signature")):
        return None
    found = HandOver(
        id=bytes.fromhex(table["id"]),
        old=Owner.parse(table["from"]),
        new=Owner.parse(table["to"]),
        card=table["card"],
        aid=bytes.fromhex(table["slot"]),
        counter=table["counter"],
        date=date.fromisoformat(table["date"]),
        last_day=date.fromisoformat(table["last_day"]),
        service=table["service"],
        signature=bytes.fromhex(table["signature"]),
    )
    right = (
        len(found.id) == HAND_OVER_BYTES
        and len(found.aid) == slot_aid_bytes()
        and len(found.signature) == SIGNATURE_BYTES
        and 1 <= found.counter <= COUNTER_MOST
        and found.date <= found.last_day
        and SERVICE_ID.fullmatch(found.service) is not None
        and {**found.table(), "signature": found.signature.hex()} == table
    )
    return found if right else None


class HandOverLedger(Protocol):
    """Remembers which hand-overs were taken over, and by which slot.

    An old owner's desk remembers by the same two methods which of its slots it handed over, and to whom
    (:func:`keep_recipient`): octets by an id of 16 bytes.
    """

    def taken_by(self, id: bytes) -> bytes | None:
        """AID of the slot that took it over; None: nobody yet."""
        ...

    def take(self, id: bytes, aid: bytes) -> None:
        """Remember; must be on disk when it returns.

        Raises:
            HandOverRefused: taken by another slot.
        """
        ...


class FileLedger:
    """A ledger in one file, a line each (id and AID in hex); several processes may use it.

    Args:
        path: of the file; it need not be there yet. Beside it stands a lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def taken_by(self, id: bytes) -> bytes | None:
        """As :class:`HandOverLedger`.

        Raises:
            InputError: the file cannot be read or is damaged.
        """
        return self._entries().get(id)

    def take(self, id: bytes, aid: bytes) -> None:
        """As :class:`HandOverLedger`.

        Raises:
            InputError: the file cannot be read or written.
        """
        with exclusively(self._path.with_name(self._path.name + ".lock")):
            before = self._entries().get(id)
            if before == aid:
                return
            if before is not None:
                raise refused("taken over before")
            try:
                handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                with os.fdopen(handle, "wb") as stream:
                    stream.write(f"{id.hex()} {aid.hex()}\n".encode("ascii"))
                    stream.flush()
                    os.fsync(stream.fileno())
            except OSError as bad:
                raise InputError("the file cannot be written", file=self._path.name) from bad

    def _entries(self) -> dict[bytes, bytes]:
        if not self._path.exists():
            return {}
        found: dict[bytes, bytes] = {}
        try:
            for line in read_bounded(self._path, _MAX_LEDGER_BYTES).decode("ascii").splitlines():
                id, aid = (bytes.fromhex(part) for part in line.split(" "))
                found.setdefault(id, aid)
        except ValueError as bad:
            raise InputError("not a ledger of hand-overs", file=self._path.name) from bad
        return found
