"""The test PKI's certificates against jpki.md §1 and §2: literal bytes, two foreign parsers, openssl as a third."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from issued import HANAKO, NOW, SERIALS, der, issue, openssl, rdn
from kojin_card.errors import UsageError
from kojin_card.pki.profile import Purpose
from kojin_card.simulator import certificates
from kojin_card.simulator.testpki import CertifiedPerson, TestPki

if TYPE_CHECKING:
    from pathlib import Path

SIGN, AUTH = Purpose.SIGNATURE, Purpose.AUTHENTICATION

# jpki.md §1.6, byte for byte
PRODUCTION_ISSUER = {
    SIGN: "308180310b3009060355040613024a50310d300b060355040a0c044a504b4931233021060355040b0c1a4a504b4920666f72206469"
    "676974616c207369676e6174757265313d303b060355040b0c344a6170616e204167656e637920666f72204c6f63616c20417574686f7269"
    "747920496e666f726d6174696f6e2053797374656d73",
    AUTH: "308182310b3009060355040613024a50310d300b060355040a0c044a504b4931253023060355040b0c1c4a504b4920666f7220757365"
    "722061757468656e7469636174696f6e313d303b060355040b0c344a6170616e204167656e637920666f72204c6f63616c20417574686f72"
    "69747920496e666f726d6174696f6e2053797374656d73",
}
PRODUCTION_POLICIES = {
    SIGN: "303d303b060b2a83088c9b550805010114302c302a06082b06010505070201161e687474703a2f2f7777772e6a706b692e676f2e6a70"
    "2f6370732e68746d6c",
    AUTH: "303d303b060b2a83088c9b55080501031e302c302a06082b06010505070201161e687474703a2f2f7777772e6a706b692e676f2e6a70"
    "2f6370732e68746d6c",
}
PRODUCTION_IAN = {
    SIGN: "3081a3a481a030819d310b3009060355040613024a5031273025060355040a0c1ee585ace79a84e5808be4babae8aa8de8a8bce382b5"
    "e383bce38393e382b93130302e060355040b0c27e585ace79a84e5808be4babae8aa8de8a8bce382b5e383bce38393e382b9e7bdb2e5908d"
    "e794a831333031060355040b0c2ae59cb0e696b9e585ace585b1e59ba3e4bd93e68385e5a0b1e382b7e382b9e38386e383a0e6a99fe6a78b",
    AUTH: "3081aca481a93081a6310b3009060355040613024a5031273025060355040a0c1ee585ace79a84e5808be4babae8aa8de8a8bce382b5"
    "e383bce38393e382b931393037060355040b0c30e585ace79a84e5808be4babae8aa8de8a8bce382b5e383bce38393e382b9e588a9e794a8"
    "e88085e8a8bce6988ee794a831333031060355040b0c2ae59cb0e696b9e585ace585b1e59ba3e4bd93e68385e5a0b1e382b7e382b9e38386"
    "e383a0e6a99fe6a78b",
}
PRODUCTION_AIA = "302c302a06082b06010505073001861e687474703a2f2f6f637370617574686e6f726d2e6a706b692e676f2e6a70"
PRODUCTION_UNIT = {SIGN: "JPKI for digital signature", AUTH: "JPKI for user authentication"}
PRODUCTION_UNIT_JA = {SIGN: "公的個人認証サービス署名用", AUTH: "公的個人認証サービス利用者証明用"}
POLICY = {SIGN: "1.2.392.200149.8.5.1.1.20", AUTH: "1.2.392.200149.8.5.1.3.30"}
UNIT = {SIGN: "JPKI-SIMULATOR for digital signature", AUTH: "JPKI-SIMULATOR for user authentication"}
UNIT_JA = {SIGN: "公的個人認証模擬サービス署名用", AUTH: "公的個人認証模擬サービス利用者証明用"}
OPERATOR, OPERATOR_JA = "kojin_card Software Card Issuing Office", "架空カード情報システム機構"

# jpki.md §1.2, §1.3: all extensions of a certificate in their order, with whether they are critical
KU, EKU, SAN, CP, IAN = "2.5.29.15", "2.5.29.37", "2.5.29.17", "2.5.29.32", "2.5.29.18"
CRLDP, AIA, AKI, SKI, BC = "2.5.29.31", "1.3.6.1.5.5.7.1.1", "2.5.29.35", "2.5.29.14", "2.5.29.19"
ORDER = {
    SIGN: [(KU, True), (SAN, False), (CP, True), (IAN, False), (CRLDP, False), (AKI, False), (SKI, False)],
    AUTH: [
        (KU, True),
        (EKU, False),
        (CP, True),
        (IAN, False),
        (CRLDP, False),
        (AIA, False),
        (AKI, False),
        (SKI, False),
    ],
}
CA_ORDER = [(KU, True), (SAN, False), (BC, True), (CRLDP, False), (SKI, False)]
BOTH = pytest.mark.parametrize("purpose", [SIGN, AUTH], ids=str)


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki.load()


def extensions(certificate: bytes) -> dict[str, bytes]:
    """Extension values by OID, as asn1crypto finds them."""
    parsed = asn1.Certificate.load(certificate, strict=True)
    return {row["extn_id"].dotted: bytes(row["extn_value"].contents) for row in parsed["tbs_certificate"]["extensions"]}


def order(certificate: bytes) -> list[tuple[str, bool]]:
    parsed = asn1.Certificate.load(certificate, strict=True)
    return [(row["extn_id"].dotted, row["critical"].native) for row in parsed["tbs_certificate"]["extensions"]]


def issuer_name(purpose: Purpose) -> bytes:
    return der(
        0x30,
        rdn("06", "JP", 0x13),
        rdn("0a", "JPKI-SIMULATOR"),
        rdn("0b", UNIT[purpose]),
        rdn("0b", OPERATOR),
    )


def japanese_name(purpose: Purpose) -> bytes:
    return der(
        0x30,
        rdn("06", "JP", 0x13),
        rdn("0a", "公的個人認証模擬サービス"),
        rdn("0b", UNIT_JA[purpose]),
        rdn("0b", OPERATOR_JA),
    )


# --- the building blocks make production's own bytes (jpki.md §1.6) ---------------------------------------------------


@BOTH
def test_names_are_encoded_as_production_encodes_them(purpose: Purpose) -> None:
    name = certificates.name(
        ("C", "JP"),
        ("O", "JPKI"),
        ("OU", PRODUCTION_UNIT[purpose]),
        ("OU", "Japan Agency for Local Authority Information Systems"),
    )
    assert name.public_bytes().hex() == PRODUCTION_ISSUER[purpose]


@BOTH
def test_policies_and_names_of_the_issuer_are_encoded_as_production_encodes_them(purpose: Purpose) -> None:
    policies = certificates.policies(POLICY[purpose], "http://www.jpki.go.jp/cps.html")
    assert policies.public_bytes().hex() == PRODUCTION_POLICIES[purpose]
    japanese = certificates.name(
        ("C", "JP"),
        ("O", "公的個人認証サービス"),
        ("OU", PRODUCTION_UNIT_JA[purpose]),
        ("OU", "地方公共団体情報システム機構"),
    )
    ian = x509.IssuerAlternativeName([x509.DirectoryName(japanese)])
    assert ian.public_bytes().hex() == PRODUCTION_IAN[purpose]
    assert certificates.ocsp_access("http://ocspauthnorm.jpki.go.jp").public_bytes().hex() == PRODUCTION_AIA


@BOTH
def test_the_authority_key_identifier_has_the_form_of_production(purpose: Purpose, pki: TestPki) -> None:
    name = x509.Name.from_rfc4514_string("CN=overwritten")
    issuer = bytes.fromhex(PRODUCTION_ISSUER[purpose])
    key = pki.pool.key("persona-01")
    ca = certificates.IssuingCa(name, name, 0x06D18006, key)
    value = ca.authority_key_identifier().public_bytes().replace(der(0xA4, name.public_bytes()), b"<name>")
    keyid = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest
    assert value.endswith(b"<name>" + bytes.fromhex("820406d18006"))
    production = certificates.name(
        ("C", "JP"),
        ("O", "JPKI"),
        ("OU", PRODUCTION_UNIT[purpose]),
        ("OU", "Japan Agency for Local Authority Information Systems"),
    )
    whole = dataclasses.replace(ca, subject=production).authority_key_identifier().public_bytes()
    head = {SIGN: ("3081a5", "a18186a48183"), AUTH: ("3081a7", "a18188a48185")}[purpose]
    assert whole.hex() == head[0] + "8014" + keyid.hex() + head[1] + issuer.hex() + "820406d18006"


# --- what is issued ---------------------------------------------------------------------------------------------------


@BOTH
def test_extensions_stand_in_the_order_of_the_profile(purpose: Purpose, pki: TestPki) -> None:
    assert order(issue(pki, purpose)) == ORDER[purpose]


@BOTH
def test_every_extension_value_is_the_template_with_own_names(purpose: Purpose, pki: TestPki) -> None:
    found = extensions(issue(pki, purpose))
    ca = pki.ca(purpose, NOW)
    policy = {SIGN: "060b2a83088c9b550805010114", AUTH: "060b2a83088c9b55080501031e"}[purpose]
    cps = der(0x30, bytes.fromhex("06082b06010505070201"), der(0x16, b"http://cps.jpki-simulator.invalid/cps.html"))
    point = der(
        0x30,
        rdn("06", "JP", 0x13),
        rdn("0a", "JPKI-SIMULATOR"),
        rdn("0b", UNIT[purpose]),
        rdn("0b", "CRL Distribution Points"),
        rdn("0b", "Tokyo-to"),
        rdn("03", "Kiyose-shi CRLDP"),
    )
    keyid = hashlib.sha1(ca.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.PKCS1), usedforsecurity=False).digest()  # fmt: skip
    subject_key = pki.pool.for_persona("hanako", str(purpose)).public_key()
    own = hashlib.sha1(subject_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.PKCS1), usedforsecurity=False).digest()  # fmt: skip
    serial = {SIGN: "0132a0c1", AUTH: "0132b0d2"}[purpose]
    expected = {
        KU: bytes.fromhex({SIGN: "030206c0", AUTH: "03020780"}[purpose]),
        CP: der(0x30, der(0x30, bytes.fromhex(policy), der(0x30, cps))),
        IAN: der(0x30, der(0xA4, japanese_name(purpose))),
        CRLDP: der(0x30, der(0x30, der(0xA0, der(0xA0, der(0xA4, point))))),
        AKI: der(
            0x30, der(0x80, keyid), der(0xA1, der(0xA4, issuer_name(purpose))), der(0x82, bytes.fromhex(serial))
        ),
        SKI: der(0x04, own),
    }  # fmt: skip
    if purpose is AUTH:
        expected[EKU] = bytes.fromhex("300a06082b06010505070302")
        url = der(0x86, b"http://ocsp.jpki-simulator.invalid")
        expected[AIA] = der(0x30, der(0x30, bytes.fromhex("06082b06010505073001"), url))
    else:
        expected[SAN] = found[SAN]  # has a test of its own
    assert found == expected


def test_the_alternative_name_holds_the_six_attributes_in_the_cards_order(pki: TestPki) -> None:
    rows = [
        ("01", "試験　花子"),
        ("04", "319850615"),
        ("03", "2"),
        ("05", "東京都清瀬市架空町１－２－３"),
        ("02", "00010"),
        ("06", "00000000000000"),
    ]
    expected = der(
        0x30,
        *(
            der(0xA0, bytes.fromhex("060a2a83088c9b55080505" + last), der(0xA0, der(0x0C, text.encode())))
            for last, text in rows
        ),
    )
    assert extensions(issue(pki, SIGN))[SAN] == expected


def test_the_published_test_holders_attributes_make_these_bytes(pki: TestPki) -> None:
    """The J-LIS test card's holder (test-card.toml), typed out; an address of 200 characters needs a long length."""
    attributes = {
        "name": "黒桐　幹也",
        "birth_date": "319800217",
        "sex": "1",
        "name_substitutes": "00000",
        "address_substitutes": "000000000000000000",
    }
    person = CertifiedPerson(
        "黒桐　幹也", "東京都清瀬市観布子南１２－７－２０２", date(1980, 2, 17), "1", "00000", "0" * 18
    )
    san = extensions(issue(pki, SIGN, person=person))[SAN].hex()
    assert san.startswith(
        "3081d2a01f060a2a83088c9b5508050501a0110c0fe9bb92e6a190e38080e5b9b9e4b99f"
        "a019060a2a83088c9b5508050504a00b0c09333139383030323137a011060a2a83088c9b5508050503a0030c0131"
        "a046060a2a83088c9b5508050505a0380c36e69db1e4baace983bde6b885e780ace5b882e8a6b3e5b883e5ad90e58d97"
    )
    assert {key: person.attributes()[key] for key in attributes} == attributes
    assert certificates.utf8_string("亜" * 200).startswith(bytes.fromhex("0c820258e4ba9c"))
    assert certificates.utf8_string("亜" * 43).startswith(bytes.fromhex("0c8181e4ba9c"))


