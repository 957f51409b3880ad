"""The private keys of one card being made: from the pool or fresh, RSA or on P-384, as its profile says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from kojin_card.pki.profile import Purpose
from kojin_card.simulator.state import EcPrivateKey, KeyState, PrivateKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    from kojin_card.simulator.certificates import HolderKey
    from kojin_card.simulator.keypool import KeyPool
    from kojin_card.simulator.persona import Profile


class CardKeys:
    """Keys by role, each made once.

    Args:
        seed: the persona's.
        profile: of the card; without one every key is RSA.
        fresh: new keys instead of the worthless ones of the pool.
    """

    def __init__(self, pool: KeyPool, seed: str, profile: Profile | None, *, fresh: bool) -> None:
        self._pool, self._seed, self._fresh = pool, seed, fresh
        self._certificates = {} if profile is None else profile.certificates
        self._rsa: dict[str, rsa.RSAPrivateKey] = {}
        self._ec: dict[str, ec.EllipticCurvePrivateKey] = {}

    def rsa(self, role: str) -> rsa.RSAPrivateKey:
        """The RSA key of a role."""
        if role not in self._rsa:
            self._rsa[role] = self._pool.for_persona(self._seed, role, fresh=self._fresh)
        return self._rsa[role]

    def holder(self, purpose: Purpose) -> HolderKey:
        """The public key that the certificate of that purpose certifies."""
        return self._on_p384(purpose).public_key() if self._next(purpose) else self.rsa(purpose).public_key()

    def state(self, role: str) -> KeyState:
        """What the card keeps of a role's key. The key of a certificate is of the kind that its profile wants."""
        if role in set(Purpose) and self._next(Purpose(role)):
            return KeyState(private_ec=EcPrivateKey(self._on_p384(role).private_numbers().private_value))
        numbers = self.rsa(role).private_numbers()
        return KeyState(private=PrivateKey(numbers.p, numbers.q))

    def profile_id(self, purpose: Purpose) -> str | None:
        """Id of the profile of this card's certificate; None, which means today's, for a card without a profile."""
        return self._certificates[purpose].id if purpose in self._certificates else None

    def _next(self, purpose: Purpose) -> bool:
        return purpose in self._certificates and self._certificates[purpose].key.algorithm == "ec"

    def _on_p384(self, role: str) -> ec.EllipticCurvePrivateKey:
        if role not in self._ec:
            self._ec[role] = self._pool.ec_for_persona(self._seed, role, fresh=self._fresh)
        return self._ec[role]


def mark(key: HolderKey) -> str:
    """A number of the key that no other key has, as hex."""
    return f"{key.public_numbers().n:x}" if isinstance(key, RSAPublicKey) else f"{key.public_numbers().x:x}"
