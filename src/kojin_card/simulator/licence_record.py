"""The driving licence on a software card (マイナ免許証, card.md §2.9): what a police counter writes, and its signature.

A persona declares what is its own (conditions, categories, number) as values of the file; the rest follows from the
holder and the day of issue. Which file is covered by the signature: the applet specs say.
"""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kojin_card.simulator.certificates import birthday_in
from kojin_card.spec.codec import encode
from kojin_card.spec.wareki import to_era_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric import rsa

    from kojin_card.simulator.persona import Persona
    from kojin_card.simulator.testpki import TestPki
    from kojin_card.spec.codec import Value
    from kojin_card.spec.model import ApplicationSpec

_KEY = ("licence", "pin")
_NOT_SET = "****"  # what the reference compares with when no PIN was set
_BIRTHDAYS = 5
_GRACE = timedelta(days=30)
_SIGNATURE = 256


def made(file: str, who: Persona, birth: date, issued: date, pki: TestPki) -> dict[str, Value]:
    """What the licence says in that file, as far as it is not declared; the signature comes with :func:`seal`.

    The licence ends a month after the holder's fifth birthday from the card's issue: ours, for a date that moves along
    (道路交通法 art. 92-2 has the month and, by age and record, three to five birthdays).
    """
    match file:
        case "pin_setting":
            return {"pin_set": "00" if who.pins.get(_KEY) == _NOT_SET else "01"}
        case "licence_information":
            first = issued.year + (birthday_in(birth, issued.year) <= issued)
            expiry = birthday_in(birth, first + _BIRTHDAYS - 1) + _GRACE
            values: dict[str, Value] = {"expiry": to_era_date(expiry)}
            return {**values, "photo": who.images.photo} if who.images.photo else values
        case "signature":
            issuer = pki.declaration.licence
            return {
                "signature_value": bytes(_SIGNATURE),
                "serial": issuer.serial,
                "reserved": " " * 48,
                "issuer": issuer.issuer.ljust(80),
                "subject": issuer.subject.ljust(130),
                "subject_key_id": hashlib.sha256(_public(pki)).digest(),
            }
        case _:
            return {}


def seal(
    application: ApplicationSpec, values: Mapping[str, dict[str, Value]], octets: dict[str, bytes], pki: TestPki
) -> None:
    """Sign each file that a signature of an issuer covers as a whole."""
    for signature in application.signatures.values():
        if signature.signer == "issuer" and signature.of_file in octets and values.get(signature.file):
            file = application.files[signature.file]
            signed = issuer_key(pki).sign(octets[signature.of_file], padding.PKCS1v15(), hashes.SHA256())
            values[file.id][signature.field] = signed
            octets[file.id] = encode(application.layouts[file.layout], values[file.id], size=file.size)


def issuer_key(pki: TestPki) -> rsa.RSAPrivateKey:
    """The key of the declared issuer."""
    return pki.pool.key(pki.declaration.licence.key)


def issuer_pem(pki: TestPki) -> bytes:
    """What verifies its licences, as PEM (SubjectPublicKeyInfo)."""
    return issuer_key(pki).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _public(pki: TestPki) -> bytes:
    return issuer_key(pki).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
