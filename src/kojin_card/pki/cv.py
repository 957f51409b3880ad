"""Card-verifiable certificates (カード検証可能証明書, card.md §2.7) and the CA keys that certify them. No X.509.

A CA key is picked by the whole 16 bytes of its id, by the application whose certificates it signs, and by the store;
then it must verify the signature. The three stores are the ones of X.509, told apart by key and never mixed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, SpecError, TrustError
from kojin_card.pki import der
from kojin_card.pki.algorithms import SHA256_DIGEST_INFO, Outcome, PublicKey, acceptable_key
from kojin_card.pki.profile import Store
from kojin_card.resources import data_root
from kojin_card.spec import decode
from kojin_card.spec.strict import Table, parse_toml

if TYPE_CHECKING:
    from kojin_card.spec import LayoutSpec, Record

KEY_ID_BYTES = 16
_MODULUS_BYTES = 256
_DIGEST_BYTES = 32
#: the AlgorithmIdentifier (SHA-256 with its NULL) inside the DigestInfo of RFC 8017 §9.2
_ALGORITHM = SHA256_DIGEST_INFO[2:-2]
#: an EMSA-PKCS1-v1_5 block has at least eight bytes of padding (RFC 8017 §9.2)
_LEAST_PADDING = 8


@dataclass(frozen=True, slots=True)
class CvKey:
    """A CA key of card-verifiable certificates, trusted for one application in one store.

    Attributes:
        name: the number in its id (``5000033``).
        application: id of the application in the specs.
        key_id: 証明者鍵ID, 16 bytes.
    """

    name: str
    application: str
    store: Store
    key_id: bytes
    key: PublicKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class CvStore:
    """The CA keys of one store. Keys of another store cannot get in.

    Raises:
        TrustError: a key of another store, one that comes with the package for another store, or an id that stands
            twice for an application.
    """

    store: Store
    keys: tuple[CvKey, ...]

    def __post_init__(self) -> None:
        foreign = [key for other in Store if other is not self.store for key in built_in(other)]
        known = {key.key_id for key in foreign} | {key.key.modulus for key in foreign}
        for key in self.keys:
            if key.store is not self.store or key.key_id in known or key.key.modulus in known:
                raise _refuse("a key of another store", self.store)
        if len({(key.application, key.key_id) for key in self.keys}) != len(self.keys):
            raise _refuse("a key id that stands twice", self.store)

    @classmethod
    def load(cls, store: Store | str) -> CvStore:
        """A store as it comes with the package.

        Raises:
            TrustError: no store of that name. SpecError: the installation is damaged.
        """
        try:
            which = Store(store)
        except ValueError as bad:
            raise TrustError("no trust store of that name", operation="load a trust store") from bad
        return cls(which, built_in(which))

    def find(self, key_id: bytes, application: str) -> CvKey | None:
        """The key of exactly that id that certifies for that application; None is an answer of its own."""
        return next((key for key in self.keys if key.key_id == key_id and key.application == application), None)


def _refuse(words: str, store: Store) -> TrustError:
    return TrustError(words, operation="load a trust store", store=str(store))


@cache
def built_in(store: Store) -> tuple[CvKey, ...]:
    """The CA keys that come with the package.

    Raises:
        SpecError: the installation is damaged.
    """
    if store is Store.SIMULATOR:
        source = data_root("fixtures/pki").joinpath("simulator-cv-keys.toml")
    else:
        source = files("kojin_card.pki").joinpath("data", "trust", f"cv-{store}.toml")
    return parse_keys(source.read_text("utf-8"), source.name, store)


def parse_keys(text: str, file: str, store: Store) -> tuple[CvKey, ...]:
    """Read ``[[key]]`` tables, all of them of ``store``.

    Raises:
        SpecError: an unknown or a missing key, a wrong type, another store, a key that is not accepted.
    """
    top = parse_toml(text, file)
    keys = tuple(_read_key(table, store) for table in top.tables("key"))
    top.done()
    return keys


def _read_key(table: Table, store: Store) -> CvKey:
    name, application = table.take("name", str), table.take("application", str)
    hierarchy = table.choice("hierarchy", Store)
    key_id = table.hex("key_id", size=(KEY_ID_BYTES, KEY_ID_BYTES))
    exponent = table.take("exponent", int)
    modulus = table.hex("modulus", size=(_MODULUS_BYTES, _MODULUS_BYTES))
    table.done()
    key = rsa_key(modulus, exponent)
    if hierarchy is not store or acceptable_key(key) is not None or not key_id.startswith(name.encode("ascii")):
        raise SpecError("a key of another store, that is not accepted, or with another id", file=table.file, table=name)
    return CvKey(name, application, store, key_id, key)


@dataclass(frozen=True, slots=True)
class CvCertificate:
    """One card-verifiable certificate; ``repr`` shows the two key ids.

    Attributes:
        issuer_key_id: 証明者鍵ID. holder_key_id: 被証明者鍵ID; 16 bytes each.
        key: the key that is certified.
        body: the bytes that are signed.
    """

    issuer_key_id: bytes
    holder_key_id: bytes
    key: PublicKey = field(repr=False)
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes, layout: LayoutSpec) -> CvCertificate:
        """Read it by the layout of its file or data object.

        Raises:
            DecodeError: malformed, or an impossible key.
        """
        record = decode(layout, data)
        return cls(
            record.octets("issuer_key_id"),
            record.octets("holder_key_id"),
            key_in(record),
            record.contents["body"],
            record.octets("certificate_signature"),
        )

    def verify(self, issuer: PublicKey) -> Outcome:
        """Whether ``issuer`` signed the body (its value, card.md §2.7), in the one encoding."""
        return verify_digests(issuer, self.signature, hashlib.sha256(self.body).digest())


def key_in(record: Record) -> PublicKey:
    """The one public key that a record holds (``90`` and ``91``).

    Raises:
        DecodeError: an even modulus, or one of zero.
    """
    key = rsa_key(record.octets("modulus"), int.from_bytes(record.octets("exponent"), "big"))
    if not key.modulus & 1:
        raise DecodeError("an impossible RSA key", operation=f"record {record.layout}.modulus")
    return key


def rsa_key(modulus: bytes, exponent: int) -> PublicKey:
    """The numbers as a key; whether it is accepted is another question (:func:`.algorithms.acceptable_key`)."""
    number = int.from_bytes(modulus, "big")
    return PublicKey("rsa", number.bit_length(), exponent, number)


def digest_info(digests: bytes) -> bytes:
    """The DigestInfo of SHA-256 whose digest field holds ``digests``: one of 32 bytes, or several joined: the record
    of the card's face has three in one (card.md §2.2)."""
    return der.encode(der.SEQUENCE, _ALGORITHM + der.encode(der.OCTET_STRING, digests))


def verify_digests(key: PublicKey, signature: bytes, digests: bytes) -> Outcome:
    """RSASSA-PKCS1-v1_5, exactly one encoding: ``00 01 FF.. 00 DigestInfo(NULL)`` and not a byte else.

    Written for itself because no library verifies a DigestInfo with three digests in it.

    Args:
        digests: one SHA-256 or several joined; whoever calls says how many there must be.

    Returns:
        ``ENCODING`` when whoever holds the key did sign these digests, in another form.
    """
    size = (key.bits + 7) // 8
    number = int.from_bytes(signature, "big")
    info = digest_info(digests)
    padding = size - len(info) - 3
    if acceptable_key(key) is not None or len(signature) != size or number >= key.modulus or padding < _LEAST_PADDING:
        return Outcome.INVALID
    block = pow(number, key.exponent, key.modulus).to_bytes(size, "big")
    if block == b"\x00\x01" + b"\xff" * padding + b"\x00" + info:
        return Outcome.VALID
    pieces = (digests[at : at + _DIGEST_BYTES] for at in range(0, len(digests), _DIGEST_BYTES))
    return Outcome.ENCODING if block[:2] == b"\x00\x01" and all(piece in block for piece in pieces) else Outcome.INVALID
