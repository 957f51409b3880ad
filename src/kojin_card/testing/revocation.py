"""Revocation data of the test PKI, made when it is asked for: always fresh, whatever the clock says, and no network."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from kojin_card.errors import UsageError
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.crl_store import CrlMemory
from kojin_card.pki.path import find_issuer
from kojin_card.pki.profile import Store
from kojin_card.pki.trust import TrustStore
from kojin_card.simulator.testpki import RevokedEntry
from kojin_card.testing.cards import test_pki

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kojin_card.pki.revocation import Revocable, RevocationAnswer
    from kojin_card.pki.trust import TrustAnchor

#: how long a set of lists is used before a new one is made; far less than the day for which a list counts as fresh
RENEWED_AFTER = timedelta(hours=1)

Revoked = frozenset[tuple[str, RevokedEntry]]


@lru_cache(maxsize=32)
def issue_lists(at: datetime, revoked: Revoked = frozenset()) -> Mapping[str, bytes]:
    """The lists of every CA of the test PKI and every municipality as of ``at``, by names for their files.

    Args:
        revoked: pairs of a CA's label and an entry of its lists; every municipality's list of that CA has it.

    Raises:
        UsageError: no CA of the test PKI is valid at that time, or it has no zone.
    """
    pki = test_pki()
    if at.utcoffset() is None:
        raise UsageError("a time of the test PKI needs a zone")
    lists = {}
    for ca in pki.cas:
        if ca.covers(at):
            entries = [entry for label, entry in sorted(revoked, key=lambda pair: pair[1].serial) if label == ca.label]
            for code in pki.declaration.municipalities:
                lists[f"{ca.label}-{code}.crl"] = pki.crl(
                    ca.purpose, code, this_update=at, generation=ca.generation, revoked=entries
                )
    if not lists:
        raise UsageError("no CA of the test PKI is valid at that time")
    return MappingProxyType(lists)


class FreshLists:
    """A :class:`~kojin_card.pki.revocation.RevocationSource` whose lists are never older than an hour. Thread-safe.

    Nobody is revoked but who stands in the declaration of the test PKI or was given to :meth:`revoke`.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._revoked: Revoked = frozenset()
        self._made: tuple[datetime, CrlMemory] | None = None
        self._lock = threading.Lock()

    def revoke(self, certificate: bytes, *, at: datetime | None = None, reason: str = "keyCompromise") -> None:
        """Put a certificate of the test PKI onto the lists.

        Args:
            certificate: DER.
            at: since when; now, by the clock, when None.
            reason: of RFC 5280 §5.3.1, as JPKI uses them.

        Raises:
            DecodeError: not a certificate. UsageError: not one of the test PKI.
        """
        parsed = Certificate.parse(certificate)
        anchor = find_issuer(parsed, TrustStore.load(Store.SIMULATOR)).anchor
        if anchor is None:
            raise UsageError("only a certificate of the test PKI can be revoked")
        moment = (self._clock() if at is None else at).astimezone(UTC).replace(microsecond=0)
        with self._lock:
            others = {pair for pair in self._revoked if (pair[0], pair[1].serial) != (anchor.name, parsed.serial)}
            self._revoked = frozenset({*others, (anchor.name, RevokedEntry(parsed.serial, moment, reason))})
            self._made = None

    def status(self, certificate: Revocable, issuer: TrustAnchor, at: datetime, *, now: datetime) -> RevocationAnswer:
        """See :meth:`~kojin_card.pki.revocation.RevocationSource.status`."""
        with self._lock:
            if self._made is None or not self._made[0] <= now < self._made[0] + RENEWED_AFTER:
                moment = now.astimezone(UTC).replace(microsecond=0)
                self._made = moment, CrlMemory(issue_lists(moment, self._revoked).values())
            source = self._made[1]
        return source.status(certificate, issuer, at, now=now)

    def write(self, folder: Path) -> Path:
        """Write the lists as of now into ``folder``, for ``--revocation`` or ``CrlFolder``; gives the folder back."""
        moment = self._clock().astimezone(UTC).replace(microsecond=0)
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in issue_lists(moment, self._revoked).items():
            (folder / name).write_bytes(data)
        return folder
