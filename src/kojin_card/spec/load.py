"""TOML to models. Nothing is guessed: what a table does not say is closed, and what it says twice is an error."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from kojin_card.errors import SpecError
from kojin_card.resources import data_root
from kojin_card.spec.access import Access
from kojin_card.spec.layouts import load_layout
from kojin_card.spec.messaging import SecureMessagingSpec
from kojin_card.spec.model import (
    ApplicationSpec,
    CardSpec,
    Change,
    ChangeCommand,
    DigestSpec,
    Evidence,
    EvidenceLevel,
    FileSpec,
    KeyKind,
    KeySpec,
    LayoutSpec,
    ObjectSpec,
    Privacy,
    RecordSpec,
    SchemeSpec,
    SecretFormat,
    SignatureSpec,
    Structure,
    Tries,
)
from kojin_card.spec.strict import Table, parse_toml, unique
from kojin_card.spec.unset import load_unset, unset_problem
from kojin_card.spec.variant import VariantSpec

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from kojin_card.spec.unset import Unset

SCHEMA = 1
_ID = re.compile(r"[a-z][a-z0-9_]*\Z")
_CHARSETS = ("digits", "upper_alphanumeric")
_KEY_ALGORITHMS = ("rsa", "ec")
_WRAPS = ("none", "digest_info", "pss")


def load_card_spec(folder: Traversable | None = None) -> CardSpec:
    """All applications of ``applets_spec/`` (or of another folder), by their ``order``, then by file name.

    Raises:
        SpecError: a file is malformed, two share an id or an AID, or two are current at power-on.
    """
    return _package_spec() if folder is None else _load_folder(folder)


@cache
def _package_spec() -> CardSpec:
    """The package's own specs, read once in a process: a software card and its client take the same frozen value."""
    return _load_folder(data_root("applets_spec"))


def _load_folder(root: Traversable) -> CardSpec:
    applications: dict[str, ApplicationSpec] = {}
    for entry in sorted(root.iterdir(), key=lambda item: item.name):
        if not entry.name.endswith(".toml"):
            continue
        application = load_application(entry.read_text("utf-8"), entry.name)
        if application.id in applications or any(a.aid == application.aid for a in applications.values()):
            raise SpecError(f"{entry.name}: id or AID stands twice", file=entry.name, table="application")
        if application.power_on and any(a.power_on for a in applications.values()):
            raise SpecError(f"{entry.name}: two are current at power-on", file=entry.name, table="application")
        applications[application.id] = application
    return CardSpec(dict(sorted(applications.items(), key=lambda item: item[1].order)))


def load_application(text: str, file: str) -> ApplicationSpec:
    """One application from the text of its TOML file.

    Raises:
        SpecError: with file and table, for anything the language does not allow.
    """
    top = parse_toml(text, file)
    if top.take("schema", int) != SCHEMA:
        raise top.error(f"schema must be {SCHEMA}")
    head = top.table("application")
    layouts: dict[str, LayoutSpec] = {}
    for row in top.tables("layout"):
        layout = load_layout(row, identifier(row), evidence(row))
        unique(row, layouts, layout.id, layout)
    keys: dict[str, KeySpec] = {}
    for row in top.tables("key"):
        key = _key(row)
        unique(row, keys, key.id, key)
    files: dict[str, FileSpec] = {}
    for row in top.tables("file"):
        spec = _file(row, layouts)
        unique(row, files, spec.id, spec)
    objects: dict[str, ObjectSpec] = {}
    for row in top.tables("object"):
        one = _object(row, layouts)
        unique(row, objects, one.id, one)
    schemes: dict[str, SchemeSpec] = {}
    for row in top.tables("scheme"):
        scheme = _scheme(row)
        unique(row, schemes, scheme.id, scheme)
    digests: dict[str, DigestSpec] = {}
    for row in top.tables("digest"):
        digest = _digest(row, files, layouts)
        unique(row, digests, digest.id, digest)
    signatures: dict[str, SignatureSpec] = {}
    for row in top.tables("signature"):
        signature = _signature(row, files, layouts)
        unique(row, signatures, signature.id, signature)
    variants: dict[str, VariantSpec] = {}
    for row in top.tables("variant"):
        variant = _variant(row, files, keys)
        unique(row, variants, variant.id, variant)
    application = ApplicationSpec(
        id=identifier(head),
        aid=head.hex("aid", size=(5, 16)),
        name_en=head.take("name_en", str),
        name_ja=head.take("name_ja", str),
        default_key=head.take("default_key", str, ""),
        evidence=evidence(head),
        source_file=file,
        keys=keys,
        files=files,
        layouts=layouts,
        schemes=schemes,
        digests=digests,
        signatures=signatures,
        objects=objects,
        variants=variants,
        power_on=head.take("power_on", bool, False),
        optional=head.take("optional", bool, False),
        locked_with=head.take("locked_with", str, ""),
        order=head.take("order", int, 100),
        secure_messaging=_secure_messaging(top.table("secure_messaging"), files, layouts)
        if top.has("secure_messaging")
        else None,
    )
    head.done()
    top.done()
    _check(application, head)
    return application


