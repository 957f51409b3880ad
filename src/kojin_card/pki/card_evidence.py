"""What was read of a card, byte for byte, for judging whether it is genuine: readers make it, judges take it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.spec import ApplicationSpec, DigestSpec, SignatureSpec

#: how many random bytes a card is asked to sign, and the least that a judge takes
CHALLENGE_BYTES = 32
LEAST_CHALLENGE_BYTES = 16
#: how a spec names a signer that a file of the card certifies
_BY_FILE = "file:"


@dataclass(frozen=True, slots=True)
class RecordEvidence:
    """One record that was read, and all that speaks for it in its own application (card.md §2.8).

    ``repr`` shows no content: the signed digests of a record are personal data as the record is, the one over 個人番号
    as much as the number itself. Keep none of it longer than the judging takes.

    Attributes:
        application, file: ids of the specs: what was read.
        files: every file that was read, by id, as it is on the card, filler included. One that is not there could not
            be read.
        challenge: the random bytes whose digest the card was asked to sign with the application's own key.
        answer: what it answered; None: nothing.
    """

    application: str
    file: str
    files: Mapping[str, bytes] = field(repr=False)
    challenge: bytes = field(default=b"", repr=False)
    answer: bytes | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """``application/file``."""
        return f"{self.application}/{self.file}"


@dataclass(frozen=True, slots=True)
class CardEvidence:
    """A whole card, as far as it was read.

    Attributes:
        records: the records that a secret was given for; one that is not on the card has no files.
        free: what it tells anyone, by ``application/file`` or ``application/object``: CV certificates, municipality...
        absent: what this card has not got, by the same names; an application by its own.
    """

    records: tuple[RecordEvidence, ...] = ()
    free: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    absent: tuple[str, ...] = ()


class Prover(Protocol):
    """Who wants a read proved: it gives the challenge, gets the evidence, and raises unless that will do."""

    def challenge(self) -> bytes:
        """Fresh random bytes, others each time."""
        ...

    def require(self, evidence: RecordEvidence) -> object:
        """Judge.

        Raises:
            NotGenuine: the record is not proved genuine.
        """
        ...


@dataclass(frozen=True, slots=True)
class ProofPlan:
    """What speaks for one record of an application, as its spec says.

    Attributes:
        file: the record.
        digest: where the digest of it stands; None: the record itself is signed.
        record: the signature over the record, or over that digest.
        key: the signature over the public half of the application's own key: the same one where the record holds it.
        certificate: the file that certifies who made both.
    """

    file: str
    digest: DigestSpec | None
    record: SignatureSpec
    key: SignatureSpec
    certificate: str

    @classmethod
    def of(cls, application: ApplicationSpec, file: str) -> ProofPlan:
        """How that record can be proved.

        Raises:
            UsageError: nothing on the card speaks for it.
        """
        digest = next((one for one in application.digests.values() if one.of_file == file), None)
        signed = file if digest is None else digest.file
        by_file = [one for one in application.signatures.values() if one.signer.startswith(_BY_FILE)]
        record = next((one for one in by_file if one.file == signed), None)
        over_key = [one for one in by_file if any(application.default_key in group for group in one.covers)]
        key = record if record in over_key else next(iter(over_key), None)
        if record is None or key is None or record.signer != key.signer:
            raise UsageError(f"nothing speaks for {application.id}/{file}", operation="prove a record")
        return cls(file, digest, record, key, record.signer.removeprefix(_BY_FILE))

    @property
    def files(self) -> tuple[str, ...]:
        """What must be read besides the record, in this order."""
        wanted = (self.record.file, self.certificate, self.key.file)
        return tuple(dict.fromkeys(one for one in wanted if one != self.file))
