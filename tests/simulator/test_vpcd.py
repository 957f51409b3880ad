"""The card's side of vpcd's protocol, against a reader written here, whose octets are typed."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kojin_card.errors import CardRemoved, VpcdUnreachable
from kojin_card.simulator.serve import Server
from kojin_card.simulator.softcard import SoftCard
from kojin_card.simulator.vpcd import Garbage, Slot, Talk, Where

if TYPE_CHECKING:
    from kojin_card.simulator import CardState

SELECT = bytes.fromhex("00A4040C0AD392F000260100000001")
ATR = bytes.fromhex("3BE000FF8131FE4514")
OFF, ON, RESET, WANT_ATR = b"\x00\x01\x00", b"\x00\x01\x01", b"\x00\x01\x02", b"\x00\x01\x04"


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


class Dummy:
    """A card that answers with its command and 9000, or as it is told."""

    atr = ATR

    def __init__(self, answer: Callable[[bytes], bytes] = lambda command: command + b"\x90\x00") -> None:
        self.answer = answer
        self.resets = 0

    def transmit(self, command: bytes) -> bytes:
        return self.answer(command)

    def reset(self) -> None:
        self.resets += 1


def talked(card: Dummy, octets: bytes) -> bytes:
    talk, said = Talk(card), b""
    talk.feed(octets)
    while talk.message_waits:
        talk.step()
        said, talk.outgoing = said + talk.outgoing, b""
    return said


# --- the conversation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "answer", "resets"),
    [
        (WANT_ATR, "0009 3BE000FF8131FE4514", 0),
        (OFF, "", 1),
        (ON, "", 1),
        (RESET, "", 1),
        (ON + WANT_ATR + OFF, "0009 3BE000FF8131FE4514", 2),
        (b"\x00\x04\x00\x20\x00\x80", "0006 00200080 9000", 0),
        (b"\x00\x01\x03", "0003 03 9000", 0),  # no control of the protocol: a command, and so it is answered
        (b"\x00\x01", "", 0),
        (b"\x00", "", 0),
        (b"", "", 0),
        (b"\x00\x05\x00\xb0\x00\x00", "", 0),  # a part of a message waits for the rest
    ],
)
def test_what_the_reader_says_and_what_the_card_answers(octets: bytes, answer: str, resets: int) -> None:
    card = Dummy()
    assert talked(card, octets) == bytes.fromhex(answer)
    assert card.resets == resets


def test_a_message_without_octets_is_none() -> None:
    with pytest.raises(Garbage):
        talked(Dummy(), b"\x00\x00")


def _defect(_: bytes) -> bytes:
    raise RuntimeError


@pytest.mark.parametrize("answer", [_defect, lambda _: b"", lambda _: b"\x90", lambda _: bytes(0x10000)])
def test_there_is_always_an_answer_and_it_is_never_empty(answer: Callable[[bytes], bytes]) -> None:
    assert talked(Dummy(answer), framed(SELECT)) == bytes.fromhex("0002 6F00")


def test_the_longest_answer_goes_through() -> None:
    longest = bytes(0xFFFD) + b"\x90\x00"
    assert talked(Dummy(lambda _: longest), framed(b"\x00" * 0xFFFF)) == b"\xff\xff" + longest


def test_a_card_that_is_gone_says_so() -> None:
    def gone(_: bytes) -> bytes:
        raise CardRemoved

    with pytest.raises(CardRemoved):
        talked(Dummy(gone), framed(SELECT))


@given(st.lists(st.binary(min_size=2, max_size=300), max_size=5), st.data())
def test_it_does_not_matter_how_the_octets_are_cut(messages: list[bytes], data: st.DataObject) -> None:
    octets, said = b"".join(map(framed, messages)), b""
    talk = Talk(Dummy())
    while octets or talk.message_waits:
        if talk.message_waits:
            talk.step()
            said, talk.outgoing = said + talk.outgoing, b""
            continue
        cut = data.draw(st.integers(1, len(octets)))
        talk.feed(octets[:cut])
        octets = octets[cut:]
    assert said == b"".join(framed(message + b"\x90\x00") for message in messages)


@given(st.binary(max_size=400))
def test_nothing_that_a_peer_may_send_does_more_than_end_the_conversation(octets: bytes) -> None:
    card = SoftCardLike()
    try:
        said = talked(card, octets)
    except Garbage:
        return
    while said:
        size = int.from_bytes(said[:2], "big")
        assert size >= 2
        said = said[2 + size :]


class SoftCardLike(Dummy):
    """Answers a status word alone."""

    def transmit(self, _: bytes) -> bytes:
        return b"\x6d\x00"


def test_each_recv_asks_for_quick_acknowledgment_before() -> None:
    """P1: without it every command takes 44 ms; the option does not stick."""

    class Line:
        calls: list[Any]

        def __init__(self) -> None:
            self.calls = []

        def setsockopt(self, *what: int) -> None:
            self.calls.append(what)

        def recv(self, _: int) -> bytes:
            self.calls.append("recv")
            return b"\x00"

    line, talk = Line(), Talk(Dummy())
    for _ in range(2):
        Slot._read(line, talk)  # type: ignore[arg-type]
    assert line.calls == [(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1), "recv"] * 2


# --- a server and a reader that listens -------------------------------------------------------------------------------


class Reader:
    """vpcd's side: listens on a port of its own and takes the card that calls."""

    def __init__(self, port: int = 0) -> None:
        self.listener = socket.create_server(("127.0.0.1", port))
        self.listener.settimeout(20)
        self.port: int = self.listener.getsockname()[1]
        self.line: socket.socket | None = None

    def accept(self) -> socket.socket:
        if self.line is not None:
            self.line.close()
        self.line, caller = self.listener.accept()
        assert caller[0] == "127.0.0.1"
        self.line.settimeout(20)
        return self.line

    def say(self, octets: bytes) -> None:
        assert self.line is not None
        self.line.sendall(octets)

    def hear(self) -> bytes:
        assert self.line is not None
        head = self._exactly(2)
        return self._exactly(int.from_bytes(head, "big"))

    def command(self, apdu: str) -> str:
        self.say(framed(bytes.fromhex(apdu)))
        return self.hear().hex().upper()

    def _exactly(self, size: int) -> bytes:
        assert self.line is not None
        found = b""
        while len(found) < size:
            part = self.line.recv(size - len(found))
            assert part, "the card hung up"
            found += part
        return found

    def hung_up(self) -> bool:
        assert self.line is not None
        try:
            return self.line.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        if self.line is not None:
            self.line.close()
        self.listener.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def two_readers() -> tuple[Reader, Reader]:
    """On a port and the next one."""
    while True:
        first = Reader()
        try:
            return first, Reader(first.port + 1)
        except OSError:
            first.close()


