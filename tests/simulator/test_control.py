"""The control socket: who may speak to running cards, what they may say, and what it does to the cards."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kojin_card.errors import (
    CardFileBusy,
    CardRemoved,
    InputError,
    KojinError,
    NotServed,
    SecretFormatError,
    TransportError,
    UsageError,
)
from kojin_card.simulator import control
from kojin_card.simulator.control import ControlSocket, Request, ask
from kojin_card.simulator.serve import Server
from kojin_card.simulator.softcard import SoftCard
from simulator.test_vpcd import SELECT, WANT_ATR, Reader, running

if TYPE_CHECKING:
    from kojin_card.simulator import CardState


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: the name of a socket has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="kojin-") as name:
        yield Path(name)


@pytest.fixture
def make(folder: Path, card_state: Callable[[str], CardState]) -> Callable[[str], Path]:
    def made(persona: str) -> Path:
        path = folder / f"{persona}.json"
        SoftCard.create(path, card_state(persona)).close()
        return path

    return made


@pytest.fixture
def served(folder: Path, make: Callable[[str], Path]) -> Iterator[tuple[Server, Reader, Path]]:
    """The adult's card in a reader, and the control socket."""
    where = folder / "control" / "c.sock"
    with Reader() as reader, running(make("adult"), port=reader.port, control=where) as server:
        reader.accept()
        yield server, reader, where


def tries(where: Path) -> int:
    found: int = ask(where, Request("status"))["cards"][0]["tries"]["jpki/auth_pin"]
    return found


# --- what it does -----------------------------------------------------------------------------------------------------


def test_status_tells_nothing_secret(served: tuple[Server, Reader, Path], folder: Path) -> None:
    _, reader, where = served
    assert reader.command(SELECT.hex()) == "9000"
    told = ask(where, Request("status"))
    (card,) = told["cards"]
    assert told["pid"] == os.getpid()
    assert (card["number"], card["port"], card["state"]) == (1, reader.port, "in_reader")
    assert card["file"] == str(folder / "adult.json")
    assert card["tries"]["jpki/sign_password"] == 5
    assert not {"1234", "ABC123", "5678"} & set(json.dumps(told).split('"'))


def test_a_running_card_is_set_and_the_chip_knows_at_once(served: tuple[Server, Reader, Path], folder: Path) -> None:
    _, reader, where = served
    file = str(folder / "adult.json")
    for command in (SELECT.hex(), "00A4020C020018"):
        assert reader.command(command) == "9000"
    ask(where, Request("set", file=file, tries={"auth-pin": 1}))
    assert reader.command("00200080") == "63C1", "and what was selected still is"
    assert reader.command("0020008004" + b"9999".hex()) == "63C0"
    assert tries(where) == 0
    assert reader.command("0020008004" + b"1234".hex()) == "6984"
    ask(where, Request("set", file=file, knobs=("blocked_sw=6983",)))
    assert reader.command("0020008004" + b"1234".hex()) == "6983"
    ask(where, Request("set", file=file, reset={"auth-pin": "8642"}))
    assert reader.command("0020008004" + b"1234".hex()) == "63C2"
    assert reader.command("0020008004" + b"8642".hex()) == "9000"
    with pytest.raises(CardFileBusy):
        SoftCard.open(file, wait_seconds=0)


def test_another_reading_of_the_specs_starts_the_card_anew(served: tuple[Server, Reader, Path], folder: Path) -> None:
    _, reader, where = served
    assert reader.command(SELECT.hex()) == "9000"
    ask(where, Request("set", file=str(folder / "adult.json"), knobs=("android=on",)))
    assert reader.command("00A4020C020018") != "9000"


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ({"tries": {"auth-pin": 9}}, UsageError),
        ({"tries": {"nothing": 1}}, UsageError),
        ({"reset": {"auth-pin": "12345"}}, SecretFormatError),
        ({"knobs": ("blocked_sw=9000",)}, UsageError),
        ({"knobs": ("sex_3=on",)}, UsageError),
        ({"tries": {"auth-pin": 1}, "knobs": ("nonsense",)}, UsageError),
    ],
)
def test_what_cannot_be_set_changes_nothing_and_repeats_no_secret(
    served: tuple[Server, Reader, Path], folder: Path, request_: dict[str, Any], kind: type[KojinError]
) -> None:
    _, _, where = served
    before = (folder / "adult.json").read_bytes()
    with pytest.raises(kind) as caught:
        ask(where, Request("set", file=str(folder / "adult.json"), **request_))
    assert "12345" not in f"{caught.value!r}{caught.value.details}"
    assert caught.value.remedy("ja")
    assert (folder / "adult.json").read_bytes() == before


