"""The version of the distribution: a leaf, because a verdict names the engine that gave it."""

from __future__ import annotations

#: a test holds it against pyproject.toml (importlib.metadata would cost every start)
__version__ = "0.1.0"
