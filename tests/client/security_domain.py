"""A security domain's side of SCP03, written by hand for the tests of the client: AES of one block, and nothing else.

It shares no line with the client and none with the software card: subkeys, CMAC, CBC, derivation and padding stand here
once more, so that an agreement says something. It lies on demand (:attr:`SecurityDomain.lie`).
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

Reply = Callable[[int, int, int, bytes], tuple[bytes, int]]


def aes(key: bytes, block: bytes) -> bytes:
    context = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    return context.update(block) + context.finalize()


def unaes(key: bytes, block: bytes) -> bytes:
    context = Cipher(algorithms.AES(key), modes.ECB()).decryptor()  # noqa: S305
    return context.update(block) + context.finalize()


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def doubled(block: bytes) -> bytes:
    """RFC 4493 §2.3: a shift to the left, and 87 where a bit fell out."""
    number = int.from_bytes(block, "big") << 1
    if number >> 128:
        number = (number & (1 << 128) - 1) ^ 0x87
    return number.to_bytes(16, "big")


def hand_cmac(key: bytes, message: bytes) -> bytes:
    one = doubled(aes(key, bytes(16)))
    whole, last = message[: max(0, (len(message) - 1) // 16 * 16)], message[max(0, (len(message) - 1) // 16 * 16) :]
    last = xor(last, one) if len(last) == 16 else xor((last + b"\x80").ljust(16, b"\x00"), doubled(one))
    state = bytes(16)
    for at in range(0, len(whole), 16):
        state = aes(key, xor(state, whole[at : at + 16]))
    return aes(key, xor(state, last))


def hand_kdf(key: bytes, constant: int, context: bytes, bits: int) -> bytes:
    """Amendment D §4.1.5, octet by octet."""
    found = b""
    for i in (1, 2):
        text = "00" * 11 + f"{constant:02x}" + "00" + f"{bits:04x}" + f"{i:02x}"
        found += hand_cmac(key, bytes.fromhex(text) + context)
    return found[: bits // 8]


def hand_cbc(key: bytes, vector: bytes, data: bytes) -> bytes:
    found = b""
    for at in range(0, len(data), 16):
        vector = aes(key, xor(vector, data[at : at + 16]))
        found += vector
    return found


def hand_uncbc(key: bytes, vector: bytes, data: bytes) -> bytes:
    found = b""
    for at in range(0, len(data), 16):
        block = data[at : at + 16]
        found += xor(unaes(key, block), vector)
        vector = block
    return found


def hand_pad(data: bytes) -> bytes:
    data += b"\x80"
    while len(data) % 16:
        data += b"\x00"
    return data


class SecurityDomain:
    """A connection: one security domain with one key set.

    Args:
        keys: ENC, MAC and DEK.
        reply: what it does with a command in clear: INS, P1, P2, data; 9000 for everything when left out.

    Attributes:
        plain: the commands that came through a session, in clear: INS P1 P2 data.
        raw: every command as it came.
        lie: by the name of a moment (``select``, ``initialize``, ``authenticate``, ``answer``) what becomes of the
            answer at that moment, status word included.
    """

    description = "a security domain for tests"
    extended = False

    def __init__(
        self,
        keys: tuple[bytes, bytes, bytes],
        *,
        aid: bytes = bytes.fromhex("F04B4F4A53440102030405060708"),
        version: int = 1,
        s16: bool = False,
        i: int = 0x70,
        counter: int = 5,
        reply: Reply | None = None,
    ) -> None:
        self.enc, self.mac, self.dek = keys
        self.aid, self.version, self.counter = aid, version, counter
        self.size = 16 if s16 else 8
        self.i = i | s16
        self.reply: Reply = reply or (lambda *_: (b"", 0x9000))
        self.plain: list[tuple[int, int, int, bytes]] = []
        self.raw: list[bytes] = []
        self.lie: dict[str, Callable[[bytes], bytes]] = {}
        self.waits = 0
        self.level: int | None = None

    def transmit(self, command: bytes) -> bytes:
        self.raw.append(bytes(command))
        if command[:3] == b"\x00\xa4\x04":
            self.level = None
            name = b"\x84" + bytes((len(self.aid),)) + self.aid
            return self.told("select", b"\x6f" + bytes((len(name),)) + name + b"\x90\x00")
        if command[:2] == b"\x80\x50":
            return self.told("initialize", self.initialize(command))
        if command[:2] == b"\x84\x82":
            return self.told("authenticate", self.authenticate(command))
        if self.level is None or not command[0] & 0x04:
            return b"\x69\x82"
        return self.told("answer", self.protected(command))

    def told(self, moment: str, answer: bytes) -> bytes:
        lie = self.lie.get(moment)
        return answer if lie is None else lie(answer)

    def initialize(self, command: bytes) -> bytes:
        if self.waits:
            self.waits -= 1
            return b"\x69\x85"
        host = command[5 : 5 + command[4]]
        if command[2] not in (0, self.version):
            return b"\x6a\x88"
        if len(host) != self.size:
            return b"\x6a\x80"
        self.counter += 1
        counted = self.counter.to_bytes(3, "big")
        bits = self.size * 8
        card = bytes(range(0xA0, 0xA0 + self.size))
        if self.i & 0x10:
            card = hand_kdf(self.enc, 0x02, counted + self.aid, bits)
        context = host + card
        key_bits = len(self.enc) * 8
        self.s_enc = hand_kdf(self.enc, 0x04, context, key_bits)
        self.s_mac = hand_kdf(self.mac, 0x06, context, key_bits)
        self.s_rmac = hand_kdf(self.mac, 0x07, context, key_bits)
        self.host_cryptogram = hand_kdf(self.s_mac, 0x01, context, bits)
        answer = bytes(10) + bytes((self.version, 0x03, self.i)) + card + hand_kdf(self.s_mac, 0x00, context, bits)
        return answer + (counted if self.i & 0x10 else b"") + b"\x90\x00"

    def authenticate(self, command: bytes) -> bytes:
        data = command[5 : 5 + command[4]]
        self.chain = hand_cmac(self.s_mac, bytes(16) + command[:5] + data[: -self.size])
        if data[: -self.size] != self.host_cryptogram or data[-self.size :] != self.chain[: self.size]:
            return b"\x63\x00"
        self.level, self.commands = command[2], 0
        return b"\x90\x00"

    def protected(self, command: bytes) -> bytes:
        level = self.level or 0
        self.commands += 1
        data = command[5 : 5 + command[4]]
        self.chain = hand_cmac(self.s_mac, self.chain + command[:5] + data[: -self.size])
        if data[-self.size :] != self.chain[: self.size]:
            self.level = None
            return b"\x69\x82"
        data = data[: -self.size]
        number = self.commands.to_bytes(16, "big")
        if level & 0x02 and data:
            padded = hand_uncbc(self.s_enc, aes(self.s_enc, number), data)
            data = padded[: padded.rindex(b"\x80")]
            assert hand_pad(data) == padded
        self.plain.append((command[1], command[2], command[3], data))
        clear, sw = self.reply(command[1], command[2], command[3], data)
        word = sw.to_bytes(2, "big")
        if sw != 0x9000 and sw >> 8 not in (0x62, 0x63):
            return word
        if level & 0x20 and clear:
            clear = hand_cbc(self.s_enc, aes(self.s_enc, b"\x80" + number[1:]), hand_pad(clear))
        if level & 0x10:
            clear += hand_cmac(self.s_rmac, self.chain + clear + word)[: self.size]
        return clear + word