@BOTH
def test_names_times_and_algorithms(purpose: Purpose, pki: TestPki) -> None:
    der_bytes = issue(pki, purpose)
    tbs = asn1.Certificate.load(der_bytes, strict=True)["tbs_certificate"]
    assert tbs["version"].native == "v3"
    assert tbs["issuer"].dump() == pki.ca(purpose, NOW).subject.public_bytes() == issuer_name(purpose)
    assert tbs["signature"].dump() == bytes.fromhex("300d06092a864886f70d01010b0500")
    assert tbs["subject_public_key_info"]["algorithm"].dump() == bytes.fromhex("300d06092a864886f70d0101010500")
    assert tbs["validity"].dump() == bytes.fromhex(
        "301e170d" + b"261124030405Z".hex() + "170d" + b"310615145959Z".hex()
    )
    assert tbs["serial_number"].dump() == bytes.fromhex("0204") + SERIALS[purpose].to_bytes(4, "big")
    cn = tbs["subject"].native["common_name"]
    if purpose is SIGN:
        assert tbs["subject"].dump() == der(
            0x30,
            rdn("06", "JP", 0x13),
            rdn("07", "Tokyo-to"),
            rdn("07", "Kiyose-shi"),
            rdn("03", "202611241204052009713221003A"),
        )
        assert len(cn) == 28
    else:
        assert tbs["subject"].dump() == der(0x30, rdn("06", "JP", 0x13), rdn("03", cn))
        assert len(cn) == 23
        assert cn[:14].isalnum()
        assert cn.endswith("13221003A")


