"""The signature command ``80 2A`` with its schemes (card.md §4.4), and GET CHALLENGE (§4.2)."""

from __future__ import annotations

import hashlib

from kojin_card.iso7816.apdu import SHORT_LE_MAX
from kojin_card.iso7816.status import SW
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.ec_engine import EcEngine
from kojin_card.simulator.rsa_engine import RsaEngine, digest_info
from kojin_card.simulator.security import Refused
from kojin_card.spec.model import FileSpec, KeyKind, KeySpec, SchemeSpec


def perform_signature(card: Context, command: Received) -> Answer:
    """Sign with the key that P2 names by the scheme that P1 names; 256 bytes in one answer, 96 with a key on P-384.

    Checks, in this order: the key (6A86, 6A88, 6986, 6A82, 6981), the scheme (6A86), access (6982), lengths: 6700 when
    data or a sufficient Le is missing, 6985 when the data does not suit the scheme (the facts allow both words).
    """
    apdu = command.apdu
    key = _key(card, apdu.p2)
    scheme = _scheme(card, key, apdu.p1)
    card.security.require(key.use)
    engine = _engine(card, key)
    if not apdu.data or apdu.le is None or apdu.le < engine.size:
        raise Refused(SW.WRONG_LENGTH)
    if not scheme.minimum <= len(apdu.data) <= scheme.maximum:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    if isinstance(engine, EcEngine):
        return Answer(SW.OK, engine.sign(apdu.data))
    data = hashlib.sha256(apdu.data).digest() if scheme.hashes else apdu.data
    if scheme.wrap == "pss":
        return Answer(SW.OK, engine.sign_pss(data))
    return Answer(SW.OK, engine.sign_verbatim(digest_info(data) if scheme.wrap == "digest_info" else data))


def _engine(card: Context, key: KeySpec) -> RsaEngine | EcEngine:
    content = card.content.keys[key.id]
    if content.private_ec is not None:
        return EcEngine(content.private_ec.d)
    if content.private is None:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    return card.engine(content.private)


def _key(card: Context, p2: int) -> KeySpec:
    """``00`` is the application's own key (none: 6A88, an assumption), ``80`` the current one, ``80|SFI`` that one."""
    ef: FileSpec | KeySpec
    if p2 == 0:
        application = card.application
        if application.default_key not in card.content.keys:
            raise Refused(SW.REFERENCE_NOT_FOUND)
        ef = application.keys[application.default_key]
    else:
        ef = card.referenced(p2)
    if not isinstance(ef, KeySpec) or ef.kind is not KeyKind.PRIVATE_KEY:
        raise Refused(SW.WRONG_FILE_STRUCTURE)
    return ef


def _scheme(card: Context, key: KeySpec, p1: int) -> SchemeSpec:
    """The scheme of that P1 for the kind of key that this card has there."""
    kind = "rsa" if card.content.keys[key.id].private_ec is None else "ec"
    for name in key.schemes:
        scheme = card.application.schemes[name]
        if (scheme.p1, scheme.algorithm) == (p1, kind):
            return scheme
    raise Refused(SW.INCORRECT_P1P2)


def get_challenge(card: Context, command: Received) -> Answer:
    """1 to 256 random bytes, exactly as many as asked, with or without an application; the extended form is 6985."""
    apdu = command.apdu
    if apdu.p1 or apdu.p2:
        raise Refused(SW.INCORRECT_P1P2)
    if apdu.data or apdu.le is None:
        raise Refused(SW.WRONG_LENGTH)
    if command.extended or apdu.le > SHORT_LE_MAX:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    return Answer(SW.OK, card.random(apdu.le))
