"""Key sets of a security domain: which one opens a session, PUT KEY, and what GET DATA tells of them."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kojin_card.iso7816 import tlv
from kojin_card.iso7816.status import SW
from kojin_card.simulator.content import KeySet
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.management import registry
from kojin_card.simulator.security import Refused
from kojin_card.spec.free_area import globalplatform_spec

if TYPE_CHECKING:
    from kojin_card.simulator.content import ContentState, DomainState

AES = 0x88
TRIAL_VERSION = 0xFF
TRIAL_KEY = bytes(range(0x40, 0x50))
_SIZES = (16, 32)
_LAST_VERSION = 0x7F
_FROM_FIRST = 0x81  # P2 of PUT KEY: several keys, the first is number 1
_CHECK_SIZE = 3
_BLOCK = 16
_IDS = (1, 2, 3)  # ENC, MAC, DEK
_KEY_INFORMATION, _KEY_TEMPLATE = b"\xc0", b"\xe0"


def trial_set() -> KeySet:
    """The public keys that a card leaves the factory with; everybody knows them."""
    return KeySet(TRIAL_VERSION, TRIAL_KEY, TRIAL_KEY, TRIAL_KEY)


def choose(content: ContentState, domain: DomainState, version: int) -> KeySet:
    """The key set of that version (00: the first); a domain without keys is opened with those of the issuer.

    Raises:
        Refused: 6A88.
    """
    sets = domain.keys or content.issuer.keys
    found = next((one for one in sets if version in (0, one.version)), None)
    if found is None:
        raise Refused(SW.REFERENCE_NOT_FOUND)
    return found


def diversification_data(card: Context) -> bytes:
    """Ten bytes that tell one card from another, made from its identification number. Nothing is derived from them."""
    first = card.spec.power_on
    objects = card.memory.state.applications[first.id].objects if first is not None else {}
    return bytes(2) + hashlib.sha256(objects.get("card_identification", b"")).digest()[-8:]


def information(domain: DomainState) -> bytes:
    """The key information template: for each key its number, version, type and length.

    Raises:
        Refused: 6A88, the domain has none of its own.
    """
    if not domain.keys:
        raise Refused(SW.REFERENCE_NOT_FOUND)
    rows = (bytes((number, one.version, AES, len(one.enc))) for one in domain.keys for number in _IDS)
    return tlv.encode(_KEY_TEMPLATE, b"".join(tlv.encode(_KEY_INFORMATION, row) for row in rows))


def put_key(card: Context, command: Received) -> Answer:
    """``80 D8``: a whole key set under the DEK of the session's; the answer is its version and check values.

    P1 is the version that it takes the place of, 00: none. The public keys of version FF go with the first real ones.
    A domain that had no keys has become its owner's with them: PERSONALIZED.

    Raises:
        Refused: 6A86 P2; 6A80 malformed; 9484 no AES key; 9485 a wrong check value; 6A88 no such version to replace;
            6985 a version that is there already; 6A84 no room for another.
    """
    apdu, channel = command.apdu, card.security.channel
    if apdu.p2 != _FROM_FIRST:
        raise Refused(SW.INCORRECT_P1P2)
    if channel is None:
        raise Refused(SW.SECURITY_NOT_SATISFIED)
    new = _read(apdu.data, channel.dek)
    domain = card.domain
    versions = [one.version for one in domain.keys]
    if apdu.p1 and apdu.p1 not in versions:
        raise Refused(SW.REFERENCE_NOT_FOUND)
    if new.version in versions and new.version != apdu.p1:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    kept = tuple(one for one in domain.keys if one.version not in (apdu.p1, TRIAL_VERSION))
    if len(kept) >= globalplatform_spec().number("key_sets_most"):
        raise Refused(SW.NO_ROOM)
    life_cycle = domain.life_cycle if domain.keys else registry.PERSONALIZED
    sets = (*kept, new)
    if apdu.p1:  # where it stood: the first stays the first
        sets = tuple(new if one.version == apdu.p1 else one for one in domain.keys)
    card.commit_content(
        card.content_state.with_domain(domain.aid, lambda one: replace(one, keys=sets, life_cycle=life_cycle))
    )
    return Answer(SW.OK, bytes((new.version,)) + b"".join(check_value(key) for key in (new.enc, new.mac, new.dek)))


def _read(data: bytes, dek: bytes) -> KeySet:
    """Version, then three times: 88, length, [length of the key,] enciphered key, 03, check value.

    The length of the key is left out by some clients, as for other algorithms; the length around it tells which it is.

    Raises:
        Refused: 6A80, 9484, 9485.
    """
    if not data or not 1 <= data[0] <= _LAST_VERSION:
        raise Refused(SW.WRONG_DATA)
    found, at = [], 1
    for _ in _IDS:
        if len(data) < at + 2:
            raise Refused(SW.WRONG_DATA)
        if data[at] != AES:
            raise Refused(SW.ALGORITHM_NOT_SUPPORTED)
        size = data[at + 1]
        body, end = data[at + 2 :][:size], at + 2 + size
        check = data[end : end + 1 + _CHECK_SIZE]
        if len(body) != size or len(check) != 1 + _CHECK_SIZE or check[0] != _CHECK_SIZE:
            raise Refused(SW.WRONG_DATA)
        if len(body) - 1 in _SIZES and body[0] == len(body) - 1:
            body = body[1:]
        if len(body) not in _SIZES:
            raise Refused(SW.WRONG_DATA)
        cipher = Cipher(algorithms.AES(dek), modes.CBC(bytes(_BLOCK))).decryptor()
        key = cipher.update(body) + cipher.finalize()
        if not hmac.compare_digest(check_value(key), check[1:]):
            raise Refused(SW.WRONG_CHECK_VALUE)
        found.append(key)
        at = end + 1 + _CHECK_SIZE
    enc, mac, key = found
    if at != len(data) or len({len(enc), len(mac), len(key)}) != 1:
        raise Refused(SW.WRONG_DATA)
    return KeySet(data[0], enc, mac, key)


def check_value(key: bytes) -> bytes:
    """The first three bytes of a block of 01 under the key (GlobalPlatform 2.3.1 §B.6)."""
    cipher = Cipher(algorithms.AES(key), modes.CBC(bytes(_BLOCK))).encryptor()
    return (cipher.update(b"\x01" * _BLOCK) + cipher.finalize())[:_CHECK_SIZE]
