"""A software card in a slot of vpcd, the virtual reader that vsmartcard's driver gives to pcscd: the card's side.

vpcd listens and the card calls it. A message, either way, is its length in two octets and that many octets. One octet
from the reader is a control: ``00`` power off, ``01`` power on, ``02`` reset (no answer to these), ``04`` the ATR is
wanted. Everything else is a command, and until it is answered no program gets a word out of pcscd (pcsc.md P9): there
is always an answer, never one of zero octets (P10).

A program may send a *command* of one octet through pcscd, and if that is 00, 01 or 02 nobody can tell it from the
control: vpcd waits for an answer that its protocol does not have, and everybody with it. pcscd asks for the ATR every
400 ms, so silence after a control is that case, and the card leaves for a moment, which ends the waiting.

The peer is whoever listens on that port of this machine, so it is believed nothing: what it sends is bounded by the
length field, one message is dealt with at a time, an answer that it does not take stops the reading, nothing waits for
it, and what is no message ends the connection.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from kojin_card.errors import CardRemoved
from kojin_card.iso7816.status import SW

if TYPE_CHECKING:
    from collections.abc import Callable

#: the port of a vpcd that nobody configured; its second slot is on the next one
DEFAULT_PORT = 0x8C7B
_HOST = "127.0.0.1"
_LENGTH = 2
_CHUNK = 0xFFFF + _LENGTH
_FAULT = SW.NO_PRECISE_DIAGNOSIS.to_bytes(2, "big")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_CALL_SECONDS = 2.0
_SILENCE_SECONDS = 2.0
_POWER_OFF, _POWER_ON, _RESET, _ATR = b"\x00", b"\x01", b"\x02", b"\x04"
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: close at once, leave nothing of the connection behind
_UNDER_WAY = {0, errno.EINPROGRESS, errno.EAGAIN, errno.EINTR}


class Contacts(Protocol):
    """What a reader does with a card."""

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        ...

    def transmit(self, command: bytes) -> bytes:
        """The answer to a command.

        Raises:
            CardRemoved: the card is gone.
        """
        ...

    def reset(self) -> None:
        """Reset, or the loss of power."""
        ...


class Garbage(Exception):
    """The peer does not speak the protocol. Never leaves this module."""


class Talk:
    """One conversation with the reader, apart from how its octets travel.

    Attributes:
        outgoing: what was answered and is not sent yet.
    """

    def __init__(self, card: Contacts) -> None:
        self._card = card
        self._incoming = bytearray()
        self.outgoing = b""

    def feed(self, octets: bytes) -> None:
        """More octets of the reader's."""
        self._incoming += octets

    @property
    def message_waits(self) -> bool:
        """Whether :meth:`step` has something to do: a whole message, and the answer before it has gone out."""
        size = len(self._incoming)
        return not self.outgoing and size >= _LENGTH and size >= _LENGTH + self._announced()

    def step(self) -> None:
        """Deal with one message.

        Raises:
            Garbage: a message of no octets.
            CardRemoved: the card is gone.
        """
        end = _LENGTH + self._announced()
        message = bytes(self._incoming[_LENGTH:end])
        del self._incoming[:end]
        if not message:
            raise Garbage
        if message in (_POWER_OFF, _POWER_ON, _RESET):
            self._card.reset()
            return
        answer = self._card.atr if message == _ATR else self._answer(message)
        self.outgoing = len(answer).to_bytes(_LENGTH, "big") + answer

    def _answer(self, command: bytes) -> bytes:
        """The card's answer, or 6F00 for want of one that the protocol can carry."""
        try:
            answer = self._card.transmit(command)
        except CardRemoved:
            raise
        except Exception:  # whatever it is: a reader without an answer hangs every program
            return _FAULT
        return answer if len(_FAULT) <= len(answer) <= 0xFFFF else _FAULT

    def _announced(self) -> int:
        return int.from_bytes(self._incoming[:_LENGTH], "big")


class Where(StrEnum):
    """How far a card has come."""

    OUT = "out"
    CALLING = "calling"  # nobody listens on the port
    QUEUED = "queued"  # connected, but the reader has asked nothing: another card may be in the slot
    IN_READER = "in_reader"


