"""CMS messages that ask for much work, or that say more than a signature needs: bounded, and never an exception."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from attacks.forge import Cms, attribute, attributes, certificate, oid, tlv, verifier
from kojin_card.verdict import Indication

CONTENT = Cms().content
SECONDS = 10.0


def nested(levels: int, inner: bytes = b"\x05\x00", tag: int = 0x30) -> bytes:
    for _ in range(levels):
        inner = tlv(tag, inner)
    return inner


def endless(levels: int, tag: int = 0x30) -> bytes:
    return bytes((tag, 0x80)) * levels + b"\x00\x00" * levels


BOMBS: dict[str, Callable[[], bytes]] = {
    "nested in an unsigned attribute": lambda: Cms(unsigned=tlv(0xA1, nested(5000))).build(),
    "nested in a signed attribute": lambda: Cms(
        attributes=(*attributes(CONTENT), attribute("1.2.3.4", nested(5000)))
    ).build(),
    "nested certificates": lambda: Cms(certificates=(nested(5000),)).build(),
    "indefinite lengths without end": lambda: b"\x30\x80" * 500_000,
    "indefinite lengths, each closed": lambda: endless(500_000),
    "a string in strings in strings": lambda: endless(500_000, 0x24),
    "a string in a million pieces": lambda: tlv(
        0x30, oid("signedData"), b"\xa0\x80" + b"\x24\x80" + b"\x04\x00" * 1_000_000 + bytes(4)
    ),
    "half a million empty attributes": lambda: Cms(unsigned=tlv(0xA1, b"\x30\x00" * 500_000)).build(),
    "seventeen signers": lambda: Cms().build(signers=[Cms().signer()] * 17),
    "sixty-five certificates": lambda: Cms(certificates=(certificate(),) * 65).build(),
    "sixty-five signed attributes": lambda: Cms(
        attributes=(*attributes(CONTENT), *(attribute(f"1.2.3.{n}", b"\x05\x00") for n in range(63)))
    ).build(),
    "a length of four gigabytes": lambda: b"\x30\x84\xff\xff\xff\xff" + Cms().build(),
    "a length of 126 octets": lambda: b"\x30\xfe" + b"\x01" * 126,
    "an object identifier of a megabyte": lambda: tlv(0x30, tlv(0x06, b"\x81" * 1_000_000 + b"\x01")),
    "a version of a megabyte": lambda: Cms().build().replace(b"\x02\x01\x01", tlv(0x02, b"\x7f" * 1_000_000), 1),
}


@pytest.mark.attack("bombs", "CMS: {}", "format.malformed")
@pytest.mark.parametrize("bomb", list(BOMBS))
def test_a_bomb_is_refused_at_once(bomb: str) -> None:
    data = BOMBS[bomb]()
    begin = time.process_time()
    verdict = verifier().verify_cms(data)
    assert time.process_time() - begin < SECONDS
    assert verdict.indication is Indication.TOTAL_FAILED
    assert verdict.reasons == ("format.malformed",)


MANY: dict[str, Callable[[], bytes]] = {
    "a decoy of another name": lambda: Cms(certificates=(decoy(), certificate())).build(),
    "sixty decoys": lambda: Cms(certificates=(*(decoy(n) for n in range(1, 61)), certificate())).build(),
    "rubbish beside the certificate": lambda: Cms(certificates=(certificate(), tlv(0x30, b"\x05\x00"))).build(),
    "the same certificate twice": lambda: Cms(certificates=(certificate(), certificate())).build(),
    "an attribute certificate": lambda: Cms(certificates=(tlv(0xA1, b"\x05\x00"), certificate()), version=4).build(),
    "a certificate of another form": lambda: Cms(
        certificates=(tlv(0xA3, oid("1.2.3"), b"\x05\x00"), certificate()), version=5
    ).build(),
    "signed attributes that nobody knows": lambda: Cms(
        attributes=(*attributes(CONTENT), attribute("1.2.3.4", b"\x05\x00", b"\x01\x01\xff"))
    ).build(),
    "a countersignature": lambda: Cms(unsigned=tlv(0xA1, attribute("1.2.840.113549.1.9.6", Cms().signer()))).build(),
    "unsigned attributes twice": lambda: Cms(unsigned=tlv(0xA1, attribute("1.2.3.4", b"\x05\x00") * 2)).build(),
}  # fmt: skip


def decoy(number: int = 1) -> bytes:
    """A certificate that anybody could have made, of another serial."""
    from attacks.forge import changed, key

    return changed(serial=0x7000 + number, signed_by=key("terminal", "stranger"))


@pytest.mark.parametrize("case", list(MANY))
def test_what_stands_beside_a_good_signature_harms_nobody(case: str) -> None:
    verifier().verify_cms(MANY[case]()).require()


def test_a_decoy_is_never_the_signers_certificate() -> None:
    from attacks.forge import changed, key

    twin = changed(signed_by=key("terminal", "stranger"))  # the same issuer, serial and key identifier
    assert verifier().verify_cms(Cms(certificates=(twin, certificate())).build()).reasons[0] == "certificate.ambiguous"
    assert verifier().verify_cms(Cms(certificates=(decoy(),)).build()).reasons[0] == "certificate.missing"


def test_unsigned_attributes_are_named() -> None:
    listed = attribute("1.2.840.113549.1.9.6", Cms().signer()) + attribute("1.2.3.4", b"\x05\x00")
    verdict = verifier().verify_cms(Cms(unsigned=tlv(0xA1, listed)).build()).require()
    assert verdict.evidence["unsigned_attributes"] == "countersignature 1.2.3.4"
    assert "unsigned_attributes" not in verifier().verify_cms(Cms().build()).evidence


@pytest.mark.parametrize("kind", ["contentType", "messageDigest", "signingTime", "signingCertificateV2"])
def test_a_signed_attribute_stands_once_with_one_value(kind: str) -> None:
    value = {"contentType": oid("data"), "signingTime": tlv(0x17, b"261124000000Z")}.get(kind, tlv(0x04, bytes(32)))
    others = [one for one in attributes(CONTENT) if oid(kind) not in one]
    for doubled in (attribute(kind, value) * 2, attribute(kind, value, value), tlv(0x30, oid(kind), tlv(0x31))):
        verdict = verifier().verify_cms(Cms(attributes=(*others, doubled)).build())
        assert verdict.reasons == ("format.malformed",)
