"""Trust stores: what is in them, that they are never mixed, and what may be added (jpki.md §2, §6 A-01..A-08)."""

# ruff: noqa: E501, ARG005 - a table of attacks is read row by row

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attacks.forge import Cms, Good, changed, key, pki
from kojin_card.errors import SpecError, TrustError
from kojin_card.pki import names
from kojin_card.pki.algorithms import read_public_key
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.profile import Purpose, Store
from kojin_card.pki.trust import TrustAnchor, TrustStore, add_anchor, anchor_toml, load_folder, parse_anchors
from kojin_card.simulator import certificates
from kojin_card.verification import Verifier
from support import need_vectors

BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def fresh() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def authority(
    private: rsa.RSAPrivateKey, *, organization: str = "JPKI-TEST", unit: str = "JPKI for digital signature"
) -> certificates.Template:
    subject = certificates.name(("C", "JP"), ("O", organization), ("OU", unit), ("OU", "Invented"))
    ca = certificates.IssuingCa(subject, subject, 0x77, private)
    return certificates.authority(ca, (BEGIN, END), "sha256")


def fingerprint(der: bytes) -> str:
    return Certificate.parse(der).sha256


@pytest.mark.vectors
@pytest.mark.parametrize("name", [f"{kind}ca0{number}" for kind in ("auth", "sign") for number in (1, 2, 3)])
def test_the_six_real_ca_certificates_match_the_anchors(name: str) -> None:
    der = (need_vectors() / "jpki-ca" / f"{name}.cer").read_bytes()
    certificate = Certificate.parse(der)
    anchor = next(a for a in TrustStore.load(Store.PRODUCTION).anchors if a.name == name)
    assert anchor.sha256.hex() == certificate.sha256
    assert (anchor.subject, anchor.serial, anchor.spki) == (certificate.subject, certificate.serial, certificate.spki)
    assert (anchor.not_before, anchor.not_after) == (certificate.not_before, certificate.not_after)
    assert anchor.key_id == certificate.subject_key_id == certificate.key.key_id()
    assert anchor.purpose is (Purpose.SIGNATURE if name.startswith("sign") else Purpose.AUTHENTICATION)
    assert certificate.is_ca
    assert certificate.key_usage == ("key_cert_sign", "crl_sign")


@pytest.mark.vectors
def test_the_package_carries_the_published_anchors() -> None:
    published = tomllib.loads((need_vectors() / "jpki-trust-anchors.toml").read_text("utf-8"))["anchor"]
    ours = {anchor.name: anchor for anchor in TrustStore.load(Store.PRODUCTION).anchors}
    assert set(ours) == {row["name"] for row in published}
    for row in published:
        anchor = ours[row["name"]]
        assert (anchor.sha256.hex(), anchor.key_id.hex()) == (row["sha256"], row["subject_key_identifier"])
        assert (anchor.generation, names.text(anchor.subject)) == (row["generation"], row["subject"])


def test_the_stores_share_no_key_and_jlis_test_is_empty() -> None:
    stores = [TrustStore.load(store) for store in Store]
    keys = [anchor.spki for store in stores for anchor in store.anchors]
    assert len(keys) == len(set(keys)) == 6 + len(pki().cas)
    assert TrustStore.load("jlis-test").anchors == ()


def test_the_declared_cas_are_the_anchors_of_the_simulator() -> None:
    anchors = {anchor.name: anchor.sha256.hex() for anchor in TrustStore.load(Store.SIMULATOR).anchors}
    assert anchors == {ca.label: fingerprint(ca.certificate) for ca in pki().cas}


def test_no_store_of_that_name() -> None:
    with pytest.raises(TrustError):
        TrustStore.load("everything")


def test_an_anchor_of_another_store_does_not_get_in() -> None:
    foreign = TrustStore.load(Store.SIMULATOR).anchors
    with pytest.raises(TrustError):
        TrustStore.load(Store.PRODUCTION, extra_anchors=foreign)
    renamed = [dataclasses.replace(anchor, store=Store.PRODUCTION) for anchor in foreign]
    with pytest.raises(TrustError, match="another trust store knows this key"):
        TrustStore.load(Store.PRODUCTION, extra_anchors=renamed)


