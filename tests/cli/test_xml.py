"""``sign xml`` and ``verify xml``: documents, files that go with them, and refusals before the card is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.commandline import PINS, Cli

Card = Callable[..., Path]
SECRETS = {"sign-password": PINS["sign"]}
APPLICATION = '<DataRoot><様式ID>1</様式ID><ApplData Id="ApplData"><金額>1000</金額></ApplData></DataRoot>'


@pytest.fixture
def application(tmp_path: Path) -> Path:
    (tmp_path / "one.txt").write_bytes(b"one")
    (tmp_path / "two.txt").write_bytes(b"two")
    path = tmp_path / "a.xml"
    path.write_text(APPLICATION, "utf-8")
    return path


def trust(crls: Path) -> tuple[object, ...]:
    return "--trust", "simulator", "--revocation", crls


@pytest.mark.parametrize("form", ["enveloped", "xades", "jlis"])
def test_a_document_is_signed_and_judged(
    cli: Cli, card: Card, crls: Path, application: Path, tmp_path: Path, form: str
) -> None:
    run = cli("--simulator", card(), "sign", "xml", application, "-o", "s.xml", "--form", form, secrets=SECRETS)
    assert run.exit == 0, run.all
    run = cli("verify", "xml", "s.xml", *trust(crls), "--json")
    assert run.exit == 0
    assert "1000" not in run.out  # what was signed is the library's to hand out
    (tmp_path / "t.xml").write_bytes((tmp_path / "s.xml").read_bytes().replace(b"1000", b"9000"))
    run = cli("verify", "xml", "s.xml", "t.xml", *trust(crls), "--json")
    assert run.exit == 20
    assert [result["reasons"] for result in run.json("verdicts")["results"]] == [[], ["digest.mismatch"]]


def test_files_go_with_a_document(cli: Cli, card: Card, crls: Path, application: Path) -> None:
    given = ("--attach", "添付.txt=one.txt", "--attach", "b.txt=two.txt")
    line = ("--simulator", card(), "sign", "xml", application, "-o", "s.xml", "--form", "egov")
    assert cli(*line, *given, secrets=SECRETS).exit == 0
    assert cli("verify", "xml", "s.xml", *given, *trust(crls)).exit == 0
    run = cli("--lang", "en", "verify", "xml", "s.xml", *trust(crls))
    assert run.exit == 21
    assert "--attach NAME=FILE" in run.err
    exchanged = ("--attach", "添付.txt=two.txt", "--attach", "b.txt=one.txt")
    assert cli("verify", "xml", "s.xml", *exchanged, *trust(crls)).exit == 20


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--attach", "x.txt=one.txt"), 2),  # the form has no place for it
        (("--form", "egov", "--attach", "one.txt"), 2),
        (("--form", "egov", "--attach", "=one.txt"), 2),
        (("--form", "egov", "--attach", "x=one.txt", "--attach", "x=two.txt"), 2),
        (("--form", "egov", "--attach", "a/b=one.txt"), 2),
        (("--form", "egov", "--attach", "x=none.txt"), 10),
        (("--form", "egov", "--element", "nowhere"), 10),
        (("--element", "ApplData"), 2),
        (("--form", "pades"), 2),
    ],
)
def test_refused_before_the_card_is_asked(
    cli: Cli, application: Path, tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    run = cli("--simulator", "no-card.json", "sign", "xml", application, "-o", "s.xml", *words, secrets=SECRETS)
    assert run.exit == code, run.all
    assert not (tmp_path / "s.xml").exists()


def test_files_belong_to_one_document(cli: Cli, application: Path) -> None:
    assert cli("verify", "xml", application, application, "--attach", "x=one.txt").exit == 2
    assert cli("verify", "xml", "-", "--attach", "x=-").exit == 2
