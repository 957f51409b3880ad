"""``read licence``: the driving licence on the card, with a verdict on its signature; nothing of one that is forged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kojin_card.cli.exits import exit_of_indication
from kojin_card.cli.explain import only, plan, read, verify
from kojin_card.cli.files import read_input
from kojin_card.cli.framework import command, option, secret_options
from kojin_card.cli.render import Block, Fields, Heading, Line, Role
from kojin_card.cli.verdicts import verdict_blocks, verdict_json
from kojin_card.cli.wording import JST, day
from kojin_card.errors import UsageError
from kojin_card.verdict import Indication

if TYPE_CHECKING:
    from datetime import date

    from kojin_card.applications import DrivingLicence
    from kojin_card.channel import PinArgument
    from kojin_card.cli.session import Session

_SECRET = "licence-pin"  # a name, no secret
_GENUINE = {
    Indication.TOTAL_PASSED: ("proved", Role.GOOD),
    Indication.INDETERMINATE: ("unproved", Role.UNSURE),
    Indication.TOTAL_FAILED: ("forged", Role.BAD),
}


@command(
    "read.licence",
    option("--issuer-key", metavar="FILE", help="issuer_key"),
    option("-o", "--output", metavar="FILE", help="output_photo"),
    option("--force", is_flag=True, help="force"),
    *secret_options(),
    plan=lambda given: (
        plan(
            read("licence/pin_setting"),
            only("pin_set", verify("licence/pin")),
            read("licence/licence_information", "licence/signature"),
        )
        .reading(given["issuer_key"])
        .writing(given["output"], private=True)
    ),
)
def licence(
    session: Session, issuer_key: str | None, output: str | None, force: bool, secrets: str | None, last_try: bool
) -> int:
    """The licence after its PIN, if one is set; with ``-o`` the photo goes into a file of mode 0600."""
    from kojin_card.verification.licence import MAX_KEY_BYTES, LicenceIssuerKey, judge_licence

    session.one_stdin(secrets, issuer_key)
    if output == "-":
        raise UsageError("-o takes a file here: the photo does not go to standard output", operation="read the licence")
    if output is not None:
        session.check_output(output, force=force)
    key = None if issuer_key is None else LicenceIssuerKey.read(read_input(issuer_key, MAX_KEY_BYTES))
    found = session.card().licence.read(_pin(session, secrets), reserve=0 if last_try else 1)
    now = session.now()
    verdict = judge_licence(found.record, found.signature_record, key, now=now)
    genuine, role = _GENUINE[verdict.indication]
    test_key = key is not None and key.for_tests
    shown = verdict.indication is not Indication.TOTAL_FAILED
    file = _photo(session, found, output, force=force) if shown and output is not None else None
    value = {
        "licence": _json(found, now.astimezone(JST).date()) if shown else None,
        "genuine": genuine,
        "test_key": test_key,
        "photo_file": file,
        "verdict": verdict_json(verdict, session.lang),
    }
    text = session.console.text
    answer = Line(text(f"say.licence.{genuine}"), role)
    if test_key and genuine == "proved":  # everybody has the private half
        answer = Line(text("say.licence.test_key"), Role.UNSURE)
    blocks: list[Block] = [Heading(text("say.licence.title")), answer]
    if shown:
        blocks += _blocks(session, found, now.astimezone(JST).date(), file)
    blocks += verdict_blocks(verdict, session.console, text("say.licence.verdict"))
    session.answer("licence", value, blocks)
    return exit_of_indication(verdict.indication)


def _pin(session: Session, secrets: str | None) -> PinArgument | None:
    """The PIN, or who is asked for it; None when there is neither, which is right for a card that has no PIN set."""
    from kojin_card.cli.secret_sources import GivenSecrets

    source = session.secrets(secrets)
    if isinstance(source, GivenSecrets):
        return source.at_hand(_SECRET) if source.has(_SECRET) else None
    return source if source.possible() else None


def _photo(session: Session, found: DrivingLicence, output: str, *, force: bool) -> str | None:
    """The file that the photo was written to; None when the record has none."""
    if found.photo is None:
        session.say("say.licence.no_photo")
        return None
    session.write(output, found.photo, force=force, private=True)
    return output


def _iso(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _json(found: DrivingLicence, today: date) -> dict[str, Any]:
    return {
        "number": found.number,
        "colour": found.colour,
        "expiry": _iso(found.expiry),
        "expired": found.expired(today),
        "categories": [category.id for category in found.categories],
        "motorcycle_date": _iso(found.motorcycle_date),
        "other_date": _iso(found.other_date),
        "second_class_date": _iso(found.second_class_date),
        "conditions": list(found.conditions),
        "remarks": list(found.remarks),
        "history_number": found.history_number,
        "history_date": _iso(found.history_date),
        "history_category": None if found.history_category is None else found.history_category.hex(),
        "has_photo": found.photo is not None,
    }


def _blocks(session: Session, found: DrivingLicence, today: date, file: str | None) -> list[Block]:
    """The licence for people; what is not recorded has no row."""
    from kojin_card.applications.licence import GETA

    text, lang = session.console.text, session.lang
    separator = "、" if lang == "ja" else "; "
    held = separator.join(one.name_ja if lang == "ja" else one.name_en for one in found.categories)
    conditions, remarks = separator.join(found.conditions), separator.join(found.remarks)
    rows = [
        (text("say.licence.number"), found.number),
        (text("say.licence.colour"), found.colour),
        (text("say.licence.expiry"), day(found.expiry, lang)),
        (text("say.licence.categories"), held),
        (text("say.licence.motorcycle_date"), day(found.motorcycle_date, lang)),
        (text("say.licence.other_date"), day(found.other_date, lang)),
        (text("say.licence.second_class_date"), day(found.second_class_date, lang)),
        (text("say.licence.conditions"), conditions),
        (text("say.licence.remarks"), remarks),
        (text("say.licence.history_number"), found.history_number),
        (text("say.licence.history_date"), day(found.history_date, lang)),
        (text("say.licence.photo"), file),
    ]
    blocks: list[Block] = [Fields([(label, value) for label, value in rows if value])]
    if found.expired(today):
        blocks.append(Line(text("say.licence.expired"), Role.BAD))
    if GETA in conditions + remarks:
        blocks.append(Line(text("say.licence.drawn")))
    blocks.append(Line(text("say.licence.no_name")))
    return blocks
