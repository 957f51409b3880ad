"""A host of the free area, written a third time: SCP03, slots and terminals from the specs' words, in test code.

Neither the card side nor the client side is used, so that what the tables expect does not come from what they test:
only ``cryptography``, and the numbers typed here from the two files in ``applets_spec/free_area`` (their prose).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives import cmac, hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from support import Terminal

ISD = bytes.fromhex("A0000001510000")
SSD_PACKAGE, SSD_MODULE = bytes.fromhex("A0000001515350"), bytes.fromhex("A000000151535041")
SLOT_PACKAGE, SLOT_MODULE = bytes.fromhex("F04B4F4A4C4601"), bytes.fromhex("F04B4F4A4D4401")
SSD_PREFIX, SLOT_PREFIX = bytes.fromhex("F04B4F4A5344"), bytes.fromhex("F04B4F4A494E")
INSTALLED, PERSONALIZED, ACTIVE, SUSPENDED, TERMINATED = range(5)
DESCRIPTOR_FILE, MANIFEST_FILE = 29, 30
OK = 0x9000
_P256 = ec.SECP256R1()
_BLOCK = 16
_BLOCK_DATA = 200


def tlv(tag: str, value: bytes) -> bytes:
    """One object, with the card's length form (one byte below 80, else 82 hh ll)."""
    size = bytes((len(value),)) if len(value) < 0x80 else b"\x82" + len(value).to_bytes(2, "big")
    return bytes.fromhex(tag) + size + value


def objects(data: bytes) -> list[tuple[str, bytes]]:
    """Tags (hex) and values of a row of objects."""
    found, at = [], 0
    while at < len(data):
        end = at + 1
        if data[at] & 0x1F == 0x1F:
            end += 1
        length, start = data[end], end + 1
        if length == 0x82:
            length, start = int.from_bytes(data[end + 1 : end + 3], "big"), end + 3
        elif length == 0x81:
            length, start = data[end + 1], end + 2
        assert length < 0x80 or start > end + 1
        assert start + length <= len(data)
        found.append((data[at:end].hex().upper(), data[start : start + length]))
        at = start + length
    return found


def apdu(header: str, data: bytes = b"", le: bool | bytes = False) -> bytes:
    """A short APDU; ``le``: with an Le of 256, or with that one."""
    body = bytes((len(data),)) + data if data else b""
    return bytes.fromhex(header) + body + _le(le)


def _le(le: bool | bytes) -> bytes:
    return le if isinstance(le, bytes) else b"\x00" * le


class Said(NamedTuple):
    """An answer."""

    data: bytes
    sw: int


def say(card: Terminal, header: str, data: bytes = b"", *, le: bool | bytes = False) -> Said:
    """Send a command in clear."""
    answer = card.transmit(apdu(header, data, le))
    return Said(answer[:-2], int.from_bytes(answer[-2:], "big"))


def select(card: Terminal, aid: bytes, p2: int = 0) -> Said:
    """SELECT by name, with Le."""
    return say(card, f"00A404{p2:02X}", aid, le=True)


# --- keys, signatures -------------------------------------------------------------------------------------------------


def mac(key: bytes, message: bytes) -> bytes:
    """AES-CMAC."""
    made = cmac.CMAC(algorithms.AES(key))
    made.update(message)
    return made.finalize()


def aes(key: bytes, data: bytes, iv: bytes | None = None) -> bytes:
    """AES, in CBC mode when there is an IV; encryption."""
    mode = modes.ECB() if iv is None else modes.CBC(iv)  # noqa: S305 - one block
    worker = Cipher(algorithms.AES(key), mode).encryptor()
    return worker.update(data) + worker.finalize()


def aes_open(key: bytes, data: bytes, iv: bytes) -> bytes:
    """AES-CBC, decryption."""
    worker = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return worker.update(data) + worker.finalize()


@cache
def private(name: str) -> ec.EllipticCurvePrivateKey:
    """The same P-256 key for the same name."""
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(name.encode()).digest(), "big"), _P256)


def public_of(scalar: int) -> bytes:
    """The public key of a private scalar, 65 bytes."""
    return point(ec.derive_private_key(scalar, _P256).public_key())


def public_key(compressed: bytes) -> ec.EllipticCurvePublicKey:
    """A public key from its point."""
    return ec.EllipticCurvePublicKey.from_encoded_point(_P256, compressed)


def point(key: ec.EllipticCurvePublicKey, *, compressed: bool = False) -> bytes:
    """A public key, 65 or 33 bytes."""
    form = PublicFormat.CompressedPoint if compressed else PublicFormat.UncompressedPoint
    return key.public_bytes(Encoding.X962, form)


