"""Where a card's persistent bytes are kept while it is in use: the protocol, and the version without a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kojin_card.simulator.state import CardState


class Memory(Protocol):
    """Persistent memory. What :meth:`commit` has taken survives the loss of everything else."""

    @property
    def state(self) -> CardState:
        """What was committed last."""
        ...

    def require_present(self) -> None:
        """Refuse when what is kept is no longer this card's alone, so that :attr:`state` may not be told.

        Raises:
            CardRemoved: the card is another process's.
            OSError: it was taken away.
        """
        ...

    def commit(self, state: CardState) -> None:
        """Keep ``state``; when this returns, it is safe.

        Raises:
            OSError: it could not be kept; :attr:`state` is as before.
        """
        ...

    def close(self) -> None:
        """Let go of whatever is held."""
        ...


class VolatileMemory:
    """A card that lives as long as the object, for tests and for a look."""

    def __init__(self, state: CardState) -> None:
        self._state = state

    @property
    def state(self) -> CardState:
        return self._state

    def require_present(self) -> None:
        """It is always there."""

    def commit(self, state: CardState) -> None:
        self._state = state

    def close(self) -> None:
        """Nothing is held."""
