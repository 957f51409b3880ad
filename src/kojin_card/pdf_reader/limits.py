"""How much a PDF from a stranger may cost, and what is raised when it would cost more."""

from __future__ import annotations

from pyhanko.pdf_utils.decode_limits import DecodeLimits, DecodePurpose, DocumentDecodeBudget, StreamDecodeLimits

from kojin_card.errors import DecodeError

MAX_ENTRIES = 500_000
"""Cross-reference entries of all revisions together."""
MAX_REVISIONS = 500
MAX_ENTRY_BYTES = 24
MAX_XREF_STREAM_BYTES = 16 * 1024 * 1024
MAX_SPARSE_WORK = 5_000_000
"""Freed and reused entries times revisions: pyhanko compares each with every later revision."""
MAX_OBJECTS_IN_STREAM = 100_000
MAX_STEPS = 6_000_000
"""Steps that comparing the revisions of a document may take, for all its signatures together; more over 24 MB.

A token of an object that is only scanned for references is one, an element of one that is built is ``STEPS_TO_BUILD``
and one more each time that it is looked at again. Measured on two cores shared with other work: 1.5 to 2.5
microseconds a step.
"""
STEPS_TO_BUILD = 10
MAX_READS = 10_000_000
"""How often pyhanko may ask for bytes of the file and of its object streams; more over 40 MB. About two and a half
microseconds each, with all that is made of them; an honest object takes a hundred."""
MAX_PATHS = 100_000
"""Ways from the trailer to the objects that changed, dead ends included; pyhanko follows them all."""

_MIB = 1024 * 1024
LIMITS = DecodeLimits(
    per_stream=StreamDecodeLimits(max_output_size=64 * _MIB),
    per_purpose={
        DecodePurpose.XREF_STREAM: StreamDecodeLimits(max_output_size=MAX_XREF_STREAM_BYTES),
        DecodePurpose.OBJECT_STREAM: StreamDecodeLimits(max_ratio=100, ratio_floor=4 * _MIB, max_output_size=16 * _MIB),
    },
    document_budget=DocumentDecodeBudget(base_allowance=64 * _MIB, max_ratio=20),
)


class PdfError(DecodeError):
    """A PDF, or a signature in it, that is not what ISO 32000 says, or whose tables are out of proportion."""

    code = "malformed_pdf"


class PdfTooIntricateError(PdfError):
    """A well-formed PDF whose revisions take too much work to compare."""

    code = "intricate_pdf"
