"""Secrets: PINs, passwords and reference numbers that are never printed, logged, pickled or compared by accident."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, NoReturn, Protocol, Self, runtime_checkable

from kojin_card.errors import SecretFormatError

if TYPE_CHECKING:
    from collections.abc import Callable


class Secret:
    """A value that prints as ``***``, hides its length, cannot be pickled or copied, and is wiped when its block ends.

    Python cannot promise that no copy of the value survives in memory; SECURITY.md says what that means.
    """

    __slots__ = ("_buffer",)

    def __init__(self, value: str | bytes | bytearray) -> None:
        """Take ``value``; text must be ASCII, as every secret of the card is.

        Raises:
            SecretFormatError: the text is not ASCII (the message does not repeat it).
        """
        if isinstance(value, str):
            if not value.isascii():
                raise SecretFormatError("only ASCII characters", operation="take a secret")
            self._buffer = bytearray(value, "ascii")
        else:
            self._buffer = bytearray(value)

    def reveal(self) -> bytes:
        """The plain value. Call it only where a command is encoded or a format is checked."""
        return bytes(self._buffer)

    def wipe(self) -> None:
        """Overwrite the value with zeros and forget its length."""
        self._buffer[:] = bytes(len(self._buffer))
        self._buffer.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._buffer, other._buffer)

    __hash__ = None  # type: ignore[assignment]  # a hash of a PIN is the PIN

    def __bool__(self) -> bool:
        return bool(self._buffer)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")


class PinSource(Protocol):
    """Where a secret comes from: a prompt, a pin pad, standard input, a file. Never the command line's arguments."""

    def secret(self, name: str, *, label: str, tries_left: int | None) -> Secret:
        """The secret called ``name`` (``pin``, ``sign-password``, ``code-b``...).

        Args:
            name: the name that ``--secrets`` files use.
            label: what a person calls it, in the language of the session.
            tries_left: what the card said, or None when it was not asked.

        Raises:
            SecretUnavailable: this source has no such secret.
            Cancelled: the person gave up.
        """
        ...


@runtime_checkable
class PadSource(Protocol):
    """What a :class:`PinSource` may be besides: it lets people type at the reader's own keys, where it has some."""

    def on_pad(self, name: str, *, label: str, tries_left: int | None) -> bool:
        """Whether the secret is to be typed there; if so, people have been told by now. Arguments as for ``secret``."""
        ...


class CallablePinSource:
    """A :class:`PinSource` around a function, for programs with a dialogue of their own."""

    def __init__(self, ask: Callable[[str, str, int | None], Secret]) -> None:
        self._ask = ask

    def secret(self, name: str, *, label: str, tries_left: int | None) -> Secret:
        """See :class:`PinSource`."""
        return self._ask(name, label, tries_left)
