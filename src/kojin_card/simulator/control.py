"""The control socket of running software cards: whoever started them, and nobody else, may change them.

An AF_UNIX socket of mode 0600 in a folder of mode 0700, both of the user who serves the cards; the system is asked who
calls. One request and one answer a connection, each a line of JSON. A request may hold a new PIN: it is never logged,
and no answer repeats it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import select
import socket
import stat
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kojin_card import errors
from kojin_card.errors import CardFileBusy, InputError, KojinError, NotServed, TransportError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = ("status", "insert", "remove", "set", "stop")
MOST_NUMBERS = 99
_MAX_REQUEST, _MAX_ANSWER = 1 << 16, 1 << 20
_MAX_NAME, _MAX_ITEMS, _MAX_PATH = 256, 64, 4096
_VISITORS = 4
_VISIT_SECONDS = 2.0
_ANSWER_SECONDS, _PAUSE = 10.0, 0.02
_MAX_SOCKETS = 64
_SUN_PATH = 107
_CREDENTIALS = struct.Struct("3i")
_ATR = re.compile(r"([0-9a-f]{2}){2,33}")
_OPERATION = "control software cards"


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants of the running cards.

    Attributes:
        number: the place of a card, from 1.
        file: a card file, absolute.
        atr: what the reader is to show of it instead of the card's own.
        tries: secret -> tries left.
        reset: secret -> its new value, or None to keep it.
        knobs: ``name=value`` each.
    """

    command: str
    number: int | None = None
    file: str | None = None
    tries: Mapping[str, int] = field(default_factory=dict)
    reset: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    knobs: tuple[str, ...] = ()
    atr: bytes | None = None

    def line(self) -> bytes:
        """As it travels."""
        value = {
            "command": self.command,
            "number": self.number,
            "file": self.file,
            "tries": dict(self.tries),
            "reset": dict(self.reset),
            "knobs": list(self.knobs),
            "atr": None if self.atr is None else self.atr.hex(),
        }
        return json.dumps(value).encode() + b"\n"

    @classmethod
    def of(cls, line: bytes) -> Request:
        """Read a request, strictly.

        Raises:
            UsageError: it is none.
        """
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            raise _no_request() from None
        if not isinstance(value, dict) or set(value) - set(cls.__slots__) or value.get("command") not in COMMANDS:
            raise _no_request()
        tries, reset, knobs = value.get("tries", {}), value.get("reset", {}), value.get("knobs", [])
        number, file, atr = value.get("number"), value.get("file"), value.get("atr")
        well_formed = (
            (number is None or (type(number) is int and 1 <= number <= MOST_NUMBERS))
            and (file is None or (_is_text(file, _MAX_PATH) and file.startswith("/")))
            and _is_table(tries)
            and all(type(count) is int for count in tries.values())
            and _is_table(reset)
            and all(one is None or _is_text(one, _MAX_NAME) for one in reset.values())
            and isinstance(knobs, list)
            and len(knobs) <= _MAX_ITEMS
            and all(_is_text(one, _MAX_NAME) for one in knobs)
            and (atr is None or (isinstance(atr, str) and _ATR.fullmatch(atr) is not None))
        )
        if not well_formed:
            raise _no_request()
        octets = None if atr is None else bytes.fromhex(atr)
        return cls(value["command"], number, file, tries, reset, tuple(knobs), octets)


def _no_request() -> UsageError:
    return UsageError("not a request for running software cards", operation=_OPERATION)


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and "\0" not in value


def _is_table(value: object) -> bool:
    return isinstance(value, dict) and len(value) <= _MAX_ITEMS and all(_is_text(name, _MAX_NAME) for name in value)


# --- the side of the cards --------------------------------------------------------------------------------------------


