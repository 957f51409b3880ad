"""Command and response APDUs (ISO/IEC 7816-3 §12, 7816-4 §5): frozen values, encode and decode, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from kojin_card.errors import DecodeError

SHORT_LE_MAX = 256
EXTENDED_LE_MAX = 65536
SHORT_LC_MAX = 255
EXTENDED_LC_MAX = 65535


@dataclass(frozen=True, slots=True)
class CommandApdu:
    """A command. Its data never shows in ``repr``; ``sensitive`` also hides it (and its length) in traces.

    Attributes:
        le: expected length of the answer in bytes (1..65536), or None for no Le field.
        sensitive: the data field holds a secret (a PIN, a key).
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = field(default=b"", repr=False)
    le: int | None = None
    sensitive: bool = False

    def __post_init__(self) -> None:
        for name in ("cla", "ins", "p1", "p2"):
            if not 0 <= getattr(self, name) <= 0xFF:
                raise ValueError(f"{name} is one byte")
        if len(self.data) > EXTENDED_LC_MAX:
            raise ValueError("the data field holds at most 65535 bytes")
        if self.le is not None and not 1 <= self.le <= EXTENDED_LE_MAX:
            raise ValueError("Le is 1 to 65536")

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes((self.cla, self.ins, self.p1, self.p2))

    @property
    def needs_extended(self) -> bool:
        """Whether Lc or Le does not fit the short form."""
        return len(self.data) > SHORT_LC_MAX or (self.le or 0) > SHORT_LE_MAX

    def encode(self, *, extended: bool | None = None) -> bytes:
        """The bytes on the wire: cases 1 to 4, short when it fits unless ``extended`` says otherwise.

        Raises:
            ValueError: ``extended=False`` for a command that needs the extended form.
        """
        long_form = self.needs_extended if extended is None else extended
        if self.needs_extended and not long_form:
            raise ValueError("this command needs the extended form")
        if not self.data and self.le is None:
            return self.header
        if not long_form:
            body = bytes((len(self.data),)) + self.data if self.data else b""
            return self.header + body + (b"" if self.le is None else bytes((self.le & 0xFF,)))
        body = len(self.data).to_bytes(2, "big") + self.data if self.data else b""
        tail = b"" if self.le is None else (self.le & 0xFFFF).to_bytes(2, "big")
        return self.header + b"\x00" + body + tail

    @classmethod
    def decode(cls, raw: bytes) -> CommandApdu:
        """Read a command, short or extended, cases 1 to 4 (what the software card does with what it receives).

        Raises:
            DecodeError: the lengths do not add up.
        """
        if len(raw) < 4:
            raise DecodeError("a command has at least four bytes", operation="decode a command APDU")
        cla, ins, p1, p2 = raw[:4]
        body = raw[4:]
        data, le = cls._split(body)
        return cls(cla, ins, p1, p2, data, le)

    @staticmethod
    def _split(body: bytes) -> tuple[bytes, int | None]:
        if not body:
            return b"", None
        if len(body) == 1:
            return b"", body[0] or SHORT_LE_MAX
        if body[0]:  # short Lc
            lc, rest = body[0], body[1:]
            if len(rest) == lc:
                return rest, None
            if len(rest) == lc + 1:
                return rest[:lc], rest[lc] or SHORT_LE_MAX
        elif len(body) == 3:
            return b"", int.from_bytes(body[1:3], "big") or EXTENDED_LE_MAX
        elif len(body) > 3:
            lc, rest = int.from_bytes(body[1:3], "big"), body[3:]
            if lc and len(rest) == lc:
                return rest, None
            if lc and len(rest) == lc + 2:
                return rest[:lc], int.from_bytes(rest[lc:], "big") or EXTENDED_LE_MAX
        raise DecodeError("the length fields do not match the command", operation="decode a command APDU")

    def __str__(self) -> str:
        head = self.header.hex(" ").upper()
        if self.sensitive:
            return f"{head} [secret]"
        shown = f" {self.data.hex().upper()}" if self.data else ""
        return f"{head}{shown}" + ("" if self.le is None else f" Le={self.le}")


@dataclass(frozen=True, slots=True)
class ResponseApdu:
    """An answer: data (hidden in ``repr``) and status word."""

    data: bytes = field(repr=False)
    sw: int

    @property
    def ok(self) -> bool:
        """Whether the status word is 9000."""
        return self.sw == 0x9000

    def encode(self) -> bytes:
        """The bytes on the wire."""
        return self.data + self.sw.to_bytes(2, "big")

    @classmethod
    def decode(cls, raw: bytes) -> ResponseApdu:
        """Split off the status word.

        Raises:
            DecodeError: shorter than a status word or longer than any answer can be.
        """
        if not 2 <= len(raw) <= EXTENDED_LE_MAX + 2:
            raise DecodeError("an answer has 2 to 65538 bytes", operation="decode a response APDU")
        return cls(raw[:-2], int.from_bytes(raw[-2:], "big"))
