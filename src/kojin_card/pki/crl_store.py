"""Revocation lists on disk: one file, or a folder of them with one list for each CA key and municipality."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, InputError
from kojin_card.pki import names
from kojin_card.pki.files import read_bounded, to_der, write_private
from kojin_card.pki.revocation import (
    MAX_AGE,
    MAX_CRL_BYTES,
    Crl,
    RevocationAnswer,
    RevocationStatus,
    RevokedEntry,
    Unknown,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kojin_card.pki.profile import Purpose
    from kojin_card.pki.revocation import Revocable
    from kojin_card.pki.trust import TrustAnchor, TrustStore

MAX_FILES = 20_000  # about 1900 municipalities and wards, two purposes, a few generations
_PEM_LABEL = "X509 CRL"
_SUFFIX = " CRLDP"


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
        with self._lock:
            return self._status(certificate, issuer, at, now)

    def _status(self, certificate: Revocable, issuer: TrustAnchor, at: datetime, now: datetime) -> RevocationAnswer:
        if certificate.crl_scope is None:
            return RevocationAnswer.unknown(Unknown.NO_LIST, "the certificate names no list")
        found = unusable = 0
        usable: list[Crl] = []
        revoked: list[tuple[Crl, RevokedEntry]] = []
        stale: Crl | None = None
        try:
            paths = self._paths()
        except OSError:
            return RevocationAnswer.unknown(Unknown.UNUSABLE, "the folder cannot be read")
        for path in paths:
            loaded = self._load(path)
            if loaded is None or loaded.crl is None:
                unusable += 1
                continue
            crl = loaded.crl
            found += 1
            if crl.scope != certificate.crl_scope or crl.issuer != issuer.subject or _of_other_key(crl, issuer):
                continue
            if not self._verify(loaded, crl, issuer) or loaded.entries is None:
                unusable += loaded.issuer is None  # a list of another generation is no fault
                continue
            entry = loaded.entries.get(certificate.serial)
            if entry is not None:  # counts however old the list is: JPKI takes no revocation back (jpki.md §3)
                revoked.append((crl, entry))
            if crl.answers(certificate, at, now, self.max_age):
                usable.append(crl)
            else:
                stale = crl if stale is None or crl.this_update > stale.this_update else stale
        effective = [pair for pair in revoked if at >= now or pair[1].effective <= at]
        if effective:
            return _revoked(effective)
        if usable:
            newest = max(usable, key=lambda item: item.this_update)
            detail = "revoked after the time asked about" if revoked else None
            return _answer(RevocationStatus.GOOD, newest, detail=detail)
        if stale is not None:
            why = "not valid yet" if stale.this_update > now else "past its nextUpdate, or too old"
            return RevocationAnswer(
                RevocationStatus.UNKNOWN,
                Unknown.STALE,
                source=stale.sha256,
                number=stale.number,
                this_update=stale.this_update,
                next_update=stale.next_update,
                detail=why,
            )
        if unusable:
            return RevocationAnswer.unknown(Unknown.UNUSABLE, f"{unusable} unusable, {found} for others")
        return RevocationAnswer.unknown(Unknown.NO_LIST, f"{found} for others")

    def _load(self, path: Path) -> _Loaded | None:
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            known = self._loaded.get(path)
            if known is not None and known.stamp == stamp:
                return known
            data = to_der(read_bounded(path, MAX_CRL_BYTES), _PEM_LABEL, limit=MAX_CRL_BYTES)
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
    """A :class:`~kojin_card.pki.revocation.RevocationSource` of a folder: every ``*.crl`` in it, filled by
    :func:`add_crl`. Lists that do not fit a certificate (another CA key, another municipality) are not used for it."""

    def _paths(self) -> list[Path]:
        if not self.path.is_dir():
            return []
        paths = sorted(self.path.glob("*.crl"))
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


def _revoked(found: list[tuple[Crl, RevokedEntry]]) -> RevocationAnswer:
    """By the newest list that says so; the earliest time that any of them names counts."""
    crl, entry = max(found, key=lambda pair: pair[0].this_update)
    effective = min(pair[1].effective for pair in found)
    return _answer(RevocationStatus.REVOKED, crl, revoked_at=effective, reason=entry.reason)


def _answer(
    status: RevocationStatus,
    crl: Crl,
    *,
    revoked_at: datetime | None = None,
    reason: str | None = None,
    detail: str | None = None,
) -> RevocationAnswer:
    return RevocationAnswer(
        status,
        revoked_at=revoked_at,
        reason=reason,
        source=crl.sha256,
        number=crl.number,
        this_update=crl.this_update,
        next_update=crl.next_update,
        detail=detail,
    )


# --- keeping a folder -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CrlListing:
    """One file of a folder, for ``revocation status``.

    Attributes:
        anchor, purpose, generation: the CA whose key signed it; None when it is of no CA of the store.
        municipality: from the list's scope, e.g. ``Tokyo-to / Kiyose-shi`` (text from a file: escape it when shown).
        entries: how many certificates it lists.
        fresh: usable now.
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
    this_update: datetime | None = None
    next_update: datetime | None = None
    fresh: bool = False
    problem: str | None = None


