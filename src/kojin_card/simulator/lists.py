"""What became of a card's certificates: the revocation lists of its municipality, as its persona tells the story."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509

from kojin_card.pki.profile import Purpose
from kojin_card.simulator.testpki import RevokedEntry
from kojin_card.spec.codec import decode
from kojin_card.spec.load import load_card_spec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kojin_card.simulator.persona import Persona
    from kojin_card.simulator.state import CardState
    from kojin_card.simulator.testpki import TestCa, TestPki

_FILES: Mapping[Purpose, tuple[str, str]] = {
    Purpose.SIGNATURE: ("jpki", "sign_certificate"),
    Purpose.AUTHENTICATION: ("jpki", "auth_certificate"),
}


def revoked(who: Persona, state: CardState, purpose: Purpose, now: datetime) -> tuple[RevokedEntry, ...]:
    """The entries that the persona's revocations make for the certificate of that purpose, as far as they are due."""
    certificate = _certificate(state, purpose)
    serial = None if certificate is None else certificate.serial_number
    entries = (
        RevokedEntry(serial, state.issued_at + timedelta(days=one.days_after_issue), one.reason)
        for one in who.revocations
        if one.purpose is purpose and serial is not None
    )
    return tuple(entry for entry in entries if entry.date <= now)


def revocation_lists(who: Persona, state: CardState, *, now: datetime, pki: TestPki) -> dict[Purpose, bytes]:
    """Both lists of the card's municipality as of ``now``, DER, by the CAs that issued when the card was issued.

    Raises:
        UsageError: the test PKI has no CA at one of those times.
    """
    return {
        purpose: pki.crl(
            purpose,
            who.municipality,
            this_update=now,
            revoked=revoked(who, state, purpose, now),
            generation=_issuer(state, purpose, pki).generation,
        )
        for purpose in Purpose
    }


def _issuer(state: CardState, purpose: Purpose, pki: TestPki) -> TestCa:
    """The CA that the card's certificate names by its key; without a certificate the one that would have issued it."""
    certificate = _certificate(state, purpose)
    if certificate is not None:
        pointer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        for ca in pki.cas:
            if ca.issuing.authority_key_identifier().key_identifier == pointer.key_identifier:
                return ca
    return pki.ca(purpose, state.issued_at)


def _certificate(state: CardState, purpose: Purpose) -> x509.Certificate | None:
    """The card's certificate; None when the card has none."""
    application, file = _FILES[purpose]
    content = state.applications[application].files.get(file) if application in state.applications else None
    layout = load_card_spec()[application].layout_of(file)
    if content is None or content.octets is None or layout is None:
        return None
    return x509.load_der_x509_certificate(decode(layout, content.octets).octets("certificate"))
