"""What is committed about trust: the declaration and its strict loader, the key pool, and both lists of anchors."""

from __future__ import annotations

import base64
import hashlib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kojin_card.errors import SpecError, UsageError
from kojin_card.pki.profile import Purpose
from kojin_card.simulator.keypool import KeyPool
from kojin_card.simulator.testpki import TestPki
from support import ROOT, need_vectors

if TYPE_CHECKING:
    from collections.abc import Callable

PKI = ROOT / "fixtures" / "pki"
PRODUCTION = ROOT / "src" / "kojin_card" / "pki" / "data" / "trust" / "production.toml"
DECLARATION = (PKI / "simulator.toml").read_text("utf-8")
POOL = (PKI / "keys.toml").read_text("utf-8")


@pytest.fixture(scope="module")
def pool() -> KeyPool:
    return KeyPool.load()


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "changed.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def anchors(path: Path) -> list[dict[str, Any]]:
    rows = tomllib.loads(path.read_text("utf-8"))["anchor"]
    assert isinstance(rows, list)
    return rows


# --- the declaration --------------------------------------------------------------------------------------------------


def test_the_declaration_is_what_it_says(pool: KeyPool) -> None:
    pki = TestPki.load(pool=pool)
    today = ["sim-signca01", "sim-signca02", "sim-authca01", "sim-authca02"]
    assert [ca.label for ca in pki.cas] == [*today, "sim-signca03", "sim-authca03"]
    assert {ca.label: ca.profile for ca in pki.cas if ca.label not in today} == {
        "sim-signca03": "signature_next",
        "sim-authca03": "authentication_next",
    }
    assert {ca.subject.rfc4514_string().rsplit(",", 2)[1] for ca in pki.cas} == {"O=JPKI-SIMULATOR"}
    assert set(pki.declaration.municipalities) == {"13221", "13113", "01101"}
    assert set(pki.declaration.cv.applications) == {"card_manager", "card_face", "input_support"}
    assert pki.declaration.cv.qualifier.hex() == "0805"
    assert pki.declaration.cv.intermediate.application == "card_manager"
    assert TestPki.load(PKI / "simulator.toml").declaration == pki.declaration


