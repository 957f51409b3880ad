"""The free area of a card that is handed out: nothing in it, and the public trial keys on it."""

from __future__ import annotations

from kojin_card.simulator.content import ContentState, DomainState
from kojin_card.simulator.management import keys, registry
from kojin_card.spec.free_area import globalplatform_spec


def new_content() -> ContentState:
    """An empty free area under the issuer's domain, which everybody's keys open: a test card."""
    aid = globalplatform_spec().aid("isd")
    return ContentState(DomainState(aid, registry.SECURED, registry.ISSUERS_PRIVILEGES, keys=(keys.trial_set(),)))
