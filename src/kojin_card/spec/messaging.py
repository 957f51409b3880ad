"""What an applet spec says of secure messaging (card.md §4.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kojin_card.spec.access import Access
    from kojin_card.spec.model import Evidence


@dataclass(frozen=True, slots=True)
class SecureMessagingSpec:
    """What an application makes of the delivery of a session key, ``80 AE`` (card.md §4.7).

    Attributes:
        key_file: id of the file with the public key that the session key is encrypted for; empty where it is refused.
        after: what must be verified before; never where it is refused.
        refused: the status word of the refusal; None where it is taken.
    """

    key_file: str
    after: Access
    refused: int | None
    evidence: Evidence
