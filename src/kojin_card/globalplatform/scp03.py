"""SCP03, the terminal's side (GlobalPlatform 2.3.1 Amendment D 1.2): mutual authentication, then protected commands.

A session is opened on a security domain, or on an application that a security domain serves. It dies with the first
thing that is not of the protocol, and with the first answer that does not come: after that nobody knows what the card
has counted. Its keys are wiped then, nothing is sent again, and there is no way back into it: open a new one and ask
the card what became of the last command.

An error status word (anything but 9000, 62xx, 63xx) carries no MAC, so the standard has it, and somebody in between can
forge one. It is told as the card's refusal and believed for nothing else: who goes on uses the next command's MAC.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import IntEnum
from secrets import token_bytes
from typing import TYPE_CHECKING, Protocol, Self

from kojin_card.errors import (
    ChannelWait,
    HostRefused,
    SecureChannelError,
    UsageError,
    WrongCardKeys,
)
from kojin_card.globalplatform.derivation import (
    BLOCK,
    Purpose,
    block_vector,
    cmac,
    decrypt,
    encrypt,
    pad,
    scp03_derive,
    unpad,
)
from kojin_card.globalplatform.keys import INITIAL_VERSION
from kojin_card.iso7816 import tlv
from kojin_card.iso7816.apdu import SHORT_LC_MAX, SHORT_LE_MAX, CommandApdu, ResponseApdu
from kojin_card.iso7816.status import SW
from kojin_card.spec.free_area import slot_applet_spec
from kojin_card.transport.answers import raise_for_sw

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from kojin_card.globalplatform.keys import StaticKeys
    from kojin_card.secret import Secret
    from kojin_card.spec import Evidence
    from kojin_card.transport.link import Link

_SELECT, _INITIALIZE_UPDATE, _EXTERNAL_AUTHENTICATE = 0xA4, 0x50, 0x82
_PROPRIETARY, _SECURE = 0x80, 0x04
_FCI, _DF_NAME = b"\x6f", b"\x84"

_DIVERSIFICATION, _KEY_INFORMATION, _COUNTER = 10, 3, 3
_SCP03 = 0x03
_I_S16, _I_PSEUDO_RANDOM, _I_R_MAC, _I_R_ENC = 0x01, 0x10, 0x20, 0x40

#: an S16 card's answer to a host challenge of 8 bytes
_WRONG_CHALLENGE = frozenset({SW.WRONG_LENGTH, SW.WRONG_DATA})
#: with these the card says that it does not, or no longer, know the session
_CARD_ENDED = frozenset(
    {
        SW.SECURITY_NOT_SATISFIED,
        SW.SM_OBJECTS_MISSING,
        SW.SM_OBJECTS_WRONG,
        SW.SM_NOT_SUPPORTED,
        SW.CLA_NOT_SUPPORTED,
    }
)
_BROKEN = "the session with the security domain broke before"


class SecurityLevel(IntEnum):
    """What protects a session (Amendment D 1.2, table 7-6). 00, authentication alone, is not among them: whatever came
    after it would be anybody's."""

    C_MAC = 0x01
    C_MAC_C_DEC = 0x03
    C_MAC_R_MAC = 0x11
    C_MAC_C_DEC_R_MAC = 0x13
    FULL = 0x33

    @property
    def enciphers(self) -> bool:
        """Whether command data is enciphered (C-DECRYPTION)."""
        return bool(self & 0x02)

    @property
    def answers_authentic(self) -> bool:
        """Whether answers carry a MAC (R-MAC)."""
        return bool(self & 0x10)

    @property
    def answers_enciphered(self) -> bool:
        """Whether data of answers is enciphered (R-ENCRYPTION)."""
        return bool(self & 0x20)


class ManagedCard(Protocol):
    """What a session needs of a card; :class:`~kojin_card.channel.CardChannel` has it."""

    @property
    def link(self) -> Link:
        """Where commands go."""
        ...

    @property
    def epoch(self) -> int:
        """Another number after each SELECT of an application and each reset."""
        ...

    def forget(self) -> None:
        """Believe nothing of what the card remembers; :attr:`epoch` becomes another."""
        ...

    def prove(self, operation: str, *evidence: Evidence) -> None:
        """Refuse what rests on an assumption, unless this card may be tried on."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Keep other programs off the card inside the block."""
        ...


@dataclass(frozen=True, slots=True)
class Peer:
    """What the card said of itself in INITIALIZE UPDATE; nothing of it is secret.

    Attributes:
        diversification: key diversification data, 10 bytes.
        key_version: version of the key set that it used.
        i: parameter of the protocol (Amendment D 1.2, table 5-1).
        counter: sequence counter of its pseudo-random challenges; None when its challenges are random.
    """

    diversification: bytes
    key_version: int
    i: int
    counter: int | None

    @property
    def s16(self) -> bool:
        """Whether challenges, cryptograms and MACs have 16 bytes, not 8."""
        return bool(self.i & _I_S16)


