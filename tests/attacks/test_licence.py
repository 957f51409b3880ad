"""A driving licence under attack: edited records, swapped signatures, foreign keys. None may pass."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from issued import NOW
from issued import licence_files as files
from kojin_card.simulator.licence_record import issuer_key, issuer_pem
from kojin_card.simulator.testpki import TestPki
from kojin_card.spec import decode, encode, load_card_spec
from kojin_card.verdict import Indication, SubIndication
from kojin_card.verification.licence import LicenceIssuerKey, judge_licence

LAYOUTS = load_card_spec()["licence"].layouts


def key() -> LicenceIssuerKey:
    return LicenceIssuerKey.read(issuer_pem(TestPki.load()))


def refuted(record: bytes, signature: bytes, given: LicenceIssuerKey, sub: SubIndication) -> None:
    verdict = judge_licence(record, signature, given, now=NOW)
    assert (verdict.indication, verdict.sub_indication) == (Indication.TOTAL_FAILED, sub)
    assert "licence_validity" not in verdict.evidence


@pytest.mark.attack("licence", "an edited record", "TOTAL_FAILED SIG_CRYPTO_FAILURE")
@pytest.mark.parametrize(
    "edit",
    [
        {"expiry": "5501103"},
        {"category_large": b"\x01"},
        {"number": "990912345671"},
        {"condition_1": "なし"},
        {"photo": bytes.fromhex("0000000C6A5020200D0A870A")},
        {"remark_1": "何でも運転できる"},
    ],
    ids=["expiry", "category", "number", "condition", "photo", "added remark"],
)
def test_an_edited_record(edit: dict[str, str | bytes]) -> None:
    record, signature = files()
    layout = LAYOUTS["licence_information"]
    edited = encode(layout, {**decode(layout, record).values, **edit})
    refuted(edited, signature, key(), SubIndication.SIG_CRYPTO_FAILURE)


@pytest.mark.attack("licence", "the same record in other bytes", "TOTAL_FAILED SIG_CRYPTO_FAILURE")
def test_a_record_that_says_the_same_in_other_bytes() -> None:
    record, signature = files()
    without_empty = record.replace(bytes.fromhex("C200C300"), b"", 1)
    assert decode(LAYOUTS["licence_information"], without_empty).values
    refuted(without_empty, signature, key(), SubIndication.SIG_CRYPTO_FAILURE)


@pytest.mark.attack("licence", "the signature of another licence", "TOTAL_FAILED SIG_CRYPTO_FAILURE")
def test_the_signature_of_another_licence() -> None:
    refuted(files()[0], files("licence_without_pin")[1], key(), SubIndication.SIG_CRYPTO_FAILURE)


@pytest.mark.attack("licence", "a byte of the signature", "TOTAL_FAILED SIG_CRYPTO_FAILURE")
def test_every_byte_of_the_signature_counts() -> None:
    record, signature = files()
    for at in (5, 133, 260):
        changed = signature[:at] + bytes((signature[at] ^ 1,)) + signature[at + 1 :]
        refuted(record, changed, key(), SubIndication.SIG_CRYPTO_FAILURE)


@pytest.mark.attack("licence", "a foreign key", "TOTAL_FAILED SIG_CRYPTO_FAILURE")
def test_a_foreign_key_that_signs_well() -> None:
    record, signature = files()
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    layout = LAYOUTS["signature"]
    forged = encode(
        layout,
        {
            **decode(layout, signature).values,
            "signature_value": foreign.sign(record, padding.PKCS1v15(), hashes.SHA256()),
        },
    )
    refuted(record, forged, key(), SubIndication.SIG_CRYPTO_FAILURE)
    der = foreign.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    refuted(record, signature, LicenceIssuerKey.read(der), SubIndication.SIG_CRYPTO_FAILURE)


@pytest.mark.attack("licence", "PSS, SHA-384, zeros, ones", "TOTAL_FAILED SIG_CRYPTO_FAILURE")
def test_another_padding_or_hash_by_the_right_key() -> None:
    record, signature = files()
    private = issuer_key(TestPki.load())
    layout = LAYOUTS["signature"]
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    for value in (
        private.sign(record, pss, hashes.SHA256()),
        private.sign(record, padding.PKCS1v15(), hashes.SHA384()),
        bytes(256),
        b"\xff" * 256,
    ):
        forged = encode(layout, {**decode(layout, signature).values, "signature_value": value})
        refuted(record, forged, key(), SubIndication.SIG_CRYPTO_FAILURE)


@pytest.mark.attack("licence", "malformed files", "TOTAL_FAILED FORMAT_FAILURE")
@pytest.mark.parametrize("given", [True, False], ids=["key", "no key"])
@pytest.mark.parametrize(
    ("record", "signature"),
    [(b"", b""), (None, b""), (b"\x30\x82", None), (None, b"\x01\x08\x82\x01\x00"), (b"\xc5\x07xxxxxxx", None)],
)
def test_malformed_files_fail_with_and_without_a_key(
    record: bytes | None, signature: bytes | None, given: bool
) -> None:
    good = files()
    verdict = judge_licence(
        good[0] if record is None else record,
        good[1] if signature is None else signature,
        key() if given else None,
        now=NOW,
    )
    assert (verdict.indication, verdict.sub_indication) == (Indication.TOTAL_FAILED, SubIndication.FORMAT_FAILURE)


def test_names_beside_the_signature_are_not_signed_and_only_claimed() -> None:
    record, signature = files()
    layout = LAYOUTS["signature"]
    claimed = encode(layout, {**decode(layout, signature).values, "issuer": "O=Somebody\x1b[31m else"})
    verdict = judge_licence(record, claimed, key(), now=NOW).require()
    assert verdict.evidence["claimed_issuer"] == "O=Somebody\x1b[31m else"  # escaped where it is shown
