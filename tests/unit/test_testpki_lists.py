"""The test PKI's revocation lists and card-verifiable certificates: literal bytes, foreign parsers, openssl."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from asn1crypto import crl as asn1
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from issued import NOW, SERIALS, der, issue, openssl, rdn
from kojin_card.errors import UsageError
from kojin_card.pki.profile import Purpose
from kojin_card.simulator.testpki import RevokedEntry, TestPki

if TYPE_CHECKING:
    from pathlib import Path

SIGN, AUTH = Purpose.SIGNATURE, Purpose.AUTHENTICATION
LATER = NOW + timedelta(days=1)


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki.load()


def rows(data: bytes) -> list[tuple[int, str, str | None]]:
    """Serial, date and reason of every entry, as asn1crypto reads them."""
    listed = asn1.CertificateList.load(data, strict=True)["tbs_cert_list"]["revoked_certificates"]
    return [
        (
            row["user_certificate"].native,
            f"{row['revocation_date'].native:%Y-%m-%dT%H:%M:%SZ}",
            row.crl_reason_value.native if row.crl_reason_value else None,
        )
        for row in listed
    ]


# --- CRLs -------------------------------------------------------------------------------------------------------------


def test_a_list_names_its_partition_its_issuer_and_its_number(pki: TestPki) -> None:
    made = pki.crl(SIGN, "13221", this_update=NOW, revoked=[RevokedEntry(0x01500001, NOW, "affiliationChanged")])
    parsed = asn1.CertificateList.load(made, strict=True)["tbs_cert_list"]
    ca = pki.ca_of(SIGN, 2)
    assert parsed["version"].native == "v2"
    assert parsed["issuer"].dump() == ca.subject.public_bytes()
    assert parsed["this_update"].dump() == bytes.fromhex("170d") + b"261124030405Z"
    assert parsed["next_update"].dump() == bytes.fromhex("170d") + b"261125150405Z"
    extensions = [(row["extn_id"].dotted, row["critical"].native) for row in parsed["crl_extensions"]]
    assert extensions == [("2.5.29.35", False), ("2.5.29.20", False), ("2.5.29.28", True)]
    point = der(
        0x30,
        rdn("06", "JP", 0x13),
        rdn("0a", "JPKI-SIMULATOR"),
        rdn("0b", "JPKI-SIMULATOR for digital signature"),
        rdn("0b", "CRL Distribution Points"),
        rdn("0b", "Tokyo-to"),
        rdn("03", "Kiyose-shi CRLDP"),
    )
    scope = der(0x30, der(0xA0, der(0xA0, der(0xA4, point))))
    assert parsed["crl_extensions"][2]["extn_value"].contents == scope
    leaf = x509.load_der_x509_certificate(issue(pki, SIGN))
    points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value.public_bytes()
    assert points == der(0x30, scope)  # the same directoryName, in the certificate inside one more SEQUENCE
    certificate_aki = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.public_bytes()
    assert parsed["crl_extensions"][0]["extn_value"].contents == certificate_aki
    assert parsed["crl_extensions"][1]["extn_value"].parsed.native == 2063 * 86400 + 11045  # since 2021-04-01
    assert rows(made) == [(0x01500001, "2026-11-24T03:04:05Z", "affiliation_changed")]


def test_a_list_is_signed_by_the_generation_that_was_asked(pki: TestPki) -> None:
    for purpose in Purpose:
        for generation in (1, 2):
            made = x509.load_der_x509_crl(pki.crl(purpose, "13221", this_update=NOW, generation=generation))
            for ca in pki.cas:
                mine = (ca.purpose, ca.generation) == (purpose, generation)
                assert made.is_signature_valid(ca.key.public_key()) == mine
    assert pki.crl(SIGN, "13221", this_update=NOW) == pki.crl(SIGN, "13221", this_update=NOW, generation=2)


def test_declared_revocations_are_listed_from_their_date_on_and_in_their_place_only(pki: TestPki) -> None:
    due = datetime(2026, 2, 3, 1, 30, tzinfo=UTC)
    declared = (0x0150F00D, "2026-02-03T01:30:00Z", "affiliation_changed")
    assert rows(pki.crl(SIGN, "13113", this_update=due)) == [declared]
    assert rows(pki.crl(SIGN, "13113", this_update=due - timedelta(seconds=1))) == []
    for purpose, place, generation in ((SIGN, "13221", 2), (SIGN, "13113", 1), (AUTH, "13113", 2)):
        assert rows(pki.crl(purpose, place, this_update=NOW, generation=generation)) == []
    more = pki.crl(SIGN, "13113", this_update=NOW, revoked=[RevokedEntry(3, due, None), RevokedEntry(0xFFFFFFF, due)])
    assert rows(more) == [(3, declared[1], None), declared, (0xFFFFFFF, declared[1], "unspecified")]


def test_dates_and_number_can_be_given(pki: TestPki) -> None:
    made = x509.load_der_x509_crl(pki.crl(AUTH, "01101", this_update=NOW, next_update=LATER, number=12))
    assert made.next_update_utc == LATER
    assert made.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 12
    assert made == x509.load_der_x509_crl(pki.crl(AUTH, "01101", this_update=NOW, next_update=LATER, number=12))
    names = made.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value.full_name
    assert names is not None
    assert names[0].value.rfc4514_string().startswith("CN=Sapporo-shi-Chuo-ku CRLDP,OU=Hokkaido,")


@pytest.mark.parametrize(
    "change",
    [
        {"next_update": NOW},
        {"number": -1},
        {"this_update": NOW.replace(tzinfo=None)},
        {"this_update": datetime(2019, 1, 1, tzinfo=UTC)},
        {"this_update": datetime(2040, 1, 1, tzinfo=UTC), "generation": 2},
        {"municipality": "00000"},
        {"generation": 9},
        {"revoked": [RevokedEntry(5, NOW), RevokedEntry(5, NOW)]},
        {"revoked": [RevokedEntry(0, NOW)]},
        {"revoked": [RevokedEntry(5, NOW.replace(tzinfo=None))]},
        {"revoked": [RevokedEntry(5, NOW, "removeFromCRL")]},
        {"revoked": [RevokedEntry(5, NOW, "moved away")]},
    ],
    ids=lambda change: "-".join(change),
)
def test_impossible_lists_are_refused(pki: TestPki, change: dict[str, object]) -> None:
    arguments: dict[str, object] = {"municipality": "13221", "this_update": NOW} | change
    with pytest.raises(UsageError):
        pki.crl(SIGN, **arguments)  # type: ignore[arg-type]


def test_a_long_list_is_made_and_read_back(pki: TestPki) -> None:
    made = pki.crl(SIGN, "13221", this_update=NOW, revoked=(RevokedEntry(n, NOW, "superseded") for n in range(1, 2001)))
    listed = x509.load_der_x509_crl(made)
    assert len(listed) == 2000
    assert listed.get_revoked_certificate_by_serial_number(2000) is not None
    assert listed.get_revoked_certificate_by_serial_number(2001) is None


@pytest.mark.foreign("openssl")
def test_openssl_tells_the_right_partition_from_the_wrong_one(pki: TestPki, tmp_path: Path) -> None:
    """jpki.md §8.4: revoked is error 23, a clean list of another municipality error 44, the right clean list OK."""
    leaf, ca = tmp_path / "leaf.pem", tmp_path / "ca.pem"
    pem = serialization.Encoding.PEM
    leaf.write_bytes(x509.load_der_x509_certificate(issue(pki, SIGN)).public_bytes(pem))
    ca.write_bytes(x509.load_der_x509_certificate(pki.ca_of(SIGN, 2).certificate).public_bytes(pem))
    revoked = [RevokedEntry(SERIALS[SIGN], NOW, "superseded")]
    lists = {
        "clean": pki.crl(SIGN, "13221", this_update=NOW),
        "revoked": pki.crl(SIGN, "13221", this_update=NOW, revoked=revoked),
        "elsewhere": pki.crl(SIGN, "13113", this_update=NOW),
        "generation": pki.crl(SIGN, "13221", this_update=NOW, generation=1),
        "stale": pki.crl(SIGN, "13221", this_update=NOW - timedelta(days=9)),
    }
    said = {}
    for name, data in lists.items():
        path = tmp_path / f"{name}.crl.pem"
        path.write_bytes(x509.load_der_x509_crl(data).public_bytes(pem))
        at = str(int(NOW.timestamp()) + 60)
        options = ("-attime", at, "-extended_crl", "-crl_check", "-check_ss_sig")
        run = openssl("verify", *options, "-CAfile", ca, "-CRLfile", path, leaf)
        said[name] = (run.returncode == 0, run.stderr)
    assert said["clean"][0], said["clean"][1]
    assert not any(said[name][0] for name in lists if name != "clean")
    assert "error 23 " in said["revoked"][1]
    assert "error 44 " in said["elsewhere"][1]
    assert "error 12 " in said["stale"][1]


# --- card-verifiable certificates (card.md §2.7) ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("application", "issuer", "holder"),
    [
        ("card_manager", "39303030303230" "0805" "303031" "000000a8", "39303030303231" "0805" "303031" "000000a8"),
        ("card_face", "39303030303233" "0805" "303031" "00000000", "39303030303234" "0805" "303031" "00000000"),
        ("input_support", "39303030303333" "0805" "303031" "00000000", "39303030303334" "0805" "303031" "00000000"),
    ],
)  # fmt: skip
def test_card_verifiable_certificates_have_the_published_form(
    pki: TestPki, application: str, issuer: str, holder: str
) -> None:
    made = pki.cv_certificate(application=application, municipality="13221")
    key = pki.record_key("13221").public_key().public_numbers()
    body = bytes.fromhex(issuer + holder) + bytes.fromhex("9003010001" + "91820100") + key.n.to_bytes(256, "big")
    assert len(made) == 568
    assert len(body) == 297
    assert made[:10].hex() == "7f218202335f4e820129"
    assert made[10:307] == body
    assert made[307:312].hex() == "5f37820100"
    pki.cv_ca_key(application).public_key().verify(made[312:], body, padding.PKCS1v15(), hashes.SHA256())
    assert pki.cv_ca_key_id(application).hex() == issuer
    assert pki.holder_key_id(application, "13221").hex() == holder
    assert made == TestPki.load().cv_certificate(application=application, municipality="13221")


def test_the_chain_of_the_card_manager(pki: TestPki) -> None:
    """card.md §2.5: the CA certifies the intermediate, which certifies the key below it; each body of 297 bytes."""
    key_id, upper, lower = pki.cv_chain("13221")
    assert key_id == bytes.fromhex("393030303032320805303031000000a8")
    bodies = [certificate[10:307] for certificate in (upper, lower)]
    assert [body[:16] for body in bodies] == [pki.cv_ca_key_id("card_manager"), key_id]
    assert [body[16:32] for body in bodies] == [key_id, pki.holder_key_id("card_manager", "13221")]
    between = rsa.RSAPublicNumbers(65537, int.from_bytes(bodies[0][41:], "big")).public_key()
    assert bodies[1][41:] == pki.record_key("13221").public_key().public_numbers().n.to_bytes(256, "big")
    pki.cv_ca_key("card_manager").public_key().verify(upper[312:], bodies[0], padding.PKCS1v15(), hashes.SHA256())
    between.verify(lower[312:], bodies[1], padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(UsageError):
        pki.cv_chain("99999")


def test_municipalities_have_keys_and_key_ids_of_their_own(pki: TestPki) -> None:
    places = list(pki.declaration.municipalities)
    assert len({pki.holder_key_id("input_support", place) for place in places}) == len(places) == 3
    assert len({pki.record_key(place).public_key().public_numbers().n for place in places}) == 3
    signature = pki.sign_record(b"record", "13113")
    pki.record_key("13113").public_key().verify(signature, b"record", padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        pki.record_key("13221").public_key().verify(signature, b"record", padding.PKCS1v15(), hashes.SHA256())


def test_another_key_can_be_certified_but_only_of_the_cards_kind(pki: TestPki) -> None:
    other = pki.pool.key("persona-01").public_key()
    made = pki.cv_certificate(other, application="input_support", municipality="13221")
    assert other.public_numbers().n.to_bytes(256, "big") in made
    for application, municipality in (("juki", "13221"), ("input_support", "99999")):
        with pytest.raises(UsageError):
            pki.cv_certificate(other, application=application, municipality=municipality)
    odd = rsa.RSAPublicNumbers(3, other.public_numbers().n).public_key()
    with pytest.raises(UsageError):
        pki.cv_certificate(odd, application="input_support", municipality="13221")