def identifier(table: Table) -> str:
    """The ``id`` of a table.

    Raises:
        SpecError: not lower-case letters, digits and underscores.
    """
    value = table.take("id", str)
    if not _ID.fullmatch(value):
        raise table.error(f"not an id: {value!r}")
    return value


def evidence(table: Table) -> Evidence:
    """The obligatory ``evidence`` and ``source`` (and an optional ``note``) of a table.

    Raises:
        SpecError: one is missing or empty.
    """
    level = table.choice("evidence", EvidenceLevel)
    source = table.take("source", str)
    if not source.strip():
        raise table.error("source must say where the fact is from")
    return Evidence(level, source, table.take("note", str, ""))


def _rule(table: Table, key: str) -> Access:
    text = table.take(key, str, "never")
    try:
        return Access.parse(text)
    except SpecError as bad:
        raise table.error(f"{key}: {bad.message}") from None


def _key(table: Table) -> KeySpec:
    kind = table.choice("kind", KeyKind)
    key = KeySpec(
        id=identifier(table),
        file_id=table.hex("file_id", size=(2, 2)),
        kind=kind,
        name_en=table.take("name_en", str),
        name_ja=table.take("name_ja", str),
        evidence=evidence(table),
        secret=table.take("secret", str) if kind is KeyKind.PIN else "",
        format=_format(table.table("format")) if kind is KeyKind.PIN else None,
        tries=_tries(table.table("tries")) if kind is KeyKind.PIN else None,
        change=_change(table.table("change")) if kind is KeyKind.PIN and table.has("change") else None,
        use=_rule(table, "use") if kind is KeyKind.PRIVATE_KEY else None,
        schemes=table.texts("schemes", ()) if kind is KeyKind.PRIVATE_KEY else (),
        issued_blocked=table.take("issued_blocked", bool, False) if kind is KeyKind.UNKNOWN else False,
        internal_authentication=kind is KeyKind.PRIVATE_KEY and table.take("internal_authentication", bool, False),
        unset=_unset(table.table("unset")) if kind is KeyKind.PIN and table.has("unset") else None,
    )
    table.done()
    return key


def _unset(table: Table) -> Unset:
    return load_unset(table, evidence(table))


def _format(table: Table) -> SecretFormat:
    charset = table.take("charset", str)
    minimum, maximum = table.integers("length", 2)
    requires = table.texts("requires", ())
    value = SecretFormat(charset, minimum, maximum, requires, table.take("fold_upper", bool, False))
    if charset not in _CHARSETS:
        raise table.error(f"charset must be one of {', '.join(_CHARSETS)}")
    if not 1 <= minimum <= maximum <= 255:
        raise table.error("length must be least and most, 1 to 255")
    if not set(requires) <= {"letter", "digit"}:
        raise table.error("requires may hold letter and digit")
    table.done()
    return value


def _tries(table: Table) -> Tries:
    count = table.take("count", int) if table.has("count") else None
    if count is not None and not 1 <= count <= 15:
        raise table.error("count must be 1 to 15 (the x of 63Cx), or absent when unknown")
    value = Tries(count, evidence(table))
    table.done()
    return value


def _change(table: Table) -> Change:
    value = Change(table.choice("command", ChangeCommand), _rule(table, "after"), evidence(table))
    table.done()
    return value


def _scheme(table: Table) -> SchemeSpec:
    minimum, maximum = table.integers("input", 2)
    scheme = SchemeSpec(
        id=identifier(table),
        p1=table.hex("p1", size=(1, 1))[0],
        hashes=table.take("hashes", bool),
        wrap=table.take("wrap", str),
        minimum=minimum,
        maximum=maximum,
        evidence=evidence(table),
        algorithm=table.take("algorithm", str, "rsa"),
    )
    if scheme.algorithm not in _KEY_ALGORITHMS:
        raise table.error(f"algorithm must be one of {', '.join(_KEY_ALGORITHMS)}")
    if scheme.algorithm == "ec" and (scheme.hashes or scheme.wrap != "none"):
        raise table.error("a scheme for ec signs the hash that it is given")
    if scheme.wrap not in _WRAPS:
        raise table.error(f"wrap must be one of {', '.join(_WRAPS)}")
    if not 0 <= minimum <= maximum <= 0xFFFF:
        raise table.error("input must be least and most bytes")
    table.done()
    return scheme


