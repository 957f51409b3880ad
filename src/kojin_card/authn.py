"""Authentication with the card: the challenge that a verifier makes and the proof that a card gives back.

The proof is a compact JWS (RFC 7515) with a media type of its own: RS256 is what the card computes anyway
(RSASSA-PKCS1-v1_5 with SHA-256), ES384 what the next one will, and ``x5c`` carries the 利用者証明用電子証明書. Replay
is refused by the single-use nonce; relay by a person in the middle is only narrowed by audience, purpose and expiry.
"""

from __future__ import annotations

import base64
import contextlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kojin_card.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

PROOF_TYPE = "kojin-card-auth+jwt"
CHALLENGE_TYPE = "kojin-card-challenge"
ALGORITHM = "RS256"
#: values of ``alg`` (RFC 7518 §3.1); which of them is right is up to the certificate, not to the proof
ALGORITHMS = (ALGORITHM, "ES384")
NONCE_BYTES = 32
MAX_PROOF_CHARS = 16_384
MAX_TEXT_CHARS = 512
MAX_LIFETIME = timedelta(hours=1)
_NOTHING: Any = object()


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64url(text: str) -> bytes:
    """The inverse; exactly one spelling is accepted.

    Raises:
        DecodeError: not base64url, padded, or not in its canonical form.
    """
    data: bytes | None = None
    with contextlib.suppress(ValueError):  # raised outside of its handling: no chain holds what could not be read
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if data is None:
        raise DecodeError("not base64url", operation="decode a proof")
    if b64url(data) != text:  # urlsafe_b64decode passes over what it does not know; this does not
        raise DecodeError("not canonical base64url", operation="decode a proof")
    return data


def _unb64(text: str) -> bytes:
    """Base64 as ``x5c`` has it (RFC 4648 §4, padded), in exactly one spelling."""
    data: bytes | None = None
    with contextlib.suppress(ValueError):
        data = base64.b64decode(text, validate=True)
    if data is None:
        raise DecodeError("x5c is not base64", operation="decode a proof")
    if base64.b64encode(data).decode("ascii") != text:
        raise DecodeError("x5c is not canonical base64", operation="decode a proof")
    return data


