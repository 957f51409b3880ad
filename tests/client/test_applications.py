"""The drivers against conversations typed in hex: what they make of what a card says."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from client.scripted import EF_0002, SELECT_COMMON, SELECT_JPKI, SELECT_TEXT, Scripted
from kojin_card.applications import BasicFour, Common, InputSupport, Jpki, Sex, TokenKind, verification_code_b
from kojin_card.authn import AuthenticationProof, Challenge
from kojin_card.channel import CardChannel
from kojin_card.errors import (
    AccessDenied,
    NotOnCard,
    PinBlocked,
    SecretFormatError,
    SignatureMismatch,
    UnexpectedAnswer,
    UsageError,
)
from kojin_card.pki.profile import Purpose
from kojin_card.simulator.testpki import CertifiedPerson, TestPki

NOW = datetime(2026, 11, 24, tzinfo=UTC)


# --- 照合番号B ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("birth", "digits"),
    [
        # card.md §6: the first day of each era and the day before it
        (date(1980, 2, 17), "550217"),
        (date(2019, 5, 1), "010501"),
        (date(2019, 4, 30), "310430"),
        (date(1989, 1, 8), "010108"),
        (date(1989, 1, 7), "640107"),
        (date(1926, 12, 25), "011225"),
        (date(1926, 12, 24), "151224"),
        (date(1912, 7, 30), "010730"),
        (date(1912, 7, 29), "450729"),
        (date(2020, 2, 24), "020224"),  # card.md §2.3: R2-02-24
        (date(2020, 2, 29), "020229"),
        (date(1900, 1, 1), "330101"),
    ],
)
def test_the_birth_date_in_code_b(birth: date, digits: str) -> None:
    assert verification_code_b(birth, 2035, "2285").reveal() == f"{digits}20352285".encode()


def test_the_published_code_b() -> None:
    """card.md §2.1: the J-LIS test card."""
    assert verification_code_b(date(1980, 2, 17), 2035, "2285").reveal() == b"55021720352285"


@pytest.mark.parametrize("code", ["", "228", "22855", "22a5", "２２８５", "-123"])
def test_a_security_code_that_is_none(code: str) -> None:
    with pytest.raises(SecretFormatError) as caught:
        verification_code_b(date(1980, 2, 17), 2035, code)
    assert not code or code not in str(caught.value)


@pytest.mark.parametrize(
    ("birth", "year"), [(date(1980, 2, 17), 35), (date(1980, 2, 17), 20350), (date(1800, 1, 1), 2035)]
)
def test_a_year_or_day_that_no_card_has(birth: date, year: int) -> None:
    with pytest.raises(UsageError):
        verification_code_b(birth, year, "2285")


# --- 基本4情報 ----------------------------------------------------------------------------------------------------


def four_of(content: str) -> BasicFour:
    card = Scripted((SELECT_TEXT, "9000"), ("0020009104 35363738", "9000"), ("00B0820000", content + "9000"))
    four = InputSupport(CardChannel(card)).read_basic_four("5678", look=False)
    card.done()
    return four


def edited(old: str, new: str) -> str:
    """EF 0002 of the test card with a value of the same length in place of another."""
    assert EF_0002.count(old) == 1
    assert len(old) == len(new)
    return EF_0002.replace(old, new)


def test_the_published_items() -> None:
    four = four_of(EF_0002)
    assert four == BasicFour(
        "黒桐　幹也", "東京都清瀬市観布子南１２－７－２０２", date(1980, 2, 17), "19800217", Sex.MALE
    )
    assert (four.name_kana, four.former_name) == (None, None)


def test_nothing_of_it_shows_in_repr() -> None:
    shown = repr(four_of(EF_0002))
    assert not [part for part in ("黒桐", "東京", "1980", "male", "清瀬") if part in shown]


@pytest.mark.parametrize("text", ["19800200", "19800000", "00000000"])
def test_a_birth_date_of_which_a_part_is_unknown(text: str) -> None:
    four = four_of(edited(b"19800217".hex().upper(), text.encode().hex().upper()))
    assert four.birth_date is None
    assert four.birth_date_text == text


@pytest.mark.parametrize(
    ("code", "sex"),
    [("31", Sex.MALE), ("32", Sex.FEMALE), ("39", Sex.NOT_APPLICABLE), ("30", Sex.UNKNOWN), ("33", Sex.UNKNOWN)],
)
def test_sexes(code: str, sex: Sex) -> None:
    """card.md §6: 1, 2, 9, 0; a 3 (TEX: other) is refused softly only: the rest is read, the sex is not known."""
    assert four_of(edited("DF250131", f"DF2501{code}")).sex is sex


@pytest.mark.parametrize(
    "content",
    [
        edited("DF250131", "DF250134"),
        edited(b"19800217".hex().upper(), b"19800230".hex().upper()),
        edited(b"19800217".hex().upper(), b"1980021x".hex().upper()),
        edited("DF220FE9", "DF220FFF"),
        edited("DF2108000E", "DF2108000F"),
        EF_0002[:-2],
        "FF" * 104,
        "",
    ],
)
def test_malformed_items_are_an_unexpected_answer_without_the_items(content: str) -> None:
    card = Scripted((SELECT_TEXT, "9000"), ("0020009104 35363738", "9000"), ("00B0820000", content + "9000"))
    card.steps += [("00B0006701", "9000")] if content == EF_0002[:-2] else []  # one byte is missing: is there more?
    card.steps += [("00B0000000", "9000")] if not content else []
    with pytest.raises(UnexpectedAnswer) as caught:
        InputSupport(CardChannel(card)).read_basic_four("5678", look=False)
    assert not [part for part in ("黒桐", "東京", "1980", "E9BB") if part in str(caught.value) + repr(caught.value)]
    assert caught.value.__context__ is None


def test_one_secret_and_only_one() -> None:
    driver = InputSupport(CardChannel(Scripted()))
    with pytest.raises(UsageError):
        driver.read_basic_four()
    with pytest.raises(UsageError):
        driver.read_basic_four("5678", code_b="55021720352285")


# --- 共通カードAP -------------------------------------------------------------------------------------------------

RECORD_1 = "011C34303030303030313237313938343331333232313230333530323137"


def test_card_information() -> None:
    card = Scripted((SELECT_COMMON, "9000"), ("00B2010C00", RECORD_1 + "9000"))
    found = Common(CardChannel(card)).card_information()
    assert (found.serial, found.municipality, found.expiry) == ("400000012719843", "13221", date(2035, 2, 17))
    assert found.manufacturing_number == "0000012719843"
    assert "4000000" not in repr(found)
    assert "13221" not in repr(found)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "01",
        RECORD_1[:-2],
        RECORD_1 + "00",
        RECORD_1.replace("32303335", "32303939").replace("30323137", "30323330"),
    ],
)
def test_malformed_card_information(content: str) -> None:
    card = Scripted((SELECT_COMMON, "9000"), ("00B2010C00", content + "9000"))
    with pytest.raises(UnexpectedAnswer):
        Common(CardChannel(card)).card_information()


def test_a_smartphone_has_no_such_application() -> None:
    card = Scripted((SELECT_COMMON, "6A82"), (SELECT_COMMON, "6A82"))
    channel = CardChannel(card)
    with pytest.raises(NotOnCard):
        Common(channel).card_information()
    (status,) = Common(channel).tries()
    assert (status.present, status.tries_left, status.tries) == (False, None, 3)
    card.done()


# --- 公的個人認証AP -----------------------------------------------------------------------------------------------


def token(label: bytes) -> str:
    numbers = "0000040D 00000001 00000000 00000001 00000000 00000010 00000006" + "FFFFFFFF" * 4
    text = label.ljust(32) + b"0" * 31 + b"1" + b"E16R01NJ".ljust(16) + b"0000000020500003"
    return text.hex() + numbers.replace(" ", "") + b"0301".hex() + "39" * 16


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        (b"JPKIAPICCTOKEN2", TokenKind.INDIVIDUAL_NUMBER_CARD),
        (b"JPKIAPICCTOKEN", TokenKind.RESIDENT_REGISTRY_CARD),
        (b"JPKIAPGPSETOKEN", TokenKind.ANDROID),
        (b"JPKIAPIOSTOKEN", TokenKind.IPHONE),
        (b"JPKIAPICCTOKEN3", TokenKind.UNKNOWN),
        (b"", TokenKind.UNKNOWN),
    ],
)
def test_what_carries_the_application(label: bytes, kind: TokenKind) -> None:
    """card.md §2.6."""
    card = Scripted((SELECT_JPKI, "9000"), ("00B08600A0", token(label) + "9000"))
    found = Jpki(CardChannel(card)).token()
    assert (found.kind, found.label, found.model) == (kind, label.decode(), "E16R01NJ")
    assert "20500003" not in repr(found)


@pytest.mark.parametrize(
    ("content", "sign", "auth"),
    [("8F8F00", True, True), ("008F00", False, True), ("000000", False, False), ("8F00AA", True, False)],
)
def test_availability(content: str, sign: bool, auth: bool) -> None:
    card = Scripted((SELECT_JPKI, "9000"), ("00B0880003", content + "9000"))
    found = Jpki(CardChannel(card)).availability()
    assert (found.sign, found.auth) == (sign, auth)


@pytest.mark.parametrize("content", ["018F00", "8F8F", ""])
def test_availability_that_is_none(content: str) -> None:
    card = Scripted(
        (SELECT_JPKI, "9000"),
        ("00B0880003", content + "9000"),
        (f"00B0{len(content) // 2:04X}{3 - len(content) // 2:02X}", "9000"),
    )
    with pytest.raises(UnexpectedAnswer):
        Jpki(CardChannel(card)).availability()


def test_roles() -> None:
    wrong: Any = "root"
    driver = Jpki(CardChannel(Scripted()))
    with pytest.raises(UsageError):
        driver.certificate(wrong)
    with pytest.raises(UsageError):
        driver.certificate("sign-ca", "1234")


def test_the_signature_certificate_without_its_password() -> None:
    card = Scripted((SELECT_JPKI, "9000"), ("00B0810000", "6982"))
    with pytest.raises(AccessDenied):
        Jpki(CardChannel(card)).certificate("sign")


def test_an_android_token_opens_its_certificate_with_the_pin() -> None:
    """card.md §8."""
    card = Scripted(
        (SELECT_JPKI, "9000"), ("00200098", "63C3"), ("0020009804 31323334", "9000"), ("00B08A0000", "3082000200009000")
    )
    assert Jpki(CardChannel(card)).certificate("auth", "1234") == bytes.fromhex("308200020000")
    card.done()


@pytest.mark.parametrize(
    ("availability", "error"), [("008F009000", NotOnCard), ("8F8F009000", PinBlocked), ("6982", PinBlocked)]
)
def test_a_certificate_that_was_never_there_is_not_a_blocked_password(
    availability: str, error: type[Exception]
) -> None:
    """A child's card (card.md §2.6: EF 0008 says 00)."""
    card = Scripted((SELECT_JPKI, "9000"), ("0020009B", "63C0"), ("00B0880003", availability))
    with pytest.raises(error):
        Jpki(CardChannel(card)).signer("ABC123")
    card.done()


