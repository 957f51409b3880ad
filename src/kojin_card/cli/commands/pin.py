"""``pin status``: tries left of every secret; costs none. ``pin change``: a new value for one of the holder's four."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.explain import Plan, look_at_all, only, plan, read
from kojin_card.cli.explain import change as replace
from kojin_card.cli.framework import KojinGroup, argument, command, secret_options
from kojin_card.cli.next_steps import labels_of, name_of, state_of, what_next
from kojin_card.cli.render import Block, Fields, Heading, Line, Role, Table
from kojin_card.errors import NotOnCard, SecretFormatError, SecretUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.card import Card, ChangeableSecret
    from kojin_card.cli.secret_sources import PromptedSecrets
    from kojin_card.cli.session import Session
    from kojin_card.secret import Secret

pin = KojinGroup("pin", {"status": "commands.pin:status", "change": "commands.pin:change"})

#: word of the command line -> what the client calls it, and its name in ``--secrets``
_CHANGEABLE: Mapping[str, tuple[ChangeableSecret, str]] = {
    "sign": ("sign", "sign-password"),
    "auth": ("auth", "auth-pin"),
    "text": ("input-support", "pin"),
    "registry": ("registry", "registry-pin"),
}

_HOLDERS = frozenset(secret for _, secret in _CHANGEABLE.values())

#: word of the command line -> where it stands on the card
_PLACES: Mapping[str, tuple[str, ...]] = {
    "sign": ("jpki/sign_password",),
    "auth": ("jpki/auth_pin",),
    "text": ("input_support/pin",),
    "registry": ("common/resident_registry_pin", "juki/resident_registry_pin"),
}


_ROLES = {"blocked": Role.BAD, "one_left": Role.BAD, "used": Role.UNSURE, "absent": Role.FAINT}
_SYMBOLS = {"blocked": "fail", "one_left": "unknown", "used": "unknown", "absent": "none", "not_counted": "unknown"}


def _plan(given: Mapping[str, Any]) -> Plan:
    del given
    return plan(look_at_all(), only("blocked", read("jpki/certificate_availability")))


@command("pin.status", plan=_plan)
def status(session: Session) -> None:
    """Each secret with its tries left and what that means."""
    card = session.card()
    found = card.pin_status()
    signs = _signs(card) if any(one.blocked for one in found) else True
    text, console = session.console.text, session.console
    states = [state_of(one, signs=signs) for one in found]
    steps = [what_next(one, state, console) for one, state in zip(found, states, strict=True)]
    value = {
        "card": card.description,
        "secrets": [
            {
                "application": one.application,
                "key": one.key,
                "secret": one.secret,
                "name": name_of(one, session.lang),
                "state": state,
                "tries_left": one.tries_left,
                "tries": one.tries,
                "next": step,
            }
            for one, state, step in zip(found, states, steps, strict=True)
        ],
    }
    labels = labels_of(found, console)
    rows = [
        (
            label,
            "-" if one.tries_left is None else f"{one.tries_left} / {'?' if one.tries is None else one.tries}",
            f"{console.symbol(_SYMBOLS.get(state, 'pass'))} {text(f'say.tries.{state}')}",
        )
        for one, state, label in zip(found, states, labels, strict=True)
    ]
    header = [text("say.tries.secret"), text("say.tries.left"), text("say.tries.meaning")]
    blocks: list[Block] = [
        Heading(text("say.tries.title")),
        Table(header, rows, [_ROLES.get(state, Role.PLAIN) for state in states]),
    ]
    todo = [
        (label, step, _ROLES.get(state, Role.PLAIN))
        for one, state, step, label in zip(found, states, steps, labels, strict=True)
        if state != "ready" or one.tries is None
    ]
    if todo:
        blocks += [Heading(text("say.tries.next")), Fields(todo)]
    if all(state == "blocked" for one, state in zip(found, states, strict=True) if one.secret in _HOLDERS):
        blocks.append(Line(text("say.tries.face_card")))
    if len(todo) < len(rows):
        blocks.append(Line(text("say.tries.all_ready")))
    session.answer("pin-status", value, blocks)


def _signs(card: Card) -> bool:
    try:
        return card.jpki.availability().sign
    except NotOnCard:
        return True


class _AskedTwice:
    """The new value, asked for twice, because nobody sees what is typed; a :class:`~kojin_card.secret.PinSource`."""

    def __init__(self, session: Session, prompts: PromptedSecrets) -> None:
        self._text = session.console.text
        self._prompts = prompts

    def secret(self, name: str, *, label: str, tries_left: int | None) -> Secret:
        """See :class:`~kojin_card.secret.PinSource`.

        Raises:
            SecretFormatError: the two are not the same; nothing was sent.
        """
        first = self._prompts.secret(name, label=self._text("say.prompt.new", label=label), tries_left=tries_left)
        again = self._text("say.prompt.again", label=label)
        try:
            with self._prompts.secret(name, label=again, tries_left=None) as second:
                if first != second:
                    words = "the new value was not typed the same way twice"
                    raise SecretFormatError(words, operation="ask for a new secret", secret=name)
        except BaseException:
            first.wipe()
            raise
        return first


@command(
    "pin.change",
    argument("which", metavar="sign|auth|text|registry", type=click.Choice(list(_CHANGEABLE))),
    *secret_options(),
    plan=lambda given: plan(
        replace(*_PLACES[given["which"]]),
        only("blocked", read("jpki/certificate_availability")) if given["which"] in ("sign", "auth") else (),
    ),
)
def change(session: Session, which: str, secrets: str | None, last_try: bool) -> None:
    """Replace one of the four secrets that the holder may change; the form of both values is checked first."""
    from kojin_card.cli.secret_sources import GivenSecrets, PromptedSecrets

    target, name = _CHANGEABLE[which]
    source = session.secrets(secrets)
    if isinstance(source, GivenSecrets) and not source.has(name):
        raise SecretUnavailable(operation="change a PIN", secret=name)  # no other PIN stands in for it here
    old = source.at_hand(name)
    new = _AskedTwice(session, source) if isinstance(source, PromptedSecrets) else source.at_hand(f"new-{name}")
    session.card().change_pin(target, old, new, reserve=0 if last_try else 1)
    console = session.console
    words = console.text("say.changed.done", label=console.text(f"say.changed.{which}"))
    blocks: list[Block] = [Line(f"{console.symbol('pass')} {words}", Role.GOOD)]
    session.answer("pin-changed", {"changed": which, "secret": name}, blocks)
