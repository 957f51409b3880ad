"""Time-stamping authorities (時刻認証局, TSA): whom the caller trusts, and the path from a token's signer to them.

JPKI runs none, so nothing comes with the package: every anchor is the caller's. A certificate that is given is either
a CA, and then revocation lists must cover every certificate below it, or itself the certificate of a TSA, and then
whoever gives it vouches for it: nobody asks whether it was revoked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kojin_card.errors import DecodeError, InputError, TrustError
from kojin_card.pki import der
from kojin_card.pki.algorithms import EXPONENT, MIN_RSA_BITS
from kojin_card.pki.certificate import (
    BASIC_CONSTRAINTS,
    CERTIFICATE_POLICIES,
    CRL_DISTRIBUTION_POINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    Certificate,
)
from kojin_card.pki.files import read_bounded, to_der
from kojin_card.pki.profile import Store
from kojin_card.pki.trust import built_in
from kojin_card.verdict import Check, CheckId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography import x509

_OPERATION = "load time-stamping authorities"
TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
_ANY_USAGE = "2.5.29.37.0"
_NAME_CONSTRAINTS = "2.5.29.30"
_SUFFIXES = frozenset({".pem", ".crt", ".cer", ".der", ".crl"})
MAX_FILES = 256
MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_RSA_BITS = 8192
MAX_PATH = 4
#: how many signatures one path may cost; one message may have 256 tokens
MAX_STEPS = 16

#: critical extensions whose meaning is judged here, or that take nothing away from a path
_UNDERSTOOD = frozenset(
    {KEY_USAGE, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, CERTIFICATE_POLICIES, CRL_DISTRIBUTION_POINTS}
)
#: RFC 3161 §4: a TSA that stopped for these reasons leaves its older tokens good; for any other they all fall. The RFC
#: takes ``unspecified`` too when it is written out; here it does not, for it says as little as no reason at all.
_ORDERLY = frozenset({"affiliationChanged", "superseded", "cessationOfOperation"})
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
#: signature OID -> (kind of key, digest); None: the digest is named beside it (rsaEncryption)
ALGORITHMS: Mapping[str, tuple[str, str | None]] = {
    "1.2.840.113549.1.1.1": ("rsa", None),
    "1.2.840.113549.1.1.11": ("rsa", "sha256"),
    "1.2.840.113549.1.1.12": ("rsa", "sha384"),
    "1.2.840.113549.1.1.13": ("rsa", "sha512"),
    "1.2.840.10045.4.3.2": ("ec", "sha256"),
    "1.2.840.10045.4.3.3": ("ec", "sha384"),
    "1.2.840.10045.4.3.4": ("ec", "sha512"),
}
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,32})-----.*?-----END \1-----", re.DOTALL)


# --- keys -------------------------------------------------------------------------------------------------------------


def usable_key(spki: bytes) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey | None:
    """The key, when signatures of a TSA may be verified with it: RSA from 2048 bits, or a NIST curve from 256."""
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, rsa.RSAPublicKey):
        good = MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS and key.public_numbers().e == EXPONENT
        return key if good else None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES else None


def verifies(spki: bytes, algorithm: str, signature: bytes, message: bytes, digest: str | None = None) -> bool:
    """Whether a key that is good enough made this signature by an algorithm that is.

    Args:
        algorithm: OID, as named in certificate, list or token.
        digest: the digest that a token names beside it; where both name one, they are the same.
    """
    kind, own = ALGORITHMS.get(algorithm, ("", None))
    name = own or digest or ""
    key, chosen = usable_key(spki), _HASHES.get(name)
    if key is None or chosen is None or (digest is not None and own not in (None, digest)):
        return False
    try:
        if kind == "rsa" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), chosen)
            return True
        if kind == "ec" and isinstance(key, ec.EllipticCurvePublicKey):
            der.check(signature)
            key.verify(signature, message, ec.ECDSA(chosen))
            return True
    except (InvalidSignature, ValueError, UnsupportedAlgorithm, der.DerError):
        return False
    return False


# --- lists ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TsaList:
    """A revocation list of an authority above a TSA (RFC 5280 §5); its issuer's key is checked for each use.

    Attributes:
        issuer: the Name as encoded.
        users_only: it says nothing of CAs (onlyContainsUserCerts).
    """

    sha256: str
    list: x509.CertificateRevocationList = field(repr=False, compare=False)
    issuer: bytes = field(repr=False)
    users_only: bool = False

    @classmethod
    def parse(cls, data: bytes) -> TsaList:
        """Read one.

        Raises:
            DerError: no CRL; a delta or an indirect list, one for some reasons or for CAs only; no nextUpdate; an
                unknown critical extension.
        """
        from cryptography import x509  # slow to import, and only who has such a list needs it

        der.check(data)
        try:
            found = x509.load_der_x509_crl(data)
            extensions = list(found.extensions)
            begin, end = found.last_update_utc, found.next_update_utc
            issuer = found.issuer.public_bytes()
        except _unreadable() as bad:
            raise der.DerError("not a revocation list") from bad
        users_only = False
        for one in extensions:
            value = one.value
            if isinstance(value, x509.DeltaCRLIndicator):
                raise der.DerError("a delta revocation list, which is not used")
            if isinstance(value, x509.IssuingDistributionPoint):
                if (
                    value.full_name is not None
                    or value.relative_name is not None
                    or value.only_some_reasons
                    or value.indirect_crl
                    or value.only_contains_ca_certs
                    or value.only_contains_attribute_certs
                ):
                    raise der.DerError("a revocation list for a part of an authority's certificates")
                users_only = value.only_contains_user_certs
            elif one.critical:
                raise der.DerError("a revocation list with an unknown critical extension")
        if end is None or end <= begin:
            raise der.DerError("a revocation list without an end")
        return cls(found.fingerprint(hashes.SHA256()).hex(), found, issuer, users_only)

    def by(self, issuer: Certificate) -> bool:
        """Whether that authority's key made it, and may."""
        usage = issuer.key_usage
        return (
            self.issuer == issuer.subject
            and (usage is None or "crl_sign" in usage)
            and verifies(
                issuer.spki,
                self.list.signature_algorithm_oid.dotted_string,
                self.list.signature,
                self.list.tbs_certlist_bytes,
            )
        )

    def fresh(self, now: datetime) -> bool:
        """thisUpdate <= now < nextUpdate."""
        end = self.list.next_update_utc
        return end is not None and self.list.last_update_utc <= now < end