def sign(name: str, message: bytes) -> bytes:
    """r and s, 64 bytes."""
    r, s = decode_dss_signature(private(name).sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def holds(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> None:
    """Verify r and s.

    Raises:
        InvalidSignature: so it is.
    """
    pair = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    key.verify(pair, message, ec.ECDSA(hashes.SHA256()))


def context(name: str) -> bytes:
    """What stands before a message that is signed."""
    return f"kojin-slot-{name}-v1".encode() + b"\x00"


@dataclass(frozen=True)
class Keys:
    """The three static keys of SCP03, AES-128."""

    version: int
    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    dek: bytes = field(repr=False)

    @classmethod
    def named(cls, name: str, version: int = 1) -> Keys:
        """The same for the same name."""
        return cls(version, *(hashlib.sha256(f"{name}/{part}".encode()).digest()[:16] for part in ("e", "m", "d")))


TRIAL = Keys(0xFF, *[bytes(range(0x40, 0x50))] * 3)


@dataclass(frozen=True)
class Party:
    """Somebody with keys: an owner, or only a partner."""

    name: str
    kind: int
    code: str

    @property
    def keys(self) -> Keys:
        """Of its domain."""
        return Keys.named(self.name)

    @property
    def domain(self) -> bytes:
        """AID of its domain."""
        return SSD_PREFIX + hashlib.sha256(self.name.encode()).digest()[:8]

    @property
    def ca(self) -> bytes:
        """Its terminal CA's public key, compressed."""
        return point(private(f"{self.name}/ca").public_key(), compressed=True)

    def slot(self, what: str) -> bytes:
        """AID of a slot of its own."""
        return SLOT_PREFIX + hashlib.sha256(f"{self.name}/{what}".encode()).digest()[:8]


TOWN = Party("town", 1, "13101")
FIRM = Party("firm", 4, "7000012050002")
PARTNER = Party("partner", 1, "13102")
STRANGER = Party("stranger", 1, "13103")


# --- SCP03, the host's side (Amendment D 1.2, S8, AES-128) ------------------------------------------------------------


def derive(key: bytes, constant: int, bits: int, about: bytes) -> bytes:
    """§4.1.5: the KDF in counter mode."""
    made = b"".join(
        mac(key, bytes(11) + bytes((constant, 0)) + bits.to_bytes(2, "big") + bytes((number,)) + about)
        for number in range(1, (bits + 127) // 128 + 1)
    )
    return made[: bits // 8]


class Refused(Exception):
    """The card refused; ``sw`` says how."""

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw


class Scp03:
    """A session on what is selected.

    Raises:
        Refused: the card gave another word than 9000 to one of the two commands.
    """

    def __init__(self, card: Terminal, keys: Keys, *, level: int = 0x33, challenge: bytes = b"\x11" * 8) -> None:
        self.card, self.level = card, level
        begun = say(card, f"8050{keys.version:02X}00", challenge, le=True)
        if begun.sw != OK:
            raise Refused(begun.sw)
        theirs = begun.data[13:21]
        both = challenge + theirs
        self.enc, self.mac = derive(keys.enc, 4, 128, both), derive(keys.mac, 6, 128, both)
        self.rmac = derive(keys.mac, 7, 128, both)
        self.authentic = derive(self.mac, 0, 64, both) == begun.data[21:29]
        self.dek, self.chain, self.count = keys.dek, bytes(16), 0
        said = self._exchange(f"8482{level:02X}00", derive(self.mac, 1, 64, both), le=False)
        if said.sw != OK:
            raise Refused(said.sw)
        assert self.authentic, "the card has other keys and took ours"

    def wrap(self, header: str, data: bytes = b"", *, le: bool | bytes = True) -> bytes:
        """The command as it goes over the wire."""
        self.count += 1
        if self.level & 2 and data:
            padded = data + b"\x80" + bytes(-(len(data) + 1) % _BLOCK)
            data = aes(self.enc, padded, aes(self.enc, self.count.to_bytes(16, "big")))
        return self._macked(header, data, le=le)

    def unwrap(self, answer: bytes) -> Said:
        """The answer in clear, its R-MAC checked."""
        data, word = answer[:-2], answer[-2:]
        sw = int.from_bytes(word, "big")
        if not self.level & 0x10 or not (sw == OK or sw >> 8 in (0x62, 0x63)):
            assert not data or sw == OK
            return Said(data, sw)
        data, theirs = data[:-8], data[-8:]
        assert mac(self.rmac, self.chain + data + word)[:8] == theirs, "R-MAC"
        if self.level & 0x20 and data:
            first = aes(self.enc, b"\x80" + self.count.to_bytes(15, "big"))
            data = aes_open(self.enc, data, first).rstrip(b"\x00")[:-1]
        return Said(data, sw)

    def send(self, header: str, data: bytes = b"", *, le: bool | bytes = True) -> Said:
        """A command of the session."""
        return self.unwrap(self.card.transmit(self.wrap(header, data, le=le)))

    def _macked(self, header: str, data: bytes, *, le: bool | bytes) -> bytes:
        head = bytes.fromhex(header)
        head = bytes((head[0] | 4,)) + head[1:] + bytes((len(data) + 8,))
        self.chain = mac(self.mac, self.chain + head + data)
        return head + data + self.chain[:8] + _le(le)

    def _exchange(self, header: str, data: bytes, *, le: bool | bytes) -> Said:
        answer = self.card.transmit(self._macked(header, data, le=le))
        return Said(answer[:-2], int.from_bytes(answer[-2:], "big"))


def session(card: Terminal, aid: bytes, keys: Keys, *, level: int = 0x33) -> Scp03:
    """SELECT, then a session.

    Raises:
        Refused: any of the three commands.
    """
    said = select(card, aid)
    if said.sw not in (OK, 0x6285, 0x6283):
        raise Refused(said.sw)
    return Scp03(card, keys, level=level)


def refusal(card: Terminal, aid: bytes, keys: Keys) -> int:
    """The word with which a session is refused; 9000 when it is not."""
    try:
        session(card, aid, keys)
    except Refused as refused:
        return refused.sw
    return OK


# --- content management -----------------------------------------------------------------------------------------------


def counted(*parts: bytes) -> bytes:
    """Parts, each with its length before it."""
    return b"".join(bytes((len(part),)) + part for part in parts)


def install_domain(party: Party, quota: int = 8192) -> bytes:
    """Data of INSTALL [for install and make selectable] of an owner's domain."""
    owner = tlv("DF71", bytes((party.kind,)) + party.code.encode())
    params = tlv("C9", owner) + tlv("EF", tlv("C8", quota.to_bytes(4, "big")))
    return counted(SSD_PACKAGE, SSD_MODULE, party.domain, bytes.fromhex("800000"), params, b"")


def install_slot(aid: bytes) -> bytes:
    """Data of INSTALL [for install and make selectable] of a slot."""
    return counted(SLOT_PACKAGE, SLOT_MODULE, aid, bytes(3), tlv("C9", b""), b"")


def set_quota(aid: bytes, quota: int) -> bytes:
    """Data of INSTALL [for registry update]."""
    return counted(b"", b"", aid, b"", tlv("EF", tlv("C8", quota.to_bytes(4, "big"))), b"")


def put_key(dek: bytes, keys: Keys) -> bytes:
    """Data of PUT KEY: three AES keys under a new version."""
    parts = []
    for key in (keys.enc, keys.mac, keys.dek):
        check = aes(key, b"\x01" * 16)[:3]
        parts.append(b"\x88" + bytes((len(key) + 1, len(key))) + aes(dek, key, bytes(16)) + b"\x03" + check)
    return bytes((keys.version,)) + b"".join(parts)


def for_personalization(aid: bytes) -> bytes:
    """Data of INSTALL [for personalization]."""
    return counted(b"", b"", aid, b"", b"", b"")


# --- slots ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """A field as it goes onto the card. ``rule``: alternatives, a byte each; empty: the owner alone."""

    rule: bytes
    value: bytes
    salt: bytes = b"\x5a" * 16

    @property
    def content(self) -> bytes:
        """What READ BINARY gives."""
        return self.salt + self.value


@dataclass(frozen=True)
class Record:
    """Everything of a slot that the owner signs."""

    aid: bytes
    card: bytes
    card_key: bytes
    state: int
    counter: int
    fields: Mapping[int, Entry]
    date: bytes = bytes.fromhex("20261101")
    service: bytes = b"facility"
    party: Party = TOWN
    signer: str = "town/record"

    @property
    def descriptor(self) -> bytes:
        """Salt and hidden part."""
        return b"\xd5" * 16 + b"".join(
            (
                tlv("80", self.service),
                tlv("81", b"\x01"),
                tlv("82", bytes((self.party.kind,))),
                tlv("83", self.party.code.encode()),
                tlv("84", "条例".encode()),
                tlv("85", "名前".encode()),
            )
        )

    @property
    def manifest(self) -> bytes:
        """The object that is signed."""
        digests = b"".join(
            tlv("90", bytes((sfi,)) + hashlib.sha256(bytes((sfi,)) + one.content).digest())
            for sfi, one in sorted(self.fields.items())
        )
        inner = (
            tlv("80", b"\x01") + tlv("4F", self.aid) + tlv("81", self.card) + tlv("82", self.counter.to_bytes(4, "big"))
        )
        inner += tlv("83", bytes((self.state,))) + tlv("87", self.date)
        inner += tlv("88", hashlib.sha256(bytes((DESCRIPTOR_FILE,)) + self.descriptor).digest())
        return tlv("E1", inner + tlv("86", self.card_key) + tlv("A7", digests))

    @property
    def signature(self) -> bytes:
        """The owner's."""
        return sign(self.signer, context("record") + self.manifest)

    def next(self, **changes: object) -> Record:
        """The same, changed, with the counter one more."""
        return replace(self, counter=self.counter + 1, **changes)  # type: ignore[arg-type]

    @property
    def tail(self) -> bytes:
        """Counter, state, date and signature: a state change."""
        return (
            tlv("82", self.counter.to_bytes(4, "big"))
            + tlv("83", bytes((self.state,)))
            + tlv("87", self.date)
            + tlv("9E", self.signature)
        )

    def full(self, *, settings: bytes = b"", pin: bytes | None = None) -> bytes:
        """A full update."""
        every = b"".join(
            tlv("A2", tlv("80", bytes((sfi,))) + tlv("81", one.rule) + tlv("82", one.content))
            for sfi, one in sorted(self.fields.items())
        )
        return tlv("C1", self.descriptor) + every + self.tail + settings + (tlv("C7", pin) if pin is not None else b"")


def authorities(*listed: tuple[Party, bytes]) -> bytes:
    """A5: the terminal CAs with the fields that each may open."""
    return tlv(
        "A5",
        b"".join(
            tlv(
                "B0",
                tlv("86", party.ca)
                + tlv("82", bytes((party.kind,)))
                + tlv("83", party.code.encode())
                + tlv("DF66", sfis),
            )
            for party, sfis in listed
        ),
    )


def groups(*names: str) -> bytes:
    """A6: the groups."""
    return tlv("A6", b"".join(tlv("85", name.encode()) for name in names))


def blocks(data: bytes, size: int = _BLOCK_DATA) -> list[tuple[str, bytes]]:
    """STORE DATA: headers and data of a series."""
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return [(f"80E2{0x90 if one is parts[-1] else 0x10:02X}{at:02X}", one) for at, one in enumerate(parts)]


def store(open_: Scp03, data: bytes) -> int:
    """STORE DATA; the first word that is not 9000, or 9000."""
    for header, part in blocks(data):
        said = open_.send(header, part)
        if said.sw != OK:
            return said.sw
    return OK


@dataclass(frozen=True)
class TerminalCard:
    """A terminal certificate with the name of its key."""

    ca: Party = TOWN
    key: str = "terminal"
    group: str = "library"
    fields: bytes = bytes(range(1, 9))
    issued: str = "20261101"
    expiry: str = "20261231"
    signer: str = ""

    @property
    def certificate(self) -> bytes:
        """The object."""
        body = tlv(
            "7F4E",
            tlv("42", hashlib.sha256(self.ca.ca).digest()[:8])
            + tlv("5F20", b"GATE-1")
            + tlv("86", point(private(self.key).public_key(), compressed=True))
            + tlv("DF65", self.group.encode())
            + tlv("DF66", self.fields)
            + tlv("5F25", bytes.fromhex(self.issued))
            + tlv("5F24", bytes.fromhex(self.expiry)),
        )
        return tlv("7F21", body + tlv("5F37", sign(self.signer or f"{self.ca.name}/ca", body)))

    def proof(self, challenge: bytes, aid: bytes) -> bytes:
        """Over the card's challenge."""
        return tlv("9E", sign(self.key, context("terminal") + challenge + aid))


def show(card: Terminal, terminal: TerminalCard, aid: bytes) -> int:
    """GET CHALLENGE, EXTERNAL AUTHENTICATE; the word of whichever was refused, or 9000."""
    asked = card.transmit(bytes.fromhex("0084000010"))
    if asked[-2:] != b"\x90\x00":
        return int.from_bytes(asked[-2:], "big")
    data = terminal.certificate + terminal.proof(asked[:-2], aid)
    return say(card, "00820000", data).sw


def verify_pin(card: Terminal, pin: bytes) -> int:
    """VERIFY the slot PIN."""
    return say(card, "00200081", pin).sw


def read(card: Terminal, sfi: int) -> Said:
    """READ BINARY by short identifier."""
    return say(card, f"00B0{0x80 | sfi:02X}00", le=True)


def read_all(read_one: Iterable[int], card: Terminal) -> dict[int, Said]:
    """Several files."""
    return {sfi: read(card, sfi) for sfi in read_one}
