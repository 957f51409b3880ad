"""Days of Japan: what owners date and terminals judge by."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import TYPE_CHECKING

from kojin_card.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

JST = timezone(timedelta(hours=9), "JST")


def moment_of(clock: Callable[[], datetime]) -> datetime:
    """The time it is.

    Raises:
        UsageError: a clock without a zone.
    """
    now = clock()
    if now.utcoffset() is None:
        raise UsageError("a clock gives a time with a zone", operation="look at the clock")
    return now


def day_of(clock: Callable[[], datetime]) -> date:
    """The day it is in Japan."""
    return moment_of(clock).astimezone(JST).date()
