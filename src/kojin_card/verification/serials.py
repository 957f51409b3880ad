"""The status of certificates of which only the serial number was kept (現況確認), one or many.

Passed means: the source says *not revoked*, at that time. It says nothing of a signature, nor that such a certificate
was ever issued, nor (unless its end was kept) that it has not ended: lists drop certificates that have.
"""

from __future__ import annotations

import contextlib
import csv
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

from kojin_card.errors import InputError
from kojin_card.pki.path import check_revocation
from kojin_card.pki.reference import NO_KNOWN_END, CertificateReference, read_issuer, read_scope, read_serial
from kojin_card.pki.revocation import RevocationStatus
from kojin_card.pki.trust import TrustAnchor
from kojin_card.verdict import Check, CheckId, Indication

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kojin_card.pki.trust import TrustStore
    from kojin_card.verdict import Verdict
    from kojin_card.verification.engine import Task
    from kojin_card.verification.verifier import Verifier

#: the columns of a file of stored serials; the first two must be there, ``id`` is the caller's own and comes back
COLUMNS = ("issuer", "serial", "distribution_point", "not_after", "id")
MAX_LINE_BYTES, MAX_ID_CHARS = 8192, 256
_MAX_SCOPES = 4096

_CHECKS = frozenset({CheckId.REVOCATION, CheckId.TIME})
_OPERATION = "read stored serials"


def make_reference(
    serial: str | int,
    issuer: str | TrustAnchor,
    store: TrustStore,
    *,
    scope: str | bytes | None = None,
    not_after: datetime | None = None,
) -> tuple[CertificateReference, TrustAnchor]:
    """What was kept, as values. Arguments and errors as of ``Verifier.serial_status``."""
    number = read_serial(serial if isinstance(serial, str) else f"{serial:X}")
    anchor = issuer if isinstance(issuer, TrustAnchor) else read_issuer(issuer, store)
    if anchor not in store.anchors:
        raise InputError("no CA of this trust store has that key id or name", operation=_OPERATION)
    if not_after is not None and not_after.utcoffset() is None:
        raise InputError("a time has its zone", operation=_OPERATION)
    name = read_scope(scope) if isinstance(scope, str) else scope
    return CertificateReference(number, name, NO_KNOWN_END if not_after is None else not_after), anchor


def judge(task: Task, reference: CertificateReference, anchor: TrustAnchor) -> Verdict:
    """The verdict on one stored serial; its subject is ``serial``."""
    answer, at = task.ask(reference, anchor), task.moment.at
    evidence = {
        "certificate_serial": f"{reference.serial:X}",
        "anchor": anchor.id,
        "issuer_key_id": anchor.key_id.hex(),
    }
    checks, required = [check_revocation(answer, proof=task.moment.proof, grace=task.grace)], _CHECKS
    if answer is not None and answer.source is not None:
        evidence["revocation_source"] = f"{answer.method}:{answer.source}"
    if at < anchor.not_before:
        checks.append(Check.failed("validity.not_yet"))
    elif at > anchor.not_after:
        checks.append(Check.failed("validity.issuer_expired"))
    elif not reference.ends:
        evidence["end"] = "not_known"
    elif at > reference.not_after:
        checks.append(Check.failed("validity.expired"))
    else:
        checks.append(Check.passed(CheckId.VALIDITY))
        required |= {CheckId.VALIDITY}
    return task.verdict("serial", checks, required, evidence=evidence)


def status_of(verdict: Verdict) -> str:
    """In one word what became of a stored serial: ``revoked``, ``expired``, ``good`` (it passed) or ``unknown``."""
    if any(reason.startswith("revocation.revoked") for reason in verdict.reasons):
        return str(RevocationStatus.REVOKED)
    if any(reason in ("validity.expired", "validity.issuer_expired") for reason in verdict.reasons):
        return "expired"
    passed = verdict.indication is Indication.TOTAL_PASSED
    return str(RevocationStatus.GOOD if passed else RevocationStatus.UNKNOWN)