# --- adding -----------------------------------------------------------------------------------------------------------


def test_added_then_used(tmp_path: Path, fresh: rsa.RSAPrivateKey) -> None:
    der = authority(fresh).sign(fresh)
    folder = tmp_path / "anchors"
    typed = ":".join(fingerprint(der)[i : i + 2] for i in range(0, 64, 2)).upper()
    added = add_anchor(der, store=Store.JLIS_TEST, fingerprint=typed, folder=folder)
    assert (added.purpose, added.generation, added.serial) == (Purpose.SIGNATURE, 1, 0x77)
    assert load_folder(folder) == (added,)
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert TrustStore.load(Store.PRODUCTION, folder=folder).anchors == TrustStore.load(Store.PRODUCTION).anchors
    ca = certificates.IssuingCa(x509.load_der_x509_certificate(der).subject, None, 0x77, fresh)  # type: ignore[arg-type]
    policy = x509.PolicyInformation(x509.ObjectIdentifier("1.2.392.200149.8.5.1.0.20"), None)
    leaf = changed(signed_by=fresh, issuer=ca.subject, instead=ca.authority_key_identifier())
    verifier = Verifier.for_store(Store.JLIS_TEST, Good(), folder=folder, now=lambda: LATER)
    assert verifier.certificate_status(leaf).reasons == ("policy.wrong",)
    assert policy.policy_identifier.dotted_string.endswith(".0.20")
    with pytest.raises(TrustError, match="already knows"):
        add_anchor(der, store=Store.JLIS_TEST, fingerprint=typed, folder=folder)
    with pytest.raises(TrustError, match="belongs to another"):
        add_anchor(der, store=Store.PRODUCTION, fingerprint=typed, folder=folder)


def test_an_authentication_certificate_of_jlis_test_is_refused_for_want_of_a_profile(
    tmp_path: Path, fresh: rsa.RSAPrivateKey
) -> None:
    der = authority(fresh, unit="JPKI for user authentication").sign(fresh)
    add_anchor(der, store=Store.JLIS_TEST, fingerprint=fingerprint(der), folder=tmp_path)
    ca = certificates.IssuingCa(x509.load_der_x509_certificate(der).subject, None, 0x77, fresh)  # type: ignore[arg-type]
    leaf = changed(Purpose.AUTHENTICATION, signed_by=fresh, issuer=ca.subject, instead=ca.authority_key_identifier())
    verifier = Verifier.for_store(Store.JLIS_TEST, Good(), folder=tmp_path, now=lambda: LATER)
    assert verifier.certificate_status(leaf).reasons == ("policy.undefined",)


def test_the_purpose_is_named_when_the_name_does_not_say(tmp_path: Path, fresh: rsa.RSAPrivateKey) -> None:
    der = authority(fresh, organization="Next", unit="Next Root").sign(fresh)
    with pytest.raises(TrustError, match="name the purpose"):
        add_anchor(der, store=Store.PRODUCTION, fingerprint=fingerprint(der), folder=tmp_path)
    added = add_anchor(
        der, store=Store.PRODUCTION, purpose=Purpose.AUTHENTICATION, fingerprint=fingerprint(der), folder=tmp_path
    )
    assert added in TrustStore.load(Store.PRODUCTION, folder=tmp_path).anchors


