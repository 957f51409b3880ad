"""``docs/reference/verdict-gallery.md``: what an operator sees of six documents, as the command line shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.reference.markdown import notice

from kojin_card.cli.console import SYMBOLS, Console
from kojin_card.cli.render import Style, render
from kojin_card.cli.verdicts import verdict_blocks
from kojin_card.testing.verdicts import verdict_document

if TYPE_CHECKING:
    from collections.abc import Iterator

#: heading, document of kojin_card.testing, the file's name and the line that is typed, what it is
SHOWN = (
    ("Good", "passed.pdf", "contract.pdf", "verify pdf contract.pdf --revocation lists", "A PDF that was signed once."),
    (
        "Tampered",
        "digest.mismatch.pdf",
        "contract.pdf",
        "verify pdf contract.pdf --revocation lists",
        "A word on the page was changed after signing.",
    ),
    (
        "Expired",
        "validity.expired",
        "contract.p7s",
        "verify cms contract.p7s --revocation lists",
        "The signer's certificate ended yesterday, and nothing proves that the signature is older.",
    ),
    (
        "Revoked",
        "revocation.revoked.pdf",
        "contract.pdf",
        "verify pdf contract.pdf --revocation lists",
        "The signer's certificate was revoked, and nothing proves that the signature is older.",
    ),
    (
        "Wrong municipality",
        "revocation.no_list",
        "contract.p7s",
        "verify cms contract.p7s --revocation lists",
        "There are fresh lists, but none of this certificate's municipality; a clean list of another one is no answer.",
    ),
    (
        "Unchecked",
        "revocation.no_source",
        "contract.p7s",
        "verify cms contract.p7s",
        "Nobody named a revocation list.",
    ),
)


class Paper(Console):
    """A console that can show every character, whatever stdout is here."""

    def symbol(self, name: str) -> str:
        """The sign."""
        return SYMBOLS[name][0]


def shown(id: str, name: str, lang: str) -> str:
    """What is printed of a verdict."""
    console = Paper(lang=lang)
    blocks = verdict_blocks(verdict_document(id).judge(), console, console.text("say.verdict.of", name=name))
    return render(blocks, Style(columns=92))


def page() -> str:
    """The page."""
    return "".join(_parts()).rstrip("\n") + "\n"


def _parts() -> Iterator[str]:
    yield notice("the documents of kojin_card.testing, judged")
    yield "# What an operator sees\n\n"
    yield (
        "Six documents, judged, and what `kojin-card` prints of each in Japanese and in English. They are made by\n"
        "`kojin_card.testing` (an invented holder, the trust store `simulator`, a clock that stands still) and judged\n"
        "when this page is made; a test keeps the page what the program prints. The answer comes first, then each\n"
        "check with what to do, then what the verdict rests on. What each reason means: [Verdicts](../verdicts.md).\n\n"
    )
    for heading, id, name, line, what in SHOWN:
        exit_code = verdict_document(id).exit_code
        yield f"## {heading}\n\n{what}\n\n`kojin-card {line} --trust simulator` ends with exit code {exit_code}.\n\n"
        for lang in ("ja", "en"):
            yield f"```text\n{shown(id, name, lang)}```\n\n"
