"""``pin status``: tries left of every secret; costs none. ``pin change``: a new value for one of the holder's four."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kojin_card import messages
from kojin_card.cli.carriers import carrier_of
from kojin_card.cli.explain import Plan, if_refused, look_at_all, only, plan, read
from kojin_card.cli.explain import change as replace
from kojin_card.cli.framework import KojinGroup, argument, command, secret_options
from kojin_card.cli.next_steps import state_of, steps_of
from kojin_card.cli.render import Block, Fields, Heading, Line, Role, Table
from kojin_card.cli.secret_labels import explanations, labels
from kojin_card.cli.wording import is_over
from kojin_card.errors import CardError, NotOnCard, SecretFormatError, SecretUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from kojin_card.card import Card, ChangeableSecret
    from kojin_card.channel import PinStatus
    from kojin_card.cli.console import Console
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
    return plan(
        look_at_all(),
        read("common/card_information"),
        only("blocked", read("jpki/certificate_availability")),
        only("not_ready", read("jpki/token_information")),
    )


@command("pin.status", plan=_plan)
def status(session: Session) -> None:
    """Each secret with its tries left and what that means, and whether the card itself has expired."""
    card = session.card()
    found = card.pin_status()
    expired = _expired(card, session.now())
    signs = _signs(card) if any(one.blocked for one in found) else True
    states = [state_of(one, signs=signs) for one in found]
    carrier = carrier_of(card) if any(state not in ("ready", "used") for state in states) else ""
    console = session.console
    steps = steps_of(found, states, console, carrier=carrier)
    faceless = all(state == "blocked" for one, state in zip(found, states, strict=True) if one.secret in _HOLDERS)
    if faceless:  # one sentence for all of them
        words = console.text("say.tries.face_card")
        steps = [words if one.secret in _HOLDERS else step for one, step in zip(found, steps, strict=True)]
    value = {
        "card": card.description,
        "expired": expired,
        "secrets": [
            {
                "application": one.application,
                "key": one.key,
                "secret": one.secret,
                "name": one.name_ja if session.lang == "ja" else one.name_en,
                "state": state,
                "tries_left": one.tries_left,
                "tries": one.tries,
                "next": step,
            }
            for one, state, step in zip(found, states, steps, strict=True)
        ],
    }
    blocks = _blocks(found, states, steps, console, carrier=carrier, faceless=faceless)
    if expired:
        blocks.insert(1, Line(console.text("say.info.expired"), Role.BAD))
    session.answer("pin-status", value, blocks)


def _blocks(
    found: Sequence[PinStatus],
    states: Sequence[str],
    steps: Sequence[str],
    console: Console,
    *,
    carrier: str,
    faceless: bool,
) -> list[Block]:
    """The table, what the numbers in it are, and what wants to be done; nothing of what does not."""
    text = console.text
    named = labels([(one.application, one) for one in found], console)
    table = Table(
        [text("say.tries.secret"), text("say.tries.left"), text("say.tries.meaning")],
        [
            (label, _left(one, state), f"{console.symbol(_SYMBOLS.get(state, 'pass'))} {_meaning(one, state, console)}")
            for one, state, label in zip(found, states, named, strict=True)
        ],
        [_ROLES.get(state, Role.PLAIN) for state in states],
    )
    blocks: list[Block] = [Heading(text("say.tries.title")), table]
    about = explanations([one for one in found if one.present], console)
    if about:
        blocks += [Line(""), Fields(about)]
    if carrier:
        blocks += [Line(""), Line(text(f"say.tries.carrier.{carrier}"))]
    todo = [
        (label, step, _ROLES.get(state, Role.PLAIN))
        for one, state, step, label in zip(found, states, steps, named, strict=True)
        if state != "ready" and (one.present or _missed(one)) and not (faceless and one.secret in _HOLDERS)
    ]
    if todo or faceless:
        blocks.append(Heading(text("say.tries.next")))
        blocks += [Line(text("say.tries.face_card"))] if faceless else []
        blocks += [Fields(todo)] if todo else []
    missing = dict.fromkeys(label for one, label in zip(found, named, strict=True) if not (one.present or _missed(one)))
    if missing and not carrier:
        blocks.append(Line(text("say.tries.not_there", names=text("explain.comma").join(missing))))
    if "ready" in states:
        blocks.append(Line(text("say.tries.all_ready" if todo or faceless else "say.tries.every_ready")))
    return blocks


def _missed(one: PinStatus) -> bool:
    """Whether a secret that was not found is missed: the catalogue has words of its own for that."""
    return messages.has(f"say.next.absent.{one.secret}")


def _left(one: PinStatus, state: str) -> str:
    if one.tries_left is None or state == "absent":
        return "-"
    return f"{one.tries_left} / {'?' if one.tries is None else one.tries}"


def _meaning(one: PinStatus, state: str, console: Console) -> str:
    return console.text(f"say.tries.{'unused' if state == 'absent' and one.present else state}")


def _signs(card: Card) -> bool:
    try:
        return card.jpki.availability().sign
    except NotOnCard:
        return True


def _expired(card: Card, now: datetime) -> bool | None:
    """None when the card does not say: what is asked for here are its counters."""
    try:
        return is_over(card.common.card_information().expiry, now)
    except CardError:
        return None


class AskedTwice:
    """The new value, asked for twice, because nobody sees what is typed; a :class:`~kojin_card.secret.PinSource`."""

    def __init__(self, session: Session, prompts: PromptedSecrets) -> None:
        self._text = session.console.text
        self._say = session.console.say
        self._prompts = prompts

    def secret(self, name: str, *, label: str, tries_left: int | None) -> Secret:
        """See :class:`~kojin_card.secret.PinSource`.

        Raises:
            SecretFormatError: the two were never the same; nothing was sent.
        """
        for last in (False, False, True):
            first = self._prompts.secret(name, label=self._text("say.prompt.new", label=label), tries_left=tries_left)
            again = self._text("say.prompt.again", label=label)
            try:
                with self._prompts.secret(name, label=again, tries_left=None) as second:
                    if first == second:
                        return first
            except BaseException:
                first.wipe()
                raise
            first.wipe()
            if not last:
                self._say(self._text("say.prompt.not_the_same"))
        words = "the new value was not typed the same way twice"
        raise SecretFormatError(words, operation="ask for a new secret", secret=name)


@command(
    "pin.change",
    argument("which", metavar="sign|auth|text|registry", type=click.Choice(list(_CHANGEABLE))),
    *secret_options(),
    plan=lambda given: plan(
        replace(*_PLACES[given["which"]]),
        if_refused() if given["which"] in ("sign", "auth") else (),
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
    new = AskedTwice(session, source) if isinstance(source, PromptedSecrets) else source.at_hand(f"new-{name}")
    session.card().change_pin(target, old, new, reserve=0 if last_try else 1)
    console = session.console
    words = console.text("say.changed.done", label=console.text(f"say.changed.{which}"))
    blocks: list[Block] = [Line(f"{console.symbol('pass')} {words}", Role.GOOD)]
    session.answer("pin-changed", {"changed": which, "secret": name}, blocks)
