"""``info``: what the card says of itself to anyone, without any secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kojin_card.cli.explain import plan, read
from kojin_card.cli.framework import command
from kojin_card.cli.render import Fields, Heading, Line, Role
from kojin_card.cli.wording import day, is_over
from kojin_card.errors import NotOnCard

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.cli.session import Session


@command(
    "info",
    plan=plan(read("jpki/token_information", "jpki/certificate_availability", "common/card_information")),
)
def info(session: Session) -> None:
    """Kind, serial, municipality, expiry, certificates present."""
    card = session.card()
    token = _if_there(card.jpki.token)
    present = _if_there(card.jpki.availability)
    about = _if_there(card.common.card_information)
    expired = None if about is None else is_over(about.expiry, session.now())
    kind = "unknown" if token is None else str(token.kind)
    text, lang = session.console.text, session.lang
    value = {
        "card": card.description,
        "kind": kind,
        "token_label": None if token is None else token.label,
        "serial": None if about is None else about.serial,
        "municipality": None if about is None else about.municipality,
        "expiry": None if about is None else about.expiry.isoformat(),
        "expired": expired,
        "certificates": {
            "sign": None if present is None else present.sign,
            "auth": None if present is None else present.auth,
        },
    }
    absent = text("say.info.not_on_phone" if kind in ("android", "iphone") else "say.info.absent")
    rows = [
        (text("say.info.card"), card.description),
        (text("say.info.kind"), text(f"say.kind.{kind}")),
        (text("say.info.serial"), absent if about is None else about.serial),
        (text("say.info.municipality"), absent if about is None else about.municipality),
        (text("say.info.expiry"), absent if about is None else day(about.expiry, lang)),
    ]
    if present is not None:
        for name, there in (("sign", present.sign), ("auth", present.auth)):
            rows.append((text(f"say.role.{name}"), text("say.info.present" if there else "say.info.not_present")))
    notes = [Line(text("say.info.expired"), Role.BAD)] if expired else []
    session.answer("info", value, [Heading(text("say.info.title")), Fields(rows), *notes])


def _if_there(read: Callable[[], Any]) -> Any:
    """What ``read`` gives; None on a card that has no such thing (a smartphone has no common application)."""
    try:
        return read()
    except NotOnCard:
        return None
