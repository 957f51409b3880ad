"""Where this program keeps what outlives a run: trust anchors, revocation lists, challenges that were given out."""

from __future__ import annotations

import os
from pathlib import Path

#: a folder that replaces all of the defaults (for services, and for trying things out)
ENVIRONMENT = "KOJIN_CARD_CONFIG"
_APP = "kojin-card"


def trust_folder() -> Path:
    """Trust anchors that were added."""
    return _config() / "trust"


def owners_file() -> Path:
    """The owners of slots whose records are believed (``owners.toml``)."""
    return _config() / "owners.toml"


def revocation_folder() -> Path:
    """Revocation lists that were added."""
    return _state() / "revocation"


def challenge_store() -> Path:
    """The SQLite file of challenges that wait for their proofs."""
    return _state() / "challenges.db"


def hand_over_ledger() -> Path:
    """Which hand-overs of moved slots were taken over at this desk, and to whom it handed its own over."""
    return _state() / "hand-overs"


def control_folder() -> Path:
    """The control sockets of software cards that are served in a virtual reader."""
    return _state() / "control"


def _config() -> Path:
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_config_dir(_APP, appauthor=False))


def _state() -> Path:
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_state_dir(_APP, appauthor=False))