class Visitor:
    """One connection: a request comes in, an answer goes out."""

    def __init__(self, line: socket.socket, deadline: float) -> None:
        self._line = line
        self._line.setblocking(False)
        self._deadline = deadline
        self._incoming = bytearray()
        self._outgoing = b""
        self.done = False

    def fileno(self) -> int:
        """What to poll."""
        return self._line.fileno()

    @property
    def events(self) -> int:
        """What to poll it for."""
        return select.POLLOUT if self._outgoing else select.POLLIN

    def work(self, events: int, now: float, obey: Callable[[Request], Mapping[str, Any]]) -> None:
        """Read, obey, answer: whatever can be done at once."""
        try:
            if events and not self._outgoing:
                self._read(obey)
            if self._outgoing:
                self._outgoing = self._outgoing[self._line.send(self._outgoing, socket.MSG_NOSIGNAL) :]
                self.done = not self._outgoing
        except BlockingIOError:
            pass
        except OSError:
            self.done = True
        if now >= self._deadline:
            self.done = True

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _read(self, obey: Callable[[Request], Mapping[str, Any]]) -> None:
        octets = self._line.recv(_MAX_REQUEST)
        self._incoming += octets
        line, end, _ = bytes(self._incoming).partition(b"\n")
        if not end:
            self.done = not octets or len(self._incoming) >= _MAX_REQUEST
            return
        try:
            answer = dict(obey(Request.of(line)))
        except KojinError as error:
            answer = {"error": _told(error)}
        except Exception:  # a defect of ours must not end the cards; its words could hold anything
            answer = {"error": {"code": KojinError.code, "message": "", "operation": None, "details": {}}}
        self._outgoing = json.dumps(answer).encode() + b"\n"


def _told(error: KojinError) -> dict[str, Any]:
    return {
        "code": error.code,
        "message": error.message,
        "operation": error.operation,
        "details": dict(error.details),
    }


