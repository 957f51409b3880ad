"""Errors that only the command line has."""

from __future__ import annotations

from kojin_card.errors import InputError, KojinError, UsageError


class OutputExists(UsageError):
    """The file to be written is there already and ``--force`` was not given. ``details`` has ``file``."""

    code = "output_exists"


class OutputFailed(InputError):
    """The file cannot be written. ``details`` has ``file``."""

    code = "output_failed"


class DemoFailed(KojinError):
    """A step of the demonstration gave another outcome than it must. ``details`` has ``step``."""

    code = "demo_failed"