@pytest.fixture
def card_path(tmp_path: Path, card_state: Callable[[str], CardState]) -> Path:
    path = tmp_path / "card.json"
    SoftCard.create(path, card_state("adult")).close()
    return path


@contextmanager
def running(*cards: Path, port: int, **more: Any) -> Iterator[Server]:
    with Server(cards, port=port, **more) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(20)
            assert not thread.is_alive()


def told(server: Server) -> list[str]:
    return [str(place.slot.where) for place in server.places]


def test_a_card_in_the_reader(card_path: Path) -> None:
    with Reader() as reader, running(card_path, port=reader.port):
        reader.accept()
        reader.say(ON + WANT_ATR)
        assert reader.hear() == ATR
        assert reader.command(SELECT.hex()) == "9000"
        assert reader.command("00A4020C020018") == "9000"
        assert reader.command("0020008004" + b"1234".hex()) == "9000"
        assert reader.command("00A4020C020017") == "9000"
        signed = reader.command("802A008033 3031300D060960864801650304020105000420" + "AB" * 32 + "00")
        assert signed.endswith("9000")
        assert len(signed) == 2 * (256 + 2)
        reader.say(RESET)
        assert reader.command("00A4020C020017") != "9000", "a reset forgets what was selected"


@pytest.mark.parametrize("control", [OFF, ON, RESET])
def test_what_was_verified_is_lost_with_the_power(card_path: Path, control: bytes) -> None:
    sign = "802A008033 3031300D060960864801650304020105000420" + "AB" * 32 + "00"
    with Reader() as reader, running(card_path, port=reader.port):
        reader.accept()
        for command in (SELECT.hex(), "00A4020C020018", "0020008004" + b"1234".hex(), "00A4020C020017"):
            assert reader.command(command) == "9000"
        reader.say(control)
        for command in (SELECT.hex(), "00A4020C020017"):
            assert reader.command(command) == "9000"
        assert reader.command(sign) == "6982"


