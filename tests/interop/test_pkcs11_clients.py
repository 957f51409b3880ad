"""Programs that know nothing of this card use its keys through OpenSC's PKCS#11 module: GnuTLS, OpenSSH, OpenSSL, NSS.

Two cards look the same in PKCS#11 (pcsc.md P13), so the second reader is hidden from them.
"""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from interop.pcscd import NAME, NEEDED, OPENSC_MODULE, Desk, opensc_module
from interop.test_opensc import AUTH, SIGN, certificate, now
from kojin_card.testing.documents import blank_pdf
from kojin_card.verification import Verifier

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

pytestmark = pytest.mark.foreign(*NEEDED, OPENSC_MODULE)

CONTENT = b"a contract\n"
AUTH_TOKEN = "pkcs11:token=JPKI%20%28User%20Authentication%20PIN%29;id=%01"
SIGN_TOKEN = "pkcs11:token=JPKI%20%28Digital%20Signature%20PIN%29;id=%02"


@dataclass
class Client:
    """A program's view: the first reader only, a folder to work in.

    Attributes:
        state: the card, as it was made.
    """

    desk: Desk
    state: CardState
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def configure(self, *, slots: str = "all") -> None:
        """OpenSC's configuration: one reader; the password of each signature is remembered, for want of a terminal."""
        (self.folder / "opensc.conf").write_text(
            f'app default {{ ignored_readers = "{NAME} 00 01";'
            " framework pkcs15 { pin_cache_ignore_user_consent = true; } }\n"
            f'app opensc-pkcs11 {{ pkcs11 {{ create_slots_for_pins = "{slots}"; }} }}\n'
        )
        self.variables["OPENSC_CONF"] = str(self.folder / "opensc.conf")

    def run(self, *command: str | Path, pin: str = AUTH, **more: Any) -> subprocess.CompletedProcess[str]:
        env = {**self.variables, "GNUTLS_PIN": pin, "PKCS11_MODULE_PATH": opensc_module()}
        return self.desk.run(*command, cwd=self.folder, env=env, **more)

    def write(self, name: str, data: bytes) -> str:
        (self.folder / name).write_bytes(data)
        return name

    def pem(self, name: str) -> str:
        """A certificate of the card as a file."""
        return self.write(f"{name}.pem", ssl.DER_cert_to_PEM_cert(certificate(self.state, name)).encode())


@pytest.fixture
def client(desk: Desk, desk_cards: tuple[CardState, ...], tmp_path: Path) -> Client:
    made = Client(desk, desk_cards[0], tmp_path)
    made.configure()
    made.write("content", CONTENT)
    return made


def refused_by_none(verdict: Any) -> bool:
    """Nothing failed, and all that is missing are the revocation lists."""
    failed = [check for check in verdict.checks if str(check.state) == "failed"]
    return not failed and str(verdict.indication) == "INDETERMINATE"


# --- GnuTLS -----------------------------------------------------------------------------------------------------------


@pytest.mark.foreign("p11tool")
@pytest.mark.parametrize(("token", "pin"), [(AUTH_TOKEN, AUTH), (SIGN_TOKEN, SIGN)])
def test_p11tool_signs_with_both_keys(client: Client, token: str, pin: str) -> None:
    command = ("p11tool", "--provider", opensc_module(), "--login", "--test-sign", f"{token};type=private")
    said = client.run(*command, pin=pin)
    assert said.returncode == 0, said.stderr
    assert len(re.findall(r"\.\.\. ok$", said.stdout + said.stderr, re.M)) == 3


@contextmanager
def tls_server(client: Client, **settings: Any) -> Iterator[tuple[int, list[Any]]]:
    """A server that lets nobody in without a certificate of the card's CA; what it saw: version and subject."""
    made = client.run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.pem",
        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(client.folder / "server.pem", client.folder / "server.key")
    context.load_verify_locations(client.folder / client.pem("auth_ca_certificate"))
    context.verify_mode = ssl.CERT_REQUIRED
    for name, value in settings.items():
        setattr(context, name, value)
    seen: list[Any] = []

    def serve() -> None:
        try:
            plain, _ = listener.accept()
            plain.settimeout(20)
            with context.wrap_socket(plain, server_side=True) as line:
                seen.append((line.version(), line.getpeercert()))
                line.sendall(b"welcome\n")
        except OSError as bad:
            seen.append(bad)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], seen
        thread.join(30)
        assert not thread.is_alive()


def common_name(seen: Any) -> str:
    return next(str(value) for ((name, value),) in seen["subject"] if name == "commonName")


