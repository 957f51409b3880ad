"""Services of the free area: one TOML file each says what its record holds and who may read it, and needs no code.

The language stands in ``applets_spec/README.md``, "The free area"; the four that come with the package in
``applets_spec/slots``. Another folder of such files adds to them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from kojin_card.errors import InputError, SpecError
from kojin_card.resources import data_root
from kojin_card.spec.access import Access
from kojin_card.spec.descriptor import SERVICE_ID, VERSION_MOST
from kojin_card.spec.free_area import slot_applet_spec
from kojin_card.spec.lines import is_line
from kojin_card.spec.load import SCHEMA, evidence, identifier
from kojin_card.spec.model import Privacy
from kojin_card.spec.owner import OwnerKind
from kojin_card.spec.service_field import (
    CHARSETS,
    HOLDER,
    NUMBER_MOST,
    SIZED,
    TERMINAL,
    CodeValue,
    FieldError,
    ServiceField,
    ServiceFieldType,
)
from kojin_card.spec.strict import Table, parse_toml, unique
from kojin_card.spec.terminal_certificate import is_group

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from kojin_card.spec.model import Evidence

__all__ = [
    "CodeValue",
    "FieldError",
    "Service",
    "ServiceField",
    "ServiceFieldType",
    "load_service",
    "load_services",
    "rule_octets",
]

FILE_MOST = 0x1_0000
FOLDER_MOST = 256
_CODE = re.compile(r"[0-9A-Za-z_-]{1,16}\Z")
_ROLE_TERMINAL, _PIN, _ROLE_OWNER = "role:terminal", "key:slot_pin", "role:owner"
_BITS = {_ROLE_TERMINAL: TERMINAL, _PIN: HOLDER}
_TEXT = frozenset({ServiceFieldType.UTF8})
#: the holder's data that an issuing desk may take from the card, and the types that can hold them
FROM_CARD = {
    "municipality": frozenset({ServiceFieldType.MUNICIPALITY_CODE}),
    "name": _TEXT,
    "address": _TEXT,
    "birth_date": frozenset({ServiceFieldType.DATE}),
    "sex": frozenset({ServiceFieldType.CODE}),
}
#: fields that a service has exactly when it continues on moving, and their types
MOVED = {"former_owner": ServiceFieldType.OWNER, "former_owner_date": ServiceFieldType.DATE}


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the free area.

    Attributes:
        id, version: as the hidden descriptor says them.
        summary_ja, summary_en: what it is for. not_ja, not_en: what it is not; empty: nothing to warn of.
        legal_basis_hint_ja, legal_basis_hint_en: what kind of rule its owner must name when issuing.
        owners: kinds of owners that may have it.
        groups: of terminals that may read; none: every group.
        pin: whether each slot has a PIN of the holder.
        continues: whether it goes on when the holder moves to another municipality (引越継続).
        fields: by id, in the order of the file.
    """

    id: str
    version: int
    name_ja: str
    name_en: str
    summary_ja: str
    summary_en: str
    not_ja: str
    not_en: str
    legal_basis_hint_ja: str
    legal_basis_hint_en: str
    owners: tuple[OwnerKind, ...]
    groups: tuple[str, ...]
    pin: bool
    continues: bool
    fields: Mapping[str, ServiceField]
    evidence: Evidence = field(repr=False)
    source_file: str = field(default="", compare=False)

    def name(self, lang: str) -> str:
        """What people call it (``ja`` or ``en``)."""
        return self.name_ja if lang == "ja" else self.name_en

    def by_sfi(self, sfi: int) -> ServiceField | None:
        """The field of that short identifier, or None."""
        return next((one for one in self.fields.values() if one.sfi == sfi), None)

    @property
    def issued(self) -> ServiceField:
        """The day of issue; every service has it."""
        return next(one for one in self.fields.values() if one.issued)

    @property
    def expires(self) -> ServiceField | None:
        """The last day on which the record counts, or None when there is none."""
        return next((one for one in self.fields.values() if one.expires), None)

    def encode(self, values: Mapping[str, str]) -> dict[int, bytes]:
        """The octets of a record's values (without salts) by short identifier, rising.

        Raises:
            FieldError: a field that the service has not got, a required one that is missing, or a value that is wrong.
        """
        for name in values:
            if name not in self.fields:
                raise FieldError(
                    f"the service has no field {name}", operation=f"service {self.id}", service=self.id, field=name
                )
        for one in self.fields.values():
            if one.id not in values and not one.optional:
                raise FieldError("is missing", operation=f"field {self.id}.{one.id}", service=self.id, field=one.id)
        found = {self.fields[name].sfi: self.fields[name].encode(text) for name, text in values.items()}
        return dict(sorted(found.items()))


