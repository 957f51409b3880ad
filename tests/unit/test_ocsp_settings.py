"""The file of responders for ``--ocsp``: read strictly, addresses bounded, CAs by key."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from kojin_card.errors import InputError, MissingExtra, SpecError
from kojin_card.pki.fetch import Limits
from kojin_card.pki.ocsp import NonceRule, Rules
from kojin_card.pki.ocsp_source import OcspSettings, OcspSource
from kojin_card.pki.trust import TrustStore
from kojin_card.verification import Verifier
from kojin_card.verification.serials import read_rows
from support import ROOT

STORE = TrustStore.load("simulator")
KEY_ID = STORE.anchors[0].key_id.hex()
ROW = f'[[responder]]\nissuer = "{KEY_ID}"\nurl = "http://ocsp.invalid/"\n'


def parse(text: str) -> OcspSettings:
    return OcspSettings.parse(text, "x.toml", STORE)


def test_a_minimal_file_has_the_strict_rules() -> None:
    found = parse("schema = 1\n" + ROW)
    (responder,) = found.responders.values()
    assert list(found.responders) == [bytes.fromhex(KEY_ID)]
    assert responder.rules == Rules()
    assert (Rules().nonce, Rules().no_check, found.environment_proxy) == (NonceRule.REQUIRED, True, False)
    assert found.addresses() == {"http://ocsp.invalid/"}


def test_every_setting() -> None:
    text = (
        'schema = 1\nreuse_minutes = 0\ntimeout_seconds = 2\nenvironment_proxy = true\naia = ["http://b.invalid"]\n'
        '[aia_rules]\nnonce = "optional"\n'
        f'{ROW}cert_id = "sha1"\nnonce = "none"\nmax_age_minutes = 30\nskew_seconds = 10\nno_check = false\n'
    )
    found = parse(text)
    assert (found.reuse, found.limits.total, found.environment_proxy) == (timedelta(0), 2.0, True)
    assert found.aia_rules == Rules(nonce=NonceRule.OPTIONAL)
    assert found.addresses() == {"http://ocsp.invalid/", "http://b.invalid"}
    rules = Rules("sha1", NonceRule.NONE, timedelta(minutes=30), timedelta(seconds=10), no_check=False)
    assert next(iter(found.responders.values())).rules == rules


@pytest.mark.parametrize(
    "text",
    [
        "",
        "schema = 1\n",
        "schema = 2\n" + ROW,
        "schema = 1\nproxy = 'x'\n" + ROW,
        "schema = 1\n" + ROW + ROW,
        "schema = 1\n" + ROW + "hash = 'sha1'\n",
        "schema = 1\n" + ROW + "cert_id = 'md5'\n",
        "schema = 1\n" + ROW + "nonce = 'maybe'\n",
        "schema = 1\n" + ROW + "no_check = 0\n",
        "schema = 1\n" + ROW + "max_age_minutes = -1\n",
        "schema = 1\ntimeout_seconds = 0\n" + ROW,
        "schema = 1\n" + ROW.replace("http", "file"),
        "schema = 1\n" + ROW.replace(KEY_ID, "00" * 20),
        "schema = 1\naia = ['ftp://x.invalid']\n",
        "\x00",
    ],
    ids=range(15),
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises((SpecError, InputError)):
        parse(text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        OcspSettings.load(tmp_path / "none", STORE)
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(SpecError):
        OcspSettings.load(tmp_path / "latin", STORE)


def test_without_httpx_it_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtra) as missing:
        OcspSource(parse("schema = 1\n" + ROW))
    assert missing.value.details["extra"] == "ocsp"
    assert "kojin-card[ocsp]" in missing.value.remedy("en")


def test_httpx_is_loaded_only_when_somebody_is_asked() -> None:
    code = (
        "import sys, kojin_card.pki.ocsp_source, kojin_card.pki.operator_source, kojin_card.verification.serials; "
        "sys.exit('httpx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- the page that explains it ----------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "revocation-sources.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_the_pages_file_has_the_defaults_that_it_says() -> None:
    (text,) = blocks("toml")
    production = TrustStore.load("production")
    found = OcspSettings.parse(text, "x.toml", production)
    (responder,) = found.responders.values()
    assert (responder.rules, found.aia_rules, found.limits) == (Rules(), Rules(), Limits())
    plain = OcspSettings(found.responders)
    assert (found.reuse, found.aia, found.environment_proxy) == (plain.reuse, plain.aia, plain.environment_proxy)


def test_the_pages_programs_run() -> None:
    programs = blocks("python")
    assert len(programs) == 2
    for program in programs:
        space: dict[str, object] = {}
        exec(compile(program, "page", "exec"), space)  # noqa: S102  # our own page
        assert isinstance(space["verifier"], Verifier)


def test_the_pages_lines_of_serials_are_read() -> None:
    text = next(block for block in blocks("text") if block.startswith("id,issuer"))
    rows = list(read_rows(io.BytesIO(text.encode()), TrustStore.load("production")))
    assert [(row.id, row.problem) for row in rows] == [("customer-1", None), ("customer-2", None)]
    assert rows[1].reference is not None
    assert rows[1].reference.crl_scope is not None
