"""Secure messaging, the card's side (card.md §4.7): key delivery, and commands of class 08.

It hides what is read and shown from then on. Nothing is authenticated: the only check is the padding of what was
deciphered, and when that is wrong the session is destroyed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kojin_card.iso7816 import tlv
from kojin_card.iso7816.apdu import EXTENDED_LE_MAX
from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.security import Refused, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.iso7816.apdu import CommandApdu

_BLOCK = 16
_DELIVERY = bytes.fromhex("A0228020")  # A0{ 80 seed }; the two forms with 81, a key for checksums, are not taken
_SEED, _KEY = 32, 16
_CRYPTOGRAM, _EXPECTED = 0x86, 0x96
_PADDED = b"\x01"  # what stands before a cryptogram: it is padded
_SECURE = 0x08
_SELECT, _READ_BINARY, _VERIFY = 0xA4, 0xB0, 0x20


def deliver_key(card: Context, command: Received) -> Answer:
    """``80 AE 00 00``: a session key, encrypted for the key of EF 0006. A new one begins a new session.

    Checks: whether the application takes one at all (6D00 where nobody has tried), P1 and P2 (6A86), the PIN (6982),
    whether this card has the private key (66F1, an assumption: the card of an older file, the published test card), the
    length and that no Le came (6700, an assumption), the number below the modulus (6F00), then what was enciphered:
    6A80. One word for a wrong padding and for a wrong structure tells nobody which it was (for the padding an
    assumption). A delivery that is refused leaves the session that there was (assumption).
    """
    rules = card.application.secure_messaging
    if rules is None:
        raise Refused(SW.INS_NOT_SUPPORTED)
    if rules.refused is not None:
        raise Refused(rules.refused)
    apdu = command.apdu
    if apdu.p1 or apdu.p2:
        raise Refused(SW.INCORRECT_P1P2)
    card.security.require(rules.after)
    private = card.content.session_key
    if private is None:
        raise Refused(SW.SM_NOT_CONFIGURED)
    engine = card.engine(private)
    if len(apdu.data) != engine.size or apdu.le is not None:
        raise Refused(SW.WRONG_LENGTH)
    if apdu.data >= engine.modulus:
        raise Refused(SW.NO_PRECISE_DIAGNOSIS)
    try:
        message = engine.decrypt_oaep(apdu.data)
    except ValueError:
        raise Refused(SW.WRONG_DATA) from None
    if len(message) != len(_DELIVERY) + _SEED or not message.startswith(_DELIVERY):
        raise Refused(SW.WRONG_DATA)
    card.security.session = Session(message[len(_DELIVERY) :][:_KEY])
    return Answer(SW.OK)


def unwrap(card: Context, command: Received, process: Callable[[Received], Answer]) -> Answer:
    """A command of class 08: taken out of its data object, done by ``process``, its data put into another.

    VERIFY, SELECT and READ BINARY are what was seen in a session. Of anything else no source knows: 6882, and the
    session stays as it was (assumption). So does a READ BINARY without an extended Le: 6700 (assumption). Once the
    data object is good the command counts, whatever comes of it. The length of an answer is written as in files: from
    80 on in the form 82 (assumption).

    Raises:
        Refused: without a session 6882 (SELECT, and what cannot be in one) or 69FC; 6988, and the session is destroyed:
            not exactly one data object, or not the right one, or wrong padding. Whatever ``process`` refuses.
    """
    session, apdu = card.security.session, command.apdu
    if apdu.cla != _SECURE or (session is None and apdu.ins == _SELECT):
        raise Refused(SW.SM_NOT_SUPPORTED)
    if session is None:
        raise Refused(SW.NO_SM_SESSION)
    if apdu.ins not in (_SELECT, _READ_BINARY, _VERIFY):
        raise Refused(SW.SM_NOT_SUPPORTED)
    if apdu.ins == _READ_BINARY and (apdu.le is None or not command.extended):
        raise Refused(SW.WRONG_LENGTH)
    iv = _iv(session)
    try:
        inner = _inside(session.key, iv, apdu)
    except ValueError:
        card.security.session = None
        raise Refused(SW.SM_OBJECTS_WRONG) from None
    session.counter += 1
    answer = process(replace(command, apdu=inner))
    if not answer.data:
        return answer
    cipher = Cipher(algorithms.AES(session.key), modes.CBC(iv)).encryptor()
    padded = answer.data + b"\x80" + bytes(-(len(answer.data) + 1) % _BLOCK)
    sealed = tlv.encode(bytes((_CRYPTOGRAM,)), _PADDED + cipher.update(padded) + cipher.finalize())
    if apdu.le is None or len(sealed) > apdu.le:
        raise Refused(SW.WRONG_LENGTH)
    return replace(answer, data=sealed)


def _inside(key: bytes, iv: bytes, apdu: CommandApdu) -> CommandApdu:
    """The command in clear.

    Raises:
        ValueError: not exactly the one data object that this command has, or wrong padding.
    """
    tag, value = _object(apdu.data)
    if apdu.ins == _READ_BINARY:
        if tag != _EXPECTED or len(value) != 3 or value[0]:
            raise ValueError("no expected length")
        return replace(apdu, cla=0, data=b"", le=int.from_bytes(value[1:], "big") or EXTENDED_LE_MAX)
    if tag != _CRYPTOGRAM or value[:1] != _PADDED:
        raise ValueError("no cryptogram")
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    padded = cipher.update(value[1:]) + cipher.finalize()
    clear, mark, zeros = padded.rpartition(b"\x80")
    if not mark or any(zeros) or len(zeros) >= _BLOCK:
        raise ValueError("wrong padding")
    return replace(apdu, cla=0, data=clear)


def _object(data: bytes) -> tuple[int, bytes]:
    """Tag and value of the one data object; its length in one byte, or behind 81 or 82 (MC sm.rs: both are taken).

    Raises:
        ValueError: no object, or something behind it.
    """
    form = {0x81: 1, 0x82: 2}.get(data[1], 0) if len(data) >= 2 else 0
    start = 2 + form
    if len(data) < start or data[1] > 0x82 or (data[1] >= 0x80 and not form):
        raise ValueError("no data object")
    length = int.from_bytes(data[2:start], "big") if form else data[1]
    if len(data) != start + length:
        raise ValueError("not exactly one data object")
    return data[0], data[start:]


def _iv(session: Session) -> bytes:
    """The counter in sixteen bytes, enciphered with an initial vector of zeros."""
    cipher = Cipher(algorithms.AES(session.key), modes.CBC(bytes(_BLOCK))).encryptor()
    return cipher.update(session.counter.to_bytes(_BLOCK, "big")) + cipher.finalize()
