"""SCP03 (GlobalPlatform Amendment D 1.2), the card's side: handshake, and commands of class 04 and 84.

What the standard leaves open: the sequence counter of the pseudo-random card challenge is a domain's, not a key set's;
neither PUT KEY nor DELETE sets it back, so no challenge of an AID comes twice. It rises with each INITIALIZE UPDATE
that is answered, before the answer leaves. Real clients compute that challenge themselves when i has bit 10, and warn
where it differs (pcsc.md §8), so it is what the standard says and not merely random.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.management import keys, registry
from kojin_card.simulator.security import Refused
from kojin_card.spec.free_area import globalplatform_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.iso7816.apdu import CommandApdu
    from kojin_card.simulator.content import DomainState, KeySet

SECURE = 0x04  # bit of the class: secure messaging as GlobalPlatform has it
PROTOCOL = 0x03
LEVELS = (0x01, 0x03, 0x11, 0x13, 0x33)  # level 00, no secure messaging at all, is not taken (the standard lets a card)
C_DECRYPTION, R_MAC, R_ENCRYPTION = 0x02, 0x10, 0x20
MOST_DATA = 239  # what an answer in a session holds beside padding and the longest MAC, with a short Le

_R_PROTECTION, _PSEUDO_RANDOM, _S16 = 0x60, 0x10, 0x01  # bits of i
_CARD_CRYPTOGRAM, _HOST_CRYPTOGRAM, _CARD_CHALLENGE, _S_ENC, _S_MAC, _S_RMAC = 0x00, 0x01, 0x02, 0x04, 0x06, 0x07
_INITIALIZE_UPDATE, _EXTERNAL_AUTHENTICATE = 0x50, 0x82
_PROPRIETARY = 0x80
_BLOCK = 16
_LAST_COUNTER = 0xFFFFFF
_SHORT_MAX, _EXTENDED_MAX = 256, 65536


@dataclass(frozen=True, slots=True)
class Handshake:
    """What INITIALIZE UPDATE made and EXTERNAL AUTHENTICATE needs."""

    domain: bytes
    keys: KeySet = field(repr=False)
    context: bytes = field(repr=False)
    size: int


@dataclass(slots=True)
class SecureChannel:
    """A session.

    Attributes:
        level: what commands and answers are protected with.
        size: bytes of a MAC on the wire: 8 or 16.
        dek: static key of the session's key set, under which PUT KEY delivers others.
        chaining: MAC of the last command, in full.
        counter: of commands since EXTERNAL AUTHENTICATE.
    """

    level: int
    size: int
    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    rmac: bytes = field(repr=False)
    dek: bytes = field(repr=False)
    chaining: bytes = field(default=bytes(_BLOCK), repr=False)
    counter: int = 0


def parameter(card: Context) -> int:
    """The byte i of this card: R-MAC and R-ENCRYPTION, kind of card challenge, S8 or S16."""
    knobs = card.memory.state.knobs
    return _R_PROTECTION | _PSEUDO_RANDOM * knobs.scp03_pseudo_random | _S16 * knobs.scp03_s16


def initialize_update(card: Context, command: Received) -> Answer:
    """``80 50``: the card's half of the handshake. A session that was open is over.

    Refusals, in this order: 6A86 P2, 6700 the length of the challenge, 6985 the domain is locked, or it waits after
    wrong cryptograms (each refusal is one less, and is kept), or its counter is at its end; 6A88 no such key version.
    """
    apdu = command.apdu
    size = 16 if card.memory.state.knobs.scp03_s16 else 8
    if apdu.p2:
        raise Refused(SW.INCORRECT_P1P2)
    if len(apdu.data) != size:
        raise Refused(SW.WRONG_LENGTH)
    domain = card.domain
    card.security.end_channel()
    if registry.is_locked(domain) or domain.sequence >= _LAST_COUNTER:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    if domain.waiting:
        _change(card, domain.aid, lambda one: replace(one, waiting=one.waiting - 1))
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    chosen = keys.choose(card.content_state, domain, apdu.p1)
    if card.memory.state.knobs.scp03_pseudo_random:
        counter = (domain.sequence + 1).to_bytes(3, "big")
        _change(card, domain.aid, lambda one: replace(one, sequence=one.sequence + 1))
        challenge = derive(chosen.enc, _CARD_CHALLENGE, counter + domain.aid, size)
    else:
        counter, challenge = b"", card.random(size)
    context = apdu.data + challenge
    card.security.handshake = Handshake(domain.aid, chosen, context, size)
    session_mac = derive(chosen.mac, _S_MAC, context, len(chosen.mac))
    cryptogram = derive(session_mac, _CARD_CRYPTOGRAM, context, size)
    head = keys.diversification_data(card) + bytes((chosen.version, PROTOCOL, parameter(card)))
    return Answer(SW.OK, head + challenge + cryptogram + counter)


def _external_authenticate(card: Context, apdu: CommandApdu) -> Answer:
    """``84 82``: the host's half. The handshake is used up, whatever comes of it.

    A wrong cryptogram is counted before it is compared, so that no cut of the power wins a try.

    Raises:
        Refused: 6A86 no such level; 6985 nothing to finish; 6700; 6300 wrong cryptogram; 6982 wrong MAC.
    """
    if apdu.p1 not in LEVELS or apdu.p2:
        raise Refused(SW.INCORRECT_P1P2)
    begun = card.security.handshake
    card.security.end_channel()
    if begun is None:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    size = begun.size
    if len(apdu.data) != 2 * size:
        raise Refused(SW.WRONG_LENGTH)
    _change(card, begun.domain, _one_failure_more)
    enc, mac = begun.keys.enc, begun.keys.mac
    channel = SecureChannel(
        level=apdu.p1,
        size=size,
        enc=derive(enc, _S_ENC, begun.context, len(enc)),
        mac=derive(mac, _S_MAC, begun.context, len(mac)),
        rmac=derive(mac, _S_RMAC, begun.context, len(mac)),
        dek=begun.keys.dek,
    )
    wanted = derive(channel.mac, _HOST_CRYPTOGRAM, begun.context, size)
    if not hmac.compare_digest(wanted, apdu.data[:size]):
        raise Refused(SW.UNLIMITED_TRIES)
    _change(card, begun.domain, lambda one: replace(one, failures=0, waiting=0))
    _check_mac(channel, apdu, extended=False)
    card.security.channel = channel
    return Answer(SW.OK)


def unwrap(card: Context, command: Received, process: Callable[[Received], Answer]) -> Answer:
    """A command of class 04 or 84: checked, taken out of its protection, done by ``process``, its answer protected.

    Answers with an error have no data and no MAC, as the standard says; warnings have one. A command without data is
    not enciphered but counts; one that is enciphered padding and nothing else is taken too (yubikey-manager sends it).

    Raises:
        Refused: 6982 no session, a wrong MAC or wrong padding (the session is over); 6985 for an INITIALIZE UPDATE in a
            session; 6700 the protected answer is longer than what can come back. Whatever ``process`` refuses.
    """
    apdu, security = command.apdu, card.security
    if apdu.cla == _PROPRIETARY | SECURE and apdu.ins == _EXTERNAL_AUTHENTICATE:
        return _external_authenticate(card, apdu)
    channel = security.channel
    if channel is None:
        raise Refused(SW.SECURITY_NOT_SATISFIED)
    try:
        clear = _open(channel, apdu, extended=command.extended)
    except Refused:
        security.end_channel()
        raise
    if apdu.ins == _INITIALIZE_UPDATE:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    security.level = channel.level
    try:
        le = apdu.le and min(apdu.le, _room(channel, _EXTENDED_MAX if command.extended else _SHORT_MAX))
        answer = process(replace(command, apdu=replace(apdu, cla=apdu.cla & ~SECURE, data=clear, le=le)))
    except Refused as refusal:
        if not _is_warning(refusal.sw):
            raise
        answer = Answer(refusal.sw)
    finally:
        security.level = 0
    return _sealed(channel, answer, most=_EXTENDED_MAX if command.extended else _SHORT_MAX)


def _open(channel: SecureChannel, apdu: CommandApdu, *, extended: bool) -> bytes:
    """The data of a command in clear.

    Raises:
        Refused: 6982.
    """
    data = _check_mac(channel, apdu, extended=extended)
    channel.counter += 1
    if not channel.level & C_DECRYPTION or not data:
        return data
    if len(data) % _BLOCK:
        raise Refused(SW.SECURITY_NOT_SATISFIED)
    cipher = Cipher(algorithms.AES(channel.enc), modes.CBC(_iv(channel, answer=False))).decryptor()
    padded = cipher.update(data) + cipher.finalize()
    clear, mark, zeros = padded.rpartition(b"\x80")
    if not mark or any(zeros) or len(zeros) >= _BLOCK:
        raise Refused(SW.SECURITY_NOT_SATISFIED)
    return clear


def _check_mac(channel: SecureChannel, apdu: CommandApdu, *, extended: bool) -> bytes:
    """The data in front of the MAC; the chain goes on.

    Raises:
        Refused: 6982.
    """
    if len(apdu.data) < channel.size:
        raise Refused(SW.SECURITY_NOT_SATISFIED)
    length = len(apdu.data)
    lc = b"\x00" + length.to_bytes(2, "big") if extended else bytes((length,))
    data, sent = apdu.data[: -channel.size], apdu.data[-channel.size :]
    mac = cmac(channel.mac, channel.chaining + apdu.header + lc + data)
    if not hmac.compare_digest(mac[: channel.size], sent):
        raise Refused(SW.SECURITY_NOT_SATISFIED)
    channel.chaining = mac
    return data


def _room(channel: SecureChannel, most: int) -> int:
    """How much of an answer can come back when it is protected: a READ BINARY gives that much and the host goes on.

    Le itself says nothing of it under R-MAC: it is 00 for whatever comes (Amendment D 1.2 §6.2.5).
    """
    if not channel.level & R_MAC:
        return most
    room = most - channel.size
    return room // _BLOCK * _BLOCK - 1 if channel.level & R_ENCRYPTION else room


def _sealed(channel: SecureChannel, answer: Answer, *, most: int) -> Answer:
    if not channel.level & R_MAC or not (answer.sw == SW.OK or _is_warning(answer.sw)):
        return answer
    data = answer.data
    if channel.level & R_ENCRYPTION and data:
        cipher = Cipher(algorithms.AES(channel.enc), modes.CBC(_iv(channel, answer=True))).encryptor()
        padded = data + b"\x80" + bytes(-(len(data) + 1) % _BLOCK)
        data = cipher.update(padded) + cipher.finalize()
    mac = cmac(channel.rmac, channel.chaining + data + answer.sw.to_bytes(2, "big"))[: channel.size]
    if len(data) + channel.size > most:
        raise Refused(SW.WRONG_LENGTH)
    return replace(answer, data=data + mac)


def _is_warning(sw: int) -> bool:
    return sw >> 8 in (0x62, 0x63)


def _iv(channel: SecureChannel, *, answer: bool) -> bytes:
    """Counter of the command in one block, for an answer with the first bit set, enciphered by itself."""
    block = bytes((0x80 if answer else 0x00,)) + channel.counter.to_bytes(_BLOCK - 1, "big")
    cipher = Cipher(algorithms.AES(channel.enc), modes.CBC(bytes(_BLOCK))).encryptor()
    return cipher.update(block) + cipher.finalize()


def _one_failure_more(domain: DomainState) -> DomainState:
    """From the third wrong cryptogram in a row on, the domain waits for 1, 2, 4 ... INITIALIZE UPDATE commands."""
    spec = globalplatform_spec()
    failures = min(domain.failures + 1, 0xFF)
    beyond = failures - spec.number("velocity_free")
    waiting = min(1 << beyond, spec.number("velocity_most")) if beyond >= 0 else 0
    return replace(domain, failures=failures, waiting=waiting)


def _change(card: Context, domain: bytes, change: Callable[[DomainState], DomainState]) -> None:
    card.commit_content(card.content_state.with_domain(domain, change))


def derive(key: bytes, constant: int, context: bytes, size: int) -> bytes:
    """The data derivation of Amendment D §4.1.5: NIST SP 800-108 in counter mode with CMAC; ``size`` bytes."""
    label = bytes(11) + bytes((constant,))
    bits = (8 * size).to_bytes(2, "big")
    blocks = (
        cmac(key, label + b"\x00" + bits + bytes((number,)) + context) for number in range(1, -(-size // _BLOCK) + 1)
    )
    return b"".join(blocks)[:size]


def cmac(key: bytes, message: bytes) -> bytes:
    """AES-CMAC (NIST SP 800-38B), 16 bytes."""
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()
