"""The host's side of SCP03 in a page, for tests of the card: AES-128 or -256, S8 or S16, commands of short form.

Typed from GlobalPlatform's Amendment D 1.2 (§4.1.5 derivation, §6.2 messages); nothing of ``kojin_card`` is used.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

if TYPE_CHECKING:
    from collections.abc import Callable

Keys = tuple[bytes, bytes, bytes]
TRIAL: Keys = (bytes(range(0x40, 0x50)),) * 3


def cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


def derive(key: bytes, constant: int, context: bytes, size: int) -> bytes:
    """Counter mode: 11 zeros, constant, 00, bits (2), number of the block, context."""
    octets = b""
    for number in (1, 2):
        octets += cmac(
            key, bytes(11) + bytes((constant, 0)) + (8 * size).to_bytes(2, "big") + bytes((number,)) + context
        )
    return octets[:size]


class Refused(Exception):
    """The card did not open the session; the word is the argument."""


class Host:
    """A session with what is selected.

    Args:
        transmit: a command as bytes, answered with data and word.
        keys: static ENC, MAC, DEK.
        level: 01, 03, 11, 13 or 33.
    """

    def __init__(
        self,
        transmit: Callable[[bytes], bytes],
        keys: Keys = TRIAL,
        level: int = 0x33,
        *,
        version: int = 0,
        size: int = 8,
    ) -> None:
        self._transmit, self._level, self._size = transmit, level, size
        challenge = secrets.token_bytes(size)
        answer = self._say(bytes((0x80, 0x50, version, 0x00, size)) + challenge + b"\x00")
        card, cryptogram = answer[13 : 13 + size], answer[13 + size : 13 + 2 * size]
        context, (enc, mac, self.dek) = challenge + card, keys
        self._enc, self._mac, self._rmac = (
            derive(key, constant, context, len(key)) for key, constant in ((enc, 4), (mac, 6), (mac, 7))
        )
        assert cryptogram == derive(self._mac, 0x00, context, size)
        self._chaining, self._counter = bytes(16), 0
        self._say(self._protected(0x84, 0x82, level, 0x00, derive(self._mac, 0x01, context, size)))

    def send(self, command: bytes) -> tuple[bytes, int]:
        """One command of short form, protected; its answer in clear."""
        cla, ins, p1, p2, *body = command
        data, le = b"", b""
        if len(body) == 1:
            le = bytes(body)
        elif body:
            data, le = bytes(body[1 : 1 + body[0]]), bytes(body[1 + body[0] :])
        self._counter += 1
        if self._level & 0x02 and data:
            data = self._cipher(data + b"\x80" + bytes(-(len(data) + 1) % 16), answer=False)
        answer = self._transmit(self._protected(cla | 0x04, ins, p1, p2, data) + le)
        octets, word = answer[:-2], int.from_bytes(answer[-2:], "big")
        if not self._level & 0x10 or not (word == 0x9000 or word >> 8 in (0x62, 0x63)):
            return octets, word
        octets, sent = octets[: -self._size], octets[-self._size :]
        assert sent == cmac(self._rmac, self._chaining + octets + answer[-2:])[: self._size]
        if self._level & 0x20 and octets:
            octets = self._cipher(octets, answer=True).rstrip(b"\x00")
            assert octets[-1:] == b"\x80"
            octets = octets[:-1]
        return octets, word

    def _protected(self, cla: int, ins: int, p1: int, p2: int, data: bytes) -> bytes:
        head = bytes((cla, ins, p1, p2, len(data) + self._size)) + data
        self._chaining = cmac(self._mac, self._chaining + head)
        return head + self._chaining[: self._size]

    def _cipher(self, data: bytes, *, answer: bool) -> bytes:
        block = bytes((0x80 * answer,)) + self._counter.to_bytes(15, "big")
        start = Cipher(algorithms.AES(self._enc), modes.CBC(bytes(16))).encryptor()
        cipher = Cipher(algorithms.AES(self._enc), modes.CBC(start.update(block)))
        work = cipher.decryptor() if answer else cipher.encryptor()
        return work.update(data) + work.finalize()

    def _say(self, command: bytes) -> bytes:
        answer = self._transmit(command)
        if answer[-2:] != b"\x90\x00":
            raise Refused(answer[-2:].hex().upper())
        return answer[:-2]
