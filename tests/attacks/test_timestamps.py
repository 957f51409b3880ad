"""A-28: every way to abuse a time-stamp (RFC 3161). A token that is not good in everything must prove nothing.

The document of each row is good but for its certificate, which was revoked yesterday: it passes only when a token proves
that its signature existed before. So each abused token must leave it undecided, and its own verdict must say why.
"""

# ruff: noqa: E501, S303, ARG005 - a table of attacks is read row by row, and some attack with SHA-1

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from attacks import tsa
from attacks.forge import NOW, SERIAL, Cms, Pdf, as_ber, certificate, crl, key, oid, sign, tlv, verifier
from attacks.tsa import BEGIN, END, STAMPED, Token, authority, ess_v1, ess_v2, issue, private, root, tsa_list
from kojin_card.pki import tsa as trusted_authorities
from kojin_card.pki.crl_store import CrlMemory
from kojin_card.pki.tsa import TsaStore
from kojin_card.simulator.testpki import RevokedEntry
from kojin_card.verdict import REASONS, CheckId, CheckState, Indication, SubIndication, TimeBasis, Verdict
from kojin_card.verification import Verifier

DAY = timedelta(days=1)
REVOKED_AT = NOW - DAY
CONTENT = Cms().content
TIMESTAMP = "1.2.840.113549.1.9.16.2.14"
ARCHIVE = "0.4.0.1733.2.4"
#: an issuingDistributionPoint: this list says nothing of CAs
USERS_ONLY = (x509.IssuingDistributionPoint(None, None, True, False, None, False, False), True)


@cache
def lists() -> CrlMemory:
    """The list that revoked the holder's certificate yesterday."""
    return CrlMemory([crl([RevokedEntry(SERIAL, REVOKED_AT, "keyCompromise")])])


@cache
def store(*anchors: bytes, lists: tuple[bytes, ...] = (), nothing: bool = False) -> TsaStore:
    return TsaStore.of(anchors or (root(),), () if nothing else lists or (tsa_list(),))


def judge(trusted: TsaStore | None = None, *, now: datetime = NOW, revocation: Any = None) -> Verifier:
    judging = verifier(lists() if revocation is None else revocation, now=now)
    return dataclasses.replace(judging, tsa=store() if trusted is None else trusted)


@cache
def signature() -> bytes:
    """The signature's value in the message below."""
    return sign(key(), tlv(0x31, b"".join(forged_attributes())))


def forged_attributes() -> list[bytes]:
    from attacks.forge import attributes

    return attributes(CONTENT)


@cache
def message(*tokens: bytes, kind: str = TIMESTAMP) -> bytes:
    """A CMS signature with these tokens in its unsigned attribute."""
    unsigned = tlv(0xA1, tlv(0x30, oid(kind), tlv(0x31, *tokens))) if tokens else b""
    return Cms(unsigned=unsigned).build()


def good(**fields: Any) -> bytes:
    return Token(signature(), **fields).build()


def verdict_on(*tokens: bytes, trusted: TsaStore | None = None, now: datetime = NOW, kind: str = TIMESTAMP) -> Verdict:
    return judge(trusted, now=now).verify_cms(message(*tokens, kind=kind))


# --- what the rows are measured against ---------------------------------------------------------------------------------


def test_without_a_token_it_is_undecided() -> None:
    verdict = verdict_on()
    assert verdict.reasons == ("revocation.revoked",)
    assert (verdict.indication, verdict.sub_indication) == (Indication.INDETERMINATE, SubIndication.REVOKED_NO_POE)