def _unreadable() -> tuple[type[Exception], ...]:
    """What ``cryptography`` raises at a list or an entry that it cannot read, or that has not what is looked for."""
    from cryptography import x509

    odd = (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.ExtensionNotFound)
    return (ValueError, TypeError, *odd)


# --- the store --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TsaPath:
    """From a TSA's certificate up to the anchor, both included; one alone is trusted directly."""

    certificates: tuple[Certificate, ...]

    @property
    def direct(self) -> bool:
        """Whether the caller gave the TSA's own certificate."""
        return len(self.certificates) == 1


@dataclass(frozen=True, slots=True)
class TsaStore:
    """The TSAs and CAs above TSAs that the caller trusts, and revocation lists of those CAs. Values; thread-safe.

    Raises:
        TrustError: an anchor that is neither a CA nor a TSA, whose key is too weak, or which is a CA of JPKI.
    """

    anchors: tuple[Certificate, ...]
    lists: tuple[TsaList, ...] = ()

    def __post_init__(self) -> None:
        people = {anchor.spki for store in Store for anchor in built_in(store)}
        for anchor in self.anchors:
            if anchor.spki in people:
                raise _refuse("a CA of people's certificates is no authority for time-stamps")
            if not (_may_issue(anchor, anchor=True) or names_a_tsa(anchor)) or usable_key(anchor.spki) is None:
                raise _refuse("neither the certificate of a CA nor of a time-stamping authority")

    @classmethod
    def of(cls, anchors: Iterable[bytes], lists: Iterable[bytes] = ()) -> TsaStore:
        """A store of certificates and revocation lists, each DER or one PEM block.

        Raises:
            InputError: one of them is something else. TrustError: see :class:`TsaStore`.
        """
        return cls(tuple(map(_certificate, anchors)), tuple(map(_list, lists)))

    @classmethod
    def load(cls, paths: Iterable[Path]) -> TsaStore:
        """A store of files (DER, or any number of PEM blocks) and of folders of such files, lists among them.

        Raises:
            InputError: a file that cannot be read or is neither; no certificate at all; too many files.
            TrustError: see :class:`TsaStore`.
        """
        anchors: dict[str, Certificate] = {}
        lists: dict[str, TsaList] = {}
        for path in _files(paths):
            for label, block in _blocks(read_bounded(path, MAX_FILE_BYTES)):
                if label == "X509 CRL" or (label == "" and not _is_certificate(block)):
                    found = _list(block)
                    lists[found.sha256] = found
                else:
                    anchor = _certificate(block)
                    anchors[anchor.sha256] = anchor
        if not anchors:
            raise InputError("no certificate of a time-stamping authority", operation=_OPERATION)
        return cls(tuple(anchors.values()), tuple(lists.values()))

    def path(self, leaf: Certificate, offered: Sequence[Certificate], moments: Sequence[datetime]) -> TsaPath | None:
        """The path from a TSA's certificate to an anchor, through certificates that came with the token if need be.

        Dates are not judged; a path whose certificates are all valid at ``moments`` is preferred.
        """
        if leaf in self.anchors:
            return TsaPath((leaf,))
        steps = [MAX_STEPS]
        found: TsaPath | None = None
        for path in self._paths((leaf,), offered, steps):
            if all(valid(certificate, moments) for certificate in path.certificates):
                return path
            found = found or path
        return found

    def _paths(
        self, below: tuple[Certificate, ...], offered: Sequence[Certificate], steps: list[int]
    ) -> Iterator[TsaPath]:
        child = below[-1]
        for anchor in self.anchors:
            if _issued(child, anchor, len(below) - 1, steps, anchor=True):
                yield TsaPath((*below, anchor))
        if len(below) < MAX_PATH:
            for one in offered:
                if one not in below and one not in self.anchors and _issued(child, one, len(below) - 1, steps):
                    yield from self._paths((*below, one), offered, steps)

    def revocation(self, path: TsaPath, stamped: datetime, now: datetime) -> Check | None:
        """Whether anything below the anchor was revoked, by lists that are fresh at ``now``.

        Of a TSA that is trusted itself nobody need ask (None), but a list of its CA, given as well, is not passed over.

        An authority that stopped in good order after ``stamped`` leaves its older tokens good (RFC 3161 §4); whatever
        was revoked for any other reason, or for none that is said, is of no use whenever it was.
        """
        pairs = list(zip(path.certificates, path.certificates[1:], strict=False))
        if path.direct:
            leaf, steps = path.certificates[0], [MAX_STEPS]
            pairs = [(leaf, one) for one in self.anchors if _issued(leaf, one, 0, steps, anchor=True)]
        elif not self.lists:
            return Check.not_checked(CheckId.REVOCATION, "revocation.no_source")
        used: list[str] = []
        for child, issuer in pairs:
            own = [one for one in self.lists if one.by(issuer)]
            for one in own:
                entry = one.list.get_revoked_certificate_by_serial_number(child.serial)
                if entry is not None and not _left_in_order(entry, stamped):
                    return Check.failed("revocation.revoked", method="crl", source=one.sha256)
            own = [one for one in own if not (one.users_only and child.is_ca)]  # whose silence says something
            fresh = [one for one in own if one.fresh(now)]
            if not fresh and not path.direct:
                return Check.failed("revocation.stale" if own else "revocation.no_list", method="crl")
            used += [max(fresh, key=lambda one: one.list.last_update_utc).sha256] if fresh else []
        return None if path.direct else Check.passed(CheckId.REVOCATION, method="crl", source=" ".join(used))


