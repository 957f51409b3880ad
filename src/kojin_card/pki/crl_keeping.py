"""Keeping revocation lists in a folder: what may come in, what is shown of it, what may be thrown away.

The folder has ``index/``, one :mod:`~kojin_card.pki.crl_index` for each CA key and municipality, from which answers
come, and ``lists/``, the lists themselves under their SHA-256, because verdicts cite them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, InputError
from kojin_card.pki import der, names
from kojin_card.pki.crl_index import MAX_TEXT, CrlIndex, IndexCache, IndexDamaged, build, sorted_lines
from kojin_card.pki.files import exclusively, read_bounded, to_der, write_private
from kojin_card.pki.revocation import MAX_AGE, MAX_CRL_BYTES, Crl

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime, timedelta
    from pathlib import Path

    from kojin_card.pki.profile import Purpose
    from kojin_card.pki.revocation import ListFacts
    from kojin_card.pki.trust import TrustAnchor, TrustStore

MAX_FILES = 20_000  # about 1900 municipalities and wards, two purposes, a few generations
PEM_LABEL = "X509 CRL"
INDEXES, LISTS = "index", "lists"
INDEX_SUFFIX, LIST_SUFFIX = ".idx", ".crl"
_LOCK = ".lock"
_TYPES = {names.UNIT: b"\x06\x03\x55\x04\x0b", names.COMMON_NAME: b"\x06\x03\x55\x04\x03"}
_UNIT, _SUFFIX = "CRL Distribution Points", " CRLDP"
_KEPT = re.compile(r"([0-9a-f]{16}-[0-9a-f]{16})-([0-9a-f]{64})\.crl")
_DIGEST, _DIGEST_DIGITS, _CHUNK = re.compile(rb"[0-9a-fA-F]{64}"), 64, 1 << 20
_ADD = "add a revocation list"
_STRANGER = "no CA of this trust store signed it"


def stem(key_id: bytes, scope: bytes) -> str:
    """How the files of one CA key and one municipality begin."""
    return f"{key_id.hex()[:16]}-{hashlib.sha256(scope).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class CrlListing:
    """One municipality's lists in a folder, or one loose file there, for ``revocation status``.

    Attributes:
        file: the index, or the loose file.
        sha256: of the newest list.
        anchor, purpose, generation: the CA whose key signed it; None when it is of no CA of the store.
        municipality: from the list's scope, e.g. ``Tokyo-to / Kiyose-shi`` (text from a file: escape it when shown).
        entries: how many certificates the newest list has.
        carried: how many more stood on older lists and count still.
        age: since thisUpdate.
        fresh: usable now.
        asserted_by: who said whose list it is, when the list does not say so itself.
        problem: why it is unusable, whatever its age.
    """

    file: str
    sha256: str
    anchor: str | None = None
    purpose: Purpose | None = None
    generation: int | None = None
    municipality: str | None = None
    number: int | None = None
    entries: int | None = None
    carried: int = 0
    this_update: datetime | None = None
    next_update: datetime | None = None
    age: timedelta | None = None
    fresh: bool = False
    asserted_by: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Assertion:
    """Whose a list without issuingDistributionPoint is, as the operator answers for it.

    Attributes:
        scope: the distinguished name that certificates of the municipality name (RFC 4514, in either order), or
            ``PREFECTURE/CITY`` as it spells them (``Tokyo-to/Kiyose-shi``); the rest follows from the CA that signed.
        by: who says so; kept in the index, shown in every verdict that rests on the list.
    """

    scope: str
    by: str = "operator"

    def name(self, anchor: TrustAnchor) -> bytes:
        """The scope as an encoded Name, in the one form that certificates of that CA have (jpki.md §1.2, §1.3).

        Raises:
            InputError: it is not of that form.
        """
        given = self._places() or self._parsed(anchor)
        if given is None:
            raise InputError("not the name of a municipality's list of this CA", operation=_ADD)
        prefix = b"".join(rdn.raw for rdn in der.children(der.single(anchor.subject, der.SEQUENCE))[:3])
        parts = ((names.UNIT, _UNIT), (names.UNIT, given[0]), (names.COMMON_NAME, given[1] + _SUFFIX))
        return der.encode(der.SEQUENCE, prefix + b"".join(_rdn(oid, text) for oid, text in parts))

    def _places(self) -> tuple[str, str] | None:
        prefecture, slash, city = self.scope.partition("/")
        plain = slash and "=" not in self.scope and "/" not in city
        return (prefecture, city) if plain and prefecture.strip() and city.strip() else None

    def _parsed(self, anchor: TrustAnchor) -> tuple[str, str] | None:
        from cryptography import x509  # slow to import, and seldom needed

        try:
            told = names.attributes(x509.Name.from_rfc4514_string(self.scope).public_bytes())
        except (ValueError, DecodeError):
            return None
        wanted = (*names.attributes(anchor.subject)[:3], (names.UNIT, _UNIT))
        for found in (told, told[::-1]):
            if len(found) == len(wanted) + 2 and found[: len(wanted)] == wanted:
                (unit, prefecture), (common, city) = found[-2:]
                plain = city.removesuffix(_SUFFIX)
                if (unit, common) == (names.UNIT, names.COMMON_NAME) and prefecture and plain and plain != city:
                    return prefecture, plain
        return None

    def words(self, now: datetime) -> str:
        """What is recorded: who, and when.

        Raises:
            InputError: no name, a control character, or longer than an index takes.
        """
        text = f"{self.by.strip()}, {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        if not self.by.strip() or not text.isprintable() or len(text) > MAX_TEXT:
            raise InputError("not the name of whoever asserts it", operation=_ADD)
        return text


def _rdn(oid: str, text: str) -> bytes:
    value = _TYPES[oid] + der.encode(der.UTF8_STRING, text.encode("utf-8"))
    return der.encode(der.SET, der.encode(der.SEQUENCE, value))


# --- adding -----------------------------------------------------------------------------------------------------------


def add_crl(
    folder: Path, data: bytes, store: TrustStore, *, now: datetime, asserted: Assertion | None = None
) -> CrlListing:
    """Check a list against the store's CAs and put it into ``folder`` as the newest of its municipality.

    What older lists said stays: a revocation is never taken back. Killed at any moment, it leaves the folder as it was
    or as it should be; readers and others who add at the same time need no care.

    Args:
        data: the list, DER or one PEM block.
        asserted: whose it is, for a list that does not say so itself.

    Raises:
        InputError: not a usable list, not signed by a CA of the store, out of date, from the future, or older than
            the one that is there; one whose scope is asserted although it has one; the index so far is damaged; the
            folder cannot be written.
    """
    try:
        encoded = to_der(data, PEM_LABEL, limit=MAX_CRL_BYTES)
        crl = Crl.parse(encoded, unscoped=asserted is not None)
        anchor = signer(crl, store)
        if anchor is None:
            raise InputError(_STRANGER, operation=_ADD, store=str(store.store))
        if asserted is not None:
            if crl.scope:
                raise InputError("the list says itself whose it is", operation=_ADD)
            crl = replace(crl, scope=asserted.name(anchor), asserted_by=asserted.words(now))
        lines = sorted_lines(crl)
    except DecodeError as bad:
        raise InputError(bad.message, operation=_ADD) from bad
    if not crl.this_update <= now < crl.next_update:
        raise InputError("not valid now (thisUpdate, nextUpdate)", operation=_ADD)
    begin = stem(anchor.key_id, crl.scope)
    path = folder / INDEXES / f"{begin}{INDEX_SUFFIX}"
    with exclusively(folder / INDEXES / _LOCK):
        before = _index_so_far(folder, begin, anchor, crl, now)
        if before is None or _newer(crl, before):
            write_private(folder / LISTS / f"{begin}-{crl.sha256}{LIST_SUFFIX}", encoded)
            try:
                made = build(anchor, crl, lines, before=before, added=now)
            except DecodeError as bad:
                raise InputError(bad.message, operation=_ADD) from bad
            write_private(path, made)
            before = CrlIndex.of(made)
    return _of_index(path, before, anchor, now, MAX_AGE)


def _newer(crl: Crl, before: CrlIndex) -> bool:
    """Whether the index lacks this list, which may come next.

    Raises:
        InputError: a newer one is there, or date and number contradict each other.
    """
    present = before.newest
    if crl.sha256 == present.sha256:
        return False
    later, higher = crl.this_update > present.this_update, crl.number > present.number
    if not later and not higher:
        raise InputError("not newer than the list that is there", operation=_ADD)
    if later != higher:
        raise InputError("its number and its date contradict the list that is there", operation=_ADD)
    return True


def _why(bad: Exception) -> str:
    """What people are told of an index that cannot be used."""
    return bad.words_for_people if isinstance(bad, IndexDamaged) else IndexDamaged.words_for_people


def _index_so_far(folder: Path, begin: str, anchor: TrustAnchor, crl: Crl, now: datetime) -> CrlIndex | None:
    """The index that is there; where there is none but lists are kept, what they say.

    Raises:
        InputError: it is damaged. Nobody but the operator can say that what only it knew may be lost.
    """
    path = folder / INDEXES / f"{begin}{INDEX_SUFFIX}"
    try:
        index, _ = CrlIndex.open(path)
        if not index.is_of(anchor, crl.scope):
            raise IndexDamaged("an index of another CA key or municipality")
    except FileNotFoundError:
        return _from_kept(folder, begin, anchor, crl, now)
    except (IndexDamaged, OSError) as bad:
        raise InputError(_why(bad), operation=_ADD, file=path.name) from bad
    return index


def _from_kept(folder: Path, begin: str, anchor: TrustAnchor, crl: Crl, now: datetime) -> CrlIndex | None:
    kept: list[Crl] = []
    for path in (folder / LISTS).glob(f"{begin}-*{LIST_SUFFIX}"):
        try:
            older = Crl.parse(read_bounded(path, MAX_CRL_BYTES), unscoped=True)
        except (DecodeError, InputError):
            continue
        if not older.scope:
            older = replace(older, scope=crl.scope, asserted_by="operator, at an unknown time")
        if older.sha256 != crl.sha256 and older.scope == crl.scope and older.signed_by(anchor):
            kept.append(older)
    index = None
    for older in sorted(kept, key=lambda one: (one.this_update, one.number)):
        try:
            index = CrlIndex.of(build(anchor, older, sorted_lines(older), before=index, added=now))
        except DecodeError:
            continue
    return index


def signer(crl: Crl, store: TrustStore) -> TrustAnchor | None:
    """The CA of the store whose key made the list."""
    return next((anchor for anchor in store.anchors if crl.signed_by(anchor)), None)


def issued(data: bytes) -> datetime:
    """thisUpdate of a list (DER or PEM), whoever signed it.

    Raises:
        InputError, DecodeError: it is none.
    """
    return Crl.parse(to_der(data, PEM_LABEL, limit=MAX_CRL_BYTES), unscoped=True).this_update


# --- showing ----------------------------------------------------------------------------------------------------------


def list_crls(
    folder: Path, store: TrustStore, *, now: datetime, max_age: timedelta = MAX_AGE
) -> tuple[CrlListing, ...]:
    """What is in a folder: each index, then each loose list, in order of name; empty when there is no such folder.

    Raises:
        InputError: too many files.
    """
    indexes = sorted((folder / INDEXES).glob(f"*{INDEX_SUFFIX}"))
    loose = sorted(folder.glob(f"*{LIST_SUFFIX}")) if folder.is_dir() else []
    if max(len(indexes), len(loose)) > MAX_FILES:
        raise InputError("too many files", operation="list revocation lists")
    out: list[CrlListing] = []
    for path in indexes:
        try:
            index, _ = CrlIndex.open(path)
            anchor = next((one for one in store.anchors if index.is_of(one, index.scope)), None)
            if path.stem != stem(index.key_id, index.scope):
                raise IndexDamaged("an index of another CA key or municipality")
            out.append(_of_index(path, index, anchor, now, max_age))
        except (DecodeError, OSError) as bad:
            out.append(CrlListing(path.name, "", problem=_why(bad)))
    for path in loose:
        try:
            data = to_der(read_bounded(path, MAX_CRL_BYTES), PEM_LABEL, limit=MAX_CRL_BYTES)
        except InputError as bad:
            out.append(CrlListing(path.name, "", problem=bad.message))
            continue
        try:
            crl = Crl.parse(data)
            anchor = signer(crl, store)
            entries = None if anchor is None else len(crl.entries())
        except DecodeError as bad:
            out.append(CrlListing(path.name, hashlib.sha256(data).hexdigest(), problem=bad.message))
            continue
        out.append(_listing(path.name, crl, crl.scope, anchor, entries, 0, now, max_age))
    return tuple(out)


def _of_index(path: Path, index: CrlIndex, anchor: TrustAnchor | None, now: datetime, max_age: timedelta) -> CrlListing:
    newest = index.newest
    carried = index.records - newest.entries
    return _listing(path.name, newest, index.scope, anchor, newest.entries, carried, now, max_age)


def _listing(
    file: str,
    about: ListFacts,
    scope: bytes,
    anchor: TrustAnchor | None,
    entries: int | None,
    carried: int,
    now: datetime,
    max_age: timedelta,
) -> CrlListing:
    return CrlListing(
        file=file,
        sha256=about.sha256,
        anchor=None if anchor is None else anchor.name,
        purpose=None if anchor is None else anchor.purpose,
        generation=None if anchor is None else anchor.generation,
        municipality=municipality(scope),
        number=about.number,
        entries=None if anchor is None else entries,
        carried=carried,
        this_update=about.this_update,
        next_update=about.next_update,
        age=now - about.this_update,
        fresh=anchor is not None and about.fresh(now, max_age),
        asserted_by=about.asserted_by,
        problem=None if anchor is not None else _STRANGER,
    )


def municipality(scope: bytes) -> str:
    """Prefecture and municipality of a list's scope, as the name writes them (jpki.md §1.3)."""
    units, common = names.values(scope, names.UNIT), names.values(scope, names.COMMON_NAME)
    city = (common[-1] if common else "").removesuffix(_SUFFIX)
    return " / ".join(part for part in (units[-1] if units else "", city) if part)


