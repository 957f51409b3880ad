"""The byte forms of the free area: what is written is read as the same, in one form only, and no bytes misbehave."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kojin_card.errors import DecodeError
from kojin_card.spec import bcd, check_digits, descriptor, manifest, terminal_certificate
from kojin_card.spec.descriptor import Descriptor
from kojin_card.spec.manifest import FieldDigest, Manifest
from kojin_card.spec.owner import Owner, OwnerKind
from kojin_card.spec.service import ServiceField, ServiceFieldType, load_services
from kojin_card.spec.terminal_certificate import TerminalBody

if TYPE_CHECKING:
    from collections.abc import Callable

DIGITS = st.sampled_from("0123456789")
SIGNATURES = st.binary(min_size=64, max_size=64)
SFIS = st.integers(1, 24)
POINTS = st.builds(lambda sign, x: bytes((sign,)) + x, st.sampled_from([2, 3]), st.binary(min_size=32, max_size=32))


def digits(length: int) -> st.SearchStrategy[str]:
    return st.text(DIGITS, min_size=length, max_size=length)


def municipalities() -> st.SearchStrategy[str]:
    return st.builds(lambda place, number: f"{place:02d}{number:03d}", st.integers(1, 47), st.integers(1, 999))


OWNERS = st.one_of(
    municipalities().map(lambda code: Owner(OwnerKind.MUNICIPALITY, code)),
    st.integers(1, 47).map(lambda code: Owner(OwnerKind.PREFECTURE, f"{code:02d}")),
    st.from_regex(r"[0-9A-Z]{1,16}", fullmatch=True).map(lambda code: Owner(OwnerKind.NATIONAL, code)),
    digits(12).map(lambda code: Owner(OwnerKind.PRIVATE, check_digits.corporate_check_digit(code) + code)),
)
LINES_OF_FIELDS = "亜東京10-ア"
LINES = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=17)
DESCRIPTORS = st.builds(
    Descriptor,
    service=st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True),
    version=st.integers(1, 255),
    owner=OWNERS,
    legal_basis=LINES,
    name=LINES,
    hand_over=st.none() | st.binary(min_size=16, max_size=16),
)
MANIFESTS = st.builds(
    Manifest,
    aid=st.binary(min_size=14, max_size=14),
    card_identification=st.binary(min_size=1, max_size=64),
    counter=st.integers(1, 0xFFFF_FFFF),
    state=st.integers(1, 4),
    day=st.dates(),
    descriptor=st.binary(min_size=32, max_size=32),
    card_key=st.binary(min_size=64, max_size=64).map(lambda point: b"\x04" + point),
    fields=st.dictionaries(SFIS, st.binary(min_size=32, max_size=32)).map(
        lambda found: tuple(FieldDigest(sfi, found[sfi]) for sfi in sorted(found))
    ),
)
BODIES = st.builds(
    TerminalBody,
    authority=st.binary(min_size=8, max_size=8),
    name=st.from_regex(r"[A-Z0-9-]{1,8}", fullmatch=True),
    key=POINTS,
    group=st.from_regex(r"[a-z0-9-]{1,8}", fullmatch=True),
    fields=st.sets(SFIS, max_size=12).map(lambda found: tuple(sorted(found))),
    issued=st.dates(),
    expiry=st.dates(),
)
FIELDS = [field for service in load_services().values() for field in service.fields.values()]


@given(OWNERS)
def test_owners(owner: Owner) -> None:
    assert Owner.parse(str(owner)) == Owner.decode(owner.encode()) == owner


@given(DESCRIPTORS, st.binary(min_size=16, max_size=16))
def test_descriptors(said: Descriptor, salt: bytes) -> None:
    content = descriptor.encode(said, salt)
    assert len(content) <= 240
    assert descriptor.decode(content) == said


@given(MANIFESTS, SIGNATURES)
def test_manifests(said: Manifest, signature: bytes) -> None:
    octets = manifest.encode(said)
    assert manifest.decode(octets) == said
    read = manifest.decode_file(manifest.encode_file(octets, signature))
    assert (read.manifest, read.octets, read.signature) == (said, octets, signature)


@given(BODIES, SIGNATURES, SIGNATURES)
def test_terminal_certificates(body: TerminalBody, signature: bytes, proof: bytes) -> None:
    octets = terminal_certificate.encode_body(body)
    certificate = terminal_certificate.encode(octets, signature)
    read = terminal_certificate.decode(certificate)
    assert (read.body, read.octets, read.signature) == (body, octets, signature)
    sent = terminal_certificate.encode_authentication(certificate, proof)
    assert len(sent) <= 255
    assert terminal_certificate.decode_authentication(sent) == (read, proof)


@given(st.dates())
def test_days_in_bcd(day: object) -> None:
    assert bcd.decode_date(bcd.encode_date(day)) == day  # type: ignore[arg-type]  # a date


@given(digits(12), digits(7) | digits(5), municipalities())
def test_a_changed_digit_is_found(corporate: str, insurer: str, municipality: str) -> None:
    assert check_digits.corporate_number(check_digits.corporate_check_digit(corporate) + corporate)
    whole = insurer + check_digits.insurer_check_digit(insurer)
    assert check_digits.insurer_number(whole)
    for place, digit in enumerate(insurer):  # weights 1 and 2 with the digits of the product: every single change
        other = str((int(digit) + 1) % 10)
        assert not check_digits.insurer_number(whole[:place] + other + whole[place + 1 :])
    assert check_digits.municipality_code(municipality + check_digits.municipality_check_digit(municipality))


def value_of(field: ServiceField) -> st.SearchStrategy[str]:
    match field.type:
        case ServiceFieldType.DIGITS:
            return st.text(DIGITS, min_size=field.minimum, max_size=field.maximum)
        case ServiceFieldType.ASCII:
            return st.text("0123456789ABCXYZ", min_size=field.minimum, max_size=field.maximum)
        case ServiceFieldType.UTF8:
            return st.text(LINES_OF_FIELDS, min_size=field.minimum, max_size=field.maximum)
        case ServiceFieldType.DATE:
            return st.dates().map(lambda day: day.isoformat())
        case ServiceFieldType.CODE:
            return st.sampled_from([value.code for value in field.values])
        case ServiceFieldType.OWNER:
            return OWNERS.map(str)
        case ServiceFieldType.MUNICIPALITY_CODE:
            return municipalities()
        case ServiceFieldType.INSURER_NUMBER:
            return (digits(5) | digits(7)).map(lambda rest: rest + check_digits.insurer_check_digit(rest))
        case _:
            raise AssertionError(field.type)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.service}.{field.id}")
def test_values_of_every_field(field: ServiceField) -> None:
    @settings(max_examples=30, deadline=None)
    @given(value_of(field), st.text(max_size=40), st.binary(max_size=40))
    def run(text: str, whatever: str, octets: bytes) -> None:
        assert field.problem(text) is None
        assert field.decode(field.encode(text)) == text
        if field.problem(whatever) is None:
            assert field.encode(field.decode(field.encode(whatever))) == field.encode(whatever)
        with contextlib.suppress(DecodeError):
            assert field.encode(field.decode(octets)) == octets

    run()


DECODERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "descriptor": (
        descriptor.decode,
        descriptor.encode(Descriptor("a", 1, Owner(OwnerKind.PREFECTURE, "13"), "x", "y"), bytes(16)),
    ),
    "manifest": (
        manifest.decode_file,
        manifest.encode_file(
            manifest.encode(
                Manifest(
                    bytes(14), b"A", 1, 1, bcd.decode_date(b"\x20\x26\x11\x27"), bytes(32), b"\x04" + bytes(64),
                    (FieldDigest(1, bytes(32)),),
                )
            ),
            bytes(64),
        ),
    ),
    "owner": (Owner.decode, b"\x0213"),
    "day": (bcd.decode_date, b"\x20\x26\x11\x27"),
}  # fmt: skip


@pytest.mark.parametrize("name", DECODERS)
def test_no_bytes_at_all_misbehave(name: str) -> None:
    """Random ones, and right ones with a few bytes changed: the same bytes again when accepted, else a DecodeError."""
    decode, right = DECODERS[name]
    decode(right)
    changes = st.dictionaries(st.integers(0, len(right) - 1), st.integers(0, 255), max_size=4)

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=300), changes, st.integers(0, len(right)))
    def run(data: bytes, changed: dict[int, int], end: int) -> None:
        near = bytes(changed.get(place, octet) for place, octet in enumerate(right))
        for one in (data, near, near[:end], right + data):
            with contextlib.suppress(DecodeError):
                decode(one)

    run()


@settings(max_examples=300, deadline=None)
@given(BODIES, st.dictionaries(st.integers(0, 236), st.integers(0, 255), max_size=3), st.binary(max_size=300))
def test_no_certificate_has_two_forms(body: TerminalBody, changed: dict[int, int], data: bytes) -> None:
    octets = terminal_certificate.encode_body(body)
    right = terminal_certificate.encode_authentication(terminal_certificate.encode(octets, bytes(64)), bytes(64))
    near = bytes(changed.get(place, octet) for place, octet in enumerate(right))
    for one in (near, data):
        with contextlib.suppress(DecodeError):
            read, proof = terminal_certificate.decode_authentication(one)
            again = terminal_certificate.encode(terminal_certificate.encode_body(read.body), read.signature)
            assert terminal_certificate.encode_authentication(again, proof) == one
