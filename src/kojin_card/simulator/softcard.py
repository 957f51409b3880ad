"""The software card as a connection: what a client, a test or a virtual reader holds in its hand."""

from __future__ import annotations

import contextlib
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kojin_card.errors import CardRemoved, InputError
from kojin_card.simulator.cardfile import CardFile, create_card_file, look_at_card_file
from kojin_card.simulator.chip import Chip
from kojin_card.simulator.memory import VolatileMemory
from kojin_card.spec.load import load_card_spec

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from types import TracebackType

    from kojin_card.simulator.memory import Memory
    from kojin_card.simulator.state import CardState
    from kojin_card.spec.model import CardSpec


class SoftCard:
    """A card in power. Use one of the class methods; as a context manager it is closed at the end.

    One command at a time: threads wait for each other, as at a card's contacts.

    Attributes:
        description: what a prompt shows of it.
    """

    def __init__(
        self,
        memory: Memory,
        description: str,
        *,
        spec: CardSpec | None = None,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.description = description
        self._memory = memory
        self._lock = threading.Lock()
        self._closed = False
        self._spec = load_card_spec() if spec is None else spec
        self._random = random
        self._chip = Chip(self._spec, memory, random)

    @classmethod
    def in_memory(
        cls,
        state: CardState,
        *,
        spec: CardSpec | None = None,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> Self:
        """A card that is gone when the object is."""
        return cls(VolatileMemory(state), f"software card ({state.persona})", spec=spec, random=random)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        wait_seconds: float = 5.0,
        waiting: Callable[[], None] | None = None,
    ) -> Self:
        """The card in a file, which stays locked until :meth:`close`; ``waiting`` is called once when another process
        has it and does not let go at once.

        Raises:
            InputError: no card file, one that is damaged, or one of several names (hard links).
            CardFileBusy: another process still held it after ``wait_seconds``.
        """
        spec = load_card_spec()
        memory = CardFile(Path(path), spec, wait_seconds=wait_seconds, waiting=waiting)
        return cls(memory, Path(path).name, spec=spec)

    @classmethod
    def create(cls, path: str | os.PathLike[str], state: CardState, *, replace: bool = False) -> Self:
        """Write a new card file and open it.

        Args:
            replace: take the place of a file of that name, at once or not at all.

        Raises:
            InputError: there is already something of that name, or it cannot be written there.
            CardFileBusy: the card that is to be replaced is in use.
        """
        spec = load_card_spec()
        create_card_file(Path(path), state, spec, replace=replace)
        return cls(CardFile(Path(path), spec, wait_seconds=5.0), Path(path).name, spec=spec)

    @staticmethod
    def look(path: str | os.PathLike[str]) -> CardState:
        """What the card in a file is now, also while another process has it open (in a reader, for instance).

        Raises:
            InputError: no card file, or one that is damaged.
        """
        return look_at_card_file(Path(path), load_card_spec())

    @classmethod
    def rewrite(
        cls, path: str | os.PathLike[str], change: Callable[[CardState], CardState], *, wait_seconds: float = 5.0
    ) -> CardState:
        """Change what a card in a file is, while nobody uses it: ``change`` gives the new state, which is returned.

        Raises:
            InputError: as :meth:`open`, or the new state cannot be written; the file is then what it was.
            CardFileBusy: another process still held it after ``wait_seconds``.
        """
        memory = CardFile(Path(path), load_card_spec(), wait_seconds=wait_seconds)
        try:
            state = change(memory.state)
            memory.commit(state)
        except OSError as bad:
            words = bad.strerror or "the card file cannot be written"
            raise InputError(words, operation="set a software card", file=Path(path).name) from None
        finally:
            memory.close()
        return state

    @property
    def state(self) -> CardState:
        """Everything persistent, as it is now."""
        return self._memory.state

    @property
    def atr(self) -> bytes:
        """Answer to reset (card.md §5)."""
        return self._memory.state.atr

    def transmit(self, command: bytes) -> bytes:
        """The answer to a command: data and status word. Whatever comes in, it answers and does not raise.

        What the answer depends on is on disk before it is returned.

        Raises:
            CardRemoved: after :meth:`close`, as from a reader without a card; in a forked process, for a card in a
                file: what is in its memory would be a second card.
        """
        with self._lock:
            if self._closed:
                raise CardRemoved("the software card was closed", operation="transmit")
            with contextlib.suppress(OSError):  # a card file that was taken away: the chip answers for itself
                self._memory.require_present()
            return self._chip.process(bytes(command))

    def alter(self, change: Callable[[CardState], CardState]) -> None:
        """Change what the card is while it is in power, between two commands.

        What was verified stays so, as on a card whose counter somebody else could reach; but a card that follows other
        readings of the specs from now on starts anew.

        Raises:
            CardRemoved: the card was closed, or is another process's.
            InputError: the new state cannot be kept, and the card is what it was.
        """
        with self._lock:
            if self._closed:
                raise CardRemoved("the software card was closed", operation="set a software card")
            before = self._memory.state.knobs.variants
            try:
                self._memory.commit(change(self._memory.state))
            except OSError as bad:
                words = bad.strerror or "the card file cannot be written"
                raise InputError(words, operation="set a software card", file=self.description) from None
            if self._memory.state.knobs.variants != before:
                self._chip = Chip(self._spec, self._memory, self._random)

    def reset(self) -> None:
        """Warm reset: the security state is gone."""
        with self._lock:
            self._chip.reset()

    def power_off(self) -> None:
        """Power loss and, with the next command, power again: the security state is gone, nothing else."""
        self.reset()

    def close(self) -> None:
        """Let go of the card file. Closing twice does no harm."""
        with self._lock:
            self._closed = True
            self._chip.reset()
            self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SoftCard({self.description!r})"