def test_cas_that_certify_each_other_in_a_circle_cost_few_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 256 tokens in one message (16 signers, 16 each) every one may try."""
    circle = tuple(issue("loop", "loop", ca=True, serial=100 + n, eku=None) for n in range(8))
    token = good(certificate=issue("tsa", "loop"), bag=(issue("tsa", "loop"), *circle))
    asked: list[str] = []
    real = trusted_authorities.verifies

    def counted(*arguments: Any, **named: Any) -> bool:
        asked.append(arguments[1])
        return real(*arguments, **named)

    monkeypatch.setattr(trusted_authorities, "verifies", counted)
    assert [stamp.reasons for stamp in verdict_on(token).timestamps] == [("chain.no_issuer",)]
    assert len(asked) <= 16


GOOD: dict[str, Callable[[], Verdict]] = {
    "as it is": lambda: verdict_on(good()),
    "trusted itself, no list": lambda: verdict_on(good(), trusted=store(authority(), nothing=True)),
    "signing-certificate of old": lambda: verdict_on(good(bound=ess_v1(authority()), bound_as="signingCertificate")),
    "rsaEncryption": lambda: verdict_on(good(algorithm="rsaEncryption")),
    "SHA-512": lambda: verdict_on(
        good(digest="sha512", imprint="sha512", algorithm="sha512WithRSA", sign=lambda k, m: tsa.rsa_sign(k, m, hashes.SHA512()))
    ),
    "accuracy and nonce": lambda: verdict_on(
        good(accuracy=tlv(0x30, tlv(0x02, b"\x01"), tlv(0x80, b"\x01\xf4"), tlv(0x81, b"\x64")), nonce=tlv(0x02, b"\x07"))
    ),
    "a list for no CA's certificates": lambda: verdict_on(good(), trusted=store(lists=(tsa_list(plus=(USERS_ONLY,)),))),
    "a fraction of a second": lambda: verdict_on(good(fraction=".5")),
    "an extension that is not critical": lambda: verdict_on(good(extensions=tlv(0xA1, tlv(0x30, oid("1.2.3.4"), tlv(0x04, b"x"))))),
    "ordering": lambda: verdict_on(good(ordering=b"\x01\x01\xff")),
    "trusted itself, an old list of its CA": lambda: verdict_on(
        good(), trusted=store(root(), authority(), lists=(tsa_list(end=NOW - timedelta(minutes=1)),))
    ),
    "as the authority's whole answer": lambda: judge().verify_cms(
        message(), timestamps=[tlv(0x30, tlv(0x30, tlv(0x02, b"\x00")), good())]
    ),
    "through an intermediate": lambda: verdict_on(through()[0], trusted=through()[1]),
    "elliptic curve": lambda: verdict_on(elliptic()),
    "in BER": lambda: judge().verify_cms(as_ber(message(good()))),
    "the token itself in BER": lambda: judge().verify_cms(message(), timestamps=[as_ber(good())]),
    "given beside": lambda: judge().verify_cms(message(), timestamps=[good()]),
    "among bad ones": lambda: verdict_on(Token(b"other").build(), good()),
    "the root in the token too": lambda: verdict_on(good(bag=(root(), authority()))),
    "a TSA that ended in good order": lambda: verdict_on(
        good(), trusted=store(lists=(tsa_list((77, NOW - DAY, x509.ReasonFlags.superseded)),))
    ),
    "raw": lambda: judge().verify_raw(sign(key(), CONTENT), CONTENT, certificate(), timestamps=[Token(sign(key(), CONTENT)).build()]),
    "PDF": lambda: judge().verify_pdf(Pdf(cms=stamped_pdf).build()),
}  # fmt: skip


def stamped_pdf(data: bytes) -> bytes:
    """A detached CMS with a token over its signature."""
    from attacks.forge import attributes

    value = sign(key(), tlv(0x31, b"".join(attributes(data))))
    unsigned = tlv(0xA1, tlv(0x30, oid(TIMESTAMP), tlv(0x31, Token(value).build())))
    return Cms(content=data, attached=False, unsigned=unsigned).build()


def through(**fields: Any) -> tuple[bytes, TsaStore]:
    """A token of a TSA below an intermediate CA, which differs in ``fields``; and a store of the root."""
    middle = issue("middle", "root", **{"ca": True, "serial": 5, **fields})
    leaf = issue("tsa", "middle")
    return good(certificate=leaf, bag=(leaf, middle)), store(lists=(tsa_list(), tsa_list(issuer="middle")))


@cache
def curve_key() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())


def elliptic() -> bytes:
    own = curve_key()
    return good(
        certificate=issue("tsa", "root", own=own), own=own, algorithm="1.2.840.10045.4.3.2",
        sign=lambda k, m: own.sign(m, ec.ECDSA(hashes.SHA256())),
    )  # fmt: skip


@pytest.mark.parametrize("case", list(GOOD))
def test_a_good_token_proves_that_the_signature_is_older(case: str) -> None:
    verdict = GOOD[case]().require()
    assert verdict.time_basis is TimeBasis.TIMESTAMP
    assert STAMPED <= verdict.time < STAMPED + timedelta(seconds=2)
    passed = [one for one in verdict.timestamps if one.indication is Indication.TOTAL_PASSED]
    assert len(passed) == 1
    assert passed[0].subject == "timestamp"
    assert passed[0].store == "given-tsa"
    assert passed[0].evidence["existed_at"].startswith(STAMPED.strftime("%Y-%m-%dT%H:%M"))
    assert verdict.check(CheckId.TIME).evidence["basis"] == "timestamp"


# --- A-28 ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Abuse:
    """One row: what is wrong, the verdict on the document, and the reason that the token's own verdict has."""

    what: str
    judge: Callable[[], Verdict]
    reason: str

    def __str__(self) -> str:
        return self.what


