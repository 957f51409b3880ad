"""Who a software card belongs to: personas (``fixtures/personas/*.toml``) and the profile of the card they carry.

Everything is declared: the code knows what to do with a value, never which value. Names, numbers and PINs are invented,
but they are treated like real ones: nothing of them shows in a ``repr`` or an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from kojin_card.errors import SpecError, UsageError
from kojin_card.pki.profile import Purpose, load_profiles
from kojin_card.resources import data_root
from kojin_card.simulator.state import MAX_COUNTER
from kojin_card.spec.load import evidence
from kojin_card.spec.strict import Table, parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from kojin_card.pki.profile import CertificateProfile
    from kojin_card.spec.model import Evidence

SCHEMA = 1
FOLDER = "fixtures/personas"
MAX_FILE = 65535
_ID = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_REFERENCE = re.compile(r"([a-z][a-z0-9_]*)/([a-z][a-z0-9_]*)\Z")
_IMAGE = re.compile(r"images/[a-z0-9-]{1,64}\.(png|jp2)\Z")
_CHECK_WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)  # card.md §7
_ATR_SIZE = (2, 33)

Reference = tuple[str, str]  # application and file or key, as the specs name them


@dataclass(frozen=True, slots=True)
class DeclaredFile:
    """What a persona or profile says of one file; exactly what was declared is set.

    Attributes:
        octets: every physical byte of a transparent file.
        records: every record of a record file.
        values: values of some or all fields of its layout: numbers, text, or hex where the field is bytes.
        filler: so many bytes FF after the content.
    """

    evidence: Evidence
    octets: bytes | None = field(default=None, repr=False)
    records: tuple[bytes, ...] = field(default=(), repr=False)
    values: Mapping[str, str | int] = field(default_factory=dict, repr=False)
    filler: int = 0


@dataclass(frozen=True, slots=True)
class Images:
    """Images of the card's face that were rendered or drawn before.

    Attributes:
        texts: PNG by the text that it shows.
        photo: JPEG 2000, or empty for a card without one.
    """

    texts: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    photo: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Validity:
    """How long cards last, counted in birthdays after issue, and who gets a signature certificate."""

    adult_age: int
    adult_birthdays: int
    minor_birthdays: int
    signature_age: int
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of card.

    Attributes:
        roles: for each private key, the role of the key pool that it is.
        certificates: for each purpose, the id of the certificate profile (``pki/data/profiles.toml``) of this card;
            its kind of key is that of the role of the same name.
        tries: counters of the secrets whose number of tries the specs do not know.
    """

    id: str
    name_ja: str
    name_en: str
    atr: bytes
    validity: Validity
    roles: Mapping[Reference, str]
    files: Mapping[Reference, DeclaredFile]
    evidence: Evidence
    tries: Mapping[Reference, int] = field(default_factory=dict)
    certificates: Mapping[Purpose, CertificateProfile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Born:
    """A birthday: on a fixed date (``year``), or in the year so many years before the card's issue."""

    month: int = field(repr=False)
    day: int = field(repr=False)
    year: int | None = field(default=None, repr=False)
    years_before_issue: int = field(default=0, repr=False)

    def on(self, issued: date) -> date:
        """The date of birth of somebody whose card is issued on that day (29 February falls back to the 28th).

        Raises:
            UsageError: there is no such day.
        """
        year = self.year if self.year is not None else issued.year - self.years_before_issue
        try:
            return date(year, self.month, self.day)
        except (ValueError, OverflowError):
            if (self.month, self.day) == (2, 29):
                return date(year, 2, 28)
            raise UsageError("not a birthday") from None


@dataclass(frozen=True, slots=True)
class Persona:
    """An invented holder and the card she carries. Change one with ``dataclasses.replace``; the checks run again.

    Attributes:
        profile: None for a card that consists of ``files`` alone.
        expiry: last day; None counts birthdays by the profile.
        pins: values by ``(application, key)``; 照合番号A and B are computed.
        unset: references that are there without a value, and so blocked.
        files: declared contents of files and data objects; they win over those of the profile and over what would be
            made.
        tries: counters that the specs do not know and the profile does not give.
        certified_name: the name in certificates where substitutes (代替文字) stand in it; empty: the name itself.

    Raises:
        UsageError: a wrong check digit of 個人番号, or a number, flag or date of another form.
    """

    id: str
    name_ja: str
    name_en: str
    profile: Profile | None
    seed: str
    name: str = field(repr=False)
    name_substitutes: str = field(repr=False)
    address: str = field(repr=False)
    address_substitutes: str = field(repr=False)
    born: Born = field(repr=False)
    sex: str = field(repr=False)
    my_number: str = field(repr=False)
    municipality: str
    serial: str = field(repr=False)
    token_serial: str = field(repr=False)
    security_code: str = field(repr=False)
    expiry: date | None = field(repr=False)
    atr: bytes
    pins: Mapping[Reference, str] = field(repr=False)
    unset: frozenset[Reference] = frozenset()
    files: Mapping[Reference, DeclaredFile] = field(default_factory=dict, repr=False)
    images: Images = field(default_factory=Images, repr=False)
    tries: Mapping[Reference, int] = field(default_factory=dict)
    certified_name: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        self.born.on(date(2000, 1, 1))
        if not is_my_number(self.my_number):
            raise UsageError("my_number is 12 digits of which the last is the check digit")
        for name, digits in (("municipality", 5), ("serial", 15), ("security_code", 4)):
            if not _digits(getattr(self, name), digits):
                raise UsageError(f"{name} is {digits} digits")
        for text, flags in ((self.name, self.name_substitutes), (self.address, self.address_substitutes)):
            if len(text) != len(flags) or set(flags) - {"0", "1"}:
                raise UsageError("substitutes has one 0 or 1 for each character of its text")
        if self.certified_name and len(self.certified_name) != len(self.name):
            raise UsageError("certified_name has one character for each of the name")
        if any(not value.isascii() or not value for value in self.pins.values()):
            raise UsageError("a PIN is ASCII and not empty")
        if self.profile is None and self.expiry is None:
            raise UsageError("a card without a profile needs its expiry")


def is_my_number(text: str) -> bool:
    """Whether ``text`` is 12 digits with the right check digit (card.md §7)."""
    if not _digits(text, 12):
        return False
    remainder = sum(weight * int(digit) for weight, digit in zip(_CHECK_WEIGHTS, text, strict=False)) % 11
    return int(text[-1]) == (0 if remainder <= 1 else 11 - remainder)


def persona_names(folder: Traversable | None = None) -> tuple[str, ...]:
    """Ids of the personas that came with the package (or are in ``folder``), sorted."""
    root = data_root(FOLDER) if folder is None else folder
    return tuple(sorted(item.name[:-5] for item in root.iterdir() if item.name.endswith(".toml")))


def load_persona(name: str, folder: Traversable | None = None) -> Persona:
    """The persona ``name``, strictly read.

    Raises:
        UsageError: there is none of that name.
        SpecError: its file, or its profile's, is malformed (``details``: ``file`` and ``table``).
    """
    root = data_root(FOLDER) if folder is None else folder
    if name not in persona_names(root):
        raise UsageError("no such persona", known=", ".join(persona_names(root)))
    top = _open(root, f"{name}.toml")
    head = top.table("persona")
    if head.take("id", str) != name:
        raise head.error("id must be the file's name")
    profile = _profile(root, head.take("profile", str)) if head.has("profile") else None
    holder, card, pins = top.table("holder"), top.table("card"), top.table("pins")
    files = _files(top)
    unset = frozenset(_reference(pins, text) for text in pins.texts("unset", ()))
    evidence(pins)
    tries = _tries(top)
    values = {
        (application, key): value for application in pins.left() for key, value in pins.text_map(application).items()
    }
    name_text, address_text = holder.take("name", str), holder.take("address", str)
    try:
        persona = Persona(
            id=name,
            name_ja=head.take("name_ja", str),
            name_en=head.take("name_en", str),
            profile=profile,
            seed=head.take("seed", str, name),
            name=name_text,
            name_substitutes=holder.take("name_substitutes", str),
            address=address_text,
            address_substitutes=holder.take("address_substitutes", str),
            born=_born(holder),
            sex=holder.take("sex", str),
            my_number=holder.take("my_number", str),
            municipality=card.take("municipality", str),
            serial=card.take("serial", str),
            token_serial=card.take("token_serial", str, ""),
            security_code=card.take("security_code", str),
            expiry=card.take("expiry", date) if card.has("expiry") else None,
            atr=card.hex("atr", size=_ATR_SIZE) if profile is None or card.has("atr") else profile.atr,
            pins=values,
            unset=unset,
            files=files,
            images=_images(top, root, name_text, address_text),
            tries=tries,
            certified_name=holder.take("certified_name", str, ""),
        )
    except UsageError as bad:
        raise top.error(bad.message) from None
    for table in (head, holder, card, pins, top):
        table.done()
    return persona


def _digits(text: str, count: int) -> bool:
    return len(text) == count and text.isascii() and text.isdigit()


def _open(folder: Traversable, name: str) -> Table:
    try:
        text = folder.joinpath(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise SpecError("not a readable text file", file=name, table="") from None
    top = parse_toml(text, name)
    if top.take("schema", int) != SCHEMA:
        raise top.error(f"schema must be {SCHEMA}")
    return top


def _profile(root: Traversable, name: str) -> Profile:
    if not _ID.fullmatch(name):
        raise SpecError("profile is an id", file=name[:64], table="persona")
    top = _open(root.joinpath("profiles"), f"{name}.toml")
    head, validity, roles = top.table("profile"), top.table("validity"), top.table("roles")
    if head.take("id", str) != name:
        raise head.error("id must be the file's name")
    profile = Profile(
        id=name,
        name_ja=head.take("name_ja", str),
        name_en=head.take("name_en", str),
        atr=head.hex("atr", size=_ATR_SIZE),
        validity=Validity(
            adult_age=_years(validity, "adult_age"),
            adult_birthdays=_years(validity, "adult_birthdays"),
            minor_birthdays=_years(validity, "minor_birthdays"),
            signature_age=_years(validity, "signature_age"),
            evidence=evidence(validity),
        ),
        roles={
            (application, key): role
            for application in roles.left()
            for key, role in roles.text_map(application).items()
        },
        files=_files(top),
        evidence=evidence(head),
        tries=_tries(top),
        certificates=_certificates(top),
    )
    for table in (head, validity, roles, top):
        table.done()
    return profile


def _certificates(top: Table) -> dict[Purpose, CertificateProfile]:
    """``[certificates]``: the profile of each purpose; today's where nothing is said."""
    known = load_profiles()
    named = top.text_map("certificates") if top.has("certificates") else {}
    if not named.keys() <= set(Purpose):
        raise top.error("certificates has signature and authentication")
    try:
        return {purpose: known.named(purpose, named.get(purpose)) for purpose in Purpose}
    except UsageError as bad:
        raise top.error(f"certificates: {bad.message}") from None


def _years(table: Table, key: str) -> int:
    value = table.take(key, int)
    if not 0 < value < 100:
        raise table.error(f"{key} must be 1 to 99")
    return value


def _born(table: Table) -> Born:
    if table.has("birth_date"):
        day = table.take("birth_date", date)
        return Born(day.month, day.day, year=day.year)
    birth = table.table("birth")
    born = Born(
        birth.take("month", int), birth.take("day", int), years_before_issue=_years(birth, "years_before_issue")
    )
    birth.done()
    return born


def _files(top: Table) -> dict[Reference, DeclaredFile]:
    files: dict[Reference, DeclaredFile] = {}
    for row in (*top.tables("file"), *top.tables("object")):
        reference = row.take("application", str), row.take("id", str)
        declared = DeclaredFile(
            evidence=evidence(row),
            octets=row.hex("hex", size=(1, MAX_FILE)) if row.has("hex") else None,
            records=_records(row),
            values=_values(row),
            filler=row.take("filler", int, 0),
        )
        row.done()
        said = [declared.octets is not None, bool(declared.records), bool(declared.values or declared.filler)]
        if sum(said) != 1:
            raise row.error("exactly one of hex, records, values (with filler)")
        if not 0 <= declared.filler <= MAX_FILE:
            raise row.error(f"filler must be 0 to {MAX_FILE}")
        if reference in files:
            raise row.error("the file or object stands twice")
        files[reference] = declared
    return files


def _tries(top: Table) -> dict[Reference, int]:
    tries: dict[Reference, int] = {}
    for row in top.tables("tries"):
        reference = row.take("application", str), row.take("key", str)
        count = row.take("count", int)
        evidence(row)
        row.done()
        if reference in tries or not 1 <= count <= MAX_COUNTER:
            raise row.error(f"count must be 1 to {MAX_COUNTER}, once for each key")
        tries[reference] = count
    return tries


def _images(top: Table, root: Traversable, name: str, address: str) -> Images:
    if not top.has("images"):
        return Images()
    table = top.table("images")
    texts = {text: _image(table, root, key) for key, text in (("name", name), ("address", address)) if table.has(key)}
    photo = _image(table, root, "photo") if table.has("photo") else b""
    table.done()
    return Images(texts, photo)


def _image(table: Table, root: Traversable, key: str) -> bytes:
    """The bytes of an image beside the personas.

    Raises:
        SpecError: a name that leads elsewhere, no such file, or one that no file of a card could hold.
    """
    path = table.take(key, str)
    if not _IMAGE.fullmatch(path):
        raise table.error(f"{key} must be images/<name>.png or .jp2")
    try:
        data = root.joinpath(*path.split("/")).read_bytes()
    except OSError:
        raise table.error(f"{key}: no such image") from None
    if not 1 <= len(data) <= MAX_FILE:
        raise table.error(f"{key} is too long for a card")
    return data


def _records(row: Table) -> tuple[bytes, ...]:
    records = []
    for text in row.texts("records", ()):
        try:
            records.append(bytes.fromhex(text))
        except ValueError as bad:
            raise row.error("records must be quoted hex") from bad
    if any(not record for record in records):
        raise row.error("a record is not empty")
    return tuple(records)


def _values(row: Table) -> dict[str, str | int]:
    values = row.take("values", dict, {})
    if any(type(value) not in (str, int) for value in values.values()):
        raise row.error("values must hold strings and integers only")
    return values


def _reference(table: Table, text: str) -> Reference:
    match = _REFERENCE.fullmatch(text)
    if not match:
        raise table.error("a reference is application/key")
    return match[1], match[2]