def authenticating(certificate: bytes, signature: bytes, digest_info: bytes) -> Scripted:
    head, steps = certificate[:256], []
    for offset in range(256, len(certificate), 256):
        piece = certificate[offset : offset + 256]
        steps.append((f"00B0{offset:04X}{len(piece) & 0xFF:02X}", piece.hex() + "9000"))
    return Scripted(
        (SELECT_JPKI, "9000"),
        ("00200098", "63C3"),
        ("0020009804 31323334", "9000"),
        ("00B08A0000", head.hex() + "9000"),
        *steps,
        (f"802A009733{digest_info.hex().upper()}00", signature.hex() + "9000"),
    )


@pytest.mark.parametrize("fault", ["none", "other key", "other message", "cut", "not a certificate"])
def test_a_proof_is_given_away_only_when_it_verifies(fault: str) -> None:
    pki = TestPki.load()
    key = pki.pool.for_persona("client", "authentication")
    other = pki.pool.for_persona("client", "signature")
    person = CertifiedPerson("見本　花子", "東京都清瀬市架空町１", date(1990, 8, 3), "2", "0" * 5, "0" * 10)
    certificate = pki.issue(
        Purpose.AUTHENTICATION, person, key.public_key(), issued_at=NOW, serial=0x01500009, municipality="13221"
    )
    challenge = Challenge.new("https://bank.invalid", "口座を開く", now=NOW, random=lambda count: b"\x07" * count)
    if fault == "not a certificate":
        certificate = b"\x30\x82\x00\x04\x30\x82\x00\x00"
    message = AuthenticationProof.signing_input_for(challenge, certificate)
    digest = hashlib.sha256(message).digest()
    digest_info = bytes.fromhex("3031300D060960864801650304020105000420") + digest
    signer = other if fault == "other key" else key
    signature = signer.sign(message + b"x" * (fault == "other message"), padding.PKCS1v15(), hashes.SHA256())
    card = authenticating(certificate, signature[: 255 if fault == "cut" else 256], digest_info)
    driver = Jpki(CardChannel(card))
    if fault == "none":
        proof = driver.authenticate("1234", challenge)
        assert (proof.certificate, proof.signature, proof.challenge) == (certificate, signature, challenge)
        card.done()
        return
    with pytest.raises(UnexpectedAnswer if fault == "not a certificate" else SignatureMismatch):
        driver.authenticate("1234", challenge)
    assert not card.wrong