def test_a_card_is_taken_out_another_is_put_in(
    served: tuple[Server, Reader, Path], folder: Path, make: Callable[[str], Path]
) -> None:
    _, reader, where = served
    ask(where, Request("remove", number=1))
    assert reader.hung_up()
    SoftCard.open(folder / "adult.json", wait_seconds=0).close()
    with pytest.raises(UsageError, match="no card in that place"):
        ask(where, Request("remove", number=1))
    with pytest.raises(CardRemoved):
        ask(where, Request("set", file=str(folder / "adult.json"), tries={"auth-pin": 1}))
    (card,) = ask(where, Request("insert", file=str(make("sapporo"))))["cards"]
    assert card["file"] == str(folder / "sapporo.json")
    reader.accept()
    assert reader.command(SELECT.hex()) == "9000"
    ask(where, Request("remove", number=1))
    ask(where, Request("insert", number=1, atr=b"\x3b\x00"))
    reader.accept()
    reader.say(WANT_ATR)
    assert reader.hear() == b"\x3b\x00"
    assert reader.command(SELECT.hex()) == "9000"


def test_what_cannot_be_put_in_leaves_no_place_behind(
    served: tuple[Server, Reader, Path], folder: Path, make: Callable[[str], Path]
) -> None:
    _, _, where = served
    with pytest.raises(UsageError, match="twice"):
        ask(where, Request("insert", file=str(folder / "adult.json")))
    with pytest.raises(UsageError, match="there is a card"):
        ask(where, Request("insert", number=1))
    with pytest.raises(UsageError, match="no place"):
        ask(where, Request("insert", number=2))
    with pytest.raises(InputError):
        ask(where, Request("insert", file=str(folder / "nothing.json")))
    with SoftCard.open(make("sapporo")), pytest.raises(CardFileBusy):
        ask(where, Request("insert", file=str(folder / "sapporo.json")))
    assert "error" in json.loads(raw(where, b'{"command": "insert", "file": "/\\ud800"}\n'))  # no name of any file
    assert len(ask(where, Request("status"))["cards"]) == 1


def test_stop_ends_it(folder: Path, make: Callable[[str], Path]) -> None:
    where = folder / "c.sock"
    with Server([make("adult")], port=1, control=where) as server:
        asked = threading.Thread(target=ask, args=(where, Request("stop")))
        asked.start()
        server.run()
        asked.join(20)
    assert not where.exists()


# --- who may speak ----------------------------------------------------------------------------------------------------


def test_socket_and_folder_are_the_owners_alone_and_the_name_goes(folder: Path) -> None:
    where = folder / "new" / "c.sock"
    door = ControlSocket(where, lambda _: {})
    assert stat.S_IMODE(where.stat().st_mode) == 0o600
    assert stat.S_IMODE(where.parent.stat().st_mode) == 0o700
    door.close()
    assert not where.exists()


