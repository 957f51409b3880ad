"""公的個人認証AP: certificates, signing and authenticating (card.md §2.6, §4.4)."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from kojin_card.applications.base import Driver
from kojin_card.authn import AuthenticationProof
from kojin_card.errors import (
    CardError,
    DecodeError,
    NotOnCard,
    PinBlocked,
    SignatureMismatch,
    UnexpectedAnswer,
    UsageError,
)

if TYPE_CHECKING:
    from kojin_card.authn import Challenge
    from kojin_card.channel import PinArgument
    from kojin_card.pki.certificate import Certificate

CertificateRole = Literal["auth", "sign", "auth-ca", "sign-ca"]


class TokenKind(StrEnum):
    """What carries the application, told by the label of EF 0006."""

    INDIVIDUAL_NUMBER_CARD = "individual_number_card"
    RESIDENT_REGISTRY_CARD = "resident_registry_card"
    ANDROID = "android"
    IPHONE = "iphone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Token:
    """EF 0006, as far as it says something. The serial number is hidden in ``repr``.

    Attributes:
        label: without its padding.
        serial_number: of the token, not of the card.
    """

    kind: TokenKind
    label: str
    manufacturer: str
    model: str
    serial_number: str = field(repr=False)
    hardware_version: str
    firmware_version: str


@dataclass(frozen=True, slots=True)
class CertificateAvailability:
    """EF 0008: which certificates are on the card (a child under 15 has no signature certificate)."""

    sign: bool
    auth: bool


class CardSigner:
    """A key of the card behind its verified secret: what :mod:`kojin_card.signing` calls a signer.

    It holds no secret. One verification serves many signatures, until another application is selected or the session
    ends; then signing raises ``AccessDenied`` or ``TransportError``.
    """

    __slots__ = ("_ca", "_certificate", "_read_ca", "_sign")

    def __init__(self, certificate: bytes, sign: Callable[[bytes], bytes], read_ca: Callable[[], bytes]) -> None:
        self._certificate = certificate
        self._sign = sign
        self._read_ca = read_ca
        self._ca: bytes | None = None

    def __repr__(self) -> str:
        return "CardSigner(***)"

    @property
    def certificate(self) -> bytes:
        """The certificate of the key, DER."""
        return self._certificate

    @property
    def issuer_certificate(self) -> bytes | None:
        """The CA certificate on the card, DER; read when it is first asked for."""
        if self._ca is None:
            self._ca = self._read_ca()
        return self._ca

    def sign_digest_info(self, digest_info: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 over ``digest_info`` (51 bytes for SHA-256): 256 bytes for RSA-2048. 1 APDU.

        Of a key on P-384 (the next card; the command is an assumption): ECDSA over a bare SHA-384 of 48 bytes, given
        back as the DER of X.509 and CMS.

        Raises:
            AccessDenied: the card has forgotten the secret. UnexpectedAnswer: no signature of that kind of key.
            UnprovenRefused: a key on P-384, and the card is not our software card.
        """
        return self._sign(digest_info)


@dataclass(frozen=True, slots=True)
class _Role:
    """The parts of one purpose: ids of the specs."""

    key: str
    secret: str
    certificate: str
    ca: str


_SIGNING, _OK = "sign jpki/auth_key", 0x9000

_AUTH = _Role("auth_key", "auth_pin", "auth_certificate", "auth_ca_certificate")
_SIGN = _Role("sign_key", "sign_password", "sign_certificate", "sign_ca_certificate")


