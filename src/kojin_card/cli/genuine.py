"""Is it genuine: the store that judges cards, and a verdict on one for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kojin_card import messages
from kojin_card.cli.explain import Step, read, use
from kojin_card.cli.framework import option
from kojin_card.cli.judging import STORES
from kojin_card.cli.render import Block, Fields, Heading, Line, Role
from kojin_card.cli.verdicts import check_row, overall, verdict_json
from kojin_card.cli.wording import moment
from kojin_card.verdict import Indication, Verdict

if TYPE_CHECKING:
    from kojin_card.cli.console import Console
    from kojin_card.cli.session import Session
    from kojin_card.spec import CardSpec

#: what JSON says of a card, or of what was read of it
AUTHENTIC = {
    Indication.TOTAL_PASSED: "true",
    Indication.TOTAL_FAILED: "false",
    Indication.INDETERMINATE: "unchecked",
}
_IN_FORCE = "in_force"


def proof_steps(place: str) -> tuple[Step, ...]:
    """What the proof of a record (``application/file``) reads and uses besides it, for ``--explain``."""
    from kojin_card.pki.card_evidence import ProofPlan
    from kojin_card.spec import load_card_spec

    app, _, file = place.partition("/")
    spec = load_card_spec()[app]
    files = ProofPlan.of(spec, file).files
    return (*read(*(f"{app}/{name}" for name in files)), use(f"{app}/{spec.default_key}"))


def card_store_option() -> click.Parameter:
    """``--trust`` of what judges a card; :func:`card_store` has the default."""
    return option("--trust", type=click.Choice(STORES), metavar="STORE", help="trust_card")


def card_store(session: Session, named: str | None) -> str:
    """The store that was named; else ``simulator`` for a software card, and ``production`` for every other."""
    return named or ("simulator" if session.settings.simulator is not None else "production")


def authenticity_json(verdict: Verdict, lang: str) -> dict[str, Any]:
    """A verdict on a card. Whether it is in force stands beside it: nobody looked."""
    return {
        "authentic": AUTHENTIC[verdict.indication],
        "in_force": "unchecked",
        "notes": [{"id": note, "words": messages.note_words(note, lang)} for note in verdict.notes],
        "verdict": verdict_json(verdict, lang),
    }


def authenticity_blocks(verdict: Verdict, console: Console, spec: CardSpec) -> list[Block]:
    """A verdict on a card: the answer, every check of every part in words, and the notes apart from them."""
    text, lang = console.text, console.lang
    symbol, role = overall(verdict)
    answer = str(verdict.indication) + (f" / {verdict.sub_indication}" if verdict.sub_indication else "")
    blocks: list[Block] = [
        Heading(text("say.check.title")),
        Line(f"{console.symbol(symbol)} {answer}", role),
        Line(messages.card_indication_words(str(verdict.indication), lang), Role.STRONG),
    ]
    for title, part in ((text("say.check.whole"), verdict), *((_title(one, spec, lang), one) for one in verdict.parts)):
        blocks += [Line(""), Line(title), Fields([check_row(check, console) for check in part.checks])]
    blocks += [Line(""), Line(text("say.check.notes"))]
    blocks += [
        Line(
            f"  {console.symbol('none')} {messages.note_words(note, lang)}",
            Role.UNSURE if note == _IN_FORCE else Role.PLAIN,
        )
        for note in verdict.notes
    ]
    rows = [
        (text("say.verdict.store"), text(f"say.store.{verdict.store}")),
        (text("say.verdict.time"), moment(verdict.time, lang)),
    ]
    if "absent" in verdict.evidence:
        absent = (_name(where, spec, lang) for where in verdict.evidence["absent"].split(", "))
        rows.append((text("say.check.absent"), text("say.check.separator").join(absent)))
    return [*blocks, Line(""), Fields(rows)]


def _title(part: Verdict, spec: CardSpec, lang: str) -> str:
    return _name(part.subject, spec, lang)


def _name(where: str, spec: CardSpec, lang: str) -> str:
    """What the specs call an application, and a file or object of it, in the language of the session."""
    app, _, name = where.partition("/")
    application = spec[app]
    called = [application, application.files.get(name) or application.objects.get(name)]
    return ": ".join(one.name_ja if lang == "ja" else one.name_en for one in called if one is not None)
