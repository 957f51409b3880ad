"""Readers through PC/SC (the ``[pcsc]`` extra): the only importer of pyscard, and of its thin binding only.

Shared with other programs, and tried again for a while when one of them has the card. Anything with a secret goes out
inside a transaction, which then lasts until the card was reset: nobody else ever finds the card with our PIN verified
(pcsc.md P6), also not when this process dies, for the service resets a card whose transaction was cut off. A card that
was reset by somebody, taken away or lost ends the session; nothing is sent twice.
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from kojin_card.errors import Cancelled, CardBusy, CardRemoved, MissingExtra, NoService, TransportError
from kojin_card.transport import pinpad
from kojin_card.transport.bounded import BoundedCalls, CallCancelled, CallFailed, CallTimedOut
from kojin_card.transport.winscard import GONE, MAYBE_GONE, NOT_CARRIED, Code, ReaderState, code_of, failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kojin_card.errors import KojinError
    from kojin_card.transport.base import CancelFlag

#: the longest that a call may take, in seconds: a signature or a slow card, and whatever other programs do meanwhile
SERVICE_SECONDS, CARD_SECONDS, PAD_SECONDS, CLOSE_SECONDS = 10.0, 60.0, 90.0, 5.0
#: for how long, and how often, a card that another program has is asked for
PATIENCE, PAUSE = 3.0, 0.1

_VERIFY, _READ_BINARY = 0x20, 0xB0
#: VERIFY, CHANGE REFERENCE DATA, CHANGE KEY (card.md §4.3): with data they carry a secret
_SECRET = frozenset({_VERIFY, 0x24, 0x32})
#: the pseudo reader of pcsc-lite and Windows that changes when readers come and go
_READERS_CHANGED = "\\\\?PnP?\\Notification"
#: what a driver that does not carry a long READ is made to say: the link then asks for less (7816-4: wrong length)
_WRONG_LENGTH = b"\x67\x00"


def binding() -> Any:
    """pyscard's binding to PC/SC.

    Raises:
        MissingExtra: it is not installed, or the system's PC/SC library is not.
    """
    try:
        from smartcard import scard
    except ImportError:
        raise MissingExtra("pyscard is not installed", operation="open a reader", extra="pcsc") from None
    except Exception as bad:
        words = f"pyscard cannot be loaded ({type(bad).__name__})"
        raise MissingExtra(words, operation="open a reader", extra="pcsc") from None
    return scard


class Service:
    """A context of the system's smart-card service; a context manager.

    Raises:
        MissingExtra: no pyscard. NoService: the service does not run. ServiceRefused: it does not let us in.
    """

    def __init__(self) -> None:
        self.scard = binding()
        self._calls = BoundedCalls()
        self._context: Any = None
        self._stuck = False
        operation, scope = "open the smart-card service", self.scard.SCARD_SCOPE_USER
        try:
            code, rest = self.code(
                "SCardEstablishContext", scope, operation=operation, seconds=SERVICE_SECONDS, late=NoService
            )
            if code != Code.OK or not rest:
                raise failure(code or code_of(None), operation)
        except BaseException:
            self._calls.close()
            raise
        self._context = rest[0]

    # --- calls

    def code(
        self,
        name: str,
        *arguments: Any,
        operation: str,
        seconds: float = CARD_SECONDS,
        cancel: CancelFlag | None = None,
        reader: str = "",
        late: type[KojinError] = TransportError,
    ) -> tuple[int, Sequence[Any]]:
        """The return code of one call of PC/SC, and what came with it.

        Raises:
            TransportError: the binding itself failed. Cancelled: ``cancel`` was set.
            KojinError: ``late``, when the call did not come back in ``seconds``; the context is given up then,
                and every further call is refused.
        """
        too_late = "the smart-card service does not answer in time"
        if self._stuck:
            raise TransportError(too_late, operation=operation, **({"reader": reader} if reader else {}))
        problem: KojinError
        try:
            answer = self._calls.call(getattr(self.scard, name), *arguments, seconds=seconds, cancel=cancel)
        except CallCancelled:
            problem = Cancelled(operation=operation)
        except CallTimedOut:
            self._give_up()
            problem = late("" if late is CardBusy else too_late, operation=operation)
        except CallFailed as bad:
            problem = TransportError(f"the binding to PC/SC failed ({bad})", operation=operation)
        else:
            if isinstance(answer, list | tuple):
                return code_of(answer[0] if answer else None), answer[1:]
            return code_of(answer), ()
        if reader:
            problem.details["reader"] = reader
        raise problem

    def _give_up(self) -> None:
        """A call hangs, and PC/SC may let no other call of this process through to undo it: the context is given back
        when the call comes back, and nobody waits for that."""
        self._stuck = True
        context, self._context = self._context, None
        if context is not None:
            self._calls.afterwards(self.scard.SCardReleaseContext, context)

    def close(self) -> None:
        """Give the context back; may be called twice."""
        context, self._context = self._context, None
        if context is not None:
            with contextlib.suppress(CallTimedOut, CallFailed):
                self._calls.call(self.scard.SCardReleaseContext, context, seconds=CLOSE_SECONDS)
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- readers

    def names(self) -> tuple[str, ...]:
        """The names of all readers, in the system's order."""
        operation = "list the readers"
        code, rest = self.code(
            "SCardListReaders", self._context, [], operation=operation, seconds=SERVICE_SECONDS, late=NoService
        )
        if code == Code.NO_READERS:
            return ()
        if code != Code.OK:
            raise failure(code, operation)
        return tuple(str(name) for name in (rest[0] if rest else ()))

    def readers(self) -> tuple[ReaderState, ...]:
        """All readers with what is in them; nothing is sent to a card."""
        found = (self._state(name) for name in self.names())
        return tuple(one for one in found if one is not None)

    def _state(self, name: str) -> ReaderState | None:
        states = self._changes([(name, 0)], seconds=0.0)
        return states[0] if states else None

    def wait(self, known: Sequence[ReaderState], *, seconds: float, cancel: CancelFlag | None = None) -> None:
        """Until something changes at the known readers, or with the readers, or the time is over; a moment at least, so
        that a system which comes back at once keeps nobody busy.

        Raises:
            Cancelled: ``cancel`` was set. NoService, ServiceRefused, TransportError: as PC/SC says.
        """
        asked = [(one.name, one.raw) for one in known]
        if sys.platform != "darwin":  # macOS knows no such reader
            asked.append((_READERS_CHANGED, 0))
        begun = time.monotonic()
        if asked:
            self._changes(asked, seconds=seconds, cancel=cancel)
        time.sleep(max(0.0, min(seconds, PAUSE) - (time.monotonic() - begun)))
        if cancel is not None and cancel.is_set():
            raise Cancelled(operation="look at the readers")

    def _changes(
        self, asked: Sequence[tuple[str, int]], *, seconds: float, cancel: CancelFlag | None = None
    ) -> list[ReaderState]:
        """What is new; empty when nothing is, or when a reader is gone."""
        operation = "look at the readers"
        words = (self._context, int(seconds * 1000), list(asked))
        patience = seconds + SERVICE_SECONDS
        try:
            code, rest = self.code("SCardGetStatusChange", *words, operation=operation, seconds=patience, cancel=cancel)
        except (Cancelled, KeyboardInterrupt):
            self._stop_waiting()
            raise
        if code in (Code.TIMEOUT, Code.UNKNOWN_READER, Code.READER_UNAVAILABLE, Code.NO_READERS):
            return []
        if code != Code.OK:
            raise failure(code, operation)
        try:
            return [ReaderState.of(str(name), int(raw), bytes(atr)) for name, raw, atr in (rest[0] if rest else ())]
        except (TypeError, ValueError):
            raise TransportError("the binding to PC/SC gave no states", operation=operation) from None

    def _stop_waiting(self) -> None:
        """Let a wait that is under way come back (the one call that PC/SC takes beside another)."""
        beside = BoundedCalls()
        with contextlib.suppress(CallTimedOut, CallFailed):
            beside.call(self.scard.SCardCancel, self._context, seconds=CLOSE_SECONDS)
        beside.close()

    # --- cards

    def connect(self, reader: str) -> PcscConnection:
        """The card in a reader, shared with others; asked for again for a while when another program has it for itself.

        Raises:
            NoReader, NoCard, WrongCard, CardBusy, ServiceRefused, NoService, TransportError: as PC/SC says.
        """
        operation = "open a card"
        protocols = self.scard.SCARD_PROTOCOL_T0 | self.scard.SCARD_PROTOCOL_T1
        words = (self._context, reader, self.scard.SCARD_SHARE_SHARED, protocols)
        # it does not come back either while another program is in a transaction
        how: dict[str, Any] = {"seconds": SERVICE_SECONDS, "late": CardBusy}
        code, rest = self.patiently("SCardConnect", *words, operation=operation, reader=reader, **how)
        if code != Code.OK or len(rest) < 2:
            raise failure(code or code_of(None), operation, reader=reader)
        handle, protocol = rest[0], rest[1]
        keys = self._features(handle)
        kind = PadConnection if pinpad.VERIFY_PIN_DIRECT in keys else PcscConnection
        return kind(self, reader, handle, protocol, keys)

    def patiently(
        self, name: str, *arguments: Any, operation: str, patience: float | None = None, **how: Any
    ) -> tuple[int, Sequence[Any]]:
        """A call that is made again for a while when another program has the card; it then sent nothing."""
        deadline = time.monotonic() + (PATIENCE if patience is None else patience)
        while True:
            code, rest = self.code(name, *arguments, operation=operation, **how)
            if code != Code.SHARING_VIOLATION or time.monotonic() >= deadline:
                return code, rest
            time.sleep(PAUSE)

    def _features(self, handle: Any) -> Mapping[int, int]:
        answer = self.control(handle, self.scard.SCARD_CTL_CODE(pinpad.GET_FEATURE_REQUEST), b"", seconds=CLOSE_SECONDS)
        return pinpad.features(answer or b"")

    def control(self, handle: Any, code: int, data: bytes, *, seconds: float) -> bytes | None:
        """What a reader's driver answers; None when it does not know the question."""
        try:
            said, rest = self.code(
                "SCardControl", handle, code, list(data), operation="ask the reader", seconds=seconds
            )
            return bytes(rest[0]) if said == Code.OK and rest else None
        except (TransportError, TypeError, ValueError):
            return None


