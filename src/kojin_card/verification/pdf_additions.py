"""What may be added to a signed PDF: later signatures, validation data, and nothing that changes what was signed.

Every byte must belong to an object that a table knows (:mod:`~kojin_card.verification.pdf_increments`). pyhanko's rules
explain objects that changed; this policy takes fewer of them than pyhanko's own does. Whatever no rule explains is a
modification, objects that nothing refers to included. Document information and XMP metadata are what a viewer shows as
title and author, so they are part of what was signed; of the former a signing program may renew /ModDate and /Producer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import RawPdfPath
from pyhanko.sign.diff_analysis import (
    DiffResult,
    FieldMDPRule,
    FormUpdatingRule,
    ModificationLevel,
    ObjectStreamRule,
    QualifiedWhitelistRule,
    ReferenceUpdate,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
    SuspiciousModification,
    XrefStreamRule,
)
from pyhanko.sign.diff_analysis.commons import compare_dicts, compare_key_refs
from pyhanko.sign.diff_analysis.rules_api import Context
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from kojin_card.verdict import Check, CheckId
from kojin_card.verification.pdf_increments import Increments
from kojin_card.verification.pdf_store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_REFERENCES = 64
_FORM_FILLING = ModificationLevel.FORM_FILLING
_CATALOGUE_KEYS = frozenset({"/AcroForm", "/DSS", "/Extensions", "/Version"})
_FORM_KEYS = frozenset({"/Fields"})
_XOBJECT_KEYS = frozenset({"/Length", "/Type", "/Subtype", "/FormType", "/BBox", "/Matrix", "/Resources"})
_INFORMATION_KEYS = frozenset({"/ModDate", "/Producer"})
#: what trailers and cross-reference streams say of their own revision (ISO 32000-1 tables 5, 15, 17)
_OWN_OF_A_TRAILER = frozenset(
    {"/Size", "/Prev", "/ID", "/Info", "/Type", "/W", "/Index", "/Length", "/Filter", "/DecodeParms"}
)
#: all that a new signature field with its widget needs (ISO 32000-1 tables 164, 188, 220, 232): no action, no /OC
_FIELD_KEYS = frozenset(
    {"/Type", "/Subtype", "/FT", "/T", "/TU", "/TM", "/Ff", "/V", "/F", "/Rect", "/P", "/AP", "/AS", "/MK", "/DA", "/Q"}
    | {"/DR", "/Kids", "/Parent", "/Lock", "/SV", "/Border", "/BS", "/NM", "/M", "/C", "/StructParent"}
)


class Additions:
    """What was added to a document after each of its signatures.

    Args:
        data: the document.
        reader: the same, read.
        signed: the names of all fields that hold a signature or a document time-stamp, in the document as it is now.
    """

    def __init__(self, data: bytes, reader: Any, signed: frozenset[str]) -> None:
        self._reader = reader
        self._signed = signed
        self._increments = Increments(data, reader)
        self._store = Store()

    def judge(self, form_field: Any, name: str, *, last: bool) -> Check:
        """What came after the signature in the field ``name``.

        Args:
            form_field: the field's dictionary.
            last: no other signature follows it, so nothing but validation data may.

        Returns:
            ``coverage`` passed; or failed with ``coverage.gap`` (it never covered a whole revision), ``.modified`` or
            ``.later_appearance``.

        Raises:
            PdfTooIntricateError: too much work.
            Exception: whatever pyhanko raises on a malformed file: it was not shown to be harmless.
        """
        signature = EmbeddedPdfSignature(self._reader, form_field, name)
        coverage = signature.evaluate_signature_coverage()
        signature.coverage = coverage  # type: ignore[assignment]  # evaluate_modifications reads it; declared as None
        if coverage < SignatureCoverageLevel.ENTIRE_REVISION:
            return Check.failed("coverage.gap", what="not a whole revision")
        end = int(signature.byte_range[2]) + int(signature.byte_range[3])
        self._increments.account(end, signature.signed_revision)
        self._reader.get_historical_resolver(signature.signed_revision).require_known_parents()
        # pyhanko reads only a part of what a signer may have forbidden
        permitted = permission(signature.sig_object, form_field)
        signature._docmdp, signature._docmdp_queried = permitted, True
        signature._fieldmdp, signature._fieldmdp_queried = _locked(signature.sig_object, form_field), True
        widgets, form = _Widgets(), _Form()
        form.field_rules = [widgets, SigFieldCreationRule(), SigFieldModificationRule()]
        result = signature.evaluate_modifications(self._policy(form))
        self._reader.require_within(end, signature.signed_revision)
        if (
            not isinstance(result, DiffResult)
            or result.modification_level > _FORM_FILLING
            or (permitted is not None and result.modification_level.value > permitted.value)
            or not result.changed_form_fields | widgets.new <= self._signed
            or (last and form.resources_came)
        ):
            return Check.failed("coverage.modified")
        if widgets.painted:
            return Check.failed("coverage.later_appearance", shown=str(len(widgets.painted)))
        return Check.passed(
            CheckId.COVERAGE, covers="its revision", later="validation data only" if last else "signatures only"
        )

    def _policy(self, form: _Form) -> StandardDiffPolicy:
        harmless = ModificationLevel.LTA_UPDATES
        return StandardDiffPolicy(
            global_rules=[
                _Trailer(),
                _Catalogue(),
                self._store,
                _Leftovers(),
                XrefStreamRule().as_qualified(harmless),
                ObjectStreamRule().as_qualified(harmless),
            ],
            form_rule=form,
            ignore_orphaned_objects=False,
        )


# --- what a signer forbade --------------------------------------------------------------------------------------------


def certifies(signature: Any) -> bool:
    """Whether a signature dictionary is a certification (/DocMDP, ISO 32000-2 §12.8.2.2).

    Raises:
        SuspiciousModification: what it refers to is malformed.
    """
    return any(method == "/DocMDP" for method, _ in _transforms(signature))


def permission(signature: Any, form_field: Any) -> MDPPerm | None:
    """The strictest of what a signature and its field's /Lock say of later changes; None when they say nothing.

    A certification that does not say allows filling in and signing (ISO 32000-2 table 257).

    Raises:
        SuspiciousModification: malformed, or a level that is none.
    """
    said = [_entry(parameters, "/P", 2) for method, parameters in _transforms(signature) if method == "/DocMDP"]
    lock = _entry(form_field, "/Lock", None)
    if isinstance(lock, generic.DictionaryObject) and "/P" in lock:
        said.append(lock["/P"])
    if not all(isinstance(level, generic.NumberObject | int) and level in (1, 2, 3) for level in said):
        raise SuspiciousModification("a level of permission that is none")
    return MDPPerm(min(int(level) for level in said)) if said else None


def _transforms(signature: Any) -> Iterator[tuple[str, Any]]:
    references = _entry(signature, "/Reference", generic.ArrayObject())
    if not isinstance(references, generic.ArrayObject) or len(references) > MAX_REFERENCES:
        raise SuspiciousModification("a list of transforms that is none, or is too long")
    for place in range(len(references)):
        reference = references[place]
        if not isinstance(reference, generic.DictionaryObject):
            raise SuspiciousModification("a transform that is no dictionary")
        parameters = _entry(reference, "/TransformParams", generic.DictionaryObject())
        if not isinstance(parameters, generic.DictionaryObject):
            raise SuspiciousModification("parameters of a transform that are no dictionary")
        yield str(_entry(reference, "/TransformMethod", "")), parameters


def _locked(signature: Any, form_field: Any) -> FieldMDPSpec | None:
    """The fields that a signature locks, as it says itself or else its field's /Lock."""
    said = [parameters for method, parameters in _transforms(signature) if method == "/FieldMDP"]
    lock = _entry(form_field, "/Lock", None)
    if not said and isinstance(lock, generic.DictionaryObject) and "/Action" in lock:
        said = [lock]
    if len(said) > 1:
        raise SuspiciousModification("a signature that locks fields twice")
    return FieldMDPSpec.from_pdf_object(said[0]) if said else None


