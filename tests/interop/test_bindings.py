"""PyKCS11 and pyscard, as other people's Python programs use them. libpcsclite reads where pcscd is once a process, so
each runs in one of its own.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from interop.pcscd import NAME, NEEDED, OPENSC_MODULE, Desk, opensc_module
from interop.test_opensc import AUTH, CONTENT, SIGN, certificate

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

pytestmark = pytest.mark.foreign(*NEEDED)
NOT_BUILT = "{} is not installed in this environment (make test builds it where gcc, swig and libpcsclite-dev are)"

SIGN_WITH_PYKCS11 = """
import json, sys
import PyKCS11
module, slot, pin, key_id, content = sys.argv[1:]
lib = PyKCS11.PyKCS11Lib()
lib.load(module)
session = lib.openSession(lib.getSlotList(tokenPresent=True)[int(slot)])
try:
    session.login(pin)
    named = (PyKCS11.CKA_ID, bytes.fromhex(key_id))
    (key,) = session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_PRIVATE_KEY), named])
    (cert,) = session.findObjects([(PyKCS11.CKA_CLASS, PyKCS11.CKO_CERTIFICATE), named])
    (value,) = session.getAttributeValue(cert, [PyKCS11.CKA_VALUE])
    signature = session.sign(key, content.encode(), PyKCS11.Mechanism(PyKCS11.CKM_SHA256_RSA_PKCS))
    print(json.dumps({"certificate": bytes(value).hex(), "signature": bytes(signature).hex()}))
except PyKCS11.PyKCS11Error as bad:
    print(json.dumps({"error": PyKCS11.CKR[bad.value]}))
"""

TALK_WITH_PYSCARD = """
import json, sys
from smartcard.System import readers
found = []
for reader in readers():
    line = reader.createConnection()
    line.connect()
    told = {"reader": str(reader), "atr": bytes(line.getATR()).hex().upper(), "answers": []}
    for command in sys.argv[1:]:
        data, one, two = line.transmit(list(bytes.fromhex(command)))
        told["answers"].append(bytes([*data, one, two]).hex().upper())
    line.disconnect()
    found.append(told)
print(json.dumps(found))
"""


def script(desk: Desk, text: str, *words: str) -> Any:
    said = desk.run(sys.executable, "-c", text, *words)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


@pytest.mark.foreign(OPENSC_MODULE)
@pytest.mark.skipif(find_spec("PyKCS11") is None, reason=NOT_BUILT.format("PyKCS11"))
@pytest.mark.parametrize("card", [0, 1])
@pytest.mark.parametrize(("key", "pin"), [("auth", AUTH), ("sign", SIGN)])
def test_pykcs11_signs_with_both_keys_of_both_cards(
    desk: Desk, desk_cards: tuple[CardState, ...], card: int, key: str, pin: str
) -> None:
    slot = 2 * card + (key == "sign")
    words = (opensc_module(), str(slot), pin, "02" if key == "sign" else "01", CONTENT.decode())
    told = script(desk, SIGN_WITH_PYKCS11, *words)
    der = bytes.fromhex(told["certificate"])
    assert der == certificate(desk_cards[card], f"{key}_certificate")
    public = x509.load_der_x509_certificate(der).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(bytes.fromhex(told["signature"]), CONTENT, padding.PKCS1v15(), hashes.SHA256())
    wrong = script(desk, SIGN_WITH_PYKCS11, words[0], words[1], pin[::-1], *words[3:])
    assert wrong == {"error": "CKR_PIN_INCORRECT"}
    secret = "jpki/sign_password" if key == "sign" else "jpki/auth_pin"
    assert desk.tries(card + 1)[secret] == (4 if key == "sign" else 2)


@pytest.mark.skipif(find_spec("smartcard") is None, reason=NOT_BUILT.format("pyscard"))
def test_pyscard_speaks_with_both_cards(desk: Desk, desk_cards: tuple[CardState, ...]) -> None:
    found = script(
        desk, TALK_WITH_PYSCARD, "00A4040C0AD392F000260100000001", "00A4020C02000A", "00B0000000FFFF", "00200080"
    )
    assert [one["reader"] for one in found] == [f"{NAME} 00 00", f"{NAME} 00 01"]
    for one, state in zip(found, desk_cards, strict=True):
        assert one["atr"] == state.atr.hex().upper()
        selected, chosen, read, tries = one["answers"]
        assert (selected, chosen) == ("9000", "9000")
        assert read.startswith(certificate(state, "auth_certificate").hex().upper())
        assert tries == "6981", "a certificate has no tries"


@pytest.mark.skipif(find_spec("smartcard") is None, reason=NOT_BUILT.format("pyscard"))
def test_every_length_that_pcsc_carries_is_answered(desk: Desk) -> None:
    """Nothing that a program can send leaves pcscd, and with it everybody, without an answer (P9)."""
    commands = [
        "00A40000",
        "00B00000",
        "FFFFFFFF",
        "0000",
        "00B0000005" + "AA" * 4,
        "80" * 261,
        "00" * 300,
        "00B0" + "FF" * 2000,
    ]
    (first, second) = script(desk, TALK_WITH_PYSCARD, *commands)
    assert first["answers"] == second["answers"]
    assert all(len(answer) >= 4 for answer in first["answers"])
    assert desk.answers()


@pytest.mark.skipif(find_spec("smartcard") is None, reason=NOT_BUILT.format("pyscard"))
def test_a_command_of_one_octet_hangs_nobody(desk: Desk) -> None:
    """To vpcd it looks like a control without an answer: the card leaves for a moment, which ends the waiting."""
    said = desk.run(sys.executable, "-c", TALK_WITH_PYSCARD, "02")
    assert said.returncode == 1
    assert "no valid response" in said.stderr
    desk.wait_for_cards()
    assert desk.run("opensc-tool", "--reader", "0", "--name").stdout == "jpki\n"
