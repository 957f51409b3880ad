"""The link: encodes commands, follows 61xx and 6Cxx, chooses short or extended APDUs, tells observers (masked).

One link is one session. A connection that failed once has an unknown card behind it, so the session is over: every
further command is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kojin_card.errors import (
    Cancelled,
    CardBusy,
    CardFileBusy,
    CardRemoved,
    CardReset,
    DecodeError,
    KojinError,
    NoCard,
    NoReader,
    ReplayMismatch,
    TransportError,
    UsageError,
)
from kojin_card.iso7816.apdu import EXTENDED_LE_MAX, SHORT_LC_MAX, SHORT_LE_MAX, CommandApdu, ResponseApdu
from kojin_card.iso7816.status import SW
from kojin_card.transport.base import HasAtr, PinPad, Resettable

if TYPE_CHECKING:
    from kojin_card.transport.base import Connection

#: An answer has at most 65536 bytes of data, in pieces of which each must bring something.
MAX_PIECES = 512
MAX_ANSWER_BYTES = EXTENDED_LE_MAX

#: what a connection may say instead of an answer to a secret; anything else becomes a TransportError
_PASSED_ON = (CardRemoved, CardReset, CardBusy, CardFileBusy, NoCard, NoReader, Cancelled, ReplayMismatch)

_GET_RESPONSE = 0xC0
_MORE_DATA = 0x61
_WRONG_LE = 0x6C


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command and its answer, as an observer may show or keep it: nothing secret, nothing personal.

    Attributes:
        operation: what it was for, in the words of the specs (``"verify jpki/auth_pin"``).
        command: header in hex, data where it is public, ``[secret]`` or ``[n bytes]`` where not, then Le.
        sw: the status word; None when the connection failed and no answer came.
        length: bytes of data in the answer.
        data: the data in hex when it is public, else None.
        failure: where no answer came, the code of the error that tells it (``"card_removed"``); else empty.
    """

    operation: str
    command: str
    sw: int | None
    length: int = 0
    data: str | None = None
    failure: str = ""

    def __str__(self) -> str:
        answer = "no answer" if self.sw is None else f"{self.sw:04X}"
        shown = self.data if self.data is not None else f"[{self.length} bytes]"
        return f"{self.command} -> {answer}" + (f" {shown}" if self.length else "")


Observer = Callable[[Exchange], None]


@dataclass(frozen=True, slots=True)
class Request:
    """A command with what is said about it.

    Attributes:
        operation: see :class:`Exchange`.
        private_answer: the data of the answer must not be shown (the default: closed).
        private_data: the data of the command must not be shown; its length may be (a digest to be signed).
    """

    command: CommandApdu
    operation: str = field(default="command", kw_only=True)
    private_answer: bool = field(default=True, kw_only=True)
    private_data: bool = field(default=False, kw_only=True)

    def text(self, command: CommandApdu) -> str:
        """``command`` as an observer may see it."""
        if self.private_data and command.data and not command.sensitive:
            head = command.header.hex(" ").upper()
            return f"{head} [{len(command.data)} bytes]" + ("" if command.le is None else f" Le={command.le}")
        return str(command)


