"""``--trace``: of every command that opens a card, masked, complete, replayable, and without any other effect."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import kojin_card.card
from cli.commandline import PLANTED, Cli, Run
from cli.counter import Counter
from cli.test_explain import CASES, NAMES, Case, laid
from cli.test_secrets import leaked
from kojin_card import Card as OpenCard
from kojin_card.cli import tracing
from kojin_card.cli.problems import OutputFailed
from kojin_card.cli.session import Session
from kojin_card.simulator import SoftCard, load_persona
from kojin_card.slots import CardIssuer, SlotDirectory, SlotIssuer, SlotTerminal
from kojin_card.testing.documents import blank_pdf
from kojin_card.transport.replay import Replay
from kojin_card.transport.trace import Trace, declared_lines, read_trace
from kojin_card.verification.authenticity import RecordProver

Card = Callable[..., Path]
PIN = {"pin": "5678"}


@pytest.fixture(autouse=True)
def the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One time, one session key: what is left of the difference between two runs is the card's."""
    now = datetime.now(UTC)
    monkeypatch.setattr(Session, "now", staticmethod(lambda: now))
    for made_by, name, fixed in (
        (OpenCard.__init__, "random", lambda count: bytes(range(count))),
        (RecordProver.__init__, "clock", lambda: now),
        (CardIssuer.__init__, "random", lambda count: bytes(range(count))),
        (SlotIssuer.__init__, "random", lambda count: bytes(range(count))),
        (SlotTerminal.__init__, "random", lambda count: bytes(range(count))),
        (SlotDirectory.__init__, "random", lambda count: bytes(range(count))),
    ):
        defaults = made_by.__kwdefaults__ or {}
        assert name in defaults
        monkeypatch.setitem(defaults, name, fixed)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the software card answers, unmasked."""
    heard: list[bytes] = []
    transmit = SoftCard.transmit

    def listening(self: SoftCard, command: bytes) -> bytes:
        heard.append(transmit(self, command))
        return heard[-1]

    monkeypatch.setattr(SoftCard, "transmit", listening)
    return heard


def prepared(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "in.pdf").write_bytes(blank_pdf(["x"]))
    (tmp_path / "in.xml").write_text('<DataRoot><ApplData Id="ApplData"/></DataRoot>', "utf-8")
    cli("auth", "challenge", "--audience", "a", "--purpose", "p", "-o", "challenge.json")


def made(tmp_path: Path, counter: Counter | None = None) -> dict[str, bytes]:
    """What the command left, and takes it away for the next run."""
    kept = {"in.pdf", "in.xml", "challenge.json", "ledger", "ledger.lock"}
    kept |= set() if counter is None else {one.name for one in counter.folder.iterdir()}
    new = [
        one
        for one in tmp_path.rglob("*")
        if one.is_file()
        and one.name not in kept
        and "home" not in one.parts
        and one.suffix not in (".json", ".secrets")
    ]
    found = {str(one.relative_to(tmp_path)): one.read_bytes() for one in new}
    for one in new:
        one.unlink()
    for folder in (tmp_path / "face",):
        if folder.is_dir():
            folder.rmdir()
    return found


def declared(trace: Trace, answers: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """The persona's data, which is invented, for everything that is masked."""
    assert len(answers) == len(trace.turns)
    for run in trace.runs():
        yield run.operation, b"".join(answers[place][:-2] for place in run.turns)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_every_command_is_traced_and_plays_back(
    cli: Cli,
    card: Card,
    counter: Counter,
    made_counter: Counter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[bytes],
    case: Case,
) -> None:
    prepared(cli, tmp_path)
    path = laid(case, card, counter)

    def call(*more: str | Path) -> Run:
        path = laid(case, card, counter)
        (tmp_path / "ledger").unlink(missing_ok=True)
        del answers[:]
        return cli("--simulator", path, *case.line.split(), *more, "--json", secrets=case.secrets or None)

    plain, plain_files = call(), made(tmp_path, made_counter)
    traced = call("--trace", "trace.txt")
    text = (tmp_path / "trace.txt").read_bytes()
    traced_files = made(tmp_path, made_counter)
    assert (traced.exit, traced.out) == (plain.exit, plain.out) == (case.exit, plain.out)
    assert "trace.txt" in traced.err
    assert traced_files.pop("trace.txt") == text
    assert (traced_files == plain_files) if not case.area else (traced_files.keys() == plain_files.keys())

    who = load_persona(case.persona)
    values = [*PLANTED, *case.secrets.values(), who.my_number, who.name, who.address, *who.pins.values()]
    shown = text.decode("ascii")
    assert not leaked(shown, [value for value in values if value])
    for value in values:
        if len(value) >= 4:
            assert value.encode().hex().upper() not in shown

    trace = read_trace(text)
    assert [turn.sw for turn in trace.turns] == [int.from_bytes(one[-2:], "big") for one in answers]
    if case.area and (case.line.split()[1] not in ("list", "show") or "--terminal" in case.line):
        return  # what is signed with ECDSA is never signed alike, and the MACs of a session follow
    whole = read_trace(text + declared_lines(declared(trace, answers)).encode("ascii"))
    replay = Replay(whole, description=path.name)

    def connect(reader: str | None = None, *, simulator: Any, observer: Any, lang: str, **_: Any) -> OpenCard:
        return OpenCard(replay, ours=True, observer=observer, lang=lang)

    monkeypatch.setattr(kojin_card.card, "connect", connect)
    played = call("--trace", "again.txt")
    replay.finish()
    assert (played.exit, played.out) == (plain.exit, plain.out)
    files = made(tmp_path, made_counter)
    assert files.pop("again.txt") == text
    assert files == plain_files