class Jpki(Driver):
    """Driver of 公的個人認証AP."""

    application = "jpki"

    def token(self) -> Token:
        """What this is: an Individual Number Card, an old 住基カード, a smartphone. 2 APDUs, no secret.

        Raises:
            NotOnCard: no JPKI application. UnexpectedAnswer: malformed.
        """
        record = self._channel.record(self.application, "token_information")
        label = record.text("label")
        known = self._channel.spec[self.application].layouts["token_information"].walk()
        meanings = next(spec.values for spec in known if spec.name == "label")
        try:
            kind = TokenKind(meanings.get(label, TokenKind.UNKNOWN))
        except ValueError:
            kind = TokenKind.UNKNOWN
        return Token(
            kind,
            label,
            record.text("manufacturer"),
            record.text("model"),
            record.text("serial_number"),
            record.text("hardware_version"),
            record.text("firmware_version"),
        )

    def availability(self) -> CertificateAvailability:
        """Which certificates the card holds. 2 APDUs, no secret.

        Raises:
            NotOnCard: no JPKI application, or none that says it. UnexpectedAnswer: malformed.
        """
        record = self._channel.record(self.application, "certificate_availability")
        fields = {spec.name: spec.values for spec in self._channel.spec[self.application].layouts[record.layout].walk()}
        states = {name: fields[name][record.text(name)] for name in ("sign_certificate", "auth_certificate")}
        return CertificateAvailability(states["sign_certificate"] == "present", states["auth_certificate"] == "present")

    def certificate(self, role: CertificateRole, pin: PinArgument | None = None) -> bytes:
        """A certificate of the card, DER.

        Args:
            role: ``auth`` 利用者証明用, ``sign`` 署名用, or the CA of either.
            pin: the secret that opens it: the signature password for ``sign``; for ``auth`` only a smartphone wants
                its PIN.

        Raises:
            AccessDenied: it needs its secret. NotOnCard: the card has no such certificate.
            UsageError: an unknown role, or a secret for what is free.
            UnexpectedAnswer: not a certificate.
        """
        places = {
            "auth": (_AUTH.certificate, _AUTH),
            "sign": (_SIGN.certificate, _SIGN),
            "auth-ca": (_AUTH.ca, None),
            "sign-ca": (_SIGN.ca, None),
        }
        if role not in places:
            raise UsageError(f"no certificate {role!r}", operation="read a certificate")
        file, owner = places[role]
        if pin is not None and owner is None:
            raise UsageError("a CA certificate needs no secret", operation="read a certificate")
        with self._channel.transaction():
            if pin is not None and owner is not None:
                self._verify(owner, pin, look=True, reserve=1)
            return self._read_certificate(file)

    def signer(self, password: PinArgument, *, look: bool = True, reserve: int = 1) -> CardSigner:
        """署名用: verify the password, read the certificate. SELECT + 2 VERIFY + the READs; a signature is 1 more.

        Raises:
            SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.verify`.
            NotOnCard: the card has no signature certificate.
        """
        return self._signer(_SIGN, password, look, reserve)

    def auth_signer(self, pin: PinArgument, *, look: bool = True, reserve: int = 1) -> CardSigner:
        """利用者証明用: the same with the authentication key. For raw signatures only, never for documents."""
        return self._signer(_AUTH, pin, look, reserve)

    def authenticate(
        self,
        pin: PinArgument,
        challenge: Challenge,
        *,
        look: bool = True,
        reserve: int = 1,
    ) -> AuthenticationProof:
        """Answer a verifier's challenge with the authentication key. Show the holder its audience and purpose first.

        Raises:
            SignatureMismatch: what the card gave does not verify with its own certificate; no proof is made.
            SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.verify`.
        """
        from kojin_card.pki.algorithms import method_of

        signer = self._signer(_AUTH, pin, look, reserve)
        certificate = _parsed(signer.certificate, _AUTH)
        how = method_of(certificate.key.algorithm)
        if how is None:
            raise UnexpectedAnswer("a certificate with a key of no known kind", operation=_SIGNING, sw=_OK)
        sign = _message_signer(signer, certificate, how.hash)
        return AuthenticationProof.make(challenge, signer.certificate, sign, algorithm=how.jws)

    def change_secret(
        self, role: Literal["sign", "auth"], old: PinArgument, new: PinArgument, *, reserve: int = 1
    ) -> None:
        """Replace 署名用パスワード or 利用者証明用暗証番号.

        Raises:
            NotOnCard: a card without that certificate, whose secret is blocked from the start (under 15).
            SecretFormatError, PinRejected, PinBlocked, PinReserve: as :meth:`CardChannel.change`; ``old`` stays.
        """
        which = _SIGN if role == "sign" else _AUTH
        with self._blocked_or_absent(which):
            self._channel.change(self.application, which.secret, old, new, reserve=reserve)

    def _signer(self, role: _Role, secret: PinArgument, look: bool, reserve: int) -> CardSigner:
        with self._channel.transaction():
            self._verify(role, secret, look=look, reserve=reserve)
            certificate = self._read_certificate(role.certificate)

        def sign(data: bytes) -> bytes:
            return self._sign(role, certificate, data)

        return CardSigner(certificate, sign, lambda: self._read_certificate(role.ca))

    def _sign(self, role: _Role, certificate: bytes, data: bytes) -> bytes:
        """Only the certificate tells which kind of key the card has; one that cannot be read is taken for today's."""
        from kojin_card.pki.algorithms import ecdsa_der
        from kojin_card.pki.certificate import Certificate

        kind = "rsa"
        with contextlib.suppress(DecodeError):
            kind = Certificate.parse(certificate).key.algorithm
        spec = self._channel.spec[self.application]
        schemes = [name for name in spec.keys[role.key].schemes if spec.schemes[name].algorithm == kind]
        operation = f"sign {self.application}/{role.key}"
        if not schemes:
            raise UnexpectedAnswer("a certificate with a key of no known kind", operation=operation, sw=_OK)
        answer = self._channel.sign(self.application, role.key, data, schemes[0])
        if kind != "ec":
            return answer
        encoded: bytes | None = None
        with contextlib.suppress(DecodeError):
            encoded = ecdsa_der(answer)
        if encoded is None:
            raise UnexpectedAnswer("no signature of a key on P-384", operation=operation, sw=_OK)
        return encoded

    def _verify(self, role: _Role, secret: PinArgument, *, look: bool, reserve: int) -> None:
        """Verify; a card that never had the certificate (a child's) is told apart from one whose secret is blocked."""
        with self._blocked_or_absent(role):
            self._channel.verify(self.application, role.secret, secret, look=look, reserve=reserve)

    @contextlib.contextmanager
    def _blocked_or_absent(self, role: _Role) -> Iterator[None]:
        """Inside, a blocked secret of a certificate that this card never had becomes :class:`NotOnCard`."""
        refused: PinBlocked
        try:
            yield
            return
        except PinBlocked as blocked:
            refused = blocked
        try:
            states = self.availability()
            present = states.sign if role is _SIGN else states.auth
        except CardError:
            present = True  # a card that does not say so: what it said first stands
        if present:
            raise refused
        raise NotOnCard("no such certificate on this card", operation=refused.operation, sw=refused.sw)

    def _read_certificate(self, file: str) -> bytes:
        return self._channel.record(self.application, file).octets("certificate")


