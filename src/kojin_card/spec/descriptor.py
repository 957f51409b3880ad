"""The hidden descriptor of a slot: which service of which owner it is, byte for byte (``applets_spec/README.md``).

It stands behind the rule of terminals and holders, salted: its digest in the manifest tells nobody what it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kojin_card.errors import DecodeError
from kojin_card.iso7816 import tlv
from kojin_card.spec.lines import is_line
from kojin_card.spec.manifest import SALT_BYTES
from kojin_card.spec.owner import Owner

#: salt and objects: so that one READ BINARY takes all
CONTENT_MOST = 240
HAND_OVER_BYTES = 16
VERSION_MOST = 0xFF
SERVICE_ID = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_SERVICE, _VERSION, _KIND, _CODE, _BASIS, _NAME, _HAND_OVER = (bytes((octet,)) for octet in range(0x80, 0x87))


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What the hidden descriptor says.

    Attributes:
        service: id of the service. version: of the service, 1 to 255.
        legal_basis: ordinance or law and its article, as a person wrote it.
        name: of the service, as its owner calls it.
        hand_over: id of the hand-over from which the record was made, 16 bytes; None: not made from one.
    """

    service: str
    version: int
    owner: Owner
    legal_basis: str = field(repr=False)
    name: str = field(repr=False)
    hand_over: bytes | None = field(default=None, repr=False)


def encode(descriptor: Descriptor, salt: bytes) -> bytes:
    """The content of the file: salt (16 bytes), then the objects; 240 bytes at most.

    Raises:
        DecodeError: a value that no descriptor has, or too much text.
    """
    _check(descriptor)
    if len(salt) != SALT_BYTES:
        raise _bad("a salt of another length")
    owner = descriptor.owner
    content = (
        salt
        + tlv.encode(_SERVICE, descriptor.service.encode("ascii"))
        + tlv.encode(_VERSION, bytes((descriptor.version,)))
        + tlv.encode(_KIND, bytes((owner.kind,)))
        + tlv.encode(_CODE, owner.code_octets)
        + tlv.encode(_BASIS, descriptor.legal_basis.encode())
        + tlv.encode(_NAME, descriptor.name.encode())
        + (b"" if descriptor.hand_over is None else tlv.encode(_HAND_OVER, descriptor.hand_over))
    )
    if len(content) > CONTENT_MOST:
        raise _bad("legal basis and name are too long together")
    return content


def decode(content: bytes) -> Descriptor:
    """What the content of the file says: the reverse of :func:`encode`.

    Raises:
        DecodeError: any deviation, a length form that is not the shortest included.
    """
    if not SALT_BYTES <= len(content) <= CONTENT_MOST:
        raise _bad("another length")
    salt = content[:SALT_BYTES]
    items = list(tlv.read_all(content[SALT_BYTES:]))
    order = (_SERVICE, _VERSION, _KIND, _CODE, _BASIS, _NAME, _HAND_OVER)
    if tuple(item.tag for item in items) not in (order, order[:-1]):
        raise _bad("objects missing, foreign or out of order")
    service, version, kind, code, basis, name, *hand_over = (item.value for item in items)
    if len(version) != 1 or len(kind) != 1:
        raise _bad("a value of another length")
    try:
        descriptor = Descriptor(
            service=service.decode("ascii"),
            version=version[0],
            owner=Owner.from_octets(kind[0], code),
            legal_basis=basis.decode(),
            name=name.decode(),
            hand_over=hand_over[0] if hand_over else None,
        )
    except UnicodeDecodeError:
        raise _bad("text that is none") from None
    if encode(descriptor, salt) != content:
        raise _bad("a length form that is not the shortest")
    return descriptor


def _check(descriptor: Descriptor) -> None:
    for wrong, problem in (
        (not SERVICE_ID.fullmatch(descriptor.service), "a service id of another form"),
        (not 1 <= descriptor.version <= VERSION_MOST, "a version out of range"),
        (not is_line(descriptor.legal_basis), "a legal basis that is no line of text"),
        (not is_line(descriptor.name), "a name that is no line of text"),
        (descriptor.hand_over is not None and len(descriptor.hand_over) != HAND_OVER_BYTES, "a hand-over id"),
    ):
        if wrong:
            raise _bad(problem)


def _bad(problem: str) -> DecodeError:
    return DecodeError(problem, operation="slot descriptor")