def names_a_tsa(certificate: Certificate) -> bool:
    """RFC 3161 §2.3: exactly the one extended key usage id-kp-timeStamping, critical; a key that signs; no CA."""
    extension = certificate.extension(EXTENDED_KEY_USAGE)
    bits = certificate.key_usage
    return (
        extension is not None
        and extension.critical
        and certificate.extended_key_usage == (TIME_STAMPING,)
        and not certificate.is_ca
        and (bits is None or (bool(bits) and set(bits) <= {"digital_signature", "content_commitment"}))
    )


def understood(certificate: Certificate) -> bool:
    """Whether nothing critical stands in it that is not judged here."""
    return all(one.oid in _UNDERSTOOD for one in certificate.extensions if one.critical)


def valid(certificate: Certificate, moments: Iterable[datetime]) -> bool:
    """Whether it is in its validity period at every one of ``moments``."""
    return all(certificate.not_before <= moment <= certificate.not_after for moment in moments)


def _may_issue(certificate: Certificate, *, anchor: bool = False, below: int = 0) -> bool:
    """CA:TRUE, keyCertSign, a path length that allows what is below, no usage or constraint that excludes a TSA."""
    basic, usage = certificate.extension(BASIC_CONSTRAINTS), certificate.key_usage
    if basic is None or not certificate.is_ca or certificate.extension(_NAME_CONSTRAINTS) is not None:
        return False
    fields = der.Fields(der.single(basic.value, der.SEQUENCE))
    fields.next(der.BOOLEAN)
    length = fields.optional(der.INTEGER)
    if length is not None and below > der.integer(length):
        return False
    if "key_cert_sign" not in (("key_cert_sign",) if anchor and usage is None else usage or ()):
        return False
    allowed = certificate.extended_key_usage
    return understood(certificate) and (allowed is None or bool({TIME_STAMPING, _ANY_USAGE} & set(allowed)))