def tokens(what: str, reason: str, make: Callable[[], bytes], trusted: Callable[[], TsaStore] | None = None) -> Abuse:
    return Abuse(what, lambda: verdict_on(make(), trusted=None if trusted is None else trusted()), reason)


def by(**fields: Any) -> bytes:
    """A token of a TSA whose certificate differs in ``fields``."""
    return good(certificate=issue("tsa", "root", **fields))


def jpki_token() -> bytes:
    """The holder stamps the own signature with the card's key: the certificate of JPKI is real."""
    return Token(signature(), certificate=certificate(), own=key()).build()


def flipped(data: bytes, at: bytes) -> bytes:
    place = data.index(at)
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


def self_signed() -> bytes:
    return issue("tsa", "tsa")


def end_of(flag: Sequence[x509.ObjectIdentifier]) -> Callable[[], bytes]:
    return lambda: by(eku=flag)


A28 = [
    tokens("the imprint of another signature", "imprint.mismatch", lambda: Token(b"another signature").build()),
    tokens("the imprint of the content", "imprint.mismatch", lambda: Token(CONTENT).build()),
    tokens("the imprint of the signed attributes", "imprint.mismatch", lambda: Token(tlv(0x31, b"".join(forged_attributes()))).build()),
    tokens("the imprint hashed twice", "imprint.mismatch", lambda: Token(hashlib.sha256(signature()).digest()).build()),
    tokens("a SHA-1 imprint", "algorithms.weak", lambda: good(imprint="sha1")),
    tokens("a SHA-1 digest", "algorithms.weak", lambda: good(digest="sha1")),
    tokens("signed with SHA-1", "algorithms.weak", lambda: good(digest="sha1", algorithm="sha1WithRSA", sign=lambda k, m: tsa.rsa_sign(k, m, hashes.SHA1()))),
    tokens("PSS", "algorithms.unknown", lambda: good(algorithm="pss")),
    tokens("a digest and another in the signature", "algorithms.disagree", lambda: good(algorithm="sha512WithRSA", sign=lambda k, m: tsa.rsa_sign(k, m, hashes.SHA512()))),
    tokens("a TSTInfo that was altered", "digest.mismatch", lambda: good(edit=lambda info: info.replace(STAMPED.strftime("%Y%m%d").encode(), b"20261001"))),
    tokens("another key's signature", "signature.invalid", lambda: good(own=private("stranger"))),
    tokens("an altered signature", "signature.invalid", lambda: good()[:-1] + bytes((good()[-1] ^ 1,))),
    tokens("no TSA is trusted", "chain.empty_store", good, lambda: TsaStore(())),
    tokens("another anchor", "chain.no_issuer", good, lambda: store(issue("elsewhere", "elsewhere", ca=True))),
    tokens("an anchor of the same name, another key", "chain.no_issuer", good, lambda: store(issue("root", "root", ca=True, own=private("x"), by=private("x")))),
    tokens("a self-signed TSA that comes with its token", "chain.no_issuer", lambda: good(certificate=self_signed())),
    tokens("an attacker's own CA in the token", "chain.no_issuer", lambda: own_chain()),
    tokens("the card stamps itself", "chain.no_issuer", jpki_token),
    tokens("a certificate trusted as TSA that issued another", "chain.no_issuer", lambda: below_a_tsa(), lambda: store(authority(), nothing=True)),
    tokens("an intermediate that is no CA", "chain.no_issuer", lambda: through(ca=False, eku=None)[0], lambda: through()[1]),
    tokens("an intermediate without keyCertSign", "chain.no_issuer", lambda: through(bits=("crl_sign",))[0], lambda: through()[1]),
    tokens("a path that is too long for its root", "chain.no_issuer", lambda: through()[0], lambda: store(issue("root", "root", ca=True, length=0))),
    tokens("an intermediate for other uses", "chain.no_issuer", lambda: through(plus=((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False),))[0], lambda: through()[1]),
    tokens("an intermediate with name constraints", "chain.no_issuer", lambda: through(plus=((x509.NameConstraints([x509.DNSName("x")], None), True),))[0], lambda: through()[1]),
    tokens("issued with SHA-1", "chain.no_issuer", lambda: good(certificate=sha1_issued())),
    tokens("no extended key usage", "key_usage.wrong", lambda: by(eku=None)),
    tokens("an extended key usage too many", "key_usage.wrong", end_of((*tsa.STAMPING, ExtendedKeyUsageOID.CLIENT_AUTH))),
    tokens("another extended key usage", "key_usage.wrong", end_of((ExtendedKeyUsageOID.CLIENT_AUTH,))),
    tokens("any extended key usage", "key_usage.wrong", end_of((ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,))),
    tokens("an extended key usage that is not critical", "key_usage.wrong", lambda: by(critical=False)),
    tokens("a key that signs certificates", "key_usage.wrong", lambda: by(bits=("digital_signature", "key_cert_sign"))),
    tokens("a TSA that is a CA", "key_usage.wrong", lambda: by(plus=((x509.BasicConstraints(ca=True, path_length=None), True),))),
    tokens("an unknown critical extension", "key_usage.wrong", lambda: by(plus=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),))),
    tokens("the root itself stamps", "key_usage.wrong", lambda: good(certificate=root(), own=private("root"))),
    tokens("a TSA that has ended since", "validity.expired", lambda: by(end=NOW - DAY)),
    tokens("a TSA that had ended by then", "validity.expired_before_signing", lambda: by(end=STAMPED - DAY)),
    tokens("a TSA that had not begun", "validity.not_yet", lambda: by(begin=STAMPED + DAY)),
    tokens("a root that has ended", "validity.issuer_expired", good, lambda: store(issue("root", "root", ca=True, end=NOW - DAY))),
    tokens("revoked before", "revocation.revoked", good, lambda: revoked(STAMPED - DAY, x509.ReasonFlags.superseded)),
    tokens("revoked since, its key stolen", "revocation.revoked", good, lambda: revoked(NOW - DAY, x509.ReasonFlags.key_compromise)),
    tokens("revoked since, for no reason said", "revocation.revoked", good, lambda: revoked(NOW - DAY, None)),
    tokens("revoked at that second", "revocation.revoked", good, lambda: revoked(STAMPED, x509.ReasonFlags.superseded)),
    tokens("revoked by an old list, left out by the new", "revocation.revoked", good, lambda: store(lists=(
        tsa_list((77, BEGIN, None), begin=NOW - 20 * DAY, end=NOW - 10 * DAY), tsa_list()))),
    tokens("trusted itself, but its CA's list says that it is revoked", "revocation.revoked", good, lambda: store(root(), authority(), lists=(
        tsa_list((77, NOW - DAY, None)),))),
    tokens("an intermediate that is revoked", "revocation.revoked", lambda: through()[0], lambda: store(lists=(
        tsa_list((5, NOW - DAY, None)), tsa_list(issuer="middle")))),
    tokens("nobody asked whether it is revoked", "revocation.no_source", good, lambda: store(nothing=True)),
    tokens("a list that leaves CAs out, over an intermediate", "revocation.no_list", lambda: through()[0], lambda: store(lists=(
        tsa_list(plus=(USERS_ONLY,)), tsa_list(issuer="middle"),
    ))),
    tokens("the intermediate's list only", "revocation.no_list", lambda: through()[0], lambda: store(lists=(tsa_list(issuer="middle"),))),
    tokens("a list of another key", "revocation.no_list", good, lambda: store(lists=(tsa_list(by=private("x")),))),
    tokens("a list that is out of date", "revocation.stale", good, lambda: store(lists=(tsa_list(begin=NOW - 9 * DAY, end=NOW - DAY),))),
    tokens("a list of tomorrow", "revocation.stale", good, lambda: store(lists=(tsa_list(begin=NOW + DAY),))),
    tokens("of the future", "time.contradicted", lambda: good(moment=NOW + DAY)),
    tokens("two signers", "format.unsupported", lambda: good(signers=2)),
    tokens("nobody signed it", "format.unsupported", lambda: good(signers=0)),
    tokens("ordinary data in place of TSTInfo", "format.unsupported", lambda: good(content_type="data", attributed_type="data")),
    tokens("another content type in its attributes", "format.malformed", lambda: good(attributed_type="data")),
    tokens("no signed attributes", "format.malformed", lambda: good(bare=True)),
    tokens("nothing binds the certificate", "format.malformed", lambda: good(bound=b"")),
    tokens("another certificate is bound", "certificate.mismatch", lambda: good(bound=ess_v2(root()))),
    tokens("no certificate", "certificate.missing", lambda: good(bag=())),
    tokens("another certificate of that name and serial", "certificate.ambiguous", lambda: good(bag=(authority(), issue("tsa", "root", own=private("x"))))),
    tokens("version 2", "format.malformed", lambda: good(version=2)),
    tokens("a critical extension", "format.malformed", lambda: good(extensions=tlv(0xA1, tlv(0x30, oid("1.2.3.4"), b"\x01\x01\xff", tlv(0x04, b"x"))))),
    tokens("a serial of 30 octets", "format.malformed", lambda: good(serial=1 << 239)),
    tokens("a local time", "format.malformed", lambda: good(edit=bytes, info=good_info().replace(b"Z", b"+", 1))),
    tokens("a fraction that ends in zero", "format.malformed", lambda: good(fraction=".50")),
    tokens("an accuracy of no size", "format.malformed", lambda: good(accuracy=tlv(0x30, tlv(0x80, b"\x00")))),
    tokens("a negative accuracy", "format.malformed", lambda: good(accuracy=tlv(0x30, tlv(0x02, b"\xff")))),
    tokens("an accuracy beyond the calendar", "format.malformed", lambda: good(accuracy=tlv(0x30, tlv(0x02, b"\x7f" * 12)))),
    tokens("bytes after TSTInfo", "format.malformed", lambda: good(info=good_info() + b"\x05\x00")),
    tokens("rubbish", "format.malformed", lambda: tlv(0x30, b"\x02\x01\x01")),
    tokens("larger than tokens are", "format.malformed", lambda: good(bag=(authority(), *(issue("filler", "root", serial=n) for n in range(1, 50)), tlv(0x30, tlv(0x04, bytes(262_144)))))),
]  # fmt: skip


