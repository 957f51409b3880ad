"""Judging signed PDFs (ISO 32000-1 §12.8; jpki.md §6 A-30..A-33): every signature, all of the file, nothing after.

pyhanko reads the structure and judges what was added after each signature; which bytes are covered is decided here, on
the bytes themselves. The signature in each dictionary is judged as any other CMS message. Validation data (/DSS) and
document time-stamps may follow a signature. The former are named and nothing rests on them; of the latter one that
counts proves that what it covers is older.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from kojin_card.errors import DecodeError, InputError
from kojin_card.pki import der
from kojin_card.verdict import Check, CheckId, CheckState, Indication, TimeBasis
from kojin_card.verification import pdf_scan, timestamps
from kojin_card.verification.cms import REQUIRED, Signing
from kojin_card.verification.engine import Content, Moment
from kojin_card.verification.signed_data import SignedData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from kojin_card.verdict import Verdict
    from kojin_card.verification.engine import Task
    from kojin_card.verification.pdf_additions import Additions

MAX_PDF_BYTES = 128 * 1024 * 1024
MAX_SIGNATURES = 32
MAX_FIELDS = 10_000
MAX_NAME_CHARS = 1024
_HEX = frozenset(b"0123456789abcdefABCDEF")

#: /SubFilter values that are judged; the first is the one that 登記・供託オンライン wants (jpki.md §5)
SUB_FILTERS = ("/adbe.pkcs7.detached", "/ETSI.CAdES.detached")
#: of a document time-stamp (ISO 32000-2 §12.8.5), and what its token is about (RFC 3161 §2.4.2)
STAMP, TST_INFO = ("/DocTimeStamp", "/ETSI.RFC3161"), "1.2.840.113549.1.9.16.1.4"


class PdfError(DecodeError):
    """A signature in a PDF that is not what ISO 32000 says."""

    code = "malformed_pdf"


@dataclass(frozen=True, slots=True)
class Found:
    """A signature dictionary that a form field holds, as read; nothing of it is checked yet.

    Attributes:
        stamp: it calls itself a document time-stamp.
        certifies: it is a certification (/DocMDP).
    """

    name: str
    sub_filter: str
    stamp: bool
    certifies: bool
    byte_range: tuple[int, int, int, int] | None
    contents: bytes = field(repr=False)
    form_field: Any = field(repr=False)

    @property
    def end(self) -> int:
        """Where the signed bytes end."""
        return self.byte_range[2] + self.byte_range[3] if self.byte_range else 0


def judge(task: Task, data: bytes) -> Verdict:
    """Judge a document.

    Raises:
        InputError: it is larger than 128 MiB.
    """
    if len(data) > MAX_PDF_BYTES:
        raise InputError("the document is larger than the verifier takes", operation="verify a PDF")
    # Imported here and not at the top: pyhanko is slow to load, and a server that judges no PDF never needs it.
    from kojin_card.pdf_reader import quiet

    with quiet():
        return _judge(task, data)


def _judge(task: Task, data: bytes) -> Verdict:
    evidence = {"document_sha256": hashlib.sha256(data).hexdigest()}
    document = _read(data)
    if isinstance(document, Check):
        return task.verdict("pdf", [document], REQUIRED, evidence=evidence)
    evidence |= document.unused
    signatures = document.signatures
    if not signatures:
        # Nobody's signature is shown to a reader, but there may be dictionaries that were cut off from the form.
        nothing = Check.failed("coverage.hidden") if document.hidden else Check.failed("format.no_signature")
        checks = [nothing, Check.passed(CheckId.FORMAT)] if document.hidden else [nothing]
        return task.verdict("pdf", checks, REQUIRED, evidence=evidence)
    whole, proofs = _whole(document), _proofs(task, document)
    if len(signatures) == 1:
        return _judge_one(task, document, proofs, signatures[0], "pdf", evidence, whole)
    parts = tuple(
        _judge_one(task, document, proofs, found, f"pdf signature {number}", {}, Check.passed(CheckId.COVERAGE))
        for number, found in enumerate(signatures, 1)
    )
    formed = Check.passed(CheckId.FORMAT, signatures=str(len(parts)))
    required = frozenset({CheckId.FORMAT, CheckId.COVERAGE})
    return task.verdict("pdf", [formed, whole], required, evidence=evidence, parts=parts)


def _whole(document: Document) -> Check:
    """What concerns the document: nothing is hidden, and what calls itself a time-stamp has the form of one."""
    if document.hidden:
        return Check.failed("coverage.hidden")
    try:
        for stamp in document.stamps:
            _content(document.data, stamp)
            if SignedData.parse(stamp.contents, padded=True).content_type != TST_INFO:
                raise PdfGapError("a document time-stamp that is none")
    except DecodeError as bad:
        return Check.failed("coverage.gap", what=bad.message)
    return Check.passed(CheckId.COVERAGE)


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Document:
    """A PDF whose structure was read.

    Attributes:
        signatures: in the order in which they cover the file.
        stamps: document time-stamps, likewise.
        hidden: there is a signature dictionary that no field of the form holds.
        unused: what the file offers as proof and nothing rests on.
        additions: gives who judges what came after a signature, the same each time. What that needs of pyhanko takes
            longer to load than a document takes to be judged, and most have one signature and nothing after it.
    """

    data: bytes = field(repr=False)
    signatures: tuple[Found, ...]
    stamps: tuple[Found, ...]
    hidden: bool
    unused: dict[str, str]
    additions: Callable[[], Additions] = field(repr=False)


def _read(data: bytes) -> Document | Check:
    from kojin_card.pdf_reader import open_pdf

    try:
        reader = open_pdf(data)
        if reader.encrypted:
            return Check.failed("format.encrypted")
        found = sorted(_fields(reader), key=lambda item: item.end)
        if len(found) > MAX_SIGNATURES:
            return Check.failed("format.unsupported", what="too many signatures")
        hidden = pdf_scan.hidden(data, reader, [item.byte_range for item in found if item.byte_range is not None])
        stamps = tuple(item for item in found if item.stamp)
        unused = {"validation_data": "not used"} if "/DSS" in reader.root else {}
    except DecodeError as bad:
        return Check.failed(_REASONS.get(bad.code, "format.malformed"), what=bad.message)
    except Exception as bad:  # a hostile PDF makes a PDF library raise anything; no kind of it is success
        return Check.failed("format.malformed", what=type(bad).__name__)
    names = frozenset(item.name for item in found)

    @cache
    def additions() -> Additions:
        from kojin_card.verification.pdf_additions import Additions

        return Additions(data, reader, names)

    return Document(data, tuple(item for item in found if not item.stamp), stamps, hidden, unused, additions)


def _fields(reader: Any) -> Iterator[Found]:
    """Every form field whose value is a dictionary, whatever type the field claims to have. Each is reached once.

    A dictionary that several fields hold is one signature.
    """
    from pyhanko.pdf_utils import generic

    form = _value(reader.root, "/AcroForm")
    if form is None:
        return
    if not isinstance(form, generic.DictionaryObject):
        raise PdfError("a form that is no dictionary")
    todo: list[tuple[Any, str]] = [(item, "") for item in _array(form, "/Fields")]
    seen: set[Any] = set()
    values: set[Any] = set()
    count = 0
    while todo:
        item, parent = todo.pop()
        if isinstance(item, generic.IndirectObject):
            if item.reference in seen:
                raise PdfError("a form field that is reached twice")
            seen.add(item.reference)
        field_object = item.get_object()
        count += 1
        if not isinstance(field_object, generic.DictionaryObject) or count > MAX_FIELDS:
            raise PdfError("a form field that is no dictionary, or too many")
        name = ".".join(part for part in (parent, str(_value(field_object, "/T") or "")) if part)
        if len(name) > MAX_NAME_CHARS:
            raise PdfError("a field name that is too long")
        value = _value(field_object, "/V")
        holder = field_object.raw_get("/V") if value is not None else None
        known = isinstance(holder, generic.IndirectObject) and holder.reference in values
        if isinstance(holder, generic.IndirectObject):
            values.add(holder.reference)
        if isinstance(value, generic.DictionaryObject) and not known:
            yield _found(name, value, field_object)
        todo += [(kid, name) for kid in _array(field_object, "/Kids")]


def _value(owner: Any, key: str) -> Any:
    """What a dictionary has under ``key``, references followed; None when it has nothing."""
    return owner[key] if key in owner else None  # noqa: SIM401 - dict.get() would not follow references


def _array(owner: Any, key: str) -> list[Any]:
    from pyhanko.pdf_utils import generic

    if key not in owner:
        return []
    value = owner[key]
    if not isinstance(value, generic.ArrayObject) or len(value) > MAX_FIELDS:
        raise PdfError("a list of form fields that is none, or is too long")
    return [value.raw_get(place) for place in range(len(value))]


def _found(name: str, value: Any, field_object: Any) -> Found:
    from pyhanko.pdf_utils import generic

    contents = value.raw_get("/Contents") if "/Contents" in value else None
    if not isinstance(contents, generic.ByteStringObject | generic.TextStringObject):
        raise PdfError("a signature without /Contents")
    numbers = value.raw_get("/ByteRange") if "/ByteRange" in value else None
    byte_range = None
    if isinstance(numbers, generic.ArrayObject) and len(numbers) == 4:
        plain = [numbers.raw_get(place) for place in range(4)]
        if all(isinstance(number, generic.NumberObject) and number >= 0 for number in plain):
            byte_range = (int(plain[0]), int(plain[1]), int(plain[2]), int(plain[3]))
    sub_filter = str(_value(value, "/SubFilter") or "")
    stamp = (str(_value(value, "/Type") or ""), sub_filter) == STAMP
    certifies = "/Reference" in value and _certifies(value)
    return Found(name, sub_filter, stamp, certifies, byte_range, contents.original_bytes, form_field=field_object)


def _certifies(signature: Any) -> bool:
    from kojin_card.verification.pdf_additions import certifies

    return certifies(signature)


# --- one signature ----------------------------------------------------------------------------------------------------


def _judge_one(
    task: Task,
    document: Document,
    proofs: tuple[_Proof, ...],
    found: Found,
    subject: str,
    evidence: dict[str, str],
    whole: Check,
) -> Verdict:
    evidence = {**evidence, "field": found.name}
    if found.sub_filter not in SUB_FILTERS:
        failed = Check.failed("format.unsupported", sub_filter=found.sub_filter[:64] or "none")
        return task.verdict(subject, [failed], REQUIRED, evidence=evidence)
    if found.certifies and found is not document.signatures[0]:
        # ISO 32000-2 §12.8.1: one certification, and before any other signature
        failed = Check.failed("format.malformed", what="a certification after another signature")
        return task.verdict(subject, [failed], REQUIRED, evidence=evidence)
    try:
        content = _content(document.data, found)
        coverage = whole if whole.state is not CheckState.PASSED else _coverage(document, found)
        signed = SignedData.parse(found.contents, padded=True)
        if len(signed.signers) != 1:
            raise PdfError("not exactly one signer")  # ISO 32000-1 §12.8.3.3.1
        if signed.content is not None:
            coverage = Check.failed("coverage.two_contents")
    except DecodeError as bad:
        failed = Check.failed(_REASONS.get(bad.code, "format.malformed"), what=bad.message)
        return task.verdict(subject, [failed], REQUIRED, evidence=evidence)
    task, stamps = _with_proof(task, proofs, found)
    if stamps:
        used = any(stamp.indication is Indication.TOTAL_PASSED for stamp in stamps)
        evidence["document_timestamps"] = "used" if used else "not used"
    verdict = Signing(task, signed, signed.signers[0], content, coverage).verdict(subject, evidence)
    return replace(verdict, timestamps=(*stamps, *verdict.timestamps))


@dataclass(frozen=True, slots=True)
class _Proof:
    """A document time-stamp as judged: what it covers, and the time that it proves (None when it proves nothing)."""

    covers: int
    verdict: Verdict
    proven: datetime | None


def _proofs(task: Task, document: Document) -> tuple[_Proof, ...]:
    """Every document time-stamp over a signature, judged once: each is about nearly the whole file."""
    first = min(found.end for found in document.signatures)
    proofs = []
    for stamp in document.stamps:
        if stamp.byte_range is not None and stamp.byte_range[1] >= first:
            try:
                _, end = der.normalise(stamp.contents)
                stamped = _content(document.data, stamp).joined()
            except DecodeError:  # a time-stamp over something else, or none: it proves nothing
                continue
            proofs.append(_Proof(stamp.byte_range[1], *timestamps.judge(task, stamp.contents[:end], stamped)))
    return tuple(proofs)


def _with_proof(task: Task, proofs: tuple[_Proof, ...], found: Found) -> tuple[Task, tuple[Verdict, ...]]:
    """The task as of the earliest time that a document time-stamp over the signature proves; a verdict on each."""
    over = [proof for proof in proofs if proof.covers >= found.end]
    times = [proof.proven for proof in over if proof.proven is not None]
    if times and (earliest := min(times)) <= task.moment.at:
        task = replace(task, moment=Moment(earliest, TimeBasis.TIMESTAMP, task.moment.now))
    return task, tuple(proof.verdict for proof in over)


class PdfGapError(PdfError):
    """A /ByteRange that leaves out anything but the signature's own /Contents."""

    code = "malformed_byte_range"