class Link:
    """Commands in, answers out, over one connection.

    Attributes:
        extended: whether extended APDUs are used where they help; False for good after a 6700: a longer Le is then
            cut to 256.
        sent: how many APDUs went over.
    """

    def __init__(self, connection: Connection, *, observer: Observer | None = None) -> None:
        self._connection = connection
        self._observer = observer
        self._over: str | None = None
        self.sent = 0
        self._said: bool | None = getattr(connection, "extended", None)
        self._declared = isinstance(connection, HasAtr) and declares_extended(connection.atr)
        self.extended = self._declared if self._said is None else self._said

    @property
    def said_extended(self) -> bool | None:
        """Whether extended APDUs go through: as the connection says, or its ATR declares; None: nobody says so."""
        return True if self._said is None and self._declared else self._said

    @property
    def is_over(self) -> bool:
        """Whether the session has ended: by :meth:`end`, or because the connection failed."""
        return self._over is not None

    def end(self, why: str = "the session was closed") -> None:
        """Send nothing any more."""
        self._over = self._over or why

    def send(
        self,
        command: CommandApdu,
        *,
        operation: str = "command",
        private: bool = True,
        private_data: bool = False,
        insist: bool = False,
    ) -> ResponseApdu:
        """Send one command; 61xx and 6Cxx are followed, any other status word is the caller's to judge.

        A command that holds a secret is sent once and never again, whatever the card answers.

        Args:
            operation: for errors and observers.
            private: the answer's data is not shown to observers (only its length).
            private_data: nor the command's data.
            insist: the short form is known not to do: send a long Le as it is, whatever is known of the card, and do
                not conclude anything for other commands from a 6700.

        Raises:
            TransportError: the connection failed now or before, or gave something that is no answer.
            UsageError: the command needs an extended APDU and the connection says it carries none.
        """
        request = Request(command, operation=operation, private_answer=private, private_data=private_data)
        must = insist or _long_data(command)
        if command.needs_extended and not must and not self.extended:
            command = replace(command, le=SHORT_LE_MAX)
        extended = self._form(command, operation, must=must)
        answer = self._once(request, command, extended=extended)
        if answer.sw == SW.WRONG_LENGTH and extended and not command.sensitive and not must:
            self.extended = False  # "falls back and remembers": this card or reader takes short APDUs only
            command = replace(command, le=SHORT_LE_MAX)
            answer = self._once(request, command, extended=False)
        if answer.sw >> 8 == _WRONG_LE and command.le is not None and not command.sensitive:
            command = replace(command, le=(answer.sw & 0xFF) or SHORT_LE_MAX)
            answer = self._once(request, command, extended=must and command.needs_extended)
        return self._collect(request, answer) if answer.sw >> 8 == _MORE_DATA else answer

    def send_typed(self, command: CommandApdu, minimum: int, maximum: int, *, operation: str) -> ResponseApdu:
        """Let the holder type at the reader's keys what belongs behind the header of ``command``, which has no data.

        Raises:
            UsageError: the reader has no keys. Cancelled: by the holder; the session is over.
            TransportError: as :meth:`send`.
        """
        pad = self._connection
        if not isinstance(pad, PinPad):
            raise UsageError("this reader has no keys", operation=operation)
        request = Request(command, operation=operation)
        return self._once(
            request,
            command,
            extended=False,
            carry=lambda encoded: pad.verify_on_pad(encoded[:4], minimum=minimum, maximum=maximum),
        )

    def reset(self) -> None:
        """Reset the card when the connection can, so that it forgets what was verified.

        Raises:
            TransportError: the reset failed: what was verified may still be open.
        """
        if not isinstance(self._connection, Resettable):
            return
        failure: str
        try:
            self._connection.reset()
        except KojinError:
            raise
        except Exception as bad:
            failure = f"the card could not be reset ({type(bad).__name__})"
        else:
            return
        raise self._fail("reset the card", failure)

    def _form(self, command: CommandApdu, operation: str, *, must: bool) -> bool:
        """Whether the command goes out in the extended form."""
        if not command.needs_extended:
            return False
        if must:
            self.require_extended(operation)
        return True

    def require_extended(self, operation: str) -> None:
        """Whether a command that needs the extended form can go out at all; nothing is sent.

        Raises:
            UsageError: the connection says it carries none.
        """
        if self._said is False:
            raise UsageError("the connection carries short APDUs only", operation=operation)

    def _collect(self, request: Request, answer: ResponseApdu) -> ResponseApdu:
        """GET RESPONSE (ISO/IEC 7816-4 §11.7.1) until the card has no more."""
        pieces = [answer.data]
        total = len(answer.data)
        for _ in range(MAX_PIECES):
            le = (answer.sw & 0xFF) or SHORT_LE_MAX
            answer = self._once(request, CommandApdu(0x00, _GET_RESPONSE, 0x00, 0x00, le=le), extended=False)
            if answer.sw >> 8 == _WRONG_LE:
                le = (answer.sw & 0xFF) or SHORT_LE_MAX
                answer = self._once(request, CommandApdu(0x00, _GET_RESPONSE, 0x00, 0x00, le=le), extended=False)
            pieces.append(answer.data)
            total += len(answer.data)
            more = answer.sw >> 8 == _MORE_DATA
            if total > MAX_ANSWER_BYTES or (more and not answer.data):
                break
            if not more:
                return ResponseApdu(b"".join(pieces), answer.sw)
        raise self._fail(request.operation, "the answer does not end")

    def _once(
        self,
        request: Request,
        command: CommandApdu,
        *,
        extended: bool,
        carry: Callable[[bytes], bytes] | None = None,
    ) -> ResponseApdu:
        if self._over is not None:
            raise TransportError(self._over, operation=request.operation)
        # Until an answer has come and was understood, nothing is known about the card: also not after a Ctrl-C.
        encoded = command.encode(extended=extended)
        self._over = "the session is over: the connection failed before"
        self.sent += 1
        answer: ResponseApdu | None = None
        failure = ""
        kind: type[KojinError] = TransportError
        line = 0
        try:
            raw = (carry or self._connection.transmit)(encoded)
            received = bytes(raw) if isinstance(raw, bytes | bytearray | memoryview) else b""
        except KojinError as bad:
            # Somebody else's connection may have put the command into its words, details or chain: its kind is kept.
            kind = next((known for known in _PASSED_ON if isinstance(bad, known)), TransportError)
            if not command.sensitive:
                self._tell(Exchange(request.operation, request.text(command), None, failure=kind.code))
                raise
            failure = "the connection failed"
            if isinstance(bad, ReplayMismatch):
                line = int(bad.line)
        except Exception as bad:
            # Its words and its traceback may hold the command: only the kind of exception is kept, and no chain.
            failure = f"the connection failed ({type(bad).__name__})"
        except BaseException:  # Ctrl-C: the command is gone, the answer never came, and an observer is told so
            self._tell(Exchange(request.operation, request.text(command), None, failure=Cancelled.code))
            raise
        else:
            try:
                answer = ResponseApdu.decode(received)
            except DecodeError as bad:
                failure = bad.message
        if answer is not None:
            if command.le is not None and len(answer.data) > command.le:
                failure = "the answer is longer than what was asked for"
            else:
                self._over = None
                shown = None if request.private_answer or command.sensitive else answer.data.hex().upper()
                exchange = Exchange(request.operation, request.text(command), answer.sw, len(answer.data), shown)
                self._tell(exchange)
                return answer
        self._tell(Exchange(request.operation, request.text(command), None, failure=kind.code))
        if line:
            raise ReplayMismatch("another command was recorded here", operation=request.operation, line=line)
        raise self._fail(request.operation, failure, kind)

    def _fail(self, operation: str, why: str, kind: type[KojinError] = TransportError) -> KojinError:
        self._over = "the session is over: the connection failed before"
        return kind(why, operation=operation)

    def _tell(self, exchange: Exchange) -> None:
        if self._observer is not None:
            self._observer(exchange)


