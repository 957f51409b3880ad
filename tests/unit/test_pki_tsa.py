"""Whom the caller may trust for time-stamps: which certificates and lists a store takes, from where."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import CRLEntryExtensionOID

from attacks.forge import NOW, pki
from attacks.tsa import authority, issue, private, root, tsa_list
from kojin_card.errors import InputError, TrustError
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.profile import Purpose
from kojin_card.pki.tsa import TsaStore


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: issue("x", "x", eku=None), id="neither CA nor TSA"),
        pytest.param(lambda: pki().ca_of(Purpose.SIGNATURE, 2).certificate, id="a CA of people"),
        pytest.param(lambda: issue("x", "x", ca=True, bits=("crl_sign",)), id="a CA that may not issue"),
    ],
)
def test_what_is_no_anchor_is_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(TrustError):
        TsaStore.of([make()])


@pytest.mark.parametrize(
    "plus",
    [
        (x509.DeltaCRLIndicator(1), True),
        (x509.IssuingDistributionPoint(None, None, True, False, None, False, False), True),
        (x509.IssuingDistributionPoint(None, None, False, True, None, False, False), True),
        (x509.IssuingDistributionPoint([x509.DNSName("x")], None, False, False, None, False, False), True),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
    ],
    ids=["delta", "users of CAs", "for CAs", "a part", "unknown critical"],
)
def test_lists_that_say_something_else_are_refused(plus: tuple[x509.ExtensionType, bool]) -> None:
    if isinstance(plus[0], x509.IssuingDistributionPoint) and plus[0].only_contains_user_certs:
        TsaStore.of([root()], [tsa_list(plus=(plus,))])  # a TSA is no CA: such a list is about it
        return
    with pytest.raises(InputError):
        TsaStore.of([root()], [tsa_list(plus=(plus,))])


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param((b"\x02\x01\x01", b"\x02\x01\x05"), id="of version 6"),
        pytest.param((b"\x13\x02JP", b"\x03\x02JP"), id="an issuer of no text"),
        pytest.param((b"\x0c\x04root", b"\x0c\x04\xff\xffot"), id="an issuer that is not UTF-8"),
    ],
)
def test_lists_that_a_library_half_reads_are_refused_when_they_are_given(edit: tuple[bytes, bytes]) -> None:
    """Nobody need sign such a list: it would end every later judgement."""
    data = tsa_list()
    assert edit[0] in data
    with pytest.raises(InputError):
        TsaStore.of([root()], [data.replace(*edit, 1)])


@pytest.mark.parametrize(
    "odd",
    [
        x509.UnrecognizedExtension(CRLEntryExtensionOID.CRL_REASON, b"\x0a\x01\x63"),
        x509.UnrecognizedExtension(CRLEntryExtensionOID.CRL_REASON, b"\x04\x01\x00"),
        x509.UnrecognizedExtension(CRLEntryExtensionOID.INVALIDITY_DATE, b"\x02\x01\x00"),
        x509.UnrecognizedExtension(CRLEntryExtensionOID.CERTIFICATE_ISSUER, b"\x30\x03\xa3\x01\x00"),
    ],
    ids=["no reason", "another type", "no date", "an issuer of a kind that nobody reads"],
)
def test_an_entry_that_cannot_be_read_revokes(odd: x509.ExtensionType) -> None:
    reason = x509.CRLReason(x509.ReasonFlags.superseded)
    entry = x509.RevokedCertificateBuilder().serial_number(77).revocation_date(NOW)
    if odd.oid != reason.oid:
        entry = entry.add_extension(reason, critical=False)
    made = x509.CertificateRevocationListBuilder().issuer_name(x509.load_der_x509_certificate(root()).subject)
    made = made.last_update(NOW - timedelta(hours=1)).next_update(NOW + timedelta(hours=1))
    made = made.add_revoked_certificate(entry.add_extension(odd, critical=False).build())
    data = made.sign(private("root"), hashes.SHA256()).public_bytes(Encoding.DER)
    store = TsaStore.of([root()], [data])
    path = store.path(Certificate.parse(authority()), (), (NOW,))
    assert path is not None
    check = store.revocation(path, NOW - timedelta(days=1), NOW)
    assert check is not None
    assert check.reason == "revocation.revoked"


def test_files_and_folders(tmp_path: Path) -> None:
    pem = x509.load_der_x509_certificate(root()).public_bytes(Encoding.PEM)
    other = x509.load_der_x509_certificate(issue("other", "other", ca=True)).public_bytes(Encoding.PEM)
    (tmp_path / "both.pem").write_bytes(b"# a comment\n" + pem + other)
    (tmp_path / "list.crl").write_bytes(tsa_list())
    (tmp_path / "notes.txt").write_text("not looked at")
    loaded = TsaStore.load([tmp_path])
    assert len(loaded.anchors) == 2
    path = loaded.path(Certificate.parse(authority()), (), (NOW,))
    assert path is not None
    assert [one.sha256 for one in path.certificates][-1] in {anchor.sha256 for anchor in loaded.anchors}
    assert TsaStore.load([tmp_path / "both.pem", tmp_path / "list.crl"]) == loaded
    with pytest.raises(InputError):
        TsaStore.load([tmp_path / "list.crl"])
    (tmp_path / "rubbish.der").write_bytes(b"rubbish")
    with pytest.raises(InputError):
        TsaStore.load([tmp_path])
