# ruff: noqa: ARG002, N802  # names and arguments are winscard's
"""A stand-in for pyscard's binding: readers with cards, sharing, transactions, resets, and faults where one is wanted.

The numbers are those of winscard.h, typed here once more.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

T1_ATR = bytes.fromhex("3BE000FF8131FE4514")
OK, RESET, REMOVED, NO_CARD, SHARING = 0, 0x80100068, 0x80100069, 0x8010000C, 0x8010000B
TIMEOUT, UNKNOWN_READER, INVALID_HANDLE, NO_READERS = 0x8010000A, 0x80100009, 0x80100003, 0x8010002E
UNSUPPORTED = 0x8010001F
FEATURE_REQUEST, PIN_DIRECT, PROPERTIES = 0x42000D48, 0x42330006, 0x42330012


def signed(code: int) -> int:
    """As pyscard gives it on some systems."""
    return code - (1 << 32) if code >> 31 else code


@dataclass
class Reader:
    """A reader with, perhaps, a card (anything with ``transmit`` and ``reset``).

    Attributes:
        features: tag -> control code; ``properties`` what the properties' control answers; ``typed`` the PIN that is
            typed at its keys (bytes: the reader's own answer instead).
    """

    card: Any = None
    atr: bytes = T1_ATR
    protocol: int = 2
    mute: bool = False
    features: dict[int, int] = field(default_factory=dict)
    properties: bytes = b""
    typed: str | bytes = b"\x64\x01"
    count: int = 0
    exclusive_elsewhere: bool = False
    shared_elsewhere: bool = False


@dataclass
class Handle:
    reader: str
    reset: bool = False


class Fake:
    """The module ``smartcard.scard``.

    Attributes:
        log: every call by name, with the code it gave.
        sent: the APDUs that reached a card, in hex.
        fault: (name, which call of that name, arguments) -> a code, an exception to raise, or None.
    """

    SCARD_SCOPE_USER = 0
    SCARD_SHARE_EXCLUSIVE, SCARD_SHARE_SHARED = 1, 2
    SCARD_PROTOCOL_T0, SCARD_PROTOCOL_T1 = 1, 2
    SCARD_LEAVE_CARD, SCARD_RESET_CARD = 0, 1
    SCARD_PCI_T0, SCARD_PCI_T1 = "T0", "T1"

    def __init__(self, **readers: Reader) -> None:
        self.readers = {name.replace("_", " "): reader for name, reader in readers.items()}
        self.handles: dict[int, Handle] = {}
        self.lock: dict[str, int] = {}
        self.log: list[tuple[str, int]] = []
        self.sent: list[str] = []
        self.resets = 0
        self.dispositions: list[int] = []
        self.shares: list[int] = []
        self.contexts = 0
        self.structures: list[bytes] = []
        self.sleeps = 0.01
        self.cancelled = threading.Event()
        self.before: Counter[str] = Counter()
        self.fault: Callable[[str, int, tuple[Any, ...]], int | BaseException | None] = lambda *_: None

    def install(self, monkeypatch: pytest.MonkeyPatch) -> Fake:
        package = ModuleType("smartcard")
        package.scard = self  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "smartcard", package)
        monkeypatch.setitem(sys.modules, "smartcard.scard", self)
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if not name.startswith("SCard"):
            raise AttributeError(name)
        real = object.__getattribute__(self, f"_{name}")

        def call(*arguments: Any) -> Any:
            number = self.before[name]
            self.before[name] += 1
            wrong = self.fault(name, number, arguments)
            if isinstance(wrong, BaseException):
                self.log.append((name, -1))
                raise wrong
            answer = [wrong] if wrong is not None else real(*arguments)
            code = answer[0] if isinstance(answer, list) else answer
            self.log.append((name, code))
            if isinstance(answer, list):
                return [signed(code), *answer[1:]]
            return signed(code)

        return call

    @staticmethod
    def SCARD_CTL_CODE(number: int) -> int:
        return 0x42000000 + number

    # --- contexts and readers

    def _SCardEstablishContext(self, scope: int) -> list[Any]:
        self.contexts += 1
        return [OK, 7]

    def _SCardReleaseContext(self, context: int) -> int:
        self.contexts -= 1
        return OK

    def _SCardCancel(self, context: int) -> int:
        self.cancelled.set()
        return OK

    def _SCardListReaders(self, context: int, groups: list[str]) -> list[Any]:
        return [OK, list(self.readers)] if self.readers else [NO_READERS, []]

    def _state(self, name: str) -> tuple[str, int, list[int]]:
        reader = self.readers[name]
        raw = 0x20 if reader.card is not None else 0x10
        raw |= 0x200 if reader.mute else 0
        raw |= 0x80 if reader.exclusive_elsewhere else 0
        raw |= 0x100 if reader.exclusive_elsewhere or reader.shared_elsewhere else 0
        return name, raw | reader.count << 16, list(reader.atr) if reader.card is not None else []

    def _SCardGetStatusChange(self, context: int, ms: int, asked: list[tuple[str, int]]) -> list[Any]:
        real = [one for one in asked if "?PnP?" not in one[0]]
        if any(name not in self.readers for name, _ in real):
            return [UNKNOWN_READER, []]
        new = [self._state(name) for name, _ in real]
        if any((raw & ~2) != known & ~2 for (_, raw, _), (_, known) in zip(new, real, strict=True)):
            return [OK, [(name, raw | 2, atr) for name, raw, atr in new]]
        self.cancelled.wait(min(ms / 1000, self.sleeps))
        self.cancelled.clear()
        return [TIMEOUT, new]

    # --- cards

    def _SCardConnect(self, context: int, name: str, share: int, protocols: int) -> list[Any]:
        reader = self.readers.get(name)
        if reader is None or reader.card is None:
            return [UNKNOWN_READER if reader is None else NO_CARD, 0, 0]
        if reader.mute:
            return [0x80100066, 0, 0]
        if reader.exclusive_elsewhere:
            return [SHARING, 0, 0]
        self.handles[len(self.handles) + 1] = Handle(name)
        return [OK, len(self.handles), reader.protocol]

    def _usable(self, handle: int) -> int:
        if handle not in self.handles:
            return INVALID_HANDLE
        one = self.handles[handle]
        if self.readers[one.reader].card is None:
            return REMOVED
        return RESET if one.reset else OK

    def reset_by_others(self, name: str) -> None:
        """What another program does."""
        self.readers[name].card.reset()
        for one in self.handles.values():
            one.reset = one.reset or one.reader == name

    def _SCardStatus(self, handle: int) -> list[Any]:
        code = self._usable(handle)
        reader = self.handles[handle].reader if handle in self.handles else ""
        return [code, reader, 0x34, 2, list(self.readers[reader].atr) if code == OK else []]

    def _SCardBeginTransaction(self, handle: int) -> int:
        code = self._usable(handle)
        if code == OK:
            self.lock[self.handles[handle].reader] = handle
        return code

    def _SCardEndTransaction(self, handle: int, how: int) -> int:
        self.lock.pop(self.handles[handle].reader, None)
        return self._usable(handle)

    def _SCardReconnect(self, handle: int, share: int, protocol: int, how: int) -> list[Any]:
        code = self._usable(handle)
        if code not in (OK, RESET):
            return [code, 0]
        one = self.handles[handle]
        if share == self.SCARD_SHARE_EXCLUSIVE and self.readers[one.reader].shared_elsewhere:
            return [SHARING, 0]
        self.shares.append(share)
        if how == self.SCARD_RESET_CARD:
            self.resets += 1
            self.readers[one.reader].card.reset()
        one.reset = False
        return [OK, self.readers[one.reader].protocol]

    def _SCardTransmit(self, handle: int, pci: str, command: list[int]) -> list[Any]:
        code = self._usable(handle)
        if code != OK:
            return [code, []]
        self.sent.append(bytes(command).hex().upper())
        return [OK, list(self.readers[self.handles[handle].reader].card.transmit(bytes(command)))]

    def _SCardControl(self, handle: int, code: int, data: list[int]) -> list[Any]:
        reader = self.readers[self.handles[handle].reader]
        if code == FEATURE_REQUEST:
            told = b"".join(bytes([tag, 4]) + number.to_bytes(4, "big") for tag, number in reader.features.items())
            return [OK, list(told)]
        if code == PROPERTIES:
            return [OK, list(reader.properties)]
        if code == PIN_DIRECT:
            self.structures.append(bytes(data))
            if isinstance(reader.typed, bytes):
                return [OK, list(reader.typed)]
            typed = reader.typed.encode()
            header = bytes(data)[-5:-1]
            return [OK, list(reader.card.transmit(header + bytes([len(typed)]) + typed))]
        return [UNSUPPORTED, []]

    def _SCardDisconnect(self, handle: int, how: int) -> int:
        code = self._usable(handle)
        if code == OK and how == self.SCARD_RESET_CARD:
            self.resets += 1
            self.readers[self.handles[handle].reader].card.reset()
        self.dispositions.append(how)
        one = self.handles.pop(handle, None)
        if one is not None:
            self.lock.pop(one.reader, None)
        return code