def good_info() -> bytes:
    return Token(signature()).tst_info()


def revoked(when: datetime, reason: x509.ReasonFlags | None) -> TsaStore:
    return store(lists=(tsa_list((77, when, reason)),))


def own_chain() -> bytes:
    leaf = issue("tsa", "evil")
    return good(certificate=leaf, bag=(leaf, issue("evil", "evil", ca=True)))


def below_a_tsa() -> bytes:
    leaf = issue("tsa", "tsa")
    return good(certificate=leaf, bag=(leaf, authority()))


def sha1_issued() -> bytes:
    """The TSA's certificate, signed again with SHA-1."""
    from attacks.forge import algorithm, elements, inside

    tbs, outer, _ = elements(inside(authority()))
    weak = algorithm("sha1WithRSA")
    changed = tbs.replace(outer, weak, 1)
    changed = tlv(0x30, inside(changed)) if len(weak) != len(outer) else changed
    value = tsa.rsa_sign(private("root"), changed, hashes.SHA1())
    return tlv(0x30, changed, weak, tlv(0x03, b"\x00" + value))


@pytest.mark.attack("A-28")
@pytest.mark.parametrize("abuse", A28, ids=str)
def test_an_abused_token_proves_nothing_and_says_why(abuse: Abuse) -> None:
    verdict = abuse.judge()
    assert verdict.indication is Indication.INDETERMINATE
    assert verdict.reasons == ("revocation.revoked",)
    assert (verdict.time, verdict.time_basis) == (NOW, TimeBasis.NOW)
    (token,) = verdict.timestamps
    assert abuse.reason in token.reasons
    assert token.indication is not Indication.TOTAL_PASSED
    assert REASONS[abuse.reason].sub_indication is token.sub_indication or len(token.reasons) > 1
    assert "existed_at" not in token.evidence


