"""Write ``docs/attacks.md``: which attack is which test, and the verdict that it gets, from the tests themselves.

``python -m tools.make_attacks`` writes the page; with ``--check`` it says whether the page is what the tests say.

A test is a row of the page when it has an entry of :data:`ENTRIES`: by ``@pytest.mark.attack("A-20")`` on the test, the
class or the module, or by an attribute ``entry`` of the row that it is parametrized with, which comes first. What the
attack is stands in the mark's second argument (with ``{}`` where the case's id belongs), in the row's ``what`` or
``name``, or in the id or name of the test. Its verdict stands in the mark's third argument (a reason of
``kojin_card.verdict.REASONS``, several with ``|`` between them, or words), or in the row's ``reason``, ``reasons`` or
``indication``.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kojin_card.verdict import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "attacks.md"

#: where tests with an entry stand
PLACES = (
    "tests/attacks",
    "tests/fuzz",
    "tests/cli/test_render.py",
    "tests/client/test_globalplatform_session.py",
    "tests/client/test_globalplatform_content.py",
    "tests/client/test_slots_files.py",
    "tests/client/test_slots_issuing.py",
    "tests/simulator/test_scp03.py",
    "tests/simulator/test_globalplatform.py",
    "tests/simulator/test_globalplatform_faults.py",
)

#: the entries of the catalogue of attacks (jpki.md §6, in its order; A-28 is the issue's), then what goes beyond it
ENTRIES: Mapping[str, str] = {
    "A-01": "A CA that comes with the document",
    "A-02": "A CA of the attacker's that has the real one's name",
    "A-03": "The issuer found by its name, which all its generations share",
    "A-04": "Test certificates, policies or software cards in production",
    "A-05": "The signature certificate for a log-in, or the other way round",
    "A-06": "Expired, or not valid yet; the CA too",
    "A-07": "Another key usage than the profile's",
    "A-08": "A CA that is none, or a holder's certificate that says it is one",
    "A-09": "Whose certificate it is: decoys, twins, none",
    "A-10": "Certificates that are not strict DER, or have unknown critical extensions",
    "A-11": "No policy, or another one",
    "A-12": "Weak algorithms and keys; the two names of the algorithm differ",
    "A-13": "A holder's attribute twice, or of another type or length",
    "A-14": "Another name than the attribute's",
    "A-15": "A birth date that is none",
    "A-16": "Checks of different copies of the certificate",
    "A-20": "Revocation: the wrong list or answer, an old one, or none",
    "A-21": "PKCS#1 v1.5 that is read too kindly",
    "A-22": "Challenges: replayed, relayed, altered, somebody else's",
    "A-23": "CMS: digest, content type and attributes that do not fit",
    "A-24": "CMS: algorithms that disagree, or are confused with others",
    "A-25": "CMS: two contents, no content, no signer",
    "A-26": "A time that only the signer says",
    "A-27": "CMS: some signers are good",
    "A-28": "Time stamps: forged, of something else, of a stranger",
    "A-30": "PDF: something after the signature, or a byte range that does not cover the file",
    "A-31": "PDF: only the first signature is good",
    "A-32": "PDF: malformed /Contents, and files that promise more than they hold",
    "A-33": "PDF: hidden signatures and changes between signatures",
    "A-35": "XML: wrapping, transforms, references, entities, keys",
    "A-40": "Text that deceives: substitutes, control characters, foreign markup",
    "bombs": "Documents that cost more than they are worth",
    "confusion": "One algorithm taken for another",
    "fuzzing": "Documents that a machine mutated",
    "next card": "Signatures of the next card (次期個人番号カード)",
    "card": "Cards that are not genuine",
    "licence": "Driving licences that are not genuine",
    "slots": "Slots of the free area that are not what they seem, and terminals that may not read them",
    "channel": "Sessions with a security domain (SCP03): cards that lie, and who changes what passes",
    "management": "The card against who has no session, another owner's, or the power switch",
    "PIN-less": "A confirmation without a PIN (38-4) that lacks what it takes",
    "reuse": "A signature made for one thing, shown as one for another",
}

HEAD = """<!-- Made by `make reference` (tools/make_attacks.py) from the tests. Do not edit. -->

# Attacks

What somebody may try, and the test that tries it. Each test makes its document (nothing is stored), has it judged and
wants the verdict of the last column. No attack is accepted: the few rows that say TOTAL_PASSED say with it what the
attack was after and did not get. `A-` entries are those of the fact collection of the project (`jpki.md` §6), which
names the public reports that they come from; the others are beyond it. A code in brackets is the reason, as
[Verdicts](verdicts.md) lists them. Tests are named from the folder `tests`.

