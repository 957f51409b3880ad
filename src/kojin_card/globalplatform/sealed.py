"""A secret inside a file, under a passphrase: scrypt (RFC 7914) and AES-256-GCM (NIST SP 800-38D), as a JSON table.

What is sealed is bound to a context, so that one kind of file cannot be passed off as another. A wrong passphrase and a
changed file look the same: both are refused, and nothing is told of what was inside.
"""

from __future__ import annotations

import contextlib
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from kojin_card.errors import InputError, PassphraseRejected, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kojin_card.secret import Secret

#: log2 of scrypt's N: 2^17 takes 128 MiB and some tenths of a second. A file may not ask for more than 1 GiB.
COST = 17
_COSTS = range(14, 21)
_R, _P = 8, 1
_SALT, _NONCE, _KEY, _TAG = 16, 12, 32, 16
_MAX_SEALED = 64 * 1024
_FIELDS = {"kdf", "cost", "salt", "nonce", "sealed"}
_KDF = "scrypt"
_OPERATION = "open a sealed file"


def seal(
    content: bytes,
    passphrase: Secret,
    context: str,
    *,
    cost: int = COST,
    random: Callable[[int], bytes] = token_bytes,
) -> dict[str, str | int]:
    """``content`` under a passphrase, as a table for JSON.

    Args:
        context: what it is; :func:`unseal` must be given the same.
        cost: log2 of scrypt's N.

    Raises:
        UsageError: an empty passphrase, or more than 64 KiB.
    """
    if not passphrase or len(content) > _MAX_SEALED or cost not in _COSTS:
        raise UsageError("a passphrase, and at most 64 KiB", operation="seal a file")
    salt, nonce = random(_SALT), random(_NONCE)
    sealed = AESGCM(_key(passphrase, salt, cost)).encrypt(nonce, content, context.encode())
    return {"kdf": _KDF, "cost": cost, "salt": salt.hex(), "nonce": nonce.hex(), "sealed": sealed.hex()}


def unseal(table: Mapping[str, Any], passphrase: Secret, context: str) -> bytearray:
    """What :func:`seal` was given; the caller wipes it.

    Raises:
        InputError: not such a table. PassphraseRejected: the passphrase is wrong, or something was changed.
    """
    if set(table) != _FIELDS or table["kdf"] != _KDF or type(table["cost"]) is not int or table["cost"] not in _COSTS:
        raise InputError("not a sealed table of this form", operation=_OPERATION)
    salt, nonce, sealed = (_hex(table[name]) for name in ("salt", "nonce", "sealed"))
    if len(salt) != _SALT or len(nonce) != _NONCE or len(sealed) > _MAX_SEALED + _TAG:
        raise InputError("not a sealed table of this form", operation=_OPERATION)
    try:
        return bytearray(AESGCM(_key(passphrase, salt, table["cost"])).decrypt(nonce, sealed, context.encode()))
    except InvalidTag:
        pass  # told below, without a chain
    raise PassphraseRejected("", operation=_OPERATION)


def _key(passphrase: Secret, salt: bytes, cost: int) -> bytes:
    """The key of a passphrase.

    Raises:
        InputError: the machine has less memory than the cost asks for.
    """
    with contextlib.suppress(MemoryError):  # told below, without a chain
        return Scrypt(salt=salt, length=_KEY, n=1 << cost, r=_R, p=_P).derive(passphrase.reveal())
    raise InputError("not enough memory for the cost of this file", operation=_OPERATION)


def _hex(value: object) -> bytes:
    try:
        return bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return b""
