"""What an accepted document says, read without any code of ``kojin_card``.

A mutation may only be accepted when it still says what a good document says. What may differ, because it means
nothing: unsigned attributes; further certificates, lists and digest algorithms that a message carries along; which of
two signers comes first, one of them twice or only one of them (RFC 5652 binds no signer to another); the name of RSA's
algorithm (``rsaEncryption`` for ``sha256WithRSAEncryption``, RFC 5754 §3.2) and an absent NULL; how lengths are written
in BER; by which of its two identifiers a certificate is named; in a PDF the case of hex digits and the filler behind a
message; in XML comments and whatever else canonical XML does not see. What was signed, by whom and with which value may
not differ.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from functools import cache, lru_cache
from typing import Any

from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

from attacks.forge import pki
from fuzz.mutate import header

Meaning = tuple[Any, ...]


def _pem(data: bytes) -> bytes:
    text = data.strip()
    if not text.startswith(b"-----BEGIN"):
        return data
    return base64.b64decode(b"".join(text.split(b"\n")[1:-1]))


@cache
def _authorities() -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_der_x509_certificate(ca.certificate) for ca in pki().cas)


@lru_cache(maxsize=256)
def of_certificate(der: bytes) -> Meaning | None:
    """Issuer, serial, key, subject and names of a certificate that a CA of the test PKI did sign; None of any other."""
    certificate = x509.load_der_x509_certificate(der)
    for authority in _authorities():
        with contextlib.suppress(ValueError, TypeError, InvalidSignature):
            certificate.verify_directly_issued_by(authority)
            key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            names = [one.value.public_bytes() for one in certificate.extensions if one.oid.dotted_string == "2.5.29.17"]
            return certificate.issuer.public_bytes(), certificate.serial_number, key, *names
    return None


def of_cms(data: bytes, certificates: tuple[str, ...]) -> frozenset[Meaning]:
    """Of each signer: content type, content, signed attributes, signature value and who it is.

    Args:
        certificates: SHA-256 of the certificate that each signer was judged with, as the verdict says.
    """
    signed = cms.ContentInfo.load(_definite(_pem(data))[0])["content"]
    inside = signed["encap_content_info"]
    offered = {hashlib.sha256(der).hexdigest(): der for der in (one.chosen.dump() for one in signed["certificates"])}
    said = inside["content_type"].native, inside["content"].native
    signers = set()
    for signer, certificate in zip(signed["signer_infos"], certificates, strict=True):
        listed = tuple(one.dump() for one in signer["signed_attrs"])
        signers.add((*said, listed, signer["signature"].native, of_certificate(offered[certificate])))
    return frozenset(signers)


def _definite(data: bytes, at: int = 0) -> tuple[bytes, int]:
    """The element at ``at`` with definite lengths and strings in one piece, as it was signed; and where it ends."""
    tag, first = data[at], data[at + 1]
    size = first & 0x7F if first > 0x80 else 0
    start = at + 2 + size
    length = int.from_bytes(data[at + 2 : start], "big") if size else first
    if not tag & 0x20:
        return data[at : start + length], start + length
    pieces = []
    at = start
    while data[at : at + 2] != b"\x00\x00" if first == 0x80 else at < start + length:
        piece, at = _definite(data, at)
        pieces.append(piece)
    if tag == 0x24:  # an OCTET STRING in pieces
        pieces = [piece[2 + (piece[1] & 0x7F if piece[1] > 0x80 else 0) :] for piece in pieces]
        tag = 0x04
    value = b"".join(pieces)
    return bytes((tag,)) + header(len(value)) + value, at + (2 if first == 0x80 else 0)


def of_token(data: bytes) -> Meaning:
    """The TSTInfo of a time-stamp token, and its signature's value."""
    signed = cms.ContentInfo.load(_definite(data)[0])["content"]
    values = tuple(signer["signature"].native for signer in signed["signer_infos"])
    return signed["encap_content_info"]["content"].contents, values


def of_answer(data: bytes) -> Meaning:
    """What of an OCSP answer is signed, and its signature."""
    answer = ocsp.load_der_ocsp_response(data)
    return answer.tbs_response_bytes, answer.signature


_RANGE = re.compile(rb"/ByteRange *\[ *(\d+) +(\d+) +(\d+) +(\d+) *\]")


def of_pdf(data: bytes, good: bytes, certificates: tuple[str, ...]) -> Meaning | None:
    """Every byte but the last message of ``good``, and what that message says; None when other bytes differ.

    The last message is that of the widest /ByteRange; those before it stand in the bytes that it covers.
    """
    ranges = [tuple(map(int, match.groups())) for match in _RANGE.finditer(good)]
    _, begin, end, _ = max(ranges, key=lambda one: one[2] + one[3])
    if len(data) != len(good) or data[:begin] != good[:begin] or data[end:] != good[end:]:
        return None
    message = bytes.fromhex(data[begin + 1 : end - 1].decode("ascii"))
    return hashlib.sha256(data[:begin] + data[end:]).hexdigest(), of_cms(message, certificates[-1:])


_DSIG = "{http://www.w3.org/2000/09/xmldsig#}"


def of_xml(data: bytes, certificates: tuple[str, ...]) -> Meaning:
    """The document without its signatures, comments and declarations of no use, and the values of the signatures."""
    from lxml import etree

    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    found = list(root.iter(f"{_DSIG}Signature"))
    values = tuple(base64.b64decode(one.findtext(f"{_DSIG}SignatureValue") or "") for one in found)
    for one in found:
        parent, before = one.getparent(), one.getprevious()
        if parent is None:
            return (None, values, certificates)
        if one.tail and before is not None:
            before.tail = (before.tail or "") + one.tail
        elif one.tail:
            parent.text = (parent.text or "") + one.tail
        parent.remove(one)
    return etree.tostring(root.getroottree(), method="c14n", with_comments=False), values, certificates
