"""CMS and time-stamps by others are accepted: ``openssl cms``, ``openssl ts``, pyhanko, and BER of any kind."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from attacks import tsa
from attacks.forge import ISSUED, NOW, Cms, attributes, certificate, elements, inside, key, tlv, verifier
from kojin_card.pki import der
from kojin_card.pki.tsa import TsaStore
from kojin_card.signing import sign_cms
from kojin_card.testing.documents import blank_pdf
from kojin_card.verdict import Indication, TimeBasis, Verdict
from kojin_card.verification import Verifier
from signers import make_signer, run

CONTENT = b"a contract,\r\n\x00with bytes that a mail program would change\n" * 200
CERTIFICATE = x509.load_der_x509_certificate(certificate())
PKCS8 = key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def pem(private: Any) -> bytes:
    data: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return data


# --- openssl cms ------------------------------------------------------------------------------------------------------

FLAGS = [
    (),
    ("-keyid",),
    ("-nosmimecap",),
    ("-noattr",),
    ("-cades",),
    ("-cades", "-keyid"),
    ("-stream",),
    ("-stream", "-cades", "-keyid"),
]


@pytest.mark.foreign("openssl")
@pytest.mark.parametrize("form", ["DER", "PEM"])
@pytest.mark.parametrize("detached", [False, True], ids=["attached", "detached"])
@pytest.mark.parametrize("flags", FLAGS, ids=lambda flags: " ".join(flags) or "plain")
def test_openssl_cms(tmp_path: Path, flags: tuple[str, ...], detached: bool, form: str) -> None:
    if detached and "-stream" in flags:
        detached = False  # openssl puts the content in all the same when it streams
    (tmp_path / "content").write_bytes(CONTENT)
    (tmp_path / "certificate").write_bytes(CERTIFICATE.public_bytes(Encoding.PEM))
    (tmp_path / "key").write_bytes(pem(key()))
    made = run(
        "openssl", "cms", "-sign", "-binary", "-in", "content", "-signer", "certificate", "-inkey", "key",
        "-out", "out", "-outform", form, *(() if detached else ("-nodetach",)), *flags, cwd=tmp_path,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    data = (tmp_path / "out").read_bytes()
    judging = verifier(now=max(datetime.now(UTC), NOW))
    judging.verify_cms(data, CONTENT if detached else None).require()
    other = (
        judging.verify_cms(data, CONTENT + b" ")
        if detached
        else judging.verify_cms(data.replace(b"contract", b"Contract"))
    )
    assert detached is False or other.indication is Indication.TOTAL_FAILED


# --- pyhanko ----------------------------------------------------------------------------------------------------------


def parts() -> tuple[Any, Any]:
    """pyhanko's signer with the holder's key, and its dummy time-stamper with the authority's."""
    from pyhanko.sign import signers, timestamps
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    registry: Any = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # it has no annotations
    signer = signers.SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(certificate()),
        signing_key=keys.PrivateKeyInfo.load(PKCS8),
        cert_registry=registry,
    )
    own = tsa.private("tsa").private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    stamper = timestamps.DummyTimeStamper(
        asn1_x509.Certificate.load(tsa.authority()), keys.PrivateKeyInfo.load(own), fixed_dt=tsa.STAMPED
    )
    return signer, stamper


def trusting() -> Verifier:
    """A verifier that trusts the authority's CA, with its list."""
    base = verifier()
    return Verifier(base.trust, base.revocation, base.now, tsa=TsaStore.of([tsa.root()], [tsa.tsa_list()]))


def by_pyhanko(*, detached: bool, stamped: bool = False, **options: Any) -> bytes:
    """A CMS by pyhanko's signer, with its own dummy time-stamper if need be."""
    from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes

    signer, stamper = parts()
    if stamped:  # a signature is no younger than its time-stamp
        options["signed_attr_settings"] = PdfCMSSignedAttributes(signing_time=tsa.STAMPED)
    made = asyncio.run(
        signer.async_sign_general_data(
            io.BytesIO(CONTENT) if detached else CONTENT,
            "sha256",
            detached=detached,
            timestamper=stamper if stamped else None,
            **options,
        )
    )
    data: bytes = made.dump()
    return data


@pytest.mark.parametrize("detached", [False, True], ids=["attached", "detached"])
@pytest.mark.parametrize("cades", [False, True], ids=["plain", "cades"])
def test_pyhanko_cms(detached: bool, cades: bool) -> None:
    data = by_pyhanko(detached=detached, use_cades=cades)
    verifier(now=max(datetime.now(UTC), NOW)).verify_cms(data, CONTENT if detached else None).require()


