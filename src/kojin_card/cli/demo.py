"""The demonstration: a card's life in fifteen steps, each of which must give what it must.

Every step does with the library what the commands that it prints do, and leaves the files with which they can be
repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kojin_card.cli.files import write_output
from kojin_card.cli.problems import DemoFailed, OutputExists, OutputFailed
from kojin_card.cli.render import Block, Fields, Heading, Line, Role

if TYPE_CHECKING:
    from kojin_card.card import Card
    from kojin_card.cli.console import Console
    from kojin_card.cli.demo_slots import Town
    from kojin_card.cli.session import Session
    from kojin_card.simulator import Persona
    from kojin_card.verdict import Indication, Verdict

#: its presence says that a folder was made by a demonstration and may be made again
README = "README.txt"
PERSONA = "adult"


@dataclass(frozen=True, slots=True)
class Command:
    """What a person types to do a step again, and the exit code that it must have."""

    line: str
    exit: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step shows.

    Attributes:
        about: one sentence on what happens.
        blocks: what came out.
        commands: how to do it again inside the folder.
    """

    about: str
    blocks: Sequence[Block]
    commands: Sequence[Command]


@dataclass(slots=True)
class Stage:
    """What the steps share: the folder, the clock of the story, the person.

    Attributes:
        start: when the demonstration began; the story before it happened in the hour before.
        files: name -> key of what it is (``demo.file.<key>``), in the order in which they were made.
        town: what the steps of the free area share (:mod:`.demo_slots`).
    """

    session: Session
    folder: Path
    start: datetime
    persona: Persona
    files: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    town: Town | None = None

    @property
    def console(self) -> Console:
        """Where it speaks."""
        return self.session.console

    @property
    def issued_at(self) -> datetime:
        """When the card was made: an hour ago."""
        return self.start - timedelta(hours=1)

    def minutes_ago(self, minutes: int) -> datetime:
        """A moment of the story."""
        return self.start - timedelta(minutes=minutes)

    def path(self, name: str) -> Path:
        """A file of the folder."""
        return self.folder / name

    def leave(self, name: str, data: bytes, about: str, *, private: bool = False) -> None:
        """Write a file and remember what it is."""
        write_output(self.path(name), data, force=True, private=private)
        self.files[name] = about

    def pin(self, application: str, key: str) -> str:
        """A secret of the persona's card."""
        return self.persona.pins[application, key]

    def card(self) -> Card:
        """The software card, for one step; its APDUs are counted in ``sent``."""
        from kojin_card.card import connect

        self.sent = 0

        def count(exchange: Any) -> None:
            self.sent += 1
            if self.session.settings.verbose:
                self.console.say(f"[{self.sent}] {exchange.operation}: {exchange}")

        return connect(simulator=self.path("card.json"), observer=count, lang=self.session.lang)

    def text(self, key: str, **values: object) -> str:
        """A text of ``demo.toml``."""
        return self.console.text(f"demo.{key}", **values)

    def good(self, words: str) -> Line:
        """A line that says that something went as it should."""
        return Line(f"  {self.console.symbol('pass')} {words}", Role.GOOD)

    def verdict(self, verdict: Verdict, wanted: Indication, reason: str | None = None) -> list[Block]:
        """Show a verdict in short.

        Raises:
            DemoFailed: it is not the one that it must be.
        """
        from kojin_card import messages
        from kojin_card.cli.verdicts import overall

        expect(verdict.indication is wanted and (reason is None or reason in verdict.reasons), str(verdict.indication))
        passed = sum(check.state == "passed" for check in verdict.checks)
        symbol, role = overall(verdict)
        words = self.text(
            "outcome_verdict", indication=str(verdict.indication), passed=passed, total=len(verdict.checks)
        )
        blocks: list[Block] = [Line(f"  {self.console.symbol(symbol)} {words}", role)]
        for found in verdict.reasons:
            why = messages.reason_words(found, self.session.lang)
            blocks.append(Line(f"    {self.text('outcome_reason', words=why)}"))
        return blocks


def expect(condition: bool, what: str = "") -> None:
    """A step's assertion, which no ``python -O`` removes.

    Raises:
        DemoFailed: it does not hold. The runner puts the step's name in.
    """
    if not condition:
        raise DemoFailed(what)


Step = tuple[str, Callable[[Stage], Outcome]]


