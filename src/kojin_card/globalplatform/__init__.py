"""GlobalPlatform, the terminal's side: SCP03 sessions, typed content management, keys and where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.exports import lazily

if TYPE_CHECKING:
    from kojin_card.globalplatform.content import ContentManager
    from kojin_card.globalplatform.file_master import FileMaster
    from kojin_card.globalplatform.hsm import Pkcs11Master
    from kojin_card.globalplatform.keys import MasterKey, StaticKeys, TrialKeys, diversify
    from kojin_card.globalplatform.registry import (
        DomainEntry,
        Entry,
        KeyInfo,
        LoadFileEntry,
        Registry,
        Resources,
        SlotEntry,
    )
    from kojin_card.globalplatform.scp03 import ManagedCard, Scp03Session, SecurityLevel, check_gate, open_session

_HOMES = {
    "content": ("ContentManager",),
    "file_master": ("FileMaster",),
    "hsm": ("Pkcs11Master",),
    "keys": ("MasterKey", "StaticKeys", "TrialKeys", "diversify"),
    "registry": ("DomainEntry", "Entry", "KeyInfo", "LoadFileEntry", "Registry", "Resources", "SlotEntry"),
    "scp03": ("ManagedCard", "Scp03Session", "SecurityLevel", "check_gate", "open_session"),
}
__all__ = [
    "ContentManager",
    "DomainEntry",
    "Entry",
    "FileMaster",
    "KeyInfo",
    "LoadFileEntry",
    "ManagedCard",
    "MasterKey",
    "Pkcs11Master",
    "Registry",
    "Resources",
    "Scp03Session",
    "SecurityLevel",
    "SlotEntry",
    "StaticKeys",
    "TrialKeys",
    "check_gate",
    "diversify",
    "open_session",
]

if not TYPE_CHECKING:  # a type checker must see the names above and nothing else
    __getattr__, __dir__ = lazily(__name__, _HOMES)
