"""Our client through pyscard, pcscd and vpcd: the same as in this process, and whose the card is meanwhile."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from client.operations import OPERATIONS, licence_state, state
from interop.pcscd import NAME, NEEDED, PATIENCE, CannotStart, Desk, served
from interop.test_bindings import NOT_BUILT, script
from kojin_card.simulator import SoftCard, make_card

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

pytestmark = [
    pytest.mark.foreign(*NEEDED),
    pytest.mark.skipif(find_spec("smartcard") is None, reason=NOT_BUILT.format("pyscard")),
]
LEFT, RIGHT = f"{NAME} 00 00", f"{NAME} 00 01"
CLI = (sys.executable, "-m", "kojin_card.cli.main")
SIGN = "802A008033 3031300D060960864801650304020105000420" + "AB" * 32 + "00"
SELECT = "00A4040C0AD392F000260100000001"


@pytest.fixture(scope="module")
def own_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, list[Path]]]:
    """The cards of the client's own tests in the two slots, and copies of their files."""
    folder = tmp_path_factory.mktemp("own")
    paths = []
    for kind in ("card", "copy"):
        for name, content in (("adult", state()), ("licence", licence_state())):
            paths.append(folder / f"{name}-{kind}.json")
            SoftCard.create(paths[-1], content).close()
    try:
        with served(*paths[:2]) as desk:
            yield desk, paths[2:]
    except CannotStart as why:
        pytest.skip(f"FOREIGN CLIENTS ABSENT: no pcscd of our own ({why})")


def test_every_operation_gives_the_same_and_sends_the_same(own_desk: tuple[Desk, list[Path]]) -> None:
    desk, copies = own_desk
    program = Path(__file__).with_name("both_ways.py")
    said = desk.run(sys.executable, program, LEFT, RIGHT, *copies)
    assert said.returncode == 0, said.stderr
    told: dict[str, Any] = json.loads(said.stdout)
    assert told.keys() == OPERATIONS.keys()
    assert not {name: one for name, one in told.items() if not (one["result"] and one["apdus"])}
    assert sum(one["count"][1] for one in told.values()) > 100


# --- whose the card is ------------------------------------------------------------------------------------------------

USE = """
import json, sys
import kojin_card
from kojin_card.transport import pcsc
from smartcard.scard import *
told = {}
def raw(*commands):
    _, context = SCardEstablishContext(SCARD_SCOPE_USER)
    code, line, protocol = SCardConnect(context, sys.argv[1], SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1)
    answers = []
    for command in commands:
        code, answer = SCardTransmit(line, SCARD_PCI_T1, list(bytes.fromhex(command)))
        answers.append(bytes(answer[-2:]).hex().upper() or f"{code & 0xFFFFFFFF:08X}")
    SCardDisconnect(line, SCARD_LEAVE_CARD)
    SCardReleaseContext(context)
    return answers
def reset():
    _, context = SCardEstablishContext(SCARD_SCOPE_USER)
    code, line, protocol = SCardConnect(context, sys.argv[1], SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1)
    SCardDisconnect(line, SCARD_RESET_CARD)
    SCardReleaseContext(context)
def failure(call):
    try:
        call()
    except kojin_card.errors.KojinError as bad:
        return type(bad).__name__
SELECT, SIGN = sys.argv[2:4]
"""


def use(desk: Desk, text: str, reader: str = LEFT) -> Any:
    return script(desk, USE + text + "\nprint(json.dumps(told))", reader, SELECT, SIGN.replace(" ", ""))


def test_nobody_finds_our_pin_verified(desk: Desk) -> None:
    told = use(
        desk,
        """
with kojin_card.connect(sys.argv[1]) as card:
    card.channel.verify("jpki", "auth_pin", "1234")
    pcsc.SERVICE_SECONDS = 1.0
    told["meanwhile"] = failure(lambda: kojin_card.connect(sys.argv[1]))
told["after"] = raw(SELECT, "00A4020C020017", SIGN)
""",
    )
    assert told == {"meanwhile": "CardBusy", "after": ["9000", "9000", "6982"]}


def test_a_process_that_is_killed_leaves_nothing_verified(desk: Desk) -> None:
    verify = "import os, signal, sys, kojin_card\ncard = kojin_card.connect(sys.argv[1])\n"
    verify += 'card.channel.verify("jpki", "auth_pin", "1234")\nos.kill(os.getpid(), signal.SIGKILL)'
    assert desk.run(sys.executable, "-c", verify, LEFT).returncode == -signal.SIGKILL
    assert use(desk, 'told["after"] = raw("00A4020C020017", SIGN)')["after"][-1] not in ("9000", "6100")


def test_a_reset_by_others_is_noticed_and_no_secret_is_sent_again(desk: Desk) -> None:
    before = desk.tries()
    told = use(
        desk,
        """
lines = []
card = kojin_card.connect(sys.argv[1], observer=lambda exchange: lines.append(exchange.operation))
card.jpki.token()
reset()
told["first"] = failure(lambda: card.jpki.auth_signer("1234"))
told["again"] = failure(lambda: card.jpki.auth_signer("1234"))
told["verified"] = sum(line.startswith("verify") for line in lines)
card.close()
""",
    )
    assert told == {"first": "CardReset", "again": "CardReset", "verified": 0}
    assert desk.tries() == before


def test_a_card_that_another_program_has_is_told_to_be_busy(desk: Desk) -> None:
    told = use(
        desk,
        """
_, context = SCardEstablishContext(SCARD_SCOPE_USER)
code, line, protocol = SCardConnect(context, sys.argv[1], SCARD_SHARE_EXCLUSIVE, SCARD_PROTOCOL_T1)
told["exclusive"] = failure(lambda: kojin_card.connect(sys.argv[1]))
SCardDisconnect(line, SCARD_LEAVE_CARD)
kojin_card.connect(sys.argv[1]).close()
""",
    )
    assert told == {"exclusive": "CardBusy"}


