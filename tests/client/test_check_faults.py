"""Whatever fails at whichever APDU of a check: a typed error or a verdict, no secret twice, and nothing shown.

What a check says next depends on what it was told, so the faults are put between it and a software card that goes on.
"""

from __future__ import annotations

import io
from functools import cache
from typing import NamedTuple

import pytest

from client.operations import TEXT_PIN, Watched, code_b, spec, state
from client.test_faults import BROKEN, EVERY, assert_clean, shown
from kojin_card import Card
from kojin_card.errors import KojinError, TransportError
from kojin_card.simulator import SoftCard
from kojin_card.testing import FaultyConnection
from kojin_card.verdict import Indication, Verdict
from tables import table


def live(at: int | tuple[()], fault: str) -> Watched:
    """A software card with a fault at one command of its conversation."""
    soft = SoftCard.in_memory(state(), spec=spec())
    return Watched(FaultyConnection(soft, at=at, fault=fault, sleep=lambda _: None))


def check(watched: Watched, log: io.StringIO) -> Verdict | KojinError:
    card = Card(watched, spec=spec(), observer=lambda exchange: print(exchange, repr(exchange), file=log))
    try:
        return card.check_authenticity("simulator", pin=TEXT_PIN, code_b=code_b().decode())
    except KojinError as error:
        return error


@cache
def length() -> int:
    watched = live((), "nothing")
    assert isinstance(found := check(watched, io.StringIO()), Verdict)
    assert found.indication is Indication.TOTAL_PASSED
    assert watched.secrets == 2
    return watched.sent


class Row(NamedTuple):
    """One fault at one APDU."""

    at: int
    kind: str

    def __str__(self) -> str:
        return f"APDU {self.at}, {self.kind}"


#: 54 APDUs, each with 76 faults
SIZE = 54 * 76
ROWS = [Row(at, kind) for at in range(length()) for kind in EVERY]


@pytest.mark.parametrize("row", table("check faults", ROWS, size=SIZE, sample=200))
def test_every_fault_at_every_apdu_of_a_check(row: Row) -> None:
    watched, log = live(row.at, row.kind), io.StringIO()
    found = check(watched, log)
    where = str(row)
    assert watched.secrets <= 2, where
    assert_clean(log.getvalue().lower(), where)
    if isinstance(found, KojinError):
        assert found.operation, where
        assert_clean(shown(found), where)
    else:
        assert_clean(repr(found).lower(), where)
    if row.kind in BROKEN:
        assert isinstance(found, TransportError), where
        assert watched.sent == row.at + 1, f"{where}: something was sent after the failure"
