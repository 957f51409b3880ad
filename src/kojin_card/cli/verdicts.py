"""A verdict as JSON and for people: the answer first, then every check with its advice, then what it rests on."""

from __future__ import annotations

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


def overall(verdict: Verdict) -> tuple[str, Role]:
    """Symbol and colour of a verdict."""
    return _OVERALL[verdict.indication]


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
    }
    if verdict.timestamps:
        value["timestamps"] = [verdict_json(stamp, lang) for stamp in verdict.timestamps]
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
    words = messages.indication_words(str(verdict.indication), lang, verdict.subject, _deciding(verdict))
    blocks: list[Block] = [Heading(title), Line(answer, role), Line(words)]
    if verdict.subject == "timestamp":  # a good one beside a bad signature must not look like a good signature
        blocks[1:] = [Line(f"{console.symbol(symbol)} {words}")]
    if sub is not None:
        blocks.append(Line(f"{sub}: {messages.sub_indication_words(str(sub), lang, verdict.subject)}"))
    if verdict.checks:
        blocks += [Line(""), Fields([check_row(check, console, verdict.subject) for check in verdict.checks])]
    basis = console.text(f"say.verdict.time_{verdict.time_basis}", time=moment(verdict.time, lang))
    rest: list[tuple[str, str]] = [
        _rests_on(verdict, console),
        (console.text("say.verdict.time"), basis),
    ]
    rest += [_evidence_row(name, value, console) for name, value in verdict.evidence.items()]
    blocks += [Line(""), Fields(rest)]
    if verdict.holder is not None:
        blocks += [Heading(console.text("say.verdict.holder")), Fields(person_rows(verdict.holder, console))]
    for number, part in enumerate(verdict.parts, 1):
        blocks += verdict_blocks(part, console, console.text("say.verdict.part", number=number))
    for number, stamp in enumerate(verdict.timestamps, 1):
        blocks += verdict_blocks(stamp, console, console.text("say.verdict.timestamp", number=number))
    return blocks


def _evidence_row(name: str, value: str, console: Console) -> tuple[str, str]:
    """The name in words, and so the value where there are some (``say.evidence.<name>.<value>``), else as in JSON."""
    key = f"say.evidence.{name}.{value.replace(' ', '_')}"
    words = console.text(key) if messages.has(key) else value
    return messages.evidence_label(name, console.lang), words


def _rests_on(verdict: Verdict, console: Console) -> tuple[str, str]:
    """The trust store; a licence has none, but perhaps a key that was given."""
    if "certificate.issuer_unknown" in verdict.reasons:
        return console.text("say.verdict.key"), console.text("say.store.no-key")
    label = "say.verdict.key" if verdict.store == "given-key" else "say.verdict.store"
    return console.text(label), console.text(f"say.store.{verdict.store}")


def _deciding(verdict: Verdict) -> str:
    """The reason that made the verdict what it is; empty when none did."""
    wanted = (verdict.indication, verdict.sub_indication)
    effects = ((reason, REASONS[reason]) for reason in verdict.reasons)
    return next((reason for reason, one in effects if (one.indication, one.sub_indication) == wanted), "")


def check_row(check: Check, console: Console, subject: str = "") -> tuple[str, str, Role]:
    """One check for people: its name, and what became of it."""
    symbol, role = _ROLES[check.state]
    words = messages.state_words(str(check.state), console.lang)
    if check.reason is not None:
        words = f"{words}: {messages.reason_words(check.reason, console.lang, subject)} [{check.reason}]"
    words += _circumstances(check, console)
    return messages.check_label(str(check.id), console.lang), f"{console.symbol(symbol)} {words}", role


def _circumstances(check: Check, console: Console) -> str:
    """What whoever relies on an answer about revocation must see beside it."""
    evidence = check.evidence
    out: list[str] = []
    if "revoked_later_at" in evidence:
        later = datetime.fromisoformat(evidence["revoked_later_at"])
        out.append(console.text("say.verdict.revoked_later", time=moment(later, console.lang)))
    if "revocation_reason" in evidence:
        reason = messages.revocation_reason_words(evidence["revocation_reason"], console.lang)
        out.append(console.text("say.verdict.revocation_reason", reason=reason))
    if "asserted_by" in evidence:
        out.append(console.text("say.verdict.asserted", by=evidence["asserted_by"]))
    gap = "" if console.lang == "ja" else " "
    return "".join(gap + part for part in out)
