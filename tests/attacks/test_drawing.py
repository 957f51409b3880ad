"""Foreign text that tries to draw a green TOTAL_PASSED: in a terminal, on a page of HTML, in a spreadsheet.

The text stands wherever somebody else chooses it: names of files, of PDF fields and SubFilters, of a holder, of whoever
asserted a list, and in any value of a source that is not ours. Every verdict here is a failure.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacks.forge import NOW, Pdf, changed, pdf_cms, verifier
from kojin_card.cli.console import Console
from kojin_card.cli.html import page
from kojin_card.cli.render import Style, html_text, render, spreadsheet_cell, width
from kojin_card.cli.report import BACKGROUND, BOX, COLOURS, FAINT, TEXT, report_page
from kojin_card.cli.telling import Problem
from kojin_card.cli.verdicts import verdict_blocks, verdict_json
from kojin_card.errors import InputError
from kojin_card.testing.verdicts import verdict_document
from kojin_card.verdict import Indication, Verdict
from kojin_card.verification import Holder

#: what an attacker writes, and what it would become if it were taken for more than text
TEXTS = (
    "\x1b[2J\x1b[H\x1b[32m✓ TOTAL_PASSED\x1b[0m",
    "x\r\n✓ TOTAL_PASSED\r\n有効：すべての確認を終え、問題はありません。",
    "x\u2028✓ TOTAL_PASSED",
    "\x9b32m✓ TOTAL_PASSED\x9b0m",
    "x" + " " * 200 + "✓ TOTAL_PASSED",
    "x" + "\u00a0" * 200 + "✓\u00a0TOTAL_PASSED",
    "x" + "\u2800" * 79 + "✓\u2003TOTAL_PASSED",
    "x" + "\u3164" * 120 + "✓ TOTAL_PASSED",
    "\u202eDESSAP_LATOT ✓\u202c",
    "\u2066✓ TOTAL_PASSED\u2069",
    "✓ TOTAL_PASSED",
    "OK TOTAL_PASSED",
    "[green]✓ TOTAL_PASSED[/green]",
    '</bdi></h2><p class="answer good">✓ TOTAL_PASSED</p><h2>',
    '"><script>alert(1)</script><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' style='color:green",
    "<!-- --><style>.bad{display:none}</style>",
    "</title></style><link rel=stylesheet href=//elsewhere.invalid/x.css>",
    "&lt;b&gt; &#60;script&#62; &amp;",
    "]]><svg onload=alert(1)>",
    "\ufeff\U000e0041\u200btext",
    '=HYPERLINK("//elsewhere.invalid","TOTAL_PASSED")',
    "見本\ud800",
)
ANSWER = re.compile(r"\s*(✓|OK)\W+TOTAL_PASSED")


def of_pdf(text: str) -> Verdict:
    """A tampered PDF whose field has that name."""
    name = text.encode("utf-16-be", "replace").hex()
    widget = f"<< /Type /Annot /Subtype /Widget /FT /Sig /T <FEFF{name}> /V 6 0 R /F 132 /Rect [0 0 0 0] /P 3 0 R >>"
    data = Pdf(fields="[7 0 R]", extra=(widget,), cms=lambda data: pdf_cms(data + b" ")).build()
    return verifier().verify_pdf(data)


def of_sub_filter(text: str) -> Verdict:
    name = "".join(f"#{octet:02x}" for octet in text.encode("utf-8", "replace") if octet)
    return verifier().verify_pdf(Pdf(sub_filter=name).build())


def of_anything(text: str) -> Verdict:
    """A verdict with that text in every place that holds a text of others'."""
    verdict = verdict_document("digest.mismatch.pdf").judge()
    checks = tuple(dataclasses.replace(check, evidence={"detail": text, "what": text}) for check in verdict.checks)
    evidence = {**verdict.evidence, "field": text, "revocation_source": f"operator:{text}", "asserted_by": text}
    failed = dataclasses.replace(verdict, checks=checks, evidence=evidence)
    whole = dataclasses.replace(failed, parts=(failed,), timestamps=(failed,))
    return dataclasses.replace(whole, holder=holder(text))


