"""Secure messaging, the terminal's side (card.md §4.7): a session key for the card, then commands of class 08.

It hides what is read, and what is shown, from who only listens. It does not hide the PIN, which goes in clear before;
and nothing is authenticated, neither the card's key nor any message. So the only faults that can be seen are of form:
an unexpected status word, data object or padding. After the first of them the session is over. There is no way back
into it, none to reading in clear, and what had come is not handed out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from kojin_card.errors import DecodeError, SecureMessagingError, UnexpectedAnswer, UsageError
from kojin_card.iso7816.apdu import EXTENDED_LE_MAX, CommandApdu, ResponseApdu
from kojin_card.iso7816.status import SW, tries_left
from kojin_card.spec import decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from kojin_card.channel.secrets import PinArgument
    from kojin_card.channel.session import CardChannel
    from kojin_card.spec import Record
    from kojin_card.transport.link import Link

_SET_SESSION_KEY = (0x80, 0xAE, 0x00, 0x00)
_SEED_SIZE, _KEY_SIZE, _BLOCK_SIZE, _MODULUS_BITS = 32, 16, 16, 2048
_CLASS = 0x08
_SELECT, _READ_BINARY, _VERIFY = 0xA4, 0xB0, 0x20
_SELECT_EF = 0x02
_BROKEN = "secure messaging broke before"
_ENCIPHERED, _LENGTH, _ISO_PADDING = 0x86, 0x96, 0x01

#: What the application may say to each command, besides the counter of VERIFY. Any other word is not its own.
_WORDS: dict[int, frozenset[int]] = {
    _SELECT: frozenset({SW.OK, SW.FILE_NOT_FOUND}),
    _READ_BINARY: frozenset(
        {SW.OK, SW.SECURITY_NOT_SATISFIED, SW.WRONG_FILE_STRUCTURE, SW.NO_CURRENT_EF, SW.OFFSET_PAST_END}
    ),
    _VERIFY: frozenset({SW.OK, SW.REFERENCE_DATA_BLOCKED, SW.AUTH_METHOD_BLOCKED, SW.FILE_NOT_FOUND}),
}


class SecureLink:
    """Takes a command in clear, sends it enciphered, gives the answer in clear; of one session.

    Args:
        key: of 16 bytes; it is kept, and wiped when the session is over.
        forget: is called when the session breaks.
        alive: whether the card can still remember the session: no application was selected, and nothing was reset.

    Attributes:
        counter: the number of the next command.
    """

    def __init__(
        self, link: Link, key: bytearray, forget: Callable[[], None], alive: Callable[[], bool] = lambda: True
    ) -> None:
        self._link = link
        self._key = key
        self._forget = forget
        self._alive = alive
        self._over = ""
        self.counter = 1

    @property
    def is_over(self) -> bool:
        """Whether nothing can be sent in this session any more."""
        if not self._alive():
            self.end("the card has forgotten this session of secure messaging")
        return bool(self._over)

    def end(self, why: str = "this session of secure messaging was closed") -> None:
        """Send nothing any more, and wipe the key."""
        self._over = self._over or why
        self._key[:] = bytes(len(self._key))

    def broken(self, why: str, operation: str, sw: int | None = None) -> SecureMessagingError:
        """The error that tells it; the session is over, and nothing is believed of what the card remembers."""
        self.end(_BROKEN)
        self._forget()
        return SecureMessagingError(why, operation=operation, sw=sw)

    def send(self, command: CommandApdu, *, operation: str) -> ResponseApdu:
        """One command: SELECT EF, READ BINARY of the current EF, or VERIFY. It goes out once, and never again.

        Returns:
            The answer in clear; its status word is one that the application itself can give to this command.

        Raises:
            SecureMessagingError: over before, or from now on. TransportError: the connection failed.
            UsageError: a command of which nobody knows how it goes in a session.
        """
        known = command.cla == 0 and command.ins in _WORDS and (command.ins != _SELECT or command.p1 == _SELECT_EF)
        if not known or bool(command.data) == (command.ins == _READ_BINARY):
            raise UsageError("no such command under secure messaging", operation=operation)
        if self.is_over:
            raise SecureMessagingError(self._over, operation=operation)
        vector = self._vector()
        wrapped = self._wrapped(command, vector)
        # Until an answer has come and was understood nobody knows what the card has counted: also not after a Ctrl-C.
        self._over = _BROKEN
        self.counter += 1
        answer = self._link.send(wrapped, operation=operation, insist=True)
        if answer.sw not in _WORDS[command.ins] and not (command.ins == _VERIFY and tries_left(answer.sw) is not None):
            raise self.broken("the card ended secure messaging", operation, answer.sw)
        clear = b""
        if command.ins == _READ_BINARY and answer.sw == SW.OK:
            clear = self._opened(answer.data, vector, operation)
            if not 1 <= len(clear) <= (command.le or 0):
                raise self.broken("not as much as was asked for came under secure messaging", operation)
        elif answer.data:
            raise self.broken("data where none is due came under secure messaging", operation)
        self._over = ""
        return ResponseApdu(clear, answer.sw)

    def _wrapped(self, command: CommandApdu, vector: bytes) -> CommandApdu:
        if command.ins == _READ_BINARY:
            wanted = ((command.le or 0) & 0xFFFF).to_bytes(2, "big")  # 0000: to the end of the file (MC sm.rs)
            data = bytes((_LENGTH, 3, 0)) + wanted
            le: int | None = EXTENDED_LE_MAX
        else:
            clear = command.data + b"\x80"
            clear += bytes(-len(clear) % _BLOCK_SIZE)
            enciphered = _through(self._cipher(vector).encryptor(), clear)
            # a secret or a file id: one block or two, so the length is always one byte
            data = bytes((_ENCIPHERED, len(enciphered) + 1, _ISO_PADDING)) + enciphered
            le = None
        return CommandApdu(_CLASS, command.ins, command.p1, command.p2, data, le, sensitive=True)

    def _opened(self, data: bytes, vector: bytes, operation: str) -> bytes:
        """What the one data object of an answer holds."""
        value = _value(data)
        if len(value) <= 1 or value[0] != _ISO_PADDING or len(value) % _BLOCK_SIZE != 1:
            raise self.broken("not the data object of secure messaging", operation)
        padded = _through(self._cipher(vector).decryptor(), value[1:])
        clear = padded.rstrip(b"\x00")
        if len(padded) - len(clear) >= _BLOCK_SIZE or not clear.endswith(b"\x80"):
            raise self.broken("wrong padding under secure messaging", operation)
        return clear[:-1]

    def _vector(self) -> bytes:
        """IV of the next command and its answer: the counter, enciphered."""
        return _through(self._cipher(bytes(_BLOCK_SIZE)).encryptor(), self.counter.to_bytes(_BLOCK_SIZE, "big"))

    def _cipher(self, vector: bytes) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(bytes(self._key)), modes.CBC(vector))


class SecureSession:
    """One session of secure messaging with one application: a context manager, made by
    :meth:`CardChannel.secure_messaging`.

    It ends with its block, and before that when an application is selected, when the card is reset, or when anything
    comes that is not of the protocol. What the application refuses in the usual way (a wrong secret, a closed file)
    does not end it.
    """

    def __init__(self, channel: CardChannel, app: str, link: SecureLink) -> None:
        self._channel = channel
        self._app = app
        self._link = link

    @property
    def is_over(self) -> bool:
        """Whether the session has ended: closed, broken, or forgotten by the card."""
        return self._link.is_over

    def close(self) -> None:
        """Wipe the key. The card keeps its half until an application is selected."""
        self._link.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, file: str) -> Record:
        """A file of the application, read and decoded by its layout (SELECT EF and READ BINARY, both enciphered).

        Raises:
            SecureMessagingError: the session is over: before, or because of what came. What was deciphered and is not
                the file that it should be counts as that.
            AccessDenied, NotOnCard: as :meth:`CardChannel.read`; the session goes on.
        """
        operation = self._begin(f"read {self._app}/{file}")
        layout = self._channel.spec[self._app].layout_of(file)
        if layout is None:
            raise UsageError("the inner form of this is unknown", operation=operation)
        try:
            return decode(layout, self._channel.read_through(self._link, self._app, file))
        except (DecodeError, UnexpectedAnswer):
            pass  # told below, without a chain
        raise self._link.broken("what was deciphered is not this file", operation)

    def verify(self, key: str, pin: PinArgument, *, look: bool = True, reserve: int = 1) -> None:
        """Show the card a secret, enciphered; as :meth:`CardChannel.verify`, whose errors leave the session open.

        Raises:
            SecureMessagingError: the session is over. Whether a try was spent is unknown: ask the counter.
        """
        self._begin(f"verify {self._app}/{key}")
        self._channel.verify(self._app, key, pin, look=look, reserve=reserve, through=self._link)

    def _begin(self, operation: str) -> str:
        if self._link.is_over:
            raise SecureMessagingError("this session of secure messaging is over", operation=operation)
        return operation


def open_session(
    channel: CardChannel, app: str, key_file: str, random: Callable[[int], bytes], operation: str
) -> SecureSession:
    """Read the card's key, in clear, and deliver a session key for it.

    Raises:
        SecureMessagingError: the card takes none, or has no key.
        Others as :meth:`CardChannel.record`.
    """
    published = channel.record(app, key_file)
    exponent, modulus = (int.from_bytes(published.octets(name), "big") for name in ("exponent", "modulus"))
    seed = bytearray(random(_SEED_SIZE))
    key = seed[:_KEY_SIZE]
    try:
        sealed = _sealed(exponent, modulus, bytes((0xA0, 2 + _SEED_SIZE, 0x80, _SEED_SIZE)) + seed)
    finally:
        seed[:] = bytes(len(seed))
    if not sealed:
        raise SecureMessagingError("the card's key for secure messaging is none", operation=operation)
    answer = channel.link.send(CommandApdu(*_SET_SESSION_KEY, sealed, sensitive=True), operation=operation)
    if not answer.ok or answer.data:
        key[:] = bytes(len(key))
        channel.forget()
        raise SecureMessagingError("the card does not take a session key", operation=operation, sw=answer.sw)
    epoch = channel.epoch
    return SecureSession(channel, app, SecureLink(channel.link, key, channel.forget, lambda: channel.epoch == epoch))


def _sealed(exponent: int, modulus: int, message: bytes) -> bytes:
    """RSAES-OAEP with SHA-256; nothing when the numbers are no key of 2048 bits."""
    if modulus.bit_length() != _MODULUS_BITS:
        return b""
    try:
        key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        return key.encrypt(message, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
    except ValueError:
        return b""


def _value(data: bytes) -> bytes:
    """The value of the one object 86; nothing when that is not what stands there.

    In which form a card writes the length from 80 on is in no source: 81 and 82 are both taken.
    """
    if len(data) < 2 or data[0] != _ENCIPHERED:
        return b""
    more = data[1] - 0x80 if data[1] > 0x80 else 0
    length = int.from_bytes(data[2 : 2 + more], "big") if more else data[1]
    value = data[2 + more :]
    return value if more <= 2 and data[1] != 0x80 and len(value) == length else b""


def _through(context: CipherContext, data: bytes) -> bytes:
    return context.update(data) + context.finalize()
