"""What the slot applet keeps between two commands; it dies with SELECT and with the power."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Visit:
    """One stay at a slot."""
