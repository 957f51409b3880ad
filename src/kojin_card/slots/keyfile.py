"""Key files of owners and of the card's issuer: public part in clear, secret part under a passphrase."""

from __future__ import annotations

from secrets import token_bytes
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from pathlib import Path

    from kojin_card.globalplatform.keys import MasterKey, StaticKeys
    from kojin_card.secret import Secret
    from kojin_card.slots.ec import EcSigner
    from kojin_card.slots.owners import OwnerEntry
    from kojin_card.spec.owner import Owner


class DomainKeys(Protocol):
    """What the card's issuer needs of an owner to make its domain: the domain's keys of one card."""

    @property
    def owner(self) -> Owner:
        """Whose domain."""
        ...

    def for_card(self, card_identification: bytes) -> StaticKeys:
        """The newest key set of the owner for the card with that number."""
        ...


class OwnerKeys:
    """An owner's keys: the record key, the terminal CA, the master keys of its security domains.

    Attributes:
        owner: whose. record, terminal_ca: signers (P-256).
        masters: newest first; older ones open cards that were not rotated yet.
        begin: first day of record key and terminal CA.
    """

    owner: Owner
    record: EcSigner
    terminal_ca: EcSigner
    masters: tuple[MasterKey, ...]
    begin: date

    @classmethod
    def create(
        cls,
        owner: Owner,
        *,
        begin: date,
        bits: int = 256,
        master: MasterKey | None = None,
        random: Callable[[int], bytes] = token_bytes,
    ) -> OwnerKeys:
        """New keys. With ``master`` (a token's) the file will hold no master key."""
        raise NotImplementedError

    @classmethod
    def load(cls, path: Path, passphrase: Secret, *, masters: Sequence[MasterKey] = ()) -> OwnerKeys:
        """Open a key file.

        Args:
            masters: those that lie elsewhere (PKCS #11), by their versions.

        Raises:
            KeyFileError: not a key file of an owner, damaged, or another passphrase. InputError: unreadable.
        """
        raise NotImplementedError

    def save(self, path: Path, passphrase: Secret, *, random: Callable[[int], bytes] = token_bytes) -> None:
        """Write the key file, mode 0600, at once or not at all (an existing one is replaced).

        Raises:
            InputError: the folder cannot be written, or a passphrase shorter than 8 characters.
        """
        raise NotImplementedError

    def rotated(
        self,
        begin: date,
        *,
        record: bool = True,
        terminal_ca: bool = True,
        master: bool = True,
        random: Callable[[int], bytes] = token_bytes,
    ) -> OwnerKeys:
        """New keys from ``begin`` on beside the old public ones; the master gets the next version."""
        raise NotImplementedError

    def public(self, name_ja: str, name_en: str) -> OwnerEntry:
        """The entry for ``owners.toml``, earlier keys included."""
        raise NotImplementedError

    def for_card(self, card_identification: bytes) -> StaticKeys:
        """The newest key set for the card with that number."""
        raise NotImplementedError


class IssuerKeys:
    """The keys of the card's issuer (ISD): master keys only."""

    masters: tuple[MasterKey, ...]

    @classmethod
    def trial(cls) -> IssuerKeys:
        """The public trial keys. They protect nothing."""
        raise NotImplementedError

    @classmethod
    def create(
        cls, *, bits: int = 256, master: MasterKey | None = None, random: Callable[[int], bytes] = token_bytes
    ) -> IssuerKeys:
        """A new master key."""
        raise NotImplementedError

    @classmethod
    def load(cls, path: Path, passphrase: Secret, *, masters: Sequence[MasterKey] = ()) -> IssuerKeys:
        """As :meth:`OwnerKeys.load`."""
        raise NotImplementedError

    def save(self, path: Path, passphrase: Secret, *, random: Callable[[int], bytes] = token_bytes) -> None:
        """As :meth:`OwnerKeys.save`."""
        raise NotImplementedError

    def for_card(self, card_identification: bytes) -> StaticKeys:
        """The newest key set for the card with that number."""
        raise NotImplementedError
