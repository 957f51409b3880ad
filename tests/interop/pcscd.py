"""A pcscd of our own with software cards in its virtual reader, for tests in which foreign programs use them.

No service of the system is touched: pcscd gets its socket from us (socket activation: pcsc.md §5a), so it stands beside
whatever the machine runs, and clients find it by PCSCLITE_CSOCK_NAME. Where the system lets us, pcscd and the cards
live in a network and mount namespace of their own (§5c): vpcd, which listens on all addresses (P4), is then to be seen
by nobody, its port is nobody else's, and ``/run`` is its own. Otherwise a pair of ports is taken under a lock (P8).

Everything that is started is a direct child and waited for (P7), and dies with the process that runs the tests.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Self

from kojin_card.errors import KojinError
from kojin_card.simulator.control import Request, ask

#: what the tests of this kind need, as marks.foreign names it
DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
NEEDED = ("pcscd", DRIVER, "opensc-tool")
OPENSC_MODULE = "/usr/lib/*/opensc-pkcs11.so"

NAME = "Kojin Test"
PATIENCE = 60
_SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
_START_SECONDS, _STOP_SECONDS = 15.0, 3.0
_DEFAULT_PORT = 35963
_PORTS = range(36864, 40960, 2)
_PCSCD_FOLDER = Path("/run/pcscd")  # its presence is all that pcscd checks

#: becomes the program: dies with us (PR_SET_PDEATHSIG = 1), and finds its listening socket as systemd would give it
_LAUNCH = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15)
if sys.argv[1] != "-":
    os.dup2(int(sys.argv[1]), 3)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
"""

#: keeps a namespace alive until we hang up; the loopback device is switched on (SIOCSIFFLAGS, IFF_UP)
_HOLD = """
import fcntl, socket, struct, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
subprocess.run(["mkdir", "/run/pcscd"], check=True)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 1))
print("ready", flush=True)
sys.stdin.read()
"""


class CannotStart(Exception):
    """This machine lets no pcscd of ours run; the words say why."""


class Namespace:
    """A network and a mount namespace of our own.

    Raises:
        CannotStart: the system does not let us.
    """

    def __init__(self) -> None:
        command = ["unshare", "-Urmn", sys.executable, "-I", "-S", "-c", _HOLD]
        try:
            self._holder = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        except OSError as bad:
            raise CannotStart(f"unshare: {bad}") from None
        if self._holder.stdout is None or self._holder.stdout.readline() != "ready\n":
            said = self._holder.communicate(timeout=PATIENCE)[1]
            raise CannotStart(f"unshare: {said.strip()}")

    def enter(self, *, mounts: bool) -> list[str]:
        """The words before a command that is to run inside."""
        inside = ["nsenter", "-t", str(self._holder.pid), "-U", "-n", "--preserve-credentials"]
        return [*inside, "-m"] if mounts else inside

    def close(self) -> None:
        """Hang up."""
        self._holder.communicate(timeout=PATIENCE)


