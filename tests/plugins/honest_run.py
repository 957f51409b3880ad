"""A pytest plugin that keeps a run honest; pyproject.toml loads it for every run.

Three things would look green and are not: a run in which no test passed, a vector test that was skipped although the
vectors are there, and a skip that nobody reads about. The first two fail the run; the third is told at its end. A test
marked ``foreign(program)`` is skipped where that program (or the file of that name) is missing, and told with the rest.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest


def vectors_expected(root: Path) -> bool:
    """Whether this machine claims to have the published vectors (the variable counts even when it points nowhere)."""
    return bool(os.environ.get("KOJIN_VECTORS")) or (root.parent / "shared" / "vectors").is_dir()


@dataclass(eq=False)  # pluggy keeps plugins in sets
class HonestRun:
    """Collects what passed and what was skipped, on the controlling process only."""

    expected: bool
    passed: int = 0
    vectors_passed: int = 0
    skipped_vectors: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def verdict(self) -> str | None:
        """Why this run must not pass, or None."""
        if self.expected and self.skipped_vectors:
            return f"{len(self.skipped_vectors)} vector test(s) were skipped although the vectors are here"
        return None if self.passed else "no test passed: this run shows nothing"

    def _skipped(self, nodeid: str, longrepr: object, of_vectors: bool) -> None:
        reason = str(longrepr[2]) if isinstance(longrepr, tuple) and len(longrepr) == 3 else str(longrepr)
        reason = reason.removeprefix("Skipped: ")
        self.reasons[reason] += 1
        if of_vectors:
            self.skipped_vectors.append(f"{nodeid} ({reason})")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        of_vectors = "vectors" in report.keywords
        if report.when == "call" and report.passed:
            self.passed += 1
            self.vectors_passed += of_vectors
        elif report.skipped and not hasattr(report, "wasxfail"):
            self._skipped(report.nodeid, report.longrepr, of_vectors)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:  # a whole module: it has no marks yet, so its reason is all there is to go by
            self._skipped(report.nodeid, report.longrepr, "vector" in str(report.longrepr).lower())

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.config.option.collectonly:
            return
        if self.verdict() and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED if self.passed else pytest.ExitCode.NO_TESTS_COLLECTED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        tell = terminalreporter.write_line
        if self.reasons:
            terminalreporter.section("NOT RUN", sep="=", yellow=True, bold=True)
            for reason, count in self.reasons.most_common():
                tell(f"{count} test(s): {reason}")
        if not self.expected:
            tell("The vectors are not here (KOJIN_VECTORS or ../shared/vectors): what they prove was not shown.")
        if why := self.verdict():
            terminalreporter.section("NOT GREEN", sep="=", red=True, bold=True)
            tell(why)
            for nodeid in self.skipped_vectors if self.expected else ():
                tell(f"  {nodeid}")


def _there(program: str) -> bool:
    """Whether it is installed: a command, or (with a slash) the file of a driver or module, * as in a shell."""
    if "/" in program:
        return any(Path("/").glob(program.removeprefix("/")))
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(HonestRun(vectors_expected(config.rootpath)), "kojin-honest-run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with its reason, what compares us with a program that this machine does not have."""
    for item in items:
        missing = [program for mark in item.iter_markers("foreign") for program in mark.args if not _there(program)]
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(missing)} (make test says what to do)"))
