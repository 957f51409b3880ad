"""INTERNAL and EXTERNAL AUTHENTICATE (card.md §4.5) and the start of terminal authentication (§4.6)."""

from __future__ import annotations

import hashlib

from kojin_card.iso7816.apdu import SHORT_LC_MAX
from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.rsa_engine import digest_info
from kojin_card.simulator.security import Refused
from kojin_card.spec.model import FileSpec, KeyKind

_CERTIFICATE, _ITS_SIGNATURE = (0x06, 0xC1), (0x00, 0xC1)  # P1 and P2 of 80 A2
_CERTIFICATE_SIZE = 307  # card.md §4.6: extended Lc 00 0133


def internal_authenticate(card: Context, command: Received) -> Answer:
    """PKCS#1 v1.5 over the SHA-256 of the terminal's challenge of 1 to 255 bytes: the same each time.

    Checks: P1 and the key that P2 names (6A86, 6986, 6A82, 6981), access (6982, as keys behind a PIN answer), whether
    the key serves this command at all (6985, as those of the card-surface applications answer), lengths (6700).
    """
    apdu = command.apdu
    if apdu.p1:
        raise Refused(SW.INCORRECT_P1P2)
    key = card.referenced(apdu.p2)
    if isinstance(key, FileSpec) or key.kind is not KeyKind.PRIVATE_KEY:
        raise Refused(SW.WRONG_FILE_STRUCTURE)
    card.security.require(key.use)
    private = card.content.keys[key.id].private
    if private is None or not key.internal_authentication:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    engine = card.engine(private)
    if not 1 <= len(apdu.data) <= SHORT_LC_MAX or apdu.le is None or apdu.le < engine.size:
        raise Refused(SW.WRONG_LENGTH)
    return Answer(SW.OK, engine.sign_verbatim(digest_info(hashlib.sha256(apdu.data).digest())))


def external_authenticate(_card: Context, _command: Received) -> Answer:
    """The card has the instruction; what for is not documented. 6985 is an assumption: nobody is let in."""
    raise Refused(SW.CONDITIONS_NOT_SATISFIED)


def terminal_certificate(card: Context, command: Received) -> Answer:
    """``80 A2 06 C1`` takes the body of a terminal's card-verifiable certificate, ``80 A2 00 C1`` its signature.

    As far as it was measured: other parameters 6A86, a signature that follows no accepted certificate 6700. No terminal
    certificate is public and this card trusts none: a body of the right length is refused with 6982, an application
    without a key for such certificates answers 6985 (both assumptions).
    """
    apdu = command.apdu
    parameters = (apdu.p1, apdu.p2)
    if parameters not in (_CERTIFICATE, _ITS_SIGNATURE):
        raise Refused(SW.INCORRECT_P1P2)
    trusted = [key for key in card.application.keys.values() if key.kind is KeyKind.PUBLIC_KEY and card.has(key)]
    if not trusted:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    if parameters == _ITS_SIGNATURE or len(apdu.data) != _CERTIFICATE_SIZE:
        raise Refused(SW.WRONG_LENGTH)
    raise Refused(SW.SECURITY_NOT_SATISFIED)
