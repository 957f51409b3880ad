"""``simulator serve|insert|remove``: software cards in pcscd's virtual reader, where any program can use them."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kojin_card.cli.framework import argument, command, option
from kojin_card.cli.places import control_folder
from kojin_card.cli.render import Block, Heading, Line, Role, Table
from kojin_card.errors import KojinError, NotServed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kojin_card.cli.session import Session
    from kojin_card.simulator.serve import Place, Server

_OPERATION = "serve software cards"
_PORTS = click.IntRange(1, 65535)
_DEFAULT_PORT = 35963  # vpcd's own


@command(
    "simulator.serve",
    argument("files", nargs=-1, metavar="[FILE]..."),
    option("--port", metavar="N", type=_PORTS, default=_DEFAULT_PORT, show_default=True, help="vpcd_port"),
    option("--control", metavar="SOCKET", type=click.Path(path_type=Path), help="control"),
    option("--atr", metavar="NAME|HEX", help="atr"),
    option("--wait", metavar="SECONDS", type=click.IntRange(0, 3600), default=5, show_default=True, help="vpcd_wait"),
    option("--status", is_flag=True, help="served_status"),
    option("--stop", is_flag=True, help="served_stop"),
)
def serve(
    session: Session,
    files: tuple[str, ...],
    port: int,
    control: Path | None,
    atr: str | None,
    wait: int,
    status: bool,
    stop: bool,
) -> None:
    """Hold the cards in the reader until a signal, or ``--stop`` from another terminal, ends it."""
    if status or stop:
        if files or atr is not None or (status and stop):
            raise UsageError("--status and --stop stand alone, without FILE", operation=_OPERATION)
        _ask(session, control, "stop" if stop else "status")
        return
    if not files:
        raise UsageError("no card file is named", operation=_OPERATION)
    from kojin_card.simulator.serve import Server

    where = control_folder() / f"{port}.sock" if control is None else control
    shown = _atr(atr)
    with (
        Server(files, port=port, control=where, atr=shown, said=lambda place: _said(session, place)) as server,
        _ended_by_signals(server),
    ):
        server.connect(patience=wait)
        _answer(session, server.told(), where)
        server.run()


def _atr(text: str | None) -> bytes | None:
    """The ATR of a family of real cards, by its name, or any as hexadecimal.

    Raises:
        UsageError: neither.
    """
    if text is None:
        return None
    from kojin_card.simulator.atr import atr_families

    families = atr_families()
    if text in families:
        return families[text].atr
    try:
        atr = bytes.fromhex(text)
    except ValueError:
        atr = b""
    if not 2 <= len(atr) <= 33:
        raise UsageError(f"no ATR of that name; names: {', '.join(families)}", operation=_OPERATION)
    return atr


@contextlib.contextmanager
def _ended_by_signals(server: Server) -> Iterator[None]:
    """Ctrl-C and the signals that end services end the loop, between two commands of the card."""
    before = {
        one: signal.signal(one, lambda *_: server.stop()) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _said(session: Session, place: Place) -> None:
    session.say(f"say.served.{place.slot.where}", number=place.number, file=place.file.name, port=place.slot.port)


@command(
    "simulator.insert",
    argument("card", metavar="FILE|N"),
    option("--atr", metavar="NAME|HEX", help="atr"),
    option("--control", metavar="SOCKET", type=click.Path(path_type=Path), help="control"),
)
def insert(session: Session, card: str, atr: str | None, control: Path | None) -> None:
    """Put a card into the running reader: a file, or the card of place N that was taken out."""
    number = _number(card)
    file = str(Path(card).resolve()) if number is None else None
    _ask(session, control, "insert", number=number, file=file, atr=_atr(atr))


@command(
    "simulator.remove",
    argument("number", metavar="N"),
    option("--control", metavar="SOCKET", type=click.Path(path_type=Path), help="control"),
)
def remove(session: Session, number: str, control: Path | None) -> None:
    """Take the card of place N out of the running reader; its file is free then."""
    place = _number(number)
    if place is None:
        raise UsageError("a place is a number, as simulator serve --status lists them", operation=_OPERATION)
    _ask(session, control, "remove", number=place)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 2 else None


def _ask(session: Session, control: Path | None, what: str, **more: Any) -> None:
    from kojin_card.simulator.control import Request, ask

    where = control if control is not None else _only_one()
    _answer(session, ask(where, Request(what, **more)), where)


def _only_one() -> Path:
    """The control socket of the cards that are being served, when it is clear which.

    Raises:
        NotServed: nobody serves any. UsageError: several do.
    """
    running = list(_running())
    if not running:
        raise NotServed("no software card is being served", operation=_OPERATION)
    if len(running) > 1:
        names = ", ".join(str(one) for one in running)
        raise UsageError(f"several are running, name one with --control: {names}", operation=_OPERATION)
    return running[0]


def _running() -> dict[Path, Mapping[str, Any]]:
    """What every running ``simulator serve`` of this user says of itself, by its control socket."""
    from kojin_card.simulator.control import Request, ask, sockets

    found: dict[Path, Mapping[str, Any]] = {}
    for where in sockets(control_folder()):
        with contextlib.suppress(KojinError):  # left behind by somebody who was killed
            found[where] = ask(where, Request("status"))
    return found


def running_card(file: str, control: Path | None) -> Path | None:
    """The control socket of who serves the card in ``file`` right now, if anybody does.

    Raises:
        KojinError: nobody answers at ``control``.
    """
    from kojin_card.simulator.control import Request, ask

    path = str(Path(file).resolve())
    running = _running() if control is None else {control: ask(control, Request("status"))}
    for where, told in running.items():
        if any(card["file"] == path and card["state"] != "out" for card in told["cards"]):
            return where
    return None


def _answer(session: Session, told: Mapping[str, Any], where: Path) -> None:
    text = session.console.text
    cards = [
        {name: card[name] for name in ("number", "port", "file", "state", "atr", "tries")} for card in told["cards"]
    ]
    value = {"pid": told["pid"], "control": str(where), "cards": cards}
    header = [text(f"say.served.{name}") for name in ("number", "port", "file", "state")]
    rows = [[str(one["number"]), str(one["port"]), one["file"], text(f"say.served.is_{one['state']}")] for one in cards]
    blocks: list[Block] = [
        Heading(text("say.served.title")),
        Table(header, rows),
        Line(text("say.served.control_socket", control=str(where)), Role.FAINT),
    ]
    session.answer("served", value, blocks)