@pytest.mark.parametrize("lists", [(), (tsa.tsa_list(),)], ids=["given itself", "below its CA"])
def test_pyhanko_time_stamp(lists: tuple[bytes, ...]) -> None:
    data = by_pyhanko(detached=False, stamped=True, use_cades=True)
    anchors = [tsa.root()] if lists else [tsa.authority()]
    judging = verifier()
    trusting = Verifier(judging.trust, judging.revocation, judging.now, tsa=TsaStore.of(anchors, lists))
    verdict = trusting.verify_cms(data)
    assert [one.reasons for one in verdict.timestamps] == [()]
    assert verdict.require().time_basis is TimeBasis.TIMESTAMP
    assert verdict.time == tsa.STAMPED


@pytest.mark.parametrize("form", ["PADES", "ADOBE_PKCS7_DETACHED"])
def test_pyhanko_pdf_with_a_time_stamp(form: str) -> None:
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import fields, signers

    signer, stamper = parts()
    meta = signers.PdfSignatureMetadata(
        field_name="Signed", subfilter=fields.SigSeedSubFilter[form], md_algorithm="sha256"
    )
    out = io.BytesIO()
    pdf = IncrementalPdfFileWriter(io.BytesIO(blank_pdf(["one page"])))
    asyncio.run(signers.PdfSigner(meta, signer=signer, timestamper=stamper).async_sign_pdf(pdf, output=out))
    verdict = trusting().verify_pdf(out.getvalue())
    assert [one.reasons for one in verdict.timestamps] == [()]
    if form == "PADES":  # the older form has pyhanko's clock in it, which is later than this time-stamp
        assert (verdict.require().time_basis, verdict.time) == (TimeBasis.TIMESTAMP, tsa.STAMPED)


# --- openssl ts -------------------------------------------------------------------------------------------------------

CONFIG = """\
[tsa]
serial = serial
crypto_device = builtin
signer_digest = {digest}
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500, microsecs:100
ordering = {ordering}
tsa_name = {name}
ess_cert_id_chain = {chain}
ess_cert_id_alg = {ess}
"""


