"""The client on the software card of the next generation: it learns from the certificate which kind of key there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from kojin_card import Card
from kojin_card.authn import AuthenticationProof, Challenge
from kojin_card.errors import AccessDenied, SignatureMismatch, UnexpectedAnswer, UnprovenRefused
from kojin_card.pki.algorithms import ecdsa_plain
from kojin_card.pki.profile import Purpose, Store
from kojin_card.pki.revocation import RevocationAnswer, RevocationStatus
from kojin_card.signing import PdfForm, sign_cms, sign_pdf, sign_raw
from kojin_card.simulator import CardState, SoftCard, make_card
from kojin_card.testing.documents import blank_pdf
from kojin_card.verdict import Indication
from kojin_card.verification import Verifier
from kojin_card.verification.challenges import MemoryChallengeStore

if TYPE_CHECKING:
    from typing import Any

    from kojin_card.transport.link import Exchange

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
PASSWORD, PIN = "NEXT2028", "2468"
CONTENT = b"a contract\n"
CHALLENGE = Challenge.new("https://bank.invalid", "口座を開く", now=NOW, random=lambda count: b"\x07" * count)


class Good:
    """Nobody is revoked."""

    def status(self, *_: Any, **__: Any) -> RevocationAnswer:
        return RevocationAnswer(RevocationStatus.GOOD, method="test")


@cache
def state() -> CardState:
    return make_card("next_card", now=NOW - timedelta(days=1))


def card_of(content: CardState | None = None, *, ours: bool = True) -> tuple[Card, list[Exchange]]:
    seen: list[Exchange] = []
    return Card(SoftCard.in_memory(content or state()), ours=ours, observer=seen.append), seen


def verifier() -> Verifier:
    return Verifier.for_store(Store.SIMULATOR, Good(), now=lambda: NOW)


def public_key(certificate: bytes) -> ec.EllipticCurvePublicKey:
    key = x509.load_der_x509_certificate(certificate).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def test_raw() -> None:
    card, _ = card_of()
    signer = card.jpki.signer(PASSWORD)
    signature = sign_raw(signer, CONTENT)
    public_key(signer.certificate).verify(signature, CONTENT, ec.ECDSA(hashes.SHA384()))
    assert len(ecdsa_plain(signature)) == 96
    assert verifier().verify_raw(signature, CONTENT, signer.certificate).indication is Indication.TOTAL_PASSED
    auth = card.jpki.auth_signer(PIN)
    verdict = verifier().verify_raw(sign_raw(auth, CONTENT), CONTENT, auth.certificate, purpose=Purpose.AUTHENTICATION)
    assert verdict.indication is Indication.TOTAL_PASSED


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("issuer", [False, True])
def test_cms(detached: bool, issuer: bool) -> None:
    card, seen = card_of()
    signer = card.jpki.signer(PASSWORD)
    before = len(seen)
    cms = sign_cms(signer, CONTENT, detached=detached, include_issuer=issuer, signing_time=NOW)
    assert issuer or len(seen) == before + 1  # one signature, one APDU
    verdict = verifier().verify_cms(cms, CONTENT if detached else None, disclose=True)
    assert verdict.indication is Indication.TOTAL_PASSED
    assert verdict.evidence["certificate_profile"] == "signature_next"
    assert verdict.holder is not None


@pytest.mark.parametrize("form", list(PdfForm))
def test_pdf(form: PdfForm) -> None:
    """ECDSA signatures vary in length: the hole has room for the longest, and what is over is zeros."""
    card, _ = card_of()
    signer = card.jpki.signer(PASSWORD)
    for number in range(8):
        signed = sign_pdf(signer, blank_pdf([f"page {number}"]), now=NOW, form=form, name="Mirai")
        assert verifier().verify_pdf(signed).indication is Indication.TOTAL_PASSED
    twice = sign_pdf(signer, signed, now=NOW, form=form, name="Mirai")
    assert verifier().verify_pdf(twice).indication is Indication.TOTAL_PASSED


def test_authenticate() -> None:
    card, _ = card_of()
    proof = card.jpki.authenticate(PIN, CHALLENGE)
    assert proof.algorithm == "ES384"
    assert len(proof.signature) == 96
    assert AuthenticationProof.parse(proof.compact()) == proof
    store = MemoryChallengeStore()
    store.add(CHALLENGE)
    verdict = verifier().verify_proof(proof, store, audience=CHALLENGE.audience)
    assert verdict.indication is Indication.TOTAL_PASSED


def test_nothing_is_asked_of_a_card_that_is_not_ours() -> None:
    """The command is an assumption (applets_spec/jpki.toml): without ``--unproven`` no other card gets it."""
    card, seen = card_of(ours=False)
    signer = card.jpki.signer(PASSWORD)
    before = len(seen)
    with pytest.raises(UnprovenRefused):
        sign_raw(signer, CONTENT)
    assert len(seen) == before
    with pytest.raises(UnprovenRefused):
        card.jpki.authenticate(PIN, CHALLENGE)


def test_a_key_that_is_not_the_certificates_is_found_out() -> None:
    """The card's two keys exchanged: nothing is handed out."""
    keys = {name: state().key("jpki", name) for name in ("auth_key", "sign_key")}
    swapped = state().with_key("jpki", "sign_key", keys["auth_key"]).with_key("jpki", "auth_key", keys["sign_key"])
    card, _ = card_of(swapped)
    signer = card.jpki.signer(PASSWORD)
    with pytest.raises(SignatureMismatch):
        sign_raw(signer, CONTENT)
    with pytest.raises(SignatureMismatch):
        card.jpki.authenticate(PIN, CHALLENGE)


def test_an_rsa_key_behind_a_certificate_on_p384_is_found_out() -> None:
    rsa = make_card("adult", now=NOW).key("jpki", "sign_key")
    card, _ = card_of(state().with_key("jpki", "sign_key", rsa))
    signer = card.jpki.signer(PASSWORD)
    with pytest.raises(UnexpectedAnswer) as caught:  # 6985: today's card takes 32 bytes there
        sign_raw(signer, CONTENT)
    assert caught.value.sw == 0x6985


def test_an_answer_of_another_length_is_no_signature() -> None:
    card, _ = card_of()
    signer = card.jpki.signer(PASSWORD)
    card.channel.sign = lambda *_: bytes(95)  # type: ignore[method-assign]
    with pytest.raises(UnexpectedAnswer):
        signer.sign_digest_info(bytes(48))


def test_the_signer_lives_as_long_as_its_session() -> None:
    card, _ = card_of()
    signer = card.jpki.signer(PASSWORD)
    card.input_support.read_basic_four(PIN)
    with pytest.raises(AccessDenied):
        sign_raw(signer, CONTENT)


def test_everything_else_is_as_on_todays_card() -> None:
    card, _ = card_of()
    assert card.input_support.read_basic_four(PIN).name == "見本　未来"
    assert card.jpki.availability().sign
    statuses = {(one.application, one.key): one.tries_left for one in card.pin_status()}
    assert statuses["jpki", "auth_pin"] == 3
    assert statuses["jpki", "sign_password"] == 5


def test_fresh_keys_are_nobody_elses() -> None:
    fresh = make_card("next_card", now=NOW, fresh_keys=True)
    assert fresh.key("jpki", "sign_key").private_ec not in (None, state().key("jpki", "sign_key").private_ec)
    card, _ = card_of(replace(fresh, persona="next_card"))
    signer = card.jpki.signer(PASSWORD)
    assert verifier().verify_raw(sign_raw(signer, CONTENT), CONTENT, signer.certificate).indication is (
        Indication.TOTAL_PASSED
    )
