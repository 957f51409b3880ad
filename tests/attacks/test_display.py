"""Text of a stranger that tries to draw a verdict of its own (jpki.md §6 A-40): in a terminal, and in printed JSON.

The words come from where a document may put them: names of fields in a PDF, the name of its file. Reports in HTML have
their own tests.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable

import pytest

from attacks.forge import Cms, Pdf, pdf_cms, verifier
from kojin_card.cli.console import Console, json_safe
from kojin_card.cli.render import Style, render
from kojin_card.cli.verdicts import verdict_blocks, verdict_json
from kojin_card.verdict import Indication, Verdict

CLAIM = "✓ TOTAL_PASSED"

#: categories of Unicode of which nothing may reach a terminal from a stranger
DANGEROUS = {"Cc", "Cf", "Cs", "Zl", "Zp"}

#: what may draw: a line of its own, a cleared screen, a colour, a line over this one, text that runs backwards
DRAWINGS = {
    "a line of its own": f"x\n{CLAIM}\n",
    "another end of a line": f"x\u2028{CLAIM}\u2029{CLAIM}\x85{CLAIM}\x0b{CLAIM}\x0c{CLAIM}",
    "over what stands there": f"x\r{CLAIM}                                        ",
    "a cleared screen": f"\x1b[2J\x1b[H{CLAIM}",
    "a cleared screen in one character": f"\x9b2J{CLAIM}",
    "in green": f"\x1b[32m{CLAIM}\x1b[0m",
    "a title of the window": f"\x1b]0;{CLAIM}\x07",
    "a link": f"\x1b]8;;https://evil.example\x1b\\{CLAIM}\x1b]8;;\x1b\\",
    "backwards": f"\u202e{CLAIM[::-1]}\u202c",
    "markup of the terminal's library": f"[green]{CLAIM}[/green]",
    "markup of a page": f"</td></tr><tr><td style='color:green'>{CLAIM}",
    "a formula": f'=HYPERLINK("https://evil.example","{CLAIM}")',
}


def hostile_pdf(text: str) -> bytes:
    """A PDF of which a word was changed after signing, in a field with that name."""
    name = ("\ufeff" + text).encode("utf-16-be").hex()
    field = f"<< /T <{name}> /Kids [5 0 R] >>"
    return Pdf(fields="[7 0 R]", extra=(field,), cms=lambda _: pdf_cms(b"other")).build()


def failed(text: str) -> Verdict:
    verdict = verifier().verify_pdf(hostile_pdf(text))
    assert verdict.indication is Indication.TOTAL_FAILED
    assert "field" in verdict.evidence
    assert CLAIM in verdict.evidence["field"] or CLAIM[::-1] in verdict.evidence["field"]
    return verdict


def lines(verdict: Verdict, title: str, *, colour: bool, lang: str) -> list[str]:
    return render(verdict_blocks(verdict, Console(lang=lang), title), Style(colour=colour)).splitlines()


@pytest.mark.attack("A-40", None, "written out: one verdict is shown, ours")
@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("drawing", DRAWINGS)
def test_nothing_draws_a_verdict_in_a_terminal(drawing: str, lang: str) -> None:
    text = DRAWINGS[drawing]
    verdict = failed(text)
    for title in ("contract.pdf", f"contract {text}.pdf"):
        shown = lines(verdict, title, colour=False, lang=lang)
        # a long text wraps inside the column of values, right of its label: never at the edge, where verdicts stand
        verdicts = [line for line in shown if re.match(r"(?! {8})\W*TOTAL_", line)]
        assert len(verdicts) == 1
        assert "TOTAL_FAILED" in verdicts[0]
        assert all(unicodedata.category(char) not in DANGEROUS for line in shown for char in line)
        coloured = "\n".join(lines(verdict, title, colour=True, lang=lang))
        ours = re.compile(r"\x1b\[[0-9;]+m")
        assert all(unicodedata.category(char) not in DANGEROUS for char in ours.sub("", coloured).replace("\n", ""))
        assert not re.search(r"\x1b\[32m[^\x1b]*TOTAL_PASSED", coloured)


@pytest.mark.attack("A-40", None, "JSON in which nothing commands a terminal")
@pytest.mark.parametrize("drawing", DRAWINGS)
def test_nothing_draws_a_verdict_in_json(drawing: str) -> None:
    verdict = failed(DRAWINGS[drawing])
    printed = json_safe(json.dumps(verdict_json(verdict, "en"), ensure_ascii=False), "utf-8")
    assert all(unicodedata.category(char) not in DANGEROUS for char in printed)
    again = json.loads(printed)
    assert again["indication"] == "TOTAL_FAILED"
    assert again["evidence"]["field"] == verdict.evidence["field"]


@pytest.mark.parametrize(
    "make", [lambda: verifier().verify_cms(Cms().build()), lambda: verifier().verify_pdf(Pdf().build())]
)
def test_what_passes_says_so_once(make: Callable[[], Verdict]) -> None:
    shown = lines(make().require(), "contract", colour=False, lang="en")
    assert len([line for line in shown if "TOTAL_PASSED" in line]) == 1