@dataclass(frozen=True, slots=True)
class _Answer:
    """INITIALIZE UPDATE's answer in parts."""

    peer: Peer
    challenge: bytes
    cryptogram: bytes


def check_gate(card: ManagedCard, operation: str) -> None:
    """The gate of everything that an owner or an issuer does: the whole free area is our assumption.

    Raises:
        UnprovenRefused: a card that is not ours, and nobody took the risk; nothing was sent.
    """
    card.prove(operation, slot_applet_spec().evidence)


class _Keys:
    """The keys of one session, wiped together."""

    def __init__(self, static: StaticKeys, context: bytes) -> None:
        size = static.bits // 8
        mac = static.mac.reveal()
        self.enc = bytearray(scp03_derive(static.enc.reveal(), Purpose.S_ENC, context, size))
        self.mac = bytearray(scp03_derive(mac, Purpose.S_MAC, context, size))
        self.rmac = bytearray(scp03_derive(mac, Purpose.S_RMAC, context, size))
        self.dek = bytearray(static.dek.reveal())

    def wipe(self) -> None:
        for key in (self.enc, self.mac, self.rmac, self.dek):
            key[:] = bytes(len(key))


class Scp03Session:
    """One session: commands in clear in, answers in clear out. Made by :func:`open_session`; a context manager.

    It ends with its block, when an application is selected or the card reset through the same channel, and with the
    first fault. Not for use by several threads at once.

    Attributes:
        aid: what the session is with.
        level: what protects it.
        peer: what the card said of itself.
    """

    def __init__(
        self, link: Link, keys: _Keys, aid: bytes, level: SecurityLevel, peer: Peer, alive: Callable[[], bool]
    ) -> None:
        self._link = link
        self._keys = keys
        self._alive = alive
        self._over = ""
        self._chain = bytes(BLOCK)
        self._counter = 0
        self._mac_size = 16 if peer.s16 else 8
        self.aid = aid
        self.level = level
        self.peer = peer

    def __repr__(self) -> str:
        return f"Scp03Session(level={self.level:02X}, {'over' if self._over else 'open'})"

    @property
    def is_over(self) -> bool:
        """Whether nothing can be sent in this session any more."""
        if not self._over and not self._alive():
            self._end("the card has forgotten this session: an application was selected, or it was reset")
        return bool(self._over)

    @property
    def room(self) -> int:
        """How many bytes of data one command can carry in this session."""
        room = SHORT_LC_MAX - self._mac_size
        return room // BLOCK * BLOCK - 1 if self.level.enciphers else room

    def close(self) -> None:
        """Wipe the keys. The card keeps its half until something is selected."""
        self._end("this session was closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(
        self, command: CommandApdu, *, operation: str, private: bool = True, private_data: bool = False
    ) -> ResponseApdu:
        """Protect one command, send it once and never again, and open its answer.

        Args:
            command: of class 00 or 80, at most :attr:`room` bytes of data and a Le of at most 256.
            private, private_data: as :meth:`Link.send` has them, so that either can be given where commands go.
                Observers see the header of what goes through a session, whatever is said here.

        Returns:
            The answer in clear, its status word the caller's to judge.

        Raises:
            SecureChannelError: the session was over, or is from now on.
            TransportError: the connection failed; the session is over, and what the card did is unknown.
            UsageError: no command that can be protected; nothing was sent and the session goes on.
        """
        del private, private_data
        short = len(command.data) <= self.room and (command.le or 0) <= SHORT_LE_MAX
        if command.cla not in (0x00, _PROPRIETARY) or not short:
            raise UsageError(f"a short command of class 00 or 80, at most {self.room} bytes", operation=operation)
        if self.is_over:
            raise SecureChannelError(self._over, operation=operation)
        understood = False
        try:
            answer = self._link.send(self._wrapped(command), operation=operation)
            clear = self._opened(answer, command.le, operation)
            understood = True
        finally:
            # also after a Ctrl-C: an answer that was not understood leaves nothing that could be gone on with
            if not understood:
                self._end(_BROKEN)
        return clear

    def wrapped_key(self, key: Secret) -> bytes:
        """A key enciphered under the key encryption key of the domain (Amendment D 1.2 §7.2): as long as the key.

        Raises:
            SecureChannelError: the session is over.
        """
        if self.is_over:
            raise SecureChannelError(self._over, operation="put a key set")
        return encrypt(bytes(self._keys.dek), bytes(BLOCK), key.reveal())

    # --- in detail ---------------------------------------------------------------------------------------------------

    def authenticate(self, host_cryptogram: bytes) -> None:
        """EXTERNAL AUTHENTICATE: what :func:`open_session` does last. It has a MAC and is never enciphered."""
        operation = "authenticate to a security domain"
        command = self._with_mac(
            CommandApdu(_PROPRIETARY, _EXTERNAL_AUTHENTICATE, self.level, 0x00), host_cryptogram, le=None
        )
        understood = False
        try:
            answer = self._link.send(command, operation=operation)
            if answer.sw == SW.UNLIMITED_TRIES:
                raise HostRefused("the card refused the host's cryptogram", operation=operation, sw=answer.sw)
            if not answer.ok or answer.data:
                raise SecureChannelError("the card did not open a session", operation=operation, sw=answer.sw)
            understood = True
        finally:
            if not understood:
                self._end(_BROKEN)

    def _end(self, why: str) -> None:
        self._over = self._over or why
        self._keys.wipe()

    def _wrapped(self, command: CommandApdu) -> CommandApdu:
        self._counter += 1  # with each command, whether it has data or not (Amendment D 1.2 §6.2.6)
        data = command.data
        if data and self.level.enciphers:
            data = encrypt(bytes(self._keys.enc), self._vector(0x00), pad(data))
        # every answer that is good has a MAC to carry, so there is always a Le
        return self._with_mac(command, data, le=SHORT_LE_MAX if self.level.answers_authentic else command.le)

    def _with_mac(self, command: CommandApdu, data: bytes, *, le: int | None) -> CommandApdu:
        """C-MAC (Amendment D 1.2 §6.2.4): over the chaining value, the header as it goes out, Lc with the MAC, data."""
        cla = command.cla | _SECURE
        head = bytes((cla, command.ins, command.p1, command.p2, len(data) + self._mac_size))
        self._chain = cmac(bytes(self._keys.mac), self._chain + head + data)
        data += self._chain[: self._mac_size]
        return CommandApdu(cla, command.ins, command.p1, command.p2, data, le, sensitive=True)

    def _opened(self, answer: ResponseApdu, le: int | None, operation: str) -> ResponseApdu:
        """Check and open an answer (Amendment D 1.2 §6.2.5, §6.2.7)."""

        def broken(why: str) -> SecureChannelError:
            return SecureChannelError(why, operation=operation, sw=answer.sw)

        if answer.sw in _CARD_ENDED:
            raise broken("the card ended the session, or does not let this session do that")
        if answer.sw != SW.OK and answer.sw >> 8 not in (0x62, 0x63):
            if answer.data:
                raise broken("data came with a refusal")
            return answer
        data = answer.data
        if self.level.answers_authentic:
            data, mac = data[: -self._mac_size], data[-self._mac_size :]
            right = cmac(bytes(self._keys.rmac), self._chain + data + answer.sw.to_bytes(2, "big"))
            if len(mac) != self._mac_size or not hmac.compare_digest(mac, right[: self._mac_size]):
                raise broken("the MAC of the answer is missing or wrong")
        if data and self.level.answers_enciphered:
            if len(data) % BLOCK:
                raise broken("the answer is not enciphered")
            clear = unpad(decrypt(bytes(self._keys.enc), self._vector(0x80), data))
            if clear is None:
                raise broken("wrong padding in the answer")
            data = clear
        if le is not None and len(data) > le:
            raise broken("more than was asked for came")
        return ResponseApdu(data, answer.sw)

    def _vector(self, direction: int) -> bytes:
        """IV of the current command (00) or its answer (80): the counter, enciphered."""
        counter = bytes((direction,)) + self._counter.to_bytes(BLOCK - 1, "big")
        return block_vector(bytes(self._keys.enc), counter)