def _file(table: Table, layouts: dict[str, LayoutSpec]) -> FileSpec:
    structure = table.choice("structure", Structure)
    records: list[RecordSpec] = []
    for row in table.tables("records") if structure is Structure.RECORDS else ():
        record = RecordSpec(row.take("number", int), row.take("layout", str, ""))
        if not 1 <= record.number <= 254:
            raise row.error("number must be 1 to 254")
        if record.number in {other.number for other in records}:
            raise row.error("the record stands twice")
        row.done()
        records.append(record)
    spec = FileSpec(
        id=identifier(table),
        file_id=table.hex("file_id", size=(2, 2)),
        structure=structure,
        name_en=table.take("name_en", str),
        name_ja=table.take("name_ja", str),
        read=_rule(table, "read"),
        privacy=table.choice("privacy", Privacy, Privacy.PERSONAL),
        evidence=evidence(table),
        size=table.take("size", int) if table.has("size") else None,
        layout=table.take("layout", str, "") if structure is Structure.TRANSPARENT else "",
        records=tuple(records),
    )
    if spec.size is not None and not 1 <= spec.size <= 0xFFFF:
        raise table.error("size must be 1 to 65535")
    for name in (spec.layout, *(record.layout for record in records)):
        if name and name not in layouts:
            raise table.error(f"no layout {name!r}")
    table.done()
    return spec


def _object(table: Table, layouts: dict[str, LayoutSpec]) -> ObjectSpec:
    spec = ObjectSpec(
        id=identifier(table),
        tag=table.hex("tag", size=(2, 2)),
        name_en=table.take("name_en", str),
        name_ja=table.take("name_ja", str),
        read=_rule(table, "read"),
        privacy=table.choice("privacy", Privacy, Privacy.PERSONAL),
        evidence=evidence(table),
        size=table.take("size", int) if table.has("size") else None,
        layout=table.take("layout", str, ""),
        long=table.take("long", bool, False),
        optional=table.take("optional", bool, False),
        everywhere=table.take("everywhere", bool, False),
    )
    if spec.size is not None and not 1 <= spec.size <= 0xFFFF:
        raise table.error("size must be 1 to 65535")
    if spec.layout and spec.layout not in layouts:
        raise table.error(f"no layout {spec.layout!r}")
    if spec.everywhere and not spec.read.always:
        raise table.error("an object that answers everywhere cannot ask for keys of its own application")
    table.done()
    return spec


def _secure_messaging(table: Table, files: dict[str, FileSpec], layouts: dict[str, LayoutSpec]) -> SecureMessagingSpec:
    refused = table.has("refused")
    spec = SecureMessagingSpec(
        key_file="" if refused else table.take("key_file", str),
        after=Access() if refused else _rule(table, "after"),
        refused=int.from_bytes(table.hex("refused", size=(2, 2)), "big") if refused else None,
        evidence=evidence(table),
    )
    if not refused and not spec.after.keys:
        raise table.error("after must name keys that are verified before")
    if spec.key_file and not {"exponent", "modulus"} <= _fields_of(table, files, layouts, spec.key_file):
        raise table.error("key_file must hold exponent and modulus")
    table.done()
    return spec


def _variant(table: Table, files: dict[str, FileSpec], keys: dict[str, KeySpec]) -> VariantSpec:
    read, file_ids = (table.text_map(key) if table.has(key) else {} for key in ("read", "file_ids"))
    try:
        rules = {name: Access.parse(rule) for name, rule in read.items()}
        numbers = {name: bytes.fromhex(number) for name, number in file_ids.items()}
    except (SpecError, ValueError):
        raise table.error("read holds access rules, file_ids holds quoted hex") from None
    if rules.keys() - files.keys() or numbers.keys() - (files.keys() | keys.keys()):
        raise table.error("a variant changes files and keys that the application has")
    if any(len(number) != 2 for number in numbers.values()):
        raise table.error("a file id has two bytes")
    variant = VariantSpec(
        id=identifier(table),
        name_en=table.take("name_en", str),
        name_ja=table.take("name_ja", str),
        evidence=evidence(table),
        aid=table.hex("aid", size=(5, 16)) if table.has("aid") else b"",
        read=rules,
        file_ids=numbers,
        last_command=table.take("last_command", bool, False),
    )
    table.done()
    return variant


def _fields_of(table: Table, files: dict[str, FileSpec], layouts: dict[str, LayoutSpec], file: str) -> frozenset[str]:
    if file not in files or not files[file].layout:
        raise table.error(f"no file with a layout: {file!r}")
    return frozenset(f.name for f in layouts[files[file].layout].walk() if f.name)