@pytest.mark.parametrize(
    "kind", [ARCHIVE, "1.2.840.113549.1.9.16.2.25", "1.2.840.113549.1.9.16.2.26", "1.2.840.113549.1.9.6"]
)
def test_a_token_in_another_attribute_is_not_used_but_named(kind: str) -> None:
    """An archive time-stamp, or one over references, is over something else, whatever it says."""
    verdict = verdict_on(good(), kind=kind)
    assert verdict.reasons == ("revocation.revoked",)
    assert verdict.timestamps == ()
    names = {ARCHIVE: "archiveTimestampV3", "1.2.840.113549.1.9.6": "countersignature"}
    assert verdict.evidence["unsigned_attributes"] == names.get(kind, kind)


@pytest.mark.attack("A-28", "a token later than the revocation", "revocation.revoked")
def test_a_token_cannot_save_what_was_revoked_before_it() -> None:
    """EN 319 102-1 §5.5: nothing says that the signature is older than the revocation."""
    for moment in (REVOKED_AT, REVOKED_AT + timedelta(hours=1)):
        verdict = verdict_on(good(moment=moment))
        assert verdict.time_basis is TimeBasis.TIMESTAMP
        assert verdict.sub_indication is SubIndication.REVOKED_NO_POE


def test_the_accuracy_is_added_so_that_the_proof_is_never_too_early() -> None:
    late = tlv(0x30, tlv(0x02, (3600).to_bytes(2, "big")))
    assert verdict_on(good(moment=REVOKED_AT - timedelta(minutes=30))).indication is Indication.TOTAL_PASSED
    assert verdict_on(good(moment=REVOKED_AT - timedelta(minutes=30), accuracy=late)).reasons == ("revocation.revoked",)