def _issued(child: Certificate, issuer: Certificate, below: int, steps: list[int], *, anchor: bool = False) -> bool:
    """Whether ``issuer`` issued ``child``, as far as a bounded number of signatures goes.

    Args:
        below: how many CA certificates stand between ``issuer`` and the TSA.
    """
    pointer = child.authority_key
    named = None if pointer is None else pointer.key_id
    if issuer.subject != child.issuer or not steps[0]:
        return False
    if named is not None and issuer.subject_key_id is not None and named != issuer.subject_key_id:
        return False
    if not _may_issue(issuer, anchor=anchor, below=below):
        return False
    steps[0] -= 1
    return verifies(issuer.spki, child.signature_algorithm, child.signature, child.tbs)


def _left_in_order(entry: x509.RevokedCertificate, stamped: datetime) -> bool:
    from cryptography import x509

    try:
        reason: Any = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        invalid = [one for one in entry.extensions if one.critical or isinstance(one.value, x509.InvalidityDate)]
    except _unreadable():
        return False
    return reason.value in _ORDERLY and not invalid and entry.revocation_date_utc > stamped


# --- files ------------------------------------------------------------------------------------------------------------


def _refuse(words: str) -> TrustError:
    return TrustError(words, operation=_OPERATION)


def _certificate(data: bytes) -> Certificate:
    try:
        return Certificate.parse(to_der(bytes(data), "CERTIFICATE", limit=MAX_FILE_BYTES))
    except DecodeError as bad:
        raise InputError("not the certificate of a time-stamping authority or CA", operation=_OPERATION) from bad


def _list(data: bytes) -> TsaList:
    try:
        return TsaList.parse(to_der(bytes(data), "X509 CRL", limit=MAX_FILE_BYTES))
    except DecodeError as bad:
        raise InputError("no revocation list that can be used for time-stamps", operation=_OPERATION) from bad


def _is_certificate(data: bytes) -> bool:
    try:
        Certificate.parse(data)
    except DecodeError:
        return False
    return True


def _files(paths: Iterable[Path]) -> list[Path]:
    out: list[Path] = []
    for path in paths:
        try:
            found = [one for one in path.iterdir() if one.suffix.lower() in _SUFFIXES] if path.is_dir() else [path]
        except OSError as bad:
            raise InputError("the folder cannot be read", file=path.name) from bad
        out += sorted(found)
        if len(out) > MAX_FILES:
            raise InputError("too many files", operation=_OPERATION)
    return out


def _blocks(data: bytes) -> list[tuple[str, bytes]]:
    """(label, PEM block) of each, or the whole as one without a label."""
    if b"-----BEGIN " not in data:
        return [("", data)]
    return [(found[1].decode("ascii"), found[0]) for found in _BLOCK.finditer(data)]