def holder(text: str) -> Holder:
    from kojin_card.verification.holder import Sex

    return Holder(
        name=text, address=text, birth_date=date(1984, 7, 9), birth_date_text=text, sex=Sex.UNKNOWN,
        name_substitutes=(1,), address_substitutes=(), unknown=(),
    )  # fmt: skip


@cache
def verdicts(text: str) -> tuple[Verdict, ...]:
    return of_pdf(text), of_sub_filter(text), of_anything(text)


def problem(text: str) -> Problem:
    from kojin_card.cli.framework import Settings
    from kojin_card.cli.telling import problem

    return problem(InputError(text, operation=text, file=text), Settings())


# --- the terminal -----------------------------------------------------------------------------------------------------


def on_screen(text: str, columns: int) -> Iterator[str]:
    """The rows of a terminal: what is longer than one goes on at the left edge of the next."""
    for line in text.split("\n"):
        row, used = "", 0
        for char in line:
            size = width(char)
            if used + size > columns:
                yield row
                row, used = "", 0
            row, used = row + char, used + size
        yield row


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.parametrize("columns", [40, 80, 100])
@pytest.mark.attack("A-40", "a verdict drawn in a terminal", "written out")
def test_no_row_of_a_terminal_shows_an_answer_that_is_not_the_verdict(text: str, columns: int) -> None:
    for lang in ("ja", "en"):
        console = Console(lang=lang)
        for verdict in verdicts(text):
            assert verdict.indication is not Indication.TOTAL_PASSED
            title = console.text("say.verdict.of", name=text)
            blocks = verdict_blocks(verdict, console, title)
            plain = render(blocks, Style(plain=True))
            assert not any(ANSWER.match(line) for line in plain.splitlines())
            shown = render(blocks, Style(columns=columns))
            assert all(char == "\n" or unicodedata.category(char)[0] != "C" for char in shown)
            left = [row for row in on_screen(shown, columns) if row[:1] not in ("", " ")]
            assert not any(ANSWER.match(row) for row in left)


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("columns", [40, 80, 100])
@pytest.mark.parametrize("blank", [" ", "\u3000"], ids=["space", "ideographic"])
def test_blanks_push_no_answer_to_the_left_edge(lang: str, columns: int, blank: str) -> None:
    """The name is as long as it takes for its ✓ to come first in a row of the terminal."""
    console = Console(lang=lang)
    start = width(console.text("say.verdict.of", name="x"))
    for room in range(columns, columns + 2 * width(blank)):
        name = "x" + blank * ((2 * room - start) // width(blank)) + "✓ TOTAL_PASSED"
        blocks = verdict_blocks(of_anything(name), console, console.text("say.verdict.of", name=name))
        rows = list(on_screen(render(blocks, Style(columns=columns)), columns))
        assert not any(ANSWER.match(row) for row in rows if not row.startswith(" "))


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_no_colour_comes_from_the_text(text: str) -> None:
    console = Console(lang="en")
    for verdict, tame in zip(verdicts(text), verdicts("text"), strict=True):
        colours = [
            set(re.findall(r"\x1b\[[0-9;]*m", render(verdict_blocks(one, console, "title"), Style(colour=True))))
            for one in (verdict, tame)
        ]
        assert colours[0] == colours[1]
        green = re.findall(
            r"\x1b\[32m(.*?)\x1b\[0m", render(verdict_blocks(verdict, console, text), Style(colour=True))
        )
        assert all(words == f"{console.symbol('pass')} passed" for words in green)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.attack("A-40", "a verdict drawn in JSON", "written out")
def test_json_carries_the_text_and_nothing_else(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    for verdict in verdicts(text):
        Console(as_json=True).json("verdicts", {"results": [{"name": text, **verdict_json(verdict, "en")}], "exit": 20})
        out = capsys.readouterr().out
        assert all(char == "\n" or unicodedata.category(char)[0] != "C" for char in out)
        (result,) = json.loads(out)["results"]
        assert result["name"] == text
        assert result["indication"] != "TOTAL_PASSED"


# --- the page ---------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a browser would make of a page.

    Attributes:
        elements: every tag with its attributes, in order.
        boxed, ours: the texts inside boxes (``bdi class="given"``) and outside.
    """

    VOID = frozenset({"meta", "br", "img", "link", "hr", "input"})

    def __init__(self, data: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.boxed: list[str] = []
        self.ours: list[str] = []
        self.other: list[str] = []
        self._open: list[tuple[str, str | None]] = []
        self.feed(data.decode("utf-8"))
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))
        if tag not in self.VOID:
            self._open.append((tag, dict(attrs).get("class")))
            if dict(attrs).get("class") == "given":
                self.boxed.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        inside = any(kind == ("bdi", "given") for kind in self._open)
        if inside:
            self.boxed[-1] += data
        elif not any(tag == "style" for tag, _ in self._open):
            self.ours.append(data)

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    def handle_pi(self, data: str) -> None:
        self.other.append(data)

    def unknown_decl(self, data: str) -> None:
        self.other.append(data)


def report(text: str, lang: str = "en") -> Page:
    results: list[tuple[str, Verdict | Problem]] = [(text, verdict) for verdict in verdicts(text)]
    return Page(report_page([*results, (text, problem(text))], Console(lang=lang), NOW))


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.attack("A-40", "markup in the report", "stays text")
def test_no_element_and_no_attribute_comes_from_the_text(text: str, lang: str) -> None:
    hostile, tame = report(text, lang), report("text", lang)
    assert hostile.elements == tame.elements
    assert not hostile.other
    # what stands outside the boxes is ours; only an error's words name a file, as text between quotation marks
    for said, expected in zip(hostile.ours, tame.ours, strict=True):
        assert said == expected or re.search("[“「].*[”」]", said)


def test_the_text_is_in_the_boxes_as_it_stands() -> None:
    text = '</bdi><b class="good">✓ TOTAL_PASSED</b>'
    assert report(text).boxed.count(text) >= 10
    assert all("\u202e" not in boxed for boxed in report("\u202eDESSAP").boxed)
    assert "\\u202eDESSAP" in report("\u202eDESSAP").boxed


@given(st.text(st.characters(), max_size=60))
def test_any_text_stays_text(text: str) -> None:
    made = Page(page("en", text, "p {}", [f'<p title="{html_text(text)}">{html_text(text)}</p>']))
    tags = " ".join(tag for tag, _ in made.elements)
    assert tags == "html head meta meta meta meta title style body p"
    assert len(made.elements[-1][1]) == 1
    assert not made.other


def test_a_page_that_lets_an_element_through_is_found() -> None:
    tame = Page(page("en", "x", "p {}", ["<p>x</p>"]))
    assert Page(page("en", "x", "p {}", ["<p><b>x</b></p>"])).elements != tame.elements


# --- the page, for whoever reads it -----------------------------------------------------------------------------------


def all_kinds(lang: str) -> bytes:
    ids = ("passed.pdf", "passed.pdf.twice", "digest.mismatch.pdf", "revocation.no_source", "time.asserted")
    results: list[tuple[str, Verdict | Problem]] = [(f"{id}.bin", verdict_document(id).judge()) for id in ids]
    return report_page([*results, ("missing", problem("no such file"))], Console(lang=lang), NOW)


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_the_page_stands_alone(lang: str) -> None:
    data = all_kinds(lang)
    made = Page(data)
    tags = [tag for tag, _ in made.elements]
    assert made.elements[0] == ("html", (("lang", lang),))
    assert not {"script", "img", "link", "iframe", "object", "form", "base"} & set(tags)
    said = [dict(attributes) for _, attributes in made.elements]
    assert all((one.get("href") or "#").startswith("#") for one in said)
    assert not any(name.startswith("on") or name in ("src", "style", "srcset") for one in said for name in one)
    policy = next(one["content"] for one in said if one.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert b"url(" not in data
    assert b"@import" not in data


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_headings_tables_and_links_are_in_order(lang: str) -> None:
    made = Page(all_kinds(lang))
    levels = [int(tag[1]) for tag, _ in made.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    tags = [tag for tag, _ in made.elements]
    assert tags.count("table") == tags.count("caption") == tags.count("thead") > 10
    assert all(dict(attributes).get("scope") in ("row", "col") for tag, attributes in made.elements if tag == "th")
    ids = [one["id"] for one in (dict(attributes) for _, attributes in made.elements) if "id" in one]
    assert len(ids) == len(set(ids))
    wanted = {(dict(attributes).get("href") or "#")[1:] for tag, attributes in made.elements if tag == "a"}
    assert wanted <= set(ids)


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_every_state_is_in_words(lang: str) -> None:
    made = Page(all_kinds(lang))
    said = "".join(made.ours)
    words = {
        "ja": ("確認済み", "不合格", "判断できず", "未確認", "判定できません", "有効：", "無効：", "判定不能："),
        "en": (
            "passed",
            "failed",
            "could not be decided",
            "not checked",
            "no verdict",
            "Valid:",
            "Invalid:",
            "Undecided:",
        ),
    }[lang]
    assert all(word in said for word in words)
    assert {"ja": "試験用", "en": "for tests"}[lang] in said
    assert said.count("TOTAL_PASSED") == 2 * 2 + 2  # two documents, in the summary too, and the two parts of one


def test_a_good_time_stamp_beside_a_bad_signature_looks_like_no_good_signature() -> None:
    stamp = dataclasses.replace(verdict_document("passed.cms").judge(), subject="timestamp")
    assert stamp.indication is Indication.TOTAL_PASSED
    verdict = dataclasses.replace(verdict_document("digest.mismatch.pdf").judge(), timestamps=(stamp,))
    console = Console(lang="en")
    made = Page(report_page([("a.pdf", verdict)], console, NOW))
    assert "TOTAL_PASSED" not in "".join(made.ours)
    assert not [one for one in made.elements if dict(one[1]).get("class") == "answer good"]
    assert "TOTAL_PASSED" not in render(verdict_blocks(verdict, console, "a.pdf"), Style(colour=True))


def test_the_holder_is_on_the_page_only_when_disclosed() -> None:
    document = verdict_document("passed.pdf")
    shut = report_page([("a.pdf", document.judge())], Console(lang="ja"), NOW).decode()
    verdict = document.verifier().verify_pdf(document.data, disclose=True)
    shown = report_page([("a.pdf", verdict)], Console(lang="ja"), NOW).decode()
    assert "検証　花子" not in shut
    assert "検証　花子" in shown
    assert verdict.evidence["document_sha256"] in shut
    assert verdict.evidence["revocation_source"] in shut


def luminance(colour: str) -> float:
    """WCAG 2 relative luminance of ``#rrggbb``."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", [*COLOURS.values(), TEXT, FAINT])
@pytest.mark.parametrize("ground", [BACKGROUND, BOX])
def test_contrast(colour: str, ground: str) -> None:
    light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 7


# --- a spreadsheet ----------------------------------------------------------------------------------------------------

FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "＝1+1",
    "＠SUM(A1)",
    "－1",
    "  =1+1",
    "\u3000=1+1",
    '"=1+1',
    "'=1+1",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\ufeff=1+1",
    "\u00a0=1+1",
    '=cmd|"/c calc"!A0',
)


@pytest.mark.attack("A-40", "a formula in a cell: {}", "no formula")
@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text: str) -> None:
    cell = spreadsheet_cell(text)
    assert cell[0] in "'\\"
    assert not re.search("[\t\r\n\x00]", cell)


@given(st.text(st.characters(), max_size=40), st.sampled_from(",;\t"))
def test_a_cell_stays_one_cell(text: str, delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerow(["a", spreadsheet_cell(text), "b"])
    (row,) = csv.reader(io.StringIO(out.getvalue()), delimiter=delimiter)
    assert (row[0], row[2], len(row)) == ("a", "b", 3)
    assert unicodedata.normalize("NFKC", row[1][:1]) not in set("=+-@\t\r")


def test_harmless_cells_stay_as_they_are() -> None:
    for text in ("TOTAL_PASSED", "見本　花子", "5d625c77", "2026-11-24", "", "1-2"):
        assert spreadsheet_cell(text) == text


def test_a_certificate_that_names_itself_an_answer_draws_nothing() -> None:
    """Names in a certificate are in no verdict: not the subject's, and not that of the list's scope."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    text = "✓ TOTAL_PASSED <b>"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
    point = x509.CRLDistributionPoints([x509.DistributionPoint([x509.DirectoryName(name)], None, None, None)])
    verdict = verifier().certificate_status(changed(instead=point))
    assert text not in json.dumps(verdict_json(verdict, "en"), ensure_ascii=False)
    assert text not in report_page([("c.der", verdict)], Console(), NOW).decode()
