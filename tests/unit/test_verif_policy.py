"""``policy_sha256``: the same for the same rules and trust, on any machine; else another (docs/verdicts.md)."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import kojin_card
from attacks import tsa
from attacks.forge import NOW, Cms, Good, Pdf, certificate, crl, verifier
from kojin_card.pki.crl_store import CrlMemory
from kojin_card.pki.ocsp import NonceRule, Rules
from kojin_card.pki.ocsp_source import Combined, OcspSettings, OcspSource, Responder
from kojin_card.pki.operator_source import OperatorSource
from kojin_card.pki.tsa import TsaStore
from kojin_card.verdict import REASONS, CheckId, Verdict
from kojin_card.verification import MemoryChallengeStore, Verifier, policy
from support import ROOT


def digest(judging: Verifier) -> str:
    return judging.verify_cms(Cms().build()).evidence["policy_sha256"]


def every(verdict: Verdict) -> list[Verdict]:
    return [verdict, *(one for part in (*verdict.parts, *verdict.timestamps) for one in every(part))]


def test_every_verdict_names_engine_and_policy() -> None:
    judging = verifier()
    two = Cms().build(Cms(by_key_id=True).signer())
    verdicts = [
        judging.verify_cms(Cms().build(), timestamps=[b"rubbish"]),
        judging.verify_cms(b"rubbish"),
        judging.verify_cms(two),
        judging.verify_pdf(Pdf().build()),
        judging.verify_raw(b"", b"", certificate()),
        judging.verify_proof("", MemoryChallengeStore(), audience="x"),
        judging.certificate_status(certificate()),
    ]
    found = [one.evidence for verdict in verdicts for one in every(verdict)]
    assert len(found) == 10
    assert {one["policy_sha256"] for one in found} == {judging.policy_sha256}
    assert {one["engine"] for one in found} == {f"kojin_card.verification {kojin_card.__version__}"}


def test_a_card_and_a_licence_name_theirs() -> None:
    from attacks import fakes
    from kojin_card.verification import judge_licence

    card = fakes.check(fakes.made())
    licence = judge_licence(b"", b"", None, now=NOW)
    digests = {one.evidence["policy_sha256"] for verdict in (card, licence) for one in every(verdict)}
    assert len(digests) == 2
    assert all(len(one) == 64 for one in digests)


def test_it_is_what_the_documentation_says() -> None:
    """Computed here from the description alone, with no code of the policy."""
    profiles = files("kojin_card.pki").joinpath("data", "profiles.toml").read_text("utf-8")
    judging = Verifier.for_store("simulator", CrlMemory([], max_age=timedelta(hours=6)), now=lambda: NOW)
    described = {
        "form": "kojin-card-policy/1",
        "tables": {
            "reasons": {name: [str(one.indication), str(one.sub_indication)] for name, one in REASONS.items()},
            "checks": [str(check) for check in CheckId],
            "profiles": hashlib.sha256("\n".join(profiles.splitlines()).encode()).hexdigest(),
            "algorithms": ["ECDSA P-384 SHA-384", "RSASSA-PKCS1-v1_5 SHA-256"],
            "rsa": [2048, 4096, 65537],
        },
        "store": "simulator",
        "anchors": sorted(f"{anchor.purpose}:{anchor.sha256.hex()}" for anchor in judging.trust.anchors),
        "tsa": None,
        "revocation": {"source": "kojin_card.pki.crl_store.CrlMemory", "max_age": "21600s"},
        "settings": {"clock_skew": "300s", "grace": "none"},
    }
    text = json.dumps(described, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert digest(judging) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("seed", ["0", "1", "424242"])
def test_it_is_the_same_in_every_process(seed: str) -> None:
    code = (
        "from kojin_card.verification import Verifier\n"
        "print(Verifier.for_store('simulator').verify_cms(b'').evidence['policy_sha256'])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "src"), "TZ": "Asia/Tokyo"}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert said.stdout.strip() == Verifier.for_store("simulator").verify_cms(b"").evidence["policy_sha256"]


class Configured(Good):
    """A source with a setting of its own."""

    def __init__(self, **settings: str) -> None:
        self.settings = settings

    def policy(self) -> dict[str, str]:
        return self.settings


class Broken(Good):
    def policy(self) -> dict[str, str]:
        raise RuntimeError("no settings today")


def responders(*, url: str = "http://ocsp.example/", more: dict[str, Any] | None = None, **rules: Any) -> OcspSource:
    """A source that is set up and never asked."""
    settings = OcspSettings({bytes(20): Responder(url, Rules(**rules))}, **(more or {}))
    return OcspSource(settings, transport=lambda *_: b"")  # type: ignore[arg-type]


def test_whatever_may_change_an_answer_changes_it() -> None:
    others = [
        verifier(),
        Verifier.for_store("simulator", None, now=lambda: NOW),
        Verifier.for_store("production", Good(), now=lambda: NOW),
        Verifier.for_store("jlis-test", Good(), now=lambda: NOW),
        verifier(CrlMemory([])),
        verifier(CrlMemory([], max_age=timedelta(hours=6))),
        verifier(Configured(responders="a")),
        verifier(Configured(responders="b")),
        verifier(Broken()),
        verifier(responders()),
        verifier(responders(nonce=NonceRule.OPTIONAL)),
        verifier(responders(url="http://other.example/")),
        verifier(OperatorSource("Example Platform", lambda _: None)),  # type: ignore[arg-type]
        verifier(OperatorSource("Other Platform", lambda _: None)),  # type: ignore[arg-type]
        verifier(responders(hash="sha1")),
        verifier(responders(no_check=False)),
        verifier(responders(max_age=timedelta(days=30))),
        verifier(responders(max_age=timedelta(days=30, seconds=1))),
        verifier(responders(skew=timedelta(seconds=121))),
        verifier(responders(more={"reuse": timedelta()})),
        verifier(responders(more={"aia": frozenset({"http://ocsp.example/"})})),
        verifier(responders(more={"aia": frozenset({"http://ocsp.example/"}), "aia_rules": Rules(no_check=False)})),
        verifier(OperatorSource("Example Platform", lambda _: None, max_age=timedelta(hours=1))),  # type: ignore[arg-type]
        verifier(CrlMemory([], max_age=timedelta(days=30))),
        verifier(CrlMemory([], max_age=timedelta(days=30, seconds=1))),
        verifier(Combined(CrlMemory([]), responders())),
        verifier(Combined(responders(), CrlMemory([]))),
        verifier(Combined(CrlMemory([]), responders(url="http://other.example/"))),
        Verifier(verifier().trust, Good(), lambda: NOW, grace=timedelta(hours=24)),
        Verifier(verifier().trust, Good(), lambda: NOW, grace=timedelta(days=30)),
        Verifier(verifier().trust, Good(), lambda: NOW, grace=timedelta(days=30, seconds=1)),
        Verifier(verifier().trust, Good(), lambda: NOW, tsa=TsaStore(())),
        Verifier(verifier().trust, Good(), lambda: NOW, tsa=TsaStore.of([tsa.root()])),
        Verifier(verifier().trust, Good(), lambda: NOW, tsa=TsaStore.of([tsa.root(), tsa.authority()])),
    ]
    fewer = verifier().trust
    others.append(Verifier(type(fewer)(fewer.store, fewer.anchors[:-1]), Good(), lambda: NOW))
    digests = [digest(one) for one in others]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda: verifier(CrlMemory([crl()])), id="lists"),
        pytest.param(lambda: verifier(CrlMemory([]), now=NOW - timedelta(days=9)), id="the clock"),
    ],
)
def test_what_is_evidence_of_one_case_does_not(other: Any) -> None:
    assert digest(other()) == digest(verifier(CrlMemory([])))


def test_lists_of_authorities_are_evidence_too() -> None:
    one, other = TsaStore.of([tsa.root()]), TsaStore.of([tsa.root()], [tsa.tsa_list()])
    trust = verifier().trust
    assert digest(Verifier(trust, Good(), lambda: NOW, tsa=one)) == digest(
        Verifier(trust, Good(), lambda: NOW, tsa=other)
    )


def test_a_table_that_changed_is_another_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    before = policy.digest({})
    changed = {**REASONS, "time.asserted": REASONS["time.contradicted"]}
    monkeypatch.setattr(policy, "REASONS", changed)
    policy._tables.cache_clear()
    try:
        assert policy.digest({}) != before
    finally:
        monkeypatch.undo()
        policy._tables.cache_clear()
    assert policy.digest({}) == before


def test_the_page_describes_the_form() -> None:
    page = (Path(ROOT) / "docs" / "verdicts.md").read_text("utf-8")
    assert f"`{policy.FORM}`" in page
