"""What somebody may set on a card that is made: counters, secrets as the municipal counter resets them, behaviour.

Every function takes a frozen state and gives another; :meth:`.softcard.SoftCard.rewrite` puts it into the file, and
:meth:`.softcard.SoftCard.alter` into a card that is in power.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from kojin_card.errors import SecretFormatError, UsageError
from kojin_card.iso7816.status import SW
from kojin_card.simulator.security import has_form
from kojin_card.simulator.state import WHEN_MADE, Knobs
from kojin_card.spec.model import KeyKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kojin_card.simulator.persona import Reference
    from kojin_card.simulator.state import CardState, KeyState
    from kojin_card.spec.model import CardSpec, KeySpec

_OPERATION = "set a software card"
_VARIANTS = "variants"
_SWITCH = {"on": True, "off": False}
#: settings that are no switch: what may be written for each value
_CHOICES: dict[str, dict[str, int | None]] = {
    "blocked_sw": {f"{sw:04X}": sw for sw in (SW.REFERENCE_DATA_BLOCKED, SW.AUTH_METHOD_BLOCKED)},
    "empty_verify_when_verified": {"counter": None, f"{SW.OK:04X}": SW.OK},
}


def knob_names(spec: CardSpec) -> tuple[str, ...]:
    """Every setting there is: those of :class:`.state.Knobs`, then the variants of the specs."""
    return (*(field.name for field in fields(Knobs) if field.name != _VARIANTS), *spec.variants)


def choices(name: str) -> tuple[str, ...]:
    """What may be written for a setting."""
    return tuple(_CHOICES.get(name, _SWITCH))


def knob_values(knobs: Knobs, spec: CardSpec) -> dict[str, str]:
    """Every setting of a card, as :func:`with_knob` takes it."""

    def written(name: str) -> str:
        value = name in knobs.variants if name in spec.variants else getattr(knobs, name)
        allowed: dict[str, int | None] | dict[str, bool] = _CHOICES.get(name, _SWITCH)
        return next(text for text, meant in allowed.items() if meant == value)

    return {name: written(name) for name in knob_names(spec)}


def with_knob(knobs: Knobs, setting: str, spec: CardSpec, *, making: bool) -> Knobs:
    """``knobs`` with one more ``name=value``.

    Args:
        making: for a card that is being made: what stands in its files may be decided too.

    Raises:
        UsageError: no such setting or value, or one that decides what stands in the files of a card made already.
    """
    name, equals, value = setting.partition("=")
    if not equals or name not in knob_names(spec):
        raise UsageError(f"a setting is name=value; names: {', '.join(knob_names(spec))}", operation=_OPERATION)
    if value not in choices(name):
        raise UsageError(f"the setting {name} is one of: {', '.join(choices(name))}", operation=_OPERATION)
    if name in WHEN_MADE and not making:
        raise UsageError(f"the setting {name} is decided when the card is made", operation=_OPERATION)
    if name in spec.variants:
        others = knobs.variants - {name}
        return replace(knobs, variants=others | {name} if _SWITCH[value] else others)
    meant: dict[str, Any] = {name: _CHOICES[name][value] if name in _CHOICES else _SWITCH[value]}
    return replace(knobs, **meant)


def references(state: CardState, spec: CardSpec, name: str) -> tuple[tuple[Reference, KeySpec], ...]:
    """The references of a card that ``name`` means: ``application/key``, or all that a secret's name stands for.

    Raises:
        UsageError: none on this card.
    """
    found = tuple(
        ((application.id, key.id), key)
        for application in spec.applications.values()
        for key in application.keys.values()
        if application.id in state.applications
        and key.id in state.applications[application.id].keys
        and (key.kind is KeyKind.PIN or key.issued_blocked)
        and name in (key.secret, f"{application.id}/{key.id}")
    )
    if not found or not name:
        raise UsageError("no such secret on this card", operation=_OPERATION)
    return found


def with_tries(state: CardState, spec: CardSpec, name: str, count: int) -> CardState:
    """The card with ``count`` tries left of a secret: 0 blocks it.

    Raises:
        UsageError: no such secret, more tries than there are, or one without a value, which stays blocked.
    """
    for (application, key), _ in references(state, spec, name):
        content = state.key(application, key)
        if not 0 <= count <= content.tries_full:
            raise UsageError(f"this secret has 0 to {content.tries_full} tries", operation=_OPERATION)
        if content.secret is None and count:
            raise UsageError("this secret has no value: reset it with one", operation=_OPERATION)
        state = state.with_key(application, key, replace(content, tries_left=count))
    return state


def with_reset(state: CardState, spec: CardSpec, name: str, value: bytes | None) -> CardState:
    """The card after its holder was at the municipal counter: all tries again, and a new value where one is given.

    Raises:
        UsageError: no such secret, or one that had no value and gets none.
        SecretFormatError: the value has not the form of the secret.
    """
    for (application, key), key_spec in references(state, spec, name):
        content = _reset(state.key(application, key), key_spec, value)
        state = state.with_key(application, key, content)
    return state


def _reset(content: KeyState, spec: KeySpec, value: bytes | None) -> KeyState:
    if value is not None and spec.unset is not None and content.secret == spec.unset.value:
        # another file of the card says that nobody set it, and would go on saying so
        raise UsageError("this card has no such secret set, and cannot be given one here", operation=_OPERATION)
    if value is not None and (spec.format is None or not has_form(value, spec.format)):
        raise SecretFormatError("not the form of this secret", operation=_OPERATION, secret=spec.secret)
    secret = content.secret if value is None else value
    if secret is None or not content.tries_full:
        raise UsageError("this secret has no value: reset it with one", operation=_OPERATION)
    return replace(content, secret=secret, tries_left=content.tries_full)


def changed(
    state: CardState,
    spec: CardSpec,
    *,
    reset: Mapping[str, bytes | None],
    tries: Mapping[str, int],
    knobs: Iterable[str],
) -> CardState:
    """The card after resets (:func:`with_reset`), tries (:func:`with_tries`) and settings, in this order.

    Raises:
        UsageError, SecretFormatError: one of them cannot be.
    """
    for name, value in reset.items():
        state = with_reset(state, spec, name, value)
    for name, count in tries.items():
        state = with_tries(state, spec, name, count)
    for setting in knobs:
        state = replace(state, knobs=with_knob(state.knobs, setting, spec, making=False))
    return state