What is *accepted*, and by whom else, is in [Verifying](verifying.md#what-is-accepted); how documents are mutated, and
how to do it for longer, in [Testing](testing.md#fuzzing).

"""


@dataclass(frozen=True, order=True)
class Row:
    """One line of the page."""

    entry: str
    what: str
    test: str
    verdict: str


class Collected:
    """A plugin of pytest that keeps what is collected, and runs nothing."""

    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep the tests."""
        self.items = list(session.items)


def collect(places: Sequence[str] = PLACES) -> list[pytest.Item]:
    """The tests of these places.

    Raises:
        RuntimeError: one cannot be collected.
    """
    found, said = Collected(), io.StringIO()
    here = [str(ROOT / place) for place in places if (ROOT / place).exists()]
    # the package is loaded already, so its plugin's assertions stay as they are: nothing is asserted here
    quiet = ["-q", "-W", "ignore::pytest.PytestAssertRewriteWarning", "-p", "no:xdist", "-p", "no:cacheprovider"]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main(["--collect-only", *quiet, *here], plugins=[found])
    if code != pytest.ExitCode.OK:
        raise RuntimeError(said.getvalue())
    return found.items


def verdict_words(reason: str) -> str:
    """A reason with its indication (``a|b``: one or the other), or words as they are."""
    if "|" in reason:
        return " or ".join(map(verdict_words, reason.split("|")))
    known = REASONS.get(reason)
    if known is None:
        return reason
    parts = (str(known.indication), str(known.sub_indication or ""))
    return f"{' '.join(part for part in parts if part)} (`{reason}`)"


def _row_of(item: pytest.Item) -> Any:
    """What a test is parametrized with, if that is a row of a table of attacks."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    return next(
        (value for value in params.values() if hasattr(value, "what") or hasattr(value, "reason")), None
    ) or next((value for value in params.values() if hasattr(value, "reasons")), None)


def _words(item: pytest.Item) -> str:
    name = getattr(item, "originalname", item.name).removeprefix("test_").replace("_", " ")
    return item.name.partition("[")[2].removesuffix("]") or name


def row(item: pytest.Item) -> Row | None:
    """The line of one test; None when it is no attack."""
    mark, given = item.get_closest_marker("attack"), _row_of(item)
    arguments = () if mark is None else mark.args
    entry = getattr(given, "entry", None) or (arguments[0] if arguments else None)
    if entry is None:
        return None
    said = arguments[1] if len(arguments) > 1 else None
    what = said or getattr(given, "what", None) or getattr(given, "name", None)
    what = (what or "{}").replace("{}", _words(item))
    if len(arguments) > 2:
        verdict = verdict_words(arguments[2])
    elif getattr(given, "reason", None) or getattr(given, "reasons", None):
        reasons = (given.reason,) if getattr(given, "reason", None) else tuple(dict.fromkeys(given.reasons))
        verdict = "; ".join(verdict_words(reason) for reason in reasons)
    else:
        verdict = str(getattr(given, "indication", "as the test says"))
    path = Path(str(item.path)).relative_to(ROOT / "tests").as_posix()
    return Row(str(entry), what, f"{path}::{getattr(item, 'originalname', item.name)}", verdict)


def rows(items: Iterable[pytest.Item] | None = None) -> tuple[Row, ...]:
    """The lines, in the order of the tests.

    Raises:
        ValueError: an entry that :data:`ENTRIES` does not have.
    """
    found = tuple(dict.fromkeys(one for item in (collect() if items is None else items) if (one := row(item))))
    strange = {one.entry for one in found} - ENTRIES.keys()
    if strange:
        raise ValueError(f"entries that nobody described: {sorted(strange)}")
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def page(found: Iterable[Row]) -> str:
    """The page."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for one in found:
        groups[one.entry].append(one)
    parts = [HEAD]
    for entry, title in ENTRIES.items():
        if entry not in groups:
            continue
        name = f"{entry}: {title}" if entry.startswith("A-") else title
        lines = "".join(f"| {_cell(one.what)} | `{one.test}` | {_cell(one.verdict)} |\n" for one in groups[entry])
        parts.append(f"## {name}\n\n| attack | test | verdict |\n| --- | --- | --- |\n{lines}\n")
    return "".join(parts).rstrip("\n") + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or look at it."""
    made = page(rows())
    if "--check" not in arguments:
        PAGE.write_text(made, "utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text("utf-8") == made:
        return 0
    print("docs/attacks.md is not what the tests say: make reference", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
