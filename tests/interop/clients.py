"""Clients of GlobalPlatform that nobody here wrote, each in the environment that ``setup.sh foreign`` made for it.

Where a machine can make them, their absence fails a test; where it cannot, marks.foreign names what it lacks. Only pip
failing (no package index within reach) is a skip, which tests/plugins/honest_run.py tells, and never where CI runs.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support import ROOT

#: what setup.sh builds their binding to PC/SC with, as marks.foreign names it
NEEDED_TO_BUILD = ("swig", "cc", "/usr/include/PCSC/winscard.h")
ENVIRONMENTS = ROOT / ".venv" / "foreign"
LISTS = ROOT / "tools" / "foreign"
PROGRAMS = Path(__file__).with_name("foreign")


def command(client: str, program: str) -> list[str]:
    """The words that run one of ``foreign/`` with that client's own Python, which sees nothing of this environment."""
    environment = ENVIRONMENTS / client
    installed = environment / "installed.txt"
    wanted = (LISTS / f"{client}.txt").read_text("utf-8")
    if not installed.is_file() or installed.read_text("utf-8") != wanted:
        if environment.with_name(f"{client}.failed").is_file() and not os.environ.get("CI"):
            pytest.skip(f"{client}, which pip could not install (.venv/clients.log; make test tries again)")
        pytest.fail(f"{client} is not in {environment}, and this machine can make it: sh tools/setup.sh foreign")
    return [str(environment / "bin" / "python"), "-I", str(PROGRAMS / program)]