def test_sizes_are_near_those_of_real_certificates(pki: TestPki) -> None:
    assert 1700 < len(issue(pki, SIGN)) < 1900  # about 1.8 kB (jpki.md §1.2)
    assert 1500 < len(issue(pki, AUTH)) < 1700  # about 1.58 kB (§1.3)


@BOTH
def test_foreign_parsers_find_the_issuers_signature(purpose: Purpose, pki: TestPki) -> None:
    certificate = x509.load_der_x509_certificate(issue(pki, purpose))
    for ca in pki.cas:
        authority = x509.load_der_x509_certificate(ca.certificate)
        if (ca.purpose, ca.generation) == (purpose, 2):
            certificate.verify_directly_issued_by(authority)
        else:  # the other generation has the same name, the other purpose another: neither made the signature
            with pytest.raises(Exception):  # noqa: B017 (ValueError for a name, InvalidSignature for a key)
                certificate.verify_directly_issued_by(authority)


def test_the_same_call_gives_the_same_bytes_and_another_call_others(pki: TestPki) -> None:
    again = TestPki.load()
    assert [ca.certificate for ca in again.cas] == [ca.certificate for ca in pki.cas]
    for purpose in Purpose:
        assert issue(again, purpose) == issue(pki, purpose)
        assert issue(pki, purpose, at=NOW + timedelta(seconds=1)) != issue(pki, purpose)
        assert issue(pki, purpose, municipality="01101") != issue(pki, purpose)
        early = datetime(2025, 6, 1, tzinfo=UTC)
        assert issue(pki, purpose, at=early, generation=1) != issue(pki, purpose, at=early)


