"""The document security store (/DSS, ISO 32000-2 §12.8.4.3, ETSI EN 319 142-1 §5.4): what others looked up to verify.

PAdES-LT puts certificates, lists and OCSP answers behind a finished signature. They are whatever the file's maker
chose, so nothing here is ever taken as proof; but a store that holds nothing else does the signed document no harm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyhanko.pdf_utils import generic
from pyhanko.sign.diff_analysis import (
    DSSCompareRule,
    ModificationLevel,
    QualifiedWhitelistRule,
    ReferenceUpdate,
    SuspiciousModification,
)

from kojin_card.errors import DecodeError
from kojin_card.pki import der

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ITEMS = 5_000
_STORE_KEYS = frozenset({"/Type", "/VRI", "/Certs", "/CRLs", "/OCSPs"})
_ENTRY_KEYS = frozenset({"/Type", "/TU", "/TS", "/Cert", "/CRL", "/OCSP"})
_STREAM_KEYS = frozenset({"/Length", "/Filter", "/DecodeParms", "/Type"})
_ENTRY_NAME = re.compile(r"/[0-9A-F]{40}")
_ENUMERATED = 0x0A
#: the first tags inside each kind of thing: a certificate and a list are alike (RFC 5280 §4.1, §5.1; RFC 6960 §4.2.1)
_CERTIFICATE = _LIST = ((der.SEQUENCE, der.SEQUENCE, der.BIT_STRING),)
_ANSWER = ((_ENUMERATED, 0xA0), (_ENUMERATED,))
_TOKEN = ((der.OID, 0xA0),)
_SHAPES = {
    "/Certs": _CERTIFICATE,
    "/Cert": _CERTIFICATE,
    "/CRLs": _LIST,
    "/CRL": _LIST,
    "/OCSPs": _ANSWER,
    "/OCSP": _ANSWER,
}


@dataclass
class Store(QualifiedWhitelistRule):
    """A store may come, and grow, when all that it holds is what a store holds.

    pyhanko looks at how the store is built, this at what lies in it: its streams say nothing of themselves but their
    length and compression, and are certificates, lists, answers or tokens by their form.

    Attributes:
        seen: objects that were looked into already, with the place in the file where they lie.
    """

    seen: set[tuple[object, ...]] = field(default_factory=set)

    def apply_qualified(self, old: Any, new: Any) -> Iterator[tuple[ModificationLevel, ReferenceUpdate]]:
        """What the store explains, all of it harmless (:attr:`ModificationLevel.LTA_UPDATES`).

        Raises:
            SuspiciousModification: something else is in it.
        """
        if "/DSS" in new.root:
            self._look_into(new, _dictionary(new.root["/DSS"], _STORE_KEYS))
        yield from DSSCompareRule().as_qualified(ModificationLevel.LTA_UPDATES).apply_qualified(old, new)

    def _look_into(self, revision: Any, store: Any) -> None:
        self._lists(revision, store)
        entries = store["/VRI"] if "/VRI" in store else generic.DictionaryObject()
        if not isinstance(entries, generic.DictionaryObject) or len(entries) > MAX_ITEMS:
            raise SuspiciousModification("a store whose entries are none, or too many")
        for name in entries:
            if name == "/Type" or not _ENTRY_NAME.fullmatch(str(name)):
                raise SuspiciousModification("an entry of the store for no signature")
            entry = _dictionary(entries[name], _ENTRY_KEYS)
            self._lists(revision, entry)
            if "/TS" in entry:
                self._thing(revision, entry.raw_get("/TS"), _TOKEN)
            if "/TU" in entry and not isinstance(entry.raw_get("/TU"), generic.TextStringObject):
                raise SuspiciousModification("a date in the store that is no text")

    def _lists(self, revision: Any, owner: Any) -> None:
        for key in _SHAPES.keys() & owner.keys():
            things = owner[key]
            if not isinstance(things, generic.ArrayObject) or len(things) > MAX_ITEMS:
                raise SuspiciousModification("a list in the store that is none, or is too long")
            for place in range(len(things)):
                self._thing(revision, things.raw_get(place), _SHAPES[key])

    def _thing(self, revision: Any, reference: Any, shapes: tuple[tuple[int, ...], ...]) -> None:
        if not isinstance(reference, generic.IndirectObject):
            raise SuspiciousModification("something in the store that is no stream")
        tables = revision.reader.xrefs
        where = tables.get_historical_ref(reference.reference, revision.revision)
        key = (reference.idnum, reference.generation, where, shapes)
        if key in self.seen:
            return
        stream = reference.get_object()
        if not isinstance(stream, generic.StreamObject) or not stream.keys() <= _STREAM_KEYS:
            raise SuspiciousModification("something in the store that is no plain stream")
        if not all(_plain(value, 0) for name, value in stream.items() if name != "/Length"):
            raise SuspiciousModification("a stream in the store that refers to something")
        if not _has_shape(stream.data, shapes):
            raise SuspiciousModification("something in the store that is none of what a store holds")
        self.seen.add(key)


def _dictionary(value: Any, keys: frozenset[str]) -> Any:
    """``value``, which must be a dictionary with no other keys, and a type that is a name."""
    if not isinstance(value, generic.DictionaryObject) or not value.keys() <= keys:
        raise SuspiciousModification("a store, or an entry of one, with more in it than belongs there")
    if "/Type" in value and not isinstance(value.raw_get("/Type"), generic.NameObject):
        raise SuspiciousModification("a type that is no name")
    return value


def _plain(value: Any, depth: int) -> bool:
    """Whether a value is a name, a number, or a few of them: nothing that leads anywhere."""
    if isinstance(value, generic.ArrayObject) and depth < 2:
        return all(_plain(value.raw_get(place), depth + 1) for place in range(len(value)))
    if isinstance(value, generic.DictionaryObject) and depth < 2:
        return all(_plain(value.raw_get(key), depth + 1) for key in value)
    return isinstance(value, generic.NameObject | generic.NumberObject | generic.NullObject)


def _has_shape(data: bytes, shapes: tuple[tuple[int, ...], ...]) -> bool:
    """Whether ``data`` is one SEQUENCE, and nothing after it, of elements with these tags."""
    try:
        if shapes is _TOKEN:  # the one thing that may be BER
            token, end = der.normalise(data)
            data = token + data[end:]
        tags = tuple(item.tag for item in der.children(der.single(data, der.SEQUENCE)))
    except DecodeError:
        return False
    return tags in shapes
