"""What ``slot list`` draws: AIDs only, one owner's domain, or the whole area with its room as bars."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from kojin_card import messages
from kojin_card.cli.console import can_show
from kojin_card.cli.render import Block, Fields, Heading, Line, Role, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kojin_card.cli.console import Console
    from kojin_card.slots import Area, DomainView, OwnerStore
    from kojin_card.spec.owner import Owner

_WIDTH = 24
_STATE_ROLES = {
    "active": Role.GOOD,
    "suspended": Role.UNSURE,
    "terminated": Role.FAINT,
    "installed": Role.FAINT,
    "personalized": Role.PLAIN,
}


def bar(used: int, total: int, *, fancy: bool, width: int = _WIDTH) -> str:
    """Room as a bar: what is used, and the rest; anything used shows, and only a full one looks full."""
    if total <= 0:
        return ""
    filled = min(width, used * width // total)
    if used > 0 and filled == 0:
        filled = 1
    if used < total and filled == width:
        filled = width - 1
    full, empty = ("█", "░") if fancy else ("#", ".")
    return full * filled + empty * (width - filled)


def room_words(used: int, total: int, console: Console) -> str:
    """A bar, and the numbers beside it."""
    numbers = console.text("slots.list.room", used=used, total=total, percent=round(100 * used / total) if total else 0)
    if console.plain:
        return numbers
    drawn = bar(used, total, fancy=can_show("█░", sys.stdout))
    return f"{drawn}  {numbers}"


def shown_aid(aid: bytes) -> str:
    """An AID as people and programs write it."""
    return aid.hex().upper()


def owner_words(owner: Owner, owners: OwnerStore | None, lang: str) -> str:
    """An owner with its name, where one is known."""
    name = owner_name(owner, owners, lang)
    return f"{name} ({owner})" if name else str(owner)


def owner_name(owner: Owner, owners: OwnerStore | None, lang: str) -> str:
    """An owner's name; empty where none is known."""
    known = None if owners is None else owners.find(owner)
    if known is None:
        return ""
    return known.name_ja if lang == "ja" else known.name_en


def area_blocks(area: Area, owners: OwnerStore | None, console: Console) -> list[Block]:
    """The whole area, for the card's issuer: room, and each owner with its slots."""
    text = console.text
    blocks: list[Block] = [
        Heading(text("slots.list.area")),
        Fields(
            [
                (text("slots.list.used"), room_words(area.total - area.free, area.total, console)),
                (text("slots.list.state"), text(f"slots.card_state.{_known_card_state(area.card_state)}")),
            ]
        ),
    ]
    for domain in area.domains:
        blocks += domain_blocks(domain, owners, console)
    if not area.domains:
        blocks.append(Line(text("slots.list.no_owners")))
    return blocks


def _known_card_state(state: str) -> str:
    return state if messages.has(f"slots.card_state.{state}") else "other"


def domain_blocks(domain: DomainView, owners: OwnerStore | None, console: Console) -> list[Block]:
    """An owner's domain as the card's issuer sees it."""
    text = console.text
    blocks: list[Block] = [
        Heading(owner_words(domain.owner, owners, console.lang), wrap=True),
        Fields(
            [
                (text("slots.list.used"), room_words(domain.used, domain.quota, console)),
                (text("slots.list.state"), text(f"slots.domain_state.{domain.state}")),
                (text("slots.list.domain"), shown_aid(domain.aid)),
            ]
        ),
    ]
    if domain.slots:
        blocks.append(slot_table([(one.aid, "locked" if one.locked else one.state) for one in domain.slots], console))
    else:
        blocks.append(Line(f"  {text('slots.list.no_slots')}", Role.FAINT))
    return blocks


def slot_table(slots: Sequence[tuple[bytes, str]], console: Console, names: Mapping[bytes, str] | None = None) -> Table:
    """Slots with their states, and what they are where that is known."""
    text = console.text
    header = [text("slots.list.aid"), text("slots.list.state")]
    rows = [[shown_aid(aid), text(f"slots.state.{state}")] for aid, state in slots]
    if names is not None:
        header.append(text("slots.list.service"))
        rows = [[*row, names.get(aid, "")] for row, (aid, _) in zip(rows, slots, strict=True)]
    return Table(header, rows, [_STATE_ROLES.get(state, Role.UNSURE) for _, state in slots])


def domain_json(domain: DomainView) -> dict[str, Any]:
    """An owner's domain."""
    return {
        "aid": shown_aid(domain.aid),
        "owner": str(domain.owner),
        "state": domain.state,
        "quota": domain.quota,
        "used": domain.used,
        "slots": [{"aid": shown_aid(one.aid), "state": one.state, "locked": one.locked} for one in domain.slots],
    }
