"""Good documents of every maker pass, and others judge as we do: ``openssl cms -verify`` and ``pdfsig``.

Nothing that passes here is refused by them. What they accept and we do not is typed below, with the reason; the guide
(docs/verifying.md) says it in words.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from attacks import forge, test_pdf
from attacks.forge import Cms, Good, Pdf, as_ber, changed, key, pki, verifier
from kojin_card.pki.profile import Purpose, Store
from kojin_card.signing import PdfForm, sign_cms, sign_pdf
from kojin_card.testing.documents import blank_pdf
from kojin_card.testing.verdicts import VerdictDocument, verdict_documents
from kojin_card.verdict import Indication, Verdict
from kojin_card.verification import Verifier
from signers import make_signer, run

CONTENT = b"a contract,\r\n\x00with bytes that a mail program would change\n"

#: openssl writes the time of its own clock into what it signs, so that clock is everybody's here
TODAY = datetime.now(UTC).replace(microsecond=0)


def judge(message: bytes, content: bytes | None = None, *, at: datetime = TODAY) -> Verdict:
    """Ours, a minute later."""
    clock = at + timedelta(minutes=1)
    return Verifier.for_store(Store.SIMULATOR, Good(), now=lambda: clock).verify_cms(message, content)


def pem(*certificates: bytes) -> bytes:
    """Certificates in one file."""
    return b"".join(x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in certificates)


def openssl_judges(
    folder: Path, message: bytes, content: bytes | None = None, *, at: datetime = TODAY, form: str = "DER"
) -> subprocess.CompletedProcess[str]:
    """``openssl cms -verify``, with every CA of the test PKI."""
    (folder / "ca").write_bytes(pem(*(ca.certificate for ca in pki().cas)))
    (folder / "cms").write_bytes(message)
    beside = [] if content is None else ["-content", "content"]
    if content is not None:
        (folder / "content").write_bytes(content)
    return run(
        "openssl", "cms", "-verify", "-binary", "-inform", form, "-in", "cms", *beside, "-CAfile", "ca",
        "-purpose", "any", "-attime", str(int(at.timestamp()) + 60), "-out", "out", cwd=folder,
    )  # fmt: skip


# --- messages that openssl signs --------------------------------------------------------------------------------------


@cache
def todays(serial: int = forge.SERIAL) -> bytes:
    """The holder's certificate, issued yesterday."""
    return changed(issued_at=TODAY - timedelta(days=1), serial=serial)


