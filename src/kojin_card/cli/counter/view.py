"""What ``slot list`` draws: AIDs only, one owner's domain, or the whole area with its room as bars."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from kojin_card.cli.console import can_show
from kojin_card.cli.render import Block, Fields, Heading, Line, Role, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kojin_card.cli.console import Console
    from kojin_card.slots import Area, DomainView, OwnerStore, SlotView
    from kojin_card.spec.service import Service

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


def owner_words(owner: object, owners: OwnerStore | None, lang: str) -> str:
    """An owner with its name, where one is known."""
    name = owner_name(owner, owners, lang)
    return f"{name} ({owner})" if name else str(owner)


def owner_name(owner: object, owners: OwnerStore | None, lang: str) -> str:
    """An owner's name; empty where none is known."""
    known = None if owners is None else owners.find(owner)  # type: ignore[arg-type]
    if known is None:
        return ""
    return str(known.name_ja if lang == "ja" else known.name_en)