def open_session(
    card: ManagedCard,
    aid: bytes,
    keys: StaticKeys,
    level: SecurityLevel = SecurityLevel.FULL,
    *,
    domain: bytes | None = None,
    s16: bool | None = None,
    random: Callable[[int], bytes] = token_bytes,
) -> Scp03Session:
    """Select and open: SELECT, INITIALIZE UPDATE, EXTERNAL AUTHENTICATE.

    The card must prove first that it has the keys: nothing that depends on them is sent to a card that does not.

    Args:
        aid: a security domain, or an application that one serves.
        keys: of that security domain; they stay the caller's, who wipes them.
        domain: the AID of the security domain when ``aid`` is an application of it.
        s16: whether the card must work with 16 bytes (True) or 8 (False); None: whichever it does.

    Raises:
        UnprovenRefused: a card that is not ours, and nobody took the risk; nothing was sent.
        NotOnCard: no such domain, or none with this version of keys.
        ChannelWait: the card makes one wait; ask again later.
        WrongCardKeys: the card has other keys; nothing was shown to it.
        HostRefused: the card refused ours. SecureChannelError: anything else that is not of the protocol.
    """
    operation = "open a session with a security domain"
    check_gate(card, operation)
    with card.transaction():
        card.forget()
        name = _selected(card.link, aid, operation)
        epoch = card.epoch
        host, answer = _initialize(card.link, keys.version, s16, random, operation)
        peer = answer.peer
        if peer.key_version != keys.version:
            raise WrongCardKeys("the card's key set has another version", operation=operation)
        _check_level(peer, level, operation)
        size = len(host)
        context = host + answer.challenge
        secrets = _Keys(keys, context)
        session = Scp03Session(card.link, secrets, aid, level, peer, lambda: card.epoch == epoch)
        opened = False
        try:
            mine = bytes(secrets.mac)
            if not hmac.compare_digest(scp03_derive(mine, Purpose.CARD_CRYPTOGRAM, context, size), answer.cryptogram):
                raise WrongCardKeys("the card's cryptogram is wrong", operation=operation)
            if peer.counter is not None:
                counted = peer.counter.to_bytes(_COUNTER, "big") + (domain or name or aid)
                due = scp03_derive(keys.enc.reveal(), Purpose.CARD_CHALLENGE, counted, size)
                if not hmac.compare_digest(due, answer.challenge):
                    raise SecureChannelError("the card's challenge is not that of its counter", operation=operation)
            session.authenticate(scp03_derive(mine, Purpose.HOST_CRYPTOGRAM, context, size))
            opened = True
        finally:
            if not opened:
                session.close()
    return session


