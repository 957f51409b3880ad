"""Whatever fails at whichever APDU of a check: a typed error or a verdict, no secret twice, and nothing shown.

What a check says next depends on what it was told, so the faults are put into the answers of a software card that goes
on (``test_faults`` plays conversations back).
"""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest

from client.operations import TEXT_PIN, code_b, spec, state
from client.test_faults import BROKEN, EVERY, assert_clean, shown
from kojin_card import Card
from kojin_card.errors import KojinError, TransportError
from kojin_card.simulator import SoftCard
from kojin_card.verdict import Indication, Verdict
from tables import table

if TYPE_CHECKING:
    from collections.abc import Callable


class Live:
    """A software card whose answer to one command is changed on its way.

    Attributes:
        sent: how many commands came. secrets: how many of them were VERIFY with data.
    """

    def __init__(self, at: int, fault: Callable[[bytes, bytes], bytes]) -> None:
        self.card = SoftCard.in_memory(state(), spec=spec())
        self.at, self.fault = at, fault
        self.sent = self.secrets = 0

    def transmit(self, command: bytes) -> bytes:
        number, self.sent = self.sent, self.sent + 1
        self.secrets += command[1] == 0x20 and len(command) > 4
        answer = self.card.transmit(command)
        return self.fault(command, answer) if number == self.at else answer


def check(live: Live, log: io.StringIO) -> Verdict | KojinError:
    card = Card(live, spec=spec(), observer=lambda exchange: print(exchange, repr(exchange), file=log))
    try:
        return card.check_authenticity("simulator", pin=TEXT_PIN, code_b=code_b().decode())
    except KojinError as error:
        return error


@cache
def length() -> int:
    live = Live(-1, EVERY["nothing"])
    assert isinstance(found := check(live, io.StringIO()), Verdict)
    assert found.indication is Indication.TOTAL_PASSED
    assert live.secrets == 2
    return live.sent


class Row(NamedTuple):
    """One fault at one APDU."""

    at: int
    kind: str

    def __str__(self) -> str:
        return f"APDU {self.at}, {self.kind}"


#: 54 APDUs, each with 61 faults
SIZE = 54 * 61
ROWS = [Row(at, kind) for at in range(length()) for kind in EVERY]


@pytest.mark.parametrize("row", table("check faults", ROWS, size=SIZE, sample=200))
def test_every_fault_at_every_apdu_of_a_check(row: Row) -> None:
    live, log = Live(row.at, EVERY[row.kind]), io.StringIO()
    found = check(live, log)
    where = str(row)
    assert live.secrets <= 2, where
    assert_clean(log.getvalue().lower(), where)
    if isinstance(found, KojinError):
        assert found.operation, where
        assert_clean(shown(found), where)
    else:
        assert_clean(repr(found).lower(), where)
    if row.kind in BROKEN:
        assert isinstance(found, TransportError), where
        assert live.sent == row.at + 1, f"{where}: something was sent after the failure"
