"""Documents that cost more than they are worth, and a program that reads each in a process of its own, under limits.

``python -m attacks.bombs NAME...`` (from the folder ``tests``) writes one line of JSON a bomb: what it was called, the
seconds of work and the memory that reading it took. One that breaks the limits of its process has no answer at all.
"""

# ruff: noqa: E501 - a table of bombs is read row by row

from __future__ import annotations

import base64
import json
import os
import resource
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attacks import forge
from attacks.forge import (
    Cms,
    Pdf,
    algorithm,
    attribute,
    attributes,
    certificate,
    crl,
    integer,
    oid,
    tlv,
    verifier,
)
from kojin_card.errors import KojinError

MIB = 1024 * 1024
#: what the process of one bomb may have: memory beyond the document itself, seconds of work before it is killed
ROOM, KILLED_AFTER = 512 * MIB, 60
CONTENT = b"invented content\n"
Read = Callable[[bytes], Any]


@dataclass(frozen=True)
class Bomb:
    """One bomb.

    Attributes:
        read: who is given it.
        said: what it must be called: indication and reason of the verdict, or the error's class.
    """

    what: str
    make: Callable[[], bytes]
    read: Read
    said: str
    entry: str = "bombs"

    @property
    def reason(self) -> str:
        """The reason of the verdict, or the error; what is only large, and good, is read in a moment."""
        return "TOTAL_PASSED, in a moment" if self.said == "TOTAL_PASSED" else self.said.split()[-1]

    def __str__(self) -> str:
        return self.what


# --- who reads --------------------------------------------------------------------------------------------------------


def as_cms(data: bytes) -> Any:
    """A CMS message."""
    return verifier().verify_cms(data)


def as_pdf(data: bytes) -> Any:
    """A PDF."""
    return verifier().verify_pdf(data)


def as_certificate(data: bytes) -> Any:
    """A certificate."""
    return verifier().certificate_status(data)


def as_list(data: bytes) -> Any:
    """A revocation list, for a certificate that is good without it."""
    from kojin_card.pki.crl_store import CrlMemory

    return verifier(CrlMemory([data])).certificate_status(certificate())


def as_proof(data: bytes) -> Any:
    """An authentication proof."""
    from kojin_card.verification import MemoryChallengeStore

    return verifier().verify_proof(data.decode(), MemoryChallengeStore(), audience="x")


def as_challenge(data: bytes) -> Any:
    """A challenge that a client is given."""
    from kojin_card.authn import Challenge

    return Challenge.from_json(data)


def as_spec(data: bytes) -> Any:
    """The spec of an application."""
    from kojin_card.spec.load import load_application

    return load_application(data.decode(), "bomb.toml")


def as_card_file(data: bytes) -> Any:
    """A card file."""
    from kojin_card.simulator.cardformat import load
    from kojin_card.spec import load_card_spec

    return load(data, load_card_spec(), "bomb.json")


# --- what they read ---------------------------------------------------------------------------------------------------


def nested(tag: int, levels: int, inner: bytes = b"\x05\x00") -> bytes:
    """One element in another, with definite lengths."""
    heads, size = [], len(inner)
    for _ in range(levels):
        head = tlv(tag, bytes(size))[: -size or None] if size < 0x80 else _head(tag, size)
        heads.append(head)
        size += len(head)
    return b"".join(reversed(heads)) + inner


def _head(tag: int, size: int) -> bytes:
    count = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | count)) + size.to_bytes(count, "big")


def endless(tag: int, levels: int) -> bytes:
    """One element in another, with indefinite lengths."""
    return bytes((tag, 0x80)) * levels + b"\x00\x00" * levels


def signed_data(*parts: bytes) -> bytes:
    """A message with these fields."""
    return tlv(0x30, oid("signedData"), tlv(0xA0, tlv(0x30, *parts)))


def around(inner: bytes, levels: int) -> bytes:
    """A message in a message in a message."""
    for _ in range(levels):
        inner = signed_data(
            b"\x02\x01\x03",
            tlv(0x31, algorithm("sha256")),
            tlv(0x30, oid("signedData"), tlv(0xA0, tlv(0x04, inner))),
            tlv(0x31),
        )
    return inner


def many_attributes(count: int) -> bytes:
    """A signer with that many signed attributes."""
    more = tuple(attribute(f"1.2.3.{number}", b"\x05\x00") for number in range(count))
    return Cms(content=CONTENT, attributes=(*attributes(CONTENT), *more)).build()


