"""Whom the caller may trust for time-stamps: which certificates and lists a store takes, from where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attacks.forge import NOW, pki
from attacks.tsa import authority, issue, root, tsa_list
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
