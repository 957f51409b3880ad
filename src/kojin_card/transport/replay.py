"""A connection that plays a trace back: for bug reports and tests. Strict: what was not recorded is not answered.

Where the trace masks data the answer is filled with invented data of the same length, which somebody declared: in the
trace itself (``= read jpki/auth_certificate: 3082...``) or here. Nothing is made up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kojin_card.errors import (
    Cancelled,
    CardBusy,
    CardFileBusy,
    CardRemoved,
    CardReset,
    DecodeError,
    InputError,
    KojinError,
    NoCard,
    NoReader,
    ReplayMismatch,
    TransportError,
)
from kojin_card.iso7816.apdu import CommandApdu

if TYPE_CHECKING:
    from kojin_card.transport.trace import Run, Trace, Turn

#: operation -> data for each of its runs (one for all of them is enough), or a function of operation and length
Synthetic = Mapping[str, bytes | tuple[bytes, ...]] | Callable[[str, int], bytes | None]

_FAILURES: Mapping[str, type[KojinError]] = {
    kind.code: kind
    for kind in (CardRemoved, CardReset, CardBusy, CardFileBusy, NoCard, NoReader, Cancelled, TransportError)
}


class Replay:
    """A card that says what a trace says, to the same commands in the same order.

    A command matches when its header and everything that the trace shows of it are the same; a secret is not looked at.

    Args:
        synthetic: invented data for what is masked; it comes before what the trace itself declares.
        description: what a prompt shows.

    Attributes:
        extended: as it was when the trace was made.
        played: how many commands were answered.

    Raises:
        InputError: declared data has not the length that is masked; says the line.
    """

    def __init__(self, trace: Trace, synthetic: Synthetic | None = None, *, description: str = "trace") -> None:
        self.description = description
        self.extended = trace.extended
        self.played = 0
        self._trace = trace
        self._filled = _fill(trace, {} if synthetic is None else synthetic)

    def transmit(self, command: bytes) -> bytes:
        """The recorded answer.

        Raises:
            ReplayMismatch: another command, none is left, or what is masked here was not declared; says the line.
            TransportError: the recorded failure, as it was.
        """
        turns = self._trace.turns
        if self.played >= len(turns):
            raise ReplayMismatch("the trace has ended", line=turns[-1].line if turns else 1)
        turn = turns[self.played]
        try:
            difference = turn.difference(CommandApdu.decode(command))
        except DecodeError:
            difference = "the form"
        if difference:
            raise ReplayMismatch(f"not as recorded: {difference}", operation=turn.operation, line=turn.line)
        if turn.sw is None:
            self.played += 1
            raise _FAILURES.get(turn.failure, TransportError)("as recorded", operation=turn.operation)
        answer = self._filled.get(self.played) if turn.answer is None else turn.answer
        if answer is None:
            raise ReplayMismatch("no data is declared for what is masked", operation=turn.operation, line=turn.line)
        self.played += 1
        return answer + turn.sw.to_bytes(2, "big")

    def reset(self) -> None:
        """Resets are not in a trace: nothing happens."""

    def finish(self) -> None:
        """Refuse to be done before everything was played.

        Raises:
            ReplayMismatch: a recorded command did not come; says the line.
        """
        if self.played < len(self._trace.turns):
            turn = self._trace.turns[self.played]
            raise ReplayMismatch("a recorded command did not come", operation=turn.operation, line=turn.line)


def _fill(trace: Trace, synthetic: Synthetic) -> dict[int, bytes]:
    """Data of the masked answers, as far as it is declared, by the turn's place."""
    filled: dict[int, bytes] = {}
    seen: dict[str, int] = {}
    for run in trace.runs():
        number = seen[run.operation] = seen.get(run.operation, -1) + 1
        data = _data_of(trace, synthetic, run, number)
        if data is None:
            continue
        first = trace.turns[run.turns[0]]
        if len(data) != run.length:
            raise _not_as_long(first)
        at = 0
        for place in run.turns:
            filled[place] = data[at : at + trace.turns[place].length]
            at += trace.turns[place].length
    return filled


def _data_of(trace: Trace, synthetic: Synthetic, run: Run, number: int) -> bytes | None:
    given = synthetic(run.operation, run.length) if callable(synthetic) else synthetic.get(run.operation)
    if isinstance(given, bytes):
        return given
    pieces = given or trace.declared.get(run.operation, ())
    return pieces[min(number, len(pieces) - 1)] if pieces else None


def _not_as_long(turn: Turn) -> InputError:
    why = f"declared data of another length than is masked (line {turn.line})"
    return InputError(why, operation=turn.operation, line=turn.line)
