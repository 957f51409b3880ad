"""``verify`` with time-stamping authorities: what is shown of a token, used or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from attacks import tsa
from attacks.forge import SERIAL, Cms, attributes, crl, key, oid, sign, tlv
from cli.commandline import Cli
from kojin_card.simulator.testpki import RevokedEntry

DAY = timedelta(days=1)


@pytest.fixture
def case(tmp_path: Path) -> tuple[Path, str, str]:
    """A message that was stamped two days before its certificate was revoked; --revocation and --tsa beside it."""
    now = datetime.now(UTC).replace(microsecond=0)
    begin, end = now - 30 * DAY, now + 30 * DAY
    root = tsa.issue("root", "root", ca=True, begin=begin, end=end)
    leaf = tsa.issue("tsa", "root", begin=begin, end=end)
    value = sign(key(), tlv(0x31, b"".join(attributes(Cms().content))))
    token = tsa.Token(value, certificate=leaf, moment=now - 3 * DAY).build()
    attribute = tlv(0x30, oid("1.2.840.113549.1.9.16.2.14"), tlv(0x31, token))
    (tmp_path / "stamped.p7s").write_bytes(Cms(unsigned=tlv(0xA1, attribute)).build())
    (tmp_path / "plain.p7s").write_bytes(Cms().build())
    (tmp_path / "token.tst").write_bytes(token)
    for folder in ("lists", "tsa"):
        (tmp_path / folder).mkdir()
    revoked = crl([RevokedEntry(SERIAL, now - DAY, "keyCompromise")], at=now - timedelta(hours=1))
    (tmp_path / "lists" / "one.crl").write_bytes(revoked)
    (tmp_path / "tsa" / "root.pem").write_bytes(x509.load_der_x509_certificate(root).public_bytes(Encoding.PEM))
    (tmp_path / "tsa" / "root.crl").write_bytes(tsa.tsa_list(begin=now - DAY, end=now + DAY))
    return tmp_path, str(tmp_path / "lists"), str(tmp_path / "tsa")


def test_a_token_proves_the_time_or_says_why_not(cli: Cli, case: tuple[Path, str, str]) -> None:
    folder, lists, authorities = case
    common = ("--trust", "simulator", "--revocation", lists, "--json")
    run = cli("verify", "cms", folder / "stamped.p7s", "--tsa", authorities, *common)
    (result,) = run.json("verdicts")["results"]
    assert (run.exit, result["time_basis"]) == (0, "timestamp")
    assert result["timestamps"][0]["store"] == "given-tsa"
    assert result["timestamps"][0]["evidence"]["existed_at"]
    for arguments, why in (((), "chain.empty_store"), (("--tsa", f"{authorities}/root.pem"), "revocation.no_source")):
        run = cli("verify", "cms", folder / "stamped.p7s", *arguments, *common)
        (result,) = run.json("verdicts")["results"]
        assert (run.exit, result["reasons"]) == (21, ["revocation.revoked"])
        assert result["timestamps"][0]["reasons"] == [why]


def test_a_token_beside_the_signature(cli: Cli, case: tuple[Path, str, str]) -> None:
    folder, lists, authorities = case
    common = ("--trust", "simulator", "--revocation", lists, "--tsa", authorities)
    assert cli("verify", "cms", folder / "plain.p7s", *common).exit == 21
    assert cli("verify", "cms", folder / "plain.p7s", "--timestamp", folder / "token.tst", *common).exit == 0
    assert cli("verify", "cms", folder / "plain.p7s", "--timestamp", folder / "none.tst", *common).exit == 10
    assert cli("verify", "cms", folder / "plain.p7s", "--tsa", folder / "token.tst", *common).exit == 10


@pytest.mark.parametrize(
    ("lang", "words"), [("ja", "タイムスタンプで証明された時点"), ("en", "proved by a time-stamp")]
)
def test_people_are_told(cli: Cli, case: tuple[Path, str, str], lang: str, words: str) -> None:
    folder, lists, authorities = case
    common = ("--trust", "simulator", "--revocation", lists, "--lang", lang)
    said = cli("verify", "cms", folder / "stamped.p7s", "--tsa", authorities, *common)
    assert words in said.out
    assert {"ja": "タイムスタンプ 1", "en": "Time-stamp 1"}[lang] in said.out
    assert {"ja": "証拠になります", "en": "existed by then"}[lang] in said.out
    unused = cli("verify", "cms", folder / "stamped.p7s", *common).out
    assert words not in unused
    assert "--tsa" in unused


def test_a_good_token_does_not_make_a_bad_signature_look_good(cli: Cli, case: tuple[Path, str, str]) -> None:
    folder, lists, authorities = case
    data = (folder / "stamped.p7s").read_bytes()
    (folder / "bad.p7s").write_bytes(data.replace(Cms().content, Cms().content.upper()))
    common = ("--trust", "simulator", "--revocation", lists, "--tsa", authorities, "--lang", "en")
    run = cli("verify", "cms", folder / "bad.p7s", *common)
    assert run.exit == 20
    assert "A good time-stamp" in run.out
    assert "TOTAL_PASSED" not in run.out
