"""The next card's tables and files: profiles, the spec's scheme, the key pool, card files."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from issued import HANAKO
from kojin_card.authn import AuthenticationProof, Challenge
from kojin_card.errors import DecodeError, InputError, SpecError, UsageError
from kojin_card.pki.profile import Purpose, Store, load_profiles
from kojin_card.pki.revocation import Crl
from kojin_card.pki.trust import TrustStore
from kojin_card.simulator import CardState, SoftCard, cardformat, make_card
from kojin_card.simulator.ec_engine import EcEngine
from kojin_card.simulator.keypool import KeyPool, PooledEcKey, generate, generate_ec
from kojin_card.simulator.lists import revocation_lists
from kojin_card.simulator.persona_file import load_persona
from kojin_card.simulator.state import EcPrivateKey
from kojin_card.simulator.testpki import TestPki
from kojin_card.spec import EvidenceLevel, load_application, load_card_spec

ROOT = Path(__file__).resolve().parents[2]
POOL = (ROOT / "fixtures" / "pki" / "keys.toml").read_text("utf-8")
DECLARATION = (ROOT / "fixtures" / "pki" / "simulator.toml").read_text("utf-8")
JPKI = (ROOT / "applets_spec" / "jpki.toml").read_text("utf-8")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973


@cache
def state() -> CardState:
    return make_card("next_card", now=NOW)


# --- profiles ---------------------------------------------------------------------------------------------------------


def test_todays_profile_comes_first_and_the_next_one_is_the_simulators_alone() -> None:
    known = load_profiles()
    for purpose in Purpose:
        today, coming = known.of(purpose)
        assert (today.key.algorithm, today.hash, today.years) == ("rsa", "sha256", 5)
        assert (coming.key.algorithm, coming.key.bits, coming.hash, coming.years) == ("ec", 384, "sha384", 10)
        assert set(coming.policies) == {Store.SIMULATOR}
        assert known.of(purpose, Store.PRODUCTION) == (today,)
        assert known.named(purpose) == today
        assert known.named(purpose, coming.id) == coming
        with pytest.raises(UsageError):
            known.named(purpose, "signature_2040")
    assert known.signature_algorithms(Store.PRODUCTION) == {"1.2.840.113549.1.1.11"}
    assert known.signature_algorithms(Store.JLIS_TEST) == {"1.2.840.113549.1.1.11"}
    assert known.signature_algorithms(Store.SIMULATOR) == {"1.2.840.113549.1.1.11", "1.2.840.10045.4.3.3"}


TODAY, NEXT = "1.2.392.200149.8.5.1.1.20", "2.999.392.2028.1"


@pytest.mark.parametrize(
    ("store", "policies", "algorithm", "wanted"),
    [
        (Store.SIMULATOR, (TODAY,), "rsa", "signature"),
        (Store.SIMULATOR, (NEXT,), "ec", "signature_next"),
        (Store.SIMULATOR, (TODAY,), "ec", "signature"),  # the policy decides; the key then fails
        (Store.SIMULATOR, (NEXT,), "rsa", "signature_next"),
        (Store.SIMULATOR, (NEXT, TODAY), "ec", "signature_next"),  # two policies are nobody's: the key decides
        (Store.SIMULATOR, (NEXT, TODAY), "rsa", "signature"),
        (Store.SIMULATOR, None, "ec", "signature_next"),
        (Store.SIMULATOR, ("1.2.3",), "1.3.101.112", "signature"),
        (Store.PRODUCTION, (NEXT,), "ec", "signature"),
        (Store.PRODUCTION, (TODAY,), "ec", "signature"),
        (Store.JLIS_TEST, (NEXT,), "ec", "signature"),
    ],
)
def test_which_profile_judges(store: Store, policies: tuple[str, ...] | None, algorithm: str, wanted: str) -> None:
    chosen = load_profiles().select(Purpose.SIGNATURE, store, policies=policies, algorithm=algorithm)
    assert chosen.id == wanted


def test_a_store_that_has_no_policy_for_a_purpose_still_has_a_profile_to_fail_by() -> None:
    chosen = load_profiles().select(Purpose.AUTHENTICATION, Store.JLIS_TEST, policies=None, algorithm="ec")
    assert (chosen.id, chosen.policies.get(Store.JLIS_TEST)) == ("authentication", None)


# --- the spec ---------------------------------------------------------------------------------------------------------


def test_the_scheme_is_an_assumption_and_for_that_kind_of_key_only() -> None:
    spec = load_card_spec()["jpki"]
    scheme = spec.schemes["ecdsa"]
    assert (scheme.algorithm, scheme.p1, scheme.minimum, scheme.maximum) == ("ec", 2, 48, 48)
    assert scheme.evidence.level is EvidenceLevel.ASSUMPTION
    assert {one.id for one in spec.schemes.values() if one.algorithm == "ec"} == {"ecdsa"}
    for key in ("auth_key", "sign_key"):
        assert spec.keys[key].schemes[0] == "verbatim"
        assert spec.keys[key].evidence.level is EvidenceLevel.PUBLIC


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('algorithm = "ec"', 'algorithm = "dsa"'),
        ('algorithm = "ec"\n', ""),  # then P1 02 would mean two things
        ('algorithm = "ec"\nhashes = false', 'algorithm = "ec"\nhashes = true'),
        ('algorithm = "ec"\nhashes = false\nwrap = "none"', 'algorithm = "ec"\nhashes = false\nwrap = "pss"'),
    ],
)
def test_a_scheme_that_cannot_be_is_refused(old: str, new: str) -> None:
    assert old in JPKI
    with pytest.raises(SpecError):
        load_application(JPKI.replace(old, new, 1), "jpki.toml")


# --- the key pool and the test PKI ------------------------------------------------------------------------------------


def test_the_pools_keys_on_p384_are_good_and_two_of_them_the_cas() -> None:
    pool = KeyPool.load()
    assert [key.label for key in pool.ec_keys if key.use == "ca"] == ["ca-signature-3", "ca-authentication-3"]
    assert len({key.d for key in pool.ec_keys}) == len(pool.ec_keys) == 10
    for key in pool.ec_keys:
        assert pool.ec_key(key.label).curve.name == "secp384r1"
        assert pool.ec_key(key.label) is pool.ec_key(key.label)
        with pytest.raises(UsageError):
            pool.key(key.label)
    with pytest.raises(UsageError):
        pool.ec_key("persona-01")


def test_a_persona_gets_the_same_key_on_p384_each_time() -> None:
    pool = KeyPool.load()
    labels = [pool.label_for("hanako", role, PooledEcKey) for role in pool.roles]
    assert len(set(labels)) == len(pool.roles)
    assert all(label.startswith("persona-ec-") for label in labels)
    assert pool.ec_for_persona("hanako", "signature") is pool.ec_key(labels[0])
    fresh = pool.ec_for_persona("hanako", "signature", fresh=True)
    assert fresh.private_numbers().private_value not in {key.d for key in pool.ec_keys}
    assert str(pool.ec_keys[0].d) not in repr(pool.ec_keys)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('use = "ca"\nd = "', 'use = "ca"\np = "'),
        ('use = "ca"\nd = "', 'use = "ca"\nd = "00'),
        ('use = "ca"\nd = "', f'use = "ca"\nq = "1"\nd = "{"0" * 95}1"\n# "'),
        ('use = "ca"\nd = "', f'use = "ca"\nd = "{"0" * 96}"\n# "'),
        ('use = "ca"\nd = "', f'use = "ca"\nd = "{ORDER:096x}"\n# "'),
        ('use = "ca"\nd = "', f'use = "ca"\nd = "{"A" * 96}"\n# "'),
        ("persona-ec-01", "persona-01"),
        ('label = "persona-ec-01"\nuse = "persona"', 'label = "persona-ec-01"\nuse = "municipality"'),
    ],
)
def test_a_wrong_pool_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "keys.toml"
    text = POOL.replace(old, new, 1)
    if "municipality" in new:  # six of eight are fewer than there are roles
        text = text.replace('label = "persona-ec-02"\nuse = "persona"', 'label = "persona-ec-02"\nuse = "municipality"')
    assert text != POOL
    path.write_text(text, "utf-8")
    with pytest.raises(SpecError):
        KeyPool.load(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [('key = "ca-signature-3"', 'key = "ca-signature-3x"'), ('profile = "signature_next"\n', "")],
    ids=["no such key", "a key on P-384 for today's profile"],
)
def test_a_ca_has_a_key_of_its_profiles_kind(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "pki.toml"
    path.write_text(DECLARATION.replace(old, new), "utf-8")
    with pytest.raises(SpecError):
        _ = TestPki.load(path).cas


def test_who_issues_depends_on_the_profile() -> None:
    pki = TestPki.load()
    for purpose in Purpose:
        assert pki.ca(purpose, NOW).generation == 2
        assert pki.ca(purpose, NOW, f"{purpose}_next").generation == 3
        with pytest.raises(UsageError):
            pki.ca(purpose, NOW, "nothing")
    arguments: dict[str, Any] = {"issued_at": NOW, "serial": 5, "municipality": "13113"}
    for key in (generate().public_key(), ec.derive_private_key(7, ec.SECP256R1()).public_key()):
        with pytest.raises(UsageError, match="P-384"):
            pki.issue(Purpose.SIGNATURE, HANAKO, key, profile="signature_next", **arguments)
    with pytest.raises(UsageError, match="RSA-2048"):
        pki.issue(Purpose.SIGNATURE, HANAKO, generate_ec().public_key(), **arguments)
    key = pki.pool.ec_key("persona-ec-01").public_key()
    by_generation = pki.issue(Purpose.SIGNATURE, HANAKO, key, generation=3, **arguments)
    assert by_generation == pki.issue(Purpose.SIGNATURE, HANAKO, key, profile="signature_next", **arguments)
    with pytest.raises(UsageError, match="another profile"):
        pki.issue(Purpose.SIGNATURE, HANAKO, key, profile="signature_next", generation=2, **arguments)


# --- the card ---------------------------------------------------------------------------------------------------------


def test_the_same_card_each_time_with_both_kinds_of_keys() -> None:
    assert make_card("next_card", now=NOW) == state()
    for name in ("auth_key", "sign_key"):
        key = state().key("jpki", name)
        assert isinstance(key.private_ec, EcPrivateKey)
        assert key.private is None
        assert str(key.private_ec.d) not in repr(key)
    assert state().key("jpki", "auth_key") != state().key("jpki", "sign_key")
    assert state().key("common", "internal_authentication").private is not None


def test_a_card_file_keeps_a_key_on_p384(tmp_path: Path) -> None:
    path = tmp_path / "next.card"
    SoftCard.create(path, state()).close()
    assert cardformat.load(path.read_bytes(), load_card_spec(), "next.card") == state()
    assert json.loads(path.read_bytes())["version"] == 1  # today's cards are written and read as before


KEYS = ("applications", "jpki", "keys")


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"d": ""},
        {"d": "00"},
        {"d": "00" * 48},
        {"d": f"{ORDER:096x}"},
        {"d": "zz" * 48},
        {"d": 7},
        {"d": "01" * 49},
        {"d": "01" * 48, "p": "01" * 128, "q": "01" * 128},
        {"d": "01" * 48, "secret": "1234"},
    ],
    ids=str,
)
def test_a_damaged_key_is_refused(key: dict[str, Any]) -> None:
    card = json.loads(cardformat.dump(state()))
    card["applications"]["jpki"]["keys"]["sign_key"] = key
    with pytest.raises(InputError) as caught:
        cardformat.load(json.dumps(card).encode(), load_card_spec(), "next.card")
    assert "0101" not in str(caught.value)


def test_the_engine_signs_48_bytes_only() -> None:
    engine = EcEngine(7)
    assert len(engine.sign(bytes(48))) == engine.size == 96
    assert engine.sign(bytes(48)) == EcEngine(7).sign(bytes(48))
    for size in (0, 32, 47, 49, 64):
        with pytest.raises(ValueError, match=r".*"):
            engine.sign(bytes(size))
    for scalar in (0, ORDER):
        with pytest.raises(ValueError, match=r".*"):
            EcEngine(scalar)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('signature = "signature_next"', 'signature = "authentication_next"'),
        ('signature = "signature_next"', 'signature = "signature_2040"'),
        ('signature = "signature_next"', 'payment = "signature_next"'),
        ('signature = "signature_next"', "signature = 2028"),
    ],
)
def test_a_wrong_profile_of_a_card_is_refused(tmp_path: Path, old: str, new: str) -> None:
    source = ROOT / "fixtures" / "personas"
    (tmp_path / "profiles").mkdir()
    (tmp_path / "images").symlink_to(source / "images")
    (tmp_path / "next_card.toml").write_text((source / "next_card.toml").read_text("utf-8"), "utf-8")
    text = (source / "profiles" / "next_card.toml").read_text("utf-8")
    assert old in text
    (tmp_path / "profiles" / "next_card.toml").write_text(text.replace(old, new), "utf-8")
    with pytest.raises(SpecError):
        load_persona("next_card", tmp_path)


def test_the_persona_says_what_it_rests_on() -> None:
    who = load_persona("next_card")
    assert who.profile is not None
    assert who.profile.evidence.level is EvidenceLevel.ASSUMPTION
    assert {purpose: profile.id for purpose, profile in who.profile.certificates.items()} == {
        Purpose.SIGNATURE: "signature_next",
        Purpose.AUTHENTICATION: "authentication_next",
    }
    assert len(set(who.pins.values())) == 2  # four PINs become two
    today = load_persona("adult").profile
    assert today is not None
    assert {profile.key.algorithm for profile in today.certificates.values()} == {"rsa"}


def test_its_lists_are_those_of_the_ca_that_its_certificates_name() -> None:
    """Also when another persona got this kind of card: what counts is the certificate, not the persona's profile."""
    pki, later = TestPki.load(), NOW + timedelta(hours=1)
    anchors = {anchor.name: anchor for anchor in TrustStore.load(Store.SIMULATOR).anchors}
    adult = load_persona("adult")
    for who, card, generation in (
        (load_persona("next_card"), state(), 3),
        (adult, make_card(replace(adult, profile=load_persona("next_card").profile), now=NOW), 3),
        (adult, make_card(adult, now=NOW), 2),
    ):
        for purpose, data in revocation_lists(who, card, now=later, pki=pki).items():
            assert Crl.parse(data).signed_by(anchors[pki.ca_of(purpose, generation).label])


# --- proofs -----------------------------------------------------------------------------------------------------------


def test_a_proof_says_its_algorithm() -> None:
    challenge = Challenge.new("https://bank.invalid", "log in", now=NOW, random=bytes)
    for name in ("RS256", "ES384"):
        proof = AuthenticationProof.make(challenge, b"certificate", lambda _: b"signature", algorithm=name)
        assert AuthenticationProof.parse(proof.compact()) == proof
        assert proof.algorithm == name
    for name in ("none", "HS256", "ES256", "rs256", ""):
        with pytest.raises(DecodeError):
            AuthenticationProof.make(challenge, b"certificate", lambda _: b"signature", algorithm=name)
    assert replace(proof, algorithm="RS256").compact() == proof.compact()  # the text is what counts