class Slot:
    """A slot of the reader, on its port, with a card or without. Nothing in it blocks; the caller polls.

    Attributes:
        port: where the reader's slot listens.
        where: how far the card has come.
    """

    def __init__(
        self,
        port: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        moved: Callable[[Slot], None] = lambda _: None,
    ) -> None:
        self.port = port
        self.where = Where.OUT
        self._clock = clock
        self._moved = moved
        self._card: Contacts | None = None
        self._socket: socket.socket | None = None
        self._connected = False
        self._talk: Talk | None = None
        self._pause = _FIRST_PAUSE
        self._due = 0.0
        self._silent_since: float | None = None  # after a message that has no answer

    # --- for whoever holds the card

    def insert(self, card: Contacts) -> None:
        """Put a card in; it is called for as long as it is there."""
        self.remove()
        self._card = card
        self._pause, self._due = _FIRST_PAUSE, self._clock()
        self._move(Where.CALLING)

    def remove(self) -> None:
        """Take the card out: it loses its power."""
        self._hang_up()
        self._card = None
        self._move(Where.OUT)

    # --- for the loop

    def fileno(self) -> int | None:
        """What to poll, if anything."""
        return None if self._socket is None else self._socket.fileno()

    @property
    def events(self) -> int:
        """What to poll it for."""
        if not self._connected:
            return select.POLLOUT
        if self._talk is None or self._talk.message_waits:
            return 0
        return select.POLLOUT if self._talk.outgoing else select.POLLIN

    def seconds_left(self) -> float | None:
        """How long :meth:`work` has nothing to do when the poll is silent; None: for ever."""
        if self._card is None:
            return None
        if self._talk is not None and self._talk.message_waits:
            return 0.0
        due = self._due
        if self._connected:
            if self._silent_since is None:
                return None
            due = self._silent_since + _SILENCE_SECONDS
        return max(0.0, due - self._clock())

    def work(self, events: int) -> None:
        """Do what can be done at once: call, read, deal with one message, answer."""
        if self._card is None:
            return
        try:
            if self._socket is None:
                if self._clock() >= self._due:
                    self._call()
            elif not self._connected:
                self._see_who_answered(events)
            else:
                self._converse(events)
        except (OSError, Garbage):
            self._try_later()
        except CardRemoved:
            self.remove()

    # --- inside

    def _call(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._due = self._clock() + _CALL_SECONDS
        failed = self._socket.connect_ex((_HOST, self.port))
        if failed not in _UNDER_WAY:
            raise OSError(failed, "connect")

    def _see_who_answered(self, events: int) -> None:
        if self._socket is None or self._card is None:
            return
        if not events:
            if self._clock() >= self._due:
                raise TimeoutError
            return
        failed = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            raise OSError(failed, "connect")
        if self._socket.getsockname() == self._socket.getpeername():
            # Nobody listens, and the system chose the port that we call for the call itself: TCP connects a socket to
            # itself, and pcscd could not have its port. It must go without a trace.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            raise ConnectionRefusedError
        self._connected = True
        self._talk = Talk(self._card)
        self._move(Where.QUEUED)

    def _converse(self, events: int) -> None:
        if self._socket is None or self._talk is None:
            return
        if events & ~select.POLLOUT and not (self._talk.outgoing or self._talk.message_waits):
            self._read(self._socket, self._talk)
        if self._talk.message_waits:
            self._talk.step()
            self._silent_since = None if self._talk.outgoing else self._clock()
            self._pause = _FIRST_PAUSE  # somebody who speaks the protocol: worth calling again at once
            self._move(Where.IN_READER)
        if self._talk.outgoing:
            with contextlib.suppress(BlockingIOError):
                sent = self._socket.send(self._talk.outgoing, socket.MSG_NOSIGNAL)  # length and answer in one piece
                self._talk.outgoing = self._talk.outgoing[sent:]
        if self._silent_since is not None and self._clock() >= self._silent_since + _SILENCE_SECONDS:
            raise TimeoutError

    @staticmethod
    def _read(line: socket.socket, talk: Talk) -> None:
        # vpcd sends length and body apart, so the second waits for our acknowledgment of the first: 44 ms a command
        # unless it is sent at once. The option does not stick (pcsc.md P1).
        quick = getattr(socket, "TCP_QUICKACK", None)
        if quick is not None:
            line.setsockopt(socket.IPPROTO_TCP, quick, 1)
        try:
            octets = line.recv(_CHUNK)
        except BlockingIOError:
            return
        if not octets:
            raise ConnectionResetError
        talk.feed(octets)

    def _try_later(self) -> None:
        self._hang_up()
        self._due = self._clock() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._move(Where.CALLING)

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._talk, self._connected, self._silent_since = None, None, False, None
        if self._card is not None:
            self._card.reset()

    def _move(self, where: Where) -> None:
        if where is not self.where:
            self.where = where
            self._moved(self)
