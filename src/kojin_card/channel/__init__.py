"""A card on a connection, low level: select, read, verify, change and sign, by the names of the specs."""

from kojin_card.channel.pin_status import PinStatus
from kojin_card.channel.secrets import PinArgument
from kojin_card.channel.session import CardChannel

__all__ = ["CardChannel", "PinArgument", "PinStatus"]