def _selected(link: Link, aid: bytes, operation: str) -> bytes | None:
    """SELECT; the name that the card itself gives (FCI), or None when it gives none."""
    answer = link.send(CommandApdu(0x00, _SELECT, 0x04, 0x00, aid, SHORT_LE_MAX), operation=operation)
    if answer.sw != SW.DF_TERMINATED:  # a slot that is terminated is its owner's all the same
        raise_for_sw(operation, answer.sw)
    try:
        template = tlv.read_one(answer.data) if answer.data else None
        inner = list(tlv.read_all(template.value)) if template is not None and template.tag == _FCI else []
    except tlv.TlvError:
        return None
    return next((one.value for one in inner if one.tag == _DF_NAME), None)


def _initialize(
    link: Link, version: int, s16: bool | None, random: Callable[[int], bytes], operation: str
) -> tuple[bytes, _Answer]:
    """INITIALIZE UPDATE; again with a challenge of 16 bytes when the card wants that. The challenge, and the answer."""
    key_version = 0x00 if version == INITIAL_VERSION else version  # 00: the first key set; FF cannot be asked for
    for size in (8, 16) if s16 is None else ((16,) if s16 else (8,)):
        host = random(size)
        if len(host) != size:
            raise UsageError("the source of random bytes gave another number", operation=operation)
        command = CommandApdu(_PROPRIETARY, _INITIALIZE_UPDATE, key_version, 0x00, host, SHORT_LE_MAX)
        answer = link.send(command, operation=operation, private_data=True)
        if answer.sw in _WRONG_CHALLENGE and size == 8 and s16 is None:
            continue
        if answer.sw == SW.CONDITIONS_NOT_SATISFIED:
            raise ChannelWait("the card makes one wait", operation=operation, sw=answer.sw)
        if not answer.ok:
            raise_for_sw(operation, answer.sw)
        return host, _parsed(answer.data, size, operation)
    raise SecureChannelError("the card takes no challenge of 8 or 16 bytes", operation=operation)


def _parsed(data: bytes, size: int, operation: str) -> _Answer:
    """The answer of INITIALIZE UPDATE in parts (Amendment D 1.2, table 7-3); ``size`` is that of our challenge."""
    head = _DIVERSIFICATION + _KEY_INFORMATION
    if len(data) < head:
        raise SecureChannelError("the answer to INITIALIZE UPDATE is too short", operation=operation)
    version, protocol, i = data[_DIVERSIFICATION:head]
    if protocol != _SCP03:
        raise SecureChannelError("the card does not speak SCP03", operation=operation)
    counted = bool(i & _I_PSEUDO_RANDOM)
    if bool(i & _I_S16) != (size == 16) or len(data) != head + 2 * size + (_COUNTER if counted else 0):
        raise SecureChannelError("the answer to INITIALIZE UPDATE is not of this protocol", operation=operation)
    middle, end = head + size, head + 2 * size
    counter = int.from_bytes(data[end:], "big") if counted else None
    peer = Peer(data[:_DIVERSIFICATION], version, i, counter)
    return _Answer(peer, data[head:middle], data[middle:end])


def _check_level(peer: Peer, level: SecurityLevel, operation: str) -> None:
    if (level.answers_authentic and not peer.i & _I_R_MAC) or (level.answers_enciphered and not peer.i & _I_R_ENC):
        raise SecureChannelError("the card does not protect its answers as this level wants", operation=operation)
