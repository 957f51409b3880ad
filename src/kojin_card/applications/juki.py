"""住基AP: for 住基ネット terminals; a holder can see the tries of its PIN and change it (card.md §2.4)."""

from __future__ import annotations

from kojin_card.applications.base import Driver


class Juki(Driver):
    """Driver of 住基AP: the tries of its PIN. The PIN is changed together with the one of 共通カードAP:
    :func:`~kojin_card.applications.registry_pin.change_registry_pin`.
    """

    application = "juki"