def expected_name(state: CardState) -> str:
    found = x509.load_der_x509_certificate(certificate(state, "auth_certificate"))
    return str(found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


@pytest.mark.foreign("gnutls-cli", "openssl")
def test_gnutls_logs_in_over_tls_1_2(client: Client) -> None:
    with tls_server(client, maximum_version=ssl.TLSVersion.TLSv1_2) as (port, seen):
        said = client.run(
            "gnutls-cli", "--x509cafile", "server.pem", "--provider", opensc_module(), "--port", str(port),
            "--x509keyfile", f"{AUTH_TOKEN};type=private", "--x509certfile", f"{AUTH_TOKEN};type=cert", "localhost",
        )  # fmt: skip
    ((version, who),) = seen
    assert version == "TLSv1.2", said.stderr
    assert common_name(who) == expected_name(client.state)
    assert "welcome" in said.stdout


# --- OpenSSL ----------------------------------------------------------------------------------------------------------

ENGINE = "/usr/lib/*/engines-3/pkcs11.so"


@pytest.mark.foreign("openssl", ENGINE)
def test_openssl_logs_in_over_tls_1_2_when_pss_is_left_out(client: Client) -> None:
    with tls_server(client, maximum_version=ssl.TLSVersion.TLSv1_2) as (port, seen):
        said = client.run(
            "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", "server.pem", "-sigalgs", "RSA+SHA256",
            "-engine", "pkcs11", "-keyform", "engine", "-key", f"{AUTH_TOKEN};type=private;pin-value={AUTH}",
            "-cert", client.pem("auth_certificate"),
        )  # fmt: skip
    ((version, who),) = seen
    assert version == "TLSv1.2", said.stderr
    assert common_name(who) == expected_name(client.state)


@pytest.mark.foreign("openssl", ENGINE)
def test_openssl_cms_signs_and_we_accept_it(client: Client) -> None:
    signer, ca = client.pem("sign_certificate"), client.pem("sign_ca_certificate")
    said = client.run(
        "openssl", "cms", "-sign", "-binary", "-nodetach", "-in", "content", "-outform", "DER", "-out", "cms",
        "-signer", signer, "-engine", "pkcs11", "-keyform", "engine",
        "-inkey", f"{SIGN_TOKEN};type=private;pin-value={SIGN}",
        new_session=True,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    judged = client.run("openssl", "cms", "-verify", "-inform", "DER", "-in", "cms", "-CAfile", ca, "-purpose", "any")
    assert judged.returncode == 0, judged.stderr
    assert judged.stdout.encode().replace(b"\r", b"") == CONTENT
    verdict = Verifier.for_store("simulator", now=now).verify_cms((client.folder / "cms").read_bytes())
    assert refused_by_none(verdict), verdict


# --- OpenSSH ----------------------------------------------------------------------------------------------------------


@pytest.mark.foreign("ssh-keygen")
def test_ssh_finds_the_authentication_key(client: Client) -> None:
    said = client.run("ssh-keygen", "-D", opensc_module())
    assert said.returncode == 0, said.stderr
    key = x509.load_der_x509_certificate(certificate(client.state, "auth_certificate")).public_key()
    openssh = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert openssh in said.stdout


@pytest.mark.foreign("ssh-keygen", "ssh-agent", "ssh-add")
def test_ssh_signs_a_file_and_verifies_it(client: Client) -> None:
    ask, home = client.folder / "ask", client.desk.folder
    ask.write_text(f"#!/bin/sh\necho {AUTH}\n")
    ask.chmod(0o700)
    sock = str(home / "agent.sock")
    client.variables |= {"SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "SSH_AUTH_SOCK": sock}
    agent = subprocess.Popen(
        ["ssh-agent", "-D", "-a", sock, "-P", "/usr/lib/*"],
        env={**client.desk.environment, **client.variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            added = client.run("ssh-add", "-s", opensc_module())
            if added.returncode == 0:
                break
        assert added.returncode == 0, added.stderr
        key = x509.load_der_x509_certificate(certificate(client.state, "auth_certificate")).public_key()
        openssh = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        client.write("key.pub", openssh + b"\n")
        client.write("allowed", b"hanako " + openssh + b"\n")
        signed = client.run("ssh-keygen", "-Y", "sign", "-n", "file", "-f", "key.pub", "content")
        assert signed.returncode == 0, signed.stderr
        verify = ("ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "hanako", "-n", "file", "-s", "content.sig")
        assert 'Good "file" signature for hanako' in client.run(*verify, stdin=CONTENT).stdout
        assert client.run(*verify, stdin=CONTENT + b".").returncode != 0
    finally:
        agent.terminate()
        agent.wait(20)


# --- NSS --------------------------------------------------------------------------------------------------------------


@pytest.mark.foreign("pdfsig", "certutil", "modutil", "openssl")
def test_pdfsig_signs_a_document(client: Client) -> None:
    client.configure(slots="sign")  # pdfsig gives the one password that it has to every slot
    (client.folder / "nss").mkdir()
    ca = client.pem("sign_ca_certificate")
    for command in (
        ("certutil", "-N", "-d", "sql:nss", "--empty-password"),
        ("modutil", "-force", "-add", "opensc", "-libfile", opensc_module(), "-dbdir", "sql:nss"),
        ("certutil", "-A", "-d", "sql:nss", "-n", "ca", "-t", "CT,CT,CT", "-i", ca),
    ):
        said = client.run(*command)
        assert said.returncode == 0, said.stderr
    client.write("in.pdf", blank_pdf(["a contract"]))
    said = client.run(
        "pdfsig", "-nssdir", "nss", "-nss-pwd", SIGN, "-add-signature",
        "-nick", "JPKI (Digital Signature PIN):Digital Signature Certificate", "in.pdf", "out.pdf",
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr
    assert "Signature is Valid." in client.run("pdfsig", "-nssdir", "nss", "out.pdf").stdout
    pdf = (client.folder / "out.pdf").read_bytes()
    verdict = Verifier.for_store("simulator", None, now=now).verify_pdf(pdf)
    assert refused_by_none(verdict), verdict.reasons
    assert verdict.reasons == ("revocation.no_source",)
    # openssl judges the signature, too, over the octets that it says it covers
    (covered,) = re.findall(rb"/ByteRange \[(\d+) +(\d+) +(\d+) +(\d+) *\]", pdf)
    start, length, second, rest = map(int, covered)
    client.write("cms", bytes.fromhex(pdf[start + length + 1 : second - 1].decode("ascii")))
    content = pdf[start : start + length] + pdf[second : second + rest]
    judge = ("openssl", "cms", "-verify", "-inform", "DER", "-in", "cms", "-CAfile", ca, "-purpose", "any")
    for right, octets in ((True, content), (False, content.replace(b"a contract", b"a Contract"))):
        said = client.run(*judge, "-binary", "-content", client.write("content", octets), "-out", "out")
        assert (said.returncode == 0) is right, said.stderr
