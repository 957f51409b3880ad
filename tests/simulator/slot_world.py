"""A card with one owner's domain and one slot, and everybody who comes to it, for the tests of the slot applet.

Everything that goes to the card is made here by hand, from the bytes of ``applets_spec/free_area`` as they stand in its
text: objects, certificates, manifests, signatures. No codec of ``kojin_card`` is used.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kojin_card.simulator.chip import Chip
from kojin_card.simulator.content import ContentState, DomainState, KeySet, SlotState
from kojin_card.simulator.memory import VolatileMemory
from kojin_card.spec.load import load_card_spec
from simulator.gp_host import Host, Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kojin_card.simulator import CardState

_SELECT = 0xA4
#: static keys of the owner's domain
KEYS = (bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48)))
ISD = bytes.fromhex("A0000001510000")
DOMAIN = bytes.fromhex("F04B4F4A5344 A1A2A3A4A5A6A7A8")
SLOT = bytes.fromhex("F04B4F4A494E 0102030405060708")
OTHER_SLOT = bytes.fromhex("F04B4F4A494E 1112131415161718")
SELECT_SLOT = "00A4040C0E F04B4F4A494E0102030405060708"
SELECT_OTHER = "00A4040C0E F04B4F4A494E1112131415161718"
PIN = b"1357"
WRONG_PIN = b"2468"
INSTALLED, PERSONALIZED, ACTIVE, SUSPENDED, TERMINATED = range(5)
DATE = "20261101"

#: rule -> what a field behind it is called in the tests
TERMINAL, HOLDER, BOTH, EITHER, FREE, OWNERS = "01", "02", "03", "0102", "00", ""
#: sfi -> rule. 9 is not in the terminal's certificate, 10 not in what is listed of its CA.
FIELDS = {1: TERMINAL, 2: HOLDER, 3: BOTH, 4: EITHER, 5: FREE, 6: OWNERS, 9: TERMINAL, 10: TERMINAL}
CERTIFIED = "0103040A"
LISTED = "01030409"
GROUP = "kiosk"
#: bytes of one READ BINARY that fit an enciphered answer
PIECE = 0xDF


class PowerCut(BaseException):
    """The power went. No card catches it."""


class Memory(VolatileMemory):
    """Memory from which the power can be taken at a write.

    Attributes:
        commits: writes that were begun.
        cut: (number of the write, whether it was still done), or None.
    """

    def __init__(self, state: CardState) -> None:
        super().__init__(state)
        self.commits = 0
        self.cut: tuple[int, bool] | None = None

    def commit(self, state: CardState) -> None:
        number, self.commits = self.commits, self.commits + 1
        cut, done = self.cut or (-1, False)
        if number == cut and not done:
            raise PowerCut
        super().commit(state)
        if number == cut:
            raise PowerCut


# --- bytes by hand ----------------------------------------------------------------------------------------------------


def tlv(tag: str, value: bytes) -> bytes:
    """One object: length one byte below 80, else 82 hh ll."""
    size = len(value)
    return bytes.fromhex(tag) + (bytes((size,)) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")) + value


def key(number: int) -> ec.EllipticCurvePrivateKey:
    """A worthless P-256 key."""
    return ec.derive_private_key(0x1000 + number, ec.SECP256R1())


def compressed(one: ec.EllipticCurvePrivateKey) -> bytes:
    return one.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def sign(one: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """r and s, 32 bytes each."""
    r, s = decode_dss_signature(one.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(point: bytes, signature: bytes, message: bytes) -> None:
    """Raises InvalidSignature."""
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


RECORD_KEY, CA, PARTNER_CA, TERMINAL_KEY, STRANGER = (key(number) for number in range(5))


def authority(
    ca: ec.EllipticCurvePrivateKey = CA, fields: str = LISTED, kind: int = 1, code: bytes = b"13101"
) -> bytes:
    """One entry of A5."""
    entry = tlv("86", compressed(ca)) + tlv("82", bytes((kind,))) + tlv("83", code)
    return tlv("B0", entry + tlv("DF66", bytes.fromhex(fields)))


def authorities(*entries: bytes) -> bytes:
    return tlv("A5", b"".join(entries))


def groups(*names: str) -> bytes:
    return tlv("A6", b"".join(tlv("85", name.encode()) for name in names))


def certificate(
    ca: ec.EllipticCurvePrivateKey = CA,
    *,
    holder: ec.EllipticCurvePrivateKey = TERMINAL_KEY,
    group: str = GROUP,
    fields: str = CERTIFIED,
    issued: str = "20261120",
    expiry: str = "20270120",
    name: str = "GATE-1",
    signer: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """A terminal certificate; ``signer`` in place of the CA that it names makes a forged one."""
    body = tlv(
        "7F4E",
        tlv("42", hashlib.sha256(compressed(ca)).digest()[:8])
        + tlv("5F20", name.encode())
        + tlv("86", compressed(holder))
        + tlv("DF65", group.encode())
        + tlv("DF66", bytes.fromhex(fields))
        + tlv("5F25", bytes.fromhex(issued))
        + tlv("5F24", bytes.fromhex(expiry)),
    )
    return tlv("7F21", body + tlv("5F37", sign(signer or ca, body)))


def salted(number: int, value: bytes) -> bytes:
    """A salt that anybody can compute, and the value."""
    return hashlib.sha256(b"salt" + bytes((number,))).digest()[:16] + value


def content(sfi: int, version: int = 1) -> bytes:
    """What the field holds in a version of the record."""
    return salted(sfi, f"field {sfi} version {version}".encode())


def field_object(sfi: int, rule: str, octets: bytes) -> bytes:
    return tlv("A2", tlv("80", bytes((sfi,))) + tlv("81", bytes.fromhex(rule)) + tlv("82", octets))


DESCRIPTOR = salted(
    29,
    tlv("80", b"facility")
    + tlv("81", b"\x01")
    + tlv("82", b"\x01")
    + tlv("83", b"13101")
    + tlv("84", "図書館条例第3条".encode())
    + tlv("85", "図書館".encode()),
)


def manifest(
    *,
    card: bytes,
    point: bytes,
    counter: int,
    state: int,
    date: str,
    fields: Mapping[int, bytes],
    aid: bytes = SLOT,
    descriptor: bytes = DESCRIPTOR,
) -> bytes:
    """The manifest object, as the owner makes it of what is going to be on the card."""
    digests = b"".join(
        tlv("90", bytes((sfi,)) + hashlib.sha256(bytes((sfi,)) + octets).digest()) for sfi, octets in fields.items()
    )
    return tlv(
        "E1",
        tlv("80", b"\x01")
        + tlv("4F", aid)
        + tlv("81", card)
        + tlv("82", counter.to_bytes(4, "big"))
        + tlv("83", bytes((state,)))
        + tlv("87", bytes.fromhex(date))
        + tlv("88", hashlib.sha256(b"\x1d" + descriptor).digest())
        + tlv("86", point)
        + tlv("A7", digests),
    )


def signed(counter: int, state: int, date: str, signature: bytes) -> bytes:
    """The four objects of every series that changes the state."""
    return (
        tlv("82", counter.to_bytes(4, "big"))
        + tlv("83", bytes((state,)))
        + tlv("87", bytes.fromhex(date))
        + tlv("9E", signature)
    )


def blocks(series: bytes, size: int = 239) -> list[bytes]:
    """STORE DATA commands of one series."""
    pieces = [series[at : at + size] for at in range(0, len(series), size)] or [b""]
    last = len(pieces) - 1
    return [
        bytes((0x80, 0xE2, 0x90 if number == last else 0x10, number, len(piece))) + piece
        for number, piece in enumerate(pieces)
    ]


# --- the card and who comes to it -------------------------------------------------------------------------------------


@cache
def issued_state(card_state: Callable[[str], CardState]) -> CardState:
    """An adult's card with a domain of 8 KiB and two empty slots in it."""
    adult = card_state("adult")
    keys = (KeySet(1, *KEYS),)
    issuer = DomainState(ISD, 0x0F, bytes.fromhex("905C00"), keys=keys)
    own = DomainState(DOMAIN, 0x0F, bytes.fromhex("804000"), 1, "13101", quota=8192, keys=keys)
    slots = tuple(SlotState(aid, DOMAIN, 0x07, card_key=0x777 + n) for n, aid in enumerate((SLOT, OTHER_SLOT)))
    return replace(adult, content=ContentState(issuer, (own,), slots))


