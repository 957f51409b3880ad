"""What every judging command shares: its options, the verifier they describe, and the times."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.files import refuse_existing, refuse_same
from kojin_card.cli.framework import option
from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from kojin_card.cli.keeping import Keeper
    from kojin_card.cli.session import Session
    from kojin_card.pki.revocation import RevocationSource
    from kojin_card.pki.trust import TrustStore
    from kojin_card.verification import Verifier

STORES = ("production", "jlis-test", "simulator")
EVIDENCE_PROFILES = ("minimal", "hanshuho")


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.2
    """A time with its zone, ISO 8601: ``2026-11-24T09:00+09:00`` or ``2026-11-24T00:00:00Z``."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.utcoffset() is None:
            self.fail("a time has its zone: 2026-11-24T09:00+09:00", param, ctx)
        return moment


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.2
    """A length of time in minutes, hours or days: ``90m``, ``24h``, ``2d``."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        count, unit = value[:-1], {"m": "minutes", "h": "hours", "d": "days"}.get(value[-1:])
        if unit is None or not (count.isascii() and count.isdigit() and len(count) <= 5):
            self.fail("a length of time is a number with m, h or d: 24h", param, ctx)
        return timedelta(**{unit: int(count)})


def store_option() -> click.Parameter:
    """``--trust``."""
    return option(
        "--trust", type=click.Choice(STORES), default="production", metavar="STORE", help="trust", show_default=True
    )


def folder_options() -> tuple[click.Parameter, ...]:
    """``--trust-folder`` and ``--revocation``."""
    path = click.Path(path_type=Path)
    return (
        option("--trust-folder", metavar="FOLDER", type=path, help="trust_folder"),
        option("--revocation", metavar="FOLDER", type=path, help="revocation"),
    )


def judging_options(
    *, disclose: bool = True, stamped: bool = False, evidence: bool = False
) -> tuple[click.Parameter, ...]:
    """The options of every command that gives a verdict.

    Args:
        disclose: whether the holder can be shown.
        stamped: what is judged may have time-stamps.
        evidence: whether records can be kept; the command gives each verdict to :meth:`Judging.keeper`.
    """
    path = click.Path(path_type=Path)
    stamps = (
        option("--tsa", metavar="FILE", type=path, multiple=True, help="tsa"),
        option("--timestamp", metavar="FILE", type=path, multiple=True, help="timestamp"),
    )
    return (
        store_option(),
        *folder_options(),
        option("--ocsp", metavar="FILE", type=click.Path(path_type=Path), help="ocsp"),
        option("--at", metavar="TIME", type=Moment(), help="at"),
        option("--received-at", metavar="TIME", type=Moment(), help="received_at"),
        option("--grace", metavar="DURATION", type=Duration(), help="grace"),
        *(stamps if stamped else ()),
        *((option("--disclose", is_flag=True, help="disclose"),) if disclose else ()),
        option("--report", metavar="FILE", help="report"),
        *(_evidence_options() if evidence else ()),
        option("--force", is_flag=True, help="force"),
    )


def _evidence_options() -> tuple[click.Parameter, ...]:
    return (
        option("--evidence", metavar="FOLDER", type=click.Path(path_type=Path), help="evidence"),
        option("--evidence-profile", type=click.Choice(EVIDENCE_PROFILES), help="evidence_profile"),
    )


@dataclass(frozen=True, slots=True)
class Judging:
    """The values of :func:`judging_options`."""

    trust: str
    trust_folder: Path | None
    revocation: Path | None
    at: datetime | None
    received_at: datetime | None
    grace: timedelta | None = None
    ocsp: Path | None = None
    disclose: bool = False
    tsa: tuple[Path, ...] = ()
    timestamp: tuple[Path, ...] = ()
    report: str | None = None
    evidence: Path | None = None
    evidence_profile: str | None = None
    force: bool = False

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Judging:
        """Take them out of a command's options.

        Raises:
            UsageError: both times were given, a report that is no file, a profile of evidence that is not kept.
            OutputExists, OutputFailed: the report could not be written, so nothing is judged for it.
        """
        names = [field.name for field in fields(cls)]
        chosen = cls(**{name: options.pop(name) for name in names if name in options})
        if chosen.at is not None and chosen.received_at is not None:
            raise UsageError("--at and --received-at exclude each other", operation="verify")
        if chosen.evidence_profile is not None and chosen.evidence is None:
            raise UsageError("--evidence-profile says how --evidence FOLDER is kept", operation="verify")
        if chosen.report == "-":
            raise UsageError("a report goes into a file, never to standard output", operation="write a report")
        if chosen.report is not None:
            refuse_existing(Path(chosen.report), force=chosen.force)
        return chosen

    def spare(self, *inputs: str | Path | None) -> None:
        """Refuse a report over what is judged, or over what it is judged by.

        Raises:
            UsageError: the report is one of these files.
        """
        given = (*inputs, self.ocsp, *self.tsa, *self.timestamp)
        refuse_same(self.report, *given, operation="write a report")

    def times(self) -> dict[str, Any]:
        """What the verifier's methods take besides the thing to be judged."""
        return {"at": self.at, "received_at": self.received_at, "disclose": self.disclose}

    def stamps(self) -> dict[str, Any]:
        """What the verifier's methods take of time-stamps that came beside a signature.

        Raises:
            InputError: a file cannot be read.
        """
        from kojin_card.pki.files import read_bounded
        from kojin_card.verification.timestamps import MAX_TOKEN_BYTES

        return {"timestamps": [read_bounded(path, 2 * MAX_TOKEN_BYTES) for path in self.timestamp]}

    def verifier(self, session: Session) -> Verifier:
        """The verifier that the options describe.

        Raises:
            TrustError, SpecError, InputError: the store, its folder, the revocation lists, the file of responders or
                the time-stamping authorities cannot be used.
            MissingExtra: responders are to be asked, and httpx is not installed.
        """
        from kojin_card.pki.tsa import TsaStore
        from kojin_card.verification import Verifier

        tsa = TsaStore.load(self.tsa) if self.tsa else None
        store = trust_store(self.trust, self.trust_folder)
        source = revocation_source(self.revocation)
        if self.ocsp is not None:
            source = with_responders(self.ocsp, store, source)
        return Verifier(store, source, session.now, self.grace, tsa, self.evidence_profile == "hanshuho")

    def keeper(self, session: Session) -> Keeper | None:
        """Who keeps evidence, where some is to be kept.

        Raises:
            OutputFailed: its folder cannot be made.
        """
        if self.evidence is None:
            return None
        from kojin_card.cli.keeping import Keeper

        return Keeper(self.evidence, self.evidence_profile or EVIDENCE_PROFILES[0], session.now(), force=self.force)