@BOTH
def test_authorities_are_built_as_productions_are(purpose: Purpose, pki: TestPki) -> None:
    for generation, serial in ((1, b"\x01"), (2, pki.ca_of(purpose, 2).serial.to_bytes(4, "big"))):
        ca = pki.ca_of(purpose, generation)
        assert order(ca.certificate) == CA_ORDER
        found = extensions(ca.certificate)
        assert found[KU].hex() == "03020106"
        assert found[BC].hex() == "30030101ff"
        assert found[SAN] == der(0x30, der(0xA4, japanese_name(purpose)))
        assert found[CRLDP] == der(0x30, der(0x30, der(0xA0, der(0xA0, der(0xA4, issuer_name(purpose))))))
        tbs = asn1.Certificate.load(ca.certificate, strict=True)["tbs_certificate"]
        assert tbs["issuer"].dump() == tbs["subject"].dump() == issuer_name(purpose)
        assert tbs["serial_number"].contents == serial


def test_the_newest_generation_issues(pki: TestPki) -> None:
    assert pki.ca(SIGN, datetime(2025, 3, 31, tzinfo=UTC)).generation == 1
    assert pki.ca(SIGN, NOW).generation == 2
    assert pki.ca(AUTH, datetime(2034, 1, 1, tzinfo=UTC)).label == "sim-authca02"
    assert pki.ca_of(AUTH, 1).covers(NOW)