def _without(template: certificates.Template, kind: type) -> certificates.Template:
    kept = tuple(pair for pair in template.extensions if not isinstance(pair[0], kind))
    return dataclasses.replace(template, extensions=kept)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda k: _without(authority(k), x509.BasicConstraints).sign(k), "not the certificate of a CA",
            id="A-08 no basicConstraints"),
        pytest.param(lambda k: _without(authority(k), x509.KeyUsage).sign(k), "not for signing", id="A-08 no keyCertSign"),
        pytest.param(lambda k: authority(k).sign(key("terminal")), "own signature", id="not self-signed"),
        pytest.param(lambda k: dataclasses.replace(
            authority(k), issuer=certificates.name(("C", "JP"), ("O", "Other"))).sign(k), "not self-signed",
            id="another issuer"),
        pytest.param(lambda k: _without(authority(k), x509.SubjectKeyIdentifier).sign(k), "key identifier",
            id="no key identifier"),
        pytest.param(lambda k: authority(k, organization="JPKI-SIMULATOR").sign(k), "another trust store",
            id="a name of the simulator"),
        pytest.param(lambda k: b"rubbish", "not a certificate", id="rubbish"),
        pytest.param(lambda k: changed(), "not the certificate of a CA", id="a person's certificate"),
    ],
)  # fmt: skip
def test_what_is_not_added(
    make: Callable[[rsa.RSAPrivateKey], bytes], words: str, tmp_path: Path, fresh: rsa.RSAPrivateKey
) -> None:
    der = make(fresh)
    typed = "0" * 64 if der == b"rubbish" else fingerprint(der)
    with pytest.raises(TrustError, match=words):
        add_anchor(der, store=Store.JLIS_TEST, fingerprint=typed, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_ca_of_the_simulator_is_not_added_to_production(tmp_path: Path) -> None:
    ca = pki().ca_of(Purpose.SIGNATURE, 2)
    for store in (Store.PRODUCTION, Store.JLIS_TEST):
        with pytest.raises(TrustError):
            add_anchor(ca.certificate, store=store, fingerprint=fingerprint(ca.certificate), folder=tmp_path)
    assert isinstance(ca.key, rsa.RSAPrivateKey)
    reissued = authority(ca.key, organization="JPKI").sign(ca.key)  # the key is what counts, not the name
    with pytest.raises(TrustError, match="simulator already knows this key"):
        add_anchor(reissued, store=Store.PRODUCTION, fingerprint=fingerprint(reissued), folder=tmp_path)


@pytest.mark.parametrize("typed", ["", "00" * 31, "zz" * 32, "00" * 32, "00" * 33])
def test_the_fingerprint_must_be_exact(typed: str, tmp_path: Path, fresh: rsa.RSAPrivateKey) -> None:
    der = authority(fresh).sign(fresh)
    with pytest.raises(TrustError, match="fingerprint"):
        add_anchor(der, store=Store.JLIS_TEST, fingerprint=typed, folder=tmp_path)


def test_another_purpose_than_the_name_says(tmp_path: Path, fresh: rsa.RSAPrivateKey) -> None:
    der = authority(fresh).sign(fresh)
    with pytest.raises(TrustError, match="another purpose"):
        add_anchor(
            der, store=Store.JLIS_TEST, purpose=Purpose.AUTHENTICATION, fingerprint=fingerprint(der), folder=tmp_path
        )


# --- strict files -----------------------------------------------------------------------------------------------------


def good() -> str:
    return anchor_toml(TrustStore.load(Store.SIMULATOR).anchors[0])


def test_what_is_written_reads_back() -> None:
    anchor = TrustStore.load(Store.SIMULATOR).anchors[0]
    assert parse_anchors(anchor_toml(anchor), "x") == (anchor,)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('purpose = "signature"', 'purpose = "both"'),
        ('hierarchy = "simulator"', 'hierarchy = "any"'),
        ("generation = 1", 'generation = "1"'),
        ("generation = 1", "generation = 1\nextra = 2"),
        ('serial = "1"', 'serial = "0x1"'),
        ("not_before = 2021", "not_before = 2041"),
        ("not_before = 2021-04-01T00:12:05Z", "not_before = 2021-04-01T00:12:05"),
        ("O=JPKI-SIMULATOR", "O=JPKI"),
        ('subject_key_identifier = "4', 'subject_key_identifier = "5'),
        ('sha256 = "', 'sha256 = "00'),
        ('spki = "MIIB', 'spki = "MIIC'),
        ("[[anchor]]", "[anchor]"),
    ],
)
def test_a_changed_file_is_refused(old: str, new: str) -> None:
    assert old in good()
    with pytest.raises(SpecError):
        parse_anchors(good().replace(old, new, 1), "x")


