"""Resident data that a desk takes from the card instead of typing it, when its holder agrees (入力作業の省力化)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.cli.counter.confirming import holder_agrees
from kojin_card.cli.genuine import card_store
from kojin_card.errors import InputError
from kojin_card.spec.owner import OwnerKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.applications import BasicFour
    from kojin_card.cli.counter.desk import Desk
    from kojin_card.cli.session import Session
    from kojin_card.spec.service import Service, ServiceField

#: needs no PIN
_MUNICIPALITY = "municipality"
#: 性別 by JIS X 0303, for services that write it so
_JIS_SEX = {"male": "1", "female": "2", "not_applicable": "9", "unknown": "0"}


def values_from_card(session: Session, desk: Desk, service: Service, have: Mapping[str, str]) -> dict[str, str]:
    """What the service says can be taken from the card, and was not given.

    The municipality needs no PIN; for the rest the four items are read, with ``pin``, and proved genuine first.

    Raises:
        InputError: the service takes nothing from the card, or an item that the card does not have.
        Cancelled: the holder did not agree. PinRejected and others, NotGenuine: as reading the four items.
    """
    wanted = {name: one for name, one in service.fields.items() if one.from_card and name not in have}
    if not any(one.from_card for one in service.fields.values()):
        raise InputError("the service takes no value from the card", operation="slot issue", service=service.id)
    if not wanted:
        return {}
    text = session.console.text
    listed = text("explain.comma").join(one.label(session.lang) for one in wanted.values())
    holder_agrees(session, desk.rows((text("slots.what.fields"), listed)), yes=desk.options.yes)
    four = None
    if any(one.from_card != _MUNICIPALITY for one in wanted.values()):
        pin = session.secret(desk.options.secrets, "pin")
        prove = session.card().prover(card_store(session, None))
        four = session.card().input_support.read_basic_four(pin, prove=prove)
    found = {name: _item(session, one, four) for name, one in wanted.items()}
    if desk.owner.kind is OwnerKind.MUNICIPALITY and any(
        one.from_card == _MUNICIPALITY and found[name] != desk.owner.code for name, one in wanted.items()
    ):  # right for a library that serves neighbours, wrong for a seal registration: a person decides
        session.say("slots.other_municipality")
    return {name: value for name, value in found.items() if value}


def _item(session: Session, field: ServiceField, four: BasicFour | None) -> str:
    item = field.from_card
    if item == _MUNICIPALITY:
        return session.card().common.card_information().municipality
    if four is None:
        return ""
    if item == "birth_date":
        return "" if four.birth_date is None else four.birth_date.isoformat()
    found = str(getattr(four, item))
    return _JIS_SEX[found] if item == "sex" and field.problem(found) is not None else found
