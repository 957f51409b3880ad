"""Dates, times and people in words."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from kojin_card import messages

if TYPE_CHECKING:
    from kojin_card.cli.console import Console

_OPERATION = re.compile(r"(?P<action>[a-z ]+) (?P<application>[a-z_]+)(/(?P<part>[a-z0-9_]+))?")
JST = timezone(timedelta(hours=9), "JST")


def moment(time: datetime, lang: str) -> str:
    """A time in Japan's zone, which the card's papers use."""
    local = time.astimezone(JST)
    if messages.language(lang) == "ja":
        return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M:%S} (JST)"
    return f"{local:%Y-%m-%d %H:%M:%S} JST"


def day(value: date | None, lang: str, otherwise: str = "") -> str:
    """A date; ``otherwise`` when it is not known (parts of it may be)."""
    if value is None:
        return otherwise
    if messages.language(lang) == "ja":
        return f"{value.year}年{value.month}月{value.day}日"
    return value.isoformat()


def is_over(expiry: date, now: datetime) -> bool:
    """Whether a card's last day is over, in Japan."""
    return now.astimezone(JST).date() > expiry


def utc(time: datetime) -> str:
    """ISO 8601 in UTC, as JSON has it."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def sex(value: object, lang: str) -> str:
    """性別 by its id (``male``, ``female``, ``not_applicable``, ``unknown``)."""
    key = f"say.sex.{value}"
    return messages.text(key, lang) if messages.has(key) else str(value)


def operation_words(operation: str, lang: str) -> str:
    """What was being done (``read input_support/my_number``) in the names of the specs; empty where there are none."""
    from kojin_card.spec import load_card_spec

    found = _OPERATION.fullmatch(operation)
    application = load_card_spec().applications.get(found["application"]) if found else None
    if found is None or application is None:
        return ""
    part = found["part"]
    named = application if part is None else application.files.get(part) or application.keys.get(part)
    key = f"say.operation.{found['action'].partition(' ')[0]}"
    if named is None or not messages.has(key):
        return ""
    name, where = ((one.name_ja if messages.language(lang) == "ja" else one.name_en) for one in (named, application))
    return messages.text(key, lang, name=name, application=where)


def person_json(holder: Any) -> dict[str, Any]:
    """The holder of a verdict."""
    return {
        "name": holder.name,
        "address": holder.address,
        "birth_date": None if holder.birth_date is None else holder.birth_date.isoformat(),
        "birth_date_text": holder.birth_date_text,
        "sex": str(holder.sex),
        "name_kana": holder.name_kana,
        "former_name": holder.former_name,
        "name_substitutes": list(holder.name_substitutes),
        "address_substitutes": list(holder.address_substitutes),
        "unknown_attributes": [other.oid for other in holder.unknown],
    }


def person_rows(holder: Any, console: Console) -> list[tuple[str, str]]:
    """The holder of a verdict for people, substitute characters named."""
    lang = console.lang
    rows = [
        (console.text("say.four.name"), holder.name),
        (console.text("say.four.address"), holder.address),
        (console.text("say.four.birth_date"), day(holder.birth_date, lang, holder.birth_date_text)),
        (console.text("say.four.sex"), sex(holder.sex, lang)),
    ]
    for what, places in (("name", holder.name_substitutes), ("address", holder.address_substitutes)):
        if places:
            positions = ", ".join(str(place + 1) for place in places)
            rows.append((console.text(f"say.four.{what}"), console.text("say.four.substitutes", positions=positions)))
    return rows
