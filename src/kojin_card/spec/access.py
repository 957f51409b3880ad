"""Access rules: closed by default, parsed once, decided in one place.

Grammar: ``always`` | ``never`` | alternatives joined by ``|``, each one or more terms joined by ``&``. A term is
``key:<id>`` (that key was verified in this application's security state) or ``role:<terminal|owner|issuer>`` (proved
by cryptography; the free area uses them). An omitted rule means never.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kojin_card.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

ROLES = frozenset({"terminal", "owner", "issuer"})
_TERM = re.compile(r"(key|role):([a-z][a-z0-9_]*)\Z")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do it: any of the alternatives, all terms of one. ``Access()`` is nobody, ever.

    Attributes:
        alternatives: each a non-empty set of terms like ``key:pin``.
        always: nothing needs to be shown.
    """

    alternatives: tuple[frozenset[str], ...] = ()
    always: bool = False

    @classmethod
    def parse(cls, rule: str) -> Access:
        """Read a rule.

        Raises:
            SpecError: it does not follow the grammar (``details`` has no file yet; the loader adds it).
        """
        if rule in ("always", "never"):
            return cls(always=rule == "always")
        alternatives = []
        for alternative in rule.split("|"):
            terms = [term.strip() for term in alternative.split("&")]
            for term in terms:
                match = _TERM.fullmatch(term)
                if not match or (match[1] == "role" and match[2] not in ROLES):
                    raise SpecError(f"not an access rule: {rule!r}")
            alternatives.append(frozenset(terms))
        return cls(tuple(alternatives))

    def allows(self, shown: AbstractSet[str]) -> bool:
        """The decision: ``shown`` holds the terms proved so far (``{"key:pin"}``)."""
        return self.always or any(alternative <= shown for alternative in self.alternatives)

    @property
    def keys(self) -> tuple[str, ...]:
        """Ids of the keys the rule names, in order of first mention, sorted within an alternative."""
        named = [t for alternative in self.alternatives for t in sorted(alternative) if t.startswith("key:")]
        return tuple(dict.fromkeys(t.removeprefix("key:") for t in named))

    def __str__(self) -> str:
        if self.always:
            return "always"
        return " | ".join(" & ".join(sorted(alternative)) for alternative in self.alternatives) or "never"
