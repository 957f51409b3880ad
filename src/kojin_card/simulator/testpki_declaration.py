"""What ``fixtures/pki/simulator.toml`` declares, read strictly into frozen values. It builds nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kojin_card.errors import SpecError
from kojin_card.pki.profile import Purpose, Store, load_profiles
from kojin_card.spec.strict import Table, parse_toml, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.resources.abc import Traversable
    from pathlib import Path

ORGANIZATION = "JPKI-SIMULATOR"
"""The only organization that the simulator's CAs may carry (ARCHITECTURE §5: three stores, never mixed)."""

REASONS = (
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
)
"""Reasons that J-LIS's statement of practice lists (jpki.md §3), by their names in RFC 5280 §5.3.1."""

MAX_SERIAL = (1 << 159) - 1
_INVALID_HOST = re.compile(r"http://(?:[a-z0-9-]+\.)+invalid(?:/[a-z0-9./-]*)?")
_ROMAJI = re.compile(r"[A-Za-z-]{1,64}")


@dataclass(frozen=True, slots=True)
class Authority:
    """Names and addresses that all CAs share."""

    country: str
    organization: str
    operator: str
    organization_ja: str
    operator_ja: str
    cps: str
    ocsp: str


@dataclass(frozen=True, slots=True)
class Unit:
    """The OU that tells the two purposes apart, and the same in Japanese."""

    name: str
    name_ja: str


@dataclass(frozen=True, slots=True)
class DeclaredCa:
    """One CA: a generation of a purpose, and the label of its key.

    Attributes:
        profile: id of the certificate profile that it issues (``pki/data/profiles.toml``).
    """

    label: str
    purpose: Purpose
    generation: int
    serial: int
    not_before: datetime
    not_after: datetime
    key: str
    profile: str


@dataclass(frozen=True, slots=True)
class Municipality:
    """市区町村: where certificates are issued; it has a CRL of its own and the key that signs the card's records.

    Attributes:
        code: 市区町村コード, five digits.
        window: the rest of 受付窓口識別記号 after the code, four characters (jpki.md §1.2).
    """

    code: str
    prefecture: str
    city: str
    window: str
    record_key: str
    record_key_version: str


@dataclass(frozen=True, slots=True)
class CrlSettings:
    """How long a CRL lasts and from where its number counts."""

    validity_hours: int
    number_epoch: datetime


@dataclass(frozen=True, slots=True)
class CvApplication:
    """Key ids and CA key of one application's card-verifiable certificates (card.md §2.7)."""

    name: str
    ca_key_id: bytes
    ca_key: str
    holder_number: str
    holder_tail: bytes


@dataclass(frozen=True, slots=True)
class CvIntermediate:
    """The key between an application's CA and what it certifies: the card manager's chain (card.md §2.5)."""

    application: str
    key_id: bytes
    key: str


@dataclass(frozen=True, slots=True)
class CvSettings:
    """Everything about card-verifiable certificates.

    Attributes:
        layout: application and id of the layout in the card's specification.
    """

    qualifier: bytes
    layout: tuple[str, str]
    applications: Mapping[str, CvApplication]
    intermediate: CvIntermediate

    def holder_key_id(self, application: str, municipality: Municipality) -> bytes:
        """被証明者鍵ID: the id of the key with which that municipality signs that application's records, 16 bytes."""
        row = self.applications[application]
        return _key_id(row.holder_number, self.qualifier, municipality.record_key_version, row.holder_tail)


@dataclass(frozen=True, slots=True)
class LicenceIssuer:
    """Who signs driving licences on the card (card.md §2.9): names as the record carries them, and the key."""

    serial: str
    issuer: str
    subject: str
    key: str


@dataclass(frozen=True, slots=True)
class DeclaredRevocation:
    """A revocation that every CRL of its CA and municipality lists from its date on."""

    purpose: Purpose
    generation: int
    municipality: str
    serial: int
    date: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """The whole file."""

    authority: Authority
    units: Mapping[Purpose, Unit]
    cas: tuple[DeclaredCa, ...]
    municipalities: Mapping[str, Municipality]
    crl: CrlSettings
    cv: CvSettings
    revocations: tuple[DeclaredRevocation, ...]
    licence: LicenceIssuer


