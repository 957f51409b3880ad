"""The documents for each verdict that ``kojin_card.testing`` gives to others: each is judged, here and by the CLI."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from kojin_card.cli.exits import exit_of_indication
from kojin_card.errors import UsageError
from kojin_card.testing import DOCUMENTS_NOW, VerdictDocument, verdict_documents
from kojin_card.testing import verdict_document as document_of
from kojin_card.testing.verdict_makers import MAKERS
from kojin_card.testing.verdict_table import CASES, KINDS, WITHOUT
from kojin_card.verdict import CARD_CHECKS, REASONS, SLOT_CHECKS, Indication
from kojin_card.verification import MemoryChallengeStore, Verifier
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

#: documents of which more than one thing is wrong, necessarily: what else their verdicts say
ALSO = {
    "profile.purpose": ("key_usage.wrong", "policy.wrong"),
    "profile.purpose.proof": ("key_usage.wrong", "policy.wrong"),
    "validity.issuer_expired": ("revocation.stale",),
}


@pytest.fixture(scope="session")
def card_clock() -> Callable[[], datetime]:
    return lambda: DOCUMENTS_NOW


def test_each_gets_its_verdict(verdict_document: VerdictDocument) -> None:
    verdict = verdict_document.judge()
    assert verdict.indication is verdict_document.indication
    assert verdict.sub_indication is verdict_document.sub_indication
    first = () if verdict_document.reason is None else (verdict_document.reason,)
    assert verdict.reasons == first + ALSO.get(verdict_document.id, ())
    assert exit_of_indication(verdict.indication) == verdict_document.exit_code


def test_each_gets_it_by_todays_clock_too() -> None:
    now = datetime.now(UTC)
    for document in verdict_documents(now):
        verdict = document.judge()
        assert (verdict.indication, verdict.sub_indication) == (document.indication, document.sub_indication), document
        assert document.now == now.replace(microsecond=0) or document.id == "validity.issuer_expired"


def test_every_reason_has_a_document_or_says_why_not() -> None:
    assert {case.reason for case in CASES.values()} == (set(REASONS) | {None}) - set(WITHOUT)
    assert list(MAKERS) == list(CASES)
    assert {case.kind for case in CASES.values()} == set(KINDS)
    assert {case.exit_code for case in CASES.values()} == {0, 20, 21}


def test_every_pair_that_a_verdict_can_have_has_a_document() -> None:
    wanted = {(effect.indication, effect.sub_indication) for effect in REASONS.values()}
    found = {(case.indication, case.sub_indication) for case in CASES.values()}
    assert found == wanted | {(Indication.TOTAL_PASSED, None)}


def test_the_page_shows_the_table_of_the_code() -> None:
    page = (ROOT / "docs" / "testing.md").read_text("utf-8")
    shown = [line for line in page.splitlines() if line.startswith("| `") and line.count("|") == 7]
    assert shown == [
        f"| `{case.id}` | {case.kind} | {case.what} | {case.indication} | {case.sub_indication or ''} "
        f"| {case.exit_code} |"
        for case in CASES.values()
    ]
    of_cards = {reason for reason in WITHOUT if reason.split(".")[0] in CARD_CHECKS | SLOT_CHECKS}
    assert all(f"`{reason}` has none" in page for reason in set(WITHOUT) - of_cards)
    assert all(f"`{check}`" in page for check in CARD_CHECKS | SLOT_CHECKS)


def test_the_same_moment_gives_the_same_bytes() -> None:
    from kojin_card.testing.verdicts import _made

    before = verdict_documents()
    _made.cache_clear()
    assert before == verdict_documents()


def test_a_verifier_of_the_callers_judges_too() -> None:
    document = document_of("passed.pdf")
    assert document.judge(Verifier.production(now=lambda: document.now)).reasons[0] == "chain.no_issuer"


def test_a_store_of_challenges_is_new_each_time() -> None:
    document = document_of("challenge.replayed")
    assert document.challenge is not None
    assert document.challenges().was_used(document.challenge.nonce)
    assert isinstance(document.challenges(), MemoryChallengeStore)
    assert document.judge().reasons == document.judge().reasons == ("challenge.replayed",)


def test_what_is_refused() -> None:
    with pytest.raises(UsageError, match="no document"):
        document_of("passed.nothing")
    with pytest.raises(UsageError, match="zone"):
        document_of("passed.cms", datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused
    with pytest.raises(UsageError):
        document_of("passed.cms", DOCUMENTS_NOW + timedelta(days=9000))


def test_nothing_of_a_document_shows_in_a_failing_test() -> None:
    shown = repr(document_of("passed.proof"))
    assert len(shown) < 1000
    assert "nonce" not in shown


# --- by the command line ----------------------------------------------------------------------------------------------


def judged_by(document: VerdictDocument, folder: Path) -> Sequence[str]:
    """The words that have ``kojin-card`` judge a document that was written into ``folder``."""
    words = ["verify", document.kind, str(document.write(folder)), "--trust", str(document.store)]
    if document.content is not None:
        words += ["--content", str(folder / "content.bin")]
    if document.certificate is not None:
        words += ["--certificate", str(folder / "certificate.der")]
    if document.lists is not None:
        words += ["--revocation", str(folder / "lists")]
    if document.grace is not None:
        words += ["--grace", f"{document.grace.total_seconds() / 3600:.0f}h"]
    for option, moment in (("--at", document.at), ("--received-at", document.received_at)):
        if moment is not None:
            words += [option, moment.strftime("%Y-%m-%dT%H:%M:%SZ")]
    return words


@pytest.mark.parametrize(
    "id", [id for id, case in CASES.items() if case.kind in ("cms", "pdf", "raw") and id != "validity.issuer_expired"]
)
def test_the_command_line_ends_as_the_table_says(id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kojin_card.cli.root import root

    monkeypatch.setenv("KOJIN_CARD_CONFIG", str(tmp_path / "home"))
    document = document_of(id, datetime.now(UTC) - timedelta(seconds=1))
    done = CliRunner().invoke(root, [*judged_by(document, tmp_path / "document"), "--json"])
    assert done.exit_code == document.exit_code, done.output
    assert document.reason is None or f'"{document.reason}"' in done.stdout
