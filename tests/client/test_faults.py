"""Whatever fails at whichever APDU: a typed error, a session that is over, and no PIN in anything that can be seen.

A table (tests/tables.py): every operation, every APDU of it, every fault and every failing status word.
"""

from __future__ import annotations

import io
import logging
import traceback
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest

from client.operations import (
    CHALLENGE,
    DUTY,
    OPERATIONS,
    Playback,
    Watched,
    conversation,
    planted,
    play,
    seed,
    soft_card,
    spec,
)
from kojin_card import Card
from kojin_card.errors import KojinError, TransportError
from kojin_card.simulator import SoftCard
from kojin_card.testing import FaultKind, FaultyConnection, every_fault
from tables import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.transport.base import Connection

EVERY = every_fault()
#: the connection fails, or what comes back is no answer
BROKEN = {name: fault for name, fault in EVERY.items() if fault.breaks}


def shown(error: BaseException) -> str:
    """Everything that an error could tell: message, repr, attributes, words, the whole chain and its traceback."""
    parts = ["".join(traceback.format_exception(error))]
    queue: list[BaseException | None] = [error]
    while queue:
        one = queue.pop()
        if one is None:
            continue
        parts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        if isinstance(one, KojinError):
            parts += [one.words(lang) + one.remedy(lang) for lang in ("ja", "en")]
        queue += [one.__cause__, one.__context__]
    return "\n".join(parts).lower()


def assert_clean(text: str, where: str) -> None:
    found = [number for number, value in enumerate(planted()) if value.lower() in text]
    assert not found, f"{where}: planted values {found} are visible"


def outcome(connection: Connection, name: str, log: io.StringIO) -> object:
    """What the operation gives, or the typed error that it raises; anything else goes through and fails the test."""
    try:
        return play(connection, name, lambda exchange: print(exchange, repr(exchange), file=log))
    except KojinError as error:
        return error


class Row(NamedTuple):
    """One fault at one APDU of one operation."""

    operation: str
    at: int
    kind: str

    def __str__(self) -> str:
        return f"{self.operation}, APDU {self.at}, {self.kind}"


#: 197 APDUs in 25 operations, each with 76 faults: typed, so that no operation, APDU or fault goes missing unseen
SIZE = 197 * 76

ROWS = [Row(name, at, kind) for name in sorted(OPERATIONS) for at in range(len(conversation(name))) for kind in EVERY]


def counters(card: SoftCard) -> dict[str, int]:
    """Tries left of every secret."""
    return {
        f"{app}/{key}": state.tries_left
        for app, application in card.state.applications.items()
        for key, state in application.keys.items()
        if state.tries_left is not None
    }


def burnt(before: dict[str, int], card: SoftCard) -> int:
    after = counters(card)
    return sum(max(0, before[name] - after[name]) for name in before)


def remembered(card: SoftCard) -> bool:
    """Whether the chip believes that anything was verified, or is in a session."""
    security = card._chip._context.security
    return bool(security._verified) or security.session is not None


#: A false answer can cost one try where what to show depends on answers: told that the old PIN is wrong at one of its
#: two places, the change shows the new one there; told that no PIN was set, the licence is shown the value for that.
LED_ASTRAY = {"change registry PIN", "licence"}


@cache
def secrets_of(name: str) -> int:
    """How often the operation shows or sets a secret when nothing goes wrong."""
    watched = Watched(FaultyConnection(Playback(conversation(name)), at=(), fault="nothing"))
    play(watched, name)
    return watched.secrets


