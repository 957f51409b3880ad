"""Which commands of content management a security domain and a slot answer.

The spec says who may give each of them and in which state of the card: that is looked at here, before anything else of
the command, and the handlers do not ask again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.iso7816.status import SW
from kojin_card.simulator import select
from kojin_card.simulator.context import Answer, Context, Received
from kojin_card.simulator.management import install, keys, lifecycle, objects, scp03, status
from kojin_card.simulator.security import Refused
from kojin_card.simulator.slot import applet
from kojin_card.spec.free_area import globalplatform_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.spec.free_area import CommandSpec

    Handler = Callable[[Context, Received], Answer]
    Handlers = dict[tuple[int, int], Handler]

_INTERINDUSTRY = 0x00
_SELECT = 0xA4
_STORE_DATA = (0x80, 0xE2)
_LAST_BLOCK = 0x80
_SESSION = ("initialize_update",)  # the other half of the handshake comes in class 84: scp03.unwrap


def issuers_commands() -> Handlers:
    """What the issuer's domain answers besides what the card manager always did."""
    return _table(_handlers())


def domains_commands() -> Handlers:
    """What an owner's domain answers."""
    return {(_INTERINDUSTRY, _SELECT): select.select, **_table(_handlers())}


def session_commands() -> Handlers:
    """What a slot answers besides the commands of its applet: SELECT, and what opens a session of its owner."""
    known = _handlers()
    return {(_INTERINDUSTRY, _SELECT): select.select, **_table({name: known[name] for name in _SESSION})}


def _handlers() -> dict[str, Handler]:
    """By the ids of the spec."""
    return {
        "initialize_update": scp03.initialize_update,
        "get_data": objects.get_data,
        "get_data_value": objects.get_data,
        "get_status": status.get_status,
        "install": install.make_selectable,
        "install_for_personalization": install.for_personalization,
        "install_registry_update": install.registry_update,
        "store_data": _store_data,
        "set_status": lifecycle.set_status,
        "delete": lifecycle.delete,
        "put_key": keys.put_key,
        "load": _load,
    }


def _table(known: dict[str, Handler]) -> Handlers:
    """The handlers by class and instruction; forms of one instruction that P1 tells apart stand behind one."""
    forms: dict[tuple[int, int], list[tuple[CommandSpec, Handler]]] = {}
    commands = globalplatform_spec().commands
    for name, handler in known.items():
        spec = commands[name]
        forms.setdefault((spec.cla, spec.ins), []).append((spec, handler))
    return {head: _checked(tuple(rows)) for head, rows in forms.items()}


def _checked(rows: tuple[tuple[CommandSpec, Handler], ...]) -> Handler:
    def handle(card: Context, command: Received) -> Answer:
        found = next((row for row in rows if row[0].p1 in (None, command.apdu.p1)), None)
        if found is None:
            raise Refused(SW.INCORRECT_P1P2)
        spec, handler = found
        card.security.require(spec.access)
        state = globalplatform_spec().state(card.content_state.issuer.life_cycle)
        if state is None or state.id not in spec.states:
            raise Refused(SW.CONDITIONS_NOT_SATISFIED)
        return handler(card, command)

    return handle


def _store_data(card: Context, command: Received) -> Answer:
    """``80 E2`` at a domain: for the slot that it personalizes; a domain stores nothing of its own.

    Raises:
        Refused: 6985 without INSTALL [for personalization] before. Whatever the slot refuses.
    """
    security = card.security
    handler = applet.commands().get(_STORE_DATA)
    if security.personalizing is None or handler is None:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    try:
        return handler(card, command)
    finally:
        if command.apdu.p1 & _LAST_BLOCK:
            security.personalizing = security.visit = None


def _load(_card: Context, _command: Received) -> Answer:
    """``80 E8``: nothing can be loaded: the packages are in the card's ROM."""
    raise Refused(SW.CONDITIONS_NOT_SATISFIED)
