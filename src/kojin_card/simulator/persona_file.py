"""Reading personas (``fixtures/personas/*.toml``) and the profiles of the cards they carry, strictly.

Everything is declared: the code knows what to do with a value, never which value. An error names the file and the
table, never what stands there.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from kojin_card.errors import SpecError, UsageError
from kojin_card.pki.profile import Purpose, load_profiles
from kojin_card.resources import data_root
from kojin_card.simulator.persona import (
    Born,
    DeclaredFile,
    DeclaredRevocation,
    Images,
    Persona,
    Profile,
    Reference,
    Validity,
)
from kojin_card.simulator.state import MAX_COUNTER
from kojin_card.spec.load import evidence
from kojin_card.spec.strict import Table, parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from kojin_card.pki.profile import CertificateProfile

SCHEMA = 1
FOLDER = "fixtures/personas"
MAX_FILE = 65535
_ID = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_REFERENCE = re.compile(r"([a-z][a-z0-9_]*)/([a-z][a-z0-9_]*)\Z")
_IMAGE = re.compile(r"images/[a-z0-9-]{1,64}\.(png|jp2)\Z")
_ATR_SIZE = (2, 33)
_MAX_BASES = 4
_MAX_TEXT = 1024 * 1024
_MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "jp2": b"\x00\x00\x00\x0cjP  \r\n\x87\n"}


def persona_names(folder: Traversable | None = None) -> tuple[str, ...]:
    """Ids of the personas that came with the package (or are in ``folder``), sorted."""
    root = data_root(FOLDER) if folder is None else folder
    return tuple(sorted(item.name[:-5] for item in root.iterdir() if item.name.endswith(".toml")))


def profile_names() -> tuple[str, ...]:
    """Ids of the profiles that came with the package, sorted."""
    return persona_names(data_root(FOLDER).joinpath("profiles"))


def load_profile(name: str) -> Profile:
    """A profile that came with the package: another card for a persona (``dataclasses.replace``).

    Raises:
        UsageError: there is none of that name.
        SpecError: its file is malformed.
    """
    if name not in (known := profile_names()):
        raise UsageError(f"no such profile; there are: {', '.join(known)}")
    return _profile(data_root(FOLDER), name)


def load_persona(name: str, folder: Traversable | None = None, *, drawn: bool = False) -> Persona:
    """The persona ``name``, strictly read.

    Args:
        drawn: its texts are drawn with a font: images that are named and not there are left out.
        folder: where ``name.toml`` is, with its ``images``; a profile that is not in its ``profiles`` is the package's.

    Raises:
        UsageError: there is none of that name.
        SpecError: its file, or its profile's, is malformed (``details``: ``file`` and ``table``).
    """
    root = data_root(FOLDER) if folder is None else folder
    if not (_ID.fullmatch(name) and root.joinpath(f"{name}.toml").is_file()):
        raise UsageError("no such persona", known=", ".join(persona_names()))
    top = _open(root, f"{name}.toml")
    head = top.table("persona")
    if head.take("id", str) != name:
        raise head.error("id must be the file's name")
    profile = _profile(root, head.take("profile", str)) if head.has("profile") else None
    holder, card, pins = top.table("holder"), top.table("card"), top.table("pins")
    files = _files(top)
    unset, absent = (frozenset(_reference(pins, text) for text in pins.texts(key, ())) for key in ("unset", "absent"))
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
            images=_images(top, root, name_text, address_text, drawn=drawn),
            tries=tries,
            certified_name=holder.take("certified_name", str, ""),
            applications=card.texts("applications", ()),
            absent=absent,
            issued_days_ago=_days(card, "issued_days_ago") if card.has("issued_days_ago") else 0,
            revocations=tuple(_revocation(row) for row in top.tables("revocation")),
        )
    except UsageError as bad:
        raise top.error(bad.message) from None
    for table in (head, holder, card, pins, top):
        table.done()
    return persona


def _open(folder: Traversable, name: str) -> Table:
    try:
        text = _bytes(folder.joinpath(name), _MAX_TEXT).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        raise SpecError("not a readable text file", file=name, table="") from None
    top = parse_toml(text, name)
    if top.take("schema", int) != SCHEMA:
        raise top.error(f"schema must be {SCHEMA}")
    return top


def _bytes(file: Traversable, limit: int) -> bytes:
    """What is in a regular file, at most one byte more than ``limit``: a pipe or a device never ends.

    Raises:
        OSError: it is none, or cannot be read.
    """
    if not file.is_file():
        raise FileNotFoundError(file.name)
    with file.open("rb") as stream:
        return stream.read(limit + 1)


def _profile(root: Traversable, name: str, *, depth: int = 0) -> Profile:
    """A profile. One with a ``base`` says only what is different; it adds to the tables of that one, row by row."""
    if not _ID.fullmatch(name) or depth > _MAX_BASES:
        raise SpecError("profile is an id, and bases end somewhere", file=name[:64], table="persona")
    file = f"{name}.toml"
    folders = (root.joinpath("profiles"), data_root(FOLDER).joinpath("profiles"))
    top = _open(next((one for one in folders if one.joinpath(file).is_file()), folders[1]), file)
    head = top.table("profile")
    if head.take("id", str) != name:
        raise head.error("id must be the file's name")
    base = _profile(root, head.take("base", str), depth=depth + 1) if head.has("base") else None
    roles = top.table("roles") if base is None or top.has("roles") else None
    own = (
        {} if roles is None else {(app, key): role for app in roles.left() for key, role in roles.text_map(app).items()}
    )
    profile = Profile(
        id=name,
        name_ja=head.take("name_ja", str),
        name_en=head.take("name_en", str),
        atr=head.hex("atr", size=_ATR_SIZE, default=base.atr) if base else head.hex("atr", size=_ATR_SIZE),
        validity=base.validity if base and not top.has("validity") else _validity(top.table("validity")),
        roles={**(base.roles if base else {}), **own},
        files=_merged(base.files if base else {}, _files(top)),
        evidence=evidence(head),
        tries={**(base.tries if base else {}), **_tries(top)},
        applications=head.texts("applications", base.applications if base else ()),
        variants=frozenset(head.texts("variants", ())) | (base.variants if base else frozenset()),
        certificates=_certificates(top, base),
    )
    for table in filter(None, (head, roles, top)):
        table.done()
    return profile


def _certificates(top: Table, base: Profile | None) -> dict[Purpose, CertificateProfile]:
    """``[certificates]``: the profile of each purpose's certificate; where nothing is said the base's, or today's."""
    known, named = load_profiles(), top.text_map("certificates") if top.has("certificates") else {}
    if not named.keys() <= set(Purpose):
        raise top.error("certificates has signature and authentication")
    out = {} if base is None else dict(base.certificates)
    try:
        return {**{purpose: known.named(purpose) for purpose in Purpose}, **out} | {
            Purpose(purpose): known.named(Purpose(purpose), name) for purpose, name in named.items()
        }
    except UsageError as bad:
        raise top.error(f"certificates: {bad.message}") from None


