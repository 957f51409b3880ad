"""住民基本台帳用暗証番号: one PIN for its holder, two references on the card (card.md §2.4), changed together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kojin_card.channel.secrets import ask, checked_copy, refuse_same
from kojin_card.errors import (
    CardError,
    HalfChanged,
    HalfChangedUnseen,
    PinBlocked,
    PinRejected,
    TransportError,
    UsageError,
)

if TYPE_CHECKING:
    from kojin_card.channel import CardChannel, PinArgument
    from kojin_card.secret import Secret

_OPERATION = "change the resident-registry PIN"
#: the card may have written before it failed (ISO/IEC 7816-4 §5.6: state of non-volatile memory has changed)
_MEMORY_CHANGED = (0x63, 0x65)


class _Reference(NamedTuple):
    """One of the two references: ids of the specs."""

    app: str
    key: str


#: The order of the change. The counters of both are looked at first; the old value is tried on the second one, which
#: still has it when a change stopped half-way.
_FIRST, _SECOND = _Reference("common", "resident_registry_pin"), _Reference("juki", "resident_registry_pin")


def change_registry_pin(channel: CardChannel, old: PinArgument, new: PinArgument, *, reserve: int = 1) -> None:
    """Change the PIN in 共通カードAP and in 住基AP: 13 APDUs, two of them for the counters.

    Both counters are looked at before a value is sent. A mistyped old value costs one try of one reference. When a
    former change stopped after the first reference, the old value opens the second one only; the new value is then
    shown to the first, which proves the half change and gives the first its tries back, and the second is changed.

    Args:
        reserve: tries that must remain at each reference, as :meth:`CardChannel.verify`.

    Raises:
        SecretFormatError: one of them has not the form, or they are the same; neither was sent.
        UnprovenRefused: a reference rests on an assumption and this is a real card; nothing was sent.
        NotOnCard: one of the applications is missing; nothing was tried.
        PinBlocked, PinReserve: at either of them; no try was spent.
        PinRejected: the old value is wrong, nothing was changed. (After :class:`HalfChangedUnseen` it may also mean
            that the last command was carried out after all, and both have the new value.)
        HalfChanged: they are different now; ``states`` says which has which. The same call again finishes it, unless
            a state is ``unknown`` because neither of the two values is right there.
        TransportError: the connection failed before anything was changed.
    """
    spec = channel.spec[_SECOND.app].keys[_SECOND.key]
    label = channel.label(*_SECOND)
    now: Secret | None = None
    then: Secret | None = None
    for one in (_FIRST, _SECOND):
        channel.prove_change(*one)
    if reserve < 0:
        raise UsageError("reserve is 0 or more", operation=_OPERATION)
    try:
        now, then = checked_copy(old, spec, _OPERATION), checked_copy(new, spec, _OPERATION)
        if now is not None and then is not None:
            refuse_same(now, then, spec, _OPERATION)
        with channel.transaction():
            lefts = [channel.require_tries(*one, reserve=reserve, changing=True) for one in (_FIRST, _SECOND)]
            if now is None:
                left = min((one for one in lefts if one is not None), default=None)
                now = ask(old, spec, _OPERATION, name=spec.secret, label=label, tries_left=left)
            if then is None:
                then = ask(new, spec, _OPERATION, name=f"new-{spec.secret}", label=label, tries_left=None)
            refuse_same(now, then, spec, _OPERATION)
            channel.verify(*_SECOND, now, look=False)
            if not _first_is_new(channel, now, then, reserve):
                _change_first(channel, then)
            _change_second(channel, now, then)
    finally:
        for secret in (now, then):
            if secret is not None:
                secret.wipe()


def _first_is_new(channel: CardChannel, now: Secret, then: Secret, reserve: int) -> bool:
    """Verify the first reference. The second has the old value: if the first has not, it was changed alone.

    Raises:
        HalfChanged: it has neither value, or trying the new one would eat into the reserve.
    """
    try:
        channel.verify(*_FIRST, now, look=False)
        return False
    except PinRejected as refused:
        left = refused.tries_left
    states = {_FIRST.app: "unknown", _SECOND.app: "old"}
    if left <= reserve:
        raise HalfChanged(operation=_OPERATION, states=states, tries_left=left)
    try:
        channel.verify(*_FIRST, then, look=False)
        return True
    except (PinRejected, PinBlocked) as refused:
        left = refused.tries_left
    raise HalfChanged(operation=_OPERATION, states=states, tries_left=left)


def _change_first(channel: CardChannel, then: Secret) -> None:
    """Replace the first one, which is verified.

    Raises:
        HalfChanged: nobody knows whether it was. CardError: it was not.
    """
    states = {_FIRST.app: "unknown", _SECOND.app: "old"}
    try:
        channel.replace_verified(*_FIRST, then)
    except TransportError as lost:
        raise HalfChangedUnseen(operation=_OPERATION, states=states) from lost
    except CardError as refused:
        if refused.sw >> 8 not in _MEMORY_CHANGED:
            raise
        raise HalfChanged(operation=_OPERATION, states=states) from refused


def _change_second(channel: CardChannel, now: Secret, then: Secret) -> None:
    """Verify and replace the second one; the first has the new value already.

    Raises:
        HalfChanged: it did not come to that.
    """
    states = {_FIRST.app: "new", _SECOND.app: "old"}
    try:
        channel.verify(*_SECOND, now, look=False)
        states[_SECOND.app] = "unknown"
        channel.replace_verified(*_SECOND, then)
    except TransportError as lost:
        raise HalfChangedUnseen(operation=_OPERATION, states=states) from lost
    except CardError as refused:
        counted = isinstance(refused, PinRejected | PinBlocked)  # somebody else changed it meanwhile
        states[_SECOND.app] = "unknown" if counted or refused.sw >> 8 in _MEMORY_CHANGED else "old"
        raise HalfChanged(operation=_OPERATION, states=states) from refused
