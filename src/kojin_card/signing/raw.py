"""A bare signature over bytes, for formats that are built elsewhere (JWS, XML, a protocol of one's own)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.errors import UsageError
from kojin_card.pki.reuse import other_meaning
from kojin_card.signing.signer import require_content, sign_message

if TYPE_CHECKING:
    from kojin_card.signing.signer import Signer


def sign_raw(signer: Signer, content: bytes) -> bytes:
    """Sign ``content`` as it is: RSASSA-PKCS1-v1_5 with SHA-256 for the cards of today, 256 bytes; for a key on P-384
    ECDSA with SHA-384, in DER.

    Whoever verifies it needs the certificate as well: the signature names nobody. Content whose bare signature would
    be a signature in CMS or PDF over another document, or an answer to an authentication challenge, is refused with
    every key. Other protocols have forms that nobody here knows: never sign raw content that somebody else chose with
    the key for user authentication (利用者証明用), it could be a challenge.

    Raises:
        UsageError: the content has one of those two forms; the signer was not asked.
        InputError: the content is larger than 256 MiB, or the key is of an unknown kind.
        SignatureMismatch: the card's answer does not verify.
        KojinError: whatever the signer raises.
    """
    require_content(content)
    meaning = other_meaning(content)
    if meaning is not None:
        raise UsageError(f"refused: signed as it is, this content would also be {meaning}", operation="sign raw")
    return sign_message(signer, content)