def trust_store(store: str, folder: Path | None) -> TrustStore:
    """The store with what was added to it."""
    from kojin_card.cli import places
    from kojin_card.pki.trust import TrustStore

    return TrustStore.load(store, folder=places.trust_folder() if folder is None else folder)


def with_responders(file: Path, store: TrustStore, lists: RevocationSource | None) -> RevocationSource:
    """The OCSP responders that ``file`` names, after the lists where there are any.

    Raises:
        InputError, SpecError: the file cannot be used.
        MissingExtra: httpx is not installed.
    """
    from kojin_card.pki.ocsp_source import Combined, OcspSettings, OcspSource

    asked = OcspSource(OcspSettings.load(file, store))
    return asked if lists is None else Combined(lists, asked)


def revocation_source(where: Path | None) -> RevocationSource | None:
    """The lists in ``where`` (a folder or one file); without it the folder that ``revocation add`` fills, if any.

    Raises:
        UsageError: what was named is not there.
    """
    from kojin_card.cli import places
    from kojin_card.pki.crl_store import CrlFile, CrlFolder

    if where is None:
        kept = places.revocation_folder()
        return CrlFolder(kept) if kept.is_dir() else None
    if where.is_file():
        return CrlFile(where)
    if not where.is_dir():
        raise UsageError("no such file or folder of revocation lists", operation="--revocation", file=where.name)
    return CrlFolder(where)