def _strict_json(raw: bytes | str, what: str) -> dict[str, Any]:
    """A JSON object in UTF-8 (json.loads alone would also guess UTF-16 and UTF-32), every name once."""

    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise DecodeError("a name stands twice", operation=f"decode {what}")
        return dict(pairs)

    value: Any = _NOTHING
    with contextlib.suppress(ValueError, RecursionError):  # these errors hold the whole text
        value = json.loads(raw if isinstance(raw, str) else raw.decode("utf-8"), object_pairs_hook=no_duplicates)
    if value is _NOTHING:
        raise DecodeError("not JSON", operation=f"decode {what}")
    if not isinstance(value, dict):
        raise DecodeError("not a JSON object", operation=f"decode {what}")
    return value


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a verifier asks a card to sign: fresh, bound to who asks and why, and short-lived (one second to one hour).

    Making one that breaks these rules is a DecodeError.

    Attributes:
        nonce: 32 random bytes; the key in the challenge store.
        audience: who will accept the proof (an origin or a name the holder would recognise).
        purpose: what the holder agrees to by authenticating.
        issued_at, expires_at: whole seconds, UTC.
    """

    nonce: bytes = field(repr=False)
    audience: str
    purpose: str
    issued_at: datetime
    expires_at: datetime

    def __post_init__(self) -> None:
        if len(self.nonce) != NONCE_BYTES:
            raise DecodeError("a nonce has 32 bytes", operation="make a challenge")
        for text in (self.audience, self.purpose):
            if not text or len(text) > MAX_TEXT_CHARS:
                raise DecodeError("audience and purpose have 1 to 512 characters", operation="make a challenge")
            if any("\ud800" <= char <= "\udfff" for char in text):
                raise DecodeError("half a surrogate pair is no character", operation="make a challenge")
        for moment in (self.issued_at, self.expires_at):
            if moment.utcoffset() is None or moment.microsecond:
                raise DecodeError("times are whole seconds with a zone", operation="make a challenge")
        if not timedelta(0) < self.expires_at - self.issued_at <= MAX_LIFETIME:
            raise DecodeError("a challenge lives one second to one hour", operation="make a challenge")

    @classmethod
    def new(
        cls,
        audience: str,
        purpose: str,
        *,
        now: datetime,
        random: Callable[[int], bytes],
        lifetime: timedelta = timedelta(minutes=5),
    ) -> Challenge:
        """A fresh challenge. ``random(n)`` gives n unpredictable bytes (``secrets.token_bytes``).

        Raises:
            DecodeError: a text, a time or a lifetime that a challenge cannot have.
        """
        if now.utcoffset() is None:
            raise DecodeError("times are whole seconds with a zone", operation="make a challenge")
        start = now.astimezone(UTC).replace(microsecond=0)
        return cls(random(NONCE_BYTES), audience, purpose, start, start + lifetime)

    def claims(self) -> dict[str, Any]:
        """The JWS payload: ``nonce``, ``aud``, ``purpose``, ``iat``, ``exp`` (seconds since 1970)."""
        return {
            "nonce": b64url(self.nonce),
            "aud": self.audience,
            "purpose": self.purpose,
            "iat": int(self.issued_at.timestamp()),
            "exp": int(self.expires_at.timestamp()),
        }

    @classmethod
    def from_claims(cls, claims: dict[str, Any]) -> Challenge:
        """Read the payload back.

        Raises:
            DecodeError: a claim is missing, of another type, out of range, or one too many.
        """
        kinds = {"nonce": str, "aud": str, "purpose": str, "iat": int, "exp": int}
        if claims.keys() != kinds.keys() or any(type(claims[name]) is not kind for name, kind in kinds.items()):
            raise DecodeError("the claims are not those of a challenge", operation="decode a challenge")
        try:
            issued, expires = (datetime.fromtimestamp(claims[name], UTC) for name in ("iat", "exp"))
        except (OverflowError, OSError, ValueError):
            raise DecodeError("a time out of range", operation="decode a challenge") from None
        return cls(unb64url(claims["nonce"]), claims["aud"], claims["purpose"], issued, expires)

    def to_json(self) -> str:
        """The form in which a challenge travels to the program at the card."""
        return json.dumps({"type": CHALLENGE_TYPE, **self.claims()}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Challenge:
        """Read :meth:`to_json` back.

        Raises:
            DecodeError: it is something else.
        """
        if len(text) > MAX_PROOF_CHARS:
            raise DecodeError("too long", operation="decode a challenge")
        value = _strict_json(text, "a challenge")
        if value.pop("type", None) != CHALLENGE_TYPE:
            raise DecodeError("not a challenge", operation="decode a challenge")
        return cls.from_claims(value)


@dataclass(frozen=True, slots=True)
class AuthenticationProof:
    """A challenge, signed by a card's 利用者証明用 key: header, payload and signature of a compact JWS.

    The exact signed text is kept, so that what is verified is what was signed.

    Attributes:
        algorithm: the ``alg`` of the header, one of :data:`ALGORITHMS`.
    """

    signing_input: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    challenge: Challenge
    signature: bytes = field(repr=False)
    algorithm: str = ALGORITHM

    @staticmethod
    def signing_input_for(challenge: Challenge, certificate: bytes, algorithm: str = ALGORITHM) -> bytes:
        """``BASE64URL(header) . BASE64URL(payload)``, the text that the card signs."""
        header = {"alg": algorithm, "typ": PROOF_TYPE, "x5c": [base64.b64encode(certificate).decode("ascii")]}
        parts = (json.dumps(part, ensure_ascii=False, separators=(",", ":")) for part in (header, challenge.claims()))
        return ".".join(b64url(part.encode("utf-8")) for part in parts).encode("ascii")

    @classmethod
    def make(
        cls,
        challenge: Challenge,
        certificate: bytes,
        sign: Callable[[bytes], bytes],
        *,
        algorithm: str = ALGORITHM,
    ) -> AuthenticationProof:
        """Sign ``challenge``.

        Args:
            sign: message -> signature as ``algorithm`` has it: RSASSA-PKCS1-v1_5 with SHA-256 for RS256, for ES384 the
                96 bytes of r and s by ECDSA on P-384 with SHA-384.
            algorithm: the one of the certificate's key.

        Raises:
            DecodeError: no such algorithm.
        """
        if algorithm not in ALGORITHMS:
            raise DecodeError("no such algorithm of a proof", operation="make a proof")
        text = cls.signing_input_for(challenge, certificate, algorithm)
        return cls(text, certificate, challenge, sign(text), algorithm)

    def compact(self) -> str:
        """The compact serialisation (three parts joined by dots)."""
        return f"{self.signing_input.decode('ascii')}.{b64url(self.signature)}"

    @classmethod
    def parse(cls, compact: str) -> AuthenticationProof:
        """Read a compact serialisation; the signature is not checked here.

        Raises:
            DecodeError: not three parts, another ``alg`` or ``typ``, not exactly one certificate, an unknown header,
                anything not in its one canonical spelling, a payload that is no challenge, an empty signature.
        """
        if len(compact) > MAX_PROOF_CHARS or not compact.isascii():
            raise DecodeError("too long, or not ASCII", operation="decode a proof")
        parts = compact.split(".")
        if len(parts) != 3:
            raise DecodeError("a proof has three parts", operation="decode a proof")
        header, claims = (_strict_json(unb64url(part), "a proof") for part in parts[:2])
        if header.keys() != {"alg", "typ", "x5c"} or header["typ"] != PROOF_TYPE:
            raise DecodeError("not the header of a proof", operation="decode a proof")
        algorithm = header["alg"]
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise DecodeError("not the header of a proof", operation="decode a proof")
        chain = header["x5c"]
        if not isinstance(chain, list) or len(chain) != 1 or not isinstance(chain[0], str):
            raise DecodeError("x5c holds exactly one certificate", operation="decode a proof")
        certificate, signature = _unb64(chain[0]), unb64url(parts[2])
        if not certificate or not signature:
            raise DecodeError("no certificate, or no signature", operation="decode a proof")
        signing_input = f"{parts[0]}.{parts[1]}".encode("ascii")
        return cls(signing_input, certificate, Challenge.from_claims(claims), signature, algorithm)
