"""Revocation lists as sources: one file, a folder with an index for each CA key and municipality, bytes in memory."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, InputError
from kojin_card.pki.crl_index import IndexCache, IndexDamaged
from kojin_card.pki.crl_keeping import (
    INDEX_SUFFIX,
    INDEXES,
    LIST_SUFFIX,
    MAX_FILES,
    PEM_LABEL,
    Assertion,
    CrlListing,
    Pruned,
    add_crl,
    cited_in,
    issued,
    list_crls,
    prune_lists,
    stem,
)
from kojin_card.pki.files import read_bounded, to_der
from kojin_card.pki.revocation import (
    MAX_AGE,
    MAX_CRL_BYTES,
    Crl,
    ListFacts,
    RevocationAnswer,
    RevocationStatus,
    RevokedEntry,
    Unknown,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kojin_card.pki.revocation import Revocable
    from kojin_card.pki.trust import TrustAnchor

__all__ = [
    "Assertion",
    "CrlFile",
    "CrlFolder",
    "CrlListing",
    "CrlMemory",
    "Pruned",
    "add_crl",
    "cited_in",
    "issued",
    "list_crls",
    "prune_lists",
]


@dataclass(slots=True)
class _Loaded:
    """One file as last read: what its frame says, or why it is unusable; entries once its signature was verified."""

    stamp: tuple[int, int, int]
    crl: Crl | None
    issuer: bytes | None = None
    entries: Mapping[int, RevokedEntry] | None = None


class CrlFile:
    """A :class:`~kojin_card.pki.revocation.RevocationSource` of one CRL file (DER or PEM).

    The file is read again when it changed. Thread-safe.

    A revocation in any list of the right CA key and scope counts, however old that list is and although a newer one
    leaves it out: holds are never released, and what lists drop is expired (jpki.md §3). Only silence must be fresh.
    """

    def __init__(self, path: Path, *, max_age: timedelta = MAX_AGE) -> None:
        self.path = Path(path)
        self.max_age = max_age
        self._loaded: dict[Path, _Loaded] = {}
        self._lock = threading.Lock()

    def _paths(self) -> list[Path]:
        return [self.path] if self.path.is_file() else []

    def status(self, certificate: Revocable, issuer: TrustAnchor, at: datetime, *, now: datetime) -> RevocationAnswer:
        """See :meth:`~kojin_card.pki.revocation.RevocationSource.status`."""
        if certificate.crl_scope is None:
            return RevocationAnswer.unknown(Unknown.NO_LIST, "the certificate names no list")
        found = _Found(certificate, at, now, self.max_age)
        try:
            self._look(found, certificate.crl_scope, issuer)
        except OSError:
            return RevocationAnswer.unknown(Unknown.UNUSABLE, "the folder cannot be read")
        return found.answer()

    def _look(self, found: _Found, scope: bytes, issuer: TrustAnchor) -> None:
        """Note what every list here says.

        Raises:
            OSError: the folder cannot be read.
        """
        paths = self._paths()
        with self._lock:
            for path in paths:
                loaded = self._load(path)
                if loaded is None or loaded.crl is None:
                    found.unusable += 1
                    continue
                crl = loaded.crl
                found.lists += 1
                if crl.scope != scope or crl.issuer != issuer.subject or _of_other_key(crl, issuer):
                    continue
                if not self._verify(loaded, crl, issuer) or loaded.entries is None:
                    found.unusable += loaded.issuer is None  # a list of another generation is no fault
                    continue
                found.note(crl, loaded.entries.get(found.certificate.serial))

    def _load(self, path: Path) -> _Loaded | None:
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            known = self._loaded.get(path)
            if known is not None and known.stamp == stamp:
                return known
            data = to_der(read_bounded(path, MAX_CRL_BYTES), PEM_LABEL, limit=MAX_CRL_BYTES)
        except (OSError, InputError):
            return None
        return self._keep(path, stamp, data)

    def _keep(self, path: Path, stamp: tuple[int, int, int], data: bytes) -> _Loaded:
        """Read a list's frame and remember it."""
        try:
            loaded = _Loaded(stamp, Crl.parse(data))
        except DecodeError:
            loaded = _Loaded(stamp, None)
        self._loaded[path] = loaded
        return loaded

    @staticmethod
    def _verify(loaded: _Loaded, crl: Crl, issuer: TrustAnchor) -> bool:
        """Whether ``issuer`` signed it; entries are read the first time it is so."""
        if loaded.issuer is not None:
            return loaded.issuer == issuer.spki
        if not crl.signed_by(issuer):
            return False
        try:
            loaded.entries = crl.entries()
        except DecodeError:
            return False
        loaded.issuer = issuer.spki
        return True


def _of_other_key(crl: Crl, issuer: TrustAnchor) -> bool:
    """Whether the list says itself that another key made it: another generation of the CA, whose name is the same."""
    pointer = crl.authority_key
    return pointer is not None and pointer.key_id not in (None, issuer.key_id)


