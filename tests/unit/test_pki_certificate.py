"""Strict DER, names and certificates: one value from one DER, typed errors for everything else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacks.forge import PERSON, certificate, changed, oid, pki, tlv
from kojin_card.errors import DecodeError
from kojin_card.pki import der, names
from kojin_card.pki.attributes import read_attributes
from kojin_card.pki.certificate import Certificate
from kojin_card.pki.profile import Purpose


def test_a_signature_certificate_has_all_of_its_profile() -> None:
    """jpki.md §1.1, §1.2."""
    parsed = Certificate.parse(certificate())
    ca = pki().ca_of(Purpose.SIGNATURE, 2)
    assert parsed.key_usage == ("digital_signature", "content_commitment")
    assert parsed.extended_key_usage is None
    assert parsed.policies == ("1.2.392.200149.8.5.1.1.20",)
    assert (parsed.key.algorithm, parsed.key.bits, parsed.key.exponent) == ("rsa", 2048, 65537)
    assert parsed.subject_key_id == parsed.key.key_id()
    assert parsed.issuer == ca.subject.public_bytes()
    pointer = parsed.authority_key
    assert pointer is not None
    assert (pointer.issuer, pointer.serial) == (parsed.issuer, ca.serial)
    assert parsed.crl_scope == pki().partition(Purpose.SIGNATURE, "13221").public_bytes()
    assert parsed.is_ca is None
    assert [one.oid[-1] for one in parsed.other_names or ()] == list("143526")
    assert {one.oid for one in parsed.extensions if one.critical} == {"2.5.29.15", "2.5.29.32"}
    person = read_attributes(parsed)
    assert (person.name, person.address, person.birth_date) == (PERSON.name, PERSON.address, PERSON.birth_date)


def test_an_authentication_certificate_names_nobody() -> None:
    parsed = Certificate.parse(certificate(Purpose.AUTHENTICATION))
    assert parsed.other_names is None
    assert parsed.key_usage == ("digital_signature",)
    assert parsed.extended_key_usage == ("1.3.6.1.5.5.7.3.2",)


def test_its_repr_says_nothing_of_the_holder() -> None:
    parsed = Certificate.parse(certificate())
    person = read_attributes(parsed)
    for text in (repr(parsed), str(parsed), repr(person), repr(parsed.other_names), repr(parsed.authority_key)):
        for secret in (PERSON.name, PERSON.address, "1984", "1500001", "20990", parsed.subject.hex()[:20]):
            assert secret not in text


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 4000), st.integers(0, 255), st.booleans())
def test_a_mutated_certificate_is_a_value_or_a_typed_error(place: int, byte: int, cut: bool) -> None:
    data = bytearray(certificate())
    place %= len(data)
    if cut:
        del data[place]
    else:
        data[place] = byte
    try:
        parsed = Certificate.parse(bytes(data))
        read_attributes(parsed)
    except DecodeError:
        return
    assert parsed.der == bytes(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_a_typed_error_at_most(data: bytes) -> None:
    for read in (Certificate.parse, der.check, der.normalise, names.attributes):
        try:
            read(data)
        except DecodeError:
            continue


@settings(max_examples=200, deadline=None)
@given(st.recursive(st.binary(max_size=20).map(lambda b: tlv(0x04, b)), lambda inner: st.lists(
    inner, max_size=4).map(lambda parts: tlv(0x30, *parts)), max_leaves=20))  # fmt: skip
def test_der_comes_out_of_the_ber_reader_as_it_went_in(data: bytes) -> None:
    der.check(data)
    assert der.normalise(data) == (data, len(data))


@pytest.mark.parametrize(
    ("ber", "wanted"),
    [
        ("3080 0401aa 0000", "3003 0401aa"),
        ("2480 0401aa 0402bbcc 0000", "0403aabbcc"),
        ("2407 0401aa 0402bbcc", "0403aabbcc"),
        ("3080 3080 0000 0500 0000", "3004 3000 0500"),
        ("a080 2480 0000 0000", "a002 0400"),
    ],
)
def test_ber_becomes_der(ber: str, wanted: str) -> None:
    assert der.normalise(bytes.fromhex(ber))[0] == bytes.fromhex(wanted)


@pytest.mark.parametrize(
    "data",
    ["", "30", "3080", "3080 0401aa", "0480 aa 0000", "3081 03 0401aa", "30820003 0401aa", "0000", "3002 0000",
     "3003 0402aa", "3f8101 00", "2480 0c01aa 0000", "2c80 0c01aa 0000", "3085 0000000001 00"],
)  # fmt: skip
def test_what_is_neither(data: str) -> None:
    with pytest.raises(der.DerError):
        der.normalise(bytes.fromhex(data))
    with pytest.raises(der.DerError):
        der.check(bytes.fromhex(data))


def test_nesting_is_bounded() -> None:
    deep = b""
    for _ in range(200):
        deep = tlv(0x30, deep)
    for read in (der.check, der.normalise, Certificate.parse):
        with pytest.raises(der.DerError):
            read(deep)
    with pytest.raises(der.DerError):
        der.normalise(b"\x30\x80" * 100_000)


def test_object_identifiers() -> None:
    for text in ("1.2.392.200149.8.5.1.1.20", "2.5.29.15", "0.9.2342", "2.999.3", "1.3.14.3.2.26"):
        arcs = [int(arc) for arc in text.split(".")]
        if arcs[0] < 2:
            assert der.oid(der.single(oid(text))) == text
    assert der.oid(der.single(bytes.fromhex("0603883703"))) == "2.999.3"
    for bad in ("0600", "060180", "06028001", "060481ffff80"):
        with pytest.raises(der.DerError):
            der.oid(der.single(bytes.fromhex(bad)))


@pytest.mark.parametrize(
    ("hexed", "year"),
    [("170d3439313233313233353935395a", 2049), ("170d3530303130313030303030305a", 1950),
     ("180f32303530303130313030303030305a", 2050)],
)  # fmt: skip
def test_times(hexed: str, year: int) -> None:
    assert der.time(der.single(bytes.fromhex(hexed))).year == year


@pytest.mark.parametrize(
    "text", ["2611240000Z", "261124000000+0900", "261324000000Z", "261124000000z", "26112400000 Z"]
)
def test_times_of_another_form(text: str) -> None:
    with pytest.raises(der.DerError):
        der.time(der.Element(der.UTC_TIME, text.encode(), b""))


def test_names_are_shown_as_rfc_4514_writes_them() -> None:
    from kojin_card.simulator import certificates

    name = certificates.name(("C", "JP"), ("O", 'A, "B" + C'), ("CN", "#x "))
    assert names.text(name.public_bytes()) == name.rfc4514_string()


def test_sizes_are_bounded() -> None:
    with pytest.raises(der.DerError):
        Certificate.parse(certificate() + bytes(20_000))
    assert len(changed()) < 2048
