"""The client on the software card: real answers, real signatures, and how many APDUs each operation costs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from kojin_card import Card
from kojin_card.applications import Sex, TokenKind, birth_code, verification_code_b
from kojin_card.authn import Challenge
from kojin_card.errors import (
    AccessDenied,
    NotOnCard,
    PinBlocked,
    PinRejected,
    PinReserve,
    TransportError,
)
from kojin_card.signing import sign_cms, sign_raw
from kojin_card.simulator import CardState, Knobs, SoftCard, make_card

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.applications import CardSigner
    from kojin_card.transport.link import Exchange

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CHALLENGE = Challenge.new("https://bank.invalid", "口座を開く", now=NOW, random=lambda count: b"\x07" * count)


@cache
def state(persona: str) -> CardState:
    return make_card(persona, now=NOW)


def card_of(persona: str, *, knobs: Knobs | None = None, plain_select: bool = False) -> tuple[Card, list[Exchange]]:
    seen: list[Exchange] = []
    start = state(persona) if knobs is None else replace(state(persona), knobs=knobs)
    return Card(SoftCard.in_memory(start), ours=True, observer=seen.append, plain_select=plain_select), seen


def read_certificates(size: int) -> int:
    """READs of a certificate of ``size`` bytes in short APDUs."""
    return -(-size // 256)


# --- what it costs ------------------------------------------------------------------------------------------------


def size_of(role: str) -> int:
    card, _ = card_of("adult")
    if role == "sign":
        return len(card.jpki.certificate("sign", "ABC123"))
    return len(card.jpki.certificate("auth"))


@pytest.mark.parametrize(
    ("operate", "apdus"),
    [
        (lambda card: card.input_support.read_basic_four("5678"), lambda: 4),
        (lambda card: card.input_support.read_basic_four("5678", look=False), lambda: 3),
        (lambda card: card.common.card_information(), lambda: 2),
        (lambda card: card.jpki.token(), lambda: 2),
        (lambda card: card.jpki.availability(), lambda: 2),
        (lambda card: card.pin_status(), lambda: 5 + 10 + 1),  # the last: is there a licence?
        (lambda card: card.input_support.read_my_number("5678", duty="税務"), lambda: 4),
        (lambda card: card.card_face.read_age("020803"), lambda: 3 + 3),
        (lambda card: card.common.internal_authenticate(b"x"), lambda: 2),
        (lambda card: card.card_manager.information(), lambda: 6 + 2 * 2),
        (lambda card: card.change_pin("registry", "9012", "1111"), lambda: 13),
        (lambda card: card.channel.change("jpki", "auth_pin", "1234", "4321"), lambda: 5),
        (lambda card: card.jpki.certificate("auth"), lambda: 1 + read_certificates(size_of("auth"))),
        (
            lambda card: sign_raw(card.jpki.signer("ABC123"), b"x"),
            lambda: 1 + 2 + read_certificates(size_of("sign")) + 1,
        ),
        (
            lambda card: sign_cms(card.jpki.signer("ABC123"), b"x"),
            lambda: 1 + 2 + read_certificates(size_of("sign")) + 1,
        ),
        (
            lambda card: card.jpki.authenticate("1234", CHALLENGE),
            lambda: 1 + 2 + read_certificates(size_of("auth")) + 1,
        ),
    ],
    ids=[
        "four items",
        "four items, not looking",
        "card information",
        "token",
        "availability",
        "PIN status",
        "my number",
        "age",
        "internal authentication",
        "card management",
        "registry PIN",
        "change",
        "certificate",
        "sign raw",
        "sign CMS",
        "authenticate",
    ],
)
def test_the_number_of_apdus(operate: Callable[[Card], object], apdus: Callable[[], int]) -> None:
    """performance.md, "Card": the floors."""
    card, seen = card_of("adult")
    operate(card)
    assert len(seen) == apdus(), [str(one) for one in seen]
    assert card.channel.link.sent == len(seen)


def test_many_signatures_cost_one_apdu_each() -> None:
    card, seen = card_of("adult")
    signer = card.jpki.signer("ABC123")
    before = len(seen)
    for number in range(3):
        sign_raw(signer, b"%d" % number)
    assert len(seen) == before + 3


# --- what it gives ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain_select", [False, True])
def test_the_published_four_items_by_code_b(plain_select: bool) -> None:
    card, _ = card_of("jlis_test_card", plain_select=plain_select)
    code_b = verification_code_b(date(1980, 2, 17), 2035, "2285")
    four = card.input_support.read_basic_four(code_b=code_b)
    assert (four.name, four.address) == ("黒桐　幹也", "東京都清瀬市観布子南１２－７－２０２")
    assert (four.birth_date, four.sex) == (date(1980, 2, 17), Sex.MALE)
    assert card.common.card_information().serial == "400000012719843"
    assert card.jpki.token().kind is TokenKind.INDIVIDUAL_NUMBER_CARD
    with pytest.raises(NotOnCard):
        card.jpki.certificate("auth")


@pytest.mark.parametrize("plain_select", [False, True])
def test_certificates_and_signatures(plain_select: bool) -> None:
    card, _ = card_of("adult", plain_select=plain_select)
    openers: dict[str, Callable[[], CardSigner]] = {
        "sign-ca": lambda: card.jpki.signer("abc123"),
        "auth-ca": lambda: card.jpki.auth_signer("1234"),
    }
    for role, open_signer in openers.items():
        signer = open_signer()
        certificate = x509.load_der_x509_certificate(signer.certificate)
        issuer = signer.issuer_certificate
        assert issuer == (card.jpki.certificate("sign-ca") if role == "sign-ca" else card.jpki.certificate("auth-ca"))
        assert issuer is not None
        certificate.verify_directly_issued_by(x509.load_der_x509_certificate(issuer))
        key = certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        key.verify(sign_raw(signer, b"message"), b"message", padding.PKCS1v15(), hashes.SHA256())
        assert "***" in repr(signer)


def test_a_proof_verifies_with_the_cards_certificate() -> None:
    card, _ = card_of("adult")
    proof = card.jpki.authenticate("1234", CHALLENGE)
    key = x509.load_der_x509_certificate(proof.certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(proof.signature, proof.signing_input, padding.PKCS1v15(), hashes.SHA256())
    assert proof.certificate == card.jpki.certificate("auth")


def test_a_child_has_no_signature_certificate() -> None:
    card, _ = card_of("child")
    found = card.jpki.availability()
    assert (found.sign, found.auth) == (False, True)
    with pytest.raises(NotOnCard):
        card.jpki.signer("ABC123")
    assert card.jpki.auth_signer("1234").certificate


def test_the_card_signs_what_its_key_signs() -> None:
    card, _ = card_of("adult")
    channel = card.channel
    digest = hashlib.sha256(b"abc").digest()
    info = bytes.fromhex("3031300D060960864801650304020105000420") + digest
    channel.verify("jpki", "auth_pin", "1234")
    whole = channel.sign("jpki", "auth_key", info)
    assert channel.sign("jpki", "auth_key", digest, "digest_info") == whole
    assert channel.sign("jpki", "auth_key", b"abc", "hash_digest_info") == whole
    with pytest.raises(AccessDenied):
        channel.sign("jpki", "sign_key", info)
    assert len(channel.challenge(16)) == 16


# --- tries --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocked_sw", [0x6983, 0x6984])
def test_the_life_of_a_pin(blocked_sw: int) -> None:
    card, _ = card_of("adult", knobs=Knobs(blocked_sw=blocked_sw))
    for left in (2, 1):
        with pytest.raises(PinRejected) as caught:
            card.input_support.read_basic_four("0000")
        assert caught.value.tries_left == left
    with pytest.raises(PinReserve):
        card.input_support.read_basic_four("0000")
    assert card.channel.tries_left("input_support", "pin") == 1
    card.input_support.read_basic_four("5678", reserve=0)
    assert card.channel.tries_left("input_support", "pin") == 3
    for _ in range(2):
        with pytest.raises(PinRejected):
            card.input_support.read_basic_four("0000")
    with pytest.raises(PinBlocked):
        card.input_support.read_basic_four("0000", reserve=0)
    with pytest.raises(PinBlocked):
        card.input_support.read_basic_four("5678", reserve=0)
    with pytest.raises(PinBlocked):
        card.input_support.read_basic_four("5678", look=False)
    assert [one.blocked for one in card.input_support.tries()] == [True, False, False]


def test_a_format_error_spends_nothing() -> None:
    card, seen = card_of("adult")
    with pytest.raises(Exception, match="4 digits"):
        card.input_support.read_basic_four("123")
    assert seen == []
    assert card.channel.tries_left("input_support", "pin") == 3


def test_a_changed_pin_is_the_pin() -> None:
    card, _ = card_of("adult")
    card.channel.change("jpki", "auth_pin", "1234", "4321")
    card.jpki.auth_signer("4321")
    with pytest.raises(PinRejected):
        card.channel.verify("jpki", "auth_pin", "1234", look=False)


def test_a_card_that_answers_9000_when_verified() -> None:
    card, seen = card_of("adult", knobs=Knobs(empty_verify_when_verified=0x9000))
    card.input_support.read_basic_four("5678")
    before = len(seen)
    card.input_support.read_basic_four("5678")
    assert len(seen) == before + 2  # the question and the READ; no second VERIFY
    assert card.channel.tries_left("input_support", "pin") is None


def test_pin_status_of_every_secret() -> None:
    card, _ = card_of("adult")
    with pytest.raises(PinRejected):
        card.input_support.read_basic_four("0000")
    found = {f"{one.application}/{one.key}": (one.tries_left, one.tries) for one in card.pin_status()}
    assert found == {
        "common/resident_registry_pin": (3, 3),
        "input_support/pin": (2, 3),
        "input_support/code_a": (10, 10),
        "input_support/code_b": (10, 10),
        "jpki/auth_pin": (3, 3),
        "jpki/sign_password": (5, 5),
        "card_face/birth_code": (10, None),
        "card_face/code_b": (10, 10),
        "card_face/code_a": (10, 10),
        "juki/resident_registry_pin": (3, 3),
    }


# --- the rest of the chip ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain_select", [False, True])
def test_the_number_of_the_published_card(plain_select: bool) -> None:
    card, _ = card_of("jlis_test_card", plain_select=plain_select)
    number = card.input_support.read_my_number(code_a="537686677188", duty="試験")
    assert number.reveal() == "537686677188"
    assert number.masked() == "********7188"


@pytest.mark.parametrize("plain_select", [False, True])
def test_the_face(plain_select: bool) -> None:
    card, _ = card_of("adult", plain_select=plain_select)
    expiry = card.common.card_information().expiry
    code_b = verification_code_b(date(1990, 8, 3), expiry.year, "4271").reveal().decode()
    face = card.card_face.read_face(code_b=code_b)
    who = card.input_support.read_my_number("5678", duty="試験").reveal()
    assert card.card_face.read_face(code_a=who) == face
    assert (face.birth_date, face.expiry) == (date(1990, 8, 3), expiry)
    assert face.photo is not None
    assert len({face.name_png, face.address_png, face.security_code_png, face.photo}) == 4
    assert card.card_face.read_my_number_image(who, duty="試験").png.startswith(b"\x89PNG")


def test_each_key_opens_its_own() -> None:
    """card.md §2.2, §2.3: the birth date opens the age alone, B the face, A the image too."""
    card, _ = card_of("adult")
    expiry = card.common.card_information().expiry
    for key, code, opened in [
        ("birth_code", "020803", {"age"}),
        ("code_b", verification_code_b(date(1990, 8, 3), expiry.year, "4271").reveal().decode(), {"face"}),
        ("code_a", card.input_support.read_my_number("5678", duty="試験").reveal(), {"face", "my_number_image"}),
    ]:
        card.channel.select("card_face")
        card.channel.verify("card_face", key, code)
        for file in ("age", "face", "my_number_image"):
            if file in opened:
                assert card.channel.record("card_face", file)
                continue
            with pytest.raises(AccessDenied):
                card.channel.record("card_face", file)


@pytest.mark.parametrize("plain_select", [False, True])
def test_the_age(plain_select: bool) -> None:
    card, _ = card_of("adult", plain_select=plain_select)
    age = card.card_face.read_age(birth_code(date(1990, 8, 3)))
    assert age.is_at_least(36, date(2026, 8, 3))
    assert not age.is_at_least(36, date(2026, 8, 2))
    card.channel.select("card_face")  # else the card says that the key is verified, and is believed
    with pytest.raises(PinRejected):
        card.card_face.read_age(birth_code(date(1990, 8, 4)))


@pytest.mark.parametrize("plain_select", [False, True])
def test_the_card_key_answers(plain_select: bool) -> None:
    card, _ = card_of("adult", plain_select=plain_select)
    one = card.common.internal_authenticate(b"challenge")
    assert len(one) == 256
    assert card.common.internal_authenticate(b"challenge") == one
    assert card.common.internal_authenticate(b"another") != one


def test_the_card_manager_says_what_the_common_application_says() -> None:
    card, _ = card_of("adult")
    management, information = card.card_manager.information(), card.common.card_information()
    assert (management.municipality, management.expiry) == (information.municipality, information.expiry)
    assert management.upper_cv_certificate is not None
    assert management.intermediate_key_id in management.upper_cv_certificate


# --- sessions -----------------------------------------------------------------------------------------------------


def test_the_card_forgets_when_another_application_was_used() -> None:
    card, _ = card_of("adult")
    signer = card.jpki.signer("ABC123")
    card.common.card_information()
    with pytest.raises(AccessDenied):
        sign_raw(signer, b"x")


def test_leaving_the_card_resets_and_closes_it() -> None:
    soft = SoftCard.in_memory(state("adult"))
    with Card(soft, ours=True) as card:
        signer = card.jpki.signer("ABC123")
        assert card.description == "software card (adult)"
    with pytest.raises(TransportError):
        sign_raw(signer, b"x")
    with pytest.raises(TransportError):
        card.common.card_information()
    card.close()


def test_the_first_error_is_the_one_that_is_heard() -> None:
    class Stuck:
        def transmit(self, _: bytes) -> bytes:
            return b"\x90\x00"

        def reset(self) -> None:
            raise OSError("gone")

    with pytest.raises(KeyError), Card(Stuck()):
        raise KeyError
    with pytest.raises(TransportError), Card(Stuck()):
        pass


def test_the_main_road_rests_on_no_assumption() -> None:
    """Everything the drivers do works with a card that is not ours, too; test_pins shows what is refused."""
    card = Card(SoftCard.in_memory(state("adult")))
    code_b = verification_code_b(date(1990, 8, 3), card.common.card_information().expiry.year, "4271")
    assert card.input_support.read_basic_four("5678") == card.input_support.read_basic_four(code_b=code_b)
    assert card.jpki.authenticate("1234", CHALLENGE).signature
    assert sign_raw(card.jpki.signer("ABC123"), b"x")
    card.channel.change("input_support", "pin", "5678", "8765")
