"""AES-CMAC and key derivation in counter mode: NIST SP 800-38B (RFC 4493), NIST SP 800-108, and their use by SCP03.

Written from the standards for the client; the software card has its own (it is written twice on purpose).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK = 16
_KCV_SIZE = 3


class Purpose(IntEnum):
    """Derivation constants of SCP03 (GlobalPlatform Amendment D 1.2, table 4-1)."""

    CARD_CRYPTOGRAM = 0x00
    HOST_CRYPTOGRAM = 0x01
    CARD_CHALLENGE = 0x02
    S_ENC = 0x04
    S_MAC = 0x06
    S_RMAC = 0x07


def cmac(key: bytes, message: bytes) -> bytes:
    """AES-CMAC (RFC 4493 for AES-128): 16 bytes."""
    state = CMAC(algorithms.AES(key))
    state.update(message)
    return state.finalize()


def counter_kdf(prf: Callable[[bytes], bytes], fixed: Callable[[int], bytes], size: int) -> bytes:
    """KDF in counter mode (NIST SP 800-108 §5.1): ``size`` bytes of PRF(block 1) || PRF(block 2) ...

    Args:
        prf: 16 bytes of a message, under the key to derive from.
        fixed: the input of block ``i`` (from 1): counter and fixed data, in the order that this use of the KDF has.
    """
    blocks = -(-size // BLOCK)
    return b"".join(prf(fixed(number)) for number in range(1, blocks + 1))[:size]


def scp03_derive(key: bytes, purpose: Purpose, context: bytes, size: int) -> bytes:
    """The KDF of SCP03 (Amendment D 1.2 §4.1.5): 11 zeros, constant || 00 || L (bits, 2) || i (1) || context."""
    head = bytes(11) + bytes((purpose, 0x00)) + (size * 8).to_bytes(2, "big")
    return counter_kdf(lambda message: cmac(key, message), lambda number: head + bytes((number,)) + context, size)


def pad(data: bytes) -> bytes:
    """ISO/IEC 9797-1 padding method 2 to whole AES blocks: ``80`` and as many zeros as it takes (0 to 15)."""
    padded = data + b"\x80"
    return padded + bytes(-len(padded) % BLOCK)


def unpad(data: bytes) -> bytes | None:
    """What :func:`pad` was given; None when this is not its work."""
    clear = data.rstrip(b"\x00")
    if not data or len(data) % BLOCK or len(data) - len(clear) >= BLOCK or not clear.endswith(b"\x80"):
        return None
    return clear[:-1]


def block_vector(key: bytes, counter: bytes) -> bytes:
    """One block enciphered: the initial vector of a command or an answer (Amendment D 1.2 §6.2.6, §6.2.7)."""
    # ECB over one block is what the standard calls for: nothing else ever goes through it
    return _through(Cipher(algorithms.AES(key), modes.ECB()).encryptor(), counter)  # noqa: S305


def encrypt(key: bytes, vector: bytes, data: bytes) -> bytes:
    """AES-CBC without padding: ``data`` is whole blocks."""
    return _through(Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor(), data)


def decrypt(key: bytes, vector: bytes, data: bytes) -> bytes:
    """The other way."""
    return _through(Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor(), data)


def key_check_value(key: bytes) -> bytes:
    """The first 3 bytes of a block of ``01`` enciphered (GlobalPlatform 2.3.1 §B.6, for AES)."""
    return block_vector(key, b"\x01" * BLOCK)[:_KCV_SIZE]


def _through(context: CipherContext, data: bytes) -> bytes:
    return context.update(data) + context.finalize()
