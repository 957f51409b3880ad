"""What judged, as one digest: two verdicts with the same ``policy_sha256`` were given by the same rules and trust.

SHA-256 over JSON (keys sorted, no spaces, ASCII) of everything that can change an answer but is not the evidence of
one case: the table of reasons, the certificate profiles, the algorithms and their bounds, the anchors by SHA-256, the
trusted TSAs by SHA-256, and the settings. Not in it: the engine's version, which stands beside it; the lists and
answers that were used, which the verdict names; the clock.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from kojin_card.pki import algorithms
from kojin_card.verdict import REASONS, CheckId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.pki.revocation import RevocationSource
    from kojin_card.pki.trust import TrustStore
    from kojin_card.pki.tsa import TsaStore

#: changes whenever the digest is made of other things, or in another way
FORM = "kojin-card-policy/1"
#: settings of a source that are looked for by these names, when they are durations
_DURATIONS = ("max_age", "grace")


def digest(settings: Mapping[str, object]) -> str:
    """The digest of the package's own tables and of ``settings`` (JSON values), 64 hex digits."""
    whole = {"form": FORM, "tables": _tables(), **settings}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@lru_cache(maxsize=64)
def of_verifier(
    trust: TrustStore, tsa: TsaStore | None, source: tuple[tuple[str, str], ...], settings: tuple[tuple[str, str], ...]
) -> str:
    """The digest of what a verifier judges by.

    Args:
        source: see :func:`of_source`.
        settings: the verifier's own, in words.
    """
    return digest(
        {
            "store": str(trust.store),
            "anchors": sorted(f"{anchor.purpose}:{anchor.sha256.hex()}" for anchor in trust.anchors),
            "tsa": None if tsa is None else sorted(anchor.sha256 for anchor in tsa.anchors),
            "revocation": dict(source),
            "settings": dict(settings),
        }
    )


def of_source(source: RevocationSource | None) -> tuple[tuple[str, str], ...]:
    """What a revocation source is and how it is set: its class, and ``max_age`` and ``grace`` where it has them.

    A source with more settings that change its answers has ``policy() -> Mapping[str, str]``; of one that asks several
    (``sources``, as :class:`~kojin_card.pki.ocsp_source.Combined`) each is told by its place.
    """
    if source is None:
        return ()
    kind = type(source)
    found = {"source": f"{kind.__module__}.{kind.__qualname__}"}
    for name in _DURATIONS:
        value = getattr(source, name, None)
        if isinstance(value, timedelta):
            found[name] = f"{value.total_seconds():.15g}s"
    own = getattr(source, "policy", None)
    if callable(own):
        try:
            found |= {str(name): str(value) for name, value in own().items()}
        except Exception as bad:  # a source of the caller's may do anything, and a verdict is given all the same
            found["policy"] = type(bad).__name__
    for place, one in enumerate(getattr(source, "sources", ())):
        found |= {f"{place}.{name}": value for name, value in of_source(one)}
    return tuple(sorted(found.items()))


@lru_cache(maxsize=1)
def _tables() -> Mapping[str, object]:
    return {
        "reasons": {reason: [str(one.indication), str(one.sub_indication)] for reason, one in REASONS.items()},
        "checks": [str(check) for check in CheckId],
        "profiles": _file_sha256("profiles.toml"),
        "algorithms": sorted(algorithms.accepted()),
        "rsa": [algorithms.MIN_RSA_BITS, algorithms.MAX_RSA_BITS, algorithms.EXPONENT],
    }


def _file_sha256(name: str) -> str:
    """Over its lines, so that a checkout with other line ends is the same policy."""
    text = files("kojin_card.pki").joinpath("data", name).read_text("utf-8")
    return hashlib.sha256("\n".join(text.splitlines()).encode("utf-8")).hexdigest()
