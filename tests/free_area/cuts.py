"""A card whose power goes, at whichever command and whichever write of it; and a wire that loses what passes.

A write of the chip is one ``Memory.commit``. The power goes before it (nothing of it is kept) or after (all is kept,
and no answer leaves): what is between the two is for the chip's memory cell, and there is no third thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from free_area.world import soft_on
from kojin_card.errors import CardRemoved

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.simulator import CardState, SoftCard


class PowerLost(BaseException):
    """The power is gone: nothing that the chip does may catch it."""


class Cut(NamedTuple):
    """Where the power goes.

    Attributes:
        at: number of the command, from 0.
        write: number of the write within it, from 0; None: not at a write.
        kept: of a write: whether it was done. Without a write: whether the command was (its answer is lost).
    """

    at: int
    write: int | None
    kept: bool

    def __str__(self) -> str:
        place = "the command" if self.write is None else f"write {self.write}"
        return f"APDU {self.at}, {'after' if self.kept else 'before'} {place}"


class CuttingMemory:
    """Memory without a file that counts its writes and loses power at one of them."""

    def __init__(self, state: CardState) -> None:
        self._state = state
        self.writes = 0
        self.cut: tuple[int, bool] | None = None

    @property
    def state(self) -> CardState:
        """What was kept last."""
        return self._state

    def require_present(self) -> None:
        """It is always there."""

    def commit(self, state: CardState) -> None:
        """Keep it, or lose power."""
        number, self.writes = self.writes, self.writes + 1
        if self.cut == (number, False):
            raise PowerLost
        self._state = state
        if self.cut == (number, True):
            raise PowerLost

    def close(self) -> None:
        """Nothing is held."""


class Bench:
    """A connection to a card that loses power once.

    Attributes:
        sent: commands that came. writes: of each command. states: of the card, before the first and after each command.
        lost: the power is gone; nothing is answered any more.
    """

    description = "a card under test"

    def __init__(self, state: CardState, cut: Cut | None = None) -> None:
        self.memory = CuttingMemory(state)
        self.card: SoftCard = soft_on(self.memory)
        self.cut = cut
        self.sent = 0
        self.writes: list[int] = []
        self.states: list[CardState] = [state]
        self.commands: list[bytes] = []
        self.lost = False

    def transmit(self, command: bytes) -> bytes:
        """As the card, until the power goes."""
        if self.lost:
            raise CardRemoved("the card was removed", operation="transmit")
        number, self.sent = self.sent, self.sent + 1
        here = self.cut if self.cut is not None and self.cut.at == number else None
        if here is not None and here.write is None and not here.kept:
            self._lose()
        self.memory.writes = 0
        self.memory.cut = None if here is None or here.write is None else (here.write, here.kept)
        self.commands.append(command)
        try:
            answer = self.card.transmit(command)
        except PowerLost:
            self._lose()
        self.writes.append(self.memory.writes)
        self.states.append(self.memory.state)
        if here is not None:
            self._lose()
        return answer

    def reset(self) -> None:
        """Reset the card."""
        self.card.reset()

    @property
    def state(self) -> CardState:
        """What the card keeps."""
        return self.memory.state

    @property
    def atr(self) -> bytes:
        """The card's."""
        return self.card.atr

    def _lose(self) -> None:
        self.lost = True
        raise CardRemoved("the card was removed", operation="transmit")


@dataclass(frozen=True)
class Clean:
    """An operation that nothing disturbed: what it sent, wrote and left after each command."""

    commands: tuple[bytes, ...]
    writes: tuple[int, ...]
    states: tuple[CardState, ...]


def cuts_of(writes: tuple[int, ...]) -> list[Cut]:
    """Every place at which the power can go, where each command writes so often."""
    found = []
    for at, count in enumerate(writes):
        found.append(Cut(at, None, kept=False))
        found += [Cut(at, write, kept) for write in range(count) for kept in (False, True)]
        found.append(Cut(at, None, kept=True))
    return found


def undisturbed(state: CardState, operate: Callable[[Bench], object]) -> Clean:
    """Run an operation and note what passes."""
    bench = Bench(state)
    operate(bench)
    return Clean(tuple(bench.commands), tuple(bench.writes), tuple(bench.states))
