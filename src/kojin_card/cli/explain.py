"""``--explain``: what a command would open on the card, and with which key, said before anything is opened.

A command names the ids of the specs that it touches, in order, beside its options::

    @command("read.age", ..., plan=plan(verify("card_face/birth_code"), read("card_face/age")))

or, where its options decide, with a function: ``plan=lambda given: plan(...)`` (``given``: the parsed options). Names,
rules, secrets and tries are looked up in the specs. A test runs every command and holds its plan against what was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Any

from kojin_card import messages
from kojin_card.cli.files import check_input
from kojin_card.cli.render import Fields, Heading, Line, Role

if TYPE_CHECKING:
    from kojin_card.cli.console import Console
    from kojin_card.cli.render import Block
    from kojin_card.cli.session import Session
    from kojin_card.spec import Access, CardSpec


class Action(StrEnum):
    """What is done to a file, an object or a key of the card."""

    LOOK = "look"
    VERIFY = "verify"
    CHANGE = "change"
    READ = "read"
    USE = "use"
    SECURE = "secure"
    MANAGE = "manage"


#: the first words of the operations (see ``Exchange.operation``) that an action stands for; SELECT goes without saying
OPERATIONS: Mapping[Action, tuple[str, ...]] = {
    Action.LOOK: ("tries",),
    Action.VERIFY: ("tries", "verify"),
    Action.CHANGE: ("tries", "verify", "change"),
    Action.READ: ("read", "get"),
    Action.USE: ("sign", "authenticate with"),
    Action.SECURE: ("read",),  # and then "secure messaging with" the application
    Action.MANAGE: (),  # see FREE_AREA
}


#: what stands in place of an application of the specs where slots and security domains are meant
_AREA = "free_area"


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that is done in the free area.

    Attributes:
        operations: the operations (see ``Exchange.operation``) that it stands for.
        writes: the card is not as before (a session that was opened is counted, too).
        tries: it may spend a try of the slot PIN.
    """

    operations: tuple[str, ...]
    writes: bool = False
    tries: bool = False