def test_another_user_is_hung_up_on(served: tuple[Server, Reader, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, where = served
    monkeypatch.setattr(control, "_caller", lambda _: os.geteuid() + 1)
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(str(where))
        assert line.recv(1) == b""
    with pytest.raises(InputError, match="another user"):
        ask(where, Request("status"))


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_folder_that_is_open_to_others_is_refused(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    with pytest.raises(InputError, match="0700"):
        ControlSocket(folder / "c.sock", lambda _: {})


def test_names_that_cannot_be(folder: Path) -> None:
    for where in (folder / ("x" * 120), folder / "a\0b"):
        with pytest.raises(InputError):
            ControlSocket(where, lambda _: {})
    (folder / "file.sock").write_text("mine")
    with pytest.raises(InputError, match="exists"):
        ControlSocket(folder / "file.sock", lambda _: {})
    assert (folder / "file.sock").read_text() == "mine"
    (folder / "link").symlink_to(folder)
    with pytest.raises(InputError):
        ControlSocket(folder / "link" / "c.sock", lambda _: {})


def test_a_socket_that_was_left_behind_is_replaced_and_one_in_use_is_not(folder: Path) -> None:
    where = folder / "c.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(where))
    door = ControlSocket(where, lambda _: {})
    with pytest.raises(CardFileBusy, match="already"):
        ControlSocket(where, lambda _: {})
    door.close()


def test_the_name_of_a_successor_is_left_alone(folder: Path) -> None:
    where = folder / "c.sock"
    door = ControlSocket(where, lambda _: {})
    where.unlink()
    successor = ControlSocket(where, lambda _: {})
    door.close()
    assert where.exists()
    successor.close()


def test_nobody_is_there(folder: Path) -> None:
    for where in (folder / "c.sock", folder / ("x" * 120), Path("a\0b")):
        with pytest.raises(NotServed) as caught:
            ask(where, Request("status"))
        assert "simulator serve" in caught.value.remedy("en")


# --- what they may say ------------------------------------------------------------------------------------------------


def raw(where: Path, octets: bytes) -> bytes:
    """What comes back for octets of any kind."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(str(where))
        line.sendall(octets)
        found = b""
        while part := line.recv(65536):
            found += part
        return found


BAD: list[Any] = [
    None, [], 1, "status", {}, {"command": "no"}, {"command": "status", "more": 1}, {"command": ["status"]},
    {"command": "remove", "number": 0}, {"command": "remove", "number": True}, {"command": "remove", "number": 10**9},
    {"command": "insert", "file": "a.json"}, {"command": "insert", "file": "/a\0b"}, {"command": "insert", "file": 3},
    {"command": "insert", "file": "/" * 5000}, {"command": "set", "tries": []}, {"command": "set", "tries": {"a": "1"}},
    {"command": "set", "tries": {"a": True}}, {"command": "set", "reset": {"a": 1}}, {"command": "set", "knobs": "a"},
    {"command": "set", "knobs": [1]}, {"command": "set", "knobs": ["a"] * 100}, {"command": "set", "tries": {"": 1}},
    {"command": "insert", "atr": "3B"}, {"command": "insert", "atr": "3b" * 34}, {"command": "insert", "atr": 1},
]  # fmt: skip


@pytest.mark.parametrize("value", BAD, ids=lambda value: json.dumps(value)[:60])
def test_a_request_is_read_strictly(value: Any) -> None:
    with pytest.raises(UsageError):
        Request.of(json.dumps(value).encode())


@given(st.binary(max_size=200))
def test_any_line_is_a_request_or_a_typed_error(line: bytes) -> None:
    with contextlib.suppress(UsageError):
        assert Request.of(line).command in control.COMMANDS


def test_a_request_travels_whole() -> None:
    request = Request(
        "set", 3, "/a", {"auth-pin": 1}, {"sign-password": "ABC123", "auth-pin": None}, ("a=b",), b"\x3b\x00"
    )
    assert Request.of(request.line()) == request
    assert "ABC123" not in repr(request)


@pytest.mark.parametrize(
    "octets", [b"garbage\n", b"\n", b"[" * 30_000 + b"\n", b"\xff\xfe\n", b'{"command":"status"}x\n']
)
def test_what_is_no_request_gets_a_typed_error(served: tuple[Server, Reader, Path], octets: bytes) -> None:
    _, reader, where = served
    assert json.loads(raw(where, octets))["error"]["code"] == "usage"
    assert reader.command(SELECT.hex()) == "9000"


def test_a_line_without_an_end_is_cut_off(served: tuple[Server, Reader, Path]) -> None:
    _, reader, where = served
    with contextlib.suppress(OSError):  # it hangs up while we still speak, or just after
        assert raw(where, b"x" * 1_000_000) == b""
    assert reader.command(SELECT.hex()) == "9000"


def test_visitors_who_say_nothing_keep_neither_the_card_nor_others_waiting_for_long(
    served: tuple[Server, Reader, Path],
) -> None:
    _, reader, where = served
    silent = [socket.socket(socket.AF_UNIX) for _ in range(6)]
    try:
        for one in silent:
            one.connect(str(where))
        assert reader.command(SELECT.hex()) == "9000"
        assert ask(where, Request("status"))["cards"]
    finally:
        for one in silent:
            one.close()


def test_whoever_finds_many_waiting_waits_too(folder: Path) -> None:
    """Cards that are busy are not cards that nobody serves."""
    where = folder / "c.sock"
    answers: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(socket.socket(socket.AF_UNIX))
        door.bind(str(where))
        door.listen(1)
        for _ in range(2):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(where))
        visitor = threading.Thread(target=lambda: answers.append(ask(where, Request("status"))))
        visitor.start()
        visitor.join(0.3)
        assert visitor.is_alive()
        for _ in range(2):
            door.accept()[0].close()
        line, _ = door.accept()
        with line:
            line.recv(65536)
            line.sendall(b'{"cards": []}\n')
        visitor.join(20)
    assert answers == [{"cards": []}]


def test_a_defect_is_told_without_its_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Request) -> dict[str, Any]:
        raise RuntimeError("1234")

    door = ControlSocket(folder / "c.sock", broken)
    visitor = threading.Thread(target=lambda: answers.append(raw(folder / "c.sock", b'{"command":"status"}\n')))
    answers: list[bytes] = []
    visitor.start()
    while visitor.is_alive():
        poll = select.poll()
        for number, events in door.polled():
            poll.register(number, events)
        door.work(dict(poll.poll(100)))
    door.close()
    assert json.loads(answers[0])["error"]["code"] == "unexpected"
    assert b"1234" not in answers[0]


@pytest.mark.parametrize(
    "answer",
    [b"", b"x\n", b"[]\n", b"{" * 100_000 + b"\n", b'{"error": 5}\n', b'{"error": {"code": "pin_rejected"}}\n'],
)
def test_answers_are_not_believed_either(folder: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / "c.sock"))
        door.listen(1)

        def reply() -> None:
            line, _ = door.accept()
            with line:
                line.recv(65536)
                line.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        with pytest.raises(KojinError) as caught:
            ask(folder / "c.sock", Request("status"))
        thread.join(20)
    assert type(caught.value) in (KojinError, TransportError)