# --- the last day -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("birth", "issued", "last"),
    [
        # the J-LIS test card (jpki.md §1.1): issued 2025-10-27, ends 2030-02-17
        ((1980, 2, 17), (2025, 10, 27, 3, 0, 0), (2030, 2, 17)),
        ((1985, 6, 15), (2026, 11, 24, 3, 4, 5), (2031, 6, 15)),
        # the day before the birthday in Japan, which is its last second in UTC terms as well
        ((1985, 6, 15), (2026, 6, 14, 14, 59, 59), (2030, 6, 15)),
        # from midnight JST on it is the birthday: the first of the five is a year away
        ((1985, 6, 15), (2026, 6, 14, 15, 0, 0), (2031, 6, 15)),
        ((1985, 1, 1), (2025, 12, 31, 15, 0, 0), (2031, 1, 1)),
        ((1985, 12, 31), (2026, 1, 1, 0, 0, 0), (2030, 12, 31)),
        # 29 February: 28 February in a common year, 29 in a leap year (our decision)
        ((2000, 2, 29), (2026, 11, 24, 3, 0, 0), (2031, 2, 28)),
        ((2000, 2, 29), (2023, 5, 19, 3, 0, 0), (2028, 2, 29)),
        ((2000, 2, 29), (2026, 2, 27, 14, 59, 59), (2030, 2, 28)),
        ((2000, 2, 29), (2026, 2, 27, 15, 0, 0), (2031, 2, 28)),
    ],
)
def test_the_last_second_is_that_of_the_fifth_birthday(
    birth: tuple[int, int, int], issued: tuple[int, int, int, int, int, int], last: tuple[int, int, int]
) -> None:
    found = certificates.not_after(date(*birth), datetime(*issued, tzinfo=UTC), 5)
    assert found == datetime(*last, 14, 59, 59, tzinfo=UTC)