def test_the_file_is_its_owners_and_is_named(cli: Cli, card: Card, tmp_path: Path) -> None:
    for lang, word in (("ja", "記録しました: t-ja.txt"), ("en", "written: t-en.txt (4 APDUs)")):
        run = cli(
            "--simulator",
            card(),
            "read",
            "basic-four",
            "--fast",
            "--lang",
            lang,
            "--trace",
            f"t-{lang}.txt",
            secrets=PIN,
        )
        assert run.exit == 0
        assert word in run.err
        assert stat.S_IMODE((tmp_path / f"t-{lang}.txt").stat().st_mode) == 0o600
    lines = (tmp_path / "t-en.txt").read_text("ascii").splitlines()
    assert lines[0] == "# kojin-card trace 1.0"
    assert "# card: software" in lines
    assert "# command: read basic-four" in lines
    assert lines[lines.index("") :] == [
        "",
        "> 00 A4 04 0C D3921000310001010408  # select input_support",
        "< 9000",
        "> 00 20 00 91  # tries input_support/pin",
        "< 63C3",
        "> 00 20 00 91 [secret]  # verify input_support/pin",
        "< 9000",
        "> 00 B0 82 00 Le=256  # read input_support/basic_four",
        "< [119 bytes] 9000",
    ]


def test_it_tells_no_card_from_another(cli: Cli, card: Card, tmp_path: Path) -> None:
    path = card()
    with SoftCard.open(path) as soft:
        serial = OpenCard(soft).common.card_information().serial
    run = cli("--simulator", path, "info", "--trace", "t.txt", "-v")
    assert run.exit == 0
    text = (tmp_path / "t.txt").read_text("ascii")
    for hidden in (serial, serial[-13:], serial[-4:], serial.encode().hex().upper(), path.name):
        assert hidden not in text


@pytest.mark.parametrize(
    ("secrets", "exit_code", "apdus"), [({"pin": "0000"}, 4, 3), (PIN, 0, 4)], ids=["wrong", "right"]
)
def test_it_is_written_also_when_the_command_fails(
    cli: Cli, card: Card, tmp_path: Path, secrets: dict[str, str], exit_code: int, apdus: int
) -> None:
    run = cli("--simulator", card(), "read", "basic-four", "--fast", "--trace", "t.txt", "--json", secrets=secrets)
    assert run.exit == exit_code
    assert len(read_trace((tmp_path / "t.txt").read_bytes()).turns) == apdus