# --- rules ------------------------------------------------------------------------------------------------------------


class _Trailer(QualifiedWhitelistRule):
    """The trailer stays as it is; in the document information only what a program writes of itself."""

    def apply_qualified(self, old: Any, new: Any) -> Iterator[tuple[ModificationLevel, ReferenceUpdate]]:
        compare_dicts(old.trailer_view, new.trailer_view, _OWN_OF_A_TRAILER)
        before, after = yield from _renewed("/Info", old, old.trailer_view, new.trailer_view, RawPdfPath("/Info"))
        if after is not None:
            nothing = generic.DictionaryObject()
            compare_dicts(nothing if before is None else before, after, _INFORMATION_KEYS)
            if not all(_is_text(after.raw_get(key)) for key in _INFORMATION_KEYS & after.keys()):
                raise SuspiciousModification("document information that is no text")


class _Catalogue(QualifiedWhitelistRule):
    """In the catalogue the form (:class:`_Form`), the store, the extensions and the version may change."""

    def apply_qualified(self, old: Any, new: Any) -> Iterator[tuple[ModificationLevel, ReferenceUpdate]]:
        compare_dicts(old.root, new.root, _CATALOGUE_KEYS)
        yield from _renewed("/Extensions", old, old.root, new.root, RawPdfPath("/Root", "/Extensions"))
        if "/Version" in new.root and not isinstance(new.root.raw_get("/Version"), generic.NameObject):
            raise SuspiciousModification("a version that is no name")
        yield ModificationLevel.LTA_UPDATES, ReferenceUpdate(new.root_ref)


