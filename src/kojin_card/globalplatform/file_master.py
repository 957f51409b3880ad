"""A master key in memory that lies in a file under a passphrase (:mod:`.sealed`): for offices without a token."""

from __future__ import annotations

import json
from secrets import token_bytes
from typing import TYPE_CHECKING, Any, Self

from kojin_card.errors import InputError, UsageError
from kojin_card.globalplatform.derivation import cmac
from kojin_card.globalplatform.keys import KEY_BITS, VERSIONS
from kojin_card.globalplatform.sealed import COST, seal, unseal, write_private
from kojin_card.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_KIND, _SCHEMA = "kojin-card master key", 1
_FIELDS = {"kind", "schema", "bits", "version", "secret"}
_MAX_FILE = 256 * 1024
_OPERATION = "open a master key file"


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

    # --- the file ----------------------------------------------------------------------------------------------------

    def to_json(
        self, passphrase: Secret, *, cost: int = COST, random: Callable[[int], bytes] = token_bytes
    ) -> dict[str, Any]:
        """The file's table; the key is sealed, what stands beside it is bound to it."""
        secret = seal(self._key.reveal(), passphrase, _context(self.bits, self.version), cost=cost, random=random)
        return {"kind": _KIND, "schema": _SCHEMA, "bits": self.bits, "version": self.version, "secret": secret}

    @classmethod
    def from_json(cls, table: object, passphrase: Secret, *, description: str = "a master key in a file") -> Self:
        """What :meth:`to_json` gave.

        Raises:
            InputError: not such a table. PassphraseRejected: the passphrase is wrong, or something was changed.
        """
        right = (
            isinstance(table, dict)
            and set(table) == _FIELDS
            and (table["kind"], table["schema"]) == (_KIND, _SCHEMA)
            and type(table["version"]) is int
            and table["version"] in VERSIONS
            and table["bits"] in KEY_BITS
            and isinstance(table["secret"], dict)
        )
        if not right or not isinstance(table, dict):
            raise InputError("not a master key file", operation=_OPERATION)
        key = unseal(table["secret"], passphrase, _context(table["bits"], table["version"]))
        try:
            if len(key) * 8 != table["bits"]:
                raise InputError("not a master key file", operation=_OPERATION)
            return cls(Secret(key), table["version"], description)
        finally:
            key[:] = bytes(len(key))

    def save(self, path: Path, passphrase: Secret) -> None:
        """A new file, mode 0600.

        Raises:
            InputError: the name is taken, or it cannot be written.
        """
        write_private(path, json.dumps(self.to_json(passphrase), indent=1).encode() + b"\n")

    @classmethod
    def load(cls, path: Path, passphrase: Secret) -> Self:
        """The key of a file.

        Raises:
            InputError: it cannot be read, or is no such file. PassphraseRejected: as :meth:`from_json`.
        """
        try:
            with path.open("rb") as stream:
                raw = stream.read(_MAX_FILE + 1)
            table = json.loads(raw) if len(raw) <= _MAX_FILE else None
        except (OSError, ValueError, RecursionError):
            table = None
        return cls.from_json(table, passphrase, description=f"the master key in {path.name}")


def _context(bits: int, version: int) -> str:
    return f"{_KIND} {_SCHEMA} {bits} {version}"
