"""Terminal certificates of the free area: a short-lived right to read, byte for byte (``applets_spec/README.md``).

A card-verifiable certificate: the owner's terminal CA signs the octets of its body. Written and read here for both
sides and for the desk that issues them; who signs and who verifies is elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kojin_card.errors import DecodeError
from kojin_card.iso7816 import tlv
from kojin_card.spec import bcd
from kojin_card.spec.free_area import slot_applet_spec
from kojin_card.spec.manifest import SIGNATURE_BYTES, rising

if TYPE_CHECKING:
    from datetime import date

AUTHORITY_ID_BYTES = 8
#: a P-256 point: 02 or 03, then X
COMPRESSED_BYTES = 33
CHALLENGE_BYTES = 16
FIELDS_MOST = 12
#: what one command of short form carries: certificate and proof
AUTHENTICATION_MOST = 255
_AUTHORITY, _KEY, _PROOF = (bytes((octet,)) for octet in (0x42, 0x86, 0x9E))
_NAME = re.compile(r"[A-Z0-9-]{1,8}\Z")
_GROUP = re.compile(r"[a-z0-9-]{1,8}\Z")


@dataclass(frozen=True, slots=True)
class TerminalBody:
    """What a terminal CA signs.

    Attributes:
        authority: id of the terminal CA (:func:`authority_id`), 8 bytes.
        name: of the terminal, 1 to 8 characters: A-Z, 0-9 and hyphen.
        key: its P-256 point, compressed (33 bytes).
        group: 1 to 8 characters: a-z, 0-9 and hyphen.
        fields: short identifiers of the fields that it may read, rising, at most 12.
        issued, expiry: first and last day. That they are in order is for the card to judge, not a matter of form.
    """

    authority: bytes
    name: str
    key: bytes = field(repr=False)
    group: str
    fields: tuple[int, ...]
    issued: date
    expiry: date


@dataclass(frozen=True, slots=True)
class TerminalCertificate:
    """A terminal certificate.

    Attributes:
        octets: the body object exactly as read or written: what the signature covers.
        signature: of the terminal CA, r and s, 64 bytes.
    """

    body: TerminalBody
    octets: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def is_name(text: str) -> bool:
    """Whether a text may be the name of a terminal."""
    return _NAME.fullmatch(text) is not None


def is_group(text: str) -> bool:
    """Whether a text may be the name of a group of terminals."""
    return _GROUP.fullmatch(text) is not None


def authority_id(key: bytes) -> bytes:
    """The id of a terminal CA: the first 8 bytes of SHA-256 over its compressed point.

    Raises:
        DecodeError: not a compressed point of P-256 in form.
    """
    if not _is_point(key):
        raise _bad("a key of another form")
    return hashlib.sha256(key).digest()[:AUTHORITY_ID_BYTES]


def encode_body(body: TerminalBody) -> bytes:
    """The body object: what the terminal CA signs, without any context (as card-verifiable certificates are).

    Raises:
        DecodeError: a value that no certificate has.
    """
    _check(body)
    tag = slot_applet_spec().tag
    return tlv.encode(
        tag("terminal_body"),
        tlv.encode(_AUTHORITY, body.authority)
        + tlv.encode(tag("terminal_name"), body.name.encode("ascii"))
        + tlv.encode(_KEY, body.key)
        + tlv.encode(tag("terminal_group"), body.group.encode("ascii"))
        + tlv.encode(tag("terminal_fields"), bytes(body.fields))
        + tlv.encode(tag("terminal_issued"), bcd.encode_date(body.issued))
        + tlv.encode(tag("terminal_expiry"), bcd.encode_date(body.expiry)),
    )


def encode(octets: bytes, signature: bytes) -> bytes:
    """The certificate object of a body object and its signature (64 bytes).

    Raises:
        DecodeError: a body or a signature that no certificate has.
    """
    decode_body(octets)
    if len(signature) != SIGNATURE_BYTES:
        raise _bad("a signature of another length")
    tag = slot_applet_spec().tag
    return tlv.encode(tag("terminal_certificate"), octets + tlv.encode(tag("terminal_signature"), signature))


def decode(data: bytes) -> TerminalCertificate:
    """The certificate of one certificate object and nothing behind it. That its signature is right is not judged here.

    Raises:
        DecodeError: any deviation; never carries a byte of it.
    """
    certificate, end = _read(data)
    if end != len(data):
        raise _bad("bytes after it")
    return certificate


def decode_body(octets: bytes) -> TerminalBody:
    """The body of one body object.

    Raises:
        DecodeError: any deviation.
    """
    if len(octets) > AUTHENTICATION_MOST:
        raise _bad("too long")
    tag = slot_applet_spec().tag
    whole = tlv.read_one(octets)
    if whole.tag != tag("terminal_body") or whole.end != len(octets):
        raise _bad("not one body")
    items = list(tlv.read_all(whole.value))
    names = ("terminal_group", "terminal_fields", "terminal_issued", "terminal_expiry")
    order = (_AUTHORITY, tag("terminal_name"), _KEY, *(tag(name) for name in names))
    if tuple(item.tag for item in items) != order:
        raise _bad("objects missing, foreign or out of order")
    authority, name, key, group, fields, issued, expiry = (item.value for item in items)
    body = TerminalBody(
        authority=authority,
        name=_ascii(name),
        key=key,
        group=_ascii(group),
        fields=tuple(fields),
        issued=bcd.decode_date(issued),
        expiry=bcd.decode_date(expiry),
    )
    if encode_body(body) != octets:  # a longer form of a length: refused, one certificate has one form
        raise _bad("a length form that is not the shortest")
    return body


def proof_message(challenge: bytes, aid: bytes) -> bytes:
    """What the terminal signs with its own key: the context of terminals, the card's challenge, the AID of the slot.

    Raises:
        DecodeError: a challenge that is not 16 bytes.
    """
    if len(challenge) != CHALLENGE_BYTES:
        raise _bad("a challenge of another length")
    return slot_applet_spec().context("terminal") + challenge + aid


def encode_authentication(certificate: bytes, proof: bytes) -> bytes:
    """The data of EXTERNAL AUTHENTICATE: a certificate object, then the proof (64 bytes).

    Raises:
        DecodeError: a certificate or a proof of another form.
    """
    decode(certificate)
    if len(proof) != SIGNATURE_BYTES:
        raise _bad("a proof of another length")
    return certificate + tlv.encode(_PROOF, proof)


def decode_authentication(data: bytes) -> tuple[TerminalCertificate, bytes]:
    """Certificate and proof (64 bytes) of the data of EXTERNAL AUTHENTICATE.

    Raises:
        DecodeError: any deviation.
    """
    certificate, end = _read(data)
    proof = data[end:]
    if len(proof) != SIGNATURE_BYTES + 2 or proof[:2] != _PROOF + bytes((SIGNATURE_BYTES,)):
        raise _bad("no proof behind it")
    return certificate, proof[2:]


def _read(data: bytes) -> tuple[TerminalCertificate, int]:
    if len(data) > AUTHENTICATION_MOST:
        raise _bad("too long")
    tag = slot_applet_spec().tag
    whole = tlv.read_one(data)
    if whole.tag != tag("terminal_certificate"):
        raise _bad("not a certificate")
    items = list(tlv.read_all(whole.value))
    if len(items) != 2 or items[1].tag != tag("terminal_signature"):
        raise _bad("not a body and a signature")
    octets, signature = items[0].raw, items[1].value
    certificate = TerminalCertificate(decode_body(octets), octets, signature)
    if encode(octets, signature) != whole.raw:
        raise _bad("a length form that is not the shortest")
    return certificate, whole.end


def _ascii(value: bytes) -> str:
    return value.decode("latin-1")  # what is not ASCII fails the form, which only has ASCII


def _is_point(key: bytes) -> bool:
    return len(key) == COMPRESSED_BYTES and key[0] in (0x02, 0x03)


def _check(body: TerminalBody) -> None:
    for wrong, problem in (
        (len(body.authority) != AUTHORITY_ID_BYTES, "an authority of another length"),
        (not is_name(body.name), "a terminal name of another form"),
        (not _is_point(body.key), "a key of another form"),
        (not is_group(body.group), "a group of another form"),
        (len(body.fields) > FIELDS_MOST or not rising(body.fields), "fields that do not rise, or more than 12"),
    ):
        if wrong:
            raise _bad(problem)


def _bad(problem: str) -> DecodeError:
    return DecodeError(problem, operation="terminal certificate")