def load_services(folder: Traversable | None = None) -> Mapping[str, Service]:
    """The services that come with the package and, with ``folder``, those of its ``*.toml`` files too; by id.

    Raises:
        InputError: the folder or a file cannot be read, or is too large.
        SpecError: a file is malformed, or an id stands twice.
    """
    packaged = _package_services()
    if folder is None:
        return packaged
    found = dict(packaged)
    for service in _load_folder(folder):
        if service.id in found:
            raise SpecError(
                f"{service.source_file}: the service {service.id!r} stands twice",
                file=service.source_file,
                table="service",
            )
        found[service.id] = service
    return found


@cache
def _package_services() -> Mapping[str, Service]:
    services = _load_folder(data_root("applets_spec").joinpath("slots"))
    return {service.id: service for service in services}


def _load_folder(folder: Traversable) -> list[Service]:
    try:
        files = sorted((one for one in folder.iterdir() if one.name.endswith(".toml")), key=lambda one: one.name)
        if len(files) > FOLDER_MOST:
            raise InputError(f"more than {FOLDER_MOST} services in one folder", operation="load services")
        return [load_service(_read(one), one.name) for one in files]
    except OSError as bad:
        raise InputError("the folder of services cannot be read", operation="load services") from bad


def _read(file: Traversable) -> str:
    with file.open("rb") as stream:
        raw = stream.read(FILE_MOST + 1)
    if len(raw) > FILE_MOST:
        raise InputError("a service of more than 65536 bytes", operation="load services")
    try:
        return raw.decode()
    except UnicodeDecodeError as bad:
        raise SpecError(f"{file.name}: not UTF-8", file=file.name, table="") from bad


def load_service(text: str, file: str) -> Service:
    """One service from the text of its TOML file.

    Raises:
        SpecError: with file and table, for anything the language does not allow.
    """
    top = parse_toml(text, file)
    if top.take("schema", int) != SCHEMA:
        raise top.error(f"schema must be {SCHEMA}")
    head = top.table("service")
    name = identifier(head)
    if not SERVICE_ID.fullmatch(name):
        raise head.error("id must not have more than 32 characters")
    pin = head.take("pin", bool)
    fields: dict[str, ServiceField] = {}
    for row in top.tables("field", required=True):
        one = _field(row, name, pin=pin)
        row.done()
        unique(row, fields, one.id, one)
    service = Service(
        id=name,
        version=head.take("version", int),
        name_ja=_line(head, "name_ja"),
        name_en=_line(head, "name_en"),
        summary_ja=_line(head, "summary_ja"),
        summary_en=_line(head, "summary_en"),
        not_ja=_line(head, "not_ja", ""),
        not_en=_line(head, "not_en", ""),
        legal_basis_hint_ja=_line(head, "legal_basis_hint_ja"),
        legal_basis_hint_en=_line(head, "legal_basis_hint_en"),
        owners=_owners(head),
        groups=head.texts("groups", ()),
        pin=pin,
        continues=head.take("continues", bool, False),
        fields=fields,
        evidence=evidence(head),
        source_file=file,
    )
    head.done()
    top.done()
    _check(service, head)
    return service


def rule_octets(rule: Access) -> bytes:
    """A read rule as the card keeps it: an octet for each alternative, rising; none: the owner alone.

    Raises:
        SpecError: ``never`` (the owner always may), or a term that no field of a slot can have.
    """
    if rule.always:
        return b"\x00"
    octets = set()
    if not rule.alternatives:
        raise SpecError("nobody at all is no rule of a slot: its owner always may read (role:owner)")
    for alternative in rule.alternatives:
        if alternative == {_ROLE_OWNER}:
            continue
        if alternative - _BITS.keys():
            raise SpecError(f"a rule of a slot has {_ROLE_TERMINAL}, {_PIN}, both with &, or {_ROLE_OWNER} alone")
        octets.add(sum(_BITS[term] for term in alternative))
    return bytes(sorted(octets))


def _line(table: Table, key: str, default: str | None = None) -> str:
    text = table.take(key, str) if default is None else table.take(key, str, default)
    if text != default and not is_line(text):
        raise table.error(f"{key} must be one line of text")
    return text


def _owners(head: Table) -> tuple[OwnerKind, ...]:
    kinds = {kind.word: kind for kind in OwnerKind}
    named = head.texts("owners")
    if not named or len(set(named)) != len(named) or not kinds.keys() >= set(named):
        raise head.error(f"owners must be some of {', '.join(kinds)}, each once")
    return tuple(kinds[word] for word in named)


def _field(row: Table, service: str, *, pin: bool) -> ServiceField:
    kind = row.choice("type", ServiceFieldType)
    minimum, maximum = _range(row, kind)
    read = _read_rule(row, pin=pin)
    one = ServiceField(
        service=service,
        id=identifier(row),
        sfi=row.take("sfi", int),
        type=kind,
        label_ja=_line(row, "label_ja"),
        label_en=_line(row, "label_en"),
        read=read,
        rule_octets=rule_octets(read),
        privacy=row.choice("privacy", Privacy, Privacy.PERSONAL),
        evidence=evidence(row),
        example=row.take("example", str),
        minimum=minimum,
        maximum=maximum,
        charset=_charset(row, kind),
        values=_values(row) if kind is ServiceFieldType.CODE else (),
        optional=row.take("optional", bool, False),
        from_card=_from_card(row, kind),
        issued=row.take("issued", bool, False),
        expires=row.take("expires", bool, False),
    )
    _check_field(one, row)
    return one