def test_it_calls_again_when_the_reader_comes_back(card_path: Path) -> None:
    with Reader() as reader, running(card_path, port=reader.port) as server:
        reader.accept()
        assert reader.command(SELECT.hex()) == "9000"
        assert told(server) == ["in_reader"]
        reader.close()
        deadline = time.monotonic() + 20
        while told(server) != ["calling"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with Reader(reader.port) as again:
            again.accept()
            assert again.command("00A4020C020018") != "9000", "the power was gone: nothing is selected"
            assert again.command(SELECT.hex()) == "9000"


def test_nobody_listens(card_path: Path) -> None:
    with Reader() as reader:
        free = reader.port
    with Server([card_path], port=free) as server, pytest.raises(VpcdUnreachable) as caught:
        server.connect(patience=0.2)
    assert caught.value.details["port"] == free
    assert "vsmartcard-vpcd" in caught.value.remedy("en")
    SoftCard.open(card_path, wait_seconds=0).close()


def turn(slot: Slot) -> None:
    """What the loop does with one slot."""
    slot.work(0)
    number = slot.fileno()
    if number is not None:
        poll = select.poll()
        poll.register(number, slot.events)
        left = slot.seconds_left()
        slot.work(dict(poll.poll(2000 if left is None else 1000 * left)).get(number, 0))


def test_calls_grow_rarer_up_to_a_bound() -> None:
    now = [0.0]
    slot = Slot(1, clock=lambda: now[0])  # nobody listens on port 1
    slot.insert(Dummy())
    pauses = []
    for _ in range(12):
        turn(slot)
        left = slot.seconds_left()
        assert left is not None
        pauses.append(round(left, 3))
        now[0] += left
    assert pauses[0] <= 0.02
    assert pauses == sorted(pauses)
    assert pauses[-1] == 0.5
    slot.remove()


def test_a_call_that_reached_itself_is_no_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may choose the very port that is called for the call: TCP connects it to itself, and pcscd could not
    have its port while that lasts."""

    class Itself(socket.socket):
        def connect_ex(self, address: Any) -> int:
            self.bind(address)
            return super().connect_ex(address)

    with Reader() as reader:
        port = reader.port
    slot = Slot(port)
    monkeypatch.setattr(socket, "socket", Itself)
    slot.insert(Dummy())
    turn(slot)
    assert (slot.fileno(), slot.where) == (None, Where.CALLING)
    monkeypatch.undo()
    slot.remove()
    with socket.socket() as free:
        free.bind(("127.0.0.1", port))


# --- a hostile program in the reader's place --------------------------------------------------------------------------


@pytest.mark.parametrize("octets", [b"\x00\x00", b"\x00\x04\x00\x20\x00\x80\x00\x00"])
def test_a_peer_that_speaks_something_else_is_left_and_called_again(card_path: Path, octets: bytes) -> None:
    with Reader() as reader, running(card_path, port=reader.port):
        reader.accept()
        reader.say(octets)
        if len(octets) > 2:
            assert reader.hear() == bytes.fromhex("6986")
        assert reader.hung_up()
        reader.accept()
        assert reader.command(SELECT.hex()) == "9000"


def test_half_a_message_keeps_nobody_else_waiting(card_path: Path, tmp_path: Path, card_state: Any) -> None:
    other = tmp_path / "other.json"
    SoftCard.create(other, card_state("sapporo")).close()
    reader, second = two_readers()
    with reader, second, running(card_path, other, port=reader.port):
        reader.accept()
        second.accept()
        reader.say(b"\xff\xff" + bytes(100))
        assert second.command(SELECT.hex()) == "9000"
        reader.say(bytes(0xFFFF - 100))
        assert reader.hear() == bytes.fromhex("6700")


def test_a_peer_that_floods_and_does_not_read_keeps_nobody_else_waiting(
    card_path: Path, tmp_path: Path, card_state: Any
) -> None:
    other = tmp_path / "other.json"
    SoftCard.create(other, card_state("sapporo")).close()
    reader, second = two_readers()
    with reader, second, running(card_path, other, port=reader.port):
        line = reader.accept()
        line.setblocking(False)
        second.accept()
        flood = (framed(SELECT) + WANT_ATR) * 1000
        sent = 0
        for _ in range(200):
            try:
                sent += line.send(flood)
            except BlockingIOError:
                break
        assert sent > 0
        for _ in range(5):
            assert second.command(SELECT.hex()) == "9000"
        line.close()
        assert second.command(SELECT.hex()) == "9000"


@pytest.mark.parametrize("control", [OFF, ON, RESET])
def test_silence_after_a_control_ends_the_conversation_and_no_other_silence_does(control: bytes) -> None:
    """A program's command of that one octet would otherwise hang pcscd, and every program with it."""
    now = [0.0]
    slot = Slot(1, clock=lambda: now[0])
    with Reader() as reader:
        slot.port = reader.port
        slot.insert(Dummy())
        turn(slot)
        reader.accept()
        reader.say(control + WANT_ATR)
        turn(slot)
        slot.work(0)
        assert reader.hear() == ATR
        assert slot.seconds_left() is None
        now[0] += 1000
        slot.work(0)
        assert slot.where is Where.IN_READER
        reader.say(control)
        turn(slot)
        now[0] += 1.9
        slot.work(0)
        assert slot.fileno() is not None
        now[0] += 0.2
        slot.work(0)
        assert slot.fileno() is None
        assert reader.hung_up()
        slot.remove()


def test_a_peer_that_hangs_up_at_once_is_not_called_without_pause(card_path: Path) -> None:
    moves: list[str] = []
    with Reader() as reader, running(card_path, port=reader.port, said=lambda place: moves.append(place.slot.where)):
        for _ in range(4):
            reader.accept().close()
    assert moves.count(Where.QUEUED) <= 6


def test_a_file_that_is_taken_away_is_a_card_that_answers_6581(card_path: Path) -> None:
    with Reader() as reader, running(card_path, port=reader.port):
        reader.accept()
        assert reader.command(SELECT.hex()) == "9000"
        card_path.rename(card_path.with_name("elsewhere.json"))
        assert reader.command("00A4020C020018") == "9000"
        assert reader.command("00200080") == "6581"
        assert reader.command("0020008004" + b"9999".hex()) == "6581"


def test_no_thread_and_no_descriptor_is_left(card_path: Path) -> None:
    before, descriptors = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    with Reader() as reader, running(card_path, port=reader.port):
        reader.accept()
        assert reader.command(SELECT.hex()) == "9000"
    assert threading.active_count() == before
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    SoftCard.open(card_path, wait_seconds=0).close()


def test_a_second_card_is_on_the_next_port(card_path: Path, tmp_path: Path, card_state: Any) -> None:
    other = tmp_path / "other.json"
    SoftCard.create(other, card_state("sapporo")).close()
    reader, second = two_readers()
    with reader, second, running(card_path, other, port=reader.port) as server:
        for one in (reader, second):
            one.accept()
            assert one.command(SELECT.hex()) == "9000"
        assert told(server) == ["in_reader", "in_reader"]
        assert [place.slot.port for place in server.places] == [reader.port, reader.port + 1]