def load_declaration(source: Traversable | Path, *, key_use: Callable[[str], str | None]) -> Declaration:
    """Read a declared test PKI.

    Args:
        source: the TOML file.
        key_use: what a key of the pool is reserved for, or None when the pool has no such key.

    Raises:
        SpecError: unreadable, not TOML, an unknown or missing key, a wrong type, an impossible value, a duplicate, or a
            reference to something that is not declared. ``details`` has ``file`` and ``table``.
    """
    try:
        text = source.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise SpecError("not a readable text file", file=source.name, table="") from None
    top = parse_toml(text, source.name)
    if top.take("schema", int) != 1:
        raise top.error("schema must be 1")
    authority = _authority(top.table("authority"))
    units = _units(top.table("unit"))
    municipalities = _municipalities(top, key_use)
    cas = _cas(top, key_use)
    declaration = Declaration(
        authority,
        units,
        cas,
        municipalities,
        _crl(top.table("crl")),
        _cv(top.table("cv"), key_use),
        _revocations(top, cas, municipalities),
        _licence(top.table("licence"), key_use),
    )
    top.done()
    return declaration


def _authority(table: Table) -> Authority:
    texts = {
        name: _text(table, name) for name in ("country", "organization", "operator", "organization_ja", "operator_ja")
    }
    urls = {name: table.take(name, str) for name in ("cps", "ocsp")}
    table.done()
    if texts["organization"] != ORGANIZATION:
        raise table.error(f"organization must be {ORGANIZATION}: the simulator issues under no other name")
    if not re.fullmatch(r"[A-Z]{2}", texts["country"]):
        raise table.error("country must be two capital letters")
    for name, url in urls.items():
        if not _INVALID_HOST.fullmatch(url):
            raise table.error(f"{name} must be an http address under .invalid")
    return Authority(**texts, **urls)


def _units(table: Table) -> dict[Purpose, Unit]:
    units = {}
    for purpose in Purpose:
        row = table.table(purpose.value)
        units[purpose] = Unit(_text(row, "name"), _text(row, "name_ja"))
        row.done()
    table.done()
    return units


def _cas(top: Table, key_use: Callable[[str], str | None]) -> tuple[DeclaredCa, ...]:
    labels: dict[str, DeclaredCa] = {}
    generations: dict[str, DeclaredCa] = {}
    serials: dict[str, DeclaredCa] = {}
    keys: dict[str, DeclaredCa] = {}
    for table in top.tables("ca", required=True):
        purpose = table.choice("purpose", Purpose)
        ca = DeclaredCa(
            _text(table, "label"),
            purpose,
            _number(table, "generation", 1, 99),
            _number(table, "serial", 1, MAX_SERIAL),
            _moment(table, "not_before"),
            _moment(table, "not_after"),
            _key(table, "key", "ca", key_use),
            _profile(table, purpose),
        )
        table.done()
        if ca.not_before >= ca.not_after:
            raise table.error("not_before must come before not_after")
        unique(table, labels, ca.label, ca)
        unique(table, generations, f"{ca.purpose} generation {ca.generation}", ca)
        unique(table, serials, f"{ca.purpose} serial {ca.serial:X}", ca)
        unique(table, keys, ca.key, ca)
    for purpose in Purpose:
        if not any(ca.purpose is purpose for ca in labels.values()):
            raise top.error(f"no ca of purpose {purpose}")
    return tuple(labels.values())


def _profile(table: Table, purpose: Purpose) -> str:
    """The profile that a CA issues; today's of its purpose when nothing is said."""
    here = [profile.id for profile in load_profiles().of(purpose, Store.SIMULATOR)]
    name = table.take("profile", str, here[0])
    if name not in here:
        raise table.error("profile must be one of its purpose: " + ", ".join(here))
    return name


def _municipalities(top: Table, key_use: Callable[[str], str | None]) -> dict[str, Municipality]:
    codes: dict[str, Municipality] = {}
    keys: dict[str, Municipality] = {}
    versions: dict[str, Municipality] = {}
    for table in top.tables("municipality", required=True):
        row = _municipality(table, key_use)
        unique(table, codes, row.code, row)
        unique(table, keys, row.record_key, row)
        unique(table, versions, row.record_key_version, row)  # two keys of one 被証明者鍵ID could not be told apart
    return codes


def _municipality(table: Table, key_use: Callable[[str], str | None]) -> Municipality:
    row = Municipality(
        _matching(table, "code", r"\d{5}", "five digits"),
        _matching(table, "prefecture", _ROMAJI.pattern, "Latin letters and hyphens"),
        _matching(table, "city", _ROMAJI.pattern, "Latin letters and hyphens"),
        _matching(table, "window", r"[0-9A-Z]{4}", "four capital letters or digits"),
        _key(table, "record_key", "municipality", key_use),
        _matching(table, "record_key_version", r"\d{3}", "three digits"),
    )
    table.done()
    return row


def _crl(table: Table) -> CrlSettings:
    settings = CrlSettings(_number(table, "validity_hours", 1, 24 * 366), _moment(table, "number_epoch"))
    table.done()
    return settings