class World:
    """The card in power, with the slot selected.

    Attributes:
        memory: what survives :meth:`power_off`.
        counter: of the record that the owner wrote last.
        fields: contents of that record.
    """

    def __init__(self, state: CardState) -> None:
        self.memory = Memory(state)
        self.counter = 0
        self.fields: dict[int, bytes] = {}
        self._session: Host | None = None
        self._level = 0
        self.power_off()

    def power_off(self) -> None:
        """Lose everything volatile, then select the slot again."""
        self.memory.cut = self._session = None
        self.chip = Chip(load_card_spec(), self.memory, secrets.token_bytes)
        self.select()

    def reset(self) -> None:
        """Lose what a reset loses."""
        self._session = None
        self.chip.reset()

    def select(self) -> int:
        return self.say(SELECT_SLOT)[1]

    @property
    def slot(self) -> SlotState:
        """What is on the card, for looks behind its answers."""
        assert self.memory.state.content is not None
        found = self.memory.state.content.slot(SLOT)
        assert found is not None
        return found

    def transmit(self, command: bytes) -> bytes:
        """Bytes in, bytes out."""
        return self.chip.process(command)

    def say(self, command: str | bytes) -> tuple[bytes, int]:
        """One command in clear."""
        raw = bytes.fromhex(command) if isinstance(command, str) else command
        if raw[1] == _SELECT:
            self.close()
        answer = self.transmit(raw)
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def open(self, level: int = 0x33) -> None:
        """A session of the owner, unless there is one of that level. Opening one is a few writes."""
        if self._session is None or self._level != level:
            self._session, self._level = Host(self, Keys(*KEYS)).open(level=level), level

    def owner(self, command: str | bytes, level: int = 0x33) -> tuple[bytes, int]:
        """One command in a session of the owner."""
        self.open(level)
        session = self._session
        assert session is not None
        raw = bytes.fromhex(command) if isinstance(command, str) else command
        end = 4 if len(raw) <= 5 else 5 + raw[4]
        octets, word = session.unwrapped(self.transmit(session.wrapped(raw[:end], le=False) + raw[end:]))
        return octets, int(word, 16)

    def close(self) -> None:
        """The owner forgets the session; the next command opens another."""
        self._session = None

    def store(self, series: bytes, level: int = 0x33) -> int:
        """A series; the status word of the block that ended it."""
        word = 0x9000
        for block in blocks(series):
            word = self.owner(block, level)[1]
            if word != 0x9000:
                break
        return word

    # what the owner makes of what he reads on the card

    def manifest(self, counter: int, state: int, fields: Mapping[int, bytes], date: str = DATE) -> bytes:
        card = self.memory.state.applications["card_manager"].objects["card_identification"]
        point, word = self.owner("00CADF6300")
        assert word == 0x9000
        return manifest(card=card, point=point, counter=counter, state=state, date=date, fields=fields)

    def signature(self, counter: int, state: int, fields: Mapping[int, bytes], date: str = DATE) -> bytes:
        message = b"kojin-slot-record-v1\x00" + self.manifest(counter, state, fields, date)
        return sign(RECORD_KEY, message)

    def record(
        self,
        state: int,
        *,
        version: int = 1,
        rules: Mapping[int, str] = FIELDS,
        counter: int | None = None,
        date: str = DATE,
        extra: bytes = b"",
    ) -> bytes:
        """A full update."""
        number = self.counter + 1 if counter is None else counter
        fields = {sfi: content(sfi, version) for sfi in rules}
        return (
            tlv("C1", DESCRIPTOR)
            + b"".join(field_object(sfi, rules[sfi], octets) for sfi, octets in fields.items())
            + signed(number, state, date, self.signature(number, state, fields, date))
            + extra
        )

    def change(self, state: int, *, counter: int | None = None, date: str = DATE) -> bytes:
        """A change of state, with the record as it is."""
        number = self.counter + 1 if counter is None else counter
        return signed(number, state, date, self.signature(number, state, self.fields, date))

    def personalize(self, extra: bytes | None = None) -> None:
        """The first record, with a CA, a group and a PIN."""
        settings = authorities(authority()) + groups(GROUP) + tlv("C7", PIN) if extra is None else extra
        assert self.store(self.record(PERSONALIZED, extra=settings)) == 0x9000
        self.counter, self.fields = 1, {sfi: content(sfi) for sfi in FIELDS}

    def update(self, version: int, state: int = ACTIVE) -> None:
        assert self.store(self.record(state, version=version)) == 0x9000
        self.counter += 1
        self.fields = {sfi: content(sfi, version) for sfi in FIELDS}

    def go(self, *states: int) -> None:
        """From state to state."""
        for state in states:
            assert self.store(self.change(state)) == 0x9000
            self.counter += 1

    def bring_to(self, state: int) -> None:
        """The slot of a new card in that state."""
        if state != INSTALLED:
            self.personalize()
            self.go(*{PERSONALIZED: (), ACTIVE: (ACTIVE,), SUSPENDED: (ACTIVE, SUSPENDED)}.get(state, (ACTIVE, state)))

    # the holder and the terminal

    def holder(self, pin: bytes = PIN) -> int:
        """VERIFY."""
        return self.say(bytes.fromhex("0020008104") + pin)[1]

    def challenge(self) -> bytes:
        octets, word = self.say("0084000010")
        assert (len(octets), word) == (16, 0x9000)
        return octets

    def authenticate(self, presented: bytes, challenge: bytes, aid: bytes = SLOT) -> bytes:
        """EXTERNAL AUTHENTICATE of the terminal with :data:`TERMINAL_KEY`."""
        proof = sign(TERMINAL_KEY, b"kojin-slot-terminal-v1\x00" + challenge + aid)
        return external(presented + tlv("9E", proof))

    def terminal(self, presented: bytes | None = None) -> int:
        """GET CHALLENGE and EXTERNAL AUTHENTICATE."""
        challenge, word = self.say("0084000010")
        return self.say(self.authenticate(presented or certificate(), challenge))[1] if word == 0x9000 else word

    def read(self, sfi: int) -> tuple[bytes, int]:
        """READ BINARY from the beginning."""
        return self.say(bytes((0x00, 0xB0, 0x80 | sfi, 0x00, 0x00)))

    def read_all(self, sfi: int, say: Callable[[bytes], tuple[bytes, int]] | None = None) -> bytes:
        """A whole file, however long."""
        say = say or self.say
        octets, word = say(bytes((0x00, 0xB0, 0x80 | sfi, 0x00, PIECE)))
        assert word == 0x9000
        piece = octets
        while len(piece) == PIECE:
            piece, word = say(b"\x00\xb0" + len(octets).to_bytes(2, "big") + bytes((PIECE,)))
            assert word in (0x9000, 0x6B00)
            octets += piece
        return octets

    def as_owner(self, sfi: int) -> bytes:
        return self.read_all(sfi, self.owner)


def external(data: bytes) -> bytes:
    """EXTERNAL AUTHENTICATE with that data."""
    return bytes((0x00, 0x82, 0x00, 0x00, len(data))) + data


def objects(data: bytes) -> list[tuple[str, bytes]]:
    """Tags and values of one level of objects with tags of one byte."""
    found = []
    while data:
        start, size = (4, int.from_bytes(data[2:4], "big")) if data[1] == 0x82 else (2, data[1])
        found.append((data[:1].hex().upper(), data[start : start + size]))
        data = data[start + size :]
    return found


def joined(parts: Iterable[bytes]) -> bytes:
    return b"".join(parts)


def permuted(parts: Sequence[bytes], first: int, second: int) -> bytes:
    """The parts with two of them exchanged."""
    order = list(parts)
    order[first], order[second] = order[second], order[first]
    return b"".join(order)