def test_also_when_the_connection_fails_or_somebody_stops_it(
    cli: Cli, card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kojin_card.errors import CardRemoved

    for name, error, exit_code in (
        ("a", CardRemoved("x"), 9),
        ("b", OSError("5678"), 9),
        ("c", KeyboardInterrupt(), 130),
    ):

        def failing(self: SoftCard, command: bytes, error: BaseException = error) -> bytes:
            raise error

        monkeypatch.setattr(SoftCard, "transmit", failing)
        run = cli("--simulator", card(), "read", "basic-four", "--trace", name, secrets=PIN)
        assert run.exit == exit_code
        (turn,) = read_trace((tmp_path / name).read_bytes()).turns
        assert turn.failure == {"a": "card_removed", "b": "transport", "c": "cancelled"}[name]


def test_nothing_is_written_when_nothing_was_sent(cli: Cli, card: Card, tmp_path: Path) -> None:
    prepared(cli, tmp_path)
    for words in (
        ("read", "basic-four"),  # no secret at hand
        ("read", "basic-four", "--explain"),
        ("verify", "pdf", "in.pdf"),
        ("simulator", "show", "adult.json"),
        ("trust", "list"),
    ):
        cli("--simulator", card(), *words, "--trace", "t.txt")
        assert not (tmp_path / "t.txt").exists(), words
    assert cli("--simulator", "none.json", "info", "--trace", "t.txt").exit == 10
    assert not (tmp_path / "t.txt").exists()


def test_a_plan_has_it_among_the_files(cli: Cli) -> None:
    told = cli("cert", "export", "auth", "-o", "out", "--trace", "t.txt", "--explain", "--json").json("explained")
    assert told["files"][-1] == {"file": "t.txt", "private": True}
    assert [one["file"] for one in told["files"]] == ["out", "t.txt"]


def test_no_file_is_replaced_unless_force_says_so(cli: Cli, card: Card, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("mine")
    path = card()
    before = path.read_bytes()
    run = cli("--simulator", path, "read", "basic-four", "--trace", "t.txt", "--json", secrets={"pin": "0000"})
    assert (run.exit, run.error()["code"]) == (2, "output_exists")
    assert "--trace" in run.error()["remedy"]
    assert path.read_bytes() == before  # before any try
    assert (tmp_path / "t.txt").read_text() == "mine"
    line = ("cert", "export", "auth", "-o", "out", "--trace", "t.txt", "--force")
    assert cli("--simulator", path, *line).exit == 0
    assert read_trace((tmp_path / "t.txt").read_bytes()).turns


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_it_is_never_a_file_that_the_command_uses(cli: Cli, card: Card, tmp_path: Path, lang: str) -> None:
    (tmp_path / "in.pdf").write_bytes(blank_pdf(["x"]))
    path = card()
    before = path.read_bytes()
    for name in ("adult.json", "./adult.json", path, "in.pdf", "out", tmp_path / "out", "given.secrets", "-"):
        line = ("sign", "cms", "in.pdf", "-o", "out", "--trace", name, "--force", "--json", "--lang", lang)
        run = cli("--simulator", path, *line, secrets={"sign-password": "ABC123"})
        assert (run.exit, run.error()["code"]) == (2, "usage"), name
        assert "--trace" in run.error()["remedy"]
        assert not (tmp_path / "out").exists()
    assert path.read_bytes() == before
    assert cli("--simulator", path, "info", "--trace", "no/such/folder").exit == 10


def test_a_trace_that_cannot_be_written_is_said_and_changes_nothing(
    cli: Cli, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputFailed("no room", operation="write a file", file="t.txt")

    plain = cli("--simulator", card(), "info", "--json")
    monkeypatch.setattr(tracing, "write_output", full)
    run = cli("--simulator", card(), "info", "--json", "--trace", "t.txt", "--lang", "en")
    assert (run.exit, run.out) == (0, plain.out)
    assert "Warning: the conversation could not be written" in run.err