class ControlSocket:
    """The listening socket. It is gone, name and all, when it is closed.

    Raises:
        InputError: the folder is another's or open to others, the name is too long or taken.
        CardFileBusy: somebody serves cards under that name already.
    """

    def __init__(
        self,
        path: Path,
        obey: Callable[[Request], Mapping[str, Any]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._obey = obey
        self._clock = clock
        self._visitors: list[Visitor] = []
        if not hasattr(socket, "SO_PEERCRED"):
            raise errors.MissingExtra("the control socket needs Linux, which tells who calls", operation=_OPERATION)
        self._socket = _listen(path)
        self._made = path.lstat().st_ino

    def polled(self) -> list[tuple[int, int]]:
        """What to poll, and for what. While enough visitors are in, the door stays shut."""
        found = [(one.fileno(), one.events) for one in self._visitors]
        if len(self._visitors) < _VISITORS:
            found.append((self._socket.fileno(), select.POLLIN))
        return found

    def seconds_left(self) -> float | None:
        """When :meth:`work` is due although nothing happens."""
        return 0.5 if self._visitors else None

    def work(self, events: Mapping[int, int]) -> None:
        """Let in who calls, deal with who is in, hang up on who is done or slow."""
        if events.get(self._socket.fileno()):
            self._let_in()
        for visitor in list(self._visitors):
            visitor.work(events.get(visitor.fileno(), 0), self._clock(), self._obey)
            if visitor.done:
                self._visitors.remove(visitor)
                visitor.close()

    def close(self) -> None:
        """Hang up on everybody, and leave no name behind."""
        for visitor in self._visitors:
            visitor.close()
        self._visitors.clear()
        self._socket.close()
        with contextlib.suppress(OSError):
            if self.path.lstat().st_ino == self._made:
                self.path.unlink()

    def _let_in(self) -> None:
        try:
            line, _ = self._socket.accept()
        except OSError:
            return
        if _caller(line) == os.geteuid():
            self._visitors.append(Visitor(line, self._clock() + _VISIT_SECONDS))
        else:
            line.close()


def _caller(line: socket.socket) -> int:
    """The user at the other end, as the system says."""
    _, user, _ = _CREDENTIALS.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(user)


def _listen(path: Path) -> socket.socket:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError) as bad:
        raise InputError(_words(bad), operation=_OPERATION, file=path.name) from None
    try:
        _require_private(folder, path)
        fcntl.flock(folder, fcntl.LOCK_EX)  # two that start at once must not both find the name free
        _clear(path)
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.bind(str(path))
            path.chmod(0o600)
            line.listen(_VISITORS)
            line.setblocking(False)
        except BaseException:
            line.close()
            raise
    except (OSError, ValueError) as bad:
        raise InputError(_words(bad), operation=_OPERATION, file=path.name) from None
    finally:
        os.close(folder)
    return line


def _words(bad: OSError | ValueError) -> str:
    return (bad.strerror if isinstance(bad, OSError) else None) or "not a usable name"


def _require_private(folder: int, path: Path) -> None:
    found = os.fstat(folder)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        words = "the folder of the control socket must be yours alone (mode 0700)"
        raise InputError(words, operation=_OPERATION, file=path.parent.name)
    if len(os.fsencode(path)) > _SUN_PATH:
        raise InputError("the name of the control socket is too long", operation=_OPERATION, file=path.name)


def _clear(path: Path) -> None:
    """Remove the socket of somebody who was killed; anything else of that name stays.

    Raises:
        CardFileBusy: somebody answers there. InputError: it is no socket.
    """
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise InputError("a file of that name exists already", operation=_OPERATION, file=path.name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.setblocking(False)
        try:
            line.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError:
            pass  # somebody is there, and busy
    raise CardFileBusy("software cards are served under this name already", operation=_OPERATION, file=path.name)


# --- the side of who wants something ----------------------------------------------------------------------------------


def ask(path: Path, request: Request) -> dict[str, Any]:
    """Send a request to the cards that are served under ``path``.

    Raises:
        NotServed: nobody serves there.
        InputError: what is there belongs to somebody else.
        TransportError: no answer, or none that can be read.
        KojinError: what the running cards refused, as they said it.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(_ANSWER_SECONDS)
        try:
            _reach(line, path)
        except (OSError, ValueError):
            raise NotServed("nobody serves software cards there", operation=_OPERATION, file=path.name) from None
        if _caller(line) != os.geteuid():
            raise InputError("another user's software cards", operation=_OPERATION, file=path.name)
        try:
            line.sendall(request.line())
            answer = _answer(line)
        except OSError:
            raise TransportError("the running software cards do not answer", operation=_OPERATION) from None
    if "error" in answer:
        raise _error(answer["error"])
    return answer


def _reach(line: socket.socket, path: Path) -> None:
    """Connect; where many are waiting already, wait for a while to be one of them.

    Raises:
        TransportError: for too long. OSError, ValueError: nobody is there.
    """
    deadline = time.monotonic() + _ANSWER_SECONDS
    while True:
        try:
            return line.connect(str(path))
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TransportError("the running software cards do not answer", operation=_OPERATION) from None
        time.sleep(_PAUSE)


def sockets(folder: Path) -> list[Path]:
    """The control sockets in a folder, answering or not."""
    try:
        found = sorted(item for item in folder.iterdir() if item.suffix == ".sock")
    except OSError:
        return []
    return found[:_MAX_SOCKETS]


def _answer(line: socket.socket) -> dict[str, Any]:
    octets = bytearray()
    deadline = time.monotonic() + _ANSWER_SECONDS
    while not octets.endswith(b"\n"):
        part = line.recv(_MAX_REQUEST)
        octets += part
        if not part or len(octets) > _MAX_ANSWER or time.monotonic() > deadline:
            raise OSError
    try:
        value = json.loads(octets)
    except (ValueError, RecursionError):
        raise OSError from None
    if not isinstance(value, dict):
        raise OSError
    return value


def _error(told: object) -> KojinError:
    """The error that the running cards told."""
    known = {
        kind.code: kind
        for kind in (UsageError, errors.SecretFormatError, InputError, CardFileBusy, errors.CardRemoved, KojinError)
    }
    value = told if isinstance(told, dict) else {}
    details = value.get("details")
    kept = {
        str(name): one
        for name, one in (details if isinstance(details, dict) else {}).items()
        if isinstance(one, str | int) and str(name).isidentifier() and name not in ("message", "operation")
    }
    operation = value.get("operation")
    kind = known.get(str(value.get("code")), KojinError)
    return kind(str(value.get("message", "")), operation=operation if isinstance(operation, str) else None, **kept)
