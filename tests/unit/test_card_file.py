"""The card file on disk: one whole version whatever is killed when, a try spent stays spent, one process at a time."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kojin_card.errors import CardFileBusy, InputError
from kojin_card.simulator import CardState, Knobs, SoftCard, cardfile, make_card
from kojin_card.simulator.memory import Memory
from kojin_card.simulator.state import KeyState
from kojin_card.spec import load_card_spec
from support import ROOT

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SPEC = load_card_spec()
JPKI = bytes.fromhex("00A4040C0AD392F000260100000001")
RIGHT = bytes.fromhex("002000980431323334")
WRONG = bytes.fromhex("002000980430303030")
QUERY = bytes.fromhex("00200098")


@cache
def state(persona: str = "adult") -> CardState:
    return make_card(persona, now=NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    where = tmp_path / "my.card"
    SoftCard.create(where, state()).close()
    return where


def tries(path: Path) -> int:
    with SoftCard.open(path, wait_seconds=5) as card:
        return card.state.key("jpki", "auth_pin").tries_left


def python(code: str, *arguments: str | Path, **options: Any) -> subprocess.Popen[bytes]:
    """A process of its own that runs ``code`` with the package in its path."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        **options,
    )


# --- the file --------------------------------------------------------------------------------------------------------


def test_a_new_card_file(tmp_path: Path) -> None:
    path = tmp_path / "new.card"
    with SoftCard.create(path, state()) as card:
        assert card.description == "new.card"
        assert card.transmit(JPKI) == b"\x90\x00"
    assert path.stat().st_mode & 0o7777 == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["new.card"]
    first = path.read_text("utf-8").splitlines()[0]
    assert "TEST CARD" in first
    assert json.loads(path.read_text("utf-8"))["version"] == 1


def test_the_mode_does_not_depend_on_the_umask_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "new.card"
    old = os.umask(0)
    try:
        with SoftCard.create(path, state()) as card:
            card.transmit(JPKI)
            card.transmit(WRONG)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("persona", ["adult", "child", "jlis_test_card"])
def test_every_persistent_byte_comes_back(tmp_path: Path, persona: str) -> None:
    path = tmp_path / "a.card"
    SoftCard.create(path, state(persona)).close()
    with SoftCard.open(path) as card:
        assert card.state == state(persona)


def test_knobs_and_bytes_of_any_secret_come_back(tmp_path: Path) -> None:
    knobs = Knobs(0x6983, reselect_keeps_state=True, empty_verify_when_verified=0x9000, contact_atr_at_power_on=False)
    odd = make_card("adult", now=NOW, knobs=knobs).with_key(
        "jpki", "auth_pin", KeyState(bytes(range(256))[1:], tries_left=1, tries_full=3)
    )
    SoftCard.create(tmp_path / "a.card", odd).close()
    with SoftCard.open(tmp_path / "a.card") as card:
        assert card.state == odd


