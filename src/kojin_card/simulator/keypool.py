"""The committed pool of worthless keys (``fixtures/pki/keys.toml``) and the choice of a persona's keys from it.

Generating RSA-2048 keys costs a second for a card; a pool makes cards cheap and the same each time. Whoever wants keys
that are not in the repository asks for fresh ones.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kojin_card.errors import SpecError, UsageError
from kojin_card.resources import data_root
from kojin_card.spec.strict import parse_toml, unique

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from kojin_card.spec.strict import Table

EXPONENT = 65537
BITS = 2048
FILE = "keys.toml"
USES = ("ca", "cv-ca", "municipality", "persona", "licence")
_PRIME = re.compile(r"[0-9a-f]{256}")
_SCALAR = re.compile(r"[0-9a-f]{96}")
_LABEL = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class PooledKey:
    """One key of the pool: its two primes; the rest of an RSA key follows from them."""

    label: str
    use: str
    p: int = field(repr=False)
    q: int = field(repr=False)

    def private_key(self) -> rsa.RSAPrivateKey:
        """The key itself. The checks of the primes are left out: a test of the repository makes them once."""
        d = rsa.rsa_recover_private_exponent(EXPONENT, self.p, self.q)
        numbers = rsa.RSAPrivateNumbers(
            p=self.p,
            q=self.q,
            d=d,
            dmp1=rsa.rsa_crt_dmp1(d, self.p),
            dmq1=rsa.rsa_crt_dmq1(d, self.q),
            iqmp=rsa.rsa_crt_iqmp(self.p, self.q),
            public_numbers=rsa.RSAPublicNumbers(EXPONENT, self.p * self.q),
        )
        return numbers.private_key(unsafe_skip_rsa_key_validation=True)


@dataclass(frozen=True, slots=True)
class PooledEcKey:
    """One key of the pool on P-384, for the next card and its CAs: its scalar."""

    label: str
    use: str
    d: int = field(repr=False)

    def private_key(self) -> ec.EllipticCurvePrivateKey:
        """The key itself."""
        return ec.derive_private_key(self.d, ec.SECP384R1())


class KeyPool:
    """Keys by label, and keys for a persona. Keys are built when first asked for and then kept."""

    def __init__(self, keys: Mapping[str, PooledKey | PooledEcKey], roles: tuple[str, ...]) -> None:
        self._keys = dict(keys)
        self._built: dict[str, rsa.RSAPrivateKey] = {}
        self._built_ec: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.roles = roles

    @classmethod
    def load(cls, source: Traversable | Path | None = None) -> KeyPool:
        """Read a pool (``keys.toml`` of the package when ``source`` is None).

        Raises:
            SpecError: unreadable, unknown or missing key, wrong type, a label twice, fewer persona keys than roles.
        """
        source = data_root("fixtures/pki").joinpath(FILE) if source is None else source
        try:
            text = source.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise SpecError("not a readable text file", file=source.name, table="") from None
        top = parse_toml(text, source.name)
        if top.take("schema", int) != 1:
            raise top.error("schema must be 1")
        roles = top.texts("roles")
        keys: dict[str, PooledKey | PooledEcKey] = {}
        for table in top.tables("key", required=True):
            key = _key(table)
            unique(table, keys, key.label, key)
        top.done()
        if len(set(roles)) < len(roles):
            raise top.error("a role stands twice")
        for kind in {type(key) for key in keys.values()} | {PooledKey}:
            if sum(type(key) is kind and key.use == "persona" for key in keys.values()) < len(roles):
                raise top.error("fewer persona keys than roles")
        return cls(keys, roles)

    @property
    def keys(self) -> tuple[PooledKey, ...]:
        """All RSA keys, in the order of the file."""
        return tuple(key for key in self._keys.values() if isinstance(key, PooledKey))

    @property
    def ec_keys(self) -> tuple[PooledEcKey, ...]:
        """All keys on P-384, in the order of the file."""
        return tuple(key for key in self._keys.values() if isinstance(key, PooledEcKey))

    def key(self, label: str) -> rsa.RSAPrivateKey:
        """The RSA key called ``label``.

        Raises:
            UsageError: the pool has none.
        """
        if label not in self._built:
            pooled = self._keys.get(label)
            if not isinstance(pooled, PooledKey):
                raise UsageError("no such key in the pool", label=label)
            self._built[label] = pooled.private_key()
        return self._built[label]

    def ec_key(self, label: str) -> ec.EllipticCurvePrivateKey:
        """The key on P-384 called ``label``.

        Raises:
            UsageError: the pool has none.
        """
        if label not in self._built_ec:
            pooled = self._keys.get(label)
            if not isinstance(pooled, PooledEcKey):
                raise UsageError("no such key in the pool", label=label)
            self._built_ec[label] = pooled.private_key()
        return self._built_ec[label]

    def __contains__(self, label: object) -> bool:
        return label in self._keys

    def use(self, label: str) -> str | None:
        """What the key called ``label`` is reserved for (one of :data:`USES`), or None."""
        return self._keys[label].use if label in self._keys else None

    def label_for(self, seed: str, role: str, kind: type[PooledKey | PooledEcKey] = PooledKey) -> str:
        """Label of the key that the persona with that ``seed`` uses in that ``role``; a role never shares its key.

        Raises:
            UsageError: a role that the pool does not list.
        """
        if role not in self.roles:
            raise UsageError("no such role of a key", role=role)
        mine = sorted(
            (key.label for key in self._keys.values() if key.use == "persona" and type(key) is kind),
            key=lambda label: hashlib.sha256(f"{seed}\0{label}".encode()).digest(),
        )
        return mine[self.roles.index(role)]

    def for_persona(self, seed: str, role: str, *, fresh: bool = False) -> rsa.RSAPrivateKey:
        """The persona's RSA key for that role: from the pool by seed, or with ``fresh`` a new one nobody else has.

        Raises:
            UsageError: a role that the pool does not list.
        """
        label = self.label_for(seed, role)
        return generate() if fresh else self.key(label)

    def ec_for_persona(self, seed: str, role: str, *, fresh: bool = False) -> ec.EllipticCurvePrivateKey:
        """The same for a card whose key of that role is on P-384."""
        label = self.label_for(seed, role, PooledEcKey)
        return generate_ec() if fresh else self.ec_key(label)


def _key(table: Table) -> PooledKey | PooledEcKey:
    label, use = table.take("label", str), table.take("use", str)
    scalar = table.take("d", str) if table.has("d") else None
    primes = ("", "") if scalar is not None else (table.take("p", str), table.take("q", str))
    table.done()
    if not _LABEL.fullmatch(label):
        raise table.error("label must be words of small letters and digits with hyphens between them")
    if use not in USES:
        raise table.error("use must be one of " + ", ".join(USES))
    if scalar is not None:
        return PooledEcKey(label, use, _scalar(table, scalar))
    if not all(_PRIME.fullmatch(prime) for prime in primes):
        raise table.error("p and q must be 128 bytes of lower-case hex")
    p, q = (int(prime, 16) for prime in primes)
    if p == q or not p % 2 or not q % 2 or (p * q).bit_length() != BITS:
        raise table.error(f"p and q do not make a key of {BITS} bits")
    return PooledKey(label, use, p, q)


def _scalar(table: Table, text: str) -> int:
    if not _SCALAR.fullmatch(text):
        raise table.error("d must be 48 bytes of lower-case hex")
    try:
        ec.derive_private_key(int(text, 16), ec.SECP384R1())
    except ValueError:
        raise table.error("d is no private key on P-384") from None
    return int(text, 16)


def generate() -> rsa.RSAPrivateKey:
    """A new RSA-2048 key from the system's randomness (about a quarter of a second)."""
    return rsa.generate_private_key(public_exponent=EXPONENT, key_size=BITS)


def generate_ec() -> ec.EllipticCurvePrivateKey:
    """A new key on P-384 from the system's randomness."""
    return ec.generate_private_key(ec.SECP384R1())