def test_the_same_key_twice_and_the_wrong_store_are_refused() -> None:
    with pytest.raises(SpecError, match="twice"):
        parse_anchors(good() + good().replace("sim-signca01", "other"), "x")
    with pytest.raises(SpecError, match="another store"):
        parse_anchors(good(), "x", Store.PRODUCTION)


def test_a_damaged_folder_is_an_error_and_not_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError):
        TrustStore.load(Store.PRODUCTION, folder=tmp_path)
    assert Cms().build()


# --- folders that somebody wrote into ---------------------------------------------------------------------------------


def added(private: rsa.RSAPrivateKey, name: str = "added-1", store: Store = Store.PRODUCTION) -> TrustAnchor:
    """An anchor of that key, as a file would have it."""
    real = next(a for a in TrustStore.load(Store.PRODUCTION).anchors if a.name == "signca03")
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key_id = read_public_key(spki).key_id()
    return dataclasses.replace(real, name=name, store=store, spki=spki, key_id=key_id, sha256=bytes(32))


@pytest.mark.parametrize("name", ["signca03", "sim-signca01", "added", "xadded-1"])
def test_no_file_can_pass_for_an_anchor_of_the_package(tmp_path: Path, fresh: rsa.RSAPrivateKey, name: str) -> None:
    (tmp_path / "a.toml").write_text(anchor_toml(added(fresh, name)))
    with pytest.raises(SpecError, match="added-"):
        TrustStore.load(Store.PRODUCTION, folder=tmp_path)
    (tmp_path / "a.toml").write_text(anchor_toml(added(fresh)))
    assert TrustStore.load(Store.PRODUCTION, folder=tmp_path).anchors[-1].name == "added-1"


@pytest.mark.parametrize("second", [Store.JLIS_TEST, Store.PRODUCTION])
def test_one_key_stands_in_one_file(tmp_path: Path, fresh: rsa.RSAPrivateKey, second: Store) -> None:
    (tmp_path / "a.toml").write_text(anchor_toml(added(fresh)))
    (tmp_path / "b.toml").write_text(anchor_toml(added(fresh, "added-2", second)))
    for store in Store:
        with pytest.raises(SpecError, match="two files"):
            TrustStore.load(store, folder=tmp_path)


def test_one_name_stands_in_one_file(tmp_path: Path, fresh: rsa.RSAPrivateKey) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (tmp_path / "a.toml").write_text(anchor_toml(added(fresh)))
    (tmp_path / "b.toml").write_text(anchor_toml(added(other)))
    with pytest.raises(SpecError, match="two files"):
        TrustStore.load(Store.PRODUCTION, folder=tmp_path)


def test_an_extra_anchor_of_a_key_that_the_folder_has_for_another_store(
    tmp_path: Path, fresh: rsa.RSAPrivateKey
) -> None:
    (tmp_path / "a.toml").write_text(anchor_toml(added(fresh)))
    with pytest.raises(TrustError, match="another trust store knows this key"):
        TrustStore.load(Store.JLIS_TEST, folder=tmp_path, extra_anchors=[added(fresh, "added-2", Store.JLIS_TEST)])


def test_the_constructor_checks_too() -> None:
    foreign = tuple(dataclasses.replace(a, store=Store.PRODUCTION) for a in TrustStore.load("simulator").anchors)
    with pytest.raises(TrustError, match="another trust store knows this key"):
        TrustStore(Store.PRODUCTION, foreign)


def test_an_anchor_that_the_package_has_brought_since_is_the_packages(tmp_path: Path) -> None:
    real = next(a for a in TrustStore.load(Store.PRODUCTION).anchors if a.name == "signca03")
    twin = dataclasses.replace(real, name="added-1", sha256=bytes(32))
    (tmp_path / "a.toml").write_text(anchor_toml(twin))
    found = TrustStore.load(Store.PRODUCTION, folder=tmp_path).anchors
    assert found == TrustStore.load(Store.PRODUCTION).anchors