def _cv(table: Table, key_use: Callable[[str], str | None]) -> CvSettings:
    qualifier = table.hex("qualifier", size=(2, 2))
    layout = _matching(table, "layout", r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*", "application/layout").split("/")
    version = _matching(table, "ca_version", r"\d{3}", "three digits")
    applications: dict[str, CvApplication] = {}
    keys: dict[str, CvApplication] = {}
    for row in table.tables("application", required=True):
        number = _matching(row, "ca_number", r"90\d{5}", "seven digits that begin with 90 (never a real number)")
        application = CvApplication(
            _text(row, "name"),
            _key_id(number, qualifier, version, row.hex("ca_tail", size=(4, 4))),
            _key(row, "ca_key", "cv-ca", key_use),
            _matching(row, "holder_number", r"90\d{5}", "seven digits that begin with 90 (never a real number)"),
            row.hex("holder_tail", size=(4, 4)),
        )
        row.done()
        unique(row, applications, application.name, application)
        unique(row, keys, application.ca_key, application)
    between = table.table("intermediate")
    number = _matching(between, "number", r"90\d{5}", "seven digits that begin with 90 (never a real number)")
    intermediate = CvIntermediate(
        between.take("application", str),
        _key_id(number, qualifier, version, between.hex("tail", size=(4, 4))),
        _key(between, "key", "cv-ca", key_use),
    )
    if intermediate.application not in applications or intermediate.key in keys:
        raise between.error("application must be a declared one, key none of theirs")
    between.done()
    table.done()
    return CvSettings(qualifier, (layout[0], layout[1]), applications, intermediate)


def _licence(table: Table, key_use: Callable[[str], str | None]) -> LicenceIssuer:
    pattern, words = rf"C=JP,O={ORGANIZATION},[ -~]+", f"ASCII, of O={ORGANIZATION}"
    issuer = LicenceIssuer(
        serial=_matching(table, "serial", r"\d{16}", "sixteen digits"),
        issuer=_matching(table, "issuer", pattern, words),
        subject=_matching(table, "subject", pattern, words),
        key=_key(table, "key", "licence", key_use),
    )
    table.done()
    return issuer


def _revocations(
    top: Table, cas: tuple[DeclaredCa, ...], municipalities: Mapping[str, Municipality]
) -> tuple[DeclaredRevocation, ...]:
    rows: dict[str, DeclaredRevocation] = {}
    for table in top.tables("revocation"):
        row = _revocation(table, cas, municipalities)
        unique(table, rows, f"{row.purpose} generation {row.generation} serial {row.serial:X}", row)
    return tuple(rows.values())


def _revocation(
    table: Table, cas: tuple[DeclaredCa, ...], municipalities: Mapping[str, Municipality]
) -> DeclaredRevocation:
    row = DeclaredRevocation(
        table.choice("purpose", Purpose),
        _number(table, "generation", 1, 99),
        table.take("municipality", str),
        _number(table, "serial", 1, MAX_SERIAL),
        _moment(table, "date"),
        table.take("reason", str),
    )
    table.done()
    if not any((ca.purpose, ca.generation) == (row.purpose, row.generation) for ca in cas):
        raise table.error("no such ca is declared")
    if row.municipality not in municipalities:
        raise table.error("no such municipality is declared")
    if row.reason not in REASONS:
        raise table.error("reason must be one of " + ", ".join(REASONS))
    return row


def _text(table: Table, key: str) -> str:
    """A name that fits into one attribute of a distinguished name (RFC 5280: 64 characters)."""
    text = table.take(key, str)
    if not 1 <= len(text) <= 64 or not text.isprintable():
        raise table.error(f"{key} must be 1 to 64 printable characters")
    return text


def _matching(table: Table, key: str, pattern: str, words: str) -> str:
    text = table.take(key, str)
    if not re.fullmatch(pattern, text, re.ASCII):
        raise table.error(f"{key} must be {words}")
    return text


def _number(table: Table, key: str, least: int, most: int) -> int:
    number = table.take(key, int)
    if not least <= number <= most:
        raise table.error(f"{key} is out of range")
    return number


def _moment(table: Table, key: str) -> datetime:
    """A whole second in UTC that UTCTime can write."""
    moment = table.take(key, datetime)
    if moment.utcoffset() is None or moment.microsecond or not 1950 <= moment.year < 2050:
        raise table.error(f"{key} must be a whole second with an offset, 1950 to 2049")
    return moment.astimezone(UTC)


def _key(table: Table, key: str, use: str, key_use: Callable[[str], str | None]) -> str:
    label = table.take(key, str)
    if key_use(label) != use:
        raise table.error(f"{key} must name a key that the pool reserves for {use}")
    return label


def _key_id(number: str, qualifier: bytes, version: str, tail: bytes) -> bytes:
    """The 16 bytes of a key id (card.md §2.7)."""
    return number.encode("ascii") + qualifier + version.encode("ascii") + tail
