"""Another reading of an application, as an applet spec has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.spec.access import Access
    from kojin_card.spec.model import Evidence


@dataclass(frozen=True, slots=True)
class VariantSpec:
    """Another reading of an application: a kind of card that differs, or what a source says that was not followed.

    Attributes:
        aid: the name it is selected by instead; empty when that is the same.
        read: other access rules, by file.
        file_ids: other file ids, by file or key.
        last_command: the last-command indicator (``80 FC``) answers.
    """

    id: str
    name_en: str
    name_ja: str
    evidence: Evidence
    aid: bytes = b""
    read: Mapping[str, Access] = field(default_factory=dict)
    file_ids: Mapping[str, bytes] = field(default_factory=dict)
    last_command: bool = False