def add_crl(folder: Path, data: bytes, store: TrustStore, *, now: datetime) -> CrlListing:
    """Check a list against the store's CAs and put it into ``folder`` in place of the older one of its municipality.

    Args:
        data: the list, DER or one PEM block.

    Raises:
        InputError: not a usable list, not signed by a CA of the store, out of date, from the future, or older than
            the one that is there; the folder cannot be written.
    """
    operation = "add a revocation list"
    try:
        encoded = to_der(data, _PEM_LABEL, limit=MAX_CRL_BYTES)
        crl = Crl.parse(encoded)
    except DecodeError as bad:
        raise InputError(bad.message, operation=operation) from bad
    anchor = _signer(crl, store)
    if anchor is None:
        raise InputError("no CA of this trust store signed it", operation=operation, store=str(store.store))
    try:
        entries = crl.entries()
    except DecodeError as bad:
        raise InputError(bad.message, operation=operation) from bad
    if not crl.this_update <= now < crl.next_update:
        raise InputError("not valid now (thisUpdate, nextUpdate)", operation=operation)
    path = folder / f"{anchor.key_id.hex()[:16]}-{hashlib.sha256(crl.scope).hexdigest()[:16]}.crl"
    present = _present(path)
    if present is not None and present.signed_by(anchor) and present.sha256 != crl.sha256:
        later, higher = crl.this_update > present.this_update, crl.number > present.number
        if not later and not higher:
            raise InputError("not newer than the list that is there", operation=operation)
        if later != higher:
            raise InputError("its number and its date contradict the list that is there", operation=operation)
    write_private(path, encoded)
    return _listing(path.name, crl, anchor, len(entries), now, MAX_AGE)


def _present(path: Path) -> Crl | None:
    try:
        return Crl.parse(read_bounded(path, MAX_CRL_BYTES)) if path.exists() else None
    except (DecodeError, InputError):
        return None


def _signer(crl: Crl, store: TrustStore) -> TrustAnchor | None:
    return next((anchor for anchor in store.anchors if crl.signed_by(anchor)), None)


def list_crls(
    folder: Path, store: TrustStore, *, now: datetime, max_age: timedelta = MAX_AGE
) -> tuple[CrlListing, ...]:
    """What is in a folder, file by file in order of name; empty when there is no such folder.

    Raises:
        InputError: too many files.
    """
    out: list[CrlListing] = []
    paths = sorted(folder.glob("*.crl")) if folder.is_dir() else []
    if len(paths) > MAX_FILES:
        raise InputError("too many files", operation="list revocation lists")
    for path in paths:
        try:
            data = to_der(read_bounded(path, MAX_CRL_BYTES), _PEM_LABEL, limit=MAX_CRL_BYTES)
        except InputError as bad:
            out.append(CrlListing(path.name, "", problem=bad.message))
            continue
        try:
            crl = Crl.parse(data)
            anchor = _signer(crl, store)
            entries = None if anchor is None else len(crl.entries())
        except DecodeError as bad:
            out.append(CrlListing(path.name, hashlib.sha256(data).hexdigest(), problem=bad.message))
            continue
        out.append(_listing(path.name, crl, anchor, entries, now, max_age))
    return tuple(out)


def _listing(
    file: str, crl: Crl, anchor: TrustAnchor | None, entries: int | None, now: datetime, max_age: timedelta
) -> CrlListing:
    return CrlListing(
        file=file,
        sha256=crl.sha256,
        anchor=None if anchor is None else anchor.name,
        purpose=None if anchor is None else anchor.purpose,
        generation=None if anchor is None else anchor.generation,
        municipality=municipality(crl.scope),
        number=crl.number,
        entries=entries,
        this_update=crl.this_update,
        next_update=crl.next_update,
        fresh=anchor is not None and crl.fresh(now, max_age),
        problem=None if anchor is not None else "no CA of this trust store signed it",
    )


def municipality(scope: bytes) -> str:
    """Prefecture and municipality of a list's scope, as the name writes them (jpki.md §1.3)."""
    units, common = names.values(scope, names.UNIT), names.values(scope, names.COMMON_NAME)
    city = (common[-1] if common else "").removesuffix(_SUFFIX)
    return " / ".join(part for part in (units[-1] if units else "", city) if part)
