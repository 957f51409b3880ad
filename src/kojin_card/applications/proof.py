"""Reading what speaks for a record, and for a card: certificates, signatures, and the card's answer to a challenge.

Nothing is judged here (``kojin_card.verification`` does that); what a card has not got is told, not raised.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from kojin_card.errors import AccessDenied, NotOnCard, UnexpectedAnswer, UsageError
from kojin_card.pki.card_evidence import CardEvidence, ProofPlan, RecordEvidence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kojin_card.channel import CardChannel, PinArgument
    from kojin_card.pki.card_evidence import Prover
    from kojin_card.spec import Record

#: what a whole card is asked for without a secret: transparent files, records and data objects
FREE = {
    "input_support": ("cv_certificate",),
    "card_face": ("cv_certificate", "application_information"),
    "common": ("card_information",),
    "card_manager": ("municipality", "expiry", "upper_cv_certificate", "lower_cv_certificate"),
}
#: which record each secret opens for a proof, and with which key: the one that says least of the holder. 個人番号 and
#: its image are not among them: they are read for a duty only.
OPENS: Mapping[str, tuple[str, str, str]] = {
    "pin": ("input_support", "pin", "basic_four"),
    "code_b": ("card_face", "code_b", "face"),
    "code_a": ("card_face", "code_a", "face"),
    "birth_code": ("card_face", "birth_code", "age"),
}


def require_proof(
    prover: Prover | None,
    channel: CardChannel,
    application: str,
    file: str,
    record: Record,
    *,
    read: Callable[[str], Record] | None = None,
) -> None:
    """Have ``record``, which was just read, judged with all that speaks for it; without a prover, nothing is sent.

    Args:
        read: what reads the other files, where they too must be enciphered.

    Raises:
        NotGenuine: the record is not proved genuine.
    """
    if prover is None:
        return
    octets = None if read is None else (lambda name: _octets(read(name)))
    prover.require(gather_record(channel, application, file, _octets(record), prover.challenge(), read=octets))


def _octets(record: Record) -> bytes:
    """A file as it was read, filler included."""
    return record.content + record.filler


def gather_record(
    channel: CardChannel,
    application: str,
    file: str,
    octets: bytes,
    challenge: bytes,
    *,
    read: Callable[[str], bytes] | None = None,
) -> RecordEvidence:
    """All that speaks for a record, of its own application only, while what opened the record is still verified.

    Args:
        octets: the record as it was read, filler included.
        challenge: random bytes; the card is asked to sign their digest with the application's key (card.md §2.8).
        read: what reads the other files; :meth:`CardChannel.read` when None.
    """
    from kojin_card.pki.cv import digest_info  # it loads cryptography, which whoever only reads does not need

    spec = channel.spec[application]
    files = {file: octets}
    for name in ProofPlan.of(spec, file).files:
        try:
            files[name] = channel.read(application, name) if read is None else read(name)
        except (NotOnCard, AccessDenied):
            continue
    answer: bytes | None = None
    try:
        info = digest_info(hashlib.sha256(challenge).digest())
        answer = channel.sign(application, spec.default_key, info)
    except (NotOnCard, AccessDenied, UnexpectedAnswer):  # a card that has no key, or does not use it, proves nothing
        answer = None
    return RecordEvidence(application, file, files, challenge, answer)


def gather_card(
    channel: CardChannel,
    given: Mapping[str, PinArgument],
    challenge: Callable[[], bytes],
    *,
    look: bool = True,
    reserve: int = 1,
) -> CardEvidence:
    """A whole card: a record for each secret in ``given`` (names of :data:`OPENS`), and what it tells anyone.

    Raises:
        SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.verify`; nothing more is sent.
        UnexpectedAnswer: an answer that is none.
    """
    records: list[RecordEvidence] = []
    free: dict[str, bytes] = {}
    absent: list[str] = []
    with channel.transaction():
        for secret, (application, key, file) in OPENS.items():
            if secret not in given:
                continue
            try:
                channel.verify(application, key, given[secret], look=look, reserve=reserve)
                octets = channel.read(application, file)
            except NotOnCard:  # somebody may have taken it off: it was to be proved, and that is not done
                absent.append(f"{application}/{file}")
                records.append(RecordEvidence(application, file, {}))
                continue
            records.append(gather_record(channel, application, file, octets, challenge()))
        for application, names in FREE.items():
            try:
                channel.select(application)
            except NotOnCard:
                absent.append(application)
                continue
            for name in names:
                try:
                    free[f"{application}/{name}"] = _read(channel, application, name)
                except (NotOnCard, AccessDenied, UsageError):  # UsageError: too long for this connection
                    absent.append(f"{application}/{name}")
    return CardEvidence(tuple(records), free, tuple(absent))


def _read(channel: CardChannel, application: str, name: str) -> bytes:
    spec = channel.spec[application]
    if name in spec.objects:
        return channel.get_data(application, name)
    records = spec.files[name].records
    return channel.read_record(application, name, records[0].number) if records else channel.read(application, name)