def _read_rule(row: Table, *, pin: bool) -> Access:
    try:
        rule = Access.parse(row.take("read", str, _ROLE_OWNER))
        rule_octets(rule)
    except SpecError as bad:
        raise row.error(f"read: {bad.message}") from None
    if _PIN.partition(":")[2] in rule.keys and not pin:
        raise row.error("read names the slot PIN, and the service has none (pin = false)")
    return rule


def _range(row: Table, kind: ServiceFieldType) -> tuple[int, int]:
    """Least and most characters, or of a number least and greatest value."""
    if kind is ServiceFieldType.NUMBER:
        minimum, maximum = row.integers("range", 2) if row.has("range") else (0, NUMBER_MOST)
        if not 0 <= minimum <= maximum <= NUMBER_MOST:
            raise row.error("range must be least and greatest, 0 to 4294967295")
        return minimum, maximum
    if kind not in SIZED:
        return 0, 0
    if row.has("length") == row.has("range"):
        raise row.error("length or range: one of them")
    minimum, maximum = (row.take("length", int),) * 2 if row.has("length") else row.integers("range", 2)
    most = slot_applet_spec().number("field_most")
    if not 1 <= minimum <= maximum <= most:
        raise row.error(f"length and range are 1 to {most} characters")
    return minimum, maximum


def _charset(row: Table, kind: ServiceFieldType) -> str:
    sets = CHARSETS.get(kind)
    if sets is None:
        return ""
    named = row.take("charset", str, "printable")
    if named not in sets:
        raise row.error(f"charset must be one of {', '.join(sets)}")
    return named


def _values(row: Table) -> tuple[CodeValue, ...]:
    found: dict[str, CodeValue] = {}
    for entry in row.tables("values", required=True):
        value = CodeValue(entry.take("code", str), _line(entry, "ja"), _line(entry, "en"))
        entry.done()
        if not _CODE.fullmatch(value.code):
            raise entry.error("code must be 1 to 16 letters, digits, hyphens or underscores")
        unique(entry, found, value.code, value)
    if not found:
        raise row.error("values must not be empty")
    return tuple(found.values())


def _from_card(row: Table, kind: ServiceFieldType) -> str:
    named = row.take("from_card", str, "")
    if named and named not in FROM_CARD:
        raise row.error(f"from_card must be one of {', '.join(FROM_CARD)}")
    if named and kind not in FROM_CARD[named]:
        raise row.error(f"from_card {named} needs a field of type {', '.join(FROM_CARD[named])}")
    return named


def _check_field(one: ServiceField, row: Table) -> None:
    """What only the whole field can tell."""
    most = slot_applet_spec().number("fields_most")
    day = one.type is ServiceFieldType.DATE
    problem = one.problem(one.example)
    for wrong, words in (
        (not 1 <= one.sfi <= most, f"sfi must be 1 to {most}"),
        (one.privacy is Privacy.MY_NUMBER, "個人番号 has no place in the free area (番号法 arts. 9, 19)"),
        (one.read.always and one.privacy is not Privacy.PUBLIC, "free to read and personal: one of them is wrong"),
        ((one.issued or one.expires) and not day, "issued and expires are marks of a date"),
        (one.issued and (one.expires or one.optional), "the day of issue is not optional, and not the last day"),
        (problem is not None, f"example {problem}"),
    ):
        if wrong:
            raise row.error(words)


def _check(service: Service, head: Table) -> None:
    """What only the whole service can tell."""
    spec = slot_applet_spec()
    fields = list(service.fields.values())
    sfis = [one.sfi for one in fields]
    groups = service.groups
    for wrong, words in (
        (not 1 <= service.version <= VERSION_MOST, f"version must be 1 to {VERSION_MOST}"),
        (bool(service.not_ja) != bool(service.not_en), "not_ja and not_en: both or none"),
        (len(set(groups)) != len(groups) or not all(is_group(one) for one in groups), "groups: names, each once"),
        (len(groups) > spec.number("groups_most"), f"at most {spec.number('groups_most')} groups"),
        (len(fields) > spec.number("fields_most"), f"at most {spec.number('fields_most')} fields"),
        (len(set(sfis)) != len(sfis), "two fields share a short identifier"),
        (sum(one.issued for one in fields) != 1, "one field must be the day of issue (issued = true)"),
        (sum(one.expires for one in fields) > 1, "two fields are the last day"),
    ):
        if wrong:
            raise head.error(words)
    for name, kind in MOVED.items():
        one = service.fields.get(name)
        if not service.continues and one is not None:
            raise head.error(f"{name} belongs to a service with continues = true")
        if service.continues and (one is None or one.type is not kind or not one.optional):
            raise head.error(f"continues = true needs the optional field {name} of type {kind}")