def _digest(table: Table, files: dict[str, FileSpec], layouts: dict[str, LayoutSpec]) -> DigestSpec:
    digest = DigestSpec(
        id=identifier(table),
        file=table.take("file", str),
        field=table.take("field", str),
        algorithm=table.take("algorithm", str),
        of_file=table.take("of_file", str),
        part=table.take("part", str),
        after=table.take("after", str, ""),
        evidence=evidence(table),
    )
    if digest.field not in _fields_of(table, files, layouts, digest.file):
        raise table.error(f"no field {digest.field!r} in {digest.file}")
    covered = _fields_of(table, files, layouts, digest.of_file)
    if digest.part not in ("physical", "after") or (digest.part == "after") != bool(digest.after):
        raise table.error("part is physical, or after with the field after")
    if digest.after and digest.after not in covered:
        raise table.error(f"no field {digest.after!r} in {digest.of_file}")
    if digest.algorithm != "sha256":
        raise table.error("algorithm must be sha256")
    table.done()
    return digest


def _signature(table: Table, files: dict[str, FileSpec], layouts: dict[str, LayoutSpec]) -> SignatureSpec:
    groups = table.take("covers", list, [])
    signature = SignatureSpec(
        id=identifier(table),
        file=table.take("file", str),
        field=table.take("field", str),
        scheme=table.take("scheme", str),
        covers=tuple(tuple(group) if isinstance(group, list) else () for group in groups),
        values=table.take("values", bool, False),
        signer=table.take("signer", str),
        evidence=evidence(table),
        of_file=table.take("of_file", str, ""),
    )
    names = _fields_of(table, files, layouts, signature.file)
    if bool(signature.covers) == bool(signature.of_file) or not all(signature.covers):
        raise table.error("covers must be groups of fields, or of_file another file")
    if signature.of_file and not _fields_of(table, files, layouts, signature.of_file):
        raise table.error(f"no fields in {signature.of_file}")
    for name in (signature.field, *(name for group in signature.covers for name in group)):
        if name not in names:
            raise table.error(f"no field {name!r} in {signature.file}")
    if signature.scheme != "rsa_pkcs1_sha256":
        raise table.error("scheme must be rsa_pkcs1_sha256")
    if signature.signer not in ("ca", "issuer") and signature.signer.removeprefix("file:") not in files:
        raise table.error("signer is ca, issuer, or file:<id>")
    table.done()
    return signature


def _check(application: ApplicationSpec, head: Table) -> None:
    """What only the whole application can tell: names that rules use, and ids that files share, in each variant too."""
    for variant in application.variants.values():
        _check(replace(application.varied(variant), variants={}), head)
    keys = application.keys
    rules = [(f.id, f.read) for f in application.files.values()]
    rules += [(o.id, o.read) for o in application.objects.values()]
    rules += [(k.id, k.use) for k in keys.values() if k.use is not None]
    rules += [(k.id, k.change.after) for k in keys.values() if k.change is not None]
    if application.secure_messaging is not None:
        rules.append(("secure_messaging", application.secure_messaging.after))
    for owner, rule in rules:
        for name in rule.keys:
            if name not in keys or keys[name].kind is not KeyKind.PIN:
                raise head.error(f"{owner}: the rule names {name!r}, which is no key that can be verified")
    for key in keys.values():
        for scheme in key.schemes:
            if scheme not in application.schemes:
                raise head.error(f"{key.id}: no scheme {scheme!r}")
    for key in keys.values():
        if key.unset is not None and (problem := unset_problem(key.unset, application.files, application.layouts)):
            raise head.error(f"{key.id}: {problem}")
    if application.locked_with and getattr(keys.get(application.locked_with), "kind", None) is not KeyKind.PIN:
        raise head.error(f"locked_with: no secret {application.locked_with!r}")
    if application.default_key and application.default_key not in keys:
        raise head.error(f"default_key: no key {application.default_key!r}")
    used: dict[bytes, str] = {}
    for spec in application.elementary_files:
        if spec.file_id in used:
            raise head.error(f"{spec.id} and {used[spec.file_id]} share a file id")
        used[spec.file_id] = spec.id
    tags = [spec.tag for spec in application.objects.values()]
    if len(set(tags)) != len(tags):
        raise head.error("two objects share a tag")
    if both := sorted(application.objects.keys() & (application.files.keys() | keys.keys())):
        raise head.error(f"the id {both[0]!r} stands twice")
    p1s = [(scheme.algorithm, scheme.p1) for scheme in application.schemes.values()]
    if len(set(p1s)) != len(p1s):
        raise head.error("two schemes for one kind of key share a P1")
