"""The test PKI of the software card: its CAs, the certificates and CRLs they issue, and card-verifiable certificates.

Declared in ``fixtures/pki/simulator.toml``, with keys of ``fixtures/pki/keys.toml`` that everybody has. It issues under
``O=JPKI-SIMULATOR`` and under nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from kojin_card.errors import SpecError, UsageError
from kojin_card.pki.profile import Purpose, load_profiles
from kojin_card.resources import data_root
from kojin_card.simulator import certificates
from kojin_card.simulator.certificates import CertifiedPerson, IssuingCa, Template
from kojin_card.simulator.keypool import KeyPool
from kojin_card.simulator.rsa_engine import RsaEngine, digest_info
from kojin_card.simulator.testpki_anchors import anchors_toml
from kojin_card.simulator.testpki_declaration import MAX_SERIAL, REASONS, Declaration, Municipality, load_declaration
from kojin_card.spec.codec import decode, encode
from kojin_card.spec.load import load_card_spec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric import rsa

    from kojin_card.pki.profile import CertificateProfile
    from kojin_card.simulator.certificates import CaKey, HolderKey
    from kojin_card.simulator.testpki_declaration import CvApplication, DeclaredCa
    from kojin_card.spec.codec import Value
    from kojin_card.spec.model import LayoutSpec

__all__ = ["CertifiedPerson", "RevokedEntry", "Template", "TestCa", "TestPki"]

FILE = "simulator.toml"


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """One line of a CRL.

    Attributes:
        reason: a name of RFC 5280 §5.3.1 that JPKI uses (:data:`~.testpki_declaration.REASONS`), or None for no reason.
    """

    serial: int
    date: datetime
    reason: str | None = "unspecified"


@dataclass(frozen=True, slots=True)
class TestCa:
    """One generation of one purpose's CA.

    Attributes:
        profile: id of the profile that it issues.
        certificate: the self-signed certificate, DER.
    """

    __test__: ClassVar[bool] = False  # not a class of tests, whatever pytest thinks of its name

    label: str
    purpose: Purpose
    generation: int
    serial: int
    not_before: datetime
    not_after: datetime
    profile: str
    issuing: IssuingCa = field(repr=False)
    certificate: bytes = field(repr=False)

    @property
    def key(self) -> CaKey:
        """The private key (worthless: it is in the repository)."""
        return self.issuing.key

    @property
    def subject(self) -> x509.Name:
        """The name, which all generations of a purpose share."""
        return self.issuing.subject

    def covers(self, moment: datetime) -> bool:
        """Whether the CA is valid at ``moment``."""
        return self.not_before <= moment <= self.not_after


class TestPki:
    """Everything that the declaration lets the simulator issue. The same call gives the same bytes, always."""

    __test__: ClassVar[bool] = False

    def __init__(self, declaration: Declaration, pool: KeyPool) -> None:
        self.declaration = declaration
        self.pool = pool
        self._cas: dict[str, TestCa] = {}
        self._layout: LayoutSpec | None = None

    @classmethod
    def load(cls, source: Traversable | Path | None = None, *, pool: KeyPool | None = None) -> TestPki:
        """Read a declaration (the package's own when ``source`` is None) with the keys of ``pool``.

        Raises:
            SpecError: the declaration or the pool is malformed (``details``: ``file`` and ``table``).
        """
        pool = KeyPool.load() if pool is None else pool
        source = data_root("fixtures/pki").joinpath(FILE) if source is None else source
        return cls(load_declaration(source, key_use=pool.use), pool)

    # --- certification authorities ------------------------------------------------------------------------------------

    @property
    def cas(self) -> tuple[TestCa, ...]:
        """All CAs, in the order of the declaration."""
        return tuple(self._ca(row) for row in self.declaration.cas)

    def ca(self, purpose: Purpose, at: datetime, profile: str | None = None) -> TestCa:
        """The CA that issues at ``at`` in ``profile`` (today's when None): the newest generation valid then.

        Raises:
            UsageError: no generation is valid at that time, or the time has no zone, or no such profile.
        """
        moment, wanted = _aware(at), load_profiles().named(purpose, profile).id
        rows = [
            row
            for row in self.declaration.cas
            if (row.purpose, row.profile) == (purpose, wanted) and row.not_before <= moment <= row.not_after
        ]
        if not rows:
            raise UsageError("no CA of the test PKI is valid at that time", purpose=str(purpose))
        return self._ca(max(rows, key=lambda row: row.generation))

    def ca_of(self, purpose: Purpose, generation: int) -> TestCa:
        """The CA of that generation.

        Raises:
            UsageError: it is not declared.
        """
        for row in self.declaration.cas:
            if (row.purpose, row.generation) == (purpose, generation):
                return self._ca(row)
        raise UsageError("no such CA in the test PKI", purpose=str(purpose), generation=generation)

    def _ca(self, row: DeclaredCa) -> TestCa:
        if row.label not in self._cas:
            names, unit = self.declaration.authority, self.declaration.units[row.purpose]
            profile = load_profiles().named(row.purpose, row.profile)
            issuing = IssuingCa(
                certificates.name(
                    ("C", names.country), ("O", names.organization), ("OU", unit.name), ("OU", names.operator)
                ),
                certificates.name(
                    ("C", names.country), ("O", names.organization_ja), ("OU", unit.name_ja), ("OU", names.operator_ja)
                ),
                row.serial,
                self._ca_key(row, profile),
            )
            validity = row.not_before, row.not_after
            certificate = certificates.authority(issuing, validity, profile.hash).sign(issuing.key)
            self._cas[row.label] = TestCa(
                row.label, row.purpose, row.generation, row.serial, *validity, row.profile, issuing, certificate
            )
        return self._cas[row.label]

    def _ca_key(self, row: DeclaredCa, profile: CertificateProfile) -> CaKey:
        """A CA has a key of the kind that it certifies: the profiles have both signed by one algorithm."""
        try:
            return self.pool.ec_key(row.key) if profile.key.algorithm == "ec" else self.pool.key(row.key)
        except UsageError:
            raise SpecError("a CA whose key is not of its profile's kind", file=FILE, table=row.label) from None

    def anchors_toml(self) -> str:
        """The CAs as trust anchors, in the format of ``pki/data/trust/production.toml``."""
        return anchors_toml(self.cas)

    # --- certificates of card holders ---------------------------------------------------------------------------------

    def issue(
        self,
        purpose: Purpose,
        person: CertifiedPerson,
        public_key: HolderKey,
        *,
        issued_at: datetime,
        serial: int,
        municipality: str,
        generation: int | None = None,
        card_expiry: date | None = None,
        profile: str | None = None,
    ) -> bytes:
        """A holder's certificate, DER: 署名用 (jpki.md §1.2) or 利用者証明用 (§1.3), which uses the birthday only.

        Arguments and errors as :meth:`template`.
        """
        ca, template = self.template(
            purpose,
            person,
            public_key,
            issued_at=issued_at,
            serial=serial,
            municipality=municipality,
            generation=generation,
            card_expiry=card_expiry,
            profile=profile,
        )
        return template.sign(ca.key)

    def template(
        self,
        purpose: Purpose,
        person: CertifiedPerson,
        public_key: HolderKey,
        *,
        issued_at: datetime,
        serial: int,
        municipality: str,
        generation: int | None = None,
        card_expiry: date | None = None,
        profile: str | None = None,
    ) -> tuple[TestCa, Template]:
        """What is to be signed and by whom; tests change one thing of it with ``dataclasses.replace`` before they sign.

        Args:
            issued_at: the first second of validity.
            serial: 発行の番号; production's are three or four octets long.
            municipality: 市区町村コード, one of the declaration.
            generation: of the CA; the newest at ``issued_at`` when None.
            profile: id of the certificate's profile; the CA's where ``generation`` names one, else today's when None.
            card_expiry: the card's last day, which no certificate on it outlives (jpki.md §1.1); None for no limit.

        Raises:
            UsageError: a key, serial, place, generation or time that declaration or profile do not allow, a person that
                :meth:`CertifiedPerson.attributes` refuses, or a certificate that would outlive its CA.
        """
        moment, place = _aware(issued_at), self.municipality(municipality)
        ca = self.ca(purpose, moment, profile) if generation is None else self.ca_of(purpose, generation)
        how = load_profiles().named(purpose, ca.profile)
        if profile not in (None, how.id):
            raise UsageError("that CA issues another profile", ca=ca.label)
        last = certificates.not_after(person.birth_date, moment, how.years, card_expiry=card_expiry)
        if not (ca.covers(moment) and moment < last and ca.covers(last)):
            raise UsageError(
                "the certificate would not lie within its CA's validity, or end before it begins", ca=ca.label
            )
        window = place.code + place.window
        if purpose is Purpose.SIGNATURE:
            subject = certificates.signature_subject(
                moment, _serial(serial), place=(place.prefecture, place.city), window=window
            )
        else:
            subject = certificates.authentication_subject(moment, _serial(serial), window=window)
        names = self.declaration.authority
        return ca, certificates.end_entity(
            how,
            ca.issuing,
            public_key,
            subject=subject,
            serial=serial,
            validity=(moment, last),
            partition=self.partition(purpose, place.code),
            cps=names.cps,
            ocsp=names.ocsp,
            person=person,
        )

    def municipality(self, code: str) -> Municipality:
        """The municipality with that 市区町村コード.

        Raises:
            UsageError: it is not declared.
        """
        try:
            return self.declaration.municipalities[code]
        except KeyError:
            raise UsageError("no such municipality in the test PKI", municipality=code) from None

    # --- revocation lists ---------------------------------------------------------------------------------------------

    def partition(self, purpose: Purpose, municipality: str) -> x509.Name:
        """directoryName of a municipality's CRL, as its certificates name it (jpki.md §1.2, §1.3)."""
        names, place = self.declaration.authority, self.municipality(municipality)
        return certificates.name(
            ("C", names.country),
            ("O", names.organization),
            ("OU", self.declaration.units[purpose].name),
            ("OU", "CRL Distribution Points"),
            ("OU", place.prefecture),
            ("CN", f"{place.city} CRLDP"),
        )

    def crl(
        self,
        purpose: Purpose,
        municipality: str,
        *,
        this_update: datetime,
        revoked: Iterable[RevokedEntry] = (),
        next_update: datetime | None = None,
        number: int | None = None,
        generation: int | None = None,
        profile: str | None = None,
    ) -> bytes:
        """A municipality's CRL, DER: v2 with AKI, cRLNumber and a critical issuingDistributionPoint.

        What the real lists hold is not established (jpki.md §9.2): scope by IDP is ours, as §8.4 tried it out.

        Args:
            this_update: also the moment that picks the CA when ``generation`` is None.
            revoked: further entries; those of the declaration that are due by ``this_update`` are listed anyway.
            next_update: the declared validity later when None.
            number: seconds since the declared epoch when None.
            profile: id of the profile whose CA lists; today's when None and no ``generation`` is named.

        Raises:
            UsageError: a serial twice, an unknown reason, times that contradict each other or the CA.
        """
        moment = _aware(this_update)
        ca = self.ca(purpose, moment, profile) if generation is None else self.ca_of(purpose, generation)
        settings = self.declaration.crl
        end = moment + timedelta(hours=settings.validity_hours) if next_update is None else _aware(next_update)
        count = int((moment - settings.number_epoch).total_seconds()) if number is None else number
        if end <= moment or not ca.covers(moment) or count < 0:
            raise UsageError("thisUpdate, nextUpdate, number and the CA's validity contradict each other")
        scope = x509.IssuingDistributionPoint(
            full_name=[x509.DirectoryName(self.partition(purpose, municipality))],
            relative_name=None,
            only_contains_user_certs=False,
            only_contains_ca_certs=False,
            only_some_reasons=None,
            indirect_crl=False,
            only_contains_attribute_certs=False,
        )
        builder = (
            x509.CertificateRevocationListBuilder(
                issuer_name=ca.subject,
                last_update=moment,
                next_update=end,
                revoked_certificates=self._revoked(ca, municipality, moment, revoked),
            )
            .add_extension(ca.issuing.authority_key_identifier(), critical=False)
            .add_extension(x509.CRLNumber(count), critical=False)
            .add_extension(scope, critical=True)
        )
        digest = certificates.hash_algorithm(load_profiles().named(purpose, ca.profile).hash)
        signed = builder.sign(ca.key, digest, ecdsa_deterministic=certificates.deterministic(ca.key))
        return signed.public_bytes(serialization.Encoding.DER)

    def _revoked(
        self, ca: TestCa, municipality: str, moment: datetime, further: Iterable[RevokedEntry]
    ) -> list[x509.RevokedCertificate]:
        declared = [
            RevokedEntry(row.serial, row.date, row.reason)
            for row in self.declaration.revocations
            if (row.purpose, row.generation, row.municipality) == (ca.purpose, ca.generation, municipality)
            and row.date <= moment
        ]
        entries = [*declared, *further]
        if len({entry.serial for entry in entries}) != len(entries):
            raise UsageError("a serial stands twice in one revocation list")
        return [_entry(entry) for entry in sorted(entries, key=lambda entry: entry.serial)]

    # --- card-verifiable certificates ---------------------------------------------------------------------------------

    def record_key(self, municipality: str) -> rsa.RSAPrivateKey:
        """The key with which the municipality signs the records of its cards; the CV certificate certifies it."""
        return self.pool.key(self.municipality(municipality).record_key)

    def cv_ca_key(self, application: str) -> rsa.RSAPrivateKey:
        """The CA key that signs an application's card-verifiable certificates. Only its public half is for terminals.

        Raises:
            UsageError: the application is not declared.
        """
        return self.pool.key(self._cv(application).ca_key)

    def cv_ca_key_id(self, application: str) -> bytes:
        """証明者鍵ID of the application, 16 bytes."""
        return self._cv(application).ca_key_id

    def holder_key_id(self, application: str, municipality: str) -> bytes:
        """被証明者鍵ID: the municipality's record key, as the application's CV certificate names it, 16 bytes."""
        self._cv(application)
        return self.declaration.cv.holder_key_id(application, self.municipality(municipality))

    def sign_record(self, data: bytes, municipality: str) -> bytes:
        """The municipality's signature over ``data``: RSASSA-PKCS1-v1_5 with SHA-256, 256 bytes (card.md §2.1)."""
        return self.record_key(municipality).sign(data, padding.PKCS1v15(), hashes.SHA256())

    def sign_digests(self, digests: Iterable[bytes], municipality: str) -> bytes:
        """The municipality's signature over several SHA-256 digests in ONE DigestInfo, 256 bytes: the digest field of
        the card's face has 96 bytes (card.md §2.2), which no library signs on its own."""
        numbers = self.record_key(municipality).private_numbers()
        return RsaEngine(numbers.p, numbers.q).sign_verbatim(digest_info(b"".join(digests)))

    def cv_certificate(
        self, holder_public_key: rsa.RSAPublicKey | None = None, *, application: str, municipality: str
    ) -> bytes:
        """A card-verifiable certificate (no X.509) of a key that signs an application's records (card.md §2.7).

        Args:
            holder_public_key: the key that is certified; the municipality's record key when None.
            application: one of the declaration: ``input_support``, ``card_face``, ``card_manager``.

        Returns:
            The data object in the layout of the card's specification; the signature covers the value of its body.

        Raises:
            UsageError: application or municipality is not declared, or the key is not RSA-2048.
        """
        key = self.record_key(municipality).public_key() if holder_public_key is None else holder_public_key
        certificates.check_key(load_profiles().named(Purpose.SIGNATURE, None), key)
        holder = self.holder_key_id(application, municipality)
        return self._certify(self.cv_ca_key(application), self.cv_ca_key_id(application), key, holder)

    def cv_chain(self, municipality: str) -> tuple[bytes, bytes, bytes]:
        """The card manager's chain (card.md §2.5): id of the intermediate key, its certificate by the application's CA,
        and the certificate of the municipality's record key by the intermediate. Which key really stands below it is
        not known; certificates as :meth:`cv_certificate` returns them.

        Raises:
            UsageError: the municipality is not declared.
        """
        row = self.declaration.cv.intermediate
        between = self.pool.key(row.key)
        root, root_id = self.cv_ca_key(row.application), self.cv_ca_key_id(row.application)
        lower, lower_id = self.record_key(municipality), self.holder_key_id(row.application, municipality)
        return (
            row.key_id,
            self._certify(root, root_id, between.public_key(), row.key_id),
            self._certify(between, row.key_id, lower.public_key(), lower_id),
        )

    def _certify(self, signer: rsa.RSAPrivateKey, issuer: bytes, key: rsa.RSAPublicKey, holder: bytes) -> bytes:
        numbers = key.public_numbers()
        values: dict[str, Value] = {
            "issuer_key_id": issuer,
            "holder_key_id": holder,
            "exponent": numbers.e.to_bytes(3, "big"),
            "modulus": numbers.n.to_bytes(256, "big"),
            "certificate_signature": bytes(256),
        }
        layout = self._cv_layout()
        body = decode(layout, encode(layout, values)).contents["body"]
        values["certificate_signature"] = signer.sign(body, padding.PKCS1v15(), hashes.SHA256())
        return encode(layout, values)

    def _cv(self, application: str) -> CvApplication:
        try:
            return self.declaration.cv.applications[application]
        except KeyError:
            raise UsageError("no such application in the test PKI", application=application) from None

    def _cv_layout(self) -> LayoutSpec:
        """The layout of card-verifiable certificates, from the card's specification and read once."""
        if self._layout is None:
            application, layout = self.declaration.cv.layout
            try:
                self._layout = load_card_spec().applications[application].layouts[layout]
            except KeyError:
                raise SpecError("cv.layout names a layout that no specification has", file=FILE, table="cv") from None
        return self._layout


def _aware(moment: datetime) -> datetime:
    """The moment in UTC, to the second.

    Raises:
        UsageError: it has no zone, or lies outside what UTCTime can write.
    """
    if moment.utcoffset() is None:
        raise UsageError("a time of the test PKI needs a zone")
    if not 1951 <= moment.year < 2049:
        raise UsageError("a time that UTCTime cannot write")
    return moment.astimezone(UTC).replace(microsecond=0)


def _serial(serial: int) -> int:
    if not 1 <= serial <= MAX_SERIAL:
        raise UsageError("a serial number is positive and at most 20 octets long")
    return serial


def _entry(entry: RevokedEntry) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(_serial(entry.serial), _aware(entry.date))
    if entry.reason is not None:
        if entry.reason not in REASONS:
            raise UsageError("not a reason that JPKI revokes for", reason=entry.reason)
        builder = builder.add_extension(x509.CRLReason(x509.ReasonFlags(entry.reason)), critical=False)
    return builder.build()
