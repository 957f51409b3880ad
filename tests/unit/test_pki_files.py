"""Small PKI files: PEM is read in linear time, and nothing but a regular file is read at all."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from attacks.forge import Cms, certificate, verifier
from kojin_card.errors import InputError
from kojin_card.pki.files import read_bounded, to_der
from kojin_card.pki.trust import load_folder
from kojin_card.verdict import CheckId
from kojin_card.verification import CrlFile, CrlFolder, Verifier

DER = certificate()
BODY = base64.encodebytes(DER)
PEM = b"-----BEGIN CERTIFICATE-----\n" + BODY + b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PEM, id="as everybody writes it"),
        pytest.param(PEM.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(b"\n \t" + PEM + b"\n\n", id="blanks around it"),
        pytest.param(PEM.replace(BODY, base64.b64encode(DER) + b"\n"), id="one line"),
        pytest.param(PEM.replace(b"-----END", b"\n\n-----END"), id="blank lines inside"),
    ],
)
def test_one_block_is_taken(text: bytes) -> None:
    assert to_der(text, "CERTIFICATE") == DER


def test_what_does_not_begin_like_pem_is_der() -> None:
    for data in (DER, b"", b"-----", b" \n" + DER):
        assert to_der(data, "CERTIFICATE") == data


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PEM.replace(b"CERTIFICATE", b"CMS"), id="another label"),
        pytest.param(PEM.replace(b"END CERTIFICATE", b"END CMS"), id="two labels"),
        pytest.param(PEM + PEM, id="two blocks"),
        pytest.param(PEM + b"x", id="text after it"),
        pytest.param(PEM.replace(BODY, b"Proc-Type: 4,ENCRYPTED\n\n" + BODY), id="headers"),
        pytest.param(PEM.replace(BODY, BODY[:40] + b"!" + BODY[40:]), id="a letter that base64 has not"),
        pytest.param(PEM.replace(BODY, BODY.replace(b"=", b"", 1) if b"=" in BODY else BODY + b"A\n"), id="padding"),
        pytest.param(PEM.replace(BODY, b"AA==" + BODY), id="padding inside"),
        pytest.param(b"-----BEGIN CERTIFICATE-----", id="cut short"),
        pytest.param(b"-----BEGIN CERTIFICATE-----END CERTIFICATE-----", id="overlapping lines"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", id="empty"),
        pytest.param(PEM.replace(b"-----\n", b"-----", 1), id="no end of line"),
    ],
)
def test_anything_else_that_begins_like_pem_is_refused(text: bytes) -> None:
    with pytest.raises(InputError) as caught:
        to_der(text, "CERTIFICATE")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_more_than_was_allowed_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(InputError, match="too large"):
        to_der(PEM, "CERTIFICATE", limit=len(DER) // 3)
    assert to_der(PEM, "CERTIFICATE", limit=len(DER)) == DER


@pytest.mark.timeout(60)  # a pattern that backtracks needs hours
@pytest.mark.parametrize("filler", [b"\n", b" ", b"A", b"A\n", b"=", b"-", b"-----BEGIN "])
def test_long_rubbish_is_refused_at_once(filler: bytes) -> None:
    """A pattern with two neighbours that both take blanks needed minutes for the first of these."""
    judge = Verifier.for_store("simulator", None)
    for label in (b"CMS", b"PKCS7"):
        verdict = judge.verify_cms(b"-----BEGIN " + label + b"-----" + filler * (4_000_000 // len(filler)) + b"!")
        assert verdict.reasons == ("format.malformed",)
    verdict = judge.certificate_status(b"-----BEGIN CERTIFICATE-----" + filler * (4_000_000 // len(filler)) + b"!")
    assert verdict.reasons == ("certificate.malformed",)


# --- what is no regular file ------------------------------------------------------------------------------------------


def test_a_pipe_or_a_device_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "a.toml"
    os.mkfifo(pipe)
    os.mkfifo(tmp_path / "a.crl")
    for path in (pipe, Path("/dev/zero"), Path("/dev/tty"), tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError):
            read_bounded(path, 1000)
    with pytest.raises(InputError):
        load_folder(tmp_path)
    for source in (CrlFolder(tmp_path), CrlFile(tmp_path / "a.crl"), CrlFile(Path("/dev/zero"))):
        verdict = verifier(source).verify_cms(Cms().build())
        assert verdict.check(CheckId.REVOCATION).reason in ("revocation.unusable", "revocation.no_list")


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert read_bounded(tmp_path / "link", 5) == b"12345"
    with pytest.raises(InputError, match="larger"):
        read_bounded(tmp_path / "file", 4)