def test_no_certificate_outlives_the_card(pki: TestPki) -> None:
    key = pki.pool.key("persona-01").public_key()
    made = pki.issue(
        Purpose.AUTHENTICATION,
        HANAKO,
        key,
        issued_at=NOW,
        serial=7,
        municipality="13221",
        card_expiry=date(2028, 6, 15),
    )
    assert x509.load_der_x509_certificate(made).not_valid_after_utc == datetime(2028, 6, 15, 14, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "text"),
    [
        ((1912, 7, 29), "119120729"),
        ((1912, 7, 30), "219120730"),
        ((1926, 12, 24), "219261224"),
        ((1926, 12, 25), "319261225"),
        ((1989, 1, 7), "319890107"),
        ((1989, 1, 8), "419890108"),
        ((2019, 4, 30), "420190430"),
        ((2019, 5, 1), "520190501"),
    ],
)
def test_birth_dates_carry_the_digit_of_their_era(day: tuple[int, int, int], text: str) -> None:
    assert certificates.birth_date_text(date(*day)) == text


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"issued_at": NOW.replace(tzinfo=None)},
        {"issued_at": datetime(2019, 1, 1, tzinfo=UTC)},
        {"issued_at": datetime(2033, 1, 1, tzinfo=UTC)},
        {"serial": 0},
        {"serial": -1},
        {"serial": 1 << 159},
        {"municipality": "99999"},
        {"generation": 3},
        {"card_expiry": date(2026, 11, 1)},
        {"person": dataclasses.replace(HANAKO, name_substitutes="0000")},
        {"person": dataclasses.replace(HANAKO, address_substitutes="2" * 14)},
        {"person": dataclasses.replace(HANAKO, sex="女")},
        {"person": dataclasses.replace(HANAKO, sex="12")},
        {"person": dataclasses.replace(HANAKO, name="", name_substitutes="")},
        {"person": dataclasses.replace(HANAKO, address="東" * 201, address_substitutes="0" * 201)},
        {"person": dataclasses.replace(HANAKO, birth_date=date(1860, 1, 1))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_the_profile_does_not_allow_is_refused_and_nothing_personal_is_said(
    pki: TestPki, change: dict[str, object]
) -> None:
    arguments: dict[str, object] = {"person": HANAKO, "issued_at": NOW, "serial": 5, "municipality": "13221"} | change
    with pytest.raises(UsageError) as caught:
        pki.issue(Purpose.SIGNATURE, public_key=pki.pool.key("persona-01").public_key(), **arguments)  # type: ignore[arg-type]
    said = str(caught.value) + repr(caught.value) + repr(caught.value.details)
    assert not any(text in said for text in ("花子", "東京", "1985", "1860"))


def test_keys_that_the_profile_does_not_want_are_refused(pki: TestPki) -> None:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()  # noqa: S505
    odd = rsa.RSAPublicNumbers(3, pki.pool.key("persona-01").public_key().public_numbers().n).public_key()
    for key in (small, odd):
        with pytest.raises(UsageError, match="RSA-2048 with exponent 65537"):
            pki.issue(Purpose.AUTHENTICATION, HANAKO, key, issued_at=NOW, serial=5, municipality="13221")


def test_reprs_show_nothing_of_the_person_or_of_a_key(pki: TestPki) -> None:
    ca, template = pki.template(
        SIGN, HANAKO, pki.pool.key("persona-01").public_key(), issued_at=NOW, serial=5, municipality="13221"
    )
    shown = repr(HANAKO) + repr(template) + repr(ca) + repr(pki) + repr(pki.pool.keys[0])
    assert not any(text in shown for text in ("花子", "東京", "1985", "2031", "Kiyose", "RSAPrivate"))


def test_a_template_can_be_made_wrong_on_purpose(pki: TestPki) -> None:
    ca, template = pki.template(
        SIGN, HANAKO, pki.pool.key("persona-01").public_key(), issued_at=NOW, serial=5, municipality="13221"
    )
    shorter = dataclasses.replace(template, extensions=template.extensions[:-1], serial=6)
    made = shorter.sign(ca.key)
    assert order(made) == ORDER[SIGN][:-1]
    with pytest.raises(UsageError):
        dataclasses.replace(template, hash_name="md5").sign(ca.key)


# --- openssl ----------------------------------------------------------------------------------------------------------


@pytest.mark.foreign("openssl")
@BOTH
def test_openssl_reads_and_accepts_what_was_issued(purpose: Purpose, pki: TestPki, tmp_path: Path) -> None:
    leaf, right, wrong = tmp_path / "leaf.pem", tmp_path / "ca2.pem", tmp_path / "ca1.pem"
    for path, data in (
        (leaf, issue(pki, purpose)),
        (right, pki.ca_of(purpose, 2).certificate),
        (wrong, pki.ca_of(purpose, 1).certificate),
    ):
        path.write_bytes(x509.load_der_x509_certificate(data).public_bytes(serialization.Encoding.PEM))
    text = openssl("x509", "-in", leaf, "-noout", "-text").stdout
    usage = "Digital Signature, Non Repudiation" if purpose is SIGN else "Digital Signature"
    for line in (
        "Version: 3 (0x2)",
        "Signature Algorithm: sha256WithRSAEncryption",
        f"Issuer: C = JP, O = JPKI-SIMULATOR, OU = {UNIT[purpose]}, OU = {OPERATOR}",
        "Not After : Jun 15 14:59:59 2031 GMT",
        f"X509v3 Key Usage: critical\n                {usage}\n",
        f"X509v3 Certificate Policies: critical\n                Policy: {POLICY[purpose]}\n",
        "OU = Tokyo-to, CN = Kiyose-shi CRLDP",
    ):
        assert line in text, line
    assert ("OCSP - URI:http://ocsp.jpki-simulator.invalid" in text) == (purpose is AUTH)
    at = ("-attime", str(int(NOW.timestamp())), "-check_ss_sig")
    accepted = openssl("verify", *at, "-policy", POLICY[purpose], "-explicit_policy", "-CAfile", right, leaf)
    assert accepted.returncode == 0, accepted.stderr
    other = POLICY[AUTH if purpose is SIGN else SIGN]
    assert openssl("verify", *at, "-policy", other, "-explicit_policy", "-CAfile", right, leaf).returncode != 0
    assert openssl("verify", *at, "-CAfile", wrong, leaf).returncode != 0
    late = ("-attime", str(int(datetime(2031, 6, 15, 15, 0, 0, tzinfo=UTC).timestamp())))
    assert "certificate has expired" in openssl("verify", *late, "-CAfile", right, leaf).stderr
