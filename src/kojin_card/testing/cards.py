"""Software cards for tests: made by persona, with the secrets that open them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from kojin_card.errors import UsageError
from kojin_card.secret import Secret
from kojin_card.simulator import Knobs, SoftCard, load_persona, make_card
from kojin_card.simulator.settings import with_tries
from kojin_card.simulator.testpki import TestPki
from kojin_card.spec import load_card_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.simulator import CardState, Persona


@cache
def test_pki() -> TestPki:
    """The declared test PKI (read once: it is frozen data)."""
    return TestPki.load()


test_pki.__test__ = False  # type: ignore[attr-defined]  # no test, whatever pytest thinks of its name


def issued_before(now: datetime) -> datetime:
    """When a card that is used at ``now`` was issued: the day before, at midnight UTC; so a day's cards are the same.

    Raises:
        UsageError: the time has no zone.
    """
    if now.utcoffset() is None:
        raise UsageError("a clock needs its zone")
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=1)


@lru_cache(maxsize=128)
def card_state(persona: str, issued_at: datetime, knobs: Knobs | None = None) -> CardState:
    """A persona's card as delivered, made once (a state is frozen; issuing its certificates is what takes time)."""
    return make_card(persona, now=issued_at, knobs=knobs)


def new_card(
    persona: str | Persona = "adult",
    *,
    issued_at: datetime,
    tries: Mapping[str, int] | None = None,
    fresh_keys: bool = False,
    **knobs: Any,
) -> CardState:
    """A card as delivered, or as ``tries`` says.

    Args:
        persona: one of ``kojin-card simulator new --help``, or a persona of the caller's.
        tries: tries left of secrets by the names of :func:`pin`; 0 is blocked.
        fresh_keys: keys that nobody else has, in place of the worthless ones of the pool (about a second).
        knobs: settings of :class:`~kojin_card.simulator.Knobs`.

    Raises:
        UsageError: no such persona, secret or number of tries; a card that cannot be issued at that time.
        TypeError: no such knob.
    """
    settings = Knobs(**knobs)
    if isinstance(persona, str) and not fresh_keys:
        state = card_state(persona, issued_at, settings)
    else:
        state = make_card(persona, now=issued_at, knobs=settings, fresh_keys=fresh_keys)
    for name, left in (tries or {}).items():
        state = with_tries(state, load_card_spec(), name, left)
    return state


def pin(whose: str | SoftCard, name: str) -> Secret:
    """A secret of a persona, or the one that a software card has now.

    Args:
        whose: a persona's id, or the card.
        name: as ``--secrets`` files call it: ``pin`` 券面事項入力補助用, ``auth-pin`` 利用者証明用, ``sign-password``
            署名用, ``registry-pin`` 住民基本台帳用, ``code-a`` 照合番号A; of a card also ``code-b`` 照合番号B and
            ``birth-code``, which hold the card's expiry and the birthday.

    Raises:
        UsageError: no such persona or secret, or one that this card does not have.
    """
    places = _places(name)
    if isinstance(whose, SoftCard):
        applications = whose.state.applications
        found = [
            applications[app].keys[key].secret
            for app, key in places
            if app in applications and key in applications[app].keys
        ]
        value: bytes | str | None = next((secret for secret in found if secret is not None), None)
    else:
        persona = load_persona(whose)
        value = next((persona.pins[place] for place in places if place in persona.pins), None)
        if name == "code-a" and value is None:
            value = persona.my_number
    if value is None:
        raise UsageError("no such secret there (a code that is computed wants the card itself)", secret=name)
    return Secret(value)


def _places(name: str) -> list[tuple[str, str]]:
    """Application and key of every reference that the specs call by this name."""
    found = [
        (application, key.id)
        for application, spec in load_card_spec().applications.items()
        for key in spec.keys.values()
        if key.secret == name
    ]
    if not found:
        raise UsageError("no secret of that name", secret=name)
    return found
