"""What a platform operator (プラットフォーム事業者) answers, as a source of revocation.

Who may not ask J-LIS itself asks an operator that may (jpki.md §3, §4). Its interface is agreed between the two and not
public, so the caller writes the question and hands the answer over as an :class:`OperatorAnswer`. Nothing of it is
signed by the CA: the operator asserts it, and every verdict that rests on it says so (``asserted_by``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from kojin_card.errors import UsageError
from kojin_card.pki.revocation import REASON_NAMES, RevocationAnswer, RevocationStatus, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.pki.revocation import Revocable
    from kojin_card.pki.trust import TrustAnchor

MAX_AGE = timedelta(hours=24)
CLOCK_SKEW = timedelta(minutes=2)
MAX_NAME_CHARS, MAX_REFERENCE_CHARS = 64, 128
_METHOD = "operator"
_REFERENCE = re.compile(r"[A-Za-z0-9._:/-]+")


@dataclass(frozen=True, slots=True)
class OperatorQuestion:
    """What is to be asked. The serial is unique to one person: send it to the operator, and nowhere else.

    Attributes:
        certificate: its DER, where there is one (a stored serial has none).
        at: the time that is asked about.
    """

    serial: int = field(repr=False)
    issuer: TrustAnchor
    certificate: bytes | None = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True)
class OperatorAnswer:
    """What an operator said.

    Attributes:
        reference: the operator's id of this answer: 1 to 128 ASCII letters, digits and ``._:/-``.
        as_of: for which time it holds (of its list or of its own question to J-LIS).
        revoked_at: for a revoked one, where the operator says since when.
        reason: a name of :data:`~kojin_card.pki.revocation.REASON_NAMES`.
    """

    status: RevocationStatus
    reference: str
    as_of: datetime
    revoked_at: datetime | None = None
    reason: str | None = None

    def problem(self) -> str | None:
        """What is wrong with it as a value; None when nothing is."""
        times = (self.as_of, *(() if self.revoked_at is None else (self.revoked_at,)))
        said: object = self.status
        if not isinstance(said, RevocationStatus):  # as text it would equal, and be none
            return "an answer without a status"
        if not all(isinstance(moment, datetime) and moment.utcoffset() is not None for moment in times):
            return "an answer whose time has no zone"
        named = isinstance(self.reference, str) and _REFERENCE.fullmatch(self.reference)
        if not named or len(self.reference) > MAX_REFERENCE_CHARS:
            return "an answer without a reference"
        if self.reason is not None and self.reason not in REASON_NAMES.values():
            return "an answer with an unknown reason"
        revoked = self.status is RevocationStatus.REVOKED
        return (
            None
            if revoked or (self.revoked_at is None and self.reason is None)
            else "an answer that contradicts itself"
        )


class Operator(Protocol):
    """The caller's client of an operator. May raise: that is an answer that did not come."""

    def __call__(self, question: OperatorQuestion, /) -> OperatorAnswer:
        """Ask it."""
        ...


class OperatorSource:
    """A :class:`~kojin_card.pki.revocation.RevocationSource` that asks a platform operator. As thread-safe as ``ask``.

    A revocation counts however old the answer is, as in lists, and whatever else is wrong with it (another source must
    not hide it). Anything else must be fresh and without a mistake.

    Args:
        name: who asserts the answers, as verdicts are to say it: 1 to 64 characters that can be printed.
        ask: the caller's client. It bounds its own time.
        max_age: how old ``as_of`` may be.

    Raises:
        UsageError: a name that cannot be shown.
    """

    def __init__(self, name: str, ask: Operator, *, max_age: timedelta = MAX_AGE) -> None:
        if not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
            raise UsageError("an operator has a name of 1 to 64 characters", operation="ask an operator")
        self.name = name
        self.max_age = max_age
        self._ask = ask

    def status(self, certificate: Revocable, issuer: TrustAnchor, at: datetime, *, now: datetime) -> RevocationAnswer:
        """See :meth:`~kojin_card.pki.revocation.RevocationSource.status`."""
        question = OperatorQuestion(certificate.serial, issuer, getattr(certificate, "der", None), at)
        try:
            answer: object = self._ask(question)
        except Exception as bad:  # its words may hold anything; its kind does not
            return self._unknown(Unknown.UNREACHABLE, type(bad).__name__)
        if not isinstance(answer, OperatorAnswer):
            return self._unknown(Unknown.UNTRUSTED, "not an answer")
        problem = answer.problem()
        if problem is not None and answer.status == RevocationStatus.REVOKED:
            revoked = RevocationStatus.REVOKED
            return RevocationAnswer(revoked, method=_METHOD, detail=problem, asserted_by=self.name)
        if problem is not None:
            return self._unknown(Unknown.UNTRUSTED, problem)
        return self._meaning(answer, certificate, at, now)

    def policy(self) -> Mapping[str, str]:
        """For ``policy_sha256`` of a verdict: whose word counts."""
        return {"operator": self.name}

    def _meaning(self, answer: OperatorAnswer, certificate: Revocable, at: datetime, now: datetime) -> RevocationAnswer:
        since = answer.revoked_at
        if answer.status is RevocationStatus.REVOKED and (at >= now or since is None or since <= at):
            return self._answer(answer, RevocationStatus.REVOKED)
        if answer.status is RevocationStatus.UNKNOWN:
            return self._answer(answer, RevocationStatus.UNKNOWN, Unknown.NOT_KNOWN)
        if not answer.as_of - CLOCK_SKEW <= now <= answer.as_of + self.max_age + CLOCK_SKEW:
            return self._answer(answer, RevocationStatus.UNKNOWN, Unknown.OUTDATED)
        if at < answer.as_of and answer.as_of > certificate.not_after:
            return self._answer(answer, RevocationStatus.UNKNOWN, Unknown.OUTDATED)
        later = "revoked after the time asked about" if answer.status is RevocationStatus.REVOKED else None
        return self._answer(answer, RevocationStatus.GOOD, detail=later)

    def _answer(
        self, answer: OperatorAnswer, status: RevocationStatus, why: Unknown | None = None, detail: str | None = None
    ) -> RevocationAnswer:
        revoked, later = status is RevocationStatus.REVOKED, status is RevocationStatus.GOOD
        known = (answer.reason or REASON_NAMES[0]) if answer.status is RevocationStatus.REVOKED else None
        return RevocationAnswer(
            status,
            why,
            revoked_at=answer.revoked_at if revoked else None,
            reason=known if revoked or later else None,
            revoked_later_at=answer.revoked_at if later else None,
            method=_METHOD,
            source=answer.reference,
            this_update=answer.as_of,
            detail=detail,
            asserted_by=self.name,
        )

    def _unknown(self, why: Unknown, detail: str) -> RevocationAnswer:
        return RevocationAnswer(RevocationStatus.UNKNOWN, why, method=_METHOD, detail=detail, asserted_by=self.name)
