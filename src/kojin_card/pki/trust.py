"""Trust anchors and the three stores that hold them (jpki.md §2, §6 A-01..A-05).

All generations of a CA share one name, so an anchor is never picked by name: it is picked by key identifier and serial
number from authorityKeyIdentifier, and then it must verify the signature. The stores are told apart by key and never
mixed; ``simulator`` is loaded only when asked for by name.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError, SpecError, TrustError
from kojin_card.pki import names
from kojin_card.pki.algorithms import (
    SIGNATURES,
    Outcome,
    PublicKey,
    acceptable_key,
    read_public_key,
    verify_named,
)
from kojin_card.pki.certificate import BASIC_CONSTRAINTS, MAX_CERTIFICATE_BYTES, Certificate
from kojin_card.pki.files import read_bounded, to_der, write_private
from kojin_card.pki.profile import Purpose, Store, load_profiles
from kojin_card.resources import data_root
from kojin_card.spec.strict import Table, parse_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_FILE_BYTES = 262_144
MAX_ANCHORS = 256

#: how the names of anchors begin that did not come with the package
ADDED = "added-"

#: organization of the CA's name -> the store that its anchors belong to (jpki.md §2)
ORGANIZATIONS = {"JPKI": Store.PRODUCTION, "JPKI-TEST": Store.JLIS_TEST, "JPKI-SIMULATOR": Store.SIMULATOR}
#: last words of the unit of the CA's name -> what it certifies
_UNITS = {"for digital signature": Purpose.SIGNATURE, "for user authentication": Purpose.AUTHENTICATION}
_FINGERPRINT = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """A CA that is trusted for one purpose in one store: name, key and validity (RFC 5280 §6.1.1 (d)).

    Attributes:
        generation: 1, 2, 3... of that purpose's CA.
        subject: the Name as encoded; the same for all generations.
        key_id: subjectKeyIdentifier, SHA-1 of the key.
        sha256: fingerprint of the CA certificate.
    """

    name: str
    purpose: Purpose
    store: Store
    generation: int
    subject: bytes = field(repr=False)
    serial: int
    not_before: datetime
    not_after: datetime
    key_id: bytes
    sha256: bytes
    spki: bytes = field(repr=False)

    @property
    def key(self) -> PublicKey:
        """The CA's public key."""
        return read_public_key(self.spki)

    @property
    def id(self) -> str:
        """What evidence calls it: name and the first 16 digits of its fingerprint."""
        return f"{self.name}:{self.sha256.hex()[:16]}"


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The anchors of one store. Anchors of another store cannot get in.

    Raises:
        TrustError: an anchor of another store, or one whose key comes with the package for another store.
    """

    store: Store
    anchors: tuple[TrustAnchor, ...]

    def __post_init__(self) -> None:
        _refuse_foreign_keys(self.anchors, built_in_elsewhere(self.store))
        if any(anchor.store is not self.store for anchor in self.anchors):
            raise TrustError("an anchor of another store", operation="make a trust store", store=str(self.store))

    @classmethod
    def load(
        cls, store: Store | str, *, folder: Path | None = None, extra_anchors: Iterable[TrustAnchor] = ()
    ) -> TrustStore:
        """A store's own anchors, then those that ``folder`` holds for it, then ``extra_anchors``.

        Raises:
            TrustError: no store of that name, an anchor of another store, or a key that another store knows.
            SpecError: a malformed anchor file.
        """
        try:
            which = Store(store)
        except ValueError as bad:
            raise TrustError("no trust store of that name", operation="load a trust store") from bad
        kept = load_folder(folder) if folder else ()
        here = (*(anchor for anchor in kept if anchor.store is which), *extra_anchors)
        _refuse_foreign_keys(here, (anchor for anchor in kept if anchor.store is not which))
        found = {anchor.spki: anchor for anchor in built_in(which)}
        for anchor in here:  # one that the package has brought since it was added is the package's
            found.setdefault(anchor.spki, anchor)
        return cls(which, tuple(found.values()))

    def candidates(self, certificate: Certificate) -> tuple[TrustAnchor, ...]:
        """The anchors that a certificate's authorityKeyIdentifier points at: key id, serial and name, all three.

        Nothing is proven by it: the signature decides.
        """
        pointer = certificate.authority_key
        if pointer is None or pointer.key_id is None:
            return ()
        return tuple(
            anchor
            for anchor in self.anchors
            if anchor.key_id == pointer.key_id
            and anchor.serial == pointer.serial
            and anchor.subject == pointer.issuer
            and anchor.subject == certificate.issuer
        )


def built_in(store: Store) -> tuple[TrustAnchor, ...]:
    """The anchors that come with the package: none for ``jlis-test`` (J-LIS publishes no list, jpki.md §2).

    Raises:
        SpecError: the installation is damaged.
    """
    if store is Store.PRODUCTION:
        source = files("kojin_card.pki").joinpath("data", "trust", "production.toml")
    elif store is Store.SIMULATOR:
        source = data_root("fixtures/pki").joinpath("simulator-anchors.toml")
    else:
        return ()
    return parse_anchors(source.read_text("utf-8"), source.name, store)


def built_in_elsewhere(store: Store) -> tuple[TrustAnchor, ...]:
    """The anchors that come with the package for the other stores."""
    return tuple(anchor for other in Store if other is not store for anchor in built_in(other))


def load_folder(folder: Path) -> tuple[TrustAnchor, ...]:
    """The anchors that :func:`add_anchor` put into ``folder``, of all stores; none when there is no such folder.

    Raises:
        InputError: a file cannot be read or is too large.
        SpecError: a file is malformed, there are too many, an anchor is not called ``added-...`` (it could pass for one
            that comes with the package), or a name or a key stands twice, also for two stores.
    """
    out: list[TrustAnchor] = []
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        try:
            text = read_bounded(path, MAX_FILE_BYTES).decode("utf-8")
        except UnicodeDecodeError as bad:
            raise SpecError("not UTF-8", file=path.name, table="") from bad
        out.extend(parse_anchors(text, path.name))
        if len(out) > MAX_ANCHORS:
            raise SpecError("too many anchors", file=path.name, table="")
    if any(not anchor.name.startswith(ADDED) for anchor in out):
        raise SpecError(f"an anchor that was added has a name that begins with {ADDED}", file=folder.name, table="")
    if len({anchor.spki for anchor in out}) != len(out) or len({anchor.name for anchor in out}) != len(out):
        raise SpecError("a name or a key stands in two files", file=folder.name, table="")
    return tuple(out)


def parse_anchors(text: str, file: str, store: Store | None = None) -> tuple[TrustAnchor, ...]:
    """Read ``[[anchor]]`` tables; with ``store`` all of them must be of it.

    Raises:
        SpecError: an unknown or a missing key, a wrong type, a name or a key twice, or values that contradict each
            other (the name's text and bytes, the key and its identifier).
    """
    top = parse_toml(text, file)
    out: dict[str, TrustAnchor] = {}
    for table in top.tables("anchor"):
        anchor = _read_anchor(table)
        if store is not None and anchor.store is not store:
            raise table.error(f"an anchor of another store than {store}")
        if anchor.name in out or any(anchor.spki == other.spki for other in out.values()):
            raise table.error("a name or a key stands twice")
        out[anchor.name] = anchor
    top.done()
    return tuple(out.values())


def _read_anchor(table: Table) -> TrustAnchor:
    name, generation = table.take("name", str), table.take("generation", int)
    purpose, store = table.choice("purpose", Purpose), table.choice("hierarchy", Store)
    text, subject = table.take("subject", str), table.hex("subject_der", size=(2, names.MAX_NAME_BYTES))
    serial = table.take("serial", str)
    begin, end = table.take("not_before", datetime), table.take("not_after", datetime)
    key_id, sha256 = table.hex("subject_key_identifier", size=(20, 20)), table.hex("sha256", size=(32, 32))
    encoded = table.take("spki", str)
    table.done()
    if not re.fullmatch(r"[0-9A-F]{1,40}", serial) or not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name):
        raise table.error("serial is upper-case hex, name is a short lower-case id")
    if begin.utcoffset() is None or end.utcoffset() is None or begin >= end:
        raise table.error("not_before and not_after are times with a zone, in this order")
    try:
        spki = base64.b64decode(encoded, validate=True)
        key = read_public_key(spki)
        if key.key_id() != key_id or names.text(subject) != text or not _accepts(store, key):
            raise table.error("subject, key and key identifier do not belong together, or the key is not accepted")
    except (ValueError, binascii.Error, DecodeError) as bad:
        raise table.error("the key or the name cannot be read") from bad
    begin, end = begin.astimezone(UTC), end.astimezone(UTC)
    return TrustAnchor(name, purpose, store, generation, subject, int(serial, 16), begin, end, key_id, sha256, spki)


# --- adding one -------------------------------------------------------------------------------------------------------


def add_anchor(
    certificate_der: bytes, *, store: Store, purpose: Purpose | None = None, fingerprint: str, folder: Path
) -> TrustAnchor:
    """Check a CA certificate and put it into ``folder`` as an anchor of ``store`` (mode 0600, at once or not at all).

    Args:
        certificate_der: the certificate, DER or one PEM block.
        purpose: what it certifies; may be left out when its name says so (``... for digital signature``).
        fingerprint: SHA-256 of the DER, 64 hex digits, from a source other than the certificate's own (spaces and
            colons are ignored). It is what makes the certificate trusted, so it must be exact.

    Raises:
        TrustError: another fingerprint; not a self-signed CA certificate of the accepted algorithms; a name that
            belongs to another store or purpose; a key that a store already knows.
        InputError: the folder cannot be read or written.
    """
    operation = "add a trust anchor"

    def refuse(words: str) -> TrustError:
        return TrustError(words, operation=operation, store=str(store))

    typed = re.sub(r"[\s:]", "", fingerprint)
    if not _FINGERPRINT.fullmatch(typed):
        raise refuse("a SHA-256 fingerprint has 64 hex digits")
    try:
        certificate = Certificate.parse(to_der(certificate_der, "CERTIFICATE", limit=MAX_CERTIFICATE_BYTES))
        organization = names.values(certificate.subject, names.ORGANIZATION)
        units = names.values(certificate.subject, names.UNIT)
    except DecodeError as bad:
        raise refuse("not a certificate") from bad
    if certificate.sha256 != typed.lower():
        raise refuse("the fingerprint is not that of this certificate")
    _check_authority(certificate, store, refuse)
    owners = {ORGANIZATIONS[text] for text in organization if text in ORGANIZATIONS}
    if owners - {store}:
        raise refuse("its name belongs to another trust store")
    said = {which for unit in units for words, which in _UNITS.items() if unit.endswith(words)}
    if len(said) > 1 or (purpose is not None and said - {purpose}):
        raise refuse("its name speaks of another purpose")
    if purpose is None and not said:
        raise refuse("its name does not say what it certifies: name the purpose")
    wanted = purpose or said.pop()
    present = (*(anchor for which in Store for anchor in built_in(which)), *load_folder(folder))
    for other in present:
        if other.spki == certificate.spki:
            raise refuse(f"the store {other.store} already knows this key, as {other.name}")
    mine = [anchor for anchor in present if (anchor.store, anchor.purpose) == (store, wanted)]
    anchor = TrustAnchor(
        name=f"{ADDED}{certificate.sha256[:16]}",
        purpose=wanted,
        store=store,
        generation=1 + sum(other.not_before < certificate.not_before for other in mine),
        subject=certificate.subject,
        serial=certificate.serial,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        key_id=certificate.key.key_id(),
        sha256=bytes.fromhex(certificate.sha256),
        spki=certificate.spki,
    )
    write_private(folder / f"{anchor.name}.toml", anchor_toml(anchor).encode("utf-8"))
    return anchor


def _check_authority(certificate: Certificate, store: Store, refuse: Callable[[str], TrustError]) -> None:
    """jpki.md §2, A-08: self-signed, CA:TRUE, keyCertSign, the accepted algorithms, an identifier made from the key."""
    basic = certificate.extension(BASIC_CONSTRAINTS)
    if not certificate.is_ca or basic is None or not basic.critical:
        raise refuse("not the certificate of a CA (basicConstraints)")
    if certificate.key_usage is None or "key_cert_sign" not in certificate.key_usage:
        raise refuse("its key is not for signing certificates (keyUsage)")
    key, algorithm = certificate.key, certificate.signature_algorithm
    if certificate.subject != certificate.issuer or not _accepts(store, key):
        raise refuse("not self-signed, or with a key that is not accepted")
    accepted = load_profiles().signature_algorithms(store)
    if algorithm not in accepted or certificate.subject_key_id != key.key_id():
        raise refuse("a signature algorithm that is not accepted, or a key identifier of another key")
    if verify_named(key, certificate.spki, algorithm, certificate.signature, certificate.tbs) is not Outcome.VALID:
        raise refuse("its own signature does not verify")


def _accepts(store: Store, key: PublicKey) -> bool:
    """Whether a CA of that store may have that key: one of a kind that signs certificates of some profile there."""
    kinds = {SIGNATURES[oid].key for oid in load_profiles().signature_algorithms(store)}
    return key.algorithm in kinds and acceptable_key(key) is None


def _refuse_foreign_keys(anchors: Iterable[TrustAnchor], others: Iterable[TrustAnchor]) -> None:
    keys = {other.spki for other in others}
    for anchor in anchors:
        if anchor.spki in keys:
            operation = "load a trust store"
            raise TrustError("another trust store knows this key", operation=operation, store=str(anchor.store))


def anchor_toml(anchor: TrustAnchor) -> str:
    """An anchor in the format of ``production.toml``."""
    text = names.text(anchor.subject).replace("\\", "\\\\").replace('"', '\\"')
    if not text.isprintable():
        raise TrustError("a name that cannot be shown", operation="add a trust anchor", store=str(anchor.store))
    return (
        f'[[anchor]]\nname = "{anchor.name}"\npurpose = "{anchor.purpose}"\nhierarchy = "{anchor.store}"\n'
        f'generation = {anchor.generation}\nsubject = "{text}"\nsubject_der = "{anchor.subject.hex()}"\n'
        f'serial = "{anchor.serial:X}"\nnot_before = {anchor.not_before:%Y-%m-%dT%H:%M:%SZ}\n'
        f"not_after = {anchor.not_after:%Y-%m-%dT%H:%M:%SZ}\n"
        f'subject_key_identifier = "{anchor.key_id.hex()}"\nsha256 = "{anchor.sha256.hex()}"\n'
        f'spki = "{base64.b64encode(anchor.spki).decode()}"\n'
    )