def prepare(folder: Path, *, keep: bool) -> Path:
    """The folder to work in: empty, new, or left by an earlier demonstration (whose files go, unless ``keep``).

    Raises:
        OutputExists: it holds something else. OutputFailed: it cannot be made.
    """
    chosen, number = folder, 1
    while keep and chosen.exists():
        number += 1
        chosen = folder.with_name(f"{folder.name}-{number}")
    try:
        if chosen.is_dir() and any(chosen.iterdir()) and not (chosen / README).is_file():
            raise OutputExists("the folder holds other things", operation="demo", file=chosen.name)
        chosen.mkdir(parents=True, exist_ok=True)
        for name in ("lists-before", "lists-after"):
            for old in (chosen / name).glob("*.crl"):
                old.unlink()
        for name in ("card.json", "challenges.db", "hand-overs"):
            (chosen / name).unlink(missing_ok=True)
    except OSError as bad:
        raise OutputFailed(operation="demo", file=chosen.name) from bad
    return chosen


def play(session: Session, folder: Path, *, keep: bool) -> None:
    """Run all steps and show them as they happen.

    Raises:
        DemoFailed: a step gave another outcome than it must; the step is named.
    """
    from kojin_card.cli.demo_steps import STEPS
    from kojin_card.simulator import load_persona

    began = time.monotonic()
    stage = Stage(session, prepare(folder, keep=keep), session.now().replace(microsecond=0), load_persona(PERSONA))
    show = (lambda _: None) if session.settings.json else session.console.show
    shown = str(stage.folder)
    show([Heading(stage.text("title")), Line(stage.text("intro", folder=shown))])
    done: list[tuple[str, Outcome]] = []
    for number, (name, run) in enumerate(STEPS, 1):
        title = stage.text(f"{name}.title")
        try:
            outcome = run(stage)
        except DemoFailed as surprise:
            raise DemoFailed(surprise.message, operation="demo", step=f"{number} {title}") from surprise
        except Exception as surprise:  # the kind is enough: the step must not fail in any way
            kind = type(surprise).__name__
            raise DemoFailed(kind, operation="demo", step=f"{number} {title}") from surprise
        done.append((title, outcome))
        heading = stage.text("step", number=number, total=len(STEPS), title=title)
        show([Heading(heading), Line(outcome.about), *outcome.blocks, *_commands(stage, outcome)])
    _leave_readme(stage, done)
    seconds = time.monotonic() - began
    if session.settings.json:
        session.console.json("demo", _json(stage, done, seconds))
        return
    show([Heading(stage.text("files", folder=shown)), _files(stage)])
    done_words = stage.text("done", total=len(STEPS), seconds=f"{seconds:.1f}")
    show([Line(stage.text("repeat", folder=shown)), Line(""), stage.good(done_words)])


def _commands(stage: Stage, outcome: Outcome) -> list[Block]:
    return [Line(f"  {_command_line(stage, command)}", Role.FAINT, wrap=False) for command in outcome.commands]


def _command_line(stage: Stage, command: Command) -> str:
    if command.exit:
        return stage.text("command_exit", command=command.line, exit=command.exit)
    return stage.text("command", command=command.line)


def _files(stage: Stage) -> Fields:
    return Fields([(name, stage.text(f"file.{about}")) for name, about in stage.files.items()])


def _leave_readme(stage: Stage, done: Sequence[tuple[str, Outcome]]) -> None:
    """What each file is and how to do everything again, for whoever finds the folder."""
    stage.files[README] = "readme"
    lines = [stage.text("title"), ""]
    lines += [f"{name}: {stage.text(f'file.{about}')}" for name, about in stage.files.items()]
    for number, (title, outcome) in enumerate(done, 1):
        lines += ["", f"# {number}. {title}", *(_command_line(stage, command) for command in outcome.commands)]
    stage.leave(README, "".join(f"{line}\n" for line in lines).encode("utf-8"), "readme")


def _json(stage: Stage, done: Sequence[tuple[str, Outcome]], seconds: float) -> dict[str, Any]:
    return {
        "folder": str(stage.folder),
        "passed": True,
        "seconds": round(seconds, 3),
        "steps": [
            {
                "number": number,
                "title": title,
                "about": outcome.about,
                "commands": [{"command": command.line, "exit": command.exit} for command in outcome.commands],
            }
            for number, (title, outcome) in enumerate(done, 1)
        ],
        "files": [{"name": name, "about": stage.text(f"file.{about}")} for name, about in stage.files.items()],
    }
