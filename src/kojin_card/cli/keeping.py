"""``--evidence FOLDER``: one record for each document, written as soon as it was judged."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from kojin_card.cli.files import why, write_output
from kojin_card.cli.problems import OutputFailed
from kojin_card.verification.evidence import EvidenceProfile, EvidenceRecord

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from kojin_card.verdict import Verdict


class Keeper:
    """Keeps a record of each verdict, mode 0600, in a folder that is made with mode 0700 where there is none.

    Args:
        profile: ``minimal`` or ``hanshuho``.
        now: the time of recording.

    Attributes:
        count: records written.

    Raises:
        OutputFailed: the folder cannot be made.
    """

    def __init__(self, folder: Path, profile: str, now: datetime, *, force: bool) -> None:
        self.folder = folder
        self.count = 0
        self._profile = EvidenceProfile(profile)
        self._now = now
        self._force = force
        self._written: set[str] = set()
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except (OSError, ValueError) as bad:
            raise OutputFailed(why(bad), operation="keep evidence", file=folder.name) from bad

    def keep(self, verdict: Verdict, document: bytes, beside: Mapping[str, Any]) -> Verdict:
        """Write the record; gives the verdict without the certificate, which nobody needs any more.

        Args:
            beside: what came beside the document, by the names of :meth:`EvidenceRecord.of`.

        Raises:
            UsageError: the profile does not fit the document. OutputExists, OutputFailed: it cannot be written.
        """
        record = EvidenceRecord.of(verdict, document=document, recorded_at=self._now, profile=self._profile, **beside)
        if record.name not in self._written:  # the same file twice on the line is one document
            write_output(self.folder / record.name, record.to_json(), force=self._force, private=True)
            self._written.add(record.name)
            self.count += 1
        return dataclasses.replace(verdict, certificate=None)
