"""Distinguished names as they are encoded: compared byte for byte, and turned into text only to be shown."""

from __future__ import annotations

import contextlib

from kojin_card.pki import der

MAX_NAME_BYTES = 4096
MAX_RDNS = 32

COUNTRY, ORGANIZATION, UNIT, COMMON_NAME = "2.5.4.6", "2.5.4.10", "2.5.4.11", "2.5.4.3"
_SHORT = {COMMON_NAME: "CN", "2.5.4.7": "L", "2.5.4.8": "ST", ORGANIZATION: "O", UNIT: "OU", COUNTRY: "C"}
_ENCODINGS = {der.UTF8_STRING: "utf-8", der.PRINTABLE_STRING: "ascii", der.IA5_STRING: "ascii"}
_ESCAPED = ',+"\\<>;'


def attributes(name: bytes) -> tuple[tuple[str, str], ...]:
    """(OID, text) of each attribute of a Name, in the order of encoding.

    Raises:
        DerError: not a Name, too long, or a string type other than UTF8String, PrintableString and IA5String.
    """
    if len(name) > MAX_NAME_BYTES:
        raise der.DerError("a name that is too long")
    out: list[tuple[str, str]] = []
    for rdn in der.children(der.single(name, der.SEQUENCE)):
        for attribute in der.children(rdn, der.SET):
            fields = der.Fields(attribute)
            oid, value = der.oid(fields.next(der.OID)), fields.next()
            fields.done()
            if value.tag not in _ENCODINGS:
                raise der.DerError("a string type that names do not have")
            decoded: str | None = None
            with contextlib.suppress(UnicodeDecodeError):  # it holds the name: nothing is raised while it is handled
                decoded = value.value.decode(_ENCODINGS[value.tag])
            if decoded is None:
                raise der.DerError("a name that is not text")
            out.append((oid, decoded))
    if len(out) > MAX_RDNS:
        raise der.DerError("a name with too many parts")
    return tuple(out)


def text(name: bytes) -> str:
    """The name as RFC 4514 writes it (last part first); whatever came from a file is escaped again where it is shown.

    Raises:
        DerError: as :func:`attributes`.
    """
    return ",".join(f"{_SHORT.get(oid, oid)}={_escape(value)}" for oid, value in reversed(attributes(name)))


def values(name: bytes, oid: str) -> tuple[str, ...]:
    """The values of one attribute type.

    Raises:
        DerError: as :func:`attributes`.
    """
    return tuple(value for kind, value in attributes(name) if kind == oid)


def _escape(value: str) -> str:
    escaped = "".join(f"\\{sign}" if sign in _ESCAPED else sign for sign in value)
    if escaped[:1] in (" ", "#"):
        escaped = "\\" + escaped
    return escaped[:-1] + "\\ " if escaped.endswith(" ") and len(escaped) > 1 else escaped
