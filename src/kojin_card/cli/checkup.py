"""What ``doctor`` finds out, finding by finding: the computer, the readers, the card. No secret is asked for."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kojin_card import messages
from kojin_card.cli.carriers import CARRIERS
from kojin_card.cli.exits import Exit, exit_of
from kojin_card.cli.next_steps import state_of, steps_of
from kojin_card.cli.secret_labels import labels
from kojin_card.cli.telling import problem
from kojin_card.cli.wording import JST, day, moment
from kojin_card.errors import AccessDenied, CardError, KojinError, NotOnCard, PinBlocked, PinReserve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kojin_card.card import Card
    from kojin_card.channel import PinStatus
    from kojin_card.cli.session import Session
    from kojin_card.spec import CardSpec
    from kojin_card.transport.winscard import ReaderState

#: a clock that says it is earlier is wrong: this version was not made yet
MADE = date(2026, 11, 1)
#: how long before its end an expiry is worth a word
SOON = timedelta(days=90)
_SYSTEMS = {"Darwin": "macOS"}


class State(StrEnum):
    """How a finding stands, from good to bad."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        id: ``doctor.label.<id>``.
        words: what was found; ``next`` what to do about it, empty when nothing is.
        subject: the reader that it is about.
        exit: the exit code that it stands for.
    """

    id: str
    state: State
    words: str
    next: str = ""
    subject: str = ""
    exit: Exit = Exit.OK


class Checkup:
    """One examination. Whatever goes wrong becomes a finding."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._text = session.console.text
        self._now = session.now()

    def run(self) -> Iterator[Finding]:
        """All findings, in the order in which causes come before what they cause."""
        from kojin_card.spec import load_card_spec

        system = platform.system()
        yield self._found("system", "", State.NOTE, system=_SYSTEMS.get(system, system))
        if self._now.astimezone(JST).date() < MADE:
            yield self._clock("behind")
        else:
            yield self._found("clock", "ok", State.OK, now=moment(self._now, self._session.lang))
        yield self._found("facts", "", State.NOTE, assumed=_assumed(load_card_spec()))
        if self._session.settings.simulator is not None:
            yield Finding("readers", State.NOTE, self._text("doctor.say.not_needed"))
        else:
            reachable = True
            for finding in self._reaching():
                reachable = reachable and finding.state is not State.PROBLEM
                yield finding
            if not reachable:
                return
        try:
            card = self._session.card()
            yield self._found("card", "ok", State.OK, card=card.description)
            yield self._found("recognition", "", State.NOTE)
            yield from self._card(card)
        except KojinError as bad:
            yield self._failed("card", bad)

    # --- inside the computer

    def _reaching(self) -> Iterator[Finding]:
        """Extra, service, readers; a reader's own troubles do not keep a card in another one from being examined."""
        from kojin_card.transport.pcsc import Service, binding

        try:
            binding()
        except KojinError as bad:
            yield self._failed("extra", bad)
            return
        yield self._found("extra", "ok", State.OK, version=_version())
        try:
            with Service() as service:
                found = service.readers()
        except KojinError as bad:
            yield self._failed("service", bad)
            return
        yield self._found("service", "ok", State.OK)
        if not found:
            yield self._found("readers", "none", State.PROBLEM, exit=Exit.NO_CARD)
            return
        yield self._found("readers", "ok", State.OK, count=len(found))
        for one in found:
            yield from self._reader(one)

    def _reader(self, one: ReaderState) -> Iterator[Finding]:
        from kojin_card.cli.commands.readers import state_of as card_in
        from kojin_card.cli.commands.readers import used_by_others

        states = {"card": State.OK, "empty": State.NOTE, "mute": State.WARNING}
        yield self._found("reader", card_in(one), states[card_in(one)], subject=one.name)
        shares = {"no": State.OK, "shared": State.NOTE, "exclusive": State.WARNING}
        yield self._found("sharing", used_by_others(one), shares[used_by_others(one)], subject=one.name)

    def _clock(self, how: str) -> Finding:
        now = moment(self._now, self._session.lang)
        return self._found("clock", how, State.WARNING, exit=Exit.INDETERMINATE, now=now)

    # --- the card

    def _card(self, card: Card) -> Iterator[Finding]:
        try:
            kind = str(card.jpki.token().kind)
        except CardError:
            kind = "unknown"
        usual = kind == "individual_number_card"
        old = kind == "resident_registry_card"
        yield self._found("kind", kind, State.OK if usual else State.WARNING, exit=Exit.NOT_ON_CARD if old else Exit.OK)
        statuses = card.pin_status()
        yield from self._applications(card, statuses)
        signs = self._present(card)
        yield from self._tries(statuses, signs=signs is not False, carrier=CARRIERS.get(kind, ""))
        if signs is not None:
            yield self._found("sign_certificate", "present" if signs else "absent", State.NOTE)
        yield from self._auth_certificate(card)
        try:
            yield self._until("validity", card.common.card_information().expiry)
        except CardError:  # a smartphone has no such application
            return

    @staticmethod
    def _present(card: Card) -> bool | None:
        """Whether there is a signature certificate; None when the card does not say."""
        try:
            return card.jpki.availability().sign
        except CardError:
            return None

    def _applications(self, card: Card, statuses: tuple[PinStatus, ...]) -> Iterator[Finding]:
        lang = self._session.lang
        there, missing = [], []
        for app in card.channel.spec.applications.values():
            keys = [one.present for one in statuses if one.application == app.id]
            name = app.name_ja if lang == "ja" else app.name_en
            if any(keys):
                there.append(name)
            elif keys and not app.optional:
                missing.append(name)
        comma = self._text("doctor.list_comma")
        yield self._found("applications", "ok", State.OK, names=comma.join(there))
        if missing:
            yield self._found("applications", "missing", State.NOTE, names=comma.join(missing))

    def _tries(self, statuses: tuple[PinStatus, ...], *, signs: bool, carrier: str) -> Iterator[Finding]:
        """One finding for all that is well, and one for each that is not."""
        console = self._session.console
        exits = {"blocked": exit_of(PinBlocked(sw=0x63C0)), "one_left": exit_of(PinReserve(tries_left=1))}
        well = 0
        states = [state_of(one, signs=signs) for one in statuses]
        steps = steps_of(statuses, states, console, carrier=carrier)
        names = labels([(one.application, one) for one in statuses], console)
        for name, state, step, one in zip(names, states, steps, statuses, strict=True):
            if state == "ready":
                well += 1
            elif state != "absent":
                words = self._text(f"doctor.say.tries_{state}", name=name, tries_left=one.tries_left)
                how = State.NOTE if state in ("used", "not_counted") else State.WARNING
                how = State.PROBLEM if state == "blocked" else how
                yield Finding("tries", how, words, step, exit=exits.get(state, Exit.OK))
        if well:
            yield self._found("tries", "ready", State.OK, count=well)

    def _auth_certificate(self, card: Card) -> Iterator[Finding]:
        from kojin_card.pki.certificate import Certificate

        subject = "auth_certificate"
        try:
            der = card.jpki.certificate("auth")
        except AccessDenied:
            yield self._found(subject, "closed", State.NOTE)
            return
        except NotOnCard:
            yield self._found(subject, "absent", State.NOTE)
            return
        try:
            certificate = Certificate.parse(der)
        except KojinError as bad:
            yield self._found(subject, "broken", State.PROBLEM, exit=exit_of(bad))
            return
        yield self._until(subject, certificate.not_after)
        if self._now < certificate.not_before:
            yield self._clock("before_certificate")

    def _until(self, subject: str, end: date | datetime) -> Finding:
        until = end.astimezone(JST).date() if isinstance(end, datetime) else end
        good = "valid" if subject == "auth_certificate" else "ok"
        over = self._now > end if isinstance(end, datetime) else self._now.astimezone(JST).date() > end
        words = day(until, self._session.lang)
        if over:
            return self._found(subject, "expired", State.PROBLEM, exit=Exit.INDETERMINATE, until=words)
        if (self._now + SOON).astimezone(JST).date() > until:
            return self._found(subject, "soon", State.WARNING, until=words)
        return self._found(subject, good, State.OK, until=words)

    # --- saying it

    def _found(
        self, what: str, how: str, state: State, *, subject: str = "", exit: Exit = Exit.OK, **values: object
    ) -> Finding:
        name = f"{what}_{how}" if how else what
        step = f"doctor.next.{name}"
        next_step = self._text(f"doctor.next.{name}") if messages.has(step) else ""
        return Finding(what, state, self._text(f"doctor.say.{name}", **values), next_step, subject, exit)

    def _failed(self, what: str, bad: KojinError) -> Finding:
        """An error, in the words that every command has for it."""
        told = problem(bad, self._session.settings)
        return Finding(what, State.PROBLEM, str(told.as_json()["message"]), told.remedy, exit=told.exit)


def _assumed(spec: CardSpec) -> int:
    """How many things of the specs rest on an assumption."""
    from kojin_card.spec import EvidenceLevel

    things: list[Any] = [
        thing
        for app in spec.applications.values()
        for thing in (app, *app.keys.values(), *app.files.values(), *app.objects.values(), *app.schemes.values())
    ]
    return sum(thing.evidence.level is EvidenceLevel.ASSUMPTION for thing in things)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pyscard")
    except PackageNotFoundError:
        return "?"
