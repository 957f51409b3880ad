"""Yubico's client of SCP03 (yubikit of yubikey-manager 5.9) at work on a card: runs in that program's own environment.

``python ykman_scp03.py READER`` goes through PC/SC with ykman's own connection; with ``-`` for the reader it writes
each command as ``> HEX`` on stdout and reads the answer as a line of hex on stdin. The last line is ``= JSON``.

What yubikit is given: the card, and the keys 404142..4F that it has built in as everybody's. All else (derivation,
cryptograms, C-MAC, C-ENC, R-MAC, R-ENC of level 33, counters, padding) is its own.
"""

from __future__ import annotations

import json
import sys

from smartcard.System import readers
from ykman.pcsc import ScardSmartCardConnection
from yubikit.core import TRANSPORT
from yubikit.core.smartcard import ApduError, SmartCardConnection
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, StaticKeys
from yubikit.securitydomain import SecurityDomainSession

NOTHING = 0x7F7F
GET_STATUS = (0xF2, 0x80, 0x02, bytes.fromhex("4F00"))  # the issuer's domain
NEW = StaticKeys(*(bytes((number,)) * 16 for number in (0x51, 0x62, 0x73)))


class PipedCard(SmartCardConnection):  # type: ignore[misc]
    """A card at the other end of stdin and stdout."""

    @property
    def transport(self) -> TRANSPORT:
        return TRANSPORT.NFC

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        sys.stdout.write(f"> {apdu.hex()}\n")
        sys.stdout.flush()
        answer = bytes.fromhex(sys.stdin.readline())
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def close(self) -> None: ...


def opened(reader: str) -> SmartCardConnection:
    if reader == "-":
        return PipedCard()
    (found,) = (one for one in readers() if str(one) == reader)
    return ScardSmartCardConnection(found.createConnection())


def keys(session: SecurityDomainSession) -> dict[str, dict[str, int]]:
    """Identifier and version of each key, and what it is: type and bytes."""
    return {
        bytes(key).hex().upper(): {f"{kind:02X}": size for kind, size in parts.items()}
        for key, parts in session.get_key_information().items()
    }


def refused(ask: object, *words: object) -> str:
    """The status word of a refusal."""
    try:
        ask(*words)  # type: ignore[operator]
    except ApduError as bad:
        return f"{bad.sw:04X}"
    return "9000"


def main(reader: str) -> int:
    session = SecurityDomainSession(opened(reader))
    found: dict[str, object] = {"in clear": keys(session)}

    session.authenticate(Scp03KeyParams())
    found["in the session"] = keys(session)
    found["whole"] = session.protocol.send_apdu(0x80, 0xCA, 0x00, 0xE0).hex().upper()
    found["recognition"] = session.get_card_recognition_data().hex().upper()
    found["nothing there"] = refused(session.get_data, NOTHING)
    found["registry"] = session.protocol.send_apdu(0x80, *GET_STATUS).hex().upper()
    # without the byte before each key that says how long it is (D §7.2 has it; the card takes both)
    found["put"] = refused(session.put_key, KeyRef(1, 0x01), NEW)

    session = SecurityDomainSession(session.protocol.connection)
    session.authenticate(Scp03KeyParams(KeyRef(1, 0x01), NEW))
    found["with the new keys"] = keys(session)

    session = SecurityDomainSession(session.protocol.connection)
    found["after SELECT"] = refused(session.protocol.send_apdu, 0x80, *GET_STATUS)
    try:
        session.authenticate(Scp03KeyParams(keys=StaticKeys(bytes(16), bytes(16), bytes(16))))
    except ValueError as bad:
        found["wrong keys"] = str(bad)
    sys.stdout.write(f"= {json.dumps(found)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