# --- many -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class SerialRow:
    """One line of a file of stored serials.

    Attributes:
        number: of the line, from 1 (the header).
        id: the caller's own, as it stands there.
        problem: why the line cannot be used; then ``reference`` and ``issuer`` are None.
    """

    number: int
    id: str = ""
    reference: CertificateReference | None = None
    issuer: TrustAnchor | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class SerialResult:
    """A line and its verdict; None for one that cannot be used."""

    row: SerialRow
    verdict: Verdict | None = field(default=None)

    @property
    def status(self) -> str:
        """As :func:`status_of`; ``bad`` without a verdict."""
        return "bad" if self.verdict is None else status_of(self.verdict)


def read_rows(stream: BinaryIO, store: TrustStore) -> Iterator[SerialRow]:
    """The lines of a CSV file (UTF-8, one line a row), read as they are asked for.

    The header names the columns (:data:`COLUMNS`, in any order). A line that cannot be used comes out with its problem.

    Raises:
        InputError: no header, an unknown column or one twice, or ``issuer`` or ``serial`` missing.
    """
    header = _cells(_line(stream) or b"")
    names = [] if header is None else [name.strip().lower().removeprefix("\ufeff") for name in header]
    if not set(names) <= set(COLUMNS) or len(set(names)) != len(names) or not {"issuer", "serial"} <= set(names):
        raise InputError("the first line names the columns: issuer, serial and others", operation=_OPERATION)
    number, scopes = 1, _Scopes()
    while (raw := _line(stream)) is not None:
        number += 1
        if raw.strip():
            yield _row(number, names, raw, store, scopes)


class _Scopes:
    """Names that were read before: of a million lines there are two thousand municipalities."""

    def __init__(self) -> None:
        self._known: dict[str, bytes | None] = {}

    def read(self, text: str) -> bytes | None:
        """As :func:`read_scope`."""
        if text not in self._known:
            if len(self._known) >= _MAX_SCOPES:
                self._known.clear()
            self._known[text] = read_scope(text)
        return self._known[text]


def _row(number: int, names: list[str], raw: bytes, store: TrustStore, scopes: _Scopes) -> SerialRow:
    if len(raw) > MAX_LINE_BYTES:
        return SerialRow(number, problem="a line that is too long")
    cells = _cells(raw)
    if cells is None or len(cells) != len(names):
        return SerialRow(number, problem="a line that does not have the columns of the first one")
    value = dict(zip(names, cells, strict=True))
    own = value.get("id", "")[:MAX_ID_CHARS]
    try:
        end = _moment(value.get("not_after", ""))
        scope = scopes.read(value.get("distribution_point", ""))
        reference, anchor = make_reference(value["serial"], value["issuer"], store, scope=scope, not_after=end)
    except InputError as bad:
        return SerialRow(number, own, problem=bad.message)
    return SerialRow(number, own, reference, anchor)


def judge_rows(
    verifier: Verifier,
    rows: Iterator[SerialRow],
    *,
    at: datetime | None = None,
    received_at: datetime | None = None,
) -> Iterator[SerialResult]:
    """Judge each line when it is asked for; nothing of it is kept."""
    for row in rows:
        if row.reference is None or row.issuer is None:
            yield SerialResult(row)
            continue
        one = row.reference
        end = one.not_after if one.ends else None
        verdict = verifier.serial_status(
            one.serial, row.issuer, scope=one.crl_scope, not_after=end, at=at, received_at=received_at
        )
        yield SerialResult(row, verdict)


def _line(stream: BinaryIO) -> bytes | None:
    """The next line; of one that is too long a piece that is too long. None at the end."""
    raw = stream.readline(MAX_LINE_BYTES + 1)
    if not raw:
        return None
    piece = raw
    while len(piece) > MAX_LINE_BYTES and not piece.endswith(b"\n"):
        piece = stream.readline(MAX_LINE_BYTES + 1)
    return raw


def _cells(raw: bytes) -> list[str] | None:
    with contextlib.suppress(UnicodeDecodeError, csv.Error):
        rows = list(csv.reader([raw.decode("utf-8").rstrip("\r\n")], strict=True))
        return rows[0] if len(rows) == 1 else None
    return None


def _moment(text: str) -> datetime | None:
    """ISO 8601 with its zone; None for nothing."""
    found = None
    if not text.strip():
        return None
    with contextlib.suppress(ValueError):
        found = datetime.fromisoformat(text.strip())
    if found is None or found.utcoffset() is None:
        raise InputError("a time has its zone", operation=_OPERATION)
    return found