def _long_data(command: CommandApdu) -> bool:
    return len(command.data) > SHORT_LC_MAX


def declares_extended(atr: bytes) -> bool:
    """Whether the historical bytes of ``atr`` declare extended Lc and Le (ISO/IEC 7816-4 §8.1.1.2.7, table 3 bit 7).

    Of the Individual Number Card's ATRs one says so, one denies it and the contactless ones are silent (card.md §5).
    Anything malformed counts as silence.
    """
    history = _historical_bytes(bytes(atr))
    if not history or history[0] != 0x80:  # only category 80 is plain compact-TLV without a status at the end
        return False
    at = 1
    while at < len(history):
        tag, length = history[at] >> 4, history[at] & 0x0F
        value = history[at + 1 : at + 1 + length]
        if tag == 0x7 and length == 3 and len(value) == 3:
            return bool(value[2] & 0x40)
        at += 1 + length
    return False


def _historical_bytes(atr: bytes) -> bytes:
    """The historical bytes of an ATR (ISO/IEC 7816-3 §8.2); empty when it is malformed."""
    if not 2 <= len(atr) <= 33:
        return b""
    count, indicator, at = atr[1] & 0x0F, atr[1] >> 4, 2
    while indicator:
        following = 0
        for bit in (1, 2, 4, 8):
            if indicator & bit:
                if at >= len(atr):
                    return b""
                following = atr[at] >> 4 if bit == 8 else following
                at += 1
        indicator = following
    return atr[at : at + count] if at + count <= len(atr) else b""
