"""The text of a card file: versioned JSON, strictly read (ARCHITECTURE §8).

The first line says that this is a test card. Secrets and counters come before the bulk of the files, one application a
line, so that a person can look at them. What is read is hostile: at most 4 MiB, known names only, bounded numbers.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kojin_card.errors import InputError, SpecError, UsageError
from kojin_card.simulator import contentformat
from kojin_card.simulator.ec_engine import COORDINATE, EcEngine
from kojin_card.simulator.rsa_engine import RsaEngine
from kojin_card.simulator.state import (
    MAX_COUNTER,
    SCP03,
    WHEN_MADE,
    ApplicationState,
    CardState,
    EcPrivateKey,
    FileState,
    KeyState,
    Knobs,
    PrivateKey,
)
from kojin_card.spec.model import KeyKind, KeySpec, Structure
from kojin_card.spec.strict import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.spec.model import ApplicationSpec, CardSpec, FileSpec

VERSION = 1
MAX_SIZE = 4 * 1024 * 1024
NOTE = (
    "TEST CARD: a software card of kojin_card, no real person's. Its PINs and keys stand here in clear: trust nothing "
    "that it signs."
)
_MAX_OCTETS = 0x10000
_MAX_RECORDS = 254
_MAX_SECRET = 255
_RSA_BITS = 2048
_ATR_SIZE = (2, 33)


def dump(state: CardState) -> bytes:
    """The whole text of a card file."""
    head = {
        "version": VERSION,
        "persona": state.persona,
        "issued_at": state.issued_at.isoformat(),
        "atr": state.atr.hex(),
        "knobs": _knobs(state.knobs),
    }
    lines = [f'{{"note": {json.dumps(NOTE)},', *(f"{json.dumps(key)}: {json.dumps(head[key])}," for key in head)]
    if state.content is not None:
        lines.append(f'"content": {contentformat.dump(state.content)},')
    applications = [
        f"{json.dumps(name)}: {{\n"
        f'"keys": {json.dumps({key: _dump_key(content) for key, content in application.keys.items()})},\n'
        f'"files": {json.dumps({file: _dump_file(content) for file, content in application.files.items()})}'
        f"{_dump_objects(application.objects)}{_dump_session_key(application.session_key)}\n}}"
        for name, application in state.applications.items()
    ]
    return "\n".join([*lines, '"applications": {', ",\n".join(applications), "}}", ""]).encode("utf-8")


def _knobs(knobs: Knobs) -> dict[str, object]:
    values: dict[str, object] = {
        "blocked_sw": f"{knobs.blocked_sw:04X}",
        "reselect_keeps_state": knobs.reselect_keeps_state,
    }
    if knobs.empty_verify_when_verified is not None:
        values["empty_verify_when_verified"] = f"{knobs.empty_verify_when_verified:04X}"
    if not knobs.contact_atr_at_power_on:
        values["contact_atr_at_power_on"] = False
    if knobs.variants:
        values["variants"] = sorted(knobs.variants)
    usual = Knobs()
    others = ((name, getattr(knobs, name)) for name in (*SCP03, *WHEN_MADE))
    return {**values, **{name: value for name, value in others if value != getattr(usual, name)}}


def _dump_key(key: KeyState) -> dict[str, object]:
    values: dict[str, object] = {}
    if key.secret is not None:
        values["secret"] = key.secret.decode("latin-1")
    if key.tries_full or key.secret is not None:
        values |= {"tries_left": key.tries_left, "tries_full": key.tries_full}
    if key.private is not None:
        values |= _dump_private(key.private)
    if key.private_ec is not None:
        values["d"] = f"{key.private_ec.d:0{2 * COORDINATE}x}"
    return values


def _dump_private(key: PrivateKey) -> dict[str, str]:
    width = _RSA_BITS // 8  # hex digits of a prime
    return {"p": f"{key.p:0{width}x}", "q": f"{key.q:0{width}x}"}


def _dump_file(file: FileState) -> dict[str, object]:
    if file.octets is not None:
        return {"octets": file.octets.hex()}
    return {"records": [record.hex() for record in file.records]} if file.records else {}


def _dump_objects(objects: Mapping[str, bytes]) -> str:
    """The data objects of an application; nothing for the many that have none."""
    return f',\n"objects": {json.dumps({name: value.hex() for name, value in objects.items()})}' if objects else ""


def _dump_session_key(key: PrivateKey | None) -> str:
    """The key of secure messaging; nothing for the applications that have none."""
    return f',\n"session_key": {json.dumps(_dump_private(key))}' if key is not None else ""


def load(text: bytes, spec: CardSpec, name: str) -> CardState:
    """A card from the text of its file; ``name`` is what errors call it.

    Raises:
        InputError: anything that :func:`dump` would not have written. Names the place, never a value.
    """
    if len(text) > MAX_SIZE:
        raise InputError("a card file has at most 4 MiB", operation="open card file", file=name)
    try:
        raw = json.loads(text.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse, parse_float=_refuse)
    except (ValueError, RecursionError):  # not UTF-8, not JSON, a name twice, a number that JSON has and a card has not
        raise InputError("not a card file", operation="open card file", file=name) from None
    if not isinstance(raw, dict) or raw.get("note") != NOTE:
        raise InputError("not a card file", operation="open card file", file=name)
    if raw.get("version") != VERSION:
        raise InputError("a card file of another version", operation="open card file", file=name)
    try:
        return _card(Table(raw, name, ""), spec)
    except SpecError as bad:
        raise InputError(f"a damaged card file: {bad.message}", operation="open card file", file=name) from None
    except UsageError as bad:
        raise InputError(f"a damaged card file: knobs: {bad.message}", operation="open card file", file=name) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name stands twice")
    return values


def _refuse(_: str) -> None:
    raise ValueError("no such number in a card file")


def _card(top: Table, spec: CardSpec) -> CardState:
    top.take("note", str)
    top.take("version", int)
    state = CardState(
        persona=top.take("persona", str),
        issued_at=_moment(top),
        atr=top.hex("atr", size=_ATR_SIZE),
        applications=_applications(top.table("applications"), spec),
        knobs=_load_knobs(top.table("knobs"), spec),
        content=contentformat.load(top.table("content")) if top.has("content") else None,
    )
    if state.content is not None and (spec.power_on is None or spec.power_on.id not in state.applications):
        raise top.error("content needs the card manager")
    if not 1 <= len(state.persona) <= 64 or not state.persona.isascii() or not state.persona.isidentifier():
        raise top.error("persona must be an id")
    top.done()
    return state


def _moment(top: Table) -> datetime:
    try:
        moment = datetime.fromisoformat(top.take("issued_at", str))
    except ValueError:
        raise top.error("issued_at must be a moment") from None
    if moment.utcoffset() is None:
        raise top.error("issued_at must have a zone")
    return moment


def _load_knobs(table: Table, spec: CardSpec) -> Knobs:
    def word(key: str) -> int:
        return int.from_bytes(table.hex(key, size=(2, 2)), "big")

    knobs = Knobs(
        blocked_sw=word("blocked_sw"),
        reselect_keeps_state=table.take("reselect_keeps_state", bool),
        empty_verify_when_verified=word("empty_verify_when_verified")
        if table.has("empty_verify_when_verified")
        else None,
        contact_atr_at_power_on=table.take("contact_atr_at_power_on", bool, True),
        variants=frozenset(table.texts("variants", ())),
        **{name: table.take(name, bool, getattr(Knobs(), name)) for name in (*SCP03, *WHEN_MADE)},
    )
    if knobs.variants - spec.variants.keys():
        raise table.error("no such variant of the card")
    table.done()
    return knobs


def _applications(table: Table, spec: CardSpec) -> dict[str, ApplicationState]:
    applications: dict[str, ApplicationState] = {}
    for name in spec.applications:
        if table.has(name):
            one = table.table(name)
            files, keys = one.table("files"), one.table("keys")
            applications[name] = ApplicationState(
                _files(files, spec[name]),
                _keys(keys, spec[name]),
                _objects(one, spec[name]),
                _session_key(one, spec[name]),
            )
            for part in (files, keys, one):
                part.done()
    table.done()
    return applications


def _files(table: Table, application: ApplicationSpec) -> Mapping[str, FileState]:
    return {name: _file(table.table(name), file) for name, file in application.files.items() if table.has(name)}


def _objects(table: Table, application: ApplicationSpec) -> Mapping[str, bytes]:
    if not table.has("objects"):
        return {}
    objects = table.table("objects")
    found = {name: objects.hex(name, size=(0, _MAX_OCTETS)) for name in application.objects if objects.has(name)}
    objects.done()
    return found


def _session_key(table: Table, application: ApplicationSpec) -> PrivateKey | None:
    """None where there is none: in most applications, and in the files of earlier versions."""
    secure = application.secure_messaging
    if secure is None or not secure.key_file or not table.has("session_key"):
        return None
    one = table.table("session_key")
    key = _private(one)
    one.done()
    return key


def _file(table: Table, spec: FileSpec) -> FileState:
    if spec.structure is Structure.TRANSPARENT:
        file = FileState(octets=table.hex("octets", size=(0, _MAX_OCTETS)))
    elif spec.structure is Structure.RECORDS:
        records = table.texts("records")
        if len(records) > _MAX_RECORDS:
            raise table.error("too many records")
        try:
            file = FileState(records=tuple(bytes.fromhex(record) for record in records))
        except ValueError:
            raise table.error("records must be hex") from None
    else:
        file = FileState()
    table.done()
    return file


def _keys(table: Table, application: ApplicationSpec) -> Mapping[str, KeyState]:
    return {name: _key(table.table(name), key) for name, key in application.keys.items() if table.has(name)}


def _key(table: Table, spec: KeySpec) -> KeyState:
    key = KeyState()
    if spec.kind is KeyKind.PIN:
        left, full = table.take("tries_left", int), table.take("tries_full", int)
        if not 0 <= left <= full <= MAX_COUNTER or full < 1:
            raise table.error("tries_left and tries_full are no counter")
        key = KeyState(_secret(table), left, full)
        if key.secret is None and left:
            raise table.error("a reference without a value has no tries")
    elif spec.kind is KeyKind.PRIVATE_KEY:
        key = KeyState(private_ec=_private_ec(table)) if table.has("d") else KeyState(private=_private(table))
    table.done()
    return key


def _secret(table: Table) -> bytes | None:
    if not table.has("secret"):
        return None
    try:
        secret = table.take("secret", str).encode("latin-1")
    except UnicodeEncodeError:
        raise table.error("secret must be bytes") from None
    if not 1 <= len(secret) <= _MAX_SECRET:
        raise table.error("secret must have 1 to 255 bytes")
    return secret


def _private(table: Table) -> PrivateKey:
    """Two odd numbers that make a 2048-bit modulus and suit the exponent.

    Whether they are prime is not tested here (it costs more than opening the card): the engine checks each signature
    before it hands it out, so a wrong number makes a card that answers 6F00.
    """
    half = _RSA_BITS // 2
    size = (half // 8, half // 8)
    p, q = (int.from_bytes(table.hex(name, size=size), "big") for name in ("p", "q"))
    try:
        if p == q or (p * q).bit_length() != _RSA_BITS:
            raise ValueError
        RsaEngine(p, q)
    except ValueError:
        raise table.error("p and q make no key") from None
    return PrivateKey(p, q)


def _private_ec(table: Table) -> EcPrivateKey:
    d = int.from_bytes(table.hex("d", size=(COORDINATE, COORDINATE)), "big")
    try:
        EcEngine(d)
    except ValueError:
        raise table.error("d makes no key") from None
    return EcPrivateKey(d)
