"""Challenge and proof: PyJWT reads and verifies what we make, and nothing hostile gets past the parser untyped."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from issued import NOW
from kojin_card.authn import (
    ALGORITHM,
    MAX_PROOF_CHARS,
    MAX_TEXT_CHARS,
    PROOF_TYPE,
    AuthenticationProof,
    Challenge,
    b64url,
    unb64url,
)
from kojin_card.errors import DecodeError
from kojin_card.pki.profile import Purpose
from kojin_card.signing import sign_message
from signers import make_signer

AUDIENCE = "https://bank.invalid"


def challenge(**other: Any) -> Challenge:
    """An ordinary challenge, with something else about it."""
    start = NOW.replace(microsecond=0)
    plain = {
        "nonce": bytes(range(32)),
        "audience": AUDIENCE,
        "purpose": "口座の開設",
        "issued_at": start,
        "expires_at": start + timedelta(minutes=5),
    }
    return Challenge(**{**plain, **other})


def proof(asked: Challenge | None = None) -> AuthenticationProof:
    """The invented person's card answers."""
    signer = make_signer(Purpose.AUTHENTICATION)
    return AuthenticationProof.make(
        challenge() if asked is None else asked, signer.certificate, lambda text: sign_message(signer, text)
    )


def key_of(certificate: bytes) -> rsa.RSAPublicKey:
    """The key that a verifier takes out of x5c."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


# --- what others make of it -------------------------------------------------------------------------------------------


def test_pyjwt_reads_and_verifies_the_proof() -> None:
    compact = proof().compact()
    header = jwt.get_unverified_header(compact)
    assert (header["alg"], header["typ"]) == ("RS256", "kojin-card-auth+jwt")
    (x5c,) = header["x5c"]
    certificate = base64.b64decode(x5c)
    assert certificate == make_signer(Purpose.AUTHENTICATION).certificate
    claims = jwt.decode(
        compact,
        key_of(certificate),
        algorithms=["RS256"],
        audience=AUDIENCE,
        options={"verify_exp": False, "verify_iat": False},  # the test's clock is not the machine's
    )
    assert claims == {
        "nonce": b64url(bytes(range(32))),
        "aud": AUDIENCE,
        "purpose": "口座の開設",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 300,
    }


def test_pyjwt_refuses_a_proof_of_another_card_or_with_other_claims() -> None:
    compact = proof().compact()
    head, _, tail = compact.split(".")
    other = b64url(json.dumps(challenge(audience="https://thief.invalid").claims()).encode())
    wrong_key = key_of(make_signer(Purpose.SIGNATURE).certificate)
    right_key = key_of(make_signer(Purpose.AUTHENTICATION).certificate)
    for text, key in ((compact, wrong_key), (f"{head}.{other}.{tail}", right_key)):
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(text, key, algorithms=["RS256"], options={"verify_aud": False})


def test_the_text_that_was_signed_is_the_text_that_is_kept() -> None:
    made = proof()
    key = key_of(made.certificate)
    key.verify(made.signature, made.signing_input, padding.PKCS1v15(), hashes.SHA256())
    again = AuthenticationProof.parse(made.compact())
    assert again == made
    with pytest.raises(InvalidSignature):
        key.verify(made.signature, made.signing_input + b".", padding.PKCS1v15(), hashes.SHA256())


def test_other_json_of_the_same_meaning_keeps_its_own_bytes() -> None:
    """A foreign maker may write spaces: what is verified must be its text, not ours."""
    header = {"typ": PROOF_TYPE, "x5c": [base64.b64encode(b"certificate").decode()], "alg": ALGORITHM}
    text = f"{b64url(json.dumps(header, indent=1).encode())}.{b64url(json.dumps(challenge().claims()).encode())}"
    parsed = AuthenticationProof.parse(f"{text}.{b64url(b'signature')}")
    assert parsed.signing_input == text.encode()
    assert parsed.signing_input != AuthenticationProof.signing_input_for(parsed.challenge, parsed.certificate)
    assert parsed.compact() == f"{text}.{b64url(b'signature')}"


def test_reprs_show_neither_nonce_nor_certificate() -> None:
    shown = repr(proof())
    assert b64url(bytes(range(32))) not in shown
    assert "signature=" not in shown
    assert "certificate=" not in shown


# --- round trips ------------------------------------------------------------------------------------------------------

MOMENTS = st.datetimes(
    datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC) | st.just(timezone(timedelta(hours=9)))  # noqa: DTZ001
).map(lambda moment: moment.replace(microsecond=0))  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_TEXT_CHARS)
CHALLENGES = st.builds(
    lambda nonce, audience, purpose, start, seconds: Challenge(
        nonce, audience, purpose, start, start + timedelta(seconds=seconds)
    ),
    st.binary(min_size=32, max_size=32),
    TEXTS,
    TEXTS,
    MOMENTS,
    st.integers(1, 3600),
)


@given(CHALLENGES)
def test_challenges_come_back(asked: Challenge) -> None:
    assert Challenge.from_json(asked.to_json()) == asked
    assert Challenge.from_json(asked.to_json().encode()) == asked
    assert Challenge.from_claims(asked.claims()) == asked


@given(CHALLENGES, st.binary(min_size=1, max_size=1600), st.binary(min_size=1, max_size=512))
def test_proofs_come_back(asked: Challenge, certificate: bytes, signature: bytes) -> None:
    made = AuthenticationProof.make(asked, certificate, lambda _: signature)
    assert AuthenticationProof.parse(made.compact()) == made


@given(st.binary(max_size=200))
def test_base64url_comes_back(data: bytes) -> None:
    assert unb64url(b64url(data)) == data


@given(st.text(max_size=60) | st.text("ABab01-_=+/. \n", max_size=12))
def test_base64url_has_one_spelling(text: str) -> None:
    try:
        data = unb64url(text)
    except DecodeError:
        return
    assert b64url(data) == text


def test_a_new_challenge_takes_clock_and_chance_from_its_caller() -> None:
    asked: list[int] = []

    def chance(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    tokyo = datetime(2026, 11, 24, 9, 0, 0, 123, tzinfo=timezone(timedelta(hours=9)))
    new = Challenge.new(AUDIENCE, "log in", now=tokyo, random=chance)
    assert (asked, new.nonce) == ([32], bytes(32))
    assert (new.issued_at, new.expires_at - new.issued_at) == (datetime(2026, 11, 24, tzinfo=UTC), timedelta(minutes=5))


# --- challenges that cannot be ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": bytes(31)},
        {"nonce": bytes(33)},
        {"audience": ""},
        {"audience": "x" * 513},
        {"purpose": ""},
        {"purpose": "\ud83d"},
        {"issued_at": datetime(2026, 11, 24)},  # noqa: DTZ001
        {"issued_at": NOW.replace(microsecond=1)},
        {"expires_at": NOW},
        {"expires_at": NOW - timedelta(seconds=1)},
        {"expires_at": NOW + timedelta(hours=1, seconds=1)},
    ],
)
def test_impossible_challenges(wrong: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        challenge(**wrong)


def test_a_new_challenge_needs_a_zone() -> None:
    with pytest.raises(DecodeError):
        Challenge.new(AUDIENCE, "log in", now=datetime(2026, 11, 24), random=bytes)  # noqa: DTZ001


def claims(**other: Any) -> dict[str, Any]:
    """The claims of an ordinary challenge, with something else about them; ``...`` takes one away."""
    merged = {**challenge().claims(), **other}
    return {name: value for name, value in merged.items() if value is not ...}


WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "one missing": claims(exp=...),
    "one too many": claims(sub="somebody"),
    "nonce too short": claims(nonce=b64url(bytes(31))),
    "nonce padded": claims(nonce=base64.urlsafe_b64encode(bytes(32)).decode()),
    "nonce in another alphabet": claims(nonce="+" * 43),
    "nonce with loose bits": claims(nonce=b64url(bytes(32))[:-1] + "B"),
    "nonce is a number": claims(nonce=5),
    "audience is a list": claims(aud=[AUDIENCE]),
    "audience is empty": claims(aud=""),
    "audience too long": claims(aud="x" * 513),
    "half a surrogate pair": claims(aud="\ud800"),
    "time is a truth value": claims(iat=True),
    "time is a fraction": claims(iat=1.5),
    "time is a text": claims(exp="1"),
    "time before all calendars": claims(iat=-(10**12), exp=-(10**12) + 1),
    "time after all calendars": claims(iat=10**12, exp=10**12 + 1),
    "time beyond the machine": claims(iat=10**30, exp=10**30 + 1),
    "ends before it starts": claims(exp=challenge().claims()["iat"] - 1),
    "lives too long": claims(exp=challenge().claims()["iat"] + 3601),
}


@pytest.mark.parametrize("wrong", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
def test_hostile_claims(wrong: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        Challenge.from_claims(wrong)
    with pytest.raises(DecodeError):
        Challenge.from_json(json.dumps({"type": "kojin-card-challenge", **wrong}))
    with pytest.raises(DecodeError):
        AuthenticationProof.parse(compact(payload=json.dumps(wrong).encode()))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param("{", id="cut off"),
        pytest.param(json.dumps(claims()), id="no type"),
        pytest.param(json.dumps({"type": "kojin-card-auth", **claims()}), id="another type"),
        pytest.param('{"type": "kojin-card-challenge", "type": "kojin-card-challenge"}', id="a name twice"),
        pytest.param('{"a":' * 3000 + "1" + "}" * 3000, id="nested"),
        pytest.param('{"iat": NaN}', id="NaN"),
        pytest.param('{"iat": -Infinity}', id="Infinity"),
        pytest.param('{"iat": ' + "9" * 5000 + "}", id="a number of 5000 digits"),
        pytest.param(" " * (MAX_PROOF_CHARS + 1), id="huge"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(challenge().to_json().encode("utf-16"), id="UTF-16"),
        pytest.param(challenge().to_json().encode("utf-32-le"), id="UTF-32"),
        pytest.param(challenge().to_json().encode("utf-8-sig"), id="byte order mark"),
    ],
)
def test_hostile_json(text: str | bytes) -> None:
    with pytest.raises(DecodeError):
        Challenge.from_json(text)


# --- proofs that cannot be --------------------------------------------------------------------------------------------

X5C = base64.b64encode(b"certificate").decode()
PLAIN = {"alg": "RS256", "typ": "kojin-card-auth+jwt", "x5c": [X5C]}


def compact(header: Any = PLAIN, payload: bytes | None = None, signature: str = "c2ln") -> str:
    """A compact serialisation by hand; the header is an object or ready bytes."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = json.dumps(challenge().claims()).encode() if payload is None else payload
    return f"{b64url(head)}.{b64url(body)}.{signature}"


