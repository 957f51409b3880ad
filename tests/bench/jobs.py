"""What each job of the command line asks of a card, in this process and behind pcscd: `python tests/bench/jobs.py`.

The jobs are those whose plans the tests hold against what is sent (cli/test_explain.py), so no command that opens a
card is left out. The same lines are run on a card file (``--simulator``) and on the same card in the reader of a pcscd
of our own (``--reader``). APDUs and their bytes are counted where they leave the program. They must be the same both
ways: if they are not, it says which and ends with exit code 1. Without pcscd, vsmartcard-vpcd and pyscard only the
first way is measured, and that is said.

Times are those of the whole command without the start of Python: the median of some runs, after one not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pytest
from click.testing import CliRunner

import kojin_card.card
from cli.commandline import secrets_file
from cli.test_explain import CASES, Case, path_of
from cli.test_help import LEAVES
from interop.pcscd import NAME, NEEDED, CannotStart, Desk, served
from kojin_card.cli.exits import Exit
from kojin_card.cli.root import root
from kojin_card.simulator import SoftCard, make_card
from kojin_card.testing.documents import blank_pdf
from kojin_card.transport.pcsc import PcscConnection

if TYPE_CHECKING:
    from kojin_card.card import Card
    from kojin_card.simulator import CardState

TIMES = 5
#: exit codes of a job that was done: nobody gave revocation lists to judge by, or a secret to prove a card with
DONE = (Exit.OK, Exit.INDETERMINATE)
CHALLENGE = ["auth", "challenge", "--audience", "a", "--purpose", "p", "-o", "challenge.json"]
#: whose cards are used: in the first slot and in the second
PERSONAS = ("adult", "licence_holder")
#: ``doctor`` looks at more than the card, and of several cards; blocked cards are no jobs, and what is done in the free
#: area is never the same twice (each session with a security domain has its own random bytes)
JOBS = tuple(
    case
    for case in CASES
    if case.persona in PERSONAS and not case.tries and not case.area and not case.line.startswith("doctor")
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a job asked of the card, once it was found.

    Attributes:
        apdus: commands sent. out, into: their bytes, and those of the answers with their status words.
        exit: the exit code of the command.
        finding: commands sent before, to find the card among the readers.
    """

    apdus: int
    out: int
    into: int
    exit: int
    finding: int = field(compare=False)


class Counting:
    """Counts the commands of every connection, and where a card is found begins anew."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int]] = []
        self.finding = 0

    def cost(self, exit_code: int) -> Cost:
        out, into = (sum(one[side] for one in self.sent) for side in (0, 1))
        return Cost(len(self.sent), out, into, exit_code, self.finding)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """While it lasts, commands are counted."""
        with pytest.MonkeyPatch.context() as patch:
            for kind in (SoftCard, PcscConnection):
                patch.setattr(kind, "transmit", self._counted(kind.transmit))
            connect = kojin_card.card.connect

            def found(*args: Any, **more: Any) -> Card:
                card = connect(*args, **more)
                self.finding, self.sent = len(self.sent), []
                return card

            patch.setattr(kojin_card.card, "connect", found)
            yield

    def _counted(self, transmit: Callable[[Any, bytes], bytes]) -> Callable[[Any, bytes], bytes]:
        def through(connection: Any, command: bytes) -> bytes:
            answer = transmit(connection, command)
            self.sent.append((len(command), len(answer)))
            return answer

        return through


class Cards:
    """The cards of the jobs, one way of reaching them."""

    def words(self, case: Case) -> list[str]:
        """The options that name the card."""
        raise NotImplementedError

    def put_back(self, case: Case) -> None:
        """Undo a change of a secret, so that the next run finds the card as it was."""
        raise NotImplementedError


class InProcess(Cards):
    """Card files."""

    def __init__(self, folder: Path, states: Sequence[CardState]) -> None:
        self._states = dict(zip(PERSONAS, states, strict=True))
        self._paths = {persona: folder / f"{persona}.json" for persona in PERSONAS}
        for persona, path in self._paths.items():
            SoftCard.create(path, self._states[persona]).close()

    def words(self, case: Case) -> list[str]:
        return ["--simulator", str(self._paths[case.persona])]

    def put_back(self, case: Case) -> None:
        SoftCard.create(self._paths[case.persona], self._states[case.persona], replace=True).close()


class Behind(Cards):
    """The same cards behind pcscd."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def words(self, case: Case) -> list[str]:
        return ["--reader", f"{NAME} 00 {PERSONAS.index(case.persona):02}"]

    def put_back(self, case: Case) -> None:
        old = {name: value for name, value in case.secrets.items() if f"new-{name}" in case.secrets}
        self._desk.set(1 + PERSONAS.index(case.persona), reset=old)


def line(case: Case) -> list[str]:
    """The words of a job, the same both ways: a card in a reader counts as real, and its CAs are the test ones."""
    takes_trust = any("--trust" in one.opts for words, leaf in LEAVES for one in leaf.params if _is(words, case))
    trust = ["--trust", "simulator"] if takes_trust and "--fast" not in case.line else []
    return [*case.line.split(), *trust, "--unproven", "--lang", "en"]


