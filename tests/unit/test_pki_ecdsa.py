"""ECDSA on P-384 as it is judged: keys and signatures that openssl made, and what an attacker makes of them.

The bytes were written by OpenSSL 3.0.19 (``ecparam -genkey``, ``ec -pubout``, ``dgst -sha384 -sign``) over MESSAGE.
"""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kojin_card.pki import der
from kojin_card.pki.algorithms import (
    Outcome,
    acceptable_key,
    algorithm_identifier,
    ecdsa_der,
    ecdsa_plain,
    method,
    read_public_key,
    verify,
    verify_named,
)

MESSAGE = b"a contract\n"
DIGEST = hashlib.sha384(MESSAGE).digest()
#: SubjectPublicKeyInfo on P-384, uncompressed: 30 76, 30 10 (ecPublicKey, secp384r1), 03 62 00 04 X Y
SPKI = bytes.fromhex(
    "3076301006072a8648ce3d020106052b81040022036200045734cd97c9ce6bca7dc8b88c672cb4e9f46c81a49644bfcc"
    "6a639b0128db73b4b6df212a5750d39d3a7610b784efa3543df1b0d00e1c869893b7056df8afdb530297e8012aacfd76"
    "bc92effe3cc15a1a67049602211c363d04a2a8dad526ce35"
)
#: the same key, its point compressed
COMPRESSED = bytes.fromhex(
    "3046301006072a8648ce3d020106052b81040022033200035734cd97c9ce6bca7dc8b88c672cb4e9f46c81a49644bfcc"
    "6a639b0128db73b4b6df212a5750d39d3a7610b784efa354"
)
P256 = bytes.fromhex(
    "3059301306072a8648ce3d020106082a8648ce3d03010703420004e40e92baaddad32b567deb69171b1f40e09b445f5c"
    "fdc4f39c1af125ebd26b7008eca285c8872307a17d288e159cb7516b2e9cf9bc89f43c21fe415e8cd6e375"
)
BRAINPOOL_P384 = bytes.fromhex(
    "307a301406072a8648ce3d020106092b240303020801010b03620004518aebbe3ff9e8d1abb91fafa94df8c7e1b28940"
    "3c7fc9dc350a953771d10535b3bafb37639665553c4f5c5a8c9cd61a6c88cf2fd6fa6fcf921fb1731ad57e1140ad5f60"
    "a6459bf890cc6880161cc08ece59b9db664914a1102de54a7f0a9170"
)
P521 = bytes.fromhex(
    "30819b301006072a8648ce3d020106052b810400230381860004019c66f90fbda0816293d666efec8eaf30b25329ea37"
    "bda89174b5293ad13fe791d8b7f81c9e30f95e52d46efc9b5cc433b3f499e5781f73c883f291451054661abd00c60aa0"
    "1c72a82d4421c7538f9bf68004a94c9d9fd69f1b3eb07b72429031b5491641da0e7803d0055508029249ee5fcb01be3a"
    "a05295d3bdc79e2d8d0ae8662a38"
)
SIGNATURE = bytes.fromhex(
    "3066023100c4f46dedfdf511eeb8dc3faba2dc9eaa69a3dae0d905e280f023f1c3cdb1b7b108af854900c945186b0254"
    "adfdfc7ac00231008dec5c4c3c4985fb2b4c8b57a4d63482a847c7b606f24fa6cb64b2409581acd645f7b3da6b24b2c4"
    "ee5fcd71110c5aa0"
)
#: by the same key over the same message, but its SHA-256; and one of P-256
OVER_SHA256 = bytes.fromhex(
    "3066023100f1d517ac8ae8fe4f40a26cd7b6426bd42326d636bef0d2f1666b6b0615a13391f0548cfc7050d4e0707609"
    "deb91c50dd023100fcbff77629579cf7e8f13ca8818ea7662276f1041854ccf0c2da518d54fd4a7037ca6c994790a60c"
    "c14adf5ddf4f2345"
)
OF_P256 = bytes.fromhex(
    "3045022100d9af2c93247a3a83de611be4e01750d8981b1c809b7497ab4ea21f0067f253890220418d7c0b7e6139f706"
    "768defd2d2db35ed149d295be451da6b6b631e4e76cbd3"
)
#: SEC 2 §2.5.1
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
ECDSA_SHA384, ECDSA_SHA256, RSA_SHA256 = "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.2", "1.2.840.113549.1.1.11"


def tlv(tag: int, *parts: bytes) -> bytes:
    value = b"".join(parts)
    return bytes((tag, len(value))) + value


def integer(number: int) -> bytes:
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def pair(r: int, s: int) -> bytes:
    return tlv(0x30, integer(r), integer(s))


