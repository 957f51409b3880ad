"""Content whose bare signature would mean something else as well (jpki.md §6 A-23).

A signature in CMS or PDF is a bare signature over the DER of signed attributes, and an authentication is one over the
first two parts of a JWS. Whoever gets such bytes signed "as data" has a signature over a document that the holder
never saw, or is logged in. So nobody signs them raw and no raw signature over them is accepted.
"""

from __future__ import annotations

import base64
import binascii
import json
from enum import StrEnum
from typing import Any

from kojin_card.authn import PROOF_TYPE
from kojin_card.pki import der

_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_MESSAGE_DIGEST_VALUE = bytes.fromhex("2a864886f70d010904")
#: how attributes are signed, how they stand in a SignerInfo, and what a lenient reader takes for either
_OUTER = (der.SET, 0xA0, der.SEQUENCE)
_MAX_HEADER_CHARS = 1024 * 1024


class Meaning(StrEnum):
    """What else a signature over the content would be."""

    SIGNED_ATTRIBUTES = "the signed attributes of a CMS or PDF signature"
    AUTHENTICATION = "an answer to an authentication challenge"


def other_meaning(content: bytes) -> Meaning | None:
    """What else a bare signature over ``content`` would be; None when it is nothing else.

    Takes more than a strict reader would: what some lenient verifier could accept counts too.
    """
    if _like_attributes(content):
        return Meaning.SIGNED_ATTRIBUTES
    return Meaning.AUTHENTICATION if _like_proof(content) else None


def _like_attributes(content: bytes) -> bool:
    """SET (or SEQUENCE) of SEQUENCE { type, SET }, one of them messageDigest, without which RFC 5652 allows none."""
    if content[:1] not in {bytes((tag,)) for tag in _OUTER} or _MESSAGE_DIGEST_VALUE not in content:
        return False
    try:
        data, end = der.normalise(content)
        if end != len(content):
            return False
        pairs = [der.children(item, der.SEQUENCE) for item in _items(data)]
        return all(len(pair) == 2 and pair[1].tag == der.SET for pair in pairs) and any(
            der.oid(pair[0]) == _MESSAGE_DIGEST for pair in pairs
        )
    except der.DerError:
        return content[0] != der.SEQUENCE  # not even BER, but some reader may be more lenient still


def _items(data: bytes) -> tuple[der.Element, ...]:
    outer = der.single(data)
    items = der.children(outer)
    return items if all(item.tag == der.SEQUENCE for item in items) else ()


def _like_proof(content: bytes) -> bool:
    """``BASE64URL(header) . BASE64URL(payload)`` with the media type of our proofs."""
    header, dot, _ = content[:_MAX_HEADER_CHARS].partition(b".")
    if not dot:
        return False
    try:
        text = base64.b64decode(header.translate(bytes.maketrans(b"-_", b"+/"), b"= \t\r\n") + b"==")
        return _says_proof(text)
    except (ValueError, binascii.Error, RecursionError):
        return False


def _says_proof(text: bytes) -> bool:
    types: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        types.extend(str(value).lower() for name, value in pairs if name.lower() == "typ")
        return {}

    json.loads(text, object_pairs_hook=collect)
    return any(kind.removeprefix("application/") == PROOF_TYPE for kind in types)