def _is(words: Any, case: Case) -> bool:
    return ".".join(words) == path_of(case.line)


def run(case: Case, cards: Cards) -> tuple[Cost, float]:
    """Do a job once in an empty folder; what it cost, and its seconds.

    Raises:
        RuntimeError: it failed.
    """
    counting = Counting()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("in.pdf").write_bytes(blank_pdf(["x"]))
        Path("in.xml").write_text('<a><b Id="ApplData"/></a>')
        if "challenge.json" in case.line:
            CliRunner().invoke(root, CHALLENGE)
        secrets = ["--secrets", str(secrets_file(Path(folder), case.secrets))] if case.secrets else []
        words = [*cards.words(case), *line(case), *secrets]
        with counting.at_work():
            begun = time.perf_counter()
            done = CliRunner().invoke(root, words)
            taken = time.perf_counter() - begun
        if case.line.startswith("pin change"):
            cards.put_back(case)
    if done.exit_code not in DONE:
        raise RuntimeError(f"{case.line}: exit code {done.exit_code}: {done.stderr}")
    return counting.cost(done.exit_code), taken


def measured(case: Case, cards: Cards, times: int) -> tuple[Cost, float]:
    """What a job costs, every time; the median of its seconds.

    Raises:
        RuntimeError: it failed, or sent something else the next time.
    """
    cost, _ = run(case, cards)
    taken = []
    for _ in range(times):
        again, seconds = run(case, cards)
        if again != cost:
            raise RuntimeError(f"{case.line}: {again} after {cost}")
        taken.append(seconds)
    return cost, statistics.median(taken) if taken else 0.0


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for a while."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def both_ways() -> Iterator[tuple[Cards, Cards | None, str]]:
    """The cards in this process and behind pcscd, or why not the latter; nothing of the user's own is read."""
    issued = datetime.now(UTC) - timedelta(hours=1)
    states = [make_card(persona, now=issued) for persona in PERSONAS]
    with contextlib.ExitStack() as end:
        folder = Path(end.enter_context(tempfile.TemporaryDirectory()))
        for name in ("here", "there"):
            (folder / name).mkdir()
        here = InProcess(folder / "here", states)
        end.enter_context(environment({"KOJIN_CARD_CONFIG": str(folder / "home")}))
        lacking = missing()
        if lacking:
            yield here, None, f"not there: {', '.join(lacking)}"
            return
        paths = [folder / "there" / f"{persona}.json" for persona in PERSONAS]
        for path, state in zip(paths, states, strict=True):
            SoftCard.create(path, state).close()
        try:
            desk = end.enter_context(served(*paths))
        except CannotStart as why:
            yield here, None, str(why)
            return
        end.enter_context(environment({"PCSCLITE_CSOCK_NAME": desk.environment["PCSCLITE_CSOCK_NAME"]}))
        yield here, Behind(desk), ""


def missing() -> list[str]:
    """What there must be for the second way and is not."""
    found = [one for one in NEEDED if not (Path(one).exists() or shutil.which(one, path=f"{os.defpath}:/usr/sbin"))]
    return found if find_spec("smartcard") else [*found, "pyscard"]


def named(case: Case) -> str:
    """A job as a row shows it: its line, and what is not to be seen from it."""
    more = [case.persona] if case.line == "pin status" else []
    if case.line.startswith(("check", "read")) and " --by " not in case.line:
        more = list(case.secrets)
    return f"`{case.line}`" + (f" ({', '.join(more)})" if more else "")


def _shown(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds else "-"


def main(words: Sequence[str] | None = None) -> int:
    """One row a job; 1 when the two ways differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=TIMES, help="runs of each job that are counted")
    times = parser.parse_args(words).times
    differing, finding = 0, set()
    with both_ways() as (here, there, why):
        rows = (
            "| job | APDUs | bytes out | bytes in | in process | over pcscd | ratio |\n|---|--:|--:|--:|--:|--:|--:|\n"
        )
        sys.stdout.write(rows)
        for case in JOBS:
            cost, seconds = measured(case, here, times)
            over = ratio = "-"
            if there is not None:
                other, longer = measured(case, there, times)
                over, ratio = _shown(longer), f"{longer / seconds:.1f}" if times else "-"
                finding.add(other.finding)
                if other != cost:
                    differing += 1
                    sys.stderr.write(f"{case.line}: in process {cost}, over pcscd {other}\n")
            numbers = f"{cost.apdus} | {cost.out} | {cost.into} | {_shown(seconds)} | {over} | {ratio}"
            sys.stdout.write(f"| {named(case)} | {numbers} |\n")
            sys.stdout.flush()
    if there is None:
        sys.stdout.write(f"Not measured over pcscd: {why}.\n")
    elif not differing:
        more = " to ".join(str(one) for one in sorted({min(finding), max(finding)}))
        sys.stdout.write(
            f"{len(JOBS)} jobs: APDUs, bytes and exit codes are the same both ways;"
            f" {more} APDU more finds the card in its reader.\n"
        )
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
