"""Certificate profiles as data (``data/profiles.toml``): structure, policies and algorithms by purpose and store.

Used by the verifier to judge and by the simulator's issuer to build; it knows no key and no name of any CA.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Purpose(StrEnum):
    """What a certificate is for."""

    SIGNATURE = "signature"
    AUTHENTICATION = "authentication"


class Store(StrEnum):
    """The three trust stores. They are told apart by key and never mixed."""

    PRODUCTION = "production"
    JLIS_TEST = "jlis-test"
    SIMULATOR = "simulator"


@dataclass(frozen=True, slots=True)
class KeyRequirement:
    """What the subject's public key must be.

    Attributes:
        algorithm: ``rsa`` or ``ec``.
        exponent: of an RSA key.
        curve: OID of an elliptic curve.
    """

    algorithm: str
    bits: int
    exponent: int = 0
    curve: str = ""


@dataclass(frozen=True, slots=True)
class CertificateProfile:
    """One profile of a purpose (jpki.md §1).

    Attributes:
        signature_algorithm: OID of the algorithm by which the CA signs the certificate.
        hash: over what the certificate's own key signs, by ``hashlib``'s name.
        key_usage: names as ``cryptography.x509.KeyUsage`` has them; exactly these bits are set.
        extension_order: OIDs of all extensions, in the order of encoding.
        critical: OIDs of exactly those extensions that are critical.
        policies: certificate policy OID by store; a store without one refuses the purpose.
        years: notAfter is the holder's birthday in this many years (23:59:59 JST).
    """

    id: str
    purpose: Purpose
    label_ja: str
    label_en: str
    key: KeyRequirement
    signature_algorithm: str
    hash: str
    key_usage: tuple[str, ...]
    extended_key_usage: tuple[str, ...]
    extension_order: tuple[str, ...]
    critical: frozenset[str]
    years: int
    policies: Mapping[Store, str]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One otherName of the signature certificate's subjectAltName."""

    id: str
    oid: str
    label_ja: str


@dataclass(frozen=True, slots=True)
class Profiles:
    """Everything of ``profiles.toml``; of each purpose the profile of today's card comes first."""

    profiles: tuple[CertificateProfile, ...]
    attributes: tuple[Attribute, ...]
    known_policies: Mapping[str, tuple[str, str]]

    def of(self, purpose: Purpose, store: Store | None = None) -> tuple[CertificateProfile, ...]:
        """The profiles of a purpose; with ``store`` those that it has a policy for."""
        mine = (profile for profile in self.profiles if profile.purpose == purpose)
        return tuple(profile for profile in mine if store is None or store in profile.policies)

    def named(self, purpose: Purpose, name: str | None = None) -> CertificateProfile:
        """The profile of a purpose with that id; that of today's card when None.

        Raises:
            UsageError: there is none.
        """
        for profile in self.of(purpose):
            if name in (None, profile.id):
                return profile
        raise UsageError("no such certificate profile", purpose=str(purpose))

    def select(
        self, purpose: Purpose, store: Store, *, policies: tuple[str, ...] | None, algorithm: str
    ) -> CertificateProfile:
        """The profile by which a certificate is judged: its policy's, else that of its kind of key, else the first.

        Nothing is accepted by being selected: key, algorithms and policy are then checked against the profile, so a
        certificate that has the policy of one and the key of another fails.

        Args:
            policies: the policies that the certificate names.
            algorithm: its key's, as :class:`KeyRequirement` has it.
        """
        here = self.of(purpose, store)
        named = [profile for profile in here if policies == (profile.policies[store],)]
        alike = [profile for profile in here if profile.key.algorithm == algorithm]
        return (*named, *alike, *self.of(purpose))[0]

    def signature_algorithms(self, store: Store) -> frozenset[str]:
        """By which algorithms the CAs of a store may sign."""
        return frozenset(profile.signature_algorithm for profile in self.profiles if store in profile.policies)

    def attribute_by_oid(self, oid: str) -> Attribute | None:
        """The attribute with that OID, or None."""
        return next((a for a in self.attributes if a.oid == oid), None)

    def policy_label(self, oid: str, lang: str = "en") -> str | None:
        """What is known of a policy OID, accepted here or not (``lang``: ``ja`` or ``en``)."""
        for profile in self.profiles:
            if oid in profile.policies.values():
                return profile.label_ja if lang == "ja" else profile.label_en
        ja, en = self.known_policies.get(oid, (None, None))
        return ja if lang == "ja" else en


@cache
def load_profiles() -> Profiles:
    """Read the package's own table (it is data of this package, so a fault in it is a bug, not an input error)."""
    raw = tomllib.loads(files("kojin_card.pki").joinpath("data", "profiles.toml").read_text("utf-8"))
    profiles = tuple(
        CertificateProfile(
            id=row["id"],
            purpose=Purpose(row["purpose"]),
            label_ja=row["label_ja"],
            label_en=row["label_en"],
            key=KeyRequirement(**row["key"]),
            signature_algorithm=row["signature_algorithm"],
            hash=row["hash"],
            key_usage=tuple(row["key_usage"]),
            extended_key_usage=tuple(row["extended_key_usage"]),
            extension_order=tuple(row["extension_order"]),
            critical=frozenset(row["critical"]),
            years=row["years"],
            policies={Store(store): oid for store, oid in row["policies"].items()},
        )
        for row in raw["profile"]
    )
    attributes = tuple(Attribute(**row) for row in raw["attribute"])
    known = {row["oid"]: (row["label_ja"], row["label_en"]) for row in raw["known_policy"]}
    return Profiles(profiles, attributes, known)