@pytest.mark.parametrize("row", table("faults", ROWS, size=SIZE, sample=600))
def test_every_fault_at_every_apdu(
    row: Row, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a software card, so that what was really verified and burnt can be seen."""
    good, where, slept = conversation(row.operation), str(row), list[float]()
    caplog.set_level(logging.DEBUG)
    soft, log = SoftCard.in_memory(soft_card(row.operation), spec=spec()), io.StringIO()
    before = counters(soft)
    faulty = FaultyConnection(soft, at=row.at, fault=row.kind, sleep=slept.append)
    watched = Watched(faulty)
    result = outcome(watched, row.operation, log)
    if isinstance(result, KojinError):
        assert_clean(shown(result), where)
        assert result.operation, where
        assert result.remedy("ja"), where
        assert result.remedy("en"), where
    elif not isinstance(result, bytes):  # a certificate that was asked for holds the holder's name
        assert_clean(repr(result).lower(), where)
    if row.kind in BROKEN:
        assert isinstance(result, TransportError), where
        assert watched.sent == row.at + 1, f"{where}: something was sent after the failure"
    if faulty.fault.kind is FaultKind.DELAY:
        assert not isinstance(result, KojinError), where
        assert len(slept) == 1, where
    # twice: a card that refuses short EF identifiers is asked for everything with SELECT EF
    assert watched.sent <= 2 * len(good) + 8, f"{where}: {watched.sent} commands"
    assert watched.secrets <= secrets_of(row.operation), where
    assert burnt(before, soft) <= (row.operation in LED_ASTRAY), f"{where}: tries were burnt"
    assert not remembered(soft), f"{where}: the card still has something verified"
    assert_clean(log.getvalue().lower() + "".join(capsys.readouterr()).lower() + caplog.text.lower(), where)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_no_fault_makes_a_secret_go_out_twice(name: str) -> None:
    good = conversation(name)
    for at in range(len(good)):
        for fault in EVERY.values():
            watched = Watched(FaultyConnection(Playback(good), at=at, fault=fault, sleep=lambda _: None))
            outcome(watched, name, io.StringIO())
            assert watched.secrets <= secrets_of(name)


#: operations with a wrong secret: each burns one try when nothing goes wrong
WRONG: dict[str, Callable[[Card], object]] = {
    "four by PIN": lambda card: card.input_support.read_basic_four("0000"),
    "four by code B": lambda card: card.input_support.read_basic_four(code_b="02080320369999"),
    "sign": lambda card: card.jpki.certificate("sign", "WRONG9"),
    "authenticate": lambda card: card.jpki.authenticate("0000", CHALLENGE),
    "change": lambda card: card.channel.change("jpki", "auth_pin", "0000", "1111"),
    "change registry PIN": lambda card: card.change_pin("registry", "0000", "1111"),
    "face": lambda card: card.card_face.read_face(code_b="02080320369999"),
    "age": lambda card: card.card_face.read_age("010101"),
    "my number by code A": lambda card: card.input_support.read_my_number(code_a="000000000000", duty=DUTY),
    "licence": lambda card: card.licence.read("0000"),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_no_fault_burns_a_second_try(name: str) -> None:
    """The secret is wrong, and then something fails: one try is gone at most."""

    def lost(at: int | tuple[()], fault: str) -> tuple[int, int]:
        soft = SoftCard.in_memory(soft_card(name), spec=spec())
        before = counters(soft)
        watched = Watched(FaultyConnection(soft, at=at, fault=fault, sleep=lambda _: None))
        with pytest.raises(KojinError), Card(watched, spec=spec(), random=seed) as card:
            WRONG[name](card)
        assert not remembered(soft)
        return burnt(before, soft), watched.sent

    burnt_normally, length = lost((), "nothing")
    assert burnt_normally == 1
    for at in range(length):
        for fault in EVERY:
            assert lost(at, fault)[0] <= 1, (at, fault)


def test_a_broken_session_stays_broken() -> None:
    good = conversation("four by PIN")
    for kind, fault in BROKEN.items():
        watched = Watched(FaultyConnection(Playback(good), at=1, fault=fault))
        card = Card(watched)
        with pytest.raises(TransportError):
            OPERATIONS["four by PIN"](card)
        for operate in OPERATIONS.values():
            with pytest.raises(TransportError, match="over"):
                operate(card)
        assert watched.sent == 2, kind


def test_the_conversations_are_real() -> None:
    """Nothing above would mean anything if the recorded operations were empty or failed."""
    lengths = {name: len(conversation(name)) for name in OPERATIONS}
    assert lengths["four by PIN"] == 4
    assert lengths["status"] == 16
    assert lengths["change registry PIN"] == 13
    assert lengths["four, proved"] == 13
    assert lengths["face"] > 10
    # select, counter, PIN, two READs of EF 0006, key delivery, SELECT and READ (or counter and VERIFY) in the session
    assert [lengths[name] for name in lengths if name.startswith("secure")] == [8, 8, 8]
    assert min(lengths.values()) >= 2
    for name in OPERATIONS:
        play(Playback(conversation(name)), name)


def test_every_kind_of_fault_is_in_the_table() -> None:
    """Issue 4 §4: removal, timeout, truncated, oversized, wrong status, bit flips, delay, reset by others."""
    assert {fault.kind for fault in EVERY.values()} == set(FaultKind)
    assert len(BROKEN) == 10