@contextlib.contextmanager
def running(desk: Desk, *words: str, **more: Any) -> Iterator[subprocess.Popen[Any]]:
    """A program of this reader's, ended with the test, however that ends. Ctrl-C reaches it, also when the tests run in
    the background, where a shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        child = subprocess.Popen(words, stdout=subprocess.PIPE, env=desk.environment, **more)
    finally:
        signal.signal(signal.SIGINT, before)
    with child:
        try:
            yield child
        finally:
            child.kill()


def test_a_card_that_leaves_in_the_middle(desk: Desk) -> None:
    text = """
import kojin_card, sys
card = kojin_card.connect(sys.argv[1])
card.channel.verify("jpki", "auth_pin", "1234")
print("verified", flush=True)
sys.stdin.readline()
for _ in range(2):
    try:
        card.jpki.certificate("auth")
    except kojin_card.errors.TransportError as bad:
        print(type(bad).__name__, flush=True)
card.close()
"""
    with running(desk, sys.executable, "-c", text, LEFT, stdin=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "verified\n"
        desk.ask("remove", number=1)
        desk.wait_for_cards((False, True))
        out, _ = child.communicate("go\n", timeout=PATIENCE)
        assert child.returncode == 0
    desk.ask("insert", number=1)
    desk.wait_for_cards()
    assert out.splitlines()[0] == "CardRemoved"
    assert len(out.splitlines()) == 2


def test_waiting_for_a_card_ends_when_it_comes(desk: Desk) -> None:
    desk.ask("remove", number=1)
    desk.wait_for_cards((False, True))
    waiting = (*CLI, "--reader", LEFT, "--wait-for-card", "30", "--json", "info")
    with running(desk, *waiting, stderr=subprocess.PIPE) as child:
        assert child.stderr is not None
        assert b"Put the card on the reader" in child.stderr.readline()
        desk.ask("insert", number=1)
        out, _ = child.communicate(timeout=PATIENCE)
        assert child.returncode == 0
    assert json.loads(out)["card"] == LEFT
    desk.wait_for_cards()


def test_events_come_as_they_happen_and_cost_nothing_meanwhile(desk: Desk) -> None:
    with running(desk, *CLI, "watch", "--json") as child:
        out = child.stdout
        assert out is not None

        def event() -> tuple[str, str]:
            told = json.loads(out.readline())
            return told["event"], told["reader"]

        assert [event() for _ in range(4)] == [
            ("reader_added", LEFT),
            ("card_inserted", LEFT),
            ("reader_added", RIGHT),
            ("card_inserted", RIGHT),
        ]
        desk.ask("remove", number=1)
        assert event() == ("card_removed", LEFT)
        desk.ask("insert", number=1)
        assert event() == ("card_inserted", LEFT)
        before = _processor_seconds(child.pid)
        time.sleep(3)
        assert _processor_seconds(child.pid) - before < 0.3
        begun = time.monotonic()
        child.send_signal(signal.SIGINT)
        assert child.wait(PATIENCE) == 130
        assert time.monotonic() - begun < 1
    desk.wait_for_cards()


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


# --- broken set-ups, with everything real but what is broken ----------------------------------------------------------


def doctor(desk: Desk, *words: str, **env: str) -> tuple[int, dict[str, dict[str, Any]]]:
    said = desk.run(*CLI, *words, "--json", "--lang", "en", "doctor", env=env)
    told = json.loads(said.stdout)
    return said.returncode, {one["id"]: one for one in told["findings"] if one["state"] in ("warning", "problem")}


def test_the_doctor_on_broken_set_ups(desk: Desk, desk_cards: tuple[CardState, ...], tmp_path: Path) -> None:
    code, found = doctor(desk)
    assert (code, list(found)) == (3, ["card"])
    assert LEFT in found["card"]["message"]
    code, found = doctor(desk, "--reader", LEFT)
    assert (code, found) == (0, {})
    desk.set(1, tries={"auth-pin": 0})
    code, found = doctor(desk, "--reader", LEFT)
    assert (code, list(found)) == (5, ["tries"])
    code, found = doctor(desk, "--reader", "none of that name")
    assert (code, list(found)) == (3, ["card"])
    code, found = doctor(desk, PCSCLITE_CSOCK_NAME=str(tmp_path / "none"))
    assert (code, list(found)) == (11, ["service"])
    (tmp_path / "smartcard").mkdir()
    (tmp_path / "smartcard" / "__init__.py").write_text("raise ImportError\n")
    code, found = doctor(desk, PYTHONPATH=f"{tmp_path}:{desk.environment['PYTHONPATH']}")
    assert (code, list(found)) == (11, ["extra"])
    for number in (1, 2):
        desk.ask("remove", number=number)
    desk.wait_for_cards((False, False))
    code, found = doctor(desk)
    assert (code, list(found)) == (3, ["card"])
    phone = tmp_path / "phone.json"
    SoftCard.create(phone, make_card("android", now=datetime.now(UTC) - timedelta(hours=1))).close()
    desk.ask("insert", file=str(phone))
    desk.wait_for_cards((True, False))
    code, found = doctor(desk)
    assert (code, list(found), found["kind"]["state"]) == (0, ["kind"], "warning")
    desk.ask("remove", number=1)
    desk.ask("insert", file=desk.files[0])  # the place keeps the file that was last in it