class PcscConnection:
    """A card in a reader (:class:`~kojin_card.transport.base.Connection` and its optional companions).

    Attributes:
        description: the reader's name.
        extended: False where the protocol or the reader carries short APDUs only; else the ATR decides.
    """

    def __init__(self, service: Service, reader: str, handle: Any, protocol: int, features: Mapping[int, int]) -> None:
        self.description = reader
        self._service = service
        self._handle = handle
        self._protocol = protocol
        self._features = features
        self._depth = 0
        self._held = False  # a transaction of ours
        self._secret = False  # a secret went to the card, and no reset since
        self._gone = False
        self._closed = False
        self._atr = b""
        with contextlib.suppress(TransportError, TypeError, ValueError):  # no ATR decides anything but lengths
            code, rest = self._code("SCardStatus", "open a card")
            self._atr = bytes(rest[3]) if code == Code.OK and len(rest) > 3 else b""
        self.extended: bool | None = None
        if protocol == service.scard.SCARD_PROTOCOL_T0 or self._reader_is_short():
            self.extended = False

    @property
    def atr(self) -> bytes:
        """The card's answer to reset, as the reader tells it."""
        return self._atr

    def _reader_is_short(self) -> bool:
        code = self._features.get(pinpad.TLV_PROPERTIES)
        if code is None:
            return False
        answer = self._service.control(self._handle, code, b"", seconds=CLOSE_SECONDS)
        return pinpad.carries_extended(answer or b"") is False

    def _code(
        self,
        name: str,
        operation: str,
        *more: Any,
        seconds: float = CARD_SECONDS,
        late: type[KojinError] = TransportError,
    ) -> tuple[int, Sequence[Any]]:
        return self._service.code(
            name, self._handle, *more, operation=operation, seconds=seconds, reader=self.description, late=late
        )

    def _failed(self, code: int, operation: str) -> KojinError:
        """The error of a code; a card that was lost is looked for once, to tell a removal from a fault."""
        if code in MAYBE_GONE:
            with contextlib.suppress(TransportError):
                now, _ = self._code("SCardStatus", operation, seconds=CLOSE_SECONDS)
                code = now if now in GONE or now == Code.RESET_CARD else code
        self._gone = self._gone or code in GONE
        return failure(code, operation, reader=self.description, speaking=True)

    # --- commands

    def transmit(self, command: bytes, /) -> bytes:
        """See :class:`~kojin_card.transport.base.Connection`.

        Raises:
            CardRemoved: the card is away. CardReset: another program reset it; nothing was sent.
            CardBusy: another program has it; nothing was sent. TransportError: nothing is known.
        """
        operation = "transmit"
        if self._closed:
            raise CardRemoved("the connection was closed", operation=operation)
        if len(command) > 5 and command[1] in _SECRET:
            self._hold()
            self._secret = True
        t0 = self._protocol == self._service.scard.SCARD_PROTOCOL_T0
        pci = self._service.scard.SCARD_PCI_T0 if t0 else self._service.scard.SCARD_PCI_T1
        words = list(_tpdu(command) if t0 else command)
        code, rest = self._service.patiently(
            "SCardTransmit",
            self._handle,
            pci,
            words,
            operation=operation,
            reader=self.description,
            patience=0.0 if self._held else None,
        )
        if code in NOT_CARRIED and len(command) >= 7 and command[1] == _READ_BINARY:
            return _WRONG_LENGTH
        if code != Code.OK:
            raise self._failed(code, operation)
        return _octets(rest, operation)

    # --- exclusive use

    @contextlib.contextmanager
    def transaction(self) -> Iterator[bool]:
        """Exclusive use inside the block, and after a secret until :meth:`reset`; True when it began only now."""
        began = self._hold()
        self._depth += 1
        try:
            yield began
        finally:
            self._depth -= 1
            if self._depth == 0 and not self._secret:
                self._release()

    def _hold(self) -> bool:
        """Whether exclusive use began now.

        On Windows the card is asked for exclusively, because a transaction in which nothing happens for five seconds
        (somebody looks for a PIN) ends there with a reset of the card; when other programs are connected, a transaction
        must do.

        Raises:
            CardBusy: another program has it. CardReset, CardRemoved, TransportError: as :meth:`transmit`.
        """
        if self._held:
            return False
        operation = "take the card for this program alone"
        if sys.platform == "win32" and self._reconnect(operation, exclusive=True) == Code.OK:
            self._held = True
            return True
        # when it does not come back, the service is well: somebody else's transaction does not end
        code, _ = self._code("SCardBeginTransaction", operation, seconds=SERVICE_SECONDS, late=CardBusy)
        if code != Code.OK:
            raise self._failed(code, operation)
        self._held = True
        return True

    def _release(self) -> None:
        if not self._held:
            return
        self._held = False
        leave = self._service.scard.SCARD_LEAVE_CARD
        with contextlib.suppress(TransportError):  # what went wrong before is what people must hear of
            if sys.platform == "win32":
                self._reconnect("share the card again", exclusive=False)
            self._code("SCardEndTransaction", "share the card again", leave, seconds=CLOSE_SECONDS)

    def _reconnect(self, operation: str, *, exclusive: bool, reset: bool = False) -> int:
        scard = self._service.scard
        share = scard.SCARD_SHARE_EXCLUSIVE if exclusive else scard.SCARD_SHARE_SHARED
        how = scard.SCARD_RESET_CARD if reset else scard.SCARD_LEAVE_CARD
        code, rest = self._code("SCardReconnect", operation, share, self._protocol, how, seconds=CLOSE_SECONDS)
        if code == Code.OK and rest:
            self._protocol = rest[0]
        return code

    # --- leaving

    def reset(self) -> None:
        """Let the card forget what was verified, and share it again.

        A card to which this session showed no secret is not reset: another program may be at work with it.

        Raises:
            TransportError: the reset failed: what was verified may still be open.
        """
        if self._closed or not self._secret:
            return
        code = self._reconnect("reset the card", exclusive=False, reset=True)  # also one that is said to be away
        if code not in GONE and code != Code.OK and not self._gone:
            raise self._failed(code, "reset the card")
        self._secret = False  # a card that is away has no power, and remembers nothing
        self._release()

    def close(self) -> None:
        """Give card and service back; may be called twice. A card that was shown a secret is reset.

        Raises:
            TransportError: it was to be reset, and could not.
        """
        try:
            self.part()
        finally:
            self._service.close()

    def part(self) -> None:
        """As :meth:`close`, and the service stays open."""
        if self._closed:
            return
        self._closed = True
        scard, operation = self._service.scard, "give the card back"
        how = scard.SCARD_RESET_CARD if self._secret else scard.SCARD_LEAVE_CARD
        try:
            code, _ = self._code("SCardDisconnect", operation, how, seconds=CLOSE_SECONDS)
        except TransportError:
            if self._secret and not self._gone:
                raise
        else:
            if self._secret and not self._gone and code not in (*GONE, Code.OK):
                raise failure(code, operation, reader=self.description, speaking=True)