class CrlFolder(CrlFile):
    """A :class:`~kojin_card.pki.revocation.RevocationSource` of a folder that :func:`add_crl` fills. Thread-safe.

    For a certificate one index is looked at, found by its name, however many there are; a new one is noticed when it
    has taken the place of the old. Loose ``*.crl`` beside the indexes count too, each with its signature verified; all
    of them are looked at for every certificate. An index that is damaged makes the answer unknown: nobody can say what
    it knew. Lists that do not fit a certificate (another CA key, another municipality) are not used for it.
    """

    def __init__(self, path: Path, *, max_age: timedelta = MAX_AGE) -> None:
        super().__init__(path, max_age=max_age)
        self._indexes = IndexCache()

    def _look(self, found: _Found, scope: bytes, issuer: TrustAnchor) -> None:
        path = self.path / INDEXES / f"{stem(issuer.key_id, scope)}{INDEX_SUFFIX}"
        try:
            index = self._indexes.get(path)
            if index is not None:
                if not index.is_of(issuer, scope):
                    raise IndexDamaged("an index of another CA key or municipality")
                entry = index.find(found.certificate.serial)
                if entry is not None:
                    found.revoked.append((index.list_at(entry.said_by), entry))
                usable = index.answering(found.certificate, found.at, found.now, self.max_age)
                found.silent(usable, usable or index.newest)
        except IndexDamaged:
            found.damaged = True
        super()._look(found, scope, issuer)

    def _paths(self) -> list[Path]:
        try:
            with os.scandir(self.path) as items:
                paths = sorted(Path(item.path) for item in items if item.name.endswith(LIST_SUFFIX))
        except (FileNotFoundError, NotADirectoryError):
            return []
        if len(paths) > MAX_FILES:
            raise OSError("too many files")
        return paths


class CrlMemory(CrlFile):
    """A :class:`~kojin_card.pki.revocation.RevocationSource` of lists that the caller holds (DER): no disk is read."""

    def __init__(self, lists: Iterable[bytes], *, max_age: timedelta = MAX_AGE) -> None:
        super().__init__(Path(), max_age=max_age)
        for number, data in enumerate(lists):
            self._keep(Path(f"{number}.crl"), (0, len(data), number), data)

    def _paths(self) -> list[Path]:
        return list(self._loaded)

    def _load(self, path: Path) -> _Loaded | None:
        return self._loaded[path]


class _Found:
    """What the lists that fit one certificate say of it at one time."""

    def __init__(self, certificate: Revocable, at: datetime, now: datetime, max_age: timedelta) -> None:
        self.certificate, self.at, self.now, self._max_age = certificate, at, now, max_age
        self.revoked: list[tuple[ListFacts, RevokedEntry]] = []
        self.damaged = False
        self.unusable = self.lists = 0
        self._usable: ListFacts | None = None
        self._stale: ListFacts | None = None

    def note(self, crl: ListFacts, entry: RevokedEntry | None) -> None:
        """One list, and what it says."""
        if entry is not None:
            self.revoked.append((crl, entry))
        fits = crl.answers(self.certificate, self.at, self.now, self._max_age)
        self.silent(crl if fits else None, crl)

    def silent(self, usable: ListFacts | None, newest: ListFacts) -> None:
        """Whose silence would count; with none, the newest list that there is."""
        if usable is None:
            self._stale = _newer(self._stale, newest)
        else:
            self._usable = _newer(self._usable, usable)

    def answer(self) -> RevocationAnswer:
        """Revoked before anything, then damage, then silence."""
        # counts however old the list is: JPKI takes no revocation back (jpki.md §3)
        effective = [pair for pair in self.revoked if self.at >= self.now or pair[1].effective <= self.at]
        if effective:
            by, entry = max(effective, key=lambda pair: pair[0].this_update)
            since = min(pair[1].effective for pair in effective)
            return _answer(RevocationStatus.REVOKED, by, revoked_at=since, reason=entry.reason)
        if self.damaged:
            return RevocationAnswer.unknown(Unknown.UNUSABLE, "the index of this municipality is damaged")
        if self._usable is not None:
            if not self.revoked:
                return _answer(RevocationStatus.GOOD, self._usable)
            later = min((pair[1] for pair in self.revoked), key=lambda entry: entry.effective)
            detail = "revoked after the time asked about"
            good = _answer(RevocationStatus.GOOD, self._usable, reason=later.reason, detail=detail)
            return replace(good, revoked_later_at=later.effective)
        if self._stale is not None:
            why = "not valid yet" if self._stale.this_update > self.now else "past its nextUpdate, or too old"
            return replace(_answer(RevocationStatus.UNKNOWN, self._stale, detail=why), why=Unknown.STALE)
        if self.unusable:
            return RevocationAnswer.unknown(Unknown.UNUSABLE, f"{self.unusable} unusable, {self.lists} for others")
        return RevocationAnswer.unknown(Unknown.NO_LIST, f"{self.lists} for others")


def _newer(one: ListFacts | None, other: ListFacts) -> ListFacts:
    return other if one is None or other.this_update > one.this_update else one


def _answer(
    status: RevocationStatus,
    by: ListFacts,
    *,
    revoked_at: datetime | None = None,
    reason: str | None = None,
    detail: str | None = None,
) -> RevocationAnswer:
    return RevocationAnswer(
        status,
        revoked_at=revoked_at,
        reason=reason,
        source=by.sha256,
        number=by.number,
        this_update=by.this_update,
        next_update=by.next_update,
        detail=detail,
        asserted_by=by.asserted_by,
    )