@pytest.mark.foreign("openssl")
@pytest.mark.parametrize("nonce", [True, False], ids=["nonce", "no nonce"])
@pytest.mark.parametrize(("ess", "digest"), [("sha1", "sha256"), ("sha256", "sha512"), ("sha512", "sha384")])
@pytest.mark.parametrize("full", ["yes", "no"])
def test_openssl_time_stamp(tmp_path: Path, ess: str, digest: str, nonce: bool, full: str) -> None:
    begin, end = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    leaf = tsa.issue("tsa", "root", begin=begin, end=end)
    root = tsa.issue("root", "root", ca=True, begin=begin, end=end)
    signature = key().sign(CONTENT, *_pkcs1())
    for name, data in {
        "signature": signature,
        "key": pem(tsa.private("tsa")),
        "certificate": x509.load_der_x509_certificate(leaf).public_bytes(Encoding.PEM),
        "chain": x509.load_der_x509_certificate(root).public_bytes(Encoding.PEM),
        "serial": b"01\n",
        "config": CONFIG.format(digest=digest, ess=ess, ordering=full, name=full, chain=full).encode(),
    }.items():
        (tmp_path / name).write_bytes(data)
    asked = run(
        "openssl", "ts", "-query", "-data", "signature", f"-{digest}", "-cert", *(() if nonce else ("-no_nonce",)),
        "-out", "query", cwd=tmp_path,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    made = run(
        "openssl", "ts", "-reply", "-config", "config", "-section", "tsa", "-queryfile", "query",
        "-signer", "certificate", "-inkey", "key", "-chain", "chain", "-out", "token",
        *(("-token_out",) if nonce else ()), cwd=tmp_path,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    token = (tmp_path / "token").read_bytes()
    listed = tsa.tsa_list(begin=begin, end=end)

    def judge(stamped: bytes) -> Verdict:
        base = verifier(now=datetime.now(UTC) + timedelta(seconds=5))
        judging = Verifier(base.trust, base.revocation, base.now, tsa=TsaStore.of([root], [listed]))
        (verdict,) = judging.verify_raw(stamped, CONTENT, certificate(), timestamps=[token]).timestamps
        return verdict

    good = judge(signature).require()
    assert good.evidence["accuracy_seconds"] == "1.5001"
    assert good.evidence["tsa_policy"] == "1.2.3.4.1"
    assert judge(signature[:-1] + b"x").reasons == ("imprint.mismatch",)


@pytest.mark.foreign("openssl")
@pytest.mark.parametrize(
    ("what", "accepted"),
    [
        ({}, True),
        ({"bound": tsa.ess_v1(tsa.authority()), "bound_as": "signingCertificate"}, True),
        ({"stamped": b"another signature"}, False),
        ({"own": tsa.private("stranger")}, False),
        ({"bound": tsa.ess_v2(tsa.root())}, False),
        ({"bound": b""}, False),
        ({"version": 2}, False),
        ({"signers": 2}, False),
        ({"certificate": tsa.issue("tsa", "tsa")}, False),
        ({"certificate": tsa.issue("tsa", "root", eku=None)}, False),
        ({"certificate": tsa.issue("tsa", "root", critical=False)}, False),
    ],
    ids=[
        "good", "good, bound of old", "imprint", "another key", "bound to another", "not bound", "version",
        "two signers", "self-signed", "no usage", "usage not critical",
    ],
)  # fmt: skip
def test_openssl_agrees_on_tokens(tmp_path: Path, what: dict[str, Any], accepted: bool) -> None:
    """Of these ``openssl ts -verify`` says what we say. It is laxer in one thing that was found: it does not compare
    the contentType attribute with the content (RFC 5652 §11.1); we do."""
    signature = key().sign(CONTENT, *_pkcs1())
    token = tsa.Token(**{"stamped": signature, **what}).build()
    for name, data in {
        "token": token,
        "signature": signature,
        "root": x509.load_der_x509_certificate(tsa.root()).public_bytes(Encoding.PEM),
    }.items():
        (tmp_path / name).write_bytes(data)
    said = run(
        "openssl", "ts", "-verify", "-token_in", "-in", "token", "-data", "signature", "-CAfile", "root",
        "-attime", str(int(NOW.timestamp())), cwd=tmp_path,
    )  # fmt: skip
    (verdict,) = trusting().verify_raw(signature, CONTENT, certificate(), timestamps=[token]).timestamps
    assert (said.returncode == 0) is accepted, said.stderr
    assert (verdict.indication is Indication.TOTAL_PASSED) is accepted


def _pkcs1() -> tuple[Any, Any]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    return padding.PKCS1v15(), hashes.SHA256()


# --- BER --------------------------------------------------------------------------------------------------------------


def wholly_ber(data: bytes, *, chunk: int, depth: int = 0) -> bytes:
    """Every constructed element with an indefinite length and every OCTET STRING in pieces, certificates and all."""
    out = b""
    for element in elements(data):
        if element[0] & 0x20:
            out += bytes((element[0], 0x80)) + wholly_ber(inside(element), chunk=chunk, depth=depth + 1) + b"\x00\x00"
        elif element[0] == 0x04:
            value = inside(element)
            pieces = b"".join(tlv(0x04, value[at : at + chunk]) for at in range(0, len(value), chunk))
            out += b"\x24\x80" + pieces + b"\x00\x00"
        else:
            out += element
    return out


MADE: dict[str, Callable[[], tuple[bytes, bytes | None]]] = {
    "ours, attached": lambda: (sign_cms(make_signer(at=ISSUED), CONTENT), None),
    "ours, detached, with the CA": lambda: (
        sign_cms(make_signer(at=ISSUED), CONTENT, detached=True, include_issuer=True, signing_time=NOW), CONTENT
    ),
    "two signers": lambda: (
        Cms(content=CONTENT, attributes=tuple(attributes(CONTENT))).build(
            Cms(content=CONTENT, by_key_id=True, attributes=tuple(reversed(attributes(CONTENT)))).signer()
        ),
        None,
    ),
    "no attributes": lambda: (Cms(content=CONTENT, attributes=None).build(), None),
    "empty content": lambda: (Cms(content=b"").build(), None),
}  # fmt: skip


@pytest.mark.parametrize("chunk", [1, 7, 1000, 1_000_000])
@pytest.mark.parametrize("case", list(MADE))
def test_the_same_message_in_ber_gets_the_same_verdict(case: str, chunk: int) -> None:
    data, content = MADE[case]()
    again = wholly_ber(data, chunk=chunk)
    assert again != data
    assert der.normalise(again) == (data, len(again))
    judging = verifier()
    plain, other = judging.verify_cms(data, content).require(), judging.verify_cms(again, content).require()
    assert [check.state for check in plain.checks] == [check.state for check in other.checks]