# --- throwing away ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of the lists that a folder keeps, by file name.

    Attributes:
        removed: superseded, and cited by nothing that was named.
        octets: how much room they took.
        cited: superseded, but cited.
        current: the newest of their municipality, or without an index that could do without them.
    """

    removed: tuple[str, ...]
    octets: int
    cited: tuple[str, ...]
    current: tuple[str, ...]


def prune_lists(folder: Path, cited: Collection[str], *, dry_run: bool = False) -> Pruned:
    """Remove lists that a newer one superseded, unless their SHA-256 (hexadecimal) is among ``cited``.

    What they said stays in the index; only the lists themselves, as evidence, go. So does what was half written when
    its writer was killed.

    Raises:
        InputError: a file cannot be removed, or the folder not be written.
    """
    removed: list[str] = []
    spared: list[str] = []
    current: list[str] = []
    octets = 0
    if not (folder / LISTS).is_dir():
        return Pruned((), 0, (), ())
    indexes = IndexCache()
    with exclusively(folder / INDEXES / _LOCK):
        for path in sorted((folder / LISTS).iterdir()):
            found = _KEPT.fullmatch(path.name)
            if found is None:
                continue
            if _is_needed(indexes, folder / INDEXES / f"{found[1]}{INDEX_SUFFIX}", found[2]):
                current.append(path.name)
            elif found[2] in cited:
                spared.append(path.name)
            else:
                try:
                    octets += path.stat().st_size
                    if not dry_run:
                        path.unlink()
                except OSError as bad:
                    raise InputError("the file cannot be removed", file=path.name) from bad
                removed.append(path.name)
        if not dry_run:  # whoever writes holds the lock: these are nobody's
            for path in (*(folder / LISTS).glob(".*.part"), *(folder / INDEXES).glob(".*.part")):
                path.unlink(missing_ok=True)
    return Pruned(tuple(removed), octets, tuple(spared), tuple(current))


def cited_in(path: Path) -> frozenset[str]:
    """Every SHA-256 that a file mentions, or any file in a folder and below it; whatever format verdicts are kept in.

    Raises:
        InputError: one of them cannot be read, or mentions are nowhere: that is not where verdicts are kept.
    """
    found: set[str] = set()
    try:
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        for file in files:
            with file.open("rb") as stream:
                rest = b""
                while piece := stream.read(_CHUNK):
                    rest += piece
                    found.update(match.decode("ascii").lower() for match in _DIGEST.findall(rest))
                    rest = rest[-_DIGEST_DIGITS:]
    except OSError as bad:
        raise InputError("the file cannot be read", file=path.name) from bad
    if not found:
        raise InputError("no verdict is kept there", operation="prune revocation lists", file=path.name)
    return frozenset(found)


def _is_needed(indexes: IndexCache, path: Path, sha256: str) -> bool:
    """Whether the index still needs that list: as its newest, or because it could not replace what the list says."""
    try:
        index = indexes.get(path)
    except IndexDamaged:
        return True
    if index is None or path.stem != stem(index.key_id, index.scope):
        return True
    return index.newest.sha256 == sha256 or not index.has(sha256)
