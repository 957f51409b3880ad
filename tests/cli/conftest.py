"""A command line in this process, with a home of its own; card files; schemas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from cli.commandline import Cli, Run, secrets_file
from cli.counter import Counter, make_counter

if TYPE_CHECKING:
    from kojin_card.simulator import CardState


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """``cli("info", "--json", secrets={"pin": "1234"}, stdin=b"")``; the working folder is ``tmp_path``."""
    from kojin_card.cli.root import root

    monkeypatch.setenv("KOJIN_CARD_CONFIG", str(tmp_path / "home"))
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def call(
        *words: str | Path,
        secrets: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> Run:
        arguments = [str(word) for word in words]
        if secrets is not None:
            arguments += ["--secrets", str(secrets_file(tmp_path, secrets))]
        result = CliRunner().invoke(root, arguments, input=stdin, env=env)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Run(result.exit_code, result.stdout, result.stderr, result.stdout_bytes)

    return call


@pytest.fixture(scope="session")
def states() -> Callable[[str], CardState]:
    """Cards issued an hour ago, made once each."""
    from functools import cache

    from kojin_card.simulator import make_card

    issued = datetime.now(UTC) - timedelta(hours=1)
    return cache(lambda persona: make_card(persona, now=issued))


@pytest.fixture
def card(tmp_path: Path, states: Callable[[str], CardState]) -> Callable[..., Path]:
    """``card("adult")``: a card file; ``tries={"jpki/auth_pin": 1}`` sets counters."""
    from dataclasses import replace

    from kojin_card.simulator import SoftCard

    def make(persona: str = "adult", *, tries: Mapping[str, int] | None = None) -> Path:
        state = states(persona)
        for reference, left in (tries or {}).items():
            application, _, key = reference.partition("/")
            state = state.with_key(application, key, replace(state.key(application, key), tries_left=left))
        path = tmp_path / f"{persona}.json"
        path.unlink(missing_ok=True)
        SoftCard.create(path, state).close()
        return path

    return make


@pytest.fixture(scope="session")
def made_counter(tmp_path_factory: pytest.TempPathFactory) -> Counter:
    """Keys, terminals and cards of two municipalities, made once (:mod:`cli.counter`)."""
    return make_counter(tmp_path_factory.mktemp("counter"))


@pytest.fixture
def counter(made_counter: Counter, tmp_path: Path) -> Counter:
    """A copy of them in the working folder."""
    return made_counter.copy(tmp_path)


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[CardState], Path]:
    """The file of a card that is not what it seems (``attacks.fakes`` makes its state)."""
    from kojin_card.simulator import SoftCard

    def make(state: CardState) -> Path:
        path = tmp_path / "fake.json"
        SoftCard.create(path, state).close()
        return path

    return make


@pytest.fixture(scope="session")
def crls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of fresh lists for the personas' municipality."""
    from kojin_card.pki.crl_store import add_crl
    from kojin_card.pki.profile import Purpose
    from kojin_card.pki.trust import TrustStore
    from kojin_card.simulator.testpki import TestPki

    folder = tmp_path_factory.mktemp("crl")
    now = datetime.now(UTC)
    for purpose in Purpose:
        crl = TestPki.load().crl(purpose, "13221", this_update=now - timedelta(minutes=5))
        (folder / f"{purpose}.der").write_bytes(crl)
        add_crl(folder, crl, TrustStore.load("simulator"), now=now)
    return folder
