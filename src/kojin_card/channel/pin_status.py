"""What a card says of a secret without being given it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PinStatus:
    """What the card says of one secret without being given it.

    Attributes:
        application, key: ids of the specs.
        secret: the name in ``--secrets`` files.
        tries_left: None when the card does not count (6300), says that it is verified (9000), or has no such key.
        tries: how many there are when none was spent; None when no source says.
        present: whether the card has the key at all.
    """

    application: str
    key: str
    secret: str
    name_ja: str
    name_en: str
    tries_left: int | None
    tries: int | None
    present: bool = True

    @property
    def blocked(self) -> bool:
        """Whether no try is left."""
        return self.tries_left == 0
