"""A verdict as JSON and for people: the answer first, then every check with its advice, then what it rests on."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kojin_card import messages
from kojin_card.cli.render import Block, Fields, Heading, Line, Role
from kojin_card.cli.wording import moment, person_json, person_rows, utc
from kojin_card.verdict import REASONS, Check, CheckState, Indication, Verdict

if TYPE_CHECKING:
    from kojin_card.cli.console import Console

_ROLES = {
    CheckState.PASSED: ("pass", Role.GOOD),
    CheckState.FAILED: ("fail", Role.BAD),
    CheckState.UNKNOWN: ("unknown", Role.UNSURE),
    CheckState.NOT_CHECKED: ("none", Role.UNSURE),
}
_OVERALL = {
    Indication.TOTAL_PASSED: ("pass", Role.GOOD),
    Indication.TOTAL_FAILED: ("fail", Role.BAD),
    Indication.INDETERMINATE: ("unknown", Role.UNSURE),
}
#: the pieces of evidence that are times
_TIMES = frozenset(
    (
        "challenge_issued_at",
        "claimed_signing_time",
        "existed_at",
        "gen_time",
        "next_update",
        "revoked_at",
        "revoked_later_at",
        "this_update",
    )
)


def overall(verdict: Verdict) -> tuple[str, Role]:
    """Symbol and colour of a verdict."""
    return _OVERALL[verdict.indication]


def state(check: Check) -> tuple[str, Role]:
    """Symbol and colour of a check."""
    return _ROLES[check.state]


def verdict_json(verdict: Verdict, lang: str) -> dict[str, Any]:
    """The whole of a verdict; the holder only when the verdict has one (``--disclose``)."""
    value: dict[str, Any] = {
        "subject": verdict.subject,
        "indication": str(verdict.indication),
        "sub_indication": None if verdict.sub_indication is None else str(verdict.sub_indication),
        "store": verdict.store,
        "time": utc(verdict.time),
        "time_basis": str(verdict.time_basis),
        "reasons": list(verdict.reasons),
        "checks": [_check_json(check, lang, verdict.subject) for check in verdict.checks],
        "evidence": dict(verdict.evidence),
        "parts": [verdict_json(part, lang) for part in verdict.parts],
        "timestamps": [verdict_json(token, lang) for token in verdict.timestamps],
    }
    if verdict.holder is not None:
        value["holder"] = person_json(verdict.holder)
    return value


def _check_json(check: Check, lang: str, subject: str) -> dict[str, Any]:
    return {
        "id": str(check.id),
        "state": str(check.state),
        "reason": check.reason,
        "words": None if check.reason is None else messages.reason_words(check.reason, lang, subject),
        "evidence": dict(check.evidence),
    }


def verdict_blocks(verdict: Verdict, console: Console, title: str) -> list[Block]:
    """A verdict for people."""
    lang = console.lang
    symbol, role = overall(verdict)
    sub = verdict.sub_indication
    answer = f"{console.symbol(symbol)} {verdict.indication}" + (f" / {sub}" if sub else "")
    blocks: list[Block] = [
        Heading(title, wrap=True),
        Line(answer, role),
        Line(answer_words(verdict, lang)),
    ]
    if verdict.subject == "timestamp":  # a good one beside a bad signature must not look like a good signature
        blocks[1:] = [Line(f"{console.symbol(symbol)} {answer_words(verdict, lang)}")]
    if sub is not None:
        blocks.append(Line(f"{sub}: {messages.sub_indication_words(str(sub), lang, verdict.subject)}"))
    if verdict.checks:
        blocks += [Line(""), Fields([check_row(check, console, verdict.subject) for check in verdict.checks])]
    rest = rests_on(verdict, console)
    rest += [_evidence_row(name, value, console) for name, value in verdict.evidence.items()]
    blocks += [Line(""), Fields(rest)]
    if verdict.holder is not None:
        blocks += [Heading(console.text("say.verdict.holder")), Fields(person_rows(verdict.holder, console))]
    for number, part in enumerate(verdict.parts, 1):
        blocks += verdict_blocks(part, console, console.text("say.verdict.part", number=number))
    for number, token in enumerate(verdict.timestamps, 1):
        blocks += verdict_blocks(token, console, console.text("say.verdict.timestamp", number=number))
    return blocks


def answer_words(verdict: Verdict, lang: str) -> str:
    """What the answer means for people."""
    if verdict.subject == "slot":
        return messages.slot_indication_words(str(verdict.indication), lang)
    return messages.indication_words(str(verdict.indication), lang, verdict.subject, _deciding(verdict))


def _evidence_row(name: str, value: str, console: Console) -> tuple[str, str]:
    """The name in words, and so the value where there are some, else as in JSON."""
    return messages.evidence_label(name, console.lang), evidence_words(name, value, console) or value


def evidence_words(name: str, value: str, console: Console) -> str:
    """A value in words of ours (a time, or ``say.evidence.<name>.<value>``); empty where there are none."""
    if name in _TIMES:
        with contextlib.suppress(ValueError, OverflowError):  # a signer may claim the last hour of the year 9999
            time = datetime.fromisoformat(value)
            return "" if time.tzinfo is None else moment(time, console.lang)
    key = f"say.evidence.{name}.{value.replace(' ', '_')}"
    return console.text(key) if messages.has(key) else ""


def rests_on(verdict: Verdict, console: Console) -> list[tuple[str, str]]:
    """The trust store (a licence has none, but perhaps a key that was given), and the time with its basis."""
    label, store = "say.verdict.store", f"say.store.{verdict.store}"
    if verdict.store == "given-key":
        label = "say.verdict.key"
    if "certificate.issuer_unknown" in verdict.reasons:
        label, store = "say.verdict.key", "say.store.no-key"
    basis = console.text(f"say.verdict.time_{verdict.time_basis}", time=moment(verdict.time, console.lang))
    return [
        (console.text(label), console.text(store) if messages.has(store) else verdict.store),
        (console.text("say.verdict.time"), basis),
    ]


def _deciding(verdict: Verdict) -> str:
    """The reason that made the verdict what it is; empty when none did."""
    wanted = (verdict.indication, verdict.sub_indication)
    effects = ((reason, REASONS[reason]) for reason in verdict.reasons)
    return next((reason for reason, one in effects if (one.indication, one.sub_indication) == wanted), "")


def reason_text(check: Check, lang: str, subject: str) -> str:
    """Why a check did not pass, what to do, and the id of the reason; empty when there is none."""
    if check.reason is None:
        return ""
    return f"{messages.reason_words(check.reason, lang, subject)} [{check.reason}]"


def check_row(check: Check, console: Console, subject: str = "") -> tuple[str, str, Role]:
    """One check for people: its name, and what became of it."""
    symbol, role = state(check)
    words = messages.state_words(str(check.state), console.lang)
    if said := reason_text(check, console.lang, subject):
        words = f"{words}: {said}"
    words += circumstances(check, console)
    if "asserted_by" in check.evidence:
        gap = "" if console.lang == "ja" else " "
        words += gap + console.text("say.verdict.asserted", by=check.evidence["asserted_by"])
    return messages.check_label(str(check.id), console.lang), f"{console.symbol(symbol)} {words}", role


def circumstances(check: Check, console: Console) -> str:
    """What whoever relies on an answer about revocation must see beside it."""
    evidence = check.evidence
    out: list[str] = []
    if "revoked_later_at" in evidence:
        later = datetime.fromisoformat(evidence["revoked_later_at"])
        out.append(console.text("say.verdict.revoked_later", time=moment(later, console.lang)))
    elif "revoked_at" in evidence:
        since = evidence_words("revoked_at", evidence["revoked_at"], console) or evidence["revoked_at"]
        out.append(console.text("say.verdict.revoked_at", time=since))
    if "revocation_reason" in evidence:
        reason = messages.revocation_reason_words(evidence["revocation_reason"], console.lang)
        out.append(console.text("say.verdict.revocation_reason", reason=reason))
    gap = "" if console.lang == "ja" else " "
    return "".join(gap + part for part in out)