@dataclass(frozen=True)
class Made:
    """How openssl is asked to sign."""

    what: str
    options: tuple[str, ...] = ()
    detached: bool = False
    command: tuple[str, ...] = ("cms",)
    form: str = "DER"

    def __str__(self) -> str:
        return self.what

    def by_openssl(self, folder: Path) -> bytes:
        """The message."""
        private = key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        files = {"content": CONTENT, "key": private, "signer": pem(todays()), "other": pem(todays(0x01500077))}
        files["issuer"] = pem(pki().ca_of(Purpose.SIGNATURE, 2).certificate)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        attached = () if self.detached else ("-nodetach",)
        made = run(
            "openssl", *self.command, "-sign", "-binary", "-in", "content", "-signer", "signer", "-inkey", "key", "-md",
            "sha256", "-outform", self.form, "-out", "signed", *attached, *self.options, cwd=folder,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        return (folder / "signed").read_bytes()


SIGNED_BY_OPENSSL = [
    Made("as it comes"),
    Made("detached", detached=True),
    Made("by key id", ("-keyid",)),
    Made("without signed attributes", ("-noattr",)),
    Made("detached, without signed attributes", ("-noattr",), detached=True),
    Made("without S/MIME capabilities", ("-nosmimecap",)),
    Made("CAdES: signing-certificate-v2", ("-cades",)),
    Made("CAdES by key id, detached", ("-cades", "-keyid"), detached=True),
    Made("with the issuer's certificate", ("-certfile", "issuer")),
    Made("two signers", ("-signer", "other", "-inkey", "key")),
    Made("streamed: BER of indefinite lengths", ("-stream",)),
    Made("PEM", form="PEM"),
    Made("PKCS#7 of openssl smime", command=("smime",)),
    Made("PKCS#7 of openssl smime, detached", detached=True, command=("smime",)),
]


@pytest.mark.foreign("openssl")
@pytest.mark.parametrize("made", SIGNED_BY_OPENSSL, ids=str)
def test_what_openssl_signs_passes(made: Made, tmp_path: Path) -> None:
    message = made.by_openssl(tmp_path)
    content = CONTENT if made.detached else None
    judge(message, content).require()
    assert openssl_judges(tmp_path, message, content, form=made.form).returncode == 0
    if made.detached:
        assert judge(message, CONTENT + b" ").indication is Indication.TOTAL_FAILED


@pytest.mark.foreign("openssl")
@pytest.mark.parametrize("made", [one for one in SIGNED_BY_OPENSSL if "-stream" in one.options], ids=str)
def test_streams_are_not_der(made: Made, tmp_path: Path) -> None:
    """Otherwise the two rows above would show nothing."""
    assert made.by_openssl(tmp_path)[:2] == b"\x30\x80"


# --- messages of ours, of pyhanko, by hand; and each of them in BER ---------------------------------------------------


def by_pyhanko(*, detached: bool) -> bytes:
    """A CMS message that pyhanko made."""
    signed = asyncio.run(test_pdf.foreign().async_sign_general_data(CONTENT, "sha256", detached=detached))
    return bytes(signed.dump())


GOOD: dict[str, tuple[Callable[[], bytes], bool]] = {
    "ours": (lambda: sign_cms(make_signer(at=forge.ISSUED), CONTENT, signing_time=forge.NOW), False),
    "ours, detached": (lambda: sign_cms(make_signer(at=forge.ISSUED), CONTENT, detached=True), True),
    "ours, with the issuer": (lambda: sign_cms(make_signer(at=forge.ISSUED), CONTENT, include_issuer=True), False),
    "by hand": (lambda: Cms(content=CONTENT).build(), False),
    "by hand, key id": (lambda: Cms(content=CONTENT, by_key_id=True).build(), False),
    "by hand, without attributes": (lambda: Cms(content=CONTENT, attributes=None).build(), False),
    "by hand, two signers": (lambda: Cms(content=CONTENT, version=3).build(
        Cms(content=CONTENT, by_key_id=True).signer()), False),
    "pyhanko": (lambda: by_pyhanko(detached=False), False),
    "pyhanko, detached": (lambda: by_pyhanko(detached=True), True),
}  # fmt: skip


@pytest.mark.foreign("openssl")
@pytest.mark.parametrize("ber", [False, True], ids=["as made", "in BER"])
@pytest.mark.parametrize("name", GOOD)
def test_good_messages_pass_in_der_and_in_ber(name: str, ber: bool, tmp_path: Path) -> None:
    make, detached = GOOD[name]
    made = make()
    message, content = as_ber(made) if ber else made, CONTENT if detached else None
    assert (message != made) == ber
    judge(message, content, at=max(forge.NOW, TODAY) if "pyhanko" in name else forge.NOW).require()
    assert openssl_judges(tmp_path, message, content, at=forge.NOW).returncode == 0


# --- who says otherwise -----------------------------------------------------------------------------------------------

NOT_OPENSSLS = "a rule of JPKI's profiles, which openssl does not know"
NO_LISTS = "openssl is given no revocation list here, and asks for none"
NO_TIMES = "openssl judges for whatever time it is told"

#: messages that openssl accepts and we do not, by id or by the beginning of several
ONLY_OPENSSL = {
    "format.ambiguous": "content that may be attributes: openssl does not ask for which it was signed (A-23)",
    "certificate.ambiguous": "two certificates of one serial number: openssl takes the first (A-09)",
    "certificate.mismatch": "openssl looks at signing-certificate-v2 only with -cades",
    "chain.no_issuer.production": "openssl is given the CAs of the test PKI, the verifier those of production",
    "chain.empty_store": "openssl is given CAs, the verifier none",
    "profile.purpose": NOT_OPENSSLS,
    "policy.wrong": NOT_OPENSSLS,
    "revocation.": NO_LISTS,
    "time.": NO_TIMES,
}

#: PDFs of which pdfsig calls every signature valid, and we do not
ONLY_PDFSIG = {
    "coverage.appended": "pdfsig says 'Not total document signed' and leaves it to the reader",
    "coverage.hidden": "a dictionary that no field holds is not shown by pdfsig",
    "coverage.modified": "pdfsig does not compare revisions",
    "coverage.later_appearance": "pdfsig does not look at what a later signature paints",
    "revocation.": "pdfsig is given no CA and no list here",
}


def of_kind(kind: str) -> Sequence[VerdictDocument]:
    return [one for one in verdict_documents() if one.kind == kind]


@pytest.mark.foreign("openssl")
@pytest.mark.parametrize("document", of_kind("cms"), ids=str)
def test_openssl_agrees_or_we_say_why_not(document: VerdictDocument, tmp_path: Path) -> None:
    at = document.at or document.received_at or document.now
    theirs = openssl_judges(tmp_path, document.data, document.content, at=at).returncode == 0
    ours = document.judge().indication is Indication.TOTAL_PASSED
    assert theirs or not ours, "openssl refuses what passes here"
    assert (theirs and not ours) == document.id.startswith(tuple(ONLY_OPENSSL))


def pdfsig(folder: Path, data: bytes) -> list[str]:
    """What pdfsig says of each signature."""
    (folder / "a.pdf").write_bytes(data)
    said = run("pdfsig", "a.pdf", cwd=folder, home=folder)
    fields = re.split(r"^Signature #\d+:$", said.stdout, flags=re.M)[1:]
    return [one for one in fields if "The signature form field is not signed." not in one]


def all_valid(said: list[str]) -> bool:
    return bool(said) and all("Signature is Valid." in one for one in said)


@pytest.mark.foreign("pdfsig")
@pytest.mark.parametrize("document", of_kind("pdf"), ids=str)
def test_pdfsig_agrees_or_we_say_why_not(document: VerdictDocument, tmp_path: Path) -> None:
    theirs = all_valid(pdfsig(tmp_path, document.data))
    ours = document.judge().indication is Indication.TOTAL_PASSED
    assert theirs or not ours, "pdfsig refuses what passes here"
    assert (theirs and not ours) == document.id.startswith(tuple(ONLY_PDFSIG))


def ours(data: bytes, form: PdfForm = PdfForm.PADES) -> bytes:
    return sign_pdf(make_signer(at=forge.ISSUED), data, now=forge.NOW, form=form, name="Hanako Shiken")


#: PDFs that pass, and how many signatures each has
GOOD_PDFS: dict[str, tuple[Callable[[], bytes], int]] = {
    "ours, PAdES": (lambda: ours(blank_pdf(["a page"])), 1),
    "ours, for the registry": (lambda: ours(blank_pdf(["a page"]), PdfForm.REGISTRY), 1),
    "ours, twice": (lambda: ours(ours(blank_pdf(["a page"])), PdfForm.REGISTRY), 2),
    "by hand": (lambda: Pdf().build(), 1),
    "by hand, PAdES": (lambda: Pdf(sub_filter="ETSI.CAdES.detached").build(), 1),
    "pyhanko": (test_pdf.once, 1),
    "pyhanko, certifying": (lambda: test_pdf.once(certify=True), 1),
    "pyhanko, cross-reference stream": (lambda: test_pdf.signed(test_pdf.with_xref_streams(), "First"), 1),
    "pyhanko, twice": (test_pdf.twice, 2),
    "pyhanko, then ours": (lambda: ours(test_pdf.once()), 2),
}


@pytest.mark.foreign("pdfsig")
@pytest.mark.parametrize("name", GOOD_PDFS)
def test_good_pdfs_pass_and_pdfsig_agrees(name: str, tmp_path: Path) -> None:
    make, count = GOOD_PDFS[name]
    data = make()
    verdict = verifier().verify_pdf(data).require()
    assert len(verdict.parts or (verdict,)) == count
    said = pdfsig(tmp_path, data)
    assert len(said) == count
    assert all_valid(said)
    assert "- Total document signed" in said[-1]


def test_every_difference_is_explained_in_the_guide() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "verifying.md").read_text("utf-8")
    for name in (*ONLY_OPENSSL, *ONLY_PDFSIG):
        assert f"`{name}{'*' if name.endswith('.') else ''}`" in guide, name
