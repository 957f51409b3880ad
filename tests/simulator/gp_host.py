"""A host of SCP03 for the tests, written by hand from Amendment D with AES and CMAC of ``cryptography`` alone.

Nothing here imports ``kojin_card``: what it computes is what the software card must have computed too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

ISD = bytes.fromhex("A0000001510000")
TRIAL = bytes.fromhex("404142434445464748494A4B4C4D4E4F")
SSD_1 = bytes.fromhex("F04B4F4A5344 0000000000000001")
SSD_2 = bytes.fromhex("F04B4F4A5344 0000000000000002")
SLOT_1 = bytes.fromhex("F04B4F4A494E 0000000000000001")
SLOT_2 = bytes.fromhex("F04B4F4A494E 0000000000000002")


def cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


def kdf(key: bytes, constant: int, context: bytes, bits: int) -> bytes:
    """Label (11 zeros and the constant), 00, L in two bytes, i in one, context."""
    found = b""
    for i in (1, 2):
        found += cmac(key, bytes(11) + bytes([constant, 0, bits >> 8, bits & 0xFF, i]) + context)
    return found[: bits // 8]


def cbc(key: bytes, iv: bytes, data: bytes, *, decrypt: bool = False) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv))
    at = cipher.decryptor() if decrypt else cipher.encryptor()
    return at.update(data) + at.finalize()


def pad(data: bytes) -> bytes:
    return data + b"\x80" + bytes(-(len(data) + 1) % 16)


def check_value(key: bytes) -> bytes:
    return cbc(key, bytes(16), b"\x01" * 16)[:3]


def lv(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def sw(answer: bytes) -> str:
    return answer[-2:].hex().upper()


@dataclass
class Keys:
    enc: bytes = TRIAL
    mac: bytes = TRIAL
    dek: bytes = TRIAL


class Host:
    """One session with a card; ``card`` is anything with ``transmit(bytes) -> bytes``."""

    def __init__(self, card: Any, keys: Keys | None = None, *, size: int = 8, challenge: bytes = b"") -> None:
        self.card, self.keys, self.size = card, keys or Keys(), size
        self.challenge = challenge or bytes(range(0x10, 0x10 + size))
        self.level = 0
        self.chain = bytes(16)
        self.counter = 0
        self.begun = b""

    def select(self, aid: bytes) -> bytes:
        return bytes(self.card.transmit(bytes.fromhex("00A40400") + lv(aid) + b"\x00"))

    def initialize(self, version: int = 0) -> bytes:
        answer = bytes(self.card.transmit(bytes([0x80, 0x50, version, 0, self.size]) + self.challenge + b"\x00"))
        if sw(answer) == "9000":
            self.begun = answer[:-2]
            at, n = 13, self.size
            self.card_challenge, self.card_cryptogram = self.begun[at : at + n], self.begun[at + n : at + 2 * n]
            self.counter_told = self.begun[at + 2 * n :]
            context, bits = self.challenge + self.card_challenge, 8 * len(self.keys.enc)
            self.context = context
            self.enc = kdf(self.keys.enc, 4, context, bits)
            self.mac = kdf(self.keys.mac, 6, context, bits)
            self.rmac = kdf(self.keys.mac, 7, context, bits)
        return answer

    def cryptogram(self, constant: int) -> bytes:
        return kdf(self.mac, constant, self.context, 8 * self.size)

    def authentication(self, level: int, cryptogram: bytes = b"") -> bytes:
        """The command EXTERNAL AUTHENTICATE."""
        head = bytes([0x84, 0x82, level, 0, 2 * self.size]) + (cryptogram or self.cryptogram(1))
        self.chain = cmac(self.mac, bytes(16) + head)
        self.level, self.counter = level, 0
        return head + self.chain[: self.size]

    def open(self, aid: bytes | None = None, level: int = 0x33, version: int = 0) -> Host:
        if aid is not None:
            assert sw(self.select(aid)) in ("9000", "6285")
        answer = self.initialize(version)
        assert sw(answer) == "9000", answer.hex()
        assert self.card_cryptogram == self.cryptogram(0)
        answer = self.card.transmit(self.authentication(level))
        assert answer.hex() == "9000", answer.hex()
        return self

    def iv(self, first: int) -> bytes:
        return cbc(self.enc, bytes(16), bytes([first]) + self.counter.to_bytes(15, "big"))

    def wrapped(self, apdu: bytes | str, *, le: bool = True, extended: bool = False) -> bytes:
        """The command in the session. ``apdu`` is header and, behind a length byte, data; no Le."""
        apdu = bytes.fromhex(apdu) if isinstance(apdu, str) else apdu
        data = apdu[5:]
        assert len(apdu) <= 4 or apdu[4] == len(data)
        self.counter += 1
        if self.level & 2 and data:
            data = cbc(self.enc, self.iv(0x00), pad(data))
        length = len(data) + self.size
        lc = b"\x00" + length.to_bytes(2, "big") if extended else bytes([length])
        head = bytes([apdu[0] | 4]) + apdu[1:4] + lc + data
        self.chain = cmac(self.mac, self.chain + head)
        return head + self.chain[: self.size] + ((b"\x00\x00" if extended else b"\x00") if le else b"")

    def unwrapped(self, answer: bytes) -> tuple[bytes, str]:
        data, word = answer[:-2], answer[-2:]
        if not self.level & 0x10 or not (word == b"\x90\x00" or word[0] in (0x62, 0x63)):
            return data, word.hex().upper()
        data, mac = data[: -self.size], data[-self.size :]
        assert mac == cmac(self.rmac, self.chain + data + word)[: self.size], "R-MAC"
        if self.level & 0x20 and data:
            clear = cbc(self.enc, self.iv(0x80), data, decrypt=True)
            data = clear[: clear.rindex(b"\x80")]
            assert pad(data) == clear
        return data, word.hex().upper()

    def send(self, apdu: bytes | str, **how: bool) -> tuple[bytes, str]:
        return self.unwrapped(self.card.transmit(self.wrapped(apdu, **how)))

    def ok(self, apdu: bytes | str) -> bytes:
        data, word = self.send(apdu)
        assert word == "9000", word
        return data


def command(head: str, data: bytes = b"") -> bytes:
    return bytes.fromhex(head) + lv(data)


def owner(code: str = "13101", kind: int = 1) -> bytes:
    value = bytes([kind]) + code.encode()
    return b"\xc9" + lv(bytes.fromhex("DF71") + lv(value))


def install_domain(aid: bytes = SSD_1, parameters: bytes | None = None, privileges: str = "804000") -> bytes:
    fields = ("A0000001515350", "A000000151535041", aid.hex(), privileges)
    parts = [lv(bytes.fromhex(one)) for one in fields] + [lv(owner() if parameters is None else parameters), b"\x00"]
    return command("80E60C00", b"".join(parts))


def install_slot(aid: bytes = SLOT_1, parameters: bytes = b"\xc9\x00", privileges: str = "00") -> bytes:
    fields = ("F04B4F4A4C4601", "F04B4F4A4D4401", aid.hex(), privileges)
    return command("80E60C00", b"".join([*(lv(bytes.fromhex(one)) for one in fields), lv(parameters), b"\x00"]))


def put_key(keys: Keys, dek: bytes, *, version: int = 0x30, replace: int = 0, with_length: bool = True) -> bytes:
    data = bytes([version])
    for key in (keys.enc, keys.mac, keys.dek):
        body = cbc(dek, bytes(16), key)
        data += b"\x88" + lv((bytes([len(key)]) if with_length else b"") + body) + b"\x03" + check_value(key)
    return command(f"80D8{replace:02X}81", data)


def own_keys(bits: int = 128, seed: int = 0x60) -> Keys:
    size = bits // 8
    return Keys(*(bytes((seed + 0x20 * n + i) & 0xFF for i in range(size)) for n in range(3)))


def made_domain(card: Any, aid: bytes = SSD_1, code: str = "13101", keys: Keys | None = None, quota: int = 0) -> Keys:
    """A domain of an owner with its own keys, version 30."""
    found = keys or own_keys()
    parameters = owner(code) + (bytes.fromhex("EF06C804") + quota.to_bytes(4, "big") if quota else b"")
    assert Host(card).open(ISD, 0x03).ok(install_domain(aid, parameters)) == b"\x00"
    answer = Host(card).open(aid, 0x03).ok(put_key(found, TRIAL))
    assert answer == b"\x30" + b"".join(check_value(one) for one in (found.enc, found.mac, found.dek))
    return found