def _merged(
    base: Mapping[Reference, DeclaredFile], own: Mapping[Reference, DeclaredFile]
) -> dict[Reference, DeclaredFile]:
    """The files of a base with those that a profile adds; values of a layout are added one by one."""
    both = {
        name: replace(file, values={**base[name].values, **file.values})
        for name, file in own.items()
        if name in base and file.values and base[name].values
    }
    return {**base, **own, **both}


def _validity(table: Table) -> Validity:
    validity = Validity(
        adult_age=_years(table, "adult_age"),
        adult_birthdays=_years(table, "adult_birthdays"),
        minor_birthdays=_years(table, "minor_birthdays"),
        signature_age=_years(table, "signature_age"),
        evidence=evidence(table),
    )
    table.done()
    return validity


def _revocation(row: Table) -> DeclaredRevocation:
    revocation = DeclaredRevocation(
        row.choice("purpose", Purpose), _days(row, "days_after_issue"), row.take("reason", str), evidence(row)
    )
    row.done()
    return revocation


def _days(table: Table, key: str) -> int:
    value = table.take(key, int)
    if not 0 < value < 36525:
        raise table.error(f"{key} must be 1 to 36524")
    return value


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
    years = _years(birth, "years_before_issue")
    if birth.has("days_after_issue"):
        born = Born(1, 1, years_before_issue=years, days_after_issue=_days(birth, "days_after_issue"))
    else:
        born = Born(birth.take("month", int), birth.take("day", int), years_before_issue=years)
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


def _images(top: Table, root: Traversable, name: str, address: str, *, drawn: bool) -> Images:
    if not top.has("images"):
        return Images()
    table = top.table("images")
    wanted = {key: _image(table, root, key, drawn=drawn) for key in ("name", "address", "photo") if table.has(key)}
    table.done()
    texts = {text: wanted[key] for key, text in (("name", name), ("address", address)) if wanted.get(key)}
    return Images(texts, wanted.get("photo", b""))


def _image(table: Table, root: Traversable, key: str, *, drawn: bool) -> bytes:
    """The bytes of an image beside the personas; none of one that is not there but drawn.

    Raises:
        SpecError: a name that leads elsewhere, no such file, or one that no file of a card could hold.
    """
    path = table.take(key, str)
    if not _IMAGE.fullmatch(path):
        raise table.error(f"{key} must be images/<name>.png or .jp2")
    try:
        data = _bytes(root.joinpath(*path.split("/")), MAX_FILE)
    except OSError as bad:
        if drawn and isinstance(bad, FileNotFoundError):
            return b""
        raise table.error(f"{key}: no such image") from None
    if len(data) > MAX_FILE:
        raise table.error(f"{key} is too long for a card")
    if not data.startswith(_MAGIC[path[-3:]]):
        raise table.error(f"{key} is no {path[-3:]} image")
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
