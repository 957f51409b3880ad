"""Key files of owners and of the card's issuer: JSON, mode 0600, public part in clear, secret part under a passphrase.

What is sealed (:mod:`kojin_card.globalplatform.sealed`) is bound to the public part beside it: a file whose public part
was changed does not open.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, timedelta
from secrets import token_bytes
from typing import TYPE_CHECKING, Any, Protocol

from kojin_card.errors import InputError, KeyFileError, UsageError
from kojin_card.globalplatform import FileMaster, MasterKey, TrialKeys, diversify
from kojin_card.globalplatform.sealed import COST, seal, unseal
from kojin_card.pki.files import read_bounded, write_private
from kojin_card.secret import Secret
from kojin_card.slots.ec import COMPRESSED_BYTES, EcSigner, is_point
from kojin_card.slots.owners import OwnerEntry, OwnerKeyPeriod
from kojin_card.spec.owner import Owner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from kojin_card.globalplatform import StaticKeys

MAX_FILE_BYTES = 256 * 1024
MAX_MASTERS = 8
_SCHEMA = 1
_OWNER, _ISSUER = "kojin-card owner keys", "kojin-card issuer keys"
_FIELDS = {"kind", "schema", "public", "secret"}
_PASSPHRASE_LEAST = 8
_MOST_VERSION = 127
_OPERATION = "open a key file"


class DomainKeys(Protocol):
    """What the card's issuer needs of an owner to make its domain: the domain's keys of one card."""

    @property
    def owner(self) -> Owner:
        """Whose domain."""
        ...

    def for_card(self, card_identification: bytes) -> StaticKeys:
        """The newest key set of the owner for the card with that number."""
        ...


@dataclass(frozen=True, slots=True)
class OwnerKeys:
    """An owner's keys: the record key, the terminal CA, the master keys of its security domains.

    Attributes:
        owner: whose. record, terminal_ca: signers (P-256).
        masters: newest first; older ones open cards that were not rotated yet.
        begin: first day of record key and terminal CA.
        earlier: public keys of before, oldest first.
    """

    owner: Owner
    record: EcSigner
    terminal_ca: EcSigner
    masters: tuple[MasterKey, ...]
    begin: date
    earlier: tuple[OwnerKeyPeriod, ...] = ()

    @classmethod
    def create(
        cls,
        owner: Owner,
        *,
        begin: date,
        bits: int = 256,
        master: MasterKey | None = None,
        random: Callable[[int], bytes] = token_bytes,
    ) -> OwnerKeys:
        """New keys. With ``master`` (a token's) the file will hold no master key."""
        masters = (FileMaster.create(bits, random=random) if master is None else master,)
        return cls(owner, EcSigner.generate(), EcSigner.generate(), masters, begin)

    @classmethod
    def load(cls, path: Path, passphrase: Secret, *, masters: Sequence[MasterKey] = ()) -> OwnerKeys:
        """Open a key file.

        Args:
            masters: those that lie elsewhere (PKCS #11), by their versions.

        Raises:
            KeyFileError: not a key file of an owner, or damaged; a master key that lies elsewhere is not given.
            PassphraseRejected: another passphrase, or something was changed. InputError: unreadable.
        """
        public, secret = _opened(path, passphrase, _OWNER)
        try:
            owner, begin = Owner.parse(public["owner"]), date.fromisoformat(public["from"])
            earlier = tuple(_period(one) for one in public["earlier"])
            signers = [EcSigner.from_scalar(_secret_of(secret[name])) for name in ("record", "terminal_ca")]
            if [one.compressed.hex() for one in signers] != [public["record_key"], public["terminal_ca"]]:
                raise ValueError
            found = _masters(public["masters"], secret["masters"], masters, path.name)
        except (KeyError, TypeError, ValueError, InputError) as bad:
            problem = bad.message if isinstance(bad, KeyFileError) else "damaged, or of another form"
        else:
            return cls(owner, signers[0], signers[1], found, begin, earlier)
        raise KeyFileError(problem, operation=_OPERATION, file=path.name)

    def save(
        self, path: Path, passphrase: Secret, *, cost: int = COST, random: Callable[[int], bytes] = token_bytes
    ) -> None:
        """Write the key file, mode 0600, at once or not at all (an existing one is replaced).

        Args:
            cost: log2 of scrypt's N.

        Raises:
            InputError: the folder cannot be written. UsageError: a passphrase shorter than 8 characters.
        """
        public = {
            "owner": str(self.owner),
            "record_key": self.record.compressed.hex(),
            "terminal_ca": self.terminal_ca.compressed.hex(),
            "from": self.begin.isoformat(),
            "earlier": [_period_table(one) for one in self.earlier],
            "masters": _master_tables(self.masters),
        }
        secret = {
            "record": self.record.scalar().reveal().hex(),
            "terminal_ca": self.terminal_ca.scalar().reveal().hex(),
            "masters": _master_secrets(self.masters),
        }
        _write(path, passphrase, _OWNER, public, secret, cost, random)

    def rotated(
        self,
        begin: date,
        *,
        record: bool = True,
        terminal_ca: bool = True,
        master: bool = True,
        random: Callable[[int], bytes] = token_bytes,
    ) -> OwnerKeys:
        """New keys from ``begin`` on beside the old public ones; the master gets the next version.

        Raises:
            UsageError: ``begin`` is not after the first day of the present keys, the newest master lies elsewhere (with
                ``master=False`` it stays), or there is no version left.
        """
        operation = "rotate an owner's keys"
        if begin <= self.begin:
            raise UsageError("new keys begin after the present ones", operation=operation)
        newest = self.masters[0]
        masters = self.masters
        if master:
            if not isinstance(newest, FileMaster) or newest.version >= _MOST_VERSION:
                raise UsageError("this master key is not in the file, or has no version after it", operation=operation)
            next_one = FileMaster.create(newest.bits, newest.version + 1, random=random)
            masters = (next_one, *self.masters)[:MAX_MASTERS]
        changed = record or terminal_ca
        return OwnerKeys(
            owner=self.owner,
            record=EcSigner.generate() if record else self.record,
            terminal_ca=EcSigner.generate() if terminal_ca else self.terminal_ca,
            masters=masters,
            begin=begin if changed else self.begin,
            earlier=(*self.earlier, self._period(begin - timedelta(days=1))) if changed else self.earlier,
        )

    def public(self, name_ja: str, name_en: str) -> OwnerEntry:
        """The entry for ``owners.toml``, earlier keys included."""
        return OwnerEntry(self.owner, name_ja, name_en, (*self.earlier, self._period(None)))

    @property
    def terminal_cas(self) -> tuple[bytes, ...]:
        """Points of the terminal CAs whose certificates may still run: the present one, then the one before it."""
        before = [one.terminal_ca for one in reversed(self.earlier) if one.terminal_ca != self.terminal_ca.compressed]
        return (self.terminal_ca.compressed, *before[:1])

    def for_card(self, card_identification: bytes) -> StaticKeys:
        """The newest key set for the card with that number."""
        return diversify(self.masters[0], card_identification)

    def _period(self, end: date | None) -> OwnerKeyPeriod:
        return OwnerKeyPeriod(self.record.compressed, self.terminal_ca.compressed, self.begin, end)


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """The keys of the card's issuer (ISD): master keys only, newest first."""

    masters: tuple[MasterKey, ...]

    @classmethod
    def trial(cls) -> IssuerKeys:
        """The public trial keys. They protect nothing."""
        return cls((TrialKeys(),))

    @classmethod
    def create(
        cls, *, bits: int = 256, master: MasterKey | None = None, random: Callable[[int], bytes] = token_bytes
    ) -> IssuerKeys:
        """A new master key."""
        return cls((FileMaster.create(bits, random=random) if master is None else master,))

    @classmethod
    def load(cls, path: Path, passphrase: Secret, *, masters: Sequence[MasterKey] = ()) -> IssuerKeys:
        """As :meth:`OwnerKeys.load`."""
        public, secret = _opened(path, passphrase, _ISSUER)
        try:
            found = _masters(public["masters"], secret["masters"], masters, path.name)
        except (KeyError, TypeError, ValueError, InputError) as bad:
            problem = bad.message if isinstance(bad, KeyFileError) else "damaged, or of another form"
        else:
            return cls(found)
        raise KeyFileError(problem, operation=_OPERATION, file=path.name)

    def save(
        self, path: Path, passphrase: Secret, *, cost: int = COST, random: Callable[[int], bytes] = token_bytes
    ) -> None:
        """As :meth:`OwnerKeys.save`. The trial keys are never saved (UsageError)."""
        if any(one.trial for one in self.masters):
            raise UsageError("the trial keys are public and go into no key file", operation="write a key file")
        public = {"masters": _master_tables(self.masters)}
        _write(path, passphrase, _ISSUER, public, {"masters": _master_secrets(self.masters)}, cost, random)

    @property
    def trial_keys(self) -> bool:
        """Whether they are the public trial keys."""
        return any(one.trial for one in self.masters)

    def for_card(self, card_identification: bytes) -> StaticKeys:
        """The newest key set for the card with that number."""
        return diversify(self.masters[0], card_identification)


# --- the file --------------------------------------------------------------------------------------------------------


def _context(kind: str, public: Mapping[str, Any]) -> str:
    """What the sealed part is bound to: kind, schema, and every octet of the public part."""
    digest = hashlib.sha256(json.dumps(public, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return f"{kind} {_SCHEMA} {digest}"


def _write(
    path: Path,
    passphrase: Secret,
    kind: str,
    public: Mapping[str, Any],
    secret: Mapping[str, Any],
    cost: int,
    random: Callable[[int], bytes],
) -> None:
    if len(passphrase.reveal()) < _PASSPHRASE_LEAST:
        words = f"a passphrase of a key file has {_PASSPHRASE_LEAST} characters at least"
        raise UsageError(words, operation="write a key file")
    sealed = seal(json.dumps(secret).encode(), passphrase, _context(kind, public), cost=cost, random=random)
    table = {"kind": kind, "schema": _SCHEMA, "public": public, "secret": sealed}
    write_private(path, json.dumps(table, indent=1, ensure_ascii=False).encode() + b"\n")


def _opened(path: Path, passphrase: Secret, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Public part and secret part.

    Raises:
        KeyFileError, PassphraseRejected, InputError: as :meth:`OwnerKeys.load`.
    """
    table: object = None
    try:
        table = json.loads(read_bounded(path, MAX_FILE_BYTES))
    except (ValueError, RecursionError):
        table = None
    if (
        not isinstance(table, dict)
        or set(table) != _FIELDS
        or (table["kind"], table["schema"]) != (kind, _SCHEMA)
        or not isinstance(table["public"], dict)
        or not isinstance(table["secret"], dict)
    ):
        raise KeyFileError(f"not a file of {kind}", operation=_OPERATION, file=path.name)
    content = unseal(table["secret"], passphrase, _context(kind, table["public"]))
    try:
        secret = json.loads(bytes(content))
    except (ValueError, RecursionError):
        secret = None
    finally:
        content[:] = bytes(len(content))
    if not isinstance(secret, dict):
        raise KeyFileError("damaged, or of another form", operation=_OPERATION, file=path.name)
    return table["public"], secret


def _secret_of(text: str) -> Secret:
    return Secret(bytes.fromhex(text))


def _period_table(one: OwnerKeyPeriod) -> dict[str, str]:
    end = "" if one.end is None else one.end.isoformat()
    return {
        "record_key": one.record_key.hex(),
        "terminal_ca": one.terminal_ca.hex(),
        "from": one.begin.isoformat(),
        "until": end,
    }


def _period(table: Mapping[str, str]) -> OwnerKeyPeriod:
    record, authority = bytes.fromhex(table["record_key"]), bytes.fromhex(table["terminal_ca"])
    if not all(len(one) == COMPRESSED_BYTES and is_point(one) for one in (record, authority)):
        raise ValueError
    end = date.fromisoformat(table["until"]) if table["until"] else None
    return OwnerKeyPeriod(record, authority, date.fromisoformat(table["from"]), end)


def _master_tables(masters: Sequence[MasterKey]) -> list[dict[str, int | bool]]:
    return [{"version": one.version, "bits": one.bits, "here": isinstance(one, FileMaster)} for one in masters]


def _master_secrets(masters: Sequence[MasterKey]) -> dict[str, str]:
    return {str(one.version): one.octets().hex() for one in masters if isinstance(one, FileMaster)}


def _masters(
    tables: Sequence[Mapping[str, Any]], secrets: Mapping[str, str], given: Sequence[MasterKey], file: str
) -> tuple[MasterKey, ...]:
    """The master keys in the order of the file.

    Raises:
        KeyFileError: one lies elsewhere and was not given, or the file has none or too many.
    """
    found: list[MasterKey] = []
    for table in tables:
        version, bits = table["version"], table["bits"]
        if table["here"]:
            found.append(FileMaster(_secret_of(secrets[str(version)]), version, f"the master key in {file}"))
        else:
            found += [one for one in given if (one.version, one.bits) == (version, bits)][:1]
        if not found or (found[-1].version, found[-1].bits) != (version, bits):
            raise KeyFileError("a master key lies elsewhere: name its token", operation=_OPERATION, file=file)
    versions = [one.version for one in found]
    if not 1 <= len(found) <= MAX_MASTERS or versions != sorted(set(versions), reverse=True):
        raise ValueError
    return tuple(found)