def test_creating_never_overwrites(path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    for there in (path, tmp_path / "link.card", tmp_path):
        if there.name == "link.card":
            there.symlink_to("nowhere")
        with pytest.raises(InputError):
            SoftCard.create(there, state())
    assert path.read_bytes() == before
    assert sorted(item.name for item in tmp_path.iterdir()) == ["link.card", "my.card"]


@pytest.mark.parametrize("where", ["no/such/folder.card", "\0.card", "x" * 300])
def test_where_no_card_can_be_made_or_opened(tmp_path: Path, where: str) -> None:
    with pytest.raises(InputError):
        SoftCard.create(tmp_path / where, state())
    with pytest.raises(InputError):
        SoftCard.open(tmp_path / where)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.card")
    (tmp_path / "folder.card").mkdir()
    (tmp_path / "loop.card").symlink_to("loop.card")
    for name in ("pipe.card", "folder.card", "loop.card", "absent.card"):
        with pytest.raises(InputError):
            SoftCard.open(tmp_path / name)
    with pytest.raises(InputError):
        SoftCard.open("/dev/zero")


def test_through_a_symbolic_link_the_file_itself_is_used(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.card"
    link.symlink_to(path.name)
    with SoftCard.open(link) as card:
        card.transmit(JPKI)
        assert card.transmit(WRONG) == b"\x63\xc2"
        assert card.description == "link.card"
    assert link.is_symlink()
    assert tries(path) == 2


def test_a_spent_try_and_a_changed_pin_are_on_disk_when_the_answer_comes(path: Path) -> None:
    card = SoftCard.open(path)
    card.transmit(JPKI)

    def on_disk() -> dict[str, Any]:
        keys: dict[str, Any] = json.loads(path.read_text("utf-8"))["applications"]["jpki"]["keys"]["auth_pin"]
        return keys

    assert card.transmit(WRONG) == b"\x63\xc2"
    assert on_disk()["tries_left"] == 2
    assert card.transmit(RIGHT) == b"\x90\x00"
    assert on_disk()["tries_left"] == 3
    assert card.transmit(bytes.fromhex("002401980438383838")) == b"\x90\x00"
    assert on_disk()["secret"] == "8888"
    card.close()


def test_a_verify_costs_two_small_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The try, and its return: each a file and its folder synced, and nothing else."""
    synced = []
    sync = os.fsync

    def counted(descriptor: int) -> None:
        synced.append(descriptor)
        sync(descriptor)

    with SoftCard.open(path) as card:
        card.transmit(JPKI)
        monkeypatch.setattr(os, "fsync", counted)
        assert card.transmit(RIGHT) == b"\x90\x00"
    assert len(synced) == 4


# --- killed ----------------------------------------------------------------------------------------------------------

SERVE = """
    import os, sys
    from kojin_card.simulator import SoftCard
    card = SoftCard.open(sys.argv[1])
    for line in sys.stdin:
        answer = card.transmit(bytes.fromhex(line))
        sys.stdout.write(answer.hex() + "\\n")
        sys.stdout.flush()
"""


def test_killed_between_any_two_commands_it_comes_back(path: Path) -> None:
    """Kill -9 after each command: counters as they were, the security state gone, and no lock left behind."""
    expected = 3
    for answer in ("63c2", "63c1", "9000", "63c2"):
        process = python(SERVE, path, stdin=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        value = RIGHT if answer == "9000" else WRONG
        process.stdin.write(f"{JPKI.hex()}\n{value.hex()}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline().strip() == b"9000"
        assert process.stdout.readline().strip().decode() == answer
        process.send_signal(signal.SIGKILL)
        process.communicate()
        expected = 3 if answer == "9000" else expected - 1
        assert tries(path) == expected
        with SoftCard.open(path) as card:
            card.transmit(JPKI)
            assert card.transmit(bytes.fromhex("802A009701AA00")) == b"\x69\x82"


KILLED_INSIDE = """
    import os, signal, sys
    from kojin_card.simulator import SoftCard, cardfile
    card = SoftCard.open(sys.argv[1])
    card.transmit(bytes.fromhex("00A4040C0AD392F000260100000001"))
    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)
    real_write, real_fsync = os.write, os.fsync
    class Half:
        # Stands in for the os module inside cardfile, so that one call never returns.
        def __getattr__(self, name):
            return getattr(os, name)
        def write(self, fd, data):
            real_write(fd, bytes(data)[:1000])
            die()
    where = sys.argv[2]
    if where == "write":
        cardfile.os = Half()
    elif where == "fsync":
        os.fsync = die
    elif where == "rename":
        cardfile.Path.rename = die
    elif where == "after rename":
        cardfile._sync_folder = die
    elif where == "comparison":
        import hmac
        hmac.compare_digest = die
    card.transmit(bytes.fromhex(sys.argv[3]))
"""


@pytest.mark.parametrize("pin", ["31323334", "30303030"])
@pytest.mark.parametrize(
    ("where", "left"), [("write", 3), ("fsync", 3), ("rename", 3), ("after rename", 2), ("comparison", 2)]
)
def test_killed_inside_a_verify(path: Path, where: str, left: int, pin: str) -> None:
    """Nothing was answered, so nothing was learnt: the try is there or spent, and the file is one whole version."""
    process = python(KILLED_INSIDE, path, where, f"0020009804{pin}")
    assert process.communicate()[0] == b""
    assert process.returncode == -signal.SIGKILL
    assert tries(path) == left
    assert [item.name for item in path.parent.iterdir()] == [path.name]  # what was left behind is swept at opening


def storm(path: Path, generator: random.Random) -> tuple[str, bytes | None]:
    """Send VERIFYs until a timer kills the card; its last answer, and the command that got none."""
    process = python(SERVE, path, stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    last, pending = "9000", None
    with contextlib.suppress(BrokenPipeError):
        for number in range(100_000):
            pending = generator.choice((RIGHT, WRONG, RIGHT)) if number else JPKI
            process.stdin.write(pending.hex().encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline().strip().decode()
            if not answer:
                break
            last, pending = answer, None
            if not number:
                threading.Timer(generator.random() * 0.05, process.kill).start()
    process.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    assert process.wait() == -signal.SIGKILL
    return last, pending


def test_killed_anywhere_in_a_storm_of_verifies_no_try_is_won(path: Path) -> None:
    """The last answer bounds what the file may say: never more tries than it told, unless a right PIN was under way."""
    generator = random.Random(7)  # noqa: S311  # the same bytes every run
    for _ in range(8):
        before = tries(path)
        last, pending = storm(path, generator)
        told = {"9000": 3, "6984": 0}[last] if last in ("9000", "6984") else int(last[-1])
        left = tries(path)
        # With no VERIFY answered at all, the last answer is that of SELECT and says nothing of the counter.
        known = {before, told} if last == "9000" else {told}
        allowed = {count for one in known for count in (one, max(one - 1, 0))}
        if pending == RIGHT and known != {0}:
            allowed.add(3)
        assert left in allowed, (before, last, pending, left)
        if left < 2:
            path.unlink()
            SoftCard.create(path, state()).close()


def test_leftovers_of_others_are_left_alone(path: Path) -> None:
    for name in (".my.card.partial.txt", "my.card.partial", ".other.card.1234.partial", ".my.card.swp"):
        (path.parent / name).write_text("mine")
    (path.parent / ".my.card.0123456789abcdef.partial").write_text("half a card")
    SoftCard.open(path).close()
    assert sorted(item.name for item in path.parent.iterdir()) == [
        ".my.card.partial.txt",
        ".my.card.swp",
        ".other.card.1234.partial",
        "my.card",
        "my.card.partial",
    ]


def test_a_full_disk_is_told_and_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    with SoftCard.open(path) as card:
        card.transmit(JPKI)

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            assert card.transmit(RIGHT) == b"\x65\x81"
        assert path.read_bytes() == before
        assert card.transmit(QUERY) == b"\x63\xc3"
        assert card.transmit(RIGHT) == b"\x90\x00"
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_a_file_put_in_the_cards_place_is_not_taken_for_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory: Memory = cardfile.CardFile(path, SPEC, wait_seconds=0)
    rename = Path.rename

    def replaced(self: Path, target: Path) -> Path:
        result = rename(self, target)
        path.unlink()
        path.write_text("another")
        return result

    monkeypatch.setattr(Path, "rename", replaced)
    with pytest.raises(OSError, match="place"):
        memory.commit(state())
    memory.close()
    with pytest.raises(OSError, match="closed"):
        memory.commit(state())


# --- one at a time ---------------------------------------------------------------------------------------------------

HOLD = """
    import sys, time
    from kojin_card.simulator import SoftCard
    with SoftCard.open(sys.argv[1]) as card:
        card.transmit(bytes.fromhex("00A4040C0AD392F000260100000001"))
        card.transmit(bytes.fromhex("002000980430303030"))   # the file is another one now, and locked still
        print("held", flush=True)
        sys.stdin.readline()
        card.transmit(bytes.fromhex("002000980430303030"))
"""


def test_the_second_process_waits_and_is_then_told(path: Path) -> None:
    holder = python(HOLD, path, stdin=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    start = time.monotonic()
    with pytest.raises(CardFileBusy) as caught:
        SoftCard.open(path, wait_seconds=0.4)
    assert time.monotonic() - start >= 0.4  # it did wait
    assert caught.value.details["file"] == "my.card"
    holder.communicate(b"\n")
    assert tries(path) == 1


def test_the_second_process_gets_the_newest_version_when_the_first_is_done(path: Path) -> None:
    holder = python(HOLD, path, stdin=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == b"held\n"
    threading.Timer(0.2, holder.stdin.close).start()
    start = time.monotonic()
    with SoftCard.open(path, wait_seconds=5) as card:
        assert time.monotonic() - start > 0.15
        assert card.state.key("jpki", "auth_pin").tries_left == 1
    holder.stdout.close()
    holder.wait()


def test_the_default_is_to_wait_five_seconds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with SoftCard.open(path):
        before = next(clock)
        with pytest.raises(CardFileBusy):
            SoftCard.open(path)
        assert next(clock) - before == 5 + 2  # the start, five looks that find it held, and the one that gives up
    assert slept


def test_who_waits_for_a_card_file_is_told_once_and_not_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most waits are over before anybody could read a word; nobody should look at a silent screen for five seconds."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda _: now.__setitem__(0, now[0] + 0.25))
    told: list[float] = []
    with SoftCard.open(path), pytest.raises(CardFileBusy):
        SoftCard.open(path, waiting=lambda: told.append(now[0]))
    with SoftCard.open(path), pytest.raises(CardFileBusy):
        SoftCard.open(path, wait_seconds=0.25, waiting=lambda: told.append(-1))
    assert told == [0.5]


def test_many_takers_of_one_card_lose_nothing(path: Path) -> None:
    """Eight threads open, spend or restore, and close; every answer fits a counter that only one held at a time."""
    answers: list[str] = []

    def take() -> None:
        for _ in range(5):
            with SoftCard.open(path, wait_seconds=20) as card:
                card.transmit(JPKI)
                answers.append(card.transmit(WRONG).hex() + card.transmit(RIGHT).hex())

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["63c29000"] * 40
    assert tries(path) == 3


def test_a_card_that_fails_to_open_is_not_left_locked(path: Path) -> None:
    good = path.read_bytes()
    path.write_bytes(good[:-10])
    with pytest.raises(InputError):
        SoftCard.open(path)
    path.write_bytes(good)
    SoftCard.open(path, wait_seconds=0).close()


# --- taken away ------------------------------------------------------------------------------------------------------

TAKE: dict[str, Callable[[Path], object]] = {
    "renamed": lambda path: path.rename(path.with_name("other.card")),
    "hard-linked": lambda path: os.link(path, path.with_name("other.card")),
    "removed": lambda path: path.unlink(),
    "replaced": lambda path: _replace(path),
    "its folder renamed": lambda path: path.parent.rename(path.parent.with_name("elsewhere")),
}


def _replace(path: Path) -> None:
    other = path.with_name("new")
    other.write_bytes(b"another card")
    other.rename(path)


@pytest.mark.parametrize("how", TAKE)
def test_a_card_that_was_taken_away_spends_no_try_and_tells_none(tmp_path: Path, how: str) -> None:
    """A try that is spent in one file and not in the other would come back."""
    path = tmp_path / "folder" / "my.card"
    path.parent.mkdir()
    SoftCard.create(path, state()).close()
    before = path.read_bytes()
    with SoftCard.open(path) as card:
        card.transmit(JPKI)
        assert card.transmit(QUERY) == b"\x63\xc3"
        TAKE[how](path)
        for command in (WRONG, RIGHT, WRONG, QUERY):
            assert card.transmit(command) == b"\x65\x81"
        assert card.transmit(bytes.fromhex("802A009701AA00")) == b"\x69\x82"
    files = {item.name: item.read_bytes() for item in tmp_path.rglob("*") if item.is_file()}
    assert all(content == (b"another card" if how == "replaced" else before) for content in files.values())
    assert len(files) == {"hard-linked": 2, "removed": 0}.get(how, 1)


def test_what_takes_the_place_in_the_last_moment_is_not_overwritten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = cardfile.CardFile(path, SPEC, wait_seconds=0)
    write = cardfile._write_partial

    def late(target: Path, text: bytes) -> tuple[int, Path]:
        result = write(target, text)
        _replace(target)
        return result

    monkeypatch.setattr(cardfile, "_write_partial", late)
    with pytest.raises(OSError, match="taken away"):
        memory.commit(state())
    memory.close()
    assert [(item.name, item.read_bytes()) for item in path.parent.iterdir()] == [("my.card", b"another card")]


def test_a_file_of_two_names_is_not_opened(path: Path) -> None:
    os.link(path, path.with_name("b.card"))
    for name in ("my.card", "b.card"):
        with pytest.raises(InputError, match="hard links"):
            SoftCard.open(path.with_name(name), wait_seconds=0)
    path.with_name("b.card").unlink()
    assert tries(path) == 3


def test_killed_while_it_was_made_it_can_be_opened(path: Path) -> None:
    """Between link and unlink the card has the name of the half-written file too."""
    os.link(path, path.with_name(".my.card.0123456789abcdef.partial"))
    assert tries(path) == 3
    assert [item.name for item in path.parent.iterdir()] == ["my.card"]


FORKED = """
    import os, sys
    from kojin_card.errors import CardRemoved
    from kojin_card.simulator import SoftCard
    jpki, wrong = bytes.fromhex("00A4040C0AD392F000260100000001"), bytes.fromhex("002000980430303030")
    card = SoftCard.open(sys.argv[1])
    card.transmit(jpki)
    pid = os.fork()
    if not pid:
        try:
            card.transmit(wrong)
        except CardRemoved:
            card.close()
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    try:
        SoftCard.open(sys.argv[1], wait_seconds=0)
    except Exception as busy:
        print(type(busy).__name__, card.transmit(wrong).hex())
"""


def test_a_forked_process_has_no_part_in_it(path: Path) -> None:
    process = python(FORKED, path)
    assert process.communicate()[0].split() == [b"CardFileBusy", b"63c2"]
    assert tries(path) == 2
