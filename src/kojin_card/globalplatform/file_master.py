"""A master key in memory, from inside a key file (:mod:`kojin_card.slots.keyfile`): for offices without a token."""

from __future__ import annotations

from secrets import token_bytes
from typing import TYPE_CHECKING, Self

from kojin_card.errors import UsageError
from kojin_card.globalplatform.derivation import cmac
from kojin_card.globalplatform.keys import KEY_BITS, VERSIONS
from kojin_card.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable


class FileMaster:
    """An AES master key (:class:`~kojin_card.globalplatform.keys.MasterKey`); a context manager that wipes it.

    Args:
        key: 16 or 32 bytes; taken over, and wiped by :meth:`wipe`.
        version: of the key sets that are derived from it, 1 to 127.
        description: where it came from, for people.
    """

    trial = False

    def __init__(self, key: Secret, version: int = 1, description: str = "a master key in a file") -> None:
        if len(key.reveal()) * 8 not in KEY_BITS or version not in VERSIONS:
            raise UsageError(
                "a master key of 128 or 256 bits, and a version of 1 to 127", operation="take a master key"
            )
        self._key = key
        self.bits = len(key.reveal()) * 8
        self.version = version
        self.description = description

    @classmethod
    def create(cls, bits: int = 256, version: int = 1, *, random: Callable[[int], bytes] = token_bytes) -> Self:
        """A new one."""
        if bits not in KEY_BITS:
            raise UsageError("a master key has 128 or 256 bits", operation="make a master key")
        return cls(Secret(random(bits // 8)), version)

    def cmac(self, message: bytes) -> bytes:
        """AES-CMAC of ``message``: 16 bytes.

        Raises:
            UsageError: the key was wiped.
        """
        if not self._key:
            raise UsageError("the master key was wiped", operation="derive the keys of a card")
        return cmac(self._key.reveal(), message)

    def octets(self) -> bytearray:
        """The key itself, for whoever seals it inside a file of their own; the caller wipes it."""
        return bytearray(self._key.reveal())

    def wipe(self) -> None:
        """Overwrite the key."""
        self._key.wipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return f"FileMaster(bits={self.bits}, version={self.version})"