class Desk:
    """pcscd with one virtual reader of two slots, and ``kojin-card simulator serve`` with a card in each.

    Attributes:
        isolated: whether both live in namespaces of their own.
        folder: a short name (a socket's is 107 bytes at most), with everything that the programs may need.
    """

    def __init__(self, cards: Sequence[Path], *, namespace: bool = True, patience: float = _START_SECONDS) -> None:
        self.folder = Path(mkdtemp(prefix="kojin-", dir="/tmp"))  # short
        self._end = contextlib.ExitStack()
        self._end.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._cards = cards
        self._children: list[subprocess.Popen[bytes]] = []
        try:
            self._namespace = self._own_namespace() if namespace else None
            self.port = _DEFAULT_PORT if self.isolated else self._locked_ports()
            self._configure()
            self._socket = self._end.enter_context(socket.socket(socket.AF_UNIX))
            self._socket.bind(str(self.folder / "pcscd.sock"))
            self._socket.listen(16)
            self.pcscd = self.start_pcscd()
            self.server = self._serve()
            self.wait_for_cards(patience=patience)
        except BaseException:
            self.close()
            raise

    @property
    def isolated(self) -> bool:
        return self._namespace is not None

    # --- starting and stopping

    def _own_namespace(self) -> Namespace | None:
        try:
            made = Namespace()
        except CannotStart:
            return None
        self._end.callback(made.close)
        return made

    def _locked_ports(self) -> int:
        """A pair of ports that no other run of these tests has: both are locked while we live."""
        if os.geteuid() == 0 and (_PCSCD_FOLDER / "pcscd.comm").exists():
            raise CannotStart("no namespaces, and a second pcscd of root's would take the pid file of the system's")
        if not _PCSCD_FOLDER.is_dir():
            try:
                _PCSCD_FOLDER.mkdir()
            except OSError:
                raise CannotStart(f"no namespaces, and {_PCSCD_FOLDER} cannot be made") from None
        for port in _PORTS:
            lock = socket.socket(socket.AF_UNIX)
            try:
                lock.bind(f"\0kojin-pcscd-{port}")  # a name of the kernel's: gone with us, whatever happens
                for one in (port, port + 1):
                    with socket.socket() as free:
                        free.bind(("", one))
            except OSError:
                lock.close()
                continue
            self._end.callback(lock.close)
            return port
        raise CannotStart("no pair of ports is free")

    def _configure(self) -> None:
        (self.folder / "readers").mkdir()
        (self.folder / "readers" / "vpcd").write_text(
            f'FRIENDLYNAME "{NAME}"\nDEVICENAME /dev/null:{self.port:#06x}\n'
            f"LIBPATH {DRIVER}\nCHANNELID {self.port:#06x}\n"
        )
        (self.folder / "opensc.conf").write_text("app default { }\n")
        (self.folder / "home").mkdir()
        (self.folder / "control").mkdir(mode=0o700)

    def start_pcscd(self) -> subprocess.Popen[bytes]:
        """Start it, again if need be; it takes over the socket that clients know."""
        command = ["pcscd", "--foreground", "--config", str(self.folder / "readers")]
        return self._start(command, "pcscd.log", inherit=self._socket.fileno(), mounts=True)

    def stop(self, child: subprocess.Popen[bytes]) -> int:
        """End one of ours, and wait for it."""
        self._children.remove(child)
        return _ended(child)

    def _serve(self) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", "kojin_card.cli.main", "simulator", "serve", *map(str, self._cards)]
        return self._start([*program, "--port", str(self.port), "--control", str(self.control)], "serve.log")

    def _start(
        self, command: list[str], log: str, *, inherit: int | None = None, mounts: bool = False
    ) -> subprocess.Popen[bytes]:
        inside = self._namespace.enter(mounts=mounts) if self._namespace is not None else []
        launch = [sys.executable, "-I", "-S", "-c", _LAUNCH, "-" if inherit is None else str(inherit)]
        with (self.folder / log).open("ab") as out:
            child = subprocess.Popen(
                [*inside, *launch, *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=() if inherit is None else (inherit,),
                env=self.environment,
            )
        self._children.append(child)
        return child

    def close(self) -> None:
        """End whatever was started, the cards first."""
        for child in reversed(self._children):
            _ended(child)
        self._children.clear()
        self._end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what the tests do with it

    @property
    def files(self) -> list[str]:
        """The card files that it was started with, as the running cards know them."""
        return [str(one.resolve()) for one in self._cards]

    @property
    def control(self) -> Path:
        return self.folder / "control" / "cards.sock"

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the user's own: his settings and agents must neither help nor be touched."""
        return {
            "PATH": _SYSTEM_PATH,
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.folder / "home"),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "KOJIN_CARD_CONFIG": str(self.folder / "home"),
            "PCSCLITE_CSOCK_NAME": str(self.folder / "pcscd.sock"),
            "OPENSC_CONF": str(self.folder / "opensc.conf"),
        }

    def run(
        self,
        *command: str | Path,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        cwd: Path | None = None,
        new_session: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a foreign program with this reader, within a time limit."""
        done = subprocess.run(
            [str(word) for word in command],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            cwd=cwd,
            env={**self.environment, **(env or {})},
            start_new_session=new_session,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        )

    def cli(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Our own command line, as a process of its own."""
        return self.run(sys.executable, "-m", "kojin_card.cli.main", *words)

    def ask(self, command: str, **more: Any) -> list[dict[str, Any]]:
        """Ask the running cards for something; what they say of themselves then."""
        cards: list[dict[str, Any]] = ask(self.control, Request(command, **more))["cards"]
        return cards

    def set(self, place: int, **more: Any) -> None:
        """Set tries, resets or knobs of the card in a place (1 or 2)."""
        self.ask("set", file=self.files[place - 1], **more)

    def tries(self, place: int = 1) -> dict[str, int]:
        """The tries left, as the card itself has them."""
        found: dict[str, int] = self.ask("status")[place - 1]["tries"]
        return found

    def wait_for_cards(self, present: Sequence[bool] = (True, True), *, patience: float = _START_SECONDS) -> None:
        """Until pcscd itself says so of each slot."""
        deadline = time.monotonic() + patience
        wanted = ["Yes" if one else "No" for one in present]
        while True:
            said = self.run("opensc-tool", "--list-readers")
            if [line.split()[1] for line in said.stdout.splitlines() if NAME in line] == wanted:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"{said.stdout}{said.stderr}\n{self.logs()}")
            time.sleep(0.05)

    def logs(self) -> str:
        """What pcscd and the cards said."""
        return "".join(path.read_text("utf-8", "replace")[-4000:] for path in sorted(self.folder.glob("*.log")))

    def answers(self) -> bool:
        """Whether the cards still answer at their control socket."""
        try:
            self.ask("status")
        except KojinError:
            return False
        return True


def _ended(child: subprocess.Popen[bytes]) -> int:
    child.send_signal(signal.SIGTERM)
    try:
        return child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def opensc_module() -> str:
    """OpenSC's PKCS#11 module."""
    return str(next(Path("/").glob(OPENSC_MODULE.removeprefix("/"))))


@contextlib.contextmanager
def served(*cards: Path, namespace: bool = True) -> Iterator[Desk]:
    """A desk, tried a second time should the machine have been too busy for the first."""
    try:
        desk = Desk(cards, namespace=namespace)
    except AssertionError:
        desk = Desk(cards, namespace=namespace)
    with desk:
        yield desk
