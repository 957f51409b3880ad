"""``--report``, ``--evidence`` and the title of a verdict, as the command line has them."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.commandline import PINS, PLANTED, Cli
from kojin_card.errors import DecodeError
from kojin_card.pki.crl_store import CrlFolder
from kojin_card.testing.documents import blank_pdf
from kojin_card.verification import EvidenceProfile, EvidenceRecord, Verifier, reverify

Card = Callable[..., Path]
ANSWER = re.compile(r"\s*(✓|OK)\W+TOTAL_PASSED")


@pytest.fixture
def signed(cli: Cli, card: Card, tmp_path: Path) -> Path:
    """A folder with a signed PDF and a tampered one, bare and detached signatures over it; the certificate."""
    path, secrets = card(), {"sign-password": PINS["sign"]}
    (tmp_path / "contract.pdf").write_bytes(blank_pdf(["amount 1,000,000"]))
    for words in (
        ("sign", "pdf", "contract.pdf", "-o", "s.pdf"),
        ("sign", "raw", "contract.pdf", "-o", "s.sig"),
        ("sign", "cms", "contract.pdf", "-o", "s.p7s", "--detached"),
        ("cert", "export", "sign", "-o", "c.pem"),
    ):
        assert cli("--simulator", path, *words, secrets=secrets).exit == 0
    (tmp_path / "t.pdf").write_bytes((tmp_path / "s.pdf").read_bytes().replace(b"1,000,000", b"9,000,000"))
    return tmp_path


@pytest.fixture
def judging(crls: Path) -> tuple[object, ...]:
    return ("--trust", "simulator", "--revocation", crls)


def records(folder: Path) -> list[EvidenceRecord]:
    paths = sorted((folder / "kept").iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    found = [EvidenceRecord.parse(path.read_bytes()) for path in paths]
    assert [record.name for record in found] == [path.name for path in paths]
    return found


# --- the report -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_several_files_make_one_page(cli: Cli, signed: Path, judging: tuple[object, ...], lang: str) -> None:
    run = cli("verify", "pdf", "s.pdf", "t.pdf", "none.pdf", *judging, "--report", "r.html", "--lang", lang)
    assert run.exit == 20
    assert "r.html" in run.err
    page = (signed / "r.html").read_text("utf-8")
    assert stat.S_IMODE((signed / "r.html").stat().st_mode) == 0o600
    assert f'<html lang="{lang}">' in page
    for words in ("s.pdf", "t.pdf", "none.pdf", "TOTAL_PASSED", "TOTAL_FAILED / HASH_FAILURE", "[digest.mismatch]"):
        assert words in page
    assert not [planted for planted in PLANTED if len(planted) > 4 and planted in page]


def test_every_judging_command_reports(cli: Cli, card: Card, signed: Path, judging: tuple[object, ...]) -> None:
    raw = ("raw", "s.sig", "--content", "contract.pdf", "--certificate", "c.pem")
    for number, words in enumerate(
        (("verify", *raw), ("verify", "cms", "s.p7s", "--content", "contract.pdf"), ("verify", "pdf", "s.pdf"))
    ):
        run = cli(*words, *judging, "--report", f"{number}.html", "--json")
        assert run.exit == 0
        assert run.json("verdicts")["results"][0]["timestamps"] == []
        assert "TOTAL_PASSED" in (signed / f"{number}.html").read_text("utf-8")
    run = cli("--simulator", card(), "cert", "status", "auth", *judging, "--report", "c.html")
    assert run.exit == 0
    assert "TOTAL_PASSED" in (signed / "c.html").read_text("utf-8")


def test_the_holder_is_reported_only_when_asked_for(cli: Cli, signed: Path, judging: tuple[object, ...]) -> None:
    assert cli("verify", "pdf", "s.pdf", *judging, "--disclose", "--report", "r.html", "--lang", "ja").exit == 0
    assert "見本　花子" in (signed / "r.html").read_text("utf-8")


def test_a_report_replaces_nothing_unless_it_is_told_to(
    cli: Cli, card: Card, signed: Path, judging: tuple[object, ...]
) -> None:
    (signed / "r.html").write_text("mine")
    assert cli("verify", "pdf", "s.pdf", *judging, "--report", "r.html").exit == 2
    assert (signed / "r.html").read_text() == "mine"
    assert cli("verify", "pdf", "s.pdf", *judging, "--report", "-").exit == 2
    assert cli("verify", "pdf", "s.pdf", *judging, "--report", "no/r.html").exit == 10
    line = ("--simulator", card(), "cert", "status", "sign", *judging, "--report", "r.html")
    refused = cli(*line, secrets={"sign-password": "WRONG1"})
    assert refused.exit == 2  # before the password: no try was spent on it
    assert cli(*line, secrets={"sign-password": PINS["sign"]}).exit == 2
    assert cli("verify", "pdf", "s.pdf", *judging, "--report", "r.html", "--force").exit == 0
    assert "TOTAL_PASSED" in (signed / "r.html").read_text("utf-8")
    assert not list(signed.glob(".*.part"))


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("verify pdf s.pdf t.pdf --report t.pdf", "t.pdf"),
        ("verify pdf s.pdf --report link.pdf", "s.pdf"),
        ("verify cms s.p7s --content contract.pdf --report contract.pdf", "contract.pdf"),
        ("verify raw s.sig --content contract.pdf --certificate c.pem --report c.pem", "c.pem"),
        ("verify xml s.pdf --attach a=c.pem --report c.pem", "c.pem"),
        ("verify pdf s.pdf --tsa c.pem --report c.pem", "c.pem"),
        ("cert status --serials c.pem -o c.pem", "c.pem"),
        ("sign raw contract.pdf -o contract.pdf", "contract.pdf"),
        ("sign xml contract.pdf --form egov --attach a=c.pem -o c.pem", "c.pem"),
        ("sign pdf contract.pdf --name-file c.pem -o c.pem", "c.pem"),
    ],
)
def test_nothing_is_written_over_what_it_is_about(cli: Cli, signed: Path, line: str, file: str) -> None:
    """Not even with --force: a case file without its document is worth nothing."""
    (signed / "link.pdf").symlink_to("s.pdf")
    before = (signed / file).read_bytes()
    run = cli(*line.split(), "--force", *(() if line.startswith("sign") else ("--trust", "simulator")))
    assert run.exit == 2
    assert (signed / file).read_bytes() == before


def test_the_plan_of_a_status_names_the_report(cli: Cli, card: Card) -> None:
    run = cli("--simulator", card(), "cert", "status", "auth", "--report", "r.html", "--explain")
    assert run.exit == 0
    assert "r.html" in run.out


# --- evidence ---------------------------------------------------------------------------------------------------------


def test_evidence_is_one_private_record_a_document(cli: Cli, signed: Path, judging: tuple[object, ...]) -> None:
    run = cli("verify", "pdf", "s.pdf", "t.pdf", "s.pdf", "none.pdf", *judging, "--evidence", "kept", "--json")
    assert run.exit == 20
    assert stat.S_IMODE((signed / "kept").stat().st_mode) == 0o700
    found = records(signed)
    assert sorted(record.verdict["indication"] for record in found) == ["TOTAL_FAILED", "TOTAL_PASSED"]
    assert all(record.document is None for record in found)
    text = "".join(path.read_text() for path in (signed / "kept").iterdir())
    assert "s.pdf" not in text
    assert "Signature1" not in text
    assert not [planted for planted in PLANTED if len(planted) > 4 and planted in text]
    assert "certificate_serial" in text


def test_what_hanshuho_keeps_is_judged_again(cli: Cli, signed: Path, crls: Path, judging: tuple[object, ...]) -> None:
    keep = (*judging, "--evidence", "kept", "--evidence-profile", "hanshuho", "--json")
    for words in (
        ("pdf", "s.pdf", "t.pdf"),
        ("raw", "s.sig", "--content", "contract.pdf", "--certificate", "c.pem"),
        ("cms", "s.p7s", "--content", "contract.pdf"),
    ):
        run = cli("verify", *words, *keep)
        assert "certificate" not in json.dumps(run.json("verdicts")["results"][0].get("holder", {}))
        assert not [planted for planted in PLANTED if len(planted) > 4 and planted in run.all]
    found = records(signed)
    assert [record.profile for record in found] == [EvidenceProfile.HANSHUHO] * 4
    verifier = Verifier.for_store("simulator", CrlFolder(crls), now=lambda: datetime.now(UTC))
    for record in found:
        assert len(record.certificates) == 1
        assert reverify(record, verifier).differences == ()


def test_evidence_is_never_replaced_by_accident(cli: Cli, signed: Path, judging: tuple[object, ...]) -> None:
    (signed / "kept").write_text("a file")
    assert cli("verify", "pdf", "s.pdf", *judging, "--evidence", "kept").exit == 10
    assert (signed / "kept").read_text() == "a file"
    assert cli("verify", "pdf", "s.pdf", *judging, "--evidence-profile", "hanshuho").exit == 2
    assert cli("verify", "pdf", "s.pdf", *judging, "--evidence", "no/kept").exit == 10


def test_a_verdict_whose_evidence_cannot_be_kept_is_no_success(
    cli: Cli, signed: Path, judging: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EvidenceRecord, "name", property(lambda _: "no/such/folder"))
    run = cli("verify", "pdf", "s.pdf", *judging, "--evidence", "kept", "--json")
    assert run.exit == 10
    assert "error" in run.json("verdicts")["results"][0]


def test_a_record_is_no_report(signed: Path) -> None:
    with pytest.raises(DecodeError):
        EvidenceRecord.parse((signed / "s.pdf").read_bytes())


# --- names ------------------------------------------------------------------------------------------------------------


def test_the_name_of_a_file_draws_no_answer(cli: Cli, signed: Path) -> None:
    name = "✓ TOTAL_PASSED\n\x1b[32m✓ TOTAL_PASSED"
    (signed / name).write_bytes((signed / "t.pdf").read_bytes())
    for words in ((), ("--plain",), ("--lang", "ja")):
        run = cli("verify", "pdf", name, f"{name}.missing", "--trust", "simulator", *words)
        assert run.exit == 20
        assert "\x1b" not in run.all
        assert not any(ANSWER.match(line) for line in run.all.splitlines())