@pytest.mark.attack("A-28", "a token from before the certificate", "time.contradicted")
def test_a_token_from_before_the_certificate_contradicts_it() -> None:
    """The CA certified the key later: whoever stamped that was not the holder yet."""
    from attacks.forge import ISSUED

    assert "validity.not_yet" in verdict_on(good(moment=ISSUED - DAY)).reasons


def test_the_earliest_of_several_counts() -> None:
    verdict = verdict_on(good(), good(moment=STAMPED - 5 * DAY), Token(b"other", moment=STAMPED - 9 * DAY).build())
    assert verdict.require().time == STAMPED - 5 * DAY
    assert [one.indication for one in verdict.timestamps] == [
        Indication.TOTAL_PASSED, Indication.TOTAL_PASSED, Indication.TOTAL_FAILED,
    ]  # fmt: skip


def test_an_earlier_receipt_stays_and_a_later_one_gives_way() -> None:
    data = message(good())
    early = judge().verify_cms(data, received_at=STAMPED - DAY)
    assert (early.time_basis, early.time) == (TimeBasis.RECEIVED, STAMPED - DAY)
    late = judge().verify_cms(data, received_at=NOW - timedelta(hours=3))
    assert (late.time_basis, late.time) == (TimeBasis.TIMESTAMP, STAMPED)


@pytest.mark.attack("A-28", "an asserted time in place of a token", "time.asserted")
def test_an_asserted_time_is_no_proof_but_a_token_before_it_is() -> None:
    data = message(good())
    assert judge().verify_cms(data, at=STAMPED - DAY).reasons == ("time.asserted",)
    assert judge().verify_cms(data, at=NOW - 2 * DAY).require().time_basis is TimeBasis.TIMESTAMP