def _parsed(certificate: bytes, role: _Role) -> Certificate:
    """The card's certificate.

    Raises:
        UnexpectedAnswer: it is none.
    """
    from kojin_card.pki.certificate import Certificate

    problem = ""
    try:
        return Certificate.parse(certificate)
    except DecodeError as bad:
        problem = bad.message
    raise UnexpectedAnswer(f"malformed certificate: {problem}", operation=f"sign jpki/{role.key}", sw=_OK)


def _message_signer(signer: CardSigner, certificate: Certificate, digest_name: str) -> Callable[[bytes], bytes]:
    """message -> signature as a JWS has it, checked with the certificate's key before it is given away."""

    def sign(message: bytes) -> bytes:
        from kojin_card.pki.algorithms import SHA256_DIGEST_INFO, Outcome, ecdsa_plain, verify

        curve = certificate.key.algorithm == "ec"
        digest = hashlib.new(digest_name, message).digest()
        signature = signer.sign_digest_info(digest if curve else SHA256_DIGEST_INFO + digest)
        if verify(certificate.key, certificate.spki, digest_name, signature, digest) is not Outcome.VALID:
            raise SignatureMismatch("the answer does not verify with the certificate's key", operation=_SIGNING)
        return ecdsa_plain(signature) if curve else signature

    return sign
