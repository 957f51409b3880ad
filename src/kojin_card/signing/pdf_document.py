"""A PDF about to be signed: opened strictly, and refused where another signature would break what is there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm, enumerate_sig_fields

from kojin_card.errors import InputError, KojinError
from kojin_card.pdf_reader import PdfError, open_pdf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pyhanko.pdf_utils.reader import PdfFileReader

_OPERATION = "sign a PDF"
_MAX_SIGNATURE_FIELDS = 1000
_PERMISSIONS_TO_SIGN = (MDPPerm.FILL_FORMS.value, MDPPerm.ANNOTATE.value)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    dictionary: generic.DictionaryObject
    signature: generic.DictionaryObject | None


@dataclass(frozen=True, slots=True)
class DocumentToSign:
    """An opened PDF.

    Attributes:
        writer: appends to it.
        fields: its signature fields.
    """

    writer: IncrementalPdfFileWriter
    fields: tuple[_Field, ...]

    @classmethod
    def open(cls, pdf: bytes, now: datetime) -> DocumentToSign:
        """Read ``pdf`` strictly and within bounds; ``now`` goes into the new file identifier.

        Raises:
            InputError: malformed, encrypted, no page, or certified so that no change is allowed.
        """
        try:
            reader = open_pdf(pdf)
            if reader.encrypted:
                raise InputError("an encrypted PDF cannot be signed; remove the password first", operation=_OPERATION)
            if not isinstance(reader.root, generic.DictionaryObject):
                raise InputError("not a PDF: no document catalogue", operation=_OPERATION)
            fields = tuple(_signature_fields(reader))
            _require_open_to_changes(reader, fields)
            writer = _Writer(reader.stream, prev=reader)
            writer.renew_identifier(pdf, now)
        except PdfError as bad:
            raise InputError(f"not a well-formed PDF: {bad.message}", operation=_OPERATION) from None
        except KojinError:
            raise
        except Exception as bad:  # whatever a malformed file makes the reader raise, it is the file's fault
            raise unusable("not a well-formed PDF", bad) from None
        return cls(writer, fields)

    def field_for(self, wanted: str | None) -> str:
        """The name of the field to sign in: ``wanted``, or the first ``Signature<n>`` that nobody has.

        Raises:
            InputError: it is taken, an earlier signature locks it, or it makes demands (/SV, /Lock) of its own.
        """
        form = _entry(self.writer.root, "/AcroForm", {})
        taken = set(_names(_entry(form, "/Fields", ())))
        if wanted is None:
            return next(name for name in (f"Signature{n}" for n in range(1, len(taken) + 2)) if self._free(name, taken))
        known = next((field for field in self.fields if field.name == wanted), None)
        if known is None:
            if wanted in taken or "." in wanted:
                raise InputError("not the name of a signature field, nor one for a new field", operation=_OPERATION)
        elif known.signature is not None:
            raise InputError("the signature field is signed already", operation=_OPERATION)
        elif "/SV" in known.dictionary or "/Lock" in known.dictionary:
            raise InputError(
                "the signature field makes demands (/SV, /Lock) that are not supported", operation=_OPERATION
            )
        if self._locked(wanted):
            raise InputError("an earlier signature locks the signature field", operation=_OPERATION)
        return wanted

    def _free(self, name: str, taken: set[str]) -> bool:
        if name in taken:
            return False
        if self._locked(name):
            raise InputError(
                "an earlier signature locks all fields: no further signature is possible", operation=_OPERATION
            )
        return True

    def _locked(self, name: str) -> bool:
        return any(lock.is_locked(name) for field in self.fields for lock in _locks(field))


class _Writer(IncrementalPdfFileWriter):
    """pyhanko's writer without a clock, chance or an XML parser of its own.

    The file identifier is made from the file and the time (ISO 32000-1 §14.4), and the document's metadata stay as they
    are: a signature is no edit, and XMP from a stranger is not parsed.
    """

    def _update_meta(self) -> None:
        return

    def renew_identifier(self, pdf: bytes, now: datetime) -> None:
        fresh = hashlib.sha256(pdf + now.isoformat().encode("ascii")).digest()[:16]
        permanent = self._document_id[0] if "/ID" in self.prev.trailer else generic.ByteStringObject(fresh)
        self._document_id = generic.ArrayObject([permanent, generic.ByteStringObject(fresh)])


def unusable(what: str, bad: Exception) -> InputError:
    """``what``, with the kind of ``bad`` but not its words, which may quote the document."""
    return InputError(what, operation=_OPERATION, cause=type(bad).__name__)


def _signature_fields(reader: PdfFileReader) -> Iterator[_Field]:
    if "/AcroForm" not in reader.root:
        return
    for count, (name, value, reference) in enumerate(enumerate_sig_fields(reader)):
        if count >= _MAX_SIGNATURE_FIELDS:
            raise InputError("too many signature fields", operation=_OPERATION)
        dictionary = reference.get_object()
        signature = _resolved(value)
        if signature is not None and not isinstance(signature, generic.DictionaryObject):
            raise InputError("a signature field holds something else than a signature", operation=_OPERATION)
        yield _Field(str(name), dictionary, signature)


def _entry(dictionary: Any, key: str, absent: Any) -> Any:
    """The value behind ``key``, references followed (a dictionary's own ``get`` does not)."""
    return dictionary[key] if key in dictionary else absent  # noqa: SIM401 - dict.get() would not follow references


def _resolved(value: Any) -> Any:
    return value.get_object() if isinstance(value, generic.IndirectObject) else value


def _names(fields: Any) -> Iterator[str]:
    """Names at the top of the form: a new field must not take one."""
    for reference in fields:
        field = _resolved(reference)
        if isinstance(field, generic.DictionaryObject) and "/T" in field:
            yield str(field["/T"])


def _require_open_to_changes(reader: PdfFileReader, fields: tuple[_Field, ...]) -> None:
    """Refuse when a signature allows no further change: /DocMDP or a lock with /P 1 (ISO 32000-2 §12.8.2.2)."""
    certification = _entry(_entry(reader.root, "/Perms", {}), "/DocMDP", None)
    signatures = [field.signature for field in fields if field.signature is not None]
    if certification is not None:
        if not isinstance(certification, generic.DictionaryObject):
            raise InputError("not a well-formed PDF: /DocMDP", operation=_OPERATION)
        signatures.append(certification)
    for signature in signatures:
        for method, parameters in _transforms(signature):
            # ISO 32000-2 tables 257, 258: a certification without /P allows filling in and signing; a lock is silent.
            if method in ("/DocMDP", "/FieldMDP") and _entry(parameters, "/P", 2) not in _PERMISSIONS_TO_SIGN:
                raise InputError("the document is certified: no changes are allowed", operation=_OPERATION)
    for field in fields:
        lock = _entry(field.dictionary, "/Lock", {})
        if field.signature is not None and _entry(lock, "/P", 2) not in _PERMISSIONS_TO_SIGN:
            raise InputError("an earlier signature allows no further changes", operation=_OPERATION)


def _transforms(signature: generic.DictionaryObject) -> Iterator[tuple[str, generic.DictionaryObject]]:
    for reference in _entry(signature, "/Reference", ()):
        entry = _resolved(reference)
        yield str(entry["/TransformMethod"]), _entry(entry, "/TransformParams", {})


def _locks(field: _Field) -> Iterator[FieldMDPSpec]:
    if field.signature is None:
        return
    for method, parameters in _transforms(field.signature):
        if method == "/FieldMDP":
            yield FieldMDPSpec.from_pdf_object(parameters)