_CHANNEL = ("open a session with a security domain", "authenticate to a security domain")
_STORED = (
    "issue a slot",
    "update a slot",
    "suspend a slot",
    "resume a slot",
    "terminate a slot",
    "hand a slot over",
    "join a partner",
)
#: everything that commands do in the free area, by the ids of plans
FREE_AREA: Mapping[str, Deed] = {
    "walk": Deed(("list the slots", "describe a slot")),
    "owner_channel": Deed((*_CHANNEL, "look at the own domain"), writes=True),
    "issuer_channel": Deed(_CHANNEL, writes=True),
    "registry": Deed(("read the registry of the card", "read the card's resources")),
    "own_slot": Deed(("show a slot",)),
    "slot": Deed(("show a slot", "read a slot")),
    "verify_slot_pin": Deed(("show a slot", "read a slot"), tries=True),
    "terminal": Deed(("find a slot", "read a slot"), writes=True),
    "old_slot": Deed(("take a slot over",)),
    "install": Deed(("make a slot",), writes=True),
    "store": Deed(("store data", *_STORED), writes=True),
    "slot_pin": Deed(("unblock the slot PIN",), writes=True),
    "delete": Deed(("delete from the card",), writes=True),
    "put_key": Deed(("put a key set", "rotate the issuer's keys"), writes=True),
    "create_domain": Deed(("make a security domain", "make an owner's domain"), writes=True),
    "quota": Deed(("set a quota",), writes=True),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a command does.

    Attributes:
        places: ``application/id`` of the specs; of several one is taken.
        when: ``explain.when.<...>``: the only case in which it is done; empty: always.
    """

    action: Action
    places: tuple[str, ...]
    when: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """Something that the command leaves on the disk.

    Attributes:
        private: for its owner alone (mode 0600).
    """

    file: str
    private: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a command does, in order, what it writes, and which files it reads before the card is asked for anything."""

    steps: tuple[Step, ...]
    files: tuple[Written, ...] = ()
    inputs: tuple[str, ...] = ()

    def writing(self, *files: str | None, private: bool = False) -> Plan:
        """The same plan with results that go to these files (None and ``-`` are none)."""
        named = tuple(Written(file, private) for file in files if file not in (None, "-") and file is not None)
        return replace(self, files=(*self.files, *named))

    def reading(self, *files: str | None) -> Plan:
        """The same plan of a command that needs these files (None and ``-`` are none)."""
        named = tuple(file for file in files if file is not None and file != "-")
        return replace(self, inputs=(*self.inputs, *named))


PlanSource = Plan | Callable[[Mapping[str, Any]], Plan]


def plan(*steps: Step | tuple[Step, ...]) -> Plan:
    """A plan of these steps."""
    return Plan(tuple(one for step in steps for one in ((step,) if isinstance(step, Step) else step)))


def look(*places: str) -> tuple[Step, ...]:
    """Look at the tries of each of these secrets."""
    return tuple(Step(Action.LOOK, (place,)) for place in places)


def look_at_all() -> tuple[Step, ...]:
    """Look at the tries of every secret that the specs know."""
    from kojin_card.spec import KeyKind, load_card_spec

    return tuple(
        Step(Action.LOOK, (f"{app.id}/{key.id}",), "there" if app.optional else "")
        for app in load_card_spec().applications.values()
        for key in app.keys.values()
        if key.kind is KeyKind.PIN
    )


def verify(*places: str) -> Step:
    """Look at the tries of a secret (of several: of the one that is given) and verify it."""
    return Step(Action.VERIFY, places)


def change(*places: str) -> tuple[Step, ...]:
    """Verify a secret and replace it, in each of these places."""
    return tuple(Step(Action.CHANGE, (place,)) for place in places)


def read(*places: str) -> tuple[Step, ...]:
    """Read each of these files or data objects."""
    return tuple(Step(Action.READ, (place,)) for place in places)


def use(place: str) -> Step:
    """Let the card compute with a key."""
    return Step(Action.USE, (place,))


def in_free_area(*deeds: str) -> tuple[Step, ...]:
    """Each of these things in the free area (:data:`FREE_AREA`)."""
    return tuple(Step(Action.MANAGE, (f"{_AREA}/{deed}",)) for deed in deeds)


def secure(wanted: bool, key_file: str) -> tuple[Step, ...]:
    """Begin secure messaging with the key in that file, where it is ``wanted``."""
    return (Step(Action.SECURE, (key_file,)),) if wanted else ()


def only(when: str, *steps: Step | tuple[Step, ...]) -> tuple[Step, ...]:
    """These steps, done only in the case ``explain.when.<when>``."""
    return tuple(replace(step, when=when) for step in plan(*steps).steps)


def keys_of(by: str | None, *ways: str) -> tuple[str, ...]:
    """The keys that ``--by`` means: the one that was named, or any of ``ways`` where the secrets decide."""
    return tuple(way.replace("-", "_") for way in ways if by in (way, None))


def if_refused() -> tuple[Step, ...]:
    """What is read when a secret of 公的個人認証AP is refused, to say why and what to do."""
    return (
        *only("blocked", read("jpki/certificate_availability")),
        *only("refused", read("jpki/token_information")),  # kojin_card.cli.carriers
    )


def with_key(role: str, *, issuer: bool = False) -> Plan:
    """Sign with a key of 公的個人認証AP: its secret, its certificate (and its issuer's), the key."""
    secret = "auth_pin" if role == "auth" else "sign_password"
    certificates = [f"jpki/{role}_certificate", *([f"jpki/{role}_ca_certificate"] if issuer else [])]
    return plan(
        verify(f"jpki/{secret}"),
        if_refused(),
        read(*certificates),
        use(f"jpki/{role}_key"),
    )


# --- saying it --------------------------------------------------------------------------------------------------------


def explain(session: Session, command: str, source: PlanSource, given: Mapping[str, Any]) -> None:
    """Say what the command would do. No card is opened, no secret asked for, no file read or written.

    Raises:
        InputError, OutputExists, OutputFailed: a file is named that the command would refuse.
    """
    from kojin_card.spec import load_card_spec

    found = (source(given) if callable(source) else source).writing(session.settings.trace, private=True)
    for name in found.inputs:
        check_input(name)
    output = given.get("output")
    if isinstance(output, str) and output != "-":  # a folder's files are another matter
        session.check_output(output, force=bool(given.get("force")))
    shown = any(step.action in (Action.VERIFY, Action.CHANGE) for step in found.steps)
    shown = shown or any(deed.tries for deed in _deeds(found))
    if shown and given.get("secrets") is None and session.settings.simulator is None:
        named = only("prompt", read("jpki/token_information", "common/card_information"))  # Session._card_name
        found = replace(found, steps=(*named, *found.steps))
    spec, console = load_card_spec(), session.console
    effects = _effects(found, given)
    value = {
        "command": command.replace(".", " "),
        "steps": [
            {
                "action": str(step.action),
                "one_of": [_described(place, spec, console) for place in step.places],
                "when": _when(step, console) or None,
            }
            for step in found.steps
        ],
        "may_spend_tries": effects[0],
        "writes_to_card": effects[1] != "writes_nothing",
        "files": [{"file": one.file, "private": one.private} for one in found.files],
    }
    session.answer("explained", value, _blocks(str(value["command"]), found, effects, spec, console))


def _thing(place: str, spec: CardSpec) -> tuple[Any, Access | None]:
    """A file, a data object or a key of the specs, and the rule by which it is read or used."""
    app, _, name = place.partition("/")
    if app == _AREA:
        return _Worded(f"slots.place.{name}"), None
    application = spec[app]
    thing = application.files.get(name) or application.objects.get(name) or application.keys[name]
    return thing, getattr(thing, "read", None) or getattr(thing, "use", None)


def _described(place: str, spec: CardSpec, console: Console) -> dict[str, Any]:
    """A file, a data object or a key by the specs."""
    app, _, name = place.partition("/")
    thing, rule = _thing(place, spec)
    tries = getattr(thing, "tries", None)
    return {
        "application": app,
        "application_name": _name(_application(app, spec), console),
        "id": name,
        "name": _name(thing, console),
        "rule": None if rule is None else str(rule),
        "rule_words": None if rule is None else _rule(rule, app, spec, console),
        "secret": getattr(thing, "secret", "") or None,
        "tries": None if tries is None else tries.count,
    }


@dataclass(frozen=True, slots=True)
class _Worded:
    """Something without a spec of its own: its names stand in the catalogues."""

    key: str

    @property
    def name_ja(self) -> str:
        return messages.text(self.key, "ja")

    @property
    def name_en(self) -> str:
        return messages.text(self.key, "en")


def _application(app: str, spec: CardSpec) -> Any:
    return _Worded("slots.place.area") if app == _AREA else spec[app]


def _deeds(found: Plan) -> list[Deed]:
    places = (place.partition("/") for step in found.steps if step.action is Action.MANAGE for place in step.places)
    return [FREE_AREA[name] for _, _, name in places]


def _name(thing: Any, console: Console) -> str:
    found: str = thing.name_ja if console.lang == "ja" else thing.name_en
    return found


def _rule(rule: Access, app: str, spec: CardSpec, console: Console) -> str:
    """An access rule in words, keys by their names."""
    text = console.text
    if rule.always:
        return text("explain.rule.always")
    if not rule.alternatives:
        return text("explain.rule.never")
    return text("explain.rule.after", keys=text("explain.rule.or").join(_ways(rule, app, spec, console)))


def _ways(rule: Access, app: str, spec: CardSpec, console: Console) -> list[str]:
    """Each alternative of a rule: its keys by their names."""
    both = console.text("explain.rule.and")
    return [both.join(_term(term, app, spec, console) for term in sorted(terms)) for terms in rule.alternatives]


def _term(term: str, app: str, spec: CardSpec, console: Console) -> str:
    kind, _, name = term.partition(":")
    return _name(spec[app].keys[name], console) if kind == "key" else console.text(f"explain.rule.role_{name}")


def _when(step: Step, console: Console) -> str:
    return console.text(f"explain.when.{step.when}") if step.when else ""


def _effects(found: Plan, given: Mapping[str, Any]) -> tuple[bool, str, str]:
    """Whether tries can be spent, what is written to the card, and what is said of tries."""
    deeds = _deeds(found)
    shown = any(step.action in (Action.VERIFY, Action.CHANGE) for step in found.steps) or any(
        deed.tries for deed in deeds
    )
    words = ("may_spend_last" if given.get("last_try") else "may_spend") if shown else "spends_none"
    changes = any(step.action is Action.CHANGE for step in found.steps)
    area = "writes_area" if any(deed.writes for deed in deeds) else "writes_nothing"
    return shown, "writes_card" if changes else area, words


def _blocks(command: str, found: Plan, effects: tuple[bool, str, str], spec: CardSpec, console: Console) -> list[Block]:
    text = console.text
    _, writes, spends = effects
    blocks: list[Block] = [
        Heading(text("explain.title", command=command)),
        Line(text("explain.nothing_opened"), Role.FAINT),
    ]
    if effects[0]:
        blocks.append(Line(text("explain.if_missing"), Role.FAINT))
    number = 0
    for app, steps in groupby(found.steps, lambda step: step.places[0].partition("/")[0]):
        rows: list[tuple[str, str]] = []
        for step in steps:
            number += 1
            rows += _rows(number, step, found, spec, console)
        blocks += [Heading(f"{_name(_application(app, spec), console)} ({app})"), Fields(rows)]
    files = [text("explain.private", file=one.file) if one.private else one.file for one in found.files]
    blocks += [
        Heading(text("explain.effects")),
        Fields(
            [
                (text("explain.tries"), text(f"explain.{spends}")),
                (text("explain.card"), text(f"explain.{writes}")),
                (text("explain.files"), text("explain.comma").join(files) if files else text("explain.no_files")),
            ]
        ),
    ]
    return blocks


def _rows(number: int, step: Step, found: Plan, spec: CardSpec, console: Console) -> list[tuple[str, str]]:
    """What a step is done to, by which rule, in which case: one line for each thing that is said."""
    text = console.text
    label, rows = f"{number}. {text(f'explain.action.{step.action}')}", []
    for place in step.places:
        rows.append((label, str(_described(place, spec, console)["name"])))
        label = _under(console, "or")
        if step.action is Action.MANAGE:
            continue
        if step.action in (Action.READ, Action.USE, Action.SECURE):
            rows += _opened_by(place, spec, console, asked=_asked(step, found))
        else:
            rows.append((_under(console, "secret"), _secret(place, spec, console)))
    if step.when:
        rows.append((_under(console, "when"), text("explain.only", when=_when(step, console))))
    return rows


def _asked(step: Step, found: Plan) -> bool:
    """Whether a device may ask for a secret where the specs say that none is needed: the plan has one for that case."""
    return not step.when and any(one.when == "asked_for" for one in found.steps)


def _under(console: Console, label: str) -> str:
    return f"   {console.text(f'explain.label.{label}')}"


def _secret(place: str, spec: CardSpec, console: Console) -> str:
    one, text = _described(place, spec, console), console.text
    tries = text("explain.tries_unknown") if one["tries"] is None else text("explain.tries_of", tries=one["tries"])
    return text("explain.secret", secret=one["secret"], tries=tries)


def _opened_by(place: str, spec: CardSpec, console: Console, *, asked: bool) -> list[tuple[str, str]]:
    """The rule of a file or a key, one line for each alternative."""
    _, rule = _thing(place, spec)
    label, text = _under(console, "rule"), console.text
    if rule is None:
        return []
    if rule.always:
        return [(label, text("explain.rule.unless_asked" if asked else "explain.rule.always"))]
    ways = _ways(rule, place.partition("/")[0], spec, console)
    rows = [(label if at == 0 else _under(console, "or"), way) for at, way in enumerate(ways)]
    return rows or [(label, text("explain.rule.never"))]