CHANGES = [
    ("top key unknown", "schema = 1\n", "schema = 1\nextra = 1\n", ""),
    ("schema missing", "schema = 1\n", "", ""),
    ("schema of the future", "schema = 1\n", "schema = 2\n", ""),
    ("schema a bool", "schema = 1\n", "schema = true\n", ""),
    ("no TOML", "schema = 1\n", "schema = \n", ""),
    ("a real organization", '"JPKI-SIMULATOR"     ', '"JPKI"     ', "authority"),
    ("another test environment", '"JPKI-SIMULATOR"     ', '"JPKI-TEST"     ', "authority"),
    ("a real CPS address", "http://cps.jpki-simulator.invalid/cps.html", "http://www.jpki.go.jp/cps.html", "authority"),
    ("a real OCSP address", "http://ocsp.jpki-simulator.invalid", "http://ocspauthnorm.jpki.go.jp", "authority"),
    ("a host that ends later", "ocsp.jpki-simulator.invalid", "ocsp.invalid.example.com", "authority"),
    ("an empty name", '"架空カード情報システム機構"', '""', "authority"),
    ("a control character", '"架空カード情報システム機構"', '"a\\nb"', "authority"),
    ("a name too long", '"架空カード情報システム機構"', '"' + "機" * 65 + '"', "authority"),
    ("a country of three", 'country = "JP"', 'country = "JPN"', "authority"),
    ("authority key missing", 'country = "JP"\n', "", "authority"),
    ("authority key unknown", 'country = "JP"\n', 'country = "JP"\ncolour = "red"\n', "authority"),
    ("unit missing", "[unit.authentication]", "[unit.identification]", "unit"),
    ("unit unknown", "[unit.signature]", "[unit.other]\nname = 'a'\nname_ja = 'b'\n[unit.signature]", "unit"),
    ("unit key missing", 'name = "JPKI-SIMULATOR for digital signature"\n', "", "unit.signature"),
    ("purpose unknown", 'purpose = "signature"\ngeneration = 1', 'purpose = "payment"\ngeneration = 1', "ca[0]"),
    ("generation a string", "generation = 1\nserial = 0x01\nnot_before = 2021-04-01T00:12", 'generation = "1"\n'
     "serial = 0x01\nnot_before = 2021-04-01T00:12", "ca[0]"),
    ("generation twice", "generation = 2\nserial = 0x0132A0C1", "generation = 1\nserial = 0x0132A0C1", "ca[1]"),
    ("serial twice", "serial = 0x0132A0C1", "serial = 0x01", "ca[1]"),
    ("serial zero", "serial = 0x0132A0C1", "serial = 0", "ca[1]"),
    ("serial too long", "serial = 0x0132A0C1", f"serial = {1 << 160}", "ca[1]"),
    ("label twice", 'label = "sim-signca02"', 'label = "sim-signca01"', "ca[1]"),
    ("key twice", 'key = "ca-signature-2"', 'key = "ca-signature-1"', "ca[1]"),
    ("key unknown", 'key = "ca-signature-2"', 'key = "ca-signature-9"', "ca[1]"),
    ("key of a persona", 'key = "ca-signature-2"', 'key = "persona-01"', "ca[1]"),
    ("date as text", "not_before = 2025-04-01T00:14:31Z", 'not_before = "2025-04-01T00:14:31Z"', "ca[1]"),
    ("date without a time", "not_before = 2025-04-01T00:14:31Z", "not_before = 2025-04-01", "ca[1]"),
    ("time without a zone", "not_before = 2025-04-01T00:14:31Z", "not_before = 2025-04-01T00:14:31", "ca[1]"),
    ("part of a second", "not_before = 2025-04-01T00:14:31Z", "not_before = 2025-04-01T00:14:31.5Z", "ca[1]"),
    ("after its end", "not_before = 2025-04-01T00:14:31Z", "not_before = 2036-04-01T00:14:31Z", "ca[1]"),
    ("beyond UTCTime", "not_before = 2025-04-01T00:14:31Z", "not_before = 1949-04-01T00:14:31Z", "ca[1]"),
    ("ca key unknown", 'key = "ca-signature-2"', 'key = "ca-signature-2"\nsize = 4096', "ca[1]"),
    ("no ca of a purpose", 'purpose = "authentication"', 'purpose = "signature"', "ca[2]"),
    ("profile unknown", '"signature_next"', '"signature_2040"', "ca[4]"),
    ("profile of the other purpose", '"signature_next"', '"authentication_next"', "ca[4]"),
    ("code too short", 'code = "13113"', 'code = "1311"', "municipality[1]"),
    ("code in full-width digits", 'code = "13113"', 'code = "１３１１３"', "municipality[1]"),
    ("code twice", 'code = "13113"', 'code = "13221"', "municipality[1]"),
    ("window too long", 'window = "001A"', 'window = "001AA"', "municipality[1]"),
    ("city not romaji", 'city = "Shibuya-ku"', 'city = "渋谷区"', "municipality[1]"),
    ("record key of another", '"municipality-13113"', '"municipality-13221"', "municipality[1]"),
    ("record key of a ca", '"municipality-13113"', '"ca-signature-1"', "municipality[1]"),
    ("key id of another", 'record_key_version = "002"', 'record_key_version = "001"', "municipality[1]"),
    ("no validity", "validity_hours = 36", "validity_hours = 0", "crl"),
    ("validity a float", "validity_hours = 36", "validity_hours = 36.0", "crl"),
    ("crl key missing", "number_epoch = 2021-04-01T00:00:00Z", "", "crl"),
    ("qualifier too long", 'qualifier = "0805"', 'qualifier = "080500"', "cv"),
    ("qualifier no hex", 'qualifier = "0805"', 'qualifier = "08xx"', "cv"),
    ("layout without application", "input_support/cv_certificate", "cv_certificate", "cv"),
    ("a real key number", '"9000033"', '"5000033"', "cv.application[input_support]"),
    ("a J-LIS test key number", '"9000034"', '"6000034"', "cv.application[input_support]"),
    ("cv ca key twice", '"cv-ca-input-support"', '"cv-ca-card-face"', "cv.application[input_support]"),
    ("cv ca key of a ca", '"cv-ca-input-support"', '"ca-signature-1"', "cv.application[input_support]"),
    ("no intermediate", '[cv.intermediate]', '[cv.between]', "cv"),
    ("a real number between", '"9000022"', '"5000022"', "cv.intermediate"),
    ("between in no application", 'application = "card_manager"', 'application = "juki"', "cv.intermediate"),
    ("between with a CA's key", '"cv-intermediate-card-manager"', '"cv-ca-card-manager"', "cv.intermediate"),
    ("between with a persona's key", '"cv-intermediate-card-manager"', '"persona-01"', "cv.intermediate"),
    ("no licence issuer", "[licence]", "[license]", ""),
    ("licence issuer of another name", 'subject = "C=JP,O=JPKI-SIMULATOR', 'subject = "C=JP,O=NPA', "licence"),
    ("licence issuer's serial", 'serial = "9000000000000001"', 'serial = "1"', "licence"),
    ("licence with a persona's key", '"licence-issuer-1"', '"persona-01"', "licence"),
    ("application twice", 'name = "input_support"', 'name = "card_face"', "cv.application[card_face]"),
    ("revoked by nobody", "generation = 2\nmunicipality", "generation = 4\nmunicipality", "revocation[0]"),
    ("revoked nowhere", 'municipality = "13113"', 'municipality = "13114"', "revocation[0]"),
    ("revoked for fun", '"affiliationChanged"', '"removeFromCRL"', "revocation[0]"),
    ("revocation key missing", 'reason = "affiliationChanged"', "", "revocation[0]"),
    ("revocation a table", "[[revocation]]", "[revocation]", ""),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "table"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_wrong_declaration_is_refused_by_file_and_table(
    pool: KeyPool, written: Callable[[str], Path], old: str, new: str, table: str
) -> None:
    assert old in DECLARATION
    with pytest.raises(SpecError) as caught:
        TestPki.load(written(DECLARATION.replace(old, new)), pool=pool)
    assert caught.value.details == {"file": "changed.toml", "table": table}


def test_a_revocation_twice_is_refused_and_none_is_allowed(pool: KeyPool, written: Callable[[str], Path]) -> None:
    head, mark, tail = DECLARATION.partition("[[revocation]]")
    with pytest.raises(SpecError, match="stands twice"):
        TestPki.load(written(DECLARATION + "\n" + mark + tail), pool=pool)
    assert TestPki.load(written(head), pool=pool).declaration.revocations == ()


def test_a_declaration_that_cannot_be_read_is_refused(pool: KeyPool, tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        TestPki.load(tmp_path / "absent.toml", pool=pool)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError):
        TestPki.load(tmp_path / "bytes.toml", pool=pool)


def test_a_layout_that_no_specification_has_is_refused(pool: KeyPool, written: Callable[[str], Path]) -> None:
    pki = TestPki.load(written(DECLARATION.replace("input_support/cv_certificate", "input_support/none")), pool=pool)
    with pytest.raises(SpecError):
        pki.cv_certificate(application="input_support", municipality="13221")


# --- the key pool -----------------------------------------------------------------------------------------------------


def test_the_pool_says_first_that_its_keys_are_worthless_and_they_are_good_keys(pool: KeyPool) -> None:
    assert POOL.startswith("# WORTHLESS TEST KEYS")
    assert len(pool.keys) == 26
    assert len({key.p for key in pool.keys} | {key.q for key in pool.keys}) == 52
    for key in pool.keys:
        private = pool.key(key.label)
        numbers = private.private_numbers()
        assert numbers.private_key(unsafe_skip_rsa_key_validation=False).key_size == 2048  # the check the pool left out
        assert numbers.public_numbers.e == 65537
    assert {key.use for key in pool.keys} == {"ca", "cv-ca", "municipality", "persona", "licence"}


def test_a_persona_gets_the_same_keys_each_time_and_no_two_roles_share_one(pool: KeyPool) -> None:
    labels = [pool.label_for("hanako", role) for role in pool.roles]
    assert labels == [KeyPool.load().label_for("hanako", role) for role in pool.roles]
    assert len(set(labels)) == len(pool.roles)
    assert {pool.use(label) for label in labels} == {"persona"}
    assert len({pool.label_for(f"seed {n}", "signature") for n in range(200)}) == 14
    key = pool.for_persona("hanako", "signature")
    assert key is pool.key(labels[0])


def test_fresh_keys_are_nobody_elses(pool: KeyPool) -> None:
    fresh = pool.for_persona("hanako", "signature", fresh=True)
    assert isinstance(fresh, rsa.RSAPrivateKey)
    assert fresh.key_size == 2048
    assert fresh.public_key().public_numbers().n not in {key.p * key.q for key in pool.keys}


def test_unknown_labels_and_roles_are_refused(pool: KeyPool) -> None:
    assert "persona-01" in pool
    assert pool.use("persona-99") is None
    with pytest.raises(UsageError):
        pool.key("persona-99")
    for fresh in (False, True):
        with pytest.raises(UsageError):
            pool.for_persona("hanako", "payment", fresh=fresh)


P = POOL.split('p = "', 1)[1][:256]
POOL_CHANGES = [
    ("key unknown", 'use = "ca"\n', 'use = "ca"\nd = "01"\n', "key[0]"),
    ("use unknown", 'use = "ca"\n', 'use = "bank"\n', "key[0]"),
    ("use missing", 'use = "ca"\n', "", "key[0]"),
    ("label twice", '"ca-signature-2"', '"ca-signature-1"', "key[1]"),
    ("label with a blank", '"ca-signature-1"', '"ca signature 1"', "key[0]"),
    ("p an integer", f'p = "{P}"', "p = 7", "key[0]"),
    ("p too short", P, P[2:], "key[0]"),
    ("p in capitals", P, P.upper(), "key[0]"),
    ("p even", P, P[:-1] + "0", "key[0]"),
    ("p small", P, "00" + P[2:], "key[0]"),
    ("schema of the future", "schema = 1\n", "schema = 2\n", ""),
    ("top key unknown", "schema = 1\n", "schema = 1\nmore = 1\n", ""),
    ("role twice", '"common", ', '"signature", ', ""),
    ("role a number", '"common", ', "7, ", ""),
    ("more roles than keys", '"common", ', "".join(f'"role{n}", ' for n in range(20)), ""),
    ("no TOML", "schema = 1\n", "schema 1\n", ""),
]


@pytest.mark.parametrize(
    ("old", "new", "table"), [row[1:] for row in POOL_CHANGES], ids=[row[0] for row in POOL_CHANGES]
)
def test_a_wrong_pool_is_refused_by_file_and_table(
    written: Callable[[str], Path], old: str, new: str, table: str
) -> None:
    assert old in POOL
    with pytest.raises(SpecError) as caught:
        KeyPool.load(written(POOL.replace(old, new, 1)))
    assert caught.value.details == {"file": "changed.toml", "table": table}
    assert P not in str(caught.value)


# --- anchors ----------------------------------------------------------------------------------------------------------


def test_the_simulators_anchors_are_what_the_declaration_makes(pool: KeyPool) -> None:
    """``python tools/make_key_pool.py anchors`` writes the file anew after a change of declaration or pool."""
    pki = TestPki.load(pool=pool)
    assert (PKI / "simulator-anchors.toml").read_text("utf-8") == pki.anchors_toml()
    rows = anchors(PKI / "simulator-anchors.toml")
    assert {row["hierarchy"] for row in rows} == {"simulator"}
    for row, ca in zip(rows, pki.cas, strict=True):
        assert_anchor(row, ca.certificate)
        assert (row["name"], Purpose(row["purpose"]), row["generation"]) == (ca.label, ca.purpose, ca.generation)


def test_no_key_and_no_name_stands_in_two_stores() -> None:
    ours, real = anchors(PKI / "simulator-anchors.toml"), anchors(PRODUCTION)
    for field in ("spki", "sha256", "subject_der", "subject_key_identifier"):
        assert not {row[field] for row in ours} & {row[field] for row in real}
    assert {row["hierarchy"] for row in real} == {"production"}
    assert [row["name"] for row in real] == [f"{kind}ca0{n}" for kind in ("auth", "sign") for n in (1, 2, 3)]


@pytest.mark.vectors
def test_the_committed_production_anchors_are_the_published_ones() -> None:
    assert PRODUCTION.read_bytes() == (need_vectors() / "jpki-trust-anchors.toml").read_bytes()


@pytest.mark.vectors
@pytest.mark.parametrize("name", [f"{kind}ca0{n}" for kind in ("auth", "sign") for n in (1, 2, 3)])
def test_the_six_production_certificates_match_their_anchors(name: str) -> None:
    row = next(row for row in anchors(PRODUCTION) if row["name"] == name)
    certificate = (need_vectors() / "jpki-ca" / f"{name}.cer").read_bytes()
    assert_anchor(row, certificate)
    assert row["purpose"] == ("signature" if name.startswith("sign") else "authentication")
    assert row["generation"] == int(name[-1])


def assert_anchor(row: dict[str, Any], certificate: bytes) -> None:
    """Every field of the anchor, computed from the certificate."""
    parsed = x509.load_der_x509_certificate(certificate)
    parsed.verify_directly_issued_by(parsed)
    key = parsed.public_key()
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if isinstance(key, rsa.RSAPublicKey):
        bits = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    else:
        bits = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    extension = parsed.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert base64.b64decode(row["spki"], validate=True) == spki
    assert row["subject_key_identifier"] == extension.digest.hex()
    assert row["subject_key_identifier"] == hashlib.sha1(bits, usedforsecurity=False).hexdigest()
    assert row["serial"] == f"{parsed.serial_number:X}"
    assert row["not_before"] == parsed.not_valid_before_utc
    assert row["not_after"] == parsed.not_valid_after_utc
    assert row["sha256"] == hashlib.sha256(certificate).hexdigest()
    assert row["subject"] == parsed.subject.rfc4514_string()
    assert row["subject_der"] == parsed.subject.public_bytes().hex()