R, S = (int.from_bytes(half, "big") for half in (ecdsa_plain(SIGNATURE)[:48], ecdsa_plain(SIGNATURE)[48:]))


def outcome(signature: bytes, digest: bytes = DIGEST, spki: bytes = SPKI, hash_name: str = "sha384") -> Outcome:
    return verify(read_public_key(spki), spki, hash_name, signature, digest)


def test_what_openssl_signed_is_valid() -> None:
    assert outcome(SIGNATURE) is Outcome.VALID
    assert pair(R, S) == SIGNATURE
    assert verify_named(read_public_key(SPKI), SPKI, ECDSA_SHA384, SIGNATURE, MESSAGE) is Outcome.VALID


def test_the_other_root_is_as_valid_which_is_in_the_nature_of_ecdsa() -> None:
    assert outcome(pair(R, ORDER - S)) is Outcome.VALID


REFUSED = {
    "another message": (SIGNATURE, hashlib.sha384(b"another").digest()),
    "r is 0": (pair(0, S), DIGEST),
    "s is 0": (pair(R, 0), DIGEST),
    "both are 0": (pair(0, 0), DIGEST),
    "r is the order": (pair(ORDER, S), DIGEST),
    "s is the order": (pair(R, ORDER), DIGEST),
    "s plus the order": (pair(R, S + ORDER), DIGEST),
    "r plus the order": (pair(R + ORDER, S), DIGEST),
    "r negative": (tlv(0x30, tlv(0x02, b"\xff" + bytes(48)), integer(S)), DIGEST),
    "r and s exchanged": (pair(S, R), DIGEST),
    "a zero byte in front of r": (tlv(0x30, tlv(0x02, b"\x00" + integer(R)[2:]), integer(S)), DIGEST),
    "a zero byte in front of s": (tlv(0x30, integer(R), tlv(0x02, b"\x00" + integer(S)[2:])), DIGEST),
    "bytes after it": (SIGNATURE + b"\x00", DIGEST),
    "bytes inside after s": (tlv(0x30, integer(R), integer(S), b"\x05\x00"), DIGEST),
    "a length of two bytes": (b"\x30\x81" + SIGNATURE[1:], DIGEST),
    "an indefinite length": (b"\x30\x80" + SIGNATURE[2:] + b"\x00\x00", DIGEST),
    "a SET": (b"\x31" + SIGNATURE[1:], DIGEST),
    "only r": (tlv(0x30, integer(R)), DIGEST),
    "an OCTET STRING for s": (tlv(0x30, integer(R), tlv(0x04, integer(S)[2:])), DIGEST),
    "cut": (SIGNATURE[:-1], DIGEST),
    "nothing": (b"", DIGEST),
    "96 zero bytes": (bytes(96), DIGEST),
    "256 bytes as of RSA": (bytes(range(256)), DIGEST),
    "the digest cut to 32 bytes": (SIGNATURE, DIGEST[:32]),
    "the digest filled up": (SIGNATURE, DIGEST + bytes(16)),
    "over a SHA-256, said to be a SHA-384": (OVER_SHA256, hashlib.sha256(MESSAGE).digest()),
    "over a SHA-256, filled up": (OVER_SHA256, hashlib.sha256(MESSAGE).digest() + bytes(16)),
    "no digest": (SIGNATURE, b""),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_nothing_else_is(case: str) -> None:
    signature, digest = REFUSED[case]
    assert outcome(signature, digest) is Outcome.INVALID


def test_r_and_s_without_their_der_are_named_and_refused() -> None:
    plain = ecdsa_plain(SIGNATURE)
    assert len(plain) == 96
    assert ecdsa_der(plain) == SIGNATURE
    assert outcome(plain) is Outcome.ENCODING
    assert outcome(plain, hashlib.sha384(b"another").digest()) is Outcome.INVALID


@given(st.binary(max_size=110))
def test_other_bytes_are_no_signature(data: bytes) -> None:
    assert outcome(data) is Outcome.INVALID


@given(st.integers(0, 8 * len(SIGNATURE) - 1))
def test_no_bit_may_change(bit: int) -> None:
    changed = bytearray(SIGNATURE)
    changed[bit // 8] ^= 1 << bit % 8
    assert outcome(bytes(changed)) is Outcome.INVALID


@given(st.binary(min_size=96, max_size=96))
def test_plain_and_der_are_one_thing(plain: bytes) -> None:
    numbers = [int.from_bytes(plain[:48], "big"), int.from_bytes(plain[48:], "big")]
    if all(0 < number < ORDER for number in numbers):
        assert ecdsa_plain(ecdsa_der(plain)) == plain
    else:
        with pytest.raises(der.DerError):
            ecdsa_plain(ecdsa_der(plain))


@pytest.mark.parametrize("size", [0, 1, 64, 95, 97, 132])
def test_plain_signatures_have_96_bytes(size: int) -> None:
    with pytest.raises(der.DerError):
        ecdsa_der(bytes(size))


# --- which hash, which key --------------------------------------------------------------------------------------------


def test_a_pair_that_the_table_lacks_verifies_nothing() -> None:
    names = ("sha1", "sha256", "sha384", "sha512")
    pairs = {(key, name) for key in ("rsa", "ec") for name in names if method(key, name) is not None}
    assert pairs == {("rsa", "sha256"), ("ec", "sha384")}
    assert outcome(OVER_SHA256, hashlib.sha256(MESSAGE).digest(), hash_name="sha256") is Outcome.INVALID


@pytest.mark.parametrize("oid", [ECDSA_SHA256, RSA_SHA256, "1.2.840.10045.4.1", "1.2.840.113549.1.1.1", "1.2.3"])
def test_an_algorithm_of_another_kind_or_hash_verifies_nothing(oid: str) -> None:
    for signature in (SIGNATURE, OVER_SHA256):
        assert verify_named(read_public_key(SPKI), SPKI, oid, signature, MESSAGE) is Outcome.INVALID


def test_p_256_with_sha_256_is_not_accepted() -> None:
    key = read_public_key(P256)
    for name in ("sha256", "sha384"):
        digest = hashlib.new(name, MESSAGE).digest()
        assert verify(key, P256, name, OF_P256, digest) is Outcome.INVALID


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_on_p_384() -> None:
    key = read_public_key(SPKI)
    assert (key.algorithm, key.bits, key.curve, key.point) == ("ec", 384, "1.3.132.0.34", SPKI[-97:])
    assert acceptable_key(key) is None
    assert key.key_id() == hashlib.sha1(SPKI[-97:], usedforsecurity=False).digest()


@pytest.mark.parametrize(
    ("spki", "curve"),
    [
        (COMPRESSED, "1.3.132.0.34"),
        (P256, "1.2.840.10045.3.1.7"),
        (BRAINPOOL_P384, "1.3.36.3.3.2.8.1.1.11"),
        (P521, "1.3.132.0.35"),
        (SPKI.replace(bytes.fromhex("06052b81040022"), b""), ""),
    ],
    ids=["compressed", "P-256", "brainpoolP384r1", "P-521", "without parameters"],
)
def test_other_curves_and_forms_are_named_and_not_accepted(spki: bytes, curve: str) -> None:
    if not curve:  # the lengths of the two SEQUENCEs as well
        spki = bytes((0x30, spki[1] - 7, 0x30, spki[3] - 7)) + spki[4:]
    key = read_public_key(spki)
    assert (key.algorithm, key.bits, key.curve) == ("ec", 0, curve)
    assert acceptable_key(key) == "unknown"
    assert verify(key, spki, "sha384", SIGNATURE, DIGEST) is Outcome.INVALID
    with pytest.raises(der.DerError):
        key.key_id()


def _with_point(point: bytes) -> bytes:
    bits = tlv(0x03, b"\x00" + point)
    return tlv(0x30, SPKI[2:20], bits)


@pytest.mark.parametrize(
    "point",
    [
        SPKI[-97:-1] + bytes([SPKI[-1] ^ 1]),
        b"\x04" + bytes(96),
        b"\x04" + b"\xff" * 96,
        SPKI[-97:] + b"\x00",
        SPKI[-97:-1],
        b"\x04",
    ],
    ids=["off the curve", "zero", "not below the field", "a byte more", "a byte less", "nothing"],
)
def test_an_impossible_point_is_malformed(point: bytes) -> None:
    assert _with_point(SPKI[-97:]) == SPKI
    with pytest.raises(der.DerError):
        read_public_key(_with_point(point))


@pytest.mark.parametrize("first", [0x00, 0x02, 0x03, 0x05, 0x06, 0x07])
def test_infinity_and_hybrid_forms_are_not_accepted(first: int) -> None:
    key = read_public_key(_with_point(bytes([first]) + SPKI[-96:]))
    assert acceptable_key(key) == "unknown"


def test_parameters_have_no_place_beside_ecdsa() -> None:
    oid = bytes.fromhex("06082a8648ce3d040303")
    assert algorithm_identifier(der.single(tlv(0x30, oid))) == ECDSA_SHA384
    for more in (b"\x05\x00", bytes.fromhex("06052b81040022"), b"\x30\x00"):
        with pytest.raises(der.DerError):
            algorithm_identifier(der.single(tlv(0x30, oid, more)))