class PadConnection(PcscConnection):
    """A card in a reader with keys (:class:`~kojin_card.transport.base.PinPad`)."""

    def verify_on_pad(self, header: bytes, *, minimum: int, maximum: int) -> bytes:
        """See :class:`~kojin_card.transport.base.PinPad`."""
        operation = "enter a PIN at the reader"
        self._hold()
        self._secret = True
        structure = pinpad.verify_structure(header, minimum, maximum)
        control = self._features[pinpad.VERIFY_PIN_DIRECT]
        code, rest = self._code("SCardControl", operation, control, list(structure), seconds=PAD_SECONDS)
        if code != Code.OK:
            raise self._failed(code, operation)
        return pinpad.answer_of(_octets(rest, operation), operation)


def _octets(rest: Sequence[Any], operation: str) -> bytes:
    try:
        return bytes(rest[0])
    except (IndexError, TypeError, ValueError):
        raise TransportError("the binding to PC/SC gave no answer", operation=operation) from None


def _tpdu(command: bytes) -> bytes:
    """A short APDU as T=0 carries it (ISO/IEC 7816-3 §12.2): always five bytes of header, and no Le behind data."""
    if len(command) == 4:
        return command + b"\x00"
    return command[: 5 + command[4]] if len(command) > 5 else command