#: codes of errors -> reasons; any other is format.malformed
_REASONS = {PdfGapError.code: "coverage.gap", "intricate_pdf": "format.unsupported"}


def _content(data: bytes, found: Found) -> Content:
    """The signed bytes: from the start, all but ``<hex of /Contents>``, to the end of the range (A-30, A-33).

    Raises:
        PdfGapError: anything else.
    """
    if found.byte_range is None:
        raise PdfGapError("a /ByteRange that is not four numbers")
    first, before, second, after = found.byte_range
    if first != 0 or not 0 < before < second or second + after > len(data):
        raise PdfGapError("a /ByteRange that does not fit the file")
    gap = data[before:second]
    if gap[:1] != b"<" or gap[-1:] != b">" or not _HEX.issuperset(gap[1:-1]) or len(gap) % 2:
        raise PdfGapError("a /ByteRange that leaves out more than /Contents")
    if bytes.fromhex(gap[1:-1].decode("ascii")) != found.contents:
        raise PdfGapError("a /ByteRange that leaves out something else than /Contents")
    view = memoryview(data)
    return Content((view[:before], view[second : second + after]))


def _coverage(document: Document, found: Found) -> Check:
    """Nothing after the last signature but validation data; after an earlier one what making later signatures adds."""
    last = document.signatures[-1]
    if found.end == len(document.data):
        return Check.passed(CheckId.COVERAGE, covers="whole file")
    check = _added(document, found, last=found is last)
    wrong = check.reason in ("coverage.modified", "coverage.gap")
    if wrong and (found is last or (check.reason == "coverage.modified" and not _ends_well(document))):
        return Check.failed("coverage.appended", **check.evidence, bytes=str(len(document.data) - last.end))
    return check


def _ends_well(document: Document) -> bool:
    """Whether only validation data, if anything, came after the last signature."""
    last = document.signatures[-1]
    return last.end == len(document.data) or _added(document, last, last=True).state is CheckState.PASSED


def _added(document: Document, found: Found, *, last: bool) -> Check:
    from kojin_card.pdf_reader import PdfTooIntricateError, quiet

    try:
        additions = document.additions()
        with quiet():  # again: of the loggers that this has loaded, too
            return additions.judge(found.form_field, found.name, last=last)
    except PdfTooIntricateError:
        raise
    except Exception as bad:  # see _read: what cannot be analysed was not shown to be harmless
        return Check.failed("coverage.modified", what=type(bad).__name__)