def test_a_signing_time_after_the_token_contradicts_it() -> None:
    from attacks.forge import attributes

    later = (STAMPED + DAY).strftime("%y%m%d%H%M%SZ").encode()
    listed = attributes(CONTENT, signingTime=tlv(0x17, later))
    value = sign(key(), tlv(0x31, b"".join(listed)))
    unsigned = tlv(0xA1, tlv(0x30, oid(TIMESTAMP), tlv(0x31, Token(value).build())))
    verdict = judge().verify_cms(Cms(attributes=tuple(listed), unsigned=unsigned).build())
    assert verdict.reasons == ("time.contradicted",)


def test_it_saves_a_certificate_that_has_ended_since() -> None:
    """With a list of that time, which a list of today could not replace: the certificate has left it."""
    long_after = NOW + timedelta(days=2000)
    patient = TsaStore.of([issue("tsa", "root", end=long_after + DAY)])
    ended = good(certificate=issue("tsa", "root", end=long_after + DAY))
    source = CrlMemory([crl(at=STAMPED + timedelta(hours=1))])
    assert "validity.expired" in judge(patient, now=long_after, revocation=source).verify_cms(message()).reasons
    saved = judge(patient, now=long_after, revocation=source).verify_cms(message(ended))
    assert saved.require().time == STAMPED


def test_what_is_wrong_with_the_signature_stays_wrong() -> None:
    verdict = judge().verify_cms(message(good()).replace(CONTENT, CONTENT.upper()))
    assert (verdict.indication, verdict.reasons[0]) == (Indication.TOTAL_FAILED, "digest.mismatch")


def test_each_signer_has_its_own_token() -> None:
    """The second signer must not live on the first one's proof."""
    unsigned = tlv(0xA1, tlv(0x30, oid(TIMESTAMP), tlv(0x31, good())))
    both = Cms(unsigned=unsigned).build(Cms(by_key_id=True, attributes=tuple(reversed(forged_attributes()))).signer())
    verdict = judge().verify_cms(both)
    assert [part.time_basis for part in verdict.parts] == [TimeBasis.TIMESTAMP, TimeBasis.NOW]
    assert verdict.indication is Indication.INDETERMINATE


@pytest.mark.attack("A-28", "many tokens", "bounded")
def test_many_tokens_are_bounded() -> None:
    verdict = judge().verify_cms(message(*(Token(bytes((n,))).build() for n in range(40))))
    assert len(verdict.timestamps) == 16
    crowded = judge().verify_cms(message(*(Token(bytes((n,))).build() for n in range(40))), timestamps=[good()])
    assert crowded.require().time == STAMPED


def test_unsigned_attributes_that_are_malformed_are_named_and_harm_nobody() -> None:
    for rubbish in (tlv(0xA1, b"\x05\x00"), tlv(0xA1, tlv(0x30, oid(TIMESTAMP)))):
        verdict = verifier().verify_cms(Cms(unsigned=rubbish).build()).require()
        assert verdict.evidence["unsigned_attributes"] == "malformed"


@pytest.mark.parametrize("seed", range(4))
def test_whatever_was_changed_in_a_token_nothing_else_is_proved(seed: int) -> None:
    """Bytes flipped, cut out and doubled anywhere: an answer always, and never another time than the authority's."""
    judging, chance, token = judge(), random.Random(seed), good()  # noqa: S311 - the same each time
    for _ in range(150):
        data, place, length = bytearray(token), chance.randrange(len(token)), chance.randrange(1, 9)
        kind = chance.randrange(3)
        if kind == 0:
            data[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[place : place + length]
        else:
            data[place:place] = data[place : place + length]
        verdict = judging.verify_cms(message(), timestamps=[bytes(data)])
        assert len(verdict.timestamps) == 1
        if verdict.time_basis is TimeBasis.TIMESTAMP:
            assert verdict.time == STAMPED


def test_the_verdict_on_a_token_names_every_check() -> None:
    (token,) = verdict_on(good()).timestamps
    assert all(check.state is CheckState.PASSED for check in token.checks)
    assert {check.id for check in token.checks} >= {
        CheckId.IMPRINT,
        CheckId.REVOCATION,
        CheckId.KEY_USAGE,
        CheckId.CHAIN,
    }
    assert token.evidence["gen_time"] == "2026-10-25T03:00:00Z"
    assert token.evidence["token_serial"] == "1267"
    assert END > NOW