def _renewed(key: str, old: Any, before: Any, after: Any, path: RawPdfPath) -> Any:
    """Explain that the object under ``key`` was replaced; what is in it the caller compares."""
    context = Context.from_absolute(old, path)
    references = compare_key_refs(key, old, before, after)
    while True:
        try:
            reference = next(references)
        except StopIteration as end:
            return end.value
        yield ModificationLevel.LTA_UPDATES, ReferenceUpdate(reference, context_checked=context)


def _is_text(value: Any) -> bool:
    return isinstance(value, generic.TextStringObject | generic.ByteStringObject)


class _Form(FormUpdatingRule):
    """Of the form only /Fields may grow; pyhanko would let the fonts of all fields (/DR) be exchanged.

    Fonts may come where there were none and no field that could use them: Poppler adds its own when it signs.

    Attributes:
        resources_came: they did.
    """

    def __init__(self) -> None:
        super().__init__([], _FORM_KEYS)
        self.resources_came = False

    def apply(self, old: Any, new: Any) -> Iterator[Any]:
        form = new.root["/AcroForm"]
        before = old.root["/AcroForm"] if "/AcroForm" in old.root else generic.DictionaryObject()
        resources = form.raw_get("/DR") if "/DR" in form else None
        if isinstance(resources, generic.IndirectObject) and resources.reference in new.explicit_refs_in_revision():
            raise SuspiciousModification("the resources of the form were exchanged")
        self.ignored_acroform_keys = _FORM_KEYS
        if resources is not None and "/DR" not in before and _only_signature_fields(before):
            self.ignored_acroform_keys = _FORM_KEYS | {"/DR"}
            self.resources_came = True
        yield from super().apply(old, new)


def _only_signature_fields(form: Any) -> bool:
    """Whether each field of a form is one, without any below it."""
    fields = _entry(form, "/Fields", generic.ArrayObject())
    return isinstance(fields, generic.ArrayObject) and all(
        isinstance(item, generic.DictionaryObject) and _entry(item, "/FT", "") == "/Sig"
        for item in (fields[place] for place in range(len(fields)))
    )


class _Leftovers(QualifiedWhitelistRule):
    """New form XObjects that draw nothing: Poppler leaves two behind with each signature, referred to by none."""

    def apply_qualified(self, old: Any, new: Any) -> Iterator[tuple[ModificationLevel, ReferenceUpdate]]:
        for reference in new.explicit_refs_in_revision():
            if not old.is_ref_unassignable(reference) or old._get_usages_of_ref(reference):
                continue
            stream = new(reference)
            if (
                isinstance(stream, generic.StreamObject)
                and stream.keys() <= _XOBJECT_KEYS
                and _entry(stream, "/Subtype", "") == "/Form"
                and not stream.encoded_data.strip(b"\r\n")
            ):
                yield ModificationLevel.LTA_UPDATES, ReferenceUpdate(reference)


@dataclass
class _Widgets(FieldMDPRule):
    """What the fields of later signatures look like. It explains nothing; it objects, and takes note.

    Attributes:
        new: names of signature fields that the signed revision did not have.
        painted: names of fields whose signature shows, or could show, something on a page.
    """

    new: set[str] = field(default_factory=set)
    painted: set[str] = field(default_factory=set)

    def apply(self, context: Any) -> Iterator[Any]:
        for name, spec in context.field_specs.items():
            if spec.field_type != "/Sig" or spec.new_field_ref is None:
                continue
            before, after = spec.old_field, spec.new_field
            if before is None:
                self.new.add(name)
                for part in _parts(after):
                    if not part.keys() <= _FIELD_KEYS:
                        raise SuspiciousModification("a signature field that does more than hold a signature")
            # Also in a field that the earlier signer could have seen: an empty field shows nothing, and nothing tells
            # how much of the page its appearance will hide.
            signed_now = (before is None or "/V" not in before) and "/V" in after
            if signed_now and any(_has_area(part) for part in _parts(after)):
                self.painted.add(name)
        return iter(())


def _entry(owner: Any, key: str, absent: Any) -> Any:
    """The value behind ``key``, references followed (a dictionary's own ``get`` does not)."""
    return owner[key] if key in owner else absent  # noqa: SIM401 - dict.get() would not follow references


def _parts(form_field: Any) -> list[Any]:
    """A field and its widgets."""
    parts = [form_field, *(kid.get_object() for kid in _entry(form_field, "/Kids", ()))]
    if not all(isinstance(part, generic.DictionaryObject) for part in parts):
        raise SuspiciousModification("a signature field with a part that is none")
    return parts


def _has_area(widget: Any) -> bool:
    """Whether a widget takes up any of the page, were it shown: anything but a plain empty rectangle may."""
    if "/Rect" not in widget:
        return "/AP" in widget
    sides = widget["/Rect"]
    numbers = [sides[place] for place in range(len(sides))] if isinstance(sides, generic.ArrayObject) else []
    if len(numbers) != 4 or not all(isinstance(n, generic.NumberObject | generic.FloatObject) for n in numbers):
        return True
    left, bottom, right, top = (float(number) for number in numbers)
    return left != right and bottom != top