def test_the_table_below_starts_from_a_good_proof() -> None:
    assert AuthenticationProof.parse(compact()).certificate == b"certificate"


GOOD = compact()
HEAD, BODY, _ = GOOD.split(".")
WRONG_PROOFS = {
    "empty": "",
    "one part": HEAD,
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{GOOD}.c2ln",
    "JWE": f"{GOOD}.c2ln.c2ln",
    "unsigned": compact(signature=""),
    "alg none": compact({**PLAIN, "alg": "none"}),
    "alg none, unsigned": compact({**PLAIN, "alg": "none"}, signature=""),
    "alg HS256": compact({**PLAIN, "alg": "HS256"}),
    "alg PS256": compact({**PLAIN, "alg": "PS256"}),
    "alg RS512": compact({**PLAIN, "alg": "RS512"}),
    "alg rs256": compact({**PLAIN, "alg": "rs256"}),
    "alg is a list": compact({**PLAIN, "alg": ["RS256"]}),
    "alg missing": compact({"typ": PLAIN["typ"], "x5c": [X5C]}),
    "typ JWT": compact({**PLAIN, "typ": "JWT"}),
    "typ is an object": compact({**PLAIN, "typ": {}}),
    "crit": compact({**PLAIN, "crit": ["exp"]}),
    "b64": compact({**PLAIN, "b64": False}),
    "jwk": compact({**PLAIN, "jwk": {}}),
    "x5u": compact({**PLAIN, "x5u": "https://thief.invalid"}),
    "x5c missing": compact({"alg": "RS256", "typ": PLAIN["typ"]}),
    "x5c empty": compact({**PLAIN, "x5c": []}),
    "x5c with nothing in it": compact({**PLAIN, "x5c": [""]}),
    "x5c of two": compact({**PLAIN, "x5c": [X5C, X5C]}),
    "x5c is a text": compact({**PLAIN, "x5c": X5C}),
    "x5c holds a number": compact({**PLAIN, "x5c": [5]}),
    "x5c in base64url": compact({**PLAIN, "x5c": [base64.urlsafe_b64encode(b"\xff\xfe\xfd").decode()]}),
    "x5c not padded": compact({**PLAIN, "x5c": [X5C.rstrip("=")]}),
    "x5c with loose bits": compact({**PLAIN, "x5c": [X5C[:-2] + "V="]}),
    "x5c with a line break": compact({**PLAIN, "x5c": [X5C[:4] + "\n" + X5C[4:]]}),
    "x5c not ASCII": compact({**PLAIN, "x5c": ["証明書"]}),
    "alg twice": compact(json.dumps(PLAIN).encode()[:-1] + b', "alg": "none"}'),
    "claim twice": compact(payload=json.dumps(challenge().claims()).encode()[:-1] + b', "aud": "x"}'),
    "header is a list": compact([]),
    "header is no JSON": compact(b"header"),
    "header is no UTF-8": compact(b"\xff"),
    "header in UTF-16": compact(json.dumps(PLAIN).encode("utf-16")),
    "header with a byte order mark": compact(json.dumps(PLAIN).encode("utf-8-sig")),
    "header is nested": compact(b'{"a":' * 1500 + b"1" + b"}" * 1500),
    "payload is nothing": compact(payload=b""),
    "payload is a list": compact(payload=b"[]"),
    "header padded": f"{HEAD}=.{BODY}.c2ln",
    "signature padded": f"{HEAD}.{BODY}.c2lnYQ==",
    "signature with loose bits": f"{HEAD}.{BODY}.c2lnYR",
    "signature of an impossible length": f"{HEAD}.{BODY}.c2lna",
    "signature in base64": f"{HEAD}.{BODY}.+/+/",
    "signature with a blank": f"{HEAD}.{BODY}.c2 ln",
    "line break at the end": GOOD + "\n",
    "not ASCII": f"{HEAD}.{BODY}.署名",
    "digits of another script": GOOD.replace("c2ln", "c２ln"),
    "a zero byte": f"{GOOD}\0",
    "huge": f"{HEAD}.{BODY}." + "A" * MAX_PROOF_CHARS,
    "many dots": "." * 10_000,
}


@pytest.mark.parametrize("wrong", WRONG_PROOFS.values(), ids=WRONG_PROOFS.keys())
def test_hostile_proofs(wrong: str) -> None:
    with pytest.raises(DecodeError) as caught:
        AuthenticationProof.parse(wrong)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("read", [AuthenticationProof.parse, Challenge.from_json])
def test_any_text_gives_a_typed_error(read: Callable[[str], object]) -> None:
    @given(st.text(max_size=200) | st.text(".eyJ", max_size=50))
    def try_it(text: str) -> None:
        with pytest.raises(DecodeError):
            read(text)

    try_it()


@given(st.data())
def test_a_damaged_proof_is_another_proof_or_none(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(GOOD) - 1))
    damaged = GOOD[:at] + data.draw(st.sampled_from("ABCxyz019-_.=")) + GOOD[at + 1 :]
    try:
        parsed = AuthenticationProof.parse(damaged)
    except DecodeError:
        return
    assert parsed.compact() == damaged
