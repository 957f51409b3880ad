"""What the drivers share: the channel, and the secrets of one application."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kojin_card.errors import NotOnCard
from kojin_card.spec import KeyKind

if TYPE_CHECKING:
    from kojin_card.channel import CardChannel, PinStatus


class Driver:
    """One application of the card, by the names of its spec.

    Attributes:
        application: id of the application in the specs.
    """

    application: ClassVar[str]

    def __init__(self, channel: CardChannel) -> None:
        self._channel = channel

    def tries(self) -> tuple[PinStatus, ...]:
        """Every secret of the application with its tries left, in the order of the spec; costs no try.

        An application or key that this card does not have is told as ``present=False``.
        """
        return self.tries_if_there() or tuple(self._channel.absent_pin(self.application, key) for key in self._pins())

    def tries_if_there(self) -> tuple[PinStatus, ...]:
        """As :meth:`tries`, but nothing at all of an application that the card does not have."""
        try:
            self._channel.select(self.application)
        except NotOnCard:
            return ()
        return tuple(self._channel.pin_status(self.application, key) for key in self._pins())

    def _pins(self) -> list[str]:
        return [key.id for key in self._channel.spec[self.application].keys.values() if key.kind is KeyKind.PIN]
