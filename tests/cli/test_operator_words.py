"""What an operator reads: times as on paper, when a certificate was revoked, and mistakes in the session's language."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.commandline import Cli
from kojin_card.cli.console import Console
from kojin_card.cli.verdicts import evidence_words
from kojin_card.cli.wording import moment
from kojin_card.testing import verdict_document

NOW = datetime.now(UTC).replace(microsecond=0)
SIGNED = NOW - timedelta(minutes=1)  # as the document claims
PEM = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Documents and the files of a hasty operator."""
    for document in ("passed.xml.xades", "revocation.revoked.pdf", "passed.pdf", "passed.cms"):
        made = verdict_document(document, now=NOW)
        (tmp_path / document).write_bytes(made.data)
        (tmp_path / f"{document}.lists").mkdir()
        for name, data in (made.lists or {}).items():
            (tmp_path / f"{document}.lists" / name).write_bytes(data)
    (tmp_path / "text.txt").write_text("hello\n", "utf-8")
    (tmp_path / "two.pem").write_text(PEM, "utf-8")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(("lang", "words"), [("ja", "（{} に失効）"), ("en", "(revoked at {})")])
def test_since_when_a_certificate_is_revoked(cli: Cli, kept: Path, lang: str, words: str) -> None:
    line = ("verify", "pdf", "revocation.revoked.pdf", "--revocation", "revocation.revoked.pdf.lists")
    run = cli(*line, "--trust", "simulator", "--report", "r.html", "--lang", lang)
    assert run.exit == 21
    said = words.format(moment(NOW - timedelta(days=1), lang))
    assert re.sub(r"\s+", "", said) in re.sub(r"\s+", "", run.out)
    assert said in (kept / "r.html").read_text("utf-8")


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_times_are_those_of_japan(cli: Cli, kept: Path, lang: str) -> None:
    line = ("verify", "xml", "passed.xml.xades", "--revocation", "passed.xml.xades.lists", "--trust", "simulator")
    label = {"ja": "署名時刻（未証明）", "en": "Signing time as claimed"}[lang]
    run = cli(*line, "--lang", lang, "--report", "r.html")
    assert run.exit == 0
    row = next(row for row in run.out.splitlines() if label in row)
    assert moment(SIGNED, lang) in row
    assert moment(SIGNED, lang) in (kept / "r.html").read_text("utf-8")
    assert f"{SIGNED:%Y-%m-%dT%H:%M:%SZ}" in cli(*line, "--json").out  # as of a CMS message


def test_a_time_that_japan_does_not_reach_is_shown_as_it_is() -> None:
    console = Console(lang="ja")
    assert evidence_words("claimed_signing_time", "9999-12-31T23:59:59Z", console) == ""
    assert evidence_words("claimed_signing_time", "2026-11-24T03:00:00Z", console) == "2026年11月24日 12:00:00 (JST)"
    assert evidence_words("existed_at", "yesterday", console) == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("verify", "xml", "passed.pdf"), "passed.pdf は PDF です。verify pdf "),
        (("verify", "xml", "passed.cms"), "passed.cms は XML ではありません。"),
        (("verify", "pdf", "passed.xml.xades"), "passed.xml.xades は XML です。verify xml "),
        (("verify", "cms", "passed.xml.xades"), "passed.xml.xades は XML です。verify xml "),
    ],
)
def test_a_document_of_another_kind_is_named(cli: Cli, kept: Path, line: tuple[str, ...], words: str) -> None:
    run = cli(*line, "--trust", "simulator", "--lang", "ja")
    assert run.exit == 20
    assert words in run.err


def test_a_good_document_gets_no_hint(cli: Cli, kept: Path) -> None:
    line = ("verify", "xml", "passed.xml.xades", "--revocation", "passed.xml.xades.lists", "--trust", "simulator")
    assert cli(*line, "--lang", "ja").err == ""


@pytest.mark.parametrize(
    "line",
    [
        ("verify", "pdf", "passed.pdf", "--ocsp", "none.toml"),
        ("verify", "pdf", "passed.pdf", "--tsa", "two.pem"),
        ("verify", "pdf", "passed.pdf", "--tsa", "none.pem"),
        ("verify", "pdf", "passed.pdf", "--evidence", "text.txt"),
        ("verify", "pdf", "passed.pdf", "--evidence-profile", "minimal"),
        ("verify", "pdf", "passed.pdf", "--report", "-"),
        ("verify", "pdf", "passed.pdf", "--grace", "tomorrow"),
        ("revocation", "add", "text.txt"),
        ("revocation", "add", "empty"),
        ("revocation", "add", "two.pem"),
        ("revocation", "add", "passed.pdf"),
        ("revocation", "add", "passed.cms"),
        ("revocation", "prune", "--cited", "none"),
    ],
)
def test_mistakes_are_told_in_japanese(cli: Cli, kept: Path, line: tuple[str, ...]) -> None:
    run = cli(*line, "--lang", "ja")
    assert run.exit in (2, 10)
    detail = next(row for row in run.err.splitlines() if row.startswith("詳細: ")).removeprefix("詳細: ")
    assert re.search("[ぁ-ん]", detail), detail


def test_a_length_of_time_is_shown(cli: Cli, kept: Path) -> None:
    assert "24h" in cli("verify", "pdf", "passed.pdf", "--grace", "tomorrow", "--lang", "ja").err


def test_a_report_that_is_there_is_not_a_matter_of_another_option(cli: Cli, kept: Path) -> None:
    run = cli("verify", "pdf", "passed.pdf", "--report", "text.txt", "--lang", "ja")
    assert run.exit == 2
    assert "-o" not in run.err
    assert "--force" in run.err
