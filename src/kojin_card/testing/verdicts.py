"""For each verdict that the engine can give, a document that gets it, with all that is needed to judge it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from kojin_card.errors import UsageError
from kojin_card.pki.crl_store import CrlMemory
from kojin_card.pki.profile import Purpose, Store
from kojin_card.testing.verdict_table import CASES
from kojin_card.verification import MemoryChallengeStore, Verifier

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kojin_card.authn import Challenge
    from kojin_card.testing.verdict_table import VerdictCase
    from kojin_card.verdict import Indication, SubIndication, Verdict

#: the clock of the documents unless another is given
DOCUMENTS_NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)

AUDIENCE, PURPOSE = "https://bank.example", "log in"
_SUFFIXES = {"cms": "p7s", "pdf": "pdf", "xml": "xml", "raw": "sig", "proof": "jws", "certificate": "der"}


@dataclass(frozen=True, slots=True)
class VerdictDocument:
    """Something to judge, how to judge it, and the verdict to expect.

    Attributes:
        case: its row of the table; ``id``, ``kind``, ``what`` and the verdict to expect are there (and here).
        now: what the verifier's clock must say.
        data: what is judged; a proof as ASCII.
        content: what was signed, where it stands beside (``cms`` detached, ``raw``).
        certificate: the signer's, where it stands beside (``raw``).
        purpose: what the certificate must be for (``raw``, ``certificate``).
        store: the trust store to judge with.
        lists: revocation lists to judge with, by names for their files; None: there is no source at all.
        at, received_at: a time of judgement that is given.
        grace: how long after that a list must have been issued.
        challenge: for a proof, what was given out; None: nothing was.
        answered: the challenge was answered before.
        audience, asked: for a proof, who judges, and the purpose asked for.
    """

    case: VerdictCase
    now: datetime
    data: bytes = field(repr=False)
    content: bytes | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    purpose: Purpose = Purpose.SIGNATURE
    store: Store = Store.SIMULATOR
    lists: Mapping[str, bytes] | None = field(default=None, repr=False)
    at: datetime | None = None
    received_at: datetime | None = None
    grace: timedelta | None = None
    challenge: Challenge | None = field(default=None, repr=False)
    answered: bool = False
    audience: str = AUDIENCE
    asked: str = PURPOSE

    @property
    def id(self) -> str:
        """The key of the table."""
        return self.case.id

    @property
    def kind(self) -> str:
        """``cms``, ``pdf``, ``xml``, ``raw``, ``proof`` or ``certificate``."""
        return self.case.kind

    @property
    def reason(self) -> str | None:
        """The reason that decides; None when it passes."""
        return self.case.reason

    @property
    def indication(self) -> Indication:
        """The indication to expect."""
        return self.case.indication

    @property
    def sub_indication(self) -> SubIndication | None:
        """The sub-indication to expect."""
        return self.case.sub_indication

    @property
    def exit_code(self) -> int:
        """What ``kojin-card`` ends with: 0, 20 or 21."""
        return self.case.exit_code

    def verifier(self) -> Verifier:
        """A verifier with the store, the lists and the clock that the document wants."""
        source = None if self.lists is None else CrlMemory(self.lists.values())
        return Verifier.for_store(self.store, source, now=lambda: self.now, grace=self.grace)

    def challenges(self) -> MemoryChallengeStore:
        """A store of challenges in the state that the document wants; a new one each time, for judging uses it up."""
        store = MemoryChallengeStore()
        if self.challenge is not None:
            store.add(self.challenge)
            if self.answered:
                store.consume(self.challenge.nonce, self.now)
        return store

    def judge(self, verifier: Verifier | None = None) -> Verdict:
        """The verdict of ``verifier``, or of :meth:`verifier`."""
        judge = self.verifier() if verifier is None else verifier
        at, received = self.at, self.received_at
        if self.kind == "cms":
            return judge.verify_cms(self.data, self.content, at=at, received_at=received)
        if self.kind == "pdf":
            return judge.verify_pdf(self.data, at=at, received_at=received)
        if self.kind == "xml":
            return judge.verify_xml(self.data, at=at, received_at=received)
        if self.kind == "raw":
            if self.content is None or self.certificate is None:
                raise UsageError("a bare signature has content and certificate beside it")
            return judge.verify_raw(
                self.data, self.content, self.certificate, purpose=self.purpose, at=at, received_at=received
            )
        if self.kind == "proof":
            compact, challenges = self.data.decode("ascii"), self.challenges()
            return judge.verify_proof(
                compact, challenges, audience=self.audience, purpose=self.asked, at=at, received_at=received
            )
        return judge.certificate_status(self.data, purpose=self.purpose, at=at, received_at=received)

    def write(self, folder: Path) -> Path:
        """Write all of it as files, for a program of another kind; gives the path of the document.

        ``document.pdf`` (``.p7s``, ``.xml``, ``.sig``, ``.jws``, ``.der``), and as far as there are any
        ``content.bin``, ``certificate.der``, ``challenge.json`` and ``lists/*.crl``.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"document.{_SUFFIXES[self.kind]}"
        path.write_bytes(self.data)
        if self.content is not None:
            (folder / "content.bin").write_bytes(self.content)
        if self.certificate is not None:
            (folder / "certificate.der").write_bytes(self.certificate)
        if self.challenge is not None:
            (folder / "challenge.json").write_text(self.challenge.to_json(), "utf-8")
        if self.lists is not None:
            (folder / "lists").mkdir(exist_ok=True)
            for name, data in self.lists.items():
                (folder / "lists" / name).write_bytes(data)
        return path

    def __str__(self) -> str:
        return self.id


def verdict_document(id: str, now: datetime = DOCUMENTS_NOW) -> VerdictDocument:
    """The document of that id of the table.

    Args:
        now: what the verifier's clock will say; the same moment gives the same bytes. One document has a clock of its
            own all the same (``validity.issuer_expired``): go by its ``now``.

    Raises:
        UsageError: no such document, a time without zone or one that the CAs of the test PKI do not cover.
    """
    if id not in CASES:
        raise UsageError("no document of that id", id=id[:64])
    if now.utcoffset() is None:
        raise UsageError("a clock needs its zone")
    return _made(id, now.astimezone(UTC).replace(microsecond=0))


@lru_cache(maxsize=256)
def _made(id: str, now: datetime) -> VerdictDocument:
    from kojin_card.testing.verdict_makers import MAKERS, Maker

    wanted = {"now": now, "lists": Maker(now).lists(), **MAKERS[id](Maker(now))}
    return VerdictDocument(CASES[id], **wanted)


def verdict_documents(now: datetime = DOCUMENTS_NOW) -> tuple[VerdictDocument, ...]:
    """All of them, in the order of the table. Arguments and errors as :func:`verdict_document`."""
    return tuple(verdict_document(id, now) for id in CASES)
