"""One signature, two meanings: nothing is signed raw that would be a CMS signature or an authentication (A-23)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from attacks.forge import (
    NOW,
    Cms,
    attribute,
    attributes,
    certificate,
    key,
    oid,
    padded,
    rsa_sign,
    sign,
    tlv,
    verifier,
)
from kojin_card.authn import AuthenticationProof, Challenge, b64url
from kojin_card.errors import UsageError
from kojin_card.pki.profile import Purpose
from kojin_card.signing import CallableSigner, sign_cms, sign_raw
from kojin_card.verdict import CheckId, Indication, SubIndication

EVIL = b"I owe you 10,000,000 yen"
HIDDEN = tlv(0x30, oid("1.2.3.4"), tlv(0x31, tlv(0x04, bytes(100_000))))
CHALLENGE = Challenge.new("https://bank.example", "log in", now=NOW, random=lambda n: b"n" * n)


class Counting:
    """A signer that counts what it was asked."""

    def __init__(self, purpose: Purpose) -> None:
        self.asked = 0
        self.purpose = purpose

    def signer(self) -> CallableSigner:
        def answer(digest_info: bytes) -> bytes:
            self.asked += 1
            return rsa_sign(key(str(self.purpose)), padded(digest_info))

        return CallableSigner(certificate(self.purpose), answer)


def indefinite(*parts: bytes) -> bytes:
    return b"\x31\x80" + b"".join(parts) + b"\x00\x00"


TWO_MEANINGS = [
    pytest.param(tlv(0x31, *attributes(EVIL)), id="signed attributes"),
    pytest.param(tlv(0x31, *reversed(attributes(EVIL))), id="in another order"),
    pytest.param(tlv(0x30, *attributes(EVIL)), id="as a SEQUENCE"),
    pytest.param(tlv(0xA0, *attributes(EVIL)), id="with the tag of the field"),
    pytest.param(tlv(0x31, *attributes(EVIL), HIDDEN), id="with much beside them"),
    pytest.param(tlv(0x31, attributes(EVIL)[1]), id="without contentType"),
    pytest.param(indefinite(*attributes(EVIL)), id="BER"),
    pytest.param(b"\x31\x83\x00\x00" + tlv(0x31, *attributes(EVIL))[1:], id="a length that is not minimal"),
    pytest.param(
        tlv(0x31, *(attribute("1.2.3.4", tlv(0x02, bytes([n]))) for n in range(100)), *attributes(EVIL)), id="many"
    ),
]
PLAIN = [
    pytest.param(b"", id="nothing"),
    pytest.param(EVIL, id="text"),
    pytest.param(b"1" * 300_000, id="text that begins with the letter 1"),
    pytest.param(b"0" + b"data", id="text that begins with the letter 0"),
    pytest.param(Cms().build(), id="a whole CMS message"),
    pytest.param(certificate(), id="a certificate"),
    pytest.param(tlv(0x31, tlv(0x30, oid("1.2.3.4"), tlv(0x31, b"\x05\x00"))), id="another SET"),
    pytest.param(b"abc.def", id="two words and a dot"),
    pytest.param(b'eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.e30', id="another JWS"),
]  # fmt: skip


@pytest.mark.attack("reuse", "the attributes of a message, to be signed as bare content", "refused by the signer")
@pytest.mark.parametrize("content", TWO_MEANINGS)
@pytest.mark.parametrize("purpose", list(Purpose))
def test_signed_attributes_are_not_signed_raw(content: bytes, purpose: Purpose) -> None:
    counting = Counting(purpose)
    with pytest.raises(UsageError, match="attributes"):
        sign_raw(counting.signer(), content)
    assert counting.asked == 0


@pytest.mark.attack("reuse", "the attributes of a message, shown as bare content", "format.ambiguous")
@pytest.mark.parametrize("content", TWO_MEANINGS)
def test_nor_accepted_as_raw_content(content: bytes) -> None:
    verdict = verifier().verify_raw(sign(key(), content), content, certificate(), disclose=True)
    assert verdict.reasons == ("format.ambiguous",)
    assert (verdict.indication, verdict.sub_indication) == (Indication.TOTAL_FAILED, SubIndication.FORMAT_FAILURE)
    assert verdict.holder is None


@pytest.mark.parametrize("content", PLAIN)
@pytest.mark.parametrize("purpose", list(Purpose))
def test_everything_else_is_signed_and_passes(content: bytes, purpose: Purpose) -> None:
    signature = sign_raw(Counting(purpose).signer(), content)
    verdict = verifier().verify_raw(signature, content, certificate(purpose), purpose=purpose).require()
    assert CheckId.FORMAT in verdict.required


def test_what_was_a_forgery_before() -> None:
    """The blob was signed as "data" and became a signature over a document that nobody had seen."""
    blob = tlv(0x31, *attributes(EVIL))
    message = Cms(content=EVIL, signature=lambda private, _: sign(private, blob)).build()
    verifier().verify_cms(message).require()  # the forgery itself cannot be told from a signature: it must not be made
    assert sign_cms(Counting(Purpose.SIGNATURE).signer(), blob)  # what is inside a CMS has one meaning only


@pytest.mark.attack("reuse", "the attributes of a message, shown as a message without any", "format.ambiguous")
@pytest.mark.parametrize("much", [HIDDEN, b""])
def test_a_message_without_attributes_over_content_that_looks_like_them(much: bytes) -> None:
    blob = tlv(0x31, *attributes(EVIL), much)
    verdict = verifier().verify_cms(Cms(content=blob, attributes=None).build())
    assert verdict.reasons == ("format.ambiguous",)


# --- proofs -----------------------------------------------------------------------------------------------------------


def jws(header: Any, payload: bytes = b"{}", encode: Callable[[bytes], str] = b64url) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return f"{encode(text)}.{encode(payload)}".encode()


TYP = "kojin-card-auth+jwt"
PROOFS = [
    pytest.param(AuthenticationProof.signing_input_for(CHALLENGE, certificate(Purpose.AUTHENTICATION)), id="ours"),
    pytest.param(jws({"typ": TYP}), id="only typ"),
    pytest.param(jws({"typ": "application/" + TYP.upper()}), id="its long name"),
    pytest.param(jws(b'{"typ":"kojin\\u002dcard-auth+jwt"}'), id="escaped"),
    pytest.param(jws(b'{"typ":"kojin-card-auth+jwt","typ":"JWT"}'), id="a name twice"),
    pytest.param(jws({"typ": TYP}, encode=lambda b: base64.urlsafe_b64encode(b).decode()), id="padded"),
    pytest.param(jws(b" \n" + json.dumps({"typ": TYP}).encode()), id="blanks"),
    pytest.param(jws({"typ": TYP, "x": "a" * 100_000}), id="long"),
]


@pytest.mark.attack("reuse", "an authentication, shown as signed content", "format.ambiguous")
@pytest.mark.parametrize("content", PROOFS)
@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_proof_is_not_signed_raw(content: bytes, purpose: Purpose) -> None:
    counting = Counting(purpose)
    with pytest.raises(UsageError, match="authentication"):
        sign_raw(counting.signer(), content)
    assert counting.asked == 0
    verdict = verifier().verify_raw(sign(key(str(purpose)), content), content, certificate(purpose), purpose=purpose)
    assert verdict.reasons == ("format.ambiguous",)
