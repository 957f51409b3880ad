"""X.509 as 公的個人認証 writes it (jpki.md §1, §2): names, extension values, validity, and what is signed in the end.

Structure, order, criticality and policies come from ``pki/data/profiles.toml``; names, addresses and keys from whoever
calls. Everything is deterministic: the same inputs give the same bytes (RSASSA-PKCS1-v1_5 has no randomness, ECDSA here
takes its number from key and message: RFC 6979).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID, NameOID

from kojin_card.errors import UsageError
from kojin_card.pki.profile import Store, load_profiles
from kojin_card.spec.wareki import to_wareki

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kojin_card.pki.profile import CertificateProfile

#: what holders and CAs may have here
HolderKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
CaKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

JST = timezone(timedelta(hours=9), "JST")
DAY_END = time(23, 59, 59)

_RDN = {
    "C": NameOID.COUNTRY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "L": NameOID.LOCALITY_NAME,
    "CN": NameOID.COMMON_NAME,
}
_HASHES: Mapping[str, type[hashes.SHA256 | hashes.SHA384]] = {"sha256": hashes.SHA256, "sha384": hashes.SHA384}

_ERAS = "MTSHR"  # 明治 1 to 令和 5: the digit that the certificate writes (jpki.md §1.4)


@dataclass(frozen=True, slots=True)
class CertifiedPerson:
    """What the signature certificate says of its holder (jpki.md §1.4); nothing of it is ever in a repr.

    Attributes:
        name: 氏名, family and given name separated by U+3000.
        address: 住所, full-width.
        birth_date: 生年月日.
        sex: one digit: 1 男, 2 女, 3 or 9 otherwise.
        name_substitutes: one digit for each character of the name: 1 = 代替文字 (a substitute), 0 = as registered.
        address_substitutes: the same for the address.
    """

    name: str = field(repr=False)
    address: str = field(repr=False)
    birth_date: date = field(repr=False)
    sex: str = field(repr=False)
    name_substitutes: str = field(repr=False)
    address_substitutes: str = field(repr=False)

    def attributes(self) -> dict[str, str]:
        """Values by the attribute ids of ``profiles.toml``.

        Raises:
            UsageError: substitute flags that do not fit their text, a sex that is no digit, an empty or overlong text.
        """
        if not 1 <= len(self.name) <= 200 or not 1 <= len(self.address) <= 200:
            raise UsageError("name and address have 1 to 200 characters")
        for text, flags in ((self.name, self.name_substitutes), (self.address, self.address_substitutes)):
            if len(text) != len(flags) or not set(flags) <= {"0", "1"}:
                raise UsageError("substitute flags are one 0 or 1 for each character of their text")
        if len(self.sex) != 1 or not self.sex.isascii() or not self.sex.isdigit():
            raise UsageError("sex is one digit")
        return {
            "name": self.name,
            "birth_date": birth_date_text(self.birth_date),
            "sex": self.sex,
            "address": self.address,
            "name_substitutes": self.name_substitutes,
            "address_substitutes": self.address_substitutes,
        }


def birth_date_text(day: date) -> str:
    """``EYYYYMMDD``: the era's digit and the Gregorian date (``319800217``); an era's first day belongs to it.

    Raises:
        UsageError: a day before Meiji.
    """
    era, _ = to_wareki(day)
    return f"{_ERAS.index(era) + 1}{day:%Y%m%d}"


def birthday_in(birth: date, year: int) -> date:
    """The birthday in ``year``. Who was born on 29 February has it on 28 February in a common year.

    Our decision: the public texts on the certificates do not say. 28 February is the earlier of the two possible days,
    so no certificate made here lasts longer than a real one might.
    """
    try:
        return birth.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def not_after(birth: date, issued_at: datetime, years: int, *, card_expiry: date | None = None) -> datetime:
    """The last second (UTC) of a certificate: 23:59:59 JST on the holder's n-th birthday after the day of issue.

    Days are counted in Japan: what is issued on a birthday (JST) counts from the next one. The card's own last day
    comes first where it is earlier. Fact: jpki.md §1.1.
    """
    issued = issued_at.astimezone(JST).date()
    first = issued.year + (birthday_in(birth, issued.year) <= issued)
    last = birthday_in(birth, first + years - 1)
    return datetime.combine(min(last, card_expiry or last), DAY_END, JST).astimezone(UTC)


def name(*parts: tuple[str, str]) -> x509.Name:
    """A distinguished name, one RDN a part; C is PrintableString and everything else UTF8String (jpki.md §1.1)."""
    return x509.Name([x509.NameAttribute(_RDN[kind], value) for kind, value in parts])


def signature_subject(issued_at: datetime, sequence: int, *, place: tuple[str, str], window: str) -> x509.Name:
    """Subject of 署名用電子証明書: C, L, L, CN of 28 characters (jpki.md §1.2).

    Args:
        issued_at: stands for 発行要求作成日時, written as 14 digits of Japanese time.
        sequence: its last five digits follow.
        place: prefecture and municipality in Latin letters.
        window: 受付窓口識別記号, nine characters.
    """
    stamp = f"{issued_at.astimezone(JST):%Y%m%d%H%M%S}"
    return name(("C", "JP"), ("L", place[0]), ("L", place[1]), ("CN", f"{stamp}{sequence % 100000:05}{window}"))


def authentication_subject(issued_at: datetime, sequence: int, *, window: str) -> x509.Name:
    """Subject of 利用者証明用電子証明書: C and a CN of 23 characters, no place and no name (jpki.md §1.3).

    What the real first 14 characters encode is not established; here they are a digest of the serial and the moment,
    in capital letters and digits, so that nobody can read anything out of them.
    """
    alphabet = "0123456789ABCDEFGHJKLMNPQRSTUVWX"
    digest = hashlib.sha256(f"{sequence}:{issued_at.astimezone(UTC):%Y%m%d%H%M%S}".encode()).digest()
    return name(("C", "JP"), ("CN", "".join(alphabet[byte % 32] for byte in digest[:14]) + window))


@dataclass(frozen=True, slots=True)
class IssuingCa:
    """What a certificate says about its issuer, and the key that signs it."""

    subject: x509.Name
    alternative_name: x509.Name
    serial: int
    key: CaKey = field(repr=False)

    def authority_key_identifier(self) -> x509.AuthorityKeyIdentifier:
        """keyIdentifier, authorityCertIssuer and authorityCertSerialNumber: all three (jpki.md §1.1)."""
        return x509.AuthorityKeyIdentifier(
            x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()).digest,
            [x509.DirectoryName(self.subject)],
            self.serial,
        )


@dataclass(frozen=True, slots=True)
class Template:
    """A certificate before it is signed. ``dataclasses.replace`` makes the wrong ones that verifiers must refuse.

    Attributes:
        extensions: (value, critical) in the order of encoding.
    """

    subject: x509.Name = field(repr=False)
    issuer: x509.Name
    public_key: HolderKey
    serial: int
    not_before: datetime
    not_after: datetime = field(repr=False)
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = field(repr=False)
    hash_name: str

    def sign(self, key: CaKey) -> bytes:
        """The certificate, DER, signed with ``key`` (RSASSA-PKCS1-v1_5 or ECDSA)."""
        builder = x509.CertificateBuilder(
            issuer_name=self.issuer,
            subject_name=self.subject,
            public_key=self.public_key,
            serial_number=self.serial,
            not_valid_before=self.not_before.astimezone(UTC),
            not_valid_after=self.not_after.astimezone(UTC),
        )
        for value, critical in self.extensions:
            builder = builder.add_extension(value, critical)
        signed = builder.sign(key, hash_algorithm(self.hash_name), ecdsa_deterministic=deterministic(key))
        return signed.public_bytes(serialization.Encoding.DER)


def deterministic(key: CaKey) -> bool | None:
    """What the builders of ``cryptography`` want to be told of ECDSA, and of nothing else."""
    return True if isinstance(key, ec.EllipticCurvePrivateKey) else None


def end_entity(
    profile: CertificateProfile,
    ca: IssuingCa,
    public_key: HolderKey,
    *,
    subject: x509.Name,
    serial: int,
    validity: tuple[datetime, datetime],
    partition: x509.Name,
    cps: str,
    ocsp: str,
    person: CertifiedPerson | None = None,
) -> Template:
    """A card holder's certificate in a profile, extensions in the profile's order.

    Args:
        partition: directoryName of the municipality's CRL.
        person: whom a signature certificate names; the other purpose has no use for it.

    Raises:
        UsageError: the key is not what the profile wants, or :meth:`CertifiedPerson.attributes` refuses.
    """
    check_key(profile, public_key)
    values: Mapping[str, Callable[[], x509.ExtensionType]] = {
        ExtensionOID.KEY_USAGE.dotted_string: lambda: key_usage(profile.key_usage),
        ExtensionOID.EXTENDED_KEY_USAGE.dotted_string: lambda: x509.ExtendedKeyUsage(
            [x509.ObjectIdentifier(oid) for oid in profile.extended_key_usage]
        ),
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string: lambda: alternative_name(_attributes(person)),
        ExtensionOID.CERTIFICATE_POLICIES.dotted_string: lambda: policies(profile.policies[Store.SIMULATOR], cps),
        ExtensionOID.ISSUER_ALTERNATIVE_NAME.dotted_string: lambda: x509.IssuerAlternativeName(
            [x509.DirectoryName(ca.alternative_name)]
        ),
        ExtensionOID.CRL_DISTRIBUTION_POINTS.dotted_string: lambda: distribution_points(partition),
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS.dotted_string: lambda: ocsp_access(ocsp),
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER.dotted_string: ca.authority_key_identifier,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER.dotted_string: lambda: x509.SubjectKeyIdentifier.from_public_key(
            public_key
        ),
    }
    return Template(
        subject,
        ca.subject,
        public_key,
        serial,
        *validity,
        tuple((values[oid](), oid in profile.critical) for oid in profile.extension_order),
        profile.hash,
    )


def authority(ca: IssuingCa, validity: tuple[datetime, datetime], hash_name: str) -> Template:
    """A self-signed CA's certificate as production's are built and ordered (jpki.md §2; read off ``signca03.cer``)."""
    return Template(
        ca.subject,
        ca.subject,
        ca.key.public_key(),
        ca.serial,
        *validity,
        (
            (key_usage(("key_cert_sign", "crl_sign")), True),
            (x509.SubjectAlternativeName([x509.DirectoryName(ca.alternative_name)]), False),
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (distribution_points(ca.subject), False),
            (x509.SubjectKeyIdentifier.from_public_key(ca.key.public_key()), False),
        ),
        hash_name,
    )


def check_key(profile: CertificateProfile, public_key: HolderKey) -> None:
    """Refuse a subject key that the profile does not allow.

    Raises:
        UsageError: so it is.
    """
    wanted = profile.key
    if wanted.algorithm == "ec":
        if not isinstance(public_key, ec.EllipticCurvePublicKey) or not isinstance(public_key.curve, ec.SECP384R1):
            raise UsageError("the profile wants a key on P-384")
    elif (
        not isinstance(public_key, rsa.RSAPublicKey)
        or public_key.key_size != wanted.bits
        or public_key.public_numbers().e != wanted.exponent
    ):
        raise UsageError(f"the profile wants RSA-{wanted.bits} with exponent {wanted.exponent}")


def key_usage(names: Iterable[str]) -> x509.KeyUsage:
    """keyUsage with exactly the named bits (names as ``cryptography`` has them)."""
    bits = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
         "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        False,
    )  # fmt: skip
    return x509.KeyUsage(**bits | dict.fromkeys(names, True))


def hash_algorithm(name: str) -> hashes.SHA256 | hashes.SHA384:
    """The hash that a profile names.

    Raises:
        UsageError: none that a profile has.
    """
    try:
        return _HASHES[name]()
    except KeyError:
        raise UsageError("no such hash in a profile", hash=name) from None


def utf8_string(text: str) -> bytes:
    """DER of a UTF8String."""
    value = text.encode("utf-8")
    size = len(value)
    if size < 0x80:
        return bytes((0x0C, size)) + value
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x0C, 0x80 | len(octets))) + octets + value


def alternative_name(attributes: Sequence[tuple[str, str]]) -> x509.SubjectAlternativeName:
    """subjectAltName of otherNames with UTF8String values, in the order given: (OID, text) pairs (jpki.md §1.4)."""
    return x509.SubjectAlternativeName(
        [x509.OtherName(x509.ObjectIdentifier(oid), utf8_string(text)) for oid, text in attributes]
    )


def _attributes(person: CertifiedPerson | None) -> list[tuple[str, str]]:
    if person is None:
        raise UsageError("this certificate names a person")
    values = person.attributes()
    return [(attribute.oid, values[attribute.id]) for attribute in load_profiles().attributes]


def policies(oid: str, cps: str) -> x509.CertificatePolicies:
    """certificatePolicies: one policy with one qualifier, id-qt-cps as IA5String (jpki.md §1.1)."""
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(oid), [cps])])


def distribution_points(partition: x509.Name) -> x509.CRLDistributionPoints:
    """cRLDistributionPoints: one fullName that is a directoryName, no URI (jpki.md §1.1)."""
    return x509.CRLDistributionPoints([x509.DistributionPoint([x509.DirectoryName(partition)], None, None, None)])


def ocsp_access(url: str) -> x509.AuthorityInformationAccess:
    """authorityInfoAccess with the OCSP address alone (jpki.md §1.3)."""
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))]
    )