def with_lists(size: int) -> bytes:
    """A message that carries revocation lists along."""
    data = Cms(content=CONTENT).build()
    body = forge.elements(forge.inside(forge.inside(forge.elements(forge.inside(data))[1])))
    return signed_data(*body[:-1], tlv(0xA1, *([crl()] * (size // len(crl())))), body[-1])


def in_pieces(count: int) -> bytes:
    """Content in pieces of one byte."""
    content = b"\x24\x80" + b"\x04\x01x" * count + b"\x00\x00"
    return signed_data(
        b"\x02\x01\x01",
        tlv(0x31, algorithm("sha256")),
        b"\x30\x80" + oid("data") + b"\xa0\x80" + content + b"\x00\x00" * 2,
        tlv(0x31),
    )


def compressed(size: int) -> bytes:
    """A CompressedData (RFC 3274) of zeros."""
    packed = tlv(0x30, oid("data"), tlv(0xA0, tlv(0x04, zlib.compress(bytes(size), 9))))
    body = tlv(0x30, b"\x02\x01\x00", algorithm("1.2.840.113549.1.9.16.3.8", b""), packed)
    return tlv(0x30, oid("1.2.840.113549.1.9.16.1.9"), tlv(0xA0, body))


def with_key(modulus_bits: int, exponent_bits: int) -> bytes:
    """The holder's certificate with a key that takes long to use."""
    number = tlv(0x30, integer((1 << modulus_bits) - 1), integer((1 << exponent_bits) - 1))
    spki = tlv(0x30, algorithm("rsaEncryption"), tlv(0x03, b"\x00" + number))
    return forge.reforged(certificate(), lambda fields: [*fields[:6], spki, *fields[7:]])


def with_extension(name: str, value: bytes) -> bytes:
    """The holder's certificate with one more extension, or with many."""
    return forge.reforged(certificate(), forge.edit_extensions(lambda items: [*items, forge.extension(name, value)]))


def long_list(entries: int) -> bytes:
    """A list of the right CA with that many entries, all of one serial number."""
    entry = tlv(0x30, b"\x02\x01\x01", tlv(0x17, b"261101000000Z"))
    again = tlv(0x30, entry * entries)
    return forge.reforged(crl(), lambda fields: [*fields[:5], again, *fields[5:]])


def pdf_with(contents: bytes) -> bytes:
    """A PDF whose message is that."""
    digits = contents.hex()[: forge.HEX_ROOM].ljust(forge.HEX_ROOM, "0")
    return Pdf(contents=lambda _: digits).build()


def deep_pdf(opening: bytes, closing: bytes, levels: int) -> bytes:
    """A PDF with an object that is nested in itself."""
    return Pdf(extra=((opening * levels + closing * levels).decode(),), fields="[5 0 R 7 0 R]").build()


def many_signatures(count: int) -> bytes:
    """A PDF with that many signature fields, each with a signature of its own."""
    fields = " ".join(f"{number} 0 R" for number in range(7, 7 + count))
    one = "<< /FT /Sig /T (S{}) /V << /Type /Sig /Contents <00> >> >>"
    return Pdf(fields=f"[5 0 R {fields}]", extra=tuple(one.format(number) for number in range(count))).build()


def packed_object(size: int) -> bytes:
    """A form that lies in an object stream with that many zeros behind it."""
    parts = b"1 0 2 36 " + b"<< /Type /Catalog /AcroForm 2 0 R >>".ljust(36) + b"<< /Fields [] >>"
    body = zlib.compress(parts + bytes(size), 9)
    out = b"%PDF-1.7\n"
    rows = bytes(5) + b"\x02\x00\x00\x03\x00\x02\x00\x00\x03\x01" + b"\x01" + len(out).to_bytes(3, "big") + b"\x00"
    head = b"3 0 obj\n<< /Type /ObjStm /N 2 /First 9 /Filter /FlateDecode /Length %d >>\nstream\n" % len(body)
    out += head + body + b"\nendstream\nendobj\n"
    rows += b"\x01" + len(out).to_bytes(3, "big") + b"\x00"
    table = b"4 0 obj\n<< /Type /XRef /Size 5 /W [1 3 1] /Root 1 0 R /Length %d >>\nstream\n" % len(rows)
    return out + table + rows + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(out)


def jws(header: bytes, payload: bytes = b"{}") -> bytes:
    """A compact JWS."""
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, payload, bytes(256)))


MALFORMED = "TOTAL_FAILED format.malformed"
NO_LIST = "INDETERMINATE revocation.unusable"

BOMBS: tuple[Bomb, ...] = (
    # nesting
    Bomb("CMS: a hundred thousand levels", lambda: nested(0x30, 100_000), as_cms, MALFORMED),
    Bomb("CMS: a million levels without lengths", lambda: endless(0x30, 1_000_000), as_cms, MALFORMED),
    Bomb("CMS: strings in strings in strings", lambda: endless(0x24, 1_000_000), as_cms, MALFORMED),
    Bomb("CMS: levels that never end", lambda: b"\x30\x80" * 2_000_000, as_cms, MALFORMED),
    Bomb("CMS: a message in a message, two thousand times", lambda: around(Cms().build(), 2000), as_cms,
        "INDETERMINATE format.no_signature"),
    Bomb("PDF: a million levels in /Contents", lambda: pdf_with(endless(0x30, 1_000_000)), as_pdf, MALFORMED),
    Bomb("PDF: a hundred thousand arrays in each other", lambda: deep_pdf(b"[", b"]", 100_000), as_pdf, MALFORMED),
    Bomb("PDF: a hundred thousand dictionaries in each other", lambda: deep_pdf(b"<< /A ", b">>", 100_000), as_pdf,
        MALFORMED),
    Bomb("proof: twelve thousand arrays in its header", lambda: jws(b"[" * 12_000), as_proof, MALFORMED),
    Bomb("challenge: arrays in each other", lambda: b"[" * 16_000, as_challenge, "DecodeError"),
    Bomb("spec: a hundred thousand arrays in each other", lambda: b"a = " + b"[" * 100_000, as_spec, "SpecError"),
    Bomb("spec: a hundred thousand tables in each other", lambda: b"[" + b"a." * 100_000 + b"a]", as_spec, "SpecError"),
    Bomb("spec: a number of a hundred thousand digits", lambda: b"a = " + b"9" * 100_000, as_spec, "SpecError"),
    Bomb("card file: a million arrays in each other", lambda: b"[" * 1_000_000, as_card_file, "InputError"),
    Bomb("card file: a number of a million digits", lambda: b"[" + b"9" * 1_000_000 + b"]", as_card_file, "InputError"),
    # lengths that lie
    Bomb("CMS: a length of four gigabytes", lambda: b"\x30\x84\xff\xff\xff\xff" + bytes(100), as_cms, MALFORMED),
    Bomb("CMS: a length of 126 bytes", lambda: b"\x30\xfe" + b"\xff" * 126, as_cms, MALFORMED),
    Bomb("certificate: a length of four gigabytes", lambda: b"\x30\x84\xff\xff\xff\xff" + bytes(100), as_certificate,
        "TOTAL_FAILED certificate.malformed"),
    # too many
    Bomb("CMS: ten million elements", lambda: tlv(0x30, b"\x05\x00" * 10_000_000), as_cms, MALFORMED),
    Bomb("CMS: two million pieces of one byte", lambda: in_pieces(2_000_000), as_cms, MALFORMED),
    Bomb("CMS: fifty thousand attributes", lambda: many_attributes(50_000), as_cms, MALFORMED),
    Bomb("CMS: a hundred thousand values of one attribute", lambda: Cms(content=CONTENT, attributes=(
        *attributes(CONTENT), attribute("1.2.3", b"\x05\x00" * 100_000))).build(), as_cms, "TOTAL_PASSED"),
    Bomb("CMS: ten thousand certificates", lambda: Cms(
        content=CONTENT, certificates=(certificate(),) * 10_000).build(), as_cms, MALFORMED),
    Bomb("CMS: ten thousand signers", lambda: Cms(content=CONTENT).build(
        signers=[Cms(content=CONTENT).signer()] * 10_000), as_cms, MALFORMED),
    Bomb("CMS: sixty thousand digest algorithms", lambda: Cms(
        content=CONTENT, digests=(algorithm("sha256"),) * 60_000).build(), as_cms, "TOTAL_PASSED"),
    Bomb("CMS: 30 MB of revocation lists", lambda: with_lists(30_000_000), as_cms, MALFORMED),
    Bomb("certificate: a hundred thousand policies", lambda: with_extension(
        "1.2.3.4", tlv(0x30, tlv(0x30, oid("1.2.3")) * 100_000)), as_certificate, "TOTAL_FAILED certificate.malformed"),
    Bomb("certificate: sixty extensions more", lambda: forge.reforged(certificate(), forge.edit_extensions(
        lambda items: [*items, *(forge.extension(f"1.2.3.{n}", b"\x05\x00") for n in range(60))])), as_certificate,
        "TOTAL_FAILED certificate.malformed"),
    Bomb("list: 600,000 entries of one serial number", lambda: long_list(600_000), as_list, NO_LIST),
    Bomb("PDF: five thousand signatures", lambda: many_signatures(5000), as_pdf,
        "INDETERMINATE format.unsupported"),
    Bomb("proof: ten megabytes", lambda: jws(b"{}", bytes(10_000_000)), as_proof, MALFORMED),
    Bomb("proof: three thousand certificates", lambda: jws(b'{"x5c":[' + b'"",' * 3000 + b'""]}'), as_proof, MALFORMED),
    Bomb("spec: three hundred thousand keys", lambda: b"".join(b"a%d = 1\n" % number for number in range(300_000)), as_spec,
        "SpecError"),
    # large numbers
    Bomb("certificate: RSA of 32768 bits", lambda: with_key(32_768, 17), as_certificate, "INDETERMINATE algorithms.unknown"),
    Bomb("certificate: an exponent of 2048 bits", lambda: with_key(2048, 2047), as_certificate,
        "INDETERMINATE algorithms.weak"),
    Bomb("certificate: a serial number of ten thousand bytes", lambda: forge.reforged(certificate(), lambda f: [
        f[0], tlv(0x02, b"\x01" * 10_000), *f[2:]]), as_certificate, "TOTAL_FAILED certificate.malformed"),
    Bomb("CMS: an object identifier of 4000 bits", lambda: Cms(
        content=CONTENT, content_type="2." + str(1 << 4000)).build(), as_cms,
        MALFORMED),
    # compressed, and large
    Bomb("CMS: 200 MB of zeros, compressed", lambda: compressed(200_000_000), as_cms, MALFORMED),
    Bomb("PDF: 200 MB of zeros behind the form, compressed", lambda: packed_object(200_000_000), as_pdf, MALFORMED),
    Bomb("CMS: 60 MB of blanks around a PEM block", lambda: b" " * 60_000_000 + b"-----BEGIN CMS-----\n", as_cms, MALFORMED),
    Bomb("CMS: 40 MB of base64 blanks", lambda: b"-----BEGIN CMS-----\n" + b"\n" * 40_000_000 + b"-----END CMS-----",
        as_cms, MALFORMED),
    Bomb("certificate: 60 MB", lambda: tlv(0x30, bytes(60_000_000)), as_certificate, "TOTAL_FAILED certificate.malformed"),
    Bomb("card file: 60 MB", lambda: b" " * 60_000_000, as_card_file, "InputError"),
)  # fmt: skip


def say(bomb: Bomb, data: bytes) -> str:
    """What reading it ends with."""
    try:
        verdict = bomb.read(data)
    except KojinError as refusal:
        return type(refusal).__name__
    return " ".join((str(verdict.indication), *verdict.reasons[:1]))


def measure(bomb: Bomb) -> dict[str, object]:
    """Make it, then read it under the limits of this process."""
    data = bomb.make()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    most = used + ROOM + 4 * len(data)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resource.setrlimit(resource.RLIMIT_CPU, (int(began) + KILLED_AFTER, int(began) + KILLED_AFTER))
    said = say(bomb, data)
    grew = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "what": bomb.what,
        "said": said,
        "seconds": time.process_time() - began,
        "mib": grew // 1024,
        "size": len(data),
    }


def main(names: list[str]) -> int:
    """Each in a process of its own, one after the other: what was loaded once is no cost of a bomb."""
    as_pdf(Pdf().build())
    say(Bomb("", bytes, as_spec, ""), b"")
    for bomb in BOMBS:
        if names and bomb.what not in names:
            continue
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            try:
                sys.stdout.write(json.dumps(measure(bomb)) + "\n")
                sys.stdout.flush()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
